"""The embedded GPT: a decoder-only transformer of the Qwen3 architecture, small enough to ship."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from reasoner.train import vocabulary as v
from reasoner.train.loop import device


def build(layers: int = 6, width: int = 192, seed: int = 0) -> Qwen3ForCausalLM:
    """An untrained model; a head of attention is 32 wide.

    Deep rather than wide: to judge a line, a layer must read what earlier layers expected there.
    """
    torch.manual_seed(seed)
    heads = width // 32
    config = Qwen3Config(
        vocab_size=v.SIZE,
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


def export(model: Qwen3ForCausalLM, folder: Path) -> None:
    """Write `model` as bfloat16 weights, its tokenizer and its verdict tokens into `folder`.

    The second of each pair gets the first one's input embedding, so a sampled verdict cannot
    change what follows it.
    """
    with torch.no_grad():
        table = model.model.embed_tokens.weight
        for first, second in v.PAIRS:
            table[second] = table[first]
    folder.mkdir(parents=True, exist_ok=True)
    copy = build(model.config.num_hidden_layers, model.config.hidden_size)
    copy.load_state_dict(model.state_dict())
    torch.nn.Module.to(copy, torch.bfloat16)
    copy.save_pretrained(folder)
    v.save_tokenizer(folder)
