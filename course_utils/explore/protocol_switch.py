"""Protocol switch: one ranked list, read as easy, medium and hard (the revisited Oxford and Paris protocol).

Chips are database images: easy, hard, junk or negative. The reader switches the protocol and sees which chips leave the
list, drags a chip to another rank, presses one to change its label. Ranks, trapezoid AP and precision at k follow, for all
three protocols at once.

Taught in `04_landmark_recognition`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ipywidgets as widgets

from course_utils.explore.base import Action, Control, PresetExplorer, View
from course_utils.explore.protocol import (
    CUTS,
    KINDS,
    NAMES,
    NEGATIVE,
    PRESETS,
    TASKS,
    ProtocolResult,
    ProtocolState,
    compute_protocol,
    goal_of,
    react_list,
    react_table,
    with_pin,
    with_protocol,
)
from course_utils.explore.protocol_views import draw_curve, draw_list, draw_table
from course_utils.retrieval.revisited import PROTOCOLS


class ProtocolSwitch(PresetExplorer):
    """Read one ranked list by three protocols, and see what each of them ignores.

    Parameters
    ----------
    preset : {"ignored", "few positives", "no easy positive"}
        Where to begin, and where *Reset* leads.
    scheduler : callable, optional
        See ``Explorer``.
    """

    presets = PRESETS
    css_class = "explorer-protocol"
    help_text = (
        "Drag a chip in the upper row to another rank; press it to change its label; press a column of the table, or a button "
        "above, to read the list by another protocol."
    )

    def admit(self, state: ProtocolState) -> ProtocolState:
        """Keep the list between 1 and ``len(NAMES)`` chips, each once in the order."""
        n = min(len(state.labels), len(NAMES))
        if n == 0:
            return PRESETS[state.preset if state.preset in PRESETS else self.preset]
        labels = _admitted(state.labels[:n])
        order = state.order if sorted(state.order) == list(range(n)) else tuple(range(n))
        before = len(state.before_labels) == n and sorted(state.before_order) == list(range(n))
        return replace(
            state,
            labels=labels,
            order=order,
            protocol=state.protocol if state.protocol in PROTOCOLS else "medium",
            before_labels=_admitted(state.before_labels) if before else labels,
            before_order=state.before_order if before else order,
            task=min(max(state.task, 0), len(TASKS[state.preset])),
        )

    def compute(self, state: ProtocolState) -> ProtocolResult:
        """Return the result; see ``compute_protocol``."""
        return compute_protocol(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return preset, protocol and pin."""
        presets = widgets.Dropdown(options=list(PRESETS), description="preset", layout=widgets.Layout(width="200px"))
        presets.style.description_width = "46px"
        protocols = widgets.ToggleButtons(options=list(PROTOCOLS), layout=widgets.Layout(width="auto"))
        protocols.style.button_width = "76px"
        pin = widgets.Checkbox(description="Pin this list", indent=False, layout=widgets.Layout(width="auto"))
        return (
            Control(presets, "preset", apply=lambda _state, preset: PRESETS[preset]),
            Control(protocols, "protocol", apply=with_protocol),
            Control(pin, "pinned", apply=with_pin),
        )

    def views(self) -> Sequence[View]:
        """Return list, curve and table."""
        return (
            View("list", draw_list, react_list),
            View("curve", draw_curve),
            View("table", draw_table, react_table),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return the list above curve and table."""
        return (("list",), ("curve", "table"))

    def sentence(self, state: ProtocolState, result: ProtocolResult) -> str:
        """Return AP under all protocols, and what the protocol shown ignores."""
        n, ignored = len(state.order), len(state.order) - len(result.kept)
        values = ", ".join(
            f"{protocol} undefined"
            if result.value(protocol) != result.value(protocol)
            else f"{protocol} {result.value(protocol):.3f}"
            for protocol in PROTOCOLS
        )
        ranks = ", ".join(str(rank + 1) for rank in result.ranks)
        positives = int(sum(result.positive))
        if not positives:
            return f"The {state.protocol} protocol ignores {ignored} of {n} images and finds no positive; AP is {values}."
        where = f"rank {ranks}" if positives == 1 else f"ranks {ranks}"
        cuts = ", ".join(f"P@{k} {result.value(state.protocol, f'P@{k}'):.3f}" for k in CUTS)
        return (
            f"The {state.protocol} protocol ignores {ignored} of {n} images and finds its {positives} positives at {where} of what is "
            f"left ({cuts}): AP is {values}."
        )

    def goal(self, state: ProtocolState, result: ProtocolResult) -> str:
        """Return the task, or what solving it shows."""
        return goal_of(state, result)


def _admitted(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(label if label in KINDS else NEGATIVE for label in labels)
