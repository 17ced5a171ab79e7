"""Which descriptor of one image looks like which of another: nearest neighbours under a distance threshold.

Two images of one landmark share some of their local features. Every query descriptor is paired with its nearest
descriptor in the index image, if that one is near enough. The pairs are *putative*: a facade has many windows that look
alike, and no descriptor knows where it stands. Geometric verification decides next (``geometric_verification``).

Source: H. Noh, A. Araujo, J. Sim, T. Weyand, B. Han, "Large-Scale Image Retrieval with Attentive Deep Local Features",
ICCV 2017, arXiv:1612.06321, section 4.3, and its official code: a KD-tree that returns a neighbour *below* a distance of
0.8 (demo) or 0.9 (re-ranking) between unit vectors. The ratio test is D. Lowe's, "Distinctive Image Features from
Scale-Invariant Keypoints", IJCV 60(2), 2004, section 7.1.

For unit vectors ``|a - b|^2 = 2 - 2 a.b``, so one matrix product finds all neighbours; in 40 dimensions that is faster
than a tree.

Conventions
-----------
Threshold
    ``distance < max_distance``, as in a KD-tree with an upper bound. 0.9 is an angle of 53.5 degrees. It is a property of
    the descriptor: another model, or whitening, needs another threshold.
One to one
    Without it many query descriptors may take one index descriptor (a repeated window), and every affine map that sends
    the whole image to that point calls all of them inliers. So each index descriptor keeps its nearest query only.
Ties
    The lower index wins, on both sides.
Zero rows
    Match nothing: a vector of length 0 has no direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.checks import checked_float, checked_unit_rows
from course_utils.profile import batches

BLOCK = 4_000_000  # products held at a time: 16 MB
RESOLUTION = np.float32(1e6)  # products are rounded to millionths, so that the order of additions decides no tie


@dataclass(frozen=True, eq=False)
class DescriptorMatches:
    """M pairs of descriptors, ordered by the first index.

    Attributes
    ----------
    indices : ndarray of shape (M, 2), int64
        Row of ``a``, row of ``b``.
    distances : ndarray of shape (M,), float32
        Euclidean, between 0 and 2 for unit vectors.
    """

    indices: np.ndarray
    distances: np.ndarray

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.indices)

    def __repr__(self) -> str:
        far = f", distances {self.distances.min():.3f} to {self.distances.max():.3f}" if len(self) else ""
        return f"DescriptorMatches({len(self)} pairs{far})"


def match_descriptors(
    a: Any,
    b: Any,
    max_distance: float = 0.9,
    one_to_one: bool = True,
    mutual: bool = False,
    max_ratio: float | None = None,
) -> DescriptorMatches:
    """Pair every descriptor of ``a`` with its nearest one in ``b``, if it passes the tests.

    Taught in ``03_delf``, step 5.

    Parameters
    ----------
    a, b : array-like of shape (N, D) and (M, D), float32
        Descriptors of the query and of the index image, rows of unit length (or zero).
    max_distance : float, default 0.9 (the paper's code for re-ranking; its demo takes 0.8)
        A pair must be nearer than this.
    one_to_one : bool, default True
        Of several queries with the same neighbour keep the nearest one.
    mutual : bool, default False
        Keep a pair only if each is the other's nearest. Stricter than ``one_to_one``, and includes it.
    max_ratio : float in (0, 1], optional
        Keep a pair only if its distance is at most this share of the distance to the second nearest in ``b`` (Lowe: 0.8).
        With one row in ``b`` there is no second one, and every pair passes.

    Returns
    -------
    DescriptorMatches

    Raises
    ------
    TypeError, ValueError
        If an array is not numeric, has another shape, is not finite, or has a row that is neither of unit length nor zero;
        if a threshold is out of range.

    Examples
    --------
    >>> a = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, -1.0]])
    >>> b = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> match_descriptors(a, b).indices.tolist()        # rows 0 and 1 both want row 0; row 2 is far from all
    [[0, 0]]
    >>> match_descriptors(a, b, one_to_one=False).indices.tolist()
    [[0, 0], [1, 0]]
    """
    a = checked_unit_rows(a, "a", zeros=True)
    b = checked_unit_rows(b, "b", a.shape[1], zeros=True)
    max_distance = checked_float(max_distance, "max_distance", above=0)
    ratio = None if max_ratio is None else checked_float(max_ratio, "max_ratio", above=0, high=1)
    if len(a) == 0 or len(b) == 0:
        return DescriptorMatches(np.zeros((0, 2), np.int64), np.zeros(0, np.float32))
    nearest, second, back = _neighbours(a, b, ratio is not None, mutual)
    distances = np.linalg.norm(a - b[nearest], axis=1)  # again, from the difference: exact where vectors are equal
    kept = (distances < max_distance) & a.any(axis=1) & b.any(axis=1)[nearest]
    if ratio is not None:
        kept &= distances <= ratio * second
    if mutual:
        kept &= back[nearest] == np.arange(len(a))
    rows = np.flatnonzero(kept)
    if one_to_one:
        rows = _nearest_of_each(rows, nearest[rows], distances[rows])
    return DescriptorMatches(np.column_stack([rows, nearest[rows]]).astype(np.int64), distances[rows])


def _neighbours(a: np.ndarray, b: np.ndarray, want_second: bool, want_back: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest row of ``b`` (N,), the distance to the second nearest (N,), and the nearest row of ``a`` (M,)."""
    nearest, back = np.zeros(len(a), np.int64), np.zeros(len(b), np.int64)
    second, best_back = np.full(len(a), np.inf, np.float32), np.full(len(b), -np.inf, np.float32)
    for rows in batches(len(a), max(1, BLOCK // len(b))):
        products = a[rows] @ (RESOLUTION * b.T)  # (n, M); the largest product is the smallest distance
        np.rint(products, out=products)
        nearest[rows] = products.argmax(axis=1)
        if want_second and len(b) > 1:
            runner_up = np.partition(products, -2, axis=1)[:, -2] / RESOLUTION
            second[rows] = np.sqrt(np.maximum(2 - 2 * runner_up, 0))
        if want_back:
            first = products.argmax(axis=0)
            value = products[first, np.arange(len(b))]
            better = value > best_back
            back[better], best_back[better] = first[better] + rows.start, value[better]
    return nearest, second, back


def _nearest_of_each(rows: np.ndarray, targets: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Return, in order, the row with the smallest distance for every target; the lower row wins a tie."""
    order = np.lexsort((rows, distances, targets))
    first = np.ones(len(order), bool)
    first[1:] = targets[order][1:] != targets[order][:-1]
    return np.sort(rows[order[first]])
