"""Small data sets in the real layouts, made from generated pictures, with records that differ from the real ones only in sizes and sums."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
import zipfile
from dataclasses import replace

import numpy as np
from PIL import Image

from data_scripts.catalogue import all_records
from data_scripts.google_landmarks import part_record
from data_scripts.records import Record, RemoteFile

GLD_IDS = ("0123456789abcdef", "01fedcba98765432", "a0b1c2d3e4f50617")
GLD_ELSEWHERE = ("ffff000011112222", "eeee000011112222")
OXFORD_NAMES = ("all_souls_000013", "radcliffe_camera_000519", "oxford_001115", "magdalen_000078")


def picture(seed: int, size: int = 16) -> bytes:
    """Return a JPEG of random blocks."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.kron(blocks, np.ones((size // 4, size // 4, 1), np.uint8))).save(file, "JPEG")
    return file.getvalue()


def tar_of(files: dict[str, bytes], compress: bool = True) -> bytes:
    """Return a tar archive (``.tgz`` by default) with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0) if compress else buffer.getvalue()


def zip_of(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def with_facts(record: Record, contents: dict[str, bytes], checksum: bool = True) -> Record:
    """Return the record with sizes, and check sums where it has some, of these small files."""

    def changed(file: RemoteFile) -> RemoteFile:
        content = contents[file.path]
        published = f"md5:{hashlib.md5(content).hexdigest()}" if file.checksum and checksum else None
        return replace(file, size=len(content), exact=True, checksum=published, unpacked=0 if file.unpack == "copy" else 2**20)

    return replace(record, files=tuple(changed(file) for file in record.files))


def victim(content: bytes, unpack: str = "tar", **rest: object) -> Record:
    """Return a record of one archive, honest about its sum, for attacks that begin after the check sum."""
    file = RemoteFile(
        path=f"victim.{unpack}",
        addresses=(),
        size=len(content),
        checksum=f"sha256:{hashlib.sha256(content).hexdigest()}",
        unpack=unpack,
        **{"into": "out" if unpack in ("copy", "gzip") else "", "unpacked": 2**20, "members": 10, **rest},
    )
    return Record(name="victim", title="Victim", home_page="https://example.org", licence="none", citation="none", used_for="tests",
                  files=(file,))  # fmt: skip


def cub() -> tuple[Record, dict[str, bytes]]:
    """CUB-200-2011: two species with two birds each."""
    names = [
        f"{c:03d}.{n}/{n}_{i:04d}_{c}{i}.jpg" for c, n in ((1, "Black_footed_Albatross"), (2, "Laysan_Albatross")) for i in (1, 2)
    ]
    lines = {
        "images.txt": [f"{i} {name}" for i, name in enumerate(names, 1)],
        "image_class_labels.txt": [f"{i} {name[:3].lstrip('0')}" for i, name in enumerate(names, 1)],
        "train_test_split.txt": [f"{i} {i % 2}" for i in range(1, 5)],
        "classes.txt": ["1 001.Black_footed_Albatross", "2 002.Laysan_Albatross"],
        "bounding_boxes.txt": [f"{i} 1.0 2.0 10.0 9.0" for i in range(1, 5)],
    }
    files = {f"CUB_200_2011/{name}": ("\n".join(text) + "\n").encode() for name, text in lines.items()}
    files |= {f"CUB_200_2011/images/{name}": picture(i) for i, name in enumerate(names)}
    contents = {"CUB_200_2011.tgz": tar_of(files | {"attributes.txt": b"1 has_bill_shape::curved\n"})}
    return with_facts(all_records()["cub_200_2011"], contents), contents


def cifar_batch(seed: int, n: int = 4) -> dict:
    rng = np.random.default_rng(seed)
    return {
        "batch_label": f"batch {seed}",
        "labels": rng.integers(0, 10, n).tolist(),
        "data": rng.integers(0, 256, (n, 3072), dtype=np.uint8),
        "filenames": [f"picture_{seed}_{i}.png" for i in range(n)],
    }


def cifar10(evil: object = None) -> tuple[Record, dict[str, bytes]]:
    """CIFAR-10's own format: five batches, a test batch and the names, as pickles in one archive."""
    batches = {f"data_batch_{i}": cifar_batch(i) for i in range(1, 6)} | {"test_batch": cifar_batch(6)}
    batches["batches.meta"] = {"label_names": [f"class {i}" for i in range(10)], "num_cases_per_batch": 4, "num_vis": 3072}
    if evil is not None:
        batches["data_batch_3"]["labels"] = evil
    files = {f"cifar-10-batches-py/{name}": pickle.dumps(batch, protocol=2) for name, batch in batches.items()}
    contents = {"cifar-10-python.tar.gz": tar_of(files | {"cifar-10-batches-py/readme.html": b"<html></html>"})}
    return with_facts(all_records()["cifar10"], contents), contents


def oxford_truth() -> dict:
    truth = {"bbx": [1.0, 2.0, 12.0, 13.0], "easy": np.array([0, 1]), "hard": np.array([2]), "junk": np.array([], dtype=np.int64)}
    return {"imlist": list(OXFORD_NAMES), "qimlist": list(OXFORD_NAMES[:1]), "gnd": [truth]}


def oxford(truth: object = None) -> tuple[Record, dict[str, bytes]]:
    """Revisited Oxford: a flat archive of photographs, and the ground truth as a pickle. Nobody publishes check sums."""
    contents = {
        "oxbuild_images-v1.tgz": tar_of({f"{name}.jpg": picture(i) for i, name in enumerate(OXFORD_NAMES)}),
        "gnd_roxford5k.pkl": pickle.dumps(oxford_truth() if truth is None else truth, protocol=2),
    }
    return all_records()["revisited_oxford"], contents


def google_landmarks() -> tuple[Record, dict[str, bytes]]:
    """One part of Google Landmarks v2, with tables that also name images of other parts. The record is the real one."""
    images = tar_of({f"{'/'.join(i[:3])}/{i}.jpg": picture(n) for n, i in enumerate(GLD_IDS)}, compress=False)
    everywhere = [*GLD_IDS, *GLD_ELSEWHERE]
    landmark = dict(zip(everywhere, (7, 7, 9, 9, 11)))
    categories = "".join(f"{number},http://commons.wikimedia.org/wiki/Category:L{number}\n" for number in (7, 9, 11))
    hierarchy = "".join(f"{number},L{number},church,church / gothic,human-made\n" for number in (7, 9, 11))
    attribution = "".join(f'{i},http://example.org/{i},"Kim, A.",CC BY 4.0,"A ""big"" gate"\n' for i in everywhere)
    tables = {
        "metadata/train.csv": "id,url,landmark_id\n"
        + "".join(f"{i},http://example.org/{i}.jpg,{landmark[i]}\n" for i in everywhere),
        "metadata/train_clean.csv": f"landmark_id,images\n7,{GLD_IDS[0]} {GLD_IDS[1]}\n9,{GLD_IDS[2]} {GLD_ELSEWHERE[0]}\n11,{GLD_ELSEWHERE[1]}\n",
        "metadata/train_attribution.csv": "id,url,author,license,title\n" + attribution,
        "metadata/train_label_to_category.csv": "landmark_id,category\n" + categories,
        "metadata/train_label_to_hierarchical.csv": "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
        + hierarchy,
    }
    contents = {path: text.encode() for path, text in tables.items()}
    contents["train/images_000.tar"] = images
    contents["md5sum/train/md5.images_000.txt"] = f"{hashlib.md5(images).hexdigest()}  images_000.tar\n".encode()
    return part_record("train_000"), contents


def mnist() -> tuple[Record, dict[str, bytes]]:
    """MNIST's own format: four compressed files of bytes behind a short header."""
    rng, contents = np.random.default_rng(0), {}
    for split, n in (("train", 6), ("t10k", 3)):
        images, labels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)
        header = b"".join(number.to_bytes(4, "big") for number in (0x803, n, 28, 28))
        contents[f"{split}-images-idx3-ubyte.gz"] = gzip.compress(header + images.tobytes())
        contents[f"{split}-labels-idx1-ubyte.gz"] = gzip.compress(
            (0x801).to_bytes(4, "big") + n.to_bytes(4, "big") + labels.tobytes()
        )
    return with_facts(all_records()["mnist"], contents), contents


def breastmnist(images: np.ndarray | None = None) -> tuple[Record, dict[str, bytes]]:
    """A MedMNIST file: arrays in one ``.npz``."""
    file = io.BytesIO()
    np.savez_compressed(
        file, train_images=np.zeros((3, 28, 28), np.uint8) if images is None else images, train_labels=np.zeros((3, 1))
    )
    contents = {"breastmnist.npz": file.getvalue()}
    return with_facts(all_records()["breastmnist"], contents), contents


def caltech101(inner_zeros: int = 0) -> tuple[Record, dict[str, bytes]]:
    """Caltech 101: a zip archive with two tar archives inside, and the usual rubbish of a Mac."""
    objects = tar_of({f"101_ObjectCategories/{name}/image_0001.jpg": picture(i) for i, name in enumerate(("ant", "BACKGROUND_Google"))}
                     | ({"101_ObjectCategories/zeros": bytes(inner_zeros)} if inner_zeros else {}))  # fmt: skip
    annotations = tar_of({"Annotations/ant/annotation_0001.mat": b"MATLAB 5.0"}, compress=False)
    files = {
        "caltech-101/101_ObjectCategories.tar.gz": objects,
        "caltech-101/Annotations.tar": annotations,
        "caltech-101/show_annotation.m": b"% shows it",
        "__MACOSX/caltech-101/._101_ObjectCategories.tar.gz": b"\0",
    }
    contents = {"caltech-101.zip": zip_of(files)}
    return with_facts(all_records()["caltech101"], contents), contents
