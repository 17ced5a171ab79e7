"""A desk for the tests: a loopback server, an empty root, and the command line inside and outside this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from loopback import Loopback, loopback

from data_scripts.cli import main
from data_scripts.records import Record

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = ("--attempts", "3", "--retry-wait", "0.01", "--stall-timeout", "0.4")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of this machine has no business with the loopback server."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running


class Desk:
    """Serves sets under the mirror's rule ``/NAME/path`` and runs commands on them."""

    def __init__(self, server: Loopback, folder: Path) -> None:
        self.server, self.root, self.catalogue = server, folder / "root", folder / "catalogue.json"
        self.records: dict[str, Record] = {}

    def serve(self, record: Record, contents: dict[str, bytes]) -> None:
        """Put files on the server and the record into the catalogue (parts need none: they are computed)."""
        for path, content in contents.items():
            self.server.files[f"/{record.name}/{path}"] = content
        if not record.part:
            self.records[record.name] = record
        self.catalogue.write_text(json.dumps([asdict(one) for one in self.records.values()]))

    def arguments(self, command: str, name: str, *more: str, mirror: bool = True) -> list[str]:
        fetching = ["--yes", *(("--mirror", self.server.address) if mirror else ()), *QUICK] if command == "get" else []
        return [command, name, "--root", str(self.root), "--catalogue", str(self.catalogue), *fetching, *more]

    def run(self, command: str, name: str, *more: str, mirror: bool = True) -> int:
        """Run a command in this process; return its exit code."""
        return main(self.arguments(command, name, *more, mirror=mirror))

    def start(self, command: str, name: str, *more: str, **options: object) -> subprocess.Popen:
        """Run a command in a process of its own."""
        words = [sys.executable, "-m", "data_scripts", *self.arguments(command, name, *more)]
        environment = os.environ | {"COURSE_PROGRESS": "0", "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            words, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )

    def left(self) -> list[str]:
        """Return what lies under the root, without folders and lock files."""
        return sorted(
            path.relative_to(self.root).as_posix()
            for path in self.root.rglob("*")
            if (path.is_file() or path.is_symlink()) and path.suffix != ".lock"
        )

    def folders(self) -> set[str]:
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_dir()}


@pytest.fixture
def desk(server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "somewhere else"))
    return Desk(server, tmp_path)
