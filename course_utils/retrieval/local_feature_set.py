"""The local features of one image: vectors with a place, a size and a score.

A global descriptor is one vector per image. A local method keeps a *set*: up to a thousand vectors, each with the point
it stands for, the box of pixels it was computed from, the scale of the image pyramid, and how useful the attention
finds it. Matching and geometric verification need all of it, and they need it from any method: DELF, SIFT, dense
patches. This is the common form.

Taught in ``03_delf``, step 4. Coordinates are continuous pixels: pixel (row i, column j) covers the square
``[j, j + 1) x [i, i + 1)``, so its centre is the point ``(j + 0.5, i + 0.5)``, and an image covers ``[0, W) x [0, H)``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from course_utils.checks import checked_array, checked_int, checked_unit_rows, message

_PER_FEATURE = ("points", "descriptors", "scores", "scales", "boxes")


@dataclass(frozen=True, eq=False)
class LocalFeatureSet:
    """N local features of one image.

    Taught in ``03_delf``, step 4.

    Attributes
    ----------
    points : ndarray of shape (N, 2), float32
        Key points ``(x, y)`` in continuous pixels of the original image. A point may lie outside the image, because
        the centre of a receptive field near the border may.
    descriptors : ndarray of shape (N, D), float32
        Rows of unit length.
    scores : ndarray of shape (N,), float32
        The attention: higher is more useful. Scores of two models cannot be compared.
    scales : ndarray of shape (N,), float32, above 0
        Factor by which the image was resized before the feature was computed: 0.5 sees twice as large a region as 1.
    boxes : ndarray of shape (N, 4), float32
        Receptive fields ``(x0, y0, x1, y1)`` in continuous pixels of the original image; they may reach beyond it.
    size : tuple of (H, W)
        Height and width of the original image in pixels.
    below_threshold : bool, default False
        True where no location passed the score threshold and the best ones were kept instead.

    Raises
    ------
    TypeError, ValueError
        If an array has another shape, is not finite, or disagrees with the others in N; if a descriptor is not of unit
        length, a scale is not positive, a box has no area, or ``size`` is not a pair of positive integers.

    Examples
    --------
    >>> features = LocalFeatureSet(
    ...     points=[[4.5, 8.5], [20.0, 12.0]],
    ...     descriptors=np.eye(2),
    ...     scores=[0.2, 0.9],
    ...     scales=[1.0, 0.5],
    ...     boxes=[[0, 4, 9, 13], [11, 3, 29, 21]],
    ...     size=(32, 48),
    ... )
    >>> len(features), features[features.scores > 0.5].points.tolist()
    (2, [[20.0, 12.0]])
    """

    points: np.ndarray
    descriptors: np.ndarray
    scores: np.ndarray
    scales: np.ndarray
    boxes: np.ndarray
    size: tuple[int, int]
    below_threshold: bool = False

    def __post_init__(self) -> None:
        shapes = {"points": ("N", 2), "descriptors": ("N", "D"), "scores": ("N",), "scales": ("N",), "boxes": ("N", 4)}
        for name, shape in shapes.items():
            self._keep(name, checked_array(getattr(self, name), name, shape))
        for name in _PER_FEATURE[1:]:
            if len(getattr(self, name)) != len(self.points):
                expected = f"one entry per point ({len(self.points)})"
                raise ValueError(message(name, expected, f"{len(getattr(self, name))} entries"))
        self._check_values()
        self._keep("size", _checked_size(self.size))
        self._keep("below_threshold", bool(self.below_threshold))

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # the class is frozen

    def _check_values(self) -> None:
        checked_unit_rows(self.descriptors, "descriptors")
        if (self.scales <= 0).any():
            raise ValueError(message("scales", "above 0", f"{self.scales.min():.4g}"))
        empty = np.flatnonzero((self.boxes[:, 2:] <= self.boxes[:, :2]).any(1))
        if len(empty):
            raise ValueError(message("boxes", "(x0, y0, x1, y1) with x0 < x1 and y0 < y1", f"{self.boxes[empty[0]].tolist()}"))

    def __len__(self) -> int:
        """Return the number of features."""
        return len(self.points)

    def __getitem__(self, chosen: Any) -> LocalFeatureSet:
        """Return the subset of a mask (N,), of indices (M,), in that order, or of a slice.

        Raises
        ------
        TypeError
            If ``chosen`` is a single integer: a subset is a set, write ``features[[i]]``.
        """
        index = chosen if isinstance(chosen, slice) else np.asarray(chosen)
        if not isinstance(index, slice) and index.ndim != 1:
            raise TypeError(
                message("chosen", "a mask, a list of indices or a slice", repr(chosen), "Use `features[[i]]` for one.")
            )
        if not isinstance(index, slice) and len(index) == 0:
            index = index.astype(np.int64)  # an empty list has dtype float
        return replace(self, **{name: getattr(self, name)[index] for name in _PER_FEATURE})

    def __repr__(self) -> str:
        height, width = self.size
        scales = ", ".join(f"{scale:.3g}" for scale in np.unique(self.scales))
        note = ", none above the threshold" if self.below_threshold else ""
        at = f" at scales {scales}" if len(self) else ""
        return f"LocalFeatureSet({len(self)} features of {self.descriptors.shape[1]} numbers{at}, image {height} x {width}{note})"

    def top(self, n: int) -> LocalFeatureSet:
        """Return the ``n`` features of the highest scores, best first; equal scores keep their order.

        Raises
        ------
        TypeError, ValueError
            If ``n`` is not an integer of at least 0.
        """
        return self[np.argsort(-self.scores, kind="stable")[: checked_int(n, "n", low=0)]]

    def within(self, box: Any) -> LocalFeatureSet:
        """Return the features whose points lie in ``box`` (x0, y0, x1, y1): lower ends included, upper ends not.

        Raises
        ------
        TypeError, ValueError
            If ``box`` is not four finite numbers.
        """
        x0, y0, x1, y1 = checked_array(box, "box", (4,))
        x, y = self.points.T
        return self[(x >= x0) & (x < x1) & (y >= y0) & (y < y1)]

    @staticmethod
    def empty(dimension: int, size: tuple[int, int]) -> LocalFeatureSet:
        """Return a set without features, for an image of ``size`` (H, W) and descriptors of ``dimension`` numbers."""
        d = checked_int(dimension, "dimension", low=1)
        none = np.zeros(0, np.float32)
        return LocalFeatureSet(np.zeros((0, 2)), np.zeros((0, d)), none, none, np.zeros((0, 4)), size)

    def equals(self, other: LocalFeatureSet) -> bool:
        """Return True if every field of ``other`` is the same, bit by bit."""
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


def _checked_size(size: Any) -> tuple[int, int]:
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise TypeError(message("size", "a pair (height, width) in pixels", repr(size)))
    return checked_int(size[0], "size[0]", low=1), checked_int(size[1], "size[1]", low=1)
