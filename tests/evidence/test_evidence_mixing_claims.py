"""The experiments about mixing: what their arms share, what sets them apart, what they return."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_utils import augment
from course_utils.augment.mixing import label_mass_error
from course_utils.evidence import claims
from course_utils.evidence import mixing_claims as experiments
from course_utils.evidence.image_training import LabelledImages
from course_utils.evidence.ledger import recorded

KEYS = [key for key in claims.CLAIMS if key.startswith("mixing-")]
ARMS = ("none", *experiments.MIXERS, "with schedule", "always on", *experiments.FLAWED, "vh_mixup")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of each length, twelve test images."""
    for name, value in (("STEPS", 2), ("LENGTHS", (1, 2, 3)), ("N_TEST", 12), ("PER_CLASS", 3)):
        monkeypatch.setattr(experiments, name, value)
    monkeypatch.setattr(experiments.mixing_network, "__defaults__", (2,))
    monkeypatch.setattr(experiments.toys, "__defaults__", ("test", 12))
    real = experiments.outcome.__wrapped__
    monkeypatch.setattr(real, "__defaults__", (2, "test"))
    experiments.outcome.cache_clear()
    yield
    experiments.outcome.cache_clear()


def _pictures(n: int = 24) -> LabelledImages:
    images = torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(n) % 6
    return LabelledImages(images, labels, images, labels)


def _weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_every_experiment_returns_a_figure_for_every_method_of_its_pairs(small: None) -> None:
    for key in KEYS:
        claim = claims.CLAIMS[key]
        if key == "mixing-length":  # its pairs carry the numbers of steps
            figures = claim.experiment(0)
            assert set(figures) == {f"{arm}, {n} steps" for arm in experiments.LENGTH_ARMS for n in (1, 2, 3)}
            continue
        figures = claim.experiment(0)
        assert {name for pair in claim.pairs for name in pair} <= set(figures), key
        low = -1 if "overconfidence" in key else 0
        assert all(low <= value <= 1 for value in figures.values()), key


def test_there_are_eight_claims() -> None:
    assert len(KEYS) == 8


def test_the_arms_end_apart_and_one_seed_repeats() -> None:
    pictures = _pictures()
    # SamplePairing with its schedule is off at the start: long enough for it to be on.
    ends = [_weights(experiments.mixing_network(pictures, arm, 1, 12)) for arm in ARMS]
    assert all(not torch.equal(a, b) for i, a in enumerate(ends) for b in ends[:i])
    assert torch.equal(_weights(experiments.mixing_network(pictures, "CutMix", 1, 12)), ends[ARMS.index("CutMix")])


def test_without_mixing_the_plain_loss_is_trained() -> None:
    """Alpha 0 leaves images and labels alone, so the network must be that of no mixing."""
    pictures = _pictures()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments.augment, "MixUp", lambda num_classes: augment.CutMix(alpha=0, num_classes=num_classes))
        unmixed = experiments.mixing_network(pictures, "Mixup", 1, 4)
    plain = experiments.mixing_network(pictures, "none", 1, 4)
    torch.testing.assert_close(_weights(unmixed), _weights(plain), atol=1e-5, rtol=0)


def test_the_flawed_mixers_have_the_images_of_the_right_ones_and_wrong_labels() -> None:
    images, labels = torch.rand(8, 3, 9, 12), torch.arange(8) % 6
    for flawed, right in (
        (experiments.RawLambda(num_classes=6), augment.CutMix(num_classes=6)),
        (experiments.ExchangedCutMix(num_classes=6), augment.CutMix(num_classes=6)),
        (experiments.ExchangedSmoothMix(num_classes=6), augment.SmoothMix(num_classes=6)),
    ):
        drawn = [one.draw(images, torch.Generator().manual_seed(2)) for one in (flawed, right)]
        assert torch.equal(flawed.replay(images, drawn[0]), right.replay(images, drawn[1]))
        soft = [one.replay_labels(labels, draw) for one, draw in zip((flawed, right), drawn)]
        assert not torch.allclose(*soft) and (soft[0].sum(1) - 1).abs().max() < 1e-6
        torch.manual_seed(0)
        assert max(label_mass_error(flawed) for _ in range(10)) > 0.2


def test_exchanged_labels_are_the_right_ones_exchanged() -> None:
    images = torch.rand(4, 3, 8, 8)
    flawed, right = experiments.ExchangedCutMix(num_classes=2), augment.CutMix(num_classes=2)
    plans = [one.draw(images, torch.Generator().manual_seed(3)).plan for one in (flawed, right)]
    torch.testing.assert_close(plans[0].weights, plans[1].weights.flip(1))


def test_recorded_seeds_leave_out_the_one_that_chose_the_constants() -> None:
    for key in KEYS:
        assert 0 not in recorded(key).seeds
