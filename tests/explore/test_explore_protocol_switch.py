"""The protocol switch: its numbers are the package's, ignored chips mean nothing, and every task can be solved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import retrieval
from course_utils.explore.canvas import Event
from course_utils.explore.protocol import (
    CUTS,
    EASY,
    HARD,
    JUNK,
    KINDS,
    MEASURES,
    NAMES,
    NEGATIVE,
    PRESETS,
    TASKS,
    ProtocolState,
    compute_protocol,
    goal_of,
    moved_chip,
    react_list,
    react_table,
    trapezoids,
    with_pin,
    with_protocol,
)
from course_utils.explore.protocol_switch import ProtocolSwitch
from course_utils.explore.protocol_views import draw_curve, draw_list, draw_table
from course_utils.retrieval.revisited import PROTOCOLS

START = PRESETS["ignored"]

lists = st.integers(1, 10).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from(KINDS), min_size=n, max_size=n).map(tuple),
        st.permutations(range(n)).map(tuple),
        st.sampled_from(sorted(PROTOCOLS)),
    )
)


def moved(state: ProtocolState, name: str, rank: float) -> ProtocolState:
    """One chip taken up, dragged to a rank and dropped there."""
    return react_list(react_list(state, Event("move", name, rank)), Event("release", name))


def pressed(state: ProtocolState, name: str) -> ProtocolState:
    return react_list(state, Event("press", name))


def strings(scene) -> list[str]:
    return [s for layer in scene.layers for s in getattr(layer, "strings", ())]


# ---- numbers ----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(drawn=lists)
def test_every_number_is_what_remains_after_the_ignored_chips_were_filtered_out_by_hand(drawn) -> None:
    labels, order, protocol = drawn
    result = compute_protocol(ProtocolState(labels, order, protocol))
    right = {"easy": {EASY}, "medium": {EASY, HARD}, "hard": {HARD}}[protocol]
    out = {"easy": {JUNK, HARD}, "medium": {JUNK}, "hard": {JUNK, EASY}}[protocol]
    left = [labels[chip] in right for chip in order if labels[chip] not in out]
    assert [labels[chip] in right for chip in result.kept] == left == list(result.positive)
    if not any(left):
        assert all(np.isnan(result.value(protocol, measure)) for measure in MEASURES)
        return
    expected = retrieval.average_precision(-np.arange(len(left)), left, "trapezoid")
    assert result.value(protocol) == pytest.approx(expected, abs=1e-12)
    last = max(place for place, hit in enumerate(left, start=1) if hit)
    for k in CUTS:
        depth = min(k, last)
        assert result.value(protocol, f"P@{k}") == pytest.approx(sum(left[:depth]) / depth, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(drawn=lists)
def test_the_area_of_the_trapezoids_is_average_precision(drawn) -> None:
    result = compute_protocol(ProtocolState(*drawn))
    if any(result.positive):
        area = sum((b - a) * (p + q) / 2 for a, b, p, q in trapezoids(result.ranks, sum(result.positive)))
        assert area == pytest.approx(result.value(drawn[2]), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(drawn=lists, place=st.integers(1, 11))
def test_a_chip_that_a_protocol_ignores_may_stand_anywhere(drawn, place) -> None:
    labels, order, protocol = drawn
    state = ProtocolState(labels, order, protocol, labels, order)
    for chip in set(range(len(labels))) - set(compute_protocol(state).kept):
        assert compute_protocol(moved(state, NAMES[chip], place)).silent(protocol)


def test_the_three_protocols_disagree_on_the_example_of_the_package() -> None:
    result = compute_protocol(ProtocolState((JUNK, HARD, NEGATIVE, EASY), (0, 1, 2, 3)))
    assert [result.value(protocol) for protocol in PROTOCOLS] == pytest.approx([0.25, 0.5 * (1 + (0.5 + 2 / 3) / 2), 1.0])


# ---- moves ------------------------------------------------------------------------------------------------------


def test_a_chip_goes_to_the_rank_where_it_is_dropped_and_the_others_close_up() -> None:
    state = moved(START, "A", 3.4)
    assert state.order[:4] == (1, 2, 0, 3) and state.moving == "" and state.before_order == START.order
    assert moved(START, "A", -5).order == START.order
    assert moved(START, "A", 99).order[-1] == 0


def test_a_drag_counts_as_one_move_however_many_ranks_it_passes() -> None:
    held = START
    for rank in (2, 3, 7, 9):
        held = react_list(held, Event("move", "B", rank))
    assert held.before_order == START.order and held.moving == "B" and moved_chip(held) == 1
    following = react_list(react_list(held, Event("release", "B")), Event("move", "A", 2))
    assert following.before_order == held.order


def test_a_press_walks_through_the_labels_and_counts_from_before_the_first_one() -> None:
    state = START
    seen = []
    for _ in KINDS:
        state = pressed(state, "A")
        seen.append(state.labels[0])
        assert state.before_labels == START.labels or state.labels == START.labels
    assert seen == [HARD, JUNK, NEGATIVE, EASY]


def test_events_that_name_no_chip_change_nothing() -> None:
    for event in (Event("press"), Event("move", "Z"), Event("move", "AB"), Event("hover", "A"), Event("release", "A")):
        assert react_list(START, event) == START
    assert react_table(START, Event("press", "impossible")) == START


def test_a_protocol_is_chosen_in_the_table_and_the_change_stays() -> None:
    state = react_table(moved(START, "B", 9), Event("press", "hard"))
    assert state.protocol == "hard" and compute_protocol(state).change("hard") < 0


def test_a_pinned_list_stays_the_one_that_changes_are_counted_from() -> None:
    state = moved(moved(with_pin(START, True), "A", 5), "B", 9)
    assert state.before_order == START.order
    assert with_pin(state, False).before_order == state.order


# ---- tasks ------------------------------------------------------------------------------------------------------


def _labelled(state: ProtocolState, names: str, kind: str) -> ProtocolState:
    for name in names:
        while state.labels[NAMES.index(name)] != kind:
            state = pressed(state, name)
    return state


def _in_front(state: ProtocolState, names: str) -> ProtocolState:
    for place, name in enumerate(names, start=1):
        state = moved(state, name, place)
    return state


SOLUTIONS = {
    "ignored": [
        lambda s: moved(with_protocol(s, "easy"), "F", 11),
        lambda s: moved(s, "E", 4),
        lambda s: moved(s, "C", 12),
        lambda s: _labelled(s, "D", JUNK),
        lambda s: moved(_in_front(moved(s, "A", 14), "BF"), "K", 3),
    ],
    "few positives": [
        lambda s: _in_front(s, "CHL"),
        lambda s: moved(s, "H", 4),
    ],
    "no easy positive": [lambda s: _labelled(with_protocol(s, "easy"), "A", EASY)],
}


@pytest.mark.parametrize("preset", sorted(TASKS))
def test_every_task_is_open_at_the_start_and_has_a_solution(preset: str) -> None:
    assert len(SOLUTIONS[preset]) == len(TASKS[preset])
    for number, solve in enumerate(SOLUTIONS[preset]):
        state = replace(PRESETS[preset], task=number)
        task = TASKS[preset][number]
        assert not task.solved(state, compute_protocol(state)), (preset, number)
        assert goal_of(state, compute_protocol(state)).startswith(f"Task {number + 1} of {len(TASKS[preset])}: ")
        after = solve(state)
        assert after.task == number and task.solved(after, compute_protocol(after)), (preset, number)
        assert goal_of(after, compute_protocol(after)).startswith("Done. ")
        assert moved(after, "N", 13).task == number + 1


def test_a_task_is_not_solved_while_the_chip_is_in_the_hand() -> None:
    held = react_list(replace(START, protocol="easy"), Event("move", "F", 11))
    assert goal_of(held, compute_protocol(held)).startswith("Task 1")


# ---- views ------------------------------------------------------------------------------------------------------


def test_ignored_chips_hang_between_the_rows_and_the_others_get_new_ranks() -> None:
    state = with_protocol(START, "easy")
    scene = draw_list(state, compute_protocol(state))
    assert scene.label == "Ranked list of 14 images; easy ignores 5 and counts 3 as positive."
    assert {"1/1", "2/3", "3/5"} <= set(strings(scene)) and "9" in strings(scene) and "10" not in strings(scene)
    label = next(mark.label for mark in scene.marks if mark.name == "B")
    assert label == "chip B, hard, rank 2, ignored under easy; Enter changes its label"


def test_the_curve_and_the_table_say_undefined_without_a_positive() -> None:
    state = with_protocol(PRESETS["no easy positive"], "easy")
    result = compute_protocol(state)
    assert "Easy: no positive, so no AP" in strings(draw_curve(state, result))
    assert strings(draw_table(state, result)).count("undefined") == len(MEASURES)
    back = _labelled(state, "A", EASY)
    assert "new" in strings(draw_table(back, compute_protocol(back)))


def test_the_explorer_answers_a_drag_with_the_change_of_every_protocol() -> None:
    explorer = ProtocolSwitch()
    events = [{"kind": "move", "name": "B", "x": 9.0}, {"kind": "release", "name": "B"}]
    explorer.canvases["list"].receive({"kind": "events", "counter": 1, "events": events})
    assert explorer.last_error is None
    assert any(s.startswith("▼ −") for s in strings(explorer.scenes()["table"]))
    assert explorer.state.order[8] == 1


def test_the_sentence_names_the_ranks_and_an_undefined_protocol() -> None:
    explorer = ProtocolSwitch()
    assert "finds its 6 positives at ranks 1, 2, 4, 5, 7, 9 of what is left" in repr(explorer)
    explorer.state = with_protocol(PRESETS["no easy positive"], "easy")
    assert "finds no positive; AP is easy undefined" in repr(explorer)


def test_names_are_enough_for_the_longest_list_and_an_order_with_gaps_is_mended() -> None:
    explorer = ProtocolSwitch()
    explorer.state = ProtocolState((EASY,) * 20, (3, 3, 1))
    assert len(explorer.state.labels) == len(NAMES) and explorer.state.order == tuple(range(len(NAMES)))
