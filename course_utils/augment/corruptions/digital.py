"""Brightness, contrast, saturation, elastic deformation, pixelation and JPEG. Source: see ``tables``."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.augment.corruptions import draws
from course_utils.augment.corruptions.blur import smoothed
from course_utils.augment.jpeg import jpeg_compress


def brightness(images: Tensor, lift: float) -> Tensor:
    """Return the images with ``lift`` added to V of HSV, clipped at 1.

    Hue and saturation stay, so red, green and blue grow by the same factor ``V' / V``; black becomes grey.
    """
    value = images.amax(1, keepdim=True)
    lifted = (value + lift).clamp(max=1)
    return torch.where(value > 0, images * (lifted / value.clamp(min=1e-12)), lifted)


def saturate(images: Tensor, factor: float, lift: float) -> Tensor:
    """Return the images with S of HSV replaced by ``factor * S + lift``, clipped to [0, 1].

    Grey has hue 0, which is red: with ``lift`` above 0 grey pixels turn reddish, in the benchmark as here. A picture of
    one channel stays as it is.
    """
    if images.shape[1] == 1:
        return images
    value, low = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    spread = value - low
    saturation = spread / value.clamp(min=1e-12)
    wanted = (factor * saturation + lift).clamp(0, 1)
    coloured = value - (value - images) * (wanted / saturation.clamp(min=1e-12))
    red = torch.cat([value, value * (1 - wanted), value * (1 - wanted)], dim=1)
    return torch.where(spread > 0, coloured, red)


def contrast(images: Tensor, factor: float) -> Tensor:
    """Return ``(x - mean) * factor + mean``, with the mean of each channel of each image."""
    mean = images.mean((2, 3), keepdim=True)
    return (images - mean) * factor + mean


def elastic_transform(
    images: Tensor, alpha: float, sigma: float, affine: float, generator: torch.Generator | None = None
) -> Tensor:
    """Return the images after a random affine map and a random smooth displacement, each interpolated bilinearly.

    Parameters
    ----------
    alpha : float
        The displacement is ``alpha`` times smoothed noise from U[-1, 1]; 0 leaves it out (severity 1 at 32 pixels).
    sigma : float
        Smoothness of the displacement, in pixels.
    affine : float
        Three points of the image move by U[-affine, affine] pixels in both directions and take the image along.

    Notes
    -----
    Beyond the edge, the affine map sees the image mirrored at the centres of its outermost pixels, the displacement sees
    it mirrored at its edge, as the two libraries of the benchmark's code do.
    """
    b, _, h, w = images.shape
    warped = _affine_warp(images, affine, generator)
    if alpha == 0:
        return warped
    noise = draws.uniform((b, 2, h, w), -1, 1, images, generator)
    shift = alpha * smoothed(noise, sigma, "reflect", 3.0)
    x = torch.arange(w, device=images.device) + shift[:, 0]
    y = torch.arange(h, device=images.device)[:, None] + shift[:, 1]
    grid = torch.stack([(2 * x + 1) / w - 1, (2 * y + 1) / h - 1], dim=-1)
    return F.grid_sample(warped, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def _affine_warp(images: Tensor, affine: float, generator: torch.Generator | None) -> Tensor:
    b, _, h, w = images.shape
    side = min(h, w) // 3
    moves = draws.uniform((b, 3, 2), -affine, affine, images, generator)
    if side == 0:
        return images  # too small to place three points
    cx, cy = w // 2, h // 2
    points = images.new_tensor([[cx + side, cy + side], [cx + side, cy - side], [cx - side, cy - side]])
    ones = torch.ones(b, 3, 1, device=images.device, dtype=images.dtype)
    moved = torch.cat([points + moves, ones], dim=2)  # (B, 3, 3), rows are homogeneous points
    back = torch.linalg.solve(moved, points.expand(b, 3, 2))  # (B, 3, 2): from the moved points to where they came from
    y, x = torch.meshgrid(
        torch.arange(h, device=images.device, dtype=images.dtype),
        torch.arange(w, device=images.device, dtype=images.dtype),
        indexing="ij",
    )
    pixels = torch.stack([x, y, torch.ones_like(x)], dim=-1).reshape(1, h * w, 3)
    came_from = (pixels @ back).reshape(b, h, w, 2)
    grid = 2 * came_from / images.new_tensor([max(w - 1, 1), max(h - 1, 1)]) - 1
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def pixelate(images: Tensor, share: float) -> Tensor:
    """Return the images after they were made smaller and larger again, both with a box filter.

    Floating images are averaged as they are. For uint8 images both axes of both steps are rounded to whole levels, which
    gives Pillow's result exactly.
    """
    h, w = images.shape[-2:]
    small_h, small_w = max(1, int(h * share)), max(1, int(w * share))
    levels = images.dtype == torch.uint8
    x = images.float() if levels else images
    for rows, columns in ((small_h, small_w), (h, w)):
        x = x @ box_matrix(x.shape[-1], columns).to(x).T
        x = (x + 0.5).floor() if levels else x
        x = box_matrix(x.shape[-2], rows).to(x) @ x
        x = (x + 0.5).floor() if levels else x
    return x.to(images.dtype)


@lru_cache(maxsize=64)
def box_matrix(n: int, n_new: int) -> Tensor:
    """Return the matrix (n_new, n) that resizes an axis with a box filter: means of the pixels whose centres fall inside.

    Examples
    --------
    >>> box_matrix(4, 2)
    tensor([[0.5000, 0.5000, 0.0000, 0.0000],
            [0.0000, 0.0000, 0.5000, 0.5000]])
    """
    scale = n / n_new
    width = max(scale, 1.0)  # of a new pixel, in old ones; enlarging repeats pixels
    centre, old = (np.arange(n_new)[:, None] + 0.5) * scale, np.arange(n)[None, :]
    # three conditions that say the same, in Pillow's order of operations: ties fall as they do there
    inside = (old >= np.floor(centre - width / 2 + 0.5)) & (old < np.floor(centre + width / 2 + 0.5))
    offset = (old - centre + 0.5) * (1 / width)
    inside &= (offset > -0.5) & (offset <= 0.5)
    return torch.from_numpy(inside / inside.sum(1, keepdims=True)).float()


def jpeg_compression(images: Tensor, quality: int) -> Tensor:
    """Return the images after JPEG with colour at half resolution, as Pillow saves; floats are rounded to 8 bits first."""
    return jpeg_compress(images, quality)
