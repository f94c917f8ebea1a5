"""Imitation: it learns, resumes exactly after a kill, and counts what it spends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reasoner.backends.checkpoint import Checkpoint
from reasoner.backends.verdict_tokens import endings
from reasoner.errors import ConfigError, StoreError
from reasoner.train.policy import optimisation, sft
from reasoner.train.policy.ledger import ComputeLedger
from reasoner.train.policy.optimisation import Optimisation, batch, duration, schedule
from reasoner.train.policy.packing import TokenisedSolution
from reasoner.train.policy.policy_model import PolicyModel
from reasoner.train.policy.recipe import TrainingRecipe
from reasoner.train.policy.solutions import Pair

RECIPE = TrainingRecipe(rate=3e-3, epochs=2, batch=4, precision="float32")
PAIRS = [Pair(prompt=f"cd:{i}\n", solution=f"{i}+1\nb{i}") for i in range(10)]
STEPS = 6


def silent(_: str) -> None:
    """Report nothing."""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


class Killed(Exception):
    """Stands for kill -9."""


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save after every step, and die in `step`."""
    whole = Optimisation.step

    def dying(self: Optimisation, solutions: list[TokenisedSolution]) -> float:
        if self.use.step == step:
            raise Killed
        return whole(self, solutions)

    monkeypatch.setattr(optimisation, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(Optimisation, "step", dying)


@pytest.mark.parametrize("lora", [0, 2])
def test_a_killed_run_ends_with_the_same_weights(
    lora: int, untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, lora=lora)
    whole = sft.train(str(untrained), PAIRS, recipe, tmp_path / "whole", {}, report=silent)
    with monkeypatch.context() as patch:
        kill_at(4, patch)
        with pytest.raises(Killed):
            sft.train(str(untrained), PAIRS, recipe, tmp_path / "cut", {}, report=silent)
    assert sft.checkpoint(tmp_path / "cut").exists()
    cut = sft.train(str(untrained), PAIRS, recipe, tmp_path / "cut", {}, report=silent)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)
    assert not all(torch.equal(one[n], w) for n, w in weights(untrained).items())
    same = ("steps", "tokens", "flops", "solutions")
    assert [cut[f] for f in same] == [whole[f] for f in same]
    assert cut["steps"] == STEPS
    assert not sft.checkpoint(tmp_path / "cut").exists()
    assert (tmp_path / "cut" / "adapter").is_dir() == bool(lora)


def test_a_finished_training_is_left_alone(untrained: Path, tmp_path: Path) -> None:
    first = sft.train(str(untrained), PAIRS, RECIPE, tmp_path, {"commit": "x"}, report=silent)
    before = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert sft.train(str(untrained), PAIRS, RECIPE, tmp_path, {}, report=silent) == first
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="has results for rate"):
        sft.train(str(untrained), PAIRS, replace(RECIPE, rate=1e-4), tmp_path, {}, report=silent)


@torch.no_grad()
def test_it_learns_and_the_model_is_served_as_any_other(taught: Path, untrained: Path) -> None:
    """The end is one of four letters, and verdict tokens still read alike."""
    policy = PolicyModel(str(taught), replace(RECIPE, rate=1e-9))
    ids = policy.prompt_ids("cd:d07\n")
    odds = policy.model(input_ids=torch.tensor([ids])).logits[0, -1].softmax(-1)
    letters = [policy.checkpoint.encode(c)[0] for c in "abcd"]
    assert float(odds[letters].sum()) > 0.6  # 4 of 64 tokens
    assert min(odds[letters].tolist()) > 0.1
    table = weights(taught)["model.embed_tokens.weight"]
    for ending in endings(taught):
        assert all(torch.equal(table[t], table[ending.good]) for t in (ending.bad, *ending.levels))
    assert Checkpoint(str(taught)).ends == Checkpoint(str(untrained)).ends
    assert weights(taught)["lm_head.weight"].dtype is torch.bfloat16


def test_the_ledger_counts_three_forward_passes(untrained: Path, tmp_path: Path) -> None:
    manifest = sft.train(str(untrained), PAIRS, RECIPE, tmp_path, {}, report=silent)
    sft.charge(ComputeLedger(tmp_path / "ledger.json"), 0, manifest)
    info = Checkpoint(str(untrained)).info
    policy = PolicyModel(str(untrained), RECIPE)
    lengths = [len(s.ids) for s in map(policy.tokenise, PAIRS) if s]
    [entry] = json.loads((tmp_path / "ledger.json").read_text())["entries"]
    assert entry["role"] == "train" and entry["tokens"] == 2 * sum(lengths)
    assert entry["flops"] == pytest.approx(2 * 3 * sum(info.flops(0, n) for n in lengths))


def test_snapshots_are_models(untrained: Path, tmp_path: Path) -> None:
    sft.train(str(untrained), PAIRS, RECIPE, tmp_path, {}, snapshots=2, report=silent)
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-2", "step-4"]
    assert weights(tmp_path / "step-2").keys() == weights(tmp_path).keys()


def test_long_solutions_are_left_out(untrained: Path, tmp_path: Path) -> None:
    lines = list[str]()
    long = Pair(prompt="cd:1\n", solution="a" * 600)
    manifest = sft.train(
        str(untrained), [*PAIRS, long], replace(RECIPE, epochs=1), tmp_path / "a", {},
        report=lines.append,
    )  # fmt: skip
    assert manifest["solutions"] == len(PAIRS)
    assert "1 solutions are longer than the context; left out" in lines
    with pytest.raises(ConfigError, match="no solution fits"):
        sft.train(str(untrained), [long], RECIPE, tmp_path / "b", {}, report=silent)


def test_a_foreign_checkpoint_is_refused(untrained: Path, tmp_path: Path) -> None:
    sft.checkpoint(tmp_path).write_bytes(b"no checkpoint")
    with pytest.raises(StoreError, match="is not a checkpoint of this training"):
        sft.train(str(untrained), PAIRS, RECIPE, tmp_path, {}, report=silent)


def test_progress_has_loss_speed_and_time_left(untrained: Path, tmp_path: Path) -> None:
    lines = list[str]()
    sft.train(str(untrained), PAIRS, RECIPE, tmp_path, {}, report=lines.append)
    assert lines[0].startswith("step 1/6  loss ") and lines[0].endswith(" left")
    assert lines[-1].startswith("step 6/6  loss ") and lines[-1].endswith("tokens/s  0:00 left")


def test_the_schedule_rises_and_falls_to_zero() -> None:
    rates = [schedule(step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.2) and rates[4] == rates[5] == 1.0
    assert rates[5:] == sorted(rates[5:], reverse=True) and rates[100] == pytest.approx(0)


def test_each_solution_comes_once_an_epoch() -> None:
    solutions = [TokenisedSolution((i, 0), 1) for i in range(10)]
    epochs = [
        [s.ids[0] for step in steps for s in batch(solutions, 4, step, 0)]
        for steps in (range(3), range(3, 6))
    ]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_durations() -> None:
    assert [duration(s) for s in (0.4, 75, 3725)] == ["0:00", "1:15", "1 h 02 min"]
