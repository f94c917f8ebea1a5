"""Our searches spend a budget as treequest's do (SakanaAI/treequest 0.3), on the same landscape.

A step is a number drawn uniformly from [0, 1); the score of a node starts at 0.4 and moves by
0.4 x (step - 0.55) at each step, within [0, 1], so a step mostly loses a little and some lead on.
No branch ever ends. Both get the same number of generations per run, each from its own stream of
random numbers, so runs are compared as samples: the 99.9 % interval of the difference of means
must lie within the tolerance, and is the narrower the more runs there are. In the quick form, of 60 runs,
it need only reach within it; the long form is `-m slow`.

AB-MCTS: ours without rollouts, one simulation at a time, is meant to be the same algorithm
(scores observed at GEN, CONT and child; posteriors; priors), so the tolerance only pays for noise.

MCTS: treequest weighs exploration by a softmax of the siblings' scores, near 1/2 for two, so our
exploration is half of its sqrt(2), and it is given two samples an expansion; never widened.
It backs up both samples, we the better of the two, and it counts generations where we count
simulations; hence a wider tolerance.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import sqrt
from statistics import fmean, variance
from typing import Any

import numpy as np
import pytest

from reasoner.backends.scripted import Scripted
from reasoner.run import Strategy
from reasoner.search.ab_mcts import ABMCTS
from reasoner.search.mcts import MCTS
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

treequest = pytest.importorskip("treequest")

GENERATIONS = 24
MANY = 500
pytestmark = pytest.mark.parametrize("runs", [60, pytest.param(MANY, marks=pytest.mark.slow)])

Path = tuple[float, ...]
Outcome = tuple[float, float, float]
"""The best score, the share of generations at the root, the mean depth of a generation."""


def score(path: Path) -> float:
    value = 0.4
    for step in path:
        value = min(1.0, max(0.0, value + 0.4 * (step - 0.55)))
    return value


def outcome(paths: list[Path]) -> Outcome:
    depths = [len(path) for path in paths]
    return max(map(score, paths)), depths.count(1) / len(depths), fmean(depths)


def steps(text: str) -> Path:
    return tuple(float(line) for line in text.splitlines())


def draw(prompt: Prompt, rng: random.Random) -> str:
    return f"{rng.random():.9f}\n"


def judge(prompt: Prompt, step: str) -> float:
    return score(steps(prompt.text + step))


async def ours(strategy: Strategy, seed: int) -> Outcome:
    sampling = Sampling(stop=("\n",), max_tokens=100_000)
    backend = Scripted(reply=draw, judge=judge)
    result = await solve(
        Problem("p", "?"), strategy, backend, Verdict("last"), sampling=sampling, seed=seed
    )
    assert len(result.trace) == GENERATIONS + 1
    return outcome([steps(result.trace.prompt(n).text) for n in result.trace if n.completion])


def theirs(algorithm: Any, seed: int) -> Outcome:
    rng, state = random.Random(seed), algorithm.init_tree()
    np.random.seed(seed)

    def generate(parent: Path | None) -> tuple[Path, float]:
        path = (*(parent or ()), rng.random())
        return path, score(path)

    for _ in range(GENERATIONS):
        state = algorithm.step(state, {"step": generate}, inplace=True)
    return outcome([path for path, _ in algorithm.get_state_score_pairs(state)])


async def apart(strategy: Strategy, algorithm: Callable[[], Any], runs: int) -> Outcome:
    """For each difference of means, the end of its 99.9 % interval that must be within the tolerance."""
    a = zip(*[await ours(strategy, seed) for seed in range(runs)], strict=True)
    b = zip(*[theirs(algorithm(), seed) for seed in range(runs)], strict=True)
    score, share, depth = (compared(x, y) for x, y in zip(a, b, strict=True))
    return score, share, depth


def compared(x: Sequence[float], y: Sequence[float]) -> float:
    difference, error = fmean(x) - fmean(y), sqrt((variance(x) + variance(y)) / len(x))
    print(f"{fmean(x):.3f}, theirs {fmean(y):.3f}: {difference:+.3f} ± {error:.3f}")
    return abs(difference) + (3.29 if len(x) == MANY else -3.29) * error


async def test_ab_mcts_beta(runs: int) -> None:
    score, share, depth = await apart(
        ABMCTS(n=GENERATIONS, prior="beta", parallel=1, rollout=False),
        lambda: treequest.ABMCTSA(dist_type="beta"),
        runs,
    )
    assert score <= 0.03 and share <= 0.04 and depth <= 0.08


async def test_ab_mcts_gaussian(runs: int) -> None:
    score, share, depth = await apart(
        ABMCTS(n=GENERATIONS, prior="gaussian", parallel=1, rollout=False),
        lambda: treequest.ABMCTSA(dist_type="gaussian"),
        runs,
    )
    assert score <= 0.03 and share <= 0.06 and depth <= 0.1


async def test_mcts(runs: int) -> None:
    score, share, depth = await apart(
        MCTS(n=GENERATIONS // 2, branch=2, exploration=sqrt(2) / 2, widening=0, parallel=1,
             rollout=False),
        lambda: treequest.StandardMCTS(samples_per_action=2),
        runs,
    )  # fmt: skip
    assert score <= 0.05 and share <= 0.01 and depth <= 0.2
