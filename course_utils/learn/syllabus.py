"""The map from the lecture notes to the course: what the notes say, what is right, and where it is taught.

The course grew out of Korean lecture notes. Each of their topics is a `SyllabusItem`: the chapter and the cell that
teach it, the names in the package, the tests, and an honest sentence or two about the notes. The data are in
``learn.syllabus_items``, the chapters in ``learn.chapters``; this module shows them.

>>> [item.english for item in items() if item.chapter == "02_netvlad"]
['NetVLAD', 'Weakly supervised ranking loss']
"""

from __future__ import annotations

from course_utils.checks import checked_choice
from course_utils.learn.chapters import CHAPTERS, SECTION_WORDS, Chapter
from course_utils.learn.syllabus_items import ITEMS, SyllabusItem
from course_utils.learn.tables import Cell, Link, Table

__all__ = ["Chapter", "SyllabusItem", "chapter", "chapters", "items", "lesson_plan", "show", "show_chapters"]


def items() -> tuple[SyllabusItem, ...]:
    """Return every topic of the lecture notes, in the order of the chapters."""
    return ITEMS


def chapters() -> tuple[Chapter, ...]:
    """Return the 28 chapters in order."""
    return CHAPTERS


def chapter(name: str) -> Chapter:
    """Return a chapter by the name of its notebook.

    Raises
    ------
    ValueError
        If there is none; the message lists the names.

    Examples
    --------
    >>> chapter("01_vlad").minutes
    50
    """
    checked_choice(name, "name", [c.name for c in CHAPTERS])
    return next(c for c in CHAPTERS if c.name == name)


def show() -> Table:
    """Return the table of the start page: topic, Korean name, chapter, what the notes say, what is right.

    Chapters that are built are links. In a notebook the table shows itself when it is the last line of a cell.
    Taught in `00_start_here`, cell `syllabus-table`.
    """
    built = sum(chapter(item.chapter).built for item in ITEMS)
    return Table(
        caption=f"{len(ITEMS)} topics of the lecture notes; the chapters of {built} of them are built.",
        header=("topic", "Korean", "chapter", "what the notes say", "what is right"),
        rows=tuple(
            (item.english, item.korean, _chapter_cell(chapter(item.chapter)), item.notes_say, item.right) for item in ITEMS
        ),
        widths=(13, 14, 13, 26, 34),
        lines=tuple(
            f"{item.english}, {item.korean}, chapter {chapter(item.chapter).label}. Notes: {item.notes_say} Right: {item.right}"
            for item in ITEMS
        ),
    )


def show_chapters() -> Table:
    """Return the table of chapters: name, titles, question, minutes."""
    return Table(
        caption=f"{len(CHAPTERS)} chapters, {sum(c.built for c in CHAPTERS)} of them built.",
        header=("chapter", "title", "Korean title", "what it answers", "minutes"),
        rows=tuple((_chapter_cell(c), c.english, c.korean, c.question, c.minutes) for c in CHAPTERS),
        widths=(20, 20, 20, 32, 8),
    )


def lesson_plan(name: str) -> Table:
    """Return the plan of a class hour on a chapter: from which minute, for how long, what, in which cells.

    Parameters
    ----------
    name : str
        Name of the notebook, as in ``"01_vlad"``.

    Raises
    ------
    ValueError
        If there is no such chapter.

    Examples
    --------
    >>> print(lesson_plan("00_start_here"))
    Start here: a plan of 15 minutes.
    from minute | minutes | what | cells
    0 | 2 | The question, and its picture | title
    2 | 3 | The question in a picture | picture
    5 | 6 | The explorer, with the class | play
    11 | 4 | The first exercise, together | ex1
    """
    this = chapter(name)
    rows, start = [], 0
    for section, minutes in this.plan:
        rows.append((start, minutes, SECTION_WORDS[section], _cells(section)))
        start += minutes
    return Table(
        caption=f"{this.english}: a plan of {start} minutes.",
        header=("from minute", "minutes", "what", "cells"),
        rows=tuple(rows),
        widths=(15, 15, 50, 20),
    )


def _chapter_cell(this: Chapter) -> Cell:
    return Link(this.label, this.link) if this.built else this.label


def _cells(section: str) -> str:
    return "step1, step2, ..." if section == "step" else section
