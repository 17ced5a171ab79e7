"""The convention court: its numbers are the package's, its tasks can be solved, and a move is judged when it is dropped."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from course_utils import retrieval
from course_utils.explore.canvas import Event
from course_utils.explore.convention_court import ConventionCourt
from course_utils.explore.court import (
    CONVENTIONS,
    CUT_OFFS,
    JUNK,
    KINDS,
    LETTERS,
    NO_GUESS,
    OTHER,
    RELEVANT,
    ROWS,
    CourtState,
    compute_court,
    level_heights,
)
from course_utils.explore.court_play import (
    GUESSES,
    PRESETS,
    SNAP,
    TASKS,
    goal_of,
    react_axis,
    react_table,
    task_of,
    with_cut_off,
    with_guess,
    with_pin,
)
from course_utils.explore.court_views import change_text, draw_curve, draw_strip, draw_table, lanes, lines_of

START = PRESETS["top or bottom"]

lists = st.integers(1, 8).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), min_size=n, max_size=n).map(tuple),
        st.lists(st.sampled_from(KINDS), min_size=n, max_size=n).map(tuple),
    )
)


def moved(state: CourtState, letter: str, score: float) -> CourtState:
    """One item taken up, dragged to a score and dropped there."""
    held = react_axis(state, Event("move", letter, 1.0 - score))
    return react_axis(held, Event("release", letter))


def pressed(state: CourtState, letter: str) -> CourtState:
    return react_axis(state, Event("press", letter))


def value(state: CourtState, name: str, column: int = 0) -> float:
    return float(compute_court(state).values[ROWS.index(name), column])


def solved(state: CourtState) -> bool:
    return task_of(state).solved(state, compute_court(state))


# ---- numbers ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(drawn=lists, k=st.integers(1, 8), missing=st.integers(0, 3))
def test_every_row_is_the_package_s_number_for_the_list(drawn, k, missing) -> None:
    scores, kinds = drawn
    relevant, junk = [kind == RELEVANT for kind in kinds], [kind == JUNK for kind in kinds]
    state = CourtState(scores, kinds, k, missing)
    total = sum(relevant) + missing
    expected = [
        retrieval.average_precision(scores, relevant, convention, junk=junk, n_relevant=total)
        for convention in CONVENTIONS.values()
    ]
    for denominator in ("relevant", "min", "found"):
        options = {"at": k, "denominator": denominator, "ties": "expected", "n_relevant": total}
        expected.append(retrieval.average_precision(scores, relevant, junk=junk, **options))
    rows = [scores], [relevant], [junk]
    for measure in (retrieval.r_precision, retrieval.mean_average_precision_at_r):
        expected.append(measure(*rows, ties="expected", n_relevant=total).per_query[0])
    np.testing.assert_allclose(compute_court(state).values[:, 0], expected, atol=1e-12)


def test_step_is_scikit_learn_s_number_with_ties() -> None:
    state = PRESETS["ties"]
    labels = [kind == RELEVANT for kind in state.kinds]
    assert value(state, "step") == pytest.approx(average_precision_score(labels, state.scores), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(drawn=lists)
def test_worst_and_best_are_the_extremes_over_all_orders_of_the_ties(drawn) -> None:
    scores, kinds = drawn
    kept = [i for i, kind in enumerate(kinds) if kind != JUNK][:6]
    scores, kinds = tuple(scores[i] for i in kept), tuple(kinds[i] for i in kept)
    if RELEVANT not in kinds:
        return
    orders = {
        tuple(kinds[i] == RELEVANT for i in order)
        for order in permutations(range(len(kept)))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    }
    result = compute_court(CourtState(scores, kinds))
    for name, convention in CONVENTIONS.items():
        found = [retrieval.average_precision(-np.arange(len(order)), order, convention) for order in orders]
        worst, best = result.values[ROWS.index(name), 2:]
        assert (worst, best) == pytest.approx((min(found), max(found)), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(drawn=lists, missing=st.integers(0, 2))
def test_the_area_that_the_curve_fills_is_the_value(drawn, missing) -> None:
    state = CourtState(*drawn, missing=missing)
    result = compute_court(state)
    if not len(result.recall) or result.n_relevant == 0:
        return
    for name in CONVENTIONS:
        recall, start, end = lines_of(result, name)
        area = float((np.diff(recall) * (start + end) / 2).sum())
        assert area == pytest.approx(value(state, name), abs=1e-12), name


def test_levels_that_are_not_reached_have_height_zero() -> None:
    half = CourtState((0.9, 0.8), (RELEVANT, OTHER), missing=1)  # recall ends at 1/2
    assert level_heights(compute_court(half), 10).tolist() == [1.0] * 6 + [0.0] * 5
    nothing = CourtState((0.9, 0.8), (OTHER, OTHER), missing=1)
    assert level_heights(compute_court(nothing), 10).tolist() == [0.0] * 11


# ---- moves ------------------------------------------------------------------------------------------------------


def test_changes_are_counted_from_the_moment_the_item_was_taken_up() -> None:
    held = react_axis(START, Event("move", "B", 0.5))
    held = react_axis(held, Event("move", "B", 1 - 0.99))
    assert held.before_scores == START.scores and held.moving == "B"
    dropped = react_axis(held, Event("release", "B"))
    result = compute_court(dropped)
    assert dropped.moving == "" and result.delta("step") == pytest.approx(value(dropped, "step") - value(START, "step"))
    again = moved(dropped, "C", 0.8)
    assert again.before_scores == dropped.scores


def test_an_item_dropped_near_another_one_takes_its_score_and_makes_a_tie() -> None:
    near = moved(START, "B", START.scores[0] - 0.9 * SNAP)
    assert near.scores[1] == START.scores[0]
    assert moved(START, "B", START.scores[0] - 1.1 * SNAP).scores[1] != START.scores[0]
    assert compute_court(near).through[:2] == (2, 2)


def test_a_held_item_is_not_snapped_so_that_it_follows_the_pointer() -> None:
    held = react_axis(START, Event("move", "B", 1 - START.scores[0] + 0.5 * SNAP))
    assert held.scores[1] != START.scores[0]


def test_a_press_turns_relevant_into_not_relevant_into_junk_and_back() -> None:
    kinds = []
    state = START
    for _ in range(3):
        state = pressed(state, "A")
        kinds.append(state.kinds[0])
    assert kinds == [OTHER, JUNK, RELEVANT]
    assert state.before_kinds == START.kinds  # presses of one item are one change


def test_a_press_of_another_item_counts_from_here() -> None:
    state = pressed(pressed(START, "A"), "B")
    assert state.before_kinds[:2] == (OTHER, OTHER) and state.kinds[:2] == (OTHER, JUNK)


def test_events_that_name_no_item_change_nothing() -> None:
    for event in (Event("press"), Event("move", "Z"), Event("move", "AB"), Event("hover", "A"), Event("release", "A")):
        assert react_axis(START, event) == START


def test_moving_junk_changes_no_number() -> None:
    state = moved(PRESETS["junk"], "A", 0.3)
    assert GUESSES["nothing changes"](compute_court(state))


def test_a_pinned_list_stays_the_one_that_changes_are_counted_from() -> None:
    state = with_pin(START, True)
    state = moved(moved(state, "A", 0.5), "C", 0.1)
    assert state.before_scores == START.scores
    assert with_pin(state, False).before_scores == state.scores


def test_a_press_in_the_table_shows_that_convention_s_area() -> None:
    state = react_table(START, Event("press", "trapezoid"))
    assert state.shown == "trapezoid"
    assert "area of trapezoid" in draw_curve(state, compute_court(state)).layers[0].strings[0]
    assert react_table(START, Event("press", "MAP@R")) == START


# ---- predictions and tasks --------------------------------------------------------------------------------------


def test_a_prediction_is_judged_when_the_item_is_dropped_and_used_once() -> None:
    state = with_guess(START, "nothing changes")
    assert "You predict: nothing changes. Now move one item." in goal_of(state, compute_court(state))
    held = react_axis(state, Event("move", "A", 0.2))
    assert not held.judged
    dropped = react_axis(held, Event("release", "A"))
    assert dropped.judged
    assert "Not this time: you predicted 'nothing changes', but " in goal_of(dropped, compute_court(dropped))
    assert "changed: step, trapezoid" in goal_of(dropped, compute_court(dropped)) or "all ten" in goal_of(
        dropped, compute_court(dropped)
    )
    following = react_axis(dropped, Event("move", "B", 0.5))
    assert following.guess == NO_GUESS and not following.judged


def test_a_right_prediction_is_called_right() -> None:
    state = moved(with_guess(START, "nothing changes"), "J", 0.02)
    assert goal_of(state, compute_court(state)).startswith("Right: nothing changes.")


@pytest.mark.parametrize(
    ("guess", "letter", "score"),
    [
        ("nothing changes", "I", 0.3),  # below the last relevant item
        ("all five change", "A", 0.82),
        ("only step and trapezoid change", "D", 0.58),  # a relevant item below the envelope
        ("step changes, 11-point stays", "D", 0.58),
        ("step changes, AP@k stays", "G", 0.3),  # beyond rank k
    ],
)
def test_every_prediction_comes_true_for_some_move_and_false_for_another(guess: str, letter: str, score: float) -> None:
    right = moved(with_guess(START, guess), letter, score)
    assert GUESSES[guess](compute_court(right))
    wrong = moved(START, *(("A", 0.82) if guess != "all five change" else ("I", 0.3)))
    assert not GUESSES[guess](compute_court(wrong))


# One solution of every task, as a function from the state in which the task is set.
SOLUTIONS = {
    "top or bottom": [
        lambda s: moved(with_guess(s, "nothing changes"), "I", 0.3),
        lambda s: moved(s, "A", 0.82),
        lambda s: moved(s, "H", 0.48),
        lambda s: moved(s, "D", 0.58),
        lambda s: moved(moved(moved(with_pin(s, True), "A", 0.82), "C", 0.4), "E", 0.38),
    ],
    "ties": [
        lambda s: moved(s, "C", 0.8),
        lambda s: moved(s, "C", 0.8),
        lambda s: moved(moved(s, "C", 0.95), "B", 0.95),
    ],
    "junk": [
        lambda s: moved(with_guess(s, "nothing changes"), "A", 0.5),
        lambda s: pressed(pressed(s, "A"), "A"),
        lambda s: pressed(s, "J"),
    ],
    "partial list": [
        lambda s: with_cut_off(s, 7),
        lambda s: moved(s, "D", 0.3),
        lambda s: moved(s, "D", 0.3),
    ],
}


@pytest.mark.parametrize("preset", sorted(TASKS))
def test_every_task_is_open_at_the_start_and_has_a_solution(preset: str) -> None:
    assert len(SOLUTIONS[preset]) == len(TASKS[preset])
    for number, solve in enumerate(SOLUTIONS[preset]):
        state = replace(PRESETS[preset], task=number)
        assert not solved(state), (preset, number)
        assert goal_of(state, compute_court(state)).startswith(f"Task {number + 1} of {len(TASKS[preset])}: ")
        after = solve(state)
        assert after.task == number and solved(after), (preset, number)
        assert "Done." in goal_of(after, compute_court(after))
        assert moved(after, "J", 0.01).task == number + 1


def test_after_the_last_task_another_preset_is_proposed() -> None:
    done = replace(START, task=len(TASKS["top or bottom"]))
    assert goal_of(done, compute_court(done)) == "All tasks of this preset are done: choose another preset."
    assert moved(done, "A", 0.2).task == done.task


def test_the_two_winners_task_reads_two_conventions_against_each_other() -> None:
    state = SOLUTIONS["top or bottom"][4](replace(START, task=4))
    result = compute_court(state)
    assert result.delta("step") > 0 > result.delta("trapezoid")


# ---- views ------------------------------------------------------------------------------------------------------


def test_tied_items_stand_in_different_lanes() -> None:
    assert sorted(lanes((0.5,) * 4)) == [0, 1, 2, 3]
    assert lanes((0.9, 0.5, 0.1)) == [0, 0, 0]


def test_marks_are_filled_hollow_or_crossed() -> None:
    court = ConventionCourt("junk")
    looks = {mark["name"]: (mark["shape"], mark["filled"]) for mark in court.canvases["axis"].scene["marks"]}
    assert looks["A"] == ("cross", True) and looks["B"] == ("circle", True) and looks["D"] == ("circle", False)


def test_the_change_has_an_arrow_and_a_sign() -> None:
    up, down = compute_court(moved(START, "D", 0.99)), compute_court(moved(START, "A", 0.02))
    assert change_text(up, "step").startswith("▲ +") and change_text(down, "step").startswith("▼ −")
    assert change_text(compute_court(START), "step") == "same"
    nothing = replace(START, kinds=(OTHER,) * 10)
    assert change_text(compute_court(nothing), "step") == "new"


def test_the_strip_writes_the_precision_of_every_relevant_rank() -> None:
    strings = {s for layer in draw_strip(START, compute_court(START)).layers for s in getattr(layer, "strings", ())}
    assert {"1/1", "2/4", "3/6", "4/7"} <= strings
    tied = {
        s for layer in draw_strip(PRESETS["ties"], compute_court(PRESETS["ties"])).layers for s in getattr(layer, "strings", ())
    }
    assert "2/5" in tied  # a tie group is judged at its end


def test_the_table_has_ten_rows_and_names_k() -> None:
    strings = {s for layer in draw_table(START, compute_court(START)).layers for s in getattr(layer, "strings", ())}
    assert {*CONVENTIONS, "AP@5 / R", "AP@5 / min(R, 5)", "AP@5 / found", "R-precision", "MAP@R"} <= strings
    assert len(ROWS) == len(CONVENTIONS) + len(CUT_OFFS) == 10


# ---- the explorer -----------------------------------------------------------------------------------------------


def test_the_explorer_judges_a_drop_and_sets_the_next_task() -> None:
    court = ConventionCourt()
    guess = next(control.widget for control in court._controls if control.field == "guess")
    guess.value = "nothing changes"
    events = [{"kind": "move", "name": "I", "x": 0.7}, {"kind": "release", "name": "I"}]
    court.canvases["axis"].receive({"kind": "events", "counter": 1, "events": events})
    assert court.last_error is None
    assert "Right: nothing changes. Done. Your prediction came true." in court.status
    court.canvases["axis"].receive({"kind": "events", "counter": 2, "events": [{"kind": "move", "name": "A", "x": 0.1}]})
    assert "Task 2 of 5" in court.status and guess.value == NO_GUESS


def test_a_preset_is_chosen_by_the_control_and_reset_leads_back_to_it() -> None:
    court = ConventionCourt()
    chooser = next(control.widget for control in court._controls if control.field == "preset")
    chooser.value = "partial list"
    assert court.state == PRESETS["partial list"] and "3 more outside the list" in repr(court)
    court.state = moved(court.state, "A", 0.2)
    court.buttons["Reset"].click()
    assert court.state == PRESETS["partial list"]


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(
        ValueError, match="`preset` must be one of 'top or bottom', 'ties', 'junk', 'partial list', but got 'tie'"
    ):
        ConventionCourt("tie")


def test_a_list_without_relevant_items_is_called_undefined() -> None:
    court = ConventionCourt()
    court.state = replace(court.state, kinds=(OTHER,) * 10)
    assert "None of the 10 items in the list is relevant" in repr(court) and court.last_error is None


def test_letters_are_enough_for_the_longest_list() -> None:
    court = ConventionCourt()
    court.state = CourtState(tuple(np.linspace(0, 1, 20)), (RELEVANT,) * 20)
    assert len(court.state.scores) == len(LETTERS)
