"""Candidates are checked by completing their beginnings, by a second model if there is one."""

from __future__ import annotations

import random

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.events import Result
from reasoner.run import Run
from reasoner.search.rstar import RStar, beginning, split
from reasoner.solving import solve
from reasoner.trace import Node
from reasoner.traits import StrategyTraits
from reasoner.types import Completion, Finish, Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "?")
SAMPLING = Sampling(stop=("\n",), max_tokens=40)


def guess(prompt: Prompt, rng: random.Random) -> str:
    """Three lines of one letter; the first decides, and `a` is written more often than `b`."""
    written = prompt.text.splitlines()
    letter = written[0] if written else rng.choice("aab")
    return f"{letter}\n" * (3 - len(written)) + f"#{letter}{END}"


def sceptic(prompt: Prompt, rng: random.Random) -> str:
    """Goes on from `b` as it began, from `a` to another answer each time."""
    if prompt.text.startswith("b"):
        return guess(prompt, rng)
    return f"#{rng.randrange(1000)}{END}"


async def rstar(second: Scripted | None = None, verified: bool = False, **budget: int) -> Result:
    backend = Scripted(reply=guess, judge=lambda p, s: 0.9 if "a" in p.text + s else 0.8)
    return await solve(
        PROBLEM, RStar(n=8), backend, Verdict("last") if verified else None,
        budget=Budget(**budget), sampling=SAMPLING, second=second,
    )  # fmt: skip


async def test_without_a_second_model_the_votes_decide() -> None:
    assert (await rstar()).answer == "a"


async def test_what_the_second_model_does_not_confirm_is_not_chosen() -> None:
    second = Scripted(reply=sceptic)
    assert (await rstar(second)).answer == "b"
    assert second.usage.requests > 0
    assert (await rstar(Scripted(reply=sceptic), verified=True)).answer == "b"


async def test_the_verifier_decides_between_consistent_candidates() -> None:
    def even(prompt: Prompt, rng: random.Random) -> str:
        return guess(prompt, random.Random(rng.random()))

    backend = Scripted(reply=even, judge=lambda p, s: 0.9 if "b" in p.text + s else 0.3)
    result = await solve(PROBLEM, RStar(n=8), backend, Verdict("last"), sampling=SAMPLING)
    assert result.answer == "b"


async def test_a_small_budget_pays_for_search_and_checks() -> None:
    second = Scripted(reply=sceptic)
    result = await rstar(second, tokens=200)
    assert result.candidate is not None and result.candidate.complete
    assert 0 < second.usage.completion_tokens < result.usage.completion_tokens <= 200


def test_a_solution_is_split_where_steps_end() -> None:
    assert split("a\nb\n#c", ["\n"]) == ["a\n", "b\n", "#c"]
    assert split("a;b\n;c;", [";", "\n"]) == ["a;", "b\n", ";", "c;"]
    assert split("a\nb", []) == ["a\nb"]


class Beginnings:
    """Cuts one solution of five steps in two pieces many times."""

    traits = StrategyTraits(verifier="unneeded")

    async def search(self, run: Run) -> Node:
        whole = run.trace.add(run.trace.root, Completion("1\n2\n", (1, 2), Finish.STOP))
        end = run.trace.add(whole, Completion("3\n4\n#5", (3, 4, 5), Finish.EOS))
        shown = {run.trace.prompt(beginning(run, end)).text for _ in range(50)}
        assert shown == {"1\n", "1\n2\n", "1\n2\n3\n", "1\n2\n3\n4\n"}
        assert whole in [beginning(run, end) for _ in range(50)]
        return end


async def test_beginnings_are_20_to_80_percent_of_the_steps() -> None:
    result = await solve(PROBLEM, Beginnings(), Scripted(), sampling=SAMPLING)
    assert result.error is None
