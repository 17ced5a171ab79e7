"""One augmentation at one strength, and what was measured about it: the points of the affinity map.

Shared by the record of the catalogue (``evidence``) and the map (``explore``).

Source: R. Gontijo-Lopes et al., 2020, arXiv:2002.08973. Taught in ``18_does_it_help``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils.checks import checked_array, checked_float

MEASURES = ("accuracy", "robustness", "calibration")
LEAST = 1e-4
"""Smallest diversity that the map tells from none, in nats."""
Place = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Trial:
    """What was recorded about one augmentation at one strength; S seeds.

    Attributes
    ----------
    name, family : str
    affinity : float
        At least 0, usually below 1; see ``evidence.affinity``.
    diversity : float
        In nats; see ``evidence.diversity``.
    accuracy, robustness, calibration : ndarrays (S,)
        Accuracy on clean and on corrupted images, and calibration error: shares. Only differences of them are shown.
    strength : float, optional
        Trials of one name and different strengths lie on a curve.
    """

    name: str
    family: str
    affinity: float
    diversity: float
    accuracy: np.ndarray
    robustness: np.ndarray
    calibration: np.ndarray
    strength: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "affinity", checked_float(self.affinity, "affinity", low=0))
        object.__setattr__(self, "diversity", checked_float(self.diversity, "diversity"))
        for name in MEASURES:
            object.__setattr__(self, name, checked_array(getattr(self, name), name, ("S",), np.float64))

    @property
    def label(self) -> str:
        """Its name, with its strength where it has one."""
        return self.name if self.strength is None else f"{self.name} {self.strength:g}"

    @property
    def place(self) -> Place:
        """Where it lies on the map."""
        return self.affinity, float(np.log10(max(self.diversity, LEAST)))
