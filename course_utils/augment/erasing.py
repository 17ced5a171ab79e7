"""Erase a part of the image and keep the label: Random Erasing and Cutout.

**Problem.** A network that has seen every wheel learns "wheel, so car", and is lost where a tree hides the wheel. **Idea.**
Hide a part at random while it learns. The label stays, because the object is still there.

Random Erasing
    Z. Zhong, L. Zheng, G. Kang, S. Li, Y. Yang, "Random Erasing Data Augmentation", AAAI 2020, arXiv:1708.04896. For each
    image, with probability p: draw an area S = s * H * W and an aspect ratio r = h / w; h = sqrt(S r), w = sqrt(S / r),
    rounded; if h < H and w < W, draw a place and fill; otherwise draw again. Image-aware (I-RE) draws in the whole image,
    object-aware (O-RE) in every ground-truth box on its own, I+ORE in both.
Cutout
    T. DeVries, G. W. Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017,
    arXiv:1708.04552. A square of fixed side around a centre drawn from all pixels; what sticks out is cut off.

Paper against code
    The official code of Random Erasing writes the mean's constants into *normalised* images, where they are neither the
    mean nor black. Here the fill comes before normalisation, as in the paper. No public code holds the object-aware
    variants; here the rectangles of all boxes become one mask. The official code of Cutout masks ``L // 2`` on both sides,
    which makes an odd side one pixel short; here an odd side is exact.

Conventions
    A rectangle is (top, left, height, width) in whole pixels: rows top <= i < top + height. Height 0 means "none". Fill
    constants are in [0, 1], also for uint8 images. Every image of a batch gets its own rectangle; nothing loops over images.

Taught in ``14_erasing``, steps 1 to 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torchvision import tv_tensors

from course_utils.augment.filling import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Fill,
    checked_constants,
    checked_fill,
    constant_fill,
    constants_of,
    random_bytes,
)
from course_utils.augment.sampling import Draw, RandomTransform, corners, to_uint8
from course_utils.checks import checked_choice, checked_float, checked_int, checked_range, message

FILLS = ("random", "mean", "black", "white", "normal")
PAPER_SCALE, PAPER_RATIO, PAPER_ATTEMPTS = (0.02, 0.4), (0.3, 1 / 0.3), 100  # the official code's s_l, s_h, r_1 and tries
FIRST_ATTEMPTS = 4  # drawn for all images at once; the few that have no success draw the rest


@dataclass(frozen=True)
class Holes:
    """The rectangles to be erased from every image, and what fills them.

    Attributes
    ----------
    rectangles : Tensor of shape (n, R, 4), int64
        (top, left, height, width); a height or width of 0 is no rectangle.
    noise : Tensor of shape (n, C, H, W), or None
        uint8 levels for the fill "random", float32 standard normal numbers for "normal".
    """

    rectangles: Tensor
    noise: Tensor | None = None


class RandomErasing(RandomTransform):
    """Erase a random rectangle of every image, of every object, or of both.

    Parameters
    ----------
    p : float, default 0.5
        Probability for every region on its own: for the image, and for each box.
    scale : (low, high), default (0.02, 0.4)
        Erased share of the region's *area*, s in the paper.
    ratio : (low, high), default (0.3, 1 / 0.3)
        Height over width.
    value : {"random", "mean", "black", "white", "normal"}, number or C numbers, default "random"
        The paper's RE-R (every number of every pixel from 0..255), RE-M, RE-0 and RE-255; Gaussian noise around the mean
        (clipped to [0, 1]); or a constant in [0, 1].
    ratio_sampling : {"paper", "log"}, default "paper"
        "paper" draws r uniformly, which favours tall rectangles (three of four); "log" draws log r uniformly, so tall and
        wide are equally likely, as torchvision and timm do.
    count : int, default 1
        Rectangles per region, each with a ``count``-th of the area (as timm).
    aware : {"image", "object", "both"}, default "image"
        I-RE, O-RE, I+ORE. The last two need ``tv_tensors.BoundingBoxes`` beside the images; an image without boxes has no
        object to erase.
    min_visible : float, optional
        Boxes with less than this share of visible area become empty (zero area), the sign of torchvision's
        ``SanitizeBoundingBoxes`` to drop them and their labels. None, the paper's way: every box stays.
    attempts : int, default 100
        Draws until a rectangle fits; without success the region stays whole.
    mean, std : sequences of C numbers
        For the fills "mean" and "normal"; ImageNet's by default.
    per : {"sample", "batch"}, default "sample"
        One draw for each image, or one for all ("image" only).

    Raises
    ------
    TypeError, ValueError
        For arguments outside these ranges, and on call for boxes with NaN.

    Notes
    -----
    A rectangle must be smaller than its region in both directions (h < H and w < W), so a region one pixel wide is never
    erased, and the erased share is a little smaller than ``scale`` says: large areas with extreme ratios do not fit.

    Examples
    --------
    >>> images = torch.zeros(8, 3, 32, 32)
    >>> erase = RandomErasing(p=1.0, value="white")
    >>> out = erase(images)
    >>> bool((out.mean((1, 2, 3)) > 0).all())
    True
    """

    works_in = "any"

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = PAPER_SCALE,
        ratio: tuple[float, float] = PAPER_RATIO,
        value: Fill = "random",
        ratio_sampling: str = "paper",
        count: int = 1,
        aware: str = "image",
        min_visible: float | None = None,
        attempts: int = PAPER_ATTEMPTS,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        per: str = "sample",
    ) -> None:
        super().__init__(p, per)
        self.scale = checked_range(scale, "scale", low=0, high=1)
        self.ratio = checked_range(ratio, "ratio", above=0)
        self.value = checked_fill(value, FILLS)
        self.ratio_sampling = checked_choice(ratio_sampling, "ratio_sampling", ("paper", "log"))
        self.count = checked_int(count, "count", low=1)
        self.aware = checked_choice(aware, "aware", ("image", "object", "both"))
        self.min_visible = None if min_visible is None else checked_float(min_visible, "min_visible", low=0, high=1)
        self.attempts = checked_int(attempts, "attempts", low=1)
        self.mean, self.std = checked_constants(mean, "mean"), checked_constants(std, "std")
        self.needs_boxes = aware != "image"
        if self.needs_boxes and per == "batch":
            raise ValueError(message("per", "'sample' where objects are erased: every image has its own boxes", "'batch'"))

    @classmethod
    def preset(cls, task: str, **changes: Any) -> RandomErasing:
        """Return the paper's setting for a task: "classification", "detection" or "reidentification".

        Detection and re-identification erase at most a fifth of the area; detection erases in the image and in every
        object (I+ORE). ``changes`` replace single arguments.
        """
        presets: dict[str, dict[str, Any]] = {
            "classification": {},
            "detection": {"scale": (0.02, 0.2), "aware": "both"},
            "reidentification": {"scale": (0.02, 0.2)},
        }
        return cls(**{**presets[checked_choice(task, "task", presets)], **changes})

    def draw(self, images: Tensor, generator: torch.Generator | None = None, boxes: list[Tensor] | None = None) -> Draw:
        """Decide which regions are erased: one coin for each image, or one for each box, then the rectangles."""
        if not self.needs_boxes:
            return super().draw(images, generator)
        n, device = len(images), images.device
        boxes = [torch.zeros(0, 4, device=device)] * n if boxes is None else boxes
        drawn = self.sample(n, tuple(images.shape[1:]), generator, device, boxes=boxes)
        return Draw(torch.ones(n, dtype=torch.bool, device=device), drawn)

    def sample(
        self,
        n: int,
        shape: tuple[int, int, int],
        generator: torch.Generator | None = None,
        device: Any = None,
        boxes: Sequence[Tensor] | None = None,
    ) -> Holes:
        """Draw the rectangles of ``n`` images of ``shape`` (C, H, W), and the noise that fills them.

        Parameters
        ----------
        boxes : sequence of n Tensors (N_i, 4), optional
            Corners in pixels, for "object" and "both"; there every region has its own coin.

        Returns
        -------
        Holes
        """
        channels, height, width = shape
        regions = torch.tensor([[[0, 0, height, width]]], device=device).expand(n, -1, -1)  # (n, 1, 4)
        if self.needs_boxes:
            objects = whole_pixels(_padded(boxes, n, device), height, width)  # (n, N, 4)
            regions = objects if self.aware == "object" else torch.cat([regions, objects], dim=1)
            heads = torch.rand(regions.shape[:2], generator=generator, device=device) < self.p
            regions = torch.where(heads[..., None], regions, 0)
        regions = regions.repeat_interleave(self.count, dim=1)  # (n, R, 4)
        rectangles = draw_rectangles(
            regions.flatten(0, 1), self.scale, self.ratio, self.ratio_sampling, 1 / self.count, self.attempts, generator
        )
        return Holes(rectangles.view(regions.shape), self._noise((n, *shape), generator, device))

    def apply(self, images: Tensor, params: Holes) -> Tensor:
        """Return the images (B, C, H, W) with the rectangles filled."""
        mask = covered(params.rectangles, *images.shape[-2:])
        return torch.where(mask, self._filling(images, params), images)

    def apply_target(self, target: Tensor, params: Holes) -> Tensor:
        """Return the boxes with those emptied that the rectangles leave hardly visible, where ``min_visible`` says so."""
        if self.min_visible is None or not isinstance(target, tv_tensors.BoundingBoxes):
            return target
        seen = visible_fraction(corners(target), params.rectangles[0], target.canvas_size)
        kept = (seen >= self.min_visible)[:, None]
        return tv_tensors.wrap(torch.where(kept, target.as_subclass(Tensor), 0), like=target)

    def _noise(self, shape: tuple[int, ...], generator: torch.Generator | None, device: Any) -> Tensor | None:
        if self.value == "random":
            return random_bytes(shape, generator, device)
        return torch.randn(shape, generator=generator, device=device) if self.value == "normal" else None

    def _filling(self, images: Tensor, params: Holes) -> Tensor:
        if self.value == "random":
            if images.dtype == torch.uint8:
                return params.noise
            return params.noise * torch.tensor(1 / 255, dtype=images.dtype, device=images.device)
        if self.value != "normal":
            return constant_fill(constants_of(self.value, self.mean), images)
        mean, std = constant_fill(self.mean, params.noise), constant_fill(self.std, params.noise)
        noise = (mean + std * params.noise).clamp_(0, 1)
        return to_uint8(noise) if images.dtype == torch.uint8 else noise.to(images.dtype)


class Cutout(RandomTransform):
    """Erase squares of one size around random centres; by default a square may stick out of the image.

    Parameters
    ----------
    length : int, default 16
        Side L in pixels: the paper's 16 for CIFAR-10, 8 for CIFAR-100, 20 for SVHN.
    n_holes : int, default 1
    overhang : bool, default True
        Draw the centre from all pixels and cut off what sticks out: the paper's choice. At 32 pixels a square of side 16
        then masks 19.1 % of the image on average, not 25 %. False: the square lies inside; the paper pairs it with
        ``p=0.5``, so that some images stay whole.
    value : {"mean", "black", "white"}, number or C numbers, default "mean"
        A constant in [0, 1], or the constants ``mean``.
    p : float, default 1.0
        The paper masks every image.
    mean : sequence of C numbers, default ImageNet's
        For the fill "mean". The paper writes zeros into normalised images, which is the mean of the training set.
    per : {"sample", "batch"}, default "sample"

    Raises
    ------
    TypeError, ValueError
        For arguments outside these ranges.

    Notes
    -----
    The square covers rows c - L // 2 <= i < c - L // 2 + L around the centre c. For even L this is the paper's square. For
    odd L the paper's code masks L - 1 pixels; here L. A square larger than the image covers as much of it as there is.

    Examples
    --------
    >>> out = Cutout(length=4, overhang=False, value="black")(torch.ones(2, 3, 16, 16))
    >>> (out == 0).float().mean((1, 2, 3)).tolist()
    [0.0625, 0.0625]
    """

    works_in = "any"
    unit_range = False

    def __init__(
        self,
        length: int = 16,
        n_holes: int = 1,
        overhang: bool = True,
        value: Fill = "mean",
        p: float = 1.0,
        mean: Sequence[float] = IMAGENET_MEAN,
        per: str = "sample",
    ) -> None:
        super().__init__(p, per)
        self.length = checked_int(length, "length", low=1)
        self.n_holes = checked_int(n_holes, "n_holes", low=1)
        self.overhang = bool(overhang)
        self.value = checked_fill(value)
        self.mean = checked_constants(mean, "mean")

    def sample(self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None) -> Holes:
        """Draw the squares of ``n`` images of ``shape`` (C, H, W), cut to the image."""
        _, height, width = shape
        sides = torch.tensor([height, width], device=device)
        side = torch.full_like(sides, self.length)
        if self.overhang:
            first = random_integers((n, self.n_holes, 2), sides, generator, device) - self.length // 2
        else:
            side = side.minimum(sides)
            first = random_integers((n, self.n_holes, 2), sides - side + 1, generator, device)
        last = (first + side).minimum(sides)
        first = first.clamp_min(0)
        return Holes(torch.cat([first, (last - first).clamp_min(0)], dim=-1))

    def apply(self, images: Tensor, params: Holes) -> Tensor:
        """Return the images (B, C, H, W) with the squares filled."""
        filling = constant_fill(constants_of(self.value, self.mean), images)
        return torch.where(covered(params.rectangles, *images.shape[-2:]), filling, images)


# ---------------------------------------------------------------------------------------------------- drawing rectangles


def draw_rectangles(
    regions: Tensor,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    ratio_sampling: str = "paper",
    share: float = 1.0,
    attempts: int = PAPER_ATTEMPTS,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw one rectangle inside every region by Random Erasing's rule.

    Parameters
    ----------
    regions : Tensor of shape (M, 4), int64
        (top, left, height, width) in pixels.
    scale, ratio : (low, high)
        Of the area's share and of height over width.
    ratio_sampling : {"paper", "log"}
    share : float, default 1
        Factor of every area.
    attempts : int
        Draws until h < H and w < W.

    Returns
    -------
    Tensor of shape (M, 4), int64
        Zeros where no draw fitted.
    """
    rectangles = torch.zeros_like(regions)
    waiting = torch.arange(len(regions), device=regions.device)
    for tries in (min(FIRST_ATTEMPTS, attempts), attempts - FIRST_ATTEMPTS):
        if tries <= 0 or not len(waiting):
            break
        inside = regions[waiting]
        sides = _draw_sides(inside[:, 2:], scale, ratio, ratio_sampling, share, tries, generator)  # (M, tries, 2)
        fits = (sides < inside[:, None, 2:]).all(-1)
        found, first = fits.any(1), fits.int().argmax(1)  # argmax: the first attempt that fits
        sides = sides[torch.arange(len(sides), device=sides.device), first][found]
        room = inside[found, 2:] - sides + 1
        corner = inside[found, :2] + random_integers(room.shape, room, generator, regions.device)
        rectangles[waiting[found]] = torch.cat([corner, sides], dim=1)
        waiting = waiting[~found]
    return rectangles


def _draw_sides(
    sizes: Tensor, scale: Any, ratio: Any, ratio_sampling: str, share: float, tries: int, generator: torch.Generator | None
) -> Tensor:
    """Draw heights and widths (M, tries, 2) for regions of ``sizes`` (M, 2)."""
    u, v = torch.rand((2, len(sizes), tries), generator=generator, device=sizes.device)
    area = (scale[0] + (scale[1] - scale[0]) * u) * sizes.prod(1, keepdim=True) * share
    if ratio_sampling == "paper":
        r = ratio[0] + (ratio[1] - ratio[0]) * v
    else:
        r = ratio[0] * (ratio[1] / ratio[0]) ** v
    return torch.stack([(area * r).sqrt(), (area / r).sqrt()], dim=-1).round().long()


def random_integers(shape: Any, upper: Tensor, generator: torch.Generator | None = None, device: Any = None) -> Tensor:
    """Draw integers from 0 .. ``upper`` - 1, every entry with its own limit (``torch.randint`` knows only one)."""
    return (torch.rand(shape, generator=generator, device=device) * upper).long().minimum(upper - 1)


# ----------------------------------------------------------------------------------------------------- masks and boxes


def covered(rectangles: Tensor, height: int, width: int) -> Tensor:
    """Return the mask (n, 1, H, W) of the pixels that lie in any of the rectangles (n, R, 4)."""
    top, left, tall, wide = rectangles[..., None].unbind(-2)  # (n, R, 1) each
    i, j = torch.arange(height, device=rectangles.device), torch.arange(width, device=rectangles.device)
    in_rows = (i >= top) & (i < top + tall)  # (n, R, H)
    in_columns = (j >= left) & (j < left + wide)  # (n, R, W)
    each = in_rows[..., :, None] & in_columns[..., None, :]  # (n, R, H, W)
    return each if each.shape[1] == 1 else each.any(1, keepdim=True)


def whole_pixels(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return the rectangles of the pixels that lie wholly inside boxes (..., 4) and inside the image.

    Raises
    ------
    ValueError
        If a corner is NaN or infinite.
    """
    if not bool(torch.isfinite(boxes).all()):
        raise ValueError(message("boxes", "finite corners", "NaN or infinity"))
    limit = torch.tensor([width, height], device=boxes.device)
    first = boxes[..., :2].ceil().long().clamp_min(0).minimum(limit)
    last = boxes[..., 2:].floor().long().clamp_min(0).minimum(limit)
    return torch.cat([first.flip(-1), (last - first).clamp_min(0).flip(-1)], dim=-1)


def visible_fraction(boxes: Tensor, rectangles: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    """Return which share of every box's area inside the image is not erased.

    Parameters
    ----------
    boxes : Tensor of shape (N, 4)
        Corners x1, y1, x2, y2 in pixels, not necessarily whole.
    rectangles : Tensor of shape (R, 4)
        Overlapping rectangles count once.
    canvas_size : (H, W)

    Returns
    -------
    Tensor of shape (N,), float64
        0 for a box without area.

    Notes
    -----
    The erased area left of and above a point is piecewise bilinear in that point, so four look-ups in a summed-area table,
    interpolated, give the erased area of a box exactly.
    """
    height, width = canvas_size
    mask = covered(rectangles[None], height, width)[0, 0].to(torch.float64)
    table = torch.zeros(height + 1, width + 1, dtype=torch.float64, device=mask.device)
    table[1:, 1:] = mask.cumsum(0).cumsum(1)
    limits = torch.tensor([width, height] * 2, dtype=torch.float64, device=boxes.device)
    x1, y1, x2, y2 = boxes.to(torch.float64).clamp_min(0).minimum(limits).unbind(-1)
    hidden = _area_before(table, x2, y2) - _area_before(table, x1, y2) - _area_before(table, x2, y1) + _area_before(table, x1, y1)
    area = (x2 - x1).clamp_min(0) * (y2 - y1).clamp_min(0)
    return torch.where(area > 0, 1 - hidden / area.clamp_min(1e-12), 0.0)


def _area_before(table: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Interpolate a summed-area table (H + 1, W + 1) at points inside the image."""
    j = x.floor().long().clamp_max(table.shape[1] - 2)
    i = y.floor().long().clamp_max(table.shape[0] - 2)
    u, v = x - j, y - i
    upper = (1 - u) * table[i, j] + u * table[i, j + 1]
    lower = (1 - u) * table[i + 1, j] + u * table[i + 1, j + 1]
    return (1 - v) * upper + v * lower


def _padded(boxes: Sequence[Tensor] | None, n: int, device: Any) -> Tensor:
    """Stack lists of boxes of different length as (n, N, 4); what is missing is an empty box."""
    if not n or boxes is None:
        return torch.zeros(n, 0, 4, device=device)
    return pad_sequence([one.to(torch.float32) for one in boxes], batch_first=True)
