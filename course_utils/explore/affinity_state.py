"""Which augmentation helps, on the plane of affinity and diversity: the pure part of the affinity map.

A catalogue holds, for every augmentation and for a training without any, the figures of the same seeds. Two lenses lie on the map;
each chooses the augmentation that is nearest to it. ``Catalogue.compute`` compares every augmentation with the training without,
and the two chosen ones with each other, by ``training.paired_comparison``.

Places on the map are ``(affinity, log10 of the diversity)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from course_utils.checks import message
from course_utils.explore.canvas import Event
from course_utils.training import PairedComparison, paired_comparison
from course_utils.training.trial import MEASURES, Place, Trial

ALL, ANY = "all families", "all strengths"
FEW = 16
"""So many names find room on the map."""


@dataclass(frozen=True)
class MapState:
    """Everything that the reader can set.

    Attributes
    ----------
    family : str
        Only this family is on the map, or ``ALL``.
    strength : str
        Only this strength is on the map, as "0.3", or ``ANY``.
    first, second : (affinity, log10 diversity)
        Places of the lenses.
    named : bool
        Write all names on the map.
    """

    family: str = ALL
    strength: str = ANY
    first: Place = (0.7, -1.5)
    second: Place = (0.9, -2.0)
    named: bool = True


@dataclass(frozen=True, eq=False)
class MapResult:
    """What follows from a state.

    Attributes
    ----------
    visible : tuple of int
        Numbers of the trials on the map.
    chosen : (int, int)
        Trials in the lenses.
    against_none : tuple of two dicts of measure -> PairedComparison
        Of the two chosen ones; positive is better, also for calibration.
    between : dict of measure -> PairedComparison
        First minus second.
    """

    visible: tuple[int, ...]
    chosen: tuple[int, int]
    against_none: tuple[dict[str, PairedComparison], dict[str, PairedComparison]]
    between: dict[str, PairedComparison]


def compared(one: Trial, other: Trial) -> dict[str, PairedComparison]:
    """Return how much better one trial is than another, for every measure; a smaller calibration error is better."""
    signs = {"accuracy": 1, "robustness": 1, "calibration": -1}
    return {name: paired_comparison(sign * getattr(one, name), sign * getattr(other, name)) for name, sign in signs.items()}


class Catalogue:
    """The trials of a catalogue, and the training without augmentation that they are compared with.

    Parameters
    ----------
    trials : sequence of Trial
        At least two, different in name or strength.
    none : Trial
        Without augmentation; its affinity is 1, and its diversity the final training loss.

    Raises
    ------
    ValueError
        If there are fewer than two trials, a name appears twice with one strength, or the seeds differ in number.
    """

    def __init__(self, trials: Sequence[Trial], none: Trial) -> None:
        self.trials, self.none = tuple(trials), none
        labels = [trial.label for trial in self.trials]
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError(message("trials", "at least two, with different names", ", ".join(labels) or "none"))
        seeds = {len(getattr(trial, name)) for trial in (*self.trials, none) for name in MEASURES}
        if len(seeds) > 1 or min(seeds) < 2:
            raise ValueError(message("trials", "figures of the same seeds, at least two", f"{sorted(seeds)} seeds"))
        self._against = lru_cache(maxsize=None)(self._compare)  # a lens rests on one point for most of its way
        self.families = tuple(dict.fromkeys(trial.family for trial in self.trials))
        found = sorted({trial.strength for trial in self.trials if trial.strength is not None})
        self.strengths = tuple(f"{strength:g}" for strength in found)
        self.places = np.array([trial.place for trial in (*self.trials, none)])  # (N + 1, 2)

    @cached_property
    def gains(self) -> tuple[PairedComparison, ...]:
        """Accuracy of every trial against none."""
        return tuple(paired_comparison(trial.accuracy, self.none.accuracy) for trial in self.trials)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the map."""
        (left, bottom), (right, top) = self.places.min(0), self.places.max(0)
        wide, tall = max(right - left, 0.1), max(top - bottom, 0.3)
        return float(left - 0.16 * wide), float(right + 0.16 * wide), float(bottom - 0.14 * tall), float(top + 0.14 * tall)

    def start(self) -> MapState:
        """Return the state with the largest gain in the first lens, and in the second the largest diversity of the others.

        Of several strengths, the middle one is on the map. Names are written where they are few.
        """
        strength = self.strengths[len(self.strengths) // 2] if self.strengths else ANY
        visible = self.visible(MapState(strength=strength))
        first = max(visible, key=lambda i: self.gains[i].mean)
        second = max((i for i in visible if i != first), key=lambda i: self.trials[i].diversity, default=first)
        named = len(visible) <= FEW
        return MapState(strength=strength, named=named, first=self.trials[first].place, second=self.trials[second].place)

    def visible(self, state: MapState) -> tuple[int, ...]:
        """Return the numbers of the trials of the state's family and strength; all of the family where that leaves none."""
        family = tuple(i for i, trial in enumerate(self.trials) if state.family in (ALL, trial.family))
        of_strength = tuple(i for i in family if state.strength in (ANY, f"{self.trials[i].strength or 0:g}"))
        return of_strength or family

    def curve(self, number: int) -> np.ndarray:
        """Return the places (M, 2) of a trial's name, by rising strength."""
        name = self.trials[number].name
        same = [i for i, trial in enumerate(self.trials) if trial.name == name]
        return self.places[sorted(same, key=lambda i: self.trials[i].strength or 0)]

    def admit(self, state: MapState) -> MapState:
        """Keep the lenses on the map, and family and strength known."""
        left, right, bottom, top = self.box
        first, second = ((float(np.clip(x, left, right)), float(np.clip(y, bottom, top))) for x, y in (state.first, state.second))
        family = state.family if state.family in self.families else ALL
        strength = state.strength if state.strength in self.strengths else ANY
        return replace(state, family=family, strength=strength, first=first, second=second)

    def compute(self, state: MapState) -> MapResult:
        """Return which trials are on the map, which lie in the lenses, and how they compare."""
        visible = self.visible(state)
        chosen = self._nearest(state.first, visible), self._nearest(state.second, visible)
        alone = self._against(chosen[0], None), self._against(chosen[1], None)
        return MapResult(visible, chosen, alone, self._against(*chosen))

    def _compare(self, i: int, j: int | None) -> dict[str, PairedComparison]:
        return compared(self.trials[i], self.none if j is None else self.trials[j])

    def _nearest(self, place: Place, visible: tuple[int, ...]) -> int:
        left, right, bottom, top = self.box
        gaps = (self.places[list(visible)] - place) / (right - left, top - bottom)
        return visible[int(np.square(gaps).sum(1).argmin())]


# ---- what the reader does --------------------------------------------------------------------------------------------


def react_map(state: MapState, event: Event) -> MapState:
    """Return the state after a lens was dragged, or the ground pressed: the first lens comes, and the second takes its old place."""
    if event.kind == "move" and event.name in ("first", "second"):
        return replace(state, **{event.name: (event.x, event.y)})
    if event.kind == "tap":
        return replace(state, first=(event.x, event.y), second=state.first)
    return state
