"""Verdicts written into sampled tokens: the right level, and nothing else changed, by both model runners."""

from __future__ import annotations

from math import inf, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoner.backends.verdict_tokens import endings
from reasoner.backends.vllm import LEVELS
from tests import engines, models

torch: Any = pytest.importorskip("torch")
pytestmark = [pytest.mark.engine, engines.VLLM]

CPU = torch.device("cpu")
SECOND = pytest.mark.parametrize("second", [False, True], ids=["first runner", "second runner"])


def config_of(folder: Path, second: bool, processor: str = LEVELS) -> Any:
    """Return the parts of vLLM's configuration that its front end and its workers read."""
    model = SimpleNamespace(
        model=str(folder), logits_processors=[processor], runner_type="generate", is_diffusion=False
    )
    scheduler = SimpleNamespace(max_num_seqs=4)
    return SimpleNamespace(
        model_config=model,
        scheduler_config=scheduler,
        use_v2_model_runner=second,
        speculative_config=None,
        reasoning_config=None,
    )


def checked(config: Any) -> Any:
    """Return the check of requests that vLLM's front end builds at its start."""
    from vllm.v1.engine.input_processor import InputProcessor

    front: Any = SimpleNamespace(model_config=config.model_config, vllm_config=config)
    return InputProcessor._build_logits_processors_params_validator(front)


def loaded(config: Any) -> Any:
    """Return the processor as the worker of a model runner builds it."""
    from vllm.v1.sample.logits_processor import build_logitsprocs
    from vllm.v1.worker.gpu.sample.logits_processor import (
        LogitsProcRequestState,
        build_custom_logits_processors,
    )

    names = config.model_config.logits_processors
    if not config.use_v2_model_runner:
        return build_logitsprocs(config, CPU, False, False, names).non_argmax_invariant[-1]
    states: Any = SimpleNamespace(**dict.fromkeys(LogitsProcRequestState.__dataclass_fields__))
    [processor] = build_custom_logits_processors(config, states, False, names)
    return processor


def applied(folder: Path, second: bool, logits: Any) -> Any:
    """Return the logits as the worker of a model runner rewrites them."""
    processor = loaded(config_of(folder, second))
    if not second:
        return processor.apply(logits.clone())
    assert processor.add_request(0, None) is True
    processor.apply_staged_writes()
    return processor.apply(logits.clone(), SimpleNamespace())


@SECOND
def test_the_front_end_takes_it(tmp_path: Path, second: bool) -> None:
    from vllm.sampling_params import SamplingParams

    checked(config_of(models.qwen3(tmp_path), second))(SamplingParams())


@SECOND
def test_the_front_end_refuses_what_is_no_processor(tmp_path: Path, second: bool) -> None:
    """The check above would fail, were `Levels` not of this runner's kind."""
    from vllm.sampling_params import SamplingParams

    config = config_of(tmp_path, second, "reasoner.backends.verdict_tokens:Ending")
    with pytest.raises(ValueError, match="subclass"):
        checked(config)(SamplingParams())


def test_both_runners_write_the_same_verdicts(tmp_path: Path) -> None:
    folder = models.qwen3(tmp_path)
    logits = 6 * torch.randn(64, 192, generator=torch.Generator().manual_seed(0))
    first, second = (applied(folder, runner, logits) for runner in (False, True))
    assert torch.equal(first, second) and not torch.equal(first, logits)
    for step in endings(folder):
        levels = first[:, step.levels.start : step.levels.stop]
        assert ((levels > -inf).sum(1) == 1).all() and len(set(levels.argmax(1).tolist())) > 8


@SECOND
@pytest.mark.parametrize(("good", "bad"), [(-inf, -inf), (0.0, -inf), (-inf, 0.0)])
def test_what_a_grammar_forbids_stays_forbidden(
    tmp_path: Path, second: bool, good: float, bad: float
) -> None:
    folder = models.qwen3(tmp_path)
    step = endings(folder)[0]
    logits = torch.zeros(2, 192)
    logits[:, step.good], logits[:, step.bad] = good, bad
    logits[:, step.levels.start : step.levels.stop] = -inf
    after = applied(folder, second, logits)
    levels = after[0, step.levels.start : step.levels.stop]
    assert not after.isnan().any() and levels.max() == max(good, bad)


@SECOND
@pytest.mark.parametrize("good", [0.0001, 0.02, 0.5, 0.75, 0.98, 1.0])
def test_the_level_is_the_probability_of_the_good_token_given_the_pair(
    tmp_path: Path, good: float, second: bool
) -> None:
    folder = models.qwen3(tmp_path)
    step = endings(folder)[0]
    logits = torch.zeros(2, 192)
    logits[:, step.good], logits[:, step.bad] = log(good), log(max(1 - good, 1e-9))
    before = logits.softmax(-1)
    after = applied(folder, second, logits).softmax(-1)
    told = after[0, step.levels.start : step.levels.stop]
    assert int((told > 0).sum()) == 1
    verdict = step.verdicts()[step.levels.start + int(told.argmax())]
    assert verdict == pytest.approx(good, abs=0.032)
    letters = slice(5, 64)
    ratio = after[0, letters] / before[0, letters]
    assert torch.allclose(ratio, ratio[0].expand_as(ratio))
    pair = before[0, step.good] + before[0, step.bad]
    assert torch.allclose(told.sum() / after[0, 5], pair / before[0, 5], rtol=1e-4)
