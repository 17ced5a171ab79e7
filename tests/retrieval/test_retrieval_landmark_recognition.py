"""The baseline recogniser: what label and confidence come from, and that inliers are counted on the right pairs."""

import numpy as np
import pytest
import torch

from course_utils import data
from course_utils.retrieval import LandmarkRecognizer, LocalFeatureSet, Shortlist, global_average_precision


@pytest.fixture
def shortlist():
    return Shortlist(
        indices=np.array([[4, 2, 0], [1, 3, 5]]),
        similarities=np.array([[0.9, 0.8, 0.7], [0.95, 0.5, 0.4]], np.float32),
        labels=np.array([[7, 8, 9], [-1, 8, 8]]),
        n_inliers=np.array([[5, 20, 5], [4, 4, 3]]),
    )


def test_label_and_confidence_may_come_from_different_evidence(shortlist):
    assert [list(part) for part in shortlist.answers()] == [[7, -1], pytest.approx([0.9, 0.95])]
    assert [list(part) for part in shortlist.answers("inliers", "inliers")] == [[8, -1], [20, 4]]
    assert [list(part) for part in shortlist.answers("similarity", "inliers")] == [[7, -1], [5, 4]]
    assert [list(part) for part in shortlist.answers("inliers", "similarity")] == [[8, -1], pytest.approx([0.8, 0.95])]


def test_combined_evidence_orders_by_inliers_and_then_by_similarity(shortlist):
    combined = shortlist.evidence("combined")
    assert (np.floor(combined) == shortlist.n_inliers).all()
    assert combined[0, 0] > combined[0, 2] and combined[1, 0] > combined[1, 1]
    assert shortlist.reranked().tolist() == [[2, 4, 0], [1, 3, 5]]
    assert shortlist.reranked("similarity").tolist() == shortlist.indices.tolist()


def test_a_query_whose_best_image_shows_no_landmark_abstains(shortlist):
    assert shortlist.predictions(["a", "b"], "combined", "inliers") == {"a": (8, 20.0)}
    assert global_average_precision(shortlist.predictions(["a", "b"]), {"a": {7}, "b": {8}}) == 0.5
    with pytest.raises(ValueError, match="one id for each of the 2 queries, but got 1"):
        shortlist.predictions(["a"])


def test_inliers_must_be_counted_before_they_are_asked_for():
    plain = Shortlist(np.array([[0]]), np.array([[0.5]], np.float32), np.array([[3]]))
    for kind in ("inliers", "combined"):
        with pytest.raises(ValueError, match="before `verify` was called"):
            plain.evidence(kind)
    with pytest.raises(ValueError, match="kind"):
        plain.evidence("product")


class Colour:
    """Describes an image by its mean colour."""

    def describe(self, images):
        vectors = images.float().mean((2, 3)).numpy()
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def corner_features(image):
    """Give an image eight features at places that depend on its first pixel: equal pixels, equal constellations."""
    rng = np.random.default_rng(int(image[0, 0, 0]))
    points = rng.uniform(10, 90, (8, 2))
    vectors = np.random.default_rng(0).normal(size=(8, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return LocalFeatureSet(points, vectors, np.ones(8), np.ones(8), np.column_stack([points - 4, points + 4]), (100, 100))


@pytest.fixture
def gallery():
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    images[0, 0], images[1, 0], images[2, 1], images[3, 2] = 200, 100, 150, 150
    images[0, 1] = 20
    return images


def test_the_shortlist_is_that_of_all_pairs_sorted(gallery):
    recognizer = LandmarkRecognizer(Colour(), corner_features, n_candidates=3).fit(gallery, [5, 6, 7, 8])
    found = recognizer.search(gallery)
    vectors = Colour().describe(gallery)
    np.testing.assert_array_equal(found.indices, np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")[:, :3])
    np.testing.assert_array_equal(found.labels, np.array([5, 6, 7, 8])[found.indices])
    assert recognizer.search(gallery, 99).indices.shape == (4, 4)


def test_inliers_count_matches_that_agree_with_one_map(gallery):
    recognizer = LandmarkRecognizer(Colour(), corner_features, n_candidates=4, threshold=1.0).fit(gallery, [5, 6, 7, 8])
    query = gallery[1:2].clone()
    query[0, 1] = 70  # another colour, the same constellation
    found = recognizer.verify(query, recognizer.search(query))
    counts = dict(zip(found.labels[0].tolist(), found.n_inliers[0].tolist()))
    assert counts[6] == 8 and all(count < 6 for label, count in counts.items() if label != 6)
    assert found.answers("inliers", "inliers")[0].tolist() == [6]


def test_equal_queries_give_equal_counts_and_known_features_are_used(gallery):
    calls = []

    def counted(image):
        calls.append(1)
        return corner_features(image)

    recognizer = LandmarkRecognizer(Colour(), counted, n_candidates=4).fit(gallery, [5, 6, 7, 8])
    found = recognizer.search(gallery)
    first = recognizer.verify(gallery, found)
    assert len(calls) == 4 + 4, "every query and every gallery image once"
    known = [corner_features(image) for image in gallery]
    second = recognizer.verify(gallery, found, features=known)
    np.testing.assert_array_equal(first.n_inliers, second.n_inliers)
    assert len(calls) == 8


def test_verification_finds_the_right_monument_more_often_than_the_similarity():
    labels = [0, 1, 2, 3, 4, 5]
    gallery = torch.stack([data.landmarks.rendered_view("train", label, number).image for label in labels for number in (0, 1)])
    queries = torch.stack([data.landmarks.rendered_view("test", label, 0).image for label in labels])
    recognizer = LandmarkRecognizer(n_candidates=12).fit(gallery, np.repeat(labels, 2), random_state=0)
    found = recognizer.verify(queries, recognizer.search(queries))
    right = {kind: int((found.answers(kind, kind)[0] == labels).sum()) for kind in ("similarity", "combined")}
    assert right["combined"] >= max(right["similarity"], 4)


def test_what_cannot_be_a_recogniser_is_refused(gallery):
    with pytest.raises(TypeError, match="describe"):
        LandmarkRecognizer(describer=3)
    with pytest.raises(TypeError, match="a function of one image"):
        LandmarkRecognizer(Colour(), local=3)
    with pytest.raises(ValueError, match="n_candidates"):
        LandmarkRecognizer(Colour(), n_candidates=0)
    empty = LandmarkRecognizer(Colour(), corner_features)
    with pytest.raises(ValueError, match="Call `fit` first"):
        empty.search(gallery)
    with pytest.raises(ValueError, match="at least one image"):
        empty.fit(gallery[:0], [])
    with pytest.raises(ValueError, match="shape"):
        empty.fit(gallery, [1, 2])
    fitted = empty.fit(gallery, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="one for each of the 4 rows"):
        fitted.verify(gallery[:2], fitted.search(gallery))
