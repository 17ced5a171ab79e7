"""The ground truth moves with the image: boxes, masks and key points under one map, and what to keep afterwards.

**Moving.** ``move_target`` reads a ``GeometryPlan`` and moves one ``tv_tensors`` target. Boxes may leave the canvas: where an
object is does not depend on where the picture ends. So a chain of transforms is a group of maps, and a box that went out can
come back.

**Keeping.** At the end of the pipeline, once, ``SanitizeTargets`` clips the boxes to the canvas, and drops the objects of
which too little is left: from boxes, labels, masks and key points with the same index.

Conventions
    * Boxes: every ``tv_tensors`` format. Axis-parallel ones become the hull of the moved box; the four corners of
      ``XYXYXYXY`` move one by one; a box with an angle becomes the smallest rectangle around its moved corners.
    * Integer boxes are rounded to whole pixels. Integer key points are pixel indices: pixel j stands for its centre j + 0.5,
      and the answer is the pixel that holds the moved centre. Floating ones are continuous coordinates.
    * An integer mask (H, W) is a map of classes: outside it gets ``ignore_index``. A mask (N, H, W), or one of another dtype,
      is a stack of objects: outside it is 0.
    * A mirror swaps left and right: the names of the joints too. ``mirror_pairs`` says which.

Visibility is ``area(clipped box) / area(box)``. The box is the one after the move and before the clipping.

Sources: clipping and dropping, torchvision ``SanitizeBoundingBoxes`` and the course's card 07, sections 3.1 to 3.4.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional
from torchvision.tv_tensors import BoundingBoxFormat

from course_utils.augment.plan import GeometryPlan, box_corners
from course_utils.checks import checked_float, message

COCO_PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
"""Left and right among the 17 joints of COCO: eyes, ears, shoulders, elbows, wrists, hips, knees, ankles."""

ROTATED = (BoundingBoxFormat.XYXYXYXY, BoundingBoxFormat.CXCYWHR, BoundingBoxFormat.XYWHR)

LABEL_KEYS = ("labels", "label", "classes", "iscrowd", "area", "scores", "visibility")


# ---------------------------------------------------------------------------------------------------------------- moving


def move_target(
    target: Tensor,
    plan: GeometryPlan,
    ignore_index: int = 255,
    hull: str = "corners",
    mirror_pairs: Sequence[tuple[int, int]] = (),
) -> Tensor:
    """Return the boxes, key points or mask of one image, moved by a plan of one row.

    Parameters
    ----------
    target : BoundingBoxes, KeyPoints or Mask
    plan : GeometryPlan
        One row.
    ignore_index : int, default 255
        Class outside, for a map of classes.
    hull : {"corners", "ellipse"}, default "corners"
        As in ``GeometryPlan.boxes``.
    mirror_pairs : sequence of pairs, optional
        Key points (along the last but one axis) to exchange where the plan mirrors.

    Returns
    -------
    of the type of ``target``
        With the canvas of the output. A box that has no place (behind the horizon of a homography) has four zeros, and
        ``SanitizeTargets`` drops it.

    Raises
    ------
    TypeError
        If ``target`` is none of the three.
    ValueError
        If it lies on another canvas than the plan, or the plan has more than one row.
    """
    if len(plan) != 1:
        raise ValueError(message("plan", "a plan of one row", f"{len(plan)} rows"))
    plan = plan.to(target.device)
    if isinstance(target, tv_tensors.BoundingBoxes):
        _check_canvas(target.canvas_size, plan)
        moved = _moved_boxes(target.as_subclass(Tensor), target.format, plan, hull)
        return tv_tensors.wrap(moved, like=target, canvas_size=plan.size)
    if isinstance(target, tv_tensors.KeyPoints):
        _check_canvas(target.canvas_size, plan)
        moved = _moved_points(target.as_subclass(Tensor), plan)
        if len(mirror_pairs) and bool(plan.is_mirrored()):
            moved = swap_pairs(moved, mirror_pairs)
        return tv_tensors.wrap(moved, like=target, canvas_size=plan.size)
    if isinstance(target, tv_tensors.Mask):
        _check_canvas(target.shape[-2:], plan)
        return tv_tensors.wrap(_moved_mask(target.as_subclass(Tensor), plan, ignore_index), like=target)
    raise TypeError(message("target", "BoundingBoxes, KeyPoints or Mask of tv_tensors", type(target).__name__))


def _check_canvas(size: Sequence[int], plan: GeometryPlan) -> None:
    if tuple(size) != tuple(plan.source):
        raise ValueError(message("target", f"on the canvas of the image, {tuple(plan.source)}", str(tuple(size))))


def _moved_boxes(boxes: Tensor, kind: BoundingBoxFormat, plan: GeometryPlan, hull: str) -> Tensor:
    work = boxes if boxes.is_floating_point() else boxes.to(torch.float32)
    if kind in ROTATED:
        corners = functional.convert_bounding_box_format(work, kind, BoundingBoxFormat.XYXYXYXY).unflatten(-1, (4, 2))
        moved = plan.points(corners.flatten(0, 1))[0].view_as(corners).nan_to_num(0)
        if bool(plan.is_mirrored()):
            moved = moved[:, [1, 0, 3, 2]]  # the order of the corners stays clockwise
        if kind != BoundingBoxFormat.XYXYXYXY:
            moved = smallest_rectangle(moved)
        moved = functional.convert_bounding_box_format(moved.flatten(1), BoundingBoxFormat.XYXYXYXY, kind)
    else:
        plain = functional.convert_bounding_box_format(work, kind, BoundingBoxFormat.XYXY)
        moved = plan.boxes(plain, hull)[0]
        moved = torch.where(moved.isnan().any(-1, keepdim=True), 0, moved)
        moved = functional.convert_bounding_box_format(moved, BoundingBoxFormat.XYXY, kind)
    return moved if boxes.is_floating_point() else moved.round().to(boxes.dtype)


def _moved_points(points: Tensor, plan: GeometryPlan) -> Tensor:
    if points.is_floating_point():
        return plan.points(points.reshape(-1, 2))[0].view_as(points)
    centres = points.reshape(-1, 2).to(torch.float32) + 0.5
    return plan.points(centres)[0].nan_to_num(-1).floor().to(points.dtype).view_as(points)


def _moved_mask(mask: Tensor, plan: GeometryPlan, ignore_index: int) -> Tensor:
    classes = mask.ndim == 2 and not mask.is_floating_point() and mask.dtype != torch.bool
    layers = mask.reshape(1, -1, *mask.shape[-2:])
    moved = plan.masks(layers, ignore_index if classes else 0)
    return moved.view(*mask.shape[:-2], *plan.size)


def swap_pairs(points: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Return key points (..., K, 2) with the two of every pair exchanged.

    Raises
    ------
    ValueError
        If a pair names a key point that is not there, or one key point stands in two pairs.

    Examples
    --------
    >>> swap_pairs(torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), [(1, 2)])[:, 0]
    tensor([0., 2., 1.])
    """
    n = points.shape[-2]
    order, named = list(range(n)), [i for pair in pairs for i in pair]
    if any(not 0 <= i < n for i in named) or len(set(named)) < len(named):
        raise ValueError(message("mirror_pairs", f"pairs of different key points from 0 to {n - 1}", repr(tuple(pairs))))
    for left, right in pairs:
        order[left], order[right] = right, left
    return points[..., order, :]


def smallest_rectangle(corners: Tensor) -> Tensor:
    """Return the smallest rectangles (N, 4, 2) around convex quadrilaterals (N, 4, 2): one side lies on a side of theirs."""
    sides = corners.roll(-1, 1) - corners  # (N, 4, 2)
    along = sides / sides.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    across = torch.stack([-along[..., 1], along[..., 0]], dim=-1)
    u, v = corners[:, None] @ along[..., None], corners[:, None] @ across[..., None]  # (N, 4 sides, 4 corners, 1)
    low, high = torch.cat([u, v], -1).amin(2), torch.cat([u, v], -1).amax(2)  # (N, 4, 2)
    best = (high - low).prod(-1).argmin(1)
    row = torch.arange(len(corners), device=corners.device)
    low, high, along, across = low[row, best], high[row, best], along[row, best], across[row, best]
    local = box_corners(torch.cat([low, high], -1))  # (N, 4, 2) in the coordinates of the side
    fitted = local[..., :1] * along[:, None] + local[..., 1:] * across[:, None]
    first = (fitted - corners[:, :1]).norm(dim=-1).argmin(1)  # the corner nearest to the first one comes first
    order = (torch.arange(4, device=corners.device) + first[:, None]) % 4
    return fitted.gather(1, order[..., None].expand(-1, -1, 2))


# --------------------------------------------------------------------------------------------------------------- keeping


def clip_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return boxes (..., 4) cut off at the canvas (H, W).

    >>> clip_boxes(torch.tensor([[-2.0, 1.0, 3.0, 9.0]]), (4, 6))
    tensor([[0., 1., 3., 4.]])
    """
    height, width = size
    x = boxes[..., 0::2].clamp(0, width)
    y = boxes[..., 1::2].clamp(0, height)
    return torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)


def box_area(boxes: Tensor) -> Tensor:
    """Return the areas (...) of boxes (..., 4); 0 for a box without an inside."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def visibility(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return which share of each box (..., 4) lies on the canvas (H, W); 0 for a box without area.

    >>> visibility(torch.tensor([[-2.0, 0.0, 2.0, 2.0]]), (4, 6))
    tensor([0.5000])
    """
    area = box_area(boxes)
    return torch.where(area > 0, box_area(clip_boxes(boxes, size)) / area, 0)


def points_inside(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Tell which points (..., 2) lie on the canvas (H, W): bool (...). A visibility flag for key points; NaN is outside."""
    height, width = size
    x, y = points[..., 0], points[..., 1]
    return (x >= 0) & (x <= width) & (y >= 0) & (y <= height)


def boxes_from_masks(masks: Tensor) -> Tensor:
    """Return the bounding boxes (N, 4) of object masks (N, H, W): first pixel to last pixel + 1; zeros for an empty mask.

    >>> mask = torch.zeros(1, 4, 6)
    >>> mask[0, 1:3, 2] = 1
    >>> boxes_from_masks(mask)
    tensor([[2., 1., 3., 3.]])
    """
    masks = masks != 0
    parts = []
    for axis in (-2, -1):  # columns, then rows
        line = masks.any(axis)
        n = line.shape[-1]
        place = torch.arange(n, device=masks.device)
        parts.append((torch.where(line, place, n).amin(-1), torch.where(line, place + 1, 0).amax(-1)))
    (x1, x2), (y1, y2) = parts
    boxes = torch.stack([x1, y1, x2, y2], dim=-1)
    return torch.where(masks.flatten(1).any(1)[:, None], boxes, 0).to(torch.float32)


class SanitizeTargets(v2.Transform):
    """Clip the boxes, and drop objects of which too little is left, from all targets with one index.

    Parameters
    ----------
    min_visibility : float, default 0.1
        Smallest share of a box that must lie on the canvas, in [0, 1].
    min_size : float, default 1.0
        Smallest width and height of the clipped box, in pixels.
    min_area : float, default 1.0
        Its smallest area, in square pixels.
    from_masks : bool, default False
        Take the box of an object from its mask where there is one: it fits better than the hull of a turned box.
    keys : sequence of str, optional
        Entries of a dictionary that have one row for each object, besides boxes, masks and key points. Default: ``labels``,
        ``label``, ``classes``, ``iscrowd``, ``area``, ``scores``, ``visibility``.

    Convention
        A sample is a dictionary, or a tuple or list, that holds one ``BoundingBoxes``; it may stand inside of others, as in a
        list of samples. In it, these have one row for each object and are cut to the kept ones: the boxes; a mask
        (N, H, W); key points (N, K, 2); in a dictionary the ``keys``; in a tuple every plain tensor with one axis of N.
        An image without an object left stays, as background.

        torchvision's ``SanitizeBoundingBoxes`` has no visibility, drops boxes that reach over the border, and leaves the key
        points as they are.

    Examples
    --------
    >>> boxes = tv_tensors.BoundingBoxes([[1.0, 1, 3, 3], [5, 0, 9, 4]], format="XYXY", canvas_size=(4, 6))
    >>> kept = SanitizeTargets(min_visibility=0.5)({"boxes": boxes, "labels": torch.tensor([7, 8])})
    >>> kept["boxes"].tolist(), kept["labels"].tolist()
    ([[1.0, 1.0, 3.0, 3.0]], [7])
    """

    def __init__(
        self,
        min_visibility: float = 0.1,
        min_size: float = 1.0,
        min_area: float = 1.0,
        from_masks: bool = False,
        keys: Sequence[str] = LABEL_KEYS,
    ) -> None:
        super().__init__()
        self.min_visibility = checked_float(min_visibility, "min_visibility", low=0, high=1)
        self.min_size = checked_float(min_size, "min_size", low=0)
        self.min_area = checked_float(min_area, "min_area", low=0)
        self.from_masks = bool(from_masks)
        self.keys = tuple(keys)

    def forward(self, *inputs: Any) -> Any:
        return self._walk(inputs if len(inputs) > 1 else inputs[0])

    def keep(self, boxes: tv_tensors.BoundingBoxes) -> Tensor:
        """Tell which boxes stay, bool (N,)."""
        hulls = axis_parallel(boxes)
        clipped = clip_boxes(hulls, boxes.canvas_size)
        sides = clipped[:, 2:] - clipped[:, :2]
        seen = visibility(hulls, boxes.canvas_size)
        return (seen >= self.min_visibility) & (sides >= self.min_size).all(1) & (box_area(clipped) >= self.min_area)

    def _walk(self, item: Any) -> Any:
        if isinstance(item, dict):
            found = [v for v in item.values() if isinstance(v, tv_tensors.BoundingBoxes)]
            if len(found) == 1:
                return self._sanitized(item, found[0])
            return type(item)((k, self._walk(v)) for k, v in item.items())
        if isinstance(item, (list, tuple)):
            found = [v for v in item if isinstance(v, tv_tensors.BoundingBoxes)]
            if len(found) == 1:
                done = self._sanitized(dict(enumerate(item)), found[0])
                return type(item)(done[k] for k in range(len(item)))
            return type(item)(self._walk(v) for v in item)
        return item

    def _sanitized(self, sample: dict, boxes: tv_tensors.BoundingBoxes) -> dict:
        kept, n, out = self.keep(boxes), len(boxes), dict(sample)
        masks = next((v for v in sample.values() if _has_rows(v, tv_tensors.Mask, n)), None)
        for key, value in sample.items():
            if value is boxes:
                out[key] = self._clipped(boxes[kept], boxes, None if masks is None else masks[kept])
            elif _has_rows(value, tv_tensors.Mask, n) or _has_rows(value, tv_tensors.KeyPoints, n):
                out[key] = tv_tensors.wrap(value[kept], like=value)
            elif isinstance(value, Tensor) and not isinstance(value, tv_tensors.TVTensor):
                named = key in self.keys if isinstance(key, str) else value.ndim == 1 and len(value) == n
                if named and (value.ndim == 0 or len(value) != n):
                    raise ValueError(
                        message(f"inputs[{key!r}]", f"one row for each of the {n} boxes", f"shape {tuple(value.shape)}")
                    )
                out[key] = value[kept] if named else value
            elif isinstance(value, (dict, list, tuple)):
                out[key] = self._walk(value)
        return out

    def _clipped(self, kept: Tensor, like: tv_tensors.BoundingBoxes, masks: Tensor | None) -> tv_tensors.BoundingBoxes:
        kept = tv_tensors.wrap(kept, like=like)
        if like.format in ROTATED:
            return kept  # the corners of a turned box may stand outside; its hull is what was measured
        boxes = axis_parallel(kept)
        clipped = clip_boxes(boxes, like.canvas_size)
        if self.from_masks and masks is not None and len(masks):
            own = boxes_from_masks(masks.as_subclass(Tensor)).to(clipped.dtype)
            clipped = torch.where((masks != 0).flatten(1).any(1)[:, None], own, clipped)
        plain = functional.convert_bounding_box_format(clipped, BoundingBoxFormat.XYXY, like.format)
        return tv_tensors.wrap(plain, like=like)


def axis_parallel(boxes: tv_tensors.BoundingBoxes) -> Tensor:
    """Return the axis-parallel hulls (N, 4) of boxes of any format, corners in pixels."""
    plain, kind = boxes.as_subclass(Tensor), boxes.format
    if kind in ROTATED:
        corners = functional.convert_bounding_box_format(plain, kind, BoundingBoxFormat.XYXYXYXY).unflatten(-1, (4, 2))
        return torch.cat([corners.amin(1), corners.amax(1)], dim=-1)
    return functional.convert_bounding_box_format(plain, kind, BoundingBoxFormat.XYXY)


def _has_rows(value: Any, kind: type, n: int) -> bool:
    return isinstance(value, kind) and value.ndim == 3 and len(value) == n
