"""Objects as points: what a CenterNet is taught, and how its maps become boxes.

**Problem.** A detector has to say how many objects there are, where, how large and of which class; the older answer,
thousands of candidate boxes, needs rules to remove the doubles. **Idea.** An object is one point, the centre of its
box. The network paints one **heat map** per class whose peaks are the centres, and at every point it also says how wide
and high an object centred here would be, and where between two points of the coarse grid the centre lies. A peak is a
point that is not smaller than its eight neighbours, so no further rule against doubles is needed.

Source: X. Zhou, D. Wang, P. Kraehenbuehl, "Objects as Points", arXiv:1904.07850, 2019, section 3 (equations 1 to 4)
and section 4; the focal loss and the Gaussians are those of H. Law, J. Deng, "CornerNet: Detecting Objects as Paired
Keypoints", ECCV 2018, sections 3.2 and 3.3.

==================  ================================================================================
name                meaning
==================  ================================================================================
``stride``          image pixels per point of the maps (R = 4 in the paper)
``heat``            ``(B, C, h, w)``: in targets 1 at a centre, a Gaussian around it (Y)
``sizes``           width and height in image pixels (s)
``offsets``         centre in cells, minus its integer part, x before y (o)
``cell``            the point that a centre falls on, as ``row * w + column`` (p with a tilde)
``radius``          of the Gaussian, in cells: how far a centre may be off, see ``gaussian_radius``
==================  ================================================================================

Two details follow corrected code rather than the first release. CornerNet's quadratic equations are solved exactly (the
released code forgets to divide by twice the leading coefficient, which makes the radius larger by chance). The overlap
that a shifted box must keep is then 0.3 instead of 0.7: with 0.7 the exact radius of a small object is below one cell
and the Gaussian would vanish. OpenMMLab's CenterNet does the same.

Taught in ``05_mean_average_precision``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks import checked_float, checked_int, checked_tensor, message

STRIDE = 4  # the paper's R
MIN_OVERLAP = 0.3  # see the module's text
FOCAL_POWER = 2.0  # alpha, section 3: how little an easy point counts
NEAR_POWER = 4.0  # beta: how little a point near a centre counts as a negative
SIZE_WEIGHT = 0.1  # lambda of the size loss, in pixels
OFFSET_WEIGHT = 1.0  # lambda of the offset loss


@dataclass(frozen=True, eq=False)
class CenterTargets:
    """What a batch of B images should look like on the maps.

    Attributes
    ----------
    heat : Tensor, float32, ``(B, C, h, w)``
    image, cell : Tensor, int64, ``(n,)``
        Of all ``n`` objects of the batch: which image, and which point of its map.
    sizes, offsets : Tensor, float32, ``(n, 2)``
        x before y; sizes in pixels, offsets in cells in [0, 1).
    """

    heat: Tensor
    image: Tensor
    cell: Tensor
    sizes: Tensor
    offsets: Tensor


def gaussian_radius(sizes: Tensor, min_overlap: float = MIN_OVERLAP) -> Tensor:
    """Return by how much both corners of a box may move along each axis while IoU stays at least ``min_overlap``.

    Parameters
    ----------
    sizes : Tensor of shape (n, 2), floating, above 0
        Width and height.
    min_overlap : float, default 0.3
        Between 0 and 1.

    Returns
    -------
    Tensor of shape (n,)
        In the unit of ``sizes``; the smallest of three cases, each the root of a quadratic equation: the moved box lies
        beside the true one, inside it, or around it.
    """
    width, height = sizes.unbind(1)
    total, area = width + height, width * height
    keep = min_overlap
    # beside: (w - r)(h - r) / (2 w h - (w - r)(h - r)) = keep
    beside = (total - (total**2 - 4 * area * (1 - keep) / (1 + keep)).clamp_min(0).sqrt()) / 2
    # inside: (w - 2 r)(h - 2 r) / (w h) = keep
    inside = (total - (total**2 - 4 * (1 - keep) * area).clamp_min(0).sqrt()) / 4
    # around: w h / ((w + 2 r)(h + 2 r)) = keep
    around = (-total + (total**2 + 4 * (1 / keep - 1) * area).sqrt()) / 4
    return torch.stack([beside, inside, around]).min(dim=0).values


def encode(
    objects: Sequence[Mapping[str, Tensor]], n_classes: int, image_size: tuple[int, int], *, min_overlap: float = MIN_OVERLAP
) -> CenterTargets:
    """Return the targets of a batch of images.

    Parameters
    ----------
    objects : sequence of B mappings
        ``boxes (n_i, 4)`` left, top, right, bottom in pixels, and ``labels (n_i,)`` from 0; ``n_i`` may be 0.
    n_classes : int
        C.
    image_size : (int, int)
        Height and width in pixels, multiples of 4.
    min_overlap : float, default 0.3
        Of ``gaussian_radius``.

    Raises
    ------
    TypeError, ValueError
        If a box has no area or its centre lies outside the image, a label is out of range, or shapes do not fit.

    Notes
    -----
    The Gaussian around a centre has the standard deviation ``(2 r + 1) / 6`` cells with ``r`` the integer part of the
    radius, as in the released code; where two of one class meet, the larger value counts.
    """
    n_classes = checked_int(n_classes, "n_classes", low=1)
    min_overlap = checked_float(min_overlap, "min_overlap", above=0, high=0.99)
    if len(objects) == 0:
        raise ValueError(message("objects", "a sequence with one entry per image", "an empty one"))
    rows, columns = _map_size(image_size)
    boxes, labels, image = _flat(objects, n_classes, image_size)
    sizes = boxes[:, 2:] - boxes[:, :2]
    centres = (boxes[:, :2] + boxes[:, 2:]) / (2 * STRIDE)  # (n, 2), in cells
    whole = centres.floor()
    whole = torch.minimum(whole, torch.tensor([columns - 1, rows - 1], device=whole.device))  # a centre on the far edge
    radius = gaussian_radius(sizes / STRIDE, min_overlap).floor()
    spread = (2 * radius + 1) / 6
    y = torch.arange(rows, device=boxes.device) - whole[:, 1, None]  # (n, h)
    x = torch.arange(columns, device=boxes.device) - whole[:, 0, None]  # (n, w)
    bumps = torch.exp(-(y.square()[:, :, None] + x.square()[:, None]) / (2 * spread.square()[:, None, None]))  # (n, h, w)
    heat = torch.zeros(len(objects) * n_classes, rows, columns, device=boxes.device)
    for channel, bump in zip((image * n_classes + labels).tolist(), bumps):
        torch.maximum(heat[channel], bump, out=heat[channel])
    cell = (whole[:, 1] * columns + whole[:, 0]).long()
    return CenterTargets(heat.view(-1, n_classes, rows, columns), image, cell, sizes, centres - whole)


def _map_size(image_size: tuple[int, int]) -> tuple[int, int]:
    height, width = (checked_int(n, f"image_size[{i}]", low=STRIDE) for i, n in enumerate(image_size))
    if height % STRIDE or width % STRIDE:
        raise ValueError(message("image_size", f"multiples of {STRIDE}", str((height, width)), "Resize or pad the images."))
    return height // STRIDE, width // STRIDE


def _flat(objects: Sequence[Mapping[str, Tensor]], n_classes: int, image_size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return all boxes (n, 4), labels (n,) and image numbers (n,) of a batch, checked."""
    boxes, labels, image = [], [], []
    for i, entry in enumerate(objects):
        for name in ("boxes", "labels"):
            if name not in entry:
                raise ValueError(message(f"objects[{i}]", f"a mapping with {name!r}", f"keys {sorted(entry)}"))
        b = checked_tensor(entry["boxes"], f"objects[{i}]['boxes']", ("n", 4)).as_subclass(Tensor)
        k = checked_tensor(entry["labels"], f"objects[{i}]['labels']", (len(b),), floating=False)
        boxes.append(b.float())
        labels.append(k.long())
        image.append(torch.full((len(b),), i, device=b.device))
    boxes, labels, image = torch.cat(boxes), torch.cat(labels), torch.cat(image)
    if not torch.isfinite(boxes).all() or not (boxes[:, 2:] > boxes[:, :2]).all():
        raise ValueError(message("objects", "boxes with right > left and bottom > top", "a box without area", "Drop it."))
    centres, far = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes.new_tensor([image_size[1], image_size[0]])
    if not ((centres >= 0) & (centres <= far)).all():
        raise ValueError(
            message("objects", "boxes whose centre lies inside the image", "one outside", "Clip boxes to the image.")
        )
    if len(labels) and not (0 <= int(labels.min()) and int(labels.max()) < n_classes):
        raise ValueError(message("labels", f"between 0 and {n_classes - 1}", f"{int(labels.min())} to {int(labels.max())}"))
    return boxes, labels, image


def focal_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Return the penalty-reduced focal loss of heat maps, equation (1), divided by the number of centres.

    Parameters
    ----------
    logits : Tensor of shape (B, C, h, w)
        Before the sigmoid.
    heat : Tensor of the same shape, in [0, 1]
        Exactly 1 at the centres.

    Returns
    -------
    Tensor, scalar
        At a centre ``-(1 - p)^2 log p``; elsewhere ``-(1 - heat)^4 p^2 log(1 - p)``. A batch without centres is divided
        by 1.
    """
    probability = torch.sigmoid(logits)
    centre = heat == 1
    at_centres = (1 - probability) ** FOCAL_POWER * F.softplus(-logits)  # -log p
    elsewhere = (1 - heat) ** NEAR_POWER * probability**FOCAL_POWER * F.softplus(logits)  # -log(1 - p)
    return torch.where(centre, at_centres, elsewhere).sum() / centre.sum().clamp_min(1)


def center_loss(logits: Tensor, sizes: Tensor, offsets: Tensor, targets: CenterTargets) -> dict[str, Tensor]:
    """Return the loss of equation (4) and its three parts: ``loss``, ``heat``, ``size``, ``offset``.

    Parameters
    ----------
    logits : Tensor of shape (B, C, h, w)
    sizes, offsets : Tensor of shape (B, 2, h, w)
        Sizes in pixels, offsets in cells; only their values at the true centres count (equations 2 and 3, L1).
    targets : CenterTargets
    """
    heat = focal_loss(logits.float(), targets.heat)
    n = max(len(targets.image), 1)
    here = (targets.image, slice(None), targets.cell)
    size = (sizes.float().flatten(2)[here] - targets.sizes).abs().sum() / n
    offset = (offsets.float().flatten(2)[here] - targets.offsets).abs().sum() / n
    return {"loss": heat + SIZE_WEIGHT * size + OFFSET_WEIGHT * offset, "heat": heat, "size": size, "offset": offset}


def decode(heat: Tensor, sizes: Tensor, offsets: Tensor, max_detections: int = 100) -> list[dict[str, Tensor]]:
    """Return the boxes at the peaks of the heat maps.

    Parameters
    ----------
    heat : Tensor of shape (B, C, h, w), in [0, 1]
    sizes, offsets : Tensor of shape (B, 2, h, w)
    max_detections : int, default 100
        Of each image, over all classes.

    Returns
    -------
    list of B dict
        ``boxes (k, 4)`` clipped to the image, ``scores (k,)`` in descending order, ``labels (k,)``. Peaks of height 0
        and boxes without area are left out, so ``k`` may be smaller than ``max_detections``, also 0.
    """
    checked_tensor(heat, "heat", ("B", "C", "h", "w"))
    b, n_classes, rows, columns = heat.shape
    for name, maps in (("sizes", sizes), ("offsets", offsets)):
        checked_tensor(maps, name, (b, 2, rows, columns))
    max_detections = checked_int(max_detections, "max_detections", low=1)
    peaks = heat * (F.max_pool2d(heat, 3, stride=1, padding=1) == heat)  # a max-pool in place of NMS, section 4
    scores, place = peaks.flatten(1).topk(min(max_detections, n_classes * rows * columns))  # (B, k)
    labels, cell = place // (rows * columns), place % (rows * columns)
    at_peaks = cell[:, None].expand(-1, 2, -1)
    size = sizes.flatten(2).gather(2, at_peaks).transpose(1, 2)  # (B, k, 2)
    offset = offsets.flatten(2).gather(2, at_peaks).transpose(1, 2)
    whole = torch.stack([cell % columns, cell // columns], dim=2)
    centres = STRIDE * (whole + offset)
    far = heat.new_tensor([columns, rows]) * STRIDE
    low, high = (centres - size / 2).clamp_min(0).minimum(far), (centres + size / 2).clamp_min(0).minimum(far)
    boxes = torch.cat([low, high], dim=2)
    kept = (scores > 0) & (high > low).all(dim=2)
    return [{"boxes": boxes[i, k], "scores": scores[i, k], "labels": labels[i, k]} for i, k in enumerate(kept)]
