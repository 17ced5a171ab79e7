"""A place-recognition network: small backbone, NetVLAD on top, trained with positions only.

**Problem.** The layer, the loss and the miner are three parts; a place network is the loop that makes them work on a
street. **Idea.** Describe all images with the present network, mine one hard negative per query, train on twelve
queries at a time, and describe everything again after some steps, because old descriptors lie about a new network.

Source: R. Arandjelovic et al., "NetVLAD", CVPR 2016, arXiv:1511.07247, section 4 and appendix A. What the official
code does and this loop does too: the hinge is computed with fresh features, so a cached violator that is none any
more adds nothing; the sum is divided by the number of active triplets; a batch without any is skipped; the weights
with the best validation Recall@5 are kept. What differs, to fit a laptop: the backbone of ``training.backbones``
instead of VGG-16; Adam 5e-4 instead of SGD; 16 queries a step instead of 4, with one mined negative each instead of
up to 10; the cache refreshed every 40 steps. As in the paper the lower layers are frozen, so their maps are computed
once. And the database images of the other queries in a step serve as negatives too, wherever the positions say that
they are definite ones: with the single hardest negative alone this small network collapsed (all images at one point,
loss equal to the margin), with the shared ones it did not.

Taught in ``02_netvlad``, steps 6 and 7.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks import checked_int, checked_tensor, message, numpy_generator
from course_utils.retrieval.attribution import SimilarityAttribution, attribute_similarity
from course_utils.retrieval.mining import TupleMiner
from course_utils.retrieval.netvlad import NetVLAD
from course_utils.retrieval.ranking_loss import WeaklySupervisedRankingLoss
from course_utils.retrieval.recall import positives_within, recall_at_n
from course_utils.training import FitResult, fit, in_parts, standardize

REDUCTION = 2  # 96 x 128 views are halved to 48 x 64
DESCRIPTORS_PER_IMAGE = 100  # official code: for the codebook
CODEBOOK_IMAGES = 300
QUERIES_PER_STEP = 16
NEGATIVES_PER_QUERY = 1
REFRESH_EVERY = 40  # steps
LEARNING_RATE = 5e-4
VALIDATION_DEPTH = 5  # official code: the model with the best Recall@5


class MaxPooling(nn.Module):
    """The baseline without clusters: the largest value of every channel, at unit length (paper, f_max).

    Examples
    --------
    >>> MaxPooling()(torch.tensor([[[[1.0, 3.0]], [[4.0, 2.0]]]]))
    tensor([[0.6000, 0.8000]])
    """

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, D, H, W) to vectors (B, D)."""
        return F.normalize(features.amax((2, 3)), dim=1)


class PlaceNetwork(nn.Module):
    """Images in, one unit vector per image out.

    Parameters
    ----------
    backbone : nn.Module
        Maps standardised images (B, 3, h, w) to features (B, D, h', w'). If it has ``stem`` and ``head`` (as
        ``OrientedBackbone``), training can freeze the stem.
    netvlad : nn.Module
        ``NetVLAD``, or another pooling such as ``MaxPooling``: (B, D, h', w') to (B, V).
    reduction : int, default 2
        Images are averaged over ``reduction x reduction`` pixels first.
    whitening : object with ``transform``, optional
        For example a fitted ``PCAWhitening``: applied by ``describe``, (B, V) to (B, V').

    Examples
    --------
    >>> from course_utils.training import OrientedBackbone
    >>> network = PlaceNetwork(OrientedBackbone(dim=8), NetVLAD(dim=8, n_clusters=4))
    >>> network.describe(torch.zeros(2, 3, 96, 128, dtype=torch.uint8)).shape
    (2, 32)
    """

    def __init__(self, backbone: nn.Module, netvlad: nn.Module, reduction: int = REDUCTION, whitening: Any = None):
        super().__init__()
        self.backbone, self.netvlad = backbone, netvlad
        self.reduction = checked_int(reduction, "reduction", low=1)
        self.whitening = whitening

    def forward(self, images: Tensor) -> Tensor:
        """Return vectors (B, V) with a graph, for images (B, 3, H, W), uint8 or floating."""
        return self.netvlad(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Return the feature maps (B, D, h', w') that are aggregated."""
        return self.backbone(standardize(images, self.reduction))

    def stem(self, images: Tensor) -> Tensor:
        """Return the maps of the backbone's stem (B, C, h', w')."""
        return self.backbone.stem(standardize(images, self.reduction))

    def from_stem(self, maps: Tensor) -> Tensor:
        """Return vectors (B, V) from the stem's maps; ``from_stem(stem(images))`` is ``forward(images)``."""
        return self.netvlad(self.backbone.head(maps))

    @torch.no_grad()
    def describe(self, images: Tensor, batch_size: int = 64) -> np.ndarray:
        """Return unit vectors (B, V), float32 numpy, for images (B, 3, H, W) uint8; in evaluation mode, without graph.

        Raises
        ------
        TypeError, ValueError
            If ``images`` is not a tensor of shape (B, 3, H, W).
        """
        checked_tensor(images, "images", ("B", 3, "H", "W"), floating=False)
        vectors = in_parts(self, self, images, batch_size).numpy()
        return vectors if self.whitening is None else np.asarray(self.whitening.transform(vectors), np.float32)

    @torch.no_grad()
    def sample_descriptors(self, images: Tensor, per_image: int = DESCRIPTORS_PER_IMAGE, random_state: Any = None) -> np.ndarray:
        """Return ``per_image`` random local features of every image, (B * per_image, D) float32."""
        random = numpy_generator(random_state)
        maps = in_parts(self, self.features, images).flatten(2).transpose(1, 2).numpy()  # (B, N, D)
        kept = min(checked_int(per_image, "per_image", low=1), maps.shape[1])
        return np.concatenate([one[random.choice(len(one), kept, replace=False)] for one in maps])

    def init_from(self, images: Tensor, random_state: Any = None) -> PlaceNetwork:
        """Set NetVLAD's clusters by k-means on up to 300 of the images; return the network.

        Raises
        ------
        TypeError
            If the pooling has no clusters.
        """
        if not hasattr(self.netvlad, "init_from"):
            raise TypeError(message("netvlad", "a NetVLAD layer", type(self.netvlad).__name__))
        random = numpy_generator(random_state)
        chosen = random.permutation(len(images))[:CODEBOOK_IMAGES]
        descriptors = self.sample_descriptors(images[torch.from_numpy(chosen)], random_state=random)
        self.netvlad.init_from(descriptors, random_state=random)
        return self

    @torch.no_grad()
    def explain(self, query_image: Tensor, database_image: Tensor) -> SimilarityAttribution:
        """Split the similarity of two images (3, H, W) exactly over clusters and locations.

        The locations lie on the feature map's grid, row by row. The whitening, if any, is left out: it mixes clusters.

        Raises
        ------
        TypeError
            If the pooling has no clusters.
        """
        layer = self.netvlad
        if not isinstance(layer, NetVLAD):
            raise TypeError(message("netvlad", "a NetVLAD layer to be explained", type(layer).__name__))
        maps = [in_parts(self, self.features, image[None]) for image in (query_image, database_image)]
        query, database = (_as_aggregated(one, layer.normalize_input) for one in maps)
        weight = layer.assignment_weight.double().cpu().numpy()
        bias = 0.0 if layer.assignment_bias is None else layer.assignment_bias.double().cpu().numpy()

        def assign(descriptors: np.ndarray) -> np.ndarray:
            logits = descriptors @ weight.T + bias
            soft = np.exp(logits - logits.max(1, keepdims=True))
            return soft / soft.sum(1, keepdims=True) * (np.abs(descriptors).sum(1, keepdims=True) > 0)

        centers = layer.centers.double().cpu().numpy()
        grids = [tuple(one.shape[2:]) for one in maps]
        return attribute_similarity(query, database, centers, assign, query_grid=grids[0], database_grid=grids[1])


@dataclass(frozen=True)
class PlaceTraining:
    """What ``train_place_network`` returns.

    Attributes
    ----------
    fit : FitResult
        Losses per step, validation scores (step, Recall@5), the best of them.
    n_queries, n_unmatched : int
        Queries trained with, and queries without a potential positive, which cannot be.
    active_triplets : list of int
        Per executed step: how many of the mined triplets still violated the margin with fresh features.
    """

    fit: FitResult
    n_queries: int
    n_unmatched: int
    active_triplets: list[int]


def train_place_network(
    network: PlaceNetwork,
    database: Any,
    queries: Any,
    n_steps: int,
    validation: tuple[Any, Any] | None = None,
    *,
    positive_radius: float | None = None,
    negative_radius: float | None = None,
    validation_radius: float | None = None,
    margin: float = 0.1,
    learning_rate: float = LEARNING_RATE,
    queries_per_step: int = QUERIES_PER_STEP,
    negatives_per_query: int = NEGATIVES_PER_QUERY,
    n_pool: int = 1000,
    share_negatives: bool = True,
    frozen_stem: bool = True,
    refresh_every: int = REFRESH_EVERY,
    validate_every: int | None = None,
    patience: int | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    mixed_precision: str | None = None,
    checkpoint: str | Path | None = None,
) -> PlaceTraining:
    """Train with the weakly supervised ranking loss; the network ends with its best validated weights.

    Parameters
    ----------
    network : PlaceNetwork
        Trained in place. Initialise its clusters first (``init_from``).
    database, queries : objects with ``images`` (N, 3, H, W) uint8 and ``positions`` (N, 2) metres
        Of the training district. Only positions are used, no headings: that is the weak supervision.
    n_steps : int
        Number of batches.
    validation : (database, queries), optional
        Of ANOTHER district, never the one that is tested on. The weights with the best Recall@5 are kept.
    positive_radius, negative_radius, validation_radius : float, optional
        Metres; default: the street world's (``data.POSITIVE_RADIUS`` ...).
    margin, learning_rate, queries_per_step, negatives_per_query, n_pool, refresh_every
        See the module's constants, ``TupleMiner`` and the loss.
    share_negatives : bool, default True
        Let the other tuples' database images of a step serve as negatives, where they are definite ones.
    frozen_stem : bool, default True
        Train only the backbone's ``head`` and the pooling, where the backbone has a stem.
    validate_every : int, optional
        Steps between validations; default: ``refresh_every``.
    patience : int, optional
        Stop after this many validations without improvement.
    generator : torch.Generator, optional
        Draws the order of the queries and the pools.
    device, mixed_precision, checkpoint
        As in ``training.fit``; with ``checkpoint`` an interrupted training resumes exactly.

    Returns
    -------
    PlaceTraining

    Raises
    ------
    ValueError
        If no query has a potential positive, or an argument is out of range.
    """
    from course_utils import data

    positive_radius = data.POSITIVE_RADIUS if positive_radius is None else positive_radius
    negative_radius = data.NEGATIVE_RADIUS if negative_radius is None else negative_radius
    validation_radius = data.EVALUATION_RADIUS if validation_radius is None else validation_radius
    seed = int(torch.randint(2**62, (1,), generator=generator))
    encoder = _Encoder(network, frozen_stem and hasattr(network.backbone, "stem"))
    miner = TupleMiner(
        queries.positions,
        database.positions,
        positive_radius,
        negative_radius,
        n_negatives=negatives_per_query,
        n_pool=n_pool,
        margin=margin,
        random_state=seed,
    )
    source = _TupleBatches(
        encoder,
        encoder.inputs(database.images),
        encoder.inputs(queries.images),
        miner,
        checked_int(queries_per_step, "queries_per_step", low=1),
        checked_int(refresh_every, "refresh_every", low=1),
        share_negatives,
        np.random.default_rng(seed + 1),
    )
    held_out = None if validation is None else tuple(encoder.inputs(side.images) for side in validation)
    loss = WeaklySupervisedRankingLoss(margin)

    def step(model: PlaceNetwork, batch: dict[str, Any]) -> dict[str, Any] | None:
        if not batch["tuples"]:
            return None
        vectors = encoder(batch["inputs"])
        value, n_active = loss.of_batch((vectors[q], vectors[p][None], vectors[n]) for q, p, n in batch["tuples"])
        return {"loss": value, "active": n_active} if n_active else None

    def score(model: PlaceNetwork) -> float:
        similarity = encoder.describe(held_out[1]) @ encoder.describe(held_out[0]).T  # (Q, M)
        ranked = np.argsort(-similarity, axis=1, kind="stable")[:, :VALIDATION_DEPTH]
        positives = positives_within(validation[1].positions, validation[0].positions, validation_radius)
        return recall_at_n(ranked, positives, n=(VALIDATION_DEPTH,)).recall[VALIDATION_DEPTH]

    result = fit(
        network,
        source,
        step,
        torch.optim.Adam(encoder.trained(), lr=learning_rate),
        n_steps=n_steps,
        generator=generator,
        validate=None if validation is None else score,
        validate_every=refresh_every if validate_every is None else validate_every,
        patience=patience,
        device=device,
        mixed_precision=mixed_precision,
        checkpoint=checkpoint,
        description="weak supervision",
    )
    active = [int(n) for n in result.logs.get("active", [])]
    return PlaceTraining(result, len(source.miner.queries), len(source.miner.unmatched), active)


class _Encoder:
    """The part of the network that is trained: all of it, or what stands on the frozen stem.

    With a frozen stem the inputs are its maps, computed once: about 37 kB an image of 96 x 128 pixels.
    """

    def __init__(self, network: PlaceNetwork, frozen_stem: bool):
        self.network, self.frozen_stem = network, frozen_stem

    def __call__(self, inputs: Tensor) -> Tensor:
        return self.network.from_stem(inputs) if self.frozen_stem else self.network(inputs)

    def inputs(self, images: Tensor) -> Tensor:
        return in_parts(self.network, self.network.stem, images) if self.frozen_stem else images

    def describe(self, inputs: Tensor) -> np.ndarray:
        return in_parts(self.network, self, inputs).numpy()

    def trained(self) -> list[nn.Parameter]:
        if not self.frozen_stem:
            return list(self.network.parameters())
        return [*self.network.backbone.project.parameters(), *self.network.netvlad.parameters()]


class _TupleBatches:
    """Endless batches of mined tuples; refreshes the miner's cache every ``refresh_every`` batches.

    A batch is ``{"inputs": (n, ...), "tuples": [(query row, positive row, negative rows), ...]}``: one pass through
    the network serves all. Queries without a violating negative are left out. With ``share_negatives`` the database
    images of the other tuples serve as negatives as well, where they are definite ones.
    """

    def __init__(self, encoder, database, queries, miner, queries_per_step, refresh_every, share_negatives, random):
        self.encoder, self.miner, self.random = encoder, miner, random
        self.database, self.queries = database, queries
        self.queries_per_step, self.refresh_every = queries_per_step, refresh_every
        self.share_negatives = bool(share_negatives)
        self.order = np.empty(0, np.int64)  # queries still to come in this pass
        self.n_batches = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            if self.n_batches % self.refresh_every == 0:
                self.miner.refresh(self.encoder.describe(self.queries), self.encoder.describe(self.database))
            self.n_batches += 1
            yield self._batch()

    def _batch(self) -> dict[str, Any]:
        mined, tried = [], 0
        while len(mined) < self.queries_per_step and tried < 2 * self.queries_per_step:
            if len(self.order) == 0:
                self.order = self.random.permutation(self.miner.queries)
            found = self.miner.mine(int(self.order[0]))
            self.order, tried = self.order[1:], tried + 1
            if len(found.negatives):
                mined.append(found)
        if not mined:
            return {"inputs": None, "tuples": []}
        database = np.concatenate([[one.positive, *one.negatives] for one in mined])  # one tuple after the other
        owner = np.concatenate([np.full(1 + len(one.negatives), i) for i, one in enumerate(mined)])
        inputs = torch.cat([self.queries[[one.query for one in mined]], self.database[torch.from_numpy(database)]])
        tuples = []
        for i, one in enumerate(mined):
            rows = np.flatnonzero(owner == i)
            negatives = rows[1:]
            if self.share_negatives:
                negatives = np.union1d(negatives, np.flatnonzero(np.isin(database, self.miner.negatives(one.query))))
            tuples.append((i, len(mined) + rows[0], torch.from_numpy(len(mined) + negatives)))
        return {"inputs": inputs, "tuples": tuples}

    def state_dict(self) -> dict[str, Any]:
        return {
            "order": torch.from_numpy(self.order),
            "n_batches": self.n_batches,
            "random": self.random.bit_generator.state,
            "miner": self.miner.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order, self.n_batches = state["order"].numpy(), state["n_batches"]
        self.random.bit_generator.state = state["random"]
        self.miner.load_state_dict(state["miner"])


def _as_aggregated(maps: Tensor, normalize: bool) -> np.ndarray:
    """Return (N, D) float64 rows of a (1, D, h, w) map, as the layer aggregates them."""
    rows = maps[0].flatten(1).T.double()
    return (F.normalize(rows, dim=1) if normalize else rows).cpu().numpy()
