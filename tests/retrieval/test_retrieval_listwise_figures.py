"""The figures of chapter 06 show the data that they are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils import plotting
from course_utils.retrieval import ListwiseAPLoss
from course_utils.retrieval import listwise_figures as figures

SCORES = np.array([0.9, 0.2, -0.4, 0.5])
RELEVANT = np.array([False, True, True, False])


@pytest.fixture
def ax():
    return plotting.new_figure()[1]


def items_of(ax):
    """Scores and heights of the relevant and of the other items drawn last."""
    marks = [line for line in ax.lines if line.get_marker() == "o" and line.get_linestyle() == "None"]
    assert len(marks) == 2
    relevant, other = marks
    assert other.get_markerfacecolor() == "white" != relevant.get_markerfacecolor()
    return relevant.get_xydata(), other.get_xydata()


def test_relevant_items_are_filled_and_the_others_hollow(ax):
    relevant, other = items_of(figures.draw_items(ax, SCORES, RELEVANT, np.arange(4)))
    np.testing.assert_array_equal(relevant, [[0.2, 1], [-0.4, 2]])
    np.testing.assert_array_equal(other, [[0.9, 0], [0.5, 3]])


def test_the_staircase_shows_its_values_above_the_items_that_stand_still(ax):
    sweep, values = np.linspace(-1, 1, 5), np.array([0.1, 0.1, 0.5, 0.5, 1.0])
    figures.draw_staircase(ax, torch.from_numpy(sweep), values, SCORES, RELEVANT, "title")
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.column_stack([sweep, values]))
    relevant, _ = items_of(ax)
    assert (relevant[:, 1] == 0).all() and ax.get_ylim()[0] == 0


@pytest.mark.parametrize("n_bins", [2, 9, 20])
def test_the_tents_drawn_are_those_of_the_loss(ax, n_bins):
    loss = ListwiseAPLoss(n_bins)
    figures.draw_tents(ax, loss.centers, SCORES, RELEVANT)
    tents = [line for line in ax.lines if line.get_marker() in ("None", "", None)]
    assert len(tents) == n_bins
    grid = np.linspace(-1, 1, 101)
    drawn = np.stack([np.interp(grid, *line.get_xydata().T, left=0, right=0) for line in tents], axis=1)
    each = [loss.histograms(torch.tensor([[s]]), torch.tensor([[True]]))[0][0].numpy() for s in grid]
    np.testing.assert_allclose(drawn, each, atol=1e-6)


def test_soft_counts_are_outlines_with_the_relevant_part_filled(ax):
    centres, counts, positive, precision = (
        np.array([1, 0, -1.0]),
        np.array([2, 1, 0.5]),
        np.array([0.5, 0, 0.5]),
        [0.25, 1 / 6, 0.3],
    )
    figures.draw_soft_counts(ax, centres, counts, positive, precision)
    outlines, filled = ax.containers
    assert [bar.get_height() for bar in outlines] == [2, 1, 0.5] and not any(bar.get_facecolor()[3] for bar in outlines)
    assert [bar.get_height() for bar in filled] == [0.5, 0, 0.5] and all(bar.get_facecolor()[3] for bar in filled)
    points = ax.figure.axes[1].lines[0].get_xydata()
    np.testing.assert_allclose(points, [[1, 0.25], [-1, 0.3]])  # only bins with a relevant item


def test_an_arrow_points_where_the_item_is_pushed_and_grows_with_the_push(ax):
    push = np.array([-2.0, 1.0, -0.5, 0.0])
    figures.draw_pushes(ax, SCORES, RELEVANT, push, "title")
    arrows = {round(float(text.xyann[1])): text for text in ax.texts if text.arrow_patch is not None}
    lanes = {item: int(4 - rank) for rank, item in enumerate(np.argsort(-SCORES))}
    assert set(arrows) == {lanes[0], lanes[1], lanes[2]}
    lengths = {item: arrows[lanes[item]].xy[0] - SCORES[item] for item in (0, 1, 2)}
    assert lengths[0] < lengths[2] < 0 < lengths[1] < abs(lengths[0])
    assert abs(lengths[0]) == pytest.approx(figures.LONGEST + figures.SHORTEST)


def test_no_push_is_a_zero_and_a_push_the_wrong_way_is_dashed_with_an_exclamation_mark(ax):
    figures.draw_pushes(ax, SCORES, RELEVANT, np.array([0.3, 1.0, -0.5, 0.0]), "title")
    zeros = [text.xy[0] for text in ax.texts if text.get_text() == "0"]
    alarms = [text.xy[1] for text in ax.texts if text.get_text() == "!"]
    assert zeros == [0.5]
    assert sorted(alarms) == [1, 4]  # the irrelevant item at 0.9 goes up, the relevant one at -0.4 goes down
    styles = [text.arrow_patch.get_linestyle() for text in ax.texts if text.arrow_patch is not None]
    assert sorted(styles) == ["-", "--", "--"]


def test_a_faint_push_is_written_as_about_zero(ax):
    figures.draw_pushes(ax, SCORES, RELEVANT, np.array([-1.0, 1e-4, 0.0, 0.0]), "title")
    assert sorted(text.get_text() for text in ax.texts) == ["", "0", "0", "\u2248 0"]


def test_nobody_pushed_gives_zeros_only(ax):
    figures.draw_pushes(ax, SCORES, RELEVANT, np.zeros(4), "title")
    assert [text.get_text() for text in ax.texts] == ["0"] * 4


def test_agreement_is_drawn_with_the_diagonal(ax):
    true, clouds = np.array([0.2, 0.6]), {"M = 5": np.array([0.1, 0.5]), "M = 20": np.array([0.2, 0.55])}
    figures.draw_agreement(ax, true, clouds)
    for cloud, values in zip(ax.collections, clouds.values()):
        np.testing.assert_allclose(cloud.get_offsets(), np.column_stack([true, values]))
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0.1, 0.1], [0.6, 0.6]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(clouds)


def test_curves_differ_in_line_and_marker_and_are_named(ax):
    figures.draw_curves(ax, (3, 10, 30), {"a": [1, 2, 3], "b": [3, 2, 1]}, "x", "y", level=2.5)
    one, two, level = ax.lines
    np.testing.assert_array_equal(one.get_ydata(), [1, 2, 3])
    assert one.get_linestyle() != two.get_linestyle() and one.get_marker() != two.get_marker()
    assert set(level.get_ydata()) == {2.5}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["3", "10", "30"]


def test_seed_curves_show_every_run_and_their_mean(ax):
    runs = np.array([[1.0, 2.0], [3.0, 6.0]])
    figures.draw_seed_curves(ax, (1, 10), runs, "x", "y")
    np.testing.assert_array_equal([line.get_ydata() for line in ax.lines], [[1, 2], [3, 6], [2, 4]])


def test_found_images_are_marked_right_or_wrong_by_sign_and_frame():
    images, labels = np.random.default_rng(0).normal(size=(4, 8, 8)), np.array([3, 5, 3, 3])
    figure = figures.retrieved_figure(images, labels, 0, {"before": [1, 2], "after": [3, 2]})
    titles = [one.get_title() for one in figure.axes]
    assert titles == ["before", "✗ 5", "✓ 3", "after", "✓ 3", "✓ 3"]
    frames = [one.spines["left"].get_edgecolor() for one in figure.axes if one.spines["left"].get_visible()]
    assert len(frames) == 4 and frames[0] != frames[1] == frames[2]
    with pytest.raises(ValueError, match=r"`rows` must be rows of one length, but got lengths \[1, 2\]"):
        figures.retrieved_figure(images, labels, 0, {"before": [1], "after": [3, 2]})


def test_memory_is_drawn_in_megabytes_against_the_single_pass(ax):
    figures.draw_memory(ax, (8, 16), (1_000_000, 2_500_000), 5_000_000)
    assert [bar.get_height() for bar in ax.patches] == [1.0, 2.5]
    assert set(ax.lines[0].get_ydata()) == {5.0}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "16"]
