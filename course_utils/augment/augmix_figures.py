"""The figures of `17_patchshuffle_and_augmix`: chains and their mixture, weights on the simplex, errors, reliability.

Every function takes data and draws; nothing is computed here that a reader could want to know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.augment.calibration import NullBand, Reliability
from course_utils.plotting import BLUE, GREEN, GREY, LINE_COLOURS, VERMILION, draw_image, new_figure

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])
"""Of the triangle of three weights: chain 1, 2, 3."""


def chains_figure(steps: Any, words: Sequence[Sequence[str]], weights: Any, mixture: Any, m: float) -> Any:
    """Return every chain in a row, from the clean picture to its end, and the mixture at the right.

    Parameters
    ----------
    steps : array or Tensor of shape (k, D + 1, C, H, W)
    words : k lists with the operations of each chain
    weights : k numbers
    mixture : image
    m : float
    """
    k, n = steps.shape[:2]
    figure, axes = new_figure(k, n + 1, size=(9, 1.75 * k), squeeze=False)
    for i, row in enumerate(axes):
        for j in range(n):
            done = j <= len(words[i])
            title = "clean" if j == 0 else words[i][j - 1] if done else ""
            if done:
                draw_image(row[j], steps[i, j])
                row[j].set_title(title, fontsize=10, fontweight="normal", loc="center")
            else:
                row[j].axis("off")
        row[0].set_ylabel(f"chain {i + 1}\nw = {float(weights[i]):.2f}", rotation=0, ha="right", va="center", labelpad=6)
        row[n].axis("off")
    ax = axes[k // 2, n]
    ax.axis("on")
    draw_image(ax, mixture, frame=GREEN)
    ax.set_title(f"mixture, m = {m:.2f}", fontsize=10, loc="center")
    return figure


def draw_simplex(ax: Any, weights: Any, title: str) -> Any:
    """Draw three weights (N, 3) as points of a triangle; each corner is one chain alone."""
    points = np.asarray(weights, float) @ CORNERS
    ax.plot(*np.vstack([CORNERS, CORNERS[:1]]).T, color=GREY, linewidth=1.2)
    ax.scatter(*points.T, s=7, color=BLUE, alpha=0.35, linewidths=0)
    for corner, name, (dx, dy) in zip(CORNERS, ("chain 1", "chain 2", "chain 3"), ((0, -0.09), (0, -0.09), (0, 0.05))):
        ax.text(corner[0] + dx, corner[1] + dy, name, ha="center", va="center", fontsize=10)
    ax.set(xlim=(-0.15, 1.15), ylim=(-0.16, 1.0), aspect="equal")
    ax.axis("off")
    ax.set_title(title, fontsize=12, loc="center")
    return ax


def draw_divergences(ax: Any, share: Any, curves: Mapping[str, Any], limit: float) -> Any:
    """Draw divergences over how far one prediction has moved; the dashed line is the limit ln 3."""
    for colour, style, (name, values) in zip(LINE_COLOURS, ("-", "--", ":"), curves.items()):
        ax.plot(share, values, color=colour, linestyle=style, linewidth=2.2, label=name)
    ax.axhline(limit, color=GREY, linewidth=1.2, linestyle=(0, (5, 4)))
    ax.text(float(share[0]), limit + 0.05, "ln 3", color="black", fontsize=11)
    ax.set(xlabel="logit of another class in the answer to mixture 1", ylabel="nats", ylim=(0, 4))
    ax.legend(frameon=False, loc="upper left")
    return ax


def heat_maps_figure(errors: Mapping[str, Mapping[str, Sequence[float]]], circular: Sequence[str]) -> Any:
    """Return one heat map for each network: corruptions by severities, errors in percent, the same colours for all.

    Parameters
    ----------
    errors : mapping from title to (mapping from corruption to five errors in [0, 1])
    circular : names of corruptions that an operation comes close to; marked with a star
    """
    figure, axes = new_figure(1, len(errors), size=(9, 4.6), squeeze=False, sharey=True)
    top = max(max(row) for one in errors.values() for row in one.values())
    for ax, (title, one) in zip(axes[0], errors.items()):
        values = 100 * np.array(list(one.values()))
        shown = ax.imshow(values, vmin=0, vmax=100 * top, cmap="viridis", aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=9, color="white" if value < 60 * top else "black")
        ax.set_xticks(range(values.shape[1]), [str(j + 1) for j in range(values.shape[1])])
        ax.set_yticks(range(len(one)), [name.replace("_", " ") + (" *" if name in circular else "") for name in one])
        ax.set(xlabel="severity")
        ax.set_title(title, fontsize=12)
        ax.tick_params(length=0)
    figure.colorbar(shown, ax=axes, label="errors, percent", shrink=0.85)
    return figure


def draw_reliability(ax: Any, curve: Reliability, null: NullBand, title: str) -> Any:
    """Draw accuracy over confidence in bins, with the band that a calibrated network would show by chance."""
    centres = (curve.edges[:-1] + curve.edges[1:]) / 2
    filled = curve.counts > 0
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    ax.fill_between(
        centres, null.bin_low, null.bin_high, where=filled, color=GREY, alpha=0.3, linewidth=0, label=f"chance, {null.level:.0%}"
    )
    sizes = 8 + 240 * curve.counts[filled] / curve.counts.sum()
    ax.vlines(curve.confidence[filled], curve.confidence[filled], curve.accuracy[filled], color=VERMILION, linewidth=1.5)
    ax.scatter(curve.confidence[filled], curve.accuracy[filled], s=sizes, color=BLUE, zorder=3)
    ax.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    ax.set_title(title, fontsize=11, loc="center")
    return ax
