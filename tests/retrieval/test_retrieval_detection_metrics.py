"""Detection metrics against plain loops, pycocotools, torchmetrics, torchvision and an independent VOC program."""

from __future__ import annotations

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.ops import box_iou

from course_utils.retrieval import detection_average_precision, detection_mean_average_precision, match_detections
from course_utils.retrieval.detection_matching import box_overlaps

EXACT_LEVELS = np.linspace(0, 1, 101) - 1e-9  # pycocotools with these thresholds compares recalls as whole numbers would
AREAS = ("all", "small", "medium", "large")


# ---- references ------------------------------------------------------------------------------------------------


def plain_overlap(a, b, inclusive=False, crowd=False):
    one = 1 if inclusive else 0
    width = min(a[2], b[2]) - max(a[0], b[0]) + one
    height = min(a[3], b[3]) - max(a[1], b[1]) + one
    if width <= 0 or height <= 0:
        return 0.0
    mine = (a[2] - a[0] + one) * (a[3] - a[1] + one)
    other = (b[2] - b[0] + one) * (b[3] - b[1] + one)
    return width * height / (mine if crowd else mine + other - width * height)


def looped_matches(boxes, scores, objects, threshold, protocol, ignore, crowd, limit):
    """A loop over images, detections and objects; rows (score, image, detection, true positive, ignored, object)."""
    rows = []
    for image in range(len(boxes)):
        taken = [False] * len(objects[image])
        order = sorted(range(len(boxes[image])), key=lambda d: -scores[image][d])  # stable
        for d in order[: limit or len(order)]:
            best, best_overlap = -1, -1.0
            for wanted in (False, True):  # normal objects first, ignored ones afterwards
                if best >= 0 and protocol == "coco":
                    break
                for o in range(len(objects[image])):
                    off = bool(ignore[image][o] or crowd[image][o])
                    if protocol == "coco" and (off != wanted or (taken[o] and not crowd[image][o])):
                        continue
                    overlap = plain_overlap(boxes[image][d], objects[image][o], protocol == "voc", crowd[image][o])
                    if overlap < threshold:
                        continue
                    if overlap > best_overlap or (overlap == best_overlap and protocol == "coco"):
                        best, best_overlap = o, overlap
                if protocol == "voc":
                    break
            off = best >= 0 and bool(ignore[image][best] or crowd[image][best])
            if protocol == "voc" and best >= 0 and taken[best] and not off:
                best = -1  # a duplicate
            if best >= 0:
                taken[best] = True
            rows.append((scores[image][d], image, d, best >= 0 and not off, best >= 0 and off, best))
    return sorted(rows, key=lambda row: -row[0])


def voc_program(detections, objects, label, threshold, eleven_points):
    """One class as in VOC's development kit: a list over the whole data set, precision and recall as floats."""
    found = [(s, i, b) for i, e in enumerate(detections) for b, s, c in zip(e["boxes"], e["scores"], e["labels"]) if c == label]
    found.sort(key=lambda row: -row[0])
    truth = [[[b, h, False] for b, c, h in zip(e["boxes"], e["labels"], e["difficult"]) if c == label] for e in objects]
    n_objects = sum(not h for image in truth for _, h, _ in image)
    true, false = np.zeros(len(found)), np.zeros(len(found))
    for d, (_, image, box) in enumerate(found):
        overlaps = [plain_overlap(box, other, inclusive=True) for other, _, _ in truth[image]]
        best = int(np.argmax(overlaps)) if overlaps else -1
        if best < 0 or overlaps[best] < threshold:
            false[d] = 1
        elif not truth[image][best][1]:
            if truth[image][best][2]:
                false[d] = 1
            else:
                true[d], truth[image][best][2] = 1, True
    if not n_objects:
        return float("nan")
    recall = np.cumsum(true) / n_objects
    precision = np.cumsum(true) / np.maximum(np.cumsum(true) + np.cumsum(false), 1e-300)
    if eleven_points:
        return sum(max(precision[recall >= u - 1e-12], default=0.0) for u in np.arange(11) / 10) / 11
    area, reached = 0.0, 0.0
    for r in sorted(set(recall[true == 1])):
        area, reached = area + (r - reached) * precision[recall >= r].max(), r
    return area


def coco_program(detections, objects, levels=EXACT_LEVELS):
    """COCOeval's precision array, (thresholds, levels, classes, areas, limits), and its classes."""
    classes = sorted({int(c) for entry in (*detections, *objects) for c in entry["labels"]})
    annotations, results = [], []
    for i, (found, truth) in enumerate(zip(detections, objects)):
        for o, box in enumerate(np.asarray(truth["boxes"], float).reshape(-1, 4)):
            size = box[2:] - box[:2]
            area = truth["area"][o] if "area" in truth else size.prod()
            one = {"id": len(annotations) + 1, "image_id": i, "category_id": int(truth["labels"][o]), "area": float(area)}
            annotations.append({**one, "iscrowd": int(truth["crowd"][o]), "bbox": [*box[:2], *size]})
        for box, score, label in zip(np.asarray(found["boxes"], float).reshape(-1, 4), found["scores"], found["labels"]):
            one = {"image_id": i, "category_id": int(label), "score": float(score)}
            results.append({**one, "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]})
    data = COCO()
    images = [{"id": i} for i in range(len(objects))]
    data.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": [{"id": c} for c in classes]}
    with contextlib.redirect_stdout(io.StringIO()):
        data.createIndex()
        program = COCOeval(data, data.loadRes(results), "bbox")
        program.params.recThrs = levels
        program.evaluate()
        program.accumulate()
    return program.eval["precision"], classes


# ---- random problems -------------------------------------------------------------------------------------------


def random_boxes(rng, n, size=60.0):
    corner = rng.integers(0, int(3 * size), (n, 2)) / 4  # quarters of a pixel: exact in binary, so sums are exact too
    extent = rng.integers(8, int(3 * size), (n, 2)) / 4
    return np.concatenate([corner, corner + extent], axis=1)


def random_data(seed, n_images=6, n_classes=3, most=7, size=60.0, digits=1, crowds=0.15, scale=1.0):
    """Detections near objects, a few stray ones; equal confidences on purpose (``digits``)."""
    rng = np.random.default_rng(seed)
    detections, objects = [], []
    for _ in range(n_images):
        truth = scale * random_boxes(rng, rng.integers(0, most), size)
        labels = rng.integers(1, n_classes + 1, len(truth))
        near = np.repeat(truth, rng.integers(0, 3, len(truth)), axis=0) if len(truth) else truth
        near_labels = np.repeat(labels, rng.integers(1, 2, len(labels)))[: len(near)]
        near_labels = np.resize(near_labels, len(near)) if len(near_labels) else np.zeros(len(near), int) + 1
        shaken = near + scale * rng.integers(-12, 13, near.shape) / 4
        shaken = np.concatenate([np.minimum(shaken[:, :2], shaken[:, 2:]), np.maximum(shaken[:, :2], shaken[:, 2:])], axis=1)
        stray = scale * random_boxes(rng, rng.integers(0, 4), size)
        boxes = np.concatenate([shaken, stray])
        names = np.concatenate([near_labels, rng.integers(1, n_classes + 1, len(stray))])
        scores = np.round(rng.random(len(boxes)), digits)
        detections.append({"boxes": boxes, "scores": scores, "labels": names})
        flags = {"crowd": rng.random(len(truth)) < crowds, "difficult": rng.random(len(truth)) < 0.2}
        objects.append({"boxes": truth, "labels": labels, **flags})
    return detections, objects


def of_class(entries, label, *keys):
    return [[np.asarray(e[k])[np.asarray(e["labels"]) == label] for e in entries] for k in keys]


# ---- matching --------------------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    protocol=st.sampled_from(["coco", "voc"]),
    threshold=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    limit=st.sampled_from([None, 1, 3]),
)
def test_matching_equals_the_triple_loop(seed, protocol, threshold, limit):
    detections, objects = random_data(seed, n_classes=1, most=9, size=30.0)
    boxes, scores = of_class(detections, 1, "boxes", "scores")
    truth, difficult, crowd = of_class(objects, 1, "boxes", "difficult", "crowd")
    if protocol == "voc":
        crowd = [np.zeros(len(c), bool) for c in crowd]
    options = {"iou_threshold": threshold, "protocol": protocol, "max_detections": limit}
    ours = match_detections(boxes, scores, truth, ignore=difficult, crowd=crowd, **options)
    rows = looped_matches(boxes, scores, truth, min(threshold, 1 - 1e-10), protocol, difficult, crowd, limit)
    columns = (ours.scores, ours.image, ours.detection, ours.is_true_positive, ours.is_ignored, ours.matched_object)
    for mine, theirs in zip(columns, zip(*rows) if rows else [[]] * 6):
        np.testing.assert_array_equal(mine, np.asarray(theirs, dtype=mine.dtype))
    assert ours.n_objects == sum(int((~(d | c)).sum()) for d, c in zip(difficult, crowd))


def test_many_groups_in_many_chunks_give_the_same_as_one_group_at_a_time(monkeypatch):
    detections, objects = random_data(3, n_images=12, n_classes=2)
    whole = detection_mean_average_precision(detections, objects)
    monkeypatch.setattr("course_utils.retrieval.detection_matching._PADDED_CELLS", 1)
    np.testing.assert_array_equal(detection_mean_average_precision(detections, objects).table, whole.table)


def test_overlaps_equal_torchvision_and_the_formula_by_hand():
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 40), random_boxes(rng, 30)
    theirs = box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(box_overlaps(a[:, None], b[None], inclusive=False), theirs, atol=1e-12)
    wider = b + np.array([0, 0, 1, 1])  # an inclusive pixel range is a continuous box that ends one pixel later
    theirs = box_iou(torch.from_numpy(a + np.array([0, 0, 1, 1])), torch.from_numpy(wider)).numpy()
    np.testing.assert_allclose(box_overlaps(a[:, None], b[None], inclusive=True), theirs, atol=1e-12)
    crowd = rng.random(30) < 0.5
    by_hand = [[plain_overlap(x, y, crowd=c) for y, c in zip(b, crowd)] for x in a]
    np.testing.assert_allclose(box_overlaps(a[:, None], b[None], False, crowd), by_hand, atol=1e-12)


def test_a_box_without_area_overlaps_nothing_under_coco_and_is_one_pixel_wide_under_voc():
    flat = [[[3.0, 3.0, 3.0, 3.0]]]
    coco, voc = (match_detections(flat, [[0.9]], flat, protocol=p) for p in ("coco", "voc"))
    assert coco.iou[0] == 0.0 and coco.nearest_object[0] == -1 and not coco.is_true_positive[0]
    assert voc.iou[0] == 1.0 and voc.is_true_positive[0]
    crowd = match_detections(flat, [[0.9]], [[[0, 0, 9, 9]]], crowd=[[1]])
    assert crowd.is_false_positive[0]


def test_voc_calls_a_duplicate_what_coco_gives_to_the_next_free_object():
    # Both boxes overlap object 0 most; the second also overlaps object 1 enough.
    objects = [[[0, 0, 100, 100], [20, 0, 120, 100]]]
    boxes, scores = [[[1, 0, 101, 100], [8, 0, 108, 100]]], [[0.9, 0.8]]
    voc, coco = (match_detections(boxes, scores, objects, protocol=p) for p in ("voc", "coco"))
    assert voc.is_true_positive.tolist() == [True, False] and voc.is_duplicate.tolist() == [False, True]
    assert coco.is_true_positive.tolist() == [True, True] and coco.matched_object.tolist() == [0, 1]
    assert voc.nearest_object.tolist() == coco.nearest_object.tolist() == [0, 0]


def test_of_two_objects_with_one_box_voc_finds_one_and_coco_finds_both():
    twice = [[[0, 0, 10, 10], [0, 0, 10, 10]]]
    voc, coco = (match_detections(twice, [[0.9, 0.8]], twice, protocol=p) for p in ("voc", "coco"))
    assert voc.is_true_positive.sum() == 1 and voc.is_duplicate.sum() == 1
    assert coco.is_true_positive.all() and coco.matched_object.tolist() == [1, 0]


def test_the_inclusive_pixel_range_decides_at_the_threshold():
    boxes, objects = [[[0, 0, 4, 9]]], [[[0, 0, 9, 9]]]  # 5 x 10 of 10 x 10 pixels; 36 of 81 square units
    assert match_detections(boxes, [[1.0]], objects, protocol="voc").iou[0] == 0.5
    assert match_detections(boxes, [[1.0]], objects, protocol="voc").is_true_positive[0]
    assert match_detections(boxes, [[1.0]], objects, protocol="coco").iou[0] == 36 / 81


def test_a_difficult_object_absorbs_every_detection_under_voc_and_one_under_coco():
    box = [[0, 0, 10, 10]]
    voc, coco = (match_detections([box * 3], [[0.9, 0.8, 0.7]], [box], ignore=[[1]], protocol=p) for p in ("voc", "coco"))
    assert voc.is_ignored.tolist() == [True, True, True] and voc.n_objects == 0
    assert coco.is_ignored.tolist() == [True, False, False] and coco.is_duplicate.tolist() == [False, True, True]


def test_a_crowd_absorbs_every_detection_inside_it_and_a_normal_object_is_preferred():
    objects, crowd = [[[0, 0, 100, 100], [10, 10, 20, 20]]], [[True, False]]
    boxes = [[[10, 10, 20, 20], [10, 10, 20, 20], [40, 40, 50, 50], [95, 0, 115, 10]]]
    ours = match_detections(boxes, [[0.9, 0.8, 0.7, 0.6]], objects, crowd=crowd)
    assert ours.is_true_positive.tolist() == [True, False, False, False]
    assert ours.is_ignored.tolist() == [False, True, True, False]  # the last box lies inside with a quarter only
    assert ours.iou.tolist() == [1.0, 1.0, 1.0, 0.25] and ours.n_objects == 1


def test_a_normal_object_is_preferred_to_an_ignored_one_that_overlaps_more():
    ours = match_detections([[[0, 0, 10, 10]]], [[0.9]], [[[0, 0, 10, 10], [0, 0, 10, 8]]], ignore=[[1, 0]])
    assert ours.is_true_positive[0] and ours.matched_object[0] == 1 and ours.iou[0] == 0.8


def test_equal_confidences_keep_the_order_of_images_and_of_the_input():
    box = [[0, 0, 10, 10]]
    ours = match_detections([box * 2, box], [[0.5, 0.5], [0.5]], [box, box])
    assert list(zip(ours.image.tolist(), ours.detection.tolist())) == [(0, 0), (0, 1), (1, 0)]
    assert ours.is_true_positive.tolist() == [True, False, True]


def test_confidence_decides_who_finds_the_object_even_if_the_other_box_fits_better():
    ours = match_detections([[[0, 0, 10, 10], [0, 0, 10, 7]]], [[0.3, 0.9]], [[[0, 0, 10, 10]]])
    assert ours.detection.tolist() == [1, 0] and ours.is_duplicate.tolist() == [False, True]


# ---- average precision -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "step", "eleven", "all_point", "hundred"),
    [
        ("01", 0.5, 0.5, 0.5, 0.5),
        ("1000000001", 0.6, 0.636364, 0.6, 0.603960),
        ("01101000", 0.588889, 0.642424, 0.644444, 0.644224),
        ("111", 1, 1, 1, 1),
    ],
)
def test_the_worked_table(row, step, eleven, all_point, hundred):
    true = [int(x) for x in row]
    values = {"step": step, "11point": eleven, "all-point": all_point, "101point": hundred}
    for convention, value in values.items():
        ours = detection_average_precision(-np.arange(len(true)), true, sum(true), convention)
        assert ours == pytest.approx(value, abs=5e-7)


def test_an_object_that_nobody_detected_lowers_every_convention():
    for convention in ("all-point", "11point", "101point", "step"):
        whole = detection_average_precision([0.9, 0.8], [1, 1], 2, convention)
        missed = detection_average_precision([0.9, 0.8], [1, 1], 3, convention)
        assert whole == 1.0 and 0.6 < missed < 0.73
    assert detection_average_precision([0.9, 0.8], [1, 1], 3) == pytest.approx(2 / 3)
    assert detection_average_precision([0.9, 0.8], [1, 1], 3, "11point") == pytest.approx(7 / 11)
    assert detection_average_precision([0.9, 0.8], [1, 1], 3, "101point") == pytest.approx(67 / 101)


def test_no_detection_is_zero_and_no_object_is_nan():
    assert detection_average_precision([], [], 4) == 0.0
    assert math.isnan(detection_average_precision([0.5], [0], 0))


def test_ignored_detections_leave_the_list():
    scores, true = [0.9, 0.8, 0.7, 0.6], [0, 1, 0, 1]
    with_ignored = detection_average_precision(scores, true, 3, ignored=[1, 0, 1, 0])
    assert with_ignored == detection_average_precision([0.8, 0.6], [1, 1], 3) == pytest.approx(2 / 3)


@settings(max_examples=60, deadline=None)
@given(
    true=st.lists(st.booleans(), min_size=1, max_size=25),
    missed=st.integers(0, 4),
    convention=st.sampled_from(["all-point", "11point", "101point", "step"]),
)
def test_false_positives_below_all_others_change_nothing_and_above_never_help(true, missed, convention):
    scores, n = -np.arange(len(true)), sum(true) + missed
    before = detection_average_precision(scores, true, n, convention)
    below = detection_average_precision([*scores, -100, -101], [*true, 0, 0], n, convention)
    above = detection_average_precision([*scores, 1], [*true, 0], n, convention)
    if n == 0:
        assert math.isnan(before) and math.isnan(below)
    else:
        assert below == before and above <= before and 0 <= before <= 1


# ---- whole protocols -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_coco_equals_pycocotools_for_every_class_threshold_and_area(seed):
    scale = [1.0, 4.0][seed % 2]  # 15-pixel and 60-pixel objects: small, medium and large ones
    detections, objects = random_data(seed, n_images=25, n_classes=5, most=10, scale=scale)
    for entry in objects:
        del entry["difficult"]  # COCO's code knows crowds only
    precision, classes = coco_program(detections, objects)
    for a, area in enumerate(AREAS):
        ours = detection_mean_average_precision(detections, objects, area=area)
        theirs = precision[..., a, -1]  # (thresholds, levels, classes), -1 without objects
        assert ours.classes == tuple(classes)
        table = np.where(theirs[:, 0] < 0, np.nan, theirs.mean(axis=1))
        np.testing.assert_allclose(ours.table, table, atol=1e-10)
        counted = theirs[theirs > -1]
        if counted.size:
            assert ours.mean == pytest.approx(counted.mean(), abs=1e-10)
            assert ours.ap50 == pytest.approx(theirs[0][theirs[0] > -1].mean(), abs=1e-10)
            assert ours.ap75 == pytest.approx(theirs[5][theirs[5] > -1].mean(), abs=1e-10)
        else:
            assert math.isnan(ours.mean) and math.isnan(ours.ap50)


def test_the_random_problems_hold_crowds_ties_and_every_range_of_areas():
    detections, objects = zip(*(random_data(seed, 25, 5, 10, scale=[1.0, 4.0][seed % 2]) for seed in range(12)))
    objects = [entry for problem in objects for entry in problem]
    scores = np.concatenate([entry["scores"] for problem in detections for entry in problem])
    areas = np.concatenate([np.prod(e["boxes"][:, 2:] - e["boxes"][:, :2], axis=1) for e in objects])
    assert sum(int(e["crowd"].sum()) for e in objects) > 100
    assert len(np.unique(scores)) < 12 < len(scores)
    for low, high in ((0, 32**2), (32**2, 96**2), (96**2, 1e10)):
        assert ((areas > low) & (areas < high)).sum() > 50


def test_areas_of_masks_replace_the_areas_of_boxes():
    detections, objects = random_data(1, n_images=15, n_classes=2, scale=4.0)
    for entry in objects:
        entry["area"] = 0.5 * np.prod(entry["boxes"][:, 2:] - entry["boxes"][:, :2], axis=1)
    precision, _ = coco_program(detections, objects)
    for a, area in enumerate(AREAS):
        theirs = precision[..., a, -1]
        for entry in objects:
            entry["difficult"] = np.zeros(len(entry["labels"]), bool)
        ours = detection_mean_average_precision(detections, objects, area=area)
        np.testing.assert_allclose(ours.table, np.where(theirs[:, 0] < 0, np.nan, theirs.mean(axis=1)), atol=1e-10)


def test_an_object_on_the_border_of_two_ranges_of_areas_counts_in_both_as_in_pycocotools():
    boxes = [[0, 0, 32, 32], [50, 0, 146, 96]]  # 32^2 and 96^2 square pixels
    detections = [{"boxes": boxes, "scores": [0.9, 0.8], "labels": [1, 1]}]
    objects = [{"boxes": boxes, "labels": [1, 1], "crowd": [0, 0]}]
    precision, _ = coco_program(detections, objects)
    counts = []
    for a, area in enumerate(AREAS):
        ours = detection_mean_average_precision(detections, objects, area=area)
        counts.append(ours.n_objects[1])
        assert ours.mean == pytest.approx(precision[..., a, -1].mean(), abs=1e-10) == 1.0
    assert counts == [2, 1, 2, 1]


def test_a_threshold_of_one_forgives_rounding():
    almost = [[[0, 0, 10, 10 - 1e-11]]]
    ours = match_detections([almost[0] * 2], [[0.9, 0.8]], [[[0, 0, 10, 10]]], iou_threshold=1.0)
    assert ours.iou[0] < 1.0 and ours.is_true_positive.tolist() == [True, False]
    assert ours.is_duplicate.tolist() == [False, True]


def test_the_limit_of_a_hundred_counts_per_image_and_class_as_in_pycocotools():
    rng = np.random.default_rng(2)
    truth = random_boxes(rng, 60, 200.0)
    boxes = np.concatenate([random_boxes(rng, 70, 200.0), truth + 0.25])
    labels = np.concatenate([np.ones(70, int), np.resize([1, 1, 2], 60)])
    detections = [{"boxes": boxes, "scores": rng.permutation(130) / 130, "labels": labels}]
    objects = [{"boxes": truth, "labels": np.resize([1, 1, 2], 60), "crowd": np.zeros(60, bool)}]
    precision, _ = coco_program(detections, objects)
    for m, limit in enumerate((1, 10, 100)):
        ours = detection_mean_average_precision(detections, objects, max_detections=limit)
        np.testing.assert_allclose(ours.table, precision[:, :, :, 0, m].mean(axis=1), atol=1e-10)
    default, free = (detection_mean_average_precision(detections, objects, **o) for o in ({}, {"max_detections": None}))
    assert default.max_detections == 100 and default.mean == ours.mean
    assert free.mean != default.mean  # 110 detections of class 1


def test_pycocotools_misses_a_recall_level_that_is_reached_exactly():
    # 7 of 10 objects, then a false positive, then an eighth: the level 0.70 belongs to the seventh.
    box = [[10.0 * i, 0, 10.0 * i + 5, 5] for i in range(10)]
    far = [[500, 500, 505, 505]]
    detections = [{"boxes": box[:7] + far + box[7:8], "scores": np.arange(9, 0, -1) / 10, "labels": [1] * 9}]
    objects = [{"boxes": box, "labels": [1] * 10, "crowd": [False] * 10}]
    ours = detection_mean_average_precision(detections, objects).mean
    assert ours == pytest.approx((71 + 10 * 8 / 9) / 101, abs=1e-12)
    exact, usual = (
        coco_program(detections, objects, levels)[0][..., 0, -1].mean() for levels in (EXACT_LEVELS, np.linspace(0, 1, 101))
    )
    assert exact == pytest.approx(ours, abs=1e-10)
    assert usual == pytest.approx(ours - (1 - 8 / 9) / 101, abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), eleven=st.booleans(), threshold=st.sampled_from([0.3, 0.5, 0.7]))
def test_voc_equals_an_independent_program(seed, eleven, threshold):
    detections, objects = random_data(seed, n_images=10, crowds=0.0)
    protocol = "voc2007" if eleven else "voc2010"
    ours = detection_mean_average_precision(detections, objects, protocol=protocol, iou_thresholds=[threshold])
    theirs = {label: voc_program(detections, objects, label, threshold, eleven) for label in ours.classes}
    for label, value in ours.per_class.items():
        assert value == pytest.approx(theirs[label], abs=1e-12, nan_ok=True)
    counted = [value for value in theirs.values() if not math.isnan(value)]
    assert ours.mean == pytest.approx(np.mean(counted) if counted else math.nan, abs=1e-12, nan_ok=True)


def test_torchmetrics_agrees_on_tensors_as_torchvision_writes_them():
    from torchmetrics.detection import MeanAveragePrecision

    detections, objects = random_data(5, n_images=8, crowds=0.0)
    found = [
        {k: torch.as_tensor(v, dtype=torch.int64 if k == "labels" else torch.float32) for k, v in e.items()} for e in detections
    ]
    truth = [{"boxes": torch.as_tensor(e["boxes"], dtype=torch.float32), "labels": torch.as_tensor(e["labels"])} for e in objects]
    theirs = MeanAveragePrecision(rec_thresholds=EXACT_LEVELS.tolist())
    with contextlib.redirect_stdout(io.StringIO()):
        theirs.update(found, truth)
        values = theirs.compute()
    ours = detection_mean_average_precision(found, truth)
    assert ours.mean == pytest.approx(float(values["map"]), abs=1e-6)
    assert ours.ap50 == pytest.approx(float(values["map_50"]), abs=1e-6)


def test_average_precision_of_the_matches_is_the_entry_of_the_table():
    detections, objects = random_data(8, n_images=12)
    for protocol, convention in (("coco", "101point"), ("voc2010", "all-point"), ("voc2007", "11point")):
        if protocol != "coco":
            objects = [{**e, "crowd": np.zeros(len(e["crowd"]), bool)} for e in objects]
        whole = detection_mean_average_precision(detections, objects, protocol=protocol, iou_thresholds=[0.5])
        for label in whole.classes:
            boxes, scores = of_class(detections, label, "boxes", "scores")
            truth, difficult, crowd = of_class(objects, label, "boxes", "difficult", "crowd")
            m = match_detections(boxes, scores, truth, protocol=protocol[:4].rstrip("2"), ignore=difficult, crowd=crowd)
            one = detection_average_precision(m.scores, m.is_true_positive, m.n_objects, convention, ignored=m.is_ignored)
            assert one == pytest.approx(whole.per_class[label], abs=1e-12, nan_ok=True)
            assert m.n_objects == whole.n_objects[label]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), protocol=st.sampled_from(["coco", "voc2007", "voc2010"]))
def test_order_of_images_scores_and_units_of_length_do_not_matter(seed, protocol):
    detections, objects = random_data(seed, digits=15, crowds=0.0)  # no equal confidences
    before = detection_mean_average_precision(detections, objects, protocol=protocol)
    order = np.random.default_rng(seed).permutation(len(objects))
    moved = detection_mean_average_precision([detections[i] for i in order], [objects[i] for i in order], protocol=protocol)
    np.testing.assert_array_equal(moved.table, before.table)
    mapped = [{**e, "scores": np.exp(3 * e["scores"])} for e in detections]
    np.testing.assert_array_equal(detection_mean_average_precision(mapped, objects, protocol=protocol).table, before.table)
    if protocol == "coco":  # VOC counts pixels, so doubling every box changes its overlaps
        doubled = [[{**e, "boxes": 2 * e["boxes"]} for e in entries] for entries in (detections, objects)]
        np.testing.assert_array_equal(detection_mean_average_precision(*doubled).table, before.table)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), protocol=st.sampled_from(["coco", "voc2010"]))
def test_a_new_box_of_the_lowest_confidence_never_lowers_the_mean(seed, protocol):
    detections, objects = random_data(seed, crowds=0.0)
    before = detection_mean_average_precision(detections, objects, protocol=protocol)
    rng = np.random.default_rng(seed)
    image = rng.integers(len(detections))
    old = detections[image]
    new = {
        "boxes": np.concatenate([old["boxes"], random_boxes(rng, 1)]),
        "scores": np.append(old["scores"], -1.0),
        "labels": np.append(old["labels"], 1),
    }
    after = detection_mean_average_precision([*detections[:image], new, *detections[image + 1 :]], objects, protocol=protocol)
    if not math.isnan(before.mean):
        assert after.mean >= before.mean - 1e-12


def test_the_true_boxes_themselves_are_perfect_under_coco():
    _, objects = random_data(4, crowds=0.0)
    perfect = [{"boxes": e["boxes"], "labels": e["labels"], "scores": np.full(len(e["labels"]), 0.5)} for e in objects]
    clean = [{"boxes": e["boxes"], "labels": e["labels"]} for e in objects]
    assert detection_mean_average_precision(perfect, clean, iou_thresholds=[0.5, 1.0]).mean == 1.0


def test_no_images_no_detections_and_no_objects():
    nothing = {"boxes": [], "scores": [], "labels": []}
    some = {"boxes": [[0, 0, 5, 5]], "labels": [3]}
    assert math.isnan(detection_mean_average_precision([], []).mean)
    blind = detection_mean_average_precision([nothing], [some])
    assert blind.mean == 0.0 and blind.per_class == {3: 0.0} and blind.n_objects == {3: 1}
    empty = detection_mean_average_precision([{**some, "scores": [0.9]}], [{"boxes": [], "labels": []}])
    assert math.isnan(empty.mean) and empty.classes == (3,) and math.isnan(empty.per_class[3])
    both = detection_mean_average_precision([{"boxes": [[0, 0, 5, 5]] * 2, "scores": [0.9, 0.8], "labels": [3, 4]}], [some])
    assert both.mean == 1.0 and math.isnan(both.per_class[4])  # a class without objects is left out
    assert match_detections([], [], []).n_objects == 0


def test_thresholds_that_were_not_asked_for_are_nan_and_the_repr_names_the_protocol():
    detections, objects = random_data(1, crowds=0.0)
    voc = detection_mean_average_precision(detections, objects, protocol="voc2010")
    assert math.isnan(voc.ap75) and voc.ap50 == voc.mean and "voc2010" in repr(voc) and "AP75" not in repr(voc)
    small = detection_mean_average_precision(detections, objects, area="small")
    assert "small objects" in repr(small) and repr(match_detections([], [], [])).startswith("DetectionMatches(0 true")


BOX = [[0, 0, 5, 5]]
FOUND, TRUTH = [{"boxes": BOX, "scores": [0.5], "labels": [1]}], [{"boxes": BOX, "labels": [1]}]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: match_detections([BOX], [[0.5]], [[[5, 0, 0, 5]]]),
            ValueError,
            r"`objects\[0\]` must be boxes with x2 >= x1.*box_convert",
        ),
        (lambda: match_detections([[[0, 0, np.nan, 5]]], [[0.5]], [BOX]), ValueError, r"`boxes\[0\]` must be finite"),
        (lambda: match_detections([BOX], [[np.nan]], [BOX]), ValueError, r"`scores\[0\]` must be finite"),
        (lambda: match_detections([BOX], [[0.5, 0.6]], [BOX]), ValueError, r"`scores\[0\]` must be an array of shape \(1,\)"),
        (lambda: match_detections([BOX], [[0.5]], [BOX, BOX]), ValueError, "one entry per image.*objects 2"),
        (lambda: match_detections([BOX], [[0.5]], [BOX], iou_threshold=0), ValueError, "`iou_threshold`"),
        (lambda: match_detections([BOX], [[0.5]], [BOX], protocol="kitti"), ValueError, "`protocol` must be one of"),
        (
            lambda: match_detections([BOX], [[0.5]], [BOX], protocol="voc", crowd=[[1]]),
            ValueError,
            "`crowd` must be false everywhere",
        ),
        (lambda: match_detections([BOX], [[0.5]], [BOX], ignore=[[0.5]]), ValueError, r"`ignore\[0\]` must be boolean"),
        (lambda: match_detections([BOX], [[0.5]], [BOX], max_detections=0), ValueError, "`max_detections`"),
        (lambda: match_detections([BOX], [[0.5]], [BOX], max_detections="all"), ValueError, "`max_detections` must be one of"),
        (lambda: detection_average_precision([0.5], [1], 0), ValueError, "`n_objects` must be at least 1.*found once only"),
        (lambda: detection_average_precision([0.5], [1], 1, "trapezoid"), ValueError, "`convention` must be one of 'all-point'"),
        (lambda: detection_average_precision([0.5], [1], 1, ignored=[1]), ValueError, "false for every true positive"),
        (lambda: detection_average_precision([0.5], [2], 1), ValueError, "`is_true_positive` must be boolean"),
        (lambda: detection_average_precision([np.nan], [1], 1), ValueError, "`scores` must be finite"),
        (lambda: detection_mean_average_precision(FOUND, TRUTH * 2), ValueError, "of one length"),
        (
            lambda: detection_mean_average_precision(TRUTH, TRUTH),
            ValueError,
            r'detections\[0\]` must be a dictionary with "boxes", "scores"',
        ),
        (
            lambda: detection_mean_average_precision(FOUND, [{"boxes": BOX}]),
            ValueError,
            r'objects\[0\]` must be a .*"labels", but got the keys',
        ),
        (lambda: detection_mean_average_precision(FOUND, [BOX]), TypeError, "a dictionary"),
        (lambda: detection_mean_average_precision([{**FOUND[0], "labels": [0.5]}], TRUTH), TypeError, "array of integers"),
        (lambda: detection_mean_average_precision(FOUND, TRUTH, area="tiny"), ValueError, "`area`"),
        (
            lambda: detection_mean_average_precision(FOUND, TRUTH, protocol="voc2010", area="small"),
            ValueError,
            "'all' under the VOC",
        ),
        (
            lambda: detection_mean_average_precision(FOUND, [{**TRUTH[0], "crowd": [1]}], protocol="voc2007"),
            ValueError,
            "`crowd`",
        ),
        (lambda: detection_mean_average_precision(FOUND, TRUTH, iou_thresholds=[]), ValueError, "at least one threshold"),
        (lambda: detection_mean_average_precision(FOUND, TRUTH, iou_thresholds=[1.5]), ValueError, "`iou_thresholds`"),
    ],
)
def test_promised_errors_are_raised_in_words(call, error, text):
    with pytest.raises(error, match=text):
        call()
