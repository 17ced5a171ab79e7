"""CutMix: equal to torchvision under the same draws, to loops in NumPy, and to the statistics of the card."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.augment import CutMix, CutMixParams, MixPlan, PastePlan, label_mass_error


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def index_images(n: int, channels: int, height: int, width: int) -> torch.Tensor:
    """Return images (n, C, H, W) int-valued float64 in which every value is another one: its own address."""
    return torch.arange(n * channels * height * width, dtype=torch.float64).view(n, channels, height, width)


def by_loops(images: np.ndarray, partner: int, i: int, lam: float, centre: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Return one result and the weight of its first image: the rule of the paper, pixel by pixel."""
    _, channels, height, width = images.shape
    cut_h, cut_w = int(height * math.sqrt(1 - lam)), int(width * math.sqrt(1 - lam))
    out, pasted = images[i].copy(), 0
    for y in range(height):
        for x in range(width):
            if centre[0] - cut_h // 2 <= y < centre[0] + cut_h // 2 and centre[1] - cut_w // 2 <= x < centre[1] + cut_w // 2:
                out[:, y, x] = images[partner, :, y, x]
                pasted += 1
    return out, 1 - pasted / (height * width)


@pytest.mark.parametrize("per", ["sample", "batch"])
@pytest.mark.parametrize("size", [(9, 12), (1, 1), (32, 32), (70, 65)])
def test_labels_are_the_mass_of_the_images(per: str, size: tuple[int, int]) -> None:
    worst = max(label_mass_error(CutMix(num_classes=6, per=per), size=size) for _ in range(50))
    assert worst < 1e-6


@pytest.mark.parametrize("size", [(9, 12), (32, 32), (70, 65)])
def test_result_is_that_of_torchvision_for_the_same_draw(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = torch.rand(5, 3, *size, generator=_generator()), torch.tensor([0, 1, 2, 3, 3])
    theirs, ours = v2.CutMix(num_classes=4), CutMix(num_classes=4)
    partners = torch.stack([torch.arange(5), torch.arange(5).roll(1)], dim=1)
    for lam, centre in [(0.0, (0, 0)), (0.3, (4, 7)), (0.5, (8, 11)), (0.77, (0, 5)), (0.999, (3, 3)), (1.0, (2, 2))]:
        coordinates = iter([centre[1], centre[0]])
        monkeypatch.setattr(theirs._dist, "sample", lambda _, lam=lam: torch.tensor(lam, dtype=torch.float64))
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randint", lambda *_, it=coordinates, **__: torch.tensor([next(it)]))
            their_images, their_labels = theirs(images, labels)
        params = CutMixParams(torch.full((5,), lam, dtype=torch.float64), torch.tensor([centre]).expand(5, 2))
        plan = ours.plan(partners, params, images.shape[1:])
        assert torch.equal(plan.images(images), their_images)
        torch.testing.assert_close(plan.labels(F.one_hot(labels, 4).float()), their_labels, atol=1e-6, rtol=0)


def test_every_pixel_comes_from_the_image_and_the_place_that_the_rule_names() -> None:
    draw, random = _generator(3), np.random.default_rng(3)
    for case in range(200):
        n, channels, height, width = (int(v) for v in random.integers((1, 1, 1, 1), (5, 4, 14, 14)))
        if case % 20 == 0:
            height, width = 66, 65  # large enough to be pasted rectangle by rectangle
        images = index_images(n, channels, height, width)
        mixer = CutMix()
        params = mixer.sample(n, (channels, height, width), draw)
        partners = torch.stack([torch.arange(n), torch.randint(n, (n,), generator=draw)], dim=1)
        plan = mixer.plan(partners, params, (channels, height, width))
        mixed = plan.images(images).numpy()
        for i in range(n):
            row = float(params.lam[i]), tuple(params.centres[i].tolist())
            expected, weight = by_loops(images.numpy(), int(partners[i, 1]), i, *row)
            assert np.array_equal(mixed[i], expected)
            assert float(plan.weights[i, 0]) == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize("per", ["sample", "batch"])
@pytest.mark.parametrize("size", [(7, 10), (66, 80)])
def test_a_plan_of_rectangles_is_the_plan_of_its_masks(size: tuple[int, int], per: str) -> None:
    images = torch.rand(6, 3, *size, generator=_generator())
    mixer = CutMix(per=per)
    plan = mixer.draw(images, _generator(1)).plan
    general = MixPlan(plan.partners, plan.shares, plan.origins)
    assert isinstance(plan, PastePlan)
    before = images.clone()
    assert torch.equal(plan.images(images), general.images(images)) and torch.equal(images, before)
    torch.testing.assert_close(plan.weights, general.weights, atol=1e-6, rtol=0)
    params = mixer.sample(6, (3, *size), _generator(2))
    assert torch.equal(mixer.shares(params, (3, *size)), mixer.plan(plan.partners, params, (3, *size)).shares)


@pytest.mark.parametrize(("side", "mean"), [(8, 0.77), (32, 0.70), (224, 0.68)])
def test_the_border_moves_the_mean_weight_as_the_card_says(side: int, mean: float) -> None:
    params = CutMix().sample(40_000, (3, side, side), _generator(side))
    weights = 1 - params.boxes((side, side))[:, 2:].prod(1) / side**2
    assert float(weights.mean()) == pytest.approx(mean, abs=0.005)
    assert float(params.lam.mean()) == pytest.approx(0.5, abs=0.01)
    if side == 8:
        assert float((weights == 1).double().mean()) == pytest.approx(0.06, abs=0.01)
    if side == 32:
        wrong = (weights - params.lam).abs().mean()
        assert float(wrong) == pytest.approx(0.20, abs=0.01)
        assert float((weights < 0.5).double().mean()) == pytest.approx(0.15, abs=0.01)


def test_centres_are_uniform_over_the_pixels_and_lam_over_the_interval() -> None:
    params = CutMix().sample(40_000, (3, 7, 11), _generator(5))
    for axis, side in enumerate((7, 11)):
        counts = torch.bincount(params.centres[:, axis], minlength=side)
        assert len(counts) == side
        assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    assert stats.kstest(params.lam.numpy(), "uniform").pvalue > 1e-3
    skewed = CutMix(alpha=0.3).sample(40_000, (3, 7, 11), _generator(6)).lam
    assert stats.kstest(skewed.numpy(), stats.beta(0.3, 0.3).cdf).pvalue > 1e-3


def test_limits_are_copies() -> None:
    images = torch.rand(4, 3, 8, 6, generator=_generator())
    partners = torch.tensor([[0, 1], [1, 1], [2, 0], [3, 2]])
    middle = torch.tensor([[4, 3]]).expand(4, 2)
    none = CutMix().plan(partners, CutMixParams(torch.ones(4), middle), (3, 8, 6))
    everything = CutMix().plan(partners, CutMixParams(torch.zeros(4), middle), (3, 8, 6))
    assert torch.equal(none.images(images), images)
    assert none.weights[:, 0].tolist() == [1.0] * 4
    assert torch.equal(everything.images(images), images[partners[:, 1]])
    assert everything.weights[:, 0].tolist() == [0.0] * 4
    assert torch.equal(CutMix(alpha=0, num_classes=4)(images, torch.arange(4))[0], images)


def test_a_batch_of_one_an_empty_batch_and_evaluation_are_left_alone() -> None:
    mixer = CutMix(num_classes=3)
    for n in (0, 1):
        images = torch.rand(n, 3, 5, 5)
        mixed, soft = mixer(images, torch.zeros(n, dtype=torch.long))
        assert torch.equal(mixed, images)
        assert soft.shape == (n, 3)
    images, labels = torch.rand(4, 3, 5, 5), torch.arange(4) % 3
    mixed, soft = mixer.eval()(images, labels)
    assert torch.equal(mixed, images)
    assert torch.equal(soft, F.one_hot(labels, 3).float())


def test_equal_labels_stay_hard_and_soft_labels_are_mixed_by_area() -> None:
    images = torch.rand(4, 3, 8, 8)
    assert torch.allclose(CutMix(num_classes=3)(images, torch.full((4,), 2))[1], torch.tensor([0.0, 0, 1]))
    soft = torch.tensor([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    mixer = CutMix()
    drawn = mixer.draw(images, _generator(1))
    expected = drawn.plan.weights[:, :1] * soft + drawn.plan.weights[:, 1:] * soft[drawn.plan.partners[:, 1]]
    torch.testing.assert_close(mixer.replay_labels(soft, drawn), expected)


def test_uint8_images_keep_their_bytes_and_the_inputs_are_left_alone() -> None:
    images = torch.randint(0, 256, (5, 3, 9, 7), dtype=torch.uint8, generator=_generator())
    before, mixer = images.clone(), CutMix(num_classes=5)
    drawn = mixer.draw(images, _generator(2))
    mixed = mixer.replay(images, drawn)
    assert mixed.dtype == torch.uint8
    assert torch.equal(mixed, mixer.replay(images.double(), drawn).to(torch.uint8))
    assert torch.equal(images, before)


def test_class_masks_get_the_same_box_and_stay_class_masks() -> None:
    values = torch.arange(4 * 8 * 9).view(4, 8, 9)
    images, masks = values[:, None].double().expand(4, 3, 8, 9), tv_tensors.Mask(values)
    mixed, _, mixed_masks = CutMix(num_classes=4)(images, torch.arange(4), masks)
    assert isinstance(mixed_masks, tv_tensors.Mask)
    assert mixed_masks.dtype == torch.int64
    assert torch.equal(mixed_masks.as_subclass(torch.Tensor), mixed[:, 0].long())


def test_nan_is_refused_because_it_would_spread() -> None:
    images = torch.rand(4, 3, 8, 8)
    images[2, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="image 2"):
        CutMix(num_classes=4)(images, torch.arange(4))


@pytest.mark.parametrize("size", [(6, 6), (66, 66)])
def test_gradients_reach_the_pixels_that_are_seen(size: tuple[int, int]) -> None:
    images = torch.rand(3, 1, *size, requires_grad=True)
    plan = CutMix().draw(images, _generator(4)).plan
    plan.images(images).sum().backward()
    seen = torch.zeros(3, 1, *size)
    for i in range(3):
        keep = plan.shares[i, 0].float()
        seen[plan.partners[i, 0]] += keep
        seen[plan.partners[i, 1]] += 1 - keep
    assert torch.equal(images.grad, seen)
