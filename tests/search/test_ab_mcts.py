"""Thompson sampling goes wider or deeper as the scores suggest, at a cost that does not grow."""

from __future__ import annotations

import random
from statistics import fmean, variance

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.events import Result
from reasoner.search.ab_mcts import ABMCTS, WIDEST, ArmStatistics, Forest, Fork, beta, gaussian
from reasoner.solving import solve
from reasoner.trace import Node
from reasoner.types import NodeId, Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "?")


def lines(prompt: Prompt, rng: random.Random) -> str:
    written = prompt.text.count("\n")
    return "".join(f"{rng.random():.6f}\n" for _ in range(6 - written)) + END


def last(prompt: Prompt, step: str) -> float:
    return float((prompt.text + step).splitlines()[-1])


async def search(strategy: ABMCTS, judge: str) -> Result:
    judges = {"last": last, "first": lambda p, s: float((p.text + s).splitlines()[0])}
    backend = Scripted(reply=lines, judge=judges[judge])
    sampling = Sampling(stop=("\n",), max_tokens=100)
    return await solve(PROBLEM, strategy, backend, Verdict("last"), sampling=sampling)


def observed(*scores: float) -> ArmStatistics:
    arm = ArmStatistics()
    for score in scores:
        arm.visits += 1
        arm.observe(score)
    return arm


def test_the_beta_posterior_has_its_mean_and_variance() -> None:
    rng, arm = random.Random(0), observed(0.9, 0.4, 0.8)
    draws = [beta(arm, rng) for _ in range(20_000)]
    a, b = 0.5 + 2.1, 0.5 + 0.9
    assert fmean(draws) == pytest.approx(a / (a + b), abs=0.005)
    assert variance(draws) == pytest.approx(a * b / (a + b) ** 2 / (a + b + 1), rel=0.05)


def test_the_gaussian_posterior_has_its_mean_and_variance() -> None:
    """Murphy, Probabilistic Machine Learning: Advanced Topics, section 3.4.3.3."""
    rng, scores = random.Random(0), (0.9, 0.4, 0.8, 0.7, 0.6, 0.9)
    draws = [gaussian(observed(*scores), rng) for _ in range(40_000)]
    n, ave = len(scores), fmean(scores)
    kappa, nu = 1 + n, 1 + n
    scale = 0.1 + sum((x - ave) ** 2 for x in scores) + n / kappa * ave**2
    assert fmean(draws) == pytest.approx(n * ave / kappa, abs=0.005)
    assert variance(draws) == pytest.approx(scale / (nu - 2) / kappa, rel=0.1)


def test_a_visit_under_way_counts_as_a_loss() -> None:
    rng, arm = random.Random(0), observed(0.9, 0.9)
    before = fmean(beta(arm, rng) for _ in range(2000))
    arm.visits += 3
    assert fmean(beta(arm, rng) for _ in range(2000)) < before - 0.2


@pytest.mark.parametrize("prior", ["beta", "gaussian"])
async def test_depth_pays_where_the_first_step_decides(prior: str) -> None:
    """If the first step decides, good ones are continued; if it tells nothing, more are drawn."""
    strategy = ABMCTS(n=100, prior=prior)  # type: ignore[arg-type]
    decided, open_ = await search(strategy, "first"), await search(strategy, "last")
    children = decided.trace.children(decided.trace.root)
    continued = [c for c in children if len(decided.trace.children(c)) > 1]
    left = [c for c in children if len(decided.trace.children(c)) == 1]
    assert fmean(map(first, continued)) > fmean(map(first, left)) + 0.2
    assert max(c.depth for c in decided.trace) > 2
    assert open_.answer is not None


def first(node: Node) -> float:
    assert node.completion
    return float(node.completion.text)


async def test_values_are_of_finished_solutions_only() -> None:
    result = await search(ABMCTS(n=20), "last")
    assert all(n.score is None for n in result.trace if n.completion and not n.finished)
    assert len(result.candidates) == 20


async def test_without_rollouts_a_simulation_is_one_step() -> None:
    result = await search(ABMCTS(n=20, rollout=False), "last")
    assert len(result.trace) == 21


async def test_a_wide_node_keeps_its_best_children() -> None:
    forest = Forest(None, beta)  # type: ignore[arg-type]
    fork = Fork()
    for i in range(100):
        forest.welcome(fork, Node(NodeId(i)), i / 100)
    assert sorted(fork.open) == list(range(100 - WIDEST, 100))
