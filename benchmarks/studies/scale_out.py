"""Measure workers: efficiency at several numbers of engines, and the driver's CPU time per problem.

    python -m reasoner.benchmarks.studies.scale_out [--engines 1,4,16] [--live 1,4,16] [--out DIR]

The engines are scripted, each call takes 50 ms, and each engine has as many problems to do whatever their
number: with perfect efficiency all runs take equally long. All of them, and the driver, share the cores of
this machine. `scale_simulation` goes on from the result to more engines.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.runner import bench
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.runner.progress_bar import Meter
from reasoner.benchmarks.store.database import NAME
from reasoner.benchmarks.store.environment import describe
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.workers.driver import Driver
from reasoner.benchmarks.workers.messages import WorkerSetup
from reasoner.benchmarks.workers.ray_worker import version
from reasoner.benchmarks.workers.run import staffed
from reasoner.benchmarks.workers.spec import WorkersSpec
from reasoner.files import save_json

FILE = "scale-out.json"
DELAY = 0.05
"""Seconds of each call."""
ROUNDS = 60
"""Problems for each engine, by the number of its problems in flight: so many after one another."""
PROGRAM = "python -m reasoner.benchmarks.studies.scale_out"


@dataclass(frozen=True, slots=True)
class Measurement:
    """A run of `problems` on `engines` with `live` in flight at each; no engine is a run in one process.

    `cpu` are the driver's seconds of CPU, from the first order to the last result, and `bytes` is the size
    of its database.
    """

    engines: int
    live: int
    problems: int
    calls: int
    exchanges: int
    seconds: float
    cpu: float
    bytes: int

    @property
    def cpu_ms(self) -> float:
        """The driver's CPU time per problem, in milliseconds."""
        return 1e3 * self.cpu / self.problems


def grid(engines: int, live: int) -> Grid:
    """Return a beam search on enough problems for all engines; it makes five calls for each."""
    return Grid(
        tasks=("dagmath",),
        strategies=("beam",),
        ns=(4,),
        search_ns=(4,),
        problems=ROUNDS * live * max(1, engines),
        model="scripted",
        backend=f"scripted(delay={DELAY})",
        verifier="verdict",
    )


async def alone(live: int, out: Path) -> Measurement:
    """Measure a run without workers."""
    asked = grid(0, live)
    solvers = Solvers(asked)
    began, cpu = time.perf_counter(), time.process_time()
    await bench.run(asked, out, solvers, Scripted(delay=DELAY), concurrency=live)
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    return Measurement(0, live, asked.problems, 0, 0, seconds, spent, size(out))


async def measured(engines: int, live: int, out: Path, address: str | None) -> Measurement:
    """Measure a run on workers, from its first order to its last result."""
    asked = grid(engines, live)
    solvers = Solvers(asked)
    setup = WorkerSetup(asked, "scripted", {"backend": asked.backend}, solvers.examples, version())
    workers = WorkersSpec(engines=engines, cpus=0.1, address=address)
    async with staffed(workers, setup) as (present, cluster):
        with bench.opened(asked, out, solvers) as work, Meter() as bar:
            driver = Driver(
                work, present, cluster, concurrency=live, use=solvers.engine_use, bar=bar
            )
            began, cpu = time.perf_counter(), time.process_time()
            await driver.run()
            seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    counts = driver.calls, driver.exchanges
    return Measurement(engines, live, asked.problems, *counts, seconds, spent, size(out))


def size(out: Path) -> int:
    """Return the bytes of a run's database."""
    return (out / NAME).stat().st_size


def measure(
    engines: Sequence[int], lives: Sequence[int], address: str | None
) -> Iterator[Measurement]:
    """Measure every number of engines with every number of problems in flight, and runs in one process."""
    with TemporaryDirectory() as folder:
        for live in lives:
            yield asyncio.run(alone(live, Path(folder) / f"{live}-alone"))
            for count in engines:
                out = Path(folder) / f"{live}-{count}"
                yield asyncio.run(measured(count, live, out, address))


def efficiencies(rows: Sequence[Measurement]) -> dict[tuple[int, int], float]:
    """Return, by engines and live problems, the throughput over as many times that of one engine."""
    one = {row.live: row.seconds for row in rows if row.engines == 1}
    return {
        (r.engines, r.live): one[r.live] / r.seconds for r in rows if r.engines and r.live in one
    }


def driver_costs(runs: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the driver's CPU seconds for an exchange and for a problem with its calls.

    They are the least squares of the CPU time of all runs with workers, neither below zero; the variance of a
    sum over problems grows with their number.
    """
    import numpy as np
    from scipy.optimize import nnls

    on_workers = [run for run in runs if run["engines"]]
    weights = np.array([run["problems"] for run in on_workers], float) ** -0.5
    counts = np.array([[run["exchanges"], run["problems"]] for run in on_workers], float)
    cpu = np.array([run["cpu"] for run in on_workers])
    [exchange, problem], _ = nnls(counts * weights[:, None], cpu * weights)
    return float(exchange), float(problem)


def table(rows: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Return the rows with what follows from them."""
    shares = efficiencies(rows)
    return [
        {**asdict(r), "cpu_ms": r.cpu_ms, "efficiency": shares.get((r.engines, r.live))}
        for r in rows
    ]


def document(rows: Sequence[Measurement], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that is stored."""
    return {"delay": DELAY, "runs": table(rows), "environment": dict(about)}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engines", default="1,4,16", help="numbers of engines, with commas")
    parser.add_argument("--live", default="1,4,16", help="problems in flight at each, with commas")
    parser.add_argument("--address", help="a Ray cluster that runs already")
    parser.add_argument("--out", type=Path, default=Path("runs/scale-out"))
    options = parser.parse_args(argv)
    engines, lives = (list(map(int, o.split(","))) for o in (options.engines, options.live))
    load = os.getloadavg()[0]
    rows = list[Measurement]()
    for row in measure(engines, lives, options.address):
        rows.append(row)
        print(
            f"{row.engines:3} engines, {row.live:3} live: {row.seconds:6.2f} s, {row.cpu_ms:.2f} ms"
        )
    shown = ["--engines", options.engines, "--live", options.live]
    about = {**describe(shown, PROGRAM), "seed": Grid().seed, "load_before": round(load, 2)}
    save_json(document(rows, about), options.out / FILE)
    save_json(about, options.out / "environment.json")


if __name__ == "__main__":
    main()
