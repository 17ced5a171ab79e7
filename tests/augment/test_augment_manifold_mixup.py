"""Manifold mixup: equal to a forward pass written by hand, to mixup at layer 0, and to nothing at lam = 1."""

from __future__ import annotations

import copy

import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

from course_utils.augment import MixUp
from course_utils.augment.manifold_mixup import ManifoldDraw, ManifoldMixup, bce_of_softmax


class Network(nn.Module):
    """Two convolutions and a linear layer, with an explicit ``mixed`` forward pass to compare with."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 5, 3, padding=1)
        self.head = nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.mixed(x, None)

    def mixed(self, x: torch.Tensor, mix: tuple | None) -> torch.Tensor:
        def blend(k: int, h: torch.Tensor) -> torch.Tensor:
            return h if mix is None or mix[0] != k else mix[1] * h + (1 - mix[1]) * h[mix[2]]

        h = self.first(blend(0, x)).relu()
        h = self.second(blend(1, h)).relu().mean((2, 3))
        return self.head(blend(2, h))


MODULES = ["second", "head"]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _network(seed: int = 0) -> Network:
    network = Network()
    for value in network.parameters():
        nn.init.normal_(value, std=0.3, generator=_generator(seed + value.numel()))
    return network


def _batch(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(n, 3, 7, 5, generator=_generator()), torch.arange(n) % 3


PI = torch.tensor([3, 0, 5, 2, 1, 4])


@pytest.mark.parametrize("k", [0, 1, 2])
def test_hooks_equal_a_forward_pass_written_by_hand(k: int) -> None:
    network, (images, labels) = _network(), _batch()
    logits, soft = ManifoldMixup(network, MODULES)(images, labels, mix=(k, 0.3, PI))
    torch.testing.assert_close(logits, network.mixed(images, (k, 0.3, PI)))
    hard = F.one_hot(labels, 3).float()
    torch.testing.assert_close(soft, 0.3 * hard + 0.7 * hard[PI])


@pytest.mark.parametrize("k", [0, 1, 2])
def test_gradients_equal_those_of_the_hand_written_pass_also_below_k(k: int) -> None:
    one, (images, labels) = _network(), _batch()
    two, mix = copy.deepcopy(one), (k, 0.3, PI)
    mixer = ManifoldMixup(one, MODULES)
    logits, soft = mixer(images, labels, mix=mix)
    mixer.loss(logits, soft).backward()
    F.cross_entropy(two.mixed(images, mix), soft).backward()
    for here, there in zip(one.parameters(), two.parameters()):
        torch.testing.assert_close(here.grad, there.grad)
        assert here.grad.abs().sum() > 0  # the first convolution too


@pytest.mark.parametrize("k", [0, 1, 2])
def test_gradients_flow_through_both_parts_of_a_blend(k: int) -> None:
    images, labels = _batch()
    images.requires_grad_()
    logits, _ = ManifoldMixup(_network(), MODULES)(images, labels, mix=(k, 0.25, PI))
    logits[0].sum().backward()
    reached = images.grad.flatten(1).abs().sum(1) > 0
    assert reached.tolist() == [True, False, False, True, False, False]  # itself, and pi(0) = 3


def test_layer_0_is_mixup_bit_by_bit() -> None:
    network, (images, labels) = _network(), _batch()
    mixup = MixUp(alpha=2.0, num_classes=3, per="batch", pairing="permutation")
    for seed in range(20):
        drawn = mixup.draw(images, _generator(seed))
        mix = (0, float(drawn.plan.shares[0]), drawn.plan.partners[:, 1])
        logits, soft = ManifoldMixup(network, MODULES)(images, labels, mix=mix)
        assert torch.equal(logits, network(mixup.replay(images, drawn)))
        assert torch.equal(soft, mixup.replay_labels(labels, drawn))


@pytest.mark.parametrize("k", [0, 1, 2])
def test_lam_of_1_is_a_clean_forward_pass_bit_by_bit(k: int) -> None:
    network, (images, labels) = _network(), _batch()
    logits, soft = ManifoldMixup(network, MODULES)(images, labels, mix=(k, 1.0, PI))
    assert torch.equal(logits, network(images))
    assert torch.equal(soft, F.one_hot(labels, 3).float())


@pytest.mark.parametrize("k", [0, 1, 2])
def test_lam_of_0_is_the_permuted_batch(k: int) -> None:
    network, (images, labels) = _network(), _batch()
    logits, soft = ManifoldMixup(network, MODULES)(images, labels, mix=(k, 0.0, PI))
    torch.testing.assert_close(logits, network(images[PI]))
    assert torch.equal(soft, F.one_hot(labels[PI], 3).float())


def test_evaluation_mode_mixes_nothing() -> None:
    network, (images, labels) = _network().eval(), _batch()
    mixer = ManifoldMixup(network, MODULES)
    logits, soft = mixer(images, labels, mix=(1, 0.3, PI))
    assert torch.equal(logits, network(images)) and torch.equal(soft, F.one_hot(labels, 3).float())
    with mixer.mixing((0, 0.3, PI)):
        assert torch.equal(network(images), logits)
    mixer.train()
    assert not torch.equal(mixer(images, labels, mix=(1, 0.3, PI))[0], logits)


def test_layer_and_lam_and_permutation_are_drawn_as_they_should_be() -> None:
    mixer, generator = ManifoldMixup(_network(), MODULES, layers=(2, 0), alpha=2.0), _generator()
    draws = [mixer.draw(4, generator) for _ in range(2000)]
    counts = torch.bincount(torch.tensor([d.layer for d in draws]), minlength=3)
    assert counts[1] == 0 and stats.binomtest(int(counts[0]), 2000).pvalue > 1e-3
    assert stats.kstest([d.lam for d in draws], stats.beta(2, 2).cdf).pvalue > 1e-3
    found, orders = torch.stack([d.permutation for d in draws]).unique(dim=0, return_counts=True)
    assert len(found) == 24 and stats.chisquare(orders.numpy()).pvalue > 1e-3


def test_alpha_of_0_never_mixes_and_a_seed_repeats_a_step() -> None:
    network, (images, labels) = _network(), _batch()
    assert torch.equal(ManifoldMixup(network, MODULES, alpha=0.0)(images, labels)[0], network(images))
    mixer = ManifoldMixup(network, MODULES)
    first, again, other = (mixer(images, labels, generator=_generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_the_drawn_layer_is_the_layer_that_is_mixed() -> None:
    network, (images, labels) = _network(), _batch()
    for seed in range(10):
        mixer = ManifoldMixup(network, MODULES)
        drawn = mixer.draw(6, _generator(seed))
        logits, soft = mixer(images, labels, generator=_generator(seed))
        torch.testing.assert_close(logits, network.mixed(images, drawn))
        torch.testing.assert_close(soft, drawn.labels(labels, 3))


def test_as_a_context_manager() -> None:
    network, (images, labels) = _network(), _batch()
    mixer = ManifoldMixup(network, [network.second, network.head])
    with mixer.mixing(ManifoldDraw(2, 0.4, PI)) as drawn:
        logits = network(images)
    wrapped, soft = mixer(images, labels, mix=drawn)
    assert torch.equal(logits, wrapped) and torch.equal(drawn.labels(labels, 3), soft)


def test_hidden_states_are_what_enters_the_layers() -> None:
    network, (images, _) = _network(), _batch()
    mixer = ManifoldMixup(network, ["head", "second"])  # not in the order in which they run
    given, last, middle = mixer.hidden_states(images)
    assert torch.equal(given, images)
    torch.testing.assert_close(middle, network.first(images).relu())
    torch.testing.assert_close(last, network.second(middle).relu().mean((2, 3)))
    assert not last.requires_grad
    mixed = mixer.hidden_states(images, (2, 0.3, PI))[2]
    torch.testing.assert_close(mixed, 0.3 * middle + 0.7 * middle[PI])


def test_a_module_that_writes_into_its_input_does_not_change_the_hidden_states() -> None:
    network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    points = torch.randn(5, 2, generator=_generator())
    assert torch.equal(ManifoldMixup(network, ["1"]).hidden_states(points)[1], network[0](points))


def test_the_two_losses() -> None:
    logits, soft = torch.randn(5, 3, generator=_generator()), torch.rand(5, 3, generator=_generator(1)).softmax(1)
    p = logits.softmax(1)
    by_hand = -(soft * p.log() + (1 - soft) * (1 - p).log()).mean()
    torch.testing.assert_close(bce_of_softmax(logits, soft), by_hand)
    torch.testing.assert_close(ManifoldMixup(_network(), MODULES, loss="bce_softmax").loss(logits, soft), by_hand)
    torch.testing.assert_close(ManifoldMixup(_network(), MODULES).loss(logits, soft), -(soft * p.log()).sum(1).mean())


def test_soft_labels_of_any_dtype_and_half_precision() -> None:
    network, (images, labels) = _network().bfloat16(), _batch()
    soft = F.one_hot(labels, 3).double()
    logits, mixed = ManifoldMixup(network, MODULES)(images.bfloat16(), soft, mix=(1, 0.25, PI))
    assert logits.dtype == torch.bfloat16 and mixed.dtype == torch.float64
    torch.testing.assert_close(mixed, 0.25 * soft + 0.75 * soft[PI])


@pytest.mark.parametrize("n", [0, 1])
def test_batches_of_nobody_and_of_one(n: int) -> None:
    network, (images, labels) = _network(), _batch()
    for k in range(3):
        mix = (k, 0.3, torch.arange(n))
        logits, soft = ManifoldMixup(network, MODULES)(images[:n], labels[:n], mix=mix)
        assert torch.equal(logits, network(images[:n])) and torch.equal(soft, F.one_hot(labels[:n], 3).float())
    assert ManifoldMixup(network, MODULES)(images[:n], labels[:n])[0].shape == (n, 3)


def _n_hooks(network: nn.Module) -> int:
    return sum(len(module._forward_pre_hooks) for module in network.modules())


def test_hooks_are_gone_after_use_and_after_an_error() -> None:
    network, (images, labels) = _network(), _batch()
    mixer = ManifoldMixup(network, MODULES)
    mixer(images, labels)
    assert _n_hooks(network) == 0
    with pytest.raises(RuntimeError):
        mixer(images[:, :2], labels)  # the first convolution complains
    with pytest.raises(KeyError), mixer.mixing((1, 0.3, PI)):
        assert _n_hooks(network) == 3
        raise KeyError
    with pytest.raises(ValueError, match="batch"):
        mixer(images, labels, mix=(1, 0.3, PI[:0]))
    assert _n_hooks(network) == 0


class Odd(nn.Module):
    """A network with parts that cannot be layers."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.never = nn.Linear(2, 2), nn.Linear(2, 2)
        self.pair, self.named, self.turned, self.head = Pair(), Pair(), nn.Linear(6, 6), nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.twice(self.twice(x))
        x = self.pair((x, x))
        x = self.named(pair=(x, x))
        return self.head(self.turned(x.T).T)


class Pair(nn.Module):
    def forward(self, pair: tuple) -> torch.Tensor:
        return pair[0] + pair[1]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("twice", ValueError, r"`modules\[0\] \(twice\)` must be run once in a forward pass, but got a second run"),
        ("never", ValueError, r"`modules\[0\] \(never\)` must be run once in a forward pass, but got no run"),
        ("pair", TypeError, r"given a floating tensor as its first argument, but got tuple"),
        ("named", TypeError, "given a floating tensor as its first argument, but got no positional argument"),
        ("turned", ValueError, r"a tensor whose first axis is the batch, but got shape \(2, 6\) for a batch of 6"),
    ],
)
@pytest.mark.parametrize("layer", [0, 1])
def test_parts_that_cannot_be_layers_are_refused(name: str, error: type, words: str, layer: int) -> None:
    if (name, layer) == ("turned", 0):
        return  # another axis is only seen where it is mixed
    mixer = ManifoldMixup(Odd(), [name])
    with pytest.raises(error, match=words):
        mixer(torch.rand(6, 2), torch.zeros(6, dtype=torch.long), mix=(layer, 0.3, PI))


def test_two_forward_passes_are_two_steps() -> None:
    network, (images, _) = _network(), _batch()
    with pytest.raises(ValueError, match="`model` must be run once in a forward pass, but got a second run"):
        with ManifoldMixup(network, MODULES).mixing((1, 0.3, PI)):
            network(images)
            network(images)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"modules": ["third"]},
            ValueError,
            "`modules` must be parts of the model, but got 'third'. The model has first, second",
        ),
        ({"modules": [nn.Linear(1, 1)]}, ValueError, "`modules` must be parts of the model, but got Linear"),
        ({"modules": ["second", "second"]}, ValueError, "`modules` must be different modules"),
        ({"layers": [3]}, ValueError, "`layers` must be an integer between 0 and 2, but got 3"),
        ({"layers": [-1]}, ValueError, "`layers` must be an integer between 0 and 2"),
        ({"layers": [1.0]}, TypeError, "`layers` must be an integer"),
        ({"layers": []}, ValueError, "`layers` must be at least one layer"),
        ({"alpha": -1.0}, ValueError, "`alpha` must be a finite number of at least 0"),
        ({"loss": "mse"}, ValueError, "`loss` must be one of 'ce', 'bce_softmax', but got 'mse'"),
    ],
)
def test_wrong_settings_are_refused(options: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        ManifoldMixup(_network(), **({"modules": MODULES} | options))


@pytest.mark.parametrize(
    ("mix", "error", "words"),
    [
        ((3, 0.3, PI), ValueError, "`k` must be an integer between 0 and 2, but got 3"),
        ((1, 1.5, PI), ValueError, "`lam` must be a finite number between 0 and 1"),
        ((1, float("nan"), PI), ValueError, "`lam` must be a finite number"),
        ((1, 0.3, PI[[0, 0, 1, 2, 3, 4]]), ValueError, "`pi` must be a permutation"),
        ((1, 0.3), TypeError, r"`mix` must be a ManifoldDraw or a tuple \(k, lam, pi\)"),
        ((1, 0.3, [0, 1]), TypeError, "`mix` must be a ManifoldDraw"),
    ],
)
def test_wrong_draws_are_refused(mix: tuple, error: type, words: str) -> None:
    images, labels = _batch()
    with pytest.raises(error, match=words):
        ManifoldMixup(_network(), MODULES)(images, labels, mix=mix)


def test_wrong_batches_are_refused() -> None:
    images, labels = _batch()
    mixer = ManifoldMixup(_network(), MODULES)
    with pytest.raises(ValueError, match="NaN or infinity in image 2"):
        mixer(images.index_fill(0, torch.tensor([2]), float("nan")), labels)
    with pytest.raises(ValueError, match="`labels` must be one for each of the 6 examples, but got shape"):
        mixer(images, labels.repeat(2))
    with pytest.raises(ValueError, match="labels"):
        mixer(images, labels + 1)
    with pytest.raises(TypeError, match="`images` must be a floating-point tensor"):
        mixer(images.long(), labels)
    with pytest.raises(ValueError, match=r"`model` must be a classifier with logits \(B, K\)"):
        ManifoldMixup(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()), ["1"])(images, labels)
