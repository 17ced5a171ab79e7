"""Benchmarks of chapter 04: GAP of a test set of the size of Google Landmarks v2 against the plain loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from harness import benchmark

from course_utils import retrieval

N_IMAGES, N_LANDMARK, N_LABELS = 117_577, 1_300, 5_000  # the test split; about one image in a hundred shows a landmark


def loop(predictions: dict[str, tuple[int, float]], truth: dict[str, set[int]]) -> float:
    """What a user writes: sort, walk down the list, count."""
    hits, total = 0, 0.0
    for rank, image in enumerate(sorted(predictions, key=lambda image: (-predictions[image][1], image)), start=1):
        if predictions[image][0] in truth[image]:
            hits += 1
            total += hits / rank
    return total / sum(len(labels) > 0 for labels in truth.values())


def test_set() -> tuple[dict[str, tuple[int, float]], dict[str, set[int]]]:
    """Return answers to all images and their truth; a third of the landmark images is answered right."""
    rng = np.random.default_rng(0)
    images = [f"{number:016x}" for number in rng.permutation(N_IMAGES)]
    labels, scores = rng.integers(0, N_LABELS, N_IMAGES).tolist(), rng.random(N_IMAGES).round(4).tolist()
    truth = {image: {labels[i] if i % 3 == 0 else 0} if i < N_LANDMARK else set() for i, image in enumerate(images)}
    return dict(zip(images, zip(labels, scores))), truth


def same(a: object, b: object) -> bool:
    """Equal to twelve digits."""
    return abs(float(a) - float(b)) < 1e-12


@benchmark("GAP, 117,577 answers as arrays", "one sort, one running sum", "loop over a sorted dictionary", agree=same)
def arrays() -> tuple[Callable, Callable]:
    predictions, truth = test_set()
    ids = np.array(list(predictions))
    scores = np.array([score for _, score in predictions.values()])
    correct = np.array([label in truth[image] for image, (label, _) in predictions.items()])
    landmarks = sum(len(labels) > 0 for labels in truth.values())
    return lambda: retrieval.rank_answers(scores, correct, landmarks, ids=ids).gap, lambda: loop(predictions, truth)


@benchmark("GAP, 117,577 answers in a dictionary, checked", "checks, one sort", "loop without checks", agree=same)
def dictionaries() -> tuple[Callable, Callable]:
    predictions, truth = test_set()
    return lambda: retrieval.global_average_precision(predictions, truth), lambda: loop(predictions, truth)
