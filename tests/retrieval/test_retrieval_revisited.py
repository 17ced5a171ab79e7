"""The revisited protocol against list filtering, by hand, and through a pickle file of the real layout."""

import os
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from course_utils.data import RefusedPickleError
from course_utils.retrieval import RevisitedGroundTruth, average_precision, junk_adjusted_ranks, revisited_protocol

BOX = [[0, 0, 9, 9]]


def one_query(easy=(), hard=(), junk=(), size=10):
    return RevisitedGroundTruth(tuple(f"i{i}" for i in range(size)), ("q",), [list(easy)], [list(hard)], [list(junk)], BOX)


def reference(ranked, positives, junk, at):
    """Judge one list: filter junk out, then walk down it."""
    kept = [i for i in ranked if i not in junk and i >= 0]
    found = [place for place, i in enumerate(kept) if i in positives]
    area = 0.0
    for t, rank in enumerate(found):
        before = 1.0 if rank == 0 else t / rank
        area += (before + (t + 1) / (rank + 1)) / 2
    last = found[-1] + 1 if found else 0
    precision = [sum(r < min(k, last) for r in found) / min(k, last) if found else 0.0 for k in at]
    recall = [sum(r < k for r in found) / len(positives) for k in at]
    return area / len(positives), precision, recall, found


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), protocol=st.sampled_from(["easy", "medium", "hard"]))
def test_every_number_equals_filtering_the_lists_by_hand(seed, protocol):
    rng = np.random.default_rng(seed)
    names, n_queries, at = ("easy", "hard", "junk", "negative"), 6, (1, 3, 5)
    kinds = rng.choice(names, (n_queries, 20), p=[0.1, 0.15, 0.2, 0.55])
    labels = {name: [np.flatnonzero(row == name) for row in kinds] for name in names}
    truth = RevisitedGroundTruth(
        tuple(map(str, range(20))), tuple("abcdef"), labels["easy"], labels["hard"], labels["junk"], np.tile(BOX, (6, 1))
    )
    ranked = np.stack([rng.permutation(20) for _ in range(n_queries)])[:, : rng.integers(1, 21)]
    ranked[rng.random(ranked.shape) < 0.1] = -1
    result = revisited_protocol(ranked, truth, protocol, at)
    wanted = {"easy": ["easy"], "medium": ["easy", "hard"], "hard": ["hard"]}[protocol]
    values = []
    for q in range(n_queries):
        positives = {i for label in wanted for i in labels[label][q]}
        junk = {i for label in ("easy", "hard", "junk") if label not in wanted for i in labels[label][q]}
        if not positives:
            assert np.isnan(result.per_query[q])
            continue
        ap, precision, recall, found = reference(ranked[q].tolist(), positives, junk, at)
        values.append((ap, *precision, *recall))
        assert result.per_query[q] == pytest.approx(ap, abs=1e-12)
        assert result.ranks[q].tolist() == found
        assert [result.precision_per_query[k][q] for k in at] == pytest.approx(precision)
        adjusted = junk_adjusted_ranks(ranked[q], sorted(positives), sorted(junk))
        assert adjusted.tolist() == found
    assert result.n_queries == len(values) and result.n_empty == n_queries - len(values)
    if values:
        means = np.mean(values, axis=0)
        got = [result.mean_average_precision, *result.precision_at.values(), *result.recall_at.values()]
        assert got == pytest.approx(means.tolist(), abs=1e-12)


def test_one_list_under_three_protocols_by_hand():
    # junk, hard, negative, easy: easy sees [negative, easy], medium [hard, negative, easy], hard [hard, negative]
    truth = one_query(easy=[0], hard=[1], junk=[2])
    easy, medium, hard = (revisited_protocol([[2, 1, 3, 0]], truth, p, at=(1, 2)) for p in ("easy", "medium", "hard"))
    assert easy.mean_average_precision == pytest.approx((0 + 1 / 2) / 2)
    assert medium.mean_average_precision == pytest.approx(((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2) / 2)
    assert hard.mean_average_precision == 1.0
    assert [r.ranks[0].tolist() for r in (easy, medium, hard)] == [[1], [0, 2], [0]]
    assert easy.precision_at == {1: 0.0, 2: 0.5} and hard.precision_at == {1: 1.0, 2: 1.0}


def test_ap_is_the_trapezoid_rule_with_junk_of_chapter_05():
    rng = np.random.default_rng(5)
    scores = rng.normal(size=12)
    relevant = np.isin(np.arange(12), [1, 4, 9])
    junk = np.isin(np.arange(12), [0, 7])
    truth = one_query(easy=[1, 4, 9], junk=[0, 7], size=12)
    result = revisited_protocol(np.argsort(-scores)[None], truth, "easy")
    assert result.mean_average_precision == pytest.approx(average_precision(scores, relevant, "trapezoid", junk=junk))


def test_a_junk_image_anywhere_in_the_list_changes_nothing():
    truth = one_query(easy=[1, 2], junk=[5])
    without = revisited_protocol([[3, 1, 4, 2]], truth, "easy")
    for place in range(5):
        ranked = [3, 1, 4, 2]
        ranked.insert(place, 5)
        found = revisited_protocol([ranked], truth, "easy")
        assert found.mean_average_precision == without.mean_average_precision
        assert found.ranks[0].tolist() == [1, 3] and found.precision_at == without.precision_at


def test_a_hard_image_at_the_top_is_ignored_under_easy_and_never_an_error():
    truth = one_query(easy=[0], hard=[1, 2])
    assert revisited_protocol([[1, 2, 0]], truth, "easy").mean_average_precision == 1.0


def test_a_negative_at_the_end_changes_nothing():
    truth = one_query(easy=[0])
    assert (
        revisited_protocol([[3, 0, 4]], truth, "easy").mean_average_precision
        == revisited_protocol([[3, 0]], truth, "easy").mean_average_precision
    )


def test_positives_that_a_partial_list_misses_count_in_the_denominator():
    assert revisited_protocol([[0]], one_query(easy=[0, 1, 2, 3]), "easy").mean_average_precision == 0.25
    assert revisited_protocol([[0, -1, 1, -1]], one_query(easy=[0, 1]), "easy").mean_average_precision == 1.0


def test_a_list_that_finds_nothing_is_zero_and_a_query_without_positives_is_nan():
    truth = one_query(easy=[0])
    nothing = revisited_protocol([[4, 5]], truth, "easy")
    assert nothing.mean_average_precision == 0.0 and nothing.precision_at == {1: 0.0, 5: 0.0, 10: 0.0}
    assert revisited_protocol(np.zeros((1, 0), int), truth, "easy").mean_average_precision == 0.0
    empty = revisited_protocol([[0, 1]], truth, "hard")
    assert np.isnan(empty.per_query[0]) and np.isnan(empty.mean_average_precision)
    assert empty.n_queries == 0 and empty.n_empty == 1 and np.isnan(empty.precision_at[1])
    assert "0 queries counted, 1 without a positive" in repr(empty)


def test_precision_at_ten_does_not_punish_a_query_with_three_positives():
    found = revisited_protocol([[0, 1, 9, 2, 8, 7]], one_query(easy=[0, 1, 2]), "easy")
    assert found.precision_at == {1: 1.0, 5: 0.75, 10: 0.75}
    assert found.recall_at == {1: pytest.approx(1 / 3), 5: 1.0, 10: 1.0}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("arrays", [False, True])
def test_a_ground_truth_file_of_the_real_layout_is_read(tmp_path, protocol, arrays):
    kind = np.array if arrays else list
    data = {
        "imlist": ["all_souls_000000", "all_souls_000001", "oxford_002904"],
        "qimlist": ["all_souls_000013", "worcester_000194"],
        "gnd": [
            {"bbx": kind([136.5, 34.1, 648.5, 955.7]), "easy": kind([1]), "hard": kind([0]), "junk": kind([])},
            {"bbx": kind([0.0, 0.0, 10.0, 20.0]), "easy": kind([]), "hard": kind([2]), "junk": kind([1, 0])},
        ],
    }
    file = tmp_path / "gnd_roxford5k.pkl"
    file.write_bytes(pickle.dumps(data, protocol))
    truth = RevisitedGroundTruth.from_file(file)
    assert truth.images == tuple(data["imlist"]) and truth.queries[1] == "worcester_000194"
    assert [row.tolist() for row in truth.junk] == [[], [0, 1]]
    assert [row.tolist() for row in truth.positives("medium")] == [[0, 1], [2]]
    assert [row.tolist() for row in truth.ignored("hard")] == [[1], [0, 1]]
    np.testing.assert_array_equal(truth.boxes[0], [136.5, 34.1, 648.5, 955.7])
    assert repr(truth) == "RevisitedGroundTruth(2 queries, 3 images; pairs: 1 easy, 2 hard, 2 junk)"
    result = revisited_protocol([[0, 1, 2], [0, 1, 2]], truth, "easy")
    assert result.n_empty == 1 and result.mean_average_precision == 1.0


def test_labels_of_the_classical_sets_are_read_as_easy_without_hard():
    data = {"imlist": ["a", "b", "c"], "qimlist": ["q"], "gnd": [{"bbx": [0, 0, 5, 5], "ok": [0, 2], "junk": [1]}]}
    truth = RevisitedGroundTruth.from_dict(data)
    assert truth.positives("medium")[0].tolist() == [0, 2] and truth.ignored("medium")[0].tolist() == [1]


class Runs:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_ground_truth_file_that_would_run_a_command_is_refused(tmp_path):
    mark, file = tmp_path / "owned", tmp_path / "gnd.pkl"
    file.write_bytes(pickle.dumps({"imlist": [], "qimlist": [], "gnd": Runs(f"echo > '{mark}'")}))
    with pytest.raises(RefusedPickleError, match="system"):
        RevisitedGroundTruth.from_file(file)
    assert not mark.exists()


def test_a_query_that_is_a_database_image_is_junk_for_itself():
    truth = RevisitedGroundTruth(("a", "b", "c"), ("b", "x"), [[0, 1], [2]], [[], []], [[], []], [[0, 0, 1, 1]] * 2)
    quiet = truth.ignoring_queries()
    assert quiet.easy[0].tolist() == [0] and quiet.junk[0].tolist() == [1]
    assert quiet.easy[1].tolist() == [2] and quiet.junk[1].tolist() == []
    result = revisited_protocol([[1, 0, 2], [2, 0, 1]], quiet, "easy")
    assert result.mean_average_precision == 1.0


def test_the_label_of_every_pair_can_be_read():
    names = one_query(easy=[0], hard=[1], junk=[3], size=4).label(0)
    assert names.tolist() == ["easy", "hard", "negative", "junk"]


@pytest.mark.parametrize("box", [[2.4, 1.6, 9.5, 7.5], [0, 0, 12, 8], [-3, -2, 5, 4], [3.5, 2.5, 5.5, 30]])
def test_the_query_crop_equals_that_of_pil_inside_the_image(box):
    image = torch.arange(3 * 8 * 12, dtype=torch.uint8).reshape(3, 8, 12)
    truth = RevisitedGroundTruth(("a",), ("q",), [[0]], [[]], [[]], [box])
    x1, y1, x2, y2 = (round(value) for value in box)
    inside = (max(x1, 0), max(y1, 0), min(x2, 12), min(y2, 8))
    expected = np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).crop(inside))
    np.testing.assert_array_equal(truth.crop_query(image, 0).permute(1, 2, 0).numpy(), expected)


def test_a_query_without_box_is_not_cropped_and_a_box_beside_the_image_is_refused():
    image = torch.zeros(3, 8, 12)
    data = {"imlist": ["a"], "qimlist": ["q"], "gnd": [{"easy": [0], "hard": [], "junk": []}]}
    assert RevisitedGroundTruth.from_dict(data).crop_query(image, 0) is image
    beside = RevisitedGroundTruth(("a",), ("q",), [[0]], [[]], [[]], [[20, 20, 30, 30]])
    with pytest.raises(ValueError, match="12 x 8 pixels"):
        beside.crop_query(image, 0)


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(easy=[[0], [1]]), "one index array per query, 1, but got 2"),
        (dict(easy=[[10]]), "database indices between 0 and 9"),
        (dict(easy=[[-1]]), "database indices between 0 and 9"),
        (dict(easy=[[3]], hard=[[3]]), "two for image 3"),
        (dict(easy=[[3, 3]]), "two for image 3"),
        (dict(boxes=[[5, 0, 5, 9]]), "x1 < x2"),
        (dict(boxes=[[0, 0, 5]]), "shape"),
    ],
)
def test_labels_that_do_not_fit_together_are_refused(change, words):
    parts = dict(images=tuple("abcdefghij"), queries=("q",), easy=[[0]], hard=[[]], junk=[[]], boxes=BOX)
    with pytest.raises(ValueError, match=words):
        RevisitedGroundTruth(**{**parts, **change})


@pytest.mark.parametrize(
    "data, words",
    [
        ([1, 2], "imlist, qimlist and gnd, but got list"),
        ({"imlist": []}, r"but got the keys \['imlist'\]"),
        ({"imlist": [], "qimlist": ["q"], "gnd": []}, "one entry per query, 1"),
        ({"imlist": [], "qimlist": ["q"], "gnd": [{"easy": []}]}, "with easy, hard and junk, or with ok and junk"),
        ({"imlist": ["a"], "qimlist": ["q"], "gnd": [{"easy": [], "hard": [], "junk": [], "bbx": [1, 2]}]}, "bbx"),
    ],
)
def test_a_dictionary_that_is_no_ground_truth_is_refused(data, words):
    with pytest.raises(ValueError, match=words):
        RevisitedGroundTruth.from_dict(data)


@pytest.mark.parametrize(
    "ranked, words",
    [
        ([[0, 1], [0, 1]], "one list for each of the 1 queries, but got 2"),
        ([[0, 10]], "at most 9"),
        ([[0, -2]], "or -1"),
        ([[4, 0, 4]], "image 4 twice in list 0"),
        ([0, 1], "shape"),
    ],
)
def test_rankings_that_cannot_be_judged_are_refused(ranked, words):
    with pytest.raises(ValueError, match=words):
        revisited_protocol(ranked, one_query(easy=[0]))


def test_other_protocols_and_cut_offs_are_refused():
    with pytest.raises(ValueError, match="protocol"):
        revisited_protocol([[0]], one_query(easy=[0]), "extreme")
    with pytest.raises(ValueError, match="at"):
        revisited_protocol([[0]], one_query(easy=[0]), at=(0,))
    with pytest.raises(ValueError, match="image 3 in both"):
        junk_adjusted_ranks([1, 3], [3], [3])
