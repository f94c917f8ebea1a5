"""Measure workers: efficiency at several numbers of engines, and the driver's CPU time per problem.

    python -m reasoner.benchmarks.studies.scale_out [--engines 1,4,16] [--out DIR]

The engines are scripted, each call takes 50 ms, and each engine has as many problems to do whatever their
number: with perfect efficiency all runs take equally long. All of them share the cores of this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.runner import bench
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.workers.driver import Driver
from reasoner.benchmarks.workers.messages import WorkerSetup
from reasoner.benchmarks.workers.ray_worker import version
from reasoner.benchmarks.workers.run import staffed
from reasoner.benchmarks.workers.spec import WorkersSpec

DELAY = 0.05
"""Seconds of each call."""
EACH = 60
"""Problems for each engine."""
LIVE = 4
"""Problems in flight at each engine."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A run on so many engines; none is a run in one process. `cpu` are the driver's seconds."""

    engines: int
    problems: int
    calls: int
    seconds: float
    cpu: float

    @property
    def cpu_ms(self) -> float:
        """The driver's CPU time per problem, in milliseconds."""
        return 1e3 * self.cpu / self.problems


def grid(engines: int, strategy: str) -> Grid:
    """Return a search over steps on enough problems for all engines."""
    return Grid(
        tasks=("dagmath",),
        strategies=(strategy,),
        ns=(4,),
        search_ns=(4,),
        problems=EACH * max(1, engines),
        model="scripted",
        backend=f"scripted(delay={DELAY})",
        verifier="verdict",
    )


async def alone(strategy: str, out: Path) -> Measurement:
    """Measure a run without workers."""
    asked = grid(0, strategy)
    solvers = Solvers(asked)
    began, cpu = time.perf_counter(), time.process_time()
    await bench.run(asked, out, solvers, Scripted(delay=DELAY), concurrency=LIVE)
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    return Measurement(0, asked.problems, 0, seconds, spent)


async def measured(engines: int, strategy: str, out: Path, address: str | None) -> Measurement:
    """Measure a run on so many engines, from its first order to its last result."""
    asked = grid(engines, strategy)
    solvers = Solvers(asked)
    setup = WorkerSetup(asked, "scripted", {"backend": asked.backend}, solvers.examples, version())
    workers = WorkersSpec(engines=engines, cpus=0.1, address=address)
    async with staffed(workers, setup) as (present, cluster):
        with bench.opened(asked, out, solvers) as work, Meter() as bar:
            driver = Driver(
                work, present, cluster, concurrency=LIVE, use=solvers.engine_use, bar=bar
            )
            began, cpu = time.perf_counter(), time.process_time()
            await driver.run()
            seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    return Measurement(engines, asked.problems, driver.calls, seconds, spent)


def efficiency(rows: Sequence[Measurement]) -> list[float]:
    """Return the throughput of each run over that of one engine and its number of engines."""
    one = next(row for row in rows if row.engines == 1)
    return [one.seconds / row.seconds for row in rows]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engines", default="1,4,16", help="numbers of engines, with commas")
    parser.add_argument("--strategy", default="beam")
    parser.add_argument("--address", help="a Ray cluster that runs already")
    options = parser.parse_args(argv)
    rows = list[Measurement]()
    with TemporaryDirectory() as folder:
        print(asdict(asyncio.run(alone(options.strategy, Path(folder) / "alone"))))
        for engines in map(int, options.engines.split(",")):
            row = asyncio.run(
                measured(engines, options.strategy, Path(folder) / str(engines), options.address)
            )
            rows.append(row)
            print(json.dumps(asdict(row) | {"cpu_ms": row.cpu_ms, "eff": efficiency(rows)[-1]}))


if __name__ == "__main__":
    main()
