"""Elastic deformation: every pixel moves a little, neighbours move together.

**Problem.** Handwriting bends. Rotation and shear, the same for the whole image, do not. **Idea.** Draw a random direction for
every pixel, smooth the field until neighbours agree, and scale it.

    D = alpha * (Gaussian of width sigma applied to U[-1, 1])            two fields, x and y, in **pixels**

The output pixel q shows the source at ``q + D(q)``. The spread of D is ``0.163 alpha / sigma`` pixels: a Gaussian of width
sigma averages about ``4 pi sigma^2`` draws of deviation 0.577. The paper's (34, 4) moves a pixel by 1.4, four times that at
most.

**Where a label goes** is the other way round: a point p of the source lands at the q with ``q + D(q) = p``. That q is found by
``q <- p - D(q)``, which converges where D is not steep. Where neighbours overtake each other the map folds, and a point has no
single place; ``GeometryPlan.folds`` tells it, and moving a label there warns. torchvision takes the first step of this
iteration, at a rounded pixel.

Conventions
    * torchvision scales by the canvas: its ``alpha`` is ours times 2 (in pixels: ``alpha * field / 2``).
    * The noise lies on a torus: left and right border are neighbours, top and bottom too. So the spread is the same at every
      pixel. Mirrored noise, as in torchvision, has a border that moves more than the middle.

Source: P. Simard, D. Steinkraus, J. Platt, "Best Practices for Convolutional Neural Networks Applied to Visual Document
Analysis", ICDAR 2003, section 2.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.plan import GeometryPlan, matrix_dtype
from course_utils.augment.sampling import uniform
from course_utils.augment.spatial import SpatialTransform
from course_utils.checks import checked_float, checked_range, message


@dataclass(frozen=True)
class ElasticParams:
    """Displacement fields of ``n`` images.

    Attributes
    ----------
    displacement : Tensor of shape (n, 2, H, W)
        (x, y) in pixels: output pixel q shows the source at ``q + displacement(q)``.
    """

    displacement: Tensor


class Elastic(SpatialTransform):
    """Bend the image by a smooth random field.

    Parameters
    ----------
    alpha : float or (float, float), default 34
        Strength in pixels before smoothing, at least 0; a range is drawn from for every image.
    sigma : float, default 4.0
        Width of the smoothing, in pixels. The paper's 34 and 4 are meant for images of about 30 pixels.
    **reading
        As in ``SpatialTransform``.

    Warns
    -----
    UserWarning
        When a label lies where the field folds: about one image in a hundred with the defaults.
    """

    def __init__(self, alpha: float | Sequence[float] = 34.0, sigma: float = 4.0, **reading: Any) -> None:
        super().__init__(**reading)
        self.alpha = checked_range(alpha, "alpha", low=0, single="both")
        self.sigma = checked_float(sigma, "sigma", above=0)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> ElasticParams:
        """Draw ``n`` fields."""
        noise = torch.rand(n, 2, *shape[1:], generator=generator, device=device).mul_(2).sub_(1)
        field = smoothed(noise, self.sigma)
        if self.alpha[0] == self.alpha[1]:
            return ElasticParams(field.mul_(self.alpha[0]))
        return ElasticParams(field.mul_(uniform(n, *self.alpha, generator, device).view(-1, 1, 1, 1)))

    def plan(self, params: ElasticParams, size: tuple[int, int]) -> GeometryPlan:
        """Return the identity with the displacement.

        Raises
        ------
        ValueError
            If the fields were drawn for another size.
        """
        field = params.displacement
        if tuple(field.shape[-2:]) != tuple(size):
            raise ValueError(message("params", f"fields of size {tuple(size)}", str(tuple(field.shape[-2:]))))
        matrix = torch.eye(3, dtype=matrix_dtype(field.device), device=field.device).expand(len(field), 3, 3)
        return GeometryPlan(matrix, size, size, field)


def smoothed(fields: Tensor, sigma: float) -> Tensor:
    """Return fields (..., H, W) after a Gaussian of width ``sigma`` on the torus: two matrix products.

    >>> float(smoothed(torch.ones(1, 5, 7), 2.0).std()) < 1e-6
    True
    """
    down, across = (ring_gaussian(n, sigma, fields.dtype, fields.device) for n in fields.shape[-2:])
    return torch.matmul(down, torch.matmul(fields, across))


def ring_gaussian(n: int, sigma: float, dtype: torch.dtype = torch.float32, device: Any = None) -> Tensor:
    """Return the matrix (n, n) that smooths ``n`` values on a ring: symmetric, every row sums to 1.

    >>> ring_gaussian(1, 3.0)
    tensor([[1.]])
    """
    turns = int(4 * sigma / n) + 1  # as often as four widths go round
    steps = torch.arange(
        -turns * n, (turns + 1) * n, dtype=torch.float64, device=device if matrix_dtype(device) == torch.float64 else None
    )
    weights = torch.exp(-0.5 * (steps / sigma) ** 2).view(2 * turns + 1, n).sum(0)
    weights = weights / weights.sum()
    place = torch.arange(n)
    return weights[(place - place[:, None]) % n].to(dtype).to(device)
