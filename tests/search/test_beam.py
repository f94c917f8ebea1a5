"""Beam search spends what it was given, however few distinct beams there are."""

from __future__ import annotations

import random

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.search import Beam
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict


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
