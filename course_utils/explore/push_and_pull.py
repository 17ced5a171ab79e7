"""Push and pull: one short ranking, and the push that every item feels from a ranking loss.

Ten items stand on a score axis; filled circles are relevant, hollow ones are not. The arrow of an item is minus the
gradient of the chosen loss: where one step of gradient descent takes it. An item whose gradient is exactly zero carries
the sign "0". Below the items stand the bins of the listwise loss as tents, or the zone in which a loss without bins
feels anything. Linked views show the soft counts of every bin with the precision that they give, the true AP beside
the quantised one, and a race: all losses from the same start.

Two beliefs do not survive ten minutes with it: "correct items are always pulled up and wrong ones always pushed
down", and "a higher number of bins is better". Taught in `06_listwise_ap_loss`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ipywidgets as widgets
import numpy as np

from course_utils.explore.base import Action, Control, PresetExplorer, View
from course_utils.explore.canvas import Event
from course_utils.explore.push_and_pull_views import draw_bins, draw_items, draw_race, draw_scoreboard, letter
from course_utils.explore.ranking_forces import (
    BINNED,
    CONTESTANTS,
    DIAL_TOP,
    FEWEST_BINS,
    MOST_BINS,
    PRESETS,
    RACE_STEPS,
    PushResult,
    PushState,
    advance,
    compute_pushes,
    start_of_race,
)

_PARAMETERS = {"temperature": (1e-3, 1.0), "interpolation": (0.01, 50.0), "margin": (0.0, 1.0)}


def react_items(state: PushState, event: Event) -> PushState:
    """Return the state after an item ``"item0"``, ``"item1"`` ... was moved, or pressed to flip its relevance."""
    if not event.name.startswith("item"):
        return state
    index = int(event.name.removeprefix("item"))
    if event.kind == "move":
        scores = (*state.scores[:index], event.x, *state.scores[index + 1 :])
        return replace(state, scores=scores, path=())
    if event.kind == "press":
        relevant = (*state.relevant[:index], not state.relevant[index], *state.relevant[index + 1 :])
        return replace(state, relevant=relevant, path=()) if any(relevant) else state
    return state


def with_dial(state: PushState, position: int) -> PushState:
    """Return the state with the slider of the chosen loss at ``position``."""
    dial = CONTESTANTS[state.loss].dial
    number = dial.value(int(position))
    return replace(state, **{dial.field: int(number) if dial.field == "n_bins" else number})


class PushAndPull(PresetExplorer):
    """Drag items, flip their relevance, change the loss and its parameter; see who is pushed and who feels nothing.

    Parameters
    ----------
    preset : {"far error", "crowd", "tie"}
        Where to begin, and where *Reset* leads.
    scheduler : callable, optional
        See ``Explorer``.
    """

    presets = PRESETS
    css_class = "explorer-push"
    help_text = (
        "Drag an item along the axis; click it, or choose it and press Enter, to make it relevant (filled) or not (hollow)."
    )

    def admit(self, state: PushState) -> PushState:
        """Keep scores in [-1, 1] and parameters in their range; a list without a relevant item gets one."""
        inside = {name: min(max(getattr(state, name), low), high) for name, (low, high) in _PARAMETERS.items()}
        relevant = state.relevant if any(state.relevant) else (True, *state.relevant[1:])
        scores = tuple(min(max(float(score), -1.0), 1.0) for score in state.scores)
        n_bins = min(max(int(state.n_bins), FEWEST_BINS), MOST_BINS)
        return replace(state, scores=scores, relevant=relevant, n_bins=n_bins, **inside)

    def compute(self, state: PushState) -> PushResult:
        """Return the result; see ``compute_pushes``."""
        return compute_pushes(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return preset, loss, its slider, the scale of the arrows, the steps and the race."""
        presets = widgets.Dropdown(options=list(PRESETS), description="list", layout=widgets.Layout(width="140px"))
        losses = widgets.Dropdown(
            options=[(contestant.name, key) for key, contestant in CONTESTANTS.items()],
            description="loss",
            layout=widgets.Layout(width="215px"),
        )
        self._dial = widgets.IntSlider(min=0, max=DIAL_TOP, readout=False, layout=widgets.Layout(width="330px"))
        presets.style.description_width = losses.style.description_width = "30px"
        self._dial.style.description_width = "130px"
        equal = widgets.Checkbox(description="longest arrow always full", indent=False, layout=widgets.Layout(width="auto"))
        return (
            Control(presets, "preset", apply=lambda _state, preset: PRESETS[preset]),
            Control(losses, "loss", apply=lambda state, loss: replace(state, loss=loss)),
            Control(self._dial, "dial", apply=with_dial),
            Control(equal, "normalised"),
            Action("Step", lambda state: advance(state), "One step of gradient descent on the scores"),
            Action("10 steps", lambda state: advance(state, 10), "Ten steps of gradient descent on the scores"),
            Action("Race", lambda state: replace(state, race=start_of_race(state)), "All losses, from the present list"),
        )

    def views(self) -> Sequence[View]:
        """Return the items over the tents, the race, the bins and the numbers."""
        return (
            View("items", draw_items, react_items),
            View("race", draw_race),
            View("bins", draw_bins),
            View("scoreboard", draw_scoreboard),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return two rows: items and race, bins and numbers."""
        return (("items", "race"), ("bins", "scoreboard"))

    def sentence(self, state: PushState, result: PushResult) -> str:
        """Return the loss, true and quantised AP, and who feels what."""
        contestant = CONTESTANTS[state.loss]
        dial = contestant.dial
        number = dial.text.format(getattr(state, dial.field))
        silent, against = int(result.silent.sum()), int(result.against.sum())
        steps = f" after {len(state.path)} steps" if state.path else ""
        if state.loss in BINNED:
            value = f"AP in {state.n_bins} bins {1 - result.loss:.2f}"
        elif state.loss in ("smooth", "blackbox"):
            value = f"{contestant.name} {1 - result.loss:.2f}"
        else:
            value = f"loss {result.loss:.2f}"
        return (
            f"{contestant.name[0].upper()}{contestant.name[1:]} ({dial.name} = {number}){steps}: true AP {result.true_ap:.2f}, {value}; "
            f"{silent} of {len(state.scores)} items get no gradient, {against} {'is' if against == 1 else 'are'} pushed the wrong way."
        )

    def goal(self, state: PushState, result: PushResult) -> str:
        """Return the next thing to try."""
        return _GOALS[state.preset](state, result)

    def _render(self) -> None:
        dial = CONTESTANTS[self._state.loss].dial
        self._dial.description = f"{dial.name} = {dial.text.format(getattr(self._state, dial.field))}"
        super()._render()


# ---- tasks ---------------------------------------------------------------------------------------------------------


def _far_error_goal(state: PushState, result: PushResult) -> str:
    top = int(result.order[0])
    if state.relevant[top]:
        return "The item with the highest score is relevant now. Press Reset for the task."
    name = letter(top)
    if state.loss not in BINNED:
        felt = "feels nothing from" if result.silent[top] else "is pushed by"
        return f"The top negative {name} {felt} {CONTESTANTS[state.loss].name}. Compare the others, then press Race."
    if not result.silent[top]:
        return f"Task: make the top negative {name} feel nothing, without touching an item. Turn the number of bins M."
    return (
        f"Done: with M = {state.n_bins} no tent reaches from {name} to a relevant item, so the worst error of the list gets no "
        "gradient. Now find a loss that pushes it, or press Race."
    )


def _crowd_goal(state: PushState, result: PushResult) -> str:
    down = [i for i in range(len(state.scores)) if state.relevant[i] and result.against[i]]
    up = [i for i in range(len(state.scores)) if not state.relevant[i] and result.against[i]]
    if down:
        names = " and ".join(letter(i) for i in down)
        return (
            f"Done: {names} {'is' if len(down) == 1 else 'are'} relevant and pushed down, because the tent above has a lower precision "
            "than the tent below. Press Step a few times and see how long that lasts."
        )
    other = f" ({letter(up[0])} is not relevant and pulled up: also worth a look.)" if up else ""
    return f"Task: find a relevant item that is pushed down. Turn M, or drag the relevant items one by one.{other}"


def _tie_goal(state: PushState, result: PushResult) -> str:
    scores, relevant = np.array(state.scores), np.array(state.relevant)
    same = scores[:, None] == scores
    torn = (same & (relevant[:, None] != relevant)).any(1)  # shares its score with an item of the other kind
    if not torn.any():
        if not state.path:
            return "No relevant item is tied with another one. Press Reset for the task."
        steps = f"{len(state.path)} step{'s' if len(state.path) > 1 else ''}"
        return f"Done: after {steps} no relevant item shares its score with another one; the true AP is {result.true_ap:.2f}."
    names = ", ".join(letter(item) for item in np.flatnonzero(torn))
    if len(state.path) >= RACE_STEPS:
        return f"{names} still have the same score. Press Reset and try another loss, or another number of bins."
    return f"Task: {names} have the same score. Guess which losses can tell them apart, then choose one and press Step."


_GOALS = {"far error": _far_error_goal, "crowd": _crowd_goal, "tie": _tie_goal}
