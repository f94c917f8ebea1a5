"""Solutions that use a tool: what runs, what the ledger counts, what is stored, what is refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.api import Reasoner
from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget, Ledger
from reasoner.errors import BackendError, ConfigError
from reasoner.events import Result, Stopped
from reasoner.registry import strategies
from reasoner.run import Run
from reasoner.solving import solve
from reasoner.tool_calls import Called, Tool
from reasoner.trace import Trace
from reasoner.traits import BackendTraits
from reasoner.types import Finish, Generation, Problem, Prompt, Sampling
from reasoner.verifiers.confidence import likelihood
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "?")
SAMPLING = Sampling(max_tokens=400)
STEPS = replace(SAMPLING, stop=("\n",))
CALL = "```python\nprint(6*7)\n```\n"
OUTPUT = "```output\n42\n```\n"


@dataclass
class Computer:
    """Gives the same output to any code, which it records."""

    opening: str = "```python\n"
    closing: str = "\n```\n"
    calls: int = 4
    tokens: int = 50
    output: str = "42"
    codes: list[str] = field(default_factory=list[str])

    async def run(self, code: str) -> str:
        self.codes.append(code)
        return self.output


def using(prompt: Prompt, rng: random.Random) -> str:
    """Call once, then state what came out."""
    whole = f"Let me compute.\n{CALL}"
    shown = prompt.text.partition("```output\n")[2].partition("\n")[0]
    if not shown:
        return whole[len(prompt.text) :]
    ended = prompt.text.rpartition("```\n")[2]
    return f"So it is\n#{shown}"[len(ended) :] + END


class Remembering(Scripted):
    """Records its prompts and samplings."""

    def __init__(
        self, reply: Callable[[Prompt, random.Random], str] = using, **settings: object
    ) -> None:
        super().__init__(reply=reply, **settings)  # type: ignore[arg-type]
        self.prompts = list[Prompt]()

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.prompts.append(prompt)
        return await super().generate(prompt, sampling)


async def used(
    strategy: str = "majority",
    backend: Scripted | None = None,
    tool: Tool | None = None,
    *,
    n: int = 3,
    budget: Budget = Budget(),
    sampling: Sampling = SAMPLING,
    verifier: Verdict | None = None,
) -> Result:
    return await solve(
        PROBLEM, strategies.make(strategy, n=n), backend or Remembering(), verifier,
        tool=tool or Computer(), budget=budget, sampling=sampling,
    )  # fmt: skip


# -- a chain with one call --------------------------------------------------------------------------


async def test_code_runs_and_its_output_is_continued() -> None:
    backend, tool = Remembering(), Computer()
    result = await used(backend=backend, tool=tool, n=1)
    assert tool.codes == ["print(6*7)"]
    assert result.text == f"Let me compute.\n{CALL}{OUTPUT}So it is\n#42"
    assert result.answer == "42" and result.stopped is Stopped.DONE
    assert len(result.trace) == 2, "a solution of one request is one node"


async def test_outputs_are_counted_as_prompt_and_never_as_samples() -> None:
    backend = Remembering()
    result = await used(backend=backend, n=1)
    before, after = f"Let me compute.\n{CALL}", "So it is\n#42" + END
    assert result.usage == backend.usage
    assert result.usage.completion_tokens == len(before) + len(after)
    assert result.usage.prompt_tokens == 1 + (1 + len(before) + len(OUTPUT))
    assert result.candidate is not None
    assert result.candidate.tokens == result.usage.completion_tokens


async def test_prompts_carry_token_ids_with_the_output() -> None:
    backend = Remembering()
    await used(backend=backend, n=1)
    [_, second] = backend.prompts
    assert "".join(map(chr, second.token_ids)) == second.text == f"Let me compute.\n{CALL}{OUTPUT}"


async def test_the_candidate_tells_what_a_tool_wrote() -> None:
    result = await used(n=1)
    assert result.candidate is not None
    [output] = result.candidate.outputs
    assert result.text[output.start : output.end] == OUTPUT and output.tokens == len(OUTPUT)
    assert result.candidate.answer_text == f"Let me compute.\n{CALL}So it is\n#42"
    again = Trace.from_json(result.trace.to_json())
    assert again.candidate(again.finished[0]).outputs == (output,)


async def test_the_answer_is_never_read_from_an_output() -> None:
    def silent(prompt: Prompt, _: random.Random) -> str:
        return END if "output" in prompt.text else "#1\n" + CALL

    result = await solve(
        PROBLEM, strategies.make("majority", n=1), Remembering(silent), tool=Computer(output="#999"),
        sampling=SAMPLING, extract=lambda text: text.rpartition("#")[2].partition("\n")[0],
    )  # fmt: skip
    assert "#999" in result.text and result.answer == "1"


async def test_confidence_counts_sampled_tokens_only() -> None:
    run = Run(PROBLEM, Remembering(), None, Ledger(), sampling=SAMPLING, tool=Computer())
    run.read_logprobs()
    [node] = await run.expand([run.trace.root])
    piece = run.trace.candidate(node).completions[0]
    assert len(piece.logprobs) == piece.sampled_tokens < len(piece.token_ids)
    assert likelihood(run.trace.candidate(node)) == pytest.approx(2.718281828**-0.1)


# -- several ----------------------------------------------------------------------------------------


def chatty(prompt: Prompt, _: random.Random) -> str:
    """Call without end."""
    return CALL


async def test_calls_are_capped() -> None:
    tool = Computer(calls=2)
    result = await used(backend=Remembering(chatty), tool=tool, n=1)
    assert len(tool.codes) == 2
    assert result.text.count("```output") == 2 and result.text.endswith(CALL)


async def test_calls_are_capped_over_steps_too() -> None:
    tool = Computer(calls=2)
    backend = Remembering(lambda p, _: CALL[len(p.text.rpartition("```\n")[2]) :])
    run = Run(PROBLEM, backend, None, Ledger(), sampling=replace(STEPS, max_tokens=300), tool=tool)
    node = run.trace.root
    while not node.terminal:
        [node] = await run.expand([node], step=True)
    assert len(tool.codes) == 2 and node.length == 300
    assert Called.of(run.trace.completions(node)).calls == 2


async def test_an_output_is_capped_in_tokens() -> None:
    result = await used(tool=Computer(output="x" * 10_000, tokens=20), n=1)
    assert "```output\n" + "x" * 20 + "…\n```\n" in result.text


async def test_a_chain_ends_where_an_output_would_not_fit() -> None:
    result = await used(
        tool=Computer(output="x" * 90, tokens=90), n=1, sampling=Sampling(max_tokens=100)
    )
    assert result.candidate is None or not result.candidate.complete
    assert result.stopped is Stopped.DONE, "it was the length, not the budget"


async def test_another_block_is_no_call_and_the_sample_goes_on() -> None:
    def listing(prompt: Prompt, _: random.Random) -> str:
        return ("```text\nhello\n```\nand on\n#7" + END)[len(prompt.text) :]

    tool = Computer()
    result = await used(backend=Remembering(listing), tool=tool, n=2)
    assert not tool.codes and result.text == "```text\nhello\n```\nand on\n#7"
    assert result.usage.requests == 1 + 2


async def test_each_sample_of_a_request_is_continued_by_itself() -> None:
    def drawn(prompt: Prompt, rng: random.Random) -> str:
        if "output" in prompt.text:
            return f"#{rng.random()}{END}"
        return CALL if rng.random() < 0.5 else f"#no call {rng.random()}{END}"

    first = await used(backend=Remembering(drawn), n=8)
    again = await used(backend=Remembering(drawn, delay=0.001), n=8)
    assert first.trace.to_json() == again.trace.to_json()
    assert len({s.answer for s in first.candidates}) == 8
    calls = sum("output" in s.candidate.text for s in first.candidates)
    assert 0 < calls < 8 and first.usage.requests == 1 + calls


async def test_a_failed_continuation_keeps_the_others() -> None:
    backend = Remembering(fail_every=3)
    run = Run(PROBLEM, backend, None, Ledger(), sampling=SAMPLING, tool=Computer())
    with pytest.raises(BackendError, match="failure of request 3"):
        await run.expand([run.trace.root], n=3)
    assert len(run.trace.finished) == 2
    assert run.ledger.spent == backend.usage


# -- strategies -------------------------------------------------------------------------------------

UNSUITED = {"power"}
OTHERWISE = {"rsa", "budget-forcing"}
"""Strategies whose last text is a reply to a prompt of their own, or follows one of their own words."""


@pytest.mark.parametrize("name", sorted(set(strategies.builtin) - UNSUITED))
async def test_strategies_use_a_tool(name: str) -> None:
    backend, tool = Remembering(), Computer()
    result = await solve(
        PROBLEM, strategies.make(name), backend, Verdict(), tool=tool, sampling=STEPS,
    )  # fmt: skip
    assert tool.codes and set(tool.codes) == {"print(6*7)"}
    assert result.answer == "42" or name in OTHERWISE
    assert result.error is None and result.usage == backend.usage


@given(
    budget=st.builds(
        Budget,
        tokens=st.none() | st.integers(1, 300),
        flops=st.none() | st.floats(1e3, 3e6),
        requests=st.none() | st.integers(1, 12),
    ),
    name=st.sampled_from(["majority", "best-of-n", "beam", "mcts", "short-m", "parallel-probe"]),
)
async def test_a_budget_is_never_passed(budget: Budget, name: str) -> None:
    backend = Remembering()
    result = await used(name, backend, budget=budget, sampling=STEPS, verifier=Verdict())
    spent = result.usage
    assert spent == backend.usage
    assert budget.tokens is None or spent.completion_tokens <= budget.tokens
    assert budget.flops is None or spent.flops <= budget.flops
    assert budget.requests is None or spent.requests <= budget.requests
    sampled = {id(n.completion): n.completion for n in result.trace if n.completion}
    pieces = [c for c in sampled.values() if c.finish is not Finish.WRITTEN]
    assert sum(c.sampled_tokens for c in pieces) == spent.completion_tokens


async def test_a_budget_that_ends_between_calls_is_told() -> None:
    size = len(f"Let me compute.\n{CALL}")
    result = await used(n=1, budget=Budget(tokens=size))
    assert result.stopped is Stopped.BUDGET and result.answer is None
    assert result.usage.completion_tokens == size


async def test_a_second_model_uses_it_too() -> None:
    large, small = Remembering(), Remembering(parameters=10)
    result = await solve(
        PROBLEM, strategies.make("draft"), large, Verdict(), second=small,
        tool=Computer(), sampling=STEPS,
    )  # fmt: skip
    assert result.answer == "42"
    assert not any(prompt.token_ids for prompt in small.prompts)
    assert result.generator == large.usage + small.usage


# -- refusals ---------------------------------------------------------------------------------------


class Limited(Scripted):
    """A backend without some abilities."""

    def __init__(self, **lacks: bool) -> None:
        super().__init__()
        self._lacks = lacks

    @property
    def traits(self) -> BackendTraits:
        return replace(super().traits, **self._lacks)


@pytest.mark.parametrize(
    ("strategy", "lacks", "message"),
    [
        ("majority", {"continues": False}, "a tool's output is continued, which the backend"),
        ("majority", {"tells_ends": False}, "does not tell a stop from an end"),
        ("power", {}, "'power' cuts solutions between any two tokens"),
    ],
)
def test_what_cannot_use_a_tool_is_refused_first(
    strategy: str, lacks: dict[str, bool], message: str
) -> None:
    backend = Limited(**lacks)
    with pytest.raises(ConfigError, match=message):
        Reasoner(backend, strategy=strategy, tools="python")
    assert backend.usage.requests == 0


@pytest.mark.parametrize(
    "tools", ["pyhton", "python(calls=0)", "python(call=3)", "python(closing='')"]
)
def test_wrong_tools_are_refused(tools: str) -> None:
    with pytest.raises(ConfigError):
        Reasoner(Scripted(), strategy="majority", tools=tools)
