"""RICAP: every pixel from the crop that the rule names, and the statistics of the card."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from course_utils.augment import RICAP, MixPlan, RICAPParams, label_mass_error


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_loops(images: np.ndarray, partners: list[int], cross: list[int], starts: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return one result and its four weights, pixel by pixel."""
    _, channels, height, width = images.shape
    out, counts = np.empty((channels, height, width)), np.zeros(4)
    for y in range(height):
        for x in range(width):
            part = 2 * int(y >= cross[0]) + int(x >= cross[1])
            top, left = (cross[0] if part >= 2 else 0), (cross[1] if part % 2 else 0)
            out[:, y, x] = images[partners[part], :, starts[part][0] + y - top, starts[part][1] + x - left]
            counts[part] += 1
    return out, counts / counts.sum()


@pytest.mark.parametrize("where", ["anywhere", "center", "corner"])
@pytest.mark.parametrize("size", [(9, 12), (1, 1), (1, 7), (70, 65)])
def test_labels_are_the_mass_of_the_images(where: str, size: tuple[int, int]) -> None:
    assert max(label_mass_error(RICAP(where=where, num_classes=6), size=size) for _ in range(50)) < 1e-6


def test_every_pixel_comes_from_the_crop_that_the_rule_names() -> None:
    draw, random = _generator(3), np.random.default_rng(3)
    empty = 0
    for case in range(200):
        n, channels, height, width = (int(v) for v in random.integers((1, 1, 1, 1), (6, 4, 14, 14)))
        if case % 20 == 0:
            height, width = 66, 65  # large enough to be pasted rectangle by rectangle
        images = torch.arange(n * channels * height * width, dtype=torch.float64).view(n, channels, height, width)
        mixer = RICAP()
        params = mixer.sample(n, (channels, height, width), draw)
        partners = torch.randint(n, (n, 4), generator=draw)
        plan = mixer.plan(partners, params, (channels, height, width))
        mixed = plan.images(images).numpy()
        for i in range(n):
            row = partners[i].tolist(), params.cross[i].tolist(), params.starts[i].tolist()
            expected, weights = by_loops(images.numpy(), *row)
            assert np.array_equal(mixed[i], expected)
            assert np.allclose(plan.weights[i].numpy(), weights, atol=1e-6)
            empty += int((weights == 0).any())
    assert empty > 50  # parts without a pixel are common, and are among the cases


@pytest.mark.parametrize("size", [(7, 10), (66, 80)])
def test_a_plan_of_rectangles_is_the_plan_of_its_masks_and_places(size: tuple[int, int]) -> None:
    images = torch.rand(6, 3, *size, generator=_generator())
    mixer, partners = RICAP(beta=1.0), torch.randint(6, (6, 4), generator=_generator(1))
    params = mixer.sample(6, (3, *size), _generator(2))
    plan = mixer.plan(partners, params, (3, *size))
    general = MixPlan(partners, mixer.shares(params, (3, *size)), mixer.origins(params, (3, *size)))
    assert torch.equal(plan.images(images), general.images(images))
    torch.testing.assert_close(plan.weights, general.weights, atol=1e-6, rtol=0)


def test_the_largest_weight_is_as_the_card_says() -> None:
    for beta, mean, above in [(0.3, 0.75, 0.29), (1.0, 0.56, 0.02)]:
        params = RICAP(beta=beta).sample(40_000, (3, 224, 224), _generator(4))
        largest = params.rectangles((224, 224))[..., 2:].prod(-1).amax(1) / 224**2
        assert float(largest.mean()) == pytest.approx(mean, abs=0.01)
        assert float((largest > 0.9).double().mean()) == pytest.approx(above, abs=0.015)


def test_crops_start_anywhere_where_they_fit() -> None:
    params = RICAP(beta=1.0).sample(40_000, (3, 6, 6), _generator(5))
    free = 6 - params.rectangles((6, 6))[..., 2:]
    assert bool((params.starts >= 0).all() and (params.starts <= free).all())
    wide = free == 4
    counts = torch.bincount(params.starts[wide], minlength=5).double()
    assert float(counts.max() / counts.min()) < 1.1  # each of the five places as often as the others


def test_the_ranges_of_the_crossing() -> None:
    for where in ("center", "corner"):
        cross = RICAP(beta=1.0, where=where).sample(5000, (3, 40, 80), _generator(6)).cross / torch.tensor([40, 80])
        near = torch.minimum(cross, 1 - cross)
        assert bool((near >= 0.25).all() if where == "center" else (near <= 0.25).all())
        assert bool((cross < 0.5).any() and (cross > 0.5).any())


def test_the_four_images_are_different_in_a_ring_and_a_crossing_at_a_corner_copies() -> None:
    images = torch.rand(5, 3, 8, 6, generator=_generator())
    drawn = RICAP().draw(images, _generator(1))
    assert all(len(set(row)) == 4 for row in drawn.plan.partners.tolist())
    assert torch.equal(RICAP(beta=0, num_classes=5)(images, torch.arange(5))[0], images)
    corner = RICAPParams(torch.zeros(5, 2, dtype=torch.long), torch.zeros(5, 4, 2, dtype=torch.long))
    last = RICAP().plan(drawn.plan.partners, corner, (3, 8, 6))
    assert torch.equal(last.images(images), images[drawn.plan.partners[:, 3]])


def test_small_batches_equal_labels_soft_labels_and_bytes() -> None:
    mixer = RICAP(num_classes=3)
    alone = torch.rand(1, 3, 5, 5)
    assert torch.equal(mixer(alone, torch.tensor([1]))[0], alone)
    pair = torch.rand(2, 3, 5, 5)
    assert torch.allclose(mixer(pair, torch.tensor([2, 2]))[1], torch.tensor([0.0, 0, 1]))
    soft = torch.tensor([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    assert torch.allclose(RICAP()(torch.rand(4, 3, 5, 5), soft)[1].sum(1), torch.ones(4))
    images = torch.randint(0, 256, (4, 3, 9, 7), dtype=torch.uint8, generator=_generator())
    drawn = mixer.draw(images, _generator(2))
    assert torch.equal(mixer.replay(images, drawn), mixer.replay(images.double(), drawn).to(torch.uint8))


def test_class_masks_are_cut_as_the_images_are() -> None:
    values = torch.arange(4 * 8 * 9).view(4, 8, 9)
    mixed, _, masks = RICAP(num_classes=4)(values[:, None].double(), torch.arange(4), tv_tensors.Mask(values))
    assert torch.equal(masks.as_subclass(torch.Tensor), mixed[:, 0].long())


def test_nan_and_bad_arguments_are_refused() -> None:
    images = torch.rand(4, 3, 8, 8)
    images[1, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="image 1"):
        RICAP(num_classes=4)(images, torch.arange(4))
    for wrong in ({"beta": -1}, {"where": "left"}, {"margin": 0.6}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            RICAP(**wrong)
