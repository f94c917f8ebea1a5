"""The training compute behind the weights in a model folder, as `train policy` records it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

from reasoner.documents import Malformed, read_json
from reasoner.errors import StoreError

MOST = 1e40
RECORD = "training.json"
"""The file in a model's folder whose field `train_flops` is the total."""


def possible(flops: object) -> TypeGuard[float]:
    """Return True for a training compute that can be: 0, or from 1 to `MOST` FLOPs."""
    if not isinstance(flops, int | float) or isinstance(flops, bool):
        return False
    return flops == 0 or 1 <= flops <= MOST


def train_flops(model: str) -> float | None:
    """Return the FLOPs of training, rollouts and scoring that led to a model; None where nothing says.

    It counts from the model that the first of several trainings began with: pre-training is not in it.
    """
    try:
        record = read_json(Path(model) / RECORD)
    except (Malformed, StoreError, OSError):
        return None
    total = record.get("train_flops") if isinstance(record, dict) else None
    return float(total) if possible(total) else None
