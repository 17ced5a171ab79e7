"""The figures of `16_cutting_and_pasting`: mixed images over their labels, weights, edges, and the findings of the court.

Every function takes data and draws; nothing is computed here that a reader could want to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.augment.mixing_court import CourtRow
from course_utils.augment.mixing_figures import draw_label_bar
from course_utils.plotting import BLUE, FILL_COLOURS, GREEN, GREY, LINE_COLOURS, VERMILION, as_picture, draw_image, new_figure


def labelled_figure(images: Sequence[Any], labels: Any, names: Sequence[str], titles: Sequence[str], width: float = 9.0) -> Any:
    """Draw images in one row, and below each its label as a bar: one part for each class, as long as its share.

    Parameters
    ----------
    images : sequence of n images
    labels : array of shape (n, K)
        Rows with the sum 1.
    names : sequence of K str
        Of the classes, for the legend.
    titles : sequence of n str
    width : float, default 9
        In inches.
    """
    table, (height, side) = np.asarray(labels, float), as_picture(images[0]).shape[:2]
    cell = width / len(images)
    size = (width, cell * height / side + 0.95)
    figure, axes = new_figure(2, len(images), size=size, squeeze=False, height_ratios=(cell * height / side, 0.28))
    for column, (image, row, title) in enumerate(zip(images, table, titles)):
        draw_image(axes[0, column], image, title)
        draw_label_bar(axes[1, column], row)
    handles = [axes[1, 0].barh([0], [0], color=FILL_COLOURS[k % len(FILL_COLOURS)]) for k in range(len(names))]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=11, frameon=False)
    return figure


def draw_raw_and_true(ax: Any, raw: Any, true: Any, title: str, n_shown: int = 4000) -> Any:
    """Draw what is really left of an image (n,) against lam (n,) as it was drawn: the mean, and at most ``n_shown`` points."""
    raw, true = np.asarray(raw, float), np.asarray(true, float)
    ax.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    ax.scatter(raw[:n_shown], true[:n_shown], s=6, color=BLUE, alpha=0.3, linewidths=0)
    ax.axhline(true.mean(), color=VERMILION, linewidth=2)
    ax.annotate(f"mean {true.mean():.2f}", (0.02, true.mean()), (0, 4), textcoords="offset points", color=VERMILION, fontsize=11)
    ax.set(xlabel="lam as it was drawn", ylabel="what is left of the image", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    ax.set_title(title, fontsize=12)
    return ax


def draw_histograms(ax: Any, values: Mapping[str, Any], xlabel: str, limits: tuple[float, float], bins: int = 40) -> Any:
    """Draw the distributions of named values as steps, with a mark at each mean."""
    edges = np.linspace(*limits, bins + 1)
    for (name, one), colour, line in zip(values.items(), LINE_COLOURS, ("-", "--", "-.", ":")):
        one = np.asarray(one, float)
        ax.hist(
            one,
            edges,
            density=True,
            histtype="step",
            color=colour,
            linewidth=2,
            linestyle=line,
            label=f"{name}, mean {one.mean():.2f}",
        )
    ax.set(xlabel=xlabel, ylabel="density", xlim=limits)
    ax.legend(fontsize=10, loc="best")
    return ax


def masks_figure(masks: Sequence[Any], titles: Sequence[str]) -> Any:
    """Draw masks G (H, W) with values in [0, 1] in one row, under one colour bar."""
    figure, axes = new_figure(1, len(masks), size=(9, 9 / len(masks) + 0.3), squeeze=False)
    for ax, mask, title in zip(axes[0], masks, titles):
        shown = ax.imshow(np.asarray(mask, float), vmin=0, vmax=1, cmap="cividis", interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=11, fontweight="normal", loc="center")
    figure.colorbar(shown, ax=axes[0], label="part of the first", shrink=0.85)
    return figure


def court_figure(rows: Sequence[CourtRow]) -> Any:
    """Draw the worst label error of every mixer on a logarithmic axis: a filled circle is right, a cross is wrong."""
    judged = [row for row in rows if row.error is not None]
    figure, ax = new_figure(size=(9, 0.27 * len(judged) + 1.0))
    for place, row in enumerate(judged[::-1]):
        error = max(row.error, 1e-9)
        colour, marker = (GREEN, "o") if row.is_right else (VERMILION, "X")
        ax.hlines(place, 1e-9, error, color=colour, linewidth=1.5, alpha=0.6)
        ax.plot(error, place, marker, color=colour, markersize=8)
        if not row.is_right:
            ax.annotate(f"{row.error:.2f}", (error, place), (8, 0), textcoords="offset points", va="center", fontsize=10)
    ax.set_yticks(range(len(judged)), [f"{row.library}: {row.mixer}" for row in judged[::-1]], fontsize=10)
    ax.set(
        xscale="log",
        xlim=(1e-9, 6),
        ylim=(-0.7, len(judged) - 0.3),
        xlabel="worst error of a label, of 50 batches (left: rounding)",
    )
    ax.axvline(1e-5, color=GREY, linestyle="--", linewidth=1)
    ax.set_title("The label-mass court", fontsize=12)
    return figure
