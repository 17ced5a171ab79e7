"""The threshold theatre: its numbers are the package's, moves cost what they must, and every task can be solved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import retrieval
from course_utils.explore.canvas import Event
from course_utils.explore.theatre import DISTRACTOR, MEASURES, RIGHT, Cast, TheatreState, asked, compute_theatre, random_maps
from course_utils.explore.theatre_cast import MOST, cast_of, default_cast
from course_utils.explore.theatre_play import (
    TASKS,
    THRESHOLD,
    about,
    counted_from_here,
    goal_of,
    on_stage,
    react_strip,
    react_swarm,
    recalibrated,
    start_of,
    tasks_of,
    with_others,
    with_pin,
    with_random_maps,
)
from course_utils.explore.theatre_views import draw_numbers, draw_query, draw_strip, draw_swarm, draw_systems
from course_utils.explore.threshold_theatre import ThresholdTheatre

# The worked example of the chapter, and three pictures more.
TRUTH = {"q1": {5}, "q2": {7}, "q3": {9}, "q4": set(), "q5": set(), "q6": set()}
ANSWERS = {"q1": (5, 0.9), "q4": (3, 0.8), "q2": (1, 0.7), "q3": (9, 0.6), "q5": (5, 0.05)}


@pytest.fixture(scope="module")
def cast() -> Cast:
    return default_cast()


@pytest.fixture(scope="module")
def start(cast: Cast) -> TheatreState:
    return start_of(cast, "similarity")


def example(threshold: float = 0.0, n_others: int = 3) -> tuple[TheatreState, Cast]:
    small = cast_of(ANSWERS, TRUTH)
    return start_of(small, "your system", threshold, n_others), small


def moved(state: TheatreState, query: int | str, confidence: float, cast: Cast) -> TheatreState:
    """One point, or the threshold, taken up, dragged to a confidence and dropped there."""
    held = react_swarm(state, Event("move", str(query), 1 - confidence), cast)
    return react_swarm(held, Event("release", str(query)), cast)


def strings(scene) -> list[str]:
    return [s for layer in scene.layers for s in getattr(layer, "strings", ())]


def package_gap(state: TheatreState, cast: Cast) -> float:
    """GAP of the dictionaries that a state stands for."""
    labels = cast.systems[state.preset].labels
    answers = {q: (labels[q], state.confidences[q]) for q in asked(cast, state.n_others)}
    answers = {q: answer for q, answer in answers.items() if answer[1] > state.threshold}
    return retrieval.global_average_precision(answers, {q: cast.truth[q] for q in asked(cast, state.n_others)})


# ---- numbers ----------------------------------------------------------------------------------------------------


def test_the_worked_example_has_the_value_of_the_card_and_abstaining_helps() -> None:
    state, small = example()
    assert compute_theatre(state, small).value("GAP") == pytest.approx(0.5)
    silent = moved(state, 3, 0.0, small)  # q4, the first picture without a landmark
    assert compute_theatre(silent, small).value("GAP") == pytest.approx((1 + 2 / 3) / 3)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_number_is_the_package_s_and_the_bars_add_up_to_gap(cast: Cast, data: st.DataObject) -> None:
    confidences = data.draw(st.lists(st.sampled_from(np.linspace(0, 1, 21).tolist()), min_size=40, max_size=40).map(tuple))
    system = data.draw(st.sampled_from(sorted(cast.systems)))
    state = TheatreState(confidences, data.draw(st.floats(0, 1)), data.draw(st.integers(0, 20)), preset=system)
    state = counted_from_here(state)
    result = compute_theatre(state, cast)
    assert result.value("GAP") == pytest.approx(package_gap(state, cast), abs=1e-12)
    earned = sum(p for p, right in zip(result.precision, result.correct) if right)
    assert earned / cast.n_landmarks == pytest.approx(result.value("GAP"), abs=1e-12)
    assert result.value("recall") == pytest.approx(sum(result.correct) / cast.n_landmarks)
    if result.order:
        assert result.value("precision") == pytest.approx(np.mean(result.correct))
    assert all(result.change(name) == 0 for name in MEASURES)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_cost_of_a_mistake_is_what_gap_gains_when_it_is_silenced(cast: Cast, start: TheatreState, data) -> None:
    state = with_random_maps(start, cast) if data.draw(st.booleans()) else start
    result = compute_theatre(state, cast)
    query = data.draw(st.sampled_from(result.order))
    silenced = replace(state, confidences=(*state.confidences[:query], 0.0, *state.confidences[query + 1 :]))
    gain = package_gap(silenced, cast) - package_gap(state, cast)
    assert result.gain[result.rank(query) - 1] == pytest.approx(gain, abs=1e-12)


def test_ties_are_ordered_by_the_ids_that_came_in() -> None:
    truth = {"m": {1}, "b": set(), "z": {1}}
    for ids in (("m", "b", "z"), ("z", "b", "m")):
        small = cast_of({one: (1, 0.5) for one in ids}, {one: truth[one] for one in ids})
        expected = retrieval.global_average_precision({one: (1, 0.5) for one in ids}, truth)
        state = counted_from_here(TheatreState((0.5,) * 3, 0.0, 1, preset="your system"))
        assert compute_theatre(state, small).value("GAP") == pytest.approx(expected)


# ---- what moves cost --------------------------------------------------------------------------------------------


def test_a_picture_without_a_landmark_below_everything_costs_nothing(cast: Cast, start: TheatreState) -> None:
    state = replace(start, threshold=0.0, confidences=tuple(max(one, 0.05) for one in start.confidences))
    few = with_others(state, 0, cast)
    one = with_others(few, 1, cast)
    low = moved(one, cast.n_landmarks, 0.01, cast)
    assert compute_theatre(low, cast).value("GAP") == compute_theatre(few, cast).value("GAP")
    assert compute_theatre(low, cast).gain[-1] == 0


@settings(max_examples=30, deadline=None)
@given(threshold=st.floats(0, 1), draw=st.integers(0, 5))
def test_raising_the_threshold_never_raises_gap_or_recall(cast: Cast, start: TheatreState, threshold, draw) -> None:
    state = replace(start, confidences=random_maps(start.confidences, draw), threshold=threshold / 2)
    higher = replace(state, threshold=threshold)
    low, high = compute_theatre(state, cast), compute_theatre(higher, cast)
    assert high.value("GAP") <= low.value("GAP") + 1e-12 and high.value("recall") <= low.value("recall")


def test_maps_per_query_leave_lists_and_accuracy_and_lower_gap_on_average(cast: Cast, start: TheatreState) -> None:
    gaps, state = [], start
    for _ in range(20):
        state = with_random_maps(state, cast)
        result = compute_theatre(state, cast)
        assert result.change("mAP@100") == result.change("top-1 accuracy") == 0
        gaps.append(result.value("GAP"))
    assert state.draws == 20
    assert np.mean(gaps) < compute_theatre(start, cast).value("GAP") - 0.05


def test_one_increasing_map_for_all_queries_changes_no_number(cast: Cast, start: TheatreState) -> None:
    state = replace(start, threshold=0.0, confidences=tuple(np.sqrt(start.confidences).tolist()))
    before = compute_theatre(replace(start, threshold=0.0), cast)
    assert np.array_equal(compute_theatre(state, cast).values[:, 0], before.values[:, 0], equal_nan=True)


def test_a_map_keeps_the_order_of_confidences_and_silence() -> None:
    for draw in range(30):
        low, high = random_maps((0.2,) * 10, draw), random_maps((0.9,) * 10, draw)
        assert all(0 < a < b <= 1 for a, b in zip(low, high))
    assert random_maps((0.0, 0.5), 3)[0] == 0.0


def test_recalibrating_brings_the_same_scores_back_whatever_was_done(cast: Cast, start: TheatreState) -> None:
    wild = moved(with_random_maps(with_random_maps(start, cast), cast), 3, 0.99, cast)
    assert recalibrated(wild, cast).confidences == recalibrated(start, cast).confidences


def test_the_three_systems_answer_alike_and_are_rewarded_differently(cast: Cast, start: TheatreState) -> None:
    rows = compute_theatre(start, cast).systems
    same = [rows[name][1:3] for name in ("similarity", "own scales", "calibrated")]
    assert same[0] == same[1] == same[2]
    assert rows["own scales"][0] < rows["similarity"][0] and rows["own scales"][0] < rows["calibrated"][0]
    gap, accuracy, mean, _ = rows["perfect lists"]
    assert accuracy == mean == 1.0 and gap < 0.75


# ---- moves ------------------------------------------------------------------------------------------------------


def test_a_drag_is_one_move_and_shows_its_query(cast: Cast, start: TheatreState) -> None:
    held = react_swarm(react_swarm(start, Event("move", "7", 0.5), cast), Event("move", "7", 0.12), cast)
    assert held.confidences[7] == 0.88 and held.before.confidences == start.confidences
    assert (held.moving, held.chosen) == ("7", 7)
    assert moved(start, 7, 2.0, cast).confidences[7] == 1.0


def test_the_threshold_is_dragged_and_is_no_query(cast: Cast, start: TheatreState) -> None:
    state = moved(start, THRESHOLD, 0.4, cast)
    assert state.threshold == 0.4 and state.chosen == start.chosen
    assert react_swarm(start, Event("press", THRESHOLD), cast) == start


def test_a_press_shows_a_query_and_changes_no_number(cast: Cast, start: TheatreState) -> None:
    for react in (react_swarm, react_strip):
        assert react(start, Event("press", "5"), cast) == replace(start, chosen=5)
    for event in (Event("press", "99"), Event("move", "x"), Event("release", "5"), Event("hover", "5"), Event("press")):
        assert react_swarm(start, event, cast) == start and react_strip(start, event, cast) == start


def test_a_pinned_state_stays_the_one_that_changes_are_counted_from(cast: Cast, start: TheatreState) -> None:
    state = moved(moved(with_pin(start, True, cast), 1, 0.9, cast), 2, 0.9, cast)
    assert state.before.confidences == start.confidences
    assert with_pin(state, False, cast).before.confidences == state.confidences


def test_another_system_is_compared_with_the_one_before(cast: Cast, start: TheatreState) -> None:
    state = on_stage(start, "own scales", cast)
    result = compute_theatre(state, cast)
    assert result.change("GAP") < 0 and result.change("top-1 accuracy") == 0 and state.before.preset == "similarity"


def test_the_first_pictures_without_a_landmark_are_taken(cast: Cast, start: TheatreState) -> None:
    result = compute_theatre(with_others(start, 3, cast), cast)
    others = {query for query in (*result.order, *result.abstaining) if result.kinds[query] == DISTRACTOR}
    assert others == {20, 21, 22} and [cast.name(query) for query in sorted(others)] == ["A", "B", "C"]


# ---- tasks ------------------------------------------------------------------------------------------------------


def _demoted(state: TheatreState, cast: Cast) -> TheatreState:
    result = compute_theatre(state, cast)
    lowest = min(state.confidences[query] for query, right in zip(result.order, result.correct) if right)
    return moved(state, result.order[int(np.argmax(result.gain))], max(lowest - 0.02, 0.0), cast)


def _cut(state: TheatreState, cast: Cast) -> TheatreState:
    """Raise the threshold step by step, in one move."""
    held = state
    for threshold in np.arange(state.threshold, 1, 0.01):
        held = react_swarm(held, Event("move", THRESHOLD, 1 - threshold), cast)
        if compute_theatre(held, cast).change("precision") >= 0.1:
            break
    return react_swarm(held, Event("release", THRESHOLD), cast)


def _mapped(state: TheatreState, cast: Cast) -> TheatreState:
    for _ in range(20):
        state = with_random_maps(state, cast)
        if compute_theatre(state, cast).change("GAP") < 0:
            break
    return state


def _sorted(state: TheatreState, cast: Cast) -> TheatreState:
    result = compute_theatre(state, cast)
    confidences = tuple(0.9 if kind == RIGHT else 0.3 for kind in result.kinds)
    return counted_from_here(replace(state, confidences=confidences))


SOLUTIONS = (
    _demoted,
    _cut,
    _mapped,
    lambda state, cast: recalibrated(counted_from_here(state), cast),
    lambda state, cast: on_stage(state, "calibrated", cast),
    lambda state, cast: with_others(state, 20, cast),
    _sorted,
)


def test_every_task_is_open_at_the_start_and_has_a_solution(cast: Cast, start: TheatreState) -> None:
    assert len(SOLUTIONS) == len(TASKS) == len(tasks_of(cast))
    for number, solve in enumerate(SOLUTIONS):
        system = "own scales" if number == 3 else "similarity"
        state = replace(start_of(cast, system), task=number)
        assert not TASKS[number].solved(state, compute_theatre(state, cast)), number
        assert goal_of(state, compute_theatre(state, cast), cast).startswith(f"Task {number + 1} of {len(TASKS)}: ")
        after = solve(state, cast)
        assert after.task == number and TASKS[number].solved(after, compute_theatre(after, cast)), number
        assert goal_of(after, compute_theatre(after, cast), cast).startswith("Done. ")
        assert moved(after, 0, 0.5, cast).task == number + 1


def test_a_mistake_that_is_still_in_the_hand_solves_nothing(cast: Cast, start: TheatreState) -> None:
    result = compute_theatre(start, cast)
    held = react_swarm(start, Event("move", str(result.order[int(np.argmax(result.gain))]), 0.999), cast)
    assert goal_of(held, compute_theatre(held, cast), cast).startswith("Task 1")


def test_a_lone_system_gets_no_task_that_needs_another() -> None:
    _, small = example()
    assert len(tasks_of(small)) == len(TASKS) - 1
    assert not any("another system" in task.text for task in tasks_of(small))


# ---- views ------------------------------------------------------------------------------------------------------


def test_a_sentence_tells_who_pushes_whom() -> None:
    state, small = example()
    result = compute_theatre(state, small)
    assert about(0, state, result, small) == "1 is right at rank 1: precision 1/1, no mistake stands above it."
    assert about(2, state, result, small) == "3 is right at rank 4: precision 2/4, pushed down by A, 2."
    assert (
        about(3, state, result, small) == "A is no landmark at all at rank 2 and costs GAP 0.056: 1 right answer below it pays."
    )
    assert about(1, state, result, small).startswith("2 is a wrong landmark at rank 3 and costs GAP 0.056")
    assert about(5, state, result, small) == "C abstains, as it should."
    late = moved(state, 0, 0.0, small)
    assert about(0, late, compute_theatre(late, small), small) == "1 abstains: it costs nothing but recall."


def test_marks_differ_by_shape_and_withheld_ones_are_hollow() -> None:
    state, small = example(threshold=0.65)
    scene = draw_swarm(state, compute_theatre(state, small), small)
    looks = {mark.name: (mark.shape, mark.filled) for mark in scene.marks}
    assert looks == {
        THRESHOLD: ("triangle", True),
        "0": ("circle", True),
        "1": ("cross", True),
        "2": ("circle", False),
        "3": ("diamond", True),
        "4": ("diamond", False),
    }  # q6 gave no answer: nothing to drag


def test_the_strip_has_a_bar_for_every_right_answer_and_a_field_for_every_answer(cast: Cast, start: TheatreState) -> None:
    result = compute_theatre(start, cast)
    scene = draw_strip(start, result, cast)
    assert f"GAP = {result.value('GAP'):.3f}" in strings(scene)[0]
    assert [field.name for field in scene.fields] == [str(query) for query in result.order]


def test_numbers_tell_the_change_and_an_empty_stage_has_no_precision(cast: Cast, start: TheatreState) -> None:
    state = with_random_maps(start, cast)
    words = strings(draw_numbers(state, compute_theatre(state, cast), cast))
    assert any(one.startswith(("▼ −", "▲ +")) for one in words) and words.count("same") >= 2
    nobody = moved(start, THRESHOLD, 1.0, cast)
    assert "undefined" in strings(draw_numbers(nobody, compute_theatre(nobody, cast), cast))


def test_the_query_shows_picture_truth_answer_and_its_own_list(cast: Cast, start: TheatreState) -> None:
    state = replace(start, chosen=0)
    scene = draw_query(state, compute_theatre(state, cast), cast)
    assert [layer.keep for layer in scene.layers if hasattr(layer, "keep")] == ["query", "found"]
    assert f"shows: {cast.label(next(iter(cast.truth[0])))}" in strings(scene)
    moved_far = moved(state, 0, 0.01, cast)
    again = draw_query(moved_far, compute_theatre(moved_far, cast), cast)
    marks = [[layer.shape for layer in one.layers if hasattr(layer, "shape")][1:] for one in (scene, again)]
    assert marks[0] == marks[1] and len(marks[0]) == 6  # the list of the query does not follow its confidence


def test_every_system_has_a_row_and_the_one_on_the_stage_is_framed(cast: Cast, start: TheatreState) -> None:
    scene = draw_systems(start, compute_theatre(start, cast), cast)
    assert [field.name for field in scene.fields] == list(cast.systems)


# ---- the reader's own predictions -------------------------------------------------------------------------------


def test_scores_of_any_range_keep_their_gap() -> None:
    scores = {one: (label, 40 * score - 7) for one, (label, score) in ANSWERS.items()}
    theatre = ThresholdTheatre(predictions=scores, truth=TRUTH)
    theatre.state = replace(theatre.state, threshold=0.0, n_others=3)
    assert theatre.result.value("GAP") == pytest.approx(0.5)
    assert "system" not in [control.field for control in theatre._controls]
    assert "mAP" not in repr(theatre)


def test_two_systems_with_lists_pictures_and_names_come_on_the_stage() -> None:
    generator = np.random.default_rng(0)
    images = {one: generator.integers(0, 255, (3, 32, 32), dtype=np.uint8) for one in TRUTH}
    lists = {"q1": ["a", "b"], "q2": ["b"], "q3": ["c", "a"]}
    theatre = ThresholdTheatre(
        "second",
        predictions={"first": ANSWERS, "second": {one: ANSWERS[one] for one in ("q1", "q3")}},
        truth=TRUTH,
        images=images,
        lists={"first": lists, "second": {"q1": ["b", "a"]}},
        relevant={"q1": {"a"}, "q2": {"b"}, "q3": {"c"}},
        index_images={"a": images["q1"]},
        label_names={5: "tower"},
    )
    assert theatre.state.preset == "second" and theatre.result.value("mAP@100") == pytest.approx(0.5 / 3)
    assert "shows: tower" in strings(theatre.scenes()["query"]) or theatre.state.chosen != 0
    theatre.state = theatre.presets["first"]
    assert theatre.result.value("mAP@100") == 1.0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"predictions": ANSWERS}, ValueError, "`predictions and truth` must be given together"),
        ({"truth": TRUTH}, ValueError, "`predictions and truth` must be given together"),
        ({"predictions": {"q9": (1, 0.5)}, "truth": TRUTH}, ValueError, "about images of `truth`"),
        ({"predictions": ANSWERS, "truth": TRUTH, "lists": {"q1": ["a"]}}, ValueError, "together with `relevant`"),
        ({"predictions": ANSWERS, "truth": TRUTH, "images": {}}, ValueError, "given for every query"),
        ({"predictions": {}, "truth": {"q1": set()}}, ValueError, "shows a landmark"),
        (
            {"predictions": {}, "truth": {i: {1} for i in range(MOST + 1)}},
            ValueError,
            f"at most {MOST} queries with a landmark",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused(arguments, error, words) -> None:
    with pytest.raises(error, match=words):
        ThresholdTheatre(**arguments)


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(ValueError, match="`preset` must be one of 'your system', but got 'mine'"):
        ThresholdTheatre("mine", predictions=ANSWERS, truth=TRUTH)
