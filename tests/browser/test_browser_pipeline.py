"""The pipeline bench, driven with mouse and keyboard in a real JupyterLab; what all explorers share is tested elsewhere."""

from __future__ import annotations

import json
import statistics
from typing import Any

import pytest
from browser_desk import Desk, fresh, press, state_of, words_of

pytestmark = pytest.mark.browser

ROW, START, GRID, CHECK = 0, 1, 2, 3


@pytest.fixture
def desk(pipeline: Desk) -> Desk:
    fresh(pipeline)
    _choose(pipeline, "boxes follow", "rotate (up to 36°) → zoom")
    return pipeline


def _choose(desk: Desk, preset: str, words: str) -> None:
    desk.page.locator(".explorer-pipeline .widget-dropdown", has_text="preset").locator("select").select_option(preset)
    _until(desk, words)


def _until(desk: Desk, words: str) -> None:
    desk.page.locator(".explorer-pipeline p[role=status]", has_text=words).wait_for()


def _mark(desk: Desk, name: str) -> dict[str, Any]:
    marks = json.loads(desk.kernel("print(json.dumps(explorer.canvases['row'].scene['marks']))"))
    return next(mark for mark in marks if mark["name"] == name)


def _operations(desk: Desk) -> list[str]:
    return [chip["operation"] for chip in state_of(desk)["chips"]]


def _drag(desk: Desk, name: str, x: float, y: float) -> None:
    mark = _mark(desk, name)
    desk.drag((mark["x"] - 20, mark["y"] - 8), (x - 20, y - 8))  # taken beside the middle: a card is held where it was taken


def _tab_to(desk: Desk, name: str) -> None:
    press(desk, "Tab")
    for _ in range(40):
        if desk.canvas(ROW).get_attribute("data-chosen") == name:
            return
        desk.page.keyboard.press("Tab")
    pytest.fail(f"Tab never came to {name}")


def test_a_chip_is_dragged_from_the_shelf_into_the_row_along_it_and_out_again(desk: Desk) -> None:
    before = desk.look(GRID)
    second = _mark(desk, "B")
    _drag(desk, "shelf JPEG", second["x"] - 61, second["y"])
    assert _operations(desk) == ["rotate", "JPEG", "zoom", "flip", "colours"]
    assert desk.look(GRID)["hash"] != before["hash"]
    new = next(name for name, chip in zip(state_of(desk)["names"], state_of(desk)["chips"]) if chip["operation"] == "JPEG")
    last = _mark(desk, "D")
    _drag(desk, new, last["x"], last["y"])
    assert _operations(desk) == ["rotate", "zoom", "flip", "colours", "JPEG"]
    _drag(desk, new, 400.0, 20.0)
    assert _operations(desk) == ["rotate", "zoom", "flip", "colours"]
    assert desk.look(GRID)["hash"] == before["hash"] and desk.errors() == []


def test_the_keyboard_puts_chips_in_moves_them_and_takes_them_out(desk: Desk) -> None:
    _tab_to(desk, "shelf blur")
    press(desk, "Enter")
    assert _operations(desk)[-1] == "blur"
    press(desk, "Escape")
    _tab_to(desk, "A")
    press(desk, "ArrowRight")
    assert _operations(desk)[:2] == ["zoom", "rotate"]
    press(desk, "ArrowUp")
    _until(desk, "zoom (area")  # when the keys rest the chip is out
    desk.page.wait_for_function("() => document.querySelector('.explorer-pipeline p[role=status]').innerText.startsWith('zoom')")
    for _ in range(100):
        if "rotate" not in _operations(desk):
            break
        desk.page.wait_for_timeout(50)
    assert _operations(desk) == ["zoom", "flip", "colours", "blur"]


def test_the_arrow_down_takes_a_chip_from_the_shelf_to_the_row(desk: Desk) -> None:
    _tab_to(desk, "shelf flip")
    press(desk, "ArrowDown")
    for _ in range(100):
        if len(_operations(desk)) == 5:
            break
        desk.page.wait_for_timeout(50)
    assert _operations(desk).count("flip") == 2


def test_the_dot_on_a_chip_and_the_slider_set_the_same_strength(desk: Desk) -> None:
    knob = _mark(desk, "A strength")
    desk.drag((knob["x"], knob["y"]), (knob["x"] + 0.3 * 94, knob["y"]))
    assert state_of(desk)["chips"][0]["strength"] == pytest.approx(0.5, abs=0.02)
    readout = desk.page.locator(".explorer-pipeline .widget-slider", has_text="strength").locator(".widget-readout")
    assert readout.inner_text() in ("49%", "50%", "51%")
    desk.page.locator(".explorer-pipeline .widget-slider", has_text="strength").locator(".noUi-handle").focus()
    desk.page.keyboard.press("Home")
    _until(desk, "rotate (up to 0°)")
    assert _mark(desk, "A strength")["x"] < knob["x"]


def test_a_pressed_chip_gets_the_sliders_and_the_order_panel(desk: Desk) -> None:
    before = desk.look(CHECK)
    mark = _mark(desk, "C")
    desk.page.mouse.click(*desk.at(mark["x"], mark["y"], ROW))
    desk.settled(ROW)
    assert state_of(desk)["chosen"] == "C"
    assert desk.look(CHECK)["hash"] != before["hash"]


def test_pictures_and_outcomes_are_pressed_by_mouse_and_by_keyboard(desk: Desk) -> None:
    press(desk, "Tab", "Tab", "Tab", "Tab", "Tab", "Enter", view=START)
    assert state_of(desk)["picture"] == "sign"
    assert "'turn left'" in words_of(desk)
    fields = json.loads(desk.kernel("print(json.dumps(explorer.canvases['grid'].scene['fields']))"))
    left, right, bottom, top = fields[5]["box"]
    desk.page.mouse.click(*desk.at((left + right) / 2, (bottom + top) / 2, GRID))
    desk.settled(GRID)
    assert state_of(desk)["outcome"] == 5


def test_a_new_draw_and_the_seed_change_every_outcome(desk: Desk) -> None:
    before = desk.look(GRID)
    desk.page.locator(".explorer-pipeline button", has_text="New draw").click()
    _until(desk, "seed 11")
    assert desk.look(GRID)["hash"] != before["hash"]
    field = desk.page.locator(".explorer-pipeline input[type=number]")
    field.fill("10")
    field.press("Enter")
    _until(desk, "seed 10")
    assert desk.look(GRID)["hash"] == before["hash"]


def test_the_code_in_the_page_makes_the_pictures_in_the_page(desk: Desk) -> None:
    code = desk.page.locator(".explorer-pipeline .course-code textarea").input_value()
    assert "augment.SpatialChain([" in code and "torch.manual_seed(10)" in code
    assert (
        desk.kernel(f"space = {{}}\nexec({code!r}, space)\nprint((space['images'].numpy() == explorer.result.now.images).all())")
        == "True"
    )
    desk.page.locator(".explorer-pipeline input[type=checkbox]").click()
    desk.page.wait_for_function(
        "() => !document.querySelector('.explorer-pipeline .course-code textarea').value.includes('SpatialChain')"
    )


def test_a_refused_pipeline_is_repaired_with_the_mouse(desk: Desk) -> None:
    _choose(desk, "rules", "Task 1 of 2: The library refuses this pipeline.")
    mark = _mark(desk, "D")
    _drag(desk, "C", mark["x"], mark["y"])
    assert "Done. Colour needs values from 0 to 1" in words_of(desk)
    _drag(desk, "B", 300.0, 20.0)
    assert "Done. What a flip does to the label" in words_of(desk)


def test_latency_of_a_strength_that_is_new_with_every_key(desk: Desk, reference: Desk, report: list[str]) -> None:
    """The test of all explorers moves a chip to and fro, which is remembered; here every picture is computed."""
    reference.page.bring_to_front()
    nothing = statistics.median(reference.latencies(["ArrowRight", "ArrowLeft"] * 8))
    desk.page.bring_to_front()
    _tab_to(desk, "A strength")
    times = sorted(desk.latencies(["ArrowRight"] * 14))
    line = f"latency of a new strength: median {statistics.median(times):.0f} ms, slowest {times[-1]:.0f} ms, reference {nothing:.0f} ms"
    report.append(line)
    assert statistics.median(times) < 100 + 8 * nothing, line  # generous, as for all explorers: the machine may be busy


def test_the_page_asked_no_other_machine_and_did_not_complain(desk: Desk) -> None:
    assert desk.elsewhere == [] and desk.complaints == []
