"""Spiral theatre: a small network learns two spirals or two moons while one drags the points and chooses where to blend.

The map shows what the network says about every point of the plane. Blends of the *points* (mixup) may fall on the other arm,
where their label is wrong: the crosses. Inside the network fewer blends do. After every change
the training begins anew and goes on in pieces of 50 steps, each with a new map, while the reader goes on too.

Taught in `15_mixing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np

from course_utils.explore.base import Action, Control, PresetExplorer, View
from course_utils.explore.spiral_state import (
    ALPHAS,
    LARGEST_SEED,
    N_POINTS,
    N_STEPS,
    PLACES,
    PRESETS,
    SpiralResult,
    SpiralState,
    admitted,
    compute_spirals,
    further,
    react_plane,
    retrained,
)
from course_utils.explore.spiral_views import WHERE, draw_inside, draw_meters, draw_plane

PAUSE = 0.02
"""Seconds between two pieces of a training, in which the kernel listens to the reader."""

NAMES = {layers: name for name, layers in PLACES.items()}


def goal_of(state: SpiralState, result: SpiralResult) -> str:
    """Return the task that fits to what is chosen, or what it shows."""
    if state.steps < N_STEPS:
        return ""
    if state.layers == (0,):
        wrong = result.blends[0].intruding
        return (
            f"{100 * wrong:.0f} % of the blends of points (crosses) lie on the other class. Task: blend somewhere else, so that the "
            "curves are right again."
        )
    if not state.layers:
        return "Nothing is blended: the network is sure nearly everywhere. Task: make it less sure and keep the curves right."
    if 0 in state.layers:
        return "The input is still among the layers. Task: leave it out, and compare the curves."
    if result.right > 0.95 and result.sure < 0.85:
        return "Done: the curves are right, and the network is less sure between them. Now drag a point into the other class."
    return "Task: find layers and an alpha that keep the curves right and leave the network less sure between them."


class SpiralTheatre(PresetExplorer):
    """Drag points, choose where to blend, and watch the decision of a network change.

    Parameters
    ----------
    preset : {"spirals", "moons"}
        Where to begin, and where *Reset* leads.
    scheduler : callable, optional
        Runs the pieces of a training; see ``Explorer``.
    """

    presets = PRESETS
    css_class = "explorer-spirals"
    help_text = "Drag a point of the map. Choose where the training blends, and alpha: small values stay near one of the two."

    _next: Any = None

    def admit(self, state: SpiralState) -> SpiralState:
        """Keep points inside the plane and numbers in their range."""
        return admitted(state)

    def compute(self, state: SpiralState) -> SpiralResult:
        """Return the result; see ``compute_spirals``."""
        return compute_spirals(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return data set, place, alpha, the switch for blends, and the button for another start."""
        presets = widgets.Dropdown(options=list(PRESETS), description="data", layout=widgets.Layout(width="140px"))
        places = widgets.Dropdown(options=list(PLACES), description="blend in", layout=widgets.Layout(width="200px"))
        low, high = ALPHAS
        alpha = widgets.FloatLogSlider(value=1, base=10, min=low, max=high, step=0.1, description="alpha", readout_format=".2g")
        alpha.layout.width = "196px"
        blends = widgets.Checkbox(description="show blends", indent=False, layout=widgets.Layout(width="auto"))
        for widget, width in ((presets, 36), (places, 58), (alpha, 42)):
            widget.style.description_width = f"{width}px"
        return (
            Control(presets, "preset", apply=lambda _state, preset: PRESETS[preset]),
            Control(places, "layers", to_widget=NAMES.get, apply=lambda state, name: retrained(state, layers=PLACES[name])),
            Control(
                alpha,
                "log_alpha",
                to_widget=lambda v: 10.0**v,
                apply=lambda state, v: retrained(state, log_alpha=round(float(np.log10(v)), 4)),
            ),
            Control(blends, "blends"),
            Action("Other start", lambda s: retrained(s, seed=(s.seed + 1) % (LARGEST_SEED + 1)), "Other weights, other draws"),
        )

    def views(self) -> Sequence[View]:
        """Return the plane, the inside of the network, and the meters."""
        return (View("plane", draw_plane, react_plane), View("inside", draw_inside), View("meters", draw_meters))

    def rows(self) -> Sequence[Sequence[str]]:
        """Return plane and inside above the meters."""
        return (("plane", "inside"), ("meters",))

    def sentence(self, state: SpiralState, result: SpiralResult) -> str:
        """Return what is trained, how far, and the main numbers."""
        how = f"blends in: {NAMES[state.layers]}" + (f", alpha {state.alpha:.2g}" if state.layers else "")
        wrong = ", ".join(f"{where} {100 * one.intruding:.0f} %" for one, where in zip(result.blends, WHERE))
        return (
            f"Two {state.preset}, {how}, step {state.steps} of {N_STEPS}: the network is more than 95 % sure on "
            f"{100 * result.sure:.0f} % of the plane; {result.n_right} of {N_POINTS} points and {100 * result.right:.0f} % of the "
            f"curves are right; blends that fall on the other class: {wrong}."
        )

    def goal(self, state: SpiralState, result: SpiralResult) -> str:
        """Return the task, or what solving it shows."""
        return goal_of(state, result)

    # ---- the training goes on ----------------------------------------------------------------------------------

    def _settle(self, state: SpiralState) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        super()._settle(state)
        if state.steps < N_STEPS:
            self._next = self._scheduler(PAUSE, self._go_on)

    def _go_on(self) -> None:
        self._next = None
        self._guarded(lambda: self._move_to(further(self._wanted)))
