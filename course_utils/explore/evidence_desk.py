"""Evidence desk: seeds appear one by one, and the reader decides when to stop.

Every seed gives a pair of dots. The interval of their mean difference shrinks, and now and then it excludes zero. A chart counts how
often that happens where there is nothing to be found: to a reader who looks once, and to one who looks after every seed.

Taught in ``18_does_it_help``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import ipywidgets as widgets

from course_utils.explore.base import Action, Control, PresetExplorer, Scheduler, View
from course_utils.explore.evidence_state import (
    DeskResult,
    DeskState,
    Evidence,
    next_seed,
    other_order,
    react_seeds,
)
from course_utils.explore.evidence_views import interval_scene, replays_scene, seeds_scene, verdict_words
from course_utils.training.optional_stopping import Pool


class EvidenceDesk(PresetExplorer):
    """Recorded seeds, the interval of their difference, and false alarms, linked.

    Parameters
    ----------
    pools : mapping from question to ``training.optional_stopping.Pool``
        Paired figures: those of the course are ``evidence.recorded_pools()``.
    preset : str, optional
        The question to begin with, a key of ``pools``.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    ValueError
        If there is no pool, or ``preset`` is unknown.
    """

    css_class = "explorer-evidence"
    help_text = "Drag the triangle, or press Next seed; press Stop now when you are sure, and the other seeds are opened."

    def __init__(self, pools: Mapping[str, Pool], preset: str | None = None, scheduler: Scheduler | None = None) -> None:
        self.evidence = Evidence(pools)
        self.presets = {name: self.evidence.admit(DeskState(preset=name)) for name in self.evidence.pools}
        super().__init__(preset, scheduler)

    def admit(self, state: DeskState) -> DeskState:
        """Keep every value inside its range."""
        return self.evidence.admit(state)

    def compute(self, state: DeskState) -> DeskResult:
        """Return the result; see ``Evidence.compute``."""
        return self.evidence.compute(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return question, confidence, the next seed, the stop, and another order."""
        question = widgets.Dropdown(options=list(self.presets), description="question", layout=widgets.Layout(width="240px"))
        question.style.description_width = "58px"
        strict = widgets.Checkbox(description="99 % instead of 95 %", indent=False, layout=widgets.Layout(width="auto"))
        return (
            Control(question, "preset", apply=lambda _state, name: self.presets[name]),
            Control(strict, "strict"),
            Action("Next seed", next_seed, "Show one more seed"),
            Action("Stop now", lambda s: replace(s, stopped=True), "Report what you have, and open the rest of the pool"),
            Action("Other order", other_order, "The same seeds in a random order, from the third on"),
        )

    def views(self) -> Sequence[View]:
        """Return seeds, interval and replays."""
        return (View("seeds", seeds_scene, react_seeds), View("interval", interval_scene), View("replays", replays_scene))

    def rows(self) -> Sequence[Sequence[str]]:
        """Return the seeds above the two charts."""
        return (("seeds",), ("interval", "replays"))

    def sentence(self, state: DeskState, result: DeskResult) -> str:
        """Return the comparison on the seeds shown."""
        now, pool = result.now, result.pool
        p = f"p = {now.p_value:.3f}" if now.p_value >= 0.001 else "p below 0.001"
        numbers = f"{100 * now.confidence:.0f} % interval {100 * now.low:+.1f} to {100 * now.high:+.1f}, sign-flip {p}"
        return (
            f"After {now.n_seeds} of {len(pool)} seeds {pool.method} minus {pool.other} is {100 * now.mean:+.1f} points of "
            f"{pool.unit} on average ({numbers})."
        )

    def goal(self, state: DeskState, result: DeskResult) -> str:
        """Return what a stop here would report, or the invitation to stop, and the price of peeking."""
        rate, once = (100 * rates[state.shown - 1] for rates in (result.alarms.peeking, result.alarms.once))
        price = f"Without any effect, {rate:.0f} % of readers who look after every seed would have reported one by now ({once:.0f} % with one look)."
        if state.stopped:
            return f"{verdict_words(result)} {price}"
        if state.shown == len(result.pool):
            return f"This is the whole pool, and its verdict is: {result.now.verdict}. {price}"
        return f"Are you sure? Press Stop now, or look at one more seed. {price}"
