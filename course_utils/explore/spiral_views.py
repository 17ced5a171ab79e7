"""What the spiral theatre draws: the plane, the inside of the network, and the meters.

Class 0 is blue with circles, class 1 vermilion with squares. In the plane the two colours get strong where the network is more
than 95 % sure. A blend is a small dot in the colour of its larger part; where it lies among examples of the other class it is
a cross in the colour of the text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_utils.explore.scene import Layer, Mark, Picture, Points, Polygons, Scene, Segments, Text, rectangle, rgba
from course_utils.explore.spiral_state import (
    LABELS,
    LIMITS,
    N_POINTS,
    N_STEPS,
    SURE,
    Blends,
    SpiralResult,
    SpiralState,
    curves,
)
from course_utils.plotting import BLUE, ORANGE, SKY, VERMILION

PLANE, SIDE, METERS = 440, 400, 172
COLOURS, SHAPES, NAMES = (BLUE, VERMILION), ("circle", "square"), ("blue", "vermilion")
WHERE = ("of points", "in hidden layer 1", "in hidden layer 2")
LIGHT, STRONG = 30, 120
"""Opacity of the map where the network has no idea, and where it is sure."""


def draw_plane(state: SpiralState, result: SpiralResult) -> Scene:
    """Return the map with the points as marks, and the blends of points if the training uses them."""
    limit = LIMITS[state.preset]
    box = (-limit, limit, -limit, limit)
    layers: list[Layer] = [Picture(_colours(result), box, smooth=False)]
    layers.append(Points(result.border, "text", 1.2, "square", outline=""))
    for curve, colour in zip(curves(state.preset), COLOURS):
        layers.append(Segments(curve[:-1], curve[1:], colour, width=1.5))
    if state.blends and 0 in state.layers:
        blends = result.blends[0]
        layers += _blend_layers(blends, np.clip(blends.where, -limit, limit))
    marks = [
        Mark(
            f"p{i}",
            *point,
            label=f"point {i + 1} of {N_POINTS}, {NAMES[label]}",
            colour=COLOURS[label],
            shape=SHAPES[label],
            size=5.5,
            step=limit / 50,
            leap=limit / 5,
        )
        for i, (point, label) in enumerate(zip(state.points, LABELS))
    ]
    words = f"Map of the plane: strong colour where the network is more than 95 % sure, {result.sure:.0%} of it.".replace(
        "%", " %"
    )
    return Scene(PLANE, PLANE, box, words.replace("  ", " "), layers, marks)


def draw_inside(state: SpiralState, result: SpiralResult) -> Scene:
    """Return the points as a hidden layer has them, with their blends there."""
    title, axes = f"The points {WHERE[result.layer]}", "to the right: from class to class; up: the widest direction across"
    layers: list[Layer] = [
        Text([[-1.36, 1.5]], [title], size=15, bold=True),
        Text([[-1.36, 1.36]], [axes], "muted", 12),
    ]
    if state.blends:
        layers += _blend_layers(result.blends[result.layer], np.clip(result.shown_blends, -1.2, 1.2))
    for label in (0, 1):
        layers.append(Points(result.shown[LABELS == label], COLOURS[label], 5.0, SHAPES[label]))
    share = 100 * result.blends[result.layer].intruding
    words = f"The points {WHERE[result.layer]}: {share:.0f} % of their blends lie where the other class is."
    return Scene(SIDE, PLANE, (-1.4, 1.4, -1.3, 1.6), words, layers)


def draw_meters(state: SpiralState, result: SpiralResult) -> Scene:
    """Return bars: how far the training is, the confident part of the plane, the curves, and the blends that intrude."""
    rows: list[tuple[str, float, str, str]] = [
        (f"training: step {state.steps} of {N_STEPS}", state.steps / N_STEPS, SKY, f"{100 * state.steps / N_STEPS:.0f} %"),
        ("plane: more than 95 % sure", result.sure, ORANGE, f"{100 * result.sure:.0f} %"),
        ("curves: right class", result.right, SKY, f"{100 * result.right:.0f} %"),
    ]
    for k, (where, blends) in enumerate(zip(WHERE, result.blends)):
        used = "used: " if k in state.layers else ""
        rows.append((f"{used}blends {where}, on the other class", blends.intruding, VERMILION, f"{100 * blends.intruding:.0f} %"))
    start, reach = 392.0, 384.0
    layers: list[Layer] = []
    for i, (name, value, colour, words) in enumerate(rows):
        y = 18 + 27 * i
        layers.append(Text([[start - 10, y]], [name], size=13, align="right", bold=name.startswith("used")))
        layers.append(Polygons([rectangle(start, start + reach, y + 8, y - 8)], "panel", "border", width=1))
        layers.append(Polygons([rectangle(start, start + reach * max(value, 0.002), y + 8, y - 8)], colour, "text", width=1))
        layers.append(Text([[start + reach + 8, y]], [words], size=13, bold=True))
    words = "; ".join(f"{name}: {text}" for name, _, _, text in rows)
    return Scene(PLANE + SIDE + 8, METERS, None, f"Meters: {words}.", layers)


def _colours(result: SpiralResult) -> np.ndarray:
    """Return the map as RGBA (R, R, 4), row 0 at the top: opacity grows with confidence, and jumps where it passes 95 %."""
    pixels = np.stack([rgba(colour) for colour in COLOURS])[result.predicted]
    certain = 2 * result.confidence - 1  # 0 where both classes are equally likely
    opacity = LIGHT * certain + np.where(result.confidence > SURE, STRONG - LIGHT, 0)
    pixels[..., 3] = np.round(opacity)
    return np.ascontiguousarray(pixels[::-1])


def _blend_layers(blends: Blends, where: np.ndarray) -> Sequence[Layer]:
    found: list[Layer] = []
    for label in (0, 1):
        chosen = ((blends.share >= 0.5) == bool(label)) & ~blends.wrong
        found.append(Points(where[chosen], COLOURS[label], 2.2, "circle", outline=""))
    found.append(Points(where[blends.wrong], "text", 3.5, "cross", outline=""))
    return found
