"""The court: right mixers pass, the known mistakes are found and as large as the card says, and random states come back."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from course_utils.augment import mixing_court
from course_utils.augment.mixing_court import CourtRow, hold_court


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], CourtRow]:
    return {(row.library, row.mixer): row for row in hold_court()}


@pytest.mark.parametrize("library", ["course", "torchvision"])
def test_ours_and_torchvision_are_right(library: str, rows: dict) -> None:
    mine = [row for (where, _), row in rows.items() if where == library]
    assert len(mine) >= 2
    assert all(row.error < 1e-6 and row.is_right for row in mine)


def test_formulas_gone_wrong_are_found(rows: dict) -> None:
    assert rows["gone wrong", "CutMix, lam as it was drawn"].error == pytest.approx(0.6, abs=0.15)
    assert rows["gone wrong", "SmoothMix, labels exchanged"].error == pytest.approx(0.6, abs=0.15)
    assert rows["gone wrong", "SmoothMix, H W forgotten"].error > 0.6
    assert not any(row.is_right for (where, _), row in rows.items() if where == "gone wrong")


@pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed")
def test_timm_is_right_but_for_its_smoothing(rows: dict) -> None:
    assert all(row.is_right for (where, name), row in rows.items() if where == "timm" and "defaults" not in name)
    assert rows["timm", "CutMix, its defaults"].error == pytest.approx(0.083, abs=0.005)


@pytest.mark.skipif(importlib.util.find_spec("kornia") is None, reason="kornia is not installed")
def test_kornia_depends_on_how_its_lambda_is_read(rows: dict) -> None:
    assert rows["kornia", "RandomMixUpV2"].is_right
    assert rows["kornia", "RandomCutMixV2"].error > 0.9
    assert rows["kornia", "RandomCutMixV2, read as its mixup"].is_right
    assert rows["kornia", "RandomCutMixV2, correct lambda"].is_right


def test_a_missing_library_is_named_and_a_mixer_of_the_reader_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        mixing_court.importlib.util, "find_spec", lambda name, *rest: None if name == "timm" else found(name, *rest)
    )
    rows = hold_court(draws=1, more={"still": lambda x, y: (x, torch.nn.functional.one_hot(y, 6).float())})
    assert CourtRow("timm", "all", None, "not installed") in rows
    assert not next(row for row in rows if row.library == "timm").is_right
    assert rows[-1] == CourtRow("yours", "still", 0.0)


def test_the_court_repeats_and_leaves_the_random_states_alone() -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    assert hold_court(draws=2) == hold_court(draws=2)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
