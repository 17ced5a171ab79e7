"""From a record to a complete folder: the order of all steps.

1. Nothing to do if the set is complete. Otherwise say what it is, how large, under which licence, and ask.
2. Take the lock, look again, check the place and the room on the disk.
3. Each file: put there by hand, or downloaded; its check sum is compared before anything opens it.
4. Unpack into a fresh work folder, check the layout and the pickles, write the marker, rename into place.
5. Keep the sums of files without a published one, remove what is no longer needed.

A refusal leaves what was there before, except for a partial file that the same command can continue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from course_utils.data.real_data_folder import MARKER, Completion, missing_files, read_completion, write_completion
from course_utils.profile import progress
from data_scripts.checksums import FirstSeen, check_published, digest, published_md5
from data_scripts.contents import check_contents
from data_scripts.download import Expected, Patience, discard, download
from data_scripts.errors import DataScriptError, DownloadFailed, Gone, UnsafeArchive, WrongChecksum, WrongContents
from data_scripts.extract import unpack
from data_scripts.records import Record, RemoteFile, readable_size
from data_scripts.workplace import Workplace


@dataclass(frozen=True)
class Settings:
    """What the command line decides.

    Attributes
    ----------
    mirror : str, optional
        Fetch everything from ``MIRROR/NAME/path`` instead of the original addresses.
    allow_hosts : tuple of str
        Hosts to which redirects are followed, beyond those of the record.
    patience : Patience
    lock_wait : float
        Seconds to wait for another process that works on the same set.
    """

    mirror: str | None = None
    allow_hosts: tuple[str, ...] = ()
    patience: Patience = field(default_factory=Patience)
    lock_wait: float = 3600.0


def get(
    record: Record, root: Path, say: Callable[[str], None], agree: Callable[[], bool], settings: Settings = Settings()
) -> Path:
    """Fetch a data set and return its folder.

    Parameters
    ----------
    record : Record
    root : Path
        Folder of all data sets.
    say : callable
        Receives sentences for the person at the keyboard.
    agree : callable
        Asked once, after size and licence were said and before anything is fetched.
    settings : Settings

    Raises
    ------
    DataScriptError
        In one of its kinds, with a message that says what to do. Nothing incomplete is left under the name of the set.
    """
    place = Workplace(root, record)
    if place.is_complete():
        say(f"{record.label} is complete: {place.target}")
        return place.target
    if not record.files:
        raise Gone(f"{record.title} cannot be fetched. {record.note} Home page: {record.home_page}")
    for sentence in announcement(record, place.target):
        say(sentence)
    if not agree():
        raise DataScriptError("Nothing was fetched.")
    with place.locked(say, settings.lock_wait):
        try:
            if place.is_complete():
                say(f"{record.label} has been completed by the other process: {place.target}")
            else:
                _fetch(place, say, settings)
        finally:
            place.clear_building()
            place.tidy()
    return place.target


def announcement(record: Record, target: Path) -> list[str]:
    """Return what is said before the question: title, size, licence, citation, how the files are checked."""
    about = "" if record.exact else "about "
    lines = [
        f"{record.title} ({record.label})",
        f"  download   {about}{readable_size(record.size)} ({record.size:,} bytes), unpacked about {readable_size(record.unpacked)}",
        f"  licence    {record.licence}",
        f"  cite       {record.citation}",
        f"  home page  {record.home_page}",
        f"  used for   {record.used_for}",
        f"  goes to    {target}",
    ]
    lines += [f"  {file.path}: {file.how_checked}" for file in {file.path: file for file in record.files}.values()]
    return lines + ([f"  note       {record.note}"] if record.note else [])


def damage(record: Record, root: Path) -> list[str]:
    """Return what is wrong with a fetched set, reading every byte; empty if all is well.

    Raises
    ------
    DataScriptError
        If the set has not been fetched.
    """
    folder = Workplace(root, record).target
    completion = read_completion(folder)
    if completion is None or completion.name != record.name:
        raise DataScriptError(f"{record.label} is not in {root}. Fetch it with: python -m data_scripts get {_command(record)}")
    wrong = missing_files(folder, completion)
    for path, (_, sha256) in progress(completion.files.items(), desc="verifying", unit="file"):
        if path not in wrong and digest(folder / path) != sha256:
            wrong[path] = f"{path} has changed since the set was completed."
    return list(wrong.values())


def _fetch(place: Workplace, say: Callable[[str], None], settings: Settings) -> None:
    record = place.record
    place.check_place()
    place.check_space(sum(_missing_bytes(place, file) for file in {file.path: file for file in record.files}.values()))
    first_seen, origin, new_sums = FirstSeen(place.first_seen), {}, {}
    for file in record.files:
        origin[file.path] = _obtain(place, file, first_seen, new_sums, say, settings)
    say("Unpacking and checking.")
    folder = place.fresh_building()
    try:
        for file in record.files:
            unpack(place.archive(file), file, folder)
        check_contents(folder, record)
        completion = _completion(folder, record, origin)
    except (UnsafeArchive, WrongContents):
        place.drop_archives(everything=True)
        raise
    write_completion(folder, completion)
    place.publish()
    first_seen.keep(new_sums)
    place.drop_archives(everything=False)
    say(f"Complete: {place.target}")


def _missing_bytes(place: Workplace, file: RemoteFile) -> int:
    part, archive = place.part_file(file), place.archive(file)
    if archive.exists():
        return 0
    return max(file.size - (part.stat().st_size if part.exists() else 0), 0)


def _obtain(
    place: Workplace,
    file: RemoteFile,
    first_seen: FirstSeen,
    new_sums: dict[str, str],
    say: Callable[[str], None],
    settings: Settings,
) -> str:
    """Make sure that the checked file lies in its place; return in words how it was checked."""
    checksum = file.checksum or _checksum_from_server(place, file, say, settings)

    def check(path: Path) -> str:
        if checksum:
            check_published(path, checksum, file.path)
            return file.how_checked if file.checksum else f"{file.how_checked}: {checksum}"
        new_sums[file.path] = first_seen.check(path, file.path)
        return f"{file.how_checked}: sha256:{new_sums[file.path]}"

    archive, part = place.archive(file), place.part_file(file)
    if archive.exists():
        try:
            return check(archive)
        except WrongChecksum as error:
            if archive.is_relative_to(place.by_hand):
                raise WrongChecksum(f"{error} It lies in {archive}: remove it, or put the right file there.") from error
            archive.unlink()  # left by an earlier run, and damaged since
    continued = _download(place, file, part, bool(checksum), say, settings)
    try:
        how = check(part)
    except WrongChecksum:
        discard(part)
        if not continued:
            raise
        say(f"The check sum of {file.path} is wrong. It came in two pieces that may not fit; fetching it again from the start.")
        _download(place, file, part, bool(checksum), say, settings)
        how = _or_discard(check, part)
    part.replace(archive)
    discard(part)
    return how


def _or_discard(check: Callable[[Path], str], part: Path) -> str:
    try:
        return check(part)
    except WrongChecksum:
        discard(part)
        raise


def _download(
    place: Workplace, file: RemoteFile, part: Path, checked: bool, say: Callable[[str], None], settings: Settings
) -> bool:
    addresses = (f"{settings.mirror.rstrip('/')}/{place.record.name}/{quote(file.path)}",) if settings.mirror else file.addresses
    if part.exists():
        say(f"Continuing {file.path} after {readable_size(part.stat().st_size)}.")
    else:
        say(f"Fetching {file.path}.")
    expected = Expected(file.size, file.exact, checked)
    hosts = (*place.record.redirect_hosts, *settings.allow_hosts)
    try:
        return download(addresses, part, expected, settings.patience, hosts)
    except Gone as error:
        raise Gone(f"{error} {_by_hand(place, file)}") from error
    except DownloadFailed as error:
        kept = " What has arrived is kept; the same command continues it." if part.exists() else ""
        raise DownloadFailed(f"{error}{kept}") from error


def _by_hand(place: Workplace, file: RemoteFile) -> str:
    """Return what to do when an address is gone."""
    about = "" if file.exact else "about "
    return (
        f"Fetch it by hand: look for {file.path.rsplit('/', 1)[-1]} ({about}{file.size:,} bytes; {file.how_checked}) at "
        f"{place.record.home_page}, put it at {place.by_hand / file.path}, and run the same command again."
    )


def _checksum_from_server(place: Workplace, file: RemoteFile, say: Callable[[str], None], settings: Settings) -> str | None:
    """Return the sum that the server publishes in a small file of its own, if the record names one."""
    if file.checksum_path is None:
        return None
    addresses = tuple(address.removesuffix(file.path) + file.checksum_path for address in file.addresses)
    small = replace(file, path=file.checksum_path, addresses=addresses, size=100, exact=False, checksum_path=None)
    archive, part = place.archive(small), place.part_file(small)
    try:
        if not archive.exists():
            _download(place, small, part, False, say, settings)
        return published_md5((archive if archive.exists() else part).read_text(encoding="utf-8"), file.path.rsplit("/", 1)[-1])
    except UnicodeDecodeError as error:
        raise WrongChecksum(f"{file.checksum_path} is not a list of check sums.") from error
    finally:
        discard(part)


def _completion(folder: Path, record: Record, origin: dict[str, str]) -> Completion:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {path.relative_to(folder).as_posix(): [path.stat().st_size, digest(path)] for path in paths}
    if MARKER in listed:
        raise WrongContents(f"{record.label} brings a file called {MARKER}, which is the name of our own marker.")
    return Completion(record.name, record.part, record.title, record.licence, record.citation, record.home_page, origin, listed)


def _command(record: Record) -> str:
    return f"{record.name} --part {record.part}" if record.part else record.name
