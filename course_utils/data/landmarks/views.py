"""The photograph of a plan, and the truth about it.

Everything is painted from the far to the near, each flat picture through its own homography, lit by the sun and the sky
on its normal and veiled by the air in front of it. The truth falls out of the same homographies:

- the **homography** of the monument's canvas, in continuous coordinates;
- the **visible share** of a pixel, ``alpha * prod(1 - alpha of everything nearer)``, where ``alpha`` is the canvas's
  alpha seen through the homography;
- the **mask**: pixels whose visible share is above one half.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from course_utils.data import steady
from course_utils.data.landmarks import town
from course_utils.data.landmarks.masonry import CANVAS
from course_utils.data.landmarks.monuments import canvas_of
from course_utils.data.landmarks.planes import Pyramid, boxes_in_frame, mapped, warped
from course_utils.data.landmarks.plans import Plan, Thing, planned
from course_utils.data.street_world.photography import photograph_of
from course_utils.data.street_world.textures import stream
from course_utils.data.street_world.weather import LIGHT, Condition

TRIES = 8
LEAST_AREA, LEAST_SHARE = 0.05, 0.45
"""A photograph is taken again if the visible landmark covers less of the image, or if less of its part in the frame is
visible."""
_TRIAL = 48  # side of the small picture on which that is judged, for every size alike
GROUND_REACH = 60.0
"""Metres from the camera up to which the ground has texture; farther away it has the texture's mean colour."""
CLEARER = 2.2
"""The air is clearer than in the street world: landmarks are seen from farther away."""
_SKY_DEGREES = 75.0  # how high the panorama reaches


@dataclass(frozen=True, eq=False)
class Photograph:
    """``image`` uint8 ``(3, H, W)``, ``mask`` bool ``(H, W)``, ``homography`` float64 ``(3, 3)``, NaN without a landmark."""

    image: np.ndarray
    mask: np.ndarray
    homography: np.ndarray


@dataclass(frozen=True, eq=False)
class _Shot:
    """What ``street_world.photography`` asks of a drive; it stands in for a ``Traversal``."""

    light: Condition
    exposure: np.ndarray
    blur: float = 0.0


def accepted_plan(seed: int, split: int, label: int, number: int) -> Plan:
    """Return the first plan of a view on which the landmark can be seen; without things in front if none of eight is."""
    for attempt in range(TRIES):
        plan = planned(seed, split, label, number, attempt)
        if label < 0 or _is_seen(plan, seed):
            return plan
    kept = tuple(thing for thing in plan.things if thing.middle[1] > 0)
    return replace(plan, things=kept)


def _is_seen(plan: Plan, seed: int) -> bool:
    alpha, visible = visible_share(plan, seed, _TRIAL)
    seen = np.count_nonzero(visible > 0.5)
    return seen >= LEAST_AREA * _TRIAL**2 and seen >= LEAST_SHARE * np.count_nonzero(alpha > 0.5)


def visible_share(plan: Plan, seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the landmark's alpha in the photograph and what is left of it in front, float64 ``(H, W)`` each."""
    alpha = Image.new("L", (size, size))
    homography = canvas_homography(plan, size)
    box = _box(homography, (CANVAS, CANVAS), size)
    if box is not None:
        alpha.paste(warped(_canvas(seed, plan.label).outline, homography, box), box)
    visible = alpha.copy()
    for laid in _layout(plan, size):
        if laid.in_front:
            _hide(visible, warped(laid.thing.flat.pyramid.outline, laid.homography, laid.box), laid.box)
    return np.asarray(alpha) / 255, np.asarray(visible) / 255


def photographed(plan: Plan, seed: int, size: int) -> Photograph:
    """Return the photograph of a plan."""
    painter = _Painter(plan, size)
    layout = _layout(plan, size)
    painter.sky()
    painter.ground()
    for laid in layout:
        if not laid.in_front:
            painter.thing(laid)
    homography, visible = np.full((3, 3), np.nan), Image.new("L", (size, size))
    if plan.label >= 0:
        homography = canvas_homography(plan, size)
        visible = painter.monument(seed, homography)
    for laid in layout:
        if laid.in_front:
            _hide(visible, painter.thing(laid), laid.box)
    return Photograph(painter.developed(), np.asarray(visible) > 127, homography)


# -- geometry of the parts ------------------------------------------------------------------------------------------------
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class _Laid:
    """A thing in the frame: its homography, its box, its depth in metres, whether it is nearer than the monument."""

    thing: Thing
    homography: np.ndarray
    box: Box
    depth: float
    in_front: bool


def canvas_homography(plan: Plan, size: int) -> np.ndarray:
    """Return the homography from canvas pixels to image pixels, float64 ``(3, 3)``, scaled so that its last entry is 1."""
    matrix = plan.camera.homography(*plan.plane, size)
    return matrix / matrix[2, 2]


def _box(homography: np.ndarray, picture: tuple[int, int], size: int) -> Box | None:
    """Return the box of one picture in the frame, or None."""
    box = tuple(boxes_in_frame(homography[None], np.array([picture]), size)[0].tolist())
    return box if box[2] > box[0] else None


def _layout(plan: Plan, size: int) -> list[_Laid]:
    """Return the things that are in the frame, from far to near."""
    if not plan.things:
        return []
    unit, pictures, depths, in_front = _unit_layout(plan)
    homographies = unit * np.array([size, size, 1.0])[:, None]
    boxes = boxes_in_frame(homographies, pictures, size).tolist()
    return [
        _Laid(plan.things[k], homographies[k], tuple(boxes[k]), depths[k], in_front[k])
        for k in np.argsort(-np.array(depths), kind="stable").tolist()
        if boxes[k][2] > boxes[k][0]
    ]


@lru_cache(maxsize=4)
def _unit_layout(plan: Plan) -> tuple[np.ndarray, np.ndarray, list[float], list[bool]]:
    """Return the things' homographies to an image of side 1, their pictures' sizes, depths, and who is in front."""
    flats = [thing.flat for thing in plan.things]
    pictures = np.array([flat.pyramid.size for flat in flats])
    metres = np.array([(flat.width, flat.height, flat.foot) for flat in flats])
    feet, along = (np.array([getattr(thing, name) for thing in plan.things]) for name in ("origin", "along"))
    nothing = np.zeros(len(flats))
    origins = np.column_stack([feet, metres[:, 1] - metres[:, 2]])
    alongs = np.column_stack([along * (metres[:, 0] / pictures[:, 0])[:, None], nothing])
    downs = np.column_stack([nothing, nothing, -metres[:, 1] / pictures[:, 1]])
    homographies = plan.camera.homographies(origins, alongs, downs, 1)
    here, forward = np.array([plan.camera.position[:2]]), np.array(plan.camera.ahead)
    depths = steady.rounded(steady.along(feet + along * metres[:, :1] / 2 - here, forward))
    monument = float(steady.rounded(steady.along(-here, forward))[0])
    return homographies, pictures, depths.tolist(), (depths < monument).tolist()


@lru_cache(maxsize=512)
def _canvas(seed: int, label: int) -> Pyramid:
    return Pyramid(Image.fromarray(canvas_of(seed, label)))


def _hide(visible: Image.Image, alpha: Image.Image, box: Box) -> None:
    visible.paste(0, box, alpha)


# -- painting -------------------------------------------------------------------------------------------------------------
class _Painter:
    """The picture in the making: an RGB image of 8 bits, painted from the far to the near."""

    def __init__(self, plan: Plan, size: int) -> None:
        self.plan, self.size, self.light = plan, size, LIGHT[plan.condition]
        elevation = np.radians(self.light.elevation)
        flat = steady.cos(elevation)
        self.sun = np.array([flat * steady.sin(plan.sun), -flat * steady.cos(plan.sun), steady.sin(elevation)])
        self.ambient, self.direct = np.array(self.light.ambient), np.array(self.light.sun)
        self.image = Image.new("RGB", (size, size))
        self.haze = np.array(self.light.horizon, np.float64)

    def sky(self) -> None:
        camera, size = self.plan.camera, self.size
        panorama = town.sky(self.plan.condition, self.plan.sky)
        half = np.degrees(steady.arctan2(0.5, camera.focal))
        high = np.degrees(camera.pitch) + half + 3  # elevation of the upper edge
        low = np.degrees(camera.pitch) - half - 3
        y0, y1 = (64 * (1 - np.clip(angle, 0, _SKY_DEGREES) / _SKY_DEGREES) for angle in (high, low))
        azimuth = (camera.heading - (np.pi - self.plan.sun)) / (2 * np.pi) * 512 % 512
        wide = 2 * half / 360 * 512
        x0 = azimuth - wide / 2
        x0 += 512 if x0 < 0 else 0
        if x0 + wide > 512:
            panorama = ImageChops.offset(panorama, -256, 0)
            x0 -= 256
        below = max(1, round(size * max(high, 0.5) / (high - low)))
        strip = panorama.resize(
            (size, min(size, below + size // 8)), Image.Resampling.BILINEAR, box=(x0, y0, x0 + wide, max(y1, y0 + 1))
        )
        self.image.paste(tuple(int(v) for v in self.haze), (0, 0, size, size))
        self.image.paste(strip, (0, 0))

    def ground(self) -> None:
        """The square, in three bands of rows, each read at its own resolution; then the shadows that lie on it."""
        size, camera = self.size, self.plan.camera
        matrix = camera.matrix(size)
        texture, side = town.ground(self.plan.ground), town.GROUND_SIDE / town.GROUND_SCALE
        step = 1 / town.GROUND_SCALE
        toward = np.array(camera.ahead) * GROUND_REACH / 2
        origin = np.array([camera.position[0] + toward[0] - side / 2, camera.position[1] + toward[1] + side / 2, 0.0])
        homography = camera.homography(origin, np.array([step, 0, 0]), np.array([0, -step, 0]), size)
        normal = steady.rounded(np.linalg.inv(matrix)[2])  # the z of the ray through (x, y, 1): 0 on the horizon
        light, mean = self._on_ground(), texture.mean

        def row(x: float, away: float) -> float:
            """Where the ground ``away`` metres from the camera is seen in column ``x``."""
            return -(normal[0] * x + normal[2] + camera.position[2] / away) / normal[1]

        draw = ImageDraw.Draw(self.image)
        far = self._lit(Image.new("RGB", (1, 1), mean), light, 90.0).getpixel((0, 0))
        draw.polygon([(0, row(0, 1e6)), (size, row(size, 1e6)), (size, size + 1), (0, size + 1)], fill=far)
        edge = [row(0, GROUND_REACH), row(size, GROUND_REACH)]
        top = int(np.clip(np.floor(min(edge)), 0, size))
        below = Image.new("L", (size, size))
        ImageDraw.Draw(below).polygon([(0, edge[0]), (size, edge[1]), (size, size + 1), (0, size + 1)], fill=255)
        rows = np.unique([top, *(int(top + (size - top) * share) for share in (0.12, 0.4)), size]).tolist()
        for first, last in pairwise(rows):
            band = (0, first, size, last)
            ray = normal[0] * size / 2 + normal[1] * (first + last) / 2 + normal[2]
            depth = min(camera.position[2] / max(-ray, 1e-3), GROUND_REACH)
            self.image.paste(self._lit(warped(texture, homography, band), light, depth), band, below.crop(band))
        self._house_shadows()

    def _on_ground(self) -> np.ndarray:
        return self.ambient + self.direct * self.sun[2]

    def _shade_of_ground(self) -> float:
        """Return how much darker the ground is in the shadow."""
        return float((self.ambient / self._on_ground()).mean()) if self.direct.max() > 0 else 1.0

    def _house_shadows(self) -> None:
        if self.direct.max() <= 0:
            return
        houses = [thing for thing in self.plan.things if thing.kind == "house"]
        if not houses:
            return
        foot, along = (np.array([getattr(thing, name) for thing in houses]) for name in ("origin", "along"))
        metres = np.array([(thing.flat.width, 0.85 * thing.flat.height) for thing in houses])
        reach = -self.sun[:2] / self.sun[2] * metres[:, 1:]
        end = foot + along * metres[:, :1]
        corners = np.stack([foot, end, end + reach, foot + reach], axis=1)
        corners = np.concatenate([corners, np.zeros((len(houses), 4, 1))], axis=2)
        spots, depths = self.plan.camera.project(corners.reshape(-1, 3), self.size)
        veil = Image.new("L", (self.size, self.size))
        draw = ImageDraw.Draw(veil)
        for polygon, depth in zip(spots.reshape(-1, 8).tolist(), depths.reshape(-1, 4).min(axis=1).tolist()):
            if depth > 0.5:
                draw.polygon(polygon, fill=255)
        self._darken(veil, self._shade_of_ground())

    def _darken(self, veil: Image.Image, factor: float) -> None:
        box = veil.getbbox()
        if box is None or factor >= 1:
            return
        part = self.image.crop(box)
        soft = veil.crop(box).filter(ImageFilter.BoxBlur(max(0.5, self.size / 150)))
        f = float(factor)
        self.image.paste(part.convert("RGB", (f, 0, 0, 0, 0, f, 0, 0, 0, 0, f, 0)), box[:2], soft)

    def _cast_shadow(self, outline: Pyramid) -> None:
        """The monument's shadow on the ground: the outline, laid along the rays of the sun; and a dark line at its foot."""
        size, camera = self.size, self.plan.camera
        origin, along, down = self.plan.plane
        if self.direct.max() > 0:
            fall = self.sun / self.sun[2]
            homography = camera.homography(origin - origin[2] * fall, along, down - down[2] * fall, size)
            box = _box(homography, outline.size, size)
            if box is not None:
                veil = Image.new("L", (size, size))
                veil.paste(warped(outline, homography, box), box)
                self._darken(veil, self._shade_of_ground())
        half, near = 0.46 * self.plan.metres, -0.05 * self.plan.metres
        corners = np.array([(-half, near, 0), (half, near, 0), (half, 0.5, 0), (-half, 0.5, 0)])
        spots, depths = camera.project(corners, size)
        if depths.min() > 0.5:
            foot = Image.new("L", (size, size))
            ImageDraw.Draw(foot).polygon([tuple(p) for p in spots.tolist()], fill=255)
            self._darken(foot, 0.72)

    def thing(self, laid: _Laid) -> Image.Image:
        """Paint a house, tree, car, person or lamp; return its alpha in its box."""
        thing = laid.thing
        picture = warped(thing.flat.pyramid, laid.homography, laid.box)
        if thing.kind == "house":
            light = self.ambient + self.direct * max(0.0, float(thing.normal[0] * self.sun[0] + thing.normal[1] * self.sun[1]))
        else:
            light = self.ambient + 0.55 * self.direct
        alpha = picture.getchannel("A")
        self.image.paste(self._lit(picture, light, laid.depth), laid.box, alpha)
        return alpha

    def monument(self, seed: int, homography: np.ndarray) -> Image.Image:
        """Paint the landmark and its shadow; return its alpha in the photograph, an image of 8 bits."""
        plan, size = self.plan, self.size
        self._cast_shadow(_canvas(seed, plan.label).outline)
        visible = Image.new("L", (size, size))
        box = _box(homography, (CANVAS, CANVAS), size)
        if box is None:
            return visible
        picture = warped(_canvas(seed, plan.label), homography, box)
        alpha = picture.getchannel("A")
        facing = max(0.0, float(-self.sun[1]))
        depth = float(np.sqrt(plan.camera.position[0] ** 2 + plan.camera.position[1] ** 2))
        lit = self._lit(picture, self.ambient + self.direct * facing, depth)
        if plan.shadow is not None and facing > 0 and self.direct.max() > 0:
            dark = self._lit(picture, self.ambient, depth)
            xs = np.linspace(-0.1, 1.1, len(plan.shadow)) * CANVAS
            edge = np.array(
                [*zip(xs, np.array(plan.shadow) * CANVAS), (1.1 * CANVAS, 1.1 * CANVAS), (-0.1 * CANVAS, 1.1 * CANVAS)]
            )
            veil = Image.new("L", picture.size)
            ImageDraw.Draw(veil).polygon([tuple(p) for p in (mapped(homography, edge) - box[:2]).tolist()], fill=255)
            lit = Image.composite(dark, lit, veil.filter(ImageFilter.BoxBlur(max(0.5, size / 150))))
        self.image.paste(lit, box, alpha)
        visible.paste(alpha, box)
        return visible

    def _lit(self, picture: Image.Image, light: np.ndarray, depth: float) -> Image.Image:
        """Return a picture in RGB in a light, veiled by the haze of ``depth`` metres of air."""
        clear = round(math.exp(-max(depth, 0.0) / (CLEARER * self.light.fog)), steady.DECIMALS)
        (r, g, b), (x, y, z) = (clear * light).tolist(), ((1 - clear) * self.haze).tolist()
        if picture.mode == "RGBA":
            picture = picture.convert("RGB")
        return picture.convert("RGB", (r, 0, 0, x, 0, g, 0, y, 0, 0, b, z))

    def developed(self) -> np.ndarray:
        """Return what the camera makes of it, uint8 ``(3, H, W)``."""
        picture = self.image
        if self.plan.blur > 0:
            picture = picture.filter(ImageFilter.GaussianBlur(self.plan.blur * self.size))
        image = np.asarray(picture, np.float32).transpose(2, 0, 1).copy()
        shot = _Shot(self.light, np.array(self.plan.exposure, np.float32))
        return photograph_of(image, shot, stream(self.plan.noise))
