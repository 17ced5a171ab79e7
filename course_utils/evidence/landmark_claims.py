"""Does geometry tell a landmark from a street? Experiments on the course's landmarks, for `04_landmark_recognition`.

Both search with a global vector (dense VLAD) and count geometric inliers for the five best images. Four queries of five
show no landmark, as most photographs in the test set of Google Landmarks v2. Every constant was chosen on validation
photographs of seed 1, which no run uses as queries. Inliers are whole numbers: the similarity decides between equal
counts.

``confidence``: recognition among the long-tailed training classes. Similarity and inliers may each give the label and the
confidence, so the experiment has four cells: what a better label is worth, and what a better confidence is worth.

``both_metrics``: an index of unknown landmarks among empty streets. The same inliers re-rank the list of every query
(mAP@100) and serve as the confidence (GAP). How far does each number move?
"""

from __future__ import annotations

import numpy as np
import torch

from course_utils import data, retrieval
from course_utils.data.landmarks import rendered_view

VIEWS = 120  # queries with a landmark: two of each training class, four of each index class
N_EMPTY = 480  # queries without one: four of five
DEPTH = 100  # of mAP@100


def empty_streets(seed: int, n: int = N_EMPTY) -> torch.Tensor:
    """Return photographs of streets without a landmark, uint8 ``(n, 3, 112, 112)``: the distractor split and further ones."""
    images = data.Landmarks("distractor", seed=seed).images[:n]
    more = [rendered_view("distractor", -1, number, seed).image for number in range(len(images), n)]
    return torch.cat([images, torch.stack(more)]) if more else images


def queries(split: str, seed: int, n_views: int = VIEWS, n_empty: int = N_EMPTY) -> tuple[torch.Tensor, np.ndarray]:
    """Return images ``(Q, 3, 112, 112)`` and labels ``(Q,)`` of queries with a landmark and without (-1), in random order."""
    views = data.Landmarks(split, seed=seed, n_images=n_views)
    labels = np.append(views.labels.numpy(), np.full(n_empty, -1))
    order = np.random.default_rng(seed).permutation(len(labels))  # equal scores keep the order of the queries: no favours
    return torch.cat([views.images, empty_streets(seed, n_empty)])[order], labels[order]


def gap(found: retrieval.Shortlist, truth: np.ndarray, label_by: str, confidence: str) -> float:
    """Return GAP of a shortlist's answers; ``truth`` (Q,) holds -1 for queries without a landmark."""
    labels, scores = found.answers(label_by, confidence)
    said = labels >= 0
    return retrieval.rank_answers(scores[said], labels[said] == truth[said], int((truth >= 0).sum())).gap


def confidence(seed: int, n_views: int = VIEWS, n_empty: int = N_EMPTY) -> dict[str, float]:
    """Return GAP for the four ways to take label and confidence from similarity and inliers."""
    gallery = data.Landmarks("train", seed=seed)
    images, truth = queries("test", seed, n_views, n_empty)
    recognizer = retrieval.LandmarkRecognizer().fit(gallery.images, gallery.labels, random_state=seed)
    found = recognizer.verify(images, recognizer.search(images), torch.Generator().manual_seed(seed))
    return {
        "similarity": gap(found, truth, "similarity", "similarity"),
        "inliers for the label": gap(found, truth, "combined", "similarity"),
        "inliers for the confidence": gap(found, truth, "similarity", "combined"),
        "inliers for both": gap(found, truth, "combined", "combined"),
    }


def both_metrics(seed: int, n_views: int = VIEWS, n_empty: int = N_EMPTY) -> dict[str, float]:
    """Return by how much inliers raise GAP, and by how much they raise mAP@100, on one index and one set of queries."""
    index = data.Landmarks("index", seed=seed)
    images, truth = queries("query", seed, n_views, n_empty)
    recognizer = retrieval.LandmarkRecognizer().fit(index.images, index.labels, random_state=seed)
    deep = recognizer.search(images, DEPTH)
    k = recognizer.n_candidates
    head = retrieval.Shortlist(deep.indices[:, :k], deep.similarities[:, :k], deep.labels[:, :k])
    found = recognizer.verify(images, head, torch.Generator().manual_seed(seed))
    relevant = {
        q: set(np.flatnonzero(index.labels.numpy() == label).tolist()) for q, label in enumerate(truth.tolist()) if label >= 0
    }
    lists = {"before": deep.indices, "after": np.hstack([found.reranked(), deep.indices[:, k:]])}
    quality = {
        when: retrieval.mean_average_precision_at_k({q: rows[q].tolist() for q in relevant}, relevant, DEPTH)
        for when, rows in lists.items()
    }
    before, after = (gap(found, truth, kind, kind) for kind in ("similarity", "combined"))
    return {
        "no change": 0.0,
        "gain in GAP": after - before,
        "gain in mAP@100": quality["after"] - quality["before"],
    }
