"""What explorers with moves and tasks share: tasks one after the other, and how a change is written.

A move begins when something is taken up and ends when it is dropped. Numbers say what changed since before the move, and
the task that is set now is checked on the state that the move left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

SAME = 1e-9
"""Smaller differences are rounding."""


@dataclass(frozen=True)
class Task:
    """Something to find by moving things.

    Attributes
    ----------
    text : str
        What to do.
    done : str
        What it shows.
    solved : callable
        ``solved(state, result) -> bool``.
    """

    text: str
    done: str
    solved: Callable[[Any, Any], bool]


def task_sentence(tasks: Sequence[Task], number: int, state: Any, result: Any, moving: bool = False) -> str:
    """Return the task that is set now, or what solving it shows; a task is not solved while something is in the hand.

    Parameters
    ----------
    tasks : sequence of Task
    number : int
        Counted from 0; ``len(tasks)`` after the last.
    state, result
        What the task looks at.
    """
    if number >= len(tasks):
        return "All tasks of this preset are done: choose another preset."
    if not moving and tasks[number].solved(state, result):
        return f"Done. {tasks[number].done} Make another move for the next task."
    return f"Task {number + 1} of {len(tasks)}: {tasks[number].text}"


def replaced(values: tuple, item: int, value: object) -> tuple:
    """Return ``values`` with another value at one place.

    >>> replaced((1, 2, 3), 1, 9)
    (1, 9, 3)
    """
    return (*values[:item], value, *values[item + 1 :])


def signed_change(change: float) -> str:
    """Return a change with an arrow and a sign, or "same": the direction is readable without colour.

    >>> signed_change(0.25), signed_change(-0.0001), signed_change(0.0)
    ('▲ +0.250', '▼ −<0.001', 'same')
    """
    if abs(change) <= SAME:
        return "same"
    size = f"{abs(change):.3f}" if abs(change) >= 0.0005 else "0.0005" if abs(change) == 0.0005 else "<0.001"
    return f"{'▲ +' if change > 0 else '▼ −'}{size}"
