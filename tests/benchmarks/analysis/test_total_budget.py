"""Totals shared out among recorded samples: never passed, and worth more than uniform spending."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.benchmarks.analysis.shared_samples import (
    CostPerSample,
    PooledScores,
    PooledVotes,
    share_out,
)
from reasoner.benchmarks.analysis.total_budget import TotalBudgetPlan, at_totals, ceiling_of
from reasoner.benchmarks.stats import best_of_at_ks, majority_at_ks
from reasoner.benchmarks.stats.pool import Pool
from reasoner.benchmarks.store.pool_costs import PoolCosts
from reasoner.benchmarks.store.records import Record, Sample, Spend
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError, StoreError
from reasoner.search.pool import BudgetPool

if TYPE_CHECKING:
    from tests.benchmarks.conftest import Bench
else:
    Bench = object


def records(rng: Random, problems: int = 12, most: int = 9) -> list[Record]:
    """Problems of which some have fewer samples; a right one is mostly scored 1."""
    return [record(rng, i, rng.randint(1, most)) for i in range(problems)]


def record(rng: Random, index: int, size: int) -> Record:
    samples = [sample(rng, rng.random() < 0.3) for _ in range(size)]
    tokens = sum(s.tokens for s in samples)
    spend = Spend(
        generated_tokens=tokens, prompt_tokens_fresh=10 + 2 * (size - 1),
        generator_flops=1000 + 150 * (size - 1) + 90 * tokens, verifier_flops=40 * size,
    )  # fmt: skip
    return Record(
        problem=f"p{index}", index=index, correct=False, spend=spend, prompt_tokens=10,
        prompt_flops=1000, tails_flops=150 * (size - 1), samples=tuple(samples),
    )  # fmt: skip


def sample(rng: Random, right: bool) -> Sample:
    answer = "right" if right else rng.choice("abc")
    score = float(right) if rng.random() < 0.9 else rng.random()
    return Sample(answer=answer, correct=right, score=score, tokens=rng.randint(1, 30))


@pytest.mark.parametrize("kind", ["generated_tokens", "flops"])
@pytest.mark.parametrize("verified", [True, False])
def test_the_costs_of_samples_add_up_to_those_of_a_pool(kind: str, verified: bool) -> None:
    pools = records(Random(1))
    costs, n = CostPerSample.of(pools, kind, verified), max(len(r.samples) for r in pools)
    whole = np.nansum(costs.each, axis=1) + costs.first
    assert whole == pytest.approx(PoolCosts.of(pools).portion(n, verified)[kind])


@given(
    seed=st.integers(0, 2**32), batch=st.integers(1, 4), n=st.integers(1, 12), vote=st.booleans()
)
def test_no_total_is_passed_and_a_larger_one_goes_on(
    seed: int, batch: int, n: int, vote: bool
) -> None:
    pools, rng = records(Random(seed)), np.random.default_rng(seed)
    pool, costs = Pool.of([r.samples for r in pools]), CostPerSample.of(pools, "flops", True)
    totals = sorted(rng.uniform(1000, 2 * float(np.nansum(costs.each)), 5))

    def start(i: int) -> PooledVotes | PooledScores:
        return PooledVotes(pool, i, 0.9) if vote else PooledScores(pool, i, 1.0)

    shares = share_out(start, costs, BudgetPool(n=n, batch=batch), totals, rng)
    assert all(s.spent <= total for s, total in zip(shares, totals, strict=True))
    assert all(s.drawn.max() <= n for s in shares)
    for before, after in pairwise(shares):
        assert (before.drawn <= after.drawn).all() and before.spent <= after.spent
        missed = (after.drawn == 0).any()
        assert not missed or after.drawn.max() <= batch, "every problem gets a first batch first"


def test_with_enough_for_all_it_is_what_all_samples_decide() -> None:
    pools = [record(Random(i), i, 7) for i in range(40)]
    pool, costs = Pool.of([r.samples for r in pools]), CostPerSample.of(pools, "tokens", True)
    rule = BudgetPool(n=7, threshold=1 - 1e-12)
    rng = np.random.default_rng(0)
    [scored] = share_out(lambda i: PooledScores(pool, i, 2.0), costs, rule, [1e9], rng)
    [voted] = share_out(lambda i: PooledVotes(pool, i, 1 - 1e-12), costs, rule, [1e9], rng)
    ties = [len({s.score for s in r.samples if s.correct}) for r in pools]
    assert scored.right[np.array(ties) == 1].mean() == pytest.approx(
        best_of_at_ks(pool, [7])[np.array(ties) == 1, 0].mean(), abs=0.1
    )
    assert voted.right == pytest.approx(majority_at_ks(pool, [7])[:, 0])


def test_a_resolved_problem_gets_nothing_more() -> None:
    easy = record(Random(0), 0, 8).model_copy(
        update={
            "samples": tuple(
                Sample(answer="1", correct=True, score=1.0, tokens=1) for _ in range(8)
            )
        }
    )
    hard = record(Random(0), 1, 8).model_copy(
        update={
            "samples": tuple(
                Sample(answer="2", correct=False, score=0.0, tokens=1) for _ in range(8)
            )
        }
    )
    pool = Pool.of([easy.samples, hard.samples])
    costs, rng = CostPerSample.of([easy, hard], "tokens", True), np.random.default_rng(0)
    shares = share_out(lambda i: PooledScores(pool, i, 1.0), costs, BudgetPool(), [2, 5, 99], rng)
    assert [list(s.drawn) for s in shares] == [[1, 1], [1, 4], [1, 8]]


async def test_a_run_is_shared_out_at_the_totals_of_its_sizes(
    tmp_path: Path, bench_type: type[Bench]
) -> None:
    await bench_type(tmp_path, strategies=["best-of-n"], ns=[1, 2, 4, 16], verifier="oracle").run()
    run = RunFolder(tmp_path)
    rows = at_totals(run, TotalBudgetPlan(orders=4))
    assert [r.sizes for r in rows] == [(1,), (2,), (4,), (16,)]
    assert all(r.spent <= r.total * (1 + 1e-9) for r in rows)
    assert all(r.uniform_spent == pytest.approx(r.total) for r in rows)
    assert rows[1].gain > 0.02 and rows[2].gain > 0.02, "an oracle knows who needs no more"
    assert rows[3].spent < rows[3].total and rows[3].accuracy == pytest.approx(rows[3].uniform)
    [row] = at_totals(run, TotalBudgetPlan(totals=(1.5 * rows[0].total,), cost="tokens", orders=2))
    assert row.sizes == (1, 2) and row.total == 1.5 * rows[0].total
    with pytest.raises(ConfigError, match="less than one sample of each problem costs"):
        at_totals(run, TotalBudgetPlan(totals=(1.0,)))


async def test_a_run_without_samples_is_refused(tmp_path: Path, bench_type: type[Bench]) -> None:
    await bench_type(tmp_path, strategies=["greedy"], problems=3).run()
    with pytest.raises(StoreError, match="has no samples of sums"):
        at_totals(RunFolder(tmp_path), TotalBudgetPlan())


def test_the_ceiling_is_the_verifiers() -> None:
    assert ceiling_of("verdict") == pytest.approx(2 / 3)
    assert ceiling_of("verdict(aggregate='min')") == 1.0
    assert ceiling_of("recorded(aggregate='mean')") == ceiling_of(None) == ceiling_of("oracle") == 1
