"""The restricted unpickler reads plain data of every protocol and refuses everything else without running it."""

import collections
import datetime
import os
import pickle
import pickletools
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.restricted_pickle import RefusedPickleError, load_plain_pickle

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def assert_same(found, expected):
    if isinstance(expected, np.ndarray):
        assert isinstance(found, np.ndarray) and found.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, dict):
        assert type(found) is dict and list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, (list, tuple)):
        assert type(found) is type(expected) and len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_same(one, other)
    else:
        assert type(found) is type(expected) and (found == expected or found != found)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_revisited_ground_truth_survives_every_protocol(protocol):
    truth = {
        "imlist": ["all_souls_000000", "한글"],
        "qimlist": ["all_souls_000013"],
        "gnd": [
            {"bbx": np.array([136.5, 34.1, 648.5, 955.7]), "easy": np.array([1, 3]), "hard": np.zeros(0, np.int64), "junk": [2]}
        ],
    }
    assert_same(load_plain_pickle(pickle.dumps(truth, protocol)), truth)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["?", "i1", "<i4", ">i8", "u2", "f2", ">f4", "f8"])
def test_arrays_of_every_numeric_type_order_and_shape_survive(protocol, dtype):
    base = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for array in (base, np.asfortranarray(base), base[:, ::2], base[0, 0, 0:0], np.array(3).astype(dtype)):
        found = load_plain_pickle(pickle.dumps([array, array], protocol))
        assert_same(found[0], array)
        assert found[0] is found[1] and (found[0].flags.writeable)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpy_scalars_become_python_numbers(protocol):
    data = [np.float32(0.5), np.int64(-3), np.bool_(True)]
    assert_same(load_plain_pickle(pickle.dumps(data, protocol)), [0.5, -3, True])


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
        max_leaves=20,
    ),
    st.sampled_from(PROTOCOLS),
)
def test_any_plain_data_comes_back_equal(data, protocol):
    assert_same(load_plain_pickle(pickle.dumps(data, protocol)), data)


def test_a_pickle_of_python_2_is_read_with_its_arrays():
    # protocol 0 as Python 2 wrote it: byte strings (S'...') as keys and as raw content of an array of two int32
    data = (
        b"(dp0\nS'data'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
        b"(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'i4'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\n"
        b"S'\\x01\\x00\\x00\\x00\\xff\\xff\\xff\\xff'\np15\ntp16\nbs."
    )
    assert_same(load_plain_pickle(data), {"data": np.array([1, -1], np.int32)})


def test_a_file_is_read_and_the_size_limit_holds(tmp_path):
    file = tmp_path / "truth.pkl"
    file.write_bytes(pickle.dumps({"easy": list(range(100))}))
    assert load_plain_pickle(file)["easy"][-1] == 99 and load_plain_pickle(str(file))["easy"][0] == 0
    with pytest.raises(RefusedPickleError, match="more than 50 bytes"):
        load_plain_pickle(file, max_bytes=50)
    with pytest.raises(FileNotFoundError):
        load_plain_pickle(tmp_path / "absent.pkl")


class Runs:
    """Pickles into a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


class Plain:
    pass


class OtherArray(np.ndarray):
    pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pickle_that_runs_a_command_does_not_run_it(protocol, tmp_path):
    mark = tmp_path / "owned"
    with pytest.raises(RefusedPickleError, match="the name (posix|nt)\\.system"):
        load_plain_pickle(pickle.dumps({"easy": Runs(os.system, f"echo > '{mark}'")}, protocol))
    assert not mark.exists()


def build(function, state):
    """Pickle bytes that name ``function`` and set a state on it."""
    module, name = function
    return b"\x80\x02c" + f"{module}\n{name}\n".encode() + state + b"b."


def array_with(shape=b"K\x02\x85", dtype=b"U\x02i4K\x00K\x01\x87", raw=b"U\x08\x01\x00\x00\x00\x02\x00\x00\x00"):
    """Pickle bytes of an array whose parts can be made up: shape, element type, raw content."""
    head = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return head + b"(K\x01" + shape + b"cnumpy\ndtype\n" + dtype + b"R" + b"\x89" + raw + b"tb."


def test_the_made_up_array_is_readable_as_long_as_its_parts_fit():
    assert_same(load_plain_pickle(array_with()), np.array([1, 2], np.int32))


ATTACKS = {
    "eval": (pickle.dumps(Runs(eval, "1+1")), "builtins.eval"),
    "getattr": (pickle.dumps(Runs(getattr, "a", "upper")), "builtins.getattr"),
    "a class of the course": (pickle.dumps(Plain()), "instruction (NEWOBJ|REDUCE)|the name|copyreg"),
    "an old instance": (b"(ios\nsystem\n.", "instruction INST"),
    "an old object": (b"(cos\nsystem\no.", "instruction OBJ"),
    "NEWOBJ_EX": (b"\x80\x04cnumpy\nndarray\n)}\x92.", "instruction NEWOBJ_EX"),
    "an extension": (b"\x80\x02\x82\x01.", "instruction EXT1"),
    "an outside object": (b"\x80\x02K\x01Q.", "instruction BINPERSID"),
    "a set": (pickle.dumps({1, 2}), "instruction|the name"),
    "an ordered dict": (pickle.dumps(collections.OrderedDict(a=1)), "OrderedDict"),
    "a date": (pickle.dumps(datetime.date(2020, 1, 1)), "datetime.date"),
    "complex": (pickle.dumps(1j), "builtins.complex"),
    "another numpy function": (b"\x80\x02cnumpy\nload\nU\x01a\x85R.", "numpy.load"),
    "a dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.dot\x93.", "numpy.ndarray.dot"),
    "an array class alone": (b"cnumpy\nndarray\n.", "a function or class"),
    "a function alone": (b"cnumpy\ndtype\n.", "a function or class"),
    "a state for a function": (build(("numpy", "dtype"), b"N}U\x0c__defaults__Ns\x86"), "a state for something"),
    "a state for a class": (build(("numpy", "ndarray"), b"}U\x01aK\x01s"), "a state for something"),
    "an array of objects": (pickle.dumps(np.array([[1], None], dtype=object)), "type 'O8'"),
    "an array of text": (pickle.dumps(np.array(["a"])), "type 'U1'"),
    "an array with fields": (pickle.dumps(np.zeros(1, [("a", "i4")])), "type 'V4'"),
    "a subclass of arrays": (pickle.dumps(np.zeros(1).view(OtherArray)), "OtherArray"),
    "a date array": (pickle.dumps(np.array(["2020"], "M8[Y]")), "type 'M8'"),
    "too little content": (array_with(shape=b"K\x03\x85"), "8 bytes for an array of shape"),
    "too much content": (array_with(shape=b"K\x01\x85"), "8 bytes for an array of shape"),
    "a negative shape": (array_with(shape=b"J\xff\xff\xff\xff\x85"), "without shape or type"),
    "an astronomic shape": (array_with(shape=b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"), "8 bytes for an array"),
    "a shape of text": (array_with(shape=b"U\x01a\x85"), "without shape or type"),
    "a state that is no tuple": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87RK\x01b.",
        "without shape, type and content",
    ),
    "content as list": (array_with(raw=b"]"), "an array of Python objects"),
    "another class to reconstruct": (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x85U\x01b\x87R.",
        "another class",
    ),
    "a dtype that is no text": (b"\x80\x02cnumpy\ndtype\nK\x07\x85R.", "type 7"),
    "another encoding": (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.", "change of encoding"),
    "a far memo index": (b"\x80\x02Nr\xff\xff\xff\xff.", "a jump of the memo to 4294967295"),
    "a list in itself": (b"\x80\x02]q\x00h\x00a.", "contains itself"),
    "a deep list": (b"\x80\x02" + b"]" * 100 + b"a" * 99 + b".", "more than 50 deep"),
    "a very deep list": (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "more than 50 deep"),
    "a key of tuples": (pickle.dumps({(1, 2): 3}), "key of type tuple"),
    "a key that is an array": (b"\x80\x02}]N s.".replace(b" ", b""), "damaged"),
    "a call of a text": (b"\x80\x02U\x01a)R.", "damaged"),
    "a state for a dict": (b"\x80\x02}}U\x01aK\x01sb.", "damaged"),
    "an empty file": (b"", "damaged"),
    "no pickle": (b"<html>404</html>", "damaged|instruction"),
    "an end that is missing": (pickle.dumps(list(range(1000)))[:-50], "damaged"),
    "a length that is not there": (b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"a.", "damaged"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_everything_else_is_refused_by_name(name):
    data, words = ATTACKS[name]
    with pytest.raises(RefusedPickleError, match=words):
        load_plain_pickle(data)


def test_shared_lists_do_not_explode():
    # forty lists, each holding the one before twice: 2 ** 40 leaves as a tree, forty objects in memory
    data = b"\x80\x02]q\x00"
    for i in range(1, 41):
        data += b"](h" + bytes([i - 1]) + b"h" + bytes([i - 1]) + b"eq" + bytes([i])
    found = load_plain_pickle(data + b".")
    assert found[0] is found[1]


@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, 400), value=st.integers(0, 255))
def test_a_changed_byte_gives_plain_data_or_a_refusal_and_nothing_else(position, value):
    truth = {"imlist": ["a", "b"], "gnd": [{"bbx": np.arange(4.0), "easy": np.array([1]), "junk": [2]}]}
    data = bytearray(pickle.dumps(truth, 2))
    data[position % len(data)] = value
    try:
        load_plain_pickle(bytes(data))
    except RefusedPickleError:
        pass


def test_the_list_of_instructions_knows_every_name_it_uses():
    from course_utils.data.restricted_pickle import ALLOWED_OPCODES

    assert ALLOWED_OPCODES <= {opcode.name for opcode in pickletools.opcodes}
