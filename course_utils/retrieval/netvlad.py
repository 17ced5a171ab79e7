"""NetVLAD: VLAD whose assignment can be learned.

**Problem.** VLAD gives every descriptor to its nearest centre. "Nearest" is a step function, so no gradient passes
through it and nobody can tell the network that fed it what to change. **Idea.** Replace the step by a softmax of
sharpness alpha, and give each of a centre's three jobs its own parameter: the direction that decides the assignment
(``assignment_weight``), its offset (``assignment_bias``) and the point that residuals are measured from (``centers``).

Source: R. Arandjelovic, P. Gronat, A. Torii, T. Pajdla, J. Sivic, "NetVLAD: CNN architecture for weakly supervised
place recognition", CVPR 2016 and TPAMI 2018, arXiv:1511.07247, section 3 and eqs. (2)-(4). Where paper and official
MATLAB code differ, both exist here:

===========  ==========================================  ======================================================
``variant``  ``"v2"``: the paper's equations             ``"v1"``: what the authors' code runs by default
===========  ==========================================  ======================================================
weight w_k   ``2 alpha c_k``                             ``alpha c_k / ||c_k||``
bias b_k     ``-alpha ||c_k||**2``                       none
gap          second smallest minus smallest squared      largest minus second largest product with the
             distance to the centres                     normalised centres
===========  ==========================================  ======================================================

The sharpness follows the official code: ``alpha = -ln(0.01) / mean(gap)``. With it the largest soft weight is 100
times the second largest in the geometric mean over the training descriptors.

Notation: B images, N locations, D channels, K clusters; ``features`` (B, N, D), ``assignment`` (B, N, K),
``residual_sums`` V (B, K, D). The output is cluster-major: entries ``k*D:(k+1)*D`` belong to cluster k.

Taught in ``02_netvlad``, steps 1 to 3.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks import (
    checked_array,
    checked_choice,
    checked_float,
    checked_int,
    checked_tensor,
    message,
    numpy_generator,
)
from course_utils.retrieval.codebook import learn_codebook

SECOND_TO_FIRST = 0.01  # soft weight of the second centre relative to the first; official code, function addLayers
SMALLEST_MEAN_GAP = 1e-6  # below it two centres coincide and alpha would run to infinity
EPS = 1e-12  # official code: blocks of a smaller norm stay (nearly) zero instead of 0 / 0
KMEANS_ITERATIONS = 100  # official code, function getClusters
VARIANTS = ("v1", "v2")


def assignment_gaps(descriptors: Any, centers: Any, variant: str = "v1") -> np.ndarray:
    """Return by how much each descriptor prefers its first centre to its second.

    Parameters
    ----------
    descriptors : array of shape (N, D)
        As they reach the layer; rows of unit norm for ``"v1"``.
    centers : array of shape (K, D), K >= 2
    variant : {"v1", "v2"}
        ``"v2"``: second smallest minus smallest squared distance. ``"v1"``: largest minus second largest dot product
        with the L2-normalised centres.

    Returns
    -------
    array of shape (N,), float64, >= 0

    Examples
    --------
    >>> assignment_gaps([[0.0, 1.0]], [[0.0, 1.0], [0.0, 3.0]], variant="v2")
    array([4.])
    """
    checked_choice(variant, "variant", VARIANTS)
    centers = checked_array(centers, "centers", ("K", "D"), np.float64)
    descriptors = checked_array(descriptors, "descriptors", ("N", centers.shape[1]), np.float64)
    if len(centers) < 2:
        raise ValueError(message("centers", "at least 2 rows, a gap needs a second centre", f"{len(centers)}"))
    if variant == "v1":
        preference = descriptors @ _unit_rows(centers).T  # (N, K)
    else:
        # minus the squared distance; ||x||^2 is the same for every centre and cancels in the gap
        preference = 2 * descriptors @ centers.T - (centers**2).sum(1)  # (N, K)
    second, first = np.partition(preference, -2, axis=1)[:, -2:].T
    return first - second


def alpha_from_gaps(gaps: Any) -> float:
    """Return the sharpness for which the first soft weight is 100 times the second, in the geometric mean.

    Two centres whose preferences differ by ``gap`` get soft weights in the ratio ``exp(alpha * gap)``. Its geometric
    mean over the descriptors is ``exp(alpha * mean(gap))``; setting that to 100 gives ``alpha = ln(100) / mean(gap)``.

    Parameters
    ----------
    gaps : array of shape (N,), >= 0
        From ``assignment_gaps``.

    Warns
    -----
    RuntimeWarning
        If the mean gap is below 1e-6 (coinciding centres); it is then taken as 1e-6.

    Examples
    --------
    >>> gaps = np.array([0.1, 0.3])
    >>> round(float(np.exp(np.mean(alpha_from_gaps(gaps) * gaps))), 6)
    100.0
    """
    gaps = checked_array(gaps, "gaps", ("N",), np.float64)
    if gaps.size == 0 or gaps.min() < 0:
        raise ValueError(
            message("gaps", "at least one number, none negative", f"{gaps.size} numbers, smallest {gaps.min(initial=0)}")
        )
    mean_gap = float(gaps.mean())
    if mean_gap < SMALLEST_MEAN_GAP:
        warnings.warn(
            f"The mean gap between first and second centre is {mean_gap:.1e}: centres coincide. It is taken as "
            f"{SMALLEST_MEAN_GAP:.0e}; use fewer clusters or more varied descriptors.",
            RuntimeWarning,
            stacklevel=2,
        )
        mean_gap = SMALLEST_MEAN_GAP
    return -math.log(SECOND_TO_FIRST) / mean_gap


class NetVLAD(nn.Module):
    """Soft-assign local features to clusters and sum their residuals, with everything trainable.

    Parameters
    ----------
    dim : int
        D, the number of channels of a local feature.
    n_clusters : int, default 64
        K (paper, section 5.1).
    variant : {"v1", "v2"}
        How ``init_from`` sets the assignment; see the module's table. Both compute the same function afterwards,
        ``"v1"`` without a bias.
    normalize_input : bool, default True
        L2-normalise each local feature first (official layer ``vlad_preL2_intra``). ``"v1"`` needs it.
    generator : torch.Generator, optional
        Draws the random start of the centres, which ``init_from`` replaces.

    Attributes
    ----------
    assignment_weight : Parameter of shape (K, D)
    assignment_bias : Parameter of shape (K,), or None for ``"v1"``
    centers : Parameter of shape (K, D)
        The residual anchors.
    alpha : float
        Sharpness from the last ``init_from`` or ``set_alpha``; training moves the weights, not this record.

    Notes
    -----
    ``a_k(x) = softmax_k(w_k . x + b_k)``, ``V_k = sum_i a_k(x_i) (x_i - c_k)``; then each ``V_k`` is scaled to unit
    length (intra-normalisation) and the whole vector again. Computed as two matrix products,
    ``V = A^T X - diag(A^T 1) C``, without the (B, K, D, N) tensor of a loop over clusters.

    **Conventions.** An all-zero feature has no direction; it is left out, as if masked (a softmax of zeros would add
    ``-c_k / K`` to every cluster). An image without any valid feature gives the zero vector. A cluster without mass
    gives a zero block. Half-precision input is aggregated in float32, because ``alpha`` of about 100 turns a rounding
    error of 1e-3 into 10 % of a soft weight; the result has the wider of the input's and the parameters' dtype.

    Examples
    --------
    >>> layer = NetVLAD(dim=8, n_clusters=4, generator=torch.Generator().manual_seed(0))
    >>> layer(torch.ones(2, 8, 3, 5)).shape
    torch.Size([2, 32])
    """

    def __init__(
        self,
        dim: int,
        n_clusters: int = 64,
        variant: str = "v1",
        normalize_input: bool = True,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.dim = checked_int(dim, "dim", low=1)
        self.n_clusters = checked_int(n_clusters, "n_clusters", low=1)
        self.variant = checked_choice(variant, "variant", VARIANTS)
        if variant == "v1" and not normalize_input:
            raise ValueError(message("normalize_input", "True for variant 'v1'", "False", "v1 compares directions; use 'v2'."))
        self.normalize_input = bool(normalize_input)
        self.centers = nn.Parameter(F.normalize(torch.randn(n_clusters, dim, generator=generator), dim=1))
        self.assignment_weight = nn.Parameter(torch.empty(n_clusters, dim))
        self.assignment_bias = nn.Parameter(torch.empty(n_clusters)) if variant == "v2" else None
        self.set_alpha(1.0)

    @torch.no_grad()
    def init_from(self, descriptors: Any, centers: Any = None, random_state: Any = None) -> NetVLAD:
        """Set centres by k-means and the assignment by the alpha rule; return the layer.

        Parameters
        ----------
        descriptors : array or Tensor of shape (N, D), N >= K
            A sample of training descriptors, about 100 an image. They are normalised here exactly as in ``forward``,
            so that what is clustered is what is aggregated; all-zero rows are dropped.
        centers : array of shape (K, D), optional
            Use these instead of k-means (for example ``VLAD.cluster_centers_``).
        random_state : None, int or numpy generator
            Seeds k-means.

        Raises
        ------
        ValueError
            If there are fewer usable descriptors than clusters, or a value is not finite.

        Warns
        -----
        RuntimeWarning
            If centres coincide; see ``alpha_from_gaps``.
        """
        descriptors = checked_array(descriptors, "descriptors", ("N", self.dim), np.float64)
        norms = np.linalg.norm(descriptors, axis=1, keepdims=True)
        descriptors = (descriptors / np.maximum(norms, EPS) if self.normalize_input else descriptors)[norms[:, 0] > 0]
        if len(descriptors) < self.n_clusters:
            raise ValueError(
                message(
                    "descriptors",
                    f"at least {self.n_clusters} rows that are not zero, one per cluster",
                    f"{len(descriptors)}",
                    "Sample more images or use fewer clusters.",
                )
            )
        if centers is None:
            seed = int(numpy_generator(random_state).integers(2**31 - 1))
            centers, _ = learn_codebook(descriptors.astype(np.float32), self.n_clusters, KMEANS_ITERATIONS, seed)
        centers = checked_array(centers, "centers", (self.n_clusters, self.dim), np.float64)
        self.centers.copy_(torch.from_numpy(centers))
        # one cluster takes everything whatever alpha is
        alpha = 1.0 if self.n_clusters == 1 else alpha_from_gaps(assignment_gaps(descriptors, centers, self.variant))
        return self.set_alpha(alpha)

    @torch.no_grad()
    def set_alpha(self, alpha: float) -> NetVLAD:
        """Derive weight and bias from the present centres with this sharpness (eq. (4)); return the layer."""
        self.alpha = checked_float(alpha, "alpha", low=0.0)
        if self.assignment_bias is None:
            self.assignment_weight.copy_(self.alpha * F.normalize(self.centers, dim=1, eps=EPS))
        else:
            self.assignment_weight.copy_(2 * self.alpha * self.centers)
            self.assignment_bias.copy_(-self.alpha * self.centers.square().sum(1))
        return self

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the image vectors.

        Parameters
        ----------
        features : Tensor of shape (B, D, H, W) or (B, N, D), floating
        mask : Tensor of shape (B, H, W) or (B, N), bool, optional
            True where a feature counts.

        Returns
        -------
        Tensor of shape (B, K*D), rows of unit norm, cluster-major

        Raises
        ------
        TypeError, ValueError
            If ``features`` is not a floating tensor of one of the two shapes, or ``mask`` does not fit it.
        """
        blocks = F.normalize(self.residual_sums(features, mask), dim=2, eps=EPS)  # intra-normalisation, (B, K, D)
        vectors = F.normalize(blocks.flatten(1), dim=1, eps=EPS)  # (B, K*D)
        return vectors.to(torch.promote_types(features.dtype, self.centers.dtype))

    def assignment(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the soft assignment (B, N, K): rows sum to 1, or to 0 where a feature does not count."""
        return self._assignment(*self._prepared(features, mask))

    def residual_sums(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return V (B, K, D) before any normalisation."""
        features, valid = self._prepared(features, mask)
        return self._residual_sums(features, self._assignment(features, valid))

    def _prepared(self, features: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        checked_tensor(features, "features")
        channels_first = features.ndim == 4
        if features.ndim not in (3, 4) or features.shape[1 if channels_first else 2] != self.dim:
            expected = f"of shape (B, {self.dim}, H, W) or (B, N, {self.dim})"
            raise ValueError(message("features", expected, f"shape {tuple(features.shape)}"))
        if channels_first:
            features = features.flatten(2).transpose(1, 2)  # (B, N, D)
        features = features.to(torch.promote_types(torch.promote_types(features.dtype, self.centers.dtype), torch.float32))
        norms = torch.linalg.vector_norm(features, dim=2, keepdim=True)
        valid = norms > 0  # (B, N, 1)
        if mask is not None:
            if mask.shape[0] != features.shape[0] or mask[0].numel() != features.shape[1]:
                raise ValueError(message("mask", "one entry per location of `features`", f"shape {tuple(mask.shape)}"))
            valid = valid & mask.bool().reshape(valid.shape)
        if self.normalize_input:
            features = features / norms.clamp_min(EPS)
        return features, valid

    def _assignment(self, features: Tensor, valid: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            bias = None if self.assignment_bias is None else self.assignment_bias.to(features.dtype)
            logits = F.linear(features, self.assignment_weight.to(features.dtype), bias)  # (B, N, K)
            return logits.softmax(dim=2) * valid

    def _residual_sums(self, features: Tensor, assignment: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            mass = assignment.sum(1)[..., None]  # (B, K, 1)
            return assignment.transpose(1, 2) @ features - mass * self.centers.to(features.dtype)  # (B, K, D)

    def get_extra_state(self) -> dict[str, float]:
        """Return what ``state_dict`` keeps beside the parameters: alpha."""
        return {"alpha": self.alpha}

    def set_extra_state(self, state: dict[str, float]) -> None:
        """Restore alpha from a ``state_dict``."""
        self.alpha = state["alpha"]

    def extra_repr(self) -> str:
        return f"dim={self.dim}, n_clusters={self.n_clusters}, variant={self.variant!r}, alpha={self.alpha:.3g}"


def _unit_rows(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), EPS)
