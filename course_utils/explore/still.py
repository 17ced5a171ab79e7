"""Draw scenes without a browser: the picture that stays in the notebook file.

The same ``Scene`` that the canvas shows is drawn here with matplotlib's Agg canvas (never pyplot), so the still
picture and the live view cannot drift apart. Its ground is white in both themes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Circle as CirclePatch
from matplotlib.patches import Rectangle

from course_utils.explore.scene import ROLES, Circle, Mark, Picture, Points, Polygons, Scene, Segments, Text
from course_utils.plotting import encode

DPI = 100
GAP = 12  # pixels between views
POINT = 72 / DPI  # points per pixel
Pixel = tuple[float, float]
"""Width and height of one pixel in data units; the height is negative where the box runs downwards."""

_MARKERS: dict[str, Any] = {
    "circle": "o",
    "ring": "o",
    "square": "s",
    "triangle": "^",
    "diamond": "D",
    "cross": "x",
    "plus": "+",
    "tick": [(-0.8, 0.0), (-0.2, -0.7), (0.9, 0.8)],
    "star": "*",
}
_MARKER_SCALE = {"square": 1.8, "diamond": 1.7, "star": 2.4, "cross": 1.6, "tick": 1.6}


def _colour(value: str | np.ndarray) -> Any:
    if isinstance(value, str):
        return ROLES.get(value, value)
    return value.astype(float) / 255


def draw_picture(ax: Axes, layer: Picture, pixel: Pixel) -> None:
    """Draw pixels."""
    left, right, bottom, top = layer.extent
    interpolation = "bilinear" if layer.smooth else "nearest"
    ax.imshow(layer.pixels, extent=(left, right, bottom, top), origin="upper", interpolation=interpolation, alpha=layer.opacity)


def _scatter(ax: Axes, xy: np.ndarray, shape: str, size: Any, colour: Any, filled: bool, outline: str) -> None:
    stroke = shape in ("cross", "plus", "tick")
    if shape == "tick":
        vertices = np.array(_MARKERS["tick"])
        marker: Any = MarkerStyle(np.vstack([vertices, vertices[::-1]]))
    else:
        marker = _MARKERS[shape]
    area = (_MARKER_SCALE.get(shape, 2.0) * np.asarray(size, float) * POINT) ** 2
    line = 0.45 * float(np.mean(size)) * POINT if stroke else 2.5 * POINT
    if shape in ("cross", "plus"):
        ax.scatter(*xy.T, s=area, marker=marker, c=colour, linewidths=line)
    elif stroke:
        ax.scatter(*xy.T, s=area, marker=marker, facecolors="none", edgecolors=colour, linewidths=line)
    elif filled and shape != "ring":
        ax.scatter(*xy.T, s=area, marker=marker, c=colour, edgecolors=_colour(outline) if outline else "none", linewidths=1)
    else:
        ground = "none" if shape == "ring" else ROLES["background"]
        ax.scatter(*xy.T, s=area, marker=marker, facecolors=ground, edgecolors=colour, linewidths=line)


def _arrows(ax: Axes, xy: np.ndarray, headings: Any, size: Any, colour: Any, outline: str, pixel: Pixel) -> None:
    """Arrow heads of ``size`` pixels, turned to ``headings``, as one collection."""
    shape = np.array([[1.5, 0.0], [-0.9, -0.95], [-0.45, 0.0], [-0.9, 0.95]])
    cos, sin = np.cos(headings), np.sin(headings)
    turn = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=-2)  # (N, 2, 2)
    corners = np.broadcast_to(size, len(xy))[:, None, None] * (shape @ turn)  # (N, 4, 2) pixels, y up
    rings = xy[:, None] + corners * np.array(pixel)
    edge = _colour(outline) if outline else "none"
    ax.add_collection(PolyCollection(rings, facecolors=colour, edgecolors=edge, linewidths=1), autolim=False)


def draw_points(ax: Axes, layer: Points, pixel: Pixel) -> None:
    """Draw markers."""
    if len(layer.xy) == 0:
        return
    colour = _colour(layer.colour)
    if isinstance(colour, str):
        colour = [colour] * len(layer.xy)
    if layer.shape == "arrow":
        _arrows(ax, layer.xy, layer.headings, layer.size, colour, layer.outline, pixel)
    else:
        _scatter(ax, layer.xy, layer.shape, layer.size, colour, layer.filled, layer.outline)


def draw_segments(ax: Axes, layer: Segments, pixel: Pixel) -> None:
    """Draw lines or arrows."""
    width = layer.width * POINT
    for i, (start, end) in enumerate(zip(layer.starts, layer.ends)):
        colour = _colour(layer.colour if isinstance(layer.colour, str) else layer.colour[i])
        style = (0, (3, 3)) if layer.dashed else "-"
        if layer.arrow and np.any(start != end):
            look = {"arrowstyle": "-|>,head_width=0.3,head_length=0.6", "color": colour, "linewidth": width}
            ax.annotate("", xy=end, xytext=start, arrowprops={**look, "shrinkA": 0, "shrinkB": 0, "linestyle": style})
        else:
            ax.plot(*np.stack([start, end]).T, color=colour, linewidth=width, linestyle=style, solid_capstyle="round")


def draw_polygons(ax: Axes, layer: Polygons, pixel: Pixel) -> None:
    """Draw closed outlines."""
    if not layer.rings:
        return
    fill = "none" if isinstance(layer.fill, str) and not layer.fill else _colour(layer.fill)
    edge = _colour(layer.outline) if layer.outline else "none"
    style = "--" if layer.dashed else "-"
    look = {"facecolors": fill, "edgecolors": edge, "linewidths": layer.width * POINT, "linestyles": style}
    ax.add_collection(PolyCollection(layer.rings, alpha=layer.opacity, **look), autolim=False)


def draw_circle(ax: Axes, layer: Circle, pixel: Pixel) -> None:
    """Draw a circle in data units."""
    look = {
        "facecolor": _colour(layer.fill) if layer.fill else "none",
        "edgecolor": _colour(layer.outline),
        "alpha": layer.opacity,
    }
    style = "--" if layer.dashed else "-"
    ax.add_patch(CirclePatch((layer.x, layer.y), layer.radius, linewidth=layer.width * POINT, linestyle=style, **look))


def _write(ax: Axes, x: float, y: float, string: str, size: float, colour: str, align: str, bold: bool, halo: bool) -> None:
    effects = [patheffects.withStroke(linewidth=3, foreground=ROLES["background"])] if halo else []
    ax.text(
        x,
        y,
        string,
        fontsize=size * POINT,
        color=_colour(colour),
        ha={"centre": "center"}.get(align, align),
        va="center_baseline",
        fontweight="bold" if bold else "normal",
        path_effects=effects,
        clip_on=True,
    )


def draw_text(ax: Axes, layer: Text, pixel: Pixel) -> None:
    """Draw strings."""
    for (x, y), string in zip(layer.xy, layer.strings):
        _write(ax, x, y, string, layer.size, layer.colour, layer.align, layer.bold, layer.halo)


def draw_mark(ax: Axes, mark: Mark, marks: Sequence[Mark], pixel: Pixel) -> None:
    """Draw a handle; ``pixel`` is the size of one pixel in data units."""
    if mark.orbit > 0:
        parent = next(one for one in marks if one.name == mark.parent)
        ax.plot([parent.x, mark.x], [parent.y, mark.y], color=_colour(mark.colour), linewidth=2.5 * POINT)
    if mark.card is not None:
        draw_card(ax, mark, pixel)
        return
    xy = np.array([[mark.x, mark.y]], np.float32)
    colour = _colour(mark.colour)
    if mark.shape == "arrow":
        _arrows(ax, xy, np.array([mark.heading or 0.0]), mark.size, [colour], "background", pixel)
    else:
        _scatter(ax, xy, mark.shape, mark.size, [colour], mark.filled, "background")
    if mark.tag:
        x, y = mark.x + (mark.size + 4) * pixel[0], mark.y + mark.size * pixel[1]
        _write(ax, x, y, mark.tag, 12, "text", "left", True, True)


def draw_card(ax: Axes, mark: Mark, pixel: Pixel) -> None:
    """Draw a mark that is a card with words on it."""
    wire = mark.card.wire() if mark.card else {}
    (dx, dy), (w, h) = pixel, (wire["width"], wire["height"])
    corner = (mark.x - w / 2 * dx, mark.y - h / 2 * dy)
    ground = ROLES["panel" if mark.filled else "background"]
    ax.add_patch(Rectangle(corner, w * dx, h * dy, facecolor=ground, edgecolor=_colour(mark.colour), linewidth=2 * POINT))
    for words, row, size, bold in ((wire["title"], wire["rows"][0], 13, True), (wire["note"], wire["rows"][1], 12, False)):
        if words:
            _write(ax, mark.x, mark.y - row * dy, words, size, "text", "centre", bold, False)
    if wire["level"] is not None:
        half, down = wire["bar"]
        start, y = mark.x - half * dx, mark.y - down * dy
        for end, colour in ((start + 2 * half * dx, "border"), (start + 2 * half * dx * wire["level"], mark.colour)):
            ax.plot([start, end], [y, y], color=_colour(colour), linewidth=4 * POINT, solid_capstyle="round")


def draw_scene(ax: Axes, scene: Scene) -> Axes:
    """Draw a whole scene into an axes that has the scene's proportions.

    Parameters
    ----------
    ax : Axes
        Its limits are set to the scene's box and its frame is removed.
    """
    left, right, bottom, top = scene.box or (0.0, 1.0, 0.0, 1.0)
    draw = {
        Picture: draw_picture,
        Points: draw_points,
        Segments: draw_segments,
        Polygons: draw_polygons,
        Circle: draw_circle,
        Text: draw_text,
    }
    pixel = ((right - left) / scene.width, (top - bottom) / scene.height)
    for z, layer in enumerate(scene.layers):
        before = set(ax.get_children())
        draw[type(layer)](ax, layer, pixel)  # type: ignore[operator]
        for artist in set(ax.get_children()) - before:
            artist.set_zorder(10 + z)
    before = set(ax.get_children())
    if scene.brush is not None:
        x0, x1, y0, y1 = scene.brush
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor="#CC79A729", edgecolor="#CC79A7", linewidth=2))
    for mark in scene.marks:
        draw_mark(ax, mark, scene.marks, pixel)
    for artist in set(ax.get_children()) - before:
        artist.set_zorder(100)
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="auto")
    ax.set_axis_off()
    return ax


def still_picture(rows: Sequence[Sequence[Scene]], kind: str = "png") -> bytes:
    """Return rows of scenes, side by side as in the notebook, as a PNG or JPEG.

    Parameters
    ----------
    rows : sequence of sequences of Scene
    kind : {"png", "jpeg"}
        JPEG for views made of photographs.
    """
    width = max(sum(scene.width for scene in row) + GAP * (len(row) - 1) for row in rows) + 2 * GAP
    height = sum(max(scene.height for scene in row) for row in rows) + GAP * (len(rows) + 1)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="none")  # every scene brings its place
    FigureCanvasAgg(figure)
    y = float(GAP)
    for row in rows:
        x = float(GAP)
        for scene in row:
            place = (x / width, 1 - (y + scene.height) / height, scene.width / width, scene.height / height)
            draw_scene(figure.add_axes(place), scene)
            x += scene.width + GAP
        y += max(scene.height for scene in row) + GAP
    return encode(figure, kind, tight=False)
