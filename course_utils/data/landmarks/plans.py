"""One photograph before it is taken: where the camera stands, what the light is, which houses, trees and people there are.

A plan holds no pixels. Whoever wants the same photograph larger, without the people, or from a step to the left, changes
the plan (``dataclasses.replace``) and takes it again. All randomness of a scene is drawn here, in one place.

The monument stands on a square and faces the camera, more or less: ``yaw`` is the angle between its normal and the line
of sight. Houses stand in a row behind it and along both sides. The camera's distance follows from how large the monument is
meant to appear, its pitch from the row where the monument's foot is meant to be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course_utils.data import steady
from course_utils.data.landmarks.identity import KINDS, WORLD, kind_of
from course_utils.data.landmarks.masonry import CANVAS
from course_utils.data.landmarks.monuments import METRES
from course_utils.data.landmarks.planes import Camera
from course_utils.data.landmarks.town import GROUNDS, N_HOUSES, N_SKIES, Flat, house, sprite
from course_utils.data.street_world.sprites import POOL
from course_utils.data.street_world.textures import stream

CONDITION_SHARES = {"sun": 0.30, "low sun": 0.20, "overcast": 0.22, "dusk": 0.10, "rain": 0.08, "fog": 0.10}
"""How often each condition of the street world occurs; nobody photographs landmarks at night here."""
APPARENT = (0.5, 1.4)
"""Side of the canvas over side of the image, log-uniform between these two."""
YAW, ROLL = 0.40, 0.045
"""Standard deviations in radians."""
OFF_CENTRE = 0.14
"""Standard deviation of the monument's column, as a share of the image's side."""
FRONT = {"tree": 1.1, "car": 1.1, "person": 2.4, "lamp": 0.35}
"""Mean number of things between the camera and the monument."""
BEHIND = {"tree": 1.2, "car": 0.5, "person": 1.0, "lamp": 0.3}
"""Mean number of things beside and behind it."""
NEAREST = {"tree": 9.0, "car": 6.5, "person": 3.6, "lamp": 8.0}
"""Metres from the camera."""
SHADOW_SHARE = 0.35
"""How often a shadow of the houses opposite lies on the monument when the sun shines."""


@dataclass(frozen=True)
class Thing:
    """A flat picture that stands in the scene: foot of its left edge, direction along it (both in metres)."""

    kind: str
    number: int
    view: str
    season: str
    origin: tuple[float, float]
    along: tuple[float, float]

    @property
    def flat(self) -> Flat:
        """The picture."""
        return house(self.number) if self.kind == "house" else sprite(self.kind, self.number, self.view, self.season)

    @property
    def normal(self) -> tuple[float, float]:
        """Where it faces: to the right of ``along`` turned clockwise, towards whoever reads it from left to right."""
        return (self.along[1], -self.along[0])

    @property
    def middle(self) -> tuple[float, float]:
        """Foot of its middle."""
        half = self.flat.width / 2
        return (self.origin[0] + half * self.along[0], self.origin[1] + half * self.along[1])


@dataclass(frozen=True)
class Plan:
    """One photograph before it is taken.

    Attributes
    ----------
    label : int
        -1 for a street without a landmark.
    metres : float
        Side of the monument's canvas.
    camera : Camera
    condition, season : str
    sun : float
        Azimuth of the sun in radians, 0 in front of the monument, counter-clockwise as seen from above.
    sky, ground : int
        Which sky and which ground of the town.
    things : tuple of Thing
    shadow : tuple of float or None
        Heights of five points of the edge of a shadow on the monument, as shares of the canvas from the top.
    exposure : (float, float, float)
    blur : float
        0 for a sharp photograph; otherwise the radius, as a share of the image's side.
    noise : int
        Seed of the sensor's noise.
    """

    label: int
    metres: float
    camera: Camera
    condition: str
    season: str
    sun: float
    sky: int
    ground: int
    things: tuple[Thing, ...]
    shadow: tuple[float, ...] | None
    exposure: tuple[float, float, float]
    blur: float
    noise: int

    @property
    def plane(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Origin, along and down of the monument's canvas: metres, and metres per canvas pixel."""
        step = self.metres / CANVAS
        return np.array([-self.metres / 2, 0, self.metres]), np.array([step, 0, 0]), np.array([0, 0, -step])


def planned(seed: int, split: int, label: int, number: int, attempt: int = 0) -> Plan:
    """Return a plan; a pure function of its arguments.

    Parameters
    ----------
    seed : int
    split : int
        Number of the split: another split is another set of photographs of the same monument.
    label : int
        Class, or -1 for a street without a landmark.
    number : int
        Number of the view within the class.
    attempt : int
        Another photograph in place of one on which the monument could not be seen.
    """
    r = stream(WORLD, seed, 4, split, label + 1, number, attempt)
    metres = METRES[kind_of(label) if label >= 0 else KINDS[int(r.integers(len(KINDS)))]]
    camera, distance = _camera(r, metres)
    condition = str(r.choice(list(CONDITION_SHARES), p=list(CONDITION_SHARES.values())))
    season = ("spring", "summer", "summer", "autumn", "winter")[int(r.integers(5))]
    depth = metres * r.uniform(0.25, 0.6) + 3  # from the monument to the houses behind it
    left, right = (_street_side(r, camera, metres, sign) for sign in (-1, 1))
    things = _rows(r, camera, depth, left, right)
    for kind in FRONT:
        for _ in range(int(r.poisson(FRONT[kind]))):
            things.append(_in_front(r, kind, season, camera, distance))
        for _ in range(int(r.poisson(BEHIND[kind]))):
            things.append(_behind(r, kind, season, camera, distance, depth))
    things = [t for t in things if t.kind == "house" or -left + 1 < t.middle[0] < right - 1]
    edge = tuple((steady.rounded(np.clip(r.uniform(0.2, 0.9) + 0.22 * r.normal(size=5), 0.05, 1.0))).tolist())
    return Plan(
        label=label,
        metres=metres,
        camera=camera,
        condition=condition,
        season=season,
        sun=float(steady.rounded(r.normal(0, 1.2))),
        sky=int(r.integers(N_SKIES)),
        ground=int(r.integers(len(GROUNDS))),
        things=tuple(things),
        shadow=edge if r.random() < SHADOW_SHARE else None,
        exposure=tuple(steady.exp(np.clip(r.normal(0.02, 0.14), -0.35, 0.25) + r.normal(0, 0.05, 3)).tolist()),
        blur=float(r.uniform(0.003, 0.008)) if r.random() < 0.22 else 0.0,
        noise=int(r.integers(1 << 31)),
    )


def _camera(r: np.random.Generator, metres: float) -> tuple[Camera, float]:
    """Return the camera and its distance from the monument's foot."""
    focal = r.uniform(0.95, 1.35)
    apparent = _log_uniform(r, *APPARENT)
    distance = focal * metres / apparent
    yaw = float(np.clip(r.normal(0, YAW), -0.95, 0.95))
    height = min(_log_uniform(r, 1.5, 4.5), 0.3 * distance)
    foot = r.uniform(0.74, 0.92) if apparent < 0.85 else r.uniform(0.86, 0.94) + 0.28 * (apparent - 0.85)
    pitch = steady.arctan2(foot - 0.5, focal) - steady.arctan2(height, distance)
    column = float(np.clip(r.normal(0, OFF_CENTRE), -0.36, 0.36))
    heading = -yaw - steady.arctan2(column, focal)
    place = (distance * steady.sin(yaw), -distance * steady.cos(yaw), height)
    place, angles = (steady.rounded(v).tolist() for v in (place, (heading, pitch, r.normal(0, ROLL))))
    return Camera(tuple(place), *angles, focal), distance


def _log_uniform(r: np.random.Generator, low: float, high: float) -> float:
    return float(low * steady.power(high / low, r.random()))


# -- houses ---------------------------------------------------------------------------------------------------------------
def _street_side(r: np.random.Generator, camera: Camera, metres: float, sign: int) -> float:
    """Return how far the houses on one side are from the middle of the square."""
    return max(0.5 * metres + 2, sign * camera.position[0] + 4) + r.uniform(0, 0.5 * metres)


def _rows(r: np.random.Generator, camera: Camera, depth: float, left: float, right: float) -> list[Thing]:
    """Return the houses: a row behind the square, and one along each side, but for one side in four."""
    reach = steady.arctan2(0.5, camera.focal) + 0.08
    away = depth - camera.position[1]
    edges = [camera.position[0] + away * steady.tan(np.clip(camera.heading + s * reach, -1.25, 1.25)) for s in (-1, 1)]
    edges = steady.rounded(edges).tolist()
    houses = _row(r, (edges[0] - r.uniform(0, 9), depth), (1.0, 0.0), edges[1] - edges[0] + 9)
    nearest = camera.position[1] + 5
    if r.random() < 0.75:
        houses += _row(r, (-left, depth), (0.0, -1.0), depth - nearest)
    if r.random() < 0.75:
        houses += _row(r, (right, depth), (0.0, -1.0), depth - nearest)
    return [_facing(t, camera) for t in houses]


def _row(r: np.random.Generator, start: tuple[float, float], along: tuple[float, float], length: float) -> list[Thing]:
    """Return houses from ``start`` on, until ``length`` is filled; a gap now and then."""
    houses, done = [], 0.0
    while done < length:
        thing = Thing("house", int(r.integers(N_HOUSES)), "", "", (start[0] + done * along[0], start[1] + done * along[1]), along)
        done += thing.flat.width + (r.uniform(1.5, 5) if r.random() < 0.18 else 0.0)
        houses.append(thing)
    return houses


def _facing(thing: Thing, camera: Camera) -> Thing:
    """Turn a house around its middle if its back is to the camera."""
    x, y = thing.middle
    nx, ny = thing.normal
    if (camera.position[0] - x) * nx + (camera.position[1] - y) * ny >= 0:
        return thing
    end = (thing.origin[0] + thing.flat.width * thing.along[0], thing.origin[1] + thing.flat.width * thing.along[1])
    return Thing(thing.kind, thing.number, thing.view, thing.season, end, (-thing.along[0], -thing.along[1]))


# -- trees, cars, people, lamps -------------------------------------------------------------------------------------------
def _in_front(r: np.random.Generator, kind: str, season: str, camera: Camera, distance: float) -> Thing:
    """Between the camera and the monument: the nearer, the larger in the picture."""
    far = max(0.94 * distance, NEAREST[kind] + 0.5)
    return _thing(r, kind, season, camera, _log_uniform(r, NEAREST[kind], far))


def _behind(r: np.random.Generator, kind: str, season: str, camera: Camera, distance: float, depth: float) -> Thing:
    return _thing(r, kind, season, camera, distance + r.uniform(0.2, 0.9) * depth)


def _thing(r: np.random.Generator, kind: str, season: str, camera: Camera, away: float) -> Thing:
    """Return a thing at a depth, anywhere across the picture, that faces the camera."""
    aside = away * r.uniform(-0.55, 0.55) / camera.focal
    sine, cosine = camera.ahead
    number = int(r.integers(POOL[kind]))
    view = {"car": ("side", "side", "front", "rear"), "person": ("side", "front", "rear", "side")}.get(kind, ("side",) * 4)
    worn = "" if kind in ("car", "lamp") else "winter" if season == "winter" else season if kind == "tree" else ""
    half = sprite(kind, number, (chosen := view[int(r.integers(4))]), worn).width / 2
    x = camera.position[0] + away * sine + (aside - half) * cosine
    y = camera.position[1] + away * cosine - (aside - half) * sine
    return Thing(kind, number, chosen, worn, tuple(steady.rounded((x, y)).tolist()), (cosine, -sine))
