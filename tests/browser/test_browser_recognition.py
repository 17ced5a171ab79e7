"""The two explorers of chapter 04, driven with mouse and keyboard: what only they can do."""

from __future__ import annotations

import json
import re

import pytest
from browser_desk import Desk, choose, fresh, initial_of, marks_of, press, state_of, words_of

pytestmark = pytest.mark.browser

GAP = re.compile(r"GAP (\d\.\d+)")


def gap(desk: Desk) -> float:
    return float(GAP.search(words_of(desk)).group(1))


def test_a_mistake_dragged_to_the_bottom_by_mouse_raises_gap_and_nothing_else(theatre: Desk) -> None:
    fresh(theatre)
    before, words = gap(theatre), words_of(theatre)
    chosen = state_of(theatre)["chosen"]  # the costliest mistake
    mark = next(one for one in marks_of(theatre) if one["name"] == str(chosen))
    theatre.drag((mark["x"], mark["y"]), (0.99, mark["y"]))
    assert state_of(theatre)["confidences"][chosen] == pytest.approx(0.01, abs=0.005)
    assert gap(theatre) > before and "Done." in words_of(theatre)
    for name in ("top-1 accuracy", "mAP@100"):
        assert re.search(rf"{name} [\d.]+", words).group() in words_of(theatre)


def test_a_mistake_moved_by_keys_does_the_same(theatre: Desk) -> None:
    fresh(theatre)
    before, chosen = gap(theatre), str(state_of(theatre)["chosen"])
    press(theatre, "Tab")
    while theatre.canvas().get_attribute("data-chosen") != chosen:
        theatre.page.keyboard.press("Tab")
    press(theatre, *["Shift+ArrowRight"] * 10)
    assert state_of(theatre)["confidences"][int(chosen)] == 0.0
    assert gap(theatre) > before
    theatre.page.locator(".explorer-theatre p[role=status]", has_text="Done.").wait_for()  # the keys have come to rest


def test_the_threshold_is_dragged_and_answers_are_withheld(theatre: Desk) -> None:
    fresh(theatre)
    before = gap(theatre)
    mark = marks_of(theatre)[0]
    theatre.drag((mark["x"], mark["y"]), (0.5, mark["y"]))
    assert state_of(theatre)["threshold"] == pytest.approx(0.5, abs=0.01)
    assert "withheld at threshold 0.5" in words_of(theatre) and gap(theatre) <= before


def test_maps_and_recalibration_by_their_buttons(theatre: Desk) -> None:
    fresh(theatre)
    before = theatre.look(4)
    for label in ("Map per query", "Recalibrate"):
        button = theatre.page.locator(".explorer-theatre button", has_text=label)
        button.focus()
        theatre.page.keyboard.press("Enter")
        theatre.kernel("pass")
    state = state_of(theatre)
    assert state["draws"] == 1 and state["confidences"] != initial_of(theatre)["confidences"]
    assert theatre.look(4)["hash"] == before["hash"]  # the systems as they came


def test_a_query_is_shown_by_a_press_in_the_list_and_by_keys(theatre: Desk) -> None:
    fresh(theatre)
    before = theatre.look(1)
    fields = json.loads(theatre.kernel("print(json.dumps(explorer.canvases['strip'].scene['fields']))"))
    left, right, bottom, top = fields[2]["box"]
    theatre.page.mouse.click(*theatre.at((left + right) / 2, (bottom + top) / 2, view=2))
    theatre.settled(2)
    assert state_of(theatre)["chosen"] == int(fields[2]["name"])
    assert theatre.look(1)["hash"] != before["hash"] and theatre.look(1)["colours"] > 100
    press(theatre, "Tab", "Enter", view=2)  # the next field
    assert str(state_of(theatre)["chosen"]) in {field["name"] for field in fields}


def test_a_system_comes_on_the_stage_by_table_and_by_list(theatre: Desk) -> None:
    fresh(theatre)
    press(theatre, "Tab", "Tab", "Enter", view=4)
    assert state_of(theatre)["preset"] == "own scales" and words_of(theatre).startswith("Own scales")
    choose(theatre, "system", "calibrated")
    assert state_of(theatre)["preset"] == "calibrated"
    assert theatre.errors() == []


def test_more_pictures_without_a_landmark_by_the_slider(theatre: Desk) -> None:
    fresh(theatre)
    before = gap(theatre)
    theatre.page.locator(".explorer-theatre .noUi-handle").focus()
    theatre.page.keyboard.press("End")
    theatre.page.locator(".explorer-theatre p[role=status]", has_text="20 other pictures").wait_for()
    assert gap(theatre) <= before


def test_chips_leave_the_list_when_the_protocol_is_switched(protocol: Desk) -> None:
    fresh(protocol)
    before = protocol.look()
    protocol.page.locator(".explorer-protocol button", has_text="easy").click()
    protocol.kernel("pass")
    assert words_of(protocol).startswith("The easy protocol ignores 5 of 14 images")
    assert protocol.look()["hash"] != before["hash"]
    press(protocol, "Tab", "Tab", "Tab", "Enter", view=2)
    assert state_of(protocol)["protocol"] == "hard"


def test_a_hard_chip_moves_under_easy_and_the_task_is_done(protocol: Desk) -> None:
    fresh(protocol)
    protocol.page.locator(".explorer-protocol button", has_text="easy").click()
    protocol.kernel("pass")
    mark = next(one for one in marks_of(protocol) if one["name"] == "F")
    protocol.drag((mark["x"], mark["y"]), (11.0, mark["y"]))
    assert state_of(protocol)["order"][10] == 5
    assert "Done. Under easy, hard images leave the list." in words_of(protocol)


def test_a_click_and_enter_change_the_label_of_a_chip(protocol: Desk) -> None:
    fresh(protocol)
    mark = marks_of(protocol)[0]
    protocol.page.mouse.click(*protocol.at(mark["x"], mark["y"]))
    protocol.settled()
    assert state_of(protocol)["labels"][0] == "hard"
    press(protocol, "Enter")
    assert state_of(protocol)["labels"][0] == "junk" and "ignores 3 of 14 images" in words_of(protocol)
    choose(protocol, "preset", "few positives")
    assert state_of(protocol)["preset"] == "few positives"
    choose(protocol, "preset", "ignored")
