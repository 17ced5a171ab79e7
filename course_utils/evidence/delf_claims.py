"""Does attention that has seen only labels look at the landmark, and does it pay?

The claims: H. Noh et al., "Large-Scale Image Retrieval with Attentive Deep Local Features", ICCV 2017,
arXiv:1612.06321, sections 4 and 6. Attention trained from image labels finds the useful places; it matters more than
fine-tuning the descriptors; both together are best; geometric verification of local features improves the list of a
global descriptor.

Here: the generated landmarks, one world of monuments per seed, with masks of the visible landmark that no training sees.
Every choice (rates, epochs, scales, distances, the depth of the shortlist) was made on seed 1 with the splits
``validation``, ``validation_index`` and ``validation_query``; the figures come from ``test``, ``index`` and ``query``.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from course_utils import data, retrieval
from course_utils.checks import checked_int
from course_utils.retrieval import DELF, LandmarkBackbone, LocalFeatureSet, UniformAttention

DIM = 128
HIDDEN = 64
DESCRIPTOR_EPOCHS = 8
ATTENTION_EPOCHS = 8
GAMMAS = (0.7071, 1.0)  # photographs of 112 pixels lose too much below

PCA_IMAGES = 100
SHORTLIST = 50
RERANKING = {"max_distance": 0.7, "threshold": 6.0, "n_trials": 500, "n_rerank": SHORTLIST}
FEATURES_PER_IMAGE = 200


def attention_mass(seed: int) -> dict[str, float]:
    """Return the mean share of the map's sum that lies on the landmark, on held-out photographs.

    Parameters
    ----------
    seed : int
        World of monuments, weights, crops and the order of the images.

    Returns
    -------
    dict
        ``"attention"``, ``"feature norm"`` (the length of the features, which is large where something is to be seen) and
        ``"area"`` (a constant attention).
    """
    quality = _qualities(seed)
    return {
        "attention": float(np.nanmean(quality["attention"].mass)),
        "feature norm": float(np.nanmean(quality["feature norm"].mass)),
        "area": float(quality["attention"].area.mean()),
    }


def attention_order(seed: int) -> dict[str, float]:
    """Return the mean area under the ROC curve of "this cell lies on the landmark", for attention and feature norm."""
    return {name: float(np.nanmean(quality.auc)) for name, quality in _qualities(seed).items()}


def attention_pooling(seed: int) -> dict[str, float]:
    """Return the accuracy on held-out photographs with attention pooling and with average pooling.

    Both stand on the same frozen network, on the same cached kind of crops, and are trained for as many steps.
    """
    delf, test = trained_delf(seed), data.Landmarks("test", seed)
    average = with_average_pooling(delf, seed)
    return {"attention pooling": accuracy(delf, test), "average pooling": accuracy(average, test)}


def stages(seed: int) -> dict[str, float]:
    """Return the retrieval mAP of the global descriptor on classes never trained on, for every combination of the stages."""
    database, queries = data.Landmarks("index", seed), data.Landmarks("query", seed)
    figures = {}
    for fine_tuned in (True, False):
        delf = trained_delf(seed, fine_tuned)
        name = "fine-tuned" if fine_tuned else "not fine-tuned"
        figures[f"{name}, attention"] = global_map(delf, database, queries)
        figures[f"{name}, average"] = global_map(with_average_pooling(delf, seed, n_epochs=0), database, queries)
    return figures


def reranking(seed: int) -> dict[str, float]:
    """Return the retrieval mAP of the global descriptor alone and after re-ranking its shortlist by RANSAC inliers."""
    database, queries = data.Landmarks("index", seed), data.Landmarks("query", seed)
    delf = trained_delf(seed)
    delf.fit_pca(data.Landmarks("train", seed).images[:PCA_IMAGES])
    similarity = delf.describe(queries.images) @ delf.describe(database.images).T  # (Q, N)
    features = [delf.extract(side.images, max_features=FEATURES_PER_IMAGE) for side in (queries, database)]
    relevant = same_landmark(queries, database)
    after = reranked_scores(similarity, *features, seed=seed)
    return {
        "re-ranked by inliers": retrieval.mean_average_precision(after, relevant).mean,
        "global descriptor": retrieval.mean_average_precision(similarity, relevant).mean,
    }


# ------------------------------------------------------------------------------------------------------------- the parts


def trained_delf(seed: int, fine_tuned: bool = True, n_images: int | None = None) -> DELF:
    """Return a DELF trained on the landmarks of ``seed``, with the weights of its best validated epochs.

    Parameters
    ----------
    fine_tuned : bool, default True
        False leaves out the first stage: the attention stands on the untrained network.
    n_images : int, optional
        Train with the first so many photographs only.
    """
    return deepcopy(_trained(checked_int(seed, "seed", low=0), fine_tuned, n_images))


@lru_cache(maxsize=16)
def _trained(seed: int, fine_tuned: bool, n_images: int | None) -> DELF:
    """Train once a process: five claims ask about the same network of a seed."""
    train, validation = data.Landmarks("train", seed, n_images=n_images), data.Landmarks("validation", seed)
    generator = torch.Generator().manual_seed(seed)
    delf = DELF(LandmarkBackbone(DIM, generator=generator), train.n_classes, hidden=HIDDEN, generator=generator)
    epochs = DESCRIPTOR_EPOCHS if fine_tuned else 0
    retrieval.train_delf(delf, train, epochs, ATTENTION_EPOCHS, validation, gammas=GAMMAS, generator=generator)
    return delf


def with_average_pooling(delf: DELF, seed: int, n_epochs: int = ATTENTION_EPOCHS) -> DELF:
    """Return a network that shares ``delf``'s backbone and pools by the average, its classifier trained ``n_epochs``."""
    generator = torch.Generator().manual_seed(seed)
    average = DELF(delf.backbone, delf.n_classes, attention=UniformAttention(), generator=generator).eval()
    if n_epochs:
        train, validation = data.Landmarks("train", seed), data.Landmarks("validation", seed)
        retrieval.train_delf(average, train, 0, n_epochs, validation, gammas=GAMMAS, generator=generator)
    return average


def accuracy(delf: DELF, views: Any) -> float:
    """Return the share of photographs whose class has the largest logit."""
    return float((delf.predict(views.images) == views.labels.numpy()).mean())


def qualities(delf: DELF, views: Any) -> dict[str, retrieval.AttentionQuality]:
    """Return how attention and feature norm lie on the landmarks of ``views``."""
    norm = delf.in_parts(lambda part: delf.maps(part).norm(dim=1), views.images)
    maps = {"attention": delf.score_maps(views.images), "feature norm": norm}
    return {name: retrieval.attention_quality(scores, views.masks, delf.receptive_field) for name, scores in maps.items()}


def same_landmark(queries: Any, database: Any) -> np.ndarray:
    """Return (Q, N) bool: do both photographs show the same landmark?"""
    return (queries.labels[:, None] == database.labels[None, :]).numpy() & (queries.labels >= 0).numpy()[:, None]


def global_map(delf: DELF, database: Any, queries: Any) -> float:
    """Return the mAP of the network's global descriptor."""
    similarity = delf.describe(queries.images) @ delf.describe(database.images).T
    return retrieval.mean_average_precision(similarity, same_landmark(queries, database)).mean


def reranked_scores(
    similarity: np.ndarray, queries: Sequence[LocalFeatureSet], database: Sequence[LocalFeatureSet], seed: int = 0
) -> np.ndarray:
    """Return scores (Q, N) whose order is the list after re-ranking the shortlist of every query by inliers."""
    generator = torch.Generator().manual_seed(seed)
    scores = np.zeros_like(similarity)
    for row, query in enumerate(queries):
        order = np.argsort(-similarity[row], kind="stable")
        found = retrieval.rerank(query, database, order, similarity[row][order], generator=generator, **RERANKING)
        scores[row, found.order] = -np.arange(len(order))
    return scores


def _qualities(seed: int) -> dict[str, retrieval.AttentionQuality]:
    return qualities(trained_delf(seed), data.Landmarks("test", seed))
