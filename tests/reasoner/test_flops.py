"""FLOPs of public models, worked out by hand from their configurations."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.base import Attention, ModelInfo
from reasoner.errors import ConfigError
from tests import ROOT
from tests.needs import need


@dataclass(frozen=True)
class Case:
    """The config.json of a model, its matrices' sizes by hand, and FLOPs of two single tokens."""

    config: dict[str, Any]
    parameters: int
    attention: tuple[Attention, ...]
    token_1000: int
    """FLOPs of the 1,000th token of a sequence."""
    token_10000: int


LLAMA_BLOCK = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336  # q, o; k, v of 8 heads; MLP

CASES = {
    # All of 768 by 768: 3 + 1 in attention, 4 + 4 in the MLP; the table is the output layer too.
    "GPT-2": Case(
        {"model_type": "gpt2"},
        12 * 12 * 768 * 768 + 50257 * 768,
        (Attention(12, 768),),
        2 * 123_532_032 + 4 * 12 * 768 * 1000,
        2 * 123_532_032 + 4 * 12 * 768 * 10_000,
    ),
    # The table is not the output layer: 0.5 of its 8.0 billion parameters multiply nothing.
    "Llama-3.1-8B": Case(
        {
            "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "vocab_size": 128256, "max_position_embeddings": 131072, "tie_word_embeddings": False,
        },
        32 * LLAMA_BLOCK + 128256 * 4096,
        (Attention(32, 4096),),
        2 * 7_504_658_432 + 4 * 32 * 4096 * 1000,
        2 * 7_504_658_432 + 4 * 32 * 4096 * 10_000,
    ),
    # A window that is declared and not used.
    "Qwen2.5-1.5B": Case(
        {
            "model_type": "qwen2", "hidden_size": 1536, "intermediate_size": 8960,
            "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
            "vocab_size": 151936, "max_position_embeddings": 131072, "tie_word_embeddings": True,
            "sliding_window": 131072, "use_sliding_window": False, "max_window_layers": 28,
        },
        28 * (2 * 1536 * 1536 + 2 * 1536 * 256 + 3 * 1536 * 8960) + 151936 * 1536,
        (Attention(28, 1536),),
        2 * 1_543_569_408 + 4 * 28 * 1536 * 1000,
        2 * 1_543_569_408 + 4 * 28 * 1536 * 10_000,
    ),
    # 32 heads of 128 in a model 2,048 wide; a router and 8 of 128 experts a layer. 3.3 billion with the table.
    "Qwen3-30B-A3B": Case(
        {
            "model_type": "qwen3_moe", "hidden_size": 2048, "intermediate_size": 6144,
            "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8,
            "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [],
            "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4,
            "head_dim": 128, "vocab_size": 151936, "max_position_embeddings": 40960,
            "tie_word_embeddings": False, "sliding_window": None, "use_sliding_window": False,
        },
        48 * (2 * 2048 * 4096 + 2 * 2048 * 512 + 2048 * 128 + 8 * 3 * 2048 * 768) + 151936 * 2048,
        (Attention(48, 4096),),
        2 * 3_041_656_832 + 4 * 48 * 4096 * 1000,
        2 * 3_041_656_832 + 4 * 48 * 4096 * 10_000,
    ),
    "Mistral-7B-v0.1": Case(
        {
            "model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "vocab_size": 32000, "max_position_embeddings": 32768, "tie_word_embeddings": False,
            "sliding_window": 4096,
        },
        32 * LLAMA_BLOCK + 32000 * 4096,
        (Attention(32, 4096, window=4096),),
        2 * 7_110_393_856 + 4 * 32 * 4096 * 1000,
        2 * 7_110_393_856 + 4 * 32 * 4096 * 4096,
    ),
    # Every other layer has a window; 8 heads of 256 are narrower than the model.
    "Gemma-2-2B": Case(
        {
            "model_type": "gemma2", "hidden_size": 2304, "intermediate_size": 9216,
            "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4,
            "head_dim": 256, "vocab_size": 256000, "max_position_embeddings": 8192,
            "sliding_window": 4096,
        },
        26 * (2 * 2304 * 2048 + 2 * 2304 * 1024 + 3 * 2304 * 9216) + 256000 * 2304,
        (Attention(13, 2048, window=4096), Attention(13, 2048)),
        2 * 2_614_099_968 + 4 * 26 * 2048 * 1000,
        2 * 2_614_099_968 + 4 * 13 * 2048 * (4096 + 10_000),
    ),
    # Latent attention, three dense layers, one shared expert beside 8 of 256; keys of 192, values of 128.
    "DeepSeek-V3": Case(
        {
            "model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432,
            "moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1,
            "num_experts_per_tok": 8, "first_k_dense_replace": 3, "num_hidden_layers": 61,
            "num_attention_heads": 128, "num_key_value_heads": 128, "q_lora_rank": 1536,
            "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
            "vocab_size": 129280, "max_position_embeddings": 163840, "tie_word_embeddings": False,
        },
        61 * (7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168)
        + 3 * 3 * 7168 * 18432 + 58 * (7168 * 256 + 9 * 3 * 7168 * 2048) + 129280 * 7168,
        (Attention(61, 128 * (192 + 128) // 2),),
        2 * 36_624_596_992 + 4 * 61 * 20_480 * 1000,
        2 * 36_624_596_992 + 4 * 61 * 20_480 * 10_000,
    ),
    # Five layers of six have a window; the part that reads pictures costs a text nothing.
    "Gemma-3-4B": Case(
        {
            "model_type": "gemma3",
            "text_config": {
                "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
                "num_hidden_layers": 34, "num_attention_heads": 8, "num_key_value_heads": 4,
                "head_dim": 256, "vocab_size": 262208, "sliding_window": 1024,
            },
            "vision_config": {"model_type": "siglip_vision_model", "num_hidden_layers": 2},
        },
        34 * (2 * 2560 * 2048 + 2 * 2560 * 1024 + 3 * 2560 * 10240) + 262208 * 2560,
        (Attention(29, 2048, window=1024), Attention(5, 2048)),
        2 * 3_879_895_040 + 4 * 34 * 2048 * 1000,
        2 * 3_879_895_040 + 4 * 2048 * (29 * 1024 + 5 * 10_000),
    ),
}  # fmt: skip


def info(folder: Path, config: dict[str, Any]) -> ModelInfo:
    need("transformers")
    from reasoner.models.files import ModelFiles

    (folder / "config.json").write_text(json.dumps(config))
    return ModelFiles(str(folder)).info


@pytest.mark.parametrize("name", CASES)
def test_a_public_model_costs_what_its_matrices_cost(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    model = info(tmp_path, case.config)
    assert model.parameters == case.parameters
    assert model.attention == case.attention
    assert model.flops(999, 1000) == case.token_1000
    assert model.flops(9_999, 10_000) == case.token_10000


@pytest.mark.parametrize("name", CASES)
def test_the_page_shows_these_numbers(name: str) -> None:
    case, page = CASES[name], ROOT / "docs" / "flops.md"
    numbers = f"{case.parameters:,} | {case.token_1000 / 1e9:.2f} | {case.token_10000 / 1e9:.2f} |"
    assert re.search(rf"^\| {name} \| [\d.]+ \| {re.escape(numbers)}$", page.read_text(), re.M)


def test_a_mixture_that_does_not_tell_its_share_counts_whole() -> None:
    nn: Any = pytest.importorskip("torch").nn
    from reasoner.models.sizes import active_parameters

    class Mixture(nn.Module):  # type: ignore[misc]
        """Four experts of twelve weights and a router of twelve, in the names of old and new checkpoints."""

        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList([nn.Linear(3, 4) for _ in range(4)])
            self.gate = nn.Linear(3, 4)

    model = nn.ModuleDict({"mlp": Mixture()})
    model.get_output_embeddings = lambda: None
    assert active_parameters(model, SimpleNamespace(num_experts=4)) == 60
    assert active_parameters(model, SimpleNamespace(n_routed_experts=4, moe_k=1)) == 24


def test_layers_without_attention_attend_to_nothing(tmp_path: Path) -> None:
    kinds = ["linear_attention", "linear_attention", "linear_attention", "full_attention"]
    config = {"model_type": "qwen3_next", "num_hidden_layers": 4, "layer_types": kinds}
    model = info(tmp_path, config | {"num_attention_heads": 16, "head_dim": 256})
    assert model.attention == (Attention(1, 4096),)


def test_a_reward_model_has_no_output_layer(tmp_path: Path) -> None:
    need("transformers")
    from reasoner.verifiers.reward.weights import Weights

    (tmp_path / "config.json").write_text(json.dumps(CASES["Llama-3.1-8B"].config))
    assert Weights(str(tmp_path)).info.parameters == 32 * LLAMA_BLOCK


def test_an_architecture_without_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot build model"):
        info(tmp_path, {"model_type": "vit", "max_position_embeddings": 8})


lengths = st.integers(0, 60)


@given(lengths, lengths, st.integers(0, 40))
def test_a_window_in_closed_form_is_the_sum_over_positions(a: int, b: int, window: int) -> None:
    start, stop = sorted((a, b))
    reach = [min(p + 1, window) if window else p + 1 for p in range(start, stop)]
    assert Attention(3, 8, window).flops(start, stop) == 4 * 3 * 8 * sum(reach)


def test_lengths_may_be_arrays() -> None:
    model = ModelInfo("m", parameters=10, attention=(Attention(2, 8, window=5), Attention(1, 8)))
    stops: Any = np.arange(20)
    counts: Any = model.flops(0, stops)
    assert list(counts) == [model.flops(0, stop) for stop in range(20)]
