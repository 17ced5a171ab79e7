"""The claims over the catalogue: what chooses is not what judges, and every comparison is with the same seed."""

import numpy as np
import pytest

from course_utils.evidence import catalogue_claims as claims
from course_utils.evidence.catalogue import CATALOGUE, NUISANCES, Outcome, arms, circular

CORRUPTIONS = ("fog", "gaussian_noise", "jpeg_compression")


@pytest.fixture
def outcomes(monkeypatch):
    """Made-up outcomes: validation, both halves of the test and everything else are independent random numbers."""

    def made_up(seed, name, strength=0.3):
        key = 0 if name is None else 1 + arms().index((name, strength))
        random = np.random.default_rng([seed, key])
        halves = tuple(random.uniform(0.4, 0.6, 2))
        corrupted = dict(zip(CORRUPTIONS, random.uniform(0.2, 0.4, 3)))
        nuisances = dict(zip(NUISANCES, random.uniform(0.2, 0.4, len(NUISANCES))))
        affinity, diversity = random.uniform(0.5, 1), random.uniform(0.01, 1)
        return Outcome(random.uniform(0.4, 0.6), sum(halves) / 2, halves, 0.05, 0.02, diversity, affinity, corrupted, nuisances)

    monkeypatch.setattr(claims, "outcome", made_up)
    return made_up


def test_validation_images_choose_and_test_images_judge(outcomes):
    figures = claims.everything(3)
    every = [outcomes(3, None), *(outcomes(3, *arm) for arm in arms())]
    best = max(every, key=lambda one: one.validation)
    assert figures[claims.CHOSEN] == best.accuracy != max(one.accuracy for one in every)
    assert figures["none | gain on unseen damage"] == 0 and figures["none"] == figures["none | accuracy"]
    assert len(figures) == 2 + len(claims.MEASURES) * (1 + len(arms()))


def test_a_gain_on_unseen_damage_leaves_out_the_same_corruptions_for_both(outcomes):
    figures, seen = claims.everything(3), circular("JPEG")
    assert seen == ("jpeg_compression",)
    with_jpeg, without = (outcomes(3, name).corrupted for name in ("JPEG", None))
    expected = np.mean([with_jpeg[key] - without[key] for key in CORRUPTIONS if key not in seen])
    assert figures["JPEG 0.3 | gain on unseen damage"] == pytest.approx(expected)


def test_the_best_on_the_test_images_is_reported_too_well(outcomes):
    """All arms are equally good; the best of 108 on 300 images looks better than it is on others."""
    figures = [claims.tuned_on_test(seed) for seed in range(1, 6)]
    reported, new = (np.mean([one[name] for one in figures]) for name in (claims.REPORTED, claims.ON_NEW))
    assert reported > 0.59 and 0.45 < new < 0.55


def test_two_numbers_foretell_a_gain_that_both_make_and_not_an_independent_one(outcomes):
    random = np.random.default_rng(0)
    numbers, names = random.uniform(-1, 1, (90, 2)), [f"a{i // 3}" for i in range(90)]
    gains = numbers[:, 0] * numbers[:, 1]
    assert claims.foretold(numbers, gains, names) == pytest.approx(1)
    assert claims.foretold(numbers[:, :1], gains, names) < 0.2
    figures = claims.two_numbers(1)
    assert set(figures) == {"both", "affinity alone", "diversity alone"} and max(figures.values()) < 0.1


def test_a_left_out_augmentation_is_not_foretold_from_its_own_strengths():
    """Four augmentations with a gain each, at places of their own: a curve through all four fits, and foretells none."""
    places, own = np.array([-1.0, -0.5, 0.5, 1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    numbers = np.repeat(places, 20)[:, None] + np.random.default_rng(1).normal(0, 0.01, (80, 1))
    names = [f"a{i // 20}" for i in range(80)]
    assert claims.foretold(numbers, np.repeat(own, 20), names) < -1
    assert claims.foretold(numbers, np.repeat(places**2, 20), names) > 0.9


def test_matching_nuisances_are_compared_with_the_same_augmentations_elsewhere(outcomes):
    figures = claims.nuisances(2)
    own = [figures[f"{name} | {view}"] for name, views in claims.MATCHES.items() for view in views]
    assert figures["the nuisance it imitates"] == pytest.approx(np.mean(own)) and figures["none"] == 0
    others = [figures[f"{name} | {view}"] for name, views in claims.MATCHES.items() for view in NUISANCES if view not in views]
    assert figures["other nuisances"] == pytest.approx(np.mean(others))
    assert set(claims.MATCHES) <= {entry.name for entry in CATALOGUE}


def test_families_are_means_over_their_augmentations(outcomes):
    figures = claims.family_calibration(2)
    assert set(figures) == {*claims.families(), "none"} and all(value == pytest.approx(0.95) for value in figures.values())
    damaged = claims.family_robustness(2)
    gains = [outcomes(2, e.name).unseen(e.name) - outcomes(2, None).unseen(e.name) for e in CATALOGUE if e.family == "space"]
    assert damaged["space"] == pytest.approx(np.mean(gains))
    expected = outcomes(2, "hue").corrupted["fog"] - outcomes(2, None).corrupted["fog"]
    assert damaged["hue | fog"] == pytest.approx(expected)


def test_the_slingshot_switches_off_before_the_end(monkeypatch, outcomes):
    asked = []
    monkeypatch.setattr(claims, "training_of", lambda *key, **options: asked.append((key, options)))
    monkeypatch.setattr(claims, "accuracy", lambda training, seed: 0.7)
    assert claims.slingshot(1)["switched off"] == pytest.approx(0.7)
    assert [key for key, _ in asked] == [(1, name, 1.0) for name in claims.MOVING]
    assert all(options == {"off_after": 2 / 3} for _, options in asked)


def test_what_is_drawn_once_is_trained_once_for_both_claims(monkeypatch, outcomes):
    asked = []
    monkeypatch.setattr(claims, "training_of", lambda *key, **options: asked.append(options))
    monkeypatch.setattr(claims, "accuracy", lambda training, seed: 0.6)
    monkeypatch.setattr(claims, "diversity", lambda training: 0.2)
    claims.drawn_once.cache_clear()
    accuracy, diversity = claims.static_accuracy(9), claims.static_diversity(9)
    claims.drawn_once.cache_clear()
    assert asked == [{"static": True}] * len(claims.MOVING)
    assert accuracy["drawn once"] == pytest.approx(0.6) and diversity["drawn once"] == pytest.approx(0.2)
