"""The figures of `02_netvlad`: soft assignment, the pull of the loss, nearby images, exact attribution.

Drawing only: every function takes finished data and returns the axes or the figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.retrieval.attribution import SimilarityAttribution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SAME_WAY = np.cos(np.radians(45))  # headings closer than 45 degrees look at the same facades


def nearby_figure(queries: Any, database: Any, query: int, indices: Sequence[int]) -> Figure:
    """Return a figure: a query and database images near it, each with its distance and whether it looks the same way.

    Parameters
    ----------
    queries, database : StreetWorld
    query : int
    indices : sequence of int
        Database images.
    """
    titles, frames = ["the query"], [None]
    for i in indices:
        metres = float(np.linalg.norm(np.asarray(database.positions[i]) - np.asarray(queries.positions[query])))
        same = looks_the_same_way(queries.headings[query], database.headings[i])
        titles.append(f"{metres:.0f} m: {'✓ same way' if same else '✗ elsewhere'}")
        frames.append(plotting.GREEN if same else plotting.VERMILION)
    images = [queries.images[query], *(database.images[i] for i in indices)]
    return plotting.image_grid(images, titles, n_columns=5, frames=frames, width=7.5)


def looks_the_same_way(one: Any, other: Any) -> bool:
    """Whether two headings (radians) differ by less than 45 degrees."""
    return bool(np.cos(float(one) - float(other)) > SAME_WAY)


def draw_soft_weights(ax: Axes, x: np.ndarray, weights: np.ndarray, centers: Sequence[float], title: str) -> Axes:
    """Draw the soft weights (N, K) of points x (N,) on a line with K centres."""
    for k, centre in enumerate(centers):
        colour = plotting.LINE_COLOURS[k % 4]
        ax.plot(x, weights[:, k], color=colour, linestyle=("-", "--", "-.", ":")[k % 4])
        ax.plot([centre], [0], marker=plotting.MARKERS[k], color=colour, clip_on=False, markersize=9)
    ax.set(title=title, xlabel="descriptor x", ylim=(0, 1.05))
    return ax


def draw_ratios(ax: Axes, ratios: np.ndarray, marks: Mapping[str, float]) -> Axes:
    """Draw a histogram of ratios (N,) on a logarithmic axis, with named vertical marks."""
    logs = np.log10(ratios)
    ax.hist(logs, bins=40, color=plotting.SKY, edgecolor="white", linewidth=0.4)
    top = ax.get_ylim()[1]
    for i, (name, value) in enumerate(marks.items()):
        ax.axvline(np.log10(value), color=plotting.LINE_COLOURS[i], linestyle=("-", "--")[i % 2])
        ax.text(np.log10(value) + 0.1, top * (0.93 - 0.12 * i), name, color=plotting.LINE_COLOURS[i])
    low, high = int(np.floor(logs.min())), int(np.ceil(logs.max()))
    ticks = range(low, high + 1, max(1, (high - low) // 6))
    ax.set_xticks(list(ticks), [f"$10^{{{t}}}$" for t in ticks])
    ax.set(xlabel="first soft weight / second soft weight", ylabel="descriptors", title="Two means of the same ratios")
    return ax


def draw_decoupled(
    ax: Axes, points: Mapping[str, Sequence[float]], anchors: np.ndarray, boundary: float, similarity: float, title: str
) -> Axes:
    """Draw two descriptors of different images in one cell, the anchor, and their residuals as arrows.

    Parameters
    ----------
    points : mapping from name to (x, y)
    anchors : array of shape (2, 2)
        The first is the cell's own.
    boundary : float
        x of the vertical boundary between the two cells.
    similarity : float
        Of the two residual directions.
    """
    ax.axvline(boundary, color=plotting.GREY, linestyle="--", linewidth=1.2)
    for i, (name, point) in enumerate(points.items()):
        step = np.asarray(point) - anchors[0]
        ax.annotate("", xy=point, xytext=anchors[0], arrowprops={"arrowstyle": "-|>", "color": plotting.LINE_COLOURS[i], "lw": 2})
        ax.plot(*point, marker="os"[i % 2], color=plotting.LINE_COLOURS[i], markersize=10)
        ax.annotate(name, point, xytext=(8, 8) if step[0] >= 0 else (-14, 8), textcoords="offset points")
    ax.plot(*anchors[0], marker="P", color="black", markersize=11)
    ax.annotate("anchor c", anchors[0], xytext=(8, -16), textcoords="offset points")
    ax.plot(*anchors[1], marker="P", color=plotting.GREY, markersize=9)
    ax.set(xlim=(-2, 2), ylim=(-1.6, 1.6), aspect="equal", title=title)
    ax.set_xlabel(f"cosine of the two residuals {similarity:+.2f}")
    return ax


def draw_pulls(
    ax: Axes, query: np.ndarray, positives: np.ndarray, negatives: np.ndarray, pulls: Sequence[np.ndarray], best: int, active: Any
) -> Axes:
    """Draw points of the unit circle and the way a gradient step moves them.

    Parameters
    ----------
    query, positives, negatives : arrays of shape (2,), (P, 2), (N, 2)
    pulls : the negative gradients, in the same order and shapes
    best : int
        Row of the best positive.
    active : array of shape (N,), bool
    """
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color=plotting.GREY, linewidth=0.8)
    groups = [(query[None], pulls[0][None], plotting.BLUE, "o", [True], "query")]
    groups.append((positives, pulls[1], plotting.GREEN, "^", [i == best for i in range(len(positives))], "positive"))
    groups.append((negatives, pulls[2], plotting.VERMILION, "s", list(active), "negative"))
    for points, arrows, colour, marker, filled, name in groups:
        for i, (point, arrow) in enumerate(zip(points, arrows)):
            ax.plot(*point, marker=marker, color=colour, markersize=11, markerfacecolor=colour if filled[i] else "white")
            if np.linalg.norm(arrow) > 1e-9:
                end = point + 0.22 * arrow
                ax.annotate("", xy=end, xytext=point, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2})
            label = name if len(points) == 1 else f"{name} {i + 1}"
            side = 1 if point[0] >= 0 else -1
            ax.annotate(label, 1.12 * point, ha="left" if side > 0 else "right", va="center", color=colour)
    ax.set(xlim=(-1.9, 1.9), ylim=(-1.2, 1.25), aspect="equal", title="Who is pulled, who is pushed")
    ax.set_axis_off()
    return ax


def results_figure(queries: Any, database: Any, query: int, rankings: Mapping[str, Sequence[int]], radius: float) -> Figure:
    """Return a figure: one row per ranking, the query first, results framed and marked as right or wrong."""
    images, titles, frames = [], [], []
    for name, ranking in rankings.items():
        images.append(queries.images[query])
        titles.append(f"query, {name}")
        frames.append(None)
        for rank, i in enumerate(ranking, start=1):
            right = np.linalg.norm(np.asarray(database.positions[i]) - np.asarray(queries.positions[query])) <= radius
            images.append(database.images[i])
            titles.append(f"{rank} {'✓' if right else '✗'}")
            frames.append(plotting.GREEN if right else plotting.VERMILION)
    return plotting.image_grid(images, titles, n_columns=1 + len(next(iter(rankings.values()))), frames=frames, width=7.5)


def attribution_figure(pairs: Mapping[str, tuple[Any, Any, SimilarityAttribution]]) -> Figure:
    """Return a figure: per named pair a row of query, its contributions, the result, its contributions.

    Parameters
    ----------
    pairs : mapping from name to (query image, database image, attribution)
        The attributions need grids. All maps share one symmetric scale; contributions are per location, in parts per
        thousand of similarity.
    """
    limit = max(1000 * np.abs(np.concatenate([p.query, p.database])).max() for *_, p in pairs.values())
    figure, axes = plotting.new_figure(len(pairs), 4, size=(7.5, 0.2 + 1.48 * len(pairs)), squeeze=False)
    for row, (name, (query, result, parts)) in zip(axes, pairs.items()):
        sides = ((query, parts.query, parts.query_grid), (result, parts.database, parts.database_grid))
        for (plain, heat), (image, values, grid), what in zip((row[:2], row[2:]), sides, ("query", "result")):
            plotting.draw_image(plain, image, f"{name}: {what}")
            shown = draw_contributions(heat, image, values, grid, limit)
    figure.colorbar(shown, ax=axes[:, 3], label="contribution x 1000", shrink=0.9)
    return figure


def mean_maps_figure(maps: Mapping[str, np.ndarray]) -> Figure:
    """Return a figure: one panel per named map (rows, columns) of mean contributions, on one symmetric scale."""
    limit = 1000 * max(np.abs(m).max() for m in maps.values())
    figure, axes = plotting.new_figure(1, len(maps), size=(7, 2.5), squeeze=False)
    for ax, (name, values) in zip(axes[0], maps.items()):
        shown = ax.imshow(1000 * values, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set(title=name, xticks=[], yticks=[])
    figure.colorbar(shown, ax=axes[0], label="contribution x 1000")
    return figure


def draw_contributions(ax: Axes, image: Any, values: np.ndarray, grid: tuple[int, int], limit: float) -> Any:
    """Draw contributions (N,) over the grey image, the stronger the more opaque; return the colour scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    grey = plotting.as_picture(image).mean(2)
    height, width = grey.shape
    plotting.draw_image(ax, np.repeat(grey[..., None], 3, axis=2).astype(np.uint8))
    scale = ScalarMappable(Normalize(-limit, limit), "PuOr_r")
    scaled = 1000 * np.asarray(values).reshape(grid)
    layer = scale.to_rgba(scaled)
    layer[..., 3] = np.clip(1.6 * np.abs(scaled) / limit, 0, 0.85)
    ax.imshow(layer, extent=(-0.5, width - 0.5, height - 0.5, -0.5), interpolation="nearest")
    return scale


def draw_curve(ax: Axes, steps: Sequence[float], values: Sequence[float], xlabel: str, ylabel: str, colour: str) -> Axes:
    """Draw one curve with its points marked."""
    ax.plot(steps, values, color=colour, marker="o" if len(values) < 30 else None)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(axis="y")
    return ax
