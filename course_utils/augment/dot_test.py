"""The dot test: does the label stay on its pixel?

Draw one white pixel. Give it a key point, a box of one by one pixel and a mask. Transform all four. If they are still at one
place, the library has one idea of where a pixel is; if not, every label that it moves is off by the same amount.

The four places, in continuous coordinates (the centre of pixel (row i, column j) is (j + 0.5, i + 0.5))

* image: the centre of mass of what is bright;
* mask: the centre of its pixels, which can be half a pixel off each way, because masks are read at the nearest pixel;
* key point: the moved point. A library that counts points in pixel indices gets (j, i), and 0.5 is added to its answer;
* box: the centre of the moved box.

``dot_test`` takes any transform that follows ``torchvision.transforms.v2``: ours and torchvision's. ``measure_dot`` takes any
function from ``Dot`` to ``Dot``; ``dot_comparison`` has those of kornia and albumentations.

A mask of one pixel can vanish: under a rotation it may happen that no centre of an output pixel falls into it.

Source: the course's card 07, section 0.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision import tv_tensors

from course_utils.checks import checked_choice, message

TOLERANCE = 0.25  # pixels; the mistakes of libraries are half a pixel or one

Place = tuple[float, float] | None


@dataclass(frozen=True)
class Dot:
    """One white pixel with its labels.

    Attributes
    ----------
    image : Tensor of shape (1, H, W), float32
    mask : Tensor of shape (H, W), uint8
    point : Tensor of shape (1, 2)
        Key point (x, y), in the convention asked for.
    box : Tensor of shape (1, 4)
        (x1, y1, x2, y2).
    """

    image: Tensor
    mask: Tensor
    point: Tensor
    box: Tensor


@dataclass(frozen=True)
class DotResult:
    """Where the four ended up, (x, y) in continuous coordinates; None for what left the canvas or was not given.

    Attributes
    ----------
    library, operation : str
    image, mask, point, box : (float, float) or None
    size : (int, int)
        Output canvas (H', W').
    """

    library: str
    operation: str
    image: Place
    mask: Place
    point: Place
    box: Place
    size: tuple[int, int] = (0, 0)

    @property
    def point_error(self) -> float:
        """Distance of the key point from the pixel, in pixels; NaN without one of them."""
        return _distance(self.image, self.point)

    @property
    def box_error(self) -> float:
        """Distance of the box's centre from the pixel."""
        return _distance(self.image, self.box)

    @property
    def mask_error(self) -> float:
        """Distance of the mask from the pixel; up to half a pixel each way is rounding."""
        return _distance(self.image, self.mask)

    @property
    def disagreement(self) -> float:
        """The larger of the errors of key point and box."""
        return max((e for e in (self.point_error, self.box_error) if not math.isnan(e)), default=math.nan)

    @property
    def agrees(self) -> bool:
        """Whether key point and box are within ``TOLERANCE`` of the pixel."""
        return self.disagreement <= TOLERANCE


def make_dot(size: tuple[int, int] = (8, 12), pixel: tuple[int, int] = (3, 2), convention: str = "continuous") -> Dot:
    """Return one white pixel (column, row) on a black canvas (H, W), with its labels.

    Parameters
    ----------
    convention : {"continuous", "index"}, default "continuous"
        Of the key point: the centre of the pixel, or its indices.

    Examples
    --------
    >>> make_dot().point
    tensor([[3.5000, 2.5000]])
    """
    (height, width), (column, row) = size, pixel
    if not (0 <= column < width and 0 <= row < height):
        raise ValueError(message("pixel", f"(column, row) on a canvas of {width} x {height}", repr(tuple(pixel))))
    checked_choice(convention, "convention", ("continuous", "index"))
    mask = torch.zeros(height, width, dtype=torch.uint8)
    mask[row, column] = 1
    point = torch.tensor([[float(column), float(row)]]) + _offset(convention)
    box = torch.tensor([[column, row, column + 1, row + 1]], dtype=torch.float32)
    return Dot(mask[None].float(), mask, point, box)


def dot_test(
    transform: Callable,
    size: tuple[int, int] = (8, 12),
    pixel: tuple[int, int] = (3, 2),
    convention: str = "continuous",
    library: str = "ours",
    operation: str = "",
) -> DotResult:
    """Move a dot with a transform of the v2 protocol, and tell where its labels are.

    Parameters
    ----------
    transform : callable
        Takes and returns a dictionary with an image, a mask, key points and boxes of ``tv_tensors``.
    size, pixel, convention
        As in ``make_dot``. torchvision uses "index" for some operations and "continuous" for others, so neither passes all.
    library, operation : str
        Names for the result.

    Returns
    -------
    DotResult

    Examples
    --------
    >>> from course_utils.augment import Rotation
    >>> dot_test(Rotation((180, 180))).disagreement
    0.0
    >>> from torchvision.transforms import v2
    >>> dot_test(v2.RandomRotation((180, 180)), convention="index").point_error > 1.4
    True
    """
    return measure_dot(through_tv_tensors(transform), size, pixel, convention, library, operation or type(transform).__name__)


def measure_dot(
    move: Callable[[Dot], Dot],
    size: tuple[int, int] = (8, 12),
    pixel: tuple[int, int] = (3, 2),
    convention: str = "continuous",
    library: str = "",
    operation: str = "",
) -> DotResult:
    """Move a dot with any function from ``Dot`` to ``Dot``, and tell where its labels are."""
    moved = move(make_dot(size, pixel, convention))
    point = None if not moved.point.numel() else tuple((moved.point[0].double() + _offset(convention, back=True)).tolist())
    box = None if not moved.box.numel() else tuple(((moved.box[0, :2] + moved.box[0, 2:]).double() / 2).tolist())
    mask = (moved.mask == 1).double()
    image, canvas = moved.image[0].double(), tuple(moved.image.shape[-2:])
    return DotResult(library, operation, centre_of_mass(image), centre_of_mass(mask), point, box, canvas)


def centre_of_mass(image: Tensor) -> Place:
    """Return the centre of mass (x, y) of an image (H, W), None if it is black.

    >>> centre_of_mass(torch.tensor([[0.0, 1.0, 1.0]]))
    (2.0, 0.5)
    """
    total = float(image.sum())
    if total <= 0:
        return None
    height, width = image.shape
    x = (torch.arange(width, dtype=image.dtype) + 0.5) * image.sum(0)
    y = (torch.arange(height, dtype=image.dtype) + 0.5) * image.sum(1)
    return float(x.sum()) / total, float(y.sum()) / total


def _offset(convention: str, back: bool = False) -> float:
    """Return what turns pixel indices into the convention, or (``back``) the convention into continuous coordinates."""
    return 0.5 * ((convention == "index") == back)


def _distance(a: Place, b: Place) -> float:
    return math.nan if a is None or b is None else math.dist(a, b)


def through_tv_tensors(transform: Callable) -> Callable[[Dot], Dot]:
    """Adapt a transform of the v2 protocol."""

    def move(dot: Dot) -> Dot:
        canvas = tuple(dot.mask.shape)
        out = transform(
            {
                "image": tv_tensors.Image(dot.image),
                "mask": tv_tensors.Mask(dot.mask),
                "point": tv_tensors.KeyPoints(dot.point, canvas_size=canvas),
                "box": tv_tensors.BoundingBoxes(dot.box, format="XYXY", canvas_size=canvas),
            }
        )
        return Dot(*(out[key].as_subclass(Tensor) for key in ("image", "mask", "point", "box")))

    return move
