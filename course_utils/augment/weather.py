"""Fog and rain: weather painted over a picture, a different one for every image of a batch.

**Problem.** A camera outdoors meets fog and rain, and training pictures are mostly taken in fair weather. **Idea.** Both
are layers with a simple law. Fog is a bright, cloudy layer that lowers the contrast. Rain is a set of short bright streaks
over a darker scene.

- The clouds are a *plasma fractal*: the diamond-square algorithm fills a square grid from coarse to fine. Every new point
  is the mean of its four neighbours plus a random number, and the random numbers shrink from level to level.
- With a depth map, fog follows Koschmieder's law: light fades as ``exp(-density * depth)`` and air light replaces it.

Sources: D. Hendrycks, T. Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR
2019, arXiv:1903.12261 (fog without depth); A. Fournier, D. Fussell, L. Carpenter, "Computer rendering of stochastic
models", CACM 1982 (the fractal); H. Koschmieder, "Theorie der horizontalen Sichtweite", 1924 (fog with depth).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from course_utils.augment.per_image import per_image
from course_utils.checks import checked_int

FIRST_AMPLITUDE = 100.0
"""Only its ratio to later levels matters, because the map is stretched to [0, 1] at the end."""


def plasma_fractal(
    n: int, size: int | tuple[int, int], decay: float | Tensor = 3.0, generator: torch.Generator | None = None, device: Any = None
) -> Tensor:
    """Return ``n`` cloudy maps with values in [0, 1], by the diamond-square algorithm on a periodic grid.

    Parameters
    ----------
    n : int
        Number of maps; map i of a batch equals the map of a loop with the same generator.
    size : int or (int, int)
        Height and width. Other sizes than powers of two are cut from the next larger one.
    decay : float or Tensor of shape (n,), default 3.0
        Above 0. The amplitude is divided by ``decay**2`` from level to level: large values give smooth clouds.
    generator : torch.Generator, optional
    device : torch.device, optional

    Returns
    -------
    Tensor of shape (n, H, W), float32

    Notes
    -----
    Level by level, with ``step = 2**k, 2**(k-1), ..., 2`` and the amplitude ``w**2``, where w = 100 is divided by ``decay``
    after every level: the centre of each square is the mean of its corners plus ``U[-w**2, w**2]``, then the centre of each
    edge is the mean of its four neighbours plus the same. Neighbours beyond the border are found on the other side. This is
    the fog of ImageNet-C, whose amplitude is squared because its code multiplies by w twice.

    Examples
    --------
    >>> maps = plasma_fractal(2, 16, generator=torch.Generator().manual_seed(0))
    >>> maps.shape, float(maps.min()), float(maps.max())
    (torch.Size([2, 16, 16]), 0.0, 1.0)
    """
    n = checked_int(n, "n", low=0)
    height, width = (size, size) if isinstance(size, int) else size
    height, width = checked_int(height, "size", low=1), checked_int(width, "size", low=1)
    side = max(2, 1 << (max(height, width) - 1).bit_length())
    # one random number for every point of the grid: the draws of map i are together, whatever the order of the levels
    jitter = torch.rand(n, side, side, generator=generator, device=device) * 2 - 1
    decays = per_image(decay, "decay", jitter[:, None], above=0)[:, None, None]
    maps = torch.zeros_like(jitter)
    amplitude = torch.full_like(decays, FIRST_AMPLITUDE**2)
    step = side
    while step >= 2:
        half = step // 2
        corners = maps[:, ::step, ::step]
        right = corners + corners.roll(-1, 2)
        centres = (right + right.roll(-1, 1)) / 4 + amplitude * jitter[:, half::step, half::step]
        across = (right + centres + centres.roll(1, 1)) / 4 + amplitude * jitter[:, ::step, half::step]
        down = (corners + corners.roll(-1, 1) + centres + centres.roll(1, 2)) / 4 + amplitude * jitter[:, half::step, ::step]
        maps[:, half::step, half::step], maps[:, ::step, half::step], maps[:, half::step, ::step] = centres, across, down
        step, amplitude = half, amplitude / decays**2
    low = maps.amin((1, 2), keepdim=True)
    return ((maps - low) / (maps.amax((1, 2), keepdim=True) - low))[:, :height, :width]
