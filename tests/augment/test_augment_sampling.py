"""The base of all transforms: who is changed, by which numbers, and which target belongs to which image."""

from dataclasses import dataclass

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.augment.sampling import RandomTransform, corners, rows, to_uint8, uniform


@dataclass(frozen=True)
class Shift:
    amount: Tensor  # (n,)
    unit: str = "levels"


class Brighter(RandomTransform):
    """Adds a drawn amount; boxes are moved right by it, so that a test sees whose number was used."""

    def sample(self, n, shape, generator=None, device=None):
        return Shift(uniform(n, 0.1, 0.2, generator, device))

    def apply(self, images, params):
        return images + params.amount[:, None, None, None]

    def apply_target(self, target, params):
        return tv_tensors.wrap(target + params.amount.to(target.dtype), like=target)


class CountsBoxes(Brighter):
    needs_boxes = True

    def sample(self, n, shape, generator=None, device=None, boxes=None):
        return Shift(torch.tensor([0.1 * len(b) for b in boxes]))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def boxes_of(n, low=0.0):
    return tv_tensors.BoundingBoxes(torch.full((n, 4), low), format="XYXY", canvas_size=(4, 4))


def test_every_image_gets_its_own_number_and_a_batch_can_share_one():
    images = torch.zeros(5, 3, 2, 2)
    own, shared = Brighter()(images), Brighter(per="batch")(images)
    assert len(set(own[:, 0, 0, 0].tolist())) == 5 and len(set(shared[:, 0, 0, 0].tolist())) == 1


def test_the_gate_changes_a_share_p_of_the_images_and_leaves_the_others_bit_by_bit():
    images = torch.rand(4000, 1, 1, 1) * 0.5
    torch.manual_seed(0)
    out = Brighter(p=0.3)(images)
    changed = (out != images).flatten()
    assert abs(changed.float().mean() - 0.3) < 4 * (0.3 * 0.7 / 4000) ** 0.5
    assert torch.equal(Brighter(p=0.0)(images), images)


def test_the_gate_of_a_shared_draw_opens_for_all_or_for_none():
    torch.manual_seed(0)
    changed = [(Brighter(p=0.5, per="batch")(torch.zeros(6, 1, 1, 1)) > 0).flatten() for _ in range(50)]
    assert {int(c.sum()) for c in changed} == {0, 6}


def test_a_draw_can_be_replayed_and_a_seed_repeats_it():
    images = torch.rand(8, 3, 2, 2) * 0.5
    transform = Brighter(p=0.5)
    draw = transform.draw(images, seeded())
    assert torch.equal(transform.replay(images, draw), transform.replay(images, transform.draw(images, seeded())))
    assert len(draw.params.amount) == int(draw.active.sum()) and draw.params.unit == "levels"


def test_the_global_generator_is_the_source_by_default():
    images = torch.zeros(3, 1, 1, 1)
    torch.manual_seed(3)
    first = Brighter()(images)
    torch.manual_seed(3)
    assert torch.equal(first, Brighter()(images))


@pytest.mark.parametrize("given", ["list of dictionaries", "separate lists"])
def test_the_kth_target_belongs_to_image_k(given):
    images = torch.zeros(4, 1, 4, 4)
    boxes = [boxes_of(k) for k in (2, 0, 1, 3)]
    points = [tv_tensors.KeyPoints(torch.zeros(2, 2), canvas_size=(4, 4)) for _ in range(4)]
    torch.manual_seed(0)
    transform = Brighter(p=0.6)
    if given == "list of dictionaries":
        targets = [{"boxes": b, "points": q, "label": 7} for b, q in zip(boxes, points)]
        out, moved = transform(images, targets)
        boxes, points = [t["boxes"] for t in moved], [t["points"] for t in moved]
        assert all(t["label"] == 7 for t in moved)
    else:
        out, boxes, points = transform(images, boxes, points)
    amounts = out[:, 0, 0, 0]
    assert 0 < int((amounts > 0).sum()) < 4
    assert [len(b) for b in boxes] == [2, 0, 1, 3]
    for amount, box, point in zip(amounts, boxes, points):
        assert isinstance(box, tv_tensors.BoundingBoxes) and isinstance(point, tv_tensors.KeyPoints)
        torch.testing.assert_close(box.as_subclass(Tensor), amount.expand(len(box), 4))
        torch.testing.assert_close(point.as_subclass(Tensor), amount.expand(2, 2))


def test_one_target_for_a_whole_batch_has_the_batch_first():
    images, points = torch.zeros(3, 1, 4, 4), tv_tensors.KeyPoints(torch.zeros(3, 5, 2), canvas_size=(4, 4))
    out, moved, boxes = Brighter()(images, points, boxes_of(3))
    assert moved.shape == (3, 5, 2) and moved.canvas_size == (4, 4) and boxes.shape == (3, 4)
    torch.testing.assert_close(moved[:, 2, 1].as_subclass(Tensor), out[:, 0, 0, 0])
    torch.testing.assert_close(boxes[:, 0].as_subclass(Tensor), out[:, 0, 0, 0])


def test_a_transform_that_needs_boxes_is_given_those_of_the_active_images():
    out, _ = CountsBoxes()(torch.zeros(3, 1, 4, 4), [boxes_of(2), boxes_of(0), boxes_of(1)])
    torch.testing.assert_close(out[:, 0, 0, 0], torch.tensor([0.2, 0.0, 0.1]))
    assert float(CountsBoxes()(torch.zeros(1, 4, 4)).max()) == 0


def test_boxes_of_any_format_are_read_as_corners():
    boxes = tv_tensors.BoundingBoxes([[5.0, 6.0, 2.0, 4.0]], format="CXCYWH", canvas_size=(9, 9))
    assert corners(boxes).tolist() == [[4.0, 4.0, 6.0, 8.0]]


def test_uint8_is_computed_as_a_float_and_rounded():
    out = Brighter()(torch.full((1, 3, 2, 2), 100, dtype=torch.uint8))
    assert out.dtype == torch.uint8 and 125 <= int(out[0, 0, 0, 0]) <= 151
    assert to_uint8(torch.tensor([-1.0, 0.5, 0.9999, 3.0])).tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floating_images_keep_their_dtype(dtype):
    assert Brighter()(torch.zeros(2, 3, 2, 2, dtype=dtype)).dtype == dtype


def test_kinds_of_images_come_back_as_they_are():
    picture = PIL.Image.fromarray(np.full((3, 5, 3), 50, np.uint8))
    assert isinstance(Brighter()(picture), PIL.Image.Image) and Brighter()(picture).size == (5, 3)
    assert isinstance(Brighter()(tv_tensors.Image(torch.zeros(3, 2, 2))), tv_tensors.Image)
    labels = torch.arange(2)
    _, out = v2.Compose([Brighter(), Brighter()])(torch.zeros(2, 3, 2, 2), labels)
    assert out is labels


def test_rows_are_taken_from_tensors_only():
    assert rows(Shift(torch.arange(3)), [2, 0]).amount.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: Brighter(p=1.5), ValueError, "`p`"),
        (lambda: Brighter(per="image"), ValueError, "`per`"),
        (lambda: Brighter()("a path"), TypeError, "an image among them"),
        (lambda: Brighter()(torch.zeros(4)), ValueError, r"\(C, H, W\) or \(B, C, H, W\), but got shape \(4,\)"),
        (lambda: Brighter()(torch.zeros(3, 0, 4)), ValueError, "at least one channel and pixel"),
        (lambda: Brighter()(torch.zeros(3, 2, 2, dtype=torch.int32)), TypeError, "uint8 or floating"),
        (lambda: Brighter()(torch.tensor([0.0, 1.5]).reshape(2, 1, 1, 1)), ValueError, "1.5 to 1.5 in image 1"),
        (lambda: Brighter()(torch.tensor([-2.0, 0.5]).reshape(2, 1, 1, 1)), ValueError, "Normalise .* after"),
        (lambda: Brighter()(torch.tensor([0.0, torch.nan]).reshape(2, 1, 1, 1)), ValueError, "NaN in image 1"),
        (lambda: Brighter()(torch.zeros(3, 1, 4, 4), [boxes_of(1), boxes_of(1)]), ValueError, "as many BoundingBoxes as images"),
        (lambda: Brighter()(torch.zeros(3, 1, 4, 4), tv_tensors.Mask(torch.zeros(2, 4, 4))), ValueError, "first axis 3"),
        (
            lambda: Brighter()(tv_tensors.Image(torch.zeros(1, 4, 4)), tv_tensors.Image(torch.zeros(1, 4, 5))),
            ValueError,
            "images of one shape",
        ),
    ],
)
def test_promised_errors_are_raised_in_words(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_range_is_checked_to_the_last_bit(dtype):
    from course_utils.augment.sampling import check_images

    one = torch.ones((), dtype=dtype)
    images = torch.tensor([0.0, -0.0, 0.5, 1.0], dtype=dtype).view(4, 1, 1, 1)
    check_images(images, unit_range=True)
    check_images(images[:, :, ::2], unit_range=True)
    check_images(images.expand(4, 3, 2, 2), unit_range=True)
    too_high, too_low = torch.nextafter(one, 2 * one), -torch.finfo(dtype).tiny
    for value, text in (
        (too_high, "image 2"),
        (too_low, "after the augmentation"),
        (torch.nan, "NaN"),
        (-torch.nan, "NaN"),
        (torch.inf, "inf"),
    ):
        for good in (images, images.abs()):  # a negative zero is looked at twice, so the first look needs images without
            broken = good.clone()
            broken[2] = value
            with pytest.raises(ValueError, match=text):
                check_images(broken, unit_range=True)
