"""The matrix of augmentations against nuisances as a heat map, and answers over an angle.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.checks import message

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def matrix_figure(values: Any, rows: Sequence[str], columns: Sequence[str], label: str) -> Figure:
    """Return a heat map of signed values with the number in every cell; the diagonal has a frame.

    Parameters
    ----------
    values : array of shape (R, C)
        Zero is white; the scale is symmetric.
    rows, columns : sequence of str
        R and C names. Cell (i, i) is framed.
    label : str
        What a number is, with its unit.

    Raises
    ------
    ValueError
        If the names do not fit the values.
    """
    array = np.asarray(values, float)
    if array.shape != (len(rows), len(columns)):
        raise ValueError(message("values", f"of shape ({len(rows)}, {len(columns)})", f"shape {array.shape}"))
    figure, ax = plotting.new_figure(size=(9.0, 0.42 * len(rows) + 1.3))
    reach = max(float(np.abs(array).max()), 1e-9)
    ax.imshow(array, cmap="PuOr_r", vmin=-reach, vmax=reach, aspect="auto")
    for (i, j), value in np.ndenumerate(array):
        dark = abs(value) > 0.6 * reach
        weight = "bold" if i == j else "normal"
        ax.text(j, i, f"{value:+.0f}", ha="center", va="center", color="white" if dark else "black", fontweight=weight)
        if i == j:
            ax.add_patch(_frame(j, i))
    ax.set_xticks(range(len(columns)), columns, fontsize=10)
    ax.set_yticks(range(len(rows)), rows)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_xlabel(label)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return figure


def _frame(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.47, row - 0.45), 0.94, 0.9, fill=False, linewidth=2.2, edgecolor="black")
