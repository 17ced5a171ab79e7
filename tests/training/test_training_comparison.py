"""Paired comparison against scipy, by hand, and its three verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from course_utils.training import paired_comparison


def test_the_interval_is_that_of_scipys_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 9), rng.normal(0.5, 1, 9)
    expected = stats.ttest_rel(a, b).confidence_interval(0.9)
    found = paired_comparison(a, b, confidence=0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_comparison_solved_by_hand():
    found = paired_comparison([3.0, 5.0, 4.0], [1.0, 2.0, 3.0])  # differences 2, 3, 1: mean 2, sd 1
    assert found.mean == 2
    assert found.high - found.mean == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert found.wins == 3
    assert found.p_value == pytest.approx(2 / 2**3)  # of the 8 sign patterns only +++ and --- reach the mean


def test_the_pairing_removes_what_seeds_share():
    city = np.linspace(0.1, 0.9, 6)  # easy and hard cities: a spread far above the gain
    gain = np.array([0.02, 0.03, 0.025, 0.02, 0.03, 0.025])
    assert paired_comparison(city + gain, city, smallest_effect=0.01).verdict == "holds"
    shuffled = city[[3, 0, 5, 1, 4, 2]]
    assert paired_comparison(city + gain, shuffled, smallest_effect=0.01).verdict == "undecided"


@pytest.mark.parametrize(
    ("difference", "smallest", "verdict"),
    [
        ([0.10, 0.11, 0.09, 0.10], 0.05, "holds"),
        ([0.02, 0.021, 0.019, 0.02], 0.05, "does not hold"),
        ([-0.1, -0.11, -0.09, -0.1], 0.0, "does not hold"),
        ([0.3, -0.2, 0.25, -0.1], 0.05, "undecided"),
        ([0.0, 0.0, 0.0], 0.0, "does not hold"),
    ],
)
def test_the_three_verdicts(difference, smallest, verdict):
    assert paired_comparison(difference, np.zeros(len(difference)), smallest_effect=smallest).verdict == verdict


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=2, max_size=7), st.floats(-5, 5))
def test_a_common_shift_changes_nothing_and_exchange_mirrors(values, shift):
    a, b = np.array(values), np.zeros(len(values))
    plain, moved, mirrored = paired_comparison(a, b), paired_comparison(a + shift, b + shift), paired_comparison(b, a)
    assert moved.mean == pytest.approx(plain.mean, abs=1e-9)
    assert (mirrored.low, mirrored.high) == pytest.approx((-plain.high, -plain.low), abs=1e-9)


def test_one_seed_is_refused():
    with pytest.raises(ValueError, match="at least two seeds"):
        paired_comparison([1.0], [0.0])


def test_sequences_of_different_length_are_refused():
    with pytest.raises(ValueError, match="as long as `a`"):
        paired_comparison([1.0, 2.0], [0.0])


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        paired_comparison([1.0, np.nan], [0.0, 0.0])


def test_the_sentence_says_seeds_effect_interval_and_verdict():
    text = paired_comparison([0.8, 0.9, 0.7], [0.6, 0.8, 0.5]).sentence("points", scale=100)
    assert text == "better on 3 of 3 seeds, by 16.7 points (95 % interval 2.3 to 31.0): holds"
