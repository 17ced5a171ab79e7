"""Affinity map: which augmentation helps, and what its affinity and its diversity say about that.

Every augmentation is a point: to the right, how much of its accuracy a network keeps on augmented images; upward, how hard the
augmentation makes its training. The look of the point says what it gained. Two lenses choose two augmentations to compare, with
their pictures, and with intervals for accuracy, accuracy on corrupted images, and calibration.

Taught in ``18_does_it_help``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor

from course_utils.checks import checked_array, message
from course_utils.explore.affinity_state import ALL, ANY, Catalogue, MapResult, MapState, react_map
from course_utils.explore.affinity_views import details_scene, map_scene
from course_utils.explore.base import Control, Explorer, Scheduler, View
from course_utils.training import PairedComparison
from course_utils.training.trial import Trial


class AffinityMap(Explorer):
    """A catalogue of augmentations on the plane of affinity and diversity.

    Parameters
    ----------
    trials : sequence of ``training.trial.Trial``
        At least two, different in name or strength, with figures of the same seeds.
    none : Trial
        The training without augmentation, with the same seeds.
    examples : mapping from a trial's label to a Tensor of shape (M, 3, H, W), uint8, optional
        Augmented images; four are shown. Trials without examples show none.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    TypeError, ValueError
        If trials do not fit to each other, or examples to the trials.
    """

    css_class = "explorer-affinity"
    help_text = "Drag a lens over a point, or press beside it: lens A jumps there, and lens B to where A was."

    def __init__(
        self,
        trials: Sequence[Trial],
        none: Trial,
        examples: Mapping[str, Any] | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        self.catalogue = Catalogue(trials, none)
        self.examples: dict[str, Tensor] = {}
        for name, images in (examples or {}).items():
            if name not in {trial.label for trial in self.catalogue.trials}:
                raise ValueError(message("examples", "for labels of trials", repr(name)))
            self.examples[name] = torch.from_numpy(checked_array(images, f"examples[{name!r}]", ("M", 3, "H", "W"), np.uint8))
        super().__init__(scheduler=scheduler)

    def initial_state(self) -> MapState:
        """Return the state with the largest gain and the largest diversity in the lenses."""
        return self.catalogue.start()

    def admit(self, state: MapState) -> MapState:
        """Keep every value inside its range."""
        return self.catalogue.admit(state)

    def compute(self, state: MapState) -> MapResult:
        """Return the result; see ``Catalogue.compute``."""
        return self.catalogue.compute(state)

    def controls(self) -> Sequence[Control]:
        """Return family, strength and names."""
        family = widgets.Dropdown(
            options=[ALL, *self.catalogue.families], description="show", layout=widgets.Layout(width="210px")
        )
        family.style.description_width = "40px"
        named = widgets.Checkbox(description="names of all points", indent=False, layout=widgets.Layout(width="auto"))
        if not self.catalogue.strengths:
            return (Control(family, "family"), Control(named, "named"))
        strength = widgets.Dropdown(
            options=[ANY, *self.catalogue.strengths], description="strength", layout=widgets.Layout(width="210px")
        )
        strength.style.description_width = "60px"
        return (Control(family, "family"), Control(strength, "strength"), Control(named, "named"))

    def views(self) -> Sequence[View]:
        """Return map and details."""
        return (
            View("map", lambda s, r: map_scene(s, r, self.catalogue), react_map),
            View("details", lambda s, r: details_scene(s, r, self.catalogue, self.examples)),
        )

    def sentence(self, state: MapState, result: MapResult) -> str:
        """Return affinity, diversity and gain of the first lens."""
        trial, gain = self.catalogue.trials[result.chosen[0]], result.against_none[0]["accuracy"]
        return (
            f"A is {trial.label}, with affinity {trial.affinity:.2f} and diversity {trial.diversity:.3f}, and its accuracy differs from "
            f"none by {100 * gain.mean:+.1f} points (95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}, {gain.n_seeds} seeds)."
        )

    def goal(self, state: MapState, result: MapResult) -> str:
        """Return how the two chosen ones compare, or the task."""
        one, two = (self.catalogue.trials[i] for i in result.chosen)
        if one is two:
            return (
                "Both lenses are over the same point. Task: find two augmentations of the same affinity and of different gains."
            )
        between = result.between["accuracy"]
        same = abs(one.affinity - two.affinity) < 0.05
        if same and (between.low > 0 or between.high < 0):
            return (
                f"Done: {one.label} and {two.label} have nearly the same affinity, and their accuracy differs by "
                f"{100 * between.mean:+.1f} points: affinity alone does not tell."
            )
        words = _words(between)
        return f"Against {two.label}: {words}. Task: find two of the same affinity whose gains differ for sure."


def _words(between: PairedComparison) -> str:
    if between.low > 0 or between.high < 0:
        return f"{100 * between.mean:+.1f} points of accuracy, and the interval excludes 0"
    return f"{100 * between.mean:+.1f} points of accuracy, and 0 is inside the interval"
