"""How the threshold theatre is played: moves, maps, and the tasks.

A move begins when a point or the threshold is taken up and ends when it is dropped; a button or the slider is a move of
its own. Numbers and tasks speak about the difference between the state and the state *before* the move.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from course_utils.explore.canvas import Event
from course_utils.explore.play import Task, replaced, task_sentence
from course_utils.explore.theatre import RIGHT, WRONG, Cast, TheatreResult, TheatreState, compute_theatre, moment_of, random_maps

THRESHOLD = "threshold"
"""Name of the mark; the marks of the queries are their numbers as text."""


def moved_queries(state: TheatreState) -> list[int]:
    """Return the queries whose confidence differs from before; none if another system came on the stage."""
    if state.preset != state.before.preset:
        return []
    return [query for query, pair in enumerate(zip(state.before.confidences, state.confidences)) if pair[0] != pair[1]]


def _mistake_demoted(state: TheatreState, result: TheatreResult) -> bool:
    moved = moved_queries(state)
    return (
        len(moved) == 1
        and result.kinds[moved[0]] != RIGHT
        and not result.right_below(moved[0])
        and result.change("GAP") > 0
        and not state.moving
    )


def _threshold_raised(state: TheatreState, result: TheatreResult) -> bool:
    return not moved_queries(state) and state.threshold > state.before.threshold and result.change("precision") >= 0.1


def _right_ones_first(state: TheatreState, result: TheatreResult) -> bool:
    """No wrong answer stands above a right one, and there are wrong ones."""
    hits = sum(result.correct)
    return 0 < hits < len(result.correct) and all(result.correct[:hits])


_MORE_OTHERS = Task(
    "Put more pictures without a landmark into the test set, until GAP has lost 0.01.",
    "Recall, accuracy and mAP@100 ask about landmarks only. GAP and precision see what is said about everything else.",
    lambda state, result: (
        state.n_others > state.before.n_others and state.preset == state.before.preset and result.change("GAP") <= -0.01
    ),
)
_COMPARE = Task(
    "Press another system in the table at the lower right. Which numbers differ, and which belong to the answers alone?",
    "Accuracy and mAP@100 belong to answers and lists. GAP belongs to the confidences too: it rewards comparable ones.",
    lambda state, result: state.preset != state.before.preset,
)
TASKS = (
    Task(
        "Find the mistake with the longest bar in the ranked list, and drag it below every right answer.",
        "Every right answer below that mistake had paid for it. Top-1 accuracy and mAP@100 notice nothing.",
        _mistake_demoted,
    ),
    Task(
        "Drag the threshold to the left until precision has risen by 0.1. Watch GAP and recall.",
        "Abstaining cuts the end of the list: it costs recall, and GAP cannot rise. Only another order can raise GAP.",
        _threshold_raised,
    ),
    Task(
        "Predict GAP and mAP@100. Then press 'Map per query': every query stretches its own scores.",
        "Inside each list the order is the same, so mAP@100 stays. Between the queries the order is lost, and GAP with it.",
        lambda state, result: state.draws > state.before.draws and result.change("GAP") < 0,
    ),
    Task(
        "Press 'Recalibrate': every score is measured against the query's own list.",
        "Comparable scores bring GAP back, with the same answers and the same lists.",
        lambda state, result: len(moved_queries(state)) > 1 and state.draws == state.before.draws and result.change("GAP") > 0,
    ),
    _COMPARE,
    _MORE_OTHERS,
    Task(
        "Bring every right answer above every wrong one, and leave some wrong ones in the list.",
        "Now GAP equals recall, the highest value for these answers. No mistake had to be silenced.",
        _right_ones_first,
    ),
)


def start_others(cast: Cast) -> int:
    """Return how many pictures without a landmark are in the test set at the start: half of them, at least one."""
    return max(cast.n_others // 2, min(cast.n_others, 1))


def tasks_of(cast: Cast) -> tuple[Task, ...]:
    """Return the tasks that a cast allows: some need several systems, or more pictures without a landmark."""
    out = [_COMPARE] * (len(cast.systems) < 2) + [_MORE_OTHERS] * (cast.n_others <= start_others(cast))
    return tuple(task for task in TASKS if task not in out)


def start_of(cast: Cast, system: str, threshold: float = 0.1, n_others: int | None = None) -> TheatreState:
    """Return the state in which a system comes on the stage; the costliest mistake is chosen."""
    n_others = start_others(cast) if n_others is None else min(n_others, cast.n_others)
    state = TheatreState(cast.systems[system].confidences, threshold, n_others, preset=system)
    state = counted_from_here(state)
    result = compute_theatre(state, cast)
    return replace(state, chosen=result.order[int(np.argmax(result.gain))] if result.order else 0)


# ---- what the reader does ---------------------------------------------------------------------------------------


def counted_from_here(state: TheatreState) -> TheatreState:
    """Return the state in which changes are counted from things as they are."""
    return replace(state, before=moment_of(state))


def ready(state: TheatreState, cast: Cast) -> TheatreState:
    """Return the state as the next move finds it: a solved task gives way, and changes count from here."""
    tasks = tasks_of(cast)
    solved = state.task < len(tasks) and not state.moving and tasks[state.task].solved(state, compute_theatre(state, cast))
    state = replace(state, task=state.task + solved)
    return state if state.pinned else counted_from_here(state)


def react_swarm(state: TheatreState, event: Event, cast: Cast) -> TheatreState:
    """Return the state after a point or the threshold was moved, dropped or pressed; x is one minus the confidence."""
    if event.name != THRESHOLD and _query_of(event.name, cast) is None:
        return state
    if event.kind == "release" and state.moving == event.name:
        return replace(state, moving="")
    if event.kind == "press" and event.name != THRESHOLD:
        return replace(state, chosen=int(event.name), moving="")
    if event.kind != "move":
        return state
    if state.moving != event.name:
        state = replace(ready(state, cast), moving=event.name)
    value = round(float(np.clip(1.0 - event.x, 0.0, 1.0)), 3)
    if event.name == THRESHOLD:
        return replace(state, threshold=value)
    query = int(event.name)
    return replace(state, confidences=replaced(state.confidences, query, value), chosen=query)


def react_strip(state: TheatreState, event: Event, cast: Cast) -> TheatreState:
    """Return the state after an answer was pressed in the ranked list."""
    known = event.kind == "press" and _query_of(event.name, cast) is not None
    return replace(state, chosen=int(event.name)) if known else state


def _query_of(name: str, cast: Cast) -> int | None:
    return int(name) if name.isdigit() and int(name) < len(cast.truth) else None


def with_others(state: TheatreState, n_others: int, cast: Cast) -> TheatreState:
    """Return the state with another number of pictures without a landmark."""
    return replace(ready(state, cast), n_others=n_others, moving="")


def with_pin(state: TheatreState, pinned: bool, cast: Cast) -> TheatreState:
    """Return the state after it was pinned, or let go: changes are counted from here."""
    return replace(counted_from_here(ready(state, cast)), pinned=pinned)


def with_random_maps(state: TheatreState, cast: Cast) -> TheatreState:
    """Return the state after every query got its own increasing map."""
    state = replace(ready(state, cast), draws=state.draws + 1, moving="")
    return replace(state, confidences=random_maps(state.confidences, state.draws))


def recalibrated(state: TheatreState, cast: Cast) -> TheatreState:
    """Return the state with scores that are comparable between queries; without them, the scores as they came."""
    system = cast.systems[state.preset]
    return replace(ready(state, cast), confidences=system.recalibrated or system.confidences, moving="")


def on_stage(state: TheatreState, system: str, cast: Cast) -> TheatreState:
    """Return the state after another system came on the stage, as it came; changes compare it with the one before."""
    state = replace(ready(state, cast), moving="")
    entered = start_of(cast, system, state.threshold, state.n_others)
    return replace(entered, before=state.before, task=state.task, pinned=state.pinned, draws=state.draws)


def goal_of(state: TheatreState, result: TheatreResult, cast: Cast) -> str:
    """Return the task, or what solving it shows."""
    return task_sentence(tasks_of(cast), state.task, state, result, moving=bool(state.moving))


def about(query: int, state: TheatreState, result: TheatreResult, cast: Cast) -> str:
    """Return one sentence about an answer: what it earns, or what it costs and whom."""
    name = cast.name(query)
    rank = result.rank(query)
    if not rank:
        return f"{name} abstains: it costs nothing but recall." if cast.truth[query] else f"{name} abstains, as it should."
    if result.kinds[query] == RIGHT:
        above = result.wrong_above(query)
        names = ", ".join(cast.name(other) for other in above[:8]) + (" ..." if len(above) > 8 else "")
        pushed = f"pushed down by {names}" if above else "no mistake stands above it"
        return f"{name} is right at rank {rank}: precision {rank - len(above)}/{rank}, {pushed}."
    what = "a wrong landmark" if result.kinds[query] == WRONG else "no landmark at all"
    below, cost = len(result.right_below(query)), float(result.gain[rank - 1])
    paid = f"costs GAP {cost:.3f}: {below} right answer{'s' if below != 1 else ''} below it pay{'s' if below == 1 else ''}"
    return f"{name} is {what} at rank {rank} and {paid if below else 'costs nothing: no right answer is below it'}."
