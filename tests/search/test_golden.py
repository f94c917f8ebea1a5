"""Whole trees, small enough to check by hand.

The model writes `a` or `b` (a coin flip), ends after three letters, and trusts a solution as far
as it consists of `a`. To accept a change of the search, delete the file and run the tests twice.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.run import Strategy
from reasoner.search import MCTS, Beam
from reasoner.solving import solve
from reasoner.trace import Node, Trace
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

GOLDEN = Path(__file__).parent.parent / "golden"


def letters(prompt: Prompt, rng: random.Random) -> str:
    written = prompt.text.count("\n")
    return "".join(rng.choice("ab") + "\n" for _ in range(3 - written)) + END


def share(prompt: Prompt, step: str) -> float:
    text = prompt.text + step
    return round(text.count("a") / max(1, text.count("\n")), 2)


def tree(trace: Trace, node: Node) -> dict[str, Any]:
    row = f"{node.completion.text.split() if node.completion else 'root'} score={node.score}"
    row += f" visits={node.visits} value={node.value:.2f}"
    return {"node": row, "children": [tree(trace, c) for c in trace.children(node)]}


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("beam", Beam(n=4, branch=2)),
        ("mcts", MCTS(n=4, branch=2, parallel=1)),
        ("mcts-parallel", MCTS(n=6, branch=2, parallel=3, rollout=False)),
    ],
)
async def test_tree(name: str, strategy: Strategy) -> None:
    backend = Scripted(reply=letters, judge=share)
    sampling = Sampling(stop=("\n",), max_tokens=12)
    result = await solve(Problem("p", "?"), strategy, backend, Verdict("last"), sampling=sampling)
    got = {"answer": result.text.split(), **tree(result.trace, result.trace.root)}
    path = GOLDEN / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(got, indent=1) + "\n")
        pytest.fail(f"wrote {path}; check it by hand")
    assert got == json.loads(path.read_text())
