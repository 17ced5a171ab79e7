"""Argument checks: one grammar for every error of the course.

A message names the argument, says what was expected, says what came instead, and, where there is one,
gives the way out::

    `n_clusters` must be an integer of at least 1, but got 0.

``ValueError`` means "the right kind of thing with a wrong value", ``TypeError`` "the wrong kind of thing".
The checkers return the checked value, so a constructor or a function reads
``n_clusters = checked_int(n_clusters, "n_clusters", low=1)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

UNIT_TOLERANCE = 1e-3
"""How far a row of "unit length" may be from length 1: vectors stored as float16 pass."""


def message(name: str, expected: str, got: str, advice: str = "") -> str:
    """Return the sentence "`name` must be expected, but got got." followed by the advice.

    >>> message("margin", "a number above 0", "-1", "The paper uses 0.1.")
    '`margin` must be a number above 0, but got -1. The paper uses 0.1.'
    """
    sentence = f"`{name}` must be {expected}, but got {got}."
    return f"{sentence} {advice}" if advice else sentence


def _range_text(low: float | None, high: float | None, above: float | None) -> str:
    if above is not None and high is not None:
        return f" above {above} and at most {high}"
    if above is not None:
        return f" above {above}"
    if low is not None and high is not None:
        return f" between {low} and {high}"
    if low is not None:
        return f" of at least {low}"
    if high is not None:
        return f" of at most {high}"
    return ""


def checked_int(value: Any, name: str, low: int | None = None, high: int | None = None) -> int:
    """Return ``value`` as ``int`` if it is an integer in [low, high] (both ends included).

    Raises
    ------
    TypeError
        If ``value`` is not an integer (``bool`` counts as none).
    ValueError
        If it lies outside the range.
    """
    expected = "an integer" + _range_text(low, high, None)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(message(name, expected, repr(value)))
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(message(name, expected, repr(value)))
    return int(value)


def checked_float(
    value: Any, name: str, low: float | None = None, high: float | None = None, above: float | None = None
) -> float:
    """Return ``value`` as ``float`` if it is finite and in range.

    Parameters
    ----------
    low, high : float, optional
        Smallest and largest accepted value, both included.
    above : float, optional
        Open lower end: ``value`` must be strictly larger.

    Raises
    ------
    TypeError
        If ``value`` is not a real number.
    ValueError
        If it is NaN, infinite or outside the range.
    """
    expected = "a finite number" + _range_text(low, high, above)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(message(name, expected, repr(value)))
    outside = (low is not None and value < low) or (high is not None and value > high) or (above is not None and value <= above)
    if not np.isfinite(value) or outside:
        raise ValueError(message(name, expected, repr(value)))
    return float(value)


def checked_range(
    value: Any,
    name: str,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    single: str | None = None,
) -> tuple[float, float]:
    """Return ``value`` as two floats, the ends of a range, the first not above the second.

    Parameters
    ----------
    low, high, above : float, optional
        Limits of both ends, as in ``checked_float``.
    single : {"both", "around"}, optional
        What one number d stands for: "both" ends, (d, d), or, for d of at least 0, a range "around" zero, (-d, d).
        Without it one number is refused.

    Raises
    ------
    TypeError
        If ``value`` is neither two real numbers nor, where ``single`` is given, one.
    ValueError
        If the ends are not two, not in order, not finite or outside the limits.

    Examples
    --------
    >>> checked_range((0.2, 1), "scale", above=0, high=1), checked_range(3, "degrees", single="around")
    ((0.2, 1.0), (-3.0, 3.0))
    """
    if single is not None and isinstance(value, Real):
        number = checked_float(value, name, 0 if single == "around" else low, high, above)
        return (-number if single == "around" else number), number
    expected = f"a range (low, high){_range_text(low, high, above)} with low <= high"
    expected = expected if single is None else "a number, or " + expected
    if isinstance(value, str) or not isinstance(value, (Sequence, np.ndarray)):
        raise TypeError(message(name, expected, repr(value)))
    ends = tuple(checked_float(end, name, low, high, above) for end in value)
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(message(name, expected, repr(value)))
    return ends


def checked_choice(value: Any, name: str, choices: Iterable[Any]) -> Any:
    """Return ``value`` if it is one of ``choices``; a ``ValueError`` lists them otherwise."""
    choices = list(choices)
    if value not in choices:
        raise ValueError(message(name, "one of " + ", ".join(repr(c) for c in choices), repr(value)))
    return value


def _shape_text(shape: Sequence[int | str]) -> str:
    return "(" + ", ".join(str(s) for s in shape) + ("," if len(shape) == 1 else "") + ")"


def _shape_fits(actual: Sequence[int], shape: Sequence[int | str]) -> bool:
    return len(actual) == len(shape) and all(isinstance(s, str) or a == s for a, s in zip(actual, shape))


def checked_array(value: Any, name: str, shape: Sequence[int | str], dtype: Any = np.float32, finite: bool = True) -> np.ndarray:
    """Return ``value`` as a C-contiguous array of the given shape and dtype (no copy if it is one already).

    Parameters
    ----------
    value : array-like or Tensor
        Tensors are detached and moved to the CPU.
    shape : sequence of int or str
        One entry per axis: an ``int`` must match, a ``str`` is a free axis and its name in the message, as in
        ``("N", 128)``.
    dtype : dtype, default float32
        For an integer ``dtype`` only integer input is accepted: a float is never rounded silently.
    finite : bool, default True
        Refuse NaN and infinity; the message names the first bad row.

    Raises
    ------
    TypeError
        If the value is not numeric, or float where integers are asked for.
    ValueError
        If the shape does not fit or a value is not finite.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:  # ragged nested sequences
        raise ValueError(message(name, f"an array of shape {_shape_text(shape)}", f"a ragged sequence ({error})")) from error
    wanted = np.dtype(dtype)
    allowed = "biu" if wanted.kind in "iu" else "biuf"
    if array.dtype.kind not in allowed and array.size:
        kind = "integers" if wanted.kind in "iu" else "numbers"
        raise TypeError(message(name, f"an array of {kind}", f"dtype {array.dtype}"))
    if not _shape_fits(array.shape, shape):
        raise ValueError(message(name, f"an array of shape {_shape_text(shape)}", f"shape {array.shape}"))
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0]) if array.ndim else 0
        raise ValueError(message(name, "finite", f"NaN or infinity (first in row {row})"))
    return np.ascontiguousarray(array, dtype=wanted)


def checked_unit_rows(value: Any, name: str, dim: int | str = "D", zeros: bool = False) -> np.ndarray:
    """Return ``value`` as a finite float32 array (N, ``dim``) if every row has length 1.

    Parameters
    ----------
    dim : int or str, default "D"
        As an entry of a shape in ``checked_array``.
    zeros : bool, default False
        Accept rows of length 0 as well: vectors without a direction.

    Raises
    ------
    TypeError, ValueError
        As ``checked_array``, and if a length differs from 1 by more than ``UNIT_TOLERANCE``; the message names the first
        bad row.
    """
    rows = checked_array(value, name, ("N", dim), np.float32)
    lengths = np.linalg.norm(rows, axis=1)
    wrong = np.flatnonzero((np.abs(lengths - 1) > UNIT_TOLERANCE) & ((lengths > 0) | (not zeros)))
    if wrong.size:
        expected = "rows of unit length" + (" (or zero)" if zeros else "")
        got = f"length {lengths[wrong[0]]:.4g} in row {wrong[0]}"
        raise ValueError(message(name, expected, got, "Divide each row by its length."))
    return rows


def checked_tensor(value: Any, name: str, shape: Sequence[int | str] | None = None, floating: bool = True) -> torch.Tensor:
    """Return ``value`` if it is a ``torch.Tensor`` of the given shape; nothing is converted.

    Values are not looked at: on a GPU that would wait for the device at every call.

    Raises
    ------
    TypeError
        If it is not a tensor, or not of a floating dtype where ``floating`` is true.
    ValueError
        If the shape does not fit.
    """
    import torch

    if not isinstance(value, torch.Tensor):
        raise TypeError(message(name, "a torch.Tensor", type(value).__name__))
    if floating and not value.is_floating_point():
        raise TypeError(message(name, "a floating-point tensor", str(value.dtype), "Convert it with `.float()`."))
    if shape is not None and not _shape_fits(value.shape, shape):
        raise ValueError(message(name, f"a tensor of shape {_shape_text(shape)}", f"shape {tuple(value.shape)}"))
    return value


def numpy_generator(random_state: Any) -> np.random.Generator:
    """Turn ``random_state`` (None, int, ``RandomState`` or ``Generator``) into a ``numpy.random.Generator``.

    An int always gives the same stream; a ``Generator`` is used, and so advanced, as it is.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(0, 2**31 - 1, size=4))
    if random_state is None or (isinstance(random_state, Integral) and not isinstance(random_state, bool)):
        return np.random.default_rng(random_state)
    raise TypeError(message("random_state", "None, an integer, a RandomState or a Generator", type(random_state).__name__))
