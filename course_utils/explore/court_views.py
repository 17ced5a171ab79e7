"""The four pictures of the convention court: score axis, ranked strip, precision-recall curve, table of values.

A relevant item is a filled circle, one that is not relevant a hollow circle, junk a cross. Every convention keeps its
colour and its marker shape in the curve and in the table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_utils.explore.court import (
    CONVENTIONS,
    CUT_OFFS,
    JUNK,
    LETTERS,
    NOW,
    OTHER,
    RELEVANT,
    ROWS,
    CourtResult,
    CourtState,
    level_heights,
)
from course_utils.explore.play import signed_change
from course_utils.explore.scene import Field, Layer, Mark, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.explore.scoreboard import ROW, score_row
from course_utils.plotting import BLUE, GREEN, GREY, PURPLE, SKY, VERMILION, YELLOW

WIDTH = 828  # pixels of a row: fits beside JupyterLab's open side bar on a screen of 1280
AXIS_HEIGHT, HALF, MIDDLE_HEIGHT, TABLE_HEIGHT = 172, 410, 268, 184
AXIS = (-0.04, 1.04)  # 1 - score at the left and right edge
LINE, LANE = 122.0, 27.0  # pixels: height of the axis, and between items that would overlap
APART = 0.032  # items nearer than this on the axis stand above each other
LOOK = {
    "step": (BLUE, "circle"),
    "trapezoid": (VERMILION, "square"),
    "all-point": (GREEN, "triangle"),
    "11-point": (PURPLE, "diamond"),
    "101-point": (GREY, "plus"),
}
SYMBOL = {RELEVANT: ("circle", GREEN, True), OTHER: ("circle", "text", False), JUNK: ("cross", "muted", True)}


# ---- score axis -------------------------------------------------------------------------------------------------


def lanes(scores: Sequence[float], apart: float = APART) -> list[int]:
    """Return for every item the lowest lane in which it overlaps no item with a higher score.

    >>> lanes((0.5, 0.9, 0.5, 0.51))
    [1, 0, 2, 0]
    """
    ends: list[float] = []
    chosen = [0] * len(scores)
    for item in sorted(range(len(scores)), key=lambda i: (-scores[i], i)):
        x = 1.0 - scores[item]
        lane = next((i for i, end in enumerate(ends) if x - end >= apart), len(ends))
        ends[lane:] = [x, *ends[lane + 1 :]]
        chosen[item] = lane
    return chosen


def draw_axis(state: CourtState, result: CourtResult) -> Scene:
    """Return the score axis with the items, the highest score on the left."""
    ticks = np.linspace(0, 1, 11)
    axis = np.column_stack([ticks, np.full(11, LINE)])
    layers: list[Layer] = [
        *_ties(state, result),
        Segments([[0, LINE]], [[1, LINE]], "text", 1.5),
        Segments(axis, axis + [0, 6], "text", 1.5),
        Text(axis + [0, 18], [f"{1 - tick:.1f}" for tick in ticks], "muted", 12, "centre"),
        Text([[AXIS[0] + 0.008, 160]], ["score: high, ranked first"], size=13),
        Text([[AXIS[1] - 0.008, 160]], ["low, ranked last"], size=13, align="right"),
        *_legend(),
        *_where_it_was(state),
    ]
    where = {item: f"rank {rank}" for rank, item in enumerate(result.order, start=1)}
    height = lanes(state.scores)
    room = min(LANE, (LINE - 30) / max(max(height), 1))
    marks = []
    for item, (score, kind) in enumerate(zip(state.scores, state.kinds)):
        shape, colour, filled = SYMBOL[kind]
        y = LINE - 18 - room * height[item]
        label = f"item {LETTERS[item]}, {kind}, score {score:.2f}, {where.get(item, 'out of the list')}; Enter changes its kind"
        look = {"colour": colour, "shape": shape, "filled": filled, "size": 10.0, "step": 0.02, "leap": 0.1}
        marks.append(Mark(LETTERS[item], 1 - score, y, label, LETTERS[item], rail=Rail(((0.0, y, 1.0, y, 0.0),)), **look))
    label = f"Score axis with {len(marks)} items, {result.n_relevant - state.missing} of them relevant, {len(result.junk)} junk."
    return Scene(WIDTH, AXIS_HEIGHT, (*AXIS, AXIS_HEIGHT, 0), label, layers, marks)


def _legend() -> list[Layer]:
    x = np.array([0.3, 0.41, 0.55])
    layers: list[Layer] = [Text(np.column_stack([x + 0.016, np.full(3, 160)]), ["relevant", "not relevant", "junk"], size=13)]
    for place, kind in zip(x, (RELEVANT, OTHER, JUNK)):
        shape, colour, filled = SYMBOL[kind]
        layers.append(Points([[place, 160]], colour, 6, shape, filled=filled))
    return layers


def _ties(state: CourtState, result: CourtResult) -> list[Layer]:
    """A band behind every group of equal scores."""
    groups: dict[float, int] = {}
    for item in result.order:
        groups[state.scores[item]] = groups.get(state.scores[item], 0) + 1
    tied = [1 - score for score, n in groups.items() if n > 1]
    if not tied:
        return []
    rings = [rectangle(x - 0.017, x + 0.017, LINE, 20) for x in tied]
    return [
        Polygons(rings, YELLOW, "muted", 1, opacity=0.45),
        Text([[x - 0.022, 28] for x in tied], ["tie"] * len(tied), size=12, align="right", bold=True),
    ]


def _where_it_was(state: CourtState) -> list[Layer]:
    """An arrow below the axis from the old score to the new one of every item that moved."""
    pairs = list(zip(state.before_scores, state.scores))
    moved = [(1 - old, 1 - new) for old, new in pairs if abs(old - new) > 1e-9]
    if not moved:
        return []
    starts, ends = (np.array([[pair[side], LINE - 4] for pair in moved]) for side in (0, 1))
    return [Points(starts, "muted", 4, "ring", outline=""), Segments(starts, ends, "muted", 2, dashed=True, arrow=True)]


# ---- ranked strip -----------------------------------------------------------------------------------------------


def draw_strip(state: CourtState, result: CourtResult) -> Scene:
    """Return the ranked list: precision at every relevant rank as a bar, the cut-off, and the junk beside it."""
    n, base, reach = len(result.order), 178.0, 118.0
    places = max(n + len(result.junk), 1)
    step = min((HALF - 28) / (places + 0.4 * bool(result.junk)), 56.0)
    x = 20 + step * (np.arange(n) + 0.5)
    layers: list[Layer] = [
        Text([[8, 16]], ["Ranked list: precision at the relevant ranks"], size=15, bold=True),
        Segments([[16, base]], [[20 + step * n, base]], "text", 1.5),
    ]
    hits = 0
    for place, item in enumerate(result.order):
        shape, colour, filled = SYMBOL[state.kinds[item]]
        layers.append(Points([[x[place], base + 18]], colour, 7, shape, filled=filled))
        if state.kinds[item] != RELEVANT:
            continue
        hits += 1
        through = result.through[place]
        found = sum(state.kinds[other] == RELEVANT for other in result.order[:through])
        top = base - reach * found / through
        layers.append(Polygons([rectangle(x[place] - 0.36 * step, x[place] + 0.36 * step, base, top)], SKY, "text", 1))
        layers.append(Text([[x[place], top - 11]], [f"{found}/{through}"], size=13, align="centre", bold=True))
    if n:
        names = [LETTERS[item] for item in result.order]
        layers.append(Text(np.column_stack([x, np.full(n, base + 38)]), names, size=13, align="centre"))
        layers.append(Text(np.column_stack([x, np.full(n, base + 58)]), list(map(str, range(1, n + 1))), "muted", 12, "centre"))
        layers.append(Text([[8, base + 78]], ["rank"], "muted", 12))
    layers += _tie_brackets(result, x, step, base)
    if state.k <= n:
        cut = 20 + step * state.k
        layers.append(Segments([[cut, 42]], [[cut, base + 66]], PURPLE, 2, dashed=True))
        layers.append(Text([[min(cut, HALF - 26), 36]], [f"k = {state.k}"], size=12, align="centre", bold=True, halo=True))
    for i, item in enumerate(result.junk):
        at = 20 + step * (n + 0.9 + i)
        layers.append(Points([[at, base + 18]], "muted", 7, "cross"))
        layers.append(Text([[at, base + 38]], [LETTERS[item]], "muted", 13, "centre"))
    if result.junk:
        layers.append(Text([[HALF - 8, base + 78]], ["junk: out of the list"], "muted", 12, "right"))
    if state.missing:
        layers.append(Text([[HALF - 8, 40]], [f"{state.missing} more relevant items are not in the list"], "muted", 12, "right"))
    label = f"Ranked list of {n} items, {hits} relevant; the cut-off k is {state.k}."
    return Scene(HALF, MIDDLE_HEIGHT, None, label, layers)


def _tie_brackets(result: CourtResult, x: np.ndarray, step: float, base: float) -> list[Layer]:
    lasts = sorted({last for rank, last in enumerate(result.through, start=1) if last != rank})
    firsts = [result.through.index(last) + 1 for last in lasts]
    if not lasts:
        return []
    starts = np.array([[x[first - 1] - 0.3 * step, base + 69] for first in firsts])
    ends = np.array([[x[last - 1] + 0.3 * step, base + 69] for last in lasts])
    words = Text((starts + ends) / 2 + [0, 11], ["tie"] * len(lasts), size=12, align="centre")
    return [Segments(starts, ends, "text", 3), words]


# ---- precision-recall curve -------------------------------------------------------------------------------------

_PLOT = (34.0, 400.0, 226.0, 34.0)  # left, right, bottom, top in pixels


def _at(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    left, right, bottom, top = _PLOT
    return np.column_stack([left + np.asarray(recall) * (right - left), bottom + np.asarray(precision) * (top - bottom)])


def lines_of(result: CourtResult, convention: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return recall (T + 1,), and precision at the start and at the end of every piece, (T,), as the convention reads it.

    The area between the pieces and the ground is the value of the convention; pieces without width belong to ranks that
    are not relevant. The 11- and 101-point rules read levels instead: each level is a piece of equal width.
    """
    if convention in ("11-point", "101-point"):
        heights = level_heights(result, 10 if convention == "11-point" else 100)
        return np.linspace(0, 1, len(heights) + 1), heights, heights
    recall = np.concatenate([[0.0], result.recall])
    if convention == "trapezoid":
        return recall, np.concatenate([[1.0], result.precision[:-1]]), result.precision
    heights = result.envelope if convention == "all-point" else result.precision
    return recall, heights, heights


def draw_curve(state: CourtState, result: CourtResult) -> Scene:
    """Return the precision-recall curve with the lines of all conventions; the area of one of them is filled."""
    title = f"Precision over recall: the area of {state.shown}"
    layers: list[Layer] = [Text([[8, 16]], [title], size=15, bold=True), *_grid()]
    if not len(result.recall):
        layers.append(Text([[HALF / 2, 130]], ["no relevant item: no curve"], size=15, align="centre"))
        return Scene(HALF, MIDDLE_HEIGHT, None, "Precision-recall curve: empty, no item is relevant.", layers)
    recall, start, end = lines_of(result, state.shown)
    rings = [
        _at(np.array([a, b, b, a]), np.array([0, 0, q, p]))
        for a, b, p, q in zip(recall[:-1], recall[1:], start, end)
        if b > a and max(p, q) > 0
    ]
    layers.append(Polygons(rings, LOOK[state.shown][0], "", 0, opacity=0.22))
    fine = level_heights(result, 100)
    size = 2.6 if state.shown == "101-point" else 1.6
    layers.append(Points(_at(np.linspace(0, 1, 101), fine), LOOK["101-point"][0], size))
    for name in ("trapezoid", "step", "all-point"):  # all-point last and dashed: step shows through where they agree
        recall, start, end = lines_of(result, name)
        wide = recall[1:] > recall[:-1]
        width = 4.0 if name == state.shown else 2.2
        pieces = _at(recall[:-1][wide], start[wide]), _at(recall[1:][wide], end[wide])
        layers.append(Segments(*pieces, LOOK[name][0], width, dashed=name == "all-point"))
    coarse = level_heights(result, 10)
    size = 7.0 if state.shown == "11-point" else 5.0
    layers.append(Points(_at(np.linspace(0, 1, 11), coarse), PURPLE, size, "diamond", filled=False))
    gained = np.diff(result.hits, prepend=0) > 0
    layers.append(Points(_at(result.recall[gained], result.precision[gained]), "text", 4.5))
    label = f"Precision-recall curve of {len(result.recall)} points; the area of {state.shown} is filled."
    return Scene(HALF, MIDDLE_HEIGHT, None, label, layers)


def _grid() -> list[Layer]:
    ticks, zero = np.array([0.0, 0.5, 1.0]), np.zeros(3)
    return [
        Segments(_at(zero, ticks), _at(zero + 1, ticks), "border", 1),
        Segments(_at(ticks, zero), _at(ticks, zero + 1), "border", 1),
        Text(_at(zero, ticks) - [8, 0], ["0", "0.5", "1"], "muted", 12, "right"),
        Text(_at(ticks, zero) + [0, 14], ["0", "0.5", "1"], "muted", 12, "centre"),
        Text(_at([0.75], [0]) + [0, 14], ["recall"], "muted", 12, "centre"),
    ]


# ---- table ------------------------------------------------------------------------------------------------------

_HEAD, _COLUMN, _BAR = 40.0, 418.0, (146.0, 104.0)


def change_text(result: CourtResult, name: str) -> str:
    """Return the change of a row with an arrow and a sign, or "same".

    An arrow and a sign say the direction, so colour is not needed.
    """
    if not result.changed(name):
        return "same"
    change = result.delta(name)
    if change == 0.0:
        return "new"  # defined before or now, not both
    return signed_change(change)


def draw_table(state: CourtState, result: CourtResult) -> Scene:
    """Return all ten numbers as bars, with their change and what luck in ties could make of them."""
    since = "pinned" if state.pinned else "change"
    layers: list[Layer] = []
    for left, title in ((8.0, "The whole list"), (8.0 + _COLUMN, f"Cut off: k = {state.k}, R = {result.n_relevant}")):
        layers.append(Text([[left, 16]], [title], size=15, bold=True))
        layers.append(Text([[left + 312, 16]], [f"since {since}" if state.pinned else since], "muted", 12))
    for column, names in enumerate((tuple(CONVENTIONS), CUT_OFFS)):
        left = 8.0 + _COLUMN * column
        for row, name in enumerate(names):
            layers += _table_row(state, result, name, left, _HEAD + ROW * row)
    fields = [
        Field(name, (4.0, _COLUMN - 4, _HEAD + ROW * (row + 1) - 4, _HEAD + ROW * row - 4), f"{name}: show its area in the curve")
        for row, name in enumerate(CONVENTIONS)
    ]
    values = ", ".join(f"{name} {value_text(result, name)}" for name in CONVENTIONS)
    return Scene(WIDTH, TABLE_HEIGHT, None, f"Table of values: {values}.", layers, (), fields)


def value_text(result: CourtResult, name: str) -> str:
    """Return a value with three digits, or "undefined"."""
    value = result.values[ROWS.index(name), NOW]
    return "undefined" if np.isnan(value) else f"{value:.3f}"


def _table_row(state: CourtState, result: CourtResult, name: str, left: float, top: float) -> list[Layer]:
    now, before, worst, best = result.values[ROWS.index(name)]
    middle, zero = top + ROW / 2 - 4, left + _BAR[0]
    colour, shape = LOOK.get(name, (SKY, ""))
    layers: list[Layer] = []
    if name == state.shown:
        layers.append(Polygons([rectangle(left - 4, left + _COLUMN - 14, top + ROW - 5, top - 3)], "panel", "border", 1))
    if shape:
        layers.append(Points([[left + 8, middle]], colour, 6, shape, filled=shape not in ("diamond",)))
    words = name.replace("@k", f"@{state.k}").replace("k)", f"{state.k})").replace(" over", " /")
    layers += score_row(
        words,
        now,
        change_text(result, name),
        left,
        top,
        colour=colour,
        before=before if result.changed(name) else np.nan,
        indent=22 if shape else 0,
        bar=_BAR,
        bold=name == state.shown,
    )
    if result.band(name):
        ends = zero + _BAR[1] * np.array([worst, best])
        layers.append(Segments([[ends[0], middle]], [[ends[1], middle]], "background", 5))
        layers.append(Segments([[ends[0], middle]], [[ends[1], middle]], "text", 2.5))
        layers.append(Segments([[x, middle - 6] for x in ends], [[x, middle + 6] for x in ends], "text", 2.5))
    return layers
