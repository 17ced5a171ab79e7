"""DenseVLAD: from images to vectors in one object (dense RootSIFT, VLAD, and optionally whitening).

Source: A. Torii, R. Arandjelovic, J. Sivic, M. Okutomi, T. Pajdla, "24/7 place recognition by view synthesis", CVPR
2015. Theirs: RootSIFT at four scales every two pixels, 128 words, intra-normalisation, PCA-whitening to 4096 numbers.

``describe`` and ``explain`` are the protocol that the explorers and the evaluation use; ``PlaceNetwork`` (chapter
`02_netvlad`) has the same two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from course_utils.checks import message, numpy_generator
from course_utils.profile import batches, progress
from course_utils.retrieval.local_features import DenseRootSIFT
from course_utils.retrieval.vlad import VLAD
from course_utils.retrieval.whitening import PCAWhitening

if TYPE_CHECKING:
    from course_utils.retrieval.attribution import SimilarityAttribution

IMAGES_AT_ONCE = 64  # 64 images of 600 descriptors are 20 MB
PROGRESS_FROM = 512  # images; below it a bar would only flicker


class DenseVLAD:
    """Describe images by the VLAD of their dense RootSIFT descriptors.

    Taught in `01_vlad`, step 5.

    Parameters
    ----------
    sift : DenseRootSIFT, optional
    vlad : VLAD, optional
        Fitted or not; ``fit`` learns its codebook anew.
    whitening : PCAWhitening, optional

    Examples
    --------
    >>> images = (torch.rand(6, 3, 32, 48) * 255).byte()
    >>> model = DenseVLAD(vlad=VLAD(n_clusters=4)).fit(images, random_state=0)
    >>> model.describe(images).shape
    (6, 512)
    """

    def __init__(
        self, sift: DenseRootSIFT | None = None, vlad: VLAD | None = None, whitening: PCAWhitening | None = None
    ) -> None:
        self.sift = DenseRootSIFT() if sift is None else sift
        self.vlad = VLAD() if vlad is None else vlad
        self.whitening = whitening

    def __repr__(self) -> str:
        return f"DenseVLAD({self.sift!r}, {self.vlad!r}, {self.whitening!r})"

    def fit(self, images: torch.Tensor, random_state: Any = None) -> DenseVLAD:
        """Learn the codebook (and the whitening) from training images: another district than the one searched.

        Parameters
        ----------
        images : Tensor of shape (B, 3, H, W), uint8
        random_state : int, RandomState, Generator or None
            None keeps the VLAD's own.

        Raises
        ------
        ValueError
            If the images give fewer descriptors than the codebook has words.
        """
        generator = numpy_generator(self.vlad.random_state if random_state is None else random_state)
        most, sample = self.vlad.samples_per_image, []
        for part in self._parts(images):  # keep only what the codebook may use: memory does not grow with the images
            for x in self.sift.describe(images[part]):
                sample.append(x if len(x) <= most else x[np.sort(generator.choice(len(x), most, replace=False))])
        before = self.vlad.random_state
        try:
            self.vlad.random_state = generator
            self.vlad.fit(sample)
        finally:
            self.vlad.random_state = before
        if self.whitening is not None:
            self.whitening.fit(self._vlad_vectors(images))
        return self

    def describe(self, images: torch.Tensor) -> np.ndarray:
        """Return one unit vector per image, (B, V) float32; zeros for an image without contrast.

        Parameters
        ----------
        images : Tensor of shape (B, 3, H, W) or (3, H, W), uint8 or float in [0, 1]
        """
        vectors = self._vlad_vectors(images[None] if images.ndim == 3 else images)
        return vectors if self.whitening is None else self.whitening.transform(vectors).astype(np.float32)

    def explain(self, query_image: torch.Tensor, database_image: torch.Tensor) -> SimilarityAttribution:
        """Split the similarity of two images (3, H, W) into what each descriptor and each word contribute.

        Raises
        ------
        ValueError
            With whitening or a power law: a similarity after them is no sum over descriptors.
        """
        from course_utils.retrieval.attribution import attribute_similarity

        if self.whitening is not None:
            raise ValueError(
                message("whitening", "None to explain a similarity", "a PCAWhitening", "Explain the model without it.")
            )
        if self.vlad.normalization not in ("intra", "l2"):
            raise ValueError(message("normalization", "'intra' or 'l2' to explain a similarity", repr(self.vlad.normalization)))
        query, database = self.sift(query_image), self.sift(database_image)
        return attribute_similarity(
            query.descriptors[0].numpy(),
            database.descriptors[0].numpy(),
            self.vlad.anchors_,
            assign=self._hard_assignment,
            normalization=self.vlad.normalization,
            query_grid=query.grid if len(query.grids) == 1 else None,
            database_grid=database.grid if len(database.grids) == 1 else None,
        )

    def _vlad_vectors(self, images: torch.Tensor) -> np.ndarray:
        parts = [self.vlad.transform(self.sift.describe(images[part])) for part in self._parts(images)]
        return np.concatenate(parts) if parts else np.zeros((0, self.vlad.anchors_.size), np.float32)

    def _parts(self, images: torch.Tensor) -> Any:
        parts = list(batches(len(images), IMAGES_AT_ONCE))
        return progress(parts, desc="describe", unit="batch") if len(images) > PROGRESS_FROM else parts

    def _hard_assignment(self, descriptors: np.ndarray) -> np.ndarray:
        """One-hot rows (N, K) for the nearest centres; zero rows for invalid (zero) descriptors."""
        from course_utils.retrieval.vlad import nearest_centers

        assigned = nearest_centers(descriptors, self.vlad.cluster_centers_.astype(descriptors.dtype), self.vlad.n_assignments)
        weights = np.zeros((len(descriptors), len(self.vlad.cluster_centers_)))
        np.put_along_axis(weights, assigned, 1.0, axis=1)
        weights[~descriptors.any(1)] = 0
        return weights
