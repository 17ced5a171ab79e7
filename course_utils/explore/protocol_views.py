"""The three pictures of the protocol switch: the list and what is left of it, the area under its curve, the table."""

from __future__ import annotations

import math

import numpy as np

from course_utils.explore.play import signed_change
from course_utils.explore.protocol import (
    EASY,
    HARD,
    JUNK,
    KINDS,
    MEASURES,
    NAMES,
    NEGATIVE,
    ProtocolResult,
    ProtocolState,
    moved_chip,
    trapezoids,
)
from course_utils.explore.scene import Field, Layer, Mark, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.plotting import BLUE, GREEN, SKY
from course_utils.retrieval.revisited import PROTOCOLS

WIDTH, HALF, LIST_HEIGHT, LOWER_HEIGHT = 828, 410, 262, 236
SYMBOL = {EASY: ("circle", GREEN, True), HARD: ("triangle", BLUE, True), JUNK: ("cross", "muted", True)}
SYMBOL[NEGATIVE] = ("circle", "text", False)
WORDS = {EASY: "easy", HARD: "hard", JUNK: "junk (unclear)", NEGATIVE: "negative"}
UPPER, HANGING, LOWER = 76.0, 124.0, 192.0  # pixels: the list as returned, what leaves it, what is left


def _points(chips: list[tuple[str, tuple[float, float]]], size: float) -> list[Layer]:
    """Symbols of chips, one layer a kind."""
    layers: list[Layer] = []
    for kind, (shape, colour, filled) in SYMBOL.items():
        places = [place for label, place in chips if label == kind]
        if places:
            layers.append(Points(places, colour, size, shape, filled=filled))
    return layers


def draw_list(state: ProtocolState, result: ProtocolResult) -> Scene:
    """Return the list as it was returned, and below it what the protocol reads; ignored chips hang in between."""
    n = len(state.order)
    rank = {chip: place for place, chip in enumerate(state.order, start=1)}
    left = 0.3 - 0.14 * (n + 0.4)  # room for words at the left
    words = left + 0.05
    ignored = [chip for chip in state.order if chip not in result.kept]
    positives = int(sum(result.positive))
    layers: list[Layer] = [
        Text([[words, 15]], [f"One ranked list, read by the {state.protocol} protocol"], size=15, bold=True),
        *_legend(left, n),
        Text([[words, UPPER]], ["returned"], size=13),
        Text([[words, HANGING]], ["ignored"], "muted", 13),
        Text([[words, LOWER]], [f"{state.protocol} reads"], size=13, bold=True),
        Text([[words, LOWER + 44]], ["precision"], "muted", 12),
        Text([[words, LOWER + 24]], ["rank"], "muted", 12),
        Segments([[0.5, LOWER + 13]], [[n + 0.5, LOWER + 13]], "border", 1.5),
    ]
    names = [NAMES[chip] for chip in state.order]
    layers.append(Text([[place, UPPER - 21] for place in range(1, n + 1)], names, size=13, align="centre"))
    ways = [(rank[chip], place) for place, chip in enumerate(result.kept, start=1)]
    if ways:
        starts, ends = np.array([[a, UPPER + 12] for a, _ in ways]), np.array([[b, LOWER - 14] for _, b in ways])
        hit = np.array(result.positive)
        layers.append(Segments(starts[~hit], ends[~hit], "border", 1.5))
        layers.append(Segments(starts[hit], ends[hit], GREEN, 2.5))
    if ignored:
        drops = np.array([[rank[chip], UPPER + 12] for chip in ignored])
        layers.append(
            Segments(drops, np.column_stack([drops[:, 0], np.full(len(drops), HANGING - 9)]), "muted", 1.5, dashed=True)
        )
        shapes = [(state.labels[chip], (rank[chip], HANGING)) for chip in ignored]
        for label, place in shapes:
            layers.append(Points([place], "muted", 6, SYMBOL[label][0], filled=False))
    layers += _points([(state.labels[chip], (place, LOWER)) for place, chip in enumerate(result.kept, start=1)], 8)
    found = 0
    for place, hit in enumerate(result.positive, start=1):
        found += hit
        layers.append(Text([[place, LOWER + 24]], [str(place)], "text" if hit else "muted", 12, "centre", bold=hit))
        if hit:
            layers.append(Text([[place, LOWER + 44]], [f"{found}/{place}"], size=13, align="centre", bold=True))
    chip = moved_chip(state)
    if chip is not None:
        old, new = state.before_order.index(chip) + 1, rank[chip]
        if old != new:
            layers.append(Points([[old, UPPER - 38]], "muted", 4, "ring", outline=""))
            layers.append(Segments([[old, UPPER - 38]], [[new, UPPER - 38]], "muted", 2, dashed=True, arrow=True))
    marks = []
    for chip, label in enumerate(state.labels):
        shape, colour, filled = SYMBOL[label]
        held = state.moving == NAMES[chip]
        after = (
            f"rank {result.kept.index(chip) + 1} under {state.protocol}"
            if chip in result.kept
            else f"ignored under {state.protocol}"
        )
        told = f"chip {NAMES[chip]}, {WORDS[label]}, rank {rank[chip]}, {after}; Enter changes its label"
        look = {"colour": colour, "shape": shape, "filled": filled, "size": 12.0 if held else 10.0, "step": 1.0, "leap": 3.0}
        marks.append(Mark(NAMES[chip], rank[chip], UPPER, told, rail=Rail(((1.0, UPPER, float(n), UPPER, 0.0),)), **look))
    label = f"Ranked list of {n} images; {state.protocol} ignores {len(ignored)} and counts {positives} as positive."
    return Scene(WIDTH, LIST_HEIGHT, (left, n + 0.7, LIST_HEIGHT, 0), label, layers, marks)


def _legend(left: float, n: int) -> list[Layer]:
    layers: list[Layer] = []
    right = n + 0.7
    for place, kind in enumerate(KINDS):
        x = right - (right - left) * (0.455 - 0.098 * place - (0.06 if kind == NEGATIVE else 0))
        shape, colour, filled = SYMBOL[kind]
        layers.append(Points([[x, 15]], colour, 6, shape, filled=filled))
        layers.append(Text([[x + 0.018 * (right - left), 15]], [WORDS[kind]], size=13))
    return layers


# ---- curve ------------------------------------------------------------------------------------------------------

_PLOT = (38.0, 396.0, 196.0, 36.0)  # left, right, bottom, top in pixels


def _at(recall: float, precision: float) -> tuple[float, float]:
    left, right, bottom, top = _PLOT
    return left + recall * (right - left), bottom + precision * (top - bottom)


def draw_curve(state: ProtocolState, result: ProtocolResult) -> Scene:
    """Return precision over recall with one trapezoid for every positive; the area is AP."""
    value = result.value(state.protocol)
    words = "no positive, so no AP" if math.isnan(value) else f"AP = area = {value:.3f}"
    layers: list[Layer] = [Text([[8, 15]], [f"{state.protocol.capitalize()}: {words}"], size=15, bold=True)]
    for tick, name in ((0.0, "0"), (0.5, "0.5"), (1.0, "1")):
        layers.append(Segments([_at(0, tick), _at(tick, 0)], [_at(1, tick), _at(tick, 1)], "border", 1))
        (x, y), (u, v) = _at(0, tick), _at(tick, 0)
        layers.append(Text([[x - 8, y]], [name], "muted", 12, "right"))
        layers.append(Text([[u, v + 14]], [name], "muted", 12, "centre"))
    x, y = _at(0.75, 0)
    layers.append(Text([[x, y + 14]], ["recall"], "muted", 12, "centre"))
    layers.append(Text([[HALF - 8, 15]], ["precision over recall"], "muted", 12, "right"))
    pieces = trapezoids(result.ranks, max(sum(result.positive), 1))
    rings = [np.array([_at(a, 0), _at(b, 0), _at(b, q), _at(a, p)]) for a, b, p, q in pieces]
    layers.append(Polygons(rings, SKY, "text", 1, opacity=0.55))
    if pieces:
        ends = [(_at(a, p), _at(b, q)) for a, b, p, q in pieces]
        layers.append(Segments([one for one, _ in ends], [two for _, two in ends], BLUE, 3))
        layers += _points([(state.labels[chip], _at(piece[1], piece[3])) for chip, piece in zip(_positives(result), pieces)], 7)
    label = f"Curve of the {state.protocol} protocol with {len(pieces)} trapezoids: {words}."
    return Scene(HALF, LOWER_HEIGHT, None, label, layers)


def _positives(result: ProtocolResult) -> list[int]:
    return [chip for chip, hit in zip(result.kept, result.positive) if hit]


# ---- table ------------------------------------------------------------------------------------------------------

_FIRST, _COLUMN, _TOP, _LINE = 74.0, 111.0, 48.0, 46.0


def draw_table(state: ProtocolState, result: ProtocolResult) -> Scene:
    """Return the numbers of all protocols for the same list, with what changed."""
    since = "change since pinned" if state.pinned else "small: change"
    layers: list[Layer] = [
        Text([[8, 15]], ["The same list, read three times"], size=15, bold=True),
        Text([[HALF - 8, 15]], [since], "muted", 12, "right"),
    ]
    fields = []
    for column, protocol in enumerate(PROTOCOLS):
        left = _FIRST + _COLUMN * column
        box = (left, left + _COLUMN - 6, LOWER_HEIGHT - 4, 28.0)
        shown = protocol == state.protocol
        if shown:
            layers.append(Polygons([rectangle(*box)], "panel", "text", 2))
        layers.append(Text([[left + 10, _TOP - 6]], [protocol], size=14, bold=shown))
        for row, measure in enumerate(MEASURES):
            y = _TOP + 18 + _LINE * row
            value = result.value(protocol, measure)
            if math.isnan(value):
                layers.append(Text([[left + 10, y]], ["undefined"], "muted", 14))
                continue
            layers.append(Text([[left + 10, y]], [f"{value:.3f}"], size=15 if measure == "AP" else 14, bold=measure == "AP"))
            change = signed_change(result.change(protocol, measure)) if result.changed(protocol, measure) else "same"
            change = "new" if result.changed(protocol, measure) and not result.change(protocol, measure) else change
            same = change == "same"
            layers.append(Text([[left + 10, y + 17]], [change], "muted" if same else "text", 12, bold=not same))
        fields.append(Field(protocol, box, f"{protocol}, AP {_number(result.value(protocol))}: read the list by this protocol"))
    for row, measure in enumerate(MEASURES):
        layers.append(Text([[8, _TOP + 18 + _LINE * row]], [measure], size=14, bold=measure == "AP"))
    values = ", ".join(f"{protocol} {_number(result.value(protocol))}" for protocol in PROTOCOLS)
    return Scene(HALF, LOWER_HEIGHT, None, f"AP of the same list: {values}.", layers, (), fields)


def _number(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.3f}"
