"""The judges of chapter 13: right answers of several makes, and the likely mistakes by name."""

import numpy as np
import pytest
import torch

from course_utils import augment, learn
from course_utils.learn import chapter_13


def verdict(key, answer):
    return learn.check(key, answer)


# --- 13-1


def by_corners(w, h, degrees):
    t = np.deg2rad(degrees)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    x, y = corners[:, :1] * w, corners[:, 1:] * h
    u, v = np.cos(t) * x + np.sin(t) * y, np.cos(t) * y - np.sin(t) * x
    return np.ptp(u, axis=0) * np.ptp(v, axis=0) / (w * h)


def by_loop_and_torch(w, h, degrees):
    areas = []
    for a, b, t in zip(w, h, degrees):
        plan = augment.Rotation((t, t)).plan(_angle(t), (200, 200))
        x1, y1, x2, y2 = plan.boxes(torch.tensor([[100 - a / 2, 100 - b / 2, 100 + a / 2, 100 + b / 2]], dtype=torch.float64))[
            0, 0
        ]
        areas.append((x2 - x1) * (y2 - y1) / (a * b))
    return torch.stack(areas).float()[:, None]


def _angle(t):
    from course_utils.augment.spatial import RotationParams

    return RotationParams(torch.tensor([t], dtype=torch.float64))


@pytest.mark.parametrize("answer", [chapter_13.inflation, by_corners, by_loop_and_torch])
def test_right_inflations_are_accepted(answer):
    found = verdict("13-1", answer)
    assert found.outcome == "right", found.sentence
    assert "grows to 2 times" in found.text and "3.12 times" in found.text  # 1 + (4 + 1/4) / 2


@pytest.mark.parametrize(("text", "rule"), chapter_13.INFLATION_TRAPS.items())
def test_every_inflation_trap_is_named(text, rule):
    found = verdict("13-1", rule)
    assert found.outcome == "not yet" and text in found.text


def test_an_unknown_inflation_gets_a_box_to_try():
    found = verdict("13-1", lambda w, h, t: np.ones_like(w))
    assert found.outcome == "not yet" and "10 x 10 turned by 45 degrees: 1.0000, expected 2.0000" in found.text


def test_the_traps_of_an_exercise_give_different_results():
    boxes = chapter_13.boxes_and_angles()
    results = [rule(*boxes) for rule in chapter_13.INFLATION_TRAPS.values()] + [chapter_13.inflation(*boxes)]
    assert all(not np.allclose(a, b, rtol=1e-4) for i, a in enumerate(results) for b in results[:i])


# --- 13-2


def dot(mirror, size=(8, 12), pixel=(3, 2), tolerance=1e-6, parts=(0, 1, 2, 3), classes=(1, 3)):
    (_, width), (j, i) = size, pixel
    image, mask = np.zeros(size), np.full(size, classes[0])
    image[i, j], mask[:, width // 2 :] = 1, classes[1]
    points, boxes = np.array([[j + 0.5, i + 0.5], [width - 2.0, 1.0]]), np.array([[j, i, j + 1.0, i + 1]])
    expected = (image[:, ::-1], mask[:, ::-1], [[2.0, 1.0], [width - j - 0.5, i + 0.5]], [[width - j - 1, i, width - j, i + 1]])
    done = mirror(image, mask, points, boxes)
    return all(np.allclose(done[k], expected[k], atol=tolerance) for k in parts)


def a_second_make(mirror):
    random = np.random.default_rng(3)
    image, mask = random.random((5, 9)), random.choice([0, 2, 7], (5, 9))
    points, boxes = random.uniform(0, 5, (4, 2)), np.array([[1.0, 1, 4, 3], [0, 0, 9, 5]])
    new = mirror(image.copy(), mask.copy(), points.copy(), boxes.copy())
    names = [1, 0, 2, 3]
    return np.bool_(
        np.allclose(new[0], np.fliplr(image), atol=1e-5)
        and (new[1] == np.fliplr(mask)).all()
        and np.allclose(new[2], (np.array([9, 0]) + np.array([-1, 1]) * points)[names], atol=1e-4)
        and np.allclose(new[3], [[5, 1, 8, 3], [0, 0, 9, 5]], atol=1e-4)
    )


@pytest.mark.parametrize("answer", [dot, a_second_make])
def test_right_tests_are_accepted(answer):
    found = verdict("13-2", answer)
    assert found.outcome == "right", found.sentence
    assert "all 8 wrong ones are caught" in found.text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda mirror: True, "accepts a mirror where key points move to W - 1 - x"),
        (lambda mirror: False, "rejects a right mirror"),
        (lambda mirror: dot(mirror, parts=(0, 1, 2)), "accepts a mirror where boxes move to W - 1 - x"),
        (lambda mirror: dot(mirror, parts=(0, 2, 3)), "accepts a mirror where the mask stays behind"),
        (lambda mirror: dot(mirror, classes=(3, 3)), "accepts a mirror where the mask stays behind"),
        (lambda mirror: dot(mirror, size=(8, 8)), "with the height of the picture"),
        (lambda mirror: dot(mirror, tolerance=0, pixel=(3, 2)) and _exact(mirror), "compare coordinates with a tolerance"),
        (lambda mirror: "yes" if mirror(1) else "no", "stopped with TypeError"),
        (lambda mirror: {"right": True}, None),
    ],
)
def test_wrong_tests_get_the_right_message(answer, text):
    found = verdict("13-2", answer)
    if text is None:
        assert found.outcome == "not yet"
    else:
        assert found.outcome == "not yet" and text in found.sentence, found.sentence


def _exact(mirror):
    points = np.array([[3.7, 2.1], [0.1, 0.1]])
    return mirror(np.zeros((8, 12)), np.zeros((8, 12), int), points, np.zeros((0, 4)))[2][1, 0] == np.float64(12 - 3.7)


def test_each_wrong_mirror_differs_from_the_right_one_in_what_it_says():
    for text, wrong in chapter_13.WRONG_MIRRORS.items():
        assert not dot(wrong), text
    for right in chapter_13.RIGHT_MIRRORS:
        assert dot(right)


def test_mirrors_leave_their_inputs_alone():
    image, mask, points, boxes = np.eye(3, 5), np.eye(3, 5, dtype=int), np.ones((2, 2)), np.ones((1, 4))
    for candidate in (*chapter_13.RIGHT_MIRRORS, *chapter_13.WRONG_MIRRORS.values()):
        candidate(image, mask, points, boxes)
    assert (image == np.eye(3, 5)).all() and (mask == np.eye(3, 5)).all() and (points == 1).all() and (boxes == 1).all()


# --- 13-3


def by_entries(window, size):
    x1, y1, x2, y2 = window
    a, d = size[1] / (x2 - x1), size[0] / (y2 - y1)
    return torch.tensor([[-a, 0, size[1] + a * x1], [0, d, -d * y1], [0, 0, 1]])


def by_homogeneous_points(boxes, matrix):
    out = []
    for x1, y1, x2, y2 in boxes:
        p, q = matrix @ [x1, y1, 1], matrix @ [x2, y2, 1]
        out.append([min(p[0], q[0]), min(p[1], q[1]), max(p[0], q[0]), max(p[1], q[1])])
    return out


@pytest.mark.parametrize("answer", [(chapter_13.chain_matrix, chapter_13.moved_boxes), (by_entries, by_homogeneous_points)])
def test_right_chains_are_accepted(answer):
    found = verdict("13-3", answer)
    assert found.outcome == "right", found.sentence


def test_the_reference_is_the_package_s_plan():
    window, size, boxes = chapter_13.windows_and_sizes()[7]
    from course_utils.augment.crops import window_plan

    plan = window_plan(torch.tensor([window]).long(), size, (150, 200))
    mirror = augment.Flip(p=1)
    whole = plan.then(mirror.plan(mirror.sample(1, (1, *size)), size))
    assert np.allclose(whole.matrix[0], chapter_13.chain_matrix(window, size), atol=1e-9)
    assert np.allclose(whole.boxes(torch.tensor(boxes))[0], chapter_13.one_after_the_other(window, size, boxes), atol=1e-4)


@pytest.mark.parametrize(("text", "rule"), chapter_13.MATRIX_TRAPS.items())
def test_every_matrix_trap_is_named(text, rule):
    found = verdict("13-3", (rule, chapter_13.moved_boxes))
    assert found.outcome == "not yet" and text in found.text


@pytest.mark.parametrize(("text", "rule"), chapter_13.MOVE_TRAPS.items())
def test_every_box_trap_is_named(text, rule):
    found = verdict("13-3", (chapter_13.chain_matrix, rule))
    assert found.outcome == "not yet" and "The matrix is right." in found.text and text in found.text


def test_a_single_function_and_half_an_answer_are_answered():
    assert "A pair of functions" in verdict("13-3", chapter_13.chain_matrix).text
    half = verdict("13-3", (chapter_13.chain_matrix, lambda boxes, matrix: None))
    assert half.outcome == "not yet" and "`move` returned nothing" in half.text
    assert verdict("13-3", (lambda window, size: None, lambda boxes, matrix: None)).outcome == "not attempted"


@pytest.mark.parametrize("key", ["13-1", "13-2", "13-3"])
def test_hints_are_three_and_the_untouched_answer_is_not_judged(key):
    assert all(learn.hint(key, level).text for level in (1, 2, 3))
    assert verdict(key, None).outcome == "not attempted"
