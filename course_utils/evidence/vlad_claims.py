"""Two claims of the VLAD papers, in small: the order of the normalisations, and what whitening needs.

Both run on a generated town. The codebook (and the whitening) is learned in one district, the search happens in
another that shares no place with it: a codebook from the test district would have seen the answers. Facades repeat
their windows and bricks, so the images are bursty, as real streets are.

Sources: H. Jegou et al., CVPR 2010 (VLAD) and TPAMI 2012 (power law); R. Arandjelovic and A. Zisserman, "All about
VLAD", CVPR 2013 (intra-normalisation); J. Delhumeau et al., ACM Multimedia 2013 (residual normalisation); H. Jegou and
O. Chum, ECCV 2012 (whitening).

Taught in `01_vlad`, sections *claim* and *step 6*.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from course_utils import data, retrieval
from course_utils.checks import checked_choice

CELL = STRIDE = 6  # patches of 24 of 128 pixels, 234 an image; finer grids gain a little and cost much
N_CLUSTERS = 64
CODEBOOK_EVERY = 4  # every fourth training image, so that all streets are seen
SMALL_CODEBOOK = 4  # 512 numbers: the 816 training images are 1.6 vectors per dimension


@dataclass(frozen=True)
class StreetDescriptors:
    """Local descriptors of one search problem.

    Attributes
    ----------
    train, database, queries : list of (N_i, 128) arrays
        One per image; ``train`` comes from another district.
    positives : list of index arrays
        The right database images of each query, by noisy GPS within ``data.EVALUATION_RADIUS``.
    """

    train: list[np.ndarray]
    database: list[np.ndarray]
    queries: list[np.ndarray]
    positives: list[np.ndarray]


def street_descriptors(seed: int, place: str = "test") -> StreetDescriptors:
    """Render (or read) the districts of town ``seed`` and describe them by dense RootSIFT.

    Parameters
    ----------
    seed : int
        Which town.
    place : {"test", "validation"}
        The district to search in; the codebook's is always ``"train"``.
    """
    checked_choice(place, "place", ("test", "validation"))
    train, database, queries = (
        data.StreetWorld(split, seed) for split in ("train_database", f"{place}_database", f"{place}_queries")
    )
    sift = retrieval.DenseRootSIFT(CELL, STRIDE)
    return StreetDescriptors(
        *(sift.describe(world.images) for world in (train, database, queries)),
        retrieval.positives_within(queries.positions, database.positions, data.EVALUATION_RADIUS),
    )


def recall_at_1(queries: np.ndarray, database: np.ndarray, positives: list[np.ndarray]) -> float:
    """Return Recall@1 of image vectors; they are divided by their lengths first."""
    query, base = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in (queries, database))
    ranked = retrieval.Index().add(base).search(query, k=1).indices
    return retrieval.recall_at_n(ranked, positives, n=(1,)).recall[1]


def normalisations(seed: int, place: str = "test", n_clusters: int = N_CLUSTERS) -> dict[str, float]:
    """Return Recall@1 on one town for mean pooling, a bag of words, and VLAD with each normalisation.

    The bag of words is the root of the word counts, divided by its length, from the same codebook.
    """
    street = street_descriptors(seed, place)
    codebook = retrieval.VLAD(n_clusters, random_state=seed).fit(street.train[::CODEBOOK_EVERY]).cluster_centers_
    sides = (street.queries, street.database)
    plain = retrieval.VLAD.from_centers(codebook, "l2")
    raw = [plain.residual_sums(side) for side in sides]
    unit = [retrieval.VLAD.from_centers(codebook, "residual").transform(side) for side in sides]
    vectors = {
        "mean pooling": [np.stack([x.mean(0) for x in side]) for side in sides],
        "bag of words": [np.sqrt(r.counts) for r in raw],
        "plain": [retrieval.normalize_vlad(r.sums, "l2") for r in raw],
        "SSR": [retrieval.normalize_vlad(r.sums, "ssr") for r in raw],
        "intra": [retrieval.normalize_vlad(r.sums, "intra") for r in raw],
        "residual": unit,
    }
    return {name: recall_at_1(*pair, street.positives) for name, pair in vectors.items()}


def whitening_with_too_few_vectors(seed: int, place: str = "test") -> dict[str, float]:
    """Return Recall@1 of a VLAD of 512 numbers: as it is, whitened, and whitened with care, from 816 training images."""
    street = street_descriptors(seed, place)
    vlad = retrieval.VLAD(SMALL_CODEBOOK, random_state=seed).fit(street.train[::CODEBOOK_EVERY])
    train, queries, database = (vlad.transform(side) for side in (street.train, street.queries, street.database))
    dim = train.shape[1]
    recipes = {
        "no whitening": None,
        "whitened": retrieval.PCAWhitening(dim),
        "128 directions": retrieval.PCAWhitening(128),
        "softer power": retrieval.PCAWhitening(dim, exponent=0.25),
        "shrinkage": retrieval.PCAWhitening(dim, shrinkage=0.1),
    }
    figures = {}
    for name, recipe in recipes.items():
        pair = queries, database
        if recipe is not None:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Whitening to")  # too few vectors is the point
                recipe.fit(train)
            pair = recipe.transform(queries), recipe.transform(database)
        figures[name] = recall_at_1(*pair, street.positives)
    return figures
