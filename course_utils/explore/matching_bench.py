"""Matching bench: crop the query, choose the features, and watch matches and inliers follow.

Two pictures stand side by side. The reader drags the crop box, the number of features, the thresholds; putative matches and
geometric inliers follow, and with them the score of every image of a small index. A stepper draws RANSAC's samples one by
one; a probe shows how much of the picture a key point sees. The truth is known for the pictures of the course, and is drawn
by shape: most matches are wrong, and the inliers are right all the same.

Taught in ``03_delf``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.checks import checked_float, message
from course_utils.explore.base import Action, Control, PresetExplorer, Scheduler, View
from course_utils.explore.canvas import Event
from course_utils.explore.matching import MAX_KEEP, MIN_KEEP, SCALES, Matcher, MatchResult, MatchState, admit_match
from course_utils.explore.matching_cases import Case, build_cases, build_own_case, dense, dense_cases, extractor
from course_utils.explore.matching_pair import CORNERS, frames, pair_scene
from course_utils.explore.matching_play import (
    CASE_OF,
    GUESSES,
    OWN,
    PRESETS,
    changed,
    goal_of,
    held,
    released,
    settle,
    with_guess,
    with_steps,
)
from course_utils.explore.matching_views import residual_scene, shortlist_scene

DENSE_DISTANCE, MODEL_DISTANCE = 0.7, 0.9
"""Largest distance of a match: for dense RootSIFT, chosen on the validation split; for a model, the paper's."""


class MatchingBench(PresetExplorer):
    """Crop, attention, matches, RANSAC and acceptance, linked.

    Parameters
    ----------
    preset : {"crop", "attention", "samples", "no landmark", "two eyes", "your pair"}, optional
        Where to begin, and where *Reset* leads.
    model : retrieval.DELF, callable, or None
        Describes the pictures: an object with ``extract(image) -> LocalFeatureSet``, or such a function of an image
        (3, H, W), uint8. Default: ``retrieval.dense_feature_set``, which needs no training.
    images : pair of arrays or Tensors of shape (3, H, W) or (H, W, 3), uint8, optional
        The reader's own two pictures, as a preset of their own and the first one: query and index image.
    features : pair of LocalFeatureSet, optional
        Of ``images``. Default: extracted.
    max_distance : float, optional
        Two descriptors further apart are no match. Default: 0.7 without a model, 0.9 with one.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    TypeError, ValueError
        If ``model`` describes no picture, ``images`` or ``features`` are no pair or do not fit, or ``preset`` is unknown.
    """

    css_class = "explorer-matching"
    help_text = (
        "Drag the crop's corners or its middle, the ring of the probe, and the triangles under both thresholds; click a key "
        "point to probe it, and a dot to see that image."
    )
    still_kind = "jpeg"

    def __init__(
        self,
        preset: str | None = None,
        *,
        model: Any = None,
        images: Any = None,
        features: Any = None,
        max_distance: float | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        if images is None and features is not None:
            raise ValueError(message("images", "given where `features` are", "None"))
        self.extract = extractor(model)
        fallback = DENSE_DISTANCE if model is None and features is None else MODEL_DISTANCE
        self.max_distance = fallback if max_distance is None else checked_float(max_distance, "max_distance", above=0)
        self._matchers: dict[str, Matcher] = {}
        self.presets = dict(PRESETS)
        if images is not None:
            case = build_own_case(images, features, self.extract)
            self._matchers[OWN] = Matcher(case, self.max_distance)
            width, height = case.size
            threshold = round(0.02 * max(case.index[0].pixels.shape[:2]), 1)
            crop = (0.04 * width, 0.04 * height, 0.96 * width, 0.96 * height)
            start = MatchState(crop, threshold=threshold, accept=10, probe=(width / 2, height / 2), preset=OWN)
            self.presets = {OWN: start, **PRESETS}
        super().__init__(preset, scheduler)

    def matcher(self, state: MatchState) -> Matcher:
        """Return the matcher of the state's case; it is built when it is first needed."""
        name = CASE_OF.get(state.preset, OWN)
        if name not in self._matchers:
            cases = dense_cases(name) if self.extract is dense else build_cases(name, self.extract)
            self._matchers.update({key: Matcher(case, self.max_distance) for key, case in cases.items()})
        return self._matchers[name]

    def case(self, state: MatchState) -> Case:
        """Return the query and the index that a state is about."""
        return self.matcher(state).case

    def admit(self, state: MatchState) -> MatchState:
        """Keep the crop inside the picture and every number inside its range."""
        preset = state.preset if state.preset in self.presets else self.preset
        guess = state.guess if state.guess in GUESSES else next(iter(GUESSES))
        state = replace(state, preset=preset, guess=guess, task=max(state.task, 0))
        state = admit_match(state, self.case(state))
        if not state.before:
            return state
        crop, keep, scales, threshold, verify = state.before
        before = replace(state, crop=crop, keep=keep, scales=scales, threshold=threshold, verify=verify)
        return replace(state, before=admit_match(before, self.case(state)).settings)

    def compute(self, state: MatchState) -> MatchResult:
        """Return the result; see ``Matcher.compute``."""
        return self.matcher(state).compute(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return preset, prediction, features, scales, geometry, and the stepper's buttons."""
        presets = widgets.Dropdown(options=list(self.presets), description="preset", layout=widgets.Layout(width="164px"))
        guess = widgets.Dropdown(options=list(GUESSES), description="I predict", layout=widgets.Layout(width="236px"))
        keep = widgets.IntSlider(min=MIN_KEEP, max=MAX_KEEP, step=8, description="features", layout=widgets.Layout(width="230px"))
        scales = widgets.Dropdown(options=list(SCALES), description="scales", layout=widgets.Layout(width="160px"))
        verify = widgets.Checkbox(description="RANSAC", indent=False, layout=widgets.Layout(width="auto"))
        for widget, width in ((presets, 46), (guess, 62), (keep, 56), (scales, 44)):
            widget.style.description_width = f"{width}px"
        set_ = self._set
        return (
            Control(presets, "preset", apply=lambda _state, preset: self.presets[preset]),
            Control(guess, "guess", apply=lambda state, value: with_guess(state, value, self.compute)),
            Control(keep, "keep", apply=lambda state, value: set_(state, keep=value)),
            Control(scales, "scales", apply=lambda state, value: set_(state, scales=value)),
            Control(verify, "verify", apply=lambda state, value: set_(state, verify=value)),
            Action("Draw 3 matches", lambda s: with_steps(s, 1, self.compute), "One sample of RANSAC: fit a map, count inliers"),
            Action("Draw 50 times", lambda s: with_steps(s, 50, self.compute), "Fifty samples"),
            Action("RANSAC result", lambda s: with_steps(s, 0, self.compute), "The best of all samples, fitted again"),
        )

    def _set(self, state: MatchState, **value: Any) -> MatchState:
        return changed(state, next(iter(value)), self.compute, **value)

    def views(self) -> Sequence[View]:
        """Return the picture pair, the residuals and the scores."""
        return (
            View("pair", lambda state, result: pair_scene(state, result, self.case(state)), self.react_pair),
            View("residuals", residual_scene, self.react_residuals),
            View("scores", lambda state, result: shortlist_scene(state, result, self.case(state)), self.react_scores),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return the pair above the two charts."""
        return (("pair",), ("residuals", "scores"))

    def react_pair(self, state: MatchState, event: Event) -> MatchState:
        """Return the state after the crop or the probe was moved, or a key point was clicked."""
        case = self.case(state)
        a, b = frames(case, state.shown)
        x, y = a.to_picture(event.x, event.y)
        if event.kind == "release":
            return released(state)
        if event.kind == "tap":
            return self._tapped(state, event, (a, b))
        if event.kind != "move":
            return state
        if event.name == "probe":
            return replace(settle(state, self.compute), probe=(x, y))
        box = list(state.crop)
        if event.name in CORNERS:
            i, j = CORNERS[event.name]
            box[i], box[j] = x, y
        elif event.name == "crop":
            width, height = case.size
            dx = min(max(x - (box[0] + box[2]) / 2, -box[0]), width - box[2])
            dy = min(max(y - (box[1] + box[3]) / 2, -box[1]), height - box[3])
            box = [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy]
        else:
            return state
        return held(state, "crop", self.compute, crop=tuple(box))

    def _tapped(self, state: MatchState, event: Event, pair: tuple) -> MatchState:
        """Put the probe at the place that was clicked; in the index image, at the partner of the nearest matched key point."""
        a, b = pair
        case = self.case(state)
        if a.holds(event.x, event.y):
            return replace(settle(state, self.compute), probe=a.to_picture(event.x, event.y))
        pairs = self.compute(state).pairs
        if not b.holds(event.x, event.y) or not len(pairs):
            return state
        there = case.index[state.shown].features.points[pairs[:, 1]]
        nearest = np.linalg.norm(there - np.array(b.to_picture(event.x, event.y)), axis=1).argmin()
        return replace(settle(state, self.compute), probe=tuple(case.features.points[pairs[nearest, 0]].tolist()))

    def react_residuals(self, state: MatchState, event: Event) -> MatchState:
        """Return the state after RANSAC's threshold was moved; the axis counts powers of two."""
        if event.kind == "release":
            return released(state)
        if event.kind != "move" or event.name != "threshold":
            return state
        return held(state, "threshold", self.compute, threshold=round(float(2.0 ** min(max(event.x, -9.0), 9.0)), 2))

    def react_scores(self, state: MatchState, event: Event) -> MatchState:
        """Return the state after the threshold of acceptance was moved, or an index image was pressed."""
        if event.kind == "move" and event.name == "accept":
            return replace(settle(state, self.compute), accept=round(event.x + 0.5))
        if event.kind == "press" and event.name.startswith("image"):
            return replace(settle(state, self.compute), shown=int(event.name.removeprefix("image")), last="", before=())
        return state

    def sentence(self, state: MatchState, result: MatchResult) -> str:
        """Return matches, inliers, truth and acceptance."""
        now, case = result.now, self.case(state)
        truth = f", {now.n_right} of them right" if now.n_right >= 0 else ""
        text = f"{case.name[0].upper()}{case.name[1:]}, {now.n_points} key points, against {case.index[state.shown].name}: "
        text += f"{now.n_matches} matches{truth}"
        if state.verify:
            text += f"; RANSAC at {state.threshold:.1f} px keeps {now.n_inliers} inliers"
            text += f", {now.n_right_inliers} of them right" if now.n_right >= 0 else ""
        what = "inliers" if state.verify else "matches"
        rest = f"; {now.accepted} of {len(case.index)} index images reach {state.accept} {what}"
        wrong = f", {now.n_false} of them without what is looked for" if now.accepted else ""
        return f"{text}{rest}{wrong}."

    def goal(self, state: MatchState, result: MatchResult) -> str:
        """Return the verdict on the prediction, and the task."""
        return goal_of(state, result)
