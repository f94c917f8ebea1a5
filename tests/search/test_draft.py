"""A second model drafts the steps, and the run's own writes those that score low."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import GENERATOR, SECOND, Budget
from reasoner.events import Result, Stopped
from reasoner.search.draft import Draft, large_share
from reasoner.solving import solve
from reasoner.types import Generation, Problem, Prompt, Sampling
from reasoner.verifiers.label_token import LabelToken
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "?")
SAMPLING = Sampling(stop=("\n",), max_tokens=40)


class Model(Scripted):
    """Writes four lines of its letter, which it trusts by `worth`, and records its prompts."""

    def __init__(self, letter: str, worth: float, parameters: int, context: int = 0) -> None:
        def reply(prompt: Prompt, _: random.Random) -> str:
            return f"{letter}\n" * (4 - prompt.text.count("\n")) + f"#{letter}{END}"

        def trust(prompt: Prompt, step: str) -> float:
            return worth if (prompt.text + step).count("\n") % 2 else 0.5

        super().__init__(letter, reply=reply, judge=trust, parameters=parameters, context=context)
        self.prompts = list[Prompt]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.prompts.append(prompt)
        return await super().generate(prompt, sampling)


async def drafted(
    threshold: float, *, budget: Budget = Budget(), context: int = 0
) -> tuple[Result, Model, Model]:
    large, small = Model("L", 0.9, 10_000), Model("s", 0.9, 10, context)
    result = await solve(
        PROBLEM, Draft(threshold=threshold), large, Verdict("last"),
        budget=budget, sampling=SAMPLING, second=small,
    )  # fmt: skip
    return result, large, small


def share(result: Result) -> float:
    assert result.chosen is not None
    return large_share(result.trace, result.chosen)


async def test_at_threshold_0_the_small_model_writes_all() -> None:
    result, large, _ = await drafted(0.0)
    assert share(result) == 0.0 and result.text == "s\ns\ns\ns\n#s"
    assert large.usage.requests == 0


async def test_at_threshold_1_the_large_model_writes_all() -> None:
    result, large, small = await drafted(1.0)
    assert share(result) == 1.0 and result.text == "L\nL\nL\nL\n#L"
    assert large.usage.requests == small.usage.requests == 5


async def test_the_large_model_writes_the_steps_that_score_low() -> None:
    result, *_ = await drafted(0.7)
    assert share(result) == 0.6 and result.text == "s\nL\ns\nL\n#L"


async def test_a_score_of_exactly_the_threshold_is_enough() -> None:
    assert share((await drafted(0.9))[0]) == 0.6
    assert share((await drafted(0.5))[0]) == 0.0


async def test_no_model_is_sent_token_ids_of_the_other() -> None:
    result, large, small = await drafted(0.7)
    assert [p.text for p in large.prompts] == ["s\n", "s\nL\ns\n", "s\nL\ns\nL\n"]
    assert not any(p.token_ids for p in large.prompts + small.prompts)
    result, large, small = await drafted(1.0)
    assert all("".join(map(chr, p.token_ids)) == p.text for p in large.prompts)
    assert result.text == "L\nL\nL\nL\n#L" and not any(p.token_ids for p in small.prompts)


async def test_the_ledger_tells_the_models_apart() -> None:
    result, large, small = await drafted(1.0)
    assert result.by_role == {SECOND: small.usage, GENERATOR: large.usage}
    assert result.generator == small.usage + large.usage == result.usage
    info = small.model
    lengths = [1 + len(p.text) for p in small.prompts]
    sizes = [2, 2, 2, 2, 3]
    expected = [info.flops(0, n + size) for n, size in zip(lengths, sizes, strict=True)]
    assert result.by_role[SECOND].flops == sum(expected) < large.usage.flops / 20


def agree(_: Prompt, __: random.Random) -> str:
    """Reply with the label of a right step."""
    return f" Yes{END}"


class Foreign(Model):
    """Has other token ids than the large model."""

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        generation = await super().generate(prompt, sampling)
        pieces = (
            replace(c, token_ids=tuple(i + 1 for i in c.token_ids)) for c in generation.completions
        )
        return replace(generation, completions=tuple(pieces))


async def test_a_verifier_on_the_large_model_reads_drafts_in_its_own_tokens() -> None:
    large, small = Model("L", 0.9, 10_000), Foreign("s", 0.9, 10)
    large.reply = agree
    verifier = LabelToken(separator="\n", suffix="?")
    result = await solve(
        PROBLEM, Draft(threshold=0.5), large, verifier, sampling=SAMPLING, second=small
    )
    assert result.text == "s\ns\ns\ns\n#s" and share(result) == 0.0
    asked = ["".join(map(chr, prompt.token_ids)) for prompt in large.prompts]
    assert asked == ["s\n?", "s\ns\n?", "s\ns\ns\n?", "s\ns\ns\ns\n?", "s\ns\ns\ns\n#s?"]


async def test_where_the_small_models_context_ends_the_large_one_goes_on() -> None:
    result, *_ = await drafted(0.0, context=6)
    assert result.stopped is Stopped.DONE
    assert result.text == "s\ns\nL\nL\n#L"


async def test_the_rest_of_a_small_budget_is_for_the_large_model() -> None:
    result, _, small = await drafted(1.0, budget=Budget(tokens=82))
    assert result.text == "L\nL\nL\nL\n#L" and small.usage.requests == 1
    assert result.usage.completion_tokens <= 82


@given(
    st.builds(
        Budget,
        tokens=st.none() | st.integers(1, 120),
        flops=st.none() | st.floats(1e3, 2e6),
        requests=st.none() | st.integers(1, 12),
    ),
    st.sampled_from([0.0, 0.7, 1.0]),
)
async def test_a_budget_is_never_passed(budget: Budget, threshold: float) -> None:
    result, large, small = await drafted(threshold, budget=budget)
    spent = large.usage + small.usage
    assert result.usage == spent
    assert budget.tokens is None or spent.completion_tokens <= budget.tokens
    assert budget.flops is None or spent.flops <= budget.flops
    assert budget.requests is None or spent.requests <= budget.requests


async def test_without_a_second_model_the_runs_own_drafts() -> None:
    model = Model("L", 0.9, 1000)
    result = await solve(PROBLEM, Draft(threshold=0.7), model, Verdict("last"), sampling=SAMPLING)
    assert set(result.by_role) == {GENERATOR} and share(result) == 0.6
