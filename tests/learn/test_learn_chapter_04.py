"""The judges of chapter 04: right answers of several makes, and the likely mistakes by name."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from course_utils import learn, retrieval
from course_utils.learn import chapter_04

# --- 04-1


def by_sklearn(predictions, truth):
    """The identity, with a tiny step between equal scores so that their order is the rule's."""
    order = sorted(predictions, key=lambda image: (predictions[image][1], *(-ord(c) for c in image)))
    correct = [predictions[image][0] in truth[image] for image in order]
    landmarks = sum(len(labels) > 0 for labels in truth.values())
    return average_precision_score(correct, np.arange(len(order))) * sum(correct) / landmarks if any(correct) else 0.0


def walked(predictions, truth, keep=lambda labels: True, divide=None, key=None):
    """Walk down the list by hand; the slips are options."""
    key = key or (lambda image: (-predictions[image][1], image))
    hits, rank, total = 0, 0, 0.0
    for image in sorted(predictions, key=key):
        if not keep(truth[image]):
            continue
        rank += 1
        if predictions[image][0] in truth[image]:
            hits += 1
            total += hits / rank
    return total / max(divide(predictions, truth) if divide else sum(map(bool, truth.values())), 1)


def correct_ones(predictions, truth):
    return sum(label in truth[image] for image, (label, _) in predictions.items())


@pytest.mark.parametrize("answer", [chapter_04.global_ap, walked, by_sklearn, retrieval.global_average_precision])
def test_right_global_average_precision_is_accepted(answer):
    found = learn.check("04-1", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda p, t: correct_ones(p, t) / sum(map(bool, t.values())), "top-1 accuracy"),
        (lambda p, t: walked(p, t, keep=bool), "without a landmark are left out"),
        (lambda p, t: walked(p, t, divide=lambda p, t: len(p)), "by the number of answers"),
        (lambda p, t: walked(p, t, divide=correct_ones), "by the number of correct answers"),
        (lambda p, t: walked(p, t, divide=lambda p, t: len(t)), "by all test images"),
        (lambda p, t: walked(p, t, divide=lambda p, t: sum(map(len, t.values()))), "counts twice"),
        (lambda p, t: walked(p, t, divide=lambda p, t: sum(bool(t[i]) for i in p)), "silence costs recall"),
        (lambda p, t: walked(p, t, key=lambda i: (p[i][1], i)), "the wrong way round"),
        (lambda p, t: walked(p, t, key=lambda i: -p[i][1]), "input order"),
        (lambda p, t: walked(p, t, key=lambda i: (-p[i][1], *(-ord(c) for c in i))), "by image id the wrong way round"),
        (lambda p, t: 0.5, "expected 0.5556"),
        (lambda p, t: [1, 2], "shape"),
        (lambda p, t: 1 / 0, "ZeroDivisionError"),
        (lambda p, t: p.clear() or 0.5, "changes its first argument"),
        (0.5, "must be a function"),
    ],
)
def test_wrong_global_average_precision_is_named(answer, text):
    found = learn.check("04-1", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


def test_the_test_sets_have_ties_abstentions_and_distractors():
    sets = chapter_04.answer_sets()
    assert len(sets) == 120 and all(any(truth.values()) for _, truth in sets)
    tied = [len({score for _, score in p.values()}) < len(p) for p, _ in sets]
    assert sum(tied) >= 30
    assert sum(len(p) < len(t) for p, t in sets) > 60
    assert sum(any(not t[i] for i in p) for p, t in sets) > 100


# --- 04-2


def by_loop(positives, junk, n_positives):
    ranks = [int(p) - sum(int(j) < int(p) for j in junk) for p in positives]
    area = 0.0
    for t, rank in enumerate(ranks):
        area += ((t / rank if rank else 1.0) + (t + 1) / (rank + 1)) / 2
    depths = [min(k, ranks[-1] + 1) for k in (1, 5, 10)]
    return ranks, area / n_positives, [sum(r < d for r in ranks) / d for d in depths]


def by_package(positives, junk, n_positives):
    size = int(max(positives.max(), junk.max(initial=0))) + 1 + n_positives
    listed = np.arange(size)
    wanted = np.concatenate([positives, np.arange(size, size + n_positives - len(positives))])
    names = tuple(map(str, range(size + n_positives)))
    truth = retrieval.RevisitedGroundTruth(names, ("q",), [wanted], [[]], [junk], [[0, 0, 1, 1]])
    found = retrieval.revisited_protocol(listed[None], truth, "easy", at=(1, 5, 10))
    return found.ranks[0], found.mean_average_precision, list(found.precision_at.values())


@pytest.mark.parametrize("answer", [by_loop, by_package])
def test_right_adjusted_ranks_are_accepted(answer):
    found = learn.check("04-2", answer)
    assert found.outcome == "right", found.sentence


def slipped(part, **slip):
    def answer(positives, junk, n_positives):
        wrong = chapter_04._revisited(positives, junk, n_positives, **slip)
        values = list(by_loop(positives, junk, n_positives))
        values[part] = (wrong.ranks, wrong.average_precision, wrong.precision)[part]
        return values

    return answer


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (slipped(0, adjust="none"), "Junk is still in the list"),
        (slipped(0, adjust="all"), "only junk above the positive counts"),
        (slipped(0, first=1), "start at 1"),
        (slipped(1, area="step"), "the step rule"),
        (slipped(1, divisor="found"), "by the positives found"),
        (slipped(1, area="from zero"), "starts at precision 0"),
        (slipped(1, adjust="none"), "with junk in it"),
        (slipped(2, cut="k"), "taken at k"),
        (slipped(2, cut="positives"), "the number of positives"),
        (slipped(2, adjust="none"), "with junk in it"),
        (lambda p, j, n: (p * 0, 0.5, [1, 1, 1]), "adjusted ranks 0, expected"),
        (lambda p, j, n: (p, 0.5), "Three values"),
        (lambda p, j, n: (p[:0], 0.5, [1, 1, 1]), "the ranks for list 0"),
        (lambda p, j, n: (p, 0.5, [1, 1]), "Three values"),
    ],
)
def test_wrong_adjusted_ranks_are_named(answer, text):
    found = learn.check("04-2", answer)
    assert found.outcome == "not yet"
    if text == "Three values" and "Three values" not in found.text:
        assert "shape" in found.text
    elif text == "adjusted ranks 0, expected":
        assert "expected" in found.text
    else:
        assert text in found.text, found.text


def test_the_traps_of_exercise_two_differ_from_the_right_answer_and_from_each_other():
    lists = chapter_04.ranked_lists()
    for part, traps in chapter_04._revisited_traps().items():
        rows = [chapter_04._flat([chapter_04._revisited(*one, **slip) for one in lists], part) for slip in ({}, *traps.values())]
        for i, one in enumerate(rows):
            assert all(not np.allclose(one, other, atol=1e-6) for other in rows[:i]), part


# --- 04-3


@pytest.mark.parametrize(
    "answer",
    [
        chapter_04.log_odds,
        lambda s, i: 10 * s + 3 * np.log(i),
        lambda s, i: s * i,
        lambda s, i: [float(a * np.log(b)) for a, b in zip(s, i)],
    ],
)
def test_a_confidence_that_combines_both_kinds_of_evidence_is_accepted(answer):
    found = learn.check("04-3", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda s, i: s, "No better than one kind"),
        (lambda s, i: i, "No better than one kind"),
        (lambda s, i: s + i, "No better than one kind"),
        (lambda s, i: -s * i, "is the sign right"),
        (lambda s, i: 10 * s + 1.5 * np.log(i), "a better balance"),
        (lambda s, i: np.argsort(np.argsort(s * np.log(i))), "when other answers are left out"),
        (lambda s, i: s * np.log(i) / i.max(), "when other answers are left out"),
        (lambda s, i: s[:5], "shape"),
        (lambda s, i: s * np.nan, "NaN"),
        (lambda s, i: i.sort() or s, "changes its second argument"),
    ],
)
def test_a_confidence_that_misses_the_point_is_told_why(answer, text):
    found = learn.check("04-3", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


def test_the_reference_is_learned_from_other_answers_than_those_it_is_judged_on():
    assert 0 not in chapter_04.HIDDEN_SEEDS
    one, other = chapter_04.evidence(), chapter_04.evidence()
    np.testing.assert_array_equal(one.similarity, other.similarity)
    assert one.n_landmark_images == 200 and len(one.correct) == 1000
    assert one.gap(one.inliers) > one.gap(one.similarity)
