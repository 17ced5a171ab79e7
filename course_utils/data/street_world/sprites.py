"""Flat pictures that always face the camera: cars, people, trees and lamps, drawn once and kept in an atlas.

A sprite is a picture with transparency, its size in metres and a *glow* plane: how much of a pixel is a light (head
lamps, tail lamps, street lamps), seen in the dark at full strength. Under everything that stands on the ground there is
a soft dark ellipse: without a contact shadow a car floats.

Cars look different from the side, the front and the rear; the renderer picks the view from the angle between the
street and the line of sight. Trees exist once per season. Numbers of individuals are small on purpose (``POOL``): the
same car may be met twice, as in a town.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from course_utils.data import steady
from course_utils.data.street_world.textures import cut, halved, painted, resized, stream

POOL: dict[str, int] = {"tree": 12, "car": 24, "person": 28, "lamp": 1}
"""How many individuals of each kind there are."""
SHADOW_DEPTH = 0.18
"""Metres by which the contact shadow reaches below the foot of a sprite."""
N_LEVELS = 5

_PAINT = np.array(
    [[200, 200, 198], [60, 62, 66], [130, 134, 138], [30, 32, 36], [130, 32, 34], [36, 56, 98], [190, 186, 170]]
    + [[70, 86, 74], [176, 132, 44]],
    np.float32,
)
_CARS = {"saloon": (4.4, 1.8, 1.45), "estate": (4.6, 1.9, 1.7), "van": (5.2, 2.0, 2.25), "bus": (9.5, 2.5, 3.0)}
"""Length, width and height in metres."""
_SKIN = np.array([[236, 200, 172], [206, 160, 126], [150, 104, 76], [98, 66, 48]], np.float32)
_CLOTHES = np.array(
    [[30, 30, 34], [60, 62, 70], [110, 112, 116], [205, 203, 198], [50, 68, 110], [138, 44, 44]]
    + [[66, 92, 66], [150, 120, 76], [98, 70, 60], [186, 152, 60], [120, 80, 120], [60, 110, 120]],
    np.float32,
)
_LEAF = {"spring": (112, 136, 66), "summer": (74, 100, 48), "autumn": (158, 98, 42)}
_GLASS = (44, 52, 60)


@dataclass(frozen=True, eq=False)
class Sprite:
    """``pixels`` uint8 ``(h, w, 4)``, ``glow`` uint8 ``(h, w)``; width and height in metres, shadow included."""

    pixels: np.ndarray
    glow: np.ndarray
    width: float
    height: float


class _Canvas:
    """A transparent picture with metres as units: ``x`` from the left, ``y`` up from the foot; 2 x oversampled."""

    def __init__(self, width: float, height: float, scale: float) -> None:
        self.width, self.height, self.scale = width, height + SHADOW_DEPTH, 2 * scale
        size = (max(4, int(width * self.scale)), max(4, int(self.height * self.scale)))
        self.picture, self.glow = Image.new("RGBA", size), Image.new("L", size)
        self.draw, self.light = ImageDraw.Draw(self.picture), ImageDraw.Draw(self.glow)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return x * self.scale, self.picture.height - (y + SHADOW_DEPTH) * self.scale

    def corners(self, x0: float, y0: float, x1: float, y1: float) -> list[tuple[float, float]]:
        return [self.at(x0, y1), self.at(x1, y0)]

    def thick(self, metres: float) -> int:
        return max(1, round(metres * self.scale))

    def shadow(self, x0: float, x1: float) -> None:
        self.draw.ellipse(self.corners(x0, -SHADOW_DEPTH, x1, SHADOW_DEPTH), fill=(0, 0, 0, 120))

    def finished(self, shade: np.ndarray | None = None) -> Sprite:
        pixels = np.asarray(self.picture).astype(np.float32)
        if shade is not None:
            pixels[..., :3] *= shade
        pixels = np.clip(pixels, 0, 255).astype(np.uint8)
        height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
        return Sprite(resized(pixels, height, width), resized(np.asarray(self.glow), height, width), self.width, self.height)


def draw_sprite(kind: str, number: int, view: str, season: str, scale: float = 24.0) -> Sprite:
    """Return an individual of a kind.

    Parameters
    ----------
    kind : {"tree", "car", "person", "lamp"}
    number : int
        Which individual, 0 to ``POOL[kind]`` - 1.
    view : {"side", "front", "rear"}
        From where; trees and lamps look the same from everywhere.
    season : str
        Trees and clothes follow it.
    scale : float
        Pixels per metre.
    """
    if kind == "tree":
        return _tree(stream(77, 1, number), season, scale / 2)
    if kind == "car":
        return _car(stream(77, 2, number), view, scale)
    if kind == "person":
        return _person(stream(77, 3, number), view, season, scale)
    return _lamp(scale / 2)


# -- cars ---------------------------------------------------------------------------------------------------------------
def _car(r: np.random.Generator, view: str, scale: float) -> Sprite:
    kind = ("saloon", "estate", "van", "bus")[int(np.searchsorted([0.5, 0.82, 0.96], r.random()))]
    length, width, height = _CARS[kind]
    paint = np.clip(_PAINT[r.integers(len(_PAINT))] * r.uniform(0.85, 1.1), 0, 255)
    turned = r.random() < 0.5
    canvas = _Canvas(length if view == "side" else width, height, scale)
    canvas.shadow(0.02, canvas.width - 0.02)
    if view == "side":
        (_low_car_side if kind in ("saloon", "estate") else _tall_car_side)(canvas, kind, length, height, paint)
    else:
        _car_end(canvas, kind, width, height, paint, view)
    rows, columns = canvas.picture.height, canvas.picture.width
    reflection = cut(r, "leaves", rows, columns, 20).astype(np.float32) / 128  # the street mirrored in the paint
    shade = (np.linspace(1.15, 0.80, rows, dtype=np.float32)[:, None] * (0.88 + 0.12 * reflection))[..., None]
    sprite = canvas.finished(shade)
    if turned and view == "side":
        return Sprite(sprite.pixels[:, ::-1].copy(), sprite.glow[:, ::-1].copy(), sprite.width, sprite.height)
    return sprite


def _rgb(colour: np.ndarray, factor: float = 1.0, add: float = 0.0) -> tuple[int, ...]:
    return tuple(int(v) for v in np.clip(np.asarray(colour) * factor + add, 0, 255))


def _low_car_side(c: _Canvas, kind: str, length: float, height: float, paint: np.ndarray) -> None:
    belt = height * (0.62 if kind == "saloon" else 0.58)
    tail = 0.88 if kind == "saloon" else 0.965
    outline = [(0.05, 0.24), (0.02, 0.5 * height), (0.06 * length, belt - 0.03), (0.24 * length, belt + 0.04)]
    outline += [
        (0.36 * length, 0.96 * height),
        (0.52 * length, height),
        (0.72 * length, 0.96 * height),
        (tail * length, belt + 0.03),
    ]
    outline += [(0.985 * length, belt - 0.1), (length - 0.03, 0.24)]
    c.draw.polygon([c.at(x, y) for x, y in outline], fill=_rgb(paint))
    front = [
        (0.27 * length, belt + 0.02),
        (0.375 * length, 0.9 * height),
        (0.52 * length, 0.93 * height),
        (0.52 * length, belt + 0.02),
    ]
    back = [(0.545 * length, belt + 0.02), (0.545 * length, 0.93 * height), (0.70 * length, 0.9 * height)]
    back += [((tail - 0.07) * length, belt + 0.02)]
    for pane in (front, back):
        c.draw.polygon([c.at(x, y) for x, y in pane], fill=_GLASS)
    c.draw.line([c.at(0.06, 0.5 * height), c.at(length - 0.06, 0.5 * height)], fill=_rgb(paint, 1.25, 12), width=c.thick(0.05))
    c.draw.line([c.at(0.535 * length, belt), c.at(0.535 * length, 0.28)], fill=_rgb(paint, 0.7), width=c.thick(0.025))
    c.draw.rectangle(c.corners(0.04, 0.2, length - 0.04, 0.33), fill=_rgb(paint, 0.55))
    _lamp_on(c, (0.03, belt - 0.18, 0.20, belt - 0.06), (244, 238, 214))
    _lamp_on(c, (length - 0.16, belt - 0.22, length - 0.03, belt - 0.06), (190, 34, 30))
    _wheels(c, (0.18 * length, 0.80 * length), 0.33)


def _tall_car_side(c: _Canvas, kind: str, length: float, height: float, paint: np.ndarray) -> None:
    c.draw.rounded_rectangle(c.corners(0.03, 0.28, length - 0.03, height), radius=c.thick(0.25), fill=_rgb(paint))
    if kind == "van":
        pane = [(0.12, 1.2), (0.5, 1.95), (1.5, 1.95), (1.5, 1.2)]
        c.draw.polygon([c.at(x, y) for x, y in pane], fill=_GLASS)
    else:
        for number in range(6):
            c.draw.rectangle(c.corners(0.3 + 1.5 * number, 1.45, 1.65 + 1.5 * number, 2.6), fill=_GLASS)
    c.draw.rectangle(c.corners(0.03, 0.55, length - 0.03, 0.7), fill=_rgb(paint, 1.25, 12))
    _lamp_on(c, (0.03, 0.75, 0.2, 0.95), (244, 238, 214))
    _lamp_on(c, (length - 0.14, 0.8, length - 0.03, 1.1), (190, 34, 30))
    _wheels(c, (0.18 * length, 0.80 * length), 0.36 if kind == "van" else 0.48)


def _wheels(c: _Canvas, positions: tuple[float, ...], radius: float) -> None:
    for x in positions:
        c.draw.ellipse(c.corners(x - 1.15 * radius, 0, x + 1.15 * radius, 2.15 * radius), fill=(14, 14, 16))
        c.draw.ellipse(c.corners(x - radius, 0, x + radius, 2 * radius), fill=(24, 24, 26))
        c.draw.ellipse(c.corners(x - 0.55 * radius, 0.45 * radius, x + 0.55 * radius, 1.55 * radius), fill=(146, 146, 150))


def _lamp_on(c: _Canvas, box: tuple[float, float, float, float], colour: tuple[int, ...]) -> None:
    c.draw.rectangle(c.corners(*box), fill=colour)
    c.light.rectangle(c.corners(*box), fill=255)


def _car_end(c: _Canvas, kind: str, width: float, height: float, paint: np.ndarray, view: str) -> None:
    low = kind in ("saloon", "estate")
    shoulder = 0.64 * height if low else height
    c.draw.rounded_rectangle(c.corners(0.03, 0.22, width - 0.03, shoulder), radius=c.thick(0.14), fill=_rgb(paint))
    if low:
        cabin = [
            (0.10, 0.6 * height),
            (0.30, 0.95 * height),
            (0.45, height),
            (width - 0.45, height),
            (width - 0.30, 0.95 * height),
        ]
        cabin += [(width - 0.10, 0.6 * height)]
        c.draw.polygon([c.at(x, y) for x, y in cabin], fill=_rgb(paint, 0.92))
        pane = [(0.24, 0.64 * height), (0.40, 0.92 * height), (width - 0.40, 0.92 * height), (width - 0.24, 0.64 * height)]
        c.draw.polygon([c.at(x, y) for x, y in pane], fill=_GLASS)
    else:
        c.draw.rectangle(c.corners(0.2, 0.52 * height, width - 0.2, 0.9 * height), fill=_GLASS)
    colour = (196, 30, 30) if view == "rear" else (246, 240, 218)
    for x in (0.1, width - 0.42):
        _lamp_on(c, (x, 0.66, x + 0.32, 0.84), colour)
    c.draw.rectangle(c.corners(width / 2 - 0.26, 0.42, width / 2 + 0.26, 0.54), fill=(226, 223, 202))
    c.draw.rectangle(c.corners(0.05, 0.22, width - 0.05, 0.36), fill=_rgb(paint, 0.55))
    for x in (0.1, width - 0.34):
        c.draw.rectangle(c.corners(x, 0, x + 0.24, 0.28), fill=(20, 20, 22))


# -- people -------------------------------------------------------------------------------------------------------------
def _person(r: np.random.Generator, view: str, season: str, scale: float) -> Sprite:
    """A walker with jointed limbs; in winter everybody wears a coat."""
    scale = 2 * scale
    width, height, middle = 1.1, 1.76, 0.55
    c = _Canvas(width, height, scale)
    top, trousers = (_CLOTHES[r.integers(12)] * r.uniform(0.8, 1.15) for _ in range(2))
    skin, hair = _SKIN[r.integers(4)], np.array([[30, 24, 20], [70, 48, 32], [130, 100, 60], [120, 118, 116]])[r.integers(4)]
    coat = r.random() < (0.85 if season == "winter" else 0.2)
    bag = _CLOTHES[r.integers(12)] if r.random() < 0.4 else None
    stride = 0.42 * steady.sin(r.uniform(0, 2 * np.pi)) * (1.0 if view == "side" else 0.25)
    spread = 0.0 if view == "side" else 0.09
    c.shadow(0.2, 0.9)

    def limb(points: list[tuple[float, float]], thickness: float, colour: np.ndarray, factor: float) -> None:
        spots = [c.at(middle + x, y) for x, y in points]
        c.draw.line(spots, fill=_rgb(colour, factor), width=c.thick(thickness), joint="curve")

    for side, swing in ((-1, -stride), (1, stride)):
        knee = 0.42 * steady.sin(swing)
        foot = knee + 0.40 * steady.sin(swing - 0.25 * abs(stride))
        shift = side * spread
        limb([(shift, 0.9), (knee + shift, 0.47), (foot + shift, 0.06)], 0.15, trousers, 0.8 if side < 0 else 1.0)
        limb([(foot + shift - 0.04, 0.04), (foot + shift + 0.12, 0.04)], 0.08, np.array([40, 36, 34]), 1.0)
    broad = 0.17 if view == "side" else 0.23
    hem = 0.58 if coat else 0.86
    c.draw.rounded_rectangle(c.corners(middle - broad, hem, middle + broad, 1.48), radius=c.thick(0.1), fill=_rgb(top))
    if bag is not None:
        x = middle - broad - 0.12 if view == "side" else middle - 0.14
        c.draw.rounded_rectangle(c.corners(x, 1.0, x + 0.26, 1.42), radius=c.thick(0.05), fill=_rgb(bag))
    for side, swing in ((-1, stride), (1, -stride)):
        shoulder = side * (0.0 if view == "side" else 0.24)
        elbow = shoulder + 0.28 * steady.sin(swing)
        hand = elbow + 0.26 * steady.sin(swing + 0.3)
        limb([(shoulder, 1.40), (elbow, 1.13), (hand, 0.9)], 0.10, top, 0.75 if side < 0 else 0.9)
        c.draw.ellipse(c.corners(middle + hand - 0.05, 0.82, middle + hand + 0.05, 0.92), fill=_rgb(skin))
    c.draw.ellipse(c.corners(middle - 0.105, 1.47, middle + 0.105, 1.74), fill=_rgb(skin if view != "rear" else hair))
    c.draw.pieslice(c.corners(middle - 0.12, 1.47, middle + 0.12, 1.76), 170, 370, fill=_rgb(hair))
    shade = np.linspace(1.1, 0.88, c.picture.width, dtype=np.float32)[None, :, None]
    return c.finished(shade)


# -- trees and lamps ----------------------------------------------------------------------------------------------------
def _tree(r: np.random.Generator, season: str, scale: float) -> Sprite:
    """Trunk and boughs under a cloud of blobs that is filled with the leaves of a photograph."""
    height, width = r.uniform(5.5, 8.5), r.uniform(3.6, 5.6)
    c = _Canvas(width, height, scale)
    rows, columns = c.picture.height, c.picture.width
    wood = Image.new("L", (columns, rows))
    draw = ImageDraw.Draw(wood)
    trunk = [(width / 2 - 0.17, 0), (width / 2 + 0.17, 0), (width / 2 + 0.08, 0.62 * height), (width / 2 - 0.08, 0.62 * height)]
    draw.polygon([c.at(x, y) for x, y in trunk], fill=255)
    _boughs(r, c, draw, width, height, twigs=season == "winter")
    crown = _crown(r, rows, columns) if season != "winter" else np.zeros((rows, columns), np.uint8)
    tone = np.array(_LEAF.get(season, (110, 104, 98)), np.float32) * r.uniform(0.85, 1.1)
    leaves = painted(cut(r, "leaves", rows, columns, 24), tone, 0.75).astype(np.float32)
    leaves *= np.linspace(1.25, 0.6, rows, dtype=np.float32)[:, None, None]
    bark = painted(cut(r, "wood", rows, columns, 30), (86, 72, 60), 0.8).astype(np.float32)
    colour = np.where(crown[..., None] > 0, leaves, bark)
    opaque = np.maximum(crown, np.asarray(wood))
    c.picture.paste(Image.fromarray(np.clip(np.dstack([colour, opaque]), 0, 255).astype(np.uint8)))
    body = Image.fromarray(np.dstack([np.clip(colour, 0, 255), opaque]).astype(np.uint8))
    ground = _Canvas(width, height, scale)
    ground.shadow(0.22 * width, 0.78 * width)
    c.picture = Image.alpha_composite(ground.picture, body)
    return c.finished()


def _boughs(r: np.random.Generator, c: _Canvas, draw: ImageDraw.ImageDraw, width: float, height: float, twigs: bool) -> None:
    for _ in range(12 if twigs else 8):
        y = height * r.uniform(0.36, 0.66)
        x1, y1 = width * r.uniform(0.12, 0.88), y + height * r.uniform(0.1, 0.3)
        draw.line([c.at(width / 2, y), c.at(x1, y1)], fill=255, width=c.thick(0.08))
        for _ in range(6 if twigs else 0):
            share = r.uniform(0.35, 0.95)
            x, y0 = width / 2 + (x1 - width / 2) * share, y + (y1 - y) * share
            draw.line([c.at(x, y0), c.at(x + width * r.uniform(-0.16, 0.16), y0 + height * r.uniform(0.02, 0.15))], fill=220)


def _crown(r: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Return the outline of a leafy crown, uint8 0 or 255, with holes through which the sky is seen."""
    crown = Image.new("L", (columns, rows))
    draw = ImageDraw.Draw(crown)
    for _ in range(34):
        x, y = columns * (0.5 + 0.2 * r.normal()), rows * (0.32 + 0.12 * r.normal())
        radius = columns * r.uniform(0.07, 0.17)
        draw.ellipse([x - radius, y - 0.85 * radius, x + radius, y + 0.85 * radius], fill=255)
    grain = (r.random((rows // 4 + 2, columns // 4 + 2)) * 255).astype(np.uint8)
    grain = resized(grain, rows, columns, Image.Resampling.BICUBIC)
    return np.where((np.asarray(crown) > 0) & (grain > 62), 255, 0).astype(np.uint8)


def _lamp(scale: float) -> Sprite:
    c = _Canvas(1.8, 6.2, scale)
    iron = (54, 58, 60)
    c.shadow(0.7, 1.1)
    c.draw.rectangle(c.corners(0.85, 0, 0.95, 5.9), fill=iron)
    c.draw.rectangle(c.corners(0.78, 0, 1.02, 0.5), fill=iron)
    c.draw.line([c.at(0.9, 5.85), c.at(0.15, 6.05), c.at(1.65, 6.05), c.at(0.9, 5.85)], fill=iron, width=c.thick(0.07))
    for x in (0.02, 1.38):
        _lamp_on(c, (x, 5.88, x + 0.4, 6.06), (236, 228, 196))
    return c.finished()


# -- the atlas ------------------------------------------------------------------------------------------------------------
class SpriteAtlas:
    """All sprites met so far with their mip levels, in flat arrays that one index reads.

    ``colour`` is uint32 (the four bytes of RGBA), ``glow`` uint8; level ``l`` of sprite ``s`` starts at
    ``start[s, l]`` and has ``rows[s, l]`` x ``columns[s, l]`` pixels. Sprites are drawn when they are first asked for.
    """

    def __init__(self, scale: float = 24.0) -> None:
        self.scale = scale
        self._number: dict[tuple[str, int, str, str], int] = {}
        self._tables: list[list[tuple[int, int, int]]] = []
        self._metres: list[tuple[float, float]] = []
        self.colour, self.glow = np.zeros(1 << 20, np.uint32), np.zeros(1 << 20, np.uint8)
        self.used = 0
        self._refresh()

    def number(self, kind: str, individual: int, view: str, season: str) -> int:
        """Return the sprite's number, drawing it first if need be."""
        individual %= POOL[kind]
        if kind == "tree":
            view = "side"
        elif kind == "person":
            season = "winter" if season == "winter" else ""
        else:
            season = ""
        key = (kind, individual, view, season)
        if key not in self._number:
            self._add(key)
        return self._number[key]

    def _add(self, key: tuple[str, int, str, str]) -> None:
        sprite = draw_sprite(*key, scale=self.scale)
        pixels, glow, table = sprite.pixels, sprite.glow, []
        for level in range(N_LEVELS):
            if level:
                pixels, glow = halved(pixels), halved(glow)
            size = glow.size
            while self.used + size > len(self.colour):
                self.colour = np.concatenate([self.colour, np.zeros_like(self.colour)])
                self.glow = np.concatenate([self.glow, np.zeros_like(self.glow)])
            self.colour[self.used : self.used + size] = np.ascontiguousarray(pixels).view(np.uint32).ravel()
            self.glow[self.used : self.used + size] = glow.ravel()
            table.append((self.used, *glow.shape))
            self.used += size
        self._number[key] = len(self._tables)
        self._tables.append(table)
        self._metres.append((sprite.width, sprite.height))
        self._refresh()

    def _refresh(self) -> None:
        table = np.array(self._tables, np.int64).reshape(-1, N_LEVELS, 3)
        self.start, self.rows, self.columns = table[..., 0], table[..., 1], table[..., 2]
        self.metres = np.array(self._metres, np.float32).reshape(-1, 2)


@lru_cache(maxsize=2)
def sprite_atlas(scale: float = 24.0) -> SpriteAtlas:
    """Return the process's atlas; sprites do not depend on the town, so all districts share it."""
    return SpriteAtlas(scale)
