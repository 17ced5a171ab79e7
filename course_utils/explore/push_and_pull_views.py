"""The four pictures of ``PushAndPull``, drawn from one ``PushState`` and one ``PushResult``.

Filled green circles are relevant, hollow vermilion ones are not. Solid blue arrows push the right way (relevant items
up, the others down), dashed purple ones with an exclamation mark the wrong way. "0" in a ring means no gradient at all,
"about 0" one that is too small to be drawn.
"""

from __future__ import annotations

import numpy as np

from course_utils.explore.ranking_forces import BINNED, CONTESTANTS, RACE_STEPS, PushResult, PushState
from course_utils.explore.scene import Layer, Mark, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.plotting import BLUE, GREEN, PURPLE, SKY, VERMILION

WIDE, SIDE = 546, 296  # pixels
TALL, LOW = 336, 190
LEFT, RIGHT = -1.16, 1.16  # scores at the edges of the wide views
PIXEL = (RIGHT - LEFT) / WIDE  # one pixel, in units of the score
TOP_LANE, LANE = 44, 21  # pixels from the upper edge to the first item, and from item to item
GROUND, ROOF = 22, 74  # pixels from the lower edge to the foot and to the tip of a tent
FULL = 0.34  # length of the longest arrow, in units of the score
PER_UNIT = 0.2  # length of the arrow of a gradient of 1, on the common scale
LONGEST, SHORTEST = 0.6, 0.05  # limits of an arrow on the common scale; of any arrow that is drawn
LOOKS = {
    "listwise": (BLUE, "circle", True),
    "tie-aware": (BLUE, "circle", False),
    "smooth": (GREEN, "diamond", True),
    "blackbox": (PURPLE, "triangle", True),
    "triplet": (VERMILION, "square", True),
    "hard": (VERMILION, "square", False),
}
"""Colour, marker and filling of every loss in the race."""


def letter(item: int) -> str:
    """Return the name of an item: A, B, C ...

    >>> letter(2)
    'C'
    """
    return chr(ord("A") + item)


def arrow_lengths(push: np.ndarray, normalised: bool) -> np.ndarray:
    """Return signed lengths (N,) in units of the score; 0 for no push, and for one whose arrow would not fill a pixel.

    >>> arrow_lengths(np.array([2.0, -1.0, 1e-6, 0.0]), normalised=True).tolist()
    [0.34, -0.17, 0.0, 0.0]
    """
    size = np.abs(push)
    length = FULL * size / max(float(size.max(initial=0.0)), 1e-300) if normalised else np.minimum(PER_UNIT * size, LONGEST)
    return np.sign(push) * np.where(length >= PIXEL, np.maximum(length, SHORTEST), 0.0)


# ---- items over tents ----------------------------------------------------------------------------------------------


def draw_items(state: PushState, result: PushResult) -> Scene:
    """Return the items, each on a lane of its own, their arrows, and the tents below."""
    scores = np.array(state.scores)
    lanes = TALL - TOP_LANE - LANE * np.arange(len(scores), dtype=float)
    spots = np.stack([scores, lanes], axis=1)
    layers = _ground(state, result, spots)
    layers += _arrows(state, result, spots)
    rank = np.empty(len(scores), int)
    rank[result.order] = np.arange(1, len(scores) + 1)
    ends = np.column_stack([np.full(len(scores), RIGHT - 6 * PIXEL), lanes])
    layers.append(Text(ends, [f"{r}." for r in rank], "muted", 12, "right"))
    marks = [_mark(state, result, item, spots[item], rank[item]) for item in range(len(scores))]
    label = f"Score axis with {len(scores)} items: {sum(state.relevant)} relevant, {int(result.silent.sum())} without gradient."
    return Scene(WIDE, TALL, (LEFT, RIGHT, 0.0, float(TALL)), label, layers, marks)


def _mark(state: PushState, result: PushResult, item: int, spot: np.ndarray, rank: int) -> Mark:
    relevant, push = state.relevant[item], result.push[item]
    moved = "no gradient" if push == 0 else "pushed up" if push > 0 else "pushed down"
    return Mark(
        f"item{item}",
        float(spot[0]),
        float(spot[1]),
        label=f"item {letter(item)}, {'relevant' if relevant else 'not relevant'}, rank {rank}, score {spot[0]:.2f}, {moved}",
        colour=GREEN if relevant else VERMILION,
        size=8.0,
        filled=relevant,
        step=0.01,
        leap=0.1,
        rail=Rail(((-1.0, float(spot[1]), 1.0, float(spot[1]), 0.0),)),
    )


def _arrows(state: PushState, result: PushResult, spots: np.ndarray) -> list[Layer]:
    lengths = arrow_lengths(result.push, state.normalised)
    starts = spots + np.column_stack([np.sign(lengths) * 10 * PIXEL, np.zeros(len(spots))])
    ends = starts + np.column_stack([lengths, np.zeros(len(spots))])
    layers: list[Layer] = []
    drawn = lengths != 0
    against = result.against & drawn
    for chosen, colour, dashed in ((against, PURPLE, True), (~against & drawn, BLUE, False)):
        layers.append(Segments(starts[chosen], ends[chosen], colour, width=3.5, dashed=dashed, arrow=True))
    wrong = ends[against] + np.column_stack([np.sign(lengths[against]) * 8 * PIXEL, np.zeros(against.sum())])
    layers.append(Text(wrong, ["!"] * len(wrong), "text", 15, "centre", bold=True, halo=True))
    still = spots[result.silent] + [20 * PIXEL, 0.0]
    layers.append(Points(still, "muted", 7, "ring"))
    layers.append(Text(still, ["0"] * len(still), "text", 11, "centre", bold=True))
    faint = spots[~drawn & ~result.silent] + [20 * PIXEL, 0.0]
    layers.append(Text(faint, ["\u2248 0"] * len(faint), "muted", 11, "centre"))
    return layers


def _ground(state: PushState, result: PushResult, spots: np.ndarray) -> list[Layer]:
    """The axis, the drop lines, and what the loss feels: tents, or a zone."""
    drops = np.column_stack([spots[:, 0], np.full(len(spots), float(GROUND))])
    names = np.column_stack([np.full(len(spots), LEFT + 6 * PIXEL), spots[:, 1]])
    ticks = np.linspace(-1, 1, 5)
    scale = "longest arrow always full" if state.normalised else f"gradient 1 = {PER_UNIT:g} of score"
    layers: list[Layer] = [
        *(_tents(result) if state.loss in BINNED else _zone(state)),
        Segments(spots, drops, "border", width=1),
        Segments([[-1.0, GROUND]], [[1.0, GROUND]], "text", width=1.5),
        Text(np.column_stack([ticks, np.full(5, 10.0)]), [f"{tick:g}" for tick in ticks], "muted", 12, "centre"),
        Text([[LEFT + 6 * PIXEL, TALL - 14.0]], ["Arrows: minus the gradient"], size=14, bold=True),
        Text([[RIGHT - 6 * PIXEL, TALL - 14.0]], [f"({scale})    rank"], "muted", 12, "right"),
        Text(names, [letter(item) for item in range(len(spots))], "text", 12, "left", bold=True),
        Text([[RIGHT - 6 * PIXEL, ROOF + 8.0]], [_note(state)], "muted", 12, "right", halo=True),
    ]
    return layers


def _tents(result: PushResult) -> list[Layer]:
    centres, width = result.centres, 2 / (len(result.centres) - 1)
    rings = [
        np.array([[max(centre - width, -1), GROUND], [centre, ROOF], [min(centre + width, 1), GROUND]])
        if -1 < centre < 1
        else np.array([[centre, GROUND], [centre, ROOF], [centre - np.sign(centre) * width, GROUND]])
        for centre in centres
    ]
    looks = {"outline": "muted", "width": 1.0}
    return [Polygons(rings[::2], SKY, opacity=0.5, **looks), Polygons(rings[1::2], SKY, opacity=0.25, **looks)]


def _zone(state: PushState) -> list[Layer]:
    """What a loss without bins feels, drawn around the relevant items."""
    reach, places = CONTESTANTS[state.loss].reach(state), np.sort(np.array(state.scores)[np.array(state.relevant)])
    height = ROOF - 16 - GROUND
    if state.loss == "blackbox":
        return []
    if state.loss == "smooth":
        rings = [rectangle(max(s - reach, -1), min(s + reach, 1), GROUND, GROUND + height) for s in places]
    else:
        steps = height * np.arange(1, len(places) + 1) / len(places)
        rings = [rectangle(max(s - reach, -1), 1.0, GROUND, GROUND + step) for s, step in zip(places, steps)]
    return [Polygons(rings, SKY, "muted", width=1, opacity=0.5)]


def _note(state: PushState) -> str:
    reach = CONTESTANTS[state.loss].reach(state)
    return {
        "smooth": f"no bins: what lies within about 5 x temperature = {reach:.2g} of a relevant item is felt",
        "blackbox": "no bins: the exact ranks now, and after a small move of all scores",
        "triplet": f"no bins: whatever stands above (relevant item - {reach:.2g}) violates the margin",
        "hard": f"no bins: lowest relevant item and highest other one, {reach:.2g} apart at least",
    }.get(state.loss, f"{state.n_bins} bins (tents), {reach:.3g} apart")


# ---- bins ----------------------------------------------------------------------------------------------------------


def draw_bins(state: PushState, result: PushResult) -> Scene:
    """Return the soft counts of every bin, all and relevant, and the precision down to it."""
    foot, top = 22.0, LOW - 48.0
    n_bins = len(result.centres)
    half = min(0.42 * 2 / (n_bins - 1), 0.16)
    tallest = max(float(result.counts.max()), 1.0)
    unit = (top - foot) / tallest

    def bars(values: np.ndarray, fill: str, outline: str, width: float) -> Polygons:
        pairs = [(c, v) for c, v in zip(result.centres, values) if v > 1e-9]
        return Polygons(
            [rectangle(max(c - half, -1.1), min(c + half, 1.1), foot, foot + unit * v) for c, v in pairs],
            fill,
            outline,
            width=width,
        )

    used = result.counts > 1e-9
    dots = np.column_stack([result.centres, foot + (top - foot) * result.precision])
    active = result.relevant_counts > 1e-9
    layers: list[Layer] = [
        bars(result.counts, "panel", VERMILION, 1.5),
        bars(result.relevant_counts, GREEN, GREEN, 1.0),
        Segments([[-1.0, foot]], [[1.0, foot]], "text", width=1.5),
        Segments([[-1.0, top]], [[1.0, top]], "border", width=1),
        Segments(dots[:-1], dots[1:], "text", width=1.5),
        Points(dots[used & ~active], "text", 3.5, filled=False),
        Points(dots[active], "text", 4.5),
        Text([[LEFT + 6 * PIXEL, LOW - 14.0]], ["Soft counts per bin"], size=14, bold=True),
        Text([[RIGHT - 6 * PIXEL, LOW - 14.0]], [f"outline: all ({tallest:.2g} at most), filled: relevant"], "muted", 12, "right"),
        Text([[RIGHT - 6 * PIXEL, LOW - 34.0]], ["dots: precision down to this bin, from 0 to 1"], "muted", 12, "right", halo=True),
        Text([[-1.0, 10.0], [1.0, 10.0]], ["score -1", "score 1"], "muted", 12, "centre"),
    ]  # fmt: skip
    label = (
        f"Histogram of {n_bins} bins; the precisions, weighted by the relevant counts, give an AP of {result.quantised_ap:.2f}."
    )
    return Scene(WIDE, LOW, (LEFT, RIGHT, 0.0, float(LOW)), label, layers)


# ---- numbers and race ----------------------------------------------------------------------------------------------


def draw_scoreboard(state: PushState, result: PushResult) -> Scene:
    """Return the ranked list as a row of circles, and true AP beside quantised AP as bars."""
    n = len(result.order)
    relevant = np.array(state.relevant)[result.order]
    x = 24 + (SIDE - 48) / max(n - 1, 1) * np.arange(n)
    row = np.column_stack([x, np.full(n, 42.0)])
    layers: list[Layer] = [
        Text([[8, 14]], ["The list, best score first"], size=14, bold=True),
        Points(row[relevant], GREEN, 8),
        Points(row[~relevant], VERMILION, 8, filled=False),
        Text(row + [0, 19], [letter(item) for item in result.order], "text", 12, "centre"),
    ]
    bars = {"true AP": (result.true_ap, "text"), f"AP, {state.n_bins} bins": (result.quantised_ap, BLUE)}
    for line, (name, (value, colour)) in enumerate(bars.items()):
        y, start, reach = 88 + 30 * line, 96.0, 150.0
        layers.append(Polygons([rectangle(start, start + reach, y + 9, y - 9)], "", "border", width=1))
        layers.append(Polygons([rectangle(start, start + reach * value, y + 9, y - 9)], colour, colour, width=1))
        layers.append(Text([[8, y]], [name], size=13))
        layers.append(Text([[start + reach + 8, y]], [f"{value:.3f}"], size=13, bold=True))
    difference = result.quantised_ap - result.true_ap
    verdict = "the same" if abs(difference) < 5e-4 else f"{abs(difference):.3f} too {'high' if difference > 0 else 'low'}"
    layers.append(Text([[8, 150]], [f"The bins say: {verdict}."], "muted", 13))
    layers.append(Text([[8, 172]], [f"Loss of {CONTESTANTS[state.loss].name}: {result.loss:.3f}"], "muted", 13))
    label = f"Ranked list; true AP {result.true_ap:.2f}, AP in {state.n_bins} bins {result.quantised_ap:.2f}."
    return Scene(SIDE, LOW, None, label, layers)


def draw_race(state: PushState, result: PushResult) -> Scene:
    """Return true AP against steps: the reader's own path, and all losses if there is a race."""
    left, right, top, foot = 34.0, 164.0, 40.0, TALL - 34.0

    def place(values: np.ndarray) -> np.ndarray:
        return np.column_stack([left + (right - left) / RACE_STEPS * np.arange(len(values)), foot - (foot - top) * values])

    levels = np.linspace(0, 1, 5)
    y = foot - (foot - top) * levels
    layers: list[Layer] = [
        Text([[8, 14]], ["True AP against steps"], size=14, bold=True),
        Segments(np.column_stack([np.full(5, left), y]), np.column_stack([np.full(5, right), y]), "border", width=1),
        Text(np.column_stack([np.full(5, left - 6), y]), [f"{level:g}" for level in levels], "muted", 11, "right"),
        Text([[left, foot + 16], [right, foot + 16]], ["0", f"{RACE_STEPS} steps"], "muted", 12, "centre"),
    ]
    if result.race:
        layers += _curves(result, place, right)
    else:
        lines = ["Press Race:", "all losses from", "the present list"]
        layers.append(Text(np.column_stack([np.full(3, right + 8), 110.0 + 18 * np.arange(3)]), lines, "muted", 13))
    line = place(np.array([*state.path, result.true_ap])[: RACE_STEPS + 1])
    layers.append(Segments(line[:-1], line[1:], "text", width=3))
    layers.append(Points(line[-1:] if len(state.path) <= RACE_STEPS else line[:0], "text", 5))
    layers.append(Text([[left + 4, foot - 10]], [f"thick line: your {len(state.path)} steps"], "text", 12, halo=True))
    ends = ", ".join(f"{CONTESTANTS[key].name} {curve[-1]:.2f}" for key, curve in result.race.items())
    label = f"True AP against steps; after {RACE_STEPS} steps: {ends}." if ends else "True AP against steps; no race yet."
    return Scene(SIDE, TALL, None, label, layers)


def _curves(result: PushResult, place: object, right: float) -> list[Layer]:
    layers: list[Layer] = []
    ends = {key: place(curve)[-1, 1] for key, curve in result.race.items()}  # type: ignore[operator]
    rows = _spread(np.array(list(ends.values())), gap=34.0, low=52.0, high=TALL - 48.0)
    for i, (key, curve) in enumerate(result.race.items()):
        colour, shape, filled = LOOKS[key]
        line = place(curve)  # type: ignore[operator]
        layers.append(Segments(line[:-1], line[1:], colour, width=2))
        layers.append(Points(line[3 + i :: 8], colour, 4, shape, filled=filled))
        layers.append(Segments([line[-1]], [[right + 12, rows[i]]], "border", width=1))
        layers.append(Points([[right + 16, rows[i]]], colour, 4.5, shape, filled=filled))
        first, _, rest = CONTESTANTS[key].name.partition(", ")
        layers.append(Text([[right + 25, rows[i] - 7]], [f"{first} {curve[-1]:.2f}" if not rest else first], size=11))
        if rest:
            layers.append(Text([[right + 25, rows[i] + 7]], [f"{rest} {curve[-1]:.2f}"], size=11))
    return layers


def _spread(places: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Return the places, moved apart so that neighbours are ``gap`` apart inside [low, high]; the order is kept."""
    order = np.argsort(places, kind="stable")
    rows = np.array(places, float)[order]
    for i in range(1, len(rows)):
        rows[i] = max(rows[i], rows[i - 1] + gap)
    rows -= max(0.0, rows[-1] - high)
    for i in range(len(rows) - 2, -1, -1):
        rows[i] = min(rows[i], rows[i + 1] - gap)
    rows = np.maximum(rows, low + gap * np.arange(len(rows)))
    spread = np.empty(len(rows))
    spread[order] = rows
    return spread
