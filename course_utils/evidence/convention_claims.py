"""How often does another convention name another winner? An experiment of this course, on real rankings.

Two systems rank the same digit images (E. Alpaydin, C. Kaynak, 1998, in scikit-learn). Each system describes an image by
a random projection of its pixels to a few numbers, so systems differ by chance and some are nearly as good as others.
Take all pairs whose step mAPs lie within one point of each other, the difference that many tables are decided by, and
ask every other convention which of the two is better.

A convention is compared with "step again", which names the same winner by definition: a share of 0.

Taught in `05_mean_average_precision`, section *claim*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from course_utils import retrieval

N_QUERIES = 200
PER_CLASS = 10  # database images of each digit: R = 10, a landmark collection has as few
N_NUMBERS = 12  # of the random projection
N_SYSTEMS = 40  # 780 pairs, of which a few hundred are close
CLOSE = 0.01  # one point of step mAP
AT = 5

MEASURES: dict[str, Callable] = {
    "step": retrieval.mean_average_precision,
    "trapezoid": partial(retrieval.mean_average_precision, convention="trapezoid"),
    "all-point": partial(retrieval.mean_average_precision, convention="all-point"),
    "11-point": partial(retrieval.mean_average_precision, convention="11point"),
    "101-point": partial(retrieval.mean_average_precision, convention="101point"),
    "MAP@R": retrieval.mean_average_precision_at_r,
    f"AP@{AT}": partial(retrieval.mean_average_precision, at=AT),
}


def random_systems(seed: int, n_systems: int = N_SYSTEMS) -> dict[str, np.ndarray]:
    """Return the mAP of ``n_systems`` random systems under every measure, one array (n_systems,) each.

    Parameters
    ----------
    seed : int
        Draws queries, database and projections. No image is both query and database image.
    n_systems : int, default 40
    """
    from sklearn.datasets import load_digits

    random = np.random.default_rng(seed)
    pixels, digits = load_digits(return_X_y=True)
    order = random.permutation(len(digits))
    queries, rest = order[:N_QUERIES], order[N_QUERIES:]
    database = np.concatenate([rest[digits[rest] == digit][:PER_CLASS] for digit in range(10)])
    relevant = digits[queries, None] == digits[database]  # (Q, N)
    centred = pixels - pixels[database].mean(axis=0)
    values: dict[str, list[float]] = {name: [] for name in MEASURES}
    for _ in range(n_systems):
        vectors = centred @ random.normal(size=(pixels.shape[1], N_NUMBERS))
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        scores = vectors[queries] @ vectors[database].T
        for name, measure in MEASURES.items():
            values[name].append(measure(scores, relevant).mean)
    return {name: np.array(one) for name, one in values.items()}


def changed_winners(values: dict[str, np.ndarray], close: float = CLOSE) -> tuple[dict[str, float], int]:
    """Return, for every measure but step, the share of close pairs in which it names another winner than step, and their number.

    Parameters
    ----------
    values : dict from measure to (n_systems,) array
    close : float, default 0.01
        Largest difference in step mAP of a close pair.

    Raises
    ------
    ValueError
        If no two systems are close.
    """
    one, two = np.triu_indices(len(values["step"]), 1)
    gap = {name: value[one] - value[two] for name, value in values.items()}
    near = (np.abs(gap["step"]) < close) & (gap["step"] != 0)
    if not near.any():
        raise ValueError(f"No two of {len(values['step'])} systems differ by less than {close} in step mAP.")
    shares = {
        name: float((np.sign(value[near]) != np.sign(gap["step"][near])).mean()) for name, value in gap.items() if name != "step"
    }
    return shares, int(near.sum())


def convention_flips(seed: int) -> dict[str, float]:
    """Return the share of close pairs that get another winner, for every measure; "step again" is 0."""
    return {"step again": 0.0} | changed_winners(random_systems(seed))[0]
