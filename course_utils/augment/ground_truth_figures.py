"""Pictures of what moves along: boxes, mask outlines and key points drawn on images, curves over the angle, bent grids.

Everything is given in the continuous coordinates of ``course_utils.augment.plan``. ``imshow`` puts the middle of the first
pixel at 0, so half a pixel is taken off when drawing.

Left and right key points differ in colour and in shape, so that a forgotten exchange of the two can be seen.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.checks import message

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT_STYLE = {"marker": "o", "facecolor": plotting.SKY, "label": "left"}
RIGHT_STYLE = {"marker": "s", "facecolor": plotting.ORANGE, "label": "right"}
OTHER_STYLE = {"marker": "D", "facecolor": "white", "label": "neither"}


def draw_truth(
    ax: Axes,
    image: Any,
    title: str = "",
    boxes: Any = None,
    mask: Any = None,
    points: Any = None,
    pairs: Sequence[tuple[int, int]] = (),
    frame: str | None = None,
    box_labels: Sequence[str] | None = None,
) -> Axes:
    """Draw an image with its ground truth on top.

    Parameters
    ----------
    image : Tensor or array
        In a form that ``plotting.as_picture`` takes.
    boxes : Tensor of shape (N, 4), optional
        Corners (x1, y1, x2, y2).
    mask : Tensor of shape (H, W), optional
        Its outline is drawn.
    points : Tensor of shape (K, 2), optional
        Key points (x, y); those with NaN are left out.
    pairs : sequence of (left, right), optional
        Key points with a side: left ones are round, right ones square.
    frame : str, optional
        Colour of a border.
    box_labels : sequence of N str, optional
        Text at each box.
    """
    plotting.draw_image(ax, image, title, frame)
    height, width = plotting.as_picture(image).shape[:2]
    if mask is not None:
        outline = np.pad(np.asarray(mask).astype(float), 1)  # a mask that touches the border gets a closed outline
        places = (np.arange(-1, width + 1), np.arange(-1, height + 1))
        if outline.any():
            ax.contour(*places, outline, levels=[0.5], colors=[plotting.YELLOW], linewidths=1.6)
    if boxes is not None:
        plotting.draw_boxes(ax, boxes, box_labels)
    if points is not None:
        places = np.asarray(points, float) - 0.5
        sides = {i: style for pair in pairs for i, style in zip(pair, (LEFT_STYLE, RIGHT_STYLE))}
        for i, (x, y) in enumerate(places):
            if np.isfinite((x, y)).all():
                style = {k: v for k, v in sides.get(i, OTHER_STYLE).items() if k != "label"}
                ax.scatter(x, y, s=46, edgecolor="black", linewidth=1.2, zorder=6, **style)
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return ax


def truth_figure(panels: Sequence[Mapping[str, Any]], n_columns: int = 5, width: float = 9.0) -> Figure:
    """Return a row (or rows) of images with their ground truth; each panel holds arguments of ``draw_truth``.

    Raises
    ------
    ValueError
        If there is no panel.
    """
    if not len(panels):
        raise ValueError(message("panels", "at least one panel", "none"))
    n_columns = min(n_columns, len(panels))
    n_rows = -(-len(panels) // n_columns)
    side = width / n_columns
    figure, axes = plotting.new_figure(n_rows, n_columns, size=(width, n_rows * (side + 0.34)), squeeze=False)
    for ax, panel in zip(axes.flat, panels):
        draw_truth(ax, **panel)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    return figure


def draw_curves(
    ax: Axes, x: Any, curves: Mapping[str, Any], xlabel: str, ylabel: str, dots: Mapping[str, Any] | None = None
) -> Axes:
    """Draw named curves over x, each with its name above its highest point.

    Parameters
    ----------
    x : array of shape (N,)
    curves : mapping from name to array of shape (N,)
    dots : mapping from name to array of shape (N,), optional
        Measurements: points in the colour of the curve of that name.
    """
    x = np.asarray(x, float)
    for i, (name, values) in enumerate(curves.items()):
        values, colour = np.asarray(values, float), plotting.LINE_COLOURS[i % len(plotting.LINE_COLOURS)]
        ax.plot(x, values, color=colour, linestyle=("-", "--", "-.", ":")[i % 4])
        if dots is not None and name in dots:
            ax.plot(x, np.asarray(dots[name], float), plotting.MARKERS[i], color=colour, markersize=5)
        top = int(values.argmax())
        side = "left" if top < len(x) / 4 else "right" if top > 3 * len(x) / 4 else "center"
        ax.annotate(name, (x[top], values[top]), xytext=(0, 7), textcoords="offset points", color=colour, ha=side, fontsize=11)
    low, high = ax.get_ylim()
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(low, high + 0.12 * (high - low)))
    ax.grid(True)
    return ax


def draw_bent_grid(ax: Axes, displacement: Any, spacing: int = 2, title: str = "") -> Axes:
    """Draw where a regular grid of output pixels looks in the source: ``q + D(q)`` for every line of the grid.

    Parameters
    ----------
    displacement : Tensor of shape (2, H, W)
        (x, y) in pixels, at the centres of the output pixels.
    spacing : int, default 2
        Pixels between two lines.
    """
    d = np.asarray(displacement, float)
    height, width = d.shape[1:]
    y, x = np.mgrid[:height, :width] + 0.5
    for line in range(0, height, spacing):
        ax.plot(x[line] + d[0, line], y[line] + d[1, line], color=plotting.BLUE, linewidth=1)
    for line in range(0, width, spacing):
        ax.plot(x[:, line] + d[0, :, line], y[:, line] + d[1, :, line], color=plotting.VERMILION, linewidth=1)
    ax.set(xlim=(-3, width + 3), ylim=(height + 3, -3), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, fontsize=11, fontweight="normal", loc="center")
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax
