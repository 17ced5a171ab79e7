"""The picture pair of the matching bench: key points, matches, the map, and the receptive field at the probe.

A key point's colour is its score (its rank among those kept), its size the part of the image that it sees, its shape the
truth of its match. Blue lines are inliers, grey lines the other matches, thick vermilion ones the stepper's sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps

from course_utils.explore.matching import RIGHT, WRONG, MatchResult, MatchState
from course_utils.explore.matching_cases import Case
from course_utils.explore.scene import Layer, Mark, Picture, Points, Polygons, Scene, Segments, Text, rectangle, rgba
from course_utils.plotting import BLUE, GREY, PURPLE, VERMILION, YELLOW
from course_utils.retrieval import apply_affine

WIDTH, TOP, FOOT = 828, 30, 62  # pixels
ROOM = (392.0, 324.0)  # pixels for one picture
EDGE = 10
CORNERS = {"nw": (0, 1), "ne": (2, 1), "sw": (0, 3), "se": (2, 3)}
_CORNER_NAMES = {"nw": "upper left", "ne": "upper right", "sw": "lower left", "se": "lower right"}
_SHAPES = {RIGHT: "diamond", WRONG: "cross"}
_GRID = np.linspace(0, 1, 6)


@dataclass(frozen=True)
class Frame:
    """Where a picture stands in the view: its upper left corner, and view pixels per picture pixel."""

    left: float
    top: float
    scale: float
    width: float
    height: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top in view pixels."""
        return self.left, self.left + self.scale * self.width, self.top + self.scale * self.height, self.top

    def to_view(self, points: np.ndarray) -> np.ndarray:
        """Return picture points (N, 2) in view pixels."""
        return np.asarray(points, float) * self.scale + [self.left, self.top]

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """Return a view position in picture pixels."""
        return (x - self.left) / self.scale, (y - self.top) / self.scale

    def holds(self, x: float, y: float) -> bool:
        """Whether a view position lies on the picture."""
        left, right, bottom, top = self.box
        return left <= x <= right and top <= y <= bottom


def frames(case: Case, shown: int) -> tuple[Frame, Frame]:
    """Return where the query and the index image stand; the second one is not higher than the first."""
    height, width = case.pixels.shape[:2]
    a = min(ROOM[0] / width, ROOM[1] / height)
    other_height, other_width = case.index[shown].pixels.shape[:2]
    b = min(ROOM[0] / other_width, a * height / other_height)
    left = WIDTH - EDGE - b * other_width
    return Frame(EDGE, TOP, a, width, height), Frame(left, TOP, b, other_width, other_height)


def view_height(case: Case) -> int:
    """Return the height of the view; it does not change when another index image is shown."""
    a = frames(case, 0)[0]
    return round(TOP + a.scale * a.height + FOOT)


def pair_scene(state: MatchState, result: MatchResult, case: Case) -> Scene:
    """Return the two pictures with everything that is known about them."""
    a, b = frames(case, state.shown)
    one = case.index[state.shown]
    mine, theirs = case.features, one.features
    ends = a.to_view(mine.points[result.pairs[:, 0]]), b.to_view(theirs.points[result.pairs[:, 1]])
    layers: list[Layer] = [
        *_titles(result, case, state.shown, a, b),
        Picture(case.pixels, a.box, smooth=True, keep=f"query-{case.name}", opacity=0.85),
        Picture(one.pixels, b.box, smooth=True, keep=f"index-{one.name}", opacity=0.85),
        *_crop(state, a),
        Points(a.to_view(mine.points[result.outside_rows]), "muted", 2.0, outline=""),
        *_lines(state, result, ends),
        *_map(state, result, a, b),
        *_key_points(result.query_rows, mine.scales, result.pairs[:, 0], result.right, a.to_view(mine.points)),
        *_key_points(result.index_rows, theirs.scales, result.pairs[:, 1], result.right, b.to_view(theirs.points)),
        *_probe(result, case, state.shown, a, b),
        *_foot(state, result, case, view_height(case)),
    ]
    label = (
        f"Query image with {result.now.n_points} key points and index image {one.name}: {result.now.n_matches} matches, "
        f"{int(result.inliers.sum())} inliers."
    )
    return Scene(WIDTH, view_height(case), None, label, layers, _marks(state, result, case, a), can_tap=True)


def _titles(result: MatchResult, case: Case, shown: int, a: Frame, b: Frame) -> list[Layer]:
    n = result.now
    right = f", {n.n_right} right" if n.n_right >= 0 else ""
    return [
        Text([[a.left, 15]], [f"Query: {case.short}, {n.n_points} key points"], size=15, bold=True),
        Text([[b.box[1], 15]], [f"{case.index[shown].name}: {n.n_matches} matches{right}"], size=15, bold=True, align="right"),
    ]


def _crop(state: MatchState, a: Frame) -> list[Layer]:
    """Veil what is cut away, and draw the crop's edge."""
    left, right, bottom, top = a.box
    (x0, y0), (x1, y1) = a.to_view([state.crop[:2], state.crop[2:]])
    veil = [rectangle(left, right, y0, top), rectangle(left, right, bottom, y1)]
    veil += [rectangle(left, x0, y1, y0), rectangle(x1, right, y1, y0)]
    edge = [rectangle(x0, x1, y1, y0)]
    return [
        Polygons(veil, "background", "", 0, opacity=0.6),
        Polygons(edge, "", "background", 5, opacity=0.8),
        Polygons(edge, "", PURPLE, 2.5),
    ]


def _lines(state: MatchState, result: MatchResult, ends: tuple[np.ndarray, np.ndarray]) -> list[Layer]:
    """Putative matches grey, inliers blue (wrong ones dashed), the stepper's three matches thick."""
    starts, stops = ends
    inside = result.inliers & state.verify
    wrong = result.right == WRONG
    layers: list[Layer] = [Segments(starts[~inside], stops[~inside], np.tile(rgba(GREY, 0.5), ((~inside).sum(), 1)), 1.2)]
    layers.append(Segments(starts[inside], stops[inside], "background", 4.0))
    for chosen, dashed in ((inside & ~wrong, False), (inside & wrong, True)):
        layers.append(Segments(starts[chosen], stops[chosen], BLUE, 2.0, dashed=dashed))
    if len(result.triplet):
        layers.append(Segments(starts[result.triplet], stops[result.triplet], "background", 6.5))
        layers.append(Segments(starts[result.triplet], stops[result.triplet], VERMILION, 4.0))
    return layers


def _map(state: MatchState, result: MatchResult, a: Frame, b: Frame) -> list[Layer]:
    """Return the crop as a grid, and where the map sends it."""
    if not np.isfinite(result.transform).all():
        return []
    x0, y0, x1, y1 = state.crop
    x, y = x0 + _GRID * (x1 - x0), y0 + _GRID * (y1 - y0)
    starts = np.concatenate([np.column_stack([x, np.full(6, y0)]), np.column_stack([np.full(6, x0), y])])
    stops = np.concatenate([np.column_stack([x, np.full(6, y1)]), np.column_stack([np.full(6, x1), y])])
    colour = VERMILION if len(result.triplet) else BLUE
    there = clipped(*(b.to_view(apply_affine(points, result.transform)) for points in (starts, stops)), b.box)
    here = a.to_view(starts), a.to_view(stops)
    layers: list[Layer] = [Segments(*here, np.tile(rgba(colour, 0.35), (12, 1)), 1.2)] if len(result.triplet) else []
    return [*layers, Segments(*there, "background", 3.5), Segments(*there, colour, 1.6)]


def clipped(starts: np.ndarray, stops: np.ndarray, box: tuple[float, float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of segments (N, 2) inside ``box`` (left, right, bottom, top); those outside are left out.

    >>> clipped(np.array([[-5.0, 5.0]]), np.array([[15.0, 5.0]]), (0, 10, 10, 0))
    (array([[0., 5.]]), array([[10.,  5.]]))
    """
    step = stops - starts
    first, last = np.zeros(len(starts)), np.ones(len(starts))
    left, right, bottom, top = box
    for axis, low, high in ((0, left, right), (1, top, bottom)):
        with np.errstate(divide="ignore", invalid="ignore"):
            enter, leave = (low - starts[:, axis]) / step[:, axis], (high - starts[:, axis]) / step[:, axis]
        flat = step[:, axis] == 0
        within = (starts[:, axis] >= low) & (starts[:, axis] <= high)
        enter, leave = np.where(flat, -np.inf, enter), np.where(flat, np.where(within, np.inf, -np.inf), leave)
        first, last = np.maximum(first, np.minimum(enter, leave)), np.minimum(last, np.maximum(enter, leave))
        last = np.where(flat & ~within, -1.0, last)
    kept = first < last
    return starts[kept] + first[kept, None] * step[kept], starts[kept] + last[kept, None] * step[kept]


def _key_points(rows: np.ndarray, scales: np.ndarray, matched: np.ndarray, right: np.ndarray, xy: np.ndarray) -> list[Layer]:
    """Return the key points of one picture, in three layers of one shape each; ``rows`` run from high to low scores."""
    if not len(rows):
        return []
    rank = np.linspace(1.0, 0.0, len(rows)) if len(rows) > 1 else np.ones(1)
    colours = (255 * np.array(colormaps["viridis"](0.1 + 0.9 * rank))).round().astype(np.uint8)
    sizes = np.clip(2.9 / np.sqrt(scales[rows]), 2.0, 7.0)
    truth = dict(zip(matched.tolist(), right.tolist()))
    shapes = np.array([_SHAPES.get(truth.get(row, -2), "circle") for row in rows.tolist()])
    layers: list[Layer] = []
    for shape in ("circle", "cross", "diamond"):
        mine = np.flatnonzero(shapes == shape)[::-1]  # high scores on top
        if len(mine):
            layers.append(
                Points(xy[rows[mine]], colours[mine], sizes[mine] * (1.25 if shape == "diamond" else 1.0), shape, outline="text")
            )
    return layers


def _probe(result: MatchResult, case: Case, shown: int, a: Frame, b: Frame) -> list[Layer]:
    """Return the receptive field of the feature at the probe, and that of its match."""
    if result.probe_row < 0:
        return []
    boxes = [(case.features.boxes[result.probe_row], a)]
    layers: list[Layer] = []
    if result.probe_match >= 0:
        there = case.index[shown].features
        row = result.pairs[result.probe_match, 1]
        boxes.append((there.boxes[row], b))
        ends = a.to_view(case.features.points[[result.probe_row]]), b.to_view(there.points[[row]])
        layers += [Segments(*ends, "text", 5.0), Segments(*ends, YELLOW, 2.5)]
    for box, frame in boxes:
        x, y = np.clip(box[[0, 2]], 0, frame.width), np.clip(box[[1, 3]], 0, frame.height)
        (x0, y0), (x1, y1) = frame.to_view(np.column_stack([x, y]))
        ring = [rectangle(x0, x1, y1, y0)]
        layers += [Polygons(ring, "", "#212121", 5, opacity=0.8), Polygons(ring, "", YELLOW, 2.5)]
    return layers


def probe_text(result: MatchResult, case: Case) -> str:
    """Return what the feature at the probe is, and what became of it."""
    if result.probe_row < 0:
        return "No key point in the crop."
    row = result.probe_row
    box = case.features.boxes[row]
    rank = int(np.flatnonzero(result.query_rows == row)[0]) + 1
    first = (
        f"Probe: key point {rank} of {len(result.query_rows)} by score, scale {case.features.scales[row]:.2g}, sees "
        f"{box[2] - box[0]:.0f} x {box[3] - box[1]:.0f} pixels"
    )
    if result.probe_match < 0:
        nearest = "" if np.isnan(result.probe_distance) else f" (nearest descriptor {result.probe_distance:.2f} away)"
        return f"{first}; no match{nearest}."
    match = result.probe_match
    words = {RIGHT: ", right", WRONG: ", wrong"}.get(int(result.right[match]), "")
    inlier = "inlier" if result.inliers[match] else "no inlier"
    missed = "" if np.isnan(result.residuals[match]) else f", {inlier}: {result.residuals[match]:.1f} px off the map"
    return f"{first}; matched at distance {result.distances[match]:.2f}{words}{missed}."


def _foot(state: MatchState, result: MatchResult, case: Case, height: int) -> list[Layer]:
    y, low = height - 44, height - 17
    x = np.array([16.0, 126.0, 214.0, 316.0])
    layers: list[Layer] = [
        Text([[EDGE, y]], [probe_text(result, case)], size=13),
        Points([[x[0], low]], "muted", 5, "diamond", outline="text"),
        Points([[x[1], low]], "muted", 5, "cross", outline="text"),
        Points([[x[2], low]], "muted", 4, outline="text"),
        Segments([[x[3], low]], [[x[3] + 22, low]], BLUE, 2.5),
        Segments([[x[3] + 74, low]], [[x[3] + 96, low]], GREY, 1.5),
    ]
    words = ["right match", "wrong", "no match" if case.index[state.shown].truth is not None else "key point", "inlier"]
    layers.append(Text(np.column_stack([x + [12, 12, 10, 28], np.full(4, low)]), words, "muted", 12))
    layers.append(Text([[x[3] + 102, low]], ["other match"], "muted", 12))
    shades = (255 * np.array(colormaps["viridis"](np.linspace(0.1, 1, 5)))).round().astype(np.uint8)
    layers.append(Points(np.column_stack([520 + 13 * np.arange(5), np.full(5, low)]), shades, 5, outline="text"))
    layers.append(Text([[584, low]], ["score: low to high"], "muted", 12))
    layers.append(Points([[716, low], [730, low]], "muted", np.array([2.9, 5.8]), outline="text"))
    layers.append(Text([[742, low]], ["sees more"], "muted", 12))
    return layers


def _marks(state: MatchState, result: MatchResult, case: Case, a: Frame) -> list[Mark]:
    x, y = a.to_view([state.probe])[0]
    step = {"step": 2.0, "leap": 20.0}
    look = {"colour": YELLOW, "shape": "ring", "size": 11.0, "filled": False}
    marks = [Mark("probe", x, y, f"probe; {probe_text(result, case)}", **look, **step)]
    middle = a.to_view([[(state.crop[0] + state.crop[2]) / 2, (state.crop[1] + state.crop[3]) / 2]])[0]
    marks.append(Mark("crop", *middle, "the crop box as a whole", colour=PURPLE, shape="square", size=6.0, **step))
    for name, (i, j) in CORNERS.items():
        x, y = a.to_view([[state.crop[i], state.crop[j]]])[0]
        label = f"{_CORNER_NAMES[name]} corner of the crop"
        marks.append(Mark(name, x, y, label, colour=PURPLE, shape="square", size=6.0, parent="crop", **step))
    return marks
