"""Where a fetched real data set lies, and whether it is complete.

Every chapter runs on embedded data. A few can also use a famous data set, if the reader has fetched it with
``python -m data_scripts get NAME``. This module is what the scripts and the chapters share: one rule for the folder,
and one file that says "complete".

- **The root** is ``root`` if given, else the environment variable ``COURSE_DATA``, else the platform's data folder.
- **A set** is the folder ``root/name``; a set that is fetched in parts has one folder per part below it.
- **The marker** ``complete.json`` is the last file that ``get`` writes. It lists every other file with its size and
  SHA-256, and says where the set came from. A folder without it, or with a file missing or of another size, is not a
  data set for the course.

The scripts build a set elsewhere and rename it into place, so a chapter sees all of it or nothing.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from course_utils.checks import message
from course_utils.data.cache import APPLICATION

MARKER = "complete.json"
"""The file that is written last. Its presence, and the presence of all it lists, makes a folder a data set."""


@dataclass(frozen=True)
class Completion:
    """What ``complete.json`` says.

    Attributes
    ----------
    name, part : str
        Data set and part; ``part`` is empty for a set that has no parts.
    title, licence, citation, home_page : str
        Copied from the record, so that the folder explains itself.
    origin : dict
        Path of each fetched file -> how it was checked, in words.
    files : dict
        Path (with ``/``, relative to the folder) -> ``[size in bytes, SHA-256]``.
    """

    name: str
    part: str = ""
    title: str = ""
    licence: str = ""
    citation: str = ""
    home_page: str = ""
    origin: dict[str, str] = field(default_factory=dict)
    files: dict[str, list] = field(default_factory=dict)


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of all real data sets: ``root``, else ``COURSE_DATA``, else the platform's data folder.

    The folder need not exist.
    """
    asked = root if root is not None else os.environ.get("COURSE_DATA")
    if asked:
        return Path(asked).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir(APPLICATION, appauthor=False))


def real_data(name: str, root: str | os.PathLike[str] | None = None, part: str | None = None) -> Path | None:
    """Return the folder of a complete real data set, or None if it has not been fetched.

    Parameters
    ----------
    name : str
        As in ``python -m data_scripts list``: ``"revisited_oxford"``, ``"cifar10"`` ...
    root : str or Path, optional
        Folder of all data sets; see ``data_root``.
    part : str, optional
        Which part of a set that is fetched in parts, such as ``"train_000"``. Default: the first complete one.

    Returns
    -------
    Path or None
        None also if a file is missing or has another size than when the set was completed. The content of the files
        is not read here; ``python -m data_scripts verify NAME`` does that.

    Raises
    ------
    ValueError
        If ``name`` or ``part`` is not made of lower-case letters, digits and ``_``.

    Examples
    --------
    >>> import tempfile
    >>> real_data("cifar10", root=tempfile.mkdtemp()) is None
    True
    """
    folder = data_root(root) / checked_name(name, "name")
    if part is not None:
        candidates = [folder / checked_name(part, "part")]
    else:
        parts = sorted(marker.parent for marker in folder.glob(f"*/{MARKER}"))
        candidates = [folder, *parts]
    return next((found for found in candidates if is_complete(found, name, found.name if found != folder else "")), None)


def checked_name(name: str, argument: str) -> str:
    """Return ``name`` if it can be the name of a folder: lower-case letters, digits and ``_``."""
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_]*", name):
        raise ValueError(message(argument, "lower-case letters, digits and '_'", repr(name)))
    return name


def is_complete(folder: Path, name: str, part: str = "") -> bool:
    """Return whether ``folder`` holds all of the data set ``name`` (or of its ``part``), judged by names and sizes."""
    completion = read_completion(folder)
    return completion is not None and (completion.name, completion.part) == (name, part) and not missing_files(folder, completion)


def read_completion(folder: Path) -> Completion | None:
    """Return what the marker of ``folder`` says, or None if there is no readable one."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return Completion(**content)
    except (OSError, ValueError, TypeError):
        return None


def write_completion(folder: Path, completion: Completion) -> None:
    """Write the marker; the caller has written everything else."""
    (folder / MARKER).write_text(json.dumps(asdict(completion), indent=1, ensure_ascii=False), encoding="utf-8")


def missing_files(folder: Path, completion: Completion) -> dict[str, str]:
    """Return path -> one sentence for each listed file that is missing or has another size; empty if all is well."""
    sentences = {}
    for path, (size, _) in completion.files.items():
        try:
            found = (folder / path).stat().st_size
        except OSError:
            sentences[path] = f"{path} is missing."
        else:
            if found != size:
                sentences[path] = f"{path} has {found} bytes; it had {size} when the set was completed."
    return sentences
