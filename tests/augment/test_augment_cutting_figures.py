"""The figures of chapter 16 show the numbers they are given."""

import numpy as np
import pytest

from course_utils.augment import cutting_figures as figures
from course_utils.augment.mixing_court import CourtRow
from course_utils.plotting import new_figure


def random(*shape):
    return np.random.default_rng(0).random(shape)


def test_a_label_is_as_long_as_its_shares():
    figure = figures.labelled_figure([random(3, 8, 8)] * 2, [[0.25, 0, 0.75], [0, 1, 0]], ["a", "b", "c"], ["one", "two"])
    first, second = figure.axes[2:]
    assert [(bar.get_x(), bar.get_width()) for bar in first.patches if bar.get_width() > 0] == [(0, 0.25), (0.25, 0.75)]
    assert [text.get_text() for text in second.texts] == ["100 %"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]


def test_raw_and_true_weights_are_points_and_a_mean():
    _, ax = new_figure()
    figures.draw_raw_and_true(ax, [0.2, 0.4, 0.9], [0.5, 0.6, 1.0], "a title", n_shown=2)
    assert ax.collections[0].get_offsets().tolist() == [[0.2, 0.5], [0.4, 0.6]]
    assert ax.lines[1].get_ydata()[0] == pytest.approx(0.7)
    assert ax.texts[0].get_text() == "mean 0.70"


def test_histograms_name_their_means():
    _, ax = new_figure()
    figures.draw_histograms(ax, {"a": [0.1, 0.3], "b": [0.5]}, "weight", (0, 1))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a, mean 0.20", "b, mean 0.50"]


def test_masks_share_one_scale():
    figure = figures.masks_figure([random(5, 5), np.ones((5, 5))], ["a", "b"])
    assert [ax.images[0].get_clim() for ax in figure.axes[:2]] == [(0, 1), (0, 1)]


def test_the_court_marks_who_is_wrong_and_leaves_out_who_is_not_there():
    rows = [CourtRow("ours", "a", 0.0), CourtRow("theirs", "b", 0.58, "a word"), CourtRow("absent", "all", None)]
    ax = figures.court_figure(rows).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["theirs: b", "ours: a"]
    assert [text.get_text() for text in ax.texts] == ["0.58"]
    assert {line.get_marker() for line in ax.lines} >= {"o", "X"}
