"""A policy with a value head: its check, and its files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reasoner.backends.checkpoint import Checkpoint
from reasoner.errors import ConfigError
from reasoner.models.value_head import Head
from reasoner.models.value_tokens import HEAD, VALUE

TOLERANCE = 0.05
"""Tolerance of log-odds, in nats and relative, in the precision that models are saved in."""


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


def export(policy: Any, checkpoint: Checkpoint, head: Head, out: Path) -> None:
    """Write `policy` in its saved precision, its tokenizer, its `reasoner.json`, and the head alone."""
    policy.to(checkpoint.config.dtype or policy.dtype).save_pretrained(out)
    checkpoint.tokenizer.save_pretrained(out)
    described = Path(checkpoint.path) / "reasoner.json"
    if described.exists():
        shutil.copy(described, out)
    head.save(out / HEAD)
