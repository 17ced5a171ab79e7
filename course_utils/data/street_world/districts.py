"""Districts: blocks of houses along straight streets, and what stands on the pavement.

A district is a grid of blocks with streets of different widths between them. Around it lies one more ring of blocks, so
that every street has two sides. Each edge of a block is cut into lots; a lot carries a house front (``facades``) or a
small park behind a low wall. Streets get lamps, some get trees.

Convention: metres; ``x`` to the east, ``y`` to the north, ``z`` up; headings in radians, counter-clockwise from east.
Districts of one town share their ten house styles and nothing else: no place of one is a place of another.

==============  ========  =======================  ==========================================
split           district  blocks (quick profile)   used for
==============  ========  =======================  ==========================================
``train``       0         3 x 3                    learning descriptors
``validation``  2         2 x 2                    choosing among them
``test``        1         3 x 2                    the numbers that are reported
==============  ========  =======================  ==========================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from course_utils.checks import checked_choice, checked_float, checked_int
from course_utils.data import steady
from course_utils.data.street_world.facades import Front, paint_front, paint_wall
from course_utils.data.street_world.styles import Style, make_style, plain
from course_utils.data.street_world.textures import stream
from course_utils.profile import by_profile

N_STYLES = 10
PAVEMENT = 3.2
"""Width of the pavement in metres."""
HOUSE_DEPTH = 9.0
PARK_WALL = 1.1
STREET_WIDTHS = (13.0, 15.0, 18.0)
"""From front to front, pavements included."""

LAYOUTS = {"train": (0, (3, 3), (4, 4)), "validation": (2, (2, 2), (3, 2)), "test": (1, (3, 2), (4, 3))}
"""Split -> number of the district, blocks east and north in the quick profile, and in the full one."""


@dataclass(frozen=True)
class Street:
    """The centre line of a street, from (x0, y0) to (x1, y1), and its width from front to front, in metres."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float

    @property
    def length(self) -> float:
        return math.sqrt((self.x1 - self.x0) ** 2 + (self.y1 - self.y0) ** 2)

    @property
    def heading(self) -> float:
        """Direction of the street in radians."""
        return float(steady.arctan2(self.y1 - self.y0, self.x1 - self.x0))

    def point(self, along: float, aside: float = 0.0) -> tuple[float, float]:
        """Return the point ``along`` metres from the start and ``aside`` metres to the left of the centre line."""
        c, s = (self.x1 - self.x0) / self.length, (self.y1 - self.y0) / self.length
        return self.x0 + c * along - s * aside, self.y0 + s * along + c * aside


@dataclass(frozen=True)
class Lot:
    """One house or park: its footprint ``(x0, y0, x1, y1)``, its height and colour, and the season-green of parks."""

    footprint: tuple[float, float, float, float]
    height: float
    colour: tuple[int, int, int]
    is_park: bool
    style: int


@dataclass(frozen=True, eq=False)
class District:
    """Everything about a district that never moves. Build it with ``district``.

    Attributes
    ----------
    seed, number : int
        Which town, which of its districts.
    streets : list of Street
    blocks : array ``(B, 4)``
        Corners ``x0, y0, x1, y1`` of the blocks; the pavement lies outside of them.
    lots : list of Lot
    walls : array ``(S, 4)``, float32
        Ends ``x0, y0, x1, y1`` of every vertical wall; seen from outside, ``u`` runs from the first to the second.
    normals : array ``(S, 2)``
        Outward unit normals of the walls.
    eaves, tops : array ``(S,)``
        Height up to which a wall is solid, and height of its picture, in metres.
    fronts : list of Front
        The painted pictures; wall ``s`` shows ``fronts[front_of[s]]``.
    trees, lamps : array ``(T, 2)``, ``(L, 2)``
        Positions.
    """

    seed: int
    number: int
    name: str
    streets: list[Street]
    blocks: np.ndarray
    lots: list[Lot]
    walls: np.ndarray
    normals: np.ndarray
    eaves: np.ndarray
    tops: np.ndarray
    front_of: np.ndarray
    fronts: list[Front] = field(repr=False)
    trees: np.ndarray
    lamps: np.ndarray

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """``(xmin, xmax, ymin, ymax)`` in metres of the area that the map shows: the streets and 22 m around them."""
        xs = [v for s in self.streets for v in (s.x0, s.x1)]
        ys = [v for s in self.streets for v in (s.y0, s.y1)]
        return (min(xs) - 22.0, max(xs) + 22.0, min(ys) - 22.0, max(ys) + 22.0)

    def map_image(self, scale: float = 4.0) -> np.ndarray:
        """Return the district from above, uint8 ``(H, W, 3)``, north up: row 0 shows ``ymax``.

        Parameters
        ----------
        scale : float, default 4
            Pixels per metre. ``(x, y)`` lies at column ``(x - xmin) * scale`` and row ``(ymax - y) * scale``, so
            ``axes.imshow(map_image, extent=district.extent)`` draws it to scale.
        """
        from course_utils.data.street_world.ground import paint_map

        return paint_map(self, checked_float(scale, "scale", above=0.0, high=40.0))

    @cached_property
    def ground(self) -> np.ndarray:
        """The pavement seen from above at 5 px per metre, uint8 ``(H, W, 4)``, south up; see ``ground.paint_ground``."""
        from course_utils.data.street_world.ground import paint_ground

        return paint_ground(self)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """``(xmin, xmax, ymin, ymax)`` of the ground and of the grids of light: the blocks all around included."""
        return (
            float(self.blocks[:, 0].min()),
            float(self.blocks[:, 2].max()),
            float(self.blocks[:, 1].min()),
            float(self.blocks[:, 3].max()),
        )

    def __repr__(self) -> str:
        metres = sum(street.length for street in self.streets)
        return f"District({self.name!r}, seed={self.seed}: {len(self.streets)} streets, {metres:.0f} m, {len(self.lots)} lots)"


def district(seed: int = 11, split: str = "test") -> District:
    """Return a district of the town ``seed``; the last few are kept in memory.

    Parameters
    ----------
    seed : int
        Which town.
    split : {"train", "validation", "test"}
        Which of its districts; they have no place in common.

    Raises
    ------
    TypeError, ValueError
        If ``seed`` is not an integer of at least 0 or ``split`` is unknown.

    Examples
    --------
    >>> len(district(11, "test").streets)
    7
    """
    seed = checked_int(seed, "seed", low=0)
    checked_choice(split, "split", LAYOUTS)
    number, quick, full = LAYOUTS[split]
    return _district(seed, split, number, by_profile(quick=quick, full=full))


@lru_cache(maxsize=6)
def _district(seed: int, name: str, number: int, blocks: tuple[int, int]) -> District:
    return _Builder(seed, name, number, *blocks).build()


def nearest_street_point(place: District, x: float, y: float) -> tuple[float, float, float]:
    """Return ``(x, y, heading)``: the nearest point where a camera may stand, and the direction of its street.

    A camera may stand on the carriageway and up to one metre onto the pavement: within ``width / 2 - 2.2`` metres of
    a street's centre line. A point that lies there already is returned as it is.

    Examples
    --------
    >>> place = district(11, "test")
    >>> street = place.streets[0]
    >>> x, y, heading = nearest_street_point(place, street.x0 + 100, street.y0 + 20)
    """
    x, y = checked_float(x, "x"), checked_float(y, "y")
    best = None
    for street in place.streets:
        c, s = float(steady.cos(street.heading)), float(steady.sin(street.heading))
        along = float(np.clip((x - street.x0) * c + (y - street.y0) * s, 0.0, street.length))
        aside = -(x - street.x0) * s + (y - street.y0) * c
        free = street.width / 2 - PAVEMENT + 1.0
        px, py = street.point(along, float(np.clip(aside, -free, free)))
        distance = math.sqrt((px - x) ** 2 + (py - y) ** 2)
        if best is None or distance < best[0] - 1e-9:
            best = (distance, px, py, street.heading)
    return best[1:]


class _Builder:
    """Collects walls, fronts, trees and lamps while it walks around the blocks."""

    def __init__(self, seed: int, name: str, number: int, n_east: int, n_north: int) -> None:
        self.seed, self.name, self.number = seed, name, number
        self.random = stream(seed, 1, number)
        self.styles = [make_style(seed, i) for i in range(N_STYLES)]
        self.xs, self.widths_x = self._axis(n_east, 38, 62)
        self.ys, self.widths_y = self._axis(n_north, 34, 56)
        self.rows: list[tuple] = []
        self.fronts: list[Front] = []
        self.lots: list[Lot] = []
        self.blocks: list[tuple[float, float, float, float]] = []
        self.trees: list[tuple[float, float]] = []
        self.lamps: list[tuple[float, float]] = []
        self.sides = [self._keep(self._side(i, style)) for i, style in enumerate(self.styles)]

    def _axis(self, n: int, low: float, high: float) -> tuple[list[float], list[float]]:
        """Positions and widths of the n + 1 parallel streets that n blocks have between them."""
        widths = [float(self.random.choice(STREET_WIDTHS)) for _ in range(n + 1)]
        centres = [0.0]
        for i in range(n):
            centres.append(centres[-1] + widths[i] / 2 + self.random.uniform(low, high) + widths[i + 1] / 2)
        return centres, widths

    def _side(self, i: int, style: Style) -> Front:
        return paint_front((self.seed, 13, self.number, i), HOUSE_DEPTH, 5, plain(style), side=True)

    def _keep(self, front: Front) -> int:
        self.fronts.append(front)
        return len(self.fronts) - 1

    def build(self) -> District:
        edges_x, edges_y = self._edges(self.xs, self.widths_x), self._edges(self.ys, self.widths_y)
        n_x, n_y = len(edges_x), len(edges_y)
        for i, (x0, x1) in enumerate(edges_x):
            for j, (y0, y1) in enumerate(edges_y):
                self._build_block(x0, y0, x1, y1, hidden=(j == 0, i == n_x - 1, j == n_y - 1, i == 0))
        ends, normals, eaves, tops, front_of = zip(*self.rows)
        streets = [Street(x, self.ys[0], x, self.ys[-1], w) for x, w in zip(self.xs, self.widths_x)]
        streets += [Street(self.xs[0], y, self.xs[-1], y, w) for y, w in zip(self.ys, self.widths_y)]
        return District(
            seed=self.seed,
            number=self.number,
            name=self.name,
            streets=streets,
            blocks=np.array(self.blocks),
            lots=self.lots,
            walls=np.array(ends, np.float32),
            normals=np.array(normals, np.float32),
            eaves=np.array(eaves, np.float32),
            tops=np.array(tops, np.float32),
            front_of=np.array(front_of, np.int64),
            fronts=self.fronts,
            trees=np.array(self.trees, np.float32).reshape(-1, 2),
            lamps=np.array(self.lamps, np.float32).reshape(-1, 2),
        )

    @staticmethod
    def _edges(centres: list[float], widths: list[float]) -> list[tuple[float, float]]:
        """Intervals that the blocks occupy along one axis, one block beyond the outer streets included."""
        inner = [(a + v / 2, b - w / 2) for (a, v), (b, w) in zip(zip(centres[:-1], widths[:-1]), zip(centres[1:], widths[1:]))]
        before = (centres[0] - widths[0] / 2 - 30.0, centres[0] - widths[0] / 2)
        after = (centres[-1] + widths[-1] / 2, centres[-1] + widths[-1] / 2 + 30.0)
        return [before, *inner, after]

    def _build_block(self, x0: float, y0: float, x1: float, y1: float, hidden: tuple[bool, ...]) -> None:
        """One block: its four edges counter-clockwise from the south; ``hidden`` edges look out of the district."""
        number = len(self.blocks)
        self.blocks.append((x0, y0, x1, y1))
        floors = int(self.random.integers(2, 5))
        styles = self.random.choice(N_STYLES, 3, replace=False)
        corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        for edge in range(4):
            if hidden[edge]:
                continue
            start, end = np.array(corners[edge]), np.array(corners[(edge + 1) % 4])
            self._build_edge((number, edge), start, end, floors, styles)

    def _build_edge(self, key: tuple[int, int], start: np.ndarray, end: np.ndarray, floors: int, styles: np.ndarray) -> None:
        r = self.random
        length = float(np.sqrt(((end - start) ** 2).sum()))
        along = (end - start) / length
        outward = np.array([along[1], -along[0]])
        n = max(1, round(length / r.uniform(9.0, 13.5)))
        cuts = np.concatenate([[0.0], (np.arange(1, n) + r.uniform(-0.2, 0.2, n - 1)) / n * length, [length]])
        for lot in range(n):
            self._build_lot((*key, lot), start, along, outward, cuts[lot], cuts[lot + 1], floors, styles, (lot > 0, lot < n - 1))
        if r.random() < 0.55:
            for u in np.arange(r.uniform(3, 8), length - 3, r.uniform(8, 14)):
                self.trees.append(tuple(start + along * u + outward * 2.3))
        for u in np.arange(r.uniform(4, 10), length - 2, 22.0):
            self.lamps.append(tuple(start + along * u + outward * 2.7))

    def _build_lot(
        self, key: tuple, start: np.ndarray, along: np.ndarray, outward: np.ndarray, u0: float, u1: float,
        floors: int, styles: np.ndarray, with_sides: tuple[bool, bool],
    ) -> None:  # fmt: skip
        r = self.random
        width = u1 - u0
        is_park = r.random() < 0.06
        back = 0.0 if r.random() < 0.75 else r.uniform(0.4, 1.6)
        style = int(styles[r.integers(3)]) if r.random() < 0.8 else int(r.integers(N_STYLES))
        storeys = int(np.clip(floors + r.integers(-1, 2), 2, 6))
        first, second = start + along * u0 - outward * back, start + along * u1 - outward * back
        if is_park:
            front = paint_wall((self.seed, 14, self.number, *key), width, PARK_WALL)
            for number in range(int(width // 4)):
                u = u0 + width * (number + 0.5) / max(1, width // 4)
                self.trees.append(tuple(start + along * u - outward * r.uniform(3, 7)))
        else:
            front = paint_front((self.seed, 12, self.number, *key), width, storeys, self.styles[style])
        self._add_wall(first, second, outward, front.eaves, front.top, self._keep(front))
        if not is_park:
            for at, direction, wanted in ((first, -1.0, with_sides[0]), (second, 1.0, with_sides[1])):
                if wanted:
                    ends = (at - outward * HOUSE_DEPTH, at) if direction < 0 else (at, at - outward * HOUSE_DEPTH)
                    self._add_wall(*ends, along * direction, front.eaves, front.eaves, self.sides[style])
        corner = second - outward * HOUSE_DEPTH
        low, high = np.minimum(first, corner), np.maximum(first, corner)
        self.lots.append(Lot((*map(float, low), *map(float, high)), front.eaves, front.colour, is_park, style))

    def _add_wall(self, a: np.ndarray, b: np.ndarray, normal: np.ndarray, eaves: float, top: float, front: int) -> None:
        self.rows.append(((*a, *b), tuple(normal), eaves, top, front))
