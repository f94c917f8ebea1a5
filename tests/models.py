"""Tiny random models, built in seconds."""

from __future__ import annotations

from pathlib import Path


def qwen3(folder: Path) -> Path:
    """The embedded GPT's architecture, alphabet and verdict tokens, two layers, untrained."""
    from reasoner.train.gpt.model import build, export

    export(build(layers=2, width=64), folder)
    return folder


def gpt2(folder: Path) -> Path:
    """A GPT-2 of two layers with the same alphabet and no verdict tokens."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from reasoner.train.gpt import vocabulary as v

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=v.SIZE, n_positions=256, n_embd=64, n_layer=2, n_head=1,
        bos_token_id=v.END, eos_token_id=v.END, pad_token_id=v.PAD,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    v.save_tokenizer(folder)
    (folder / "reasoner.json").unlink()
    return folder
