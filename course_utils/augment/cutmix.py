"""CutMix: paste a box of one image into another, and let the label say how much was pasted.

**Problem.** Cutout hides a part, and what is hidden teaches nothing. Mixup shows everything, as a double exposure that no
camera takes. **Idea.** Fill the hole with the same place of another image. Every pixel is real, and the label is divided as
the area is.

For each image: ``lam ~ Beta(alpha, alpha)``; the box has the sides ``int(H sqrt(1 - lam))`` and ``int(W sqrt(1 - lam))``; its
centre is any pixel; what sticks out is cut off. The label weight of the image is what is left of it, ``1 - box area / (H W)``,
computed *after* the cut. On average it is not 0.5 but 0.70 at 32 pixels: most boxes lose something at the border.

==============  ======  =================================================================================
name in code    symbol  meaning
==============  ======  =================================================================================
``lam``         lam     (n,) float64: 1 minus the area that the box *would* have; not the label weight
``centres``     c       (n, 2) int64: row and column of the centre
``boxes``               (n, 4) int64: top, left, height, width, cut off at the border
==============  ======  =================================================================================

Paper against code
    The released code covers ``[c - w // 2, c + w // 2)``, so a box of odd width loses a column; followed here, because
    torchvision follows it as well and the two can be compared. The first release forgot to compute the weight again; a reader
    found it two months later.

Source: S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, "CutMix: Regularization Strategy to Train Strong Classifiers with
Localizable Features", ICCV 2019, arXiv:1905.04899; released code ``clovaai/CutMix-PyTorch``.

Taught in ``16_cutting_and_pasting``, step 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.erasing import covered, random_integers
from course_utils.augment.mixing import Mixer
from course_utils.augment.pasting import PastePlan
from course_utils.augment.sampling import beta
from course_utils.checks import checked_float


@dataclass(frozen=True)
class CutMixParams:
    """A box for each of ``n`` images: ``lam`` (n,) float64 in [0, 1], ``centres`` (n, 2) int64, row and column."""

    lam: Tensor
    centres: Tensor

    def sides(self, size: tuple[int, int]) -> Tensor:
        """Return height and width (n, 2) int64 of the boxes on images of ``size`` (H, W), before anything is cut off."""
        ratio = (1 - self.lam.double()).clamp_min(0).sqrt()
        return (ratio[:, None] * torch.tensor(size, dtype=torch.float64, device=ratio.device)).long()

    def boxes(self, size: tuple[int, int]) -> Tensor:
        """Return the boxes (n, 4) int64 on images of ``size`` (H, W): top, left, height, width, cut off at the border."""
        half, limit = self.sides(size) // 2, torch.tensor(size, device=self.centres.device)
        first = (self.centres - half).clamp_min(0)
        last = (self.centres + half).minimum(limit)
        return torch.cat([first, (last - first).clamp_min(0)], dim=1)


class CutMix(Mixer):
    """Paste a box of a partner into every image, at the same place.

    Parameters
    ----------
    alpha : float, default 1.0
        Of the Beta distribution of lam, at least 0: 1 in the paper. 0 leaves the images as they are.
    num_classes, p, per, pairing
        See ``Mixer``. The paper takes p = 0.5 on CIFAR and 1.0 on ImageNet.

    Notes
    -----
    Class masks (``tv_tensors.Mask``) get the same box, and stay class masks. In images of 8 pixels 6 % of the boxes are empty.

    Examples
    --------
    >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
    >>> mixed, soft = CutMix(num_classes=3)(images, labels)
    >>> mixed.shape, soft.shape
    (torch.Size([4, 3, 8, 8]), torch.Size([4, 3]))

    A box that sticks out; two of its four columns are left, and the label knows it:

    >>> drawn = CutMixParams(lam=torch.tensor([0.75]), centres=torch.tensor([[4, 0]]))
    >>> plan = CutMix().plan(torch.tensor([[0, 1]]), drawn, (3, 8, 8))
    >>> plan.rectangles[0, 1].tolist(), plan.weights.tolist()
    ([2, 0, 4, 2], [[0.875, 0.125]])
    """

    def __init__(
        self, alpha: float = 1.0, num_classes: int | None = None, p: float = 1.0, per: str = "sample", pairing: str = "ring"
    ) -> None:
        super().__init__(num_classes, p, per, pairing)
        self.alpha = checked_float(alpha, "alpha", low=0)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> CutMixParams:
        """Draw the boxes of ``n`` images of ``shape`` (C, H, W)."""
        lam = beta(n, self.alpha, generator, device).double()
        return CutMixParams(lam, random_integers((n, 2), torch.tensor(shape[1:], device=device), generator, device))

    def shares(self, params: CutMixParams, shape: tuple[int, int, int]) -> Tensor:
        """Return what is left of the image, (n, 1, 1, H, W) bool: True outside of the box."""
        return ~covered(params.boxes(shape[1:])[:, None], *shape[1:])[:, None]

    def plan(self, partners: Tensor, params: CutMixParams, shape: tuple[int, int, int]) -> PastePlan:
        """Return the plan: the whole image, and the box of its partner on top."""
        boxes = params.boxes(shape[1:])
        whole = torch.tensor([0, 0, *shape[1:]], device=boxes.device).expand_as(boxes)
        return PastePlan(partners, torch.stack([whole, boxes], dim=1), shape[1:])

    def extra_repr(self) -> str:
        return f"alpha={self.alpha:g}, {super().extra_repr()}"
