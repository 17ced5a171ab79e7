"""The judges of chapter 17: right answers of several makes, and the likely mistakes by name."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import rel_entr

from course_utils import augment, learn
from course_utils.learn import chapter_17

# --- 17-1


def by_scipy(p):
    return np.mean([rel_entr(one, p.mean(0)).sum() for one in p])


def by_package(p):
    logits = torch.from_numpy(np.maximum(p, 1e-300)).log()[:, None]
    return augment.jensen_shannon_divergence(logits)


@pytest.mark.parametrize("answer", [chapter_17.divergence, by_scipy, by_package])
def test_right_divergences_are_accepted(answer):
    found = learn.check("17-1", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        *((rule, text[:30]) for text, rule in chapter_17.DIVERGENCE_TRAPS.items()),
        (lambda p: np.mean((p * np.log(p / p.mean(0))).sum(-1)), "is NaN. A certain answer holds zeros"),
        (lambda p: np.mean([stats.entropy(one, p[0]) for one in p]), "is infinity. Something is divided by an entry that is 0"),
        (lambda p: 0.5, "expected 0.0"),
        (lambda p: p, "shape"),
        (0.3, "must be a function"),
    ],
)
def test_wrong_divergences_are_named(answer, text):
    found = learn.check("17-1", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


def test_the_sets_are_distributions_and_some_are_certain():
    sets = chapter_17.answers()
    assert len(sets) == 60 and all(np.allclose(p.sum(1), 1) for p in sets)
    assert sum((p == 1).any() for p in sets) > 5
    assert abs(chapter_17.divergence(np.eye(3)) - np.log(3)) < 1e-12
    assert abs(chapter_17.divergence(sets[5]) - stats.entropy(sets[5].mean(0)) + stats.entropy(sets[5], axis=1).mean()) < 1e-12


# --- 17-2


def by_windows(image, order):
    images, orders = torch.from_numpy(image)[None], torch.from_numpy(order)[None, None]
    return augment.shuffle_windows(images, orders, 2)[0]


def by_gather(image, order):
    channels, height, width = image.shape
    down, across = height // 2, width // 2
    block = image[:, : 2 * down, : 2 * across].reshape(channels, down, 2, across, 2).transpose(0, 1, 3, 2, 4)
    moved = np.take_along_axis(block.reshape(channels, down * across, 4), order[None], 2)
    out = image.copy()
    out[:, : 2 * down, : 2 * across] = (
        moved.reshape(channels, down, across, 2, 2).transpose(0, 1, 3, 2, 4).reshape(channels, 2 * down, 2 * across)
    )
    return out


@pytest.mark.parametrize("answer", [chapter_17.shuffled, by_windows, by_gather])
def test_right_shuffles_are_accepted(answer):
    found = learn.check("17-2", answer)
    assert found.outcome == "right", found.sentence


def whole_image(image, order):
    return np.roll(image, 1, axis=1)


def writes(image, order):
    image[0, 0, 0] = -1
    return image


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        *((lambda i, o, slip=slip: chapter_17._shuffled(i, o, **slip), text) for text, slip in chapter_17.SHUFFLE_TRAPS.items()),
        (lambda i, o: chapter_17._shuffled(i, o, torn=True), "a colour moves as one"),
        (whole_image, "belongs to no whole window"),
        (writes, "changes its first argument"),
        (lambda i, o: i, "No pixel has moved"),
        (lambda i, o: i + 1, "differs"),
        (lambda i, o: i[0], "shape"),
    ],
)
def test_wrong_shuffles_are_named(answer, text):
    found = learn.check("17-2", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


# --- 17-3


def by_drawing(alpha, k):
    random = np.random.default_rng(0)
    weights, m = random.dirichlet(np.full(k, alpha), 50_000), random.beta(alpha, alpha, 50_000)
    return (m**2 * (weights**2).sum(1)).mean()


def by_simulation_formula(alpha, k):
    weights = stats.dirichlet(np.full(k, alpha)) if k > 1 else None
    squares = k * (weights.var()[0] + weights.mean()[0] ** 2) if k > 1 else 1.0
    m = stats.beta(alpha, alpha)
    return squares * (m.var() + m.mean() ** 2)


@pytest.mark.parametrize("answer", [chapter_17.distance, by_simulation_formula])
def test_right_distances_are_accepted(answer):
    found = learn.check("17-3", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        *((rule, text[:30]) for text, rule in chapter_17.DISTANCE_TRAPS.items()),
        (by_drawing, "a mean over draws is no formula"),
        (lambda a, k: 0.1, "`distance_of_mixture(1.0, 3)` gives 0.100000, expected 0.166667."),
    ],
)
def test_wrong_distances_are_named(answer, text):
    found = learn.check("17-3", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


def test_the_formula_is_what_augmix_draws():
    for alpha, k in ((1.0, 3), (0.3, 2), (4.0, 6)):
        params = augment.AugMix(alpha=alpha, width=k).sample(200_000, (3, 8, 8), torch.Generator().manual_seed(0))
        measured = (params.m.square() * params.weights.square().sum(1)).mean()
        assert abs(float(measured) - chapter_17.distance(alpha, k)) < 0.01
