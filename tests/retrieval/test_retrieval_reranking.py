"""Re-ranking: the order by (inliers, similarity, rank), junk, short lists and bad input."""

import numpy as np
import pytest
import torch

from course_utils.retrieval import LocalFeatureSet, match_descriptors, rerank, verify_geometry


def unit(rows, dim=24, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def features(points, descriptors):
    n = len(points)
    return LocalFeatureSet(points, descriptors, np.ones(n), np.ones(n), np.c_[points - 4, points + 4], (200, 200))


POINTS, WORDS = np.random.default_rng(0).uniform(20, 180, (14, 2)).astype(np.float32), unit(14)
QUERY = features(POINTS, WORDS)
SHUFFLED = features(np.random.default_rng(5).permutation(POINTS), WORDS)  # looks alike, but does not move together
STRANGER = features(POINTS, unit(14, seed=9))
SAME = features(0.8 * POINTS + [12, -7], WORDS)
HALF = features((POINTS + [3, 3])[:8], WORDS[:8])
CANDIDATES = [STRANGER, SHUFFLED, HALF, SAME, STRANGER, SAME]


def test_the_order_is_by_inliers_then_similarity_then_rank():
    result = rerank(QUERY, CANDIDATES, [0, 1, 2, 3, 4, 5], [0.9, 0.8, 0.7, 0.6, 0.9, 0.5], threshold=2.0)
    assert result.order.tolist() == [3, 5, 2, 1, 0, 4]
    assert result.n_inliers.tolist()[:3] == [14, 14, 8] and result.n_inliers.tolist()[4:] == [0, 0]
    assert result.n_matches.tolist() == [14, 14, 8, 14, 1, 1]
    np.testing.assert_allclose(result.similarities, [0.6, 0.5, 0.7, 0.8, 0.9, 0.9])
    assert 3 <= result.n_inliers[3] < 8


def test_the_numbers_are_those_of_matching_and_verification():
    result = rerank(QUERY, CANDIDATES, [1], [0.5], threshold=2.0, n_trials=60, generator=torch.Generator().manual_seed(3))
    pairs = match_descriptors(WORDS, SHUFFLED.descriptors, 0.9).indices
    alone = verify_geometry(
        POINTS[pairs[:, 0]], SHUFFLED.points[pairs[:, 1]], 2.0, n_trials=60, generator=torch.Generator().manual_seed(3)
    )
    assert result.n_inliers[0] == alone.n_inliers


def test_images_behind_the_shortlist_follow_as_they_were():
    result = rerank(QUERY, CANDIDATES, [0, 2, 1, 3], [0.9, 0.8, 0.7, 0.6], n_rerank=2)
    assert result.order.tolist() == [2, 0, 1, 3]
    assert result.n_inliers.tolist() == [8, 0, -1, -1] and result.n_matches.tolist() == [8, 1, -1, -1]


def test_junk_leaves_the_list_before_the_shortlist_is_cut():
    result = rerank(QUERY, CANDIDATES, [0, 1, 3], [0.9, 0.8, 0.7], n_rerank=1, junk=[1, 0])
    assert result.order.tolist() == [3] and result.n_inliers.tolist() == [14]
    assert rerank(QUERY, CANDIDATES, [0], [0.9], junk=[0]).order.shape == (0,)


def test_no_result_entries_of_a_search_are_dropped():
    result = rerank(QUERY, {3: SAME}, [3, -1, -1], [0.9, -np.inf, -np.inf])
    assert result.order.tolist() == [3]
    assert rerank(QUERY, {}, [-1], [-np.inf]).order.shape == (0,)


def test_equal_images_keep_the_order_of_the_search():
    result = rerank(QUERY, [STRANGER] * 5, [4, 2, 0, 1, 3], [0.5] * 5)
    assert result.order.tolist() == [4, 2, 0, 1, 3]


def test_a_query_without_features_changes_nothing():
    empty = LocalFeatureSet.empty(24, (200, 200))
    assert rerank(empty, CANDIDATES, [1, 3], [0.2, 0.1]).order.tolist() == [1, 3]


@pytest.mark.parametrize(
    "change, kind, error",
    [
        ({"query": POINTS}, TypeError, "`query` must be a LocalFeatureSet, but got ndarray"),
        ({"candidates": [POINTS] * 4}, TypeError, r"`candidates\[1\]` must be a LocalFeatureSet"),
        ({"similarities": [0.1]}, ValueError, r"`similarities` must be an array of shape \(2,\)"),
        (
            {"similarities": [0.1, np.nan]},
            ValueError,
            "`similarities` must be finite where there is a result, but got nan of image 3",
        ),
        ({"order": [3, 3]}, ValueError, "`order` must be without repeated images, but got image 3 twice"),
        ({"order": [1.0, 3.0]}, TypeError, "`order` must be an array of integers"),
        ({"n_rerank": 0}, ValueError, "`n_rerank` must be an integer of at least 1"),
        ({"candidates": [SAME]}, IndexError, "out of range"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, kind, error):
    arguments = {"query": QUERY, "candidates": CANDIDATES, "order": [1, 3], "similarities": [0.9, 0.8], **change}
    with pytest.raises(kind, match=error):
        rerank(**arguments)
