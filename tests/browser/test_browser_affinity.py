"""The affinity map, driven with mouse and keyboard in a real JupyterLab; what all explorers share is tested elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from browser_desk import Desk, choose, fresh, press, state_of, words_of

pytestmark = pytest.mark.browser

MAP, DETAILS = 0, 1
CUTOUT, ROLL = (0.73, -1.319), (0.70, -2.699)


@pytest.fixture
def desk(affinity: Desk) -> Iterator[Desk]:
    fresh(affinity)
    yield affinity
    fresh(affinity)


def test_a_lens_is_dragged_over_a_point_and_its_numbers_follow(desk: Desk) -> None:
    before = [desk.look(view)["hash"] for view in (MAP, DETAILS)]
    desk.drag(tuple(state_of(desk)["second"]), ROLL)
    assert "Done: affine 0.3 and roll 0.3" in words_of(desk)
    assert all(desk.look(view)["hash"] != one for view, one in zip((MAP, DETAILS), before))
    assert desk.errors() == []


def test_a_pressed_point_gets_the_first_lens(desk: Desk) -> None:
    old = state_of(desk)["first"]
    desk.page.mouse.click(*desk.at(*CUTOUT))
    desk.settled()
    assert words_of(desk).startswith("A is cutout") and state_of(desk)["second"] == pytest.approx(old)


def test_a_lens_is_moved_by_keyboard_and_a_family_leaves_its_points(desk: Desk) -> None:
    x, y = state_of(desk)["first"]
    press(desk, "Tab", "ArrowRight", "Shift+ArrowUp")
    moved = state_of(desk)["first"]
    assert moved[0] > x and moved[1] > y
    names = desk.look(MAP)["hash"]
    choose(desk, "show", "noise")
    assert words_of(desk).startswith("A is noise") and desk.look(MAP)["hash"] != names and desk.errors() == []


def test_a_lens_runs_along_the_curve_of_its_augmentation(desk: Desk) -> None:
    choose(desk, "show", "erasing")
    choose(desk, "strength", "all strengths")
    weak = (0.73 * 1.06, -1.319 + math.log10(0.8))
    desk.drag(tuple(state_of(desk)["first"]), weak)
    assert words_of(desk).startswith("A is cutout 0.1")
    before = desk.look(MAP)["hash"]
    choose(desk, "strength", "1")
    assert words_of(desk).startswith("A is cutout 1,") and desk.look(MAP)["hash"] != before and desk.errors() == []
