"""Crops: a part of the image, at its size or resized.

``RandomCrop``          a window of fixed size, with padding around the image (the recipe of CIFAR)
``RandomResizedCrop``   a window of random area and shape, resized to one size (Inception)
``IoUCrop``             a window that shows at least one object well enough, resized to one size (SSD)
``Resize``              the whole image, resized

A window that is resized is cut out first, as in torchvision: pixels beside it are not read. Only a ``SpatialChain`` reads
them. Resizing uses the triangle filter, wider where the window shrinks.

Sources: random resized crop: C. Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, section 6. IoU crop: W. Liu et
al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section 2.2. The ways to draw are torchvision's.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.ops import box_iou

from course_utils.augment.plan import GeometryPlan, affine_matrix, matrix_dtype, translation
from course_utils.augment.sampling import uniform
from course_utils.augment.spatial import SpatialTransform
from course_utils.augment.targets import axis_parallel
from course_utils.checks import checked_float, checked_int, checked_range, message

TRIALS = 10  # windows that RandomResizedCrop tries, as in Inception


@dataclass(frozen=True)
class WindowParams:
    """Rectangles of ``n`` images.

    Attributes
    ----------
    window : Tensor of int64, shape (n, 4)
        (x1, y1, x2, y2) in pixels.
    """

    window: Tensor


# ------------------------------------------------------------------------------------------------------------ plain crop


class RandomCrop(SpatialTransform):
    """Cut a window of fixed size out of the padded image, at a random place.

    Parameters
    ----------
    size : int or (int, int)
        (H', W') of the window.
    padding_pixels : int or (int, int, int, int), default 0
        Pixels added left, top, right, bottom before. What they show is ``padding`` and ``fill`` of ``SpatialTransform``.
    pad_if_needed : bool, default False
        Pad an image smaller than the window on both sides, as torchvision does.
    **reading
        As in ``SpatialTransform``.

    Raises
    ------
    ValueError
        On call: if the window is larger than the padded image.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding_pixels: int | Sequence[int] = 0,
        pad_if_needed: bool = False,
        **reading: Any,
    ) -> None:
        super().__init__(**reading)
        self.size = checked_size(size)
        sides = (padding_pixels,) * 4 if isinstance(padding_pixels, int) else tuple(padding_pixels)
        if len(sides) != 4:
            raise ValueError(message("padding_pixels", "one number, or four (left, top, right, bottom)", repr(padding_pixels)))
        self.padding_pixels = tuple(checked_int(side, "padding_pixels", low=0) for side in sides)
        self.pad_if_needed = bool(pad_if_needed)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> WindowParams:
        """Draw the corners of ``n`` windows, uniform over whole pixels; negative ones reach into the padding."""
        left, top, right, bottom = self.padding_pixels
        starts = []
        for side, cut, before, after in ((shape[2], self.size[1], left, right), (shape[1], self.size[0], top, bottom)):
            if self.pad_if_needed and before + side + after < cut:
                missing = cut - (before + side + after)
                before, after = before + missing, after + missing
            room = before + side + after - cut
            if room < 0:
                got = f"{self.size} for an image of {tuple(shape[1:])} with {self.padding_pixels} pixels of padding"
                raise ValueError(message("size", "at most the padded image", got, "Or pass pad_if_needed=True."))
            starts.append(torch.randint(room + 1, (n,), generator=generator, device=device) - before)
        x, y = starts
        return WindowParams(torch.stack([x, y, x + self.size[1], y + self.size[0]], dim=1))

    def plan(self, params: WindowParams, size: tuple[int, int]) -> GeometryPlan:
        """Return ``p' = p - (x1, y1)``."""
        return GeometryPlan(translation(-params.window[:, :2]), self.size, size)


# ---------------------------------------------------------------------------------------------------------- resized crops


class Resize(SpatialTransform):
    """Resize the whole image.

    Parameters
    ----------
    size : int or (int, int)
        (H', W').
    **reading
        As in ``SpatialTransform``; ``antialias`` is true by default.
    """

    def __init__(self, size: int | Sequence[int], antialias: bool = True, **reading: Any) -> None:
        super().__init__(antialias=antialias, **reading)
        self.size = checked_size(size)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> WindowParams:
        """Return the whole canvas, ``n`` times."""
        return WindowParams(torch.tensor([0, 0, shape[2], shape[1]], device=device).repeat(n, 1))

    def plan(self, params: WindowParams, size: tuple[int, int]) -> GeometryPlan:
        """Return the scaling, ``x' = x W' / W``."""
        return window_plan(params.window, self.size, size)


class RandomResizedCrop(SpatialTransform):
    """Cut out a window of random area and shape, and resize it.

    Parameters
    ----------
    size : int or (int, int)
        (H', W') of the output.
    scale : (float, float), default (0.08, 1.0)
        Range of the window's area, as a share of the image. With small images, (0.5, 1) keeps the object in sight.
    ratio : (float, float), default (3/4, 4/3)
        Range of width / height; its logarithm is uniform.
    **reading
        As in ``SpatialTransform``; ``antialias`` is true by default.

    Notes
    -----
    Ten windows are drawn; the first that fits into the image is taken. If none fits: the largest window in the middle whose
    ratio lies in the range.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        antialias: bool = True,
        **reading: Any,
    ) -> None:
        super().__init__(antialias=antialias, **reading)
        self.size = checked_size(size)
        self.scale = checked_range(scale, "scale", above=0, high=1)
        self.ratio = checked_range(ratio, "ratio", above=0)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> WindowParams:
        """Draw ``n`` windows."""
        height, width = shape[1:]
        area = height * width * uniform(n * TRIALS, *self.scale, generator, device).view(n, TRIALS)
        low, high = (math.log(r) for r in self.ratio)
        ratio = uniform(n * TRIALS, low, high, generator, device).view(n, TRIALS).exp()
        w, h = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
        first = fits.to(torch.uint8).argmax(1, keepdim=True)
        w, h, found = w.gather(1, first)[:, 0], h.gather(1, first)[:, 0], fits.any(1)
        middle_w, middle_h = self._fallback(height, width)
        w, h = torch.where(found, w, middle_w), torch.where(found, h, middle_h)
        x = (uniform(n, 0, 1, generator, device) * (width - w + 1)).floor()
        y = (uniform(n, 0, 1, generator, device) * (height - h + 1)).floor()
        x = torch.where(found, x.clamp(max=width - w), ((width - w) / 2).floor())
        y = torch.where(found, y.clamp(max=height - h), ((height - h) / 2).floor())
        return WindowParams(torch.stack([x, y, x + w, y + h], dim=1).long())

    def plan(self, params: WindowParams, size: tuple[int, int]) -> GeometryPlan:
        """Return ``diag(W' / w, H' / h) T(-x1, -y1)``."""
        return window_plan(params.window, self.size, size)

    def _fallback(self, height: int, width: int) -> tuple[int, int]:
        """Return width and height of the largest window with an allowed ratio."""
        if width / height < self.ratio[0]:
            return width, round(width / self.ratio[0])
        if width / height > self.ratio[1]:
            return round(height * self.ratio[1]), height
        return width, height


class IoUCrop(SpatialTransform):
    """Cut out a window that overlaps an object by at least a drawn amount, and resize it.

    For each image one of the ``options`` is drawn. It is the smallest overlap (IoU of window and box) that the best object must
    reach; 1 leaves the image whole. Windows are drawn until one has the centre of an object inside and reaches the overlap; after
    ``trials`` windows another option is drawn.

    Parameters
    ----------
    size : int or (int, int), optional
        (H', W') of the output; that of the input by default. torchvision leaves the window at its own size, which makes no
        batch.
    scale : (float, float), default (0.3, 1.0)
        Range of the window's width and height, as a share of the image's.
    ratio : (float, float), default (0.5, 2.0)
        Range of width / height.
    options : sequence of float, default (0, 0.1, 0.3, 0.5, 0.7, 0.9, 1)
    trials : int, default 40
    **reading
        As in ``SpatialTransform``; ``antialias`` is true by default.

    Convention
        The centre rule: a box whose centre lies outside of the window becomes four zeros, which ``SanitizeTargets`` drops, with
        its label, mask and key points. Boxes come one ``BoundingBoxes`` for each image. An image without boxes stays whole.
    """

    needs_boxes = True

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale: Sequence[float] = (0.3, 1.0),
        ratio: Sequence[float] = (0.5, 2.0),
        options: Sequence[float] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
        trials: int = 40,
        antialias: bool = True,
        **reading: Any,
    ) -> None:
        super().__init__(antialias=antialias, **reading)
        self.size = None if size is None else checked_size(size)
        self.scale = checked_range(scale, "scale", above=0, high=1)
        self.ratio = checked_range(ratio, "ratio", above=0)
        self.options = tuple(checked_float(option, "options", low=0, high=1) for option in options)
        if not self.options:
            raise ValueError(message("options", "at least one overlap", "none"))
        self.trials = checked_int(trials, "trials", low=1)

    def sample(
        self,
        n: int,
        shape: tuple[int, int, int],
        generator: torch.Generator | None = None,
        device: Any = None,
        boxes: Sequence[Tensor] | None = None,
    ) -> WindowParams:
        """Draw ``n`` windows for images with these boxes, one (N, 4) tensor of corners for each image."""
        whole = torch.tensor([0, 0, shape[2], shape[1]], device=device)
        windows = [self._window(whole, one, generator) for one in boxes or [whole[None][:0]] * n]
        return WindowParams(torch.stack(windows) if windows else whole.expand(0, 4))

    def plan(self, params: WindowParams, size: tuple[int, int]) -> GeometryPlan:
        """Return ``diag(W' / w, H' / h) T(-x1, -y1)``."""
        return window_plan(params.window, self.size or size, size)

    def apply_target(self, target: Tensor, params: WindowParams) -> Tensor:
        """Return the moved target; boxes with their centre outside of the window become zeros."""
        moved = super().apply_target(target, params)
        if not isinstance(target, tv_tensors.BoundingBoxes) or not len(target):
            return moved
        centres = axis_parallel(target).unflatten(1, (2, 2)).to(matrix_dtype(target.device)).mean(1)
        window = params.window[0].to(target.device)
        if bool((window == torch.tensor([0, 0, *reversed(target.canvas_size)], device=window.device)).all()):
            return moved  # the image is whole: no object is cut off
        inside = ((centres > window[:2]) & (centres < window[2:])).all(1)
        return tv_tensors.wrap(torch.where(inside[:, None], moved.as_subclass(Tensor), 0), like=moved)

    def _window(self, whole: Tensor, boxes: Tensor, generator: torch.Generator | None) -> Tensor:
        device, (width, height) = whole.device, whole[2:].tolist()
        if not len(boxes):
            return whole
        for _ in range(100):  # every round draws another option; one round nearly always suffices
            option = self.options[int(torch.randint(len(self.options), (1,), generator=generator, device=device))]
            if option >= 1:
                return whole
            windows = self._candidates(width, height, generator, device)
            inside = _centres_inside(windows, boxes.to(windows))
            overlap = box_iou(windows, boxes.to(windows)).masked_fill(~inside, -1).amax(1)
            good = (overlap >= option) & self._allowed(windows)
            if bool(good.any()):
                return windows[int(good.to(torch.uint8).argmax())].long()
        return whole

    def _candidates(self, width: int, height: int, generator: torch.Generator | None, device: Any) -> Tensor:
        """Return ``trials`` windows (T, 4) of whole pixels."""
        draws = torch.rand(self.trials, 4, generator=generator, device=device)
        low, high = self.scale
        sides = draws.new_tensor([width, height])
        cut = (sides * (low + (high - low) * draws[:, :2])).floor()
        start = ((sides - cut) * draws[:, 2:]).floor()
        return torch.cat([start, start + cut], dim=1)

    def _allowed(self, windows: Tensor) -> Tensor:
        w, h = (windows[:, 2:] - windows[:, :2]).unbind(1)
        return (w > 0) & (h > 0) & (w >= self.ratio[0] * h) & (w <= self.ratio[1] * h)


# ------------------------------------------------------------------------------------------------------------- the maths


def checked_size(size: int | Sequence[int]) -> tuple[int, int]:
    """Return (H, W) of at least one pixel; one number means a square."""
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2:
        raise ValueError(message("size", "one number, or (height, width)", repr(size)))
    return tuple(checked_int(side, "size", low=1) for side in pair)


def window_plan(window: Tensor, size: tuple[int, int], source: tuple[int, int]) -> GeometryPlan:
    """Return the plan that resizes windows (n, 4) of images of ``source`` (H, W) to ``size``."""
    corner, sides = window[:, :2], (window[:, 2:] - window[:, :2]).to(matrix_dtype(window.device))
    factor = sides.new_tensor([size[1], size[0]]) / sides
    return GeometryPlan(affine_matrix(torch.diag_embed(factor), -factor * corner), size, source, window=window)


def _centres_inside(windows: Tensor, boxes: Tensor) -> Tensor:
    """Tell which boxes (N, 4) have their centre in which windows (T, 4), bool (T, N)."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centres > windows[:, None, :2]) & (centres < windows[:, None, 2:])).all(-1)
