"""Average precision under every convention: brute force in fractions, libraries, enumeration, and properties."""

import itertools
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, precision_recall_curve

from course_utils.retrieval import (
    CONVENTIONS,
    average_precision,
    chance_average_precision,
    mean_average_precision,
    mean_average_precision_at_r,
    r_precision,
    relevant_ranks,
)

LEVELS = {"11point": 10, "101point": 100}
EXACT = dict(rtol=0, atol=1e-12)


# --- the definitions again, slowly: fractions, one threshold after the other ------------------------------------------------


def divisor_of(denominator, total, cut, found):
    if cut is None:
        return total
    return {"relevant": total, "min": min(total, cut), "found": found}[denominator]


def brute_force(scores, relevant, convention="step", cut=None, denominator="min", total=None):
    """AP of a list by its definition, O(n^2), in exact fractions; equal scores are one threshold."""
    total = sum(map(int, relevant)) if total is None else total
    points = []
    for threshold in sorted(set(scores), reverse=True):
        passed = [bool(r) for s, r in zip(scores, relevant) if s >= threshold]
        if cut is None or len(passed) <= cut:
            points.append((sum(passed), len(passed)))
    divisor = divisor_of(denominator, total, cut, points[-1][0] if points else 0)
    if divisor == 0:
        return 0.0
    if convention in LEVELS:
        steps = LEVELS[convention]
        reached = [[Fraction(h, n) for h, n in points if Fraction(h, divisor) >= Fraction(u, steps)] for u in range(steps + 1)]
        return float(sum(max(precisions, default=Fraction(0)) for precisions in reached) / (steps + 1))
    area, hits_so_far, previous = Fraction(0), 0, Fraction(1)
    for i, (hits, accepted) in enumerate(points):
        precision = Fraction(hits, accepted)
        height = {
            "step": precision,
            "trapezoid": (previous + precision) / 2,
            "all-point": max(Fraction(h, n) for h, n in points[i:]),
        }[convention]
        area += (hits - hits_so_far) * height
        hits_so_far, previous = hits, precision
    return float(area / divisor)


def in_input_order(scores):
    """New scores without ties that keep the order, equal ones in input order."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    fresh = [0] * len(scores)
    for place, i in enumerate(order):
        fresh[i] = -place
    return fresh


def enumerated(scores, relevant, convention, cut=None, denominator="min", total=None, measure=brute_force):
    """The mean over all orders inside the tie groups: every way to place each group's labels is equally likely."""
    groups = []
    for threshold in sorted(set(scores), reverse=True):
        labels = [bool(r) for s, r in zip(scores, relevant) if s == threshold]
        ways = itertools.combinations(range(len(labels)), sum(labels))
        groups.append([[i in way for i in range(len(labels))] for way in ways])
    values = []
    for order in itertools.product(*groups):
        labels = list(itertools.chain(*order))
        values.append(measure([-i for i in range(len(labels))], labels, convention, cut, denominator, total))
    return float(np.mean(values))


def along(relevant, convention="step", **options):
    """AP of relevance labels given from the first rank down."""
    return average_precision(-np.arange(len(relevant)), np.array(relevant), convention, **options)


@st.composite
def ranked_lists(draw, low=1, high=12, levels=4, positive=True):
    """Lists with few distinct scores, so that most of them have ties."""
    n = draw(st.integers(low, high))
    scores = draw(st.lists(st.integers(-levels, levels), min_size=n, max_size=n))
    relevant = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    assume(any(relevant) or not positive)
    return scores, relevant


@st.composite
def untied_lists(draw, low=2, high=14):
    n = draw(st.integers(low, high))
    relevant = draw(st.lists(st.booleans(), min_size=n, max_size=n))
    assume(any(relevant))
    return relevant


# --- values -----------------------------------------------------------------------------------------------------------------

TABLE = {  # the card's worked table
    (0, 1): (0.5, 0.25, 0.5, 0.5, 0.5),
    (1, 0, 0, 0, 0, 0, 0, 0, 0, 1): (0.6, 0.577778, 0.6, 0.636364, 0.603960),
    (0, 1, 1, 0, 1, 0, 0, 0): (0.588889, 0.461111, 0.644444, 0.642424, 0.644224),
    (1, 1, 1): (1, 1, 1, 1, 1),
}


@pytest.mark.parametrize(("relevant", "expected"), TABLE.items())
def test_the_worked_table(relevant, expected):
    assert [along(relevant, c) for c in CONVENTIONS] == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(("cut", "expected"), [(2, (1 / 6, 1 / 4, 1 / 2)), (3, (7 / 18, 7 / 18, 7 / 12))])
def test_the_three_denominators_of_the_worked_table(cut, expected):
    relevant = (0, 1, 1, 0, 1, 0, 0, 0)
    found = [along(relevant, at=cut, denominator=d) for d in ("relevant", "min", "found")]
    assert found == pytest.approx(expected, abs=1e-15)


@settings(max_examples=150, deadline=None)
@given(ranked_lists(), st.sampled_from(CONVENTIONS), st.integers(0, 3))
def test_every_convention_equals_its_definition_in_fractions(ranked, convention, missing):
    scores, relevant = ranked
    total = sum(relevant) + missing
    value = average_precision(scores, relevant, convention, n_relevant=total)
    assert value == pytest.approx(brute_force(scores, relevant, convention, total=total), abs=1e-14)


@settings(max_examples=200, deadline=None)
@given(
    ranked_lists(),
    st.sampled_from(CONVENTIONS),
    st.integers(1, 14),
    st.sampled_from(["relevant", "min", "found"]),
    st.integers(0, 3),
)
def test_every_cut_off_equals_its_definition_in_fractions(ranked, convention, cut, denominator, missing):
    scores, relevant = ranked
    total = sum(relevant) + missing
    value = average_precision(scores, relevant, convention, at=cut, denominator=denominator, ties="stable", n_relevant=total)
    expected = brute_force(in_input_order(scores), relevant, convention, cut, denominator, total)
    assert value == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("levels", [3, 50, 10**9], ids=["many ties", "some ties", "no ties"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_step_rule_is_that_of_scikit_learn(levels, dtype):
    rng = np.random.default_rng(levels)
    scores = (rng.integers(-levels, levels, (40, 60)) / levels).astype(dtype)
    relevant = rng.random((40, 60)) < rng.uniform(0.02, 0.9, (40, 1))
    relevant[:, 0] = True
    expected = [average_precision_score(r, s) for r, s in zip(relevant, scores)]
    np.testing.assert_allclose(mean_average_precision(scores, relevant).per_query, expected, **EXACT)


def test_long_lists_keep_twelve_digits_against_scikit_learn():
    rng = np.random.default_rng(0)
    scores, relevant = rng.standard_normal((3, 30_000)), rng.random((3, 30_000)) < [[0.001], [0.1], [0.9]]
    expected = [average_precision_score(r, s) for r, s in zip(relevant, scores)]
    np.testing.assert_allclose(mean_average_precision(scores, relevant).per_query, expected, **EXACT)


def oxford(relevant):
    """The trapezoid rule as a walk down the list: the mean of the precision before and after each gain in recall."""
    area = passed = hits = 0.0
    for is_relevant in relevant:
        left = hits / passed if passed else 1.0
        passed += 1
        if is_relevant:
            hits += 1
            area += (left + hits / passed) / 2
    return area / hits


@settings(max_examples=100, deadline=None)
@given(untied_lists())
def test_the_trapezoid_rule_is_a_walk_down_the_list_and_starts_at_precision_one(relevant):
    assert along(relevant, "trapezoid") == pytest.approx(oxford(relevant), abs=1e-14)


@pytest.mark.parametrize("levels", [4, 10**9], ids=["ties", "no ties"])
def test_the_trapezoid_rule_is_the_area_under_scikit_learns_curve(levels):
    rng = np.random.default_rng(levels)
    for n in range(1, 40):
        scores, relevant = rng.integers(0, levels, n), np.arange(n) <= n // 3
        precision, recall, _ = precision_recall_curve(relevant, scores)
        assert average_precision(scores, relevant, "trapezoid") == pytest.approx(auc(recall, precision), abs=1e-13)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_perfect_ranking_has_average_precision_one(convention):
    for n_relevant, others in ((1, 0), (1, 9), (7, 5), (64, 3)):
        assert along([1] * n_relevant + [0] * others, convention) == 1.0


def test_the_worst_ranking_has_its_closed_form():
    for n, r in ((5, 2), (40, 40), (33, 1), (50, 20)):
        worst = sum(t / (n - r + t) for t in range(1, r + 1)) / r
        assert along([0] * (n - r) + [1] * r) == pytest.approx(worst, abs=1e-14)


def test_recall_levels_are_compared_in_integers():
    relevant = [1] * 3 + [0] * 6 + [1] * 7  # recall 3 / 10 is below 0.1 * 3 in floating point
    assert 0.1 * 3 > 3 / 10
    assert along(relevant, "11point") == pytest.approx((4 + 7 * 10 / 16) / 11, abs=1e-15)
    for n in range(1, 120):
        for u in (7, 29, 58):  # hits * 100 == u * R exactly for R = 100: the level is reached
            assert along([1] * u + [0] * n + [1] * (100 - u), "101point") == pytest.approx(
                (u + 1 + (100 - u) * 100 / (100 + n)) / 101, abs=1e-12
            )


# --- properties -------------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(ranked_lists(high=30), st.integers(0, 4), st.sampled_from(["group", "stable"]))
def test_values_are_bounded_and_the_conventions_keep_their_order(ranked, missing, ties):
    scores, relevant = ranked
    step, trapezoid, all_point, eleven, hundred = (
        average_precision(scores, relevant, c, n_relevant=sum(relevant) + missing, ties=ties) for c in CONVENTIONS
    )
    assert 0 < step <= all_point + 1e-15
    assert max(trapezoid, all_point, eleven, hundred) <= 1
    assert 0 < trapezoid and (trapezoid <= step + 1e-15 or ties == "group")
    assert abs(all_point - hundred) <= 1 / 101 + 1e-15 and abs(all_point - eleven) <= 1 / 11 + 1e-15


@pytest.mark.parametrize("convention", CONVENTIONS)
@settings(max_examples=80, deadline=None)
@given(untied_lists(), st.data())
def test_a_relevant_item_that_passes_its_neighbour_never_lowers_the_value(convention, relevant, data):
    pairs = [i for i in range(len(relevant) - 1) if not relevant[i] and relevant[i + 1]]
    assume(pairs)
    i = data.draw(st.sampled_from(pairs))
    cut = data.draw(st.one_of(st.none(), st.integers(1, len(relevant))))
    moved = [*relevant[:i], True, False, *relevant[i + 2 :]]
    for denominator in ("relevant", "min"):
        before, after = (along(r, convention, at=cut, denominator=denominator) for r in (relevant, moved))
        assert after >= before - 1e-15
        if cut is None and convention in ("step", "trapezoid"):
            assert after > before


def test_dividing_by_the_relevant_items_found_rewards_finding_fewer():
    worse, better = [1, 0, 0, 1], [1, 0, 1, 0]
    assert along(worse, at=3, denominator="found") == 1 > along(better, at=3, denominator="found")


def test_dividing_by_all_relevant_items_cannot_reach_one_when_there_are_more_than_k():
    assert along([1] * 8, at=4, denominator="relevant") == 0.5
    assert along([1] * 8, at=4, denominator="min") == along([1] * 8, at=4, denominator="found") == 1


@pytest.mark.parametrize(
    ("convention", "ties"),
    [*itertools.product(CONVENTIONS, ["group", "stable"]), ("step", "expected"), ("trapezoid", "expected")],
)
@settings(max_examples=40, deadline=None)
@given(ranked_lists())
def test_maps_that_keep_the_order_of_the_scores_change_nothing(convention, ties, ranked):
    scores, relevant = np.array(ranked[0]), ranked[1]
    value = average_precision(scores, relevant, convention, ties=ties)
    for mapped in (3.0 * scores - 7, np.exp(scores), np.arctan(scores.astype(np.float32)), scores.astype(np.int8)):
        assert average_precision(mapped, relevant, convention, ties=ties) == value


@pytest.mark.parametrize("convention", CONVENTIONS)
@settings(max_examples=40, deadline=None)
@given(ranked_lists(), st.integers(1, 5), st.one_of(st.none(), st.integers(1, 12)))
def test_items_that_are_not_relevant_change_nothing_at_the_end_of_the_list(convention, ranked, extra, cut):
    scores, relevant = ranked
    options = dict(at=cut, ties="stable" if cut else "group")
    longer = average_precision([*scores, *[-np.inf] * extra], [*relevant, *[False] * extra], convention, **options)
    assert longer == average_precision(scores, relevant, convention, **options)


@settings(max_examples=60, deadline=None)
@given(ranked_lists(), st.randoms(use_true_random=False))
def test_grouped_and_expected_ties_do_not_depend_on_the_input_order(ranked, random):
    places = list(range(len(ranked[0])))
    random.shuffle(places)
    for convention, ties in (*((c, "group") for c in CONVENTIONS), ("step", "expected"), ("trapezoid", "expected")):
        value = average_precision(*ranked, convention, ties=ties)
        shuffled = average_precision(*([column[i] for i in places] for column in ranked), convention, ties=ties)
        assert shuffled == pytest.approx(value, abs=1e-14)


@pytest.mark.parametrize("ties", ["group", "stable", "expected"])
@settings(max_examples=60, deadline=None)
@given(ranked_lists(), st.data())
def test_junk_changes_nothing_wherever_it_stands_and_whatever_its_score(ties, ranked, data):
    scores, relevant, junk = [float(s) for s in ranked[0]], list(ranked[1]), [False] * len(ranked[0])
    expected = {c: average_precision(scores, relevant, c, ties=ties) for c in ("step", "trapezoid")}
    shift = data.draw(st.sampled_from([0.0, -np.inf]))  # the worst real items may stand at minus infinity themselves
    scores = [shift if shift and s == min(scores) else s for s in scores]
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(scores)))
        scores.insert(place, data.draw(st.sampled_from([-np.inf, -4.0, 0.0, 2.5, np.inf, np.nan])))
        relevant.insert(place, False)
        junk.insert(place, True)
    for convention, value in expected.items():
        assert average_precision(scores, relevant, convention, junk=junk, ties=ties) == pytest.approx(value, abs=1e-15)


def test_reversing_scores_and_labels_is_no_symmetry_as_it_is_for_auroc():
    relevant = np.array([1, 0, 0, 1, 0])
    assert along(relevant) != pytest.approx(along(1 - relevant[::-1]))


# --- ties -------------------------------------------------------------------------------------------------------------------


def test_four_equal_scores_with_two_relevant_items():
    scores, relevant = [0.5] * 4, [1, 1, 0, 0]
    assert average_precision(scores, relevant) == 0.5
    assert average_precision(scores, relevant, ties="stable") == 1.0
    assert average_precision(scores, relevant[::-1], ties="stable") == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert average_precision(scores, relevant, ties="expected") == pytest.approx(49 / 72, abs=1e-15)


@settings(max_examples=100, deadline=None)
@given(ranked_lists(high=16), st.sampled_from(CONVENTIONS))
def test_stable_ties_are_decided_by_the_input_order(ranked, convention):
    scores, relevant = ranked
    expected = brute_force(in_input_order(scores), relevant, convention)
    assert average_precision(scores, relevant, convention, ties="stable") == pytest.approx(expected, abs=1e-14)


@settings(max_examples=100, deadline=None)
@given(
    ranked_lists(high=7, levels=1),
    st.sampled_from(["step", "trapezoid"]),
    st.one_of(st.none(), st.integers(1, 8)),
    st.sampled_from(["relevant", "min", "found"]),
    st.integers(0, 2),
)
def test_expected_ties_equal_the_mean_over_every_order(ranked, convention, cut, denominator, missing):
    scores, relevant = ranked
    options = dict(at=cut, denominator=denominator, n_relevant=sum(relevant) + missing)
    value = average_precision(scores, relevant, convention, ties="expected", **options)
    expected = enumerated(scores, relevant, convention, cut, denominator, sum(relevant) + missing)
    assert value == pytest.approx(expected, abs=1e-13)


def test_expected_ties_keep_their_digits_deep_in_a_long_list():
    scores = np.repeat([2.0, 1.0, 0.0], [100_000, 40, 61])
    relevant = np.zeros(len(scores), bool)
    relevant[[5, 100_001, 100_002, 100_030, 100_100]] = True
    for convention in ("step", "trapezoid"):
        total = Fraction(0)  # place by place instead of harmonic numbers
        for before, hits, size, inside in ((0, 0, 100_000, 1), (100_000, 1, 40, 3), (100_040, 4, 61, 1)):
            for i in range(size):
                above = Fraction(i * (inside - 1), size - 1)
                after = (hits + 1 + above) / (before + i + 1)
                left = (hits + above) / (before + i) if before + i else Fraction(1)
                height = after if convention == "step" else (left + after) / 2
                total += Fraction(inside, size) * Fraction(float(height)) / 5
        assert average_precision(scores, relevant, convention, ties="expected") == pytest.approx(float(total), rel=1e-12)


def test_the_grouped_trapezoid_gives_half_a_point_to_a_system_that_gives_one_score_to_everything():
    scores, relevant = np.zeros(1000), np.arange(1000) == 700
    assert average_precision(scores, relevant, "trapezoid") == pytest.approx((1 + 0.001) / 2)
    assert average_precision(scores, relevant, "trapezoid", ties="expected") < average_precision(
        scores, relevant, ties="expected"
    )


def test_without_ties_the_three_rules_agree():
    rng = np.random.default_rng(1)
    scores, relevant = rng.standard_normal((9, 25)), rng.random((9, 25)) < 0.3
    for at in (None, 7):
        for convention in ("step", "trapezoid"):
            group, stable, expected = (
                mean_average_precision(scores, relevant, None, convention, at, ties=t).per_query
                for t in ("group", "stable", "expected")
            )
            np.testing.assert_allclose(group, stable, **EXACT)
            np.testing.assert_allclose(group, expected, **EXACT)


def test_a_tie_around_the_cut_off_is_refused_only_where_it_matters():
    scores = np.array([[3.0, 2, 1, 0], [3, 1, 1, 0], [3, 1, 1, 0]])
    relevant = np.array([[1, 1, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0]])
    assert mean_average_precision(scores[:2], relevant[:2], at=2).per_query == pytest.approx([1, 0.5])
    with pytest.raises(ValueError, match=r"query 2: ranks 2 to 3 have one score, the cut-off is rank 2.*'expected'.*'stable'"):
        mean_average_precision(scores, relevant, at=2)
    assert average_precision(scores[2], relevant[2], at=2, ties="expected") == pytest.approx((1 / 2 + 1) / 2)


def test_zero_and_minus_zero_are_one_score():
    for dtype in (np.float32, np.float64):
        scores = np.array([0.0, -0.0, 0.0, -0.0], dtype)
        assert average_precision(scores, [1, 0, 0, 1]) == 0.5


def test_infinite_scores_are_scores():
    assert average_precision([-np.inf, np.inf, 0.0], [1, 1, 0]) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([np.inf, np.inf, 0.0], [1, 0, 0]) == 0.5
    assert average_precision([-np.inf, -np.inf, 0.0, 9.0], [1, 0, 0, 0], junk=[0, 0, 0, 1]) == pytest.approx(1 / 3)
    assert average_precision([-np.inf, -np.inf, -np.inf], [0, 1, 0], junk=[1, 0, 0], ties="stable") == 1.0


def test_float64_scores_are_not_rounded_to_float32():
    close = np.array([1.0, 1.0 + 1e-12])
    assert average_precision(close, [0, 1]) == 1.0
    assert average_precision(close.astype(np.float32), [0, 1]) == 0.5


def test_large_integer_scores_are_compared_exactly_or_refused():
    assert average_precision(np.array([2**52, 2**52 + 1]), [0, 1]) == 1.0
    with pytest.raises(ValueError, match="integers below 2\\*\\*53"):
        average_precision(np.array([2**60, 2**60 + 1]), [0, 1])


# --- many queries -----------------------------------------------------------------------------------------------------------


def random_queries(seed, n_queries=30, n_items=17, levels=6):
    rng = np.random.default_rng(seed)
    scores = rng.integers(-levels, levels, (n_queries, n_items)) / levels
    label = rng.random((n_queries, n_items))
    return scores, label < rng.uniform(0, 0.6, (n_queries, 1)), label > 0.85


@pytest.mark.parametrize("ties", ["group", "stable"])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_all_queries_at_once_equal_one_query_after_the_other_in_blocks_of_any_size(convention, ties, monkeypatch):
    scores, relevant, junk = random_queries(3)
    alone = [average_precision(s, r, convention, junk=j, ties=ties) for s, r, j in zip(scores, relevant, junk)]
    for items in (1, 40, 10**6):
        monkeypatch.setattr("course_utils.retrieval.relevant_ranks.BLOCK_ITEMS", items)
        together = mean_average_precision(scores, relevant, junk, convention, ties=ties)
        np.testing.assert_array_equal(together.per_query, alone)
        assert together.mean == pytest.approx(np.nanmean(alone), abs=1e-15)


@pytest.mark.parametrize("denominator", ["relevant", "min", "found"])
def test_expected_ties_at_k_for_all_queries_at_once(denominator):
    scores, relevant, junk = random_queries(8, n_items=7, levels=1)
    options = dict(at=3, denominator=denominator, ties="expected")
    found = mean_average_precision(scores, relevant, junk, "trapezoid", **options).per_query
    for s, r, j, value in zip(scores, relevant, junk, found):
        if r.any():
            assert value == pytest.approx(enumerated(s[~j].tolist(), r[~j].tolist(), "trapezoid", 3, denominator), abs=1e-13)


def test_the_result_counts_queries_with_and_without_relevant_items():
    scores, relevant = np.tile([3.0, 2, 1], (4, 1)), np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0]])
    left_out = mean_average_precision(scores, relevant)
    assert (left_out.mean, left_out.n_queries, left_out.n_empty, left_out.convention) == (0.75, 2, 2, "step")
    np.testing.assert_array_equal(left_out.per_query, [1, np.nan, 0.5, np.nan])
    zero = mean_average_precision(scores, relevant, empty="zero")
    assert (zero.mean, zero.n_queries, zero.n_empty) == (0.375, 4, 2)
    with pytest.raises(ValueError, match="none for query 1.*`empty`"):
        mean_average_precision(scores, relevant, empty="raise")
    assert "0.7500; step, 2 queries counted, 2 without" in repr(left_out)


def test_lists_of_no_items_and_sets_of_no_queries():
    assert np.isnan(average_precision([], []))
    assert average_precision([], [], empty="zero") == 0.0
    assert average_precision([], [], n_relevant=3) == 0.0
    nothing = mean_average_precision(np.zeros((0, 5)), np.zeros((0, 5), bool))
    assert np.isnan(nothing.mean) and nothing.n_queries == nothing.n_empty == 0
    assert average_precision([1.0, 2.0], [1, 0], junk=[0, 1]) == 1.0
    assert np.isnan(average_precision([1.0, 2.0], [0, 0], junk=[1, 1]))


def test_one_item_and_all_items_relevant():
    for convention in CONVENTIONS:
        assert average_precision([0.3], [True], convention) == 1.0
        assert average_precision(np.zeros(9), np.ones(9), convention) == 1.0


def test_a_partial_list_is_judged_against_the_declared_number_of_relevant_items():
    assert along([1, 0, 1], n_relevant=4) == pytest.approx((1 + 2 / 3) / 4)
    assert along([0, 0, 0], n_relevant=2) == 0.0
    assert along([1, 0, 1], at=3, n_relevant=10) == pytest.approx((1 + 2 / 3) / 3)
    several = mean_average_precision([[2.0, 1], [2, 1]], [[1, 0], [0, 0]], n_relevant=[2, 1])
    np.testing.assert_array_equal(several.per_query, [0.5, 0.0])


def test_tensors_lists_and_arrays_of_several_types_give_one_value():
    scores, relevant = [0.5, 0.25, 0.75, 0.0], [1, 0, 0, 1]
    expected = average_precision(scores, relevant)
    for made in (np.float16, np.float32, np.float64):
        assert average_precision(np.array(scores, made), np.array(relevant, made)) == expected
    for made in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        tensor = torch.tensor(scores, dtype=made, requires_grad=True)
        assert average_precision(tensor, torch.tensor(relevant, dtype=torch.bool)) == expected


def test_the_input_is_left_as_it_was_and_may_be_a_view():
    scores, relevant, junk = random_queries(5)
    copies = scores.copy(), relevant.copy(), junk.copy()
    value = mean_average_precision(scores.T[:9].T, relevant[:, :9], junk[:, :9]).per_query
    np.testing.assert_array_equal(value, mean_average_precision(*(c[:, :9].copy() for c in copies)).per_query)
    for kept, copy in zip((scores, relevant, junk), copies):
        np.testing.assert_array_equal(kept, copy)


# --- torchmetrics, MAP@R, R-precision, chance -------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 3, 10, None])
def test_the_found_denominator_is_that_of_torchmetrics_on_positive_scores(cut):
    from torchmetrics.functional.retrieval import retrieval_average_precision

    rng = np.random.default_rng(2)
    scores, relevant = rng.uniform(0.1, 1, (25, 12)).astype(np.float32), rng.random((25, 12)) < 0.4
    ours = mean_average_precision(scores, relevant, at=cut, denominator="found", empty="zero").per_query
    theirs = [float(retrieval_average_precision(torch.tensor(s), torch.tensor(r), top_k=cut)) for s, r in zip(scores, relevant)]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)  # torchmetrics computes in float32


def test_torchmetrics_loses_items_with_scores_of_zero_or_less():
    from torchmetrics.functional.retrieval import retrieval_average_precision

    scores, relevant = np.array([-0.1, -0.2, -0.3], np.float32), np.array([1, 0, 1])
    assert average_precision(scores, relevant) == average_precision(scores + 1, relevant) == pytest.approx(5 / 6)
    assert float(retrieval_average_precision(torch.tensor(scores), torch.tensor(relevant))) < 0.5


@settings(max_examples=80, deadline=None)
@given(ranked_lists(), st.integers(0, 3))
def test_map_at_r_and_r_precision_equal_their_definitions(ranked, missing):
    scores, relevant = ranked
    total = sum(relevant) + missing
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    labels = [relevant[i] for i in order]
    options = dict(ties="stable", n_relevant=total)
    value = mean_average_precision_at_r([scores], [relevant], **options)
    assert value.mean == pytest.approx(brute_force(in_input_order(scores), relevant, "step", total, "relevant", total), abs=1e-14)
    assert value.convention == "MAP@R"
    precision = r_precision([scores], [relevant], **options)
    assert precision.mean == pytest.approx(sum(labels[:total]) / total, abs=1e-15)
    assert precision.convention == "R-precision"


@settings(max_examples=40, deadline=None)
@given(ranked_lists(high=7, levels=1))
def test_map_at_r_and_r_precision_with_expected_ties_equal_the_mean_over_every_order(ranked):
    scores, relevant = ranked
    total = sum(relevant)

    def share(scores, labels, convention, cut, denominator, total):
        return sum(labels[:cut]) / cut

    expected = enumerated(scores, relevant, "step", total, "relevant", total)
    assert mean_average_precision_at_r([scores], [relevant], ties="expected").mean == pytest.approx(expected, abs=1e-13)
    expected = enumerated(scores, relevant, "step", total, "relevant", total, measure=share)
    assert r_precision([scores], [relevant], ties="expected").mean == pytest.approx(expected, abs=1e-13)


def test_map_at_r_takes_the_number_of_each_query_and_leaves_junk_out():
    scores = np.array([[4.0, 3, 2, 1], [4, 3, 2, 1], [4, 3, 2, 1]])
    relevant = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    junk = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    at_r, share = (f(scores, relevant, junk) for f in (mean_average_precision_at_r, r_precision))
    np.testing.assert_array_equal(at_r.per_query, [0.25, 1, np.nan])
    np.testing.assert_array_equal(share.per_query, [0.5, 1, np.nan])
    assert at_r.n_queries == 2 and at_r.n_empty == 1
    with pytest.raises(ValueError, match="query 0"):
        mean_average_precision_at_r([[1.0, 1, 0]], [[1, 0, 0]])


def test_the_chance_level_is_the_mean_over_every_order():
    for n in range(1, 9):
        for r in range(1, n + 1):
            expected = enumerated([0] * n, [1] * r + [0] * (n - r), "step")
            assert chance_average_precision(n, r) == pytest.approx(expected, abs=1e-14)
            tied = average_precision(np.zeros(n), np.arange(n) < r, ties="expected")
            assert tied == pytest.approx(expected, abs=1e-14)


def test_the_chance_level_tends_to_the_prevalence():
    assert chance_average_precision(10**6, 10**5) == pytest.approx(0.1, abs=2e-5)
    assert chance_average_precision(7, 7) == pytest.approx(1, abs=1e-15)


# --- messages ---------------------------------------------------------------------------------------------------------------

S, R = [0.3, 0.2, 0.1], [1, 0, 1]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: average_precision([0.3, np.nan, 0.1], R), ValueError, "NaN .item 1 of query 0.*junk"),
        (lambda: mean_average_precision([S, [1, 2, np.nan]], [R, R]), ValueError, "item 2 of query 1"),
        (lambda: average_precision(S, [2, 0, 1]), ValueError, "`relevant` must be boolean, or 0 and 1.*value 2.*grades >= 1"),
        (lambda: average_precision(S, [0.7, 0, 1]), ValueError, "the value 0.7"),
        (lambda: average_precision(S, [np.nan, 0, 1]), ValueError, "the value nan"),
        (lambda: average_precision(S, [-1, 0, 1]), ValueError, "the value -1"),
        (lambda: average_precision(S, R, junk=[0, 0, 1]), ValueError, "disjoint from `relevant`.*1 items.*item 2"),
        (lambda: mean_average_precision([S], [R], [[1, 0, 0]]), ValueError, "item 0 of query 0"),
        (lambda: average_precision(S, R, junk=[0, 5, 0]), ValueError, "`junk` must be boolean"),
        (lambda: average_precision(S, [1, 0]), ValueError, r"`relevant` must be of the shape of `scores`, \(3,\)"),
        (lambda: average_precision([S], [R]), ValueError, r"`scores` must be an array of shape \(N,\)"),
        (lambda: mean_average_precision(S, R), ValueError, r"`scores` must be an array of shape \(Q, N\)"),
        (lambda: average_precision(S, R, "steps"), ValueError, "`convention` must be one of 'step', 'trapezoid'"),
        (lambda: average_precision(S, R, at=0), ValueError, "`at` must be an integer of at least 1"),
        (lambda: average_precision(S, R, at=2.0), TypeError, "`at`"),
        (lambda: average_precision(S, R, denominator="k"), ValueError, "`denominator` must be one of 'relevant', 'min', 'found'"),
        (lambda: average_precision(S, R, ties="random"), ValueError, "`ties` must be one of 'group', 'stable', 'expected'"),
        (lambda: average_precision(S, R, "11point", ties="expected"), ValueError, "'11point', but got 'expected'"),
        (lambda: average_precision(S, R, empty="skip"), ValueError, "`empty` must be one of 'nan', 'zero', 'raise'"),
        (lambda: average_precision(S, [0, 0, 0], empty="raise"), ValueError, "none for query 0"),
        (lambda: average_precision(S, R, n_relevant=1), ValueError, "at least the 2 relevant items in the list of query 0"),
        (
            lambda: mean_average_precision([S], [R], n_relevant=[2, 2]),
            ValueError,
            r"`n_relevant` must be an array of shape \(1,\)",
        ),
        (lambda: average_precision(["a"], [1]), TypeError, "`scores`"),
        (lambda: r_precision([S], [R], ties="luck"), ValueError, "`ties`"),
        (lambda: chance_average_precision(0, 1), ValueError, "`n`"),
        (lambda: chance_average_precision(5, 6), ValueError, "`n_relevant` must be an integer between 1 and 5"),
    ],
)
def test_promised_errors_are_raised_in_words(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long double is float64 here")
def test_scores_that_float64_would_round_are_refused():
    with pytest.raises(TypeError, match="float64 or smaller"):
        average_precision(np.array(S, np.longdouble), R)


def test_no_warning_is_given_for_degenerate_lists():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for convention in CONVENTIONS:
            average_precision([0.0, 0.0], [0, 0], convention)
            average_precision([np.inf, -np.inf], [1, 0], convention, at=1, denominator="found")
            average_precision([2.0, 1.0], [0, 1], convention, at=1, denominator="found")


def test_ranks_are_counted_for_relevant_items_only_group_by_group():
    scores = np.array([[5.0, 3, 3, 3, 1, 9], [1, 2, 3, 4, 5, 6]])
    relevant = np.array([[0, 1, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]], bool)
    junk = np.array([[0, 0, 0, 0, 0, 1], [0] * 6], bool)
    ranks = relevant_ranks.relevant_ranks(scores, relevant, junk, "group")
    assert (ranks.query.tolist(), ranks.before.tolist(), ranks.through.tolist()) == ([0, 0], [1, 4], [4, 5])
    assert (ranks.hits_before.tolist(), ranks.hits_through.tolist()) == ([0, 2], [2, 3])
    assert (ranks.found.tolist(), ranks.items.tolist()) == ([3, 0], [5, 6])
    opened = relevant_ranks.relevant_ranks(scores, relevant, junk, "stable")
    assert (opened.before.tolist(), opened.through.tolist()) == ([1, 3, 4], [2, 4, 5])
