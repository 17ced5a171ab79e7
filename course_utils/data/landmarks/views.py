"""The photograph of a plan, and the truth about it.

Everything is painted from the far to the near, each flat picture through its own homography, lit by the sun and the sky
on its normal and veiled by the air in front of it. The truth falls out of the same homographies:

- the **homography** of the monument's canvas, in continuous coordinates;
- the **visible share** of a pixel, ``alpha * prod(1 - alpha of everything nearer)``, where ``alpha`` is the canvas's
  alpha seen through the homography;
- the **mask**: pixels whose visible share is above one half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from course_utils.data.landmarks import town
from course_utils.data.landmarks.masonry import CANVAS
from course_utils.data.landmarks.monuments import canvas_of
from course_utils.data.landmarks.planes import Pyramid, mapped, warped
from course_utils.data.landmarks.plans import Plan, Thing, planned
from course_utils.data.street_world.photography import photograph_of
from course_utils.data.street_world.textures import stream
from course_utils.data.street_world.weather import LIGHT, Condition

TRIES = 8
LEAST_AREA, LEAST_SHARE = 0.05, 0.45
"""A photograph is taken again if the visible landmark covers less of the image, or if less of its part in the frame is
visible."""
_TRIAL = 48  # side of the small picture on which that is judged, for every size alike
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
    """What ``street_world.photography`` wants to know of a drive."""

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
    laid = warped(_outline(seed, plan.label), _homography(plan, size), size)
    if laid is not None:
        alpha.paste(laid[0], laid[1])
    visible = alpha.copy()
    for thing, depth in _by_depth(plan):
        if depth < _monument_depth(plan):
            laid = warped(thing.flat.pyramid, _thing_homography(plan, thing, size), size)
            if laid is not None:
                _hide(visible, laid[0].getchannel("A"), laid[1])
    return np.asarray(alpha) / 255, np.asarray(visible) / 255


def photographed(plan: Plan, seed: int, size: int) -> Photograph:
    """Return the photograph of a plan."""
    painter = _Painter(plan, size)
    painter.sky()
    painter.ground()
    homography, visible = np.full((3, 3), np.nan), None
    if plan.label >= 0:
        homography = _homography(plan, size)
        painter.cast_shadow(_outline(seed, plan.label), plan)
    in_front = False
    for thing, depth in _by_depth(plan):
        if plan.label >= 0 and not in_front and depth < _monument_depth(plan):
            in_front, visible = True, painter.monument(seed, homography)
        painter.thing(thing, depth, visible)
    if plan.label >= 0 and not in_front:
        visible = painter.monument(seed, homography)
    mask = np.zeros((size, size), bool) if visible is None else np.asarray(visible) > 127
    return Photograph(painter.developed(), mask, homography)


# -- geometry of the parts ------------------------------------------------------------------------------------------------
def _homography(plan: Plan, size: int) -> np.ndarray:
    """Return the homography from canvas pixels to image pixels, scaled so that its last entry is 1."""
    matrix = plan.camera.homography(*plan.plane, size)
    return matrix / matrix[2, 2]


def _thing_homography(plan: Plan, thing: Thing, size: int) -> np.ndarray:
    flat = thing.flat
    columns, rows = flat.pyramid.size
    across, down = flat.width / columns, flat.height / rows
    origin = np.array([*thing.origin, flat.height - flat.foot])
    return plan.camera.homography(origin, np.array([*thing.along, 0.0]) * across, np.array([0.0, 0.0, -down]), size)


def _by_depth(plan: Plan) -> list[tuple[Thing, float]]:
    """Return the things with their depths, far to near."""
    forward = np.array([np.sin(plan.camera.heading), np.cos(plan.camera.heading)])
    here = np.array(plan.camera.position[:2])
    depths = [(thing, float((np.array(thing.middle) - here) @ forward)) for thing in plan.things]
    return sorted(depths, key=lambda pair: -pair[1])


def _monument_depth(plan: Plan) -> float:
    forward = np.array([np.sin(plan.camera.heading), np.cos(plan.camera.heading)])
    return float(-np.array(plan.camera.position[:2]) @ forward)


@lru_cache(maxsize=512)
def _outline(seed: int, label: int) -> Pyramid:
    return Pyramid(Image.fromarray(np.ascontiguousarray(canvas_of(seed, label)[..., 3])))


@lru_cache(maxsize=512)
def _canvas(seed: int, label: int) -> Pyramid:
    return Pyramid(Image.fromarray(canvas_of(seed, label)))


def _hide(visible: Image.Image, alpha: Image.Image, corner: tuple[int, int]) -> None:
    visible.paste(0, (*corner, corner[0] + alpha.width, corner[1] + alpha.height), alpha)


# -- painting -------------------------------------------------------------------------------------------------------------
class _Painter:
    """The picture in the making: an RGB image of 8 bits, painted from the far to the near."""

    def __init__(self, plan: Plan, size: int) -> None:
        self.plan, self.size, self.light = plan, size, LIGHT[plan.condition]
        elevation = np.radians(self.light.elevation)
        flat = np.cos(elevation)
        self.sun = np.array([flat * np.sin(plan.sun), -flat * np.cos(plan.sun), np.sin(elevation)])
        self.ambient, self.direct = np.array(self.light.ambient), np.array(self.light.sun)
        self.image = Image.new("RGB", (size, size))
        self.haze = np.array(self.light.horizon, np.float64)

    def sky(self) -> None:
        camera, size = self.plan.camera, self.size
        panorama = town.sky(self.plan.condition, self.plan.sky)
        half = np.degrees(np.arctan(0.5 / camera.focal))
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
        toward = np.array([np.sin(camera.heading), np.cos(camera.heading)]) * (0.5 * side - 4)
        origin = np.array([camera.position[0] + toward[0] - side / 2, camera.position[1] + toward[1] + side / 2, 0.0])
        homography = camera.homography(origin, np.array([step, 0, 0]), np.array([0, -step, 0]), size)
        # the horizon is where directions along the ground vanish: row(x) = a + b x
        normal = np.linalg.inv(matrix)[2]  # z of the ray through (x, y, 1)
        rows_at = [-(normal[0] * x + normal[2]) / normal[1] for x in (0, size)]
        top = int(np.clip(np.floor(min(rows_at)) + 1, 0, size))
        if top >= size:
            return
        below = Image.new("L", (size, size))
        ImageDraw.Draw(below).polygon([(0, rows_at[0] + 1), (size, rows_at[1] + 1), (size, size + 1), (0, size + 1)], fill=255)
        light = self._on_ground()
        edges = np.unique([top, *(int(top + (size - top) * share) for share in (0.12, 0.4)), size])
        for first, last in pairwise(edges):
            laid = warped(texture, homography, size, (int(first), int(last)))
            if laid is None:
                continue
            ray = normal @ np.array([size / 2, (first + last) / 2, 1.0])
            depth = camera.position[2] / max(-ray, 1e-3)
            band = self._lit(laid[0], light, min(depth, 120.0))
            self.image.paste(band, laid[1], below.crop((0, int(first), size, int(last))))
        self._house_shadows()

    def _on_ground(self) -> np.ndarray:
        return self.ambient + self.direct * self.sun[2]

    def _shade_of_ground(self) -> float:
        """Return how much darker the ground is in the shadow."""
        return float((self.ambient / self._on_ground()).mean()) if self.direct.max() > 0 else 1.0

    def _house_shadows(self) -> None:
        if self.direct.max() <= 0:
            return
        veil = Image.new("L", (self.size, self.size))
        draw = ImageDraw.Draw(veil)
        fall = -self.sun[:2] / self.sun[2]
        for thing in self.plan.things:
            if thing.kind != "house":
                continue
            foot = np.array(thing.origin)
            end = foot + thing.flat.width * np.array(thing.along)
            reach = fall * thing.flat.height * 0.85
            corners = np.array([[*p, 0.0] for p in (foot, end, end + reach, foot + reach)])
            spots, depths = self.plan.camera.project(corners, self.size)
            if depths.min() > 0.5:
                draw.polygon([tuple(p) for p in spots.tolist()], fill=255)
        self._darken(veil, self._shade_of_ground())

    def _darken(self, veil: Image.Image, factor: float) -> None:
        box = veil.getbbox()
        if box is None or factor >= 1:
            return
        part = self.image.crop(box)
        soft = veil.crop(box).filter(ImageFilter.BoxBlur(max(0.5, self.size / 150)))
        f = float(factor)
        self.image.paste(part.convert("RGB", (f, 0, 0, 0, 0, f, 0, 0, 0, 0, f, 0)), box[:2], soft)

    def cast_shadow(self, outline: Pyramid, plan: Plan) -> None:
        """The monument's shadow on the ground: the outline, laid along the rays of the sun; and a dark line at its foot."""
        size, camera = self.size, plan.camera
        origin, along, down = plan.plane
        veil = Image.new("L", (size, size))
        if self.direct.max() > 0:
            fall = self.sun / self.sun[2]
            laid_origin, laid_down = origin - origin[2] * fall, down - down[2] * fall
            laid = warped(outline, camera.homography(laid_origin, along, laid_down, size), size)
            if laid is not None:
                veil.paste(laid[0], laid[1])
        self._darken(veil, self._shade_of_ground())
        foot = Image.new("L", (size, size))
        half = 0.46 * plan.metres
        corners = [(-half, -0.05 * plan.metres), (half, -0.05 * plan.metres), (half, 0.5), (-half, 0.5)]
        spots, depths = camera.project(np.array([[x, y, 0.0] for x, y in corners]), size)
        if depths.min() > 0.5:
            ImageDraw.Draw(foot).polygon([tuple(p) for p in spots.tolist()], fill=255)
            self._darken(foot, 0.72)

    def thing(self, thing: Thing, depth: float, visible: Image.Image | None) -> None:
        """Paint a house, tree, car, person or lamp; what it hides of the landmark is taken from ``visible``."""
        laid = warped(thing.flat.pyramid, _thing_homography(self.plan, thing, self.size), self.size)
        if laid is None:
            return
        picture, corner = laid
        if thing.kind == "house":
            light = self.ambient + self.direct * max(0.0, float(np.dot(thing.normal, self.sun[:2])))
        else:
            light = self.ambient + 0.55 * self.direct
        alpha = picture.getchannel("A")
        self.image.paste(self._lit(picture, light, depth), corner, alpha)
        if visible is not None:
            _hide(visible, alpha, corner)

    def monument(self, seed: int, homography: np.ndarray) -> Image.Image:
        """Paint the landmark; return its alpha in the photograph, an image of 8 bits."""
        plan, size = self.plan, self.size
        visible = Image.new("L", (size, size))
        laid = warped(_canvas(seed, plan.label), homography, size)
        if laid is None:
            return visible
        picture, corner = laid
        alpha = picture.getchannel("A")
        facing = max(0.0, float(-self.sun[1]))
        depth = _monument_depth(plan)
        lit = self._lit(picture, self.ambient + self.direct * facing, depth)
        if plan.shadow is not None and facing > 0 and self.direct.max() > 0:
            dark = self._lit(picture, self.ambient, depth)
            xs = np.linspace(-0.1, 1.1, len(plan.shadow)) * CANVAS
            edge = np.array(
                [*zip(xs, np.array(plan.shadow) * CANVAS), (1.1 * CANVAS, 1.1 * CANVAS), (-0.1 * CANVAS, 1.1 * CANVAS)]
            )
            veil = Image.new("L", picture.size)
            ImageDraw.Draw(veil).polygon([tuple(p) for p in (mapped(homography, edge) - corner).tolist()], fill=255)
            lit = Image.composite(dark, lit, veil.filter(ImageFilter.BoxBlur(max(0.5, size / 150))))
        self.image.paste(lit, corner, alpha)
        visible.paste(alpha, corner)
        return visible

    def _lit(self, picture: Image.Image, light: np.ndarray, depth: float) -> Image.Image:
        """Return a picture in RGB in a light, veiled by the haze of ``depth`` metres of air."""
        clear = float(np.exp(-max(depth, 0.0) / (CLEARER * self.light.fog)))
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
