"""One drive through a district on one day: where the sun stands, what the shops show, and everything that moves.

Between two traversals walls, signs and trees stay; cars, people, displays, lit windows and the sky change. A
descriptor that recognises places must not look at what moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from course_utils.data import steady
from course_utils.data.street_world.districts import PAVEMENT, District, Street
from course_utils.data.street_world.sprites import POOL
from course_utils.data.street_world.textures import stream
from course_utils.data.street_world.weather import CONDITIONS, LIGHT, Condition, paint_sky, shadow_heights, snow_cover

KINDS = ("tree", "lamp", "car", "person")
TREE, LAMP, CAR, PERSON = range(4)
FIRST_QUERY = 100
"""Traversals from this number on are drives with a hand-held camera: three pictures in ten are blurred."""

PARKED, DRIVING, WALKING = 0.6, 0.5, 0.65
"""Probability that a parking bay, a stretch of road and a stretch of pavement are taken."""


@dataclass(frozen=True, eq=False)
class Traversal:
    """One drive. ``x, y, kind, individual, heading, facing`` describe the things that stand or move in the district.

    Attributes
    ----------
    light : Condition
    sky : array ``(3, 64, 512)``
    shadow : array or None
        From ``weather.shadow_heights``; None without sun.
    sun : array ``(2,)``
        Horizontal direction towards the sun.
    exposure : array ``(3,)``
        Gain of the camera per colour channel on this day.
    blur : float
        Share of blurred pictures.
    """

    number: int
    condition: str
    season: str
    light: Condition
    snow: float
    sky: np.ndarray
    shadow: np.ndarray | None
    sun: np.ndarray
    exposure: np.ndarray
    blur: float
    position: np.ndarray
    kind: np.ndarray
    individual: np.ndarray
    heading: np.ndarray
    facing: np.ndarray


@lru_cache(maxsize=32)
def make_traversal(place: District, number: int, condition: str, season: str) -> Traversal:
    """Return traversal ``number`` of a district under a condition and in a season; the last few are kept.

    The number decides where cars and people are; condition and season only change how it looks.
    """
    movers = stream(place.seed, 2, place.number, number)
    things = _standing(place)
    for street in place.streets:
        things += _on_street(movers, place, street)
    table = np.array(things, np.float64).reshape(-1, 6)
    day = stream(place.seed, 4, place.number, number, CONDITIONS.index(condition))
    light = LIGHT[condition]
    azimuth = day.uniform(0, 2 * np.pi)
    has_sun = max(light.sun) > 0
    return Traversal(
        number=number,
        condition=condition,
        season=season,
        light=light,
        snow=snow_cover(condition, season),
        sky=paint_sky(day, light, azimuth),
        shadow=shadow_heights(place, azimuth, light.elevation) if has_sun else None,
        sun=np.array([steady.cos(azimuth), steady.sin(azimuth)], np.float32),
        exposure=(steady.exp(day.normal(0, 0.08)) * steady.exp(day.normal(0, 0.03, 3))).astype(np.float32),
        blur=0.3 if number >= FIRST_QUERY else 0.04,
        position=table[:, :2].astype(np.float32),
        kind=table[:, 2].astype(np.int64),
        individual=table[:, 3].astype(np.int64),
        heading=table[:, 4].astype(np.float32),
        facing=table[:, 5].astype(np.int64),
    )


def _standing(place: District) -> list[tuple]:
    """Trees and lamps: the same in every traversal."""
    r = stream(place.seed, 5, place.number)
    trees = [(x, y, TREE, r.integers(POOL["tree"]), 0.0, 0) for x, y in place.trees]
    return trees + [(x, y, LAMP, 0, 0.0, 0) for x, y in place.lamps]


def _on_street(r: np.random.Generator, place: District, street: Street) -> list[tuple]:
    """Parked cars along both kerbs, cars on the road, people on both pavements."""
    things = []
    crossings = _crossings(place, street)
    kerb = street.width / 2 - PAVEMENT

    def free(along: float, space: float) -> bool:
        return all(abs(along - at) > half + space for at, half in crossings)

    for side in (-1, 1):
        for along in np.arange(7.0, street.length - 7.0, 5.6):
            taken, u, car = r.random() < PARKED, along + r.uniform(-0.5, 0.5), r.integers(1 << 20)
            if taken and free(u, 2.5):
                x, y = street.point(u, side * (kerb - 1.1))
                things.append((x, y, CAR, car % POOL["car"], street.heading, side))
        for along in np.arange(3.0, street.length - 3.0, 6.0):
            taken, u, aside, who = r.random() < WALKING, along + r.uniform(-3, 3), r.uniform(0.6, 2.6), r.integers(1 << 20)
            if taken:
                x, y = street.point(u, side * (street.width / 2 - aside))
                things.append((x, y, PERSON, who % POOL["person"], 0.0, who % 4))
    for along in np.arange(10.0, street.length - 10.0, 22.0):
        taken, u, side, car = r.random() < DRIVING, along + r.uniform(-8, 8), r.choice([-1, 1]), r.integers(1 << 20)
        if taken and free(u, 0.0):
            x, y = street.point(u, side * 0.12 * street.width)
            things.append((x, y, CAR, car % POOL["car"], street.heading, side))
    return things


def _crossings(place: District, street: Street) -> list[tuple[float, float]]:
    """Where other streets cross this one: distance along it, and half of the other's width."""
    found = []
    for other in place.streets:
        if abs(steady.sin(other.heading - street.heading)) > 0.5:
            along = abs(other.x0 - street.x0) if abs(steady.cos(street.heading)) > 0.5 else abs(other.y0 - street.y0)
            found.append((along, other.width / 2))
    return found
