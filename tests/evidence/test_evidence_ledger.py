"""The ledger records what was run, judges it by the rule written down before, and refuses what it cannot judge."""

from __future__ import annotations

import json

import pytest

from course_utils import evidence
from course_utils.evidence import ledger


def experiment(seed: int) -> dict[str, float]:
    return {"old": 0.5 + 0.01 * seed, "new": 0.6 + 0.01 * seed + 0.001 * (seed % 2), "same": 0.5 + 0.01 * seed}


@pytest.fixture
def toy(monkeypatch, tmp_path):
    monkeypatch.setattr(ledger, "CLAIMS", dict(ledger.CLAIMS))
    monkeypatch.setattr(ledger, "RECORDS", tmp_path)
    claim = evidence.Claim("toy", "Nobody 2000", "New beats old.", experiment, [("new", "old")], 0.05, "score", "tiny")
    return ledger.register(claim)


def test_a_record_holds_every_seed_and_can_be_judged_again(toy):
    (made,) = ledger.record(["toy"], n_seeds=4)
    again = ledger.recorded("toy")
    assert again == made
    assert again.figures["old"] == pytest.approx([0.51, 0.52, 0.53, 0.54])
    assert again.verdict == "holds"
    assert again.comparisons["new > old"]["wins"] == 4
    assert set(again.versions) > {"python", "torch", "numpy"}


def test_a_claim_of_two_comparisons_holds_only_if_both_do(toy):
    both = evidence.Claim("both", "x", "y.", experiment, [("new", "old"), ("same", "old")], 0.05, "score", "tiny")
    ledger.register(both)
    assert ledger.run(["both"], 3)[0].verdict == "does not hold"


def test_claims_of_one_run_share_a_seed_so_that_they_can_share_its_network(toy):
    trained = []

    def network(seed):
        if seed not in trained:
            trained.append(seed)
        return experiment(seed)

    for key in ("first", "second"):
        ledger.register(evidence.Claim(key, "x", "y.", network, [("new", "old")], 0.0, "score", "tiny"))
    first, second = ledger.run(["first", "second"], 3)
    assert (first.key, second.key) == ("first", "second") and first.figures == second.figures
    assert trained == first.seeds == second.seeds


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [(["holds", "holds"], "holds"), (["holds", "undecided"], "undecided"), (["undecided", "does not hold"], "does not hold")],
)
def test_the_verdict_on_a_claim_is_its_weakest_comparison(verdicts, expected):
    assert ledger.overall(verdicts) == expected


def test_a_method_without_a_figure_is_refused(toy):
    ledger.register(evidence.Claim("gap", "x", "y.", experiment, [("new", "missing")], 0.0, "score", "tiny"))
    with pytest.raises(ValueError, match="missing"):
        ledger.run(["gap"], 2)


def test_an_unknown_key_lists_the_known_ones(toy):
    with pytest.raises(ValueError, match=r"toy.*nonsense"):
        ledger.claim("nonsense")


def test_a_missing_record_names_the_command(toy):
    with pytest.raises(FileNotFoundError, match="make evidence CLAIMS=toy"):
        ledger.recorded("toy")


def test_a_table_sets_claims_with_the_same_pairs_side_by_side(toy):
    ledger.register(evidence.Claim("other", "x", "y.", experiment, [("new", "old")], 0.2, "score", "tiny"))
    for key in ("toy", "other"):
        ledger.record([key], n_seeds=4)
    head, _, row, _, foot = ledger.table({"first": "toy", "second": "other"}).splitlines()
    assert head == "| | first | second |"
    assert row.startswith("| new against old | +10.0 points (") and row.count("4 of 4 seeds") == 2
    first, second = row.split(" | ")[1:]
    assert first.endswith("**holds**") and second.endswith("**does not hold** |")
    assert "at least 20 points of score, 5 points of score counts" in foot and "CLAIMS=other SEEDS=4" in foot


def test_a_table_of_different_pairs_is_refused(toy):
    ledger.register(evidence.Claim("else", "x", "y.", experiment, [("same", "old")], 0.2, "score", "tiny"))
    for key in ("toy", "else"):
        ledger.record([key], n_seeds=2)
    with pytest.raises(ValueError, match="`columns` must be claims that compare the same pairs, but got toy, else"):
        ledger.table({"a": "toy", "b": "else"})


def test_one_seed_is_refused(toy):
    with pytest.raises(ValueError, match="n_seeds"):
        ledger.run(["toy"], 1)


def test_a_second_claim_under_the_same_key_is_refused(toy):
    with pytest.raises(ValueError, match="new to the ledger"):
        ledger.register(toy)


@pytest.mark.parametrize("key", sorted(evidence.CLAIMS))
def test_every_claim_has_a_record_that_its_own_rule_confirms(key):
    """The verdict in the file is the one that the figures in the file give: nobody edited either by hand."""
    claim, found = evidence.claim(key), evidence.recorded(key)
    assert len(found.seeds) >= 5
    comparisons = claim.compare(found.figures)
    assert found.verdict == ledger.overall([c.verdict for c in comparisons.values()])
    for (a, b), comparison in comparisons.items():
        stored = found.comparisons[f"{a} > {b}"]
        assert stored["mean"] == pytest.approx(comparison.mean, abs=2e-6)
        assert stored["verdict"] == comparison.verdict
    raw = json.loads((ledger.RECORDS / f"{key}.json").read_text(encoding="utf-8"))
    assert "/" not in raw["machine"]["processor"]
