"""``make bench``: the course's methods against what a user would do instead, in one run, as ratios.

A benchmark is a function that prepares the data and returns two callables which do the same work, ours and the
alternative::

    @benchmark("NetVLAD, forward and backward", ours="two matrix products", theirs="loop over clusters")
    def netvlad_against_loop():
        ...
        return vectorised, looped

The two run in turn (A B A B ...), so a machine that slows down slows both; the table gives the median of the paired
ratios and their range. Both results are compared first: a fast wrong answer is no benchmark. The table is written into
``tests/benchmarks/README.md`` by this command, never by hand. One thread, unless a benchmark says otherwise.

``@memory_benchmark`` measures memory instead, with a function of the same form: every run is a fresh process, which
prepares both sides, runs one of them, and reports by how many megabytes its resident memory rose at most. That needs
Linux; elsewhere these benchmarks are left out. (The peak is read from ``/proc``: the ``ru_maxrss`` of a new process
starts with the peak of its parent.)

Benchmarks with a ``cell``, (operation, batch, rival), fill one table: a row for each operation and batch, a column for each
rival.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
PROCESS = Path("/proc/self")
RIVALS = ("torchvision", "kornia", "albumentations")
FREED = 30 * 2**20
"""Bytes that are allocated and freed before a benchmark, as a training does all the time: from then on the C library keeps
freed memory up to this size. Otherwise each call asks the system for new pages, which takes longer than what is measured."""
SHORT = 0.3
"""Seconds for which a quick benchmark is repeated at least: a call of a tenth of a millisecond is hundreds of pairs then."""
START, END = "<!-- written by `make bench`: start -->", "<!-- written by `make bench`: end -->"


@dataclass(frozen=True)
class Benchmark:
    """A named pair of ways to do the same work."""

    title: str
    ours: str
    theirs: str
    prepare: Callable[[], tuple[Callable, Callable]]
    agree: Callable[[object, object], bool] | None
    threads: int
    unit: str = "ms"
    cell: tuple[str, str, str] | None = None


@dataclass(frozen=True)
class Pairs:
    """Milliseconds or megabytes of both sides and the paired ratios theirs / ours."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratios(self) -> list[float]:
        return [b / a for a, b in zip(self.ours, self.theirs)]

    @property
    def spread(self) -> str:
        """The median ratio and its range; two digits where it is small."""
        median, low, high = statistics.median(self.ratios), min(self.ratios), max(self.ratios)
        digits = 2 if median < 1.5 else 1
        return f"**{median:.{digits}f}x** ({low:.{digits}f} to {high:.{digits}f})"


BENCHMARKS: list[Benchmark] = []


def close(a: object, b: object) -> bool:
    """Whether two results agree: arrays and tensors to 1e-3 relative of their largest value."""
    a, b = (np.asarray(v.detach().cpu() if hasattr(v, "detach") else v, dtype=float) for v in (a, b))
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-3, atol=1e-3 * max(np.abs(b).max(initial=0), 1e-12)))


def benchmark(
    title: str,
    ours: str,
    theirs: str,
    agree: Callable[[object, object], bool] | None = close,
    threads: int = 1,
    unit: str = "ms",
    cell: tuple[str, str, str] | None = None,
) -> Callable:
    """Register a benchmark; ``agree=None`` where the alternative is an approximation and says so in its name."""

    def register(prepare: Callable[[], tuple[Callable, Callable]]) -> Callable:
        BENCHMARKS.append(Benchmark(title, ours, theirs, prepare, agree, threads, unit, cell))
        return prepare

    return register


def memory_benchmark(title: str, ours: str, theirs: str, agree: Callable[[object, object], bool] | None = close) -> Callable:
    """Register a benchmark of peak memory; the sides return a number or a small array."""
    return benchmark(title, ours, theirs, agree, unit="MB")


def measure(bench: Benchmark, runs: int, seconds: float) -> Pairs:
    """Measure both sides in turn, ``runs`` times or until ``seconds`` are used; three pairs and ``SHORT`` seconds at least."""
    from course_utils.profile import use_threads

    use_threads(bench.threads)
    if bench.unit == "MB":
        sides = [lambda side=side: in_a_new_process(bench, side) for side in (0, 1)]
    else:
        bytearray(FREED)
        sides = [lambda work=work: timed(work) for work in bench.prepare()]
    pairs, begin = Pairs([], []), time.perf_counter()
    (_, first), (_, second) = sides[0](), sides[1]()
    if bench.agree is not None and not bench.agree(first, second):
        raise AssertionError(f"{bench.title}: the two sides disagree")
    while len(pairs.ours) < 3 or (used := time.perf_counter() - begin) < SHORT or (len(pairs.ours) < runs and used < seconds):
        for figures, side in zip((pairs.ours, pairs.theirs), sides):
            figures.append(side()[0])
    return pairs


def timed(work: Callable) -> tuple[float, object]:
    """Return the milliseconds of a call, and its result."""
    start = time.perf_counter()
    result = work()
    return 1000 * (time.perf_counter() - start), result


def in_a_new_process(bench: Benchmark, side: int) -> tuple[float, object]:
    """Return the megabytes by which one side raises the memory of a fresh process, and its result."""
    code = f"import harness; harness.report({bench.prepare.__module__!r}, {bench.prepare.__name__!r}, {side}, {bench.threads})"
    run = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"{bench.title}: the measuring process failed\n{run.stderr}")
    return tuple(json.loads(run.stdout.splitlines()[-1]))


def report(module: str, name: str, side: int, threads: int) -> None:
    """Prepare a memory benchmark, run one of its sides and print [megabytes, result]: the body of the fresh process."""
    from course_utils.profile import use_threads

    use_threads(threads)
    work = getattr(importlib.import_module(module), name)()[side]
    (PROCESS / "clear_refs").write_text("5")  # the peak starts again from the memory in use now
    before = kilobytes("VmRSS")
    result = work()
    megabytes = (kilobytes("VmHWM") - before) / 1024
    print(json.dumps([megabytes, np.asarray(result.detach() if hasattr(result, "detach") else result, dtype=float).tolist()]))


def kilobytes(name: str) -> int:
    """Return a figure of this process: ``VmRSS``, the memory in use, or ``VmHWM``, its peak."""
    lines = (PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def row(bench: Benchmark, pairs: Pairs) -> str:
    """Return the table row of one benchmark."""
    ours, theirs = (f"{statistics.median(side):.3g} {bench.unit}" for side in (pairs.ours, pairs.theirs))
    return f"| {bench.title} | {bench.ours}: {ours} | {bench.theirs}: {theirs} | {pairs.spread} | {len(pairs.ratios)} |"


def operation_rows(results: list[tuple[Benchmark, Pairs]]) -> list[str]:
    """Return the rows of the table of operations: the ratio against each rival side by side."""
    cells = {bench.cell: pairs for bench, pairs in results}
    rows = []
    for operation, batch in dict.fromkeys(cell[:2] for cell in cells):
        against = [cells.get((operation, batch, rival)) for rival in RIVALS]
        ours = statistics.median(next(pairs for pairs in against if pairs).ours)
        shown = " | ".join(pairs.spread if pairs else "" for pairs in against)
        rows.append(f"| {operation} | {batch} | {ours:.3g} ms | {shown} |")
    return rows


def write_table(results: list[tuple[Benchmark, Pairs]]) -> None:
    """Replace the part of the README between the two markers."""
    from importlib import metadata

    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    processor = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    head = [
        START,
        "",
        f"Measured on {datetime.date.today()} on {processor}, Python {platform.python_version()}, "
        + ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "numpy", "faiss-cpu", "scikit-learn"))
        + ".",
        "",
        "| benchmark | ours (median) | alternative (median) | alternative / ours, median (range) | pairs |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows = [row(bench, pairs) for bench, pairs in results if bench.cell is None]
    operations = [
        "",
        "Augmentations, every image with a draw of its own (two threads): the rival's time divided by ours, median (range)",
        "",
        "| operation | batch | ours (median) | " + " | ".join(RIVALS) + " |",
        "| --- | --- | --- | --- | --- | --- |",
        *operation_rows([result for result in results if result[0].cell is not None]),
    ]
    before, rest = text.split(START)
    after = rest.split(END)[1]
    readme.write_text(before + "\n".join([*head, *rows, *operations, "", END]) + after, encoding="utf-8")


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def main() -> None:
    """Run the benchmarks and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="run only benchmarks whose title holds one of these; the table is not written")
    parser.add_argument("--runs", type=int, default=15, help="pairs of runs at most (default 15)")
    parser.add_argument("--seconds", type=float, default=20.0, help="time for one benchmark (default 20 s, three pairs at least)")
    options = parser.parse_args()
    sys.modules.setdefault("harness", sys.modules[__name__])  # the benchmarks import this module by its name
    for path in sorted(HERE.glob("bench_*.py")):
        importlib.import_module(path.stem)
    chosen = [b for b in BENCHMARKS if not options.words or any(w.lower() in b.title.lower() for w in options.words)]
    results = []
    for bench in chosen:
        if bench.unit == "MB" and not PROCESS.exists():
            print(f"{bench.title}: left out, memory is measured on Linux only")
            continue
        results.append((bench, measure(bench, options.runs, options.seconds)))
        print(row(*results[-1]), flush=True)
    if not options.words:
        write_table(results)


if __name__ == "__main__":
    main()
