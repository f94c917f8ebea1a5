"""A tiny GGUF file with random weights, as llama.cpp's converter writes them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

WIDTH, FEED, HEADS, LAYERS, CONTEXT = 64, 96, 2, 2, 128
SPECIAL = ("<unk>", "<|im_start|>", "<|im_end|>", "<|eom|>")
LETTERS = (*"abcdefghijklmnopqrstuvwxyz0123456789ĠĊ.,+=", "ab")
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"


def write(
    path: Path,
    kind: str = "Q8_0",
    *,
    without: Collection[str] = (),
    layers: int = LAYERS,
    feed: int = FEED,
) -> Path:
    """Write a Llama of two layers in blocks of `kind`; its header claims `layers` and `feed`."""
    import gguf

    file: Any = gguf.GGUFWriter(path, "llama")
    _settings(file, layers, feed)
    _tokens(file, gguf)
    for name, values in tensors().items():
        if name in without:
            continue
        if values.ndim == 1:
            file.add_tensor(name, values)
        else:
            code = gguf.GGMLQuantizationType[kind]
            file.add_tensor(name, gguf.quants.quantize(values, code), raw_dtype=code)
    for step in (file.write_header_to_file, file.write_kv_data_to_file, file.write_tensors_to_file):
        step()
    file.close()
    return path


def _settings(file: Any, layers: int, feed: int) -> None:
    file.add_context_length(CONTEXT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(layers)
    file.add_feed_forward_length(feed)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_rope_freq_base(10_000.0)
    file.add_vocab_size(len(SPECIAL) + len(LETTERS))


def _tokens(file: Any, gguf: Any) -> None:
    file.add_tokenizer_model("gpt2")
    file.add_token_list([*SPECIAL, *LETTERS])
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    file.add_token_types([control] * len(SPECIAL) + [normal] * len(LETTERS))
    file.add_token_merges(["a b"])
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_uint32("tokenizer.ggml.eom_token_id", 3)
    file.add_unk_token_id(0)
    file.add_chat_template(TEMPLATE)


def tensors() -> dict[str, Any]:
    """Return random weights in the names of llama.cpp."""
    from numpy import float32, ones
    from numpy.random import default_rng

    random = default_rng(0)
    square, up = (WIDTH, WIDTH), (FEED, WIDTH)
    shapes = {"token_embd": (len(SPECIAL) + len(LETTERS), WIDTH)}
    for i in range(LAYERS):
        block = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
        block |= {"ffn_gate": up, "ffn_up": up, "ffn_down": up[::-1]}
        shapes |= {f"blk.{i}.{name}": shape for name, shape in block.items()}
    weights = {f"{k}.weight": random.normal(0, 0.2, s).astype(float32) for k, s in shapes.items()}
    norms = [f"blk.{i}.{name}_norm" for i in range(LAYERS) for name in ("attn", "ffn")]
    return weights | {f"{name}.weight": ones(WIDTH, float32) for name in [*norms, "output_norm"]}
