"""Pipeline bench: drag operations into order, and see what comes out of one picture, with its box, mask and key points.

A shelf holds moves and colour changes. The reader drags them into a row, sets how strong each is and how often it acts, and
sees eight outcomes at once: what is left of the object, how loose its box is, whether it still reads as its label. Two
neighbours are compared with their exchange, with the same draws. The rules of a good pipeline are checked, and the code that
makes these very pictures stands below, ready to copy.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import ipywidgets as widgets
import numpy as np

from course_utils.explore.base import Action, Control, PresetExplorer, View
from course_utils.explore.pipeline import LETTERS, MAX_CHIPS, PipelineResult, PipelineState, compute_pipeline, times
from course_utils.explore.pipeline_operations import OPERATIONS, STEP, Chip, on_step
from course_utils.explore.pipeline_outcomes import COPIES, Setting
from course_utils.explore.pipeline_pictures import NAMES, picture
from course_utils.explore.pipeline_play import (
    PRESETS,
    TASKS,
    goal_of,
    react_grid,
    react_row,
    react_start,
    with_chance,
    with_fuse,
    with_seed,
    with_strength,
)
from course_utils.explore.pipeline_views import WIDTH, draw_check, draw_grid, draw_row, draw_start
from course_utils.explore.scene import Scene, Text
from course_utils.explore.still import still_picture

LARGEST_SEED = 9999


class PipelineBench(PresetExplorer):
    """Drag augmentations into order, and see eight outcomes of one picture with everything that moves along.

    Parameters
    ----------
    preset : {"boxes follow", "order", "rules"}, optional
        Where to begin, and where *Reset* leads.
    scheduler : callable, optional
        See ``Explorer``.

    Attributes
    ----------
    code : str
        What makes the outcomes: after ``exec(bench.code)`` the names ``images`` and ``targets`` hold them.
    """

    presets = PRESETS
    css_class = "explorer-pipeline"
    help_text = (
        "Drag a chip from the shelf into the row, along it, or out of it; drag the dot on a chip for its strength; press a chip "
        "to set it with the sliders; press an outcome to look at it, and a small picture to take that one."
    )
    still_kind = "jpeg"

    @property
    def code(self) -> str:
        """The code that makes the outcomes."""
        return self.result.code

    def admit(self, state: PipelineState) -> PipelineState:
        """Keep at most ``MAX_CHIPS`` known chips with a letter each, and every number inside its range."""
        chips = _admitted(state.chips)
        good = len(state.names) == len(chips) == len(set(state.names)) and set(state.names) <= set(LETTERS)
        names = state.names if good else LETTERS[: len(chips)]
        preset = state.preset if state.preset in self.presets else self.preset
        return replace(
            state,
            chips=chips,
            names=names,
            picture=state.picture if state.picture in NAMES else NAMES[0],
            seed=_admitted_seed(state.seed),
            fuse=bool(state.fuse),
            chosen=state.chosen if state.chosen and state.chosen in names else names[:1],
            outcome=int(min(max(state.outcome, 0), COPIES - 1)),
            at=(float(state.at[0]), float(state.at[1])),
            before=_admitted_before(state.before),
            task=int(min(max(state.task, 0), len(TASKS[preset]))),
            preset=preset,
        )

    def compute(self, state: PipelineState) -> PipelineResult:
        """Return the result; see ``compute_pipeline``."""
        return compute_pipeline(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return preset, strength and chance of the chosen chip, seed, fusion, and the button for new draws."""
        presets = widgets.Dropdown(options=list(PRESETS), description="preset", layout=widgets.Layout(width="166px"))
        look = {"min": 0.0, "max": 1.0, "step": STEP, "readout_format": ".0%"}
        strength = widgets.FloatSlider(description="strength", layout=widgets.Layout(width="196px"), **look)
        chance = widgets.FloatSlider(description="chance", layout=widgets.Layout(width="186px"), **look)
        seed = widgets.BoundedIntText(min=0, max=LARGEST_SEED, description="seed", layout=widgets.Layout(width="106px"))
        fuse = widgets.Checkbox(description="fuse moves", indent=False, layout=widgets.Layout(width="auto"))
        for widget, width in ((presets, 46), (strength, 56), (chance, 48), (seed, 32)):
            widget.style.description_width = f"{width}px"
        return (
            Control(presets, "preset", apply=lambda _state, preset: PRESETS[preset]),
            Control(strength, "strength", apply=with_strength),
            Control(chance, "chance", apply=with_chance),
            Control(seed, "seed", apply=with_seed),
            Control(fuse, "fuse", apply=with_fuse),
            Action("New draw", lambda state: with_seed(state, (state.seed + 1) % (LARGEST_SEED + 1)), "The next seed"),
        )

    def views(self) -> Sequence[View]:
        """Return shelf and row, the picture, the outcomes, and what was measured."""
        return (
            View("row", draw_row, react_row),
            View("start", draw_start, react_start),
            View("grid", draw_grid, react_grid),
            View("check", draw_check),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return the row above picture and outcomes, and the measurements below."""
        return (("row",), ("start", "grid"), ("check",))

    def sentence(self, state: PipelineState, result: PipelineResult) -> str:
        """Return the pipeline and its main numbers."""
        now, label = result.now, picture(state.picture).label
        names = " → ".join(f"{chip.operation} ({chip.kind.note(chip.strength)})" for chip in state.chips) or "No operation"
        loose = "no box is left" if np.isnan(now.mean_loose) else f"boxes are {now.mean_loose:.1f} times the tight ones"
        wrong = sum(read != label for read in now.reads)
        reads = f", {wrong} do not read as '{label}' any more" if wrong else ""
        n = len(result.warnings)
        rules = "no rule is broken" if n == 0 else "one rule is broken" if n == 1 else f"{n} rules are broken"
        return (
            f"{names} on the picture '{label}', seed {state.seed}: {100 * now.mean_visible:.0f} % of the object is in sight, {loose}, "
            f"of {COPIES} boxes {now.n_dropped} are dropped{reads}, the pixels are resampled {times(now.n_resamplings)}, {rules}."
        )

    def goal(self, state: PipelineState, result: PipelineResult) -> str:
        """Return the task, or what solving it shows."""
        return goal_of(state, result)

    def still(self) -> bytes:
        """Return what is shown now as a picture, the code included."""
        scenes = self.scenes()
        return still_picture(
            [*([scenes[name] for name in row] for row in self.rows()), [_code_scene(self.result.code)]], self.still_kind
        )

    # ---- the code below the views ------------------------------------------------------------------------------

    def _build(self) -> None:
        super()._build()
        self._code = widgets.Textarea(rows=14, layout=widgets.Layout(width="100%", height="262px"))
        self._code.add_class("course-code")
        title = widgets.HTML(
            "<style>.course-code textarea { font-family: var(--jp-code-font-family, monospace); font-size: 12px; }</style>"
            '<p style="margin:6px 0 0 0"><b>The code that makes these pictures</b> (click into it, Ctrl+A, Ctrl+C)</p>'
        )
        status = self.children.index(self._status)
        self.children = [*self.children[: status + 2], title, self._code, *self.children[status + 2 :]]

    def _render(self) -> None:
        super()._render()
        if self._code.value != self.result.code:
            self._code.value = self.result.code


def _code_scene(code: str) -> Scene:
    lines = [line.replace(" ", "\u00a0") for line in code.rstrip().split("\n")]
    texts = Text([[8, 14 + 15 * i] for i in range(len(lines))], lines, size=12)
    return Scene(WIDTH, 15 * len(lines) + 14, None, "The code that makes these pictures.", [texts])


def _admitted(chips: Sequence[Chip]) -> tuple[Chip, ...]:
    known = [chip for chip in chips if chip.operation in OPERATIONS][:MAX_CHIPS]
    return tuple(Chip(chip.operation, on_step(chip.strength), on_step(chip.chance)) for chip in known)


def _admitted_seed(seed: int) -> int:
    return int(min(max(seed, 0), LARGEST_SEED))


def _admitted_before(before: Setting | tuple) -> Setting | tuple:
    if len(before) != 4 or before[2] not in NAMES:
        return ()
    return _admitted(before[0]), bool(before[1]), before[2], _admitted_seed(before[3])
