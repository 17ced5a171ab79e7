"""Erasing bench: draw a hole into a picture, and watch the network's score and its map change.

The reader draws, moves and resizes a hole, or lets a method draw holes at random; the fill can be changed. The bars show the
scores with and without the holes, the map shows where the network finds the class, and the map's box is compared with the true
one at every threshold.

Taught in ``14_erasing``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
from torch import Tensor, nn

from course_utils.augment.filling import channel_means
from course_utils.checks import message
from course_utils.explore.base import Action, Control, PresetExplorer, Scheduler, View
from course_utils.explore.erasing import FILLS, METHODS, YOURS, Case, Eraser, ErasingResult, ErasingState
from course_utils.explore.erasing_cases import default_cases, default_network, own_cases
from course_utils.explore.erasing_play import (
    OWN,
    SHOWN,
    drawn,
    presets,
    react_picture,
    react_scores,
    react_threshold,
    score,
    tasks,
)
from course_utils.explore.erasing_views import map_scene, overlap_scene, picture_scene, scores_scene
from course_utils.explore.play import task_sentence
from course_utils.training import standardize


class ErasingBench(PresetExplorer):
    """Holes, scores and class activation map, linked.

    Parameters
    ----------
    preset : {"telling part", "fills", "random holes", "map to box", "your pictures"}, optional
        Where to begin, and where *Reset* leads.
    model : nn.Module, optional
        With ``features`` and a linear ``classifier``, as ``training.SmallCNN``. Default: a small network that names
        creatures; it is trained once and kept in the cache folder.
    images : Tensor of shape (N, 3, H, W), uint8, optional
        The reader's own pictures, as a preset of their own and the first one. Needs ``model``, ``labels``, ``boxes`` and
        ``class_names``.
    labels : sequence of N int, optional
    boxes : array-like of shape (N, 4), optional
    masks : array-like of bool, shape (N, H, W), optional
        The objects' pixels; the boxes by default.
    class_names : sequence of K str, optional
    prepare : callable, optional
        Images (B, 3, H, W), uint8, to the model's input; ``training.standardize`` by default.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    TypeError, ValueError
        If the model has no features or no linear classifier, pictures come without what they need, shapes do not fit, a
        label has no name, or ``preset`` is unknown.
    """

    css_class = "explorer-erasing"
    help_text = "Drag on the picture to draw a hole, at its corners or its middle to change it; press a bar for that class's map."
    still_kind = "jpeg"

    def __init__(
        self,
        preset: str | None = None,
        *,
        model: nn.Module | None = None,
        images: Any = None,
        labels: Any = None,
        boxes: Any = None,
        masks: Any = None,
        class_names: Sequence[str] | None = None,
        prepare: Callable[[Tensor], Tensor] = standardize,
        scheduler: Scheduler | None = None,
    ) -> None:
        if images is None:
            cases, names, mean = default_cases()
            self.model = _checked_model(default_network() if model is None else model, len(names))
        else:
            if model is None or labels is None or boxes is None or class_names is None:
                raise ValueError(message("images", "given together with model, labels, boxes and class_names", "without"))
            cases, names, mean = own_cases(images, labels, boxes, masks), tuple(class_names), channel_means(images)
            self.model = _checked_model(model, len(names))
            highest = max(case.label for case in cases)
            if highest >= len(names):
                raise ValueError(message("labels", f"below {len(names)}, the number of class names", str(highest)))
        self.eraser = Eraser(self.model, cases, names, mean, prepare)
        self.presets = self._presets(cases, own=images is not None)
        super().__init__(preset, scheduler)

    def _presets(self, cases: Sequence[Case], own: bool) -> dict[str, ErasingState]:
        if own:
            x1, y1, x2, y2 = cases[0].box
            middle = ((2 * x1 + x2) / 3, (2 * y1 + y2) / 3, (x1 + 2 * x2) / 3, (y1 + 2 * y2) / 3)
            return {OWN: self.eraser.admit(ErasingState(hole=middle, preset=OWN))}
        x1, y1, x2, y2 = cases[min(SHOWN, len(cases) - 1)].part
        made = presets(len(cases), (x1 - 1, y1 - 1, x2 + 1, y2 + 1))
        return {name: self.eraser.admit(state) for name, state in made.items()}

    def admit(self, state: ErasingState) -> ErasingState:
        """Keep every value inside its range and the tasks' preset known."""
        preset = state.preset if state.preset in self.presets else self.preset
        return self.eraser.admit(replace(state, preset=preset))

    def compute(self, state: ErasingState) -> ErasingResult:
        """Return the result; see ``Eraser.compute``."""
        return self.eraser.compute(state)

    def case(self, state: ErasingState) -> Case:
        """Return the picture that a state is about."""
        return self.eraser.cases[state.picture]

    def controls(self) -> Sequence[Control | Action]:
        """Return preset, picture, fill, overlay, the methods and the empty hole."""
        names = self.eraser.class_names
        pictures = [(f"{i + 1} {names[case.label]}", i) for i, case in enumerate(self.eraser.cases)]
        task = widgets.Dropdown(options=list(self.presets), description="task", layout=widgets.Layout(width="170px"))
        picture = widgets.Dropdown(options=pictures, description="picture", layout=widgets.Layout(width="170px"))
        fill = widgets.Dropdown(options=list(FILLS), description="filling", layout=widgets.Layout(width="136px"))
        overlay = widgets.Checkbox(description="map", indent=False, layout=widgets.Layout(width="auto"))
        for widget, width in ((task, 35), (picture, 50), (fill, 42)):
            widget.style.description_width = f"{width}px"
        return (
            Control(task, "preset", apply=lambda _state, name: self.presets[name]),
            Control(picture, "picture", apply=lambda s, value: self._moved(s, picture=value, shown=-1)),
            Control(fill, "fill", apply=lambda s, value: self._moved(s, fill=value)),
            Control(overlay, "overlay"),
            *(
                Action(method, lambda s, method=method: drawn(self._settled(s), method), f"The next random draw of {method}")
                for method in METHODS[1:]
            ),
            Action("No hole", lambda s: self._moved(s, hole=(), method=YOURS), "Show the whole picture"),
        )

    def _moved(self, state: ErasingState, **values: Any) -> ErasingState:
        return replace(self._settled(state), **values)

    def _settled(self, state: ErasingState) -> ErasingState:
        """Return the state as the next action finds it: a solved task gives way to the next."""
        mine = self._tasks(state)
        solved = state.task < len(mine) and state.draft is None and mine[state.task].solved(state, self.compute(state))
        return replace(state, task=state.task + bool(solved))

    def _tasks(self, state: ErasingState) -> Sequence[Any]:
        case = self.case(state)
        return tasks(case.label, self.eraser.class_names, case.part is not None)[state.preset]

    def views(self) -> Sequence[View]:
        """Return picture, map, scores and overlap."""
        names = self.eraser.class_names

        def on_picture(state: ErasingState, event: Any) -> ErasingState:
            begins = event.kind == "brush" and state.draft is None
            state = self._settled(state) if begins else state
            return react_picture(state, event, self.eraser.width, self.eraser.height)

        return (
            View("picture", lambda s, r: picture_scene(s, r, self.case(s), names[self.case(s).label]), on_picture),
            View("map", lambda s, r: map_scene(s, r, self.case(s), names[self.case(s).label if s.shown < 0 else s.shown])),
            View("scores", lambda s, r: scores_scene(s, r, self.case(s), names), react_scores),
            View("overlap", overlap_scene, react_threshold),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return two rows of two views."""
        return (("picture", "map"), ("scores", "overlap"))

    def sentence(self, state: ErasingState, result: ErasingResult) -> str:
        """Return what is hidden and what the network says."""
        says = self.eraser.class_names[int(result.scores.argmax())]
        what = "animal" if self.case(state).part is not None else "object"
        if not result.rectangles or not result.erased.any():
            return f"Nothing is hidden (0 % of the picture), and the network says {says}."
        whose = "Your hole" if state.method == YOURS else f"{state.method} (draw {state.draw + 1})"
        shares = f"{result.hidden:.0%} of the picture and {result.hidden_object:.0%} of the {what}".replace("%", " %")
        return f"{whose} hides {shares} with the fill {state.fill}, and the network says {says}."

    def goal(self, state: ErasingState, result: ErasingResult) -> str:
        """Return the scores in words, and the task or what solving it shows."""
        label = self.case(state).label
        whole, now = score(result, label, before=True), score(result, label)
        words = f"Score of {self.eraser.class_names[label]}: {whole:.2f} whole, {now:.2f} now; IoU {result.overlap:.2f}."
        return f"{words} {task_sentence(self._tasks(state), state.task, state, result, moving=state.draft is not None)}"


def _checked_model(model: Any, n_classes: int) -> nn.Module:
    if not callable(getattr(model, "features", None)) or not isinstance(getattr(model, "classifier", None), nn.Linear):
        raise TypeError(message("model", "a network with `features` and a linear `classifier`", type(model).__name__))
    if model.classifier.out_features != n_classes:
        raise ValueError(message("model", f"with {n_classes} classes, one for each name", str(model.classifier.out_features)))
    return model
