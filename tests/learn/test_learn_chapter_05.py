"""The judges of chapter 05: right answers of several makes, and the likely mistakes by name."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score
from torchvision.ops import box_iou

from course_utils import learn, retrieval
from course_utils.learn import chapter_05


def verdict(key, answer):
    return learn.check(key, answer)


# --- 05-1


def by_loop(scores, relevant):
    total, previous = 0.0, 0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        accepted = scores >= threshold
        hits = int((accepted & relevant).sum())
        total += (hits - previous) * hits / accepted.sum()
        previous = hits
    return total / relevant.sum()


def by_torch(scores, relevant):
    scores, relevant = torch.as_tensor(scores), torch.as_tensor(relevant)
    above = scores[None, :] >= scores[relevant][:, None]
    return ((above & relevant).sum(1) / above.sum(1, dtype=torch.float64)).mean()


@pytest.mark.parametrize(
    "answer",
    [
        chapter_05.step_average_precision,
        by_loop,
        by_torch,
        lambda scores, relevant: average_precision_score(relevant, scores),
        retrieval.average_precision,
    ],
)
def test_right_average_precision_is_accepted(answer):
    found = verdict("05-1", answer)
    assert found.outcome == "right", found.sentence
    assert "one threshold" in found.text


def test_the_lists_have_thirty_percent_ties_and_a_relevant_item_each():
    lists = chapter_05.tied_lists()
    assert len(lists) == 200 and all(relevant.any() for _, relevant in lists)
    copies = [len(scores) - len(np.unique(scores)) for scores, _ in lists[3:]]
    assert 0.2 < sum(copies) / sum(len(scores) for scores, _ in lists[3:]) <= 0.3


def item_by_item(scores, relevant, order=None):
    order = np.argsort(-scores, kind="stable") if order is None else order
    labels = relevant[order]
    return (labels * np.cumsum(labels) / np.arange(1, len(labels) + 1)).sum() / labels.sum()


def envelope(scores, relevant):
    precision, recall, _ = precision_recall_curve(relevant, scores)
    return -np.sum(np.diff(recall) * np.maximum.accumulate(precision[:-1]))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (item_by_item, "opened in input order"),
        (lambda s, r: item_by_item(s, r, np.argsort(s, kind="stable")[::-1]), "reversed input order"),
        (lambda s, r: item_by_item(s, r, np.lexsort((~r, -s))), "too kind"),
        (lambda s, r: item_by_item(s, r, np.lexsort((r, -s))), "too strict"),
        (lambda s, r: by_loop(-s, r), "the wrong way round"),
        (lambda s, r: auc(*precision_recall_curve(r, s)[1::-1]), "the trapezoid rule"),
        (envelope, "PASCAL VOC"),
        (lambda s, r: by_loop(s, r) * r.sum() / len(s), "divided by the length"),
        (lambda s, r: by_loop(s, r) * r.sum(), "Nothing divides"),
        (lambda s, r: roc_auc_score(r, s) if not r.all() else 1.0, "ROC"),
        (lambda s, r: precision_recall_curve(r, s)[0][:-1].mean(), "over all thresholds"),
        (lambda s, r: by_loop(s, r) - (s == s.max())[r].sum() * r[s == s.max()].mean() / r.sum(), "recall starts at 0"),
        (lambda s, r: np.mean([r[s >= t].mean() for t in set(s[r])]), "Each threshold counts once"),
        (lambda s, r: np.float32(by_loop(s, r)), "float64, not in float32"),
        (lambda s, r: 0.9 * item_by_item(s, r), "luck decides the ties"),
        (lambda s, r: 0.5, "lists differ. List 0"),
        (lambda s, r: by_loop(s, r[::-1]), "lists differ"),
        (lambda s, r: s, "shape"),
        (lambda s, r: np.nan, "NaN"),
        (lambda s, r: 1 / 0, "ZeroDivisionError"),
        (lambda s, r: s.sort() or 1.0, "changes its first argument"),
        (0.7, "must be a function"),
    ],
)
def test_wrong_average_precision_is_named(answer, text):
    found = verdict("05-1", answer)
    assert found.outcome == "not yet"
    assert text in found.text, found.text


# --- 05-2


def test_the_reference_is_the_cards_enumeration():
    gap, lists = chapter_05.largest_gap()
    assert gap == 0.25
    assert lists == [(0, 1), (0, 1, 0), (0, 1, 0, 0), (0, 1, 0, 0, 0), (0, 1, 0, 0, 0, 0)]


def test_the_gap_of_every_list_is_that_of_the_metric():
    for labels in itertools.product((0, 1), repeat=6):
        if any(labels):
            scores = -np.arange(6)
            step, trapezoid = (retrieval.average_precision(scores, labels, c) for c in ("step", "trapezoid"))
            before, at = chapter_05.rank_terms(labels)
            assert (at.mean(), (before + at).mean() / 2) == pytest.approx((step, trapezoid), abs=1e-15)


LISTS = chapter_05.largest_gap()[1]


@pytest.mark.parametrize(
    "answer",
    [
        (0.25, LISTS),
        [np.float32(0.25), [list(labels) for labels in LISTS[::-1]]],
        (torch.tensor(0.25), {"01", "010", "0100", "01000", "010000"}),
        (1 / 4, [np.array(labels, bool) for labels in LISTS] * 2),
    ],
)
def test_right_gaps_are_accepted(answer):
    found = verdict("05-2", answer)
    assert found.outcome == "right", found.sentence
    assert "ignores the left one" in found.text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((-0.25, LISTS), "wrong sign"),
        ((0.5, [(1,) + (0,) * n for n in range(6)]), "0.5000: The trapezoid starts at precision 0"),
        ((0.5, LISTS), "0.5000: The trapezoid takes the mean of both ends"),
        ((0.5, []), "comes out by two slips. The trapezoid starts at precision 0"),
        ((0.0, [(1,)]), "not at the previous relevant item"),
        ((0.125, LISTS[:1]), "divided by the length"),
        ((0.3, LISTS), "Try the list 0 1 by hand"),
        ((0.25, LISTS[-1:]), "4 of 5 lists are missing: shorter"),
        ((0.25, LISTS[:1]), "4 of 5 lists are missing: other"),
        ((0.25, []), "5 of 5 lists are missing"),
        ((0.25, [*LISTS, (0, 0, 1)]), "0 0 1 does not attain it: step 0.3333, trapezoid 0.1667"),
        ((0.25, [*LISTS, (0, 0)]), "without a relevant item"),
        ((0.25, [*LISTS, (0, 1, 0, 0, 0, 0, 0)]), "longer than 6"),
        ((0.25, [2]), "a collection of lists"),
        ((0.25, [(2,)]), "not ranks"),
        ((0.25, [()]), "of length 0"),
        (0.25, "A pair is expected"),
        (("a quarter", LISTS), "should be numbers"),
    ],
)
def test_wrong_gaps_are_named(answer, text):
    found = verdict("05-2", answer)
    assert found.outcome == "not yet"
    assert text in found.text, found.text


# --- 05-3


def by_sets(ious, scores, threshold):
    free, flags = set(range(ious.shape[1])), [0] * len(scores)
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        able = [j for j in free if ious[i, j] >= threshold]
        if able:
            free.remove(max(able, key=lambda j: ious[i, j]))
            flags[i] = 1
    return flags


def by_torch_columns(ious, scores, threshold):
    ious, matched = torch.tensor(ious), torch.zeros(len(scores), dtype=torch.bool)
    for i in torch.argsort(torch.tensor(scores), descending=True):
        if ious.shape[1] and ious[i].max() >= threshold:
            matched[i] = True
            ious[:, ious[i].argmax()] = -1
    return matched


@pytest.mark.parametrize("answer", [chapter_05.match_like_coco, by_sets, by_torch_columns])
def test_right_matching_is_accepted(answer):
    found = verdict("05-3", answer)
    assert found.outcome == "right", found.sentence
    assert "two numbers" in found.text


def test_the_reference_matches_boxes_as_the_package_does_under_cocos_rule():
    random = np.random.default_rng(0)
    for _ in range(40):
        corner, n, m = random.uniform(0, 6, (9, 2)), 6, 3
        boxes = np.concatenate([corner, corner + random.uniform(3, 8, (9, 2))], axis=1)
        scores = random.permutation(n) / n
        ious = box_iou(torch.tensor(boxes[:n]), torch.tensor(boxes[n:])).numpy()
        ours = chapter_05.match_like_coco(ious, scores, 0.3)
        theirs = retrieval.match_detections([boxes[:n]], [scores], [boxes[n:]], iou_threshold=0.3, protocol="coco")
        np.testing.assert_array_equal(ours[theirs.detection], theirs.is_true_positive)
        assert theirs.n_objects == m


def voc(ious, scores, threshold):
    matched, taken = np.zeros(len(scores), bool), set()
    for i in np.argsort(-scores):
        if ious.shape[1]:
            j = ious[i].argmax()
            if ious[i, j] >= threshold and j not in taken:
                matched[i] = True
                taken.add(j)
    return matched


def objects_choose(ious, scores, threshold):
    flags = np.zeros(len(scores), bool)
    for column in ious.T:
        able = [i for i in range(len(scores)) if column[i] >= threshold and not flags[i]]
        if able:
            flags[max(able, key=lambda i: column[i])] = True
    return flags


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda i, s, t: (i >= t).any(1), "matched by several detections"),
        (voc, "the rule of PASCAL VOC"),
        (lambda i, s, t: by_sets(i, -np.arange(len(s)), t), "in input order"),
        (lambda i, s, t: by_sets(i, -s, t), "The least confident"),
        (lambda i, s, t: by_sets(i, s, np.nextafter(t, 1)), "exactly the threshold"),
        (lambda i, s, t: np.array(by_sets(i, s, t))[np.argsort(-s)], "in the order of confidence"),
        (lambda i, s, t: by_sets((i >= t) * (1 - np.arange(i.shape[1]) / 99), s, t), "The first free object"),
        (objects_choose, "Each object chooses"),
        (chapter_05._largest_overlap_first, "confidence decides the order"),
        (chapter_05._best_assignment, "the best assignment of all"),
        (lambda i, s, t: np.zeros(len(s)), "There are 0 true positives in yours, and 1 by the rule"),
        (lambda i, s, t: np.roll(by_sets(i, s, t), 1), "other detections got them"),
        (lambda i, s, t: 2 * np.array(by_sets(i, s, t)), "Flags are expected"),
        (lambda i, s, t: [1, 0], "One flag for each detection"),
        (lambda i, s, t: i.max(1) >= t, "stopped with ValueError"),
        (lambda i, s, t: None, "returned nothing"),
        (lambda i, s, t: "yes", "should be numbers"),
    ],
)
def test_wrong_matching_is_named(answer, text):
    found = verdict("05-3", lambda *arguments: answer(*arguments))
    assert found.outcome == "not yet"
    assert text in found.text, found.text


@pytest.mark.parametrize("traps", [chapter_05.AP_TRAPS, chapter_05.MATCH_TRAPS], ids=["05-1", "05-3"])
def test_every_trap_differs_from_the_right_answer_and_from_the_other_traps(traps):
    if traps is chapter_05.AP_TRAPS:
        right, problems = chapter_05.step_average_precision, chapter_05.tied_lists()
    else:
        right, problems = chapter_05.match_like_coco, [(*p, 0.5) for p in chapter_05.overlap_tables()]
    results = [np.concatenate([np.atleast_1d(rule(*p)) for p in problems]).astype(float) for rule in (right, *traps.values())]
    for one, other in itertools.combinations(results, 2):
        assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize("key", ["05-1", "05-2", "05-3"])
def test_stubs_are_not_attempted_and_hints_exist(key):
    assert verdict(key, None).outcome == "not attempted"
    assert len({str(learn.hint(key, level).text) for level in (1, 2, 3)}) == 3
