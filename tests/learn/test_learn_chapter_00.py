"""The checks of chapter 00 accept different right answers and name the likely mistakes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from course_utils import learn


@pytest.mark.parametrize(
    "answer",
    [
        lambda q, d: (q @ d.T).argmax(1),
        lambda q, d: [int(np.argmin(((d - one) ** 2).sum(1))) for one in q],
        lambda q, d: (torch.from_numpy(q) @ torch.from_numpy(d).T).topk(1).indices,
    ],
)
def test_the_nearest_picture_may_be_found_in_several_ways(answer):
    assert learn.check("00-1", answer).outcome == "right"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda q, d: (q @ d.T).argmin(1), "argmin"),
        (lambda q, d: (q @ d.T).argmax(1) + 1, "counts from 0"),
        (lambda q, d: (q @ d.T).max(1), "`max` where `argmax` belongs"),
        (lambda q, d: (q @ d.T).argmax(0), "shape"),
        (lambda q, d: np.zeros(len(q)), "returned 0"),
        (lambda q, d: q @ d, "ValueError"),
    ],
)
def test_wrong_ways_are_named(answer, words):
    verdict = learn.check("00-1", answer)
    assert verdict.outcome == "not yet"
    assert words in verdict.sentence


@dataclass(frozen=True)
class State:
    condition: str
    choice: int = 0
    why: bool = False


def navigator(condition: str, day_right: bool, night_right: bool) -> SimpleNamespace:
    def compute(state):
        good = day_right if state.condition == "overcast" else night_right
        return SimpleNamespace(right=np.array([good]), distances=np.array([3.0 if good else 80.0]))

    state = State(condition)
    return SimpleNamespace(state=state, compute=compute, result=compute(replace(state)))


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (navigator("night", True, False), "right", "at night 80 m"),
        (navigator("sun", True, False), "not yet", '"sun"'),
        (navigator("night", True, True), "not yet", "is right"),
        (navigator("night", False, False), "not yet", "so is the one by day"),
        (7, "not yet", "the explorer itself"),
    ],
)
def test_lost_at_night_needs_a_place_that_only_the_night_breaks(answer, outcome, words):
    verdict = learn.check("00-2", answer)
    assert verdict.outcome == outcome
    assert words in verdict.sentence
