"""The Transformers backend: ids, ends, verdicts, seeds, the cache of prompts, cancelling."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from reasoner.backends.transformers import Transformers
from reasoner.benchmarks.tasks.dagmath import DagMath
from reasoner.registry import backends, strategies
from reasoner.types import Finish, Problem, Prompt, Sampling
from tests import ROOT, engines, models
from tests.engines import PROBLEM as TEXT
from tests.engines import conforms

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]
PROBLEM = Problem("p", TEXT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Transformers]:
    folder = models.qwen3(tmp_path_factory.mktemp("qwen3"))
    backend = backends.make("transformers", str(folder), dtype="float32")
    yield backend
    await backend.aclose()


async def test_samples_carry_ids_text_ends_and_verdicts(engine: Transformers) -> None:
    sampling = Sampling(n=6, max_tokens=40, stop=("\n",), seed=1, logprobs=True)
    generation = await engine.generate(Prompt(PROBLEM), sampling)
    drawn = generation.completions
    assert generation.usage.completion_tokens == sum(len(c.token_ids) for c in drawn)
    for c in drawn:
        assert c.text == engine.checkpoint.decode(c.token_ids)
        assert len(c.verdicts) == (c.finish is not Finish.LENGTH)
        assert c.text.endswith("\n") == (c.finish is Finish.STOP)
        assert len(c.logprobs) == len(c.token_ids)
        assert c.logprob == pytest.approx(sum(c.logprobs)) and sum(c.logprobs) < 0


async def test_a_batch_samples_what_each_seed_samples_alone(engine: Transformers) -> None:
    sampling = Sampling(n=4, max_tokens=20, seed=7, top_p=0.9)
    together = (await engine.generate(Prompt(PROBLEM), sampling)).completions
    for i, c in enumerate(together):
        alone = await engine.generate(Prompt(PROBLEM), replace(sampling, n=1, seed=7 + i))
        assert alone.completions[0].token_ids == c.token_ids


async def test_a_continuation_equals_the_whole(engine: Transformers) -> None:
    greedy = Sampling(temperature=0, max_tokens=12)
    [whole] = (await engine.generate(Prompt(PROBLEM), greedy)).completions
    begun = Prompt(PROBLEM, "", whole.token_ids[:5])
    [rest] = (await engine.generate(begun, replace(greedy, max_tokens=7))).completions
    assert rest.token_ids == whole.token_ids[5:]


async def test_only_reused_tokens_count_as_cached(engine: Transformers) -> None:
    prompt = Prompt(Problem("new", TEXT.replace("1234", "4321")))
    length = engine.prompt_length(prompt)
    usages = [(await engine.generate(prompt, Sampling(n=n, max_tokens=1))).usage for n in (2, 1)]
    assert [u.cached_tokens for u in usages] == [length, length]
    assert [u.prompt_tokens for u in usages] == [2 * length, length]
    longer = Prompt(prompt.problem, "a1")
    usage = (await engine.generate(longer, Sampling(max_tokens=1))).usage
    assert (usage.cached_tokens, usage.fresh_tokens) == (length, 2)


async def test_an_end_string_is_removed(engine: Transformers) -> None:
    greedy = Sampling(temperature=0, max_tokens=30)
    [whole] = (await engine.generate(Prompt(PROBLEM), greedy)).completions
    end = whole.text[4:7]
    [ended] = (await engine.generate(Prompt(PROBLEM), replace(greedy, end=(end,)))).completions
    assert (ended.text, ended.finish) == (whole.text[: whole.text.index(end)], Finish.EOS)


async def test_labels_and_confidences(engine: Transformers) -> None:
    asked = Sampling(max_tokens=1, labels=("a", "b"))
    [labelled] = (await engine.generate(Prompt(PROBLEM), asked)).completions
    assert len(labelled.labels) == 2 and sum(map(math.exp, labelled.labels)) < 1
    watching = Sampling(max_tokens=30, confidences=3, seed=1)
    stopped = await engine.watch(Prompt(PROBLEM), watching, lambda new: True)
    [first] = stopped.completions
    assert (len(first.token_ids), first.finish) == (1, Finish.ABORTED)
    assert len(first.confidences) == len(first.entropies) == 1


async def test_cancelling_stops_the_loop(engine: Transformers) -> None:
    call = asyncio.create_task(engine.generate(Prompt(PROBLEM), Sampling(n=8, max_tokens=100)))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert engine._thread is not None
    await engine.generate(Prompt(PROBLEM), Sampling(max_tokens=1))
    assert engine._thread._work_queue.qsize() == 0


@pytest.mark.parametrize("name", strategies.names())
async def test_strategy(engine: Transformers, name: str) -> None:
    [result] = await conforms(name, engine, times=1)
    assert result.usage.completion_tokens > 0 and result.usage.flops > 0


@pytest.mark.slow
@engines.VLLM
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_greedy_text_equals_vllms_on_the_embedded_gpt(forked_engines: None) -> None:
    folder = str(ROOT / "reasoner" / "gpt")
    greedy = Sampling(temperature=0, max_tokens=60)
    texts = list[list[str]]()
    for name in ("transformers", "vllm"):
        backend = backends.make(name, folder)
        calls = [backend.generate(Prompt(e.problem), greedy) for e in DagMath().examples("dev", 4)]
        texts.append([g.completions[0].text for g in await asyncio.gather(*calls)])
        await backend.aclose()
    assert texts[0] == texts[1] and all(texts[0])
