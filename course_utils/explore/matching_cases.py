"""What the matching bench lays on the table: a query image, images of an index, their local features, and the truth.

A *case* is one query with its index images. Three come with the course:

- ``"landmark"``: a generated landmark among other views of it, other landmarks and empty streets; the homography between
  two views says where every point belongs;
- ``"no landmark"``: a street without a landmark, as most queries of a real system are;
- ``"stereo"``: two real photographs of a motorcycle with true disparity, among photographs of other things.

Features come from a trained ``retrieval.DELF``, from any function, or from ``retrieval.dense_feature_set``, which needs no
training. Landmarks are those of the validation split: nobody tunes on the test split by playing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from course_utils.checks import message
from course_utils.explore.scene import as_pixels
from course_utils.retrieval import LocalFeatureSet

N_FEATURES = 160
"""Features kept of an image: more would cover the picture."""
SIZE = 224
"""Pixels of a generated view."""
TOLERANCE = 0.035
"""A match is correct if it lies within this share of the image's longer side of the true place."""
QUERY, VIEW, SAME, OTHERS, EMPTY = 64, 0, 6, 4, 6
"""The landmark and its view that are looked for; views of it, of others, and empty streets in the index."""
INDEX = (
    tuple((QUERY, k) for k in range(SAME))
    + tuple((QUERY + 1 + k, 0) for k in range(OTHERS))
    + tuple((-1, k) for k in range(EMPTY))
)
"""Label and number of the index images."""
STEREO_WIDTH = 370
OTHER_PHOTOGRAPHS = ("china", "coffee", "chelsea", "rocket", "astronaut", "flower")

Extract = Callable[[torch.Tensor], LocalFeatureSet]


@dataclass(frozen=True, eq=False)
class IndexImage:
    """One image of the index.

    Attributes
    ----------
    name : str
    pixels : ndarray of shape (H, W, 3), uint8
    features : LocalFeatureSet
    same : bool or None
        Whether it shows what the query shows; None if nobody knows.
    truth : ndarray of shape (N, 2) or None
        Where the query's N features belong in this image; NaN where they belong nowhere; None if nobody knows.
    """

    name: str
    pixels: np.ndarray
    features: LocalFeatureSet
    same: bool | None
    truth: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Case:
    """One query and its index.

    Attributes
    ----------
    name, short : str
        What the query shows, for the sentence and for the title.
    pixels : ndarray of shape (H, W, 3), uint8
    features : LocalFeatureSet
        Of the whole query image.
    index : tuple of IndexImage
    tight : (x0, y0, x1, y1)
        A box around what is looked for, in pixels of the query.
    """

    name: str
    short: str
    pixels: np.ndarray
    features: LocalFeatureSet
    index: tuple[IndexImage, ...]
    tight: tuple[float, float, float, float]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the query image."""
        return float(self.pixels.shape[1]), float(self.pixels.shape[0])

    def tolerance(self, which: int) -> float:
        """Pixels within which a match with an index image is correct."""
        return TOLERANCE * max(self.index[which].pixels.shape[:2])


def dense(image: torch.Tensor) -> LocalFeatureSet:
    """Describe an image (3, H, W) without a model."""
    from course_utils import retrieval

    return retrieval.dense_feature_set(image, N_FEATURES)


@cache
def dense_cases(name: str) -> dict[str, Case]:
    """Return the course's cases that belong to ``name``, described without a model: built once in a process."""
    return build_cases(name, dense)


def build_cases(name: str, extract: Extract) -> dict[str, Case]:
    """Return the case ``name``, and those that come with it."""
    return {"stereo": build_stereo_case(extract)} if name == "stereo" else build_landmark_cases(extract)


def extractor(model: Any) -> Extract:
    """Return the function that describes one image (3, H, W), uint8.

    Parameters
    ----------
    model : None, callable, or object with ``extract``
        None: ``retrieval.dense_feature_set``. A ``retrieval.DELF`` has ``extract``; a list that it returns for one image is
        unpacked.

    Raises
    ------
    TypeError
        If it is something else, or returns no ``LocalFeatureSet``.
    """
    if model is None:
        return dense
    describe = getattr(model, "extract", model)
    if not callable(describe):
        expected = "a model with `extract`, or a function from an image to a LocalFeatureSet"
        raise TypeError(message("model", expected, type(model).__name__))

    def extract(image: torch.Tensor) -> LocalFeatureSet:
        features = describe(image)
        if isinstance(features, list | tuple) and len(features) == 1:
            features = features[0]
        if not isinstance(features, LocalFeatureSet):
            raise TypeError(message("model", "something that returns a LocalFeatureSet", type(features).__name__))
        return features.top(N_FEATURES)

    return extract


def build_landmark_cases(extract: Extract) -> dict[str, Case]:
    """Return the cases ``"landmark"`` and ``"no landmark"``; both look into the same index."""
    from course_utils.data.landmarks.dataset import class_name, correspondences

    query, street, *views = landmark_views()
    features = [extract(view.image) for view in views]
    cases = {}
    for name, view in (("landmark", query), ("no landmark", street)):
        mine = extract(view.image)
        index = []
        for (label, number), other, found in zip(INDEX, views, features):
            same = label == view.label and label >= 0
            truth = np.full((len(mine), 2), np.nan)
            if same:
                there, visible = correspondences(view, other, mine.points)
                truth[visible.numpy()] = there.numpy()[visible.numpy()]
            index.append(IndexImage(f"{class_name(label)}, view {number + 1}", _pixels(other.image), found, same, truth))
        seen = view.label >= 0
        tight = _box_of(view.mask.numpy()) if seen else (0.0, 0.0, float(SIZE), float(SIZE))
        words = f"a view of {class_name(view.label)}" if seen else "a street without a landmark"
        cases[name] = Case(words, class_name(view.label), _pixels(view.image), mine, tuple(index), tight)
    return cases


def landmark_views() -> list[Any]:
    """Return the query, the street without a landmark, and the index images, as ``data.LandmarkView``; kept on disk."""
    from torchvision.tv_tensors import Mask

    from course_utils.data import LandmarkView, cached_arrays
    from course_utils.data.landmarks.dataset import GENERATOR_VERSION, rendered_view

    asked = [("validation_query", QUERY, VIEW), ("validation_distractor", -1, 0), *(("validation_index", *one) for one in INDEX)]

    def render() -> dict[str, np.ndarray]:
        views = [rendered_view(*one, size=SIZE) for one in asked]
        names = {"images": "image", "masks": "mask", "homographies": "homography"}
        return {name: np.stack([getattr(view, field).numpy() for view in views]) for name, field in names.items()}

    kept = cached_arrays("matching-bench", f"version {GENERATOR_VERSION}, {SIZE}, {asked}", render)
    rows = zip(asked, *(map(torch.from_numpy, kept[name]) for name in ("images", "masks", "homographies")))
    return [LandmarkView(image, label, Mask(mask), homography) for (_, label, _), image, mask, homography in rows]


def build_stereo_case(extract: Extract) -> Case:
    """Return the left photograph of the motorcycle; the index holds the right one and photographs of other things."""
    from skimage.data import stereo_motorcycle

    left, right, disparity = stereo_motorcycle()
    factor = left.shape[1] / STEREO_WIDTH
    images = [_resized(np.ascontiguousarray(one), STEREO_WIDTH) for one in (left, right)]
    mine, found = (extract(torch.from_numpy(one.transpose(2, 0, 1).copy())) for one in images)
    column, row = np.floor(mine.points * factor).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < left.shape[1]) & (row < left.shape[0])
    shift = np.full(len(mine), np.nan)
    shift[inside] = disparity[row[inside], column[inside]]
    shift[~np.isfinite(shift)] = np.nan
    truth = mine.points - np.column_stack([shift / factor, np.zeros(len(mine))])  # the right eye sees it further left
    index = [IndexImage("right eye", images[1], found, True, truth)]
    for name in OTHER_PHOTOGRAPHS:
        index.append(_photograph(name, extract, len(mine)))
    height, width = images[0].shape[:2]
    tight = (0.16 * width, 0.22 * height, 0.9 * width, 0.9 * height)
    return Case("the left eye's photograph of a motorcycle", "left eye", images[0], mine, tuple(index), tight)


def build_own_case(images: Any, features: Any, extract: Extract) -> Case:
    """Return the reader's own pair; nobody knows its truth.

    Parameters
    ----------
    images : pair of arrays or Tensors of shape (3, H, W) or (H, W, 3), uint8
    features : pair of LocalFeatureSet, or None
        None: extracted here.

    Raises
    ------
    TypeError, ValueError
        If there are not two images, one is no picture, or the features do not belong to the images.
    """
    if not isinstance(images, list | tuple) or len(images) != 2:
        raise ValueError(message("images", "a pair of images", f"{len(images) if hasattr(images, '__len__') else images!r}"))
    pixels = [as_pixels(one, f"images[{i}]", smallest=32) for i, one in enumerate(images)]
    own = features is None
    if own:
        features = [extract(torch.from_numpy(one.transpose(2, 0, 1).copy())) for one in pixels]
    if not isinstance(features, list | tuple) or len(features) != 2 or not all(isinstance(f, LocalFeatureSet) for f in features):
        raise TypeError(message("features", "a pair of LocalFeatureSet", type(features).__name__))
    for i, (one, found) in enumerate(zip(pixels, features)):
        if found.size != one.shape[:2]:
            raise ValueError(message(f"features[{i}].size", f"that of the image, {one.shape[:2]}", str(found.size)))
    height, width = pixels[0].shape[:2]
    index = [IndexImage("your second image", pixels[1], features[1].top(N_FEATURES), None, None)]
    if own:  # photographs of other things show how many inliers chance gives; given features may be of another kind
        index += [_photograph(name, extract, len(features[0].top(N_FEATURES))) for name in OTHER_PHOTOGRAPHS]
    tight = (0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height)
    return Case("your first image", "your first image", pixels[0], features[0].top(N_FEATURES), tuple(index), tight)


def _photograph(name: str, extract: Extract, n: int) -> IndexImage:
    pixels, features = _dense_photograph(name) if extract is dense else _described(name, extract)
    return IndexImage(name, pixels, features, False, np.full((n, 2), np.nan))


@cache
def _dense_photograph(name: str) -> tuple[np.ndarray, LocalFeatureSet]:
    return _described(name, dense)


def _described(name: str, extract: Extract) -> tuple[np.ndarray, LocalFeatureSet]:
    from course_utils.data import photograph

    pixels = _resized(_pixels(photograph(name)), STEREO_WIDTH)
    return pixels, extract(torch.from_numpy(pixels.transpose(2, 0, 1).copy()))


def _pixels(image: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(image.numpy().transpose(1, 2, 0))


def _resized(pixels: np.ndarray, width: int) -> np.ndarray:
    from PIL import Image

    height = round(pixels.shape[0] * width / pixels.shape[1])
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def _box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(mask)
    return float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
