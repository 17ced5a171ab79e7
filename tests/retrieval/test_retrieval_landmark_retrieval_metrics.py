"""mAP@k against its definition by loops, and its three conventions by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.retrieval import mean_average_precision_at_k, retrieval_at_k


def reference_map_at_k(predictions, truth, k):
    values = []
    for query, wanted in truth.items():
        if not wanted:
            continue
        seen, hits, total = set(), 0, 0.0
        for rank, item in enumerate(predictions.get(query, [])[:k], start=1):
            if item in wanted and item not in seen:
                hits += 1
                total += hits / rank
            seen.add(item)
        values.append(total / min(len(wanted), k))
    return sum(values) / len(values)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 12))
def test_map_at_k_equals_its_definition_by_loops(seed, k):
    rng = np.random.default_rng(seed)
    truth = {q: set(rng.integers(0, 15, rng.integers(0, 6)).tolist()) or None for q in range(8)}
    truth[8] = {3}
    predictions = {q: rng.integers(0, 15, rng.integers(0, 10)).tolist() for q in range(9) if rng.random() < 0.8}
    assert mean_average_precision_at_k(predictions, truth, k) == pytest.approx(
        reference_map_at_k(predictions, truth, k), abs=1e-12
    )


def test_more_relevant_images_than_k_still_allow_a_one():
    wanted = set(range(250))
    assert mean_average_precision_at_k({"q": list(range(100))}, {"q": wanted}) == 1.0
    assert mean_average_precision_at_k({"q": list(range(50))}, {"q": wanted}) == 0.5


def test_results_after_rank_k_do_not_count():
    assert mean_average_precision_at_k({"q": ["x"] * 100 + ["a"]}, {"q": {"a"}}) == 0.0
    assert mean_average_precision_at_k({"q": ["x"] * 99 + ["a"]}, {"q": {"a"}}) == pytest.approx(0.01)


def test_a_repeated_id_is_no_second_hit_and_keeps_its_rank():
    found = retrieval_at_k({"q": ["a", "a", "b"]}, {"q": {"a", "b"}})
    assert found.per_query["q"] == pytest.approx((1 + 2 / 3) / 2)
    assert mean_average_precision_at_k({"q": ["a"] * 5}, {"q": {"a"}}) == 1.0


def test_a_query_without_results_counts_zero_and_an_ignored_query_counts_nothing():
    truth = {"q1": {"a"}, "q2": {"b"}, "q3": None, "q4": set()}
    found = retrieval_at_k({"q1": ["a"], "q3": ["a"]}, truth)
    assert found.mean == 0.5 and found.per_query == {"q1": 1.0, "q2": 0.0}
    assert found.n_ignored == 2 and found.n_unanswered == 1
    assert repr(found).startswith("MeanAveragePrecisionAtK(mAP@100 0.5000; 2 queries scored, 1 of them unanswered, 2 ignored")


def test_empty_predictions_are_zero_and_not_an_error():
    assert mean_average_precision_at_k({}, {"q": {"a"}}) == 0.0


def test_results_may_be_arrays_of_ids():
    assert mean_average_precision_at_k({"q": np.array([4, 2])}, {"q": {2}}) == 0.5


def test_appending_a_wrong_result_changes_nothing():
    truth = {"q": {"a", "b"}}
    assert mean_average_precision_at_k({"q": ["a", "x"]}, truth) == mean_average_precision_at_k({"q": ["a"]}, truth)


@pytest.mark.parametrize(
    "predictions, truth, k, error, words",
    [
        ({"q9": ["a"]}, {"q": {"a"}}, 3, ValueError, "1 others, such as 'q9'"),
        ({}, {"q": set()}, 3, ValueError, "Q > 0"),
        ({}, {}, 3, ValueError, "no query at all"),
        ({"q": "abc"}, {"q": {"a"}}, 3, TypeError, "a list of index ids"),
        ({"q": {"a"}}, {"q": {"a"}}, 3, TypeError, "a list of index ids"),
        ({"q": ["a"]}, {"q": "a"}, 3, TypeError, "a set of index ids"),
        ({"q": ["1"]}, {"q": {1}}, 3, TypeError, "numbers, like those of `truth`, but got text"),
        ({"q": ["a"]}, {"q": {"a"}}, 0, ValueError, "`k`"),
        (["a"], {"q": {"a"}}, 3, TypeError, "a mapping"),
    ],
)
def test_map_at_k_refuses_what_it_cannot_judge(predictions, truth, k, error, words):
    with pytest.raises(error, match=words.replace("(", r"\(")):
        mean_average_precision_at_k(predictions, truth, k)
