"""A few samples of a pool cost as much as a run of that size is charged."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

from reasoner.backends.scripted import END, Scripted, add_up
from reasoner.benchmarks.store.pool_costs import portion
from reasoner.benchmarks.store.records import Record, Spend
from reasoner.benchmarks.store.store import read
from reasoner.types import Generation, Prompt, Sampling, Usage

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object

BLOCK = 4
SIZES = (1, 2, 4, 8)


def steady(_: Prompt, rng: Random) -> str:
    """Solutions of one length."""
    return f"{rng.randint(10, 99)}+1=1\n#{rng.randint(10, 99)}{END}"


class Caching(Scripted):
    """Samples are requests of their own, as in vLLM.

    The first computes the whole prompt. The others find its full blocks in the cache and compute the
    rest of it again.
    """

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """As the script says, at the price of an engine with a prefix cache."""
        length, model = self.prompt_length(prompt), self.model
        whole = await super().generate(prompt, sampling)
        kept, again = (length - 1) // BLOCK * BLOCK, len(whole.completions) - 1
        tails = Usage(0, again * length, again * kept, 0, again * model.flops(kept, length))
        return Generation(whole.completions, whole.usage + tails)


async def record(folder: Path, bench_type: type[Bench], backend: Scripted, n: int) -> Record:
    """A run of best-of-n in one size on one problem."""
    bench = bench_type(folder / str(n), backend, strategies=["best-of-n"], ns=[n], problems=1)
    await bench.run()
    pool = bench.grid.pool("sums")
    assert pool
    return read(bench.out, pool)[0]


def untimed(spend: Spend) -> dict[str, float]:
    """All that was spent but time."""
    return spend.model_dump(exclude={"seconds"})


@pytest.mark.parametrize("kind", [Caching, Scripted])
async def test_where_lengths_are_equal_a_portion_is_exactly_a_run(
    tmp_path: Path, bench_type: type[Bench], kind: type[Scripted]
) -> None:
    runs = {n: await record(tmp_path, bench_type, kind(reply=steady), n) for n in SIZES}
    pool = runs[8]
    for n, run in runs.items():
        assert untimed(portion(pool, n, verified=True)) == pytest.approx(untimed(run.spend))
    computed_again = pool.spend.prompt_tokens_fresh - pool.prompt_tokens
    assert (computed_again > 0) == (kind is Caching)


async def test_where_lengths_differ_a_portion_is_what_runs_cost_on_average(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    backend = Caching(reply=wordy)
    pool, model = await record(tmp_path, bench_type, backend, 8), backend.model
    prompt, sizes = pool.prompt_tokens, [sample.tokens for sample in pool.samples]
    assert len(set(sizes)) > 2
    kept = (prompt - 1) // BLOCK * BLOCK
    for n in SIZES:
        found, chosen = portion(pool, n, verified=True), list(combinations(sizes, n))
        decoding = fmean(sum(model.flops(prompt, prompt + s) for s in some) for some in chosen)
        tails = (n - 1) * model.flops(kept, prompt)
        flops = model.flops(0, prompt) + tails + decoding
        assert found.generator_flops == pytest.approx(flops)
        assert found.generated_tokens == pytest.approx(fmean(map(sum, chosen)))


def wordy(prompt: Prompt, rng: Random) -> str:
    """Solutions of all lengths."""
    return "0+0=0\n" * rng.randint(0, 5) + add_up(prompt, rng)


def test_records_from_before_tails_were_told_price_them_by_the_token() -> None:
    spend = Spend(prompt_tokens_fresh=40 + 7 * 10, prompt_tokens_cached=7 * 30, generator_flops=600)
    samples = ({"answer": None, "correct": False, "score": None, "tokens": 1},) * 8
    told = {"problem": "a", "index": 0, "correct": False, "spend": spend, "samples": samples}
    pool = Record.model_validate({**told, "prompt_tokens": 40, "prompt_flops": 80})
    one, four = portion(pool, 1, verified=True), portion(pool, 4, verified=True)
    decoding = 600 - 80 - 7 * 20
    assert one.generator_flops == pytest.approx(80 + decoding / 8)
    assert four.generator_flops == pytest.approx(80 + 3 * 20 + decoding / 2)
    assert (four.prompt_tokens_fresh, four.prompt_tokens_cached) == (40 + 3 * 10, 3 * 30)
    assert portion(pool, 8, verified=True) == spend


def test_a_problem_that_failed_costs_what_it_spent() -> None:
    spend = Spend(prompt_tokens_fresh=9, generated_tokens=5, generator_flops=7)
    failed = Record(problem="a", index=0, correct=False, spend=spend, prompt_tokens=9)
    assert portion(failed, 4, verified=True) == spend


def test_seconds_are_shared_out() -> None:
    samples = ({"answer": None, "correct": False, "score": None, "tokens": 1},) * 4
    told = {"problem": "a", "index": 0, "correct": False, "samples": samples}
    pool = Record.model_validate({**told, "spend": Spend(seconds=8)})
    assert portion(pool, 1, verified=True).seconds == 2
