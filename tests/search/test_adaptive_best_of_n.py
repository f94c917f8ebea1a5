"""It stops when nothing can be better, and not before."""

from __future__ import annotations

import random

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.events import Result
from reasoner.search import AdaptiveBestOfN
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict


def grade(_: Prompt, rng: random.Random) -> str:
    return f"{rng.random():.3f}{END}"


def trust(_: Prompt, step: str) -> float:
    return float(step)


async def run(strategy: AdaptiveBestOfN, seed: int = 0) -> Result:
    backend = Scripted(reply=grade, judge=trust)
    return await solve(
        Problem("p", "?"), strategy, backend, Verdict(), sampling=Sampling(max_tokens=9), seed=seed
    )


@pytest.mark.parametrize("seed", range(20))
async def test_the_first_batch_with_a_highest_score_is_the_last(seed: int) -> None:
    result = await run(AdaptiveBestOfN(n=64, batch=2), seed)
    top = [c.score == Verdict().traits.ceiling for c in result.candidates]
    assert not any(top[:-2]) and any(top[-2:])
    assert result.text == result.candidates[top.index(True)].candidate.text


@pytest.mark.parametrize(("n", "batch"), [(1, 4), (7, 3), (8, 8)])
async def test_without_one_all_are_drawn(n: int, batch: int) -> None:
    backend = Scripted(reply=grade, judge=lambda *_: 0.5)
    result = await solve(
        Problem("p", "?"), AdaptiveBestOfN(n=n, batch=batch), backend, Verdict(),
        sampling=Sampling(max_tokens=9),
    )  # fmt: skip
    assert len(result.candidates) == n


async def test_less_can_be_enough() -> None:
    sizes = [len((await run(AdaptiveBestOfN(batch=1, enough=e))).candidates) for e in (0.1, None)]
    assert sizes[0] < sizes[1]


def test_verdicts_that_do_not_level_off_end_at_one() -> None:
    assert Verdict("last").traits.ceiling == 1.0
    assert Verdict().traits.ceiling == pytest.approx(2 / 3)
