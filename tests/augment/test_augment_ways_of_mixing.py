"""The sixteen ways of mixing against loops written from the rules, and the statistics of their draws."""

import numpy as np
import pytest
import torch
from scipy import stats

from course_utils import augment
from course_utils.augment import mixing
from course_utils.augment.ways_of_mixing import NOISE, MixedExample, mixed_example, mixed_example_methods

# Methods whose label is the mean of one mask for all channels.
BY_MASK = [name for name in mixed_example_methods if name not in ("bc_plus", "vh_bc_plus", "random_elements", "noisy_mixup")]
SHAPE = (2, 7, 10)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(method, n=1, shape=SHAPE, seed=0):
    mixer = MixedExample(method, num_classes=3)
    params = mixer.sample(n, shape, generator(seed))
    partners = torch.stack([torch.zeros(n, dtype=torch.long), torch.ones(n, dtype=torch.long)], dim=1)
    return params, mixer.plan(partners, params, shape)


def by_the_rule(method, a, b, params):
    """Mix two arrays (C, H, W), pixel by pixel; returns the image and the weight of a."""
    channels, height, width = a.shape
    lam = float(params.lam[0])
    h, w = int(params.rows[0, 0]), int(params.columns[0, 0])
    rows, columns = params.rows[0].tolist(), params.columns[0].tolist()
    coins = params.coins[0].numpy()
    out, weight = np.empty_like(a), 0.0
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                of_a, place = None, (y, x)
                in_rows, in_columns = rows[0] <= y < rows[1], columns[0] <= x < columns[1]
                if method == "mixup":
                    of_a = lam
                elif method == "vertical_concat":
                    of_a = y < h
                elif method == "horizontal_concat":
                    of_a = x < w
                elif method == "mixed_concat":
                    of_a = (y < h and x < w) or (y >= h and x >= w)
                elif method == "random_2x2":
                    of_a = coins[0, int(y >= h), int(x >= w)] < lam
                elif method == "vh_mixup":
                    of_a = lam * (y < h) + (1 - lam) * (x < w)
                elif method == "random_square":
                    of_a = not (in_rows and in_columns)
                    place = (y - rows[0] + rows[2], x - columns[0] + columns[2])
                elif method == "random_column_interval":
                    of_a, place = not in_columns, (y, x - columns[0] + columns[2])
                elif method == "random_row_interval":
                    of_a, place = not in_rows, (y - rows[0] + rows[2], x)
                elif method == "random_rows":
                    of_a = coins[0, y, 0] < lam
                elif method == "random_columns":
                    of_a = coins[0, 0, x] < lam
                elif method == "random_pixels":
                    of_a = coins[0, y, x] < lam
                elif method == "random_elements":
                    of_a = coins[c, y, x] < lam
                elif method == "noisy_mixup":
                    of_a = min(max(lam + NOISE * coins[0, y, x], 0), 1)
                other = b[c, place[0], place[1]] if of_a < 1 else 0.0
                out[c, y, x] = of_a * a[c, y, x] + (1 - of_a) * other
                weight += of_a / a.size
    return out, lam if method == "noisy_mixup" else weight


@pytest.mark.parametrize("method", [name for name in mixed_example_methods if "bc_plus" not in name])
def test_every_pixel_comes_from_where_the_rule_says(method):
    for seed in range(40):
        params, plan = drawn(method, seed=seed)
        a, b = (torch.rand(SHAPE, generator=generator(1000 + seed), dtype=torch.float64) + k for k in (0, 5))
        image, weight = by_the_rule(method, a.numpy(), b.numpy(), params)
        np.testing.assert_allclose(plan.images(torch.stack([a, b]))[0].numpy(), image, atol=1e-5)
        assert float(plan.weights[0, 0]) == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize("method", BY_MASK)
@pytest.mark.parametrize("size", [(9, 12), (5, 5), (1, 1), (1, 6)])
def test_the_label_is_the_mean_of_the_mask(method, size):
    torch.manual_seed(1)
    mixer = MixedExample(method, num_classes=5)
    assert max(mixing.label_mass_error(mixer, 5, size) for _ in range(20)) < 1e-6


def test_the_label_of_random_elements_is_the_mean_over_all_channels():
    """Each channel has its own mask, so a class that is one channel is no witness; the mean over channels is."""
    params, plan = drawn("random_elements", n=30, shape=(5, 8, 9))
    assert plan.shares.shape == (30, 1, 5, 8, 9)
    np.testing.assert_allclose(plan.weights[:, 0], plan.shares.float().mean((1, 2, 3, 4)), atol=1e-6)


def test_the_label_of_noisy_mixup_is_lam_and_not_the_mean_of_the_mask():
    params, plan = drawn("noisy_mixup", n=200)
    torch.testing.assert_close(plan.weights[:, 0], params.lam)
    off = (plan.shares.mean((1, 2, 3, 4)) - params.lam).abs()
    assert 1e-4 < float(off.max()) < 0.02


def bc_plus(a, b, lam):
    """Tokozume's formula, for images of any mean, with the means of the two put back."""
    mean_a, mean_b = a.mean(), b.mean()
    p = 1 / (1 + a.std() / b.std() * (1 - lam) / lam)
    mixed = (p * (a - mean_a) + (1 - p) * (b - mean_b)) / np.sqrt(p**2 + (1 - p) ** 2)
    return mixed + p * mean_a + (1 - p) * mean_b


def test_bc_plus_is_the_formula_of_its_paper():
    for seed in range(20):
        params, plan = drawn("bc_plus", seed=seed)
        a, b = (
            torch.randn(2, *SHAPE, generator=generator(seed), dtype=torch.float64) * torch.tensor([1.0, 4.0])[:, None, None, None]
        )
        a, b = a - a.mean(), b - b.mean()
        image = plan.images(torch.stack([a, b]))[0].numpy()
        lam = float(params.lam[0])
        p = 1 / (1 + a.numpy().std() / b.numpy().std() * (1 - lam) / lam)
        np.testing.assert_allclose(image, (p * a + (1 - p) * b) / np.sqrt(p**2 + (1 - p) ** 2), atol=1e-6)
        assert float(plan.weights[0, 0]) == pytest.approx(lam)


def test_vh_bc_plus_mixes_the_two_concats():
    for seed in range(20):
        params, plan = drawn("vh_bc_plus", seed=seed)
        a, b = torch.rand(2, *SHAPE, generator=generator(seed), dtype=torch.float64)
        h, w, lam = int(params.rows[0, 0]), int(params.columns[0, 0]), float(params.lam[0])
        vertical, horizontal = torch.cat([a[:, :h], b[:, h:]], 1), torch.cat([a[:, :, :w], b[:, :, w:]], 2)
        np.testing.assert_allclose(
            plan.images(torch.stack([a, b]))[0], bc_plus(vertical.numpy(), horizontal.numpy(), lam), atol=1e-6
        )
        assert float(plan.weights[0, 0]) == pytest.approx(lam * h / SHAPE[1] + (1 - lam) * w / SHAPE[2], abs=1e-6)


def test_bc_plus_keeps_the_contrast_and_takes_flat_images():
    a, b = torch.randn(2, 300, 3, 8, 8, generator=generator(), dtype=torch.float64)
    _, plan = drawn("bc_plus", n=300, shape=(3, 8, 8))
    partners = torch.stack([torch.arange(300), torch.arange(300) + 300], 1)
    plan = type(plan)(partners, plan.shares, pair=tuple(mixing.MixPlan(partners, one.shares) for one in plan.pair), lam=plan.lam)
    mixed = plan.images(torch.cat([a, b]))
    assert float(mixed.std((1, 2, 3)).mean()) == pytest.approx(1, abs=0.02)  # Mixup's would be about 0.8
    flat, _ = mixed_example(torch.full((4, 3, 5, 5), 0.25), torch.zeros(4, dtype=torch.long), "bc_plus", 2)
    torch.testing.assert_close(flat, torch.full((4, 3, 5, 5), 0.25))


@pytest.mark.parametrize(
    ("method", "entropy"),
    [
        ("vertical_concat", 0.50),
        ("mixed_concat", 0.63),
        ("vh_mixup", 0.57),
        ("random_square", 0.48),
        ("random_column_interval", 0.41),
    ],
)
def test_how_mixed_the_labels_are(method, entropy):
    _, plan = drawn(method, n=20_000, shape=(3, 32, 32))
    weights = plan.weights.double()
    assert float(torch.special.entr(weights).sum(1).mean()) == pytest.approx(entropy, abs=0.01)


def test_splits_are_uniform_whole_numbers():
    params, _ = drawn("mixed_concat", n=20_000, shape=(3, 32, 20))
    for piece, size in ((params.rows, 32), (params.columns, 20)):
        counts = np.bincount(piece[:, 0], minlength=size)
        assert len(counts) == size and stats.chisquare(counts).pvalue > 1e-4
    assert stats.kstest(params.lam.numpy(), "uniform").pvalue > 1e-4


def test_the_split_of_the_four_cells_is_in_the_middle_half():
    params, _ = drawn("random_2x2", n=2000, shape=(3, 32, 20))
    assert params.rows[:, 0].min() == 8 and params.rows[:, 0].max() == 23
    assert params.columns[:, 0].min() == 5 and params.columns[:, 0].max() == 14


def test_a_square_is_cut_off_at_the_border_and_read_from_inside():
    params, plan = drawn("random_square", n=20_000, shape=(3, 32, 40))
    for piece, size in ((params.rows, 32), (params.columns, 40)):
        length = piece[:, 1] - piece[:, 0]
        assert length.max() == 16 and length.min() == 8
        assert piece[:, 2].min() == 0 and int((piece[:, 2] + length).max()) == size


def test_intervals_follow_the_rule_of_the_released_code():
    params, _ = drawn("random_column_interval", n=20_000, shape=(3, 6, 32))
    start, end, source = params.columns.T
    assert start.max() == 31 and (end >= start).all() and end.max() == 31 and (source + end - start <= 31).all()
    assert float((end - start).double().mean()) == pytest.approx(7.75, abs=0.15)  # E[(31 - i1) / 2], i1 uniform from 0 to 31


@pytest.mark.parametrize("method", mixed_example_methods)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_dtypes_and_small_batches(method, dtype):
    for n in (0, 1, 2, 3):
        images = (255 * torch.rand(n, 3, 5, 6)).to(dtype)
        mixed, soft = mixed_example(images, torch.arange(n), method, num_classes=3, generator=generator(n))
        assert mixed.dtype == dtype and mixed.shape == images.shape and soft.shape == (n, 3)
        torch.testing.assert_close(soft.sum(1), torch.ones(n))
        if n == 1:
            assert torch.equal(mixed, images)


@pytest.mark.parametrize("method", mixed_example_methods)
def test_a_seed_repeats_and_inputs_are_left_alone(method):
    images, labels = torch.rand(6, 3, 8, 8), torch.arange(6) % 3
    before = images.clone()
    one = mixed_example(images, labels, method, 3, generator(4))
    other = mixed_example(images, labels, method, 3, generator(4))
    third = mixed_example(images, labels, method, 3, generator(5))
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1]) and torch.equal(images, before)
    assert not torch.equal(one[0], third[0])


def test_unknown_methods_and_broken_images_are_refused():
    images, labels = torch.rand(4, 3, 8, 8), torch.zeros(4, dtype=torch.long)
    with pytest.raises(ValueError, match="`method` must be one of 'mixup', 'bc_plus'"):
        mixed_example(images, labels, "blend", 2)
    images[2, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinity in image 2"):
        mixed_example(images, labels, "random_rows", 2)


def test_there_are_sixteen_and_each_says_its_name():
    assert augment.mixed_example is mixed_example
    assert len(set(augment.mixed_example_methods)) == 16
    assert all(repr(name) in repr(MixedExample(name)) for name in augment.mixed_example_methods)
