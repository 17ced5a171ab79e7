"""Recall, suppression, positives, localisation and precision-recall against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.neighbors import NearestNeighbors

from course_utils.retrieval import (
    localisation_error,
    panorama_shortlist,
    pooled_precision_recall,
    positives_within,
    recall_at_n,
    suppress_groups,
    suppress_radius,
    suppress_same,
)


def reference_recall(ranked, positives, n, empty):
    hits, queries = 0, 0
    for row, wanted in zip(ranked, positives):
        if empty == "drop" and len(wanted) == 0:
            continue
        queries += 1
        hits += any(int(r) >= 0 and int(r) in {int(w) for w in wanted} for r in row[:n])
    return hits / queries if queries else float("nan"), queries


def random_problem(seed, queries=12, size=9):
    rng = np.random.default_rng(seed)
    ranked = np.stack([rng.permutation(size) for _ in range(queries)])[:, :6]
    ranked[rng.random(ranked.shape) < 0.1] = -1
    positives = [rng.choice(size, rng.integers(0, 4), replace=False) for _ in range(queries)]
    return ranked, positives


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), empty=st.sampled_from(["count", "drop"]))
def test_recall_equals_the_loop_over_queries(seed, empty):
    ranked, positives = random_problem(seed)
    result = recall_at_n(ranked, positives, n=(1, 3, 6), empty=empty)
    for n, value in result.recall.items():
        expected, queries = reference_recall(ranked, positives, n, empty)
        assert value == expected and result.n_queries == queries


def test_four_queries_by_hand_with_both_denominators():
    ranked = [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 1, 2]]
    positives = [[0], [0], [5, 2], []]
    count, drop = (recall_at_n(ranked, positives, n=(1, 3), empty=e) for e in ("count", "drop"))
    assert count.recall == {1: 0.25, 3: 0.75} and count.n_queries == 4
    assert drop.recall == {1: 1 / 3, 3: 1.0} and drop.n_queries == 3
    assert count.n_empty == drop.n_empty == 1
    np.testing.assert_array_equal(count.first_hit, [1, 3, 3, 0])


def test_recall_at_the_database_size_is_one_for_queries_with_a_positive():
    ranked = np.stack([np.random.default_rng(i).permutation(7) for i in range(5)])
    assert recall_at_n(ranked, [[i] for i in range(5)], n=(7,)).recall[7] == 1.0


def test_recall_never_falls_with_n():
    ranked, positives = random_problem(3)
    values = list(recall_at_n(ranked, positives, n=range(1, 7)).recall.values())
    assert values == sorted(values)


def test_no_result_is_never_a_hit():
    assert recall_at_n([[-1, -1]], [[0, 8]], n=(2,)).recall[2] == 0.0


def test_all_queries_without_positives_give_nan_when_dropped_and_zero_when_counted():
    assert np.isnan(recall_at_n([[0]], [[]], n=(1,), empty="drop").recall[1])
    assert recall_at_n([[0]], [[]], n=(1,)).recall[1] == 0.0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: recall_at_n([[0, 1]], [[0]], n=(5,)), ValueError, "`n` must be at most 2.*Search deeper"),
        (lambda: recall_at_n([[0]], [[0], [1]], n=(1,)), ValueError, "one index array per query, 1, but got 2"),
        (lambda: recall_at_n([[0], [0]], [[0], [-1]], n=(1,)), ValueError, "-1 for query 1"),
        (lambda: recall_at_n([[0.5]], [[0]], n=(1,)), TypeError, "array of integers"),
        (lambda: recall_at_n([[0]], [[0]], n=(0,)), ValueError, "`n`"),
        (lambda: recall_at_n([[0]], [[0]], n=(1,), empty="skip"), ValueError, "`empty` must be one of 'count', 'drop'"),
        (lambda: suppress_groups([[7]], [0, 1]), ValueError, "between 0 and 1, or -1"),
        (lambda: panorama_shortlist([[0, 1]], np.arange(30), n=1), ValueError, "at least 12 results deep"),
        (lambda: pooled_precision_recall([[0.1]], [[]]), ValueError, "at least one positive pair"),
        (lambda: pooled_precision_recall([[0.1]], [[3]]), ValueError, r"`positives\[0\]` must be indices between 0 and 0"),
        (lambda: positives_within([[0, 0]], [[np.nan, 0]], 1), ValueError, "`database_positions` must be finite"),
        (lambda: positives_within([[0, 0]], [[0, 0]], -1), ValueError, "`radius`"),
    ],
)
def test_promised_errors_are_raised_in_words(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_positives_equal_scikit_learns_radius_neighbours_and_the_full_distance_matrix():
    rng = np.random.default_rng(0)
    query, database = rng.uniform(0, 60, (30, 2)), rng.uniform(0, 60, (80, 2))
    ours = positives_within(query, database, 12.5)
    theirs = NearestNeighbors(radius=12.5).fit(database).radius_neighbors(query, return_distance=False)
    full = np.hypot(*np.moveaxis(query[:, None] - database, -1, 0)) <= 12.5
    for a, b, c in zip(ours, theirs, full):
        np.testing.assert_array_equal(a, np.sort(b))
        np.testing.assert_array_equal(a, np.flatnonzero(c))


def test_the_radius_includes_its_end_and_beyond_excludes_its_own():
    database = [[3.0, 4.0], [0.0, 1.0], [5.0001, 0.0]]
    np.testing.assert_array_equal(positives_within([[0, 0]], database, 5.0)[0], [0, 1])
    np.testing.assert_array_equal(positives_within([[0, 0]], database, 5.0, beyond=1.0)[0], [0])
    assert positives_within([[0, 0]], np.zeros((0, 2)), 5.0)[0].size == 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_group_suppression_keeps_the_first_of_each_group(seed):
    ranked, _ = random_problem(seed)
    groups = np.random.default_rng(seed).integers(0, 4, 9)
    for row, kept in zip(ranked, suppress_groups(ranked, groups)):
        expected, seen = [], set()
        for r in row:
            if r >= 0 and groups[r] not in seen:
                seen.add(groups[r])
                expected.append(r)
        np.testing.assert_array_equal(kept, expected + [-1] * (len(row) - len(expected)))


def test_suppression_with_groups_of_one_changes_nothing():
    ranked = np.stack([np.random.default_rng(i).permutation(9) for i in range(4)])
    np.testing.assert_array_equal(suppress_groups(ranked, np.arange(9)), ranked)
    np.testing.assert_array_equal(suppress_radius(ranked, np.arange(18.0).reshape(9, 2), 0.0), ranked)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_radius_suppression_is_the_greedy_walk(seed):
    ranked, _ = random_problem(seed)
    positions = np.random.default_rng(seed).uniform(0, 10, (9, 2))
    for row, kept in zip(ranked, suppress_radius(ranked, positions, 4.0)):
        expected = []
        for r in row:
            if r >= 0 and all(np.hypot(*(positions[r] - positions[e])) > 4.0 for e in expected):
                expected.append(r)
        np.testing.assert_array_equal(kept, expected + [-1] * (len(row) - len(expected)))


def test_a_dropped_result_suppresses_nothing():
    # 0 keeps 1 away; 2 is near 1 but not near 0, so it stays.
    np.testing.assert_array_equal(suppress_radius([[0, 1, 2]], [[0, 0], [3, 0], [6, 0]], 4.0), [[0, 2, -1]])


def test_results_with_the_querys_own_label_are_dropped():
    ranked = suppress_same([[0, 1, 2], [0, 1, 2]], query_labels=[2020, 2021], database_labels=[2020, 2021, 2020])
    np.testing.assert_array_equal(ranked, [[1, -1, -1], [0, 2, -1]])


def test_the_tokyo_protocol_searches_twelve_times_n_and_cuts_after_suppression():
    panoramas = np.repeat(np.arange(4), 12)
    ranked = np.arange(48)[None]
    np.testing.assert_array_equal(panorama_shortlist(ranked, panoramas, n=3), [[0, 12, 24]])
    np.testing.assert_array_equal(panorama_shortlist(ranked[:, :12], panoramas, n=1), [[0]])
    np.testing.assert_array_equal(panorama_shortlist(ranked, panoramas, n=6), [[0, 12, 24, 36, -1, -1]])


def test_localisation_error_is_the_distance_to_the_first_result():
    result = localisation_error([[1, 0], [-1, -1], [0, 1]], [[0, 0], [0, 0], [3, 4]], [[0, 0], [0, 7]])
    np.testing.assert_array_equal(result.metres, [7, np.inf, 5])
    assert result.median == 7 and result.within(5) == pytest.approx(1 / 3)


def test_precision_recall_is_that_of_scikit_learn_over_all_pairs():
    rng = np.random.default_rng(0)
    scores, relevant = rng.integers(0, 8, (6, 10)) / 8, rng.random((6, 10)) < 0.3  # many ties
    curve = pooled_precision_recall(scores, [np.flatnonzero(r) for r in relevant])
    precision, recall, thresholds = precision_recall_curve(relevant.ravel(), scores.ravel())
    np.testing.assert_allclose(curve.precision, precision[:-1][::-1])
    np.testing.assert_allclose(curve.recall, recall[:-1][::-1])
    np.testing.assert_allclose(curve.thresholds, thresholds[::-1])
    assert curve.average_precision == pytest.approx(average_precision_score(relevant.ravel(), scores.ravel()))


def test_soft_pairs_are_removed_and_do_not_become_false_positives():
    scores = np.array([[0.9, 0.8, 0.1]])
    curve = pooled_precision_recall(scores, positives=[[0, 2]], soft=[[1]])
    assert curve.n_pairs == 2 and curve.n_removed == 1
    np.testing.assert_allclose(curve.precision, 1)
    at_minimum = pooled_precision_recall([[0.9, 0.1, 0.1]], positives=[[0, 2]])  # the wrong way: precision falls at the end
    assert at_minimum.precision[-1] == pytest.approx(2 / 3)


def test_a_pair_that_is_positive_and_soft_stays_positive():
    assert pooled_precision_recall([[0.5, 0.4]], [[0]], soft=[[0, 1]]).n_pairs == 1
