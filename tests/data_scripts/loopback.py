"""A web server on 127.0.0.1 whose misbehaviour can be chosen, and which writes down what it was asked."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LONGEST_WAIT = 60.0


@dataclass
class Request:
    """One line of the server's log."""

    path: str
    range: str | None
    if_range: str | None
    status: int


@dataclass
class Loopback:
    """What the server has and how it behaves.

    ``files`` maps a path to its bytes. ``tricks`` maps a path to a list of functions; each request uses up one of them, and
    the last one stays. A trick receives the handler and the content, and answers. Without a trick the server is honest: it has ETags and
    knows ranges.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    tricks: dict[str, list[Callable]] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ranges(self, path: str) -> list[str]:
        return [request.range for request in self.log if request.path == path and request.range]


@contextlib.contextmanager
def loopback() -> Iterator[Loopback]:
    """Run a server in a thread until the block ends."""
    state = Loopback()

    class Handler(_Handler):
        server_state = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(LONGEST_WAIT)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: Loopback

    def do_GET(self) -> None:
        self.close_connection = True
        path, state = unquote(urlsplit(self.path).path), self.server_state
        tricks = state.tricks.get(path, [])
        trick = tricks.pop(0) if len(tricks) > 1 else tricks[0] if tricks else honest
        content = state.files.get(path)
        with contextlib.suppress(ConnectionError):
            if content is None and not tricks:
                self.start(404)
            else:
                trick(self, content or b"")

    def start(self, status: int, **headers: str) -> None:
        """Log the request and send status and headers (``_`` in their names stands for ``-``)."""
        path = unquote(urlsplit(self.path).path)
        self.server_state.log.append(Request(path, self.headers.get("Range"), self.headers.get("If-Range"), status))
        self.send_response(status)
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the error stream."""


def etag_of(content: bytes) -> str:
    return '"' + hashlib.sha256(content).hexdigest()[:16] + '"'


def honest(handler: _Handler, content: bytes, etag: str | None = None, upto: int | None = None) -> None:
    """Answer as a good server does; with ``upto``, break off at that byte of the file."""
    etag = etag or etag_of(content)
    asked, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
    begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and condition in (None, etag) else 0
    if begin >= len(content) > 0:
        handler.start(416, Content_Range=f"bytes */{len(content)}", Content_Length="0")
        return
    length = {"ETag": etag, "Content_Length": str(len(content) - begin)}
    if begin:
        handler.start(206, Content_Range=f"bytes {begin}-{len(content) - 1}/{len(content)}", **length)
    else:
        handler.start(200, **length)
    handler.wfile.write(content[begin:upto])


def status(code: int, **headers: str) -> Callable:
    """Answer with a status and no content."""
    return lambda handler, content: handler.start(code, Content_Length="0", **headers)


def redirect(target: str, code: int = 302) -> Callable:
    return status(code, Location=target)


def break_off_after(n_bytes: int, etag: str | None = None) -> Callable:
    """Announce everything and close the connection early."""
    return lambda handler, content: honest(handler, content, etag, upto=n_bytes)


class PauseAfter:
    """Send some bytes, say so through ``reached``, and wait for ``go_on`` before the rest."""

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes, self.reached, self.go_on = n_bytes, threading.Event(), threading.Event()

    def __call__(self, handler: _Handler, content: bytes) -> None:
        handler.start(200, ETag=etag_of(content), Content_Length=str(len(content)))
        handler.wfile.write(content[: self.n_bytes])
        handler.wfile.flush()
        self.reached.set()
        self.go_on.wait(LONGEST_WAIT)
        handler.wfile.write(content[self.n_bytes :])


def no_ranges(handler: _Handler, content: bytes) -> None:
    """A server that always sends everything, and has no name for versions."""
    handler.start(200, Content_Length=str(len(content)))
    handler.wfile.write(content)


def stall(handler: _Handler, content: bytes) -> None:
    """Announce everything, send a little, and fall silent."""
    handler.start(200, ETag=etag_of(content), Content_Length=str(len(content)))
    handler.wfile.write(content[:100])
    handler.wfile.flush()
    time.sleep(1.5)


def drip(handler: _Handler, content: bytes) -> None:
    """Send one byte after the other: never silent, never done."""
    handler.start(200, ETag=etag_of(content), Content_Length=str(len(content)))
    for byte in content[:40]:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)


def endless(handler: _Handler, content: bytes) -> None:
    """Send zeros without saying how many."""
    handler.start(200)
    for _ in range(4096):
        handler.wfile.write(bytes(2**16))


def announce(length: int) -> Callable:
    """Announce a length that is not the file's."""

    def trick(handler: _Handler, content: bytes) -> None:
        handler.start(200, Content_Length=str(length))
        handler.wfile.write(content[:length])

    return trick


def continue_at(begin: int, total: int | None = None) -> Callable:
    """Answer a range request with another range than asked, or with another total."""

    def trick(handler: _Handler, content: bytes) -> None:
        whole = len(content) if total is None else total
        handler.start(206, Content_Range=f"bytes {begin}-{whole - 1}/{whole}", Content_Length=str(len(content) - begin))
        handler.wfile.write(content[begin:])

    return trick
