"""Votes: what counts, and who wins a tie."""

from __future__ import annotations

import random

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.run import Strategy
from reasoner.search import Majority, Weighted
from reasoner.solving import solve
from reasoner.types import Problem, Prompt
from reasoner.verifiers.verdict import Verdict


def saying(answers: str) -> Scripted:
    """A model that writes one letter a sample, in this order; capitals it trusts, others not much."""
    left = iter(answers)

    def reply(_: Prompt, __: random.Random) -> str:
        return next(left) + END

    return Scripted(reply=reply, judge=lambda _, step: 0.9 if step.isupper() else 0.2)


@pytest.mark.parametrize(
    ("answers", "majority", "weighted"),
    [
        ("aab", "a", "a"),
        ("abb", "b", "b"),
        ("aaaB", "a", "b"),  # .9 against three times .2
        ("aaaaaB", "a", "a"),
        ("abba", "a", "a"),  # The earlier of equals.
        ("baab", "b", "b"),
        ("ABba", "a", "a"),
    ],
)
async def test_votes(answers: str, majority: str, weighted: str) -> None:
    async def chosen(strategy: Strategy) -> str | None:
        result = await solve(
            Problem("p", "?"), strategy, saying(answers), Verdict("last"), extract=str.lower
        )
        return result.answer

    assert await chosen(Majority(n=len(answers))) == majority
    assert await chosen(Weighted(n=len(answers))) == weighted
