"""The tree: paths, prompts, JSON, and what a node costs."""

from __future__ import annotations

import json
import time

from reasoner.backends.scripted import Scripted
from reasoner.run import Run
from reasoner.search.mcts import MCTS
from reasoner.solving import solve
from reasoner.trace import Node, Trace
from reasoner.types import Completion, Finish, Problem, Sampling
from reasoner.verifiers.verdict import Verdict


def piece(text: str, finish: Finish = Finish.STOP) -> Completion:
    return Completion(text, tuple(map(ord, text)), finish, -1.5, (0.25,))


def small() -> tuple[Trace, Node]:
    trace = Trace(Problem("p", "?", {"level": 3}))
    a = trace.add(trace.root, piece("a\n"), spent=2)
    trace.add(trace.root, piece("b\n"))
    leaf = trace.add(a, piece("#c", Finish.EOS))
    leaf.score, leaf.step_scores = 0.5, (0.25, 0.5)
    return trace, leaf


def test_paths_prompts_and_candidates() -> None:
    trace, leaf = small()
    assert [n.id for n in trace.path(leaf)] == [0, 1, 3]
    assert trace.parent(trace.root) is None
    assert [n.rank for n in trace.children(trace.root)] == [0, 1]
    assert trace.prompt(leaf).text == "a\n#c"
    assert trace.prompt(leaf).token_ids == tuple(map(ord, "a\n#c"))
    assert trace.candidate(leaf).complete
    assert trace.candidate(leaf).verdicts == (0.25, 0.25)
    assert (leaf.depth, leaf.length, leaf.terminal) == (2, 4, True)


def test_the_graph_is_the_tree_and_keeps_up_with_it() -> None:
    trace, leaf = small()
    assert list(trace.graph.edges) == [(0, 1), (0, 2), (1, 3)]
    trace.add(trace.root, piece("d"))
    assert list(trace.graph.successors(0)) == [1, 2, 4]
    assert Trace.from_json(trace.to_json()).graph.out_degree(leaf.id) == 0


def test_json_round_trip() -> None:
    trace, _ = small()
    text = json.dumps(trace.to_json())
    again = Trace.from_json(json.loads(text))
    assert json.dumps(again.to_json()) == text
    assert [n.id for n in again.finished] == [3]


class Spread:
    """Ten thousand nodes, a hundred at a time."""

    async def search(self, run: Run) -> Node:
        frontier = [run.trace.root]
        while len(run.trace) < 10_000:
            children = await run.expand(frontier, n=100 // len(frontier), step=True)
            await run.score(children)
            frontier = children[:10]
        return children[0]


async def test_a_node_costs_little() -> None:
    backend = Scripted(reply=lambda p, rng: "ab\n", judge=lambda p, s: 0.5)
    start = time.process_time()
    sampling = Sampling(stop=("\n",), max_tokens=1000)
    result = await solve(Problem("p", "?"), Spread(), backend, Verdict(), sampling=sampling)
    each = (time.process_time() - start) / len(result.trace)
    assert len(result.trace) >= 10_000
    assert each < 1e-3, f"{each * 1e3:.2f} ms per node"  # 0.2 ms is the aim; CI is slow


async def test_a_large_mcts_tree_costs_little() -> None:
    start = time.process_time()
    strategy = MCTS(n=500)
    problem = Problem("p", "1+2+3+4+5+6+7+8")
    sampling = Sampling(stop=("\n",), max_tokens=200)
    result = await solve(problem, strategy, Scripted(), Verdict(), sampling=sampling)
    assert (time.process_time() - start) / len(result.trace) < 2e-3
