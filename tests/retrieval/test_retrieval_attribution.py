"""The attribution is exact: nothing is left over."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.retrieval import VLAD, NetVLAD, attribute_similarity


def images(seed=0, n=9, m=7, d=4, k=3):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, d)), random.normal(size=(m, d)), random.normal(size=(k, d))


def soft(centers, alpha=3.0):
    def assign(rows):
        logits = -alpha * ((rows[:, None] - centers) ** 2).sum(2)
        weights = np.exp(logits - logits.max(1, keepdims=True))
        return weights / weights.sum(1, keepdims=True)

    return assign


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 10),
    k=st.integers(1, 6),
    is_soft=st.booleans(),
    normalization=st.sampled_from(["intra", "l2"]),
)
def test_every_split_sums_to_the_similarity(seed, n, k, is_soft, normalization):
    query, database, centers = images(seed, n=n, k=k)
    parts = attribute_similarity(query, database, centers, soft(centers) if is_soft else None, normalization)
    for split in (parts.per_cluster, parts.query, parts.database, parts.query_by_cluster, parts.database_by_cluster):
        assert split.sum() == pytest.approx(parts.similarity, abs=1e-10)
    np.testing.assert_allclose(parts.query_by_cluster.sum(0), parts.per_cluster, atol=1e-10)
    np.testing.assert_allclose(parts.database_by_cluster.sum(0), parts.per_cluster, atol=1e-10)
    np.testing.assert_allclose(parts.query_by_cluster.sum(1), parts.query, atol=1e-12)
    assert -1 - 1e-9 <= parts.similarity <= 1 + 1e-9


@pytest.mark.parametrize("normalization", ["intra", "l2"])
def test_the_similarity_is_that_of_vlad(normalization):
    query, database, centers = images()
    vectors = VLAD.from_centers(centers, normalization=normalization).transform([query, database])
    parts = attribute_similarity(query, database, centers, normalization=normalization)
    assert parts.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-6)


@pytest.mark.parametrize("distance", [0.5, 2.5, 2.7, 2.9, 4.0])
def test_a_cluster_with_almost_no_mass_counts_as_much_as_in_the_layer(distance):
    """Between norms of 0 and 1e-12 a block is neither left out nor of unit length: it shrinks to nothing steadily."""
    query, database, centers = images()
    centers = np.concatenate([centers, centers[:1] + [[distance, 0, 0, 0]]])
    layer = NetVLAD(4, 4, "v2", normalize_input=False).double().init_from(query, centers=centers).set_alpha(4.0)
    vectors = [layer(torch.from_numpy(image)[None])[0].detach() for image in (query, database)]
    parts = attribute_similarity(
        query, database, centers, lambda rows: layer.assignment(torch.from_numpy(rows)[None])[0].detach()
    )
    assert parts.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-9)
    assert parts.per_cluster.sum() == pytest.approx(parts.similarity, abs=1e-10)


def test_a_contribution_is_what_the_definition_says():
    query, database, centers = images(1)
    assign = soft(centers)
    parts = attribute_similarity(query, database, centers, assign)
    sums = [sum(w[:, None] * (row - centers) for w, row in zip(assign(x), x)) for x in (query, database)]
    norms = [np.linalg.norm(s, axis=1) for s in sums]
    expected = sum(assign(query)[2, k] * (query[2] - centers[k]) @ sums[1][k] / (norms[0][k] * norms[1][k] * 3) for k in range(3))
    assert parts.query[2] == pytest.approx(expected, abs=1e-12)  # Z = sqrt(3) in both images


def test_exchanging_the_images_exchanges_the_parts():
    query, database, centers = images(2)
    one, two = attribute_similarity(query, database, centers), attribute_similarity(database, query, centers)
    np.testing.assert_allclose(one.query, two.database)
    np.testing.assert_allclose(one.per_cluster, two.per_cluster)


def test_an_image_is_wholly_similar_to_itself():
    query, _, centers = images(3)
    assert attribute_similarity(query, query, centers).similarity == pytest.approx(1.0)


def test_a_location_without_weight_contributes_nothing():
    query, database, centers = images(4)
    parts = attribute_similarity(query, database, centers, lambda rows: soft(centers)(rows) * (np.arange(len(rows)) > 0)[:, None])
    assert parts.query[0] == 0
    assert parts.query.sum() == pytest.approx(parts.similarity, abs=1e-10)


def test_no_residual_means_no_similarity():
    _, database, centers = images(5)
    parts = attribute_similarity(centers, database, centers)
    assert parts.similarity == 0
    assert not parts.query.any()
    assert attribute_similarity(np.empty((0, 4)), database, centers).similarity == 0


def test_grids_are_kept_and_checked():
    query, database, centers = images()
    parts = attribute_similarity(query, database, centers, query_grid=(3, 3))
    assert parts.query.reshape(parts.query_grid).shape == (3, 3)
    with pytest.raises(ValueError, match="`database_grid` must be \\(rows, columns\\) with 7 places"):
        attribute_similarity(query, database, centers, database_grid=(2, 3))


def test_wrong_input_is_named():
    query, database, centers = images()
    with pytest.raises(ValueError, match="`assign`"):
        attribute_similarity(query, database, centers, lambda rows: rows)
    with pytest.raises(ValueError, match="`database`"):
        attribute_similarity(query, database[:, :2], centers)
    with pytest.raises(ValueError, match="`query` must be finite"):
        attribute_similarity(np.full((2, 4), np.nan), database, centers)
    with pytest.raises(ValueError, match="`normalization` must be one of 'intra', 'l2'"):
        attribute_similarity(query, database, centers, normalization="ssr")
