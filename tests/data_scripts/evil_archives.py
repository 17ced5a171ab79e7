"""Archives that nobody should unpack: each a function without arguments, with the words in which it must be refused."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable

from small_sets import tar_of, zip_of

MEGABYTE = 2**20


def tar_with(*members: tuple[str, bytes, dict], end: bool = True) -> bytes:
    """Return an uncompressed tar of (name, content, attributes of the header)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content, attributes in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in attributes.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(content) if member.isreg() else None)
        tar.fileobj.flush()
        length = tar.offset
    return buffer.getvalue() if end else buffer.getvalue()[:length]


def special(kind: bytes, target: str = "", name: str = "pictures/a.jpg") -> bytes:
    return tar_with(("ok.txt", b"ok", {}), (name, b"", {"type": kind, "linkname": target}))


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return one tar header that claims ``size`` bytes."""
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def zip_with(name: str, content: bytes = b"x", **attributes: object) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        for key, value in attributes.items():
            setattr(info, key, value)
        archive.writestr(info, content)
    return buffer.getvalue()


def zip_with_understated_size() -> bytes:
    """Return a zip whose directory says 10 bytes for a member that inflates to 64 MB."""
    content = zip_of({"a.bin": bytes(64 * MEGABYTE)})
    return content.replace(struct.pack("<L", 64 * MEGABYTE), struct.pack("<L", 10))


def zip_with_encryption_flag() -> bytes:
    content = bytearray(zip_of({"a.bin": b"secret"}))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def zip_with_flipped_byte() -> bytes:
    content = bytearray(zip_of({"a.bin": b"0123456789" * 50}, zipfile.ZIP_STORED))
    content[100] ^= 1
    return bytes(content)


def longname_chain() -> bytes:
    """Return thousands of headers that each announce a longer name for the next one."""
    return (header("././@LongLink", 8, tarfile.GNUTYPE_LONGNAME) + b"name\0".ljust(512, b"\0")) * 5000


def tar_cut_short() -> bytes:
    whole = tar_of({"a.jpg": bytes(range(256)) * 400}, compress=False)
    return gzip.compress(whole[: len(whole) // 3])


EVIL: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "tar: climbs out": (
        "tar",
        lambda: tar_of({"ok.txt": b"ok", "../evil.txt": b"evil"}),
        "'../evil.txt' leads out of the folder",
    ),
    "tar: climbs in the middle": ("tar", lambda: tar_of({"a/../../evil.txt": b"evil"}), "leads out of the folder"),
    "tar: absolute": ("tar", lambda: tar_of({"/evil_by_tar.txt": b"evil"}), "is an absolute path"),
    "tar: climbs with backslashes": ("tar", lambda: tar_of({"..\\evil.txt": b"evil"}), "leads out of the folder"),
    "tar: drive letter": ("tar", lambda: tar_of({"C:evil.txt": b"evil"}), "is an absolute path"),
    "tar: line break in a name": ("tar", lambda: tar_of({"a\nb.txt": b"evil"}), "characters that are not allowed"),
    "tar: endless name": ("tar", lambda: tar_of({"n" * 300: b"evil"}), "is too long"),
    "tar: symbolic link out": ("tar", lambda: special(tarfile.SYMTYPE, "../../../outside"), "is a symbolic link"),
    "tar: file through a symbolic link": (
        "tar",
        lambda: tar_with(("dir", b"", {"type": tarfile.SYMTYPE, "linkname": "../../.."}), ("dir/evil.txt", b"evil", {})),
        "is a symbolic link",
    ),
    "tar: hard link out": ("tar", lambda: special(tarfile.LNKTYPE, "../../../outside/secret.txt"), "is a hard link"),
    "tar: character device": ("tar", lambda: special(tarfile.CHRTYPE), "is a device file"),
    "tar: block device": ("tar", lambda: special(tarfile.BLKTYPE), "is a device file"),
    "tar: pipe": ("tar", lambda: special(tarfile.FIFOTYPE), "is a pipe"),
    "tar: sparse file": ("tar", lambda: header("a.bin", 0, tarfile.GNUTYPE_SPARSE) + bytes(2048), "is a sparse file"),
    "tar: unknown kind": ("tar", lambda: header("a.bin", 0, b"V") + bytes(2048), "is of an unknown kind"),
    "tar: size that is a lie": ("tar", lambda: header("a.jpg", 3 * MEGABYTE) + bytes(2048), "damaged or cut short"),
    "tar: size beyond the limit": ("tar", lambda: header("a.jpg", 8 * 2**30) + bytes(2048), "claims 8589934592 bytes"),
    "tar: bomb": ("tar", lambda: tar_of({"zeros.bin": bytes(16 * MEGABYTE)}), "grows to more than 50 times its size"),
    "tar: too many files": ("tar", lambda: tar_of({f"{i}.txt": b"" for i in range(1100)}), "holds more than 1020 files"),
    "tar: same name in upper case": (
        "tar",
        lambda: tar_of({"a/B.jpg": b"1", "a/b.JPG": b"2"}),
        "twice, perhaps in upper and lower case",
    ),
    "tar: same name in another Unicode form": (
        "tar",
        lambda: tar_of({"\u00e9.jpg": b"1", "e\u0301.jpg": b"2"}),
        "twice, perhaps",
    ),
    "tar: same name again": ("tar", lambda: tar_with(("a.jpg", b"1", {}), ("a.jpg", b"2", {})), "twice, perhaps"),
    "tar: file that becomes a folder": (
        "tar",
        lambda: tar_of({"a": b"1", "a/b.jpg": b"2"}),
        "although something of that name is there already",
    ),
    "tar: giant extended header": (
        "tar",
        lambda: header("x", 2**30, tarfile.XHDTYPE) + bytes(2048),
        "has a header of 1073741824 bytes",
    ),
    "tar: chain of long names": ("tar", longname_chain, "damaged or cut short"),
    "tar: cut short inside a file": ("tar", tar_cut_short, "damaged or cut short"),
    "tar: cut short between files": ("tar", lambda: tar_with(("a.jpg", b"1", {}), end=False), "no end mark"),
    "tar: not an archive": ("tar", lambda: b"<!DOCTYPE html><title>Sorry</title>" * 40, "damaged or cut short"),
    "zip: climbs out": ("zip", lambda: zip_of({"ok.txt": b"ok", "a/../../evil.txt": b"evil"}), "leads out of the folder"),
    "zip: absolute": ("zip", lambda: zip_of({"/evil_by_zip.txt": b"evil"}), "is an absolute path"),
    "zip: symbolic link": ("zip", lambda: zip_with("link", b"../../outside", external_attr=0o120777 << 16), "is a symbolic link"),
    "zip: device": ("zip", lambda: zip_with("dev", external_attr=0o020666 << 16), "is a device file"),
    "zip: bomb": ("zip", lambda: zip_of({"zeros.bin": bytes(16 * MEGABYTE)}), "grows to more than 50 times its size"),
    "zip: bomb of many files": (
        "zip",
        lambda: zip_of({f"{i}.bin": bytes(MEGABYTE) for i in range(40)}),
        "claims to unpack to more than",
    ),
    "zip: understated size": ("zip", zip_with_understated_size, "damaged or cut short"),
    "zip: encrypted": ("zip", zip_with_encryption_flag, "is encrypted or packed in an unusual way"),
    "zip: same name in upper case": (
        "zip",
        lambda: zip_of({"a.jpg": b"1", "A.jpg": b"2"}),
        "twice, perhaps in upper and lower case",
    ),
    "zip: flipped byte inside": ("zip", zip_with_flipped_byte, "damaged or cut short"),
    "zip: cut short": ("zip", lambda: zip_of({"a.bin": b"0123456789" * 500})[:-40], "damaged or cut short"),
    "gzip: bomb": ("gzip", lambda: gzip.compress(bytes(16 * MEGABYTE)), "grows to more than 50 times its size"),
    "gzip: cut short": ("gzip", lambda: gzip.compress(bytes(range(256)) * 8)[:-6], "damaged or cut short"),
}
"""What it is -> (kind of archive, how to make it, words of the refusal)."""
