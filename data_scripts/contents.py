"""Is it the data set? The layout, the pickles, the arrays, and the last step of a set that needs one.

All of this happens in the work folder, after the check sums and before the set appears. A pickle is a program:
``pickle.load`` runs what the file says. So each one must be readable as plain data by ``load_plain_pickle``, which
runs nothing. After that, a loader that does use ``pickle.load``, like torchvision's for CIFAR, meets only what has
passed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from course_utils.data.restricted_pickle import RefusedPickleError, load_plain_pickle
from data_scripts.errors import WrongContents
from data_scripts.extract import BROKEN
from data_scripts.google_landmarks import keep_rows_of_present_images
from data_scripts.records import Record

FINISHERS: dict[str, Callable[[Path, Record], None]] = {
    "": lambda folder, record: None,
    "google_landmarks": keep_rows_of_present_images,
}
"""Last steps by the name that a record gives them."""


def check_contents(folder: Path, record: Record) -> None:
    """Check a freshly unpacked set and carry out its last step.

    Raises
    ------
    WrongContents
        If an expected path is missing, a pickle is more than plain data, or an array needs a pickle.
    """
    for path in record.expects:
        if not (folder / path).exists():
            raise WrongContents(f"{record.label} should hold {path}, and does not: the layout is another one than expected.")
    for path in _matching(folder, record.pickles):
        try:
            load_plain_pickle(path)
        except RefusedPickleError as error:
            raise WrongContents(f"{path.relative_to(folder)} is not accepted as a pickle of plain data. {error}") from error
    for path in _matching(folder, record.arrays):
        try:
            with np.load(path, allow_pickle=False) as arrays:
                for name in arrays.files:
                    arrays[name]
        except (OSError, *BROKEN) as error:
            raise WrongContents(f"{path.relative_to(folder)} does not load as arrays without a pickle ({error}).") from error
    FINISHERS[record.finish](folder, record)


def _matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})
