"""What the erasing bench draws: the picture with its holes, the map, the scores, and the overlap at every threshold.

Every function here maps a state and its result to a ``Scene``; nothing is decided.
"""

from __future__ import annotations

import matplotlib
import numpy as np

from course_utils.explore.erasing import FILLS, THRESHOLDS, YOURS, Case, ErasingResult, ErasingState
from course_utils.explore.erasing_play import CORNERS
from course_utils.explore.scene import Field, Layer, Mark, Picture, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.plotting import BLUE, GREEN, GREY, VERMILION

SIDE = 400  # pixels, width of every view
LOW = 236  # pixels, height of the two charts
TRUTH, FOUND, PART = BLUE, VERMILION, GREEN
BARS = (108.0, 330.0)  # pixels of score 0 and 1
FILL_SHAPES = dict(zip(FILLS, ("circle", "square", "triangle", "diamond")))
FILL_LEGEND = "   ".join(f"{sign} {fill}" for sign, fill in zip("○□△◇", FILLS))


def _outline(box: tuple[float, ...], colour: str, width: float, dashed: bool = False) -> list[Layer]:
    ring = [rectangle(box[0], box[2], box[3], box[1])]
    return [
        Polygons(ring, outline="#ffffff", width=width + 2.5, opacity=0.7),
        Polygons(ring, outline=colour, width=width, dashed=dashed),
    ]


def _frame(case: Case) -> tuple[int, int, int, tuple[float, float, float, float]]:
    height, width = case.image.shape[-2:]
    return height, width, round(SIDE * height / width), (0.0, float(width), float(height), 0.0)


def picture_scene(state: ErasingState, result: ErasingResult, case: Case, name: str) -> Scene:
    """Return what the network sees, the true box, and handles on the reader's hole."""
    height, width, tall, box = _frame(case)
    layers: list[Layer] = [Picture(result.seen, box), *_outline(tuple(case.box), TRUTH, 1.5, dashed=True)]
    if case.part is not None:
        layers += _outline(tuple(case.part), PART, 1.5, dashed=True)
    for hole in result.rectangles[:64]:
        layers.append(Polygons([rectangle(hole[0], hole[2], hole[3], hole[1])], outline="#ffffff", width=1.5))
    says = f"hides {result.hidden_object:.0%} of the {'animal' if case.part is not None else 'object'}"
    unit = width / SIDE
    layers.append(
        Text(
            [[5 * unit, 12 * unit]],
            [f"{name}: {'your hole' if state.method == YOURS else state.method} {says}"],
            size=13,
            bold=True,
            halo=True,
        )
    )
    marks: list[Mark] = []
    if state.method == YOURS and state.hole:
        left, top, right, bottom = state.hole
        move = {"step": 1.0, "leap": 4.0, "colour": "text"}
        middle = ((left + right) / 2, (top + bottom) / 2)
        marks.append(Mark("hole", *middle, label="the hole, moved as a whole", shape="plus", size=8.0, **move))
        words = {"nw": "upper left", "ne": "upper right", "sw": "lower left", "se": "lower right"}
        for corner, (i, j) in CORNERS.items():
            label = f"{words[corner]} corner of the hole"
            marks.append(Mark(corner, state.hole[i], state.hole[j], label=label, shape="square", size=6.0, **move))
    draft = None if state.draft is None else (state.draft[0], state.draft[2], state.draft[3], state.draft[1])
    label = (
        f"Picture of class {name} with {len(result.rectangles)} holes that hide {result.hidden:.0%} of it; drag to draw a hole."
    )
    return Scene(SIDE, tall, box, label, layers, marks, brush=draft, can_brush=True)


def map_scene(state: ErasingState, result: ErasingResult, case: Case, shown: str) -> Scene:
    """Return the map over the picture, the box that it gives, and the true one."""
    height, width, tall, box = _frame(case)
    grey = result.seen.mean(axis=2, keepdims=True).repeat(3, axis=2)
    pixels = result.seen
    if state.overlay:
        colours = matplotlib.colormaps["viridis"](result.map)[..., :3] * 255
        weight = 0.25 + 0.5 * result.map[..., None]
        pixels = ((1 - weight) * grey + weight * colours).astype(np.uint8)
    layers: list[Layer] = [Picture(np.ascontiguousarray(pixels), box, smooth=state.overlay)]
    layers += _outline(tuple(case.box), TRUTH, 2.0, dashed=True) + _outline(tuple(result.box), FOUND, 3.0)
    unit = width / SIDE
    words = f"map of {shown}: IoU {result.overlap:.2f} (no hole: {result.overlap_before:.2f})"
    layers.append(Text([[5 * unit, 12 * unit]], [words], size=13, bold=True, halo=True))
    label = f"Class activation map of {shown}; its box (solid) overlaps the true box (dashed) with IoU {result.overlap:.2f}."
    return Scene(SIDE, tall, box, label, layers)


def scores_scene(state: ErasingState, result: ErasingResult, case: Case, names: tuple[str, ...]) -> Scene:
    """Return one bar per class, with a line where it stands for the whole picture, and dots for the other fills."""
    left, right = BARS
    shown = case.label if state.shown < 0 else state.shown
    pitch = min(36.0, (LOW - 66) / len(names))
    layers: list[Layer] = [
        Text([[8, 16]], ["Scores: bar with the holes, line without"], size=14, bold=True),
        Text([[left, 38], [right, 38]], ["0", "1"], "muted", 12, "centre"),
    ]
    fields = []
    for k, name in enumerate(names):
        y = 50 + (k + 0.5) * pitch
        now, before = float(result.scores[k]), float(result.scores_before[k])
        colour = TRUTH if k == case.label else GREY
        ring = rectangle(left, left + max(now, 0.002) * (right - left), y + 0.28 * pitch, y - 0.28 * pitch)
        layers.append(Polygons([ring], fill=colour, outline="", width=0))
        at = left + before * (right - left)
        layers.append(Segments([[at, y - 0.42 * pitch]], [[at, y + 0.42 * pitch]], "text", 2.5))
        tail = " (true)" if k == case.label else ""
        layers.append(Text([[left - 6, y]], [name + tail], size=12, align="right", bold=k == shown))
        layers.append(Text([[right + 8, y]], [f"{now:.2f}"], size=13, bold=k == case.label))
        fields.append(Field(f"k{k}", (2.0, SIDE - 2.0, y + pitch / 2, y - pitch / 2), f"{name}: {now:.2f}; show its map"))
    y = 50 + len(names) * pitch + 8
    for fill, value in result.by_fill.items():
        shape = FILL_SHAPES[fill]
        layers.append(
            Points([[left + value * (right - left), y]], TRUTH if fill == state.fill else GREY, 5.0, shape, filled=False)
        )
    layers.append(Text([[left - 6, y]], ["true, 4 fills"], "muted", 12, "right"))
    layers.append(Text([[left - 6, y + 18]], [FILL_LEGEND], "muted", 12))
    label = (
        f"Scores of {len(names)} classes; {names[case.label]}, the true one, stands at {float(result.scores[case.label]):.2f}."
    )
    return Scene(SIDE, LOW, None, label, layers, fields=fields)


def overlap_scene(state: ErasingState, result: ErasingResult) -> Scene:
    """Return the overlap of the map's box with the true one at every threshold, with a handle on the threshold."""
    ys, xs = [0.0, 0.5, 1.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    grid = np.array(THRESHOLDS)
    layers: list[Layer] = [
        Segments([[0.0, y] for y in ys], [[1.0, y] for y in ys], "border", width=1),
        Segments([[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]], "muted", width=1.5),
        Text([[-0.02, y] for y in ys], ["0", "0.5", "1"], "muted", 12, "right"),
        Text([[x, -0.1] for x in xs], [f"{x:g}" for x in xs], "muted", 12, "centre"),
        Text([[0.5, -0.24]], ["threshold of the map"], "muted", 13, "centre"),
        Text([[-0.1, 1.14]], ["IoU of the map's box; dashed: without hole"], size=14, bold=True),
        _line(grid, result.curve_before, GREY, 2.0, dashed=True),
        _line(grid, result.curve, FOUND, 2.5),
        Segments([[state.threshold, 0.0]], [[state.threshold, 1.0]], "text", width=1.5),
    ]
    handle = Mark(
        "t",
        state.threshold,
        0.0,
        label=f"threshold {state.threshold:.2f}, IoU {result.overlap:.2f}",
        tag=f"{state.threshold:.2f}",
        shape="triangle",
        size=8.0,
        step=0.02,
        leap=0.1,
        rail=Rail(((grid[0], 0.0, grid[-1], 0.0, 0.0),)),
    )
    label = f"Overlap of the map's box with the true box at every threshold; {result.overlap:.2f} at {state.threshold:.2f}."
    return Scene(SIDE, LOW, (-0.12, 1.06, -0.34, 1.26), label, layers, [handle])


def _line(x: np.ndarray, y: np.ndarray, colour: str, width: float, dashed: bool = False) -> Segments:
    points = np.column_stack([x, y])
    return Segments(points[:-1], points[1:], colour, width, dashed)
