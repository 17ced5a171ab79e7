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

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

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
        ch, sh, cp, sp = np.cos(self.heading), np.sin(self.heading), np.cos(self.pitch), np.sin(self.pitch)
        right = np.array([ch, -sh, 0.0])
        forward = np.array([sh * cp, ch * cp, sp])
        down = np.cross(forward, right)
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cr * right - sr * down, sr * right + cr * down, forward])

    def matrix(self, size: int) -> np.ndarray:
        """Return ``K R``, float64 ``(3, 3)``, for a square image of ``size`` pixels."""
        k = np.array([[self.focal * size, 0, size / 2], [0, self.focal * size, size / 2], [0, 0, 1.0]])
        return k @ self.rotation

    def homography(self, origin: np.ndarray, along: np.ndarray, down: np.ndarray, size: int) -> np.ndarray:
        """Return the homography of a plane, float64 ``(3, 3)``; its third row gives depths in metres."""
        columns = np.stack([along, down, np.asarray(origin, np.float64) - self.position], axis=1)
        return self.matrix(size) @ columns

    def project(self, points: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Return image points ``(N, 2)`` and depths ``(N,)`` of world points ``(N, 3)``."""
        seen = (np.atleast_2d(points) - self.position) @ self.matrix(size).T
        return seen[:, :2] / seen[:, 2:], seen[:, 2]


def mapped(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the points ``(N, 2)`` where a homography ``(3, 3)`` puts points ``(N, 2)``; x first, then y."""
    points = np.asarray(points, np.float64).reshape(-1, 2)
    lifted = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ np.asarray(homography, np.float64).T
    return lifted[:, :2] / lifted[:, 2:]


class Pyramid:
    """A flat picture at several resolutions; a level is made when it is first needed."""

    def __init__(self, picture: Image.Image) -> None:
        self.size = picture.size
        self._levels = [picture]

    def level(self, scale: float) -> Image.Image:
        """Return the level whose pixels are about as large as the photograph's, at ``scale`` photograph pixels a pixel."""
        wanted = max(0, int(np.floor(np.log(max(scale, 1e-4)) / np.log(STEP) + 0.35)))
        while len(self._levels) <= wanted and min(self._levels[-1].size) * STEP >= _SMALLEST:
            factor = STEP ** len(self._levels)
            smaller = tuple(max(1, round(side * factor)) for side in self.size)
            self._levels.append(
                self._levels[0].resize(smaller, Image.Resampling.BOX if factor <= 0.5 else Image.Resampling.BILINEAR)
            )
        return self._levels[min(wanted, len(self._levels) - 1)]


def warped(
    picture: Pyramid, homography: np.ndarray, size: int, rows: tuple[int, int] | None = None
) -> tuple[Image.Image, tuple[int, int]] | None:
    """Return a flat picture as the photograph shows it, and the corner (left, top) where it belongs.

    The result covers the picture's upright box inside the frame only. None if nothing of it is in the frame, or if part of
    it is behind the camera. ``rows`` limits the box.
    """
    width, height = picture.size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    depth = corners @ homography[2, :2] + homography[2, 2]
    if depth.min() <= 0.2 and rows is None:
        return None
    if rows is None:
        spots = mapped(homography, corners)
        (left, top), (right, bottom) = np.floor(spots.min(axis=0)), np.ceil(spots.max(axis=0))
        left, top, right, bottom = int(max(0, left)), int(max(0, top)), int(min(size, right)), int(min(size, bottom))
    else:
        left, right, (top, bottom) = 0, size, rows
    if right <= left or bottom <= top:
        return None
    backward = np.linalg.inv(homography)
    middle = np.array([(left + right) / 2, (top + bottom) / 2, 1.0])
    here = picture.level(_scale(backward, middle))
    shrink = np.diag([here.width / width, here.height / height, 1.0])
    shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    data = shrink @ backward @ shift
    data = (data / data[2, 2]).ravel()[:8].tolist()
    out = here.transform((right - left, bottom - top), Image.Transform.PERSPECTIVE, data, Image.Resampling.BILINEAR)
    return out, (left, top)


def _scale(backward: np.ndarray, at: np.ndarray) -> float:
    """Return photograph pixels per picture pixel near a point of the photograph (square root of the area's factor)."""
    w = backward[2] @ at
    area = abs(np.linalg.det(backward) / w**3) if abs(w) > 1e-12 else 1.0
    return 1 / np.sqrt(max(area, 1e-12))
