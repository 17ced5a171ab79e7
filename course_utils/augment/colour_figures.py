"""Pictures of colour changes: noise against light, the coefficients that a JPEG keeps, kernels of motion blur.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_noise(ax: Axes, light: Any, model: Mapping[str, Any], measured: Mapping[str, Any]) -> Axes:
    """Draw the standard deviation of noise over the amount of light: lines of the model, dots of what was measured.

    Parameters
    ----------
    light : array of shape (L,)
        In [0, 1].
    model, measured : mapping from name to array of shape (L,)
        The same names in both.
    """
    x = np.asarray(light, float)
    for i, (name, values) in enumerate(model.items()):
        colour = plotting.LINE_COLOURS[i % len(plotting.LINE_COLOURS)]
        ax.plot(x, np.asarray(values), color=colour)
        ax.plot(x, np.asarray(measured[name]), plotting.MARKERS[i], color=colour, markersize=6)
        end = (x[-1], float(values[-1]))
        ax.annotate(name, end, xytext=(8, 0), textcoords="offset points", color=colour, va="center")
    ax.set(xlabel="light", ylabel="standard deviation", xlim=(0, 1.3 * x.max()), ylim=(0, None))
    ax.grid(True)
    return ax


def block_figure(block: Any, coefficients: Any, levels: Mapping[str, Any], restored: Mapping[str, Any]) -> Figure:
    """Return a block of 8 x 8 pixels, its coefficients, and for each quality what is stored and what is seen.

    Parameters
    ----------
    block : Tensor of shape (8, 8)
        Brightness in 0..255.
    coefficients : Tensor of shape (8, 8)
        Row = vertical frequency, column = horizontal frequency.
    levels : mapping from name to Tensor of shape (8, 8)
        Whole numbers that a file stores; those that are not zero are written into the picture.
    restored : mapping from name to Tensor of shape (8, 8)
        The block after decoding.
    """
    names = list(levels)
    n = len(names) + 1
    figure, axes = plotting.new_figure(2, n, size=(9.0, 9.0 / n * 2 * 1.12))
    _draw_pixels(axes[0, 0], block, "pixels")
    _draw_numbers(axes[1, 0], coefficients, "coefficients")
    for column, name in enumerate(names, start=1):
        _draw_pixels(axes[0, column], restored[name], name)
        kept = int(np.count_nonzero(np.asarray(levels[name])))
        _draw_numbers(axes[1, column], levels[name], f"{kept} of 64 stored")
    return figure


def _draw_pixels(ax: Axes, block: Any, title: str) -> None:
    ax.imshow(np.asarray(block), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    _plain(ax, title)


def _draw_numbers(ax: Axes, values: Any, title: str) -> None:
    array = np.asarray(values, float)
    strength = np.sign(array) * np.log1p(np.abs(array))
    ax.imshow(strength, cmap="PuOr", vmin=-7, vmax=7, interpolation="nearest")
    for (row, column), value in np.ndenumerate(np.round(array).astype(int)):
        if value:
            dark = abs(strength[row, column]) > 4.5
            ax.text(column, row, str(value), ha="center", va="center", fontsize=6.5, color="white" if dark else "black")
    _plain(ax, title)


def _plain(ax: Axes, title: str) -> None:
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=11, fontweight="normal", loc="center")


def draw_kernel(ax: Axes, kernel: Any, title: str, centre: Sequence[float] | None = None) -> Axes:
    """Draw what became of one white pixel (H, W) and mark its centre of mass (x, y), in continuous coordinates."""
    array = np.asarray(kernel, float)
    ax.imshow(array, cmap="gray", vmin=0, vmax=max(array.max(), 1e-9), interpolation="nearest")
    height, width = array.shape
    ax.plot(width / 2 - 0.5, height / 2 - 0.5, "s", markersize=9, fillstyle="none", color=plotting.SKY, markeredgewidth=2)
    if centre is not None:
        ax.plot(centre[0] - 0.5, centre[1] - 0.5, "x", markersize=9, color=plotting.VERMILION, markeredgewidth=2.5)
    _plain(ax, title)
    return ax
