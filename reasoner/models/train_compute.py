"""The training compute behind the weights in a model folder, as `train policy` records it."""

from __future__ import annotations

from math import isfinite
from pathlib import Path

from reasoner.documents import Malformed, read_json
from reasoner.errors import StoreError

RECORD = "training.json"
"""The file in a model's folder whose field `train_flops` is the total."""


def train_flops(model: str) -> float | None:
    """Return the FLOPs of training, rollouts and scoring that led to a model; None where nothing says.

    It counts from the model that the first of several trainings began with: pre-training is not in it.
    """
    try:
        record = read_json(Path(model) / RECORD)
    except (Malformed, StoreError, OSError):
        return None
    total = record.get("train_flops") if isinstance(record, dict) else None
    if not isinstance(total, int | float) or not isfinite(total) or total < 0:
        return None
    return float(total)
