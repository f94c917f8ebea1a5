"""A run on several workers in this process: the results of one, whatever happens to the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.benchmarks.store import database
from reasoner.benchmarks.store.store import read
from reasoner.benchmarks.workers import driver
from reasoner.benchmarks.workers.messages import WorkerLost
from reasoner.errors import AccessDenied, BackendError, StoreError
from reasoner.types import Generation, Prompt, Sampling
from tests.benchmarks.runner.test_kill import told
from tests.benchmarks.runner.test_restarting import Mortal
from tests.benchmarks.tables import sql
from tests.benchmarks.workers.crew import ANSWERED, Crew, LocalLink, link, noting

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

SEARCHES: dict[str, Any] = {
    "strategies": [
        "best-of-n",
        "beam",
        "mcts",
        "deepconf(warmup=2,parallel=2)",
        "adaptive-majority",
    ]
}
MAJORITY: dict[str, Any] = {"strategies": ["majority"]}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take databases with a trigger, and look for workers often."""
    monkeypatch.setattr(database, "_check_tables", lambda *_, **__: None)
    monkeypatch.setattr(driver, "PAUSE", 0.01)


async def whole(out: Path, bench_type: Callable[..., Bench], **grid: Any) -> Path:
    """Run it in one process, without workers."""
    usual = {"ns": [4], "search_ns": [4], "problems": 10}
    await bench_type(noting(out), **{**usual, **grid}).run()
    return out


@pytest.mark.parametrize("workers", [1, 2, 4])
async def test_records_are_those_of_a_run_without_workers(
    tmp_path: Path, bench_type: Callable[..., Bench], workers: int
) -> None:
    one = await whole(tmp_path / "one", bench_type, **SEARCHES)
    links = [link(grid=SEARCHES, pause=0.002 * i) for i in range(workers)]
    crew = Crew(noting(tmp_path / "many"), links, **SEARCHES)
    tally = await crew.run()
    assert (tally.finished, tally.failed) == (50, 0)
    assert told(crew.out) == told(one)
    assert sql(crew.out, ANSWERED) == sql(one, ANSWERED)
    assert sql(crew.out, "SELECT * FROM calls") == []
    assert all(each.orders for each in links)


@pytest.mark.parametrize("seed", range(4))
async def test_lost_workers_change_nothing(
    tmp_path: Path, bench_type: Callable[..., Bench], seed: int
) -> None:
    moment = Random(seed)
    one = await whole(tmp_path / "one", bench_type, **SEARCHES)
    lives = [moment.randrange(1, 25) for _ in range(2)]  # A third loss would fail a problem.
    links = [link(grid=SEARCHES, life=life) for life in lives]
    crew = Crew(noting(tmp_path / "many"), links, [link(grid=SEARCHES)], **SEARCHES)
    tally = await crew.run()
    assert (tally.finished, tally.failed) == (50, 0)
    assert all(each.killed for each in links)
    assert told(crew.out) == told(one)
    answered = sql(crew.out, ANSWERED)
    assert answered == sql(one, ANSWERED), "a call was lost, or paid twice"


async def test_a_problem_stays_at_one_worker_and_goes_to_the_least_busy(tmp_path: Path) -> None:
    links = [link(Scripted(delay=0.002), grid=MAJORITY) for _ in range(3)]
    crew = Crew(tmp_path, links, **MAJORITY)
    await crew.run(concurrency=2)
    numbers = [[order.number for order in each.orders] for each in links]
    assert sorted(n for each in numbers for n in each) == list(range(10))
    assert all(len(each) >= 2 for each in numbers)
    assert [each[:2] for each in numbers] == [[0, 3], [1, 4], [2, 5]]


async def test_a_problem_that_loses_three_workers_has_failed(tmp_path: Path) -> None:
    grid = {**MAJORITY, "problems": 1}
    later = [link(grid=grid, life=0) for _ in range(2)]
    crew = Crew(tmp_path, [link(grid=grid, life=0)], later, **grid)
    with pytest.raises(BackendError, match=r"3 workers were lost while they solved it.*it is gone"):
        await crew.run()
    [spec] = crew.grid.specs()
    [record] = read(tmp_path, spec)
    assert record.error and not record.correct


async def test_it_ends_when_workers_are_lost_again_and_again(tmp_path: Path) -> None:
    later = [link(grid=MAJORITY, life=0) for _ in range(9)]
    crew = Crew(tmp_path, [link(grid=MAJORITY, life=0)], later, **MAJORITY)
    with pytest.raises(BackendError, match=r"no worker is left|3 workers were lost"):
        await crew.run(concurrency=1)
    assert len(later) > 0 or crew.later


async def test_workers_join_in_mid_run(tmp_path: Path) -> None:
    late = link(grid=MAJORITY)
    crew = Crew(tmp_path, [link(Scripted(delay=0.01), grid=MAJORITY)], [late], **MAJORITY)
    await crew.run(concurrency=2)
    assert len(late.orders) > 3
    assert [use.use.problems for use in crew.driver.past] == [
        len(each.orders) for each in (crew.links[0], late)
    ]


async def test_one_that_cannot_join_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    crew = Crew(
        tmp_path,
        [link(Scripted(delay=0.01), grid=MAJORITY)],
        [link(refusal="no model")],
        **MAJORITY,
    )
    tally = await crew.run(concurrency=2)
    assert tally.finished == 10
    assert "worker 2 cannot join: worker 2 on here: no model" in caplog.text


async def test_a_refusal_at_the_start_costs_nothing(tmp_path: Path) -> None:
    crew = Crew(tmp_path, [link(grid=MAJORITY), link(refusal="no model")], **MAJORITY)
    with pytest.raises(BackendError, match="worker 2 on here: no model"):
        await crew.run()
    assert not crew.links[0].orders


async def test_an_engine_that_dies_is_started_again_by_its_worker(tmp_path: Path) -> None:
    backend = Mortal(2)
    crew = Crew(tmp_path, [link(backend, grid=MAJORITY), link(grid=MAJORITY)], **MAJORITY)
    tally = await crew.run()
    assert (tally.finished, tally.failed, backend.births) == (10, 0, 2)


async def test_an_engine_that_is_given_up_gives_its_problems_to_others(tmp_path: Path) -> None:
    broken = link(Mortal(*[0] * 99), grid=MAJORITY)
    crew = Crew(tmp_path, [broken, link(Scripted(delay=0.01), grid=MAJORITY)], **MAJORITY)
    tally = await crew.run()
    assert (tally.finished, tally.failed) == (10, 0)
    assert broken.killed


class Denied(Scripted):
    """A server that refuses every request."""

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Refuse."""
        raise AccessDenied("the key is wrong")


async def test_a_server_that_refuses_everything_ends_the_run(tmp_path: Path) -> None:
    crew = Crew(tmp_path, [link(Denied(), grid=MAJORITY)], **MAJORITY)
    with pytest.raises(AccessDenied, match="the key is wrong"):
        await crew.run()


async def test_a_full_disk_loses_nothing(
    tmp_path: Path, bench_type: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await whole(tmp_path / "one", bench_type, **SEARCHES)
    execute, left = database.Database.execute, [150]

    def full(self: database.Database, statement: str, *values: object) -> Any:
        left[0] -= "INSERT" in statement
        if left[0] < 0 and "INSERT" in statement:
            raise StoreError("cannot write run.db: the disk is full")
        return execute(self, statement, *values)

    crew = Crew(noting(tmp_path / "many"), [link(grid=SEARCHES) for _ in "ab"], **SEARCHES)
    with monkeypatch.context() as patch:
        patch.setattr(database.Database, "execute", full)
        with pytest.raises(StoreError, match="the disk is full"):
            await crew.run()
    crew.links = [link(grid=SEARCHES) for _ in "ab"]
    await crew.run()
    assert told(crew.out) == told(one)
    assert sql(crew.out, ANSWERED) == sql(one, ANSWERED)


async def test_failed_tries_are_tried_again_by_the_worker(tmp_path: Path) -> None:
    crew = Crew(tmp_path, [link(Scripted(fail_every=7), grid=MAJORITY)], **MAJORITY)
    tally = await crew.run()
    assert (tally.finished, tally.failed) == (10, 0)


def test_a_link_can_be_lost_while_it_waits() -> None:
    async def lost() -> None:
        idle: LocalLink = link(grid=MAJORITY)
        waiting = asyncio.create_task(idle.exchange([]))
        await asyncio.sleep(0.01)
        idle.lost.set()
        with pytest.raises(WorkerLost):
            await waiting

    asyncio.run(lost())
