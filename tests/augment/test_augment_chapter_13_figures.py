"""The figures of chapter 13 draw what they are given, in continuous coordinates."""

import numpy as np
import pytest
import torch

from course_utils import augment, plotting
from course_utils.augment import colour_figures, ground_truth_figures, label_safety_figures


@pytest.fixture
def ax():
    return plotting.new_figure()[1]


def test_the_truth_is_drawn_half_a_pixel_before_its_continuous_place(ax):
    points = torch.tensor([[3.5, 2.5], [float("nan"), 1.0], [7.0, 4.0]])
    mask = torch.zeros(8, 12, dtype=torch.bool)
    mask[2, 3] = True
    box = torch.tensor([[3.0, 2.0, 4.0, 3.0]])
    ground_truth_figures.draw_truth(ax, torch.zeros(3, 8, 12), "a", box, mask, points, [(0, 2)], box_labels=["dot"])
    dots = [tuple(c.get_offsets()[0]) for c in ax.collections if len(c.get_offsets()) == 1 and c.get_paths()]
    assert (3.0, 2.0) in dots and (6.5, 3.5) in dots and len([d for d in dots if np.isfinite(d).all()]) >= 2
    line = ax.lines[0].get_xydata()
    assert line.min(0).tolist() == [2.5, 1.5] and line.max(0).tolist() == [3.5, 2.5]
    assert [t.get_text() for t in ax.texts] == ["dot"] and ax.get_xlim() == (-0.5, 11.5) and ax.get_ylim() == (7.5, -0.5)


def test_left_and_right_differ_in_shape_and_in_colour():
    left, right = ground_truth_figures.LEFT_STYLE, ground_truth_figures.RIGHT_STYLE
    assert left["marker"] != right["marker"] and left["facecolor"] != right["facecolor"]


def test_an_empty_mask_and_no_targets_draw_the_image_alone(ax):
    ground_truth_figures.draw_truth(ax, np.zeros((4, 4)), mask=np.zeros((4, 4), bool))
    assert not ax.lines and not ax.collections


def test_a_row_of_panels_has_one_axes_each_and_needs_at_least_one():
    panel = {"image": np.zeros((4, 4)), "title": "x"}
    figure = ground_truth_figures.truth_figure([panel] * 7, n_columns=5)
    assert len([a for a in figure.axes if a.axison]) == 7 and len(figure.axes) == 10
    with pytest.raises(ValueError, match="`panels` must be at least one panel"):
        ground_truth_figures.truth_figure([])


def test_curves_and_dots_share_their_colour_and_names_stand_at_the_top(ax):
    x = np.arange(5.0)
    ground_truth_figures.draw_curves(ax, x, {"a": x * (4 - x), "b": x}, "x", "y", dots={"a": x * (4 - x)})
    curve, dots, other = ax.lines
    assert curve.get_color() == dots.get_color() != other.get_color() and dots.get_marker() == "o"
    assert {t.get_text(): t.xy for t in ax.texts} == {"a": (2.0, 4.0), "b": (4.0, 4.0)}


def test_a_grid_without_displacement_is_straight_and_shifts_with_a_constant_one(ax):
    ground_truth_figures.draw_bent_grid(ax, torch.zeros(2, 6, 8), spacing=2)
    assert len(ax.lines) == 3 + 4
    assert (ax.lines[0].get_ydata() == 0.5).all() and ax.lines[0].get_xdata().tolist() == [j + 0.5 for j in range(8)]
    shifted = torch.stack([torch.full((6, 8), 2.0), torch.zeros(6, 8)])
    other = plotting.new_figure()[1]
    ground_truth_figures.draw_bent_grid(other, shifted, spacing=2)
    assert (other.lines[0].get_xdata() - ax.lines[0].get_xdata() == 2).all()


def test_noise_is_drawn_as_lines_of_the_model_and_dots_of_the_measurement(ax):
    light = torch.linspace(0.1, 0.5, 5)
    colour_figures.draw_noise(ax, light, {"K = 1": light, "K = 4": 2 * light}, {"K = 1": light + 0.01, "K = 4": 2 * light})
    assert len(ax.lines) == 4 and np.allclose(ax.lines[1].get_ydata(), light + 0.01)
    assert [t.get_text() for t in ax.texts] == ["K = 1", "K = 4"]


def test_the_block_figure_counts_what_is_stored():
    image = (torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 255).to(torch.uint8)
    steps = augment.transparent_jpeg(image, 50)
    levels = steps.levels[0][0, 0, 0]
    figure = colour_figures.block_figure(
        image[0, 0], steps.coefficients[0][0, 0, 0], {"quality 50": levels}, {"quality 50": steps.images[0, 0]}
    )
    titles = [a.get_title(loc="center") for a in figure.axes]
    assert titles == ["pixels", "quality 50", "coefficients", f"{int(levels.ne(0).sum())} of 64 stored"]
    assert len(figure.axes[3].texts) == int(levels.ne(0).sum())


def test_a_kernel_shows_its_centre_of_mass(ax):
    colour_figures.draw_kernel(ax, np.eye(5), "k", (2.5, 2.5))
    assert [line.get_xydata()[0].tolist() for line in ax.lines] == [[2.0, 2.0], [2.0, 2.0]]


def test_the_matrix_writes_every_number_and_frames_the_diagonal():
    figure = label_safety_figures.matrix_figure([[10, -3], [0, 4.4]], ["a", "b"], ["x", "y"], "points")
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.texts] == ["+10", "-3", "+0", "+4"] and len(ax.patches) == 2
    assert ax.images[0].get_clim() == (-10, 10)
    with pytest.raises(ValueError, match="`values` must be of shape"):
        label_safety_figures.matrix_figure([[1, 2]], ["a", "b"], ["x", "y"], "points")


def test_other_cells_can_be_framed_and_many_columns_have_a_scale_in_place_of_numbers():
    some = label_safety_figures.matrix_figure([[1, 2], [3, 4]], ["a", "b"], ["x", "y"], "points", [(0, 1)])
    (frame,) = some.axes[0].patches
    assert (frame.get_x() + frame.get_width() / 2, frame.get_y() + frame.get_height() / 2) == pytest.approx((1, 0))
    many = label_safety_figures.matrix_figure([list(range(20))], ["a"], [f"c{i}" for i in range(20)], "points", [])
    ax, scale = many.axes
    assert not ax.texts and not ax.patches and scale.get_ylabel() == "points"
    assert all(name.get_rotation() == 90 for name in ax.get_xticklabels())
