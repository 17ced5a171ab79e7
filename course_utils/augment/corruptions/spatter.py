"""Spatter: drops of water or splashes of mud on the lens, without OpenCV. Source: see ``tables``.

Blurred noise above a threshold is the liquid. Mud hides what is under it. Water is brightened by a relief: how far a point
is from the edge of its drop gives the height, and a filter along the diagonal lights it from one side.

The published code finds edges and distances with OpenCV. Here, edges are found by the same rule (``canny_edges`` is equal
to OpenCV's, pixel by pixel), and distances are exact, where OpenCV's are sums of steps of three lengths, up to two percent
off. Images of the same noise differ by a few grey levels at the drops' rims.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from course_utils.augment.corruptions import draws
from course_utils.augment.corruptions.blur import gaussian_blur
from course_utils.augment.per_image import RGB_TO_GREY

WATER = (175 / 255, 238 / 255, 238 / 255)
MUD = (63 / 255, 42 / 255, 20 / 255)
EDGE_LIMITS = (50, 150)
HIGHEST = 20.0  # distance to an edge, in pixels, beyond which a drop is flat
LIGHT = ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))
SURE = 0.8  # mud thinner than this is left out
TANGENT = 13573 / 2**15  # of 22.5 degrees, with the digits that OpenCV keeps


def spatter(
    images: Tensor,
    mean: float,
    deviation: float,
    sigma: float,
    threshold: float,
    strength: float,
    mud_sigma: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the images (B, C, H, W) with drops of water, or of mud where ``mud_sigma`` is above 0.

    Parameters
    ----------
    mean, deviation, sigma, threshold : float
        Noise of this mean and deviation is blurred by ``sigma`` pixels; above ``threshold`` it is liquid.
    strength : float
        Of the water's light.
    mud_sigma : float
        Blur of the splashes' outline, in pixels.
    """
    b, c, h, w = images.shape
    liquid = gaussian_blur(mean + deviation * draws.normal((b, 1, h, w), images, generator), sigma)
    if mud_sigma > 0:
        cover = gaussian_blur((liquid > threshold).to(images), mud_sigma)
        cover = torch.where(cover < SURE, 0.0, cover)
        return images * (1 - cover) + cover * _colour(MUD, images)
    depth = torch.where(liquid < threshold, 0.0, liquid).clamp(0, 1)
    depth = (depth * 255 + 1e-3).floor()
    light = depth * relief(depth)
    light = light / light.amax((2, 3), keepdim=True).clamp(min=1e-12)  # no drop, no light
    return images + strength * light * _colour(WATER, images)


def relief(depth: Tensor) -> Tensor:
    """Return how brightly each point of a water surface shines, 0 to 255, from its depth (B, 1, H, W) in whole levels."""
    edges = canny_edges(depth)
    # one call for the batch: other images are too far away to matter
    heights = ndimage.distance_transform_edt(~edges.cpu().numpy(), sampling=(1e6, 1, 1))
    if not bool(edges.any()):
        heights = np.full(heights.shape, HIGHEST)
    height = torch.from_numpy(heights).to(depth)[:, None].clamp(max=HIGHEST)
    height = _equalised((_box(height) + 1e-4).floor())
    lit = _filtered(height, depth.new_tensor(LIGHT)).clamp(0, 255)
    return _box(lit).round()


def canny_edges(images: Tensor, low: float = EDGE_LIMITS[0], high: float = EDGE_LIMITS[1]) -> Tensor:
    """Return where the edges of pictures (B, 1, H, W) of whole levels are, bool (B, H, W), as OpenCV's ``Canny`` does.

    The gradient is Sobel's, its size is ``|gx| + |gy|``. A pixel is a candidate if its gradient is above ``low`` and no
    smaller than both neighbours along the gradient. Candidates that are connected to one above ``high`` are edges.
    """
    sobel = images.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    gx, gy = (_filtered(images, kernel, "replicate") for kernel in (sobel, sobel.T))
    size = gx.abs() + gy.abs()
    around = F.pad(size, (1, 1, 1, 1))  # 0 beyond the border
    h, w = images.shape[-2:]

    def neighbour(dy: int, dx: int) -> Tensor:
        return around[..., 1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w]

    ax, ay = gx.abs(), gy.abs()
    flat, steep = ay < ax * TANGENT, ay > ax * (TANGENT + 2)
    falling = gx * gy < 0
    across = torch.where(
        falling,
        (size > neighbour(-1, 1)) & (size > neighbour(1, -1)),
        (size > neighbour(-1, -1)) & (size > neighbour(1, 1)),
    )
    across = torch.where(steep, (size > neighbour(-1, 0)) & (size >= neighbour(1, 0)), across)
    across = torch.where(flat, (size > neighbour(0, -1)) & (size >= neighbour(0, 1)), across)
    candidate, sure = (across & (size > low))[:, 0].cpu().numpy(), (across & (size > high))[:, 0].cpu().numpy()
    within = np.zeros((3, 3, 3), bool)
    within[1] = True  # connected inside an image only
    part, n_parts = ndimage.label(candidate, within)
    kept = np.zeros(n_parts + 1, bool)
    kept[part[sure]] = True
    return torch.from_numpy(kept[part]).to(images.device)


def _filtered(images: Tensor, kernel: Tensor, mode: str = "reflect") -> Tensor:
    mode = mode if min(images.shape[-2:]) > 1 else "replicate"
    return F.conv2d(F.pad(images, (1, 1, 1, 1), mode=mode), kernel[None, None])


def _box(images: Tensor) -> Tensor:
    return _filtered(images, torch.full((3, 3), 1 / 9, dtype=images.dtype, device=images.device))


def _equalised(levels: Tensor) -> Tensor:
    """Spread whole levels (B, 1, H, W) over 0 to 255 so that each appears equally often; the smallest becomes 0."""
    b, n = len(levels), levels[0].numel()
    index = levels.flatten(1).long()
    counts = torch.zeros(b, 256, device=levels.device).scatter_add_(1, index, torch.ones_like(index, dtype=torch.float32))
    lowest = counts.gather(1, index.amin(1, keepdim=True))
    table = ((counts.cumsum(1) - lowest).clamp(min=0) * (255 / (n - lowest).clamp(min=1))).round()
    flat = lowest == n  # one level only: it stays
    return torch.where(flat, index.to(levels), table.gather(1, index)).view_as(levels)


def _colour(colour: tuple[float, ...], images: Tensor) -> Tensor:
    """Return the colour, or its grey value for pictures of one channel, as (C, 1, 1)."""
    values = images.new_tensor(colour)
    return (values if images.shape[1] == 3 else values @ images.new_tensor(RGB_TO_GREY)).view(-1, 1, 1)
