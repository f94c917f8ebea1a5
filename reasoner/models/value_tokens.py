"""The names under which a value head stands in a model's vocabulary, and in a folder."""

from __future__ import annotations

VALUE = ("<|value:good|>", "<|value:bad|>")
"""The tokens whose log-odds are a model's value head, never sampled (see `models.value_head`)."""
HEAD = "value_head.safetensors"
"""The file of a head alone, which the folder of an adapter may have."""
