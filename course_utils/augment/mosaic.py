"""Mosaic: four images around a point, with all their boxes.

**Problem.** A detector sees few small objects, each in one surrounding, and batch normalisation sees few images. **Idea.** Put
four images together at a random point and look at the middle: objects in new surroundings, cut by new borders, from four
images in one. No label is mixed. An object that can still be seen counts as one object, however much of the canvas its image got.

1. Every image is resized, its proportions kept, so that it fits into the output (H, W).
2. A point is drawn. Image 1 ends there with its lower right corner, image 2 with its lower left, image 3 with its upper right,
   image 4 with its upper left corner. What sticks out of the canvas is cut off; what nobody covers is grey, 114 of 255.
3. Boxes and masks move with their image, and are cut at its tile.
4. ``"yolov5"``: the canvas is (2H, 2W) and the point uniform in its middle half; a random affine map follows, and the middle
   (H, W) is the result. ``"darknet"``: the canvas is the result, the point uniform from 0.2 to 0.8 of the side.
5. A box stays if it is wide and high enough, if enough of it is left, and if it is not a line.

==============  ======================================================================================
name in code    meaning
==============  ======================================================================================
``partners``    (n, 4) int64: the four images; the first is the image itself
``points``      (n, 2) int64: row and column of the point in the result, as it is before the affine map
``affine``      ``AffineParams`` of the n canvases, or None
==============  ======================================================================================

Code against code
    YOLOv5 compares the area of a box with its area after the cut at the tile, so a sliver of a large object may stay. Here it is
    compared with the whole object. YOLOv5's boxes are the hull of four moved corners; so are these.

Sources: A. Bochkovskiy, C.-Y. Wang, H.-Y. M. Liao, "YOLOv4: Optimal Speed and Accuracy of Object Detection", 2020,
arXiv:2004.10934; the canvas of twice the side is from the code ``ultralytics/yolov5``, the numbers from the course's card 08.

Taught in ``16_cutting_and_pasting``, step 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from course_utils.augment.mixing import check_finite, draw_partners
from course_utils.augment.pasting import PastePlan
from course_utils.augment.plan import GeometryPlan, translation
from course_utils.augment.resample import SMALL
from course_utils.augment.sampling import check_images, corners, rows, uniform
from course_utils.augment.spatial import Affine, AffineParams
from course_utils.augment.targets import box_area, clip_boxes, move_target
from course_utils.checks import checked_choice, checked_float, checked_int, message

GREY = 114 / 255
RANGES = {"yolov5": (0.0, 1.0), "darknet": (0.2, 0.8)}  # where the point may be, as parts of the side of the result
CLASS_OUTSIDE = 255
KEYS = ("boxes", "labels", "masks")
Target = dict[str, Tensor]


@dataclass(frozen=True)
class MosaicDraw:
    """What one call drew, for n images; see the table of the module. ``active`` (n,) bool: which become a mosaic."""

    active: Tensor
    partners: Tensor
    points: Tensor
    affine: AffineParams | None


class Mosaic(v2.Transform):
    """Put four images with their boxes together, for a detector.

    Parameters
    ----------
    size : int or (int, int), optional
        Height and width of the result, H and W. Default: those of the images, if all have the same.
    layout : {"yolov5", "darknet"}, default "yolov5"
    affine : Affine, optional
        The map of "yolov5", about the middle of the canvas. Default: as YOLOv5, a scale from 0.5 to 1.5 and a shift of at most
        a tenth of the result.
    fill : float, default 114 / 255
        Grey level in [0, 1] where there is no image, also for uint8.
    min_side : float, default 2
        A box stays if both sides are longer than this many pixels, ...
    min_share : float, default 0.1
        ... if more than this part of the object's area is left, ...
    max_aspect : float, default 100
        ... and if the longer side is shorter than this many times the other.
    p : float, default 1.0
        Probability of a mosaic. An image without one is fitted into the result, with grey bars; YOLOv5 trains its last epochs so.

    Notes
    -----
    ``mosaic(images, targets)`` takes a batch (B, C, H, W) or a list of images (C, h, w) of any sizes, and one dictionary for each:
    ``boxes``, a ``tv_tensors.BoundingBoxes`` of N boxes, and where there are any ``labels`` (N,) of an integer dtype and
    ``masks``, a ``tv_tensors.Mask`` (N, h, w), or a map of classes (h, w), which is 255 where no image is. It returns the images
    (B, C, H, W) and the dictionaries. A batch of less than four images uses some of them twice. In evaluation mode nothing is
    put together.

    Examples
    --------
    >>> images = torch.rand(4, 3, 32, 32)
    >>> boxes = tv_tensors.BoundingBoxes([[4.0, 4, 28, 28]], format="XYXY", canvas_size=(32, 32))
    >>> mixed, targets = Mosaic(layout="darknet")(images, [{"boxes": boxes, "labels": torch.tensor([k])} for k in range(4)])
    >>> mixed.shape, targets[0]["boxes"].canvas_size, len(targets[0]["boxes"]) == len(targets[0]["labels"])
    (torch.Size([4, 3, 32, 32]), (32, 32), True)
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        layout: str = "yolov5",
        affine: Affine | None = None,
        fill: float = GREY,
        min_side: float = 2.0,
        min_share: float = 0.1,
        max_aspect: float = 100.0,
        p: float = 1.0,
    ) -> None:
        super().__init__()
        pair = size if size is None or isinstance(size, Sequence) else (size, size)
        self.size = None if pair is None else tuple(checked_int(side, "size", low=1) for side in pair)
        if self.size is not None and len(self.size) != 2:
            raise ValueError(message("size", "one number, or height and width", repr(size)))
        self.layout = checked_choice(layout, "layout", RANGES)
        if affine is not None and (layout == "darknet" or not isinstance(affine, Affine)):
            raise ValueError(message("affine", 'an `Affine`, and None for the layout "darknet"', repr(affine)))
        usual = Affine(degrees=0, translate=0.05, scale=(0.5, 1.5), shear=0)  # 0.05 of the canvas: 0.1 of the result
        self.affine = usual if affine is None and layout == "yolov5" else affine
        self.fill = checked_float(fill, "fill", low=0, high=1)
        self.min_side = checked_float(min_side, "min_side", low=0)
        self.min_share = checked_float(min_share, "min_share", low=0, high=1)
        self.max_aspect = checked_float(max_aspect, "max_aspect", low=1)
        self.p = checked_float(p, "p", low=0, high=1)

    # -------------------------------------------------------------------------------------------------- draw and replay

    def draw(self, n: int, size: tuple[int, int], generator: torch.Generator | None = None, device: Any = None) -> MosaicDraw:
        """Decide which of ``n`` images become a mosaic of ``size`` (H, W), with whom, around which point, seen how."""
        active = uniform(n, 0, 1, generator, device) < self.p
        partners = draw_partners(n, 4, "ring", generator, device)
        place = uniform(2 * n, *RANGES[self.layout], generator, device).view(n, 2)
        points = (place * torch.tensor(size, device=device)).long()
        affine = None
        if self.affine is not None:
            affine = self.affine.sample(n, (1, 2 * size[0], 2 * size[1]), generator, device)
        return MosaicDraw(active, partners, points, affine)

    def replay(
        self, images: Tensor | Sequence[Tensor], targets: Sequence[Target], draw: MosaicDraw, size: tuple[int, int]
    ) -> tuple[Tensor, list[Target]]:
        """Return the mosaics (n, C, H, W) of ``size`` that ``draw`` describes, and their targets."""
        images, targets = _fitted(images, targets, size)
        plan, margin = self._seen(draw, size)
        canvas = (size[0] + 2 * margin[0], size[1] + 2 * margin[1])
        tiles = _tiles(images, draw, size, margin, canvas)
        fill = self.fill if images[0].is_floating_point() else round(255 * self.fill)
        small = canvas[0] * canvas[1] <= SMALL
        if small and len(tiles) == 4 * len(images) and all(image.shape[-2:] == canvas for image in images):
            out = _by_one_index(images, draw.partners, tiles, canvas)
        else:
            out = images[0].new_full((len(images), len(images[0]), *canvas), fill)
            for result, image, corner, seen in tiles.one_by_one():
                _paste(out[result], images[image], corner, seen)
        if plan is not None:
            out = plan.images(out, fill=fill)
        return out, self._united(targets, tiles, plan, canvas)

    def forward(self, *inputs: Any) -> tuple[Tensor, list[Target]]:
        images, targets = _checked(inputs)
        size = self.size or tuple(images[0].shape[-2:])
        if self.size is None and any(tuple(image.shape[-2:]) != size for image in images):
            raise ValueError(message("size", "given where images differ in size", "None"))
        drawn = self.draw(len(images), size, device=images[0].device)
        if not self.training:
            drawn = MosaicDraw(torch.zeros_like(drawn.active), drawn.partners, drawn.points, drawn.affine)
        return self.replay(images, targets, drawn, size)

    # -------------------------------------------------------------------------------------------------------- the parts

    def _seen(self, draw: MosaicDraw, size: tuple[int, int]) -> tuple[GeometryPlan | None, tuple[int, int]]:
        """Return the map from the canvas to the result, or None, and how far the canvas reaches beyond the result."""
        if draw.affine is None:
            return None, (0, 0)
        canvas, margin = (2 * size[0], 2 * size[1]), (size[0] // 2, size[1] // 2)
        plan = self.affine.plan(draw.affine, canvas).only(draw.active)
        back = translation(-plan.matrix.new_tensor([margin[1], margin[0]]).expand(len(draw.active), 2))
        middle = GeometryPlan(back, canvas, canvas)
        cut = GeometryPlan(plan.then(middle).matrix, size, canvas)
        return cut, margin

    def _united(self, targets: list[Target], tiles: Tiles, plan: GeometryPlan | None, canvas: tuple[int, int]) -> list[Target]:
        """Return the targets of all mosaics: moved with their tiles, cut, and without the objects that are lost.

        All boxes of all mosaics are one list: ``row`` says which box of the inputs, ``tile`` where it lies.
        """
        size = canvas if plan is None else plan.size
        boxes = torch.cat([target["boxes"] for target in targets])
        if not bool(boxes.isfinite().all()):
            raise ValueError(message("targets", "dictionaries with finite boxes", "NaN or infinity"))
        tiles = tiles.to(boxes.device)
        tile, row = _boxes_of_tiles([len(target["boxes"]) for target in targets], tiles.image)
        area = box_area(boxes)[row]
        corner, first, last = (part[tile].flip(1).repeat(1, 2) for part in (tiles.corner, *tiles.seen.split(2, dim=1)))
        boxes = (boxes[row] + corner).maximum(first).minimum(last)
        result = tiles.result[tile]
        if plan is not None and len(boxes):
            mine = plan[result]
            boxes = mine.boxes(boxes[:, None])[:, 0].to(boxes.dtype)
            area = area * mine.matrix[:, :2, :2].det().abs().to(area.dtype)
        boxes = clip_boxes(boxes, size)
        sides = boxes[:, 2:] - boxes[:, :2]
        kept = (sides > self.min_side).all(1) & (box_area(boxes) > self.min_share * area)
        kept &= sides.amax(1) < self.max_aspect * sides.amin(1)
        n_kept = torch.bincount(result[kept], minlength=len(targets)).tolist()
        done: list[Target] = [
            {"boxes": tv_tensors.BoundingBoxes(one, format="XYXY", canvas_size=size)} for one in boxes[kept].split(n_kept)
        ]
        if "labels" in targets[0]:
            for out, labels in zip(done, torch.cat([target["labels"] for target in targets])[row][kept].split(n_kept)):
                out["labels"] = labels
        if "masks" in targets[0]:
            given = [target["masks"] for target in targets]
            for i, out in enumerate(done):
                masks = _pasted_masks(given, tiles[tiles.result == i], canvas)
                masks = masks if plan is None else move_target(masks, plan[i : i + 1], CLASS_OUTSIDE)
                out["masks"] = masks if masks.ndim == 2 else tv_tensors.Mask(masks[kept[result == i]])
        return done

    def extra_repr(self) -> str:
        return f"size={self.size}, layout={self.layout!r}, p={self.p:g}"


# -------------------------------------------------------------------------------------------------------------- the tiles


@dataclass(frozen=True)
class Tiles:
    """Where the images lie: T tiles, those of the first result first.

    ``result`` and ``image`` (T,): which image lies in which result. ``corner`` (T, 2): its row and column on the canvas, which
    may be negative. ``seen`` (T, 4): top, left, bottom and right of what is seen of it, on the canvas. All int64.
    """

    result: Tensor
    image: Tensor
    corner: Tensor
    seen: Tensor

    def __len__(self) -> int:
        return len(self.result)

    def __getitem__(self, index: Any) -> Tiles:
        return rows(self, index)

    def to(self, device: Any) -> Tiles:
        return Tiles(*(part.to(device) for part in (self.result, self.image, self.corner, self.seen)))

    def one_by_one(self) -> Iterator[tuple[int, int, list[int], list[int]]]:
        return zip(self.result.tolist(), self.image.tolist(), self.corner.tolist(), self.seen.tolist())


ENDS_AT_THE_POINT = ((1, 1), (1, 0), (0, 1), (0, 0))
"""For each of the four images: does it end at the point, above and to the left of it, or begin there? Rows, then columns."""


def _tiles(
    images: Tensor | list[Tensor], draw: MosaicDraw, size: tuple[int, int], margin: tuple[int, int], canvas: tuple[int, int]
) -> Tiles:
    """Return the tiles of all results: four, or the one of an image that stays alone in the middle."""
    device, itself = draw.partners.device, torch.arange(len(images), device=draw.partners.device)
    sides = torch.tensor([image.shape[-2:] for image in images], device=device)
    size, margin, canvas = (torch.tensor(pair, device=device) for pair in (size, margin, canvas))
    alone = ~draw.active[:, None]
    image = torch.where(alone, itself[:, None], draw.partners)  # (n, 4)
    corner = (draw.points + margin)[:, None] - torch.tensor(ENDS_AT_THE_POINT, device=device) * sides[image]  # (n, 4, 2)
    corner = torch.where(alone[..., None], (margin + (size - sides) // 2)[:, None], corner)
    seen = torch.cat([corner.clamp(min=0), (corner + sides[image]).minimum(canvas)], dim=-1)
    first = torch.arange(4, device=device) == 0
    result, place = (first | ~alone).nonzero(as_tuple=True)
    return Tiles(result, image[result, place], corner[result, place], seen[result, place])


def _boxes_of_tiles(counts: list[int], image: Tensor) -> tuple[Tensor, Tensor]:
    """Return for every box of every tile the number of its tile, and its row among the boxes of all images."""
    count = torch.tensor(counts, device=image.device)
    mine = count[image]  # boxes of each tile
    tile = torch.arange(len(image), device=image.device).repeat_interleave(mine)
    place = torch.arange(len(tile), device=image.device) - (mine.cumsum(0) - mine)[tile]  # first, second, ... of its image
    return tile, (count.cumsum(0) - count)[image[tile]] + place


def _paste(canvas: Tensor, image: Tensor, corner: list[int], seen: list[int]) -> None:
    """Write the part of an image or mask (..., h, w) that is seen into a canvas (..., H', W')."""
    (y, x), (t, l, b, r) = corner, seen
    canvas[..., t:b, l:r] = image[..., t - y : b - y, l - x : r - x]


def _by_one_index(images: Tensor | list[Tensor], partners: Tensor, tiles: Tiles, size: tuple[int, int]) -> Tensor:
    """Return small mosaics (n, C, H, W) of images of their own size, which cover every pixel: read as one batch."""
    first, last = tiles.seen.split(2, dim=1)
    rectangles, shifts = (part.unflatten(0, (-1, 4)) for part in (torch.cat([first, last - first], dim=1), -tiles.corner))
    batch = images if isinstance(images, Tensor) else torch.stack(images)
    return PastePlan(partners, rectangles, size, shifts).images(batch)


def _pasted_masks(masks: list[Tensor], tiles: Tiles, canvas: tuple[int, int]) -> tv_tensors.Mask:
    """Return one map of classes (H', W'), or the masks of all objects (N, H', W'), of the tiles of one result."""
    if masks[0].ndim == 2:
        out = masks[0].as_subclass(Tensor).new_full(canvas, CLASS_OUTSIDE)
        for _, image, corner, seen in tiles.one_by_one():
            _paste(out, masks[image].as_subclass(Tensor), corner, seen)
        return tv_tensors.Mask(out)
    parts = []
    for _, image, corner, seen in tiles.one_by_one():
        parts.append(masks[image].as_subclass(Tensor).new_zeros(len(masks[image]), *canvas))
        _paste(parts[-1], masks[image].as_subclass(Tensor), corner, seen)
    return tv_tensors.Mask(torch.cat(parts))


def _fitted(
    images: Tensor | Sequence[Tensor], targets: Sequence[Target], size: tuple[int, int]
) -> tuple[Tensor | list[Tensor], list[Target]]:
    """Return images that fit into ``size``, as large as they can be, and their targets with boxes as corners.

    A batch that fits stays a batch.
    """
    done, moved = [], []
    for image, target in zip(images, targets):
        plain, boxes, (height, width) = dict(target), target["boxes"], image.shape[-2:]
        if not boxes.dtype.is_floating_point:
            boxes = tv_tensors.wrap(boxes.float(), like=boxes)
        scale = min(size[0] / height, size[1] / width)
        new = (max(round(height * scale), 1), max(round(width * scale), 1))
        if new != (height, width):
            image = functional.resize(image, list(new), antialias=True)
            boxes = functional.resize(boxes, list(new))
            if "masks" in target:
                plain["masks"] = functional.resize(target["masks"], list(new))
        plain["boxes"] = corners(boxes)
        done.append(image.as_subclass(Tensor))
        moved.append(plain)
    fits = isinstance(images, Tensor) and done[0].shape == images.shape[1:]
    return (images if fits else done), moved


def _checked(inputs: tuple) -> tuple[Tensor | list[Tensor], list[Target]]:
    inputs = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)) else inputs
    if len(inputs) != 2 or isinstance(inputs[1], Tensor):
        advice = "A mosaic has no label weights: give the boxes of every image."
        raise TypeError(message("inputs", "images and a list of dictionaries", f"{len(inputs)} inputs", advice))
    images = inputs[0].as_subclass(Tensor) if isinstance(inputs[0], Tensor) else list(inputs[0])
    targets = list(inputs[1])
    if not len(images) or len(images) != len(targets):
        raise ValueError(
            message("targets", "one dictionary for each image, and at least one of them", f"{len(targets)} for {len(images)}")
        )
    first, keys = images[0], set(targets[0])
    for i, (image, target) in enumerate(zip(images, targets)):
        if not isinstance(image, Tensor) or image.ndim != 3:
            got = f"shape {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
            raise TypeError(message(f"images[{i}]", "a tensor (C, h, w)", got))
        if image.dtype != first.dtype or image.shape[0] != first.shape[0]:
            raise ValueError(message(f"images[{i}]", f"{first.dtype} with {len(first)} channels", f"{image.dtype}, {len(image)}"))
        _check_target(i, image, target, keys)
    for batch in [images] if isinstance(images, Tensor) else [image[None] for image in images]:
        check_images(batch, unit_range=False)
        check_finite(batch)
    return images, targets


def _check_target(i: int, image: Tensor, target: Any, keys: set[str]) -> None:
    name, size = f"targets[{i}]", tuple(image.shape[-2:])
    if not isinstance(target, dict) or "boxes" not in target or set(target) != keys or not keys <= set(KEYS):
        got = sorted(target) if isinstance(target, dict) else type(target).__name__
        raise ValueError(message(name, "a dictionary with `boxes`, and in all or in none `labels` and `masks`", repr(got)))
    boxes, labels, masks = (target.get(key) for key in KEYS)
    if not isinstance(boxes, tv_tensors.BoundingBoxes) or tuple(boxes.canvas_size) != size:
        got = f"canvas {tuple(boxes.canvas_size)}" if isinstance(boxes, tv_tensors.BoundingBoxes) else type(boxes).__name__
        raise TypeError(message(f"{name}['boxes']", f"`tv_tensors.BoundingBoxes` on the canvas {size}", got))
    if labels is not None and (labels.is_floating_point() or labels.shape != (len(boxes),)):
        advice = "A mosaic mixes no labels: every box that stays keeps its class."
        got = f"{labels.dtype}, shape {tuple(labels.shape)}"
        raise TypeError(message(f"{name}['labels']", f"({len(boxes)},) class numbers of an integer dtype", got, advice))
    if masks is not None and (not isinstance(masks, tv_tensors.Mask) or tuple(masks.shape) not in (size, (len(boxes), *size))):
        got = f"{type(masks).__name__}, shape {tuple(masks.shape)}"
        raise TypeError(message(f"{name}['masks']", f"a `tv_tensors.Mask` of shape ({len(boxes)}, *{size}) or {size}", got))
