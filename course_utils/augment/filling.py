"""What fills a hole: black, white, the mean, a constant of your own, or noise.

Constants are numbers in [0, 1], the same for floating images and for uint8 images (0.5 becomes level 128). Three numbers, one
for each of red, green and blue, become their mean on a grey image.

Taught in ``14_erasing``, step 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from course_utils.checks import checked_choice, checked_float, message

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CONSTANT_FILLS = ("mean", "black", "white")

Fill = str | float | Sequence[float]


def channel_means(images: Tensor) -> tuple[float, ...]:
    """Return the mean of every channel over a set of images, in [0, 1]: the training-set mean that fills holes.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W), uint8 or floating in [0, 1]

    Raises
    ------
    ValueError
        If it is no batch or holds no pixel.

    Examples
    --------
    >>> channel_means(torch.tensor([0, 255], dtype=torch.uint8).expand(1, 3, 2, 2))
    (0.5, 0.5, 0.5)
    """
    if images.ndim != 4 or not images.numel():
        expected = "a batch of shape (B, C, H, W) with at least one pixel"
        raise ValueError(message("images", expected, f"shape {tuple(images.shape)}"))
    top = 255 if images.dtype == torch.uint8 else 1
    return tuple((images.double().mean((0, 2, 3)) / top).tolist())


def constants_of(value: float | str | tuple[float, ...], mean: tuple[float, ...]) -> tuple[float, ...]:
    """Return the constants of a checked fill that is no noise: one number, or one for each channel."""
    if isinstance(value, str):
        return {"black": (0.0,), "white": (1.0,), "mean": mean}[value]
    return (value,) if isinstance(value, float) else value


def constant_fill(constants: tuple[float, ...], images: Tensor) -> Tensor:
    """Return constants as a tensor (C or 1, 1, 1) of the images' dtype, ready to be written into (B, C, H, W).

    Raises
    ------
    ValueError
        If the number of constants fits neither the channels nor a grey image.
    """
    channels = images.shape[1]
    if len(constants) == 3 and channels == 1:
        constants = (sum(constants) / 3,)
    if len(constants) not in (1, channels):
        expected = f"one number or one for each of {channels} channels"
        raise ValueError(message("value", expected, f"{len(constants)} numbers"))
    levels = [round(255 * c) for c in constants] if images.dtype == torch.uint8 else constants
    return torch.tensor(levels, device=images.device, dtype=images.dtype)[:, None, None]


def random_bytes(shape: tuple[int, ...], generator: torch.Generator | None = None, device: Any = None) -> Tensor:
    """Draw uint8 levels 0..255, eight for every number of the generator: several times faster than ``torch.randint``."""
    n = math.prod(shape)
    words = torch.empty(-(-n // 8), dtype=torch.int64, device=device).random_(-(2**63), None, generator=generator)
    return words.view(torch.uint8)[:n].view(shape)


def checked_fill(value: Any, names: Sequence[str] = CONSTANT_FILLS) -> Any:
    """Return a fill if it is one of ``names``, a number in [0, 1], or a sequence of them (as a tuple)."""
    if isinstance(value, str):
        return checked_choice(value, "value", names)
    if isinstance(value, Sequence):
        return checked_constants(value, "value")
    return checked_float(value, "value", low=0, high=1)


def checked_constants(values: Any, name: str) -> tuple[float, ...]:
    """Return a sequence of numbers in [0, 1] as a tuple."""
    if not isinstance(values, Sequence) or isinstance(values, str) or not len(values):
        raise TypeError(message(name, "a sequence of numbers in [0, 1]", repr(values)))
    return tuple(checked_float(v, name, low=0, high=1) for v in values)
