"""Choosing by looking: the best of many is too good, and what is needed to see an effect at all.

**Problem.** Ten methods without any effect are tried, and the best of them is reported: it looks like a success. The best of many
epochs on the test images looks better than the network is. **Idea.** Compute how often and by how much chance alone does this, and
correct for it: Holm's procedure keeps the chance of one false report among all methods at the level that was promised.

==============  ======  =====================================================================
name in code    symbol  meaning
==============  ======  =====================================================================
``p_values``     p      (M,) one for each of M methods
``n_seeds``      S      paired differences for each method
``spread``       s      standard deviation of the differences over seeds
``n_checks``     E      times that a network was judged on the same test images
==============  ======  =====================================================================

Sources: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics, 1979; J. Cohen,
"Statistical Power Analysis for the Behavioral Sciences", 1988 (the noncentral t distribution); R. A. Fisher, "The Design of
Experiments", 1935 (sign flips).

Taught in ``18_does_it_help``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from course_utils.checks import checked_array, checked_float, checked_int, message
from course_utils.training.optional_stopping import running_intervals

ALL_SIGNS = 13
"""Up to so many seeds all patterns of signs are tried, as in ``paired_comparison``."""
HIGHEST = 0.9999
"""Largest confidence and power that can be asked for."""


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Return p-values that are corrected for the number of methods.

    The smallest is multiplied by M, the next by M - 1, and so on; none may be smaller than one before it, nor above 1.

    Parameters
    ----------
    p_values : sequence of M numbers in [0, 1]

    Returns
    -------
    ndarray of shape (M,), float64
        In the order given. Those at most 0.05 are wrong, all together, with a chance of at most 0.05.

    Raises
    ------
    ValueError
        If there is none, or one lies outside [0, 1].

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    values = checked_array(p_values, "p_values", ("M",), np.float64)
    if not values.size or values.min() < 0 or values.max() > 1:
        raise ValueError(message("p_values", "at least one number, all in [0, 1]", f"{values.tolist()}"))
    order = np.argsort(values, kind="stable")
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1)), 1)
    return corrected


def smallest_visible_effect(spread: float, n_seeds: int, power: float = 0.8, confidence: float = 0.95) -> float:
    """Return the effect that a paired comparison finds with a given chance.

    Parameters
    ----------
    spread : float
        Standard deviation of the differences, above 0; the result has its unit.
    n_seeds : int
        At least 2.
    power : float, default 0.8
        Chance that the interval lies above zero when the effect is there.
    confidence : float, default 0.95
        Of the interval.

    Examples
    --------
    >>> round(smallest_visible_effect(1.5, 20), 2)  # points
    0.99
    """
    from scipy import optimize, stats

    spread, n_seeds = checked_float(spread, "spread", above=0), checked_int(n_seeds, "n_seeds", low=2)
    confidence = checked_float(confidence, "confidence", above=0.0, high=HIGHEST)
    power = checked_float(power, "power", above=0.5 - confidence / 2, high=HIGHEST)
    quantile = stats.t.ppf(0.5 + confidence / 2, n_seeds - 1)

    def missing(shift: float) -> float:
        return power - stats.nct.sf(quantile, n_seeds - 1, shift)

    high = 1.0
    while missing(high) > 0:
        high *= 2
    return float(optimize.brentq(missing, 0.0, high)) * spread / n_seeds**0.5


def visible_by_sign_flips(
    spread: float,
    n_seeds: int,
    level: float = 0.05,
    power: float = 0.8,
    n_studies: int = 1000,
    generator: np.random.Generator | None = None,
) -> float:
    """Return the effect that the sign-flip test finds with a given chance, from simulated studies.

    With few seeds this test sees less than Student's, because it has few p-values: six seeds need six gains.

    Parameters
    ----------
    spread : float
        Standard deviation of the differences, which are taken as normal; above 0. The result has its unit.
    n_seeds : int
        At least 2. Up to 13 all signs are tried, above that 999 draws of them.
    level : float, default 0.05
        The two-sided p-value to be reached; divide it by the number of methods for the first step of Holm's correction.
    power : float, default 0.8
        Chance that it is reached and the mean is positive.
    n_studies : int, default 1000
    generator : numpy.random.Generator, optional

    Raises
    ------
    ValueError
        If so few seeds can never reach the level, or a number lies outside its range.

    Examples
    --------
    >>> round(visible_by_sign_flips(2.0, 6, generator=np.random.default_rng(0)), 1), round(smallest_visible_effect(2.0, 6), 1)
    (3.6, 2.9)
    """
    spread, n_seeds = checked_float(spread, "spread", above=0), checked_int(n_seeds, "n_seeds", low=2)
    level, power = checked_float(level, "level", above=0, high=1), checked_float(power, "power", above=0, high=HIGHEST)
    n_studies = checked_int(n_studies, "n_studies", low=1)
    if 2.0 ** (1 - n_seeds) > level:
        raise ValueError(message("n_seeds", f"enough for a p-value of {level:g}", f"{n_seeds}", "n seeds reach 2 / 2^n."))
    random = generator if generator is not None else np.random.default_rng()
    luck = random.normal(size=(n_studies, n_seeds))
    if n_seeds <= ALL_SIGNS:
        signs = 1 - 2 * ((np.arange(2 ** (n_seeds - 1))[:, None] >> np.arange(n_seeds)) & 1)  # the last sign stays: halves alike
    else:
        signs = np.concatenate([np.ones((1, n_seeds)), random.choice([-1, 1], (999, n_seeds))])

    def found(effect: float) -> float:
        differences = luck + effect  # in units of the spread
        observed = differences.sum(1)
        p = (np.abs(differences @ signs.T) >= np.abs(observed)[:, None] - 1e-9).mean(1)
        return float(((p <= level) & (observed > 0)).mean())

    low, high = 0.0, 1.0
    while found(high) < power:
        low, high = high, 2 * high
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < power else (low, middle)
    return high * spread


def best_of_many(
    n_methods: int,
    n_seeds: int,
    n_replays: int = 500,
    shared: bool = True,
    confidence: float = 0.95,
    generator: np.random.Generator | None = None,
) -> float:
    """Return how often at least one of many methods without effect is reported as better than none.

    Parameters
    ----------
    n_methods : int
    n_seeds : int
        At least 2.
    n_replays : int, default 500
    shared : bool, default True
        All methods are compared with the same runs without a method, so one unlucky baseline helps them all. False: each has
        runs of its own, and the result tends to ``1 - (1 - (1 - confidence) / 2) ** n_methods``.
    confidence : float, default 0.95
        Of the interval of each method.
    generator : numpy.random.Generator, optional

    Examples
    --------
    >>> best_of_many(30, 5, shared=False, generator=np.random.default_rng(0)) > 0.4
    True
    """
    n_methods, n_seeds = checked_int(n_methods, "n_methods", low=1), checked_int(n_seeds, "n_seeds", low=2)
    n_replays = checked_int(n_replays, "n_replays", low=1)
    random = generator if generator is not None else np.random.default_rng()
    figures = random.normal(size=(n_replays, n_methods, n_seeds))
    without = random.normal(size=(n_replays, 1 if shared else n_methods, n_seeds))
    low, _ = running_intervals((figures - without).reshape(-1, n_seeds), confidence)
    return float((low[:, -1] > 0).reshape(n_replays, n_methods).any(1).mean())


def best_check_gain(accuracy: float, n_images: int, n_checks: int) -> float:
    """Return by how much the best of several checks on the same number of test images exceeds the true accuracy, on average.

    The checks are taken as independent. Epochs of one training are not quite, so this is the most that luck can do.

    Parameters
    ----------
    accuracy : float
        True accuracy at every check, in [0, 1].
    n_images, n_checks : int

    Examples
    --------
    >>> best_check_gain(0.8, 500, 1) < 1e-12, round(best_check_gain(0.8, 500, 50), 3)
    (True, 0.039)
    """
    from scipy import stats

    accuracy = checked_float(accuracy, "accuracy", low=0, high=1)
    n_images, n_checks = checked_int(n_images, "n_images", low=1), checked_int(n_checks, "n_checks", low=1)
    below = stats.binom.cdf(np.arange(n_images), n_images, accuracy)  # of 0, ..., N - 1 right answers
    return float((1 - below**n_checks).sum() / n_images - accuracy)
