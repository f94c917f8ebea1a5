"""vLLM scores as the model cards do, and a child costs its new tokens and a block's remainder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.needs import need

need("torch")

from reasoner.errors import ConfigError
from reasoner.types import Problem, Usage
from reasoner.verifiers.reward.orm import ORM
from reasoner.verifiers.reward.prm import PRM
from reasoner.verifiers.reward.token_classifier import TokenClassifier
from reasoner.verifiers.reward.vllm_reader import VLLMReader
from tests import engines
from tests.verifiers.reward.test_reward_formats import (
    FORMATS,
    OUTCOMES,
    PROBLEMS,
    SOLUTIONS,
    Known,
    Outcome,
    candidate,
    judged,
    tiny,
)

pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    engines.VLLM,
    pytest.mark.timeout(300),
    # vLLM leaves its ZeroMQ context to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.asyncio(loop_scope="session"),
]

BLOCK = 32
SERVED = [pytest.param(k, id=k.name) for k in FORMATS if k.build is not tiny.gpt2_token_classifier]
"""The formats, each of which has an engine of its own."""


@dataclass(frozen=True)
class Running:
    """A format whose tiny model vLLM serves, and the model itself."""

    known: Known
    verifier: PRM
    model: Any
    tokenizer: Any

    def fresh(self) -> PRM:
        """A verifier on the same engine that has scored nothing yet."""
        return type(self.verifier)(model=self.verifier.model, engine="vllm")

    def expected(self, problem: str, steps: Any) -> list[float]:
        return self.known.reference(self.model, self.tokenizer, problem, steps)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=SERVED)
async def running(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    forked_engines: None,
) -> AsyncIterator[Running]:
    """One engine for all tests of a format."""
    known: Known = request.param
    folder = tmp_path_factory.mktemp(known.name)
    model, tokenizer = known.build(folder)
    verifier = known.verifier(model=str(folder), engine="vllm")
    yield Running(known, verifier, model, tokenizer)
    await verifier.aclose()


async def test_a_batch_equals_the_card_one_by_one(running: Running) -> None:
    verifier = running.fresh()
    for problem in PROBLEMS:
        texts = [verifier.separator.join(s) for s in SOLUTIONS]
        scores = await judged(verifier, texts, problem)
        for steps, score in zip(SOLUTIONS, scores, strict=True):
            assert score.steps == pytest.approx(running.expected(problem, steps), abs=1e-3)


async def test_a_child_costs_its_new_tokens_and_what_is_left_of_a_block(running: Running) -> None:
    verifier, problem = running.fresh(), Problem("p", PROBLEMS[0])
    steps = [f"Step {i}: 16 - {i} = {16 - i} eggs, {i * 'so '}on." for i in range(1, 9)]
    before, spent, lengths = 0, Usage(), list[int]()
    for n in range(1, len(steps) + 1):
        text = verifier.separator.join(steps[:n])
        told = await verifier.score(problem, [candidate(text)])
        assert told.scores[0].steps == pytest.approx(
            running.expected(PROBLEMS[0], steps[:n]), abs=1e-3
        )
        length = len(verifier.encode(running.tokenizer, PROBLEMS[0], text).ids)
        assert told.usage.prompt_tokens == length
        assert told.usage.fresh_tokens <= length - before + BLOCK
        before, spent = length, spent + told.usage
        lengths.append(length)
    assert spent.fresh_tokens <= lengths[-1] + BLOCK * len(steps)
    assert spent.prompt_tokens == sum(lengths)
    print(
        f"{running.known.name}: {spent.fresh_tokens} tokens computed of {lengths[-1]};"
        f" from the start each time {sum(lengths)}"
    )


async def test_siblings_at_once_share_their_prefix(running: Running) -> None:
    """The problem is computed once for a batch of first steps, not once for each."""
    verifier = running.fresh()
    problem = "What is 1 + 2 + 3 - 4? " * 8
    batch = [candidate(f"Step 1: so {i} it is.") for i in range(8)]
    usage = (await verifier.score(Problem("p", problem), batch)).usage
    sizes = [len(verifier.encode(running.tokenizer, problem, c.text).ids) for c in batch]
    assert usage.prompt_tokens == sum(sizes)
    assert usage.fresh_tokens <= max(sizes) + 7 * (BLOCK + 40)


async def test_what_is_cached_but_not_known_is_read_anew(running: Running) -> None:
    """Two verifiers that share a cache and no bank: the second asks twice, and is told the same."""
    one, other = running.fresh(), running.fresh()
    other.__dict__["_salt"] = one._salt
    text = one.separator.join(reversed(SOLUTIONS[-1]))  # The first step ends in a full block.
    problem, batch = Problem("p", PROBLEMS[1]), [candidate(text)]
    first, second = await one.score(problem, batch), await other.score(problem, batch)
    assert second.scores[0].steps == pytest.approx(first.scores[0].steps, abs=1e-3)
    assert second.usage.prompt_tokens == 2 * first.usage.prompt_tokens
    assert second.usage.flops <= other.estimate(problem, batch).flops


async def test_cancelling_aborts_in_the_engine(running: Running) -> None:
    verifier = running.fresh()
    reader = verifier.reader
    assert isinstance(reader, VLLMReader)
    engine = await reader.start()
    batch = [candidate(f"{i} " * 200) for i in range(16)]
    call = asyncio.create_task(verifier.score(Problem("p", PROBLEMS[0]), batch))
    while not engine.output_processor.has_unfinished_requests():
        await asyncio.sleep(0.001)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for _ in range(100):
        if not engine.output_processor.has_unfinished_requests():
            break
        await asyncio.sleep(0.02)
    assert not engine.output_processor.has_unfinished_requests()


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda o: o.build.__name__)
async def test_outcome_rewards_equal_the_card(outcome: Outcome, tmp_path: Path) -> None:
    model, tokenizer = outcome.build(tmp_path)
    verifier = ORM(model=str(tmp_path), engine="vllm")
    try:
        for problem in PROBLEMS:
            texts = ["\n".join(s) for s in SOLUTIONS]
            values = [s.value for s in await judged(verifier, texts, problem)]
            expected = [outcome.reference(model, tokenizer, problem, t) for t in texts]
            assert values == pytest.approx(expected, abs=1e-3)
    finally:
        await verifier.aclose()


async def test_what_vllm_does_not_serve_is_told(tmp_path: Path) -> None:
    tiny.gpt2_token_classifier(tmp_path)
    verifier = TokenClassifier(model=str(tmp_path), engine="vllm")
    with pytest.raises(ConfigError, match="engine='transformers'"):
        await judged(verifier, ["a"], "q")
    assert await judged(TokenClassifier(model=str(tmp_path)), ["a"], "q")


async def test_an_engine_that_dies_is_started_again(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """The one that served the tests before; other engines of this process are left alone."""
    verifier = running.fresh()
    before = await judged(verifier, ["1. 2\n\n3."], "q")
    reader = verifier.reader
    assert isinstance(reader, VLLMReader)
    engine = await reader.start()
    for process in engine.engine_core.resources.engine_manager.processes:
        process.kill()
    assert await judged(running.fresh(), ["1. 2\n\n3."], "q") == before
    assert caplog.text.count("starting it again, 1 of 3") == 1
