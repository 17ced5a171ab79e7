"""The protocol of re-identification: junk, rank-k and mAP, against loops and limit cases."""

import numpy as np
import pytest
import torch

from course_utils import retrieval
from course_utils.retrieval import reidentification
from course_utils.retrieval.reidentification import right_and_junk


def by_hand(scores, query, gallery, query_camera, gallery_camera, k):
    """Walk through every list as the protocol says it."""
    hits, precisions, first = [], [], []
    for row, person, camera in zip(scores, query, query_camera):
        walk = [
            gallery[j] == person
            for j in sorted(range(len(gallery)), key=lambda j: -row[j])
            if gallery[j] != -1 and not (gallery[j] == person and gallery_camera[j] == camera)
        ]
        first.append(walk.index(True) + 1 if any(walk) else 0)
        if any(walk):
            hits.append(any(walk[:k]))
            precisions.append(np.mean([sum(walk[: i + 1]) / (i + 1) for i, right in enumerate(walk) if right]))
    return np.mean(hits), np.mean(precisions), first, len(walk)


def test_it_agrees_with_a_walk_through_every_list():
    random = np.random.default_rng(0)
    for _ in range(20):
        query, gallery = random.integers(0, 6, 15), random.integers(-1, 7, 40)
        cameras = random.integers(0, 3, 15), random.integers(0, 3, 40)
        scores = random.normal(size=(15, 40))
        found = reidentification(scores, query, gallery, *cameras, ranks=(1, 3))
        for k in (1, 3):
            rank, precision, first, _ = by_hand(scores, query, gallery, *cameras, k)
            assert found.rank[k] == pytest.approx(rank)
        assert found.mean_average_precision == pytest.approx(precision)
        assert found.first_hit.tolist() == first and found.n_skipped == first.count(0) and found.n_queries == 15 - first.count(0)
        assert np.isnan(found.average_precision).tolist() == [rank == 0 for rank in first]


def test_a_picture_by_the_querys_own_camera_is_neither_right_nor_wrong():
    """Three pictures: the own camera's first, then a stranger, then the right one."""
    found = reidentification([[0.9, 0.5, 0.1]], [1], [1, 2, 1], [0], [0, 1, 1], ranks=(1, 2))
    assert found.rank == {1: 0.0, 2: 1.0} and found.first_hit.tolist() == [2]
    other_camera = reidentification([[0.9, 0.5, 0.1]], [1], [1, 2, 1], [3], [0, 1, 1], ranks=(1,))
    assert other_camera.rank == {1: 1.0} and other_camera.mean_average_precision == pytest.approx((1 + 2 / 3) / 2)


def test_the_same_pictures_by_other_cameras_are_found_first():
    random = np.random.default_rng(1)
    vectors = random.normal(size=(30, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = reidentification(vectors @ vectors.T, np.arange(30), np.arange(30), np.zeros(30, int), np.ones(30, int))
    assert found.rank == {1: 1.0, 5: 1.0, 10: 1.0} and found.mean_average_precision == 1.0


def test_random_scores_find_the_right_person_first_as_often_as_chance():
    random = np.random.default_rng(2)
    query, gallery = np.zeros(4000, int), np.repeat(np.arange(10), 3)
    found = reidentification(random.normal(size=(4000, 30)), query, gallery, query, np.ones(30, int))
    assert found.rank[1] == pytest.approx(3 / 30, abs=0.02)


def test_the_convention_of_the_benchmarks_code_is_the_trapezoid():
    arguments = [[0.9, 0.8, 0.7, 0.6]], [1], [2, 1, 3, 1], [0], [1, 1, 1, 2]
    expected = retrieval.average_precision([0.9, 0.8, 0.7, 0.6], [0, 1, 0, 1], "trapezoid")
    assert reidentification(*arguments, convention="trapezoid").mean_average_precision == pytest.approx(expected)
    assert reidentification(*arguments).mean_average_precision == pytest.approx(0.5)


def test_equal_scores_keep_the_order_of_the_gallery():
    found = reidentification([[0.5, 0.5, 0.5]], [1], [2, 1, 3], [0], [1, 1, 1], ranks=(1, 2))
    assert found.rank == {1: 0.0, 2: 1.0}


def test_nobody_to_find_gives_nan_and_is_counted():
    found = reidentification(
        torch.zeros(2, 2), torch.tensor([1, 2]), torch.tensor([1, 3]), torch.tensor([0, 0]), torch.tensor([0, 0])
    )
    assert np.isnan(found.rank[1]) and np.isnan(found.mean_average_precision)
    assert found.n_queries == 0 and found.n_skipped == 2 and found.first_hit.tolist() == [0, 0]


def test_an_empty_gallery_finds_nobody():
    found = reidentification(np.zeros((2, 0)), [1, 2], np.zeros(0, int), [0, 0], np.zeros(0, int))
    assert found.n_skipped == 2


def test_right_and_junk_never_meet():
    right, junk = right_and_junk([1, 2], [1, 1, -1, 2], [0, 1], [0, 1, 0, 0])
    assert right.tolist() == [[False, True, False, False], [False, False, False, True]]
    assert junk.tolist() == [[True, False, True, False], [False, False, True, False]]


@pytest.mark.parametrize(
    "changes, error, text",
    [
        ({"ranks": (0,)}, ValueError, "`ranks` must be an integer of at least 1"),
        ({"query_identities": [-1]}, ValueError, "`query_identities` must be people, but got -1"),
        ({"query_identities": [0.5]}, TypeError, "`query_identities` must be an array of integers"),
        ({"gallery_cameras": [0]}, ValueError, "`gallery_cameras` must be an array of shape"),
        ({"scores": [[0.1]]}, ValueError, "shape"),
        ({"scores": [[0.1, np.nan]]}, ValueError, "NaN"),
        ({"convention": "area"}, ValueError, "`convention` must be one of"),
    ],
)
def test_a_wrong_argument_is_refused(changes, error, text):
    arguments = {
        "scores": [[0.2, 0.1]],
        "query_identities": [1],
        "gallery_identities": [1, 2],
        "query_cameras": [0],
        "gallery_cameras": [1, 1],
    }
    with pytest.raises(error, match=text):
        reidentification(**(arguments | changes))
