"""The detection bench: its numbers against the package, its moves, its tasks, and what it draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import SpriteScenes
from course_utils.explore.canvas import Event
from course_utils.explore.detection import (
    MAX_BOXES,
    MIN_SIDE,
    PROTOCOLS,
    TASKS,
    THRESHOLDS,
    BenchState,
    admit_bench,
    box_under,
    compute_bench,
    with_new_box,
    without_chosen,
)
from course_utils.explore.detection_bench import (
    SCENE,
    DetectionBench,
    default_scene,
    react_list,
    react_picture,
    react_threshold,
)
from course_utils.explore.detection_views import AXIS, LOOKS, curve_scene, list_scene, number, picture_scene, threshold_scene
from course_utils.explore.scene import Points, Polygons, Scene, Segments, Text
from course_utils.plotting import BLUE, GREY, SKY
from course_utils.retrieval import detection_average_precision, detection_mean_average_precision, match_detections

WIDTH = HEIGHT = 200.0
GREY_PICTURE = np.full((200, 200, 3), 128, np.uint8)
TWO = BenchState(
    detections=((10.0, 10.0, 50.0, 50.0, 0.9), (12.0, 10.0, 52.0, 50.0, 0.8), (150.0, 150.0, 190.0, 190.0, 0.7)),
    objects=((10.0, 10.0, 50.0, 50.0, 0.0), (100.0, 10.0, 140.0, 50.0, 0.0)),
)


def random_state(seed: int, protocol: str = "COCO") -> BenchState:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 120, (5, 2))
    true = np.c_[corner, corner + rng.uniform(20, 70, (5, 2))]
    near = np.repeat(true, 2, axis=0) + rng.normal(0, 6, (10, 4))
    detections = tuple((*row, round(c, 1)) for row, c in zip(near.tolist(), rng.random(10)))  # equal confidences on purpose
    objects = tuple((*row, float(d)) for row, d in zip(true.tolist(), rng.random(5) < 0.2))
    state = BenchState(detections, objects, rng.choice(THRESHOLDS), protocol, chosen="d0")
    return admit_bench(state, WIDTH, HEIGHT)


def strings(scene: Scene) -> list[str]:
    return [s for layer in scene.layers if isinstance(layer, Text) for s in layer.strings]


@pytest.fixture(scope="module")
def bench() -> DetectionBench:
    return DetectionBench()


# ---- numbers ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), protocol=st.sampled_from(sorted(PROTOCOLS)))
def test_every_number_on_the_bench_is_the_packages_own(seed: int, protocol: str) -> None:
    state = random_state(seed, protocol)
    result = compute_bench(state)
    name, rule = PROTOCOLS[protocol]
    found, true = np.array(state.detections), np.array(state.objects)
    less = np.array([0, 0, 1, 1]) * (rule == "voc")
    m = match_detections(
        [found[:, :4] - less], [found[:, 4]], [true[:, :4] - less], ignore=[true[:, 4]], protocol=rule,
        iou_threshold=state.iou_threshold,
    )  # fmt: skip
    convention = {"coco": "101point", "voc2010": "all-point", "voc2007": "11point"}[name]
    ap = detection_average_precision(m.scores, m.is_true_positive, m.n_objects, convention, ignored=m.is_ignored)
    assert result.average_precision == pytest.approx(ap, nan_ok=True, abs=1e-12)
    assert result.count("true positive") == m.is_true_positive.sum() == (result.found_by >= 0).sum()
    assert result.count("ignored") == m.is_ignored.sum() and result.count("duplicate") == m.is_duplicate.sum()
    one = [{"boxes": found[:, :4] - less, "scores": found[:, 4], "labels": np.ones(len(found), int)}]
    truth = [{"boxes": true[:, :4] - less, "labels": np.ones(len(true), int), "difficult": true[:, 4]}]
    coco = detection_mean_average_precision(
        one, truth, protocol=name, iou_thresholds=detection_mean_average_precision([], []).per_threshold
    )
    assert result.ap50_95 == pytest.approx(coco.mean, abs=1e-12, nan_ok=True)
    assert (result.ap50, result.ap75) == pytest.approx((coco.ap50, coco.ap75), abs=1e-12, nan_ok=True)


def test_overlaps_are_the_same_under_both_rules() -> None:
    for seed in range(10):
        state = replace(random_state(seed), iou_threshold=1.0)  # nothing matches: `iou` is the largest overlap
        coco, voc = (compute_bench(replace(state, protocol=p)) for p in ("COCO", "VOC 2010"))
        np.testing.assert_allclose(coco.iou, voc.iou, atol=1e-12)


def test_a_find_a_duplicate_a_false_positive_and_a_miss() -> None:
    result = compute_bench(TWO)
    assert result.verdicts == ("true positive", "duplicate", "false positive")
    assert result.found_by.tolist() == [0, -1] and result.matched.tolist() == [0, -1, -1]
    assert result.nearest.tolist() == [0, 0, -1] and result.n_objects == 2
    assert result.ap50 == pytest.approx(51 / 101)


def test_without_objects_there_is_no_number_and_without_detections_it_is_zero() -> None:
    nothing = compute_bench(replace(TWO, objects=()))
    assert np.isnan(nothing.average_precision) and nothing.n_objects == 0 and len(nothing.recall) == 0
    blind = compute_bench(replace(TWO, detections=()))
    assert blind.average_precision == 0.0 and blind.verdicts == ()
    assert number(float("nan")) == "-"


# ---- moves -----------------------------------------------------------------------------------------------------


def test_dragging_the_middle_moves_a_box_and_chooses_it() -> None:
    after = react_picture(TWO, Event("move", "d2", 100.0, 60.0))
    assert after.detections[2] == (80.0, 40.0, 120.0, 80.0, 0.7) and after.chosen == "d2"
    assert after.detections[:2] == TWO.detections[:2] and after.objects == TWO.objects


def test_dragging_a_letter_moves_the_true_box_by_its_upper_left_corner() -> None:
    after = react_picture(TWO, Event("move", "o1", 90.0, 15.0))
    assert after.objects[1] == (90.0, 15.0, 130.0, 55.0, 0.0) and after.chosen == "o1"


@pytest.mark.parametrize(
    ("corner", "expected"),
    [("nw", (20, 25, 50, 50)), ("ne", (10, 25, 20, 50)), ("sw", (20, 10, 50, 25)), ("se", (10, 10, 20, 25))],
)
def test_a_corner_moves_alone(corner: str, expected: tuple[float, ...]) -> None:
    after = react_picture(replace(TWO, chosen="d0"), Event("move", corner, 20.0, 25.0))
    assert after.detections[0] == (*map(float, expected), 0.9)


@pytest.mark.parametrize("corner", ["nw", "ne", "sw", "se"])
def test_a_corner_cannot_cross_the_opposite_one(corner: str) -> None:
    for x, y in ((0.0, 0.0), (200.0, 200.0)):
        left, top, right, bottom, _ = react_picture(replace(TWO, chosen="d0"), Event("move", corner, x, y)).detections[0]
        assert right - left >= MIN_SIDE and bottom - top >= MIN_SIDE


def test_drawing_on_empty_ground_makes_a_box_when_the_hand_lets_go() -> None:
    drawing = react_picture(TWO, Event("brush", "brush", box=(60.0, 90.0, 70.0, 120.0)))
    assert drawing.draft == (60.0, 70.0, 90.0, 120.0) and drawing.detections == TWO.detections
    scene = picture_scene(drawing, compute_bench(drawing), GREY_PICTURE)
    assert scene.brush == (60.0, 90.0, 70.0, 120.0)
    after = react_picture(drawing, Event("release", "brush"))
    assert after.detections[3] == (60.0, 70.0, 90.0, 120.0, 0.5) and after.chosen == "d3" and after.draft is None
    speck = react_picture(TWO, Event("brush", "brush", box=(60.0, 61.0, 70.0, 120.0)))
    assert react_picture(speck, Event("release", "brush")) == TWO


def test_a_click_chooses_the_smallest_box_around_it_and_empty_ground_chooses_none() -> None:
    state = replace(TWO, detections=(*TWO.detections, (5.0, 5.0, 60.0, 60.0, 0.1)))
    assert box_under(state, 51.0, 30.0) == "d1" and box_under(state, 58.0, 58.0) == "d3"
    assert react_picture(state, Event("tap", x=120.0, y=20.0)).chosen == "o1"
    assert react_picture(state, Event("tap", x=75.0, y=120.0)).chosen == ""
    assert react_picture(state, Event("press", "d2")).chosen == "d2"


def test_a_full_bench_takes_no_more_and_an_empty_one_loses_nothing() -> None:
    state = TWO
    for _ in range(20):
        state = with_new_box(state, (0.0, 0.0, 20.0, 20.0))
    assert len(state.detections) == MAX_BOXES and state.chosen == f"d{MAX_BOXES - 1}"
    for _ in range(20):
        state = without_chosen(state)
    assert state.detections == () and state.chosen == "" and state.objects == TWO.objects


def test_a_true_box_can_be_taken_away_and_its_detection_becomes_false() -> None:
    after = without_chosen(replace(TWO, chosen="o0"))
    assert len(after.objects) == 1 and compute_bench(after).verdicts == ("false positive",) * 3


def test_dragging_a_confidence_reorders_the_list_in_hundredths() -> None:
    x = AXIS[0] + 0.9512 * (AXIS[1] - AXIS[0])
    after = react_list(TWO, Event("move", "c1", x, 0.0))
    assert after.detections[1][4] == 0.95 and after.chosen == "d1"
    result = compute_bench(after)
    assert result.order.tolist() == [1, 0, 2] and result.verdicts[:2] == ("duplicate", "true positive")
    assert react_list(TWO, Event("move", "c0", -1e6, 0.0)).detections[0][4] == 0.0
    assert react_list(TWO, Event("press", "c2")).chosen == "d2"


def test_equal_confidences_keep_the_order_of_the_boxes() -> None:
    tied = replace(TWO, detections=tuple((*row[:4], 0.5) for row in TWO.detections))
    assert compute_bench(tied).order.tolist() == [0, 1, 2]


def test_the_triangle_moves_the_threshold_in_hundredths() -> None:
    after = admit_bench(react_threshold(TWO, Event("move", "t", 0.7349, 0.0)), WIDTH, HEIGHT)
    assert after.iou_threshold == 0.73 and compute_bench(after).average_precision == compute_bench(after).curve[68]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), x=st.floats(-300, 500), y=st.floats(-300, 500))
def test_every_box_stays_inside_the_picture_and_keeps_its_size_where_it_fits(seed: int, x: float, y: float) -> None:
    state = random_state(seed)
    after = admit_bench(react_picture(state, Event("move", "d3", x, y)), WIDTH, HEIGHT)
    old, new = state.detections[3], after.detections[3]
    assert 0 <= new[0] and new[2] <= WIDTH + 1e-9 and 0 <= new[1] and new[3] <= HEIGHT + 1e-9
    assert (new[2] - new[0], new[3] - new[1]) == pytest.approx((old[2] - old[0], old[3] - old[1]))


# ---- tasks -----------------------------------------------------------------------------------------------------


def test_the_first_task_is_done_with_boxes_that_half_fit(bench: DetectionBench) -> None:
    bench.state = bench.presets["loose boxes"]
    assert "Task: reach AP50 = 1 with AP75 = 0." in bench.status and "still missed" in bench.status
    assert {"true positive", "false positive", "duplicate"} == set(bench.result.verdicts)
    boxes = []
    for k, (left, top, right, bottom, _) in enumerate(bench.state.objects):
        boxes.append((left, top, right, top + 0.6 * (bottom - top), 0.9 - 0.1 * k))  # IoU 0.6
    bench.state = replace(bench.state, detections=tuple(boxes))
    assert "Done: AP50 calls this perfect" in bench.status and bench.result.ap50 == 1.0 and bench.result.ap75 == 0.0


def test_the_second_task_is_done_with_confidences_only(bench: DetectionBench) -> None:
    bench.state = start = bench.presets["confidences"]
    assert "Task: bring AP at IoU 0.50 to 1" in bench.status and bench.result.average_precision < 0.8
    wrong = [d for d, verdict in enumerate(bench.result.verdicts) if verdict == "false positive"]
    assert len(wrong) == 2
    for d in wrong:
        x = AXIS[0] + 0.01 * (AXIS[1] - AXIS[0])
        bench.canvases["list"].receive(
            {"kind": "events", "counter": d + 1, "events": [{"kind": "move", "name": f"c{d}", "x": x}]}
        )
    assert "Done: AP is 1 although 2 boxes are wrong" in bench.status
    bench.state = react_picture(start, Event("move", "d0", 100.0, 100.0))
    assert "A box has changed" in bench.status


def test_the_third_task_is_done_where_the_two_rules_disagree(bench: DetectionBench) -> None:
    bench.state = bench.presets["two rules"]
    assert "Task: make VOC and COCO judge one box differently" in bench.status and bench.result.rule_differs == ()
    cup = next(d for d, o in enumerate(bench.result.matched) if o == 2)
    left, top, right, bottom, _ = (start := bench.state).detections[cup]
    for rise in range(1, 60):  # up, over the lower half of the person behind the cup
        bench.state = react_picture(start, Event("move", f"d{cup}", (left + right) / 2, (top + bottom) / 2 - rise))
        if bench.result.rule_differs:
            break
    assert "Done: box 3 is judged differently under VOC 2010" in bench.status
    assert bench.result.verdicts[cup] == "true positive" and bench.result.matched[cup] == 2 and bench.result.nearest[cup] == 1
    assert any("true positive C *" in s for s in strings(bench.scenes()["list"]))
    bench.state = replace(bench.state, protocol="VOC 2010")
    assert bench.result.verdicts[cup] == "duplicate" and bench.result.other_protocol == "COCO"


def test_another_truth_ends_the_task(bench: DetectionBench) -> None:
    bench.reset()
    bench.state = react_picture(bench.state, Event("move", "o0", 20.0, 20.0))
    assert "another truth" in bench.status
    bench.reset()
    assert "Task:" in bench.status


# ---- pictures --------------------------------------------------------------------------------------------------


def test_every_verdict_has_its_own_colour_symbol_and_word() -> None:
    assert all(len(set(column)) == 4 for column in zip(*LOOKS.values()))
    state = replace(TWO, objects=(*TWO.objects, (140.0, 140.0, 200.0, 200.0, 1.0)))
    result = compute_bench(replace(state, iou_threshold=0.3))
    assert result.verdicts == ("true positive", "duplicate", "ignored")
    scene = picture_scene(state, result, GREY_PICTURE)
    outlines = [layer for layer in scene.layers if isinstance(layer, Polygons) and layer.outline != "#ffffff"]
    looks = {verdict: [(p.dashed, p.width) for p in outlines if p.outline == LOOKS[verdict][0]] for verdict in LOOKS}
    assert looks["true positive"] == [(False, 3.0)] and looks["ignored"] == [(True, 3.0)]
    assert looks["duplicate"] == [(True, 3.0), (False, 1.5)]  # a double line
    tags = {mark.name: mark.tag for mark in scene.marks}
    assert tags["d0"] == "1 true" and tags["d1"] == "2 duplicate" and tags["d2"] == "3 ignored"
    assert (tags["o0"], tags["o1"], tags["o2"]) == ("A", "B missed", "C difficult")
    crossed = [layer for layer in scene.layers if isinstance(layer, Segments)]
    assert len(crossed) == 1 and crossed[0].starts.tolist() == [[100.0, 10.0], [100.0, 50.0]]  # only the missed object


def test_the_list_counts_precision_and_recall_down_the_rows() -> None:
    result = compute_bench(TWO)
    rows = strings(list_scene(TWO, result, 440))
    assert "1  true positive A" in rows and "2  duplicate A" in rows and "3  false positive" in rows
    assert "IoU 1.00 with A, precision 1/1, recall 1/2" in rows
    assert "IoU 0.90 with A, precision 1/2, recall 1/2" in rows
    assert "IoU 0.00, precision 1/3, recall 1/2" in rows


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), protocol=st.sampled_from(sorted(PROTOCOLS)))
def test_the_curve_shows_the_average_precision_it_names(seed: int, protocol: str) -> None:
    state = random_state(seed, protocol)
    result = compute_bench(state)
    scene = curve_scene(state, result)
    if not len(result.recall):
        assert any("no value" in s or "Nothing" in s for s in strings(scene))
        return
    assert f"AP at IoU {state.iou_threshold:.2f} = {result.average_precision:.2f}  ({protocol})" in strings(scene)
    areas = next(layer for layer in scene.layers if isinstance(layer, Polygons) and layer.fill == SKY)
    area = sum(float(np.ptp(ring[:, 0]) * np.ptp(ring[:, 1])) for ring in areas.rings)
    dots = [layer for layer in scene.layers if isinstance(layer, Points) and layer.colour == BLUE]
    if protocol == "VOC 2010":
        assert area == pytest.approx(result.average_precision, abs=1e-5) and dots == []
    else:
        assert len(dots[0].xy) == {"COCO": 101, "VOC 2007": 11}[protocol]
        assert dots[0].xy[:, 1].mean() == pytest.approx(result.average_precision, abs=1e-5)
    points = sum(len(layer.xy) for layer in scene.layers if isinstance(layer, Points) and layer.colour != BLUE)
    assert points == len(result.counted)


def test_the_staircase_passes_through_average_precision_at_every_threshold() -> None:
    state = random_state(3)
    result = compute_bench(state)
    scene = threshold_scene(state, result)
    stairs = {layer.colour: layer for layer in scene.layers if isinstance(layer, Segments)}
    for colour, curve in ((BLUE, result.curve), (GREY, result.other_curve)):
        starts, ends = stairs[colour].starts, stairs[colour].ends
        flat = starts[:, 1] == ends[:, 1]
        for threshold, value in zip(THRESHOLDS, curve):
            over = flat & (starts[:, 0] < threshold - 1e-6) & (ends[:, 0] >= threshold - 1e-6)
            if threshold > THRESHOLDS[0]:
                assert starts[over][:, 1] == pytest.approx([value], abs=1e-6)
    assert any(s.startswith("AP50 ") for s in strings(scene)) and "mean of the ten dots" in strings(scene)
    alone = threshold_scene(replace(state, compare=False), result)
    assert GREY not in {layer.colour for layer in alone.layers if isinstance(layer, Segments)}


# ---- where the boxes come from ---------------------------------------------------------------------------------


def test_the_default_is_a_sprite_scene_of_the_test_split(bench: DetectionBench) -> None:
    pixels, objects = default_scene()
    scene = SpriteScenes("test", n_images=SCENE[0] + 1, size=SCENE[1])[SCENE[0]]
    np.testing.assert_array_equal(pixels, scene.image.permute(1, 2, 0))
    np.testing.assert_array_equal(objects["boxes"], scene.boxes)
    assert len(bench.objects) == 5 and all(len(bench.presets[task].detections) >= 5 for task in TASKS)


def test_a_detectors_output_on_a_scene_comes_onto_the_bench_class_by_class() -> None:
    scene = SpriteScenes("test", n_images=11)[10]
    output = {"boxes": scene.boxes + 1.0, "scores": torch.linspace(0.9, 0.5, 5), "labels": scene.labels}
    every = DetectionBench(image=scene.image, objects=scene, detections=output)
    assert len(every.state.detections) == 5 and every.presets["two rules"].detections == every.state.detections
    assert every.result.count("true positive") == 5 and every.last_error is None
    label = int(scene.labels[0])
    one = DetectionBench("confidences", image=scene.image.permute(1, 2, 0), objects=scene, detections=output, label=label)
    assert len(one.objects) == len(one.state.detections) == int((scene.labels == label).sum()) < 5
    assert one.state.detections[0][4] == pytest.approx(0.9)  # a score is not rounded until a hand moves it
    assert one.scenes()["picture"].height == one.scenes()["picture"].width


def test_a_wide_picture_keeps_its_shape() -> None:
    wide = np.zeros((90, 180, 3), np.uint8)
    bench = DetectionBench(image=wide, objects={"boxes": [[10, 10, 60, 60]], "difficult": [True]})
    assert bench.scenes()["picture"].height == 206 and bench.scenes()["list"].height == 320
    assert "no value" in bench.status and bench.last_error is None
    bench.still()


PICTURE, TRUE = np.zeros((3, 64, 64), np.uint8), {"boxes": [[1, 1, 9, 9]]}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"preset": "easy"}, "`preset` must be one of 'loose boxes'"),
        ({"image": PICTURE}, "given together"),
        ({"image": PICTURE[:2], "objects": TRUE}, "`image` must be RGB"),
        ({"image": PICTURE, "objects": {}}, '`objects` must be a dictionary with "boxes"'),
        ({"image": PICTURE, "objects": TRUE, "detections": TRUE}, '"boxes" and "scores", but got the keys'),
        ({"image": PICTURE, "objects": TRUE, "detections": {**TRUE, "scores": [2.0]}}, "between 0 and 1"),
        ({"image": PICTURE, "objects": {"boxes": [[9, 9, 1, 1]]}}, "x2 >= x1"),
        ({"image": PICTURE, "objects": {"boxes": [[1, 1, 9, 9]] * 13}}, "at most 12 boxes, but got 13. Keep the most confident"),
        ({"image": PICTURE, "objects": TRUE, "label": 1}, "`label` must be None where the boxes carry no labels"),
    ],
)
def test_promised_errors_are_raised_in_words(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        DetectionBench(**options)
