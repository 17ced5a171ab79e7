"""The streets that all classes share: houses, ground, sky, and what stands in front.

A pool of ``N_HOUSES`` house fronts, six grounds and a few dozen skies serves every class and every split, with and
without a monument. A house therefore says nothing about the class, and there is something to ignore.

Houses, cars, people and trees are those of the street world; here they are kept as pyramids, to be read by homographies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from PIL import Image

from course_utils.data.landmarks.planes import Pyramid
from course_utils.data.street_world.facades import FACADE_SCALE, paint_front
from course_utils.data.street_world.sprites import POOL, SHADOW_DEPTH, draw_sprite
from course_utils.data.street_world.styles import SKY, make_style
from course_utils.data.street_world.textures import cut, painted, stains, stream
from course_utils.data.street_world.weather import LIGHT, paint_sky

TOWN = 66
"""First number of the random streams of the shared town; it does not depend on the seed of the landmarks."""
N_HOUSES, N_STYLES, N_SKIES = 32, 10, 5
GROUND_SIDE, GROUND_SCALE = 1024, 10
"""Pixels of a ground picture along each side, and pixels per metre."""
GROUNDS: tuple[tuple[str, tuple[int, int, int], float, float], ...] = (
    ("paving", (168, 160, 150), 0.55, 1.0),
    ("paving", (138, 134, 132), 0.5, 0.6),
    ("gravel", (196, 182, 158), 0.4, 1.0),
    ("grass", (104, 128, 66), 0.8, 1.0),
    ("brick", (172, 120, 98), 0.5, 1.2),
    ("concrete", (118, 118, 120), 0.35, 1.0),
)
"""Material, colour, contrast, and how much coarser than life it is read."""


@dataclass(frozen=True, eq=False)
class Flat:
    """A flat picture with its size in metres; ``foot`` metres of it lie below the ground line (a contact shadow)."""

    pyramid: Pyramid
    width: float
    height: float
    foot: float = 0.0


@cache
def house(number: int) -> Flat:
    """Return house ``number % N_HOUSES`` of the pool."""
    number %= N_HOUSES
    r = stream(TOWN, 1, number)
    style = make_style(TOWN, number % N_STYLES)
    front = paint_front((TOWN, 2, number), float(r.uniform(7.5, 14.0)), int(r.integers(2, 5)), style)
    alpha = np.where(front.pixels[..., 3] == SKY, 0, 255).astype(np.uint8)
    rows, columns = alpha.shape
    picture = Image.fromarray(np.dstack([front.pixels[..., :3], alpha]))
    return Flat(Pyramid(picture), columns / FACADE_SCALE, rows / FACADE_SCALE)


@cache
def sprite(kind: str, number: int, view: str, season: str) -> Flat:
    """Return a tree, car, person or lamp of the street world."""
    made = draw_sprite(kind, number % POOL[kind], view, season)
    return Flat(Pyramid(Image.fromarray(made.pixels)), made.width, made.height, SHADOW_DEPTH)


@cache
def ground(number: int) -> Pyramid:
    """Return a ground seen from above: 102 m x 102 m."""
    material, colour, contrast, coarse = GROUNDS[number % len(GROUNDS)]
    r = stream(TOWN, 3, number % len(GROUNDS))
    side = GROUND_SIDE
    pixels = painted(cut(r, material, side, side, GROUND_SCALE * coarse), colour, contrast).astype(np.float32)
    pixels *= (stains(r, side, side, 30, 0.05) * stains(r, side, side, 7, 0.05))[..., None]
    return Pyramid(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))


@lru_cache(maxsize=64)
def sky(condition: str, number: int) -> Image.Image:
    """Return a panorama of the sky, 512 x 64 pixels: once around, from the zenith to the horizon; the sun is at column 0."""
    r = stream(TOWN, 4, list(LIGHT).index(condition), number % N_SKIES)
    panorama = paint_sky(r, LIGHT[condition], 0.0)
    return Image.fromarray(np.clip(panorama, 0, 255).astype(np.uint8).transpose(1, 2, 0).copy())
