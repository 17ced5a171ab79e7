"""A fetched data set is found by one function, or it is None."""

from pathlib import Path

import pytest

from course_utils import data
from course_utils.data import real_data
from course_utils.data.real_data_folder import MARKER, Completion, data_root, read_completion, write_completion


def make_set(folder: Path, name: str, part: str = "") -> Path:
    """Make a small complete set."""
    folder.mkdir(parents=True)
    (folder / "sub").mkdir()
    (folder / "sub" / "a.txt").write_text("content")
    write_completion(folder, Completion(name, part, files={"sub/a.txt": [7, "0" * 64]}))
    return folder


def test_a_complete_set_is_found(tmp_path):
    folder = make_set(tmp_path / "cifar10", "cifar10")
    assert real_data("cifar10", tmp_path) == folder
    assert real_data("cifar10", str(tmp_path)) == folder


def test_the_root_is_the_argument_then_the_variable_then_the_platforms_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "by variable"))
    assert data_root(tmp_path / "by argument") == tmp_path / "by argument"
    assert data_root() == tmp_path / "by variable"
    folder = make_set(tmp_path / "by variable" / "svhn", "svhn")
    assert real_data("svhn") == folder
    monkeypatch.setenv("COURSE_DATA", "~/sets")
    assert data_root() == Path.home() / "sets"
    monkeypatch.delenv("COURSE_DATA")
    assert data_root().name == "representation-learning-2"


def test_what_was_not_fetched_is_none(tmp_path):
    assert real_data("cifar10", tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    "damage", ["no marker", "marker cut short", "marker of another set", "file missing", "file grown", "marker is a list"]
)
def test_an_incomplete_set_is_none(tmp_path, damage):
    folder = make_set(tmp_path / "cifar10", "cifar10")
    marker = folder / MARKER
    if damage == "no marker":
        marker.unlink()
    elif damage == "marker cut short":
        marker.write_text(marker.read_text()[:-9])
    elif damage == "marker of another set":
        marker.write_text(marker.read_text().replace("cifar10", "cifar100"))
    elif damage == "marker is a list":
        marker.write_text("[1, 2]")
    elif damage == "file missing":
        (folder / "sub" / "a.txt").unlink()
    else:
        (folder / "sub" / "a.txt").write_text("content and more")
    assert real_data("cifar10", tmp_path) is None


def test_the_first_complete_part_is_the_default(tmp_path):
    parent = tmp_path / "google_landmarks_v2"
    make_set(parent / "train_007", "google_landmarks_v2", "train_007")
    first = make_set(parent / "train_001", "google_landmarks_v2", "train_001")
    broken = make_set(parent / "train_000", "google_landmarks_v2", "train_000")
    (broken / "sub" / "a.txt").unlink()
    assert real_data("google_landmarks_v2", tmp_path) == first
    assert real_data("google_landmarks_v2", tmp_path, part="train_007") == parent / "train_007"
    assert real_data("google_landmarks_v2", tmp_path, part="train_000") is None


@pytest.mark.parametrize("name", ["../cifar10", "CIFAR10", "", "a/b", None])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="`name` must be lower-case letters, digits and '_'"):
        real_data(name, tmp_path)
    with pytest.raises(ValueError, match="`part` must be lower-case letters"):
        real_data("cifar10", tmp_path, part="../x")


def test_the_marker_comes_back_as_it_was_written(tmp_path):
    completion = Completion("svhn", title="Straße", origin={"a": "md5"}, files={"a": [1, "f" * 64]})
    write_completion(tmp_path, completion)
    assert read_completion(tmp_path) == completion


def test_the_room_has_a_function_of_this_name_and_no_module_hides_it():
    assert callable(data.real_data)
