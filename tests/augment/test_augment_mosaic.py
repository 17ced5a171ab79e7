"""Mosaic: pixels, boxes and masks by loops in NumPy, and boxes that lie on the content they had."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from course_utils.augment import Affine, Mosaic, MosaicDraw
from course_utils.augment.mosaic import GREY, RANGES


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _boxes(values: list | torch.Tensor, size: tuple[int, int]) -> tv_tensors.BoundingBoxes:
    boxes = torch.as_tensor(values, dtype=torch.float32).reshape(-1, 4)
    return tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size)


def _random_targets(n: int, size: tuple[int, int], random: np.random.Generator) -> list[dict]:
    targets = []
    for _ in range(n):
        count = int(random.integers(0, 4))
        first = random.uniform(0, 0.7, (count, 2)) * [size[1], size[0]]
        last = np.minimum(first + random.uniform(1, 12, (count, 2)), [size[1], size[0]])
        targets.append({"boxes": _boxes(np.concatenate([first, last], 1), size), "labels": torch.arange(count)})
    return targets


def pixels_by_loops(images: np.ndarray, partners: list[int], point: list[int]) -> np.ndarray:
    """Return one result without an affine map: every pixel asks in which tile it lies."""
    _, channels, height, width = images.shape
    out = np.full((channels, height, width), GREY)
    for y in range(height):
        for x in range(width):
            below, right = y >= point[0], x >= point[1]
            row = y - point[0] if below else height - point[0] + y
            column = x - point[1] if right else width - point[1] + x
            if row < height and column < width:
                out[:, y, x] = images[partners[2 * below + right], :, row, column]
    return out


@pytest.mark.parametrize("layout", ["darknet", "yolov5"])
def test_every_pixel_comes_from_the_image_and_the_place_that_the_rule_names(layout: str) -> None:
    draw, random = _generator(1), np.random.default_rng(1)
    still = Affine(degrees=0, translate=0, scale=(1, 1), shear=0) if layout == "yolov5" else None
    for _ in range(100):
        n, channels, height, width = (int(v) for v in random.integers((1, 1, 2, 2), (6, 4, 12, 12)))
        height, width = 2 * (height // 2), 2 * (width // 2)  # an even side has a middle between two pixels
        images = torch.arange(n * channels * height * width, dtype=torch.float64).view(n, channels, height, width)
        mixer = Mosaic(layout=layout, affine=still)
        drawn = mixer.draw(n, (height, width), draw)
        mixed, _ = mixer.replay(images, [{"boxes": _boxes([], (height, width))}] * n, drawn, (height, width))
        for i in range(n):
            expected = pixels_by_loops(images.numpy(), drawn.partners[i].tolist(), drawn.points[i].tolist())
            assert np.array_equal(mixed[i].numpy(), expected)


def test_boxes_move_with_their_image_and_are_cut_and_counted_by_the_rule() -> None:
    draw, random = _generator(2), np.random.default_rng(2)
    size, mixer, seen, lost = (24, 20), Mosaic(layout="darknet"), 0, 0
    for _ in range(100):
        targets = _random_targets(5, size, random)
        drawn = mixer.draw(5, size, draw)
        _, found = mixer.replay(torch.rand(5, 1, *size), targets, drawn, size)
        for i in range(5):
            y, x = drawn.points[i].tolist()
            expected, labels = [], []
            for place, k in enumerate(drawn.partners[i].tolist()):
                top, left = (y - size[0] if place < 2 else y), (x - size[1] if place % 2 == 0 else x)
                for box, label in zip(targets[k]["boxes"].tolist(), targets[k]["labels"].tolist()):
                    cut = [min(max(v + s, 0), m) for v, s, m in zip(box, (left, top) * 2, (size[1], size[0]) * 2)]
                    w, h = cut[2] - cut[0], cut[3] - cut[1]
                    share = w * h / ((box[2] - box[0]) * (box[3] - box[1]))
                    if w > 2 and h > 2 and share > 0.1 and max(w / h, h / w) < 100:
                        expected.append(cut)
                        labels.append(label)
                    else:
                        lost += 1
            seen += len(expected)
            assert torch.allclose(found[i]["boxes"].as_subclass(torch.Tensor), _boxes(expected, size), atol=1e-4)
            assert found[i]["labels"].tolist() == labels
            assert tuple(found[i]["boxes"].canvas_size) == size
    assert seen > 300
    assert lost > 300


@pytest.mark.parametrize("layout", ["yolov5", "darknet"])
def test_boxes_and_masks_lie_on_the_object(layout: str) -> None:
    random, size = np.random.default_rng(3), (40, 40)
    images, targets = torch.zeros(6, 1, *size), []
    for k in range(6):
        x, y = (int(v) for v in random.integers(4, 20, 2))
        images[k, 0, y : y + 14, x : x + 12] = 1
        mask = torch.zeros(1, *size, dtype=torch.uint8)
        mask[0, y : y + 14, x : x + 12] = 1
        boxes = _boxes([x, y, x + 12, y + 14], size)
        targets.append({"boxes": boxes, "labels": torch.tensor([k]), "masks": tv_tensors.Mask(mask)})
    mixer, kept = Mosaic(layout=layout, fill=0), 0
    for seed in range(20):
        drawn = mixer.draw(6, size, _generator(seed))
        mixed, found = mixer.replay(images, targets, drawn, size)
        for image, target in zip(mixed, found):
            for box, mask in zip(target["boxes"].tolist(), target["masks"].as_subclass(torch.Tensor)):
                inner = [math.ceil(box[0] + 1), math.ceil(box[1] + 1), math.floor(box[2] - 1), math.floor(box[3] - 1)]
                if inner[0] >= inner[2] or inner[1] >= inner[3]:
                    continue
                assert float(image[0, inner[1] : inner[3], inner[0] : inner[2]].amin()) > 0.99  # nothing else inside
                rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
                hull = [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]
                assert np.allclose(hull, box, atol=1.01)
                kept += 1
    assert kept > 100


def test_areas_are_compared_with_the_whole_object_after_the_zoom() -> None:
    size = (40, 40)
    images, target = torch.rand(1, 3, *size), {"boxes": _boxes([[0, 0, 40, 40]], size)}
    zoom = Affine(degrees=0, translate=0, scale=(2, 2), shear=0)
    point = torch.tensor([[20, 20]])
    drawn = MosaicDraw(torch.tensor([True]), torch.zeros(1, 4, dtype=torch.long), point, zoom.sample(1, (3, 80, 80)))
    for share, left in ((0.05, 4), (0.07, 0)):  # each tile shows a quarter of a quarter of its object
        _, found = Mosaic(affine=zoom, min_share=share).replay(images, [target], drawn, size)
        assert len(found[0]["boxes"]) == left


def test_the_point_is_uniform_in_the_range_of_the_layout() -> None:
    for layout, (low, high) in RANGES.items():
        points = Mosaic(layout=layout).draw(20_000, (100, 200), _generator(4)).points
        share = points / torch.tensor([100, 200])
        assert bool((share >= low).all() and (share < high).all())
        assert torch.allclose(share.mean(0), torch.full((2,), (low + high) / 2), atol=0.01)


def test_fill_is_grey_in_both_dtypes() -> None:
    size = (8, 8)
    corner = MosaicDraw(torch.tensor([False]), torch.zeros(1, 4, dtype=torch.long), torch.zeros(1, 2, dtype=torch.long), None)
    for image, grey in ((torch.zeros(3, 4, 8, dtype=torch.uint8), 114), (torch.zeros(3, 4, 8), 114 / 255)):
        mixed, _ = Mosaic(layout="darknet").replay([image], [{"boxes": _boxes([], (4, 8))}], corner, size)
        assert mixed.dtype == image.dtype
        assert mixed[0, 0, :, 0].tolist() == pytest.approx([grey] * 2 + [0] * 4 + [grey] * 2)


def test_images_of_other_sizes_are_fitted_with_their_boxes_and_masks() -> None:
    images = [torch.rand(3, 10, 20), torch.rand(3, 30, 15)]
    targets = [
        {"boxes": _boxes([[0, 0, 20, 10]], (10, 20)), "masks": tv_tensors.Mask(torch.ones(1, 10, 20, dtype=torch.bool))},
        {"boxes": _boxes([[0, 0, 15, 30]], (30, 15)), "masks": tv_tensors.Mask(torch.ones(1, 30, 15, dtype=torch.bool))},
    ]
    mixed, found = Mosaic(size=40).eval()(images, targets)
    assert mixed.shape == (2, 3, 40, 40)
    assert found[0]["boxes"].tolist() == [[0, 10, 40, 30]]
    assert found[1]["boxes"].tolist() == [[10, 0, 30, 40]]
    assert int(found[0]["masks"].sum()) == 40 * 20
    with pytest.raises(ValueError, match="size"):
        Mosaic()(images, targets)


@pytest.mark.parametrize("size", [(10, 20), (16, 24), (80, 90)])
def test_a_batch_gives_what_the_list_of_its_images_gives(size: tuple[int, int]) -> None:
    images = torch.rand(5, 3, 10, 20)
    targets = _random_targets(5, (10, 20), np.random.default_rng(3))
    mixer = Mosaic(size=size, p=0.7)
    drawn = mixer.draw(5, size, _generator(4))
    (batch, found), (listed, expected) = (mixer.replay(given, targets, drawn, size) for given in (images, list(images)))
    assert batch.shape == (5, 3, *size)
    assert torch.equal(batch, listed)
    for one, other in zip(found, expected):
        assert torch.equal(one["boxes"], other["boxes"])
        assert torch.equal(one["labels"], other["labels"])


def test_class_maps_follow_the_pixels_and_are_255_outside() -> None:
    size = (12, 12)
    classes = torch.arange(4)[:, None, None].expand(4, *size).to(torch.uint8)
    images = (classes[:, None].float() + 1) / 10
    targets = [{"boxes": _boxes([], size), "masks": tv_tensors.Mask(one)} for one in classes]
    mixed, found = Mosaic(layout="darknet", fill=0)(images, targets)
    for image, target in zip(mixed, found):
        expected = torch.where(image[0] == 0, 255, (image[0] * 10 - 1).round()).long()
        assert torch.equal(target["masks"].as_subclass(torch.Tensor).long(), expected)


def test_the_gate_and_a_batch_of_one() -> None:
    images, targets = torch.rand(400, 1, 4, 4), [{"boxes": _boxes([], (4, 4))}] * 400
    mixed, _ = Mosaic(layout="darknet", p=0.3)(images, targets)
    changed = (mixed != images).flatten(1).any(1).double().mean()
    assert float(changed) == pytest.approx(0.3, abs=0.08)
    alone, found = Mosaic()(images[:1], targets[:1])
    assert alone.shape == (1, 1, 4, 4)
    assert len(found[0]["boxes"]) == 0


def test_label_weights_and_broken_inputs_are_refused() -> None:
    size = (8, 8)
    images, boxes = torch.rand(2, 3, *size), _boxes([[1, 1, 5, 5]], size)
    good = {"boxes": boxes, "labels": torch.tensor([1])}
    mixer = Mosaic()
    with pytest.raises(TypeError, match="mixes no labels"):
        mixer(images, [good, {"boxes": boxes, "labels": torch.tensor([0.5])}])
    with pytest.raises(TypeError, match="no label weights"):
        mixer(images, torch.tensor([0, 1]))
    with pytest.raises(TypeError, match="canvas"):
        mixer(images, [good, {"boxes": _boxes([[1, 1, 5, 5]], (9, 9)), "labels": torch.tensor([1])}])
    with pytest.raises(ValueError, match="targets"):
        mixer(images, [good])
    with pytest.raises(ValueError, match=r"targets\[1\]"):
        mixer(images, [good, {"boxes": boxes}])
    with pytest.raises(TypeError, match="masks"):
        mixer(images, [{**good, "masks": tv_tensors.Mask(torch.zeros(2, 8, 8))}] * 2)
    broken = images.clone()
    broken[1, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        mixer(broken, [good, good])
    with pytest.raises(ValueError, match="finite"):
        mixer(images, [good, {"boxes": _boxes([[1, math.nan, 5, 5]], size), "labels": torch.tensor([1])}])
    for wrong in ({"layout": "other"}, {"size": 0}, {"affine": 3}, {"min_share": 2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Mosaic(**wrong)
