"""The experiments about geometry as confidence, on small galleries."""

import numpy as np
import pytest
import torch

from course_utils import data, retrieval
from course_utils.evidence import claim, landmark_claims
from course_utils.evidence.landmark_claims import both_metrics, confidence, empty_streets, gap, queries


@pytest.fixture
def small(monkeypatch):
    """At most 24 photographs of every split."""
    whole = data.Landmarks

    def few(split, seed=1, n_images=None):
        return whole(split, seed=seed, n_images=min(n_images or 24, 24))

    monkeypatch.setattr(landmark_claims.data, "Landmarks", few)


def test_gap_of_a_shortlist_is_that_of_its_answers_and_minus_one_abstains():
    found = retrieval.Shortlist(
        np.array([[0], [1], [2]]), np.array([[0.9], [0.8], [0.7]], np.float32), np.array([[5], [-1], [6]])
    )
    assert gap(found, np.array([5, -1, 6]), "similarity", "similarity") == 1.0
    assert gap(found, np.array([7, -1, 6]), "similarity", "similarity") == pytest.approx(0.25)


def test_queries_with_and_without_a_landmark_are_mixed_and_repeat(small):
    images, labels = queries("test", 2, n_views=6, n_empty=4)
    again, same = queries("test", 2, n_views=6, n_empty=4)
    assert torch.equal(images, again) and (labels == same).all()
    assert len(images) == 10 and (labels == -1).sum() == 4 and (labels[:4] >= 0).any() and (labels[4:] >= 0).any()


def test_empty_streets_go_on_where_the_split_ends(small):
    streets = empty_streets(1, 26)
    assert streets.shape == (26, 3, 112, 112)
    further = data.landmarks.rendered_view("distractor", -1, 24, 1).image
    assert torch.equal(streets[24], further) and torch.equal(streets[:5], empty_streets(1, 5))


def test_the_experiments_give_every_figure_of_their_claims_and_repeat(small):
    four = confidence(1, n_views=6, n_empty=4)
    assert set(four) >= {name for pair in claim("inliers-as-confidence").pairs for name in pair}
    assert all(0 <= value <= 1 for value in four.values()) and four == confidence(1, n_views=6, n_empty=4)
    gains = both_metrics(1, n_views=6, n_empty=4)
    assert set(gains) >= {name for pair in claim("gap-moves-more-than-map").pairs for name in pair}
    assert gains["no change"] == 0 and all(-1 <= value <= 1 for value in gains.values())
