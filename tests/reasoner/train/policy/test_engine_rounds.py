"""A round on vLLM: the running engine takes the weights that the round trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.needs import need

need("vllm")

from reasoner.backends.vllm import VLLM
from reasoner.train.policy import expert_iteration
from reasoner.train.policy.recipe import RolloutRecipe, TrainingRecipe
from reasoner.train.policy.rollout_engine import RolloutEngine
from reasoner.train.policy.rounds import TrainingJob

pytestmark = [pytest.mark.engine, pytest.mark.slow]


async def test_the_engine_samples_from_the_new_weights(
    taught: Path, letters: str, tmp_path: Path
) -> None:
    opened = list[VLLM]()

    def opening(folder: str) -> VLLM:
        opened.append(VLLM(folder))
        return opened[-1]

    engine = RolloutEngine(opening)
    rollouts = RolloutRecipe(
        task=letters, rounds=1, problems=16, samples=8, dev_problems=8, dev_samples=8
    )
    training = TrainingRecipe(rate=3e-3, epochs=4, batch=4, precision="float32")
    job = TrainingJob(str(taught), rollouts, replace(training), tmp_path, engine, {})
    try:
        manifest = await expert_iteration.train(job)
    finally:
        await engine.aclose()
    before, after = manifest["rounds"]
    assert before["pass@1"] < 0.5 < after["pass@1"]
    assert len(opened) == 1
