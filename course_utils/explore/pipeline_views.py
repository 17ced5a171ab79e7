"""The four pictures of the pipeline bench: shelf and row, the picture, its outcomes, and what was measured.

What lies on a picture means the same everywhere: a solid frame is the box, a dotted line the mask, a triangle a left key point,
a square a right one, a circle any other. A box that is dropped is a dashed frame with a cross.
"""

from __future__ import annotations

import textwrap

import numpy as np

from course_utils.explore.pipeline import MAX_CHIPS, PipelineResult, PipelineState, times
from course_utils.explore.pipeline_operations import LAST, OPERATIONS, SPACE, STEP, stretches
from course_utils.explore.pipeline_outcomes import COPIES, Outcomes
from course_utils.explore.pipeline_pictures import NAMES, SIDES, SIZE, picture
from course_utils.explore.pipeline_play import (
    CARD_HEIGHT,
    CARD_WIDTH,
    KNOB,
    KNOB_REACH,
    KNOB_Y,
    PITCH,
    ROW_Y,
    SHELF,
    gap_at,
    in_row,
    place_x,
    shelf_rows,
)
from course_utils.explore.scene import Card, Field, Layer, Mark, Picture, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.plotting import BLUE, GREEN, ORANGE, PURPLE, VERMILION

WIDTH = 828
ROW_HEIGHT, START_WIDTH, GRID_WIDTH, GRID_HEIGHT, CHECK_HEIGHT = 224, 236, 584, 314, 180
COLOURS = {SPACE: BLUE, "colour": VERMILION, LAST: PURPLE}
SHELF_Y = {"space": 36.0, "colour": 72.0}
_SHELF_WIDTH, _SHELF_HEIGHT, _SHELF_PITCH, _SHELF_LEFT = 92.0, 28.0, 95.0, 108.0


# ---- shelf and row ----------------------------------------------------------------------------------------------


def draw_row(state: PipelineState, result: PipelineResult) -> Scene:
    """Return the shelf with every operation, and the row of chips that the picture goes through."""
    n, now = len(state.chips), result.now
    layers: list[Layer] = [
        Text([[8, 12]], ["Shelf: drag a chip into the row below, or press it"], size=13, bold=True),
        Text([[8, y] for y in SHELF_Y.values()], list(SHELF_Y), "muted", 13),
        *_row_ground(state, result),
    ]
    marks: list[Mark] = []
    for i in sorted(range(n), key=lambda place: state.names[place]):
        marks += _chip_marks(state, i, now)
    for row, operations in shelf_rows():
        for i, operation in enumerate(operations):
            marks.append(_shelf_mark(state, operation, _SHELF_LEFT + _SHELF_PITCH * i, SHELF_Y[row]))
    names = ", then ".join(chip.operation for chip in state.chips) or "no chip"
    label = f"Shelf of {len(OPERATIONS)} operations and a row of {n} chips: {names}."
    return Scene(WIDTH, ROW_HEIGHT, None, label, layers, marks)


def _row_ground(state: PipelineState, result: PipelineResult) -> list[Layer]:
    n, now = len(state.chips), result.now
    left, right = place_x(0) - PITCH / 2, place_x(MAX_CHIPS - 1) + PITCH / 2
    count = "1 chip" if n == 1 else f"{n} chips"
    layers: list[Layer] = [
        Text([[8, 106]], [f"Pipeline: {count}; the pixels are resampled {times(now.n_resamplings)}"], size=13, bold=True),
        Polygons(
            [rectangle(left - 2, right + 2, ROW_Y + CARD_HEIGHT / 2 + 6, ROW_Y - CARD_HEIGHT / 2 - 6)],
            "",
            "border",
            1.5,
            dashed=True,
        ),
        Text([[8, ROW_Y]], ["picture"], "muted", 13),
        Segments([[right + 4, ROW_Y]], [[WIDTH - 4, ROW_Y]], "muted", 2, arrow=True),
    ]
    if not n:
        layers.append(Text([[(left + right) / 2, ROW_Y]], ["empty: every outcome is the picture itself"], "muted", 14, "centre"))
    ends = np.array([[place_x(i) + CARD_WIDTH / 2, ROW_Y] for i in range(n - 1)]).reshape(-1, 2)
    layers.append(Segments(ends, ends + [PITCH - CARD_WIDTH, 0], "muted", 2))
    below = ROW_Y + CARD_HEIGHT / 2 + 13
    for step in stretches(state.chips, state.fuse):
        if len(step) > 1:
            a, b = place_x(step[0]) - CARD_WIDTH / 2, place_x(step[-1]) + CARD_WIDTH / 2
            layers.append(Segments([[a, below]], [[b, below]], BLUE, 3))
            layers.append(Text([[(a + b) / 2, below + 11]], ["one map: resampled once"], size=12, align="centre"))
    if now.refused:
        words = ["the library stops here"]
        layers.append(Text([[place_x(now.refused_at), below + 6]], words, size=12, align="centre", bold=True))
    if state.held.startswith(SHELF) and in_row(state.at[1]) and n < MAX_CHIPS:
        x = place_x(gap_at(state.at[0], n)) - PITCH / 2
        layers.append(Segments([[x, ROW_Y - 40]], [[x, ROW_Y + 40]], GREEN, 5))
    if state.held in tuple(state.names) and not in_row(state.at[1]):
        layers.append(Text([[WIDTH - 8, 106]], ["let go to take the chip out"], size=13, align="right", bold=True))
    elif n >= MAX_CHIPS:
        layers.append(Text([[WIDTH - 8, 106]], [f"the row is full: {MAX_CHIPS} chips"], "muted", 12, "right"))
    elif state.place >= 0:
        words = f"the sliders set the grey chip, {state.chips[state.place].kind.title}"
        layers.append(Text([[WIDTH - 8, 106]], [words], "muted", 12, "right"))
    return layers


def _chip_marks(state: PipelineState, place: int, now: Outcomes) -> list[Mark]:
    chip, letter = state.chips[place], state.names[place]
    kind, colour = chip.kind, COLOURS[chip.kind.group]
    held = state.held == letter
    x, y = state.at if held else (place_x(place), ROW_Y)
    note = kind.note(chip.strength)
    level = chip.strength if kind.scalable else None
    title = kind.title + (f"  p {chip.chance:.2g}" if kind.transform else "")
    where = f"place {place + 1} of {len(state.chips)}"
    refused = ", refused by the library" if place == now.refused_at else ""
    label = f"chip {kind.title}, {note}, chance {chip.chance:.2f}, {where}{refused}; arrow left and right move it, arrow up takes it out"
    card = Card(CARD_WIDTH, CARD_HEIGHT, title, note, level)
    look = {"colour": colour, "filled": letter == state.chosen, "card": card, "step": PITCH, "leap": 2 * PITCH}
    marks = [Mark(letter, x, y, label, **look)]
    if kind.scalable:
        start, bar = x - KNOB_REACH, y + KNOB_Y
        rail = Rail(((start, bar, start + 2 * KNOB_REACH, bar, 0.0),))
        told = f"strength of {kind.title}, {100 * chip.strength:.0f} percent, {note}"
        step = {"step": STEP * 2 * KNOB_REACH, "leap": 4 * STEP * 2 * KNOB_REACH}
        at = start + 2 * KNOB_REACH * chip.strength
        marks.append(Mark(letter + KNOB, at, bar, told, colour=colour, size=6.0, rail=rail, parent=letter, **step))
    return marks


def _shelf_mark(state: PipelineState, operation: str, x: float, y: float) -> Mark:
    kind, name = OPERATIONS[operation], SHELF + operation
    x, y = state.at if state.held == name else (x, y)
    label = f"{kind.title} on the shelf; Enter puts it at the end of the row, arrow down takes it there"
    card = Card(_SHELF_WIDTH, _SHELF_HEIGHT, kind.title)
    return Mark(name, x, y, label, colour=COLOURS[kind.group], filled=False, card=card, step=PITCH, leap=2 * PITCH)


# ---- pictures ---------------------------------------------------------------------------------------------------

_INK, _LIGHT = np.array([20, 20, 20], np.uint8), np.array([255, 235, 60], np.uint8)
_DOTS = (np.indices((SIZE, SIZE)).sum(0) // 2) % 2 == 0


def outlined(pixels: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return pictures (N, H, W, 3) with a line of dark and light dots around their masks (N, H, W)."""
    padded = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    around = padded[:, :-2, 1:-1] | padded[:, 2:, 1:-1] | padded[:, 1:-1, :-2] | padded[:, 1:-1, 2:]
    edge = around & ~masks
    painted = pixels.copy()
    painted[edge & _DOTS] = _LIGHT
    painted[edge & ~_DOTS] = _INK
    return painted


def truth_layers(boxes: np.ndarray, kept: np.ndarray, keypoints: np.ndarray, places: np.ndarray, scale: float) -> list[Layer]:
    """Return the boxes and key points of pictures whose upper left corners stand at ``places`` (N, 2)."""
    shift = places[:, None]  # (N, 1, 2)
    rings = [scale * rectangle(x1, x2, y2, y1) + place for (x1, y1, x2, y2), place in zip(boxes, places)]
    layers: list[Layer] = []
    for chosen, dashed in ((kept, False), (~kept, True)):
        some = [ring for ring, one in zip(rings, chosen) if one]
        if some:
            layers += [Polygons(some, "", "#141414", 4), Polygons(some, "", ORANGE, 2, dashed=dashed)]
    inside = ((keypoints >= 0) & (keypoints <= SIZE)).all(-1)  # False for NaN
    at = scale * np.nan_to_num(keypoints) + shift  # (N, 7, 2)
    left, right = [pair[0] for pair in SIDES], [pair[1] for pair in SIDES]
    other = [k for k in range(keypoints.shape[1]) if k not in (*left, *right)]
    for names, shape, colour in ((left, "triangle", BLUE), (right, "square", VERMILION), (other, "circle", GREEN)):
        shown = at[:, names][inside[:, names]]
        if len(shown):
            layers.append(Points(shown, colour, 5, shape, outline="#ffffff"))
    return layers


def _frame(places: np.ndarray, side: float, i: int, colour: str = "text", width: float = 4) -> Layer:
    x, y = places[i]
    return Polygons([rectangle(x - 2, x + side + 2, y + side + 2, y - 2)], "", colour, width)


_START_SIDE, _THUMB = 172.0, 34.0


def draw_start(state: PipelineState, result: PipelineResult) -> Scene:
    """Return the picture with its truth, and the other pictures below it."""
    toy = picture(state.picture)
    here = np.array([[8.0, 30.0]])
    pixels = outlined(toy.image.permute(1, 2, 0).numpy()[None], toy.mask.numpy()[None])[0]
    layers: list[Layer] = [
        Text([[8, 14]], [f"The picture: {toy.label}"], size=15, bold=True),
        Picture(pixels, _extent(here[0], _START_SIDE)),
        *truth_layers(toy.box.numpy(), np.array([True]), toy.keypoints.numpy()[None], here, _START_SIDE / SIZE),
        *_legend(),
    ]
    fields = []
    for i, name in enumerate(NAMES):
        x, y = 8 + (_THUMB + 3.2) * i, 274.0
        layers.append(
            Picture(picture(name).image.permute(1, 2, 0).numpy(), _extent((x, y), _THUMB), smooth=True, keep=f"thumb {name}")
        )
        if name == state.picture:
            layers.append(_frame(np.array([[x, y]]), _THUMB, 0, "text", 3))
        fields.append(Field(name, (x, x + _THUMB, y + _THUMB, y), f"picture of {name}: Enter sends it through the pipeline"))
    layers.append(Text([[8, 261]], ["other pictures"], "muted", 12))
    return Scene(
        START_WIDTH,
        GRID_HEIGHT,
        None,
        f"The picture that goes in: {toy.label}, with box, mask and key points.",
        layers,
        (),
        fields,
    )


def _legend() -> list[Layer]:
    y, x = 216.0, 8.0
    return [
        Polygons([rectangle(x, x + 14, y + 5, y - 5)], "", ORANGE, 2),
        Text([[x + 19, y]], ["box"], size=12),
        Segments([[x + 50, y]], [[x + 66, y]], "text", 2, dashed=True),
        Text([[x + 71, y]], ["mask"], size=12),
        Points([[x + 118, y]], GREEN, 5, "circle"),
        Text([[x + 128, y]], ["key point"], size=12),
        Points([[x + 7, y + 20]], BLUE, 5, "triangle"),
        Text([[x + 19, y + 20]], ["left one"], size=12),
        Points([[x + 84, y + 20]], VERMILION, 5, "square"),
        Text([[x + 96, y + 20]], ["right one of a pair"], size=12),
    ]


_CELL, _GAP_X, _GAP_Y = 126.0, 142.0, 144.0


def _extent(place: np.ndarray | tuple[float, float], side: float) -> tuple[float, float, float, float]:
    x, y = float(place[0]), float(place[1])
    return x, x + side, y + side, y


def draw_grid(state: PipelineState, result: PipelineResult) -> Scene:
    """Return the outcomes with box, mask and key points, and under each how much of the object is in sight."""
    now, label = result.now, picture(state.picture).label
    places = np.array([[10 + _GAP_X * (i % 4), 26 + _GAP_Y * (i // 4)] for i in range(COPIES)])
    pixels = outlined(now.pixels, now.masks)
    layers: list[Layer] = [
        Text([[10, 12]], [f"{COPIES} outcomes, seed {state.seed}"], size=15, bold=True),
        Text([[GRID_WIDTH - 8, 12]], ["below: how much of the object is in sight"], "muted", 12, "right"),
        *(Picture(one, _extent(place, _CELL)) for one, place in zip(pixels, places)),
        *truth_layers(now.boxes, now.kept, now.keypoints, places, _CELL / SIZE),
        _frame(places, _CELL, state.outcome),
    ]
    fields = []
    for i, (place, visible, read) in enumerate(zip(places, now.visible, now.reads)):
        x, y = float(place[0]), float(place[1])
        below = [x + 1, y + _CELL + 9]
        words = f"{100 * visible:.0f} %"
        layers.append(Text([below], [words], size=12, bold=True))
        told = f"outcome {i + 1}, {words} of the object in sight"
        if read != label:
            layers.append(Text([[x + _CELL - 1, y + _CELL + 9]], [f"✗ {read}"], size=12, align="right", bold=True))
            told += f", reads as {read}"
        if not now.kept[i]:
            middle = [x + _CELL / 2, y + _CELL / 2]
            layers.append(Points([middle], VERMILION, 16, "cross"))
            layers.append(Text([[middle[0], y + _CELL - 10]], ["box dropped"], size=12, align="centre", bold=True, halo=True))
            told += ", its box is dropped"
        fields.append(Field(f"outcome {i + 1}", _extent(place, _CELL), f"{told}; Enter looks at it more closely"))
    about = f"{COPIES} outcomes: on average {100 * now.mean_visible:.0f} % of the object in sight, {now.n_dropped} boxes dropped."
    return Scene(GRID_WIDTH, GRID_HEIGHT, None, about, layers, (), fields)


# ---- what was measured ------------------------------------------------------------------------------------------

_SIDE = 102.0
_NUMBERS, _RULES = 300.0, 560.0


def draw_check(state: PipelineState, result: PipelineResult) -> Scene:
    """Return the effect of the order on one outcome, the numbers and what changed, and the rules."""
    layers = [*_order_layers(state, result), *_number_layers(result), *_rule_layers(result)]
    edges = np.array([[_NUMBERS - 10, 6.0], [_RULES - 10, 6.0]])
    layers.append(Segments(edges, edges + [0, CHECK_HEIGHT - 12], "border", 1))
    rules = "no rule broken" if not result.warnings else f"{len(result.warnings)} warnings: {' '.join(result.warnings)}"
    return Scene(
        WIDTH, CHECK_HEIGHT, None, f"Effect of the order, numbers and rules: {order_words(state, result)} {rules}", layers
    )


def order_words(state: PipelineState, result: PipelineResult) -> str:
    """Return in one sentence what an exchange of two neighbours would do to the outcome that is looked at."""
    if result.order is None:
        return "The order is compared when you let go." if state.held else "No two neighbours to compare."
    first, second = (state.chips[result.order.place + i].operation for i in (0, 1))
    if result.order.refused:
        return f"The library refuses {second} before {first}."
    if result.order.differ == 0:
        return f"{second.capitalize()} before {first} gives outcome {state.outcome + 1} to the pixel."
    return f"With {second} before {first}, {100 * result.order.differ:.0f} % of outcome {state.outcome + 1}'s pixels differ."


def _order_layers(state: PipelineState, result: PipelineResult) -> list[Layer]:
    layers: list[Layer] = [Text([[8, 14]], [f"Outcome {state.outcome + 1}: the order"], size=15, bold=True)]
    effect = result.order
    if effect is None and state.held:
        shown = outlined(result.now.pixels[state.outcome, None], result.now.masks[state.outcome, None])[0]
        layers.append(Picture(shown, _extent((8.0, 42.0), _SIDE)))
        return [*layers, Text([[158, 60]], ["let go to compare"], "muted", 13)]
    if effect is None:
        words = "the library refuses this pipeline" if result.now.refused else "two chips make an order"
        return [*layers, Text([[8, 44]], [words], "muted", 13)]
    names = [state.chips[effect.place + i].kind.title for i in (0, 1)]
    one = result.now
    if effect.refused:
        lines = [f"{names[1]} before {names[0]}:", "the library refuses this"]
        return [*layers, Text([[8, 44], [8, 62]], lines, size=13)]
    places = np.array([[8.0, 42.0], [8.0 + 150.0, 42.0]])
    pixels = [one.pixels[state.outcome], effect.other.pixels[0]]
    masks = np.stack([one.masks[state.outcome], effect.other.masks[0]])
    for i, drawn in enumerate(outlined(np.stack(pixels), masks)):
        order = names if i == 0 else names[::-1]
        layers.append(Picture(drawn, _extent(places[i], _SIDE)))
        layers.append(Text([[places[i][0], 31]], [" → ".join(order)], size=12, bold=i == 0))
    seen = [float(one.visible[state.outcome]), float(effect.other.visible[0])]
    words = [f"{100 * value:.0f} % in sight" for value in seen]
    layers.append(Text(places + [0, _SIDE + 9], words, size=12))
    same = "the same pixels" if effect.differ == 0 else f"{100 * effect.differ:.0f} % of the pixels differ"
    layers.append(Text([[8, CHECK_HEIGHT - 8]], [f"same draws: {same}"], size=12, bold=True))
    return layers


def _number_layers(result: PipelineResult) -> list[Layer]:
    now, old = result.now, result.old
    layers: list[Layer] = [
        Text([[_NUMBERS, 14]], ["All outcomes"], size=15, bold=True),
        Text([[_RULES - 20, 14]], ["change"], "muted", 12, "right"),
    ]
    table = (
        (
            "object in sight",
            f"{100 * now.mean_visible:.0f} %",
            _change(100 * (now.mean_visible - old.mean_visible), 0, " points"),
        ),
        ("box / tight box", _ratio(now.mean_loose), _change(now.mean_loose - old.mean_loose, 2)),
        ("boxes dropped", f"{now.n_dropped} of {COPIES}", _change(now.n_dropped - old.n_dropped, 0)),
        ("resamplings", str(now.n_resamplings), _change(now.n_resamplings - old.n_resamplings, 0)),
    )
    for row, (words, value, change) in enumerate(table):
        y = 42 + 32 * row
        layers.append(Text([[_NUMBERS, y]], [words], size=13))
        layers.append(Text([[_NUMBERS, y + 15]], [value], size=14, bold=True))
        look = ("muted", 13, "right") if change == "same" else ("text", 13, "right", True)
        layers.append(Text([[_RULES - 20, y + 15]], [change], *look))
    return layers


def _ratio(value: float) -> str:
    return "no box" if np.isnan(value) else f"{value:.2f}"


def _change(change: float, digits: int, unit: str = "") -> str:
    """Return a change with an arrow and a sign; "same" if it rounds to nothing, "new" if there was no number before or is none."""
    if np.isnan(change):
        return "new"
    size = f"{abs(change):.{digits}f}"
    if float(size) == 0:
        return "same"
    return f"{'▲ +' if change > 0 else '▼ −'}{size}{unit}"


def _rule_layers(result: PipelineResult) -> list[Layer]:
    layers: list[Layer] = [Text([[_RULES, 14]], ["Rules"], size=15, bold=True)]
    if not result.warnings:
        layers.append(Points([[_RULES + 8, 42]], GREEN, 8, "tick"))
        layers.append(Text([[_RULES + 24, 42]], ["no rule is broken"], size=13))
        return layers
    y = 38.0
    for warning in result.warnings:
        lines = textwrap.wrap(warning, 40)
        if y + 15 * len(lines) > CHECK_HEIGHT + 4:
            layers.append(Text([[_RULES + 20, y]], ["and more: see the sentence below"], "muted", 12))
            break
        layers.append(Points([[_RULES + 8, y]], VERMILION, 6, "cross"))
        layers.append(Text([[_RULES + 20, y + 15 * i] for i in range(len(lines))], lines, size=12))
        y += 15 * len(lines) + 7
    return layers
