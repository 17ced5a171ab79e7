"""What the records say, where it can be checked without a network, and what the command line says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import small_sets

from course_utils.learn.chapters import CHAPTERS
from data_scripts import cli
from data_scripts.catalogue import all_records, find_record
from data_scripts.checksums import published_md5
from data_scripts.errors import DataScriptError, WrongChecksum
from data_scripts.google_landmarks import part_record
from data_scripts.records import RemoteFile, record_from_mapping

REPOSITORY = Path(__file__).resolve().parents[2]
RECORDS = all_records()
ASKED_FOR = (
    "google_landmarks_v2 revisited_oxford revisited_paris gardens_point cub_200_2011 stanford_online_products cifar10 cifar100 stl10 "
    "svhn fashion_mnist mnist flowers102 oxford_iiit_pet caltech101 lfw organamnist breastmnist"
)


def sums(name: str) -> dict[str, str]:
    """Return file name -> MD5 of a record."""
    return {file.path: file.checksum.removeprefix("md5:") for file in RECORDS[name].files}


def test_every_data_set_of_the_course_has_a_record():
    assert set(ASKED_FOR.split()) <= set(RECORDS)


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_says_everything_that_a_reader_needs(record):
    for field in ("title", "licence", "citation", "used_for"):
        assert len(getattr(record, field)) > 2
    assert record.home_page.startswith("http")
    assert set(re.findall(r"\d\d_\w+", record.used_for)) <= {chapter.name for chapter in CHAPTERS}
    if record.files:
        assert record.expects and record.reader
        assert record.size > 0 and all(file.addresses and file.how_checked for file in record.files)
    else:
        assert "dead" in record.note


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_survives_the_way_through_json(record):
    assert record_from_mapping(json.loads(json.dumps(asdict(record)))) == record


def test_a_sum_is_published_by_somebody_or_said_to_be_missing():
    for record in RECORDS.values():
        for file in record.files:
            if file.checksum:
                assert file.checksum_source and file.checksum_source in file.how_checked
            else:
                assert file.checksum_path or "no published checksum" in file.how_checked


def test_addresses_and_sums_are_those_of_the_installed_torchvision():
    from torchvision import datasets

    assert sums("cifar10") == {datasets.CIFAR10.filename: datasets.CIFAR10.tgz_md5}
    assert sums("cifar100") == {datasets.CIFAR100.filename: datasets.CIFAR100.tgz_md5}
    assert sums("stl10") == {datasets.STL10.filename: datasets.STL10.tgz_md5}
    assert datasets.STL10.url in RECORDS["stl10"].files[0].addresses
    assert sums("mnist") == dict(datasets.MNIST.resources)
    assert sums("fashion_mnist") == dict(datasets.FashionMNIST.resources)
    assert sums("svhn") == {name: md5 for _, name, md5 in (datasets.SVHN.split_list[split] for split in ("train", "test"))}
    assert sums("flowers102") == dict(datasets.Flowers102._file_dict.values())
    assert sums("oxford_iiit_pet") == {url.rsplit("/", 1)[-1]: md5 for url, md5 in datasets.OxfordIIITPet._RESOURCES}
    assert {file.addresses[0] for file in RECORDS["oxford_iiit_pet"].files} == {
        url for url, _ in datasets.OxfordIIITPet._RESOURCES
    }
    lfw = dict(datasets.LFWPairs.checksums) | {name: md5 for _, name, md5 in datasets.LFWPairs.file_dict.values()}
    assert all(lfw[name] == md5 for name, md5 in sums("lfw").items())


def test_the_figshare_addresses_of_lfw_are_those_of_scikit_learn():
    from sklearn.datasets import _lfw

    known = {data.filename: data.url for data in (_lfw.FUNNELED_ARCHIVE, *_lfw.TARGETS)}
    assert all(file.addresses == (known[file.path],) for file in RECORDS["lfw"].files)


def test_the_parts_of_google_landmarks_follow_the_mirror():
    record = part_record("index_042")
    assert record.files[0].addresses == ("https://s3.amazonaws.com/google-landmark/index/images_042.tar",)
    assert record.files[0].checksum_path == "md5sum/index/md5.images_042.txt"
    assert "metadata/index_image_to_landmark.csv" in record.expects
    assert part_record("test_019").expects[-1] == "ground_truth/retrieval_solution_v2.1.csv"


@pytest.mark.parametrize("part", ["", "train", "train_500", "index_100", "test_020", "query_000", "train_0", "../x"])
def test_a_part_that_does_not_exist_is_refused_with_those_that_do(part):
    with pytest.raises(DataScriptError, match=r"--part train_000 to train_499"):
        part_record(part)


def test_a_name_with_a_typing_error_gets_a_suggestion():
    with pytest.raises(DataScriptError, match="Did you mean revisited_oxford?"):
        find_record("revisted oxford")
    with pytest.raises(DataScriptError, match="has no parts"):
        find_record("cifar10", "train_000")
    assert find_record("CIFAR10").name == find_record("cifar10").name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"checksum": "md5:123"}, "`checksum` must be 'md5:' or 'sha256:'"),
        ({"addresses": ("ftp://example.org/x",)}, "`addresses` must be addresses that begin with http"),
        ({"unpack": "rar"}, "`unpack` must be one of"),
        ({"into": ""}, "`into` must be a file name"),
        ({"size": -1}, "`size` must be an integer of at least 0"),
        ({"size": 1.5}, "`size` must be an integer"),
        ({"inner": ("../x",)}, "must be a relative path"),
    ],
)
def test_a_file_of_a_record_with_a_mistake_is_refused(change, words):
    good = {"path": "a.bin", "addresses": ("https://example.org/a.bin",), "size": 3, "into": "a.bin"}
    assert RemoteFile(**good).max_bytes > 3
    with pytest.raises((ValueError, TypeError), match=re.escape(words)):
        RemoteFile(**good | change)


def test_a_catalogue_with_a_mistake_is_named(tmp_path):
    catalogue = tmp_path / "own.json"
    for text, words in (
        ("{", "cannot be used"),
        ('[{"nmae": "x"}]', "'nmae'"),
        ('[{"name": "x"}]', "an incomplete one"),
        ("[3]", "cannot be used"),
    ):
        catalogue.write_text(text)
        with pytest.raises(DataScriptError, match=words):
            all_records(catalogue)
    with pytest.raises(DataScriptError, match="cannot be used"):
        all_records(tmp_path / "missing.json")


def test_a_published_list_is_read_as_md5sum_writes_it():
    digest = "0123456789abcdef" * 2
    for line in (f"{digest}  images_000.tar", f"{digest} *images_000.tar\n", f"x\n{digest.upper()}  ./train/images_000.tar\n"):
        assert published_md5(line, "images_000.tar") == f"md5:{digest}"
    with pytest.raises(WrongChecksum, match=r"does not name images_001.tar"):
        published_md5(f"{digest}  images_000.tar", "images_001.tar")


def test_the_list_shows_every_set_its_state_and_the_dead_address(desk, capsys):
    desk.serve(*small_sets.cub())
    assert desk.run("get", "cub_200_2011") == 0
    (desk.root / "archives" / "cifar10").mkdir(parents=True)
    capsys.readouterr()
    assert cli.main(["list", "--root", str(desk.root)]) == 0
    rows = {
        line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line and line.split()[0].rstrip(":") in RECORDS
    }
    assert set(RECORDS) <= set(rows)
    assert re.search(r"cub_200_2011 +1.15 GB +complete +11_mining", rows["cub_200_2011"])
    assert re.search(r"cifar10 +170 MB +begun", rows["cifar10"])
    assert re.search(r"revisited_oxford +~1.94 GB +- ", rows["revisited_oxford"])
    assert "address dead" in rows["cars_196"] and "HTTP 404" in rows["cars_196:"]


def test_the_list_of_one_set_shows_licence_citation_size_and_sums(capsys):
    assert cli.main(["list", "cifar10"]) == 0
    text = capsys.readouterr().out
    for words in (
        "170,498,071 bytes",
        "No licence is stated",
        "A. Krizhevsky",
        "c58f30108f718f92721af3b95e74349a",
        "cs.toronto.edu",
    ):
        assert words in text
    assert cli.main(["list", "google_landmarks_v2"]) == 0
    assert "MD5 published beside the file" in capsys.readouterr().out


def test_the_dead_address_of_cars_196_is_explained_and_nothing_is_made(desk, capsys):
    desk.serve(*small_sets.cub())
    assert desk.run("get", "cars_196") == 1
    assert "The original address is dead" in capsys.readouterr().err
    assert not desk.root.exists()


def test_size_and_licence_are_shown_before_anything_is_asked_or_fetched(desk, capsys, monkeypatch):
    record, contents = small_sets.cub()
    desk.serve(record, contents)
    arguments = [word for word in desk.arguments("get", record.name) if word != "--yes"]
    questions = []

    def answer(question):
        questions.append((question, capsys.readouterr().out))
        return "n"

    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", answer)
    assert cli.main(arguments) == 1
    [(question, shown)] = questions
    assert "Fetch it?" in question and f"{record.size:,} bytes" in shown and record.licence in shown and record.citation in shown
    assert "Nothing was fetched" in capsys.readouterr().err
    assert desk.server.log == [] and not desk.root.exists()
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert cli.main(arguments) == 0


def test_without_a_terminal_and_without_yes_nothing_is_fetched(desk):
    record, contents = small_sets.cub()
    desk.serve(record, contents)
    arguments = [word for word in desk.arguments("get", record.name) if word != "--yes"]
    result = subprocess.run(
        [sys.executable, "-m", "data_scripts", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode == 1
    assert "add --yes" in result.stderr and record.licence in result.stdout
    assert desk.server.log == [] and not desk.root.exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--mirror", "file:///srv"), "does not begin with http"),
        (("--attempts", "0"), "invalid number above 0 value: '0'"),
        (("--stall-timeout", "-1"), "expected one argument|invalid number above 0"),
        (("--retry-wait", "nan"), "invalid number above 0 value: 'nan'"),
    ],
)
def test_an_option_without_sense_is_wrong_usage(capsys, option, words):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["get", "mnist", *option])
    assert stopped.value.code == 2
    assert re.search(words, capsys.readouterr().err)


def test_verify_of_a_set_that_was_not_fetched_says_how_to_fetch_it(desk, capsys):
    desk.serve(*small_sets.cub())
    assert desk.run("verify", "cub_200_2011") == 1
    assert "Fetch it with: python -m data_scripts get cub_200_2011" in capsys.readouterr().err


def test_an_own_data_set_of_a_teacher_can_be_fetched_from_its_own_address(desk):
    content = small_sets.zip_of({"day/a.jpg": small_sets.picture(1)})
    file = replace(
        small_sets.victim(content, "zip").files[0], path="our_town.zip", addresses=(f"{desk.server.address}/x/town.zip",)
    )
    desk.serve(replace(small_sets.victim(content, "zip"), name="our_town", files=(file,), expects=("day",)), {})
    desk.server.files["/x/town.zip"] = content
    assert desk.run("get", "our-town", mirror=False) == 0
    assert (desk.root / "our_town" / "day" / "a.jpg").read_bytes() == small_sets.picture(1)


def test_the_package_never_imports_the_scripts():
    importing = [
        path
        for path in (REPOSITORY / "course_utils").rglob("*.py")
        if re.search(r"^\s*(from|import) data_scripts", path.read_text(), re.M)
    ]
    assert importing == []


def test_listing_needs_no_torch():
    code = "import sys; from data_scripts.cli import main; main(['list']); sys.exit(int('torch' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True).returncode == 0
