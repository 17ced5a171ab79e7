import numpy as np
import pytest

from course_utils.augment import erasing_figures as figures
from course_utils.augment.localisation import box_accuracy
from course_utils.plotting import new_figure


def random(*shape):
    return np.random.default_rng(0).random(shape)


def test_sides_stand_at_width_and_height():
    _, ax = new_figure()
    figures.draw_sides(ax, [[0, 0, 9, 4], [2, 2, 3, 7]], "two")
    assert ax.collections[0].get_offsets().tolist() == [[4, 9], [7, 3]]
    assert ax.get_xlabel().startswith("width") and "two" in (ax.get_title(loc="left"), ax.get_title())


def test_every_object_has_its_box():
    figure = figures.objects_figure([random(3, 20, 30)] * 2, [np.array([[1.0, 2, 9, 8]]), np.zeros((0, 4))], ["a", "b"])
    first, second = figure.axes
    assert first.lines[-1].get_xdata().min() == 0.5 and not second.lines


def test_frequencies_are_means_over_draws():
    masks = {"a": random(50, 8, 8) < 0.1, "b": random(50, 8, 8) < 0.2}
    figure = figures.frequency_figure(masks)
    assert np.allclose(figure.axes[0].images[0].get_array(), masks["a"].mean(0))
    assert figure.axes[3].lines[0].get_xdata()[0] == pytest.approx(masks["b"].mean())


def test_magnitudes_have_a_panel_per_layer_and_a_line_per_network():
    one = {"early": np.array([3.0, 2, 1]), "late": np.array([1.0, 0.5])}
    figure = figures.magnitudes_figure({"plain": one, "cutout": one})
    assert [len(ax.lines) for ax in figure.axes] == [2, 2]
    assert figure.axes[1].lines[0].get_ydata().tolist() == [1.0, 0.5]


def test_gaps_show_every_point():
    _, ax = new_figure()
    figures.draw_gaps(ax, {"mean": [0.1, -1], "black": [9, 8]}, "standard errors")
    assert [len(c.get_offsets()) for c in ax.collections[-2:]] == [2, 2]


def test_maps_stand_below_their_images_with_both_boxes():
    maps = {"plain": random(3, 12, 12), "hidden": random(3, 12, 12)}
    boxes = np.array([[1.0, 2, 8, 9]] * 3)
    figure = figures.maps_figure(random(3, 3, 12, 12), maps, boxes, {name: boxes + 1 for name in maps})
    assert len(figure.axes) == 9
    assert [len(ax.lines) for ax in figure.axes] == [1] * 3 + [2] * 6
    assert figure.axes[3].lines[1].get_xdata().tolist() == [1.5, 8.5, 8.5, 1.5, 1.5]


def test_the_chosen_threshold_is_marked_on_the_curve():
    masks = np.zeros((2, 10, 10))
    masks[:, 2:7, 3:9] = 1
    curve = box_accuracy(masks, [[3, 2, 9, 7]] * 2)
    _, ax = new_figure()
    figures.draw_box_accuracy(ax, {"plain": curve}, {"plain": 0.31})
    assert ax.lines[1].get_xdata()[0] == pytest.approx(0.31) and ax.lines[1].get_ydata()[0] == 1.0
