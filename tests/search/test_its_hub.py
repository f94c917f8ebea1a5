"""Self-consistency, beam search and particle filtering do as well as its_hub's on the same model.

its_hub (1.2.0) is an independent implementation of the same papers. The model writes five lines,
a digit and a letter each, the digit a one with a chance of 0.6, and then how many ones they are; the
process reward is the share of ones and a noise. Both sides get the same reply function and the same rewards, so many times
each; their accuracies may differ by no more than chance lets two equal ones differ once in a thousand
times, so 600 runs (`-m slow`) see smaller differences than 100.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from math import sqrt
from string import ascii_lowercase
from typing import Any

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.registry import strategies
from reasoner.solving import solve
from reasoner.types import Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict
from tests.needs import need

need("its_hub")

import numpy as np
from its_hub.api import AbstractLanguageModel, AbstractProcessRewardModel
from its_hub.core.algorithms.beam_search import BeamSearch
from its_hub.core.algorithms.particle_gibbs import ParticleFiltering, ParticleGibbs
from its_hub.core.algorithms.self_consistency import SelfConsistency
from its_hub.core.lms.step_generation import StepGeneration
from its_hub.core.orchestrator import LMOrchestrator

WHOLE = 600
sometimes = pytest.mark.parametrize("runs", [100, pytest.param(WHOLE, marks=pytest.mark.slow)])

DEPTH = 5
PROBLEM = Problem("p", "?")
SAMPLING = Sampling(stop=("\n",), max_tokens=30)


def digits(prompt: Prompt, rng: random.Random) -> str:
    """Return the model's continuation of `prompt`."""
    written = [x for x in prompt.text.split("\n") if x]
    while len(written) < DEPTH:
        written.append(("1" if rng.random() < 0.6 else "0") + rng.choice(ascii_lowercase))
    text = "".join(f"{x}\n" for x in written) + f"#{ones(written)}"
    return text.removeprefix(prompt.text) + END


def ones(lines: Sequence[str]) -> int:
    return sum(x.startswith("1") for x in lines)


def reward(solution: str) -> float:
    """The share of ones, more or less; the noise is the solution's own."""
    lines = [x for x in solution.split("\n") if x and x[0] != "#"]
    noise = random.Random("".join(lines)).uniform(-0.25, 0.25)
    return min(0.95, max(0.05, 0.1 + 0.7 * ones(lines) / len(lines) + noise))


def judge(prompt: Prompt, step: str) -> float:
    return reward(prompt.text + step)


class Model(AbstractLanguageModel):  # type: ignore[misc]
    """The same model, as its_hub asks for it."""

    async def agenerate(self, messages: Any, stop: str | None = None, **_: Any) -> Any:
        return [self.reply(m, stop) for m in messages]

    async def agenerate_single(self, messages: Any, stop: str | None = None, **_: Any) -> Any:
        return self.reply(messages, stop)

    def reply(self, messages: Sequence[Any], stop: str | None) -> dict[str, str]:
        before = messages[1].content if len(messages) > 1 else ""
        text = digits(Prompt(PROBLEM, before), random.Random(random.random())).removesuffix(END)
        return {"role": "assistant", "content": text.partition(stop)[0] if stop else text}


class Reward(AbstractProcessRewardModel):  # type: ignore[misc]
    """The same rewards."""

    async def ascore(self, prompt_or_messages: Any, steps: list[str]) -> list[float]:
        return self.score(prompt_or_messages, steps)

    def score(self, prompt_or_messages: Any, steps: list[str]) -> list[float]:
        return [reward(s) for s in steps]


Search = Callable[[int], Awaitable[str]]


def ours(name: str, **settings: Any) -> Search:
    strategy = strategies.make(name, **settings)
    backend = Scripted(reply=digits, judge=judge)

    async def search(seed: int) -> str:
        result = await solve(
            PROBLEM, strategy, backend, Verdict("last"), sampling=SAMPLING, seed=seed
        )
        return result.text

    return search


def theirs(algorithm: Any, budget: int) -> Search:
    async def search(seed: int) -> str:
        random.seed(seed)
        np.random.seed(seed)
        answer = await algorithm.ainfer(Model(), PROBLEM.prompt, budget)
        return str(answer["content"])

    return search


def steps() -> StepGeneration:
    """Its only sign of an end is a text, here `#`; it never reads the finish reason."""
    return StepGeneration(max_steps=2 * DEPTH, step_token="\n", stop_token="#")


def accuracy(search: Search, right: str, runs: int) -> float:
    async def solved() -> int:
        return sum([(await search(seed)).endswith(right) for seed in range(runs)])

    return asyncio.run(solved()) / runs


def tolerance(p: float, q: float, runs: int) -> float:
    """3.29 standard errors of the difference of two proportions: two-sided, 0.001."""
    mean = (p + q) / 2
    return 3.29 * sqrt(2 * mean * (1 - mean) / runs)


@cache
def alone(right: str, runs: int) -> float:
    return accuracy(ours("majority", n=1), right, runs)


@pytest.mark.parametrize("runs", [WHOLE])
def test_self_consistency(runs: int) -> None:
    """A tie goes to the earliest answer here and to a random one there: alike, as samples are."""
    hub = SelfConsistency(
        lambda text: text.rpartition("#")[2], orchestrator=LMOrchestrator(max_concurrency=-1)
    )
    mine, its = (accuracy(s, "#3", runs) for s in (ours("majority", n=9), theirs(hub, 9)))
    assert abs(mine - its) <= tolerance(mine, its, runs), (mine, its)
    assert min(mine, its) > alone("#3", runs) + tolerance(mine, its, runs)


@sometimes
def test_beam_search_with_one_beam_kept(runs: int) -> None:
    """Keep one of eight: the same algorithm step by step."""
    mine = accuracy(ours("beam", n=8, branch=8), "#5", runs)
    its = accuracy(theirs(BeamSearch(steps(), Reward(), beam_width=1), 8), "#5", runs)
    assert abs(mine - its) <= tolerance(mine, its, runs), (mine, its)
    assert min(mine, its) > alone("#5", runs) + tolerance(mine, its, runs)


@sometimes
def test_beam_search_with_two_beams_kept(runs: int) -> None:
    """Keep two of eight. Its first level samples only `budget / beam_width` steps, four, to our eight.

    So it may fall behind by what the first choice is worth, and never comes out ahead.
    """
    mine = accuracy(ours("beam", n=8, branch=4), "#5", runs)
    its = accuracy(theirs(BeamSearch(steps(), Reward(), beam_width=2), 8), "#5", runs)
    assert -tolerance(mine, its, runs) <= mine - its <= 0.1 + tolerance(mine, its, runs), (
        mine,
        its,
    )


@sometimes
def test_particle_filtering(runs: int) -> None:
    """It resamples at every step, so do we with `ess=1`; it answers with the heaviest particle.

    It resamples after the last step too, which may lose the heaviest. Its `ParticleFiltering` drops
    its argument `resampling_method` and is always multinomial; its `ParticleGibbs` of one iteration
    is the same with systematic resampling, which is ours.
    """
    mine = accuracy(ours("particle", n=8, ess=1.0, choose="best"), "#5", runs)
    multinomial = ParticleFiltering(steps(), Reward())
    systematic = ParticleGibbs(steps(), Reward(), resampling_method="systematic")
    for hub in (multinomial, systematic):
        its = accuracy(theirs(hub, 8), "#5", runs)
        assert abs(mine - its) <= tolerance(mine, its, runs), (mine, its)
        assert min(mine, its) > alone("#5", runs) + tolerance(mine, its, runs)
