"""Colour jitter: brightness, contrast, saturation and hue by random amounts, a fresh draw for every image.

Four transforms change one thing each. ``ColorJitter`` changes all four, in a random order, because the order matters: a
contrast change after a brightness change is cut off at other values than before it. Here every image of a batch draws its
own amounts **and its own order**.

``ColorJitter`` computes in one of two ways:

``method="exact"``
    Step by step, with the values cut to [0, 1] after every step and the hue turned in HSV: torchvision's result.
``method="fused"``
    Brightness, contrast and saturation are linear in the pixel, ``A x + b``; so is a turn of RGB space about its grey axis,
    which stands in for the hue turn. The four are multiplied into one 3 x 3 matrix and one offset per image, and the batch
    is changed in one pass. This leaves out the cuts between the steps, and its hue turns keep the mean of R, G and B where
    HSV keeps the largest. (A turn in YIQ is the usual stand-in; on a photograph it is clearly farther from HSV.)

Sources: T. Chen et al., SimCLR, ICML 2020, arXiv:2002.05709; the ranges of K. He et al., MoCo, CVPR 2020, arXiv:1911.05722
are (0.4, 0.4, 0.4, 0.1), those of SimCLR (0.8, 0.8, 0.8, 0.2) with p = 0.8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment import colour
from course_utils.augment.per_image import RGB_TO_GREY, checked_images
from course_utils.augment.sampling import RandomTransform, uniform
from course_utils.checks import checked_choice, checked_float, checked_range

Range = float | tuple[float, float]

STEPS = ("brightness", "contrast", "saturation", "hue")
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


@dataclass(frozen=True)
class Factors:
    """Drawn by the transforms of one change: ``factors`` (B,), 1 for "as it is" (hue: ``0``, in turns)."""

    factors: Tensor


class OneFactor(RandomTransform):
    """The shared body of the transforms that change one thing by one factor per image."""

    def __init__(self, low_high: tuple[float, float], change: Callable, p: float, per: str) -> None:
        super().__init__(p, per)
        self.low_high, self.change = low_high, change

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> Factors:
        return Factors(uniform(n, *self.low_high, generator, device))

    def apply(self, images: Tensor, params: Factors) -> Tensor:
        return self.change(images, params.factors)

    def extra_repr(self) -> str:
        low, high = self.low_high
        return f"from {low:g} to {high:g}, p={self.p:g}, per={self.per!r}"


class BrightnessJitter(OneFactor):
    """Multiply every image by a random factor.

    Parameters
    ----------
    brightness : float or (float, float), default 0.4
        ``b`` draws factors from ``[max(0, 1 - b), 1 + b]``; a pair gives the two ends.
    p, per
        As in ``RandomTransform``.

    Examples
    --------
    >>> jitter = BrightnessJitter((0.5, 0.5))
    >>> jitter(torch.ones(1, 1, 1)).item()
    0.5
    """

    def __init__(self, brightness: Range = 0.4, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(around_one(brightness, "brightness"), colour.adjust_brightness, p, per)


class ContrastJitter(OneFactor):
    """Blend every image with its mean grey value by a random factor; arguments as in ``BrightnessJitter``."""

    def __init__(self, contrast: Range = 0.4, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(around_one(contrast, "contrast"), colour.adjust_contrast, p, per)


class SaturationJitter(OneFactor):
    """Blend every image with its grey picture by a random factor; arguments as in ``BrightnessJitter``."""

    def __init__(self, saturation: Range = 0.4, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(around_one(saturation, "saturation"), colour.adjust_saturation, p, per)


class HueJitter(OneFactor):
    """Turn the hue of every image by a random angle.

    Parameters
    ----------
    hue : float or (float, float), default 0.1
        ``h`` draws from ``[-h, h]``, in turns, at most 0.5; a pair gives the two ends.
    p, per
        As in ``RandomTransform``.
    """

    def __init__(self, hue: Range = 0.1, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(checked_range(hue, "hue", low=-0.5, high=0.5, single="around"), colour.adjust_hue, p, per)


# ------------------------------------------------------------------------------------------------------- all four together


@dataclass(frozen=True)
class ColorJitterParams:
    """Drawn by ``ColorJitter``.

    Attributes
    ----------
    brightness, contrast, saturation : Tensor of shape (B,)
        Factors; 1 changes nothing.
    hue : Tensor of shape (B,)
        In turns; 0 changes nothing.
    order : Tensor of shape (B, n_steps), int64
        The steps of each image in their order: 0 brightness, 1 contrast, 2 saturation, 3 hue. Steps whose range is empty
        are left out.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    order: Tensor


class ColorJitter(RandomTransform):
    """Change brightness, contrast, saturation and hue by random amounts in a random order, anew for every image.

    Parameters
    ----------
    brightness, contrast, saturation : float or (float, float), default 0
        ``v`` draws factors from ``[max(0, 1 - v), 1 + v]``; a pair gives the two ends; 0 leaves the step out.
    hue : float or (float, float), default 0
        ``h`` draws from ``[-h, h]``, in turns, at most 0.5; 0 leaves the step out.
    p, per
        As in ``RandomTransform``.
    method : {"exact", "fused"}, default "exact"
        As the module says; "fused" is several times as fast.

    Examples
    --------
    >>> jitter = ColorJitter(0.4, 0.4, 0.4, 0.1)
    >>> jitter(torch.rand(8, 3, 32, 32)).shape
    torch.Size([8, 3, 32, 32])
    """

    def __init__(
        self,
        brightness: Range = 0,
        contrast: Range = 0,
        saturation: Range = 0,
        hue: Range = 0,
        p: float = 1.0,
        per: str = "sample",
        method: str = "exact",
    ) -> None:
        super().__init__(p, per)
        self.brightness = around_one(brightness, "brightness")
        self.contrast = around_one(contrast, "contrast")
        self.saturation = around_one(saturation, "saturation")
        self.hue = checked_range(hue, "hue", low=-0.5, high=0.5, single="around")
        self.method = checked_choice(method, "method", ("exact", "fused"))

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> ColorJitterParams:
        ranges = [getattr(self, step) for step in STEPS]
        amounts = [uniform(n, low, high, generator, device) for low, high in ranges]
        used = [s for s, low_high in enumerate(ranges) if low_high != ((0, 0) if s == HUE else (1, 1))]
        ranks = torch.rand(n, len(used), generator=generator, device=device).argsort(1)
        order = torch.tensor(used, dtype=torch.int64, device=device)[ranks]
        return ColorJitterParams(*amounts, order)

    def apply(self, images: Tensor, params: ColorJitterParams) -> Tensor:
        return (jitter_exactly if self.method == "exact" else jitter_fused)(images, params)

    def extra_repr(self) -> str:
        ranges = ", ".join(f"{step}={getattr(self, step)}" for step in STEPS)
        return f"{ranges}, p={self.p:g}, per={self.per!r}, method={self.method!r}"


def jitter_exactly(images: Tensor, params: ColorJitterParams) -> Tensor:
    """Return floating images (B, C, H, W) changed step by step, each image in its own order.

    All images make their first step together, then their second. Three of the four steps are one formula,
    ``f x + (1 - f) reference``, with black, the mean grey or the grey picture as reference, so one pass over the batch does
    them whatever their order. The images whose step is the hue are next to each other: the batch is sorted for that.
    """
    channels = checked_images(images, colour.GREY_OR_RGB).shape[1]
    turns_in_round = (params.order == HUE).int()
    who = turns_in_round.argmax(1).argsort() if params.order.numel() else torch.arange(len(images), device=images.device)
    out, order, counts = images.index_select(0, who), params.order[who], turns_in_round.sum(0).tolist()
    still = torch.ones_like(params.hue)
    factors = (params.brightness, params.contrast, params.saturation if channels == 3 else still, still)
    factors, turns, done = torch.stack(factors, dim=1)[who].to(images.dtype), params.hue[who].to(images.dtype), 0
    for steps, count in zip(order.unbind(1), counts):
        factor = factors.gather(1, steps[:, None])[:, 0]
        reference = colour.grey(out)
        mean_share = (1 - factor) * (steps == CONTRAST) * reference.mean((1, 2, 3))
        reference.mul_(colour.spread((1 - factor) * (steps == SATURATION))).add_(colour.spread(mean_share))
        out.mul_(colour.spread(factor)).add_(reference).clamp_(0, 1)
        if count:
            turning = slice(done, done + count)
            out[turning] = colour.hue_turned(out[turning], turns[turning])
            done += count
    return out.index_select(0, who.argsort())


def jitter_fused(images: Tensor, params: ColorJitterParams) -> Tensor:
    """Return floating images (B, C, H, W) changed by one colour matrix and one offset each, cut to [0, 1] at the end."""
    if checked_images(images, colour.GREY_OR_RGB).shape[1] == 1:
        return jitter_fused(images.expand(-1, 3, -1, -1), params)[:, :1] if len(images) else images.clone()
    matrix, offset = colour_map(images.mean((2, 3)), params)
    out = torch.baddbmm(offset[:, :, None], matrix, images.flatten(2))
    return out.view(images.shape).clamp_(0, 1)


def colour_map(means: Tensor, params: ColorJitterParams) -> tuple[Tensor, Tensor]:
    """Return the one linear map that all steps of each image make together.

    Parameters
    ----------
    means : Tensor of shape (B, 3)
        The mean colour of each image: contrast needs it.

    Returns
    -------
    matrix : Tensor of shape (B, 3, 3)
    offset : Tensor of shape (B, 3)
        A pixel x becomes ``matrix @ x + offset``.
    """
    n = len(means)
    one = torch.eye(3, dtype=means.dtype, device=means.device)
    weights = means.new_tensor(RGB_TO_GREY)
    brightness, contrast, saturation = (
        f.to(means.dtype)[:, None, None] for f in (params.brightness, params.contrast, params.saturation)
    )
    each = torch.stack(
        [brightness * one, contrast * one, saturation * one + (1 - saturation) * weights, hue_matrix(params.hue.to(means.dtype))],
        dim=1,
    )  # (B, 4, 3, 3), one matrix for each step
    matrix, offset, index = one.expand(n, 3, 3), torch.zeros_like(means), torch.arange(n, device=means.device)
    for step in params.order.unbind(1):
        now = (matrix @ means[:, :, None])[:, :, 0] + offset  # the mean colour after the steps so far
        chosen = each[index, step]
        lift = torch.where(step == CONTRAST, (1 - contrast[:, 0, 0]) * (now @ weights), 0)
        matrix, offset = chosen @ matrix, (chosen @ offset[:, :, None])[:, :, 0] + lift[:, None]
    return matrix, offset


def hue_matrix(turns: Tensor) -> Tensor:
    """Return the colour matrices (B, 3, 3) that turn RGB space about its grey axis: a linear stand-in for a hue turn.

    Thirds of a turn permute the channels, as in HSV. Between them the mean of R, G and B stays, where HSV keeps the largest.

    Examples
    --------
    >>> hue_matrix(torch.tensor([0.0, 1 / 3])).round().abs().int().tolist()
    [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]]
    """
    angle = turns.double()[:, None, None] * 2 * math.pi
    one = torch.eye(3, dtype=torch.float64, device=turns.device)
    across = one.roll(1, 0) - one.roll(-1, 0)  # the cross product with the grey axis (1, 1, 1)
    matrix = angle.cos() * one + (1 - angle.cos()) / 3 + angle.sin() / math.sqrt(3) * across
    return matrix.to(turns.dtype)


# -------------------------------------------------------------------------------------------------------------- the ranges


def around_one(value: Range, name: str) -> tuple[float, float]:
    """Return the two ends of a range of factors: ``v`` stands for ``[max(0, 1 - v), 1 + v]``."""
    if isinstance(value, (tuple, list)):
        return checked_range(value, name, low=0)
    value = checked_float(value, name, low=0)
    return max(0.0, 1 - value), 1 + value
