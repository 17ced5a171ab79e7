"""Precision and recall along a ranked list.

Go down the list and stop after some item. *Precision* is the share of relevant items among those passed so far;
*recall* is the share of all relevant items that were passed so far::

    precision = hits / accepted          recall = hits / R

where ``accepted`` items have a score of at least the threshold, ``hits`` of them are relevant, and ``R`` items are
relevant in all. Recall never falls on the way down. Precision jumps up at a relevant item and sinks at every other one:
the saw-tooth curve from which each convention of average precision reads its own number.

Equal scores share one threshold, so they are accepted together and the curve has one point for all of them
(``ties="group"``, as in scikit-learn). ``ties="stable"`` accepts them one by one in input order; a tie then decides by
luck what the curve looks like.

Source: G. Salton, M. McGill, "Introduction to Modern Information Retrieval", 1983, chapter 5, for the two measures;
M. Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010, section 4.2, for the envelope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_choice, checked_int, message
from course_utils.retrieval.relevant_ranks import checked_lists


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """The curve of one query, from the first rank down; one point for each distinct score.

    Attributes
    ----------
    precision, recall : ndarray of shape (T,), float64, in [0, 1]
    thresholds : ndarray of shape (T,)
        Scores, falling: point ``i`` accepts every item with a score of at least ``thresholds[i]``.
    ranks : ndarray of shape (T,), int64
        Number of accepted items at each point: the rank of the last of them.
    envelope : ndarray of shape (T,), float64
        The interpolated precision of PASCAL VOC: the highest precision at this point or anywhere below it in the list.
    """

    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray
    ranks: np.ndarray
    envelope: np.ndarray

    def __len__(self) -> int:
        return len(self.precision)


def precision_recall_curve(
    scores: Any, relevant: Any, *, junk: Any = None, ties: str = "group", n_relevant: int | None = None
) -> PrecisionRecallCurve:
    """Return precision and recall of one query at every threshold.

    Taught in `05_mean_average_precision`.

    Parameters
    ----------
    scores : array-like or Tensor of shape (N,)
        Higher is better: turn the sign of distances.
    relevant : array-like or Tensor of shape (N,), bool or 0/1
    junk : array-like or Tensor of shape (N,), bool or 0/1, optional
        Items that are taken out of the list first.
    ties : {"group", "stable"}, default "group"
        One point for items with equal scores, or one for each of them in input order.
    n_relevant : int, optional
        Relevant items in the whole database, if the list is only its beginning.

    Raises
    ------
    ValueError
        If no item is relevant (recall would be 0 / 0), a score is NaN, an item is junk and relevant at once, or
        ``n_relevant`` is smaller than the number of relevant items in the list.

    Examples
    --------
    >>> curve = precision_recall_curve([0.9, 0.8, 0.7], [False, True, True])
    >>> curve.recall
    array([0. , 0.5, 1. ])
    >>> curve.envelope.round(3)
    array([0.667, 0.667, 0.667])
    """
    checked_choice(ties, "ties", ("group", "stable"))
    scores, relevant, junk = checked_lists(scores, relevant, junk, ("N",))
    if junk is not None:
        scores, relevant = scores[~junk], relevant[~junk]
    if np.isnan(scores).any():
        raise ValueError(message("scores", "numbers", "NaN", "Mark it as junk, or repair it."))
    total = int(relevant.sum())
    if n_relevant is not None:
        n_relevant = checked_int(n_relevant, "n_relevant", low=total)
    if not (total if n_relevant is None else n_relevant):
        raise ValueError(message("relevant", "at least one relevant item", "none", "Recall would be 0 / 0."))
    thresholds, accepted, hits = accepted_and_hits(scores, relevant, group=ties == "group")
    precision = hits / accepted
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return PrecisionRecallCurve(precision, hits / (n_relevant or total), thresholds, accepted, envelope)


def accepted_and_hits(scores: np.ndarray, relevant: np.ndarray, group: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the falling thresholds (T,) and how many items, and relevant items, each of them accepts (T,), (T,).

    Parameters
    ----------
    scores : ndarray of shape (N,), without NaN
    relevant : ndarray of shape (N,), bool
    group : bool, default True
        Accept equal scores together; otherwise one threshold for each item, equal scores in input order.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(relevant[order], dtype=np.int64)
    last = np.ones(len(ordered), bool)
    if group:
        last[:-1] = ordered[1:] != ordered[:-1]  # a comparison, not a difference: inf - inf is NaN
    return ordered[last], np.flatnonzero(last) + 1, hits[last]
