"""The embedded GPT: a decoder-only transformer of the Qwen3 architecture, small enough to ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from reasoner.files import make_folder
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.loop import device

TOKENWISE = ("model.embed_tokens.weight", "lm_head.weight")
"""Weights with a row per token: input embedding and output layer."""


def build(
    layers: int = 6, width: int = 192, seed: int = 0, vocabulary: int = v.SIZE
) -> Qwen3ForCausalLM:
    """Build an untrained model with attention heads of width 32.

    Deep rather than wide: to judge a line, a layer must read the predictions of earlier layers there.
    """
    torch.manual_seed(seed)
    heads = width // 32
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=32,
        tie_word_embeddings=False,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        bos_token_id=None,
        eos_token_id=v.END,
        pad_token_id=v.PAD,
    )
    model = Qwen3ForCausalLM(config)
    torch.nn.Module.to(model, device())
    return model


def compile_layers(model: Any) -> Any:
    """Compile the layers of `model` and return it: they are alike, so one compilation serves all."""
    for layer in getattr(model, "model", model).layers:
        layer.compile()
    return model


def export(model: Qwen3ForCausalLM, folder: Path) -> None:
    """Write `model` as bfloat16 weights, its tokenizer and its verdict tokens into `folder`.

    The tokens of an ending share the input embedding of its first, so that a verdict cannot change the
    continuation. No engine samples a level by itself: its logit is the padding's, which is very low.
    """
    make_folder(folder)
    wide = build(model.config.num_hidden_layers, model.config.hidden_size, vocabulary=v.EXPORTED)
    state = dict(model.state_dict())
    as_read = torch.tensor(v.as_read(list(range(v.EXPORTED))))
    as_written = [*range(v.SIZE), *[v.PAD] * (v.EXPORTED - v.SIZE)]
    for name, rows in zip(TOKENWISE, (as_read, as_written), strict=True):
        state[name] = state[name][rows]
    wide.load_state_dict(state)
    # Servers stop at the end tokens of the generation settings.
    wide.generation_config.eos_token_id = [t for t in range(v.EXPORTED) if as_read[t] == v.END]
    torch.nn.Module.to(wide, torch.bfloat16)
    wide.save_pretrained(folder)
    v.save_tokenizer(folder)


def imported(folder: Path) -> Qwen3ForCausalLM:
    """Load the model that `export` wrote, with the vocabulary of training."""
    wide = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    state = {
        name: weight[: v.SIZE] if name in TOKENWISE else weight
        for name, weight in wide.state_dict().items()
    }
    model = build(wide.config.num_hidden_layers, wide.config.hidden_size)
    model.load_state_dict(state)
    return model
