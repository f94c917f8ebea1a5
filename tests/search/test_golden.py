"""Whole trees, small enough to check by hand.

The model writes `a` or `b` (a coin flip) and ends after three letters. It trusts `a` more than `b`,
although all that is best begins with `b`, and neither by much: a search that explores too little, or weighs
scores wrongly, grows another tree. To accept a change of the search, delete the file and run the
tests twice.
"""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.run import Strategy
from reasoner.search import MCTS, Beam
from reasoner.search.ab_mcts import ABMCTS
from reasoner.search.best_first import BestFirst
from reasoner.search.draft import Draft
from reasoner.search.dvts import DVTS
from reasoner.search.parallel_probe import ParallelProbe
from reasoner.search.particle import Particle
from reasoner.search.particle_gibbs import ParticleGibbs
from reasoner.search.power import Power
from reasoner.search.rebase import Rebase
from reasoner.search.revise import Revise
from reasoner.search.rsa import RSA
from reasoner.search.rstar import RStar
from reasoner.search.short_m import ShortM
from reasoner.search.speculative_rejection import SpeculativeRejection
from reasoner.search.step_rejection import StepRejection
from reasoner.search.tot_bfs import TotBFS
from reasoner.search.tot_dfs import TotDFS
from reasoner.solving import solve
from reasoner.trace import Node, Trace
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict
from tests import ROOT

GOLDEN = ROOT / "tests" / "golden"


def letters(prompt: Prompt, rng: random.Random) -> str:
    half = "\n" if prompt.text[-1:] in ("a", "b") else ""
    written = (prompt.text + half).count("\n")
    return half + "".join(rng.choice("ab") + "\n" for _ in range(3 - written)) + END


WORTH = {
    "a": 0.6, "aa": 0.5, "aaa": 0.4, "aab": 0.5, "ab": 0.4, "aba": 0.3, "abb": 0.6,
    "b": 0.5, "ba": 0.6, "baa": 0.5, "bab": 0.8, "bb": 0.7, "bba": 0.6, "bbb": 0.9,
}  # fmt: skip


def worth(prompt: Prompt, step: str) -> float:
    return WORTH[(prompt.text + step).replace("\n", "")]


def tree(trace: Trace, node: Node) -> dict[str, Any]:
    row = f"{node.completion.text.split() if node.completion else 'root'} score={node.score}"
    row += f" visits={node.visits} value={node.value:.2f}"
    return {"node": row, "children": [tree(trace, c) for c in trace.children(node)]}


STRATEGIES: dict[str, Strategy] = {
    "beam": Beam(n=4, branch=2),
    "beam-lookahead": Beam(n=4, branch=2, lookahead=1),
    "dvts": DVTS(n=6, branch=3),
    "rebase": Rebase(n=8),
    "parallel-probe": ParallelProbe(n=3, interval=2, stable=2, patience=2, probe="\n"),
    "power": Power(n=3, block=4),
    "particle": Particle(n=12, ess=1.0),
    "particle-gibbs": ParticleGibbs(n=6, ess=1.0),
    "best-first": BestFirst(n=5, branch=2),
    "short-m": ShortM(n=5, m=2),
    "draft": Draft(threshold=0.6),
    "step-rejection": StepRejection(n=9, batch=2),
    "mcts": MCTS(n=8, branch=2, parallel=1),
    "mcts-parallel": MCTS(n=8, branch=2, parallel=3, rollout=False),
    "mcts-puct": MCTS(n=8, branch=3, parallel=1, select="puct", widening=0.3),
    "ab-mcts": ABMCTS(n=12, parallel=1),
    "ab-mcts-gaussian": ABMCTS(n=8, prior="gaussian", parallel=2, rollout=False),
    "rstar": RStar(n=2, branch=2, parallel=1, checks=2),
    "tot-bfs": TotBFS(n=2, branch=3),
    "tot-dfs": TotDFS(n=2, branch=2, threshold=0.4),
    "revise": Revise(n=6, length=2),
    "rsa": RSA(n=3, k=2, rounds=2, final=(1,)),
    "speculative-rejection": SpeculativeRejection(n=4, tokens=2),
}


@pytest.mark.parametrize("name", STRATEGIES)
async def test_tree(name: str) -> None:
    backend = Scripted(reply=letters, judge=worth)
    sampling = Sampling(stop=("\n",), max_tokens=12)
    result = await solve(
        Problem("p", "?"), STRATEGIES[name], backend, Verdict("last"), sampling=sampling
    )
    got = {"answer": result.text.split(), **tree(result.trace, result.trace.root)}
    path = GOLDEN / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(got, indent=1) + "\n")
        pytest.fail(f"wrote {path}; check it by hand")
    assert got == json.loads(path.read_text())
