"""Figures of `18_does_it_help`: gains with their intervals, and ways to be fooled."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.plotting import BLUE, GREY, LINE_COLOURS, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from course_utils.training import PairedComparison

GAIN, LOSS, UNSURE = (BLUE, "^"), (VERMILION, "D"), (GREY, "o")


def gains_figure(gains: Mapping[str, PairedComparison], believed: Container[str], xlabel: str, n_columns: int = 2) -> Figure:
    """Return the gains of many methods with their intervals, the largest first.

    Parameters
    ----------
    gains : mapping from name to PairedComparison
        Shares; drawn in points.
    believed : container of str
        Names that are written in bold: those that survive a correction for how many there are.
    xlabel : str
    n_columns : int, default 2
        Panels side by side that share the names.
    """
    names = sorted(gains, key=lambda name: -gains[name].mean)
    columns = np.array_split(np.array(names), n_columns)
    figure, axes = plotting.new_figure(1, n_columns, size=(9, 0.19 * len(columns[0]) + 0.9), squeeze=False, sharex=True)
    for ax, some in zip(axes[0], columns):
        for y, name in enumerate(some):
            one = gains[name]
            colour, marker = GAIN if one.low > 0 else LOSS if one.high < 0 else UNSURE
            ax.plot([100 * one.low, 100 * one.high], [y, y], color=colour, linewidth=2)
            ax.plot(100 * one.mean, y, marker=marker, color=colour, markersize=5)
        ax.axvline(0, color="black", linewidth=1)
        ax.set_yticks(range(len(some)), some, fontsize=9)
        for text, name in zip(ax.get_yticklabels(), some):
            text.set_fontweight("bold" if name in believed else "normal")
        ax.set_ylim(len(some) - 0.4, -0.6)
        ax.set_xlabel(xlabel)
        ax.tick_params(axis="y", length=0)
    return figure


def draw_strengths(
    ax: Any, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], named: Sequence[str], ylabel: str, level: float
) -> Any:
    """Draw values over strength, on a logarithmic axis; some curves in colour and with their names, the others in grey.

    A black line marks the level of a training without augmentation.
    """
    for name, (strengths, values) in curves.items():
        if name not in named:
            ax.plot(strengths, values, color=GREY, linewidth=0.9, alpha=0.5)
    for k, name in enumerate(named):
        strengths, values = curves[name]
        colour = LINE_COLOURS[k % len(LINE_COLOURS)]
        ax.plot(strengths, values, color=colour, marker="osD^v"[k % 5], linewidth=2)
        ax.annotate(name, (strengths[-1], values[-1]), xytext=(8, 0), textcoords="offset points", va="center", color=colour)
    ax.axhline(level, color="black", linewidth=1)
    ax.set_xscale("log")
    some = next(iter(curves.values()))[0]
    ax.set_xticks(some, [f"{strength:g}" for strength in some])
    ax.minorticks_off()
    ax.set(xlabel="strength", ylabel=ylabel, xlim=(some[0] * 0.9, some[-1] * 2.2))
    return ax


def draw_luck(ax: Any, numbers: Sequence[int], chances: Mapping[str, Sequence[float]], xlabel: str, promised: float) -> Any:
    """Draw how often luck is reported as success, over how often one tries; dashed is the chance that was promised."""
    for colour, marker, (name, values) in zip(LINE_COLOURS, "os^D", chances.items()):
        ax.plot(numbers, 100 * np.asarray(values), color=colour, marker=marker, linewidth=2, label=name)
    ax.axhline(100 * promised, color=GREY, linestyle="--", linewidth=1.5)
    ax.set(xlabel=xlabel, ylabel="reported without effect, percent", ylim=(0, None))
    ax.legend(frameon=False, loc="upper left")
    return ax
