"""Weather: the fractal by its definition, fog without and with depth, and rain that falls in its direction."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils import augment
from course_utils.augment.blur import motion_trail, trail_taps
from course_utils.augment.weather import add_depth_fog, add_fog, add_rain, plasma_fractal, rain_streaks


def pictures(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# ---------------------------------------------------------------------------------------------------------- the fractal


def fractal_by_loops(jitter: np.ndarray, decay: float) -> np.ndarray:
    """Diamond-square, point by point, on a torus; ``jitter`` in [-1, 1] holds the random number of each point."""
    side = len(jitter)
    heights, step, amplitude = np.zeros((side, side)), side, 100.0
    while step >= 2:
        half = step // 2
        for y in range(half, side, step):
            for x in range(half, side, step):
                corners = [heights[(y + a) % side, (x + b) % side] for a in (-half, half) for b in (-half, half)]
                heights[y, x] = np.mean(corners) + amplitude**2 * jitter[y, x]
        before = heights.copy()
        for y in range(0, side, half):
            for x in range(0, side, half):
                if (y // half + x // half) % 2:
                    around = [before[(y + a) % side, (x + b) % side] for a, b in ((-half, 0), (half, 0), (0, -half), (0, half))]
                    heights[y, x] = np.mean(around) + amplitude**2 * jitter[y, x]
        step, amplitude = half, amplitude / decay
    return (heights - heights.min()) / (heights.max() - heights.min())


@pytest.mark.parametrize("side", [2, 4, 16, 32])
@pytest.mark.parametrize("decay", [1.75, 3.0])
def test_the_fractal_equals_its_definition_with_loops(side, decay):
    jitter = (torch.rand(2, side, side, generator=generator()) * 2 - 1).numpy()
    maps = plasma_fractal(2, side, decay, generator())
    for one, numbers in zip(maps.numpy(), jitter):
        np.testing.assert_allclose(one, fractal_by_loops(numbers.astype(np.float64), decay), atol=1e-5)


@given(height=st.integers(1, 40), width=st.integers(1, 40), decay=st.floats(0.5, 6), seed=st.integers(0, 1000))
def test_maps_have_any_size_and_values_between_zero_and_one(height, width, decay, seed):
    maps = plasma_fractal(2, (height, width), decay, generator(seed))
    assert maps.shape == (2, height, width)
    assert bool(maps.isfinite().all()) and 0 <= float(maps.min()) and float(maps.max()) <= 1


def test_a_batch_of_maps_equals_a_loop_with_the_same_generator():
    batch, source = plasma_fractal(3, 16, torch.tensor([1.5, 2.0, 3.0]), generator(4)), generator(4)
    alone = torch.cat([plasma_fractal(1, 16, decay, source) for decay in (1.5, 2.0, 3.0)])
    assert torch.equal(batch, alone)


def test_a_larger_decay_gives_smoother_clouds_and_neighbours_across_the_border_are_near():
    rough, smooth = (plasma_fractal(50, 64, decay, generator()) for decay in (1.2, 3.0))
    steps = [maps.diff(dim=1).abs().mean() / maps.std() for maps in (rough, smooth)]
    assert float(steps[0]) > 3 * float(steps[1])
    across = (smooth[:, 0] - smooth[:, -1]).abs().mean() / smooth.std()
    assert float(across) < 2 * float(steps[1])  # the map is periodic
    assert plasma_fractal(0, 8).shape == (0, 8, 8)


# ------------------------------------------------------------------------------------------------------------------ fog


def test_fog_follows_its_formula():
    images, clouds = pictures(3, 3, 8, 9), pictures(3, 8, 9, seed=1)
    strength = torch.tensor([0.2, 0.75, 1.5])
    out = add_fog(images, clouds, strength)
    for i in range(3):
        c, m = float(strength[i]), float(images[i].max())
        expected = (images[i] + c * clouds[i]) * m / (m + c)
        torch.testing.assert_close(out[i], expected.clamp(0, 1), rtol=0, atol=1e-6)


def test_no_fog_is_the_identity_and_black_images_do_not_divide_by_zero():
    images = pictures(2, 3, 6, 6)
    images[1] = 0
    assert torch.equal(add_fog(images, pictures(2, 6, 6), 0.0), images)
    assert torch.equal(add_fog(images[1:], pictures(1, 6, 6), 0.7), images[1:])


def test_fog_lowers_the_contrast_more_where_it_is_stronger():
    images = pictures(1, 3, 32, 32).expand(3, -1, -1, -1)
    clouds = torch.full((3, 32, 32), 0.5)
    spread = add_fog(images, clouds, torch.tensor([0.2, 0.75, 1.5])).flatten(1).std(1)
    assert bool((spread.diff() < 0).all())


def test_fog_is_another_for_every_image_and_can_be_replayed():
    images, transform = pictures(4, 3, 16, 16), augment.Fog()
    draw = transform.draw(images, generator(2))
    assert torch.equal(transform.replay(images, draw), transform.replay(images, draw))
    assert len({tuple(c.flatten().tolist()) for c in draw.params.clouds}) == 4


def test_depth_fog_follows_koschmieder():
    images, depth = pictures(2, 3, 5, 6), pictures(2, 5, 6, seed=1) * 10
    density, air = torch.tensor([0.1, 0.5]), torch.tensor([0.9, 0.7])
    out = add_depth_fog(images, depth, density, air)
    for i in range(2):
        left = torch.exp(-density[i] * depth[i])
        torch.testing.assert_close(out[i], images[i] * left + air[i] * (1 - left), rtol=0, atol=1e-6)


def test_depth_fog_keeps_what_is_near_and_hides_what_is_infinitely_far():
    images = pictures(1, 3, 1, 3)
    depth = torch.tensor([[[0.0, 2.0, torch.inf]]])
    out = add_depth_fog(images, depth, 0.5, 0.8)
    assert torch.equal(out[..., 0], images[..., 0])
    assert out[0, :, 0, 2].tolist() == pytest.approx([0.8] * 3)
    assert torch.equal(add_depth_fog(images, depth, 0.0), images)


def test_a_black_object_keeps_two_percent_at_the_visibility():
    black, depth = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1), 3.912 / 0.3)
    assert 1 - float(add_depth_fog(black, depth, 0.3)) == pytest.approx(0.02, abs=1e-4)


# ----------------------------------------------------------------------------------------------------------------- rain


def test_rain_follows_its_formula():
    images, streaks = pictures(2, 3, 6, 7), pictures(2, 6, 7, seed=1)
    out = add_rain(images, streaks, torch.tensor([0.2, 0.6]), darkness=0.7)
    expected = (0.7 * images + torch.tensor([0.2, 0.6])[:, None, None, None] * streaks[:, None]).clamp(0, 1)
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-6)


def test_without_drops_the_image_is_only_darker():
    images = pictures(2, 3, 6, 7)
    torch.testing.assert_close(augment.Rain(density=0.0)(images), images * 0.7, rtol=0, atol=1e-6)
    assert torch.equal(augment.Rain(density=0.0, darkness=1.0)(images), images)


def test_streaks_are_motion_trails_of_the_drops():
    drops = torch.zeros(3, 30, 30, dtype=torch.bool)
    drops[0, 25, 15] = drops[1, 24, 12] = drops[1, 20, 18] = drops[2, 26, 10] = True
    angle = torch.tensor([90.0, 70.0, 110.0])
    head = float(trail_taps(4, torch.tensor([4.0]), torch.zeros(1))[0][0, 0])
    expected = motion_trail(drops[:, None].float(), 4, 4.0, angle)[:, 0] / head
    torch.testing.assert_close(rain_streaks(drops, 4, angle), expected.clamp(0, 1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("angle", [70.0, 90.0, 110.0])
def test_streaks_lie_along_their_angle(angle):
    layers = augment.Rain(density=3e-4, angle=angle).sample(200, (3, 96, 96), generator()).streaks.double()
    assert 0 <= float(layers.min()) and float(layers.max()) == 1
    turns = []
    for layer in layers:
        y, x = torch.nonzero(layer, as_tuple=True)
        inside = len(y) and 25 < int(y.min()) and 25 < int(x.min()) and int(x.max()) < 70
        if not inside or len(y) > 21:  # a streak has 21 pixels at most: two of them, or one at the border
            continue
        lowest = int(y.argmax())
        weights = layer[y, x]
        centre_y, centre_x = (weights @ y.double()) / weights.sum(), (weights @ x.double()) / weights.sum()
        turns.append(math.degrees(math.atan2(int(y[lowest]) - float(centre_y), int(x[lowest]) - float(centre_x))))
    assert len(turns) > 5
    assert turns == pytest.approx([angle] * len(turns), abs=5)  # a streak ends above its drop


def test_the_number_of_drops_follows_the_density_and_large_images_are_covered_as_small_ones():
    small, large = (
        augment.Rain(density=0.002, angle=90).sample(n, (3, side, side), generator()).streaks
        for n, side in ((160, 32), (10, 128))
    )
    assert float((small >= 0.999).float().mean()) == pytest.approx(0.002, rel=0.2)
    covered = [float((layers > 0).float().mean()) for layers in (small, large)]
    assert covered[1] == pytest.approx(covered[0], rel=0.25)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: plasma_fractal(-1, 8), "`n` must be an integer of at least 0"),
        (lambda: plasma_fractal(1, 0), "`size` must be an integer of at least 1"),
        (lambda: plasma_fractal(1, 8, 0.0), "`decay` must be above 0"),
        (lambda: add_fog(pictures(1, 3, 4, 4), pictures(1, 4, 5), 0.5), "`clouds` must be of shape"),
        (
            lambda: add_fog(pictures(2, 3, 4, 4), pictures(2, 4, 4), [0.5, -1.0]),
            "`strength` must be at least 0, but got -1 for image 1",
        ),
        (lambda: add_depth_fog(pictures(1, 3, 4, 4), -pictures(1, 4, 4), 0.5), "`depth` must be distances"),
        (
            lambda: add_depth_fog(pictures(1, 3, 4, 4), pictures(1, 4, 4), 0.5, 1.5),
            "`air_light` must be at least 0 and at most 1",
        ),
        (lambda: augment.Fog(strength=-1), "`strength` must be a finite number of at least 0"),
        (lambda: augment.Rain(density=1.5), "`density` must be a finite number between 0 and 1"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_grey_empty_and_uint8_images_pass():
    for transform in (augment.Fog(), augment.Rain()):
        assert transform(pictures(2, 1, 5, 7)).shape == (2, 1, 5, 7)
        assert transform(pictures(0, 3, 5, 7)).shape == (0, 3, 5, 7)
        assert transform((pictures(2, 3, 1, 1) * 255).to(torch.uint8)).dtype == torch.uint8
