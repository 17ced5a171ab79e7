"""The detector: targets, losses and decoding against their formulas; what repeats, what learns, what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors
from torchvision.transforms import v2

from course_utils.augment import RandomErasing
from course_utils.training import CenterNet, train_detector
from course_utils.training.center_points import (
    OFFSET_WEIGHT,
    SIZE_WEIGHT,
    center_loss,
    decode,
    encode,
    focal_loss,
    gaussian_radius,
)
from course_utils.training.detector import _Batches, _transformed

IMAGE = (48, 64)  # height, width


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def entry(boxes, labels):
    return {"boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)}


def random_entry(r, n, n_classes=3):
    centres = r.uniform([4, 4], [IMAGE[1] - 4, IMAGE[0] - 4], (n, 2))
    half = np.minimum(r.uniform(2, 15, (n, 2)), np.minimum(centres, np.array(IMAGE[::-1]) - centres))
    return entry(np.concatenate([centres - half, centres + half], axis=1).tolist(), r.integers(n_classes, size=n).tolist())


def iou(a, b):
    width, height = (max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1))
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


# -- targets --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(5))
def test_heat_maps_equal_gaussians_painted_point_by_point(seed):
    r = np.random.default_rng(seed)
    objects = [random_entry(r, n) for n in (4, 0, 7)]
    heat = encode(objects, 3, IMAGE).heat
    assert heat.shape == (3, 3, 12, 16) and heat.dtype == torch.float32
    expected = np.zeros(heat.shape)
    for image, truth in enumerate(objects):
        for (x0, y0, x1, y1), label in zip(truth["boxes"].tolist(), truth["labels"].tolist()):
            cx, cy = int((x0 + x1) / 8), int((y0 + y1) / 8)
            radius = int(gaussian_radius(torch.tensor([[(x1 - x0) / 4, (y1 - y0) / 4]])))
            sigma = (2 * radius + 1) / 6
            for y in range(12):
                for x in range(16):
                    value = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))
                    expected[image, label, y, x] = max(expected[image, label, y, x], value)
    np.testing.assert_allclose(heat.numpy(), expected, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 30), st.floats(0.5, 30), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]))
def test_the_radius_is_the_largest_move_of_the_corners_that_keeps_the_overlap(width, height, keep):
    """Search along the three ways of moving two corners by r in both axes: the worst of them just reaches the limit."""
    radius = float(gaussian_radius(torch.tensor([[width, height]], dtype=torch.float64), keep))

    def worst(r):
        box = (0.0, 0.0, width, height)
        moved = [(r, r, width + r, height + r), (-r, -r, width + r, height + r)]
        if 2 * r < min(width, height):
            moved.append((r, r, width - r, height - r))
        else:
            return 0.0
        return min(iou(box, other) for other in moved)

    assert worst(radius * 0.999) >= keep - 1e-6
    assert worst(radius * 1.001) <= keep + 1e-6


def test_a_larger_object_gets_a_wider_gaussian():
    small = encode([entry([[28, 20, 36, 28]], [0])], 1, IMAGE).heat
    large = encode([entry([[8, 0, 56, 48]], [0])], 1, IMAGE).heat
    assert large.sum() > 2 * small.sum() and (small == 1).sum() == (large == 1).sum() == 1


def test_every_object_keeps_its_own_size_and_offset_even_on_a_shared_point():
    targets = encode([entry([[20, 20, 30, 30], [21, 21, 30, 30]], [0, 0])], 1, IMAGE)
    assert targets.cell.tolist() == [6 * 16 + 6] * 2
    assert targets.sizes.tolist() == [[10, 10], [9, 9]] and targets.offsets.tolist() == [[0.25, 0.25], [0.375, 0.375]]


def test_a_centre_on_the_far_edge_falls_on_the_last_point():
    targets = encode([entry([[60, 44, 68, 52]], [0])], 1, IMAGE)
    assert targets.cell.tolist() == [12 * 16 - 1] and targets.offsets.tolist() == [[1.0, 1.0]]


# -- losses ---------------------------------------------------------------------------------------------------------------
def test_the_focal_loss_equals_the_formula_of_the_paper():
    r = np.random.default_rng(1)
    heat = encode([random_entry(r, 5), random_entry(r, 2)], 3, IMAGE).heat.double()
    logits = torch.from_numpy(r.normal(size=heat.shape))
    total, n = 0.0, 0
    for y, p in zip(heat.flatten().tolist(), torch.sigmoid(logits).flatten().tolist()):
        if y == 1:
            total, n = total + (1 - p) ** 2 * np.log(p), n + 1
        else:
            total += (1 - y) ** 4 * p**2 * np.log(1 - p)
    assert n == 7
    assert float(focal_loss(logits, heat)) == pytest.approx(-total / n, rel=1e-12)


def test_the_focal_loss_has_the_right_gradient_and_survives_certain_logits():
    heat = encode([entry([[4, 4, 14, 14]], [1])], 2, (16, 16)).heat.double()
    logits = torch.randn(heat.shape, generator=seeded(), dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda x: focal_loss(x, heat), logits)
    for value in (-200.0, 200.0):
        sure = torch.full(heat.shape, value, requires_grad=True)
        focal_loss(sure, heat.float()).backward()
        assert torch.isfinite(sure.grad).all()


def test_perfect_maps_cost_nothing():
    r = np.random.default_rng(2)
    targets = encode([random_entry(r, 3)], 3, IMAGE)
    logits = torch.where(targets.heat == 1, 30.0, -30.0)
    parts = center_loss(logits, *as_maps(targets), targets)
    assert all(float(part) < 1e-6 for part in parts.values())


def test_the_loss_is_the_weighted_sum_of_its_parts_and_sizes_count_in_pixels():
    targets = encode([entry([[10, 10, 30, 34]], [0]), entry([[4, 4, 20, 12]], [0])], 1, IMAGE)
    sizes, offsets = as_maps(targets)
    parts = center_loss(torch.zeros_like(targets.heat), sizes + 2, offsets - 0.25, targets)
    assert float(parts["size"]) == pytest.approx(4) and float(parts["offset"]) == pytest.approx(0.5)
    expected = parts["heat"] + SIZE_WEIGHT * parts["size"] + OFFSET_WEIGHT * parts["offset"]
    assert float(parts["loss"]) == pytest.approx(float(expected))


def test_images_without_objects_have_a_finite_loss_that_pushes_every_point_down():
    logits = torch.zeros(2, 3, 12, 16, requires_grad=True)
    sizes = torch.zeros(2, 2, 12, 16)
    parts = center_loss(logits, sizes, sizes, encode([entry([], []), entry([], [])], 3, IMAGE))
    parts["loss"].backward()
    assert float(parts["size"]) == float(parts["offset"]) == 0
    assert torch.isfinite(parts["loss"]) and (logits.grad > 0).all()


# -- decoding -------------------------------------------------------------------------------------------------------------
def as_maps(targets):
    """Write sizes and offsets at the centres of otherwise empty maps (B, 2, h, w)."""
    b, _, rows, columns = targets.heat.shape
    maps = []
    for values in (targets.sizes, targets.offsets):
        flat = torch.zeros(b, 2, rows * columns)
        flat[targets.image, :, targets.cell] = values
        maps.append(flat.view(b, 2, rows, columns))
    return maps


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_decoding_what_was_encoded_gives_the_boxes_back(seed, n):
    """Objects on a lattice of 16 pixels, so that no centre hides another one's peak."""
    r = np.random.default_rng(seed)
    places = r.permutation(12)[:n]
    centres = np.stack([places % 4, places // 4], axis=1) * 16 + r.uniform(5, 11, (n, 2))
    half = np.minimum(r.uniform(1, 20, (n, 2)), np.minimum(centres, np.array(IMAGE[::-1]) - centres))
    truth = entry(np.concatenate([centres - half, centres + half], axis=1).tolist(), r.integers(3, size=n).tolist())
    targets = encode([truth], 3, IMAGE)
    found = decode(targets.heat, *as_maps(targets), max_detections=n)[0]
    assert found["scores"].tolist() == [1.0] * n
    order = [int((truth["boxes"] - box).abs().sum(1).argmin()) for box in found["boxes"]]
    assert sorted(order) == list(range(n))
    torch.testing.assert_close(found["boxes"], truth["boxes"][order], atol=1e-4, rtol=0)
    assert found["labels"].tolist() == truth["labels"][order].tolist()


def test_only_points_that_no_neighbour_exceeds_are_detections():
    heat = torch.zeros(1, 1, 12, 16)
    heat[0, 0, 5, 5], heat[0, 0, 5, 6], heat[0, 0, 5, 8] = 0.9, 0.8, 0.7
    found = decode(heat, torch.full((1, 2, 12, 16), 8.0), torch.full((1, 2, 12, 16), 0.5))[0]
    torch.testing.assert_close(found["scores"], torch.tensor([0.9, 0.7]))
    assert found["boxes"].tolist() == [[18, 18, 26, 26], [30, 18, 38, 26]]


def test_classes_have_their_own_peaks_and_the_best_come_first():
    heat = torch.rand(2, 3, 12, 16, generator=seeded())
    found = decode(heat, torch.full((2, 2, 12, 16), 8.0), torch.full((2, 2, 12, 16), 0.5), max_detections=10)
    for image, entries in enumerate(found):
        assert len(entries["scores"]) == 10
        assert torch.equal(entries["scores"], entries["scores"].sort(descending=True).values)
        for box, score, label in zip(entries["boxes"], entries["scores"], entries["labels"]):
            x, y = int((box[0] + box[2]) / 8), int((box[1] + box[3]) / 8)
            window = heat[image, label, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            if 0 < x < 15 and 0 < y < 11:
                assert score == heat[image, label, y, x] == window.max()


def test_boxes_are_clipped_to_the_image_and_empty_ones_left_out():
    heat = torch.zeros(1, 1, 12, 16)
    heat[0, 0, 0, 0], heat[0, 0, 6, 6] = 0.9, 0.8
    sizes = torch.full((1, 2, 12, 16), 30.0)
    sizes[0, :, 6, 6] = -3.0
    found = decode(heat, sizes, torch.zeros(1, 2, 12, 16))[0]
    assert found["boxes"].tolist() == [[0, 0, 15, 15]]


def test_an_empty_heat_map_gives_no_boxes():
    maps = torch.ones(1, 2, 12, 16)
    found = decode(torch.zeros(1, 3, 12, 16), maps, maps)[0]
    assert found["boxes"].shape == (0, 4) and found["scores"].shape == found["labels"].shape == (0,)


# -- the network ----------------------------------------------------------------------------------------------------------
def pictures(n=3, size=48, seed=0):
    return torch.randint(0, 256, (n, 3, size, size), generator=seeded(seed), dtype=torch.uint8)


def test_the_maps_have_a_quarter_of_the_images_size():
    heat, sizes, offsets = CenterNet(5, width=16, generator=seeded())(pictures()[:, :, :32])
    assert heat.shape == (3, 5, 8, 12) and sizes.shape == offsets.shape == (3, 2, 8, 12)


def test_an_untrained_detector_expects_nothing_and_boxes_of_24_pixels():
    with torch.no_grad():
        heat, sizes, offsets = CenterNet(5, width=16, generator=seeded())(pictures())
    assert 0.05 < float(torch.sigmoid(heat).mean()) < 0.2
    assert 15 < float(sizes.mean()) < 33 and 0.2 < float(offsets.mean()) < 0.8


def test_detections_do_not_depend_on_company_mode_or_batches():
    detector, images = CenterNet(3, width=16, generator=seeded()), pictures(5)
    together = detector.train().detect(images)
    one_by_one = [detector.eval().detect(image, batch_size=1)[0] for image in images]
    for a, b in zip(together, one_by_one):
        for name in ("boxes", "scores"):
            torch.testing.assert_close(a[name], b[name], atol=1e-3, rtol=1e-3)
    assert [len(found["scores"]) for found in detector.detect(images, max_detections=4)] == [4] * 5


def test_every_weight_gets_a_gradient():
    detector = CenterNet(3, width=16, generator=seeded())
    detector.loss(pictures(2), [entry([[4, 4, 30, 30]], [1]), entry([], [])])["loss"].backward()
    without = [name for name, p in detector.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in detector.parameters())


def test_black_images_and_images_without_objects_can_be_learned_from():
    detector = CenterNet(3, width=16, generator=seeded())
    loss = detector.loss(torch.zeros(1, 3, 32, 32, dtype=torch.uint8), [entry([], [])])["loss"]
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in detector.parameters() if p.grad is not None)


# -- training -------------------------------------------------------------------------------------------------------------
def toy_scenes(n=4, size=48, seed=0):
    """Bright or dark squares on grey: class 0 and 1."""
    r = np.random.default_rng(seed)
    scenes = []
    for i in range(n):
        image = torch.full((3, size, size), 110, dtype=torch.uint8)
        side = int(r.integers(12, 20))
        x, y = (int(v) for v in r.integers(2, size - side - 2, 2))
        image[:, y : y + side, x : x + side] = 240 if i % 2 else 10
        truth = entry([[x, y, x + side, y + side]], [i % 2])
        scenes.append(SimpleNamespace(image=image, **truth))
    return scenes


def test_it_learns_a_few_scenes_by_heart():
    scenes, generator = toy_scenes(), seeded(1)
    detector = CenterNet(2, width=16, generator=generator)
    result = train_detector(detector, scenes, 90, batch_size=4, learning_rate=1e-2, generator=generator)
    assert set(result.logs) == {"heat", "size", "offset"} and sum(result.losses[-5:]) < 0.3 * sum(result.losses[:5])
    for scene, found in zip(scenes, detector.detect(torch.stack([scene.image for scene in scenes]))):
        assert found["labels"][0] == scene.labels[0]
        assert iou(found["boxes"][0].tolist(), scene.boxes[0].tolist()) > 0.6


def test_the_same_generator_repeats_a_training_and_leaves_the_global_stream_alone():
    scenes, before, weights = toy_scenes(), torch.get_rng_state(), []
    for seed in (1, 1, 2):
        generator = seeded(seed)
        detector = CenterNet(2, width=16, generator=generator)
        train_detector(detector, scenes, 4, batch_size=2, generator=generator)
        weights.append(torch.cat([p.flatten() for p in detector.parameters()]))
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_validation_keeps_the_weights_with_the_lowest_loss():
    scenes, generator = toy_scenes(), seeded(1)
    detector = CenterNet(2, width=16, generator=generator)
    result = train_detector(
        detector, scenes, 6, batch_size=2, generator=generator, validation=toy_scenes(seed=5), validate_every=2
    )
    assert [step for step, _ in result.validation] == [2, 4, 6]
    assert result.best_score == min(score for _, score in result.validation)
    with torch.no_grad():
        again = detector.loss(torch.stack([s.image for s in toy_scenes(seed=5)]), [vars(s) for s in toy_scenes(seed=5)])["loss"]
    assert float(again) == pytest.approx(result.best_score, rel=1e-5)


def test_a_changed_image_keeps_its_boxes_on_the_objects():
    """After mirroring, the box still is the extent of the square."""
    batches = _Batches(toy_scenes(8), 8, seeded(3))
    for _ in range(6):
        batch = next(iter(batches))
        for image, truth in zip(batch["images"], batch["objects"]):
            x0, y0, x1, y1 = (int(v) for v in truth["boxes"][0])
            rest = image.float()
            background = rest[:, 0, 0]
            differs = ((rest - background[:, None, None]).abs() > 20).any(0)
            rows, columns = torch.nonzero(differs, as_tuple=True)
            assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_one_pass_shows_every_scene_once_and_about_half_of_them_mirrored():
    """Scenes that are recognised by their only colour; a white column at the left tells which side is which."""
    scenes = []
    for i in range(40):
        image = torch.full((3, 32, 32), 2 * i, dtype=torch.uint8)
        image[:, :, :16] = 255
        scenes.append(SimpleNamespace(image=image, **entry([], [])))
    shown = [image for batch in _Batches(scenes, 16, seeded(0)) for image in batch["images"]]
    assert sorted(int(image.min()) for image in shown) == [2 * i for i in range(40)]
    mirrored = sum(bool((image[:, :, -1] == 255).all()) for image in shown)
    assert 10 <= mirrored <= 30


def test_a_transform_sees_the_batch_with_its_boxes_and_changes_both():
    """torchvision's flip turns every image of a batch: with the mirror of its own stream, twice is never."""
    seen = []

    def transform(images, objects):
        seen.append((images.dtype, [type(o["boxes"]) for o in objects], [tuple(o["boxes"].canvas_size) for o in objects]))
        return v2.RandomHorizontalFlip(p=1.0)(images, objects)

    scenes = toy_scenes(8)
    plain, flipped = (next(iter(_Batches(scenes, 8, seeded(3), change))) for change in (None, transform))
    assert torch.equal(flipped["images"], plain["images"].flip(3))
    width = plain["images"].shape[3]
    for before, after in zip(plain["objects"], flipped["objects"]):
        assert type(after["boxes"]) is torch.Tensor and torch.equal(after["labels"], before["labels"])
        assert torch.equal(after["boxes"][:, [0, 2]], width - before["boxes"][:, [2, 0]])
    assert seen == [(torch.uint8, [tv_tensors.BoundingBoxes] * 8, [tuple(plain["images"].shape[2:])] * 8)]


def test_boxes_that_a_transform_pushes_out_are_dropped_with_their_labels():
    def pushed(images, objects):
        return images, [o | {"boxes": o["boxes"] + torch.tensor([40.0, 0, 40, 0])} for o in objects]

    objects = [entry([[2, 4, 12, 14], [20, 4, 40, 14]], [1, 0])]
    _, (left,) = _transformed(torch.zeros(1, 3, 32, 48, dtype=torch.uint8), objects, pushed)
    assert left["boxes"].tolist() == [[42, 4, 48, 14]] and left["labels"].tolist() == [1]


def test_a_detector_learns_through_erased_objects_and_sees_the_scenes_in_the_same_order():
    erasing = RandomErasing.preset("detection", p=1.0)
    scenes, orders = toy_scenes(12), []
    for change in (None, erasing):
        detector = CenterNet(2, width=16, generator=seeded(0))
        shown = []

        def spied(images, objects, change=change, shown=shown):
            shown.append([tuple(map(tuple, o["boxes"].tolist())) for o in objects])
            return (images, objects) if change is None else change(images, objects)

        result = train_detector(detector, scenes, 4, transform=spied, generator=seeded(5))
        assert result.n_steps == 4 and all(np.isfinite(result.losses))
        orders.append(shown)
    assert orders[0] == orders[1]


# -- errors ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: CenterNet(0), ValueError, "`n_classes` must be an integer of at least 1"),
        (lambda: CenterNet(2, width=24), ValueError, "`width` must be a multiple of 16, but got 24"),
        (lambda: CenterNet(2, width=16)(torch.zeros(1, 3, 40, 48)), ValueError, "that 16 divides, but got 40 x 48"),
        (lambda: CenterNet(2, width=16)(torch.zeros(1, 1, 48, 48)), ValueError, "`images` must be a tensor of shape"),
        (lambda: CenterNet(2, width=16).detect(torch.zeros(1, 3, 48, 48), 0), ValueError, "`max_detections`"),
        (lambda: encode([], 2, IMAGE), ValueError, "`objects` must be a sequence with one entry per image"),
        (lambda: encode([{"boxes": torch.zeros(0, 4)}], 2, IMAGE), ValueError, "a mapping with 'labels'"),
        (lambda: encode([entry([[5, 5, 5, 9]], [0])], 2, IMAGE), ValueError, "a box without area. Drop it"),
        (lambda: encode([entry([[5, 5, float("nan"), 9]], [0])], 2, IMAGE), ValueError, "a box without area"),
        (lambda: encode([entry([[60, 5, 90, 9]], [0])], 2, IMAGE), ValueError, "whose centre lies inside the image"),
        (lambda: encode([entry([[5, 5, 9, 9]], [2])], 2, IMAGE), ValueError, "`labels` must be between 0 and 1"),
        (lambda: encode([entry([[5, 5, 9, 9]], [0])], 2, (50, 64)), ValueError, "`image_size` must be multiples of 4"),
        (lambda: train_detector(CenterNet(2, width=16), [], 1), ValueError, "`scenes` must be a sequence with at least one"),
        (lambda: train_detector(CenterNet(2, width=16), toy_scenes(), 0), ValueError, "`n_steps` must be an integer"),
        (lambda: train_detector(CenterNet(2, width=16), toy_scenes(2) + toy_scenes(1, 64), 1), ValueError, "images of one size"),
        (lambda: train_detector(CenterNet(1, width=16), toy_scenes(), 1, generator=seeded()), ValueError, "`labels` must be"),
    ],
)
def test_wrong_input_is_named(call, error, text):
    with pytest.raises(error, match=text):
        call()
