"""Benchmarks of chapter 03: geometric verification of a shortlist, and matching."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from harness import benchmark

from course_utils import retrieval

N_PAIRS, SIZE = 100, 112


def landmark_pairs(n_matches: int, share: float = 0.4, noise: float = 1.0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return matched points of view pairs of one landmark: true ones move with the known homographies, the others at random."""
    from course_utils.data import Landmarks

    views = Landmarks("query", size=SIZE)
    rng = np.random.default_rng(0)
    labels = views.labels.numpy()
    seen = [np.flatnonzero(labels == label) for label in np.unique(labels[labels >= 0])]
    seen = [rows for rows in seen if len(rows) > 1]
    points_a, points_b = [], []
    for i in range(N_PAIRS):
        first, second = rng.choice(seen[i % len(seen)], 2, replace=False)
        a_to_b = views.homographies[second].numpy() @ np.linalg.inv(views.homographies[first].numpy())
        rows, columns = np.nonzero(views.masks[first].numpy())
        chosen = rng.integers(len(rows), size=n_matches)
        a = np.column_stack([columns, rows])[chosen] + 0.5
        homogeneous = np.column_stack([a, np.ones(n_matches)]) @ a_to_b.T
        b = homogeneous[:, :2] / homogeneous[:, 2:] + rng.normal(0, noise, (n_matches, 2))
        wrong = rng.random(n_matches) > share
        b[wrong] = rng.uniform(0, SIZE, (wrong.sum(), 2))
        points_a.append(a)
        points_b.append(b)
    return points_a, points_b


def as_many_inliers(ours: object, theirs: object) -> bool:
    """The mean number of inliers a pair is not below the other's, and no single pair loses more than one in ten."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    return bool(ours.mean() >= theirs.mean() and (ours >= 0.9 * theirs - 1).all())


def against_skimage(n_matches: int) -> tuple[Callable, Callable]:
    """Return both ways to count the inliers of 100 pairs: 1000 samples each, 3 pixels."""
    from skimage.measure import ransac
    from skimage.transform import AffineTransform

    points_a, points_b = landmark_pairs(n_matches)

    def ours() -> list[int]:
        generator = torch.Generator().manual_seed(0)
        return [one.n_inliers for one in retrieval.verify_geometry(points_a, points_b, 3.0, 1000, generator)]

    def theirs() -> list[int]:
        options = {"min_samples": 3, "residual_threshold": 3.0, "max_trials": 1000, "rng": 0}
        return [int(ransac((a, b), AffineTransform, **options)[1].sum()) for a, b in zip(points_a, points_b)]

    return ours, theirs


@benchmark(
    "Affine RANSAC, 100 landmark pairs of 60 matches, 1,000 samples",
    ours="all samples of all pairs at once",
    theirs="loop over skimage.measure.ransac",
    agree=as_many_inliers,
)
def sixty_matches() -> tuple[Callable, Callable]:
    return against_skimage(60)


@benchmark(
    "Affine RANSAC, 100 landmark pairs of 200 matches, 1,000 samples",
    ours="all samples of all pairs at once",
    theirs="loop over skimage.measure.ransac",
    agree=as_many_inliers,
)
def two_hundred_matches() -> tuple[Callable, Callable]:
    return against_skimage(200)


@benchmark("Matching 1,000 x 1,000 descriptors of 40", ours="one matrix product", theirs="KD-tree of scipy")
def matching() -> tuple[Callable, Callable]:
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    b = rng.normal(size=(1000, 40)).astype(np.float32)
    a = b + 0.6 * rng.normal(size=b.shape).astype(np.float32)
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))

    def tree() -> np.ndarray:
        distances, nearest = cKDTree(b).query(a, distance_upper_bound=0.8)
        return np.column_stack([np.flatnonzero(np.isfinite(distances)), nearest[np.isfinite(distances)]])

    return lambda: retrieval.match_descriptors(a, b, 0.8, one_to_one=False).indices, tree
