"""How the convention court is played: moves, predictions, and the tasks of every preset.

A move begins when an item is taken up and ends when it is dropped (or when a press gives it another kind). Then the
prediction is judged and the task is checked; both speak about the difference between the list and the list *before*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from course_utils.explore.canvas import Event
from course_utils.explore.court import (
    CONVENTIONS,
    CUT_OFFS,
    JUNK,
    KINDS,
    LETTERS,
    NO_GUESS,
    NOW,
    OTHER,
    RELEVANT,
    ROWS,
    CourtResult,
    CourtState,
    compute_court,
)
from course_utils.explore.play import SAME, Task, replaced, task_sentence

SNAP = 0.012  # an item dropped this near to another one's score takes that score
OVER_R, OVER_MIN, OVER_FOUND = CUT_OFFS[:3]
_INTERPOLATED = ("all-point", "11-point", "101-point")

GUESSES: dict[str, Callable[[CourtResult], bool]] = {
    NO_GUESS: lambda result: True,
    "nothing changes": lambda result: not any(map(result.changed, ROWS)),
    "all five change": lambda result: all(map(result.changed, CONVENTIONS)),
    "only step and trapezoid change": lambda result: (
        result.changed("step") and result.changed("trapezoid") and not any(map(result.changed, _INTERPOLATED))
    ),
    "step changes, 11-point stays": lambda result: result.changed("step") and not result.changed("11-point"),
    "step changes, AP@k stays": lambda result: result.changed("step") and not any(map(result.changed, CUT_OFFS[:3])),
}
"""What a reader can predict about a move, and whether it came true."""


def _only_moved(state: CourtState) -> bool:
    return state.kinds == (state.before_kinds or state.kinds)


def _flipped(state: CourtState, old: str, new: str) -> bool:
    return (old, new) in [pair for pair in zip(state.before_kinds, state.kinds) if pair[0] != pair[1]]


def _predicted(state: CourtState, result: CourtResult) -> bool:
    return state.judged and GUESSES[state.guess](result)


def _one_pair(state: CourtState, result: CourtResult) -> bool:
    return _only_moved(state) and result.pairs == 1


def _moved_kind(state: CourtState, kind: str) -> bool:
    moved = [i for i, pair in enumerate(zip(state.before_scores, state.scores)) if pair[0] != pair[1]]
    return bool(moved) and all(state.kinds[i] == kind for i in moved)


def _has_tie(result: CourtResult) -> bool:
    return any(last != rank for rank, last in enumerate(result.through, start=1))


TASKS: dict[str, tuple[Task, ...]] = {
    "top or bottom": (
        Task(
            "Choose a prediction, then drag one item past its neighbour.",
            "Your prediction came true.",
            _predicted,
        ),
        Task(
            "Find two neighbours whose exchange changes step by 0.1 or more.",
            "One exchange at the top is worth that much.",
            lambda state, result: _one_pair(state, result) and abs(result.delta("step")) >= 0.1,
        ),
        Task(
            "Find two neighbours whose exchange changes step by less than 0.02, but does change it.",
            "The same exchange near the bottom hardly counts.",
            lambda state, result: _one_pair(state, result) and 0 < abs(result.delta("step")) < 0.02,
        ),
        Task(
            "Find one move that changes step and leaves 11-point as it is.",
            "The 11-point rule looks at eleven places of the curve and does not see the rest.",
            lambda state, result: _only_moved(state) and GUESSES["step changes, 11-point stays"](result),
        ),
        Task(
            "Tick Pin, then move items until step says better and trapezoid says worse than the pinned list.",
            "Two rankings, two winners: trapezoid also reads the precision before an item, so a wrong item on top costs it more.",
            lambda state, result: state.pinned and _only_moved(state) and result.delta("step") * result.delta("trapezoid") < 0,
        ),
    ),
    "ties": (
        Task(
            "The bars with caps show what a sort can give that breaks ties by luck. Part the equal scores until no bar has caps.",
            "Without ties there is one order, and one value.",
            lambda state, result: not any(map(result.band, CONVENTIONS)) and not state.moving,
        ),
        Task(
            "Make a tie that costs nothing: two equal scores, and still no caps.",
            "A tie between two items of one kind, or below the last relevant item, changes no number.",
            lambda state, result: _has_tie(result) and not any(map(result.band, CONVENTIONS)),
        ),
        Task(
            "Make a tie whose luck is worth at least 0.2 of step.",
            "With that many points from luck, two papers with one system can report two numbers.",
            lambda state, result: result.band("step") >= 0.2,
        ),
    ),
    "junk": (
        Task(
            "Choose a prediction, then drag one of the crossed items to another place.",
            "Junk is taken out before the ranks are counted, so its score means nothing.",
            lambda state, result: _predicted(state, result) and _moved_kind(state, JUNK),
        ),
        Task(
            "Press a crossed item until it counts as not relevant and step falls.",
            "If junk counts as wrong, a system is punished for finding it.",
            lambda state, result: (
                state.moving == "" and result.delta("step") < 0 and state.kinds.count(JUNK) < state.before_kinds.count(JUNK)
            ),
        ),
        Task(
            "Turn an item from not relevant into junk without changing step.",
            "Below the last relevant item, junk and wrong items are the same.",
            lambda state, result: _flipped(state, OTHER, JUNK) and not result.changed("step"),
        ),
    ),
    "partial list": (
        Task(
            "The database has relevant items that this list does not hold. Choose k so that AP@k over R and over min(R, k) agree.",
            "From k = R on, the two denominators are the same number.",
            lambda state, result: (
                state.k >= result.n_relevant > 0
                and not state.moving
                and abs(_value(result, OVER_R) - _value(result, OVER_MIN)) < SAME
            ),
        ),
        Task(
            "Choose k below R, then find a move that loses a relevant item from the first k and still raises AP@k over found.",
            "Dividing by what was found rewards finding less.",
            lambda state, result: _only_moved(state) and result.delta(OVER_FOUND) > 0 > result.delta(OVER_R),
        ),
        Task(
            "Bring AP@k over found to 1 while AP@k over R stays below one half.",
            "A perfect score for a list that lacks most of what it should hold.",
            lambda state, result: _value(result, OVER_FOUND) > 1 - SAME and _value(result, OVER_R) < 0.5,
        ),
    ),
}


def _value(result: CourtResult, name: str) -> float:
    return float(result.values[ROWS.index(name), NOW])


def _start(preset: str, pattern: str, scores: tuple[float, ...], k: int, missing: int = 0, shown: str = "step") -> CourtState:
    kinds = tuple({"+": RELEVANT, "-": OTHER, "x": JUNK}[sign] for sign in pattern)
    return CourtState(scores, kinds, k, missing, shown=shown, before_scores=scores, before_kinds=kinds, preset=preset)


_EVEN = (0.95, 0.87, 0.78, 0.7, 0.61, 0.53, 0.44, 0.35, 0.25, 0.14)

PRESETS = {
    "top or bottom": _start("top or bottom", "+--+-++---", _EVEN, k=5),
    "ties": _start("ties", "+-+--+-+--", (0.95, 0.72, 0.72, 0.72, 0.72, 0.5, 0.41, 0.3, 0.2, 0.1), k=4, shown="trapezoid"),
    "junk": _start("junk", "x+x-+-x+--", _EVEN, k=5),
    "partial list": _start("partial list", "+--+-+---+", _EVEN, k=4, missing=3, shown="all-point"),
}


# ---- what the reader does ---------------------------------------------------------------------------------------


def task_of(state: CourtState) -> Task | None:
    """Return the task that is set now, or None after the last."""
    tasks = TASKS[state.preset]
    return tasks[state.task] if state.task < len(tasks) else None


def settle(state: CourtState) -> CourtState:
    """Return the state as the next action finds it: a solved task gives way to the next, a used prediction is put away."""
    task = task_of(state)
    solved = task is not None and not state.moving and task.solved(state, compute_court(state))
    return replace(state, task=state.task + solved, guess=NO_GUESS if state.judged else state.guess, judged=False)


def counted_from_here(state: CourtState) -> CourtState:
    """Return the state in which changes are counted from the list as it is."""
    return replace(state, before_scores=state.scores, before_kinds=state.kinds)


def _ready(state: CourtState) -> CourtState:
    settled = settle(state)
    return settled if state.pinned else counted_from_here(settled)


def react_axis(state: CourtState, event: Event) -> CourtState:
    """Return the state after an item was moved, dropped or pressed; the axis runs from score 1 at x = 0 to score 0."""
    if event.name not in tuple(LETTERS[: len(state.scores)]):
        return state
    item = LETTERS.index(event.name)
    if event.kind == "move":
        if state.moving != event.name:
            state = replace(_ready(state), moving=event.name)
        return replace(state, scores=replaced(state.scores, item, float(np.clip(1.0 - event.x, 0.0, 1.0))))
    if event.kind == "release" and state.moving == event.name:
        scores = replaced(state.scores, item, _snapped(state.scores, item))
        return replace(state, scores=scores, moving="", judged=state.guess != NO_GUESS)
    if event.kind == "press":
        again = _only_pressed(state, item)
        state = replace(settle(state) if again else _ready(state), moving="")
        kind = KINDS[(KINDS.index(state.kinds[item]) + 1) % len(KINDS)]
        return replace(state, kinds=replaced(state.kinds, item, kind), judged=state.guess != NO_GUESS)
    return state


def _only_pressed(state: CourtState, item: int) -> bool:
    """Whether the last thing that happened was a press of this item: then changes still count from before it."""
    pairs = enumerate(zip(state.before_kinds, state.kinds))
    return state.before_scores == state.scores and [i for i, pair in pairs if pair[0] != pair[1]] == [item]


def react_table(state: CourtState, event: Event) -> CourtState:
    """Return the state after a convention was pressed in the table: its area is shown in the curve."""
    return replace(state, shown=event.name) if event.kind == "press" and event.name in CONVENTIONS else state


def with_guess(state: CourtState, guess: str) -> CourtState:
    """Return the state after a prediction was chosen: it is about the next move."""
    return replace(_ready(state), guess=guess)


def with_cut_off(state: CourtState, k: int) -> CourtState:
    """Return the state after the cut-off was moved; the change counts the move of an item only."""
    return replace(settle(state), k=k)


def with_pin(state: CourtState, pinned: bool) -> CourtState:
    """Return the state after the list was pinned, or let go: changes are counted from here."""
    return replace(counted_from_here(settle(state)), pinned=pinned)


def _snapped(scores: tuple[float, ...], item: int) -> float:
    """Return the score of the nearest other item if it is within ``SNAP``, else the own one to three digits."""
    own = scores[item]
    others = [score for i, score in enumerate(scores) if i != item]
    nearest = min(others, key=lambda score: abs(score - own), default=own + 1)
    return nearest if abs(nearest - own) <= SNAP else round(own, 3)


def verdict(state: CourtState, result: CourtResult) -> str:
    """Return what came of the prediction, or ""."""
    if state.guess == NO_GUESS:
        return ""
    if not state.judged:
        return f"You predict: {state.guess}. Now move one item."
    if GUESSES[state.guess](result):
        return f"Right: {state.guess}."
    changed = [name.replace("@k", f"@{state.k}") for name in ROWS if result.changed(name)]
    what = (
        "nothing changed" if not changed else "all ten changed" if len(changed) == len(ROWS) else f"changed: {', '.join(changed)}"
    )
    return f"Not this time: you predicted {state.guess!r}, but {what}."


def goal_of(state: CourtState, result: CourtResult) -> str:
    """Return the verdict on the prediction, and the task or what solving it shows."""
    ending = task_sentence(TASKS[state.preset], state.task, state, result, moving=bool(state.moving))
    return f"{verdict(state, result)} {ending}".strip()
