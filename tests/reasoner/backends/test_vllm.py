"""The in-process engine: ids, ends, verdicts, the cache, cancelling, and counts that agree."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reasoner.backends.vllm import VLLM
from reasoner.errors import ConfigError
from reasoner.registry import strategies
from reasoner.types import Finish, Problem, Prompt, Sampling, Usage
from tests import engines, models
from tests.engines import PROBLEM as TEXT
from tests.engines import conforms, given_up, spent

pytestmark = [
    pytest.mark.engine,
    engines.VLLM,
    pytest.mark.timeout(300),
    # vLLM leaves its ZeroMQ context to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.asyncio(loop_scope="session"),
]

PROBLEM = Problem("p", TEXT)
LONG = Problem("long", "1" * 600)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(
    tmp_path_factory: pytest.TempPathFactory, forked_engines: None
) -> AsyncIterator[VLLM]:
    folder = models.qwen3(tmp_path_factory.mktemp("qwen3"))
    backend = VLLM(str(folder), kv_cache_gib=1, disable_log_stats=False)
    yield backend
    await backend.aclose()


def counted() -> Usage:
    """Return the engine's own counts so far."""
    from prometheus_client import REGISTRY

    names = ("prompt_tokens", "prefix_cache_hits", "generation_tokens")
    read = {
        s.name: s.value for m in REGISTRY.collect() for s in m.samples if s.name.startswith("vllm:")
    }
    prompt, cached, decoded = (int(read[f"vllm:{n}_total"]) for n in names)
    return Usage(0, prompt, cached, decoded)


async def test_samples_carry_ids_text_ends_and_verdicts(engine: VLLM) -> None:
    sampling = Sampling(n=6, max_tokens=40, stop=("\n",), seed=1)
    generation = await engine.generate(Prompt(PROBLEM), sampling)
    assert len(generation.completions) == 6
    assert generation.usage.completion_tokens == sum(
        len(c.token_ids) for c in generation.completions
    )
    for c in generation.completions:
        assert c.text == engine.checkpoint.decode(c.token_ids)
        assert len(c.verdicts) == (c.finish is not Finish.LENGTH)
        assert c.text.endswith("\n") == (c.finish is Finish.STOP)
        assert c.logprob is None


async def test_a_solution_ends_before_an_end_string(engine: VLLM) -> None:
    drawn = (
        await engine.generate(Prompt(PROBLEM), Sampling(n=8, max_tokens=40, seed=0))
    ).completions
    seed, whole = max(enumerate(drawn), key=lambda pair: len(pair[1].text))
    asked = Sampling(max_tokens=40, seed=seed, logprobs=True, confidences=3)
    for size in (1, 3):
        end = whole.text[4 : 4 + size]
        at = whole.text.index(end)
        found = await engine.generate(Prompt(PROBLEM), replace(asked, end=("absent", end)))
        [ended] = found.completions
        assert (ended.text, ended.finish) == (whole.text[:at], Finish.EOS)
        # A token stands for the end, as the model's own would; all that were decoded are counted.
        kept = len(ended.token_ids)
        assert ended.token_ids == whole.token_ids[:kept]
        assert engine.checkpoint.decode(ended.token_ids[:-1]) == ended.text
        assert len(ended.logprobs) == len(ended.confidences) == kept
        assert kept <= found.usage.completion_tokens < len(whole.token_ids)
    watched = await engine.watch(Prompt(PROBLEM), replace(asked, end=(end,)), lambda _: False)
    assert watched.completions[0].text == ended.text


async def test_log_probabilities_come_where_asked_for(engine: VLLM) -> None:
    asked = Sampling(n=2, max_tokens=20, seed=1, logprobs=True)
    generation = await engine.generate(Prompt(PROBLEM), asked)
    silent = await engine.generate(Prompt(PROBLEM), replace(asked, logprobs=False))
    assert all(c.logprob is not None and c.logprob < 0 for c in generation.completions)
    ids = [[c.token_ids for c in g.completions] for g in (generation, silent)]
    assert ids[0] == ids[1]


async def test_the_same_seed_gives_the_same_samples(engine: VLLM) -> None:
    sampling = Sampling(n=3, max_tokens=20, seed=7)
    first, second = [await engine.generate(Prompt(PROBLEM), sampling) for _ in range(2)]
    assert [c.token_ids for c in first.completions] == [c.token_ids for c in second.completions]


async def test_seeded_samples_survive_a_burst_of_prompts(engine: VLLM) -> None:
    """More prompt tokens at once than one engine step takes; a split prompt would kill vLLM."""
    problems = [Problem(str(i), f"{i}" + "z" * 100) for i in range(60)]
    calls = [engine.generate(Prompt(p), Sampling(max_tokens=2, seed=3)) for p in problems]
    assert len(await asyncio.gather(*calls)) == 60


async def test_short_problems_hit_the_prefix_cache(engine: VLLM) -> None:
    problem = Problem("cached", PROBLEM.prompt + "z" * 40)
    await engine.generate(Prompt(problem), Sampling(max_tokens=1))
    again = await engine.generate(Prompt(problem), Sampling(n=2, max_tokens=1))
    length = engine.prompt_length(Prompt(problem))
    assert again.usage.cached_tokens == 2 * (length // 32 * 32)


@pytest.mark.parametrize("name", strategies.names())
async def test_strategy(engine: VLLM, name: str) -> None:
    """It ends within its budget, its ledger equals the engine's own counts, and nothing runs on."""
    running: Any = await engine.start()
    before = counted()
    results = await conforms(name, engine, times=2)
    assert not running.output_processor.has_unfinished_requests()
    told, after, late = spent(results), counted(), given_up(results)
    assert told.prompt_tokens == after.prompt_tokens - before.prompt_tokens
    assert told.cached_tokens == after.cached_tokens - before.cached_tokens
    decoded = after.completion_tokens - before.completion_tokens
    assert told.completion_tokens <= decoded <= told.completion_tokens + 2 * late


async def test_cancelling_aborts_in_the_engine(engine: VLLM) -> None:
    call = asyncio.create_task(engine.generate(Prompt(PROBLEM), Sampling(n=32, max_tokens=400)))
    running: Any = await engine.start()
    while not running.output_processor.has_unfinished_requests():
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for _ in range(100):
        if not running.output_processor.has_unfinished_requests():
            break
        await asyncio.sleep(0.02)
    assert not running.output_processor.has_unfinished_requests()


async def test_a_problem_longer_than_the_context_is_refused(engine: VLLM) -> None:
    with pytest.raises(ConfigError, match=r"600 tokens.*context of 512"):
        await engine.generate(Prompt(LONG), Sampling())


@pytest.mark.slow  # `test_value_head.py` serves a GPT-2 each time.
async def test_gpt2_is_served_too(tmp_path: Path) -> None:
    backend = VLLM(str(models.gpt2(tmp_path / "gpt2")), kv_cache_gib=1)
    try:
        sampling = Sampling(n=2, max_tokens=12, seed=0)
        generation = await backend.generate(Prompt(PROBLEM), sampling)
    finally:
        await backend.aclose()
    assert all(c.verdicts == () and 0 < len(c.token_ids) <= 12 for c in generation.completions)
    assert sum(a.layers for a in backend.model.attention) == 2


@pytest.mark.parametrize("path", ["./no-such-folder", "nowhere"])
async def test_a_missing_folder_is_told_at_once(path: str) -> None:
    with pytest.raises(ConfigError, match="no model folder"):
        VLLM(path)


async def test_a_folder_without_a_model_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no config\.json"):
        VLLM(str(tmp_path))
