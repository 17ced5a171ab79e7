"""Average precision: one number for one ranked list, under every convention in use.

The problem
    A query ranks the items of a database. The relevant ones should stand first. Recall@N looks at one place of the list;
    average precision (AP) looks at the whole order: it averages the precision over the relevant items. *Mean* average
    precision (mAP) is the mean over queries (over classes, in detection). Neither is an accuracy.
The trouble
    "The area under the precision-recall curve" has several readings, and papers use all of them.

With ``R`` relevant items, of which the ``t``-th stands at rank ``r_t``, precision after it is ``t / r_t``:

=============  ========================================================  ===============================================
convention     formula                                                   used by
=============  ========================================================  ===============================================
``step``       mean of ``t / r_t``                                       information retrieval, scikit-learn
``trapezoid``  mean of ``(p0 + t / r_t) / 2``, where                     Oxford5k, Paris6k, Market-1501
               ``p0 = (t - 1) / (r_t - 1)`` is the precision right
               before the item, and 1 at the first rank
``all-point``  mean of the *envelope* at ``r_t``: the highest            PASCAL VOC since 2010
               precision from there on
``11point``    mean of the envelope where recall reaches 0, .1 ... 1     PASCAL VOC 2007
``101point``   the same at 0, .01 ... 1                                  COCO, LVIS
=============  ========================================================  ===============================================

Without ties ``trapezoid <= step <= all-point`` in every list. Recall reaches the level ``u / L`` when
``L * hits >= u * R``: compared in integers, because ``0.1 * 3`` is more than ``3 / 10`` in floating point.

Cut-off
    AP@k adds up the same terms for ranks up to ``k``, and then the number to divide by is a choice: ``"relevant"`` is R,
    and a query with R > k can never reach 1; ``"min"`` is min(R, k), as on Google Landmarks; ``"found"`` is the number of
    relevant items in the first k, as in torchmetrics, and rewards finding fewer of them. The interpolated conventions
    count recall against the same number.
Ties
    ``"group"``: equal scores are one threshold and one point of the curve. With the trapezoid rule this flatters a tie
    at the top of the list: a system that gives one score to everything gets (1 + R / n) / 2, more than a half.
    ``"stable"``: input order decides, which is luck. ``"expected"``: the exact mean over all orders inside the tie
    groups. Take a group of ``g`` items with ``p`` relevant ones, below ``b`` items with ``c`` relevant ones. Its
    ``i``-th item is relevant with probability ``p / g``, and then ``(i - 1) (p - 1) / (g - 1)`` relevant ones stand
    above it inside the group on average. The sum over ``i`` is a difference of harmonic numbers (F. McSherry,
    M. Najork, "Computing information retrieval performance measures efficiently in the presence of tied scores",
    ECIR 2008).
Infinite scores
    They are scores: an item at minus infinity stands last and counts. To take an item out, mark it as junk.

Sources: J. Philbin et al., "Object retrieval with large vocabularies and fast spatial matching", CVPR 2007 (trapezoid);
M. Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", IJCV 2010, section 4.2; T.-Y. Lin et al.,
"Microsoft COCO", ECCV 2014; K. Musgrave, S. Belongie, S.-N. Lim, "A Metric Learning Reality Check", ECCV 2020 (MAP@R).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, checked_int, message
from course_utils.retrieval.relevant_ranks import RelevantRanks, blocks, checked_lists, relevant_ranks

CONVENTIONS = ("step", "trapezoid", "all-point", "11point", "101point")
DENOMINATORS = ("relevant", "min", "found")
TIES = ("group", "stable", "expected")
EMPTY = ("nan", "zero", "raise")
LEVELS = {"11point": 10, "101point": 100}  # steps between recall 0 and recall 1
HARMONIC_UNIT = 2**58  # harmonic numbers are kept as integers of this unit: their differences lose no digits


@dataclass(frozen=True)
class MeanAveragePrecision:
    """A mean over queries, and what it was averaged from.

    Attributes
    ----------
    mean : float, in [0, 1]
        NaN if no query counts.
    per_query : ndarray of shape (Q,), float64
        NaN where a query has no relevant item and ``empty="nan"``.
    n_queries : int
        Queries in the mean.
    n_empty : int
        Queries without a relevant item.
    convention : str
    """

    mean: float
    per_query: np.ndarray
    n_queries: int
    n_empty: int
    convention: str

    def __repr__(self) -> str:
        return (
            f"MeanAveragePrecision({self.mean:.4f}; {self.convention}, {self.n_queries} queries counted, "
            f"{self.n_empty} without a relevant item)"
        )


def average_precision(
    scores: Any,
    relevant: Any,
    convention: str = "step",
    *,
    junk: Any = None,
    at: int | None = None,
    denominator: str = "min",
    ties: str = "group",
    n_relevant: int | None = None,
    empty: str = "nan",
) -> float:
    """Return the average precision of one ranked list.

    Taught in `05_mean_average_precision`.

    Parameters
    ----------
    scores : array-like or Tensor of shape (N,)
        Higher is better: turn the sign of distances.
    relevant : array-like or Tensor of shape (N,), bool or 0/1
    convention : {"step", "trapezoid", "all-point", "11point", "101point"}, default "step"
    junk : array-like or Tensor of shape (N,), bool or 0/1, optional
        Items that are taken out of the list first, such as the query itself.
    at : int, optional
        Look at the first ``at`` ranks only.
    denominator : {"relevant", "min", "found"}, default "min"
        What AP@k divides by: R, min(R, k), or the relevant items among the first k. Without ``at`` all are R.
    ties : {"group", "stable", "expected"}, default "group"
        Equal scores: one threshold, input order, or the exact mean over all orders (step and trapezoid only).
    n_relevant : int, optional
        R, if the list is only the beginning of the ranking.
    empty : {"nan", "zero", "raise"}, default "nan"
        The value for R = 0.

    Returns
    -------
    float, in [0, 1]

    Raises
    ------
    ValueError
        For NaN scores, labels other than 0 and 1, items that are junk and relevant at once, an ``n_relevant`` below
        what the list holds, ``ties="expected"`` with an interpolated convention, and ``ties="group"`` with a tie
        group around rank ``at`` that holds a relevant item; and for R = 0 with ``empty="raise"``.

    Examples
    --------
    >>> scores, relevant = [0.9, 0.8, 0.7], [False, True, True]
    >>> round(average_precision(scores, relevant), 4), round(average_precision(scores, relevant, "trapezoid"), 4)
    (0.5833, 0.4167)
    """
    scores, relevant, junk = checked_lists(scores, relevant, junk, ("N",))
    junk = None if junk is None else junk[None]
    if n_relevant is not None:
        n_relevant = checked_int(n_relevant, "n_relevant", low=0)
    found = mean_average_precision(
        scores[None],
        relevant[None],
        junk,
        convention,
        at,
        denominator=denominator,
        ties=ties,
        n_relevant=n_relevant,
        empty=empty,
    )
    return float(found.per_query[0])


def mean_average_precision(
    scores: Any,
    relevant: Any,
    junk: Any = None,
    convention: str = "step",
    at: int | None = None,
    *,
    denominator: str = "min",
    ties: str = "group",
    n_relevant: Any = None,
    empty: str = "nan",
) -> MeanAveragePrecision:
    """Return the average precision of every query, and the mean over queries.

    Taught in `05_mean_average_precision`. All arguments mean what they mean in ``average_precision``, with one row for
    each query.

    Parameters
    ----------
    scores : array-like or Tensor of shape (Q, N)
    relevant, junk : array-like or Tensor of shape (Q, N), bool or 0/1
    n_relevant : int or array-like of shape (Q,), int, optional
    empty : {"nan", "zero", "raise"}, default "nan"
        Leave queries with R = 0 out of the mean, let them count 0, or refuse them.

    Raises
    ------
    ValueError
        As ``average_precision``; the message names the query.

    Examples
    --------
    >>> mean_average_precision([[0.9, 0.1], [0.2, 0.7]], [[1, 0], [1, 0]])
    MeanAveragePrecision(0.7500; step, 2 queries counted, 0 without a relevant item)
    """
    checked_choice(convention, "convention", CONVENTIONS)
    checked_choice(denominator, "denominator", DENOMINATORS)
    _check_ties(ties, convention)
    if at is not None:
        at = checked_int(at, "at", low=1)

    def values(ranks: RelevantRanks, total: np.ndarray, first: int) -> np.ndarray:
        cut = None if at is None else np.full(len(total), at)
        return _per_query(ranks, total, cut, convention, denominator, ties, first)

    return _over_queries(values, scores, relevant, junk, ties, n_relevant, empty, convention)


def mean_average_precision_at_r(
    scores: Any, relevant: Any, junk: Any = None, *, ties: str = "group", n_relevant: Any = None, empty: str = "nan"
) -> MeanAveragePrecision:
    """Return MAP@R: step AP over the first R ranks, where R is each query's own number of relevant items.

    Equal to ``mean_average_precision(at=R)`` query by query. Source: Musgrave et al. 2020, section 3.2.

    Parameters
    ----------
    scores, relevant, junk, ties, n_relevant, empty
        As in ``mean_average_precision``.

    Raises
    ------
    ValueError
        As ``mean_average_precision``.
    """
    _check_ties(ties, "step")

    def values(ranks: RelevantRanks, total: np.ndarray, first: int) -> np.ndarray:
        return _per_query(ranks, total, total, "step", "relevant", ties, first)

    return _over_queries(values, scores, relevant, junk, ties, n_relevant, empty, "MAP@R")


def r_precision(
    scores: Any, relevant: Any, junk: Any = None, *, ties: str = "group", n_relevant: Any = None, empty: str = "nan"
) -> MeanAveragePrecision:
    """Return R-precision: the share of relevant items among the first R ranks, R being the query's own number of them.

    Source: Musgrave et al. 2020, section 3.2.

    Parameters
    ----------
    scores, relevant, junk, ties, n_relevant, empty
        As in ``mean_average_precision``.

    Raises
    ------
    ValueError
        As ``mean_average_precision``.
    """
    _check_ties(ties, "step")

    def values(ranks: RelevantRanks, total: np.ndarray, first: int) -> np.ndarray:
        inside = _inside(ranks, total, ties, first)
        hits = (ranks.hits_through - ranks.hits_before) * inside / (ranks.through - ranks.before)
        return _divided(_sum_by_query(ranks, hits), total)

    return _over_queries(values, scores, relevant, junk, ties, n_relevant, empty, "R-precision")


def chance_average_precision(n: int, n_relevant: int) -> float:
    """Return the expected step AP of a random order: the level that a system must beat.

    Exactly ``((R - 1) / (n - 1) * (n - H_n) + H_n) / n`` with the harmonic number ``H_n``; near ``R / n`` for long lists.

    Parameters
    ----------
    n : int
        Items in the list, at least 1.
    n_relevant : int
        R, between 1 and ``n``.

    Raises
    ------
    ValueError
        If a number lies outside its range.
    """
    n = checked_int(n, "n", low=1)
    n_relevant = checked_int(n_relevant, "n_relevant", low=1, high=n)
    harmonic = float((1 / np.arange(n, 0, -1)).sum())
    slope = (n_relevant - 1) / (n - 1) if n > 1 else 0.0
    return (slope * (n - harmonic) + harmonic) / n


def _check_ties(ties: str, convention: str) -> None:
    checked_choice(ties, "ties", TIES)
    if ties == "expected" and convention not in ("step", "trapezoid"):
        advice = "The highest precision of a random order has no closed form."
        raise ValueError(message("ties", f"'group' or 'stable' for the convention {convention!r}", "'expected'", advice))


def _over_queries(
    values: Any, scores: Any, relevant: Any, junk: Any, ties: str, n_relevant: Any, empty: str, name: str
) -> MeanAveragePrecision:
    """Check the lists, go through the queries block by block, and take the mean."""
    checked_choice(empty, "empty", EMPTY)
    scores, relevant, junk = checked_lists(scores, relevant, junk, ("Q", "N"))
    n_queries, n_items = scores.shape
    declared = _declared(n_relevant, n_queries)
    per_query, totals = np.zeros(n_queries), np.zeros(n_queries, np.int64)
    for rows in blocks(n_queries, n_items):
        here = None if junk is None else junk[rows]
        ranks = relevant_ranks(scores[rows], relevant[rows], here, "stable" if ties == "stable" else "group", rows.start)
        totals[rows] = ranks.found if declared is None else declared[rows]
        if (totals[rows] < ranks.found).any():
            row = int(np.flatnonzero(totals[rows] < ranks.found)[0])
            expected = f"at least the {ranks.found[row]} relevant items in the list of query {rows.start + row}"
            raise ValueError(message("n_relevant", expected, str(totals[rows][row])))
        per_query[rows] = values(ranks, totals[rows], rows.start)
    none = totals == 0
    if none.any() and empty == "raise":
        got = f"none for query {int(np.flatnonzero(none)[0])}"
        raise ValueError(message("relevant", "at least one relevant item for each query", got, "Or choose `empty`."))
    if empty == "nan":
        per_query[none] = np.nan
    counted = per_query[~none] if empty == "nan" else per_query
    mean = float(counted.mean()) if len(counted) else float("nan")
    return MeanAveragePrecision(mean, per_query, len(counted), int(none.sum()), name)


def _declared(n_relevant: Any, n_queries: int) -> np.ndarray | None:
    if n_relevant is None:
        return None
    if np.ndim(n_relevant) == 0:
        return np.full(n_queries, checked_int(n_relevant, "n_relevant", low=0))
    return checked_array(n_relevant, "n_relevant", (n_queries,), np.int64)


def _per_query(
    ranks: RelevantRanks, total: np.ndarray, cut: np.ndarray | None, convention: str, denominator: str, ties: str, first: int
) -> np.ndarray:
    """Return AP (Q,) from the groups; ``total`` is R and ``cut`` is k of every query."""
    if ties == "expected":
        return _expected(ranks, total, cut, convention, denominator)
    divisor = total
    hits, hits_before, precision = ranks.hits_through, ranks.hits_before, ranks.hits_through / ranks.through
    if cut is not None:
        kept = _inside(ranks, cut, ties, first) > 0
        found = _sum_by_query(ranks, kept * (hits - hits_before)).astype(np.int64)
        divisor = {"relevant": total, "min": np.minimum(total, cut), "found": found}[denominator]
        precision = np.where(kept, precision, 0.0)
    gained = hits - hits_before
    if convention == "trapezoid":
        at_start = np.where(ranks.before > 0, hits_before / np.maximum(ranks.before, 1), 1.0)
        precision = np.where(precision > 0, (at_start + precision) / 2, 0.0)
    elif convention != "step":
        precision = _envelope(ranks, precision)
    if convention in LEVELS:
        steps = LEVELS[convention]
        reach = np.maximum(divisor, 1)[ranks.query]
        # the levels u with hits_before * L < u * R <= hits * L; the first group reaches level 0, too
        gained = steps * hits // reach - np.where(hits_before > 0, steps * hits_before // reach, -1)
        divisor = np.where(divisor > 0, steps + 1, 0)
    return _divided(_sum_by_query(ranks, gained * precision), divisor)


def _inside(ranks: RelevantRanks, cut: np.ndarray, ties: str, first: int) -> np.ndarray:
    """Return how many places of each group lie within the first ``cut`` ranks (Q,) of its query."""
    limit = cut[ranks.query]
    straddling = (ranks.before < limit) & (limit < ranks.through)
    if ties == "group" and straddling.any():
        group = int(np.flatnonzero(straddling)[0])
        raise ValueError(
            message(
                "ties",
                "'expected' or 'stable' where equal scores lie on both sides of the cut-off",
                f"'group' (query {first + int(ranks.query[group])}: ranks {ranks.before[group] + 1} to {ranks.through[group]} "
                f"have one score, the cut-off is rank {limit[group]})",
                "'expected' takes the mean over the orders, 'stable' keeps the input order.",
            )
        )
    return np.clip(limit - ranks.before, 0, ranks.through - ranks.before)


def _envelope(ranks: RelevantRanks, precision: np.ndarray) -> np.ndarray:
    """Return the highest precision of the group or a later group of the same query."""
    if not len(precision):
        return precision
    groups = np.bincount(ranks.query, minlength=len(ranks.found))
    column = np.arange(len(precision)) - (np.cumsum(groups) - groups)[ranks.query]
    table = np.zeros((len(groups), int(groups.max())))
    table[ranks.query, column] = precision
    return np.maximum.accumulate(table[:, ::-1], axis=1)[:, ::-1][ranks.query, column]


def _expected(ranks: RelevantRanks, total: np.ndarray, cut: np.ndarray | None, convention: str, denominator: str) -> np.ndarray:
    """Return the mean of AP (Q,) over all orders inside the tie groups."""
    size, relevant = ranks.through - ranks.before, ranks.hits_through - ranks.hits_before
    inside = size if cut is None else _inside(ranks, cut, "expected", 0)
    harmonic = _harmonic_numbers(int(ranks.through.max(initial=0)))
    terms = _expected_terms(ranks.before, ranks.hits_before, size, relevant, inside, convention, harmonic)
    if cut is None or denominator == "relevant":
        return _divided(_sum_by_query(ranks, terms), total)
    if denominator == "min":
        return _divided(_sum_by_query(ranks, terms), np.minimum(total, cut))
    return _expected_over_found(ranks, size, relevant, inside, terms, convention, harmonic)


def _expected_terms(
    before: np.ndarray,
    hits_before: np.ndarray,
    size: np.ndarray,
    relevant: np.ndarray,
    inside: np.ndarray,
    convention: str,
    harmonic: np.ndarray,
) -> np.ndarray:
    """Return the expected sum of precision over the relevant items on the first ``inside`` places of each group.

    Place i of the group has rank ``before + i``; an item there is relevant with probability relevant / size, and then
    precision has the mean ``(hits_before + 1 + (i - 1) slope) / (before + i)`` with slope (relevant - 1) / (size - 1).
    """
    share = relevant / np.maximum(size, 1)
    slope = (relevant - 1) / np.maximum(size - 1, 1)
    after = slope * inside + (hits_before + 1 - slope * (before + 1)) * _inverse_ranks(harmonic, before, before + inside)
    if convention == "step":
        return share * after
    # right before place i: (hits_before + (i - 1) slope) / (before + i - 1), and 1 before the first rank of the list
    above = slope * inside + (hits_before - slope * before) * _inverse_ranks(
        harmonic, np.maximum(before - 1, 0), np.maximum(before + inside - 1, 0)
    )
    at_top = np.where(inside > 0, 1 + slope * (inside - 1), 0.0)
    return share * (after + np.where(before > 0, above, at_top)) / 2


def _expected_over_found(
    ranks: RelevantRanks,
    size: np.ndarray,
    relevant: np.ndarray,
    inside: np.ndarray,
    terms: np.ndarray,
    convention: str,
    harmonic: np.ndarray,
) -> np.ndarray:
    """Return the mean of (sum of precision) / (relevant items found) when a tie group may lie around the cut-off.

    The number x of relevant items that the group puts above the cut-off is hypergeometric. Given x, the first
    ``inside`` places are a tie group of their own with x relevant items; so the mean is a finite sum over x.
    """
    from scipy.special import gammaln

    def log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    whole = inside == size
    sums = _sum_by_query(ranks, np.where(whole, terms, 0.0))
    found = _sum_by_query(ranks, np.where(whole, relevant, 0))
    result = _divided(sums, found)
    cut = np.flatnonzero((inside > 0) & ~whole)  # at most one group of each query
    if not len(cut):
        return result
    low = np.maximum(relevant - (size - inside), 0)[cut]
    count = np.minimum(relevant, inside)[cut] - low + 1
    owner = np.repeat(np.arange(len(cut)), count)
    group = cut[owner]
    x = low[owner] + np.arange(len(owner)) - (np.cumsum(count) - count)[owner]
    log_weight = log_choose(inside[group], x) + log_choose((size - inside)[group], relevant[group] - x)
    weight = np.exp(log_weight - np.maximum.reduceat(log_weight, np.cumsum(count) - count)[owner])
    places = inside[group]
    given = _expected_terms(ranks.before[group], ranks.hits_before[group], places, x, places, convention, harmonic)
    value = _divided(sums[ranks.query[group]] + np.where(x > 0, given, 0.0), ranks.hits_before[group] + x)
    weight_sum = np.bincount(owner, weight, minlength=len(cut))
    result[ranks.query[cut]] = np.bincount(owner, weight * value, minlength=len(cut)) / weight_sum
    return result


def _harmonic_numbers(n: int) -> np.ndarray:
    """Return H_0 ... H_n as integers in units of 1 / HARMONIC_UNIT."""
    k = np.arange(1, n + 1, dtype=np.int64)
    return np.concatenate([[0], np.cumsum((HARMONIC_UNIT + k // 2) // k)])


def _inverse_ranks(harmonic: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return 1 / (start + 1) + ... + 1 / stop, from a difference of integers."""
    return (harmonic[stop] - harmonic[start]) / HARMONIC_UNIT


def _sum_by_query(ranks: RelevantRanks, values: np.ndarray) -> np.ndarray:
    return np.bincount(ranks.query, values, minlength=len(ranks.found))


def _divided(sums: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Divide; 0 where there is nothing to divide by."""
    return np.where(divisor > 0, sums / np.maximum(divisor, 1), 0.0)
