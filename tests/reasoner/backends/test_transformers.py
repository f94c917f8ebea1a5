"""The Transformers backend: ids, ends, verdicts, seeds, the cache of prompts, cancelling."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from reasoner.backends import transformers_calls
from reasoner.backends.transformers import Transformers
from reasoner.benchmarks.tasks.dagmath import DagMath
from reasoner.errors import BackendError
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


def prompts() -> list[Prompt]:
    """Prompts of different lengths, some of them begun."""
    texts = (TEXT, TEXT[20:], TEXT * 3, TEXT[5:] + TEXT[:9], TEXT[:-3])
    return [Prompt(Problem(str(i), t), "a1" * (i % 2)) for i, t in enumerate(texts)]


@pytest.mark.parametrize("build", [models.qwen3, models.gpt2])
@pytest.mark.parametrize("temperature", [0, 0.8])
async def test_calls_together_sample_what_each_samples_alone(
    build: Callable[[Path], Path], temperature: float, tmp_path: Path
) -> None:
    backend = Transformers(str(build(tmp_path / "model")), dtype="float32")
    asked = [
        Sampling(n=1 + i % 3, max_tokens=5 + 7 * i, seed=i, temperature=temperature, confidences=2)
        for i in range(5)
    ]
    calls = list(zip(prompts(), asked, strict=True))
    alone = [(await backend.generate(*call)).completions for call in calls]
    generations = await asyncio.gather(*(backend.generate(*call) for call in calls))
    for generation, expected in zip(generations, alone, strict=True):
        for got, one in zip(generation.completions, expected, strict=True):
            assert got.token_ids == one.token_ids and got.finish is one.finish
            assert got.confidences == pytest.approx(one.confidences, rel=1e-3)
    await backend.aclose()


async def test_calls_leave_the_others_as_they_are(engine: Transformers) -> None:
    whole = Sampling(n=3, max_tokens=40, seed=5)
    [expected] = [(await engine.generate(prompts()[0], whole)).completions]
    staying = asyncio.create_task(engine.generate(prompts()[0], whole))
    leaving = [asyncio.create_task(engine.generate(p, whole)) for p in prompts()[1:3]]
    watching = asyncio.create_task(engine.watch(prompts()[3], whole, lambda new: True))
    failing = asyncio.create_task(engine.watch(prompts()[4], whole, lambda new: 1 / 0 > 0))
    await asyncio.sleep(0.02)
    for call in leaving:
        call.cancel()
    assert len((await watching).completions[0].token_ids) == 1
    with pytest.raises(ZeroDivisionError):
        await failing
    assert [c.token_ids for c in (await staying).completions] == [c.token_ids for c in expected]
    assert [server.engine.rows for server in engine._servers.values()] == [0]


async def test_a_failure_of_the_model_fails_all_calls_and_is_over(engine: Transformers) -> None:
    [server] = engine._servers.values()
    broken = pytest.MonkeyPatch()
    broken.setattr(type(server.engine), "step", lambda _: torch_error())
    calls = [engine.generate(p, Sampling(n=2, max_tokens=9)) for p in prompts()]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    broken.undo()
    assert all(isinstance(f, BackendError) and "out of memory" in str(f) for f in failures)
    assert (await engine.generate(prompts()[0], Sampling(max_tokens=3))).completions


def torch_error() -> None:
    """Fail as torch does."""
    raise RuntimeError("out of memory")


async def test_more_samples_than_there_is_room_for_wait(
    engine: Transformers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformers_calls, "ROWS", 4)
    calls = [engine.generate(p, Sampling(n=3, max_tokens=9, seed=1)) for p in prompts()]
    generations = await asyncio.gather(*calls)
    assert [len(g.completions) for g in generations] == [3] * 5
    big = await engine.generate(prompts()[0], Sampling(n=9, max_tokens=2))
    assert len(big.completions) == 9


async def test_layers_that_forget_do_not_stand_beside_others(tmp_path: Path) -> None:
    folder = models.qwen3(tmp_path / "sliding")
    config = json.loads((folder / "config.json").read_text())
    kinds = ["sliding_attention", "full_attention"]
    config |= {"layer_types": kinds, "use_sliding_window": True, "sliding_window": 8}
    (folder / "config.json").write_text(json.dumps(config))
    backend = Transformers(str(folder), dtype="float32")
    greedy = Sampling(temperature=0, max_tokens=20)
    alone = [(await backend.generate(p, greedy)).completions[0].token_ids for p in prompts()]
    together = await asyncio.gather(*(backend.generate(p, greedy) for p in prompts()))
    assert [g.completions[0].token_ids for g in together] == alone
    await backend.aclose()


async def test_closing_ends_what_is_sampled(tmp_path: Path) -> None:
    backend = Transformers(str(models.qwen3(tmp_path / "model")), dtype="float32")
    call = asyncio.create_task(backend.generate(prompts()[0], Sampling(max_tokens=200)))
    while not backend._servers:
        await asyncio.sleep(0.01)
    await backend.aclose()
    with pytest.raises(BackendError, match="closed while it sampled"):
        await call


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
