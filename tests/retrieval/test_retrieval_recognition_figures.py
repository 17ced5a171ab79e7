"""The figures of chapter 04 show the data that they are given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from course_utils import plotting
from course_utils.retrieval import RevisitedGroundTruth, rank_answers, revisited_protocol
from course_utils.retrieval import recognition_figures as figures


@pytest.fixture
def ax():
    return plotting.new_figure()[1]


@pytest.fixture
def ranking():
    return rank_answers([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 0, 1, 0], 3, on_landmark=[1, 0, 1, 1, 0])


def cells(ax):
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_answers_are_right_wrong_or_about_nothing(ranking):
    assert figures.kinds_of(ranking) == ["right", "no landmark there", "wrong landmark", "right", "no landmark there"]


def test_the_strip_shows_ticks_and_the_precision_at_right_answers(ax, ranking):
    figures.draw_answers(ax, ranking)
    faces = ["white" if patch.get_facecolor()[:3] == (1, 1, 1) else "filled" for patch in cells(ax)]
    assert faces == ["filled", "white", "white", "filled", "white"]
    assert [bool(patch.get_hatch()) for patch in cells(ax)] == [False, True, False, False, True]
    assert {"1/1", "2/4"} <= set(texts(ax)) and texts(ax).count("✓") == 2 and texts(ax).count("✗") == 1
    shorter = plotting.new_figure()[1]
    figures.draw_answers(shorter, ranking, first=2, precision=False)
    assert len(cells(shorter)) == 2 and "1/1" not in texts(shorter)


def test_the_bars_are_the_gains_of_withholding_in_points(ax, ranking):
    figures.draw_gains(ax, ranking)
    np.testing.assert_allclose([patch.get_height() for patch in ax.patches], 100 * ranking.gain_if_withdrawn)


def test_the_key_names_all_three_kinds(ax):
    figures.answer_key(ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["✓ right", "✗ wrong landmark", "no landmark there"]


def test_every_confidence_is_a_dot_in_the_row_of_its_kind(ax, ranking):
    figures.draw_confidences(ax, ranking, "score")
    counts = [len(collection.get_offsets()) for collection in ax.collections]
    assert counts == [2, 1, 2]
    rows = [np.round(-collection.get_offsets()[:, 1].data - 0.4) for collection in ax.collections]
    assert all((row == i).all() for i, row in enumerate(rows))
    x = ax.collections[0].get_offsets()[:, 0].data
    np.testing.assert_allclose(sorted(x), [0.6, 0.9], atol=0.01)


def test_equal_confidences_are_piled_up_and_no_answers_are_no_error(ax):
    figures.draw_confidences(ax, rank_answers([0.5] * 7, [0] * 7, 1), "score")
    heights = ax.collections[1].get_offsets()[:, 1].data
    assert len(np.unique(heights)) == 7
    figures.draw_confidences(plotting.new_figure()[1], rank_answers([], [], 1), "score")


def test_the_long_tail_falls_and_names_mean_and_median(ax):
    figures.draw_long_tail(ax, [8, 200, 16, 8])
    assert [patch.get_height() for patch in ax.patches] == [200, 16, 8, 8]
    assert {"mean 58", "median 12"} <= set(texts(ax))


def test_kept_answers_show_the_running_numbers_of_the_metric(ax, ranking):
    figures.draw_kept(ax, ranking)
    precision, recall, gap = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(precision, ranking.precision)
    np.testing.assert_allclose(recall, ranking.recall)
    assert gap[-1] == pytest.approx(ranking.gap) and (np.diff(gap) >= 0).all()


def test_the_crowd_draws_one_line_for_each_confidence(ax):
    curves = {"inliers": [0.6, 0.4], "similarity": [0.3, 0.1]}
    figures.draw_crowd(ax, [0, 0.9], curves, here=0.8)
    assert [line.get_ydata().tolist() for line in ax.lines[:2]] == list(map(list, curves.values()))
    assert set(ax.lines[2].get_xdata()) == {0.8} and {"inliers", "similarity", "this test set"} <= set(texts(ax))
    assert ax.lines[0].get_color() != ax.lines[1].get_color() and ax.lines[0].get_marker() != ax.lines[1].get_marker()


def test_the_table_of_four_shows_percentages_at_their_places(ax):
    values = {("a", "x"): 0.1, ("a", "y"): 0.2, ("b", "x"): 0.3, ("b", "y"): 0.4}
    figures.draw_two_by_two(ax, values)
    assert texts(ax) == ["10 %", "20 %", "30 %", "40 %"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["label by\na", "label by\nb"]
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.1, 0.2], [0.3, 0.4]])


def test_strips_of_answers_frame_right_ones_blue():
    images = [np.zeros((8, 8, 3), np.uint8)] * 3
    figure = figures.answers_figure(
        {"one": (images, ["right", "wrong landmark", "no landmark there"]), "two": (images[:1], ["right"])},
        {"one": "first system", "two": "second"},
        n_columns=3,
    )
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert labels[:4] == ["1 ✓", "2 ✗", "3 ✗", "1 ✓"]
    assert figure.axes[0].spines["left"].get_edgecolor() != figure.axes[1].spines["left"].get_edgecolor()
    plotting.encode(figure, "jpeg")
    with pytest.raises(ValueError, match="one kind for each of the 3 images of one"):
        figures.answers_figure({"one": (images, ["right"])}, {"one": ""})


def test_protocols_draw_ignored_images_as_gaps_and_ranks_without_them():
    truth = RevisitedGroundTruth(tuple("abcd"), ("q",), [[0]], [[1]], [[2]], [[0, 0, 9, 9]])
    results = {p: revisited_protocol([[2, 1, 3, 0]], truth, p) for p in ("easy", "medium", "hard")}
    picture = np.zeros((8, 8, 3), np.uint8)
    figure = figures.protocol_figure(picture, [picture] * 4, ["junk", "hard", "negative", "easy"], results)
    strips = figure.axes[1]
    dotted = [patch.get_linestyle() == ":" for patch in cells(strips)]
    assert [sum(dotted[4 * row : 4 * row + 4]) for row in range(3)] == [2, 1, 2]
    written = texts(strips)
    assert {"E 2", "H 1", "E 3"} <= set(written)
    assert [text for text in written if text.startswith("AP")] == ["AP 0.25", "AP 0.79", "AP 1.00"]


def test_a_protocol_without_positives_says_so():
    truth = RevisitedGroundTruth(tuple("ab"), ("q",), [[0]], [[]], [[]], [[0, 0, 9, 9]])
    results = {"hard": revisited_protocol([[0, 1]], truth, "hard")}
    picture = np.zeros((8, 8, 3), np.uint8)
    figure = figures.protocol_figure(picture, [picture] * 2, ["easy", "negative"], results)
    assert "no positive" in texts(figure.axes[1])
