"""The figures in the plane: what is drawn is what the data says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from course_utils.augment.decision_maps import decision_map, intrusions
from course_utils.augment.manifold_mixup_figures import draw_blends, draw_map, from_the_side, hidden_figure, maps_figure
from course_utils.data import spirals
from course_utils.plotting import BLUE, VERMILION, new_figure

BOX = (-2.0, 2.0, -1.0, 1.0)


def _right_is_one(sharpness: float):
    return decision_map(lambda xy: torch.stack([-sharpness * xy[:, 0], sharpness * xy[:, 0]], dim=1), BOX, 20)


def test_the_ground_has_the_colour_of_the_class_and_is_strong_where_the_network_is_sure() -> None:
    _, ax = new_figure()
    draw_map(ax, _right_is_one(2.0), "two halves")
    (image,) = ax.images
    ground = np.asarray(image.get_array())
    assert ground[5, 0, :3] == pytest.approx(to_rgb(BLUE)) and ground[5, 19, :3] == pytest.approx(to_rgb(VERMILION))
    assert ground[5, 0, 3] == pytest.approx(0.55) and ground[5, 10, 3] < 0.25
    assert tuple(image.get_extent()) == BOX and image.origin == "lower"
    border = ax.collections[0].get_offsets()
    assert len(border) == 20 and np.allclose(border[:, 0], 0)


def test_maps_stand_side_by_side_with_their_confident_share() -> None:
    both = spirals(40, 0)
    maps = {"sure": _right_is_one(50.0), "unsure": _right_is_one(0.1)}
    figure = maps_figure(maps, both.points, both.labels)
    assert [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes] == ["sure", "unsure"]
    shares = [f"sure on {100 * found.confident_share(0.95):.0f} %" for found in maps.values()]
    assert [ax.get_xlabel() for ax in figure.axes] == shares
    drawn = [len(one.get_offsets()) for one in figure.axes[0].collections[1:]]
    assert drawn == [20, 20]


def test_blends_on_the_wrong_class_are_crosses_and_are_counted() -> None:
    both = spirals(60, 0)
    pi = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    hard = torch.nn.functional.one_hot(both.labels, 2).float()
    mixed, soft = 0.7 * both.points + 0.3 * both.points[pi], 0.7 * hard + 0.3 * hard[pi]
    _, ax = new_figure()
    draw_blends(ax, both.points, both.labels, mixed, soft)
    wrong = intrusions(mixed, soft, both.points, both.labels)
    assert 0 < wrong.sum() < 60
    assert ax.get_xlabel() == f"{int(wrong.sum())} of 60 blends on the wrong class"
    np.testing.assert_allclose(ax.collections[-1].get_offsets(), mixed[wrong])
    assert sum(len(one.get_offsets()) for one in ax.collections[:2]) == 60 - int(wrong.sum())


def test_from_the_side_the_centres_are_1_apart_and_a_turn_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 2
    hidden = torch.randn(200, 5, generator=generator) * torch.tensor([0.1, 2.0, 0.3, 0.1, 0.1]) + 4 * labels[:, None]
    seen = from_the_side(hidden, labels)
    gap = seen[labels == 1].mean(0) - seen[labels == 0].mean(0)
    torch.testing.assert_close(gap, torch.tensor([1.0, 0.0]), rtol=0, atol=1e-5)
    turn = torch.linalg.qr(torch.randn(5, 5, generator=generator)).Q
    torch.testing.assert_close(from_the_side(3 * hidden @ turn + 7, labels), seen, rtol=0, atol=1e-4)


def test_hidden_tensors_of_several_trainings_share_their_axes() -> None:
    labels = torch.arange(40) % 2
    tight = labels[:, None] + 0.01 * torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    wide = labels[:, None] + torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    figure = hidden_figure({"none": wide, "manifold mixup": tight}, labels)
    one, two = figure.axes
    assert one.get_xlim() == two.get_xlim() and one.get_ylim() == two.get_ylim()
    assert [len(c.get_offsets()) for c in two.collections] == [20, 20]
