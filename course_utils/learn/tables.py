"""Tables that a notebook, GitHub and a screen reader can all read.

JupyterLab and GitHub clean the HTML of an output: scripts, forms and most styles are removed. A plain ``<table>``
stays. JupyterLab aligns the cells of a table to the right, which is wrong for sentences, so every cell says *left*.
The same content is given as ``text/plain``, one line a row, for screen readers, terminals and nbval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

LEFT = "text-align: left; vertical-align: top"


@dataclass(frozen=True)
class Link:
    """Text that leads to an address."""

    text: str
    address: str

    def __str__(self) -> str:
        return self.text


Cell = str | int | Link


@dataclass(frozen=True)
class Table:
    """A table that shows itself: HTML with the same words as plain text.

    Attributes
    ----------
    caption : str
        One line above the table, and the first line of the plain text.
    header : tuple of str
    rows : tuple of tuples
        Cells are str, int or `Link`; every row is as long as the header.
    widths : tuple of int
        Per cent of the width for each column; empty = all the same.
    lines : tuple of str
        The plain text of the rows; empty = the cells, joined by " | ".

    Examples
    --------
    >>> print(Table("Squares", ("n", "n * n"), ((2, 4), (3, 9))))
    Squares
    n | n * n
    2 | 4
    3 | 9
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[int, ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def html(self) -> str:
        """The table as HTML without scripts, identifiers or classes."""
        widths = [f"; width: {w}%" for w in self.widths] or [""] * len(self.header)
        head = "".join(f'<th scope="col" style="{LEFT}{w}">{escape(title)}</th>' for title, w in zip(self.header, widths))
        body = "\n".join(_row(row) for row in self.rows)
        return (
            f'<table>\n<caption style="{LEFT}">{escape(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
        )

    def __str__(self) -> str:
        if self.lines:
            return "\n".join((self.caption, *self.lines))
        return "\n".join((self.caption, *(" | ".join(str(cell) for cell in row) for row in (self.header, *self.rows))))

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html}


def _row(cells: Sequence[Cell]) -> str:
    return "<tr>" + "".join(f'<td style="{LEFT}">{_cell(cell)}</td>' for cell in cells) + "</tr>"


def _cell(cell: Cell) -> str:
    if isinstance(cell, Link):
        return f'<a href="{escape(cell.address)}">{escape(cell.text)}</a>'
    return escape(str(cell))
