"""Google Landmarks v2 in small: generated photographs in the files, folders and tables of the real set.

The miniature is written once into the course's cache folder. Its pictures are those of ``data.Landmarks`` and further ones
of the same monuments; everything around them has the real layout, so that the real reader reads it:

====================  ============================================================================================
what                  how it is copied in small
====================  ============================================================================================
long tail             training classes from 200 photographs down to 8
two numberings        landmark ids of train and of the index are drawn separately; one number means two things
index                 classes that train does not know, classes that it knows, and streets without any landmark
test                  one set for both tasks; most of its images show no landmark
recognition truth     train's numbers; empty where train does not know the monument, or there is none
retrieval truth       images of the index; ``None`` where there is nothing to find
Usage                 a third Public, the rest Private; queries with nothing to find are Ignored in retrieval
licences              one attribution row for every training image
cleaned subset        the training images on which much of the landmark is seen
archives              one tar per split, beside its MD5 file
====================  ============================================================================================

It is written into a temporary folder that then takes its final name in one step: a reader sees all of it or nothing.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from course_utils.checks import checked_int
from course_utils.data.cache import cache_folder
from course_utils.data.google_landmarks.parts import md5_of, md5_path
from course_utils.data.google_landmarks.tables import COLUMNS, image_path
from course_utils.data.landmarks import CLASS_RANGES, Landmarks, kind_of, rendered_view
from course_utils.data.landmarks.dataset import GENERATOR_VERSION
from course_utils.profile import progress

VERSION = 1
"""Part of the folder's name: raise it when what is written changes."""
QUALITY = 92
KNOWN_PER_CLASS = 2  # index photographs of a class that train knows, too
TEST_KNOWN, TEST_NEW = 2, 1  # test photographs per class of train, and per class that only the index knows
EMPTY_TEST = 600
PUBLIC_SHARE = 1 / 3
CLEAN_AREA = 0.12  # visible share of the image above which a training photograph is in the cleaned subset
LICENCE = "https://creativecommons.org/licenses/by/2.0/"
AUTHOR = "Representation Learning 2, from photographs credited in course_utils.data.photographs"
SUPERCATEGORIES = {
    "church": "place of worship",
    "temple": "place of worship",
    "tower": "landmark building",
    "palace": "landmark building",
    "gate": "landmark building",
    "statue": "monument",
    "mural": "public art",
}


@dataclass(frozen=True, eq=False)
class _Photo:
    """One picture of the miniature: where it comes from, its id, and how much of it is landmark."""

    image: np.ndarray
    label: int
    area: float
    source: str
    id: str


def google_landmarks_miniature(seed: int = 1, empty_test: int = EMPTY_TEST, folder: str | Path | None = None) -> Path:
    """Return the root folder of the miniature; it is written first if it is not there.

    Parameters
    ----------
    seed : int, default 1
        Which monuments, ids, numbers and shares.
    empty_test : int, default 600
        Test images without a landmark; those with one are 150.
    folder : str or Path, optional
        Where the root folder is made. Default: the course's cache folder, which may be deleted at any time.

    Returns
    -------
    Path
        A folder that ``GoogleLandmarks``, ``read_solution`` and ``check_parts`` read.

    Notes
    -----
    About 2,350 pictures of 112 x 112 pixels, 45 MB with the archives; some 15 seconds the first time.
    """
    seed, empty_test = checked_int(seed, "seed", low=0), checked_int(empty_test, "empty_test", low=0)
    parent = cache_folder() if folder is None else Path(folder)
    name = f"google-landmarks-miniature-{seed}-{empty_test}-version-{VERSION}-{GENERATOR_VERSION}"
    if (parent / name).is_dir():
        return parent / name
    parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".part", dir=parent))
    try:
        _write(temporary, seed, empty_test)
        try:
            os.replace(temporary, parent / name)
        except OSError:
            if not (parent / name).is_dir():  # another kernel was faster: use its folder
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return parent / name


def _write(root: Path, seed: int, empty_test: int) -> None:
    rng = np.random.default_rng([seed, 2004, 1804])
    train = _of_split("train", seed)
    index = _of_split("index", seed) + _rendered("validation", range(*CLASS_RANGES["train"]), 4, KNOWN_PER_CLASS, seed)
    test = _test_photos(seed, empty_test)
    numbers = _numberings(rng)
    for split, photos in (("train", train), ("index", index), ("test", test)):
        photos = [photos[i] for i in rng.permutation(len(photos))]
        _write_pictures(root, split, photos)
        {"train": _write_train, "index": _write_index, "test": _write_test}[split](root, photos, numbers, index, rng)


def _of_split(split: str, seed: int) -> list[_Photo]:
    """Return the photographs of a split of ``Landmarks``."""
    views = Landmarks(split, seed=seed)
    areas = views.masks.double().mean(dim=(1, 2)).tolist()
    sources = [f"{split}/{label}/{number}" for label, number in zip(views.labels.tolist(), views.numbers.tolist())]
    return [
        _photo(image.numpy(), label, area, source, seed)
        for image, label, area, source in zip(views.images, views.labels.tolist(), areas, sources)
    ]


def _rendered(split: str, labels: Iterable[int], first: int, count: int, seed: int) -> list[_Photo]:
    """Return single photographs, among them those that no split of ``Landmarks`` holds."""
    wanted = [(label, number) for label in labels for number in range(first, first + count)]
    photos = []
    for label, number in progress(wanted, desc="photographing for the miniature", unit="image"):
        view = rendered_view(split, label, number, seed)
        photos.append(_photo(view.image.numpy(), label, float(view.mask.double().mean()), f"{split}/{label}/{number}", seed))
    return photos


def _test_photos(seed: int, empty_test: int) -> list[_Photo]:
    known, new = range(*CLASS_RANGES["train"]), range(*CLASS_RANGES["test"])
    landmarks = _rendered("test", known, 0, TEST_KNOWN, seed) + _rendered("query", new, 0, TEST_NEW, seed)
    empty = _of_split("distractor", seed)[:empty_test]
    return landmarks + empty + _rendered("distractor", (-1,), len(empty), empty_test - len(empty), seed)


def _photo(image: np.ndarray, label: int, area: float, source: str, seed: int) -> _Photo:
    digest = hashlib.sha256(f"{seed}/{source}".encode()).hexdigest()[:16]
    return _Photo(image, label, area, source, digest)


def _numberings(rng: np.random.Generator) -> dict[str, dict[int, int]]:
    """Return landmark ids by label, one numbering for train and one for the index.

    The index takes its numbers from the same range, so that a number of one is often a number of the other, and means
    something else.
    """
    known, new = range(*CLASS_RANGES["train"]), range(*CLASS_RANGES["test"])
    for_train = dict(zip(known, rng.permutation(3 * len(known))[: len(known)].tolist()))
    shown = [*known, *new]
    for_index = dict(zip(shown, rng.permutation(3 * len(known))[: len(shown)].tolist()))
    return {"train": for_train, "index": for_index}


def _write_pictures(root: Path, split: str, photos: list[_Photo]) -> None:
    """Write JPEG files into their folders, all of them into one archive, and its MD5 file."""
    archive = root / split / "images_000.tar"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w") as tar:
        for photo in sorted(photos, key=lambda photo: photo.id):
            buffer = io.BytesIO()
            Image.fromarray(photo.image.transpose(1, 2, 0)).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
            path = image_path(photo.id)
            file = root / split / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(buffer.getvalue())
            entry = tarfile.TarInfo(path.as_posix())
            entry.size = len(buffer.getvalue())
            tar.addfile(entry, io.BytesIO(buffer.getvalue()))
    checksum = md5_path(root, split, archive.stem)
    checksum.parent.mkdir(parents=True, exist_ok=True)
    checksum.write_text(f"{md5_of(archive)}  {archive.name}\n", encoding="ascii")


def _write_train(root: Path, photos: list[_Photo], numbers: dict, index: list[_Photo], rng: np.random.Generator) -> None:
    ids = numbers["train"]
    _table(root, "metadata/train.csv", ((p.id, f"generator:{p.source}", ids[p.label]) for p in photos))
    clean: dict[int, list[str]] = {}
    for photo in photos:
        if photo.area >= CLEAN_AREA:
            clean.setdefault(ids[photo.label], []).append(photo.id)
    _table(root, "metadata/train_clean.csv", ((landmark, " ".join(images)) for landmark, images in sorted(clean.items())))
    rows = ((p.id, f"generator:{p.source}", AUTHOR, LICENCE, f"{kind_of(p.label)} {p.label}") for p in photos)
    _table(root, "metadata/train_attribution.csv", rows)
    _write_categories(root, "train", ids)


def _write_index(root: Path, photos: list[_Photo], numbers: dict, index: list[_Photo], rng: np.random.Generator) -> None:
    ids = numbers["index"]
    _table(root, "metadata/index.csv", ((p.id,) for p in photos))
    _table(root, "metadata/index_image_to_landmark.csv", ((p.id, ids[p.label]) for p in photos if p.label >= 0))
    _write_categories(root, "index", ids)


def _write_test(root: Path, photos: list[_Photo], numbers: dict, index: list[_Photo], rng: np.random.Generator) -> None:
    _table(root, "metadata/test.csv", ((p.id,) for p in photos))
    usage = ["Public" if public else "Private" for public in rng.random(len(photos)) < PUBLIC_SHARE]
    ids = numbers["train"]
    truth = ((p.id, ids.get(p.label, ""), u) for p, u in zip(photos, usage))
    _table(root, "ground_truth/recognition_solution_v2.1.csv", truth)
    shown: dict[int, list[str]] = {}
    for photo in index:
        if photo.label >= 0:
            shown.setdefault(photo.label, []).append(photo.id)
    found = (
        (p.id, " ".join(shown[p.label]), u) if p.label in shown else (p.id, "None", "Ignored") for p, u in zip(photos, usage)
    )
    _table(root, "ground_truth/retrieval_solution_v2.1.csv", found)


def _write_categories(root: Path, split: str, ids: dict[int, int]) -> None:
    rows = sorted((landmark, label) for label, landmark in ids.items())
    _table(root, f"metadata/{split}_label_to_category.csv", ((n, f"generator:{kind_of(label)}_{label}") for n, label in rows))
    hierarchical = (
        (n, f"generator:{kind_of(label)}_{label}", SUPERCATEGORIES[kind_of(label)], kind_of(label), "human-made")
        for n, label in rows
    )
    _table(root, f"metadata/{split}_label_to_hierarchical.csv", hierarchical)


def _table(root: Path, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    file = root / table
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(COLUMNS[table])
        writer.writerows(rows)
