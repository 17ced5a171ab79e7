"""Blur: a lens out of focus, a camera that shakes, an object that moves, each image in its own way.

Two definitions of motion blur are in use, and they differ in what they do to a box:

===================  ==============================================  ====================================
definition           kernel                                          the object
===================  ==============================================  ====================================
line (camera shake)  a segment of constant weight about the centre   stays where it is, smeared both ways
trail (ImageMagick)  half a Gaussian, from the pixel in one way      moves along the trail
===================  ==============================================  ====================================

Source of the trail: the corruption benchmark of D. Hendrycks, T. Dietterich, ICLR 2019, arXiv:1903.12261, which calls
ImageMagick's ``motion-blur``. Angles are in degrees, 0 to the right, and turn clockwise as seen because y points down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from course_utils.augment.colour_jitter import Range
from course_utils.augment.per_image import on_floating_images, per_image
from course_utils.augment.sampling import RandomTransform, corners, uniform
from course_utils.checks import checked_choice, checked_int, checked_range, message

NEGLIGIBLE = 1e-9
"""Taps below this weight do not change a float32 sum of values in [0, 1]."""

VISIBLE = 0.05
"""Share of the heaviest tap's weight from which a tap still shows the object."""

SHARPEST = 1e-6
"""Below this standard deviation a Gaussian is one pixel, and its square would underflow."""

POINTS, LONG = 64, 17
"""A line has 64 points, four to a pixel up to a length of 16 (kernel size 17); longer lines have a multiple of that."""

LARGEST_BAND = 64
"""Largest side in pixels for which a matrix product beats convolutions on a CPU."""

LARGEST_SQUARE = 7
"""Largest kernel for which one square convolution beats two long ones on a CPU."""


def trail_taps(radius: int, sigma: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights and offsets of one-sided Gaussian trails.

    Parameters
    ----------
    radius : int
        The trail has ``2 * radius + 1`` taps.
    sigma : Tensor of shape (B,)
        Above 0, in pixels.
    angle : Tensor of shape (B,)
        In degrees.

    Returns
    -------
    weights : Tensor of shape (B, 2 * radius + 1)
        ``exp(-i**2 / (2 sigma**2))``, each row of sum 1.
    offsets : Tensor of shape (B, 2 * radius + 1, 2), int64
        How far tap i moves the picture, (x, y): ``-ceil(i cos a - 1/2)`` and ``-ceil(i sin a - 1/2)``.
    """
    i = torch.arange(2 * radius + 1, device=sigma.device, dtype=torch.float64)
    weights = torch.exp(-(i**2) / (2 * sigma.double()[:, None] ** 2))
    turn = torch.deg2rad(angle.double())[:, None]
    direction = torch.stack([turn.cos(), turn.sin()], dim=2)
    # nine decimals: at multiples of 45 degrees the last bit of a cosine must not decide between two pixels
    along = (i[:, None] * direction * 1e9).round() / 1e9
    offsets = -torch.ceil(along - 0.5)
    return (weights / weights.sum(1, keepdim=True)).to(sigma.dtype), offsets.long()


@on_floating_images
def motion_trail(images: Tensor, radius: int, sigma: float | Tensor, angle: float | Tensor) -> Tensor:
    """Blur images along one-sided Gaussian trails, as ImageMagick and the corruption benchmarks do.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W)
        uint8, or floating of any range.
    radius : int
        At least 0; the trail has ``2 * radius + 1`` taps, one pixel apart.
    sigma : float or Tensor of shape (B,)
        Above 0: standard deviation of the half Gaussian, in pixels.
    angle : float or Tensor of shape (B,)
        In degrees. At angle 0 the trail runs to the left: pixel x becomes ``sum_i k_i image[x + i]``.

    Returns
    -------
    Tensor of shape (B, C, H, W)
        Of the images' dtype. Beyond the border the edge pixel is repeated.

    Raises
    ------
    ValueError
        If an argument is out of range; the message names the image.

    Examples
    --------
    >>> dot = torch.zeros(1, 1, 1, 5)
    >>> dot[..., 3] = 1
    >>> motion_trail(dot, radius=1, sigma=1.0, angle=0.0).mul(100).round().int().tolist()
    [[[[0, 8, 35, 57, 0]]]]
    """
    radius = checked_int(radius, "radius", low=0)
    sigma, angle = per_image(sigma, "sigma", images, above=0), per_image(angle, "angle", images)
    n, channels, height, width = images.shape
    weights, offsets = trail_taps(radius, sigma, angle)
    seen = (weights > NEGLIGIBLE).any(0).nonzero()
    pixels = images.reshape(n, channels, height * width)
    out = torch.zeros_like(pixels)
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    for i in seen[:, 0].tolist():
        x = (columns - offsets[:, i, :1]).clamp_(0, width - 1)
        y = (rows - offsets[:, i, 1:]).clamp_(0, height - 1)
        index = (y[:, :, None] * width + x[:, None, :]).view(n, 1, -1)
        out.addcmul_(pixels.gather(2, index.expand(-1, channels, -1)), weights[:, i, None, None])
    return out.view_as(images)


# ------------------------------------------------------------------------------------------------------------ camera shake


def line_kernels(length: Tensor, angle: Tensor, size: int) -> Tensor:
    """Return the kernels of straight, symmetric camera shake.

    The line is cut into many points, and each point gives its weight to the four pixels around it (a bilinear splat). So
    every angle has the same length, which rounding the points to pixels does not give.

    Parameters
    ----------
    length : Tensor of shape (B,)
        At least 1, in pixels: points lie from ``-(length - 1) / 2`` to ``(length - 1) / 2``.
    angle : Tensor of shape (B,)
        In degrees.
    size : int
        Odd, at least ``length``.

    Returns
    -------
    Tensor of shape (B, size, size)
        Sum 1 and centre of mass in the middle.
    """
    points = POINTS * math.ceil(size / LONG)
    along = torch.linspace(-1, 1, points, device=length.device, dtype=length.dtype) * (length[:, None] - 1) / 2
    turn = torch.deg2rad(angle)[:, None]
    side = torch.arange(size, device=length.device, dtype=length.dtype) - size // 2
    across, down = (
        (1 - (side - place[:, :, None]).abs_()).clamp_(min=0) for place in (along * turn.cos(), along * turn.sin())
    )  # (B, points, size): the share of each point that a column or a row gets
    return down.mT @ across / points


@on_floating_images
def motion_line(images: Tensor, length: float | Tensor, angle: float | Tensor) -> Tensor:
    """Blur images along straight lines through every pixel, as a shaking camera does.

    Parameters
    ----------
    length : float or Tensor of shape (B,)
        At least 1, in pixels; 1 changes nothing.
    angle : float or Tensor of shape (B,)
        In degrees.

    Returns
    -------
    Tensor of shape (B, C, H, W)
        Of the images' dtype. Beyond the border the edge pixel is repeated.
    """
    length, angle = per_image(length, "length", images, low=1), per_image(angle, "angle", images)
    if not len(images):
        return images.clone()
    size = 2 * math.ceil((float(length.max()) - 1) / 2) + 1
    return per_image_convolution(images, line_kernels(length, angle, size))


def per_image_convolution(images: Tensor, kernels: Tensor) -> Tensor:
    """Return images (B, C, H, W) correlated with a kernel (B, odd, odd) each; the edge pixel is repeated."""
    n, channels, height, width = images.shape
    rows, columns = kernels.shape[1] // 2, kernels.shape[2] // 2
    padded = F.pad(images, (columns, columns, rows, rows), mode="replicate")
    weights = kernels[:, None].repeat_interleave(channels, 0)
    return F.conv2d(padded.view(1, n * channels, *padded.shape[2:]), weights, groups=n * channels).view(images.shape)


# ----------------------------------------------------------------------------------------------------------- out of focus


def gaussian_weights(sigma: Tensor, radius: int) -> Tensor:
    """Return the weights ``exp(-i**2 / (2 sigma**2))`` for i = -radius..radius, each row of sum 1: (B, 2 radius + 1)."""
    i = torch.arange(-radius, radius + 1, device=sigma.device, dtype=sigma.dtype)
    weights = torch.exp(-(i**2) / (2 * sigma.clamp(min=SHARPEST)[:, None] ** 2))
    return weights / weights.sum(1, keepdim=True)


@on_floating_images
def gaussian_blur(images: Tensor, sigma: float | Tensor, kernel_size: int | None = None) -> Tensor:
    """Blur every image with its own Gaussian.

    Parameters
    ----------
    sigma : float or Tensor of shape (B,)
        Standard deviation in pixels, at least 0; 0 changes nothing.
    kernel_size : int, optional
        Odd. By default as large as three standard deviations of the largest ``sigma`` ask for.

    Returns
    -------
    Tensor of shape (B, C, H, W)
        Of the images' dtype. The border is reflected without repeating the edge pixel. Where a side is not longer than the
        radius there is nothing to reflect, and the edge pixel is repeated along it.

    Notes
    -----
    The Gaussian is a product of one along rows and one along columns. Up to 64 pixels each of them is a matrix product with
    a band matrix that has the border rule in it; larger images take convolutions.
    """
    sigma = per_image(sigma, "sigma", images, low=0)
    if not len(images):
        return images.clone()
    radius = _radius(kernel_size, float(sigma.max()))
    weights = gaussian_weights(sigma, radius)
    n, channels, height, width = images.shape
    if max(height, width) <= LARGEST_BAND:
        columns = band_matrices(weights, width)
        rows = columns if height == width else band_matrices(weights, height)
        return rows[:, None] @ (images @ columns[:, None].mT)
    for axis, side in ((2, height), (3, width)):
        frame = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
        images = F.pad(images, frame, mode="reflect" if radius < side else "replicate")
    stacked = images.view(1, n * channels, *images.shape[2:])
    columns = weights.repeat_interleave(channels, 0)[:, None, None, :]
    if weights.shape[1] <= LARGEST_SQUARE:
        out = F.conv2d(stacked, columns.mT * columns, groups=n * channels)
    else:
        out = F.conv2d(F.conv2d(stacked, columns, groups=n * channels), columns.mT, groups=n * channels)
    return out.view(n, channels, height, width)


def border_index(side: int, radius: int, device: Any = None) -> Tensor:
    """Return which pixel stands at -radius..side + radius - 1: reflected, or repeated where the side is too short."""
    places = torch.arange(-radius, side + radius, device=device)
    if radius >= side:
        return places.clamp(0, side - 1)
    return side - 1 - (side - 1 - places.abs()).abs()


def band_matrices(weights: Tensor, side: int) -> Tensor:
    """Return one-dimensional convolutions with their border rule as matrices: (B, side, side), out = matrix @ in."""
    n, taps = weights.shape
    # entry (i, k): which input pixel tap k of output pixel i reads
    index = border_index(side, taps // 2, weights.device).unfold(0, taps, 1)
    matrices = weights.new_zeros(n, side, side)
    return matrices.scatter_add_(2, index.expand(n, -1, -1), weights[:, None, :].expand(-1, side, -1))


def _radius(kernel_size: int | None, sigma: float) -> int:
    if kernel_size is None:
        return max(1, math.ceil(3 * sigma))
    kernel_size = checked_int(kernel_size, "kernel_size", low=1)
    if kernel_size % 2 == 0:
        raise ValueError(message("kernel_size", "odd: the kernel needs a middle", str(kernel_size)))
    return kernel_size // 2


# --------------------------------------------------------------------------------------------------------- the transforms


@dataclass(frozen=True)
class BlurParams:
    """Drawn by ``GaussianBlur``: ``sigma`` (B,), in pixels."""

    sigma: Tensor


class GaussianBlur(RandomTransform):
    """Blur every image with a Gaussian of its own random width.

    Parameters
    ----------
    kernel_size : int, optional
        Odd; by default three times the largest ``sigma`` on either side.
    sigma : float or (float, float), optional
        One width or the two ends to draw from, in pixels, at least 0. By default (0.1, 2.0), as in SimCLR; with a
        ``kernel_size`` it is ``0.15 * kernel_size + 0.35``, as in OpenCV.
    p, per
        As in ``RandomTransform``.

    Examples
    --------
    >>> GaussianBlur()(torch.rand(8, 3, 32, 32)).shape
    torch.Size([8, 3, 32, 32])
    """

    def __init__(self, kernel_size: int | None = None, sigma: Range | None = None, p: float = 1.0, per: str = "sample") -> None:
        super().__init__(p, per)
        if sigma is None:
            sigma = (0.1, 2.0) if kernel_size is None else 0.15 * checked_int(kernel_size, "kernel_size", low=1) + 0.35
        self.sigma = checked_range(sigma, "sigma", low=0, single="both")
        self.kernel_size = 2 * _radius(kernel_size, self.sigma[1]) + 1

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> BlurParams:
        return BlurParams(uniform(n, *self.sigma, generator, device))

    def apply(self, images: Tensor, params: BlurParams) -> Tensor:
        return gaussian_blur(images, params.sigma, self.kernel_size).clamp_(0, 1)


@dataclass(frozen=True)
class MotionParams:
    """Drawn by ``MotionBlur``.

    Attributes
    ----------
    extent : Tensor of shape (B,)
        Length of the line in pixels, or standard deviation of the trail.
    angle : Tensor of shape (B,)
        In degrees.
    """

    extent: Tensor
    angle: Tensor


class MotionBlur(RandomTransform):
    """Blur every image along its own random direction.

    Parameters
    ----------
    kind : {"line", "trail"}, default "line"
        Camera shake, symmetric; or the one-sided Gaussian trail of ImageMagick and of the corruption benchmarks.
    length : float or (float, float), default (3, 9)
        Of the line, in pixels, at least 1.
    sigma : float or (float, float), default (1.0, 2.5)
        Standard deviation of the trail, in pixels.
    radius : int, default 8
        The trail ends after ``2 * radius + 1`` pixels.
    angle : float or (float, float), default (0, 360)
        In degrees, clockwise as seen.
    grow_boxes : bool, default True
        With ``"trail"``, boxes grow by it. See Notes.
    p, per
        As in ``RandomTransform``.

    Notes
    -----
    A line keeps the centre of an object, and its boxes stay. A trail moves the centre of mass by ``sum_i i * k_i`` pixels:
    0.5 to 1.7 for the five severities of CIFAR-10-C. So a box becomes the union of itself and itself moved by the last tap
    that still weighs 5 % of the first one, cut to the canvas. Key points stay: the heaviest tap is the first, at the
    point itself.
    """

    def __init__(
        self,
        kind: str = "line",
        length: Range = (3, 9),
        sigma: Range = (1.0, 2.5),
        radius: int = 8,
        angle: Range = (0, 360),
        grow_boxes: bool = True,
        p: float = 1.0,
        per: str = "sample",
    ) -> None:
        super().__init__(p, per)
        self.kind = checked_choice(kind, "kind", ("line", "trail"))
        self.length = checked_range(length, "length", low=1, single="both")
        self.sigma = checked_range(sigma, "sigma", above=0, single="both")
        self.radius = checked_int(radius, "radius", low=0)
        self.angle = checked_range(angle, "angle", single="both")
        self.grow_boxes = bool(grow_boxes)

    def sample(self, n: int, shape: tuple, generator: torch.Generator | None = None, device: Any = None) -> MotionParams:
        low_high = self.length if self.kind == "line" else self.sigma
        return MotionParams(uniform(n, *low_high, generator, device), uniform(n, *self.angle, generator, device))

    def apply(self, images: Tensor, params: MotionParams) -> Tensor:
        if self.kind == "line":
            return motion_line(images, params.extent, params.angle).clamp_(0, 1)
        return motion_trail(images, self.radius, params.extent, params.angle).clamp_(0, 1)

    def apply_target(self, target: Tensor, params: MotionParams) -> Tensor:
        if self.kind == "line" or not self.grow_boxes or not isinstance(target, tv_tensors.BoundingBoxes):
            return target
        boxes = corners(target)
        shift = trail_end(self.radius, params.extent, params.angle)[0].to(boxes)
        moved = boxes + shift.repeat(2)
        grown = torch.cat([torch.minimum(boxes, moved)[:, :2], torch.maximum(boxes, moved)[:, 2:]], dim=1)
        height, width = target.canvas_size
        grown = torch.minimum(grown.clamp(min=0), grown.new_tensor([width, height, width, height]))
        like = tv_tensors.BoundingBoxes(grown, format="XYXY", canvas_size=target.canvas_size)
        return functional.convert_bounding_box_format(like, new_format=target.format)


def trail_end(radius: int, sigma: Tensor, angle: Tensor) -> Tensor:
    """Return by how much the last visible tap moves the picture: (B, 2), (x, y) in pixels.

    Visible is a tap that weighs at least 5 % of the first, heaviest one.
    """
    weights, offsets = trail_taps(radius, sigma, angle)
    last = (weights >= VISIBLE * weights[:, :1]).sum(1) - 1
    return offsets[torch.arange(len(sigma), device=sigma.device), last]
