"""Are these the right bytes? Published check sums, and the second best where nobody publishes one.

A published sum is compared before a file is opened for anything else. Where there is none, the SHA-256 of the first
successful download is written down in ``NAME.first_seen.sha256`` beside the data, in the format of ``sha256sum``, and
later downloads must agree with it. That is trust on first use: it notices a file that changes later, and cannot tell
whether the first one was right. Every message says which of the two it was.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from data_scripts.errors import WrongChecksum

DIGEST_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the hexadecimal digest of a file; ``algorithm`` is ``"md5"`` or ``"sha256"``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def check_published(path: Path, checksum: str, name: str) -> None:
    """Compare a file with a published sum (``"md5:..."`` or ``"sha256:..."``).

    Raises
    ------
    WrongChecksum
        If they differ. If the file looks like a web page, the message says so: a login or error page was sent.
    """
    algorithm, _, wanted = checksum.partition(":")
    found = digest(path, algorithm)
    if found != wanted:
        page = " It looks like a web page: the server sent a page and not the file." if _is_web_page(path) else ""
        raise WrongChecksum(f"{name} has the {algorithm.upper()} {found}; published is {wanted}.{page}")


def published_md5(text: str, file_name: str) -> str:
    """Return the sum that a ``md5sum`` file publishes for ``file_name``, as ``"md5:..."``.

    Raises
    ------
    WrongChecksum
        If the text does not name the file.
    """
    for line in text.splitlines():
        found = re.fullmatch(r"([0-9a-fA-F]{32})\s+\*?(\S+)\s*", line)
        if found and found[2].rsplit("/", 1)[-1] == file_name:
            return "md5:" + found[1].lower()
    raise WrongChecksum(f"The published list of check sums does not name {file_name}.")


class FirstSeen:
    """The SHA-256 sums of the first download of a set, kept in one file beside the data.

    Parameters
    ----------
    path : Path
        The file; it appears when the first sum is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, str]:
        """Return file name -> SHA-256."""
        if not self.path.exists():
            return {}
        lines = (DIGEST_LINE.fullmatch(line) for line in self.path.read_text(encoding="utf-8").splitlines())
        return {line[2]: line[1] for line in lines if line}

    def check(self, path: Path, name: str) -> str:
        """Return the SHA-256 of ``path`` if it is new or equal to the first one.

        Raises
        ------
        WrongChecksum
            If another sum was seen the first time.
        """
        found, first = digest(path), self.read().get(name)
        if first is not None and found != first:
            raise WrongChecksum(
                f"{name} has the SHA-256 {found}; the first time it was {first}. Nobody publishes a check sum for it, "
                f"so only you can decide: if the new file is right, delete {self.path} and run the same command again."
            )
        return found

    def keep(self, sums: dict[str, str]) -> None:
        """Write the sums of a set that has become complete; earlier ones stay."""
        lines = [f"{digest}  {name}" for name, digest in sorted({**sums, **self.read()}.items())]
        if lines:
            temporary = self.path.with_name(self.path.name + ".part")
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
            temporary.replace(self.path)


def _is_web_page(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))
