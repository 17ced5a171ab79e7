"""Blur: equal to SciPy and torchvision, kernels with the right sum, centre and direction, boxes that follow a trail."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from course_utils import augment
from course_utils.augment.blur import (
    LARGEST_BAND,
    border_index,
    gaussian_blur,
    gaussian_weights,
    line_kernels,
    motion_line,
    motion_trail,
    trail_end,
    trail_taps,
)


def pictures(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# ---------------------------------------------------------------------------------------------------------- Gaussian blur

SMALL, LARGE = (20, 33), (LARGEST_BAND + 6, 40)  # a matrix product; two convolutions


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.4])
def test_it_equals_scipy_with_mirrored_border(size, sigma):
    images = pictures(2, 3, *size, dtype=torch.float64)
    blurred = gaussian_blur(images, sigma)
    for image, out in zip(images.flatten(0, 1).numpy(), blurred.flatten(0, 1).numpy()):
        expected = gaussian_filter(image, sigma, mode="mirror", radius=math.ceil(3 * sigma))
        np.testing.assert_allclose(out, expected, atol=1e-12)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("kernel_size", [1, 3, 5, 9])
def test_each_image_gets_its_own_width_as_torchvision_does_one_by_one(size, kernel_size):
    images, sigma = pictures(3, 3, *size), torch.tensor([0.4, 1.0, 2.0])
    expected = torch.stack([F.gaussian_blur(x, [kernel_size] * 2, [s, s]) for x, s in zip(images, sigma.tolist())])
    torch.testing.assert_close(gaussian_blur(images, sigma, kernel_size), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_width_zero_gives_the_input_bit_by_bit(size):
    images = pictures(2, 3, *size)
    blurred = gaussian_blur(images, torch.tensor([0.0, 1.5]))
    assert torch.equal(blurred[0], images[0]) and not torch.equal(blurred[1], images[1])


def test_the_border_is_reflected_or_repeated_where_a_side_is_too_short():
    assert border_index(5, 2).tolist() == [2, 1, 0, 1, 2, 3, 4, 3, 2]
    assert border_index(3, 2).tolist() == [2, 1, 0, 1, 2, 1, 0]
    assert border_index(2, 2).tolist() == [0, 0, 0, 1, 1, 1]
    assert border_index(1, 3).tolist() == [0] * 7
    for size in ((1, 1), (2, 3), (1, 90), (90, 2)):
        flat = torch.full((1, 3, *size), 0.3)
        torch.testing.assert_close(gaussian_blur(flat, 3.0), flat, rtol=0, atol=1e-6)


@given(sigma=st.floats(0, 5, width=32), radius=st.integers(0, 9))
def test_weights_sum_to_one_and_fall_from_the_middle(sigma, radius):
    weights = gaussian_weights(torch.tensor([sigma]), radius)[0]
    assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
    assert torch.equal(weights, weights.flip(0))
    assert bool((weights[: radius + 1].diff() >= 0).all())


def test_uint8_comes_back_rounded():
    images = (pictures(2, 3, 12, 12) * 255).to(torch.uint8)
    expected = (gaussian_blur(images.float() / 255, 1.0) * 255).round().to(torch.uint8)
    assert torch.equal(gaussian_blur(images, 1.0), expected)


def test_the_kernel_grows_with_the_largest_width_and_opencv_gives_the_width_of_a_kernel():
    assert augment.GaussianBlur().kernel_size == 13
    assert augment.GaussianBlur(sigma=(0, 1)).kernel_size == 7
    assert augment.GaussianBlur(5).sigma == pytest.approx((1.1, 1.1))


# ------------------------------------------------------------------------------------------------------------- the line


def moments(kernels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the centres (B, 2) and covariances (B, 2, 2) of kernels, (x, y), from the middle."""
    side = torch.arange(kernels.shape[1], dtype=kernels.dtype) - kernels.shape[1] // 2
    y, x = torch.meshgrid(side, side, indexing="ij")
    places = torch.stack([x, y], dim=-1).flatten(0, 1)
    weights = kernels.flatten(1)
    centre = weights @ places
    return centre, torch.einsum("bk,ki,kj->bij", weights, places, places) - centre[:, :, None] * centre[:, None]


@given(length=st.floats(1, 15), angle=st.floats(0, 360))
def test_a_line_has_sum_one_its_centre_in_the_middle_and_lies_along_its_angle(length, angle):
    kernel = line_kernels(torch.tensor([length], dtype=torch.float64), torch.tensor([angle], dtype=torch.float64), 19)
    assert float(kernel.sum()) == pytest.approx(1)
    assert float(kernel.min()) >= -1e-12
    centre, covariance = moments(kernel)
    assert float(centre.abs().max()) < 1e-6
    turn = math.radians(angle)
    along = torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64)
    across = torch.tensor([-math.sin(turn), math.cos(turn)], dtype=torch.float64)
    # the line itself has variance (L - 1)**2 / 12 (and a little for its end points); the splat adds up to 1/4 of a pixel
    expected = (length - 1) ** 2 / 12
    assert expected - 1e-9 <= float(along @ covariance[0] @ along) <= 1.05 * expected + 0.26
    assert float(across @ covariance[0] @ across) <= 0.26


def test_every_angle_has_the_same_length():
    angles = torch.arange(0, 180, 5.0)
    _, covariance = moments(line_kernels(torch.full_like(angles, 9.0), angles, 13))
    reach = covariance.diagonal(dim1=1, dim2=2).sum(1)  # along plus across
    assert float(reach.max() / reach.min()) < 1.1


def test_a_horizontal_line_is_a_mean_of_neighbours():
    images = pictures(1, 3, 7, 20, dtype=torch.float64)
    kernel = line_kernels(torch.tensor([5.0]), torch.tensor([0.0]), 7)[0]
    assert float(kernel[[0, 1, 2, 4, 5, 6]].abs().max()) == 0
    blurred = motion_line(images, 5.0, 0.0)
    expected = sum(float(kernel[3, k]) * images[..., k : k + 14] for k in range(7))
    torch.testing.assert_close(blurred[..., 3:-3], expected, rtol=0, atol=1e-6)


def test_length_one_gives_the_input_and_other_images_their_own_line():
    images = pictures(3, 3, 12, 15)
    lengths, angles = torch.tensor([1.0, 5.0, 8.5]), torch.tensor([30.0, 45.0, 120.0])
    blurred = motion_line(images, lengths, angles)
    assert torch.equal(blurred[0], images[0])
    for i in (1, 2):
        alone = motion_line(images[i : i + 1], lengths[i : i + 1], angles[i : i + 1])
        torch.testing.assert_close(blurred[i : i + 1], alone, rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------------------------ the trail


def trail_by_loops(image: np.ndarray, radius: int, sigma: float, angle: float) -> np.ndarray:
    """The definition: shift the picture tap by tap, repeating the edge."""
    taps = range(2 * radius + 1)
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in taps]
    height, width = image.shape[1:]
    out = np.zeros_like(image)
    for i in taps:
        dx = -math.ceil(round(i * math.cos(math.radians(angle)), 9) - 0.5)
        dy = -math.ceil(round(i * math.sin(math.radians(angle)), 9) - 0.5)
        rows = np.clip(np.arange(height) - dy, 0, height - 1)
        columns = np.clip(np.arange(width) - dx, 0, width - 1)
        out += weights[i] / sum(weights) * image[:, rows][:, :, columns]
    return out


@pytest.mark.parametrize("radius", [0, 3, 9])
def test_a_trail_equals_its_definition_with_loops(radius):
    images = pictures(6, 3, 11, 14, dtype=torch.float64)
    sigma, angle = torch.tensor([0.5, 1.0, 1.5, 2.0, 2.5, 4.0]), torch.tensor([0.0, 45.0, -45.0, 90.0, 200.0, 317.0])
    blurred = motion_trail(images, radius, sigma, angle)
    for image, out, s, a in zip(images.numpy(), blurred.numpy(), sigma.tolist(), angle.tolist()):
        np.testing.assert_allclose(out, trail_by_loops(image, radius, s, a), atol=1e-7)


def test_a_trail_moves_the_centre_by_the_figures_of_the_five_severities():
    radius, sigma = (6, 6, 6, 8, 9), (1.0, 1.5, 2.0, 2.0, 2.5)
    moved = []
    for r, s in zip(radius, sigma):
        weights, offsets = trail_taps(r, torch.tensor([s]), torch.tensor([0.0]))
        assert float(weights.sum()) == pytest.approx(1, abs=1e-6)
        moved.append(-float((weights[:, :, None] * offsets).sum(1)[0, 0]))
        dot = torch.zeros(1, 1, 1, 41)
        dot[..., 30] = 1
        blurred = motion_trail(dot, r, s, 0.0)[0, 0, 0]
        assert 30 - float(blurred @ torch.arange(41.0)) == pytest.approx(moved[-1], abs=1e-4)
    assert [round(m, 2) for m in moved] == [0.52, 0.91, 1.3, 1.3, 1.7]


@given(angle=st.floats(-360, 360), sigma=st.floats(0.3, 6), radius=st.integers(0, 12))
def test_a_trail_keeps_constant_images_and_stays_inside_the_range(angle, sigma, radius):
    flat = torch.full((1, 3, 5, 6), 0.7)
    torch.testing.assert_close(motion_trail(flat, radius, sigma, angle), flat, rtol=0, atol=1e-5)
    out = augment.MotionBlur("trail", sigma=sigma, radius=radius, angle=angle)(pictures(2, 3, 5, 6))
    assert 0 <= float(out.min()) and float(out.max()) <= 1


def boxes_of(*rows: list[float], format: str = "XYXY") -> tv_tensors.BoundingBoxes:
    return tv_tensors.BoundingBoxes(list(rows), format=format, canvas_size=(20, 30))


def test_a_trail_grows_boxes_towards_its_end_and_a_line_leaves_them():
    image = pictures(3, 20, 30)
    boxes = boxes_of([10.0, 5.0, 14.0, 9.0], [0.0, 0.0, 4.0, 4.0])
    trail = augment.MotionBlur("trail", sigma=2.0, radius=6, angle=0.0)
    reach = int(trail_end(6, torch.tensor([2.0]), torch.tensor([0.0]))[0, 0])
    assert reach == -4  # exp(-i**2 / 8) is at least 5 % up to i = 4
    assert trail(image, boxes)[1].tolist() == [[6.0, 5.0, 14.0, 9.0], [0.0, 0.0, 4.0, 4.0]]
    down = augment.MotionBlur("trail", sigma=2.0, radius=6, angle=270.0)(image, boxes)[1]
    assert down.tolist() == [[10.0, 5.0, 14.0, 13.0], [0.0, 0.0, 4.0, 8.0]]
    for still in (augment.MotionBlur("line"), augment.MotionBlur("trail", grow_boxes=False)):
        assert torch.equal(still(image, boxes)[1], boxes)


def test_grown_boxes_keep_format_and_canvas():
    image, boxes = pictures(3, 20, 30), boxes_of([10.0, 5.0, 4.0, 4.0], format="XYWH")
    out = augment.MotionBlur("trail", sigma=2.0, radius=6, angle=0.0)(image, boxes)[1]
    assert out.format == tv_tensors.BoundingBoxFormat.XYWH and out.canvas_size == (20, 30)
    assert out.tolist() == [[6.0, 5.0, 8.0, 4.0]]
    assert augment.MotionBlur("trail")(image, boxes_of().reshape(0, 4))[1].shape == (0, 4)


def test_the_grown_box_holds_the_blurred_object():
    """Draw an object, blur it, and find its visible part: the box that grew contains it, the old one does not."""
    for angle in (0.0, 60.0, 135.0, 250.0):
        image = torch.zeros(1, 20, 30)
        image[:, 8:11, 13:17] = 1
        boxes = boxes_of([13.0, 8.0, 17.0, 11.0])
        blurred, grown = augment.MotionBlur("trail", sigma=1.5, radius=6, angle=angle)(image, boxes)
        y, x = torch.nonzero(blurred[0] > 0.05, as_tuple=True)
        seen = [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]
        inside = [a <= b for a, b in zip(grown[0, :2].tolist(), seen[:2])] + [
            a >= b for a, b in zip(grown[0, 2:].tolist(), seen[2:])
        ]
        assert all(inside)
        assert seen[0] < 13 or seen[1] < 8 or seen[2] > 17 or seen[3] > 11


# ------------------------------------------------------------------------------------------------------------- messages


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: gaussian_blur(pictures(1, 3, 4, 4), -1.0), "`sigma` must be at least 0, but got -1 for image 0"),
        (lambda: gaussian_blur(pictures(1, 3, 4, 4), 1.0, 4), "`kernel_size` must be odd"),
        (lambda: motion_line(pictures(2, 3, 4, 4), [3.0, 0.5], 0.0), "`length` must be at least 1, but got 0.5 for image 1"),
        (lambda: motion_trail(pictures(1, 3, 4, 4), 3, 0.0, 0.0), "`sigma` must be above 0"),
        (lambda: motion_trail(pictures(1, 3, 4, 4), -1, 1.0, 0.0), "`radius` must be an integer of at least 0"),
        (lambda: augment.MotionBlur("comet"), "`kind` must be one of 'line', 'trail'"),
        (lambda: augment.MotionBlur(length=(0.5, 3)), "`length` must be a finite number of at least 1"),
        (lambda: augment.GaussianBlur(sigma=(2, 1)), r"`sigma` must be a number, or a range \(low, high\) of at least 0"),
        (lambda: augment.GaussianBlur(kernel_size=6), "`kernel_size` must be odd"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_empty_batches_pass():
    empty = torch.zeros(0, 3, 8, 9)
    for out in (gaussian_blur(empty, 1.0), motion_line(empty, 3.0, 0.0), motion_trail(empty, 2, 1.0, 0.0)):
        assert out.shape == empty.shape
