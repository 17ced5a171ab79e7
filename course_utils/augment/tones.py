"""Transforms of tones and channels: gamma, posterise, solarise, autocontrast, grey, channel shuffle, invert, sharpness.

Each is a thin random shell around a pure function of ``course_utils.augment.colour`` (equalise has a module of its own).
The search for policies in chapters 22 to 27 draws from these. Their risk for the label is low, with exceptions: a picture
whose class is its colour (ripe or unripe, traffic lights) loses it in grey, and medical images must not be inverted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment import colour
from course_utils.augment.colour_jitter import OneFactor, Range, around_one
from course_utils.augment.sampling import RandomTransform
from course_utils.checks import checked_float, checked_int, checked_range, message

IMAGENET_COLOURS = (
    (-0.5675 * 0.2175, 0.7192 * 0.0188, 0.4009 * 0.0045),
    (-0.5808 * 0.2175, -0.0045 * 0.0188, -0.8140 * 0.0045),
    (-0.5836 * 0.2175, -0.6948 * 0.0188, 0.4203 * 0.0045),
)
"""Eigenvectors (columns) times eigenvalues of the colours of ImageNet, as published with fb.resnet.torch."""


class Gamma(OneFactor):
    """Raise every image to a random power, drawn from ``gamma``: a pair of numbers above 0, or one number.

    Examples
    --------
    >>> round(Gamma((2.0, 2.0))(torch.full((1, 1, 1), 0.5)).item(), 4)
    0.25
    """

    def __init__(self, gamma: Range = (0.8, 1.2), p: float = 1.0, per: str = "sample") -> None:
        super().__init__(checked_range(gamma, "gamma", above=0, single="both"), colour.adjust_gamma, p, per)


class Solarize(OneFactor):
    """Invert what is at least as bright as a threshold: one number, or drawn from a pair, in [0, 1] for uint8 too."""

    works_in = "any"

    def __init__(self, threshold: Range = 0.5, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(checked_range(threshold, "threshold", low=0, single="both"), colour.solarize, p, per)


class Sharpness(OneFactor):
    """Blend every image with a smoothed one by a random factor; arguments as in ``BrightnessJitter``, default 1: [0, 2]."""

    def __init__(self, sharpness: Range = 1.0, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(around_one(sharpness, "sharpness"), colour.adjust_sharpness, p, per)


@dataclass(frozen=True)
class Bits:
    """Drawn by ``Posterize``: ``bits`` (B,), int64, from 1 to 8."""

    bits: Tensor


class Posterize(RandomTransform):
    """Keep the highest bits of every channel: ``bits`` is one number from 1 to 8, or the two ends to draw from."""

    works_in = "any"

    def __init__(self, bits: int | tuple[int, int] = 4, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(p, per)
        low, high = bits if isinstance(bits, (tuple, list)) else (bits, bits)
        low = checked_int(low, "bits", low=1, high=8)
        self.bits = (low, checked_int(high, "bits", low=low, high=8))

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> Bits:
        low, high = self.bits
        return Bits(torch.randint(low, high + 1, (n,), generator=generator, device=device))

    def apply(self, images: Tensor, params: Bits) -> Tensor:
        return colour.posterize(images, params.bits)


@dataclass(frozen=True)
class Nothing:
    """Drawn by transforms without parameters."""


class AutoContrast(RandomTransform):
    """Stretch every channel of every image to the full range; a constant channel stays."""

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> Nothing:
        return Nothing()

    def apply(self, images: Tensor, params: Nothing) -> Tensor:
        return colour.autocontrast(images)


class Grayscale(RandomTransform):
    """Replace every channel by the grey value. SimCLR does so with p = 0.2."""

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> Nothing:
        return Nothing()

    def apply(self, images: Tensor, params: Nothing) -> Tensor:
        return colour.grayscale(images)


class Invert(RandomTransform):
    """Return the negative of every image."""

    works_in = "any"

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> Nothing:
        return Nothing()

    def apply(self, images: Tensor, params: Nothing) -> Tensor:
        return colour.invert(images)


@dataclass(frozen=True)
class ChannelOrder:
    """Drawn by ``ChannelShuffle``: ``order`` (B, C), int64; channel c comes from channel ``order[:, c]``."""

    order: Tensor


class ChannelShuffle(RandomTransform):
    """Put the channels of every image into a random order; the order they have is one of the possible ones."""

    works_in = "any"
    unit_range = False

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> ChannelOrder:
        return ChannelOrder(torch.rand(n, shape[0], generator=generator, device=device).argsort(1))

    def apply(self, images: Tensor, params: ChannelOrder) -> Tensor:
        return colour.shuffle_channels(images, params.order)


@dataclass(frozen=True)
class ColourAmounts:
    """Drawn by ``PCAColorNoise``: ``amounts`` (B, 3), how much of each main colour direction is added."""

    amounts: Tensor


class PCAColorNoise(RandomTransform):
    """Shift the colours of every image along the main colour directions of a data set, as AlexNet did.

    Parameters
    ----------
    sigma : float, default 0.1
        Standard deviation of the three amounts.
    colours : Tensor of shape (3, 3), optional
        From ``colour.principal_colours(training images)``; those of ImageNet by default.
    p, per
        As in ``RandomTransform``.

    Notes
    -----
    A. Krizhevsky, I. Sutskever, G. Hinton, NeurIPS 2012, section 4.1. Every pixel of an image gets the same shift, like a
    lamp of another colour. Grey images stay as they are.
    """

    def __init__(self, sigma: float = 0.1, colours: Tensor | None = None, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(p, per)
        self.sigma = checked_float(sigma, "sigma", low=0)
        self.colours = torch.tensor(IMAGENET_COLOURS) if colours is None else colours
        if self.colours.shape != (3, 3):
            raise ValueError(message("colours", "a tensor of shape (3, 3)", f"shape {tuple(self.colours.shape)}"))

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> ColourAmounts:
        return ColourAmounts(torch.randn(n, 3, generator=generator, device=device) * self.sigma)

    def apply(self, images: Tensor, params: ColourAmounts) -> Tensor:
        return colour.add_principal_colours(images, params.amounts, self.colours)
