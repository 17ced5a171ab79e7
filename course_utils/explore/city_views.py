"""The four pictures of the city navigator, drawn from one ``CityState`` and one ``CityResult``.

Colours: blue is the camera, green with a circle or a tick is right, vermilion with a square or a cross is wrong; the
similarity of a database image runs from dark and small to bright and large.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from course_utils.explore.city import N_RESULTS, N_WORDS, CityModel, CityResult, CityState, compass
from course_utils.explore.scene import (
    Box,
    Circle,
    Field,
    Layer,
    Mark,
    Picture,
    Points,
    Polygons,
    Scene,
    Segments,
    Text,
    rectangle,
    rgba,
)
from course_utils.plotting import BLUE, GREEN, ORANGE, SKY, VERMILION, YELLOW

MAP_SIZE = (500, 384)  # pixels
SIDE_SIZE = (384, 384)
STRIP_SIZE = (892, 152)
PICTURE = (240, 180)  # pixels on screen of a view of 128 x 96
STRIP = 32  # pixels below the map, for its legend
MARGIN = 11.0  # metres of ground that stay visible around the streets
ORBIT = 15.0  # metres from the camera to its heading handle
SHADE = 125  # opacity (of 255) of the attribution over a picture
VIEW_ANGLE = np.deg2rad(70)
_DARKNESS = {"night": 0.55, "dusk": 0.3}


class CityViews:
    """Draws the map, the camera with its attribution, and the results of a ``CityModel``."""

    def __init__(self, model: CityModel) -> None:
        self.model, self.city = model, model.city
        self._grids: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

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
        label = f"Map: camera looking {compass(state.heading)}; five numbered results, {int(result.right.sum())} of them right."
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
        places = self.model.database_xy + 2.6 * np.stack([np.cos(headings), np.sin(headings)], axis=1)
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
        found = (self.model.first_hit == 1) & result.inside
        missed = ~found & result.inside
        return [
            Points(self.model.query_xy[found], GREEN, 4, "circle"),
            Points(self.model.query_xy[missed], VERMILION, 4, "cross"),
        ]

    def _result_layers(self, state: CityState, result: CityResult) -> list[Layer]:
        places = self.model.database_xy[result.ranked]
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
            sift = getattr(self.model.describer, "sift", None)
            if sift is None:  # a network's map covers the whole picture
                rows, columns = ((np.arange(n) + 0.5) * size / n for n, size in zip(grid, shape))
            else:
                import torch

                centers = np.asarray(sift(torch.zeros(1, 3, *shape[:2], dtype=torch.uint8)).centers, float)
                columns, rows = np.unique(centers[:, 0]), np.unique(centers[:, 1])
            self._grids[grid] = (rows, columns)
        return self._grids[grid]


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
