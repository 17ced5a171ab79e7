"""Boxes, masks and key points: moved by one map, clipped once, dropped together."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from course_utils.augment import targets
from course_utils.augment.plan import GeometryPlan, translation
from course_utils.augment.spatial import Flip, Rotation
from course_utils.augment.targets import (
    COCO_PAIRS,
    SanitizeTargets,
    boxes_from_masks,
    clip_boxes,
    move_target,
    points_inside,
    smallest_rectangle,
    swap_pairs,
    visibility,
)

SIZE = (8, 12)


def boxes(*rows, form="XYXY", size=SIZE, dtype=torch.float32):
    return tv_tensors.BoundingBoxes(torch.tensor(rows, dtype=dtype), format=form, canvas_size=size)


def points(*rows, size=SIZE, dtype=torch.float32):
    return tv_tensors.KeyPoints(torch.tensor(rows, dtype=dtype), canvas_size=size)


def shift(x, y, size=SIZE):
    return GeometryPlan(translation(torch.tensor([[float(x), float(y)]])), size, size)


def plan_of(transform, size=SIZE):
    return transform.plan(transform.sample(1, (3, *size)), size)


# ----------------------------------------------------------------------------------------------------------------- moving


@pytest.mark.parametrize("form", ["XYXY", "XYWH", "CXCYWH"])
@pytest.mark.parametrize("kernel", ["horizontal_flip", "vertical_flip", "rotate"])
def test_boxes_of_every_format_move_as_in_torchvision(form, kernel):
    kind = tv_tensors.BoundingBoxFormat[form]
    start = functional.convert_bounding_box_format(boxes([2.0, 1, 5, 4], [7, 3, 10, 6.5]), new_format=kind)
    if kernel == "rotate":
        ours = move_target(start, plan_of(Rotation((20, 20))))
        theirs = functional.rotate(tv_tensors.wrap(start, like=start, clamping_mode=None), 20.0)
    else:
        ours = move_target(start, plan_of(Flip(kernel.split("_")[0])))
        theirs = getattr(functional, kernel)(start)
    assert ours.format == start.format and ours.canvas_size == SIZE
    assert torch.allclose(ours.as_subclass(Tensor), theirs.as_subclass(Tensor), atol=1e-4)


@pytest.mark.parametrize("kernel", ["horizontal_flip", "vertical_flip"])
def test_turned_boxes_flip_as_in_torchvision(kernel):
    start = boxes([2.0, 1, 5, 2, 4, 4, 1, 3], form="XYXYXYXY")
    ours = move_target(start, plan_of(Flip(kernel.split("_")[0]))).as_subclass(Tensor).view(4, 2)
    theirs = getattr(functional, kernel)(start).as_subclass(Tensor).view(4, 2)
    assert sorted(ours.tolist()) == sorted(theirs.tolist())
    area = (ours[:, 0] * ours[:, 1].roll(-1) - ours[:, 1] * ours[:, 0].roll(-1)).sum()
    assert float(area) > 0, "the corners still go around clockwise"


@pytest.mark.parametrize("form", ["CXCYWHR", "XYWHR"])
def test_a_box_with_an_angle_turns_and_keeps_its_sides(form):
    start = boxes([6.0, 4, 4, 2, 10], form=form)
    moved = move_target(start, plan_of(Rotation((25, 25))))
    before, after = (
        functional.convert_bounding_box_format(b, new_format=tv_tensors.BoundingBoxFormat.XYXYXYXY).as_subclass(Tensor).view(4, 2)
        for b in (start, moved)
    )
    expected = plan_of(Rotation((25, 25))).points(before)[0]
    assert torch.allclose(after, expected, atol=1e-3)


def test_the_smallest_rectangle_of_a_parallelogram_holds_it_and_touches_it():
    corners = torch.tensor([[[0.0, 0], [4, 0], [5, 2], [1, 2]], [[0, 0], [1, 0], [1, 1], [0, 1]]])
    fitted = smallest_rectangle(corners)
    sides = (fitted.roll(-1, 1) - fitted).norm(dim=-1)
    assert torch.allclose(sides[0, 0] * sides[0, 1], torch.tensor(10.0), atol=1e-4)  # 5 x 2; 10.7 along the short side
    assert torch.allclose(fitted[1], corners[1], atol=1e-6)


def test_integer_boxes_stay_integers():
    moved = move_target(boxes([2, 1, 5, 4], dtype=torch.int64), plan_of(Rotation((20, 20))))
    exact = move_target(boxes([2, 1, 5, 4]), plan_of(Rotation((20, 20))))
    assert moved.dtype == torch.int64
    assert torch.equal(moved.as_subclass(Tensor), exact.as_subclass(Tensor).round().long())


def test_integer_key_points_are_indices_of_pixels():
    """Index 3 of 12 goes to index 8 under a flip; the coordinate 3.0 goes to 9.0."""
    flip = plan_of(Flip())
    assert move_target(points([3, 2], dtype=torch.int64), flip).tolist() == [[8, 2]]
    assert move_target(points([3.0, 2.0]), flip).tolist() == [[9.0, 2.0]]


def test_boxes_are_not_clipped_and_come_back():
    start = boxes([2.0, 1, 5, 4])
    out = move_target(start, shift(-4, 6))
    assert out.tolist() == [[-2.0, 7.0, 1.0, 10.0]]
    assert move_target(out, shift(4, -6)).tolist() == start.tolist()


def test_class_maps_get_the_ignore_index_outside_and_object_masks_get_nothing():
    classes = tv_tensors.Mask(torch.ones(SIZE, dtype=torch.uint8))
    assert move_target(classes, shift(11, 0)).unique().tolist() == [1, 255]
    assert move_target(classes, shift(11, 0), ignore_index=7).unique().tolist() == [1, 7]
    objects = tv_tensors.Mask(torch.ones(2, *SIZE, dtype=torch.uint8))
    assert move_target(objects, shift(11, 0)).unique().tolist() == [0, 1]
    flags = tv_tensors.Mask(torch.ones(SIZE, dtype=torch.bool))
    assert move_target(flags, shift(11, 0)).dtype == torch.bool
    assert int(move_target(flags, shift(11, 0)).sum()) == SIZE[0]


def test_a_box_behind_the_horizon_becomes_zeros():
    matrix = torch.eye(3, dtype=torch.float64)[None].clone()
    matrix[0, 2, 0] = -0.1
    moved = move_target(boxes([1.0, 1, 3, 3], [1, 1, 11, 3]), GeometryPlan(matrix, SIZE, SIZE))
    assert moved[1].tolist() == [0, 0, 0, 0] and float(moved[0].sum()) > 0


@pytest.mark.parametrize(
    ("target", "error", "text"),
    [
        (torch.zeros(1, 4), TypeError, "`target` must be BoundingBoxes, KeyPoints or Mask of tv_tensors, but got Tensor"),
        (boxes([1.0, 1, 2, 2], size=(5, 5)), ValueError, r"`target` must be on the canvas of the image, \(8, 12\)"),
        (tv_tensors.Mask(torch.zeros(5, 5)), ValueError, r"`target` must be on the canvas"),
    ],
)
def test_targets_that_do_not_fit_are_refused(target, error, text):
    with pytest.raises(error, match=text):
        move_target(target, shift(0, 0))


def test_a_plan_of_several_rows_is_refused():
    with pytest.raises(ValueError, match="`plan` must be a plan of one row, but got 2 rows"):
        move_target(boxes([1.0, 1, 2, 2]), GeometryPlan.identity(2, SIZE))


# --------------------------------------------------------------------------------------------------------- left and right


def test_a_flip_swaps_the_names_of_left_and_right():
    flip = Flip(p=1, mirror_pairs=[(0, 1)])
    body = points([2.0, 3.0], [9.0, 3.0], [5.0, 1.0])
    _, moved = flip(torch.zeros(3, *SIZE), body)
    assert moved.tolist() == [[3.0, 3.0], [10.0, 3.0], [7.0, 1.0]]
    _, again = flip(torch.zeros(3, *SIZE), moved)
    assert again.tolist() == body.tolist(), "twice is the identity, joint by joint"


def test_a_turn_swaps_nothing():
    turn = Rotation((180, 180), mirror_pairs=[(0, 1)])
    _, moved = turn(torch.zeros(3, *SIZE), points([2.0, 3.0], [9.0, 3.0]))
    assert torch.allclose(moved.as_subclass(Tensor), torch.tensor([[10.0, 5.0], [3.0, 5.0]]), atol=1e-5)


def test_the_pairs_of_coco_swap_eight_times_and_leave_the_nose():
    body = torch.arange(34.0).view(17, 2)
    swapped = swap_pairs(body, COCO_PAIRS)
    assert torch.equal(swapped[0], body[0]) and torch.equal(swap_pairs(swapped, COCO_PAIRS), body)
    assert torch.equal(swapped[5], body[6]) and int((swapped != body).any(1).sum()) == 16
    assert torch.equal(swap_pairs(body.expand(3, 17, 2), COCO_PAIRS)[1], swapped)


@pytest.mark.parametrize("pairs", [[(0, 5)], [(0, 1), (1, 2)], [(-1, 0)]])
def test_pairs_that_name_no_key_point_are_refused(pairs):
    with pytest.raises(ValueError, match="`mirror_pairs` must be pairs of different key points from 0 to 2"):
        swap_pairs(torch.zeros(3, 2), pairs)


# ------------------------------------------------------------------------------------------------------ clip and visibility


coordinate = st.floats(-30, 30, allow_nan=False, width=32)


@settings(max_examples=100, deadline=None)
@given(coordinate, coordinate, st.floats(0.1, 30), st.floats(0.1, 30))
def test_visibility_is_the_share_of_small_cells_inside(x, y, w, h):
    box = torch.tensor([[x, y, x + w, y + h]], dtype=torch.float64)
    share = (torch.arange(200, dtype=torch.float64) + 0.5) / 200
    inside_x = ((x + w * share >= 0) & (x + w * share <= SIZE[1])).double().mean()
    inside_y = ((y + h * share >= 0) & (y + h * share <= SIZE[0])).double().mean()
    assert abs(float(visibility(box, SIZE)) - float(inside_x * inside_y)) < 0.011
    clipped = clip_boxes(box, SIZE)
    assert bool((clipped >= 0).all() and (clipped[0, 2] <= SIZE[1]) and (clipped[0, 3] <= SIZE[0]))


def test_a_box_without_area_is_not_visible():
    assert visibility(torch.tensor([[3.0, 3, 3, 5], [5, 5, 4, 6], [math.nan] * 4]), SIZE).tolist() == [0, 0, 0]


def test_points_inside_include_the_border_and_not_nan():
    given_points = torch.tensor([[0.0, 0.0], [12.0, 8.0], [12.1, 4.0], [3.0, -0.1], [math.nan, 1.0]])
    assert points_inside(given_points, SIZE).tolist() == [True, True, False, False, False]


def test_the_box_of_a_mask_is_torchvisions_with_the_last_pixel_in_it():
    from torchvision.ops import masks_to_boxes

    masks = torch.rand(20, 9, 13, generator=torch.Generator().manual_seed(0)) > 0.95
    masks[:, 4, 6] = True
    assert torch.equal(boxes_from_masks(masks), masks_to_boxes(masks) + torch.tensor([0.0, 0, 1, 1]))
    assert boxes_from_masks(torch.zeros(1, 4, 4)).tolist() == [[0, 0, 0, 0]]
    assert boxes_from_masks(torch.zeros(0, 4, 4)).shape == (0, 4)


# ------------------------------------------------------------------------------------------------------------- sanitising


def sample():
    return {
        "image": tv_tensors.Image(torch.rand(3, *SIZE)),
        "boxes": boxes([1.0, 1, 4, 4], [10, 2, 20, 6], [-5, -5, -1, -1], [6, 2, 6.5, 7]),
        "labels": torch.tensor([1, 2, 3, 4]),
        "masks": tv_tensors.Mask(torch.stack([torch.full(SIZE, i, dtype=torch.uint8) for i in (1, 2, 3, 4)])),
        "points": tv_tensors.KeyPoints(torch.arange(16.0).view(4, 2, 2), canvas_size=SIZE),
        "iscrowd": torch.zeros(4, dtype=torch.bool),
        "image_id": torch.tensor([5, 6, 7, 8]),
    }


def test_one_index_cuts_boxes_labels_masks_and_key_points():
    out = SanitizeTargets(min_visibility=0.1)(sample())
    assert out["boxes"].tolist() == [[1, 1, 4, 4], [10, 2, 12, 6]], "clipped, and the two others dropped"
    assert out["labels"].tolist() == [1, 2] and out["iscrowd"].shape == (2,)
    assert out["masks"].amax((1, 2)).tolist() == [1, 2] and out["points"][:, 0, 0].tolist() == [0, 4]
    assert out["image_id"].tolist() == [5, 6, 7, 8], "a key that is no row of objects stays"
    assert type(out["boxes"]) is tv_tensors.BoundingBoxes and type(out["points"]) is tv_tensors.KeyPoints


@pytest.mark.parametrize(("least", "kept"), [(0.0, 2), (0.2, 2), (0.21, 1)])
def test_visibility_compares_with_the_box_before_the_clip(least, kept):
    assert len(SanitizeTargets(min_visibility=least)(sample())["boxes"]) == kept


def test_small_boxes_are_dropped_by_side_and_by_area():
    thin = boxes([6.0, 2, 6.5, 7])
    assert len(SanitizeTargets(min_size=0.5, min_area=2.5)({"boxes": thin})["boxes"]) == 1
    assert len(SanitizeTargets(min_size=0.5, min_area=2.6)({"boxes": thin})["boxes"]) == 0
    assert len(SanitizeTargets(min_size=0.6, min_area=0)({"boxes": thin})["boxes"]) == 0


def test_without_visibility_it_is_torchvisions_clamp_and_sanitize():
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(200, 2, generator=generator) * 30 - 10
    many = tv_tensors.BoundingBoxes(
        torch.cat([corner, corner + torch.rand(200, 2, generator=generator) * 6], 1), format="XYXY", canvas_size=SIZE
    )
    given_sample = {"boxes": many, "labels": torch.arange(200)}
    ours = SanitizeTargets(min_visibility=0)(given_sample)
    theirs = v2.Compose([v2.ClampBoundingBoxes(), v2.SanitizeBoundingBoxes()])(given_sample)
    assert 10 < len(ours["boxes"]) < 190 and torch.equal(ours["labels"], theirs["labels"])
    assert torch.equal(ours["boxes"], theirs["boxes"])


def test_torchvision_leaves_the_key_points_of_dropped_objects():
    theirs = v2.SanitizeBoundingBoxes()(sample())
    assert len(theirs["boxes"]) == 1 and len(theirs["points"]) == 4, "the case in which the library differs"


def test_an_image_without_objects_stays_as_background():
    out = SanitizeTargets()({"image": torch.zeros(3, *SIZE), "boxes": boxes([-9.0, -9, -8, -8]), "labels": torch.tensor([1])})
    assert out["boxes"].shape == (0, 4) and out["labels"].shape == (0,) and out["image"].shape == (3, *SIZE)
    again = SanitizeTargets()(out)
    assert again["boxes"].shape == (0, 4)


def test_samples_are_found_in_tuples_and_batches():
    one = SanitizeTargets()(torch.zeros(3, *SIZE), boxes([1.0, 1, 4, 4], [-5, -5, -1, -1]), torch.tensor([1, 2]))
    assert one[1].shape == (1, 4) and one[2].tolist() == [1] and one[0].shape == (3, *SIZE)
    images, two = SanitizeTargets()(torch.zeros(2, 3, *SIZE), [sample(), sample()])
    assert images.shape == (2, 3, *SIZE) and [len(s["labels"]) for s in two] == [2, 2]


def test_masks_can_give_the_boxes():
    mask = torch.zeros(1, *SIZE, dtype=torch.uint8)
    mask[0, 2:4, 3:5] = 1
    loose = {"boxes": boxes([1.0, 1, 8, 7]), "masks": tv_tensors.Mask(mask)}
    assert SanitizeTargets(from_masks=True)(loose)["boxes"].tolist() == [[3, 2, 5, 4]]
    assert SanitizeTargets()(loose)["boxes"].tolist() == [[1, 1, 8, 7]]


def test_turned_boxes_are_judged_by_their_hull():
    turned = boxes([1.0, 1, 4, 2, 3, 5, 0, 4], [-9, -9, -8, -9, -8, -8, -9, -8], form="XYXYXYXY")
    out = SanitizeTargets()({"boxes": turned})
    assert out["boxes"].tolist() == [[1, 1, 4, 2, 3, 5, 0, 4]]


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"`inputs\['labels'\]` must be one row for each of the 1 boxes"):
        SanitizeTargets()({"boxes": boxes([1.0, 1, 4, 4]), "labels": torch.tensor([1, 2])})


@pytest.mark.parametrize(("name", "value"), [("min_visibility", 1.1), ("min_size", -1.0), ("min_area", math.nan)])
def test_wrong_thresholds_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}`"):
        SanitizeTargets(**{name: value})


def test_the_rows_of_a_sample_are_named():
    assert {"labels", "iscrowd", "area"} <= set(targets.LABEL_KEYS)
