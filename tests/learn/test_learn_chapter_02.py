"""The judges of chapter 02: right answers of several makes, and the likely mistakes by name."""

import math

import numpy as np
import pytest
import torch

from course_utils import learn, retrieval
from course_utils.learn import chapter_02


def verdict(key, answer):
    return learn.check(key, answer)


# --- 02-1


def by_numpy(gaps):
    alpha = np.log(100) / np.mean(gaps)
    return alpha, np.mean(np.exp(alpha * gaps))


def by_loop(gaps):
    total = 0.0
    for gap in gaps:
        total += gap
    alpha = -math.log(0.01) * len(gaps) / total
    return [alpha, sum(math.exp(alpha * gap) for gap in gaps) / len(gaps)]


def by_torch(gaps):
    gaps = torch.as_tensor(gaps)
    alpha = torch.log(torch.tensor(100.0, dtype=torch.float64)) / gaps.mean()
    return alpha, (alpha * gaps).exp().mean()


@pytest.mark.parametrize("answer", [chapter_02.sharpness, by_numpy, by_loop, by_torch])
def test_right_sharpness_is_accepted(answer):
    found = verdict("02-1", answer)
    assert found.outcome == "right", found.sentence
    assert "arithmetic mean" in found.text


def with_alpha(rule):
    def answer(gaps):
        alpha = rule(gaps)
        return alpha, np.exp(np.minimum(alpha * gaps, 700)).mean()

    return answer


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (with_alpha(lambda g: 0.99 / g.mean()), "the logarithm is missing"),
        (with_alpha(lambda g: 100 / g.mean()), "the logarithm is missing"),
        (with_alpha(lambda g: 2 / g.mean()), "logarithm to base 10"),
        (with_alpha(lambda g: np.log(0.01) / g.mean()), "the sign is turned round"),
        (with_alpha(lambda g: (np.log(100) / g).mean()), "one alpha per descriptor"),
        (with_alpha(lambda g: np.log(100) / np.median(g)), "the median gap"),
        (with_alpha(chapter_02._arithmetic_alpha), "arithmetic mean of 100"),
        (with_alpha(lambda g: 1.0), "the geometric mean of the ratios is"),
        (lambda g: (by_numpy(g)[0], 100.0), "the geometric mean again"),
        (lambda g: (by_numpy(g)[0], np.exp(-by_numpy(g)[0] * g).mean()), "second to first"),
        (lambda g: (by_numpy(g)[0], 7.0), "average exp(alpha * gap)"),
        (lambda g: by_numpy(g)[0], "Two numbers are expected"),
        (lambda g: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_wrong_sharpness_is_named(answer, text):
    found = verdict("02-1", answer)
    assert found.outcome == "not yet"
    assert text in found.text


# --- 02-2


def loss_by_numpy(q, p, n):
    return np.maximum(((p - q) ** 2).sum(1).min() + 0.1 - ((n - q) ** 2).sum(1), 0).sum()


def loss_by_loop(q, p, n):
    best = min(sum((a - b) ** 2 for a, b in zip(q, row)) for row in p)
    return sum(max(0.0, best + 0.1 - sum((a - b) ** 2 for a, b in zip(q, row))) for row in n)


def loss_by_torch(q, p, n):
    return torch.relu((p - q).square().sum(1).min() + 0.1 - (n - q).square().sum(1)).sum()


@pytest.mark.parametrize("answer", [retrieval.WeaklySupervisedRankingLoss(), loss_by_numpy, loss_by_loop, loss_by_torch])
def test_right_losses_are_accepted(answer):
    found = verdict("02-2", answer)
    assert found.outcome == "right", found.sentence


def hinge(positive=np.min, power=2, margin=0.1, reduce=np.sum):
    def answer(q, p, n):
        to_p, to_n = np.linalg.norm(p - q, axis=1) ** power, np.linalg.norm(n - q, axis=1) ** power
        values = np.maximum(positive(to_p) + margin - to_n, 0)
        return float(reduce(values)) if len(values) else 0.0

    return answer


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (chapter_02.loss_with_bugs, "All three bugs are still there: distances are not squared"),
        (
            lambda q, p, n: chapter_02.loss_with_bugs(q, p, n, squared=True),
            "Two bugs are left: it compares with the average positive",
        ),
        (hinge(power=1), "One bug is left: distances are not squared"),
        (hinge(positive=np.mean), "One bug is left: it compares with the average positive"),
        (lambda q, p, n: chapter_02.loss_with_bugs(q, p, n, squared=True, best=True), "One bug is left: negatives that are far"),
        (hinge(reduce=np.mean), "You average over the negatives"),
        (hinge(reduce=np.max), "Only the hardest negative counts"),
        (hinge(positive=np.max), "The worst positive is compared"),
        (hinge(margin=-0.1), "The margin has the wrong sign"),
        (hinge(margin=0.0), "The margin is missing"),
        (hinge(margin=5.0), "Check in this order"),
        (lambda q, p, n: loss_by_numpy(q, p, n) if len(n) else 0.3, "Without negatives"),
        (lambda q, p, n: np.zeros(3), "shape"),
    ],
)
def test_wrong_losses_are_named(answer, text):
    found = verdict("02-2", answer)
    assert found.outcome == "not yet"
    assert text in found.text


def test_every_tuple_tells_all_bugs_apart():
    for seed in (1, 2, 3):
        arguments = chapter_02._tuple_02_2(seed)
        values = [
            chapter_02.loss_with_bugs(*arguments, squared=s, best=b, clamped=c)
            for s in (False, True)
            for b in (False, True)
            for c in (False, True)
        ]
        right = values[-1]
        assert all(abs(value - right) > 1e-3 for value in values[:-1]), (seed, values)


# --- 02-3


@pytest.fixture(scope="module")
def rows():
    return chapter_02.collision_problem().descriptors


def test_several_collisions_are_accepted(rows):
    burst = np.concatenate([rows, np.repeat(rows[:3], 9, axis=0)])
    other = torch.from_numpy(np.concatenate([rows[:6], *[3.0 * rows[6:]] * 12]))
    mirrored = np.concatenate([rows[:3], rows[3:6].repeat(15, axis=0), rows[6:]])
    for answer in (burst, other, mirrored.tolist()):
        found = verdict("02-3", answer)
        assert found.outcome == "right", found.sentence


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x: x, "the same nine directions"),
        (lambda x: x[::-1], "Order and length do not count"),
        (lambda x: 5 * x, "Order and length do not count"),
        (lambda x: np.concatenate([x] * 4), "Repeating everything alike keeps every share"),
        (lambda x: x[:3], "the vectors do too"),
        (lambda x: np.concatenate([x, np.repeat(x[:1], 40, axis=0)]), "the vectors do too"),
        (lambda x: x + 1e-3, "The mean descriptor moved by"),
        (lambda x: x[0], "shape (M, 4) is expected"),
        (lambda x: np.zeros((3, 4)), "All descriptors are zero"),
        (lambda x: np.full((3, 4), np.nan), "NaN"),
        (lambda x: np.repeat(x, 2000, axis=0), "more than any image has"),
        (lambda x: "burst", "should be numbers"),
    ],
)
def test_failed_collisions_are_named(rows, make, text):
    found = verdict("02-3", make(rows))
    assert found.outcome == "not yet"
    assert text in found.text


@pytest.mark.parametrize("key", ["02-1", "02-2", "02-3"])
def test_stubs_are_not_attempted_and_hints_exist(key):
    assert verdict(key, None).outcome == "not attempted"
    assert len({str(learn.hint(key, level).text) for level in (1, 2, 3)}) == 3
