"""The experiments about PatchShuffle and AugMix: what their arms share, what sets them apart, what they return."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_utils import augment
from course_utils.evidence import claims
from course_utils.evidence import patch_shuffle_and_augmix_claims as experiments

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


def _pictures(n: int = 24) -> experiments.LabelledImages:
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(n) % 6
    return experiments.LabelledImages(images, labels, images, labels)


def _weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_every_experiment_returns_a_figure_for_every_method_of_its_pairs(small: None) -> None:
    for key in KEYS:  # one after the other: they share networks
        claim = claims.CLAIMS[key]
        figures = claim.experiment(0)
        assert {name for pair in claim.pairs for name in pair} <= set(figures), key
        assert all(0 <= value <= 1 for value in figures.values()), key


def test_there_are_seven_claims() -> None:
    assert len(KEYS) == 7


def test_all_arms_start_alike_and_see_the_same_clean_pictures() -> None:
    pictures, seen = _pictures(), {}
    for arm in experiments.AUGMIX_ARMS:
        network = experiments.small_network(6, 3)
        seen[arm] = []

        def loss(model, images, labels, generator, arm=arm):
            seen[arm].append(images.clone())
            return model(images).square().mean() + 0 * labels.sum()

        experiments.trained(network, loss, pictures, 3, 2)
        seen[arm].append(_weights(experiments.small_network(6, 3)))
    first = seen[experiments.AUGMIX_ARMS[0]]
    assert all(torch.equal(a, b) for other in seen.values() for a, b in zip(first, other, strict=True))


def test_the_arms_end_apart_and_one_seed_repeats() -> None:
    pictures = _pictures()
    ends = [_weights(experiments.augmix_network(pictures, arm, 1, 2)) for arm in experiments.AUGMIX_ARMS]
    ends += [_weights(experiments.shuffle_network(pictures, arm, 1, 3, 1.0)) for arm in experiments.SHUFFLE_ARMS]
    assert all(not torch.equal(a, b) for i, a in enumerate(ends) for b in ends[:i])
    again = _weights(experiments.augmix_network(pictures, "AugMix with JS", 1, 2))
    assert torch.equal(again, ends[2])


def test_maps_are_shuffled_in_training_only() -> None:
    network = experiments.small_network(6, 0, shuffle_maps=1.0)
    assert sum(isinstance(layer, augment.FeaturePatchShuffle) for layer in network) == 2
    images = _pictures(4).train_images
    network.eval()
    assert torch.equal(network(images), network(images))
    plain = experiments.small_network(6, 0).eval()
    torch.testing.assert_close(network(images), plain(images))


def test_mirror_and_crop_move_every_picture_by_its_own_few_pixels() -> None:
    index = torch.arange(32 * 32).reshape(1, 1, 32, 32) % 251
    images = index.to(torch.uint8).expand(200, 3, 32, 32)
    moved = experiments.mirrored_and_cropped(images, torch.Generator().manual_seed(0))
    assert moved.dtype == torch.uint8 and moved.shape == images.shape
    assert len(moved.flatten(1).unique(dim=0)) > 100  # 162 are possible
    padded = torch.nn.functional.pad(index.float(), (4,) * 4, mode="reflect").to(torch.uint8)
    windows = padded.unfold(2, 32, 1).unfold(3, 32, 1).reshape(81, 32, 32)
    flipped = torch.nn.functional.pad(index.flip(3).float(), (4,) * 4, mode="reflect").to(torch.uint8)
    windows = torch.cat([windows, flipped.unfold(2, 32, 1).unfold(3, 32, 1).reshape(81, 32, 32)])
    for one in moved[:20, 0]:
        assert (windows == one).flatten(1).all(1).any()


def test_a_temperature_layer_scales_logits() -> None:
    assert torch.equal(experiments.Scaled(0.5)(torch.tensor([2.0, -4.0])), torch.tensor([1.0, -2.0]))


def test_recorded_seeds_leave_out_the_one_that_chose_the_constants() -> None:
    from course_utils.evidence.ledger import RECORDS, recorded

    for key in KEYS:
        if (RECORDS / f"{key}.json").exists():
            assert 0 not in recorded(key).seeds
