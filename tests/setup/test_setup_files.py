"""The files that set the course up agree with each other and keep machine and registry names out."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tracked_text_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    names = [n for n in listing.stdout.split("\0") if n and Path(n).suffix not in {".png", ".jpg", ".jpeg", ".webp"}]
    return [ROOT / n for n in names if (ROOT / n).is_file()]


def test_environment_yml_lists_the_ranges_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert sorted(e for e in pip if not e.startswith("-e")) == sorted(PROJECT["dependencies"])
    python = next(e for e in environment["dependencies"] if isinstance(e, str) and e.startswith("python"))
    assert python.removeprefix("python") == PROJECT["requires-python"]


def test_the_lock_pins_and_hashes_every_package():
    entries = re.findall(r"^([a-z0-9][\w.-]*)==\S+[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}[ \\]*\n)+)", LOCK, flags=re.M)
    pinned = re.findall(r"^[a-z0-9][\w.-]*==", LOCK, flags=re.M)
    assert len(entries) == len(pinned) > 100


def test_the_lock_covers_every_declared_package():
    declared = PROJECT["dependencies"] + [d for extra in PROJECT["optional-dependencies"].values() for d in extra]
    names = {re.split(r"[<>=\[;]", d)[0] for d in declared}
    locked = set(re.findall(r"^([a-z0-9][\w.-]*)==", LOCK, flags=re.M))
    assert names <= locked


def test_the_lock_names_no_index_and_tells_how_it_was_made():
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", LOCK)
    assert "make lock" in LOCK.splitlines()[1]


def test_torch_and_torchvision_fit_each_other():
    """Same build (the part after the plus sign), a torch that torchvision asks for, and operators that load."""
    import torch
    import torchvision
    from packaging.requirements import Requirement

    assert torch.__version__.partition("+")[2] == torchvision.__version__.partition("+")[2]
    wanted = next(r for r in map(Requirement, metadata.requires("torchvision")) if r.name == "torch")
    assert wanted.specifier.contains(torch.__version__.partition("+")[0])
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9]])
    assert torchvision.ops.nms(boxes, torch.tensor([0.5, 0.9]), 0.5).tolist() == [1]


def test_no_file_names_a_path_of_this_machine_or_a_registry():
    here = [re.escape(str(ROOT.parent) + "/"), re.escape(str(Path.home()) + "/")] if len(ROOT.parts) > 2 else []
    registry = re.escape("py" + "pi.org") + "|" + re.escape("python" + "hosted.org") + "|" + re.escape("registry.npm" + "js.org")
    pattern = re.compile("|".join([*here, registry]))
    found = []
    for path in tracked_text_files():
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".ipynb":
            text = re.sub(r'"image/(png|jpeg)": "[^"]*"', "", text)
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in pattern.finditer(text)]
    assert not found


def test_nothing_large_is_tracked():
    large = [p.relative_to(ROOT) for p in tracked_text_files() if p.stat().st_size > 1_000_000]
    assert not large


def test_importing_the_package_is_light():
    code = "import sys; import course_utils; heavy = {'torch', 'numpy', 'matplotlib'} & set(sys.modules); sys.exit(', '.join(heavy) or 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", ["make lab", "make test", "make notebooks", "make bench", "make evidence", "make sabotage"])
def test_the_readme_shows_each_command(command):
    assert command in README
    assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M)


def test_the_readme_lists_every_chapter_with_a_duration():
    rows = dict(re.findall(r"^\| \[?`?(\d\d_\w+)`?\]?\S* \|.*\| (\d+) min \|", README, flags=re.M))
    chapters = {p.stem for p in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert chapters <= set(rows)


def test_readme_links_resolve():
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        if not target.startswith(("http", "#")):
            assert (ROOT / target).exists(), target


def test_ci_runs_the_readmes_test_command():
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "make test"


def test_rooms_import_downward_only():
    """checks, profile, plotting < data, training < retrieval < explore, learn, evidence; no sideways imports."""
    floors = {"checks": 0, "profile": 0, "plotting": 0, "data": 1, "training": 1, "retrieval": 2, "clustering": 2, "reduction": 2,
              "metric_learning": 2, "augment": 2, "generative": 2, "policy": 3, "explore": 4, "learn": 4, "evidence": 4}  # fmt: skip
    wrong = []
    for path in (ROOT / "course_utils").rglob("*.py"):
        room = path.relative_to(ROOT / "course_utils").parts[0].removesuffix(".py")
        if room not in floors:
            continue
        text = path.read_text(encoding="utf-8")
        imported = re.findall(r"^\s*(?:from|import) course_utils\.(\w+)", text, flags=re.M)
        imported += [
            n.strip().split(" as ")[0]
            for m in re.findall(r"^\s*from course_utils import ([^\n(]+)", text, flags=re.M)
            for n in m.split(",")
        ]
        for other in imported:
            if other in floors and other != room and not (floors[other] < floors[room] or floors[other] == floors[room] == 0):
                wrong.append(f"{path.relative_to(ROOT)} imports {other}")
    assert not wrong
