"""VLAD: one vector for a whole image, from the differences of its local descriptors to a small codebook.

A bag of words counts how many descriptors fall to each visual word. VLAD keeps more: for every word the *sum of the
differences* between the descriptors and the word's centre. The length is fixed, ``K * D``, however many descriptors
an image has.

Source: H. Jegou, M. Douze, C. Schmid, P. Perez, "Aggregating local descriptors into a compact image representation",
CVPR 2010; Jegou, Perronnin, Douze, Sanchez, Perez, Schmid, "Aggregating local image descriptors into compact codes",
TPAMI 34(9), 2012 (power law); R. Arandjelovic and A. Zisserman, "All about VLAD", CVPR 2013 (intra-normalisation,
centre adaptation); J. Delhumeau, P.-H. Gosselin, H. Jegou, P. Perez, "Revisiting the VLAD image representation",
ACM Multimedia 2013 (residual normalisation).

=================  ======================  =============================================================
symbol             code                    meaning
=================  ======================  =============================================================
``x_i``            a row of the input      local descriptor, ``D`` numbers
``c_k``            ``cluster_centers_``    centre of visual word ``k``; learned once, on a training set
``a_i``            assignment              the word nearest to ``x_i``
``V_k``            ``ResidualSums.sums``   sum over the word's descriptors of ``x_i - c_k``
``n_k``            ``ResidualSums.counts`` number of the word's descriptors
``v``              ``transform``           ``(V_1, ..., V_K)`` one after the other, then normalised
=================  ======================  =============================================================

Conventions
-----------
Order
    Cluster-major: word ``k`` owns the entries ``k * D`` to ``(k + 1) * D``. (The official MATLAB code of NetVLAD is
    column-major: entry ``j`` of word ``k`` sits at ``k + K * j``.) A whitening or a product quantiser is only valid
    for the order it was trained on.
Ties
    A descriptor at equal distance from two centres goes to the lower index; so do all descriptors of duplicated
    centres.
Nothing to say
    An image without descriptors, or with every descriptor on its centre, gets the zero vector. Its similarity to
    anything is 0.
Centres and anchors
    The centres decide the assignment, the *anchors* are what the residuals are taken from. They are the same until
    ``adapt`` moves the anchors. NetVLAD makes this separation a principle.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from course_utils.checks import checked_array, checked_choice, checked_float, checked_int, message, numpy_generator
from course_utils.retrieval.codebook import learn_codebook

NORMALIZATIONS = ("none", "l2", "ssr", "intra", "residual")
TINY = 1e-12  # guard of the official NetVLAD code: an empty word stays zero instead of becoming 0 / 0
ROWS_AT_ONCE = 4096  # descriptors per matrix product; distances and residuals stay in the processor's cache


@dataclass(frozen=True)
class ResidualSums:
    """VLAD before any normalisation: what can still be added, split and re-centred.

    Attributes
    ----------
    sums : ndarray of shape (B, K, D)
        ``V_k`` of every image.
    counts : ndarray of shape (B, K), int64
        ``n_k``; with ``m`` assignments per descriptor every row sums to ``m * N``.
    unit_residuals : bool
        Whether each residual was scaled to unit length before the sum (residual normalisation).
    """

    sums: np.ndarray
    counts: np.ndarray
    unit_residuals: bool = False

    def __add__(self, other: ResidualSums) -> ResidualSums:
        """Add the sums of two disjoint sets of descriptors: the result is that of their union."""
        return ResidualSums(self.sums + other.sums, self.counts + other.counts, self.unit_residuals)

    def rewritten(self, old_anchors: np.ndarray, new_anchors: np.ndarray) -> ResidualSums:
        """Return the sums with respect to other anchors, without the descriptors: ``V_k - n_k (c'_k - c_k)``.

        Parameters
        ----------
        old_anchors, new_anchors : array-like of shape (K, D)

        Raises
        ------
        ValueError
            For sums of unit residuals: their lengths are gone, so they cannot be moved.
        """
        if self.unit_residuals:
            raise ValueError(
                "Sums of unit residuals cannot be rewritten for other anchors: the lengths are lost. "
                "Compute them again from the descriptors, or use another normalization."
            )
        shape = self.sums.shape[1:]
        old = checked_array(old_anchors, "old_anchors", shape, self.sums.dtype)
        new = checked_array(new_anchors, "new_anchors", shape, self.sums.dtype)
        counts = self.counts[..., None].astype(self.sums.dtype)  # (B, K, 1)
        return ResidualSums(self.sums - counts * (new - old), self.counts)


class VLAD(TransformerMixin, BaseEstimator):
    """Vector of locally aggregated descriptors.

    Taught in `01_vlad`, steps 2 to 4.

    Parameters
    ----------
    n_clusters : int, default 64
        ``K``, the number of visual words.
    normalization : {"none", "l2", "ssr", "intra", "residual"}, default "intra"
        ``"l2"``: divide by the length (2010). ``"ssr"``: signed power law, then L2 (2012). ``"intra"``: every word's
        block to unit length, then L2 (2013). ``"residual"``: every difference to unit length before the sum, then L2
        (2013). ``"none"``: the raw sums.
    random_state : int, RandomState, Generator or None
        Of the codebook: the sampling of descriptors and the start of k-means.
    alpha : float in [0, 1], default 0.5
        Exponent of the power law, used by ``"ssr"`` only; 1 is ``"l2"``, 0 keeps only the signs.
    n_assignments : int, default 1
        Each descriptor adds its difference to this many nearest centres.
    samples_per_image : int, default 100
        At most this many descriptors of each image enter the codebook, so that no image dominates it (NetVLAD's
        official code uses 100).
    max_iter : int, default 100
        Of k-means (NetVLAD's official code: 100).

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (K, D)
        The codebook: decides the assignment.
    anchors_ : ndarray of shape (K, D)
        What residuals are taken from; equal to ``cluster_centers_`` unless ``adapt`` was used.
    n_features_in_ : int
        ``D``.
    inertia_ : float
        Mean squared distance of the sampled descriptors to their centres (after ``fit`` only).

    Examples
    --------
    >>> centers = [[0.0, 0.0], [4.0, 0.0]]
    >>> image = np.array([[0.0, 1.0], [1.0, 0.0], [4.0, 2.0]])
    >>> VLAD.from_centers(centers, normalization="none").transform([image])
    array([[1., 1., 0., 2.]], dtype=float32)

    Notes
    -----
    The codebook comes from k-means; see ``retrieval.codebook``.

    Cost: ``O(N K D)`` for the assignment, as one matrix product over the descriptors of all images.
    """

    def __init__(
        self,
        n_clusters: int = 64,
        normalization: str = "intra",
        random_state: Any = None,
        *,
        alpha: float = 0.5,
        n_assignments: int = 1,
        samples_per_image: int = 100,
        max_iter: int = 100,
    ) -> None:
        self.n_clusters = n_clusters
        self.normalization = normalization
        self.random_state = random_state
        self.alpha = alpha
        self.n_assignments = n_assignments
        self.samples_per_image = samples_per_image
        self.max_iter = max_iter

    @classmethod
    def from_centers(cls, centers: Any, normalization: str = "intra", **parameters: Any) -> VLAD:
        """Return a fitted VLAD with a given codebook.

        Parameters
        ----------
        centers : array-like of shape (K, D)
            float64 is kept, so that everything is computed in it; anything else becomes float32.
        normalization, parameters
            As in the constructor.
        """
        dtype = np.float64 if getattr(centers, "dtype", None) == np.float64 else np.float32
        centers = checked_array(centers, "centers", ("K", "D"), dtype)
        if centers.size == 0:
            raise ValueError(message("centers", "at least one centre with at least one entry", f"shape {centers.shape}"))
        model = cls(n_clusters=len(centers), normalization=normalization, **parameters)
        model._check_parameters()
        return model._with_codebook(centers)

    def fit(self, descriptors: Sequence[Any], y: Any = None) -> VLAD:
        """Learn the codebook by k-means on a sample of the descriptors.

        Parameters
        ----------
        descriptors : sequence of array-like of shape (N_i, D)
            One array per training image.
        y : ignored

        Raises
        ------
        ValueError
            If there are fewer descriptors than clusters, a descriptor is NaN or infinite (the message names the
            image), or the images disagree about ``D``.
        """
        self._check_parameters()
        generator = numpy_generator(self.random_state)
        rows, lengths = stack_descriptors(descriptors)
        sample = _sample_per_image(rows, lengths, self.samples_per_image, generator)
        if len(sample) < self.n_clusters:
            raise ValueError(
                message("descriptors", f"at least `n_clusters` = {self.n_clusters} descriptors", str(len(sample)))
                + " Use more images, a denser grid, or fewer clusters."
            )
        centers, self.inertia_ = learn_codebook(sample, self.n_clusters, self.max_iter, int(generator.integers(2**31 - 1)))
        return self._with_codebook(centers)

    def transform(self, descriptors: Sequence[Any]) -> np.ndarray:
        """Return the VLAD vectors.

        Parameters
        ----------
        descriptors : sequence of array-like of shape (N_i, D)
            One array per image; ``N_i = 0`` gives a row of zeros.

        Returns
        -------
        ndarray of shape (B, K * D), float32
            Cluster-major.
        """
        return self.normalize(self.residual_sums(descriptors))

    def residual_sums(self, descriptors: Sequence[Any]) -> ResidualSums:
        """Return the sums of residuals and the counts, before normalisation.

        Computed in float64 if descriptors and centres are float64, in float32 otherwise.
        """
        check_is_fitted(self, "cluster_centers_")
        self._check_parameters()
        rows, lengths = stack_descriptors(descriptors, self.n_features_in_)
        dtype = np.result_type(rows, self.cluster_centers_)
        centers, anchors = self.cluster_centers_.astype(dtype), self.anchors_.astype(dtype)
        n_clusters, dim = centers.shape
        cells = np.repeat(np.arange(len(lengths)) * n_clusters, lengths)  # (sum N,) first cell of the row's image
        sums = np.zeros((len(lengths) * n_clusters, dim), dtype)
        counts = np.zeros(len(sums), np.int64)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            x = rows[part].astype(dtype, copy=False)
            for assigned in nearest_centers(x, centers, self.n_assignments).T:
                residuals = x - anchors[assigned]  # (n, D)
                if self.normalization == "residual":
                    residuals /= np.maximum(np.linalg.norm(residuals, axis=1, keepdims=True), TINY)
                _add_to_cells(sums, counts, cells[part] + assigned, residuals)
        shape = (len(lengths), n_clusters)
        return ResidualSums(sums.reshape(*shape, dim), counts.reshape(shape), self.normalization == "residual")

    def normalize(self, raw: ResidualSums) -> np.ndarray:
        """Return the normalised vectors (B, K * D), float32, of raw sums."""
        return normalize_vlad(raw.sums, self.normalization, self.alpha)

    def adapt(self, descriptors: Sequence[Any]) -> VLAD:
        """Return a copy whose anchors are the means of *these* descriptors per word (centre adaptation, 2013).

        The assignment keeps the old centres, so codes of known images can be rewritten from their raw sums and counts
        (``ResidualSums.rewritten``). A word without descriptors keeps its anchor.
        """
        plain = copy.deepcopy(self)
        plain.normalization, plain.n_assignments = "none", 1
        raw = plain.residual_sums(descriptors)
        n = raw.counts.sum(0)[:, None]  # (K, 1)
        adapted = copy.deepcopy(self)
        adapted.anchors_ = self.anchors_ + (raw.sums.sum(0, dtype=np.float64) / np.maximum(n, 1)).astype(self.anchors_.dtype)
        return adapted

    def _with_codebook(self, centers: np.ndarray) -> VLAD:
        self.cluster_centers_ = centers
        self.anchors_ = centers.copy()
        self.n_features_in_ = centers.shape[1]
        return self

    def _check_parameters(self) -> None:
        checked_int(self.n_clusters, "n_clusters", low=1)
        checked_choice(self.normalization, "normalization", NORMALIZATIONS)
        checked_float(self.alpha, "alpha", low=0.0, high=1.0)
        checked_int(self.n_assignments, "n_assignments", low=1, high=self.n_clusters)
        checked_int(self.samples_per_image, "samples_per_image", low=1)
        checked_int(self.max_iter, "max_iter", low=1)


def stack_descriptors(descriptors: Sequence[Any], dim: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Check one array per image and stack them.

    Returns
    -------
    rows : ndarray of shape (sum N_i, D), float32, or float64 if every image is float64
    lengths : ndarray of shape (B,), int64

    Raises
    ------
    ValueError
        With the index of the first image whose descriptors are not finite, not two-dimensional, or of another ``D``.
    """
    if isinstance(descriptors, np.ndarray) and descriptors.ndim == 2:
        raise ValueError(
            message("descriptors", "a sequence with one (N_i, D) array per image", f"one array of shape {descriptors.shape}")
            + " Wrap it in a list for a single image."
        )
    images = []
    for i, image in enumerate(descriptors):
        dtype = np.float64 if getattr(image, "dtype", None) == np.float64 else np.float32
        image = checked_array(image, f"descriptors[{i}]", ("N", "D" if dim is None else dim), dtype)
        dim = image.shape[1]
        images.append(image)
    if not images:
        raise ValueError(message("descriptors", "a sequence with at least one image", "an empty one"))
    return np.concatenate(images), np.array([len(image) for image in images])


def nearest_centers(x: np.ndarray, centers: np.ndarray, n_assignments: int = 1) -> np.ndarray:
    """Return the indices (N, m) of the nearest centres, nearest first; ties go to the lower index.

    ``|x - c|^2`` without the term that all centres share is ``|c|^2 - 2 x.c``: one matrix product.
    """
    lengths2 = np.einsum("kd,kd->k", centers, centers)
    scores = x @ centers.T - 0.5 * lengths2  # (N, K), larger is nearer
    if n_assignments > 1:
        return np.argsort(-scores, axis=1, kind="stable")[:, :n_assignments]
    best = scores.argmax(1)
    if len(set(lengths2.tolist())) < len(centers):
        # Equal columns of a matrix product may differ in the last digit, so duplicated centres are mapped explicitly.
        _, first, inverse = np.unique(centers, axis=0, return_index=True, return_inverse=True)
        best = first[inverse.ravel()][best]
    return best[:, None]


def normalize_vlad(sums: np.ndarray, normalization: str = "intra", alpha: float = 0.5) -> np.ndarray:
    """Normalise residual sums (B, K, D) and return (B, K * D), float32, cluster-major.

    Parameters
    ----------
    sums : ndarray of shape (B, K, D)
    normalization : {"none", "l2", "ssr", "intra", "residual"}
        ``"residual"`` expects sums of unit residuals and does what ``"l2"`` does.
    alpha : float, default 0.5
        Exponent of ``"ssr"``.

    Notes
    -----
    A zero block stays zero. ``alpha = 0`` keeps the signs and leaves zeros at zero.
    """
    checked_choice(normalization, "normalization", NORMALIZATIONS)
    blocks = sums
    if normalization == "ssr":
        blocks = np.sign(blocks) * np.abs(blocks) ** alpha
    elif normalization == "intra":
        blocks = blocks / np.maximum(np.linalg.norm(blocks, axis=2, keepdims=True), TINY)
    flat = blocks.reshape(len(sums), -1)
    if normalization != "none":
        flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), TINY)
    return np.ascontiguousarray(flat, np.float32)


def _sample_per_image(rows: np.ndarray, lengths: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    """Draw at most ``most`` rows of every image, without replacement."""
    keys = generator.random(len(rows))
    image = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((keys, image))  # shuffles within each image
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return rows[np.sort(order[rank < most])]


def _add_to_cells(sums: np.ndarray, counts: np.ndarray, cells: np.ndarray, residuals: np.ndarray) -> None:
    """Add every residual (n, D) to the row of ``sums`` that its cell (n,) names; one sparse product, no Python loop."""
    if len(cells) == 0:
        return
    low, high = int(cells.min()), int(cells.max()) + 1
    order = np.argsort(cells, kind="stable")
    pointer = np.searchsorted(cells[order], np.arange(low, high + 1))
    choose = sparse.csr_array((np.ones(len(cells), residuals.dtype), order, pointer), shape=(high - low, len(cells)))
    sums[low:high] += choose @ residuals
    counts[low:high] += np.diff(pointer)
