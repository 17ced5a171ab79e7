"""The figures of `05_mean_average_precision`: the ranked list, its curve under every convention, chance, two systems.

Drawing only: every function takes finished data and returns the axes. Relevant items are filled, the others hollow, junk
is crossed out; a convention keeps its colour and its line style in every figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.checks import checked_choice, message
from course_utils.retrieval.average_precision import CONVENTIONS, LEVELS
from course_utils.retrieval.precision_recall import PrecisionRecallCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 0.86  # side of a cell; ranks are 1 apart
LOOKS: Mapping[str, tuple[str, str]] = {  # colour and line style of each convention
    "step": (plotting.BLUE, "-"),
    "trapezoid": (plotting.VERMILION, "--"),
    "all-point": (plotting.GREEN, "-."),
    "11point": (plotting.PURPLE, ":"),
    "101point": (plotting.GREY, ":"),
}


def draw_strip(
    ax: Axes,
    relevant: Any,
    *,
    junk: Any = None,
    precision: bool = True,
    name: str = "",
    row: float = 0.0,
    colour: str = plotting.BLUE,
    highlight: Sequence[int] = (),
) -> Axes:
    """Draw a ranked list as a strip of cells, best first: filled is relevant, hollow is not, crossed out is junk.

    Parameters
    ----------
    relevant : array-like of shape (N,), bool or 0/1
        Already in the order of the ranking.
    junk : array-like of shape (N,), bool or 0/1, optional
        Junk keeps its cell but has no rank.
    precision : bool, default True
        Write precision as a fraction above each relevant item.
    name : str
        Written to the left of the strip.
    row : float, default 0
        Height of the strip's middle; strips one below the other need a distance of about 2.
    colour : str
    highlight : sequence of int
        Positions (from 0) of cells with a thick frame, such as the item that moved.

    Raises
    ------
    ValueError
        If ``junk`` has another length, or an item is junk and relevant at once.
    """
    from matplotlib.patches import Rectangle

    relevant = np.asarray(relevant).astype(bool)
    out = np.zeros(len(relevant), bool) if junk is None else np.asarray(junk).astype(bool)
    if out.shape != relevant.shape or (out & relevant).any():
        raise ValueError(message("junk", f"{len(relevant)} flags, none of them at a relevant item", f"{out.tolist()}"))
    ranks, hits = np.cumsum(~out), np.cumsum(relevant)
    for i in range(len(relevant)):
        x, y = i + 1 - CELL / 2, row - CELL / 2
        face = colour if relevant[i] else "white"
        edge, width = ("black", 3.0) if i in highlight else (plotting.GREY if out[i] else colour, 1.5)
        ax.add_patch(Rectangle((x, y), CELL, CELL, facecolor=face, edgecolor=edge, linewidth=width))
        if out[i]:
            ax.plot([x, x + CELL], [y, y + CELL], color=plotting.GREY, linewidth=1.2)
            ax.plot([x, x + CELL], [y + CELL, y], color=plotting.GREY, linewidth=1.2)
            continue
        ax.text(i + 1, row, str(ranks[i]), ha="center", va="center", color="white" if relevant[i] else "black", fontsize=10)
        if precision and relevant[i]:
            ax.text(i + 1, row + 0.62, f"{hits[i]}/{ranks[i]}", ha="center", va="bottom", fontsize=10)
    if name:
        ax.text(0.35, row, name, ha="right", va="center")
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.autoscale_view()
    bottom, top = ax.get_ylim()
    ax.set_ylim(min(bottom, row - 0.7), max(top, row + 1.3))
    return ax


def outline(curve: PrecisionRecallCurve, convention: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the line under which, or the points at which, a convention reads average precision: recall, precision.

    Parameters
    ----------
    curve : PrecisionRecallCurve
    convention : {"step", "trapezoid", "all-point", "11point", "101point"}

    Returns
    -------
    recall, precision : ndarray of shape (P,)
        Corners of a line for the first three conventions: its area is the average precision. Points for the last two:
        the mean of their precision is the average precision.
    """
    checked_choice(convention, "convention", CONVENTIONS)
    hits = np.rint(curve.precision * curve.ranks).astype(np.int64)
    gains = np.flatnonzero(np.diff(hits, prepend=0))
    if convention in LEVELS:
        steps = LEVELS[convention]
        total = int(np.rint(hits[-1] / curve.recall[-1])) if len(gains) else 1
        levels = np.arange(steps + 1)
        first = np.searchsorted(steps * hits, levels * total)  # integers: the first point with recall >= level
        padded = np.append(curve.envelope, 0.0)  # levels beyond the curve read 0
        return levels / steps, padded[first]
    before = np.concatenate([[0.0], curve.recall[:-1]])[gains]
    after = curve.recall[gains]
    right = (curve.envelope if convention == "all-point" else curve.precision)[gains]
    left = np.concatenate([[1.0], curve.precision[:-1]])[gains] if convention == "trapezoid" else right
    return np.stack([before, after], 1).ravel(), np.stack([left, right], 1).ravel()


def draw_conventions(
    ax: Axes, curve: PrecisionRecallCurve, conventions: Sequence[str] = CONVENTIONS, labels: Mapping[str, str] | None = None
) -> Axes:
    """Draw the points of a curve, and over them what each convention makes of it.

    Parameters
    ----------
    curve : PrecisionRecallCurve
    conventions : sequence of str
        Any of the five, drawn in this order.
    labels : mapping from convention to str, optional
        Legend entries, such as the name with its value.

    Raises
    ------
    ValueError
        If a convention is unknown.
    """
    ax.plot(curve.recall, curve.precision, "o", color="black", markersize=5, label="one point per threshold", zorder=4)
    for convention in conventions:
        recall, precision = outline(curve, convention)
        colour, style = LOOKS[convention]
        look: dict[str, Any] = {"color": colour, "linestyle": style}
        if convention in LEVELS:
            few = convention == "11point"
            look = {"color": colour, "linestyle": "none", "marker": "D" if few else ".", "markersize": 7 if few else 4}
        ax.plot(recall, precision, label=(labels or {}).get(convention, convention), **look)
    ax.set(xlabel="recall", ylabel="precision", xlim=(-0.02, 1.02), ylim=(0, 1.04))
    ax.grid(True)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=10, frameon=False)
    return ax


def draw_chance(ax: Axes, values: Any, expected: float, observed: float | None = None) -> Axes:
    """Draw the average precision of random orders as a histogram, with the chance level and perhaps one system.

    Parameters
    ----------
    values : array-like of shape (S,)
        Average precision of S random orders.
    expected : float
        The chance level, from ``chance_average_precision``.
    observed : float, optional
        Average precision of a system.
    """
    values = np.asarray(values, float)
    ax.hist(values, bins=np.linspace(0, 1, 51), color=plotting.SKY, edgecolor="white", linewidth=0.4)
    top = ax.get_ylim()[1]
    marks = [("chance level", expected, plotting.VERMILION, "-")]
    if observed is not None:
        marks.append(("the system", observed, plotting.BLUE, "--"))
    for i, (name, value, colour, style) in enumerate(marks):
        ax.axvline(value, color=colour, linestyle=style)
        side = {"ha": "left"} if value < 0.7 else {"ha": "right"}
        gap = 0.01 if value < 0.7 else -0.01
        ax.text(value + gap, top * (0.94 - 0.12 * i), f"{name} {value:.3f}", color=colour, **side)
    ax.set(xlabel="average precision", ylabel="random orders", xlim=(0, 1))
    return ax


def draw_disagreement(ax: Axes, values: Mapping[str, Sequence[float]], names: Sequence[str] = ("A", "B")) -> Axes:
    """Draw the values of two systems under several conventions: a filled mark for the winner, a hollow one for the loser.

    Parameters
    ----------
    values : mapping from convention to (float, float)
        mAP of both systems; drawn from top to bottom.
    names : (str, str), default ("A", "B")

    Notes
    -----
    The name of the winner stands to the right of each line; "tie" if the values are equal.
    """
    rows = np.arange(len(values))[::-1]
    ends = np.array([list(pair) for pair in values.values()], float)  # (conventions, 2)
    room = max(float(np.ptp(ends)), 1e-3)
    for y, pair in zip(rows, ends):
        ax.plot(pair, [y, y], color=plotting.GREY, linewidth=1.2, zorder=1)
        for side in (0, 1):
            colour = plotting.LINE_COLOURS[side]
            face = colour if pair[side] > pair[1 - side] else "white"
            label = names[side] if y == rows[0] else None
            ax.plot([pair[side]], [y], plotting.MARKERS[side], color=colour, markerfacecolor=face, markersize=10, label=label)
        winner = "tie" if pair[0] == pair[1] else names[int(pair[1] > pair[0])]
        ax.text(pair.max() + 0.05 * room, y, winner, va="center")
    ax.set_yticks(rows, list(values))
    ax.set(xlabel="mean average precision", ylim=(-0.6, len(values) - 0.4))
    ax.set_xlim(ends.min() - 0.08 * room, ends.max() + 0.25 * room)
    ax.grid(axis="x")
    return ax


def draw_area(ax: Axes, curve: PrecisionRecallCurve, convention: str, value: float) -> Axes:
    """Draw what one convention averages: an area for the first three, a stick at every level for the last two.

    Parameters
    ----------
    curve : PrecisionRecallCurve
    convention : {"step", "trapezoid", "all-point", "11point", "101point"}
    value : float
        The average precision, written into the title.
    """
    recall, precision = outline(curve, convention)
    colour, _ = LOOKS[convention]
    if convention in LEVELS:
        ax.vlines(recall, 0, precision, color=colour, linewidth=2.5 if convention == "11point" else 0.7)
        ax.plot(recall, precision, linestyle="none", marker="D", color=colour, markersize=5 if convention == "11point" else 2)
    else:
        ax.fill_between(recall, precision, color=colour, alpha=0.3, linewidth=0)
        for start in range(0, len(recall), 2):  # one piece for each relevant rank or group
            ax.plot(recall[start : start + 2], precision[start : start + 2], color=colour, linewidth=2.5)
    ax.plot(curve.recall, curve.precision, "o", color="black", markersize=4, zorder=4)
    ax.set(xlim=(-0.04, 1.04), ylim=(0, 1.06), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="recall")
    ax.set_title(f"{convention}\n{value:.3f}", fontsize=12, loc="center")
    return ax


def draw_luck(ax: Axes, values: Any, marks: Mapping[str, float]) -> Axes:
    """Draw what sorting gives for many input orders of one data set, with named values as lines.

    Parameters
    ----------
    values : array-like of shape (S,)
        mAP of a sort that leaves equal scores in input order, for S input orders.
    marks : mapping from name to float
        Values that do not depend on the order, and extremes.
    """
    values = np.asarray(values, float)
    ends = [*marks.values(), values.min(), values.max()]
    bins = np.linspace(min(ends), max(ends), 61)
    ax.hist(values, bins=bins, color=plotting.SKY, edgecolor="white", linewidth=0.4)
    top = ax.get_ylim()[1]
    middle = (min(ends) + max(ends)) / 2
    for i, (name, value) in enumerate(marks.items()):
        colour, style = plotting.LINE_COLOURS[i % 4], ("-", "--", "-.", ":")[i % 4]
        ax.axvline(value, color=colour, linestyle=style)
        side, gap = ("left", 0.01) if value < middle else ("right", -0.01)
        shift = gap * (max(ends) - min(ends))
        ax.text(value + shift, top * (0.94 - 0.15 * (i % 3)), f"{name} {value:.3f}", color=colour, ha=side)
    ax.set(xlabel="mean average precision", ylabel="input orders")
    return ax


def draw_cut_offs(
    ax: Axes, cut_offs: Sequence[int], values: Mapping[str, Sequence[float]], n_relevant: float | None = None
) -> Axes:
    """Draw mAP@k against k, one line for each denominator.

    Parameters
    ----------
    cut_offs : sequence of int
    values : mapping from name to as many floats
    n_relevant : float, optional
        The (mean) number of relevant items, drawn as a mark on the axis of k.
    """
    for i, (name, line) in enumerate(values.items()):
        colour, style = plotting.LINE_COLOURS[i % 4], ("-", "--", "-.", ":")[i % 4]
        ax.plot(cut_offs, line, color=colour, linestyle=style, marker=plotting.MARKERS[i % 7], markersize=5, label=name)
    if n_relevant is not None:
        ax.axvline(n_relevant, color=plotting.GREY, linewidth=1)
        ax.text(n_relevant, 0.03, " R", color=plotting.GREY)
    ax.set(xlabel="cut-off k", ylabel="mAP@k", ylim=(0, 1.03), xscale="log")
    ticks = [k for k in cut_offs if k in (1, 2, 5, 10, 20, 50, 100, 200, 500)]
    ax.set_xticks(ticks, [str(k) for k in ticks])
    ax.minorticks_off()
    ax.grid(True)
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=11)
    return ax


def two_systems_figure(rankings: Mapping[str, Any], values: Mapping[str, tuple[float, float]]) -> Figure:
    """Return a figure: two ranked lists as strips on the left, what each convention makes of them on the right.

    Parameters
    ----------
    rankings : mapping from name to array-like of shape (N,), bool or 0/1
        Two lists in ranked order, relevant items marked.
    values : mapping from convention to (float, float)
        Average precision of the two lists.
    """
    figure, (left, right) = plotting.new_figure(1, 2, size=(9, 2.7), width_ratios=(1.5, 1))
    for i, (name, relevant) in enumerate(rankings.items()):
        draw_strip(left, relevant, name=name, row=-2.4 * i, colour=plotting.LINE_COLOURS[i])
    draw_disagreement(right, values, tuple(rankings))
    right.set_xlabel("average precision of this list")
    return figure
