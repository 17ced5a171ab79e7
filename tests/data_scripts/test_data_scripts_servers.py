"""Servers that are slow, changed, gone or hostile, and what is in the folder afterwards."""

from __future__ import annotations

import hashlib
import re
import socket
from pathlib import Path

import loopback
import pytest
import small_sets

from course_utils.data.real_data_folder import read_completion, real_data
from data_scripts.download import Expected, Patience, _redirected, download
from data_scripts.errors import DownloadFailed, Gone

ARCHIVE = "/cub_200_2011/CUB_200_2011.tgz"
HALF = 600


@pytest.fixture
def cub(desk):
    """Serve small CUB; give the bytes of its archive."""
    record, contents = small_sets.cub()
    desk.serve(record, contents)
    assert len(contents["CUB_200_2011.tgz"]) > 2 * HALF
    return contents["CUB_200_2011.tgz"]


def assert_complete(desk, archive: bytes) -> None:
    """The set stands in its place and was made from exactly these bytes."""
    folder = real_data("cub_200_2011", desk.root)
    assert folder is not None
    assert hashlib.md5(archive).hexdigest() in read_completion(folder).origin["CUB_200_2011.tgz"]
    assert not [path for path in desk.left() if not path.startswith("cub_200_2011/")]


def assert_failed(desk, capsys, words: str, partial: bool = False) -> None:
    assert desk.run("get", "cub_200_2011") == 1
    error = capsys.readouterr().err
    assert re.search(words, error), error
    assert error.count("\n") == 1 and "Traceback" not in error
    archive = "archives/cub_200_2011/CUB_200_2011.tgz.part"
    assert desk.left() == ([archive, archive + ".json"] if partial else [])
    assert real_data("cub_200_2011", desk.root) is None


# --- troubles that pass ---


def test_a_broken_connection_is_continued_where_it_broke(desk, cub):
    desk.server.tricks[ARCHIVE] = [loopback.break_off_after(HALF), loopback.honest]
    assert desk.run("get", "cub_200_2011") == 0
    assert desk.server.ranges(ARCHIVE) == [f"bytes={HALF}-"]
    assert desk.server.log[-1].if_range == loopback.etag_of(cub)
    assert_complete(desk, cub)


@pytest.mark.parametrize("code", [500, 502, 503, 429, 408])
def test_a_passing_trouble_is_tried_again(desk, cub, code):
    desk.server.tricks[ARCHIVE] = [loopback.status(code), loopback.status(code), loopback.honest]
    assert desk.run("get", "cub_200_2011") == 0
    assert [request.status for request in desk.server.log] == [code, code, 200]
    assert_complete(desk, cub)


def test_a_server_without_ranges_sends_everything_again(desk, cub):
    desk.server.tricks[ARCHIVE] = [loopback.break_off_after(HALF), loopback.no_ranges]
    assert desk.run("get", "cub_200_2011") == 0
    assert [request.status for request in desk.server.log] == [200, 200]
    assert_complete(desk, cub)


def test_a_stalled_connection_is_continued(desk, cub):
    desk.server.tricks[ARCHIVE] = [loopback.stall, loopback.honest]
    assert desk.run("get", "cub_200_2011") == 0
    assert desk.server.ranges(ARCHIVE) == ["bytes=100-"]
    assert_complete(desk, cub)


def test_a_range_that_the_server_does_not_have_starts_again(desk, cub):
    desk.server.tricks[ARCHIVE] = [loopback.break_off_after(HALF), loopback.status(416), loopback.honest]
    assert desk.run("get", "cub_200_2011") == 0
    assert [request.range for request in desk.server.log] == [None, f"bytes={HALF}-", None]
    assert_complete(desk, cub)


def test_another_place_than_asked_is_not_appended(desk, cub):
    desk.server.tricks[ARCHIVE] = [loopback.break_off_after(HALF), loopback.continue_at(HALF - 7), loopback.honest]
    assert desk.run("get", "cub_200_2011") == 0
    assert [request.range for request in desk.server.log] == [None, f"bytes={HALF}-", None]
    assert_complete(desk, cub)


def test_another_total_than_before_is_not_appended(desk, cub):
    desk.server.tricks[ARCHIVE] = [loopback.break_off_after(HALF), loopback.continue_at(HALF, len(cub) + 9), loopback.honest]
    assert desk.run("get", "cub_200_2011") == 0
    assert [request.range for request in desk.server.log] == [None, f"bytes={HALF}-", None]
    assert_complete(desk, cub)


def test_a_file_that_changes_between_two_downloads_is_fetched_from_the_start(desk, cub):
    """The first half comes from an older version; the server names both, so the old half is not used."""
    old = bytes(reversed(cub))
    desk.server.tricks[ARCHIVE] = [lambda handler, content: loopback.honest(handler, old, upto=HALF), loopback.honest]
    assert desk.run("get", "cub_200_2011") == 0
    first, second = desk.server.log
    assert (second.range, second.if_range, second.status) == (f"bytes={HALF}-", loopback.etag_of(old), 200)
    assert_complete(desk, cub)


def test_a_change_that_the_server_hides_is_found_by_the_check_sum_and_fetched_once_more(desk, cub, capsys):
    old, same = bytes(reversed(cub)), '"always the same"'
    desk.server.tricks[ARCHIVE] = [
        lambda handler, content: loopback.honest(handler, old, same, upto=HALF),
        lambda handler, content: loopback.honest(handler, content, same),
    ]
    assert desk.run("get", "cub_200_2011") == 0
    assert [request.status for request in desk.server.log] == [200, 206, 200]
    assert "It came in two pieces that may not fit" in capsys.readouterr().out
    assert_complete(desk, cub)


def test_without_sum_and_version_nothing_is_continued(desk):
    """Nobody could notice that the two halves belong to two versions, so the file is fetched from the start."""
    record, contents = small_sets.oxford()
    desk.serve(record, contents)
    path, archive = "/revisited_oxford/oxbuild_images-v1.tgz", contents["oxbuild_images-v1.tgz"]

    def half(handler, content):
        handler.start(200, Content_Length=str(len(content)))
        handler.wfile.write(content[: len(content) // 2])

    desk.server.tricks[path] = [half, loopback.no_ranges]
    assert desk.run("get", "revisited_oxford") == 0
    assert desk.server.ranges(path) == []
    assert hashlib.sha256(archive).hexdigest() in (desk.root / "revisited_oxford.first_seen.sha256").read_text()


def test_progress_starts_the_count_of_attempts_anew(tmp_path):
    content = bytes(range(256)) * 4000
    with loopback.loopback() as server:
        server.files["/file"] = content
        server.tricks["/file"] = [loopback.break_off_after(200_000 * i) for i in (1, 2, 3, 4, 5)] + [loopback.honest]
        expected, part = Expected(len(content), True, True), tmp_path / "file.part"
        assert download([f"{server.address}/file"], part, expected, Patience(attempts=2, pause=0.0)) is True
    assert part.read_bytes() == content
    assert server.ranges("/file") == [f"bytes={200_000 * i}-" for i in (1, 2, 3, 4, 5)]


def test_the_second_address_is_tried_when_the_first_is_gone(tmp_path):
    with loopback.loopback() as server:
        server.files["/good"] = b"content"
        addresses = [f"{server.address}/missing", f"{server.address}/good"]
        assert download(addresses, tmp_path / "x.part", Expected(7, True, True), Patience(attempts=1)) is False
    assert (tmp_path / "x.part").read_bytes() == b"content"
    assert [request.status for request in server.log] == [404, 200]


def test_a_part_from_another_address_is_not_continued(tmp_path):
    """Two servers may call different versions by the same name."""
    content, same = bytes(range(256)) * 10, '"always the same"'
    with loopback.loopback() as server:
        server.files |= {"/one": bytes(len(content)), "/two": content}
        server.tricks["/one"] = [loopback.break_off_after(500, same)]
        server.tricks["/two"] = [lambda handler, content: loopback.honest(handler, content, same)]
        addresses = [f"{server.address}/one", f"{server.address}/two"]
        assert download(addresses, tmp_path / "x.part", Expected(len(content), True, True), Patience(attempts=1)) is False
    assert (tmp_path / "x.part").read_bytes() == content
    assert [request.range for request in server.log] == [None, None]


# --- troubles that do not pass ---


def test_a_server_that_always_breaks_off_leaves_a_part_that_can_be_continued(desk, cub, capsys):
    desk.server.tricks[ARCHIVE] = [loopback.break_off_after(HALF)]
    assert_failed(
        desk, capsys, f"ends after {HALF} of {len(cub)} bytes.*3 times in a row.*the same command continues it", partial=True
    )
    desk.server.tricks.clear()
    assert desk.run("get", "cub_200_2011") == 0
    assert desk.server.log[-1].range == f"bytes={HALF}-"
    assert_complete(desk, cub)


def test_a_server_that_always_fails_is_given_up(desk, cub, capsys):
    desk.server.tricks[ARCHIVE] = [loopback.status(500)]
    assert_failed(desk, capsys, r"The server has trouble \(HTTP 500\)\. Tried 3 times in a row")


def test_a_silent_server_is_given_up(desk, cub, capsys):
    desk.server.tricks[ARCHIVE] = [loopback.stall]
    assert_failed(desk, capsys, "The server stalls: nothing for 0.4 s", partial=True)


def test_a_dripping_server_is_given_up(desk, cub, capsys):
    desk.server.tricks[ARCHIVE] = [loopback.drip]
    assert_failed(desk, capsys, r"The server stalls: \d+ bytes in 0.4 s", partial=True)


@pytest.mark.parametrize("code", [404, 410, 403])
def test_a_missing_file_is_asked_for_by_hand(desk, cub, capsys, code):
    desk.server.tricks[ARCHIVE] = [loopback.status(code)]
    place = desk.root / "by_hand" / "cub_200_2011" / "CUB_200_2011.tgz"
    words = (
        rf"HTTP {code}.*Fetch it by hand: look for CUB_200_2011.tgz \({len(cub):,} bytes; MD5 {hashlib.md5(cub).hexdigest()}.*"
    )
    assert_failed(desk, capsys, words + rf"at https://www.vision.caltech.edu/.*put it at {re.escape(str(place))}")
    assert len(desk.server.log) == 1  # not tried again

    place.parent.mkdir(parents=True)
    place.write_bytes(cub)
    assert desk.run("get", "cub_200_2011") == 0
    assert len(desk.server.log) == 1
    assert real_data("cub_200_2011", desk.root) is not None
    assert place.read_bytes() == cub  # what the reader put there stays


def test_a_wrong_file_put_by_hand_is_refused_and_left_alone(desk, cub, capsys):
    place = desk.root / "by_hand" / "cub_200_2011" / "CUB_200_2011.tgz"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    assert desk.run("get", "cub_200_2011") == 1
    assert f"It lies in {place}: remove it, or put the right file there" in capsys.readouterr().err
    assert desk.left() == ["by_hand/cub_200_2011/CUB_200_2011.tgz"]


def test_a_host_that_does_not_exist_is_told_from_a_missing_file(desk, cub, capsys, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert desk.run("get", "cub_200_2011", "--mirror", "http://no-such-host.invalid", mirror=False) == 1
    error = capsys.readouterr().err
    assert "no-such-host.invalid cannot be found; it is gone, or this machine is offline" in error and "Fetch it by hand" in error
    assert desk.left() == []


def test_a_port_where_nobody_listens_is_given_up(desk, cub, capsys):
    with loopback.loopback() as closed:
        address = closed.address
    assert desk.run("get", "cub_200_2011", "--mirror", address, mirror=False) == 1
    assert "No connection" in capsys.readouterr().err
    assert desk.left() == []


@pytest.mark.parametrize("offset", [-5, 5])
def test_another_length_than_the_record_says_is_refused_before_a_byte_is_kept(desk, cub, capsys, offset):
    desk.server.tricks[ARCHIVE] = [loopback.announce(len(cub) + offset)]
    assert_failed(desk, capsys, f"announces {len(cub) + offset} bytes; the record says {len(cub)}")


def test_a_file_without_end_is_stopped(desk, cub, capsys):
    desk.server.tricks[ARCHIVE] = [loopback.endless]
    assert_failed(desk, capsys, "More than .* arrive for CUB_200_2011.tgz.part. Stopped")


def test_a_huge_file_is_not_begun_where_the_size_is_only_about_known(tmp_path):
    with loopback.loopback() as server:
        server.files["/file"] = b"x"
        server.tricks["/file"] = [loopback.announce(10**12)]
        with pytest.raises(DownloadFailed, match=r"announces 1e\+03 GB|announces 1 TB; about 1 kB was expected"):
            download([f"{server.address}/file"], tmp_path / "x.part", Expected(1000, False, True), Patience(attempts=1))
    assert list(tmp_path.iterdir()) == []


# --- redirects ---


def test_a_redirect_on_the_same_host_is_followed_with_the_range(desk, cub):
    desk.server.files["/elsewhere"] = cub
    desk.server.tricks[ARCHIVE] = [loopback.redirect("/elsewhere")]
    desk.server.tricks["/elsewhere"] = [loopback.break_off_after(HALF), loopback.honest]
    assert desk.run("get", "cub_200_2011") == 0
    assert desk.server.ranges("/elsewhere") == [f"bytes={HALF}-"]
    assert_complete(desk, cub)


def test_a_circle_of_redirects_is_left(desk, cub, capsys):
    desk.server.tricks[ARCHIVE] = [loopback.redirect(ARCHIVE, 301)]
    assert_failed(desk, capsys, "sends us on more than 5 times")
    assert len(desk.server.log) == 6


def test_another_host_is_followed_only_if_it_is_allowed(desk, cub, capsys):
    desk.server.tricks[ARCHIVE] = [loopback.redirect(f"http://localhost:{desk.server.port}/elsewhere")]
    desk.server.files["/elsewhere"] = cub
    assert_failed(desk, capsys, "sends us to another host, localhost.*--allow-host localhost")
    assert [request.path for request in desk.server.log] == [ARCHIVE]
    assert desk.run("get", "cub_200_2011", "--allow-host", "localhost") == 0
    assert_complete(desk, cub)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,evil", "gopher://127.0.0.1/x"])
def test_a_redirect_to_something_else_than_the_web_is_not_followed(desk, cub, capsys, target):
    desk.server.tricks[ARCHIVE] = [loopback.redirect(target)]
    assert_failed(desk, capsys, "only http and https are followed")


def test_a_redirect_from_https_to_http_is_not_followed():
    with pytest.raises(DownloadFailed, match="from https to unprotected http"):
        _redirected("https://example.org/a", "http://example.org/a", ("example.org",))
    assert _redirected("http://example.org/a", "https://example.org/b", ("example.org",)) == "https://example.org/b"


def test_without_any_address_the_file_is_gone(tmp_path):
    with pytest.raises(Gone, match="No address is known"):
        download([], tmp_path / "x.part", Expected(1, True, True))


def test_a_download_writes_nothing_but_its_part_file(tmp_path):
    with loopback.loopback() as server:
        server.files["/file"] = b"content"
        download([f"{server.address}/file"], tmp_path / "x.part", Expected(7, True, False))
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["x.part", "x.part.json"]
