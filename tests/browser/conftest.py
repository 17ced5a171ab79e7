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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from browser_desk import RUN_ALL, Desk, missing

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


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in REPORT:
        terminalreporter.write_line(line)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for name, value in item.funcargs.items():
            if isinstance(value, Desk):
                OUTPUT.mkdir(exist_ok=True)
                value.page.screenshot(path=str(OUTPUT / f"{item.name}-{name}.png"))


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
def report() -> list[str]:
    """Lines for the summary at the end of the run."""
    return REPORT


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start the system's Chromium, with an empty profile."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("the Python package playwright", "It is in the extra 'test' of pyproject.toml.")
    executable = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if executable is None:
        missing("chromium", "On Debian and Ubuntu: apt-get install chromium.")
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


@pytest.fixture(scope="session")
def open_explorer(server: Server, browser: Any) -> Callable[[str, str, str], Desk]:
    """Return ``open(name, code, css_class)``: run ``code``, whose last line shows ``explorer``, in a new notebook."""

    def open_(name: str, code: str, css_class: str) -> Desk:
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [
            nbformat.v4.new_code_cell("import dataclasses, json\n" + code),
            nbformat.v4.new_code_cell('print("READY")'),
        ]
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
        page.evaluate(RUN_ALL)
        page.get_by_text("READY", exact=True).wait_for()
        page.wait_for_selector(f"{desk.selector} canvas.course-canvas")
        page.wait_for_function("(s) => Number(document.querySelector(s + ' canvas').dataset.drawn) > 0", arg=desk.selector)
        return desk

    return open_


REFERENCE = """
from dataclasses import dataclass, replace
from IPython.display import display
from course_utils.explore import Explorer, Scene, View
from course_utils.explore.scene import Mark


@dataclass(frozen=True)
class Place:
    x: float = 0.0


class Reference(Explorer):
    css_class = "explorer-reference"

    def initial_state(self):
        return Place()

    def compute(self, state):
        return state.x

    def views(self):
        return [View("line", self.draw, lambda state, event: Place(event.x) if event.kind == "move" else state)]

    def draw(self, state, result):
        return Scene(300, 60, (-1, 1, -1, 1), "A line with one mark", marks=[Mark("m", state.x, 0.0, "mark")])

    def sentence(self, state, result):
        return f"The mark is at {result:.2f}."


reference = Reference()
display(reference)
"""

CITY = """
from course_utils import data, retrieval
from course_utils.explore import CityNavigator
training = data.StreetWorld("validation_database", seed=11)
describer = retrieval.DenseVLAD(vlad=retrieval.VLAD(n_clusters=16)).fit(training.images[::4], random_state=0)
explorer = CityNavigator(describer, seed=11, split="validation")
explorer
"""


AFFINITY = f"""import sys
sys.path.append({str(Path(__file__).parents[1] / "explore")!r})
from affinity_catalogue import examples, three_strengths
from course_utils.explore import AffinityMap
explorer = AffinityMap(*three_strengths(), {{f"{{name}} 0.3": images for name, images in examples().items()}})
explorer
"""

EVIDENCE = """from course_utils.evidence import recorded_pools
from course_utils.explore import EvidenceDesk
explorer = EvidenceDesk(recorded_pools())
explorer
"""


def default(name: str) -> str:
    """Return the code of a cell that shows an explorer as it comes."""
    return f"from course_utils.explore import {name}\nexplorer = {name}()\nexplorer\n"


@pytest.fixture(scope="session")
def push(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """Push and pull, with the far error."""
    return open_explorer("push", default("PushAndPull"), "explorer-push")


@pytest.fixture(scope="session")
def court(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The convention court."""
    return open_explorer("court", default("ConventionCourt"), "explorer-court")


@pytest.fixture(scope="session")
def bench(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The detection bench, with the loose boxes."""
    return open_explorer("bench", default("DetectionBench"), "explorer-detection")


@pytest.fixture(scope="session")
def matching(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The matching bench, with the crop."""
    return open_explorer("matching", default("MatchingBench"), "explorer-matching")


@pytest.fixture(scope="session")
def theatre(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The threshold theatre, with the similarity on the stage."""
    return open_explorer("theatre", default("ThresholdTheatre"), "explorer-theatre")


@pytest.fixture(scope="session")
def protocol(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The protocol switch."""
    return open_explorer("protocol", default("ProtocolSwitch"), "explorer-protocol")


@pytest.fixture(scope="session")
def pipeline(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The pipeline bench, with boxes that follow."""
    return open_explorer("pipeline", default("PipelineBench"), "explorer-pipeline")


@pytest.fixture(scope="session")
def augmix(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The AugMix graph, with a draw."""
    return open_explorer("augmix", default("AugMixGraph"), "explorer-augmix")


@pytest.fixture(scope="session")
def erasing(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The erasing bench, with a hole over the head."""
    return open_explorer("erasing", default("ErasingBench"), "explorer-erasing")


@pytest.fixture(scope="session")
def mixer(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The mixer bench, with a box that sticks out."""
    return open_explorer("mixer", default("MixerBench"), "explorer-mixer")


@pytest.fixture(scope="session")
def evidence(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The evidence desk, with eight seeds."""
    return open_explorer("evidence", EVIDENCE, "explorer-evidence")


@pytest.fixture(scope="session")
def affinity(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The affinity map, with a small catalogue."""
    return open_explorer("affinity", AFFINITY, "explorer-affinity")


@pytest.fixture(scope="session")
def spirals(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The spiral theatre, with blends of the input."""
    return open_explorer("spirals", default("SpiralTheatre"), "explorer-spirals")


@pytest.fixture(scope="session")
def laboratory(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The assignment laboratory, below a reference explorer that computes nothing."""
    return open_explorer("laboratory", REFERENCE + default("AssignmentLaboratory"), "explorer-assignment")


@pytest.fixture(scope="session")
def reference(laboratory: Desk) -> Desk:
    """The explorer that computes nothing: what a round trip costs on this machine now."""
    return replace(laboratory, selector=".explorer-reference")


@pytest.fixture(scope="session")
def navigator(open_explorer: Callable[[str, str, str], Desk]) -> Desk:
    """The city navigator."""
    return open_explorer("city", CITY, "explorer-city")
