"""Colour changes: equal to torchvision and Pillow image by image, identities bit by bit, and the edge cases."""

from __future__ import annotations

import colorsys
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats
from torchvision.transforms.v2 import functional as F

from course_utils import augment
from course_utils.augment import colour
from course_utils.augment import colour_jitter as jitter
from course_utils.augment.colour_jitter import STEPS, ColorJitterParams, colour_map, hue_matrix, jitter_exactly, jitter_fused
from course_utils.augment.per_image import per_image
from course_utils.data import photograph


def pictures(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def levels(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def one_by_one(function, images: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return torch.stack([function(image, value) for image, value in zip(images, values.tolist())])


def pillow(function, images: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    results = [function(Image.fromarray(image.permute(1, 2, 0).numpy()), value) for image, value in zip(images, values.tolist())]
    return torch.stack([torch.from_numpy(np.array(result)).permute(2, 0, 1) for result in results])


def largest_gap(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).abs().max())


FACTORS = torch.tensor([0.0, 0.3, 0.9, 1.0, 1.4, 2.5])
SHIFTS = torch.tensor([0.0, 0.1, -0.1, 0.5, -0.5, 0.33])
GAMMAS = torch.tensor([0.5, 0.8, 1.0, 1.2, 2.0, 3.0])
BITS = torch.tensor([1, 2, 3, 4, 6, 8])
THRESHOLDS = torch.tensor([0.0, 0.2, 0.5, 0.7, 1.0, 0.9])

# ours, torchvision's, values, tolerance for floats (1e-4: torchvision writes 0.2989 for red), grey levels for uint8
AGAINST_TORCHVISION = {
    "brightness": (colour.adjust_brightness, F.adjust_brightness, FACTORS, 1e-6, 1),
    "contrast": (colour.adjust_contrast, F.adjust_contrast, FACTORS, 2e-4, 1),
    "saturation": (colour.adjust_saturation, F.adjust_saturation, FACTORS, 2e-4, 2),  # torchvision cuts off twice
    "hue": (colour.adjust_hue, F.adjust_hue, SHIFTS, 1e-5, 1),
    "sharpness": (colour.adjust_sharpness, F.adjust_sharpness, FACTORS, 1e-6, 1),
    "gamma": (colour.adjust_gamma, F.adjust_gamma, GAMMAS, 1e-6, 1),
    "posterise": (colour.posterize, F.posterize, BITS, 0, 0),
}


@pytest.mark.parametrize("name", AGAINST_TORCHVISION)
def test_a_batch_equals_torchvision_image_by_image(name):
    ours, theirs, values, tolerance, steps = AGAINST_TORCHVISION[name]
    floats, bytes_ = pictures(6, 3, 17, 23), levels(6, 3, 17, 23)
    assert largest_gap(ours(floats, values), one_by_one(theirs, floats, values)) <= tolerance
    assert largest_gap(ours(bytes_, values), one_by_one(theirs, bytes_, values)) <= steps


@pytest.mark.parametrize(
    ("ours", "enhance"),
    [
        (colour.adjust_brightness, ImageEnhance.Brightness),
        (colour.adjust_contrast, ImageEnhance.Contrast),
        (colour.adjust_saturation, ImageEnhance.Color),
        (colour.adjust_sharpness, ImageEnhance.Sharpness),
    ],
)
def test_blends_of_uint8_equal_pillow_to_two_levels(ours, enhance):
    images = levels(6, 3, 17, 23)
    gap = largest_gap(ours(images, FACTORS), pillow(lambda image, f: enhance(image).enhance(f), images, FACTORS))
    # Pillow's mean grey is rounded to a whole level, which a factor of 2.5 makes 0.75, and its results are cut off
    assert gap <= 2


def test_solarise_posterise_invert_and_autocontrast_of_uint8_equal_pillow():
    images = levels(6, 3, 17, 23) // 2 + 40
    cut = (THRESHOLDS * 255).ceil()
    expected = pillow(lambda image, t: ImageOps.solarize(image, int(t)), images, cut)
    assert torch.equal(colour.solarize(images, THRESHOLDS), expected)
    assert torch.equal(colour.posterize(images, BITS), pillow(ImageOps.posterize, images, BITS))
    assert torch.equal(colour.invert(images), pillow(lambda image, _: ImageOps.invert(image), images, BITS))
    assert largest_gap(colour.autocontrast(images), pillow(lambda image, _: ImageOps.autocontrast(image), images, BITS)) <= 1


def test_solarise_and_autocontrast_of_floats_equal_torchvision():
    images = pictures(6, 3, 17, 23) / 2 + 0.2
    assert torch.equal(colour.solarize(images, THRESHOLDS), one_by_one(F.solarize, images, THRESHOLDS))
    assert largest_gap(colour.autocontrast(images), F.autocontrast(images)) <= 1e-6


def test_hue_equals_the_colour_system_of_the_standard_library():
    images, shift = pictures(1, 3, 5, 7, dtype=torch.float64), 0.21
    turned = colour.adjust_hue(images, shift)
    for y in range(5):
        for x in range(7):
            hue, saturation, value = colorsys.rgb_to_hsv(*images[0, :, y, x].tolist())
            expected = colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)
            assert turned[0, :, y, x].tolist() == pytest.approx(expected, abs=1e-12)


def test_grey_is_the_weighted_mean_in_every_channel():
    images = pictures(2, 3, 4, 5)
    grey = colour.grayscale(images)
    assert torch.equal(grey[:, 0], grey[:, 1]) and torch.equal(grey[:, 0], grey[:, 2])
    expected = 0.299 * images[:, 0] + 0.587 * images[:, 1] + 0.114 * images[:, 2]
    assert largest_gap(grey[:, 0], expected) < 1e-6
    assert largest_gap(colour.adjust_saturation(images, 0.0), grey) < 1e-6


# -------------------------------------------------------------------------------------------------- identities, invariants


@pytest.mark.parametrize("images", [pictures(3, 3, 6, 7), levels(3, 3, 6, 7)], ids=["float", "uint8"])
@pytest.mark.parametrize(
    ("function", "value"),
    [
        (colour.adjust_brightness, 1.0),
        (colour.adjust_contrast, 1.0),
        (colour.adjust_saturation, 1.0),
        (colour.adjust_sharpness, 1.0),
        (colour.adjust_hue, 0.0),
        (colour.adjust_hue, 1.0),
        (colour.adjust_gamma, 1.0),
        (colour.solarize, 1.5),
    ],
)
def test_the_neutral_value_gives_the_input_bit_by_bit(images, function, value):
    before = images.clone()
    assert torch.equal(function(images, value), images)
    assert torch.equal(images, before)


def test_eight_bits_leave_uint8_alone_and_give_floats_256_levels():
    assert torch.equal(colour.posterize(levels(2, 3, 4, 4), 8), levels(2, 3, 4, 4))
    assert len(colour.posterize(pictures(1, 1, 100, 100), 8).unique()) <= 256


def test_inverting_twice_and_stretching_twice():
    images, bytes_ = pictures(2, 3, 5, 6), levels(2, 3, 5, 6)
    assert torch.equal(colour.invert(colour.invert(bytes_)), bytes_)
    assert largest_gap(colour.invert(colour.invert(images)), images) < 1e-7
    stretched = colour.autocontrast(images * 0.3 + 0.2)
    assert torch.equal(colour.autocontrast(stretched), stretched)


def test_constant_images_stay_and_grey_pixels_keep_no_hue():
    flat = torch.full((1, 3, 4, 4), 0.4)
    assert torch.equal(colour.autocontrast(flat), flat)
    assert torch.equal(colour.adjust_hue(flat, 0.3), flat)
    black_and_white = torch.tensor([0.0, 1.0]).expand(1, 3, 2, 2)
    assert torch.equal(colour.adjust_hue(black_and_white, 0.3), black_and_white)
    half = torch.stack([flat[0, 0], pictures(4, 4), flat[0, 0]])[None]
    assert torch.equal(colour.autocontrast(half)[:, ::2], half[:, ::2])


def test_border_pixels_and_images_of_two_pixels_are_not_sharpened():
    images = pictures(2, 3, 6, 5)
    sharp = colour.adjust_sharpness(images, 2.0)
    border = torch.ones(6, 5, dtype=torch.bool)
    border[1:-1, 1:-1] = False
    assert torch.equal(sharp[..., border], images[..., border])
    assert not torch.equal(sharp[..., ~border], images[..., ~border])
    assert torch.equal(colour.adjust_sharpness(images[..., :2], 2.0), images[..., :2])


factors = st.floats(0, 3, width=32)


@given(factor=factors, shift=st.floats(-1, 1, width=32), seed=st.integers(0, 1000), channels=st.sampled_from([1, 3]))
def test_every_change_keeps_range_dtype_and_input(factor, shift, seed, channels):
    images = pictures(2, channels, 5, 4, seed=seed)
    before = images.clone()
    changes = (colour.adjust_brightness, colour.adjust_contrast, colour.adjust_saturation, colour.adjust_sharpness)
    for change, value in [*((c, factor) for c in changes), (colour.adjust_hue, shift)]:
        out = change(images, value)
        assert out.dtype == images.dtype and out.shape == images.shape
        assert 0 <= float(out.min()) and float(out.max()) <= 1
        assert torch.equal(images, before)


@given(shift=st.floats(-1, 1, width=32), seed=st.integers(0, 1000))
def test_a_hue_turn_keeps_the_largest_and_smallest_channel_and_can_be_undone(shift, seed):
    images = pictures(2, 3, 5, 4, seed=seed)
    turned = colour.adjust_hue(images, shift)
    assert largest_gap(turned.amax(1), images.amax(1)) < 1e-6
    assert largest_gap(turned.amin(1), images.amin(1)) < 1e-6
    assert largest_gap(colour.adjust_hue(turned, -shift), images) < 1e-4


@given(a=st.floats(0.1, 0.9), b=st.floats(0.1, 0.9), seed=st.integers(0, 100))
def test_factors_below_one_multiply(a, b, seed):
    images = pictures(2, 3, 5, 4, seed=seed, dtype=torch.float64)
    for change in (colour.adjust_brightness, colour.adjust_contrast, colour.adjust_saturation):
        assert largest_gap(change(change(images, a), b), change(images, a * b)) < 1e-6


def test_every_image_gets_its_own_value():
    images = pictures(6, 3, 9, 8)
    for ours, _, values, _, _ in AGAINST_TORCHVISION.values():
        batch = ours(images, values)
        alone = torch.cat([ours(images[i : i + 1], values[i : i + 1]) for i in range(6)])
        assert largest_gap(batch, alone) < 1e-6


# ------------------------------------------------------------------------------------------------------------ channels


def test_channels_are_put_into_the_given_order():
    images = levels(2, 3, 4, 5)
    out = colour.shuffle_channels(images, torch.tensor([[2, 0, 1], [0, 1, 2]]))
    assert torch.equal(out[0], images[0, [2, 0, 1]]) and torch.equal(out[1], images[1])
    with pytest.raises(ValueError, match="`order` must be one permutation of 0..2"):
        colour.shuffle_channels(images, torch.tensor([[0, 0, 1], [0, 1, 2]]))


def test_all_channel_orders_are_equally_likely():
    order = augment.ChannelShuffle().sample(6000, (3, 4, 4), torch.Generator().manual_seed(0)).order
    counts = Counter(tuple(row) for row in order.tolist())
    assert len(counts) == 6
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_grey_images_have_no_colour_to_change():
    images = pictures(2, 1, 4, 5)
    for change in (colour.adjust_saturation, colour.adjust_hue):
        assert torch.equal(change(images, 0.3), images)
    assert torch.equal(colour.grayscale(images), images)
    assert torch.equal(augment.PCAColorNoise()(images), images)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_numbers_of_channels_are_refused_where_colour_is_needed(channels):
    images = pictures(1, channels, 4, 4)
    for change in (colour.adjust_contrast, colour.adjust_saturation, colour.adjust_hue):
        with pytest.raises(ValueError, match=f"`images` must be images with 1 or 3 channels, but got {channels} channels"):
            change(images, 0.3)
    with pytest.raises(ValueError, match="1 or 3 channels"):
        colour.grayscale(images)
    for change in (colour.adjust_brightness, colour.adjust_gamma, colour.solarize):
        assert change(images, 0.3).shape == images.shape


def test_principal_colours_are_those_of_the_covariance():
    images = pictures(20, 3, 8, 8) * torch.tensor([1.0, 0.5, 0.1])[:, None, None]
    colours = colour.principal_colours(images)
    pixels = images.transpose(0, 1).flatten(1).double().numpy()
    values, vectors = np.linalg.eigh(np.cov(pixels))
    for k in range(3):
        mine, theirs = colours[:, k].double().numpy(), vectors[:, 2 - k] * values[2 - k]
        assert min(np.abs(mine - theirs).max(), np.abs(mine + theirs).max()) < 1e-7


def test_colour_noise_shifts_all_pixels_of_an_image_alike():
    images = torch.full((2, 3, 4, 5), 0.5)
    amounts = torch.tensor([[0.1, 0.0, 0.0], [0.0, -0.2, 0.1]])
    shift = augment.colour.add_principal_colours(images, amounts, augment.PCAColorNoise().colours) - images
    assert torch.equal(shift, shift[..., :1, :1].expand_as(shift))
    assert shift[0, :, 0, 0].tolist() == pytest.approx([-0.5675 * 0.02175, -0.5808 * 0.02175, -0.5836 * 0.02175], abs=1e-6)


# -------------------------------------------------------------------------------------------------------- ColorJitter


def in_torchvision(images: torch.Tensor, params: ColorJitterParams) -> torch.Tensor:
    changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
    out = []
    for i, image in enumerate(images):
        for step in params.order[i].tolist():
            image = changes[step](image, float(getattr(params, STEPS[step])[i]))
        out.append(image)
    return torch.stack(out)


def test_exact_jitter_equals_torchvision_with_the_same_draws():
    images, transform = pictures(64, 3, 16, 16), augment.ColorJitter(0.8, 0.8, 0.8, 0.2)
    params = transform.sample(64, (3, 16, 16), torch.Generator().manual_seed(3))
    assert len(params.order.unique(dim=0)) > 15
    gap = (transform.apply(images, params) - in_torchvision(images, params)).abs()
    # 0.2989 for 0.299 moves grey by 1e-4; a hue turn of a nearly grey pixel can enlarge it
    assert float(gap.max()) < 2e-3 and float(gap.mean()) < 1e-4


def test_all_orders_are_equally_likely_and_differ_inside_a_batch():
    params = augment.ColorJitter(0.4, 0.4, 0.4, 0.1).sample(4800, (3, 8, 8), torch.Generator().manual_seed(0))
    counts = Counter(tuple(row) for row in params.order.tolist())
    assert len(counts) == 24
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_amounts_are_uniform_in_their_ranges():
    params = augment.ColorJitter(0.4, (0.9, 1.5), 2.0, 0.1).sample(5000, (3, 8, 8), torch.Generator().manual_seed(1))
    expected = {"brightness": (0.6, 1.4), "contrast": (0.9, 1.5), "saturation": (0.0, 3.0), "hue": (-0.1, 0.1)}
    for name, (low, high) in expected.items():
        drawn = getattr(params, name).numpy()
        assert stats.kstest(drawn, stats.uniform(low, high - low).cdf).pvalue > 1e-3


def test_steps_without_a_range_are_left_out():
    transform = augment.ColorJitter(contrast=0.4, hue=0.1)
    params = transform.sample(10, (3, 8, 8))
    assert params.order.shape == (10, 2) and set(params.order.flatten().tolist()) == {1, 3}
    images = pictures(4, 3, 8, 8)
    for method in ("exact", "fused"):
        assert largest_gap(augment.ColorJitter(method=method)(images), images) < 1e-6


def no_jitter(n: int, **changed: torch.Tensor) -> ColorJitterParams:
    one = torch.ones(n)
    amounts = {"brightness": one, "contrast": one, "saturation": one, "hue": torch.zeros(n)} | changed
    return ColorJitterParams(**amounts, order=torch.stack([torch.randperm(4) for _ in range(n)]))


def test_fused_jitter_equals_the_exact_one_where_nothing_is_cut_and_no_hue_is_turned():
    images = pictures(32, 3, 12, 12) * 0.3 + 0.35
    wide = torch.rand(3, 32) * 0.4 + 0.8
    params = no_jitter(32, brightness=wide[0], contrast=wide[1], saturation=wide[2])
    assert largest_gap(jitter_fused(images, params), jitter_exactly(images, params)) < 1e-5


def test_the_fused_hue_is_exact_at_thirds_and_keeps_grey():
    images = pictures(3, 3, 6, 6)
    thirds = torch.tensor([0.0, 1 / 3, -1 / 3])
    assert largest_gap(jitter_fused(images, no_jitter(3, hue=thirds)), colour.adjust_hue(images, thirds)) < 1e-5
    grey = torch.full((1, 3), 0.4)
    matrix, offset = colour_map(grey, no_jitter(1, hue=torch.tensor([0.13])))
    assert largest_gap(matrix[0] @ grey[0] + offset[0], grey[0]) < 1e-6


def test_the_turn_about_the_grey_axis_is_nearer_to_hsv_than_the_turn_in_yiq():
    """The reason for ``hue_matrix``: the usual linear stand-in is worse on a photograph."""
    image = photograph("astronaut")[None, :, ::4, ::4] / 255
    to_yiq = torch.tensor([[0.299, 0.587, 0.114], [0.5957, -0.2745, -0.3213], [0.2115, -0.5226, 0.3111]])
    for turn in (-0.1, -0.05, 0.05, 0.1):
        angle = torch.tensor(turn * 2 * torch.pi)
        plane = torch.eye(3)
        plane[1:, 1:] = torch.tensor([[angle.cos(), angle.sin()], [-angle.sin(), angle.cos()]])
        usual = torch.linalg.inv(to_yiq) @ plane @ to_yiq
        exact = colour.adjust_hue(image, turn)
        errors = [
            float((torch.einsum("dc,bchw->bdhw", m, image).clamp(0, 1) - exact).abs().mean())
            for m in (hue_matrix(torch.tensor([turn]))[0], usual)
        ]
        assert errors[0] < 0.75 * errors[1]


def test_fused_jitter_of_grey_images_stays_grey():
    images = pictures(4, 1, 6, 6)
    out = augment.ColorJitter(0.4, 0.4, 0.4, 0.1, method="fused")(images)
    assert out.shape == images.shape and not torch.equal(out, images)


# ----------------------------------------------------------------------------------------------------------- messages


def test_arguments_out_of_range_are_refused_by_name():
    images = pictures(3, 3, 4, 4)
    cases = [
        (colour.adjust_brightness, -0.1, "`factors` must be at least 0, but got -0.1 for image 0"),
        (colour.adjust_contrast, torch.tensor([1.0, -2.0, 1.0]), "`factors` must be at least 0, but got -2 for image 1"),
        (colour.adjust_saturation, torch.tensor([1.0, 1.0, torch.nan]), "but got nan for image 2"),
        (colour.adjust_hue, torch.inf, "`shifts` must be finite"),
        (colour.adjust_gamma, 0.0, "`gammas` must be above 0"),
        (colour.posterize, 9, "`bits` must be at least 1 and at most 8"),
        (colour.posterize, 2.5, "`bits` must be whole numbers from 1 to 8"),
        (colour.solarize, -0.5, "`thresholds` must be at least 0"),
        (colour.adjust_brightness, torch.ones(2), "`factors` must be a number, or one for each of the 3 images"),
    ]
    for function, value, text in cases:
        with pytest.raises(ValueError, match=text.replace("(", r"\(")):
            function(images, value)


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        (np.zeros((1, 3, 4, 4)), TypeError, "`images` must be a torch.Tensor, but got ndarray"),
        (torch.zeros(3, 4, 4), ValueError, "`images` must be a batch of shape"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), TypeError, "of dtype uint8 or floating"),
        (torch.zeros(1, 3, 0, 4), ValueError, "at least one channel and pixel"),
    ],
)
def test_images_of_another_kind_are_refused(bad, error, text):
    for function in (colour.adjust_brightness, colour.adjust_hue, colour.posterize):
        with pytest.raises(error, match=text):
            function(bad, 1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: augment.BrightnessJitter(-1), "`brightness` must be a finite number of at least 0"),
        (lambda: augment.ContrastJitter((1.2, 0.8)), r"`contrast` must be a range \(low, high\) of at least 0 with low <= high"),
        (lambda: augment.HueJitter(0.6), "`hue` must be a finite number between 0 and 0.5"),
        (lambda: augment.ColorJitter(hue=(-0.7, 0)), "`hue` must be a finite number between -0.5 and 0.5"),
        (lambda: augment.ColorJitter(method="quick"), "`method` must be one of 'exact', 'fused'"),
        (lambda: augment.Gamma((0, 1)), "`gamma` must be a finite number above 0"),
        (lambda: augment.Posterize((5, 3)), "`bits` must be an integer between 5 and 8"),
        (lambda: augment.PCAColorNoise(colours=torch.zeros(2, 3)), "`colours` must be a tensor of shape"),
    ],
)
def test_constructors_refuse_by_name(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_transforms_refuse_nan_and_images_that_are_already_normalised():
    images = pictures(3, 3, 4, 4)
    spoiled = images.clone()
    spoiled[1, 0, 0, 0] = torch.nan
    for transform in (augment.ColorJitter(0.4), augment.Gamma(), augment.AutoContrast()):
        with pytest.raises(ValueError, match="NaN in image 1"):
            transform(spoiled)
        with pytest.raises(ValueError, match="image 0.*Normalise with mean and deviation after"):
            transform(images - 0.5)


def test_half_precision_is_computed_in_single_precision():
    images = pictures(2, 3, 40, 40).half()
    out = colour.adjust_contrast(images, 0.5)
    assert out.dtype == torch.float16
    assert torch.equal(out, colour.adjust_contrast(images.float(), 0.5).half())


def test_double_precision_stays():
    images = pictures(2, 3, 4, 4, dtype=torch.float64)
    for function in (colour.adjust_contrast, colour.adjust_hue, colour.adjust_saturation):
        assert function(images, 0.3).dtype == torch.float64


def test_empty_batches_and_single_pixels_pass():
    for shape in ((0, 3, 4, 4), (2, 3, 1, 1), (2, 1, 1, 5)):
        images = pictures(*shape)
        for function in (colour.adjust_contrast, colour.adjust_hue, colour.adjust_saturation, colour.adjust_sharpness):
            assert function(images, 0.3).shape == shape
        assert colour.autocontrast(images).shape == shape
    assert per_image(0.3, "x", torch.zeros(0, 3, 4, 4)).shape == (0,)


def test_transforms_show_their_ranges():
    assert "from 0.6 to 1.4" in repr(augment.BrightnessJitter(0.4))
    assert "hue=(-0.1, 0.1)" in repr(augment.ColorJitter(hue=0.1))
    assert jitter.around_one(1.5, "x") == (0, 2.5)


@pytest.mark.parametrize(
    ("transform", "theirs"),
    [
        (augment.BrightnessJitter((0.3, 1.7)), F.adjust_brightness),
        (augment.ContrastJitter((0.3, 1.7)), F.adjust_contrast),
        (augment.SaturationJitter((0.3, 1.7)), F.adjust_saturation),
        (augment.HueJitter(0.4), F.adjust_hue),
    ],
)
def test_a_jitter_of_one_thing_gives_each_image_torchvisions_result_at_its_own_factor(transform, theirs):
    images = pictures(5, 3, 12, 12)
    params = transform.sample(5, (3, 12, 12), torch.Generator().manual_seed(0))
    assert len(params.factors.unique()) == 5
    expected = torch.stack([theirs(image, float(f)) for image, f in zip(images, params.factors)])
    assert torch.allclose(transform.apply(images, params), expected, atol=1e-3)  # torchvision's grey has 0.2989 R
