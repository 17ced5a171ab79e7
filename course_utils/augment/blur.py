"""Blur: a lens out of focus, a camera that shakes, an object that moves, each image in its own way.

Two definitions of motion blur are in use, and they differ in what they do to a box:

======================  ========================================================  ==================================
definition              kernel                                                    the object
======================  ========================================================  ==================================
line (camera shake)     a segment of constant weight through the centre           stays where it is, grows both ways
trail (ImageMagick)     a half Gaussian that starts at the pixel and runs one way  moves along the trail
======================  ========================================================  ==================================

Source of the trail: the corruption benchmark of D. Hendrycks, T. Dietterich, ICLR 2019, arXiv:1903.12261, which calls
ImageMagick's ``motion-blur``. Angles are in degrees, 0 to the right, and turn clockwise as seen because y points down.
"""

from __future__ import annotations

import torch
from torch import Tensor

from course_utils.augment.per_image import on_floating_images, per_image
from course_utils.checks import checked_int

NEGLIGIBLE = 1e-9
"""Taps below this weight do not change a float32 sum of values in [0, 1]."""


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
