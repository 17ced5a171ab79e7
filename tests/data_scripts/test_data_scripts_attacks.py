"""Attacks from inside a file: each is refused with its own message, nothing is written outside, nothing is left behind."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
from dataclasses import replace

import evil_archives
import numpy as np
import pytest
import small_sets

from course_utils.data.real_data_folder import real_data
from data_scripts.errors import UnsafeArchive
from data_scripts.extract import unpack


class RunsCode:
    """A pickle of this runs a command when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def outside(tmp_path):
    """A folder beside the root that must stay as it is."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("secret")
    return folder


def assert_refused(desk, capsys, words: str, name: str = "victim") -> None:
    """The command fails with these words in one paragraph, and the root is as empty as before."""
    assert desk.run("get", name) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and "Traceback" not in error
    assert desk.left() == []
    assert desk.folders() == {".work"}
    assert real_data(name, desk.root) is None


@pytest.mark.parametrize("attack", evil_archives.EVIL)
def test_an_evil_archive_is_refused(desk, capsys, tmp_path, outside, attack):
    kind, make, words = evil_archives.EVIL[attack]
    content = make()
    desk.serve(small_sets.victim(content, kind), {f"victim.{kind}": content})
    assert_refused(desk, capsys, words)
    assert {path.name for path in tmp_path.iterdir()} == {"root", "catalogue.json", "outside"}
    assert [(path.name, path.read_text(), path.stat().st_nlink) for path in outside.iterdir()] == [("secret.txt", "secret", 1)]
    assert not any(os.path.exists(f"/evil_by_{which}.txt") for which in ("tar", "zip"))


@pytest.mark.parametrize("kind", ["tar", "zip", "gzip"])
def test_a_randomly_damaged_archive_is_unpacked_inside_or_refused(tmp_path, kind):
    """150 archives with changed, missing and added bytes: no other error, nothing outside, nothing but files and folders."""
    rng = np.random.default_rng(7)
    pictures = {f"a/{i}.jpg": small_sets.picture(i) for i in range(4)}
    whole = {
        "tar": small_sets.tar_of(pictures, compress=False),
        "zip": small_sets.zip_of(pictures),
        "gzip": gzip.compress(rng.bytes(2000)),
    }[kind]
    refused, archive, work = 0, tmp_path / "archive", tmp_path / "work"
    for _ in range(150):
        content = bytearray(whole)
        for place in rng.integers(0, len(whole) - 600, rng.choice([1, 2, 10])):
            length = int(rng.choice([1, 8, 512]))
            content[place : place + length] = rng.bytes(int(rng.choice([0, length, 2 * length])))
        archive.write_bytes(content)
        try:
            unpack(archive, small_sets.victim(bytes(content), kind).files[0], work)
        except UnsafeArchive:
            refused += 1
        assert {path.name for path in tmp_path.iterdir()} <= {"archive", "work"}
        assert not any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in work.rglob("*"))
        shutil.rmtree(work, ignore_errors=True)
    assert 75 < refused


def test_a_bomb_inside_an_inner_archive_counts_with_the_outer_one(desk, capsys):
    desk.serve(*small_sets.caltech101(inner_zeros=16 * 2**20))
    assert_refused(desk, capsys, "grows to more than 50 times its size", "caltech101")


def test_a_second_archive_cannot_replace_a_file_of_the_first(desk, capsys):
    first, second = small_sets.tar_of({"jpg/a.jpg": b"1"}), small_sets.tar_of({"jpg/a.jpg": b"2"})
    record = small_sets.victim(first)
    more = replace(small_sets.victim(second).files[0], path="second.tar")
    desk.serve(replace(record, files=(*record.files, more)), {"victim.tar": first, "second.tar": second})
    assert_refused(desk, capsys, "second.tar brings jpg/a.jpg although something of that name is there already")


def test_an_inner_archive_that_is_missing_is_named(desk, capsys):
    record, _ = small_sets.caltech101()
    content = {"caltech-101.zip": small_sets.zip_of({"caltech-101/readme": b"moved"})}
    desk.serve(small_sets.with_facts(record, content), content)
    assert_refused(desk, capsys, "does not hold caltech-101/101_ObjectCategories.tar.gz", "caltech101")


def test_a_ground_truth_pickle_that_would_run_code_is_refused(desk, capsys, tmp_path):
    desk.serve(*small_sets.oxford(truth={"imlist": [], "gnd": RunsCode(str(tmp_path / "owned"))}))
    assert_refused(desk, capsys, "gnd_roxford5k.pkl is not accepted as a pickle of plain data", "revisited_oxford")
    assert not (tmp_path / "owned").exists()


def test_a_cifar_batch_that_would_run_code_is_refused(desk, capsys, tmp_path):
    desk.serve(*small_sets.cifar10(evil=RunsCode(str(tmp_path / "owned"))))
    assert_refused(desk, capsys, "cifar-10-batches-py/data_batch_3 is not accepted as a pickle of plain data", "cifar10")
    assert not (tmp_path / "owned").exists()


def test_an_array_file_with_python_objects_is_refused(desk, capsys, tmp_path):
    desk.serve(*small_sets.breastmnist(images=np.array([RunsCode(str(tmp_path / "owned"))], dtype=object)))
    assert_refused(desk, capsys, "breastmnist.npz does not load as arrays without a pickle", "breastmnist")
    assert not (tmp_path / "owned").exists()


def test_another_layout_than_expected_is_refused(desk, capsys):
    content = {"CUB_200_2011.tgz": small_sets.tar_of({"CUB_200_2011/README": b"moved"})}
    desk.serve(small_sets.with_facts(small_sets.cub()[0], content), content)
    assert_refused(desk, capsys, "cub_200_2011 should hold CUB_200_2011/images, and does not", "cub_200_2011")


def test_a_file_that_calls_itself_our_marker_is_refused(desk, capsys):
    content = small_sets.tar_of({"complete.json": b"{}"})
    desk.serve(small_sets.victim(content), {"victim.tar": content})
    assert_refused(desk, capsys, "brings a file called complete.json")


def test_a_flipped_byte_is_refused_before_the_archive_is_opened(desk, capsys):
    record, contents = small_sets.cub()
    desk.serve(record, contents)
    good = contents["CUB_200_2011.tgz"]
    desk.server.files["/cub_200_2011/CUB_200_2011.tgz"] = good[:500] + bytes([good[500] ^ 4]) + good[501:]
    assert_refused(desk, capsys, f"published is {hashlib.md5(good).hexdigest()}", "cub_200_2011")


def test_a_web_page_in_place_of_the_archive_is_recognised(desk, capsys):
    record, contents = small_sets.cub()
    desk.serve(record, contents)
    page = b"<!DOCTYPE html><title>Log in</title>".ljust(len(contents["CUB_200_2011.tgz"]))
    desk.server.files["/cub_200_2011/CUB_200_2011.tgz"] = page
    assert_refused(desk, capsys, "It looks like a web page", "cub_200_2011")


def test_a_part_of_google_landmarks_with_a_flipped_byte_is_refused(desk, capsys):
    record, contents = small_sets.google_landmarks()
    tar = bytearray(contents["train/images_000.tar"])
    tar[700] ^= 1
    desk.serve(record, contents | {"train/images_000.tar": bytes(tar)})
    assert desk.run("get", record.name, "--part", record.part) == 1
    assert re.search(r"train/images_000.tar has the MD5 \w{32}; published is", capsys.readouterr().err)
    assert desk.left() == []


@pytest.mark.parametrize("text", [b"0" * 32 + b"  images_777.tar\n", b"<html>", b"\xff\xfe\x00"])
def test_a_list_of_sums_that_does_not_name_the_archive_is_refused(desk, capsys, text):
    record, contents = small_sets.google_landmarks()
    desk.serve(record, contents | {"md5sum/train/md5.images_000.txt": text})
    assert desk.run("get", record.name, "--part", record.part) == 1
    assert "list of check sums" in capsys.readouterr().err
    assert desk.left() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train/images_000.tar": small_sets.tar_of({"f/f/f/0123456789abcdef.jpg": b""}, compress=False)}, "should be 0/1/2/0123456789abcdef.jpg"),
        ({"train/images_000.tar": small_sets.tar_of({"readme.txt": b""}, compress=False)}, "holds no image"),
        ({"metadata/train.csv": b"id,url\n0123456789abcdef,http://x\n"}, "train.csv is not the table that it should be"),
        ({"metadata/train.csv": b"id,url,landmark_id\n0123456789abcdef\n"}, "train.csv is not the table that it should be"),
        ({"metadata/train.csv": b"id,url,landmark_id\n"}, "None of the 3 images"),
    ],
)  # fmt: skip
def test_a_part_of_google_landmarks_in_another_layout_is_refused(desk, capsys, change, words):
    record, contents = small_sets.google_landmarks()
    contents |= change
    tar = contents["train/images_000.tar"]
    contents["md5sum/train/md5.images_000.txt"] = f"{hashlib.md5(tar).hexdigest()}  images_000.tar\n".encode()
    if b"None" in words.encode():
        contents["metadata/train_attribution.csv"] = b"id,url,author,license,title\n"
    desk.serve(record, contents)
    assert desk.run("get", record.name, "--part", record.part) == 1
    assert words in capsys.readouterr().err
    assert real_data(record.name, desk.root) is None
    assert all(path.startswith("archives/google_landmarks_v2/metadata/") for path in desk.left())  # tables serve other parts, too


def test_a_file_that_differs_from_the_first_time_is_refused_until_the_reader_decides(desk, capsys):
    record, contents = small_sets.oxford()
    desk.serve(record, contents)
    assert desk.run("get", record.name) == 0
    kept = desk.root / "revisited_oxford.first_seen.sha256"
    (desk.root / "revisited_oxford" / "gnd_roxford5k.pkl").unlink()
    _, other = small_sets.oxford(truth=small_sets.oxford_truth() | {"qimlist": ["another_000001"]})
    desk.serve(record, other)
    capsys.readouterr()
    assert desk.run("get", record.name) == 1
    assert re.search(
        rf"the first time it was \w{{64}}.*only you can decide.*delete {re.escape(str(kept))}", capsys.readouterr().err
    )
    kept.unlink()
    assert desk.run("get", record.name) == 0


def test_a_catalogue_cannot_name_a_file_outside(desk, capsys):
    record = small_sets.victim(b"x", "copy")
    desk.serve(record, {})
    text = desk.catalogue.read_text()
    for bad in ('"../up"', '"/etc/up"', '"a\\\\b"'):
        desk.catalogue.write_text(text.replace('"victim.copy"', bad))
        assert desk.run("get", "victim") == 1
        assert "`path` must be a relative path" in capsys.readouterr().err
        desk.catalogue.write_text(text.replace('"into": "out"', f'"into": {bad}'))
        assert desk.run("get", "victim") == 1
        assert "must be a relative path" in capsys.readouterr().err
    with pytest.raises(ValueError, match="`name` must be lower-case letters"):
        replace(record, name="../up")
