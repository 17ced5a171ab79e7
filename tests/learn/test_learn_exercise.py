"""The framework of the exercises: three outcomes, no exception for an answer, mistakes recognised."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from course_utils import learn
from course_utils.learn import exercise as framework
from course_utils.learn.exercise import AnswerFailed, as_array, called, called_with_tensors_too, not_yet, recognised_trap, right


def judge_mean(answer):
    x = np.array([[1.0, 2.0], [3.0, 6.0]])
    found = as_array(called(answer, x, name="`mean`", where="on a 2 x 2 array"), (2,), "the mean")
    trap = recognised_trap(found, {"the sum": x.sum(0), "the mean over the wrong axis": x.mean(1)})
    if trap is not None:
        return not_yet(f"This is {trap}.", hint=2)
    if np.allclose(found, x.mean(0)):
        return right("Means are everywhere.")
    return not_yet(f"The first entry should be 2, not {found[0]:g}.", hint=1)


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(framework, "EXERCISES", {})
    return framework.register(framework.Exercise("99-1", "Mean", 5, 1, ("idea", "formula", "code"), judge_mean))


def test_none_is_not_attempted_yet(toy):
    verdict = learn.check("99-1", None)
    assert verdict.outcome == "not attempted"
    assert verdict.sentence.startswith("Not attempted yet.")
    assert 'learn.hint("99-1")' in verdict.sentence


def test_a_stub_that_only_returns_none_is_not_attempted_yet(toy):
    def documented(x):
        """Return the mean."""

    for stub in (lambda x: None, documented):
        assert learn.check("99-1", stub).outcome == "not attempted"
    for attempt in (lambda x: x, lambda x: 0 * x, lambda x: x[0], lambda x: -1):
        assert learn.check("99-1", attempt).outcome == "not yet"


def test_a_tuple_is_not_attempted_while_nothing_in_it_is(toy):
    for nothing in ((None, None), (lambda x: None, lambda x, y: None), ((None,), lambda x: None)):
        assert learn.check("99-1", nothing).outcome == "not attempted"
    for something in ((), (lambda x: None, lambda x: x), (None, 0)):
        assert learn.check("99-1", something).outcome == "not yet"


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: x.mean(0),
        lambda x: torch.from_numpy(x).mean(0),
        lambda x: x.mean(0, keepdims=True),
        lambda x: [2, 4],
        lambda x: x.mean(0).astype(np.float16),
    ],
)
def test_differently_written_right_answers_are_right(toy, answer):
    assert learn.check("99-1", answer).outcome == "right"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: x.sum(0), "This is the sum"),
        (lambda x: x.mean(1), "the wrong axis"),
        (lambda x: x[0], "should be 2, not 1"),
        (lambda x: print(end=""), "is a `return` missing"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda x: x, "should have the shape"),
        (lambda x: np.full(2, np.nan), "NaN"),
        (lambda x: "text", "should be numbers"),
        (lambda: 3, "TypeError"),
        (lambda x: sys.exit("done"), "SystemExit: done"),
        (3, "must be a function"),
    ],
)
def test_wrong_answers_are_not_yet_with_the_reason(toy, answer, words):
    verdict = learn.check("99-1", answer)
    assert verdict.outcome == "not yet"
    assert words in verdict.sentence


def test_an_answer_that_changes_its_input_is_told_so(toy):
    def spoils(x):
        x += 1
        return x.mean(0)

    assert "changes its first argument on a 2 x 2 array" in learn.check("99-1", spoils).sentence


def test_an_answer_that_fails_when_it_is_looked_at_is_not_yet(toy):
    class Hostile:
        def __getattr__(self, name):
            raise RuntimeError("no attributes here")

    assert learn.check("99-1", Hostile()).outcome == "not yet"


def test_a_verdict_starts_with_a_capital_letter(toy):
    assert learn.check("99-1", lambda x: x).sentence.startswith("Not yet. The mean should have the shape")


def test_a_judge_that_fails_blames_nobody_but_says_what_happened(toy, monkeypatch):
    monkeypatch.setitem(framework.EXERCISES, "99-1", framework.Exercise("99-1", "", 1, 1, ("", "", ""), lambda a: a.nothing))
    assert "AttributeError" in learn.check("99-1", 3).sentence


def test_a_verdict_shows_itself_in_markdown_and_in_plain_words(toy):
    bundle = learn.check("99-1", lambda x: x.sum(0))._repr_mimebundle_()
    assert bundle["text/markdown"].startswith("✗ **Not yet.** This is the sum.")
    assert bundle["text/plain"] == 'Not yet. This is the sum. Hint 2 is about the formula: `learn.hint("99-1", 2)`.'


def test_hints_come_in_three_levels(toy):
    assert [learn.hint("99-1", level).text for level in (1, 2, 3)] == ["idea", "formula", "code"]
    assert 'learn.hint("99-1", 2)' in learn.hint("99-1")._repr_mimebundle_()["text/plain"]
    with pytest.raises(ValueError, match="`level`"):
        learn.hint("99-1", 4)


@pytest.mark.parametrize("key", ["99-2", "98-1", "1-1", 3, "nonsense"])
def test_an_unknown_key_is_the_only_error(toy, key):
    with pytest.raises(ValueError, match="`key`"):
        learn.check(key, None)


def test_a_key_can_be_registered_once(toy):
    with pytest.raises(ValueError, match="taken"):
        framework.register(toy)


def test_three_hints_are_needed(toy):
    with pytest.raises(ValueError, match="three"):
        framework.register(framework.Exercise("99-7", "", 1, 1, ("one",), judge_mean))


def test_called_gives_copies():
    seen = []
    x = np.zeros(3)
    called(lambda a: seen.append(a) or 1, x)
    assert seen[0] is not x


def test_shape_is_forgiving_about_axes_of_size_one_only():
    assert as_array(np.zeros((3, 1)), (3,)).shape == (3,)
    with pytest.raises(AnswerFailed, match=r"shape \(3,\)"):
        as_array(np.zeros((3, 2)), (3,))


def test_a_function_written_for_tensors_gets_tensors_and_everything_else_as_it_is():
    halves = np.array([1.0, 3.0])
    assert float(called_with_tensors_too(lambda x, n: x.mean() * n, halves, 2)) == 4.0
    assert float(called_with_tensors_too(lambda x, n: x.unsqueeze(0).sum() * n, halves, 2)) == 8.0


def test_a_function_that_fails_on_both_is_told_what_happened_with_arrays():
    def broken(x):
        raise ValueError("an array" if isinstance(x, np.ndarray) else "a tensor")

    with pytest.raises(AnswerFailed, match="an array"):
        called_with_tensors_too(broken, np.zeros(2))
