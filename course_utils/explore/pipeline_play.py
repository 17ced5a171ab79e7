"""How the pipeline bench is played: chips that are dragged, the moves that count, and the tasks of every preset.

A chip is dragged from the shelf into the row, along the row, or out of it. With the keyboard the same happens: the arrows move
a chip by one place, and the distance from the shelf to the row is one place too. Everything here is a pure function of the
state.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from course_utils.explore.canvas import Event
from course_utils.explore.pipeline import LETTERS, MAX_CHIPS, PipelineResult, PipelineState, compute_pipeline
from course_utils.explore.pipeline_operations import COLOUR, OPERATIONS, SPACE, Chip, on_step
from course_utils.explore.pipeline_outcomes import COPIES, Setting, order_effect, outcomes
from course_utils.explore.pipeline_pictures import NAMES, TOYS, picture
from course_utils.explore.play import Task, replaced, task_sentence

# ---- where things lie, in pixels of the view --------------------------------------------------------------------

PITCH = 122.0
"""From one place of the row to the next; also from the shelf to the row, so that one arrow key does it."""
FIRST, ROW_Y, BAND = 127.0, 158.0, 54.0  # middle of the first place; height of the row; how near counts as in the row
CARD_WIDTH, CARD_HEIGHT = 112.0, 66.0
KNOB_REACH, KNOB_Y = CARD_WIDTH / 2 - 9.0, CARD_HEIGHT / 2 - 12.0  # of the strength, from the middle of a card
SHELF, KNOB = "shelf ", " strength"
"""Beginning of the names of marks on the shelf, and end of those on the bar of a chip."""


def place_x(place: float) -> float:
    """Return the middle of a place of the row."""
    return FIRST + PITCH * place


def in_row(y: float) -> bool:
    """Tell whether a chip at this height is in the row."""
    return abs(y - ROW_Y) <= BAND


def gap_at(x: float, n: int) -> int:
    """Return before which of ``n`` chips a new one is put in.

    >>> [gap_at(place_x(p), 3) for p in (-1, 0.2, 1.9, 9)]
    [0, 1, 2, 3]
    """
    return int(min(max(math.ceil((x - FIRST) / PITCH), 0), n))


# ---- what the reader does ---------------------------------------------------------------------------------------


def begun(state: PipelineState, what: str) -> PipelineState:
    """Return the state in which ``what`` begins to move: a solved task gives way, and changes count from here."""
    if state.last == what and what:
        return state
    tasks = TASKS[state.preset]
    solved = state.task < len(tasks) and not state.held and tasks[state.task].solved(state, compute_pipeline(state))
    return replace(state, task=state.task + solved, before=state.setting, last=what)


def react_row(state: PipelineState, event: Event) -> PipelineState:
    """Return the state after something happened among shelf and row."""
    name = event.name
    if name.startswith(SHELF) and name.removeprefix(SHELF) in OPERATIONS:
        return _on_shelf(state, event)
    if name and name.removesuffix(KNOB) in tuple(state.names):
        return _on_knob(state, event) if name.endswith(KNOB) else _on_chip(state, event)
    return state


def _on_shelf(state: PipelineState, event: Event) -> PipelineState:
    operation, n = event.name.removeprefix(SHELF), len(state.chips)
    if event.kind == "move":
        state = state if state.held == event.name else begun(state, event.name)
        return replace(state, held=event.name, at=(event.x, event.y))
    if event.kind == "press":
        return with_chip(begun(state, ""), operation, n)
    if event.kind == "release" and state.held == event.name:
        dropped = replace(state, held="", last="")
        return with_chip(dropped, operation, gap_at(state.at[0], n)) if in_row(state.at[1]) else dropped
    return state


def _on_chip(state: PipelineState, event: Event) -> PipelineState:
    if event.kind == "move":
        state = state if state.held == event.name else begun(state, event.name)
        state = replace(state, held=event.name, at=(event.x, event.y), chosen=event.name)
        if not in_row(event.y):
            return state
        return moved_to(state, event.name, int(np.clip(round((event.x - FIRST) / PITCH), 0, len(state.chips) - 1)))
    if event.kind == "press":
        return replace(state, chosen=event.name)
    if event.kind == "release" and state.held == event.name:
        dropped = replace(state, held="", last="")
        return dropped if in_row(state.at[1]) else without_chip(dropped, event.name)
    return state


def _on_knob(state: PipelineState, event: Event) -> PipelineState:
    letter = event.name.removesuffix(KNOB)
    place = state.names.index(letter)
    if event.kind == "move":
        state = state if state.held == event.name else begun(state, event.name)
        strength = (event.x - place_x(place) + KNOB_REACH) / (2 * KNOB_REACH)
        return _set(replace(state, held=event.name, chosen=letter), place, strength=strength)
    if event.kind == "press":
        return replace(state, chosen=letter)
    if event.kind == "release" and state.held == event.name:
        return replace(state, held="", last="")
    return state


def _set(state: PipelineState, place: int, **values: float) -> PipelineState:
    stepped = {name: on_step(value) for name, value in values.items()}
    return replace(state, chips=replaced(state.chips, place, replace(state.chips[place], **stepped)))


def with_chip(state: PipelineState, operation: str, place: int) -> PipelineState:
    """Return the state with a new chip, chosen, before the one at ``place``; unchanged if the row is full."""
    if len(state.chips) >= MAX_CHIPS:
        return state
    letter = next(one for one in LETTERS if one not in state.names)
    chip = Chip(operation, 0.5, 0.5 if OPERATIONS[operation].transform == "Flip" else 1.0)
    chips = (*state.chips[:place], chip, *state.chips[place:])
    return replace(state, chips=chips, names=state.names[:place] + letter + state.names[place:], chosen=letter)


def without_chip(state: PipelineState, letter: str) -> PipelineState:
    """Return the state without a chip; the one that takes its place is chosen then."""
    place = state.names.index(letter)
    names = state.names.replace(letter, "")
    chosen = names[min(place, len(names) - 1)] if names else ""
    return replace(state, chips=(*state.chips[:place], *state.chips[place + 1 :]), names=names, chosen=chosen)


def moved_to(state: PipelineState, letter: str, place: int) -> PipelineState:
    """Return the state with a chip at another place; the others close up."""
    old = state.names.index(letter)
    order = [i for i in range(len(state.chips)) if i != old]
    order.insert(place, old)
    return replace(state, chips=tuple(state.chips[i] for i in order), names="".join(state.names[i] for i in order))


def react_start(state: PipelineState, event: Event) -> PipelineState:
    """Return the state after another picture was pressed."""
    if event.kind != "press" or event.name not in NAMES:
        return state
    return replace(begun(state, ""), picture=event.name)


def react_grid(state: PipelineState, event: Event) -> PipelineState:
    """Return the state after an outcome was pressed: it is looked at more closely."""
    number = event.name.removeprefix("outcome ")
    if event.kind != "press" or not number.isdigit() or not 1 <= int(number) <= COPIES:
        return state
    return replace(state, outcome=int(number) - 1)


def with_strength(state: PipelineState, strength: float) -> PipelineState:
    """Return the state after the slider of the strength was moved."""
    return _set(begun(state, f"slider {state.chosen}"), state.place, strength=strength) if state.place >= 0 else state


def with_chance(state: PipelineState, chance: float) -> PipelineState:
    """Return the state after the slider of the chance was moved."""
    return _set(begun(state, f"chance {state.chosen}"), state.place, chance=chance) if state.place >= 0 else state


def with_seed(state: PipelineState, seed: int) -> PipelineState:
    """Return the state with other draws."""
    return replace(begun(state, ""), seed=int(seed))


def with_fuse(state: PipelineState, fuse: bool) -> PipelineState:
    """Return the state in which neighbours that move pixels are read once, or one after the other."""
    return replace(begun(state, ""), fuse=bool(fuse))


# ---- tasks ------------------------------------------------------------------------------------------------------


def exchanged(state: PipelineState) -> int:
    """Return the place of the first of two neighbours that changed places since before, or -1."""
    if not state.before or state.before[1:] != state.setting[1:] or len(state.before[0]) != len(state.chips):
        return -1
    differ = [i for i, (old, new) in enumerate(zip(state.before[0], state.chips)) if old != new]
    if len(differ) != 2 or differ[1] != differ[0] + 1:
        return -1
    i = differ[0]
    return i if state.before[0][i] == state.chips[i + 1] and state.before[0][i + 1] == state.chips[i] else -1


def difference_of_exchange(state: PipelineState) -> float:
    """Return the share of pixels that an exchange changed, with the same draws and over all outcomes; NaN without one."""
    place = exchanged(state)
    if place < 0:
        return float("nan")
    before: Setting = state.before
    if outcomes(before).refused:
        return float("nan")
    effect = order_effect(before, place)
    return float("nan") if effect.refused else effect.differ


def _truth_stays(state: PipelineState, result: PipelineResult) -> bool:
    toy = picture(state.picture)
    masks = (result.now.masks == toy.mask.numpy()).all()
    points = np.allclose(result.now.keypoints, toy.keypoints.numpy(), atol=1e-3, equal_nan=True)
    return bool(masks and points and np.allclose(result.now.boxes, toy.box.numpy(), atol=1e-3))


def _pixels_change(state: PipelineState, result: PipelineResult) -> bool:
    return bool((result.now.pixels != picture(state.picture).image.permute(1, 2, 0).numpy()).any())


def _moves(state: PipelineState) -> int:
    return sum(chip.moves for chip in state.chips)


def _holds(state: PipelineState, *operations: str) -> bool:
    return set(operations) <= {chip.operation for chip in state.chips}


def _reads_right(state: PipelineState, result: PipelineResult) -> bool:
    return all(read == picture(state.picture).label for read in result.now.reads)


TASKS: dict[str, tuple[Task, ...]] = {
    "boxes follow": (
        Task(
            "Drag chips out of the row until pixels still change, and no box, mask or key point moves.",
            "Colour changes leave the ground truth where it is; every move takes it along.",
            lambda state, result: _pixels_change(state, result) and _truth_stays(state, result),
        ),
        Task(
            "Make the boxes on average twice as large as the tight ones, with 95 % of the object in sight. Untick 'fuse moves'.",
            "A box around a turned box is loose, and a second turn without one map takes the box around that box.",
            lambda state, result: result.now.mean_loose >= 2 and result.now.mean_visible >= 0.95,
        ),
        Task(
            "Make the bench drop a box, because less than a quarter of it is in the picture. New draws may help.",
            "A pipeline that crops must also say which objects it still counts.",
            lambda state, result: result.now.n_dropped > 0,
        ),
    ),
    "order": (
        Task(
            "Exchange two neighbours without changing one pixel of the outcomes (same draws).",
            "These two commute: one of them asks only what colour a pixel has, the other only where it is.",
            lambda state, result: difference_of_exchange(state) == 0,
        ),
        Task(
            "Exchange two neighbours so that at least a quarter of all pixels change (same draws).",
            "Two moves do not commute: turning a window is not the same as cutting a window out of a turned picture.",
            lambda state, result: difference_of_exchange(state) >= 0.25,
        ),
        Task(
            "Keep three moves and a colour chip, and have the pixels resampled once.",
            "Neighbouring moves are one map. Colours belong behind them.",
            lambda state, result: (
                _moves(state) >= 3
                and any(chip.kind.group == COLOUR for chip in state.chips)
                and result.now.n_resamplings == 1
                and not result.now.refused
            ),
        ),
    ),
    "rules": (
        Task(
            "The library refuses this pipeline. Move one chip, and it works.",
            "Colour needs values from 0 to 1; mean and deviation come last.",
            lambda state, result: not result.now.refused and _holds(state, "normalise", "colours"),
        ),
        Task(
            "Outcomes of this sign are called 'turn left' and show something else. Take one chip out, and keep a move.",
            "What a flip does to the label depends on the label: a toy car is a car in the mirror too.",
            lambda state, result: _reads_right(state, result) and _moves(state) >= 1 and state.picture not in TOYS,
        ),
    ),
}


def _start(preset: str, chips: Sequence[Chip], name: str, **more: object) -> PipelineState:
    state = PipelineState(tuple(chips), LETTERS[: len(chips)], name, preset=preset, **more)  # type: ignore[arg-type]
    return replace(state, before=state.setting)


PRESETS = {
    "boxes follow": _start(
        "boxes follow",
        [Chip("rotate", 0.2, 0.8), Chip("zoom", 0.7, 0.8), Chip("flip", 0.5, 0.5), Chip("colours", 0.4, 0.8)],
        "car",
        chosen="A",
        seed=10,
        outcome=5,
    ),
    "order": _start(
        "order",
        [Chip("zoom", 0.6, 1.0), Chip("rotate", 0.2, 0.8), Chip("colours", 0.5, 1.0), Chip("flip", 0.5, 0.5)],
        "person",
        chosen="B",
        outcome=5,
        fuse=False,
    ),
    "rules": _start(
        "rules",
        [Chip("rotate", 0.1, 1.0), Chip("flip", 0.5, 0.5), Chip("normalise", 0.5, 1.0), Chip("colours", 0.5, 0.8)],
        "sign",
        chosen="D",
    ),
}


def goal_of(state: PipelineState, result: PipelineResult) -> str:
    """Return the task, or what solving it shows."""
    return task_sentence(TASKS[state.preset], state.task, state, result, moving=bool(state.held))


def shelf_rows() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the rows of the shelf: their names, and the operations on them."""
    space = tuple(name for name, one in OPERATIONS.items() if one.group == SPACE)
    return ("space", space), ("colour", tuple(name for name in OPERATIONS if name not in space))
