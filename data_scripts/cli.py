"""The command line: ``python -m data_scripts list | get | verify``.

Exit codes: 0 all is well, 1 something was refused or is damaged (one paragraph on the error stream says what to do),
2 wrong usage, 130 stopped by the keyboard.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from course_utils.data.real_data_folder import MARKER, data_root, is_complete
from data_scripts.catalogue import all_records, find_record
from data_scripts.download import Patience
from data_scripts.errors import DataScriptError
from data_scripts.fetch import Settings, announcement, damage, get
from data_scripts.records import Record, readable_size
from data_scripts.workplace import Workplace

MAX_TOLD = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    options = _parser().parse_args(arguments)
    root = data_root(options.root)
    try:
        return options.run(options, root)
    except DataScriptError as error:
        print(f"data_scripts: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"data_scripts: {error}. Is the folder {root} yours to write to?", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndata_scripts: stopped. What has arrived is kept; the same command continues it.", file=sys.stderr)
        return 130


def _list(options: argparse.Namespace, root: Path) -> int:
    records = all_records(options.catalogue)
    if options.name:
        record = find_record(options.name, options.part or _first_part(options.name), options.catalogue)
        print("\n".join(announcement(record, Workplace(root, record).target)))
        print(f"  read with  {record.reader}")
        return 0
    print(f"Data sets in {root}\n")
    print(f"{'name':<26}{'size':>10}  {'state':<14}used for")
    for record in records.values():
        size = ("" if record.exact else "~") + readable_size(record.size) if record.files else "-"
        print(f"{record.name:<26}{size:>10}  {_state(record, root):<14}{record.used_for}")
    print("\nLicence, citation and check sums: python -m data_scripts list NAME")
    print("~ marks a size that is only approximately known.")
    for record in records.values():
        if record.part:
            print(f"{record.name} is fetched part by part; the size is that of {record.part} with its tables.")
        if not record.files:
            print(f"{record.name}: {record.note}")
    return 0


def _first_part(name: str) -> str:
    return "train_000" if name.lower().replace("-", "_") == "google_landmarks_v2" else ""


def _state(record: Record, root: Path) -> str:
    if record.part:
        parts = _complete_parts(record, root)
        return f"{len(parts)} part(s)" if parts else "-"
    if not record.files and not is_complete(root / record.name, record.name):
        return "address dead"
    if Workplace(root, record).is_complete():
        return "complete"
    partial = (root / "archives" / record.name).exists()
    return "begun" if partial else "-"


def _complete_parts(record: Record, root: Path) -> list[str]:
    markers = sorted((root / record.name).glob(f"*/{MARKER}"))
    return [m.parent.name for m in markers if is_complete(m.parent, record.name, m.parent.name)]


def _get(options: argparse.Namespace, root: Path) -> int:
    record = find_record(options.name, options.part, options.catalogue)
    patience = Patience(options.stall_timeout, options.attempts, options.retry_wait)
    settings = Settings(options.mirror, tuple(options.allow_host), patience, options.lock_wait)
    get(record, root, lambda sentence: print(sentence, flush=True), lambda: _agreed(options.yes), settings)
    return 0


def _agreed(yes: bool) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise DataScriptError("Nobody can be asked here (no terminal). If size and licence are fine with you, add --yes.")
    return input("Fetch it? [y/N] ").strip().lower() in ("y", "yes")


def _verify(options: argparse.Namespace, root: Path) -> int:
    if _first_part(options.name) and not options.part:
        parts = _complete_parts(all_records()["google_landmarks_v2"], root) or ["train_000"]
    else:
        parts = [options.part]
    healthy = True
    for part in parts:
        record = find_record(options.name, part, options.catalogue)
        wrong = damage(record, root)
        healthy = healthy and not wrong
        verdict = " is damaged:" if wrong else ": every file is as it was when the set was completed."
        print(f"{record.label}{verdict}")
        for sentence in wrong[:MAX_TOLD]:
            print(f"  {sentence}")
        if len(wrong) > MAX_TOLD:
            print(f"  ... and {len(wrong) - MAX_TOLD} more")
        if wrong:
            print(f"Remove {Workplace(root, record).target} and `get` it again.")
    return 0 if healthy else 1


def _positive(kind: type) -> Callable[[str], float]:
    """Return a reader of numbers above 0, for the options of ``get``."""

    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value < float("inf"):
            raise ValueError
        return value

    number.__name__ = "number above 0"  # what argparse shows
    return number


def _web_address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with http:// or https://")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data_scripts", description="Optional real data sets of the course.")
    commands = parser.add_subparsers(required=True, metavar="list | get | verify")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--root", help="folder of all data sets (default: COURSE_DATA, else the platform's data folder)")
    common.add_argument("--catalogue", type=Path, metavar="FILE", help="JSON file with data sets of your own")
    common.add_argument("--part", help="which part, for google_landmarks_v2: train_000, index_000, test_000 ...")

    listing = commands.add_parser("list", parents=[common], help="show all data sets, or everything about one")
    listing.add_argument("name", nargs="?")
    listing.set_defaults(run=_list)

    fetching = commands.add_parser("get", parents=[common], help="fetch a data set; continues what was interrupted")
    fetching.add_argument("name")
    fetching.add_argument("--yes", action="store_true", help="do not ask; size and licence are still shown")
    fetching.add_argument(
        "--mirror", type=_web_address, metavar="URL", help="fetch from URL/NAME/FILE, for example a server of the school"
    )
    fetching.add_argument("--allow-host", action="append", default=[], metavar="HOST", help="follow redirects to this host, too")
    fetching.add_argument(
        "--stall-timeout", type=_positive(float), default=30.0, metavar="S", help="seconds without data (default 30)"
    )
    fetching.add_argument(
        "--attempts", type=_positive(int), default=5, metavar="N", help="attempts in a row without progress (default 5)"
    )
    fetching.add_argument(
        "--retry-wait", type=_positive(float), default=1.0, metavar="S", help="pause before the second attempt "
    )
    fetching.add_argument("--lock-wait", type=float, default=3600.0, metavar="S", help="wait for another process (default 3600)")
    fetching.set_defaults(run=_get)

    verifying = commands.add_parser("verify", parents=[common], help="read every byte and compare")
    verifying.add_argument("name")
    verifying.set_defaults(run=_verify)
    return parser
