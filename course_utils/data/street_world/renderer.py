"""The camera of the street world: from a pose in a district to a picture.

A view is made in three steps: the walls, the sky and the ground (``scene``), what stands in front of them
(``billboards``), and what the camera does to the picture (``photography``). Every view is computed alone, always with
arrays of the same shapes, so that its bytes depend neither on the batch nor on the number of threads.

Taught in ``00_start_here`` (a walk through the town); used by every chapter on place recognition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from course_utils.checks import checked_choice, checked_float, checked_int, message
from course_utils.data import steady
from course_utils.data.street_world.billboards import draw_billboards
from course_utils.data.street_world.districts import District
from course_utils.data.street_world.photography import photograph_of
from course_utils.data.street_world.scene import Scene
from course_utils.data.street_world.textures import stream
from course_utils.data.street_world.traversals import Traversal, make_traversal
from course_utils.data.street_world.weather import CONDITIONS, SEASONS
from course_utils.profile import progress

if TYPE_CHECKING:
    import torch

FIELD_OF_VIEW = 72.0
"""Horizontal, in degrees: between a phone (65) and a dashboard camera (90)."""
QUIET_VIEWS = 200  # fewer views are rendered without a progress bar: they take less than a second


@dataclass(frozen=True)
class Camera:
    """Pose of a camera.

    Attributes
    ----------
    x, y : float
        Metres.
    heading : float
        Radians, counter-clockwise from east: 0 looks along +x, pi / 2 along +y.
    z : float
        Height above the ground in metres.
    pitch : float
        How far the horizon lies below the middle of the picture, as a share of its height: positive looks up.
    roll : float
        Radians; positive lowers the right end of the horizon.
    """

    x: float
    y: float
    heading: float
    z: float = 2.0
    pitch: float = 0.06
    roll: float = 0.0


class StreetRenderer:
    """Takes pictures in a district.

    Parameters
    ----------
    district : District
        From ``district(seed, split)``.
    size : (int, int), default (96, 128)
        Height and width in pixels.

    Examples
    --------
    >>> from course_utils.data.street_world.districts import district
    >>> renderer = StreetRenderer(district(11, "test"), size=(48, 64))
    >>> renderer.render(Camera(x=60.0, y=0.0, heading=0.0), condition="dusk", season="autumn").shape
    torch.Size([3, 48, 64])
    """

    def __init__(self, district: District, size: tuple[int, int] = (96, 128)) -> None:
        if not isinstance(district, District):
            raise TypeError(
                message("district", "a District", type(district).__name__, "Make one with data.district(seed, split).")
            )
        height, width = size
        self.district = district
        self.size = (checked_int(height, "size[0]", low=8), checked_int(width, "size[1]", low=8))
        self.focal = float(self.size[1] / 2 / steady.tan(np.radians(FIELD_OF_VIEW / 2)))
        across = (np.arange(self.size[1]) - (self.size[1] - 1) / 2).astype(np.float32)
        self._across = across
        self._tangent = (across / self.focal).astype(np.float32)
        self._angle = steady.arctan2(self._tangent, 1.0)
        self._rows = np.arange(self.size[0], dtype=np.float32)[:, None]
        self._column_of = np.tile(np.arange(self.size[1], dtype=np.int32), self.size[0])
        self._row_of = np.repeat(np.arange(self.size[0], dtype=np.float32), self.size[1])

    def render(
        self, camera: Camera, condition: str = "sun", season: str = "summer", traversal: int = 100, noise_seed: int = 0
    ) -> torch.Tensor:
        """Return one view, uint8 ``(3, H, W)``.

        Parameters
        ----------
        camera : Camera
            Any finite pose; from inside a house one sees the backs of the opposite ones.
        condition : str
            One of ``CONDITIONS``.
        season : str
            One of ``SEASONS``.
        traversal : int
            Which drive: decides where cars and people are. From 100 on three pictures in ten are blurred.
        noise_seed : int
            Which picture of the drive: decides sensor noise, exposure and blur, nothing else.

        Raises
        ------
        TypeError, ValueError
            If an argument is of the wrong kind or out of range; the message names it.
        """
        import torch

        return torch.from_numpy(self.render_array(camera, condition, season, traversal, noise_seed))

    def render_array(
        self, camera: Camera, condition: str = "sun", season: str = "summer", traversal: int = 100, noise_seed: int = 0
    ) -> np.ndarray:
        """Return the same view as ``render`` as an array, uint8 ``(3, H, W)``; needs no torch.

        Parameters and errors are those of ``render``.
        """
        drive = self._drive(condition, season, traversal)
        return self._view(_checked_camera(camera), drive, checked_int(noise_seed, "noise_seed", low=0))

    def render_many(
        self,
        cameras: Sequence[Camera],
        condition: str | Sequence[str] = "sun",
        season: str | Sequence[str] = "summer",
        traversal: int | Sequence[int] = 100,
        noise_seeds: Sequence[int] | None = None,
    ) -> torch.Tensor:
        """Return many views, uint8 ``(N, 3, H, W)``; view ``i`` equals ``render`` of camera ``i`` byte for byte.

        ``condition``, ``season`` and ``traversal`` hold for all views or name one value per view; ``noise_seeds``
        defaults to 0, 1, 2, ...
        """
        import torch

        cameras = [_checked_camera(camera) for camera in cameras]
        n = len(cameras)
        conditions, seasons = _per_view(condition, "condition", n), _per_view(season, "season", n)
        traversals = _per_view(traversal, "traversal", n)
        noise_seeds = list(range(n)) if noise_seeds is None else _per_view(noise_seeds, "noise_seeds", n)
        views = np.empty((n, 3, *self.size), np.uint8)
        for i in progress(range(n), desc="rendering", unit="view") if n > QUIET_VIEWS else range(n):
            drive = self._drive(conditions[i], seasons[i], traversals[i])
            views[i] = self._view(cameras[i], drive, checked_int(noise_seeds[i], "noise_seeds", low=0))
        return torch.from_numpy(views)

    def _drive(self, condition: str, season: str, traversal: int) -> Traversal:
        checked_choice(condition, "condition", CONDITIONS)
        checked_choice(season, "season", SEASONS)
        return make_traversal(self.district, checked_int(traversal, "traversal", low=0), condition, season)

    # -- one view -----------------------------------------------------------------------------------------------------
    def _view(self, camera: Camera, drive: Traversal, noise_seed: int) -> np.ndarray:
        """Return uint8 ``(3, H, W)``."""
        height, width = self.size
        horizon = height / 2 + camera.pitch * height + steady.tan(camera.roll) * self._across
        scene = Scene(self, camera, drive, horizon.astype(np.float32))
        scene.draw_walls()
        scene.draw_sky()
        scene.draw_ground()
        draw_billboards(scene)
        place = self.district
        random = stream(place.seed, 3, place.number, drive.number, noise_seed)
        return photograph_of(scene.image.reshape(3, height, width), drive, random)


def _checked_camera(camera: Camera) -> Camera:
    if not isinstance(camera, Camera):
        raise TypeError(message("camera", "a Camera", type(camera).__name__, "Make one with data.Camera(x, y, heading)."))
    for name in ("x", "y", "heading", "pitch"):
        checked_float(getattr(camera, name), f"camera.{name}")
    checked_float(camera.z, "camera.z", low=0.1, high=100.0)
    checked_float(camera.roll, "camera.roll", low=-1.0, high=1.0)
    return camera


def _per_view(value: object, name: str, n: int) -> list:
    if isinstance(value, (str, int, np.integer)):
        return [value] * n
    values = list(value)
    if len(values) != n:
        raise ValueError(message(name, f"one value or {n} values, one per camera", f"{len(values)} values"))
    return values
