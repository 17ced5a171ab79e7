"""The mixer bench, driven with mouse and keyboard in a real JupyterLab; what all explorers share is tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_desk import Desk, choose, fresh, press, state_of, words_of

pytestmark = pytest.mark.browser

MIXTURE, LABEL, SHELF = 0, 1, 2


@pytest.fixture
def desk(mixer: Desk) -> Iterator[Desk]:
    choose(mixer, "method", "CutMix")
    fresh(mixer)
    yield mixer
    choose(mixer, "method", "CutMix")  # where the tests of all explorers expect it
    fresh(mixer)


def test_a_box_is_drawn_and_its_two_labels_agree_until_it_sticks_out(desk: Desk) -> None:
    before = [desk.look(view)["hash"] for view in (MIXTURE, LABEL)]
    desk.drag((4, 4), (28, 28))
    assert state_of(desk)["box"] == pytest.approx([4, 4, 28, 28], abs=1) and state_of(desk)["draft"] is None
    assert "both bars agree" in words_of(desk)
    assert all(one != desk.look(view)["hash"] for view, one in zip((MIXTURE, LABEL), before))
    left, top, right, bottom = state_of(desk)["box"]
    desk.drag(((left + right) / 2, (top + bottom) / 2), (40, 40))
    assert "on the wrong picture" in words_of(desk) and desk.errors() == []


def test_strokes_of_the_brush_change_the_label(desk: Desk) -> None:
    choose(desk, "method", "brush")
    desk.page.locator(f"{desk.selector} button", has_text="Clear the brush").click()
    desk.kernel("pass")
    alone = desk.look(LABEL)["hash"]
    desk.drag((1, 1), (24, 47))
    assert len(state_of(desk)["strokes"]) == 1 and desk.look(LABEL)["hash"] != alone
    assert "half and half" in words_of(desk) and desk.errors() == []


def test_a_picture_is_chosen_and_a_meeting_point_moved_by_keyboard(desk: Desk) -> None:
    choose(desk, "method", "RICAP")
    press(desk, "Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "Enter", view=SHELF)
    assert 5 in state_of(desk)["pictures"]
    x, y = state_of(desk)["point"]
    press(desk, "Tab", "ArrowRight", "Shift+ArrowDown", view=MIXTURE)
    assert state_of(desk)["point"] == [x + 1, y + 4]
    before = desk.look(MIXTURE)["hash"]
    desk.page.locator(f"{desk.selector} button", has_text="Next draw").click()
    desk.kernel("pass")
    assert desk.look(MIXTURE)["hash"] != before and desk.errors() == []


def test_a_way_of_mixing_shows_its_mask_and_the_error_of_its_label(desk: Desk) -> None:
    choose(desk, "method", "way: random 2x2")
    assert state_of(desk)["preset"] == "random_2x2" and "its error is 0.00" in words_of(desk)
    before = desk.look(LABEL)["hash"]
    button = desk.page.locator(f"{desk.selector} button", has_text="Next draw")
    button.focus()
    desk.page.keyboard.press("Enter")
    desk.kernel("pass")
    assert state_of(desk)["draw"] == 1 and desk.look(LABEL)["hash"] != before
    choose(desk, "method", "SamplePairing")
    assert "its error is 0.50" in words_of(desk) and desk.errors() == []
