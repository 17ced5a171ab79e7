"""Who somebody is: everything that stays the same from camera to camera.

Clothes come from one box of colours and a few cuts, so that many people share a shirt and some share shirt and trousers:
only the whole outfit tells everybody apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils.data.sprite_scenes.drawing import Colour
from course_utils.data.sprite_scenes.objects import another_colour, jittered, toy_colour

PATTERNS = ("plain", "hoops", "two-tone", "jacket", "print")
BAGS = ("none", "rucksack", "shoulder bag", "handbag")
HAIR_STYLES = ("short", "long", "bun", "cap")
LEGWEAR = ("trousers", "shorts", "skirt")
PRINTS = ("flower", "china", "retina", "hubble")
_SKIN: tuple[Colour, ...] = ((240, 204, 176), (216, 168, 132), (162, 112, 80), (104, 72, 52))
_HAIR: tuple[Colour, ...] = ((34, 28, 24), (84, 56, 36), (168, 124, 66), (150, 70, 36), (170, 168, 164))
_SHOES: tuple[Colour, ...] = ((36, 32, 32), (226, 222, 214), (120, 76, 50), (180, 44, 42), (44, 66, 120))


@dataclass(frozen=True)
class Outfit:
    """Build and clothes of one person; colours are RGB from 0 to 255.

    ``height`` and ``width`` are factors around 1; ``second`` is the second colour of the shirt's pattern.
    """

    height: float
    width: float
    skin: Colour
    hair: Colour
    hair_style: str
    shirt: Colour
    second: Colour
    pattern: str
    printed: str
    short_sleeves: bool
    legs: Colour
    legwear: str
    shoes: Colour
    bag: str
    bag_colour: Colour


def outfit(r: np.random.Generator) -> Outfit:
    """Draw one person."""
    shirt = toy_colour(r)
    return Outfit(
        height=r.uniform(0.90, 1.05),
        width=r.uniform(0.85, 1.2),
        skin=jittered(r, _SKIN[int(r.integers(len(_SKIN)))]),
        hair=jittered(r, _HAIR[int(r.integers(len(_HAIR)))]),
        hair_style=HAIR_STYLES[int(r.choice(4, p=[0.4, 0.3, 0.12, 0.18]))],
        shirt=shirt,
        second=another_colour(r, shirt),
        pattern=PATTERNS[int(r.choice(5, p=[0.4, 0.18, 0.16, 0.14, 0.12]))],
        printed=PRINTS[int(r.integers(len(PRINTS)))],
        short_sleeves=bool(r.random() < 0.4),
        legs=toy_colour(r),
        legwear=LEGWEAR[int(r.choice(3, p=[0.66, 0.18, 0.16]))],
        shoes=jittered(r, _SHOES[int(r.integers(len(_SHOES)))]),
        bag=BAGS[int(r.choice(4, p=[0.45, 0.25, 0.18, 0.12]))],
        bag_colour=toy_colour(r),
    )
