"""The pipeline bench as a function of its state: outcomes, the effect of the order, rules and code.

What comes out is computed in ``pipeline_outcomes``; here is what the reader can set, what follows from it, and which rules of a
good pipeline it breaks: geometry before colour, colour before normalisation, and a label that is still true.
"""

from __future__ import annotations

from dataclasses import dataclass

from course_utils.explore.pipeline_operations import Chip, code_of
from course_utils.explore.pipeline_outcomes import COPIES, OrderEffect, Outcomes, Setting, order_effect, outcomes
from course_utils.explore.pipeline_pictures import picture

MAX_CHIPS = 6
LETTERS = "ABCDEF"
LOST = 0.3
"""With less of the object in sight, the bench warns that the label may not be true any more."""


@dataclass(frozen=True)
class PipelineState:
    """Everything that the reader can set.

    Attributes
    ----------
    chips : tuple of Chip
        First to last.
    names : str
        One letter for each chip, which it keeps while it moves.
    picture : str
        One of ``pipeline_pictures.NAMES``.
    seed : int
    fuse : bool
        Neighbours that move pixels are multiplied into one map.
    chosen : str
        Letter of the chip that the sliders set, or "".
    outcome : int
        The outcome that is looked at.
    held : str
        Name of the mark in the reader's hand, or "".
    at : (x, y)
        Where it is, in pixels of the view.
    last : str
        What was moved last; moving it again continues the same move.
    before : Setting or ()
        What changes are counted from.
    task : int
    preset : str
    """

    chips: tuple[Chip, ...]
    names: str
    picture: str = "car"
    seed: int = 3
    fuse: bool = True
    chosen: str = ""
    outcome: int = 0
    held: str = ""
    at: tuple[float, float] = (0.0, 0.0)
    last: str = ""
    before: tuple = ()
    task: int = 0
    preset: str = ""

    @property
    def setting(self) -> Setting:
        """What decides about the outcomes."""
        return self.chips, self.fuse, self.picture, self.seed

    @property
    def place(self) -> int:
        """Place of the chosen chip, counted from 0; -1 without one."""
        return self.names.index(self.chosen) if self.chosen and self.chosen in self.names else -1

    @property
    def strength(self) -> float:
        """Strength of the chosen chip; 0 without one."""
        return self.chips[self.place].strength if self.place >= 0 else 0.0

    @property
    def chance(self) -> float:
        """Chance of the chosen chip; 0 without one."""
        return self.chips[self.place].chance if self.place >= 0 else 0.0


@dataclass(frozen=True, eq=False)
class PipelineResult:
    """What follows from a state: the outcomes now and before the last move, the effect of the order, warnings, code."""

    now: Outcomes
    old: Outcomes
    order: OrderEffect | None
    warnings: tuple[str, ...]
    code: str


def compute_pipeline(state: PipelineState) -> PipelineResult:
    """Return everything that the bench shows for ``state``; deterministic."""
    now = outcomes(state.setting)
    old = outcomes(state.before) if state.before else now
    place = neighbours(state)
    compared = place >= 0 and not now.refused and not state.held  # not while something is in the hand: that must be quick
    order = order_effect(state.setting, place, state.outcome) if compared else None
    code = code_of(state.chips, state.fuse, state.picture, state.seed, COPIES)
    return PipelineResult(now, old, order, warnings_of(state, now), code)


def neighbours(state: PipelineState) -> int:
    """Return the place of the chosen chip, or of the one before it if it is the last: the first of two neighbours; or -1."""
    return min(state.place, len(state.chips) - 2) if len(state.chips) > 1 else -1


# ---- rules ------------------------------------------------------------------------------------------------------


def warnings_of(state: PipelineState, now: Outcomes) -> tuple[str, ...]:
    """Return what is doubtful about a pipeline, the worst first; () if there is nothing."""
    found = []
    if now.refused:
        name = state.chips[now.refused_at].operation
        found.append(f"Colour after normalisation: the library refuses '{name}', and the chips from there on do nothing.")
    label = picture(state.picture).label
    wrong = [read for read in now.reads if read != label]
    if wrong:
        others = " or ".join(f"'{read}'" for read in sorted(set(wrong)))
        found.append(f"The label lies: {len(wrong)} of {COPIES} outcomes read as {others}, not as '{label}'.")
    lost = int((now.visible < LOST).sum())
    if lost:
        sight = f"less than {100 * LOST:.0f} % of the object is in sight"
        found.append(f"Is the label still true? In {lost} of {COPIES} outcomes {sight}.")
    if now.folded.any():
        found.append(
            f"The elastic map folds in {int(now.folded.sum())} of {COPIES} outcomes and tears the object: lower its strength."
        )
    if now.n_resamplings > 1:
        how = "Tick 'fuse moves'" if not state.fuse else "Put the moves side by side"
        found.append(f"The pixels are resampled {now.n_resamplings} times, and each time blurs. {how}: once is enough.")
    return tuple(found)


def times(n: int) -> str:
    """Return a number of times in words.

    >>> times(0), times(1), times(3)
    ('never', 'once', '3 times')
    """
    return ("never", "once")[n] if n < 2 else f"{n} times"
