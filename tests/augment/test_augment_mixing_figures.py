"""The figures of chapter 15 show the data that they are given."""

import numpy as np
import pytest
import torch

from course_utils import augment, plotting
from course_utils.augment import mixing_figures as figures


@pytest.fixture
def ax():
    figure, ax = plotting.new_figure(size=(4, 3))
    return ax


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_a_label_bar_is_as_long_as_the_label_and_says_its_parts(ax):
    figures.draw_label_bar(ax, [0.5, 0.3, 0.2, 0.0])
    widths = [patch.get_width() for patch in ax.patches]
    assert sum(widths) == pytest.approx(1) and widths == pytest.approx([0.5, 0.3, 0.2, 0])
    assert texts(ax) == ["50 %", "30 %"]


def test_a_bar_of_many_classes_can_be_read(ax):
    figures.draw_label_bar(ax, [0, 0.3, 0, 0, 0.05, 0, 0.65])
    assert texts(ax) == ["30 %", "65 %"] and [text.get_color() for text in ax.texts] == ["white", "black"]


def test_names_stand_where_they_have_room(ax):
    figures.draw_label_bar(ax, torch.tensor([0.7, 0.3]), ["boat", "person"])
    assert texts(ax) == ["boat"]


def test_the_grid_has_a_bar_under_every_image():
    images = torch.rand(5, 3, 8, 8)
    figure = figures.labelled_grid(images, np.full((5, 2), 0.5), list("abcde"), n_columns=3)
    drawn = [ax for ax in figure.axes if ax.images]
    bars = [ax for ax in figure.axes if ax.patches]
    assert len(drawn) == len(bars) == 5 and [ax.get_title() for ax in drawn] == list("abcde")


def test_ways_show_mask_image_and_bar():
    names = augment.mixed_example_methods
    figure = figures.ways_figure([np.eye(8)] * 16, torch.rand(16, 3, 8, 8), np.full((16, 2), 0.5), names)
    assert len([ax for ax in figure.axes if ax.images]) == 32
    assert len([ax for ax in figure.axes if ax.patches]) == 16


def test_ratios_are_densities(ax):
    figures.draw_ratios(ax, {"one": np.linspace(0, 1, 1000), "two": np.full(10, 0.5)})
    data = ax.patches[0].get_data()
    assert float((data.values * np.diff(data.edges)).sum()) == pytest.approx(1)


def test_a_schedule_has_a_bar_for_every_epoch(ax):
    figures.draw_schedule(ax, [False, True, True, False])
    starts = sorted(patch.get_x() for patch in ax.patches)
    assert starts == [0, 1, 2, 3]
    filled = sorted(p.get_x() for p in ax.patches if not p.get_hatch())
    assert filled == [1, 2]


def test_answers_between_two_images(ax):
    figures.draw_between(ax, np.linspace(0, 1, 5), {"none": np.ones(5)})
    assert [line.get_label() for line in ax.lines] == ["label of Mixup", "none"]


def test_gains_over_steps_have_their_means_in_a_line(ax):
    figures.draw_lengths(ax, {"Mixup": {400: [-0.2, -0.1], 800: [0.0, 0.1]}}, "gain")
    assert ax.lines[-1].get_ydata() == pytest.approx([-0.15, 0.05])


def test_intervals_are_sorted_and_marked(ax):
    figures.draw_intervals(ax, {"b_c": (0.1, 0.2, 0.3), "a": (-0.3, -0.2, -0.1), "d": (-0.1, 0.0, 0.1)}, "points")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "d", "b c"]
