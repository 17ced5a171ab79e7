"""The figures of chapter 03 show what they were given."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from course_utils import plotting
from course_utils.retrieval import LocalFeatureSet, ReceptiveField, delf_figures
from course_utils.retrieval.delf import LogitParts

FIELD = ReceptiveField(size=8, stride=8, padding=0)


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (3, 3, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def masks():
    masks = np.zeros((3, 32, 48), bool)
    masks[:, 8:24, 16:32] = True
    return masks


@pytest.fixture
def features():
    points = np.float32([[4, 4], [12, 4], [20, 20]])
    boxes = np.concatenate([points - 8, points + 8], axis=1)
    return LocalFeatureSet(points, np.eye(3), [3.0, 2.0, 1.0], [1.0, 1.0, 0.5], boxes, (32, 48))


def titles(figure):
    return [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center") if ax.get_title(loc)]


def test_cells_are_filled_on_the_landmark_at_the_place_of_their_key_point(images, masks):
    figure = delf_figures.cells_figure(images, masks, FIELD, (4, 6))
    assert titles(figure) == ["4 of 24 cells"] * 3
    filled, hollow = figure.axes[0].collections
    np.testing.assert_allclose(np.sort(filled.get_offsets(), axis=0)[0], [19.5, 11.5])
    assert (len(filled.get_offsets()), len(hollow.get_offsets())) == (4, 20)


def test_a_map_covers_the_image_and_a_signed_one_has_zero_in_the_middle(images, masks):
    figure, (plain, signed) = plotting.new_figure(1, 2)
    delf_figures.draw_map(plain, images[0], np.array([[0.0, 2.0], [1.0, 0.5]]), "scores", mask=masks[0])
    delf_figures.draw_map(signed, images[0], np.array([[-3.0, 2.0]]), signed=True)
    assert plain.images[0].get_extent() == [-0.5, 47.5, 31.5, -0.5]
    assert (plain.images[0].norm.vmin, plain.images[0].norm.vmax) == (0, 2)
    assert (signed.images[0].norm.vmin, signed.images[0].norm.vmax) == (-3, 3)
    assert len(plain.collections) == 1
    assert len(signed.collections) == 0
    assert figure is not None


def test_attention_has_a_row_for_every_map(images, masks):
    figure = delf_figures.attention_figure(images, {"attention": np.ones((3, 4, 6)), "norm": np.ones((3, 4, 6))}, masks)
    assert len(figure.axes) == 9
    assert [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()] == ["photograph", "attention", "norm"]


def test_the_logit_figure_shows_both_factors_and_their_product(images):
    scores, votes = np.full((4, 6), 2.0), np.full((4, 6), -1.0)
    figure = delf_figures.logit_figure(images[0], LogitParts(scores * votes / 24, scores, votes, 0.5, 3), "a gate")
    assert titles(figure) == ["a gate", "attention", "vote for the class", "contribution"]
    np.testing.assert_allclose(np.asarray(figure.axes[3].images[0].get_array()).sum(), -2.0)


def test_patches_beyond_the_border_repeat_it(images):
    crop = delf_figures.cropped(images[0], (-2, 30, 2, 34))
    assert crop.shape == (4, 4, 3)
    np.testing.assert_array_equal(crop[:, 0], crop[:, 2])
    np.testing.assert_array_equal(crop[1], crop[3])
    boxes = np.array([[0, 0, 8, 8], [8, 8, 16, 16]])
    figure = delf_figures.patches_figure({"high": (images, boxes), "low": (images[:1], boxes[:1])})
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), plotting.as_picture(images[1])[8:16, 8:16])


def test_the_square_is_drawn_where_the_field_says():
    share = np.zeros((40, 40))
    share[16:24, 16:24] = 1 / 64
    figure = delf_figures.field_figure(share, 2, FIELD)
    x, y = figure.axes[0].lines[0].get_data()
    assert (min(x), max(x), min(y), max(y)) == (15.5, 23.5, 15.5, 23.5)
    heights = [bar.get_height() for bar in figure.axes[1].patches]
    assert sum(heights) == pytest.approx(100)
    assert heights[16] == pytest.approx(12.5)


def test_key_points_are_grouped_by_scale_and_boxes_are_those_asked_for(images, features):
    _, ax = plotting.new_figure()
    delf_figures.draw_key_points(ax, images[0], features, boxes=[2])
    assert [c.get_label() for c in ax.collections] == ["0.50", "1.00"]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[19.5, 19.5]])
    _, other = plotting.new_figure()
    delf_figures.draw_key_points(other, images[0], features[[0]])  # without the coarse scale, scale 1 keeps its colour
    np.testing.assert_array_equal(other.collections[0].get_facecolor(), ax.collections[1].get_facecolor())
    assert min(ax.lines[0].get_xdata()) == 11.5


def test_matches_join_the_points_and_wrong_ones_are_dashed(images):
    points = np.array([[4.5, 4.5], [10.5, 8.5]])
    figure = delf_figures.matches_figure((images[0], images[1]), {"before": (points, points + 1, [True, False])})
    right, wrong = figure.axes[0].lines
    np.testing.assert_allclose(right.get_xydata(), [[4, 4], [5 + 48 + delf_figures.GAP, 5]])
    assert (right.get_linestyle(), wrong.get_linestyle()) == ("-", "--")
    assert to_hex(wrong.get_color()).upper() == plotting.VERMILION.upper()
    assert titles(figure) == ["before: 2"]


def test_of_many_matches_an_even_sample_is_drawn_and_the_title_says_so(images):
    points = np.random.default_rng(0).uniform(0, 30, (90, 2))
    figure = delf_figures.matches_figure((images[0], images[1]), {"all": (points, points, np.ones(90, bool))}, n_lines=30)
    assert len(figure.axes[0].lines) == 30
    assert titles(figure) == ["all: 30 of 90 drawn"]


def test_images_of_different_heights_stand_side_by_side(images):
    _, ax = plotting.new_figure()
    delf_figures.draw_matches(ax, images[0], images[1][:, :20], np.zeros((0, 2)), np.zeros((0, 2)), [])
    assert ax.images[0].get_array().shape == (32, 96 + delf_figures.GAP, 3)


def test_training_curves_carry_their_name_at_the_end():
    _, ax = plotting.new_figure()
    delf_figures.draw_training(ax, [(10, 0.2), (20, 0.4)], 2, "descriptors", 0)
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 0.2], [2, 0.4]])
    assert ax.texts[0].get_text() == "descriptors"


def test_ranked_lists_tell_right_from_wrong_in_words_too(images):
    figure = delf_figures.lists_figure(images[0], images, {"before": [(1, False, "0.90"), (2, True, "0.80")]})
    assert titles(figure) == ["before", "✗ 0.90", "✓ 0.80"]
