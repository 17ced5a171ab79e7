"""Seeds spread over a cluster without a change of code: here a local Dask cluster of two workers."""

from __future__ import annotations

import joblib
import pytest

from course_utils import evidence
from course_utils.evidence import ledger

distributed = pytest.importorskip("distributed")


def experiment(seed: int) -> dict[str, float]:
    from distributed import get_worker

    return {"new": 1.0 + seed, "old": float(seed), "on a worker": float(bool(get_worker().address))}


def test_seeds_run_on_a_dask_cluster(monkeypatch):
    monkeypatch.setattr(ledger, "CLAIMS", dict(ledger.CLAIMS))
    ledger.register(evidence.Claim("cluster", "x", "y.", experiment, [("new", "old")], 0.5, "score", "tiny"))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        (found,) = ledger.run(["cluster"], n_seeds=3)
    assert found.seeds == [1, 2, 3]
    assert found.figures["new"] == [2.0, 3.0, 4.0]
    assert found.figures["on a worker"] == [1.0, 1.0, 1.0]
