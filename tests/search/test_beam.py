"""Beam search spends what it was given, however few distinct beams there are."""

from __future__ import annotations

import random

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.search import Beam, Greedy
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict
from tests.search.landscape import climb, model


def same(prompt: Prompt, _: random.Random) -> str:
    return "a\n" * (3 - prompt.text.count("\n")) + END


@pytest.mark.parametrize("n", [4, 8, 10])
async def test_copies_of_a_step_stay_beams(n: int) -> None:
    backend = Scripted(reply=same, judge=lambda *_: 0.5)
    sampling = Sampling(stop=("\n",), max_tokens=12)
    result = await solve(
        Problem("p", "?"), Beam(n=n, branch=2), backend, Verdict("last"), sampling=sampling
    )
    depths = [node.depth for node in result.trace if node.completion]
    assert all(depths.count(d) == n for d in range(1, max(depths) + 1))
    assert max(depths) >= 3


def trap(letters: str) -> float:
    """`a` looks better at first, and whatever follows it is worse."""
    if letters.startswith("a"):
        return 0.9 if letters == "a" else 0.1
    return 0.5


async def test_lookahead_sees_where_a_step_leads() -> None:
    blind = await climb(Beam(n=8, branch=8), model(trap))
    seeing = await climb(Beam(n=8, branch=8, lookahead=1), model(trap))
    assert blind.answer is not None and blind.answer.startswith("a")
    assert seeing.answer is not None and seeing.answer.startswith("b")


async def test_rollouts_are_no_beams_but_their_ends_count() -> None:
    result = await climb(Beam(n=4, branch=4, lookahead=5), model(lambda s: 0.5))
    trace, firsts = result.trace, result.trace.children(result.trace.root)
    rolled = [node for node in trace.finished if node.depth == 4]
    assert len(firsts) == 4  # Of which the distinct ones were rolled out.
    assert len(rolled) > 4 and all(node.score is not None for node in rolled)
    assert all(node.score == 0.5 for node in firsts)


async def test_a_finished_rollout_can_be_the_answer() -> None:
    likeliest = (await climb(Greedy(), model(lambda s: 0.5))).text[0]

    def good(letters: str) -> float:
        return 0.9 if letters[1:] == 2 * likeliest else 0.1

    results = [await climb(Beam(n=1, lookahead=3), model(good), seed=s) for s in range(4)]
    assert all(r.answer is not None and r.answer[1:] == 2 * likeliest for r in results)
    assert any(c.score == 0.1 for r in results for c in r.candidates)  # The beam's own end.


async def test_lookahead_keeps_to_a_budget_and_answers() -> None:
    for tokens in range(30, 150, 10):
        budget = Budget(tokens=tokens)
        result = await climb(Beam(n=8, lookahead=2), model(trap), budget=budget)
        assert result.usage.completion_tokens <= tokens
        assert result.candidate is not None and result.candidate.complete


async def test_the_width_leaves_budget_for_the_rollouts() -> None:
    """120 tokens hold four solutions of 30, but only one with two rollout steps for each step."""
    result = await climb(Beam(n=4, lookahead=2), model(trap), budget=Budget(tokens=120))
    _, first, second, *_ = result.trace
    assert result.trace.parent(second) is first
