"""The place network on a toy street: describing, explaining, training, resuming."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_utils import training
from course_utils.retrieval import MaxPooling, NetVLAD, PCAWhitening, PlaceNetwork, place_network, train_place_network
from course_utils.training import OrientedBackbone, SmallCNN


@dataclass
class Side:
    images: torch.Tensor
    positions: np.ndarray


def street(seed=0, n=12):
    """Twelve walls 30 m apart that look much alike; queries are darker and noisy."""
    g = torch.Generator().manual_seed(seed)
    patterns = 0.7 * torch.rand(1, 3, 6, 8, generator=g) + 0.3 * torch.rand(n, 3, 6, 8, generator=g)
    walls = 255 * F.interpolate(patterns, size=(24, 32), mode="nearest")
    positions = np.stack([30.0 * np.arange(n), np.zeros(n)], axis=1)
    queries = walls * 0.5 + 60 * torch.rand(walls.shape, generator=g)
    return Side(walls.to(torch.uint8), positions), Side(queries.to(torch.uint8), positions + 1.0)


def network(seed=0, variant="v1", frozen=True):
    g = torch.Generator().manual_seed(seed)
    backbone = OrientedBackbone(8, generator=g) if frozen else SmallCNN(8, generator=g)
    return PlaceNetwork(backbone, NetVLAD(8, 4, variant, generator=g), reduction=1)


def trained(steps=12, **options):
    database, queries = street()
    net = network().init_from(database.images, random_state=0)
    options = {"queries_per_step": 4, "refresh_every": 4, "generator": torch.Generator().manual_seed(1), "margin": 1.0} | options
    radii = {"positive_radius": 10.0, "negative_radius": 25.0, "validation_radius": 10.0}
    return net, train_place_network(net, database, queries, steps, **radii, **options)


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def test_vectors_are_float32_rows_of_unit_length_in_any_batch_size():
    images = street()[0].images
    net = network().init_from(images, random_state=0)
    vectors = net.describe(images, batch_size=5)
    assert vectors.dtype == np.float32
    assert vectors.shape == (12, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(net.describe(images[:1]), vectors[:1], atol=1e-5)


def test_describing_changes_neither_mode_nor_weights_and_nothing_describes_to_nothing():
    net = network(frozen=False).train()
    before = {k: v.clone() for k, v in net.state_dict().items() if isinstance(v, torch.Tensor)}
    net.describe(street()[0].images)
    assert net.training
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items() if k in before)
    assert len(net.describe(street()[0].images[:0])) == 0


@pytest.mark.parametrize("variant", ["v1", "v2"])
def test_the_explanation_sums_to_the_similarity_of_the_descriptions(variant):
    database, queries = street()
    net = network(variant=variant).init_from(database.images, random_state=0)
    parts = net.explain(queries.images[3], database.images[3])
    expected = net.describe(queries.images[3:4]) @ net.describe(database.images[3:4]).T
    assert parts.similarity == pytest.approx(float(expected[0, 0]), abs=1e-5)
    assert parts.query.sum() == pytest.approx(parts.similarity, abs=1e-10)
    assert parts.query_grid == (6, 8)
    np.testing.assert_allclose(parts.query_assignment.sum(1), 1, atol=1e-12)


def test_whitened_descriptions_are_the_transformed_ones():
    images = street()[0].images
    net = network().init_from(images, random_state=0)
    plain = net.describe(images)
    net.whitening = PCAWhitening(n_components=1).fit(plain)
    np.testing.assert_allclose(net.describe(images), net.whitening.transform(plain), atol=1e-6)


def test_max_pooling_takes_the_largest_value_of_each_channel():
    features = torch.randn(2, 5, 3, 4)
    expected = F.normalize(features.flatten(2).max(2).values, dim=1)
    torch.testing.assert_close(MaxPooling()(features), expected)


def test_the_stem_is_the_first_half_of_the_network():
    net, images = network(), street()[0].images[:3]
    torch.testing.assert_close(net.from_stem(net.stem(images)), net(images))


def test_training_brings_queries_closer_to_their_places_and_keeps_the_stem():
    database, queries = street()
    net = network().init_from(database.images, random_state=0)
    stem = net.backbone.first.weight.clone()

    def margin(n):
        similarity = n.describe(queries.images) @ n.describe(database.images).T
        return float((np.diag(similarity) - (similarity - 9 * np.eye(12)).max(1)).mean())

    before = margin(net)
    net, result = trained(40)
    assert margin(net) > before
    assert torch.equal(net.backbone.first.weight, stem)
    assert (result.n_queries, result.n_unmatched) == (12, 0)
    assert len(result.active_triplets) == len(result.fit.losses)


def test_every_layer_learns_when_the_stem_is_not_frozen():
    start = network().backbone.first.weight.clone()
    net, _ = trained(3, frozen_stem=False)
    assert not torch.equal(net.backbone.first.weight, start)


def test_a_network_without_stem_can_be_trained():
    database, queries = street()
    net = network(frozen=False).init_from(database.images, random_state=0)
    result = train_place_network(net, database, queries, 2, positive_radius=10, negative_radius=25, generator=torch.Generator())
    assert result.fit.n_steps == 2


def test_the_same_generator_trains_the_same_network():
    assert torch.equal(weights(trained()[0]), weights(trained()[0]))


def test_interrupted_and_resumed_training_is_uninterrupted_training(tmp_path, monkeypatch):
    expected, expected_result = trained(12)
    real, calls = place_network.WeaklySupervisedRankingLoss.of_batch, itertools.count(1)

    def interrupted(self, tuples):
        if next(calls) == 7:
            raise KeyboardInterrupt
        return real(self, tuples)

    with monkeypatch.context() as patch:
        patch.setattr(place_network.WeaklySupervisedRankingLoss, "of_batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained(12, checkpoint=tmp_path / "place.pt")
    net, result = trained(12, checkpoint=tmp_path / "place.pt")
    assert torch.equal(weights(net), weights(expected))
    assert result.fit.losses == expected_result.fit.losses


def test_validation_is_recall_at_5_on_the_other_district():
    net, result = trained(8, validation=street(5), validate_every=4)
    database, queries = street(5)
    similarity = net.describe(queries.images) @ net.describe(database.images).T
    hits = [i in np.argsort(-row)[:5] for i, row in enumerate(similarity)]
    assert [step for step, _ in result.fit.validation] == [4, 8]
    assert result.fit.best_score == pytest.approx(np.mean(hits))


def batches_of(share):
    database, queries = street()
    net = network().init_from(database.images, random_state=0)
    seen = []

    def spy(model, batches, step, optimizer, **options):
        seen.append(next(iter(batches)))
        return training.FitResult()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place_network, "fit", spy)
        train_place_network(
            net, database, queries, 1, positive_radius=10, negative_radius=25, queries_per_step=4, margin=4.0,
            share_negatives=share, generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
    return seen[0]


def test_a_batch_holds_each_query_with_its_place_and_its_mined_negative():
    batch = batches_of(share=False)
    assert len(batch["inputs"]) == 4 + 4 * 2
    for query, positive, negatives in batch["tuples"]:
        assert positive == 4 + 2 * query
        assert negatives.tolist() == [positive + 1]


def test_shared_negatives_are_definite_ones_and_never_the_own_positive():
    for _query, positive, negatives in batches_of(share=True)["tuples"]:
        assert positive not in negatives.tolist()
        assert positive + 1 in negatives.tolist()
        assert len(negatives) > 1


def test_what_has_no_clusters_cannot_be_initialised_or_explained():
    net, image = PlaceNetwork(OrientedBackbone(8), MaxPooling()), street()[0].images[0]
    with pytest.raises(TypeError, match="a NetVLAD layer, but got MaxPooling"):
        net.init_from(image[None])
    with pytest.raises(TypeError, match="a NetVLAD layer to be explained"):
        net.explain(image, image)
    with pytest.raises(ValueError, match="`images` must be a tensor of shape"):
        net.describe(image)
