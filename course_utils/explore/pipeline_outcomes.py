"""What comes out of a row of augmentations, and what was measured: one picture, ``COPIES`` times, as a batch.

Every copy gets its own draws, all of them from one seed, in the order in which ``v2.Compose`` draws; so the code that the bench
writes makes the same pictures. Box, mask and key points move with the pixels, by the same ``GeometryPlan``. Measured about one
outcome:

- *visible*: the share of the object's pixels that are still in the picture, after every step;
- *loose*: the area of the box over the area of the tight box around the moved mask. The box is the hull of the moved box;
- *reads*: the class of what the picture shows now (``pipeline_pictures``);
- *resamplings*: how often its pixels were read between pixels. A flip or a shift by whole pixels copies.

The *effect of the order* replays the same draws with two neighbours exchanged.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from course_utils import augment
from course_utils.augment.resample import exact_rows
from course_utils.augment.sampling import Draw, RandomTransform, rows
from course_utils.augment.targets import box_area
from course_utils.explore.pipeline_operations import MEAN, MIN_VISIBILITY, STD, Chip, built, stretches
from course_utils.explore.pipeline_pictures import SIDES, SIZE, BenchPicture, picture, read_frame

COPIES = 8
N_PROBES = 200  # pixels of the object that are followed, at most
SAME_LEVELS = 1  # grey levels of rounding that do not count as a difference

Setting = tuple[tuple[Chip, ...], bool, str, int]
"""Chips, fused or not, name of the picture, seed: all that decides about the outcomes."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The ``COPIES`` outcomes of a setting, and what was measured.

    Attributes
    ----------
    pixels : ndarray of shape (8, SIZE, SIZE, 3), uint8
        To be looked at: a normalisation is taken back.
    images : ndarray of shape (8, 3, SIZE, SIZE), uint8 or float32
        As the pipeline returns them.
    boxes : ndarray of shape (8, 4)
        Clipped to the picture; of a dropped one too.
    kept : ndarray of shape (8,), bool
    masks : ndarray of shape (8, SIZE, SIZE), bool
    keypoints : ndarray of shape (8, 7, 2)
    visible, loose : ndarray of shape (8,)
        ``loose`` is NaN where there is no box or no mask.
    reads : tuple of 8 strings
    resamplings : ndarray of shape (8,), int
    folded : ndarray of shape (8,), bool
        The elastic map folds: places of the picture are shown twice.
    refused : str
        What the library says against the pipeline, or "". The steps from that chip on are not done.
    refused_at : int
        Place of the chip that is refused, or -1.
    """

    pixels: np.ndarray
    images: np.ndarray
    boxes: np.ndarray
    kept: np.ndarray
    masks: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray
    loose: np.ndarray
    reads: tuple[str, ...]
    resamplings: np.ndarray
    folded: np.ndarray
    refused: str = ""
    refused_at: int = -1

    @property
    def mean_visible(self) -> float:
        """Mean share of the object in sight."""
        return float(self.visible.mean())

    @property
    def mean_loose(self) -> float:
        """Mean of box area over tight area, of the boxes that are kept; NaN without one."""
        known = self.loose[~np.isnan(self.loose)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def n_dropped(self) -> int:
        """Outcomes without a box."""
        return int((~self.kept).sum())

    @property
    def n_resamplings(self) -> int:
        """Most often that the pixels of one outcome were read between pixels."""
        return int(self.resamplings.max())


@dataclass(frozen=True, eq=False)
class OrderEffect:
    """Two neighbours, the one way and the other, with the same draws.

    Attributes
    ----------
    place : int
        Of the first of the two, counted from 0.
    other : Outcomes
        With the two exchanged; as many outcomes as were asked for.
    differ : float
        Share of their pixels that differ.
    refused : bool
        The library refuses the other way; then ``other`` is as it was.
    """

    place: int
    other: Outcomes
    differ: float
    refused: bool = False


@lru_cache(maxsize=128)
def outcomes(setting: Setting) -> Outcomes:
    """Return the outcomes of a setting."""
    _, fuse, name, _ = setting
    drawn, refused, refused_at = _drawn(setting)
    return _played(drawn, fuse, picture(name), COPIES, refused, refused_at)


@lru_cache(maxsize=128)
def order_effect(setting: Setting, place: int, outcome: int | None = None) -> OrderEffect:
    """Return what changes if the chips at ``place`` and ``place + 1`` change places, with the same draws.

    Parameters
    ----------
    outcome : int, optional
        Look at this one; default: at all of them.
    """
    now, drawn = outcomes(setting), list(_drawn(setting)[0])
    pixels = now.pixels if outcome is None else now.pixels[outcome : outcome + 1]
    if outcome is not None:
        drawn = [_one_copy(one, outcome) for one in drawn]
    drawn[place], drawn[place + 1] = drawn[place + 1], drawn[place]
    last = next((i for i, one in enumerate(drawn) if one.draw is None), len(drawn))
    if any(not one.chip.moves for one in drawn[last + 1 :]):
        return OrderEffect(place, now, 0.0, refused=True)
    other = _played(drawn, setting[1], picture(setting[2]), len(pixels))
    gap = np.abs(other.pixels.astype(np.int16) - pixels)
    return OrderEffect(place, other, float((gap.max(-1) > SAME_LEVELS).mean()))


# ---- drawing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Drawn:
    """One chip with what was drawn for it: a map of every copy for a move, parameters for a colour."""

    chip: Chip
    transform: v2.Transform
    draw: Draw | None = None
    plan: augment.GeometryPlan | None = None


@lru_cache(maxsize=16)
def _drawn(setting: Setting) -> tuple[tuple[_Drawn, ...], str, int]:
    """Draw for every chip, in the order of ``v2.Compose``; stop where the library refuses."""
    chips, fuse, name, seed = setting
    generator = torch.Generator().manual_seed(seed)
    images = picture(name).image.expand(COPIES, -1, -1, -1)
    done: list[_Drawn] = []
    normalised = False
    for step in stretches(chips, fuse):
        parts = tuple(chips[i] for i in step)
        transforms = built(parts)
        if len(step) > 1:
            chain = transforms[0]
            steps = chain.sample_steps(COPIES, tuple(images.shape[1:]), generator)
            for chip, transform, (active, params) in zip(parts, chain.transforms, steps):
                plan = transform.plan(params, (SIZE, SIZE)).only(active)
                done.append(_Drawn(chip, transform, Draw(active, rows(params, active)), plan))
        elif not parts[0].kind.transform:
            normalised = True
            done.append(_Drawn(parts[0], v2.Compose(list(transforms))))
        else:
            transform = transforms[0]
            refused = _refusal(transform, images) if normalised and not parts[0].moves else ""
            if refused:
                return tuple(done), refused, step[0]
            draw = transform.draw(images, generator)
            done.append(_Drawn(parts[0], transform, draw, _full_plan(transform, draw) if parts[0].moves else None))
    return tuple(done), "", -1


def _refusal(transform: RandomTransform, images: Tensor) -> str:
    """Return what a transform says against normalised images, or ""."""
    try:
        with torch.random.fork_rng(devices=()):  # the reader's own random numbers stay as they are
            transform(v2.functional.normalize(images.float() / 255, MEAN, STD))
    except ValueError as problem:
        return str(problem)
    return ""


def _full_plan(transform: augment.SpatialTransform, draw: Draw) -> augment.GeometryPlan:
    """Return the maps of all copies: those of the active ones, and the identity."""
    plan = augment.GeometryPlan.identity(COPIES, (SIZE, SIZE))
    if not bool(draw.active.any()):
        return plan
    moved = transform.plan(draw.params, (SIZE, SIZE))
    matrix = plan.matrix.clone()
    matrix[draw.active] = moved.matrix
    displacement = None
    if moved.displacement is not None:
        displacement = moved.displacement.new_zeros(COPIES, *moved.displacement.shape[1:])
        displacement[draw.active] = moved.displacement
    return replace(plan, matrix=matrix, displacement=displacement)


def _one_copy(one: _Drawn, copy: int) -> _Drawn:
    """Return the draw of one copy."""
    if one.draw is None:
        return one
    before = int(one.draw.active[:copy].sum())
    active = one.draw.active[copy : copy + 1]
    params = rows(one.draw.params, slice(before, before + int(active.sum())))
    plan = None if one.plan is None else one.plan[copy : copy + 1]
    return replace(one, draw=Draw(active, params), plan=plan)


# ---- doing what was drawn ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Truth:
    """All that lies on the copies of a picture and moves with them.

    ``boxes`` (B, 1, 4), ``masks`` (B, H, W), ``keypoints`` (B, 7, 2), ``frame`` (B, 3, 2), ``probes`` (B, P, 2) with ``alive``
    (B, P): was in the picture after every step; ``resamplings`` and ``folded`` (B,).
    """

    boxes: Tensor
    masks: Tensor
    keypoints: Tensor
    frame: Tensor
    probes: Tensor
    alive: Tensor
    resamplings: Tensor
    folded: Tensor

    @classmethod
    def of(cls, toy: BenchPicture, copies: int) -> _Truth:
        """Return the truth of a picture, for so many copies."""
        probes = _probes(toy.name)
        parts = (toy.box, toy.mask, toy.keypoints, toy.frame, probes, torch.ones(len(probes), dtype=torch.bool))
        copied = [part.as_subclass(Tensor).expand(copies, *part.shape) for part in parts]
        return cls(*copied, torch.zeros(copies, dtype=torch.long), torch.zeros(copies, dtype=torch.bool))

    def moved(self, plan: augment.GeometryPlan) -> _Truth:
        """Return it after a step, as ``augment.move_target`` moves it, for all copies at once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a map that folds: ``folded`` tells
            boxes = plan.boxes(self.boxes)
            keypoints = plan.points(self.keypoints)
            points = plan.points(torch.cat([self.frame, self.probes], dim=1))
        mirrored = plan.is_mirrored()[:, None, None]
        return _Truth(
            torch.where(boxes.isnan().any(-1, keepdim=True), 0, boxes),
            plan.masks(self.masks, 0),
            torch.where(mirrored, augment.swap_pairs(keypoints, SIDES), keypoints),
            points[:, :3],
            points[:, 3:],
            self.alive & augment.points_inside(points[:, 3:], plan.size),
            self.resamplings + _between_pixels(plan),
            self.folded | plan.folds(),
        )


def _played(
    drawn: Sequence[_Drawn], fuse: bool, toy: BenchPicture, copies: int, refused: str = "", refused_at: int = -1
) -> Outcomes:
    """Change the copies as it was drawn, truth and all, and measure."""
    images, truth, normalised = toy.image.repeat(copies, 1, 1, 1), _Truth.of(toy, copies), False
    for step in stretches([one.chip for one in drawn], fuse):
        one = drawn[step[0]]
        if one.draw is None:
            images, normalised = one.transform(images), True
        elif len(step) == 1:
            images = one.transform.replay(images, one.draw)
        if one.plan is None:
            continue
        plan = one.plan
        for i in step[1:]:
            plan = plan.then(drawn[i].plan)
        if len(step) > 1:
            images = built(tuple(drawn[i].chip for i in step))[0].apply(images, plan)
        truth = truth.moved(plan)
    hulls = truth.boxes[:, 0]
    clipped = augment.clip_boxes(hulls, (SIZE, SIZE))
    large = (clipped[:, 2:] - clipped[:, :2] >= 1).all(1)
    kept = (augment.visibility(hulls, (SIZE, SIZE)) >= MIN_VISIBILITY) & large  # as SanitizeTargets
    tight = box_area(augment.boxes_from_masks(truth.masks))
    return Outcomes(
        pixels=_to_look_at(images, normalised),
        images=images.numpy(),
        boxes=clipped.numpy(),
        kept=kept.numpy(),
        masks=truth.masks.numpy(),
        keypoints=truth.keypoints.numpy(),
        visible=truth.alive.double().mean(1).numpy(),
        loose=torch.where(kept & (tight > 0), box_area(clipped) / tight, torch.nan).numpy(),
        reads=tuple(_reading(toy, moved) for moved in truth.frame.double().numpy()),
        resamplings=truth.resamplings.numpy(),
        folded=truth.folded.numpy(),
        refused=refused,
        refused_at=refused_at,
    )


def _between_pixels(plan: augment.GeometryPlan) -> Tensor:
    """Tell which rows read between pixels, as 0 or 1."""
    exact = exact_rows(plan.inverse_matrix())
    if plan.displacement is not None:
        exact = exact & (plan.displacement == 0).flatten(1).all(1)
    return (~exact).long()


@cache
def _probes(name: str) -> Tensor:
    """Return the centres of at most ``N_PROBES`` pixels of the object, evenly spread in reading order, (P, 2)."""
    places = picture(name).mask.as_subclass(Tensor).nonzero()
    chosen = torch.linspace(0, len(places) - 1, min(N_PROBES, len(places))).round().long()
    return places[chosen].flip(1) + 0.5


def _to_look_at(images: Tensor, normalised: bool) -> np.ndarray:
    if normalised:
        mean, std = (images.new_tensor(v)[:, None, None] for v in (MEAN, STD))
        images = images * std + mean
    if images.is_floating_point():
        images = (images * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())


def _reading(toy: BenchPicture, moved: np.ndarray) -> str:
    return toy.reads(*read_frame(moved)) if np.isfinite(moved).all() else "nothing"
