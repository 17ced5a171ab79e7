"""For learners and teachers: exercises that answer back, the syllabus, the glossary, the environment check.

``check`` and ``hint`` belong to the exercises of every chapter. ``syllabus``, ``glossary`` and ``environment`` are
modules: ``learn.syllabus.show()``, ``learn.glossary.show()``, ``learn.environment.check()``.
"""

from course_utils.learn.exercise import Exercise, Hint, Verdict, check, hint, register

__all__ = ["Exercise", "Hint", "Verdict", "check", "environment", "glossary", "hint", "register", "syllabus"]


def __getattr__(name: str):
    if name in ("environment", "glossary", "syllabus"):
        import importlib

        return importlib.import_module(f"course_utils.learn.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
