"""An adapter that vLLM serves beside its base: the samples are those of the merged model."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.needs import need

need("vllm", "peft")

from reasoner.backends.vllm import VLLM
from reasoner.train.policy import sft
from reasoner.train.policy.recipe import TrainingRecipe
from reasoner.train.policy.solutions import Pair
from reasoner.types import Problem, Prompt, Sampling
from tests import engines, models

pytestmark = engines.ALONE
PAIRS = [Pair(prompt=f"cd:{i}\n", solution=f"{i}+1\nb{i}") for i in range(10)]
GREEDY = Sampling(temperature=0, max_tokens=12)


async def sampled(backend: VLLM) -> list[tuple[int, ...]]:
    """Return the likeliest continuation of each problem, and close the engine."""
    problems = [Prompt(Problem(str(i), pair.prompt)) for i, pair in enumerate(PAIRS)]
    try:
        generations = await asyncio.gather(*(backend.generate(p, GREEDY) for p in problems))
    finally:
        await backend.aclose()
    return [g.completions[0].token_ids for g in generations]


async def test_it_samples_what_the_merged_model_samples(
    tmp_path: Path, forked_engines: None
) -> None:
    base = models.qwen3(tmp_path / "base")
    recipe = TrainingRecipe(rate=1e-2, epochs=12, batch=5, lora=4, precision="float32")
    sft.train(str(base), PAIRS, recipe, tmp_path / "whole", {}, report=lambda _: None)
    adapter = tmp_path / "whole" / "adapter"
    plain = await sampled(VLLM(str(base), kv_cache_gib=1))
    merged = await sampled(VLLM(str(adapter), kv_cache_gib=1))
    served = await sampled(VLLM(str(base), lora=str(adapter), kv_cache_gib=1))
    assert served == merged != plain
    one = replace(GREEDY, max_tokens=1)
    backend = VLLM(str(base), lora=str(adapter), kv_cache_gib=1)
    assert backend.model.parameters > VLLM(str(base), kv_cache_gib=1).model.parameters
    usage = (await backend.generate(Prompt(Problem("p", "cd:1\n")), one)).usage
    assert usage.flops == backend.model.flops(0, usage.prompt_tokens)
    await backend.aclose()
