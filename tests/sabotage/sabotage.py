"""``make sabotage``: break the package in small ways, one at a time, and see who notices.

Every sabotage of ``sabotages.py`` is a slip that a careful person could make. The project is copied to a temporary
folder, one line is replaced there, and two searches run on the copy: the unit tests that ought to notice, and the
strict nbval run of the chapter that teaches the method. A sabotage that either of them misses is a hole in the tests.

    python tests/sabotage/sabotage.py                    all
    python tests/sabotage/sabotage.py recall-off-by-one  some
    python tests/sabotage/sabotage.py --unit-only        skip the chapters
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from sabotages import SABOTAGES, Sabotage

ROOT = Path(__file__).resolve().parents[2]
NBVAL = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=300", "-x"]


def copy_of_the_project(target: Path) -> None:
    """Copy what git tracks, and what it does not ignore, as it stands in the working tree."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True
    )
    for name in listing.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def apply(sabotage: Sabotage, project: Path) -> None:
    """Replace the line in the copy; the original must stand there exactly once."""
    path = project / sabotage.file
    source = path.read_text(encoding="utf-8")
    if source.count(sabotage.right) != 1:
        raise SystemExit(f"{sabotage.name}: `{sabotage.right}` stands {source.count(sabotage.right)} times in {sabotage.file}.")
    path.write_text(source.replace(sabotage.right, sabotage.wrong), encoding="utf-8")


def noticed(project: Path, arguments: list[str]) -> bool:
    """Run pytest on the copy; a failing test (exit 1) is a notice, anything but 0 and 1 is a fault of this tool."""
    environment = os.environ | {"PYTHONPATH": str(project), "COURSE_PROGRESS": "0", "COURSE_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    result = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    if result.returncode not in (0, 1):
        raise SystemExit(
            f"pytest {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout[-2000:]}{result.stderr[-2000:]}"
        )
    return result.returncode == 1


def main() -> None:
    """Try the sabotages and print who caught which."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="names of sabotages; default: all")
    parser.add_argument("--unit-only", action="store_true", help="leave out the chapters")
    options = parser.parse_args()
    chosen = [s for s in SABOTAGES if not options.names or s.name in options.names]
    if not chosen:
        raise SystemExit(f"No such sabotage; there are: {', '.join(s.name for s in SABOTAGES)}")
    caught = {"unit": 0, "chapter": 0}
    for sabotage in chosen:
        with tempfile.TemporaryDirectory() as folder:
            copy_of_the_project(Path(folder))
            apply(sabotage, Path(folder))
            unit = noticed(Path(folder), ["-x", *sabotage.tests])
            chapter = None if options.unit_only else noticed(Path(folder), [*NBVAL, f"notebooks/{sabotage.chapter}.ipynb"])
        caught["unit"] += unit
        caught["chapter"] += bool(chapter)
        words = {True: "caught", False: "MISSED", None: "not tried"}
        print(f"{sabotage.name:42s} unit tests: {words[unit]:9s}  {sabotage.chapter}: {words[chapter]}", flush=True)
    print(f"caught by a unit test: {caught['unit']} of {len(chosen)}", end="")
    print("" if options.unit_only else f"; by a chapter: {caught['chapter']} of {len(chosen)}")
    missed = caught["unit"] < len(chosen) or (not options.unit_only and caught["chapter"] < len(chosen))
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
