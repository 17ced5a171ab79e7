"""The camera, and the homography of a flat picture that stands somewhere in the world.

Everything in these streets is flat: a house is the picture of its front, a person a picture that faces the camera, the
ground a picture that lies. The pixel ``(x, y)`` of such a picture is the point ``origin + x * along + y * down`` of the
world, and a pinhole camera shows it at::

    lambda (u, v, 1) = K R (origin + x * along + y * down - C) = H (x, y, 1),     H = K R [along  down  origin - C]

That matrix ``H (3, 3)`` is the homography from the picture to the photograph. It maps straight lines to straight lines
and knows nothing of pixels: coordinates are continuous, the centre of pixel (row i, column j) is ``(j + 0.5, i + 0.5)``.

World: ``u`` to the right along the monument, ``v`` away from the square in front of it, ``z`` up, in metres; the foot of
the monument's middle is the origin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from course_utils.data import steady

STEP = 2**-0.5
"""Two neighbouring levels of a pyramid differ by this factor: bilinear reading then neither blurs nor aliases much."""
_SMALLEST = 6


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes
    ----------
    position : (float, float, float)
        Metres: u, v, z.
    heading : float
        Radians from the v axis, clockwise as seen from above.
    pitch, roll : float
        Radians, upwards and clockwise.
    focal : float
        Focal length as a multiple of the side of the image.
    """

    position: tuple[float, float, float]
    heading: float
    pitch: float
    roll: float
    focal: float

    @cached_property
    def rotation(self) -> np.ndarray:
        """Rows: directions to the right, down and forward in world coordinates, float64 ``(3, 3)``."""
        (ch, cp, cr), (sh, sp, sr) = (f([self.heading, self.pitch, self.roll]) for f in (steady.cos, steady.sin))
        right = np.array([ch, -sh, 0.0])
        forward = np.array([sh * cp, ch * cp, sp])
        down = np.cross(forward, right)
        return np.stack([cr * right - sr * down, sr * right + cr * down, forward])

    @cached_property
    def ahead(self) -> tuple[float, float]:
        """The direction of the heading on the ground: u and v, a unit vector."""
        return float(steady.sin(self.heading)), float(steady.cos(self.heading))

    def matrix(self, size: int) -> np.ndarray:
        """Return ``K R``, float64 ``(3, 3)``, for a square image of ``size`` pixels."""
        right, down, forward = self.rotation
        return np.stack([size * (self.focal * right + forward / 2), size * (self.focal * down + forward / 2), forward])

    def homographies(self, origins: np.ndarray, alongs: np.ndarray, downs: np.ndarray, size: int) -> np.ndarray:
        """Return the homographies of planes, float64 ``(n, 3, 3)``; their third rows give depths in metres.

        ``origins``, ``alongs`` and ``downs`` are ``(n, 3)``: a point of the world, and the steps of one picture pixel.
        """
        away = np.asarray(origins, np.float64) - self.position
        return steady.rounded(self.matrix(size) @ np.stack([alongs, downs, away], axis=-1))

    def homography(self, origin: np.ndarray, along: np.ndarray, down: np.ndarray, size: int) -> np.ndarray:
        """Return the homography of one plane, float64 ``(3, 3)``."""
        return self.homographies(np.asarray(origin)[None], np.asarray(along)[None], np.asarray(down)[None], size)[0]

    def project(self, points: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return image points ``(N, 2)`` and depths ``(N,)`` of world points ``(N, 3)``."""
        seen = (np.atleast_2d(points) - self.position) @ self.matrix(size).T
        return steady.rounded(seen[:, :2] / seen[:, 2:]), seen[:, 2]


def mapped(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the points ``(N, 2)`` where a homography ``(3, 3)`` puts points ``(N, 2)``; x first, then y."""
    points = np.asarray(points, np.float64).reshape(-1, 2)
    lifted = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ np.asarray(homography, np.float64).T
    return steady.rounded(lifted[:, :2] / lifted[:, 2:])


class Pyramid:
    """A flat picture at several resolutions; a level is made when it is first needed.

    Pictures with transparency are kept multiplied by their alpha (mode ``RGBa``), so that what is invisible never bleeds
    into an edge when pixels are averaged.
    """

    def __init__(self, picture: Image.Image) -> None:
        self.size = picture.size
        self._levels = [picture.convert("RGBa") if picture.mode == "RGBA" else picture]

    @cached_property
    def outline(self) -> Pyramid:
        """The alpha channel alone, as a pyramid."""
        return Pyramid(self._levels[0].getchannel("a"))

    @cached_property
    def mean(self) -> tuple[int, ...]:
        """Mean colour of the picture."""
        return tuple(self._levels[0].resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))

    def level(self, scale: float) -> Image.Image:
        """Return the level whose pixels are about as large as the photograph's, at ``scale`` photograph pixels a pixel."""
        wanted = max(0, math.floor(round(math.log(max(scale, 1e-4), STEP) + 0.35, steady.DECIMALS)))
        while len(self._levels) <= wanted and min(self._levels[-1].size) * STEP >= _SMALLEST:
            factor = STEP ** len(self._levels)
            smaller = tuple(max(1, round(side * factor)) for side in self.size)
            self._levels.append(
                self._levels[0].resize(smaller, Image.Resampling.BOX if factor <= 0.5 else Image.Resampling.BILINEAR)
            )
        return self._levels[min(wanted, len(self._levels) - 1)]


def boxes_in_frame(homographies: np.ndarray, pictures: np.ndarray, size: int) -> np.ndarray:
    """Return the upright boxes of flat pictures inside a square frame, int64 ``(n, 4)``: left, top, right, bottom.

    ``pictures (n, 2)`` are their widths and heights. A box is empty (right = left) if nothing of the picture is in the
    frame, or if a part of it is behind the camera.
    """
    width, height = np.asarray(pictures, np.float64).T
    nothing = np.zeros_like(width)
    corners = np.stack([np.stack([nothing, width, width, nothing]), np.stack([nothing, nothing, height, height])], axis=-1)
    seen = homographies[:, None, :, :2] @ corners.transpose(1, 0, 2)[..., None] + homographies[:, None, :, 2:]
    depth = seen[..., 2, 0]
    behind = depth.min(axis=1) <= 0.2
    spots = seen[..., :2, 0] / np.where(depth <= 0.2, 1.0, depth)[..., None]
    low = np.clip(np.floor(spots.min(axis=1)), 0, size)
    high = np.clip(np.ceil(spots.max(axis=1)), 0, size)
    boxes = np.concatenate([low, high], axis=1).astype(np.int64)
    boxes[behind | (high <= low).any(axis=1)] = 0
    return boxes


def warped(picture: Pyramid, homography: np.ndarray, box: tuple[int, int, int, int]) -> Image.Image:
    """Return the part ``box`` (left, top, right, bottom) of the photograph of a flat picture, in its own mode."""
    left, top, right, bottom = box
    width, height = picture.size
    (a, b, c, d, e, f, g, h, i), determinant = _adjugate(homography)
    w = abs(g * (left + right) / 2 + h * (top + bottom) / 2 + i)
    # an area there becomes determinant ** 2 / w ** 3 times as large on its way back to the picture
    here = picture.level(w * math.sqrt(w) / max(abs(determinant), 1e-18))
    across, down = here.width / width, here.height / height
    # the homography of the level, and the box's corner as the new origin
    c, f, i = a * left + b * top + c, d * left + e * top + f, g * left + h * top + i
    data = (across * a / i, across * b / i, across * c / i, down * d / i, down * e / i, down * f / i, g / i, h / i)
    out = here.transform((right - left, bottom - top), Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)
    return out.convert("RGBA") if out.mode == "RGBa" else out


def _adjugate(homography: np.ndarray) -> tuple[tuple[float, ...], float]:
    """Return the inverse of a homography times its determinant, row by row, and the determinant.

    A homography may have any factor, so that the adjugate serves as the inverse; nothing is divided.
    """
    (a, b, c), (d, e, f), (g, h, i) = homography.tolist()
    one, two, three = e * i - f * h, f * g - d * i, d * h - e * g  # cofactors of the first row
    rows = (one, c * h - b * i, b * f - c * e, two, a * i - c * g, c * d - a * f, three, b * g - a * h, a * e - b * d)
    return rows, a * one + b * two + c * three
