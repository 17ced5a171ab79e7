"""The figures of `15_mixing`: images over their labels, masks, ratios, schedules, and what training longer changes.

Those in the plane stand in ``manifold_mixup_figures``. Every function takes data and draws; nothing is computed here that a
reader could want to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.plotting import BLUE, FILL_COLOURS, GREY, LINE_COLOURS, VERMILION, as_picture, draw_image, new_figure

PAIR = FILL_COLOURS[:4]
"""Colours of the first, second, third and fourth image of a mixture, in every figure of chapters 15 and 16."""

BRIGHT = FILL_COLOURS[4:]
"""Colours on which white letters cannot be read."""


def labelled_grid(
    images: Sequence[Any], weights: Any, titles: Sequence[str], names: Sequence[Sequence[str]] | None = None, n_columns: int = 6
) -> Any:
    """Return images in a grid, each over a bar that says what its label is made of.

    Parameters
    ----------
    images : sequence of M images
    weights : array or Tensor of shape (M, k)
        Label weights; each colour is one of the k source images.
    titles : sequence of M str
    names : sequence of M sequences of k str, optional
        What stands in the parts of each bar that are wide enough; percentages otherwise.
    n_columns : int, default 6
    """
    weights = np.asarray(weights, dtype=float)
    n_columns = min(n_columns, len(images))
    n_rows = -(-len(images) // n_columns)
    height, width = as_picture(images[0]).shape[:2]
    cell = 9 / n_columns * height / width
    figure, axes = new_figure(
        2 * n_rows,
        n_columns,
        size=(9, n_rows * (cell + 0.75)),
        squeeze=False,
        gridspec_kw={"height_ratios": [cell, 0.28] * n_rows},
    )
    for i in range(n_rows * n_columns):
        row, column = divmod(i, n_columns)
        above, below = axes[2 * row, column], axes[2 * row + 1, column]
        if i >= len(images):
            above.set_axis_off()
            below.set_axis_off()
            continue
        draw_image(above, images[i], titles[i])
        draw_label_bar(below, weights[i], names[i] if names is not None else None)
    return figure


def draw_label_bar(ax: Any, weights: Any, names: Sequence[str] | None = None) -> Any:
    """Draw weights of k images or classes as one stacked bar of length 1; a part with room has a name or a percentage."""
    left = 0.0
    for k, weight in enumerate(np.asarray(weights, dtype=float)):
        colour = FILL_COLOURS[k % len(FILL_COLOURS)]
        ax.barh(0, weight, left=left, height=1, color=colour, edgecolor="white", linewidth=1)
        text = f"{100 * weight:.0f} %" if names is None else names[k]
        if weight > (0.24 if names is None else 0.045 * len(text) + 0.1):
            ink = "black" if colour in BRIGHT else "white"
            ax.text(left + weight / 2, 0, text, ha="center", va="center", fontsize=9, color=ink)
        left += weight
    ax.set(xlim=(0, 1), ylim=(-0.5, 0.5), xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def ways_figure(masks: Sequence[Any], images: Sequence[Any], weights: Any, names: Sequence[str], n_columns: int = 8) -> Any:
    """Return for each way of mixing its mask (white: the first image), the result, and its label bar.

    Parameters
    ----------
    masks : sequence of M arrays of shape (H, W), values in [0, 1]
    images : sequence of M images
    weights : array or Tensor of shape (M, 2)
    names : sequence of M str
    n_columns : int, default 8
    """
    n_rows, cell = -(-len(images) // n_columns), 9 / n_columns
    figure, axes = new_figure(
        3 * n_rows,
        n_columns,
        size=(9, n_rows * (2 * cell + 0.75)),
        squeeze=False,
        gridspec_kw={"height_ratios": [cell, cell, 0.25] * n_rows},
    )
    for i, name in enumerate(names):
        row, column = divmod(i, n_columns)
        mask, image, bar = axes[3 * row : 3 * row + 3, column]
        draw_image(mask, masks[i])
        mask.set_title(name.replace("_", "\n", 1).replace("_", " "), fontsize=9, fontweight="normal", loc="center")
        draw_image(image, images[i])
        draw_label_bar(bar, np.asarray(weights, dtype=float)[i])
    for ax in axes.flat:
        ax.set_frame_on(False)
        ax.set_xticks([])
        ax.set_yticks([])
    return figure


def draw_ratios(ax: Any, draws: Mapping[str, Any]) -> Any:
    """Draw histograms of ratios in [0, 1] as steps, one line for each name."""
    for colour, style, (name, values) in zip(LINE_COLOURS, ("-", "--", ":", "-."), draws.items()):
        counts, edges = np.histogram(np.asarray(values), bins=25, range=(0, 1), density=True)
        ax.stairs(counts, edges, color=colour, linestyle=style, linewidth=2, label=name)
    ax.set(xlabel="ratio lam: what the first image keeps", ylabel="density", xlim=(0, 1), ylim=(0, None))
    ax.legend(frameon=False)
    return ax


def draw_schedule(ax: Any, on: Sequence[bool]) -> Any:
    """Draw epoch by epoch whether images are paired: filled is on."""
    epochs = np.arange(len(on))
    for flag, colour, hatch in ((True, BLUE, ""), (False, "white", "///")):
        chosen = epochs[np.asarray(on, dtype=bool) == flag]
        ax.bar(chosen, 1, width=1, align="edge", color=colour, edgecolor=GREY, hatch=hatch, linewidth=0.5)
    ax.set(xlabel="epoch", xlim=(0, len(on)), yticks=[], ylim=(0, 1))
    ax.set_title("filled: pairing is on", fontsize=11, fontweight="normal", loc="left")
    return ax


def draw_between(ax: Any, lam: Any, curves: Mapping[str, Any]) -> Any:
    """Draw answers on the way from one image (lam = 1) to another (lam = 0); the dashed line is what Mixup asks for."""
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=(0, (5, 4)), linewidth=1.4, label="label of Mixup")
    for colour, (name, values) in zip(LINE_COLOURS, curves.items()):
        ax.plot(np.asarray(lam), np.asarray(values), color=colour, linewidth=2.2, label=name)
    ax.set(xlabel="lam", ylabel="probability of the first class", xlim=(0, 1), ylim=(0, 1))
    ax.legend(frameon=False, loc="upper left")
    return ax


def draw_lengths(ax: Any, gains: Mapping[str, Mapping[int, Sequence[float]]], unit: str) -> Any:
    """Draw gains over the number of steps: a dot for each seed, a line through the means.

    Parameters
    ----------
    gains : mapping from method to (mapping from steps to a gain for each seed)
    """
    ax.axhline(0, color=GREY, linewidth=1.2)
    for k, (colour, marker, (name, by_steps)) in enumerate(zip(LINE_COLOURS, "osD^", gains.items())):
        steps = np.array(list(by_steps), dtype=float)
        shift = 1.04 ** (2 * k - 1)
        for x, values in zip(steps, by_steps.values()):
            ax.plot(np.full(len(values), x * shift), values, marker, color=colour, markersize=4, alpha=0.5, linestyle="none")
        means = [float(np.mean(values)) for values in by_steps.values()]
        ax.plot(steps * shift, means, color=colour, marker=marker, linewidth=2.2, label=name)
    ax.set(xscale="log", xlabel="steps of training", ylabel=unit)
    ax.set_xticks(steps, [f"{int(one):,}" for one in steps])
    ax.minorticks_off()
    ax.legend(frameon=False, loc="lower right")
    return ax


def draw_intervals(ax: Any, intervals: Mapping[str, tuple[float, float, float]], unit: str) -> Any:
    """Draw a mean difference with its interval (low, mean, high) for each name, sorted, around zero."""
    ordered = sorted(intervals.items(), key=lambda item: item[1][1])
    ax.axvline(0, color=GREY, linewidth=1.2)
    for row, (_, (low, mean, high)) in enumerate(ordered):
        colour = BLUE if low > 0 else VERMILION if high < 0 else "black"
        ax.plot([low, high], [row, row], color=colour, linewidth=2.2)
        ax.plot(mean, row, "o" if low <= 0 <= high else "D", color=colour, markersize=6)
    ax.set_yticks(range(len(ordered)), [name.replace("_", " ") for name, _ in ordered])
    ax.set(xlabel=unit)
    ax.grid(axis="x")
    return ax
