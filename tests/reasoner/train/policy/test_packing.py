"""Packing wastes nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reasoner.train.policy.packing import PackedRow, TokenisedSolution, pack
from reasoner.train.policy.policy_model import PolicyModel
from reasoner.train.policy.recipe import TrainingRecipe
from tests import models

SIZES = st.lists(st.integers(2, 30), min_size=1, max_size=40)


def solution(size: int, weight: float = 1.0) -> TokenisedSolution:
    return TokenisedSolution(tuple(5 + i % 30 for i in range(size)), max(1, size // 2), weight)


@given(SIZES)
def test_every_solution_is_in_one_row_and_rows_have_room(sizes: list[int]) -> None:
    rows = pack([solution(n) for n in sizes], room=20)
    assert sorted(len(s.ids) for row in rows for s in row) == sorted(sizes)
    assert all(sum(len(s.ids) for s in row) <= 20 or len(row) == 1 for row in rows)
    assert len(rows) <= 2 * (1 + sum(sizes) // 20)


def test_a_row_has_no_padding_and_reads_before_each_solution_token() -> None:
    row = PackedRow.of([TokenisedSolution((7, 8, 9), 2), TokenisedSolution((5, 6, 4, 1), 1, -0.5)])
    assert row.ids.tolist() == [[7, 8, 9, 5, 6, 4, 1]]
    assert row.positions.tolist() == [[0, 1, 2, 0, 1, 2, 3]]
    assert row.reads.tolist() == [1, 3, 4, 5]
    assert row.targets.tolist() == [9, 6, 4, 1]
    assert row.weights.tolist() == [1.0, -0.5, -0.5, -0.5]


@torch.no_grad()
@pytest.mark.parametrize("make", [models.qwen3, models.gpt2])
def test_the_loss_of_a_packed_row_is_that_of_its_solutions(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    """The oracle is the plain log-softmax of each sequence alone."""
    recipe = TrainingRecipe(rate=1e-3, precision="float32")
    policy = PolicyModel(str(make(tmp_path / "model")), recipe)
    policy.model.eval()
    solutions = [solution(9), solution(14, 0.25), solution(5, -1.0)]
    expected = 0.0
    for s in solutions:
        ids = torch.tensor([s.ids])
        logits = policy.model(input_ids=ids).logits[0].double()
        for ending in policy._endings:
            both = torch.logsumexp(logits[:, [ending.good, ending.bad]], -1)
            logits[:, [ending.bad, *ending.levels]] = -1e9
            logits[:, ending.good] = both
        chosen = logits.log_softmax(-1)[:-1].gather(1, ids[0, 1:, None])[s.start - 1 :]
        expected -= s.weight * float(chosen.sum())
    assert float(policy.loss(PackedRow.of(solutions))) == pytest.approx(expected, rel=1e-4)
    policy.check_packing(solutions[0], solutions[1])


def test_attention_across_problems_is_refused(
    untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that ignores positions would see the problem before."""
    from reasoner.errors import ConfigError

    policy = PolicyModel(str(untrained), TrainingRecipe(rate=1e-3, precision="float32"))
    forward = policy.model.forward

    def blind(position_ids: torch.Tensor, **rest: object) -> object:
        return forward(position_ids=torch.arange(position_ids.shape[1])[None], **rest)

    monkeypatch.setattr(policy.model, "forward", blind)
    with pytest.raises(ConfigError, match="attends from one problem"):
        policy.check_packing(solution(9), solution(14))
