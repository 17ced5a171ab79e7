"""The erasing bench, driven with mouse and keyboard in a real JupyterLab; what all explorers share is tested elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from browser_desk import Desk, choose, fresh, press, state_of, words_of

pytestmark = pytest.mark.browser

PICTURE, MAP, SCORES, OVERLAP = 0, 1, 2, 3


@pytest.fixture
def desk(erasing: Desk) -> Iterator[Desk]:
    fresh(erasing)
    choose(erasing, "task", "telling part")
    yield erasing
    choose(erasing, "task", "telling part")  # where the tests of all explorers expect it


def test_a_hole_is_drawn_with_the_mouse_and_every_view_follows(desk: Desk) -> None:
    before = [desk.look(view)["hash"] for view in range(4)]
    desk.drag((24, 34), (40, 46))
    assert state_of(desk)["hole"] == pytest.approx([24, 34, 40, 46], abs=1) and state_of(desk)["draft"] is None
    assert "Your hole hides 8 %" in words_of(desk) or "Your hole hides 9 %" in words_of(desk)
    after = [desk.look(view)["hash"] for view in range(4)]
    assert all(one != two for one, two in zip(before, after))
    assert desk.errors() == []


def test_a_corner_is_moved_by_keyboard(desk: Desk) -> None:
    hole = state_of(desk)["hole"]
    press(desk, "Tab")
    while desk.canvas().get_attribute("data-chosen") != "se":
        desk.page.keyboard.press("Tab")
    press(desk, "ArrowRight", "ArrowDown", "Shift+ArrowDown")
    assert state_of(desk)["hole"] == [hole[0], hole[1], hole[2] + 1, hole[3] + 5]


def test_the_methods_draw_and_no_hole_shows_the_whole_picture(desk: Desk) -> None:
    for method in ("Random Erasing", "Cutout", "Hide-and-Seek"):
        button = desk.page.locator(".explorer-erasing button", has_text=method)
        button.click()
        desk.kernel("pass")
        assert f"{method} (draw 1) hides" in words_of(desk) or f"{method} (draw" in words_of(desk)
        first = desk.look(PICTURE)["hash"]
        button.focus()
        desk.page.keyboard.press("Enter")
        desk.kernel("pass")
        assert state_of(desk)["draw"] >= 1 and desk.look(PICTURE)["hash"] != first
    desk.page.locator(".explorer-erasing button", has_text="No hole").click()
    desk.kernel("pass")
    assert words_of(desk).startswith("Nothing is hidden")


def test_a_bar_is_pressed_for_its_map_and_the_fill_changes_the_picture(desk: Desk) -> None:
    before = desk.look(MAP)["hash"]
    press(desk, "Tab", "Enter", view=SCORES)
    assert state_of(desk)["shown"] == 0 and desk.look(MAP)["hash"] != before
    picture = desk.look(PICTURE)["hash"]
    choose(desk, "filling", "white")
    assert state_of(desk)["fill"] == "white" and desk.look(PICTURE)["hash"] != picture


def test_the_threshold_task_is_solved_with_the_triangle(desk: Desk) -> None:
    choose(desk, "task", "map to box")
    assert "Task 1 of 2" in words_of(desk)
    desk.canvas(OVERLAP).scroll_into_view_if_needed()
    best = float(
        desk.kernel(
            "print(max(zip(explorer.result.curve, __import__('course_utils.explore.erasing', fromlist=['THRESHOLDS']).THRESHOLDS))[1])"
        )
    )
    desk.drag((0.6, 0.0), (best, 0.1), view=OVERLAP)
    mark = json.loads(desk.kernel("print(json.dumps(explorer.canvases['overlap'].scene['marks'][0]))"))
    steps = round((best - mark["x"]) / 0.02)
    press(desk, "Tab", *["ArrowRight" if steps > 0 else "ArrowLeft"] * abs(steps), view=OVERLAP)
    assert state_of(desk)["threshold"] == pytest.approx(best)
    assert "Done. One threshold is best for this picture." in words_of(desk)
    assert desk.errors() == []
