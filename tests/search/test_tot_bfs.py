"""Thoughts are sampled or proposed, judged by the verifier or by asking, and kept per depth."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import VERIFIER, Budget
from reasoner.events import Result, Stopped
from reasoner.search.common.tree_of_thoughts import proposals, verdict
from reasoner.search.tot_bfs import TotBFS
from reasoner.solving import solve
from reasoner.types import Finish, Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", r"Which of {a} and \frac{b}{c}?")
SAMPLING = Sampling(stop=("\n",), max_tokens=200)
PROPOSE, VALUE = "propose {n} after\n{problem}\n{solution}!", "value\n{problem}\n{solution}!"


def chat(prompt: Prompt, rng: random.Random) -> str:
    """Proposes `a`, `b` and `c` twice, then nothing; is sure of `a`, not of the rest."""
    text = prompt.problem.prompt
    solution = text.partition("?\n")[2].removesuffix("!")
    if text.startswith("propose"):
        return ("DONE" if solution.count("\n") == 2 else "1. a\n2. b\n2. b\n- c\nDONE") + END
    if text.startswith("value"):
        return f"I think that is {'impossible' if set(solution) & set('bc') else 'sure'}." + END
    return f"#{prompt.text.replace(chr(10), '')}{END}"


async def tot(backend: Scripted, budget: Budget = Budget(), **settings: Any) -> Result:
    prompts = {"propose_prompt": PROPOSE, "value_prompt": VALUE}
    strategy = TotBFS(**{**prompts, **settings})
    return await solve(
        PROBLEM, strategy, backend, Verdict() if strategy.traits.verifier == "required" else None,
        budget=budget, sampling=SAMPLING,
    )  # fmt: skip


async def test_what_is_proposed_is_written_and_the_model_ends_it() -> None:
    result = await tot(backend := Scripted(reply=chat), thoughts="propose", value="ask", n=2)
    assert result.answer == "aa"
    assert result.stopped is Stopped.DONE
    assert result.usage == backend.usage
    finishes = Counter((n.depth, n.completion.finish) for n in result.trace if n.completion)
    assert finishes == {(1, Finish.WRITTEN): 3, (2, Finish.WRITTEN): 6, (3, Finish.EOS): 2}


async def test_after_the_deepest_proposal_the_model_goes_on_alone() -> None:
    result = await tot(Scripted(reply=chat), thoughts="propose", value="ask", n=1, depth=1)
    assert result.answer == "a"
    assert {n.depth for n in result.trace} == {0, 1, 2}


async def test_asking_for_values_is_charged_to_the_verifier() -> None:
    result = await tot(Scripted(reply=chat), thoughts="propose", value="ask", n=1, votes=4)
    assert result.by_role[VERIFIER].requests == 3 + 3 + 1
    assert {n.score for n in result.trace} == {None, 1.0, 0.001 / 20}


async def test_a_value_is_the_mean_of_the_verdicts() -> None:
    def hesitant(prompt: Prompt, rng: random.Random) -> str:
        if prompt.problem.prompt.startswith("value"):
            return rng.choice(["sure", "likely", "perhaps"]) + END
        return "#1" + END

    result = await tot(Scripted(reply=hesitant), value="ask", n=1, branch=1, votes=3000)
    [node] = result.trace.finished
    assert node.score == pytest.approx((20 + 1 + 0) / 60, abs=0.02)


@pytest.mark.parametrize("thoughts", ["sample", "propose"])
@pytest.mark.parametrize("value", ["score", "ask"])
@pytest.mark.parametrize("tokens", [30, 100, 300])
async def test_a_budget_always_buys_an_answer(thoughts: str, value: str, tokens: int) -> None:
    backend = Scripted(reply=chat)
    result = await tot(backend, Budget(tokens=tokens), thoughts=thoughts, value=value, n=64)
    assert result.usage.completion_tokens <= tokens
    assert result.candidate is not None and result.candidate.complete


async def test_the_best_n_of_a_depth_are_grown() -> None:
    def letters(prompt: Prompt, rng: random.Random) -> str:
        return (
            "".join(rng.choice("abcdef") + "\n" for _ in range(3 - prompt.text.count("\n"))) + END
        )

    def judge(prompt: Prompt, step: str) -> float:
        text = prompt.text + step
        return 1 - sum(map("abcdef".index, text.replace("\n", ""))) / 20

    strategy = TotBFS(n=2, branch=6)
    result = await solve(
        PROBLEM, strategy, Scripted(reply=letters, judge=judge), Verdict("last"), sampling=SAMPLING
    )
    for depth in (1, 2):
        nodes = [n for n in result.trace if n.depth == depth]
        grown = [n for n in nodes if result.trace.children(n)]
        left = [n for n in nodes if n.score is not None and n not in grown]
        assert len(grown) == 2
        assert min(n.score or 0 for n in grown) >= max(n.score or 0 for n in left)


def test_proposals_are_lines_without_numbers_up_to_done() -> None:
    assert proposals("1. a + b\n\n 2) c\n- d\n* a + b\n3 + 4 = 7\nDONE\ne") == [
        "a + b", "c", "d", "3 + 4 = 7",
    ]  # fmt: skip


def test_the_last_verdict_counts() -> None:
    assert verdict("Likely? No,\nIMPOSSIBLE.") == "impossible"
    assert verdict("That is unlikely.") == ""
