"""A step is scored once: what the bank asks for, and what a whole beam search then costs.

vLLM is played by a stand-in that caches prefixes block by block and, like vLLM, tells nothing of
what it found in its cache; all that asks it is the real thing.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncGenerator, Sequence
from functools import cached_property
from hashlib import blake2b
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic.dataclasses import dataclass

from reasoner.backends.scripted import END, Scripted
from reasoner.base import Attention, ModelInfo
from reasoner.benchmarks.studies.prm_prefix_caching import DEPTH, search
from reasoner.budget import Budget
from reasoner.errors import BackendError, ConfigError
from reasoner.events import Result, Stopped
from reasoner.search.beam import Beam
from reasoner.solving import solve
from reasoner.testing import verifier_conformance
from reasoner.types import Candidate, Completion, Finish, Problem, Prompt, Sampling, Usage
from reasoner.verifiers.common.probability import sigmoid
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.prm import PRM
from reasoner.verifiers.reward.reader import shared_reader
from reasoner.verifiers.reward.score_cache import ScoreCache
from reasoner.verifiers.reward.vllm_reader import VLLMReader

PROBLEM = Problem("p", "123456789+987654321+192837465+918273645+564738291")
INFO = ModelInfo("toy", 2000, 1000, (Attention(1, 8),))
TAG = 0


class Letters:
    """A tokenizer: a character is a token."""

    def encode(self, text: str) -> list[int]:
        return list(map(ord, text))


def logit(ids: Sequence[int]) -> float:
    """Return the stand-in's output after `ids`."""
    told = blake2b(str(list(ids)).encode(), digest_size=4).digest()
    return int.from_bytes(told) / 2**31 - 1


class StandIn:
    """Plays vLLM's engine. A request that is `asked` may fail, or never end."""

    def __init__(self, block: int = 1, error: Exception | None = None, hangs: bool = False) -> None:
        self.block, self.error, self.hangs = block, error, hangs
        self.cache = set[tuple[str, tuple[int, ...]]]()
        self.fresh, self.asked, self.running = 0, 0, 0

    async def encode(self, prompt: Any, params: Any, request: str) -> AsyncGenerator[Any]:
        ids, salt = tuple(prompt["prompt_token_ids"]), prompt["cache_salt"]
        cached = 0 if params.skip_reading_prefix_cache else self._found(ids, salt)
        ends = range(self.block, len(ids) + 1, self.block)
        self.cache |= {(salt, ids[:end]) for end in ends}
        self.asked, self.fresh = self.asked + 1, self.fresh + len(ids) - cached
        self.running += 1
        try:
            await asyncio.sleep(60 if self.hangs else 0)
        finally:
            self.running -= 1
        if self.error:
            raise self.error
        rows = [[logit(ids[: i + 1])] for i in range(cached, len(ids))]
        data = SimpleNamespace(tolist=lambda: rows)
        yield SimpleNamespace(outputs=SimpleNamespace(data=data), num_cached_tokens=cached)

    def _found(self, ids: tuple[int, ...], salt: str) -> int:
        """Whole blocks in the cache; the last token is always computed."""
        whole = range((len(ids) - 1) // self.block * self.block, 0, -self.block)
        return next((n for n in whole if (salt, ids[:n]) in self.cache), 0)

    def shutdown(self) -> None:
        """It runs nowhere."""


@pytest.fixture(autouse=True)
def pooling_params(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two things of vLLM's that asking needs."""
    stub = ModuleType("vllm.pooling_params")
    stub.PoolingParams = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", ModuleType("vllm"))
    monkeypatch.setitem(sys.modules, "vllm.pooling_params", stub)
    died = ModuleType("vllm.v1.engine.exceptions")
    died.EngineDeadError = type("EngineDeadError", (Exception,), {})  # type: ignore[attr-defined]
    for name in ("vllm.v1", "vllm.v1.engine"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, died.__name__, died)


def served(engine: StandIn) -> VLLMReader:
    files: Any = SimpleNamespace(architecture="Toy", info=INFO)
    reader = VLLMReader(files, (), {})
    reader._engine._running = engine
    return reader


@dataclass(frozen=True)
class Toy(PRM):
    """The problem, then a tag after each step; one logit."""

    model: str = "toy"
    separator: str = "\n"

    @cached_property
    def weights(self) -> Any:
        return SimpleNamespace(tokenizer=Letters(), info=INFO)

    @cached_property
    def reader(self) -> VLLMReader:
        return served(StandIn())

    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        ids, reads = tokenizer.encode(f"{problem}\n"), list[int]()
        for step in steps:
            ids += [*tokenizer.encode(step), TAG]
            reads.append(len(ids) - 1)
        return Encoded(tuple(ids), tuple(reads))

    def value(self, logits: Sequence[float]) -> float:
        return sigmoid(logits[0])


def toy(engine: StandIn | None = None) -> tuple[Toy, StandIn]:
    verifier, engine = Toy(), engine or StandIn()
    verifier.__dict__["reader"] = served(engine)
    return verifier, engine


def candidate(*pieces: str) -> Candidate:
    return Candidate(tuple(Completion(p, (), Finish.STOP) for p in pieces), complete=True)


def expected(verifier: Toy, c: Candidate) -> tuple[float, ...]:
    """Return the values of its steps by definition."""
    encoded = verifier.encode(Letters(), PROBLEM.prompt, c.text)
    return tuple(sigmoid(logit(encoded.ids[: r + 1])) for r in encoded.reads)


TestToy = verifier_conformance(Toy)


# -- a whole search ---------------------------------------------------------------------------------


def prose(prompt: Prompt, rng: random.Random) -> str:
    """Steps as long as those of a language model, and five of them."""
    done = prompt.text.count("\n")
    sizes = [rng.randint(60, 120) for _ in range(5 - done)]
    lines = ["".join(rng.choices("abcdefgh ", k=size)) for size in sizes]
    return "".join(f"{line}\n" for line in lines) + f"#{rng.randint(0, 9)}{END}"


async def beam(verifier: Toy, backend: Scripted, budget: Budget = Budget()) -> Result:
    sampling = Sampling(stop=("\n",), max_tokens=2000)
    return await solve(
        PROBLEM, Beam(n=16, branch=4), backend, verifier, sampling=sampling, budget=budget
    )


@pytest.mark.parametrize(
    ("backend", "block", "least", "most"),
    [
        (Scripted(), 1, 0, 1.2),  # It repeats itself: what it says again costs nothing.
        (Scripted(reply=prose), 1, 0.9, 1.1),
        (Scripted(reply=prose), 16, 1, 1.2),
    ],
)
async def test_scoring_a_child_costs_its_new_tokens(
    backend: Scripted, block: int, least: float, most: float
) -> None:
    """Tokens that the verifier computed, the problem's included, per token that was sampled."""
    verifier, engine = toy(StandIn(block))
    result = await beam(verifier, backend)
    spent, sampled = result.by_role["verifier"], result.by_role["generator"].completion_tokens
    assert result.stopped is Stopped.DONE
    assert spent.fresh_tokens == engine.fresh
    assert spent.requests == engine.asked
    assert least < spent.fresh_tokens / sampled <= most
    # All that was sent is what scoring every child from its first token would compute.
    assert spent.prompt_tokens > 3 * spent.fresh_tokens


async def test_scores_of_a_search_are_those_of_the_whole_text() -> None:
    verifier, _ = toy(StandIn(16))
    result = await beam(verifier, Scripted(reply=prose))
    for node in result.trace:
        if node.score is not None:
            assert node.step_scores == pytest.approx(
                expected(verifier, result.trace.candidate(node))
            )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_a_flops_budget_holds_with_it(share: float) -> None:
    free = await beam(toy()[0], Scripted(reply=prose))
    budget = Budget(flops=share * free.usage.flops)
    tight = await beam(toy()[0], Scripted(reply=prose), budget)
    assert tight.usage.flops <= (budget.flops or 0)


async def test_the_benchmark_counts_what_the_engine_computes() -> None:
    verifier, engine = toy(StandIn(16))
    cost = await search(verifier, size=40, problems=2, n=8)
    assert cost.new == 2 * 8 * DEPTH * 40
    assert cost.computed == engine.fresh
    problem = len("dg:40+0+b=a+5,a=7,c=a*b?c\n") + 1
    assert cost.anew == 2 * 8 * sum(problem + 40 * depth for depth in range(1, DEPTH + 1))


# -- asking -----------------------------------------------------------------------------------------

TREES = st.lists(
    st.lists(st.sampled_from(["a", "b", "", "ab\nc"]), max_size=4).map(lambda s: candidate(*s)),
    max_size=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(TREES, max_size=4), block=st.integers(1, 8))
def test_however_they_come_candidates_have_their_own_scores_within_the_estimate(
    batches: list[list[Candidate]], block: int
) -> None:
    async def go() -> None:
        verifier, engine = toy(StandIn(block))
        for batch in batches:
            before, worst = engine.fresh, verifier.estimate(PROBLEM, batch)
            told = await verifier.score(PROBLEM, batch)
            assert [s.steps for s in told.scores] == [expected(verifier, c) for c in batch]
            assert told.usage.fresh_tokens == engine.fresh - before
            assert told.usage.requests <= worst.requests
            assert told.usage.prompt_tokens <= worst.prompt_tokens
            assert told.usage.flops <= worst.flops

    asyncio.run(go())


async def test_nothing_is_asked_twice() -> None:
    verifier, engine = toy()
    batch = [candidate("a\n", "b\n"), candidate("a\nb\n"), candidate("a\n", "c"), candidate("a\n")]
    await verifier.score(PROBLEM, batch)
    assert engine.asked == 2
    assert engine.fresh == len(PROBLEM.prompt) + 1 + len("a.b.") + len("c.")
    again = await verifier.score(PROBLEM, batch)
    assert (engine.asked, again.usage) == (2, Usage())
    await verifier.score(Problem("q", "another"), batch[-1:])
    assert engine.asked == 3


async def test_verifiers_pay_for_themselves() -> None:
    """Another one's scores and cached prefixes are not this one's: costs depend on no order."""
    engine = StandIn()
    costs = [
        (await toy(engine)[0].score(PROBLEM, [candidate("a\n", "b\n")])).usage for _ in range(2)
    ]
    assert costs[0] == costs[1] != Usage()


@pytest.mark.parametrize("block", [1, 4])
async def test_what_was_cached_but_never_told_is_asked_for_without_the_cache(block: int) -> None:
    """As after a call that was cancelled when the engine had computed it."""
    verifier, engine = toy(StandIn(block))
    batch = [candidate("abcd\n", "efgh\n")]
    lost, _ = toy(engine)
    lost.__dict__["_salt"] = verifier._salt
    await lost.score(PROBLEM, [candidate("abcd\n", "efgh\n", "ijkl\n")])
    fresh = engine.fresh
    told = await verifier.score(PROBLEM, batch)
    assert told.scores[0].steps == expected(verifier, batch[0])
    assert engine.asked == 3
    assert told.usage.fresh_tokens == engine.fresh - fresh
    assert told.usage.requests == 1
    assert told.usage.flops <= verifier.estimate(PROBLEM, batch).flops


async def test_calls_at_once_do_not_mix_up() -> None:
    verifier, _ = toy(StandIn(4))
    batches = [[candidate("a\n", "b\n")], [candidate("a\n", "c\n")], [candidate("a\n")]]
    told = await asyncio.gather(*(verifier.score(PROBLEM, b) for b in batches))
    for [c], judgement in zip(batches, told, strict=True):
        assert judgement.scores[0].steps == expected(verifier, c)


@pytest.mark.parametrize(
    ("raised", "seen"), [(ValueError("too long"), ConfigError), (OSError("gone"), BackendError)]
)
async def test_failures_have_their_kind(raised: Exception, seen: type[Exception]) -> None:
    verifier, engine = toy(StandIn(error=raised))
    with pytest.raises(seen, match=str(raised)):
        await verifier.score(PROBLEM, [candidate("a\n"), candidate("b\n")])
    engine.error = None
    told = await verifier.score(PROBLEM, [candidate("a\n")])
    assert told.scores[0].steps == expected(verifier, candidate("a\n"))


async def test_cancelling_leaves_nothing_running() -> None:
    verifier, engine = toy(StandIn(hangs=True))
    call = asyncio.create_task(verifier.score(PROBLEM, [candidate("a\n"), candidate("b\n")]))
    await asyncio.sleep(0.01)
    assert engine.running == 2
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert engine.running == 0


async def test_pieces_and_whole_solutions_have_the_same_steps() -> None:
    verifier, _ = toy()
    batch = [candidate("a\n", "b\nc\n"), candidate("a\nb\nc"), candidate("a", "\nb\nc\n")]
    first, *others = (await verifier.score(PROBLEM, batch)).scores
    assert len(first.steps) == 3
    assert all(score == first for score in others)


def test_a_score_is_that_of_its_own_tokens_only() -> None:
    bank = ScoreCache()
    bank.learn(Encoded((1, 2, 3, 4), (1, 3)), [0.1, 0.2])
    assert bank.recall(Encoded((1, 2), (1,))) == (0.1,)
    assert bank.recall(Encoded((1, 2, 3, 4, 5), (3,))) == (0.2,)
    assert bank.unknown([Encoded((1, 2, 3, 4), (1, 3))]) == []
    assert bank.unknown([Encoded((1, 2, 9, 4), (1, 3))]) == [Encoded((1, 2, 9, 4), (3,))]
    assert bank.unknown([Encoded((0, 2, 3, 4), (1, 3))]) == [Encoded((0, 2, 3, 4), (1, 3))]


def test_equal_settings_share_a_model() -> None:
    one = shared_reader("a", lambda: served(StandIn()))
    assert shared_reader("a", lambda: served(StandIn())) is one
    assert shared_reader("b", lambda: served(StandIn())) is not one
