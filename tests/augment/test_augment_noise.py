"""Noise: mean and variance as the models say, the same numbers from the same seed, and the HLS variant."""

from __future__ import annotations

import colorsys

import pytest
import torch
from scipy import stats

from course_utils import augment
from course_utils.augment.noise import (
    DISPLAY_GAMMA,
    add_noise,
    hls_noise,
    hls_to_rgb,
    rgb_to_hls,
    sensor_light,
    sensor_noise,
)


def pictures(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -------------------------------------------------------------------------------------------------------------- Gaussian


def test_gaussian_noise_has_mean_zero_and_the_drawn_deviation():
    images = torch.full((8, 3, 100, 100), 0.5)
    transform = augment.GaussianNoise((0.02, 0.1))
    params = transform.sample(8, (3, 100, 100), generator())
    noise = transform.apply(images, params) - images
    standard_error = params.sigma / 30000**0.5
    assert bool((noise.flatten(1).mean(1).abs() < 4 * standard_error).all())
    ratio = noise.flatten(1).std(1) / params.sigma
    assert float((ratio - 1).abs().max()) < 4 / (2 * 30000) ** 0.5 + 1e-4  # 0.1 is cut off at 5 deviations: no effect
    assert stats.kstest((noise[0] / params.sigma[0]).flatten().numpy()[:5000], "norm").pvalue > 1e-3


def test_every_image_and_every_channel_has_noise_of_its_own():
    params = augment.GaussianNoise().sample(4, (3, 40, 40), generator())
    flat = params.noise.flatten(0, 1).flatten(1)
    correlation = torch.corrcoef(flat) - torch.eye(12)
    assert float(correlation.abs().max()) < 0.12
    assert len(params.sigma.unique()) == 4


def test_deviation_zero_gives_the_input_and_results_are_cut():
    images = pictures(2, 3, 5, 6)
    assert torch.equal(augment.GaussianNoise(0.0)(images), images)
    out = augment.GaussianNoise(5.0)(images)
    assert float(out.min()) == 0 and float(out.max()) == 1


def test_noise_can_be_replayed():
    images, transform = pictures(3, 3, 6, 6), augment.GaussianNoise()
    draw = transform.draw(images, generator(5))
    assert torch.equal(transform.replay(images, draw), transform.replay(images, draw))
    again = transform.draw(images, generator(5))
    assert torch.equal(transform.replay(images, again), transform.replay(images, draw))


# ------------------------------------------------------------------------------------------------------------ the sensor


@pytest.mark.parametrize("gain", [1.0, 4.0, 16.0])
@pytest.mark.parametrize("light", [0.02, 0.3, 0.8])
def test_the_sensor_keeps_the_mean_and_has_the_variance_of_its_formula(gain, light):
    n, full_well, read_noise = 300 * 300, 1000.0, 2.0
    values = torch.full((1, 1, 300, 300), light)
    seen = sensor_light(values, torch.tensor([[[[gain]]]]), [11], full_well, read_noise).double().flatten()
    variance = gain * light / full_well + (gain * read_noise / full_well) ** 2
    assert abs(float(seen.mean()) - light) < 4 * (variance / n) ** 0.5
    # the fourth moment of a Poisson number of a few electrons is a little above the Gaussian one
    assert abs(float(seen.var()) / variance - 1) < 5 * (2 / n) ** 0.5 * (1 + 1 / (light * full_well / gain)) ** 0.5


def test_noise_grows_with_the_square_root_of_the_gain():
    values = torch.full((4, 1, 200, 200), 0.5)
    gains = torch.tensor([1.0, 4.0, 16.0, 64.0])[:, None, None, None]
    deviation = sensor_light(values, gains, [1, 2, 3, 4], 1000.0, 0.0).flatten(1).std(1)
    assert (deviation[1:] / deviation[:-1]).tolist() == pytest.approx([2, 2, 2], rel=0.03)


def test_without_read_noise_the_light_comes_in_whole_electrons():
    values = pictures(1, 3, 20, 20)
    electrons = sensor_light(values, torch.tensor([[[[2.0]]]]), [3], 1000.0, 0.0) * 500
    assert float((electrons - electrons.round()).abs().max()) < 1e-3


def test_channels_are_independent_and_that_makes_grey_pictures_speckled():
    grey = torch.full((1, 3, 200, 200), 0.5)
    out = sensor_noise(grey, 16.0, torch.tensor([7]))
    correlation = torch.corrcoef(out[0].flatten(1)) - torch.eye(3)
    assert float(correlation.abs().max()) < 4 / 200
    assert float(out.std(1).mean()) > 0.03


def test_a_clean_sensor_is_nearly_the_identity_and_black_stays_black_without_read_noise():
    images = pictures(2, 3, 8, 8) * 0.9 + 0.05
    out = sensor_noise(images, 1e-6, torch.tensor([1, 2]), read_noise=0.0)
    assert float((out - images).abs().max()) < 1e-3
    black = torch.zeros(1, 3, 8, 8)
    assert torch.equal(sensor_noise(black, 16.0, torch.tensor([1]), read_noise=0.0), black)


def test_the_display_curve_is_undone_before_and_redone_after():
    images = torch.full((1, 1, 400, 400), 0.6)
    out = sensor_noise(images, 2.0, torch.tensor([3]))
    assert float(out.pow(DISPLAY_GAMMA).mean()) == pytest.approx(0.6**DISPLAY_GAMMA, abs=2e-4)


def test_the_same_seed_gives_an_image_the_same_noise_alone_and_in_a_batch():
    images, seeds = pictures(3, 3, 9, 9), torch.tensor([5, 6, 7])
    batch = sensor_noise(images, 4.0, seeds)
    # not bit by bit: the last bit of a power depends on where in memory a number stands
    torch.testing.assert_close(batch[1:2], sensor_noise(images[1:2], 4.0, seeds[1:2]), rtol=0, atol=1e-5)
    transform = augment.ISONoise()
    draw = transform.draw(images, generator(1))
    assert torch.equal(transform.replay(images, draw), transform.replay(images, draw))
    assert len(draw.params.seeds.unique()) == 3 and len(draw.params.strength.unique()) == 3


# ---------------------------------------------------------------------------------------------------------------- HLS


def test_hls_and_back_is_the_identity_and_agrees_with_the_standard_library():
    images = pictures(2, 3, 6, 7, dtype=torch.float64)
    images[0, :, 0, 0] = 0.3
    images[0, :, 0, 1] = 1.0
    images[0, :, 0, 2] = 0.0
    hue, lightness, saturation = rgb_to_hls(images)
    torch.testing.assert_close(hls_to_rgb(hue, lightness, saturation), images, rtol=0, atol=1e-12)
    for y in range(6):
        for x in range(7):
            expected = colorsys.rgb_to_hls(*images[0, :, y, x].tolist())
            got = (float(hue[0, y, x]) % 1, float(lightness[0, y, x]), float(saturation[0, y, x]))
            assert got == pytest.approx(expected, abs=1e-12)


def test_the_hls_variant_only_brightens_and_by_the_amount_of_its_formula():
    image = pictures(1, 3, 150, 150)
    _, lightness, _ = rgb_to_hls(image)
    intensity = 0.5
    out = hls_noise(image, intensity, 0.0, torch.tensor([1]))
    _, brighter, _ = rgb_to_hls(out)
    assert bool((brighter >= lightness - 1e-5).all())
    rate = 255 * float(lightness.std(correction=0)) * intensity
    expected = float((1 - lightness).mean()) * rate / 255
    assert float((brighter - lightness).mean()) == pytest.approx(expected, rel=0.02)


def test_the_hls_variant_turns_the_hue_by_its_deviation():
    image = torch.tensor([0.8, 0.3, 0.3])[None, :, None, None].expand(1, 3, 200, 200).clone()
    out = hls_noise(image, 0.5, 0.05, torch.tensor([1]))  # a constant image: no noise in lightness
    hue, lightness, _ = rgb_to_hls(out)
    assert float((lightness - 0.55).abs().max()) < 1e-5
    turned = (hue + 0.5) % 1 - 0.5
    assert float(turned.std()) == pytest.approx(0.5 * 0.05, rel=0.03)


def test_zero_intensity_is_the_identity_and_grey_stays_grey():
    images = pictures(2, 3, 7, 7)
    torch.testing.assert_close(hls_noise(images, 0.0, 0.05, torch.tensor([1, 2])), images, rtol=0, atol=1e-5)
    grey = pictures(2, 1, 7, 7)
    assert augment.ISONoise(model="hls")(grey).shape == grey.shape
    same = augment.ISONoise(model="hls")(grey.expand(-1, 3, -1, -1))
    assert float((same[:, 0] - same[:, 1]).abs().max()) < 1e-6


# ------------------------------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: augment.GaussianNoise(-0.1), "`sigma` must be a finite number of at least 0"),
        (lambda: augment.ISONoise(gain=0), "`gain` must be a finite number above 0"),
        (lambda: augment.ISONoise(full_well=0), "`full_well` must be a finite number above 0"),
        (lambda: augment.ISONoise(model="phone"), "`model` must be one of 'sensor', 'hls'"),
        (lambda: add_noise(pictures(2, 3, 4, 4), pictures(2, 3, 4, 4), [0.1, -0.1]), "got -0.1 for image 1"),
        (lambda: sensor_noise(pictures(2, 3, 4, 4), 1.0, torch.tensor([1])), "`seeds` must be int64 of shape"),
        (lambda: sensor_noise(pictures(1, 3, 4, 4), 1.0, torch.tensor([1.0])), "`seeds` must be int64 of shape"),
        (lambda: augment.ISONoise(model="hls")(pictures(2, 4, 4, 4)), "images with 1 or 3 channels"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_any_number_of_channels_and_empty_batches_pass():
    for transform in (augment.GaussianNoise(), augment.ISONoise()):
        assert transform(pictures(2, 5, 4, 4)).shape == (2, 5, 4, 4)
        assert transform(pictures(0, 3, 4, 4)).shape == (0, 3, 4, 4)
