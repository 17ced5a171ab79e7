"""Where do the relevant items stand? The one question behind every precision-recall number.

A ranked list enters precision, recall and average precision through few integers only: for every relevant item, how
many items score higher, and how many score at least as high. This module finds these integers for many queries at
once, and nothing else; the conventions of ``average_precision`` are arithmetic on them.

Idea
    Sorting *values* is several times faster than sorting *indices*: no label travels with its score. So each row of
    scores is sorted by itself, and each relevant item looks its own score up in the sorted row by bisection. Where few
    items are relevant, as in retrieval, the look-up costs little. Scores keep their own precision: float32 is compared
    as float32, float64 as float64, so no two different scores become equal on the way.
Ties
    Items with equal scores form a *tie group*. ``before`` counts the items above the group, ``through`` the items above
    it or in it. With ``ties="stable"`` the group is opened in input order: every item is then a group of its own.
Junk
    Junk items are not in the list. Here they get the score minus infinity and are subtracted from every count that
    would include them.

Counts are int64, so they are exact far beyond the 2**24 items at which a float32 sum stops counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, message

BLOCK_ITEMS = 2**18  # scores that are worked on at once: a block and its sorted copy stay in the processor's cache
EXACT_INTEGERS = 2**53  # beyond it float64 rounds integers, and different scores would become equal


@dataclass(frozen=True)
class RelevantRanks:
    """The tie groups that hold a relevant item, best first, the queries one after the other.

    Attributes
    ----------
    query : ndarray of shape (G,), int64
        The row of each group; it never falls.
    before, through : ndarray of shape (G,), int64
        Items with a higher score, and items with the same or a higher score: the group fills the ranks
        ``before + 1`` to ``through``.
    hits_before, hits_through : ndarray of shape (G,), int64
        The same two counts among the relevant items.
    found : ndarray of shape (Q,), int64
        Relevant items in each list.
    items : ndarray of shape (Q,), int64
        Items in each list, junk left out.
    """

    query: np.ndarray
    before: np.ndarray
    through: np.ndarray
    hits_before: np.ndarray
    hits_through: np.ndarray
    found: np.ndarray
    items: np.ndarray


def checked_lists(scores: Any, relevant: Any, junk: Any, shape: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return scores (float32 or float64), relevant (bool) and junk (bool or None), all of one shape.

    Raises
    ------
    ValueError
        If the shapes differ, a label is not 0 or 1, an item is junk and relevant at once, or an integer score is too
        large for float64.
    TypeError
        If the scores or labels are not numbers.
    """
    scores = _checked_scores(scores, shape)
    relevant = _checked_flags(relevant, "relevant", scores.shape, 'Say what counts as relevant first, e.g. "grades >= 1".')
    if junk is not None:
        junk = _checked_flags(junk, "junk", scores.shape, "")
        both = junk & relevant
        if both.any():
            place = _place(np.argwhere(both)[0])
            raise ValueError(message("junk", "disjoint from `relevant`", f"{both.sum()} items that are both, first {place}"))
    return scores, relevant, junk


def _place(index: np.ndarray) -> str:
    return f"item {index[-1]}" + (f" of query {index[0]}" if len(index) == 2 else "")


def _as_numpy(value: Any) -> Any:
    """Detach a tensor; bfloat16, which NumPy does not know, becomes float32 without loss."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = (value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy()
    return value


def _checked_scores(scores: Any, shape: tuple[str, ...]) -> np.ndarray:
    scores = _as_numpy(scores)
    kind = getattr(scores, "dtype", np.dtype(np.float64))
    wide = kind.kind in "iu" and kind.itemsize == 8 and kind != np.float64
    small = kind.kind == "b" or (kind.kind == "f" and kind.itemsize <= 4)
    if kind.kind == "f" and kind.itemsize > 8:
        raise TypeError(message("scores", "float64 or smaller", f"dtype {kind}", "Round them yourself if you want to."))
    array = checked_array(scores, "scores", shape, np.float32 if small else np.float64, finite=False)
    if wide and array.size and np.abs(array).max() >= EXACT_INTEGERS:
        raise ValueError(message("scores", "integers below 2**53 in size", "larger ones, which float64 would round"))
    return array


def _checked_flags(flags: Any, name: str, shape: tuple[int, ...], advice: str) -> np.ndarray:
    flags = _as_numpy(flags)
    array = checked_array(flags, name, ("Q", "N")[-len(shape) :], getattr(flags, "dtype", np.float64), finite=False)
    if array.shape != shape:
        raise ValueError(message(name, f"of the shape of `scores`, {shape}", f"shape {array.shape}"))
    if array.dtype.kind == "b":
        return array
    flagged = array != 0
    wrong = flagged & (array != 1)
    if wrong.any():
        value = array[wrong][0]
        raise ValueError(message(name, "boolean, or 0 and 1 only", f"the value {value}", advice))
    return flagged


def blocks(n_queries: int, n_items: int) -> Iterator[slice]:
    """Yield slices of queries whose scores fit into the processor's cache together."""
    rows = max(1, BLOCK_ITEMS // max(n_items, 1))
    for start in range(0, n_queries, rows):
        yield slice(start, min(start + rows, n_queries))


def relevant_ranks(scores: np.ndarray, relevant: np.ndarray, junk: np.ndarray | None, ties: str, first: int = 0) -> RelevantRanks:
    """Find the groups of relevant items of every row.

    Parameters
    ----------
    scores : ndarray of shape (Q, N), float32 or float64
        Higher is better. Infinities are scores like others.
    relevant, junk : ndarray of shape (Q, N), bool
        From ``checked_lists``.
    ties : {"group", "stable"}
    first : int, default 0
        Number of the first row, for messages.

    Raises
    ------
    ValueError
        If a score that is not junk is NaN.
    """
    n_queries, n_items = scores.shape
    found = relevant.sum(1, dtype=np.int64)
    items = np.full(n_queries, n_items) if junk is None else n_items - junk.sum(1, dtype=np.int64)
    values = scores if junk is None else np.where(junk, scores.dtype.type(-np.inf), scores)
    ascending = np.sort(values, axis=1)
    if n_items and np.isnan(ascending[:, -1]).any():  # NaN sorts to the end
        row = int(np.flatnonzero(np.isnan(ascending[:, -1]))[0])
        item = int(np.flatnonzero(np.isnan(values[row]))[0])
        raise ValueError(
            message("scores", "numbers", f"NaN (item {item} of query {first + row})", "Mark it as junk, or repair it.")
        )
    flat = np.flatnonzero(relevant)
    query = flat // max(n_items, 1)
    wanted = values.ravel()[flat]
    below = _count_below(ascending, query, wanted)
    through = np.minimum(n_items - below, items[query])  # a relevant item at minus infinity must not count the junk there
    before = n_items - _count_through(ascending, query, wanted, below)
    if ties == "stable":
        before = before + _earlier_equals(values, junk, flat, through - before)
        through = before + 1
    return _grouped(query, before, through, n_items, found, items)


def _count_below(ascending: np.ndarray, query: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return how many entries of the sorted row ``query`` are smaller than ``wanted``, by bisection for all at once.

    Every step halves what is left of all rows alike, so no position needs a check of its bounds.
    """
    left, flat = ascending.shape[1], ascending.ravel()
    if not len(wanted):
        return np.zeros(0, np.int64)
    start = query * left
    place, probe = start.copy(), np.empty_like(start)
    value, smaller = np.empty_like(wanted), np.empty(len(wanted), bool)
    while left > 0:
        half = (left + 1) // 2
        np.add(place, half - 1, out=probe)
        np.take(flat, probe, out=value, mode="clip")
        np.less(value, wanted, out=smaller)
        np.multiply(smaller, half, out=probe)
        place += probe
        left -= half
    return place - start


def _count_through(ascending: np.ndarray, query: np.ndarray, wanted: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return how many entries of the sorted row are at most ``wanted``; only tied entries need a second bisection."""
    n_items = ascending.shape[1]
    through = below + 1
    tied = np.flatnonzero(through < n_items)
    tied = tied[ascending[query[tied], through[tied]] == wanted[tied]]
    if len(tied):
        through[tied] = n_items - _count_below(-ascending[:, ::-1], query[tied], -wanted[tied])
    return through


def _earlier_equals(values: np.ndarray, junk: np.ndarray | None, flat: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return, for each relevant item, how many items of its tie group come earlier in the input."""
    earlier = np.zeros(len(flat), np.int64)
    n_items = values.shape[1]
    tied = np.flatnonzero(size > 1)
    if not len(tied):
        return earlier
    rows, row = np.unique(flat[tied] // n_items, return_inverse=True)  # only rows with a tie are sorted once more
    item = flat[tied] % n_items
    order = np.argsort(values[rows], axis=1, kind="stable")
    ordered = np.take_along_axis(values[rows], order, axis=1)
    position = np.arange(n_items)
    starts = np.where(ordered[:, 1:] != ordered[:, :-1], position[1:], 0)
    start = np.maximum.accumulate(np.pad(starts, ((0, 0), (1, 0))), axis=1)
    offset = np.empty_like(order)
    np.put_along_axis(offset, order, position - start, axis=1)
    earlier[tied] = offset[row, item]
    if junk is not None:  # every junk item stands at minus infinity: a relevant item there has them in its group
        junk_before = (np.cumsum(junk[rows], axis=1) - junk[rows])[row, item]
        earlier[tied] -= np.where(np.isneginf(values.ravel()[flat[tied]]), junk_before, 0)
    return earlier


def _grouped(
    query: np.ndarray, before: np.ndarray, through: np.ndarray, n_items: int, found: np.ndarray, items: np.ndarray
) -> RelevantRanks:
    """Sort the relevant items by rank within their query, and merge those of one tie group."""
    order = np.argsort(query * (n_items + 1) + before)
    query, before, through = query[order], before[order], through[order]
    hits = np.arange(1, len(query) + 1) - (np.cumsum(found) - found)[query]  # 1, 2, ... within each query
    last = np.ones(len(query), bool)
    last[:-1] = (query[1:] != query[:-1]) | (before[1:] != before[:-1])
    head = np.ones(len(query), bool)
    head[1:] = last[:-1]
    return RelevantRanks(query[last], before[last], through[last], hits[head] - 1, hits[last], found, items)
