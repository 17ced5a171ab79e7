"""Blurs: Gaussian, defocus, frosted glass, motion, zoom, on floating images (B, C, H, W). Source: see ``tables``."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from course_utils.augment.blur import motion_trail
from course_utils.augment.corruptions import draws


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Return the images blurred by a Gaussian cut at four sigma; beyond the edge, the edge pixel repeats."""
    return smoothed(images, sigma, "nearest", 4.0)


def smoothed(images: Tensor, sigma: float, mode: str, truncate: float) -> Tensor:
    """Return the images filtered along both axes, as ``scipy.ndimage.gaussian_filter`` does.

    A filter along one axis is a matrix, whatever happens at the border, and whole batches go through two products.

    Parameters
    ----------
    mode : {"nearest", "reflect"}
        How the axis continues beyond its ends: ``aaa|abcd|ddd`` or ``cba|abcd|dcb``.
    truncate : float
        The Gaussian ends after so many sigma.
    """
    rows, columns = (_filter_matrix(n, sigma, mode, truncate).to(images) for n in images.shape[-2:])
    return rows @ images @ columns.T


@lru_cache(maxsize=64)
def _filter_matrix(n: int, sigma: float, mode: str, truncate: float) -> Tensor:
    return torch.from_numpy(gaussian_filter1d(np.eye(n), sigma, axis=0, mode=mode, truncate=truncate)).float()


def defocus_blur(images: Tensor, radius: float, edge_sigma: float) -> Tensor:
    """Return the images blurred by a disc: a point out of focus becomes the image of the lens' opening.

    Beyond the edge, the image is mirrored at the centre of its outermost pixels.
    """
    kernel = disc_kernel(radius, edge_sigma).to(images)
    last = len(kernel) - 1
    mode = "reflect" if last // 2 < min(images.shape[-2:]) else "replicate"
    padded = F.pad(images, (last // 2,) * 4, mode=mode)
    spectrum = torch.fft.rfft2(padded) * torch.fft.rfft2(kernel, s=padded.shape[-2:])
    return torch.fft.irfft2(spectrum, s=padded.shape[-2:])[..., last:, last:]


def disc_kernel(radius: float, edge_sigma: float) -> Tensor:
    """Return a disc of equal weights with sum 1 and a softened edge, shape (k, k), k odd.

    The disc has the pixels with ``x^2 + y^2 <= radius^2``; below radius 1 that is one pixel, and the edge's Gaussian alone
    blurs. The Gaussian has 3 taps a side, above radius 8 it has 5.

    Examples
    --------
    >>> [int((disc_kernel(r, 1e-3) > 0).sum()) for r in (0.3, 0.4, 0.5, 1.0, 1.5)]
    [1, 1, 1, 5, 9]
    """
    taps = 1 if radius <= 8 else 2
    reach = int(radius) + taps
    axis = torch.arange(-reach, reach + 1, dtype=torch.float64)
    disc = (axis[:, None] ** 2 + axis[None, :] ** 2 <= radius**2).double()
    edge = torch.exp(-(torch.arange(-taps, taps + 1, dtype=torch.float64) ** 2) / (2 * edge_sigma**2))
    edge = torch.outer(edge, edge) / edge.sum() ** 2
    kernel = F.conv2d(disc[None, None], edge[None, None], padding=taps)[0, 0]
    return (kernel / kernel.sum()).float()


def motion_blur(images: Tensor, radius: int, sigma: float, generator: torch.Generator | None = None) -> Tensor:
    """Return the images blurred along a one-sided trail, at an angle from U[-45, 45] degrees for each image."""
    return motion_trail(images, radius, sigma, draws.uniform((len(images),), -45, 45, images, generator))


def zoom_blur(images: Tensor, zooms: tuple[float, ...]) -> Tensor:
    """Return the mean of the image and its enlarged copies: a camera that moves towards the scene."""
    shape = images.shape
    # one picture with many channels, the channels of a pixel side by side: six times as fast on a processor
    planes = images.flatten(0, 1)[None].contiguous(memory_format=torch.channels_last)
    total = planes.clone()
    for zoom in zooms:
        total += centre_zoom(planes, zoom)
    return (total / (len(zooms) + 1)).reshape(shape)


def centre_zoom(images: Tensor, zoom: float) -> Tensor:
    """Return the images enlarged about their centre, in their own size.

    The middle ``ceil(size / zoom)`` pixels are interpolated bilinearly, corner pixel onto corner pixel, and the centre of
    the result is cut out.
    """
    h, w = images.shape[-2:]
    crop_h, crop_w = ceil(h / zoom), ceil(w / zoom)
    top, left = (h - crop_h) // 2, (w - crop_w) // 2
    crop = images[..., top : top + crop_h, left : left + crop_w]
    size = (round(crop_h * zoom), round(crop_w * zoom))
    enlarged = F.interpolate(crop, size=size, mode="bilinear", align_corners=True)
    top, left = (size[0] - h) // 2, (size[1] - w) // 2
    return enlarged[..., top : top + h, left : left + w]


def glass_blur(
    images: Tensor, sigma: float, reach: int, passes: int, generator: torch.Generator | None = None, exchange: str = "copy"
) -> Tensor:
    """Return the images seen through frosted glass: pixels change places with near neighbours, between two small blurs.

    Parameters
    ----------
    reach : int
        Neighbours lie from ``-reach`` to ``reach - 1`` pixels away, in both directions: the published draw leaves out the
        upper end.
    passes : int
        How often every pixel is visited.
    exchange : {"copy", "swap"}
        ``"copy"`` is the benchmark: its code means to swap two pixels, but both sides of the assignment are views of one
        array, and both pixels end with the same colour. ``"swap"`` is what was meant: no colour is lost.
    """
    blurred = gaussian_blur(images, sigma)
    source = glass_sources(images, reach, passes, generator, exchange)  # (B, H * W)
    flat = blurred.flatten(2)
    exchanged = flat.gather(2, source[:, None].expand(flat.shape)).reshape(images.shape)
    return gaussian_blur(exchanged, sigma)


def glass_sources(
    images: Tensor, reach: int, passes: int, generator: torch.Generator | None = None, exchange: str = "copy"
) -> Tensor:
    """Return for every pixel the pixel whose colour it gets, int64 (B, H * W).

    The benchmark visits the pixels one after the other, from the lower right to the upper left. Two visits can only
    disturb each other if they are less than ``2 * reach`` apart in both directions. All pixels with one value of
    ``column + 2 * reach * row`` (counted in the order of the visits) are farther apart, so they are visited at once,
    in every image of the batch: 90 steps for 32 pixels instead of 900.
    """
    b, _, h, w = images.shape
    source = torch.arange(h * w, device=images.device)[:, None].repeat(1, b)  # (H * W, B)
    if min(h, w) <= 2 * reach:
        return source.T
    rows, columns = torch.arange(h - reach, reach, -1), torch.arange(w - reach, reach, -1)
    step = (torch.arange(len(rows))[:, None] * 2 * reach + torch.arange(len(columns))[None, :]).flatten()
    order = torch.argsort(step, stable=True)
    visited = (rows[:, None] * w + columns[None, :]).flatten()[order].to(images.device)  # (P,)
    counts = torch.bincount(step).tolist()
    for _ in range(passes):
        offset = draws.integers((2, len(visited), b), -reach, reach, images, generator)[:, order.to(images.device)]
        partner = visited[:, None] + offset[0] * w + offset[1]  # (P, B)
        start = 0
        for count in counts:
            here, there = visited[start : start + count], partner[start : start + count]
            start += count
            from_there = source.gather(0, there)
            if exchange == "swap":
                source.scatter_(0, there, source[here])
            source[here] = from_there
    return source.T
