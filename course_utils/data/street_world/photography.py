"""What the camera does to the picture: exposure, blur, vignetting, rain on its way, noise."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from course_utils.data import steady
from course_utils.data.street_world.textures import stream

if TYPE_CHECKING:
    from course_utils.data.street_world.traversals import Traversal

VIGNETTE = 0.10
"""How much darker the corners are than the middle, per unit of squared distance."""
N_DROPS = 120
_GRAIN = 1 << 19
_LARGEST_GRAIN = 3.65  # NumPy takes what lies farther out from the platform's logarithm, whose last bit differs


def photograph_of(image: np.ndarray, drive: Traversal, random: np.random.Generator) -> np.ndarray:
    """Return the picture that the camera takes, uint8 ``(3, H, W)``, of a float scene of the same shape."""
    _, height, width = image.shape
    if drive.light.wet > 0:
        _rain(image, random)
    if drive.light.lamps > 0.3:
        _bloom(image)
    exposure = drive.exposure * np.float32(steady.exp(random.normal(0, 0.05)))
    image = image * exposure[:, None, None] * _vignette(height, width)
    blur = random.random()
    if blur < 0.6 * drive.blur:
        image = _moving_average(image, int(random.integers(2, 5)))
    elif blur < drive.blur:
        image = (image + np.roll(image, 1, 1) + np.roll(image, 1, 2) + np.roll(np.roll(image, 1, 1), 1, 2)) / 4
    noise = np.float32(0.7 * drive.light.noise)
    for channel in range(3):  # half of the noise is common to the channels
        image[channel] += noise * _grain_piece(random, height, width)
    image += noise * _grain_piece(random, height, width)
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def _grain() -> np.ndarray:
    """A long strip of normal deviates; a picture's noise is a piece of it, which is faster than drawing anew."""
    return _normal(stream(3, 51), _GRAIN)


def _normal(random: np.random.Generator, shape: int | tuple[int, int]) -> np.ndarray:
    return np.clip(random.standard_normal(shape, dtype=np.float32), -_LARGEST_GRAIN, _LARGEST_GRAIN)


def _grain_piece(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    grain, n = _grain(), height * width
    if n >= _GRAIN:
        return _normal(random, (height, width))
    start = int(random.integers(_GRAIN - n))
    return grain[start : start + n].reshape(height, width)


@lru_cache(maxsize=8)
def _vignette(height: int, width: int) -> np.ndarray:
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    return (1 - VIGNETTE * (x**2 + y**2)).astype(np.float32)


def _rain(image: np.ndarray, random: np.random.Generator) -> None:
    """Bright streaks, in proportion to the size of the picture."""
    _, height, width = image.shape
    n = max(1, round(N_DROPS * height * width / (96 * 128)))
    x, y = random.integers(0, width, n), random.integers(0, height, n)
    length = (random.integers(4, 9, n) * height / 96).astype(np.int64) + 1
    drop = np.repeat(np.arange(n), length)
    row = y[drop] + np.arange(len(drop)) - np.repeat(np.cumsum(length) - length, length)
    inside = row < height
    pixels = np.unique(row[inside] * width + x[drop][inside])
    flat = image.reshape(3, -1)
    flat[:, pixels] = flat[:, pixels] * 0.78 + 42


def _bloom(image: np.ndarray) -> None:
    """Bright lights spill over in the dark: what exceeds 150 grey levels, averaged over 12 pixels, is added."""
    _, height, width = image.shape
    cell = max(1, height // 24)
    rows, columns = height // cell, width // cell
    bright = np.maximum(image[:, : rows * cell, : columns * cell] - 150, 0)
    coarse = np.add.reduceat(
        np.add.reduceat(bright, np.arange(0, rows * cell, cell), axis=1), np.arange(0, columns * cell, cell), axis=2
    )
    coarse /= cell * cell
    padded = np.pad(coarse, ((0, 0), (1, 1), (1, 1)))
    padded = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    halo = (padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]) / 9
    halo = np.repeat(np.repeat(halo, cell, axis=1), cell, axis=2)
    image[:, : rows * cell, : columns * cell] += 0.8 * halo


def _moving_average(image: np.ndarray, n: int) -> np.ndarray:
    return sum(np.roll(image, i, axis=2) for i in range(n)) / np.float32(n)
