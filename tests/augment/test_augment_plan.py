"""The plan of geometry: algebra, exact pixels, outlines, and what torch, torchvision and numpy say about the same map."""

import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_utils.augment import resample
from course_utils.augment.elastic import smoothed
from course_utils.augment.plan import (
    GeometryPlan,
    about,
    affine_matrix,
    apply_matrix,
    box_corners,
    box_ellipse,
    inverse_3x3,
    matrix_dtype,
    translation,
)
from course_utils.augment.spatial import rotation


def pictures(*shape, dtype=torch.float32, seed=0):
    floats = torch.rand(*shape, generator=torch.Generator().manual_seed(seed))
    return floats if dtype == torch.float32 else (floats * 255).to(dtype)


def turned(degrees, size=(16, 16)):
    """A plan of clockwise turns about the centre."""
    linear = rotation(torch.tensor(degrees, dtype=torch.float64))
    return GeometryPlan(about(linear, torch.tensor([size[1] / 2, size[0] / 2], dtype=torch.float64)), size, size)


def shifted(x, y, size=(16, 16), n=1):
    return GeometryPlan(translation(torch.tensor([[float(x), float(y)]] * n)), size, size)


# ---------------------------------------------------------------------------------------------------------------- algebra


def test_the_inverse_of_a_matrix_is_numpys():
    matrices = torch.randn(50, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert np.allclose(inverse_3x3(matrices).numpy(), np.linalg.inv(matrices.numpy()), atol=1e-8)


def test_first_then_second_is_second_of_first():
    first, second = turned([30.0]), shifted(3, -1)
    points = pictures(7, 2) * 16
    together = first.then(second).points(points)
    assert torch.allclose(together, second.points(first.points(points)[0]), atol=1e-5)
    other_order = second.then(first).points(points)
    assert float((together - other_order).abs().max()) > 0.5, "turning and shifting do not commute"


def test_a_chain_with_displacements_looks_where_one_step_after_the_other_looks():
    """Composition of the dense inverse maps, against composing the two functions point by point."""
    generator = torch.Generator().manual_seed(3)
    field = 20 * smoothed(torch.rand(1, 2, 24, 24, generator=generator) * 2 - 1, 4.0)
    plans = [
        GeometryPlan(torch.eye(3, dtype=torch.float64)[None], (24, 24), (24, 24), field),
        turned([20.0], (24, 24)),
        GeometryPlan(torch.eye(3, dtype=torch.float64)[None], (24, 24), (24, 24), field.flip(-1)),
    ]
    centres = GeometryPlan.identity(1, (24, 24)).source_points().flatten(1, 2)
    for first, second in ((0, 1), (1, 2), (0, 2)):
        pair = plans[first].then(plans[second]).source_points().flatten(1, 2)
        expected = plans[first]._inverse_points(plans[second]._inverse_points(centres))
        assert float((pair - expected).abs().max()) < 1e-5
    three = plans[0].then(plans[1]).then(plans[2]).source_points()[:, 6:18, 6:18]
    expected = plans[0]._inverse_points(plans[1]._inverse_points(plans[2]._inverse_points(centres))).view(1, 24, 24, 2)
    assert float((three - expected[:, 6:18, 6:18]).abs().max()) < 0.05  # the field of the first two is read between its pixels


def test_plans_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"`following` must be a plan of 1 rows that starts from \(16, 16\)"):
        shifted(0, 0).then(shifted(0, 0, size=(8, 8)))
    with pytest.raises(ValueError, match=r"`matrix` must be of shape \(B, 3, 3\)"):
        GeometryPlan(torch.eye(3), (4, 4), (4, 4))
    with pytest.raises(ValueError, match=r"`size` must be a canvas with at least one pixel"):
        GeometryPlan(torch.eye(3)[None], (0, 4), (4, 4))
    with pytest.raises(ValueError, match=r"`displacement` must be of shape \(1, 2, 4, 4\)"):
        GeometryPlan(torch.eye(3)[None], (4, 4), (4, 4), torch.zeros(1, 2, 3, 4))


def test_rows_that_are_not_active_become_the_identity():
    plan = turned([10.0, 20.0]).only(torch.tensor([True, False]))
    assert torch.equal(plan.matrix[1], torch.eye(3, dtype=torch.float64))
    assert torch.equal(plan.matrix[0], turned([10.0]).matrix[0])
    smaller = GeometryPlan(translation(torch.zeros(2, 2)), (4, 4), (16, 16))
    with pytest.raises(ValueError, match="`active` must be all true where the size changes"):
        smaller.only(torch.tensor([True, False]))


def test_mirrors_are_recognised_under_any_turn():
    mirror = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))[None]
    flip = GeometryPlan(translation(torch.tensor([[16.0, 0.0]])) @ mirror, (16, 16), (16, 16))
    assert flip.is_mirrored().tolist() == [True]
    assert flip.then(turned([77.0])).is_mirrored().tolist() == [True]
    assert flip.then(flip).is_mirrored().tolist() == [False]
    assert (GeometryPlan(2 * flip.matrix, (16, 16), (16, 16))).is_mirrored().tolist() == [True], (
        "a factor of the matrix is no map"
    )


def test_rows_can_be_picked():
    plan = turned([10.0, 20.0, 30.0])
    assert torch.equal(plan[1:].matrix, turned([20.0, 30.0]).matrix)
    assert len(plan[torch.tensor([2])]) == 1


# ------------------------------------------------------------------------------------------------------------ exact pixels


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_quarter_turns_copy_pixels(dtype, quarter):
    images = pictures(2, 3, 16, 16, dtype=dtype)
    assert torch.equal(turned([-90.0 * quarter] * 2).images(images), torch.rot90(images, quarter, (2, 3)))
    masks = pictures(2, 16, 16, dtype=torch.uint8)
    assert torch.equal(turned([-90.0 * quarter] * 2).masks(masks), torch.rot90(masks, quarter, (1, 2)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_exact_rows_stay_exact_beside_rows_that_are_not(dtype):
    images = pictures(4, 3, 16, 16, dtype=dtype)
    plan = turned([0.0, 33.0, 180.0, -90.0])
    out = plan.images(images)
    assert torch.equal(out[0], images[0])
    assert torch.equal(out[2], images[2].flip(1, 2))
    assert torch.equal(out[3], torch.rot90(images[3], 1, (1, 2)))
    assert torch.equal(out[1], plan[1:2].images(images[1:2])[0])


@pytest.mark.parametrize(("padding", "mode"), [("fill", "constant"), ("reflection", "symmetric"), ("border", "edge")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_whole_shifts_are_numpys_padding(padding, mode, dtype):
    images = pictures(3, 2, 5, 7, dtype=dtype)
    shifts = torch.tensor([[4.0, -3.0], [0.0, 5.0], [-7.0, 2.0]])
    out = GeometryPlan(translation(shifts), (5, 7), (5, 7)).images(images, padding=padding)
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (9, 9), (9, 9)), mode=mode)
    for i, (x, y) in enumerate(shifts.int().tolist()):
        assert np.array_equal(out[i].numpy(), padded[i, :, 9 - y : 14 - y, 9 - x : 16 - x])


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize("fill", [0.3, [0.0, 1.0], "mean"])
@pytest.mark.parametrize("size", [(5, 7), (3, 11), (1, 1)])
def test_windows_of_small_and_large_images_and_of_images_with_a_gradient_agree(monkeypatch, size, fill, dtype):
    images = pictures(5, 2, 5, 7, dtype=dtype)
    shifts = torch.tensor([[4.0, -3.0], [0.0, 5.0], [-7.0, 2.0], [3e6, -3e6], [-1e9, 0.0]])
    plan = GeometryPlan(translation(shifts), size, (5, 7))
    small = plan.images(images, fill=fill)
    monkeypatch.setattr(resample, "SMALL", 0)
    assert torch.equal(small, plan.images(images, fill=fill))
    if dtype == torch.float32:
        assert torch.equal(small, plan.images(images.clone().requires_grad_(), fill=fill).detach())


@pytest.mark.parametrize("small", [0, 10**6])
def test_the_gradient_of_a_window_counts_the_places_where_a_pixel_is_seen(monkeypatch, small):
    monkeypatch.setattr(resample, "SMALL", small)
    images = pictures(2, 1, 5, 7).requires_grad_()
    plan = GeometryPlan(translation(torch.tensor([[-2.0, -1.0], [9.0, 0.0]])), (3, 4), (5, 7))
    plan.images(images).sum().backward()
    seen = torch.zeros(2, 1, 5, 7)
    seen[0, :, 1:4, 2:6] = 1
    assert torch.equal(images.grad, seen)


@pytest.mark.parametrize("padding", ["fill", "reflection", "border"])
def test_copying_and_warping_agree(padding):
    """The same whole shifts and quarter turns through ``grid_sample``."""
    images = pictures(4, 3, 12, 12)
    plan = turned([90.0, 0.0, 180.0, 270.0], (12, 12)).then(
        GeometryPlan(translation(torch.tensor([[3.0, -2.0]] * 4)), (10, 9), (12, 12))
    )
    colour = resample.fill_colour([0.2, 0.5, 0.9], images)
    copied = plan.images(images, fill=[0.2, 0.5, 0.9], padding=padding)
    assert torch.allclose(copied, plan._warped(images, colour, padding, "bilinear", False), atol=1e-5)


def test_identity_parameters_give_the_input_bit_by_bit_even_nan():
    images = pictures(2, 1, 6, 6)
    images[0, 0, 2, 3] = math.nan
    out = GeometryPlan.identity(2, (6, 6)).images(images)
    assert torch.equal(out.nan_to_num(-1), images.nan_to_num(-1))


# ------------------------------------------------------------------------------------------------------------------ warps


def test_a_warp_is_affine_grid_and_grid_sample():
    images = pictures(5, 3, 14, 20)
    linear = torch.eye(2, dtype=torch.float64) + 0.2 * torch.randn(
        5, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    plan = GeometryPlan(affine_matrix(linear, torch.rand(5, 2, dtype=torch.float64) * 4), (11, 17), (14, 20))
    to_unit = torch.tensor([[2 / 20, 0, -1], [0, 2 / 14, -1], [0, 0, 1]], dtype=torch.float64)
    from_unit = torch.tensor([[17 / 2, 0, 17 / 2], [0, 11 / 2, 11 / 2], [0, 0, 1]], dtype=torch.float64)
    theta = (to_unit @ torch.linalg.inv(plan.matrix) @ from_unit)[:, :2]
    grid = F.affine_grid(theta, (5, 3, 11, 17), align_corners=False)
    for padding, mode in (("fill", "zeros"), ("reflection", "reflection"), ("border", "border")):
        expected = F.grid_sample(images.double(), grid, padding_mode=mode, align_corners=False)
        assert torch.allclose(plan.images(images.double(), padding=padding), expected, atol=1e-10)
        assert torch.allclose(plan.images(images, padding=padding).double(), expected, atol=2e-5)


def test_an_image_of_the_colour_outside_stays_as_it_is():
    """The colour is blended once. torchvision weighs the border twice, and a grey image gets a dark rim."""
    from torchvision.transforms.v2 import InterpolationMode, functional

    grey = torch.full((1, 3, 16, 16), 0.5)
    assert torch.allclose(turned([25.0]).images(grey, fill=0.5), grey, atol=1e-6)
    assert torch.allclose(turned([25.0]).images(grey, fill="mean"), grey, atol=1e-6)
    theirs = functional.rotate(grey, -25.0, InterpolationMode.BILINEAR, fill=0.5)
    assert float((theirs - grey).abs().max()) > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
def test_the_mean_of_each_image_fills_its_own_corners(dtype):
    images = pictures(2, 3, 16, 16, dtype=dtype)
    out = shifted(40, 0, n=2).images(images, fill="mean").double()
    expected = images.double().mean((2, 3), keepdim=True).expand(2, 3, 16, 16)
    assert float((out - expected).abs().max()) <= (1e-6 if dtype == torch.float32 else 0.5 + 1e-4)


def test_uint8_is_rounded_once():
    images = pictures(2, 3, 16, 16, dtype=torch.uint8)
    plan = turned([10.0, 50.0])
    floats = plan.images(images.float())
    assert torch.equal(plan.images(images), floats.round().to(torch.uint8))


def test_fusing_keeps_what_repeated_reading_blurs():
    """Ten turns by 36 degrees come home exactly when they are multiplied; read one by one, the picture loses its contrast."""
    images = pictures(1, 1, 32, 32)
    step = turned([36.0], (32, 32))
    fused, blurred = step, step.images(images, padding="reflection")
    for _ in range(9):
        fused, blurred = fused.then(step), step.images(blurred, padding="reflection")
    assert torch.equal(fused.images(images), images)
    middle = (..., slice(8, 24), slice(8, 24))
    assert float(blurred[middle].std()) < 0.6 * float(images[middle].std())


def test_supersampling_averages_what_a_pixel_covers():
    """A third of the size: with antialias every output pixel is the mean of its 3 x 3 block (of bilinear samples at centres)."""
    images = pictures(2, 1, 18, 18)
    third = affine_matrix(torch.eye(2, dtype=torch.float64).repeat(2, 1, 1) / 3, torch.zeros(2, 2, dtype=torch.float64))
    plan = GeometryPlan(third, (6, 6), (18, 18))
    assert torch.allclose(plan.images(images, antialias=True), F.avg_pool2d(images, 3), atol=1e-5)
    assert torch.allclose(plan.images(images), images[:, :, 1::3, 1::3], atol=1e-5)
    levels = (images * 255).to(torch.uint8)
    assert torch.equal(plan.images(levels, antialias=True), F.avg_pool2d(levels.float(), 3).round().to(torch.uint8))


def test_gradients_pass_through_a_warp():
    images = pictures(1, 1, 6, 6).double().requires_grad_()
    plan = turned([20.0], (6, 6))
    assert torch.autograd.gradcheck(lambda x: plan.images(x, fill=0.3), images)


def test_no_image_gives_no_image_of_the_new_size():
    plan = GeometryPlan(torch.zeros(0, 3, 3), (4, 5), (8, 8))
    assert plan.images(torch.zeros(0, 3, 8, 8, dtype=torch.uint8)).shape == (0, 3, 4, 5)
    assert plan.points(torch.zeros(0, 6, 2)).shape == (0, 6, 2)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"images": torch.zeros(1, 3, 8, 8)}, ValueError, "`images`"),
        ({"images": torch.zeros(2, 3, 16, 16)}, ValueError, "`images` must be as many as rows of the plan, 1"),
        ({"images": [1]}, TypeError, "`images` must be a torch.Tensor"),
        ({"padding": "zeros"}, ValueError, "`padding` must be one of 'fill', 'reflection', 'border'"),
        ({"interpolation": "cubic"}, ValueError, "`interpolation`"),
        ({"fill": "median"}, ValueError, "`fill`"),
        ({"fill": [1.0, 2.0]}, ValueError, "`fill` must be one number, or one for each of the 3 channels, but got 2"),
        ({"fill": [None]}, TypeError, "`fill`"),
    ],
)
def test_images_refuse_what_they_cannot_read(arguments, error, text):
    options = {"images": torch.zeros(1, 3, 16, 16), **arguments}
    with pytest.raises(error, match=text):
        turned([5.0]).images(**options)


# ------------------------------------------------------------------------------------------------------------------ masks


def test_masks_never_mix_classes():
    classes = torch.tensor([0, 1, 3])[torch.randint(3, (4, 20, 20), generator=torch.Generator().manual_seed(0))].to(torch.uint8)
    moved = turned([10.0, 33.0, 45.0, 80.0], (20, 20)).masks(classes)
    assert set(moved.unique().tolist()) == {0, 1, 3, 255}
    bilinear = turned([10.0] * 4, (20, 20)).images(classes[:, None].float())
    assert bool((bilinear.round() == 2).any()), "the sabotage this test is for: a class between 1 and 3"


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int32, torch.int64, torch.float32])
def test_masks_keep_their_dtype_and_large_class_numbers(dtype):
    masks = (pictures(1, 2, 16, 16) * 3).to(dtype)
    if dtype == torch.int64:
        masks = masks + 2**40  # lost in float32
    moved = turned([180.0]).masks(masks)
    assert moved.dtype == dtype and torch.equal(moved, masks.flip(2, 3))


def test_a_mask_is_read_where_its_image_is_read():
    masks = pictures(3, 24, 24, dtype=torch.uint8)
    plan = turned([12.0, 40.0, 71.0], (24, 24))
    images = plan.images(masks[:, None].float(), interpolation="nearest", fill=255.0)[:, 0]
    assert float((images != plan.masks(masks).float()).float().mean()) < 0.01  # ties at pixel borders


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"`masks` must be of shape \(B, H, W\) or \(B, N, H, W\) on \(16, 16\)"):
        turned([5.0]).masks(torch.zeros(1, 8, 16))
    with pytest.raises(ValueError, match="`masks` must be as many as rows"):
        turned([5.0]).masks(torch.zeros(2, 16, 16))


# ---------------------------------------------------------------------------------------------------------- points, boxes


def test_points_by_hand():
    plan = turned([90.0], (4, 6))  # clockwise about (3, 2): right of the centre goes below it
    assert torch.allclose(plan.points(torch.tensor([[4.0, 2.0]])), torch.tensor([[[3.0, 3.0]]]), atol=1e-6)


def test_turning_there_and_back_is_the_identity_on_points():
    points = pictures(1, 50, 2) * 16
    plan = turned([37.0]).then(turned([-37.0]))
    assert torch.allclose(plan.points(points), points, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 30), st.floats(0.5, 30), st.floats(-180, 180))
def test_the_hull_of_a_turned_box_grows_by_the_closed_form(w, h, degrees):
    box = torch.tensor([[50 - w / 2, 50 - h / 2, 50 + w / 2, 50 + h / 2]], dtype=torch.float64)
    x1, y1, x2, y2 = turned([degrees], (100, 100)).boxes(box)[0, 0].tolist()
    t = math.radians(degrees)
    factor = 1 + (w / h + h / w) * abs(math.sin(t) * math.cos(t))
    assert math.isclose((x2 - x1) * (y2 - y1), w * h * factor, rel_tol=1e-9)
    ex1, ey1, ex2, ey2 = turned([degrees], (100, 100)).boxes(box, hull="ellipse")[0, 0].tolist()
    assert math.isclose(ex2 - ex1, math.hypot(w * math.cos(t), h * math.sin(t)), rel_tol=1e-3)
    assert math.isclose(ey2 - ey1, math.hypot(w * math.sin(t), h * math.cos(t)), rel_tol=1e-3)


def test_eight_fused_turns_give_the_box_back_and_chained_hulls_blow_it_up():
    box = torch.tensor([[40.0, 40.0, 60.0, 60.0]], dtype=torch.float64)
    step = turned([45.0], (100, 100))
    fused, chained = step, step.boxes(box)[0]
    for _ in range(7):
        fused, chained = fused.then(step), step.boxes(chained)[0]
    assert torch.allclose(fused.boxes(box)[0], box, atol=1e-9)
    area = float((chained[0, 2:] - chained[0, :2]).prod())
    assert math.isclose(area, 256 * 400, rel_tol=1e-9)  # sqrt(2) a side, eight times


def test_boxes_may_leave_the_canvas():
    assert shifted(-10, 3).boxes(torch.tensor([[4.0, 4.0, 8.0, 15.0]]))[0, 0].tolist() == [-6.0, 7.0, -2.0, 18.0]


def test_points_behind_the_horizon_are_nan_and_so_are_their_boxes():
    matrix = torch.eye(3, dtype=torch.float64)[None].clone()
    matrix[0, 2, 0] = -0.1  # w = 1 - x / 10: the horizon is x = 10
    plan = GeometryPlan(matrix, (16, 16), (16, 16))
    points = plan.points(torch.tensor([[5.0, 1.0], [10.0, 1.0], [12.0, 1.0]]))[0]
    assert torch.allclose(points[0], torch.tensor([10.0, 2.0])) and bool(points[1:].isnan().all())
    boxes = plan.boxes(torch.tensor([[1.0, 1.0, 5.0, 5.0], [1.0, 1.0, 12.0, 5.0]]))[0]
    assert boxes[0].isfinite().all() and boxes[1].isnan().all()


def test_output_pixels_behind_the_horizon_lie_outside():
    matrix = torch.eye(3, dtype=torch.float64)[None].clone()
    matrix[0, 2, 0] = 0.1
    plan = GeometryPlan(matrix, (4, 40), (4, 40))  # the inverse has its horizon at x = 10
    out = plan.images(torch.ones(1, 1, 4, 40), fill=0.25)
    assert torch.equal(out[..., 10:], torch.full((1, 1, 4, 30), 0.25))
    assert set(plan.masks(torch.ones(1, 4, 40, dtype=torch.uint8))[..., 10:].unique().tolist()) == {255}


def test_wrong_points_and_hulls_are_refused():
    with pytest.raises(ValueError, match="`hull` must be one of 'corners', 'ellipse'"):
        turned([1.0]).boxes(torch.zeros(1, 4), hull="mask")
    with pytest.raises(TypeError, match="`points` must be a floating-point tensor"):
        turned([1.0]).points(torch.zeros(1, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="`points` must be as many as rows"):
        turned([1.0]).points(torch.zeros(3, 1, 2))


def test_corners_go_around_and_ellipses_touch_the_four_sides():
    box = torch.tensor([1.0, 2.0, 5.0, 4.0])
    assert box_corners(box).tolist() == [[1, 2], [5, 2], [5, 4], [1, 4]]
    ellipse = box_ellipse(box)
    assert torch.allclose(torch.cat([ellipse.amin(0), ellipse.amax(0)]), box, atol=1e-5)


def test_plain_matrices_move_plain_points():
    points: Tensor = apply_matrix(translation(torch.tensor([[1.0, 2.0]])), torch.zeros(1, 1, 2, dtype=torch.float64))
    assert points.tolist() == [[[1.0, 2.0]]]


def test_a_plan_follows_its_targets_to_their_device():
    plan = GeometryPlan.identity(1, (4, 4))
    assert plan.to("cpu") is plan
    elsewhere = GeometryPlan(plan.matrix, (4, 4), (4, 4), torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, dtype=torch.long)).to("meta")
    assert {t.device.type for t in (elsewhere.matrix, elsewhere.displacement, elsewhere.window)} == {"meta"}


def test_apples_gpu_gets_float32_matrices():
    assert matrix_dtype("mps") == torch.float32 and matrix_dtype("cpu") == matrix_dtype(None) == torch.float64


# ----------------------------------------------------------------------------------------------------------------- windows


def test_a_batch_of_windows_is_torchvisions_resized_crop():
    from torchvision.transforms.v2 import functional

    generator = torch.Generator().manual_seed(0)
    for size, source in (((20, 20), (32, 32)), ((9, 31), (24, 37)), ((70, 66), (90, 80)), ((40, 30), (33, 90))):
        images = pictures(5, 3, *source)
        levels = (images * 255).to(torch.uint8)
        x1, y1 = (torch.randint(0, n // 2, (5,), generator=generator) for n in reversed(source))
        x2, y2 = (a + torch.randint(1, n // 2, (5,), generator=generator) for a, n in zip((x1, y1), reversed(source)))
        window = torch.stack([x1, y1, x2, y2], 1)
        for antialias in (True, False):
            ours = resample.resized_windows(images, window, size, antialias=antialias)
            rounded = resample.resized_windows(levels, window, size, antialias=antialias)
            for i, (a, b, c, d) in enumerate(window.tolist()):
                theirs = functional.resized_crop(images[i], b, a, d - b, c - a, list(size), antialias=antialias)
                assert float((ours[i] - theirs).abs().max()) < 1e-5
                theirs = functional.resized_crop(levels[i], b, a, d - b, c - a, list(size), antialias=antialias)
                assert int((rounded[i].int() - theirs.int()).abs().max()) <= 1


def test_few_and_many_pixels_are_resized_alike(monkeypatch):
    images, window = pictures(3, 3, 32, 32), torch.tensor([[0, 0, 32, 32], [3, 5, 20, 9], [31, 31, 32, 32]])
    dense = resample.resized_windows(images, window, (11, 40))
    monkeypatch.setattr(resample, "SMALL", 0)
    assert torch.allclose(dense, resample.resized_windows(images, window, (11, 40)), atol=1e-5)


@pytest.mark.parametrize("small", [0, 10**6])
@pytest.mark.parametrize("size", [(11, 12), (5, 6)])
def test_gradients_reach_the_pixels_in_the_window_and_no_others(monkeypatch, small, size):
    monkeypatch.setattr(resample, "SMALL", small)
    images, window = torch.rand(2, 1, 10, 10, requires_grad=True), torch.tensor([[0, 0, 10, 10], [2, 3, 9, 8]])
    out = resample.resized_windows(images, window, size)
    assert torch.equal(out.detach(), resample.resized_windows(images.detach(), window, size))
    out.sum().backward()
    inside = torch.zeros(2, 1, 10, 10, dtype=torch.bool)
    inside[0], inside[1, :, 3:8, 2:9] = True, True
    assert torch.equal(images.grad > 0, inside)


# ------------------------------------------------------------------------------------------------------------------ folds


def test_folds_are_seen_by_the_sign_of_the_jacobian():
    """D(x) = a sin(2 pi x / 8): its slope reaches a 2 pi / 8, so it folds from a = 1.28 on."""
    x = torch.arange(32) + 0.5
    wave = torch.sin(2 * math.pi * x / 8).expand(32, 32)
    fields = torch.stack([torch.stack([a * wave, 0 * wave]) for a in (0.0, 1.0, 2.0)])
    plan = GeometryPlan(torch.eye(3, dtype=torch.float64).repeat(3, 1, 1), (32, 32), (32, 32), fields)
    assert plan.folds().tolist() == [False, False, True]
    assert GeometryPlan.identity(2, (4, 4)).folds().tolist() == [False, False]
    points = torch.rand(3, 200, 2, generator=torch.Generator().manual_seed(0)) * 32
    with pytest.warns(UserWarning, match="The displacement folds the plane"):
        plan.points(points)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan[:2].points(points[:2])
