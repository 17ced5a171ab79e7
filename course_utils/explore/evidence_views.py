"""What the evidence desk draws: the seeds as paired dots, the interval as it shrinks, and the false alarms of the replays.

Every function here maps a state and its result to a ``Scene``; nothing is decided.
"""

from __future__ import annotations

import numpy as np

from course_utils.explore.evidence_state import FIRST_LOOK, N_REPLAYS, DeskResult, DeskState, excludes_zero
from course_utils.explore.scene import Layer, Mark, Points, Rail, Scene, Segments, Text
from course_utils.plotting import BLUE, GREY, VERMILION

WIDE, SIDE = 832, 412  # pixels, the width of the seeds and of the two charts
TALL, LOW = 250, 270
METHOD, OTHER = BLUE, VERMILION


def _line(x: np.ndarray, y: np.ndarray, colour: str, width: float, dashed: bool = False) -> Segments:
    points = np.column_stack([x, y])
    return Segments(points[:-1], points[1:], colour, width, dashed)


def seeds_scene(state: DeskState, result: DeskResult) -> Scene:
    """Return one column a seed: a dot for each method and a line between them, and a triangle at the last seed shown."""
    pool, n = result.pool, len(result.pool)
    figures, others = 100 * pool.figures, 100 * pool.others
    low, high = float(min(figures.min(), others.min())), float(max(figures.max(), others.max()))
    span = max(high - low, 1e-3)
    box = (-1.4, n + 1.0, low - 0.38 * span, high + 0.36 * span)
    upper, rail, below = high + 0.24 * span, low - 0.14 * span, low - 0.28 * span
    ticks = [low, (low + high) / 2, high]
    layers: list[Layer] = [
        Segments([[0.4, y] for y in ticks], [[n + 0.8, y] for y in ticks], "border", 1),
        Text([[0.1, y] for y in ticks], [f"{y:.1f}" for y in ticks], "muted", 12, "right"),
        Segments([[0.4, rail]], [[n + 0.8, rail]], "muted", 1.5),
        Text([[i, below] for i in range(1, n + 1)], [str(i) for i in range(1, n + 1)], "muted", 12, "centre"),
        Text([[-1.3, upper]], [f"{pool.unit}, in points:"], size=14, bold=True),
    ]
    pixel = (box[1] - box[0]) / WIDE
    x = box[0] + (30 + 8 * (len(pool.unit) + 12)) * pixel
    for words, colour, shape in ((pool.method, METHOD, "circle"), (pool.other, OTHER, "square")):
        layers += [Points([[x, upper]], colour, 6.0, shape), Text([[x + 12 * pixel, upper]], [words], size=14)]
        x += (44 + 8 * len(words)) * pixel
    seen = n if state.stopped else state.shown
    seeds = np.arange(1, n + 1)
    for first, last, pale in ((0, state.shown, False), (state.shown, seen, True)):
        x, a, b = seeds[first:last], figures[first:last], others[first:last]
        for better in (True, False):
            rows = (a > b) == better
            ends = [np.column_stack([x[rows], y[rows]]) for y in (b, a)]
            layers.append(Segments(*ends, GREY if pale else METHOD if better else OTHER, 1.5 if pale else 3.0, dashed=pale))
        for y, colour, shape in ((b, OTHER, "square"), (a, METHOD, "circle")):
            layers.append(Points(np.column_stack([x, y]), colour, 4.0 if pale else 6.0, shape, filled=not pale))
    hidden = np.arange(seen + 1, n + 1)
    layers.append(
        Text(np.column_stack([hidden, np.full(len(hidden), (low + high) / 2)]), ["?"] * len(hidden), "muted", 16, "centre")
    )
    mark = Mark(
        "seeds",
        state.shown,
        rail,
        label=f"{state.shown} of {n} seeds are shown",
        shape="triangle",
        size=9.0,
        step=1.0,
        leap=3.0,
        rail=Rail(((2.0, rail, float(n), rail, 0.0),)),
    )
    label = f"{state.shown} of {n} seeds: {pool.method} is better than {pool.other} on {result.now.wins} of them."
    return Scene(WIDE, TALL, box, label, layers, [mark])


def _frame(n: int, bottom: float, top: float, ticks: list[tuple[float, str]], title: str) -> tuple[list[Layer], tuple]:
    """Return axes over 1 to n seeds, and their box."""
    span = top - bottom
    box = (-2.6 * n / 20, n + 1.2 * n / 20, bottom - 0.24 * span, top + 0.16 * span)
    numbers = [i for i in range(1, n + 1) if i == 1 or i % 5 == 0]
    layers: list[Layer] = [
        Segments([[0.5, y] for y, _ in ticks], [[n + 0.5, y] for y, _ in ticks], "border", 1),
        Text([[0.2, y] for y, _ in ticks], [words for _, words in ticks], "muted", 12, "right"),
        Text([[i, bottom - 0.07 * span] for i in numbers], [str(i) for i in numbers], "muted", 12, "centre"),
        Text([[n / 2, bottom - 0.17 * span]], ["number of seeds"], "muted", 13, "centre"),
        Text([[box[0] + 0.01 * (box[1] - box[0]), top + 0.09 * span]], [title], size=14, bold=True),
    ]
    return layers, box


def interval_scene(state: DeskState, result: DeskResult) -> Scene:
    """Return the interval after every number of seeds shown; it is thick with a star where it excludes zero."""
    n, effect = len(result.pool), 100 * result.pool.smallest_effect
    low, high = 100 * result.low, 100 * result.high
    middle = (low[1:] + high[1:]) / 2
    top = float(max(np.abs(np.concatenate([low[4:], high[4:]])).max(), np.abs(middle).max(), 1.2 * effect))
    tick = np.floor(top) if top >= 2 else np.floor(10 * top) / 10
    ticks = [(-tick, f"−{tick:g}"), (0.0, "0"), (tick, f"+{tick:g}")]
    title = f"Difference in points, with its {100 * state.confidence:.0f} % interval"
    layers, box = _frame(n, -top, top, ticks, title)
    layers.append(Segments([[0.5, 0.0]], [[n + 0.5, 0.0]], "text", 1.5))
    layers.append(Segments([[0.5, effect]], [[n + 0.5, effect]], "muted", 1.5, dashed=True))
    words = "★ excludes 0; dashed: smallest that counts"
    layers.append(Text([[n + 0.5, -0.92 * top]], [words], "muted", 12, "right", halo=True))
    x = np.arange(2, n + 1)
    sure = (low[1:] > 0) | (high[1:] < 0)
    for first, last, pale in ((0, state.shown - 1, False), (state.shown - 1, n - 1 if state.stopped else 0, True)):
        for found in (False, True):
            rows = np.flatnonzero(sure[first:last] == found) + first
            colour = GREY if pale else VERMILION if found else BLUE
            ends = [np.column_stack([x[rows], np.clip(y[1:][rows], -top, top)]) for y in (low, high)]
            layers.append(Segments(*ends, colour, 4.0 if found else 2.0))
            layers.append(
                Points(np.column_stack([x[rows], middle[rows]]), colour, 6.0 if found else 4.0, "star" if found else "circle")
            )
    now = result.now
    label = f"Difference after {state.shown} seeds: {100 * now.mean:+.2f} points, interval {100 * now.low:.2f} to {100 * now.high:.2f}."
    return Scene(SIDE, LOW, box, label, layers)


def replays_scene(state: DeskState, result: DeskResult) -> Scene:
    """Return the share of replays that report an effect that is not there, with one look and with a look at every seed."""
    n, alarms = len(result.pool), result.alarms
    allowed = 1 - state.confidence
    top = max(0.1 * np.ceil(13 * max(float(alarms.peeking.max()), allowed)), 0.2)
    ticks = [(y, f"{100 * y:.0f} %") for y in np.linspace(0, top, 3)]
    layers, box = _frame(n, 0.0, top, ticks, f"False alarms in {N_REPLAYS} replays without an effect")
    layers.append(Segments([[0.5, allowed]], [[n + 0.5, allowed]], "muted", 1.5, dashed=True))
    x = np.arange(FIRST_LOOK, n + 1)
    for rates, colour, shape in ((alarms.peeking, VERMILION, "square"), (alarms.once, BLUE, "circle")):
        layers.append(_line(x, rates[FIRST_LOOK - 1 :], colour, 2.5))
        if state.shown >= FIRST_LOOK:
            layers.append(Points([[state.shown, rates[state.shown - 1]]], colour, 7.0, shape))
    layers.append(Segments([[state.shown, 0.0]], [[state.shown, top]], "muted", 1, dashed=True))
    legend = (
        (f"■ a look after every seed: {100 * alarms.peeking[-1]:.0f} %", VERMILION),
        (f"● one look at the end: {100 * alarms.once[-1]:.0f} %", BLUE),
        (f"dashed: {100 * allowed:.0f} % promised", "muted"),
    )
    for i, (words, colour) in enumerate(legend):
        layers.append(Text([[0.7, (0.96 - 0.1 * i) * top]], [words], colour, 13, bold=i < 2, halo=True))
    rate = alarms.peeking[state.shown - 1]
    label = f"By {state.shown} seeds {100 * rate:.0f} % of the replays without an effect have reported one to a reader who peeks."
    return Scene(SIDE, LOW, box, label, layers)


def verdict_words(result: DeskResult) -> str:
    """Return what a reader who stops now would report, and what the whole pool says."""
    words = {True: {True: "a gain", False: "a loss"}, False: {True: "nothing sure", False: "nothing sure"}}
    mine = words[excludes_zero(result.now)][result.now.mean > 0]
    all_ = words[excludes_zero(result.whole)][result.whole.mean > 0]
    n = result.whole.n_seeds
    rest = f"all {n} seeds say the same" if mine == all_ else f"all {n} seeds say {all_}"
    return f"You stopped after {result.now.n_seeds} seeds and report {mine}; {rest} ({100 * result.whole.mean:+.1f} points)."
