"""Precision and recall along a list: scikit-learn, hand-made lists, and the envelope."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve as sklearn_curve

from course_utils.retrieval import average_precision, precision_recall_curve


def random_list(seed, levels=5):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    relevant = rng.random(n) < rng.uniform(0.05, 0.9)
    relevant[rng.integers(n)] = True
    return rng.integers(-levels, levels, n) / levels, relevant


def test_a_list_of_five_by_hand():
    curve = precision_recall_curve([0.9, 0.8, 0.7, 0.6, 0.5], [0, 1, 1, 0, 1])
    np.testing.assert_allclose(curve.precision, [0, 1 / 2, 2 / 3, 2 / 4, 3 / 5])
    np.testing.assert_allclose(curve.recall, [0, 1 / 3, 2 / 3, 2 / 3, 1])
    np.testing.assert_allclose(curve.envelope, [2 / 3, 2 / 3, 2 / 3, 3 / 5, 3 / 5])
    np.testing.assert_array_equal(curve.thresholds, [0.9, 0.8, 0.7, 0.6, 0.5])
    np.testing.assert_array_equal(curve.ranks, [1, 2, 3, 4, 5])
    assert len(curve) == 5


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([2, 5, 10**6]))
def test_the_curve_is_that_of_scikit_learn_turned_round(seed, levels):
    scores, relevant = random_list(seed, levels)
    curve = precision_recall_curve(scores, relevant)
    precision, recall, thresholds = sklearn_curve(relevant, scores)
    np.testing.assert_allclose(curve.precision, precision[:-1][::-1], atol=1e-15)
    np.testing.assert_allclose(curve.recall, recall[:-1][::-1], atol=1e-15)
    np.testing.assert_array_equal(curve.thresholds, thresholds[::-1])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), ties=st.sampled_from(["group", "stable"]))
def test_areas_under_the_curve_are_the_average_precisions(seed, ties):
    scores, relevant = random_list(seed)
    curve = precision_recall_curve(scores, relevant, ties=ties)
    gain = np.diff(curve.recall, prepend=0.0)
    left = np.concatenate([[1.0], curve.precision[:-1]])
    heights = {"step": curve.precision, "trapezoid": (left + curve.precision) / 2, "all-point": curve.envelope}
    for convention, height in heights.items():
        assert gain @ height == pytest.approx(average_precision(scores, relevant, convention, ties=ties), abs=1e-14)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_envelope_never_rises_and_is_the_least_cover_of_the_precision(seed):
    curve = precision_recall_curve(*random_list(seed))
    assert (np.diff(curve.envelope) <= 0).all()
    np.testing.assert_array_equal(curve.envelope, [curve.precision[i:].max() for i in range(len(curve))])


def test_equal_scores_are_one_point_or_one_point_each():
    scores, relevant = [0.5, 0.5, 0.2], [0, 1, 1]
    assert precision_recall_curve(scores, relevant).precision == pytest.approx([1 / 2, 2 / 3])
    assert precision_recall_curve(scores, relevant, ties="stable").precision == pytest.approx([0, 1 / 2, 2 / 3])


def test_infinite_scores_tie_and_stand_at_the_ends():
    curve = precision_recall_curve([np.inf, -np.inf, np.inf, -np.inf, 0.0], [1, 0, 0, 1, 0])
    np.testing.assert_array_equal(curve.ranks, [2, 3, 5])
    np.testing.assert_array_equal(curve.thresholds, [np.inf, 0.0, -np.inf])


def test_junk_is_taken_out_first_whatever_its_score():
    plain = precision_recall_curve([3.0, 2.0, 1.0], [0, 1, 1])
    with_junk = precision_recall_curve([np.nan, 3.0, 2.5, 2.0, 1.0], [0, 0, 0, 1, 1], junk=[1, 0, 1, 0, 0])
    for name in ("precision", "recall", "thresholds", "ranks", "envelope"):
        np.testing.assert_array_equal(getattr(with_junk, name), getattr(plain, name))


def test_a_partial_list_ends_before_full_recall():
    curve = precision_recall_curve([2.0, 1.0], [1, 0], n_relevant=4)
    np.testing.assert_array_equal(curve.recall, [0.25, 0.25])
    assert len(precision_recall_curve([], [], n_relevant=1)) == 0


def test_tensors_are_accepted():
    curve = precision_recall_curve(torch.tensor([0.1, 0.2]), torch.tensor([True, False]))
    np.testing.assert_array_equal(curve.precision, [0, 0.5])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: precision_recall_curve([1.0], [0]), "at least one relevant item, but got none.*0 / 0"),
        (lambda: precision_recall_curve([1.0], [0], n_relevant=0), "at least one relevant item"),
        (lambda: precision_recall_curve([np.nan], [1]), "`scores` must be numbers, but got NaN"),
        (lambda: precision_recall_curve([1.0], [1], ties="expected"), "`ties` must be one of 'group', 'stable'"),
        (lambda: precision_recall_curve([1.0, 2.0], [1, 1], n_relevant=1), "`n_relevant` must be an integer of at least 2"),
        (lambda: precision_recall_curve([1.0], [3]), "0 and 1 only"),
        (lambda: precision_recall_curve([1.0], [1], junk=[1]), "disjoint"),
        (lambda: precision_recall_curve([1.0], [1, 0]), "shape of `scores`"),
    ],
)
def test_promised_errors_are_raised_in_words(call, text):
    with pytest.raises(ValueError, match=text):
        call()
