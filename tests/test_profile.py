"""The environment variables steer a run, and a wrong value says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from course_utils import profile


@pytest.mark.parametrize(("name", "expected"), [("quick", 1), ("full", 2), ("gpu", 3)])
def test_a_value_is_chosen_by_profile(monkeypatch, name, expected):
    monkeypatch.setenv("COURSE_PROFILE", name)
    assert profile.by_profile(1, 2, 3) == expected


def test_gpu_falls_back_to_full(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "gpu")
    assert profile.by_profile(quick=1, full=2) == 2


def test_quick_is_the_default(monkeypatch):
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    assert profile.current_profile() == "quick"


def test_an_unknown_profile_is_refused(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    with pytest.raises(ValueError, match="COURSE_PROFILE.*'fast'"):
        profile.current_profile()


def test_the_gpu_profile_without_a_gpu_says_so(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="no graphics card"):
        profile.device()


def test_threads_follow_the_variable_then_the_worker_then_the_cores(monkeypatch):
    monkeypatch.setenv("COURSE_THREADS", "3")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    assert profile.n_threads() == 3
    monkeypatch.delenv("COURSE_THREADS")
    assert profile.n_threads() == 1
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    assert profile.n_threads() >= 1


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", ""])
def test_a_bad_number_of_threads_is_refused(monkeypatch, value):
    monkeypatch.setenv("COURSE_THREADS", value)
    with pytest.raises(ValueError, match="COURSE_THREADS"):
        profile.n_threads()


def test_use_threads_reaches_torch():
    before = torch.get_num_threads()
    try:
        assert profile.use_threads(1) == 1
        assert torch.get_num_threads() == 1
    finally:
        profile.use_threads(before)


@pytest.mark.parametrize("n", [1, 2])
def test_libraries_that_are_loaded_after_the_set_up_start_with_its_threads(n):
    """In a process of its own: only there is torch not loaded yet. The variable of the shell says something else."""
    program = (
        "import sys; from course_utils import profile; profile.set_up(); print('torch' in sys.modules)\n"
        "import torch; print(torch.get_num_threads()); import faiss; print(faiss.omp_get_max_threads())\n"
        "import sklearn.cluster, threadpoolctl\n"
        "print(max(pool['num_threads'] for pool in threadpoolctl.threadpool_info()))"
    )
    environment = os.environ | {"COURSE_THREADS": str(n), "OMP_NUM_THREADS": "3", "MKL_NUM_THREADS": "3"}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", str(n), str(n), str(n)]


def test_progress_is_silent_on_request(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROGRESS", "0")
    assert list(profile.progress(range(3))) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_batches_cover_the_range_once():
    assert [i for piece in profile.batches(7, 3) for i in range(7)[piece]] == list(range(7))


def test_the_device_can_be_named_without_another_scale(monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "quick")
    monkeypatch.setenv("COURSE_DEVICE", "meta")
    assert str(profile.device()) == "meta" and profile.by_profile(quick=1, full=2) == 1
    monkeypatch.setenv("COURSE_DEVICE", "a card")
    with pytest.raises(ValueError, match="COURSE_DEVICE"):
        profile.device()
