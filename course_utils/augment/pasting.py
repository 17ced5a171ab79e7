"""Plans for cut and paste: every image gives one rectangle.

**Problem.** A mask says for every pixel whose it is. That is general, and for a few rectangles it is a waste: an image of 224
pixels has 50,000 entries that a box of four numbers says as well. **Idea.** Keep the four numbers. Small batches are read by
one index that is computed from them; large images are pasted rectangle by rectangle, so that only what changes is touched.
Where all rows have the same rectangles, a rectangle of the whole batch is one slice.

==================  ========  ==========================================================================================
name in code        symbol    meaning
==================  ========  ==========================================================================================
``rectangles``                (n, k, 4) int64: top, left, height, width of what image j gives; later ones lie on top of
                              earlier ones, and those after the first do not overlap. The first image gets what is left
``shifts``          s         (n, k, 2) int64: the pixel (y, x) reads image j at (y, x) + s; None: at the same place
``size``            (H, W)    of the images
==================  ========  ==========================================================================================

Masks, places and label weights of ``MixPlan`` follow from these, so whoever reads a plan need not know its kind.

Source: the course's card 08, sections 0 and 8.

Taught in ``16_cutting_and_pasting``, step 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from course_utils.augment.erasing import covered
from course_utils.augment.mixing import MixPlan
from course_utils.augment.resample import SMALL


@dataclass(frozen=True, init=False)
class PastePlan(MixPlan):
    """A ``MixPlan`` that is made of rectangles; see the table of the module.

    Parameters
    ----------
    partners : Tensor of shape (n, k), int64
    rectangles : Tensor of shape (n, k, 4), int64
    size : (int, int)
    shifts : Tensor of shape (n, k, 2), int64, optional

    Examples
    --------
    >>> box = torch.tensor([[[0, 0, 2, 4], [0, 2, 2, 1]]])  # the whole image, and one column of the other
    >>> plan = PastePlan(torch.tensor([[0, 1]]), box, (2, 4))
    >>> plan.images(torch.tensor([[[[1, 2, 3, 4], [5, 6, 7, 8]]], [[[10, 20, 30, 40], [50, 60, 70, 80]]]]))
    tensor([[[[ 1,  2, 30,  4],
              [ 5,  6, 70,  8]]]])
    >>> plan.weights
    tensor([[0.7500, 0.2500]])
    """

    blends = False
    rectangles: Tensor
    size: tuple[int, int]
    shifts: Tensor | None

    def __init__(self, partners: Tensor, rectangles: Tensor, size: tuple[int, int], shifts: Tensor | None = None) -> None:
        given = {"partners": partners, "rectangles": rectangles, "size": tuple(size), "shifts": shifts, "label_weights": None}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @cached_property
    def shares(self) -> Tensor:
        """The masks of all images but the last, (n, k - 1, 1, H, W) bool."""
        first = ~covered(self.rectangles[:, 1:], *self.size)  # (n, 1, H, W)
        others = [covered(self.rectangles[:, j : j + 1], *self.size) for j in range(1, self.partners.shape[1] - 1)]
        return torch.stack([first, *others], dim=1)

    @cached_property
    def origins(self) -> Tensor | None:
        """The pixel that is read, (n, k, H, W) int64, or None; outside of the rectangle it means nothing, and is any pixel."""
        if self.shifts is None:
            return None
        height, width = self.size
        step = self.shifts[..., 0] * width + self.shifts[..., 1]  # (n, k)
        place = torch.arange(height * width, device=step.device) + step[..., None]
        return place.clamp_(0, height * width - 1).unflatten(-1, self.size)

    @property
    def weights(self) -> Tensor:
        """The label weights (n, k) float32: areas, which are the means of the masks."""
        areas = self.rectangles[:, 1:, 2:].prod(-1)  # (n, k - 1)
        pixels = self.size[0] * self.size[1]
        return torch.cat([pixels - areas.sum(1, keepdim=True), areas], dim=1) / pixels

    def _blended(self, images: Tensor) -> Tensor:
        if self.shifts is None and len(self) and bool((self.rectangles == self.rectangles[:1]).all()):
            return self._sliced(images)
        if self.size[0] * self.size[1] > SMALL:
            return self._pasted(images)
        if self.shifts is not None:
            return self._gathered(images)
        out = self._first(images)
        for j in range(1, self.partners.shape[1]):
            inside = covered(self.rectangles[:, j : j + 1], *self.size)
            out = torch.where(inside, images.index_select(0, self.partners[:, j]), out)
        return out

    def _sliced(self, images: Tensor) -> Tensor:
        """Return the images where all rows have the same rectangles, as when one box is drawn for a batch."""
        out = self._first(images).clone()
        for j, (y, x, h, w) in enumerate(self.rectangles[0].tolist()[1:], start=1):
            piece = (..., slice(y, y + h), slice(x, x + w))
            out[piece] = images[piece].index_select(0, self.partners[:, j])
        return out

    def _first(self, images: Tensor) -> Tensor:
        """Return the first image of every row; without a copy where row i is image i."""
        first = self.partners[:, 0]
        itself = torch.arange(len(images), device=first.device)
        return images if torch.equal(first, itself) else images.index_select(0, first)

    def _gathered(self, images: Tensor) -> Tensor:
        """Return the images by one index: the pixels of the whole batch are rows of C values."""
        n, (height, width), channels = len(self), self.size, images.shape[1]
        start = (self.partners * (height * width) + self.shifts[..., 0] * width + self.shifts[..., 1]).double()  # (n, k)
        top, left, tall, wide = self.rectangles[:, 1:, :, None].unbind(2)  # (n, k - 1, 1) each
        line, column = torch.arange(height, device=start.device), torch.arange(width, device=start.device)
        in_rows = ((line >= top) & (line < top + tall)).double()  # a rectangle is the product of its rows and its columns
        in_columns = ((column >= left) & (column < left + wide)).double()
        jumps = in_rows.mT @ ((start[:, 1:] - start[:, :1])[..., None] * in_columns)  # (n, H, W)
        index = jumps.add_(start[:, :1, None]).add_(line[:, None] * width + column).long()
        pixels = images.permute(0, 2, 3, 1).reshape(-1, channels).index_select(0, index.flatten())
        return pixels.view(n, height, width, channels).permute(0, 3, 1, 2).contiguous()

    def _pasted(self, images: Tensor) -> Tensor:
        """Return the images rectangle by rectangle."""
        if self.shifts is None:  # the first image is whole
            out, first, shifts = self._first(images).clone(), 1, torch.zeros_like(self.rectangles[..., :2])
        else:
            out, first, shifts = images.new_empty(len(self), *images.shape[1:]), 0, self.shifts
        pieces = torch.cat([self.partners[..., None], self.rectangles, shifts], dim=-1)[:, first:].tolist()
        for i, row in enumerate(pieces):
            for partner, y, x, h, w, dy, dx in row:
                if h > 0 and w > 0:
                    out[i, :, y : y + h, x : x + w] = images[partner, :, y + dy : y + dy + h, x + dx : x + dx + w]
        return out
