"""SmoothMix: the formula in loops, CutMix in the limit, the statistics of the card, and edges that are measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from course_utils.augment import CutMix, SmoothMix, edge_strength, label_mass_error


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def step(t: float) -> float:
    """Return the smooth step."""
    t = min(max(t, 0.0), 1.0)
    return 3 * t**2 - 2 * t**3


@pytest.mark.parametrize("shape", ["circle", "square"])
@pytest.mark.parametrize("size", [(9, 12), (1, 1), (70, 65)])
def test_labels_are_the_mass_of_the_images(shape: str, size: tuple[int, int]) -> None:
    assert max(label_mass_error(SmoothMix(shape, num_classes=6), size=size) for _ in range(50)) < 1e-6


def test_the_mask_is_the_formula_pixel_by_pixel() -> None:
    draw, random = _generator(1), np.random.default_rng(1)
    for case in range(100):
        height, width = (int(v) for v in random.integers(1, 12, 2))
        shape, ramp = ("circle", "square")[case % 2], float(random.uniform(0.1, 1))
        mixer = SmoothMix(shape, ramp=ramp)
        params = mixer.sample(2, (3, height, width), draw)
        masks = mixer.shares(params, (3, height, width))[:, 0, 0].numpy()
        for i in range(2):
            cy, cx = params.centres[i].tolist()
            expected = np.empty((height, width))
            for y in range(height):
                for x in range(width):
                    if shape == "circle":
                        s = float(params.sigma[i])
                        far = (y - cy) ** 2 / (2 * (s * height) ** 2) + (x - cx) ** 2 / (2 * (s * width) ** 2)
                        expected[y, x] = math.exp(-far)
                        continue
                    root, value = math.sqrt(1 - float(params.lam[i])), 1.0
                    for place, centre, side in ((y, cy, height), (x, cx, width)):
                        half, k = int(side * root) // 2, ramp * side
                        value *= step((place + 0.5 - (centre - half)) / k + 0.5) * step((centre + half - place - 0.5) / k + 0.5)
                    expected[y, x] = 1 - value
            assert np.allclose(masks[i], expected, atol=1e-5)


@pytest.mark.parametrize("ramp", [0.0, 1e-9, 0.02])
def test_a_square_without_a_ramp_is_cutmix(ramp: float) -> None:
    shape = (3, 32, 41)
    params = CutMix().sample(200, shape, _generator(2))
    soft, hard = SmoothMix("square", ramp=ramp), CutMix()
    assert torch.equal(soft.shares(params, shape), hard.shares(params, shape).float())
    images, partners = torch.rand(4, *shape, generator=_generator(3)), torch.tensor([[0, 1], [1, 2], [2, 3], [3, 3]])
    some = type(params)(params.lam[:4], params.centres[:4])
    one, other = (mixer.plan(partners, some, shape) for mixer in (soft, hard))
    assert torch.equal(one.images(images), other.images(images))
    torch.testing.assert_close(one.weights, other.weights, atol=1e-6, rtol=0)


def test_the_mean_of_the_circle_is_as_the_card_says() -> None:
    mixer = SmoothMix()
    params = mixer.sample(4000, (3, 32, 32), _generator(4))
    means = mixer.shares(params, (3, 32, 32)).mean((1, 2, 3, 4))
    assert float(means.mean()) == pytest.approx(0.43, abs=0.01)
    assert float(means.std()) == pytest.approx(0.13, abs=0.01)
    assert 0.10 < float(means.min()) < 0.14
    assert 0.71 < float(means.max()) < 0.75
    assert bool((params.sigma >= 0.25).all() and (params.sigma <= 0.5).all())
    counts = torch.bincount(params.centres.flatten(), minlength=32)
    assert 0.7 * 250 < int(counts.min()) <= int(counts.max()) < 1.3 * 250


def test_the_image_itself_is_in_the_middle_of_the_circle_and_around_the_square() -> None:
    images = torch.stack([torch.ones(1, 33, 33), torch.zeros(1, 33, 33)])
    partners, middle = torch.tensor([[0, 1]]), torch.tensor([[16, 16]])
    circle = SmoothMix()
    params = type(circle.sample(1, (1, 33, 33)))(middle, torch.tensor([0.25]))
    mixed = circle.plan(partners, params, (1, 33, 33)).images(images)[0, 0]
    assert float(mixed[16, 16]) == 1
    assert float(mixed[0, 0]) < 0.05
    square = SmoothMix("square")
    params = type(square.sample(1, (1, 33, 33)))(torch.tensor([0.5]), middle)
    mixed = square.plan(partners, params, (1, 33, 33)).images(images)[0, 0]
    assert float(mixed[16, 16]) == pytest.approx(0, abs=1e-6)
    assert float(mixed[0, 0]) == pytest.approx(1, abs=1e-6)


def test_edges_grow_weaker_with_the_ramp() -> None:
    images = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)])
    params = type(CutMix().sample(1, (3, 32, 32)))(torch.tensor([0.75]), torch.tensor([[16, 16]]))
    inside = ~CutMix().shares(params, (3, 32, 32))[:, 0, 0]
    strengths = []
    for ramp in (0, 0.125, 0.25, 0.5):
        plan = SmoothMix("square", ramp=ramp).plan(torch.tensor([[0, 1]]), params, (3, 32, 32))
        strengths.append(float(edge_strength(plan.images(images), inside)))
    assert strengths[0] == 1.0
    assert strengths[0] > 2 * strengths[1] > 2 * strengths[2] > 2 * strengths[3] > 0


def test_edge_strength_by_loops_and_its_refusals() -> None:
    images, inside = torch.rand(3, 2, 6, 5, generator=_generator(5)), torch.rand(3, 6, 5, generator=_generator(6)) < 0.5
    for i in range(3):
        steps = []
        for y in range(6):
            for x in range(5):
                for down, right in ((1, 0), (0, 1)):
                    if y + down < 6 and x + right < 5 and inside[i, y, x] != inside[i, y + down, x + right]:
                        steps.append(float((images[i, :, y, x] - images[i, :, y + down, x + right]).abs().mean()))
        assert float(edge_strength(images, inside)[i]) == pytest.approx(np.mean(steps), abs=1e-5)
    assert bool(edge_strength(images, torch.zeros(3, 6, 5, dtype=torch.bool)).isnan().all())
    for wrong in (inside.float(), inside[:2]):
        with pytest.raises(ValueError, match="inside"):
            edge_strength(images, wrong)


def test_bytes_are_rounded_and_a_batch_of_one_is_left_alone() -> None:
    mixer = SmoothMix(num_classes=4)
    images = torch.randint(0, 256, (4, 3, 9, 7), dtype=torch.uint8, generator=_generator())
    drawn = mixer.draw(images, _generator(2))
    assert torch.equal(mixer.replay(images, drawn), mixer.replay(images.float(), drawn).round().to(torch.uint8))
    assert torch.equal(mixer(images[:1], torch.tensor([1]))[0], images[:1])


def test_class_masks_and_nan_and_bad_arguments_are_refused() -> None:
    images = torch.rand(4, 3, 8, 8)
    with pytest.raises(ValueError, match="cuts and pastes"):
        SmoothMix(num_classes=4)(images, torch.arange(4), tv_tensors.Mask(torch.zeros(4, 8, 8, dtype=torch.long)))
    images[1, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="image 1"):
        SmoothMix(num_classes=4)(images, torch.arange(4))
    for wrong in ({"shape": "star"}, {"sigma": (0, 1)}, {"ramp": -1}, {"alpha": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SmoothMix(**wrong)
