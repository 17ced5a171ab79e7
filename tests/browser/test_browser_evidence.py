"""The evidence desk, driven with mouse and keyboard in a real JupyterLab; what all explorers share is tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_desk import Desk, choose, fresh, press, state_of, words_of

pytestmark = pytest.mark.browser

SEEDS, INTERVAL, REPLAYS = 0, 1, 2


@pytest.fixture
def desk(evidence: Desk) -> Iterator[Desk]:
    choose(evidence, "question", "one pixel of shift")
    fresh(evidence)
    yield evidence
    choose(evidence, "question", "one pixel of shift")  # where the tests of all explorers expect it
    fresh(evidence)


def _button(desk: Desk, label: str) -> None:
    desk.page.locator(f"{desk.selector} button", has_text=label).click()
    desk.kernel("pass")


def test_seeds_appear_a_stop_opens_the_pool_and_another_order_closes_it(desk: Desk) -> None:
    before = [desk.look(view)["hash"] for view in range(3)]
    _button(desk, "Next seed")
    assert state_of(desk)["shown"] == 9 and "After 9 of 20 seeds" in words_of(desk)
    assert all(one != desk.look(view)["hash"] for view, one in enumerate(before))
    closed = desk.look(SEEDS)["hash"]
    _button(desk, "Stop now")
    assert "You stopped after 9 seeds" in words_of(desk) and desk.look(SEEDS)["hash"] != closed
    _button(desk, "Other order")
    assert state_of(desk) == state_of(desk) | {"order": 1, "shown": 3, "stopped": False}
    assert desk.errors() == []


def test_the_triangle_is_moved_by_keyboard_and_a_stricter_interval_is_fooled_less(desk: Desk) -> None:
    press(desk, "Tab", "ArrowLeft", "ArrowLeft", "Shift+ArrowRight")
    assert state_of(desk)["shown"] == 9
    usual = desk.look(REPLAYS)["hash"]
    desk.page.locator(f"{desk.selector} .widget-checkbox input").check()
    desk.kernel("pass")
    assert "99 % interval" in words_of(desk) and desk.look(REPLAYS)["hash"] != usual
    choose(desk, "question", "small affine moves")
    assert "After 8 of 20 seeds small affine moves" in words_of(desk) and desk.errors() == []
