"""A value head as two tokens of the policy, so that the policy's own engine serves it.

Their rows of the output layer are w/2 and -w/2: the difference of their logits is w·h. The rest of the
model is unchanged. The tokens are read, never sampled, which backends ensure (`models.files.VALUE`).
Cobbe et al. (2021, arXiv 2110.14168) read a value from the logit of one special token in this way.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import AddedToken
from torch import nn

from reasoner.backends.checkpoint import Checkpoint
from reasoner.errors import ConfigError
from reasoner.models.files import VALUE

TOLERANCE = 0.05
"""Tolerance of log-odds, in nats and relative, in the precision that models are saved in."""

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """The weights (width) and the bias of a value head."""

    weight: Numbers
    bias: float = 0.0

    def logits(self, states: Numbers) -> Numbers:
        """Return the log-odds of a right answer, one per row of `states` (steps, width)."""
        return states @ self.weight + np.float32(self.bias)


def extend(policy: Any, tokenizer: Any, head: Head) -> None:
    """Add the two tokens to `policy`, with `head` as their rows of the output layer.

    Raises:
        ConfigError: the tokenizer has more tokens than the policy.
    """
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


@torch.inference_mode()
def verify(policy: Any, checkpoint: Checkpoint, head: Head, ids: Sequence[int]) -> None:
    """Refuse a model whose logits are not its output layer applied to hidden states.

    Raises:
        ConfigError: the logits differ; they are scaled or capped, for instance.
    """
    tokens = torch.tensor([ids], device=policy.device)
    states = policy.base_model(input_ids=tokens).last_hidden_state[0].float().cpu().numpy()
    logits = policy(input_ids=tokens).logits[0].float().cpu().numpy()
    good, bad = checkpoint.tokenizer.convert_tokens_to_ids(list(VALUE))
    if not np.allclose(logits[:, good] - logits[:, bad], head.logits(states), TOLERANCE, TOLERANCE):
        raise ConfigError(
            f"{checkpoint.info.name!r} scales or caps its logits, so a value head cannot be read"
            " from them; use another model, or verifier 'label-token'"
        )


def export(policy: Any, checkpoint: Checkpoint, out: Path) -> None:
    """Write `policy` in its saved precision, its tokenizer, and its `reasoner.json`."""
    policy.to(checkpoint.config.dtype or policy.dtype).save_pretrained(out)
    checkpoint.tokenizer.save_pretrained(out)
    described = Path(checkpoint.path) / "reasoner.json"
    if described.exists():
        shutil.copy(described, out)
