"""The list of sabotages fits the package, so that `make sabotage` breaks what it says it breaks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from sabotages import SABOTAGES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda s: s.name)
def test_the_line_stands_there_once_and_the_slip_is_valid_python(sabotage):
    source = (ROOT / sabotage.file).read_text(encoding="utf-8")
    assert source.count(sabotage.right) == 1
    ast.parse(source.replace(sabotage.right, sabotage.wrong))
    assert (ROOT / "notebooks" / f"{sabotage.chapter}.ipynb").exists()
    assert all((ROOT / test).exists() for test in sabotage.tests)


def test_names_are_unique():
    assert len({s.name for s in SABOTAGES}) == len(SABOTAGES)
