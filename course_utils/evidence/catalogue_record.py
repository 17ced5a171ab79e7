"""What the recorded runs say about every augmentation: the catalogue's records, read for figures and explorers.

The records are those of the claims ``catalogue-choice``, ``catalogue-robustness`` and ``catalogue-nuisances``; nothing is trained
here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils.checks import checked_choice, message
from course_utils.evidence.catalogue import CATALOGUE, NUISANCES, USUAL, circular, label
from course_utils.evidence.catalogue_claims import MATCHES, MEASURES, NONE
from course_utils.evidence.ledger import recorded
from course_utils.training import PairedComparison, paired_comparison
from course_utils.training.trial import Trial


def recorded_trials() -> tuple[list[Trial], Trial]:
    """Return every augmentation at every strength, and the training without, as points of the affinity map.

    Robustness is the gain on corruptions that the augmentation does not equal, so that of the training without is 0. Affinity and
    diversity are means over the seeds.
    """
    figures = recorded("catalogue-choice").figures

    def trial(name: str, family: str, strength: float | None) -> Trial:
        arm = NONE if strength is None else label(name, strength)
        values = {measure: np.array(figures[f"{arm} | {measure}"]) for measure in MEASURES}
        return Trial(
            name,
            family,
            float(values["affinity"].mean()),
            float(values["diversity"].mean()),
            values["accuracy"],
            values["gain on unseen damage"],
            values["calibration error"],
            strength,
        )

    trials = [trial(entry.name, entry.family, strength) for entry in CATALOGUE for strength in entry.strengths]
    return trials, trial(NONE, NONE, None)


def recorded_gains(measure: str = "accuracy", strength: float = USUAL) -> dict[str, PairedComparison]:
    """Return every augmentation of a strength against none, seed by seed.

    Parameters
    ----------
    measure : str, default "accuracy"
        One of ``catalogue_claims.MEASURES``.
    strength : float, default 0.3

    Raises
    ------
    ValueError
        If the measure is unknown, or no augmentation was tried with this strength.
    """
    checked_choice(measure, "measure", MEASURES)
    figures = recorded("catalogue-choice").figures
    names = [entry.name for entry in CATALOGUE if strength in entry.strengths]
    if not names:
        tried = ", ".join(f"{one:g}" for one in sorted({s for entry in CATALOGUE for s in entry.strengths}))
        raise ValueError(message("strength", f"one of {tried}", f"{strength}"))
    without = figures[f"{NONE} | {measure}"]
    return {name: paired_comparison(figures[f"{label(name, strength)} | {measure}"], without) for name in names}


@dataclass(frozen=True, eq=False)
class GainMatrix:
    """Mean gains in points, (R, C): augmentations by test sets.

    Attributes
    ----------
    values : ndarray of shape (R, C), float64
    rows, columns : tuple of str
    marked : tuple of (int, int)
        Cells whose test set shows what the augmentation does.
    """

    values: np.ndarray
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    marked: tuple[tuple[int, int], ...]


def corruption_gains() -> GainMatrix:
    """Return the gain of every augmentation on every corruption; marked are those that it equals."""
    figures = recorded("catalogue-robustness").figures
    names = tuple(entry.name for entry in CATALOGUE)
    columns = tuple(key.split(" | ")[1] for key in figures if key.startswith(f"{names[0]} | "))
    return _matrix(figures, names, columns, {name: circular(name) for name in names})


def nuisance_gains() -> GainMatrix:
    """Return the gain of the augmentations in ``MATCHES`` under every nuisance; marked are those that it imitates."""
    return _matrix(recorded("catalogue-nuisances").figures, tuple(MATCHES), NUISANCES, MATCHES)


def _matrix(
    figures: dict[str, list[float]], rows: tuple[str, ...], columns: tuple[str, ...], same: dict[str, tuple[str, ...]]
) -> GainMatrix:
    values = np.array([[100 * np.mean(figures[f"{row} | {column}"]) for column in columns] for row in rows])
    marked = tuple((i, j) for i, row in enumerate(rows) for j, column in enumerate(columns) if column in same[row])
    return GainMatrix(values, rows, columns, marked)
