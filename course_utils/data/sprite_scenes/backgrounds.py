"""Where the toys stand: a stage with a ground and a backdrop, or a photograph laid flat; both cut from real photographs.

**Stage** (three scenes of four): a photograph is the ground, seen from the toy's height with the perspective of a
camera that looks slightly down, and another one hangs behind it, out of focus. **Flat** (one of four): a single
photograph fills the picture, as a desk seen from above.

Photographs that show something a class is named after (a cup, people, a pagoda) are used only where it is not in view:
``REGIONS`` says which part. Every region is divided once more: training takes the left half, validation the upper
quarter at the right, test the lower one. No pixel of a background is seen in two splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageFilter

from course_utils.data import steady
from course_utils.data.photographs import photograph_array

REGIONS: dict[str, tuple[str, tuple[int, int], tuple[int, int]]] = {
    "brick": ("brick", (0, 512), (0, 512)),
    "coins": ("coins", (0, 303), (0, 384)),
    "dahlia": ("flower", (0, 427), (0, 640)),
    "foliage": ("china", (325, 427), (372, 572)),
    "fur": ("chelsea", (0, 300), (0, 451)),
    "glass slide": ("ihc", (0, 512), (0, 512)),
    "grass": ("grass", (0, 512), (0, 512)),
    "gravel": ("gravel", (0, 512), (0, 512)),
    "launch pad": ("rocket", (0, 427), (0, 640)),
    "moon": ("moon", (0, 512), (0, 512)),
    "lake": ("china", (60, 300), (345, 545)),
    "stars": ("hubble", (0, 872), (0, 1000)),
    "table": ("coffee", (0, 400), (488, 600)),
    "workshop": ("motorcycle", (0, 500), (0, 741)),
}
"""Where a background comes from: photograph, rows, columns."""
QUARTERS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "train": ((0.0, 1.0), (0.0, 0.5)),
    "validation": ((0.0, 0.5), (0.5, 1.0)),
    "test": ((0.5, 1.0), (0.5, 1.0)),
}
"""Share of the rows and of the columns of every region that a split may use."""
GROUNDS = ("grass", "grass", "gravel", "gravel", "table", "table", "brick", "moon", "coins", "glass slide")
"""What makes a ground; the most natural ones twice."""
BACKDROPS = ("foliage", "foliage", "lake", "lake", "dahlia", "fur", "stars", "workshop", "launch pad", "brick", "dahlia")
FLATS = ("table", "grass", "gravel", "coins", "moon", "glass slide", "dahlia", "fur", "workshop", "brick", "stars")
GREY = ("brick", "coins", "grass", "gravel", "moon")
"""Regions without colours: they are given one."""
GAIN = {"brick": 1.25, "foliage": 1.5, "moon": 1.3, "coins": 1.15, "stars": 1.3, "gravel": 1.1}
"""Dark photographs are taken with a longer exposure."""
_TONES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "grass": ((0.80, 1.0, 0.52), (0.95, 1.0, 0.62), (1.05, 0.98, 0.66)),
    "gravel": ((1.0, 0.97, 0.92), (1.05, 0.95, 0.82), (0.90, 0.97, 1.05)),
    "brick": ((1.15, 0.85, 0.72), (1.0, 0.95, 0.86), (0.86, 0.95, 1.08)),
}
_ANY_TONE = ((1.0, 1.0, 1.0), (1.1, 0.98, 0.82), (0.86, 0.98, 1.12), (0.95, 1.05, 0.88))
_LONGEST = 512
"""Pixels: a finer photograph is reduced first, so that a crop shows something."""


@dataclass(frozen=True, eq=False)
class Background:
    """``pixels`` float32 ``(H, W, 3)``, 0 to 255, and the row of the horizon (0 for a flat photograph)."""

    pixels: np.ndarray
    horizon: float


def background(r: np.random.Generator, split: str, size: int) -> Background:
    """Return the background of one scene, cut from the split's quarters only."""
    if r.random() < 0.25:
        return Background(cropped(r, FLATS[int(r.integers(len(FLATS)))], split, size, size), 0.0)
    horizon = size * r.uniform(0.16, 0.42)
    top = round(horizon)
    pixels = np.empty((size, size, 3), np.float32)
    focus = size / 96 * r.uniform(0.4, 1.6)
    pixels[:top] = cropped(r, BACKDROPS[int(r.integers(len(BACKDROPS)))], split, top, size, focus)
    pixels[top:] = _ground(r, GROUNDS[int(r.integers(len(GROUNDS)))], split, size, horizon)[: size - top]
    seam = slice(max(0, top - 1), top + 2)  # the far edge of the ground is out of focus as well
    pixels[seam] = (pixels[seam] + pixels[seam].mean(axis=0)) / 2
    return Background(pixels, horizon)


@cache
def quarter(name: str, split: str) -> np.ndarray:
    """Return the part of a region that belongs to a split, uint8 ``(h, w, 3)``."""
    file, rows, columns = REGIONS[name]
    picture = photograph_array(file)[slice(*rows), slice(*columns)]
    if picture.shape[0] > picture.shape[1]:
        picture = np.rot90(picture)
    (y0, y1), (x0, x1) = QUARTERS[split]
    height, width = picture.shape[:2]
    mine = picture[round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
    reduction = max(1, round(max(height, width) / _LONGEST))
    return np.asarray(Image.fromarray(np.ascontiguousarray(mine)).reduce(reduction))


def _toned(r: np.random.Generator, name: str, pixels: np.ndarray) -> np.ndarray:
    """Return the pixels with their exposure, grey ones in one of a few colours."""
    tones = _TONES.get(name, _ANY_TONE) if name in GREY else ((1.0, 1.0, 1.0),)
    return pixels * np.float32(GAIN.get(name, 1.0)) * np.asarray(tones[int(r.integers(len(tones)))], np.float32)


def cropped(r: np.random.Generator, name: str, split: str, height: int, width: int, blur: float = 0.0) -> np.ndarray:
    """Return a random upright crop of a region at the size asked for, perhaps mirrored, perhaps out of focus."""
    source = quarter(name, split)
    full = min(source.shape[0], source.shape[1] * height / width)
    crop_height = full * r.uniform(0.6, 1.0)
    crop_width = crop_height * width / height
    x, y = r.uniform(0, source.shape[1] - crop_width), r.uniform(0, source.shape[0] - crop_height)
    picture = Image.fromarray(source).resize(
        (width, height), Image.Resampling.BILINEAR, box=(x, y, x + crop_width, y + crop_height)
    )
    if r.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if blur > 0:
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    return _toned(r, name, np.asarray(picture, np.float32))


@cache
def _endless(name: str, split: str, level: int) -> np.ndarray:
    """Return a region mirrored in both directions, reduced ``2 ** level`` times, float32."""
    source = Image.fromarray(quarter(name, split)).reduce(2**level)
    pixels = np.asarray(source, np.float32)
    rows = np.concatenate([pixels, pixels[::-1]], axis=0)
    return np.concatenate([rows, rows[:, ::-1]], axis=1)


def _ground(r: np.random.Generator, name: str, split: str, size: int, horizon: float) -> np.ndarray:
    """Return rows below the horizon, float32: a plane seen from above at a grazing angle.

    A row ``d`` pixels below the vanishing line lies ``1 / d`` away; a pixel there spans ``1 / d`` of the plane across and
    ``1 / d ** 2`` along. The vanishing line is put above the visible horizon, so that the ground never gets endlessly fine.
    """
    rows = np.arange(round(horizon), size) + 0.5
    below = (rows - horizon + 0.45 * size) / size  # 0.45 at the horizon
    near = r.uniform(0.8, 1.6) * 96 / size  # photograph pixels per picture pixel where `below` is 1
    across = near / below
    along = 0.9 * near * size / below
    level = int(np.clip(np.round(steady.log2(max(across.mean() * 1.1, 1.0))), 0, 3))
    tile = _endless(name, split, level)
    u = (np.arange(size) + 0.5 - size / 2)[None] * across[:, None] + r.uniform(0, 4000)
    v = along + r.uniform(0, 4000)
    scale = 2.0**-level
    left, top = np.floor(u * scale), np.floor(v * scale)
    blend = (u * scale - left).astype(np.float32)[..., None]
    row = top.astype(np.int64)[:, None] % tile.shape[0]
    column = left.astype(np.int64)
    pixels = tile[row, column % tile.shape[1]] * (1 - blend) + tile[row, (column + 1) % tile.shape[1]] * blend
    light = np.linspace(0.88, 1.06, len(rows), dtype=np.float32)[:, None, None]  # a little darker far away
    return _toned(r, name, pixels) * light
