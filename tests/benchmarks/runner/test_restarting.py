"""An engine that dies is started again, once for all calls in flight, and given up when that is of no use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reasoner.backends.restarting import MOST, Restarting
from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.store.store import read
from reasoner.concurrency import gather
from reasoner.errors import BackendError, EngineDied
from reasoner.types import Problem, Prompt, Sampling

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

PROMPT, SAMPLING = Prompt(Problem("p", "12+30+41")), Sampling(max_tokens=60)


class Mortal(Scripted):
    """Its engine dies in so many calls after each start, for all calls in flight."""

    def __init__(self, *lives: int, starts: bool = True) -> None:
        super().__init__(delay=0.001)
        self.lives, self.starts, self.births = [*lives, 10**9], starts, 1

    async def start(self) -> None:
        """A new engine where there is none, unless none is to be had."""
        if not self.closed:
            return
        if not self.starts:
            raise BackendError("the engine did not start: no memory")
        self.births, self.closed = self.births + 1, False
        self.lives.pop(0)

    async def _wait(self) -> None:
        self.lives[0] -= 1
        await super()._wait()
        if self.lives[0] < 0 or self.closed:
            raise EngineDied("the engine's process has ended")


async def test_calls_in_flight_are_asked_again_after_one_restart() -> None:
    backend, told = Mortal(5), list[str]()
    engine = Restarting(backend, tell=told.append)
    asked = [Sampling(max_tokens=60, seed=i) for i in range(20)]
    found = await gather(engine.generate(PROMPT, s) for s in asked)
    assert found == await gather(Scripted().generate(PROMPT, s) for s in asked)
    assert (backend.births, engine.restarts) == (2, 1)
    assert told == ["the engine died (the engine's process has ended); starting it again, 1 of 3"]


async def test_it_is_given_up_when_nothing_is_finished_in_between() -> None:
    backend = Mortal(*[0] * 99)
    engine = Restarting(backend)
    results = await asyncio.gather(
        *(engine.generate(PROMPT, SAMPLING) for _ in range(9)), return_exceptions=True
    )
    assert all(
        isinstance(r, BackendError) and "was started again 3 times" in str(r) for r in results
    )
    assert backend.births == 1 + MOST
    with pytest.raises(BackendError, match="run the same command again"):
        await engine.generate(PROMPT, SAMPLING)
    assert backend.births == 1 + MOST


async def test_what_is_finished_in_between_counts() -> None:
    engine = Restarting(Mortal(*[1] * 9))
    for _ in range(9):
        await engine.generate(PROMPT, SAMPLING)
        engine.progressed()
    assert engine.restarts == 8


async def test_an_engine_that_does_not_start_is_given_up() -> None:
    engine = Restarting(Mortal(0, starts=False))
    with pytest.raises(BackendError, match=r"was started again 3 times.*no memory"):
        await engine.generate(PROMPT, SAMPLING)


async def test_other_failures_are_not_its_business() -> None:
    engine = Restarting(Scripted(fail_every=1))
    with pytest.raises(BackendError, match="scripted failure"):
        await engine.generate(PROMPT, SAMPLING)
    assert engine.restarts == 0


def test_it_can_what_its_backend_can() -> None:
    assert Restarting(Scripted()).traits == Scripted().traits


@pytest.mark.parametrize(
    "strategy", ["majority", "beam", "mcts(parallel=1)", "deepconf(warmup=3,parallel=1)"]
)
async def test_a_benchmark_survives_it(
    tmp_path: Path, bench_type: Callable[..., Bench], strategy: str
) -> None:
    asked: dict[str, Any] = {"strategies": [strategy], "ns": [8], "search_ns": [8], "problems": 9}
    whole = bench_type(tmp_path / "whole", **asked)
    await whole.run()
    backend = Mortal(6, 30)
    cut = bench_type(tmp_path / "cut", backend, **asked)
    tally = await cut.run(concurrency=4)
    assert (tally.finished, tally.failed, tally.troubles) == (9, 0, 0)
    assert backend.births > 1
    for spec in whole.grid.specs():
        for one, other in zip(read(whole.out, spec), read(cut.out, spec), strict=True):
            spend = one.spend.model_copy(update={"seconds": other.spend.seconds})
            assert other == one.model_copy(update={"spend": spend})


async def test_a_benchmark_ends_when_the_engine_is_lost(
    tmp_path: Path, bench_type: Callable[..., Bench]
) -> None:
    bench = bench_type(tmp_path, Mortal(20, *[0] * 99), strategies=["majority"], ns=[4])
    with pytest.raises(BackendError, match="finished problems are stored"):
        await bench.run(concurrency=4)
    [spec] = bench.grid.specs()
    assert 10 < len(read(tmp_path, spec)) <= 20
