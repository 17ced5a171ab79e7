"""One ranked list under the easy, medium and hard protocol: the pure part of the protocol switch, and how it is played.

A list is ``labels``, one for each chip, and ``order``, the chips from first to last. Every protocol reads the same list:
some chips are positives, some leave the list, the rest are negatives (``retrieval.revisited_protocol``). All three are
judged at once, for the list as it is and for the list before the last move.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from course_utils import retrieval
from course_utils.explore.canvas import Event
from course_utils.explore.play import SAME, Task, replaced, task_sentence
from course_utils.retrieval.revisited import PROTOCOLS

EASY, HARD, JUNK, NEGATIVE = KINDS = ("easy", "hard", "junk", "negative")
NAMES = "ABCDEFGHIJKLMN"
CUTS = (1, 5, 10)
MEASURES = ("AP", *(f"P@{k}" for k in CUTS))
NOW, BEFORE = 0, 1


@dataclass(frozen=True)
class ProtocolState:
    """Everything that the reader can set.

    Attributes
    ----------
    labels : tuple of N strings
        Each one of ``KINDS``; chip i is called ``NAMES[i]``.
    order : tuple of N int
        The chips, first to last.
    protocol : str
        One of ``retrieval.revisited.PROTOCOLS``: how the list is read in the picture.
    before_labels, before_order : tuples of N
        The list that changes are counted from.
    pinned : bool
        Changes are counted from the pinned list, not from the last move.
    moving : str
        Name of the chip in the reader's hand, or "".
    task : int
        Number of the task, counted from 0.
    preset : str
        Where *Reset* leads and which tasks are set.
    """

    labels: tuple[str, ...]
    order: tuple[int, ...]
    protocol: str = "medium"
    before_labels: tuple[str, ...] = ()
    before_order: tuple[int, ...] = ()
    pinned: bool = False
    moving: str = ""
    task: int = 0
    preset: str = "ignored"


@dataclass(frozen=True, eq=False)
class ProtocolResult:
    """What follows from a state.

    Attributes
    ----------
    values : dict from protocol to array (4, 2)
        Rows as in ``MEASURES``, columns now and before; NaN without a positive.
    kept : tuple of int
        Chips that stay in the list under the protocol shown, first to last.
    positive : tuple of bool
        Which of them are positives.
    ranks : array (R,), int
        Zero-based ranks of the positives in the list that is left.
    """

    values: dict[str, np.ndarray]
    kept: tuple[int, ...]
    positive: tuple[bool, ...]
    ranks: np.ndarray

    def value(self, protocol: str, measure: str = "AP") -> float:
        """Value of a measure now."""
        return float(self.values[protocol][MEASURES.index(measure), NOW])

    def change(self, protocol: str, measure: str = "AP") -> float:
        """Change of a measure; 0 where it is rounding or undefined."""
        change = float(np.subtract(*self.values[protocol][MEASURES.index(measure)]))
        return change if abs(change) > SAME else 0.0

    def changed(self, protocol: str, measure: str = "AP") -> bool:
        """Whether a measure has another value than before; defined against undefined is another value."""
        now, before = self.values[protocol][MEASURES.index(measure)]
        return bool(np.isnan(now) != np.isnan(before)) or self.change(protocol, measure) != 0.0

    def silent(self, protocol: str) -> bool:
        """Whether no measure of a protocol changed."""
        return not any(self.changed(protocol, measure) for measure in MEASURES)


def compute_protocol(state: ProtocolState) -> ProtocolResult:
    """Return everything that the switch shows for ``state``; deterministic, about 2 ms.

    Examples
    --------
    >>> result = compute_protocol(ProtocolState(("junk", "hard", "negative", "easy"), (0, 1, 2, 3)))
    >>> [round(result.value(protocol), 4) for protocol in ("easy", "medium", "hard")]
    [0.25, 0.7917, 1.0]
    """
    lists = [(state.labels, state.order), (state.before_labels or state.labels, state.before_order or state.order)]
    values = {protocol: np.empty((len(MEASURES), 2)) for protocol in PROTOCOLS}
    ranks = np.zeros(0, int)
    for column, (labels, order) in enumerate(lists):
        truth = _truth(labels)
        for protocol in PROTOCOLS:
            judged = retrieval.revisited_protocol([order], truth, protocol, at=CUTS)
            values[protocol][:, column] = [judged.per_query[0], *(judged.precision_per_query[k][0] for k in CUTS)]
            if column == NOW and protocol == state.protocol:
                ranks = judged.ranks[0]
    right, ignored = PROTOCOLS[state.protocol]
    kept = tuple(chip for chip in state.order if state.labels[chip] not in ignored)
    return ProtocolResult(values, kept, tuple(state.labels[chip] in right for chip in kept), ranks)


def _truth(labels: tuple[str, ...]) -> retrieval.RevisitedGroundTruth:
    """One query without a box, and one database image for each chip."""
    rows = [[np.flatnonzero(np.array(labels) == kind)] for kind in (EASY, HARD, JUNK)]
    return retrieval.RevisitedGroundTruth(tuple(NAMES[: len(labels)]), ("query",), *map(tuple, rows), np.full((1, 4), np.nan))


def trapezoids(ranks: np.ndarray, n_positives: int) -> list[tuple[float, float, float, float]]:
    """Return ``(recall from, recall to, precision from, precision to)`` of the piece that every positive adds.

    The area below all pieces is AP.

    >>> trapezoids(np.array([0, 2]), 2)
    [(0.0, 0.5, 1.0, 1.0), (0.5, 1.0, 0.5, 0.6666666666666666)]
    """
    return [
        (i / n_positives, (i + 1) / n_positives, i / rank if rank else 1.0, (i + 1) / (rank + 1))
        for i, rank in enumerate(np.asarray(ranks).tolist())
    ]


# ---- tasks ------------------------------------------------------------------------------------------------------


def _only_moved(state: ProtocolState) -> bool:
    return state.labels == state.before_labels and state.order != state.before_order


def moved_chip(state: ProtocolState) -> int | None:
    """Return the one chip that was taken out of the order before and put in elsewhere, or None; the longest way counts."""
    if not _only_moved(state):
        return None
    for chip in sorted(state.order, key=lambda one: -abs(state.order.index(one) - state.before_order.index(one))):
        rest = [one for one in state.order if one != chip]
        if rest == [one for one in state.before_order if one != chip]:
            return chip
    return None


def _moved_kind(state: ProtocolState, kind: str) -> bool:
    chip = moved_chip(state)
    return chip is not None and state.labels[chip] == kind


def _turned(state: ProtocolState, old: str, new: str) -> bool:
    return any(pair == (old, new) for pair in zip(state.before_labels, state.labels))


TASKS: dict[str, tuple[Task, ...]] = {
    "ignored": (
        Task(
            "Switch to easy. Then drag a hard chip (triangle) past other chips. Which column changes?",
            "Under easy, hard images leave the list. They are never errors, so their place means nothing there.",
            lambda state, result: state.protocol == "easy" and _moved_kind(state, HARD) and result.silent("easy"),
        ),
        Task(
            "Find a move that changes easy and leaves hard as it is.",
            "The same list answers three questions, and each protocol hears one.",
            lambda state, result: moved_chip(state) is not None and result.changed("easy") and result.silent("hard"),
        ),
        Task(
            "Find a move of a junk chip (cross) that changes a number.",
            "There is none: junk leaves the list under all three protocols, wherever it stands.",
            lambda state, result: _moved_kind(state, JUNK) and all(map(result.silent, PROTOCOLS)),
        ),
        Task(
            "Press a negative chip above a positive until it is junk. What does AP do?",
            "What stands below moves up one rank. A label of the ground truth is worth as much as a better ranking.",
            lambda state, result: _turned(state, NEGATIVE, JUNK) and result.change(state.protocol) > 0,
        ),
        Task(
            "Bring AP to 1 under hard and below 0.4 under easy.",
            "Hard images first, easy ones last: each protocol ignores the other's positives.",
            lambda state, result: result.value("hard") > 1 - SAME and result.value("easy") < 0.4,
        ),
    ),
    "few positives": (
        Task(
            "Bring P@10 to 1 under hard, which has three positives only.",
            "Precision is read at the last positive if that comes before k: three positives in front are enough.",
            lambda state, result: result.value("hard", "P@10") > 1 - SAME and state.labels.count(HARD) <= 3,
        ),
        Task(
            "Find a move that changes AP under hard and leaves its P@1, P@5 and P@10 as they are.",
            "AP reads every rank, P@k only the number of positives before the cut.",
            lambda state, result: (
                moved_chip(state) is not None
                and result.changed("hard")
                and not any(result.changed("hard", measure) for measure in MEASURES[1:])
            ),
        ),
    ),
    "no easy positive": (
        Task(
            "Switch to easy: this query has no easy positive. Press a chip until it has one.",
            "Without a positive there is nothing to average, so the query is left out of the mean: two queries of ROxford are.",
            lambda state, result: state.protocol == "easy" and state.labels.count(EASY) > 0,
        ),
    ),
}


def _start(preset: str, pattern: str, protocol: str = "medium") -> ProtocolState:
    labels = tuple({"e": EASY, "h": HARD, "j": JUNK, "-": NEGATIVE}[sign] for sign in pattern)
    order = tuple(range(len(labels)))
    return ProtocolState(labels, order, protocol, labels, order, preset=preset)


PRESETS = {
    "ignored": _start("ignored", "ehj-eh-je-h---"),
    "few positives": _start("few positives", "-eh-j-eh-e-h--", "hard"),
    "no easy positive": _start("no easy positive", "h-jh--h-j-h---"),
}


# ---- what the reader does ---------------------------------------------------------------------------------------


def counted_from_here(state: ProtocolState) -> ProtocolState:
    """Return the state in which changes are counted from the list as it is."""
    return replace(state, before_labels=state.labels, before_order=state.order)


def ready(state: ProtocolState) -> ProtocolState:
    """Return the state as the next move finds it: a solved task gives way, and changes count from here."""
    tasks = TASKS[state.preset]
    solved = state.task < len(tasks) and not state.moving and tasks[state.task].solved(state, compute_protocol(state))
    state = replace(state, task=state.task + solved)
    return state if state.pinned else counted_from_here(state)


def react_list(state: ProtocolState, event: Event) -> ProtocolState:
    """Return the state after a chip was moved to another rank, dropped, or pressed to change its label."""
    if not event.name or event.name not in tuple(NAMES[: len(state.labels)]):
        return state
    chip = NAMES.index(event.name)
    if event.kind == "move":
        if state.moving != event.name:
            state = replace(ready(state), moving=event.name)
        place = int(np.clip(round(event.x), 1, len(state.order))) - 1
        rest = [one for one in state.order if one != chip]
        return replace(state, order=(*rest[:place], chip, *rest[place:]))
    if event.kind == "release" and state.moving == event.name:
        return replace(state, moving="")
    if event.kind == "press":
        again = state.order == state.before_order and [
            i for i, pair in enumerate(zip(state.before_labels, state.labels)) if pair[0] != pair[1]
        ] == [chip]
        state = state if again else ready(state)  # presses of one chip in a row are one move
        label = KINDS[(KINDS.index(state.labels[chip]) + 1) % len(KINDS)]
        return replace(state, labels=replaced(state.labels, chip, label), moving="")
    return state


def react_table(state: ProtocolState, event: Event) -> ProtocolState:
    """Return the state after a protocol was pressed in the table."""
    return with_protocol(state, event.name) if event.kind == "press" and event.name in PROTOCOLS else state


def with_protocol(state: ProtocolState, protocol: str) -> ProtocolState:
    """Return the state read by another protocol; the list and what changed in it stay."""
    return replace(state, protocol=protocol)


def with_pin(state: ProtocolState, pinned: bool) -> ProtocolState:
    """Return the state after the list was pinned, or let go: changes are counted from here."""
    return replace(counted_from_here(ready(state)), pinned=pinned)


def goal_of(state: ProtocolState, result: ProtocolResult) -> str:
    """Return the task, or what solving it shows."""
    return task_sentence(TASKS[state.preset], state.task, state, result, moving=bool(state.moving))
