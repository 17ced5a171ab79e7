"""Fog and snow as in the benchmark, on floating images (B, C, H, W) in [0, 1]; frost is left out. Source: see ``tables``."""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.augment.blur import motion_trail
from course_utils.augment.corruptions import draws
from course_utils.augment.corruptions.blur import centre_zoom
from course_utils.augment.per_image import RGB_TO_GREY
from course_utils.augment.weather import plasma_fractal


def fog(images: Tensor, amount: float, decay: float, generator: torch.Generator | None = None) -> Tensor:
    """Return ``(x + amount * clouds) * m / (m + amount)``, m the largest value of each image."""
    device = images.device if generator is None else generator.device
    clouds = plasma_fractal(len(images), images.shape[-2:], decay, generator, device).to(images)[:, None]
    largest = images.amax((1, 2, 3), keepdim=True)
    return (images + amount * clouds) * largest / (largest + amount)


def snow(
    images: Tensor,
    mean: float,
    deviation: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    keep: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the images paler, with two layers of falling flakes.

    A flake is noise above ``threshold``, enlarged by ``zoom`` and blurred along the way it falls, at an angle from
    U[-135, -45] degrees. The second layer is the first one turned by 180 degrees. ``keep`` is the share of the picture's
    own colours; the rest is a grey picture, lightened. A picture of one channel is its own grey.
    """
    b, c, h, w = images.shape
    layer = mean + deviation * draws.normal((b, 1, h, w), images, generator)
    layer = centre_zoom(layer, zoom)
    layer = torch.where(layer < threshold, 0.0, layer).clamp(0, 1)
    layer = (layer * 255 + 1e-3).floor() / 255  # the published layer is an 8-bit picture
    layer = motion_trail(layer, radius, sigma, draws.uniform((b,), -135, -45, images, generator))
    layer = (layer * 255).round() / 255
    grey = images if c == 1 else (images * images.new_tensor(RGB_TO_GREY)[:, None, None]).sum(1, keepdim=True)
    pale = keep * images + (1 - keep) * torch.maximum(images, 1.5 * grey + 0.5)
    return pale + layer + layer.rot90(2, (2, 3))
