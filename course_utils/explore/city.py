"""A district to walk through, and what place recognition finds there: the pure part of the city navigator.

``CityModel`` holds a describer and a ``City`` and answers one question: what follows from a ``CityState``? It imports no
widget; the views are in ``city_views``, the explorer in ``city_navigator``.

What is computed when:

- once, with a progress bar: the vectors of all database and query images, and the rank of each query's first hit;
- per move: one view, one vector, one product with all database vectors, one attribution of the chosen result;
- hovering, choosing, brushing: only what depends on it. The last view and the last attribution are kept, so that
  ``compute`` remains a pure function of the state and is still cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from course_utils.checks import checked_choice, message
from course_utils.explore.scene import Box, Rail
from course_utils.profile import progress

if TYPE_CHECKING:
    import torch

    from course_utils.retrieval.attribution import SimilarityAttribution

N_RESULTS = 5
N_WORDS = 8  # bars
DEFAULT_RADIUS = 12.5
QUERY_TRAVERSAL = 100  # movers and light differ from those of the database
RECALL_AT = (1, 5, 10)
_COMPASS = ("east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east")


class Describer(Protocol):
    """What the navigator asks of ``retrieval.DenseVLAD`` or ``retrieval.PlaceNetwork``."""

    def describe(self, images: torch.Tensor) -> np.ndarray:
        """Return unit vectors (B, V) for uint8 images (B, 3, H, W)."""
        ...

    def explain(self, query_image: torch.Tensor, database_image: torch.Tensor) -> SimilarityAttribution:
        """Return the exact attribution of the similarity of two images."""
        ...


@dataclass(frozen=True, eq=False)
class City:
    """A district with its database, its queries and a way to render new views.

    Attributes
    ----------
    district
        With ``streets`` (``x0, y0, x1, y1, width``), ``extent`` and ``map_image()``.
    renderer
        ``render(camera, condition=, season=, traversal=, noise_seed=) -> uint8 (3, H, W)``.
    database, queries
        With ``images``, ``positions`` and ``headings``.
    camera : callable
        ``camera(x, y, heading)`` makes what the renderer takes.
    conditions, seasons : tuples of names
    radius : float
        A result within this many metres of the camera is right.
    """

    district: Any
    renderer: Any
    database: Any
    queries: Any
    camera: Any
    conditions: tuple[str, ...]
    seasons: tuple[str, ...]
    radius: float = DEFAULT_RADIUS

    @classmethod
    def load(cls, seed: int = 11, split: str = "test") -> City:
        """Load a district of the street world: ``"train"``, ``"validation"`` or ``"test"``."""
        from course_utils import data

        checked_choice(split, "split", ("train", "validation", "test"))
        database = data.StreetWorld(f"{split}_database", seed=seed)
        queries = data.StreetWorld(f"{split}_queries", seed=seed)
        place = data.district(seed, split)
        renderer = data.StreetRenderer(place, size=tuple(database.images.shape[2:]))
        names = tuple(data.CONDITIONS), tuple(data.SEASONS)
        return cls(place, renderer, database, queries, data.Camera, *names, radius=float(data.EVALUATION_RADIUS))

    @cached_property
    def rail(self) -> Rail:
        """Where a camera may stand: the carriageways and one metre of the pavements."""
        return Rail(tuple((s.x0, s.y0, s.x1, s.y1, s.width / 2 - 2.2) for s in self.district.streets))

    @cached_property
    def map_image(self) -> np.ndarray:
        """The district from above, uint8 (H, W, 3), north up."""
        return np.ascontiguousarray(self.district.map_image())


@dataclass(frozen=True)
class CityState:
    """Everything that the reader can set.

    Attributes
    ----------
    x, y : float
        Position of the camera in metres.
    heading : float
        Radians, anticlockwise from east, in (-pi, pi].
    condition, season : str
    choice : int
        Rank of the chosen result, 0 to 4.
    word : int
        Visual word whose pixels are shown; -1: all of them.
    hover : int
        The same while the pointer rests on a bar; -1: none.
    brush : (left, right, bottom, top) or None
        Rectangle on the map, in metres.
    why : bool
        Show on both pictures where their similarity comes from.
    """

    x: float
    y: float
    heading: float
    condition: str
    season: str
    choice: int = 0
    word: int = -1
    hover: int = -1
    brush: Box | None = None
    why: bool = False


@dataclass(frozen=True, eq=False)
class CityResult:
    """What follows from a state.

    Attributes
    ----------
    image : array (H, W, 3), uint8
        What the camera sees.
    similarities : array (M,)
        With every database image.
    ranked : array (5,)
        Indices of the best database images.
    distances : array (5,)
        Their distances from the camera in metres.
    right : array (5,), bool
    attribution : SimilarityAttribution
        Of the chosen result.
    words : array (up to 8,)
        The words that add or take most, best first.
    word : int
        The word that is shown now, or -1.
    inside : array (Q,), bool
        Queries inside the brush; all of them without one.
    recall : dict from N to the share of these queries with a right image among the first N
    """

    image: np.ndarray
    similarities: np.ndarray
    ranked: np.ndarray
    distances: np.ndarray
    right: np.ndarray
    attribution: SimilarityAttribution
    words: np.ndarray
    word: int
    inside: np.ndarray
    recall: Mapping[int, float]


def compass(heading: float) -> str:
    """Return the name of the nearest of eight directions.

    >>> compass(0.0), compass(np.pi / 2), compass(-3.0)
    ('east', 'north', 'west')
    """
    return _COMPASS[round(heading / (np.pi / 4)) % 8]


class CityModel:
    """What a describer finds in a city.

    Parameters
    ----------
    describer : DenseVLAD or PlaceNetwork
    city : City
    database_vectors, query_vectors : arrays (M, V), (Q, V), optional
        Computed here, with a progress bar, if they are not given.

    Raises
    ------
    TypeError
        If ``describer`` lacks ``describe`` or ``explain``.
    ValueError
        If given vectors do not fit the images.
    """

    def __init__(
        self,
        describer: Describer,
        city: City,
        database_vectors: np.ndarray | None = None,
        query_vectors: np.ndarray | None = None,
    ) -> None:
        if not (hasattr(describer, "describe") and hasattr(describer, "explain")):
            advice = "Pass a fitted retrieval.DenseVLAD or retrieval.PlaceNetwork."
            raise TypeError(message("describer", "an object with describe and explain", type(describer).__name__, advice))
        self.describer, self.city = describer, city
        self.database_vectors = self._vectors(database_vectors, city.database, "database_vectors")
        self.query_vectors = self._vectors(query_vectors, city.queries, "query_vectors")
        self.database_xy = np.asarray(city.database.positions, np.float64)
        self.query_xy = np.asarray(city.queries.positions, np.float64)
        self.first_hit = self._first_hits()
        self._seen: tuple[Any, Any, np.ndarray] | None = None  # last view: key, image, similarities
        self._told: tuple[Any, Any] | None = None  # last attribution: key, attribution

    def _vectors(self, given: np.ndarray | None, data: Any, name: str) -> np.ndarray:
        if given is not None:
            given = np.asarray(given, np.float32)
            if given.ndim != 2 or len(given) != len(data.images):
                raise ValueError(message(name, f"of shape ({len(data.images)}, V)", f"shape {given.shape}"))
            return given
        step, n = 32, len(data.images)
        parts = progress(range(0, n, step), desc=f"describe {n} images", unit="batch")
        return np.concatenate([self.describer.describe(data.images[i : i + step]) for i in parts])

    def _first_hits(self) -> np.ndarray:
        """Rank (from 1) of the first right image of every query; 0 if it is not among the first ten."""
        from course_utils.retrieval.recall import positives_within, recall_at_n

        ranked = np.argsort(-(self.query_vectors @ self.database_vectors.T), axis=1, kind="stable")[:, : max(RECALL_AT)]
        positives = positives_within(self.query_xy, self.database_xy, self.city.radius)
        return recall_at_n(ranked, positives, n=RECALL_AT).first_hit

    def initial_state(self) -> CityState:
        """Return a camera in the middle of the longest street, by overcast day, looking along it."""
        street = max(self.city.district.streets, key=lambda s: np.hypot(s.x1 - s.x0, s.y1 - s.y0))
        x, y = (0.62 * a + 0.38 * b for a, b in ((street.x0, street.x1), (street.y0, street.y1)))
        heading = float(np.arctan2(street.y1 - street.y0, street.x1 - street.x0))
        condition = "overcast" if "overcast" in self.city.conditions else self.city.conditions[0]
        season = "summer" if "summer" in self.city.seasons else self.city.seasons[0]
        return CityState(float(x), float(y), heading, condition, season)

    def admit(self, state: CityState) -> CityState:
        """Keep the camera on a street and every choice among those that exist."""
        checked_choice(state.condition, "condition", self.city.conditions)
        checked_choice(state.season, "season", self.city.seasons)
        if not np.isfinite([state.x, state.y, state.heading]).all():
            raise ValueError(message("state", "at a finite position", f"({state.x}, {state.y}, {state.heading})"))
        x, y = self.city.rail.snap(float(state.x), float(state.y))
        heading = float(np.angle(np.exp(1j * state.heading)))
        choice = int(min(max(state.choice, 0), min(N_RESULTS, len(self.database_vectors)) - 1))
        return replace(state, x=float(x), y=float(y), heading=heading, choice=choice)

    def compute(self, state: CityState) -> CityResult:
        """Return everything that is shown for ``state``; deterministic."""
        image, similarities = self._look(state)
        ranked = np.argsort(-similarities, kind="stable")[:N_RESULTS]
        distances = np.hypot(*(self.database_xy[ranked] - [state.x, state.y]).T)
        attribution = self._explain(state, image, int(ranked[state.choice]))
        strongest = np.argsort(-np.abs(attribution.per_cluster), kind="stable")[:N_WORDS]
        words = strongest[np.argsort(-attribution.per_cluster[strongest], kind="stable")]
        word = state.hover if state.hover >= 0 else state.word
        inside, recall = self._recall(state.brush)
        return CityResult(
            image=np.moveaxis(np.asarray(image), 0, -1),
            similarities=similarities,
            ranked=ranked,
            distances=distances,
            right=distances <= self.city.radius,
            attribution=attribution,
            words=words,
            word=word if word < len(attribution.per_cluster) else -1,
            inside=inside,
            recall=recall,
        )

    def _look(self, state: CityState) -> tuple[torch.Tensor, np.ndarray]:
        key = (state.x, state.y, state.heading, state.condition, state.season)
        if self._seen is None or self._seen[0] != key:
            camera = self.city.camera(state.x, state.y, state.heading)
            light = {"condition": state.condition, "season": state.season}
            image = self.city.renderer.render(camera, **light, traversal=QUERY_TRAVERSAL, noise_seed=0)
            self._seen = (key, image, self.database_vectors @ self.describer.describe(image[None])[0])
        return self._seen[1], self._seen[2]

    def _explain(self, state: CityState, image: torch.Tensor, index: int) -> SimilarityAttribution:
        key = (state.x, state.y, state.heading, state.condition, state.season, index)
        if self._told is None or self._told[0] != key:
            self._told = (key, self.describer.explain(image, self.city.database.images[index]))
        return self._told[1]

    def _recall(self, brush: Box | None) -> tuple[np.ndarray, dict[int, float]]:
        inside = np.ones(len(self.query_xy), bool)
        if brush is not None:
            left, right, bottom, top = brush
            x, y = self.query_xy.T
            inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
        first = self.first_hit[inside]
        return inside, {n: float(((first > 0) & (first <= n)).mean()) if first.size else float("nan") for n in RECALL_AT}
