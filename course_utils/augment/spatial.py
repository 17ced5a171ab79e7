"""Transforms that move pixels, and everything that lies on them.

Each transform draws its parameters for every image of a batch (``sample``) and turns them into a ``GeometryPlan`` (``plan``).
The plan moves the image, the boxes, the masks and the key points. (``chain.SpatialChain`` multiplies the plans of several
transforms first, and reads the image once.)

Signs (the y axis points down; "clockwise" is what the eye sees)

==============  ============================  ============================================================================
transform       parameter                     meaning, as in torchvision's functional of the same name
==============  ============================  ============================================================================
``Flip``        ``axis``                      "horizontal": ``x' = W - x``; "vertical": ``y' = H - y``
``Rotation``    ``degrees``                   **counter-clockwise**, as ``rotate(angle)``
``Affine``      ``degrees``                   **clockwise**, as ``affine(angle)``
               ``shear``                     ``x' = x - tan(sx) y``, then ``y' = y - tan(sy) x``, degrees
``Perspective`` ``start``, ``end``            four points and where they go, top left first, clockwise
==============  ============================  ============================================================================

The order of ``Affine`` is shear, scale, rotation, all about the centre of the image, then translation.

Sources: the parametrisations are torchvision's (``transforms.v2.functional``); the maths is the course's card 07, section 2.
Homography of four points: P. Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from course_utils.augment.plan import GeometryPlan, about, affine_matrix, inverse_3x3, matrix_dtype
from course_utils.augment.resample import SMALL, Fill
from course_utils.augment.sampling import Draw, RandomTransform, uniform
from course_utils.augment.targets import move_target
from course_utils.checks import checked_choice, checked_float, checked_range, message


class SpatialTransform(RandomTransform):
    """Base of the transforms that move pixels: a subclass writes ``sample`` and ``plan``.

    Parameters
    ----------
    p, per
        As in ``RandomTransform``.
    fill : float, sequence of floats or "mean", default 0
        Colour of what lies outside of the image, in its units; ``"mean"`` is the mean colour of each image.
    padding : {"fill", "reflection", "border"}, default "fill"
        Outside: ``fill``, the image mirrored at its border, or its border pixel. Black corners tell a network by how much an
        image was turned; a mirrored border or the mean colour does not.
    interpolation : {"bilinear", "nearest"}, default "bilinear"
        For images. Masks are always read at the nearest pixel.
    antialias : bool, default False
        Average where the map shrinks.
    ignore_index : int, default 255
        Class of what lies outside of a map of classes.
    hull : {"corners", "ellipse"}, default "corners"
        Box around a turned box, as in ``GeometryPlan.boxes``.
    mirror_pairs : sequence of pairs, optional
        Key points to exchange where the image is mirrored; ``targets.COCO_PAIRS`` for persons.

    Convention
        Boxes are not clipped and no object is dropped: ``SanitizeTargets`` does both, once, at the end.
    """

    works_in = "any"
    unit_range = False

    def __init__(
        self,
        p: float = 1.0,
        per: str = "sample",
        fill: Fill = 0.0,
        padding: str = "fill",
        interpolation: str = "bilinear",
        antialias: bool = False,
        ignore_index: int = 255,
        hull: str = "corners",
        mirror_pairs: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__(p, per)
        self.fill = fill
        self.padding = checked_choice(padding, "padding", ("fill", "reflection", "border"))
        self.interpolation = checked_choice(interpolation, "interpolation", ("bilinear", "nearest"))
        self.antialias = bool(antialias)
        self.ignore_index = ignore_index
        self.hull = checked_choice(hull, "hull", ("corners", "ellipse"))
        self.mirror_pairs = tuple(tuple(pair) for pair in mirror_pairs)

    @abstractmethod
    def plan(self, params: Any, size: tuple[int, int]) -> GeometryPlan:
        """Return the map of every row of ``params``, for images of ``size`` (H, W)."""

    def apply(self, images: Tensor, params: Any) -> Tensor:
        """Return the images (B, C, H, W) moved by ``params``."""
        plan = self.plan(params, tuple(images.shape[-2:]))
        return plan.images(images, self.fill, self.padding, self.interpolation, self.antialias)

    def apply_target(self, target: Tensor, params: Any) -> Tensor:
        """Return the boxes, key points or mask of one image moved by the one row of ``params``."""
        size = target.shape[-2:] if not hasattr(target, "canvas_size") else target.canvas_size
        return move_target(target, self.plan(params, tuple(size)), self.ignore_index, self.hull, self.mirror_pairs)

    def replay(self, images: Tensor, draw: Draw) -> Tensor:
        """Return images (B, C, H, W) changed as ``draw`` says.

        Raises
        ------
        ValueError
            If only some images of the batch change their size.
        """
        index = draw.active.nonzero()[:, 0]
        if len(index) in (0, len(images)):
            return super().replay(images, draw)
        changed = self._in_its_dtype(images[index], draw.params)
        if changed.shape[1:] != images.shape[1:]:
            got = f"p = {self.p}: {len(index)} of {len(images)} images"
            raise ValueError(message("p", "1 where a transform changes the size of a batch", got))
        return images.index_copy(0, index, changed)

    def extra_repr(self) -> str:
        """Return the arguments that differ from the defaults of this base, and those of the subclass."""
        shown = {k: v for k, v in self.__dict__.items() if not k.startswith("_") and k != "training"}
        return ", ".join(f"{k}={v!r}" for k, v in shown.items() if k not in PLAIN or v != PLAIN[k])


CONVEX = 0.65  # below a distortion of 2/3, four corners are always convex

PLAIN = {
    "p": 1.0,
    "per": "sample",
    "fill": 0.0,
    "padding": "fill",
    "interpolation": "bilinear",
    "antialias": False,
    "ignore_index": 255,
    "hull": "corners",
    "mirror_pairs": (),
}


# ------------------------------------------------------------------------------------------------------------------ flip


@dataclass(frozen=True)
class FlipParams:
    """Nothing to draw: whether an image is flipped is the gate ``p``. ``mirrored`` (n,) is true."""

    mirrored: Tensor


class Flip(SpatialTransform):
    """Mirror the image left to right, or top to bottom.

    Parameters
    ----------
    axis : {"horizontal", "vertical"}, default "horizontal"
        Horizontal: left and right change places.
    p : float, default 0.5
        Probability of the flip.
    **reading
        As in ``SpatialTransform``: ``mirror_pairs`` above all.

    Examples
    --------
    >>> Flip(p=1.0)(torch.tensor([[[1, 2, 3]]], dtype=torch.uint8))
    tensor([[[3, 2, 1]]], dtype=torch.uint8)
    """

    def __init__(self, axis: str = "horizontal", p: float = 0.5, **reading: Any) -> None:
        super().__init__(p=p, **reading)
        self.axis = checked_choice(axis, "axis", ("horizontal", "vertical"))

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> FlipParams:
        """Return ``n`` rows; there is nothing to draw."""
        return FlipParams(torch.ones(n, dtype=torch.bool, device=device))

    def apply(self, images: Tensor, params: FlipParams) -> Tensor:
        """Return the images mirrored: pixels in the other order."""
        return images.flip(-1 if self.axis == "horizontal" else -2)

    def replay(self, images: Tensor, draw: Draw) -> Tensor:
        """Return images (B, C, H, W), the active ones mirrored.

        Small images: all are mirrored and the others put back. Large ones: one after the other, so that each stays in the cache.
        """
        kept = (~draw.active).nonzero()[:, 0]
        if len(kept) == len(images):
            return images
        if images.shape[-2] * images.shape[-1] > SMALL:
            out = images.clone()
            for i in draw.active.nonzero()[:, 0].tolist():
                out[i] = self.apply(images[i], draw.params)
            return out
        flipped = self.apply(images, draw.params)
        return flipped.index_copy_(0, kept, images.index_select(0, kept)) if len(kept) else flipped

    def plan(self, params: FlipParams, size: tuple[int, int]) -> GeometryPlan:
        """Return ``x' = W - x`` or ``y' = H - y``."""
        n, device = len(params.mirrored), params.mirrored.device
        matrix = torch.eye(3, dtype=matrix_dtype(device), device=device)
        row = 0 if self.axis == "horizontal" else 1
        matrix[row, row], matrix[row, 2] = -1, size[1 - row]
        return GeometryPlan(matrix.repeat(n, 1, 1), size, size)


# -------------------------------------------------------------------------------------------------------------- rotation


@dataclass(frozen=True)
class RotationParams:
    """Angles of ``n`` images.

    Attributes
    ----------
    degrees : Tensor of shape (n,)
        Counter-clockwise.
    """

    degrees: Tensor


class Rotation(SpatialTransform):
    """Turn the image counter-clockwise.

    Parameters
    ----------
    degrees : float or (float, float), default 15
        Range of the angle; one number d means (-d, d).
    center : (float, float), optional
        Point (x, y) in pixels that stays; the centre of the image by default.
    expand : bool, default False
        Make the canvas large enough for every angle of the range, so that all results have one size. Without ``center`` only.
    **reading
        As in ``SpatialTransform``.

    Notes
    -----
    A multiple of 90 degrees copies the pixels, where the canvas allows it. The canvas of one angle t is
    ``ceil(W |cos t| + H |sin t|)`` wide; torchvision rounds the left and the right half up separately and can be wider.

    Examples
    --------
    >>> image = torch.tensor([[[1, 2], [3, 4]]], dtype=torch.uint8)
    >>> Rotation((90, 90))(image)
    tensor([[[2, 4],
             [1, 3]]], dtype=torch.uint8)
    """

    def __init__(
        self,
        degrees: float | Sequence[float] = 15.0,
        center: Sequence[float] | None = None,
        expand: bool = False,
        **reading: Any,
    ) -> None:
        super().__init__(**reading)
        self.degrees = checked_range(degrees, "degrees", single="around")
        self.center = None if center is None else tuple(checked_float(c, "center") for c in center)
        self.expand = bool(expand)
        if self.expand and self.center is not None:
            raise ValueError(message("center", "None together with expand=True", repr(center)))

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> RotationParams:
        """Draw ``n`` angles, uniform."""
        return RotationParams(uniform(n, *self.degrees, generator, device))

    def plan(self, params: RotationParams, size: tuple[int, int]) -> GeometryPlan:
        """Return the rotation about the centre."""
        linear = rotation(-params.degrees.to(matrix_dtype(params.degrees.device)))
        middle = linear.new_tensor([size[1] / 2, size[0] / 2])
        if not self.expand:
            centre = middle if self.center is None else linear.new_tensor(self.center)
            return GeometryPlan(about(linear, centre), size, size)
        height, width = turned_canvas(size, self.degrees)
        return GeometryPlan(about(linear, middle, linear.new_tensor([width / 2, height / 2]) - middle), (height, width), size)


# ---------------------------------------------------------------------------------------------------------------- affine


@dataclass(frozen=True)
class AffineParams:
    """Affine maps of ``n`` images.

    Attributes
    ----------
    degrees : Tensor of shape (n,)
        Rotation, clockwise.
    translate : Tensor of shape (n, 2)
        (x, y) in pixels.
    scale : Tensor of shape (n,)
    shear : Tensor of shape (n, 2)
        (sx, sy) in degrees.
    """

    degrees: Tensor
    translate: Tensor
    scale: Tensor
    shear: Tensor


class Affine(SpatialTransform):
    """Turn, shift, scale and shear the image, about its centre.

    Parameters
    ----------
    degrees : float or (float, float), default 15
        Range of the rotation, clockwise; one number d means (-d, d).
    translate : float or (float, float), default (0.1, 0.1)
        Largest shift along x and y, as a share of width and height; shifts are not rounded to pixels.
    scale : (float, float), default (0.8, 1.2)
        Range of the scale, above 0.
    shear : float or (float, float) or ((float, float), (float, float)), default 10
        Range along x; two ranges give one for x and one for y. One number s means (-s, s) along x and y.
    center : (float, float), optional
        Point (x, y) in pixels that stays before the shift; the centre of the image by default.
    **reading
        As in ``SpatialTransform``.

    Notes
    -----
    ``A = R(a) scale Shear_y(sy) Shear_x(sx)``, then ``p' = c + t + A (p - c)``. The determinant is ``scale ** 2``.
    """

    def __init__(
        self,
        degrees: float | Sequence[float] = 15.0,
        translate: float | Sequence[float] = (0.1, 0.1),
        scale: Sequence[float] = (0.8, 1.2),
        shear: Any = 10.0,
        center: Sequence[float] | None = None,
        **reading: Any,
    ) -> None:
        super().__init__(**reading)
        self.degrees = checked_range(degrees, "degrees", single="around")
        pair = (translate, translate) if isinstance(translate, Real) else tuple(translate)
        self.translate = tuple(checked_float(t, "translate", low=0, high=1) for t in pair)
        self.scale = checked_range(scale, "scale", above=0)
        both = isinstance(shear, Real)
        ranges = (shear, shear) if both else tuple(shear) if not isinstance(shear[0], Real) else (shear, 0.0)
        self.shear = tuple(checked_range(one, "shear", single="around") for one in ranges)
        if max(abs(v) for one in self.shear for v in one) >= 90:
            raise ValueError(message("shear", "less than 90 degrees", repr(shear)))
        self.center = None if center is None else tuple(checked_float(c, "center") for c in center)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> AffineParams:
        """Draw ``n`` maps: every parameter uniform in its range."""
        reach = [share * side for share, side in zip(self.translate, (shape[2], shape[1]))]
        degrees = uniform(n, *self.degrees, generator, device)
        shift = torch.stack([uniform(n, -r, r, generator, device) for r in reach], dim=1)
        scale = uniform(n, *self.scale, generator, device)
        shear = torch.stack([uniform(n, *one, generator, device) for one in self.shear], dim=1)
        return AffineParams(degrees, shift, scale, shear)

    def plan(self, params: AffineParams, size: tuple[int, int]) -> GeometryPlan:
        """Return the affine maps."""
        dtype = matrix_dtype(params.degrees.device)
        shear_x, shear_y = (params.shear.to(dtype) * (torch.pi / 180)).tan().unbind(1)
        one = torch.ones_like(shear_x)
        shears = square(one, -shear_x, -shear_y, one + shear_x * shear_y)  # Shear_y @ Shear_x
        linear = rotation(params.degrees.to(dtype)) @ shears * params.scale.to(dtype)[:, None, None]
        centre = linear.new_tensor([size[1] / 2, size[0] / 2] if self.center is None else self.center)
        return GeometryPlan(about(linear, centre, params.translate.to(dtype)), size, size)


# ----------------------------------------------------------------------------------------------------------- perspective


@dataclass(frozen=True)
class PerspectiveParams:
    """Four points and where they go, for ``n`` images.

    Attributes
    ----------
    start, end : Tensor of shape (n, 4, 2)
        (x, y) in pixels; top left, top right, bottom right, bottom left.
    """

    start: Tensor
    end: Tensor


class Perspective(SpatialTransform):
    """Look at the image from the side: its four corners move inwards, each by its own amount.

    Parameters
    ----------
    distortion : float, default 0.5
        Largest shift of a corner, as a share of half the width and half the height, in [0, 1].
    **reading
        As in ``SpatialTransform``.

    Notes
    -----
    Shifts are whole numbers, uniform from 0 to ``floor(distortion * side / 2)``. Above a distortion of 2/3 four corners can be
    drawn that are not convex, and the horizon would run through the image: their shifts are made smaller. torchvision counts corners as pixel indices,
    (0, 0) to (W - 1, H - 1), here they are the corners of the canvas, (0, 0) to (W, H).
    """

    def __init__(self, distortion: float = 0.5, **reading: Any) -> None:
        super().__init__(**reading)
        self.distortion = checked_float(distortion, "distortion", low=0, high=1)

    def sample(
        self, n: int, shape: tuple[int, int, int], generator: torch.Generator | None = None, device: Any = None
    ) -> PerspectiveParams:
        """Draw the shifts of ``n`` times four corners."""
        height, width = shape[1:]
        dtype = matrix_dtype(device)
        start = torch.tensor([[0, 0], [width, 0], [width, height], [0, height]], dtype=dtype, device=device)
        inwards = torch.tensor([[1, 1], [-1, 1], [-1, -1], [1, -1]], dtype=dtype, device=device)
        reach = torch.tensor([int(self.distortion * side / 2) for side in (width, height)], device=device)
        draws = torch.rand(n, 4, 2, generator=generator, device=device) * (reach + 1)
        shift = torch.minimum(draws.floor(), reach.to(draws.dtype)).to(dtype)
        if self.distortion > CONVEX:
            bent = ~is_convex(start + inwards * shift)
            shift = torch.where(bent[:, None, None], shift * (CONVEX / self.distortion), shift)
        return PerspectiveParams(start.expand(n, 4, 2), start + inwards * shift)

    def plan(self, params: PerspectiveParams, size: tuple[int, int]) -> GeometryPlan:
        """Return the homographies."""
        return GeometryPlan(homography(params.start, params.end), size, size)


# ------------------------------------------------------------------------------------------------------------- the maths


def turned_canvas(size: tuple[int, int], degrees: tuple[float, float]) -> tuple[int, int]:
    """Return the canvas (H', W') that holds an image of ``size`` (H, W) turned by any angle of a range.

    The width ``W |cos t| + H |sin t|`` is largest at an end of the range, or where the diagonal lies flat.

    >>> turned_canvas((3, 4), (0, 0)), turned_canvas((3, 4), (90, 90)), turned_canvas((3, 4), (0, 90))
    ((3, 4), (4, 3), (5, 5))
    """
    low, high = degrees
    sides = []
    for along, across in ((size[0], size[1]), (size[1], size[0])):  # height, then width
        flat = math.degrees(math.atan2(across, along))
        peaks = [turn + sign * flat for turn in range(-360, 361, 180) for sign in (-1, 1)]
        angles = [low, high, *(peak for peak in peaks if (peak - low) % 360 <= high - low)]
        radians = [math.radians(angle) for angle in angles]
        longest = max(along * abs(math.cos(t)) + across * abs(math.sin(t)) for t in radians)
        sides.append(max(1, math.ceil(longest - 1e-4)))
    return sides[0], sides[1]


def square(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Return the matrices [[a, b], [c, d]], (n, 2, 2), from four (n,) tensors."""
    return torch.stack([a, b, c, d], dim=-1).unflatten(-1, (2, 2))


def is_convex(points: Tensor) -> Tensor:
    """Tell which quadrilaterals (n, 4, 2), in clockwise order, are strictly convex: bool (n,)."""
    sides = points.roll(-1, 1) - points
    following = sides.roll(-1, 1)
    return (sides[..., 0] * following[..., 1] - sides[..., 1] * following[..., 0] > 0).all(1)


def rotation(degrees: Tensor) -> Tensor:
    """Return the matrices (n, 2, 2) that turn clockwise (to the eye; the y axis points down)."""
    angle = degrees * (torch.pi / 180)
    return square(angle.cos(), -angle.sin(), angle.sin(), angle.cos())


def homography(start: Tensor, end: Tensor) -> Tensor:
    """Return the matrices (n, 3, 3) that map four points onto four others, both (n, 4, 2), in order around.

    Both are seen from the unit square, whose map to four points has a closed form; one is inverted.

    Raises
    ------
    ValueError
        If three of the points lie on one line.
    """
    dtype = matrix_dtype(start.device)
    matrix = square_to_four(end.to(dtype)) @ inverse_3x3(square_to_four(start.to(dtype)))
    if not bool(matrix.isfinite().all()):
        raise ValueError(message("start and end", "four points, no three of them on one line", "points without a homography"))
    return matrix / matrix[:, 2:, 2:]


def square_to_four(points: Tensor) -> Tensor:
    """Return the matrices (n, 3, 3) that map (0, 0), (1, 0), (1, 1), (0, 1) to four points (n, 4, 2)."""
    p0, p1, p2, p3 = points.unbind(1)
    a, b, s = p1 - p2, p3 - p2, p0 - p1 + p2 - p3
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    g = (s[:, 0] * b[:, 1] - s[:, 1] * b[:, 0]) / area
    h = (a[:, 0] * s[:, 1] - a[:, 1] * s[:, 0]) / area
    linear = torch.stack([p1 - p0 + g[:, None] * p1, p3 - p0 + h[:, None] * p3], dim=-1)
    matrix = affine_matrix(linear, p0)
    matrix[:, 2, 0], matrix[:, 2, 1] = g, h
    return matrix
