"""Fog and rain: weather painted over a picture, a different one for every image of a batch.

**Problem.** A camera outdoors meets fog and rain, and training pictures are mostly taken in fair weather. **Idea.** Both
are layers with a simple law. Fog is a bright, cloudy layer that lowers the contrast. Rain is a set of short bright streaks
over a darker scene.

- The clouds are a *plasma fractal*: the diamond-square algorithm fills a square grid from coarse to fine. Every new point
  is the mean of its four neighbours plus a random number, and the random numbers shrink from level to level.
- With a depth map, fog follows Koschmieder's law: light fades as ``exp(-density * depth)`` and air light replaces it.

Sources: D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR
2019, arXiv:1903.12261 (fog without depth); A. Fournier, D. Fussell, L. Carpenter, "Computer rendering of stochastic
models", CACM 1982 (the fractal); H. Koschmieder, "Theorie der horizontalen Sichtweite", 1924 (fog with depth).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.blur import trail_taps
from course_utils.augment.colour import spread
from course_utils.augment.colour_jitter import Range
from course_utils.augment.per_image import on_floating_images, per_image
from course_utils.augment.sampling import RandomTransform, uniform
from course_utils.checks import checked_float, checked_int, checked_range, message

FIRST_AMPLITUDE = 100.0
"""Only its ratio to later levels matters, because the map is stretched to [0, 1] at the end."""

STREAK = 7
"""Length of a streak in pixels for which the density of drops is given."""


def plasma_fractal(
    n: int, size: int | tuple[int, int], decay: float | Tensor = 3.0, generator: torch.Generator | None = None, device: Any = None
) -> Tensor:
    """Return ``n`` cloudy maps with values in [0, 1], by the diamond-square algorithm on a periodic grid.

    Parameters
    ----------
    n : int
        Number of maps; map i of a batch equals the map of a loop with the same generator.
    size : int or (int, int)
        Height and width. Other sizes than powers of two are cut from the next larger one.
    decay : float or Tensor of shape (n,), default 3.0
        Above 0. The amplitude is divided by ``decay**2`` from level to level: large values give smooth clouds.
    generator : torch.Generator, optional
    device : torch.device, optional

    Returns
    -------
    Tensor of shape (n, H, W), float32

    Notes
    -----
    Level by level, with ``step = 2**k, 2**(k-1), ..., 2`` and the amplitude ``w**2``, where w = 100 is divided by ``decay``
    after every level: the centre of each square is the mean of its corners plus ``U[-w**2, w**2]``, then the centre of each
    edge is the mean of its four neighbours plus the same. Neighbours beyond the border are found on the other side. This is
    the fog of ImageNet-C, whose amplitude is squared because its code multiplies by w twice.

    Examples
    --------
    >>> maps = plasma_fractal(2, 16, generator=torch.Generator().manual_seed(0))
    >>> maps.shape, float(maps.min()), float(maps.max())
    (torch.Size([2, 16, 16]), 0.0, 1.0)
    """
    n = checked_int(n, "n", low=0)
    height, width = (size, size) if isinstance(size, int) else size
    height, width = checked_int(height, "size", low=1), checked_int(width, "size", low=1)
    side = max(2, 1 << (max(height, width) - 1).bit_length())
    # one random number for every point of the grid: the draws of map i are together, whatever the order of the levels
    jitter = torch.rand(n, side, side, generator=generator, device=device) * 2 - 1
    decays = per_image(decay, "decay", jitter[:, None], above=0)[:, None, None]
    maps = torch.zeros_like(jitter)
    amplitude = torch.full_like(decays, FIRST_AMPLITUDE**2)
    step = side
    while step >= 2:
        half = step // 2
        corners = maps[:, ::step, ::step]
        right = corners + corners.roll(-1, 2)
        centres = (right + right.roll(-1, 1)) / 4 + amplitude * jitter[:, half::step, half::step]
        across = (right + centres + centres.roll(1, 1)) / 4 + amplitude * jitter[:, ::step, half::step]
        down = (corners + corners.roll(-1, 1) + centres + centres.roll(1, 2)) / 4 + amplitude * jitter[:, half::step, ::step]
        maps[:, half::step, half::step], maps[:, ::step, half::step], maps[:, half::step, ::step] = centres, across, down
        step, amplitude = half, amplitude / decays**2
    low = maps.amin((1, 2), keepdim=True)
    return ((maps - low) / (maps.amax((1, 2), keepdim=True) - low))[:, :height, :width]


# --------------------------------------------------------------------------------------------------------------------- fog


@dataclass(frozen=True)
class FogParams:
    """Drawn by ``Fog``: ``strength`` (B,) and ``clouds`` (B, H, W) in [0, 1]."""

    strength: Tensor
    clouds: Tensor


class Fog(RandomTransform):
    """Lay a cloudy fog over every image.

    Parameters
    ----------
    strength : float or (float, float), default (0.2, 1.5)
        c, at least 0: one number or the two ends to draw from. The default spans the five severities of CIFAR-10-C.
    decay : float or (float, float), default (1.75, 3.0)
        Of ``plasma_fractal``: small values give ragged fog.
    p, per
        As in ``RandomTransform``.

    Examples
    --------
    >>> Fog()(torch.rand(4, 3, 32, 32)).shape
    torch.Size([4, 3, 32, 32])
    """

    def __init__(self, strength: Range = (0.2, 1.5), decay: Range = (1.75, 3.0), p: float = 1.0, per: str = "sample") -> None:
        super().__init__(p, per)
        self.strength = checked_range(strength, "strength", low=0, single="both")
        self.decay = checked_range(decay, "decay", above=0, single="both")

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> FogParams:
        strength = uniform(n, *self.strength, generator, device)
        decay = uniform(n, *self.decay, generator, device)
        return FogParams(strength, plasma_fractal(n, tuple(shape[1:]), decay, generator, device))

    def apply(self, images: Tensor, params: FogParams) -> Tensor:
        return add_fog(images, params.clouds, params.strength)


@on_floating_images
def add_fog(images: Tensor, clouds: Tensor, strength: float | Tensor) -> Tensor:
    """Return ``(x + c P) * m / (m + c)`` for every image, with m its largest value.

    Parameters
    ----------
    clouds : Tensor of shape (B, H, W)
        P, in [0, 1].
    strength : float or Tensor of shape (B,)
        c, at least 0; 0 changes nothing.
    """
    strength = spread(per_image(strength, "strength", images, low=0))
    if clouds.shape != (len(images), *images.shape[2:]):
        expected = f"of shape ({len(images)}, {images.shape[2]}, {images.shape[3]})"
        raise ValueError(message("clouds", expected, f"shape {tuple(clouds.shape)}"))
    if not len(images):
        return images.clone()
    largest = images.amax((1, 2, 3), keepdim=True)
    # a black image without fog would ask for 0 / 0
    scale = largest / (largest + strength).masked_fill(largest + strength == 0, 1)
    return torch.addcmul(images, clouds[:, None].to(images.dtype), strength).mul_(scale).clamp_(0, 1)


@on_floating_images
def add_depth_fog(images: Tensor, depth: Tensor, density: float | Tensor, air_light: float | Tensor = 1.0) -> Tensor:
    """Return images in fog that hides what is far: ``x e^(-b d) + A (1 - e^(-b d))``, Koschmieder's law.

    Parameters
    ----------
    depth : Tensor of shape (B, H, W)
        d, distance to the camera, at least 0, in any unit; infinite is allowed (sky).
    density : float or Tensor of shape (B,)
        b, at least 0, per unit of depth. At the distance ``3.9 / b`` a black object keeps 2 % of its contrast: the
        meteorological visibility.
    air_light : float or Tensor of shape (B,), default 1.0
        A, the brightness of dense fog, in [0, 1].

    Raises
    ------
    ValueError
        If the depth has another shape, is negative or NaN.
    """
    density = per_image(density, "density", images, low=0)[:, None, None]
    air_light = spread(per_image(air_light, "air_light", images, low=0, high=1))
    if depth.shape != (len(images), *images.shape[2:]) or not bool((depth >= 0).all()):
        expected = f"distances of shape ({len(images)}, {images.shape[2]}, {images.shape[3]}), none negative or NaN"
        raise ValueError(
            message("depth", expected, f"shape {tuple(depth.shape)}, smallest {depth.min() if depth.numel() else 0}")
        )
    # without fog even the sky is clear: 0 * infinity is 0 here
    left = torch.exp(-torch.where(density == 0, 0, density * depth.to(images.dtype)))[:, None]
    return (images * left).add_(air_light * (1 - left)).clamp_(0, 1)


# -------------------------------------------------------------------------------------------------------------------- rain


@dataclass(frozen=True)
class RainParams:
    """Drawn by ``Rain``.

    Attributes
    ----------
    streaks : Tensor of shape (B, H, W)
        The layer of rain, in [0, 1].
    strength : Tensor of shape (B,)
        By how much the brightest streak brightens the image.
    """

    streaks: Tensor
    strength: Tensor


class Rain(RandomTransform):
    """Darken every image and draw bright, slanted streaks over it.

    Parameters
    ----------
    density : float or (float, float), default (0.005, 0.02)
        Share of pixels in which a drop starts if streaks are 7 pixels long, as at 32 pixels of height; in [0, 1]. Larger
        images have longer streaks and fewer of them, so that rain covers the same share of the picture.
    strength : float or (float, float), default (0.2, 0.6)
        Of the streaks, in [0, 1].
    angle : float or (float, float), default (70, 110)
        Direction of the streaks in degrees; 90 is straight down.
    length : float, default 0.2
        Of a streak, as a share of the image height.
    darkness : float, default 0.7
        The image is multiplied by it.
    p, per
        As in ``RandomTransform``.

    Examples
    --------
    >>> Rain()(torch.rand(4, 3, 32, 32)).shape
    torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        density: Range = (0.005, 0.02),
        strength: Range = (0.2, 0.6),
        angle: Range = (70, 110),
        length: float = 0.2,
        darkness: float = 0.7,
        p: float = 1.0,
        per: str = "sample",
    ) -> None:
        super().__init__(p, per)
        self.density = checked_range(density, "density", low=0, high=1, single="both")
        self.strength = checked_range(strength, "strength", low=0, high=1, single="both")
        self.angle = checked_range(angle, "angle", single="both")
        self.length = checked_float(length, "length", low=0)
        self.darkness = checked_float(darkness, "darkness", low=0, high=1)

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> RainParams:
        radius = max(1, round(self.length * shape[1] / 2))
        density = uniform(n, *self.density, generator, device) * min(1, STREAK / (2 * radius + 1))
        drops = torch.rand(n, *shape[1:], generator=generator, device=device) < density[:, None, None]
        angle = uniform(n, *self.angle, generator, device)
        streaks = rain_streaks(drops, radius, angle)
        return RainParams(streaks, uniform(n, *self.strength, generator, device))

    def apply(self, images: Tensor, params: RainParams) -> Tensor:
        return add_rain(images, params.streaks, params.strength, self.darkness)


def rain_streaks(drops: Tensor, radius: int, angle: Tensor) -> Tensor:
    """Return the layer of rain, (B, H, W) in [0, 1]: every drop (True) drags a one-sided Gaussian trail behind it.

    It is ``motion_trail`` with ``sigma = radius``, scaled so that the drop itself is 1, but works on the few drops instead
    of on all pixels, and what leaves the frame is gone.
    """
    n, height, width = drops.shape
    weights, offsets = trail_taps(radius, torch.full_like(angle, float(radius)), angle)
    image, y, x = drops.nonzero(as_tuple=True)
    x, y = x[:, None] + offsets[image, :, 0], y[:, None] + offsets[image, :, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    place = ((image[:, None] * height + y) * width + x)[inside]
    layer = weights.new_zeros(n * height * width)
    layer.index_add_(0, place, (weights / weights[:, :1])[image][inside])
    return layer.view(n, height, width).clamp_(0, 1)


@on_floating_images
def add_rain(images: Tensor, streaks: Tensor, strength: float | Tensor, darkness: float = 0.7) -> Tensor:
    """Return ``darkness * x + strength * streaks`` cut to [0, 1]; ``streaks`` (B, H, W) in [0, 1]."""
    strength = spread(per_image(strength, "strength", images, low=0))
    return (images * darkness).addcmul_(streaks[:, None].to(images.dtype), strength).clamp_(0, 1)
