"""Real processes: killed half-way, two at once, a full disk, and a folder that is not ours."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import time

import loopback
import pytest
import small_sets

from course_utils.data.real_data_folder import real_data

LIMIT = 60.0
N_PICTURES = 1000


def wait_until(condition, what: str) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited too long for {what}"
        time.sleep(0.002)


@pytest.fixture
def large(desk):
    """Serve a set of many small pictures in one archive; give its bytes."""
    content = small_sets.tar_of({f"pictures/{i:04d}.jpg": os.urandom(4000) for i in range(N_PICTURES)}, compress=False)
    record = small_sets.victim(content, unpacked=len(content), members=N_PICTURES)
    desk.serve(record, {"victim.tar": content})
    return content


def finished(process) -> tuple[int, str, str]:
    out, error = process.communicate(timeout=LIMIT)
    return process.returncode, out, error


def assert_whole(desk, content: bytes) -> None:
    folder = real_data("victim", desk.root)
    assert folder is not None and len(list((folder / "pictures").iterdir())) == N_PICTURES
    assert desk.run("verify", "victim") == 0
    assert not [path for path in desk.left() if not path.startswith("victim/")]


def test_a_download_that_is_killed_half_way_is_continued(desk, large):
    """SIGKILL while the server holds back the second half; the next run asks for exactly the rest."""
    half = len(large) // 2
    pause = loopback.PauseAfter(half)
    desk.server.tricks["/victim/victim.tar"] = [pause, loopback.honest]
    part = desk.root / "archives" / "victim" / "victim.tar.part"
    process = desk.start("get", "victim", "--stall-timeout", "60")
    assert pause.reached.wait(LIMIT)
    wait_until(lambda: part.exists() and part.stat().st_size == half, "the first half")
    process.send_signal(signal.SIGKILL)
    assert finished(process)[0] == -signal.SIGKILL
    pause.go_on.set()

    assert part.read_bytes() == large[:half]
    assert real_data("victim", desk.root) is None
    code, out, error = finished(desk.start("get", "victim"))
    assert code == 0, error
    assert "Continuing victim.tar after" in out
    assert desk.server.ranges("/victim/victim.tar") == [f"bytes={half}-"]
    assert desk.server.log[-1].status == 206
    assert_whole(desk, large)


def test_an_unpacking_that_is_killed_half_way_is_done_again_without_a_download(desk, large):
    building = desk.root / ".work" / "victim.building"
    process = desk.start("get", "victim")
    wait_until(lambda: (building / "pictures").exists() and any((building / "pictures").iterdir()), "the first picture")
    process.send_signal(signal.SIGSTOP)
    n_pictures = len(list((building / "pictures").iterdir()))
    process.send_signal(signal.SIGKILL)
    finished(process)
    assert 0 < n_pictures < N_PICTURES
    assert real_data("victim", desk.root) is None

    (building / "pictures" / "rubbish.txt").write_text("from the dead process")
    assert desk.run("get", "victim") == 0
    assert len(desk.server.log) == 1
    assert_whole(desk, large)


def test_two_processes_at_once_fetch_once(desk, large):
    pause = loopback.PauseAfter(len(large) // 3)
    desk.server.tricks["/victim/victim.tar"] = [pause, loopback.honest]
    first = desk.start("get", "victim", "--stall-timeout", "60")
    assert pause.reached.wait(LIMIT)
    second = desk.start("get", "victim")
    said = second.stdout.readline()
    while said and "Another process is working on victim" not in said:
        said = second.stdout.readline()
    assert "waiting until it is done" in said
    pause.go_on.set()
    results = [finished(first), finished(second)]
    assert [code for code, _, _ in results] == [0, 0], results
    assert "has been completed by the other process" in results[1][1]
    assert len(desk.server.log) == 1
    assert_whole(desk, large)


def test_a_process_that_waits_too_long_says_so(desk, large, capsys):
    pause = loopback.PauseAfter(1000)
    desk.server.tricks["/victim/victim.tar"] = [pause, loopback.honest]
    first = desk.start("get", "victim", "--stall-timeout", "60")
    assert pause.reached.wait(LIMIT)
    assert desk.run("get", "victim", "--lock-wait", "0.2") == 1
    assert "has been working on victim for more than 0.2 s" in capsys.readouterr().err
    pause.go_on.set()
    assert finished(first)[0] == 0
    assert_whole(desk, large)


def test_the_lock_of_a_killed_process_is_free(desk, large):
    pause = loopback.PauseAfter(1000)
    desk.server.tricks["/victim/victim.tar"] = [pause, loopback.honest]
    first = desk.start("get", "victim", "--stall-timeout", "60")
    assert pause.reached.wait(LIMIT)
    first.send_signal(signal.SIGKILL)
    finished(first)
    pause.go_on.set()
    assert (desk.root / ".work" / "victim.lock").exists()
    assert desk.run("get", "victim", "--lock-wait", "0") == 0
    assert_whole(desk, large)


def test_a_disk_that_fills_up_while_fetching_keeps_what_has_arrived(desk, large):
    """The operating system refuses to let any file of the process grow beyond 1 MB."""
    code, _, error = finished(desk.start("get", "victim", preexec_fn=small_files_only))
    assert code == 1
    assert "The disk is full" in error and "run the same command again" in error and "Traceback" not in error
    part = desk.root / "archives" / "victim" / "victim.tar.part"
    assert 0 < part.stat().st_size <= 2**20
    assert desk.run("get", "victim") == 0
    assert desk.server.log[-1].status == 206
    assert_whole(desk, large)


def small_files_only() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))


def test_a_disk_that_fills_up_while_unpacking_leaves_the_archive_only(desk, large, capsys, monkeypatch):
    from data_scripts import extract

    def full(source, path, meter):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(extract, "_save", full)
    assert desk.run("get", "victim") == 1
    assert "The disk is full" in capsys.readouterr().err
    assert desk.left() == ["archives/victim/victim.tar"]
    monkeypatch.undo()
    assert desk.run("get", "victim") == 0
    assert len(desk.server.log) == 1
    assert_whole(desk, large)


def test_a_set_that_does_not_fit_is_not_begun(desk, large, capsys, monkeypatch):
    usage = shutil.disk_usage(desk.root.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * len(large)))
    assert desk.run("get", "victim") == 1
    error = capsys.readouterr().err
    assert "victim needs" in error and "are free. Make room, or choose another folder with --root" in error
    assert desk.server.log == [] and desk.left() == []


def test_a_folder_that_is_not_ours_is_never_replaced(desk, large, capsys):
    mine = desk.root / "victim" / "my_notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert desk.run("get", "victim") == 1
    assert "exists and was not made by these scripts. Move it away" in capsys.readouterr().err
    assert desk.left() == ["victim/my_notes.txt"] and mine.read_text() == "mine"
    assert desk.server.log == []


def test_a_root_that_cannot_be_written_is_named(desk, large, capsys):
    desk.root.write_text("a file")
    assert desk.run("get", "victim") == 1
    assert f"Is the folder {desk.root} yours to write to?" in capsys.readouterr().err


def test_an_archive_that_was_damaged_after_its_download_is_fetched_again(desk, large):
    archive = desk.root / "archives" / "victim" / "victim.tar"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(large[:-1] + b"x")
    assert desk.run("get", "victim") == 0
    assert len(desk.server.log) == 1
    assert_whole(desk, large)


def test_ctrl_c_keeps_the_part_and_leaves_no_traceback(desk, large):
    pause = loopback.PauseAfter(100_000)
    desk.server.tricks["/victim/victim.tar"] = [pause, loopback.honest]
    process = desk.start("get", "victim", "--stall-timeout", "60", preexec_fn=as_in_a_terminal)
    assert pause.reached.wait(LIMIT)
    process.send_signal(signal.SIGINT)
    code, _, error = finished(process)
    pause.go_on.set()
    assert code == 130 and "stopped. What has arrived is kept" in error and "Traceback" not in error
    assert desk.run("get", "victim") == 0
    assert_whole(desk, large)


def as_in_a_terminal() -> None:
    """Tests that run in the background inherit that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
