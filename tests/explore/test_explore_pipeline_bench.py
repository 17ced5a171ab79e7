"""The pipeline bench without a browser: its code makes its pictures, its numbers are counted again, its tasks can be solved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from course_utils import augment
from course_utils.explore.canvas import Event
from course_utils.explore.pipeline import (
    LETTERS,
    LOST,
    MAX_CHIPS,
    PipelineState,
    compute_pipeline,
    neighbours,
    times,
)
from course_utils.explore.pipeline_bench import PipelineBench
from course_utils.explore.pipeline_operations import MIN_VISIBILITY, OPERATIONS, Chip, built, code_of, stretches
from course_utils.explore.pipeline_outcomes import COPIES, order_effect, outcomes
from course_utils.explore.pipeline_pictures import NAMES, SIZE, TOYS, picture, read_frame, read_sign, read_six
from course_utils.explore.pipeline_play import (
    KNOB,
    KNOB_REACH,
    PITCH,
    PRESETS,
    ROW_Y,
    SHELF,
    TASKS,
    difference_of_exchange,
    exchanged,
    gap_at,
    goal_of,
    place_x,
    react_grid,
    react_row,
    react_start,
    shelf_rows,
    with_chance,
    with_fuse,
    with_seed,
    with_strength,
)
from course_utils.explore.pipeline_views import draw_check, draw_grid, draw_row, draw_start, outlined

START = PRESETS["boxes follow"]
MOVES = [name for name, one in OPERATIONS.items() if one.group == "space"]

shares = st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0])
rows_of_chips = st.lists(st.builds(Chip, st.sampled_from(sorted(OPERATIONS)), shares, shares), max_size=MAX_CHIPS).map(tuple)


def dragged(state: PipelineState, name: str, x: float, y: float) -> PipelineState:
    """Return the state after one mark was taken up, dragged and dropped."""
    return react_row(react_row(state, Event("move", name, x, y)), Event("release", name))


def to_place(state: PipelineState, name: str, place: int) -> PipelineState:
    return dragged(state, name, place_x(place), ROW_Y)


def taken_out(state: PipelineState, name: str) -> PipelineState:
    return dragged(state, name, 300.0, 40.0)


def put_in(state: PipelineState, operation: str, place: int) -> PipelineState:
    return dragged(state, SHELF + operation, place_x(place) - PITCH / 2, ROW_Y)


def pressed(state: PipelineState, name: str) -> PipelineState:
    return react_row(state, Event("press", name))


def operations(state: PipelineState) -> list[str]:
    return [chip.operation for chip in state.chips]


def strings(scene) -> list[str]:
    return [s for layer in scene.layers for s in getattr(layer, "strings", ())]


def run(code: str) -> dict:
    space: dict = {}
    with torch.random.fork_rng(devices=()):
        exec(code, space)
    return space


# ---- the code -------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The displacement folds")
@settings(max_examples=25, deadline=None)
@given(chips=rows_of_chips, fuse=st.booleans(), name=st.sampled_from(NAMES), seed=st.integers(0, 99))
def test_the_code_makes_the_images_and_the_truth_on_the_bench(chips, fuse, name, seed) -> None:
    now = outcomes((chips, fuse, name, seed))
    code = code_of(chips, fuse, name, seed, COPIES)
    if now.refused:
        with pytest.raises(ValueError, match="Normalise with mean and deviation after the augmentation"):
            run(code)
        return
    space = run(code)
    assert np.array_equal(space["images"].numpy(), now.images)
    for i, target in enumerate(space["targets"]):
        assert len(target["boxes"]) == len(target["masks"]) == len(target["keypoints"]) == int(now.kept[i])
        if now.kept[i]:
            np.testing.assert_allclose(target["boxes"][0].as_subclass(Tensor), now.boxes[i], atol=1e-3)
            assert np.array_equal(target["masks"][0].numpy(), now.masks[i])
            np.testing.assert_allclose(target["keypoints"][0].as_subclass(Tensor), now.keypoints[i], atol=0.05)


def test_the_bench_leaves_the_readers_own_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    compute_pipeline(replace(PRESETS["rules"], seed=123))
    assert torch.equal(torch.rand(3), expected)


def test_the_code_says_only_what_differs_from_the_defaults() -> None:
    assert Chip("flip", 0.5, 0.5).code(in_chain=True) == ["augment.Flip()"]
    assert Chip("rotate", 0.25).code() == ["augment.Rotation(degrees=45.0)"]
    assert Chip("rotate", 0.25, 0.4).code() == ["augment.Rotation(degrees=45.0, p=0.4)"]
    assert Chip("upside down", 0.5, 0.5).code() == ["augment.Flip(axis='vertical', mirror_pairs=((3, 4), (5, 6)))"]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("strength", [0.0, 0.05, 0.5, 1.0])
def test_every_operation_works_at_every_strength_and_says_how_strong_it_is(name: str, strength: float) -> None:
    chip = Chip(name, strength, 1.0)
    assert chip.kind.note(strength) and len(chip.kind.note(strength)) <= 18
    now = outcomes(((chip,), True, "cup", 1))
    assert not now.refused and now.pixels.shape == (COPIES, SIZE, SIZE, 3) and np.isfinite(now.images).all()


@pytest.mark.parametrize("name", [name for name, one in OPERATIONS.items() if one.scalable])
def test_a_stronger_chip_changes_more(name: str) -> None:
    original = picture("boat").image.permute(1, 2, 0).numpy().astype(int)
    change = [np.abs(outcomes(((Chip(name, s, 1.0),), True, "boat", 1)).pixels - original).mean() for s in (0.1, 0.9)]
    assert change[1] > change[0]


# ---- what is measured -----------------------------------------------------------------------------------------------


def test_an_empty_row_changes_nothing_and_breaks_no_rule() -> None:
    state = PipelineState((), "", "person")
    result = compute_pipeline(state)
    assert np.array_equal(result.now.pixels, np.stack([picture("person").image.permute(1, 2, 0).numpy()] * COPIES))
    assert result.now.mean_visible == 1 and result.now.mean_loose == pytest.approx(1) and result.now.n_resamplings == 0
    assert result.warnings == () and result.order is None


@settings(max_examples=25, deadline=None)
@given(kinds=st.lists(st.sampled_from([k for k in MOVES if k != "elastic"]), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_the_share_in_sight_is_that_of_the_mask_on_a_canvas_without_borders(kinds, seed) -> None:
    """Followed pixels against areas: the moved mask over the area that the map gives the whole object."""
    chips = tuple(Chip(kind, 0.4, 1.0) for kind in kinds)
    if "perspective" in kinds:
        return  # the area factor differs from place to place
    now = outcomes((chips, True, "boat", seed))
    generator = torch.Generator().manual_seed(seed)
    transform = built(chips)[0]
    shape = (3, SIZE, SIZE)
    params = transform.sample(COPIES, shape, generator)
    plan = transform.plan(params, (SIZE, SIZE))
    factor = torch.linalg.det(plan.matrix[:, :2, :2]).abs().numpy()
    whole = picture("boat").mask.sum().item()
    share = now.masks.sum((1, 2)) / (whole * factor)
    np.testing.assert_allclose(now.visible, share, atol=0.04)


def test_boxes_are_loose_against_the_mask_and_looser_if_every_move_takes_the_hull_of_the_last() -> None:
    turns = (Chip("rotate", 0.4, 1.0), Chip("rotate", 0.4, 1.0))
    fused, one_by_one = outcomes((turns, True, "car", 2)), outcomes((turns, False, "car", 2))
    assert 1 < fused.mean_loose < 2 < one_by_one.mean_loose
    assert fused.n_resamplings == 1 and one_by_one.n_resamplings == 2
    for box, mask, loose in zip(fused.boxes, fused.masks, fused.loose):
        rows, columns = np.nonzero(mask)
        tight = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert loose == pytest.approx((box[2] - box[0]) * (box[3] - box[1]) / tight)


def test_flips_and_shifts_copy_pixels_and_do_not_count_as_reading_between_pixels() -> None:
    chips = (Chip("flip", 0.5, 1.0), Chip("crop", 0.3, 1.0), Chip("upside down", 0.5, 1.0))
    for fuse in (True, False):
        assert outcomes((chips, fuse, "boat", 1)).n_resamplings == 0
    half = outcomes(((Chip("rotate", 0.3, 0.5),), True, "boat", 1))
    moved = (half.pixels != picture("boat").image.permute(1, 2, 0).numpy()).any((1, 2, 3))
    assert np.array_equal(half.resamplings == 1, moved) and 0 < moved.sum() < COPIES


def test_a_flip_exchanges_the_left_and_the_right_hand() -> None:
    now = outcomes(((Chip("flip", 0.5, 1.0),), True, "person", 1))
    before = picture("person").keypoints.numpy()
    np.testing.assert_allclose(now.keypoints[0, 3], [SIZE - before[4, 0], before[4, 1]], atol=1e-4)
    np.testing.assert_allclose(now.keypoints[0, 0], [SIZE - before[0, 0], before[0, 1]], atol=1e-4)


def test_a_dropped_box_is_the_one_that_sanitize_targets_drops() -> None:
    found = outcomes(((Chip("zoom", 1.0, 1.0),), True, "car", 2))
    assert 0 < found.n_dropped < COPIES
    assert (np.isnan(found.loose) == ~found.kept).all()
    clipped = augment.visibility(torch.from_numpy(found.boxes), (SIZE, SIZE))
    assert (clipped[found.kept] > MIN_VISIBILITY).all()


def test_what_a_picture_reads_as_follows_its_turn() -> None:
    assert [read_sign(d, False) for d in (0, 90, -90, 180, 44, 46)] == [
        "turn left",
        "turn back",
        "straight on",
        "turn right",
        "turn left",
        "turn back",
    ]
    assert [read_six(d, m) for d, m in ((0, False), (180, False), (-170, False), (90, False), (5, True))] == [
        "six",
        "nine",
        "nine",
        "no digit",
        "no digit",
    ]
    for degrees in (-150.0, -20.0, 0.0, 75.0, 179.0):
        for mirrored in (False, True):
            a = np.radians(degrees)
            up, right = np.array([-np.sin(a), -np.cos(a)]), np.array([np.cos(a), -np.sin(a)]) * (-1 if mirrored else 1)
            measured = read_frame(np.array([[3.0, 4.0], up + [3, 4], right + [3, 4]]))
            assert measured == (pytest.approx(degrees), mirrored)


def test_a_mirrored_sign_and_a_six_on_its_head_read_as_something_else_and_a_car_does_not() -> None:
    flip, turn = (Chip("flip", 0.5, 1.0),), (Chip("flip", 0.5, 1.0), Chip("upside down", 0.5, 1.0))
    assert set(outcomes((flip, True, "sign", 1)).reads) == {"turn right"}
    assert set(outcomes((turn, True, "six", 1)).reads) == {"nine"}
    assert set(outcomes((flip, True, "six", 1)).reads) == {"no digit"}
    assert set(outcomes((turn, True, "car", 1)).reads) == {"car"}


def test_every_picture_fits_its_box_and_has_its_points_on_the_object() -> None:
    for name in NAMES:
        toy = picture(name)
        x1, y1, x2, y2 = toy.box[0].tolist()
        rows, columns = toy.mask.nonzero().unbind(1)
        assert (x1, y1) == (columns.min(), rows.min()) and (x2, y2) == (columns.max() + 1, rows.max() + 1)
        assert toy.image.shape == (3, SIZE, SIZE) and toy.image.dtype == torch.uint8
        known = toy.keypoints[~toy.keypoints.isnan().any(1)]
        assert len(known) and ((known >= torch.tensor([x1, y1]) - 1) & (known <= torch.tensor([x2, y2]) + 1)).all()
    assert set(TOYS) < set(NAMES)
    with pytest.raises(ValueError, match="`name` must be one of"):
        picture("nobody")


# ---- the order ------------------------------------------------------------------------------------------------------


def test_a_flip_and_a_colour_change_commute_and_a_turn_and_a_zoom_do_not() -> None:
    same = ((Chip("flip", 0.5, 0.5), Chip("colours", 0.5, 1.0)), False, "boat", 3)
    assert order_effect(same, 0).differ == 0
    other = ((Chip("rotate", 0.3, 1.0), Chip("zoom", 0.6, 1.0)), True, "boat", 3)
    assert order_effect(other, 0).differ > 0.25


@settings(max_examples=15, deadline=None)
@given(
    chips=st.lists(st.builds(Chip, st.sampled_from(sorted(OPERATIONS)), shares, shares), min_size=2, max_size=4).map(tuple),
    seed=st.integers(0, 50),
)
def test_one_outcome_of_the_exchange_is_that_outcome_of_all(chips, seed) -> None:
    setting = (chips, bool(seed % 2), "cup", seed)
    if outcomes(setting).refused:
        return
    for place in range(len(chips) - 1):
        whole = order_effect(setting, place)
        for i in (0, 5):
            one = order_effect(setting, place, i)
            assert one.refused == whole.refused
            if not one.refused:
                gap = np.abs(one.other.pixels[0].astype(int) - whole.other.pixels[i])
                assert (gap > 2).mean() < 0.01  # a rounding to a level may fall on the other side, once a chip
                assert one.other.visible[0] == pytest.approx(whole.other.visible[i], abs=0.01)


@pytest.mark.parametrize("fuse", [True, False])
def test_the_exchange_replays_the_same_numbers_in_the_other_order(fuse: bool) -> None:
    moves = (Chip("rotate", 0.3, 1.0), Chip("zoom", 0.6, 1.0))
    there = order_effect((moves, fuse, "cup", 4), 0).other
    rotate, zoom = (built((chip,))[0] for chip in moves)
    generator = torch.Generator().manual_seed(4)
    turn, window = (transform.sample(COPIES, (3, SIZE, SIZE), generator) for transform in (rotate, zoom))
    images = picture("cup").image.repeat(COPIES, 1, 1, 1)
    if fuse:
        expected = zoom.plan(window, (SIZE, SIZE)).then(rotate.plan(turn, (SIZE, SIZE))).images(images)
    else:
        expected = rotate.apply(zoom.apply(images, window), turn)
    assert np.array_equal(there.images, expected.numpy())


def test_the_library_refuses_colour_before_the_exchange_or_after_it() -> None:
    good = (Chip("colours", 0.5, 1.0), Chip("normalise"))
    assert not outcomes((good, True, "cup", 1)).refused
    assert order_effect((good, True, "cup", 1), 0).refused and order_effect((good, True, "cup", 1), 0, 3).refused
    bad = outcomes((good[::-1], True, "cup", 1))
    assert "Normalise with mean and deviation after the augmentation." in bad.refused and bad.refused_at == 1
    assert bad.images.min() < 0 and np.abs(bad.pixels.astype(int) - picture("cup").image.permute(1, 2, 0).numpy()).max() <= 1


def test_neighbours_of_the_last_chip_are_the_last_two() -> None:
    assert [neighbours(replace(START, chosen=letter)) for letter in "ABCD"] == [0, 1, 2, 2]
    assert neighbours(PipelineState((Chip("rotate"),), "A", chosen="A")) == -1


# ---- rules ----------------------------------------------------------------------------------------------------------


def warned(chips: tuple[Chip, ...], name: str = "car", fuse: bool = True, seed: int = 3) -> str:
    return " ".join(compute_pipeline(PipelineState(chips, LETTERS[: len(chips)], name, seed, fuse)).warnings)


def test_every_rule_is_named_when_it_is_broken_and_only_then() -> None:
    turn, colours, zoom = Chip("rotate", 0.3, 1.0), Chip("colours", 0.5, 1.0), Chip("zoom", 0.3, 1.0)
    assert warned((turn, zoom, colours, Chip("normalise"))) == ""
    assert "the library refuses 'colours'" in warned((Chip("normalise"), colours))
    assert "The label lies: 8 of 8 outcomes read as 'turn right', not as 'turn left'." in warned(
        (Chip("flip", 0.5, 1.0),), "sign"
    )
    assert "Tick 'fuse moves'" in warned((turn, zoom), fuse=False)
    assert "Put the moves side by side" in warned((turn, colours, zoom))
    assert "less than 30 % of the object is in sight" in warned((Chip("zoom", 1.0, 1.0),), seed=2)
    assert "The elastic map folds" in warned((Chip("elastic", 1.0, 1.0), Chip("elastic", 1.0, 1.0)))
    assert LOST == 0.3 and times(2) == "2 times"


# ---- moves ----------------------------------------------------------------------------------------------------------


def test_a_chip_from_the_shelf_lands_where_it_is_dropped_and_nowhere_else() -> None:
    assert operations(put_in(START, "JPEG", 0)) == ["JPEG", *operations(START)]
    assert operations(put_in(START, "JPEG", 2)) == ["rotate", "zoom", "JPEG", "flip", "colours"]
    assert operations(put_in(START, "JPEG", 9)) == [*operations(START), "JPEG"]
    missed = dragged(START, SHELF + "JPEG", 500.0, 60.0)
    assert missed.chips == START.chips and missed.held == ""
    assert operations(pressed(START, SHELF + "grey")) == [*operations(START), "grey"]


def test_a_new_chip_gets_a_letter_of_its_own_and_is_chosen() -> None:
    state = put_in(taken_out(START, "B"), "JPEG", 0)
    assert state.names == "BACD" and state.chosen == "B" and state.chips[0] == Chip("JPEG", 0.5, 1.0)
    assert put_in(START, "upside down", 0).chips[0].chance == 0.5


def test_a_full_row_takes_no_chip() -> None:
    state = START
    for _ in range(5):
        state = put_in(state, "blur", 1)
    assert len(state.chips) == MAX_CHIPS and len(set(state.names)) == MAX_CHIPS
    assert any("the row is full" in s for s in strings(draw_row(state, compute_pipeline(state))))


def test_a_chip_goes_to_the_place_where_it_is_dropped_and_the_others_close_up() -> None:
    state = to_place(START, "A", 2)
    assert state.names == "BCAD" and operations(state) == ["zoom", "flip", "rotate", "colours"]
    assert to_place(START, "A", 99).names == "BCDA" and to_place(START, "D", -5).names == "DABC"


def test_a_chip_leaves_only_when_it_is_let_go_outside_of_the_row() -> None:
    held = react_row(START, Event("move", "B", 300.0, 30.0))
    assert held.chips == START.chips and held.held == "B"
    assert "let go to take the chip out" in strings(draw_row(held, compute_pipeline(held)))
    back = react_row(react_row(held, Event("move", "B", place_x(1), ROW_Y)), Event("release", "B"))
    assert back.chips == START.chips and back.held == ""
    assert operations(taken_out(START, "B")) == ["rotate", "flip", "colours"]
    empty = START
    for letter in "ABCD":
        empty = taken_out(empty, letter)
    assert empty.chips == () and empty.chosen == "" and empty.strength == 0 and with_strength(empty, 0.4) == empty


def test_a_drag_counts_as_one_move_however_many_places_it_passes() -> None:
    state = START
    for place in (1, 2, 3):
        state = react_row(state, Event("move", "A", place_x(place), ROW_Y))
    assert state.before == START.setting and state.names == "BCDA"
    dropped = react_row(state, Event("release", "A"))
    assert react_row(dropped, Event("move", "B", place_x(0), ROW_Y)).before == dropped.setting


def test_the_dot_and_the_slider_set_the_strength_of_a_chip() -> None:
    left = place_x(1) - KNOB_REACH
    state = dragged(START, "B" + KNOB, left + 0.25 * 2 * KNOB_REACH, ROW_Y)
    assert state.chips[1].strength == 0.25 and state.chosen == "B" and state.strength == 0.25
    assert dragged(START, "B" + KNOB, -100.0, ROW_Y).chips[1].strength == 0
    slid = with_chance(with_strength(state, 0.9), 0.35)
    assert slid.chips[1] == Chip("zoom", 0.9, 0.35) and slid.chance == 0.35


def test_a_slider_that_goes_on_moving_is_one_move() -> None:
    state = with_strength(with_strength(with_strength(START, 0.3), 0.4), 0.5)
    assert state.before == START.setting
    assert with_seed(state, 5).before == state.setting


def test_pictures_outcomes_seed_and_fusion_are_set_and_unknown_names_change_nothing() -> None:
    assert react_start(START, Event("press", "six")).picture == "six"
    assert react_grid(START, Event("press", "outcome 8")).outcome == 7
    assert with_seed(START, 77).seed == 77 and with_fuse(START, False).fuse is False
    for react in (react_row, react_start, react_grid):
        for event in (
            Event("press"),
            Event("move", "Z"),
            Event("press", "outcome 9"),
            Event("release", "A"),
            Event("hover", "A"),
        ):
            assert react(START, event) == START
    assert react_row(START, Event("press", SHELF + "nothing")) == START


def test_gaps_and_shelf_cover_every_place_and_every_operation() -> None:
    assert [gap_at(place_x(i) + 1, 4) for i in range(-1, 5)] == [0, 1, 2, 3, 4, 4]
    assert sorted(name for _, names in shelf_rows() for name in names) == sorted(OPERATIONS)


def test_neighbouring_moves_are_one_step_only_if_they_are_fused() -> None:
    chips = [Chip(name) for name in ("rotate", "crop", "grey", "flip", "zoom", "normalise")]
    assert stretches(chips, True) == [[0, 1], [2], [3, 4], [5]]
    assert stretches(chips, False) == [[i] for i in range(6)]


# ---- tasks ----------------------------------------------------------------------------------------------------------


def _drawn_until(state: PipelineState, solved: Callable[[PipelineState], bool]) -> PipelineState:
    for _ in range(12):
        if solved(state):
            break
        state = with_seed(state, state.seed + 1)
    return state


def _two_turns(state: PipelineState) -> PipelineState:
    state = with_strength(pressed(taken_out(taken_out(state, "C"), "B"), "A"), 0.4)
    return with_fuse(with_strength(put_in(state, "rotate", 1), 0.4), False)


def _lost(state: PipelineState) -> PipelineState:
    state = with_strength(pressed(state, "B"), 1.0)
    return _drawn_until(state, lambda one: compute_pipeline(one).now.n_dropped > 0)


SOLUTIONS = {
    "boxes follow": [lambda s: taken_out(taken_out(taken_out(s, "A"), "B"), "C"), _two_turns, _lost],
    "order": [
        lambda s: to_place(s, "C", 3),
        lambda s: to_place(s, "A", 1),
        lambda s: with_fuse(to_place(s, "C", 3), True),
    ],
    "rules": [lambda s: to_place(s, "C", 3), lambda s: taken_out(s, "B")],
}


@pytest.mark.parametrize("preset", sorted(TASKS))
def test_every_task_is_open_at_the_start_and_has_a_solution(preset: str) -> None:
    assert len(SOLUTIONS[preset]) == len(TASKS[preset])
    for number, solve in enumerate(SOLUTIONS[preset]):
        state = replace(PRESETS[preset], task=number)
        task = TASKS[preset][number]
        assert not task.solved(state, compute_pipeline(state)), (preset, number)
        assert goal_of(state, compute_pipeline(state)).startswith(f"Task {number + 1} of {len(TASKS[preset])}: ")
        after = solve(state)
        assert task.solved(after, compute_pipeline(after)), (preset, number)
        assert goal_of(after, compute_pipeline(after)).startswith("Done. ")
        assert with_seed(after, after.seed).task == number + 1


def test_a_task_is_not_solved_while_the_chip_is_in_the_hand() -> None:
    held = react_row(PRESETS["rules"], Event("move", "C", place_x(3), ROW_Y))
    assert goal_of(held, compute_pipeline(held)).startswith("Task 1")


def test_only_neighbours_that_changed_places_are_an_exchange() -> None:
    start = PRESETS["order"]
    assert exchanged(start) == -1
    assert exchanged(to_place(start, "C", 3)) == 2
    assert exchanged(to_place(start, "A", 2)) == -1 and exchanged(taken_out(start, "A")) == -1
    assert np.isnan(difference_of_exchange(to_place(PRESETS["rules"], "C", 3)))  # refused before, nothing to compare
    assert exchanged(with_seed(to_place(start, "C", 3), 8)) == -1


# ---- views ----------------------------------------------------------------------------------------------------------


def test_the_row_shows_chips_dots_and_what_is_read_once() -> None:
    scene = draw_row(START, compute_pipeline(START))
    assert "one map: resampled once" in strings(scene)
    assert "Pipeline: 4 chips; the pixels are resampled once" in strings(scene)
    marks = {mark.name: mark for mark in scene.marks}
    assert marks["A"].card.note == "up to 36°" and marks["A" + KNOB].parent == "A" and "C" + KNOB not in marks
    assert marks["A"].label.startswith("chip rotate, up to 36°, chance 0.80, place 1 of 4; arrow")
    assert [mark.name for mark in scene.marks][:2] == ["A", "A" + KNOB]  # Tab begins with the row


def test_a_chip_above_the_row_shows_where_it_would_land() -> None:
    held = react_row(START, Event("move", SHELF + "JPEG", place_x(1) - 20, ROW_Y + 3))
    scene = draw_row(held, compute_pipeline(held))
    assert next(mark for mark in scene.marks if mark.name == SHELF + "JPEG").x == place_x(1) - 20
    green = [layer for layer in scene.layers if getattr(layer, "colour", "") == "#009E73"]
    assert len(green) == 1 and green[0].starts[0, 0] == place_x(1) - PITCH / 2


def test_the_grid_marks_dropped_boxes_and_other_readings() -> None:
    lost = PipelineState((Chip("zoom", 1.0, 1.0),), "A", "car", 2, chosen="A")
    result = compute_pipeline(lost)
    assert strings(draw_grid(lost, result)).count("box dropped") == result.now.n_dropped > 0
    state = PRESETS["rules"]
    result = compute_pipeline(state)
    scene = draw_grid(state, result)
    assert strings(scene).count("✗ turn right") == sum(read == "turn right" for read in result.now.reads) > 0
    assert "the library stops here" in strings(draw_row(state, result))
    assert any("reads as turn right" in field.label for field in scene.fields)


def test_the_line_around_a_mask_leaves_the_object_and_the_rest_alone() -> None:
    pixels, masks = np.full((1, SIZE, SIZE, 3), 90, np.uint8), np.zeros((1, SIZE, SIZE), bool)
    masks[0, 10:20, 30:50] = True
    changed = (outlined(pixels, masks) != pixels).any(-1)[0]
    assert not changed[masks[0]].any() and changed.sum() == 2 * (10 + 20)
    assert (pixels == 90).all()


def test_the_order_is_compared_when_the_hand_lets_go() -> None:
    held = react_row(START, Event("move", "A" + KNOB, place_x(0), ROW_Y))
    result = compute_pipeline(held)
    assert result.order is None and "let go to compare" in strings(draw_check(held, result))
    dropped = react_row(held, Event("release", "A" + KNOB))
    result = compute_pipeline(dropped)
    assert result.order is not None and "rotate → zoom" in strings(draw_check(dropped, result))


def test_the_panel_compares_two_orders_and_says_what_changed() -> None:
    state = replace(PRESETS["order"], chosen="C")
    scene = draw_check(state, compute_pipeline(state))
    assert "colours → flip ↔" in strings(scene) and "flip ↔ → colours" in strings(scene)
    assert "same draws: the same pixels" in strings(scene)
    moved = taken_out(PRESETS["boxes follow"], "A")
    changes = strings(draw_check(moved, compute_pipeline(moved)))
    assert any(s.startswith("▼ −0.") for s in changes)  # without the turn the boxes are tighter
    whole = taken_out(PRESETS["boxes follow"], "B")
    result = compute_pipeline(whole)
    points = f"▲ +{100 * (1 - result.old.mean_visible):.0f} points"
    assert points in strings(draw_check(whole, result)) and result.now.mean_visible == 1
    deep = replace(whole, chips=(Chip("zoom", 1.0, 1.0),) * 6, names=LETTERS, picture="six")
    gone = compute_pipeline(deep)
    assert gone.now.n_dropped == COPIES and {"new", "no box"} <= set(strings(draw_check(deep, gone)))


def test_the_picture_that_goes_in_is_told() -> None:
    state = replace(START, picture="six")
    scene = draw_start(state, compute_pipeline(state))
    assert scene.label.startswith("The picture that goes in: six") and len(scene.fields) == len(NAMES)


# ---- the explorer ---------------------------------------------------------------------------------------------------


def test_the_explorer_shows_the_code_and_it_follows_every_move() -> None:
    bench = PipelineBench()
    assert bench._code.value == bench.code == bench.result.code and "Rotation" in bench.code
    events = [{"kind": "move", "name": "A", "x": 300.0, "y": 30.0}, {"kind": "release", "name": "A"}]
    bench.canvases["row"].receive({"kind": "events", "counter": 1, "events": events})
    assert bench.last_error is None and "Rotation" not in bench._code.value
    bench.buttons["New draw"].click()
    assert "torch.manual_seed(11)" in bench._code.value


def test_the_sentence_names_pipeline_picture_seed_and_numbers() -> None:
    assert repr(PipelineBench()) == (
        "rotate (up to 36°) → zoom (area 34 % to all) → flip (left, right) → colours (up to 40 %) on the picture 'car', seed 10: "
        "81 % of the object is in sight, boxes are 1.3 times the tight ones, of 8 boxes 0 are dropped, the pixels are resampled "
        "once, no rule is broken."
    )
    bench = PipelineBench("rules")
    assert "5 do not read as 'turn left' any more" in repr(bench) and "2 rules are broken." in repr(bench)
    bench.state = PipelineState((), "")
    assert repr(bench).startswith("No operation on the picture 'car'")


def test_states_with_unknown_chips_letters_and_numbers_are_mended() -> None:
    bench = PipelineBench()
    bench.state = PipelineState(
        (Chip("nothing"), *(Chip("grey", 7.0, -2.0),) * 9), "AAXY", "nobody", -4, chosen="Q", before=((), 1)
    )
    state = bench.state
    assert state.chips == (Chip("grey", 1.0, 0.0),) * MAX_CHIPS and state.names == LETTERS and state.chosen == "A"
    assert (state.picture, state.seed, state.before, state.preset) == ("car", 0, (), "boxes follow")
