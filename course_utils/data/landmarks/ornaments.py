"""Ornaments: round pictures of a monument, made from real photographs.

====================  ========================================================================
``coin N``            medallion: one of the Greek coins, cast in bronze, silver or gold
``rose NAME``         rose window: a wedge of a photograph, mirrored around the centre like a
                      kaleidoscope, with tracery of lead
``photograph NAME``   enamel disc: a detail of a photograph
``clock``             dial with numerals and hands
``star``              inlaid star of two stones
====================  ========================================================================
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from course_utils.data import steady
from course_utils.data.photographs import photograph_array
from course_utils.data.street_world.textures import resized

COINS = (
    (44, 335, 31),
    (51, 156, 25),
    (52, 216, 25),
    (120, 270, 27),
    (187, 348, 33),
    (194, 213, 25),
    (194, 274, 24),
    (196, 102, 23),
    (260, 46, 29),
    (262, 172, 29),
    (264, 301, 26),
    (53, 276, 22),
)
"""Row, column and radius of single coins in the photograph ``coins``."""
METALS = ((222, 178, 84), (214, 216, 222), (188, 124, 78), (150, 176, 158))
_DETAILS = {
    "astronaut": (0, 230, 105, 335),
    "camera": (30, 290, 90, 400),
    "chelsea": (10, 290, 60, 400),
    "china": (40, 340, 20, 400),
    "coffee": (20, 330, 130, 500),
    "coins": (150, 300, 10, 200),
    "flower": (40, 420, 130, 510),
    "hubble": (330, 590, 250, 570),
    "ihc": (0, 400, 0, 400),
    "moon": (60, 330, 40, 340),
    "motorcycle": (120, 440, 150, 580),
    "page": (0, 100, 0, 150),
    "retina": (0, 1411, 0, 1411),
    "rocket": (90, 400, 150, 510),
    "text": (30, 172, 150, 330),
}
"""The part of each photograph that a disc or a mural shows: top, bottom, left, right."""


def ornament(r: np.random.Generator, subject: str, diameter: int, rim: tuple[float, float, float]) -> np.ndarray:
    """Return a round ornament with a rim of stone, uint8 ``(diameter, diameter, 4)``."""
    diameter = max(8, int(diameter))
    kind, _, which = subject.partition(" ")
    y, x = np.mgrid[-1 : 1 : diameter * 1j, -1 : 1 : diameter * 1j]
    radius, angle = np.sqrt(x**2 + y**2), steady.arctan2(y, x)
    if kind == "coin":
        colour = _coin(int(which), diameter, radius)
    elif kind == "rose":
        colour = _rose(r, which, radius, angle)
    elif kind == "photograph":
        colour = detail(which, diameter, diameter).astype(np.float32) * 1.06
    elif kind == "clock":
        colour = _clock(r, diameter)
    else:
        colour = _star(r, radius, angle)
    ring = np.clip((radius - 0.88) * diameter / 3, 0, 1)[..., None]
    bevel = (1.0 - 0.28 * (x + y))[..., None]  # the rim is lit from above on the left
    colour = colour * (1 - ring) + np.asarray(rim) * bevel * ring
    inner = steady.exp(-((radius - 0.87) ** 2) / 0.0016)[..., None]
    colour = colour * (1 - 0.45 * inner)
    alpha = np.clip((1 - radius) * diameter / 2 + 0.5, 0, 1)
    return np.dstack([np.clip(colour, 0, 255), 255 * alpha]).astype(np.uint8)


def detail(name: str, height: int, width: int) -> np.ndarray:
    """Return the telling part of a photograph, cut to the shape asked for, uint8 ``(height, width, 3)``."""
    top, bottom, left, right = _DETAILS[name]
    picture = photograph_array(name)
    rows, columns = bottom - top, right - left
    if rows * width > columns * height:
        spare = rows - columns * height / width
        top, bottom = top + spare / 2, bottom - spare / 2
    else:
        spare = columns - rows * width / height
        left, right = left + spare / 2, right - spare / 2
    box = (left, top, min(right, picture.shape[1]), min(bottom, picture.shape[0]))
    how = Image.Resampling.BOX if (right - left) > 2 * width else Image.Resampling.BICUBIC
    part = np.asarray(Image.fromarray(picture).resize((max(1, width), max(1, height)), how, box=box), np.float32)
    dark, light = np.percentile(part, [1, 99])
    return np.clip((part - dark) * 235 / max(light - dark, 60) + 10, 0, 255).astype(np.uint8)


def _coin(number: int, diameter: int, radius: np.ndarray) -> np.ndarray:
    row, column, reach = COINS[number % len(COINS)]
    left, top = max(0, column - reach), max(0, row - reach)
    coin = photograph_array("coins")[top : row + reach, left : column + reach, 0]
    relief = resized(np.ascontiguousarray(coin), diameter, diameter).astype(np.float32)
    inside = radius < 0.85
    relief = 0.25 + 0.95 * np.clip((relief - relief[inside].min()) / max(np.ptp(relief[inside]), 1), 0, 1)
    return relief[..., None] * np.array(METALS[number % len(METALS)]) * 1.12


def _rose(r: np.random.Generator, name: str, radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    petals = int(r.integers(6, 13))
    sector = 2 * np.pi / petals
    turned = (angle + np.pi / 2) % sector
    turned = np.minimum(turned, sector - turned) / (sector / 2)  # 0 at the lead, 1 in the middle of a petal
    picture = photograph_array(name)
    top, left = r.uniform(0.1, 0.5), r.uniform(0.1, 0.5)
    rows = np.clip((top + 0.4 * radius) * picture.shape[0], 0, picture.shape[0] - 1).astype(int)
    columns = np.clip((left + 0.2 * turned) * picture.shape[1], 0, picture.shape[1] - 1).astype(int)
    glass = picture[rows, columns].astype(np.float32)
    glass = (glass - glass.mean()) * 1.25 * 50 / max(float(glass.std()), 25.0) + 0.5 * glass.mean(axis=(0, 1)) + 62
    lead = np.maximum(steady.exp(-((turned * radius * sector / 0.07) ** 2)), steady.exp(-(((radius - 0.58) / 0.035) ** 2)))
    lead = np.maximum(lead, steady.exp(-(((radius - 0.22) / 0.035) ** 2)))[..., None]
    return glass * (1 - 0.8 * lead) + 30 * 0.8 * lead


def _clock(r: np.random.Generator, diameter: int) -> np.ndarray:
    side = 4 * diameter
    face, ink = ((246, 242, 228), (30, 28, 30)) if r.random() < 0.6 else ((34, 46, 84), (232, 196, 96))
    dial = Image.new("RGB", (side, side), face)
    draw = ImageDraw.Draw(dial)
    middle, reach = side / 2, side / 2
    for hour in range(12):
        a = hour * np.pi / 6
        inner = 0.66 if hour % 3 == 0 else 0.73
        sine, cosine = float(steady.sin(a)), float(steady.cos(a))
        ends = [(middle + q * reach * sine, middle - q * reach * cosine) for q in (inner, 0.83)]
        draw.line([*ends[0], *ends[1]], fill=ink, width=max(2, int(0.035 * side if hour % 3 == 0 else 0.02 * side)))
    for share, length, width in ((r.random(), 0.42, 0.045), (r.random(), 0.66, 0.03)):
        sine, cosine = float(steady.sin(2 * np.pi * share)), float(steady.cos(2 * np.pi * share))
        draw.line(
            [middle, middle, middle + length * reach * sine, middle - length * reach * cosine],
            fill=ink,
            width=max(2, int(width * side)),
        )
    draw.ellipse([middle - 0.03 * side, middle - 0.03 * side, middle + 0.03 * side, middle + 0.03 * side], fill=ink)
    return np.asarray(dial.reduce(4)).astype(np.float32)


def _star(r: np.random.Generator, radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    points = int(r.integers(5, 10))
    stones = ((238, 226, 196), (166, 44, 40), (40, 70, 128), (222, 170, 60), (52, 110, 84), (44, 42, 48))
    one, two = (np.array(stones[k], np.float32) for k in r.permutation(len(stones))[:2])
    inside = radius < 0.5 + 0.32 * steady.cos(points * (angle + np.pi / 2))
    colour = np.where(inside[..., None], one, two)
    facet = 1 + 0.16 * np.sign(steady.sin(points * (angle + np.pi / 2)))[..., None] * inside[..., None]
    return colour * facet * (1 + 0.05 * r.standard_normal((*radius.shape, 1)))
