"""Label tokens in the engine: which tokens they are, what is read of them, and that of the verdicts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import reduce
from math import exp, inf, log
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from reasoner.api import EMBEDDED
from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.label_tokens import LabelTokens
from reasoner.backends.verdict_tokens import Ending
from reasoner.concurrency import gather
from reasoner.errors import ConfigError
from reasoner.models.value_tokens import VALUE
from reasoner.types import Candidate, Completion, Finish, Problem, Prompt, Sampling
from reasoner.verifiers.label_token import LabelToken
from tests import engines, models
from tests.needs import need

need("transformers")

PAIR = Ending(3, 4, range(10, 14))
PROBLEM = Problem("p", "dg:b=a+c,a=1234,c=5678,d=b-a,e=d+c,f=e-b?f\n")


def test_a_label_is_asked_for_by_itself() -> None:
    labels = LabelTokens([7, 5], [PAIR])
    assert labels.tokens == [7, 5]
    assert list(labels.label_logprobs([-2.0, -inf])) == pytest.approx([-2.0, -inf])


def test_a_token_whose_odds_are_a_verdict_is_asked_for_by_its_levels() -> None:
    labels = LabelTokens([3, 4, 7], [PAIR])
    assert labels.tokens == [10, 11, 12, 13, 7]
    verdict = PAIR.verdicts()[12]
    good, bad, other = labels.label_logprobs([-inf, -inf, log(0.5), -inf, log(0.1)])
    assert exp(good) == pytest.approx(0.5 * verdict)
    assert exp(bad) == pytest.approx(0.5 * (1 - verdict))
    assert exp(other) == pytest.approx(0.1)


def test_labels_are_tokens_by_their_text_or_by_their_name(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(models.gpt2(tmp_path)))
    assert checkpoint.labels(("+", "\n", "<step?>", "<end>")).tokens == [15, 3, 4, 1]


@pytest.mark.parametrize(("label", "count"), [("12", 2), ("Yes", 3)])
def test_a_label_of_several_tokens_is_refused(tmp_path: Path, label: str, count: int) -> None:
    checkpoint = Checkpoint(str(models.gpt2(tmp_path)))
    told = rf"label '{label}' is not one token of '{tmp_path.name}' but {count} \('"
    with pytest.raises(ConfigError, match=told):
        checkpoint.labels((label, "+"))


def test_a_model_without_a_value_head_is_told_how_to_get_one(tmp_path: Path) -> None:
    checkpoint = Checkpoint(str(models.gpt2(tmp_path)))
    with pytest.raises(ConfigError, match=r"no value head.*reasoner train value-head"):
        checkpoint.labels(VALUE)


# -- the embedded GPT, whose engine writes verdicts into tokens -------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def embedded(forked_engines: None) -> AsyncIterator[Any]:
    from reasoner.backends.vllm import VLLM

    backend = VLLM(str(EMBEDDED), kv_cache_gib=1)
    yield backend
    await backend.aclose()


def on_engine(test: Any) -> Any:
    """A test on the engine, which lives in one event loop."""
    for mark in (
        pytest.mark.engine,
        pytest.mark.slow,
        engines.VLLM,
        pytest.mark.timeout(600),
        pytest.mark.asyncio(loop_scope="module"),
        # vLLM leaves its ZeroMQ context to the garbage collector.
        pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    ):
        test = mark(test)
    return test


def before_its_end(piece: Completion) -> Completion:
    """A step as it was before its end was sampled."""
    text = piece.text.removesuffix("\n")
    return replace(piece, text=text, token_ids=piece.token_ids[:-1], finish=Finish.LENGTH)


@on_engine
async def test_the_labels_of_a_steps_end_tell_its_verdict(embedded: Any) -> None:
    """Return the model's verdict on a step, read before it ends the step."""
    drawn = Sampling(n=6, temperature=1.3, max_tokens=60, stop=("\n",), seed=1)
    first = (await embedded.generate(Prompt(PROBLEM), drawn)).completions
    starts = [(c,) for c in first if c.finish is Finish.STOP]
    ended, latest = [*starts], starts
    for _ in range(3):  # Its first steps are never sure: the policy may yet err.
        prompts = [reduce(Prompt.extend, path, Prompt(PROBLEM)) for path in latest]
        nexts = await gather(embedded.generate(p, replace(drawn, n=1)) for p in prompts)
        grown = [(*path, *told.completions) for path, told in zip(latest, nexts, strict=True)]
        latest = [path for path in grown if path[-1].finish is Finish.STOP]
        ended += latest
    verdicts = [pieces[-1].verdicts[-1] for pieces in ended]
    assert len(ended) > 6 and max(verdicts) - min(verdicts) > 0.4

    verifier = LabelToken(good="\n", bad="<step?>", suffix="").on(embedded)
    unended = [Candidate((*p[:-1], before_its_end(p[-1])), complete=False) for p in ended]
    told = await verifier.score(PROBLEM, unended)
    assert [s.value for s in told.scores] == pytest.approx(verdicts, abs=1e-3)
    assert told.malformed == 0


@on_engine
async def test_the_prefix_that_was_sampled_is_found_in_the_cache(embedded: Any) -> None:
    drawn = Sampling(max_tokens=200, seed=3)
    [solution] = (await embedded.generate(Prompt(PROBLEM), drawn)).completions
    verifier = LabelToken(good="1", bad="2", suffix="?", separator="\n").on(embedded)
    candidate = Candidate((solution,), complete=True)
    worst = verifier.estimate(PROBLEM, [candidate])
    told = await verifier.score(PROBLEM, [candidate])
    steps = solution.text.count("\n") + 1
    assert len(told.scores[0].steps) == told.usage.requests == steps > 2
    assert told.usage.completion_tokens == steps
    assert told.usage.prompt_tokens == worst.prompt_tokens
    length = embedded.prompt_length(Prompt(PROBLEM))
    assert told.usage.cached_tokens >= steps * (length // 32 * 32)
    assert told.usage.flops < worst.flops


@on_engine
async def test_confidences_are_whole_while_labels_are_read(embedded: Any) -> None:
    """vLLM alone would leave the likeliest tokens out of every step that labels are read in."""
    drawn = Sampling(n=2, max_tokens=40, seed=1, confidences=5)
    read = Sampling(max_tokens=1, labels=("1", "2"))
    alone = await embedded.generate(Prompt(PROBLEM), drawn)
    start = Prompt(PROBLEM, "b=", embedded.encode("b="))
    together, *reads = await gather(
        [embedded.generate(Prompt(PROBLEM), drawn)]
        + [embedded.generate(start, read) for _ in range(8)]
    )
    for one, other in zip(alone.completions, together.completions, strict=True):
        assert one.confidences == pytest.approx(other.confidences, abs=1e-4)
    assert {len(told.completions[0].labels) for told in reads} == {2}
    assert {told.completions[0].confidences for told in reads} == {()}
