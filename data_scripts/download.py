"""One file over HTTP, from a server that may be slow, gone, changed or hostile.

The bytes collect in ``PATH.part``; ``PATH.part.json`` remembers where they come from and what the server called this
version of the file (its ETag, else its date). A later run asks for the rest with ``Range`` and ``If-Range``: a server
that still has the same version answers 206 with the rest, one that has another version, or does not know ranges,
answers 200 with the whole file, and the download starts again. Nothing is appended on faith: the 206 must name the
right place and the right total.

Rules for what comes back:

- **Size.** An exactly known size must be the announced one. Otherwise at most twice the expected size is accepted.
- **Redirects.** At most five, only to ``http`` and ``https``, never from ``https`` to ``http``, and only to the same
  host or to one that the record names.
- **Patience.** Connecting, and receiving each further kilobyte, may take ``stall`` seconds. Passing troubles (5xx,
  429, a broken or stalled connection, a short answer) are tried again with growing pauses; progress starts the count
  anew.

The file keeps its ``.part`` name. Whoever asked for it compares the check sum first and renames it then.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from course_utils.profile import progress
from data_scripts.errors import DownloadFailed, Gone, NoSpace
from data_scripts.records import SLACK_BYTES, readable_size

AGENT = "representation-learning-2-data-scripts/1"
CHUNK = 2**16
MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
PASSING = (408, 425, 429, 500, 502, 503, 504)
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Patience:
    """How long to wait: ``stall`` seconds without data, ``attempts`` in a row, ``pause`` seconds before the second."""

    stall: float = 30.0
    attempts: int = 5
    pause: float = 1.0


@dataclass(frozen=True)
class Expected:
    """What is known beforehand: the size, whether it is exact, and whether a check sum will be compared later."""

    size: int
    exact: bool
    checked: bool

    @property
    def limit(self) -> int:
        """No more bytes than this are accepted."""
        return self.size if self.exact else 2 * self.size + SLACK_BYTES


@dataclass(frozen=True)
class PartState:
    """The content of ``PATH.part.json``: address, ``validator`` (ETag or date, or empty) and total size if known."""

    address: str
    validator: str = ""
    total: int | None = None


class Passing(Exception):
    """A trouble that may be over at the next attempt; the message says which."""


def download(
    addresses: Sequence[str],
    part: Path,
    expected: Expected,
    patience: Patience = Patience(),
    redirect_hosts: Sequence[str] = (),
) -> bool:
    """Fetch a file into ``part`` from the first address that delivers it; continue what is there.

    Parameters
    ----------
    addresses : sequence of str
        Tried in order. Another address than the one of the partial file starts again.
    part : Path
        Receives the bytes. It stays after a failure that a later run can continue.
    expected : Expected
    patience : Patience
    redirect_hosts : sequence of str
        Hosts other than the address's own to which a redirect is followed.

    Returns
    -------
    bool
        Whether bytes of an earlier run or attempt were continued.

    Raises
    ------
    Gone
        If every address answers "not here" or cannot be found.
    DownloadFailed
        If the last address failed in another way: too many attempts, a forbidden redirect, a wrong size.
    NoSpace
        If the disk is full.
    """
    failures: list[DownloadFailed] = []
    for address in addresses:
        try:
            return _persistently(address, part, expected, patience, redirect_hosts)
        except DownloadFailed as error:
            failures.append(error)
    if not failures:
        raise Gone("No address is known for it.")
    serious = [error for error in failures if not isinstance(error, Gone)]
    raise (serious or failures)[-1]


def discard(part: Path) -> None:
    """Remove a partial file and what is remembered about it."""
    part.unlink(missing_ok=True)
    _state_path(part).unlink(missing_ok=True)


def _persistently(address: str, part: Path, expected: Expected, patience: Patience, hosts: Sequence[str]) -> bool:
    failed, furthest, continued = 0, _length(part), False
    while True:
        try:
            return _attempt(address, part, expected, patience, hosts) or continued
        except Passing as trouble:
            length = _length(part)
            failed = 1 if length > furthest + CHUNK else failed + 1
            furthest = max(furthest, length)
            continued = continued or length > 0
            if failed >= patience.attempts:
                if length == 0:
                    discard(part)
                kind = Gone if isinstance(trouble.__cause__, socket.gaierror) else DownloadFailed
                raise kind(f"{address}: {trouble} Tried {failed} times in a row.") from trouble
            time.sleep(min(patience.pause * 2 ** (failed - 1), 60.0))


def _attempt(address: str, part: Path, expected: Expected, patience: Patience, hosts: Sequence[str]) -> bool:
    """Ask once and take what comes; returns whether an earlier part was continued."""
    state, have = _read_state(part), _length(part)
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if have and state is not None and state.address == address and (state.validator or expected.checked):
        if have == state.total:
            return True
        headers["Range"] = f"bytes={have}-"
        if state.validator:
            headers["If-Range"] = state.validator
    else:
        have = 0
    with _open(address, headers, part, patience, hosts) as response:
        if response.status == 206:
            total = _checked_range(response, have, state, part)
        else:
            have, total = 0, _announced(response)
        _refuse_wrong_size(address, total, expected, part)
        validator = _validator(response) or (state.validator if have and state else "")
        _write_state(part, PartState(address, validator, total))
        _receive(response, part, have, total, expected, patience)
    return have > 0


def _open(address: str, headers: dict[str, str], part: Path, patience: Patience, hosts: Sequence[str]) -> HTTPResponse:
    """Send the request, follow permitted redirects, and turn every failure into one of three kinds."""
    opener = urllib.request.build_opener(_NoRedirect)
    here = address
    for _ in range(MAX_REDIRECTS + 1):
        try:
            return opener.open(urllib.request.Request(here, headers=headers), timeout=patience.stall)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code not in REDIRECTS:
                raise _failure(here, error.code, part) from error
            here = _redirected(here, error.headers.get("Location"), (urlsplit(address).hostname, *hosts))
        except urllib.error.URLError as error:
            raise _no_connection(here, error.reason) from (error.reason if isinstance(error.reason, OSError) else error)
        except (OSError, HTTPException) as error:
            raise _no_connection(here, error) from error
    raise DownloadFailed(f"{address} sends us on more than {MAX_REDIRECTS} times; this looks like a circle.")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to ``_open``, which knows the rules."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _redirected(here: str, location: str | None, hosts: Sequence[str | None]) -> str:
    """Return where the server sends us, if we may go there."""
    target = urljoin(here, location or "")
    scheme, host = urlsplit(target).scheme, urlsplit(target).hostname
    if scheme not in ("http", "https"):
        raise DownloadFailed(f"{here} sends us to {target}: only http and https are followed.")
    if scheme == "http" and urlsplit(here).scheme == "https":
        raise DownloadFailed(f"{here} sends us to {target}: from https to unprotected http, which is not followed.")
    if host not in hosts:
        raise DownloadFailed(
            f"{here} sends us to another host, {host}. If you trust it, allow it: --allow-host {host}. It is not followed otherwise."
        )
    return target


def _failure(address: str, code: int, part: Path) -> Exception:
    if code in (404, 410):
        return Gone(f"{address} is gone (HTTP {code}).")
    if code in (401, 403, 451):
        return Gone(f"{address} is not given out any more (HTTP {code}).")
    if code == 416:
        discard(part)
        return Passing("The server has no such range; starting again.")
    if code in PASSING:
        return Passing(f"The server has trouble (HTTP {code}).")
    return DownloadFailed(f"{address} answers with HTTP {code}.")


def _no_connection(address: str, reason: object) -> Exception:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DownloadFailed(f"{address}: the server's certificate is not valid ({reason.verify_message}).")
    if isinstance(reason, socket.gaierror):
        return Passing(f"The host {urlsplit(address).hostname} cannot be found; it is gone, or this machine is offline.")
    if isinstance(reason, TimeoutError):
        return Passing("The server does not answer.")
    return Passing(f"No connection ({reason}).")


def _announced(response: HTTPResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _checked_range(response: HTTPResponse, have: int, state: PartState | None, part: Path) -> int:
    """Return the total size that a 206 names, if the answer continues exactly what we have."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip())
    known = state.total if state else None
    if not found or int(found[1]) != have or (known is not None and int(found[3]) != known):
        discard(part)
        raise Passing("The server continues at another place than asked; starting again.")
    return int(found[3])


def _refuse_wrong_size(address: str, total: int | None, expected: Expected, part: Path) -> None:
    if total is None:
        return
    if expected.exact and total != expected.size:
        discard(part)
        raise DownloadFailed(
            f"{address} announces {total} bytes; the record says {expected.size}. The file has changed, or this is not it."
        )
    if total > expected.limit:
        discard(part)
        raise DownloadFailed(
            f"{address} announces {readable_size(total)}; about {readable_size(expected.size)} was expected. Not fetched."
        )


def _validator(response: HTTPResponse) -> str:
    """Return what the server calls this version; a weak ETag says nothing about bytes, so the date is better."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified", "")


def _receive(response: HTTPResponse, part: Path, have: int, total: int | None, expected: Expected, patience: Patience) -> None:
    """Append the answer's body to ``part``; raises ``Passing`` if it ends early or stalls."""
    bar = progress(total=total, initial=have, unit="B", unit_scale=True, desc=part.name.removesuffix(".part"))
    received, window_start, window_bytes = have, time.monotonic(), 0
    with bar, part.open("ab" if have else "wb") as file:
        while True:
            try:
                block = response.read1(CHUNK)
            except TimeoutError as error:
                raise Passing(f"The server stalls: nothing for {patience.stall:g} s.") from error
            except (OSError, HTTPException) as error:
                raise Passing(f"The connection broke ({error or type(error).__name__}).") from error
            if not block:
                break
            received += len(block)
            if received > expected.limit:
                discard(part)
                raise DownloadFailed(f"More than {readable_size(expected.limit)} arrive for {part.name}. Stopped.")
            _write(file, block, part)
            bar.update(len(block))
            window_bytes += len(block)
            if (now := time.monotonic()) - window_start > patience.stall:
                if window_bytes < 1024:
                    raise Passing(f"The server stalls: {window_bytes} bytes in {patience.stall:g} s.")
                window_start, window_bytes = now, 0
    if total is not None and received < total:
        raise Passing(f"The answer ends after {received} of {total} bytes.")
    if expected.exact and received != expected.size:
        raise Passing(f"The answer has {received} bytes; the record says {expected.size}.")


def _write(file: Any, block: bytes, part: Path) -> None:
    try:
        file.write(block)
        file.flush()
    except OSError as error:
        if error.errno in FULL_DISK:
            raise NoSpace(
                f"The disk is full ({part.parent}). What has arrived is kept: make room and run the same command again."
            ) from error
        raise


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _state_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_state(part: Path) -> PartState | None:
    try:
        return PartState(**json.loads(_state_path(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_state(part: Path, state: PartState) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    _state_path(part).write_text(json.dumps(asdict(state)), encoding="utf-8")
