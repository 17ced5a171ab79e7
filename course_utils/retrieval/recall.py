"""Recall@N and its conventions: did one of the first N results show the place?

Recall@N of place recognition is the share of queries with *at least one* correct database image among the first N
results. It is a success rate. The recall of information retrieval, the share of all relevant images that were found,
is something else; the two agree when each query has exactly one relevant image.

Three choices change the number, and papers differ in all three, so each is an argument or a function here:

Denominator
    A query without any correct database image cannot succeed. The official NetVLAD code counts it as a miss
    (``empty="count"``); the code of Schubert, Neubert, Garg, Milford, Fischer, "Visual Place Recognition: A
    Tutorial", IEEE Robotics and Automation Magazine 2023, drops it (``empty="drop"``).
Near-duplicates
    Database images cut from one panorama, or taken a metre apart, fill the list with one place. Tokyo 24/7 (Torii et
    al., CVPR 2015) searches 12 N, keeps the best crop per panorama, and cuts to N: ``panorama_shortlist``.
    ``suppress_groups`` and ``suppress_radius`` are the general forms. Time Machine data drops images that share the
    query's time stamp: ``suppress_same``.
No result
    ``-1`` in a ranking means "no result", as faiss pads it. It is never a hit. (Plain NumPy indexing with -1 would
    silently pick the last image.)

``R`` is the length of the rankings, ``Q`` the number of queries; rankings are database indices, best first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, checked_float, checked_int, message
from course_utils.retrieval.precision_recall import accepted_and_hits

CROPS_PER_PANORAMA = 12  # Tokyo 24/7: one perspective view every 30 degrees


@dataclass(frozen=True)
class RecallAtN:
    """The result of ``recall_at_n``.

    Attributes
    ----------
    recall : dict of int to float
        Recall@N for each N asked for.
    n_queries : int
        The denominator: all queries, or those with a correct database image.
    n_empty : int
        Queries without any correct database image.
    first_hit : ndarray of shape (Q,), int64
        Rank of the first correct result of every query, counted from 1; 0 if there is none in the list.
    """

    recall: dict[int, float]
    n_queries: int
    n_empty: int
    first_hit: np.ndarray

    def __repr__(self) -> str:
        values = ", ".join(f"R@{n} {value:.3f}" for n, value in self.recall.items())
        return f"RecallAtN({values}; {self.n_queries} queries, {self.n_empty} without a match)"


def recall_at_n(ranked: Any, positives: Sequence[Any], n: Sequence[int] = (1, 5, 10), empty: str = "count") -> RecallAtN:
    """Return the share of queries with a correct image among the first N results.

    Taught in `01_vlad`, step 5.

    Parameters
    ----------
    ranked : array-like of shape (Q, R), int
        Database indices, best first; -1 is "no result".
    positives : sequence of Q integer arrays
        The correct database indices of each query, in any order, maybe none.
    n : sequence of int, default (1, 5, 10)
        At most ``R``: beyond the list nothing is known.
    empty : {"count", "drop"}, default "count"
        Count a query without correct images as a miss, or leave it out of the denominator.

    Raises
    ------
    ValueError
        If some N is longer than the lists, the number of position sets is not Q, or a positive is negative.

    Examples
    --------
    >>> recall_at_n([[3, 1], [0, 2], [2, 0]], positives=[[1], [0, 5], []], n=(1, 2)).recall
    {1: 0.333..., 2: 0.666...}
    """
    ranked = checked_array(ranked, "ranked", ("Q", "R"), np.int64)
    checked_choice(empty, "empty", ("count", "drop"))
    n = [checked_int(value, "n", low=1) for value in n]
    if n and max(n) > ranked.shape[1]:
        raise ValueError(message("n", f"at most {ranked.shape[1]}, the length of the rankings", str(max(n)), "Search deeper."))
    hits, sizes = _hits(ranked, positives)
    first_hit = np.where(hits.any(1), hits.argmax(1) + 1, 0) if ranked.shape[1] else np.zeros(len(ranked), np.int64)
    n_empty = int((sizes == 0).sum())
    n_queries = len(ranked) - (n_empty if empty == "drop" else 0)
    found = {value: int(((first_hit > 0) & (first_hit <= value)).sum()) for value in n}
    recall = {value: count / n_queries if n_queries else float("nan") for value, count in found.items()}
    return RecallAtN(recall, n_queries, n_empty, first_hit)


def positives_within(query_positions: Any, database_positions: Any, radius: float, beyond: float = -1.0) -> list[np.ndarray]:
    """Return, for each query, the database images at a distance ``beyond < d <= radius``, as sorted indices.

    Parameters
    ----------
    query_positions, database_positions : array-like of shape (Q, 2) and (M, 2)
        Metres. Degrees must go through ``local_metres`` first.
    radius : float
        Metres; the end is included, here and everywhere in the package.
    beyond : float, default -1
        Leave out images this near or nearer (NetVLAD's official code skips trivial pairs within 1 m).

    Examples
    --------
    >>> positives_within([[0, 0]], [[0, 3], [0, 9], [4, 3]], radius=5)
    [array([0, 2])]
    """
    from scipy.spatial import cKDTree

    query = checked_array(query_positions, "query_positions", ("Q", 2), np.float64)
    database = checked_array(database_positions, "database_positions", ("M", 2), np.float64)
    radius = checked_float(radius, "radius", low=0.0)
    beyond = checked_float(beyond, "beyond", high=radius)
    if len(database) == 0 or len(query) == 0:
        return [np.zeros(0, np.int64) for _ in query]
    # The tree's own comparison may round the border away: ask for a little more, then decide exactly.
    near = cKDTree(database).query_ball_point(query, radius * (1 + 1e-9) + 1e-9)
    result = []
    for position, candidates in zip(query, near):
        index = np.sort(np.asarray(candidates, np.int64))
        distance = np.hypot(*(database[index] - position).T)
        result.append(index[(distance <= radius) & (distance > beyond)])
    return result


def suppress_groups(ranked: Any, groups: Any) -> np.ndarray:
    """Keep only the best result of each group; later ones are removed and the list closes up, padded with -1.

    Parameters
    ----------
    ranked : array-like of shape (Q, R), int
    groups : array-like of shape (M,), int
        Group of every database image, for example its panorama.

    Examples
    --------
    >>> suppress_groups([[4, 5, 0, 1]], groups=[7, 8, 8, 8, 9, 9])
    array([[ 4,  0,  1, -1]])
    """
    ranked = checked_array(ranked, "ranked", ("Q", "R"), np.int64)
    groups = checked_array(groups, "groups", ("M",), np.int64)
    _check_indices(ranked, len(groups))
    if ranked.size == 0:
        return ranked.copy()
    _, codes = np.unique(groups, return_inverse=True)
    code = np.arange(len(ranked))[:, None] * len(groups) + codes[ranked]  # (Q, R), different in every row
    keep = np.zeros(ranked.size, bool)
    keep[_first_occurrences(np.where(ranked < 0, -1, code).ravel())] = True
    return _close_up(ranked, keep.reshape(ranked.shape) & (ranked >= 0))


def suppress_radius(ranked: Any, positions: Any, radius: float) -> np.ndarray:
    """Walk down each list and drop results within ``radius`` metres of one already kept (end included).

    Parameters
    ----------
    ranked : array-like of shape (Q, R), int
    positions : array-like of shape (M, 2)
        Of the database images, metres.
    radius : float

    Notes
    -----
    Greedy, from the best result down; dropped results suppress nothing. ``O(Q R^2)``.
    """
    ranked = checked_array(ranked, "ranked", ("Q", "R"), np.int64)
    positions = checked_array(positions, "positions", ("M", 2), np.float64)
    radius = checked_float(radius, "radius", low=0.0)
    _check_indices(ranked, len(positions))
    if ranked.size == 0:
        return ranked.copy()
    place = positions[ranked]  # (Q, R, 2); rows of -1 are masked below
    keep = ranked >= 0
    for r in range(1, ranked.shape[1]):
        distance = np.hypot(*np.moveaxis(place[:, :r] - place[:, r : r + 1], -1, 0))  # (Q, r)
        keep[:, r] &= ~((distance <= radius) & keep[:, :r]).any(1)
    return _close_up(ranked, keep)


def suppress_same(ranked: Any, query_labels: Any, database_labels: Any) -> np.ndarray:
    """Drop results that carry the query's own label, such as its time stamp (Time Machine protocol)."""
    ranked = checked_array(ranked, "ranked", ("Q", "R"), np.int64)
    query_labels = checked_array(query_labels, "query_labels", (len(ranked),), np.int64)
    database_labels = checked_array(database_labels, "database_labels", ("M",), np.int64)
    _check_indices(ranked, len(database_labels))
    if ranked.size == 0:
        return ranked.copy()
    return _close_up(ranked, (ranked >= 0) & (database_labels[ranked] != query_labels[:, None]))


def panorama_shortlist(ranked: Any, panoramas: Any, n: int, crops: int = CROPS_PER_PANORAMA) -> np.ndarray:
    """Return the Tokyo 24/7 shortlist (Q, n): of the first ``crops * n`` results the best of each panorama, cut to n.

    Parameters
    ----------
    ranked : array-like of shape (Q, R), int
        ``R`` must be at least ``min(crops * n, M)``.
    panoramas : array-like of shape (M,), int
        Panorama of every database image.
    n : int
    crops : int, default 12
    """
    ranked = checked_array(ranked, "ranked", ("Q", "R"), np.int64)
    n, crops = checked_int(n, "n", low=1), checked_int(crops, "crops", low=1)
    depth = min(crops * n, len(panoramas))
    if ranked.shape[1] < depth:
        raise ValueError(message("ranked", f"at least {depth} results deep for n={n}", str(ranked.shape[1]), "Search deeper."))
    kept = suppress_groups(ranked[:, : crops * n], panoramas)[:, :n]
    return np.pad(kept, ((0, 0), (0, n - kept.shape[1])), constant_values=-1)


@dataclass(frozen=True)
class LocalisationError:
    """Distance in metres between each query and its best result; infinite where there is no result."""

    metres: np.ndarray
    median: float

    def within(self, radius: float) -> float:
        """Return the share of queries whose error is at most ``radius`` metres."""
        return float((self.metres <= radius).mean()) if len(self.metres) else float("nan")


def localisation_error(ranked: Any, query_positions: Any, database_positions: Any) -> LocalisationError:
    """Return how far each query's first result is from where the query really was.

    Parameters
    ----------
    ranked : array-like of shape (Q, R) with R >= 1, int
    query_positions, database_positions : array-like of shape (Q, 2) and (M, 2), metres
    """
    ranked = checked_array(ranked, "ranked", ("Q", "R"), np.int64)
    query = checked_array(query_positions, "query_positions", (len(ranked), 2), np.float64)
    database = checked_array(database_positions, "database_positions", ("M", 2), np.float64)
    _check_indices(ranked, len(database))
    if ranked.shape[1] == 0:
        raise ValueError(message("ranked", "at least one result deep", "lists of length 0"))
    first = ranked[:, 0]
    metres = (
        np.where(first >= 0, np.hypot(*(database[first] - query).T), np.inf) if len(database) else np.full(len(ranked), np.inf)
    )
    return LocalisationError(metres, float(np.median(metres)) if len(metres) else float("nan"))


@dataclass(frozen=True)
class PrecisionRecall:
    """A precision-recall curve over all (query, database) pairs; entry ``i`` accepts every pair above ``thresholds[i]``.

    Attributes
    ----------
    precision, recall, thresholds : ndarray of shape (T,)
        From the strictest threshold to the most generous one.
    n_pairs, n_removed : int
        Pairs in the curve, and soft pairs left out.
    """

    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray
    n_pairs: int
    n_removed: int

    @property
    def average_precision(self) -> float:
        """Step-wise area: the sum of precision times the gain in recall."""
        return float(np.sum(np.diff(self.recall, prepend=0.0) * self.precision))


def pooled_precision_recall(similarities: Any, positives: Sequence[Any], soft: Sequence[Any] | None = None) -> PrecisionRecall:
    """Return precision and recall over thresholds on the similarity, all pairs pooled.

    Parameters
    ----------
    similarities : array-like of shape (Q, M)
    positives : sequence of Q integer arrays
        Database images that must be found.
    soft : sequence of Q integer arrays, optional
        Images that may be found but need not be (the same facade from far away). These pairs are *removed*. Setting
        their similarity to the minimum instead would turn them into false positives at the lowest threshold.

    Raises
    ------
    ValueError
        If no pair is positive, so that recall is 0 / 0.
    """
    similarities = checked_array(similarities, "similarities", ("Q", "M"), np.float64)
    relevant = _membership(positives, similarities.shape, "positives")
    used = np.ones_like(relevant) if soft is None else ~(_membership(soft, similarities.shape, "soft") & ~relevant)
    scores, hits = similarities[used], relevant[used]
    if not hits.any():
        raise ValueError(message("positives", "at least one positive pair in total", "none"))
    thresholds, accepted, found = accepted_and_hits(scores, hits)  # equal similarities are accepted together
    return PrecisionRecall(found / accepted, found / found[-1], thresholds, scores.size, int((~used).sum()))


def _hits(ranked: np.ndarray, positives: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return which results are correct (Q, R) and how many positives each query has (Q,), without a loop over results."""
    rows = [checked_array(p, f"positives[{i}]", ("P",), np.int64) for i, p in enumerate(positives)]
    if len(rows) != len(ranked):
        raise ValueError(message("positives", f"one index array per query, {len(ranked)}", str(len(rows))))
    sizes = np.array([len(p) for p in rows], np.int64)
    flat = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    if flat.size and flat.min() < 0:
        query = int(np.repeat(np.arange(len(rows)), sizes)[flat.argmin()])
        raise ValueError(message("positives", "database indices of at least 0", f"{flat.min()} for query {query}"))
    stride = 1 + max(int(flat.max(initial=0)), int(ranked.max(initial=0)))
    wanted = np.repeat(np.arange(len(rows)), sizes) * stride + flat
    code = np.arange(len(ranked))[:, None] * stride + ranked
    return np.isin(code, wanted) & (ranked >= 0), sizes


def _membership(rows: Sequence[Any], shape: tuple[int, int], name: str) -> np.ndarray:
    if len(rows) != shape[0]:
        raise ValueError(message(name, f"one index array per query, {shape[0]}", str(len(rows))))
    member = np.zeros(shape, bool)
    for i, row in enumerate(rows):
        index = checked_array(row, f"{name}[{i}]", ("P",), np.int64)
        if index.size and not (index.min() >= 0 and index.max() < shape[1]):
            raise ValueError(message(f"{name}[{i}]", f"indices between 0 and {shape[1] - 1}", f"{index.min()} to {index.max()}"))
        member[i, index] = True
    return member


def _check_indices(ranked: np.ndarray, size: int) -> None:
    if ranked.size and (ranked.max() >= size or ranked.min() < -1):
        raise ValueError(
            message(
                "ranked", f"database indices between 0 and {size - 1}, or -1", f"values from {ranked.min()} to {ranked.max()}"
            )
        )


def _first_occurrences(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_index=True)[1]


def _close_up(ranked: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Move the kept results to the front of each row, in order, and fill up with -1."""
    order = np.argsort(~keep, axis=1, kind="stable")
    kept = np.take_along_axis(keep, order, axis=1)
    return np.where(kept, np.take_along_axis(ranked, order, axis=1), -1)
