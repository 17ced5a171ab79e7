"""Read an image at other places: the pixel work behind ``GeometryPlan``.

Five ways, from the most general to the cheapest. ``GeometryPlan.images`` picks; the results agree where two apply.

====================  ====================================================================================================
``warped``            any map, one ``grid_sample`` with a grid of its own for every image
``resized_windows``   a rectangle of every image to a common size, with torchvision's anti-aliasing filter
``copied``            maps that send pixels to pixels: an index, no arithmetic, bit by bit
``nearest``           masks: the pixel under the point, any dtype
====================  ====================================================================================================

All coordinates are pixels, pixel (row i, column j) being the square [j, j+1) x [i, i+1). Outside of the image: a colour, the
image mirrored at its border (the border pixel comes twice), or the border pixel repeated.

Uint8 images are read as float32 levels and rounded once at the end, as torchvision does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks import message

Fill = float | Sequence[float] | str
EXACT = 1e-6  # a matrix this near to a map of pixels onto pixels is one
SMALL = 64 * 64  # up to this many pixels a batch is handled at once; larger images one by one, each in the cache


# ------------------------------------------------------------------------------------------------------------------ grids


@dataclass(frozen=True)
class Grid:
    """Where each output pixel looks: the inverse map (B, 3, 3), both canvases, and perhaps a displacement (B, 2, H', W')."""

    inverse: Tensor
    size: tuple[int, int]
    source: tuple[int, int]
    displacement: Tensor | None = None

    def normalised(self, dtype: torch.dtype) -> Tensor:
        """Return the grid (B, H', W', 2) in the units of ``grid_sample``: -1 and 1 are the outer borders of the image.

        An affine map is linear in y for every column: its grid is one small matrix product for each image. A homography is
        divided by its third coordinate.
        """
        height, width = self.source
        to_unit = self.inverse.new_tensor([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]])
        theta = to_unit @ self.inverse  # (B, 3, 3): output pixels to the square [-1, 1]^2
        if bool((self.inverse[:, 2, :2] == 0).all()):
            grid = self._affine(theta[:, :2] / theta[:, 2:, 2:], dtype)
        else:
            grid = self._projective(theta, dtype)
        if self.displacement is not None:
            grid[..., 0].add_(self.displacement[:, 0], alpha=2 / width)
            grid[..., 1].add_(self.displacement[:, 1], alpha=2 / height)
        return grid

    def _affine(self, theta: Tensor, dtype: torch.dtype) -> Tensor:
        x, y = (torch.arange(n, dtype=theta.dtype, device=theta.device) + 0.5 for n in reversed(self.size))
        first_line = theta[:, None, :, 0] * x[:, None] + theta[:, None, :, 2]  # (B, W', 2), for y = 0
        slope = theta[:, None, :, 1].expand_as(first_line)
        lines = torch.stack([slope, first_line], dim=1).flatten(2).to(dtype)  # (B, 2, W' * 2)
        steps = torch.stack([y, torch.ones_like(y)], dim=1).to(dtype)  # (H', 2)
        return torch.bmm(steps.expand(len(theta), -1, -1), lines).unflatten(2, (-1, 2))

    def _projective(self, theta: Tensor, dtype: torch.dtype) -> Tensor:
        x, y = (torch.arange(n, dtype=theta.dtype, device=theta.device) + 0.5 for n in reversed(self.size))
        across = (theta[:, :, 0, None] * x).to(dtype)[:, :, None, :]  # (B, 3, 1, W')
        down = (theta[:, :, 1, None] * y + theta[:, :, 2, None]).to(dtype)[..., None]  # (B, 3, H', 1)
        w = across[:, 2] + down[:, 2]
        behind = None
        if bool((across[:, 2].amin(2) + down[:, 2].amin(1) <= 0).any()):  # the horizon may cross the output
            behind = w <= 0
        w.reciprocal_()
        grid = w.new_empty(*w.shape, 2)
        for k in (0, 1):
            torch.mul(across[:, k] + down[:, k], w, out=grid[..., k])
        return grid if behind is None else grid.masked_fill_(behind[..., None], 2.0)  # 2 lies outside


def source_points(inverse: Tensor, size: tuple[int, int], displacement: Tensor | None = None) -> Tensor:
    """Return the source points of all output pixels in pixels, (B, H', W', 2); NaN behind the horizon of a homography."""
    x, y = (torch.arange(n, dtype=inverse.dtype, device=inverse.device) + 0.5 for n in reversed(size))
    along_x = inverse[:, None, None, :, 0] * x[:, None]
    along_y = inverse[:, None, None, :, 1] * y[:, None, None] + inverse[:, None, None, :, 2]
    places = along_x + along_y
    w = places[..., 2:]
    places = torch.where(w > 0, places[..., :2] / w, torch.nan)
    return places if displacement is None else places + displacement.permute(0, 2, 3, 1)


# ------------------------------------------------------------------------------------------------------------- any map


def warped(images: Tensor, grid: Grid, colour: Tensor, padding: str, interpolation: str) -> Tensor:
    """Return images (B, C, H, W) read through a grid, (B, C, H', W').

    The colour outside costs nothing: it is taken off before and put back after, so that zeros outside become the colour.
    """
    work = images if images.is_floating_point() else images.to(torch.float32)
    filled = padding == "fill" and bool((colour != 0).any())
    if filled:
        work = work - colour
    mode = {"fill": "zeros"}.get(padding, padding)
    places = grid.normalised(work.dtype)
    out = F.grid_sample(work, places, mode=interpolation, padding_mode=mode, align_corners=False)
    if filled:
        out = out.add_(colour) if not out.requires_grad else out + colour
    return out.round_().clamp_(0, 255).to(torch.uint8) if images.dtype == torch.uint8 else out


def fill_colour(fill: Fill, images: Tensor) -> Tensor:
    """Return the colour outside as a tensor that broadcasts over (B, C, H, W).

    Raises
    ------
    TypeError, ValueError
        If ``fill`` is no number, no ``"mean"`` and no sequence with one number for each channel.
    """
    dtype = images.dtype if images.is_floating_point() else torch.float32
    if isinstance(fill, str):
        if fill != "mean":
            raise ValueError(message("fill", 'a number, one for each channel, or "mean"', repr(fill)))
        return images.to(dtype).mean(dim=(2, 3), keepdim=True)
    values = [fill] if isinstance(fill, Real) else list(fill)
    if not all(isinstance(v, Real) for v in values):
        raise TypeError(message("fill", 'a number, one for each channel, or "mean"', repr(fill)))
    if len(values) not in (1, images.shape[1]):
        raise ValueError(message("fill", f"one number, or one for each of the {images.shape[1]} channels", str(len(values))))
    return torch.tensor(values, dtype=dtype, device=images.device).view(1, -1, 1, 1)


# -------------------------------------------------------------------------------------------------------- pixels to pixels


def exact_rows(inverse: Tensor) -> Tensor:
    """Tell which maps (B, 3, 3) send pixel squares to pixel squares, bool (B,)."""
    linear, shift = inverse[:, :2, :2], inverse[:, :2, 2]
    near = (linear - linear.round()).abs().amax((1, 2)) < EXACT
    permutes = (linear.round().abs().sum(1) == 1).all(1) & (linear.round().abs().sum(2) == 1).all(1)
    whole = (shift - shift.round()).abs().amax(1) < EXACT * 1e3
    flat = (inverse[:, 2, :2].abs().amax(1) < EXACT * 1e-3) & ((inverse[:, 2, 2] - 1).abs() < EXACT)
    return near & permutes & whole & flat


def copied(images: Tensor, inverse: Tensor, size: tuple[int, int], colour: Tensor, padding: str) -> Tensor:
    """Return images (B, C, H, W) moved by exact maps: every output pixel is a pixel of the input, or outside.

    One index into the pixels of an image, behind which the colour outside stands as one pixel more. Shifted windows, which are
    what most crops ask for, are cut out faster, unless a gradient is wanted.
    """
    n, channels, height, width = images.shape
    linear, shift = inverse[:, :2, :2].round(), inverse[:, :2, 2].round()
    if padding == "fill" and not images.requires_grad and bool((linear.diagonal(dim1=1, dim2=2) == 1).all()):
        cut = _windows if max(height * width, size[0] * size[1]) <= SMALL else _windows_one_by_one
        return cut(images, shift.long(), size, _in_dtype(colour, images).expand(n, channels, 1, 1))
    x, y = (torch.arange(side, dtype=inverse.dtype, device=inverse.device) + 0.5 for side in reversed(size))
    if bool((linear[:, 0, 0] != 0).all()):  # no quarter turn: columns stay columns
        columns = _pixels(linear[:, 0, 0, None] * x + shift[:, 0, None], width, padding, height * width)  # (B, W')
        lines = _pixels(linear[:, 1, 1, None] * y + shift[:, 1, None], height, padding, height)  # (B, H')
        index = lines[:, :, None] * width + columns[:, None, :]
    else:
        along_x = linear[:, None, None, :, 0] * x[:, None]
        places = along_x + linear[:, None, None, :, 1] * y[:, None, None] + shift[:, None, None]  # (B, H', W', 2)
        columns = _pixels(places[..., 0], width, padding, height * width)
        index = _pixels(places[..., 1], height, padding, height) * width + columns
    pixels = images.flatten(2)
    if padding == "fill":
        pixels = F.pad(pixels, (0, 1))
        pixels[..., -1] = _in_dtype(colour, images)[..., 0, 0]
        index = index.clamp_(max=height * width)
    return pixels.gather(2, index.view(n, 1, -1).expand(-1, channels, -1)).view(n, channels, *size)


def _windows(images: Tensor, starts: Tensor, size: tuple[int, int], ink: Tensor) -> Tensor:
    """Return windows of images (B, C, H, W) that start at whole pixels (x, y) (B, 2); outside the ink (B, C, 1, 1).

    On one padded canvas, every line of every window is a run of W' numbers; all runs are picked at once.
    """
    n, channels, height, width = images.shape
    source, side = starts.new_tensor([width, height]), starts.new_tensor([size[1], size[0]])
    starts = torch.minimum(torch.maximum(starts, -side), source)  # farther out there is nothing else to see
    left, top = (-starts.amin(0)).clamp_(min=0).tolist()
    right, bottom = (starts.amax(0) + side - source).clamp_(min=0).tolist()
    canvas = ink.repeat(1, 1, top + height + bottom, left + width + right)
    canvas[:, :, top : top + height, left : left + width] = images
    across, area = canvas.shape[3], canvas.shape[2] * canvas.shape[3]
    corner = (starts[:, 1] + top) * across + starts[:, 0] + left  # (B,)
    first, line = (torch.arange(k, device=images.device) for k in (n * channels, size[0]))
    runs = (first * area + corner.repeat_interleave(channels))[:, None] + line * across  # (B * C, H')
    return canvas.flatten().unfold(0, size[1], 1).index_select(0, runs.flatten()).view(n, channels, *size)


def _windows_one_by_one(images: Tensor, starts: Tensor, size: tuple[int, int], ink: Tensor) -> Tensor:
    """Return the same for large images: a padded canvas of all of them would not stay in the cache."""
    out = images.new_empty(*images.shape[:2], *size)
    height, width = images.shape[-2:]
    for image, target, one, (x, y) in zip(images, out, ink, starts.tolist()):
        left, right = max(x, 0), min(x + size[1], width)
        top, bottom = max(y, 0), min(y + size[0], height)
        if right - left < size[1] or bottom - top < size[0]:
            target.copy_(one.expand_as(target))
        if left < right and top < bottom:
            target[:, top - y : bottom - y, left - x : right - x] = image[:, top:bottom, left:right]
    return out


def _pixels(places: Tensor, n: int, padding: str, outside: int) -> Tensor:
    """Return the index of the pixel that holds each place along an axis of ``n`` pixels; ``outside`` is for a colour."""
    index = places.floor().long()
    if padding == "border":
        return index.clamp_(0, n - 1)
    if padding == "reflection":
        index = index.remainder(2 * n)
        return torch.minimum(index, 2 * n - 1 - index)
    return torch.where((index >= 0) & (index < n), index, outside)


def _in_dtype(colour: Tensor, images: Tensor) -> Tensor:
    return colour.to(images.dtype) if images.is_floating_point() else colour.round().clamp(0, 255).to(images.dtype)


def nearest(masks: Tensor, places: Tensor, outside: int) -> Tensor:
    """Return masks (B, N, H, W) read at places (B, H', W', 2), ``outside`` beyond the border; the dtype stays."""
    height, width = masks.shape[-2:]
    inside = (places >= 0).all(-1) & (places[..., 0] < width) & (places[..., 1] < height)  # False for NaN too
    index = torch.where(inside[..., None], places, 0.0).floor().long()
    flat = (index[..., 1] * width + index[..., 0]).flatten(1)[:, None].expand(-1, masks.shape[1], -1)
    out = masks.flatten(2).gather(2, flat).view(*masks.shape[:2], *places.shape[1:3])
    return torch.where(inside[:, None], out, torch.tensor(outside, device=masks.device).to(masks.dtype))


# ---------------------------------------------------------------------------------------------------------------- windows


def resized_windows(
    images: Tensor, window: Tensor, size: tuple[int, int], interpolation: str = "bilinear", antialias: bool = True
) -> Tensor:
    """Return a rectangle of every image, resized to one size: cut out first, so its borders act like borders of an image.

    Parameters
    ----------
    images : Tensor of shape (B, C, H, W)
    window : Tensor of int, shape (B, 4)
        (x1, y1, x2, y2) inside of the image.
    size : tuple of int
        (H', W').
    antialias : bool, default True
        Widen the triangle filter where the window shrinks.

    Returns
    -------
    Tensor of shape (B, C, H', W')
        torchvision's ``resized_crop``, up to rounding.
    """
    if interpolation == "nearest" or images.shape[-2] * images.shape[-1] > SMALL or size[0] * size[1] > SMALL:
        return _resized_one_by_one(images, window, size, interpolation, antialias)
    work = images if images.is_floating_point() else images.to(torch.float32)
    across = _triangle(window[:, 0], window[:, 2], images.shape[-1], size[1], antialias, work.dtype)  # (B, W', W)
    down = _triangle(window[:, 1], window[:, 3], images.shape[-2], size[0], antialias, work.dtype)  # (B, H', H)
    lines = torch.bmm(work.flatten(1, 2), across.transpose(1, 2)).unflatten(1, images.shape[1:3])  # (B, C, H, W')
    out = torch.matmul(down[:, None], lines)
    return out.round_().clamp_(0, 255).to(torch.uint8) if images.dtype == torch.uint8 else out


def _triangle(start: Tensor, stop: Tensor, n: int, n_out: int, antialias: bool, dtype: torch.dtype) -> Tensor:
    """Return the weights (B, n_out, n) of the triangle filter that resizes pixels [start, stop) of ``n`` to ``n_out``."""
    start, stop = start[:, None].to(dtype), stop[:, None].to(dtype)
    step = (stop - start) / n_out  # source pixels to an output pixel
    centre = start + step * (torch.arange(n_out, dtype=dtype, device=start.device) + 0.5)  # (B, n_out)
    pixel = torch.arange(n, dtype=dtype, device=start.device) + 0.5
    if not antialias:  # a window's border pixel is repeated
        centre = torch.minimum(torch.maximum(centre, start + 0.5), stop - 0.5)
        step = torch.ones_like(step)
    weights = (pixel - centre[..., None]).abs_().div_(-step.clamp(min=1)[..., None]).add_(1).clamp_(min=0)
    weights.mul_(((pixel > start) & (pixel < stop)).to(dtype)[:, None])
    return weights.div_(weights.sum(-1, keepdim=True))


def _resized_one_by_one(images: Tensor, window: Tensor, size: tuple[int, int], interpolation: str, antialias: bool) -> Tensor:
    if images.dtype == torch.uint8 and images.device.type != "cpu":  # torch interpolates bytes on the CPU only
        return _resized_one_by_one(images.float(), window, size, interpolation, antialias).round_().to(torch.uint8)
    out = images.new_empty(*images.shape[:2], *size)
    for i, (x1, y1, x2, y2) in enumerate(window.tolist()):
        shrinks = y2 - y1 > size[0] or x2 - x1 > size[1]  # where nothing shrinks, the wide filter is the plain one
        smooth, part = interpolation == "bilinear" and antialias and shrinks, images[i : i + 1, :, y1:y2, x1:x2]
        if interpolation == "bilinear" and not smooth and not images.requires_grad:  # straight into its place, without a copy
            torch.ops.aten.upsample_bilinear2d.out(part, size, False, out=out[i : i + 1])
        else:
            out[i] = F.interpolate(part, size, mode=interpolation, antialias=smooth)[0]
    return out
