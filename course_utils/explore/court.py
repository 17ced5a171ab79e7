"""One ranked list before every convention of average precision: the pure part of the convention court.

A list is ``scores`` and ``kinds``; a kind is relevant, not relevant or junk. Five conventions read the whole list and
five more numbers read its beginning (``retrieval.average_precision``, ``mean_average_precision_at_r``, ``r_precision``).
Four lists are judged at once, as four rows of one call:

- the list as it is, equal scores grouped;
- the list before the last move (or the pinned one), so that every number can say what changed;
- the *worst* and the *best* order of equal scores: what a sort gives that breaks ties by luck. Moving a relevant item up
  never lowers a convention, so "all relevant items of a tie group last" is the worst order, and "first" the best.

A move begins when an item is taken up and ends when it is dropped; the change and the reader's prediction are about
that move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils import retrieval
from course_utils.explore.play import SAME

RELEVANT, OTHER, JUNK = KINDS = ("relevant", "not relevant", "junk")
CONVENTIONS = {
    "step": "step",
    "trapezoid": "trapezoid",
    "all-point": "all-point",
    "11-point": "11point",
    "101-point": "101point",
}
"""Name on the screen, and the package's name."""

CUT_OFFS = ("AP@k over R", "AP@k over min(R, k)", "AP@k over found", "R-precision", "MAP@R")
ROWS = (*CONVENTIONS, *CUT_OFFS)
NOW, BEFORE, WORST, BEST = range(4)
LETTERS = "ABCDEFGHIJKL"
NO_GUESS = "no prediction"


@dataclass(frozen=True)
class CourtState:
    """Everything that the reader can set.

    Attributes
    ----------
    scores : tuple of N floats in [0, 1]
    kinds : tuple of N strings
        Each one of ``KINDS``.
    k : int
        Cut-off of AP@k.
    missing : int
        Relevant items of the database that the list does not hold; R counts them.
    guess : str
        One of ``court_play.GUESSES``: what the reader says the next move will change.
    judged : bool
        The guess was about the last move; the next one needs a new guess.
    pinned : bool
        Changes are counted from the pinned list, not from the last move.
    shown : str
        The convention whose area is filled in the curve.
    before_scores, before_kinds : tuples of N
        The list that changes are counted from.
    moving : str
        Name of the item in the reader's hand, or "".
    task : int
        Number of the task, counted from 0.
    preset : str
        Where *Reset* leads and which tasks are set.
    """

    scores: tuple[float, ...]
    kinds: tuple[str, ...]
    k: int = 5
    missing: int = 0
    guess: str = NO_GUESS
    judged: bool = False
    pinned: bool = False
    shown: str = "step"
    before_scores: tuple[float, ...] = ()
    before_kinds: tuple[str, ...] = ()
    moving: str = ""
    task: int = 0
    preset: str = "top or bottom"


@dataclass(frozen=True, eq=False)
class CourtResult:
    """What follows from a state.

    Attributes
    ----------
    values : array (10, 4)
        Rows as in ``ROWS``; columns now, before, worst and best order of ties. NaN if no item is relevant.
    change : array (10,)
        Now minus before; NaN if one of them is undefined.
    order : tuple of int
        Items in ranked order, junk left out; equal scores in the order of their names.
    through : tuple of int
        For each place of ``order`` the last rank of its tie group, counted from 1.
    junk : tuple of int
        Items that are out of the list.
    n_relevant : int
        R, with the missing ones.
    recall, precision, envelope : arrays (T,)
        The curve, one point for each distinct score; empty if no item is relevant.
    hits : array (T,), int
    pairs : int
        Pairs of items whose order changed since before; making or parting a tie counts too.
    """

    values: np.ndarray
    change: np.ndarray
    order: tuple[int, ...]
    through: tuple[int, ...]
    junk: tuple[int, ...]
    n_relevant: int
    recall: np.ndarray
    precision: np.ndarray
    envelope: np.ndarray
    hits: np.ndarray
    pairs: int = 0

    def delta(self, name: str) -> float:
        """Change of a row since before; 0 where it is rounding or undefined."""
        change = self.change[ROWS.index(name)]
        return float(change) if abs(change) > SAME else 0.0

    def changed(self, name: str) -> bool:
        """Whether a row has another value than before; defined against undefined is another value."""
        now, before = self.values[ROWS.index(name), :2]
        return bool(np.isnan(now) != np.isnan(before)) or self.delta(name) != 0.0

    def band(self, name: str) -> float:
        """Best minus worst order of ties; 0 without ties that matter, and for AP@k over found, which rewards finding less."""
        if name == CUT_OFFS[2]:
            return 0.0
        worst, best = self.values[ROWS.index(name), 2:]
        return float(best - worst) if best - worst > SAME else 0.0


def ranked(scores: np.ndarray, kinds: tuple[str, ...]) -> tuple[int, ...]:
    """Return the items from the highest score down, without junk; equal scores in the order of their names."""
    order = np.argsort(-scores, kind="stable")
    return tuple(int(i) for i in order if kinds[i] != JUNK)


def luck(scores: np.ndarray, relevant: np.ndarray, best: bool) -> np.ndarray:
    """Return scores without ties that keep the order, with the relevant items of a tie group first (best) or last.

    >>> luck(np.array([0.5, 0.5, 0.9]), np.array([False, True, False]), best=True).tolist()
    [0.0, 1.0, 2.0]
    """
    order = np.lexsort((~relevant if best else relevant, -scores))
    distinct = np.empty(len(scores))
    distinct[order] = np.arange(len(scores))[::-1]
    return distinct


def compute_court(state: CourtState) -> CourtResult:
    """Return everything that the court shows for ``state``; deterministic, about 2 ms.

    Examples
    --------
    >>> state = CourtState((0.9, 0.8, 0.7), ("not relevant", "relevant", "relevant"))
    >>> compute_court(state).values[:2, 0].round(4).tolist()
    [0.5833, 0.4167]
    """
    scores, relevant, junk = _lists(state.scores, state.kinds)
    old_scores, old_relevant, old_junk = _lists(state.before_scores or state.scores, state.before_kinds or state.kinds)
    rows = (
        np.stack([scores, old_scores, luck(scores, relevant, False), luck(scores, relevant, True)]),  # (4, N)
        np.stack([relevant, old_relevant, relevant, relevant]),
        np.stack([junk, old_junk, junk, junk]),
    )
    declared = rows[1].sum(axis=1) + state.missing
    values = [
        retrieval.mean_average_precision(*rows, convention=name, n_relevant=declared).per_query for name in CONVENTIONS.values()
    ]
    for denominator in ("relevant", "min", "found"):
        at_k = retrieval.mean_average_precision(*rows, at=state.k, denominator=denominator, ties="expected", n_relevant=declared)
        values.append(at_k.per_query)
    values.append(retrieval.r_precision(*rows, ties="expected", n_relevant=declared).per_query)
    values.append(retrieval.mean_average_precision_at_r(*rows, ties="expected", n_relevant=declared).per_query)
    table = np.array(values)  # (10, 4)
    order = ranked(scores, state.kinds)
    return CourtResult(
        table,
        table[:, NOW] - table[:, BEFORE],
        order,
        tuple(int((scores[list(order)] >= scores[i]).sum()) for i in order),
        tuple(int(i) for i in np.flatnonzero(junk)),
        int(declared[NOW]),
        *_curve(scores, relevant, junk, int(declared[NOW])),
        pairs=_changed_pairs(scores, old_scores),
    )


def _lists(scores: tuple[float, ...], kinds: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kind = np.array(kinds)
    return np.asarray(scores, float), kind == RELEVANT, kind == JUNK


def _curve(scores: np.ndarray, relevant: np.ndarray, junk: np.ndarray, n_relevant: int) -> tuple[np.ndarray, ...]:
    if not n_relevant or junk.all():
        return np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, int)
    curve = retrieval.precision_recall_curve(scores, relevant, junk=junk, n_relevant=n_relevant)
    return curve.recall, curve.precision, curve.envelope, np.rint(curve.recall * n_relevant).astype(int)


def _changed_pairs(scores: np.ndarray, old: np.ndarray) -> int:
    sign, before = (np.sign(one[:, None] - one[None]) for one in (scores, old))
    return int((sign != before).sum()) // 2


def level_heights(result: CourtResult, steps: int) -> np.ndarray:
    """Return the precision that the 11-point (``steps=10``) or 101-point rule reads at every level, (steps + 1,)."""
    levels = np.arange(steps + 1)
    first = np.searchsorted(steps * result.hits, levels * result.n_relevant)  # the first point that reaches the level
    inside = first < len(result.envelope)
    return np.where(inside, result.envelope[np.minimum(first, len(result.envelope) - 1)], 0.0) if inside.any() else 0.0 * levels
