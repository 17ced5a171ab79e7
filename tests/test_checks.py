"""Every promised error names the argument, the expectation and what came."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils import checks


@pytest.mark.parametrize("value", [1, np.int64(7), 10])
def test_integers_in_range_are_returned_as_int(value):
    assert type(checks.checked_int(value, "k", low=1, high=10)) is int


@pytest.mark.parametrize("value", [0, 11, -3])
def test_integers_out_of_range_name_the_range(value):
    with pytest.raises(ValueError, match=rf"`k` must be an integer between 1 and 10, but got {value}"):
        checks.checked_int(value, "k", low=1, high=10)


@pytest.mark.parametrize("value", [1.0, "1", None, True])
def test_what_is_no_integer_is_a_type_error(value):
    with pytest.raises(TypeError, match="`k` must be an integer"):
        checks.checked_int(value, "k")


@pytest.mark.parametrize(
    ("value", "options"), [(0.0, {"above": 0.0}), (float("nan"), {}), (float("inf"), {}), (2, {"high": 1.0})]
)
def test_numbers_out_of_range_or_not_finite_are_refused(value, options):
    with pytest.raises(ValueError, match="`m` must be a finite number"):
        checks.checked_float(value, "m", **options)


def test_a_choice_lists_the_choices():
    with pytest.raises(ValueError, match="one of 'a', 'b', but got 'c'"):
        checks.checked_choice("c", "letter", ["a", "b"])


def test_an_array_of_the_right_kind_is_not_copied():
    array = np.zeros((3, 2), np.float32)
    assert checks.checked_array(array, "x", ("N", 2)) is array


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (np.zeros((3, 3)), ValueError, r"shape \(N, 2\), but got shape \(3, 3\)"),
        ([[0, np.nan]], ValueError, "first in row 0"),
        ([[0, 1], [np.inf, 1]], ValueError, "first in row 1"),
        ([["a", "b"]], TypeError, "array of numbers"),
        ([[1, 2], [3]], ValueError, "ragged"),
    ],
)
def test_bad_arrays_are_refused_in_words(value, error, words):
    with pytest.raises(error, match=words):
        checks.checked_array(value, "x", ("N", 2))


def test_floats_are_never_rounded_to_integers_silently():
    with pytest.raises(TypeError, match="array of integers"):
        checks.checked_array([1.5], "ids", ("N",), dtype=np.int64)


def test_an_empty_list_of_integers_is_accepted():
    assert checks.checked_array([], "ids", ("N",), dtype=np.int64).shape == (0,)


def test_tensors_are_taken_as_arrays():
    found = checks.checked_array(torch.ones(2, 2, requires_grad=True), "x", (2, 2))
    assert isinstance(found, np.ndarray)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (np.zeros((1, 2)), TypeError, "torch.Tensor, but got ndarray"),
        (torch.zeros(1, 2, dtype=torch.int64), TypeError, "floating-point"),
        (torch.zeros(1, 3), ValueError, r"shape \(B, 2\)"),
    ],
)
def test_bad_tensors_are_refused_in_words(value, error, words):
    with pytest.raises(error, match=words):
        checks.checked_tensor(value, "x", ("B", 2))


def test_equal_random_states_give_equal_streams_and_a_generator_is_used_as_it_is():
    assert checks.numpy_generator(3).random() == checks.numpy_generator(3).random()
    assert checks.numpy_generator(np.random.RandomState(3)).random() == checks.numpy_generator(np.random.RandomState(3)).random()
    generator = np.random.default_rng(0)
    assert checks.numpy_generator(generator) is generator


@pytest.mark.parametrize("value", ["seed", 1.5, True])
def test_a_random_state_of_another_kind_is_refused(value):
    with pytest.raises(TypeError, match="`random_state`"):
        checks.numpy_generator(value)


def test_unit_rows_pass_and_others_are_named():
    rows = np.array([[0.6, 0.8], [1.0, 0.0]])
    assert checks.checked_unit_rows(rows, "x").dtype == np.float32
    assert checks.checked_unit_rows(rows.astype(np.float16), "x").shape == (2, 2)
    assert checks.checked_unit_rows(np.zeros((0, 5)), "x").shape == (0, 5)
    with pytest.raises(ValueError, match=r"`x` must be rows of unit length, but got length 2 in row 1. Divide each row"):
        checks.checked_unit_rows([[0.6, 0.8], [0.0, 2.0]], "x")
    with pytest.raises(ValueError, match=r"shape \(N, 3\)"):
        checks.checked_unit_rows(rows, "x", 3)


def test_a_zero_row_is_a_unit_row_only_where_that_is_asked_for():
    rows = np.array([[0.0, 0.0], [1.0, 0.0]])
    assert checks.checked_unit_rows(rows, "x", zeros=True).shape == (2, 2)
    with pytest.raises(ValueError, match="length 0 in row 0"):
        checks.checked_unit_rows(rows, "x")
    with pytest.raises(ValueError, match=r"rows of unit length \(or zero\), but got length 0.5 in row 1"):
        checks.checked_unit_rows([[0.0, 0.0], [0.5, 0.0]], "x", zeros=True)


@pytest.mark.parametrize(
    ("value", "options", "ends"),
    [
        ((1, 2.5), {}, (1.0, 2.5)),
        ([2, 2], {"low": 2, "high": 2}, (2.0, 2.0)),
        (np.array([-1.0, 1.0]), {}, (-1.0, 1.0)),
        (3, {"single": "both"}, (3.0, 3.0)),
        (3, {"single": "around"}, (-3.0, 3.0)),
        (0.5, {"single": "around", "low": -0.5, "high": 0.5}, (-0.5, 0.5)),
        ((-0.5, 0.2), {"single": "around", "low": -0.5, "high": 0.5}, (-0.5, 0.2)),
    ],
)
def test_a_range_is_two_numbers_in_order_and_one_number_where_it_has_a_meaning(value, options, ends):
    found = checks.checked_range(value, "x", **options)
    assert found == ends and all(isinstance(end, float) for end in found)


@pytest.mark.parametrize(
    ("value", "options", "error", "text"),
    [
        ((2, 1), {}, ValueError, r"`x` must be a range \(low, high\) with low <= high, but got \(2, 1\)"),
        ((1, 2, 3), {}, ValueError, r"but got \(1, 2, 3\)"),
        ((), {}, ValueError, r"but got \(\)"),
        (1.0, {}, TypeError, r"`x` must be a range \(low, high\) with low <= high, but got 1.0"),
        ("12", {"single": "both"}, TypeError, r"`x` must be a number, or a range \(low, high\) with low <= high, but got '12'"),
        (None, {"single": "around"}, TypeError, "`x` must be a number, or a range"),
        ((0, "1"), {}, TypeError, "`x` must be a finite number, but got '1'"),
        (True, {"single": "both"}, TypeError, "`x` must be a finite number"),
        ((0, float("nan")), {}, ValueError, "`x` must be a finite number, but got nan"),
        ((0, 1), {"above": 0}, ValueError, "`x` must be a finite number above 0, but got 0"),
        (2, {"single": "both", "high": 1}, ValueError, "`x` must be a finite number of at most 1, but got 2"),
        (-1, {"single": "around"}, ValueError, "`x` must be a finite number of at least 0, but got -1"),
    ],
)
def test_what_is_no_range_is_refused(value, options, error, text):
    with pytest.raises(error, match=text):
        checks.checked_range(value, "x", **options)
