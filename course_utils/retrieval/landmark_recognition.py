"""A baseline for landmark recognition: neighbours propose a landmark, geometry says how sure to be.

The problem
    There are thousands of classes with a handful of photographs each, and most queries show none of them. A classifier
    must answer something; a recogniser should also know when it does not know.
The idea
    1. *Search.* The ``K`` nearest training images by a global vector propose their landmarks.
    2. *Verify.* Local features of query and neighbour are matched, and RANSAC counts the matches that agree with one
       affine map. Two photographs of one monument agree in many points; a street that looks similar agrees in few.
    3. *Answer.* One neighbour decides the label, and a number says how sure we are. Either may come from the similarity or
       from the inliers: ``Shortlist.answers`` keeps the two choices apart, because they do different things. A better
       label raises accuracy and GAP; a better confidence raises GAP alone.

The parts are exchangeable. ``describer`` needs ``describe(images) -> (B, D) unit vectors``, ``local`` maps one image
``(3, H, W)`` to a ``LocalFeatureSet``. The defaults need no training: dense VLAD (chapter 01) and dense RootSIFT. With a
trained DELF it is ``LandmarkRecognizer(delf, delf.extract)``.

Follows the DELF baseline for recognition in T. Weyand, A. Araujo, B. Cao, J. Sim, "Google Landmarks Dataset v2", CVPR
2020, arXiv:2004.01804: nearest neighbours, then geometric verification, and the label of the best verified image. Their
local features index a million images; here the global vector makes the shortlist.

Taught in ``04_landmark_recognition``, step 8 and the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from course_utils.checks import checked_array, checked_choice, checked_float, checked_int, checked_tensor, message
from course_utils.profile import progress
from course_utils.retrieval.dense_feature_sets import dense_feature_set
from course_utils.retrieval.geometric_verification import verify_geometry
from course_utils.retrieval.local_feature_set import LocalFeatureSet
from course_utils.retrieval.matching import match_descriptors
from course_utils.retrieval.pipeline import DenseVLAD
from course_utils.retrieval.vlad import VLAD
from course_utils.retrieval.whitening import PCAWhitening

EVIDENCE = ("similarity", "inliers", "combined")

# Chosen on the validation photographs of ``data.Landmarks(seed=1)`` and further streets, 112 x 112 pixels.
N_WORDS, N_DIMENSIONS, SHRINKAGE = 64, 96, "oas"
N_FIT, N_SAMPLES = 400, 60  # gallery images, and descriptors of each, for the codebook: more of them change little
N_FEATURES, OVERLAP = 300, 0.4
MAX_DISTANCE = 0.9  # the paper's code for re-ranking
THRESHOLD = 4.0  # pixels
N_TRIALS = 300
N_CANDIDATES = 5


@dataclass(frozen=True, eq=False)
class Shortlist:
    """The candidates of every query, most similar first.

    Attributes
    ----------
    indices : ndarray of shape (Q, K), int64
        Gallery images.
    similarities : ndarray of shape (Q, K), float32
        Cosines of the global vectors.
    labels : ndarray of shape (Q, K), int64
        Landmarks of the gallery images; -1 for an image without one.
    n_inliers : ndarray of shape (Q, K), int64, or None
        Matches that agree with one affine map; None before ``LandmarkRecognizer.verify``.
    """

    indices: np.ndarray
    similarities: np.ndarray
    labels: np.ndarray
    n_inliers: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indices)

    def evidence(self, kind: str) -> np.ndarray:
        """Return the evidence (Q, K) for every candidate, higher is better.

        Parameters
        ----------
        kind : {"similarity", "inliers", "combined"}
            The cosine, the number of inliers, or the number of inliers plus a fraction below 1 that grows with the cosine:
            inliers decide, the cosine decides between equal counts. Counts alone tie often, and ties are luck.

        Raises
        ------
        ValueError
            If inliers are asked for before they were counted.
        """
        checked_choice(kind, "kind", EVIDENCE)
        if kind == "similarity":
            return self.similarities.astype(np.float64)
        if self.n_inliers is None:
            raise ValueError(message("kind", "'similarity' before `verify` was called", repr(kind)))
        inliers = self.n_inliers.astype(np.float64)
        return inliers if kind == "inliers" else inliers + np.clip((1 + self.similarities.astype(np.float64)) / 2, 0, 1) * 0.999

    def answers(self, label_by: str = "similarity", confidence: str = "similarity") -> tuple[np.ndarray, np.ndarray]:
        """Return one label and one score for every query, ``(Q,)`` int64 and ``(Q,)`` float64.

        Parameters
        ----------
        label_by : {"similarity", "inliers", "combined"}
            The candidate with the most of this evidence gives the label; of equal ones the more similar. A label of -1, a
            gallery image without a landmark, means that the query abstains.
        confidence : {"similarity", "inliers", "combined"}
            What the score is: this evidence for that candidate.
        """
        best = self.evidence(label_by).argmax(axis=1)  # the first of equal ones: candidates are sorted by similarity
        rows = np.arange(len(self))
        return self.labels[rows, best], self.evidence(confidence)[rows, best]

    def predictions(
        self, queries: Sequence[Any], label_by: str = "similarity", confidence: str = "similarity"
    ) -> dict[Any, tuple[int, float]]:
        """Return ``{query: (label, score)}`` for ``global_average_precision``; queries that abstain are left out.

        Parameters
        ----------
        queries : sequence of Q ids
        label_by, confidence
            As in ``answers``.

        Raises
        ------
        ValueError
            If there is not one id for each query.
        """
        if len(queries) != len(self):
            raise ValueError(message("queries", f"one id for each of the {len(self)} queries", f"{len(queries)} ids"))
        labels, scores = self.answers(label_by, confidence)
        return {q: (label, score) for q, label, score in zip(queries, labels.tolist(), scores.tolist()) if label >= 0}

    def reranked(self, by: str = "inliers") -> np.ndarray:
        """Return the gallery images (Q, K) in the order of another evidence; equal ones stay in their order."""
        order = np.argsort(-self.evidence(by), axis=1, kind="stable")
        return np.take_along_axis(self.indices, order, axis=1)


class LandmarkRecognizer:
    """Recognise landmarks by nearest neighbours and geometric verification.

    Taught in ``04_landmark_recognition``.

    Parameters
    ----------
    describer : object with ``describe(images)``, optional
        Default: ``DenseVLAD`` with 64 words, whitened to 96 numbers if there are more than 192 images. ``fit`` learns the
        codebook of a ``DenseVLAD`` from the gallery; any other describer, such as a trained ``DELF``, is used as it is.
    local : callable, optional
        Maps an image (3, H, W) to a ``LocalFeatureSet``. Default: ``dense_feature_set`` with 300 features.
    n_candidates : int, default 5
        ``K``.
    max_distance : float, default 0.9
        Between unit descriptors; matches are mutual nearest neighbours.
    threshold : float, default 4.0
        Pixels of the gallery image; scale it with the images.
    n_trials : int, default 300
        Triplets of RANSAC for each pair.
    n_fit : int, default 400
        Gallery images, evenly spaced, from which the codebook is learned.

    Attributes
    ----------
    vectors_ : ndarray of shape (N, D), float32
        Global vectors of the gallery.
    labels_ : ndarray of shape (N,), int64

    Examples
    --------
    >>> images = (torch.rand(6, 3, 48, 48, generator=torch.Generator().manual_seed(0)) * 255).byte()
    >>> small = DenseVLAD(vlad=VLAD(n_clusters=2, random_state=0))
    >>> recognizer = LandmarkRecognizer(small, n_candidates=2).fit(images, [7, 7, 8, 8, 9, 9], random_state=0)
    >>> found = recognizer.verify(images[:2], recognizer.search(images[:2]))
    >>> found.answers("inliers", "inliers")[0].tolist()
    [7, 7]
    """

    def __init__(
        self,
        describer: Any = None,
        local: Callable[[torch.Tensor], LocalFeatureSet] | None = None,
        n_candidates: int = N_CANDIDATES,
        max_distance: float = MAX_DISTANCE,
        threshold: float = THRESHOLD,
        n_trials: int = N_TRIALS,
        n_fit: int = N_FIT,
    ) -> None:
        if describer is not None and not callable(getattr(describer, "describe", None)):
            raise TypeError(message("describer", "an object with `describe(images)`", type(describer).__name__))
        if local is not None and not callable(local):
            raise TypeError(message("local", "a function of one image", type(local).__name__))
        self.describer, self.local = describer, local or _default_features
        self.n_candidates = checked_int(n_candidates, "n_candidates", low=1)
        self.max_distance = checked_float(max_distance, "max_distance", above=0)
        self.threshold = checked_float(threshold, "threshold", above=0)
        self.n_trials = checked_int(n_trials, "n_trials", low=1)
        self.n_fit = checked_int(n_fit, "n_fit", low=1)

    def fit(self, images: torch.Tensor, labels: Any, random_state: Any = None) -> LandmarkRecognizer:
        """Store the gallery: fit the describer where it can be fitted, and describe every image.

        Parameters
        ----------
        images : Tensor of shape (N, 3, H, W), uint8
        labels : array-like of shape (N,), int
            -1 for an image without a landmark.
        random_state
            For the default describer's codebook.

        Raises
        ------
        TypeError, ValueError
            If images or labels have another form, or there is no image.
        """
        images = checked_tensor(images, "images", ("N", 3, "H", "W"), floating=False)
        if len(images) == 0:
            raise ValueError(message("images", "at least one image", "none"))
        self.labels_ = checked_array(labels, "labels", (len(images),), np.int64)
        if self.describer is None:
            self.describer = _default_describer(min(len(images), self.n_fit))
        if isinstance(self.describer, DenseVLAD):
            step = -(-len(images) // self.n_fit)
            self.describer.fit(images[::step], random_state=random_state)
        self.vectors_ = np.asarray(self.describer.describe(images), np.float32)
        self._images, self._features = images, {}
        return self

    def search(self, images: torch.Tensor, n_candidates: int | None = None) -> Shortlist:
        """Return the most similar gallery images of every query (Q, 3, H, W); fewer than asked for if the gallery is smaller.

        Raises
        ------
        ValueError
            Before ``fit``.
        """
        self._check_fitted()
        count = self.n_candidates if n_candidates is None else checked_int(n_candidates, "n_candidates", low=1)
        similarities = np.asarray(self.describer.describe(images), np.float32) @ self.vectors_.T  # (Q, N)
        order = np.argsort(-similarities, axis=1, kind="stable")[:, :count]
        return Shortlist(order, np.take_along_axis(similarities, order, axis=1), self.labels_[order])

    def verify(
        self,
        images: torch.Tensor,
        found: Shortlist,
        generator: torch.Generator | None = None,
        features: Sequence[LocalFeatureSet] | None = None,
    ) -> Shortlist:
        """Count the inliers of every candidate and return the shortlist with them.

        Parameters
        ----------
        images : Tensor of shape (Q, 3, H, W)
            The queries of ``found``.
        found : Shortlist
        generator : torch.Generator, optional
            Draws the triplets. Default: one with seed 0, so that equal queries give equal counts.
        features : sequence of LocalFeatureSet, optional
            Of the queries, if they are known already.

        Raises
        ------
        ValueError
            Before ``fit``, or if there is not one image for each row of ``found``.
        """
        self._check_fitted()
        if len(images) != len(found):
            raise ValueError(message("images", f"one for each of the {len(found)} rows of `found`", str(len(images))))
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        n_inliers = np.zeros(found.indices.shape, np.int64)
        for q in progress(range(len(images)), desc="verifying", unit="query"):
            query = self.local(images[q]) if features is None else features[q]
            pairs = [self._matched(query, self.features_of(int(i))) for i in found.indices[q]]
            verified = verify_geometry(*zip(*pairs), threshold=self.threshold, n_trials=self.n_trials, generator=generator)
            n_inliers[q] = [one.n_inliers for one in verified]
        return replace(found, n_inliers=n_inliers)

    def features_of(self, index: int) -> LocalFeatureSet:
        """Return the local features of a gallery image; they are computed when they are first needed, and kept."""
        if index not in self._features:
            self._features[index] = self.local(self._images[index])
        return self._features[index]

    def _matched(self, query: LocalFeatureSet, other: LocalFeatureSet) -> tuple[np.ndarray, np.ndarray]:
        matches = match_descriptors(query.descriptors, other.descriptors, self.max_distance, mutual=True)
        return query.points[matches.indices[:, 0]], other.points[matches.indices[:, 1]]

    def _check_fitted(self) -> None:
        if not hasattr(self, "vectors_"):
            raise ValueError(message("self", "fitted to a gallery", "a recogniser without one", "Call `fit` first."))


def _default_describer(n_images: int) -> DenseVLAD:
    whitening = PCAWhitening(N_DIMENSIONS, shrinkage=SHRINKAGE) if n_images > 2 * N_DIMENSIONS else None
    return DenseVLAD(vlad=VLAD(n_clusters=N_WORDS, samples_per_image=N_SAMPLES), whitening=whitening)


def _default_features(image: torch.Tensor) -> LocalFeatureSet:
    return dense_feature_set(image, N_FEATURES, max_overlap=OVERLAP)
