"""Exact attribution: which pixels and which visual words make two images similar?

**Problem.** A similarity of 0.43 between two images explains nothing. **Idea.** The similarity of two VLAD vectors is
a sum over clusters of products of sums over locations. A sum can be read in any order: per cluster, per location of
the query, per location of the database image. No approximation, no gradient, nothing left over.

With the residual sums V_k, their norms and the final norm Z of each image::

    <v_q, v_d> = sum_k <Vq_k, Vd_k> / (||Vq_k|| ||Vd_k|| Zq Zd)                         per cluster
               = sum_i sum_k a_k(x_i) (x_i - c_k) . Vd_k / (||Vq_k|| ||Vd_k|| Zq Zd)    per location x_i of the query

and the same with the roles exchanged. It holds for any assignment a (the hard one of VLAD, the softmax of NetVLAD),
with intra-normalisation or without. Used by ``DenseVLAD.explain`` and ``PlaceNetwork.explain``.

Notation: N and M locations, D channels, K clusters. Taught in ``02_netvlad``, step 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, message

EPS = 1e-12


@dataclass(frozen=True)
class SimilarityAttribution:
    """A similarity taken apart; ``per_cluster``, ``query`` and ``database`` each sum to ``similarity``.

    Attributes
    ----------
    similarity : float
        Inner product of the two image vectors, in [-1, 1].
    per_cluster : array of shape (K,), float64
    query : array of shape (N,), float64
        What each location of the query contributes; negative where it speaks against the match.
    database : array of shape (M,), float64
    query_assignment, database_assignment : arrays of shape (N, K), (M, K)
    query_grid, database_grid : (rows, columns) or None
        How the locations lie in the image, for ``query.reshape(query_grid)``.
    query_by_cluster, database_by_cluster : arrays of shape (N, K), (M, K)
        Contribution of each location through each cluster; rows sum to ``query``, columns to ``per_cluster``.
    """

    similarity: float
    per_cluster: np.ndarray
    query: np.ndarray
    database: np.ndarray
    query_assignment: np.ndarray
    database_assignment: np.ndarray
    query_grid: tuple[int, int] | None
    database_grid: tuple[int, int] | None
    query_by_cluster: np.ndarray
    database_by_cluster: np.ndarray


def attribute_similarity(
    query: Any,
    database: Any,
    centers: Any,
    assign: Callable[[np.ndarray], np.ndarray] | None = None,
    normalization: str = "intra",
    query_grid: tuple[int, int] | None = None,
    database_grid: tuple[int, int] | None = None,
) -> SimilarityAttribution:
    """Split the similarity of two images into contributions per cluster and per location.

    Parameters
    ----------
    query, database : arrays of shape (N, D), (M, D)
        Local descriptors as they are aggregated (normalised, if the layer normalises them). Leave invalid ones out,
        or let ``assign`` give them a zero row.
    centers : array of shape (K, D)
        Residual anchors.
    assign : callable (N, D) -> (N, K), optional
        Weights of each descriptor; default: 1 for the nearest centre (lowest index on a tie), 0 otherwise.
    normalization : {"intra", "l2"}
        ``"l2"``: only the whole vector is normalised (plain VLAD).
    query_grid, database_grid : (rows, columns), optional
        Kept in the result; their product must be N, M.

    Returns
    -------
    SimilarityAttribution
        Computed in float64. An image without any residual has similarity 0 to everything.

    Raises
    ------
    ValueError
        If shapes do not fit, a value is not finite, or ``assign`` returns another shape than (N, K).

    Examples
    --------
    >>> parts = attribute_similarity([[1.0, 0.0], [3.0, 1.0]], [[0.0, 2.0]], centers=[[0.0, 0.0]])
    >>> bool(np.isclose(parts.query.sum(), parts.similarity))
    True
    """
    checked_choice(normalization, "normalization", ("intra", "l2"))
    centers = checked_array(centers, "centers", ("K", "D"), np.float64)
    assign = assign or (lambda descriptors: _nearest(descriptors, centers))
    one = _aggregated(query, "query", centers, assign, normalization, query_grid)
    two = _aggregated(database, "database", centers, assign, normalization, database_grid)
    weight = one.scale * two.scale  # (K,)  1 / (||Vq_k|| ||Vd_k|| Zq Zd)
    by_query = _contributions(one, two.sums, centers) * weight  # (N, K)
    by_database = _contributions(two, one.sums, centers) * weight  # (M, K)
    per_cluster = (one.sums * two.sums).sum(1) * weight
    vectors = ((image.sums * image.scale[:, None]).ravel() for image in (one, two))
    return SimilarityAttribution(
        similarity=float(np.dot(*vectors)),
        per_cluster=per_cluster,
        query=by_query.sum(1),
        database=by_database.sum(1),
        query_assignment=one.assignment,
        database_assignment=two.assignment,
        query_grid=query_grid,
        database_grid=database_grid,
        query_by_cluster=by_query,
        database_by_cluster=by_database,
    )


@dataclass(frozen=True)
class _Aggregated:
    descriptors: np.ndarray  # (N, D)
    assignment: np.ndarray  # (N, K)
    sums: np.ndarray  # (K, D)
    scale: np.ndarray  # (K,): what each block is multiplied with in the final vector


def _aggregated(descriptors: Any, name: str, centers: np.ndarray, assign: Callable, normalization: str, grid: Any) -> _Aggregated:
    descriptors = checked_array(descriptors, name, ("N", centers.shape[1]), np.float64)
    if grid is not None and grid[0] * grid[1] != len(descriptors):
        raise ValueError(message(f"{name}_grid", f"(rows, columns) with {len(descriptors)} places", f"{tuple(grid)}"))
    assignment = checked_array(assign(descriptors), "assign", (len(descriptors), len(centers)), np.float64)
    sums = assignment.T @ descriptors - assignment.sum(0)[:, None] * centers
    norms = np.linalg.norm(sums, axis=1)
    scale = 1 / np.maximum(norms, EPS) if normalization == "intra" else np.ones(len(centers))  # as NetVLAD and VLAD do
    length = float(np.linalg.norm(norms * scale))
    return _Aggregated(descriptors, assignment, sums, scale / length if length > EPS else np.zeros(len(centers)))


def _contributions(image: _Aggregated, other_sums: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return ``a_k(x_i) (x_i - c_k) . V_k`` with the other image's V, (N, K), without the (N, K, D) residuals."""
    along = image.descriptors @ other_sums.T - (centers * other_sums).sum(1)  # (N, K)
    return image.assignment * along


def _nearest(descriptors: np.ndarray, centers: np.ndarray) -> np.ndarray:
    squared = (centers**2).sum(1) - 2 * descriptors @ centers.T  # (N, K), up to ||x||^2
    one_hot = np.zeros(squared.shape)
    one_hot[np.arange(len(descriptors)), squared.argmin(1)] = 1
    return one_hot
