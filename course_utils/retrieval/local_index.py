"""Search a million images by their local features: inverted lists and codes of 50 bits.

A thousand local features an image are a billion for a million images. The index keeps a code of 50 bits for each instead
of 40 numbers, and compares a query feature only with the lists of the words nearest to it. Every query feature finds its
60 nearest database features; they are grouped by image; images with enough of them are verified by geometry, and the
number of inliers is their score. No global descriptor takes part.

Source: H. Noh, A. Araujo, J. Sim, T. Weyand, B. Han, "Large-Scale Image Retrieval with Attentive Deep Local Features",
ICCV 2017, arXiv:1612.06321, section 4.3; product quantisation: H. Jegou, M. Douze, C. Schmid, TPAMI 33(1), 2011.

=================================================  ==========================  =====================================
what                                               the paper                   here
=================================================  ==========================  =====================================
code                                               10 parts, 32 centres: 50 b  the same, in 7 bytes
words (coarse codebook)                            8192                        at most 8192; each needs 39 vectors
words looked at for a query feature                5                           ``n_probe = 5``
neighbours of a query feature                      60                          ``n_neighbours = 60``
what is coded                                      -                           the residual to the word (IVFADC)
=================================================  ==========================  =====================================

Beside the code of 7 bytes a descriptor takes 8 bytes for its number and 8 for its point: geometry needs the points. (The
paper says "under 8 GB" for a billion descriptors; their codes of 50 bits alone are 6.25 GB.)

Conventions
-----------
Distances
    Euclidean distances of unit vectors, the query exact and the database from its code; comparable with
    ``match_descriptors``, but with an error that the code makes.
Matches
    Of the neighbours of a query feature in one image the nearest is kept; of the query features with the same database
    feature the nearest is kept: one to one in every image, as in ``match_descriptors``.
Order of images
    By inliers, then by matches, then by the mean distance of the matches, then by index.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_utils.checks import checked_float, checked_int, checked_unit_rows, message, numpy_generator
from course_utils.data.cache import written_whole
from course_utils.retrieval.geometric_verification import verify_geometry
from course_utils.retrieval.local_feature_set import LocalFeatureSet

PAPER_WORDS = 8192
POINTS_PER_WORD = 39  # below it faiss warns that a k-means centre is badly determined
_PARAMETERS = ("n_words", "n_parts", "bits", "n_probe", "n_neighbours", "max_distance")


@dataclass(frozen=True, eq=False)
class ImageMatches:
    """Matches of one query with one image of the index.

    Attributes
    ----------
    image : int
    indices : ndarray of shape (M, 2), int64
        Query feature, feature of the image; ordered by query feature.
    distances : ndarray of shape (M,), float32
    points : ndarray of shape (M, 2), float32
        Key points of the image's features.
    """

    image: int
    indices: np.ndarray
    distances: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        """Return the number of matches."""
        return len(self.indices)


@dataclass(frozen=True, eq=False)
class LocalRetrieval:
    """Images found for a query, best first; images without a single match are not listed.

    Attributes
    ----------
    images : ndarray of shape (R,), int64
    n_inliers : ndarray of shape (R,), int64
        0 for images with fewer than four matches.
    n_matches : ndarray of shape (R,), int64
        The votes: matches before verification.
    """

    images: np.ndarray
    n_inliers: np.ndarray
    n_matches: np.ndarray


class LocalIndex:
    """Inverted lists of product-quantised local features.

    Taught in ``03_delf``, step 7.

    Parameters
    ----------
    n_words : int or None, default None
        Inverted lists. None: the paper's 8192, or fewer, so that each word has 39 training descriptors.
    n_parts : int, default 10
        Pieces a descriptor is cut into; must divide its length.
    bits : int, default 5
        Bits of a piece: ``2 ** bits`` centres.
    n_probe : int, default 5
        Words that a query feature looks at (soft assignment). ``n_probe >= n_words`` looks at everything.
    n_neighbours : int, default 60
        Database features that a query feature may find.
    max_distance : float or None, default 0.9
        Neighbours must be nearer than this. None: any distance.
    random_state : int, RandomState, Generator or None
        Of the training.

    Attributes
    ----------
    n_images_ : int
    n_words_ : int
        Effective number of words, after training.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.normal(size=(800, 40))
    >>> vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    >>> points = rng.uniform(10, 90, (800, 2))
    >>> everything = LocalFeatureSet(points, vectors, np.ones(800), np.ones(800), np.c_[points - 5, points + 5], (100, 100))
    >>> images = [everything[50 * i : 50 * (i + 1)] for i in range(16)]
    >>> index = LocalIndex(random_state=0).add(images)
    >>> index
    LocalIndex(16 images, 800 descriptors of 40, 20 words, 50 bits a code)
    >>> index.retrieve(images[3], threshold=5.0).images[0]
    np.int64(3)
    """

    def __init__(
        self,
        n_words: int | None = None,
        n_parts: int = 10,
        bits: int = 5,
        n_probe: int = 5,
        n_neighbours: int = 60,
        max_distance: float | None = 0.9,
        random_state: Any = None,
    ) -> None:
        self.n_words = None if n_words is None else checked_int(n_words, "n_words", low=1)
        self.n_parts = checked_int(n_parts, "n_parts", low=1)
        self.bits = checked_int(bits, "bits", low=1, high=16)
        self.n_probe = checked_int(n_probe, "n_probe", low=1)
        self.n_neighbours = checked_int(n_neighbours, "n_neighbours", low=1)
        self.max_distance = None if max_distance is None else checked_float(max_distance, "max_distance", above=0)
        self.random_state = random_state
        self._faiss: Any = None
        self._points = np.zeros((0, 2), np.float32)
        self._starts = np.zeros(1, np.int64)  # descriptors of image i are [starts[i], starts[i + 1])

    def __repr__(self) -> str:
        if self._faiss is None:
            return f"LocalIndex(empty, {self.n_parts * self.bits} bits a code)"
        sizes = f"{self.n_images_} images, {len(self)} descriptors of {self.dim_}, {self.n_words_} words"
        return f"LocalIndex({sizes}, {self.n_parts * self.bits} bits a code)"

    def __len__(self) -> int:
        """Return the number of descriptors."""
        return int(self._starts[-1])

    @property
    def n_images_(self) -> int:
        """Number of images, those without a feature included."""
        return len(self._starts) - 1

    @property
    def n_words_(self) -> int:
        """Effective number of words."""
        return self._built().nlist

    @property
    def dim_(self) -> int:
        """Length of the descriptors."""
        return self._built().d

    @property
    def bytes_per_descriptor(self) -> dict[str, int]:
        """Bytes of code, number and point of one descriptor, and their sum; the codebooks come on top."""
        sizes = {"code": (self.n_parts * self.bits + 7) // 8, "number": 8, "point": 8}
        return {**sizes, "total": sum(sizes.values())}

    def train(self, descriptors: Any) -> LocalIndex:
        """Learn words and codes from unit vectors (n, D) that need not be added; ``add`` does it otherwise.

        Raises
        ------
        TypeError, ValueError
            If the descriptors are not finite unit rows, ``n_parts`` does not divide D, there are fewer descriptors than
            centres of a code or than words, or the index holds features already.
        """
        import faiss

        x = checked_unit_rows(descriptors, "descriptors")
        n, dim = x.shape
        if len(self):
            raise ValueError(f"This index already holds {len(self)} descriptors; train a new one instead.")
        if dim == 0 or dim % self.n_parts:
            raise ValueError(message("n_parts", f"a divisor of the descriptors' length {dim}", str(self.n_parts)))
        if n < 2**self.bits:
            advice = "Use fewer bits, or `match_descriptors`: so few descriptors need no index."
            raise ValueError(message("descriptors", f"at least {2**self.bits} rows, one per centre of a code", str(n), advice))
        n_words = self.n_words or max(1, min(PAPER_WORDS, n // POINTS_PER_WORD))
        if n < n_words:
            raise ValueError(message("descriptors", f"at least `n_words` = {n_words} rows", str(n), "Use fewer words."))
        coarse = faiss.IndexFlatL2(dim)
        index = faiss.IndexIVFPQ(coarse, dim, n_words, self.n_parts, self.bits)
        index.own_fields = True
        coarse.this.disown()
        seed = int(numpy_generator(self.random_state).integers(2**31 - 1))
        for clustering in (index.cp, index.pq.cp):
            clustering.seed, clustering.min_points_per_centroid = seed, 1  # too few points: our message, not faiss' stderr
        index.train(x)
        self._faiss = index
        return self

    def add(self, images: Sequence[LocalFeatureSet]) -> LocalIndex:
        """Add the features of images; they get the next image numbers. The first call also trains, unless ``train`` did.

        Raises
        ------
        TypeError, ValueError
            If an entry is no ``LocalFeatureSet`` or its descriptors have another length; and as ``train``.
        """
        if isinstance(images, LocalFeatureSet):
            raise TypeError(message("images", "a sequence of LocalFeatureSet", "one LocalFeatureSet", "Write [features]."))
        images = list(images)
        for i, one in enumerate(images):
            _checked_features(one, f"images[{i}]", None if self._faiss is None else self.dim_)
        filled = [one for one in images if len(one)]
        for one in filled[1:]:
            _checked_features(one, "images", filled[0].descriptors.shape[1])
        if filled:
            descriptors = np.concatenate([one.descriptors for one in filled])
            if self._faiss is None:
                self.train(descriptors)
            self._faiss.add(descriptors)
            self._points = np.concatenate([self._points, *(one.points for one in filled)])
        self._starts = np.concatenate([self._starts, self._starts[-1] + np.cumsum([len(one) for one in images], dtype=np.int64)])
        return self

    def search(self, query: LocalFeatureSet) -> list[ImageMatches]:
        """Return the one-to-one matches of the query with every image that has one, ordered by image.

        Raises
        ------
        TypeError, ValueError
            If ``query`` is no ``LocalFeatureSet``, its descriptors have another length, or the index is empty.
        """
        index = self._built()
        _checked_features(query, "query", self.dim_)
        if not len(query) or not len(self):
            return []
        index.nprobe = min(self.n_probe, index.nlist)
        squares, found = index.search(query.descriptors, min(self.n_neighbours, len(self)))
        distances = np.sqrt(np.maximum(squares.ravel(), 0)).astype(np.float32)
        features, found = np.repeat(np.arange(len(query)), found.shape[1]), found.ravel()
        rows = np.flatnonzero((found >= 0) & (distances < (np.inf if self.max_distance is None else self.max_distance)))
        images = np.searchsorted(self._starts, found, side="right") - 1
        for key in (features, found):  # the nearest of every query feature in an image, then of every database feature
            order = rows[np.lexsort((found[rows], features[rows], distances[rows], key[rows], images[rows]))]
            new = np.ones(len(order), bool)
            new[1:] = (np.diff(images[order]) != 0) | (np.diff(key[order]) != 0)
            rows = order[new]
        rows = rows[np.lexsort((features[rows], images[rows]))]
        parts = np.split(rows, np.flatnonzero(np.diff(images[rows])) + 1) if len(rows) else []
        return [self._matches(int(images[part[0]]), features[part], found[part], distances[part]) for part in parts]

    def retrieve(
        self,
        query: LocalFeatureSet,
        k: int | None = None,
        threshold: float = 10.0,
        n_trials: int = 1000,
        n_verify: int = 100,
        generator: torch.Generator | None = None,
    ) -> LocalRetrieval:
        """Return the images with the most geometric inliers.

        Parameters
        ----------
        query : LocalFeatureSet
        k : int, optional
            Images returned at most; default: all that have a match.
        threshold : float, default 10.0
            Pixels of the database image; see ``verify_geometry``.
        n_trials, generator
            See ``verify_geometry``.
        n_verify : int, default 100
            Images with the most matches that are verified; the others keep 0 inliers.
        """
        k = None if k is None else checked_int(k, "k", low=1)
        n_verify = checked_int(n_verify, "n_verify", low=0)
        matches = self.search(query)
        votes = np.array([len(one) for one in matches], np.int64)
        images = np.array([one.image for one in matches], np.int64)
        far = np.array([one.distances.mean() for one in matches])
        inliers = np.zeros(len(matches), np.int64)
        verified = np.lexsort((images, far, -votes))[:n_verify]
        points = [query.points[matches[i].indices[:, 0]] for i in verified], [matches[i].points for i in verified]
        if len(verified):
            results = verify_geometry(*points, threshold=threshold, n_trials=n_trials, generator=generator)
            inliers[verified] = [one.n_inliers for one in results]
        order = np.lexsort((images, far, -votes, -inliers))[:k]
        return LocalRetrieval(images[order], inliers[order], votes[order])

    def save(self, path: str | Path) -> Path:
        """Write the index to one file; an interrupted call leaves the old file as it was."""
        import faiss

        index, path = self._built(), Path(path)
        parameters = json.dumps({name: getattr(self, name) for name in _PARAMETERS})
        arrays = {"index": faiss.serialize_index(index), "points": self._points, "starts": self._starts}
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez(file, parameters=np.array(parameters), **arrays)
        return path

    @classmethod
    def load(cls, path: str | Path) -> LocalIndex:
        """Read an index written by ``save``; it can be searched and extended.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is not a complete index.
        """
        import faiss

        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"There is no index at {path.name}. Write one with LocalIndex.save.")
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in ("index", "points", "starts", "parameters")}
            loaded = cls(**json.loads(str(arrays["parameters"])))
            loaded._faiss = faiss.deserialize_index(arrays["index"])
        except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, RuntimeError) as error:
            raise ValueError(f"{path.name} is not a complete index of this course; build it again and save it.") from error
        loaded._points, loaded._starts = arrays["points"], arrays["starts"]
        return loaded

    def _built(self) -> Any:
        if self._faiss is None:
            raise ValueError("The index is empty: call `add` or `train` first.")
        return self._faiss

    def _matches(self, image: int, features: np.ndarray, found: np.ndarray, distances: np.ndarray) -> ImageMatches:
        indices = np.column_stack([features, found - self._starts[image]]).astype(np.int64)
        return ImageMatches(image, indices, distances, self._points[found])


def _checked_features(features: Any, name: str, dim: int | None) -> None:
    if not isinstance(features, LocalFeatureSet):
        raise TypeError(message(name, "a LocalFeatureSet", type(features).__name__))
    if dim is not None and len(features) and features.descriptors.shape[1] != dim:
        raise ValueError(message(name, f"features with descriptors of length {dim}", str(features.descriptors.shape[1])))
