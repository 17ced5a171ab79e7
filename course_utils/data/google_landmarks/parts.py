"""Archives and their check sums: a split comes as ``images_000.tar``, ``images_001.tar``, ..., each with an MD5 file.

The check sum of ``train/images_000.tar`` is the first word of ``md5sum/train/md5.images_000.txt``. MD5 notices a download
that was cut short or damaged; against a forger it is no protection, because MD5 can be forged.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from course_utils.checks import checked_choice, message

BLOCK = 2**20


@dataclass(frozen=True)
class PartCheck:
    """One archive: its name, its bytes, the check sum that was promised and the one that was found."""

    name: str
    n_bytes: int
    promised: str
    found: str

    @property
    def complete(self) -> bool:
        """Return whether the archive is the one that was published."""
        return self.promised == self.found


def check_parts(root: str | Path, split: str = "train") -> list[PartCheck]:
    """Compare every archive of a split that is on disk with its MD5 file, in order.

    Parameters
    ----------
    root : str or Path
        Folder with ``train/images_000.tar`` and ``md5sum/train/md5.images_000.txt``.
    split : {"train", "index", "test"}, default "train"

    Raises
    ------
    FileNotFoundError
        If no archive is there, or one has no MD5 file.
    ValueError
        If an MD5 file does not begin with a check sum.
    """
    root, split = Path(root), checked_choice(split, "split", ("train", "index", "test"))
    archives = sorted((root / split).glob("images_[0-9][0-9][0-9].tar"))
    if not archives:
        raise FileNotFoundError(message("root", f"a folder with {split}/images_000.tar or others", "none"))
    return [PartCheck(path.name, path.stat().st_size, _promised(root, split, path.stem), md5_of(path)) for path in archives]


def md5_of(path: Path) -> str:
    """Return the MD5 check sum of a file, 32 hexadecimal digits."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def md5_path(root: Path, split: str, archive: str) -> Path:
    """Return the MD5 file of the archive ``images_000`` of a split."""
    return root / "md5sum" / split / f"md5.{archive}.txt"


def _promised(root: Path, split: str, archive: str) -> str:
    path = md5_path(root, split, archive)
    if not path.is_file():
        raise FileNotFoundError(message("root", f"a folder with md5sum/{split}/{path.name}", "none"))
    words = path.read_text(encoding="ascii", errors="replace").split()
    if not words or not re.fullmatch(r"[0-9a-f]{32}", words[0]):
        raise ValueError(message(path.name, "a file that begins with 32 hexadecimal digits", repr(" ".join(words[:1]))))
    return words[0]
