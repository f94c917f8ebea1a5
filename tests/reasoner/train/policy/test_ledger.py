"""The ledger of a training: each role once a round, and honest FLOPs."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoner.base import Attention, ModelInfo
from reasoner.errors import StoreError
from reasoner.train.policy.ledger import ComputeLedger, LedgerEntry
from reasoner.train.policy.training_flops import training_flops
from reasoner.types import Usage

INFO = ModelInfo("m", 100, 1000, (Attention(2, 10),))


def test_an_entry_replaces_that_of_its_round_and_role(tmp_path: Path) -> None:
    ledger = ComputeLedger(tmp_path / "ledger.json")
    ledger.charge(LedgerEntry(round=1, role="train", flops=5.0))
    ledger.charge_usage(1, "rollout", Usage(2, 30, 10, 40, 7.0), 1.5)
    ledger.charge_usage(1, "score", Usage())
    again = ComputeLedger(tmp_path / "ledger.json")
    again.charge(LedgerEntry(round=1, role="train", flops=6.0))
    again.charge(LedgerEntry(round=2, role="train", flops=1.0))
    assert [(e.round, e.role, e.flops) for e in again.entries] == [
        (1, "train", 6.0), (1, "rollout", 7.0), (2, "train", 1.0),
    ]  # fmt: skip
    assert again.flops("train", "rollout") == 14.0
    assert again.flops("train", rounds=(1,)) == 6.0
    assert again.entries[1].tokens == 70 and again.entries[1].seconds == 1.5


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text('{"entries": [{"round": -1, "role": "train"}]}')
    with pytest.raises(StoreError, match="is no ledger"):
        ComputeLedger(tmp_path / "ledger.json")


def test_training_costs_three_forward_passes() -> None:
    forward = 2 * 1000 * 8 + 4 * 2 * 10 * (8 * 9 / 2)
    assert INFO.flops(0, 8) == forward
    assert training_flops(INFO, [8]) == 3 * forward
    assert training_flops(INFO, [8, 8], recompute=True) == 8 * forward


def test_adapters_save_the_gradient_of_the_other_weights() -> None:
    """By hand: matrices twice, attention thrice, and the adapters thrice."""
    matrices, attention, own = 2 * 1000 * 8, 4 * 2 * 10 * (8 * 9 / 2), 2 * 50 * 8
    assert training_flops(INFO, [8], adapters=50) == 2 * matrices + 3 * attention + 3 * own
