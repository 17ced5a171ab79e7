"""GAP against its definition, scikit-learn's identity, and the worked example of the chapter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from course_utils.retrieval import global_average_precision, rank_answers, recognition_ranking

TRUTH = {"q1": {5}, "q2": {7}, "q3": {9}, "q4": set(), "q5": set()}
ANSWERS = {"q1": (5, 0.9), "q4": (3, 0.8), "q2": (1, 0.7), "q3": (9, 0.6)}


def reference_gap(predictions, truth):
    """Return GAP from its definition: for each correct answer, count by hand what stands at its rank or above."""
    rows = [(image, label, score) for image, (label, score) in predictions.items()]
    landmark_images = [image for image, labels in truth.items() if len(labels) > 0]
    total = 0.0
    for image, label, score in rows:
        if label not in truth[image]:
            continue
        above = [r for r in rows if r[2] > score or (r[2] == score and (r[0], r[1]) <= (image, label))]
        total += sum(r[1] in truth[r[0]] for r in above) / len(above)
    return total / len(landmark_images)


def random_task(seed, size=40, tied=False):
    rng = np.random.default_rng(seed)
    truth = {f"{i:03d}": set(rng.choice(6, rng.choice([0, 0, 1, 2]), replace=False).tolist()) for i in range(size)}
    truth["landmark"] = {0}
    names = rng.permutation(sorted(truth))[: rng.integers(0, size)]
    score = (lambda: float(rng.integers(0, 4))) if tied else (lambda: float(rng.normal()))
    return {str(name): (int(rng.integers(0, 6)), score()) for name in names}, truth


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), tied=st.booleans())
def test_gap_equals_its_definition_by_loops_with_and_without_ties(seed, tied):
    predictions, truth = random_task(seed, tied=tied)
    assert global_average_precision(predictions, truth) == pytest.approx(reference_gap(predictions, truth), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_without_ties_gap_is_sklearns_ap_times_the_share_of_landmark_images_answered_right(seed):
    predictions, truth = random_task(seed)
    ranking = recognition_ranking(predictions, truth)
    if ranking.n_correct:
        expected = average_precision_score(ranking.correct, ranking.scores) * ranking.n_correct / ranking.n_landmark_images
        assert ranking.gap == pytest.approx(expected, abs=1e-12)
    assert ranking.gap <= ranking.n_correct / ranking.n_landmark_images + 1e-12


def test_the_worked_example_gives_a_half_and_five_ninths_when_the_distractor_abstains():
    assert global_average_precision(ANSWERS, TRUTH) == pytest.approx((1 / 1 + 2 / 4) / 3)
    quiet = {**ANSWERS, "q4": None}
    assert global_average_precision(quiet, TRUTH) == pytest.approx((1 + 2 / 3) / 3)
    assert len(recognition_ranking(quiet, TRUTH)) == 3


def test_ignoring_images_without_a_landmark_equals_their_abstention():
    ignored = recognition_ranking(ANSWERS, TRUTH, non_landmark="ignore")
    assert ignored.gap == pytest.approx(5 / 9)
    assert ignored.ids.tolist() == ["q1", "q2", "q3"]


def test_no_answer_at_all_is_zero_and_not_an_error():
    ranking = recognition_ranking({}, TRUTH)
    assert ranking.gap == 0.0 and ranking.top_1_accuracy == 0.0 and len(ranking) == 0
    assert ranking.gain_if_withdrawn.shape == (0,)


def test_an_image_with_several_landmarks_counts_once_and_takes_any_of_them():
    truth = {"a": {1, 2, 3}, "b": {4}}
    assert global_average_precision({"a": (3, 1.0)}, truth) == 0.5


def test_equal_scores_are_ordered_by_image_id_and_not_by_input_order():
    truth = {"a": set(), "b": {1}}
    for answers in ({"a": (1, 0.5), "b": (1, 0.5)}, {"b": (1, 0.5), "a": (1, 0.5)}):
        assert global_average_precision(answers, truth) == 0.5
    truth = {2: {1}, 10: set()}  # integers are ordered as numbers
    assert global_average_precision({10: (1, 0.5), 2: (1, 0.5)}, truth) == 1.0


def test_in_arrays_equal_scores_of_one_image_are_ordered_by_class():
    right_first = rank_answers([1.0, 1.0], [0, 1], 1, ids=["a", "a"], labels=[2, 1])
    assert right_first.gap == 1.0 and right_first.labels.tolist() == [1, 2]
    assert rank_answers([1.0, 1.0], [0, 1], 1, ids=["a", "a"], labels=[1, 2]).gap == 0.5


def test_arrays_and_mappings_give_the_same_value():
    predictions, truth = random_task(7, size=300)
    rows = list(predictions.items())
    scores = [score for _, (_, score) in rows]
    correct = [label in truth[image] for image, (label, _) in rows]
    found = rank_answers(scores, correct, sum(len(t) > 0 for t in truth.values()))
    assert found.gap == pytest.approx(global_average_precision(predictions, truth), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_withdrawing_an_answer_changes_gap_by_the_promised_amount(seed):
    predictions, truth = random_task(seed, size=20)
    ranking = recognition_ranking(predictions, truth)
    for image, correct, gain in zip(ranking.ids, ranking.correct, ranking.gain_if_withdrawn):
        rest = {key: value for key, value in predictions.items() if key != image}
        assert global_average_precision(rest, truth) - ranking.gap == pytest.approx(gain, abs=1e-12)
        assert gain <= 1e-15 if correct else gain >= 0


def test_one_monotone_map_for_all_images_changes_nothing_and_one_for_each_image_does():
    predictions, truth = random_task(3, size=200)
    together = {image: (label, np.exp(3 * score)) for image, (label, score) in predictions.items()}
    assert global_average_precision(together, truth) == pytest.approx(global_average_precision(predictions, truth), abs=1e-12)
    rng = np.random.default_rng(0)
    apart = {image: (label, score * rng.uniform(0.01, 5)) for image, (label, score) in predictions.items()}
    assert abs(global_average_precision(apart, truth) - global_average_precision(predictions, truth)) > 1e-3


def test_a_wrong_answer_below_all_others_changes_nothing():
    truth = {**TRUTH, "q6": set()}
    assert global_average_precision({**ANSWERS, "q6": (1, -np.inf)}, truth) == global_average_precision(ANSWERS, TRUTH)


def test_a_landmark_image_more_in_the_truth_lowers_gap_through_m_only():
    assert global_average_precision(ANSWERS, {**TRUTH, "q6": {1}}) == pytest.approx(0.5 * 3 / 4)


def test_errors_above_counts_the_wrong_answers_that_push_each_answer_down():
    ranking = recognition_ranking(ANSWERS, TRUTH)
    assert ranking.ids.tolist() == ["q1", "q4", "q2", "q3"]
    assert ranking.errors_above.tolist() == [0, 0, 1, 2]
    assert ranking.on_landmark.tolist() == [True, False, True, True]
    np.testing.assert_allclose(ranking.precision, [1, 1 / 2, 1 / 3, 1 / 2])
    np.testing.assert_allclose(ranking.recall, [1 / 3, 1 / 3, 1 / 3, 2 / 3])
    assert repr(ranking).startswith("RecognitionRanking(GAP 0.5000, top-1 accuracy 0.6667; 4 answers, 2 correct")


@pytest.mark.parametrize("copies", [0, 1, 2, 5])
def test_another_share_of_empty_images_is_the_gap_of_the_set_with_copies(copies):
    predictions, truth = random_task(11, size=120)
    n_landmark = sum(len(labels) > 0 for labels in truth.values())
    n_empty = len(truth) - n_landmark
    crowd, crowd_truth = dict(predictions), dict(truth)
    for image, labels in truth.items():
        if not labels:
            del crowd_truth[image]
            answer = crowd.pop(image, None)
            for copy in range(copies):
                crowd_truth[f"{image} {copy}"] = labels
                if answer is not None:
                    crowd[f"{image} {copy}"] = answer
    share = copies * n_empty / (copies * n_empty + n_landmark)
    found = recognition_ranking(predictions, truth).gap_at_share(len(truth), share)
    assert found == pytest.approx(global_average_precision(crowd, crowd_truth), abs=1e-12)
    if copies == 0:
        assert found == pytest.approx(global_average_precision(predictions, truth, non_landmark="ignore"))


def test_a_share_needs_an_image_without_a_landmark_and_one_with():
    ranking = recognition_ranking(ANSWERS, TRUTH)
    with pytest.raises(ValueError, match="more than 3"):
        ranking.gap_at_share(3, 0.5)
    with pytest.raises(ValueError, match="below 1"):
        ranking.gap_at_share(5, 1.0)
    with pytest.raises(ValueError, match="share"):
        ranking.gap_at_share(5, -0.1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), tied=st.booleans())
def test_a_higher_threshold_never_raises_gap(seed, tied):
    predictions, truth = random_task(seed, tied=tied)
    ranking = recognition_ranking(predictions, truth)
    values = []
    for threshold in [-np.inf, *sorted({score for _, score in predictions.values()})]:
        kept = {image: answer for image, answer in predictions.items() if answer[1] > threshold}
        values.append(global_average_precision(kept, truth))
    assert values[0] == ranking.gap and (np.diff(values) <= 1e-12).all()


def test_top_1_accuracy_does_not_see_the_distractors():
    noisy = {**ANSWERS, "q5": (1, 99.0)}
    before, after = recognition_ranking(ANSWERS, TRUTH), recognition_ranking(noisy, TRUTH)
    assert after.top_1_accuracy == before.top_1_accuracy and after.gap < before.gap


@pytest.mark.parametrize(
    "predictions, truth, error, words",
    [
        ({"q1": (5, float("nan"))}, TRUTH, ValueError, "other than NaN"),
        ({"q9": (5, 0.5)}, TRUTH, ValueError, "1 others, such as 'q9'"),
        ({"q1": (5, 0.5)}, {"q1": set()}, ValueError, "M > 0"),
        ({"q1": (5, "high")}, TRUTH, TypeError, "whose score is a number"),
        ({"q1": (5, True)}, TRUTH, TypeError, "whose score is a number"),
        ({"q1": 5}, TRUTH, TypeError, "a pair"),
        ({"q1": (5, 0.5)}, {"q1": "5"}, TypeError, "a set of labels"),
        ({"q1": (5, 0.5)}, {"q1": 5}, TypeError, "a set of labels"),
        ({"q1": ("5", 0.5)}, TRUTH, TypeError, "numbers, like those of `truth`, but got text"),
        ({"q1": (5, 0.5)}, {"q1": {"5"}}, TypeError, "text, like those of `truth`, but got numbers"),
        ({"q1": (5, 0.5), 2: (5, 0.5)}, {**TRUTH, 2: {5}}, TypeError, "all integers or all strings"),
        ({"q1": (5, 0.5)}, [("q1", {5})], TypeError, "a mapping"),
        ([("q1", 5, 0.5)], TRUTH, TypeError, "a mapping"),
    ],
)
def test_gap_refuses_what_it_cannot_judge(predictions, truth, error, words):
    with pytest.raises(error, match=words.replace("(", r"\(")):
        global_average_precision(predictions, truth)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(scores=[np.nan], correct=[1], n_landmark_images=1), "free of NaN"),
        (dict(scores=[1.0], correct=[2], n_landmark_images=1), "0 or 1"),
        (dict(scores=[1.0], correct=[1], n_landmark_images=0), "M > 0"),
        (dict(scores=[1.0, 0.5], correct=[1, 1], n_landmark_images=1), "at least 2"),
        (dict(scores=[1.0], correct=[1], n_landmark_images=1, on_landmark=[0]), "false where `on_landmark`"),
        (dict(scores=[1.0], correct=[1, 0], n_landmark_images=1), "shape"),
        (dict(scores=[1.0], correct=[1], n_landmark_images=1, ids=["a", "b"]), "shape"),
    ],
)
def test_the_array_form_refuses_what_it_cannot_judge(arguments, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        rank_answers(**arguments)


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match="non_landmark"):
        global_average_precision(ANSWERS, TRUTH, non_landmark="drop")
