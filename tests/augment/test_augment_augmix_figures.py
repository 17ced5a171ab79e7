"""The figures of chapter 17 show the numbers that they were given."""

import numpy as np
import torch

from course_utils.augment import augmix_figures as figures
from course_utils.augment.calibration import calibration_null, reliability
from course_utils.plotting import new_figure


def test_chains_have_a_row_each_and_their_words():
    steps = torch.randint(0, 256, (3, 4, 3, 8, 8), dtype=torch.uint8)
    words = [["rotate 3 degrees"], ["equalize", "posterize 4 bits"], []]
    figure = figures.chains_figure(steps, words, [0.5, 0.3, 0.2], steps[0, 0], 0.25)
    titles = [ax.get_title(loc="center") for ax in figure.axes]
    assert titles[:2] == ["clean", "rotate 3 degrees"] and titles[5:8] == ["clean", "equalize", "posterize 4 bits"]
    assert "mixture, m = 0.25" in titles and "w = 0.30" in figure.axes[5].get_ylabel()
    assert sum(bool(ax.images) for ax in figure.axes) == 2 + 3 + 1 + 1


def test_a_corner_of_the_simplex_is_one_chain():
    _, ax = new_figure()
    figures.draw_simplex(ax, np.eye(3), "corners")
    assert np.allclose(ax.collections[0].get_offsets(), figures.CORNERS)


def test_divergences_are_drawn_with_their_limit():
    _, ax = new_figure()
    figures.draw_divergences(ax, np.arange(3.0), {"JS": [0, 0.1, 0.2], "KL": [0, 1, 2]}, 1.1)
    assert ax.lines[1].get_ydata().tolist() == [0, 1, 2] and ax.lines[2].get_ydata()[0] == 1.1


def test_heat_maps_share_their_colours_and_mark_circular_rows():
    errors = {"a": {"fog": [0.1] * 5, "contrast": [0.2] * 5}, "b": {"fog": [0.5] * 5, "contrast": [0.4] * 5}}
    figure = figures.heat_maps_figure(errors, ["contrast"])
    left, right = figure.axes[:2]
    assert left.images[0].get_clim() == right.images[0].get_clim() == (0, 50)
    assert [t.get_text() for t in left.get_yticklabels()] == ["fog", "contrast *"]
    assert left.texts[0].get_text() == "10"


def test_reliability_shows_filled_bins_only():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45]] * 20)
    y = np.array([0, 0, 1] * 20)
    _, ax = new_figure()
    curve = reliability(p, y, 10)
    figures.draw_reliability(ax, curve, calibration_null(p, 10, 50, random_state=0), "title")
    offsets = ax.collections[-1].get_offsets()
    assert len(offsets) == int((curve.counts > 0).sum())
    assert np.allclose(offsets[:, 0], curve.confidence[curve.counts > 0])
