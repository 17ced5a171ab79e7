"""The figures of `06_listwise_ap_loss`: the staircase, tents and soft counts, pushes, agreement, curves, result lists.

Drawing only: every function takes finished data and returns the axes or the figure. In all of them filled green circles
are relevant items, hollow vermilion ones are not, as in the explorer ``PushAndPull``.
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

LONGEST, SHORTEST = 0.32, 0.12  # an arrow is SHORTEST from the item's centre plus up to LONGEST, in units of the score
FAINT = 0.01  # weaker than this share of the strongest push: no arrow
STYLES = ("-", "--", "-.", ":")
_POINTS = {"textcoords": "offset points"}


def draw_items(ax: Axes, scores: Any, relevant: Any, y: Any = 0.0, size: float = 8.0) -> Axes:
    """Draw items (N,) on a score axis at height ``y`` (number or (N,)): filled if relevant, hollow if not."""
    scores, relevant = np.asarray(scores, float), np.asarray(relevant, bool)
    heights = np.broadcast_to(np.asarray(y, float), scores.shape)
    look = {"linestyle": "none", "markersize": size, "marker": "o", "clip_on": False, "zorder": 5}
    ax.plot(scores[relevant], heights[relevant], color=plotting.GREEN, **look)
    ax.plot(scores[~relevant], heights[~relevant], color=plotting.VERMILION, markerfacecolor="white", markeredgewidth=2, **look)
    return ax


def draw_staircase(ax: Axes, sweep: Any, values: Any, others: Any, relevant: Any, title: str) -> Axes:
    """Draw AP (S,) while one item moves along the scores ``sweep`` (S,), above the items that stand still.

    Parameters
    ----------
    others, relevant : arrays of shape (N,)
        Scores and relevance of the items that stand still.
    """
    ax.plot(np.asarray(sweep, float), np.asarray(values, float), color=plotting.BLUE)
    draw_items(ax, others, relevant)
    ax.set(title=title, xlabel="score of the item that moves", xlim=(-1.03, 1.03), ylim=(0, 1.03))
    return ax


def draw_tents(ax: Axes, centres: Any, scores: Any, relevant: Any) -> Axes:
    """Draw M tents over the score axis, every second one dashed, with the items (N,) on the axis."""
    centres = np.asarray(centres, float)
    width = abs(centres[1] - centres[0])
    for m, centre in enumerate(centres):
        foot = np.clip([centre - width, centre, centre + width], centres.min(), centres.max())
        roof = 1 - np.abs(foot - centre) / width
        ax.plot(foot, roof, color=plotting.LINE_COLOURS[0], linestyle=STYLES[m % 2], linewidth=1.5)
    draw_items(ax, scores, relevant)
    ax.set(title=f"{len(centres)} tents", xlabel="score", ylabel="share", ylim=(0, 1.05))
    return ax


def draw_soft_counts(ax: Axes, centres: Any, counts: Any, relevant_counts: Any, precision: Any) -> Axes:
    """Draw the soft counts of M bins, all as outlines and relevant ones filled, and the precision P (M,) as points."""
    centres, counts, positive = (np.asarray(values, float) for values in (centres, counts, relevant_counts))
    width = 0.8 * abs(centres[1] - centres[0])
    ax.bar(centres, counts, width, facecolor="none", edgecolor=plotting.VERMILION, linewidth=1.6, label="all, h")
    ax.bar(centres, positive, width, color=plotting.GREEN, label="relevant, h+")
    used = positive > 1e-9
    second = ax.twinx()
    second.plot(centres[used], np.asarray(precision, float)[used], color="black", marker="D", markersize=5, linewidth=1.2)
    second.set(ylim=(0, 1.05), ylabel="precision P (diamonds)")
    second.spines["right"].set_visible(True)
    ax.set(title="Soft counts and precision", xlabel="bin centre (read from the right)", ylabel="items")
    ax.legend(loc="upper left", fontsize=10)
    return ax


def draw_pushes(ax: Axes, scores: Any, relevant: Any, push: Any, title: str) -> Axes:
    """Draw a list with the push of every item: one lane per item, best score on top.

    Parameters
    ----------
    scores, relevant, push : arrays of shape (N,)
        ``push`` is minus the gradient. The longest arrow always has the same length. A push the wrong way (a relevant item
        down, another one up) is dashed and carries "!", no push at all is written as 0, one that is less than a hundredth
        of the strongest as "about 0".
    """
    scores, relevant, push = np.asarray(scores, float), np.asarray(relevant, bool), np.asarray(push, float)
    lanes = np.empty(len(scores))
    lanes[np.argsort(-scores, kind="stable")] = np.arange(len(scores), 0, -1)
    draw_items(ax, scores, relevant, lanes)
    strongest = max(float(np.abs(push).max(initial=0.0)), 1e-300)
    for x, y, force, right in zip(scores, lanes, push, relevant):
        if abs(force) < FAINT * strongest:
            sign, weight = ("0", "bold") if force == 0 else ("\u2248 0", "normal")
            ax.annotate(sign, (x, y), xytext=(9, 0), va="center", ha="left", fontweight=weight, fontsize=11, **_POINTS)
            continue
        wrong, side = (force < 0) == bool(right), np.sign(force)
        tip = x + side * (LONGEST * abs(force) / strongest + SHORTEST)
        arrow = {"arrowstyle": "-|>", "color": plotting.PURPLE if wrong else plotting.BLUE, "lw": 2, "shrinkA": 6, "shrinkB": 0}
        ax.annotate("", xy=(tip, y), xytext=(x, y), arrowprops={**arrow, "linestyle": "--" if wrong else "-"})
        if wrong:
            ax.annotate("!", (tip, y), xytext=(side * 6, 0), va="center", ha="center", fontweight="bold", **_POINTS)
    ax.set(title=title, xlim=(-1.15, 1.25), ylim=(0.3, len(scores) + 0.7), yticks=[])
    ax.spines["left"].set_visible(False)
    return ax


def draw_agreement(ax: Axes, true_ap: Any, quantised: Mapping[str, Any]) -> Axes:
    """Draw quantised AP against true AP, one point per list and one named cloud per setting, with the diagonal."""
    for i, (name, values) in enumerate(quantised.items()):
        ax.scatter(true_ap, values, s=16, marker=plotting.MARKERS[i], color=plotting.LINE_COLOURS[i], alpha=0.7, label=name)
    low = min(float(np.min(values)) for values in (true_ap, *quantised.values()))
    high = max(float(np.max(values)) for values in (true_ap, *quantised.values()))
    ax.plot([low, high], [low, high], color=plotting.GREY, linewidth=1.2, linestyle="--")
    ax.set(xlabel="true AP of a list", ylabel="AP in bins")
    ax.legend(fontsize=10, loc="upper left", handletextpad=0.2)
    return ax


def draw_curves(
    ax: Axes, x: Sequence[float], curves: Mapping[str, Any], xlabel: str, ylabel: str, level: float | None = None
) -> Axes:
    """Draw named curves over a logarithmic axis, each with its own marker and line, named in a legend.

    Parameters
    ----------
    x : sequence of S numbers
        Also the ticks.
    curves : mapping from name to S numbers
    level : float, optional
        Height of a dashed horizontal line.
    """
    for i, (name, values) in enumerate(curves.items()):
        ax.plot(x, values, marker=plotting.MARKERS[i], color=plotting.LINE_COLOURS[i % 4], linestyle=STYLES[i % 4], label=name)
    if level is not None:
        ax.axhline(level, color="black", linewidth=1.4, linestyle=":")
    ax.set_xscale("log")
    ax.set_xticks(list(x), [f"{value:g}" for value in x])
    ax.minorticks_off()
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(axis="y")
    if len(curves) > 1:
        ax.legend(fontsize=10)
    return ax


def draw_seed_curves(ax: Axes, x: Sequence[float], runs: Any, xlabel: str, ylabel: str, level: float | None = None) -> Axes:
    """Draw R runs (R, S) over a logarithmic axis as thin lines, with their mean as a thick one."""
    runs = np.asarray(runs, float)
    ax.plot(x, runs.T, color=plotting.GREY, linewidth=0.8, alpha=0.7)
    return draw_curves(ax, x, {"mean": runs.mean(0)}, xlabel, ylabel, level)


def retrieved_figure(images: Any, labels: Any, query: int, rows: Mapping[str, Sequence[int]]) -> Figure:
    """Return a figure: the query and, per row, the images found for it, framed and marked right or wrong.

    Parameters
    ----------
    images : array of shape (N, H, W), float
        Any range; shown from black (0) to white (1), values beyond are clipped.
    labels : array of shape (N,)
    query : int
    rows : mapping from title to indices, all rows of one length
    """
    n = {len(found) for found in rows.values()}
    if len(n) != 1:
        raise ValueError(message("rows", "rows of one length", f"lengths {sorted(n)}"))
    pictures, titles, frames = [], [], []
    for name, found in rows.items():
        pictures.append(np.clip(np.asarray(images[query], float), 0, 1))
        titles.append(name)
        frames.append(None)
        for i in found:
            right = int(labels[i]) == int(labels[query])
            pictures.append(np.clip(np.asarray(images[i], float), 0, 1))
            titles.append(f"{'✓' if right else '✗'} {int(labels[i])}")
            frames.append(plotting.GREEN if right else plotting.VERMILION)
    return plotting.image_grid(pictures, titles, n_columns=n.pop() + 1, frames=frames, width=9.0)


def draw_memory(ax: Axes, chunks: Sequence[int], bytes_kept: Sequence[int], single_pass: int) -> Axes:
    """Draw the peak of bytes kept for the backward pass against the chunk size, with the single pass as a line."""
    ax.bar([str(chunk) for chunk in chunks], np.asarray(bytes_kept, float) / 1e6, color=plotting.BLUE, width=0.6)
    ax.axhline(single_pass / 1e6, color=plotting.VERMILION, linestyle="--")
    ax.text(-0.45, single_pass / 1e6, "one pass", color=plotting.VERMILION, va="bottom")
    ax.set(xlabel="images in a chunk", ylabel="MB kept for the backward pass", ylim=(0, 1.15 * single_pass / 1e6))
    return ax
