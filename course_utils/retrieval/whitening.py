"""PCA-whitening: shorten a descriptor, and stop a few directions from speaking for all.

The entries of a VLAD occur together: when one visual word is present, so are its companions. Such evidence is counted
again and again. Whitening rotates the vectors to directions that vary independently and gives each the same weight.

Source: H. Jegou and O. Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and
whitening", ECCV 2012. Numbers: the official NetVLAD code divides by ``sqrt(lambda + 1e-9)`` and uses at most 10,000
training vectors for 4096 dimensions; the code of Deep Image Retrieval (A. Gordo et al., 2017) divides by
``lambda ** 0.25``. Shrinkage: Y. Chen, A. Wiesel, Y. Eldar, A. Hero, "Shrinkage algorithms for MMSE covariance
estimation", IEEE Trans. Signal Processing 58(10), 2010, eq. (23); scikit-learn's ``OAS`` drops its two terms ``2 / D``,
this code keeps them.

The trap: the smallest eigenvalues of a covariance estimated from few vectors are far too small, and whitening divides
by them. The noise of the last directions then drowns the signal of the first. `01_vlad` shows it.

=================  ============================  ======================================================
symbol             code                          meaning
=================  ============================  ======================================================
``mu``             ``mean_``                     mean of the training vectors (D,)
``U``              ``components_``               rows: orthonormal directions (d, D), largest variance first
``lambda``         ``explained_variance_``       variance along each of them (d,)
``lambda'``        ``shrunk_variance_``          the same after shrinkage: what whitening divides by
=================  ============================  ======================================================
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from course_utils.checks import checked_float, checked_int, message

EPS = 1e-9  # official NetVLAD code
VECTORS_PER_DIMENSION = 10  # below it the small eigenvalues are mostly noise; a rule of thumb, tested in `01_vlad`
TINY = 1e-12


class PCAWhitening(TransformerMixin, BaseEstimator):
    """Centre, project on the first principal directions, whiten, and normalise to unit length.

    Taught in `01_vlad`, step 6.

    Parameters
    ----------
    n_components : int or None, default None
        ``d``. None keeps every direction that the training vectors can determine: ``min(D, n - 1)``.
    whiten : bool, default True
        Divide every direction by ``(lambda' + eps) ** exponent``. False is PCA alone.
    exponent : float in [0, 1], default 0.5
        0.5 makes the training covariance the identity; 0.25 is the softer version of Deep Image Retrieval.
    shrinkage : float in [0, 1] or "oas", default 0.0
        Pull the eigenvalues towards their mean: ``(1 - s) lambda + s * mean(lambda)``. ``"oas"`` computes ``s`` from
        the data (oracle approximating shrinkage).
    normalize : bool, default True
        Divide every result by its length.
    eps : float, default 1e-9

    Attributes
    ----------
    mean_ : ndarray of shape (D,)
    components_ : ndarray of shape (d, D)
        Signs are fixed: the entry of largest absolute value is positive.
    explained_variance_, shrunk_variance_ : ndarray of shape (d,)
    explained_variance_ratio_ : ndarray of shape (d,)
    shrinkage_ : float
        The ``s`` that was used.
    n_components_ : int
    n_samples_ : int
    n_features_in_ : int

    Examples
    --------
    >>> vectors = np.random.default_rng(0).normal(size=(500, 8)) * np.arange(1, 9)
    >>> z = PCAWhitening(4, normalize=False).fit_transform(vectors)
    >>> np.allclose(np.cov(z.T), np.eye(4), atol=1e-6)
    True

    Notes
    -----
    The decomposition is exact and taken of the smaller of the two Gram matrices, so a long vector (``D = 4096``) with
    few training images is cheap. A vector of zeros ("nothing to say") stays zero.
    """

    def __init__(
        self,
        n_components: int | None = None,
        whiten: bool = True,
        exponent: float = 0.5,
        shrinkage: float | str = 0.0,
        normalize: bool = True,
        eps: float = EPS,
    ) -> None:
        self.n_components = n_components
        self.whiten = whiten
        self.exponent = exponent
        self.shrinkage = shrinkage
        self.normalize = normalize
        self.eps = eps

    def fit(self, X: Any, y: Any = None) -> PCAWhitening:
        """Learn mean, directions and variances.

        Parameters
        ----------
        X : array-like of shape (n, D)
        y : ignored

        Raises
        ------
        ValueError
            If ``n_components`` exceeds what ``n`` vectors determine (``min(D, n - 1)``).

        Warns
        -----
        UserWarning
            If ``whiten`` is on, there is no shrinkage, and there are fewer than ten vectors per component.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        self._check_parameters()
        n, dim = X.shape
        most = min(dim, n - 1)
        d = most if self.n_components is None else self.n_components
        if d > most:
            reason = f"{n} training vectors of {dim} dimensions determine at most {most} directions"
            raise ValueError(
                message("n_components", f"at most {most} ({reason})", str(d), "Use more vectors or fewer components.")
            )
        self.mean_ = X.mean(0, dtype=np.float64)
        variances, directions = _principal_directions(X - self.mean_, d)
        self.n_samples_, self.n_components_ = n, d
        self.components_ = directions
        self.explained_variance_ = variances[:d]
        total = variances.sum()
        self.explained_variance_ratio_ = variances[:d] / (total if total > 0 else 1)
        self.shrinkage_ = _oas(variances, n, dim) if self.shrinkage == "oas" else float(self.shrinkage)
        self.shrunk_variance_ = (1 - self.shrinkage_) * self.explained_variance_ + self.shrinkage_ * total / dim
        if self.whiten and self.shrinkage_ == 0 and n < VECTORS_PER_DIMENSION * d:
            warnings.warn(
                f"Whitening to {d} dimensions from {n} training vectors, {n / d:.1f} per dimension: the small variances are "
                f"mostly noise and will be blown up. Use {VECTORS_PER_DIMENSION} vectors or more per dimension, fewer "
                "dimensions, shrinkage='oas', or whiten=False.",
                UserWarning,
                stacklevel=2,
            )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the projected vectors (n, d), in the dtype of ``X`` (float32 or float64)."""
        check_is_fitted(self, "components_")
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        z = (X - self.mean_) @ self.components_.T  # float64
        if self.whiten:
            z /= (self.shrunk_variance_ + self.eps) ** self.exponent
        if self.normalize:
            z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), TINY)
            z[~X.any(1)] = 0
        return z.astype(X.dtype)

    def _check_parameters(self) -> None:
        if self.n_components is not None:
            checked_int(self.n_components, "n_components", low=1)
        checked_float(self.exponent, "exponent", low=0.0, high=1.0)
        checked_float(self.eps, "eps", low=0.0)
        if isinstance(self.shrinkage, str):
            if self.shrinkage != "oas":
                raise ValueError(message("shrinkage", "a number between 0 and 1, or 'oas'", repr(self.shrinkage)))
        else:
            checked_float(self.shrinkage, "shrinkage", low=0.0, high=1.0)


def _principal_directions(centred: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all variances (min(n, D),), largest first, and the first ``d`` directions (d, D) of centred vectors."""
    n, dim = centred.shape
    small = centred.T @ centred if dim <= n else centred @ centred.T
    values, vectors = np.linalg.eigh(small)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    if dim <= n:
        directions = vectors[:, :d].T
    else:  # u = X^T w / |X^T w|; a direction without variance cannot be recovered this way, so QR completes the basis
        directions = np.linalg.qr(centred.T @ vectors[:, :d])[0].T
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], axis=1)
    return values / (n - 1), np.ascontiguousarray(directions * np.where(largest < 0, -1, 1))


def _oas(variances: np.ndarray, n: int, dim: int) -> float:
    """Oracle approximating shrinkage, eq. (23) of Chen et al., from the eigenvalues of the covariance."""
    trace, trace_of_square = variances.sum() * (n - 1) / n, (variances**2).sum() * ((n - 1) / n) ** 2
    numerator = (1 - 2 / dim) * trace_of_square + trace**2
    denominator = (n + 1 - 2 / dim) * (trace_of_square - trace**2 / dim)
    return 1.0 if denominator <= 0 else float(min(1.0, numerator / denominator))
