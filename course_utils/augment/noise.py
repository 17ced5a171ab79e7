"""Noise: what a sensor adds, from plain Gaussian noise to a model of the photons.

**Problem.** Photographs taken in the dark are grainy, and the grain has colours. **Idea.** Follow the light:

1. a pixel value is not an amount of light: undo the display curve, ``l = x**2.2``;
2. a pixel of a camera collects electrons, at most F of them ("full well"). At ISO gain K it is full after F / K. Their
   number is a Poisson draw: ``n ~ Poisson(l F / K)``;
3. reading the number adds a Gaussian error of r electrons;
4. back: ``l' = (n + error) K / F``, cut to [0, 1], and ``x' = l' ** (1 / 2.2)``.

Every colour channel draws for itself, and that gives the coloured specks. Before the cut the mean of ``l'`` is ``l``, and
its variance is ``K l / F + (K r / F)**2``: the noise grows with the square root of the gain.

``ISONoise(model="hls")`` is the other definition in use, albumentations' of version 1: it adds Poisson numbers to the
lightness and Gaussian ones to the hue. It can only brighten. Version 2 of that library lost the factors 255 and 360 on the
way and leaves most pixels without noise, so it serves nobody as a reference.

Sources: A. Foi et al., "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data", IEEE TIP 2008
(the sensor); albumentations 1.x (HLS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.colour import hue_of, spread
from course_utils.augment.colour_jitter import Range
from course_utils.augment.per_image import checked_images, on_floating_images, per_image
from course_utils.augment.sampling import RandomTransform, uniform
from course_utils.checks import checked_choice, checked_float, checked_range, message

DISPLAY_GAMMA = 2.2
LARGEST_SEED = 2**62
GREY_LEVELS = 255


# ---------------------------------------------------------------------------------------------------------------- Gaussian


@dataclass(frozen=True)
class GaussianNoiseParams:
    """Drawn by ``GaussianNoise``: ``sigma`` (B,) and ``noise`` (B, C, H, W), of mean 0 and deviation 1."""

    sigma: Tensor
    noise: Tensor


class GaussianNoise(RandomTransform):
    """Add Gaussian noise to every channel of every pixel, and cut to [0, 1].

    Parameters
    ----------
    sigma : float or (float, float), default (0.04, 0.1)
        Standard deviation, at least 0, for values in [0, 1]: one number or the two ends to draw from.
    p, per
        As in ``RandomTransform``.

    Examples
    --------
    >>> GaussianNoise(0.05)(torch.full((3, 8, 8), 0.5)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(self, sigma: Range = (0.04, 0.1), p: float = 1.0, per: str = "sample") -> None:
        super().__init__(p, per)
        self.sigma = checked_range(sigma, "sigma", low=0, single="both")

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> GaussianNoiseParams:
        sigma = uniform(n, *self.sigma, generator, device)
        return GaussianNoiseParams(sigma, torch.randn(n, *shape, generator=generator, device=device))

    def apply(self, images: Tensor, params: GaussianNoiseParams) -> Tensor:
        return add_noise(images, params.noise, params.sigma)


@on_floating_images
def add_noise(images: Tensor, noise: Tensor, sigma: float | Tensor) -> Tensor:
    """Return ``images + sigma * noise`` cut to [0, 1]; ``sigma`` of at least 0, a number or (B,)."""
    sigma = spread(per_image(sigma, "sigma", images, low=0))
    return torch.addcmul(images, noise.to(images.dtype), sigma).clamp_(0, 1)


# --------------------------------------------------------------------------------------------------------------- the sensor


@dataclass(frozen=True)
class ISONoiseParams:
    """Drawn by ``ISONoise``.

    Attributes
    ----------
    strength : Tensor of shape (B,)
        The gain K; for ``model="hls"`` the intensity I.
    colour : Tensor of shape (B,)
        For ``model="hls"`` how much of it goes into the hue, else 0.
    seeds : Tensor of shape (B,), int64
        Of each image's own random numbers: a Poisson draw depends on the image, so it cannot be drawn beforehand.
    """

    strength: Tensor
    colour: Tensor
    seeds: Tensor


class ISONoise(RandomTransform):
    """Add the noise of a camera sensor at a random ISO gain.

    Parameters
    ----------
    gain : float or (float, float), default (1.0, 16.0)
        K, above 0, relative to ISO 100: 16 stands for ISO 1600.
    full_well : float, default 1000.0
        F, electrons of a full pixel at K = 1.
    read_noise : float, default 2.0
        r, standard deviation of the reading error in electrons.
    model : {"sensor", "hls"}, default "sensor"
        The physical model, or albumentations 1's, which needs RGB and takes the next two arguments.
    intensity, color_shift : float or (float, float), default (0.1, 0.5) and (0.01, 0.05)
    p, per
        As in ``RandomTransform``.

    Examples
    --------
    >>> ISONoise(gain=8)(torch.rand(4, 3, 32, 32)).shape
    torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        gain: Range = (1.0, 16.0),
        full_well: float = 1000.0,
        read_noise: float = 2.0,
        model: str = "sensor",
        intensity: Range = (0.1, 0.5),
        color_shift: Range = (0.01, 0.05),
        p: float = 1.0,
        per: str = "sample",
    ) -> None:
        super().__init__(p, per)
        self.gain = checked_range(gain, "gain", above=0, single="both")
        self.full_well = checked_float(full_well, "full_well", above=0)
        self.read_noise = checked_float(read_noise, "read_noise", low=0)
        self.model = checked_choice(model, "model", ("sensor", "hls"))
        self.intensity = checked_range(intensity, "intensity", low=0, single="both")
        self.color_shift = checked_range(color_shift, "color_shift", low=0, single="both")

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> ISONoiseParams:
        sensor = self.model == "sensor"
        strength = uniform(n, *(self.gain if sensor else self.intensity), generator, device)
        colour = uniform(n, *((0, 0) if sensor else self.color_shift), generator, device)
        seeds = torch.randint(LARGEST_SEED, (n,), generator=generator, device=device)
        return ISONoiseParams(strength, colour, seeds)

    def apply(self, images: Tensor, params: ISONoiseParams) -> Tensor:
        if self.model == "sensor":
            return sensor_noise(images, params.strength, params.seeds, self.full_well, self.read_noise)
        return hls_noise(images, params.strength, params.colour, params.seeds)


@on_floating_images
def sensor_noise(
    images: Tensor, gains: float | Tensor, seeds: Tensor, full_well: float = 1000.0, read_noise: float = 2.0
) -> Tensor:
    """Return images as a sensor sees them at the given gains.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W)
        In [0, 1], as a screen shows them; any number of channels.
    gains : float or Tensor of shape (B,)
        K, above 0.
    seeds : Tensor of shape (B,), int64
        The same seed gives the same noise, on the same kind of device.
    full_well, read_noise : float
        F and r, in electrons.
    """
    gains = spread(per_image(gains, "gains", images, above=0))
    light = sensor_light(images.pow(DISPLAY_GAMMA), gains, checked_seeds(seeds, images), full_well, read_noise)
    return light.clamp_(0, 1).pow_(1 / DISPLAY_GAMMA)


def sensor_light(light: Tensor, gains: Tensor, seeds: list[int], full_well: float, read_noise: float) -> Tensor:
    """Return the light (B, C, H, W) that is read off: mean ``light``, variance ``K light / F + (K r / F)**2``, not cut."""
    per_electron = gains / full_well
    electrons = light / per_electron
    for image, seed in zip(electrons, seeds):
        generator = torch.Generator(image.device).manual_seed(seed)
        counted = torch.poisson(image, generator=generator)
        image.normal_(0, read_noise, generator=generator).add_(counted)
    return electrons.mul_(per_electron)


def checked_seeds(seeds: Any, images: Tensor) -> list[int]:
    """Return one seed for each image as a list of int."""
    values = torch.as_tensor(seeds)
    if values.dtype != torch.int64 or values.shape != (len(images),):
        got = f"{values.dtype} of shape {tuple(values.shape)}"
        raise ValueError(message("seeds", f"int64 of shape ({len(images)},)", got))
    return values.tolist()


# ---------------------------------------------------------------------------------------------------- lightness and hue


@on_floating_images
def hls_noise(images: Tensor, intensities: float | Tensor, color_shifts: float | Tensor, seeds: Tensor) -> Tensor:
    """Return images with noise in lightness and hue, as albumentations 1 defines it.

    ``L += (1 - L) * Poisson(255 s I) / 255`` with s the standard deviation of L over the image, and
    ``H += N(0, 360 c I)`` degrees, that is N(0, c I) turns. Grey images keep their hue, and so their one channel.
    """
    intensities = per_image(intensities, "intensities", images, low=0)
    spreads = per_image(color_shifts, "color_shifts", images, low=0) * intensities
    channels = checked_images(images, (1, 3)).shape[1]
    hue, lightness, saturation = rgb_to_hls(images.expand(-1, 3, -1, -1))
    rates = GREY_LEVELS * intensities * lightness.flatten(1).std(1, correction=0)
    for i, seed in enumerate(checked_seeds(seeds, images)):
        generator = torch.Generator(images.device).manual_seed(seed)
        steps = torch.poisson(rates[i].expand(lightness[i].shape), generator=generator) / GREY_LEVELS
        turns = torch.empty_like(hue[i]).normal_(0, 1, generator=generator) * spreads[i]
        lightness[i] += (1 - lightness[i]) * steps
        hue[i] += turns
    return hls_to_rgb(hue, lightness.clamp_(0, 1), saturation)[:, :channels]


def rgb_to_hls(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return hue in turns, lightness and saturation in [0, 1], each (B, H, W), of RGB images (B, 3, H, W) in [0, 1]."""
    high, low = images.amax(1), images.amin(1)
    chroma, total = high - low, high + low
    room = torch.where(total <= 1, total, 2 - total)
    saturation = torch.where(chroma == 0, 0, chroma / room.masked_fill(room == 0, 1))
    hue = torch.where(chroma == 0, 0, hue_of(images, low, chroma) / 6)
    return hue, total / 2, saturation


def hls_to_rgb(hue: Tensor, lightness: Tensor, saturation: Tensor) -> Tensor:
    """Return RGB images (B, 3, H, W) in [0, 1] from hue in turns, lightness and saturation, each (B, H, W)."""
    reach = saturation * torch.minimum(lightness, 1 - lightness)
    channels = []
    for start in (0, 8, 4):
        place = (start + 12 * hue) % 12
        wave = torch.minimum(place - 3, 9 - place).clamp_(-1, 1)
        channels.append((lightness - reach * wave).clamp_(0, 1))
    return torch.stack(channels, dim=1)
