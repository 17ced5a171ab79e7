"""The affinity map: its numbers are the package's, lenses choose the nearest point, and wrong catalogues are refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from affinity_catalogue import PILOT, catalogue, examples, three_strengths

from course_utils.explore.affinity_map import AffinityMap
from course_utils.explore.affinity_state import ALL, ANY, Catalogue, MapState, compared, react_map
from course_utils.explore.affinity_views import look_of
from course_utils.explore.canvas import Event
from course_utils.training import paired_comparison
from course_utils.training.trial import LEAST, Trial

NAMES = [one[0] for one in PILOT]


@pytest.fixture(scope="module")
def explorer():
    return AffinityMap(*catalogue(), examples())


@pytest.fixture
def small():
    return Catalogue(*catalogue())


def test_gains_are_those_of_the_paired_comparison_and_less_calibration_error_is_better(small):
    one, two = small.trials[0], small.trials[3]
    found = compared(one, two)
    assert found["accuracy"] == paired_comparison(one.accuracy, two.accuracy)
    assert found["robustness"] == paired_comparison(one.robustness, two.robustness)
    assert found["calibration"] == paired_comparison(-one.calibration, -two.calibration)
    assert small.gains[0] == paired_comparison(one.accuracy, small.none.accuracy)


@pytest.mark.parametrize("number", range(len(PILOT)))
def test_a_lens_over_a_point_chooses_it(small, number):
    state = small.admit(MapState(first=small.trials[number].place, second=small.trials[0].place))
    result = small.compute(state)
    assert result.chosen == (number, 0) and result.visible == tuple(range(len(PILOT)))
    assert result.between == compared(small.trials[number], small.trials[0])


def test_distance_is_measured_on_the_picture(small):
    """Between affinity and diversity no unit is common: a step counts as the part of the map that it crosses."""
    left, right, bottom, top = small.box
    place = small.trials[NAMES.index("noise")].place
    moved = (place[0] - 0.1 * (right - left), place[1] + 0.1 * (top - bottom))
    expected = min(
        range(len(PILOT)),
        key=lambda i: (
            ((small.places[i, 0] - moved[0]) / (right - left)) ** 2 + ((small.places[i, 1] - moved[1]) / (top - bottom)) ** 2
        ),
    )
    assert small.compute(small.admit(MapState(first=moved))).chosen[0] == expected == NAMES.index("noise")


def test_a_family_leaves_only_its_points_to_choose(small):
    result = small.compute(small.admit(MapState(family="erasing", first=small.trials[0].place)))
    assert [NAMES[i] for i in result.visible] == ["cutout"] and result.chosen == (3, 3)
    assert small.admit(MapState(family="unknown")).family == ALL


def test_a_pressed_place_gets_the_first_lens_and_a_drag_moves_one(small):
    state = small.start()
    assert NAMES[small.compute(state).chosen[1]] == "shift"
    pressed = react_map(state, Event("tap", x=0.95, y=-2.2))
    assert NAMES[small.compute(pressed).chosen[0]] == "noise" and pressed.second == state.first
    moved = react_map(state, Event("move", "second", x=0.5, y=-2.0))
    assert moved.second == (0.5, -2.0) and moved.first == state.first
    assert react_map(state, Event("release", "first")) == state
    far = small.admit(replace(state, first=(9e9, -9e9)))
    assert far.first == (small.box[1], small.box[2])


def test_no_diversity_lies_at_the_lower_end_of_the_map():
    figures = np.zeros(4)
    assert Trial("a", "f", 1.0, 0.0, figures, figures, figures).place == (1.0, np.log10(LEAST))


def test_the_look_of_a_point_tells_gain_loss_and_doubt():
    looks = [
        look_of(paired_comparison(np.array(d), np.zeros(3)))[:2] for d in ([0.1, 0.11, 0.1], [-0.1, -0.1, -0.11], [0.1, -0.1, 0])
    ]
    assert len({colour for colour, _ in looks}) == len({shape for _, shape in looks}) == 3
    assert [shape for _, shape in looks] == ["triangle", "diamond", "circle"]


def test_strengths_of_one_augmentation_lie_on_a_curve_and_the_middle_one_is_shown_first():
    several = Catalogue(*three_strengths())
    assert several.strengths == ("0.1", "0.3", "1")
    start = several.start()
    assert (
        start.strength == "0.3" and start.named and {several.trials[i].strength for i in several.compute(start).visible} == {0.3}
    )
    assert len(several.compute(replace(start, strength=ANY)).visible) == len(several.trials)
    assert several.admit(replace(start, strength="0.7")).strength == ANY
    curve = several.curve(1)
    assert curve.shape == (3, 2) and (np.diff(curve[:, 0]) < 0).all() and (np.diff(curve[:, 1]) > 0).all()
    assert several.trials[1].label == f"{NAMES[0]} 0.3"


def test_a_family_without_the_chosen_strength_stays_on_the_map():
    trials, none = three_strengths()
    some = Catalogue([trial for trial in trials if trial.family != "erasing" or trial.strength == 0.3], none)
    found = some.compute(MapState(family="erasing", strength="1"))
    assert [some.trials[i].label for i in found.visible] == ["cutout 0.3"]


def test_the_task_is_done_where_affinity_is_equal_and_gains_differ(explorer):
    explorer.reset()
    assert "A is affine, with affinity 0.68 and diversity 0.026" in explorer.status and "Task: find two" in explorer.status
    explorer.state = replace(explorer.state, second=explorer.catalogue.trials[NAMES.index("roll")].place)
    assert "Done: affine and roll" in explorer.status
    explorer.state = replace(explorer.state, second=explorer.state.first)
    assert "Both lenses are over the same point" in explorer.status


def test_examples_are_shown_only_of_trials_that_have_some(explorer):
    def pictures():
        return sum(layer["kind"] == "picture" for layer in explorer.canvases["details"].scene["layers"])

    explorer.reset()
    assert pictures() == 8
    explorer.state = replace(explorer.state, second=explorer.catalogue.trials[NAMES.index("roll")].place)
    assert pictures() == 4


def test_wrong_catalogues_are_refused():
    trials, none = catalogue()
    with pytest.raises(ValueError, match="different names"):
        AffinityMap([trials[0], trials[0]], none)
    with pytest.raises(ValueError, match="at least two"):
        AffinityMap(trials[:1], none)
    with pytest.raises(ValueError, match="the same seeds"):
        AffinityMap(trials, catalogue(9)[1])
    with pytest.raises(ValueError, match="labels of trials"):
        AffinityMap(trials, none, {"mixup": examples()["affine"]})
    with pytest.raises(ValueError, match="examples"):
        AffinityMap(trials, none, {"affine": torch.zeros(4, 1, 8, 8, dtype=torch.uint8)})
    with pytest.raises(ValueError, match="`affinity`"):
        replace(trials[0], affinity=-0.1)
    with pytest.raises(ValueError, match="`diversity`"):
        replace(trials[0], diversity=float("nan"))
