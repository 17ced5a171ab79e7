"""Noise: Gaussian, shot, impulse, speckle, on floating images (B, C, H, W) in [0, 1].

The values are not clipped here; ``corrupt`` clips them at the end, so mean and variance can be tested. Source: see
``tables``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.augment.corruptions import draws


def gaussian_noise(images: Tensor, sigma: float, generator: torch.Generator | None = None) -> Tensor:
    """Return ``x + N(0, sigma^2)``: electronic noise in the dark."""
    return images + sigma * draws.normal(images.shape, images, generator)


def shot_noise(images: Tensor, photons: float, generator: torch.Generator | None = None) -> Tensor:
    """Return ``Poisson(photons * x) / photons``: light arrives in pieces; the variance is ``x / photons``."""
    return draws.poisson(images * photons, generator) / photons


def impulse_noise(images: Tensor, share: float, generator: torch.Generator | None = None) -> Tensor:
    """Return the images with a share of their elements set to 0 or 1, half each: the colour version of salt and pepper.

    Channels are hit one by one, so the specks are coloured.
    """
    drawn = draws.uniform(images.shape, 0, 1, images, generator)
    return torch.where(drawn < share, (drawn < share / 2).to(images.dtype), images)


def speckle_noise(images: Tensor, sigma: float, generator: torch.Generator | None = None) -> Tensor:
    """Return ``x + x * N(0, sigma^2)``: noise that grows with the brightness."""
    return images + images * (sigma * draws.normal(images.shape, images, generator))
