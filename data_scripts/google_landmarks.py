"""Google Landmarks v2, one part at a time, in the layout of its mirror.

Four million training images lie in 500 archives of about 1 GB, so a part is what one can work with: the images of one
archive, and of every table the rows that concern them. The layout inside a part is the mirror's own::

    train/0/1/2/0123456789abcdef.jpg     the first three characters of the id are the folders
    metadata/train.csv                   id, url, landmark_id
    metadata/train_clean.csv             landmark_id, images (ids with a space between them)
    metadata/train_attribution.csv       id, url, author, license, title: the rows of every image that is kept
    ground_truth/...                     for parts of the test split

Source: T. Weyand, A. Araujo, B. Cao, J. Sim, "Google Landmarks Dataset v2", CVPR 2020, arXiv:2004.01804, and the
repository cvdfoundation/google-landmark, whose mirror publishes an MD5 file for each archive. The ``url`` column of
the tables is not used: many of those addresses are dead. The tables have no published check sum.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

from data_scripts.errors import DataScriptError, WrongContents
from data_scripts.records import Record, RemoteFile

NAME = "google_landmarks_v2"
MIRROR = "https://s3.amazonaws.com/google-landmark"
SPLITS = {"train": (500, 1_050_000_000, 8_300), "index": (100, 850_000_000, 7_700), "test": (20, 500_000_000, 5_900)}
"""Split -> number of parts, and about how many bytes and images a part has."""
TABLES = {
    "train": {
        "metadata/train.csv": 600_000_000,
        "metadata/train_clean.csv": 40_000_000,
        "metadata/train_attribution.csv": 1_200_000_000,
        "metadata/train_label_to_category.csv": 20_000_000,
        "metadata/train_label_to_hierarchical.csv": 30_000_000,
    },
    "index": {
        "metadata/index.csv": 15_000_000,
        "metadata/index_image_to_landmark.csv": 20_000_000,
        "metadata/index_label_to_category.csv": 10_000_000,
        "metadata/index_label_to_hierarchical.csv": 15_000_000,
    },
    "test": {
        "metadata/test.csv": 3_000_000,
        "ground_truth/recognition_solution_v2.1.csv": 5_000_000,
        "ground_truth/retrieval_solution_v2.1.csv": 10_000_000,
    },
}
"""Tables of a split with their approximate sizes. They serve every part of the split, so the fetched files are kept.

Their columns are in ``course_utils.data.google_landmarks.tables``. The table that names the landmarks comes before those that need them.
"""


def part_record(part: str) -> Record:
    """Return the record of one part: ``"train_000"`` to ``"train_499"``, ``"index_000"`` ..., ``"test_000"`` ...

    Raises
    ------
    DataScriptError
        If there is no such part.
    """
    found = re.fullmatch(r"(train|index|test)_(\d{3})", part or "")
    if not found or int(found[2]) >= SPLITS[found[1]][0]:
        raise DataScriptError(
            f"{NAME} is fetched part by part: --part train_000 to train_499 (about 1 GB each), index_000 to index_099, "
            "test_000 to test_019."
        )
    split, number = found[1], found[2]
    _, size, n_images = SPLITS[split]
    images = RemoteFile(
        path=f"{split}/images_{number}.tar",
        addresses=(f"{MIRROR}/{split}/images_{number}.tar",),
        size=size,
        exact=False,
        checksum_path=f"md5sum/{split}/md5.images_{number}.txt",
        unpack="tar",
        into=split,
        members=n_images + 5000,
    )
    tables = tuple(
        RemoteFile(path=path, addresses=(f"{MIRROR}/{path}",), size=about, exact=False, into=path, keep=True)
        for path, about in TABLES[split].items()
    )
    return Record(
        name=NAME,
        part=part,
        title="Google Landmarks v2",
        home_page="https://github.com/cvdfoundation/google-landmark",
        licence="Annotations: CC BY 4.0 (Google). Images of train: CC BY without NoDerivs, each as train_attribution.csv says; "
        "index and test: CC0 or public domain. Nobody guarantees it: check each image that you publish.",
        citation='T. Weyand, A. Araujo, B. Cao, J. Sim, "Google Landmarks Dataset v2", CVPR 2020, arXiv:2004.01804; '
        "train_clean: S. Yokoo et al., arXiv:2003.11211.",
        used_for="03_delf, 04_landmark_recognition",
        reader=f"course_utils.data.GoogleLandmarks(folder, '{split}')",
        files=(images, *tables),
        expects=(split, *TABLES[split]),
        finish="google_landmarks",
        note="The tables of a split are fetched once and kept for its next part.",
    )


def keep_rows_of_present_images(folder: Path, record: Record) -> None:
    """Filter the tables of a freshly unpacked part to the images that it has.

    Raises
    ------
    WrongContents
        If an image is not where its id says, none is there, a table has other columns, or none of the images is in it.
    """
    split = record.part.partition("_")[0]
    present = _present_ids(folder / split)
    landmarks: set[str] = set()
    kept = 0
    for table in TABLES[split]:
        name = table.rpartition("/")[2]
        if name in ("train.csv", "index_image_to_landmark.csv"):
            kept += _filter(folder, table, lambda row: row["id"] in present and (landmarks.add(row["landmark_id"]) or True))
        elif name == "train_clean.csv":
            _filter(folder, table, lambda row: _keep_present(row, present))
        elif "_label_to_" in name:
            _filter(folder, table, lambda row: row["landmark_id"] in landmarks)
        else:
            kept += _filter(folder, table, lambda row: row["id"] in present)
    if not kept:
        raise WrongContents(f"None of the {len(present)} images of {record.label} is in its tables.")


def _present_ids(folder: Path) -> set[str]:
    from course_utils.data.google_landmarks.tables import image_path  # here, because its package loads torch

    present = set()
    for image in folder.rglob("*.jpg"):
        found, expected = image.relative_to(folder), image_path(image.stem)
        if found != expected:
            raise WrongContents(f"{found} should be {expected}: this is not the layout of Google Landmarks v2.")
        present.add(image.stem)
    if not present:
        raise WrongContents("The archive holds no image: this is not the layout of Google Landmarks v2.")
    return present


def _keep_present(row: dict[str, str], present: set[str]) -> bool:
    row["images"] = " ".join(image for image in row["images"].split() if image in present)
    return bool(row["images"])


def _filter(folder: Path, table: str, keep: Callable[[dict[str, str]], bool]) -> int:
    """Rewrite a table with the rows that are kept, one row at a time; return how many."""
    from course_utils.data.google_landmarks.tables import COLUMNS, rows_of

    path, columns, count = folder / table, COLUMNS[table], 0
    filtered = path.with_name(path.name + ".filtered")
    with filtered.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, fieldnames=columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        try:
            for row in rows_of(path, columns):
                if keep(row.fields):
                    writer.writerow(row.fields)
                    count += 1
        except (ValueError, csv.Error) as error:
            raise WrongContents(f"{table} is not the table that it should be. {error}") from error
    filtered.replace(path)
    return count
