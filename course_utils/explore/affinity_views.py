"""What the affinity map draws: the map with two lenses, and beside it what is known about the two chosen augmentations.

Every function here maps a state and its result to a ``Scene``; nothing is decided.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from course_utils.explore.affinity_state import Catalogue, MapResult, MapState
from course_utils.explore.scene import Layer, Mark, Picture, Points, Scene, Segments, Text
from course_utils.plotting import BLUE, GREY, PURPLE, VERMILION
from course_utils.training import PairedComparison
from course_utils.training.trial import MEASURES

MAP, SIDE, TALL = 440, 392, 452  # pixels: widths of map and details, height of both
GAIN, LOSS, UNSURE = BLUE, VERMILION, GREY
LENSES = {"first": ("A", "text"), "second": ("B", PURPLE)}
N_EXAMPLES, THUMB = 4, 54
LETTER = 7  # pixels, about, of a letter on the map
WORDS = {"accuracy": "accuracy", "robustness": "on corrupted images", "calibration": "calibration"}


def look_of(gain: PairedComparison) -> tuple[str, str, float]:
    """Return colour, shape and size of a point: a triangle for a gain, a diamond for a loss, a circle where 0 is inside."""
    size = 5.0 + min(60 * abs(gain.mean), 7.0)
    if gain.low > 0:
        return GAIN, "triangle", size
    return (LOSS, "diamond", size) if gain.high < 0 else (UNSURE, "circle", size)


def map_scene(state: MapState, result: MapResult, catalogue: Catalogue) -> Scene:
    """Return affinity to the right and diversity upward, a point for each augmentation, and the lenses."""
    left, right, bottom, top = catalogue.box
    x_pixel, y_pixel = (right - left) / (MAP - 56), (top - bottom) / (TALL - 112)
    box = (left - 48 * x_pixel, right + 8 * x_pixel, bottom - 48 * y_pixel, top + 64 * y_pixel)
    x_ticks = [x for x in np.round(np.arange(0, 1.51, 0.1), 1) if left <= x <= right]
    y_ticks = [y for y in (1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0) if bottom <= np.log10(y) <= top]
    layers: list[Layer] = [
        Segments([[left, np.log10(y)] for y in y_ticks], [[right, np.log10(y)] for y in y_ticks], "border", 1),
        Segments([[left, bottom], [left, bottom]], [[right, bottom], [left, top]], "muted", 1.5),
        Text([[left - 6 * x_pixel, np.log10(y)] for y in y_ticks], [f"{y:g}" for y in y_ticks], "muted", 12, "right"),
        Text([[x, bottom - 14 * y_pixel] for x in x_ticks], [f"{x:g}" for x in x_ticks], "muted", 12, "centre"),
        Text(
            [[(left + right) / 2, bottom - 34 * y_pixel]], ["affinity: accuracy kept on augmented images"], "muted", 13, "centre"
        ),
        Text([[box[0] + 8 * x_pixel, top + 50 * y_pixel]], ["Diversity (final training loss) over affinity"], size=14, bold=True),
    ]
    x, y = box[0] + 14 * x_pixel, top + 26 * y_pixel
    for words, colour, shape in (
        ("gain", GAIN, "triangle"),
        ("loss", LOSS, "diamond"),
        ("0 inside the interval", UNSURE, "circle"),
    ):
        layers += [Points([[x, y]], colour, 6.0, shape), Text([[x + 12 * x_pixel, y]], [words], "muted", 12)]
        x += (30 + 8 * len(words)) * x_pixel
    layers.append(Points([catalogue.none.place], "text", 7.0, "plus"))
    layers.append(
        Text([[catalogue.none.place[0], catalogue.none.place[1] - 14 * y_pixel]], ["none"], "muted", 12, "centre", halo=True)
    )
    for (_, colour), i in zip(LENSES.values(), result.chosen):
        curve = catalogue.curve(i)
        layers.append(Segments(curve[:-1], curve[1:], colour, 1.5))
    for i in sorted(result.visible, key=lambda i: i in result.chosen):  # the chosen ones on top
        trial, gain = catalogue.trials[i], catalogue.gains[i]
        colour, shape, size = look_of(gain)
        (x, y), chosen = trial.place, i in result.chosen
        layers.append(Points([[x, y]], colour, size, shape))
        if state.named or chosen:
            words = trial.label if chosen else trial.name
            gaps = (catalogue.places[[j for j in result.visible if j != i]] - trial.place) / (x_pixel, y_pixel)
            beside = gaps[np.abs(gaps[:, 1]) < 14, 0]
            room = {side: chosen or not ((beside * side > 0) & (beside * side < 90)).any() for side in (1, -1)}
            room[1] &= (right - x) / x_pixel > 20 + LETTER * len(words)
            side = 1 if room[1] or not room[-1] else -1
            at, align = [x + side * (20 if chosen else size + 5) * x_pixel, y], "left" if side > 0 else "right"
            layers.append(Text([at], [words], size=12, align=align, bold=chosen, halo=True))
    marks = []
    for (name, (letter, colour)), i in zip(LENSES.items(), result.chosen):
        place, point = getattr(state, name), catalogue.trials[i].place
        layers.append(Segments([place], [point], colour, 1.5, dashed=True))
        gain = 100 * catalogue.gains[i].mean
        label = f"lens {letter}, over {catalogue.trials[i].label}, gain {gain:+.1f} points"
        steps = {"step": (right - left) / 50, "leap": (right - left) / 8}
        marks.append(Mark(name, *place, label=label, tag=letter, colour=colour, shape="ring", size=14.0, **steps))
    label = f"{len(result.visible)} augmentations by affinity and diversity; lens A is over {catalogue.trials[result.chosen[0]].label}."
    return Scene(MAP, TALL, box, label, layers, marks, can_tap=True)


def details_scene(state: MapState, result: MapResult, catalogue: Catalogue, examples: Mapping[str, Tensor]) -> Scene:
    """Return examples and gains of the two chosen augmentations, and their difference."""
    layers: list[Layer] = []
    groups = [
        (letter, colour, catalogue.trials[i], found)
        for (letter, colour), i, found in zip(LENSES.values(), result.chosen, result.against_none)
    ]
    everything = [c for found in (*result.against_none, result.between) for c in found.values()]
    reach = max(max(abs(c.low), abs(c.high)) for c in everything) or 1.0
    y = 16.0
    for letter, colour, trial, found in groups:
        layers.append(Text([[8, y]], [f"{letter}  {trial.label}"], colour, 15, bold=True))
        words = f"affinity {trial.affinity:.2f}, diversity {trial.diversity:.3f}; right: better than none:"
        layers.append(Text([[8, y + 19]], [words], "muted", 12))
        layers += _rows(found, y + 42, reach)
        for k, image in enumerate(examples.get(trial.label, ())[:N_EXAMPLES]):
            pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
            start = 8 + k * (THUMB + 6)
            layers.append(Picture(pixels, (start, start + THUMB, y + 108 + THUMB, y + 108)))
        y += 174
    layers.append(Text([[8, y + 2]], ["A minus B, in points:"], size=14, bold=True))
    layers += _rows(result.between, y + 24, reach)
    one, two = (catalogue.trials[i].label for i in result.chosen)
    label = f"A, {one}: accuracy {100 * result.against_none[0]['accuracy'].mean:+.1f} points; A minus B, {two}: "
    return Scene(SIDE, TALL, None, label + f"{100 * result.between['accuracy'].mean:+.1f} points.", layers)


def _rows(found: Mapping[str, PairedComparison], top: float, reach: float) -> list[Layer]:
    """Return a row a measure: its name, an interval around a dot, with a line at zero, and the mean."""
    middle, half = 232.0, 84.0
    layers: list[Layer] = [Segments([[middle, top - 9]], [[middle, top + 20 * len(MEASURES) - 11]], "muted", 1.5)]
    for k, name in enumerate(MEASURES):
        y, c = top + 20 * k, found[name]
        colour, shape, _ = look_of(c)
        low, mean, high = (middle + half * value / reach for value in (c.low, c.mean, c.high))
        layers.append(Text([[8, y]], [WORDS[name]], size=12))
        layers.append(Segments([[low, y]], [[high, y]], colour, 3.0))
        layers.append(Points([[mean, y]], colour, 5.5, shape))
        layers.append(Text([[SIDE - 8, y]], [f"{100 * c.mean:+.1f}"], size=13, align="right", bold=True))
    return layers
