"""Corrupt a batch, or go through the whole suite."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from course_utils.augment.corruptions import blur, digital, noise, weather
from course_utils.augment.corruptions.spatter import spatter
from course_utils.augment.corruptions.tables import (
    CORRUPTIONS,
    SEVERITIES,
    checked_corruption,
    names,
    parameters,
)
from course_utils.augment.per_image import checked_images
from course_utils.checks import checked_choice, checked_int, message

FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "fog": weather.fog,
    "brightness": digital.brightness,
    "contrast": digital.contrast,
    "elastic_transform": digital.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg_compression": digital.jpeg_compression,
    "speckle_noise": noise.speckle_noise,
    "gaussian_blur": blur.gaussian_blur,
    "spatter": spatter,
    "saturate": digital.saturate,
}
"""The function behind each name: ``function(images, *parameters)`` and, if it draws, ``generator=``."""

FIXED = ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression", "gaussian_blur", "saturate")
DRAWN = tuple(name for name in FUNCTIONS if name not in FIXED)
"""These draw random numbers and take ``generator=``."""

ON_LEVELS = ("pixelate", "jpeg_compression")
"""These know uint8 and round as the benchmark's library does; all others compute in floating point."""

BLOCK = 3_000_000
"""Elements of images that are corrupted at a time: more would only need more memory."""


class Corrupted(NamedTuple):
    """One corrupted copy of the images."""

    name: str
    severity: int
    images: Tensor


def corrupt(
    images: Tensor,
    name: str,
    severity: int,
    generator: torch.Generator | None = None,
    *,
    table: int | None = None,
    exchange: str = "copy",
) -> Tensor:
    """Return images spoiled in one of the ways of the corruption benchmarks.

    Taught in ``18_does_it_help``.

    Parameters
    ----------
    images : Tensor of shape (C, H, W) or (B, C, H, W)
        uint8, or floating in [0, 1]; C is 1 or 3.
    name : str
        One of ``names`` or ``validation_names``.
    severity : int
        0 to 5; 0 returns the images themselves.
    generator : torch.Generator, optional
        Source of randomness, torch's global one by default. With a generator of the CPU the numbers are the same
        wherever the images are.
    table : {32, 224}, optional
        Benchmark whose parameters are taken; see ``parameters``.
    exchange : {"copy", "swap"}, default "copy"
        For ``glass_blur``: as published, or as it was meant. See ``blur.glass_blur``.

    Returns
    -------
    Tensor
        Of the shape, dtype and device of ``images``, clipped to [0, 1]. uint8 images are computed as floats; the result is
        *cut* to whole levels, not rounded, as in the benchmark (values within 0.001 below a level count as that level).

    Raises
    ------
    TypeError
        If the images are no tensor, or of another dtype.
    ValueError
        For another shape, an image without pixels, values outside [0, 1], NaN, or an unknown name, severity or option.

    Examples
    --------
    >>> grey = torch.full((3, 32, 32), 0.5)
    >>> spoiled = corrupt(grey, "gaussian_noise", 5, torch.Generator().manual_seed(0))
    >>> round(float(spoiled.std()), 2)
    0.1
    """
    checked_corruption(name)
    severity = checked_int(severity, "severity", low=0, high=5)
    checked_choice(exchange, "exchange", ("copy", "swap"))
    batch = _checked_batch(images)
    if severity == 0 or not len(batch):
        return images
    arguments = parameters(name, severity, min(batch.shape[-2:]), table)
    if name == "glass_blur":
        arguments["exchange"] = exchange
    if name in DRAWN:
        arguments["generator"] = generator
    step = max(1, BLOCK // batch[0].numel())
    out = torch.cat([_corrupted(part, name, arguments) for part in batch.split(step)])
    return out if images.ndim == 4 else out[0]


def suite(
    images: Tensor,
    seed: int,
    only: Iterable[str] | None = None,
    severities: Iterable[int] = SEVERITIES,
    *,
    table: int | None = None,
) -> Iterator[Corrupted]:
    """Go through every corruption and severity, one corrupted copy of the images at a time.

    Taught in ``18_does_it_help``.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W)
        As in ``corrupt``.
    seed : int
        At least 0. Each copy has a generator of its own, made from the seed, the name and the severity: it is the same
        whichever others are asked for.
    only : iterable of str, optional
        Names of corruptions; the 14 test corruptions by default.
    severities : iterable of int, default 1 to 5
    table : {32, 224}, optional
        As in ``corrupt``.

    Yields
    ------
    Corrupted
        ``(name, severity, images)``.

    Raises
    ------
    TypeError, ValueError
        As ``corrupt``, before the first copy is made.

    Examples
    --------
    >>> copies = suite(torch.rand(2, 3, 32, 32), seed=0, only=["fog"])
    >>> [(name, severity) for name, severity, _ in copies]
    [('fog', 1), ('fog', 2), ('fog', 3), ('fog', 4), ('fog', 5)]
    """
    seed = checked_int(seed, "seed", low=0)
    chosen = [checked_corruption(name).name for name in (names if only is None else only)]
    severities = [checked_int(severity, "severities", low=0, high=5) for severity in severities]
    _checked_batch(images)
    return _copies(images, seed, chosen, severities, table)


def generator_for(seed: int, name: str, severity: int) -> torch.Generator:
    """Return the generator with which ``suite`` makes one copy."""
    words = np.random.SeedSequence([seed, list(CORRUPTIONS).index(name), severity]).generate_state(2)
    return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)


def _copies(images: Tensor, seed: int, chosen: list[str], severities: list[int], table: int | None) -> Iterator[Corrupted]:
    for name in chosen:
        for severity in severities:
            copy = corrupt(images, name, severity, generator_for(seed, name, severity), table=table)
            yield Corrupted(name, severity, copy)


def _corrupted(images: Tensor, name: str, arguments: dict[str, Any]) -> Tensor:
    function = FUNCTIONS[name]
    if images.dtype == torch.uint8 and name in ON_LEVELS:
        return function(images, **arguments)
    if images.dtype == torch.uint8:
        spoiled = function(images.float() / 255, **arguments)
        return (spoiled.clamp_(0, 1) * 255 + 1e-3).to(torch.uint8)
    return function(images.float(), **arguments).clamp_(0, 1).to(images.dtype)


def _checked_batch(images: Any) -> Tensor:
    plain = images.as_subclass(Tensor) if isinstance(images, Tensor) else images
    batch = checked_images(plain[None] if isinstance(plain, Tensor) and plain.ndim == 3 else plain, channels=(1, 3))
    if batch.dtype != torch.uint8 and len(batch):
        inside = ((batch >= 0) & (batch <= 1)).flatten(1).all(1)  # False for NaN too
        if not bool(inside.all()):
            i = int((~inside).nonzero()[0])
            low, high = float(batch[i].min()), float(batch[i].max())
            got = "NaN" if bool(batch[i].isnan().any()) else f"values from {low:.4g} to {high:.4g}"
            raise ValueError(message("images", "floating images with values in [0, 1]", f"{got} in image {i}"))
    return batch
