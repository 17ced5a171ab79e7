"""The augmentations of the course side by side, and the training that compares them. For `18_does_it_help`.

``CATALOGUE`` holds the augmentations of chapters 13 to 17 that a classifier can be trained with, each with one strength in (0, 1].
Outside are: mirror and shift, which every training here has; Mosaic, IoUCrop and fog with depth, which need boxes or depth; Manifold
Mixup and PatchShuffle on maps, which act inside of the network; ColorJitter, which is four others; `mixup` of the sixteen ways of
mixing, which is Mixup.

All trainings share images, start, order of the batches and number of steps.

Source: R. Gontijo-Lopes et al., 2020, arXiv:2002.08973.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from course_utils import augment
from course_utils.augment.corruptions import CORRUPTIONS
from course_utils.checks import checked_float, checked_int, message
from course_utils.evidence.affinity_and_diversity import Augmentation, diversity, train_with
from course_utils.evidence.mixing_claims import toys
from course_utils.training import in_parts

STEPS = 400
STRENGTH = 0.5


@dataclass(frozen=True)
class Entry:
    """An augmentation of the course.

    Attributes
    ----------
    name, family : str
    chapter : int
    make : callable
        ``make(strength, n_classes, size)``: the augmentation for square images of ``size`` pixels.
    """

    name: str
    family: str
    chapter: int
    make: Callable[[float, int, int], Augmentation]


def _mixed(method: str) -> Entry:
    return Entry(method, "mixing", 15, lambda s, k, n: augment.MixedExample(method, k, p=s))


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


def made(name: str, strength: float = STRENGTH, n_classes: int = 6, size: int = 32) -> Augmentation:
    """Return an augmentation of the catalogue.

    Parameters
    ----------
    name : str
        Of an entry of ``CATALOGUE``.
    strength : float, default 0.5
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


# ------------------------------------------------------------------------------------------------------------ the training


@dataclass(frozen=True)
class Trained:
    """What a training gave: accuracy on clean images of the split, and diversity in nats."""

    accuracy: float
    diversity: float


@lru_cache(maxsize=64)
def trained(
    seed: int, name: str | None, static: bool = False, off_after: float = 1.0, n_steps: int = STEPS, split: str = "test"
) -> Trained:
    """Train with an augmentation of the catalogue, or with none, and return what came of it.

    Parameters
    ----------
    seed : int
    name : str, optional
        None: mirror and crop alone, which every training has.
    static : bool, default False
        Augment every training image once, and never again.
    off_after : float, default 1.0
        Part of the steps after which the augmentation is switched off.
    n_steps : int
    split : {"test", "validation"}
        Where the accuracy is measured.
    """
    pictures = toys(seed, split)
    augmentation = None if name is None else made(name, n_classes=pictures.n_classes)
    training = train_with(pictures, augmentation, seed, n_steps, static, round(off_after * n_steps))
    answers = in_parts(training.network, training.network, pictures.test_images, 256).argmax(1)
    return Trained(float((answers == pictures.test_labels).double().mean()), diversity(training))
