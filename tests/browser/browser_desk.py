"""What the browser tests drive: a notebook with one explorer, open in JupyterLab under Chromium."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import Any

import pytest


def missing(what: str, how: str) -> None:
    """Skip with a sentence that names the missing part; in CI a missing part is an error."""
    text = f"The browser tests need {what}. {how}"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


RUN_ALL = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  const panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await app.commands.execute("notebook:run-all-cells");
}"""

_KERNEL = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({code, store_history: false});
  let text = "";
  future.onIOPub = (message) => {
    if (message.header.msg_type === "stream") text += message.content.text;
    if (message.header.msg_type === "error") text += message.content.traceback.join("\\n");
  };
  await future.done;
  return text;
}"""

# From a key press to the answered and redrawn picture, inside the page; one number in milliseconds a press.
_LATENCY = """async ([selector, view, keys]) => {
  const canvas = document.querySelectorAll(`${selector} canvas.course-canvas`)[view];
  canvas.focus();
  const times = [];
  for (const key of keys) {
    const before = Number(canvas.dataset.sent);
    const start = performance.now();
    const answered = new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (Number(canvas.dataset.answer) > before) { observer.disconnect(); resolve(); }
      });
      observer.observe(canvas, {attributes: true, attributeFilter: ["data-answer", "data-drawn"]});
    });
    canvas.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
    await answered;
    await new Promise((resolve) => requestAnimationFrame(resolve));
    times.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return times;
}"""

# Number of different colours on a coarse raster, and a hash of the pixels.
_LOOK = """([selector, view]) => {
  const canvas = document.querySelectorAll(`${selector} canvas.course-canvas`)[view];
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set();
  let hash = 17;
  for (let i = 0; i < data.length; i += 4) {
    const value = (data[i] << 16) | (data[i + 1] << 8) | data[i + 2];
    if (i % 52 === 0) seen.add(value);
    hash = (Math.imul(hash, 31) + value) | 0;
  }
  return {colours: seen.size, hash, corner: [data[0], data[1], data[2]]};
}"""


@dataclass
class Desk:
    """A notebook with one explorer, open in the browser."""

    page: Any
    selector: str
    address: str
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def kernel(self, code: str) -> str:
        """Run code in the notebook's kernel and return what it printed."""
        return str(self.page.evaluate(_KERNEL, code)).strip()

    def canvas(self, view: int = 0) -> Any:
        """The canvas of a view."""
        return self.page.locator(f"{self.selector} canvas.course-canvas").nth(view)

    def status(self) -> str:
        """The status sentence as the reader sees it."""
        return str(self.page.locator(f"{self.selector} p[role=status]").inner_text())

    def errors(self) -> list[str]:
        """The texts of the error line; empty if there is none."""
        return list(self.page.locator(f"{self.selector} p[role=alert]").all_inner_texts())

    def look(self, view: int = 0) -> dict[str, Any]:
        """Number of colours, hash of the pixels and colour of the corner of a canvas."""
        return dict(self.page.evaluate(_LOOK, [self.selector, view]))

    def at(self, x: float, y: float, view: int = 0) -> tuple[float, float]:
        """Position in the window of a point in data coordinates of the scene."""
        name = ["left", "right", "bottom", "top"]
        names = self.kernel("print(list(explorer.canvases))")
        scene = json.loads(self.kernel(f"print(json.dumps(explorer.canvases[{names}[{view}]].scene['box']))"))
        box = dict(zip(name, scene))
        edge = self.canvas(view).bounding_box()
        across = (x - box["left"]) / (box["right"] - box["left"])
        down = (box["top"] - y) / (box["top"] - box["bottom"])
        return edge["x"] + across * edge["width"], edge["y"] + down * edge["height"]

    def drag(self, start: tuple[float, float], end: tuple[float, float], view: int = 0, steps: int = 8) -> None:
        """Drag with the mouse between two points in data coordinates, and wait for the answer."""
        x0, y0 = self.at(*start, view)
        x1, y1 = self.at(*end, view)
        self.page.mouse.move(x0, y0)
        self.page.mouse.down()
        for step in range(1, steps + 1):
            self.page.mouse.move(x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps)
        self.page.mouse.up()
        self.settled(view)

    def settled(self, view: int = 0) -> None:
        """Wait until the kernel has answered everything that the canvas sent."""
        self.page.wait_for_function(
            """([selector, view]) => {
              const canvas = document.querySelectorAll(`${selector} canvas.course-canvas`)[view];
              return canvas.dataset.sent === canvas.dataset.answer;
            }""",
            arg=[self.selector, view],
        )
        self.kernel("pass")  # messages are handled in order: whatever was sent has been handled when this returns

    def latencies(self, keys: list[str], view: int = 0) -> list[float]:
        """Milliseconds from every key press to the new picture, without the first two."""
        return list(self.page.evaluate(_LATENCY, [self.selector, view, keys]))[2:]

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme, and wait for its splash screen to go: two at once make Lab itself complain."""
        self.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_function("(light) => document.body.dataset.jpThemeLight === light", arg=light)
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def cells(self) -> int:
        """Number of cells of the notebook."""
        return int(self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length"))


# ---- what the tests of all explorers do -------------------------------------------------------------------------


def fresh(desk: Desk) -> None:
    """Bring the page to the front, move the pointer away, and start again."""
    desk.page.bring_to_front()
    desk.page.mouse.move(5, 5)
    desk.page.locator(f"{desk.selector} button", has_text="Reset").click()
    desk.kernel("pass")


def state_of(desk: Desk) -> dict[str, Any]:
    """The explorer's state, as a dictionary."""
    return dict(json.loads(desk.kernel("print(json.dumps(dataclasses.asdict(explorer.state)))")))


def initial_of(desk: Desk) -> dict[str, Any]:
    """The state that an explorer begins with, as a dictionary."""
    return dict(json.loads(desk.kernel("print(json.dumps(dataclasses.asdict(explorer.initial_state())))")))


def words_of(desk: Desk) -> str:
    """The status sentence, with single spaces."""
    return re.sub(r"\s+", " ", desk.status())


def marks_of(desk: Desk) -> list[dict[str, Any]]:
    """The marks of the first view."""
    return list(json.loads(desk.kernel("print(json.dumps(next(iter(explorer.canvases.values())).scene['marks']))")))


def press(desk: Desk, *keys: str, view: int = 0) -> None:
    """Press keys on a view, and wait for the answer."""
    desk.canvas(view).focus()
    for key in keys:
        desk.page.keyboard.press(key)
    desk.settled(view)


def choose(desk: Desk, label: str, option: str) -> None:
    """Choose an option of the drop-down with this label."""
    desk.page.locator(f"{desk.selector} .widget-dropdown", has_text=label).locator("select").select_option(option)
    desk.kernel("pass")


def flat(value: Any) -> list[float]:
    """All numbers (and strings) in nested lists and dictionaries."""
    value = list(value.values()) if isinstance(value, dict) else value
    return [number for one in value for number in flat(one)] if isinstance(value, list) else [value]
