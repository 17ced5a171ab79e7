"""Convention court: one draggable ranking stands before every convention of average precision.

Ten items stand on a score axis. Drag one, press one to change its kind, and five conventions, three denominators of
AP@k, R-precision and MAP@R answer at once, with what changed since the last move. The reader predicts first: which
conventions will a move change? Each preset sets its own tasks.

Taught in `05_mean_average_precision`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ipywidgets as widgets
import numpy as np

from course_utils.explore.base import Action, Control, PresetExplorer, View
from course_utils.explore.court import (
    CONVENTIONS,
    CUT_OFFS,
    KINDS,
    LETTERS,
    NO_GUESS,
    NOW,
    OTHER,
    ROWS,
    CourtResult,
    CourtState,
    compute_court,
    ranked,
)
from course_utils.explore.court_play import (
    GUESSES,
    PRESETS,
    TASKS,
    goal_of,
    react_axis,
    react_table,
    with_cut_off,
    with_guess,
    with_pin,
)
from course_utils.explore.court_views import draw_axis, draw_curve, draw_strip, draw_table, value_text

MAX_ITEMS = len(LETTERS)


class ConventionCourt(PresetExplorer):
    """Move one item of a ranking, and see which convention of average precision changes.

    Parameters
    ----------
    preset : {"top or bottom", "ties", "junk", "partial list"}
        Where to begin, and where *Reset* leads.
    scheduler : callable, optional
        See ``Explorer``.
    """

    presets = PRESETS
    css_class = "explorer-court"
    help_text = (
        "Drag an item along the score axis; press it to make it relevant, not relevant or junk; drop it on another one's score "
        "for a tie. Press a convention in the table to see its area."
    )

    def admit(self, state: CourtState) -> CourtState:
        """Keep the list between 1 and ``MAX_ITEMS`` items, scores in [0, 1], and k within the list."""
        n = min(len(state.scores), len(state.kinds), MAX_ITEMS)
        if n == 0:
            return PRESETS[state.preset if state.preset in PRESETS else self.preset]
        scores = tuple(float(min(max(score, 0.0), 1.0)) for score in state.scores[:n])
        kinds = tuple(kind if kind in KINDS else OTHER for kind in state.kinds[:n])
        before = len(state.before_scores) == len(state.before_kinds) == n
        return replace(
            state,
            scores=scores,
            kinds=kinds,
            k=int(min(max(state.k, 1), n)),
            missing=max(int(state.missing), 0),
            guess=state.guess if state.guess in GUESSES else NO_GUESS,
            shown=state.shown if state.shown in CONVENTIONS else "step",
            before_scores=tuple(float(min(max(s, 0.0), 1.0)) for s in state.before_scores) if before else scores,
            before_kinds=tuple(kind if kind in KINDS else OTHER for kind in state.before_kinds) if before else kinds,
            task=min(max(state.task, 0), len(TASKS[state.preset])),
        )

    def compute(self, state: CourtState) -> CourtResult:
        """Return the result; see ``compute_court``."""
        return compute_court(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return preset, prediction, cut-off and pin."""
        presets = widgets.Dropdown(options=list(PRESETS), description="preset", layout=widgets.Layout(width="180px"))
        guess = widgets.Dropdown(options=list(GUESSES), description="I predict", layout=widgets.Layout(width="280px"))
        k = widgets.IntSlider(min=1, max=MAX_ITEMS - 2, description="k", layout=widgets.Layout(width="150px"))
        pin = widgets.Checkbox(description="Pin this ranking", indent=False, layout=widgets.Layout(width="auto"))
        presets.style.description_width, guess.style.description_width, k.style.description_width = "46px", "62px", "14px"
        return (
            Control(presets, "preset", apply=lambda _state, preset: PRESETS[preset]),
            Control(guess, "guess", apply=with_guess),
            Control(k, "k", apply=with_cut_off),
            Control(pin, "pinned", apply=with_pin),
        )

    def views(self) -> Sequence[View]:
        """Return axis, strip, curve and table."""
        return (
            View("axis", draw_axis, react_axis),
            View("strip", draw_strip),
            View("curve", draw_curve),
            View("table", draw_table, react_table),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return the axis above strip and curve, and the table below."""
        return (("axis",), ("strip", "curve"), ("table",))

    def sentence(self, state: CourtState, result: CourtResult) -> str:
        """Return the values of all conventions."""
        n = len(result.order)
        if np.isnan(result.values[0, NOW]):
            return f"None of the {n} items in the list is relevant, so average precision is undefined under every convention."
        whole = ", ".join(f"{name} {value_text(result, name)}" for name in CONVENTIONS)
        cut = ", ".join(f"{value_text(result, name)} over {name.split('over ')[1]}" for name in CUT_OFFS[:3])
        held = f"{result.n_relevant - state.missing} relevant of {n} items"
        more = f" and {state.missing} more outside the list" if state.missing else ""
        luck = ""
        if result.band("step"):
            worst, best = result.values[ROWS.index("step"), 2:]
            luck = f"; a sort that breaks ties by luck gives step {worst:.3f} to {best:.3f}"
        return f"{held}{more}: {whole}; AP@{state.k} is {cut}{luck}{_moved(state, result)}."

    def goal(self, state: CourtState, result: CourtResult) -> str:
        """Return the verdict on the prediction, and the task."""
        return goal_of(state, result)


def _moved(state: CourtState, result: CourtResult) -> str:
    """Say which item moved since the list that changes are counted from, and how far."""
    moved = [i for i, (old, new) in enumerate(zip(state.before_scores, state.scores)) if old != new]
    if len(moved) != 1 or moved[0] not in result.order:
        return ""
    item = moved[0]
    places = ranked(np.asarray(state.before_scores), state.kinds).index(item) + 1, result.order.index(item) + 1
    path = (
        f"rank {places[0]} to rank {places[1]}" if places[0] != places[1] else f"{state.scores[item]:.2f}, still rank {places[0]}"
    )
    start = "from " if places[0] != places[1] else "to score "
    return f"; {LETTERS[item]} moved {start}{path}"
