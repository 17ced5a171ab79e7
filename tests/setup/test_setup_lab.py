"""`make lab` answers on 127.0.0.1 with the start page, and does not install anything the second time."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START = "notebooks/00_start_here.ipynb"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
    pytest.mark.skipif(not (ROOT / ".venv" / ".ready").exists(), reason="set up by other means than make"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(url: str, token: str) -> str | None:
    request = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def test_setting_up_twice_does_nothing():
    stamp = ROOT / ".venv" / ".ready"
    before = stamp.stat().st_mtime_ns
    result = subprocess.run(["make", "setup"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "Setting up" not in result.stdout
    assert stamp.stat().st_mtime_ns == before


def test_make_lab_answers_with_the_start_page(tmp_path):
    port, token = free_port(), secrets.token_hex(16)
    folders = {
        name: str(tmp_path / name)
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
                     "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")
    }  # fmt: skip
    options = f"--no-browser --ServerApp.port={port} --ServerApp.port_retries=0 --IdentityProvider.token={token}"
    log = tmp_path / "lab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            ["make", "lab", f"LAB_OPTIONS={options}"],
            cwd=ROOT,
            env=os.environ | folders,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        base, until = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while answer(f"{base}/api/status", token) is None:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.3)
        assert "JupyterLab" in (answer(f"{base}/lab/tree/{START}", token) or "")
        assert '"type": "notebook"' in (answer(f"{base}/api/contents/{START}?content=0", token) or "").replace('":"', '": "')
        pages = [page.read_text() for page in (tmp_path / "JUPYTER_RUNTIME_DIR").glob("*open.html")]  # what a browser is given
        assert any(f"lab/tree/{START}" in page for page in pages)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
