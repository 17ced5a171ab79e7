"""What is known about a data set, as plain data that can also be read from a JSON file.

A ``Record`` describes the set for people (home page, licence, citation, chapters) and for the scripts (files, limits,
expected layout). It is checked when it is made, so a typing error in a catalogue is found before any download.

Two facts are never invented. A check sum is either published by somebody who has the data, and then the record says
by whom, or it is absent. A size is ``exact`` only if somebody states it in bytes together with a check sum, or two
sources agree; an approximate one serves for the announcement and for the disk-space check, and never refuses a file
that is a little larger.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Any

from course_utils.checks import checked_choice, checked_int, message
from course_utils.data.real_data_folder import checked_name

UNPACKERS = ("copy", "gzip", "tar", "zip")
CHECKSUM = r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}"
SLACK_BYTES = 16 * 2**20
SLACK_FILES = 1000


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set, as it lies on a server.

    Attributes
    ----------
    path : str
        Name inside the set, with ``/``. A mirror serves it as ``MIRROR/NAME/path``; put by hand, it carries this name.
    addresses : tuple of str
        Where it can be fetched, tried in this order.
    size : int
        Bytes.
    exact : bool, default True
        False marks a size that is only approximately known.
    checksum : str, optional
        ``"md5:..."`` or ``"sha256:..."``. None means that nobody publishes one.
    checksum_path : str, optional
        Path on the same server of a small text file that publishes the MD5 sum.
    checksum_source : str
        Who publishes the check sum.
    unpack : {"copy", "gzip", "tar", "zip"}
        What to do with the file. ``"tar"`` includes ``.tgz``.
    into : str
        Target inside the finished set: a folder for archives, a file name for ``copy`` and ``gzip``.
    flatten : bool
        Keep only the last part of each member's name.
    inner : tuple of str
        Archives inside the archive that are unpacked too, and then dropped: paths relative to ``into``.
    unpacked, members : int
        About how many bytes and files come out; twice as much (and a little) is the limit. Default: as the file.
    keep : bool
        Keep the fetched file after the set is complete, because another part needs it again.
    """

    path: str
    addresses: tuple[str, ...]
    size: int
    exact: bool = True
    checksum: str | None = None
    checksum_path: str | None = None
    checksum_source: str = ""
    unpack: str = "copy"
    into: str = ""
    flatten: bool = False
    inner: tuple[str, ...] = ()
    unpacked: int = 0
    members: int = 1
    keep: bool = False

    def __post_init__(self) -> None:
        for name in ("addresses", "inner"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        checked_path(self.path, "path")
        for path in (self.checksum_path, self.into or None, *self.inner):
            if path is not None:
                checked_path(path, "a path of " + self.path)
        checked_int(self.size, "size", low=0)
        checked_choice(self.unpack, "unpack", UNPACKERS)
        if self.checksum is not None and not re.fullmatch(CHECKSUM, self.checksum):
            raise ValueError(message("checksum", "'md5:' or 'sha256:' and hexadecimal digits", repr(self.checksum)))
        for address in self.addresses:
            if not re.match(r"https?://", address):
                raise ValueError(message("addresses", "addresses that begin with http:// or https://", repr(address)))
        if self.unpack in ("copy", "gzip") and not self.into:
            raise ValueError(message("into", f"a file name where `unpack` is {self.unpack!r}", repr(self.into)))

    @property
    def bytes_unpacked(self) -> int:
        """About how many bytes come out."""
        return self.unpacked or self.size

    @property
    def max_bytes(self) -> int:
        """Unpacking stops here."""
        return 2 * self.bytes_unpacked + SLACK_BYTES

    @property
    def max_members(self) -> int:
        """Unpacking stops here, too."""
        return 2 * self.members + SLACK_FILES

    @property
    def how_checked(self) -> str:
        """How the file is checked, in words."""
        if self.checksum:
            algorithm, _, digest = self.checksum.partition(":")
            source = f", published by {self.checksum_source}" if self.checksum_source else ""
            return f"{algorithm.upper()} {digest}{source}"
        if self.checksum_path:
            return f"MD5 published beside the file ({self.checksum_path})"
        return "no published checksum; compared with the SHA-256 of the first time"


@dataclass(frozen=True)
class Record:
    """One data set, or one part of one.

    Attributes
    ----------
    name, part : str
        Name of the set; ``part`` is empty for a set without parts.
    title, home_page, licence, citation, note : str
        For people.
    used_for : str
        The chapters that can use it.
    reader : str
        How it is read afterwards: a torchvision loader with the folder as its root, or a reader of the course.
    files : tuple of RemoteFile
    expects : tuple of str
        Paths that the finished set must have.
    pickles : tuple of str
        Patterns of the files that are pickles: each must pass the restricted unpickler.
    arrays : tuple of str
        Patterns of the ``.npz`` files: each must load with ``allow_pickle=False``.
    finish : str
        Name of a last step (see ``contents.FINISHERS``), or empty.
    redirect_hosts : tuple of str
        Other hosts to which the servers are known to send on.
    """

    name: str
    title: str
    home_page: str
    licence: str
    citation: str
    used_for: str
    files: tuple[RemoteFile, ...]
    part: str = ""
    note: str = ""
    reader: str = ""
    expects: tuple[str, ...] = ()
    pickles: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    finish: str = ""
    redirect_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("files", "expects", "pickles", "arrays", "redirect_hosts"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        checked_name(self.name, "name")
        if self.part:
            checked_name(self.part, "part")
        for path in self.expects:
            checked_path(path, "expects")

    @property
    def label(self) -> str:
        """Name for messages: ``cifar10`` or ``google_landmarks_v2 train_000``."""
        return f"{self.name} {self.part}".strip()

    @property
    def size(self) -> int:
        """Bytes to download; a file that is used twice is fetched once."""
        return sum({file.path: file.size for file in self.files}.values())

    @property
    def unpacked(self) -> int:
        """Bytes of the finished set, about."""
        return sum(file.bytes_unpacked for file in self.files)

    @property
    def exact(self) -> bool:
        """Whether the size of every file is exactly known."""
        return all(file.exact for file in self.files)


def record_from_mapping(content: Mapping[str, Any]) -> Record:
    """Make a record from the content of a JSON file (the form of ``dataclasses.asdict``).

    Raises
    ------
    ValueError
        If a key is unknown or missing, or a value is not acceptable; the message names it.
    """
    files = tuple(_made(RemoteFile, file) for file in content.get("files", ()))
    return _made(Record, {**content, "files": files})


def _made(kind: type, content: Mapping[str, Any]) -> Any:
    known = {field.name for field in fields(kind)}
    if unknown := sorted(set(content) - known):
        raise ValueError(message("catalogue", f"a {kind.__name__} with known keys", f"the key {unknown[0]!r}"))
    try:
        return kind(**content)
    except TypeError as error:
        raise ValueError(message("catalogue", f"a complete {kind.__name__}", f"an incomplete one ({error})")) from error


def checked_path(path: str, argument: str) -> str:
    """Return ``path`` if it is relative, stays where it is, and uses ``/``."""
    parts = PurePosixPath(path).parts if isinstance(path, str) else ()
    if not parts or path.startswith("/") or "\\" in path or ":" in path or ".." in parts:
        raise ValueError(message(argument, "a relative path with '/' and without '..'", repr(path)))
    return path


def readable_size(n_bytes: int) -> str:
    """Return a number of bytes as people read it.

    >>> readable_size(170_498_071), readable_size(4542)
    ('170 MB', '4.54 kB')
    """
    value, units = float(n_bytes), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}"
