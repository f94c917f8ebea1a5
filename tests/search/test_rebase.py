"""REBASE gives away exactly the samples there are, more of them where the score is higher."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Scripted
from reasoner.search.rebase import Rebase, split
from reasoner.trace import Node
from reasoner.types import NodeId, Prompt
from tests.search.landscape import climb, model, written


def scored(*scores: float) -> list[Node]:
    return [Node(NodeId(i), score=s) for i, s in enumerate(scores, start=1)]


scores = st.lists(st.integers(0, 1000).map(lambda i: i / 1000), min_size=1, max_size=30)


@given(scores, st.integers(0, 200), st.floats(0.01, 10))
def test_the_shares_add_up_and_follow_the_scores(
    values: list[float], width: int, temperature: float
) -> None:
    nodes = scored(*values)
    shares = Rebase(temperature=temperature).share(dict.fromkeys(nodes, 1), width)
    assert sum(shares.values()) == width
    ranked = sorted(nodes, key=lambda node: node.score or 0.0, reverse=True)
    assert all(shares.get(a, 0) >= shares.get(b, 0) for a, b in pairwise(ranked))


@given(st.lists(st.floats(1e-6, 1e6), min_size=1), st.integers(0, 200))
def test_a_split_is_exact_and_off_by_less_than_one(weights: list[float], width: int) -> None:
    counts = split(width, weights)
    assert sum(counts) == width
    for count, weight in zip(counts, weights, strict=True):
        assert abs(count - width * weight / sum(weights)) < 1 + 1e-6


def test_equal_weights_are_split_evenly() -> None:
    assert split(64, [0.1] * 16) == [4] * 16
    assert split(7, [0.3] * 3) == [3, 2, 2]
    assert split(3, [0.5, 0.2, 0.3]) == [1, 1, 1]


def test_copies_add_up() -> None:
    often, once = scored(0.5, 0.5)
    assert Rebase().share({often: 3, once: 1}, 8) == {often: 6, once: 2}


def test_a_low_temperature_is_greedy_and_a_high_one_is_fair() -> None:
    good, bad = scored(0.9, 0.1)
    assert Rebase(temperature=0.01).share({good: 1, bad: 1}, 8) == {good: 8}
    assert Rebase(temperature=1000).share({good: 1, bad: 1}, 8) == {good: 4, bad: 4}


async def test_every_depth_has_the_samples_that_have_not_ended() -> None:
    result = await climb(Rebase(n=12, temperature=0.5), model(lambda s: 0.3 + 0.1 * s.count("a")))
    depths = [node.depth for node in result.trace if node.completion]
    assert [depths.count(d) for d in (1, 2, 3, 4)] == [12, 12, 12, 12]
    assert max(depths) == 4


async def test_what_has_ended_takes_up_samples() -> None:
    def reply(prompt: Prompt, rng: random.Random) -> str:
        return END if rng.random() < 0.5 or prompt.text.count("\n") > 8 else "a\n" * 9 + END

    backend = Scripted(reply=reply, judge=lambda *_: 0.5)
    result = await climb(Rebase(n=16), backend)
    left = 16
    for depth in range(1, max(node.depth for node in result.trace) + 1):
        level = [node for node in result.trace if node.depth == depth]
        assert len(level) == left
        left -= sum(node.finished for node in level)
    assert left == 0


@pytest.mark.parametrize("choose", ["best", "vote"])
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
async def test_equal_scores_still_answer(choose: Literal["best", "vote"], score: float) -> None:
    result = await climb(Rebase(n=6, choose=choose), model(lambda _: score))
    assert result.candidate is not None and result.candidate.complete


async def test_the_vote_adds_up_what_the_best_stands_alone_for() -> None:
    def value(letters: str) -> float:
        return {"a": 0.6, "b": 0.5}[letters[-1]]

    backend = model(value, length=1)
    best = await climb(Rebase(n=9, temperature=5), backend, seed=1)
    voted = await climb(Rebase(n=9, temperature=5, choose="vote"), backend, seed=1)
    finals = [written(best.trace, node) for node in best.trace.finished]
    assert finals.count("b") > 1.2 * finals.count("a") > 0
    assert (best.answer, voted.answer) == ("a", "b")
