"""One JupyterLab server and one Chromium for all browser tests.

Everything the server reads or writes lies in temporary folders, and only processes started here are stopped here.
Nothing is downloaded: Playwright drives the Chromium of the system. If a part is missing, the tests are skipped with a
message that names it; in CI (environment variable ``CI`` set) a missing part is an error.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

OUTPUT = Path(__file__).parent / "output"
PATIENCE = 120  # seconds, for a busy machine
TIMEOUT = 60_000  # milliseconds, for everything inside the page
REPORT: list[str] = []
_CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _missing(what: str, how: str) -> None:
    text = f"The browser tests need {what}. {how}"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in REPORT:
        terminalreporter.write_line(line)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    desk = item.funcargs.get("desk") or item.funcargs.get("lab")
    if report.when == "call" and report.failed and desk is not None:
        OUTPUT.mkdir(exist_ok=True)
        desk.page.screenshot(path=str(OUTPUT / f"{item.name}.png"))


@dataclass(frozen=True)
class Server:
    """Where the JupyterLab of this run answers."""

    address: str
    token: str
    root: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start JupyterLab on 127.0.0.1 with settings, data and notebooks in temporary folders."""
    base = tmp_path_factory.mktemp("jupyter")
    root = base / "notebooks"
    root.mkdir()
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    places += ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COURSE_THREADS": "1", "COURSE_PROGRESS": "0"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for name in places:
        environment[name] = str(base / name.lower())
        Path(environment[name]).mkdir()
    news = Path(environment["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    (news / "notification.jupyterlab-settings").write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    log = base / "server.log"
    with log.open("w") as sink:
        process = subprocess.Popen(command, env=environment, stdout=sink, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for_server(process, f"{address}/api/status", token, log)
        yield Server(address, token, root)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _wait_for_server(process: subprocess.Popen[bytes], url: str, token: str, log: Path) -> None:
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"JupyterLab ended with code {process.returncode}:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer within {PATIENCE} s:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start the system's Chromium, with an empty profile."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("the Python package playwright", "It is in the extra 'test' of pyproject.toml.")
    executable = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if executable is None:
        _missing("chromium", "On Debian and Ubuntu: apt-get install chromium.")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=executable,
            headless=True,
            viewport={"width": 1280, "height": 900},
            args=_CHROMIUM_FLAGS,
        )
        context.set_default_timeout(TIMEOUT)
        yield context
        context.close()


_RUN_ALL = """async () => {
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
        scene = json.loads(self.kernel(f"import json; print(json.dumps(explorer.canvases[{names}[{view}]].scene['box']))"))
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
        """Change JupyterLab's theme."""
        self.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        light = "false" if "Dark" in name else "true"
        self.page.wait_for_function("(light) => document.body.dataset.jpThemeLight === light", arg=light)

    def cells(self) -> int:
        """Number of cells of the notebook."""
        return int(self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length"))


@pytest.fixture(scope="session")
def open_explorer(server: Server, browser: Any) -> Callable[[str, str, str], Desk]:
    """Return ``open(name, code, css_class)``: run ``code``, whose last line shows ``explorer``, in a new notebook."""

    def open_(name: str, code: str, css_class: str) -> Desk:
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(code), nbformat.v4.new_code_cell('print("READY")')]
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, server.root / f"{name}.ipynb")
        page = browser.new_page()
        desk = Desk(page, f".{css_class}", server.address)
        own = (server.address, server.address.replace("http", "ws"), "blob:", "data:", "about:")
        page.on("request", lambda request: None if request.url.startswith(own) else desk.elsewhere.append(request.url))
        page.on("console", lambda text: desk.complaints.append(text.text) if text.type == "error" else None)
        page.on("pageerror", lambda error: desk.complaints.append(str(error)))
        page.goto(f"{server.address}/lab/tree/{name}.ipynb?token={server.token}&reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.evaluate(_RUN_ALL)
        page.get_by_text("READY", exact=True).wait_for()
        page.wait_for_selector(f"{desk.selector} canvas.course-canvas")
        page.wait_for_function("(s) => Number(document.querySelector(s + ' canvas').dataset.drawn) > 0", arg=desk.selector)
        return desk

    return open_
