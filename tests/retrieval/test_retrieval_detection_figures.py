"""The detection figures of chapter 05 show what they were given."""

import matplotlib.colors
import numpy as np
import pytest
import torch

from course_utils import plotting
from course_utils.retrieval import detection_figures as figures
from course_utils.retrieval import precision_recall_curve

IMAGE = torch.full((3, 20, 30), 128, dtype=torch.uint8)
GREEN, VERMILION = plotting.GREEN.lower(), plotting.VERMILION.lower()


@pytest.fixture
def ax():
    return plotting.new_figure()[1]


def boxes_of(ax):
    """Edge colour, line style and data rectangle of every box on the axes."""
    return [
        (matplotlib.colors.to_hex(p.get_edgecolor()), p.get_linestyle(), (p.get_x(), p.get_y(), p.get_width(), p.get_height()))
        for p in ax.patches
    ]


def test_right_boxes_are_solid_green_with_a_tick_and_wrong_ones_dashed_vermilion_with_a_cross(ax):
    figures.draw_boxes(ax, IMAGE, [], [[1, 2, 5, 8], [10, 2, 15, 8]], [True, False], ["ball 0.90", "car 0.20"])
    assert boxes_of(ax) == [(GREEN, "-", (0.5, 1.5, 4, 6)), (VERMILION, "--", (9.5, 1.5, 5, 6))]
    assert [text.get_text() for text in ax.texts] == ["✓ ball 0.90", "✗ car 0.20"]


def test_true_boxes_are_white_with_a_dark_rim(ax):
    figures.draw_boxes(ax, IMAGE, [[1, 2, 5, 8]], np.zeros((0, 4)), [], [])
    assert [colour for colour, _, _ in boxes_of(ax)] == ["#000000", "#ffffff"]


def test_a_figure_has_one_picture_per_image_and_writes_class_and_confidence():
    found = {"boxes": torch.tensor([[1.0, 2, 5, 8]]), "scores": torch.tensor([0.875]), "labels": torch.tensor([1])}
    none = {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64)}
    truth = {"boxes": torch.tensor([[1.0, 2, 5, 8]])}
    figure = figures.judged_figure(
        [IMAGE] * 5, [truth] * 5, [found, none, none, none, none], [[True], [], [], [], []], ["a", "car"]
    )
    assert len(figure.axes) == 6 and sum(bool(ax.images) for ax in figure.axes) == 5
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["✓ car 0.88"]


def test_every_class_gets_its_curve_and_a_line_of_its_own(ax):
    curve = precision_recall_curve([0.9, 0.8, 0.7], [1, 0, 1])
    figures.draw_class_curves(ax, {name: curve for name in "abcdef"})
    lines = ax.lines[::2]
    assert all(np.array_equal(line.get_xdata(), curve.recall) for line in lines)
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 6
    assert [entry.get_text() for entry in ax.get_legend().get_texts()] == list("abcdef")


def test_thresholds_are_drawn_with_the_named_means(ax):
    figures.draw_thresholds(ax, {0.5: 0.4, 0.75: 0.1}, {"mean of ten": 0.2})
    assert ax.lines[0].get_ydata().tolist() == [0.4, 0.1]
    assert list(ax.lines[1].get_ydata()) == [0.2, 0.2]
    assert ax.texts[0].get_text() == "mean of ten"
