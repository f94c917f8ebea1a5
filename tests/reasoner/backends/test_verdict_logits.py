"""Verdicts written into sampled tokens: the right level, and nothing else changed."""

from __future__ import annotations

from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoner.backends.verdict_tokens import endings
from tests import engines, models

torch: Any = pytest.importorskip("torch")
pytestmark = [pytest.mark.engine, engines.VLLM]

CPU = torch.device("cpu")


@pytest.mark.parametrize("good", [0.0001, 0.02, 0.5, 0.75, 0.98, 1.0])
def test_the_level_is_the_probability_of_the_good_token_given_the_pair(
    tmp_path: Path, good: float
) -> None:
    from reasoner.backends.verdict_logits import Levels

    folder = models.qwen3(tmp_path)
    config: Any = SimpleNamespace(model_config=SimpleNamespace(model=str(folder)))
    step = endings(folder)[0]
    logits = torch.zeros(2, 192)
    logits[:, step.good], logits[:, step.bad] = log(good), log(max(1 - good, 1e-9))
    before = logits.softmax(-1)
    after = Levels(config, CPU, False).apply(logits.clone()).softmax(-1)
    told = after[0, step.levels.start : step.levels.stop]
    assert int((told > 0).sum()) == 1
    verdict = step.verdicts()[step.levels.start + int(told.argmax())]
    assert verdict == pytest.approx(good, abs=0.032)
    letters = slice(5, 64)
    ratio = after[0, letters] / before[0, letters]
    assert torch.allclose(ratio, ratio[0].expand_as(ratio))
    pair = before[0, step.good] + before[0, step.bad]
    assert torch.allclose(told.sum() / after[0, 5], pair / before[0, 5], rtol=1e-4)
