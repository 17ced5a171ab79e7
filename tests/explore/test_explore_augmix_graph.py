"""The AugMix graph: its pictures are AugMix's own, its answers the network's, its tasks can be solved."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from course_utils.augment import AugMix, jensen_shannon_divergence
from course_utils.explore import AugMixGraph
from course_utils.explore.augmix_cases import default_network, default_pictures
from course_utils.explore.augmix_state import NOTHING, TASKS, Mixture, as_params, convex, drawn
from course_utils.explore.augmix_views import weights_at


@pytest.fixture
def graph() -> AugMixGraph:
    return AugMixGraph()


def _send(graph: AugMixGraph, view: str, *events: dict) -> None:
    canvas = graph.canvases[view]
    canvas.receive({"kind": "events", "counter": canvas.answer + 1, "events": list(events)})
    assert graph.last_error is None


def _to_place(graph: AugMixGraph, mark: str, x: float, y: float) -> None:
    _send(graph, "weights", {"kind": "move", "name": mark, "x": x, "y": y}, {"kind": "release", "name": mark, "x": x, "y": y})


def test_pictures_and_answers_are_those_of_augmix_and_the_network(graph: AugMixGraph) -> None:
    pictures, labels, _ = default_pictures()
    state, result = graph.state, graph.result
    clean = pictures[state.picture][None]
    params = as_params((state.first, state.other))
    views = torch.cat([clean, clean, clean]).float() / 255
    views[1:] = AugMix(severity=10).apply(views[1:], params)
    assert np.array_equal(result.views, (views * 255).round().byte().movedim(1, -1).numpy())
    log_p = default_network()(views).double().log_softmax(1)
    assert np.allclose(result.probabilities, log_p.exp().detach().numpy())
    assert result.divergence == pytest.approx(float(jensen_shannon_divergence(log_p[:, None])))
    assert np.allclose(result.mixture, result.probabilities.mean(0)) and result.label == labels[state.picture]
    assert np.array_equal(result.steps[:, 0], np.repeat(clean.movedim(1, -1).numpy(), 3, 0))


def test_what_is_drawn_is_what_augmix_draws() -> None:
    mixtures = drawn(3)
    params = AugMix(severity=3).sample(2, (3, 32, 32), torch.Generator().manual_seed(3))
    again = as_params(mixtures)
    assert torch.equal(again.operations, params.operations)
    torch.testing.assert_close(again.weights, params.weights, atol=1e-5, rtol=0)
    torch.testing.assert_close(again.m, params.m, atol=1e-3, rtol=0)
    torch.testing.assert_close(again.levels, params.levels, atol=0.006, rtol=0)
    assert torch.equal(again.signs, params.signs)


def test_a_pressed_chip_is_changed_by_the_controls(graph: AugMixGraph) -> None:
    _send(graph, "graph", {"kind": "press", "name": "chain 2, place 3", "x": 0.0, "y": 0.0})
    assert graph.state.chosen == (1, 2)
    picture, operation, level, second = (control.widget for control in graph._controls)
    operation.value, level.value = "rotate", -7.0
    assert graph.state.first.chains[1][2] == ("rotate", -7.0)
    assert graph.result.amounts[1][2] == "rotate -21 degrees"
    second.value = True
    operation.value = "equalize"
    assert graph.state.other.chains[1][2][0] == "equalize" and graph.state.first.chains[1][2] == ("rotate", -7.0)
    picture.value = 0
    assert "Mixture 2" in graph.scenes()["graph"].layers[0].strings[0] and graph.state.picture == 0


def test_the_point_in_the_triangle_is_the_weights(graph: AugMixGraph) -> None:
    for corner, (x, y) in enumerate(((30.0, 172.0), (250.0, 172.0), (140.0, 40.0))):
        _to_place(graph, "weights", x, y)
        assert graph.state.first.weights[corner] == pytest.approx(1)
    _to_place(graph, "weights", 150.0, 120.0)
    mark = graph.scenes()["weights"].marks[0]
    assert (mark.x, mark.y) == pytest.approx((150, 120))
    assert sum(weights_at(-500.0, 900.0)) == pytest.approx(1) and min(weights_at(-500.0, 900.0)) >= 0


def test_m_zero_leaves_the_clean_picture_and_its_answer(graph: AugMixGraph) -> None:
    _to_place(graph, "m", 0.0, 222.0)
    assert graph.state.first.m == 0
    assert np.array_equal(graph.result.views[1], graph.result.views[0])
    assert np.allclose(graph.result.probabilities[1], graph.result.probabilities[0])
    _to_place(graph, "m", 145.0, 222.0)
    assert graph.state.first.m == 0.5


def test_drawing_again_gives_new_mixtures_each_time(graph: AugMixGraph) -> None:
    seen = {graph.state.first}
    for _ in range(3):
        graph.buttons["Draw again"].click()
        seen.add(graph.state.first)
    assert len(seen) == 4


def test_every_task_can_be_solved_in_order(graph: AugMixGraph) -> None:
    assert "Task 1 of 4" in graph.status
    _to_place(graph, "m", 40.0, 222.0)
    assert "Done. With m = 0" in graph.status
    _to_place(graph, "m", 240.0, 222.0)
    assert "Task 2 of 4" in graph.status
    _to_place(graph, "weights", 30.0, 172.0)
    assert "Done. In a corner" in graph.status
    strong = Mixture(((("translate_y", 10.0), ("translate_x", 10.0), ("rotate", 10.0)),) * 3, (1.0, 0.0, 0.0), 1.0)
    _to_place(graph, "weights", 31.0, 172.0)
    graph.state = replace(graph.state, first=strong, other=strong)
    assert "Done. The three answers differ" in graph.status
    empty = Mixture((((NOTHING, 1.0),) * 3,) * 3, (1.0, 0.0, 0.0), 0.5)
    _to_place(graph, "m", 150.0, 222.0)
    graph.state = replace(graph.state, first=empty, other=empty)
    assert "Done. This is what the loss asks" in graph.status
    _to_place(graph, "m", 160.0, 222.0)
    assert "All tasks" in graph.status and graph.state.task == len(TASKS)


def test_weights_are_made_convex() -> None:
    assert convex((0.0, 0.0, 0.0)) == convex((math.nan,) * 3) == (1 / 3,) * 3
    assert convex((1.0, math.inf, 1.0)) == (0.5, 0.0, 0.5)
    assert sum(convex((5.0, 1.0, 2.5))) == pytest.approx(1)


def test_own_pictures_need_all_that_belongs_to_them() -> None:
    pictures = torch.randint(0, 256, (2, 3, 20, 24), dtype=torch.uint8)

    def network(images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))

    own = AugMixGraph(network=network, pictures=pictures, labels=[0, 2], class_names=("red", "green", "blue"))
    assert own.result.probabilities.shape == (3, 3) and own.last_error is None
    own.buttons["Draw again"].click()
    assert own.last_error is None
    with pytest.raises(ValueError, match=r"`pictures` must be at least one.*Own pictures need `network`, `labels`"):
        AugMixGraph(pictures=pictures, labels=[0, 1], class_names=("a", "b"))
    with pytest.raises(ValueError, match="`pictures`"):
        AugMixGraph(network=network, pictures=pictures, labels=[0], class_names=("a",))
    with pytest.raises(TypeError, match="`pictures` must be a torch.Tensor"):
        AugMixGraph(network=network, pictures=[1], labels=[0], class_names=("a",))


def test_the_network_names_most_toys_that_it_never_saw() -> None:
    from course_utils.data import Sprites

    toys = Sprites("validation", n=120, size=32)
    right = default_network()(toys.images.float() / 255).argmax(1) == toys.labels
    assert right.float().mean() > 0.6
