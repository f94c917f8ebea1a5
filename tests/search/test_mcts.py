"""Virtual loss, priors, widening, and votes over the tree."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from math import log, sqrt
from typing import Any

import pytest
from pydantic.dataclasses import dataclass

from reasoner.backends.scripted import END, Scripted
from reasoner.events import Result
from reasoner.run import Run
from reasoner.search.common.simulation import SimulationTree, backup
from reasoner.search.mcts import MCTS, path_value
from reasoner.solving import solve
from reasoner.trace import Node
from reasoner.types import Completion, Finish, Generation, Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "1+2+3+4+5+6")
SAMPLING = Sampling(stop=("\n",), max_tokens=100)


class Watched(Scripted):
    """Remembers how many requests ran at once, and on how many different prompts."""

    most = 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.most = max(self.most, self.running + 1)
        return await super().generate(prompt, sampling)


async def mcts(backend: Scripted, **settings: Any) -> Result:
    return await solve(PROBLEM, MCTS(**settings), backend, Verdict(), sampling=SAMPLING)


async def test_parallel_simulations_run_at_once() -> None:
    alone, crowd = Watched(delay=0.001), Watched(delay=0.001)
    one, many = await mcts(alone, n=40, parallel=1), await mcts(crowd, n=40, parallel=8)
    assert alone.most == 1
    assert 4 <= crowd.most <= 8
    assert one.answer == many.answer == "21"
    assert many.trace.root.visits == one.trace.root.visits == 40


@dataclass(frozen=True)
class Probe:
    """Runs a test's own search."""

    test: Callable[[Run], Awaitable[Node]]

    async def search(self, run: Run) -> Node:
        return await self.test(run)


async def probe(test: Callable[[Run], Awaitable[Node]]) -> None:
    result = await solve(PROBLEM, Probe(test), Scripted(), Verdict(), sampling=SAMPLING)
    assert result.error is None


def step(run: Run, parent: Node, text: str, score: float | None = None) -> Node:
    finish = Finish.EOS if "#" in text else Finish.STOP
    node = run.trace.add(parent, Completion(text, (1,), finish))
    node.score = score
    return node


async def test_a_leaf_under_way_is_not_taken_again() -> None:
    async def twice(run: Run) -> Node:
        tree, root = SimulationTree(run), run.trace.root
        assert tree.select() == [root]
        assert tree.select() is None
        tree.release(root)
        assert tree.select() == [root]
        return (await run.expand([root]))[0]

    await probe(twice)


async def test_virtual_loss_spreads_simulations() -> None:
    async def spread(run: Run) -> Node:
        tree, root = SimulationTree(run), run.trace.root
        tree.select()
        children = [step(run, root, "a\n", 0.9), step(run, root, "b\n", 0.8)]
        tree.grow(root, children)
        tree.release(root)
        backup([root], 0.9)
        tree.widened[root.id] = 2
        taken = [path[-1] for _ in range(2) if (path := tree.select())]
        assert taken == children
        assert tree.select() == [root]  # nothing below is free, so the root is widened
        assert tree.select() is None
        return root

    await probe(spread)


@pytest.mark.parametrize(
    ("puct", "often", "rarely"),
    [
        (False, 0.6 + 0.5 * sqrt(log(8) / 4), 0.5 + 0.5 * sqrt(log(8) / 2)),
        (True, 0.6 + 0.5 * sqrt(7) * 1 / 4 / 5, 0.5 + 0.5 * sqrt(7) * 3 / 4 / 3),
    ],
)
async def test_preference_is_the_formulas(puct: bool, often: float, rarely: float) -> None:
    """Of a child worth .6 in 4 visits, sampled once, and one worth .5 in 2 visits, sampled thrice."""

    async def preferred(run: Run) -> Node:
        root, tree = run.trace.root, SimulationTree(run, exploration=0.5, puct=puct)
        samples = [step(run, root, text, 0.5) for text in ("a\n", "b\n", "b\n", "b\n")]
        children = tree.merge(root, samples)
        root.visits = 7
        for child, (visits, value) in zip(children, [(4, 2.4), (2, 1.0)], strict=True):
            child.visits, child.value = visits, value
        preference = tree.preference(root, children)
        assert [preference(c) for c in children] == [pytest.approx(often), pytest.approx(rarely)]
        return root

    await probe(preferred)


async def test_puct_explores_what_is_sampled_often() -> None:
    async def prior(run: Run) -> Node:
        root = run.trace.root
        samples = [step(run, root, text, 0.5) for text in ("a\n", "b\n", "b\n", "b\n")]
        for puct, preferred in ((False, "a\n"), (True, "b\n")):
            tree = SimulationTree(run, exploration=1.0, widening=0.0, puct=puct)
            tree.grow(root, tree.merge(root, samples))
            tree.widened[root.id] = 1
            root.visits = 4
            path = tree.walk(root)
            assert path and path[-1].completion and path[-1].completion.text == preferred
        return root

    await probe(prior)


async def test_a_copy_sampled_later_adds_to_the_prior() -> None:
    async def later(run: Run) -> Node:
        tree, root = SimulationTree(run), run.trace.root
        tree.grow(root, tree.merge(root, [step(run, root, "a\n", 0.5)]))
        [child] = tree.merge(root, [step(run, root, "a\n"), step(run, root, "a\n")])
        assert tree.sample_counts[child.id] == 3
        return root

    await probe(later)


@pytest.mark.parametrize(("widening", "expansions"), [(0.0, 1), (0.5, 6), (1.0, 31)])
async def test_widening_says_how_often_a_node_is_sampled(widening: float, expansions: int) -> None:
    backend = Scripted(reply=lambda _, rng: f"{rng.random()}\n" * 9, judge=lambda *_: 0.5)
    result = await mcts(backend, n=32, branch=1, widening=widening, rollout=False, parallel=1)
    assert len(result.trace.children(result.trace.root)) == expansions


async def test_a_finished_solution_votes_with_the_values_on_its_way() -> None:
    async def votes(run: Run) -> Node:
        first = step(run, run.trace.root, "a\n", 0.2)
        first.visits, first.value = 4, 2.0
        end = step(run, first, "#1", 0.9)
        assert path_value(run, end) == pytest.approx((0.5 + 0.9) / 2)
        assert path_value(run, step(run, first, "#1")) == 0.0
        return end

    await probe(votes)


def lucky(prompt: Prompt, rng: random.Random) -> str:
    """After `a` all solutions answer 1, after `b` one in eight scores high and answers 2."""
    first = prompt.text[:1] or rng.choice("ab")
    begin = "" if prompt.text else f"{first}\n"
    end = "1" if first == "a" else rng.choice(["2", *"3456789"])
    return f"{begin}#{end}{END}"


def trust(prompt: Prompt, step: str) -> float:
    text = prompt.text + step
    return 0.95 if "#2" in text else 0.9 if text.startswith("a") else 0.1


@pytest.mark.parametrize(("choose", "answer"), [("best", "2"), ("vote", "1"), ("aggregate", "1")])
async def test_aggregation_outvotes_one_lucky_score(choose: str, answer: str) -> None:
    result = await solve(
        PROBLEM, MCTS(n=40, choose=choose), Scripted(reply=lucky, judge=trust),  # type: ignore[arg-type]
        Verdict("last"), sampling=SAMPLING,
    )  # fmt: skip
    assert result.answer == answer
