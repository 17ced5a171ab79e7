"""AugMix graph: chains as rows of chips, weights on a triangle, m on a line, and three answers with their divergence.

The reader presses a chip and changes its operation or level, drags the weights and m, and draws anew. The pictures after every
step, the mixture, the network's answers to the clean picture and two mixtures, and the Jensen-Shannon divergence follow.

Taught in `17_patchshuffle_and_augmix`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
from torch import Tensor

from course_utils.augment.augmix_operations import LARGEST_LEVEL
from course_utils.checks import checked_tensor, message
from course_utils.explore.augmix_cases import N_PICTURES, default_network, default_pictures
from course_utils.explore.augmix_state import (
    CHOICES,
    TASKS,
    GraphResult,
    GraphState,
    admitted,
    compute_graph,
    drawn_again,
    presets_for,
    with_place,
)
from course_utils.explore.augmix_views import draw_answers, draw_graph, draw_weights, react_graph, react_weights
from course_utils.explore.base import Action, Control, PresetExplorer, Scheduler, View
from course_utils.explore.canvas import Event
from course_utils.explore.play import task_sentence


class AugMixGraph(PresetExplorer):
    """Build two mixtures of a picture, and watch a network's three answers and their divergence.

    Parameters
    ----------
    preset : {"a draw", "chains alone", "too strong"}, optional
        Where to begin, and where *Reset* leads.
    network : callable, optional
        Floating images (B, 3, H, W) in [0, 1] to logits (B, K). Default: a small one that names toys of 32 pixels.
    pictures : Tensor of shape (N, 3, H, W), uint8, optional
        The reader's own; needs ``network``, ``labels`` and ``class_names``.
    labels : sequence of N int, optional
    class_names : sequence of K str, optional
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    TypeError, ValueError
        If ``pictures`` are no such tensor, or come without one of the others.
    """

    presets = presets_for(N_PICTURES)
    css_class = "explorer-augmix"
    help_text = (
        "Drag the point in the triangle and the diamond on the line; press a chip, then choose its operation and level above; "
        "draw two new mixtures."
    )

    def __init__(
        self,
        preset: str | None = None,
        network: Callable[[Tensor], Tensor] | None = None,
        pictures: Tensor | None = None,
        labels: Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        if pictures is None:
            pictures, labels, class_names = default_pictures()
        else:
            checked_tensor(pictures, "pictures", ("N", 3, "H", "W"), floating=False)
            if not len(pictures) or network is None or labels is None or class_names is None or len(labels) != len(pictures):
                advice = "Own pictures need `network`, `labels` (one each) and `class_names`."
                raise ValueError(message("pictures", "at least one, with all that belongs to them", f"{len(pictures)}", advice))
            self.presets = presets_for(len(pictures))
        self._pictures, self._labels, self._names = pictures, labels, class_names
        self._network = default_network() if network is None else network
        super().__init__(preset, scheduler)

    def admit(self, state: GraphState) -> GraphState:
        """Keep levels, weights and m in their ranges."""
        return admitted(state, len(self._pictures), self.presets)

    def compute(self, state: GraphState) -> GraphResult:
        """Return pictures, answers and divergence; see ``compute_graph``."""
        return compute_graph(state, self._pictures, self._labels, self._network)

    def controls(self) -> Sequence[Control | Action]:
        """Return picture, operation, level, the mixture shown, and the draw."""
        pictures = widgets.Dropdown(
            options=[(f"{i + 1}: {self._names[label]}", i) for i, label in enumerate(self._labels)],
            description="picture",
            layout=widgets.Layout(width="160px"),
        )
        operations = widgets.Dropdown(options=list(CHOICES), description="operation", layout=widgets.Layout(width="190px"))
        levels = widgets.FloatSlider(
            min=-LARGEST_LEVEL,
            max=LARGEST_LEVEL,
            step=0.1,
            description="level",
            readout_format=".1f",
            layout=widgets.Layout(width="230px"),
        )
        for widget, width in ((pictures, "48px"), (operations, "64px"), (levels, "36px")):
            widget.style.description_width = width
        second = widgets.Checkbox(description="Show mixture 2", indent=False, layout=widgets.Layout(width="auto"))
        return (
            Control(pictures, "picture", apply=lambda state, value: replace(self._begun(state), picture=value)),
            Control(operations, "operation", apply=lambda state, value: with_place(self._begun(state), operation=value)),
            Control(levels, "level", apply=lambda state, value: with_place(self._begun(state), level=value)),
            Control(second, "second", apply=lambda state, value: replace(self._begun(state), second=value)),
            Action("Draw again", lambda state: drawn_again(self._begun(state)), "Draw two new mixtures of severity 3"),
        )

    def views(self) -> Sequence[View]:
        """Return the triangle, the answers and the graph."""
        return (
            View("weights", draw_weights, self._reacting(react_weights)),
            View("answers", lambda state, result: draw_answers(state, result, self._names)),
            View("graph", draw_graph, self._reacting(react_graph)),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return triangle and answers above the graph."""
        return (("weights", "answers"), ("graph",))

    def sentence(self, state: GraphState, result: GraphResult) -> str:
        """Return the three answers and their divergence."""
        best = result.probabilities.argmax(1)
        answers = [f"{self._names[k]} ({p[k]:.0%})" for k, p in zip(best, result.probabilities, strict=True)]
        chain, step = state.chosen
        return (
            f"The network names the clean picture {answers[0]}, mixture 1 {answers[1]} and mixture 2 {answers[2]}: their "
            f"Jensen-Shannon divergence is {result.divergence:.2f} of at most 1.10 nats, and the controls change place "
            f"{step + 1} of chain {chain + 1} in mixture {2 if state.second else 1}."
        )

    def goal(self, state: GraphState, result: GraphResult) -> str:
        """Return the task, or what solving it shows."""
        return task_sentence(TASKS, state.task, state, result, moving=bool(state.moving))

    def _reacting(self, react: Callable[[GraphState, Event], GraphState]) -> Callable[[GraphState, Event], Any]:
        def reacting(state: GraphState, event: Event) -> GraphState:
            return react(self._begun(state) if event.kind in ("move", "press") else state, event)

        return reacting

    def _begun(self, state: GraphState) -> GraphState:
        """A new move begins: if the task that is set now was solved before it, the next one follows."""
        if state.moving or state.task >= len(TASKS) or not TASKS[state.task].solved(self._state, self.result):
            return state
        return replace(state, task=state.task + 1)
