"""Hide cells of a grid at random, so that a network must find more than one part of an object.

**Problem.** A classifier needs only one telling part, the face of a dog. A map of what it looks at then covers the face, not
the dog. **Idea.** Hide random cells of a grid in every training image: when the face is hidden, the network has to learn the
legs too. Test images are shown whole.

Source: K. K. Singh, Y. J. Lee, "Hide-and-Seek: Forcing a Network to be Meticulous for Weakly-supervised Object and Action
Localization", ICCV 2017, arXiv:1704.04232; K. K. Singh et al., "Hide-and-Seek: A Data Augmentation Technique for
Weakly-Supervised Localization and Beyond", 2018, arXiv:1811.02545. Cells are given by their side in pixels, as in the
official code; it writes 0 into mean-subtracted images, which is the same as the mean pixel before.

Why the mean. A filter of the first layer sees a visible, a hidden or a mixed window. Its expected answer in training equals
the one at test time in all three cases only if the hidden value is the mean pixel E[x]: then E[w . x] stays sum w E[x].

Taught in ``14_erasing``, step 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.erasing import random_integers
from course_utils.augment.filling import IMAGENET_MEAN, Fill, checked_constants, checked_fill, constant_fill, constants_of
from course_utils.augment.sampling import RandomTransform
from course_utils.checks import checked_float, checked_int, message

MIXED_SIZES = (0, 16, 32, 44, 56)  # "HaS-mixed" on 224 pixels; 0 hides nothing


@dataclass(frozen=True)
class HiddenCells:
    """The grid of every image and the cells that are hidden.

    Attributes
    ----------
    cell_sizes : Tensor of shape (n,), int64
        Side of the cells in pixels; 0 hides nothing.
    hidden : Tensor of shape (n, rows, columns), bool
        Entry (a, b): cell in row a and column b of the image's grid. A grid of large cells uses the first ones only.
    """

    cell_sizes: Tensor
    hidden: Tensor


class HideAndSeek(RandomTransform):
    """Hide every cell of a grid with its own coin, while the network trains.

    Parameters
    ----------
    cell_sizes : sequence of int, default (0, 16, 32, 44, 56)
        Sides of the cells in pixels; every image draws one of them. 0 hides nothing. The default is the paper's mixed
        setting for 224 pixels; for 32 pixels take a seventh.
    p_hide : float, default 0.5
        Probability that a cell is hidden.
    value : {"mean", "black", "white"}, number or C numbers, default "mean"
    mean : sequence of C numbers in [0, 1], default ImageNet's
        Mean pixel of the training images: ``channel_means(images)``.
    p : float, default 1.0
        Probability that an image is hidden at all.
    per : {"sample", "batch"}, default "sample"

    Raises
    ------
    TypeError, ValueError
        For arguments outside these ranges.

    Notes
    -----
    Cells begin at the upper left corner; the last ones are cut off by the border. After ``.eval()`` the transform returns
    its inputs as they are: nothing is hidden at test time. Inside an ``nn.Sequential`` it is switched with the whole; a
    ``v2.Compose`` keeps its parts in a plain list, so there switch the transform itself.

    Examples
    --------
    >>> hide = HideAndSeek(cell_sizes=(8,), value="black")
    >>> generator = torch.Generator().manual_seed(0)
    >>> params = hide.sample(1, (3, 32, 32), generator)
    >>> out = hide.apply(torch.ones(1, 3, 32, 32), params)
    >>> bool(out.mean() == 1 - params.hidden.float().mean())
    True
    >>> hide.eval()(torch.ones(3, 8, 8)).min()
    tensor(1.)
    """

    works_in = "any"
    unit_range = False

    def __init__(
        self,
        cell_sizes: Sequence[int] = MIXED_SIZES,
        p_hide: float = 0.5,
        value: Fill = "mean",
        mean: Sequence[float] = IMAGENET_MEAN,
        p: float = 1.0,
        per: str = "sample",
    ) -> None:
        super().__init__(p, per)
        if not isinstance(cell_sizes, Sequence) or not len(cell_sizes):
            raise TypeError(message("cell_sizes", "a sequence of at least one side in pixels", repr(cell_sizes)))
        self.cell_sizes = tuple(checked_int(size, "cell_sizes", low=0) for size in cell_sizes)
        self.p_hide = checked_float(p_hide, "p_hide", low=0, high=1)
        self.value = checked_fill(value)
        self.mean = checked_constants(mean, "mean")

    def forward(self, *inputs: Any) -> Any:
        """Hide cells in training mode; return the inputs unchanged in evaluation mode."""
        if self.training:
            return super().forward(*inputs)
        return inputs if len(inputs) > 1 else inputs[0]

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> HiddenCells:
        """Draw a cell size for each of ``n`` images of ``shape`` (C, H, W), and a coin for every cell."""
        choices = torch.tensor(self.cell_sizes, device=device)
        chosen = choices[random_integers((n,), torch.tensor(len(choices), device=device), generator, device)]
        smallest = min((size for size in self.cell_sizes if size > 0), default=max(shape[1:]))
        n_rows, n_columns = (-(-side // smallest) for side in shape[1:])
        coins = torch.rand(n, n_rows, n_columns, generator=generator, device=device) < self.p_hide
        return HiddenCells(chosen, coins & (chosen > 0)[:, None, None])

    def apply(self, images: Tensor, params: HiddenCells) -> Tensor:
        """Return the images (B, C, H, W) with the hidden cells filled."""
        filling = constant_fill(constants_of(self.value, self.mean), images)
        return torch.where(hidden_pixels(params, *images.shape[-2:]), filling, images)


def hidden_pixels(params: HiddenCells, height: int, width: int) -> Tensor:
    """Return the mask (n, 1, H, W) of the pixels in hidden cells."""
    size = params.cell_sizes.clamp_min(1)[:, None]  # (n, 1)
    row, column = (torch.arange(side, device=size.device) // size for side in (height, width))  # (n, H), (n, W)
    n_rows, n_columns = params.hidden.shape[1:]
    row, column = row.clamp_max(n_rows - 1), column.clamp_max(n_columns - 1)
    bands = params.hidden.gather(1, row[:, :, None].expand(-1, -1, n_columns))  # (n, H, columns)
    return bands.gather(2, column[:, None, :].expand(-1, height, -1))[:, None]
