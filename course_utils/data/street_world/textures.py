"""Real pixels for the street world: materials, pictures and lettering, cut from the embedded photographs.

A **material** is the grey detail of a photograph (bricks, gravel, grass, ...) as an endless tile: the crop is mirrored
in both directions, so that its edges meet without a seam, and its brightness is levelled, so that it repeats without
stripes. The detail has mean 128; a colour is put on it through a look-up table, ``colour * (1 + contrast * (v / 128 - 1))``,
so that one photograph of bricks serves for red, yellow and grey houses.

All randomness of the street world comes from ``stream``: a generator for a tuple of integers, independent of any other
tuple. Whoever wants the third house of the second block asks for that stream and need not build the others first.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from course_utils.data.photographs import photograph_array

PIXELS_PER_METRE: dict[str, float] = {
    "brick": 135.0,  # a course of bricks is 47 px high in the crop: 0.35 m here, a model town's bricks
    "stone": 50.0,
    "plaster": 30.0,
    "concrete": 90.0,
    "wood": 30.0,
    "slate": 150.0,
    "gravel": 120.0,
    "paving": 57.0,
    "grass": 90.0,
    "leaves": 34.0,
}
"""Scale at which each photograph is read: how many of its pixels make one metre."""

_BRICK_WARP = np.array([[0.54764, -0.00219, 0.0], [-0.12822, 0.54688, 0.0], [-0.00022, 0.0, 1.0]])
"""The perspective that scikit-image gave its brick photograph (see its docstring); undone here."""


def stream(*key: int) -> np.random.Generator:
    """Return the generator of a tuple of integers; different tuples give independent streams."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(k) & 0xFFFFFFFF for k in key])))


def resized(array: np.ndarray, height: int, width: int, how: Image.Resampling = Image.Resampling.LANCZOS) -> np.ndarray:
    """Return a uint8 picture ``(H, W)`` or ``(H, W, C)`` at another size of at least one pixel."""
    return np.asarray(Image.fromarray(array).resize((max(1, int(width)), max(1, int(height))), how))


def halved(array: np.ndarray) -> np.ndarray:
    """Return the next level of a mip pyramid: every 2 x 2 pixels averaged."""
    height, width = array.shape[:2]
    return resized(array, max(1, height // 2), max(1, width // 2), Image.Resampling.BOX)


@cache
def material(name: str, scale: float) -> np.ndarray:
    """Return the endless tile of a material: uint8 ``(2h, 2w)`` with mean 128, at ``scale`` pixels per metre."""
    from scipy.ndimage import gaussian_filter  # here, so that views that are read from disk need not wait for it

    source = _source(name).astype(np.float32)
    factor = scale / PIXELS_PER_METRE[name]
    height, width = max(4, round(source.shape[0] * factor)), max(4, round(source.shape[1] * factor))
    how = Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(source).resize((width, height), how))
    level = gaussian_filter(small, 0.25 * min(height, width), mode="mirror")
    detail = np.clip(128 * small / np.maximum(level, 1), 0, 255)
    detail = np.clip(detail + 128 - detail.mean(), 0, 255).astype(np.uint8)
    rows = np.concatenate([detail, detail[::-1]], axis=0)
    return np.concatenate([rows, rows[:, ::-1]], axis=1)


@cache
def _source(name: str) -> np.ndarray:
    """Return the grey crop that a material is made from."""
    if name in ("brick", "stone", "slate", "paving"):
        return _straight_bricks()
    if name == "plaster":
        return photograph_array("moon")[:330, :260, 0]
    if name in ("gravel", "concrete"):
        return photograph_array("gravel")[..., 0]
    if name == "grass":
        return photograph_array("grass")[..., 0]
    if name == "wood":  # the table under the cup of coffee, turned until its grain is horizontal
        table = Image.fromarray(photograph_array("coffee")[110:390, 440:600]).rotate(-52, resample=Image.Resampling.BICUBIC)
        return _grey(np.asarray(table)[122:200, 30:135])
    return _grey(photograph_array("china")[330:427, 200:640])  # leaves: the trees below the pagoda


def _grey(picture: np.ndarray) -> np.ndarray:
    return picture.mean(axis=2).astype(np.uint8)


@cache
def _straight_bricks() -> np.ndarray:
    from scipy.ndimage import map_coordinates

    bricks = np.rot90(photograph_array("brick")[..., 0]).astype(np.float32)
    y, x = np.mgrid[400:1600:2, 10:1310:2]
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in _BRICK_WARP)
    straight = map_coordinates(bricks, [v / w / 2, u / w / 2], order=1, mode="nearest")
    return straight.astype(np.uint8)


def cut(random: np.random.Generator, name: str, height: int, width: int, scale: float) -> np.ndarray:
    """Return a piece of a material, uint8 ``(height, width)``, from a random place of its endless tile."""
    tile = material(name, round(float(scale), 2))
    rows = (int(random.integers(tile.shape[0])) + np.arange(height)) % tile.shape[0]
    columns = (int(random.integers(tile.shape[1])) + np.arange(width)) % tile.shape[1]
    return tile.take(rows, axis=0).take(columns, axis=1)


def painted(detail: np.ndarray, colour: np.ndarray | tuple, contrast: float) -> np.ndarray:
    """Return detail ``(H, W)`` in a colour: uint8 ``(H, W, 3)``."""
    steps = 1 + contrast * (np.arange(256, dtype=np.float32) / 128 - 1)
    table = np.clip(np.asarray(colour, np.float32)[None] * steps[:, None], 0, 255).astype(np.uint8)
    grey = Image.fromarray(detail)
    return np.asarray(Image.merge("RGB", [grey.point(table[:, channel].tolist()) for channel in range(3)]))


def stains(random: np.random.Generator, height: int, width: int, cells: int, amplitude: float) -> np.ndarray:
    """Return a smooth random field around 1, float32 ``(height, width)``: the weather's marks on a wall."""
    coarse = random.normal(size=(cells + 2, cells + 2)).astype(np.float32)
    return 1 + amplitude * np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


@cache
def _small_photograph(name: str, longest: int = 200) -> Image.Image:
    picture = Image.fromarray(photograph_array(name))
    picture.thumbnail((longest, longest), Image.Resampling.BOX)
    return picture


def piece(random: np.random.Generator, name: str, height: int, width: int, low: float = 0.3, high: float = 1.0) -> np.ndarray:
    """Return a random crop of a photograph at the size asked for, uint8 ``(height, width, 3)``.

    ``low`` and ``high`` bound the share of the photograph that the crop covers along its tighter side.
    """
    picture = _small_photograph(name)
    aspect = width / max(1, height)
    full = min(picture.height, picture.width / aspect)
    crop_height = full * random.uniform(low, high)
    crop_width = crop_height * aspect
    x = random.uniform(0, max(0.0, picture.width - crop_width))
    y = random.uniform(0, max(0.0, picture.height - crop_height))
    box = (x, y, min(picture.width, x + crop_width), min(picture.height, y + crop_height))
    return np.asarray(picture.resize((max(1, width), max(1, height)), Image.Resampling.BILINEAR, box=box))


_LINES = ((2, 24), (30, 18), (48, 18), (66, 18), (84, 18))
"""Top row and height of the lines of print in the photograph ``page``."""


def lettering(random: np.random.Generator, height: int, width: int, ground: np.ndarray) -> np.ndarray:
    """Return a shop sign, uint8 ``(height, width, 3)``: printed or handwritten letters on a coloured board."""
    if random.random() < 0.65:
        top, rows = _LINES[int(random.integers(len(_LINES)))]
        columns = int(np.clip(rows * width / max(1, height), 20, 330))
        left = int(random.integers(0, max(1, 350 - columns)))
        strip = photograph_array("page")[top : top + rows, left : left + columns, 0]
    else:
        rows = int(random.integers(50, 100))
        columns = int(np.clip(rows * width / max(1, height), 40, 440))
        top, left = int(random.integers(0, 172 - rows)), int(random.integers(0, max(1, 448 - columns)))
        strip = photograph_array("text")[top : top + rows, left : left + columns, 0]
    grey = resized(np.ascontiguousarray(strip), height, width).astype(np.float32)
    dark, light = np.percentile(grey, [3, 80])
    ink = np.clip((light - grey) / max(light - dark, 1), 0, 1)[..., None]
    letters = np.array([245, 240, 220]) if np.mean(ground) < 130 else np.array([30, 30, 30])
    return np.clip(np.asarray(ground, np.float32) * (1 - ink) + letters * ink, 0, 255).astype(np.uint8)
