"""The common form of local features: shapes, subsets, refusals."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from course_utils.retrieval import LocalFeatureSet


def some(n=5, dim=3, **changes):
    random = np.random.default_rng(0)
    descriptors = random.normal(size=(n, dim))
    corners = random.uniform(-5, 30, (n, 2))
    parts = {
        "points": corners + 4,
        "descriptors": descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True),
        "scores": np.array([0.3, 0.9, 0.3, 0.1, 0.5])[:n],
        "scales": np.array([1.0, 0.5, 1.0, 2.0, 0.5])[:n],
        "boxes": np.concatenate([corners, corners + 8], axis=1),
        "size": (32, 48),
    }
    return LocalFeatureSet(**(parts | changes))


def test_everything_is_float32_and_has_one_row_per_feature():
    features = some()
    assert len(features) == 5
    for array in (features.points, features.descriptors, features.scores, features.scales, features.boxes):
        assert array.dtype == np.float32
        assert len(array) == 5
    assert features.size == (32, 48)


def test_a_mask_indices_and_a_slice_choose_rows_of_every_field():
    features = some()
    by_mask, by_index, by_slice = features[features.scores > 0.4], features[[1, 4]], features[1::3]
    assert by_mask.equals(by_index)
    assert by_mask.equals(by_slice)
    np.testing.assert_array_equal(by_index.points, features.points[[1, 4]])
    np.testing.assert_array_equal(features[[4, 1]].boxes, features.boxes[[4, 1]])


def test_choosing_nothing_gives_an_empty_set_that_still_knows_its_dimension():
    for nothing in (some()[[]], some()[np.zeros(5, bool)], LocalFeatureSet.empty(3, (32, 48))):
        assert len(nothing) == 0
        assert nothing.descriptors.shape == (0, 3)
        assert "0 features" in repr(nothing)


def test_a_single_integer_is_refused_because_a_subset_is_a_set():
    with pytest.raises(TypeError, match="mask, a list of indices"):
        some()[2]


def test_top_orders_by_score_and_keeps_the_order_of_equal_scores():
    features = some()
    np.testing.assert_array_equal(features.top(4).points, features.points[[1, 4, 0, 2]])
    assert len(features.top(99)) == 5
    assert len(features.top(0)) == 0
    with pytest.raises(ValueError, match="`n` must be an integer of at least 0"):
        features.top(-1)


def test_within_includes_the_lower_ends_of_the_box_and_not_the_upper_ones():
    features = some(points=[[1, 1], [2, 5], [5, 5], [0.9, 3], [4.9, 1]])
    np.testing.assert_array_equal(features.within((1, 1, 5, 6)).points, np.float32([[1, 1], [2, 5], [4.9, 1]]))
    with pytest.raises(ValueError, match="`box`"):
        features.within((1, 2, 3))


def test_the_display_says_how_many_at_which_scales_and_whether_the_threshold_was_passed():
    assert repr(some()) == "LocalFeatureSet(5 features of 3 numbers at scales 0.5, 1, 2, image 32 x 48)"
    assert "none above the threshold" in repr(some(below_threshold=True))
    assert some(below_threshold=True)[[0]].below_threshold


def test_fields_cannot_be_replaced():
    with pytest.raises(FrozenInstanceError):
        some().size = (1, 1)


def test_equals_sees_a_change_in_any_field():
    assert some().equals(some())
    for changes in ({"scores": np.zeros(5)}, {"size": (32, 49)}, {"below_threshold": True}, {"points": np.zeros((5, 2))}):
        assert not some().equals(some(**changes))


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"points": np.zeros((5, 3))}, ValueError, r"`points` must be an array of shape \(N, 2\)"),
        ({"scores": np.zeros(4)}, ValueError, r"`scores` must be one entry per point \(5\), but got 4 entries"),
        ({"scores": np.full(5, np.nan)}, ValueError, "`scores` must be finite"),
        (
            {"descriptors": np.ones((5, 3))},
            ValueError,
            "`descriptors` must be rows of unit length, but got length 1.732 in row 0",
        ),
        ({"scales": np.array([1.0, 1, 0, 1, 1])}, ValueError, "`scales` must be above 0"),
        ({"boxes": np.zeros((5, 4))}, ValueError, "`boxes` must be .* with x0 < x1"),
        ({"size": 32}, TypeError, "`size` must be a pair"),
        ({"size": (0, 4)}, ValueError, r"`size\[0\]` must be an integer of at least 1"),
        ({"points": "here"}, TypeError, "`points` must be an array of numbers"),
    ],
)
def test_bad_input_is_refused_by_name(changes, error, text):
    with pytest.raises(error, match=text):
        some(**changes)
