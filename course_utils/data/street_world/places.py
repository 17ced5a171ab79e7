"""Place recognition in the street world: which database image shows the place of this query?

A **database** is what a survey car leaves behind: every 8 m along every street it stops and looks in four directions, on
an overcast summer day. **Queries** are what a visitor takes: anywhere along the streets, off the centre of the lane,
camera not level, in any of seven conditions and four seasons. All positions carry GPS noise; a heading is known, but no
method of the course uses it, because a phone's picture on the web does not carry it. Two images at the same position may
therefore look in opposite directions and share nothing: that is what "weak supervision" means in the NetVLAD paper.

Sources: the layout is that of Pittsburgh 250k (Torii, Sivic, Okutomi, Pajdla, TPAMI 2015; several directions per
position, queries from another time) with the conditions of Tokyo 24/7 (Torii, Arandjelovic, Sivic, Okutomi, Pajdla, CVPR
2015). Both count an answer as right within 25 m; radii here are scaled to the camera (see ``EVALUATION_RADIUS``).

Taught in ``01_vlad`` and ``02_netvlad``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from course_utils.checks import checked_choice, checked_int
from course_utils.data.cache import cached_arrays
from course_utils.data.street_world import districts
from course_utils.data.street_world.districts import LAYOUTS, PAVEMENT, District
from course_utils.data.street_world.renderer import Camera, StreetRenderer
from course_utils.data.street_world.textures import stream
from course_utils.data.street_world.traversals import FIRST_QUERY
from course_utils.data.street_world.weather import CONDITIONS, SEASONS
from course_utils.profile import by_profile, current_profile

SPLITS = tuple(f"{place}_{role}" for place in LAYOUTS for role in ("database", "queries"))
GENERATOR_VERSION = 5
"""Part of every cache key: raise it when the look of the world changes."""

EVALUATION_RADIUS = 12.0
"""A retrieved image is right if it was taken within this many metres of the query (the papers use 25).

Chosen by measuring what two cameras with the same heading see: the share of the wall surface in one picture that the
other shows as well (80 positions in two towns, walls up to 60 m away, tolerance 1 m):

=====================  ====  ====  ====  ====  ====  ====  ====
distance in metres        4     8    10    12    15    25    30
=====================  ====  ====  ====  ====  ====  ====  ====
looking along a street  .85   .69   .64   .60   .55   .44   .38
looking across it       .76   .41   .25   .10   .02   .00   .00
mean                    .80   .55   .45   .35   .29   .22   .19
=====================  ====  ====  ====  ====  ====  ====  ====

Street-view panoramas, which see everything around them, share much more at 25 m than a single picture of 72 degrees
does. At 12 m a third of the walls is still common; beyond it, pictures across the street have nothing to go by.
"""
POSITIVE_RADIUS = 10.0
"""Database images within this many metres of a query are its potential positives in training (the NetVLAD paper: 10):
those of the right heading share nearly half of their walls with it."""
NEGATIVE_RADIUS = 25.0
"""Database images farther away than this are definite negatives (the paper: 25). Across the street nothing is common any
more; along it the far end of the street still is, and that is the noise in these labels."""

DATABASE_STEP = 8.0
"""Metres between two stops of the survey car."""
GPS_NOISE = 1.5
"""Standard deviation of a position along each axis, in metres."""
LANE_OFFSET = 1.5
"""Standard deviation of a query's distance from the centre line, in metres."""
HEADING_NOISE = 14.0
"""Standard deviation of a query's heading around the nearest of the four directions, in degrees."""
N_HEADINGS = 4
CONDITION_SHARES = {"sun": 0.15, "low sun": 0.15, "overcast": 0.11, "dusk": 0.17, "night": 0.16, "rain": 0.13, "fog": 0.13}
"""How often each condition occurs among the queries."""
DATABASE_DRIVES = {"quick": (("overcast", "summer"),), "full": (("overcast", "summer"), ("sun", "spring"))}
"""Conditions of the survey car's drives."""
N_QUERIES = {"train": (640, 1600), "validation": (160, 400), "test": (320, 800)}
"""Number of queries in the quick and in the full profile."""


@dataclass(frozen=True, eq=False)
class StreetView:
    """One image of a ``StreetWorld``.

    Attributes
    ----------
    image : Tensor, uint8, ``(3, H, W)``
    position : Tensor, float32, ``(2,)``
        Metres, with GPS noise.
    heading : float
        Radians, counter-clockwise from east.
    condition, season : str
    traversal : int
        Which drive it was taken on.
    true_position : Tensor, float32, ``(2,)``
        Metres, without noise.
    """

    image: torch.Tensor
    position: torch.Tensor
    heading: float
    condition: str
    season: str
    traversal: int
    true_position: torch.Tensor


class StreetWorld(Dataset):
    """Database or query images of one district.

    Parameters
    ----------
    split : str
        ``"train_database"``, ``"train_queries"``, ``"validation_database"``, ``"validation_queries"``,
        ``"test_database"`` or ``"test_queries"``. Train, validation and test are different districts.
    seed : int, default 11
        Which town.
    size : (int, int), default (96, 128)
        Height and width of the images in pixels.

    Attributes
    ----------
    images : Tensor, uint8, ``(N, 3, H, W)``
    positions, true_positions : Tensor, float32, ``(N, 2)``
        Metres, with and without GPS noise.
    headings : Tensor, float32, ``(N,)``
        Radians, counter-clockwise from east.
    conditions, seasons : list of str
    traversals : Tensor, int64, ``(N,)``
    cameras : list of Camera
        The exact poses; ``StreetRenderer.render`` gives the same images again.
    description : str

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, or there is no such split.

    Notes
    -----
    Rendered once, then read from ``data.cache_folder()``.
    """

    def __init__(self, split: str, seed: int = 11, size: tuple[int, int] = (96, 128)) -> None:
        self.split = checked_choice(split, "split", SPLITS)
        self.seed = checked_int(seed, "seed", low=0)
        height, width = size
        self.size = (checked_int(height, "size[0]", low=8), checked_int(width, "size[1]", low=8))
        self._place, role = split.rsplit("_", 1)
        self._is_database = role == "database"
        key = f"version {GENERATOR_VERSION}, {split}, seed {seed}, size {self.size}, {by_profile(quick='quick', full='full')}"
        arrays = cached_arrays(f"street-world-{split}-{seed}", key, self._render)
        self.images = torch.from_numpy(arrays["images"])
        self.positions = torch.from_numpy(arrays["positions"])
        self.true_positions = torch.from_numpy(arrays["poses"][:, :2].astype(np.float32))
        self.headings = torch.from_numpy(arrays["poses"][:, 2].astype(np.float32))
        self.traversals = torch.from_numpy(arrays["traversals"])
        self.conditions = [CONDITIONS[i] for i in arrays["conditions"]]
        self.seasons = [SEASONS[i] for i in arrays["seasons"]]
        self.cameras = [Camera(*map(float, pose)) for pose in arrays["poses"]]

    @property
    def district(self) -> District:
        """The district that the images were taken in (built when first asked for, then kept)."""
        return districts.district(self.seed, self._place)

    @property
    def description(self) -> str:
        """Two sentences: what the images show and how the positions are known."""
        height, width = self.size
        what = "database images, one every 8 m in four directions" if self._is_database else "query images at random places"
        when = "on an overcast summer day" if len(set(self.conditions)) == 1 else f"in {len(set(self.conditions))} conditions"
        return (
            f"{len(self)} {what} {when}, {height} x {width} pixels, from the {self._place} district of town {self.seed}. "
            f"Positions are in metres with GPS noise of {GPS_NOISE} m along each axis."
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> StreetView:
        return StreetView(
            image=self.images[index],
            position=self.positions[index],
            heading=float(self.headings[index]),
            condition=self.conditions[index],
            season=self.seasons[index],
            traversal=int(self.traversals[index]),
            true_position=self.true_positions[index],
        )

    def __repr__(self) -> str:
        return f"StreetWorld({self.split!r}, seed={self.seed}: {len(self)} images of {self.size[0]} x {self.size[1]})"

    def fingerprint(self) -> str:
        """Return a short hash of what the data set holds, rounded so that platforms agree.

        It covers sizes, positions to the decimetre, conditions, and the mean colour of every tenth image to 8 grey levels.
        """
        digest = hashlib.sha256()
        digest.update(repr((self.split, self.seed, self.size, len(self))).encode())
        digest.update(np.rint(self.positions.numpy() * 10).astype(np.int64).tobytes())
        digest.update("".join(self.conditions + self.seasons).encode())
        colours = self.images[::10].double().mean(dim=(2, 3))
        digest.update((colours / 8).round().to(torch.int64).numpy().tobytes())
        return digest.hexdigest()[:16]

    # -- rendering ----------------------------------------------------------------------------------------------------
    def _render(self) -> dict[str, np.ndarray]:
        place = self.district
        plan = _database_plan(place) if self._is_database else _query_plan(place)
        renderer = StreetRenderer(place, self.size)
        conditions = [CONDITIONS[i] for i in plan["conditions"]]
        seasons = [SEASONS[i] for i in plan["seasons"]]
        cameras = [Camera(*map(float, pose)) for pose in plan["poses"]]
        images = renderer.render_many(cameras, conditions, seasons, plan["traversals"].tolist(), plan.pop("noise_seeds").tolist())
        return {"images": images.numpy(), **plan}


def _by_scale(values: Any) -> Any:
    return by_profile(quick=values[0], full=values[1])


def _database_plan(place: District) -> dict[str, np.ndarray]:
    """Poses of the survey car: ``poses (N, 6)``, noisy ``positions (N, 2)``, condition, season and traversal of each."""
    r = stream(place.seed, 21, place.number)
    stops = [
        (*street.point(float(along), r.normal(0, 0.5)), street.heading)
        for street in place.streets
        for along in np.arange(4.0, street.length - 4.0, DATABASE_STEP)
    ]
    drives = DATABASE_DRIVES["quick" if current_profile() == "quick" or place.name != "train" else "full"]
    rows = []
    for traversal, (condition, season) in enumerate(drives):
        for x, y, heading in stops:
            dx, dy = r.normal(0, 0.6, 2)
            for k in range(N_HEADINGS):
                turned = heading + k * 2 * np.pi / N_HEADINGS + np.radians(r.normal(0, 4))
                pose = (x + dx, y + dy, turned, 2.3, 0.07 + r.normal(0, 0.01), r.normal(0, 0.008))
                rows.append((*pose, CONDITIONS.index(condition), SEASONS.index(season), traversal))
    return _as_plan(r, rows, first_noise_seed=0)


def _query_plan(place: District) -> dict[str, np.ndarray]:
    """Poses of the visitors."""
    r = stream(place.seed, 22, place.number)
    lengths = np.array([street.length for street in place.streets])
    rows = []
    for _ in range(_by_scale(N_QUERIES[place.name])):
        street = place.streets[int(r.choice(len(lengths), p=lengths / lengths.sum()))]
        free = street.width / 2 - PAVEMENT
        x, y = street.point(r.uniform(4, street.length - 4), float(np.clip(r.normal(0, LANE_OFFSET), -free, free)))
        turned = street.heading + r.integers(N_HEADINGS) * np.pi / 2 + np.radians(r.normal(0, HEADING_NOISE))
        condition = int(r.choice(len(CONDITIONS), p=[CONDITION_SHARES[name] for name in CONDITIONS]))
        season = int(r.integers(len(SEASONS)))
        pose = (x, y, turned, 1.9 + r.normal(0, 0.15), 0.06 + r.normal(0, 0.025), r.normal(0, 0.02))
        rows.append((*pose, condition, season, FIRST_QUERY + len(SEASONS) * condition + season))
    return _as_plan(r, rows, first_noise_seed=1_000_000)


def _as_plan(r: np.random.Generator, rows: list[tuple], first_noise_seed: int) -> dict[str, np.ndarray]:
    table = np.array(rows, np.float64)
    poses = table[:, :6]
    return {
        "poses": poses,
        "positions": (poses[:, :2] + r.normal(0, GPS_NOISE, (len(poses), 2))).astype(np.float32),
        "conditions": table[:, 6].astype(np.int64),
        "seasons": table[:, 7].astype(np.int64),
        "traversals": table[:, 8].astype(np.int64),
        "noise_seeds": first_noise_seed + np.arange(len(poses)),
    }
