"""The judges of chapter 18: right answers of several makes, and the likely mistakes by name."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from course_utils import learn, training
from course_utils.learn import chapter_18

# --- 18-1


def by_loops(differences):
    observed, count = abs(sum(differences)), 0
    for signs in itertools.product((-1, 1), repeat=len(differences)):
        count += abs(sum(s * d for s, d in zip(signs, differences))) >= observed
    return count / 2 ** len(differences)


def by_scipy(differences):
    if not differences.any():
        return 1.0
    return stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True).pvalue


@pytest.mark.parametrize("answer", [chapter_18.sign_flip_p, by_loops, by_scipy])
def test_right_p_values_are_accepted(answer):
    found = learn.check("18-1", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize("text", list(chapter_18.P_TRAPS))
def test_wrong_p_values_are_named(text):
    found = learn.check("18-1", chapter_18.P_TRAPS[text])
    assert found.outcome == "not yet" and found.text.startswith(text), found.text


def test_the_reference_is_the_p_value_of_paired_comparison():
    for differences in chapter_18.sets_of_differences():
        found = training.paired_comparison(differences, np.zeros(len(differences)))
        assert found.p_value == pytest.approx(chapter_18.sign_flip_p(differences), abs=1e-12)


# --- 18-2


def by_simulation(spread, effect):
    random = np.random.default_rng(7)
    n = 2
    while True:
        d = random.normal(effect, spread, (4000, n))
        if (stats.ttest_1samp(d, 0, axis=1).pvalue < 0.05).mean() >= 0.8:
            return n
        n += 1 if n < 20 else n // 20


@pytest.mark.parametrize("answer", [chapter_18.seeds_needed, by_simulation])
def test_right_numbers_of_seeds_are_accepted(answer):
    found = learn.check("18-2", answer)
    assert found.outcome == "right", found.sentence


def test_the_numbers_of_seeds_are_those_of_the_course():
    found = [chapter_18.seeds_needed(*pair) for pair in ((1.0, 1.0), (1.5, 1.0), (2.0, 1.0), (1.0, 2.0), (1.5, 2.0), (2.0, 2.0))]
    assert found == [10, 20, 34, 5, 7, 10]


@pytest.mark.parametrize("text", list(chapter_18.SEEDS_TRAPS))
def test_wrong_numbers_of_seeds_are_named(text):
    found = learn.check("18-2", chapter_18.SEEDS_TRAPS[text])
    assert found.outcome == "not yet" and found.text.startswith(text), found.text


# --- 18-3


@pytest.mark.parametrize("answer", [2400, 2600.0, torch.tensor(2500)])
def test_the_right_number_of_images_is_accepted(answer):
    found = learn.check("18-3", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (500, "Too few"),
        (1300, "Too few"),
        (5000, "More than needed"),
        (100_000, "More than needed"),
        (0.5, "no number"),
        (-1, "no number"),
    ],
)
def test_wrong_numbers_of_images_are_told_why(answer, text):
    found = learn.check("18-3", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


def test_the_bias_is_that_of_the_package():
    from course_utils import augment

    random, errors = np.random.default_rng(3), []
    for _ in range(100):
        confidence = random.beta(6, 1, 500)
        labels = (random.random(500) > confidence).astype(int)
        errors.append(augment.expected_calibration_error(np.column_stack([confidence, 1 - confidence]), labels).ece)
    # The confidence of two classes is the larger of p and 1 - p: nearly always p for Beta(6, 1).
    assert np.mean(errors) == pytest.approx(chapter_18.mean_error_of_the_calibrated(500), rel=0.06)


def test_each_exercise_has_three_hints_and_a_stub_is_not_attempted():
    def stub(differences):
        return None

    for key, answer in (("18-1", stub), ("18-2", stub), ("18-3", None)):
        assert len({learn.hint(key, level).text for level in (1, 2, 3)}) == 3
        assert learn.check(key, answer).outcome == "not attempted"
