"""Mixer bench: mix pictures by hand, and watch the label and a network's answer follow.

The reader draws and drags the box of CutMix, moves the spot or the square of SmoothMix or the meeting point of RICAP, sets the
ratio of Mixup, pairs two pictures, paints with a brush, or lets one of sixteen ways of mixing draw. The bar shows the label, which
is the mean of the mask; for CutMix a second bar shows what it would be if nobody noticed that the box was cut off at the border.
Below stand the mask and the label-mass error: methods whose label is not the mean of the mask are found at once.

Taught in ``16_cutting_and_pasting``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from torch import Tensor, nn

from course_utils.checks import checked_array, message
from course_utils.explore.base import Action, Control, PresetExplorer, Scheduler, View
from course_utils.explore.erasing_cases import default_cases, default_network
from course_utils.explore.mixer import (
    BLEND,
    CUT,
    METHODS,
    PAINT,
    PAIRING,
    PATCH,
    SMOOTH,
    SQUARE,
    Bench,
    MixerResult,
    MixerState,
    presets,
    react_mixture,
    react_shelf,
    redrawn,
    title_of,
    with_ratio,
)
from course_utils.explore.mixer_views import label_scene, mixture_scene, shelf_scene
from course_utils.training import standardize

HALF = 0.02
"""How near to one half a label has to be for the task of the brush."""


OWN_RULE = {
    PAIRING: "Half of what you see is the second picture, and the label does not count it: that is the method, and its risk.",
    "noisy_mixup": "The label is lam, and the noise of the mask averages out, nearly: the error is small, but it is not 0.",
    **dict.fromkeys(
        ("bc_plus", "vh_bc_plus"),
        "The picture with less contrast gets more, and the label does not follow: it stays what lam says. Look at the error.",
    ),
}
"""What is special about the methods whose label is not the mean of what is seen."""


def goal_of(state: MixerState, result: MixerResult) -> str:
    """Return the task that fits to the method, or what it shows."""
    first = result.weights[0]
    if state.preset == CUT:
        off = abs(result.raw - first)
        if off < 0.005:
            return "The whole box is inside, so both bars agree. Task: push the box over the border by its middle."
        return f"A part of the box is cut off: raw lambda puts {100 * off:.0f} % of the label on the wrong picture."
    if state.preset == PATCH:
        shown = int((result.weights > 0).sum())
        if shown < 4:
            return f"Only {shown} of four pictures are left, and the label knows: rectangles without a pixel count 0."
        return "Task: drag the point to the border, until fewer than four pictures are left."
    if state.preset in (BLEND, "mixup"):
        return "Task: find the ratio at which the network changes its mind. Is it one half?"
    if state.preset == PAINT:
        if abs(first - 0.5) < HALF:
            return "Done: the label is half and half, whatever the shape of what you painted."
        return "Task: paint, stroke by stroke, until the label is half and half."
    if state.preset in (SMOOTH, SQUARE):
        what = "spot" if state.preset == SMOOTH else "square"
        return f"Task: move the {what} into a corner. What happens to the label, and why?"
    return OWN_RULE.get(state.preset, "Press *Next draw*. The label is the share of the pixels, wherever they are.")


class MixerBench(PresetExplorer):
    """Mixture, shelf and label, linked.

    Parameters
    ----------
    preset : str, optional
        The method to begin with: "CutMix", "SmoothMix", "SmoothMix, square", "RICAP", "Mixup", "SamplePairing", "brush", or one of
        ``augment.mixed_example_methods``.
    model : nn.Module, optional
        From prepared images to logits. Default: a small network that names creatures; it is trained once and kept in the
        cache folder.
    images : Tensor of shape (N, 3, H, W), uint8, N from 4 to 8, optional
        The reader's own pictures. Needs ``model``, ``labels`` and ``class_names``.
    labels : sequence of N int, optional
    class_names : sequence of K str, optional
    prepare : callable, optional
        Images (B, 3, H, W), uint8, to the model's input; ``training.standardize`` by default.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    TypeError, ValueError
        If pictures come without what they need, shapes do not fit, a label has no name, or ``preset`` is unknown.
    """

    css_class = "explorer-mixer"
    help_text = "Drag on the mixture to draw a box or to paint; drag a handle; press a picture to mix it next."
    still_kind = "jpeg"

    def __init__(
        self,
        preset: str | None = None,
        *,
        model: nn.Module | None = None,
        images: Any = None,
        labels: Any = None,
        class_names: Sequence[str] | None = None,
        prepare: Callable[[Tensor], Tensor] = standardize,
        scheduler: Scheduler | None = None,
    ) -> None:
        if images is None:
            cases, names, _ = default_cases()
            pictures, classes = torch.stack([case.image for case in cases]), [case.label for case in cases]
            network = default_network() if model is None else model
        else:
            if model is None or labels is None or class_names is None:
                raise ValueError(message("images", "given together with model, labels and class_names", "without"))
            pictures = torch.from_numpy(checked_array(images, "images", ("N", 3, "H", "W"), np.uint8))
            if not 4 <= len(pictures) <= 8 or min(pictures.shape[2:]) < 16:
                raise ValueError(
                    message("images", "4 to 8 pictures of at least 16 x 16 pixels", f"shape {tuple(pictures.shape)}")
                )
            classes, names, network = checked_array(labels, "labels", (len(pictures),), np.int64), tuple(class_names), model
            if classes.min() < 0 or classes.max() >= len(names):
                raise ValueError(message("labels", f"from 0 to {len(names) - 1}, the names of classes", str(classes.tolist())))
        self.bench = Bench(network, pictures, classes, names, prepare)
        self.presets = {name: self.bench.admit(s) for name, s in presets(self.bench.height, self.bench.width).items()}
        super().__init__(preset, scheduler)

    def admit(self, state: MixerState) -> MixerState:
        """Keep every value inside its range."""
        return self.bench.admit(state)

    def compute(self, state: MixerState) -> MixerResult:
        """Return the result; see ``Bench.compute``."""
        return self.bench.compute(state)

    def controls(self) -> Sequence[Control | Action]:
        """Return method, ratio, the mask, the next draw, and the empty brush."""
        options = [(title_of(method), method) for method in METHODS]
        method = widgets.Dropdown(options=options, description="method", layout=widgets.Layout(width="240px"))
        ratio = widgets.FloatSlider(min=0, max=1, step=0.01, description="ratio, width", readout_format=".2f")
        ratio.layout.width = "300px"
        mask = widgets.Checkbox(description="show the mask", indent=False, layout=widgets.Layout(width="auto"))
        method.style.description_width, ratio.style.description_width = "54px", "76px"
        return (
            Control(method, "preset", apply=lambda s, name: replace(self.presets[name], pictures=s.pictures)),
            Control(ratio, "ratio", apply=lambda s, value: with_ratio(s, value, self.bench.height, self.bench.width)),
            Control(mask, "masked"),
            Action("Next draw", redrawn, "Other crops of RICAP, another draw of a way of mixing"),
            Action("Clear the brush", lambda s: replace(s, strokes=()), "Show the first picture alone"),
        )

    def views(self) -> Sequence[View]:
        """Return mixture, shelf and label."""
        bench = self.bench
        return (
            View("mixture", mixture_scene, react_mixture),
            View("shelf", lambda s, r: shelf_scene(s, r, bench.images, bench.class_names, bench.labels), react_shelf),
            View("label", lambda s, r: label_scene(s, r, bench.class_names)),
        )

    def rows(self) -> Sequence[Sequence[str]]:
        """Return mixture and label above the shelf."""
        return (("mixture", "label"), ("shelf",))

    def sentence(self, state: MixerState, result: MixerResult) -> str:
        """Return what is mixed, the label, and what the network says."""
        names = self.bench.class_names
        parts = " and ".join(f"{100 * w:.0f} % {names[k]}" for k, w in zip(result.labels, result.weights) if w > 0)
        best = int(result.scores.argmax())
        raw = f" (raw lambda would say {100 * result.raw:.0f} % for the first)" if result.raw is not None else ""
        says = f"the label is {parts}{raw}, its error is {result.error:.2f}, and the network says {names[best]}"
        return f"By {title_of(state.preset).removeprefix('way: ')} {says}."

    def goal(self, state: MixerState, result: MixerResult) -> str:
        """Return the task, or what it shows."""
        return goal_of(state, result)
