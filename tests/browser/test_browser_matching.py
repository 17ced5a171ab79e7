"""The matching bench, driven with mouse and keyboard in a real JupyterLab; what all explorers share is tested elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from browser_desk import Desk, fresh, marks_of, press, state_of, words_of

pytestmark = pytest.mark.browser

PAIR, RESIDUALS, SCORES = 0, 1, 2


@pytest.fixture
def desk(matching: Desk) -> Desk:
    fresh(matching)
    _choose(matching, "preset", "crop", "Task 1 of 3: Choose a prediction, then drag the crop")
    return matching


def _choose(desk: Desk, label: str, option: str, words: str) -> None:
    """Choose an option and wait for words in the status: Lab may handle messages of widgets beside those of cells."""
    desk.page.locator(".explorer-matching .widget-dropdown", has_text=label).locator("select").select_option(option)
    _until(desk, words)


def _until(desk: Desk, words: str) -> None:
    desk.page.locator(".explorer-matching p[role=status]", has_text=words).wait_for()


def _numbers(desk: Desk) -> dict[str, Any]:
    return json.loads(desk.kernel("print(json.dumps(dataclasses.asdict(explorer.result.now)))"))


def _mark(desk: Desk, name: str, view: str = "pair") -> dict[str, Any]:
    marks = json.loads(desk.kernel(f"print(json.dumps(explorer.canvases[{view!r}].scene['marks']))"))
    return next(mark for mark in marks if mark["name"] == name)


def test_cropping_with_the_mouse_makes_the_matches_follow(desk: Desk) -> None:
    before, picture = _numbers(desk), desk.look(PAIR)
    tight = json.loads(desk.kernel("print(json.dumps(explorer.case(explorer.state).tight))"))
    scale = json.loads(
        desk.kernel(
            "from course_utils.explore.matching_pair import frames\n"
            "a = frames(explorer.case(explorer.state), explorer.state.shown)[0]; print(json.dumps([a.left, a.top, a.scale]))"
        )
    )
    corners = {"nw": tight[:2], "se": tight[2:]}
    for name, (x, y) in corners.items():
        mark = _mark(desk, name)
        desk.drag((mark["x"], mark["y"]), (scale[0] + scale[2] * x, scale[1] + scale[2] * y))
    assert state_of(desk)["crop"] == pytest.approx(tight, abs=2.0)
    now = _numbers(desk)
    assert now["n_right"] / now["n_matches"] > before["n_right"] / before["n_matches"]
    assert f"{now['n_matches']} matches, {now['n_right']} of them right" in words_of(desk)
    assert desk.look(PAIR)["hash"] != picture["hash"] and desk.errors() == []


def test_the_whole_crop_is_moved_by_keyboard(desk: Desk) -> None:
    before = state_of(desk)["crop"]
    press(desk, "Tab", "Tab", "ArrowRight", "ArrowDown")
    assert desk.canvas().get_attribute("data-chosen") == "crop"
    after = state_of(desk)["crop"]
    assert after[0] > before[0] and after[1] > before[1]
    assert after[2] - after[0] == pytest.approx(before[2] - before[0], abs=1e-6)


def test_a_click_on_a_picture_moves_the_probe(desk: Desk) -> None:
    desk.page.mouse.click(*desk.at(60.0, 200.0, PAIR))
    desk.settled(PAIR)
    mark = _mark(desk, "probe")
    assert (mark["x"], mark["y"]) == pytest.approx((60.0, 200.0), abs=1.0)
    assert "probe; Probe: key point" in mark["label"]
    other = next(one for one in marks_of(desk) if one["name"] == "nw")
    assert (mark["x"], mark["y"]) != (other["x"], other["y"])


def test_the_features_slider_follows_the_arrow_keys(desk: Desk) -> None:
    desk.page.locator(".explorer-matching .noUi-handle").focus()
    for _ in range(5):
        desk.page.keyboard.press("ArrowLeft")
    _until(desk, "80 key points")  # of 120
    assert state_of(desk)["keep"] == 80


def test_both_thresholds_are_dragged(desk: Desk) -> None:
    mark = _mark(desk, "threshold", "residuals")
    desk.drag((mark["x"], mark["y"]), (4.0, mark["y"]), RESIDUALS)
    assert state_of(desk)["threshold"] == pytest.approx(16.0, rel=0.03)
    assert "RANSAC at 16" in words_of(desk) or "RANSAC at 15" in words_of(desk)
    mark = _mark(desk, "accept", "scores")
    press(desk, "Tab", "ArrowRight", "ArrowRight", view=SCORES)
    assert state_of(desk)["accept"] == round(mark["x"] + 0.5) + 2


def test_a_dot_is_pressed_by_mouse_and_by_keyboard(desk: Desk) -> None:
    fields = json.loads(desk.kernel("print(json.dumps(explorer.canvases['scores'].scene['fields']))"))
    left, right, bottom, top = fields[4]["box"]
    before = desk.look(PAIR)
    desk.page.mouse.click(*desk.at((left + right) / 2, (bottom + top) / 2, SCORES))
    desk.settled(SCORES)
    shown = state_of(desk)["shown"]
    assert shown != 1 and desk.look(PAIR)["hash"] != before["hash"]
    press(desk, "Tab", "Enter", view=SCORES)
    assert state_of(desk)["shown"] == (shown + 1) % len(fields)


def test_samples_are_drawn_one_after_the_other(desk: Desk) -> None:
    _choose(desk, "preset", "samples", "Press Draw 3 matches")
    looks = {desk.look(RESIDUALS)["hash"]}
    for step in (2, 3):
        _push(desk, "Draw 3 matches", step)
        looks.add(desk.look(RESIDUALS)["hash"])
    assert len(looks) == 3
    _push(desk, "Draw 50 times", 53)
    _push(desk, "RANSAC result", 0)
    assert desk.errors() == []


def _push(desk: Desk, label: str, step: int) -> None:
    desk.page.locator(".explorer-matching button", has_text=label).click()
    for _ in range(100):
        if state_of(desk)["step"] == step:
            return
        desk.page.wait_for_timeout(50)
    assert state_of(desk)["step"] == step


def test_without_ransac_a_street_is_taken_for_a_landmark_and_with_it_not(desk: Desk) -> None:
    _choose(desk, "preset", "no landmark", "A street without a landmark")
    assert not state_of(desk)["verify"] and _numbers(desk)["accepted"] > 8
    desk.page.locator(".explorer-matching input[type=checkbox]").click()
    _until(desk, "RANSAC at 6.0 px")
    assert state_of(desk)["verify"] and _numbers(desk)["accepted"] < 4


def test_a_prediction_is_judged_when_the_mouse_lets_go(desk: Desk) -> None:
    _choose(desk, "I predict", "fewer inliers", "You predict: fewer inliers.")
    mark = _mark(desk, "threshold", "residuals")
    desk.drag((mark["x"], mark["y"]), (0.5, mark["y"]), RESIDUALS)
    assert "Right: inliers" in words_of(desk)


def test_two_eyes_show_the_motorcycle(desk: Desk) -> None:
    _choose(desk, "preset", "two eyes", "motorcycle")
    assert desk.look(PAIR)["colours"] > 200
    assert _numbers(desk)["n_right"] > 20


def test_the_page_asked_no_other_machine_and_did_not_complain(desk: Desk) -> None:
    assert desk.elsewhere == [] and desk.complaints == []
