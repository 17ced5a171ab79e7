"""How much a network suffers: errors per corruption, their mean, and the ImageNet mCE.

With the error ``E(c, s)`` of corruption c at severity s, and ``E(c)`` its mean over the five severities:

===========================  ==============================================================================
mean corruption error        mean of ``E(c)`` over the corruptions (as papers on CIFAR-10-C report)
relative error               mean of ``E(c) - E(clean)``: what the corruptions add
mCE (ImageNet-C)             mean of ``100 * sum_s E(c, s) / sum_s E'(c, s)``, E' of a baseline network
relative mCE                 the same with ``E - E(clean)`` in both
===========================  ==============================================================================

The division makes corruptions count alike: fog that costs the baseline twice as much as JPEG does not count twice. The
paper's baseline is AlexNet; in a course it is the network without the method.

Source: D. Hendrycks, T. Dietterich, ICLR 2019, arXiv:1903.12261, section 3; AlexNet's errors from the authors' repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.augment.corruptions.tables import CORRUPTIONS, FAMILIES, SEVERITIES
from course_utils.checks import checked_array, checked_float, message

ALEXNET_ERRORS: dict[str, float] = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
"""Mean error of AlexNet over the five severities, for the 15 corruptions of ImageNet-C (frost among them)."""


@dataclass(frozen=True)
class CorruptionError:
    """Errors of one network under corruption.

    Attributes
    ----------
    per_corruption : dict of str to float
        ``E(c)``, mean over the five severities.
    per_severity : dict of str to tuple of five floats
        ``E(c, s)``.
    per_family : dict of str to float
        Mean of ``E(c)`` over the corruptions of a family, for the families that occur.
    mean : float
        Mean corruption error.
    relative : float
        Mean of ``E(c) - E(clean)``; NaN if no clean error was given.
    not_monotone : tuple of str
        Corruptions with a severity whose error is below that of the severity before. The severities are numbers in a
        table, and nothing forces an order.
    """

    per_corruption: dict[str, float]
    per_severity: dict[str, tuple[float, ...]]
    per_family: dict[str, float]
    mean: float
    relative: float
    not_monotone: tuple[str, ...]

    def __repr__(self) -> str:
        return f"CorruptionError(mean {self.mean:.4f}, relative {self.relative:.4f}; {len(self.per_corruption)} corruptions)"


@dataclass(frozen=True)
class MeanCorruptionError:
    """Errors of one network in percent of a baseline's.

    Attributes
    ----------
    per_corruption : dict of str to float
        ``CE(c)``; 100 is as bad as the baseline.
    mean : float
        mCE.
    relative : float
        Relative mCE; NaN without the two clean errors.
    """

    per_corruption: dict[str, float]
    mean: float
    relative: float

    def __repr__(self) -> str:
        return f"MeanCorruptionError(mean {self.mean:.1f}, relative {self.relative:.1f}; {len(self.per_corruption)} corruptions)"


def corruption_error(errors: Mapping[Any, Any], clean: float | None = None) -> CorruptionError:
    """Return the mean corruption error and its parts.

    Taught in ``18_does_it_help``.

    Parameters
    ----------
    errors : mapping
        Errors in [0, 1]: from each name to five errors (severities 1 to 5), or from (name, severity) to one error.
    clean : float, optional
        Error on the clean images.

    Raises
    ------
    TypeError
        If ``errors`` is no mapping.
    ValueError
        If it is empty, a severity is missing, or an error is NaN or outside [0, 1]: a mean over other severities would
        not compare.

    Examples
    --------
    >>> result = corruption_error({"fog": [.1, .2, .3, .4, .5], "contrast": [.5, .5, .5, .5, .5]}, clean=.1)
    >>> round(result.mean, 3), round(result.relative, 3), result.per_family
    (0.4, 0.3, {'weather': 0.3, 'digital': 0.5})
    """
    table = _checked_errors(errors, "errors")
    clean = np.nan if clean is None else checked_float(clean, "clean", low=0, high=1)
    means = {name: float(np.mean(row)) for name, row in table.items()}
    mean = float(np.mean(list(means.values())))
    members = {family: [m for name, m in means.items() if _family(name) == family] for family in FAMILIES}
    per_family = {family: float(np.mean(values)) for family, values in members.items() if values}
    falls = tuple(name for name, row in table.items() if (np.diff(row) < 0).any())
    return CorruptionError(means, table, per_family, mean, mean - clean, falls)


def mean_corruption_error(
    errors: Mapping[Any, Any],
    baseline: Mapping[Any, Any],
    clean: float | None = None,
    baseline_clean: float | None = None,
) -> MeanCorruptionError:
    """Return the mCE: errors in percent of a baseline's, averaged over the corruptions.

    Taught in ``18_does_it_help``.

    Parameters
    ----------
    errors : mapping
        As in ``corruption_error``, or from each name to its mean error.
    baseline : mapping
        The same for the baseline, with the same names; ``ALEXNET_ERRORS`` for ImageNet-C.
    clean, baseline_clean : float, optional
        Errors on the clean images; both or none. They give the relative mCE.

    Raises
    ------
    TypeError, ValueError
        As ``corruption_error``; also if the names differ, only one clean error is given, or the baseline makes no error
        (for the relative mCE: no more errors than on clean images) under some corruption.

    Examples
    --------
    >>> mean_corruption_error(ALEXNET_ERRORS, ALEXNET_ERRORS).mean
    100.0
    """
    ours, theirs = _mean_errors(errors, "errors"), _mean_errors(baseline, "baseline")
    if set(ours) != set(theirs):
        different = ", ".join(sorted(set(ours) ^ set(theirs)))
        raise ValueError(message("baseline", "errors of the same corruptions as `errors`", f"a difference in: {different}"))
    if (clean is None) != (baseline_clean is None):
        raise ValueError(message("clean, baseline_clean", "both given or both left out", "one of them"))
    ratios = {name: 100 * (ours[name] / _positive(theirs[name], name, "at least one error")) for name in ours}
    relative = np.nan
    if clean is not None:
        clean = checked_float(clean, "clean", low=0, high=1)
        base = checked_float(baseline_clean, "baseline_clean", low=0, high=1)
        expected = "more errors than on clean images"
        relative = np.mean([100 * (ours[n] - clean) / _positive(theirs[n] - base, n, expected) for n in ours])
    return MeanCorruptionError(ratios, float(np.mean(list(ratios.values()))), float(relative))


def _family(name: str) -> str | None:
    return CORRUPTIONS[name].family if name in CORRUPTIONS else {"frost": "weather"}.get(name)


def _positive(value: float, name: str, expected: str) -> float:
    if value <= 0:
        raise ValueError(message(f"baseline[{name!r}]", expected, f"{value:g} more", "There is nothing to divide by."))
    return value


def _mean_errors(errors: Any, name: str) -> dict[str, float]:
    """Return the mean error of each corruption from any of the three forms."""
    if isinstance(errors, Mapping) and errors and all(isinstance(key, str) and np.ndim(v) == 0 for key, v in errors.items()):
        return {key: checked_float(float(value), f"{name}[{key!r}]", low=0, high=1) for key, value in errors.items()}
    return {key: float(np.mean(row)) for key, row in _checked_errors(errors, name).items()}


def _checked_errors(errors: Any, name: str) -> dict[str, tuple[float, ...]]:
    if not isinstance(errors, Mapping):
        raise TypeError(message(name, "a mapping from names of corruptions to errors", type(errors).__name__))
    if not errors:
        raise ValueError(message(name, "the errors of at least one corruption", "an empty mapping"))
    if any(isinstance(key, tuple) for key in errors):
        errors = _by_name(errors, name)
    table = {}
    for key, row in errors.items():
        label = f"{name}[{key!r}]"
        if np.shape(row) != (len(SEVERITIES),):
            got = f"shape {np.shape(row)}"
            raise ValueError(message(label, "five errors, one for each severity", got, "A mean over fewer does not compare."))
        row = checked_array(row, label, (len(SEVERITIES),), np.float64)
        if (row < 0).any() or (row > 1).any():
            raise ValueError(message(label, "errors between 0 and 1", str(row.tolist())))
        table[key] = tuple(row.tolist())
    return table


def _by_name(errors: Mapping[Any, Any], name: str) -> dict[str, list[Any]]:
    """Return {name: five errors} from {(name, severity): error}."""
    rows: dict[str, dict[int, Any]] = {}
    for key, error in errors.items():
        if not isinstance(key, tuple) or len(key) != 2:
            raise ValueError(message(name, "keys of one kind, names or (name, severity)", repr(key)))
        rows.setdefault(key[0], {})[key[1]] = error
    for key, row in rows.items():
        if set(row) != set(SEVERITIES):
            advice = "A mean over other severities does not compare."
            raise ValueError(message(f"{name} of {key!r}", "given for severities 1 to 5", str(sorted(row)), advice))
    return {key: [row[severity] for severity in SEVERITIES] for key, row in rows.items()}
