"""Decision maps: known borders have known lengths and distances, and an intruder is found."""

from __future__ import annotations

import math

import pytest
import torch

from course_utils.augment import DecisionMap, decision_map, intrusions, participation_ratio, plane_around, relative_spread
from course_utils.augment.decision_maps import grid_of
from course_utils.data import spirals

BOX = (-2.0, 2.0, -1.0, 1.0)


def _split(direction: tuple[float, float], sharpness: float = 5.0):
    """Return logits with a straight border through the origin, at a right angle to ``direction``."""
    return lambda xy: torch.stack([torch.zeros(len(xy)), 2 * sharpness * xy @ torch.tensor(direction)], dim=1)


def test_the_grid_has_the_centres_of_the_cells_row_by_row_from_below() -> None:
    cells = grid_of((0.0, 4.0, 0.0, 2.0), 2)
    assert cells.tolist() == [[1.0, 0.5], [3.0, 0.5], [1.0, 1.5], [3.0, 1.5]]


def test_rows_run_upwards_and_columns_to_the_right() -> None:
    found = decision_map(_split((0.0, 1.0)), BOX, 20).predicted
    assert (found[:10] == 0).all() and (found[10:] == 1).all()
    found = decision_map(_split((1.0, 0.0)), BOX, 20).predicted
    assert (found[:, :10] == 0).all() and (found[:, 10:] == 1).all()


@pytest.mark.parametrize(("direction", "length"), [((1.0, 0.0), 2.0), ((0.0, 1.0), 4.0)])
def test_a_straight_border_has_its_length(direction: tuple, length: float) -> None:
    assert decision_map(_split(direction), BOX, 50).boundary_length == pytest.approx(length)


def test_a_slanted_border_counts_as_a_staircase() -> None:
    length = decision_map(_split((0.6, 0.8)), (-1.0, 1.0, -1.0, 1.0), 200).boundary_length
    assert length == pytest.approx(2 + 2 * 0.6 / 0.8, abs=0.03)  # its shadows on both axes


@pytest.mark.parametrize("above", [0.6, 0.9, 0.99])
def test_the_confident_share_is_that_of_the_logistic_function(above: float) -> None:
    sharpness = 5.0  # p = 1 / (1 + exp(-2 * 5 * |x|)) > above where |x| > log(above / (1 - above)) / 10
    half = math.log(above / (1 - above)) / (2 * sharpness)
    share = decision_map(_split((1.0, 0.0), sharpness), BOX, 400).confident_share(above)
    assert share == pytest.approx(1 - 2 * half / 4, abs=0.006)


def test_distances_are_those_to_a_straight_border() -> None:
    points = torch.rand(50, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([4.0, 2.0]) + torch.tensor([-2.0, -1.0])
    distance = decision_map(_split((1.0, 0.0)), BOX, 400).distances(points)
    torch.testing.assert_close(distance, points[:, 0].abs(), rtol=0, atol=0.01)


def test_without_a_border_the_length_is_0_and_the_distance_infinite() -> None:
    one = decision_map(lambda xy: torch.tensor([[3.0, 0.0, 1.0]]).expand(len(xy), 3), BOX, 10)
    assert one.boundary_length == 0 and one.boundary.shape == (0, 2)
    assert one.distances(torch.zeros(2, 2)).tolist() == [math.inf, math.inf]
    assert one.probabilities.shape == (10, 10, 3)


def test_probabilities_are_those_of_the_network() -> None:
    found = decision_map(_split((0.3, -0.7)), BOX, 7)
    expected = _split((0.3, -0.7))(grid_of(BOX, 7)).softmax(1)
    assert torch.equal(found.probabilities.reshape(-1, 2), expected)
    assert torch.equal(found.confidence.flatten(), expected.amax(1))


def test_a_map_needs_no_square_and_no_two_classes() -> None:
    predicted = torch.tensor([[0, 0, 1], [2, 0, 1]])
    odd = DecisionMap(torch.nn.functional.one_hot(predicted, 3).float(), (0.0, 3.0, 0.0, 2.0))
    assert odd.boundary_length == 4.0  # sides: 0|1, 2|0, 0|1, and 0 over 2
    assert sorted(odd.boundary.tolist()) == [[0.5, 1.0], [1.0, 1.5], [2.0, 0.5], [2.0, 1.5]]


def test_the_plane_around_points() -> None:
    points = torch.tensor([[0.0, 0.0], [2.0, 10.0]])
    assert plane_around(points) == pytest.approx((-0.1, 2.1, -0.5, 10.5))
    assert plane_around(points, margin=1.0) == pytest.approx((0.0, 2.0, 0.0, 10.0))
    for bad in (points[:0], points[:1], torch.tensor([[1.0, 0.0], [1.0, 2.0]])):
        with pytest.raises(ValueError, match="`points` must be points that span a rectangle"):
            plane_around(bad)
    with pytest.raises(ValueError, match=r"`points` must be a tensor of shape \(N, 2\)"):
        plane_around(torch.zeros(3, 3))


def test_examples_do_not_intrude_upon_themselves_and_swapped_labels_always_do() -> None:
    both = spirals(100, random_state=0)
    soft = torch.nn.functional.one_hot(both.labels, 2).float()
    assert not intrusions(both.points, soft, both.points, both.labels).any()
    assert intrusions(both.points, soft.flip(1), both.points, both.labels).all()
    assert intrusions(both.points[:0], soft[:0], both.points, both.labels).shape == (0,)


def test_the_middle_of_two_points_of_an_arm_intrudes_only_if_the_other_arm_lies_there() -> None:
    points = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.2], [0.0, 3.0]])
    labels = torch.tensor([0, 0, 1, 1])
    middles = torch.tensor([[0.0, 0.0], [0.0, 1.6]])  # of the zeros, of the ones
    soft = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert intrusions(middles, soft, points, labels).tolist() == [True, False]
    assert not intrusions(middles[:1], torch.tensor([[0.5, 0.5]]), points, labels).any()  # half and half is no contradiction


def test_participation_ratio_counts_directions_inside_of_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(4000) % 2
    centres = torch.tensor([[0.0] * 6, [100.0] * 6])[labels]
    for d in (1, 3, 6):
        flat = torch.zeros(4000, 6)
        flat[:, :d] = torch.randn(4000, d, generator=generator)
        assert participation_ratio(centres + flat, labels) == pytest.approx(d, rel=0.01)
    assert participation_ratio(centres, labels) == 0.0
    assert participation_ratio(torch.randn(4000, 2, 3, generator=generator), labels) == pytest.approx(6, rel=0.01)


def test_relative_spread_is_width_over_distance_and_knows_no_units() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(6000) % 3
    centres = 10 * torch.eye(3)[labels]  # 10 * sqrt(2) apart
    hidden = centres + 0.5 * torch.randn(6000, 3, generator=generator)
    expected = 0.5 * math.sqrt(3) / (10 * math.sqrt(2))
    assert relative_spread(hidden, labels) == pytest.approx(expected, rel=0.02)
    assert relative_spread(7 * hidden + 3, labels) == pytest.approx(relative_spread(hidden, labels))
    assert relative_spread(centres, labels) == 0.0
    with pytest.raises(ValueError, match="`labels` must be of at least two classes"):
        relative_spread(hidden, torch.zeros(6000, dtype=torch.long))
