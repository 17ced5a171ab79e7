"""Exercises that answer back: a check that names the mistake, and hints in three levels.

A chapter registers its exercises in a module of its own (``learn/chapter_01.py``); the keys say where: ``"01-2"`` is
the second exercise of chapter 01. ``check`` has three outcomes and never raises for what a student wrote:

==================  ================================================================================
``not attempted``   the answer is still ``None``
``right``           with one sentence on why it matters
``not yet``         the first property that fails, in words, with a number that can be reproduced, and
                    the hint that helps with it
==================  ================================================================================

A judge is a function ``answer -> right(...) | not_yet(...)``. The helpers below do what every judge needs: call the
student's function on copies of the input, put its exception into words, forgive dtype and axes of size one, and tell
which well-known mistake a wrong result equals.
"""

from __future__ import annotations

import copy
import dis
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from course_utils.checks import checked_int, message

LEVELS = ("the idea", "the formula", "a piece of code")


@dataclass(frozen=True)
class Verdict:
    """What ``check`` says. In a notebook it shows itself as Markdown, with the same words as plain text.

    Attributes
    ----------
    outcome : {"not attempted", "right", "not yet"}
    text : str
        The sentence or sentences that follow.
    hint : int or None
        Level of the hint that helps, for ``not yet``.
    """

    outcome: str
    text: str
    hint: int | None = None
    key: str = ""

    @property
    def sentence(self) -> str:
        """Return the whole verdict in words."""
        start = {"not attempted": "Not attempted yet.", "right": "Right.", "not yet": "Not yet."}[self.outcome]
        pointer = ""
        if self.hint is not None:
            pointer = f' Hint {self.hint} is about {LEVELS[self.hint - 1]}: `learn.hint("{self.key}", {self.hint})`.'
        text = self.text[:1].upper() + self.text[1:]  # judges name a part in the middle of their sentence
        return f"{start} {text}{pointer}"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        mark = {"not attempted": "○", "right": "✓", "not yet": "✗"}[self.outcome]
        words = self.outcome[0].upper() + self.outcome[1:]
        return {"text/plain": self.sentence, "text/markdown": f"{mark} **{words}.** {self.sentence.split('. ', 1)[1]}"}

    def __repr__(self) -> str:
        return self.sentence


def right(why: str) -> Verdict:
    """Return the verdict *right*, with one sentence on why it matters."""
    return Verdict("right", why)


def not_yet(what: str, hint: int | None = None) -> Verdict:
    """Return the verdict *not yet*: the first failing property in words, and the level (1 to 3) of the hint that helps."""
    if hint is not None:
        checked_int(hint, "hint", low=1, high=3)
    return Verdict("not yet", what, hint)


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes
    ----------
    key : str
        Two digits of the chapter, a dash, the number: ``"01-2"``.
    title : str
    minutes : int
    dots : int
        Difficulty, 1 to 3.
    hints : (str, str, str)
        Idea, formula, piece of code; Markdown.
    judge : callable
        ``answer -> Verdict``.
    """

    key: str
    title: str
    minutes: int
    dots: int
    hints: tuple[str, str, str]
    judge: Callable[[Any], Verdict]


EXERCISES: dict[str, Exercise] = {}


def register(exercise: Exercise) -> Exercise:
    """Add an exercise; its chapter module calls this when it is imported.

    Raises
    ------
    ValueError
        If the key is malformed or taken, or there are not three hints.
    """
    if not re.fullmatch(r"\d\d-\d+", exercise.key):
        raise ValueError(message("key", 'of the form "01-2"', repr(exercise.key)))
    if exercise.key in EXERCISES:
        raise ValueError(message("key", "new", f"{exercise.key!r}, which is taken"))
    if len(exercise.hints) != len(LEVELS):
        raise ValueError(message("hints", "three: idea, formula, code", f"{len(exercise.hints)}"))
    EXERCISES[exercise.key] = exercise
    return exercise


def exercise(key: str) -> Exercise:
    """Return an exercise by its key, loading its chapter's module.

    Raises
    ------
    ValueError
        If there is none; the message lists the keys of the chapter.
    """
    if not isinstance(key, str) or not re.fullmatch(r"\d\d-\d+", key):
        raise ValueError(message("key", 'of the form "01-2"', repr(key)))
    chapter = f"course_utils.learn.chapter_{key[:2]}"
    try:
        importlib.import_module(chapter)
    except ModuleNotFoundError as error:
        if error.name != chapter:
            raise
    if key not in EXERCISES:
        known = sorted(k for k in EXERCISES if k.startswith(key[:2])) or ["none in this chapter"]
        raise ValueError(message("key", "one of " + ", ".join(known), repr(key)))
    return EXERCISES[key]


def check(key: str, answer: Any) -> Verdict:
    """Judge an answer.

    Parameters
    ----------
    key : str
        ``"01-2"``: chapter 01, exercise 2.
    answer : anything
        What the exercise asks for: a number, an array, a function, a tuple of these. ``None``, and a function that does
        nothing but return None, are "not attempted yet", and so is a tuple that holds nothing else.

    Returns
    -------
    Verdict
        Shown by the notebook when it is the last line of a cell. An exception inside the student's code becomes a
        *not yet* with the exception's words.

    Raises
    ------
    ValueError
        If there is no such exercise: the only error that is not the answer's.
    """
    this = exercise(key)
    if _is_untouched(answer):
        return Verdict("not attempted", f'Fill in the cell above and run both again. Stuck? `learn.hint("{key}")`', key=key)
    try:
        verdict = this.judge(answer)
    except AnswerFailed as failure:
        verdict = not_yet(str(failure), hint=failure.hint)
    except (Exception, SystemExit) as problem:
        verdict = not_yet(f"Your code stopped with {type(problem).__name__}: {problem}.")
    return Verdict(verdict.outcome, verdict.text, verdict.hint, key)


def _is_untouched(answer: Any) -> bool:
    """Whether this is None or a stub, or a tuple of nothing but these."""
    if type(answer) is tuple and answer:
        return all(_is_untouched(part) for part in answer)
    return answer is None or _is_stub(answer)


def _is_stub(answer: Any) -> bool:
    """Whether this is a function whose whole body is ``return None`` (or only a docstring, or ``pass``)."""
    if not isinstance(answer, FunctionType):
        return False
    steps = [step for step in dis.get_instructions(answer) if step.opname not in ("RESUME", "NOP")]
    returns_constant = [step.opname for step in steps] in (["LOAD_CONST", "RETURN_VALUE"], ["RETURN_CONST"])
    return returns_constant and steps[0].argval is None


@dataclass(frozen=True)
class Hint:
    """A hint that shows itself as Markdown."""

    key: str
    level: int
    text: str

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        more = "" if self.level == len(LEVELS) else f' (Next: `learn.hint("{self.key}", {self.level + 1})`.)'
        head = f"Hint {self.level} of {len(LEVELS)}, {LEVELS[self.level - 1]}"
        return {"text/plain": f"{head}: {self.text}{more}", "text/markdown": f"**{head}.** {self.text}{more}"}


def hint(key: str, level: int = 1) -> Hint:
    """Return a hint of an exercise: level 1 is the idea, 2 the formula, 3 a piece of code."""
    this = exercise(key)
    level = checked_int(level, "level", low=1, high=len(LEVELS))
    return Hint(key, level, this.hints[level - 1])


# --- what judges need -------------------------------------------------------------------------------------------------------


class AnswerFailed(Exception):
    """A student's function did not return a usable value; ``check`` turns it into *not yet*."""

    def __init__(self, text: str, hint: int | None = None):
        super().__init__(text)
        self.hint = hint


def called(answer: Any, *arguments: Any, name: str = "your function", where: str = "") -> Any:
    """Call a student's function on copies of the arguments and return what it returned.

    Raises
    ------
    AnswerFailed
        If the answer is not a function, raises, returns None, or changes an argument. ``where`` says on which input,
        in words that let the student repeat it.
    """
    on = f" {where}" if where else ""
    if not callable(answer):
        raise AnswerFailed(f"{name} must be a function, but it is of type `{type(answer).__name__}`.", hint=1)
    given = copy.deepcopy(arguments)
    try:
        result = answer(*given)
    except (Exception, SystemExit) as problem:
        raise AnswerFailed(f"{name} stopped with {type(problem).__name__}: {problem}{on or ''}.") from problem
    if result is None:
        raise AnswerFailed(f"{name} returned nothing{on}; is a `return` missing?")
    for position, (before, after) in enumerate(zip(arguments, given), start=1):
        if not _same(before, after):
            raise AnswerFailed(f"{name} changes its {_ordinal(position)} argument{on}; work on a copy instead.")
    return result


def called_with_tensors_too(answer: Any, *arguments: Any, name: str = "your function", where: str = "") -> Any:
    """Call as ``called`` does; a function that fails on arrays, written for tensors, gets tensors in their place.

    Raises
    ------
    AnswerFailed
        If it fails on both: what happened with arrays.
    """
    import torch

    try:
        return called(answer, *arguments, name=name, where=where)
    except AnswerFailed as on_arrays:
        tensors = (torch.from_numpy(one) if isinstance(one, np.ndarray) else one for one in arguments)
        try:
            return called(answer, *tensors, name=name, where=where)
        except AnswerFailed:
            raise on_arrays from None


def as_array(value: Any, shape: tuple[int, ...] | None = None, name: str = "the result") -> np.ndarray:
    """Return a student's result as a float64 array; axes of size one and the dtype are forgiven.

    Raises
    ------
    AnswerFailed
        If it is not numeric, has NaN, or does not have ``shape`` (up to axes of size one).
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise AnswerFailed(f"{name} should be numbers, but it is of type `{type(value).__name__}`.") from None
    if shape is not None and array.shape != shape:
        if tuple(n for n in array.shape if n != 1) != tuple(n for n in shape if n != 1):
            raise AnswerFailed(f"{name} should have the shape {shape}, but it has {array.shape}.")
        array = array.reshape(shape)
    if not np.isfinite(array).all():
        raise AnswerFailed(f"{name} holds NaN or infinity; did something divide by zero?")
    return array


def recognised_trap(found: np.ndarray, traps: Mapping[str, Any], tolerance: float = 1e-4) -> str | None:
    """Return the description of the well-known mistake whose result equals ``found``, or None.

    Parameters
    ----------
    found : array
        The student's result.
    traps : mapping from description to array
        What each mistake gives on the same input.
    tolerance : float
        Relative to the largest entry.
    """
    for description, wrong in traps.items():
        wrong = np.asarray(wrong, dtype=np.float64)
        if wrong.shape == found.shape and close(found, wrong, tolerance):
            return description
    return None


def close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> bool:
    """Whether two arrays agree to ``tolerance`` times the largest expected entry."""
    scale = max(float(np.abs(expected).max(initial=0.0)), 1e-12)
    return found.shape == expected.shape and bool(np.abs(found - expected).max(initial=0.0) <= tolerance * scale)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(_same(b, a) for b, a in zip(before, after))
    if hasattr(before, "shape"):
        return bool(np.array_equal(np.asarray(before), np.asarray(after), equal_nan=np.asarray(before).dtype.kind == "f"))
    try:
        return bool(before == after)
    except (TypeError, ValueError):
        return True


def _ordinal(n: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(n, f"{n}th")
