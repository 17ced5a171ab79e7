"""Choosing by looking: Holm against a count of false reports, power against tables and simulation, the best of many against formulas."""

import numpy as np
import pytest
from scipy import stats

from course_utils.training import paired_comparison
from course_utils.training.choosing import best_check_gain, best_of_many, holm, smallest_visible_effect, visible_by_sign_flips


def test_holm_steps_down_and_never_goes_back():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2]) == pytest.approx([0.2]) and holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_holm_rejects_what_the_procedure_rejects():
    """The rule in words: from the smallest on, reject while p <= level / number of those left."""
    random = np.random.default_rng(0)
    for _ in range(200):
        p = random.uniform(0, 0.06, 5)
        rejected = np.zeros(5, dtype=bool)
        for left, i in zip(range(5, 0, -1), np.argsort(p)):
            if p[i] > 0.05 / left:
                break
            rejected[i] = True
        assert ((holm(p) <= 0.05) == rejected).all()


def test_holm_keeps_false_reports_at_the_level():
    p = np.random.default_rng(1).uniform(size=(4000, 8))
    fooled = np.mean([(holm(row) <= 0.05).any() for row in p])
    assert abs(fooled - (1 - (1 - 0.05 / 8) ** 8)) < 4 * np.sqrt(0.05 * 0.95 / 4000)
    assert np.mean((p <= 0.05).any(1)) > 0.3


@pytest.mark.parametrize(
    "spread, effect, n_seeds", [(1.0, 1.0, 10), (1.5, 1.0, 20), (2.0, 1.0, 34), (1.5, 2.0, 7), (2.0, 2.0, 10)]
)
def test_the_number_of_seeds_that_an_effect_needs(spread, effect, n_seeds):
    assert smallest_visible_effect(spread, n_seeds) <= effect < smallest_visible_effect(spread, n_seeds - 1)


def test_the_visible_effect_is_found_as_often_as_promised():
    effect = smallest_visible_effect(1.5, 6, power=0.7)
    runs = np.random.default_rng(2).normal(effect, 1.5, (4000, 6))
    found = (stats.ttest_1samp(runs, 0, axis=1).statistic > stats.t.ppf(0.975, 5)).mean()
    assert found == pytest.approx(0.7, abs=0.03)


def test_six_seeds_need_six_gains():
    """With n = 6 only the pattern of equal signs has p <= 0.05, so the power is the chance of six positive numbers."""
    found = visible_by_sign_flips(2.0, 6, n_studies=20000, generator=np.random.default_rng(6))
    assert found == pytest.approx(2.0 * stats.norm.ppf(0.8 ** (1 / 6)), rel=0.02)


@pytest.mark.parametrize("n_seeds, level", [(8, 0.05), (8, 0.05 / 3), (12, 0.05), (20, 0.05 / 3)])
def test_sign_flips_find_the_visible_effect_as_often_as_promised(n_seeds, level):
    """Judged by the p-values of ``paired_comparison``, on other studies."""
    effect = visible_by_sign_flips(1.5, n_seeds, level, generator=np.random.default_rng(7))
    runs = np.random.default_rng(8).normal(effect, 1.5, (400, n_seeds))
    gains = [paired_comparison(run, np.zeros(n_seeds)) for run in runs]
    assert np.mean([gain.p_value <= level and gain.mean > 0 for gain in gains]) == pytest.approx(0.8, abs=0.07)


def test_with_many_seeds_sign_flips_see_what_student_sees_and_with_few_less():
    many = visible_by_sign_flips(1.0, 40, n_studies=4000, generator=np.random.default_rng(9))
    assert many == pytest.approx(smallest_visible_effect(1.0, 40), rel=0.06)
    assert visible_by_sign_flips(1.0, 6, generator=np.random.default_rng(9)) > 1.1 * smallest_visible_effect(1.0, 6)


def test_seeds_that_can_never_reach_the_level_are_refused():
    with pytest.raises(ValueError, match="`n_seeds` must be enough for a p-value of 0.05, but got 5"):
        visible_by_sign_flips(1.0, 5)


@pytest.mark.parametrize("n_methods", [1, 5, 20])
def test_the_best_of_independent_methods_follows_the_formula(n_methods):
    found = best_of_many(n_methods, 5, 4000, shared=False, generator=np.random.default_rng(3))
    expected = 1 - 0.975**n_methods
    assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / 4000)


def test_a_shared_baseline_fools_less_than_independent_ones_and_more_than_one_method():
    one, shared, apart = (
        best_of_many(m, 5, 4000, s, generator=np.random.default_rng(4)) for m, s in ((1, True), (20, True), (20, False))
    )
    assert one + 0.05 < shared < apart - 0.05


def test_the_best_of_many_checks_against_simulation():
    right = np.random.default_rng(5).binomial(200, 0.7, (20000, 10)).max(1) / 200
    assert best_check_gain(0.7, 200, 10) == pytest.approx(right.mean() - 0.7, abs=4 * right.std() / np.sqrt(20000))
    assert best_check_gain(1.0, 10, 5) == pytest.approx(0) and best_check_gain(0.0, 10, 5) == pytest.approx(0)


def test_wrong_arguments_are_refused():
    for p in ([], [1.2], [-0.1], [float("nan")]):
        with pytest.raises(ValueError, match="p_values"):
            holm(p)
    with pytest.raises(ValueError, match="spread"):
        smallest_visible_effect(0, 5)
    with pytest.raises(ValueError, match="n_seeds"):
        smallest_visible_effect(1, 1)
    with pytest.raises(ValueError, match="power"):
        smallest_visible_effect(1, 5, power=0.01)
    with pytest.raises(ValueError, match="n_methods"):
        best_of_many(0, 5)
    with pytest.raises(ValueError, match="accuracy"):
        best_check_gain(1.1, 5, 5)
