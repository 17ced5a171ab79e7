"""Does it help, and can one know before? Experiments for `18_does_it_help` over the whole catalogue of augmentations.

``everything``        every arm, measured in every way, and the choice that validation images make among them
``tuned_on_test``     the same choice made on the test images, and what it is worth on others
``two_numbers``       how well affinity and diversity foretell the gain, together and alone
``static_...``        every image augmented once, against new draws in every step: accuracy, and diversity
``slingshot``         a strong augmentation that is switched off before the end
``nuisances``         every augmentation against every change that training never showed
``family_...``        robustness against damage that was not in the training, and calibration, by family

All share the trainings of ``catalogue.outcome``; a figure of an arm is called "hue 0.3 | accuracy".

Sources: R. Gontijo-Lopes et al., 2020, arXiv:2002.08973; D. Hendrycks, T. Dietterich, ICLR 2019, arXiv:1903.12261; C. Guo et al.,
ICML 2017, arXiv:1706.04599.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from statistics import fmean

import numpy as np

from course_utils.evidence.affinity_and_diversity import diversity
from course_utils.evidence.catalogue import CATALOGUE, NUISANCES, Outcome, accuracy, arms, label, outcome, training_of
from course_utils.training.trial import LEAST

NONE = "none"
CHOSEN, REPORTED, ON_NEW = "chosen on validation images", "as reported", "on new images"
MEASURES = ("accuracy", "validation", "affinity", "diversity", "calibration error", "overconfidence", "gain on unseen damage")
MOVING = ("affine", "hue", "cutout", "resized crop", "noise", "Mixup")
"""One of each kind, for the experiments on when an augmentation is drawn."""
STRONG, OFF_AFTER = 1.0, 2 / 3
MATCHES = {
    "rotation": ("rotated",),
    "affine": ("rotated", "small", "moved"),
    "brightness": ("dark",),
    "gamma": ("dark",),
    "hue": ("tinted",),
    "saturation": ("tinted",),
    "grey": ("tinted",),
    "channel shuffle": ("tinted",),
    "colour noise": ("tinted",),
    "noise": ("noisy",),
    "sensor noise": ("noisy",),
    "blur": ("blurred",),
    "motion blur": ("blurred",),
    "random erasing": ("occluded",),
    "cutout": ("occluded",),
    "hide and seek": ("occluded",),
}
"""Augmentations that imitate a nuisance of the test sets; written down before the runs."""


def everything(seed: int) -> dict[str, float]:
    """Return every measure of every arm, and the accuracy of the arm that is best on validation images."""
    without = outcome(seed, None)
    figures = _measures(NONE, without, without, None)
    for name, strength in arms():
        figures |= _measures(label(name, strength), outcome(seed, name, strength), without, name)
    best = max((without, *_outcomes(seed)), key=lambda one: one.validation)
    return {CHOSEN: best.accuracy, NONE: without.accuracy} | figures


def tuned_on_test(seed: int) -> dict[str, float]:
    """Return what the arm that is best on half of the test images reaches on that half, and on the other one."""
    every = (outcome(seed, None), *_outcomes(seed))
    reported, new = [], []
    for seen, other in ((0, 1), (1, 0)):
        best = max(every, key=lambda one: one.halves[seen])
        reported.append(best.halves[seen])
        new.append(best.halves[other])
    honest = max(every, key=lambda one: one.validation)
    return {REPORTED: fmean(reported), ON_NEW: fmean(new), CHOSEN: honest.accuracy, NONE: every[0].accuracy}


def two_numbers(seed: int) -> dict[str, float]:
    """Return the share of the gains' variance that quadratic functions of affinity and log-diversity foretell.

    An augmentation is foretold from all the others (R squared over augmentations left out); below 0 is worse than the mean.
    """
    outcomes = _outcomes(seed)
    gains = np.array([one.accuracy for one in outcomes]) - outcome(seed, None).accuracy
    numbers = np.array([[one.affinity, np.log10(max(one.diversity, LEAST))] for one in outcomes])
    names = [name for name, _ in arms()]
    columns = {"both": [0, 1], "affinity alone": [0], "diversity alone": [1]}
    return {which: foretold(numbers[:, used], gains, names) for which, used in columns.items()}


def foretold(numbers: np.ndarray, gains: np.ndarray, groups: list[str]) -> float:
    """Return R squared of a quadratic regression of gains (N,) on numbers (N, P), each group foretold from the others."""
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures

    model = make_pipeline(PolynomialFeatures(2), LinearRegression())
    return float(r2_score(gains, cross_val_predict(model, numbers, gains, groups=groups, cv=LeaveOneGroupOut())))


def static_accuracy(seed: int) -> dict[str, float]:
    """Return the mean accuracy of ``MOVING`` with new draws in every step and with one draw for ever, and without any."""
    fresh = fmean(outcome(seed, name).accuracy for name in MOVING)
    return {
        "new draws": fresh,
        "drawn once": fmean(drawn_once(seed, name)[0] for name in MOVING),
        NONE: outcome(seed, None).accuracy,
    }


def static_diversity(seed: int) -> dict[str, float]:
    """Return the mean diversity of the same trainings."""
    fresh = fmean(outcome(seed, name).diversity for name in MOVING)
    return {"new draws": fresh, "drawn once": fmean(drawn_once(seed, name)[1] for name in MOVING)}


@lru_cache(maxsize=16)
def drawn_once(seed: int, name: str) -> tuple[float, float]:
    """Return accuracy and diversity of a training whose images were augmented once, before it."""
    training = training_of(seed, name, static=True)
    return accuracy(training, seed), diversity(training)


def slingshot(seed: int) -> dict[str, float]:
    """Return the mean accuracy of ``MOVING`` at full strength, always on and switched off after two thirds of the steps."""
    return {
        "switched off": fmean(accuracy(training_of(seed, name, STRONG, off_after=OFF_AFTER), seed) for name in MOVING),
        "always on": fmean(outcome(seed, name, STRONG).accuracy for name in MOVING),
        NONE: outcome(seed, None).accuracy,
    }


def family_robustness(seed: int) -> dict[str, float]:
    """Return the mean gain of each family on corruptions that its augmentations do not equal; strength 0.3.

    "hue | fog" and so on are the gains of every augmentation on every corruption, also those that it equals.
    """
    without = outcome(seed, None)
    figures = _by_family(lambda name: outcome(seed, name).unseen(name) - without.unseen(name)) | {NONE: 0.0}
    for entry in CATALOGUE:
        damaged = outcome(seed, entry.name).corrupted
        figures |= {f"{entry.name} | {key}": damaged[key] - without.corrupted[key] for key in damaged}
    return figures


def family_calibration(seed: int) -> dict[str, float]:
    """Return 1 minus the mean calibration error of each family, and of the training without; strength 0.3."""
    return _by_family(lambda name: 1 - outcome(seed, name).calibration_error) | {NONE: 1 - outcome(seed, None).calibration_error}


def nuisances(seed: int) -> dict[str, float]:
    """Return the mean gain of the augmentations in ``MATCHES`` under the nuisance that they imitate, and under the others.

    "hue | tinted" and so on are the gains of every augmentation under every nuisance; strength 0.3.
    """
    without = outcome(seed, None).nuisances
    gains = {
        entry.name: {view: outcome(seed, entry.name).nuisances[view] - without[view] for view in NUISANCES} for entry in CATALOGUE
    }
    own = [gains[name][view] for name, matching in MATCHES.items() for view in matching]
    others = [gains[name][view] for name, matching in MATCHES.items() for view in NUISANCES if view not in matching]
    figures = {"the nuisance it imitates": fmean(own), "other nuisances": fmean(others), NONE: 0.0}
    return figures | {f"{name} | {view}": gain for name, row in gains.items() for view, gain in row.items()}


def families() -> tuple[str, ...]:
    """Return the families of the catalogue, in its order."""
    return tuple(dict.fromkeys(entry.family for entry in CATALOGUE))


def _by_family(figure: Callable[[str], float]) -> dict[str, float]:
    return {family: fmean(figure(entry.name) for entry in CATALOGUE if entry.family == family) for family in families()}


def _outcomes(seed: int) -> tuple[Outcome, ...]:
    return tuple(outcome(seed, name, strength) for name, strength in arms())


def _measures(arm: str, one: Outcome, without: Outcome, name: str | None) -> dict[str, float]:
    gain = one.unseen(name) - without.unseen(name)
    values = (one.accuracy, one.validation, one.affinity, one.diversity, one.calibration_error, one.overconfidence, gain)
    return {f"{arm} | {measure}": value for measure, value in zip(MEASURES, values, strict=True)}
