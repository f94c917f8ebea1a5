"""Depth first: the best thought is followed, what is not worth it is cut off, dead ends go back."""

from __future__ import annotations

import random
from typing import Any

from reasoner.backends.scripted import END, Scripted
from reasoner.events import Result, Stopped
from reasoner.search.tot_dfs import TotDFS
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

WORTH = {"a": 0.9, "b": 0.5, "c": 0.1}


def letters(prompt: Prompt, rng: random.Random) -> str:
    return "".join(rng.choice("abc") + "\n" for _ in range(3 - prompt.text.count("\n"))) + END


def last(prompt: Prompt, step: str) -> float:
    return WORTH[(prompt.text + step).split()[-1]]


def trap(prompt: Prompt, step: str) -> float:
    """A model whose steps that begin with `a` look well and lead nowhere."""
    text = (prompt.text + step).split()
    return 0.0 if text[0] == "a" and len(text) > 1 else WORTH[text[-1]]


async def dfs(judge: Any = last, **settings: Any) -> Result:
    backend, sampling = Scripted(reply=letters, judge=judge), Sampling(stop=("\n",), max_tokens=50)
    strategy = TotDFS(**{"branch": 24, **settings})
    return await solve(Problem("p", "?"), strategy, backend, Verdict("last"), sampling=sampling)


async def test_the_best_thought_is_followed_first() -> None:
    result = await dfs(n=1)
    assert result.text.split() == ["a", "a", "a"]
    assert [n.depth for n in result.trace if result.trace.children(n)] == [0, 1, 2, 3]


async def test_a_dead_end_goes_back() -> None:
    result = await dfs(trap, n=1, threshold=0.2)
    assert result.text.split()[0] == "b"


async def test_nothing_below_the_threshold_is_followed() -> None:
    result = await dfs(n=1000, expansions=1000, threshold=0.2)
    grown = [n for n in result.trace if n.completion and result.trace.children(n)]
    assert all(n.score and n.score > 0.2 for n in grown)
    assert {n.completion.text for n in grown if n.completion} == {"a\n", "b\n"}


async def test_all_pruned_still_gives_an_answer() -> None:
    result = await dfs(n=1, threshold=1.0)
    assert result.stopped is Stopped.DONE
    assert result.text.split()[0] == "a"
    assert result.candidate is not None and result.candidate.complete


async def test_it_ends_at_n_solutions_or_after_its_expansions() -> None:
    three = await dfs(n=3)
    assert len([n for n in three.trace.finished if n.score is not None]) == 3
    few = await dfs(n=1000, expansions=5)
    assert len([n for n in few.trace if few.trace.children(n)]) <= 5 + 1
