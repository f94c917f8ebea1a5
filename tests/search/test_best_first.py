"""Best-first search goes where the score is highest, and comes back when it falls."""

from __future__ import annotations

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.budget import Budget
from reasoner.search.best_first import BestFirst
from reasoner.types import Generation, Prompt, Sampling
from tests.search.landscape import climb, coin, model, written


class Watched(Scripted):
    """Remembers what it was asked to continue, into how many steps, and how much ran at once."""

    def __init__(self, value: object, length: int = 3, delay: float = 0.0) -> None:
        super().__init__(
            reply=coin(length),
            judge=lambda p, s: value((p.text + s).replace("\n", "")),  # type: ignore[operator]
            delay=delay,
        )
        self.asked = list[str]()
        self.most = 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.asked.append(prompt.text.replace("\n", ""))
        self.most = max(self.most, self.running + 1)
        return await super().generate(prompt, sampling)


def trap(letters: str) -> float:
    """`a` looks better at first, and is worse below."""
    if letters.startswith("a"):
        return 0.8 if letters == "a" else 0.1
    return 0.5 if letters == "b" else 0.6


async def test_it_backs_out_of_a_trap() -> None:
    backend = Watched(trap)
    result = await climb(BestFirst(n=5), backend)
    assert backend.asked[:3] == ["", "a", "b"]
    assert result.answer is not None and result.answer.startswith("b")


@pytest.mark.parametrize("n", [4, 7, 20])
async def test_n_counts_expansions(n: int) -> None:
    backend = Watched(lambda s: 0.5)
    await climb(BestFirst(n=n), backend)
    assert len(backend.asked) == n


async def test_equal_scores_go_deep_first() -> None:
    backend = Watched(lambda s: 0.0)
    await climb(BestFirst(n=4), backend)
    assert [len(letters) for letters in backend.asked] == [0, 1, 2, 3]


async def test_without_a_solution_the_best_open_step_is_continued_to_the_end() -> None:
    backend = Watched(lambda s: s.count("a") / max(1, len(s)), length=6)
    result = await climb(BestFirst(n=2), backend)
    assert result.candidate is not None and result.candidate.complete
    assert len(backend.asked) == 3


async def test_the_budget_for_a_solution_is_kept() -> None:
    def wide(letters: str) -> float:
        return 1 / (1 + len(letters))  # The deeper the worse: never ends by itself.

    for tokens in range(30, 200, 10):
        result = await climb(BestFirst(), model(wide, length=8), budget=Budget(tokens=tokens))
        assert result.candidate is not None and result.candidate.complete


async def test_where_no_step_is_open_all_may_be_expanded_again() -> None:
    backend = Watched(lambda s: 0.5, length=1)
    result = await climb(BestFirst(n=30, branch=1), backend)
    assert len(backend.asked) == 30
    assert {written(result.trace, node) for node in result.trace.finished} == {"a", "b"}


async def test_expansions_run_at_once() -> None:
    alone, crowd = (Watched(lambda s: 0.5, length=6, delay=0.001) for _ in range(2))
    await climb(BestFirst(n=30), alone)
    await climb(BestFirst(n=30, parallel=4), crowd)
    assert alone.most == 1
    assert 2 <= crowd.most <= 4
    assert len(crowd.asked) == 30
