"""Optional stopping: who looks after every seed, and stops at the first success, finds effects that do not exist.

**Problem.** Seeds are expensive, so it is tempting to look at the interval after each of them and to stop as soon as it lies
above zero. **Idea.** Replay it where nothing is to be found. Take recorded differences of two methods, bring them into a random
order, and let a coin decide each sign, as if nobody knew which run belongs to which method. Every effect in the replay is luck.
Whoever looks once, after n seeds, is fooled in about 5 % of the replays. Whoever looked at every n before is fooled far more often,
and by n seeds in as many replays as had a success up to n.

==============  ======  =====================================================================
name in code    symbol  meaning
==============  ======  =====================================================================
``differences``  d      (N,) figures of one method minus those of the other, one a seed
``n_replays``    R      number of replays
``once``                (N,) share of replays that succeed at n, by one look
``peeking``             (N,) share of replays that succeed at n or before
==============  ======  =====================================================================

Sources: P. Armitage, C. K. McPherson, B. C. Rowe, "Repeated significance tests on accumulating data", Journal of the Royal
Statistical Society A, 1969; the sign flips are those of ``paired_comparison``.

Taught in ``18_does_it_help``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils.checks import checked_array, checked_float, checked_int, message

FEWEST = 8
"""More seeds than these make a pool: with fewer there is nothing to stop early."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Recorded figures of two methods with the same N seeds; higher is better.

    Attributes
    ----------
    method, other : str
    figures, others : ndarrays (N,)
        Shares, as 0.83.
    unit : str
        What a figure is.
    smallest_effect : float
        Fixed before the runs.
    """

    method: str
    other: str
    figures: np.ndarray
    others: np.ndarray
    unit: str = "accuracy"
    smallest_effect: float = 0.01

    def __post_init__(self) -> None:
        figures = checked_array(self.figures, "figures", ("N",), np.float64)
        if not len(figures) > FEWEST:
            raise ValueError(message("figures", f"of more than {FEWEST} seeds", f"{len(figures)}"))
        object.__setattr__(self, "figures", figures)
        object.__setattr__(self, "others", checked_array(self.others, "others", (len(figures),), np.float64))

    def __len__(self) -> int:
        return len(self.figures)


def running_intervals(differences: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence intervals of the first 1, 2, ..., N differences, those of ``paired_comparison``.

    Parameters
    ----------
    differences : array of shape (R, N)
        A row is a sequence of seeds; N at least 2.
    confidence : float, default 0.95

    Returns
    -------
    low, high : arrays of shape (R, N)
        Minus and plus infinity for one seed, which has no spread.

    Examples
    --------
    >>> low, high = running_intervals([[2.0, 4.0, 3.0]])
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([[-inf, -9.71, 0.52]], [[inf, 15.71, 5.48]])
    """
    from scipy import stats

    values = checked_array(differences, "differences", ("R", "N"), np.float64)
    confidence = checked_float(confidence, "confidence", above=0.0, high=0.9999)
    if values.shape[1] < 2:
        raise ValueError(message("differences", "of at least two seeds: one run has no spread", f"shape {values.shape}"))
    n = np.arange(1, values.shape[1] + 1)
    centred = values - values.mean(1, keepdims=True)  # the variance of a running sum of squares needs small numbers
    mean = centred.cumsum(1) / n
    squares = np.maximum((centred**2).cumsum(1) - n * mean**2, 0)
    mean = mean + values.mean(1, keepdims=True)
    half = stats.t.ppf(0.5 + confidence / 2, n[1:] - 1) * np.sqrt(squares[:, 1:] / (n[1:] - 1) / n[1:])
    half = np.concatenate([np.full((len(values), 1), np.inf), half], axis=1)
    return mean - half, mean + half


@dataclass(frozen=True, eq=False)
class FalseAlarms:
    """How many replays without an effect report one; see the table of the module.

    Attributes
    ----------
    once, peeking : arrays of shape (N,)
        By one look at n, and by looks at every number of seeds from ``first`` to n. 0 before ``first``. Three or four recorded
        differences are not normal, so ``once`` may start above the level that the interval promises.
    """

    once: np.ndarray
    peeking: np.ndarray


def false_alarms(
    differences: np.ndarray,
    n_replays: int = 500,
    first: int = 3,
    confidence: float = 0.95,
    generator: np.random.Generator | None = None,
) -> FalseAlarms:
    """Return how often an interval excludes zero though there is no effect, with one look and with many.

    Parameters
    ----------
    differences : array of shape (N,)
        Recorded; their order and their signs are drawn anew in every replay.
    n_replays : int, default 500
    first : int, default 3
        Number of seeds at the first look, at least 2.
    confidence : float, default 0.95
        Of the intervals.
    generator : numpy.random.Generator, optional

    Examples
    --------
    >>> found = false_alarms([0.4, 1.2, -0.3, 0.8, -0.1, 0.9, 0.2, -0.7], generator=np.random.default_rng(0))
    >>> bool(found.peeking[-1] > 2 * found.once.max())
    True
    """
    values = checked_array(differences, "differences", ("N",), np.float64)
    n_replays = checked_int(n_replays, "n_replays", low=1)
    first = checked_int(first, "first", low=2)
    random = generator if generator is not None else np.random.default_rng()
    signs = random.choice([-1.0, 1.0], (n_replays, len(values)))
    low, high = running_intervals(random.permuted(np.tile(values, (n_replays, 1)), axis=1) * signs, confidence)
    fooled = (low > 0) | (high < 0)
    fooled[:, : first - 1] = False
    return FalseAlarms(fooled.mean(0), np.logical_or.accumulate(fooled, axis=1).mean(0))
