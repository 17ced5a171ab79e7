"""RICAP: four crops of four images make a new one, and the label has four parts.

**Problem.** CutMix leaves every pixel at its old place, and in most of its results one image has nearly everything. **Idea.**
A horizontal and a vertical line divide the new image into four parts. Each part is a random crop of another image: random
cropping and mixing in one step.

The lines are at ``h = round(H b_1)`` and ``w = round(W b_2)`` with ``b ~ Beta(beta, beta)``. Part k has the size (h_k, w_k),
its crop starts anywhere where it fits, and its label weight is ``h_k w_k / (H W)``. The target is *one* soft label of up to
four classes, for one softmax; it is not a task with several independent labels.

==============  =======  ====================================================================================
name in code    symbol   meaning
==============  =======  ====================================================================================
``cross``       (h, w)   (n, 2) int64: rows above and columns left of the crossing, 0 to H and 0 to W
``starts``      (y, x)   (n, 4, 2) int64: where each crop begins in its image
==============  =======  ====================================================================================

The order of the parts: top left, top right, bottom left, bottom right.

With the paper's beta = 0.3 the crossing is often near a corner: the largest weight is 0.75 on average and above 0.9 in 29 % of
the draws. A part of height or width 0 is common, and is nothing: weight 0.

Source: R. Takahashi, T. Matsubara, K. Uehara, "Data Augmentation using Random Image Cropping and Patching for Deep CNNs", ACML
2018 and IEEE TCSVT 2020, arXiv:1811.09030; released code ``jackryo/ricap``, which draws one crossing for a batch, and no crop
with padding on top of it.

Taught in ``16_cutting_and_pasting``, step 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.erasing import random_integers
from course_utils.augment.mixing import Mixer
from course_utils.augment.pasting import PastePlan
from course_utils.augment.sampling import beta, uniform
from course_utils.checks import checked_choice, checked_float

PAPER_BETA = 0.3


@dataclass(frozen=True)
class RICAPParams:
    """A crossing and four crops for each of ``n`` images: ``cross`` (n, 2) and ``starts`` (n, 4, 2), int64."""

    cross: Tensor
    starts: Tensor

    def rectangles(self, size: tuple[int, int]) -> Tensor:
        """Return the four parts (n, 4, 4) int64 on images of ``size`` (H, W): top, left, height, width."""
        height, width = size
        h, w = self.cross.unbind(1)
        zero = torch.zeros_like(h)
        parts = [(zero, zero, h, w), (zero, w, h, width - w), (h, zero, height - h, w), (h, w, height - h, width - w)]
        return torch.stack([torch.stack(part, dim=-1) for part in parts], dim=1)


class RICAP(Mixer):
    """Make every image of four crops: one of its own, three of its partners.

    Parameters
    ----------
    beta : float, default 0.3
        Of the Beta distribution of the crossing, at least 0. 0: the crossing is at a corner, and the image stays.
    where : {"anywhere", "center", "corner"}, default "anywhere"
        Where the crossing may be. "anywhere": in the whole image. "center": not nearer than ``margin`` to a side, so everybody
        gets a part. "corner": not farther than ``margin``, so one image gets most.
    margin : float, default 0.25
        For the last two, a part of the side in [0, 0.5].
    num_classes, p, per, pairing
        See ``Mixer``.

    Notes
    -----
    The first version of the paper draws the crossing uniformly (``beta=1``) and compares the three ranges. The later one keeps
    the whole range and draws from Beta. Here the two can be combined. The margin of 0.25 is the course's choice.

    Examples
    --------
    >>> images, labels = torch.rand(6, 3, 9, 7), torch.arange(6)
    >>> mixed, soft = RICAP(num_classes=6, where="center")(images, labels)
    >>> mixed.shape, (soft > 0).sum(1).tolist()
    (torch.Size([6, 3, 9, 7]), [4, 4, 4, 4, 4, 4])
    """

    n_images = 4

    def __init__(
        self,
        beta: float = PAPER_BETA,
        where: str = "anywhere",
        margin: float = 0.25,
        num_classes: int | None = None,
        p: float = 1.0,
        per: str = "sample",
        pairing: str = "ring",
    ) -> None:
        super().__init__(num_classes, p, per, pairing)
        self.beta = checked_float(beta, "beta", low=0)
        self.where = checked_choice(where, "where", ("anywhere", "center", "corner"))
        self.margin = checked_float(margin, "margin", low=0, high=0.5)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> RICAPParams:
        """Draw the crossing and the crops of ``n`` images of ``shape`` (C, H, W)."""
        size = torch.tensor(shape[1:], device=device)
        place = beta(2 * n, self.beta, generator, device).view(n, 2)
        if self.where == "center":
            place = self.margin + (1 - 2 * self.margin) * place
        elif self.where == "corner":
            far = uniform(2 * n, 0, 1, generator, device).view(n, 2) < 0.5
            place = torch.where(far, 1 - self.margin * place, self.margin * place)
        cross = (place * size).round().long()
        free = size - RICAPParams(cross, cross).rectangles(shape[1:])[..., 2:]  # (n, 4, 2)
        return RICAPParams(cross, random_integers((n, 4, 2), free + 1, generator, device))

    def plan(self, partners: Tensor, params: RICAPParams, shape: tuple[int, int, int]) -> PastePlan:
        """Return the plan: four rectangles, and where they are read."""
        rectangles = params.rectangles(shape[1:])
        return PastePlan(partners, rectangles, shape[1:], params.starts - rectangles[..., :2])

    def shares(self, params: RICAPParams, shape: tuple[int, int, int]) -> Tensor:
        """Return the first three parts as masks, (n, 3, 1, H, W) bool."""
        return self._alone(params, shape).shares

    def origins(self, params: RICAPParams, shape: tuple[int, int, int]) -> Tensor:
        """Return the pixel of each image that is read, (n, 4, H, W) int64."""
        return self._alone(params, shape).origins

    def _alone(self, params: RICAPParams, shape: tuple[int, int, int]) -> PastePlan:
        return self.plan(torch.arange(4, device=params.cross.device).expand(len(params.cross), 4), params, shape)

    def extra_repr(self) -> str:
        return f"beta={self.beta:g}, where={self.where!r}, {super().extra_repr()}"
