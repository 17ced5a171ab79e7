"""City navigator: walk a camera through a district and watch place recognition work, view by view.

Every move renders one view, describes it by the given describer, and compares it with all database images in one
matrix product. Four linked views show what follows: the **map** with the similarity of every database image and the
circle inside which a result counts as right, the **camera** picture with the chosen result below it, the five best
**results**, and what each visual **word** adds to the similarity (exact attribution, see ``retrieval.attribution``).
A rectangle drawn on the map measures Recall@1, 5 and 10 for the precomputed queries inside it.

The explorer corrects two beliefs: "the network recognises the name of a place" (it compares pictures, and the
attribution shows which pixels) and "Recall@1 is precision" (it is the share of queries whose best result is near).

What is computed when:

- once, with a progress bar: the vectors of all database and query images, and the rank of each query's first hit;
- per move: one view, one vector, one product, one attribution of the chosen result;
- hovering, choosing, brushing: only what depends on it. The last view and the last attribution are kept, so that
  ``compute`` remains a pure function of the state and is still cheap.

Taught in `01_vlad` and `02_netvlad`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as widgets
import numpy as np

from course_utils.checks import checked_choice, message
from course_utils.explore.base import Control, Explorer, Scheduler, View
from course_utils.explore.canvas import Event
from course_utils.explore.scene import (
    Box,
    Circle,
    Field,
    Layer,
    Mark,
    Picture,
    Points,
    Polygons,
    Rail,
    Scene,
    Segments,
    Text,
    rectangle,
    rgba,
)
from course_utils.plotting import BLUE, GREEN, ORANGE, SKY, VERMILION, YELLOW
from course_utils.profile import progress

if TYPE_CHECKING:
    import torch

    from course_utils.retrieval.attribution import SimilarityAttribution

MAP_SIZE = (500, 384)  # pixels
SIDE_SIZE = (384, 384)
STRIP_SIZE = (892, 152)
PICTURE = (240, 180)  # pixels on screen of a view of 128 x 96
N_RESULTS = 5
N_WORDS = 8  # bars
STRIP = 32  # pixels below the map, for its legend
MARGIN = 11.0  # metres of ground that stay visible around the streets
ORBIT = 15.0  # metres from the camera to its heading handle
DEFAULT_RADIUS = 12.5
QUERY_TRAVERSAL = 100  # movers and light differ from those of the database
SHADE = 125  # opacity (of 255) of the attribution over a picture
VIEW_ANGLE = np.deg2rad(70)
RECALL_AT = (1, 5, 10)
_DARKNESS = {"night": 0.55, "dusk": 0.3}
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


class CityNavigator(Explorer):
    """Drag the camera, turn it, change the hour: see what is retrieved, and why.

    Parameters
    ----------
    describer : DenseVLAD or PlaceNetwork
        Fitted; its training images should come from another district.
    seed : int, default 11
    split : {"test", "validation", "train"}
        The district to walk through.
    database_vectors, query_vectors : arrays (M, V), (Q, V), optional
        If they were computed before, with the same describer.
    city : City, optional
        Another town; ``seed`` and ``split`` are ignored then.
    scheduler : callable, optional
        See ``Explorer``.

    Raises
    ------
    TypeError
        If ``describer`` lacks ``describe`` or ``explain``.
    ValueError
        If given vectors do not fit the images.
    """

    css_class = "explorer-city"
    help_text = (
        "Drag the camera along the streets and its arrow to turn it; press a result to see why it was found, a word to see "
        "its pixels; draw a rectangle on the map to measure recall there."
    )
    still_kind = "jpeg"

    def __init__(
        self,
        describer: Describer,
        seed: int = 11,
        split: str = "test",
        database_vectors: np.ndarray | None = None,
        query_vectors: np.ndarray | None = None,
        city: City | None = None,
        scheduler: Scheduler | None = None,
    ) -> None:
        if not (hasattr(describer, "describe") and hasattr(describer, "explain")):
            advice = "Pass a fitted retrieval.DenseVLAD or retrieval.PlaceNetwork."
            raise TypeError(message("describer", "an object with describe and explain", type(describer).__name__, advice))
        self.describer = describer
        self.city = City.load(seed, split) if city is None else city
        self._database = self._vectors(database_vectors, self.city.database, "database_vectors")
        self._queries = self._vectors(query_vectors, self.city.queries, "query_vectors")
        self._database_xy = np.asarray(self.city.database.positions, np.float64)
        self._query_xy = np.asarray(self.city.queries.positions, np.float64)
        self._first_hit = self._first_hits()
        self._seen: tuple[Any, Any, np.ndarray] | None = None  # last view: key, image, similarities
        self._told: tuple[Any, Any] | None = None  # last attribution: key, attribution
        self._grids: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        super().__init__(scheduler=scheduler)

    # ---- once --------------------------------------------------------------------------------------------------

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

        ranked = np.argsort(-(self._queries @ self._database.T), axis=1, kind="stable")[:, : max(RECALL_AT)]
        positives = positives_within(self._query_xy, self._database_xy, self.city.radius)
        return recall_at_n(ranked, positives, n=RECALL_AT).first_hit

    # ---- state -------------------------------------------------------------------------------------------------

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
        choice = int(min(max(state.choice, 0), min(N_RESULTS, len(self._database)) - 1))
        return replace(state, x=float(x), y=float(y), heading=heading, choice=choice)

    # ---- compute -----------------------------------------------------------------------------------------------

    def compute(self, state: CityState) -> CityResult:
        """Return everything that is shown for ``state``; deterministic."""
        image, similarities = self._look(state)
        ranked = np.argsort(-similarities, kind="stable")[:N_RESULTS]
        distances = np.hypot(*(self._database_xy[ranked] - [state.x, state.y]).T)
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
            self._seen = (key, image, self._database @ self.describer.describe(image[None])[0])
        return self._seen[1], self._seen[2]

    def _explain(self, state: CityState, image: torch.Tensor, index: int) -> SimilarityAttribution:
        key = (state.x, state.y, state.heading, state.condition, state.season, index)
        if self._told is None or self._told[0] != key:
            self._told = (key, self.describer.explain(image, self.city.database.images[index]))
        return self._told[1]

    def _recall(self, brush: Box | None) -> tuple[np.ndarray, dict[int, float]]:
        inside = np.ones(len(self._query_xy), bool)
        if brush is not None:
            left, right, bottom, top = brush
            x, y = self._query_xy.T
            inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
        first = self._first_hit[inside]
        return inside, {n: float(((first > 0) & (first <= n)).mean()) if first.size else float("nan") for n in RECALL_AT}

    # ---- words -------------------------------------------------------------------------------------------------

    def sentence(self, state: CityState, result: CityResult) -> str:
        """Return where the camera stands, how good the best match is and how many of the five are right."""
        verdict = "right" if result.right[0] else "wrong"
        return (
            f"Looking {compass(state.heading)} ({_words(state.condition)}, {state.season}): the best match has similarity "
            f"{result.similarities[result.ranked[0]]:.2f} and lies {result.distances[0]:.0f} m away ({verdict}); "
            f"{int(result.right.sum())} of {len(result.ranked)} results are within {self.city.radius:g} m."
        )

    def goal(self, state: CityState, result: CityResult) -> str:
        """Return the recall of the queries in the rectangle, or the word that is shown."""
        if result.word >= 0:
            part = result.attribution.per_cluster[result.word]
            share = f"Word {result.word} adds {part:+.3f} to the {result.attribution.similarity:.2f} of result {state.choice + 1}"
            return f"{share}; the pictures show only its pixels."
        where = "On the whole map" if state.brush is None else "In the rectangle"
        n = int(result.inside.sum())
        if n == 0:
            return f"{where}: no queries."
        recall = ", ".join(f"Recall@{k} {value:.2f}" for k, value in result.recall.items())
        return f"{where}: {n} queries, {recall}."

    # ---- views -------------------------------------------------------------------------------------------------

    def controls(self) -> Sequence[Control]:
        """Return the weather, the season and the switch of the attribution."""
        condition = widgets.ToggleButtons(options=[(_words(name), name) for name in self.city.conditions])
        condition.style.button_width = "auto"
        season = widgets.Dropdown(options=list(self.city.seasons), layout=widgets.Layout(width="110px"))
        why = widgets.Checkbox(description="show why", indent=False, layout=widgets.Layout(width="auto"))
        return (Control(condition, "condition"), Control(season, "season"), Control(why, "why"))

    def rows(self) -> Sequence[Sequence[str]]:
        """Return map and camera above, results below."""
        return (("map", "camera"), ("results",))

    def views(self) -> Sequence[View]:
        """Return the map, the camera with the attribution, and the results."""
        return (
            View("map", self.draw_map, self.react_map),
            View("camera", self.draw_camera, self.react_camera),
            View("results", self.draw_results, self.react_results),
        )

    def react_map(self, state: CityState, event: Event) -> CityState:
        """Move or turn the camera, jump to a street, or set the rectangle."""
        if (event.kind == "move" and event.name == "camera") or event.kind == "tap":
            return replace(state, x=event.x, y=event.y, hover=-1)
        if event.kind == "move" and event.name == "heading":
            return replace(state, heading=float(np.arctan2(event.y - state.y, event.x - state.x)), hover=-1)
        if event.kind == "brush":
            return replace(state, brush=event.box, word=-1)
        if event.kind == "press" and event.name == "clear":
            return replace(state, brush=None)
        return state

    def react_camera(self, state: CityState, event: Event) -> CityState:
        """Show a word's pixels while its bar is hovered over; a press keeps or releases it."""
        word = int(event.name[4:]) if event.name.startswith("word") else -1
        if event.kind == "hover":
            return replace(state, hover=word)
        if event.kind == "press" and word >= 0:
            return replace(state, word=-1 if state.word == word else word, hover=-1)
        return state

    def react_results(self, state: CityState, event: Event) -> CityState:
        """Choose a result and show why it was retrieved."""
        if event.kind == "press" and event.name.startswith("result"):
            return replace(state, choice=int(event.name[6:]), word=-1, hover=-1, why=True)
        return state

    def draw_map(self, state: CityState, result: CityResult) -> Scene:
        """Return the bird's-eye view."""
        box = self._map_box
        layers: list[Layer] = [Picture(self.city.map_image, self.city.district.extent, smooth=True, keep="map")]
        if state.condition in _DARKNESS:
            layers.append(Polygons([rectangle(*box)], "#0b1030", "", 0, opacity=_DARKNESS[state.condition]))
        layers.append(self._field_of_view(state))
        layers += self._similarity_layers(result)
        layers.append(Circle(state.x, state.y, self.city.radius, BLUE, BLUE, 0, opacity=0.15))
        layers.append(Circle(state.x, state.y, self.city.radius, "#ffffff", "", 4))
        layers.append(Circle(state.x, state.y, self.city.radius, BLUE, "", 2, dashed=True))
        if state.brush is not None:
            layers += self._query_layers(result)
        layers += self._result_layers(state, result)
        layers += self._legend()
        tip = np.array([state.x, state.y]) + ORBIT * np.array([np.cos(state.heading), np.sin(state.heading)])
        marks = [
            Mark("camera", state.x, state.y, "camera", colour=BLUE, size=10, step=1.0, leap=8.0, rail=self.city.rail),
            Mark("heading", *tip, label="direction of view", colour=BLUE, shape="arrow", size=9, step=5, leap=45,
                 parent="camera", orbit=ORBIT, heading=state.heading),
        ]  # fmt: skip
        fields = []
        if state.brush is not None:
            right, top = state.brush[1], state.brush[3]
            metre = (box[1] - box[0]) / MAP_SIZE[0]
            place = (right - 26 * metre, right - 6 * metre, top - 26 * metre, top - 6 * metre)
            fields.append(Field("clear", place, "remove the rectangle"))
            layers.append(Points([[right - 16 * metre, top - 16 * metre]], "#CC79A7", 7, "cross"))
        label = f"Map: camera looking {compass(state.heading)}; {self.goal(state, result)}"
        return Scene(*MAP_SIZE, box, label, layers, marks, fields, brush=state.brush, can_brush=True, can_tap=True)

    @cached_property
    def _map_box(self) -> Box:
        """The map as large as fits, never cut nearer to a street than ``MARGIN``, above a strip for the legend."""
        left, right, bottom, top = self.city.district.extent
        x, y, width, height = (left + right) / 2, (bottom + top) / 2, MAP_SIZE[0], MAP_SIZE[1] - STRIP
        ends = np.array([(s.x0, s.y0, s.x1, s.y1) for s in self.city.district.streets]).reshape(-1, 2)
        reach = np.abs(ends - [x, y]).max(axis=0) + MARGIN
        cover = min((right - left) / width, (top - bottom) / height)
        metre = max(cover, 2 * reach[0] / width, 2 * reach[1] / height)  # per pixel
        return (x - metre * width / 2, x + metre * width / 2, y - metre * (height / 2 + STRIP), y + metre * height / 2)

    def _field_of_view(self, state: CityState) -> Polygons:
        angles = state.heading + np.linspace(-VIEW_ANGLE / 2, VIEW_ANGLE / 2, 9)
        rim = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 1.9 * ORBIT
        ring = np.concatenate([[[state.x, state.y]], rim + [state.x, state.y]])
        return Polygons([ring], YELLOW, "", 0, opacity=0.5)

    def _similarity_layers(self, result: CityResult) -> list[Layer]:
        """An arrow per database image, a step ahead of its position; bright and large where it is similar."""
        low, high = np.quantile(result.similarities, 0.5), result.similarities.max()
        strength = np.clip((result.similarities - low) / max(high - low, 1e-9), 0, 1)
        colours = _VIRIDIS[(255 * strength).astype(int)].copy()
        colours[:, 3] = 120 + 135 * strength
        headings = np.asarray(self.city.database.headings, np.float64)
        places = self._database_xy + 2.6 * np.stack([np.cos(headings), np.sin(headings)], axis=1)
        sizes = 3.0 + 5.0 * strength
        order = np.argsort(strength, kind="stable")  # the best on top
        weak, strong = order[strength[order] < 0.35], order[strength[order] >= 0.35]
        return [
            Points(places[part], colours[part], sizes[part], "arrow", headings[part], outline=rim)
            for part, rim in ((weak, ""), (strong, "#111111"))
        ]

    def _legend(self) -> list[Layer]:
        """The strip below the map: what the colours and shapes mean."""
        left, right, bottom, _ = self._map_box
        metre = (right - left) / MAP_SIZE[0]
        middle = bottom + 14 * metre

        def at(pixel: float) -> tuple[float, float]:
            return (left + pixel * metre, middle)

        bars = [
            rectangle(*sorted(at(p)[0] for p in (x, x + 9)), middle - 6 * metre, middle + 6 * metre) for x in range(76, 148, 9)
        ]
        return [
            Polygons([rectangle(left, right, bottom, bottom + STRIP * metre)], "background", "", 0),
            Polygons(bars, _VIRIDIS[np.linspace(0, 255, len(bars)).astype(int)], "", 0),
            Points([at(222)], GREEN, 8, "circle"),
            Points([at(284)], VERMILION, 8, "square"),
            Points([at(353)], BLUE, 8, "ring"),
            Text(
                [at(4), at(153), at(235), at(297), at(366)],
                ["similarity", "high", "right", "wrong", f"within {self.city.radius:g} m"],
                size=13,
            ),
        ]

    def _query_layers(self, result: CityResult) -> list[Layer]:
        found = (self._first_hit == 1) & result.inside
        missed = ~found & result.inside
        return [
            Points(self._query_xy[found], GREEN, 4, "circle"),
            Points(self._query_xy[missed], VERMILION, 4, "cross"),
        ]

    def _result_layers(self, state: CityState, result: CityResult) -> list[Layer]:
        places = self._database_xy[result.ranked]
        here = np.array([[state.x, state.y]])
        chosen = places[state.choice : state.choice + 1]
        colour = GREEN if result.right[state.choice] else VERMILION
        layers: list[Layer] = [
            Segments(here, chosen, "#ffffff", width=5),
            Segments(here, chosen, colour, width=2.5, dashed=not result.right[state.choice]),
        ]
        metre = (self._map_box[1] - self._map_box[0]) / MAP_SIZE[0]
        steps = np.linspace(0, ORBIT, 4)[:, None] * [np.cos(state.heading), np.sin(state.heading)]
        spread = _apart(places, 9 * metre, here + steps)
        for right, shape, colour in ((True, "circle", GREEN), (False, "square", VERMILION)):
            which = result.right == right
            layers.append(Points(spread[which], colour, 9, shape))
        layers.append(Text(spread, [str(i + 1) for i in range(len(spread))], "#ffffff", 12, "centre", bold=True))
        return layers

    def draw_camera(self, state: CityState, result: CityResult) -> Scene:
        """Return the camera's picture and the chosen result, both with the attribution, and the bars of the words."""
        width, height = PICTURE
        chosen = self._database_picture(int(result.ranked[state.choice]))
        parts = result.attribution
        seen = parts.query if result.word < 0 else parts.query_by_cluster[:, result.word]
        stored = parts.database if result.word < 0 else parts.database_by_cluster[:, result.word]
        below = SIDE_SIZE[1] - height
        colour = GREEN if result.right[state.choice] else VERMILION
        layers: list[Layer] = [
            Picture(result.image, (0, width, height, 0), smooth=True),
            Picture(chosen, (0, width, below + height, below), smooth=True),
        ]
        if state.why or result.word >= 0:
            for values, grid, top in ((seen, parts.query_grid, 0), (stored, parts.database_grid, below)):
                if grid is not None:
                    overlay = heat(values, grid, self._centers(grid, result.image.shape), result.image.shape)
                    layers.append(Picture(overlay, (0, width, top + height, top), smooth=True))
        layers.append(Polygons([rectangle(1.5, width - 1.5, height - 1.5, 1.5)], "", BLUE, 3))
        layers.append(Polygons([rectangle(1.5, width - 1.5, below + height - 1.5, below + 1.5)], "", colour, 3))
        names = ["camera", f"result {state.choice + 1}"]
        layers += _tags([(0, 0), (0, below)], names, [BLUE, colour])
        bars, fields = self._word_bars(result, width + 14)
        label = (
            f"Camera picture and result {state.choice + 1} with the pixels that make them similar, and what each word adds: "
            + ", ".join(f"word {k} {parts.per_cluster[k]:+.2f}" for k in result.words)
        )
        return Scene(*SIDE_SIZE, None, label, layers + bars, fields=fields)

    def _word_bars(self, result: CityResult, left: float) -> tuple[list[Layer], list[Field]]:
        values = result.attribution.per_cluster[result.words]
        total = result.attribution.similarity
        right = SIDE_SIZE[0] - 4
        layers: list[Layer] = [
            Text([[left, 12]], ["Visual words"], size=15, bold=True),
            Text([[left, 33]], [f"sum of all: {total:.2f}"], colour="muted", size=13),
        ]
        fields = []
        reach = max(float(np.abs(values).max(initial=0.0)), 1e-9)
        row = (SIDE_SIZE[1] - 52) / N_WORDS
        for i, (k, value) in enumerate(zip(result.words, values)):
            top = 50 + row * i
            length = (right - left) * abs(float(value)) / reach
            shown = k == result.word
            if shown:
                layers.append(Polygons([rectangle(left - 6, right + 3, top + row - 3, top)], "panel", "text", 2))
            bar = rectangle(left, left + max(length, 1.5), top + row - 8, top + row - 19)
            layers.append(Polygons([bar], ORANGE if value >= 0 else SKY, "text", 1))
            layers.append(Text([[left, top + 11]], [f"{k}"], size=13, bold=bool(shown)))
            layers.append(Text([[right, top + 11]], [f"{value:+.3f}"], size=13, align="right", bold=bool(shown)))
            fields.append(Field(f"word{k}", (left - 6, right + 3, top + row - 3, top), f"word {k}, adds {value:+.3f}"))
        return layers, fields

    def draw_results(self, state: CityState, result: CityResult) -> Scene:
        """Return the five best database images with rank, verdict, similarity and distance."""
        width, height, cell = 160.0, 120.0, STRIP_SIZE[0] / N_RESULTS
        layers: list[Layer] = []
        fields = []
        for i, index in enumerate(result.ranked):
            left, top = cell * i + (cell - width) / 2, 4.0
            right = bool(result.right[i])
            colour = GREEN if right else VERMILION
            frame = rectangle(left, left + width, top + height, top)
            layers.append(Picture(self._database_picture(int(index)), (left, left + width, top + height, top), smooth=True))
            if i == state.choice:
                around = rectangle(left - 3.5, left + width + 3.5, top + height + 3.5, top - 3.5)
                layers.append(Polygons([around], "", "text", 3))
            layers.append(Polygons([frame], "", colour, 4))
            layers.append(Points([[left + width - 17, top + 17]], colour, 15, "circle" if right else "square"))
            layers.append(Points([[left + width - 17, top + 17]], "#ffffff", 8, "tick" if right else "cross", outline=""))
            says = f"{i + 1}: similarity {result.similarities[index]:.2f}, {result.distances[i]:.0f} m"
            layers.append(Text([[left, top + height + 16]], [says], size=12.5, bold=i == state.choice))
            verdict = "right" if right else "wrong"
            fields.append(Field(f"result{i}", (left, left + width, top + height + 26, top), f"result {says}, {verdict}"))
        verdicts = ", ".join("right" if right else "wrong" for right in result.right)
        return Scene(*STRIP_SIZE, None, f"The five best database images: {verdicts}.", layers, fields=fields)

    def _database_picture(self, index: int) -> np.ndarray:
        return np.moveaxis(np.asarray(self.city.database.images[index]), 0, -1)

    def _centers(self, grid: tuple[int, int], shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and columns of pixels on which the local descriptors lie."""
        if grid not in self._grids:
            sift = getattr(self.describer, "sift", None)
            if sift is None:  # a network's map covers the whole picture
                rows, columns = ((np.arange(n) + 0.5) * size / n for n, size in zip(grid, shape))
            else:
                import torch

                centers = np.asarray(sift(torch.zeros(1, 3, *shape[:2], dtype=torch.uint8)).centers, float)
                columns, rows = np.unique(centers[:, 0]), np.unique(centers[:, 1])
            self._grids[grid] = (rows, columns)
        return self._grids[grid]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _viridis() -> np.ndarray:
    from matplotlib import colormaps

    return np.round(255 * colormaps["viridis"](np.linspace(0, 1, 256))).astype(np.uint8)


_VIRIDIS = _viridis()


def heat(values: np.ndarray, grid: tuple[int, int], centers: tuple[np.ndarray, np.ndarray], shape: Sequence[int]) -> np.ndarray:
    """Return contributions as an overlay: yellow on what adds, shade on what does nothing, blue on what takes.

    Parameters
    ----------
    values : array of shape (N,)
    grid : (rows, columns) with ``rows * columns == N``
    centers : arrays of shape (rows,), (columns,)
        Where the local descriptors lie, in pixels; values are interpolated linearly between them.
    shape : (H, W, ...)
        Of the picture.

    Returns
    -------
    array of shape (H, W, 4), uint8
    """
    plane = np.asarray(values, float).reshape(grid)
    plane = _hats(shape[0], centers[0]) @ plane @ _hats(shape[1], centers[1]).T  # (H, W)
    strength = np.clip(plane / max(float(np.quantile(np.abs(plane), 0.99)), 1e-12), -1, 1)[..., None]
    overlay = np.empty((*shape[:2], 4), np.uint8)
    overlay[..., :3] = np.maximum(strength, 0) * rgba(YELLOW)[:3] + np.maximum(-strength, 0) * rgba(BLUE)[:3]
    overlay[..., 3] = SHADE
    return overlay


def _hats(n: int, centers: np.ndarray) -> np.ndarray:
    """Weights (n, len(centers)) that spread values at ``centers`` linearly over pixels; they fade out at the border."""
    step = float(centers[1] - centers[0]) if len(centers) > 1 else float(n)
    return np.maximum(0.0, 1 - np.abs(np.arange(n)[:, None] + 0.5 - centers) / step)


def _tags(corners: Sequence[tuple[float, float]], names: Sequence[str], colours: Sequence[str]) -> list[Layer]:
    """Small labels in the upper left corners of pictures."""
    layers: list[Layer] = []
    for (x, y), name, colour in zip(corners, names, colours):
        layers.append(Polygons([rectangle(x, x + 18 + 8.2 * len(name), y + 22, y)], colour, "", 0))
        layers.append(Text([[x + 8, y + 11]], [name], "#ffffff", 13, bold=True))
    return layers


def _apart(places: np.ndarray, radius: float, obstacles: np.ndarray) -> np.ndarray:
    """Return the places, moved aside where they would cover the camera or an earlier place (four headings a position)."""
    taken = np.asarray(obstacles, float).reshape(-1, 2)
    n = len(taken)
    for place in np.asarray(places, float):
        tries = place + 2 * radius * _SPIRAL  # (T, 2), nearest first
        gaps = np.hypot(*(tries[:, None] - taken).transpose(2, 0, 1)).min(axis=1)  # (T,)
        spot = tries[int(np.argmax(gaps >= 1.95 * radius))]  # the first free one; the place itself if none is
        taken = np.concatenate([taken, spot[None]])
    return taken[n:]


_TURNS = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_SPIRAL = np.concatenate([[[0.0, 0.0]], *(ring * np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1) for ring in range(1, 5))])
