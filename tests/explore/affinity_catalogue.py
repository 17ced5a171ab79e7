"""A small catalogue with the figures of the course's pilot on digits, and seeds around them: for tests of the affinity map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from course_utils.training.trial import Trial

PILOT = (
    ("affine", "space", 0.68, 0.026, 0.043),
    ("noise", "noise", 0.96, 0.006, 0.017),
    ("shift", "space", 0.39, 0.073, 0.015),
    ("cutout", "erasing", 0.73, 0.048, 0.011),
    ("mirror", "space", 0.69, 0.003, -0.010),
    ("half turn", "space", 0.73, 0.003, -0.031),
    ("roll", "space", 0.70, 0.002, -0.233),
)
"""Name, family, affinity, diversity, gain."""


def catalogue(n_seeds: int = 8) -> tuple[list[Trial], Trial]:
    """Return the trials, and the training without augmentation."""
    random = np.random.default_rng(0)
    base = 0.9 + random.normal(0, 0.01, n_seeds)

    def trial(name: str, family: str, affinity: float, diversity: float, gain: float) -> Trial:
        noise = random.normal(0, 0.012, (3, n_seeds))
        figures = (base + gain + noise[0], base - 0.2 + gain / 2 + noise[1], 0.05 + abs(gain) / 3 + noise[2])
        return Trial(name, family, affinity, diversity, *figures)

    return [trial(*one) for one in PILOT], trial("none", "none", 1.0, 0.0019, 0.0)


def three_strengths() -> tuple[list[Trial], Trial]:
    """Return every trial at three strengths, the middle one as in ``catalogue``: the stronger, the farther and the harder."""
    trials, none = catalogue()
    several = [
        replace(trial, affinity=trial.affinity * (1.09 - 0.3 * s), diversity=trial.diversity * (0.7 + s), strength=s)
        for trial in trials
        for s in (0.1, 0.3, 1.0)
    ]
    return several, none


def examples() -> dict[str, torch.Tensor]:
    """Return pictures for the first four trials."""
    generator = torch.Generator().manual_seed(0)
    return {one[0]: torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=generator) for one in PILOT[:4]}
