"""Two vLLM engines under Ray: the accuracy of one, and a ledger that is the sum of their own counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner.benchmarks.runner.bench import opened
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.stats.proportion import wilson
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.store import read
from reasoner.benchmarks.workers import ray_cluster
from reasoner.benchmarks.workers.driver import Driver
from reasoner.benchmarks.workers.messages import WorkerSetup
from reasoner.benchmarks.workers.ray_worker import RayWorker, version
from reasoner.benchmarks.workers.run import staffed
from reasoner.benchmarks.workers.spec import WorkersSpec
from tests import engines

pytestmark = [pytest.mark.engine, pytest.mark.slow, engines.VLLM, pytest.mark.timeout(1500)]

BACKEND = "vllm(kv_cache_gib=1, disable_log_stats=False)"
GRID = Grid(
    tasks=("countdown",), strategies=("best-of-n", "beam"), ns=(4,), search_ns=(4,), problems=24, backend=BACKEND,
)  # fmt: skip
COUNTS = ("prompt_tokens", "prefix_cache_hits", "generation_tokens")


class CountingWorker(RayWorker):
    """A worker that also tells the engine's own counts."""

    async def counts(self) -> list[int]:
        """Return prompt tokens, those of them that were cached, and decoded tokens."""
        from prometheus_client import REGISTRY

        samples = [s for metric in REGISTRY.collect() for s in metric.samples]
        return [int(sum(s.value for s in samples if s.name == f"vllm:{n}_total")) for n in COUNTS]


async def on_engines(count: int, out: Path, address: str) -> tuple[list[Record], list[list[int]]]:
    """Run the grid on so many engines; return the records, and each engine's counts."""
    solvers = Solvers(GRID)
    setup = WorkerSetup(GRID, None, {"backend": BACKEND}, solvers.examples, version())
    workers = WorkersSpec(engines=count, cpus=1, address=address)
    async with staffed(workers, setup) as (present, cluster):
        with opened(GRID, out, solvers) as work, Meter() as bar:
            use = solvers.engine_use
            tally = await Driver(work, present, cluster, concurrency=8, use=use, bar=bar).run()
        assert tally.failed == 0
        counts: list[list[int]] = [await link.actor.counts.remote() for link in cluster.links]
        assert all(worker.use.problems for worker in present)
    return [record for spec in GRID.specs() for record in read(out, spec)], counts


async def test_two_engines_are_as_good_as_one_and_count_what_they_spend(
    tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "RayWorker", CountingWorker)
    rights, shares = list[int](), list[float]()
    for count in (1, 2):
        records, counts = await on_engines(count, tmp_path / str(count), cluster)
        assert len(records) == 48 and len(counts) == count
        prompt, cached, decoded = (sum(each) for each in zip(*counts, strict=True))
        spends: list[Any] = [record.spend for record in records]
        assert sum(s.generated_tokens for s in spends) == decoded
        assert sum(s.prompt_tokens_cached for s in spends) == cached
        assert sum(s.prompt_tokens_fresh + s.prompt_tokens_cached for s in spends) == prompt
        rights.append(sum(record.correct for record in records))
        shares.append(cached / prompt)
        print(
            f"{count} engines: {rights[-1]} of 48 right, {shares[-1]:.4f} of prompt tokens cached"
        )
    low, high = wilson(rights[0], 48)
    assert low <= rights[1] / 48 <= high
    assert abs(shares[1] - shares[0]) < 0.01
