"""Sets in their real layouts: fetched, found by the chapters' function, read by their own readers, verified."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import small_sets
from PIL import Image

from course_utils.data.real_data_folder import MARKER, read_completion, real_data
from course_utils.data.restricted_pickle import load_plain_pickle

LAYOUTS = ("cub", "cifar10", "oxford", "mnist", "breastmnist", "caltech101")


@pytest.fixture
def fetched(desk):
    """Return a function that serves and fetches a small set and gives its folder."""

    def fetch(layout: str):
        record, contents = getattr(small_sets, layout)()
        desk.serve(record, contents)
        part = ("--part", record.part) if record.part else ()
        assert desk.run("get", record.name, *part) == 0
        return real_data(record.name, desk.root)

    return fetch


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_fetched_set_is_found_verified_and_leaves_nothing_else(desk, fetched, layout, capsys):
    folder = fetched(layout)
    name = folder.name
    assert folder == desk.root / name
    assert desk.run("verify", name) == 0
    assert "every file is as it was" in capsys.readouterr().out
    others = [path for path in desk.left() if not path.startswith(f"{name}/")]
    assert others == ([f"{name}.first_seen.sha256"] if layout == "oxford" else [])
    listed = set(read_completion(folder).files)
    assert listed | {MARKER} == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_cub_has_its_lists_and_pictures(fetched):
    folder = fetched("cub") / "CUB_200_2011"
    names = [line.split()[1] for line in (folder / "images.txt").read_text().splitlines()]
    assert all(Image.open(folder / "images" / name).size == (16, 16) for name in names)
    assert len(names) == 4


def test_torchvision_reads_the_fetched_cifar10(fetched):
    from torchvision.datasets import CIFAR10

    folder = fetched("cifar10")

    class Small(CIFAR10):
        def _check_integrity(self):  # the sums of the real batches; ours are smaller
            return True

        def _load_meta(self):
            self.classes = load_plain_pickle(folder / self.base_folder / "batches.meta")["label_names"]

    small = Small(str(folder), train=True, download=False)
    expected = np.concatenate([small_sets.cifar_batch(i)["data"] for i in range(1, 6)]).reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(small.data.transpose(0, 3, 1, 2), expected)
    assert small.targets == [label for i in range(1, 6) for label in small_sets.cifar_batch(i)["labels"]]


def test_torchvision_reads_the_fetched_mnist(fetched):
    from torchvision.datasets import MNIST

    folder = fetched("mnist")
    assert (len(MNIST(str(folder), train=True)), len(MNIST(str(folder), train=False))) == (6, 3)


def test_torchvision_reads_the_fetched_caltech101(fetched):
    from torchvision.datasets import Caltech101

    folder = fetched("caltech101")
    assert len(Caltech101(str(folder))) == 1
    assert not list((folder / "caltech101" / "caltech-101").glob("*.tar*"))  # the archives inside are gone


def test_revisited_oxford_has_flat_images_and_readable_truth(fetched):
    folder = fetched("oxford")
    truth = load_plain_pickle(folder / "gnd_roxford5k.pkl")
    assert {path.stem for path in (folder / "jpg").iterdir()} == set(truth["imlist"])
    np.testing.assert_array_equal(truth["gnd"][0]["easy"], [0, 1])


def test_a_file_without_a_published_sum_says_so_and_keeps_the_first_one(fetched, desk):
    folder = fetched("oxford")
    origin = read_completion(folder).origin
    assert all(
        text.startswith("no published checksum; compared with the SHA-256 of the first time: sha256:") for text in origin.values()
    )
    kept = (desk.root / "revisited_oxford.first_seen.sha256").read_text().split()
    assert kept[1::2] == sorted(origin)
    assert all(digest in origin[name] for digest, name in zip(kept[::2], kept[1::2]))


def test_a_part_of_google_landmarks_keeps_the_rows_of_its_images(fetched, desk):
    folder = fetched("google_landmarks")
    assert folder == desk.root / "google_landmarks_v2" / "train_000"
    assert {path.stem for path in (folder / "train").rglob("*.jpg")} == set(small_sets.GLD_IDS)
    rows = {path.name: list(csv.DictReader(path.open(newline=""))) for path in (folder / "metadata").iterdir()}
    assert [row["id"] for row in rows["train.csv"]] == list(small_sets.GLD_IDS)
    assert [row["id"] for row in rows["train_attribution.csv"]] == list(small_sets.GLD_IDS)
    assert rows["train_attribution.csv"][0]["title"] == 'A "big" gate' and rows["train_attribution.csv"][0]["author"] == "Kim, A."
    assert {row["landmark_id"]: row["images"].split() for row in rows["train_clean.csv"]} == {
        "7": list(small_sets.GLD_IDS[:2]),
        "9": [small_sets.GLD_IDS[2]],
    }
    assert {row["landmark_id"] for row in rows["train_label_to_category.csv"]} == {"7", "9"}
    assert {row["landmark_id"] for row in rows["train_label_to_hierarchical.csv"]} == {"7", "9"}


def test_the_readers_of_chapter_04_read_what_was_fetched(fetched):
    from course_utils.data import GoogleLandmarks
    from course_utils.retrieval import RevisitedGroundTruth

    part = GoogleLandmarks(fetched("google_landmarks"), "train")
    assert len(part) == 3 and part.n_missing == 0
    assert part.landmark_ids.tolist() == [7, 7, 9]
    truth = RevisitedGroundTruth.from_file(fetched("oxford") / "gnd_roxford5k.pkl")
    assert truth.images == small_sets.OXFORD_NAMES
    assert truth.hard[0].tolist() == [2]


def test_the_tables_of_google_landmarks_are_fetched_once_for_two_parts(fetched, desk, server):
    fetched("google_landmarks")
    record, contents = small_sets.google_landmarks()
    tar = contents["train/images_000.tar"]
    server.files["/google_landmarks_v2/train/images_001.tar"] = tar
    server.files["/google_landmarks_v2/md5sum/train/md5.images_001.txt"] = contents["md5sum/train/md5.images_000.txt"].replace(
        b"images_000", b"images_001"
    )
    assert desk.run("get", "google_landmarks_v2", "--part", "train_001") == 0
    asked = [request.path for request in server.log]
    assert asked.count("/google_landmarks_v2/metadata/train.csv") == 1
    assert real_data("google_landmarks_v2", desk.root, part="train_001").name == "train_001"
    assert real_data("google_landmarks_v2", desk.root, part="train_002") is None
    assert desk.run("verify", "google_landmarks_v2") == 0


def test_a_complete_set_is_not_fetched_again(fetched, desk, server, capsys):
    fetched("cub")
    before = len(server.log)
    assert desk.run("get", "cub-200-2011") == 0
    assert len(server.log) == before
    assert "is complete" in capsys.readouterr().out


def test_a_changed_byte_is_found_by_verify_and_a_missing_file_by_real_data(fetched, desk, capsys):
    folder = fetched("cub")
    text = folder / "CUB_200_2011" / "images.txt"
    content = text.read_bytes()
    text.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert real_data("cub_200_2011", desk.root) == folder  # sizes only
    assert desk.run("verify", "cub_200_2011") == 1
    assert "CUB_200_2011/images.txt has changed since" in capsys.readouterr().out
    text.unlink()
    assert real_data("cub_200_2011", desk.root) is None
    assert desk.run("verify", "cub_200_2011") == 1
    assert "images.txt is missing" in capsys.readouterr().out


def test_get_replaces_a_damaged_set_of_its_own(fetched, desk):
    folder = fetched("cub")
    (folder / "CUB_200_2011" / "images.txt").unlink()
    assert desk.run("get", "cub_200_2011") == 0
    assert real_data("cub_200_2011", desk.root) == folder
    assert not [path for path in desk.left() if not path.startswith("cub_200_2011/")]
