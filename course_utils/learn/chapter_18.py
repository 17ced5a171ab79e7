"""The exercises of `18_does_it_help`.

===========  ============================================  =======  =============================================
key          title                                         minutes  what is judged
===========  ============================================  =======  =============================================
``18-1``     Every coin that could have fallen             10       a function, on 40 sets of differences
``18-2``     How many seeds does one point need?           15       a function, on 25 pairs of spread and effect
``18-3``     When may a calibration error be believed?     20       a number, simulated again
===========  ============================================  =======  =============================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from course_utils.learn.exercise import Exercise, Verdict, as_array, called, not_yet, recognised_trap, register, right

EXACT = 1e-9

# --- 18-1: every coin that could have fallen ----------------------------------------------------------------------------------


def sets_of_differences() -> list[np.ndarray]:
    """Return the 40 sets of paired differences of exercise 18-1, multiples of 1/8 so that ties are exact.

    The first four: eight gains, no difference at all, gains and losses that cancel, and one seed that decides alone.
    """
    sets = [np.array(v, float) for v in ([1, 2, 1, 3, 1, 2, 2, 1], [0, 0, 0], [1, -1, 2, -2], [0.125, -0.25, 0.125, 6])]
    random = np.random.default_rng(181)
    while len(sets) < 40:
        n = int(random.integers(3, 11))
        sets.append(np.round(8 * random.normal(random.uniform(-1, 1), 1, n)) / 8)
    return sets


def _signs(n: int) -> np.ndarray:
    """Return all patterns of signs, (2**n, n)."""
    return 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def sign_flip_p(differences: np.ndarray) -> float:
    """The reference answer of exercise 18-1."""
    means = _signs(len(differences)) @ differences
    return float((np.abs(means) >= abs(differences.sum())).mean())


P_TRAPS: dict[str, Callable[[np.ndarray], float]] = {
    "Only patterns with a larger mean are counted; those as large as the observed one belong to them": lambda d: float(
        (np.abs(_signs(len(d)) @ d) > abs(d.sum())).mean()
    ),
    "One side only: a loss of the same size would have surprised as much": lambda d: float(
        (_signs(len(d)) @ d >= d.sum()).mean()
    ),
    "One side, doubled: where gains and losses differ in number, count both sides": lambda d: min(
        1.0, 2 * float((_signs(len(d)) @ d >= d.sum()).mean())
    ),
    "This is the sign test: it counts wins and forgets how large they are": lambda d: float(
        (np.abs(_signs(len(d)).sum(1)) >= abs(np.sign(d).sum())).mean()
    ),
    "This is Student's t-test; flip signs instead, it needs no normal distribution": lambda d: (
        float(stats.ttest_1samp(d, 0).pvalue) if d.any() else 1.0
    ),
    "Patterns are shares of 2^n, and the one that was observed is one of them: here it is counted twice": lambda d: float(
        ((np.abs(_signs(len(d)) @ d) >= abs(d.sum())).sum() + 1) / (2 ** len(d) + 1)
    ),
}


def judge_18_1(answer: Any) -> Verdict:
    """Judge ``p_value(differences)`` on ``sets_of_differences``."""
    sets = sets_of_differences()
    found = np.array(
        [
            float(as_array(called(answer, one, name="`p_value`", where=f"on set {i}"), (), f"p of set {i}"))
            for i, one in enumerate(sets)
        ]
    )
    expected = np.array([sign_flip_p(one) for one in sets])
    wrong = np.flatnonzero(np.abs(found - expected) > EXACT)
    if not len(wrong):
        return right(
            f"All {len(sets)} sets agree. The smallest p of n seeds is 2 / 2^n: five seeds can never go below 0.05, however large the "
            "gain, and six can."
        )
    k = int(wrong[0])
    where = f"Set {k} of `learn.chapter_18.sets_of_differences()`: p = {found[k]:.4f}, expected {expected[k]:.4f}."
    trap = recognised_trap(found, {text: [rule(one) for one in sets] for text, rule in P_TRAPS.items()}, EXACT)
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


register(
    Exercise(
        key="18-1",
        title="Every coin that could have fallen",
        minutes=10,
        dots=1,
        hints=(
            "If the augmentation does nothing, every difference could as well have had the other sign. How many of all patterns of signs "
            "give a mean at least as far from zero as yours?",
            "$p = 2^{-n} \\, \\#\\{ s \\in \\{-1, 1\\}^n : |\\sum_i s_i d_i| \\ge |\\sum_i d_i| \\}$.",
            "`for signs in itertools.product((-1, 1), repeat=len(differences)):`, and count.",
        ),
        judge=judge_18_1,
    )
)


# --- 18-2: how many seeds does one point need? --------------------------------------------------------------------------------

POWER, LEVEL = 0.8, 0.05


def spreads_and_effects() -> list[tuple[float, float]]:
    """Return the 25 pairs ``(spread, effect)`` of exercise 18-2, in points of accuracy."""
    return [(spread, effect) for effect in (1.0, 2.0, 0.5, 1.5, 3.0) for spread in (1.0, 1.5, 2.0, 0.6, 2.5)]


def _power(n: int, ratio: float, sides: int = 2) -> float:
    """Return how often a paired t-test of n seeds notices an effect of ``ratio`` standard deviations."""
    limit = stats.t.ppf(1 - LEVEL / sides, n - 1)
    found = stats.nct.sf(limit, n - 1, ratio * np.sqrt(n))
    return float(found + (stats.nct.cdf(-limit, n - 1, ratio * np.sqrt(n)) if sides == 2 else 0))


def _smallest(enough: Callable[[int], bool]) -> int:
    n = 2
    while not enough(n):
        n += 1
    return n


def seeds_needed(spread: float, effect: float) -> int:
    """The reference answer of exercise 18-2."""
    return _smallest(lambda n: _power(n, effect / spread) >= POWER)


def _normal(spread: float, effect: float, factor: float = 1.0) -> int:
    z = stats.norm.ppf(1 - LEVEL / 2) + stats.norm.ppf(POWER)
    return max(2, int(np.ceil(factor * (z * spread / effect) ** 2)))


SEEDS_TRAPS: dict[str, Callable[[float, float], int]] = {
    "This uses the normal distribution; with few seeds the spread itself is uncertain, and Student's distribution knows": _normal,
    "Two separate groups need twice as many; here every seed gives a pair": lambda s, e: _normal(s, e, 2.0),
    "This is enough to see the effect half of the time; 80 % is asked for": lambda s, e: _smallest(
        lambda n: _power(n, e / s) >= 0.5
    ),
    "One side only: an augmentation may also harm": lambda s, e: _smallest(lambda n: _power(n, e / s, sides=1) >= POWER),
    "This looks at the interval's half width alone; the mean of a study varies too": lambda s, e: _smallest(
        lambda n: stats.t.ppf(1 - LEVEL / 2, n - 1) * s / np.sqrt(n) <= e
    ),
}
CLOSE_SHARE = 0.1


def judge_18_2(answer: Any) -> Verdict:
    """Judge ``seeds(spread, effect)``: one more or less, or a tenth, is right, because a simulation has noise."""
    pairs = spreads_and_effects()
    found = np.array(
        [float(as_array(called(answer, *pair, name="`seeds`", where=f"with {pair}"), (), f"seeds{pair}")) for pair in pairs]
    )
    expected = np.array([seeds_needed(*pair) for pair in pairs])
    wrong = np.flatnonzero(np.abs(found - expected) > np.maximum(1.0, CLOSE_SHARE * expected))
    if not len(wrong):
        return right(
            f"All {len(pairs)} pairs agree. With the spread of 1.5 points that small images show, one point needs "
            f"{seeds_needed(1.5, 1.0)} seeds; three will not do."
        )
    k = int(wrong[0])
    where = f"seeds{pairs[k]} gives {found[k]:g}, expected {expected[k]}."
    traps = {text: [rule(*pair) for pair in pairs] for text, rule in SEEDS_TRAPS.items()}
    trap = recognised_trap(found, traps, EXACT)
    return not_yet(f"{trap}. {where}" if trap else where, hint=2 if trap else 1)


register(
    Exercise(
        key="18-2",
        title="How many seeds does one point need?",
        minutes=15,
        dots=2,
        hints=(
            "Invent 2,000 studies of n seeds: differences with mean `effect` and standard deviation `spread`. In how many is p below 0.05? "
            "Raise n until it is 80 %.",
            "The t statistic of n paired differences has a non-central t distribution with $n - 1$ degrees of freedom and centre "
            "$\\sqrt{n} \\, \\text{effect} / \\text{spread}$.",
            "`limit = stats.t.ppf(0.975, n - 1)`, then `stats.nct.sf(limit, n - 1, np.sqrt(n) * effect / spread)`.",
        ),
        judge=judge_18_2,
    )
)


# --- 18-3: when may a calibration error be believed? ----------------------------------------------------------------------------

WANTED_BIAS, N_BINS = 0.015, 15


def mean_error_of_the_calibrated(n: int, n_draws: int = 400, seed: int = 183) -> float:
    """Return the mean ECE, 15 bins, of a perfectly calibrated predictor on ``n`` images; its confidences are Beta(6, 1)."""
    random, total = np.random.default_rng(seed), 0.0
    for _ in range(n_draws):
        confidence = random.beta(6, 1, n)
        gap = confidence - (random.random(n) < confidence)
        bins = np.minimum(np.ceil(confidence * N_BINS).astype(int), N_BINS)
        total += np.abs(np.bincount(bins, gap, minlength=N_BINS + 1)).sum() / n
    return total / n_draws


def judge_18_3(answer: Any) -> Verdict:
    """Judge a number of test images: the smallest with a mean ECE below 1.5 %, up to the noise of a simulation."""
    n = float(as_array(answer, (), "the number of images"))
    if n != int(n) or not 1 <= n <= 1_000_000:
        return not_yet(f"{n:g} is no number of images between 1 and 1,000,000.", hint=1)
    error = mean_error_of_the_calibrated(int(n), n_draws=400 if n <= 20_000 else 20)
    text = f"with {int(n)} images a perfectly calibrated predictor shows {100 * error:.2f} % on average"
    if error > WANTED_BIAS * 1.17:
        return not_yet(f"Too few: {text}.", hint=1)
    if error < WANTED_BIAS * 0.83:
        return not_yet(f"More than needed: {text}. Find the smallest number below 1.5 %.", hint=1)
    return right(
        f"Yes: {text}. So an error of 2 % on 1,000 test images says nothing about a network. Draw the band of the calibrated "
        "predictor beside every calibration error."
    )


register(
    Exercise(
        key="18-3",
        title="When may a calibration error be believed?",
        minutes=20,
        dots=3,
        hints=(
            "Draw confidences, toss for each whether the answer is right with exactly this probability, and measure the calibration error. "
            "It is not zero. Repeat, take the mean, and change the number of images.",
            "The error falls like $1 / \\sqrt{n}$: four times as many images halve it. One measurement at $n = 500$ already tells "
            "about where to look.",
            "`confidence = random.beta(6, 1, n)`, `right = random.random(n) < confidence`, then "
            "`augment.expected_calibration_error` with the two columns `[confidence, 1 - confidence]`, or a loop over 15 bins.",
        ),
        judge=judge_18_3,
    )
)
