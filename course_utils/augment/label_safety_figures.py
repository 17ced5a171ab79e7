"""The matrix of augmentations against nuisances as a heat map, and answers over an angle.

Taught in ``13_colour_and_space``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils import plotting
from course_utils.checks import message

if TYPE_CHECKING:
    from matplotlib.figure import Figure


FEW_COLUMNS = 16
"""With more, names stand upright and cells have no room for numbers."""


def matrix_figure(
    values: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    label: str,
    framed: Iterable[tuple[int, int]] | None = None,
) -> Figure:
    """Return a heat map of signed values, with the number in every cell where there is room.

    Parameters
    ----------
    values : array of shape (R, C)
        Zero is white; the scale is symmetric.
    rows, columns : sequence of str
        R and C names.
    label : str
        What a number is, with its unit.
    framed : iterable of (row, column), optional
        Cells with a frame; default: the diagonal.

    Raises
    ------
    ValueError
        If the names do not fit the values.
    """
    array = np.asarray(values, float)
    if array.shape != (len(rows), len(columns)):
        raise ValueError(message("values", f"of shape ({len(rows)}, {len(columns)})", f"shape {array.shape}"))
    with_frame = {(i, i) for i in range(min(array.shape))} if framed is None else set(framed)
    many = len(columns) > FEW_COLUMNS
    figure, ax = plotting.new_figure(size=(9.0, 0.2 * len(rows) + 2.2 if many else 0.42 * len(rows) + 1.3))
    reach = max(float(np.abs(array).max()), 1e-9)
    shown = ax.imshow(array, cmap="PuOr_r", vmin=-reach, vmax=reach, aspect="auto")
    if many:
        figure.colorbar(shown, ax=ax, label=label, shrink=0.9)
    for (i, j), value in np.ndenumerate(array):
        if not many:
            dark = abs(value) > 0.6 * reach
            weight = "bold" if (i, j) in with_frame else "normal"
            ax.text(j, i, f"{value:+.0f}", ha="center", va="center", color="white" if dark else "black", fontweight=weight)
        if (i, j) in with_frame:
            ax.add_patch(_frame(j, i))
    ax.set_xticks(range(len(columns)), columns, fontsize=9 if many else 10, rotation=90 if many else 0)
    ax.set_yticks(range(len(rows)), rows)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_xlabel("" if many else label)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return figure


def _frame(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.47, row - 0.45), 0.94, 0.9, fill=False, linewidth=2.2, edgecolor="black")
