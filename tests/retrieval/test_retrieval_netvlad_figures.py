"""The figures of chapter 02 show what they were given."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils import plotting
from course_utils.retrieval import attribute_similarity, netvlad_figures


@pytest.fixture(scope="module")
def street():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (6, 3, 24, 32), dtype=torch.uint8, generator=generator)
    positions = torch.stack([torch.arange(6) * 7.0, torch.zeros(6)], dim=1)
    headings = torch.tensor([0.0, 0.1, np.pi / 2, np.pi, -0.1, 2 * np.pi])
    return SimpleNamespace(images=images, positions=positions, headings=headings)


def titles(figure):
    return [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center") if ax.get_title(loc)]


@pytest.mark.parametrize(("one", "other", "same"), [(0, 0.7, True), (0, 0.9, False), (0.1, 2 * np.pi, True), (0, np.pi, False)])
def test_headings_closer_than_45_degrees_look_the_same_way(one, other, same):
    assert netvlad_figures.looks_the_same_way(one, other) is same


def test_nearby_images_carry_their_distance_and_whether_they_look_the_same_way(street):
    figure = netvlad_figures.nearby_figure(street, street, 0, [1, 2, 5])
    assert titles(figure) == ["the query", "7 m: ✓ same way", "14 m: ✗ elsewhere", "35 m: ✓ same way"]


def test_results_are_right_within_the_radius_end_included(street):
    figure = netvlad_figures.results_figure(street, street, 0, {"before": [3, 1], "after": [2, 1]}, radius=14.0)
    assert titles(figure) == ["query, before", "1 ✗", "2 ✓", "query, after", "1 ✓", "2 ✓"]


def test_soft_weights_are_drawn_as_one_line_per_cluster():
    _, ax = plotting.new_figure()
    x, weights = np.array([0.0, 1.0]), np.array([[1.0, 0.0], [0.25, 0.75]])
    netvlad_figures.draw_soft_weights(ax, x, weights, [0.0, 1.0], "alpha = 1")
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 2]
    np.testing.assert_array_equal(drawn, weights.T)


def test_ratio_marks_stand_at_their_logarithm():
    _, ax = plotting.new_figure()
    netvlad_figures.draw_ratios(ax, np.array([1.0, 10.0, 1e4]), {"geometric": 100.0, "arithmetic": 1e3})
    assert [line.get_xdata()[0] for line in ax.lines] == pytest.approx([2, 3])


def test_only_what_takes_part_is_filled_and_has_an_arrow():
    _, ax = plotting.new_figure()
    points = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]])
    pulls = [np.array([0.1, 0.0]), np.array([[0.0, 0.5], [0.0, 0.0]]), np.array([[0.0, 0.0], [0.3, 0.0]])]
    netvlad_figures.draw_pulls(ax, points[0], points[1:], -points[1:], pulls, best=0, active=[False, True])
    marks = [line for line in ax.lines if line.get_marker() not in ("None", "")]
    assert [mark.get_markerfacecolor() == "white" for mark in marks] == [False, False, True, True, False]
    assert sum(text.get_text() == "" for text in ax.texts) == 3  # arrows are texts without words


def test_a_moved_anchor_is_where_both_residuals_begin():
    _, ax = plotting.new_figure()
    netvlad_figures.draw_decoupled(ax, {"A": (0, 1), "B": (-1, 0)}, np.array([[-0.5, 0.0], [1.0, 0.0]]), 0.0, -0.5, "moved")
    assert [tuple(text.xyann) for text in ax.texts if not text.get_text()] == [(-0.5, 0.0)] * 2
    assert ax.get_xlabel() == "cosine of the two residuals -0.50"


def test_contributions_are_coloured_on_one_symmetric_scale_and_silent_places_stay_clear(street):
    _, ax = plotting.new_figure()
    scale = netvlad_figures.draw_contributions(ax, street.images[0], np.array([0.0, 0.01, -0.02, 0.0]), (2, 2), limit=20.0)
    layer = np.asarray(ax.images[-1].get_array())
    assert scale.get_clim() == (-20, 20)
    assert layer[..., 3].ravel() == pytest.approx([0, 0.8, 0.85, 0])
    assert layer[0, 1, 0] > layer[0, 1, 2]  # orange: for the match
    assert layer[1, 0, 2] > layer[1, 0, 1]  # purple: against it


def test_an_attribution_has_a_row_per_pair(street):
    random = np.random.default_rng(0)
    query, database, centers = (random.normal(size=s) for s in ((6, 4), (6, 4), (3, 4)))
    parts = attribute_similarity(query, database, centers, query_grid=(2, 3), database_grid=(2, 3))
    figure = netvlad_figures.attribution_figure(
        {name: (street.images[0], street.images[1], parts) for name in ("before", "after")}
    )
    assert titles(figure) == ["before: query", "before: result", "after: query", "after: result"]


def test_mean_maps_share_their_scale():
    maps = {"before": np.array([[0.001, 0.0]]), "after": np.array([[0.0, -0.004]])}
    figure = netvlad_figures.mean_maps_figure(maps)
    assert [ax.images[0].get_clim() for ax in figure.axes[:2]] == [(-4, 4)] * 2


def test_a_curve_marks_its_points_when_they_are_few():
    _, ax = plotting.new_figure()
    netvlad_figures.draw_curve(ax, [1, 2], [0.1, 0.2], "step", "recall", plotting.BLUE)
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.lines[0].get_marker()) == ("step", "recall", "o")
