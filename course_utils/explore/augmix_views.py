"""The three pictures of the AugMix graph: the chains, the weights on their triangle, the three answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from course_utils.augment.augmix_operations import OPERATIONS
from course_utils.explore.augmix_state import DEPTH, NOTHING, WIDTH, GraphResult, GraphState, convex, with_shown
from course_utils.explore.canvas import Event
from course_utils.explore.scene import Field, Layer, Mark, Picture, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.plotting import BLUE, GREEN, PURPLE, SKY, VERMILION

TOTAL, GRAPH_HEIGHT, LOWER_HEIGHT = 828, 306, 250
TRIANGLE_WIDTH = 280
ANSWERS_WIDTH = TOTAL - TRIANGLE_WIDTH - 8
COLOURS = (BLUE, VERMILION, GREEN)  # of the chains
VIEW_COLOURS = ("text", PURPLE, SKY)
VIEW_NAMES = ("clean", "mixture 1", "mixture 2")

_ROWS = (78.0, 164.0, 250.0)  # the chains' middles
_LEFT, _CHIP, _GAP = 104.0, 160.0, 8.0
_THUMB, _HALF = 58.0, 38.0
_WEIGHTS = _LEFT + DEPTH * (_CHIP + _GAP)


# ------------------------------------------------------------------------------------------------------------------- graph


def draw_graph(state: GraphState, result: GraphResult) -> Scene:
    """Return the clean picture, three chains of chips, their weights, and the mixture."""
    shown, number = state.shown, 2 if state.second else 1
    middle = _ROWS[1]
    layers: list[Layer] = [
        Text([[8, 15]], [f"Mixture {number}: three chains from left to right"], size=15, bold=True),
        Picture(result.views[0], (8, 88, middle + 40, middle - 40)),
        Text([[48, middle + 54]], ["clean picture"], "muted", 12, "centre"),
        Picture(result.views[number], (TOTAL - 100, TOTAL - 8, middle + 46, middle - 46)),
        Text([[TOTAL - 54, middle + 60]], [f"mixture {number}"], size=13, align="centre", bold=True),
        Text([[TOTAL - 54, middle - 60]], [f"m = {shown.m:.2f}"], size=13, align="centre"),
    ]
    fields = []
    for i, y in enumerate(_ROWS):
        layers.append(Segments([[90, middle], [_WEIGHTS + 64, y]], [[_LEFT - 2, y], [TOTAL - 104, middle]], COLOURS[i], 2.0))
        for j in range(DEPTH):
            left = _LEFT + j * (_CHIP + _GAP)
            box = (left, left + _CHIP, y + _HALF, y - _HALF)
            chosen = state.chosen == (i, j)
            layers += _chip(state, result, i, j, box, chosen)
            words = result.amounts[i][j] or NOTHING
            if j:
                layers.append(Segments([[left - _GAP, y]], [[left, y]], COLOURS[i], 2.0))
            fields.append(Field(f"chain {i + 1}, place {j + 1}", box, f"chain {i + 1}, place {j + 1}: {words}"))
        layers.append(Segments([[_WEIGHTS - _GAP, y]], [[_WEIGHTS, y]], COLOURS[i], 2.0))
        weight = shown.weights[i]
        layers.append(Polygons([rectangle(_WEIGHTS, _WEIGHTS + 62, y + 8, y - 8)], "panel", "border", 1))
        if weight > 0.005:
            layers.append(Polygons([rectangle(_WEIGHTS, _WEIGHTS + 62 * weight, y + 8, y - 8)], COLOURS[i], "", 1))
        layers.append(Text([[_WEIGHTS, y - 18]], [f"w{i + 1} = {weight:.2f}"], size=13))
    label = f"Graph of mixture {number}: three chains with weights {', '.join(f'{w:.2f}' for w in shown.weights)}."
    return Scene(TOTAL, GRAPH_HEIGHT, None, label, layers, (), fields)


def _chip(state: GraphState, result: GraphResult, i: int, j: int, box: Sequence[float], chosen: bool) -> list[Layer]:
    left, _, bottom, top = box
    middle = (bottom + top) / 2
    name, level = state.shown.chains[i][j]
    empty = name == NOTHING
    layers: list[Layer] = [
        Polygons([rectangle(*box)], "background" if empty else "panel", "text" if chosen else "border", 3 if chosen else 1),
        Picture(
            result.steps[i, j + 1],
            (left + 6, left + 6 + _THUMB, middle + _THUMB / 2, middle - _THUMB / 2),
            opacity=0.35 if empty else 1.0,
        ),
    ]
    title = NOTHING if empty else name.replace("_", " ")
    amount = result.amounts[i][j].removeprefix(title).strip()
    x = left + _THUMB + 12
    layers.append(Text([[x, middle - 14]], [title], "muted" if empty else "text", 12, bold=not empty))
    if amount:
        layers.append(Text([[x, middle + 5]], [amount], size=12))
    if not empty:
        size = level if OPERATIONS[name].signed else abs(level)
        layers.append(Text([[x, middle + 23]], [f"level {size:.1f}"], "muted", 12))
    return layers


def react_graph(state: GraphState, event: Event) -> GraphState:
    """Choose the chip that was pressed."""
    if event.kind == "press" and event.name.startswith("chain "):
        chain, step = (int(part.split()[-1]) - 1 for part in event.name.split(","))
        return replace(state, chosen=(chain, step))
    return state


# --------------------------------------------------------------------------------------------------------------- triangle

_CORNERS = np.array([[30.0, 172.0], [250.0, 172.0], [140.0, 40.0]])  # of chains 1, 2, 3
_M_LEFT, _M_RIGHT, _M_Y = 40.0, 250.0, 222.0


def weights_at(x: float, y: float) -> tuple[float, float, float]:
    """Return the weights that stand at a place of the triangle; a place outside is moved in.

    >>> [round(w, 6) for w in weights_at(140.0, 128.0)]
    [0.333333, 0.333333, 0.333333]
    """
    matrix = np.vstack([_CORNERS.T, np.ones(3)])
    return convex(np.linalg.solve(matrix, [x, y, 1.0]).tolist())


def draw_weights(state: GraphState, result: GraphResult) -> Scene:
    """Return the triangle of the weights with its point, and below it the share m on a line."""
    shown = state.shown
    x, y = np.array(shown.weights) @ _CORNERS
    layers: list[Layer] = [
        Text([[8, 15]], ["Weights of the chains, and m"], size=15, bold=True),
        Polygons([_CORNERS], "panel", "border", 1.5),
        Segments(np.repeat([[x, y]], WIDTH, 0), _CORNERS, "border", 1.0, dashed=True),
        Points(_CORNERS, np.array([_rgba(c) for c in COLOURS]), 6),
        Text([[34, 188], [246, 188], [178, 38]], ["w1 = 1", "w2 = 1", "w3 = 1"], "muted", 12, "centre"),
        Segments([[_M_LEFT, _M_Y]], [[_M_RIGHT, _M_Y]], "border", 4),
        Text([[20, _M_Y]], ["m"], size=14, align="centre", bold=True),
        Text([[_M_LEFT, 240]], ["0: clean"], "muted", 12),
        Text([[_M_RIGHT, 240]], ["1: chains only"], "muted", 12, "right"),
    ]
    place = f"w1 {shown.weights[0]:.2f}, w2 {shown.weights[1]:.2f}, w3 {shown.weights[2]:.2f}"
    rail = Rail(((_M_LEFT, _M_Y, _M_RIGHT, _M_Y, 0.0),))
    marks = [
        Mark("weights", float(x), float(y), f"weights of the chains: {place}", colour="text", size=9, step=4, leap=20),
        Mark(
            "m",
            _M_LEFT + shown.m * (_M_RIGHT - _M_LEFT),
            _M_Y,
            f"m, share of the chains: {shown.m:.2f}",
            colour=PURPLE,
            shape="diamond",
            size=9,
            step=4.2,
            leap=21,
            rail=rail,
        ),
    ]
    return Scene(TRIANGLE_WIDTH, LOWER_HEIGHT, None, f"Triangle of the weights: {place}; m {shown.m:.2f}.", layers, marks)


def react_weights(state: GraphState, event: Event) -> GraphState:
    """Move the point in the triangle, or m on its line."""
    if event.kind == "release":
        return replace(state, moving="")
    if event.kind != "move":
        return state
    if event.name == "weights":
        return replace(with_shown(state, replace(state.shown, weights=weights_at(event.x, event.y))), moving="weights")
    m = min(max((event.x - _M_LEFT) / (_M_RIGHT - _M_LEFT), 0.0), 1.0)
    return replace(with_shown(state, replace(state.shown, m=round(m, 3))), moving="m")


def _rgba(colour: str) -> list[int]:
    return [*bytes.fromhex(colour.lstrip("#")), 255]


# ---------------------------------------------------------------------------------------------------------------- answers

_BARS_LEFT, _BARS_RIGHT, _BASE, _HIGH = 40.0, 528.0, 206.0, 92.0


def draw_answers(state: GraphState, result: GraphResult, names: Sequence[str]) -> Scene:
    """Return three bars for each class (clean, first, second), their mean M, and the divergence."""
    n = len(names)
    slot = (_BARS_RIGHT - _BARS_LEFT) / n
    bar = min(0.26 * slot, 24.0)
    layers: list[Layer] = [
        Text([[8, 15]], [f"Three answers, divergence {result.divergence:.3f}"], size=15, bold=True),
        Text(
            [[ANSWERS_WIDTH - 12, 240]],
            [f"12 x {result.divergence:.3f} = {12 * result.divergence:.2f} joins the loss, of at most {12 * math.log(3):.1f}"],
            "muted",
            12,
            "right",
        ),
    ]
    for v in range(3):
        x = 40 + 160 * v
        layers.append(Picture(result.views[v], (x, x + 44, 76, 32)))
        layers.append(Polygons([rectangle(x + 52, x + 64, 60, 48)], VIEW_COLOURS[v], "text", 1))
        layers.append(Text([[x + 70, 54]], [VIEW_NAMES[v]], size=13))
    for value in (0.0, 0.5, 1.0):
        y = _BASE + value * (_HIGH - _BASE)
        layers.append(Segments([[_BARS_LEFT, y]], [[_BARS_RIGHT, y]], "border", 1))
        layers.append(Text([[_BARS_LEFT - 6, y]], [f"{value:g}"], "muted", 12, "right"))
    for v in range(3):
        rings = []
        for k in range(n):
            left = _BARS_LEFT + k * slot + (slot - 3 * bar) / 2 + v * bar
            rings.append(rectangle(left, left + bar, _BASE, _BASE + result.probabilities[v, k] * (_HIGH - _BASE)))
        layers.append(Polygons(rings, VIEW_COLOURS[v], "text", 1))
    ends = [[_BARS_LEFT + (k + 0.5) * slot, _BASE + p * (_HIGH - _BASE)] for k, p in enumerate(result.mixture)]
    reach = np.array([[1.5 * bar + 3, 0.0]])
    layers.append(Segments(np.array(ends) - reach, np.array(ends) + reach, VERMILION, 2.5))
    for k, name in enumerate(names):
        true = k == result.label
        centre = [[_BARS_LEFT + (k + 0.5) * slot, _BASE + 15]]
        layers.append(Text(centre, [f"{name} (true)" if true else name], "text" if true else "muted", 12, "centre", bold=true))
    layers.append(Segments([[_BARS_LEFT, 240]], [[_BARS_LEFT + 22, 240]], VERMILION, 2.5))
    layers.append(Text([[_BARS_LEFT + 30, 240]], ["M, their mean"], "muted", 12))
    label = f"Answers to the clean picture and two mixtures; divergence {result.divergence:.3f}."
    return Scene(ANSWERS_WIDTH, LOWER_HEIGHT, None, label, layers)
