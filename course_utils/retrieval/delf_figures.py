"""The figures of `03_delf`: where attention lies, what a cell sees, key points, matches, re-ranked lists.

Drawing only: every function takes finished data and returns the axes or the figure. Points are continuous pixels (the
middle of the first pixel is 0.5), and matplotlib puts that middle at 0; the shift is made here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.retrieval.attention_quality import cells_on_landmark
from course_utils.retrieval.delf import LogitParts
from course_utils.retrieval.local_feature_set import LocalFeatureSet
from course_utils.retrieval.receptive_field import ReceptiveField

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HALF = 0.5  # from continuous pixels to matplotlib's
GAP = 6  # pixels between two images drawn side by side


def cells_figure(images: Sequence[Any], masks: Any, field: ReceptiveField, grid: tuple[int, int]) -> Figure:
    """Return a figure: photographs with every key point of one map, filled on the landmark and hollow beside it."""
    inside = cells_on_landmark(masks, field, *grid)
    centers = field.centers(*grid) - HALF
    figure, axes = plotting.new_figure(1, len(images), size=(7.5, 7.5 / len(images) + 0.3), squeeze=False)
    for ax, image, on in zip(axes[0], images, inside.reshape(len(images), -1)):
        plotting.draw_image(ax, image, f"{on.sum()} of {len(on)} cells")
        ax.scatter(*centers[on].T, s=22, color=plotting.BLUE, edgecolor="white", linewidth=0.7)
        ax.scatter(*centers[~on].T, s=14, facecolor="none", edgecolor="white", linewidth=0.9)
    return figure


def draw_training(ax: Axes, validation: Sequence[tuple[int, float]], n_epochs: int, name: str, number: int) -> Axes:
    """Draw the validation scores of one stage over epochs, as line ``number`` of the figure."""
    epochs = np.arange(1, len(validation) + 1) * n_epochs / max(len(validation), 1)
    colour, marker = plotting.LINE_COLOURS[number], plotting.MARKERS[number]
    scores = [score for _, score in validation]
    ax.plot(epochs, scores, color=colour, marker=marker, linestyle=("-", "--", "-.", ":")[number])
    ax.annotate(name, (epochs[-1], scores[-1]), xytext=(6, 0), textcoords="offset points", color=colour, va="center")
    return ax


def draw_map(ax: Axes, image: Any, values: np.ndarray, title: str = "", signed: bool = False, mask: Any = None) -> Axes:
    """Draw a map (h, w) of an image's cells, as wide as the image, with the outline of a mask (H, W).

    ``signed`` maps get a diverging scale with zero in the middle; others a scale from zero.
    """
    height, width = np.asarray(plotting.as_picture(image)).shape[:2]
    top = max(float(np.abs(values).max()), 1e-12)
    scale = {"cmap": "PuOr_r", "vmin": -top, "vmax": top} if signed else {"cmap": "viridis", "vmin": 0, "vmax": top}
    ax.imshow(values, extent=(-HALF, width - HALF, height - HALF, -HALF), interpolation="nearest", **scale)
    if mask is not None and np.asarray(mask).any() and not np.asarray(mask).all():
        ax.contour(np.asarray(mask, float), levels=[0.5], colors="white" if not signed else "black", linewidths=1.6)
    ax.set(xticks=[], yticks=[])
    if title:
        ax.set_title(title, fontsize=11, fontweight="normal", loc="center")
    return ax


def attention_figure(images: Sequence[Any], maps: Mapping[str, Any], masks: Any) -> Figure:
    """Return a figure: one column per photograph; below it a row per map, each with the outline of the landmark."""
    n = len(images)
    figure, axes = plotting.new_figure(1 + len(maps), n, size=(1.3 * n, 1.35 * (1 + len(maps))), squeeze=False)
    for column, image in enumerate(images):
        plotting.draw_image(axes[0, column], image)
    for row, (name, values) in enumerate(maps.items(), start=1):
        for column, image in enumerate(images):
            draw_map(axes[row, column], image, np.asarray(values[column]), mask=masks[column])
        axes[row, 0].set_ylabel(name, fontsize=11)
    axes[0, 0].set_ylabel("photograph", fontsize=11)
    return figure


def logit_figure(image: Any, parts: LogitParts, name: str) -> Figure:
    """Return a figure: photograph, scores, votes, and their product, which sums to the class logit."""
    figure, axes = plotting.new_figure(1, 4, size=(9, 2.6))
    plotting.draw_image(axes[0], image, name)
    draw_map(axes[1], image, parts.scores, "attention")
    draw_map(axes[2], image, parts.votes, "vote for the class", signed=True)
    draw_map(axes[3], image, parts.contributions, "contribution", signed=True)
    return figure


def patches_figure(rows: Mapping[str, tuple[Sequence[Any], np.ndarray]]) -> Figure:
    """Return a figure: a named row of crops per entry, each from (images, boxes (n, 4)); boxes may leave the image."""
    n = max(len(boxes) for _, boxes in rows.values())
    figure, axes = plotting.new_figure(len(rows), n, size=(9, len(rows) * (9 / n + 0.05)), squeeze=False)
    for line, (name, (images, boxes)) in zip(axes, rows.items()):
        for ax in line[len(boxes) :]:
            ax.set_axis_off()
        for ax, image, box in zip(line, images, boxes):
            plotting.draw_image(ax, cropped(image, box))
        line[0].set_ylabel(name, fontsize=11)
    return figure


def cropped(image: Any, box: Any) -> np.ndarray:
    """Return the pixels of a box (x0, y0, x1, y1) as (h, w, 3) uint8; beyond the border the image goes on as it ends."""
    picture = plotting.as_picture(image)
    x0, y0, x1, y1 = np.round(np.asarray(box)).astype(int)
    rows = np.clip(np.arange(y0, y1), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(x0, x1), 0, picture.shape[1] - 1)
    return picture[rows][:, columns]


def field_figure(share: np.ndarray, cell: int, field: ReceptiveField) -> Figure:
    """Return a figure: how often each pixel counts for one cell, the computed square around it, and the profile."""
    x0, y0, x1, y1 = field.boxes(cell + 1, cell + 1)[-1] - HALF
    figure, (left, right) = plotting.new_figure(1, 2, size=(8.6, 3.4), width_ratios=(1, 1.6))
    left.imshow(np.sqrt(share), cmap="viridis", interpolation="nearest")
    left.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="white", linewidth=1.8)
    left.set(xticks=[], yticks=[], title="Gradient (root), and the square")
    profile = share.sum(1)
    right.bar(np.arange(len(profile)), 100 * profile, width=1.0, color=plotting.SKY)
    for edge in (y0, y1):
        right.axvline(edge, color=plotting.VERMILION, linestyle="--", linewidth=1.5)
    right.set(xlabel="row of pixels", ylabel="share of the gradient, %", title="Zero outside, small at the edge")
    return figure


def draw_key_points(ax: Axes, image: Any, features: LocalFeatureSet, title: str = "", boxes: Sequence[int] = ()) -> Axes:
    """Draw an image with its key points: colour and marker tell the scale, ``boxes`` names features whose field is drawn."""
    plotting.draw_image(ax, image, title)
    for scale in np.unique(features.scales):
        number = int(np.rint(2 * np.log2(scale))) + 4  # 0.25 is 0, and every root of two one more: the same in all panels
        chosen = features.scales == scale
        ax.scatter(
            *(features.points[chosen] - HALF).T,
            s=34 / max(float(scale), 0.35) ** 0.8,
            marker=plotting.MARKERS[number % len(plotting.MARKERS)],
            color=plotting.FILL_COLOURS[number % len(plotting.FILL_COLOURS)],
            edgecolor="black",
            linewidth=0.5,
            label=f"{scale:.2f}",
        )
    for i in boxes:
        x0, y0, x1, y1 = features.boxes[i] - HALF
        ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="white", linewidth=1.6, clip_on=True)
    height, width = features.size
    ax.set(xlim=(-HALF, width - HALF), ylim=(height - HALF, -HALF))
    return ax


def matches_figure(
    pair: tuple[Any, Any],
    rows: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    height: float = 2.6,
    n_lines: int = 40,
) -> Figure:
    """Return a figure: the same two images per panel, joined by matches; right ones green and solid, wrong ones dashed.

    Parameters
    ----------
    pair : two images
    rows : mapping from title to (points_a (N, 2), points_b (N, 2), correct (N,))
    height : float, default 2.6
        Of a row, in inches.
    n_lines : int, default 40
        Drawn at most, evenly spaced; more would cover the images.
    """
    columns = min(len(rows), 2)
    n_rows = -(-len(rows) // columns)
    figure, axes = plotting.new_figure(n_rows, columns, size=(9, n_rows * height), squeeze=False)
    for ax in axes.flat[len(rows) :]:
        ax.set_axis_off()
    for ax, (title, (points_a, points_b, correct)) in zip(axes.flat, rows.items()):
        drawn = np.unique(np.linspace(0, len(correct) - 1, min(n_lines, len(correct))).astype(int))
        draw_matches(ax, *pair, points_a[drawn], points_b[drawn], np.asarray(correct)[drawn])
        title = f"{title}: {len(drawn)} of {len(correct)} drawn" if len(drawn) < len(correct) else f"{title}: {len(correct)}"
        ax.set_title(title, fontsize=11, fontweight="normal", loc="center")
    return figure


def draw_matches(ax: Axes, image_a: Any, image_b: Any, points_a: Any, points_b: Any, correct: Any) -> Axes:
    """Draw two images side by side and join matched points; see ``matches_figure``."""
    a, b = plotting.as_picture(image_a), plotting.as_picture(image_b)
    canvas = np.full((max(len(a), len(b)), a.shape[1] + GAP + b.shape[1], 3), 255, np.uint8)
    canvas[: len(a), : a.shape[1]] = a
    canvas[: len(b), a.shape[1] + GAP :] = b
    ax.imshow(canvas, interpolation="antialiased")
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    shift = np.array([a.shape[1] + GAP, 0])
    for p, q, good in zip(np.asarray(points_a) - HALF, np.asarray(points_b) - HALF + shift, correct):
        colour, style = (plotting.GREEN, "-") if good else (plotting.VERMILION, (0, (3, 2)))
        ax.plot(*np.array([p, q]).T, color=colour, linestyle=style, linewidth=1.1, marker="o", markersize=3)
    return ax


def lists_figure(query: Any, database: Sequence[Any], rows: Mapping[str, Sequence[tuple[int, bool, str]]]) -> Figure:
    """Return a figure: per row the query and a ranked list of (index, right, caption) with frames for right and wrong."""
    images, titles, frames = [], [], []
    for name, entries in rows.items():
        images.append(query)
        titles.append(name)
        frames.append(None)
        for index, good, caption in entries:
            images.append(database[index])
            titles.append(f"{'✓' if good else '✗'} {caption}")
            frames.append(plotting.GREEN if good else plotting.VERMILION)
    return plotting.image_grid(images, titles, n_columns=1 + len(next(iter(rows.values()))), frames=frames, width=8.0)
