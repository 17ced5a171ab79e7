"""Benchmarks of chapter 05: mean average precision of many queries against a loop and against torchmetrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from harness import benchmark
from sklearn.metrics import average_precision_score

from course_utils import retrieval

N_QUERIES, N_ITEMS = 1000, 10_000


def exact(a: object, b: object) -> bool:
    """Equal to twelve digits, query by query."""
    return bool(np.abs(np.asarray(a) - np.asarray(b)).max() < 1e-12)


def similarities(relevant_share: float, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return cosine-like scores (Q, N) float32 above 0, relevant (Q, N) and junk (Q, N); 2 % of the others are junk."""
    rng = np.random.default_rng(0)
    relevant = rng.random((N_QUERIES, N_ITEMS)) < relevant_share
    relevant[:, 0] = True
    junk = (rng.random((N_QUERIES, N_ITEMS)) < 0.02) & ~relevant
    scores = (1 / (1 + np.exp(-rng.standard_normal((N_QUERIES, N_ITEMS)) - relevant))).astype(np.float32)
    return (np.round(scores, 3) if ties else scores), relevant, junk


def loop_over_scikit_learn(scores: np.ndarray, relevant: np.ndarray, junk: np.ndarray) -> np.ndarray:
    """What a user writes: one query after the other, junk filtered out first."""
    return np.array([average_precision_score(r[~j], s[~j]) for s, r, j in zip(scores, relevant, junk)])


def against_scikit_learn(relevant_share: float, ties: bool = False) -> tuple[Callable, Callable]:
    """Return both ways of computing all average precisions."""
    lists = similarities(relevant_share, ties)
    return lambda: retrieval.mean_average_precision(*lists).per_query, lambda: loop_over_scikit_learn(*lists)


@benchmark("mAP, 1,000 queries x 10,000 items, junk, 1 % relevant", "one sort per block", "loop over scikit-learn", agree=exact)
def sparse() -> tuple[Callable, Callable]:
    return against_scikit_learn(0.01)


@benchmark("mAP, the same with ties (3 decimals)", "one sort per block", "loop over scikit-learn", agree=exact)
def tied() -> tuple[Callable, Callable]:
    return against_scikit_learn(0.01, ties=True)


@benchmark("mAP, the same with 20 % relevant", "one sort per block", "loop over scikit-learn", agree=exact)
def dense() -> tuple[Callable, Callable]:
    return against_scikit_learn(0.2)


@benchmark("mAP, 1,000 queries x 10,000 items, junk, scores above 0", "one sort per block", "torchmetrics RetrievalMAP")
def against_torchmetrics() -> tuple[Callable, Callable]:
    from torchmetrics.retrieval import RetrievalMAP

    scores, relevant, junk = similarities(0.01)  # torchmetrics takes items with scores of 0 or less for not relevant
    preds, target = torch.from_numpy(scores), torch.from_numpy(relevant)
    kept = torch.from_numpy(~junk)
    indexes = torch.arange(N_QUERIES)[:, None].expand(N_QUERIES, N_ITEMS)

    def theirs() -> float:
        metric = RetrievalMAP(empty_target_action="skip")
        metric.update(preds[kept], target[kept], indexes[kept])
        return float(metric.compute())

    return lambda: retrieval.mean_average_precision(scores, relevant, junk).mean, theirs
