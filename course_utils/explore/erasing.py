"""Erasing a part of a picture and asking a network again: the pure part of the erasing bench.

A state holds one hole of the reader's, or a random draw of a method, and a fill. ``Eraser.compute`` writes the fill into the
picture with ``augment.RandomErasing``, asks the network, and turns its class activation map into a box with the functions of
``augment.activation_maps``: the bench shows the package, not a copy of it.

A hole is ``(left, top, right, bottom)`` in whole pixels of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.augment.activation_maps import enlarged, maps_of, normalized_maps, piece_boxes
from course_utils.augment.erasing import Cutout, Holes, RandomErasing, covered
from course_utils.augment.hide_and_seek import HideAndSeek
from course_utils.augment.localisation import overlaps_of
from course_utils.training import evaluating

Numbers = tuple[float, ...]

YOURS = "yours"
METHODS = (YOURS, "Random Erasing", "Cutout", "Hide-and-Seek")
FILLS = {"mean": "mean", "black": "black", "white": "white", "noise": "random"}
"""Name on the bench: ``value`` of ``RandomErasing``."""
THRESHOLDS = tuple(k / 50 for k in range(1, 50))
MIN_SIDE = 2
MAX_DRAW = 10_000


@dataclass(frozen=True)
class ErasingState:
    """Everything that the reader can set.

    Attributes
    ----------
    hole : (left, top, right, bottom) or ()
        The reader's own hole.
    method : str
        One of ``METHODS``: whose holes are shown.
    draw : int
        Number of the random draw of a method, from 0.
    fill : str
        A key of ``FILLS``.
    threshold : float
        Of the map, one of ``THRESHOLDS``.
    picture : int
    shown : int
        Class of the map; -1 for the true one.
    draft : (left, top, right, bottom) or None
        A hole that is being drawn.
    overlay : bool
        Lay the map over the picture; without it the second view shows what the network gets.
    task : int
    preset : str
        Where *Reset* leads and which tasks are set.
    """

    hole: Numbers = ()
    method: str = YOURS
    draw: int = 0
    fill: str = "mean"
    threshold: float = 0.2
    picture: int = 0
    shown: int = -1
    draft: Numbers | None = None
    overlay: bool = True
    task: int = 0
    preset: str = "telling part"


@dataclass(frozen=True, eq=False)
class Case:
    """One picture and what is true about it.

    Attributes
    ----------
    image : Tensor of shape (3, H, W), uint8
    label : int
    box : ndarray of shape (4,)
    mask : ndarray of bool, shape (H, W)
        The object's pixels; the box where nothing better is known.
    part : ndarray of shape (4,), or None
        Box of a part that tells the classes apart: the head.
    """

    image: Tensor
    label: int
    box: np.ndarray
    mask: np.ndarray
    part: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class ErasingResult:
    """What follows from a state; K classes, T thresholds.

    Attributes
    ----------
    rectangles : tuple of (left, top, right, bottom)
    erased : ndarray (H, W) of bool
    seen : ndarray (H, W, 3), uint8
        What the network gets.
    scores, scores_before : ndarrays (K,)
        Softmax with the holes and without.
    by_fill : dict of fill -> float
        Score of the true class with each fill.
    map : ndarray (H, W)
        Of the class shown, normalised.
    box : ndarray (4,)
    overlap, overlap_before : float
        IoU of the map's box with the true one, with the holes and without.
    curve, curve_before : ndarrays (T,)
        The same for every threshold.
    hidden, hidden_object, hidden_part : float
        Erased share of the picture, of the object's pixels, and of the part's box (0 without a part).
    """

    rectangles: tuple[Numbers, ...]
    erased: np.ndarray
    seen: np.ndarray
    scores: np.ndarray
    scores_before: np.ndarray
    by_fill: dict[str, float]
    map: np.ndarray
    box: np.ndarray
    overlap: float
    overlap_before: float
    curve: np.ndarray
    curve_before: np.ndarray
    hidden: float
    hidden_object: float
    hidden_part: float


class Eraser:
    """A network, some pictures, and what it says about them with holes.

    Parameters
    ----------
    network : nn.Module
        With ``features`` and a linear ``classifier``, as ``training.SmallCNN``.
    cases : sequence of Case
        Of one size.
    class_names : sequence of K str
    mean : sequence of 3 floats
        Fill "mean".
    prepare : callable
        Images (B, 3, H, W), uint8, to the network's input.
    """

    def __init__(
        self,
        network: nn.Module,
        cases: Sequence[Case],
        class_names: Sequence[str],
        mean: Sequence[float],
        prepare: Callable[[Tensor], Tensor],
    ) -> None:
        self.network, self.cases, self.class_names, self.prepare = network, tuple(cases), tuple(class_names), prepare
        self.height, self.width = self.cases[0].image.shape[-2:]
        self.fillers = {name: RandomErasing(value=value, mean=tuple(mean)) for name, value in FILLS.items()}
        side = min(self.height, self.width)
        self.methods = {
            "Random Erasing": RandomErasing(value="mean"),
            "Cutout": Cutout(length=side // 2),
            "Hide-and-Seek": HideAndSeek(cell_sizes=tuple(max(side // n, 1) for n in (8, 6, 4))),
        }
        self._whole: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def admit(self, state: ErasingState) -> ErasingState:
        """Keep every value inside its range: whole pixels, holes inside the picture."""
        picture = min(max(int(state.picture), 0), len(self.cases) - 1)
        shown = int(state.shown)
        return replace(
            state,
            hole=self._inside(state.hole) if len(state.hole) == 4 else (),
            method=state.method if state.method in METHODS else YOURS,
            draw=min(max(int(state.draw), 0), MAX_DRAW),
            fill=state.fill if state.fill in FILLS else next(iter(FILLS)),
            threshold=THRESHOLDS[min(max(round(50 * state.threshold) - 1, 0), len(THRESHOLDS) - 1)],
            picture=picture,
            shown=shown if 0 <= shown < len(self.class_names) else -1,
            draft=None if state.draft is None else tuple(map(float, state.draft)),
            task=max(int(state.task), 0),
        )

    def _inside(self, hole: Numbers) -> Numbers:
        left, top, right, bottom = (math.floor(value + 0.5) for value in hole)
        (left, right), (top, bottom) = _span(left, right, self.width), _span(top, bottom, self.height)
        return (left, top, right, bottom)

    def rectangles(self, state: ErasingState) -> Tensor:
        """Return the holes of a state as (R, 4): top, left, height, width."""
        if state.method == YOURS:
            if not state.hole:
                return torch.zeros(0, 4, dtype=torch.long)
            left, top, right, bottom = map(int, state.hole)
            return torch.tensor([[top, left, bottom - top, right - left]])
        generator = torch.Generator().manual_seed(state.draw)
        params = self.methods[state.method].sample(1, (3, self.height, self.width), generator)
        if isinstance(params, Holes):
            return params.rectangles[0]
        side = int(params.cell_sizes[0])
        first = params.hidden[0].nonzero() * side
        limit = torch.tensor([self.height, self.width])
        inside = (first < limit).all(1)  # a grid of large cells uses the first ones only
        first = first[inside]
        return torch.cat([first, (first + side).minimum(limit) - first], dim=1)

    def compute(self, state: ErasingState) -> ErasingResult:
        """Return what the network says about the picture with the state's holes."""
        case = self.cases[state.picture]
        shown = case.label if state.shown < 0 else state.shown
        rectangles = self.rectangles(state)
        generator = torch.Generator().manual_seed(state.draw)
        noise = torch.randint(0, 256, (1, *case.image.shape), dtype=torch.uint8, generator=generator)
        holes = Holes(rectangles[None], noise)
        filled = {name: filler.apply(case.image[None], holes) for name, filler in self.fillers.items()}
        scores, maps = self._ask(torch.cat(list(filled.values())), shown)
        place = list(filled).index(state.fill)
        now = normalized_maps(maps[place : place + 1])[0]
        scores_before, curve_before = self._before(state.picture, shown)
        curve, at = self._curve(now, case), THRESHOLDS.index(state.threshold)
        erased = covered(rectangles[None], self.height, self.width)[0, 0].numpy()
        return ErasingResult(
            rectangles=tuple((x, y, x + w, y + h) for y, x, h, w in rectangles.tolist()),
            erased=erased,
            seen=np.ascontiguousarray(filled[state.fill][0].permute(1, 2, 0).numpy()),
            scores=scores[place],
            scores_before=scores_before,
            by_fill={name: float(scores[k, case.label]) for k, name in enumerate(filled)},
            map=now,
            box=piece_boxes(now, state.threshold)[0],
            overlap=float(curve[at]),
            overlap_before=float(curve_before[at]),
            curve=curve,
            curve_before=curve_before,
            hidden=float(erased.mean()),
            hidden_object=_share(erased, case.mask),
            hidden_part=_share(erased, _pixels_of(case.part, erased.shape)),
        )

    def _ask(self, images: Tensor, shown: int) -> tuple[np.ndarray, np.ndarray]:
        """Return scores (B, K) and maps (B, H, W) of images (B, 3, H, W)."""
        device = next(self.network.parameters()).device
        with torch.no_grad(), evaluating(self.network):
            features = self.network.features(self.prepare(images).to(device))
            logits = self.network.classifier(features.mean((2, 3)))
            classes = torch.full((len(images),), shown, device=device)
            maps = enlarged(maps_of(features, self.network.classifier.weight, classes), (self.height, self.width))
        return logits.softmax(1).double().cpu().numpy(), maps.double().cpu().numpy()

    def _before(self, picture: int, shown: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores of a whole picture, and its map's curve of overlaps."""
        if (picture, shown) not in self._whole:
            scores, maps = self._ask(self.cases[picture].image[None], shown)
            self._whole[picture, shown] = scores[0], self._curve(normalized_maps(maps)[0], self.cases[picture])
        return self._whole[picture, shown]

    @staticmethod
    def _curve(one: np.ndarray, case: Case) -> np.ndarray:
        boxes = np.stack([piece_boxes(one, threshold)[0] for threshold in THRESHOLDS])
        return overlaps_of(boxes, np.asarray(case.box, float)[None])[:, 0]


def _span(first: int, last: int, limit: int) -> tuple[int, int]:
    """Order two ends, keep them inside 0..limit and at least ``MIN_SIDE`` apart."""
    first, last = min(first, last), max(first, last)
    first = min(max(first, 0), limit - MIN_SIDE)
    return first, min(max(last, first + MIN_SIDE), limit)


def _pixels_of(box: Any, shape: tuple[int, int]) -> np.ndarray:
    """Return the mask of the pixels whose middle lies in a box; none without one."""
    if box is None:
        return np.zeros(shape, bool)
    i, j = np.mgrid[: shape[0], : shape[1]] + 0.5
    return (j >= box[0]) & (j < box[2]) & (i >= box[1]) & (i < box[3])


def _share(erased: np.ndarray, mask: np.ndarray) -> float:
    return float(erased[mask].mean()) if mask.any() else 0.0
