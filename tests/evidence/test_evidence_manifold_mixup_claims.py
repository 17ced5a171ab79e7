"""The experiments in the plane: what their arms share, what sets them apart, what they return."""

from __future__ import annotations

import pytest
import torch

from course_utils import data
from course_utils.evidence import claims, recorded
from course_utils.evidence import manifold_mixup_claims as experiments

KEYS = [key for key in claims.CLAIMS if key.startswith("manifold-mixup-")]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps, twenty points."""
    for name, value in (("N_STEPS", 2), ("N_TRAIN", 20), ("N_TEST", 30)):
        monkeypatch.setattr(experiments, name, value)
    for cached in (experiments.plane_data, experiments.outcome):
        cached.cache_clear()


def _weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_every_experiment_returns_a_figure_for_every_method_of_its_pairs(small: None) -> None:
    for key in KEYS:
        claim = claims.CLAIMS[key]
        figures = claim.experiment(0)
        assert {name for pair in claim.pairs for name in pair} <= set(figures), key
        assert all(torch.tensor(value).isfinite() for value in figures.values()), key
    for cached in (experiments.plane_data, experiments.outcome):
        cached.cache_clear()


def test_there_are_seven_claims_and_their_records_have_twenty_seeds_without_seed_0() -> None:
    assert len(KEYS) == 7
    assert all(recorded(key).seeds == list(range(1, 21)) for key in KEYS)


def test_the_arms_start_alike_end_apart_and_one_seed_repeats() -> None:
    points = data.spirals(20, 0)
    ends = [_weights(experiments.plane_training(points, arm, 1, 3)) for arm in experiments.ARMS]
    assert all(not torch.equal(a, b) for i, a in enumerate(ends) for b in ends[:i])
    again = _weights(experiments.plane_training(points, "manifold", 1, 3))
    assert torch.equal(again, ends[list(experiments.ARMS).index("manifold")])
    assert torch.equal(_weights(experiments.plane_network(1)), _weights(experiments.plane_network(1)))


def test_every_arm_mixes_where_it_says() -> None:
    network = experiments.plane_network(0)
    for arm, choice in experiments.ARMS.items():
        mixer = experiments.mixer_of(network, arm)
        if choice is None:
            assert mixer is None
        else:
            assert (mixer.layers, mixer.alpha) == choice
            drawn = {mixer.draw(4, torch.Generator().manual_seed(seed)).layer for seed in range(40)}
            assert drawn == set(choice[0])


def test_layers_of_the_mixer_are_what_leaves_the_hidden_layers() -> None:
    network, points = experiments.plane_network(0), data.spirals(10, 0).points
    states = experiments.mixer_of(network, "manifold").hidden_states(points)
    assert [tuple(state.shape) for state in states] == [(10, 2), (10, 64), (10, 64), (10, 64)]
    assert all((state >= 0).all() for state in states[1:])  # behind the ReLU
    torch.testing.assert_close(network[6](states[3]), network(points))


def test_training_and_test_points_are_other_draws_of_the_same_curves() -> None:
    experiments.plane_data.cache_clear()
    for name in ("spirals", "moons"):
        both, other = experiments.plane_data(name, 3), experiments.plane_data(name, 4)
        assert len(both.train) == 200 and len(both.test) == 1000
        gap = torch.cdist(both.test.points, both.train.points)
        assert gap.min() > 0 and gap.amin(1).median() < 0.1
        assert not torch.equal(both.train.points, other.train.points)


def test_an_outcome_is_what_its_network_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is never sure and always says class 0."""

    class Undecided(torch.nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 0 + torch.tensor([1e-3, 0.0])

    network = Undecided(*experiments.plane_network(0))
    monkeypatch.setattr(experiments, "plane_training", lambda *_: network.eval())
    experiments.outcome.cache_clear()
    found = experiments.outcome(experiments.plane_data("moons", 5), "none", 5)
    experiments.outcome.cache_clear()
    assert found.accuracy == 0.5 and found.log_likelihood == pytest.approx(-0.6931, abs=1e-3)
    assert found.map.confident_share() == 0 and found.map.boundary_length == 0 and found.distance == float("inf")
    assert all(1 <= d <= 64 for d in found.directions) and all(s > 0 for s in found.spread)


def test_a_second_of_training_shows_what_the_claims_say() -> None:
    points = data.spirals(100, 0)
    right = {}
    for arm in ("none", "mixup, alpha 2"):
        network = experiments.plane_training(points, arm, 0, 300)
        test = data.spirals(500, 1)
        right[arm] = float((network(test.points).argmax(1) == test.labels).float().mean())
    assert right["none"] > 0.93 and right["mixup, alpha 2"] < 0.9
