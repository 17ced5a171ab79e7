"""The folders under the root: where things wait, where they are built, and how they appear.

::

    ROOT/NAME/                        a complete set, or
    ROOT/NAME/PART/                   a complete part of one
    ROOT/NAME.first_seen.sha256       sums of files for which nobody publishes one (see ``checksums``)
    ROOT/archives/NAME/...            files that are being fetched
    ROOT/by_hand/NAME/...             files that you fetched yourself; only read, never removed
    ROOT/.work/NAME.lock              held while a process works on the set
    ROOT/.work/NAME.building/         the set before it is complete

A set is built in ``.work``, on the same file system, gets its marker last, and is renamed into place in one step. A
process that dies leaves at most the building folder, which the next run removes, and partial files, which it
continues. The lock belongs to the operating system (through ``filelock``): it is free the moment its process ends,
however it ended.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from course_utils.data.real_data_folder import is_complete, read_completion
from data_scripts.errors import DataScriptError, InTheWay, NoSpace
from data_scripts.records import Record, RemoteFile, readable_size

MARGIN = 64 * 2**20
"""Bytes that are left alone when the room on the disk is checked."""


class Workplace:
    """The places of one record under one root.

    Parameters
    ----------
    root : Path
    record : Record
    """

    def __init__(self, root: Path, record: Record) -> None:
        self.root, self.record = root, record
        self.work = root / ".work"
        self.archives = root / "archives" / record.name
        self.by_hand = root / "by_hand" / record.name
        self.building = self.work / f"{record.name}.building"
        self.target = root / record.name / record.part if record.part else root / record.name
        self.first_seen = root / f"{record.name}.first_seen.sha256"

    def archive(self, file: RemoteFile) -> Path:
        """Return where the file lies, or will lie: what was put there by hand comes first."""
        by_hand = self.by_hand / file.path
        return by_hand if by_hand.exists() else self.archives / file.path

    def part_file(self, file: RemoteFile) -> Path:
        """Return where its bytes collect while it is being fetched."""
        path = self.archives / file.path
        return path.with_name(path.name + ".part")

    def is_complete(self) -> bool:
        """Return whether the set stands in its place, judged by names and sizes."""
        return is_complete(self.target, self.record.name, self.record.part)

    @contextmanager
    def locked(self, say: Callable[[str], None], wait: float) -> Iterator[None]:
        """Hold the set's lock; another process that works on the same set is waited for, and told about.

        Raises
        ------
        DataScriptError
            If the other process is not done after ``wait`` seconds.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.work / f"{self.record.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"Another process is working on {self.record.name}; waiting until it is done.")
            try:
                lock.acquire(timeout=wait, poll_interval=0.1)
            except Timeout as error:
                raise DataScriptError(
                    f"Another process has been working on {self.record.name} for more than {wait:g} s. Try again later."
                ) from error
        try:
            yield
        finally:
            lock.release()

    def check_space(self, missing: int) -> None:
        """Refuse to begin if ``missing`` bytes of download and the unpacked set do not fit on the disk.

        Raises
        ------
        NoSpace
        """
        place = next(folder for folder in (self.root, *self.root.absolute().parents) if folder.exists())
        free, needed = shutil.disk_usage(place).free, missing + self.record.unpacked + MARGIN
        if free < needed:
            raise NoSpace(
                f"{self.record.label} needs {readable_size(needed)} on the disk of {self.root} (download and unpacked set), "
                f"and {readable_size(free)} are free. Make room, or choose another folder with --root."
            )

    def check_place(self) -> None:
        """Refuse to begin if something that is not ours stands where the set belongs.

        Raises
        ------
        InTheWay
        """
        if self.target.exists() and read_completion(self.target) is None and not self._is_empty(self.target):
            raise InTheWay(f"{self.target} exists and was not made by these scripts. Move it away; nothing was changed.")

    def fresh_building(self) -> Path:
        """Return the empty folder in which the set is built; what a dead process left there is removed."""
        self.clear_building()
        self.building.mkdir(parents=True)
        return self.building

    def clear_building(self) -> None:
        """Remove the building folder."""
        shutil.rmtree(self.building, ignore_errors=True)

    def publish(self) -> None:
        """Rename the finished building folder into its place; a damaged set of ours makes room for it."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if self.target.exists():
            old = self.work / f"{self.record.name}.old"
            shutil.rmtree(old, ignore_errors=True)
            self.target.rename(old)
            self.building.rename(self.target)
            shutil.rmtree(old, ignore_errors=True)
        else:
            self.building.rename(self.target)

    def drop_archives(self, everything: bool) -> None:
        """Remove the fetched files; those that another part needs again only if ``everything`` is asked for."""
        for file in self.record.files:
            if everything or not file.keep:
                (self.archives / file.path).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove folders that have become empty."""
        folders = sorted((path for path in self.archives.rglob("*") if path.is_dir()), reverse=True)
        for folder in (*folders, self.archives, self.archives.parent, self.target.parent):
            if folder != self.root:
                with suppress(OSError):  # not empty, or gone already
                    folder.rmdir()

    @staticmethod
    def _is_empty(folder: Path) -> bool:
        return folder.is_dir() and not any(folder.iterdir())
