"""Windows of samples, until one agrees."""

from __future__ import annotations

import random

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.budget import Budget
from reasoner.events import Stopped
from reasoner.search.esc import ESC
from reasoner.solving import solve
from reasoner.types import Problem
from tests.search.test_adaptive_majority import saying, stated

PROBLEM = Problem("p", "?")


async def draw(answers: str, strategy: ESC) -> tuple[str | None, int, int]:
    backend = Scripted(reply=saying(answers))
    result = await solve(PROBLEM, strategy, backend, extract=stated)
    return result.answer, len(result.candidates), backend.usage.requests


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("aaaaa", ("a", 5, 1)),
        ("aaaabbbbbb", ("b", 10, 2)),
        # Agreement ends it, but all that was drawn has a vote.
        ("aaaabaaaabccccc", ("a", 15, 3)),
        ("abaabaaaabbaaab", ("a", 15, 3)),
        # Windows do not slide.
        ("baaaaaaaabaaaaa", ("a", 15, 3)),
        # Without an answer there is no agreement.
        ("     aaaa aaaaa", ("a", 15, 3)),
    ],
)
async def test_it_stops_with_the_first_window_that_agrees(
    answers: str, expected: tuple[str, int, int]
) -> None:
    assert await draw(answers, ESC(n=15)) == expected


async def test_the_last_window_is_cut_to_what_is_left() -> None:
    assert await draw("abababa", ESC(n=7, window=3)) == ("a", 7, 3)
    assert await draw("aa", ESC(n=2, window=3)) == ("a", 2, 1)


@pytest.mark.parametrize("seed", range(20))
async def test_it_draws_as_many_as_a_simulation(seed: int) -> None:
    rng = random.Random(seed)
    window, n = rng.randint(2, 6), rng.randint(1, 40)
    answers = "".join(rng.choices("aaaab ", k=n))
    windows = [answers[i : i + window] for i in range(0, n, window)]
    agreed = [len(w) == window and len(set(w)) == 1 and " " not in w for w in windows]
    expected = windows[: agreed.index(True) + 1] if True in agreed else windows
    _, drawn, requests = await draw(answers, ESC(n=n, window=window))
    assert (drawn, requests) == (sum(map(len, expected)), len(expected))


async def test_a_budget_that_ends_leaves_the_majority() -> None:
    backend = Scripted(reply=saying("abbabcbb"))
    result = await solve(PROBLEM, ESC(), backend, budget=Budget(requests=1), extract=stated)
    assert (result.answer, result.stopped) == ("b", Stopped.BUDGET)
