"""It goes on from what is good enough, draws again where nothing is, and comes back from a trap."""

from __future__ import annotations

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.budget import Budget
from reasoner.search.step_rejection import StepRejection
from reasoner.solving import solve
from reasoner.types import Generation, Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict
from tests.search.landscape import Value, climb, coin


class Watched(Scripted):
    """Remembers what it was asked to continue, and into how many steps."""

    def __init__(self, value: Value, length: int = 3, letters: str = "ab") -> None:
        super().__init__(
            reply=coin(length, letters),
            judge=lambda p, s: value((p.text + s).replace("\n", "")),
        )
        self.asked = list[str]()
        self.sizes = list[int]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.asked.append(prompt.text.replace("\n", ""))
        self.sizes.append(sampling.n)
        return await super().generate(prompt, sampling)


async def test_where_all_is_good_each_step_is_drawn_once() -> None:
    backend = Watched(lambda s: 0.95)
    result = await climb(StepRejection(batch=2), backend)
    assert [len(letters) for letters in backend.asked] == [0, 1, 2, 3]
    assert backend.sizes == [2] * 4
    assert result.candidate is not None and result.candidate.complete


@pytest.mark.parametrize("seed", range(4))
async def test_it_draws_again_until_a_step_is_good_enough(seed: int) -> None:
    backend = Watched(lambda s: float(s[0] == "z"), letters="abcdefghz")
    result = await climb(StepRejection(batch=1), backend, seed=seed)
    firsts = [n for n in result.trace if n.depth == 1]
    assert backend.asked.count("") == len(firsts)
    assert [n.score for n in firsts] == [0.0] * (len(firsts) - 1) + [1.0]
    assert result.answer is not None and result.answer.startswith("z")


@pytest.mark.parametrize(("threshold", "draws"), [(0.9, 7), (0.7, 2), (0.4, 1)])
async def test_the_threshold_falls_with_every_draw(threshold: float, draws: int) -> None:
    """Half of the most is enough where `threshold ** draws` is at most that."""
    backend = Watched(lambda s: 0.5)
    await climb(StepRejection(threshold=threshold), backend)
    assert backend.asked[: draws + 1].count("") == draws and backend.asked[draws] != ""


def trap(letters: str) -> float:
    """`a` looks best at first, and whatever follows it is bad."""
    if letters.startswith("a"):
        return 1.0 if letters == "a" else 0.1
    return 0.7


async def test_it_comes_back_from_a_trap_to_the_best_that_was_rejected() -> None:
    backend = Watched(trap)
    result = await climb(StepRejection(batch=8), backend)
    assert backend.asked[:3] == ["", "a", "a"] and "b" in backend.asked
    assert result.answer is not None and result.answer.startswith("b")


async def test_a_better_step_above_is_still_sought() -> None:
    backend = Watched(lambda s: 0.2 if s.startswith("a") else 1.0, letters="aaaaaaaaaab")
    results = [await climb(StepRejection(batch=2), backend, seed=seed) for seed in range(9)]
    assert all(r.answer is not None and r.answer.startswith("b") for r in results)


@pytest.mark.parametrize("n", [1, 4, 8])
async def test_where_nothing_is_good_it_spends_n_steps_a_depth_at_most_and_answers(n: int) -> None:
    backend = Watched(lambda s: 0.1 * (s[0] == "b"), length=9)
    result = await climb(StepRejection(n=n), backend)
    firsts = max(1, n // 2)
    assert set(backend.asked[:firsts]) == {""} and backend.asked[firsts] in "ab"
    assert sum(backend.sizes) <= 10 * n + 1
    assert result.candidate is not None and result.candidate.complete


async def test_the_budget_for_a_solution_is_kept_and_the_rest_is_used() -> None:
    for tokens in range(30, 200, 10):
        backend = Watched(lambda s: 1 / (1 + len(s)), length=8)
        result = await climb(StepRejection(), backend, budget=Budget(tokens=tokens))
        assert result.usage.completion_tokens <= tokens
        assert result.candidate is not None and result.candidate.complete


async def test_the_ceiling_is_the_verifiers_own() -> None:
    """Verdicts level off below 1: two thirds are all there is, and enough."""
    backend, sampling = Watched(lambda s: 0.9), Sampling(stop=("\n",), max_tokens=30)
    await solve(Problem("p", "?"), StepRejection(), backend, Verdict(), sampling=sampling)
    assert backend.asked.count("") == 1
