"""The erasing bench: what it computes is what the package computes, its tasks can be solved, and moves do what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from course_utils.augment import boxes_from_maps, class_activation_maps, covered
from course_utils.explore.canvas import Event
from course_utils.explore.erasing import FILLS, METHODS, THRESHOLDS, YOURS, Eraser, ErasingState
from course_utils.explore.erasing_bench import ErasingBench
from course_utils.explore.erasing_cases import default_cases, default_network
from course_utils.explore.erasing_play import drawn, react_picture, react_scores, react_threshold
from course_utils.training import SmallCNN, standardize


@pytest.fixture(scope="module")
def bench():
    return ErasingBench()


@pytest.fixture(scope="module")
def eraser():
    cases, names, mean = default_cases()
    return Eraser(default_network(), cases, names, mean, standardize)


@pytest.mark.parametrize("fill", sorted(FILLS))
def test_score_map_and_box_are_the_packages(eraser, fill):
    state = eraser.admit(ErasingState(hole=(10, 8, 30, 20), fill=fill, picture=2))
    result = eraser.compute(state)
    seen = torch.tensor(result.seen).permute(2, 0, 1)[None]
    inputs, label = standardize(seen), torch.tensor([eraser.cases[2].label])
    scores = eraser.network(inputs).softmax(1)[0].detach().numpy()
    assert np.allclose(result.scores, scores, atol=1e-5)
    maps = class_activation_maps(eraser.network, inputs, label)
    assert np.allclose(result.box, boxes_from_maps(maps, state.threshold)[0])
    assert result.by_fill[fill] == pytest.approx(float(scores[label]), abs=1e-5)
    image = eraser.cases[2].image
    kept = ~torch.tensor(result.erased)
    assert torch.equal(seen[0][:, kept], image[:, kept])
    assert result.hidden == pytest.approx(20 * 12 / 48**2)


def test_nothing_hidden_is_the_whole_picture(eraser):
    result = eraser.compute(eraser.admit(ErasingState(picture=1)))
    assert np.allclose(result.scores, result.scores_before) and np.allclose(result.curve, result.curve_before)
    assert result.hidden == result.hidden_object == 0 and result.rectangles == ()


@pytest.mark.parametrize("method", METHODS[1:])
def test_random_holes_are_the_methods_own(eraser, method):
    areas = []
    for draw in range(30):
        state = eraser.admit(ErasingState(method=method, draw=draw))
        rectangles = eraser.rectangles(state)
        mask = covered(rectangles[None], 48, 48)[0, 0].numpy()
        areas.append(mask.mean())
        assert np.array_equal(eraser.compute(state).erased, mask)
        assert bool((rectangles[:, :2] >= 0).all()) and bool((rectangles[:, :2] + rectangles[:, 2:] <= 48).all())
    expected = {"Random Erasing": 0.2, "Cutout": 0.19, "Hide-and-Seek": 0.5}[method]
    assert np.mean(areas) == pytest.approx(expected, abs=0.07) and len(set(areas)) > 5


def test_the_share_of_the_object_counts_its_pixels(eraser):
    mask = eraser.cases[0].mask
    rows, columns = np.nonzero(mask)
    hole = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert eraser.compute(eraser.admit(ErasingState(hole=tuple(map(float, hole))))).hidden_object == 1.0


def test_a_hole_is_drawn_moved_and_resized_in_whole_pixels(bench):
    state = bench.presets["map to box"]
    state = react_picture(state, Event("brush", box=(10.2, 20.7, 8.1, 15.4)), 48, 48)
    assert state.draft is not None
    state = bench.admit(react_picture(state, Event("release"), 48, 48))
    assert state.hole == (10, 8, 21, 15) and state.draft is None and state.method == YOURS
    moved = bench.admit(react_picture(state, Event("move", "hole", 20.5, 20.5), 48, 48))
    assert (moved.hole[2] - moved.hole[0], moved.hole[3] - moved.hole[1]) == (11, 7)
    assert bench.admit(react_picture(state, Event("move", "se", 30.4, 40.0), 48, 48)).hole == (10, 8, 30, 40)
    assert react_picture(state, Event("move", "nw", 45.0, 9.0), 48, 48) == state, "a corner does not cross its opposite"
    assert react_picture(replace(state, draft=(3.0, 3.0, 3.2, 3.2)), Event("release"), 48, 48).hole == state.hole, (
        "a click draws nothing"
    )


def test_a_bar_shows_its_classs_map_and_the_triangle_moves_the_threshold(bench):
    state = bench.presets["telling part"]
    assert react_scores(state, Event("press", "k2")).shown == 2
    assert bench.admit(react_threshold(state, Event("move", "t", 0.533))).threshold in THRESHOLDS
    assert drawn(drawn(state, "Cutout"), "Cutout").draw == state.draw + 1


def test_a_hole_keeps_its_size_at_the_border(bench):
    state = bench.presets["telling part"]
    for x, y in ((99.0, 99.0), (-9.0, -9.0)):
        moved = bench.admit(react_picture(state, Event("move", "hole", x, y), 48, 48))
        assert moved.hole[2] - moved.hole[0] == state.hole[2] - state.hole[0]
        assert moved.hole[3] - moved.hole[1] == state.hole[3] - state.hole[1]
        assert min(moved.hole) >= 0 and max(moved.hole) <= 48


def _search(bench, preset, number):
    """Try holes, fills, thresholds and draws until a task is solved; the state, or None."""
    start = replace(bench.presets[preset], task=number)
    task = bench._tasks(start)[number]
    x1, y1, x2, y2 = (int(v) for v in bench.case(start).part)
    holes = [(x1 - 1, y1 - 1, x2 + 1, y2 + 1), (0, 0, 48, 48), ()]
    holes += [(x, y, x + w, y + w) for w in (14, 18, 26) for x in range(0, 49 - w, 4) for y in range(0, 49 - w, 4)]
    states = [replace(start, hole=h, fill=f, method=YOURS) for f in FILLS for h in holes]
    states += [replace(start, method=method, draw=draw) for method in METHODS[1:] for draw in range(60)]
    states = [replace(start, hole=(), threshold=t) for t in THRESHOLDS] + states
    if preset == "random holes":
        states = states[::-1]
    for state in states:
        state = bench.admit(state)
        if task.solved(state, bench.compute(state)):
            return state
    return None


@pytest.mark.parametrize(
    ("preset", "number"),
    [(p, k) for p, n in (("telling part", 3), ("fills", 2), ("random holes", 3), ("map to box", 2)) for k in range(n)],
)
def test_every_task_can_be_solved_and_is_not_solved_at_the_start(bench, preset, number):
    start = bench.admit(bench.presets[preset])
    assert not bench._tasks(start)[0].solved(start, bench.compute(start))
    solution = _search(bench, preset, number)
    assert solution is not None
    bench.state = solution
    assert "Done." in bench.status


def test_a_solved_task_gives_way_when_the_next_move_begins(bench):
    solution = _search(bench, "random holes", 0)
    bench.state = replace(solution, task=0)
    assert "Done." in bench.status
    bench.buttons["Cutout"].click()
    assert (bench.state.task == 1 and "Task 2 of 3" in bench.status) or "Done." in bench.status


def test_own_pictures_become_the_first_preset():
    network = SmallCNN(dim=8, n_classes=3, generator=torch.Generator().manual_seed(0))
    images = torch.randint(0, 256, (2, 3, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    own = {"images": images, "labels": [2, 0], "boxes": [[4, 4, 20, 20], [0, 0, 40, 32]], "class_names": ["a", "b", "c"]}
    bench = ErasingBench(model=network, **own)
    assert bench.preset == "your pictures" and "of the object" in bench.sentence(bench.state, bench.result)
    assert bench.last_error is None and "Task 1 of 1" in bench.status
    for change, text in (
        ({"labels": [2, 3]}, "`labels` must be below 3"),
        ({"class_names": None}, "`images` must be given together"),
        ({"boxes": [[0, 0, 1, 1]]}, "`boxes`"),
        ({"images": images[..., :8]}, "`images` must be at least one picture of at least 16 x 16"),
        ({"masks": np.zeros((2, 5, 5))}, "`masks` must be of shape"),
        ({"class_names": ["a", "b", "c", "d"]}, "`model` must be with 4 classes"),
    ):
        with pytest.raises(ValueError, match=text):
            ErasingBench(model=network, **{**own, **change})
    with pytest.raises(TypeError, match="`model` must be a network with `features`"):
        ErasingBench(model=torch.nn.Linear(2, 2))
