"""A vector drawing in the object's own units, and how it becomes pixels.

A **drawing** is a list of filled polygons, painted in order, each in one colour on one material. Its units are free:
``x`` to the right, ``y`` up, the foot at ``y = 0``. Everything that says *which* object this is (shape, colours,
pattern) is in the drawing; everything that says *how it is seen* is in its **pose** (size, rotation, which way it
looks). The same drawing in two poses is the same object seen twice.

A drawing may name some of its points (**marks**: a wheel, a hand). They go with it into every pose. A name that begins with
"left" or "right" is the viewer's side of an upright object: where the object is mirrored, the two names change places.

``rendered`` turns a drawing into a **sprite**: the polygons are filled on a canvas with ``SUBPIXELS x SUBPIXELS``
samples a pixel, and averaged. The share of a pixel's samples that the object covers is its ``alpha``; colours are
averaged with black where nothing is, so they come out multiplied by alpha and can be laid over a picture with
``colour + (1 - alpha) * picture``, without a dark seam.

Materials are real pixels: see ``street_world.textures``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

from course_utils.data import steady
from course_utils.data.street_world.textures import cut, painted, piece

SUBPIXELS = 4
"""Samples per pixel along each axis: 17 steps of alpha at a straight edge."""
MARGIN = 1
"""Empty pixels around a sprite, so that its soft edge is never cut."""

Point = tuple[float, float]
Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Part:
    """One filled polygon: ``points (n, 2)`` in the drawing's units, RGB colour 0 to 255, material or None for plain."""

    points: np.ndarray
    colour: Colour
    material: str | None = None
    contrast: float = 0.5


@dataclass(frozen=True)
class Pose:
    """How an object is seen.

    Attributes
    ----------
    size : float
        Longer side of the drawing's upright box, in pixels.
    angle : float
        Rotation in radians, counter-clockwise as seen.
    mirrored : bool
        Look to the left instead of to the right.
    """

    size: float
    angle: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True, eq=False)
class Sprite:
    """Pixels of an object: ``colour`` float32 ``(h, w, 3)`` times alpha, ``alpha`` float32 ``(h, w)`` in [0, 1].

    ``foot`` is where the middle of the object touches the ground: (row, column) inside the sprite, in pixels.
    ``marks`` are its named points: (x, y) inside the sprite, in continuous pixel coordinates.
    """

    colour: np.ndarray
    alpha: np.ndarray
    foot: tuple[float, float]
    marks: Mapping[str, Point] = field(default_factory=dict)

    @property
    def area(self) -> int:
        """Number of pixels that the object covers by more than a half, wherever they would lie in a frame."""
        return int((self.alpha > 0.5).sum())


class Drawing:
    """Collects parts; every method paints over what is there already.

    Parameters
    ----------
    metres : float
        Length of one unit on the scale at which the materials are read, so that bricks are smaller than a house.
    """

    def __init__(self, metres: float = 5.0) -> None:
        self.metres = metres
        self.parts: list[Part] = []
        self.marks: dict[str, Point] = {}

    def mark(self, name: str, x: float, y: float) -> None:
        """Name a point of the object; nothing is painted."""
        self.marks[name] = (float(x), float(y))

    def polygon(self, points: Iterable[Point], colour: Colour, material: str | None = None, contrast: float = 0.5) -> None:
        """Fill a polygon."""
        self.parts.append(Part(np.array(list(points), np.float64), colour, material, contrast))

    def smooth(self, points: Sequence[Point], colour: Colour, material: str | None = None, contrast: float = 0.5) -> None:
        """Fill a polygon with rounded corners: Chaikin's corner cutting, twice."""
        corners = np.array(points, np.float64)
        for _ in range(2):
            following = np.roll(corners, -1, axis=0)
            corners = np.stack([0.75 * corners + 0.25 * following, 0.25 * corners + 0.75 * following], axis=1).reshape(-1, 2)
        self.parts.append(Part(corners, colour, material, contrast))

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, material: str | None = None, contrast: float = 0.5
    ) -> None:
        """Fill an ellipse with half axes ``rx`` and ``ry``."""
        self.parts.append(Part(_CIRCLE * (rx, ry) + (x, y), colour, material, contrast))

    def box(
        self, x0: float, y0: float, x1: float, y1: float, colour: Colour, material: str | None = None, contrast: float = 0.5
    ) -> None:
        """Fill an upright rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, material, contrast)

    def line(self, points: Sequence[Point], thickness: float, colour: Colour) -> None:
        """Draw a line with round ends and joints."""
        half = thickness / 2
        for (x0, y0), (x1, y1) in pairwise(points):
            length = math.hypot(x1 - x0, y1 - y0) or 1.0
            u, v = half * (y1 - y0) / length, half * (x0 - x1) / length
            self.polygon([(x0 + u, y0 + v), (x1 + u, y1 + v), (x1 - u, y1 - v), (x0 - u, y0 - v)], colour)
        for x, y in points:
            self.ellipse(x, y, half, half, colour)

    def extent(self) -> tuple[float, float, float, float]:
        """Return the upright box ``(x0, y0, x1, y1)`` of everything drawn."""
        points = np.concatenate([part.points for part in self.parts])
        return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


_TURN = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_CIRCLE = np.stack([steady.cos(_TURN), steady.sin(_TURN)], axis=1)


def rendered(drawing: Drawing, pose: Pose, random: np.random.Generator, phase: Point = (0.0, 0.0)) -> Sprite:
    """Return the sprite of a drawing in a pose.

    Parameters
    ----------
    random : Generator
        Chooses the pieces of material.
    phase : (float, float)
        Fractions of a pixel by which the sprite is moved down and to the right.
    """
    x0, y0, x1, y1 = drawing.extent()
    scale = pose.size / max(x1 - x0, y1 - y0)
    cosine, sine, side = math.cos(pose.angle), math.sin(pose.angle), -1.0 if pose.mirrored else 1.0
    middle = (x0 + x1) / 2
    # columns run to the right, rows run down; the object turns around the middle of its foot
    to_columns, to_rows = scale * np.array([side * cosine, -sine]), scale * np.array([-side * sine, -cosine])

    def seen(points: np.ndarray) -> np.ndarray:
        points = points - (middle, y0)
        return steady.rounded(np.stack([steady.along(points, to_columns), steady.along(points, to_rows)], axis=1))

    placed = [seen(part.points) for part in drawing.parts]
    every = np.concatenate(placed)
    low = np.floor(every.min(axis=0)) - MARGIN
    width, height = (np.ceil(every.max(axis=0) - low) + 1 + MARGIN).astype(int).tolist()
    shift = (phase[1] - low[0], phase[0] - low[1])

    picture = Image.new("RGB", (width * SUBPIXELS, height * SUBPIXELS))
    cover = Image.new("L", picture.size)
    paint, stamp = ImageDraw.Draw(picture), ImageDraw.Draw(cover)
    for part, points in zip(drawing.parts, placed):
        corners = ((points + shift) * SUBPIXELS - 0.5).ravel().tolist()
        stamp.polygon(corners, fill=255)
        if part.material is None:
            paint.polygon(corners, fill=tuple(int(min(max(v, 0), 255)) for v in part.colour))
        else:
            _fill_with_material(picture, part, corners, scale * SUBPIXELS / drawing.metres, random)
    colour = np.asarray(picture.reduce(SUBPIXELS), np.float32)
    alpha = np.asarray(cover.reduce(SUBPIXELS), np.float32) / 255
    marks = seen(np.array(list(drawing.marks.values())).reshape(-1, 2)) + shift
    names = [_other_side(name) if pose.mirrored else name for name in drawing.marks]
    return Sprite(colour, alpha, (shift[1], shift[0]), dict(zip(names, map(tuple, marks.tolist()))))


def _other_side(name: str) -> str:
    """Return the name with "left" for "right" at its beginning, and the other way round."""
    for side, other in (("left", "right"), ("right", "left")):
        if name.startswith(side):
            return other + name[len(side) :]
    return name


def _fill_with_material(picture: Image.Image, part: Part, corners: list[float], scale: float, r: np.random.Generator) -> None:
    """Fill a polygon on the canvas; ``scale`` is the canvas's pixels per metre."""
    left, top = max(0, int(min(corners[0::2]))), max(0, int(min(corners[1::2])))
    right, bottom = min(picture.width, int(max(corners[0::2])) + 2), min(picture.height, int(max(corners[1::2])) + 2)
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).polygon([v - (left, top)[i % 2] for i, v in enumerate(corners)], fill=255)
    if part.material.startswith("photograph "):
        pixels = piece(r, part.material.removeprefix("photograph "), mask.height, mask.width, 0.5, 0.9)
    else:
        steps = min(max(2.0 ** round(math.log2(scale)), 4.0), 32.0)  # few scales: every tile is made once and kept
        pixels = painted(cut(r, part.material, mask.height, mask.width, steps), part.colour, part.contrast)
    picture.paste(Image.fromarray(pixels), (left, top), mask)
