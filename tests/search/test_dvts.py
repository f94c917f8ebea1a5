"""The trees of DVTS know nothing of one another."""

from __future__ import annotations

import asyncio

import pytest

from reasoner.backends.scripted import Scripted
from reasoner.events import AnswerOffered, Event
from reasoner.search.dvts import DVTS, follow
from reasoner.trace import Node, Trace
from reasoner.types import Generation, NodeId, Prompt, Sampling
from tests.search.landscape import climb, coin, model, written


def value(letters: str) -> float:
    return letters.count("a") / max(1, len(letters))


def below(trace: Trace, node: Node) -> list[object]:
    children = trace.children(node)
    return [written(trace, node), node.score, [below(trace, c) for c in children]]


async def test_a_tree_grows_the_same_whatever_stands_beside_it() -> None:
    alone = (await climb(DVTS(n=4), model(value, length=5))).trace
    among = (await climb(DVTS(n=16), model(value, length=5))).trace
    first = [below(among, child) for child in among.children(among.root)[:4]]
    assert first == [below(alone, child) for child in alone.children(alone.root)]


class Gated(Scripted):
    """Answers what starts with `b` only when all other trees have come to their ends."""

    def __init__(self) -> None:
        super().__init__(reply=coin(4), judge=lambda *_: 0.5)
        self.others = 0
        self.gate = asyncio.Event()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        letters = prompt.text.replace("\n", "")
        if letters.startswith("b"):
            await asyncio.wait_for(self.gate.wait(), 5)
        generation = await super().generate(prompt, sampling)
        if not letters:
            self.others = sum(c.text == "a\n" for c in generation.completions)
        self.others -= letters.startswith("a") and len(letters) == 4
        if not self.others:
            self.gate.set()
        return generation


async def test_trees_do_not_wait_for_a_slow_one() -> None:
    result = await climb(DVTS(n=8, branch=1), Gated())
    starts = [written(result.trace, node)[0] for node in result.trace.finished]
    assert starts == sorted(starts) and set(starts) == {"a", "b"}


async def test_the_answer_offered_only_gets_better() -> None:
    offers = list[tuple[bool, float]]()

    def listen(event: Event) -> None:
        if isinstance(event, AnswerOffered):
            offers.append((event.candidate.complete, event.candidate.verdicts[-1]))

    await climb(DVTS(n=16, branch=2), model(value, length=5), listen=listen)
    assert len(offers) > 1 and offers == sorted(offers)


async def test_an_overrated_step_takes_one_tree_only() -> None:
    def trap(letters: str) -> float:
        return 0.9 if letters.startswith("a") else 0.1

    trace = (await climb(DVTS(n=8, branch=1), model(trap))).trace
    ends = [written(trace, node) for node in trace.finished]
    firsts = [written(trace, child) for child in trace.children(trace.root)]
    assert sorted(e[0] for e in ends) == sorted(firsts) and "b" in firsts


@pytest.mark.parametrize("n", [1, 3, 4, 10])
async def test_each_depth_samples_n_steps(n: int) -> None:
    trace = (await climb(DVTS(n=n), model(value))).trace
    depths = [node.depth for node in trace if node.completion]
    assert all(depths.count(d) == n for d in (1, 2, 3, 4))


def test_a_better_open_step_goes_on_past_a_finished_one() -> None:
    ended = Node(NodeId(1), terminal=True, score=0.4)
    cut_off = Node(NodeId(2), terminal=True, score=0.9)
    going_on = Node(NodeId(3), score=0.5)
    assert follow([ended, cut_off, going_on]) is going_on
    assert follow([cut_off]) is None


@pytest.mark.parametrize("score", [0.0, 1.0])
async def test_equal_scores_still_answer(score: float) -> None:
    result = await climb(DVTS(n=6, choose="vote"), model(lambda _: score))
    assert result.candidate is not None and result.candidate.complete
