"""MultiVLAD: the VLAD of any rectangle of an image, from one table of running sums.

Raw residual sums add up over disjoint sets of descriptors. So one *integral volume* (the running sum of the residuals
over rows and columns of the descriptor grid) gives the sum over any rectangle with four look-ups, as an integral
image does for grey values. A query that fills a corner of a database image can then be matched with that corner.

Source: R. Arandjelovic and A. Zisserman, "All about VLAD", CVPR 2013, section 5 (MultiVLAD: 14 regions per image,
a 3 x 3 tiling, the 2 x 2 blocks of its cells, and the whole).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_int, message
from course_utils.retrieval.vlad import VLAD, nearest_centers, normalize_vlad


class RegionVLAD:
    """The integral volume of one image.

    Parameters
    ----------
    vlad : VLAD
        Fitted; one assignment per descriptor.
    descriptors : array-like of shape (rows * cols, D)
        On the grid, row by row.
    grid : (rows, cols)
    valid : array-like of shape (rows * cols,), bool, optional
        False for descriptors to leave out.

    Examples
    --------
    >>> model = VLAD.from_centers([[0.0], [10.0]], normalization="none")
    >>> image = RegionVLAD(model, [[1.0], [2.0], [9.0], [12.0]], grid=(2, 2))
    >>> image.region(0, 1, 0, 2)  # the upper row: 1 and 2, both near the centre 0
    array([3., 0.], dtype=float32)

    Notes
    -----
    Memory: ``(rows + 1) * (cols + 1) * K * (D + 1)`` float64 values; running sums in float32 would lose the small regions.
    """

    def __init__(self, vlad: VLAD, descriptors: Any, grid: tuple[int, int], valid: Any = None) -> None:
        rows, cols = checked_int(grid[0], "grid[0]", low=1), checked_int(grid[1], "grid[1]", low=1)
        if vlad.n_assignments != 1:
            raise ValueError(message("vlad", "a VLAD with n_assignments=1", f"n_assignments={vlad.n_assignments}"))
        x = checked_array(descriptors, "descriptors", (rows * cols, vlad.n_features_in_), np.float64)
        assigned = nearest_centers(x, vlad.cluster_centers_.astype(np.float64))[:, 0]
        residuals = x - vlad.anchors_[assigned]
        if vlad.normalization == "residual":
            residuals /= np.maximum(np.linalg.norm(residuals, axis=1, keepdims=True), 1e-12)
        used = np.ones(rows * cols, bool) if valid is None else checked_array(valid, "valid", (rows * cols,), bool)
        n_clusters, dim = vlad.cluster_centers_.shape
        cells = np.zeros((rows * cols, n_clusters, dim + 1))  # the last entry counts the descriptors
        cells[np.arange(rows * cols), assigned, :dim] = residuals * used[:, None]
        cells[np.arange(rows * cols), assigned, dim] = used
        volume = np.zeros((rows + 1, cols + 1, n_clusters, dim + 1))
        volume[1:, 1:] = cells.reshape(rows, cols, n_clusters, dim + 1).cumsum(0).cumsum(1)
        self.vlad, self.grid, self.volume = vlad, (rows, cols), volume

    def residual_sums(self, top: int, bottom: int, left: int, right: int) -> np.ndarray:
        """Return the raw sums (K, D), float64, over rows ``top <= r < bottom`` and columns ``left <= c < right``.

        Raises
        ------
        ValueError
            If the rectangle leaves the grid or its ends are in the wrong order.
        """
        rows, cols = self.grid
        if not (0 <= top <= bottom <= rows and 0 <= left <= right <= cols):
            raise ValueError(message("region", f"inside the grid of {rows} x {cols}", str((top, bottom, left, right))))
        v = self.volume
        block = v[bottom, right] - v[top, right] - v[bottom, left] + v[top, left]  # (K, D + 1)
        sums, counts = block[:, :-1], block[:, -1:]
        return np.where(counts > 0.5, sums, 0)  # an empty word is exactly zero, not the rounding of the running sums

    def region(self, top: int, bottom: int, left: int, right: int) -> np.ndarray:
        """Return the normalised VLAD (K * D,), float32, of a rectangle of the grid."""
        sums = self.residual_sums(top, bottom, left, right)
        return normalize_vlad(sums[None], self.vlad.normalization, self.vlad.alpha)[0]

    def multi_vlad(self) -> np.ndarray:
        """Return the paper's 14 vectors (14, K * D): nine cells, four 2 x 2 blocks of cells, and the whole image."""
        return np.stack([self.region(*rectangle) for rectangle in multi_vlad_regions(self.grid)])


def multi_vlad_regions(grid: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Return the 14 rectangles (top, bottom, left, right) of MultiVLAD on a grid of at least 3 x 3.

    >>> multi_vlad_regions((3, 3))[-2:]
    [(1, 3, 1, 3), (0, 3, 0, 3)]
    """
    rows, cols = checked_int(grid[0], "grid[0]", low=3), checked_int(grid[1], "grid[1]", low=3)
    y, x = [i * rows // 3 for i in range(4)], [i * cols // 3 for i in range(4)]
    cells = [(y[i], y[i + size], x[j], x[j + size]) for size in (1, 2) for i in range(4 - size) for j in range(4 - size)]
    return [*cells, (0, rows, 0, cols)]
