"""Read a split of Google Landmarks v2, or of its miniature, from the files of the mirror.

The layout under ``root`` is the mirror's own::

    train/0/1/2/0123456789abcdef.jpg      images; the first three digits of the id are the folders
    metadata/train.csv                    id, url, landmark_id
    metadata/train_clean.csv              landmark_id, images
    metadata/index_image_to_landmark.csv  id, landmark_id
    ...                                   see ``tables.COLUMNS``

Conventions
    A split may be there in part: tables name images that were never fetched. Only images on disk are in the data set;
    ``n_missing`` counts the rest.
    ``landmark_ids`` are the numbers of the tables, ``labels`` run from 0 without gaps. *The index numbers its landmarks
    differently from train*: the same number means another landmark. A label of one split says nothing about the other.
    Test images carry no landmark here; ``read_solution`` reads the truth, as a scorer would.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import Dataset

from course_utils.checks import checked_choice, checked_int, message
from course_utils.data.folders import UnreadablePicture, read_picture
from course_utils.data.google_landmarks.tables import id_number, id_text, ids_on_disk, image_path, read_rows

SPLITS = ("train", "index", "test")


@dataclass(frozen=True, eq=False)
class LandmarkPhoto:
    """One image: uint8 ``(3, H, W)``, its id (16 digits), its landmark id (-1: not told), its label (-1: not told)."""

    image: torch.Tensor
    id: str
    landmark_id: int
    label: int


@dataclass(frozen=True)
class LandmarkCategory:
    """What the tables say about one landmark."""

    landmark_id: int
    category: str
    supercategory: str
    hierarchical_label: str
    natural_or_human_made: str


@dataclass(frozen=True)
class Attribution:
    """Who made an image, and on which terms it may be shown."""

    id: str
    url: str
    author: str
    license: str
    title: str


class GoogleLandmarks(Dataset):
    """The images of one split that are on disk, with their landmarks.

    Parameters
    ----------
    root : str or Path
        Folder with ``metadata`` and the folder of the split.
    split : {"train", "index", "test"}, default "train"
    clean : bool, default False
        Only the images of ``train_clean.csv`` (S. Yokoo et al., arXiv:2003.11211): fewer wrong labels.
    size : (int, int), optional
        Height and width: images are scaled to cover it and cropped around the centre. Default: as they are.

    Attributes
    ----------
    numbers : ndarray of shape (N,), uint64
        Image ids as numbers, in the order of the table; ``id(i)`` is the text.
    landmark_ids, labels : ndarray of shape (N,), int64
        -1 where nothing is told.
    classes : ndarray of shape (C,), int64
        The landmark id of every label, ascending.
    n_missing : int
        Images of the table that are not on disk.

    Raises
    ------
    FileNotFoundError
        If a table or the folder of the split is missing.
    ValueError
        If a table is malformed, names an image twice, or none of its images is on disk.
    """

    def __init__(self, root: str | Path, split: str = "train", clean: bool = False, size: tuple[int, int] | None = None) -> None:
        self.root = Path(root)
        self.split = checked_choice(split, "split", SPLITS)
        if clean and split != "train":
            raise ValueError(message("clean", f"False for the split {split!r}", "True", "Only train has a cleaned subset."))
        self.clean = bool(clean)
        self.size = None if size is None else (checked_int(size[0], "size[0]", low=1), checked_int(size[1], "size[1]", low=1))
        self.folder = self.root / split
        if not self.folder.is_dir():
            raise FileNotFoundError(message("root", f"a folder with {split}/", str(self.root)))
        numbers, landmarks = self._listed()
        ordered = np.sort(numbers)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(twice):
            raise ValueError(message(f"the table of {split}", "free of repeated images", f"{id_text(twice[0])} twice"))
        present = np.isin(numbers, ids_on_disk(self.folder))
        if not present.any():
            raise ValueError(message("root", f"a folder with images of {split}", f"none of the {len(numbers)} in the table"))
        self.n_missing = int((~present).sum())
        self.numbers, self.landmark_ids = numbers[present], landmarks[present]
        told = self.landmark_ids >= 0
        self.classes = np.unique(self.landmark_ids[told])
        self.labels = np.where(told, np.searchsorted(self.classes, self.landmark_ids), -1)
        self._order = np.argsort(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> LandmarkPhoto:
        index = range(len(self))[index]  # raises IndexError beyond the end, so that iteration stops
        return LandmarkPhoto(self.image(index), self.id(index), int(self.landmark_ids[index]), int(self.labels[index]))

    def __repr__(self) -> str:
        subset = ", clean" if self.clean else ""
        landmarks = f"{len(self.classes)} landmarks" if len(self.classes) else "landmarks not told"
        return (
            f"GoogleLandmarks({self.split}{subset}: {len(self)} images, {landmarks}; {self.n_missing} of its table not on disk)"
        )

    @property
    def ids(self) -> list[str]:
        """Return the ids of all images."""
        return [id_text(number) for number in self.numbers]

    def id(self, index: int) -> str:
        """Return the id of one image."""
        return id_text(self.numbers[index])

    def path(self, index: int) -> Path:
        """Return the file of one image."""
        return self.folder / image_path(self.id(index))

    def index_of(self, identity: str) -> int:
        """Return where the image with this id stands.

        Raises
        ------
        ValueError
            If ``identity`` is no id.
        KeyError
            If this split does not hold it; the message says which split on disk does.
        """
        number = np.uint64(id_number(identity))
        place = np.searchsorted(self.numbers, number, sorter=self._order)
        if place < len(self) and self.numbers[self._order[place]] == number:
            return int(self._order[place])
        elsewhere = [split for split in SPLITS if (self.root / split / image_path(identity)).exists()]
        advice = f"It belongs to {elsewhere[0]}." if elsewhere else "It is not on disk."
        raise KeyError(message("identity", f"an image of {self.split}", identity, advice))

    def image(self, index: int) -> torch.Tensor:
        """Return one image, uint8 ``(3, H, W)``.

        Raises
        ------
        ValueError
            If the file is damaged; the message names it.
        """
        path = self.path(index)
        try:
            pixels = read_picture(path, self.size) if self.size else _whole_picture(path)
        except (UnreadablePicture, OSError) as error:
            raise ValueError(message(f"the image {path.name}", "a readable picture", str(error))) from error
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))

    def images(self, indices: np.ndarray | None = None) -> torch.Tensor:
        """Return many images of one size as a batch, uint8 ``(N, 3, H, W)``; default: all of them."""
        indices = range(len(self)) if indices is None else indices
        return torch.stack([self.image(int(i)) for i in indices])

    def class_sizes(self) -> np.ndarray:
        """Return the number of images of every label, shape (C,), int64."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.classes))

    def categories(self) -> dict[int, LandmarkCategory]:
        """Return what ``*_label_to_hierarchical.csv`` says about the landmarks of this split, by landmark id.

        Raises
        ------
        FileNotFoundError
            If the table is missing (the test split has none).
        """
        wanted, found = set(self.classes.tolist()), {}
        for row in read_rows(self.root, f"metadata/{checked_choice(self.split, 'split', SPLITS[:2])}_label_to_hierarchical.csv"):
            if (landmark := row.integer("landmark_id")) in wanted:
                found[landmark] = LandmarkCategory(landmark, *(row[c] for c in _CATEGORY_COLUMNS))
        return found

    def attributions(self, identities: list[str] | None = None) -> list[Attribution]:
        """Return who made the images, from ``train_attribution.csv``, in the order of ``identities`` (default: all).

        Raises
        ------
        KeyError
            If an image has no row: it must not be shown.
        """
        wanted = dict.fromkeys(self.ids if identities is None else identities)
        for row in read_rows(self.root, "metadata/train_attribution.csv"):
            if row["id"] in wanted:
                wanted[row["id"]] = Attribution(*(row[c] for c in ("id", "url", "author", "license", "title")))
        lost = [identity for identity, found in wanted.items() if found is None]
        if lost:
            raise KeyError(message("identities", "images with a row in train_attribution.csv", lost[0], "Do not show it."))
        return list(wanted.values())

    def _listed(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the images of the table, (N,) uint64, and their landmarks, (N,) int64."""
        numbers, landmarks = [], []
        if self.clean:
            for row in read_rows(self.root, "metadata/train_clean.csv"):
                images = row.image_ids("images")
                numbers += images
                landmarks += [row.integer("landmark_id")] * len(images)
        elif self.split == "train":
            for row in read_rows(self.root, "metadata/train.csv"):
                numbers.append(row.image_id())
                landmarks.append(row.integer("landmark_id"))
        else:
            numbers = [row.image_id() for row in read_rows(self.root, f"metadata/{self.split}.csv")]
            landmarks = self._index_landmarks(numbers) if self.split == "index" else [-1] * len(numbers)
        return np.array(numbers, np.uint64), np.array(landmarks, np.int64)

    def _index_landmarks(self, numbers: list[int]) -> list[int]:
        known = {}
        for row in read_rows(self.root, "metadata/index_image_to_landmark.csv"):
            known[row.image_id()] = row.integer("landmark_id")
        return [known.get(number, -1) for number in numbers]


_CATEGORY_COLUMNS = ("category", "supercategory", "hierarchical_label", "natural_or_human_made")


def _whole_picture(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
