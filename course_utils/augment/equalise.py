"""Histogram equalisation: give every grey level about the same number of pixels, exactly as Pillow does.

**Problem.** A foggy or badly exposed picture uses few of its 256 levels. **Idea.** Send every level to its rank: the share
of pixels that are darker. Where many pixels share a level, the next level moves far away, so crowded ranges are spread out.

With the histogram h of a channel of N pixels and the count ``h_last`` of its brightest level, Pillow's table is

    step = (N - h_last) // 255
    table[k] = min(255, (step // 2 + h[0] + ... + h[k - 1]) // step)

and the channel stays as it is where ``step`` is 0: few pixels, or one level only. Here all channels of a batch are done
together: one count, one cumulative sum, one look-up.

Source: Pillow, ``ImageOps.equalize``; E. Cubuk et al., "AutoAugment", CVPR 2019, arXiv:1805.09501 made it an augmentation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils.augment.per_image import checked_images
from course_utils.augment.sampling import RandomTransform, to_uint8
from course_utils.augment.tones import Nothing

LEVELS = 256


def equalize(images: Tensor) -> Tensor:
    """Equalise the histogram of every channel of every image.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W)
        uint8, or floating in [0, 1], rounded to 256 levels first.

    Returns
    -------
    Tensor of shape (B, C, H, W)
        Of the images' dtype; a channel that stays as it is comes back rounded to 256 levels.

    Examples
    --------
    >>> ramp = torch.arange(100, 116, dtype=torch.uint8).repeat(32).view(1, 1, 16, 32)
    >>> equalize(ramp).unique()[:4].tolist()
    [0, 32, 64, 96]
    """
    checked_images(images)
    if images.dtype != torch.uint8:
        return equalize(to_uint8(images.float())).float().div_(255).to(images.dtype)
    n, channels, height, width = images.shape
    # one long table of counts: the level plus 256 times the number of the channel
    offset = LEVELS * torch.arange(n * channels, device=images.device, dtype=torch.int32).view(n, channels, 1, 1)
    place = (images.int() + offset).flatten()
    counts = torch.bincount(place, minlength=LEVELS * n * channels).view(-1, LEVELS)
    return equalisation_tables(counts).flatten().index_select(0, place).view(images.shape)


def equalisation_tables(counts: Tensor) -> Tensor:
    """Return Pillow's tables of new levels for histograms (N, 256): (N, 256), uint8."""
    levels = torch.arange(LEVELS, device=counts.device, dtype=torch.float64)
    counts = counts.double()  # whole numbers are exact in it, and divide faster
    brightest = (counts.clamp(max=1) * levels).amax(1, keepdim=True).long()
    step = (counts.sum(1, keepdim=True) - counts.gather(1, brightest)).div_(LEVELS - 1).floor_()
    darker = counts.cumsum(1).sub_(counts)
    tables = darker.add_((step / 2).floor_()).div_(step.clamp(min=1)).floor_().clamp_(max=LEVELS - 1)
    tables[step[:, 0] == 0] = levels
    return tables.to(torch.uint8)


class Equalize(RandomTransform):
    """Equalise the histogram of every channel of an image; ``p`` and ``per`` as in ``RandomTransform``."""

    works_in = "any"

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> Nothing:
        return Nothing()

    def apply(self, images: Tensor, params: Nothing) -> Tensor:
        return equalize(images)
