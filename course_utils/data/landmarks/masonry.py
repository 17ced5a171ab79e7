"""The painter's vocabulary: a wall, a column, a dome, a window, a door, on a canvas with transparency.

Units are canvas pixels: ``x`` from the left, ``y`` from the top, the ground at ``y = 224``. Everything is painted at
twice the scale and averaged, so that edges are clean. Light comes from above on the left, softly: whatever is round gets
darker to the right, and a cornice throws a line of shadow. The sun of a view comes later and comes from anywhere.

The canvas's alpha channel is the outline of the monument and therefore the truth about where a landmark is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from course_utils.data import steady
from course_utils.data.landmarks.identity import Identity
from course_utils.data.landmarks.ornaments import ornament
from course_utils.data.street_world.textures import cut, lettering, painted, piece, stains

CANVAS = 224
"""Side of a canvas in pixels."""
_FINE = 2
CONTRAST = {"brick": 0.7, "stone": 0.5, "plaster": 0.5, "concrete": 0.3, "wood": 0.6, "slate": 0.55, "gravel": 0.5}
Colour = Iterable[float]
Point = tuple[float, float]


def tone(colour: Colour, factor: float = 1.0, add: float = 0.0) -> tuple[int, ...]:
    """Return a colour times a factor plus an offset, as integers 0 to 255."""
    return tuple(int(min(255, max(0, v * factor + add))) for v in colour)


def round_shade(columns: int, low: float = 0.55, high: float = 1.18) -> np.ndarray:
    """Return the light on an upright cylinder, float32 ``(1, columns, 1)``: brightest a third from the left."""
    x = np.linspace(-1, 1, max(2, columns), dtype=np.float32)
    return (low + (high - low) * np.sqrt(np.clip(1 - ((x + 0.3) / 1.36) ** 2, 0, 1)))[None, :, None]


class Mason:
    """Paints one monument."""

    def __init__(self, r: np.random.Generator, identity: Identity, metres: float) -> None:
        self.r, self.identity = r, identity
        self.scale = CANVAS * _FINE / metres  # fine pixels per metre, for the materials
        side = CANVAS * _FINE
        self.picture, self.cover = Image.new("RGB", (side, side), tone(identity.wall)), Image.new("L", (side, side))
        self.draw, self.stamp = ImageDraw.Draw(self.picture), ImageDraw.Draw(self.cover)

    # -- surfaces -----------------------------------------------------------------------------------------------------
    def polygon(
        self,
        points: Sequence[Point],
        colour: Colour | None = None,
        material: str | None = None,
        shade: np.ndarray | None = None,
        solid: bool = True,
        grain: float = 1.0,
    ) -> None:
        """Fill a polygon with stone.

        Parameters
        ----------
        colour, material
            Default: the monument's walls. ``material="plain"`` paints without texture.
        shade : array, broadcastable to the polygon's box ``(h, w, 1)``
            Factor of the light.
        solid : bool
            Whether it belongs to the outline; False where it only decorates what is there already.
        grain : float
            How much coarser than life the material is.
        """
        corners = [(x * _FINE, y * _FINE) for x, y in points]
        if solid:
            self.stamp.polygon(corners, fill=255)
        colour = self.identity.wall if colour is None else colour
        material = self.identity.material if material is None else material
        xs, ys = [p[0] for p in corners], [p[1] for p in corners]
        left, top = int(max(0, min(xs))), int(max(0, min(ys)))
        right, bottom = int(min(self.picture.width, max(xs) + 1)), int(min(self.picture.height, max(ys) + 1))
        if right <= left or bottom <= top:
            return
        rows, columns = bottom - top, right - left
        if material == "plain":
            pixels = np.broadcast_to(np.asarray(tone(colour), np.float32), (rows, columns, 3))
        else:
            steps = float(2 ** round(float(steady.log2(np.clip(self.scale * grain, 6, 48)))))
            pixels = painted(cut(self.r, material, rows, columns, steps), np.asarray(tuple(colour)), CONTRAST[material])
        if shade is not None:
            pixels = pixels * np.asarray(_fitted(shade, rows, columns))
        mask = Image.new("L", (columns, rows))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in corners], fill=255)
        self.picture.paste(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), (left, top), mask)

    def box(self, x0: float, y0: float, x1: float, y1: float, *args, **kwargs) -> None:
        """Fill an upright rectangle; further arguments as in ``polygon``."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], *args, **kwargs)

    def disc(self, x: float, y: float, rx: float, ry: float, *args, **kwargs) -> None:
        """Fill an ellipse; further arguments as in ``polygon``."""
        self.polygon(arc(x, y, rx, ry, 0, 360), *args, **kwargs)

    def hole(self, points: Sequence[Point]) -> None:
        """Cut an opening through which the street is seen."""
        self.stamp.polygon([(x * _FINE, y * _FINE) for x, y in points], fill=0)

    def line(self, points: Sequence[Point], width: float, colour: Colour, solid: bool = False) -> None:
        """Draw a line; ``solid`` as in ``polygon``."""
        spots, thick = [(x * _FINE, y * _FINE) for x, y in points], max(1, round(width * _FINE))
        self.draw.line(spots, fill=tone(colour), width=thick, joint="curve")
        if solid:
            self.stamp.line(spots, fill=255, width=thick, joint="curve")

    # -- parts of buildings -------------------------------------------------------------------------------------------
    def cornice(self, x0: float, x1: float, y: float, height: float = 6.0, colour: Colour | None = None) -> None:
        """A moulding with light on its upper edge and a shadow below."""
        colour = self.identity.trim if colour is None else colour
        self.box(x0, y, x1, y + height, colour, "plaster", np.linspace(1.15, 0.86, 16)[:, None, None])
        self.box(x0, y, x1, y + 1, tone(colour, 1.18, 6), "plain")
        self.shadow(x0 + 1, y + height, x1 - 1, y + height + 3.5)

    def shadow(self, x0: float, y0: float, x1: float, y1: float, strength: float = 0.45) -> None:
        """Darken what is there, less and less downwards."""
        box = tuple(int(v * _FINE) for v in (x0, y0, x1, y1))
        if box[2] <= box[0] or box[3] <= box[1]:
            return
        part = np.asarray(self.picture.crop(box), np.float32)
        fall = 1 - strength * np.linspace(1, 0.1, part.shape[0], dtype=np.float32)[:, None, None]
        self.picture.paste(Image.fromarray((part * fall).astype(np.uint8)), box[:2])

    def column(self, x: float, y0: float, y1: float, width: float, colour: Colour | None = None, fluted: bool = True) -> None:
        """A round column with base and capital."""
        colour = self.identity.trim if colour is None else colour
        n = max(4, int(width * _FINE))
        shade = round_shade(n, 0.42)
        if fluted:
            shade = shade * (1 + 0.10 * np.sign(steady.sin(np.linspace(0, 5 * 2 * np.pi, n)))[None, :, None])
        self.box(x - width / 2, y0, x + width / 2, y1, colour, "plaster", shade)
        for low, high in ((y0, y0 + 4), (y1 - 4, y1)):
            self.box(x - 0.72 * width, low, x + 0.72 * width, high, tone(colour, 1.04), "plaster", round_shade(n, 0.6))
            self.box(x - 0.72 * width, high - 0.8, x + 0.72 * width, high, tone(colour, 0.6), "plain")

    def window(self, x: float, y: float, width: float, height: float, arched: bool = True, pointed: bool = False) -> None:
        """A window with a frame of stone; ``(x, y)`` is the middle of its sill, dark glass mirrors the street."""
        trim, edge = self.identity.trim, max(1.4, 0.14 * width)
        outer = opening(x, y, width + 2 * edge, height + edge, arched, pointed)
        inner = opening(x, y, width, height, arched, pointed)
        self.polygon(outer, trim, "plaster", solid=False)
        rows, columns = int((height + width) * _FINE) + 2, int(width * _FINE) + 2
        glass = piece(self.r, ("china", "china", "rocket", "motorcycle")[int(self.r.integers(4))], rows, columns, 0.3, 0.8)
        glass = glass * 0.36 + np.array([30, 38, 50])
        mask = Image.new("L", (columns, rows))
        left, top = int((x - width / 2) * _FINE), int((y - height - width / 2) * _FINE)
        ImageDraw.Draw(mask).polygon([(px * _FINE - left, py * _FINE - top) for px, py in inner], fill=255)
        self.picture.paste(Image.fromarray(np.clip(glass, 0, 255).astype(np.uint8)), (left, top), mask)
        self.line([(x, y), (x, y - height + 0.6)], 0.7, tone(trim, 0.85))
        self.line([(x - width / 2, y - 0.55 * height), (x + width / 2, y - 0.55 * height)], 0.7, tone(trim, 0.85))
        self.box(x - width / 2 - edge - 1, y, x + width / 2 + edge + 1, y + 2, tone(trim, 1.08), "plain", solid=False)
        self.shadow(x - width / 2 - edge, y + 2, x + width / 2 + edge, y + 4, 0.35)

    def door(self, x: float, y: float, width: float, height: float, arched: bool = True, pointed: bool = False) -> None:
        """A wooden door in a portal of stone, on the ground ``y``."""
        trim, edge = self.identity.trim, 0.2 * width
        self.polygon(opening(x, y, width + 2 * edge, height + edge, arched, pointed), trim, "plaster", solid=False)
        self.polygon(opening(x, y, width + edge, height + edge / 2, arched, pointed), tone(trim, 0.7), "plain", solid=False)
        self.polygon(opening(x, y, width, height, arched, pointed), (92, 60, 38), "wood", solid=False)
        self.line([(x, y), (x, y - height)], 0.9, (44, 28, 18))

    def ornament(self, x: float, y: float, diameter: float, subject: str | None = None, solid: bool = False) -> None:
        """A round ornament with its middle at ``(x, y)``; a soft shadow lifts it off the wall."""
        subject = self.identity.subject if subject is None else subject
        pixels = ornament(self.r, subject, int(diameter * _FINE), self.identity.trim)
        self.disc(x + 1, y + 1.6, diameter / 2 + 0.6, diameter / 2 + 0.6, tone(self.identity.wall, 0.42), "plain", solid=False)
        self.paste(pixels, x - diameter / 2, y - diameter / 2, solid)

    def paste(self, pixels: np.ndarray, x: float, y: float, solid: bool = False) -> None:
        """Lay a picture with alpha, uint8 ``(h, w, 4)`` in fine pixels, with its corner at ``(x, y)``."""
        corner, alpha = (int(x * _FINE), int(y * _FINE)), Image.fromarray(np.ascontiguousarray(pixels[..., 3]))
        self.picture.paste(Image.fromarray(np.ascontiguousarray(pixels[..., :3])), corner, alpha)
        if solid:
            self.cover.paste(255, (*corner, corner[0] + pixels.shape[1], corner[1] + pixels.shape[0]), alpha)

    def inscription(self, x0: float, y0: float, x1: float, y1: float, colour: Colour | None = None) -> None:
        """Letters on a board."""
        colour = self.identity.accent if colour is None else colour
        board = lettering(self.r, int((y1 - y0) * _FINE), int((x1 - x0) * _FINE), np.asarray(tuple(colour)) * 0.8)
        self.picture.paste(Image.fromarray(board), (int(x0 * _FINE), int(y0 * _FINE)))
        self.draw.rectangle([v * _FINE for v in (x0, y0, x1, y1)], outline=tone(self.identity.trim), width=2)

    def spire(self, x: float, y: float, width: float, height: float) -> None:
        """A steep roof with a ball on its top; ``y`` is its foot."""
        roof = self.identity.roof
        n = max(4, int(width * _FINE))
        shade = np.where(np.linspace(0, 1, n) < 0.5, 1.12, 0.7)[None, :, None]
        self.polygon([(x - width / 2, y), (x, y - height), (x + width / 2, y)], roof, "slate", shade)
        self.line([(x, y - height + 1), (x, y - height - 6)], 1.2, (196, 160, 70), solid=True)
        self.disc(x, y - height - 1, 1.8, 1.8, (226, 188, 84), "plain")

    def dome(self, x: float, y: float, width: float, height: float, ribs: int = 8) -> None:
        """A dome with ribs and a lantern; ``y`` is its foot."""
        roof = self.identity.roof
        n = max(4, int(width * _FINE))
        outline = arc(x, y, width / 2, height, 180, 360)
        self.polygon(outline, roof, "plaster", round_shade(n, 0.38, 1.25))
        for k in range(1, ribs):
            side, t = float(steady.cos(np.pi * k / ribs)), np.linspace(0, np.pi / 2, 10)
            curve = zip(steady.cos(t).tolist(), steady.sin(t).tolist())
            self.line([(x + side * width / 2 * c, y - height * s) for c, s in curve], 0.8, tone(roof, 0.66))
        self.box(x - 0.07 * width, y - height - 0.10 * width, x + 0.07 * width, y - height + 2, self.identity.trim, "plaster")
        self.polygon(
            arc(x, y - height - 0.10 * width, 0.085 * width, 0.10 * width, 180, 360), roof, "plain", round_shade(8, 0.5, 1.2)
        )
        self.line([(x, y - height - 0.19 * width), (x, y - height - 0.19 * width - 5)], 1.2, (216, 178, 84), solid=True)

    def battlements(self, x0: float, x1: float, y: float, n: int, height: float = 6.0) -> None:
        """A row of merlons whose feet are at ``y``."""
        step = (x1 - x0) / (2 * n - 1)
        for k in range(n):
            self.box(x0 + 2 * k * step, y - height, x0 + (2 * k + 1) * step, y + 1)
            self.box(x0 + 2 * k * step, y - height, x0 + (2 * k + 1) * step, y - height + 1.5, self.identity.trim, "plain")

    # -- the end ------------------------------------------------------------------------------------------------------
    def finished(self) -> np.ndarray:
        """Return the canvas, uint8 ``(CANVAS, CANVAS, 4)``: averaged, weathered, darker at its foot and along its edges."""
        colour = np.asarray(self.picture.reduce(_FINE), np.float32)
        cover = self.cover.reduce(_FINE)
        soft = np.asarray(cover.filter(ImageFilter.GaussianBlur(2.0)), np.float32) / 255
        step = np.roll(soft, (1, 1), (0, 1)) - np.roll(soft, (-1, -1), (0, 1))
        relief = np.clip(1 - 0.5 * step, 0.6, 1.3)
        foot = 1 - 0.25 * steady.exp(-np.arange(CANVAS, dtype=np.float32)[::-1] / 9)[:, None]
        weather = stains(self.r, CANVAS, CANVAS, 5, 0.05) * stains(self.r, CANVAS, CANVAS, 14, 0.03)
        colour *= (relief * foot * weather)[..., None]
        return np.dstack([np.clip(colour, 0, 255).astype(np.uint8), np.asarray(cover)])


def _fitted(shade: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return a shade stretched to a box by picking the nearest entries; axes of length 1 stay."""
    if shade.shape[0] not in (1, rows):
        shade = shade[np.linspace(0, shade.shape[0] - 1, rows).round().astype(int)]
    if shade.shape[1] not in (1, columns):
        shade = shade[:, np.linspace(0, shade.shape[1] - 1, columns).round().astype(int)]
    return shade


def arc(x: float, y: float, rx: float, ry: float, start: float, end: float, n: int = 36) -> list[Point]:
    """Return points on an ellipse; degrees clockwise from the right, as the picture is seen."""
    turn = np.radians(np.linspace(start, end, n))
    return list(zip((x + rx * steady.cos(turn)).tolist(), (y + ry * steady.sin(turn)).tolist()))


def opening(x: float, y: float, width: float, height: float, arched: bool, pointed: bool = False) -> list[Point]:
    """Return the outline of a door or window: foot at ``(x, y)``, the arch is part of the height."""
    half = width / 2
    if not arched:
        return [(x - half, y), (x - half, y - height), (x + half, y - height), (x + half, y)]
    if pointed:
        spring = y - height + 1.5 * half
        left = arc(x + half, spring, 2 * half, half * 3**0.5, 180, 240, 9)
        right = arc(x - half, spring, 2 * half, half * 3**0.5, 300, 360, 9)
        return [(x - half, y), *left, *right, (x + half, y)]
    return [(x - half, y), *arc(x, y - height + half, half, half, 180, 360, 15), (x + half, y)]
