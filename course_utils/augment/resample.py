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
SMALL = 64 * 64  # up to this many pixels, all windows of a batch are resized by two matrix products


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

        An affine map is a sum of a part along x and a part along y; a homography is divided by its third coordinate.
        """
        height, width = self.source
        to_unit = self.inverse.new_tensor([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]])
        theta = to_unit @ self.inverse  # (B, 3, 3): output pixels to the square [-1, 1]^2
        affine = bool((self.inverse[:, 2, :2] == 0).all())
        if affine:
            theta = theta[:, :2] / theta[:, 2:, 2:]
        x, y = (torch.arange(n, dtype=theta.dtype, device=theta.device) + 0.5 for n in reversed(self.size))
        along_x = theta[:, None, None, :, 0] * x[:, None]  # (B, 1, W', 2 or 3)
        along_y = theta[:, None, None, :, 1] * y[:, None, None] + theta[:, None, None, :, 2]  # (B, H', 1, 2 or 3)
        grid = along_x.to(dtype) + along_y.to(dtype)
        if not affine:
            w = grid[..., 2:]
            grid = torch.where(w > 0, grid[..., :2] / w, 2.0)  # behind the horizon: outside
        if self.displacement is not None:
            grid = grid + self.displacement.permute(0, 2, 3, 1).to(dtype) * grid.new_tensor([2 / width, 2 / height])
        return grid


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
    """Return images (B, C, H, W) moved by exact maps: every output pixel is a pixel of the input, or outside."""
    (height, width), (new_height, new_width) = images.shape[-2:], size
    linear, shift = inverse[:, :2, :2].round(), inverse[:, :2, 2].round()
    x, y = (torch.arange(n, dtype=inverse.dtype, device=inverse.device) + 0.5 for n in (new_width, new_height))
    if bool((linear[:, 0, 0] != 0).all()):
        columns = _pixels(linear[:, 0, 0, None] * x + shift[:, 0, None], width, padding)  # (B, W')
        lines = _pixels(linear[:, 1, 1, None] * y + shift[:, 1, None], height, padding)  # (B, H')
        return _straight(images, lines, columns, colour)
    places = source_points(
        torch.cat([torch.cat([linear, shift[..., None]], 2), inverse.new_tensor([[[0, 0, 1.0]]]).expand(len(inverse), 1, 3)], 1),
        size,
    )
    columns, lines = _pixels(places[..., 0], width, padding), _pixels(places[..., 1], height, padding)
    inside = (columns >= 0) & (lines >= 0)
    flat = (lines.clamp(min=0) * width + columns.clamp(min=0)).flatten(1)[:, None].expand(-1, images.shape[1], -1)
    out = images.flatten(2).gather(2, flat).view(*images.shape[:2], *size)
    return out if bool(inside.all()) else torch.where(inside[:, None], out, _in_dtype(colour, images))


def _straight(images: Tensor, lines: Tensor, columns: Tensor, colour: Tensor) -> Tensor:
    """Return ``images[:, :, lines, columns]`` for each image, (B, H') and (B, W'); index -1 is outside."""
    n, channels, _, width = images.shape
    if bool((lines == lines[:1]).all() & (columns == columns[:1]).all()):
        out = images.index_select(2, lines[0].clamp(min=0)).index_select(3, columns[0].clamp(min=0))
    else:
        flat = (lines.clamp(min=0)[:, :, None] * width + columns.clamp(min=0)[:, None, :]).view(n, 1, -1)
        out = images.flatten(2).gather(2, flat.expand(-1, channels, -1)).view(n, channels, lines.shape[1], columns.shape[1])
    if bool((lines >= 0).all() & (columns >= 0).all()):
        return out
    inside = (lines >= 0)[:, None, :, None] & (columns >= 0)[:, None, None, :]
    return torch.where(inside, out, _in_dtype(colour, images))


def _pixels(places: Tensor, n: int, padding: str) -> Tensor:
    """Return the index of the pixel that holds each place along an axis of ``n`` pixels; -1 outside, where that is a colour."""
    index = places.floor().long()
    if padding == "border":
        return index.clamp(0, n - 1)
    if padding == "reflection":
        index = index.remainder(2 * n)
        return torch.minimum(index, 2 * n - 1 - index)
    return torch.where((index >= 0) & (index < n), index, -1)


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
    across = _triangle(window[:, 0], window[:, 2], images.shape[-1], size[1], antialias).to(work.dtype)  # (B, W', W)
    down = _triangle(window[:, 1], window[:, 3], images.shape[-2], size[0], antialias).to(work.dtype)  # (B, H', H)
    lines = torch.bmm(work.flatten(1, 2), across.transpose(1, 2)).unflatten(1, images.shape[1:3])  # (B, C, H, W')
    out = torch.matmul(down[:, None], lines)
    return out.round_().clamp_(0, 255).to(torch.uint8) if images.dtype == torch.uint8 else out


def _triangle(start: Tensor, stop: Tensor, n: int, n_out: int, antialias: bool) -> Tensor:
    """Return the weights (B, n_out, n) of the triangle filter that resizes pixels [start, stop) of ``n`` to ``n_out``."""
    start, stop = start[:, None, None].double(), stop[:, None, None].double()
    step = (stop - start) / n_out  # source pixels to an output pixel
    reach = step.clamp(min=1) if antialias else torch.ones_like(step)
    centre = start + step * (torch.arange(n_out, device=start.device)[:, None] + 0.5)
    pixel = torch.arange(n, device=start.device) + 0.5
    if not antialias:  # a window's border pixel is repeated
        centre = torch.minimum(torch.maximum(centre, start + 0.5), stop - 0.5)
    weights = (1 - (pixel - centre).abs() / reach).clamp_(min=0) * ((pixel > start) & (pixel < stop))
    return weights / weights.sum(-1, keepdim=True)


def _resized_one_by_one(images: Tensor, window: Tensor, size: tuple[int, int], interpolation: str, antialias: bool) -> Tensor:
    from torchvision.transforms.v2 import functional

    mode = functional.InterpolationMode.NEAREST if interpolation == "nearest" else functional.InterpolationMode.BILINEAR
    out = images.new_empty(*images.shape[:2], *size)
    for image, target, (x1, y1, x2, y2) in zip(images, out, window.tolist()):
        target.copy_(functional.resize_image(image[:, y1:y2, x1:x2], list(size), mode, antialias=antialias))
    return out
