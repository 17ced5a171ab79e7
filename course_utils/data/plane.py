"""Two classes in the plane, where a decision can be drawn: two spirals, two moons.

Two numbers per example instead of 3072 pixels: the whole input space fits into one picture. In the spirals the straight line
between two points of one class crosses the other class; between the moons it does so only near the tips.

Source of the moons: scikit-learn, ``make_moons``. Two spirals as a hard problem for a network: K. J. Lang, M. J. Witbrock,
"Learning to Tell Two Spirals Apart", Connectionist Models Summer School, 1988.

Taught in ``15_mixing``, step 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_utils.checks import checked_float, checked_int, numpy_generator

INNER = 0.1
"""Radius at which the spirals begin; they end at 1."""
MOONS_MIDDLE = (0.5, 0.25)


@dataclass(frozen=True)
class PlanePoints:
    """Examples in the plane: ``points`` (N, 2) float32 around the origin, and their classes ``labels`` (N,) int64, 0 or 1."""

    points: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.points)


def spirals(n: int = 200, random_state: Any = None, turns: float = 1.5, noise: float = 0.03) -> PlanePoints:
    """Return two spiral arms, one a half turn behind the other, inside the unit circle.

    Parameters
    ----------
    n : int, default 200
        Points of both arms, in turns one of each.
    random_state : None, int, RandomState or Generator
    turns : float, default 1.5
        How often an arm goes around, above 0.
    noise : float, default 0.03
        Deviation of the points from the arm, along each axis.

    Examples
    --------
    >>> both = spirals(6, random_state=0)
    >>> both.points.shape, both.labels.tolist()
    (torch.Size([6, 2]), [0, 1, 0, 1, 0, 1])
    """
    n, turns = checked_int(n, "n", low=0), checked_float(turns, "turns", above=0)
    noise, generator = checked_float(noise, "noise", low=0), numpy_generator(random_state)
    labels = np.arange(n) % 2
    along = np.sqrt(generator.uniform(size=n))  # the root: as many points per length outside as inside
    xy = _on_arm(along, labels, turns) + generator.normal(0, 1, (n, 2)) * noise
    return PlanePoints(torch.from_numpy(xy).float(), torch.from_numpy(labels).long())


def spiral_arms(n: int = 200, turns: float = 1.5) -> Tensor:
    """Return the arms without noise, (2, n, 2) float32, from the middle outwards: to draw them, or to measure from them."""
    n, turns = checked_int(n, "n", low=1), checked_float(turns, "turns", above=0)
    along = np.linspace(0, 1, n)
    arms = np.stack([_on_arm(along, np.full(n, label), turns) for label in (0, 1)])
    return torch.from_numpy(arms).float()


def moons(n: int = 200, random_state: Any = None, noise: float = 0.2) -> PlanePoints:
    """Return two interleaved half circles, moved so that their middle is the origin.

    Parameters
    ----------
    n : int, default 200
    random_state : None, int, RandomState or Generator
    noise : float, default 0.2
        Deviation along each axis; at 0.2 the classes overlap a little at the tips.

    Examples
    --------
    >>> moons(5, random_state=0).points.shape
    torch.Size([5, 2])
    """
    from sklearn.datasets import make_moons

    n, noise, generator = checked_int(n, "n", low=0), checked_float(noise, "noise", low=0), numpy_generator(random_state)
    if n == 0:
        return PlanePoints(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long))
    xy, labels = make_moons(n, noise=noise, random_state=int(generator.integers(2**31 - 1)))
    return PlanePoints(torch.from_numpy(xy - MOONS_MIDDLE).float(), torch.from_numpy(labels).long())


def _on_arm(along: np.ndarray, labels: np.ndarray, turns: float) -> np.ndarray:
    radius, angle = INNER + (1 - INNER) * along, 2 * np.pi * turns * along + np.pi * labels
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
