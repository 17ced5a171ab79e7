"""Matching against a KD-tree and against plain loops, with ties, repeated descriptors and bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from course_utils.retrieval import match_descriptors, matching


def unit(rows, dim=40, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def near(x, amount, seed):
    y = x + amount * np.random.default_rng(seed).normal(size=x.shape).astype(np.float32)
    return y / np.linalg.norm(y, axis=1, keepdims=True)


B = unit(150)
A = np.concatenate([near(B[::3], 0.1, 1), near(B[::5], 0.2, 2), unit(40, seed=3)])


def by_loops(a, b, max_distance, one_to_one=True, mutual=False, max_ratio=None):
    """The definition, in float64: a list of (row, column)."""
    d = np.sqrt(((a[:, None].astype(float) - b[None]) ** 2).sum(-1))
    pairs = []
    for i, row in enumerate(d):
        j = int(row.argmin())
        others = np.delete(row, j)
        if row[j] >= max_distance or (max_ratio is not None and len(others) and row[j] > max_ratio * others.min()):
            continue
        if mutual and int(d[:, j].argmin()) != i:
            continue
        pairs.append((i, j))
    if one_to_one:
        pairs = [(i, j) for i, j in pairs if i == min((d[k, j], k) for k, c in pairs if c == j)[1]]
    return pairs


@pytest.mark.parametrize("max_distance", [0.5, 0.8, 0.9, 1.3])
def test_neighbours_below_the_threshold_are_those_of_a_kd_tree(max_distance):
    distances, nearest = cKDTree(B).query(A, distance_upper_bound=max_distance)
    rows = np.flatnonzero(np.isfinite(distances))
    matches = match_descriptors(A, B, max_distance, one_to_one=False)
    np.testing.assert_array_equal(matches.indices, np.column_stack([rows, nearest[rows]]))
    np.testing.assert_allclose(matches.distances, distances[rows], atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"mutual": True}, {"max_ratio": 0.8}, {"mutual": True, "one_to_one": False}])
def test_every_combination_of_tests_is_the_definition(options):
    assert list(map(tuple, match_descriptors(A, B, 0.9, **options).indices)) == by_loops(A, B, 0.9, **options)


def test_blocks_change_nothing(monkeypatch):
    whole = match_descriptors(A, B, 1.2, mutual=True, max_ratio=0.95)
    monkeypatch.setattr(matching, "BLOCK", 7 * len(B))
    parts = match_descriptors(A, B, 1.2, mutual=True, max_ratio=0.95)
    np.testing.assert_array_equal(whole.indices, parts.indices)
    np.testing.assert_array_equal(whole.distances, parts.distances)


def test_many_queries_of_one_index_descriptor_count_once_and_the_nearest_stays():
    a = np.concatenate([near(B[:1], amount, 7 + i) for i, amount in enumerate((0.09, 0.01, 0.05))])
    assert match_descriptors(a, B).indices.tolist() == [[1, 0]]
    assert match_descriptors(a, B, one_to_one=False).indices.tolist() == [[0, 0], [1, 0], [2, 0]]


def test_equal_descriptors_are_matched_in_order_of_their_rows_at_distance_zero():
    x = np.repeat(unit(3), 4, axis=0)
    matches = match_descriptors(x, x)
    assert matches.indices.tolist() == [[0, 0], [4, 4], [8, 8]]
    assert (matches.distances == 0).all()


def test_an_image_matches_itself_completely():
    matches = match_descriptors(B, B, mutual=True)
    np.testing.assert_array_equal(matches.indices, np.column_stack([np.arange(150)] * 2))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 10_000), st.floats(0.1, 2.1))
def test_one_to_one_and_the_threshold_hold_for_any_input(n, m, seed, max_distance):
    a, b = unit(n, 3, seed), unit(m, 3, seed + 1)
    matches = match_descriptors(a, b, max_distance)
    assert len(np.unique(matches.indices[:, 0])) == len(np.unique(matches.indices[:, 1])) == len(matches)
    assert (matches.distances < max_distance).all()
    mutual = match_descriptors(a, b, max_distance, mutual=True)
    assert {*map(tuple, mutual.indices)} <= {*map(tuple, matches.indices)}
    back = match_descriptors(b, a, max_distance, mutual=True)
    assert {*map(tuple, mutual.indices)} == {(i, j) for j, i in map(tuple, back.indices)}


@pytest.mark.parametrize("n, m", [(0, 5), (5, 0), (0, 0)])
def test_no_descriptors_no_matches(n, m):
    matches = match_descriptors(unit(n), unit(m))
    assert matches.indices.shape == (0, 2) and matches.indices.dtype == np.int64 and len(matches) == 0
    assert repr(matches) == "DescriptorMatches(0 pairs)"


def test_a_zero_row_matches_nothing():
    a = np.array([[0.0, 0.0], [0.0, 1.0]])
    b = np.array([[0.0, 0.0], [0.0, 1.0]])
    assert match_descriptors(a, b, 2.5).indices.tolist() == [[1, 1]]


def test_the_ratio_test_needs_a_second_neighbour():
    a = unit(2)
    assert len(match_descriptors(a, a[:1], max_ratio=0.8)) == 1  # there is none: the pair passes
    twins = np.concatenate([a[:1], near(a[:1], 0.001, 0)])
    assert len(match_descriptors(near(a[:1], 0.05, 1), twins, max_ratio=0.8)) == 0  # two windows that look alike


def test_half_precision_descriptors_pass_and_others_are_refused():
    match_descriptors(A.astype(np.float16), B.astype(np.float16))
    with pytest.raises(ValueError, match=r"`b` must be rows of unit length \(or zero\), but got length 2 in row 3"):
        bad = B.copy()
        bad[3] *= 2
        match_descriptors(A, bad)
    with pytest.raises(ValueError, match=r"`b` must be an array of shape \(N, 40\)"):
        match_descriptors(A, unit(5, 8))
    with pytest.raises(ValueError, match="`a` must be finite"):
        match_descriptors(np.full((2, 40), np.nan), B)
    with pytest.raises(TypeError, match="`a` must be an array of numbers"):
        match_descriptors(np.array([["x"]]), B)


@pytest.mark.parametrize("options", [{"max_distance": 0}, {"max_ratio": 0}, {"max_ratio": 1.5}, {"max_distance": np.nan}])
def test_thresholds_out_of_range_are_refused_by_name(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be a finite number"):
        match_descriptors(A, B, **options)
