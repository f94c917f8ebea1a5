"""Each round is written from the round before, by prompts that can be checked by hand."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations, count

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.errors import ConfigError
from reasoner.events import Result, Stopped
from reasoner.registry import strategies
from reasoner.search.rsa import RSA
from reasoner.solving import solve
from reasoner.testing import conformance
from reasoner.types import Generation, Problem, Prompt, Sampling

PROBLEM = Problem("p", "What is 6*7?")

TestShown = conformance(
    lambda n=8: RSA(n=n, k=1, rounds=2),
    lambda n=8: RSA(n=n, k=None, rounds=2, final=(3, 1)),
)


class Numbering(Scripted):
    """Numbers its solutions from 1, and remembers the prompts with the number of samples asked for."""

    def __init__(self) -> None:
        numbers = count(1)
        super().__init__(reply=lambda *_: f"solution {next(numbers)}{END}", judge=None)
        self.asked = list[tuple[str, int]]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.asked.append((prompt.problem.prompt, sampling.n))
        return await super().generate(prompt, sampling)


async def evolve(strategy: RSA, backend: Scripted, seed: int = 0) -> Result:
    return await solve(PROBLEM, strategy, backend, sampling=Sampling(max_tokens=60), seed=seed)


def shown(prompt: str) -> list[int]:
    """Return the numbers of the solutions that a prompt shows."""
    return [int(number) for number in re.findall(r"^solution (\d+)$", prompt, re.MULTILINE)]


async def test_one_aggregation_is_one_prompt_with_all_solutions() -> None:
    """GenSynthesis: three solutions, then one that is written from them."""
    backend = Numbering()
    result = await evolve(RSA(n=3, k=None, rounds=1, final=(1,)), backend)
    assert backend.asked == [
        ("What is 6*7?", 3),
        (
            "What is 6*7?\n\nSolutions so far:\n\n"
            "1:\nsolution 1\n\n2:\nsolution 2\n\n3:\nsolution 3\n\n"
            "Each of them may be wrong, in whole or in part. Compare them, use what is right, and write one better"
            " solution of the\nproblem, from start to end.",
            1,
        ),
    ]
    assert result.text == "solution 4" and result.stopped is Stopped.DONE
    assert result.usage == backend.usage


async def test_rounds_of_parallel_samples_see_the_last_round_only() -> None:
    """PaCoRe: 4, 2 and 1 solutions; equal prompts are one request."""
    backend = Numbering()
    result = await evolve(RSA(n=4, k=None, rounds=2, final=(2, 1)), backend)
    assert [(shown(prompt), n) for prompt, n in backend.asked] == [
        ([], 4), ([1, 2, 3, 4], 2), ([5, 6], 1),
    ]  # fmt: skip
    assert result.text == "solution 7"


async def test_each_solution_is_written_from_k_of_the_population_before() -> None:
    backend = Numbering()
    result = await evolve(RSA(n=4, k=2, rounds=3), backend)
    assert len(result.candidates) == 16
    [(first, n), *later] = backend.asked
    assert (first, n) == (PROBLEM.prompt, 4)
    written = [[prompt] * n for prompt, n in later]
    prompts = [prompt for copies in written for prompt in copies]
    assert len(prompts) == 12
    for place, prompt in enumerate(prompts):
        before = 4 * (place // 4)
        drawn = shown(prompt)
        assert drawn == sorted(set(drawn)) and len(drawn) == 2
        assert set(drawn) <= {before + i for i in (1, 2, 3, 4)}


async def test_solutions_are_drawn_without_preference() -> None:
    """300 draws of two out of four: each of the six pairs 50 times, give or take 6.5 (one sigma)."""
    pairs = Counter[tuple[int, ...]]()
    for seed in range(75):
        backend = Numbering()
        await evolve(RSA(n=4, k=2, rounds=1), backend, seed)
        for prompt, n in backend.asked[1:]:
            pairs[tuple(shown(prompt))] += n
    assert set(pairs) == set(combinations((1, 2, 3, 4), 2))
    assert all(abs(times - 50) < 4 * 6.5 for times in pairs.values())


async def test_the_last_population_votes() -> None:
    """The first population is right, and later ones agree on something else."""

    def reply(prompt: Prompt, _: object) -> str:
        return f"wrong{END}" if "so far" in prompt.problem.prompt else f"right{END}"

    assert (await evolve(RSA(n=5, k=2, rounds=1), Scripted(reply=reply))).answer == "wrong"


async def test_thinking_and_unfinished_solutions_are_not_shown() -> None:
    texts = iter([f"<think>hm</think>solution 8{END}", f"solution 9{'.' * 80}{END}"])
    backend = Numbering()
    backend.reply = lambda *_: next(texts, f"solution 0{END}")
    await evolve(RSA(n=2, k=None, rounds=1), backend)
    [_, (prompt, _)] = backend.asked
    assert "\n1:\nsolution 8\n\nEach" in prompt


async def test_a_prompt_of_ones_own_may_have_braces() -> None:
    backend = Numbering()
    strategy = RSA(n=1, rounds=1, prompt="{solutions}\n{problem}\nEnd with \\boxed{}, not {n}.")
    await evolve(strategy, backend)
    assert backend.asked[1] == ("1:\nsolution 1\nWhat is 6*7?\nEnd with \\boxed{}, not {n}.", 1)


@pytest.mark.parametrize("tokens", [30, 100, 400, 1200])
async def test_a_small_budget_is_for_smaller_populations(tokens: int) -> None:
    """A population of one and its three rounds cost 240 tokens at most, if all are of the greatest length."""
    backend = Numbering()
    strategy = RSA(n=16, k=2, rounds=3)
    result = await solve(
        PROBLEM, strategy, backend, budget=Budget(tokens=tokens), sampling=Sampling(max_tokens=60)
    )
    assert result.stopped is Stopped.BUDGET and result.answer
    assert result.usage == backend.usage and result.usage.completion_tokens <= tokens
    assert any(shown(prompt) for prompt, _ in backend.asked)


def test_more_sizes_than_rounds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"final=\(2, 1\) has 2 sizes, for rounds=1"):
        strategies.make("rsa(rounds=1, final=(2, 1))")
    assert RSA(n=32, k=None, rounds=2, final=(4, 1)).sizes(32) == [4, 1]
    assert RSA(n=32, rounds=3, final=(4,)).sizes(2) == [2, 2, 2]
