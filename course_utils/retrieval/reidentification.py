"""Have we seen this person before? The protocol of Market-1501, on a table of scores.

**Problem.** A gallery holds pictures of the query's person by the query's own camera. To find them shows little: the
background is the same. To call them wrong would punish a good system. **Idea.** They are **junk**: taken out of the list before
anything is counted, as are pictures that show nobody (identity -1). What is left is ranked; the **cumulative match
characteristic** CMC(k) is the share of queries with a right picture among the first k, and mAP is the mean of the average
precisions.

Source: L. Zheng, L. Shen, L. Tian, S. Wang, J. Wang, Q. Tian, "Scalable Person Re-identification: A Benchmark", ICCV 2015,
and its evaluation code. The code's average precision is the trapezoid; here the step convention is the default, as everywhere in
this course (chapter 05), and ``convention="trapezoid"`` gives the code's.

Queries without a right picture by another camera have no answer: they are left out and counted.

Taught in ``14_erasing``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_int, message
from course_utils.retrieval.average_precision import mean_average_precision
from course_utils.retrieval.relevant_ranks import checked_lists

NOBODY = -1  # identity of gallery pictures that are junk for every query


@dataclass(frozen=True)
class Reidentification:
    """The figures of a gallery search.

    Attributes
    ----------
    rank : dict of int to float
        CMC(k) for every k asked for, in [0, 1].
    mean_average_precision : float
        In [0, 1]; NaN if no query counts.
    average_precision : ndarray of shape (Q,), float64
        NaN for queries without a right picture.
    first_hit : ndarray of shape (Q,), int64
        Rank of the first right picture, from 1; 0 for queries without one.
    n_queries, n_skipped : int
        Queries that count, and queries without a right picture.
    """

    rank: dict[int, float]
    mean_average_precision: float
    average_precision: np.ndarray
    first_hit: np.ndarray
    n_queries: int
    n_skipped: int


def reidentification(
    scores: Any,
    query_identities: Any,
    gallery_identities: Any,
    query_cameras: Any,
    gallery_cameras: Any,
    ranks: Sequence[int] = (1, 5, 10),
    convention: str = "step",
) -> Reidentification:
    """Judge a re-identification: rank-k accuracy and mAP with the query's own camera left out.

    Parameters
    ----------
    scores : array-like or Tensor of shape (Q, N)
        Higher is more alike: turn the sign of distances. Equal scores keep the order of the gallery.
    query_identities, query_cameras : array-like or Tensor of shape (Q,), int
    gallery_identities, gallery_cameras : array-like or Tensor of shape (N,), int
        Identity -1: junk for every query.
    ranks : sequence of int, default (1, 5, 10)
    convention : str, default "step"
        Of ``mean_average_precision``.

    Returns
    -------
    Reidentification

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit, identities or cameras are not integers, a rank is below 1, or a score is NaN.

    Examples
    --------
    >>> found = reidentification([[0.9, 0.8, 0.7]], [5], [5, 6, 5], [1], [1, 2, 2], ranks=(1, 2))
    >>> found.rank, found.mean_average_precision          # the first picture is by the query's own camera
    ({1: 0.0, 2: 1.0}, 0.5)
    """
    ranks = tuple(checked_int(k, "ranks", low=1) for k in ranks)
    relevant, junk = right_and_junk(query_identities, gallery_identities, query_cameras, gallery_cameras)
    scores, relevant, junk = checked_lists(scores, relevant, junk, ("Q", "N"))
    first = _first_hits(scores, relevant, junk)
    precision = mean_average_precision(scores, relevant, junk, convention, ties="stable")
    counted = first[first > 0]
    share = {k: float((counted <= k).mean()) if len(counted) else float("nan") for k in ranks}
    return Reidentification(share, precision.mean, precision.per_query, first, len(counted), int((first == 0).sum()))


def right_and_junk(
    query_identities: Any, gallery_identities: Any, query_cameras: Any, gallery_cameras: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return which gallery pictures are right for each query, and which are junk: two (Q, N) bool arrays.

    Right: the same person by another camera. Junk: the same person by the same camera, or nobody.
    """
    people = [
        checked_array(v, n, ("N",), np.int64)
        for v, n in ((query_identities, "query_identities"), (gallery_identities, "gallery_identities"))
    ]
    cameras = [
        checked_array(v, n, (len(p),), np.int64)
        for v, n, p in zip((query_cameras, gallery_cameras), ("query_cameras", "gallery_cameras"), people)
    ]
    if (people[0] == NOBODY).any():
        row = int(np.flatnonzero(people[0] == NOBODY)[0])
        raise ValueError(message("query_identities", "people", f"{NOBODY} (nobody) in row {row}", "Leave such queries out."))
    same = people[0][:, None] == people[1][None, :]
    own_camera = cameras[0][:, None] == cameras[1][None, :]
    return same & ~own_camera, (same & own_camera) | (people[1] == NOBODY)[None, :]


def _first_hits(scores: np.ndarray, relevant: np.ndarray, junk: np.ndarray) -> np.ndarray:
    """Return the rank of the first relevant item of each list without its junk, (Q,), from 1; 0 where there is none."""
    order = np.argsort(-scores, axis=1, kind="stable")
    hit, kept = np.take_along_axis(relevant, order, 1), ~np.take_along_axis(junk, order, 1)
    rank = np.cumsum(kept, axis=1)
    return (
        np.where(hit.any(axis=1), np.take_along_axis(rank, hit.argmax(axis=1)[:, None], 1)[:, 0], 0)
        if hit.size
        else np.zeros(len(scores), np.int64)
    )
