"""What the mixer bench draws: the mixture with its handles, the shelf of pictures, the label, and what the network says.

Every function here maps a state and its result to a ``Scene``; nothing is decided.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from course_utils.augment.mixing_figures import PAIR
from course_utils.explore.mixer import CORNERS, CUT, PAINT, PATCH, SMOOTH, SQUARE, MixerResult, MixerState, title_of
from course_utils.explore.scene import Field, Layer, Mark, Picture, Points, Polygons, Scene, Text, rectangle
from course_utils.plotting import GREY

SIDE, SHELF, BARS, LOW = 400, 836, 428, 236  # pixels: the mixture, the widths of shelf and bars, the height of the bars
MASK = 128  # the longer side of the mask below the bars
RIGHT = 0.005  # an error that is shown as 0.00
COLUMNS = 8


POINTS = {
    SMOOTH: "the middle of the spot",
    SQUARE: "the middle of the square",
    PATCH: "the point where four crops meet",
}


def mixture_scene(state: MixerState, result: MixerResult) -> Scene:
    """Return the mixed picture, with handles on what the method lets the reader move."""
    height, width = result.mixed.shape[:2]
    layers: list[Layer] = [
        Picture(_grey(result.share) if state.masked else result.mixed, (0.0, float(width), float(height), 0.0))
    ]
    marks: list[Mark] = []
    move = {"step": 1.0, "leap": 4.0, "colour": PAIR[1] if state.masked else "text"}
    if state.preset == CUT:
        left, top, right, bottom = result.kept
        layers.append(Polygons([rectangle(left, right, bottom, top)], outline=GREY if state.masked else "#ffffff", width=2.0))
        left, top, right, bottom = state.box
        middle = min(max((left + right) / 2, 0), width), min(max((top + bottom) / 2, 0), height)
        marks.append(Mark("box", *middle, label="the box, moved as a whole", shape="plus", size=8.0, **move))
        words = {"nw": "upper left", "ne": "upper right", "sw": "lower left", "se": "lower right"}
        for name, (i, j) in CORNERS.items():
            x, y = state.box[i], state.box[j]
            if 0 <= x <= width and 0 <= y <= height:
                marks.append(Mark(name, x, y, label=f"{words[name]} corner of the box", shape="square", size=6.0, **move))
    if state.preset in POINTS:
        what = POINTS[state.preset]
        marks.append(Mark("point", *state.point, label=what, shape="plus", size=9.0, **move))
    draft = None if state.draft is None else (state.draft[0], state.draft[2], state.draft[3], state.draft[1])
    parts = ", ".join(f"{weight:.0%}" for weight in result.weights)
    label = f"Mixture by {title_of(state.preset)}; the pictures count {parts}."
    box = (0.0, float(width), float(height), 0.0)
    can_brush = state.preset in (CUT, PAINT)
    return Scene(SIDE, round(SIDE * height / width), box, label, layers, marks, brush=draft, can_brush=can_brush)


def shelf_scene(state: MixerState, result: MixerResult, images: Tensor, names: tuple[str, ...], labels: tuple[int, ...]) -> Scene:
    """Return all pictures as thumbnails; a coloured frame and a number say which are mixed."""
    n_rows = -(-len(images) // COLUMNS)
    cell = SHELF / COLUMNS
    layers: list[Layer] = []
    fields = []
    for i, image in enumerate(images):
        row, column = divmod(i, COLUMNS)
        left, top = column * cell + 6, row * (cell + 12) + 4
        right, bottom = left + cell - 12, top + cell - 12
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        layers.append(Picture(pixels, (left, right, bottom, top), keep=""))
        used = [k for k in range(state.n_images) if state.pictures[k] == i]
        if used:
            ring = rectangle(left, right, bottom, top)
            layers.append(Polygons([ring], outline=PAIR[used[0]], width=5.0))
            layers.append(Text([[left + 14, top + 14]], [str(used[0] + 1)], PAIR[used[0]], 16, "centre", bold=True, halo=True))
        layers.append(Text([[(left + right) / 2, bottom + 10]], [names[labels[i]]], "text", 12, "centre"))
        fields.append(Field(f"t{i}", (left, right, bottom, top), f"picture {i + 1}, {names[labels[i]]}: mix it next"))
    label = f"{len(images)} pictures; {' and '.join(str(i + 1) for i in state.pictures[: state.n_images])} are mixed."
    return Scene(SHELF, round(n_rows * (cell + 12)), None, label, layers, fields=fields)


def label_scene(state: MixerState, result: MixerResult, names: tuple[str, ...]) -> Scene:
    """Return the label as a stacked bar, for CutMix also the raw one, the network's scores, and the mask with its error."""
    left, right = 96.0, BARS - 56.0
    layers: list[Layer] = [Text([[8, 14]], ["The label"], size=14, bold=True)]
    rows = [("label", result.weights)]
    if result.raw is not None:
        rows.append(("raw lambda", np.array([result.raw, 1 - result.raw])))
    y = 38.0
    for title, weights in rows:
        at = left
        layers.append(Text([[left - 6, y]], [title], size=12, align="right", bold=title == "label"))
        for k, weight in enumerate(weights):
            end = at + float(weight) * (right - left)
            if end > at:
                layers.append(Polygons([rectangle(at, end, y + 10, y - 10)], fill=PAIR[k], outline="#ffffff", width=1.0))
            if end - at > 44:
                layers.append(Text([[(at + end) / 2, y]], [f"{100 * weight:.0f} %"], "#ffffff", 13, "centre", bold=True))
            at = end
        y += 26
    y = 112.0
    layers.append(Text([[8, y - 18]], ["The network (bar) and the label (diamond)"], size=14, bold=True))
    pitch = min(30.0, (LOW - y) / len(names))
    for k, name in enumerate(names):
        middle = y + (k + 0.5) * pitch
        score, part = float(result.scores[k]), float(result.soft[k])
        colour = next((PAIR[j] for j, one in enumerate(result.labels) if one == k), GREY)
        end = left + max(score, 0.002) * (right - left)
        layers.append(
            Polygons([rectangle(left, end, middle + 0.3 * pitch, middle - 0.3 * pitch)], fill=colour, outline="", width=0)
        )
        layers.append(Points([[left + part * (right - left), middle]], "text", 6.0, "diamond"))
        layers.append(Text([[left - 6, middle]], [name], size=12, align="right"))
        layers.append(Text([[right + 8, middle]], [f"{score:.2f}"], size=13))
    layers += _mask_and_error(result)
    best = int(result.scores.argmax())
    label = f"The network says {names[best]} with {result.scores[best]:.2f}; the label gives it {result.soft[best]:.2f}."
    return Scene(BARS, SIDE, None, f"{label} Label-mass error {result.error:.2f}.", layers)


def _mask_and_error(result: MixerResult) -> list[Layer]:
    """Return the mask, its mean, the label of the first picture, and how far the label is from what the mixture holds."""
    height, width = result.share.shape
    scale, top = MASK / max(height, width), LOW + 28.0
    wrong = result.error >= RIGHT
    rows = (
        ("mean of the mask", float(result.share.mean())),
        ("label, picture 1", float(result.weights[0])),
        ("label-mass error", result.error),
    )
    layers: list[Layer] = [
        Text([[8, LOW + 14]], ["The mask (white: picture 1)"], size=14, bold=True),
        Picture(_grey(result.share), (8.0, 8.0 + scale * width, top + scale * height, top)),
        Polygons([rectangle(8.0, 8.0 + scale * width, top + scale * height, top)], outline=GREY, width=1.0),
    ]
    for k, (title, value) in enumerate(rows):
        y, colour = top + 16 + 34 * k, PAIR[1] if wrong and k == 2 else "text"
        layers.append(Text([[MASK + 28, y]], [title], size=13, bold=k == 2))
        layers.append(Text([[BARS - 56, y]], [f"{value:.2f}"], colour, 15, "right", bold=True))
    verdict = "the picture holds something else" if wrong else "the picture holds what the label says"
    layers.append(Text([[MASK + 28, top + 16 + 34 * 3]], [verdict], size=12))
    return layers


def _grey(share: np.ndarray) -> np.ndarray:
    """Return a mask (H, W) in [0, 1] as a picture (H, W, 3), uint8."""
    return np.repeat(np.round(255 * share).astype(np.uint8)[..., None], 3, axis=2)
