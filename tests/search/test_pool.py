"""Problems that are resolved drop out; the others go by their bounds."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from reasoner.backends.scripted import END, Scripted
from reasoner.events import Result
from reasoner.search.adaptive_majority import lead_probability
from reasoner.search.common.standing import Standing, by_scores, by_votes
from reasoner.search.pool import BudgetPool
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

CEILING = Verdict().traits.ceiling


def grade(_: Prompt, rng: random.Random) -> str:
    return f"{rng.random():.3f}{END}"


def one_of_three(_: Prompt, rng: random.Random) -> str:
    return f"#{rng.choice('aab')}{END}"


def trust(_: Prompt, step: str) -> float:
    return float(step)


async def run(pool: BudgetPool, seed: int) -> Result:
    return await solve(
        Problem("p", "?"), pool, Scripted(reply=grade, judge=trust), Verdict(),
        sampling=Sampling(max_tokens=9), seed=seed,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
async def test_the_batch_with_a_highest_score_is_the_last(seed: int) -> None:
    result = await run(BudgetPool(n=64, batch=2), seed)
    top = [c.score == CEILING for c in result.candidates]
    assert not any(top[:-2]) and any(top[-2:])
    assert result.text == result.candidates[top.index(True)].candidate.text


@pytest.mark.parametrize("seed", range(10))
async def test_a_vote_ends_once_its_leader_is_likely_enough(seed: int) -> None:
    result = await solve(
        Problem("p", "?"), BudgetPool(n=64, threshold=0.9), Scripted(reply=one_of_three),
        sampling=Sampling(max_tokens=9), seed=seed,
    )  # fmt: skip
    answers = [c.answer for c in result.candidates]

    def leads(size: int) -> tuple[int, int]:
        votes = sorted((answers[:size].count(a) for a in "ab"), reverse=True)
        return votes[0], votes[1]

    before, after = (lead_probability(*leads(size)) for size in (len(answers) - 1, len(answers)))
    assert before <= 0.9 < after or len(answers) == 64
    assert answers.count(result.answer) == leads(len(answers))[0]


@pytest.mark.parametrize(("n", "batch"), [(1, 4), (7, 3)])
async def test_unresolved_problems_get_n_samples_at_most(n: int, batch: int) -> None:
    backend = Scripted(reply=grade, judge=lambda *_: 0.5)
    result = await solve(
        Problem("p", "?"), BudgetPool(n=n, batch=batch), backend, Verdict(),
        sampling=Sampling(max_tokens=9),
    )  # fmt: skip
    assert len(result.candidates) == n


@given(size=st.integers(1, 500), chance=st.floats(0, 1), batch=st.integers(1, 64))
def test_the_bound_is_a_chance_that_hope_raises_and_evidence_lowers(
    size: int, chance: float, batch: int
) -> None:
    bound = Standing(size, chance, False).bound(batch)
    assert chance - 1e-9 <= bound <= 1
    assert bound <= Standing(size, chance, False).bound(batch + 1)
    assert bound <= Standing(size, min(1.0, chance + 0.1), False).bound(batch) + 1e-9
    assert Standing(size + 1, chance, False).bound(batch) <= bound + 1e-9


def test_the_bound_of_one_sample_is_wilsons() -> None:
    high = binomtest(2, 10).proportion_ci(0.9, "wilson").high
    assert Standing(10, 0.2, False).bound(1) == pytest.approx(high, abs=1e-4)


def test_a_score_at_the_ceiling_resolves_and_one_below_does_not() -> None:
    assert by_scores(2, 0.9, 2 / 3, 2 / 3).resolved
    assert not by_scores(2, 0.9, 0.66, 2 / 3).resolved
    assert not by_scores(0, 0.0, 0.0, 2 / 3).resolved
    assert by_scores(4, 1.0, 0.5, 1.0).chance == 0.25


def test_doubt_about_the_leading_answer_is_hope_for_another_sample() -> None:
    assert by_votes(4, 4, 0, 0.95).resolved and not by_votes(4, 2, 1, 0.95).resolved
    assert by_votes(4, 2, 2, 0.9).chance == pytest.approx(0.5)
    assert by_votes(9, 5, 4, 0.9).bound(1) > by_votes(9, 6, 3, 0.9).bound(1)
