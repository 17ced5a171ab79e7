"""One row of a table of numbers: words, a bar from 0 to 1, the value, and what changed.

A thick line in the bar stands where the value was before the last move.
"""

from __future__ import annotations

import math

from course_utils.explore.scene import Layer, Polygons, Segments, Text, rectangle

ROW = 29.0
"""Height of a row in pixels."""


def score_row(
    words: str,
    value: float,
    change: str,
    left: float,
    top: float,
    *,
    colour: str,
    before: float = math.nan,
    indent: float = 0.0,
    bar: tuple[float, float] = (146.0, 104.0),
    bold: bool = False,
) -> list[Layer]:
    """Return the layers of a row; its upper left corner stands at ``(left, top)`` in pixels.

    Parameters
    ----------
    words : str
    value, before : float in [0, 1], or NaN
        A value of NaN is written as "undefined"; ``before`` is marked in the bar unless it is NaN.
    change : str
        Written in bold unless it is "same"; see ``play.signed_change``.
    indent : float
        Room before the words, for a marker.
    bar : (start, length)
        In pixels from ``left``.
    """
    middle, zero, high = top + ROW / 2 - 4, left + bar[0], top + ROW - 12
    layers: list[Layer] = [Text([[left + indent, middle]], [words], size=14, bold=bold)]
    if math.isnan(value):
        return [*layers, Text([[zero, middle]], ["undefined"], "muted", 14)]
    end = zero + bar[1]
    layers.append(Polygons([rectangle(zero, end, high, top)], "", "border", 1))
    layers.append(Polygons([rectangle(zero, zero + bar[1] * max(value, 0.004), high, top)], colour, "text", 1))
    if not math.isnan(before):
        x = zero + bar[1] * before
        layers.append(Segments([[x, top - 3]], [[x, high + 3]], "text", 3))
    same = change == "same"
    return [
        *layers,
        Text([[end + 10, middle]], [f"{value:.3f}"], size=14, bold=True),
        Text([[end + 62, middle]], [change], "muted" if same else "text", 14, bold=not same),
    ]
