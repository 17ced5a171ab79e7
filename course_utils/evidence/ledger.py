"""The claim ledger: what the papers say, run here, recorded, and judged.

A ``Claim`` is one sentence of a paper with the experiment that reproduces it in small. The experiment is a function
``seed -> {method: figure}`` (higher is better). The claim lists which method should beat which, and by how much at
least: both are written down before the runs. ``run`` repeats the experiment over seeds; ``record`` keeps each seed's
figures with the versions, the processor and the time it took as JSON beside the experiments; ``show`` draws a record
in a chapter and says the verdict, welcome or not. Nothing in a record is typed by hand::

    make evidence CLAIMS=vlad-normalisations SEEDS=5
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from statistics import fmean  # exact, so equal on every version of Python; sum() is not

import torch

from course_utils import plotting
from course_utils.checks import checked_int, message
from course_utils.data.cache import written_whole
from course_utils.profile import device, progress
from course_utils.training import PairedComparison, paired_comparison

RECORDS = Path(__file__).parent / "records"
READABLE = 8
"""Columns of dots that fit side by side with their names."""
PACKAGES = ("numpy", "scipy", "torch", "torchvision", "scikit-learn", "scikit-image", "faiss-cpu")


@dataclass(frozen=True)
class Claim:
    """One claim of one paper.

    Attributes
    ----------
    key : str
        Its name in the ledger, on the command line and in the records' file names.
    source : str
        Paper and table or section.
    sentence : str
        The claim in our words.
    experiment : callable
        ``seed -> {method: figure}``; a pure function of the seed, higher figures are better.
    pairs : sequence of (better, worse)
        The comparisons that the claim consists of. It holds when all of them hold.
    smallest_effect : float
        Smallest mean difference that would count, in the figure's unit, fixed before the runs.
    unit : str
        What a figure is, for the axis: ``"Recall@1"``.
    scale : str
        What is different here: data, size, network.
    """

    key: str
    source: str
    sentence: str
    experiment: Callable[[int], Mapping[str, float]]
    pairs: Sequence[tuple[str, str]]
    smallest_effect: float
    unit: str
    scale: str

    def compare(self, figures: Mapping[str, Sequence[float]]) -> dict[tuple[str, str], PairedComparison]:
        """Return the paired comparison of every pair, from per-seed figures by method."""
        return {(a, b): paired_comparison(figures[a], figures[b], self.smallest_effect) for a, b in self.pairs}


@dataclass(frozen=True)
class Record:
    """What ``run`` found: enough to draw it, to judge it and to redo it."""

    key: str
    seeds: list[int]
    figures: dict[str, list[float]]
    comparisons: dict[str, dict]
    verdict: str
    seconds_per_seed: list[float]
    recorded: str
    machine: dict[str, str]
    versions: dict[str, str] = field(default_factory=dict)


CLAIMS: dict[str, Claim] = {}


def register(claim: Claim) -> Claim:
    """Add a claim to the ledger; a second one under the same key is an error."""
    if claim.key in CLAIMS:
        raise ValueError(message("key", "new to the ledger", repr(claim.key)))
    CLAIMS[claim.key] = claim
    return claim


def claim(key: str) -> Claim:
    """Return a claim by its key; a ``ValueError`` lists the keys."""
    import_module("course_utils.evidence.claims")  # registers the course's claims, once
    if key not in CLAIMS:
        raise ValueError(message("key", "one of " + ", ".join(sorted(CLAIMS)), repr(key)))
    return CLAIMS[key]


def overall(verdicts: Sequence[str]) -> str:
    """Return the verdict on a claim of several comparisons: the weakest of theirs."""
    for verdict in ("does not hold", "undecided"):
        if verdict in verdicts:
            return verdict
    return "holds"


def run(keys: Sequence[str], n_seeds: int = 5, first_seed: int = 1, n_jobs: int = 1) -> list[Record]:
    """Run the experiments of some claims for ``n_seeds`` seeds and return a record of each.

    A seed is one job that runs every experiment, so claims that share a trained network train it once a seed; then only the
    first of them pays for it in ``seconds_per_seed``. Seeds run through joblib: inside
    ``joblib.parallel_config(backend="dask")`` they spread over that cluster.

    Raises
    ------
    ValueError
        If a key is unknown, fewer than two seeds are asked for, or a method of ``pairs`` has no figure.
    """
    from joblib import Parallel, delayed

    claims = [claim(key) for key in keys]
    n_seeds = checked_int(n_seeds, "n_seeds", low=2)
    seeds = list(range(first_seed, first_seed + n_seeds))
    experiments = [this.experiment for this in claims]
    jobs = Parallel(n_jobs=n_jobs, return_as="generator")(delayed(_timed)(experiments, seed) for seed in seeds)
    results = list(progress(jobs, total=n_seeds, desc=", ".join(keys), unit="seed"))
    return [_record(this, seeds, [result[i] for result in results]) for i, this in enumerate(claims)]


def _record(this: Claim, seeds: list[int], results: list[tuple[Mapping[str, float], float]]) -> Record:
    missing = {name for pair in this.pairs for name in pair} - set(results[0][0])
    if missing:
        raise ValueError(message("experiment", "a figure for every method of the claim", f"none for {sorted(missing)}"))
    figures = {name: [float(figure[name]) for figure, _ in results] for name in results[0][0]}
    comparisons = this.compare(figures)
    return Record(
        key=this.key,
        seeds=seeds,
        figures={name: [round(v, 6) for v in values] for name, values in figures.items()},
        comparisons={f"{a} > {b}": _rounded(asdict(c)) for (a, b), c in comparisons.items()},
        verdict=overall([c.verdict for c in comparisons.values()]),
        seconds_per_seed=[round(seconds, 1) for _, seconds in results],
        recorded=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        machine={"processor": _processor(), "cores": str(os.cpu_count()), "system": platform.system(), "device": _device()},
        versions={"python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES},
    )


def record(keys: Sequence[str], n_seeds: int = 5, n_jobs: int = 1) -> list[Record]:
    """Run claims and store a record of each in ``records/KEY.json``, atomically."""
    results = run(keys, n_seeds, n_jobs=n_jobs)
    RECORDS.mkdir(exist_ok=True)
    for result in results:
        with written_whole(RECORDS / f"{result.key}.json") as partial:
            partial.write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return results


def recorded(key: str) -> Record:
    """Return the stored record of a claim.

    Raises
    ------
    FileNotFoundError
        If it was never recorded; the message gives the command.
    """
    claim(key)
    path = RECORDS / f"{key}.json"
    if not path.exists():
        raise FileNotFoundError(f"No recorded run of {key!r}; make one with: make evidence CLAIMS={key}")
    return Record(**json.loads(path.read_text(encoding="utf-8")))


def show(key: str) -> None:
    """Draw the recorded runs of a claim in a notebook: a dot per seed, the verdict in words, and how to redo it.

    Of more than ``READABLE`` methods, only those that the claim compares are drawn.
    """
    this, found = claim(key), recorded(key)
    comparisons = this.compare(found.figures)
    figures = found.figures
    if len(figures) > READABLE:
        figures = {name: figures[name] for pair in this.pairs for name in pair}
    figure, ax = plotting.new_figure(size=(8, 3.4))
    plotting.draw_seeds(ax, figures, this.unit)
    ax.set_title(f"Recorded runs: {this.unit}, {len(found.seeds)} seeds")
    means = ", ".join(f"{name} {fmean(v):.2f}" for name, v in figures.items())
    plotting.show(figure, f"Recorded runs on {len(found.seeds)} seeds, mean {this.unit}: {means}.")
    lines = [f"- **{a}** against **{b}**: {c.sentence('points', scale=100)}." for (a, b), c in comparisons.items()]
    plotting.say(
        f"**{this.source}.** {this.sentence}\n\n"
        + "\n".join(lines)
        + f"\n\nVerdict: **{overall([c.verdict for c in comparisons.values()])}**"
        f" (a mean difference of at least {_points(this.smallest_effect)} of {this.unit} counts). {this.scale}\n\n"
        f"Recorded on {found.recorded} with `make evidence CLAIMS={key} SEEDS={len(found.seeds)}`, {_effort(found)}."
    )


def table(columns: Mapping[str, str]) -> str:
    """Return a Markdown table of several claims with the same comparisons, side by side, and how to redo them.

    Parameters
    ----------
    columns : mapping from heading to claim key

    Raises
    ------
    ValueError
        If the claims do not compare the same pairs.
    FileNotFoundError
        If one of them was never recorded.
    """
    claims, records = ({name: look_up(key) for name, key in columns.items()} for look_up in (claim, recorded))
    pairs = {tuple(tuple(pair) for pair in this.pairs) for this in claims.values()}
    if len(pairs) != 1:
        raise ValueError(message("columns", "claims that compare the same pairs", ", ".join(columns.values())))
    compared = {name: claims[name].compare(found.figures) for name, found in records.items()}
    lines = ["| | " + " | ".join(columns) + " |", "| --- |" + " --- |" * len(columns)]
    for a, b in pairs.pop():
        cells = [
            f"{100 * c.mean:+.1f} points ({100 * c.low:.1f} to {100 * c.high:.1f}), {c.wins} of {c.n_seeds} seeds: **{c.verdict}**"
            for c in (compared[name][a, b] for name in columns)
        ]
        lines.append(f"| {a} against {b} | " + " | ".join(cells) + " |")
    effects = ", ".join(sorted({f"{_points(this.smallest_effect)} of {this.unit}" for this in claims.values()}))
    redo = "; ".join(
        f"`make evidence CLAIMS={key} SEEDS={len(records[name].seeds)}` ({records[name].recorded})"
        for name, key in columns.items()
    )
    return "\n".join(lines) + f"\n\nMean difference, 95 % interval, verdict; at least {effects} counts. Recorded with {redo}."


def _effort(found: Record) -> str:
    seconds = fmean(found.seconds_per_seed)
    return f"about {seconds:.0f} s a seed" if seconds >= 0.5 else "on networks that a claim before it had trained"


def _timed(experiments: Sequence[Callable[[int], Mapping[str, float]]], seed: int) -> list[tuple[Mapping[str, float], float]]:
    results = []
    for experiment in experiments:
        start = time.perf_counter()
        results.append((experiment(seed), time.perf_counter() - start))
    return results


def _points(effect: float) -> str:
    return f"{100 * effect:g} point" + ("" if effect == 0.01 else "s")


def _rounded(values: Mapping) -> dict:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}


def _device() -> str:
    """Return what trained the networks that follow the profile's device."""
    used = device()
    return torch.cuda.get_device_name(used) if used.type == "cuda" else used.type


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
