"""Parts of reward models: cutting solutions, reading outputs, choosing who computes, and settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reasoner.errors import ConfigError
from reasoner.verifiers.common.probability import sigmoid, softmax
from reasoner.verifiers.reward.encoding import Encoded, cut, marked
from reasoner.verifiers.reward.math_shepherd import MathShepherd
from reasoner.verifiers.reward.reader import choose_engine


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\n\nb\n\n", ["a", "b"]),
        ("a\n\n\n\nb", ["a", "", "b"]),
        ("\n\n", [""]),
        ("a\nb\n\nc\n", ["a\nb", "c\n"]),
    ],
)
def test_cut(text: str, steps: list[str]) -> None:
    assert cut(text, "\n\n") == steps


def test_probabilities() -> None:
    assert sigmoid(0) == 0.5
    assert sigmoid(1e4) == 1.0 and sigmoid(-1e4) == 0.0
    assert softmax([1.0, 1.0], 0) == 0.5
    assert softmax([1e4, 0.0, -1e4], 0) == 1.0
    assert softmax([0.0, 2.0], 1) == pytest.approx(sigmoid(2.0))


def test_who_computes_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasoner.verifiers.reward.reader.installed", lambda _: True)
    assert choose_engine("auto", "Qwen2ForProcessRewardModel") == "vllm"
    assert choose_engine("auto", "GPT2ForTokenClassification") == "transformers"
    assert choose_engine("transformers", "Qwen2ForProcessRewardModel") == "transformers"
    with pytest.raises(ConfigError, match="engine='transformers'"):
        choose_engine("vllm", "GPT2ForTokenClassification")
    monkeypatch.setattr("reasoner.verifiers.reward.reader.installed", lambda _: False)
    assert choose_engine("auto", "Qwen2ForProcessRewardModel") == "transformers"


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="separator"):
        MathShepherd(separator="")
    with pytest.raises(ValueError, match="aggregate"):
        MathShepherd(aggregate="best")  # type: ignore[arg-type]


def test_a_context_ends_with_the_last_read_it_has_room_for() -> None:
    whole = Encoded((1, 2, 3, 4, 5), (1, 3))
    assert whole.within(0) == whole.within(9) == Encoded((1, 2, 3, 4), (1, 3))
    assert whole.within(3) == Encoded((1, 2), (1,))
    assert whole.within(1) == Encoded()


def test_a_tokenizer_without_places_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(ConfigError, match=r"Slow has no offsets .*tokenizer\.json"):
        marked(Slow(), "text", [4])


@pytest.mark.parametrize(
    ("model", "told"),
    [("./nowhere", "no reward model folder"), ("nowhere", "give a folder or a Hugging Face name")],
)
def test_a_missing_model_is_told(model: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        MathShepherd(model=model)


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no config\.json"):
        MathShepherd(model=str(tmp_path))


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, reasoner.verifiers.reward.orm\n"
        "from reasoner.verifiers.reward import (math_shepherd, qwen2_5_math_prm, rlhflow_mistral,"
        " skywork_o1_prm, token_classifier)\n"
        "math_shepherd.MathShepherd()\n"
        "assert not {'torch', 'vllm', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
