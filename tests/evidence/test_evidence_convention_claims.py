"""The experiment about winners that change with the convention, on systems whose values are known."""

import numpy as np
import pytest

from course_utils.evidence import convention_claims
from course_utils.evidence.convention_claims import MEASURES, changed_winners, convention_flips, random_systems


def test_only_close_pairs_count_and_an_equal_value_is_another_verdict() -> None:
    values = {
        "step": np.array([0.500, 0.505, 0.600]),
        "turned": np.array([0.7, 0.6, 0.1]),
        "kept": np.array([0.1, 0.2, 0.0]),
        "equal": np.array([0.3, 0.3, 0.3]),
    }
    assert changed_winners(values) == ({"turned": 1.0, "kept": 0.0, "equal": 1.0}, 1)
    assert changed_winners(values, close=0.2)[1] == 3


def test_systems_that_are_far_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="No two of 2 systems differ by less than 0.01"):
        changed_winners({"step": np.array([0.1, 0.9]), "other": np.array([0.1, 0.9])})


def test_the_experiment_repeats_and_gives_a_share_for_every_measure(monkeypatch) -> None:
    monkeypatch.setattr(convention_claims, "N_SYSTEMS", 12)
    shares = convention_flips(3)
    assert list(shares) == ["step again", *list(MEASURES)[1:]]
    assert shares["step again"] == 0.0 and all(0 <= share <= 1 for share in shares.values())
    assert shares == convention_flips(3)


def test_queries_are_not_in_the_database_so_every_query_has_ten_relevant_items(monkeypatch) -> None:
    seen = {}

    def measure(scores, relevant):
        seen["relevant"], seen["best"] = relevant.sum(axis=1), scores.max()
        return convention_claims.retrieval.mean_average_precision(scores, relevant)

    monkeypatch.setattr(convention_claims, "MEASURES", {"step": measure})
    assert len(random_systems(1, n_systems=2)["step"]) == 2
    assert (seen["relevant"] == 10).all() and len(seen["relevant"]) == 200
    assert seen["best"] < 1 - 1e-9  # no image finds itself
