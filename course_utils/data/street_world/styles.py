"""House styles: what the houses of a town have in common, and the labels that their pictures carry.

A town has ten **styles** (material, colours, window shapes, storey height, ...). All districts of a town draw their
houses from the same ten: different places look alike, which is called perceptual aliasing and is what makes place
recognition hard.

Labels in the fourth channel of a painted front:

====================  ============================================================
``SKY`` = 0           nothing: the sky is seen
``WALL`` = 1          wall, roof, door
2 .. 199              the glass of window number 2 .. 199
``DISPLAY`` = 210     shop window or poster: its picture is exchanged between drives
``SIGN`` = 215        shop sign, lit at night
====================  ============================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from course_utils.data.street_world.textures import stream

SKY, WALL, FIRST_WINDOW, LAST_WINDOW, DISPLAY, SIGN = 0, 1, 2, 199, 210, 215

WALL_COLOURS = np.array(
    [[176, 92, 70], [196, 160, 120], [214, 204, 186], [150, 150, 148], [128, 102, 86], [206, 178, 140]]
    + [[186, 196, 204], [168, 120, 96], [226, 214, 170], [140, 110, 100], [116, 130, 136], [232, 226, 214]],
    np.float32,
)
ACCENTS = np.array(
    [[140, 48, 42], [44, 66, 104], [52, 88, 64], [176, 142, 70], [84, 66, 92]]
    + [[44, 44, 48], [205, 203, 196], [56, 104, 112], [160, 92, 52], [104, 48, 62]],
    np.float32,
)
_FRAMES = ((235, 232, 225), (60, 52, 46), (110, 75, 50), (40, 60, 50))
_MATERIALS = ("brick", "brick", "plaster", "stone", "plaster", "concrete", "wood")


@dataclass(frozen=True)
class Style:
    """What the houses of one style share. Lengths in metres, colours 0 to 255."""

    material: str
    colour: tuple[float, ...]
    trim: tuple[float, ...]
    frame: tuple[int, ...]
    shutter: tuple[float, ...] | None
    window: tuple[float, float]
    bay: float
    storey: float
    cornice: float
    bars: int
    arched: bool
    balconies: bool
    pilasters: bool
    courses: bool
    roof: str


def make_style(seed: int, number: int) -> Style:
    """Return style ``number`` of the town ``seed``."""
    r = stream(seed, 11, number)
    return Style(
        material=str(r.choice(_MATERIALS)),
        colour=tuple(WALL_COLOURS[r.integers(len(WALL_COLOURS))] * r.uniform(0.85, 1.08)),
        trim=tuple(WALL_COLOURS[[2, 3, 11, 6, 4][r.integers(5)]] * r.uniform(0.8, 1.05)),
        frame=_FRAMES[r.integers(4)],
        shutter=tuple(ACCENTS[r.integers(len(ACCENTS))]) if r.random() < 0.25 else None,
        window=(r.uniform(0.8, 1.7), r.uniform(1.2, 2.1)),
        bay=r.uniform(2.2, 3.6),
        storey=r.uniform(3.0, 3.9),
        cornice=r.uniform(0.25, 0.7),
        bars=int(r.integers(0, 3)),
        arched=r.random() < 0.25,
        balconies=r.random() < 0.2,
        pilasters=r.random() < 0.3,
        courses=r.random() < 0.5,
        roof=str(r.choice(("parapet", "parapet", "mansard", "mansard", "gable", "stepped"))),
    )


def plain(style: Style) -> Style:
    """Return the style of a house's side wall: small windows, no ornament."""
    return replace(style, balconies=False, pilasters=False, shutter=None, window=(0.7, 1.3), roof="parapet")
