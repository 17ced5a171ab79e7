"""Push and pull: the arrows are the package's gradients, the bins are the loss's bins, and the tasks can be solved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import retrieval
from course_utils.explore.canvas import Event
from course_utils.explore.push_and_pull import PushAndPull, react_items, with_dial
from course_utils.explore.push_and_pull_views import LOOKS, _spread, arrow_lengths, draw_items, draw_race
from course_utils.explore.ranking_forces import (
    BINNED,
    CONTESTANTS,
    DIAL_TOP,
    PRESETS,
    RACE_STEPS,
    STEP,
    PushState,
    advance,
    compute_pushes,
    push_of,
    run_race,
    start_of_race,
    stepped,
    tents,
    true_average_precision,
)

LISTS = st.integers(2, 10).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(-1, 1, width=32), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).filter(any),
    )
)


def slope(loss: torch.nn.Module, state: PushState, item: int, h: float = 1e-6) -> float:
    """Central difference of the loss in one score."""
    values = []
    for sign in (1, -1):
        scores = np.array(state.scores)
        scores[item] += sign * h
        values.append(float(loss(torch.from_numpy(scores[None]), torch.tensor(state.relevant)[None])))
    return (values[0] - values[1]) / (2 * h)


@pytest.mark.parametrize("key", ["listwise", "tie-aware", "smooth", "triplet", "hard"])
def test_an_arrow_is_minus_the_slope_of_the_loss_in_that_score(key: str) -> None:
    state = replace(PRESETS["far error"], loss=key, n_bins=7, temperature=0.05)
    push = compute_pushes(state).push
    loss = CONTESTANTS[key].build(state)
    np.testing.assert_allclose(push, [-slope(loss, state, item) for item in range(len(push))], atol=1e-6)


@given(LISTS, st.integers(2, 50))
@settings(max_examples=100, deadline=None)
def test_the_bins_drawn_are_those_of_the_loss(drawn: tuple[list[float], list[bool]], n_bins: int) -> None:
    scores, relevant = drawn
    result = compute_pushes(PushState(tuple(scores), tuple(relevant), n_bins=n_bins))
    loss = retrieval.ListwiseAPLoss(n_bins)
    lists = torch.tensor([scores], dtype=torch.float64), torch.tensor([relevant])
    counts, positive = loss.histograms(*lists)
    np.testing.assert_allclose(result.counts, counts[0], atol=1e-9)
    np.testing.assert_allclose(result.relevant_counts, positive[0], atol=1e-9)
    np.testing.assert_allclose(result.quantised_ap, float(loss.average_precision(*lists)), atol=1e-9)
    assert result.true_ap == pytest.approx(retrieval.average_precision(scores, relevant), abs=1e-12)


def test_the_tents_of_a_score_sum_to_one_and_a_centre_belongs_to_one_tent() -> None:
    centres, weights = tents(np.linspace(-1.2, 1.2, 97), 9)
    np.testing.assert_allclose(weights.sum(1), 1)
    assert ((weights > 0).sum(1) <= 2).all()
    np.testing.assert_allclose(tents(centres, 9)[1], np.eye(9), atol=1e-12)


def test_a_negative_far_above_every_positive_feels_nothing_and_carries_the_sign() -> None:
    # The example of the note on the method: M = 20, so a tent reaches 2 / 19 = 0.105.
    state = PushState((0.9, 0.25, -0.2, -0.9), (False, True, False, True), n_bins=20)
    result = compute_pushes(state)
    assert result.silent[0] and result.push[0] == 0
    scene = draw_items(state, result)
    zeros = next(layer for layer in scene.layers if getattr(layer, "strings", None) and set(layer.strings) == {"0"})
    assert len(zeros.strings) == result.silent.sum()
    assert np.isclose(zeros.xy[:, 1], scene.marks[0].y).any()
    assert "no gradient" in scene.marks[0].label


def test_every_item_has_an_arrow_in_the_direction_of_its_push_or_the_sign_of_no_push() -> None:
    for preset in PRESETS.values():
        for key in CONTESTANTS:
            state = replace(preset, loss=key, n_bins=20)
            result = compute_pushes(state)
            arrows = [layer for layer in draw_items(state, result).layers if getattr(layer, "arrow", False)]
            moves = {round(float(y), 1): float(end - start) for layer in arrows
                     for (start, y), (end, _) in zip(layer.starts, layer.ends)}  # fmt: skip
            lanes = [round(mark.y, 1) for mark in draw_items(state, result).marks]
            for lane, push in zip(lanes, result.push):
                if lane in moves:
                    assert np.sign(moves[lane]) == np.sign(push)
                else:
                    assert abs(push) < 0.02 * np.abs(result.push).max()
            signs = [string for layer in draw_items(state, result).layers for string in getattr(layer, "strings", ())]
            assert signs.count("0") - 1 == result.silent.sum()  # one stands on the axis
            assert len(moves) + signs.count("0") - 1 + signs.count("\u2248 0") == len(lanes)


def test_a_push_too_small_to_be_drawn_is_not_called_zero() -> None:
    state = replace(PRESETS["tie"], loss="smooth")
    result = compute_pushes(state)
    signs = [string for layer in draw_items(state, result).layers for string in getattr(layer, "strings", ())]
    assert signs.count("\u2248 0") > 0 and 0 < np.abs(result.push[~result.silent]).min() < 1e-6


def test_items_pushed_the_wrong_way_are_drawn_dashed_with_an_exclamation_mark() -> None:
    state = replace(PRESETS["crowd"], n_bins=20)
    result = compute_pushes(state)
    assert result.against.tolist() == [i == 2 for i in range(10)]
    layers = draw_items(state, result).layers
    dashed = [layer for layer in layers if getattr(layer, "arrow", False) and layer.dashed]
    assert [len(layer.starts) for layer in dashed] == [1]
    assert any(getattr(layer, "strings", None) == ("!",) for layer in layers)


def test_arrow_lengths_keep_the_proportions_and_the_common_scale_is_the_same_for_all_lists() -> None:
    push = np.array([0.5, -1.0, 0.0])
    np.testing.assert_allclose(arrow_lengths(push, True), arrow_lengths(10 * push, True))
    np.testing.assert_allclose(arrow_lengths(2 * push, False), 2 * arrow_lengths(push, False))
    assert arrow_lengths(np.zeros(3), True).tolist() == [0, 0, 0]


def test_a_step_moves_the_strongest_push_by_a_fixed_length_and_a_vanishing_push_hardly() -> None:
    scores = np.array([0.2, 0.0, 1.0])
    np.testing.assert_allclose(stepped(scores, np.array([0.5, -1.0, 4.0])) - scores, [0.5 * STEP / 4, -STEP / 4, 0])
    assert np.abs(stepped(scores, np.array([1e-6, 0, 0])) - scores).max() < 1e-6


def test_steps_go_down_the_loss_and_are_remembered() -> None:
    start = replace(PRESETS["crowd"], n_bins=5)
    after = advance(start, 10)
    assert len(after.path) == 10 and after.path[0] == compute_pushes(start).true_ap
    assert compute_pushes(after).loss < compute_pushes(start).loss
    one_by_one = start
    for _ in range(10):
        one_by_one = advance(one_by_one)
    assert one_by_one == after


def test_in_the_race_few_bins_repair_a_far_error_that_many_bins_never_see() -> None:
    few, many = (run_race(start_of_race(replace(PRESETS["far error"], n_bins=m))) for m in (4, 20))
    assert set(few) == set(CONTESTANTS) == set(LOOKS)
    assert all(curve.shape == (RACE_STEPS + 1,) for curve in few.values())
    assert few["listwise"][-1] == 1.0 and many["listwise"][-1] < 0.6
    assert few["triplet"][-1] == many["triplet"][-1] == 1.0


def test_the_race_of_a_loss_is_what_its_steps_give() -> None:
    state = replace(PRESETS["far error"], loss="smooth")
    path = advance(state, 12).path
    np.testing.assert_array_equal(run_race(start_of_race(state))["smooth"][:12], path)


def test_the_race_shown_does_not_change_while_items_are_dragged() -> None:
    explorer = PushAndPull("crowd")
    explorer.buttons["Race"].click()
    before = explorer.result.race
    explorer.state = react_items(explorer.state, Event("move", "item3", 0.9, 0.0))
    assert explorer.result.race is before and explorer.result.push[3] != compute_pushes(PRESETS["crowd"]).push[3]
    assert explorer.last_error is None


def test_labels_of_the_race_do_not_overlap_and_stay_inside() -> None:
    for places in ([60.0] * 6, [290.0] * 6, [60, 61, 150, 280, 290, 300]):
        rows = _spread(np.array(places, float), gap=34.0, low=52.0, high=288.0)
        assert np.diff(np.sort(rows)).min() >= 34 - 1e-9 and rows.min() >= 52 and rows.max() <= 288
    state = replace(PRESETS["tie"], race=start_of_race(PRESETS["tie"]))
    scene = draw_race(state, compute_pushes(state))
    assert all(contestant.name in scene.label for contestant in CONTESTANTS.values())


def test_relevance_flips_by_click_or_enter_but_the_last_relevant_item_stays() -> None:
    state = PRESETS["tie"]
    flipped = react_items(state, Event("press", "item0"))
    assert flipped.relevant[0] and not state.relevant[0]
    lonely = replace(state, relevant=(True,) + (False,) * 9)
    assert react_items(lonely, Event("press", "item0")) == lonely
    assert react_items(state, Event("release", "item0")) == state
    assert react_items(state, Event("tap", "", 0.3, 1.0)) == state


def test_a_list_of_relevant_items_only_has_nothing_to_push() -> None:
    for key in CONTESTANTS:
        result = compute_pushes(replace(PRESETS["tie"], relevant=(True,) * 10, loss=key))
        assert result.silent.all() and result.true_ap == 1.0


def test_the_slider_turns_the_number_of_the_chosen_loss_and_no_other() -> None:
    for key, contestant in CONTESTANTS.items():
        state = replace(PRESETS["crowd"], loss=key)
        turned = with_dial(state, DIAL_TOP)
        name = contestant.dial.field
        assert getattr(turned, name) == contestant.dial.value(DIAL_TOP) != getattr(state, name)
        assert replace(turned, **{name: getattr(state, name)}) == state
        assert turned.dial == DIAL_TOP
        assert PushAndPull().admit(turned) == turned and PushAndPull().admit(with_dial(state, 0)) == with_dial(state, 0)
        assert [with_dial(state, i).dial for i in range(DIAL_TOP + 1)] == list(range(DIAL_TOP + 1))


def test_the_slider_says_what_it_turns() -> None:
    explorer = PushAndPull()
    assert explorer._dial.description == "bins M = 5"
    explorer.state = replace(explorer.state, loss="smooth")
    assert explorer._dial.description == "temperature = 0.01"
    explorer._dial.value = 20
    assert explorer.state.temperature == 0.032 and explorer.state.n_bins == 5


def test_every_start_is_the_interesting_case() -> None:
    felt, crowd, tie = (compute_pushes(PRESETS[name]) for name in ("far error", "crowd", "tie"))
    assert not felt.silent[0] and not PRESETS["far error"].relevant[0]
    assert not (crowd.against & np.array(PRESETS["crowd"].relevant)).any()
    assert len(set(PRESETS["tie"].scores)) == 7 and tie.true_ap < 1


def test_the_far_error_task_is_solved_by_more_bins() -> None:
    explorer = PushAndPull("far error")
    assert explorer.goal(explorer.state, explorer.result).startswith("Task: make the top negative A feel nothing")
    explorer._dial.value = 10
    assert explorer.state.n_bins == 12
    assert explorer.goal(explorer.state, explorer.result).startswith("Done: with M = 12")
    explorer.state = replace(explorer.state, loss="triplet")
    assert "is pushed by triplet, all" in explorer.status


def test_the_crowd_task_is_solved_by_another_number_of_bins() -> None:
    explorer = PushAndPull("crowd")
    assert explorer.goal(explorer.state, explorer.result).startswith("Task: find a relevant item that is pushed down")
    explorer._dial.value = 18
    assert explorer.goal(explorer.state, explorer.result).startswith("Done: C is relevant and pushed down")


def test_the_reason_given_for_a_relevant_item_that_is_pushed_down_is_true() -> None:
    """Its upper bin has a lower precision than its lower bin."""
    for n_bins in range(6, 51):
        state = replace(PRESETS["crowd"], n_bins=n_bins)
        result = compute_pushes(state)
        for item in np.flatnonzero(result.against & np.array(state.relevant)):
            lower = int(np.argmax(result.centres < state.scores[item]))
            assert result.precision[lower - 1] < result.precision[lower]


def test_the_tie_task_is_solved_by_stepping() -> None:
    explorer = PushAndPull("tie")
    assert "Task: B, C, D, E have the same score" in explorer.status
    explorer.buttons["Step"].click()
    assert "Done: after 1 step no relevant item shares its score" in explorer.status
    explorer.reset()
    explorer.state = replace(explorer.state, loss="hard")
    explorer.buttons["Step"].click()
    assert "Task: B, C, D, E have the same score" in explorer.status  # the hardest pair stands elsewhere
    explorer.state = replace(explorer.state, path=(0.4,) * RACE_STEPS)
    assert "B, C, D, E still have the same score" in explorer.status
    explorer.state = replace(PRESETS["tie"], relevant=(True,) + (False,) * 9)
    assert "No relevant item is tied" in explorer.status


def test_choosing_a_list_leads_there_and_reset_returns_to_it() -> None:
    explorer = PushAndPull()
    chooser = next(control.widget for control in explorer._controls if control.field == "preset")
    chooser.value = "tie"
    assert explorer.state == PRESETS["tie"]
    explorer.buttons["10 steps"].click()
    assert explorer.state != PRESETS["tie"]
    explorer.buttons["Reset"].click()
    assert explorer.state == PRESETS["tie"]


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="`preset` must be one of 'far error', 'crowd', 'tie', but got 'crow'"):
        PushAndPull("crow")


def test_a_push_of_rounding_errors_counts_as_none() -> None:
    class Whisper(torch.nn.Module):
        def forward(self, scores: torch.Tensor, relevant: torch.Tensor) -> torch.Tensor:
            return 1e-15 * scores[0, 0] + scores[0, 1]

    assert push_of(Whisper(), np.zeros(3), np.array([True, False, False]))[1].tolist() == [0, -1, 0]


def test_true_ap_of_many_lists_is_that_of_each() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 8)).round(1)
    relevant = np.arange(8) % 3 == 0
    each = [retrieval.average_precision(row, relevant) for row in scores]
    np.testing.assert_allclose(true_average_precision(scores, relevant), each)


def test_only_binned_losses_draw_tents() -> None:
    for key in CONTESTANTS:
        state = replace(PRESETS["crowd"], loss=key)
        scene = draw_items(state, compute_pushes(state))
        triangles = [ring for layer in scene.layers for ring in getattr(layer, "rings", ()) if len(ring) == 3]
        assert len(triangles) == (state.n_bins if key in BINNED else 0)
