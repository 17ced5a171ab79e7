"""AugMix: each operation against Pillow and torchvision, the mixture against its bounds, the draws against their laws."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats
from torchvision.transforms.v2 import functional

from course_utils.augment.augmix import AugMix, AugMixParams, mix_chains
from course_utils.augment.augmix_operations import ALL, OPERATIONS, PAPER, apply_operations_, matrices

HEIGHT, WIDTH = 24, 32


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _pictures(n: int = 4, channels: int = 3, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> torch.Tensor:
    """Smooth random pictures: bilinear sampling is compared on edges that are not pure noise."""
    coarse = torch.rand(n, channels, 5, 6, generator=_generator(seed))
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear") * 200 + 20
    return (fine + 10 * torch.rand(n, channels, height, width, generator=_generator(seed + 1))).to(torch.uint8)


def _applied(name: str, images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    return apply_operations_(images.clone(), torch.zeros(len(images), dtype=torch.long), amounts.double(), (name,))


def _pillow(name: str, image: torch.Tensor, amount: float) -> torch.Tensor:
    """The released code's functions, from their description, with Pillow."""
    size = (image.shape[2], image.shape[1])
    picture = Image.fromarray(image.movedim(0, 2).numpy())
    affine = {
        "shear_x": (1, amount, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, amount, 1, 0),
        "translate_x": (1, 0, amount, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, amount),
    }
    if name in affine:
        out = picture.transform(size, Image.Transform.AFFINE, affine[name], resample=Image.Resampling.BILINEAR)
    elif name == "rotate":
        out = picture.rotate(amount, resample=Image.Resampling.BILINEAR)
    elif name in ("posterize", "solarize"):
        out = getattr(ImageOps, name)(picture, int(amount))
    elif name in ("autocontrast", "equalize"):
        out = getattr(ImageOps, name)(picture)
    else:
        out = getattr(ImageEnhance, name.capitalize())(picture).enhance(amount)
    return torch.from_numpy(np.array(out)).movedim(2, 0)


AMOUNTS = {
    "autocontrast": [0.0],
    "equalize": [0.0],
    "posterize": [1.0, 3.0, 4.0],
    "rotate": [-30.0, -9.0, -1.0, 0.0, 4.0, 9.0],
    "solarize": [0.0, 100.0, 180.0, 254.0],  # torchvision does not know 256, the identity
    "shear_x": [-0.3, -0.09, 0.003, 0.09],
    "shear_y": [-0.3, -0.09, 0.003, 0.09],
    "translate_x": [-10.0, -3.0, 0.0, 1.0, 8.0],
    "translate_y": [-7.0, -2.0, 0.0, 1.0, 6.0],
    "color": [0.12, 0.64, 1.0, 1.9],
    "contrast": [0.12, 0.64, 1.0, 1.9],
    "brightness": [0.12, 0.64, 1.0, 1.9],
    "sharpness": [0.12, 0.64, 1.0, 1.9],
}


@pytest.mark.parametrize("name", ALL)
def test_every_operation_equals_pillow_within_a_level(name: str) -> None:
    images = _pictures(len(AMOUNTS[name]))
    ours = _applied(name, images, torch.tensor(AMOUNTS[name]))
    edge = slice(1, -1)
    for image, mine, amount in zip(images, ours, AMOUNTS[name], strict=True):
        theirs = _pillow(name, image, amount)
        difference = (mine.int() - theirs.int()).abs()
        if name in ("rotate", "shear_x", "shear_y"):
            # Pillow cuts hard where the frame ends, torchvision and we fade over the outer half pixel: leave out what touches
            # black in either picture.
            black = ((mine == 0).all(0) | (theirs == 0).all(0)).float()[None, None]
            near = torch.nn.functional.max_pool2d(black, 3, 1, 1)[0, 0].bool()
            difference = difference.masked_fill(near, 0)[:, edge, edge]
            assert near.float().mean() < 0.6
        assert difference.max() <= 1, (amount, difference.max())


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"])
def test_every_geometric_operation_equals_torchvision(name: str) -> None:
    images = _pictures(len(AMOUNTS[name]))
    ours = _applied(name, images, torch.tensor(AMOUNTS[name]))
    for image, mine, amount in zip(images, ours, AMOUNTS[name], strict=True):
        bilinear = functional.InterpolationMode.BILINEAR
        if name == "rotate":
            theirs = functional.rotate(image, amount, interpolation=bilinear)
        else:
            degrees = float(np.degrees(np.arctan(amount)))
            shear = {"shear_x": [degrees, 0.0], "shear_y": [0.0, degrees]}.get(name, [0.0, 0.0])
            # torchvision shears the content to the right by tan(degrees) per row and translates it; Pillow reads from there.
            shift = {"translate_x": [-int(amount), 0], "translate_y": [0, -int(amount)]}.get(name, [0, 0])
            theirs = functional.affine(
                image, angle=0.0, translate=shift, scale=1.0, shear=shear, interpolation=bilinear, center=[0, 0]
            )
        assert (mine.int() - theirs.int()).abs().max() <= 1, amount


@pytest.mark.parametrize("name", ["autocontrast", "equalize", "posterize", "solarize"])
def test_every_colour_operation_equals_torchvision(name: str) -> None:
    images = torch.cat([_pictures(len(AMOUNTS[name])), _pictures(len(AMOUNTS[name]), seed=5) // 3])
    amounts = torch.tensor(AMOUNTS[name] * 2)
    ours = _applied(name, images, amounts)
    for image, mine, amount in zip(images, ours, amounts.tolist(), strict=True):
        arguments = {"posterize": [int(amount)], "solarize": [amount]}.get(name, [])
        theirs = getattr(functional, name)(image, *arguments)
        allowed = 1 if name == "autocontrast" else 0  # torchvision cuts the fraction off, we round
        assert (mine.int() - theirs.int()).abs().max() <= allowed


def test_from_256_on_nothing_is_inverted() -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(_applied("solarize", images, torch.tensor([256.0])), images)
    assert _applied("solarize", images, torch.tensor([255.0]))[0, 0, -1, -1] == 0


def _code_amount(name: str, level: float, side: int) -> float:
    """int_parameter and float_parameter of the released code, written down from their description."""
    return {
        "posterize": lambda: 4 - int(level * 4 / 10),
        "rotate": lambda: int(level * 30 / 10),
        "solarize": lambda: 256 - int(level * 256 / 10),
        "shear_x": lambda: level * 0.3 / 10,
        "shear_y": lambda: level * 0.3 / 10,
        "translate_x": lambda: int(level * (side / 3) / 10),
        "translate_y": lambda: int(level * (side / 3) / 10),
    }.get(name, lambda: level * 1.8 / 10 + 0.1)()


@pytest.mark.parametrize("name", [name for name in ALL if OPERATIONS[name].maximum is not None])
def test_the_amount_of_a_level_is_the_released_codes(name: str) -> None:
    levels = torch.rand(500, generator=_generator(), dtype=torch.float32) * 9.9 + 0.1
    signs = torch.where(torch.rand(500, generator=_generator(1)) < 0.5, -1.0, 1.0)
    operation = OPERATIONS[name]
    amounts = operation.amounts(levels, signs, 24, 32)
    side = 24 if name == "translate_y" else 32
    expected = [_code_amount(name, level, side) for level in levels.tolist()]
    factor = signs.double() if operation.signed else 1.0
    torch.testing.assert_close(amounts, torch.tensor(expected, dtype=torch.float64) * factor, rtol=0, atol=1e-9)


def test_severity_three_keeps_four_or_three_bits_and_turns_at_most_nine_degrees() -> None:
    params = AugMix(severity=3).sample(3000, (3, 32, 32), _generator())
    mix = AugMix(severity=3)
    amounts = mix.amounts(params, 32, 32)
    of = {name: amounts[params.operations == i] for i, name in enumerate(mix.operations)}
    assert set(of["posterize"].tolist()) == {3.0, 4.0}
    assert set(of["rotate"].abs().tolist()) == set(map(float, range(9)))  # int(3 u) < 9
    assert of["translate_x"].abs().max() == 3 and of["shear_x"].abs().max() < 0.09
    assert of["solarize"].min() >= 256 - 76


def test_the_paper_leaves_four_operations_out() -> None:
    assert len(PAPER) == 9 and set(ALL) - set(PAPER) == {"color", "contrast", "brightness", "sharpness"}
    assert AugMix().operations == PAPER and AugMix(operations="all").operations == ALL
    assert AugMix(operations=("rotate", "equalize")).operations == ("rotate", "equalize")
    assert AugMix(operations="rotate").operations == ("rotate",)


def test_a_small_level_of_the_extra_brightness_is_nearly_black() -> None:
    """The quirk of the card: factor 0.18 u + 0.1."""
    factor = OPERATIONS["brightness"].amounts(torch.tensor([0.1]), torch.tensor([1.0]), 8, 8)
    assert 0.11 < float(factor) < 0.12


# ----------------------------------------------------------------------------------------------------------- the mixture


def _drawn(images: torch.Tensor, seed: int = 0, **options) -> tuple[AugMix, AugMixParams]:
    mix = AugMix(**options)
    return mix, mix.sample(len(images), tuple(images.shape[1:]), _generator(seed))


@pytest.mark.parametrize("operations", ["paper", "all"])
def test_the_batch_equals_a_loop_over_images_and_chains(operations: str) -> None:
    images = _pictures(6)
    mix, params = _drawn(images, operations=operations, severity=5)
    amounts = mix.amounts(params, HEIGHT, WIDTH)
    together = mix.apply(images.float() / 255, params)
    for i in range(len(images)):
        augmented = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.float64)
        for chain in range(mix.width):
            picture = images[i : i + 1]
            for step in range(3):
                which = int(params.operations[i, chain, step])
                if which >= 0:
                    picture = _applied(mix.operations[which], picture, amounts[i, chain, step, None])
            augmented += float(params.weights[i, chain]) * picture[0].double() / 255
        m = float(params.m[i])
        expected = (1 - m) * images[i].double() / 255 + m * augmented
        torch.testing.assert_close(together[i].double(), expected, rtol=0, atol=2e-6)


def test_images_in_parts_equal_images_together(monkeypatch: pytest.MonkeyPatch) -> None:
    images = _pictures(5)
    mix, params = _drawn(images)
    whole = mix.apply(images, params)
    monkeypatch.setattr("course_utils.augment.augmix.FAST_MEMORY", 2 * 3 * images[0].numel())
    assert torch.equal(mix.apply(images, params), whole)


def test_the_mixture_stays_inside_the_hull_of_the_chains_and_the_image() -> None:
    images = _pictures(16).float() / 255
    mix, params = _drawn(images, severity=10)
    everything = torch.cat([images[:, None], mix.chains(images, params).float() / 255], 1)  # (B, 1 + k, C, H, W)
    mixed = mix.apply(images, params)
    assert (mixed >= everything.amin(1) - 1e-6).all() and (mixed <= everything.amax(1) + 1e-6).all()


def test_the_mean_colour_of_a_mixture_is_the_mixture_of_the_mean_colours() -> None:
    images = _pictures(8).double() / 255
    mix, params = _drawn(images)
    ends = mix.chains(images, params).double() / 255
    means = (params.weights.double()[:, :, None] * ends.mean((3, 4))).sum(1)
    m = params.m.double()[:, None]
    expected = (1 - m) * images.mean((2, 3)) + m * means
    torch.testing.assert_close(mix.apply(images, params).mean((2, 3)), expected, rtol=0, atol=1e-6)


def test_without_mixed_chains_the_image_comes_back_bit_by_bit() -> None:
    for images in (torch.rand(3, 3, 9, 7, generator=_generator()), _pictures(3)):
        mix, params = _drawn(images)
        params = replace(params, m=torch.zeros(3))
        assert torch.equal(mix.apply(images, params), images)


def test_chains_without_operations_give_the_image_back() -> None:
    images = _pictures(4)
    mix, params = _drawn(images)
    params = replace(params, operations=torch.full_like(params.operations, -1))
    assert torch.equal(mix.apply(images, params), images)
    floats = images.float() / 255
    torch.testing.assert_close(mix.apply(floats, params), floats, rtol=0, atol=1e-6)
    solarize = AugMix(operations=("solarize", "posterize", "rotate"))  # an operation that inverts nothing is the identity too
    params = replace(params, operations=torch.zeros_like(params.operations), levels=torch.full_like(params.levels, 0.01))
    assert torch.equal(solarize.apply(images, params), images)


def test_one_chain_of_weight_one_and_m_one_is_that_chain() -> None:
    images = _pictures(4)
    mix, params = _drawn(images)
    for chain in range(3):
        weights = torch.zeros(4, 3)
        weights[:, chain] = 1
        edited = replace(params, weights=weights, m=torch.ones(4))
        assert torch.equal(mix.apply(images, edited), mix.chains(images, edited)[:, chain])


def test_steps_show_every_chain_from_the_image_to_its_end() -> None:
    images = _pictures(4)
    mix, params = _drawn(images)
    steps = mix.steps(images, params)
    assert steps.shape == (4, 3, 4, 3, HEIGHT, WIDTH)
    assert torch.equal(steps[:, :, 0], images[:, None].expand(4, 3, *images.shape[1:]))
    assert torch.equal(steps[:, :, -1], mix.chains(images, params))


def test_mean_and_deviation_may_be_taken_before_or_after() -> None:
    """Convex mixing commutes with an affine map: the released code normalises first and mixes then."""
    images = _pictures(4).double() / 255
    mix, params = _drawn(images)
    ends, mean, deviation = mix.chains(images, params), 0.45, 0.27
    after = (mix.apply(images, params) - mean) / deviation
    normalised = (ends.double() / 255 - mean) / deviation
    m, weights = params.m.double()[:, None, None, None], params.weights.double()[..., None, None, None]
    before = (1 - m) * (images - mean) / deviation + m * (weights * normalised).sum(1)
    torch.testing.assert_close(before, after, rtol=0, atol=1e-6)


def test_the_same_numbers_give_the_same_picture_and_words() -> None:
    images = _pictures(3)
    mix, params = _drawn(images)
    assert torch.equal(mix.apply(images, params), mix.apply(images, params))
    chains = mix.words(params, HEIGHT, WIDTH, image=1)
    assert [len(chain) for chain in chains] == (params.operations[1] >= 0).sum(1).tolist()
    edited = replace(params, operations=torch.tensor([[[3, -1, 2], [1, -1, -1], [-1, -1, -1]]] * 3))
    edited = replace(edited, levels=torch.full_like(edited.levels, 2.5), signs=-torch.ones_like(edited.signs))
    assert mix.words(edited, HEIGHT, WIDTH) == [["rotate -7 degrees", "posterize 3 bits"], ["equalize"], []]


# ------------------------------------------------------------------------------------------------------------- the draws


def test_weights_are_convex_and_uniform_on_the_simplex() -> None:
    params = AugMix(width=3).sample(4000, (3, 8, 8), _generator())
    torch.testing.assert_close(params.weights.sum(1), torch.ones(4000), rtol=0, atol=1e-6)
    assert (params.weights >= 0).all()
    # One coordinate of Dirichlet(1, 1, 1) is Beta(1, 2); m of alpha = 1 is uniform.
    assert stats.kstest(params.weights[:, 0].numpy(), stats.beta(1, 2).cdf).pvalue > 1e-3
    assert stats.kstest(params.m.numpy(), stats.uniform.cdf).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [0.05, 0.5, 4.0])
def test_alpha_shapes_both_distributions(alpha: float) -> None:
    params = AugMix(width=4, alpha=alpha).sample(3000, (3, 8, 8), _generator(1))
    torch.testing.assert_close(params.weights.sum(1), torch.ones(3000), rtol=0, atol=1e-5)
    assert abs(params.weights.mean(0) - 0.25).max() < 0.03
    variance = 0.25 * 0.75 / (4 * alpha + 1)
    assert abs(float(params.weights[:, 0].var()) / variance - 1) < 0.15
    assert abs(float(params.m.var()) / (0.25 / (2 * alpha + 1)) - 1) < 0.15


def test_depths_operations_levels_and_signs_follow_their_laws() -> None:
    mix = AugMix(severity=3)
    params = mix.sample(2000, (3, 8, 8), _generator(2))
    used = params.operations >= 0
    depths = used.sum(2).flatten()
    assert stats.chisquare(np.bincount(depths.numpy(), minlength=4)[1:]).pvalue > 1e-3
    assert (used[..., :-1] | ~used[..., 1:]).all()  # no gap inside a chain
    assert stats.chisquare(np.bincount(params.operations[used].numpy(), minlength=9)).pvalue > 1e-3
    first, second = params.operations[..., 0][depths.reshape(2000, 3) > 1], params.operations[..., 1][used[..., 1]]
    assert stats.chi2_contingency(np.histogram2d(first.numpy(), second.numpy(), bins=9)[0]).pvalue > 1e-3  # with replacement
    assert stats.kstest(params.levels.flatten().numpy(), stats.uniform(0.1, 2.9).cdf).pvalue > 1e-3
    assert abs(params.signs.mean()) < 0.03 and set(params.signs.unique().tolist()) == {-1.0, 1.0}


def test_a_fixed_depth_is_the_depth_of_every_chain() -> None:
    params = AugMix(depth=4, width=2).sample(10, (3, 8, 8), _generator())
    assert params.operations.shape == (10, 2, 4) and (params.operations >= 0).all()


def test_every_image_draws_for_itself_and_a_batch_can_share_one_draw() -> None:
    torch.manual_seed(0)
    same = _pictures(1).expand(8, 3, HEIGHT, WIDTH)
    assert len(AugMix()(same).flatten(1).unique(dim=0)) == 8
    assert len(AugMix(per="batch")(same).flatten(1).unique(dim=0)) == 1


def test_views_are_the_clean_images_and_two_independent_mixtures() -> None:
    images = _pictures(5).float() / 255
    mix = AugMix()
    clean, one, two = mix.views(images, _generator(3)).split(5)
    assert torch.equal(clean, images)
    changed = [(a - b).flatten(1).abs().amax(1) for a, b in itertools.combinations((clean, one, two), 2)]
    assert torch.stack(changed).median() > 0.02
    assert torch.equal(mix.views(images, _generator(3)), torch.cat([clean, one, two]))
    assert mix.views(_pictures(2)).dtype == torch.uint8
    assert mix.views(images[0]).shape == (3, 3, HEIGHT, WIDTH)


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("wrong", [[0.5, 0.5, 0.5], [1.2, -0.2, 0.0], [float("nan"), 0.5, 0.5]])
def test_weights_that_are_not_convex_are_refused(wrong: list[float]) -> None:
    images = _pictures(2)
    mix, params = _drawn(images)
    weights = params.weights.clone()
    weights[1] = torch.tensor(wrong)
    with pytest.raises(ValueError, match=r"`weights` must be not negative and of sum 1, but got .* for image 1"):
        mix.apply(images, replace(params, weights=weights))


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(wrong: float) -> None:
    images = _pictures(2).float() / 255
    with pytest.raises(ValueError, match=r"`m` must be between 0 and 1, but got .* for image 0"):
        mix_chains(images, _pictures(2)[:, None], torch.ones(2, 1), torch.tensor([wrong, 0.5]))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`severity` must be a finite number above 0.1 and at most 10.0, but got 11"):
        AugMix(severity=11)
    with pytest.raises(ValueError, match="`width` must be an integer of at least 1"):
        AugMix(width=0)
    with pytest.raises(ValueError, match="`depth` must be an integer of at least 1, but got 0"):
        AugMix(depth=0)
    with pytest.raises(ValueError, match="`depth`"):
        AugMix(depth=-2)
    with pytest.raises(ValueError, match="`alpha` must be a finite number above 0"):
        AugMix(alpha=0)
    with pytest.raises(ValueError, match=r"`operations` must be 'paper', 'all', or names among autocontrast, .*'blur'"):
        AugMix(operations=("rotate", "blur"))
    with pytest.raises(ValueError, match="`operations`"):
        AugMix(operations=())


def test_images_with_nan_or_out_of_range_are_refused() -> None:
    images = torch.rand(2, 3, 8, 8)
    images[1, 0, 0, 0] = float("nan")
    for call in (AugMix(), AugMix().views):
        with pytest.raises(ValueError, match=r"values in \[0, 1\], but got NaN in image 1"):
            call(images)
        with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
            call(torch.randn(2, 3, 8, 8))


def test_a_shift_beyond_the_frame_leaves_black() -> None:
    images = _pictures(3)
    moved = _applied("translate_x", images, torch.tensor([WIDTH, -WIDTH - 5, WIDTH - 1]))
    assert not moved[:2].any() and torch.equal(moved[2, :, :, 0], images[2, :, :, -1]) and not moved[2, :, :, 1:].any()


def test_positive_degrees_turn_against_the_clock() -> None:
    """A point right of the centre goes up: y grows downwards."""
    turned = matrices("rotate", torch.tensor([90.0], dtype=torch.float64), 10, 10)[0] @ torch.tensor([9.0, 5.0, 1.0]).double()
    torch.testing.assert_close(turned, torch.tensor([5.0, 1.0, 1.0], dtype=torch.float64))
