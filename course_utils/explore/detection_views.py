"""What the detection bench draws: picture, list by confidence, precision and recall, average precision by threshold.

Every function here maps a state and its result to a ``Scene``; nothing is decided. A verdict is shown three times, by
colour, by line style or symbol, and in words.
"""

from __future__ import annotations

import math

import numpy as np

from course_utils.explore.detection import PROTOCOLS, THRESHOLDS, BenchResult, BenchState
from course_utils.explore.scene import Layer, Mark, Picture, Points, Polygons, Rail, Scene, Segments, Text, rectangle
from course_utils.plotting import BLUE, GREEN, GREY, PURPLE, SKY, VERMILION
from course_utils.retrieval.detection_metrics import COCO_IOU_THRESHOLDS

SIDE = 412  # pixels, width of every view: two stand side by side in a notebook beside the file browser
LOW = 300  # pixels, height of the two curves
LOOKS = {  # verdict: colour, symbol, short word
    "true positive": (GREEN, "circle", "true"),
    "false positive": (VERMILION, "cross", "false"),
    "duplicate": (PURPLE, "diamond", "duplicate"),
    "ignored": (GREY, "ring", "ignored"),
}
TRUTH = BLUE
AXIS = (248.0, 368.0)  # pixels of confidence 0 and 1 in the list
TOP = 62.0  # pixels above the list's first row
LEVELS = {"voc2007": 11, "coco": 101}
CORNERS = {"nw": (0, 1), "ne": (2, 1), "sw": (0, 3), "se": (2, 3)}
CORNER_NAMES = {"nw": "upper left", "ne": "upper right", "sw": "lower left", "se": "lower right"}


def letter(k: int) -> str:
    """Return the name of an object.

    >>> letter(0), letter(2)
    ('A', 'C')
    """
    return chr(ord("A") + k)


def number(value: float) -> str:
    """Return two decimals without a leading zero problem, or a dash where there is no number.

    >>> number(0.5), number(float("nan"))
    ('0.50', '-')
    """
    return "-" if math.isnan(value) else f"{value:.2f}"


# ---- the picture -----------------------------------------------------------------------------------------------


def _outline(box: tuple[float, ...], colour: str, width: float, dashed: bool = False) -> list[Layer]:
    ring = [rectangle(box[0], box[2], box[3], box[1])]
    return [
        Polygons(ring, outline="#ffffff", width=width + 2.5, opacity=0.75),
        Polygons(ring, outline=colour, width=width, dashed=dashed),
    ]


def picture_scene(state: BenchState, result: BenchResult, pixels: np.ndarray) -> Scene:
    """Return the picture (H, W, 3) with true boxes (thin, letters) and predicted boxes (numbers)."""
    height, width = pixels.shape[:2]
    unit = width / SIDE  # data units per pixel of the view
    layers: list[Layer] = [Picture(pixels, (0.0, width, height, 0.0), smooth=True, keep="bench")]
    marks: list[Mark] = []
    step = max(width, height) / 192
    move = {"step": step, "leap": 8 * step}
    for k, box in enumerate(state.objects):
        missed = result.found_by[k] < 0 and not box[4]
        layers += _outline(box, TRUTH, 1.5, dashed=missed or box[4] > 0)
        if missed:
            ends = np.array([[box[0], box[1]], [box[0], box[3]]]), np.array([[box[2], box[3]], [box[2], box[1]]])
            layers.append(Segments(*ends, TRUTH, width=1.0, dashed=True))
        says = f"{letter(k)} difficult" if box[4] else f"{letter(k)} missed" if missed else letter(k)
        look = {"colour": TRUTH, "shape": "square", "size": 5.0, "filled": False}
        marks.append(Mark(f"o{k}", box[0], box[1], label=f"true box {says}", tag=says, **look, **move))
    for d in result.order[::-1].tolist():  # the most confident box on top
        colour, shape, word = LOOKS[result.verdicts[d]]
        box = state.detections[d]
        layers += _outline(box, colour, 3.0, dashed=word != "true")
        if word == "duplicate":  # a double line
            inner = 5 * unit
            if min(box[2] - box[0], box[3] - box[1]) > 3 * inner:
                layers.append(
                    Polygons([rectangle(box[0] + inner, box[2] - inner, box[3] - inner, box[1] + inner)], outline=colour)
                )
    for d, box in enumerate(state.detections):
        colour, shape, word = LOOKS[result.verdicts[d]]
        label = f"predicted box {d + 1}, confidence {number(box[4])}, {result.verdicts[d]}"
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        marks.append(Mark(f"d{d}", x, y, label=label, tag=f"{d + 1} {word}", colour=colour, shape=shape, size=7.0, **move))
    if state.chosen:
        box = (state.detections if state.chosen[0] == "d" else state.objects)[int(state.chosen[1:])]
        whose = f"box {int(state.chosen[1:]) + 1}" if state.chosen[0] == "d" else f"true box {letter(int(state.chosen[1:]))}"
        for name, (i, j) in CORNERS.items():
            if state.chosen[0] == "o" and name == "nw":
                continue  # there stands the handle that moves a true box
            label = f"{CORNER_NAMES[name]} corner of {whose}"
            look = {"colour": "text", "shape": "square", "size": 6.0, "parent": state.chosen}
            marks.append(Mark(name, box[i], box[j], label=label, **look, **move))
    draft = None if state.draft is None else (state.draft[0], state.draft[2], state.draft[1], state.draft[3])
    return Scene(
        SIDE,
        round(SIDE * height / width),
        (0.0, float(width), float(height), 0.0),
        f"Picture with {len(state.objects)} true boxes (blue, letters) and {len(state.detections)} predicted boxes (numbers).",
        layers,
        marks,
        brush=draft,
        can_brush=True,
        can_tap=True,
    )


# ---- the list --------------------------------------------------------------------------------------------------


def list_scene(state: BenchState, result: BenchResult, height: int) -> Scene:
    """Return the detections by confidence: one row each, with a handle on the confidence axis."""
    left, right = AXIS
    layers: list[Layer] = [
        Text([[8, 18]], ["Detections, the most confident first"], size=15, bold=True),
        Text([[left, 42], [right, 42]], ["0", "1"], colour="muted", size=12, align="centre"),
        Text([[(left + right) / 2, 42]], ["confidence"], colour="muted", size=12, align="centre"),
    ]
    n = len(state.detections)
    if not n:
        layers.append(Text([[8, TOP + 12]], ["No detection. Draw one in the picture, or press Add a box."], colour="muted"))
    pitch = min(44.0, (height - TOP - 6) / max(n, 1))
    marks, hits, passed = [], 0, 0
    for row, d in enumerate(result.order.tolist()):
        verdict = result.verdicts[d]
        colour, shape, _ = LOOKS[verdict]
        y = TOP + (row + 0.5) * pitch
        passed += verdict != "ignored"
        hits += verdict == "true positive"
        partner = result.matched[d] if result.matched[d] >= 0 else result.nearest[d]
        whom = f" {letter(partner)}" if partner >= 0 and verdict != "false positive" else ""
        nearest = f"IoU {result.iou[d]:.2f}" + (f" with {letter(partner)}" if partner >= 0 else "")
        sums = (
            f", precision {hits}/{passed}, recall {hits}/{result.n_objects}" if verdict != "ignored" and result.n_objects else ""
        )
        gap = min(8.0, pitch / 4)
        star = " *" if state.compare and d in result.rule_differs else ""
        layers.append(Text([[8, y - gap]], [f"{d + 1}  {verdict}{whom}{star}"], size=13, bold=True))
        layers.append(Text([[8, y + gap]], [nearest + sums], colour="muted", size=11))
        layers.append(Segments([[left, y]], [[right, y]], "border", width=2))
        x = left + (right - left) * state.detections[d][4]
        rail = Rail(((left, y, right, y, 0.0),))
        label = f"confidence {number(state.detections[d][4])} of box {d + 1}, rank {row + 1}, {verdict}"
        handle = {"step": 0.01 * (right - left), "leap": 0.1 * (right - left), "rail": rail, "size": 7.0}
        marks.append(Mark(f"c{d}", x, y, label=label, tag=number(state.detections[d][4]), colour=colour, shape=shape, **handle))
    if state.compare and result.rule_differs:
        layers.append(
            Text([[right + 30, 18]], [f"* differs under {result.other_protocol}"], colour="muted", size=12, align="right")
        )
    return Scene(SIDE, height, None, f"List of {n} detections by confidence; drag a handle to change one.", layers, marks)


# ---- the curves ------------------------------------------------------------------------------------------------


def _axes(x_ticks: list[float], x_name: str, y_name: str, left: float, right: float) -> list[Layer]:
    """Return frame, ticks and names of a chart; data coordinates, y from 0 to 1."""
    wide = right - left
    ys = [0.0, 0.5, 1.0]
    layers: list[Layer] = [
        Segments([[left, y] for y in ys], [[right, y] for y in ys], "border", width=1),
        Segments([[left, 0.0]], [[left, 1.0]], "muted", width=1.5),
        Segments([[left, 0.0]], [[right, 0.0]], "muted", width=1.5),
        Text([[left - 0.02 * wide, y] for y in ys], ["0", "0.5", "1"], "muted", 12, "right"),
        Text([[x, -0.075] for x in x_ticks], [f"{x:g}" for x in x_ticks], "muted", 12, "centre"),
        Text([[(left + right) / 2, -0.16]], [x_name], "muted", 13, "centre"),
        Text([[left - 0.1 * wide, 1.09]], [y_name], "muted", 13),
    ]
    return layers


def curve_scene(state: BenchState, result: BenchResult) -> Scene:
    """Return precision against recall: the list's points, the envelope, and where the protocol reads it."""
    layers = _axes([0.0, 0.5, 1.0], "recall", "precision", 0.0, 1.0)
    value = number(result.average_precision)
    title = f"AP at IoU {state.iou_threshold:.2f} = {value}  ({state.protocol})"
    layers.append(Text([[0.13, 1.17]], [title], size=15, bold=True))
    if len(result.recall):
        recall, envelope = result.recall, result.envelope
        left = np.concatenate([[0.0], recall[:-1]])
        wide = np.flatnonzero(recall > left)
        areas = [rectangle(left[i], recall[i], 0.0, envelope[i]) for i in wide]
        layers.append(Polygons(areas, fill=SKY, outline="", width=0, opacity=0.35))
        layers.append(Segments(np.c_[left, envelope][wide], np.c_[recall, envelope][wide], BLUE, width=3))
        before = np.concatenate([[[0.0, result.precision[0]]], np.c_[recall, result.precision][:-1]])
        layers.append(Segments(before, np.c_[recall, result.precision], "muted", width=1.5, dashed=True))
        levels = LEVELS.get(PROTOCOLS[state.protocol][0], 0)
        if levels:
            u = np.arange(levels)
            hits = np.round(recall * result.n_objects).astype(int)
            # first point whose recall reaches the level, compared in whole numbers; beyond the last the envelope is 0
            first = np.searchsorted((levels - 1) * hits, u * result.n_objects)
            heights = np.append(envelope, 0.0)[first]
            size = 4.0 if levels == 11 else 1.6
            layers.append(Points(np.c_[u / (levels - 1), heights], BLUE, size, outline="background" if levels == 11 else ""))
        for verdict in ("false positive", "duplicate", "true positive"):
            mine = [i for i, d in enumerate(result.counted) if result.verdicts[d] == verdict]
            if mine:
                colour, shape, _ = LOOKS[verdict]
                xy = np.c_[recall, result.precision][mine]
                layers.append(Points(xy, colour, 6.0, shape))
                names = [str(result.counted[i] + 1) for i in mine]
                layers.append(Text(xy + [0.018, -0.055], names, size=12, bold=True, halo=True))
    else:
        says = "No object counts: recall has no value." if not result.n_objects else "Nothing in the list: nothing is found."
        layers.append(Text([[0.5, 0.5]], [says], "muted", 14, "centre"))
    label = f"Precision against recall; average precision {value}."
    return Scene(SIDE, LOW, (-0.13, 1.07, -0.22, 1.25), label, layers)


def threshold_scene(state: BenchState, result: BenchResult) -> Scene:
    """Return average precision against the IoU threshold, with a handle on the threshold."""
    low, high = THRESHOLDS[0], THRESHOLDS[-1]
    layers = _axes([0.1, 0.3, 0.5, 0.75, 1.0], "IoU threshold", "AP", low, high)
    title = f"AP50 {number(result.ap50)}   AP75 {number(result.ap75)}   AP50:95 {number(result.ap50_95)}"
    layers.append(Text([[low + 0.06, 1.17]], [title], size=15, bold=True))
    handle = Mark(
        "t",
        state.iou_threshold,
        0.0,
        label=f"IoU threshold {state.iou_threshold:.2f}",
        tag=f"{state.iou_threshold:.2f}",
        shape="triangle",
        size=8.0,
        step=0.01,
        leap=0.1,
        rail=Rail(((low, 0.0, high, 0.0, 0.0),)),
    )
    if result.n_objects:
        grid = np.array(THRESHOLDS)
        if state.compare:
            layers.append(_stair(grid, result.other_curve, GREY, 3, dashed=True))
            if np.abs(result.curve - result.other_curve).max() > 1e-9:
                layers.append(Text([[low + 0.01, -0.16]], [f"grey: {result.other_protocol}"], GREY, 12))
        layers.append(_stair(grid, result.curve, BLUE, 2.5))
        ten = np.array(COCO_IOU_THRESHOLDS)
        at = result.curve[np.round(100 * ten).astype(int) - round(100 * low)]
        layers.append(Segments([[0.5, result.ap50_95]], [[0.95, result.ap50_95]], GREEN, width=2, dashed=True))
        layers.append(Points(np.c_[ten, at], BLUE, 5.0))
        y = result.ap50_95 + (0.06 if result.ap50_95 < 0.5 else -0.07)  # away from the curve
        layers.append(Text([[0.955, y]], ["mean of the ten dots"], GREEN, 12, "right", halo=True))
    else:
        layers.append(Text([[(low + high) / 2, 0.5]], ["No object counts: AP has no value."], "muted", 14, "centre"))
    layers.append(Segments([[state.iou_threshold, 0.0]], [[state.iou_threshold, 1.0]], "text", width=1.5))
    label = f"Average precision against the IoU threshold: {title}."
    return Scene(SIDE, LOW, (low - 0.13 * 0.95, high + 0.07 * 0.95, -0.22, 1.25), label, layers, [handle])


def _stair(x: np.ndarray, y: np.ndarray, colour: str, width: float, dashed: bool = False) -> Segments:
    """Return a staircase: ``y[i]`` holds from ``x[i - 1]`` (left out) up to ``x[i]``, because a threshold is included."""
    level = np.flatnonzero(np.append(np.diff(y) != 0, True))  # the right end of each step
    first = np.concatenate([[0], level[:-1]])
    flat = np.c_[x[first], y[level]], np.c_[x[level], y[level]]
    rise = np.c_[x[level[:-1]], y[level[:-1]]], np.c_[x[level[:-1]], y[level[1:]]]
    return Segments(np.concatenate([flat[0], rise[0]]), np.concatenate([flat[1], rise[1]]), colour, width, dashed)
