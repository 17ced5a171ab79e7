"""The environment check says what is missing and how to repair it, and the same on every healthy machine."""

from __future__ import annotations

import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from course_utils.learn import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def default_settings(monkeypatch, tmp_path):
    for name in ("COURSE_PROFILE", "COURSE_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(environment, "_free_gigabytes", lambda: 50.0)


@pytest.fixture
def versions(monkeypatch):
    """A dictionary of versions that replaces the installed ones where it has an entry; None = not installed."""
    changed: dict[str, str | None] = {}
    original = environment._version
    monkeypatch.setattr(environment, "_version", lambda name: changed[name] if name in changed else original(name))
    return changed


def test_a_healthy_machine_gets_one_sentence():
    report = environment.check()
    assert report.problems == ()
    assert repr(report) == "Everything that the course needs is here."
    assert report._repr_mimebundle_()["text/plain"] == repr(report)


def test_the_shown_table_does_not_depend_on_versions_threads_or_disk(monkeypatch):
    first = environment.check()._repr_mimebundle_()
    monkeypatch.setenv("COURSE_THREADS", "1")
    monkeypatch.setattr(environment, "_free_gigabytes", lambda: 7.0)
    assert environment.check()._repr_mimebundle_() == first
    assert metadata.version("numpy") not in first["text/html"]
    assert str(ROOT) not in first["text/html"]


def test_the_requirements_are_those_of_pyproject_without_extras():
    with open(ROOT / "pyproject.toml", "rb") as file:
        wanted = {str(Requirement(line)) for line in tomllib.load(file)["project"]["dependencies"]}
    assert {str(r) for r in environment._requirements()} == wanted


def test_a_missing_package_is_named_with_its_repair(versions):
    versions["seaborn"] = None
    assert repr(environment.check()) == (
        "One thing needs attention.\n- seaborn is missing. Close Jupyter and run `make lab` again in the project's folder."
    )


def test_an_old_package_is_named_with_the_range(versions):
    versions["numpy"] = "1.26.4"
    assert "- numpy 1.26.4 is outside >=2.1. Close Jupyter" in repr(environment.check())


def test_the_local_part_of_a_version_does_not_matter(versions):
    versions["torch"] = "2.15.0+cpu"
    assert environment.check().problems == ()


def test_a_project_that_is_not_installed_is_one_problem(versions):
    versions[environment.PROJECT] = None
    report = environment.check()
    assert [f.part for f in report.problems] == ["the course"]
    assert "is not installed in this Python" in repr(report)


def test_missing_widgets_are_named(versions):
    versions["jupyterlab_widgets"] = None
    assert "The explorers cannot be shown: jupyterlab_widgets missing. Close Jupyter" in repr(environment.check())


def test_two_problems_are_counted_and_listed(versions, monkeypatch):
    versions["scipy"] = None
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    lines = repr(environment.check()).splitlines()
    assert lines[0] == "2 things need attention."
    assert lines[1].startswith("- scipy is missing.")
    assert lines[2].startswith("- `COURSE_PROFILE` must be one of 'quick', 'full', 'gpu', but got 'fast'.")


def test_an_unsupported_python_is_refused(monkeypatch):
    monkeypatch.setattr(environment.platform, "python_version", lambda: "3.10.12")
    assert "- Python 3.10.12 is outside <3.14,>=3.11. Install one that fits" in repr(environment.check())


def test_a_package_that_does_not_start_is_reported_with_the_first_line_of_its_error(monkeypatch, tmp_path):
    (tmp_path / "torchbroken.py").write_text("raise RuntimeError('operator torchvision::nms does not exist\\nmore')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (finding,) = environment._starting(("torchbroken",))
    assert finding.problem == "torchbroken does not start: operator torchvision::nms does not exist."
    assert finding.repair.startswith("torch and torchvision must be of one release and from one place.")
    sys.modules.pop("torchbroken", None)


def test_a_package_whose_own_import_is_missing_does_not_start(monkeypatch, tmp_path):
    (tmp_path / "halfthere.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (finding,) = environment._starting(("halfthere",))
    assert "No module named 'surely_not_installed'" in finding.problem


def test_a_package_that_is_missing_as_a_whole_is_left_to_the_list_of_packages():
    (finding,) = environment._starting(("surely_not_installed",))
    assert finding.problem == ""


def test_more_threads_than_cores_are_a_problem(monkeypatch):
    monkeypatch.setattr(environment, "_cores", lambda: 2)
    monkeypatch.setenv("COURSE_THREADS", "8")
    text = repr(environment.check())
    assert "COURSE_THREADS asks for 8 threads, but only 2 cores are free" in text
    assert "Set COURSE_THREADS=2, or leave it unset." in text


def test_threads_that_are_no_number_are_a_problem(monkeypatch):
    monkeypatch.setenv("COURSE_THREADS", "many")
    assert "`COURSE_THREADS` must be a positive integer, but got 'many'. Leave COURSE_THREADS unset" in repr(environment.check())


def test_a_gpu_profile_without_a_card_is_a_problem(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends, "mps", SimpleNamespace(is_available=lambda: False))
    monkeypatch.setenv("COURSE_PROFILE", "gpu")
    assert "torch sees no graphics card" in repr(environment.check())


def test_a_full_disk_is_a_problem(monkeypatch):
    monkeypatch.setattr(environment, "_free_gigabytes", lambda: 0.25)
    assert "The cache folder has only 0.2 GB left. Set COURSE_CACHE" in repr(environment.check())


def test_a_cache_that_cannot_be_written_is_a_problem(monkeypatch):
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    assert "The cache folder cannot be written. Set COURSE_CACHE" in repr(environment.check())


def test_the_check_creates_no_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "not" / "yet"))
    assert environment.check().problems == ()
    assert environment._existing_cache_parent() == tmp_path
    assert not (tmp_path / "not").exists()


def test_the_table_shows_a_problem_beside_its_part(versions):
    versions["tqdm"] = "4.1"
    html = environment.check()._repr_mimebundle_()["text/html"]
    assert "One thing needs attention." in html
    assert "✗ tqdm 4.1 is outside &gt;=4.67." in html
    assert html.count("✓ fits") == 7


def test_details_print_versions_and_hardware_but_no_folder(capsys, tmp_path):
    environment.details()
    text = capsys.readouterr().out
    for name in ("system", "cores", "Python", "course", "torch", "faiss-cpu", "profile", "threads", "device"):
        assert f"\n{name} " in "\n" + text
    assert metadata.version("torch") in text
    assert str(tmp_path) not in text and str(ROOT) not in text


def test_details_survive_a_wrong_setting(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    environment.details()
    assert "`COURSE_PROFILE` must be one of" in capsys.readouterr().out
