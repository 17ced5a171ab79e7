"""Archives from strangers: nothing is written outside the folder, nothing grows without end.

A data set needs regular files and folders. Everything else that tar and zip can hold (links, devices, pipes, sparse
files, encrypted members) is refused, and so is every name that is absolute, climbs with ``..``, differs from another
one only in case, or means something else on another system. Files are created anew inside a fresh folder and never
overwritten. Owners, permissions and times of the archive are not used.

Sizes are counted while the bytes come out. What an archive says about itself is compared with the limits first, so a
member that claims too much is refused before it is written, but it is the counter that is trusted. Three limits hold
for an archive together with the archives inside it: bytes, members, and the ratio of bytes out to bytes in.

On any refusal the caller removes the whole folder.
"""

from __future__ import annotations

import errno
import gzip
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from data_scripts.download import FULL_DISK
from data_scripts.errors import NoSpace, UnsafeArchive
from data_scripts.records import RemoteFile, readable_size

MAX_RATIO = 50
"""Bytes out for each byte in. Pictures and their labels stay below 10; the best bombs exceed 1000."""
RATIO_FLOOR = 2**20
"""The ratio is not looked at below this many bytes: a small text may well be one hundredth of its size."""
CHUNK = 2**20
MAX_NAME = 200
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError,
          ValueError, LookupError, ArithmeticError, RecursionError)  # fmt: skip
"""What the readers of the standard library raise on archives that are cut short, damaged or made to confuse them."""
COLLISIONS = (FileExistsError, NotADirectoryError, IsADirectoryError)


@dataclass
class Meter:
    """Counts what comes out of one archive and stops at the limits.

    Attributes
    ----------
    name : str
        Of the archive, for messages.
    bytes_in : int
        Its size on disk.
    max_bytes, max_members : int
    """

    name: str
    bytes_in: int
    max_bytes: int
    max_members: int
    bytes_out: int = 0
    members: int = 0
    seen: set[str] = field(default_factory=set)

    def announce(self, member: str, size: int) -> None:
        """Count a member that claims to have ``size`` bytes."""
        self.members += 1
        if self.members > self.max_members:
            raise UnsafeArchive(f"{self.name} holds more than {self.max_members} files. Stopped.")
        if size < 0 or self.bytes_out + size > self.max_bytes:
            raise UnsafeArchive(
                f"{self.name}: {member} claims {size} bytes; the limit is {readable_size(self.max_bytes)} in all."
            )

    def add(self, n_bytes: int) -> None:
        """Count bytes that came out."""
        self.bytes_out += n_bytes
        if self.bytes_out > self.max_bytes:
            raise UnsafeArchive(f"{self.name} unpacks to more than {readable_size(self.max_bytes)}. Stopped.")
        if self.bytes_out > max(RATIO_FLOOR, MAX_RATIO * self.bytes_in):
            raise UnsafeArchive(f"{self.name} grows to more than {MAX_RATIO} times its size: a zip bomb. Stopped.")


def unpack(archive: Path, file: RemoteFile, folder: Path) -> None:
    """Unpack a fetched file into the folder of the set, as its record says.

    Parameters
    ----------
    archive : Path
        Its check sum has been compared already.
    file : RemoteFile
    folder : Path
        The work folder of the set.

    Raises
    ------
    UnsafeArchive
        If the archive breaks a rule, or is damaged.
    NoSpace
        If the disk is full.
    """
    meter = Meter(file.path, archive.stat().st_size, file.max_bytes, file.max_members)
    target = folder / file.into
    try:
        if file.unpack in ("copy", "gzip"):
            with archive.open("rb") if file.unpack == "copy" else gzip.open(archive) as source:
                _save(source, target, meter)
        else:
            _unpack_members(archive, file.unpack, target, meter, file.flatten)
        for name in file.inner:
            inside = target / name
            if not inside.is_file():
                raise UnsafeArchive(f"{file.path} does not hold {name}.")
            _unpack_members(inside, "zip" if name.endswith(".zip") else "tar", target, meter, flatten=False)
            inside.unlink()
    except BROKEN as error:
        raise UnsafeArchive(f"{file.path} is damaged or cut short ({error or type(error).__name__}).") from error
    except COLLISIONS as error:
        name = Path(error.filename).relative_to(folder)
        raise UnsafeArchive(f"{file.path} brings {name} although something of that name is there already.") from error
    except OSError as error:
        if error.errno in FULL_DISK:
            raise NoSpace(f"The disk is full ({folder}). Make room and run the same command again.") from error
        if error.errno == errno.EINVAL:  # a directory that points before the beginning of the archive
            raise UnsafeArchive(f"{file.path} is damaged or cut short ({error}).") from error
        raise


def _unpack_members(archive: Path, kind: str, target: Path, meter: Meter, flatten: bool) -> None:
    target.mkdir(parents=True, exist_ok=True)
    members = _zip_members(archive, meter) if kind == "zip" else _tar_members(archive, meter)
    for name, source in members:
        path = Path(safe_name(name, meter.name)) if name.strip("/") not in ("", ".") else None
        if path is None or (source is None and flatten):
            continue
        if flatten:
            path = Path(path.name)
        _refuse_doubles(path, source is None, meter, str(target))
        if source is None:
            (target / path).mkdir(parents=True, exist_ok=True)
        else:
            _save(source, target / path, meter)


def _tar_members(archive: Path, meter: Meter):
    """Yield (name, stream or None for a folder) of each member, refusing what is neither file nor folder."""
    with archive.open("rb") as raw, _opened(raw) as stream:
        cautious = _Cautious(stream, meter)
        tar = tarfile.open(fileobj=cautious, mode="r:")
        for member in tar:
            kind = _kind(member)
            if kind:
                raise UnsafeArchive(f"{meter.name}: {member.name!r} is {kind}, which no data set needs.")
            meter.announce(member.name, member.size)
            safe_name(member.name, meter.name)
            if hasattr(tarfile, "data_filter"):  # the standard library's own opinion, from Python 3.11.4 on
                try:
                    tarfile.data_filter(member, str(archive.parent))
                except tarfile.FilterError as error:
                    raise UnsafeArchive(f"{meter.name}: {error}") from error
            yield member.name, None if member.isdir() else tar.extractfile(member)
        if not cautious.last or cautious.last.strip(b"\0"):
            raise UnsafeArchive(f"{meter.name} is damaged or cut short (no end mark).")


def _kind(member: tarfile.TarInfo) -> str:
    """Return what a member is in words, if it is neither a plain file nor a folder."""
    if member.issym():
        return "a symbolic link"
    if member.islnk():
        return "a hard link"
    if member.ischr() or member.isblk():
        return "a device file"
    if member.isfifo():
        return "a pipe"
    if member.issparse():
        return "a sparse file"
    return "" if member.isreg() or member.isdir() else "of an unknown kind"


def _zip_members(archive: Path, meter: Meter):
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        for info in infos:  # everything is looked at before the first byte is written
            kind = stat.S_IFMT(info.external_attr >> 16)
            if stat.S_ISLNK(kind):
                raise UnsafeArchive(f"{meter.name}: {info.filename!r} is a symbolic link, which no data set needs.")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UnsafeArchive(f"{meter.name}: {info.filename!r} is a device file, which no data set needs.")
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnsafeArchive(f"{meter.name}: {info.filename!r} is encrypted or packed in an unusual way.")
            safe_name(info.orig_filename, meter.name)
        if meter.bytes_out + sum(info.file_size for info in infos) > meter.max_bytes:
            raise UnsafeArchive(f"{meter.name} claims to unpack to more than {readable_size(meter.max_bytes)}. Not unpacked.")
        for info in infos:
            meter.announce(info.filename, info.file_size)
            if info.is_dir():
                yield info.filename, None
            else:
                with opened.open(info) as source:
                    yield info.filename, source


def safe_name(name: str, archive: str) -> str:
    """Return the name of a member if it is harmless on every system.

    Raises
    ------
    UnsafeArchive
        If it is absolute, climbs, is too long, or has characters that mean something elsewhere.
    """
    if name.startswith(("/", "\\")) or (len(name) > 1 and name[1] == ":"):
        raise UnsafeArchive(f"{archive}: {name!r} is an absolute path. Nothing of the archive is used.")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or ".." in name.replace("\\", "/").split("/"):
        raise UnsafeArchive(f"{archive}: {name!r} leads out of the folder. Nothing of the archive is used.")
    if any(character in '\\:*?"<>|' or unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise UnsafeArchive(f"{archive}: {name!r} has characters that are not allowed in file names everywhere.")
    if len(name.encode()) > 4 * MAX_NAME or any(len(part.encode()) > MAX_NAME for part in parts):
        raise UnsafeArchive(f"{archive}: the name {name[:40]!r}... is too long.")
    return "/".join(parts)


def _refuse_doubles(path: Path, is_folder: bool, meter: Meter, target: str) -> None:
    """Refuse a second file of the same name, where upper and lower case count as the same."""
    key = unicodedata.normalize("NFC", f"{target}/{path.as_posix()}").casefold()
    if not is_folder and key in meter.seen:
        raise UnsafeArchive(f"{meter.name} holds {str(path)!r} twice, perhaps in upper and lower case.")
    if not is_folder:
        meter.seen.add(key)


def _save(source: IO[bytes], path: Path, meter: Meter) -> None:
    """Write a stream to a new file, counting."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        while block := source.read(CHUNK):
            meter.add(len(block))
            file.write(block)


def _opened(raw: IO[bytes]) -> IO[bytes]:
    """Return the stream of a tar file, decompressed if it begins like gzip."""
    magic = raw.read(2)
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if magic == b"\x1f\x8b" else raw


class _Cautious:
    """A stream that refuses to be read in huge bites or far beyond the limits.

    ``tarfile`` reads an extended header as a whole into memory, whatever size the archive claims for it.
    """

    def __init__(self, stream: IO[bytes], meter: Meter) -> None:
        self.stream, self.meter, self.last = stream, meter, b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 2 * CHUNK:
            raise UnsafeArchive(f"{self.meter.name} has a header of {size} bytes. Nothing of the archive is used.")
        self.last = self.stream.read(size)
        return self.last

    def seek(self, position: int) -> int:
        if position > self.meter.max_bytes + 2048 * self.meter.max_members:
            raise UnsafeArchive(f"{self.meter.name} unpacks to more than {readable_size(self.meter.max_bytes)}. Stopped.")
        return self.stream.seek(position)

    def tell(self) -> int:
        return self.stream.tell()
