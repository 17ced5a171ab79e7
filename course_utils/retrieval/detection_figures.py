"""The detection figures of `05_mean_average_precision`: boxes on pictures, curves of classes, the threshold's effect.

Drawing only: every function takes finished data. True boxes are drawn in white with a dark rim, found ones in green with
a solid line, false ones in vermilion with a dashed line: colour never says it alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.retrieval.precision_recall import PrecisionRecallCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_boxes(
    ax: Axes, image: Any, true_boxes: Any, boxes: Any, right: Sequence[bool], labels: Sequence[str], title: str = ""
) -> Axes:
    """Draw an image with its true boxes and the judged boxes of a detector.

    Parameters
    ----------
    image : Tensor or array
        In any form that ``plotting.as_picture`` takes.
    true_boxes : array-like of shape (m, 4)
        Left, top, right, bottom in pixels.
    boxes : array-like of shape (n, 4)
    right : sequence of n bool
        Whether each box found an object: solid green, else dashed vermilion.
    labels : sequence of n strings
        Written inside each box, those of right boxes at the top.
    """
    from matplotlib import patheffects
    from matplotlib.patches import Rectangle

    plotting.draw_image(ax, image, title)
    for box in np.asarray(true_boxes, float).reshape(-1, 4):
        for colour, width in (("black", 3.2), ("white", 1.6)):
            ax.add_patch(Rectangle(box[:2] - 0.5, *(box[2:] - box[:2]), fill=False, edgecolor=colour, linewidth=width))
    width = ax.get_xlim()[1]
    rim = [patheffects.withStroke(linewidth=2.5, foreground="white")]
    for box, good, label in zip(np.asarray(boxes, float).reshape(-1, 4), right, labels):
        colour, style = (plotting.GREEN, "-") if good else (plotting.VERMILION, "--")
        look = {"fill": False, "edgecolor": colour, "linewidth": 2.2, "linestyle": style}
        ax.add_patch(Rectangle(box[:2] - 0.5, *(box[2:] - box[:2]), **look))
        # Right boxes carry their label inside the upper edge, wrong ones inside the lower edge: doubles stay readable.
        y, vertical = (box[1], "top") if good else (box[3], "bottom")
        x, side = (box[0], "left") if box[0] < 0.6 * width else (min(box[2], width), "right")
        words = f"{'✓' if good else '✗'} {label}"
        ax.text(x, y, words, color=colour, fontsize=9, fontweight="bold", path_effects=rim, ha=side, va=vertical)
    return ax


def judged_figure(
    images: Sequence[Any],
    objects: Sequence[Mapping[str, Any]],
    detections: Sequence[Mapping[str, Any]],
    right: Sequence[Sequence[bool]],
    class_names: Sequence[str],
    n_columns: int = 3,
) -> Figure:
    """Return a figure with one judged picture per image.

    Parameters
    ----------
    images : sequence of (3, H, W) images
    objects : sequence of dict
        ``"boxes" (m, 4)`` of every image.
    detections : sequence of dict
        ``"boxes" (n, 4)``, ``"scores" (n,)``, ``"labels" (n,)`` of every image, those that should be drawn.
    right : sequence of sequences of bool
        The judgement of every detection.
    class_names : sequence of str
    """
    n_columns = min(n_columns, len(images))
    n_rows = -(-len(images) // n_columns)
    figure, axes = plotting.new_figure(n_rows, n_columns, size=(9.0, 9.0 / n_columns * n_rows), squeeze=False)
    for i, ax in enumerate(axes.flat):
        if i >= len(images):
            ax.set_axis_off()
            continue
        found = detections[i]
        labels = [f"{class_names[int(label)]} {float(score):.2f}" for label, score in zip(found["labels"], found["scores"])]
        draw_boxes(ax, images[i], objects[i]["boxes"], found["boxes"], right[i], labels)
    return figure


def draw_class_curves(ax: Axes, curves: Mapping[str, PrecisionRecallCurve]) -> Axes:
    """Draw one precision-recall curve per class, with its envelope as a thin line.

    Parameters
    ----------
    curves : mapping from class name to PrecisionRecallCurve
    """
    styles = ("-", "--", "-.", ":")
    for i, (name, curve) in enumerate(curves.items()):
        colour = plotting.LINE_COLOURS[i % 4]
        ax.plot(curve.recall, curve.precision, color=colour, linestyle=styles[(i // 4 + i) % 4], linewidth=1.8, label=name)
        ax.plot(curve.recall, curve.envelope, color=colour, linewidth=0.6)
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.04))
    ax.grid(True)
    ax.legend(fontsize=10, loc="upper right")
    return ax


def draw_thresholds(ax: Axes, per_threshold: Mapping[float, float], marks: Mapping[str, float]) -> Axes:
    """Draw mAP against the IoU threshold, with horizontal lines for named means.

    Parameters
    ----------
    per_threshold : mapping from IoU threshold to mAP
    marks : mapping from name to float
    """
    ax.plot(list(per_threshold), list(per_threshold.values()), "o-", color=plotting.BLUE)
    for i, (name, value) in enumerate(marks.items()):
        colour, style = plotting.LINE_COLOURS[1 + i % 3], ("--", "-.", ":")[i % 3]
        ax.axhline(value, color=colour, linestyle=style)
        ax.text(max(per_threshold) + 0.005, value, name, color=colour, va="bottom", ha="right", fontsize=11)
    top = max([*per_threshold.values(), *marks.values(), 0.1])
    ax.set(xlabel="IoU threshold", ylabel="mAP over classes", ylim=(0, 1.15 * top))
    ax.grid(True)
    return ax
