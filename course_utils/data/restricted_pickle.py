"""Read plain data out of a pickle without letting the pickle run anything.

The problem
    Ground truth of well-known benchmarks (revisited Oxford and Paris, CIFAR-10) is published as pickle files. A pickle is
    a small program: ``pickle.load`` calls whatever function the file names, so a changed file owns the reader's machine.
The idea
    These files need dictionaries, lists, texts, numbers and NumPy arrays of numbers, and nothing else. Three gates make
    sure that nothing else happens:

    1. *Instructions.* The opcodes are listed first, without being carried out. Those that build objects of a class,
       ask for outside objects or reach far into the memo are refused.
    2. *Names.* Of all functions that a pickle can name, seven are known: those that make NumPy arrays and bytes. They
       are not looked up: each is replaced by a stand-in of this module that only stores what it is given. NumPy itself
       never sees a state that the file made up.
    3. *Result.* The result is walked through. Stored arrays become real ones here, after shape, type and length have been
       compared. Anything else than plain data is refused, and so are loops and depths above ``MAX_DEPTH``.

Conventions
    Text of Python 2 is decoded as Latin-1, so that arrays of that time can be read; NumPy scalars become Python numbers.
    Arrays have the native byte order and may be written to. One array that the file names twice is one array.

Used by the reader of revisited Oxford and Paris (``retrieval.revisited``) and by ``data_scripts``.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.checks import checked_int, message

MAX_BYTES = 2**30
MAX_DEPTH = 50
DTYPES = {f"{kind}{size}" for kind, sizes in {"b": "1", "i": "1248", "u": "1248", "f": "248"}.items() for size in sizes}
"""The element types that an array may have: truth values, integers and floats."""

ALLOWED_OPCODES = {
    *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP"),
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    *("EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"),
    *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"),
}
"""Opcodes of plain data, and the four that arrays need. Sets, instances, extensions and outside objects are not here."""


class RefusedPickleError(ValueError):
    """A pickle that is damaged, or holds more than plain data. Nothing of it was run."""


def load_plain_pickle(source: str | Path | bytes, max_bytes: int = MAX_BYTES) -> Any:
    """Return the plain data in a pickle file: dict, list, tuple, str, bytes, int, float, bool, None, numeric arrays.

    Parameters
    ----------
    source : path or bytes
        A file, or its content.
    max_bytes : int, default 2**30
        Larger files are not read.

    Raises
    ------
    RefusedPickleError
        A ``ValueError``. If the pickle is damaged, too large, or holds anything else; the message names what was met.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> load_plain_pickle(pickle.dumps({"easy": [1, 2], "bbx": np.array([0.5, 2.0])}))
    {'easy': [1, 2], 'bbx': array([0.5, 2. ])}
    >>> load_plain_pickle(pickle.dumps(print))
    Traceback (most recent call last):
    ...
    course_utils.data.restricted_pickle.RefusedPickleError: `source` must be a pickle of plain data, but got the name
    builtins.print. Nothing of it was run.
    """
    max_bytes = checked_int(max_bytes, "max_bytes", low=1)
    data = _content(source, max_bytes)
    _check_opcodes(data)
    try:
        loaded = _PlainUnpickler(io.BytesIO(data), encoding="latin1").load()
        return _Unfolding().value(loaded, 0)
    except RefusedPickleError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise _refused(f"a damaged one ({type(error).__name__})") from error


def _refused(got: str) -> RefusedPickleError:
    return RefusedPickleError(message("source", "a pickle of plain data", got, "Nothing of it was run."))


def _content(source: str | Path | bytes, max_bytes: int) -> bytes:
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    else:
        with open(source, "rb") as file:
            data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise _refused(f"more than {max_bytes} bytes")
    return data


def _check_opcodes(data: bytes) -> None:
    """List the instructions and refuse unknown ones; nothing is carried out."""
    stream, count, name = io.BytesIO(data), 0, ""
    try:
        while name != "STOP":
            opcode = pickletools.code2op[stream.read(1).decode("latin1")]
            name, count = opcode.name, count + 1
            if name not in ALLOWED_OPCODES:
                raise _refused(f"the instruction {name}")
            if name == "STRING":
                stream.readline()  # the reader of ``pickletools`` expects ASCII, Python 2 wrote any byte
            elif opcode.arg is not None:
                argument = opcode.arg.reader(stream)
            # the memo is an array in C: one far index would reserve gigabytes
            if name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(argument) <= count:
                raise _refused(f"a jump of the memo to {argument}")
    except RefusedPickleError:
        raise
    except Exception as error:
        raise _refused(f"a damaged one ({type(error).__name__})") from error


class _StandIn:
    """What a pickle gets instead of a class or function of NumPy: it can be handed around, and changed by nobody."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise _refused("a state for something that has none")


class _ArrayType(_StandIn):
    """Stands for ``numpy.ndarray``, which a pickle names and hands to ``_reconstruct``."""

    __slots__ = ()


class _Dtype(_StandIn):
    """Stands for one element type."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        if not isinstance(code, str) or code not in DTYPES:
            raise _refused(f"an array of type {code!r}")
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        plain = isinstance(state, tuple) and len(state) >= 5 and state[1] in ("<", ">", "=", "|")
        if not plain or any(part is not None for part in state[2:5]):
            raise _refused("an array with fields")
        self.order = state[1]

    def numpy(self) -> np.dtype:
        return np.dtype(self.code).newbyteorder(self.order) if self.order in "<>" else np.dtype(self.code)


class _Array(_StandIn):
    """Stands for one array until the whole pickle has been read."""

    __slots__ = ("dtype", "fortran", "raw", "shape")

    def __init__(self) -> None:
        self.shape, self.dtype, self.fortran, self.raw = (0,), _Dtype("u1"), False, b""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise _refused("an array without shape, type and content")
        self.fill(*state[-4:])

    def fill(self, shape: Any, dtype: Any, fortran: Any, raw: Any) -> _Array:
        sizes = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape) and len(shape) <= 8
        if not sizes or type(dtype) is not _Dtype:
            raise _refused("an array without shape or type")
        if isinstance(raw, str):
            raw = raw.encode("latin1")  # Python 2
        if not isinstance(raw, (bytes, bytearray)):
            raise _refused("an array of Python objects")
        self.shape, self.dtype, self.fortran, self.raw = shape, dtype, bool(fortran), bytes(raw)
        return self

    def numpy(self) -> np.ndarray:
        dtype = self.dtype.numpy()
        if math.prod(self.shape) * dtype.itemsize != len(self.raw):
            raise _refused(f"{len(self.raw)} bytes for an array of shape {self.shape} and type {dtype}")
        flat = np.frombuffer(self.raw, dtype).astype(dtype.newbyteorder("="))
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


class _Scalar(_StandIn):
    """Stands for one NumPy number."""

    __slots__ = ("array",)

    def __init__(self, array: _Array) -> None:
        self.array = array


class _Call(_StandIn):
    """A function that a pickle may name: one of those below."""

    __slots__ = ("function",)

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


def _make_dtype(code: Any, *flags: Any) -> _Dtype:
    return _Dtype(code)


def _reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
    if type(kind) is not _ArrayType:
        raise _refused("an array of another class")
    return _Array()


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any, *rest: Any) -> _Array:
    return _Array().fill(shape, dtype, order == "F", raw)


def _scalar(dtype: Any, raw: Any) -> _Scalar:
    return _Scalar(_Array().fill((), dtype, False, raw))


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise _refused("a change of encoding")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    return b""


_KNOWN = {
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): lambda: _Call(_make_dtype),
    ("_codecs", "encode"): lambda: _Call(_encode),  # how Python 3 writes bytes for Python 2 ...
    ("__builtin__", "bytes"): lambda: _Call(_empty_bytes),  # ... and how it writes none
    **{(f"numpy.{core}.multiarray", "_reconstruct"): lambda: _Call(_reconstruct) for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): lambda: _Call(_scalar) for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): lambda: _Call(_from_buffer) for core in ("core", "_core")},
}


class _PlainUnpickler(pickle.Unpickler):
    """An unpickler that looks up no name: it knows seven, and makes a fresh stand-in for each mention."""

    def find_class(self, module: str, name: str) -> Any:
        make = _KNOWN.get((module, name))
        if make is None:
            raise _refused(f"the name {module}.{name}")
        return make()

    def persistent_load(self, pid: Any) -> Any:
        raise _refused("an outside object")


class _Unfolding:
    """Walks through the loaded data and replaces stand-ins by arrays and numbers; every object is visited once."""

    def __init__(self) -> None:
        self.done: dict[int, Any] = {}
        self.open: set[int] = set()

    def value(self, item: Any, depth: int) -> Any:
        if item is None or type(item) in (bool, int, float, str, bytes):
            return item
        if depth > MAX_DEPTH:
            raise _refused(f"data nested more than {MAX_DEPTH} deep")
        if id(item) in self.open:
            raise _refused("data that contains itself")
        if id(item) not in self.done:
            self.open.add(id(item))
            self.done[id(item)] = self._unfolded(item, depth + 1)
            self.open.discard(id(item))
        return self.done[id(item)]

    def _unfolded(self, item: Any, depth: int) -> Any:
        if type(item) is bytearray:
            return bytes(item)
        if type(item) is _Array:
            return item.numpy()
        if type(item) is _Scalar:
            return item.array.numpy().item()
        if type(item) is list:
            return [self.value(part, depth) for part in item]
        if type(item) is tuple:
            return tuple(self.value(part, depth) for part in item)
        if type(item) is dict:
            return {self._key(key): self.value(part, depth) for key, part in item.items()}
        raise _refused("a function or class" if isinstance(item, _StandIn) else f"a {type(item).__name__}")

    @staticmethod
    def _key(key: Any) -> Any:
        if type(key) not in (str, bytes, int):
            raise _refused(f"a dictionary key of type {type(key).__name__}")
        return key
