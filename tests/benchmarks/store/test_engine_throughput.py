"""Tokens a second of a run's engine: counted from its calls, kept by session, shown."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.reports.bench import report
from reasoner.benchmarks.reports.html_page import write
from reasoner.benchmarks.runner.bench import run
from reasoner.benchmarks.runner.components import Solvers
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.store.engine_throughput import WINDOW, EngineUse, busiest, throughput
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.store import read
from reasoner.budget import Entry
from reasoner.cli import main
from reasoner.errors import BackendError, StoreError
from reasoner.events import Result
from reasoner.search.best_of_n import BestOfN
from reasoner.solving import solve
from reasoner.trace import Trace
from reasoner.types import Problem, Sampling, Usage
from reasoner.verifiers.verdict import Verdict

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

PROBLEM = Problem("p", "1+2+3")


def most(calls: list[tuple[float, float, float]], window: float) -> float:
    began, ended, tokens = np.array(calls).T
    return busiest(began, ended, tokens, window)


def tried(began: Floats, ended: Floats, tokens: Floats, window: float) -> float:
    """The most tokens a second of calls within any stretch from a call's start to a call's end."""
    return max(
        float(tokens[(began >= a) & (ended <= b)].sum() / max(b - a, window))
        for a in began
        for b in ended
        if b > a
    )


def test_the_busiest_stretch() -> None:
    assert most([(0, 100, 1000)], 10) == pytest.approx(10)
    assert most([(0, 100, 1000), (40, 44, 600)], 10) == pytest.approx(60)
    # Two bursts that no stretch holds both of.
    assert most([(0, 1, 50), (20, 22, 80)], 10) == pytest.approx(8)


def test_calls_that_wait_in_line_make_no_peak() -> None:
    """Each is decoded in four seconds, one after the other, and all have begun at once."""
    calls = [(0.0, 4.0 * (i + 1), 4000.0) for i in range(128)]
    assert 1000 / 1.1 <= most(calls, 10) <= 1000 * 1.001


@pytest.mark.parametrize("seed", range(5))
def test_the_busiest_stretch_is_that_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    began = rng.uniform(0, 60, 40)
    ended, tokens = began + rng.exponential(4, 40) + 0.01, rng.integers(1, 500, 40).astype(float)
    found, best = busiest(began, ended, tokens, 10), tried(began, ended, tokens, 10)
    assert best / 1.1 <= found <= best * 1.001


def test_a_session_of_finished_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    use = EngineUse()
    for now in (130.0, 150.0):
        monkeypatch.setattr("time.monotonic", lambda now=now: now)
        # Each took 20 seconds; its first call decoded nothing.
        calls = (
            Entry("verifier", Usage(1, 9), 2, 1),
            Entry("generator", Usage(2, 9, 0, 400), 20, 16),
        )
        use.add(Result(None, None, (), Trace(PROBLEM), Usage(), seconds=20, calls=calls))
    found = use.session()
    assert found and (found.tokens, found.seconds, found.window) == (800, 36, 10)
    assert 25 / 1.1 <= found.peak <= 25
    assert EngineUse().session() is None


async def test_calls_tell_how_long_they_took() -> None:
    backend = Scripted(delay=0.02)
    result = await solve(PROBLEM, BestOfN(n=4), backend, Verdict(), sampling=Sampling(stop=("\n",)))
    assert sum((c.usage for c in result.calls), Usage()) == result.usage
    assert all(0.02 <= c.seconds <= c.elapsed <= result.seconds for c in result.calls)


async def test_a_run_is_counted_as_its_records_count_it(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    bench = bench_type(
        tmp_path, Scripted(delay=0.001), strategies=["beam", "best-of-n"], problems=10
    )
    await bench.run()
    spent = [row.spend for spec in bench.grid.specs() for row in read(tmp_path, spec)]
    assert report(RunFolder(tmp_path, bench.grid)).throughput is None
    bench.solvers.engine_use.keep(tmp_path)
    bench.solvers.engine_use.save()
    found = report(RunFolder(tmp_path, bench.grid)).throughput
    assert found and found.tokens == sum(each.generated_tokens for each in spent)
    assert found.window == min(WINDOW, found.seconds) and found.mean <= found.peak * 1.001


def ended(tokens: int, seconds: float) -> Result:
    """A run that took one call."""
    call = Entry("generator", Usage(1, 9, 0, tokens), seconds, seconds)
    return Result(None, None, (), Trace(PROBLEM), Usage(), seconds=seconds, calls=(call,))


def test_sessions_add_up(tmp_path: Path) -> None:
    assert throughput(tmp_path) is None
    for tokens, seconds in ((900, 30), (0, 1), (100, 10)):
        use = EngineUse()
        use.keep(tmp_path)
        use.add(ended(tokens, seconds))
        use.save()
    found = throughput(tmp_path)
    assert found and (found.sessions, found.mean) == (2, 25)
    assert found.peak == pytest.approx(30)
    told = "engine: 25 output tokens a second (1,000 in 40 s), 30 at the peak of 10 s or more"
    assert str(found) == told
    (tmp_path / "throughput.json").write_text('[{"tokens": 0}]')
    with pytest.raises(StoreError, match=r"throughput.json is corrupt \(.*\); delete it"):
        throughput(tmp_path)
    with pytest.raises(StoreError, match="delete it"):
        EngineUse().keep(tmp_path)


def test_a_killed_session_is_kept_as_it_was_lately(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((100.0, 110.0, 131.0, 132.0, 140.0))
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    use = EngineUse()
    use.keep(tmp_path)
    for tokens in (50, 70, 90):
        use.add(ended(tokens, 5))
    found = throughput(tmp_path)  # It never got to save its end.
    assert found and (found.sessions, found.tokens) == (1, 120)
    use.save()
    found = throughput(tmp_path)
    assert found and (found.sessions, found.tokens) == (1, 210)


def test_bench_and_report_show_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        "bench",
        "--model",
        "scripted",
        "--task",
        "countdown",
        "--strategy",
        "greedy",
        "--problems",
    ]
    out = ["--out", str(tmp_path)]
    assert main([*asked, "2", *out]) == 0
    assert "engine: " in capsys.readouterr().out
    # A session that has nothing to do says nothing new.
    for problems, sessions in (("2", 1), ("5", 2)):
        assert main([*asked, problems, *out, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)["throughput"]
        assert told["sessions"] == sessions and told["peak"] >= told["mean"] * 0.999
    page = write(RunFolder(tmp_path), tmp_path / "report.html").read_text()
    assert '"throughput":"engine: ' in page


async def test_an_engine_starts_before_a_problems_time_begins(tmp_path: Path) -> None:
    class Slow(Scripted):
        async def start(self) -> None:
            await asyncio.sleep(0.2 * (not self.usage.requests))

    grid = Grid(tasks=("countdown",), strategies=("greedy",), problems=1, backend="scripted")
    await run(grid, tmp_path, Solvers(grid), Slow())
    [spec] = grid.specs()
    [record] = read(tmp_path, spec)
    assert 0 < record.spend.seconds < 0.2


async def test_an_engine_that_does_not_start_is_a_clear_error(tmp_path: Path) -> None:
    class Broken(Scripted):
        async def start(self) -> None:
            raise BackendError("no engine today")

    grid = Grid(tasks=("countdown",), strategies=("greedy",), problems=9, backend="scripted")
    with pytest.raises(BackendError, match="no engine today"):
        await run(grid, tmp_path, Solvers(grid), Broken())
