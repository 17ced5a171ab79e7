"""Attention against masks: mass, area, area under the ROC curve."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from course_utils.retrieval import ReceptiveField, attention_quality
from course_utils.retrieval.attention_quality import cells_on_landmark

FIELD = ReceptiveField(size=7, stride=4, padding=2)  # centres at 1.5, 5.5, 9.5 ...


def scores_and_masks(n=5, seed=0):
    random = np.random.default_rng(seed)
    masks = np.zeros((n, 16, 24), bool)
    for mask in masks:
        y, x = random.integers(0, 10), random.integers(0, 14)
        mask[y : y + 7, x : x + 9] = True
    return random.gamma(1.0, size=(n, 4, 6)).round(1), masks


def test_a_cell_is_on_the_landmark_when_its_key_point_is():
    masks = np.zeros((1, 16, 24), bool)
    masks[0, 5, 9] = True
    assert np.argwhere(cells_on_landmark(masks, FIELD, 4, 6)).tolist() == [[0, 1, 2]]


def test_mass_and_area_are_the_sums_written_out():
    scores, masks = scores_and_masks()
    quality = attention_quality(scores, masks, FIELD)
    for b in range(len(scores)):
        inside = [(r, c) for r in range(4) for c in range(6) if masks[b, 4 * r + 1, 4 * c + 1]]
        assert quality.mass[b] == pytest.approx(sum(scores[b][cell] for cell in inside) / scores[b].sum())
        assert quality.area[b] == len(inside) / 24


def test_the_area_under_the_curve_is_the_one_of_scikit_learn_with_ties():
    scores, masks = scores_and_masks(8)
    inside = cells_on_landmark(masks, FIELD, 4, 6)
    expected = [roc_auc_score(i.ravel(), s.ravel()) for i, s in zip(inside, scores)]
    np.testing.assert_allclose(attention_quality(scores, masks, FIELD).auc, expected)


def test_constant_scores_have_the_mass_of_the_area_and_half_the_curve():
    _, masks = scores_and_masks()
    quality = attention_quality(np.full((5, 4, 6), 0.3), masks, FIELD)
    np.testing.assert_allclose(quality.mass, quality.area)
    np.testing.assert_allclose(quality.auc, 0.5)


def test_a_monotone_change_moves_the_mass_and_not_the_curve():
    scores, masks = scores_and_masks()
    plain, squared = attention_quality(scores, masks, FIELD), attention_quality(scores**2, masks, FIELD)
    np.testing.assert_allclose(plain.auc, squared.auc)
    assert not np.allclose(plain.mass, squared.mass)


def test_what_cannot_be_measured_is_nan():
    masks = np.stack([np.zeros((16, 24), bool), np.ones((16, 24), bool)])
    quality = attention_quality(np.zeros((2, 4, 6)), masks, FIELD)
    assert np.isnan(quality.auc).all()
    assert np.isnan(quality.mass).all()
    assert quality.area.tolist() == [0.0, 1.0]


def test_bad_input_is_refused_by_name():
    scores, masks = scores_and_masks()
    with pytest.raises(ValueError, match="`scores` must be 0 or more"):
        attention_quality(scores - 5, masks, FIELD)
    with pytest.raises(ValueError, match=r"`masks` must be one mask per score map \(5\), but got 4"):
        attention_quality(scores, masks[:4], FIELD)
    with pytest.raises(ValueError, match="`masks` must be as large as the images of the map, but got 8 x 8"):
        attention_quality(scores, masks[:, :8, :8], FIELD)
