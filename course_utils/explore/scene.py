"""What an explorer shows, as data: layers, marks that can be moved, fields that can be clicked.

A ``Scene`` is the only thing that a view function returns. Two renderers read it, and they are kept in step by
that: ``canvas.js`` draws it in the notebook, ``still.py`` draws it for a reader who has no kernel.

Conventions
-----------
- **Coordinates** are data coordinates of the scene's ``box = (left, right, bottom, top)``. A box with
  ``bottom > top`` runs downwards, so ``(0, width, height, 0)`` is the pixel grid of a screen.
- **Sizes** (radius of a point, width of a line, height of a text) are pixels at the scene's nominal width. The
  canvas scales them when a narrow window makes it smaller.
- **Colours** are ``"#rrggbb"`` or one of the roles in ``ROLES``, which follow the light or dark theme.
- **Arrays** travel as little-endian float32 or uint8 bytes.

Later layers lie on top of earlier ones, marks on top of all layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_choice, message

ROLES = {"text": "#212121", "muted": "#616161", "background": "#ffffff", "border": "#bdbdbd", "panel": "#f5f5f5"}
"""Theme roles and the colours that the still picture (always on white) takes for them."""

SHAPES = ("circle", "square", "triangle", "diamond", "cross", "plus", "tick", "star", "arrow", "ring")

Box = tuple[float, float, float, float]


def _floats(value: Any, name: str, shape: Sequence[int | str]) -> np.ndarray:
    return checked_array(value, name, shape, np.float32)


def _colours(value: str | Any, n: int, name: str) -> str | np.ndarray:
    """Return one colour as it is, or ``n`` rows of RGBA as uint8."""
    if isinstance(value, str):
        return value
    rgba = checked_array(value, name, ("N", 4), np.uint8)
    if len(rgba) != n:
        raise ValueError(message(name, f"one colour or {n} rows of RGBA", f"{len(rgba)} rows"))
    return rgba


def _wire(value: Any) -> Any:
    return value.tobytes() if isinstance(value, np.ndarray) else value


@dataclass(frozen=True, eq=False)
class Picture:
    """Pixels stretched over a rectangle.

    Parameters
    ----------
    pixels : array of shape (H, W, 3) or (H, W, 4), uint8
        RGB, or RGBA for overlays. Row 0 is the top of the picture.
    extent : (left, right, bottom, top)
        In data coordinates.
    smooth : bool, default False
        False keeps pixels crisp squares, True interpolates (photographs, shadings).
    keep : str, default ""
        A name under which the canvas keeps the pixels: a background that never changes is sent once.
    """

    pixels: np.ndarray
    extent: Box
    smooth: bool = False
    keep: str = ""
    opacity: float = 1.0

    def __post_init__(self) -> None:
        pixels = checked_array(self.pixels, "pixels", ("H", "W", "C"), np.uint8)
        if pixels.shape[2] not in (3, 4):
            raise ValueError(message("pixels", "of shape (H, W, 3) or (H, W, 4)", f"shape {pixels.shape}"))
        object.__setattr__(self, "pixels", pixels)

    def pack(self) -> dict[str, Any]:
        """Return the pixels with their size, as sent to the canvas."""
        height, width, channels = self.pixels.shape
        return {"width": width, "height": height, "channels": channels, "data": self.pixels.tobytes()}

    def wire(self) -> dict[str, Any]:
        """Return the layer as a dictionary of JSON values and bytes."""
        source = {"keep": self.keep} if self.keep else {"picture": self.pack()}
        return {
            "kind": "picture",
            "extent": list(map(float, self.extent)),
            "smooth": self.smooth,
            "opacity": self.opacity,
            **source,
        }


@dataclass(frozen=True, eq=False)
class Points:
    """Markers at positions.

    Parameters
    ----------
    xy : array of shape (N, 2)
    colour : str or array of shape (N, 4), uint8
        One colour, or RGBA per point.
    size : float or array of shape (N,)
        Radius in pixels.
    shape : str
        One of ``SHAPES``; ``"arrow"`` needs ``headings``.
    headings : array of shape (N,), optional
        Radians, anticlockwise from the data's positive x axis.
    filled : bool, default True
        Hollow markers have an outline only.
    outline : str, default "background"
        Colour of the thin rim of filled markers; "" for none.
    """

    xy: np.ndarray
    colour: str | np.ndarray = "text"
    size: float | np.ndarray = 5.0
    shape: str = "circle"
    headings: np.ndarray | None = None
    filled: bool = True
    outline: str = "background"

    def __post_init__(self) -> None:
        checked_choice(self.shape, "shape", SHAPES)
        xy = _floats(self.xy, "xy", ("N", 2))
        object.__setattr__(self, "xy", xy)
        object.__setattr__(self, "colour", _colours(self.colour, len(xy), "colour"))
        if not np.isscalar(self.size):
            object.__setattr__(self, "size", _floats(self.size, "size", (len(xy),)))
        if self.headings is not None:
            object.__setattr__(self, "headings", _floats(self.headings, "headings", (len(xy),)))
        elif self.shape == "arrow":
            raise ValueError(message("headings", "given for the shape 'arrow'", "None"))

    def wire(self) -> dict[str, Any]:
        """Return the layer as a dictionary of JSON values and bytes."""
        return {
            "kind": "points",
            "xy": _wire(self.xy),
            "colour": _wire(self.colour),
            "size": _wire(self.size),
            "shape": self.shape,
            "headings": _wire(self.headings),
            "filled": self.filled,
            "outline": self.outline,
        }


@dataclass(frozen=True, eq=False)
class Segments:
    """Straight lines from ``starts`` to ``ends``, both of shape (N, 2); with ``arrow=True`` with a head at the end."""

    starts: np.ndarray
    ends: np.ndarray
    colour: str | np.ndarray = "text"
    width: float = 2.0
    dashed: bool = False
    arrow: bool = False

    def __post_init__(self) -> None:
        starts = _floats(self.starts, "starts", ("N", 2))
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "ends", _floats(self.ends, "ends", (len(starts), 2)))
        object.__setattr__(self, "colour", _colours(self.colour, len(starts), "colour"))

    def wire(self) -> dict[str, Any]:
        """Return the layer as a dictionary of JSON values and bytes."""
        return {
            "kind": "segments",
            "starts": _wire(self.starts),
            "ends": _wire(self.ends),
            "colour": _wire(self.colour),
            "width": self.width,
            "dashed": self.dashed,
            "arrow": self.arrow,
        }


@dataclass(frozen=True, eq=False)
class Polygons:
    """Closed outlines: ``rings`` is a sequence of (n, 2) arrays; ``fill`` and ``outline`` may be "" for none.

    ``fill`` may also be an array of shape (number of rings, 4), uint8.
    """

    rings: Sequence[np.ndarray]
    fill: str | np.ndarray = ""
    outline: str = "text"
    width: float = 1.5
    opacity: float = 1.0
    dashed: bool = False

    def __post_init__(self) -> None:
        rings = tuple(_floats(ring, "rings", ("n", 2)) for ring in self.rings)
        object.__setattr__(self, "rings", rings)
        object.__setattr__(self, "fill", _colours(self.fill, len(rings), "fill"))

    def wire(self) -> dict[str, Any]:
        """Return the layer as a dictionary of JSON values and bytes."""
        flat = np.concatenate(self.rings) if self.rings else np.zeros((0, 2), np.float32)
        return {
            "kind": "polygons",
            "counts": [len(ring) for ring in self.rings],
            "xy": _wire(flat),
            "fill": _wire(self.fill),
            "outline": self.outline,
            "width": self.width,
            "opacity": self.opacity,
            "dashed": self.dashed,
        }


@dataclass(frozen=True)
class Circle:
    """A circle whose radius is measured in data units (an evaluation radius in metres)."""

    x: float
    y: float
    radius: float
    outline: str = "text"
    fill: str = ""
    width: float = 2.0
    opacity: float = 1.0
    dashed: bool = False

    def wire(self) -> dict[str, Any]:
        """Return the layer as a dictionary of JSON values."""
        return {"kind": "circle", **{name: getattr(self, name) for name in self.__dataclass_fields__}}


@dataclass(frozen=True, eq=False)
class Text:
    """Strings at positions.

    Parameters
    ----------
    xy : array of shape (N, 2)
    strings : sequence of N strings
    align : "left", "centre" or "right"
        Which end stands at x; vertically the middle of the text stands at y.
    size : float, default 13
        Font size in pixels.
    halo : bool, default False
        Draw a rim in the background's colour, for text over a picture.
    """

    xy: np.ndarray
    strings: Sequence[str]
    colour: str = "text"
    size: float = 13.0
    align: str = "left"
    bold: bool = False
    halo: bool = False

    def __post_init__(self) -> None:
        checked_choice(self.align, "align", ("left", "centre", "right"))
        object.__setattr__(self, "strings", tuple(self.strings))
        object.__setattr__(self, "xy", _floats(self.xy, "xy", (len(self.strings), 2)))

    def wire(self) -> dict[str, Any]:
        """Return the layer as a dictionary of JSON values and bytes."""
        return {
            "kind": "text",
            "xy": _wire(self.xy),
            "strings": list(self.strings),
            "colour": self.colour,
            "size": self.size,
            "align": self.align,
            "bold": self.bold,
            "halo": self.halo,
        }


Layer = Picture | Points | Segments | Polygons | Circle | Text


@dataclass(frozen=True)
class Rail:
    """Where a mark may go: near one of the straight pieces ``(x0, y0, x1, y1, width)``.

    ``width`` is the largest distance from that piece; everything in data units.
    """

    pieces: tuple[tuple[float, float, float, float, float], ...]

    def snap(self, x: float, y: float) -> tuple[float, float]:
        """Return the allowed position nearest to ``(x, y)``; the canvas does the same while dragging.

        >>> Rail(((0.0, 0.0, 10.0, 0.0, 2.0),)).snap(5.0, 7.0)
        (5.0, 2.0)
        """
        best, best_gap = (x, y), np.inf
        for x0, y0, x1, y1, width in self.pieces:
            dx, dy = x1 - x0, y1 - y0
            t = min(1.0, max(0.0, ((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-12)))
            foot_x, foot_y = x0 + t * dx, y0 + t * dy
            distance = float(np.hypot(x - foot_x, y - foot_y))
            gap = max(0.0, distance - width)
            if gap < best_gap:
                keep = min(1.0, width / distance) if distance > 0 else 0.0
                best, best_gap = (foot_x + keep * (x - foot_x), foot_y + keep * (y - foot_y)), gap
        return best


@dataclass(frozen=True)
class Card:
    """What is written on a mark that is a card: a rectangle of ``width`` x ``height`` pixels around the mark's position.

    Parameters
    ----------
    title, note : str
        One line each; without a note the title stands in the middle.
    level : float in [0, 1], optional
        A bar at the lower edge, filled that far.
    """

    width: float
    height: float
    title: str
    note: str = ""
    level: float | None = None

    MARGIN = 9.0
    """Pixels between the card's edge and its bar."""
    BAR = 12.0
    """Pixels between the lower edge and the middle of the bar."""

    def wire(self) -> dict[str, Any]:
        """Return the card as a dictionary of JSON values, with the places of its lines (pixels below the middle)."""
        top = -self.height / 2
        rows = [0.0, 0.0] if not self.note and self.level is None else [top + 14, top + 31]
        bar = [self.width / 2 - self.MARGIN, self.height / 2 - self.BAR]
        level = None if self.level is None else min(max(float(self.level), 0.0), 1.0)
        sizes = {"width": float(self.width), "height": float(self.height)}
        return {**sizes, "title": self.title, "note": self.note, "level": level, "rows": rows, "bar": bar}


@dataclass(frozen=True)
class Mark:
    """A handle that the reader moves with the mouse, a finger or the arrow keys.

    Parameters
    ----------
    name : str
        Comes back in the event.
    label : str, default ""
        Read by screen readers when the mark is chosen; ``tag`` is the short text drawn beside it.
    size : float, default 8
        Radius in pixels; the target for the pointer is at least 24 pixels wide in any case.
    step, leap : float
        What an arrow key moves, without and with Shift, in data units (degrees for an orbit).
    rail : Rail, optional
        Keeps the mark on a path.
    orbit : float, default 0
        Above 0 the mark circles around the mark ``parent`` at this distance (data units), and follows it.
    card : Card, optional
        The mark is a card with words on it instead of a symbol, and can be taken anywhere on it.
    """

    name: str
    x: float
    y: float
    label: str = ""
    tag: str = ""
    colour: str = "text"
    shape: str = "circle"
    size: float = 8.0
    filled: bool = True
    step: float = 0.05
    leap: float = 0.5
    rail: Rail | None = None
    parent: str = ""
    orbit: float = 0.0
    heading: float | None = None
    card: Card | None = None

    def wire(self) -> dict[str, Any]:
        """Return the mark as a dictionary of JSON values."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("rail", "card")}
        rail = None if self.rail is None else [list(piece) for piece in self.rail.pieces]
        card = None if self.card is None else self.card.wire()
        return {**plain, "x": float(self.x), "y": float(self.y), "rail": rail, "card": card}


@dataclass(frozen=True)
class Field:
    """A rectangle that can be clicked and hovered over, or chosen with Tab and pressed with Enter."""

    name: str
    box: Box
    label: str = ""

    def wire(self) -> dict[str, Any]:
        """Return the field as a dictionary of JSON values."""
        return {"name": self.name, "box": list(map(float, self.box)), "label": self.label}


@dataclass(frozen=True)
class Scene:
    """One view at one moment.

    Parameters
    ----------
    width, height : int
        Nominal size in pixels.
    box : (left, right, bottom, top), optional
        Data coordinates of the edges; default: pixels, running downwards.
    label : str
        What the view shows, for screen readers.
    layers, marks, fields : sequences
    brush : (left, right, bottom, top), optional
        A rectangle that can be moved and resized.
    can_brush : bool, default False
        Dragging on empty ground draws a new brush.
    can_tap : bool, default False
        A click on empty ground is reported.
    """

    width: int
    height: int
    box: Box | None = None
    label: str = ""
    layers: Sequence[Layer] = field(default_factory=tuple)
    marks: Sequence[Mark] = field(default_factory=tuple)
    fields: Sequence[Field] = field(default_factory=tuple)
    brush: Box | None = None
    can_brush: bool = False
    can_tap: bool = False

    def __post_init__(self) -> None:
        if self.box is None:
            object.__setattr__(self, "box", (0.0, float(self.width), float(self.height), 0.0))
        names = [item.name for item in (*self.marks, *self.fields)]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(message("marks and fields", "named differently", f"the name {twice[0]!r} twice"))

    def wire(self) -> dict[str, Any]:
        """Return the scene as a dictionary of JSON values and bytes, without the pixels that the canvas keeps."""
        return {
            "width": self.width,
            "height": self.height,
            "box": list(map(float, self.box or ())),
            "label": self.label,
            "layers": [layer.wire() for layer in self.layers],
            "marks": [mark.wire() for mark in self.marks],
            "fields": [one.wire() for one in self.fields],
            "brush": None if self.brush is None else list(map(float, self.brush)),
            "can_brush": self.can_brush,
            "can_tap": self.can_tap,
        }

    def kept(self) -> dict[str, Picture]:
        """Return the pictures that the canvas keeps, by name."""
        return {layer.keep: layer for layer in self.layers if isinstance(layer, Picture) and layer.keep}


def rectangle(left: float, right: float, bottom: float, top: float) -> np.ndarray:
    """Return the four corners of a rectangle, (4, 2), for ``Polygons``.

    >>> rectangle(0, 2, 0, 1).tolist()
    [[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]
    """
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]], np.float32)


def rgba(colour: str, opacity: float = 1.0) -> np.ndarray:
    """Return ``"#rrggbb"`` as four uint8 numbers.

    >>> rgba("#0072B2", 0.5).tolist()
    [0, 114, 178, 128]
    """
    return np.array([*bytes.fromhex(colour.lstrip("#")), round(255 * opacity)], np.uint8)


def as_pixels(image: Any, name: str, smallest: int = 1) -> np.ndarray:
    """Return an RGB image as a contiguous array (H, W, 3), uint8.

    Parameters
    ----------
    image : array or Tensor of shape (3, H, W) or (H, W, 3), uint8
    name : str
        Of the argument, for the message.
    smallest : int
        Fewest pixels a side may have.

    Raises
    ------
    TypeError, ValueError
        If it is no such image.
    """
    pixels = checked_array(image, name, ("C", "H", "W"), np.uint8)
    if pixels.shape[2] != 3 and pixels.shape[0] == 3:
        pixels = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    if pixels.shape[2] != 3 or min(pixels.shape[:2]) < smallest:
        raise ValueError(
            message(name, f"RGB, (3, H, W) or (H, W, 3), at least {smallest} pixels wide and high", f"shape {np.shape(image)}")
        )
    return pixels
