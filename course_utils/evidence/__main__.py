"""Command line of the claim ledger: ``python -m course_utils.evidence list | run ID ... [--seeds N] [--jobs N]``."""

from __future__ import annotations

import argparse

from course_utils import evidence
from course_utils.profile import use_threads


def main() -> None:
    """Read the command line and list or run claims."""
    parser = argparse.ArgumentParser(prog="python -m course_utils.evidence", description="The course's claim ledger.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every claim with its recorded verdict")
    run = commands.add_parser("run", help="run claims and store their records")
    run.add_argument("keys", nargs="+", help="keys from the list, or: all")
    run.add_argument("--seeds", type=int, default=5, help="number of seeds (default 5)")
    run.add_argument("--jobs", type=int, default=1, help="seeds to run at the same time (default 1)")
    options = parser.parse_args()
    if options.command == "list":
        for key, claim in sorted(evidence.CLAIMS.items()):
            print(f"{key}: {claim.sentence} [{_verdict(key)}]")
        return
    use_threads(1)
    keys = sorted(evidence.CLAIMS) if options.keys == ["all"] else options.keys
    for result in evidence.record(keys, options.seeds, options.jobs):
        key = result.key
        for pair, comparison in result.comparisons.items():
            print(
                f"{key}: {pair}: {comparison['mean']:+.3f} ({comparison['low']:+.3f} to {comparison['high']:+.3f}), "
                f"{comparison['wins']} of {comparison['n_seeds']} seeds: {comparison['verdict']}"
            )
        print(f"{key}: {result.verdict}")


def _verdict(key: str) -> str:
    try:
        return evidence.recorded(key).verdict
    except FileNotFoundError:
        return "not recorded yet"


if __name__ == "__main__":
    main()
