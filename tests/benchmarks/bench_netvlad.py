"""Benchmarks of chapter 02: the NetVLAD layer and the miner."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from harness import benchmark
from sklearn.neighbors import NearestNeighbors

from course_utils import retrieval


def looped_netvlad(layer: retrieval.NetVLAD, features: torch.Tensor) -> torch.Tensor:
    """The layer as published re-implementations write it: one (B, N, D) residual tensor per cluster."""
    features = F.normalize(features, dim=2)
    weights = F.softmax(features @ layer.assignment_weight.T, dim=2)  # (B, N, K)
    blocks = torch.zeros(features.shape[0], layer.n_clusters, layer.dim)
    for k in range(layer.n_clusters):
        residual = features - layer.centers[k]  # (B, N, D)
        blocks[:, k] = (residual * weights[:, :, k : k + 1]).sum(1)
    return F.normalize(F.normalize(blocks, dim=2).flatten(1), dim=1)


def forward_and_backward(batch: int, locations: int, dim: int, n_clusters: int) -> tuple[Callable, Callable]:
    """Return both ways; each gives the loss and the gradients of all parameters in one vector."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, locations, dim, generator=generator)
    target = torch.randn(batch, n_clusters * dim, generator=generator)
    layer = retrieval.NetVLAD(dim, n_clusters, generator=generator).set_alpha(20.0)

    def run(call: Callable) -> torch.Tensor:
        layer.zero_grad()
        loss = (call(features) * target).sum()
        loss.backward()
        return torch.cat([loss.detach()[None], *(p.grad.flatten() for p in layer.parameters())])

    return lambda: run(layer), lambda: run(lambda x: looped_netvlad(layer, x))


@benchmark(
    "NetVLAD, forward and backward (B = 12, N = 1200, D = 512, K = 64)", ours="two matrix products", theirs="loop over clusters"
)
def netvlad_of_the_paper() -> tuple[Callable, Callable]:
    """The size of a training step of the paper's network."""
    return forward_and_backward(12, 1200, 512, 64)


@benchmark(
    "NetVLAD, forward and backward (B = 48, N = 192, D = 64, K = 32)", ours="two matrix products", theirs="loop over clusters"
)
def netvlad_of_the_course() -> tuple[Callable, Callable]:
    """The size of a training step of chapter 02."""
    return forward_and_backward(48, 192, 64, 32)


@benchmark("Mining 200 queries in 5,000 images of 256", ours="one product per refresh", theirs="nearest neighbours per query")
def mining_of_200_queries() -> tuple[Callable, Callable]:
    """``TupleMiner`` against a scikit-learn index per query, as the re-implementations build it. Equal hardest distances."""
    random = np.random.default_rng(0)
    positions = random.uniform(0, 2000, (5200, 2))
    vectors = random.normal(size=(5200, 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    positions[:200] = positions[200:400] + 2.0  # every query has a potential positive
    queries, images = vectors[:200], vectors[200:]
    miner = retrieval.TupleMiner(positions[:200], positions[200:], n_pool=5000, margin=4.0, random_state=0)

    def ours() -> np.ndarray:
        miner.refresh(queries, images)
        return np.stack([miner.mine(query).negative_distances for query in range(200)])

    def theirs() -> np.ndarray:
        rows = []
        for query in range(200):
            pool = images[miner.negatives(query)]
            distance, _ = NearestNeighbors(n_neighbors=10).fit(pool).kneighbors(queries[query : query + 1])
            rows.append(distance[0] ** 2)
        return np.stack(rows)

    return ours, theirs
