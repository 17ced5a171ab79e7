"""Re-rank a shortlist by geometry: the global descriptor proposes, the local features decide.

Comparing local features costs milliseconds per image, so it is done for the first hundred of a ranked list only. The list
comes from a global descriptor (``Index.search``). The images on it get the number of inliers as their score.

Source: H. Noh, A. Araujo, J. Sim, T. Weyand, B. Han, "Large-Scale Image Retrieval with Attentive Deep Local Features",
ICCV 2017, arXiv:1612.06321, and the re-ranking in its official code: distance 0.9, residual 10 pixels, 1000 trials, the
first 100 images, order by (inliers, initial score).

Conventions
-----------
Order
    By inliers, then by the initial similarity, then by the initial rank. Images behind the first ``n_rerank`` follow as
    they were. Three inliers say nothing (any three matches agree with some map), but they are not treated differently,
    as in the paper's code.
Junk
    Leaves the list before the first ``n_rerank`` are counted, and is not in the result.
No result
    An entry of -1 in ``order``, as ``Index.search`` fills short lists, is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from course_utils.checks import checked_array, checked_int, message
from course_utils.retrieval.geometric_verification import verify_geometry
from course_utils.retrieval.local_feature_set import LocalFeatureSet
from course_utils.retrieval.matching import match_descriptors


@dataclass(frozen=True, eq=False)
class Reranking:
    """A ranked list after geometric verification, best first.

    Attributes
    ----------
    order : ndarray of shape (R,), int64
        Database indices.
    n_inliers : ndarray of shape (R,), int64
        Inliers; -1 for the images behind the first ``n_rerank``, which were not verified.
    n_matches : ndarray of shape (R,), int64
        Putative matches; -1 likewise.
    similarities : ndarray of shape (R,), float32
        The initial similarities.
    """

    order: np.ndarray
    n_inliers: np.ndarray
    n_matches: np.ndarray
    similarities: np.ndarray


def rerank(
    query: LocalFeatureSet,
    candidates: Sequence[LocalFeatureSet] | Mapping[int, LocalFeatureSet],
    order: Any,
    similarities: Any,
    n_rerank: int = 100,
    junk: Any = (),
    max_distance: float = 0.9,
    threshold: float = 10.0,
    n_trials: int = 1000,
    generator: torch.Generator | None = None,
    mutual: bool = False,
    max_ratio: float | None = None,
) -> Reranking:
    """Order the first images of one query's ranked list by the number of geometric inliers.

    Taught in ``03_delf``, step 6.

    Parameters
    ----------
    query : LocalFeatureSet
    candidates : sequence or mapping of LocalFeatureSet
        ``candidates[i]`` belongs to database index ``i``; only those on the shortlist are looked up.
    order : array-like of shape (R,), int
        Database indices, best first: one row of ``SearchResult.indices``.
    similarities : array-like of shape (R,)
        One row of ``SearchResult.similarities``.
    n_rerank : int, default 100 (the paper's code)
    junk : array-like of int, optional
        Database indices that are ignored for this query.
    max_distance : float, default 0.9
    threshold : float, default 10.0
        Pixels of the database image, for photographs of about 1000 pixels. Scale it with the size of the images.
    n_trials, generator
        See ``verify_geometry``; all images of the shortlist are verified in one call.
    mutual, max_ratio
        See ``match_descriptors``; matching is one-to-one in any case.

    Returns
    -------
    Reranking

    Raises
    ------
    TypeError, ValueError
        If ``query`` or a candidate is no ``LocalFeatureSet``, the two lists differ in length, an index occurs twice, or an
        option is out of range.
    KeyError, IndexError
        If the shortlist names an image that ``candidates`` does not have.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def features(points, seed):
    ...     vectors = np.random.default_rng(seed).normal(size=(len(points), 16))
    ...     boxes = np.column_stack([points - 4, points + 4])
    ...     unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ...     return LocalFeatureSet(points, unit, np.ones(len(points)), np.ones(len(points)), boxes, (100, 100))
    >>> points = rng.uniform(0, 100, (12, 2))
    >>> query, other, same = features(points, 1), features(points, 2), features(points + 5, 1)
    >>> result = rerank(query, [other, same], order=[0, 1], similarities=[0.9, 0.8])
    >>> result.order.tolist(), result.n_inliers.tolist()[0]
    ([1, 0], 12)
    """
    if not isinstance(query, LocalFeatureSet):
        raise TypeError(message("query", "a LocalFeatureSet", type(query).__name__))
    n_rerank = checked_int(n_rerank, "n_rerank", low=1)
    order, similarities = _checked_list(order, similarities, junk)
    head = order[:n_rerank]
    sets = [_candidate(candidates, int(i)) for i in head]
    matches = [match_descriptors(query.descriptors, one.descriptors, max_distance, True, mutual, max_ratio) for one in sets]
    points = [query.points[m.indices[:, 0]] for m in matches], [one.points[m.indices[:, 1]] for one, m in zip(sets, matches)]
    verified = verify_geometry(*points, threshold=threshold, n_trials=n_trials, generator=generator)
    n_inliers, n_matches = np.full((2, len(order)), -1, np.int64)
    n_inliers[: len(head)] = [one.n_inliers for one in verified]
    n_matches[: len(head)] = [len(one) for one in matches]
    best = np.arange(len(order))
    best[: len(head)] = np.lexsort((best[: len(head)], -similarities[: len(head)], -n_inliers[: len(head)]))
    return Reranking(order[best], n_inliers[best], n_matches[best], similarities[best])


def _checked_list(order: Any, similarities: Any, junk: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the list without junk and without "no result"."""
    order = checked_array(order, "order", ("R",), np.int64)
    similarities = checked_array(similarities, "similarities", (len(order),), np.float32, finite=False)
    junk = checked_array(junk, "junk", ("J",), np.int64)
    real = (order >= 0) & ~np.isin(order, junk)
    order, similarities = order[real], similarities[real]
    if not np.isfinite(similarities).all():
        place = int(np.flatnonzero(~np.isfinite(similarities))[0])
        raise ValueError(
            message("similarities", "finite where there is a result", f"{similarities[place]} of image {order[place]}")
        )
    values, counts = np.unique(order, return_counts=True)
    if (counts > 1).any():
        raise ValueError(message("order", "without repeated images", f"image {values[counts > 1][0]} twice"))
    return order, similarities


def _candidate(candidates: Any, index: int) -> LocalFeatureSet:
    one = candidates[index]
    if not isinstance(one, LocalFeatureSet):
        raise TypeError(message(f"candidates[{index}]", "a LocalFeatureSet", type(one).__name__))
    return one
