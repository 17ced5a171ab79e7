"""Points in the plane: the classes lie where they should, and a seed repeats them."""

from __future__ import annotations

import pytest
import torch

from course_utils.data import PlanePoints, moons, spiral_arms, spirals


@pytest.mark.parametrize("make", [spirals, moons])
def test_shapes_classes_and_seeds(make) -> None:
    one, again, other = make(101, random_state=3), make(101, random_state=3), make(101, random_state=4)
    assert isinstance(one, PlanePoints) and len(one) == 101
    assert one.points.shape == (101, 2) and one.points.dtype == torch.float32
    assert one.labels.dtype == torch.int64 and sorted(torch.bincount(one.labels).tolist()) == [50, 51]
    assert torch.equal(one.points, again.points) and not torch.equal(one.points, other.points)
    assert len(make(0)) == 0


def test_points_of_a_spiral_lie_on_their_arm() -> None:
    both, arms = spirals(400, random_state=0, noise=0.01), spiral_arms(2000)
    gap = torch.stack([torch.cdist(both.points, arm).amin(1) for arm in arms], dim=1)  # (400, 2)
    assert torch.equal(gap.argmin(1), both.labels)
    assert gap.amin(1).max() < 0.05 and gap.amax(1).min() > 0.05
    assert spirals(50, random_state=0, noise=0.0).points.norm(dim=1).max() <= 1


def test_the_arms_are_a_half_turn_apart() -> None:
    one, two = spiral_arms(50)
    torch.testing.assert_close(one, -two)
    assert spiral_arms(50, turns=2.0).shape == (2, 50, 2)


def test_moons_are_half_circles_around_the_origin() -> None:
    both = moons(1000, random_state=0, noise=0.0)
    middles = torch.tensor([[-0.5, -0.25], [0.5, 0.25]])  # class 0 opens downwards, class 1 upwards
    torch.testing.assert_close((both.points - middles[both.labels]).norm(dim=1), torch.ones(1000))
    torch.testing.assert_close(both.points.mean(0), torch.zeros(2), rtol=0, atol=0.02)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="`n` must be an integer of at least 0"):
        spirals(-1)
    with pytest.raises(ValueError, match="`turns` must be a finite number above 0"):
        spirals(turns=0.0)
    with pytest.raises(ValueError, match="`noise` must be a finite number of at least 0"):
        moons(noise=-0.1)
    with pytest.raises(TypeError, match="`random_state`"):
        spirals(random_state="seven")
