"""Calibration: when a network says 80 %, is it right in 80 % of the cases?

The problem
    A classifier gives a probability with each answer. Accuracy does not see whether these numbers can be believed.
The idea
    Sort the answers into bins by their confidence, the largest probability. In each bin, compare the mean confidence with
    the share of right answers. Expected calibration error (ECE) is the mean distance, weighted by the size of the bins::

        ECE = sum over bins b of (n_b / N) * | accuracy_b - confidence_b |

ECE is never negative, so chance alone makes it positive: a *perfectly calibrated* predictor with 1,300 test images shows
about 2 %. ``calibration_null`` simulates this: it keeps the confidences, tosses "right or wrong" with exactly these
probabilities, and measures ECE again. Compare with that, and subtract its mean.

Conventions
    Bins are ``(0, 1/M], (1/M, 2/M], ..., ((M-1)/M, 1]``; confidence 0 belongs to the first.
    ``signed_gap`` is mean confidence minus accuracy: positive is over-confident.
    Labels may be soft; an answer is then right in the share that the label gives to its class.
    Brier's score is ``mean over images of sum_k (p_k - y_k)^2``, in [0, 2]; scikit-learn's, for two classes, is half of it.

Sources: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599
(ECE with 15 bins, temperature); M. Naeini, G. Cooper, M. Hauskrecht, AAAI 2015 (ECE); D. Hendrycks et al., "AugMix", ICLR
2020, arXiv:1912.02781 (root mean square over bins of equal size; the published code forgets the bin of the most confident
answers); J. Nixon et al., "Measuring Calibration in Deep Learning", 2019, arXiv:1904.01685 (classwise).

Taught in ``18_does_it_help``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, checked_float, checked_int, message, numpy_generator

BINNINGS = ("width", "mass")
ROW_SUM_TOLERANCE = 1e-3
"""How far the sum of a row of probabilities may be from 1: half precision passes."""

DRAWS_AT_A_TIME = 2_000_000


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, bin by bin: what a reliability diagram shows.

    Attributes
    ----------
    edges : ndarray of shape (M + 1,), float64
        Of the bins, on the axis of confidence.
    counts : ndarray of shape (M,), int64
    confidence, accuracy : ndarray of shape (M,), float64
        Means in each bin; NaN in an empty one.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """Return confidence minus accuracy in each bin, shape (M,); positive is over-confident, NaN is an empty bin."""
        return self.confidence - self.accuracy

    @property
    def error(self) -> float:
        """Return the mean distance of confidence and accuracy, weighted by the counts: ECE."""
        filled = self.counts > 0
        return float(self.counts[filled] @ np.abs(self.gap[filled]) / self.counts.sum())


@dataclass(frozen=True)
class NullBand:
    """What a perfectly calibrated predictor with the same confidences would show.

    Attributes
    ----------
    mean : float
        Mean ECE over the draws: the bias of ECE.
    low, high : float
        The middle ``level`` of the draws lies between them.
    level : float
    bin_low, bin_high : ndarray of shape (M,), float64
        The same for the accuracy in each bin; NaN in an empty one.
    draws : ndarray of shape (n_draws,), float64
        ECE of each draw.
    """

    mean: float
    low: float
    high: float
    level: float
    bin_low: np.ndarray
    bin_high: np.ndarray
    draws: np.ndarray

    def __repr__(self) -> str:
        return f"NullBand(mean {self.mean:.4f}, {self.level:.0%} from {self.low:.4f} to {self.high:.4f}, {len(self.draws)} draws)"


@dataclass(frozen=True)
class CalibrationError:
    """How well probabilities and outcomes agree.

    Attributes
    ----------
    ece : float
        Expected calibration error, in [0, 1].
    signed_gap : float
        Mean confidence minus accuracy; positive is over-confident.
    rms : float
        Root mean square of the gaps in bins of equal size.
    classwise : float
        Mean over classes of the ECE of "is it this class?", with all probabilities and not only the largest.
    nll : float
        Mean negative log-likelihood of the labels, in nats; infinite if a label has probability 0.
    brier : float
        Mean squared distance to the one-hot (or soft) label, in [0, 2].
    accuracy, confidence : float
        Mean accuracy and mean confidence.
    reliability : Reliability
    null : NullBand or None
        If asked for.
    n : int
        Number of images.
    """

    ece: float
    signed_gap: float
    rms: float
    classwise: float
    nll: float
    brier: float
    accuracy: float
    confidence: float
    reliability: Reliability
    null: NullBand | None
    n: int

    @property
    def debiased(self) -> float:
        """Return ECE minus what chance alone would show; may be slightly negative for a calibrated predictor."""
        if self.null is None:
            raise ValueError(message("n_null", "above 0 for a debiased error", "0", "Ask for some hundred draws."))
        return self.ece - self.null.mean

    def __repr__(self) -> str:
        side = "over-confident" if self.signed_gap > 0 else "under-confident"
        null = f", null {self.null.mean:.4f}" if self.null is not None else ""
        return (
            f"CalibrationError(ece {self.ece:.4f}{null}, {side} by {abs(self.signed_gap):.4f}, "
            f"NLL {self.nll:.4f}, Brier {self.brier:.4f}; {self.n} images)"
        )


def expected_calibration_error(
    probabilities: Any,
    labels: Any,
    n_bins: int = 15,
    *,
    binning: str = "width",
    rms_bin_size: int = 100,
    n_null: int = 0,
    random_state: Any = None,
) -> CalibrationError:
    """Return ECE and what should stand beside it.

    Parameters
    ----------
    probabilities : array-like or Tensor of shape (N, K)
        Rows in [0, 1] with sum 1: the softmax, not the logits.
    labels : array-like or Tensor
        Classes (N,), integers from 0 to K - 1, or soft labels (N, K) whose rows sum to 1.
    n_bins : int, default 15
    binning : {"width", "mass"}, default "width"
        Bins of equal width on [0, 1], or of equal numbers of images (equal confidences may stand in two bins).
    rms_bin_size : int, default 100
        Images in a bin of ``rms``; the last bin takes the remainder.
    n_null : int, default 0
        Draws for ``null``.
    random_state : None, int or Generator
        For ``null``.

    Returns
    -------
    CalibrationError

    Raises
    ------
    TypeError, ValueError
        If the arrays are empty, of other shapes, hold NaN (the message names the row), rows that are no probabilities (as
        logits are), labels out of range, or an option is none of those above; for ``n_null`` with soft labels.

    Examples
    --------
    >>> result = expected_calibration_error([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], [0, 1, 1, 1], n_bins=2)
    >>> round(result.ece, 3), round(result.signed_gap, 3), result.accuracy
    (0.0, 0.0, 0.75)
    """
    p, y = _checked_predictions(probabilities, labels)
    n_bins, bin_size = checked_int(n_bins, "n_bins", low=1), checked_int(rms_bin_size, "rms_bin_size", low=1)
    n_null = checked_int(n_null, "n_null", low=0)
    confidence, right = _answers(p, y)
    curve = _reliability(confidence, right, n_bins, checked_choice(binning, "binning", BINNINGS))
    classwise = np.mean([_reliability(p[:, k], y[:, k], n_bins, binning).error for k in range(p.shape[1])])
    with np.errstate(divide="ignore", invalid="ignore"):
        nll = -np.where(y > 0, y * np.log(p), 0.0).sum(1).mean()
    null = calibration_null(p, n_bins, n_null, binning=binning, random_state=random_state) if n_null else None
    if n_null and not np.isin(y, (0, 1)).all():
        raise ValueError(message("labels", "classes where `n_null` is above 0", "soft labels", "Right or wrong is tossed there."))
    return CalibrationError(
        ece=curve.error,
        signed_gap=float(confidence.mean() - right.mean()),
        rms=_rms_error(confidence, right, bin_size),
        classwise=float(classwise),
        nll=float(nll),
        brier=float(((p - y) ** 2).sum(1).mean()),
        accuracy=float(right.mean()),
        confidence=float(confidence.mean()),
        reliability=curve,
        null=null,
        n=len(p),
    )


def reliability(probabilities: Any, labels: Any, n_bins: int = 15, *, binning: str = "width") -> Reliability:
    """Return confidence against accuracy in bins, for a reliability diagram.

    Parameters
    ----------
    probabilities, labels, n_bins, binning
        As in ``expected_calibration_error``.

    Raises
    ------
    TypeError, ValueError
        As ``expected_calibration_error``.

    Examples
    --------
    >>> curve = reliability([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], [0, 1, 1, 1], n_bins=4)
    >>> curve.counts.tolist(), curve.accuracy[2:].tolist()
    ([0, 0, 2, 2], [1.0, 0.5])
    """
    n_bins = checked_int(n_bins, "n_bins", low=1)
    return _reliability(
        *_answers(*_checked_predictions(probabilities, labels)), n_bins, checked_choice(binning, "binning", BINNINGS)
    )


def calibration_null(
    probabilities: Any,
    n_bins: int = 15,
    n_draws: int = 1000,
    *,
    binning: str = "width",
    level: float = 0.95,
    random_state: Any = None,
) -> NullBand:
    """Return the ECE that a perfectly calibrated predictor with these confidences shows by chance.

    Parameters
    ----------
    probabilities : array-like or Tensor
        Rows (N, K) as in ``expected_calibration_error``, or confidences (N,) in [0, 1].
    n_bins, binning
        As in ``expected_calibration_error``.
    n_draws : int, default 1000
    level : float, default 0.95
        Share of the draws inside the band, between 0 and 1.
    random_state : None, int or Generator

    Raises
    ------
    TypeError, ValueError
        As ``expected_calibration_error``, and for a level outside (0, 1).

    Examples
    --------
    >>> calibration_null(np.full(100, 0.8), random_state=0).mean < calibration_null(np.full(25, 0.8), random_state=0).mean
    True
    """
    if np.ndim(probabilities) == 1:
        confidence = _checked_range(checked_array(probabilities, "probabilities", ("N",), np.float64))
        if not len(confidence):
            raise ValueError(message("probabilities", "at least one row", "none"))
    else:
        confidence = _checked_rows(probabilities, "probabilities").max(1)
    n_bins, n_draws = checked_int(n_bins, "n_bins", low=1), checked_int(n_draws, "n_draws", low=1)
    level = checked_float(level, "level", above=0, high=1)
    checked_choice(binning, "binning", BINNINGS)
    generator = numpy_generator(random_state)
    confidence = np.sort(confidence)
    bins, _ = _bins(confidence, n_bins, binning)
    counts = np.bincount(bins, minlength=n_bins)
    filled = np.flatnonzero(counts)
    starts = np.searchsorted(bins, filled)  # bins rise with the sorted confidences
    expected = np.add.reduceat(confidence, starts)
    right = []
    step = max(1, DRAWS_AT_A_TIME // len(confidence))
    for first in range(0, n_draws, step):
        tossed = generator.random((min(step, n_draws - first), len(confidence))) < confidence
        right.append(np.add.reduceat(tossed, starts, axis=1, dtype=np.int64))
    right = np.concatenate(right)  # (n_draws, filled bins)
    draws = np.abs(right - expected).sum(1) / len(confidence)
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.quantile(draws, tails)
    bin_low, bin_high = np.full((2, n_bins), np.nan)
    bin_low[filled], bin_high[filled] = np.quantile(right / counts[filled], tails, axis=0)
    return NullBand(float(draws.mean()), float(low), float(high), level, bin_low, bin_high, draws)


# ---------------------------------------------------------------------------------------------------------- temperature


@dataclass(frozen=True)
class Temperature:
    """One number that divides all logits.

    Attributes
    ----------
    temperature : float
        Above 1 makes a network less confident, below 1 more.
    nll_before, nll_after : float
        Mean negative log-likelihood on the data of the fit, without and with it.
    at_limit : bool
        The likelihood still rose at the end of the range: every answer right (temperature to 0), or logits that say
        nothing (temperature to infinity).
    """

    temperature: float
    nll_before: float
    nll_after: float
    at_limit: bool

    def __call__(self, logits: Any) -> Any:
        """Return ``logits / temperature``; the order of the classes, and so the accuracy, stays."""
        return logits / self.temperature


def fit_temperature(logits: Any, labels: Any, limits: tuple[float, float] = (0.01, 100.0)) -> Temperature:
    """Return the temperature under which the labels are most likely.

    Fit it on validation data, never on the test set.

    Parameters
    ----------
    logits : array-like or Tensor of shape (N, K)
    labels : array-like or Tensor
        As in ``expected_calibration_error``.
    limits : (float, float), default (0.01, 100)
        Smallest and largest temperature.

    Returns
    -------
    Temperature
        Callable on logits.

    Raises
    ------
    TypeError, ValueError
        If the arrays are empty, of other shapes, hold NaN or infinity, or labels are out of range.

    Notes
    -----
    In ``b = 1 / T`` the negative log-likelihood ``mean(logsumexp(b z) - b z_y)`` is convex; its derivative, the mean logit
    under the softmax minus the mean logit of the labels, has at most one sign change. The root is bracketed and found by
    Brent's method.

    Examples
    --------
    >>> logits = np.log([[0.7, 0.3]] * 10)
    >>> round(fit_temperature(3 * logits, [0] * 7 + [1] * 3).temperature, 6)
    3.0
    """
    from scipy.optimize import brentq

    z = checked_array(logits, "logits", ("N", "K"), np.float64)
    y = _checked_labels(labels, z.shape)
    low, high = (checked_float(limit, "limits", above=0) for limit in limits)
    if low >= high:
        raise ValueError(message("limits", "a smaller and a larger temperature", f"{limits}"))
    z = z - z.max(1, keepdims=True)  # the softmax stays, and exp cannot overflow
    target = (z * y).sum(1).mean()

    def slope(inverse: float) -> float:
        weights = np.exp(inverse * z)
        return float(((z * weights).sum(1) / weights.sum(1)).mean() - target)

    def nll(inverse: float) -> float:
        return float(np.log(np.exp(inverse * z).sum(1)).mean() - inverse * target)

    ends = (1 / high, 1 / low)
    if slope(ends[0]) >= 0:
        inverse, at_limit = (1.0, False) if not slope(ends[1]) > 0 else (ends[0], True)  # constant logits: nothing to change
    elif slope(ends[1]) <= 0:
        inverse, at_limit = ends[1], True
    else:
        inverse, at_limit = brentq(slope, *ends, xtol=1e-12), False
    return Temperature(1 / inverse, nll(1.0), nll(inverse), at_limit)


# ------------------------------------------------------------------------------------------------------------- the parts


def _answers(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence (N,) of each answer and in which share it is right."""
    answer = p.argmax(1)[:, None]
    return np.take_along_axis(p, answer, 1)[:, 0], np.take_along_axis(y, answer, 1)[:, 0]


def _reliability(confidence: np.ndarray, right: np.ndarray, n_bins: int, binning: str) -> Reliability:
    bins, edges = _bins(confidence, n_bins, binning)
    counts = np.bincount(bins, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, weights=values, minlength=n_bins) / counts for values in (confidence, right)]
    return Reliability(edges, counts, *means)


def _bins(confidence: np.ndarray, n_bins: int, binning: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the bin (N,) of each confidence, and the edges (M + 1,)."""
    if binning == "width":
        edges = np.linspace(0, 1, n_bins + 1)
        return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, n_bins - 1), edges
    order = np.argsort(confidence, kind="stable")
    bins = np.empty(len(confidence), np.int64)
    bins[order] = np.arange(len(confidence)) * n_bins // len(confidence)
    inner = np.quantile(confidence, np.arange(1, n_bins) / n_bins)
    return bins, np.concatenate([[0.0], inner, [1.0]])


def _rms_error(confidence: np.ndarray, right: np.ndarray, bin_size: int) -> float:
    order = np.argsort(confidence, kind="stable")
    starts = np.arange(max(1, len(order) // bin_size)) * bin_size
    gaps = np.add.reduceat((confidence - right)[order], starts)
    counts = np.diff(np.append(starts, len(order)))
    return float(np.sqrt((gaps**2 / counts).sum() / len(order)))


def _checked_predictions(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    p = _checked_rows(probabilities, "probabilities")
    return p, _checked_labels(labels, p.shape)


def _checked_rows(rows: Any, name: str) -> np.ndarray:
    p = _checked_range(checked_array(rows, name, ("N", "K"), np.float64), name)
    if 0 in p.shape:
        raise ValueError(message(name, "at least one row and one class", f"shape {p.shape}"))
    wrong = np.flatnonzero(np.abs(p.sum(1) - 1) > ROW_SUM_TOLERANCE)
    if wrong.size:
        got = f"sum {p[wrong[0]].sum():.4g} in row {wrong[0]}"
        raise ValueError(message(name, "rows that sum to 1", got, "Logits become probabilities through the softmax."))
    return p


def _checked_range(p: np.ndarray, name: str = "probabilities") -> np.ndarray:
    outside = (p < 0) | (p > 1 + 1e-6)
    if outside.any():
        row = int(np.argwhere(outside)[0][0])
        got = f"{p[outside][0]:.4g} in row {row}"
        raise ValueError(message(name, "between 0 and 1", got, "Logits become probabilities through the softmax."))
    return np.minimum(p, 1.0)


def _checked_labels(labels: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the labels as rows (N, K): one-hot, or soft as they came."""
    if 0 in shape:
        raise ValueError(message("logits", "at least one row and one class", f"shape {shape}"))
    if np.ndim(labels) == 2:
        soft = _checked_rows(labels, "labels")
        if soft.shape != shape:
            raise ValueError(message("labels", f"soft labels of shape {shape}", f"shape {soft.shape}"))
        return soft
    classes = checked_array(labels, "labels", (shape[0],), np.int64)
    wrong = np.flatnonzero((classes < 0) | (classes >= shape[1]))
    if wrong.size:
        expected = f"classes from 0 to {shape[1] - 1}"
        raise ValueError(message("labels", expected, f"{classes[wrong[0]]} in row {wrong[0]}"))
    one_hot = np.zeros(shape)
    one_hot[np.arange(shape[0]), classes] = 1
    return one_hot
