"""The small networks: what their first layer sees, what stays the same, what is refused."""

import math

import pytest
import torch

from course_utils.training import OrientedBackbone, SmallCNN, standardize
from course_utils.training.backbones import LUMINANCE, drawing_from, local_contrast_normalized, oriented_bank


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(b=2, h=24, w=32, seed=0):
    return torch.randint(0, 256, (b, 3, h, w), generator=seeded(seed), dtype=torch.uint8)


def test_oriented_filters_ignore_constant_light_and_oppose_in_pairs():
    bank = oriented_bank()
    assert bank.shape == (14, 3, 5, 5)
    torch.testing.assert_close(bank[:8].sum((1, 2, 3)), torch.zeros(8), atol=1e-6, rtol=0)
    torch.testing.assert_close(bank[:4], -bank[4:8])
    torch.testing.assert_close(bank[8::2], -bank[9::2])


def test_colour_blobs_of_the_first_two_pairs_ignore_grey():
    grey = torch.ones(3, 5, 5)
    torch.testing.assert_close((oriented_bank()[8:12] * grey).sum((1, 2, 3)), torch.zeros(4), atol=1e-6, rtol=0)


@pytest.mark.parametrize("k", range(8))
def test_each_filter_answers_most_to_an_edge_in_its_own_direction(k):
    angle = 2 * math.pi * k / 8
    y, x = torch.meshgrid(torch.arange(-2.0, 3), torch.arange(-2.0, 3), indexing="ij")
    edge = -(x * math.cos(angle) + y * math.sin(angle)).expand(3, 5, 5)
    assert int((oriented_bank()[:8] * edge).sum((1, 2, 3)).argmax()) == k


def test_luminance_weights_sum_to_one():
    assert sum(LUMINANCE) == pytest.approx(1)


@pytest.mark.parametrize("network", [OrientedBackbone(16, generator=seeded()), SmallCNN(16, generator=seeded())])
def test_a_location_stands_for_four_pixels(network):
    assert network(standardize(images())).shape == (2, 16, 24 // network.reduction, 32 // network.reduction)


def test_the_backbone_is_its_head_on_its_stem():
    network, x = OrientedBackbone(16, generator=seeded()), standardize(images())
    torch.testing.assert_close(network.head(network.stem(x)), network(x))


def test_the_border_of_the_image_is_no_edge():
    """What does not change along an axis gives maps that do not change along it, up to the border and into the corners."""
    network = OrientedBackbone(16, generator=seeded())
    flat = torch.full((1, 3, 24, 32), 0.7)
    stripes = torch.rand(1, 3, 1, 32, generator=seeded()).expand(1, 3, 24, 32)
    for image, axes in ((flat, (2, 3)), (stripes, (2,)), (stripes.mT, (3,))):
        maps = network(image)
        torch.testing.assert_close(maps, maps.mean(axes, keepdim=True).expand_as(maps), atol=1e-5, rtol=0)


def test_brightness_and_contrast_of_the_whole_image_do_not_matter():
    x = images().float() / 255
    torch.testing.assert_close(standardize(0.3 * x + 0.2), standardize(x), atol=1e-4, rtol=0)


def test_standardize_gives_mean_zero_and_deviation_one_per_image():
    out = standardize(images(4), reduction=2)
    assert out.shape == (4, 3, 12, 16)
    torch.testing.assert_close(out.mean((1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.square().mean((1, 2, 3)), torch.ones(4), atol=1e-4, rtol=0)


def test_a_black_image_and_a_single_image_work():
    assert standardize(torch.zeros(3, 8, 8)).abs().max() == 0
    network = OrientedBackbone(8, generator=seeded())
    assert torch.isfinite(network(standardize(torch.zeros(1, 3, 8, 8)))).all()


def test_the_stem_has_finite_gradients_on_a_black_image():
    network = OrientedBackbone(8, generator=seeded())
    network(torch.zeros(1, 3, 8, 8)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_local_contrast_normalisation_ignores_the_strength_of_the_map():
    maps = torch.rand(1, 6, 9, 9, generator=seeded()) + 0.5
    torch.testing.assert_close(local_contrast_normalized(10 * maps), local_contrast_normalized(maps), atol=1e-4, rtol=0)


def test_weak_texture_is_raised_and_strong_texture_lowered():
    maps = torch.rand(1, 6, 9, 18, generator=seeded()) + 0.5
    maps[..., 9:] *= 10
    before, after = (m[..., 10:].mean() / m[..., :8].mean() for m in (maps, local_contrast_normalized(maps)))
    assert after < before / 3


def test_the_generator_decides_the_weights_and_the_global_stream_stays():
    before = torch.get_rng_state()
    one, two, other = (OrientedBackbone(8, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.project.weight, two.project.weight)
    assert not torch.equal(one.project.weight, other.project.weight)


def test_without_a_generator_the_global_stream_is_used():
    before = torch.get_rng_state()
    with drawing_from(None):
        torch.rand(1)
    assert not torch.equal(torch.get_rng_state(), before)


def test_small_cnn_classifies_or_maps():
    network = SmallCNN(8, n_classes=5, generator=seeded())
    x = standardize(images())
    assert network(x).shape == (2, 5)
    assert network.embed(x).shape == (2, 8)
    assert network.features(x).shape == (2, 8, 6, 8)


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="`images` must be of shape"):
        standardize(torch.zeros(2, 1, 8, 8))
    with pytest.raises(ValueError, match="`width` must be an integer of at least 14"):
        OrientedBackbone(width=8)
    with pytest.raises(ValueError, match="`n_classes` must be an integer of at least 2"):
        SmallCNN(8, n_classes=1)
