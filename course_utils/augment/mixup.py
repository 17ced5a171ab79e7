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

from course_utils.augment.mixing import MixDraw, Mixer, soft_labels
from course_utils.augment.sampling import beta
from course_utils.checks import checked_float, checked_int, message


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


@dataclass(frozen=True)
class PairingSchedule:
    """When SamplePairing is on: not at the start, ``on`` epochs in turns with ``off`` epochs, not at the end.

    Attributes
    ----------
    start, end : int
        First epoch with pairing, and first epoch of the fine-tuning without.
    on, off : int
        Epochs of a turn; on comes first.

    Examples
    --------
    >>> schedule = PairingSchedule(start=2, end=16, on=8, off=2)
    >>> [epoch for epoch in range(20) if schedule(epoch)]
    [2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15]
    """

    start: int = 100
    end: int = 800
    on: int = 8
    off: int = 2

    def __post_init__(self) -> None:
        checked_int(self.start, "start", low=0)
        checked_int(self.end, "end", low=self.start)
        checked_int(self.on, "on", low=1)
        checked_int(self.off, "off", low=0)

    @classmethod
    def scaled(cls, n_epochs: int, on: int = 8, off: int = 2) -> PairingSchedule:
        """Return the schedule of a run of ``n_epochs``: the paper's first tenth and last fifth are without pairing."""
        n_epochs = checked_int(n_epochs, "n_epochs", low=1)
        return cls(n_epochs // 10, n_epochs - n_epochs // 5, on, off)

    def __call__(self, epoch: int) -> bool:
        """Return whether images are paired in this epoch, counted from 0."""
        return self.start <= epoch < self.end and (epoch - self.start) % (self.on + self.off) < self.on


class SamplePairing(Mixer):
    """Replace every image by its mean with another image, and keep its label.

    Parameters
    ----------
    schedule : PairingSchedule, optional
        Which epochs have pairing; call ``set_epoch`` before each. None: all of them.
    num_classes, p, per, pairing
        See ``Mixer``.

    Notes
    -----
    The paper takes the second image from the whole training set, whatever its class. A shuffled batch is a sample of it.
    The label is outside of the rule that labels follow the mask: that is the method.

    Examples
    --------
    >>> images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0])
    >>> pair = SamplePairing(PairingSchedule(start=1, end=8, on=2, off=1), num_classes=3)
    >>> [bool((pair.set_epoch(epoch)(images, labels)[0] != images).any()) for epoch in range(5)]
    [False, True, True, False, True]
    """

    def __init__(
        self,
        schedule: PairingSchedule | None = None,
        num_classes: int | None = None,
        p: float = 1.0,
        per: str = "sample",
        pairing: str = "ring",
    ) -> None:
        super().__init__(num_classes, p, per, pairing)
        if schedule is not None and not isinstance(schedule, PairingSchedule):
            raise TypeError(message("schedule", "a PairingSchedule or None", type(schedule).__name__))
        self.schedule = schedule
        self.epoch = 0

    def set_epoch(self, epoch: int) -> SamplePairing:
        """Tell which epoch it is, counted from 0, and return this mixer."""
        self.epoch = checked_int(epoch, "epoch", low=0)
        return self

    @property
    def is_on(self) -> bool:
        """Whether images are paired in this epoch."""
        return self.schedule is None or self.schedule(self.epoch)

    def sample(self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None) -> Lambda:
        """Return the half that each image keeps: nothing is drawn."""
        return Lambda(torch.full((n,), 0.5, device=device))

    def shares(self, params: Lambda, shape: tuple[int, int, int]) -> Tensor:
        """Return one half as a mask (n, 1, 1, 1, 1)."""
        return params.lam[:, None, None, None, None]

    def label_weights(self, params: Lambda, shape: tuple[int, int, int]) -> Tensor:
        """Return 1 for the image itself and 0 for the other one, (n, 2)."""
        return torch.tensor([1.0, 0.0], device=params.lam.device).expand(len(params.lam), 2)

    def draw(self, images: Tensor, generator: torch.Generator | None = None) -> MixDraw:
        """Decide who is paired with whom; nobody in an epoch without pairing."""
        drawn = super().draw(images, generator)
        if self.is_on:
            return drawn
        nobody = torch.zeros_like(drawn.active)
        return MixDraw(nobody, self.plan(drawn.plan.partners[:0], Lambda(nobody[:0].float()), tuple(images.shape[1:])))

    def replay_labels(self, labels: Tensor, draw: MixDraw) -> Tensor:
        """Return the labels as they came, as soft labels (B, K)."""
        return soft_labels(labels, self.num_classes)
