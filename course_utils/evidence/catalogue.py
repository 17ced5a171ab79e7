"""The augmentations of the course side by side, and the training that compares them. For `18_does_it_help`.

``CATALOGUE`` holds the augmentations of chapters 13 to 17 that a classifier can be trained with, each with one strength in (0, 1].
Outside are: mirror and shift, which every training here has; Mosaic, IoUCrop and fog with depth, which need boxes or depth; Manifold
Mixup and PatchShuffle on maps, which act inside of the network; ColorJitter, which is four others; `mixup` of the sixteen ways of
mixing, which is Mixup.

All trainings share images, start, order of the batches and number of steps. ``outcome`` is one training and everything that is
measured about it; the claims in ``catalogue_claims`` compare them.

Source: R. Gontijo-Lopes et al., 2020, arXiv:2002.08973.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from course_utils import augment, data
from course_utils.augment.corruptions import CORRUPTIONS
from course_utils.augment.sampling import to_uint8
from course_utils.checks import checked_float, checked_int, message
from course_utils.evidence.affinity_and_diversity import Augmentation, AugmentedTraining, affinity, diversity, train_with
from course_utils.evidence.mixing_claims import SIZE, toys
from course_utils.evidence.robustness import robustness
from course_utils.training import in_parts

STEPS = 800
STRENGTHS = (0.1, 0.3, 1.0)
USUAL = 0.3
"""The strength where one is enough; the ways of mixing have no other, as it is only the chance that a batch is mixed."""
N_VALIDATION, N_CORRUPTED, N_NUISANCE, N_NULL = 300, 200, 300, 200
"""Images for validation, to be corrupted, and of each nuisance; draws for the calibration error of chance."""
OCCLUDED, OCCLUSION = "occluded", 0.4
NUISANCES = ("rotated", "small", "moved", "dark", "tinted", "noisy", "blurred", OCCLUDED)
"""What is wider in a test set than in training: a name of ``data.sprites.VIEWS``, or the share that something hides."""


@dataclass(frozen=True)
class Entry:
    """An augmentation of the course.

    Attributes
    ----------
    name, family : str
    chapter : int
    make : callable
        ``make(strength, n_classes, size)``: the augmentation for square images of ``size`` pixels.
    strengths : tuple of float
        Those that are tried.
    """

    name: str
    family: str
    chapter: int
    make: Callable[[float, int, int], Augmentation]
    strengths: tuple[float, ...] = STRENGTHS


def _mixed(method: str) -> Entry:
    return Entry(method, "mixing", 15, lambda s, k, n: augment.MixedExample(method, k, p=s), (USUAL,))


CATALOGUE = (
    Entry("brightness", "colour", 13, lambda s, k, n: augment.BrightnessJitter((1 - 0.8 * s, 1 + 0.8 * s))),
    Entry("contrast", "colour", 13, lambda s, k, n: augment.ContrastJitter((1 - 0.8 * s, 1 + 0.8 * s))),
    Entry("saturation", "colour", 13, lambda s, k, n: augment.SaturationJitter((1 - s, 1 + s))),
    Entry("hue", "colour", 13, lambda s, k, n: augment.HueJitter(0.5 * s)),
    Entry("gamma", "colour", 13, lambda s, k, n: augment.Gamma((1 / (1 + s), 1 + s))),
    Entry("grey", "colour", 13, lambda s, k, n: augment.Grayscale(p=s)),
    Entry("channel shuffle", "colour", 13, lambda s, k, n: augment.ChannelShuffle(p=s)),
    Entry("invert", "colour", 13, lambda s, k, n: augment.Invert(p=s)),
    Entry("solarize", "colour", 13, lambda s, k, n: augment.Solarize((1 - s, 1.0))),
    Entry("equalize", "colour", 13, lambda s, k, n: augment.Equalize(p=s)),
    Entry("automatic contrast", "colour", 13, lambda s, k, n: augment.AutoContrast(p=s)),
    Entry("posterize", "colour", 13, lambda s, k, n: augment.Posterize(max(1, round(8 - 7 * s)))),
    Entry("sharpness", "colour", 13, lambda s, k, n: augment.Sharpness((1 - s, 1 + 3 * s))),
    Entry("colour noise", "colour", 13, lambda s, k, n: augment.PCAColorNoise(s)),
    Entry("noise", "noise", 13, lambda s, k, n: augment.GaussianNoise((0.0, 0.3 * s))),
    Entry("sensor noise", "noise", 13, lambda s, k, n: augment.ISONoise((1.0, 1 + 31 * s))),
    Entry("blur", "noise", 13, lambda s, k, n: augment.GaussianBlur(sigma=(0.0, 0.1 * s * n))),
    Entry("motion blur", "noise", 13, lambda s, k, n: augment.MotionBlur(length=(1, 1 + 0.3 * s * n))),
    Entry("JPEG", "noise", 13, lambda s, k, n: augment.JPEGCompression((round(95 - 85 * s), 95))),
    Entry("fog", "weather", 13, lambda s, k, n: augment.Fog((0.0, 2 * s))),
    Entry("rain", "weather", 13, lambda s, k, n: augment.Rain(density=(0.0, 0.05 * s))),
    Entry("rotation", "space", 13, lambda s, k, n: augment.Rotation(90 * s, padding="reflection")),
    Entry("affine", "space", 13, lambda s, k, n: _affine(s)),
    Entry("perspective", "space", 13, lambda s, k, n: augment.Perspective(0.8 * s)),
    Entry("elastic", "space", 13, lambda s, k, n: augment.Elastic(2 * s * n, sigma=n / 8)),
    Entry("resized crop", "space", 13, lambda s, k, n: augment.RandomResizedCrop(n, scale=(1 - 0.9 * s, 1.0))),
    Entry("random erasing", "erasing", 14, lambda s, k, n: augment.RandomErasing(p=s)),
    Entry("cutout", "erasing", 14, lambda s, k, n: augment.Cutout(max(1, round(0.75 * s * n)))),
    Entry("hide and seek", "erasing", 14, lambda s, k, n: augment.HideAndSeek((max(1, n // 4),), p_hide=0.8 * s)),
    Entry("Mixup", "mixing", 15, lambda s, k, n: augment.MixUp(num_classes=k, p=s)),
    Entry("SamplePairing", "mixing", 15, lambda s, k, n: augment.SamplePairing(num_classes=k, p=s)),
    *(_mixed(method) for method in augment.mixed_example_methods if method != "mixup"),
    Entry("CutMix", "mixing", 16, lambda s, k, n: augment.CutMix(num_classes=k, p=s)),
    Entry("RICAP", "mixing", 16, lambda s, k, n: augment.RICAP(num_classes=k, p=s)),
    Entry("SmoothMix", "mixing", 16, lambda s, k, n: augment.SmoothMix(num_classes=k, p=s)),
    Entry("PatchShuffle", "patches", 17, lambda s, k, n: augment.PatchShuffle(p=s)),
    Entry("AugMix", "chains", 17, lambda s, k, n: augment.AugMix(severity=1 + 9 * s)),
)


def _affine(strength: float) -> Augmentation:
    amount = {"degrees": 30 * strength, "translate": 0.2 * strength, "shear": 20 * strength}
    return augment.Affine(**amount, scale=(1 - 0.4 * strength, 1 + 0.4 * strength), padding="reflection")


def made(name: str, strength: float = USUAL, n_classes: int = 6, size: int = 32) -> Augmentation:
    """Return an augmentation of the catalogue.

    Parameters
    ----------
    name : str
        Of an entry of ``CATALOGUE``.
    strength : float, default 0.3
        Above 0, at most 1. It is an amount, or a chance where there is no amount; strengths of two augmentations do not compare.
    n_classes : int, default 6
    size : int, default 32
        Height and width of the images in pixels; at least 8.

    Raises
    ------
    ValueError
        If the name is unknown, or a number lies outside its range.

    Examples
    --------
    >>> made("cutout", 0.5).length
    12
    """
    strength = checked_float(strength, "strength", above=0, high=1)
    n_classes, size = checked_int(n_classes, "n_classes", low=2), checked_int(size, "size", low=8)
    entries = {entry.name: entry for entry in CATALOGUE}
    if name not in entries:
        raise ValueError(message("name", "one of " + ", ".join(entries), repr(name)))
    return entries[name].make(strength, n_classes, size)


def circular(name: str) -> tuple[str, ...]:
    """Return the test corruptions that an augmentation equals: a network trained with it has seen them, so they test nothing new.

    >>> circular("JPEG"), circular("cutout")
    (('jpeg_compression',), ())
    """
    kind = type(made(name)).__name__
    return tuple(key for key in augment.corruptions.names if kind in CORRUPTIONS[key].same_as)


def arms() -> tuple[tuple[str, float], ...]:
    """Return every augmentation with each of its strengths."""
    return tuple((entry.name, strength) for entry in CATALOGUE for strength in entry.strengths)


def label(name: str, strength: float) -> str:
    """Return how an arm is called in a record.

    >>> label("hue", 0.3)
    'hue 0.3'
    """
    return f"{name} {strength:g}"


def examples(images: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Return the images under every augmentation and strength, by the label of the arm.

    Parameters
    ----------
    images : Tensor of shape (N, 3, S, S), uint8
        N at least 2, as mixers need a partner.
    seed : int, default 0

    Returns
    -------
    dict from label to Tensor of shape (N, 3, S, S), uint8
    """
    shown = {}
    for name, strength in arms():
        augmentation = made(name, strength, size=images.shape[-1])
        changed = augmentation.replay(images, augmentation.draw(images, torch.Generator().manual_seed(seed)))
        shown[label(name, strength)] = changed if changed.dtype == torch.uint8 else to_uint8(changed)
    return shown


# ------------------------------------------------------------------------------------------------------------ the training


@dataclass(frozen=True)
class Outcome:
    """What was measured about one training; all but diversity and affinity are shares.

    Attributes
    ----------
    validation, accuracy : float
        On validation images, which may choose, and on test images, which may not.
    halves : (float, float)
        Accuracy on the two halves of the test images.
    calibration_error : float
        On the test images, minus what chance alone shows; may be slightly negative.
    overconfidence : float
        Mean confidence minus accuracy.
    diversity, affinity : float
        See ``evidence.affinity_and_diversity``; affinity is that of a network of the same seed without augmentation.
    corrupted : dict from corruption to float
        Accuracy on ``N_CORRUPTED`` test images, a mean over five severities.
    nuisances : dict from a name of ``NUISANCES`` to float
        Accuracy on toys that are seen so.
    """

    validation: float
    accuracy: float
    halves: tuple[float, float]
    calibration_error: float
    overconfidence: float
    diversity: float
    affinity: float
    corrupted: dict[str, float]
    nuisances: dict[str, float]

    def unseen(self, name: str | None) -> float:
        """Return the mean accuracy on the corruptions that augmentation ``name`` does not equal; on all for None."""
        seen = () if name is None else circular(name)
        kept = [accuracy for key, accuracy in self.corrupted.items() if key not in seen]
        return sum(kept) / len(kept)


@lru_cache(maxsize=256)
def outcome(seed: int, name: str | None, strength: float = USUAL) -> Outcome:
    """Train with an augmentation of the catalogue, or with none, and measure everything.

    Parameters
    ----------
    seed : int
    name : str, optional
        None: mirror and crop alone, which every training has.
    strength : float, default 0.3
        As in ``made``.
    """
    validation, test = toys(seed, "validation", N_VALIDATION), toys(seed)
    augmentation = None if name is None else made(name, strength, test.n_classes)
    training = training_of(seed, name, strength) if name is not None else _plain(seed)
    right = _right(training, test.test_images, test.test_labels)
    near = 1.0
    if augmentation is not None:
        plain, chance = _plain(seed).network, torch.Generator().manual_seed(seed)
        near = affinity(plain, validation.test_images, validation.test_labels, augmentation, generator=chance).ratio
    probabilities = in_parts(training.network, training.network, test.test_images, 256).softmax(1)
    judged = augment.expected_calibration_error(probabilities, test.test_labels, n_null=N_NULL, random_state=seed)
    damaged = robustness(training.network, test.test_images, test.test_labels, seed, n_images=N_CORRUPTED)
    half = len(right) // 2
    return Outcome(
        validation=float(_right(training, validation.test_images, validation.test_labels).mean()),
        accuracy=float(right.mean()),
        halves=(float(right[:half].mean()), float(right[half:].mean())),
        calibration_error=judged.debiased,
        overconfidence=judged.signed_gap,
        diversity=diversity(training),
        affinity=near,
        corrupted={key: 1 - error for key, error in damaged.errors.per_corruption.items()},
        nuisances={name: float(_right(training, *views(seed, name)).mean()) for name in NUISANCES},
    )


@lru_cache(maxsize=len(NUISANCES))
def views(seed: int, nuisance: str) -> tuple[Tensor, Tensor]:
    """Return test images (N, 3, 32, 32), uint8, and labels (N,) of a nuisance."""
    how: dict[str, Any] = {"occlusion": OCCLUSION} if nuisance == OCCLUDED else {"views": nuisance}
    pictures = data.Sprites("test", seed, n=N_NUISANCE, size=SIZE, **how)
    return pictures.images, pictures.labels


def training_of(
    seed: int, name: str | None, strength: float = USUAL, static: bool = False, off_after: float = 1.0, n_steps: int = STEPS
) -> AugmentedTraining:
    """Return the training of one arm.

    Parameters
    ----------
    seed, name, strength
        As in ``outcome``.
    static : bool, default False
        Augment every training image once, and never again.
    off_after : float, default 1.0
        Part of the steps after which the augmentation is switched off.
    n_steps : int
    """
    pictures = toys(seed)
    augmentation = None if name is None else made(name, strength, pictures.n_classes)
    return train_with(pictures, augmentation, seed, n_steps, static, round(off_after * n_steps))


def accuracy(training: AugmentedTraining, seed: int) -> float:
    """Return the share of the test images of a seed that a trained network names rightly."""
    pictures = toys(seed)
    return float(_right(training, pictures.test_images, pictures.test_labels).mean())


@lru_cache(maxsize=2)
def _plain(seed: int) -> AugmentedTraining:
    return training_of(seed, None)


def _right(training: AugmentedTraining, images: Tensor, labels: Tensor) -> Tensor:
    return (in_parts(training.network, training.network, images, 256).argmax(1) == labels).double()
