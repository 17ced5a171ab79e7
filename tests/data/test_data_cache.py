"""Results on disk: never half written, never trusted blindly, never required."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from course_utils.data import cache_folder, cached_arrays
from course_utils.data.cache import cache_path, written_whole


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def refuse():
    raise AssertionError("computed although it was cached")


def test_course_cache_chooses_the_folder(folder):
    assert cache_folder() == folder


def test_without_course_cache_the_platform_chooses_the_folder(monkeypatch):
    monkeypatch.delenv("COURSE_CACHE")
    assert cache_folder().name == "representation-learning-2"


def test_the_second_call_reads_what_the_first_one_computed(folder):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.array(["x", "yz"]), "empty": np.zeros((0, 4), np.uint8)}
    first = cached_arrays("thing", "key", lambda: arrays)
    second = cached_arrays("thing", "key", refuse)
    for label, array in arrays.items():
        for got in (first[label], second[label]):
            assert got.dtype == array.dtype
            np.testing.assert_array_equal(got, array)


def test_another_key_is_another_result(folder):
    assert cached_arrays("thing", "one", lambda: {"v": np.array(1)})["v"] == 1
    assert cached_arrays("thing", "two", lambda: {"v": np.array(2)})["v"] == 2
    assert cached_arrays("thing", "one", refuse)["v"] == 1


@pytest.mark.parametrize("damage", ["cut short", "flipped byte", "zero bytes", "not an archive"])
def test_a_damaged_file_is_computed_again_and_replaced(folder, damage):
    cached_arrays("thing", "key", lambda: {"v": np.arange(1000)})
    path = cache_path("thing", "key")
    content = path.read_bytes()
    if damage == "cut short":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped byte":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    else:
        path.write_bytes(b"" if damage == "zero bytes" else b"hello")
    np.testing.assert_array_equal(cached_arrays("thing", "key", lambda: {"v": np.arange(1000)})["v"], np.arange(1000))
    assert path.read_bytes() == content
    np.testing.assert_array_equal(cached_arrays("thing", "key", refuse)["v"], np.arange(1000))


def test_a_failed_computation_leaves_no_file(folder):
    with pytest.raises(RuntimeError, match="broken"):
        cached_arrays("thing", "key", lambda: (_ for _ in ()).throw(RuntimeError("broken")))
    assert not folder.exists() or not list(folder.iterdir())


def test_an_unwritable_folder_gives_a_warning_and_the_result(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.warns(RuntimeWarning, match=r"cannot be written .* Set COURSE_CACHE to a folder"):
        result = cached_arrays("thing", "key", lambda: {"v": np.array(7)})
    assert result["v"] == 7


def test_objects_are_refused_because_reading_them_would_run_code(folder):
    with pytest.raises(ValueError, match=r"`compute` must be a function that returns plain arrays.*'v'"):
        cached_arrays("thing", "key", lambda: {"v": np.array([{}], dtype=object)})


def test_a_name_that_could_leave_the_folder_is_refused(folder):
    with pytest.raises(ValueError, match="`name` must be letters, digits"):
        cached_arrays("../thing", "key", dict)


def test_two_processes_may_miss_at_the_same_time(folder):
    """Both compute while the other has not finished; afterwards there is one whole file and no rubbish."""
    script = textwrap.dedent("""
        import sys, time, numpy as np
        from pathlib import Path
        from course_utils.data.cache import cached_arrays
        mine, other = Path(sys.argv[1]), Path(sys.argv[2])
        def compute():
            mine.touch()
            for _ in range(600):
                if other.exists():
                    break
                time.sleep(0.05)
            return {"v": np.arange(200_000)}
        for _ in range(5):
            assert cached_arrays("thing", "key", compute)["v"].sum() == 19999900000
    """)
    flags = [str(folder.parent / name) for name in ("first", "second")]
    runs = [subprocess.Popen([sys.executable, "-c", script, *order]) for order in (flags, flags[::-1])]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    assert [path.name for path in folder.iterdir()] == [cache_path("thing", "key").name]
    assert cached_arrays("thing", "key", refuse)["v"][-1] == 199_999


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with written_whole(path) as partial:
        partial.write_text("first")
        assert not path.exists()
    with pytest.raises(KeyboardInterrupt), written_whole(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]
