"""Threshold theatre: confidence against GAP, with every answer of a test set on one axis.

Retrieval looks inside one ranked list after the other, recognition looks across them: GAP sorts the answers to all
pictures by confidence. So a confidence that means one thing for one query and another thing for the next ruins GAP and
leaves mAP@100 as it was. The reader drags confidences and the threshold, adds pictures without a landmark, stretches
every query's scores by its own map, and compares systems that give the same answers with other confidences.

Taught in `04_landmark_recognition`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets

from course_utils.explore.base import Action, Control, PresetExplorer, Scheduler, View
from course_utils.explore.theatre import MEASURES, Moment, TheatreResult, TheatreState, compute_theatre
from course_utils.explore.theatre_cast import cast_of, default_cast
from course_utils.explore.theatre_play import (
    goal_of,
    on_stage,
    react_strip,
    react_swarm,
    recalibrated,
    start_of,
    tasks_of,
    with_others,
    with_pin,
    with_random_maps,
)
from course_utils.explore.theatre_views import draw_numbers, draw_query, draw_strip, draw_swarm, draw_systems, number


class ThresholdTheatre(PresetExplorer):
    """Drag confidences and the threshold of a recogniser; see whom GAP rewards and what retrieval does not notice.

    Parameters
    ----------
    preset : str, optional
        Name of the system to begin with; *Reset* leads to its start. Default: the first one.
    predictions : mapping, optional
        ``{query: (label, score)}`` as ``retrieval.global_average_precision`` takes it, or several systems:
        ``{name: {query: (label, score)}}``. An absent query abstains. Scores outside (0, 1] are stretched into it by one
        linear map, which changes no number. Default: three systems on the generated landmarks. Needs ``truth``.
    truth : mapping from query to a set of labels, optional
        An empty set: no landmark. At most 24 queries of either kind.
    images : mapping from query to image (3, H, W) or (H, W, 3), uint8, optional
        Pictures of the queries.
    lists : mapping from query to index ids, best first, optional
        For mAP@100; or one such mapping for each system. Needs ``relevant``.
    relevant : mapping from query to a set of index ids, optional
    index_images : mapping from index id to image, optional
    calibrated : mapping from query to score, optional
        Comparable scores for the button *Recalibrate*; or one mapping for each system. Default: the scores as they came.
    label_names : mapping from label to its name, optional
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    TypeError, ValueError
        For what ``retrieval.recognition_ranking`` refuses, an unknown ``preset``, more queries than fit on the stage, or
        ``predictions`` without ``truth``.
    """

    css_class = "explorer-theatre"
    help_text = (
        "Drag a point to change how sure the system is; drag the triangle: answers to the right of it are withheld. Press a "
        "point or a place of the ranked list to see the query, and a system to bring it on the stage."
    )

    def __init__(
        self,
        preset: str | None = None,
        *,
        predictions: Mapping[Any, Any] | None = None,
        truth: Mapping[Any, Any] | None = None,
        images: Mapping[Any, Any] | None = None,
        lists: Mapping[Any, Any] | None = None,
        relevant: Mapping[Any, Any] | None = None,
        index_images: Mapping[Any, Any] | None = None,
        calibrated: Mapping[Any, Any] | None = None,
        label_names: Mapping[Any, str] | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        given = (predictions, truth, images, lists, relevant, index_images, calibrated, label_names)
        self.cast = default_cast() if all(one is None for one in given) else cast_of(*given)
        self.presets = {name: start_of(self.cast, name) for name in self.cast.systems}
        super().__init__(preset, scheduler)

    def admit(self, state: TheatreState) -> TheatreState:
        """Keep every number inside its range; a state for other queries, or of an unknown system, is sent home."""
        n = len(self.cast.truth)
        home = self.presets.get(state.preset, self.presets[self.preset])
        if len(state.confidences) != n or state.preset not in self.presets:
            return home
        before = state.before
        system = before.preset if before.preset in self.presets else state.preset
        old = before.confidences if len(before.confidences) == n else state.confidences
        return replace(
            state,
            confidences=_clipped(state.confidences, self.cast.systems[state.preset].labels),
            threshold=min(max(float(state.threshold), 0.0), 1.0),
            n_others=min(max(int(state.n_others), 0), self.cast.n_others),
            chosen=min(max(int(state.chosen), 0), n - 1),
            before=Moment(
                _clipped(old, self.cast.systems[system].labels),
                min(max(float(before.threshold), 0.0), 1.0),
                min(max(int(before.n_others), 0), self.cast.n_others),
                int(before.draws),
                system,
            ),
            task=min(max(state.task, 0), len(tasks_of(self.cast))),
        )

    def compute(self, state: TheatreState) -> TheatreResult:
        """Return the result; see ``compute_theatre``."""
        return compute_theatre(state, self.cast)

    def controls(self) -> Sequence[Control | Action]:
        """Return system and number of other pictures, where there is a choice, pin, and the two buttons."""
        systems = widgets.Dropdown(options=list(self.presets), description="system", layout=widgets.Layout(width="190px"))
        others = widgets.IntSlider(max=self.cast.n_others, description="no landmark", layout=widgets.Layout(width="236px"))
        systems.style.description_width, others.style.description_width = "48px", "82px"
        pin = widgets.Checkbox(description="Pin", indent=False, layout=widgets.Layout(width="auto"))
        choices = [Control(systems, "preset", apply=lambda state, system: on_stage(state, system, self.cast))]
        share = [Control(others, "n_others", apply=lambda state, n: with_others(state, n, self.cast))]
        return (
            *(choices if len(self.presets) > 1 else ()),
            *(share if self.cast.n_others else ()),
            Control(pin, "pinned", apply=lambda state, pinned: with_pin(state, pinned, self.cast)),
            Action("Map per query", lambda state: with_random_maps(state, self.cast), "Every query stretches its own scores"),
            Action("Recalibrate", lambda state: recalibrated(state, self.cast), "Scores that are comparable between queries"),
        )

    def views(self) -> Sequence[View]:
        """Return points, query, ranked list, numbers and systems."""
        draw = {
            "swarm": draw_swarm,
            "query": draw_query,
            "strip": draw_strip,
            "numbers": draw_numbers,
            "systems": draw_systems,
        }
        react = {
            "swarm": lambda state, event: react_swarm(state, event, self.cast),
            "strip": lambda state, event: react_strip(state, event, self.cast),
            "systems": lambda state, event: self._pressed_system(state, event.kind, event.name),
        }
        return tuple(View(name, partial(one, cast=self.cast), react.get(name)) for name, one in draw.items())

    def _pressed_system(self, state: TheatreState, kind: str, name: str) -> TheatreState:
        return on_stage(state, name, self.cast) if kind == "press" and name in self.presets else state

    def rows(self) -> Sequence[Sequence[str]]:
        """Return points beside the query, the ranked list, and numbers beside the systems."""
        return (("swarm", "query"), ("strip",), ("numbers", "systems"))

    def sentence(self, state: TheatreState, result: TheatreResult) -> str:
        """Return the five numbers, and what they were counted over."""
        values = ", ".join(f"{name} {number(result.value(name))}" for name in MEASURES if not self._unknown(name, result))
        withheld = f", {len(result.abstaining)} withheld at threshold {state.threshold:.2f}" if result.abstaining else ""
        return (
            f"{state.preset[0].upper()}{state.preset[1:]}: {sum(result.correct)} of {len(result.order)} answers to "
            f"{self.cast.n_landmarks} landmarks and {state.n_others} other pictures are right{withheld}: {values}."
        )

    @staticmethod
    def _unknown(name: str, result: TheatreResult) -> bool:
        return name == "mAP@100" and math.isnan(result.value(name))

    def goal(self, state: TheatreState, result: TheatreResult) -> str:
        """Return the task, or what solving it shows."""
        return goal_of(state, result, self.cast)


def _clipped(values: Sequence[float], labels: Sequence[Any]) -> tuple[float, ...]:
    """Return confidences between 0 and 1; 0 where the system has no label to answer with."""
    return tuple(0.0 if label is None else float(min(max(value, 0.0), 1.0)) for value, label in zip(values, labels))
