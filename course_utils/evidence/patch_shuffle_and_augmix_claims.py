"""Do shuffled windows and mixed chains make a network robust? Experiments for `17_patchshuffle_and_augmix`.

The claims: G. Kang et al., "PatchShuffle Regularization", 2017, arXiv:1707.07103 (better with little data, robust to noise and
to local changes); D. Hendrycks et al., "AugMix", ICLR 2020, arXiv:1912.02781 (fewer errors and better calibration on
corruptions never trained on; the consistency loss is part of it).

All arms of a comparison share the images, the start, the order of the batches and the number of steps. Every arm has the
standard augmentation: mirror and crop. One test set of ``data.Sprites`` is corrupted in 14 ways and five severities, the same
pixels for every arm. Constants were chosen on validation images of seed 0, which no recorded run uses.

**Circular cells.** Some operations of AugMix and PatchShuffle come close to a corruption of the suite
(``corruptions.CORRUPTIONS[name].same_as``): stretching the histogram to the contrast corruption, shear to the affine part of
the elastic one, shuffled windows to glass blur. Every mean is therefore given twice, once without these.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import augment, data
from course_utils.evidence.image_training import LabelledImages, descended, small_network
from course_utils.evidence.robustness import Robustness, robustness
from course_utils.training import in_parts

SIZE = 32
N_TEST = 300
AUGMIX_STEPS, AUGMIX_IMAGES = 500, 1200
SHUFFLE_STEPS, SHUFFLE_PER_CLASS = 400, 20
SHUFFLE_P = 0.05  # the paper's
SHUFFLE_DOSES = (0.0, SHUFFLE_P, 0.2, 0.5)
SAME_AS_AUGMIX = ("AutoContrast", "Equalize", "Affine")
NOISES = ("gaussian_noise", "shot_noise", "impulse_noise")
LOCAL_CHANGES = ("elastic_transform", "pixelate")  # glass blur exchanges neighbouring pixels, as PatchShuffle does

AUGMIX_ARMS = ("standard", "AugMix alone", "AugMix with JS")
SHUFFLE_ARMS = ("none", "on images", "on maps")


# ---------------------------------------------------------------------------------------------------------- the experiments


def augmix_corruptions(seed: int) -> dict[str, float]:
    """Return the mean accuracy over all corrupted copies of the test set, and over those that no operation comes close to."""
    return _on_corrupted(seed, ("standard", "AugMix with JS"))


def augmix_consistency(seed: int) -> dict[str, float]:
    """Return the same for the mixtures alone and with the consistency loss."""
    return _on_corrupted(seed, ("AugMix alone", "AugMix with JS"))


def augmix_clean(seed: int) -> dict[str, float]:
    """Return the accuracy on the clean test set."""
    return {arm: result.clean.accuracy for arm, result in augmix_robustness(seed).items()}


def augmix_calibration(seed: int) -> dict[str, float]:
    """Return one minus the expected calibration error, as a mean over the corrupted copies."""
    return {arm: 1 - result.mean("ece") for arm, result in augmix_robustness(seed).items()}


def augmix_calibration_tempered(seed: int) -> dict[str, float]:
    """Return one minus the calibration error on corrupted images, after a temperature was fitted on clean validation images.

    A network that is under-confident on clean images looks better and better calibrated as the images get worse. The
    temperature takes this away: every arm starts from its best calibration, and what is left is the damage of the corruption.
    """
    clean = data.Sprites("validation", seed, n=N_TEST, size=SIZE)
    figures = {}
    for arm, network in augmix_networks(seed).items():
        logits = in_parts(network, network, clean.images, 256)
        temperature = augment.fit_temperature(logits, clean.labels)
        result = judged(nn.Sequential(network, Scaled(1 / temperature.temperature)), toys(seed), seed)
        figures[arm] = 1 - result.mean("ece")
    return figures


def patch_shuffle_clean(seed: int) -> dict[str, float]:
    """Return the accuracy on the clean test set with few training images."""
    return {arm: result.clean.accuracy for arm, result in shuffle_robustness(seed).items()}


def patch_shuffle_robustness(seed: int) -> dict[str, float]:
    """Return the accuracy under noise and under local changes with few training images."""
    figures = {}
    for test, names in (("noise", NOISES), ("local", LOCAL_CHANGES)):
        for arm, result in shuffle_robustness(seed).items():
            figures[f"{arm}, {test}"] = 1 - sum(result.errors.per_corruption[name] for name in names) / len(names)
    return figures


def patch_shuffle_doses(seed: int) -> dict[str, float]:
    """Return the accuracy on the clean test set after shuffling more and more of the few training images."""
    pictures, figures = toys(seed, few_shot=SHUFFLE_PER_CLASS), {}
    for p in SHUFFLE_DOSES:
        network = shuffle_network(pictures, "on images", seed, p=p)
        right = in_parts(network, network, pictures.test_images, 256).argmax(1) == pictures.test_labels
        figures[f"p = {p:g}"] = float(right.double().mean())
    return figures


def toys(seed: int, split: str = "test", few_shot: int | None = None) -> LabelledImages:
    """Return drawn toys: ``few_shot`` training images of each class, or all, and a split to be judged on."""
    size = {"n": AUGMIX_IMAGES} if few_shot is None else {"few_shot": few_shot}
    train, test = data.Sprites("train", seed, size=SIZE, **size), data.Sprites(split, seed, n=N_TEST, size=SIZE)
    return LabelledImages(train.images, train.labels, test.images, test.labels)


@lru_cache(maxsize=4)
def augmix_robustness(seed: int, split: str = "test") -> dict[str, Robustness]:
    """Return what the three trainings of a seed do on clean and corrupted images of a split."""
    pictures = toys(seed, split)
    return {arm: judged(network, pictures, seed) for arm, network in augmix_networks(seed).items()}


@lru_cache(maxsize=4)
def augmix_networks(seed: int) -> dict[str, nn.Module]:
    """Return the networks of the three trainings of a seed."""
    pictures = toys(seed)
    return {arm: augmix_network(pictures, arm, seed) for arm in AUGMIX_ARMS}


@lru_cache(maxsize=4)
def shuffle_robustness(seed: int, split: str = "test") -> dict[str, Robustness]:
    """Return what the three trainings of a seed with few images do on clean and corrupted images of a split."""
    pictures = toys(seed, split, SHUFFLE_PER_CLASS)
    return {arm: judged(shuffle_network(pictures, arm, seed), pictures, seed) for arm in SHUFFLE_ARMS}


def judged(network: nn.Module, pictures: LabelledImages, seed: int) -> Robustness:
    """Return errors and calibration of a network on the test images of ``pictures`` and their corrupted copies."""
    return robustness(network, pictures.test_images, pictures.test_labels, seed=seed, n_images=len(pictures.test_images))


def _on_corrupted(seed: int, arms: tuple[str, ...]) -> dict[str, float]:
    figures = {}
    for arm in arms:
        result = augmix_robustness(seed)[arm]
        figures[arm] = 1 - result.errors.mean
        figures[f"{arm}, unseen"] = 1 - result.mean_error_without(*SAME_AS_AUGMIX)
    return figures


# ------------------------------------------------------------------------------------------------------------ the trainings


def augmix_network(pictures: LabelledImages, arm: str, seed: int, n_steps: int = AUGMIX_STEPS) -> nn.Module:
    """Train one arm of ``AUGMIX_ARMS``.

    "AugMix alone" learns the labels of mixtures; "AugMix with JS" learns the labels of clean images, and to answer alike on
    two mixtures of each. A step of the latter sees three times as many pictures.
    """
    mix, consistency = augment.AugMix(severity=3), augment.JensenShannonLoss()

    def loss(network: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        if arm == "AugMix with JS":
            return consistency(network(mix.views(images, generator)), labels)
        if arm == "AugMix alone":
            images = mix.replay(images, mix.draw(images, generator))
        return F.cross_entropy(network(images), labels)

    return descended(small_network(pictures.n_classes, seed), loss, pictures, seed, n_steps)


def shuffle_network(
    pictures: LabelledImages, arm: str, seed: int, n_steps: int = SHUFFLE_STEPS, p: float = SHUFFLE_P
) -> nn.Module:
    """Train one arm of ``SHUFFLE_ARMS``: windows of 2 x 2 are shuffled in images, in the maps of the first two layers, or never."""
    shuffle = augment.PatchShuffle(p=p)

    def loss(network: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        if arm == "on images":
            images = shuffle.replay(images, shuffle.draw(images, generator))
        return F.cross_entropy(network(images), labels)

    shuffling = torch.Generator().manual_seed(seed + 1)
    on_maps = arm == "on maps"
    behind = (lambda: augment.FeaturePatchShuffle(p=p, generator=shuffling)) if on_maps else None
    return descended(small_network(pictures.n_classes, seed, behind), loss, pictures, seed, n_steps)


class Scaled(nn.Module):
    """Logits times a number: a temperature as a layer."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, logits: Tensor) -> Tensor:
        """Return the scaled logits."""
        return self.factor * logits
