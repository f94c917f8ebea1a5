"""Settings of the engine: what is refused before it starts, each in one line."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoner.backends.chat_arguments import check_chat_arguments
from reasoner.errors import ConfigError
from reasoner.models.engine_arguments import check_engine
from reasoner.models.lora import Adapter
from reasoner.models.parallel import check_parallel
from tests import engines

THINKING = (
    "{% for m in messages %}{{ m.content }}{% endfor %}{% if enable_thinking %}<think>{% endif %}"
)


@engines.VLLM
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "bfloat61"}, "dtype cannot be 'bfloat61'; did you mean bfloat16"),
        ({"quantization": "awqq"}, "quantization cannot be 'awqq'; did you mean awq"),
        ({"kv_cache_dtype": "fp9"}, "kv_cache_dtype cannot be 'fp9'; did you mean fp8"),
        ({"tensor_parallel_size": 0}, "tensor_parallel_size=0: it must be at least 1"),
        ({"data_parallel_size": "two"}, "data_parallel_size='two'"),
        ({"tensor_paralel_size": 2}, "did you mean tensor_parallel_size"),
    ],
)
def test_an_impossible_setting_is_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        check_engine(settings)
    assert "\n" not in str(raised.value)


@engines.VLLM
def test_possible_settings_pass() -> None:
    check_engine(
        {
            "dtype": "bfloat16", "quantization": "fp8", "tensor_parallel_size": 2,
            "data_parallel_size": 4, "max_num_seqs": 8,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "devices", "message"),
    [
        (
            {"tensor_parallel_size": 2},
            None,
            "does not divide the model's 9 heads; choose of 1, 3, 9",
        ),
        ({"tensor_parallel_size": 3}, 2, "tensor_parallel_size=3 needs 3 GPUs, and there are 2"),
        ({"tensor_parallel_size": 3, "data_parallel_size": 2}, 4, "needs 6 GPUs, and there are 4"),
    ],
)
def test_a_model_that_cannot_be_spread_is_refused(
    settings: dict[str, Any], devices: int | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_parallel(settings, 9, devices)


def test_a_model_that_fits_its_gpus_passes() -> None:
    check_parallel({}, 9, 1)
    check_parallel({"tensor_parallel_size": 3, "data_parallel_size": 2}, 9, 6)
    check_parallel({"tensor_parallel_size": 9, "nnodes": 3}, 9, 3)
    check_parallel({"data_parallel_size": 8}, 9, None)


# -- adapters ---------------------------------------------------------------------------------------


def adapter(folder: Path, **settings: Any) -> Path:
    """Write an adapter of two matrices, without the numbers."""
    config = {"peft_type": "LORA", "r": 4} | settings
    (folder / "adapter_config.json").write_text(json.dumps(config))
    shapes = {"a.lora_A.weight": [4, 64], "a.lora_B.weight": [32, 4]}
    header = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}
        for name, shape in shapes.items()
    }
    blob = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    weights = len(blob).to_bytes(8, "little") + blob
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder


def test_an_adapter_has_a_rank_and_weights(tmp_path: Path) -> None:
    read = Adapter(str(adapter(tmp_path)))
    assert read.arguments == {"enable_lora": True, "max_lora_rank": 8, "max_loras": 1}
    assert read.parameters == 4 * 64 + 32 * 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peft_type": "IA3"}, "describes no LoRA adapter: peft_type"),
        ({"r": 0}, "describes no LoRA adapter: r"),
        ({"r": 1024}, "has rank 1024; vLLM serves up to 512"),
    ],
)
def test_an_adapter_that_vllm_cannot_serve_is_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Adapter(str(adapter(tmp_path, **settings)))


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no LoRA adapter in .*: it has no adapter_config\.json"):
        Adapter(str(tmp_path))
    (adapter(tmp_path) / "adapter_model.safetensors").write_bytes(b"\xff" * 32)
    with pytest.raises(ConfigError, match="holds no weights"):
        Adapter(str(tmp_path))


# -- chat templates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "name", "message"),
    [
        (THINKING, "enable_thinkin", "no variable 'enable_thinkin'; did you mean enable_thinking"),
        (THINKING, "tokenize", "'tokenize' is set by reasoner"),
        (None, "enable_thinking", "this one has none"),
    ],
)
def test_a_variable_that_a_template_lacks_is_refused(
    template: str | None, name: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_chat_arguments({name: False}, SimpleNamespace(chat_template=template))


def test_a_variable_of_the_template_reaches_it() -> None:
    from reasoner.backends.prompt_template import Template
    from reasoner.types import Problem

    class Tokenizer:
        chat_template = THINKING

        def apply_chat_template(self, messages: Any, **settings: Any) -> str:
            return "<think>" if settings["enable_thinking"] else "plain"

        def encode(self, text: str, **_: Any) -> list[int]:
            return [len(text)]

    settings = {"enable_thinking": False}
    check_chat_arguments(settings, Tokenizer())
    assert Template(arguments=settings).ids(Tokenizer(), Problem("p", "1+1")) == [len("plain")]


# -- the server -------------------------------------------------------------------------------------


def test_settings_become_flags_of_the_server() -> None:
    from reasoner.backends.vllm_server import flags

    values = {
        "model": "m", "enforce_eager": True, "enable_chunked_prefill": False, "seed": None,
        "logits_processors": ["a:B"], "distributed_executor_backend": SimpleNamespace,
        "hf_overrides": {"a": 1},
    }  # fmt: skip
    assert flags(values) == [
        "--model", "m", "--enforce-eager", "--no-enable-chunked-prefill", "--logits-processors", "a:B",
        "--distributed-executor-backend", "types.SimpleNamespace", "--hf-overrides", '{"a": 1}',
    ]  # fmt: skip


@pytest.mark.parametrize("arguments", [[], ["--port", "1"], ["./no-folder"], ["./x", "dtpe='f'"]])
def test_a_server_of_nothing_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from reasoner.backends.vllm_server import main

    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
