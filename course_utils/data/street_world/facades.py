"""House fronts: painted once per district at 12 pixels a metre, from real-pixel materials.

A front is painted from the top down, as a builder's drawing: roof, cornice, storeys, pilasters, ground floor. Houses of
one style (``styles``) resemble each other; what tells them apart is what tells them apart in a street: the order of
doors and windows, a shop's sign and awning, a mural, the weather's stains.

The fourth channel of a front is not transparency but a label (see ``styles``), so that the renderer can change what
changes between two drives: which windows are lit, what a shop displays.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from course_utils.data import steady
from course_utils.data.street_world.styles import ACCENTS, DISPLAY, FIRST_WINDOW, LAST_WINDOW, SIGN, SKY, WALL, Style
from course_utils.data.street_world.textures import cut, lettering, painted, piece, stains, stream

FACADE_SCALE = 12
"""Pixels per metre of a front: what a camera with a focal length of 90 px sees from 7.5 m away."""
_FINE = 2 * FACADE_SCALE  # painted at twice the scale, then averaged: clean edges

SLATES = np.array([[92, 94, 104], [126, 84, 70], [98, 92, 88], [84, 98, 96]], np.float32)
_CONTRAST = {"brick": 0.75, "stone": 0.45, "plaster": 0.55, "concrete": 0.22, "wood": 0.6}
_POSTERS = ("astronaut", "chelsea", "coffee", "flower", "rocket", "hubble", "china", "motorcycle", "coins", "camera")
DISPLAYS = ("motorcycle", "coffee", "flower", "coins", "china", "chelsea", "astronaut", "ihc")


@dataclass(frozen=True, eq=False)
class Front:
    """A painted front: ``pixels`` uint8 ``(h, w, 4)``, and the heights of its eaves and of its top in metres."""

    pixels: np.ndarray
    eaves: float
    top: float
    colour: tuple[int, int, int]


def paint_front(key: tuple[int, ...], width: float, floors: int, style: Style, side: bool = False) -> Front:
    """Return the front of one house.

    Parameters
    ----------
    key : tuple of int
        Stream of this house: all its randomness comes from it.
    width : float
        Metres.
    floors : int
        Number of storeys, ground floor included.
    style : Style
        One of the town's.
    side : bool, default False
        A side wall: no shop, no door.
    """
    return _Painter(stream(*key), width, floors, style, side).paint()


def paint_wall(key: tuple[int, ...], width: float, height: float) -> Front:
    """Return a low garden wall of bricks with a coping stone."""
    r = stream(*key)
    rows, columns = round(height * FACADE_SCALE), max(2, round(width * FACADE_SCALE))
    pixels = painted(cut(r, "brick", rows, columns, FACADE_SCALE), (150, 112, 94), 0.6).copy()
    pixels[:2] = (176, 170, 160)
    pixels[2] = pixels[2] // 2
    return Front(np.dstack([pixels, np.full((rows, columns), WALL, np.uint8)]), height, height, (150, 112, 94))


@cache
def display_pictures(n: int = 40, size: int = 64) -> np.ndarray:
    """Return what shops may display: uint8 ``(n, size, size, 3)``, pieces of photographs behind glass."""
    r = stream(3, 41)
    pieces = [piece(r, DISPLAYS[i % len(DISPLAYS)], size, size, 0.3, 0.8) for i in range(n)]
    return np.clip(np.stack(pieces).astype(np.float32) * 0.72 + 8, 0, 255).astype(np.uint8)


@cache
def _panes(n: int = 64) -> list[Image.Image]:
    """Window glass: a dim reflection, darker below; about half of them with a curtain or a blind."""
    panes = []
    for number in range(n):
        r = stream(3, 42, number)
        reflection = piece(r, ("china", "china", "motorcycle", "rocket", "coffee")[r.integers(5)], 48, 32, 0.3, 0.8)
        glass = reflection * 0.35 + np.array([50, 62, 74]) * r.uniform(0.5, 1.1)
        glass *= np.linspace(1.25, 0.75, 48)[:, None, None]
        if r.random() < 0.45:
            curtain = int(48 * r.uniform(0.2, 0.9))
            glass[:curtain] = glass[:curtain] * 0.25 + np.array([210, 205, 190]) * r.uniform(0.5, 0.85)
        panes.append(Image.fromarray(np.clip(glass, 0, 255).astype(np.uint8)))
    return panes


def _ink(colour: Iterable[float], factor: float = 1.0) -> tuple[int, ...]:
    return tuple(min(255, max(0, int(v * factor))) for v in colour)


class _Painter:
    """One house front on a canvas of 24 pixels a metre. ``x`` runs from the left, ``y`` up from the ground, in metres."""

    def __init__(self, r: np.random.Generator, width: float, floors: int, style: Style, side: bool) -> None:
        self.r, self.width, self.floors, self.style, self.side = r, width, floors, style, side
        self.ground_floor = style.storey * r.uniform(1.1, 1.3)
        self.eaves = self.ground_floor + style.storey * (floors - 1) + style.cornice + 0.5
        roof = style.roof if r.random() < 0.8 else "parapet"
        self.roof = "parapet" if side else roof
        self.top = self.eaves + {"parapet": 0.9, "mansard": 2.3, "gable": min(3.4, 0.3 * width), "stepped": 2.2}[self.roof]
        if side:
            self.top = self.eaves
        self.rows, self.columns = 2 * round(self.top * FACADE_SCALE), 2 * round(width * FACADE_SCALE)
        self.colour = self._pick_colour()
        self.trim = np.clip(np.asarray(style.trim) * r.uniform(0.9, 1.05), 0, 255)
        wall = cut(r, style.material, self.rows, self.columns, _FINE)
        self.picture = Image.fromarray(painted(wall, self.colour, _CONTRAST[style.material]))
        self.labels = Image.new("L", (self.columns, self.rows), WALL)
        self.draw, self.label = ImageDraw.Draw(self.picture), ImageDraw.Draw(self.labels)
        self.bays = max(1, round((width - 0.6) / style.bay))
        self.next_window = FIRST_WINDOW

    def _pick_colour(self) -> np.ndarray:
        """Two houses in five have their style's colour; the others were painted by their owners."""
        r = self.r
        base = np.asarray(self.style.colour)
        if r.random() < 0.6:
            hues = ((0.03, 0.15), (0.54, 0.62), (0.24, 0.46), (0.94, 1.03))
            low, high = hues[int(np.searchsorted([0.52, 0.72, 0.85], r.random()))]
            base = 255 * np.array(colorsys.hsv_to_rgb(r.uniform(low, high) % 1, r.uniform(0.15, 0.45), r.uniform(0.5, 0.86)))
        return np.clip(base * r.uniform(0.88, 1.1) + r.normal(0, 5, 3), 20, 245)

    def paint(self) -> Front:
        self._paint_roof()
        self._paint_cornice()
        for floor in range(1, self.floors):
            self._paint_storey(floor)
        if self.style.pilasters:
            self._paint_pilasters()
        self._paint_ground_floor()
        if not self.side and self.floors >= 3 and self.r.random() < 0.10:
            self._paint_mural()
        return self._finished()

    # -- geometry ---------------------------------------------------------------------------------------------------
    def _y(self, metres: float) -> int:
        return int(self.rows - metres * _FINE)

    def _box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[int, int, int, int]:
        return int(x0 * _FINE), self._y(y1), int(x1 * _FINE), self._y(y0)

    def _fill(self, x0: float, y0: float, x1: float, y1: float, colour: Iterable[float], factor: float = 1.0) -> None:
        left, top, right, bottom = self._box(x0, y0, x1, y1)
        if right >= left and bottom >= top:
            self.draw.rectangle((left, top, right, bottom), fill=_ink(colour, factor))

    def _erase(self, points: list[tuple[float, float]]) -> None:
        self.label.polygon([(x * _FINE, self.rows - y * _FINE) for x, y in points], fill=SKY)

    # -- the parts of a house, from the top down --------------------------------------------------------------------
    def _paint_roof(self) -> None:
        w, eaves, top = self.width, self.eaves, self.top
        if self.roof == "parapet" and top > eaves:
            self._erase([(0, eaves), (w, eaves), (w, top + 1), (0, top + 1)])
            for x in self.r.uniform(0.08, 0.85, 2) * w:
                left, upper, right, lower = self._box(x, eaves, min(w, x + 0.8), top)
                self.label.rectangle((left, upper, right, lower), fill=WALL)
                self._fill(x, top - 0.2, x + 0.8, top, (120, 70, 56))
        elif self.roof == "mansard":
            slates = painted(
                cut(self.r, "slate", self.rows - self._y(top - eaves), self.columns, _FINE),
                SLATES[self.r.integers(len(SLATES))],
                0.5,
            )
            self.picture.paste(Image.fromarray(slates[: self._y(eaves)]), (0, 0))
            self._erase([(0, eaves), (0, top + 1), (0.9, top + 1)])
            self._erase([(w, eaves), (w, top + 1), (w - 0.9, top + 1)])
            for bay in range(self.bays):
                x = (bay + 0.5) * w / self.bays
                if 1.2 < x < w - 1.2 and bay % 2 == 0:
                    self._fill(x - 0.65, eaves + 0.35, x + 0.65, eaves + 1.75, self.trim)
                    self._window(x, eaves + 0.45, 0.9, 1.05, plain_frame=True)
        elif self.roof == "gable":
            self._erase([(0, eaves), (0, top + 1), (w / 2, top + 1), (w / 2, top)])
            self._erase([(w, eaves), (w, top + 1), (w / 2, top + 1), (w / 2, top)])
            corners = [(0, self._y(eaves)), (w / 2 * _FINE, 3), (self.columns, self._y(eaves))]
            self.draw.line(corners, fill=_ink(self.trim), width=int(0.3 * _FINE))
            self._window(w / 2, eaves + 0.2 * (top - eaves), 0.9, 0.9, plain_frame=True)
        elif self.roof == "stepped":
            steps = 4
            for step in range(steps):
                y0, x = eaves + (top - eaves) * step / steps, w * (0.08 + 0.34 * step / steps)
                self._erase([(0, y0), (x, y0), (x, top + 1), (0, top + 1)])
                self._erase([(w, y0), (w - x, y0), (w - x, top + 1), (w, top + 1)])
                self._fill(x, y0 + 0.38, w - x, y0 + 0.55, self.trim)

    def _paint_cornice(self) -> None:
        depth = self.style.cornice
        self._fill(0, self.eaves - depth, self.width, self.eaves, self.trim)
        self._fill(0, self.eaves - depth - 0.12, self.width, self.eaves - depth, self.trim, 0.55)

    def _paint_storey(self, floor: int) -> None:
        style, r = self.style, self.r
        base = self.ground_floor + (floor - 1) * style.storey
        bay = self.width / self.bays
        if style.courses:
            self._fill(0, base - 0.16, self.width, base, self.trim)
            self._fill(0, base - 0.22, self.width, base - 0.16, self.trim, 0.6)
        for number in range(self.bays):
            x = (number + 0.5) * bay
            if r.random() < 0.04:
                continue
            self._window(x, base + 0.85, min(style.window[0], 0.62 * bay), min(style.window[1], style.storey - 1.3))
            if style.balconies and floor % 2 == 1:
                self._balcony(x, base)

    def _balcony(self, x: float, base: float) -> None:
        self._fill(x - 0.8, base + 0.33, x + 0.8, base + 0.5, self.trim, 0.6)
        for bar in np.arange(x - 0.8, x + 0.8, 0.2):
            self._fill(bar, base + 0.5, bar + 0.05, base + 1.35, (38, 38, 40))
        self._fill(x - 0.8, base + 1.28, x + 0.8, base + 1.36, (38, 38, 40))

    def _window(self, x: float, y: float, width: float, height: float, plain_frame: bool = False) -> None:
        style, r, draw = self.style, self.r, self.draw
        x0, y0, x1, y1 = self._box(x - width / 2, y, x + width / 2, y + height)
        pane = _panes()[int(r.integers(64))]
        if x0 < 1 or x1 > self.columns - 2 or y0 < 0 or x1 - x0 < 3 or y1 - y0 < 3:
            return
        edge, thin = int(0.10 * _FINE), max(1, int(0.05 * _FINE))
        draw.rectangle((x0 - edge, y0 - edge, x1 + edge, y1 + edge), fill=_ink(self.trim, 1.0 if style.courses else 0.9))
        self.picture.paste(pane.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR), (x0, y0))
        draw.rectangle((x0, y0, x1, y1), outline=style.frame, width=thin)
        if style.bars > 0:
            draw.line([(x0 + x1) // 2, y0, (x0 + x1) // 2, y1], fill=style.frame, width=thin)
        if style.bars > 1:
            draw.line([x0, y0 + (y1 - y0) // 3, x1, y0 + (y1 - y0) // 3], fill=style.frame, width=thin)
        draw.rectangle((x0, y0, x1, y0 + thin), fill=(20, 20, 22))  # shadow under the lintel
        if not plain_frame:
            draw.rectangle((x0 - 2 * edge, y1, x1 + 2 * edge, y1 + edge), fill=_ink(self.trim))
            draw.rectangle((x0 - 2 * edge, y1 + edge, x1 + 2 * edge, y1 + edge + 1), fill=(60, 56, 52))
            if style.arched:
                draw.pieslice((x0, y0 - (x1 - x0) // 2, x1, y0 + (x1 - x0) // 2), 180, 360, fill=_ink(self.trim))
                draw.arc((x0, y0 - (x1 - x0) // 2, x1, y0 + (x1 - x0) // 2), 180, 360, fill=_ink(self.trim, 0.6), width=thin)
            if style.shutter is not None:
                self._shutters(x0 - edge, y0, x1 + edge, y1, int(0.38 * width * _FINE))
        self.label.rectangle((x0 + thin, y0 + thin, x1 - thin, y1 - thin), fill=self.next_window)
        self.next_window = min(LAST_WINDOW, self.next_window + 1)

    def _shutters(self, x0: int, y0: int, x1: int, y1: int, width: int) -> None:
        for left in (x0 - width, x1):
            self.draw.rectangle((left, y0, left + width, y1), fill=_ink(self.style.shutter))
            for y in range(y0, y1, 4):
                self.draw.line([left, y, left + width, y], fill=_ink(self.style.shutter, 0.7))

    def _paint_pilasters(self) -> None:
        for number in range(self.bays + 1):
            x = number * self.width / self.bays
            self._fill(x - 0.18, 0, x + 0.18, self.eaves - self.style.cornice, self.trim)
            self._fill(x + 0.18, 0, x + 0.24, self.eaves - self.style.cornice, self.trim, 0.6)

    def _paint_ground_floor(self) -> None:
        kind = "blank" if self.side else str(self.r.choice(("shop", "shop", "shop", "door", "blank", "garage")))
        if kind == "shop":
            self._paint_shop()
            return
        self._fill(0, 0, self.width, 0.7, self.colour, 0.62)
        bay = self.width / self.bays
        door = int(self.r.integers(self.bays))
        for number in range(self.bays):
            x = (number + 0.5) * bay
            if number == door and not self.side:
                self._door(x)
            elif kind == "garage" and self.r.random() < 0.5:
                self._garage(x, 0.4 * bay)
            elif self.r.random() < 0.8:
                self._window(x, 1.1, min(self.style.window[0], 0.6 * bay), min(self.style.window[1], self.ground_floor - 1.8))
            elif not self.side:
                self._poster(x, bay)

    def _door(self, x: float) -> None:
        wood = painted(cut(self.r, "wood", int(2.4 * _FINE), int(1.2 * _FINE), 30), ACCENTS[self.r.integers(10)] * 0.9, 0.6)
        self._fill(x - 0.75, 0, x + 0.75, 2.6, self.trim)
        self.picture.paste(Image.fromarray(wood), self._box(x - 0.6, 0, x + 0.6, 2.4)[:2])
        self._fill(x - 0.35, 1.6, x + 0.35, 2.2, (58, 66, 74))
        self._fill(x - 0.95, 0, x + 0.95, 0.15, (150, 146, 140))

    def _garage(self, x: float, half: float) -> None:
        grey = self.r.uniform(90, 190)
        self._fill(x - half, 0, x + half, 2.6, (grey, grey, grey))
        for y in np.arange(0, 2.6, 0.25):
            self._fill(x - half, y, x + half, y + 0.05, (grey, grey, grey), 0.75)

    def _poster(self, x: float, bay: float) -> None:
        height = self.r.uniform(1.2, 2.2)
        width = min(0.75 * bay, height * self.r.uniform(0.7, 1.3))
        name = _POSTERS[self.r.integers(len(_POSTERS))]
        x0, y0, x1, y1 = self._box(x - width / 2, 1.0, x + width / 2, 1.0 + height)
        self._fill(x - width / 2 - 0.12, 0.88, x + width / 2 + 0.12, 1.12 + height, (225, 222, 215))
        self.picture.paste(Image.fromarray(piece(self.r, name, y1 - y0, x1 - x0, 0.5, 1.0)), (x0, y0))
        self.label.rectangle((x0, y0, x1, y1), fill=DISPLAY)

    def _paint_shop(self) -> None:
        r, high = self.r, self.ground_floor
        board = ACCENTS[r.integers(len(ACCENTS))] * r.uniform(0.6, 1.1)
        self._fill(0, 0, self.width, high - 0.15, board * 0.75 + 20)
        shops = max(1, int(self.width // 5))
        for number in range(shops):
            x0, x1 = number * self.width / shops + 0.35, (number + 1) * self.width / shops - 0.35
            self._shop_window(x0, x1, high)
            if r.random() < 0.7:
                self._fill(x1 - 1.1, 0, x1, high - 1.25, board, 0.5)
                self._fill(x1 - 0.95, 0.5, x1 - 0.15, high - 1.45, (50, 58, 64))
                self.label.rectangle(self._box(x1 - 1.1, 0, x1, high - 1.25), fill=WALL)
            left, top, right, bottom = self._box(x0, high - 1.0, x1, high - 0.25)
            sign = lettering(r, bottom - top, max(8, right - left), ACCENTS[r.integers(10)] * r.uniform(0.7, 1.25))
            self.picture.paste(Image.fromarray(sign), (left, top))
            self.label.rectangle((left, top, right, bottom), fill=SIGN)
            if r.random() < 0.45:
                self._awning(x0, x1, high - 1.05)

    def _shop_window(self, x0: float, x1: float, high: float) -> None:
        r = self.r
        left, top, right, bottom = self._box(x0, 0.55, x1, high - 1.25)
        picture = piece(r, DISPLAYS[r.integers(5)], bottom - top, max(4, right - left), 0.35, 0.9) * 0.62 + 14
        self.picture.paste(Image.fromarray(picture.astype(np.uint8)), (left, top))
        self.label.rectangle((left, top, right, bottom), fill=DISPLAY)
        self.draw.rectangle((left, top, right, bottom), outline=(30, 30, 32), width=2)
        for x in np.linspace(left, right, int(r.integers(2, 5)))[1:-1]:
            self.draw.line([x, top, x, bottom], fill=(30, 30, 32), width=2)

    def _awning(self, x0: float, x1: float, y: float) -> None:
        stripe = _ink(ACCENTS[self.r.integers(10)])
        n = max(4, int((x1 - x0) / 0.45))
        edges = np.linspace(x0, x1, n + 1)
        for number in range(n):
            self._fill(edges[number], y - 0.75, edges[number + 1], y, stripe if number % 2 == 0 else (232, 228, 218))
        self._fill(x0, y - 0.85, x1, y - 0.75, (40, 40, 42))
        self.label.rectangle(self._box(x0, y - 0.85, x1, y), fill=WALL)

    def _paint_mural(self) -> None:
        """One tall house in ten has a picture painted on it: as distinctive as a town gets."""
        r = self.r
        width = min(0.5 * self.width, 5.0)
        height = width * r.uniform(0.8, 1.3)
        if self.ground_floor + height + 1.6 >= self.eaves:
            return
        x, y = r.uniform(0.1, 0.9) * (self.width - width), self.ground_floor + 0.6
        x0, y0, x1, y1 = self._box(x, y, x + width, y + height)
        mural = piece(r, _POSTERS[r.integers(len(_POSTERS))], y1 - y0, x1 - x0, 0.6, 1.0) * 0.72 + self.colour * 0.28
        self.picture.paste(Image.fromarray(mural.astype(np.uint8)), (x0, y0))
        self.label.rectangle((x0, y0, x1, y1), fill=WALL)

    def _finished(self) -> Front:
        """Average down to 12 pixels a metre, darken the foot of the wall, add the weather's stains."""
        rows, columns = self.rows // 2, self.columns // 2
        colour = np.asarray(self.picture.reduce(2)).astype(np.float32)
        foot = 1 - 0.18 * steady.exp(-np.arange(rows)[::-1] / (1.2 * FACADE_SCALE)).astype(np.float32)
        colour *= (foot[:, None] * stains(self.r, rows, columns, 4, 0.07) * stains(self.r, rows, columns, 10, 0.035))[..., None]
        labels = np.asarray(self.labels)[::2, ::2]
        pixels = np.dstack([np.clip(colour, 0, 255).astype(np.uint8), labels])
        return Front(pixels, self.eaves, self.top, tuple(int(v) for v in self.colour))
