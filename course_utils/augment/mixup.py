"""Mixup: blend two images and their labels in the same proportion. SamplePairing: blend the images, keep one label.

**Problem.** A network trained on single examples may do anything between them, and it is sure of it. **Idea.** Train it on
points between two examples, and ask for the label in between: ``x' = lam x_a + (1 - lam) x_b``, ``y' = lam y_a + (1 - lam) y_b``
with ``lam ~ Beta(alpha, alpha)``. A small alpha keeps most results close to one of the two images.

SamplePairing is older and simpler: the mean of two images, with the label of the first alone. No network can be right more
often than about half of the time, so the method needs its schedule: off, on and off in turns, off at the end.

Sources: H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018,
arXiv:1710.09412; released code ``facebookresearch/mixup-cifar10`` (one lam a batch; alpha of at most 0 means no mixing).
H. Inoue, "Data Augmentation by Pairing Samples for Images Classification", 2018, arXiv:1801.02929 (no released code).

Taught in ``15_mixing``, steps 1 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.mixing import Mixer
from course_utils.augment.sampling import beta
from course_utils.checks import checked_float


@dataclass(frozen=True)
class Lambda:
    """The part of the first image, in [0, 1]: ``lam`` (n,) float32."""

    lam: Tensor


class MixUp(Mixer):
    """Blend every image and its label with another image and its label.

    Parameters
    ----------
    alpha : float, default 1.0
        Of the Beta distribution, at least 0: 1 for CIFAR, 0.1 to 0.4 for ImageNet, where larger values fit too little. 0 leaves
        the images as they are.
    num_classes, p, per, pairing
        See ``Mixer``.

    Notes
    -----
    The mean part of the image with the smaller part is 0.06, 0.10, 0.16, 0.25, 0.31 for alpha 0.1, 0.2, 0.4, 1, 2.

    Examples
    --------
    >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
    >>> mixed, soft = MixUp(num_classes=3)(images, labels)
    >>> mixed.shape, soft.shape
    (torch.Size([4, 3, 8, 8]), torch.Size([4, 3]))
    """

    def __init__(
        self, alpha: float = 1.0, num_classes: int | None = None, p: float = 1.0, per: str = "sample", pairing: str = "ring"
    ) -> None:
        super().__init__(num_classes, p, per, pairing)
        self.alpha = checked_float(alpha, "alpha", low=0)

    def sample(self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None) -> Lambda:
        """Draw lam for ``n`` images; ``shape`` does not matter here."""
        return Lambda(beta(n, self.alpha, generator, device))

    def shares(self, params: Lambda, shape: tuple[int, int, int]) -> Tensor:
        """Return lam as a mask (n, 1, 1, 1, 1)."""
        return params.lam[:, None, None, None, None]

    def extra_repr(self) -> str:
        return f"alpha={self.alpha:g}, {super().extra_repr()}"
