"""Mixing two to four pictures by hand: the pure part of the mixer bench.

A state says which pictures are mixed, by which method, and where: a box that may stick out, a spot, a meeting point, a ratio,
strokes of a brush, or the number of a draw. ``Bench.compute`` turns it into a ``MixPlan`` of ``course_utils.augment``, mixes image
and label by it, and asks a network: the bench shows the package, not a copy of it. The label is whatever the plan's weights say,
and ``label_error`` says whether the mixture holds what the label says.

A box and a stroke are ``(left, top, right, bottom)`` in whole pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.augment.cutmix import CutMixParams
from course_utils.augment.mixing import MixPlan, label_mass_error, soft_labels
from course_utils.augment.mixup import Lambda, MixUp, SamplePairing
from course_utils.augment.pasting import PastePlan
from course_utils.augment.ricap import RICAP, RICAPParams
from course_utils.augment.smoothmix import Bump, SmoothMix
from course_utils.augment.ways_of_mixing import MixedExample, mixed_example_methods
from course_utils.explore.canvas import Event
from course_utils.training import evaluating

Numbers = tuple[float, ...]

CUT, SMOOTH, SQUARE, PATCH, BLEND, PAIRING, PAINT = (
    "CutMix",
    "SmoothMix",
    "SmoothMix, square",
    "RICAP",
    "Mixup",
    "SamplePairing",
    "brush",
)
WAYS = mixed_example_methods
METHODS = (CUT, SMOOTH, SQUARE, PATCH, BLEND, PAIRING, PAINT, *WAYS)
CORNERS = {"nw": (0, 1), "ne": (2, 1), "sw": (0, 3), "se": (2, 3)}
MIN_SIDE, MAX_STROKES, MAX_DRAW = 2, 60, 10_000


@dataclass(frozen=True)
class MixerState:
    """Everything that the reader can set.

    Attributes
    ----------
    preset : str
        The method, one of ``METHODS``; *Reset* leads to its start.
    pictures : (int, int, int, int)
        Which pictures are mixed; methods with two images take the first two.
    box : (left, top, right, bottom)
        Of ``CutMix``, before it is cut off at the border.
    point : (x, y)
        Centre of both shapes of ``SmoothMix``, meeting point of ``RICAP``.
    ratio : float
        In [0, 1]: lam of ``Mixup`` and of the ways of mixing; of ``CutMix`` and of the square of ``SmoothMix``, 1 minus the area
        of the box before it is cut off; the width of the spot of ``SmoothMix``, from its smallest to its largest.
    strokes : tuple of (left, top, right, bottom)
        Of the brush: where the second picture is seen.
    draft : (left, top, right, bottom) or None
        What is being drawn.
    draw : int
        Number of the random draw of a way of mixing (all but lam), and of the places of RICAP's crops.
    masked : bool
        Show the mask in place of the mixture: white is the first picture.
    """

    preset: str = CUT
    pictures: tuple[int, int, int, int] = (0, 1, 2, 3)
    box: Numbers = (24.0, 6.0, 56.0, 34.0)
    point: Numbers = (20.0, 30.0)
    ratio: float = 0.6
    strokes: tuple[Numbers, ...] = ()
    draft: Numbers | None = None
    draw: int = 0
    masked: bool = False

    @property
    def n_images(self) -> int:
        """Number of pictures that the method mixes."""
        return 4 if self.preset == PATCH else 2


@dataclass(frozen=True, eq=False)
class MixerResult:
    """What follows from a state; k images, K classes.

    Attributes
    ----------
    mixed : ndarray (H, W, 3), uint8
    share : ndarray (H, W), float32
        The part of the first picture, place by place.
    weights : ndarray (k,)
        What each label counts: the means of the masks.
    raw : float or None
        For ``CutMix``: what the first label would count if nobody noticed that the box was cut off.
    labels : tuple of k int
        Classes of the images.
    soft, scores : ndarrays (K,)
        The mixed label, and what the network says about the mixed picture.
    kept : tuple of (left, top, right, bottom)
        Of ``CutMix``: the box after it was cut off.
    error : float
        The label-mass error of the plan, from 0 to 1; see ``label_error``.
    """

    mixed: np.ndarray
    share: np.ndarray
    weights: np.ndarray
    raw: float | None
    labels: tuple[int, ...]
    soft: np.ndarray
    scores: np.ndarray
    kept: Numbers
    error: float


def label_error(plan: MixPlan, n: int, size: tuple[int, int]) -> float:
    """Return the ``label_mass_error`` of one plan over ``n`` pictures of ``size`` (H, W).

    Where every channel has a mask of its own, a class that is one channel is no witness; then each class is white in all.
    """

    def mix(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if plan.shares.shape[2] == 1:
            return plan.images(images), plan.labels(soft_labels(labels, n))
        whites = images[:, :, None].expand(-1, -1, plan.shares.shape[2], -1, -1).unbind(1)  # n times (n, C, H, W)
        return torch.stack([plan.images(white).mean(1) for white in whites], dim=1), plan.labels(soft_labels(labels, n))

    return label_mass_error(mix, n, size)


class Bench:
    """A network, some pictures, and what it says about their mixtures.

    Parameters
    ----------
    network : nn.Module
        From images (B, 3, H, W), prepared, to logits (B, K).
    images : Tensor of shape (N, 3, H, W), uint8, N at least 4
    labels : sequence of N int
    class_names : sequence of K str
    prepare : callable
        Images (B, 3, H, W), uint8, to the network's input.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Sequence[int],
        class_names: Sequence[str],
        prepare: Callable[[Tensor], Tensor],
    ) -> None:
        self.network, self.images, self.prepare = network, images, prepare
        self.labels, self.class_names = tuple(map(int, labels)), tuple(class_names)
        self.height, self.width = images.shape[-2:]

    def admit(self, state: MixerState) -> MixerState:
        """Keep every value inside its range: whole pixels, the middle of the box inside the picture."""
        last = len(self.images) - 1
        preset, box = state.preset if state.preset in METHODS else CUT, self._box(state.box)
        ratio = 1 - (box[2] - box[0]) * (box[3] - box[1]) / (self.width * self.height) if preset == CUT else state.ratio
        return replace(
            state,
            preset=preset,
            pictures=tuple(min(max(int(i), 0), last) for i in state.pictures),
            box=box,
            point=(
                float(min(max(round(state.point[0]), 0), self.width)),
                float(min(max(round(state.point[1]), 0), self.height)),
            ),
            ratio=float(min(max(ratio, 0.0), 1.0)),
            strokes=tuple(self._inside(one) for one in state.strokes[-MAX_STROKES:]),
            draft=None if state.draft is None else tuple(map(float, state.draft)),
            draw=min(max(int(state.draw), 0), MAX_DRAW),
        )

    def _box(self, box: Numbers) -> Numbers:
        left, top, right, bottom = (float(math.floor(value + 0.5)) for value in box)
        width, height = max(right - left, MIN_SIDE), max(bottom - top, MIN_SIDE)
        x, y = (left + right) / 2, (top + bottom) / 2
        dx, dy = min(max(x, 0), self.width) - x, min(max(y, 0), self.height) - y
        left, top = math.floor(left + dx), math.floor(top + dy)
        return (float(left), float(top), float(left + width), float(top + height))

    def _inside(self, one: Numbers) -> Numbers:
        left, top, right, bottom = (math.floor(value + 0.5) for value in one)
        x = sorted((min(max(left, 0), self.width), min(max(right, 0), self.width)))
        y = sorted((min(max(top, 0), self.height), min(max(bottom, 0), self.height)))
        return (float(x[0]), float(y[0]), float(x[1]), float(y[1]))

    def plan(self, state: MixerState) -> MixPlan:
        """Return the plan of the one mixture that a state describes."""
        shape = (3, self.height, self.width)
        partners = torch.tensor([state.pictures[: state.n_images]])
        centre = torch.tensor([[min(int(state.point[1]), self.height - 1), min(int(state.point[0]), self.width - 1)]])
        generator = torch.Generator().manual_seed(state.draw)
        if state.preset == CUT:
            left, top, right, bottom = map(int, self._inside(state.box))
            whole = [0, 0, self.height, self.width]
            return PastePlan(partners, torch.tensor([[whole, [top, left, bottom - top, right - left]]]), shape[1:])
        if state.preset == SMOOTH:
            low, high = SmoothMix().sigma
            return SmoothMix().plan(partners, Bump(centre, torch.tensor([low + state.ratio * (high - low)])), shape)
        if state.preset == SQUARE:
            return SmoothMix("square").plan(partners, CutMixParams(torch.tensor([state.ratio]), centre), shape)
        if state.preset == PATCH:
            cross = torch.tensor([[int(state.point[1]), int(state.point[0])]])
            sizes = RICAPParams(cross, torch.zeros(1, 4, 2, dtype=torch.long)).rectangles(shape[1:])[..., 2:]
            room = torch.tensor(shape[1:]) - sizes + 1
            starts = (torch.rand(1, 4, 2, generator=generator) * room).long().minimum(room - 1)
            return RICAP().plan(partners, RICAPParams(cross, starts), shape)
        if state.preset == BLEND:
            return MixUp().plan(partners, Lambda(torch.tensor([state.ratio])), shape)
        if state.preset == PAIRING:
            return SamplePairing().plan(partners, SamplePairing().sample(1, shape), shape)
        if state.preset == PAINT:
            second = torch.zeros(shape[1:], dtype=torch.bool)
            for left, top, right, bottom in state.strokes:
                second[int(top) : int(bottom), int(left) : int(right)] = True
            return MixPlan(partners, ~second[None, None, None])
        mixer = MixedExample(state.preset)
        recipe = replace(mixer.sample(1, shape, generator), lam=torch.tensor([state.ratio]))
        return mixer.plan(partners, recipe, shape)

    def compute(self, state: MixerState) -> MixerResult:
        """Return the mixed picture, its label, and what the network says about it."""
        plan = self.plan(state)
        mixed = plan.images(self.images)
        one_hot = torch.eye(len(self.class_names), dtype=torch.float64)[list(self.labels)]
        device = next(self.network.parameters()).device
        with torch.no_grad(), evaluating(self.network):
            scores = self.network(self.prepare(mixed).to(device)).softmax(1)[0]
        return MixerResult(
            mixed=np.ascontiguousarray(mixed[0].permute(1, 2, 0).numpy()),
            share=plan.shares[0, 0].float().mean(0).expand(self.height, self.width).numpy(),
            weights=plan.weights[0].double().numpy(),
            raw=state.ratio if state.preset == CUT else None,
            labels=tuple(self.labels[i] for i in plan.partners[0].tolist()),
            soft=plan.labels(one_hot)[0].numpy(),
            scores=scores.double().cpu().numpy(),
            kept=self._inside(state.box),
            error=label_error(plan, len(self.images), (self.height, self.width)),
        )


def presets(height: int, width: int) -> dict[str, MixerState]:
    """Return where each method begins, on pictures of ``height`` x ``width`` pixels."""
    box = (0.55 * width, 0.1 * height, 1.2 * width, 0.75 * height)
    stroke = (0.5 * width, 0.0, 1.0 * width, 0.5 * height)
    start = MixerState(box=box, point=(0.4 * width, 0.6 * height), strokes=(stroke,))
    return {method: replace(start, preset=method) for method in METHODS}


# ---- what the reader does --------------------------------------------------------------------------------------------


def react_mixture(state: MixerState, event: Event) -> MixerState:
    """Return the state after something happened on the mixture: a box or a stroke drawn, a handle dragged."""
    if event.kind == "brush" and event.box is not None and state.preset in (CUT, PAINT):
        left, right, bottom, top = event.box
        return replace(state, draft=(left, min(bottom, top), right, max(bottom, top)))
    if event.kind == "release" and state.draft is not None:
        left, top, right, bottom = state.draft
        if right - left < 1 or bottom - top < 1:
            return replace(state, draft=None)
        if state.preset == CUT:
            return replace(state, draft=None, box=state.draft)
        return replace(state, draft=None, strokes=(*state.strokes, state.draft))
    if event.kind != "move":
        return state
    if event.name == "point":
        return replace(state, point=(event.x, event.y))
    if event.name == "box":
        left, top, right, bottom = state.box
        wide, tall = right - left, bottom - top
        x, y = math.floor(event.x - wide / 2 + 0.5), math.floor(event.y - tall / 2 + 0.5)
        return replace(state, box=(x, y, x + wide, y + tall))
    if event.name in CORNERS:
        i, j = CORNERS[event.name]
        box = list(state.box)
        box[i], box[j] = event.x, event.y
        large = box[2] - box[0] >= MIN_SIDE and box[3] - box[1] >= MIN_SIDE
        return replace(state, box=tuple(box)) if large else state
    return state


def react_shelf(state: MixerState, event: Event) -> MixerState:
    """Return the state after a thumbnail was pressed: it becomes the second picture, and the second one the first."""
    if event.kind != "press" or event.name[:1] != "t":
        return state
    chosen = int(event.name[1:])
    if chosen == state.pictures[1]:
        return state
    rest = [i for i in (*state.pictures, 0, 1, 2, 3) if i not in (chosen, state.pictures[1])]
    return replace(state, pictures=(state.pictures[1], chosen, rest[0], rest[1] if len(rest) > 1 else rest[0]))


def with_ratio(state: MixerState, ratio: float, height: int, width: int) -> MixerState:
    """Return the state with another ratio; the box of ``CutMix`` gets the sides that the paper gives it, around its middle."""
    if state.preset != CUT:
        return replace(state, ratio=ratio)
    x, y = (state.box[0] + state.box[2]) / 2, (state.box[1] + state.box[3]) / 2
    side = math.sqrt(max(1 - ratio, 0.0)) / 2
    return replace(state, box=(x - side * width, y - side * height, x + side * width, y + side * height))


def title_of(method: str) -> str:
    """Return what a method is called on the bench."""
    return f"way: {method.replace('_', ' ')}" if method in WAYS else method


def redrawn(state: MixerState) -> MixerState:
    """Return the state with the next random draw."""
    return replace(state, draw=(state.draw + 1) % MAX_DRAW)
