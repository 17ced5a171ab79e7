"""Scenes, their two renderers, the canvas' protocol, and the base class on an explorer of one number."""

from __future__ import annotations

import io
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pytest
from PIL import Image

import course_utils.explore.canvas as canvas_module
from course_utils.explore import Action, Canvas, Control, Event, Explorer, Scene, View
from course_utils.explore.scene import (
    SHAPES,
    Card,
    Circle,
    Field,
    Mark,
    Picture,
    Points,
    Polygons,
    Rail,
    Segments,
    Text,
    rectangle,
    rgba,
)
from course_utils.explore.still import GAP, still_picture

SCRIPT = (Path(canvas_module.__file__).parent / "canvas.js").read_text(encoding="utf-8")


def _pixels(scene: Scene) -> np.ndarray:
    picture = np.asarray(Image.open(io.BytesIO(still_picture([[scene]]))).convert("RGB")).astype(int)
    return picture[GAP : GAP + scene.height, GAP : GAP + scene.width]


def _near(pixel: np.ndarray, colour: str, tolerance: int = 12) -> bool:
    return bool(np.abs(pixel - rgba(colour)[:3].astype(int)).max() <= tolerance)


RED, BLUE = "#d00000", "#0000d0"
LAYERS = {
    "picture": (Picture(np.full((2, 2, 3), 77, np.uint8), (10, 90, 90, 10)), (50, 50), "#4d4d4d"),
    "points": (Points([[50, 50]], RED, 12), (50, 50), RED),
    "segments": (Segments([[10, 50]], [[90, 50]], RED, width=6), (50, 50), RED),
    "arrow": (Segments([[10, 50]], [[90, 50]], RED, width=6, arrow=True), (50, 50), RED),
    "polygons": (Polygons([rectangle(20, 80, 80, 20)], RED), (50, 50), RED),
    "circle": (Circle(50, 50, 25, fill=RED), (50, 50), RED),
}


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_every_layer_is_drawn_where_it_lies(name: str) -> None:
    layer, (x, y), colour = LAYERS[name]
    pixels = _pixels(Scene(100, 100, None, "test", [layer]))
    assert _near(pixels[y, x], colour)
    assert _near(pixels[3, 3], "#ffffff")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_leaves_colour_on_the_picture(shape: str) -> None:
    headings = [0.5] if shape == "arrow" else None
    pixels = _pixels(Scene(60, 60, None, "test", [Points([[30, 30]], RED, 12, shape, headings)]))
    assert (np.abs(pixels - rgba(RED)[:3].astype(int)).max(-1) <= 20).sum() > 15
    assert f'"{shape}"' in SCRIPT or f"{shape}:" in SCRIPT


def test_the_axis_points_up_in_data_and_down_in_pixels() -> None:
    up = _pixels(Scene(100, 100, (0, 1, 0, 1), "test", [Points([[0.5, 0.9]], RED, 6)]))
    down = _pixels(Scene(100, 100, None, "test", [Points([[50, 90]], RED, 6)]))
    assert _near(up[10, 50], RED) and _near(down[90, 50], RED)


def test_row_zero_of_a_picture_is_its_top() -> None:
    pixels = np.zeros((2, 1, 3), np.uint8)
    pixels[0] = 255
    for box, extent in (((0, 1, 0, 1), (0, 1, 0, 1)), (None, (0, 50, 50, 0))):
        drawn = _pixels(Scene(50, 50, box, "test", [Picture(pixels, extent)]))
        assert drawn[5, 25].min() > 240 and drawn[45, 25].max() < 15


def test_pixel_pictures_stay_crisp() -> None:
    checker = np.indices((4, 4)).sum(0)[..., None].repeat(3, -1) % 2 * 255
    drawn = _pixels(Scene(100, 100, None, "test", [Picture(checker.astype(np.uint8), (0, 100, 100, 0))]))
    assert set(np.unique(drawn[2:-2, 2:-2])) <= {0, 255}


def test_an_arrow_head_points_along_its_heading() -> None:
    drawn = _pixels(Scene(80, 80, (0, 80, 0, 80), "test", [Points([[40, 40]], RED, 14, "arrow", [np.pi / 2], outline="")]))
    rows = np.where(np.abs(drawn - rgba(RED)[:3].astype(int)).max(-1) < 40)[0]
    assert 40 - rows.min() > rows.max() - 40  # the tip is above the centre


def test_later_layers_lie_on_top_and_marks_above_all() -> None:
    layers = [Points([[50, 50]], RED, 20), Polygons([rectangle(0, 100, 100, 0)], BLUE)]
    assert _near(_pixels(Scene(100, 100, None, "test", layers))[50, 50], BLUE)
    marks = [Mark("m", 50, 50, colour=RED, size=10)]
    assert _near(_pixels(Scene(100, 100, None, "test", layers, marks))[50, 50], RED)


def test_a_card_is_a_plate_with_words_and_a_bar_as_long_as_its_level() -> None:
    def drawn(**words) -> np.ndarray:
        card = Card(80, 60, **words)
        return _pixels(Scene(120, 100, None, "test", (), [Mark("m", 60, 50, colour=RED, card=card)]))

    bare, full, half = drawn(title=""), drawn(title="", level=1.0), drawn(title="", level=0.5)
    assert _near(bare[50, 20], RED, 60) and _near(bare[20, 60], RED, 60) and _near(bare[15, 60], "#ffffff")
    assert _near(bare[50, 60], "#f5f5f5")
    assert _near(full[68, 90], RED) and not _near(half[68, 90], RED) and _near(half[68, 50], RED)
    assert (drawn(title="turn", note="30 degrees") != drawn(title="turn")).any()


def test_a_card_above_a_picture_with_the_axis_up_stands_the_same_way() -> None:
    card = Card(80, 60, "", level=1.0)
    up = _pixels(Scene(120, 100, (0, 120, 0, 100), "test", (), [Mark("m", 60, 50, colour=RED, card=card)]))
    assert _near(up[68, 60], RED) and not _near(up[32, 60], RED)


def test_the_script_draws_the_same_card() -> None:
    wire = Mark("m", 0, 0, card=Card(80, 60, "turn", "30 degrees", 2.0)).wire()["card"]
    assert wire["level"] == 1.0
    for name in wire:
        assert f"card.{name}" in SCRIPT, name


def test_text_and_empty_layers_do_no_harm() -> None:
    empty = np.zeros((0, 2))
    layers = [Points(empty), Points(empty, shape="arrow", headings=[]), Segments(empty, empty), Polygons([]), Text(empty, [])]
    layers.append(Text([[10, 20]], ["<b> & $x$ 한국어"], halo=True))
    Scene(60, 60, None, "test", layers).wire()
    assert len(np.unique(_pixels(Scene(160, 60, None, "test", layers[:-1])))) == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Picture(np.zeros((2, 2, 2), np.uint8), (0, 1, 0, 1)), r"`pixels` must be of shape \(H, W, 3\) or"),
        (lambda: Picture(np.zeros((2, 2)), (0, 1, 0, 1)), r"`pixels` must be an array of integers"),
        (lambda: Points([[0, np.nan]]), r"`xy` must be finite"),
        (lambda: Points([[0, 0]], shape="blob"), r"`shape` must be one of 'circle'"),
        (lambda: Points([[0, 0]], shape="arrow"), r"`headings` must be given for the shape 'arrow'"),
        (lambda: Points([[0, 0]], np.zeros((2, 4), np.uint8)), r"`colour` must be one colour or 1 rows of RGBA"),
        (lambda: Text([[0, 0]], ["a", "b"]), r"`xy` must be an array of shape \(2, 2\)"),
        (lambda: Scene(9, 9, marks=[Mark("a", 0, 0)], fields=[Field("a", (0, 1, 0, 1))]), r"the name 'a' twice"),
        (lambda: Event("shout"), r"`kind` must be one of 'move'"),
        (lambda: Event("move", "a", float("nan"), 0.0), r"`event` must be at a finite position"),
    ],
)
def test_wrong_layers_and_events_are_refused_by_name(build, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        build()


def test_a_rail_lets_points_inside_be_and_brings_others_to_its_edge() -> None:
    rail = Rail(((0.0, 0.0, 10.0, 0.0, 2.0), (5.0, 0.0, 5.0, 10.0, 1.0)))
    assert rail.snap(3.0, 1.5) == pytest.approx((3.0, 1.5))
    assert rail.snap(3.0, -8.0) == pytest.approx((3.0, -2.0))
    assert rail.snap(9.0, 8.0) == pytest.approx((6.0, 8.0))


def test_the_script_imports_nothing_and_names_no_address() -> None:
    assert not re.search(r"^\s*import\s|import\(|https?://|fetch\(|XMLHttpRequest", SCRIPT, re.MULTILINE)
    assert "export default" in SCRIPT


def test_the_script_keeps_what_jupyter_needs() -> None:
    for needed in ("lmSuppressShortcuts", "setPointerCapture", "tabIndex", "aria-label", "MutationObserver", "devicePixelRatio"):
        assert needed in SCRIPT


def test_a_message_is_answered_with_its_counter_even_if_nothing_changes_or_the_handler_fails() -> None:
    seen = []
    canvas = Canvas(seen.append)
    canvas.receive({"kind": "events", "counter": 4, "events": [{"kind": "tap", "name": None, "x": 1, "y": 2.5}]})
    assert canvas.answer == 4 and seen == [[Event("tap", "", 1, 2.5)]]

    def broken(_events) -> None:
        raise RuntimeError

    canvas.handler = broken
    with pytest.raises(RuntimeError):
        canvas.receive({"kind": "events", "counter": 5, "events": []})
    assert canvas.answer == 5
    canvas.receive({"kind": "something else"})
    assert canvas.answer == 5


def test_a_background_is_sent_once_and_again_when_it_changes() -> None:
    canvas = Canvas()
    background = np.zeros((4, 4, 3), np.uint8)
    canvas.show(Scene(40, 40, layers=[Picture(background, (0, 1, 0, 1), keep="map")]))
    kept = canvas.kept
    canvas.show(Scene(40, 40, layers=[Picture(background, (0, 1, 0, 1), keep="map"), Points([[1, 1]])]))
    assert canvas.kept is kept
    canvas.show(Scene(40, 40, layers=[Picture(background + 1, (0, 1, 0, 1), keep="map")]))
    assert canvas.kept["map"]["data"] != kept["map"]["data"]
    assert "data" not in str(canvas.scene)


# ---- the base class ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    x: float = 1.0
    double: bool = False


class Doubler(Explorer):
    """The smallest explorer: what a later chapter has to write."""

    def initial_state(self) -> Number:
        return Number()

    def compute(self, state: Number) -> float:
        return state.x * (2 if state.double else 1)

    def views(self):
        def react(state: Number, event: Event) -> Number:
            return Number(event.x, state.double) if event.kind == "move" else state

        return [View("line", self.draw, react), View("copy", self.draw)]

    def draw(self, state: Number, result: float) -> Scene:
        return Scene(
            100, 40, (-9, 9, -1, 1), "A number on a line", [Points([[result, 0]], RED)], [Mark("x", state.x, 0, "number")]
        )

    def controls(self):
        return [
            Control(widgets.Checkbox(description="double"), "double"),
            Action("Zero", lambda state: Number(0.0, state.double)),
        ]

    def sentence(self, state: Number, result: float) -> str:
        return f"The result is {result:.1f}."


class Slow(Doubler):
    delay = 0.15


def _move(explorer: Explorer, counter: int, x: float, view: str = "line") -> None:
    explorer.canvases[view].receive(
        {"kind": "events", "counter": counter, "events": [{"kind": "move", "name": "x", "x": x, "y": 0}]}
    )


def test_one_event_updates_every_view_from_one_result() -> None:
    explorer = Doubler()
    _move(explorer, 1, 3.0)
    positions = [np.frombuffer(canvas.scene["layers"][0]["xy"], np.float32)[0] for canvas in explorer.canvases.values()]
    assert positions == [3.0, 3.0] and explorer.status == "The result is 3.0."


def test_buttons_and_controls_lead_to_the_state() -> None:
    explorer = Doubler(Number(2.0))
    explorer._controls[0].widget.value = True
    assert explorer.state == Number(2.0, True) and explorer.result == 4.0
    explorer.buttons["Zero"].click()
    assert explorer.state == Number(0.0, True)
    explorer.buttons["Reset"].click()
    assert explorer.state == Number() and explorer._controls[0].widget.value is False


class Clock:
    """A scheduler that runs nothing until it is told to."""

    def __init__(self) -> None:
        self.waiting: list = []

    def __call__(self, seconds: float, function):
        entry = [function]
        self.waiting.append(entry)
        self.seconds = seconds

        class Handle:
            @staticmethod
            def cancel() -> None:
                entry.clear()

        return Handle()

    def tick(self) -> int:
        functions = [function for entry in self.waiting for function in entry]
        self.waiting = []
        for function in functions:
            function()
        return len(functions)


def test_a_slow_explorer_computes_once_when_the_hand_rests_and_answers_then() -> None:
    clock = Clock()
    explorer = Slow(scheduler=clock)
    for i in range(5):
        explorer._controls[0].widget.value = i % 2 == 0
    _move(explorer, 1, 7.0)
    assert explorer.result == 1.0 and explorer.canvases["line"].answer == 0
    assert clock.tick() == 1 and clock.seconds == 0.15
    assert explorer.state == Number(7.0, True)  # the switch and the move, nothing lost
    assert explorer.result == 14.0 and explorer.canvases["line"].answer == 1


def test_a_slow_explorer_that_fails_still_answers() -> None:
    clock = Clock()
    explorer = Slow(scheduler=clock)
    explorer.compute = lambda state: 1 / 0
    _move(explorer, 1, 7.0)
    clock.tick()
    assert "ZeroDivisionError" in explorer.error and explorer.state == Number()
    assert explorer.canvases["line"].answer == 1


def test_without_a_running_loop_the_default_scheduler_computes_at_once() -> None:
    explorer = Slow()
    _move(explorer, 1, 5.0)
    assert explorer.result == 5.0 and explorer.canvases["line"].answer == 1


def _two_threads(first, second, gate: threading.Event) -> None:
    """Start ``first``, which waits at the gate; let ``second`` try to overtake it; open the gate."""
    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    threads[1].start()
    threads[1].join(0.3)
    gate.set()
    for thread in threads:
        thread.join(10)


def test_a_reset_in_another_thread_is_not_undone_by_the_move_before_it() -> None:
    explorer, gate, entered = Doubler(), threading.Event(), threading.Event()

    def compute(state: Number) -> float:
        if state.x == 3.0:
            entered.set()
            gate.wait(10)
        return state.x

    explorer.compute = compute
    _two_threads(lambda: _move(explorer, 1, 3.0), lambda: entered.wait(10) and explorer.reset(), gate)
    assert explorer.state == Number() and explorer.status == "The result is 1.0."


def test_a_control_changed_in_another_thread_while_controls_are_written_is_not_lost() -> None:
    explorer, gate, entered = Doubler(), threading.Event(), threading.Event()
    box = explorer._controls[0].widget

    def to_widget(value: bool) -> bool:
        entered.set()
        gate.wait(10)
        return value

    explorer._controls[0] = Control(box, "double", to_widget=to_widget)
    _two_threads(lambda: _move(explorer, 1, 3.0), lambda: entered.wait(10) and setattr(box, "value", True), gate)
    assert explorer.state == Number(3.0, True) and explorer.result == 6.0


def test_an_explorer_without_its_parts_says_which_one_is_missing() -> None:
    with pytest.raises(TypeError, match=r"Explorer must define initial_state\(\)"):
        Explorer()
