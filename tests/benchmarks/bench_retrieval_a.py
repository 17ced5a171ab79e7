"""Benchmarks of chapter 01: VLAD, recall, search."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from harness import benchmark

from course_utils import retrieval


def unit(x: np.ndarray) -> np.ndarray:
    """Divide every row by its length."""
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@benchmark("VLAD of 200 images (609 descriptors of 128, K = 32)", ours="all images in one product", theirs="loop over images")
def vlad_of_200_images() -> tuple[Callable, Callable]:
    """One matrix product for all descriptors against the usual code: per image, distances and a loop over words."""
    rng = np.random.default_rng(0)
    centers = unit(rng.random((32, 128), np.float32))
    near = [centers[rng.integers(32, size=609)] for _ in range(200)]  # clear assignments: rounding must not choose the word
    images = [unit(x + 0.02 * rng.standard_normal(x.shape, np.float32)) for x in near]
    model = retrieval.VLAD.from_centers(centers)

    def one_image(x: np.ndarray) -> np.ndarray:
        assigned = ((x**2).sum(1)[:, None] - 2 * x @ centers.T + (centers**2).sum(1)).argmin(1)
        v = np.zeros_like(centers)
        for k in range(len(centers)):
            if (assigned == k).any():
                v[k] = (x[assigned == k] - centers[k]).sum(0)
                v[k] /= max(np.linalg.norm(v[k]), 1e-12)
        return (v / max(np.linalg.norm(v), 1e-12)).ravel()

    return lambda: model.transform(images), lambda: np.stack([one_image(x) for x in images])


@benchmark("Recall@1/5/10/20 of 5,000 queries", ours="one lookup", theirs="loop over queries")
def recall_of_5000_queries() -> tuple[Callable, Callable]:
    """``recall_at_n`` against the loop of the published evaluation scripts (``np.isin`` per query and N)."""
    rng = np.random.default_rng(0)
    ranked = np.argsort(rng.random((5000, 1000)), axis=1)[:, :20]
    positives = [rng.choice(1000, rng.integers(0, 40), replace=False) for _ in range(5000)]
    n = (1, 5, 10, 20)

    def looped() -> np.ndarray:
        correct = np.zeros(len(n))
        for row, wanted in zip(ranked, positives):
            for i, depth in enumerate(n):
                if np.any(np.isin(row[:depth], wanted)):
                    correct[i:] += 1
                    break
        return correct / len(ranked)

    return lambda: np.array(list(retrieval.recall_at_n(ranked, positives, n).recall.values())), looped


@benchmark(
    "Search, 20,000 vectors of 128, 200 queries", ours="IVF-PQ, 16 bytes a vector", theirs="flat, exact (512 bytes)", agree=None
)
def ivfpq_against_flat() -> tuple[Callable, Callable]:
    """The compressed index against the exact one; the results differ, the chapter shows by how much."""
    rng = np.random.default_rng(0)
    centers = unit(rng.normal(size=(500, 128)))
    database = unit(centers[rng.integers(500, size=20_000)] + 0.6 * unit(rng.normal(size=(20_000, 128))))
    queries = unit(database[:200] + 0.2 * unit(rng.normal(size=(200, 128))))
    flat = retrieval.Index("flat").add(database)
    compressed = retrieval.Index("ivfpq", n_lists=100, n_probe=8, code_bytes=16, random_state=0).add(database)
    return lambda: compressed.search(queries, 10).indices, lambda: flat.search(queries, 10).indices
