"""Virtual loss: simulations at once must not all walk the same way."""

from __future__ import annotations

from reasoner.backends.scripted import Scripted
from reasoner.events import Result
from reasoner.run import Run
from reasoner.search import MCTS
from reasoner.search.mcts import Tree
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


async def mcts(parallel: int) -> tuple[Watched, Result]:
    backend = Watched(delay=0.001)
    result = await solve(
        PROBLEM, MCTS(n=40, parallel=parallel), backend, Verdict(), sampling=SAMPLING
    )
    return backend, result


async def test_parallel_simulations_run_at_once() -> None:
    alone, one = await mcts(1)
    crowd, many = await mcts(8)
    assert alone.most == 1
    assert 4 <= crowd.most <= 8
    assert one.answer == many.answer == "21"
    assert many.trace.root.visits == one.trace.root.visits == 40


class Probe:
    """Selects three leaves at once among two equal children of the root."""

    async def search(self, run: Run) -> Node:
        tree = Tree(run, 0.5, 2)
        root = run.trace.root
        tree.select()
        children = [
            run.trace.add(root, Completion(text, (1,), Finish.STOP)) for text in ("a\n", "b\n")
        ]
        children[0].score, children[1].score = 0.9, 0.8
        tree.grow(root, children)
        tree.backup(root, [root], 0.9)
        tree.widened[root.id] = 2
        taken = [path[-1] for _ in range(2) if (path := tree.select())]
        assert taken == children
        third = tree.select()
        assert third == [root]  # nothing below is free, so the root is widened
        assert tree.select() is None
        return children[0]


async def test_virtual_loss_spreads_simulations() -> None:
    result = await solve(PROBLEM, Probe(), Scripted(), Verdict(), sampling=SAMPLING)
    assert result.error is None
