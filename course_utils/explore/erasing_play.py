"""Presets and tasks of the erasing bench, and what the reader's moves do to its state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from course_utils.explore.canvas import Event
from course_utils.explore.erasing import MAX_DRAW, YOURS, ErasingResult, ErasingState
from course_utils.explore.play import Task

CORNERS = {"nw": (0, 1), "ne": (2, 1), "sw": (0, 3), "se": (2, 3)}
OWN = "your pictures"
SHOWN = 6
"""Number of the picture that the bench begins with."""
SMALL, HALF, NOTHING = 1 / 6, 0.5, 0.02
"""Shares that the tasks ask for: of the picture, of a score or the object, and none to speak of."""

Compute = Callable[[ErasingState], ErasingResult]


def score(result: ErasingResult, label: int, before: bool = False) -> float:
    """Return the score of a class, with the holes or without."""
    return float((result.scores_before if before else result.scores)[label])


def presets(n_pictures: int, hole: tuple[float, ...]) -> dict[str, ErasingState]:
    """Return the states that the bench can begin with, for its own pictures."""
    picture = min(SHOWN, n_pictures - 1)
    start = ErasingState(hole=hole, picture=picture)
    return {
        "telling part": start,
        "fills": replace(start, hole=(34, 34, 46, 44), picture=picture, preset="fills"),
        "random holes": replace(start, hole=(), preset="random holes"),
        "map to box": replace(start, hole=(), preset="map to box", threshold=0.6),
    }


def _smallest(label: int) -> Callable[[ErasingState, ErasingResult], bool]:
    return lambda state, r: r.hidden <= SMALL and score(r, label) <= HALF * score(r, label, before=True)


def tasks(label: int, names: tuple[str, ...], has_part: bool) -> dict[str, tuple[Task, ...]]:
    """Return the tasks of every preset for a picture of class ``label``."""
    name = names[label]
    part = (
        Task(
            "Hide the head, and little else of the animal: at most a third of it.",
            f"The bar of {name} tells what the head alone is worth to this network; you may have expected more, or less.",
            lambda state, r: r.hidden_part >= 0.9 and r.hidden_object <= 1 / 3,
        ),
    )
    return {
        "telling part": (
            Task(
                f"Take half of the score of {name} away with a hole of at most a sixth of the picture.",
                "The network reads this part. Training with random holes forces it to read others as well.",
                _smallest(label),
            ),
            *(part if has_part else ()),
            Task(
                "Hide more than half of the animal, and keep at least half of the score.",
                "A person would still name it too. So the label may stay when Random Erasing hides this much.",
                lambda state, r: r.hidden_object > HALF and score(r, label) >= HALF * score(r, label, before=True),
            ),
        ),
        "fills": (
            Task(
                f"Hide only background, and change the score of {name} by two points or more. Try the fills.",
                "No part of the animal was hidden. The edge of a hole is a new thing in the picture, and the network answers to it.",
                lambda state, r: (
                    r.hidden_object < NOTHING
                    and r.hidden > NOTHING
                    and abs(score(r, label) - score(r, label, before=True)) >= 0.02
                ),
            ),
            Task(
                "Hide at least half of the animal, and choose the fill that leaves its class the highest score.",
                "Look at the dots of the other fills: which fill hides best depends on what it looks like to the network.",
                lambda state, r: r.hidden_object >= HALF and r.by_fill[state.fill] >= max(r.by_fill.values()) - 1e-12,
            ),
        ),
        "random holes": (
            Task(
                "Press Random Erasing until a draw hides more than half of the animal.",
                f"The label stays {name} all the same. Rare draws like this one are the price of the method.",
                lambda state, r: state.method == "Random Erasing" and r.hidden_object > HALF,
            ),
            Task(
                "Press Cutout until the square sticks out of the picture.",
                "So the mean hidden share is below the square's own share, a quarter, and some pictures stay nearly whole.",
                lambda state, r: state.method == "Cutout" and r.hidden < 0.25 - 1e-9,
            ),
            Task(
                "Press Hide-and-Seek until most of the head is hidden and at least half of the animal is visible."
                if has_part
                else "Press Hide-and-Seek until a draw hides at least half of the object.",
                "In such a draw the network has to learn from what is left; with many cells most draws show some of every part.",
                lambda state, r: (
                    state.method == "Hide-and-Seek"
                    and ((r.hidden_part >= 0.7 and r.hidden_object <= HALF) if has_part else r.hidden_object >= HALF)
                ),
            ),
        ),
        "map to box": (
            Task(
                "No hole yet: drag the triangle to the threshold with the best box.",
                "One threshold is best for this picture. An honest comparison chooses it on other pictures, the same for all.",
                lambda state, r: not r.erased.any() and r.overlap >= float(np.max(r.curve)) - 1e-9,
            ),
            Task(
                "Keep the threshold, and draw a hole that makes the map's box worse by 0.2 or more.",
                "The map follows the evidence: where it is hidden, the rest of the object has to do, or the background.",
                lambda state, r: r.erased.any() and r.overlap <= r.overlap_before - 0.2,
            ),
        ),
        OWN: (
            Task(
                f"Take half of the score of {name} away with a hole of at most a sixth of the picture.",
                "Your network reads this part.",
                _smallest(label),
            ),
        ),
    }


# ---- what the reader does ------------------------------------------------------------------------------------------


def react_picture(state: ErasingState, event: Event, width: int, height: int) -> ErasingState:
    """Return the state after something happened on the picture: a hole drawn, moved, or one of its corners dragged.

    A hole that is moved keeps its size and stays inside the picture of ``width`` x ``height`` pixels.
    """
    if event.kind == "brush" and event.box is not None:
        left, right, bottom, top = event.box
        return replace(state, draft=(left, min(bottom, top), right, max(bottom, top)))
    if event.kind == "release" and state.draft is not None:
        left, top, right, bottom = state.draft
        large = right - left >= 1 and bottom - top >= 1
        return replace(state, draft=None, **({"hole": state.draft, "method": YOURS} if large else {}))
    if event.kind != "move" or not state.hole or state.method != YOURS:
        return state
    left, top, right, bottom = state.hole
    if event.name in CORNERS:
        i, j = CORNERS[event.name]
        hole = [left, top, right, bottom]
        hole[i], hole[j] = event.x, event.y
        if (hole[2] - hole[0]) < 2 or (hole[3] - hole[1]) < 2:
            return state
        return replace(state, hole=tuple(hole))
    if event.name != "hole":
        return state
    wide, tall = right - left, bottom - top
    x = min(max(math.floor(event.x - wide / 2 + 0.5), 0), width - wide)
    y = min(max(math.floor(event.y - tall / 2 + 0.5), 0), height - tall)
    return replace(state, hole=(x, y, x + wide, y + tall))


def react_scores(state: ErasingState, event: Event) -> ErasingState:
    """Return the state after a bar was pressed: the map shows that class."""
    return replace(state, shown=int(event.name[1:])) if event.kind == "press" and event.name[:1] == "k" else state


def react_threshold(state: ErasingState, event: Event) -> ErasingState:
    """Return the state after the triangle was dragged."""
    return replace(state, threshold=event.x) if event.kind == "move" else state


def drawn(state: ErasingState, method: str) -> ErasingState:
    """Return the state after a method's button was pressed: its next draw."""
    draw = (state.draw + 1) % MAX_DRAW if state.method == method else state.draw
    return replace(state, method=method, draw=draw)
