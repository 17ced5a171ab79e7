"""Equalisation: exactly Pillow's table, on pictures and on histograms made to be awkward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional as F

from course_utils import augment
from course_utils.augment.equalise import equalisation_tables, equalize


def levels(*shape: int, low: int = 0, high: int = 256, seed: int = 0) -> torch.Tensor:
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def in_pillow(images: torch.Tensor) -> torch.Tensor:
    results = [ImageOps.equalize(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in images]
    return torch.stack([torch.from_numpy(np.array(result)).permute(2, 0, 1) for result in results])


def awkward() -> torch.Tensor:
    images = levels(6, 3, 40, 30)
    images[1] = images[1] // 4 + 100  # a narrow range
    images[2, 1] = 7  # a constant channel
    images[3] = (images[3] > 100) * 200  # two levels
    images[4, :, 1:] = 255  # nearly all pixels at the last level
    images[5, 0, 0, 0] = 0
    images[5, 0, 1:] = 128
    return images


def test_it_equals_pillow_and_torchvision_exactly():
    images = awkward()
    out = equalize(images)
    assert torch.equal(out, in_pillow(images))
    assert torch.equal(out, torch.stack([F.equalize(image) for image in images]))


@given(low=st.integers(0, 250), width=st.integers(1, 256), side=st.integers(1, 40), seed=st.integers(0, 1000))
def test_it_equals_pillow_on_any_range_and_size(low, width, side, seed):
    images = levels(2, 3, side, 17, low=low, high=min(256, low + width), seed=seed)
    assert torch.equal(equalize(images), in_pillow(images))


def test_the_table_follows_its_definition_with_loops():
    counts = torch.stack([torch.randint(0, 40, (256,), generator=torch.Generator().manual_seed(s)) for s in range(4)])
    counts[1, 50:] = 0
    counts[2, :255] = 0
    counts[3] = 1
    for histogram, table in zip(counts.tolist(), equalisation_tables(counts).tolist()):
        brightest = [count for count in histogram if count][-1]
        step = (sum(histogram) - brightest) // 255
        expected = [min(255, (step // 2 + sum(histogram[:k])) // step) if step else k for k in range(256)]
        assert table == expected


def test_constant_images_small_images_and_empty_batches_stay():
    for images in (
        torch.full((2, 3, 20, 20), 9, dtype=torch.uint8),
        levels(2, 3, 10, 10),
        levels(2, 1, 1, 1),
        levels(0, 3, 9, 9),
    ):
        assert torch.equal(equalize(images), images)


def test_floats_are_rounded_to_256_levels_first():
    images = awkward()
    floats = images.float() / 255
    assert torch.equal(equalize(floats), equalize(images).float() / 255)
    assert equalize(floats.half()).dtype == torch.float16


def test_levels_keep_their_order_and_a_uniform_histogram_stays():
    images = levels(1, 1, 64, 64, low=90, high=120)
    out = equalize(images)
    order = images.flatten().argsort()
    assert bool((out.flatten()[order].int().diff() >= 0).all())
    assert int(out.max()) - int(out.min()) > 240
    ramp = torch.arange(256, dtype=torch.uint8).repeat(16).view(1, 1, 64, 64)
    assert torch.equal(equalize(ramp), ramp)


def test_the_transform_changes_uint8_in_place_of_floats():
    images = awkward()
    assert torch.equal(augment.Equalize()(images), equalize(images))
    assert torch.equal(augment.Equalize()(images[0]), equalize(images[:1])[0])
    with pytest.raises(ValueError, match="floating images with values in"):
        augment.Equalize()(images.float())
