"""The matching bench without a browser: its numbers against the package, its tasks, its handles, and the reader's own pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from course_utils import data, retrieval
from course_utils.explore.canvas import Event
from course_utils.explore.matching import MAX_STEPS, N_TRIALS, RIGHT, SEED, WRONG, MatchState
from course_utils.explore.matching_bench import MatchingBench
from course_utils.explore.matching_cases import INDEX, STEREO_WIDTH, landmark_views
from course_utils.explore.matching_pair import clipped, frames
from course_utils.explore.matching_play import GUESSES, OWN, TASKS
from course_utils.explore.scene import Picture, Points, Segments
from course_utils.plotting import BLUE, VERMILION

_shared: list[MatchingBench] = []


@pytest.fixture
def bench() -> MatchingBench:
    if not _shared:
        _shared.append(MatchingBench())
    bench = _shared[0]
    bench.state = bench.presets["crop"]
    return bench


def send(bench: MatchingBench, view: str, *events: dict[str, Any]) -> None:
    canvas = bench.canvases[view]
    canvas.receive({"kind": "events", "counter": canvas.received + 1, "events": list(events)})
    assert bench.last_error is None


def drag(bench: MatchingBench, view: str, name: str, x: float, y: float = 0.0) -> None:
    send(bench, view, {"kind": "move", "name": name, "x": x, "y": y})
    send(bench, view, {"kind": "release", "name": name})


def crop_to(bench: MatchingBench, box: tuple[float, float, float, float]) -> None:
    a = frames(bench.case(bench.state), bench.state.shown)[0]
    (x0, y0), (x1, y1) = a.to_view(np.array([box[:2], box[2:]]))
    send(bench, "pair", {"kind": "move", "name": "nw", "x": x0, "y": y0})
    drag(bench, "pair", "se", x1, y1)


def choose(bench: MatchingBench, **values: Any) -> None:
    for control in bench._controls:
        if control.field in values:
            control.widget.value = values[control.field]
    assert bench.last_error is None


# ---- numbers ---------------------------------------------------------------------------------------------------------


def test_matches_and_inliers_are_those_of_the_package(bench: MatchingBench) -> None:
    case, state, result = bench.case(bench.state), bench.state, bench.result
    mine = case.features.within(state.crop).top(state.keep)
    theirs = case.index[state.shown].features.top(state.keep)
    found = retrieval.match_descriptors(mine.descriptors, theirs.descriptors, bench.max_distance)
    np.testing.assert_array_equal(case.features.points[result.pairs[:, 0]], mine.points[found.indices[:, 0]])
    np.testing.assert_array_equal(case.index[state.shown].features.points[result.pairs[:, 1]], theirs.points[found.indices[:, 1]])
    verified = retrieval.verify_geometry(
        mine.points[found.indices[:, 0]],
        theirs.points[found.indices[:, 1]],
        state.threshold,
        N_TRIALS,
        torch.Generator().manual_seed(SEED),
    )
    assert result.now.n_inliers == verified.n_inliers == result.n_inliers[state.shown] == result.inliers.sum()
    np.testing.assert_array_equal(result.inliers, result.residuals < state.threshold)


def test_right_matches_are_those_of_the_homography(bench: MatchingBench) -> None:
    views = landmark_views()
    query, other = views[0], views[2 + bench.state.shown]
    case, pairs = bench.case(bench.state), bench.result.pairs
    there, visible = data.landmarks.correspondences(query, other, case.features.points[pairs[:, 0]])
    gap = np.linalg.norm(there.numpy() - case.index[bench.state.shown].features.points[pairs[:, 1]], axis=1)
    np.testing.assert_array_equal(bench.result.right == RIGHT, visible.numpy() & (gap <= case.tolerance(bench.state.shown)))
    assert bench.result.now.n_right == (bench.result.right == RIGHT).sum() > 10


def test_the_first_picture_shows_the_point_most_matches_are_wrong_and_the_inliers_are_right(bench: MatchingBench) -> None:
    now = bench.result.now
    assert now.right_share < 0.5 and now.n_right_inliers > 0.9 * now.n_inliers > 9
    assert now.accepted >= 3 and now.n_false == 0
    same = np.array([label == INDEX[0][0] for label, _ in INDEX])
    assert bench.result.n_inliers[~same].max() < np.median(bench.result.n_inliers[same])


def test_the_stereo_truth_is_the_disparity(bench: MatchingBench) -> None:
    from skimage.data import stereo_motorcycle

    bench.state = bench.presets["two eyes"]
    disparity = stereo_motorcycle()[2]
    case = bench.case(bench.state)
    truth, points = case.index[0].truth, case.features.points
    factor = disparity.shape[1] / STEREO_WIDTH
    for point, place in zip(points, truth):
        shift = disparity[int(point[1] * factor), int(point[0] * factor)] / factor
        if np.isfinite(shift):
            np.testing.assert_allclose(place, point - [shift, 0.0], atol=1e-4)
        else:
            assert np.isnan(place).any()
    assert bench.result.now.right_share > 0.6
    inliers = bench.result.inliers
    assert (bench.result.right[~inliers] == RIGHT).sum() >= 5  # at other depths: right, but not on the one affine map


def test_the_crop_comes_before_the_best_features_are_chosen(bench: MatchingBench) -> None:
    case = bench.case(bench.state)
    x0, y0, x1, y1 = case.tight
    bench.state = replace(bench.state, crop=case.tight, keep=40)
    inside = case.features.within(case.tight)
    np.testing.assert_array_equal(case.features.points[bench.result.query_rows], inside.top(40).points)
    outside = case.features.points[bench.result.outside_rows]
    assert not ((outside >= [x0, y0]) & (outside < [x1, y1])).all(1).any()


def test_scales_leave_only_theirs(bench: MatchingBench) -> None:
    choose(bench, scales="0.5 and below")
    assert (bench.case(bench.state).features.scales[bench.result.query_rows] <= 0.5).all()
    assert (bench.case(bench.state).index[1].features.scales[bench.result.index_rows] <= 0.5).all()
    choose(bench, scales="only 1")
    assert set(bench.case(bench.state).features.scales[bench.result.query_rows]) == {1.0}


def test_without_ransac_the_score_is_the_number_of_matches(bench: MatchingBench) -> None:
    choose(bench, verify=False)
    np.testing.assert_array_equal(bench.result.scores, bench.result.n_matches)
    assert np.isnan(bench.result.transform).all() and not bench.result.inliers.any()
    assert "RANSAC at" not in bench.status and "matches" in bench.status


def test_samples_are_drawn_one_by_one_and_the_best_is_remembered(bench: MatchingBench) -> None:
    bench.state = bench.presets["samples"]
    trials = retrieval.affine_trials(
        *bench.matcher(bench.state)._points(bench.result.pairs, bench.state.shown),
        bench.state.threshold,
        MAX_STEPS,
        torch.Generator().manual_seed(SEED),
    )
    for n in range(2, 6):
        bench.buttons["Draw 3 matches"].click()
        assert bench.state.step == n
        np.testing.assert_array_equal(bench.result.history, trials.n_inliers[:n])
        np.testing.assert_array_equal(bench.result.triplet, trials.triplets[n - 1])
        np.testing.assert_array_equal(bench.result.transform, trials.transforms[n - 1])
        assert bench.result.best == trials.n_inliers[:n].argmax()
    for _ in range(5):
        bench.buttons["Draw 50 times"].click()
    assert bench.state.step == MAX_STEPS and len(bench.result.history) == MAX_STEPS
    bench.buttons["RANSAC result"].click()
    assert bench.state.step == 0 and len(bench.result.history) == 0
    assert bench.result.now.n_inliers >= trials.n_inliers.max()  # more samples, and a re-fit


def test_a_remembered_result_is_the_computed_one(bench: MatchingBench) -> None:
    fresh = MatchingBench()
    for state in (bench.presets["samples"], replace(bench.state, keep=40, scales="only 1", step=7)):
        bench.state = state
        other = fresh.compute(bench.state)
        np.testing.assert_array_equal(bench.result.pairs, other.pairs)
        np.testing.assert_array_equal(bench.result.n_inliers, other.n_inliers)
        np.testing.assert_array_equal(bench.result.history, other.history)


# ---- handles -----------------------------------------------------------------------------------------------------------


def test_the_crop_is_moved_by_corner_and_as_a_whole_and_stays_in_the_picture(bench: MatchingBench) -> None:
    crop_to(bench, (40.0, 30.0, 140.0, 200.0))
    assert bench.state.crop == pytest.approx((40.0, 30.0, 140.0, 200.0))
    a = frames(bench.case(bench.state), bench.state.shown)[0]
    x, y = a.to_view(np.array([[500.0, 115.0]]))[0]
    drag(bench, "pair", "crop", x, y)
    assert bench.state.crop == pytest.approx((124.0, 30.0, 224.0, 200.0))
    drag(bench, "pair", "nw", *a.to_view(np.array([[220.0, 198.0]]))[0])
    x0, y0, x1, y1 = bench.state.crop
    assert x1 - x0 >= 16 - 1e-9 and y1 - y0 >= 16 - 1e-9 and 0 <= x0 and x1 <= 224


def test_a_corner_dragged_past_its_opposite_turns_the_box_over(bench: MatchingBench) -> None:
    crop_to(bench, (100.0, 100.0, 150.0, 150.0))
    a = frames(bench.case(bench.state), bench.state.shown)[0]
    drag(bench, "pair", "nw", *a.to_view(np.array([[200.0, 200.0]]))[0])
    assert bench.state.crop == pytest.approx((150.0, 150.0, 200.0, 200.0))


def test_the_probe_takes_the_nearest_key_point_and_a_click_on_the_other_picture_its_partner(bench: MatchingBench) -> None:
    case, result = bench.case(bench.state), bench.result
    a, b = frames(case, bench.state.shown)
    match = int(np.flatnonzero(result.inliers)[3])
    mine, theirs = result.pairs[match]
    x, y = a.to_view(case.features.points[[mine]])[0]
    drag(bench, "pair", "probe", x + 0.5, y)
    assert bench.result.probe_row == mine and bench.result.probe_match == match
    drag(bench, "pair", "probe", 12.0, 32.0)
    assert bench.result.probe_row != mine
    x, y = b.to_view(case.index[bench.state.shown].features.points[[theirs]])[0]
    send(bench, "pair", {"kind": "tap", "x": x, "y": y})
    assert bench.result.probe_row == mine
    send(bench, "pair", {"kind": "tap", "x": 414.0, "y": 100.0})
    assert bench.result.probe_row == mine  # between the pictures there is nothing to probe


def test_thresholds_are_dragged_on_their_axes(bench: MatchingBench) -> None:
    drag(bench, "residuals", "threshold", 3.0)
    assert bench.state.threshold == 8.0
    drag(bench, "residuals", "threshold", 99.0)
    assert bench.state.threshold == 64.0
    drag(bench, "scores", "accept", 14.6)
    assert bench.state.accept == 15
    assert bench.result.now.accepted == (bench.result.scores >= 15).sum()


def test_a_dot_shows_its_image(bench: MatchingBench) -> None:
    send(bench, "scores", {"kind": "press", "name": "image7"})
    assert bench.state.shown == 7 and bench.case(bench.state).index[7].name in bench.status


def test_events_of_strangers_change_nothing(bench: MatchingBench) -> None:
    before = bench.state
    for view in ("pair", "residuals", "scores"):
        for kind in ("move", "press", "hover", "release"):
            send(bench, view, {"kind": kind, "name": "nobody", "x": 3.0, "y": 3.0})
    assert bench.state == before
    assert bench.react_scores(before, Event("tap")) == before


# ---- predictions and tasks ------------------------------------------------------------------------------------------


def test_a_prediction_is_judged_when_the_handle_is_dropped_and_counts_from_where_it_was_taken_up(bench: MatchingBench) -> None:
    choose(bench, guess="fewer inliers")
    assert "You predict: fewer inliers." in bench.status
    before = bench.result.now
    send(bench, "residuals", {"kind": "move", "name": "threshold", "x": 2.0, "y": 0.0})
    send(bench, "residuals", {"kind": "move", "name": "threshold", "x": 1.5, "y": 0.0})
    assert "You predict" in bench.status
    send(bench, "residuals", {"kind": "release", "name": "threshold"})
    assert f"Right: inliers {before.n_inliers} before, {bench.result.now.n_inliers} now" in bench.status
    drag(bench, "residuals", "threshold", 4.0)
    assert "Not this time: inliers" in bench.status  # the same handle again is the same move
    choose(bench, keep=64)
    assert bench.state.guess == "no prediction"  # one prediction, one move


def test_a_slider_that_goes_on_moving_is_one_move(bench: MatchingBench) -> None:
    choose(bench, guess="as many inliers")
    start = bench.state.settings
    for keep in (104, 96, 80):
        choose(bench, keep=keep)
    assert bench.state.before == start and bench.state.judged
    assert "Not this time: inliers" in bench.status


def test_every_prediction_can_come_true(bench: MatchingBench) -> None:
    fulfilled = set()
    tight = bench.case(bench.state).tight
    for values in ({"keep": 40}, {"keep": 160}, {"crop": tight}, {"crop": (150.0, 80.0, 224.0, 224.0)}, {"accept": 3}):
        state = replace(bench.state, before=bench.state.settings, **values)
        result = bench.compute(bench.admit(state))
        fulfilled |= {guess for guess, true in GUESSES.items() if true(result)}
    assert fulfilled == set(GUESSES)


SOLUTIONS = {
    "crop": (
        lambda b: (choose(b, guess="a larger share is right"), crop_to(b, b.case(b.state).tight)),
        lambda b: None,
        lambda b: crop_to(b, (150.0, 80.0, 224.0, 224.0)),
    ),
    "attention": (
        lambda b: (choose(b, guess="fewer inliers"), choose(b, keep=64)),
        lambda b: (crop_to(b, b.case(b.state).tight), choose(b, keep=40)),
        lambda b: (choose(b, scales="0.5 and below"), None if "Done." in b.status else _probe_right(b, inlier=None)),
    ),
    "samples": (
        lambda b: [b.buttons["Draw 3 matches"].click() for _ in range(MAX_STEPS) if b.result.history.max() < 10],
        lambda b: (b.buttons["RANSAC result"].click(), drag(b, "residuals", "threshold", 1.0)),
        lambda b: drag(b, "residuals", "threshold", 4.2),
    ),
    "no landmark": (
        lambda b: drag(b, "scores", "accept", float(b.result.scores.max()) + 0.5),
        lambda b: (choose(b, verify=True), drag(b, "scores", "accept", float(b.result.n_inliers.max()) + 0.5)),
    ),
    "two eyes": (
        lambda b: _probe_right(b, inlier=False),
        lambda b: drag(b, "residuals", "threshold", 3.5),
    ),
}


def _probe_right(bench: MatchingBench, inlier: bool | None) -> None:
    result = bench.result
    rows = np.flatnonzero((result.right == RIGHT) & (True if inlier is None else result.inliers == inlier))
    case = bench.case(bench.state)
    x, y = frames(case, bench.state.shown)[0].to_view(case.features.points[[result.pairs[rows[0], 0]]])[0]
    send(bench, "pair", {"kind": "tap", "x": x, "y": y})


@pytest.mark.parametrize("preset", sorted(SOLUTIONS))
def test_every_task_is_open_at_first_and_can_be_solved(bench: MatchingBench, preset: str) -> None:
    assert set(SOLUTIONS) | {OWN} == set(TASKS) and len(SOLUTIONS[preset]) == len(TASKS[preset])
    bench.state = bench.presets[preset]
    for number, solve in enumerate(SOLUTIONS[preset]):
        bench.state = replace(bench.state, task=number, guess="no prediction", judged=False)
        task = TASKS[preset][number]
        if not (preset, number) == ("crop", 1):  # the first task's crop solves the second one
            assert f"Task {number + 1} of {len(TASKS[preset])}: {task.text}" in bench.status
        solve(bench)
        assert f"Done. {task.done}" in bench.status, bench.status
    choose(bench, keep=16)
    assert "All tasks of this preset are done" in bench.status or bench.state.task == len(TASKS[preset])


def test_a_solved_task_gives_way_at_the_next_move(bench: MatchingBench) -> None:
    bench.state = bench.presets["two eyes"]
    _probe_right(bench, inlier=False)
    assert bench.state.task == 0 and "Done." in bench.status
    drag(bench, "scores", "accept", 12.0)
    assert bench.state.task == 1


# ---- pictures -------------------------------------------------------------------------------------------------------


def _layers(bench: MatchingBench, kind: type) -> list[Any]:
    return [layer for layer in bench.scenes()["pair"].layers if isinstance(layer, kind)]


def _is(colour: Any, name: str) -> bool:
    return isinstance(colour, str) and colour == name


def test_truth_is_a_shape_and_inliers_are_blue(bench: MatchingBench) -> None:
    result = bench.result
    points = _layers(bench, Points)
    for shape, truth in (("diamond", RIGHT), ("cross", WRONG)):
        drawn = [layer for layer in points if layer.shape == shape and not isinstance(layer.colour, str)]
        assert [len(layer.xy) for layer in drawn] == [(result.right == truth).sum()] * 2
    blue = [layer for layer in _layers(bench, Segments) if _is(layer.colour, BLUE) and layer.width == 2.0]
    assert sum(len(layer.starts) for layer in blue) == result.now.n_inliers
    assert [layer.dashed for layer in blue] == [False, True]
    assert len(blue[1].starts) == result.now.n_inliers - result.now.n_right_inliers


def test_sizes_follow_the_scale_and_the_best_score_is_the_brightest(bench: MatchingBench) -> None:
    case, rows = bench.case(bench.state), bench.result.query_rows
    a = frames(case, bench.state.shown)[0]
    crosses = next(layer for layer in _layers(bench, Points) if not isinstance(layer.colour, str) and layer.shape == "cross")
    wrong = case.features.scales[bench.result.pairs[bench.result.right == WRONG, 0]]
    np.testing.assert_allclose(np.sort(crosses.size), np.sort(np.clip(2.9 / np.sqrt(wrong), 2, 7)), rtol=1e-5)
    best = a.to_view(case.features.points[rows[:1]])[0]
    bright = [
        c
        for layer in _layers(bench, Points)
        if not isinstance(layer.colour, str)
        for xy, c in zip(layer.xy, layer.colour)
        if np.allclose(xy, best, atol=1e-3)
    ]
    assert bright[0][:3].tolist() == [253, 231, 37]  # the end of viridis


def test_the_sample_and_its_map_are_vermilion(bench: MatchingBench) -> None:
    bench.state = bench.presets["samples"]
    while not np.isfinite(bench.result.transform).all():
        bench.buttons["Draw 3 matches"].click()
    three = [layer for layer in _layers(bench, Segments) if _is(layer.colour, VERMILION) and layer.width == 4.0]
    assert len(three[0].starts) == 3
    grid = [layer for layer in _layers(bench, Segments) if _is(layer.colour, VERMILION) and layer.width == 1.6]
    assert len(grid) == 1 and len(grid[0].starts) > 3


def test_lines_of_the_map_end_at_the_edge_of_the_picture(bench: MatchingBench) -> None:
    rng = np.random.default_rng(0)
    starts, stops = rng.uniform(-20, 30, (200, 2)), rng.uniform(-20, 30, (200, 2))
    box = (0.0, 10.0, 8.0, 0.0)
    a, b = clipped(starts, stops, box)
    for end in (a, b):
        assert (end >= -1e-9).all() and (end[:, 0] <= 10 + 1e-9).all() and (end[:, 1] <= 8 + 1e-9).all()
    t = np.linspace(0, 1, 400)[:, None]
    inside = [(((s + t * (e - s)) >= 0) & ((s + t * (e - s)) <= [10, 8])).all(1).any() for s, e in zip(starts, stops)]
    assert abs(len(a) - sum(inside)) <= 2
    level = clipped(np.array([[-5.0, 20.0], [3.0, -4.0]]), np.array([[15.0, 20.0], [3.0, 40.0]]), box)
    assert level[0].tolist() == [[3.0, 0.0]] and level[1].tolist() == [[3.0, 8.0]]


@pytest.mark.parametrize("preset", ["crop", "samples", "two eyes"])
def test_nothing_is_drawn_beyond_the_edge_of_a_view(bench: MatchingBench, preset: str) -> None:
    bench.state = bench.presets[preset]
    for scene in bench.scenes().values():
        left, right, bottom, top = scene.box
        for layer in scene.layers:
            if isinstance(layer, Points):
                assert (layer.xy[:, 0] >= left).all() and (layer.xy[:, 0] <= right).all()
                assert (layer.xy[:, 1] >= min(top, bottom)).all() and (layer.xy[:, 1] <= max(top, bottom)).all()


def test_the_view_keeps_its_height_when_another_image_is_shown(bench: MatchingBench) -> None:
    bench.state = bench.presets["two eyes"]
    heights = set()
    for i in range(len(bench.case(bench.state).index)):
        bench.state = replace(bench.state, shown=i)
        heights.add(bench.scenes()["pair"].height)
        pictures = _layers(bench, Picture)
        assert pictures[1].extent[2] <= pictures[0].extent[2] + 1e-6
    assert len(heights) == 1


# ---- the reader's own pictures and features ---------------------------------------------------------------------------


def _own() -> tuple[torch.Tensor, torch.Tensor]:
    picture = data.photograph("ihc")
    return picture[:, 40:240, 100:340], picture[:, 60:260, 120:360]


def test_own_pictures_come_first_and_their_truth_is_unknown() -> None:
    bench = MatchingBench(images=_own())
    assert bench.preset == OWN and next(iter(bench.presets)) == OWN
    assert bench.result.now.n_right == -1 and np.isnan(bench.result.now.right_share)
    assert bench.result.n_inliers[0] > 30 > 3 * bench.result.n_inliers[1:].max()
    np.testing.assert_allclose(retrieval.apply_affine([[130, 110]], bench.result.transform), [[110, 90]], atol=2.5)
    assert "right" not in bench.sentence(bench.state, bench.result) and "Done." in bench.status
    with pytest.raises(ValueError, match="`preset` must be one of"):
        MatchingBench(preset=OWN)


def test_features_and_models_of_the_reader_are_used() -> None:
    images = _own()
    features = [retrieval.dense_feature_set(image, 60) for image in images]
    bench = MatchingBench(images=images, features=features, max_distance=0.5)
    assert len(bench.case(bench.state).index) == 1 and len(bench.case(bench.state).features) == 60
    np.testing.assert_array_equal(bench.case(bench.state).features.points, features[0].points)

    class Model:
        calls = 0

        def extract(self, image: torch.Tensor) -> list[retrieval.LocalFeatureSet]:
            assert image.shape[0] == 3 and image.dtype == torch.uint8
            Model.calls += 1
            return [retrieval.dense_feature_set(image, 24, scales=(0.5,))]

    bench = MatchingBench(model=Model(), images=images, max_distance=0.7)
    assert Model.calls == 8 and len(bench.case(bench.state).features) == 24
    assert (
        MatchingBench(model=lambda image: retrieval.dense_feature_set(image, 24, scales=(0.5,)), images=images).max_distance
        == 0.9
    )


@pytest.mark.parametrize(
    "arguments, kind, error",
    [
        ({"model": 3}, TypeError, "`model` must be a model with `extract`, or a function"),
        ({"model": lambda image: 3}, TypeError, "`model` must be something that returns a LocalFeatureSet, but got int"),
        ({"images": _own()[:1]}, ValueError, "`images` must be a pair of images, but got 1"),
        ({"images": (np.zeros((5, 5, 3), np.uint8),) * 2}, ValueError, r"`images\[0\]` must be RGB"),
        ({"features": ()}, ValueError, "`images` must be given where `features` are"),
        ({"images": _own(), "features": 3}, TypeError, "`features` must be a pair of LocalFeatureSet"),
        ({"images": _own(), "features": (retrieval.LocalFeatureSet.empty(4, (9, 9)),) * 2}, ValueError, r"`features\[0\]\.size`"),
        ({"max_distance": 0.0}, ValueError, "`max_distance` must be a finite number above 0"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(arguments: dict[str, Any], kind: type, error: str) -> None:
    with pytest.raises(kind, match=error):
        MatchingBench(**arguments)


def test_pictures_without_features_are_shown_without_an_error() -> None:
    flat = np.full((64, 80, 3), 128, np.uint8)
    bench = MatchingBench(images=(flat, flat))
    assert bench.last_error is None and bench.result.now.n_points == 0 and bench.result.probe_row == -1
    assert "0 key points" in bench.status
    bench.buttons["Draw 3 matches"].click()
    assert bench.last_error is None and bench.state == replace(bench.state, step=1)
    bench.still()


def test_a_state_out_of_range_is_brought_into_it(bench: MatchingBench) -> None:
    bench.state = MatchState(
        (300.0, 5.0, -20.0, 6.0), keep=9999, scales="x", threshold=0.0, accept=-4, shown=99, step=-3, preset="x", guess="?"
    )
    state = bench.state
    assert state.crop[0] == 0.0 and state.crop[2] == 224.0 and state.crop[3] - state.crop[1] == 16.0
    assert (state.keep, state.scales, state.threshold, state.accept, state.shown, state.step) == (
        160,
        "all scales",
        0.5,
        1,
        15,
        0,
    )
    assert state.preset == "crop" and state.guess == "no prediction"
