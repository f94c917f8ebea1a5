"""The sizes of a Transformers model that determine its FLOPs (docs/flops.md)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from reasoner.base import Attention

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
EXPERTS_PER_TOKEN = ("num_experts_per_tok", "top_k_experts", "moe_topk", "moe_k")
"""Setting names for the number of experts of a mixture, and for the experts per token."""


def active_parameters(model: Any, config: Any) -> int:
    """Return the number of weights that one token is multiplied with.

    Biases and norms do not count. An embedding is a look-up and does not count, unless it is also the
    output layer. Of a mixture's experts, a token's share counts, or all of them if `config` does not
    state it.
    """
    from torch import nn

    head = model.get_output_embeddings()
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding)]
    lookups = {id(t.weight) for t in tables if head is None or t.weight is not head.weight}
    matrices = ((n, w) for n, w in model.named_parameters() if w.ndim > 1 and id(w) not in lookups)
    experts, chosen = _first(config, EXPERTS), _first(config, EXPERTS_PER_TOKEN)
    if not (experts and chosen):
        return sum(w.numel() for _, w in matrices)
    return sum(
        w.numel() * chosen // experts if ".experts." in n else w.numel() for n, w in matrices
    )


def attention(config: Any) -> tuple[Attention, ...]:
    """Return the attention layers by window; linear attention and recurrence cost next to nothing."""
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * config.num_hidden_layers
    attending = [kind for kind in kinds if "attention" in kind and kind != "linear_attention"]
    layers = Counter(_window(config, kind) for kind in attending)
    return tuple(Attention(n, _width(config), window) for window, n in layers.items())


def _window(config: Any, kind: str) -> int:
    names = {"sliding_attention": "sliding_window", "chunked_attention": "attention_chunk_size"}
    return _first(config, [names[kind]]) if kind in names else 0


def _width(config: Any) -> int:
    """Return query heads times head size, the mean of key and value sizes if they differ (MLA)."""
    heads = config.num_attention_heads
    parts = ("qk_nope_head_dim", "qk_rope_head_dim")
    latent = sum(_first(config, [part]) for part in parts) if hasattr(config, parts[0]) else 0
    keys = latent or _first(config, ["head_dim"]) or config.hidden_size // heads
    values = _first(config, ["v_head_dim"]) or keys
    return int(heads * (keys + values) // 2)


def _first(config: Any, names: Any) -> int:
    """Return the first of these settings that is set, else 0."""
    return next((int(v) for name in names if (v := getattr(config, name, None))), 0)
