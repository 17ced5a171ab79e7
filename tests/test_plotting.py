"""Figures: same bytes at every run, a sentence with every picture, colours that everybody can tell apart."""

from __future__ import annotations

import base64

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_utils import plotting


@pytest.fixture
def shown(monkeypatch):
    """Collect what ``display`` is given."""
    calls = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: calls.append((data, options)))
    return calls


def contrast(colour: str, background: str) -> float:
    def luminance(c: str) -> float:
        rgb = np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted([luminance(colour), luminance(background)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", plotting.LINE_COLOURS)
@pytest.mark.parametrize("background", ["#FFFFFF", "#111111"])
def test_line_colours_stand_out_on_light_and_dark(colour, background):
    assert contrast(colour, background) >= 3.0


def test_a_figure_is_shown_with_picture_sentence_and_alternative_text(shown):
    figure, ax = plotting.new_figure()
    ax.plot([0, 1], [0, 1])
    plotting.show(figure, "A line that rises to 1.")
    (data, options), *rest = shown
    assert not rest
    assert data["text/plain"] == "A line that rises to 1."
    assert options["metadata"] == {"image/png": {"alt": "A line that rises to 1."}}
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


def test_two_encodings_of_a_figure_are_equal_bytes():
    def draw():
        figure, ax = plotting.new_figure(size=(3, 2))
        ax.plot([0, 1], [1, 0])
        return plotting.encode(figure)

    assert draw() == draw()


def test_photographs_are_jpeg(shown):
    plotting.show(plotting.image_grid([torch.zeros(3, 8, 8)]), "A black square.", photo=True)
    assert base64.b64decode(shown[0][0]["image/jpeg"]).startswith(b"\xff\xd8")


def test_showing_closes_a_pyplot_figure(shown):
    figure, _ = plt.subplots()
    plotting.show(figure, "An empty plot.")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("alt", ["", "no full stop", None])
def test_alternative_text_must_be_a_sentence(alt):
    figure, _ = plotting.new_figure()
    with pytest.raises(ValueError, match="`alt` must be a sentence"):
        plotting.show(figure, alt)


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 4, 5), (4, 5), (4, 5, 3)])
def test_pictures_of_every_accepted_shape_become_height_width_rgb(shape):
    assert plotting.as_picture(np.zeros(shape)).shape == (4, 5, 3)


def test_float_pictures_are_clipped_and_scaled():
    assert plotting.as_picture(np.array([[-1.0, 0.5, 2.0]]))[..., 0].tolist() == [[0, 128, 255]]


def test_a_picture_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"`image` must be of shape .*\(2, 4, 5\)"):
        plotting.as_picture(np.zeros((2, 4, 5)))


def test_an_empty_grid_is_refused():
    with pytest.raises(ValueError, match="at least one image"):
        plotting.image_grid([])


def test_seeds_are_drawn_as_points_with_a_bar_at_the_mean():
    _, ax = plotting.new_figure()
    plotting.draw_seeds(ax, {"a": [1.0, 3.0], "b": [2.0, 4.0]}, "score")
    points = [c for c in ax.collections if len(c.get_offsets()) == 2]
    assert [p.get_offsets()[:, 1].tolist() for p in points] == [[1.0, 3.0], [2.0, 4.0]]
    bars = [c.get_segments()[0][0][1] for c in ax.collections if hasattr(c, "get_segments")]
    assert bars == [2.0, 3.0]


def test_boxes_enclose_their_pixels_and_tell_class_and_verdict():
    _, ax = plotting.new_figure()
    plotting.draw_image(ax, torch.zeros(3, 96, 96))
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0], [0.0, 0.0, 96.0, 96.0]])
    plotting.draw_boxes(ax, boxes, ["car 0.9", "cup 0.4"], classes=[1, 2], right=[True, False])
    lines = [line for line in ax.lines if line.get_color() != "black"]
    assert [line.get_color() for line in lines] == [plotting.FILL_COLOURS[1], plotting.FILL_COLOURS[2]]
    assert (lines[0].get_xdata().min(), lines[0].get_xdata().max(), lines[0].get_ydata().max()) == (9.5, 29.5, 59.5)
    assert lines[0].get_linestyle() == "-" and lines[1].get_linestyle() == "--"
    assert [text.get_text() for text in ax.texts] == ["car 0.9", "cup 0.4"]
    assert ax.get_xlim() == (-0.5, 95.5)


def test_equal_labels_get_equal_colours_and_no_boxes_draw_nothing():
    _, ax = plotting.new_figure()
    plotting.draw_image(ax, torch.zeros(3, 8, 8))
    plotting.draw_boxes(ax, torch.zeros(0, 4), [])
    assert len(ax.lines) == 0
    plotting.draw_boxes(ax, [[0, 0, 4, 4], [1, 1, 3, 3], [2, 2, 8, 8]], ["a", "b", "a"])
    colours = [line.get_color() for line in ax.lines if line.get_color() != "black"]
    assert colours[0] == colours[2] != colours[1]


def test_boxes_with_too_few_labels_are_refused():
    _, ax = plotting.new_figure()
    with pytest.raises(ValueError, match="`labels` must be one entry for each of the 2 boxes, but got 1 entries"):
        plotting.draw_boxes(ax, torch.zeros(2, 4), ["a"])
