"""The figures of chapter 01 show what they were given."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils import plotting
from course_utils.retrieval import DenseRootSIFT, vlad_figures


@pytest.fixture(scope="module")
def street():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 3, 48, 64), dtype=torch.uint8, generator=generator)
    positions = torch.stack([torch.arange(8) * 30.0, torch.zeros(8)], dim=1)
    return SimpleNamespace(images=images, positions=positions, headings=torch.zeros(8), conditions=["sun"] * 8)


def test_the_riddle_holds_the_right_image_first_and_then_images_from_far_away(street):
    right, *others = vlad_figures.look_alikes(street, street, 2)
    assert right == 2 and len(others) == 2
    assert all(abs(float(street.positions[i, 0]) - 60) > 60 for i in others)


def test_stars_have_a_ray_per_number_as_long_as_its_share():
    _, ax = plotting.new_figure()
    descriptor = np.zeros(128)
    descriptor[(1 * 4 + 2) * 8] = 0.7  # cell in row 1, column 2, orientation 0: to the right
    vlad_figures.draw_stars(ax, descriptor)
    rays = [line.get_xydata() for line in ax.lines if len(line.get_xydata()) == 2 and np.ptp(line.get_xydata()) > 0]
    longest = [r for r in rays if np.isclose(np.abs(r[1] - r[0]).max(), 0.48)]
    np.testing.assert_allclose(longest[0], [[2, 1], [2.48, 1]])


def test_words_in_pictures_are_nearest_centres_and_flat_patches_have_none(street):
    images = street.images.clone()
    images[0] = 128
    features = DenseRootSIFT(cell=4, stride=8)(images)
    centers = features.descriptors[1, :3].numpy()
    words, distances = vlad_figures.words_in_pictures(features, centers)
    assert (words[0] == -1).all() and (words[1:] >= 0).all()
    np.testing.assert_array_equal(words[1, :3], [0, 1, 2])
    np.testing.assert_allclose(distances[1, :3], 0, atol=1e-3)


def test_gallery_and_word_map_show_only_the_chosen_words(street):
    features = DenseRootSIFT(cell=4, stride=8)(street.images)
    words, distances = vlad_figures.words_in_pictures(features, features.descriptors[0, :3].numpy())
    gallery = vlad_figures.gallery_figure(street.images, features, words, distances, [0, 2])
    assert [t.get_text() for t in gallery.axes[0].texts] == ["word 0", "word 2"]
    figure = vlad_figures.word_map_figure(street.images[:2], features, words[:2], [1])
    for ax, found in zip(figure.axes, words):
        assert len(ax.lines[0].get_xydata()) == (found == 1).sum()
    assert plotting.encode(gallery, "jpeg") and plotting.encode(figure, "jpeg")


def test_results_say_right_or_wrong_in_text_as_well_as_in_colour(street):
    figure = vlad_figures.results_figure(street, street, [0], np.array([[0, 5]]), radius=12.0, n=2)
    assert [ax.get_title(loc="center") for ax in figure.axes] == ["query: sun", "✓ 0 m", "✗ 150 m"]


def test_the_burst_figure_names_each_line_at_its_end():
    _, ax = plotting.new_figure()
    vlad_figures.draw_burst(ax, [1, 10], {"plain": [1, 0.4], "intra": [1, 1]})
    assert [t.get_text() for t in ax.texts] == ["plain", "intra"]


def test_residual_arrows_end_at_centre_plus_sum_inside_the_axes():
    _, ax = plotting.new_figure()
    vlad_figures.draw_residuals(ax, np.array([[1.0, 1.0]]), np.array([[0.0, 0.0]]), np.array([[1.0, 1.0]]), "A")
    np.testing.assert_allclose([a.xy for a in ax.texts if hasattr(a, "xy")], [[1, 1]])
    assert "word 0: 1 points" in [t.get_text() for t in ax.texts]


def test_blocks_bars_spectrum_and_trade_off_draw_their_numbers():
    _, axes = plotting.new_figure(1, 4)
    vlad_figures.draw_block_lengths(axes[0], np.array([1.0, 2.0]), "plain")
    np.testing.assert_allclose([bar.get_height() for bar in axes[0].patches], [80, 20])
    plotting.draw_bars(axes[1], {"a": 0.5, "b": 0.25}, "Recall@1")
    assert [t.get_text().strip() for t in axes[1].texts] == ["0.25", "0.50"]
    vlad_figures.draw_spectrum(axes[2], np.array([1.0, 0.1]), np.array([1.0, 0.5]))
    np.testing.assert_allclose(axes[2].lines[1].get_ydata(), [1.0, 0.5])
    vlad_figures.draw_trade_off(axes[3], [0.1, 1.0], {"full": [0.5, 1.0]})
    np.testing.assert_allclose(axes[3].lines[0].get_ydata(), [50, 100])


def test_the_town_is_drawn_with_the_query_ringed(street):
    district = SimpleNamespace(extent=(0, 240, -20, 20), map_image=lambda scale: np.full((8, 8, 3), 200, np.uint8))
    figure = vlad_figures.belief_figure(street.images[0], district, street.positions, np.linspace(0, 1, 8), (3.0, 1.0))
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xydata(), [[3, 1]])


def test_crops_of_photographs_look_like_an_image_folder_and_overlap():
    pictures = vlad_figures.photograph_crops(most=3)
    assert pictures.images.shape[1:] == (3, 96, 128) and len(pictures.paths) == len(pictures.images) and pictures.skipped == []
    assert torch.equal(pictures.images[0][:, :, 77:], pictures.images[1][:, :, :51])


def test_a_search_leaves_the_query_itself_out_and_no_result_blank():
    pictures = vlad_figures.photograph_crops(most=1)
    figure = vlad_figures.search_figure(pictures, [0], np.array([[0, 3, -1]]), np.array([[1.0, 0.4, -np.inf]]))
    titles = [ax.get_title(loc="center") for ax in figure.axes]
    assert titles[0] == pictures.paths[0].stem and titles[1].endswith(": 0.40") and titles[2] == ""
