"""Results kept on disk: a folder that may be deleted at any time and that two kernels may share.

A cached result is a dictionary of arrays in one ``.npz`` file, named after what it holds and a hash of the key that
it was computed from. Three rules make it safe:

- **Written whole or not at all.** The arrays go to a temporary file in the same folder, which then takes the final
  name in one step (``os.replace``). A reader sees the old file, the new one or none, never half of one. Two processes
  that miss at the same time both compute, and the later one replaces equal content by equal content.
- **Checked when read.** Every array of the file is read at once, so that the archive's check sums are compared; a
  file that is cut short or damaged is computed again and replaced.
- **Never needed.** If the folder cannot be written, a warning says so and the result is used from memory.

Nothing is unpickled: a cache file cannot run code.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from course_utils.checks import message

APPLICATION = "representation-learning-2"
"""Name of the course's folder inside the platform's cache folder."""


def cache_folder() -> Path:
    """Return the folder for cached results: ``COURSE_CACHE`` if it is set, else the platform's cache folder.

    The folder is not created here; ``cached_arrays`` creates it when there is something to keep.
    """
    asked = os.environ.get("COURSE_CACHE")
    if asked:
        return Path(asked).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir(APPLICATION, appauthor=False))


def cached_arrays(name: str, key: str, compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return ``compute()``, from disk if it was computed before.

    Parameters
    ----------
    name : str
        What is stored, readable in the folder: letters, digits, ``-``, ``_`` and ``.``.
    key : str
        Everything the result depends on (seed, size, version of the generator, ...). Another key is another file.
    compute : callable
        Called without arguments on a miss; returns a mapping from names to arrays (no object arrays).

    Returns
    -------
    dict of str to array
        The arrays, equal whether they were computed or read.

    Raises
    ------
    ValueError
        If ``name`` has other characters, or an array holds Python objects.

    Warns
    -----
    RuntimeWarning
        If the folder cannot be written. The result is returned all the same.

    Examples
    --------
    >>> import os, tempfile
    >>> os.environ["COURSE_CACHE"] = tempfile.mkdtemp()
    >>> first = cached_arrays("squares", "up to 5", lambda: {"x": np.arange(5) ** 2})
    >>> second = cached_arrays("squares", "up to 5", lambda: {"x": np.zeros(5)})   # read, not computed
    >>> second["x"]
    array([ 0,  1,  4,  9, 16])
    >>> del os.environ["COURSE_CACHE"]
    """
    path = cache_path(name, key)
    kept = _read(path)
    if kept is not None:
        return kept
    arrays = {label: np.asarray(array) for label, array in compute().items()}
    for label, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(message("compute", "a function that returns plain arrays", f"Python objects in {label!r}"))
    try:
        _write(path, arrays)
    except OSError as error:
        warnings.warn(
            f"The cache folder {path.parent} cannot be written ({error.strerror or error}): {name} stays in memory and is "
            "computed again next time. Set COURSE_CACHE to a folder that you may write to.",
            RuntimeWarning,
            stacklevel=2,
        )
    return arrays


def cache_path(name: str, key: str) -> Path:
    """Return the file that ``cached_arrays(name, key, ...)`` reads and writes."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ValueError(message("name", "letters, digits, '-', '_' and '.'", repr(name)))
    digest = hashlib.sha256(str(key).encode()).hexdigest()[:16]
    return cache_folder() / f"{name}-{digest}.npz"


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of a cache file, or None if there is none or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {label: archive[label] for label in archive.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _write(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary file to write to; it takes the name ``path`` at the end, and goes away if anything fails.

    The folder is made if it is missing. A reader of ``path`` sees the old file, the new one or none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=path.name, suffix=".partial", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
