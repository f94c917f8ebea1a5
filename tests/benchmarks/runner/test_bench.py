"""A grid is run once, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.analysis.curves import points
from reasoner.benchmarks.runner import scheduler
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.store import read
from reasoner.errors import BackendError, ConfigError
from reasoner.types import Generation, Prompt, Sampling, Usage

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(scheduler, "PAUSE", 0.0)


class Stumbling(Scripted):
    """Fails, so many times, at the last call but one of some problems."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times, self.tries = times, Counter[str]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """As the script says, unless it is one of those."""
        id, begun = prompt.problem.id, prompt.text.count("\n") or 99
        if id in ("test-0", "test-3", "test-5") and begun > 2 and self.tries[id] < self.times:
            self.tries[id] += 1
            raise BackendError(f"stumbled over {id}")
        return await super().generate(prompt, sampling)


def timeless(records: list[Record]) -> list[Record]:
    """Records without what the clock told."""
    return [
        r.model_copy(update={"spend": r.spend.model_copy(update={"seconds": 0.0})}) for r in records
    ]


SMALL: dict[str, Any] = {"strategies": ["greedy", "best-of-n"], "problems": 12}


async def test_every_problem_of_every_experiment_is_recorded(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    bench = bench_type(tmp_path, problems=4, budgets=[{"tokens": 60}])
    await bench.run()
    for spec in bench.grid.specs():
        assert [r.index for r in sorted(read(tmp_path, spec), key=lambda r: r.index)] == [*range(4)]
        if spec.budget:
            assert all(r.spend.generated_tokens <= 60 for r in read(tmp_path, spec))


async def test_the_store_holds_what_the_backend_counted(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    bench = bench_type(tmp_path, problems=4)
    await bench.run()
    spends = [r.spend for s in bench.grid.specs() for r in read(tmp_path, s)]
    used = bench.backend.usage
    assert sum(s.generated_tokens for s in spends) == used.completion_tokens
    assert sum(s.prompt_tokens_fresh for s in spends) == used.fresh_tokens
    assert sum(s.generator_flops for s in spends) == pytest.approx(used.flops)


async def test_a_second_run_generates_nothing(tmp_path: Path, bench_type: type[Bench]) -> None:
    await bench_type(tmp_path, problems=4).run()
    again = bench_type(tmp_path, problems=4)
    await again.run()
    assert again.backend.usage == Usage()


async def test_more_problems_extend_what_is_there(tmp_path: Path, bench_type: type[Bench]) -> None:
    await bench_type(tmp_path, **SMALL).run()
    longer = bench_type(tmp_path, **{**SMALL, "problems": 15})
    tally = await longer.run()
    assert tally.finished == 3 * len(list(longer.grid.specs()))
    assert {p.problems for p in points(RunFolder(tmp_path, longer.grid))} == {15}
    shorter = bench_type(tmp_path, **SMALL).grid
    assert {p.problems for p in points(RunFolder(tmp_path, shorter))} == {12}


async def test_an_interrupted_run_resumes_to_the_same_points(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    # MCTS is left out: which of its simulations ends first depends on the model's delay.
    kinds: dict[str, Any] = {
        "problems": 12,
        "strategies": ["greedy", "majority", "best-of-n", "weighted", "beam"],
    }
    whole = bench_type(tmp_path / "whole", **kinds)
    await whole.run()
    slow = bench_type(tmp_path / "cut", Scripted(delay=0.002), **kinds)

    def finished() -> int:
        return sum(len(read(slow.out, s)) for s in slow.grid.specs())

    running = asyncio.create_task(slow.run())
    while not finished():
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert slow.backend.running == 0
    kept = finished()
    assert 0 < kept < 12 * len(list(slow.grid.specs()))
    resumed = bench_type(slow.out, **kinds)
    tally = await resumed.run()
    assert tally.finished == 12 * len(list(slow.grid.specs())) - kept
    free = {"seconds": 0.0, "seconds_median": 0.0, "seconds_p95": 0.0}
    assert [p.model_copy(update=free) for p in points(RunFolder(whole.out, whole.grid))] == [
        p.model_copy(update=free) for p in points(RunFolder(resumed.out, resumed.grid))
    ]


async def test_failures_are_records_and_count_as_wrong(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    backend, asked = Stumbling(10**9), {**SMALL, "strategies": ["majority"]}
    bench = bench_type(tmp_path, backend, **asked)
    tally = await bench.run()
    assert (tally.finished, tally.failed) == (9, 3) and set(backend.tries.values()) == {3}
    spec = next(bench.grid.specs())
    failed = [r for r in read(tmp_path, spec) if r.error]
    assert len(failed) == 3 and not any(r.correct for r in failed)
    assert {p.problems for p in points(RunFolder(tmp_path, bench.grid))} == {12}
    again = await bench_type(tmp_path, **asked).run()
    assert (again.finished, again.failed) == (3, 0)
    assert not any(r.error for r in read(tmp_path, spec))


@pytest.mark.parametrize("strategy", ["majority", "beam", "best-of-n"])
async def test_a_problem_that_fails_is_tried_again_from_where_it_was(
    tmp_path: Path, bench_type: type[Bench], strategy: str
) -> None:
    asked: dict[str, Any] = {"strategies": [strategy], "ns": [4], "search_ns": [4], "problems": 6}
    whole, stumbling = bench_type(tmp_path / "whole", **asked), Stumbling(2)
    await whole.run()
    tally = await bench_type(tmp_path / "some", stumbling, **asked).run()
    assert (tally.finished, tally.failed, tally.troubles) == (6, 0, 6)
    assert stumbling.usage == whole.backend.usage
    spec = next(whole.grid.specs())
    assert timeless(read(tmp_path / "some", spec)) == timeless(read(tmp_path / "whole", spec))


async def test_an_unsolvable_problem_is_not_tried_again(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    backend = Scripted(context=17)  # Some problems are longer.
    tally = await bench_type(tmp_path, backend, strategies=["greedy"]).run()
    assert tally.finished and tally.failed and tally.troubles == tally.failed
    assert tally.finished == backend.usage.requests


async def test_a_dead_server_ends_the_run_at_once(tmp_path: Path, bench_type: type[Bench]) -> None:
    backend = Scripted(fail_every=1)
    with pytest.raises(BackendError, match="scripted failure"):
        await bench_type(tmp_path, backend).run()
    assert backend.usage.requests <= 2 * scheduler.HOPELESS


async def test_a_wrong_name_costs_nothing(tmp_path: Path, bench_type: type[Bench]) -> None:
    with pytest.raises(ConfigError, match="did you mean beam"):
        await bench_type(tmp_path / "none", strategies=["beem"]).run()
    assert not (tmp_path / "none").exists()


async def test_the_oracle_is_marked_and_equals_coverage(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    bench = bench_type(tmp_path, verifier="oracle", strategies=["best-of-n"])
    await bench.run()
    found = {(p.strategy, p.n): p for p in points(RunFolder(tmp_path, bench.grid))}
    assert all(p.oracle for p in found.values())
    for n in bench.grid.ns:
        assert found["best-of-n", n].accuracy == pytest.approx(found["pass@k", n].accuracy)
