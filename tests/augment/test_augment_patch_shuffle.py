"""PatchShuffle: what it leaves alone, how often it acts, and that every order is equally likely."""

from __future__ import annotations

import itertools
from math import factorial

import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

from course_utils.augment.patch_shuffle import FeaturePatchShuffle, PatchShuffle, random_orders, shuffle_windows, windows_of


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _shuffled(images: torch.Tensor, seed: int = 0, **options) -> torch.Tensor:
    transform = PatchShuffle(p=1.0, **options)
    params = transform.sample(len(images), tuple(images.shape[1:]), _generator(seed))
    return transform.apply(images, params)


def _reference(images: torch.Tensor, order: torch.Tensor, n: int) -> torch.Tensor:
    """The definition with loops: pixel j of a window comes from pixel order[j]."""
    out = images.clone()
    across = images.shape[3] // n
    for b, c, w, j in itertools.product(*map(range, (*images.shape[:2], order.shape[2], n * n))):
        source = int(order[b, c if order.shape[1] > 1 else 0, w, j])
        row, column = w // across * n, w % across * n
        out[b, c, row + j // n, column + j % n] = images[b, c, row + source // n, column + source % n]
    return out


@pytest.mark.parametrize(("height", "width", "n"), [(6, 8, 2), (9, 6, 3), (7, 5, 2), (10, 11, 4), (3, 3, 5), (4, 4, 1)])
def test_it_equals_the_definition_with_loops(height: int, width: int, n: int) -> None:
    images = torch.rand(3, 3, height, width, generator=_generator())
    windows = (height // n) * (width // n)
    for groups in (1, 3):
        order = random_orders(3 * groups * windows, n, generator=_generator(1)).reshape(3, groups, windows, n * n)
        assert torch.equal(shuffle_windows(images, order, n), _reference(images, order, n))


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("separable", [False, True])
def test_the_values_of_every_window_stay(n: int, separable: bool) -> None:
    images = torch.randint(0, 256, (4, 3, 13, 17), dtype=torch.uint8, generator=_generator())
    shuffled = _shuffled(images, patch_size=n, separable=separable)
    assert not torch.equal(shuffled, images)
    assert torch.equal(windows_of(shuffled, n).sort(-1).values, windows_of(images, n).sort(-1).values)


def test_average_and_maximum_pooling_over_the_windows_do_not_change() -> None:
    images = torch.rand(4, 3, 12, 16, generator=_generator())
    shuffled = _shuffled(images)
    torch.testing.assert_close(F.avg_pool2d(shuffled, 2), F.avg_pool2d(images, 2), rtol=0, atol=1e-6)
    assert torch.equal(F.max_pool2d(shuffled, 2), F.max_pool2d(images, 2))
    assert (F.avg_pool2d(shuffled, 2, stride=1) - F.avg_pool2d(images, 2, stride=1)).abs().max() > 0.1  # between windows it does


def test_colours_are_not_torn_apart() -> None:
    images = torch.rand(2, 3, 8, 8, generator=_generator())
    one, two = (windows_of(x, 2).movedim(1, -1) for x in (_shuffled(images), images))  # (B, P, 4, 3)
    pixels_one = sorted(map(tuple, one.reshape(-1, 3).tolist()))
    assert pixels_one == sorted(map(tuple, two.reshape(-1, 3).tolist()))


def test_what_is_left_over_at_the_border_stays() -> None:
    images = torch.rand(2, 3, 7, 9, generator=_generator())
    shuffled = _shuffled(images)
    assert torch.equal(shuffled[..., 6:, :], images[..., 6:, :])
    assert torch.equal(shuffled[..., :, 8:], images[..., :, 8:])
    assert not torch.equal(shuffled[..., :6, :8], images[..., :6, :8])


@pytest.mark.parametrize(("options", "possible"), [({"patch_size": 2}, 24), ({"patch_size": 2, "separable": True}, 4)])
def test_every_order_is_equally_likely(options: dict, possible: int) -> None:
    order = random_orders(24_000, generator=_generator(), **options)
    found, counts = order.unique(dim=0, return_counts=True)
    assert len(found) == possible
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    assert torch.equal(order.long().sort(-1).values, torch.arange(4).expand(len(order), 4))


def test_separable_orders_keep_rows_together() -> None:
    order = random_orders(2000, 3, separable=True, generator=_generator()).long().reshape(-1, 3, 3)
    assert (order // 3 == order[:, :, :1] // 3).all()  # each new row comes from one old row
    assert (order % 3 == order[:, :1, :] % 3).all()  # each new column from one old column
    assert len(order.flatten(1).unique(dim=0)) == factorial(3) ** 2


def test_orders_of_neighbouring_windows_and_of_images_are_independent() -> None:
    params = PatchShuffle(p=1.0).sample(400, (3, 4, 8), _generator())
    first = params.order[:, :, 0].long()  # where the first pixel comes from, (400, 8)
    table = torch.zeros(4, 4)
    for a, b in itertools.pairwise(range(8)):
        table.index_put_((first[:, a], first[:, b]), torch.ones(400), accumulate=True)
    assert stats.chi2_contingency(table.numpy()).pvalue > 1e-3
    assert (
        stats.chi2_contingency(torch.bincount(first[:-1, 0] * 4 + first[1:, 0], minlength=16).reshape(4, 4).numpy()).pvalue > 1e-3
    )


def test_the_coin_falls_for_every_image_with_probability_p() -> None:
    torch.manual_seed(0)
    images = torch.rand(4000, 1, 2, 2)
    changed = (PatchShuffle(p=0.3)(images) != images).flatten(1).any(1).float().mean()
    assert abs(changed - 0.3 * 23 / 24) < 4 * (0.3 * 0.7 / 4000) ** 0.5  # one order of 24 changes nothing


def test_p_zero_and_windows_of_one_pixel_change_nothing() -> None:
    images = torch.rand(5, 3, 6, 6, generator=_generator())
    assert torch.equal(PatchShuffle(p=0.0)(images), images)
    assert torch.equal(PatchShuffle(patch_size=1, p=1.0)(images), images)
    assert torch.equal(PatchShuffle(patch_size=2, p=1.0)(images[..., :1, :1]), images[..., :1, :1])


def test_an_order_of_the_wrong_shape_is_refused() -> None:
    images = torch.rand(2, 3, 4, 4)
    with pytest.raises(ValueError, match=r"`order` must be of shape \(2, 1 or 3, 4, 4\), but got shape \(2, 4, 4\)"):
        shuffle_windows(images, torch.zeros(2, 4, 4), 2)
    with pytest.raises(ValueError, match="`order` must be of shape"):
        shuffle_windows(images, torch.zeros(2, 2, 4, 4), 2)


@pytest.mark.parametrize("build", [PatchShuffle, FeaturePatchShuffle])
def test_wrong_settings_are_refused(build: type) -> None:
    with pytest.raises(ValueError, match="`patch_size` must be an integer between 1 and 16, but got 0"):
        build(patch_size=0)
    with pytest.raises(ValueError, match="`patch_size`"):
        build(patch_size=17)
    with pytest.raises(TypeError, match="`patch_size` must be an integer"):
        build(patch_size=2.0)
    with pytest.raises(ValueError, match="`p` must be a finite number between 0 and 1"):
        build(p=1.5)


# ------------------------------------------------------------------------------------------------------- on feature maps


def test_the_layer_is_the_identity_in_evaluation() -> None:
    maps = torch.rand(2, 4, 6, 6)
    assert FeaturePatchShuffle(p=1.0).eval()(maps) is maps
    assert FeaturePatchShuffle(p=0.0)(maps) is maps


def test_every_map_tosses_its_own_coin_and_has_its_own_orders() -> None:
    maps = torch.rand(1, 1, 6, 6, generator=_generator()).expand(40, 50, 6, 6)
    out = FeaturePatchShuffle(p=0.25, generator=_generator(1))(maps)
    changed = (out != maps).flatten(2).any(2)  # (40, 50)
    assert abs(changed.float().mean() - 0.25) < 4 * (0.25 * 0.75 / 2000) ** 0.5
    assert not changed.all(1).any() and not changed.all(0).any()
    assert len(out[changed].flatten(1).unique(dim=0)) == int(changed.sum())  # no two maps are shuffled alike
    assert torch.equal(windows_of(out, 2).sort(-1).values, windows_of(maps, 2).sort(-1).values)


def test_the_gradient_returns_to_where_the_value_came_from() -> None:
    maps = torch.rand(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    place = torch.rand(2, 3, 5, 4, dtype=torch.float64)
    layer = FeaturePatchShuffle(p=1.0, generator=_generator(3))
    (layer(maps) * place).sum().backward()
    with torch.no_grad():
        again = FeaturePatchShuffle(p=1.0, generator=_generator(3))(maps)
    # The value x went to the place whose weight is its gradient: pair them up.
    pairs = {(round(v, 9), round(w, 9)) for v, w in zip(again.flatten().tolist(), place.flatten().tolist(), strict=True)}
    assert pairs == {
        (round(v, 9), round(w, 9)) for v, w in zip(maps.flatten().tolist(), maps.grad.flatten().tolist(), strict=True)
    }


def test_one_seed_gives_one_result_and_the_input_stays() -> None:
    maps = torch.rand(3, 4, 6, 6)
    before = maps.clone()
    one, two = (FeaturePatchShuffle(p=0.5, generator=_generator(7))(maps) for _ in range(2))
    assert torch.equal(one, two) and torch.equal(maps, before)


def test_the_layer_stands_inside_a_network_and_takes_an_empty_batch() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), FeaturePatchShuffle(p=1.0), nn.ReLU())
    assert network(torch.rand(2, 3, 8, 8)).shape == (2, 4, 6, 6)
    assert FeaturePatchShuffle(p=1.0)(torch.rand(0, 4, 6, 6)).shape == (0, 4, 6, 6)
    assert FeaturePatchShuffle(p=1.0)(torch.rand(2, 4, 1, 1)).shape == (2, 4, 1, 1)
    with pytest.raises(ValueError, match="`maps` must be a tensor of shape"):
        FeaturePatchShuffle()(torch.rand(3, 4, 4))
    with pytest.raises(TypeError, match="`maps` must be a floating-point tensor"):
        FeaturePatchShuffle()(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))


def test_the_expected_loss_is_the_clean_loss_and_a_penalty() -> None:
    """Over the coin: E L = (1 - eps) L(X) + eps E_T L(T X), section 3 of the paper."""
    torch.manual_seed(0)
    eps, images = 0.4, torch.rand(1, 1, 2, 2, dtype=torch.float64)
    weights = torch.tensor([0.9, -0.3, 0.2, 0.5], dtype=torch.float64).reshape(2, 2)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return ((x * weights).sum((1, 2, 3)) - 0.2).square()

    orders = torch.tensor(list(itertools.permutations(range(4)))).reshape(24, 1, 1, 4)
    over_orders = loss(shuffle_windows(images.expand(24, 1, 2, 2), orders, 2))
    drawn = loss(PatchShuffle(p=eps)(images.expand(20_000, 1, 2, 2)))
    expected = (1 - eps) * loss(images)[0] + eps * over_orders.mean()
    assert abs(drawn.mean() - expected) < 4 * drawn.std() / 20_000**0.5
