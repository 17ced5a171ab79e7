"""Does training with positions alone improve NetVLAD on streets it has never seen?

The claim: R. Arandjelovic et al., "NetVLAD", CVPR 2016, arXiv:1511.07247, Table 1 and Figure 5. Trained with weak
supervision, NetVLAD beats the same layer untrained ("off the shelf"), and it beats max pooling trained the same way.

Here: districts of one generated town, disjoint for training, model choice (validation) and test. Five ways to turn the
same feature maps into image vectors are compared by Recall@1 on the test district:

======================  =========================================================================
hard VLAD               nearest centre, residual sums, intra-normalisation; K centres by k-means
NetVLAD untrained       the same centres, soft assignment by the alpha rule
NetVLAD trained         the same, then trained by ``train_place_network``
max pooling untrained   largest value of every channel
max pooling trained     the same, trained by the same loop for as many steps
======================  =========================================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from course_utils import data, retrieval
from course_utils.checks import checked_int
from course_utils.training import OrientedBackbone

N_CLUSTERS = 32
DIM = 64
STEPS = 600
VALIDATE_EVERY = 100
METHODS = ("max pooling untrained", "max pooling trained", "hard VLAD", "NetVLAD untrained", "NetVLAD trained")


def weak_supervision(seed: int, steps: int = STEPS, n: int = 1, methods: tuple[str, ...] = METHODS) -> dict[str, float]:
    """Return Recall@``n`` on the test district by method, for one town and one start of the networks.

    Parameters
    ----------
    seed : int
        Town, weights, k-means and order of the queries.
    steps : int, default 600
        Batches of 16 queries for each of the trained networks.
    n : int, default 1
        Depth of the list in which a right image has to appear.
    methods : tuple of str
        Which of ``METHODS`` to run.

    Returns
    -------
    dict of method -> share of queries in [0, 1]
    """
    seed, n = checked_int(seed, "seed", low=0), checked_int(n, "n", low=1)
    sides = {split: data.StreetWorld(split, seed=seed) for split in data.SPLITS}
    test = sides["test_database"], sides["test_queries"]
    figures = {}
    for pooling in ("max pooling", "NetVLAD"):
        network = place_network(pooling, sides["train_database"].images, seed)
        if f"{pooling} untrained" in methods:
            figures[f"{pooling} untrained"] = place_recall(network.describe, *test, n=n)
        if pooling == "NetVLAD" and "hard VLAD" in methods:
            figures["hard VLAD"] = place_recall(hard_vlad_of(network), *test, n=n)
        if f"{pooling} trained" in methods:
            retrieval.train_place_network(
                network,
                sides["train_database"],
                sides["train_queries"],
                steps,
                (sides["validation_database"], sides["validation_queries"]),
                validate_every=min(VALIDATE_EVERY, steps),
                generator=torch.Generator().manual_seed(seed),
            )
            figures[f"{pooling} trained"] = place_recall(network.describe, *test, n=n)
    return {method: figures[method] for method in METHODS if method in methods}


def place_network(pooling: str, images: torch.Tensor, seed: int) -> retrieval.PlaceNetwork:
    """Return an untrained network with ``"NetVLAD"`` (clusters from ``images``) or ``"max pooling"`` on one backbone."""
    generator = torch.Generator().manual_seed(seed)
    backbone = OrientedBackbone(DIM, generator=generator)
    if pooling == "max pooling":
        return retrieval.PlaceNetwork(backbone, retrieval.MaxPooling())
    return retrieval.PlaceNetwork(backbone, retrieval.NetVLAD(DIM, N_CLUSTERS, generator=generator)).init_from(
        images, random_state=seed
    )


def hard_vlad_of(network: retrieval.PlaceNetwork) -> Any:
    """Return a function images -> (B, K*D) that aggregates the network's features around its centres with hard VLAD."""
    vlad = retrieval.VLAD.from_centers(network.netvlad.centers.detach().numpy(), normalization="intra")

    def describe(images: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            maps = torch.cat([network.features(part) for part in images.split(64)])
        return vlad.transform(list(F.normalize(maps, dim=1).flatten(2).transpose(1, 2).numpy()))

    return describe


def place_recall(describe: Any, database: Any, queries: Any, n: int = 1, radius: float = data.EVALUATION_RADIUS) -> float:
    """Return Recall@``n`` within ``radius`` metres for ``describe``: images -> unit vectors."""
    similarity = describe(queries.images) @ describe(database.images).T  # (Q, M)
    ranked = np.argsort(-similarity, axis=1, kind="stable")[:, :n]
    return retrieval.recall_at_n(
        ranked, retrieval.positives_within(queries.positions, database.positions, radius), n=(n,)
    ).recall[n]
