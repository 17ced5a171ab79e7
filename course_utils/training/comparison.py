"""Paired comparison: is method A better than method B, or was it luck?

Two methods are run with the same seeds, so each seed gives a *pair*: the same data, the same start. The spread
between seeds (an easy city, a lucky start) is common to both and cancels in the difference. The mean difference
gets a confidence interval, and a *smallest effect that counts*, fixed before the runs, turns the interval into one
of three verdicts:

==================  ======================================================================
``holds``           the whole interval is above zero and the mean reaches the smallest effect
``does not hold``   the whole interval is below the smallest effect
``undecided``       neither: more seeds are needed
==================  ======================================================================

The interval is Student's for paired samples; the p-value is that of the sign-flip permutation test, which
needs no normality but cannot go below ``2**(1 - S)`` for S seeds. Up to 13 seeds all signs are tried, above that 9999 draws. Taught in ``02_netvlad``, section *claim*.

Source: Student, "The probable error of a mean", Biometrika 1908; R. A. Fisher, "The Design of Experiments", 1935
(permutation test).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from course_utils.checks import checked_array, checked_float, message


@dataclass(frozen=True)
class PairedComparison:
    """The outcome of ``paired_comparison``; differences are ``a - b``.

    Attributes
    ----------
    mean : float
        Mean difference over the S seeds.
    low, high : float
        Ends of the confidence interval.
    confidence : float
        Its level, for example 0.95.
    wins, n_seeds : int
        Number of seeds with ``a > b``, and S.
    p_value : float
        Two-sided sign-flip permutation test.
    smallest_effect : float
        The difference that had to be reached.
    verdict : str
        ``"holds"``, ``"does not hold"`` or ``"undecided"``.
    """

    mean: float
    low: float
    high: float
    confidence: float
    wins: int
    n_seeds: int
    p_value: float
    smallest_effect: float
    verdict: str

    def sentence(self, unit: str = "", scale: float = 1.0, digits: int = 1) -> str:
        """Return the comparison in words, numbers multiplied by ``scale`` and followed by ``unit``.

        >>> paired_comparison([0.8, 0.9, 0.7], [0.6, 0.8, 0.5]).sentence("points", scale=100)
        'better on 3 of 3 seeds, by 16.7 points (95 % interval 2.3 to 31.0): holds'
        """
        mean, low, high = (f"{scale * v:.{digits}f}" for v in (self.mean, self.low, self.high))
        unit = f" {unit}" if unit else ""
        return (
            f"better on {self.wins} of {self.n_seeds} seeds, by {mean}{unit} ({self.confidence:.0%}".replace("%", " %")
            + f" interval {low} to {high}): {self.verdict}"
        )


def paired_comparison(
    a: Sequence[float], b: Sequence[float], smallest_effect: float = 0.0, confidence: float = 0.95
) -> PairedComparison:
    """Compare the figures of two methods that were run with the same seeds.

    Parameters
    ----------
    a, b : sequences of S numbers
        One figure per seed, higher is better, in the same order of seeds. S must be at least 2.
    smallest_effect : float, default 0
        Smallest mean difference that would count, in the unit of the figures; at least 0.
    confidence : float, default 0.95
        Level of the interval, between 0 and 1.

    Returns
    -------
    PairedComparison

    Raises
    ------
    ValueError
        If the sequences differ in length, hold fewer than two seeds, NaN or infinity.

    Notes
    -----
    With differences ``d_s`` of mean ``m`` and sample standard deviation ``s``, the interval is
    ``m ± t * s / sqrt(S)``, ``t`` the quantile of Student's distribution with ``S - 1`` degrees of freedom.
    """
    from scipy import stats

    a = checked_array(a, "a", ("S",), dtype=np.float64)
    b = checked_array(b, "b", ("S",), dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(message("b", f"as long as `a` ({a.size} seeds)", f"{b.size} seeds"))
    if a.size < 2:
        raise ValueError(message("a", "at least two seeds: one run has no spread", f"{a.size}"))
    smallest_effect = checked_float(smallest_effect, "smallest_effect", low=0.0)
    confidence = checked_float(confidence, "confidence", above=0.0, high=0.9999)

    difference = a - b  # (S,)
    mean, spread = float(difference.mean()), float(difference.std(ddof=1))
    half = float(stats.t.ppf(0.5 + confidence / 2, a.size - 1)) * spread / np.sqrt(a.size)
    low, high = mean - half, mean + half
    if low > 0 and mean >= smallest_effect:
        verdict = "holds"
    elif high < smallest_effect or high <= 0:
        verdict = "does not hold"
    else:
        verdict = "undecided"
    return PairedComparison(
        mean, low, high, confidence, int((difference > 0).sum()), a.size, _sign_flip_p(difference), smallest_effect, verdict
    )


def _sign_flip_p(difference: np.ndarray) -> float:
    """Two-sided p-value: how often is |mean| at least as large when every sign is a coin flip?"""
    from scipy import stats

    if not difference.any():
        return 1.0
    test = stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", vectorized=True, n_resamples=9999, rng=np.random.default_rng(0)
    )
    return float(test.pvalue)
