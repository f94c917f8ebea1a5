"""A value head as two tokens of the policy, so that the policy's own engine serves it.

Their rows of the output layer are w/2 and -w/2: the difference of their logits is w·h. The rest of the
model is unchanged. The tokens are read, never sampled, which backends ensure (`models.value_tokens.VALUE`).
Cobbe et al. (2021, arXiv 2110.14168) read a value from the logit of one special token in this way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from tokenizers import AddedToken
from torch import nn

from reasoner.errors import ConfigError
from reasoner.files import read_bytes, save_bytes, shown
from reasoner.models.value_tokens import VALUE

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """The weights (width) and the bias of a value head."""

    weight: Numbers
    bias: float = 0.0

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a head from a file.

        Raises:
            ConfigError: it is none.
            StoreError: the file cannot be read.
        """
        try:
            arrays = load(read_bytes(path))
            weight, bias = arrays["weight"], arrays["bias"]
        except (SafetensorError, KeyError) as e:
            raise ConfigError(
                f"{shown(path)} is no value head; write one with `reasoner train value-head`"
            ) from e
        if weight.ndim != 1 or bias.size != 1 or not np.isfinite([*weight, *bias.flat]).all():
            raise ConfigError(
                f"{shown(path)} is no value head: its weights are not those of one output"
            )
        return cls(weight.astype(np.float32), float(bias.flat[0]))

    def save(self, path: Path) -> None:
        """Write the head to a file."""
        save_bytes(save({"weight": self.weight, "bias": np.array([self.bias], np.float32)}), path)

    def logits(self, states: Numbers) -> Numbers:
        """Return the log-odds of a right answer, one per row of `states` (steps, width)."""
        return states @ self.weight + np.float32(self.bias)


def extend(policy: Any, tokenizer: Any, head: Head) -> None:
    """Add the two tokens to `policy`, with `head` as their rows of the output layer.

    Raises:
        ConfigError: the tokenizer has more tokens than the policy, or the head another width.
    """
    if len(head.weight) != (width := policy.get_output_embeddings().weight.shape[1]):
        raise ConfigError(
            f"the value head is of width {len(head.weight)}, and the model of {width}; use the head of this model"
        )
    if len(tokenizer) > (size := policy.get_input_embeddings().num_embeddings):
        raise ConfigError(
            f"the tokenizer has {len(tokenizer)} tokens, but the model only {size}; use another model"
        )
    untie(policy)
    tokens = [AddedToken(name, special=True, normalized=False) for name in VALUE]
    tokenizer.add_tokens(tokens, special_tokens=True)
    if len(tokenizer) > size:
        policy.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    layer, weight = policy.get_output_embeddings(), torch.from_numpy(head.weight)
    with torch.no_grad():
        for token, sign in zip(tokenizer.convert_tokens_to_ids(list(VALUE)), (1, -1), strict=True):
            policy.get_input_embeddings().weight[token] = 0
            layer.weight[token] = sign * weight.to(layer.weight) / 2
            if layer.bias is not None:
                layer.bias[token] = sign * head.bias / 2


def untie(policy: Any) -> None:
    """Give the output layer its own weights: these tokens differ in input and output."""
    for config in (policy.config, policy.config.get_text_config()):
        config.tie_word_embeddings = False
    layer = policy.get_output_embeddings()
    layer.weight = nn.Parameter(layer.weight.detach().clone())
