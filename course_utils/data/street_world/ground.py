"""The district seen from above: the ground that the camera drives on, and the map that a reader looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from course_utils.data.street_world.textures import cut, painted, stream

if TYPE_CHECKING:
    from course_utils.data.street_world.districts import District

GROUND_SCALE = 5.0
"""Pixels per metre of the ground."""
ROAD, MARKING, PAVING, GRASS = 60, 90, 200, 255
"""Values of the ground's fourth channel: how much snow stays lying there."""


def paint_ground(place: District) -> np.ndarray:
    """Return the ground, uint8 ``(H, W, 4)`` at 5 px per metre: row 0 is the south edge of ``place.bounds``.

    The first three channels are asphalt, paving stones and grass with markings, patches and drain covers; the fourth
    says how much snow stays lying (``ROAD`` < ``MARKING`` < ``PAVING`` < ``GRASS``).
    """
    r = stream(place.seed, 15, place.number)
    x_min, x_max, y_min, y_max = place.bounds
    columns, rows = int((x_max - x_min) * GROUND_SCALE), int((y_max - y_min) * GROUND_SCALE)
    picture = Image.fromarray(painted(cut(r, "gravel", rows, columns, GROUND_SCALE), (108, 108, 110), 0.4))
    snow = Image.new("L", (columns, rows), ROAD)
    sheet = _Sheet(picture, snow, x_min, y_min)
    _patches(sheet, r, place)
    _markings(sheet, r, place)
    _pavements(sheet, r, place, rows, columns)
    return np.dstack([np.asarray(picture), np.asarray(snow)])


class _Sheet:
    """Draws on the colour and on the snow plane at once, in metres."""

    def __init__(self, picture: Image.Image, snow: Image.Image, x_min: float, y_min: float) -> None:
        self.picture, self.x_min, self.y_min = picture, x_min, y_min
        self.colour, self.snow = ImageDraw.Draw(picture), ImageDraw.Draw(snow)

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.x_min) * GROUND_SCALE, (y - self.y_min) * GROUND_SCALE

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: tuple[int, ...], snow: int) -> None:
        (a, b), (c, d) = self.pixel(x0, y0), self.pixel(x1, y1)
        corners = (int(min(a, c)), int(min(b, d)), int(max(a, c)) - 1, int(max(b, d)) - 1)
        if corners[2] >= corners[0] and corners[3] >= corners[1]:
            self.colour.rectangle(corners, fill=fill)
            self.snow.rectangle(corners, fill=snow)


def _patches(sheet: _Sheet, r: np.random.Generator, place: District) -> None:
    """Mended asphalt and drain covers: what a road has instead of a texture."""
    x_min, x_max, y_min, y_max = place.bounds
    for _ in range(int((x_max - x_min) * (y_max - y_min) / 220)):
        x, y = r.uniform(x_min, x_max), r.uniform(y_min, y_max)
        if r.random() < 0.5:
            a, b = sheet.pixel(x - 0.35, y - 0.35), sheet.pixel(x + 0.35, y + 0.35)
            sheet.colour.ellipse([*a, *b], fill=(80, 80, 83))
        else:
            shade = int(r.uniform(82, 96))
            sheet.box(x, y, x + r.uniform(1, 4), y + r.uniform(0.5, 2), (shade, shade, shade + 1), ROAD)


def _markings(sheet: _Sheet, r: np.random.Generator, place: District) -> None:
    """Dashes along the centre lines; zebra crossings at most corners."""
    paint = (206, 204, 196)
    for street in place.streets:
        east = abs(street.x1 - street.x0) > abs(street.y1 - street.y0)
        half = (1.3, 0.1) if east else (0.1, 1.3)
        for along in np.arange(8, street.length - 8, 6.0):
            x, y = street.point(float(along) + 1.3)
            sheet.box(x - half[0], y - half[1], x + half[0], y + half[1], paint, MARKING)
    across = [s for s in place.streets if abs(s.x1 - s.x0) < 1e-6]
    along_x = [s for s in place.streets if abs(s.y1 - s.y0) < 1e-6]
    for first in across:
        for second in along_x:
            if r.random() < 0.6:
                for k in np.arange(-first.width / 2 + 3.6, first.width / 2 - 3.4, 1.0):
                    x, y = first.x0 + k, second.y0 + second.width / 2
                    sheet.box(x, y - 2.6, x + 0.5, y - 0.2, (214, 212, 206), MARKING)


def _pavements(sheet: _Sheet, r: np.random.Generator, place: District, rows: int, columns: int) -> None:
    from course_utils.data.street_world.districts import PAVEMENT

    stones = Image.fromarray(painted(cut(r, "paving", rows, columns, GROUND_SCALE), (152, 148, 142), 0.55))
    grass = Image.fromarray(painted(cut(r, "grass", rows, columns, 4 * GROUND_SCALE), (86, 112, 58), 0.8))
    paved, green = Image.new("L", (columns, rows)), Image.new("L", (columns, rows))
    on_paved, on_green = ImageDraw.Draw(paved), ImageDraw.Draw(green)
    for x0, y0, x1, y1 in place.blocks:
        kerb = [*sheet.pixel(x0 - PAVEMENT, y0 - PAVEMENT), *sheet.pixel(x1 + PAVEMENT, y1 + PAVEMENT)]
        on_paved.rectangle(kerb, fill=255)
        on_green.rectangle([*sheet.pixel(x0 + 2, y0 + 2), *sheet.pixel(x1 - 2, y1 - 2)], fill=255)
    sheet.picture.paste(stones, (0, 0), paved)
    sheet.picture.paste(grass, (0, 0), green)
    sheet.snow.bitmap((0, 0), paved, fill=PAVING)
    sheet.snow.bitmap((0, 0), green, fill=GRASS)
    for x0, y0, x1, y1 in place.blocks:
        kerb = [*sheet.pixel(x0 - PAVEMENT, y0 - PAVEMENT), *sheet.pixel(x1 + PAVEMENT, y1 + PAVEMENT)]
        sheet.colour.rectangle(kerb, outline=(184, 182, 176))


# -- the reader's map -----------------------------------------------------------------------------------------------------
def paint_map(place: District, scale: float) -> np.ndarray:
    """Return the map of ``District.map_image``: roofs in their houses' colours, parks, trees and shadows; north up."""
    over = 2  # drawn twice as large, then averaged
    x_min, x_max, y_min, y_max = place.extent
    columns, rows = round((x_max - x_min) * scale), round((y_max - y_min) * scale)
    zoom = scale * over
    picture = _ground_below(place, columns * over, rows * over)
    draw = ImageDraw.Draw(picture, "RGBA")

    def box(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
        return (x0 - x_min) * zoom, (y_max - y1) * zoom, (x1 - x_min) * zoom, (y_max - y0) * zoom

    houses = [lot for lot in place.lots if not lot.is_park]
    for lot in houses:
        x0, y0, x1, y1 = lot.footprint
        shift = 0.28 * lot.height  # the sun stands in the north-west
        draw.polygon([*box(x0, y0, x1, y1)[:2], box(x0, y0, x1, y1)[2], box(x0, y0, x1, y1)[1],
                      (x1 + shift - x_min) * zoom, (y_max - y1 + shift) * zoom, (x1 + shift - x_min) * zoom,
                      (y_max - y0 + shift) * zoom, (x0 + shift - x_min) * zoom, (y_max - y0 + shift) * zoom,
                      box(x0, y0, x1, y1)[0], box(x0, y0, x1, y1)[3]], fill=(20, 24, 36, 90))  # fmt: skip
    for number, lot in enumerate(houses):
        _roof(draw, box, lot.footprint, lot.colour, number)
    for x, y in place.trees:
        radius = 1.9
        draw.ellipse(box(x - radius + 0.6, y - radius - 0.6, x + radius + 0.6, y + radius - 0.6), fill=(20, 24, 36, 80))
        draw.ellipse(box(x - radius, y - radius, x + radius, y + radius), fill=(70, 104, 52, 255))
        draw.ellipse(box(x - 0.7 * radius, y - 0.3 * radius, x + 0.3 * radius, y + 0.7 * radius), fill=(96, 134, 70, 255))
    return np.asarray(picture.reduce(over))


def _ground_below(place: District, columns: int, rows: int) -> Image.Image:
    ground = Image.fromarray(np.ascontiguousarray(place.ground[::-1, :, :3]))
    x_min, x_max, y_min, y_max = place.extent
    left, _, _, upper = place.bounds
    box = ((x_min - left) * GROUND_SCALE, (upper - y_max) * GROUND_SCALE,
           (x_max - left) * GROUND_SCALE, (upper - y_min) * GROUND_SCALE)  # fmt: skip
    box = (max(0, box[0]), max(0, box[1]), min(ground.width, box[2]), min(ground.height, box[3]))
    lighter = ground.resize((columns, rows), Image.Resampling.BILINEAR, box=box)
    return lighter.point(lambda v: min(255, int(1.2 * v + 8)))


def _roof(draw: ImageDraw.ImageDraw, box, footprint: tuple, colour: tuple[int, int, int], number: int) -> None:
    """A hipped roof in four shades around its ridge, over a rim in the colour of the front."""
    x0, y0, x1, y1 = footprint
    draw.rectangle(box(x0, y0, x1, y1), fill=colour)
    tones = ((168, 92, 74), (120, 116, 118), (150, 110, 84), (136, 84, 72), (104, 106, 114))
    base = np.array(tones[number % len(tones)], np.float32) * 0.7 + np.array(colour, np.float32) * 0.3
    rim = 0.8
    a, b, c, d = box(x0 + rim, y0 + rim, x1 - rim, y1 - rim)
    half = min(c - a, d - b) / 2
    if c - a >= d - b:
        ridge = ((a + half, (b + d) / 2), (c - half, (b + d) / 2))
        faces = (([(a, b), (c, b), ridge[1], ridge[0]], 1.12), ([(a, d), (c, d), ridge[1], ridge[0]], 0.78),
                 ([(a, b), (a, d), ridge[0]], 1.0), ([(c, b), (c, d), ridge[1]], 0.88))  # fmt: skip
    else:
        ridge = (((a + c) / 2, b + half), ((a + c) / 2, d - half))
        faces = (([(a, b), (a, d), ridge[1], ridge[0]], 1.12), ([(c, b), (c, d), ridge[1], ridge[0]], 0.82),
                 ([(a, b), (c, b), ridge[0]], 1.04), ([(a, d), (c, d), ridge[1]], 0.9))  # fmt: skip
    for points, light in faces:
        draw.polygon(points, fill=tuple(int(v) for v in np.clip(base * light, 0, 255)))
