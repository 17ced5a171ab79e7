"""Affinity and diversity: two numbers that say why an augmentation helps, or does not.

**Problem.** Twenty augmentations promise a gain, and trying all of them with enough seeds takes days. **Idea.** A good
augmentation stays near the data (affinity) and still makes the training hard (diversity). Neither number alone says much: not
changing anything has the best affinity, and noise the best diversity.

Affinity of an augmentation a
    ``accuracy(m, a(validation)) / accuracy(m, validation)`` of a network m trained *without* a. 1: it sees no difference.
    Where a mixes labels, an answer counts as much as its class has in the label.
Diversity of a
    the final training loss of a network trained *with* a, a mean over the last fifth of the steps. Soft labels have a loss
    that nobody can go below, their entropy; it is taken off, or mixers would look diverse for nothing.

Source: R. Gontijo-Lopes, S. J. Smullin, E. D. Cubuk, E. Dyer, "Affinity and Diversity: Quantifying Mechanisms of Data
Augmentation", 2020, arXiv:2002.08973. No code was released; the ratio, and taking off the entropy, are this course's choice.

Taught in ``18_does_it_help``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.augment.mixing import Mixer, soft_labels
from course_utils.checks import checked_float, checked_int, checked_tensor, message
from course_utils.evidence.image_training import LabelledImages, descended, small_network
from course_utils.training import in_parts

FINAL_SHARE = 0.2


class Augmentation(Protocol):
    """What every transform and every mixer of ``course_utils.augment`` can do."""

    def draw(self, images: Tensor, generator: torch.Generator | None = None) -> object:
        """Draw for a batch (B, C, H, W)."""

    def replay(self, images: Tensor, draw: object) -> Tensor:
        """Return the batch changed as was drawn."""


@dataclass(frozen=True)
class Affinity:
    """How much of its accuracy a network keeps on augmented images.

    Attributes
    ----------
    ratio : float
        ``augmented / clean``, the affinity: at least 0, at most ``1 / clean``.
    clean, augmented : float
        Accuracy on the images as they are, and the mean over the draws.
    """

    ratio: float
    clean: float
    augmented: float


def affinity(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    augmentation: Augmentation,
    n_draws: int = 5,
    generator: torch.Generator | None = None,
) -> Affinity:
    """Return the affinity of an augmentation for a network that was trained without it.

    Parameters
    ----------
    network : nn.Module
        From images (B, C, H, W) to logits (B, K). It is asked in evaluation mode.
    images : Tensor of shape (N, C, H, W), uint8 or floating in [0, 1]
        Validation images; N at least 1.
    labels : Tensor of shape (N,), int64
    augmentation : transform or mixer of ``course_utils.augment``
    n_draws : int, default 5
        How often the images are augmented anew.
    generator : torch.Generator, optional

    Raises
    ------
    ValueError
        If there is no image, if labels do not fit, if no image is right without augmentation, or if the augmentation
        changes the number of images.

    Examples
    --------
    >>> from course_utils import augment
    >>> shades = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    >>> class Brightness(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.scale = nn.Parameter(torch.ones(()))
    ...     def forward(self, x):
    ...         level = self.scale * x.float().mean((1, 2, 3))
    ...         return torch.stack([100 - level, level], 1)
    >>> affinity(Brightness(), shades, torch.tensor([0, 1]), augment.Invert()).ratio
    0.0
    """
    checked_tensor(images, "images", ("N", "C", "H", "W"), floating=False)
    n_draws = checked_int(n_draws, "n_draws", low=1)
    if not len(images) or labels.shape != (len(images),):
        raise ValueError(
            message("labels", f"one for each of at least one image, ({len(images)},)", f"shape {tuple(labels.shape)}")
        )
    logits = in_parts(network, network, images, 256)
    soft = soft_labels(labels, logits.shape[1])
    clean = _expected_accuracy(logits, soft)
    if clean == 0:
        advice = "Affinity compares with the accuracy without augmentation; train the network first."
        raise ValueError(message("network", "right for at least one image", "an accuracy of 0", advice))
    changed = [_expected_accuracy(*_answers(network, images, soft, augmentation, generator)) for _ in range(n_draws)]
    augmented = sum(changed) / n_draws
    return Affinity(augmented / clean, clean, augmented)


@dataclass(frozen=True)
class AugmentedTraining:
    """A network trained with an augmentation, and what its training cost.

    Attributes
    ----------
    network : nn.Module
        In evaluation mode.
    losses, floors : Tensors of shape (S,), float32
        Of every step: the cross-entropy of the batch, and the mean entropy of its labels, which is the least it can be.
    """

    network: nn.Module
    losses: Tensor
    floors: Tensor


def diversity(training: AugmentedTraining, final_share: float = FINAL_SHARE) -> float:
    """Return the diversity of the augmentation that a network was trained with, in nats.

    Parameters
    ----------
    training : AugmentedTraining
        Of ``train_with``.
    final_share : float, default 0.2
        Above 0, at most 1: the part of the steps, at the end, whose loss is averaged.

    Examples
    --------
    >>> diversity(AugmentedTraining(nn.Identity(), torch.tensor([9.0, 9.0, 1.0, 0.5]), torch.tensor([0.0, 0.0, 0.0, 0.25])), 0.5)
    0.625
    """
    if not isinstance(training, AugmentedTraining):
        raise TypeError(message("training", "an AugmentedTraining, of `train_with`", type(training).__name__))
    final_share = checked_float(final_share, "final_share", above=0, high=1)
    first = len(training.losses) - max(1, round(final_share * len(training.losses)))
    return float((training.losses - training.floors)[first:].double().mean())


def train_with(
    pictures: LabelledImages,
    augmentation: Augmentation | None,
    seed: int,
    n_steps: int,
    static: bool = False,
    until: int | None = None,
) -> AugmentedTraining:
    """Train a small network on images that an augmentation changes; everything else depends on the seed alone.

    Parameters
    ----------
    pictures : LabelledImages
    augmentation : transform or mixer of ``course_utils.augment``, or None
    seed : int
    n_steps : int
    static : bool, default False
        Augment every training image once, before the training, and never again.
    until : int, optional
        Steps after which the augmentation is switched off ("slingshot").
    """
    n_classes = pictures.n_classes
    until = n_steps if until is None else checked_int(until, "until", low=0, high=n_steps)
    if static and augmentation is not None:
        images, labels = _augmented(
            pictures.train_images,
            soft_labels(pictures.train_labels, n_classes),
            augmentation,
            torch.Generator().manual_seed(seed),
        )
        pictures, augmentation = replace(pictures, train_images=images, train_labels=labels), None
    losses: list[Tensor] = []
    floors: list[Tensor] = []

    def loss(network: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        soft = soft_labels(labels, n_classes)
        if augmentation is not None and len(losses) < until:
            images, soft = _augmented(images, soft, augmentation, generator)
        found = F.cross_entropy(network(images), soft)
        losses.append(found.detach())
        floors.append(torch.special.entr(soft).sum(1).mean())
        return found

    network = descended(small_network(n_classes, seed), loss, pictures, seed, n_steps)
    return AugmentedTraining(network, torch.stack(losses), torch.stack(floors))


def _augmented(
    images: Tensor, soft: Tensor, augmentation: Augmentation, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    drawn = augmentation.draw(images, generator)
    return augmentation.replay(images, drawn), (
        augmentation.replay_labels(soft, drawn) if isinstance(augmentation, Mixer) else soft
    )


def _answers(
    network: nn.Module, images: Tensor, soft: Tensor, augmentation: Augmentation, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    changed, labels = _augmented(images, soft, augmentation, generator)
    if len(changed) != len(images):
        raise ValueError(message("augmentation", f"one that returns {len(images)} images", f"{len(changed)}"))
    return in_parts(network, network, changed, 256), labels


def _expected_accuracy(logits: Tensor, soft: Tensor) -> float:
    """Return the mean part that the answered class has in the label."""
    return float(soft.gather(1, logits.argmax(1, keepdim=True)).double().mean())
