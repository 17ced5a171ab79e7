"""The five pictures of the threshold theatre: points on a confidence axis, a query, the ranked list, numbers, systems.

A right answer is a filled circle, a wrong landmark a cross, an answer to a picture without a landmark a diamond. An
answer that is withheld is grey and hollow.
"""

from __future__ import annotations

import math

import numpy as np

from course_utils.explore.court_views import lanes
from course_utils.explore.play import signed_change
from course_utils.explore.scene import Field, Layer, Mark, Picture, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.explore.scoreboard import ROW, score_row
from course_utils.explore.theatre import DISTRACTOR, MEASURES, NOW, RIGHT, WRONG, Cast, TheatreResult, TheatreState, asked
from course_utils.explore.theatre_play import THRESHOLD, about, moved_queries
from course_utils.plotting import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, YELLOW

WIDTH, HALF = 828, 410  # pixels of a row and of a half
SWARM, PANEL, TOP_HEIGHT, STRIP_HEIGHT, TABLE_HEIGHT = 556, 264, 244, 212, 190
AXIS = (-0.05, 1.05)  # 1 - confidence at the left and right edge
LINE = 198.0  # pixels: height of the axis
SHELVES = {True: (106.0, 54.0), False: (182.0, 50.0)}  # landmark or not: lowest point, and room above it
SYMBOL = {RIGHT: ("circle", GREEN), WRONG: ("cross", VERMILION), DISTRACTOR: ("diamond", PURPLE)}
WORDS = {RIGHT: "right", WRONG: "wrong landmark", DISTRACTOR: "no landmark"}


# ---- points on the confidence axis ------------------------------------------------------------------------------


def draw_swarm(state: TheatreState, result: TheatreResult, cast: Cast) -> Scene:
    """Return the confidence axis: landmarks on the upper shelf, anything else on the lower one, the threshold."""
    ticks = np.linspace(0, 1, 6)
    axis = np.column_stack([ticks, np.full(6, LINE)])
    cut = 1 - state.threshold
    n_asked = len(result.order) + len(result.abstaining)
    layers: list[Layer] = [
        Text([[AXIS[0] + 0.015, 15]], [f"Confidence of the answers to {n_asked} pictures"], size=15, bold=True),
        Polygons([rectangle(cut, AXIS[1], LINE, 30)], "panel", "", 0),
        Segments([[AXIS[0], SHELVES[True][0] + 14]], [[AXIS[1], SHELVES[True][0] + 14]], "border", 1),
        Segments([[0, LINE]], [[1, LINE]], "text", 1.5),
        Segments(axis, axis + [0, 5], "text", 1.5),
        Text(axis + [0, 17], [f"{1 - tick:.1f}" for tick in ticks], "muted", 12, "centre"),
        Text([[0, LINE + 34]], ["sure: ranked first"], size=13),
        Text([[1, LINE + 34]], ["unsure: ranked last"], size=13, align="right"),
        Segments([[cut, 30]], [[cut, LINE]], "text", 2, dashed=True),
        *_shelf_words(),
    ]
    if cut < 0.86:
        layers.append(Text([[AXIS[1] - 0.01, 41]], ["abstains"], "muted", 13, "right"))
    marks = [
        Mark(
            THRESHOLD,
            cut,
            LINE,
            f"threshold {state.threshold:.2f}: answers at or below it are withheld",
            shape="triangle",
            size=10.0,
            step=0.01,
            leap=0.1,
            rail=Rail(((0.0, LINE, 1.0, LINE, 0.0),)),
        )
    ]
    for landmark, (base, room) in SHELVES.items():
        labels = cast.systems[state.preset].labels
        queries = [q for q in asked(cast, state.n_others) if (q < cast.n_landmarks) == landmark and labels[q] is not None]
        height = lanes([state.confidences[query] for query in queries], apart=0.0265)
        gap = min(14.0, room / max([*height, 1]))
        for query, lane in zip(queries, height):
            marks.append(_mark(query, base - gap * lane, state, result, cast))
    layers += _where_it_was(state, marks)
    right = sum(result.correct)
    label = f"Confidence axis with {n_asked} answers, {right} of them right, {len(result.abstaining)} withheld at {state.threshold:.2f}."
    return Scene(SWARM, TOP_HEIGHT, (*AXIS, TOP_HEIGHT, 0), label, layers, marks)


def _shelf_words() -> list[Layer]:
    left = AXIS[0] + 0.015
    layers: list[Layer] = []
    for x, y, kind in ((left, 41.0, RIGHT), (left + 0.12, 41.0, WRONG), (left, SHELVES[True][0] + 27, DISTRACTOR)):
        shape, colour = SYMBOL[kind]
        layers.append(Points([[x + 0.01, y]], colour, 6, shape))
        words = "pictures without a landmark" if kind == DISTRACTOR else WORDS[kind]
        layers.append(Text([[x + 0.032, y]], [words], size=13))
    return layers


def _mark(query: int, y: float, state: TheatreState, result: TheatreResult, cast: Cast) -> Mark:
    kind, confidence = result.kinds[query], state.confidences[query]
    shape, colour = SYMBOL[kind]
    rank = result.rank(query)
    place = f"rank {rank}" if rank else "withheld"
    label = f"query {cast.name(query)}, {WORDS[kind]}, confidence {confidence:.2f}, {place}; Enter shows it"
    chosen = query == state.chosen
    return Mark(
        str(query),
        1 - confidence,
        y,
        label,
        cast.name(query) if chosen else "",
        colour=colour if rank else "muted",
        shape=shape,
        size=9.0 if chosen else 6.5,
        filled=bool(rank),
        step=0.01,
        leap=0.1,
        rail=Rail(((0.0, y, 1.0, y, 0.0),)),
    )


def _where_it_was(state: TheatreState, marks: list[Mark]) -> list[Layer]:
    """An arrow from the old place of the one query that moved; a line where the threshold stood."""
    layers: list[Layer] = []
    moved = moved_queries(state)
    mark = next((mark for mark in marks if len(moved) == 1 and mark.name == str(moved[0])), None)
    if mark is not None:
        start = [[1 - state.before.confidences[moved[0]], mark.y]]
        layers.append(Points(start, "muted", 4, "ring", outline=""))
        layers.append(Segments(start, [[mark.x, mark.y]], "muted", 2, dashed=True, arrow=True))
    if state.before.threshold != state.threshold:
        layers.append(Segments([[1 - state.before.threshold, LINE]], [[1 - state.threshold, LINE]], "muted", 3, arrow=True))
    return layers


# ---- one query --------------------------------------------------------------------------------------------------


def draw_query(state: TheatreState, result: TheatreResult, cast: Cast) -> Scene:
    """Return the chosen query: its picture, the best index image, the truth, the answer, and the head of its list."""
    query, system = state.chosen, cast.systems[state.preset]
    kind, rank = result.kinds[query], result.rank(query)
    shape, colour = SYMBOL[kind]
    truth = " or ".join(sorted(cast.label(label) for label in cast.truth[query])) or "no landmark"
    place = f"rank {rank}" if rank else "withheld"
    layers: list[Layer] = [
        Points([[14, 15]], colour if rank else "muted", 7, shape, filled=bool(rank)),
        Text([[28, 15]], [f"Query {cast.name(query)}: {WORDS[kind]}"], size=15, bold=True),
    ]
    top = 30.0
    listed = system.lists.get(query, ())
    found = next((item for item in listed if item in cast.index_pictures), None)
    if len(cast.pictures):
        side = 108.0
        layers.append(Picture(cast.pictures[query], (8, 8 + side, top + side, top), smooth=True, keep="query"))
        if found is not None:
            layers.append(Picture(cast.index_pictures[found], (132, 132 + side, top + side, top), smooth=True, keep="found"))
        top += side + 12
        layers.append(Text([[8, top]], ["query"], "muted", 12))
        if found is not None:
            layers.append(Text([[132, top]], ["found in the index"], "muted", 12))
        top += 18
    answer = "none" if system.labels[query] is None else cast.label(system.labels[query])
    lines = [f"shows: {truth}", f"answer: {answer}", f"confidence {state.confidences[query]:.2f}, {place}"]
    layers.append(Text([[8, top + 17 * row] for row in range(3)], lines, size=13))
    layers += _list_head(query, list(listed)[:6], top + 56, cast)
    label = (
        f"Query {cast.name(query)} shows {truth}; the answer is {answer} with confidence {state.confidences[query]:.2f}, {place}."
    )
    return Scene(PANEL, TOP_HEIGHT, None, label, layers)


def _list_head(query: int, listed: list, top: float, cast: Cast) -> list[Layer]:
    """The first places of the query's own list, as ticks and crosses: its confidence does not move them."""
    if not listed or not cast.truth[query]:
        return []
    hits = [item in cast.relevant.get(query, ()) for item in listed]
    layers: list[Layer] = [Text([[8, top]], ["its own list:"], size=13)]
    for place, hit in enumerate(hits):
        shape, colour = ("tick", GREEN) if hit else ("cross", VERMILION)
        layers.append(Points([[98 + 26 * place, top]], colour, 7, shape))
    return layers


# ---- ranked list ------------------------------------------------------------------------------------------------

_BASE, _REACH, _DEEP, _LEFT = 132.0, 70.0, 28.0, 52.0


def draw_strip(state: TheatreState, result: TheatreResult, cast: Cast) -> Scene:
    """Return the ranked list: above, the precision that every right answer earns; below, what every mistake costs."""
    n = len(result.order)
    step = min((WIDTH - _LEFT - 10) / max(n, 1), 34.0)
    x = _LEFT + step * (np.arange(n) + 0.5)
    gap = result.value("GAP")
    title = f"Ranked list of {n} answers: the bars add up to {gap * cast.n_landmarks:.2f}, over {cast.n_landmarks} landmarks GAP = {gap:.3f}"
    layers: list[Layer] = [
        Text([[8, 15]], [title], size=15, bold=True),
        Text([[8, 38]], [about(state.chosen, state, result, cast)], size=14),
    ]
    layers += _columns(state, result, x, step)
    ticks = np.array([0.0, 0.5, 1.0])
    ys = _BASE - _REACH * ticks
    ends = np.full(3, _LEFT + step * max(n, 1))
    layers.append(Segments(np.column_stack([np.full(3, _LEFT), ys]), np.column_stack([ends, ys]), "border", 1))
    layers.append(Text(np.column_stack([np.full(3, _LEFT - 6), ys]), ["0", "0.5", "1"], "muted", 12, "right"))
    layers.append(Text([[8, _BASE + 58]], ["cost"], "muted", 12))
    costs = np.where(result.correct, 0.0, result.gain) if n else np.zeros(0)
    scale = _DEEP / max(costs.max(initial=0.0), 0.01)
    wide, top = 0.38 * step, _BASE + 40
    earned = [i for i in range(n) if result.correct[i]]
    bars = [rectangle(x[i] - wide, x[i] + wide, _BASE, _BASE - _REACH * result.precision[i]) for i in earned]
    layers.append(Polygons(bars, SKY, "text", 1))
    paid = [i for i in range(n) if costs[i] > 0]
    bars = [rectangle(x[i] - wide, x[i] + wide, top + scale * costs[i], top) for i in paid]
    layers.append(Polygons(bars, ORANGE, "text", 1))
    for kind, (shape, colour) in SYMBOL.items():
        places = [[x[i], _BASE + 12] for i, query in enumerate(result.order) if result.kinds[query] == kind]
        if places:
            layers.append(Points(places, colour, 5.5, shape))
    if n:
        names = [cast.name(query) for query in result.order]
        layers.append(Text(np.column_stack([x, np.full(n, _BASE + 29)]), names, size=12, align="centre"))
    if result.abstaining and WIDTH - _LEFT - step * n > 90:
        words = [f"{len(result.abstaining)} abstain"]
        layers.append(Text([[WIDTH - 8, _BASE + 12]], words, "muted", 13, "right"))
    fields = [
        Field(str(query), (x[i] - step / 2, x[i] + step / 2, STRIP_HEIGHT - 2, 52), about(query, state, result, cast))
        for i, query in enumerate(result.order)
    ]
    label = f"Ranked list of {n} answers, {len(earned)} right; {len(paid)} mistakes stand above a right answer."
    return Scene(WIDTH, STRIP_HEIGHT, None, label, layers, (), fields)


def _columns(state: TheatreState, result: TheatreResult, x: np.ndarray, step: float) -> list[Layer]:
    """Shade the chosen answer, and those that push it down or pay for it."""
    rank = result.rank(state.chosen)
    if not rank:
        return []
    right = result.kinds[state.chosen] == RIGHT
    linked = result.wrong_above(state.chosen) if right else result.right_below(state.chosen)
    places = [result.order.index(query) for query in linked]
    low, high = STRIP_HEIGHT - 4, 54
    rings = [rectangle(x[i] - step / 2, x[i] + step / 2, low, high) for i in places]
    own = rectangle(x[rank - 1] - step / 2, x[rank - 1] + step / 2, low, high)
    return [Polygons(rings, YELLOW, "", 0, opacity=0.4), Polygons([own], "panel", "text", 2)]


# ---- numbers ----------------------------------------------------------------------------------------------------


def draw_numbers(state: TheatreState, result: TheatreResult, cast: Cast) -> Scene:
    """Return the five numbers as bars, with what changed."""
    since = "since pinned" if state.pinned else "change"
    layers: list[Layer] = [
        Text([[8, 16]], ["Numbers"], size=15, bold=True),
        Text([[8 + 312, 16]], [since], "muted", 12),
    ]
    for row, name in enumerate(MEASURES):
        now, before = result.values[row]
        changed = math.isnan(now) != math.isnan(before) or result.change(name) != 0
        change = "new" if math.isnan(now) != math.isnan(before) else signed_change(result.change(name))
        colour = BLUE if name in ("GAP", "precision") else SKY
        top = 40.0 + ROW * row
        layers += score_row(name, now, change, 8, top, colour=colour, before=before if changed else math.nan, bold=name == "GAP")
    values = ", ".join(f"{name} {number(value)}" for name, value in zip(MEASURES, result.values[:, NOW]))
    return Scene(HALF, TABLE_HEIGHT, None, f"Table of values: {values}.", layers)


def number(value: float) -> str:
    """Return a value with three digits, or "undefined"."""
    return "undefined" if math.isnan(value) else f"{value:.3f}"


_NAME, _CELLS, _COLUMNS = 12.0, (118.0, 262.0), (306.0, 346.0, 402.0)


def draw_systems(state: TheatreState, result: TheatreResult, cast: Cast) -> Scene:
    """Return all systems as they came: the ranked list as a row of cells, and what each measure says about it."""
    heads = Text([[x, 40] for x in _COLUMNS], ["top-1", "mAP", "GAP"], "muted", 12, "right")
    layers: list[Layer] = [Text([[8, 16]], ["Who is rewarded: the systems as they came"], size=15, bold=True), heads]
    layers.append(Text([[_CELLS[0], 40]], ["most confident first"], "muted", 12))
    fields = []
    room = min((TABLE_HEIGHT - 54) / max(len(result.systems), 1), 36.0)
    for row, (name, (gap, accuracy, mean, kinds)) in enumerate(result.systems.items()):
        top = 52 + room * row
        middle = top + room / 2 - 2
        box = (4.0, HALF, top + room - 4, top)
        shown = name == state.preset
        if shown:
            layers.append(Polygons([rectangle(*box)], "panel", "border", 1))
        layers.append(Text([[_NAME, middle]], [name], size=14, bold=shown))
        values = [f"{accuracy:.2f}", "–" if math.isnan(mean) else f"{mean:.2f}", f"{gap:.3f}"]
        layers.append(Text([[x, middle] for x in _COLUMNS[:2]], values[:2], size=14, align="right"))
        layers.append(Text([[_COLUMNS[2], middle]], values[2:], size=14, align="right", bold=True))
        layers += _cells(kinds, middle + 9)
        fields.append(Field(name, box, f"{name}: GAP {gap:.3f} with accuracy {accuracy:.2f}; Enter puts it on the stage"))
    words = ", ".join(f"{name} {gap:.3f}" for name, (gap, *_) in result.systems.items())
    return Scene(HALF, TABLE_HEIGHT, None, f"GAP of the systems as they came: {words}.", layers, (), fields)


def _cells(kinds: tuple[str, ...], base: float) -> list[Layer]:
    """A ranked list as small as a thread: tall for a right answer, low for a mistake."""
    step = min((_CELLS[1] - _CELLS[0]) / max(len(kinds), 1), 8.0)
    layers: list[Layer] = []
    for kind, (_, colour) in SYMBOL.items():
        tall = 18.0 if kind == RIGHT else 7.0
        left = _CELLS[0] + step * np.array([i for i, one in enumerate(kinds) if one == kind])
        layers.append(Polygons([rectangle(x, x + step - 1, base, base - tall) for x in left], colour, "", 0))
    return layers
