"""SmoothMix: paste with a soft border, because a sharp one is a clue that natural images do not have.

**Problem.** The border of a pasted box is an edge, straight and strong. A network may look at it and learn where boxes are.
**Idea.** Let the mask fall off smoothly: ``x' = G x_a + (1 - G) x_b``, and the label weight is the mean of G.

Circle
    ``G(y, x) = exp(-((y - c_y)^2 / (2 s_y^2) + (x - c_x)^2 / (2 s_x^2)))`` around a pixel c, with ``s = sigma`` times the side
    and ``sigma ~ U[0.25, 0.5]``. Image a is in the middle, b around it. mean(G) is 0.43 on average, from 0.12 to 0.73.
Square
    The box of CutMix with a ramp of width k along its border, half of it inside. k = 0 is CutMix, pixel by pixel; a k as wide
    as the box makes a bump. Image b is in the middle, as in CutMix.

==============  ======  =================================================================================
name in code    symbol  meaning
==============  ======  =================================================================================
``centres``     c       (n, 2) int64: a pixel, row and column
``sigma``       sigma   (n,) float32: as a part of the side
``ramp``        k       float: width of the ramp as a part of the side
==============  ======  =================================================================================

G is a product of a function of the row and one of the column, and is made so. On an image that is not square the circle is an
ellipse with the same proportions. For the square, the smooth step ``r(t) = 3 t^2 - 2 t^3`` is the course's reconstruction. There
is no released code, and two public versions give wrong labels: one exchanges the two weights, one forgets to divide the sum of
G by the number of pixels. See ``mixing_court``.

Source: J.-H. Lee, M. Z. Zaheer, M. Astrid, S.-I. Lee, "SmoothMix: a Simple Yet Effective Data Augmentation to Train Robust
Classifiers", CVPR Workshops 2020.

Taught in ``16_cutting_and_pasting``, step 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.cutmix import CutMixParams
from course_utils.augment.erasing import random_integers
from course_utils.augment.mixing import Mixer
from course_utils.augment.sampling import beta, uniform
from course_utils.checks import checked_choice, checked_float, checked_range, message


@dataclass(frozen=True)
class Bump:
    """A Gaussian for each of ``n`` images: ``centres`` (n, 2) int64, row and column, and ``sigma`` (n,) float32."""

    centres: Tensor
    sigma: Tensor


class SmoothMix(Mixer):
    """Blend a partner into every image through a mask without edges.

    Parameters
    ----------
    shape : {"circle", "square"}, default "circle"
    sigma : (low, high), default (0.25, 0.5)
        For the circle: range of the standard deviation, a part of the side, above 0.
    ramp : float, default 0.25
        For the square: width of the ramp as a part of the side, at least 0.
    alpha : float, default 1.0
        For the square: of the Beta distribution of lam, as in ``CutMix``.
    num_classes, p, per, pairing
        See ``Mixer``.

    Notes
    -----
    Class masks are refused, because pixels are blended.

    Examples
    --------
    >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
    >>> mixed, soft = SmoothMix(num_classes=3)(images, labels)
    >>> mixed.shape, soft.shape
    (torch.Size([4, 3, 8, 8]), torch.Size([4, 3]))
    """

    def __init__(
        self,
        shape: str = "circle",
        sigma: tuple[float, float] = (0.25, 0.5),
        ramp: float = 0.25,
        alpha: float = 1.0,
        num_classes: int | None = None,
        p: float = 1.0,
        per: str = "sample",
        pairing: str = "ring",
    ) -> None:
        super().__init__(num_classes, p, per, pairing)
        self.shape = checked_choice(shape, "shape", ("circle", "square"))
        self.sigma = checked_range(sigma, "sigma", above=0)
        self.ramp = checked_float(ramp, "ramp", low=0)
        self.alpha = checked_float(alpha, "alpha", low=0)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> Bump | CutMixParams:
        """Draw the masks of ``n`` images of ``shape`` (C, H, W)."""
        size = torch.tensor(shape[1:], device=device)
        if self.shape == "circle":
            sigma = uniform(n, *self.sigma, generator, device)
            return Bump(random_integers((n, 2), size, generator, device), sigma)
        lam = beta(n, self.alpha, generator, device).double()
        return CutMixParams(lam, random_integers((n, 2), size, generator, device))

    def shares(self, params: Bump | CutMixParams, shape: tuple[int, int, int]) -> Tensor:
        """Return G, (n, 1, 1, H, W) float32."""
        rows, columns = (self._profile(params, axis, shape[1:]) for axis in (0, 1))
        bump = rows[:, :, None] * columns[:, None, :]  # (n, H, W)
        return (bump if self.shape == "circle" else 1 - bump)[:, None, None]

    def _profile(self, params: Bump | CutMixParams, axis: int, size: tuple[int, int]) -> Tensor:
        """Return the factor of the mask along one axis, (n, side)."""
        side, centre = size[axis], params.centres[:, axis, None]
        place = torch.arange(side, device=centre.device)
        if self.shape == "circle":
            return (-0.5 * ((place - centre) / (params.sigma[:, None] * side)).square()).exp()
        half = params.sides(size)[:, axis, None] // 2
        middle, width = place + 0.5, max(self.ramp * side, 1e-6)  # between two pixels, a ramp of 1 pixel or less is a step
        return smooth_step((middle - centre + half) / width + 0.5) * smooth_step((centre + half - middle) / width + 0.5)

    def extra_repr(self) -> str:
        own = f"sigma={self.sigma}" if self.shape == "circle" else f"ramp={self.ramp:g}, alpha={self.alpha:g}"
        return f"shape={self.shape!r}, {own}, {super().extra_repr()}"


def smooth_step(t: Tensor) -> Tensor:
    """Return 0 below 0, 1 above 1, and between them ``3 t^2 - 2 t^3``, which starts and ends flat.

    >>> smooth_step(torch.tensor([-1.0, 0.0, 0.5, 1.0, 7.0]))
    tensor([0.0000, 0.0000, 0.5000, 1.0000, 1.0000])
    """
    t = t.clamp(0, 1)
    return t * t * (3 - 2 * t)


def edge_strength(images: Tensor, inside: Tensor) -> Tensor:
    """Return how strong the edge of images is along the border of a region.

    Parameters
    ----------
    images : Tensor of shape (n, C, H, W), floating
    inside : Tensor of shape (n, H, W) or (n, 1, H, W), bool
        The region: the box of ``CutMix``, or where a mask of ``SmoothMix`` is above one half.

    Returns
    -------
    Tensor of shape (n,)
        Mean absolute difference of two neighbouring pixels of which one lies inside; NaN for a region without a border.

    Raises
    ------
    ValueError
        If the region does not fit the images.

    Examples
    --------
    >>> image = torch.zeros(1, 1, 4, 4)
    >>> image[..., 1:3] = 0.5
    >>> edge_strength(image, image[:, 0] > 0)
    tensor([0.5000])
    """
    region = inside if inside.ndim == 4 else inside[:, None]
    if region.dtype != torch.bool or region.shape != (len(images), 1, *images.shape[2:]):
        expected = f"bool, of shape ({len(images)}, {images.shape[2]}, {images.shape[3]})"
        raise ValueError(message("inside", expected, f"{inside.dtype}, {tuple(inside.shape)}"))
    total, count = images.new_zeros(len(images)), images.new_zeros(len(images))
    for axis in (2, 3):
        border = region.diff(dim=axis)
        steps = images.diff(dim=axis).abs().mean(1, keepdim=True)
        total += (steps * border).sum((1, 2, 3))
        count += border.sum((1, 2, 3))
    return total / count
