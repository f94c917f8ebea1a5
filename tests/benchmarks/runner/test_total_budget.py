"""The budget of a whole run is never passed: not by workers at once, and not over interruptions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.base import ModelInfo
from reasoner.benchmarks.reports.spending import total_spending
from reasoner.benchmarks.runner.total_budget import Allowance, BudgetedModel, RunLedger
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.price import Price
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.spending import Spending, read_spending
from reasoner.benchmarks.store.store import read
from reasoner.budget import GENERATOR, VERIFIER
from reasoner.errors import BackendError, BudgetExhausted, StoreError
from reasoner.events import Stopped
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Generation,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Score,
    Usage,
)
from tests.benchmarks.tables import sql

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

PRICE = Price(prompt=2, generated=8, cached=1, verifier=5)


class Page(Spending):
    """A table of spending in memory."""

    def __init__(self) -> None:
        self.rows = dict[str, Usage]()

    def read(self) -> dict[str, Usage]:
        """Return every row."""
        return dict(self.rows)

    def save(self, role: str, spent: Usage, held: Usage) -> None:
        """Write a row."""
        self.rows[role] = spent + held


class Erratic:
    """A model that takes its time, writes as much as it likes up to the limit, and fails now and then."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.model = rng, ModelInfo("erratic", parameters=7)
        self.spent = Usage()

    def prompt_length(self, prompt: Prompt) -> int:
        """Return the length of its text."""
        return len(prompt.text)

    def encode(self, text: str) -> tuple[int, ...]:
        """Return a token a character."""
        return tuple(map(ord, text))

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Write, or fail after the prompt."""
        length = self.prompt_length(prompt)
        for _ in range(self.rng.randrange(4)):
            await asyncio.sleep(0)
        if self.rng.random() < 0.1:
            self.spent += Usage(1, length, 0, 0, self.model.flops(0, length))
            raise BackendError("erratic")
        sizes = [self.rng.randint(0, sampling.max_tokens) for _ in range(sampling.n)]
        cached = self.rng.randint(0, sampling.n * length)
        usage = Usage(
            1, sampling.n * length, cached, sum(sizes),
            sum(self.model.flops(0, length + size) for size in sizes),
        )  # fmt: skip
        self.spent += usage
        pieces = (Completion("x" * size, (1,) * size, Finish.EOS) for size in sizes)
        return Generation(tuple(pieces), usage)

    async def aclose(self) -> None:
        """Nothing."""


class Reading:
    """A verifier with a model of its own, which reads up to ten tokens."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.spent = rng, Usage()

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the most."""
        return Usage(1, 10, 0, 3, 100.0)

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Read."""
        await asyncio.sleep(0)
        usage = Usage(
            1, self.rng.randint(0, 10), 0, self.rng.randint(0, 3), 100 * self.rng.random()
        )
        self.spent += usage
        return Judgement((Score(0.5),), usage)


def price(generator: Usage, verifier: Usage) -> float:
    return PRICE.of_usage(GENERATOR, generator) + PRICE.of_usage(VERIFIER, verifier)


async def spend(rng: Random, ceilings: Mapping[str, float]) -> None:
    """Have workers spend a budget in two sessions, the first of which is killed."""
    model, verifier, page = Erratic(rng), Reading(rng), Page()

    def check() -> None:
        both = model.spent + verifier.spent
        paid = {
            "tokens": both.completion_tokens, "flops": both.flops,
            "cost": price(model.spent, verifier.spent),
        }  # fmt: skip
        assert all(paid[kind] <= most * (1 + 1e-12) for kind, most in ceilings.items()), paid

    async def worker(ledger: RunLedger) -> None:
        allowance = Allowance(ledger)
        backend = BudgetedModel(model, allowance)
        for _ in range(rng.randint(1, 2)):
            sampling = Sampling(n=rng.randint(1, 4), max_tokens=rng.randint(1, 40))
            try:
                await backend.generate(Prompt(Problem("p", ""), "x" * rng.randrange(9)), sampling)
                await allowance.score(verifier, Problem("p", ""), [])
            except BackendError:
                pass
            except BudgetExhausted:
                assert allowance.refused
            check()

    for killed in (True, False):
        ledger = RunLedger(ceilings, PRICE, page)
        tasks = [asyncio.create_task(worker(ledger)) for _ in range(rng.randint(2, 4))]
        if killed:
            for _ in range(rng.randrange(15)):
                await asyncio.sleep(0)
            rows = dict(page.rows)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            page.rows = rows  # Nothing is written after kill -9.
        else:
            await asyncio.gather(*tasks)
    total = page.rows.get(GENERATOR, Usage()), page.rows.get(VERIFIER, Usage())
    assert sum(total, Usage()).completion_tokens >= (model.spent + verifier.spent).completion_tokens


@pytest.mark.parametrize("cases", [500, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_workers_at_once_never_pass_it_in_either_session(cases: int) -> None:
    for case in range(cases):
        rng = Random(case)
        most = {
            "tokens": rng.randint(1, 200), "flops": 10 ** rng.uniform(1, 4),
            "cost": 10 ** rng.uniform(-5, -2),
        }  # fmt: skip
        await spend(rng, {k: most[k] for k in rng.sample(sorted(most), rng.randint(1, 3))})


ASKED: dict[str, Any] = {
    "strategies": ["best-of-n", "beam", "pool", "adaptive-majority"], "ns": [4], "search_ns": [4],
    "problems": 10, "total_budget": {"tokens": 1500},
}  # fmt: skip


@pytest.mark.parametrize("concurrency", [1, 3, 128])
async def test_a_run_ends_within_its_budget_and_says_whom_it_left_out(
    tmp_path: Path, bench_type: type[Bench], concurrency: int
) -> None:
    bench = bench_type(tmp_path, Scripted(delay=0.001), **ASKED)
    tally = await bench.run(concurrency)
    assert tally.failed == 0
    rows = [r for spec in bench.grid.specs() for r in read(tmp_path, spec)]
    assert len(rows) == 40 and not any(r.error for r in rows)
    spent = bench.backend.usage.completion_tokens
    assert 1400 < spent <= 1500 and sum(r.spend.generated_tokens for r in rows) == spent
    total = total_spending(RunFolder(tmp_path))
    assert total and total.spent["tokens"] == spent
    unreached = [r for r in rows if r.stopped == Stopped.TOTAL and not r.spend.generated_tokens]
    assert total.unreached == len(unreached) > 0 and not any(r.answer for r in unreached)
    assert not any(r.correct for r in unreached)
    assert "1,500 tokens spent" in str(total)


async def test_what_an_interrupted_run_spent_counts(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    slow = bench_type(tmp_path, Scripted(delay=0.003), **ASKED)
    running = asyncio.create_task(slow.run())
    while slow.backend.usage.completion_tokens < 400:
        await asyncio.sleep(0.001)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    again = bench_type(tmp_path, **ASKED)
    await again.run()
    spent = slow.backend.usage.completion_tokens + again.backend.usage.completion_tokens
    assert again.backend.usage.completion_tokens > 0 and spent <= 1500
    assert sum(read_spending(tmp_path).values(), Usage()).completion_tokens == spent


async def test_a_larger_budget_goes_on_from_the_calls_that_were_paid(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    small = bench_type(tmp_path, **ASKED)
    await small.run()
    assert sql(tmp_path, "SELECT count(*) FROM calls")[0][0] > 0
    large = bench_type(tmp_path, **{**ASKED, "total_budget": {"tokens": 10**6}})
    await large.run()
    rows = [r for spec in large.grid.specs() for r in read(tmp_path, spec)]
    assert not any(r.stopped == Stopped.TOTAL for r in rows)
    spent = small.backend.usage.completion_tokens + large.backend.usage.completion_tokens
    assert sum(r.spend.generated_tokens for r in rows) == spent, "nothing was paid twice"
    assert sum(read_spending(tmp_path).values(), Usage()).completion_tokens == spent


async def test_the_same_budget_again_spends_nothing(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    asked = {**ASKED, "strategies": ["majority"], "total_budget": {"tokens": 300}}
    await bench_type(tmp_path, **asked).run()
    rows = read(tmp_path, next(bench_type(tmp_path, **asked).grid.specs()))
    again = bench_type(tmp_path, **asked)
    await again.run()
    assert again.backend.usage.completion_tokens == 0
    assert [r.stopped for r in read(tmp_path, next(again.grid.specs()))] == [
        r.stopped for r in rows
    ]


async def test_calls_in_flight_at_a_kill_cost_their_worst_case(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        Spending(database).save(GENERATOR, Usage(1, 0, 0, 30), Usage(1, 0, 0, 50))
        ledger = RunLedger({"tokens": 100}, PRICE, Spending(database))
        assert ledger.room.tokens == 20


async def test_results_that_were_not_counted_are_refused(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    free = {**ASKED, "strategies": ["majority"], "total_budget": {}}
    await bench_type(tmp_path, **free).run()
    with pytest.raises(StoreError, match="without a total budget"):
        await bench_type(tmp_path, **ASKED).run()


async def test_a_session_without_a_ceiling_is_counted_too(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    asked = {**ASKED, "strategies": ["majority"], "total_budget": {"tokens": 300}}
    first = bench_type(tmp_path, **asked)
    await first.run()
    second = bench_type(tmp_path, **{**asked, "total_budget": {}})
    await second.run()
    spent = first.backend.usage.completion_tokens + second.backend.usage.completion_tokens
    assert spent > 300
    assert sum(read_spending(tmp_path).values(), Usage()).completion_tokens == spent


async def test_a_ceiling_of_cost(tmp_path: Path, bench_type: type[Bench]) -> None:
    priced = {"total_budget": {"cost": 0.004}, "price": {"prompt": 0.5, "generated": 3.0}}
    bench = bench_type(tmp_path, **{**ASKED, **priced})
    await bench.run()
    used = bench.backend.usage
    paid = (0.5 * used.prompt_tokens + 3.0 * used.completion_tokens) / 1e6
    total = total_spending(RunFolder(tmp_path))
    assert total and total.spent["cost"] == pytest.approx(paid) and 0.0035 < paid <= 0.004


async def test_pool_gives_every_problem_a_batch_and_the_rest_to_the_unresolved(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    asked: dict[str, Any] = {
        "strategies": ["pool"],
        "ns": [64],
        "search_ns": [64],
        "verifier": "oracle",
    }
    tokens = {"tokens": 2000}
    bench = bench_type(tmp_path, problems=12, total_budget=tokens, **asked)
    await bench.run(1)
    rows = read(tmp_path, next(bench.grid.specs()))
    assert all(r.spend.generated_tokens for r in rows)
    solved = [r for r in rows if r.correct]
    assert len(solved) > 0 and all(r.stopped == Stopped.DONE for r in solved)
    hard = [r.spend.generated_tokens for r in rows if not r.correct]
    assert all(r.stopped == Stopped.TOTAL for r in rows if not r.correct)
    assert not hard or max(hard) - min(hard) < 150, "the unresolved were given about as much"
