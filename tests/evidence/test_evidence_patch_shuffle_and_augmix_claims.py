"""The experiments about PatchShuffle and AugMix: what their arms share, what sets them apart, what they return."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_utils import augment
from course_utils.evidence import claims
from course_utils.evidence import patch_shuffle_and_augmix_claims as experiments
from course_utils.evidence.image_training import LabelledImages, small_network

KEYS = [key for key in claims.CLAIMS if key.startswith(("augmix-", "patch-shuffle-"))]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps, twelve test images, a third of the corruptions."""
    for name, value in (
        ("AUGMIX_STEPS", 2),
        ("SHUFFLE_STEPS", 2),
        ("N_TEST", 12),
        ("AUGMIX_IMAGES", 24),
        ("SHUFFLE_PER_CLASS", 4),
    ):
        monkeypatch.setattr(experiments, name, value)
    monkeypatch.setattr(experiments.augmix_network, "__defaults__", (2,))
    monkeypatch.setattr(experiments.shuffle_network, "__defaults__", (2, experiments.SHUFFLE_P))
    for cached in (experiments.augmix_robustness, experiments.augmix_networks, experiments.shuffle_robustness):
        cached.cache_clear()


def _pictures(n: int = 24) -> LabelledImages:
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(n) % 6
    return LabelledImages(images, labels, images, labels)


def _weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_every_experiment_returns_a_figure_for_every_method_of_its_pairs(small: None) -> None:
    for key in KEYS:  # one after the other: they share networks
        claim = claims.CLAIMS[key]
        figures = claim.experiment(0)
        assert {name for pair in claim.pairs for name in pair} <= set(figures), key
        assert all(0 <= value <= 1 for value in figures.values()), key


def test_there_are_eight_claims() -> None:
    assert len(KEYS) == 8


def test_the_arms_end_apart_and_one_seed_repeats() -> None:
    pictures = _pictures()
    ends = [_weights(experiments.augmix_network(pictures, arm, 1, 2)) for arm in experiments.AUGMIX_ARMS]
    ends += [_weights(experiments.shuffle_network(pictures, arm, 1, 3, 1.0)) for arm in experiments.SHUFFLE_ARMS]
    assert all(not torch.equal(a, b) for i, a in enumerate(ends) for b in ends[:i])
    again = _weights(experiments.augmix_network(pictures, "AugMix with JS", 1, 2))
    assert torch.equal(again, ends[2])


def test_maps_are_shuffled_in_training_only() -> None:
    network = small_network(6, 0, lambda: augment.FeaturePatchShuffle(p=1.0))
    assert sum(isinstance(layer, augment.FeaturePatchShuffle) for layer in network) == 2
    images = _pictures(4).train_images
    network.eval()
    assert torch.equal(network(images), network(images))
    plain = small_network(6, 0).eval()
    torch.testing.assert_close(network(images), plain(images))


def test_a_temperature_layer_scales_logits() -> None:
    assert torch.equal(experiments.Scaled(0.5)(torch.tensor([2.0, -4.0])), torch.tensor([1.0, -2.0]))


def test_recorded_seeds_leave_out_the_one_that_chose_the_constants() -> None:
    from course_utils.evidence.ledger import RECORDS, recorded

    for key in KEYS:
        if (RECORDS / f"{key}.json").exists():
            assert 0 not in recorded(key).seeds
