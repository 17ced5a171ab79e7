"""The tables of Google Landmarks v2: CSV files read row by row, with errors that name the file and the line.

An image id is 16 hexadecimal digits, so it fits into one unsigned 64-bit integer. Four million ids then take 33 MB as an
array instead of 270 MB as text, and finding one is a binary search. ``id_number`` and ``id_text`` convert.

The image ``0123456789abcdef`` of a split lies in ``0/1/2/0123456789abcdef.jpg``: its first three digits are its folders.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from course_utils.checks import message

ID_DIGITS = re.compile(r"[0-9a-f]{16}")

COLUMNS: dict[str, tuple[str, ...]] = {
    "metadata/train.csv": ("id", "url", "landmark_id"),
    "metadata/train_clean.csv": ("landmark_id", "images"),
    "metadata/train_attribution.csv": ("id", "url", "author", "license", "title"),
    "metadata/train_label_to_category.csv": ("landmark_id", "category"),
    "metadata/train_label_to_hierarchical.csv": (
        "landmark_id",
        "category",
        "supercategory",
        "hierarchical_label",
        "natural_or_human_made",
    ),
    "metadata/index.csv": ("id",),
    "metadata/index_image_to_landmark.csv": ("id", "landmark_id"),
    "metadata/index_label_to_category.csv": ("landmark_id", "category"),
    "metadata/index_label_to_hierarchical.csv": (
        "landmark_id",
        "category",
        "supercategory",
        "hierarchical_label",
        "natural_or_human_made",
    ),
    "metadata/test.csv": ("id",),
    "ground_truth/recognition_solution_v2.1.csv": ("id", "landmarks", "Usage"),
    "ground_truth/retrieval_solution_v2.1.csv": ("id", "images", "Usage"),
}
"""Every table of the mirror with its columns. A table may hold more columns, in any order."""


@dataclass(frozen=True)
class Row:
    """One row of a table: its fields by column name, and where it stands, for error messages."""

    fields: dict[str, str]
    file: Path
    line: int

    def __getitem__(self, column: str) -> str:
        return self.fields[column]

    def error(self, expected: str, got: str, advice: str = "") -> ValueError:
        """Return the error of a field that cannot be read."""
        return ValueError(message(f"{self.file.name}, line {self.line}", expected, got, advice))

    def integer(self, column: str) -> int:
        """Return a field as an integer of at least 0.

        Raises
        ------
        ValueError
            If it is something else.
        """
        text = self[column].strip()
        if not text.isascii() or not text.isdigit():
            raise self.error(f"a row with a number in {column}", repr(self[column]))
        return int(text)

    def image_id(self, column: str = "id") -> int:
        """Return the image id of the row as a number.

        Raises
        ------
        ValueError
            If it is not 16 hexadecimal digits.
        """
        return self.image_ids(column, single=True)[0]

    def image_ids(self, column: str, single: bool = False) -> list[int]:
        """Return the space-separated image ids of a field; spaces at the end do no harm."""
        parts = self[column].split()
        bad = next((part for part in parts if not ID_DIGITS.fullmatch(part)), None)
        if bad is not None or (single and len(parts) != 1):
            raise self.error("a row with an id of 16 hexadecimal digits", repr(bad if bad is not None else self[column]))
        return [int(part, 16) for part in parts]


def read_rows(root: Path, table: str) -> Iterator[Row]:
    """Yield the rows of a table of ``COLUMNS``, one at a time.

    Parameters
    ----------
    root : Path
        Folder with ``metadata`` and ``ground_truth``.
    table : str
        A key of ``COLUMNS``.

    Raises
    ------
    FileNotFoundError
        If the table is not there; the message says how to fetch it.
    ValueError
        If its header lacks a column, or a row has too few or too many fields.
    """
    yield from rows_of(Path(root) / table, COLUMNS[table])


def rows_of(file: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of any CSV file that begins with a header with (at least) these columns."""
    if not file.is_file():
        advice = "`python -m data_scripts get google_landmarks_v2` fetches a part of the real set with its tables."
        raise FileNotFoundError(message("root", f"a folder with {file.parent.name}/{file.name}", str(file.parent.parent), advice))
    with file.open(encoding="utf-8-sig", newline="") as source:
        reader = csv.reader(source)
        header = [name.strip() for name in next(reader, [])]
        if not set(columns) <= set(header):
            raise ValueError(message(f"the header of {file.name}", ", ".join(columns), ", ".join(header) or "an empty file"))
        for fields in reader:
            if not fields:
                continue
            row = Row(dict(zip(header, fields)), file, reader.line_num)
            if len(fields) != len(header):
                raise row.error(f"a row with {len(header)} fields", f"{len(fields)} fields")
            yield row


def id_number(text: str) -> int:
    """Return an image id as a number.

    >>> id_number("0123456789abcdef")
    81985529216486895
    """
    if not isinstance(text, str) or not ID_DIGITS.fullmatch(text):
        raise ValueError(message("id", "16 hexadecimal digits", repr(text)))
    return int(text, 16)


def id_text(number: int) -> str:
    """Return the 16 digits of an image id.

    >>> id_text(81985529216486895)
    '0123456789abcdef'
    """
    return f"{int(number):016x}"


def image_path(identity: str) -> Path:
    """Return where an image lies inside the folder of its split.

    >>> image_path("0123456789abcdef").as_posix()
    '0/1/2/0123456789abcdef.jpg'
    """
    return Path(*identity[:3], f"{identity}.jpg")


def ids_on_disk(folder: Path) -> np.ndarray:
    """Return the ids of the images under the folder of a split, sorted, uint64.

    Files that are no images, or lie in other folders than their names say, are left out.
    """
    found = []
    for image in Path(folder).glob("[0-9a-f]/[0-9a-f]/[0-9a-f]/*.jpg"):
        if ID_DIGITS.fullmatch(image.stem) and image.parts[-4:-1] == tuple(image.stem[:3]):
            found.append(int(image.stem, 16))
    return np.sort(np.array(found, np.uint64))
