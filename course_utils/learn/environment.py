"""Does the course run here? What is installed is compared with what the course needs, in words.

``check`` gives a verdict that is the same on every healthy machine, so that a chapter's test can compare it: it says
*that* a package fits, not which version it is. Versions and hardware are in ``details``.

The ranges are read from the metadata of the installed project, which pip wrote from ``pyproject.toml``: there is no
second list to keep in step.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from course_utils import profile
from course_utils.learn.tables import Table

PROJECT = "representation-learning-2"
SET_UP_AGAIN = "Close Jupyter and run `make lab` again in the project's folder."
FREE_GIGABYTES = 1.0
"""What the cache may need; the street world of chapters 00 to 02 takes some hundred megabytes."""

IMPORTED = ("torch", "torchvision", "faiss")
"""Compiled packages that can be installed and still not start, for instance torch and torchvision of two releases."""

WIDGETS = ("ipywidgets", "anywidget", "jupyterlab_widgets")
"""Kernel's part of the explorers, the canvas, and the part inside JupyterLab."""

ALL_HERE = "Everything that the course needs is here."


@dataclass(frozen=True)
class Finding:
    """One line of the check.

    Attributes
    ----------
    part : str
        What was looked at.
    needed : str
        What the course needs.
    problem : str
        What is wrong, as a sentence; empty = nothing.
    repair : str
        What to do about it.
    """

    part: str
    needed: str
    problem: str = ""
    repair: str = ""


@dataclass(frozen=True)
class Report:
    """What ``check`` found. In a notebook it shows itself as a table, with the verdict as plain text.

    Attributes
    ----------
    findings : tuple of Finding
    """

    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that need attention."""
        return tuple(f for f in self.findings if f.problem)

    @property
    def sentence(self) -> str:
        """The verdict in words: one line, or one line for each problem with its repair."""
        if not self.problems:
            return ALL_HERE
        n = len(self.problems)
        head = "One thing needs attention." if n == 1 else f"{n} things need attention."
        return "\n".join((head, *(f"- {f.problem} {f.repair}".rstrip() for f in self.problems)))

    def __repr__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        rows = tuple(
            (f.part, f.needed, "✗ " + f"{f.problem} {f.repair}".rstrip() if f.problem else "✓ fits") for f in self.findings
        )
        table = Table(self.sentence.splitlines()[0], ("part", "needed", "here"), rows, widths=(22, 33, 45))
        return {"text/plain": self.sentence, "text/html": table.html}


def check() -> Report:
    """Compare what is installed with what the course needs.

    Returns
    -------
    Report
        Shown by the notebook when it is the last line of a cell; its text is "Everything that the course needs is
        here." or the list of problems, each with its repair. It never raises.

    Notes
    -----
    Taught in `00_start_here`, cell `environment-check`.
    """
    return Report((_python(), *_packages(), *_starting(), _widgets(), _profile(), _threads(), _disk()))


def details() -> None:
    """Print versions, processor, graphics card, profile and threads: what a report of an error should quote.

    The output differs from machine to machine, so no test compares it. It holds no folder names.
    """
    rows = [("system", f"{platform.system()} on {platform.machine()}"), ("cores", str(_cores()))]
    rows += [("Python", platform.python_version()), ("course", _version(PROJECT) or "not installed")]
    rows += [(r.name, _version(r.name) or "not installed") for r in _requirements()]
    rows += [("profile", _or_problem(profile.current_profile)), ("threads", _or_problem(profile.n_threads))]
    rows += [("device", _or_problem(_device_name))]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows))


def _python() -> Finding:
    """The interpreter's version."""
    needed = _required_python()
    version = platform.python_version()
    if SpecifierSet(needed).contains(version, prereleases=True):
        return Finding("Python", needed)
    return Finding(
        "Python", needed, f"Python {version} is outside {needed}.", "Install one that fits, and set the course up with it."
    )


def _required_python() -> str:
    try:
        return metadata.metadata(PROJECT).get("Requires-Python") or ">=3.11"
    except metadata.PackageNotFoundError:
        return ">=3.11"


def _packages() -> list[Finding]:
    """One finding for each package that does not fit; a single one if all do, or if the project is not installed."""
    if _version(PROJECT) is None:
        problem = f"The project {PROJECT} is not installed in this Python, so its requirements are unknown."
        return [Finding("the course", "installed", problem, SET_UP_AGAIN)]
    findings = [_package(requirement, _version(requirement.name)) for requirement in _requirements()]
    fitting = sum(not f.problem for f in findings)
    return [Finding(f"{fitting} packages", "the ranges of the project"), *(f for f in findings if f.problem)]


def _requirements() -> list[Requirement]:
    """Return what the installed project requires, without its extras, in alphabetical order."""
    try:
        lines = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        return []
    found = [Requirement(line) for line in lines]
    return sorted((r for r in found if r.marker is None or r.marker.evaluate({"extra": ""})), key=lambda r: r.name)


def _package(requirement: Requirement, installed: str | None) -> Finding:
    """Judge one package. ``installed`` is its version, or None if it is missing."""
    needed = str(requirement.specifier) or "any version"
    if installed is None:
        return Finding(requirement.name, needed, f"{requirement.name} is missing.", SET_UP_AGAIN)
    if not requirement.specifier.contains(installed, prereleases=True):
        return Finding(requirement.name, needed, f"{requirement.name} {installed} is outside {needed}.", SET_UP_AGAIN)
    return Finding(requirement.name, needed)


def _starting(names: tuple[str, ...] = IMPORTED) -> list[Finding]:
    """Import the compiled packages; one finding for each that does not start, a single one if all do."""
    findings = []
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a broken binary raises
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                continue  # missing as a whole, which `_packages` says
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            advice = "torch and torchvision must be of one release and from one place. " if "torch" in name else ""
            findings.append(Finding(f"import {name}", "starts", f"{name} does not start: {first}.", advice + SET_UP_AGAIN))
    return findings or [Finding(", ".join(names), "start")]


def _widgets() -> Finding:
    missing = [name for name in WIDGETS if _version(name) is None]
    if not missing:
        return Finding("explorers", "widgets, canvas")
    problem = f"The explorers cannot be shown: {' and '.join(missing)} missing."
    return Finding("explorers", "widgets, canvas", problem, SET_UP_AGAIN)


def _profile() -> Finding:
    needed = "quick, full or gpu"
    try:
        profile.device()
    except ValueError as error:
        return Finding("profile", needed, str(error), "Leave COURSE_PROFILE unset for the default.")
    except RuntimeError as error:
        return Finding("profile", needed, str(error))
    except ImportError:  # torch is missing, which another line says
        pass
    return Finding("profile", needed)


def _threads() -> Finding:
    needed = "not more than cores"
    try:
        n = profile.n_threads()
    except ValueError as error:
        return Finding("threads", needed, str(error), "Leave COURSE_THREADS unset for the default.")
    if n > _cores():
        problem = f"COURSE_THREADS asks for {n} threads, but only {_cores()} cores are free: training becomes much slower."
        return Finding("threads", needed, problem, f"Set COURSE_THREADS={_cores()}, or leave it unset.")
    return Finding("threads", needed)


def _disk() -> Finding:
    """Free space for the cache, and whether it may be written; the course runs without it, but slower."""
    needed = f"{FREE_GIGABYTES:g} GB, writable"
    repair = "Set COURSE_CACHE to a folder elsewhere; without one, everything is computed again each time."
    if not os.access(_existing_cache_parent(), os.W_OK):
        return Finding("cache folder", needed, "The cache folder cannot be written.", repair)
    if _free_gigabytes() < FREE_GIGABYTES:
        return Finding("cache folder", needed, f"The cache folder has only {_free_gigabytes():.1f} GB left.", repair)
    return Finding("cache folder", needed)


def _existing_cache_parent() -> Path:
    """Return the cache folder, or the nearest folder above it that exists already."""
    from course_utils.data import cache_folder

    folder = cache_folder().absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _free_gigabytes() -> float:
    return shutil.disk_usage(_existing_cache_parent()).free / 1e9


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _device_name() -> str:
    device = profile.device()
    if device.type != "cuda":
        return "CPU" if device.type == "cpu" else str(device)
    import torch

    return torch.cuda.get_device_name(device)


def _or_problem(ask: Any) -> str:
    try:
        return str(ask())
    except (ImportError, RuntimeError, ValueError) as error:
        return str(error)
