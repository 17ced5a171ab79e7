"""Do mixed images and labels help? Experiments for `15_mixing` and `16_cutting_and_pasting`.

The claims: Mixup, CutMix, RICAP, SmoothMix and every other way of mixing make a network more accurate; SamplePairing does with
its schedule; labels that do not follow the images cost accuracy. The papers train for hundreds of epochs on 50,000 images. Here
the images are few and the training is short, and how much of the claim is left depends on its length: that is measured, too.

All arms of a comparison share the images, the start, the order of the batches and the number of steps, and every arm has mirror
and crop. Constants were chosen on validation images of seed 0, which no recorded run uses.

Sources: see the modules of the mixers in ``course_utils.augment``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils import augment, data
from course_utils.augment.mixing import Mixer, MixPlan
from course_utils.evidence.image_training import BATCH, LabelledImages, descended, small_network
from course_utils.training import in_parts

SIZE = 32
PER_CLASS, N_TEST = 50, 600
STEPS = 800
LENGTHS = (200, 400, STEPS)

MIXERS = ("Mixup", "CutMix", "RICAP", "SmoothMix")
LENGTH_ARMS = ("Mixup", "CutMix")
WAYS = augment.mixed_example_methods
FLAWED = ("CutMix, raw lambda", "CutMix, labels exchanged", "SmoothMix, labels exchanged")


@dataclass(frozen=True)
class Outcome:
    """What a trained network does on clean test images.

    Attributes
    ----------
    accuracy : float
    likelihood : float
        Geometric mean of the probabilities given to the right classes, ``exp(-NLL)``, in [0, 1].
    overconfidence : float
        Mean confidence minus accuracy.
    train_accuracy : float
        On the training images as they are, without mirror, crop and mixing.
    """

    accuracy: float
    likelihood: float
    overconfidence: float
    train_accuracy: float


# ---------------------------------------------------------------------------------------------------------- the experiments


def mixers_accuracy(seed: int) -> dict[str, float]:
    """Return the accuracy with each of ``MIXERS``, and without."""
    return {arm: outcome(seed, arm).accuracy for arm in ("none", *MIXERS)}


def mixers_likelihood(seed: int) -> dict[str, float]:
    """Return the geometric mean of the probability of the right class for the same networks."""
    return {arm: outcome(seed, arm).likelihood for arm in ("none", *MIXERS)}


def mixers_overconfidence(seed: int) -> dict[str, float]:
    """Return confidence minus accuracy for the same networks."""
    return {arm: outcome(seed, arm).overconfidence for arm in ("none", *MIXERS)}


def sample_pairing(seed: int) -> dict[str, float]:
    """Return the accuracy with SamplePairing in some epochs, in all, and in none."""
    return {arm: outcome(seed, arm).accuracy for arm in ("none", "with schedule", "always on")}


def ways_of_mixing(seed: int) -> dict[str, float]:
    """Return the accuracy with each way of mixing, and without."""
    return {arm: outcome(seed, arm).accuracy for arm in ("none", *WAYS)}


def label_mistakes(seed: int) -> dict[str, float]:
    """Return the accuracy with right labels, and with three mistakes of public implementations."""
    return {arm: outcome(seed, arm).accuracy for arm in ("CutMix", "SmoothMix", *FLAWED)}


def label_mistakes_likelihood(seed: int) -> dict[str, float]:
    """Return the geometric mean of the probability of the right class for the same networks."""
    return {arm: outcome(seed, arm).likelihood for arm in ("CutMix", "SmoothMix", *FLAWED)}


def longer_training(seed: int) -> dict[str, float]:
    """Return by how much Mixup and CutMix change the accuracy after 200, 400 and 800 steps."""
    figures = {}
    for n_steps in LENGTHS:
        plain = outcome(seed, "none", n_steps).accuracy
        for arm in LENGTH_ARMS:
            figures[f"{arm}, {n_steps} steps"] = outcome(seed, arm, n_steps).accuracy - plain
    return figures


@lru_cache(maxsize=128)
def outcome(seed: int, arm: str, n_steps: int = STEPS, split: str = "test") -> Outcome:
    """Train one arm of a seed and return what it does on the images of a split."""
    pictures = toys(seed, split)
    network = mixing_network(pictures, arm, seed, n_steps)
    judged = augment.expected_calibration_error(_probabilities(network, pictures.test_images), pictures.test_labels)
    seen = _probabilities(network, pictures.train_images).argmax(1) == pictures.train_labels
    return Outcome(judged.accuracy, float(np.exp(-judged.nll)), judged.signed_gap, float(seen.float().mean()))


def toys(seed: int, split: str = "test", n_test: int = N_TEST) -> LabelledImages:
    """Return drawn toys: ``PER_CLASS`` training images of each class, and ``n_test`` images of a split to be judged on."""
    train, test = data.Sprites("train", seed, size=SIZE, few_shot=PER_CLASS), data.Sprites(split, seed, n=n_test, size=SIZE)
    return LabelledImages(train.images, train.labels, test.images, test.labels)


def _probabilities(network: nn.Module, images: Tensor) -> Tensor:
    return in_parts(network, network, images, 256).softmax(1)


# ------------------------------------------------------------------------------------------------------------ the trainings


def mixing_network(pictures: LabelledImages, arm: str, seed: int, n_steps: int = STEPS) -> nn.Module:
    """Train one arm: "none", a name of ``MIXERS``, ``WAYS`` or ``FLAWED``, "with schedule" or "always on"."""
    per_epoch = max(len(pictures.train_labels) // BATCH, 1)
    mix = _mixer(arm, pictures.n_classes, n_steps // per_epoch)
    steps = count()

    def loss(network: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        if mix is None:
            return F.cross_entropy(network(images), labels)
        if isinstance(mix, augment.SamplePairing):
            mix.set_epoch(next(steps) // per_epoch)
        images = images.float() / 255
        drawn = mix.draw(images, generator)
        return F.cross_entropy(network(mix.replay(images, drawn)), mix.replay_labels(labels, drawn))

    return descended(small_network(pictures.n_classes, seed), loss, pictures, seed, n_steps)


class RawLambda(augment.CutMix):
    """CutMix with a label that counts the box before it is cut off at the border: a mistake."""

    def plan(self, partners: Tensor, params: augment.CutMixParams, shape: tuple[int, int, int]) -> MixPlan:
        """Return the plan with the right masks and the wrong label weights."""
        pasted = params.sides(shape[1:]).prod(1).float() / (shape[1] * shape[2])
        return MixPlan(partners, self.shares(params, shape), label_weights=torch.stack([1 - pasted, pasted], dim=1))


class LabelsExchanged(Mixer):
    """Two images, and each label with the weight of the other: a mistake."""

    def plan(self, partners: Tensor, params: Any, shape: tuple[int, int, int]) -> MixPlan:
        """Return the plan with the right masks and the wrong label weights."""
        plan = super().plan(partners, params, shape)
        return MixPlan(partners, plan.shares, label_weights=plan.weights.flip(1))


class ExchangedCutMix(LabelsExchanged, augment.CutMix):
    """CutMix with the two labels exchanged."""


class ExchangedSmoothMix(LabelsExchanged, augment.SmoothMix):
    """SmoothMix with the two labels exchanged, as in a public collection of mixers."""


def _mixer(arm: str, n_classes: int, n_epochs: int) -> Mixer | None:
    if arm == "none":
        return None
    if arm in WAYS:
        return augment.MixedExample(arm, n_classes)
    if arm == "with schedule":
        return augment.SamplePairing(augment.PairingSchedule.scaled(n_epochs), num_classes=n_classes)
    makers: dict[str, type[Mixer]] = {
        "Mixup": augment.MixUp,
        "CutMix": augment.CutMix,
        "RICAP": augment.RICAP,
        "SmoothMix": augment.SmoothMix,
        "always on": augment.SamplePairing,
        "CutMix, raw lambda": RawLambda,
        "CutMix, labels exchanged": ExchangedCutMix,
        "SmoothMix, labels exchanged": ExchangedSmoothMix,
    }
    return makers[arm](num_classes=n_classes)
