"""Landmark recognition in small: which monument is this, and is there one at all?

The data set has the shape of Google Landmarks v2 (T. Weyand, A. Araujo, B. Cao, J. Sim, "Google Landmarks Dataset v2",
CVPR 2020, arXiv:2004.01804):

- training classes are **long-tailed**: a few monuments have hundreds of photographs, most have a handful;
- **retrieval** is tested on an index of *other* classes than the training ones, among photographs of streets without a
  landmark;
- many **queries show no landmark**, and a good system says so.

Unlike there, the truth is complete: every photograph comes with the visible pixels of its landmark and with the homography
from the monument's canvas, so that attention, matches and geometric verification can be scored.

Taught in ``03_delf`` and ``04_landmark_recognition``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from course_utils.checks import checked_array, checked_choice, checked_int, message
from course_utils.data import steady
from course_utils.data.cache import cached_arrays
from course_utils.data.landmarks.identity import WORLD, kind_of
from course_utils.data.landmarks.monuments import canvas_of
from course_utils.data.landmarks.planes import mapped
from course_utils.data.landmarks.views import accepted_plan, photographed
from course_utils.data.street_world.textures import stream
from course_utils.profile import progress

GENERATOR_VERSION = 3
"""Part of every cache key: raise it when the look of the photographs changes."""
CLASS_RANGES: dict[str, tuple[int, int]] = {"train": (0, 60), "validation": (60, 80), "test": (80, 110)}
"""First label and the label after the last one: of the training classes, of the classes for choices that concern retrieval,
and of the classes of the final index. No class is in two of them."""
HEAD, TAIL, DECAY = 200, 8, 0.88
"""Training photographs of the largest and of the smallest class, and the exponent of the power law in between."""


@dataclass(frozen=True)
class _Split:
    """Which classes, how many views of each, how many streets without a landmark."""

    number: int
    classes: str | None
    views: int = 0
    empty: int = 0


_SPLITS = {
    "train": _Split(0, "train"),
    "validation": _Split(1, "train", 4),
    "test": _Split(2, "train", 5),
    "index": _Split(3, "test", 6, 200),
    "query": _Split(4, "test", 4),
    "distractor": _Split(5, None, 0, 120),
    "validation_index": _Split(6, "validation", 6, 120),
    "validation_query": _Split(7, "validation", 4),
    "validation_distractor": _Split(8, None, 0, 80),
}
SPLITS: tuple[str, ...] = tuple(_SPLITS)


@dataclass(frozen=True, eq=False)
class LandmarkView:
    """One photograph.

    Attributes
    ----------
    image : Tensor, uint8, ``(3, H, W)``
    label : int
        Class of the landmark, unique over all splits; -1 where there is none.
    mask : Mask, bool, ``(H, W)``
        Visible pixels of the landmark.
    homography : Tensor, float64, ``(3, 3)``
        From canvas pixels to image pixels, in continuous coordinates; last entry 1. NaN where there is no landmark.
    """

    image: Tensor
    label: int
    mask: tv_tensors.Mask
    homography: Tensor


class Landmarks(Dataset):
    """Photographs of monuments in streets that look alike.

    Parameters
    ----------
    split : str
        ``"train"``, ``"validation"``, ``"test"``: 60 classes, for recognition.
        ``"index"``, ``"query"``: 30 other classes, for retrieval; the index holds 200 streets without a landmark as well.
        ``"distractor"``: streets without a landmark, for queries that should find nothing.
        ``"validation_index"``, ``"validation_query"``, ``"validation_distractor"``: 20 further classes and further
        streets, for every choice that concerns retrieval.
    seed : int, default 1
        Which monuments and which photographs. The houses of the streets are the same for every seed.
    size : int, default 112
        Height and width of the images in pixels, at least 32. Another size shows the same scenes.
    n_images : int, optional
        Only the first so many photographs. Default: all of them. Classes are spread evenly over the split, so that the
        first photographs have about the class shares of the whole.

    Attributes
    ----------
    images : Tensor, uint8, ``(N, 3, size, size)``
    labels : Tensor, int64, ``(N,)``
    masks : Tensor, bool, ``(N, size, size)``
    homographies : Tensor, float64, ``(N, 3, 3)``
    numbers : Tensor, int64, ``(N,)``
        Number of the view within its class; ``rendered_view(split, label, number, ...)`` gives the same photograph again.
    classes : tuple of int
        Labels that occur in the whole split, without -1.
    class_names : tuple of str
        Names of all classes of all splits, to be indexed by a label.
    n_classes : int
        Number of ``classes``.
    description : str

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, there is no such split, or it has fewer photographs than asked for.

    Notes
    -----
    Drawn once (about 5 ms a photograph), then read from ``data.cache_folder()``. A photograph depends on the seed, the
    split, its class and its number, not on how many others there are.

    Bricks, ornaments and murals are cut from the photographs of ``data.photograph_names()``; ``data.photograph_credits()``
    names their authors and licences.

    Examples
    --------
    >>> views = Landmarks("query", n_images=4)
    >>> views
    Landmarks('query', seed=1: 4 images of 112 x 112, 30 classes)
    >>> view = views[0]
    >>> view.image.shape, view.mask.shape, view.homography.shape
    (torch.Size([3, 112, 112]), torch.Size([112, 112]), torch.Size([3, 3]))
    """

    def __init__(self, split: str = "train", seed: int = 1, size: int = 112, n_images: int | None = None) -> None:
        self.split = checked_choice(split, "split", SPLITS)
        self.seed = checked_int(seed, "seed", low=0)
        self.size = checked_int(size, "size", low=32)
        items = _items(split, seed)
        self.n_images = len(items) if n_images is None else checked_int(n_images, "n_images", low=1, high=len(items))
        self._items = items[: self.n_images]
        self.classes = _classes(split)
        self.class_names = tuple(class_name(label) for label in range(CLASS_RANGES["test"][1]))
        key = f"version {GENERATOR_VERSION}, {split}, seed {seed}, {self.n_images} images, size {size}"
        arrays = cached_arrays(f"landmarks-{split}-{seed}", key, self._draw)
        self.images = torch.from_numpy(arrays["images"])
        self.masks = torch.from_numpy(np.unpackbits(arrays["masks"], axis=-1, count=self.size).astype(bool))
        self.homographies = torch.from_numpy(arrays["homographies"])
        self.labels = torch.tensor([label for label, _ in self._items], dtype=torch.int64)
        self.numbers = torch.tensor([number for _, number in self._items], dtype=torch.int64)

    @property
    def n_classes(self) -> int:
        """Number of classes of the whole split."""
        return len(self.classes)

    @property
    def description(self) -> str:
        """Three sentences: what is in the pictures, how many of each class, how much of the area is landmark."""
        seen = self.labels[self.labels >= 0]
        empty = len(self) - len(seen)
        first = (
            f"{len(self)} generated photographs of streets made from real textures, {self.size} x {self.size} pixels "
            f"({self.split} split, seed {self.seed})."
        )
        if len(seen) == 0:
            return f"{first} None of them shows a landmark."
        counts = torch.bincount(seen)
        counts = counts[counts > 0]
        least, most = int(counts.min()), int(counts.max())
        number = f"{least}" if least == most else f"{least} to {most}"
        share = self.masks[self.labels >= 0].double().mean()
        return (
            f"{first} {len(seen)} of them show one of {len(counts)} landmarks, {number} photographs of each; {empty} show none. "
            f"Where there is a landmark, it covers {100 * share:.0f} percent of the image on average."
        )

    def __len__(self) -> int:
        return self.n_images

    def __getitem__(self, index: int) -> LandmarkView:
        index = range(len(self))[index]  # raises IndexError beyond the end, so that iteration stops
        return LandmarkView(
            image=self.images[index],
            label=int(self.labels[index]),
            mask=tv_tensors.Mask(self.masks[index]),
            homography=self.homographies[index],
        )

    def __repr__(self) -> str:
        return (
            f"Landmarks({self.split!r}, seed={self.seed}: {len(self)} images of {self.size} x {self.size}, "
            f"{self.n_classes} classes)"
        )

    def canvas(self, label: int) -> Tensor:
        """Return the monument of a class seen from straight in front, uint8 ``(4, 224, 224)``; the fourth channel is alpha.

        Raises
        ------
        TypeError, ValueError
            If ``label`` is not the label of a class; -1 has no monument.
        """
        label = checked_int(label, "label", low=0, high=len(self.class_names) - 1)
        return torch.from_numpy(canvas_of(self.seed, label).transpose(2, 0, 1).copy())

    def fingerprint(self) -> str:
        """Return a short hash of what the data set holds, rounded so that platforms agree.

        It covers sizes, labels, where the canvas's middle lies to 2 pixels, the masks' areas to 5 percent of the image,
        and the mean colour of every image to 8 grey levels.
        """
        digest = hashlib.sha256()
        digest.update(repr((self.split, self.seed, self.size, self._items)).encode())
        seen = self.homographies[self.labels >= 0].numpy()
        middles = np.array([mapped(h, [[112.0, 112.0]])[0] for h in seen]).reshape(-1, 2)
        digest.update(np.rint(middles / 2).astype(np.int64).tobytes())
        digest.update((self.masks.double().mean(dim=(1, 2)) * 20).round().to(torch.int64).numpy().tobytes())
        colours = self.images.double().mean(dim=(2, 3))
        digest.update((colours / 8).round().to(torch.int64).numpy().tobytes())
        return digest.hexdigest()[:16]

    def _draw(self) -> dict[str, np.ndarray]:
        taken = [
            photographed(accepted_plan(self.seed, _SPLITS[self.split].number, label, number), self.seed, self.size)
            for label, number in progress(self._items, desc=f"photographing {self.split} landmarks", unit="image")
        ]
        return {
            "images": np.stack([photo.image for photo in taken]),
            "masks": np.packbits(np.stack([photo.mask for photo in taken]), axis=-1),
            "homographies": np.stack([photo.homography for photo in taken]),
        }


def rendered_view(split: str, label: int, number: int, seed: int = 1, size: int = 112) -> LandmarkView:
    """Return photograph ``number`` of a class: any of a split's, or further ones that no split holds.

    Parameters
    ----------
    split : str
        One of ``SPLITS``: every split takes other photographs of a monument.
    label : int
        A class, 0 or more, or -1 for a street without a landmark.
    number : int
        0 or more.
    seed, size : int
        As in ``Landmarks``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """
    number_of_split = _SPLITS[checked_choice(split, "split", SPLITS)].number
    label = checked_int(label, "label", low=-1, high=CLASS_RANGES["test"][1] - 1)
    number, seed = checked_int(number, "number", low=0), checked_int(seed, "seed", low=0)
    photo = photographed(accepted_plan(seed, number_of_split, label, number), seed, checked_int(size, "size", low=32))
    return LandmarkView(
        torch.from_numpy(photo.image), label, tv_tensors.Mask(torch.from_numpy(photo.mask)), torch.from_numpy(photo.homography)
    )


def class_name(label: int) -> str:
    """Return the name of a class, ``"church 0"``; ``"no landmark"`` for -1."""
    return "no landmark" if label < 0 else f"{kind_of(label)} {label}"


def correspondences(view_a: LandmarkView, view_b: LandmarkView, points: Tensor | np.ndarray) -> tuple[Tensor, Tensor]:
    """Return where points of one photograph lie in another one of the same landmark, and whether the landmark is seen there.

    The map is the homography ``H_b inv(H_a)``: from the photograph to the canvas, and on to the other photograph.

    Parameters
    ----------
    view_a, view_b : LandmarkView
        Of the same class.
    points : array ``(N, 2)``
        Points of ``view_a``: x, y, in continuous pixel coordinates.

    Returns
    -------
    points_b : Tensor, float64, ``(N, 2)``
    visible : Tensor, bool, ``(N,)``
        True where the point lies on the visible landmark in both photographs.

    Raises
    ------
    ValueError
        If the views show different landmarks or none, or the points have another shape.
    """
    if view_a.label < 0 or view_a.label != view_b.label:
        raise ValueError(message("view_b", f"a view of the same landmark ({view_a.label})", f"label {view_b.label}"))
    points = checked_array(points, "points", ("N", 2), dtype=np.float64)
    there = mapped(view_b.homography.numpy() @ np.linalg.inv(view_a.homography.numpy()), points)
    visible = _on_mask(view_a, points) & _on_mask(view_b, there)
    return torch.from_numpy(there), torch.from_numpy(visible)


def _on_mask(view: LandmarkView, points: np.ndarray) -> np.ndarray:
    mask = view.mask.numpy()
    column, row = np.floor(points).astype(np.int64).T
    inside = (column >= 0) & (row >= 0) & (column < mask.shape[1]) & (row < mask.shape[0])
    return inside & mask[np.clip(row, 0, mask.shape[0] - 1), np.clip(column, 0, mask.shape[1] - 1)]


def _classes(split: str) -> tuple[int, ...]:
    which = _SPLITS[split].classes
    return () if which is None else tuple(range(*CLASS_RANGES[which]))


def _items(split: str, seed: int) -> list[tuple[int, int]]:
    """Return (label, number of the view) of every photograph; view k of n views of a class comes at the share (k + 1/2) / n."""
    layout, classes = _SPLITS[split], _classes(split)
    counts = dict(zip(classes, _long_tail(seed, len(classes)) if split == "train" else [layout.views] * len(classes)))
    if layout.empty:
        counts[-1] = layout.empty
    order = [((number + 0.5) / count, label, number) for label, count in counts.items() for number in range(count)]
    return [(label, number) for _, label, number in sorted(order)]


def _long_tail(seed: int, n_classes: int) -> list[int]:
    """Return how many photographs each class has: a power law between 200 and 8, dealt to the classes in random order."""
    ranks = stream(WORLD, seed, 5).permutation(n_classes)
    return [max(TAIL, int(HEAD * float(steady.power(1 + rank, -DECAY)) + 0.5)) for rank in ranks.tolist()]
