"""The spiral theatre: its hand-written training equals torch's, its state trains on, its meters count right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_utils.augment import ManifoldMixup
from course_utils.explore import spiral_training
from course_utils.explore.base import direct_scheduler
from course_utils.explore.canvas import Event
from course_utils.explore.spiral_state import (
    LABELS,
    LIMITS,
    N_POINTS,
    N_STEPS,
    PIECE,
    PLACES,
    PRESETS,
    compute_spirals,
    further,
    react_plane,
    retrained,
    trained,
)
from course_utils.explore.spiral_theatre import SpiralTheatre
from course_utils.explore.spiral_training import Training, forward, gradient, n_weights, parts, softmax
from course_utils.explore.spiral_views import draw_inside, draw_meters, draw_plane


def _twin(weights: np.ndarray) -> nn.Sequential:
    """Return the same network in torch, float64."""
    network = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2)).double()
    with torch.no_grad():
        for linear, (matrix, offset) in zip((network[0], network[2], network[4]), parts(weights)):
            linear.weight.copy_(torch.from_numpy(matrix.T))
            linear.bias.copy_(torch.from_numpy(offset))
    return network


def _flat(tensors: list[torch.Tensor]) -> np.ndarray:
    return np.concatenate([t.detach().numpy().T.ravel() for t in tensors])


def _training(layers: tuple[int, ...] = (0, 1, 2), n: int = 20, seed: int = 0) -> Training:
    generator = np.random.default_rng(seed)
    return Training(generator.normal(size=(n, 2)), np.eye(2)[np.arange(n) % 2], layers, 1.0, generator)


# ------------------------------------------------------------------------------------------------ the hand-written steps


@pytest.mark.parametrize("k", [None, 0, 1, 2])
def test_the_gradient_is_that_of_autograd_through_the_courses_manifold_mixup(k: int | None) -> None:
    training = _training()
    network, x, y = _twin(training.weights), torch.from_numpy(training.x), torch.from_numpy(training.y)
    mix = None if k is None else (k, 0.3, np.random.default_rng(5).permutation(20))
    if mix is None:
        F.cross_entropy(network(x), y).backward()
    else:
        mixer = ManifoldMixup(network, ["2", "4"])
        mixer.loss(*mixer(x, y, mix=(k, 0.3, torch.from_numpy(mix[2])))).backward()
    expected = _flat([p.grad for p in network.parameters()])
    np.testing.assert_allclose(gradient(training.weights, training.x, training.y, mix), expected, rtol=1e-5, atol=1e-8)


def test_thirty_steps_are_thirty_steps_of_torchs_adam() -> None:
    training = _training()
    network, x, y = _twin(training.weights), torch.from_numpy(training.x), torch.from_numpy(training.y)
    adam, mixer = torch.optim.Adam(network.parameters(), lr=spiral_training.RATE), ManifoldMixup(network, ["2", "4"])
    for _ in range(30):
        k, lam, partner = training.draw()
        lam = float(np.float32(lam))  # what the mixer keeps
        training.step((k, lam, partner))
        adam.zero_grad()
        mixer.loss(*mixer(x, y, mix=(k, lam, torch.from_numpy(partner)))).backward()
        adam.step()
    np.testing.assert_allclose(training.weights, _flat(list(network.parameters())), rtol=1e-4, atol=1e-6)


def test_forward_returns_what_enters_every_layer() -> None:
    training = _training()
    network, x = _twin(training.weights), torch.from_numpy(training.x)
    entered, arrived = forward(training.weights, training.x)
    expected = [*ManifoldMixup(network, ["2", "4"]).hidden_states(x), network(x)]
    for one, two, three in zip(entered, arrived, expected, strict=True):
        np.testing.assert_allclose(one, three.detach().numpy(), rtol=1e-10)
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(softmax(entered[-1]).sum(1), 1)


def test_layers_lam_and_permutation_are_drawn_from_what_is_chosen() -> None:
    training = _training(layers=(0, 2))
    draws = [training.draw() for _ in range(400)]
    ks = [d[0] for d in draws]
    assert set(ks) == {0, 2} and 150 < ks.count(0) < 250
    assert abs(np.mean([d[1] for d in draws]) - 0.5) < 0.05  # alpha 1: uniform
    assert all(sorted(d[2]) == list(range(20)) for d in draws)
    assert _training(layers=()).draw() is None
    assert n_weights() == len(training.weights) == 1218


# ----------------------------------------------------------------------------------------------------------------- state


def test_a_training_in_pieces_is_the_training_at_once() -> None:
    setting = retrained(PRESETS["spirals"], layers=(1, 2)).setting
    x, y = np.array(setting.points), np.eye(2)[LABELS]
    whole = Training(x, y, (1, 2), 1.0, np.random.default_rng(0))
    whole.run(3 * PIECE)
    assert np.array_equal(trained(setting, 3 * PIECE).weights, whole.weights)
    assert trained(setting, PIECE).n_steps == PIECE  # what was remembered has not gone on


def test_the_same_state_gives_the_same_result_whatever_came_before() -> None:
    state = replace(PRESETS["moons"], layers=(2,))
    one = compute_spirals(state)
    trained.cache_clear()
    two = compute_spirals(state)
    assert np.array_equal(one.confidence, two.confidence) and one.sure == two.sure


def test_blends_of_the_input_cost_the_curves_on_the_spirals_and_blends_inside_do_not() -> None:
    right = {name: compute_spirals(replace(PRESETS["spirals"], layers=layers)).right for name, layers in PLACES.items()}
    assert right["input (mixup)"] < 0.95
    assert min(right[name] for name in ("nowhere", "hidden layer 2", "layers 1 and 2")) > 0.97


def test_what_nothing_makes_less_sure_than_a_blend() -> None:
    for preset in PRESETS.values():
        sure = {name: compute_spirals(replace(preset, layers=layers)).sure for name, layers in PLACES.items()}
        assert sure.pop("nowhere") > max(sure.values()) + 0.1


def test_blends_intrude_as_counted_by_hand() -> None:
    state = PRESETS["spirals"]
    result = compute_spirals(state)
    points, blends = np.array(state.points), result.blends[0]
    for where, share, wrong in zip(blends.where, blends.share, blends.wrong):
        nearest = LABELS[np.argmin(((points - where) ** 2).sum(1))]
        assert wrong == ((share if nearest else 1 - share) < 0.5)
    assert blends.intruding == pytest.approx(np.mean(blends.wrong))
    assert result.blends[0].intruding > result.blends[2].intruding


def test_a_drag_begins_a_new_training_at_once_and_only_moves_its_point() -> None:
    state = react_plane(PRESETS["spirals"], Event("move", "p7", 0.25, -0.5))
    assert state.points[7] == (0.25, -0.5) and state.steps == PIECE
    assert [i for i in range(N_POINTS) if state.points[i] != PRESETS["spirals"].points[i]] == [7]
    assert react_plane(state, Event("press", "p7")) is state
    assert further(state).steps == 2 * PIECE and further(replace(state, steps=N_STEPS)).steps == N_STEPS


# -------------------------------------------------------------------------------------------------------------- explorer


class Clock:
    """A scheduler that runs what waits when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, seconds: float, function: Callable[[], None]) -> object:
        self.waiting.append(function)
        clock = self

        class Handle:
            def cancel(self) -> None:
                if function in clock.waiting:
                    clock.waiting.remove(function)

        return Handle()

    def tick(self) -> None:
        self.waiting.pop(0)()


def test_the_training_goes_on_piece_by_piece_and_every_piece_is_drawn() -> None:
    clock = Clock()
    explorer = SpiralTheatre(scheduler=clock)
    assert explorer.state.steps == N_STEPS and not clock.waiting
    pictures = []
    canvas = explorer.canvases["plane"]
    canvas.receive({"kind": "events", "counter": 1, "events": [{"kind": "move", "name": "p0", "x": 0.1, "y": 0.2}]})
    assert canvas.answer == 1 and explorer.state.steps == PIECE and len(clock.waiting) == 1
    while clock.waiting:
        pictures.append(canvas.scene["layers"][0]["picture"]["data"])
        clock.tick()
    assert explorer.state.steps == N_STEPS and len(set(pictures)) == N_STEPS // PIECE - 1
    assert explorer.error == ""


def test_a_change_in_the_middle_of_a_training_leaves_one_training_only() -> None:
    clock = Clock()
    explorer = SpiralTheatre(scheduler=clock)
    for i in range(5):
        explorer.state = retrained(explorer.state, seed=i + 1)
        clock.tick()
        assert len(clock.waiting) == 1 and explorer.state.steps == 2 * PIECE
    explorer.reset()
    assert not clock.waiting and explorer.state == PRESETS["spirals"]


def test_controls_begin_a_new_training_and_keep_the_points() -> None:
    explorer = SpiralTheatre("moons", scheduler=direct_scheduler)
    explorer.state = react_plane(explorer.state, Event("move", "p0", 1.0, 1.0))
    points = explorer.state.points
    data, place, alpha, blends = (control.widget for control in explorer._controls)
    place.value = "layers 1 and 2"
    assert explorer.state.layers == (1, 2) and explorer.state.points == points and explorer.state.steps == N_STEPS
    alpha.value = 0.1
    assert explorer.state.alpha == pytest.approx(0.1) and "alpha 0.1" in explorer.status
    before = explorer.result.sure
    blends.value = False
    assert not explorer.state.blends and explorer.result.sure == before
    explorer.buttons["Other start"].click()
    assert explorer.state.seed == 1 and explorer.state.steps == N_STEPS
    data.value = "spirals"
    assert explorer.state == PRESETS["spirals"] and place.value == "input (mixup)"


def test_the_sentence_and_the_task_say_what_is_shown() -> None:
    explorer = SpiralTheatre(scheduler=direct_scheduler)
    result = explorer.result
    assert f"{100 * result.sure:.0f} % of the plane" in explorer.status and f"{result.n_right} of 60 points" in explorer.status
    assert "Task: blend somewhere else" in explorer.status
    explorer.state = retrained(explorer.state, layers=(1, 2))
    assert "Done" in explorer.status
    explorer.state = retrained(explorer.state, layers=())
    assert "Nothing is blended" in explorer.status


def test_views_show_blends_where_they_are_used() -> None:
    state = PRESETS["spirals"]
    layers = {name: len(draw_plane(s, compute_spirals(s)).layers) for name, s in (
        ("used", state), ("hidden", replace(state, blends=False)), ("inside", replace(state, layers=(2,))))}  # fmt: skip
    assert layers["used"] == layers["hidden"] + 3 == layers["inside"] + 3
    for one in (state, replace(state, layers=(1,)), replace(state, layers=())):
        result = compute_spirals(one)
        assert result.layer == (max(one.layers, default=0) or 2)
        assert np.abs(result.shown).max() == pytest.approx(1.0)
        assert "of their blends" in draw_inside(one, result).label and "training" in draw_meters(one, result).label


def test_the_map_is_drawn_the_right_way_up() -> None:
    state = PRESETS["spirals"]
    result = compute_spirals(state)
    pixels = draw_plane(state, result).layers[0].pixels
    cell = 2 * LIMITS["spirals"] / len(pixels)
    for x, y in ((0.9, 0.9), (-0.9, 1.0), (0.2, -1.0)):
        row, column = int((LIMITS["spirals"] - y) / cell), int((x + LIMITS["spirals"]) / cell)
        weights = trained(state.setting, N_STEPS).weights
        predicted = int(forward(weights, np.array([[x, y]]))[0][-1].argmax())
        assert tuple(pixels[row, column, :3]) == ((0, 114, 178), (213, 94, 0))[predicted]


def test_the_first_frame_after_a_drag_needs_one_piece_of_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    run = Training.run
    monkeypatch.setattr(Training, "run", lambda self, n: (steps.append(n), run(self, n))[1])
    explorer = SpiralTheatre(scheduler=Clock())
    steps.clear()
    start = time.perf_counter()
    explorer.state = react_plane(explorer.state, Event("move", "p3", 0.31, 0.41))
    print(f"{1000 * (time.perf_counter() - start):.0f} ms")
    assert sum(steps) == PIECE
