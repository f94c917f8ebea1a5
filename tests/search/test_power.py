"""The chain's stationary distribution is p^alpha, exactly and in draws, although its moves change lengths."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from math import exp, log, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.events import Result
from reasoner.search.power import Power, acceptance
from reasoner.solving import solve
from reasoner.testing import conformance
from reasoner.types import Completion, Finish, Generation, Problem, Prompt, Sampling

PROBLEM = Problem("p", "?")
CHANCES = {"": (0.5, 0.3, 0.2), "a": (0.2, 0.5, 0.3), "b": (0.4, 0.1, 0.5)}
"""The probabilities of `a`, `b` and the end, by the letter before."""
FAR = 1000
Rule = Callable[[float, float, int, int], float]

TestBlocks = conformance(
    lambda n=8: Power(n=n, block=8, choose="vote"), lambda n=8: Power(n=n, alpha=1.0, choose="vote")
)


@cache
def chances(before: str, longest: int = FAR) -> dict[str, float]:
    """Return the probability of each of the three tokens; after `longest` letters the end is certain."""
    if len(before) >= longest:
        return {END: 1.0}
    return dict(zip(f"ab{END}", CHANCES[before[-1:]], strict=True))


def probability(tokens: str, given: int = 0, longest: int = FAR) -> float:
    """Return the probability of `tokens`, or of those after the first `given`, given these."""
    return prod(chances(tokens[:i], longest)[tokens[i]] for i in range(given, len(tokens)))


def solutions(length: int, begun: str = "") -> list[str]:
    """Return all solutions of at most `length` tokens: ended, or of just that length."""
    if begun.endswith(END) or len(begun) == length:
        return [begun]
    return [whole for token in f"ab{END}" for whole in solutions(length, begun + token)]


def sharpened(states: Sequence[str], alpha: float) -> np.ndarray:
    """Return p^alpha, scaled to sum to 1."""
    weights = [probability(state) ** alpha for state in states]
    return np.array([weight / sum(weights) for weight in weights])


@cache
def gain(x: str, y: str, kept: int) -> float:
    return log(probability(y, kept)) - log(probability(x, kept))


def transitions(states: Sequence[str], alpha: float, rule: Rule) -> np.ndarray:
    """Return the probability of each move, (from, to): a cut, a proposal with the same beginning, acceptance."""
    moves = np.zeros((len(states), len(states)))
    for i, x in enumerate(states):
        for kept in range(len(x)):
            for j, y in enumerate(states):
                if y.startswith(x[:kept]) and len(y) > kept:
                    accepted = rule(alpha, gain(x, y, kept), len(x), len(y))
                    moves[i, j] += probability(y, kept) / len(x) * accepted
        moves[i, i] += 1 - moves[i].sum()
    return moves


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_every_pair_of_solutions_is_in_detailed_balance(alpha: float, length: int) -> None:
    states = solutions(length)
    target, moves = sharpened(states, alpha), transitions(states, alpha, acceptance)
    flow = target[:, None] * moves
    assert np.allclose(flow, flow.T, rtol=1e-12, atol=1e-15)
    assert np.allclose(np.linalg.matrix_power(moves, 1000), target, atol=1e-9)


WRONG: dict[str, Rule] = {
    "lengths are left out": lambda alpha, gain, x, y: exp(min(0.0, (alpha - 1) * gain)),
    "lengths are the other way round": lambda alpha, gain, x, y: acceptance(alpha, gain, y, x),
    "the proposal is left out": lambda alpha, gain, x, y: acceptance(alpha + 1, gain, x, y),
    "the gain is a loss": lambda alpha, gain, x, y: acceptance(alpha, -gain, x, y),
    "as if sampled at temperature 1/alpha": lambda alpha, gain, x, y: min(1.0, x / y),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_another_rule_has_another_stationary_distribution(mistake: str) -> None:
    states = solutions(3)
    target, moves = sharpened(states, 2.0), transitions(states, 2.0, WRONG[mistake])
    assert np.abs(target @ moves - target).max() > 0.002


@given(st.floats(0.1, 4), st.floats(-50, 50), st.integers(1, 10_000), st.integers(1, 10_000))
def test_the_two_ways_of_a_move_balance(alpha: float, gain: float, x: int, y: int) -> None:
    there, back = acceptance(alpha, gain, x, y), acceptance(alpha, -gain, y, x)
    assert max(there, back) == 1
    assert there / back == pytest.approx(exp((alpha - 1) * gain) * x / y)


@pytest.mark.parametrize("extreme", [1e9, float("inf")])
def test_probabilities_of_zero_are_no_trouble(extreme: float) -> None:
    assert acceptance(4.0, extreme, 10, 20) == 1.0
    assert acceptance(4.0, -extreme, 10, 20) == 0.0
    assert acceptance(4.0, extreme - extreme, 10, 20) in (0.5, 1.0)


def follow(tokens: str, rng: random.Random, length: int = 3, longest: int = FAR) -> str:
    """Sample on to an end, or to `length` tokens."""
    while not tokens.endswith(END) and len(tokens) < length:
        tokens += draw(tokens, rng, longest)
    return tokens


def draw(tokens: str, rng: random.Random, longest: int) -> str:
    """Sample the next token."""
    threshold = rng.random()
    for token, chance in chances(tokens, longest).items():
        threshold -= chance
        if threshold < 0:
            return token
    return END


def walk(state: str, steps: int, alpha: float, rng: random.Random, rule: Rule = acceptance) -> str:
    """Return the state after some proposals."""
    for _ in range(steps):
        kept = rng.randrange(len(state))
        new = follow(state[:kept], rng)
        if rng.random() < rule(alpha, gain(state, new, kept), len(state), len(new)):
            state = new
    return state


def unlikely(draws: Iterable[str], alpha: float, length: int = 3) -> float:
    """Return the p-value of the hypothesis that the draws are from p^alpha; rare solutions count together."""
    states, counts = solutions(length), Counter(draws)
    expected = sharpened(states, alpha) * counts.total()
    seen = np.array([counts[state] for state in states])
    rare = expected < 5
    pooled = [np.append(x[~rare], x[rare].sum() + 1e-9) for x in (seen, expected)]
    return float(chisquare(*pooled).pvalue)


def test_a_hundred_thousand_draws_are_from_the_sharpened_distribution() -> None:
    """Every twelfth state of one chain: nearly independent, by the second largest eigenvalue of its moves."""
    alpha, rng = 2.0, random.Random(1)
    second = sorted(np.abs(np.linalg.eigvals(transitions(solutions(3), alpha, acceptance))))[-2]
    assert second**12 < 0.04
    state, draws = "a", list[str]()
    for _ in range(100_000):
        state = walk(state, 12, alpha, rng)
        draws.append(state)
    assert unlikely(draws, alpha) > 0.01
    assert unlikely(draws, alpha + 0.1) < 1e-6


class Letters(Scripted):
    """Samples the three tokens with their probabilities, and reports these; the end follows `longest` letters."""

    def __init__(self, longest: int = 10) -> None:
        super().__init__(reply=self.follow, judge=None)
        self.longest = longest
        self.samplings = list[Sampling]()

    def follow(self, prompt: Prompt, rng: random.Random) -> str:
        return follow(prompt.text, rng, FAR, self.longest).removeprefix(prompt.text)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.samplings.append(sampling)
        return await super().generate(prompt, sampling)

    def _sample(self, prompt: Prompt, sampling: Sampling, index: int) -> Completion:
        sample = super()._sample(prompt, sampling, index)
        whole = prompt.text + "".join(map(chr, sample.token_ids))
        places = range(len(prompt.text), len(whole))
        logprobs = [log(chances(whole[:i], self.longest)[whole[i]]) for i in places]
        return replace(sample, logprobs=tuple(logprobs), logprob=sum(logprobs))


async def power(
    strategy: Power, backend: Scripted, seed: int = 0, budget: Budget = Budget()
) -> Result:
    sampling = Sampling(max_tokens=20, temperature=0.3, top_p=0.5)
    return await solve(PROBLEM, strategy, backend, sampling=sampling, seed=seed, budget=budget)


@pytest.mark.parametrize("block", [None, 1])
async def test_the_strategy_draws_from_the_sharpened_distribution(block: int | None) -> None:
    """Its own proposals, from the token ids and log-probabilities that it stores; six proposals are enough."""
    strategy = Power(n=6, alpha=1.5, block=block)
    drawn = [(await power(strategy, Letters(2), seed)).text + END for seed in range(400)]
    states = [x for x in solutions(3) if x.endswith(END)]
    weights = np.array([probability(x, longest=2) for x in states])
    for alpha, likely in ((1.5, True), (1.0, False), (2.5, False)):
        expected = weights**alpha / (weights**alpha).sum() * len(drawn)
        p = chisquare([drawn.count(x) for x in states], expected).pvalue
        assert (p > 0.01) == likely, (alpha, p)


async def test_a_vote_of_the_states_is_steadier_than_the_last_one() -> None:
    runs = {
        choose: [await power(Power(n=20, alpha=2.0, choose=choose), Letters(1), i) for i in range(30)]
        for choose in ("last", "vote")
    }  # fmt: skip
    votes, last = ([run.answer for run in runs[choose]] for choose in ("vote", "last"))
    assert votes.count("a") > last.count("a") and "b" in last


async def test_samples_are_of_the_models_own_distribution() -> None:
    """Neither the task's temperature nor its nucleus, for which log-probabilities would not hold."""
    backend = Letters()
    result = await power(Power(n=3), backend)
    assert {(s.temperature, s.top_p, s.logprobs) for s in backend.samplings} == {(1.0, 1.0, True)}
    assert result.usage == backend.usage
    assert sum(node.visits for node in result.trace) == 3


async def test_blocks_grow_until_a_solution_has_ended() -> None:
    """A solution of seven tokens in blocks of three; its last proposals are of any length."""
    backend = Scripted(reply=lambda p, _: "abcdef"[len(p.text) :] + END)
    await power(Power(n=2, block=3), backend)
    result = await power(Power(n=2, block=3), backend)
    first, *_ = (n for n in result.trace if n.completion and n.completion.finish is Finish.LENGTH)
    assert first.completion and first.completion.text == "abc"
    assert result.text == "abcdef"
    assert sum(node.visits for node in result.trace) == 2 * 3 + 2


async def test_a_proposal_that_the_budget_clips_is_no_move() -> None:
    """All continuations are alike, so that only a clipped one, which is shorter, would always be accepted."""
    backend = Scripted(reply=lambda p, _: "a" * (10 - len(p.text)) + END)
    result = await power(Power(n=50), backend, budget=Budget(tokens=40))
    clipped = [n for n in result.trace if n.completion and n.completion.finish is Finish.LENGTH]
    assert clipped and not any(node.visits for node in clipped)
    assert result.candidate and result.candidate.complete
    assert result.usage.completion_tokens == 40


async def test_without_log_probabilities_the_error_says_so() -> None:
    class Silent(Scripted):
        def _sample(self, prompt: Prompt, sampling: Sampling, index: int) -> Completion:
            return replace(super()._sample(prompt, sampling, index), logprobs=())

    result = await power(Power(), Silent())
    assert result.error and "log-probabilities" in result.error and "'majority'" in result.error
