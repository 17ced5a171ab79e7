"""Intervals that run along, and how often peeking is fooled."""

import numpy as np
import pytest

from course_utils.training import paired_comparison
from course_utils.training.optional_stopping import false_alarms, running_intervals


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_running_intervals_are_those_of_the_paired_comparison(confidence):
    differences = np.random.default_rng(0).normal(0.3, 1, (4, 12))
    low, high = running_intervals(differences, confidence)
    assert np.isneginf(low[:, 0]).all() and np.isposinf(high[:, 0]).all()
    for row in range(4):
        for n in range(2, 13):
            expected = paired_comparison(differences[row, :n], np.zeros(n), confidence=confidence)
            assert (low[row, n - 1], high[row, n - 1]) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_equal_differences_far_from_zero_have_an_interval_without_width():
    low, high = running_intervals(np.full((1, 5), 1e6 + 0.1))
    assert low[0, 1:] == pytest.approx(1e6 + 0.1, abs=1e-6) and high[0, 1:] == pytest.approx(1e6 + 0.1, abs=1e-6)


def test_one_look_keeps_its_promise_and_many_looks_do_not():
    found = false_alarms(np.random.default_rng(1).normal(0, 1, 40), 4000, generator=np.random.default_rng(2))
    assert found.once[19:] == pytest.approx(0.05, abs=0.015)
    assert found.peeking[-1] > 0.2 and (np.diff(found.peeking) >= 0).all() and (found.peeking >= found.once).all()
    assert found.once[:2].tolist() == [0, 0] and found.peeking[2] == found.once[2]


def test_a_real_effect_in_the_pool_is_gone_in_the_replays():
    noise = np.random.default_rng(3).normal(0, 0.1, 20)
    found = false_alarms(1 + noise, 2000, first=20, generator=np.random.default_rng(4))
    assert found.peeking[-1] == found.once[-1] == pytest.approx(0.05, abs=0.02)


def test_replays_repeat_with_their_generator_and_a_stricter_interval_is_fooled_less():
    pool = np.random.default_rng(5).normal(0, 1, 20)
    one, two = (false_alarms(pool, generator=np.random.default_rng(6)) for _ in range(2))
    assert np.array_equal(one.peeking, two.peeking)
    strict = false_alarms(pool, confidence=0.99, generator=np.random.default_rng(6))
    assert strict.peeking[-1] < one.peeking[-1] / 2


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: running_intervals([[1.0], [2.0]]), "at least two seeds"),
        (lambda: running_intervals([1.0, 2.0]), "`differences`"),
        (lambda: running_intervals([[1.0, np.nan]]), "`differences`"),
        (lambda: false_alarms([1.0, 2.0], confidence=1.0), "`confidence`"),
        (lambda: false_alarms([1.0, 2.0], first=1), "`first`"),
        (lambda: false_alarms([1.0, 2.0], n_replays=0), "`n_replays`"),
    ],
)
def test_bad_input_is_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call()
