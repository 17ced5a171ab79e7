"""The judges of chapter 15: right answers of several makes, and the likely mistakes by name."""

import numpy as np
import pytest
import torch

from course_utils import augment, learn
from course_utils.augment import mixing
from course_utils.learn import chapter_15

# --- 15-1


def by_the_course(mix, n_classes):
    def as_tensors(images, labels):
        return tuple(torch.as_tensor(part) for part in mix(images.numpy(), labels.numpy()))

    return all(mixing.label_mass_error(as_tensors, n_classes) < 1e-6 for _ in range(30))


def by_loops(mix, n_classes):
    for draw in range(15):
        height, width = 5 + draw % 3, 9
        images = [[[[float(c == k)] * width] * height for c in range(n_classes)] for k in range(n_classes)]
        mixed, soft = mix(np.array(images), np.arange(n_classes))
        for i in range(n_classes):
            for c in range(n_classes):
                if abs(sum(mixed[i, c].ravel()) / (height * width) - soft[i, c]) > 1e-5:
                    return 0
    return 1


@pytest.mark.parametrize("answer", [chapter_15.finds_wrong_labels, by_the_course, by_loops])
def test_right_tests_are_accepted(answer):
    found = learn.check("15-1", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (chapter_15._sums_to_one, "Labels of sum 1 are no proof"),
        (lambda mix, n: chapter_15._agrees(mix, n, size=(8, 8)), "Square images hide a mistake"),
        (lambda mix, n: True, "Labels of sum 1 are no proof"),
        (lambda mix, n: False, "which is right"),
        (lambda mix, n: chapter_15._agrees(lambda x, y: mix(1 - x, y), n), "accuses"),
        (lambda mix, n: "yes", "should be numbers"),
    ],
)
def test_wrong_tests_are_named(answer, text):
    found = learn.check("15-1", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


def test_a_test_that_draws_once_is_told_to_draw_often():
    seen = {"raw lambda": [True, False, True]}

    def answer(mix, n_classes):
        name = next(name for name, one in current.items() if one is mix)
        return seen.get(name, [name not in chapter_15.WRONG] * 3)[run[0]]

    def judged(seed):
        run[0] = seed
        current.clear()
        current.update(original(seed))
        return current

    run, current, original = [0], {}, chapter_15.mixers
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapter_15, "mixers", judged)
        found = learn.check("15-1", answer)
    assert found.outcome == "not yet" and "2 of 3 seeds" in found.text and "many times" in found.text, found.text


# --- 15-2


def by_masks(a, b, h, w, lam):
    _, height, width = a.shape
    rows, columns = np.arange(height)[:, None] < h, np.arange(width)[None, :] < w
    mask = lam * rows + (1 - lam) * columns
    return mask * a + (1 - mask) * b, mask.mean()


def by_the_package(a, b, h, w, lam):
    a, b = torch.from_numpy(a)[None], torch.from_numpy(b)[None]
    rows = (torch.arange(a.shape[2]) < h)[:, None].double()
    columns = (torch.arange(a.shape[3]) < w)[None, :].double()
    plan = mixing.MixPlan(torch.tensor([[0, 1]]), (lam * rows + (1 - lam) * columns)[None, None, None])
    return plan.images(torch.cat([a, b]))[0], plan.weights[0, 0]


@pytest.mark.parametrize("answer", [chapter_15.vh_mixup, by_masks, by_the_package])
def test_right_mixtures_are_accepted(answer):
    found = learn.check("15-2", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize("text", list(chapter_15.VH_TRAPS))
def test_wrong_mixtures_are_named(text):
    found = learn.check("15-2", lambda *case: chapter_15._vh(*case, **chapter_15.VH_TRAPS[text]))
    assert found.outcome == "not yet" and found.text.startswith(text), found.text


def test_an_image_without_its_weight_and_an_unknown_mistake_are_answered():
    assert "two things" in learn.check("15-2", lambda a, b, h, w, lam: a).text
    assert "off by up to" in learn.check("15-2", lambda a, b, h, w, lam: (a, 1.0)).text


# --- 15-3


def half_plane(height, width, random):
    rows, columns = np.mgrid[:height, :width]
    angle, y, x = random.uniform(0, 2 * np.pi), random.uniform(0.3, 0.7) * height, random.uniform(0.3, 0.7) * width
    return np.cos(angle) * (columns + 0.5 - x) + np.sin(angle) * (rows + 0.5 - y) > 0


def waves(height, width, random):
    rows, columns = np.mgrid[:height, :width]
    phase, lam = random.uniform(0, 2 * np.pi), random.uniform(0.3, 0.7)
    return torch.from_numpy(np.clip(lam + 0.3 * np.sin(rows + columns + phase), 0, 1))


def blocks(height, width, random):
    v = random.uniform(0.3, 0.7)
    coarse = random.random((height // 2 + 1, width // 2 + 1)) < v
    return np.kron(coarse, np.ones((2, 2)))[:height, :width]


@pytest.mark.parametrize("answer", [half_plane, waves, blocks])
def test_inventions_are_accepted(answer):
    found = learn.check("15-3", answer)
    assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda h, w, random: 2 * half_plane(h, w, random), "reaches from 0.00 to 2.00"),
        (lambda h, w, random: half_plane(h, w, np.random.default_rng()), "same generator"),
        (lambda h, w, random: np.indices((h, w)).sum(0) % 2, "are the same"),
        (lambda h, w, random: np.full((h, w), random.random()), "that is Mixup"),
        (lambda h, w, random: random.random((h, w)) < 0.9, "Make it fair"),
        (
            lambda h, w, random: (
                half_plane(h, w, random) if random.random() < 0.5 else random.integers(2, size=()) * np.ones((h, w))
            ),
            "90 %",
        ),
        (lambda h, w, random: (np.indices((h, w)).sum(0) + random.integers(2)) % 2, "hardly changes"),
        (lambda h, w, random: random.random((h, w)) < 0.5, "hardly changes"),
        (lambda h, w, random: np.repeat(random.random((h, 1)) < random.uniform(0.2, 0.8), w, axis=1), "whole rows"),
        (lambda h, w, random: np.repeat(random.random((1, w)) < random.uniform(0.2, 0.8), h, axis=0), "whole columns"),
        (lambda h, w, random: np.ones((w, h + 1)), "should have the shape"),
        (lambda h, w: 1, "stopped with TypeError"),
        (3, "must be a function"),
    ],
)
def test_masks_that_miss_a_property_are_told_which(answer, text):
    found = learn.check("15-3", answer)
    assert found.outcome == "not yet" and text in found.text, found.text


def test_an_invention_makes_a_mixer_that_passes_the_label_mass_test():
    class Invented(augment.MixUp):
        def shares(self, params, shape):
            random = np.random.default_rng(0)
            masks = np.stack([half_plane(*shape[1:], random) for _ in range(len(params.lam))])
            return torch.from_numpy(masks)[:, None, None]

    assert mixing.label_mass_error(Invented(num_classes=6)) < 1e-6


def test_each_exercise_has_three_hints_and_a_stub_is_not_attempted():
    def stub(mix, n_classes):
        return None

    for key in ("15-1", "15-2", "15-3"):
        assert len({learn.hint(key, level).text for level in (1, 2, 3)}) == 3
        assert learn.check(key, stub).outcome == "not attempted"
