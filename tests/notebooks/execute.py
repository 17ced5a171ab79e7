"""``make notebooks``: execute chapters in a fresh kernel and store their outputs; the only writer of committed outputs.

    python tests/notebooks/execute.py               all chapters
    python tests/notebooks/execute.py 01_vlad       some
    python tests/notebooks/execute.py 01 --pages FOLDER
                                                also write a PNG of every page of the rendered chapter, to look at
    python tests/notebooks/execute.py 01 --elsewhere
                                                execute twice, the second time as on an older processor

Every chapter runs under the settings of the tests (profile, silence, one thread). Outputs are normalised so that two
executions give the same bytes: no times, no widget ids, no version of Python. A chapter is refused, and its file left
as it was, if an output holds an error stream, a path of this machine or a memory address, or if the file is too large.

The tests compare the text of outputs, so a text must not hold digits that another processor does not repeat. With
``--elsewhere`` (which ``make notebooks`` passes) a second kernel runs the chapter with the newest instruction sets
switched off (see ``elsewhere``) and with an empty cache, so that the pictures are drawn there too. The chapter is refused
if the text of a compared cell differs; the cells are named. It takes twice as long.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

import elsewhere
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
MAX_BYTES = 1_000_000
MAX_CELL_SECONDS = 40
SETTINGS = {"COURSE_PROFILE": "quick", "COURSE_PROGRESS": "0", "COURSE_THREADS": "1", "OMP_NUM_THREADS": "1"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
MEMORY_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
ALLOWED_TO_RAISE = {"raises-exception", "nbval-raises-exception"}
NOT_COMPARED = "nbval-ignore-output"


def chapters(names: list[str]) -> list[Path]:
    """Return the chapters whose file name starts with one of ``names``; all of them for an empty list."""
    found = sorted(p for p in NOTEBOOKS.glob("*.ipynb") if not names or any(p.stem.startswith(Path(n).stem) for n in names))
    if not found:
        raise SystemExit(f"No chapter starts with {names}.")
    return found


def execute(notebook: NotebookNode, settings: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run every cell in a fresh kernel, in place; return seconds by cell id. ``settings`` are added to its environment."""
    seconds: dict[str, float] = {}
    started: dict[str, float] = {}
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=600,
        startup_timeout=180,
        record_timing=False,
        store_widget_state=True,  # False crashes as soon as a cell uses an Output widget; the result is deleted below
        resources={"metadata": {"path": str(NOTEBOOKS)}},
        on_cell_execute=lambda cell, cell_index: started.__setitem__(cell.id, time.perf_counter()),
        on_cell_executed=lambda cell, cell_index, execute_reply: seconds.__setitem__(
            cell.id, time.perf_counter() - started[cell.id]
        ),
    )
    client.execute(env={**os.environ, **(settings or {})})
    return seconds


def differences(notebook: NotebookNode, other: NotebookNode) -> list[str]:
    """Return the compared cells whose text differs between two executions, one sentence per cell."""
    found = []
    for cell, twin in zip(notebook.cells, other.cells, strict=True):
        if "outputs" not in cell or NOT_COMPARED in cell.metadata.get("tags", []):
            continue
        here, there = (compared_text(c) for c in (cell, twin))
        if here != there:
            lines = [(a, b) for a, b in zip_longest(here, there, fillvalue="nothing") if a != b]
            found.append(f"{cell.id}: {lines[0][0][:200]!r} here, {lines[0][1][:200]!r} elsewhere")
    return found


def compared_text(cell: NotebookNode) -> list[str]:
    """Return the lines of a cell's outputs that the tests compare: streams, messages of errors, text, but no pictures."""
    texts = []
    for output in cell.outputs:
        texts += [output.text] if output.output_type == "stream" else []
        texts += [f"{output.ename}: {output.evalue}"] if output.output_type == "error" else []
        texts += [str(data) for kind, data in sorted(output.get("data", {}).items()) if kind.startswith("text/")]
    return [line for text in texts for line in text.splitlines()]


def normalise(notebook: NotebookNode) -> None:
    """Remove what differs between two executions of the same chapter."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)
        if "outputs" in cell:
            cell.outputs = merged_streams(cell.outputs)


def merged_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of one stream: where the kernel cuts it is a matter of timing."""
    merged: list[NotebookNode] = []
    for output in outputs:
        if merged and output.output_type == merged[-1].output_type == "stream" and output.name == merged[-1].name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    return merged


def faults(notebook: NotebookNode) -> list[str]:
    """Return what forbids committing the outputs, one sentence per fault."""
    found = []
    private = re.compile("|".join(re.escape(str(p)) for p in (ROOT, Path.home()) if len(str(p)) > 1))
    for cell in notebook.cells:
        raises = bool(ALLOWED_TO_RAISE & set(cell.metadata.get("tags", [])))
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"{cell.id}: writes to the error stream: {output.text.strip()[:200]}")
            if output.output_type == "error" and not raises:
                found.append(f"{cell.id}: raises {output.ename}: {output.evalue[:200]}")
            text = str(output.get("text", "")) + str({k: v for k, v in output.get("data", {}).items() if k.startswith("text/")})
            if private.search(text):
                found.append(f"{cell.id}: names a path of this machine")
            if MEMORY_ADDRESS.search(text):
                found.append(f"{cell.id}: prints a memory address")
            if output.output_type == "error":
                output["traceback"] = []  # paths and colours; nbval compares only name and message
    return found


def write(path: Path, notebook: NotebookNode) -> int:
    """Write the notebook atomically; return its size in bytes."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook, version=4, indent=1)
    text = text if text.endswith("\n") else text + "\n"
    if len(text.encode()) > MAX_BYTES:
        raise SystemExit(f"{path.name}: {len(text.encode()) / 1e6:.2f} MB, over {MAX_BYTES / 1e6:.0f} MB; not written.")
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return len(text.encode())


def render_pages(path: Path, folder: Path) -> None:
    """Render a chapter as HTML, print it with Chromium and cut it into PNG pages."""
    import shutil
    import subprocess

    from nbconvert import HTMLExporter

    folder = folder.resolve()  # a browser takes no relative address
    folder.mkdir(parents=True, exist_ok=True)
    html, _ = HTMLExporter(template_name="classic").from_filename(str(path))
    page = folder / f"{path.stem}.html"
    page.write_text(html, encoding="utf-8")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or shutil.which("pdftoppm") is None:
        raise SystemExit("Rendering pages needs Chromium and pdftoppm (Debian: chromium, poppler-utils).")
    pdf = page.with_suffix(".pdf")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--virtual-time-budget=5000"]
    subprocess.run([chromium, *flags, f"--print-to-pdf={pdf}", page.as_uri()], check=True, capture_output=True)
    subprocess.run(["pdftoppm", "-png", "-r", "70", str(pdf), str(folder / path.stem)], check=True)


def store(path: Path, settings: Mapping[str, str] | None, pages: Path | None) -> bool:
    """Execute a chapter, a second time under ``settings`` if there are any, and write it; return False if it is refused."""
    notebook, start = nbformat.read(path, as_version=4), time.perf_counter()
    try:
        seconds = execute(notebook)
    except Exception as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return False
    normalise(notebook)
    problems = faults(notebook)
    problems += [f"{i}: takes {s:.0f} s, over {MAX_CELL_SECONDS} s" for i, s in seconds.items() if s > MAX_CELL_SECONDS]
    if settings is not None and not problems:
        problems += not_repeated(path, notebook, settings)
    if problems:
        print(f"{path.name} is not written:\n  " + "\n  ".join(problems), file=sys.stderr)
        return False
    size = write(path, notebook)
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:5]
    print(
        f"{path.name}: {time.perf_counter() - start:.0f} s, {size / 1e3:.0f} kB; slowest cells: "
        + ", ".join(f"{name} {s:.1f} s" for name, s in slowest)
    )
    if pages:
        render_pages(path, pages)
    return True


def not_repeated(path: Path, notebook: NotebookNode, settings: Mapping[str, str]) -> list[str]:
    """Execute the chapter once more, under ``settings``; return the differences."""
    twin = nbformat.read(path, as_version=4)
    try:
        execute(twin, settings)
    except Exception as error:
        return [f"elsewhere: {error}"]
    normalise(twin)
    return differences(notebook, twin)


def main() -> None:
    """Execute the chapters named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="beginnings of chapter names; default: all")
    parser.add_argument("--pages", type=Path, metavar="FOLDER", help="also render each chapter to PNG pages in FOLDER")
    parser.add_argument("--elsewhere", action="store_true", help="refuse text that an older processor does not repeat")
    options = parser.parse_args()
    os.environ.update(SETTINGS)
    with tempfile.TemporaryDirectory(prefix="elsewhere-") as cache:
        settings = {**elsewhere.a_step_down(), "COURSE_CACHE": cache} if options.elsewhere else None
        written = [store(path, settings, options.pages) for path in chapters(options.names)]
    sys.exit(not all(written))


if __name__ == "__main__":
    main()
