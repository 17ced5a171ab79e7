"""Every explorer, driven with mouse and keyboard in a real JupyterLab.

The pages stay open over all tests of this file; every test starts with *Reset*. The last two tests look back at the
whole run: nothing was asked of another machine, and no page complained.
"""

from __future__ import annotations

import json
import re
import statistics

import pytest
from browser_desk import Desk, choose, flat, fresh, initial_of, marks_of, missing, press, state_of, words_of

pytestmark = pytest.mark.browser

# A handle of every explorer, and the fields of the state that it moves.
HANDLES = {
    ".explorer-assignment": ("a0", ("a", "words", "anchors")),
    ".explorer-city": ("camera", ("x", "y")),
    ".explorer-court": ("I", ("scores",)),
    ".explorer-detection": ("d6", ("detections",)),
    ".explorer-matching": ("se", ("crop",)),
    ".explorer-pipeline": ("A strength", ("chips",)),
    ".explorer-push": ("item3", ("scores",)),
    ".explorer-theatre": ("6", ("confidences",)),
    ".explorer-protocol": ("B", ("order",)),
    ".explorer-erasing": ("hole", ("hole",)),
    ".explorer-augmix": ("weights", ("first",)),
    ".explorer-mixer": ("box", ("box",)),
    ".explorer-evidence": ("seeds", ("shown",)),
    ".explorer-affinity": ("first", ("first",)),
    ".explorer-spirals": ("p5", ("points",)),
}


@pytest.fixture(
    params=[
        "laboratory",
        "navigator",
        "push",
        "court",
        "bench",
        "matching",
        "theatre",
        "protocol",
        "pipeline",
        "erasing",
        "augmix",
        "mixer",
        "evidence",
        "affinity",
        "spirals",
    ]
)
def desk(request: pytest.FixtureRequest) -> Desk:
    desk: Desk = request.getfixturevalue(request.param)
    fresh(desk)
    return desk


def test_every_view_is_a_picture_and_the_status_tells_its_number(desk: Desk) -> None:
    for view in range(int(desk.kernel("print(len(explorer.canvases))"))):
        assert desk.look(view)["colours"] > 8
    assert words_of(desk) == desk.kernel("print(explorer.status)")
    assert desk.errors() == []


def test_a_mouse_drag_and_the_arrow_keys_lead_to_the_same_state(desk: Desk) -> None:
    handle, moved = HANDLES[desk.selector]
    mark = next(one for one in marks_of(desk) if one["name"] == handle)
    before = desk.look()
    desk.drag((mark["x"], mark["y"]), (mark["x"] + 4 * mark["step"], mark["y"]))
    by_mouse, picture = state_of(desk), desk.look()
    assert picture["hash"] != before["hash"]
    desk.page.locator(f"{desk.selector} button", has_text="Reset").click()
    desk.page.mouse.move(5, 5)
    desk.canvas().evaluate("(canvas) => canvas.blur()")
    press(desk, "Tab")
    while desk.canvas().get_attribute("data-chosen") != mark["name"]:
        desk.page.keyboard.press("Tab")
    press(desk, *["ArrowRight"] * 4)
    by_key = state_of(desk)
    assert by_key != initial_of(desk)
    for name in moved:
        tolerance = mark["step"] / 4  # half a pixel at most
        assert flat(by_mouse[name]) == pytest.approx(flat(by_key[name]), abs=tolerance)
    assert desk.errors() == []


def test_shift_moves_far_tab_cycles_and_escape_leaves(desk: Desk) -> None:
    names = [mark["name"] for mark in marks_of(desk)]
    press(desk, "Tab")
    seen = [desk.canvas().get_attribute("data-chosen")]
    for _ in names:
        desk.page.keyboard.press("Tab")
        seen.append(desk.canvas().get_attribute("data-chosen"))
    assert set(seen) == set(names) and seen[0] == seen[-1]
    assert "Chosen:" in desk.canvas().get_attribute("aria-label")
    while desk.canvas().get_attribute("data-chosen") != names[0]:
        desk.page.keyboard.press("Tab")
    mark = marks_of(desk)[0]
    press(desk, "Shift+ArrowRight")
    assert marks_of(desk)[0]["x"] - mark["x"] == pytest.approx(mark["leap"], abs=1e-3)
    desk.page.keyboard.press("Escape")
    assert not desk.canvas().evaluate("(canvas) => document.activeElement === canvas")


def test_letters_typed_on_a_canvas_add_no_cells(desk: Desk) -> None:
    before = desk.cells()
    press(desk, *"abxydd")
    assert desk.cells() == before


def test_the_dark_theme_redraws_every_view(desk: Desk) -> None:
    light = desk.look(0)
    desk.theme("JupyterLab Dark")
    try:
        desk.page.wait_for_function(
            """([selector, hash]) => {
              const canvas = document.querySelector(`${selector} canvas.course-canvas`);
              return getComputedStyle(canvas).getPropertyValue("--jp-layout-color0").trim() !== "white";
            }""",
            arg=[desk.selector, light["hash"]],
        )
        assert desk.look(0)["hash"] != light["hash"]
        views = int(desk.kernel("print(len(explorer.canvases))"))
        darkness = [desk.page.evaluate(_GROUND, [desk.selector, view]) for view in range(views)]
        assert min(darkness) < 60  # the ground of at least one view is dark now
    finally:
        desk.theme("JupyterLab Light")
    assert desk.look(0)["hash"] == light["hash"]


# Brightness of the lower right corner.
_GROUND = """([selector, view]) => {
  const canvas = document.querySelectorAll(`${selector} canvas.course-canvas`)[view];
  return canvas.getContext("2d").getImageData(canvas.width - 2, canvas.height - 2, 1, 1).data[0];
}"""


def test_a_narrow_window_shrinks_the_views_and_a_wide_one_restores_them(desk: Desk) -> None:
    width = desk.canvas().bounding_box()["width"]
    desk.page.set_viewport_size({"width": 560, "height": 900})
    try:
        shrunk = "([s, w]) => document.querySelector(s + ' canvas.course-canvas').getBoundingClientRect().width < w - 5"
        desk.page.wait_for_function(shrunk, arg=[desk.selector, width])
        assert desk.look()["colours"] > 8
    finally:
        desk.page.set_viewport_size({"width": 1280, "height": 900})
    restored = "([s, w]) => document.querySelector(s + ' canvas.course-canvas').getBoundingClientRect().width > w - 1"
    desk.page.wait_for_function(restored, arg=[desk.selector, width])


def test_reset_brings_the_first_picture_back(desk: Desk) -> None:
    desk.canvas().evaluate("(canvas) => canvas.blur()")
    desk.page.mouse.move(5, 5)
    desk.settled()
    first, words = desk.look(1), desk.status()
    press(desk, "Tab", "Shift+ArrowRight", "Shift+ArrowRight")
    assert desk.status() != words
    desk.page.locator(f"{desk.selector} button", has_text="Reset").click()
    desk.settled()
    desk.page.wait_for_function(
        "([s, t]) => document.querySelector(s + ' p[role=status]').innerText === t", arg=[desk.selector, words]
    )
    assert desk.look(1)["hash"] == first["hash"]


def test_a_failure_in_the_kernel_is_told_in_the_page(desk: Desk) -> None:
    desk.kernel("def broken(state): raise RuntimeError('no luck')\nexplorer.compute = broken")
    try:
        press(desk, "Tab", "ArrowRight")
        assert "no luck" in " ".join(desk.errors())
    finally:
        desk.kernel("del explorer.compute")
    desk.page.locator(f"{desk.selector} button", has_text="Reset").click()
    desk.kernel("pass")
    desk.page.wait_for_selector(f"{desk.selector} p[role=alert]", state="detached")


def test_a_slow_kernel_gets_no_queue_of_messages(laboratory: Desk) -> None:
    fresh(laboratory)
    laboratory.kernel(
        "import time\ncalls = []\nfast = type(explorer).compute\n"
        "def slow(state): calls.append(1); time.sleep(0.1); return fast(explorer, state)\nexplorer.compute = slow"
    )
    try:
        mark = next(one for one in marks_of(laboratory) if one["name"] == "a0")
        laboratory.drag((mark["x"], mark["y"]), (mark["x"] + 0.5, mark["y"] - 0.5), steps=60)
    finally:
        laboratory.kernel("del explorer.compute")
    assert 1 <= int(laboratory.kernel("print(len(calls))")) <= 30  # of 60 moves
    assert state_of(laboratory)["a"][0] == pytest.approx([mark["x"] + 0.5, mark["y"] - 0.5], abs=0.02)


def test_the_decoupling_task_can_be_solved_with_the_mouse(laboratory: Desk) -> None:
    fresh(laboratory)
    assert "Task:" in laboratory.status()
    anchor = state_of(laboratory)["anchors"][0]
    laboratory.drag(tuple(anchor), (-0.92, 1.41))
    assert "Done: word 1 adds" in laboratory.status()
    assert state_of(laboratory)["words"] == initial_of(laboratory)["words"]


def test_the_burst_button_repeats_a_descriptor(laboratory: Desk) -> None:
    fresh(laboratory)
    laboratory.page.locator(".explorer-assignment button", has_text="Burst").click()
    laboratory.kernel("pass")
    assert "repeated 20 times" in laboratory.status()


def test_the_alpha_slider_moves_by_arrow_key(laboratory: Desk) -> None:
    fresh(laboratory)
    laboratory.page.locator(".explorer-assignment .noUi-handle").focus()
    laboratory.page.keyboard.press("ArrowLeft")
    laboratory.kernel("pass")
    assert state_of(laboratory)["log_alpha"] < 1.0
    assert "alpha 8.91" in laboratory.status()


def test_an_item_flips_its_relevance_by_click_and_by_enter(push: Desk) -> None:
    fresh(push)
    mark = next(one for one in marks_of(push) if one["name"] == "item3")
    push.page.mouse.click(*push.at(mark["x"], mark["y"]))
    push.settled()
    assert state_of(push)["relevant"][3] and state_of(push)["scores"] == initial_of(push)["scores"]
    assert push.canvas().get_attribute("data-chosen") == "item3"
    press(push, "Enter")
    assert not state_of(push)["relevant"][3]


def test_an_item_keeps_its_lane_and_stays_on_the_axis(push: Desk) -> None:
    fresh(push)
    mark = next(one for one in marks_of(push) if one["name"] == "item8")
    push.drag((mark["x"], mark["y"]), (-1.15, mark["y"] + 120))
    after = next(one for one in marks_of(push) if one["name"] == "item8")
    assert (after["x"], after["y"]) == (-1.0, mark["y"])


def test_the_far_error_task_is_solved_with_the_slider_by_keyboard(push: Desk) -> None:
    fresh(push)
    assert "Task: make the top negative A feel nothing" in words_of(push)
    push.page.locator(".explorer-push .noUi-handle").focus()
    for _ in range(8):
        push.page.keyboard.press("ArrowRight")
    # The slider sends its newest value when the kernel has time for it.
    push.page.locator(".explorer-push p[role=status]", has_text="Done: with M = 13").wait_for()
    assert (
        f"bins M = {state_of(push)['n_bins']}" in push.page.locator(".explorer-push .widget-label", has_text="bins").inner_text()
    )


def test_steps_and_race_draw_curves(push: Desk) -> None:
    fresh(push)
    before = push.look(1)
    for label in ("10 steps", "Race"):
        push.page.locator(".explorer-push button", has_text=label).click()
        push.kernel("pass")
    assert "after 10 steps" in words_of(push)
    assert push.look(1)["hash"] != before["hash"]
    assert "triplet, all 1.00" in push.canvas(1).get_attribute("aria-label")


def test_a_click_and_enter_change_the_kind_of_an_item(court: Desk) -> None:
    fresh(court)
    mark = marks_of(court)[0]
    court.page.mouse.click(*court.at(mark["x"], mark["y"]))
    court.settled()
    assert state_of(court)["kinds"][0] == "not relevant"
    press(court, "Enter")
    assert state_of(court)["kinds"][0] == "junk"
    assert "3 relevant of 9 items" in words_of(court)


def test_the_court_judges_a_prediction_when_the_mouse_lets_go(court: Desk) -> None:
    fresh(court)
    court.page.locator(".explorer-court select").nth(1).select_option("only step and trapezoid change")
    court.kernel("pass")
    assert "You predict: only step and trapezoid change." in words_of(court)
    mark = next(one for one in marks_of(court) if one["name"] == "D")
    court.drag((mark["x"], mark["y"]), (mark["x"] + 0.12, mark["y"]))
    assert "Right: only step and trapezoid change. Done." in words_of(court)
    assert state_of(court)["moving"] == ""


def test_the_court_judges_a_prediction_when_the_arrow_keys_rest(court: Desk) -> None:
    fresh(court)
    court.page.locator(".explorer-court select").nth(1).select_option("nothing changes")
    court.kernel("pass")
    press(court, "Tab")
    while court.canvas().get_attribute("data-chosen") != "A":
        court.page.keyboard.press("Tab")
    press(court, *["ArrowRight"] * 5)  # A passes B
    assert state_of(court)["moving"] == "A"
    court.page.wait_for_function(
        "() => document.querySelector('.explorer-court p[role=status]').innerText.includes('Not this time')"
    )
    assert state_of(court)["moving"] == "" and state_of(court)["before_scores"] == initial_of(court)["scores"]


def test_an_item_dropped_on_another_makes_a_tie_and_luck_gets_a_range(court: Desk) -> None:
    fresh(court)
    marks = {one["name"]: one for one in marks_of(court)}
    court.drag((marks["A"]["x"], marks["A"]["y"]), (marks["B"]["x"] - 0.006, marks["A"]["y"]))
    state = state_of(court)
    assert state["scores"][0] == state["scores"][1]
    assert "a sort that breaks ties by luck gives step" in words_of(court)


def test_a_convention_pressed_in_the_table_fills_its_area(court: Desk) -> None:
    fresh(court)
    before = court.look(2)
    press(court, "Tab", "Tab", "Enter", view=3)
    assert state_of(court)["shown"] == "trapezoid"
    assert court.look(2)["hash"] != before["hash"]


def test_a_box_is_resized_by_its_corner_and_another_chosen_by_a_click(bench: Desk) -> None:
    fresh(bench)
    left, top, right, bottom, _ = state_of(bench)["detections"][0]
    bench.drag((left, bottom), (left - 12, bottom - 20))
    after = state_of(bench)
    assert after["detections"][0][:4] == pytest.approx([left - 12, top, right, bottom - 20], abs=0.5)
    assert after["detections"][1:] == initial_of(bench)["detections"][1:]
    box = after["detections"][6]
    bench.page.mouse.click(*bench.at(box[0] + 5, box[3] - 5))
    bench.settled()
    assert state_of(bench)["chosen"] == "d6"
    assert next(mark for mark in marks_of(bench) if mark["name"] == "se")["x"] == pytest.approx(box[2])


def test_a_box_is_drawn_on_empty_ground_and_removed_by_its_button(bench: Desk) -> None:
    fresh(bench)
    bench.drag((100, 150), (170, 180))
    drawn = state_of(bench)
    assert len(drawn["detections"]) == 8 and drawn["chosen"] == "d7" and drawn["draft"] is None
    assert drawn["detections"][7] == pytest.approx([100, 150, 170, 180, 0.5], abs=0.5)
    for label, boxes in (("Remove", 7), ("Add a box", 8)):
        button = bench.page.locator(".explorer-detection button", has_text=label)
        button.focus()
        bench.page.keyboard.press("Enter")
        bench.kernel("pass")
        assert len(state_of(bench)["detections"]) == boxes
    assert "with 8 boxes" in words_of(bench)


def test_the_confidence_task_is_solved_with_mouse_and_keyboard(bench: Desk) -> None:
    fresh(bench)
    choose(bench, "task", "confidences")
    assert "Task: bring AP at IoU 0.50 to 1 without moving a box" in words_of(bench)
    before = bench.look(2)
    mark = json.loads(
        bench.kernel("print(json.dumps(next(m for m in explorer.canvases['list'].scene['marks'] if m['name'] == 'c5')))")
    )
    bench.drag((mark["x"], mark["y"]), (mark["x"] - 100, mark["y"] + 30), view=1)
    assert state_of(bench)["detections"][5][4] < 0.3
    press(bench, "Tab", view=1)
    while bench.canvas(1).get_attribute("data-chosen") != "c6":
        bench.page.keyboard.press("Tab")
    press(bench, *["Shift+ArrowLeft"] * 3, view=1)
    assert state_of(bench)["detections"][6][4] == pytest.approx(0.25)
    assert "Done: AP is 1 although 2 boxes are wrong" in words_of(bench)
    assert bench.look(2)["hash"] != before["hash"]
    choose(bench, "task", "loose boxes")


def test_triangle_slider_and_protocol_agree_on_the_threshold(bench: Desk) -> None:
    fresh(bench)
    bench.canvas(3).scroll_into_view_if_needed()
    bench.drag((0.5, 0.0), (0.3, 0.2), view=3)
    assert state_of(bench)["iou_threshold"] == pytest.approx(0.3, abs=0.01)
    press(bench, "Tab", "Shift+ArrowRight", view=3)
    threshold = state_of(bench)["iou_threshold"]
    assert threshold == pytest.approx(0.4, abs=0.011)
    slider = bench.page.locator(".explorer-detection .widget-readout")
    assert slider.inner_text() == f"{threshold:.2f}"
    choose(bench, "protocol", "VOC 2007")
    assert words_of(bench).startswith(f"VOC 2007 at IoU {threshold:.2f} finds")
    assert bench.errors() == []


def test_the_camera_stays_on_the_street(navigator: Desk) -> None:
    fresh(navigator)
    mark = marks_of(navigator)[0]
    navigator.drag((mark["x"], mark["y"]), (mark["x"] + 25, mark["y"] + 18))
    state = state_of(navigator)
    x, y = map(float, navigator.kernel(f"print(*explorer.city.rail.snap({state['x']}, {state['y']}))").split())
    assert (state["x"], state["y"]) == pytest.approx((x, y), abs=1e-6)
    assert state["x"] != pytest.approx(mark["x"])


def test_night_changes_picture_and_sentence(navigator: Desk) -> None:
    fresh(navigator)
    before = navigator.look(1)
    navigator.page.locator(".explorer-city button", has_text="night").click()
    navigator.kernel("pass")
    assert "(night, " in navigator.status()
    assert navigator.look(1)["hash"] != before["hash"]


def test_a_result_is_chosen_by_keyboard_and_explained(navigator: Desk) -> None:
    fresh(navigator)
    before = navigator.look(1)
    press(navigator, "Tab", "Tab", "Tab", "Enter", view=2)
    state = state_of(navigator)
    assert (state["choice"], state["why"]) == (2, True)
    assert navigator.look(1)["hash"] != before["hash"]


def test_hovering_over_a_word_shows_its_pixels_and_leaving_hides_them(navigator: Desk) -> None:
    fresh(navigator)
    box = navigator.canvas(1).bounding_box()
    navigator.page.mouse.move(box["x"] + 0.85 * box["width"], box["y"] + 0.2 * box["height"])
    navigator.settled(1)
    assert state_of(navigator)["hover"] >= 0
    assert re.search(r"Word \d+ adds", navigator.status())
    navigator.page.mouse.move(5, 5)
    navigator.settled(1)
    assert state_of(navigator)["hover"] == -1


def test_a_rectangle_measures_recall_inside_and_its_cross_removes_it(navigator: Desk) -> None:
    fresh(navigator)
    left, right, bottom, top = json.loads(navigator.kernel("print(json.dumps(explorer.canvases['map'].scene['box']))"))
    state = state_of(navigator)
    x0, y0 = left + 0.3 * (right - left), bottom + 0.45 * (top - bottom)
    navigator.drag((x0, y0), (left + 0.8 * (right - left), bottom + 0.9 * (top - bottom)))
    assert "In the rectangle:" in navigator.status() and "Recall@1" in navigator.status()
    assert state_of(navigator)["x"] == state["x"]
    field = json.loads(navigator.kernel("print(json.dumps(explorer.canvases['map'].scene['fields'][0]['box']))"))
    navigator.page.mouse.click(*navigator.at((field[0] + field[1]) / 2, (field[2] + field[3]) / 2))
    navigator.settled()
    assert state_of(navigator)["brush"] is None


@pytest.mark.parametrize(
    "name",
    ["laboratory", "navigator", "push", "court", "bench", "matching", "theatre", "protocol", "pipeline", "erasing", "augmix"],
)
def test_latency_from_key_press_to_picture(request: pytest.FixtureRequest, reference: Desk, name: str, report: list[str]) -> None:
    keys = ["ArrowRight", "ArrowLeft"] * 10
    medians = {}
    for desk in (reference, request.getfixturevalue(name)):
        name = desk.selector.removeprefix(".")
        desk.page.bring_to_front()
        times = sorted(desk.latencies(keys))
        medians[name] = statistics.median(times)
        line = f"latency {name}: median {medians[name]:.0f} ms, p90 {times[int(0.9 * len(times))]:.0f} ms"
        report.append(line)
    # Generous: a busy machine slows everything, the explorer that computes nothing included.
    assert medians[name] < 100 + 8 * medians["explorer-reference"], report


@pytest.mark.parametrize(
    "name",
    ["laboratory", "navigator", "push", "court", "bench", "matching", "theatre", "protocol", "pipeline", "erasing", "augmix"],
)
def test_no_page_asked_another_machine_for_anything(request: pytest.FixtureRequest, name: str) -> None:
    assert request.getfixturevalue(name).elsewhere == []


@pytest.mark.parametrize(
    "name",
    ["laboratory", "navigator", "push", "court", "bench", "matching", "theatre", "protocol", "pipeline", "erasing", "augmix"],
)
def test_no_page_complained(request: pytest.FixtureRequest, name: str) -> None:
    assert request.getfixturevalue(name).complaints == []


def test_a_missing_part_is_skipped_by_name_and_an_error_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="need chromium"):
        missing("chromium", "Install it.")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="need chromium"):
        missing("chromium", "Install it.")
