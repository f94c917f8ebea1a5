"""Training: it learns, it resumes where it was killed, labels come from rollouts alone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.needs import need

need("torch")

import torch

from reasoner.base import Example
from reasoner.benchmarks.tasks.countdown import Countdown
from reasoner.errors import StoreError
from reasoner.train.gpt import loop
from reasoner.train.gpt import verdict_layers as verdict
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.evaluation import JudgedSample, summarise
from reasoner.train.gpt.model import export, imported
from reasoner.train.gpt.muon import schedule
from reasoner.train.gpt.pretraining import PretrainingRecipe, train, trained
from reasoner.train.gpt.rollouts import prefix_values
from reasoner.train.gpt.verdict_layers import (
    cut,
    grown,
    load,
    log_odds,
    policy_loss,
    sprout,
    tensors,
    verdict_loss,
)
from reasoner.train.resumable import Row, keep, read

TINY = PretrainingRecipe(steps=6, layers=1, width=64, dagmath_rows=2, countdown_rows=2)


def test_the_alphabet_round_trips_and_pairs_read_alike() -> None:
    text = "cd:1,2=3\n1+2=3:3"
    assert v.decode(v.encode(text)) == text
    assert v.decode([v.STEP_BAD, v.END_BAD]) == "\n"
    assert v.as_read([v.STEP_BAD, 9, v.END_BAD]) == [v.STEP, 9, v.END]


class Killed(Exception):
    """Stands for kill -9."""


def test_a_killed_run_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = torch.load(train(TINY, tmp_path / "whole", False, quiet), weights_only=True)
    clock = iter(range(0, 10_000, 61))  # every step is a minute apart, so every step is saved
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    steps = iter(range(3))

    def dying(optimizers: list[torch.optim.Optimizer], progress: float) -> None:
        if next(steps, None) is None:
            raise Killed
        schedule(optimizers, progress)

    with monkeypatch.context() as m:
        m.setattr(loop, "schedule", dying)
        with pytest.raises(Killed):
            train(TINY, tmp_path / "cut", False, quiet)
    assert torch.load(tmp_path / "cut" / "policy.pt", weights_only=True)["step"] == 3
    resumed = torch.load(train(TINY, tmp_path / "cut", False, quiet), weights_only=True)
    for name, weight in whole["model"].items():
        assert torch.equal(weight, resumed["model"][name])


def quiet(_: str) -> None:
    """Report nothing."""


ROLLOUTS = [
    {"ids": [10, v.STEP, 11, v.END], "correct": True},
    {"ids": [10, v.STEP, 12, v.END], "correct": False},
    {"ids": [13, v.STEP, 12, v.END], "correct": False},
]


def test_a_prefix_is_worth_the_share_of_its_rollouts_that_ended_well() -> None:
    third = pytest.approx(1 / 3)
    values = prefix_values(ROLLOUTS)
    assert values == [[third, 0.5, 0.5, 1.0], [third, 0.5, 0.5, 0.0], [third, 0.0, 0.0, 0.0]]


def test_rollout_files_are_read_up_to_a_torn_line(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    row = json.dumps({"task": "t", "prompt": "cd:1\n", "rollouts": ROLLOUTS})
    file.write_text(row + "\n" + row[:20])
    assert len(list(read(file))) == 1
    rows = load(file)
    assert rows[0].start == 5
    assert rows[0].values[1:] == [0.5, 0.5, 1.0]


async def test_a_journal_makes_no_row_twice_and_heals_a_torn_line(tmp_path: Path) -> None:
    examples = list(Countdown().examples("train", 5))
    made = list[str]()

    async def work(example: Example) -> Row:
        made.append(example.problem.prompt)
        if len(made) == 4:
            raise Killed
        return {"length": len(example.problem.prompt)}

    file = tmp_path / "deep" / "j.jsonl"
    with pytest.raises(Killed):
        await keep(file, examples, work, quiet, live=1)
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    made.clear()
    rows = await keep(file, examples, work, quiet)
    assert rows == [{"prompt": p, "length": len(p)} for p in (e.problem.prompt for e in examples)]
    assert len(list(read(file))) == 5
    assert len(made) == 5 - (whole.count(b"\n") - 1)
    file.write_text('{"prompt": "a"}\nnonsense\n')
    with pytest.raises(StoreError, match=r"j\.jsonl:2 is corrupt"):
        list(read(file))


def test_the_verdict_loss_looks_at_every_sampled_token_and_the_right_pair(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    rollouts = [{**r, "correct": i < 2} for i, r in enumerate(ROLLOUTS)]
    file.write_text(json.dumps({"task": "t", "prompt": "", "rollouts": rollouts}) + "\n")
    tokens, values = tensors(load(file), 12)
    assert (values >= 0).sum() == 12
    tokens, values = tokens[:, 1:], values[:, 1:]  # the first is worth 2/3 everywhere
    sure = torch.zeros(3, 11, v.SIZE)
    right = torch.where(values > 0.5, 8.0, -8.0)
    sure[..., v.STEP] = torch.where(tokens == v.END, -right, right)
    sure[..., v.END] = torch.where(tokens == v.END, right, -right)
    assert verdict_loss(sure, tokens, values) < 0.01
    assert verdict_loss(-sure, tokens, values) > 5


def test_every_rollout_is_learned_from_before_any_comes_again() -> None:
    rows = [verdict.VerdictRow([i], []) for i in range(10)]
    rounds = [[verdict.batch(rows, 4, step, "s") for step in range(n, n + 3)] for n in (0, 3)]
    seen = [[r.ids[0] for b in batches for r in b] for batches in rounds]
    assert [sorted(ids) for ids in seen] == [list(range(10))] * 2
    assert seen[0] != seen[1]


def test_doubts_add_up_over_steps() -> None:
    tokens = torch.tensor([[9, v.STEP, 9, v.STEP, 9, v.END]])
    logits = torch.zeros(1, 6, v.SIZE)
    logits[0, :, v.STEP] = torch.tensor([-4.0, 1.0, 0.1, -3.0, 0.2, 7.0])
    logits[0, 5, v.END] = 2.0
    ends = ((tokens == v.STEP) | (tokens == v.END)).float()
    odds = log_odds(logits, tokens, ends)
    assert odds[0].tolist() == pytest.approx([-4.0, 1.0, 0.1, -3.0, -2.8, -1.0])


def test_the_verdict_layers_grow_on_a_policy_that_stays_what_it_is(tmp_path: Path) -> None:
    folder, file = tmp_path / "run", tmp_path / "r.jsonl"
    train(TINY, folder, False, quiet)
    policy, depth = trained(folder), TINY.layers
    file.write_text(json.dumps({"task": "t", "prompt": "cd:1\n", "rollouts": ROLLOUTS}) + "\n")
    tokens = torch.tensor([[5, 6, 7, v.STEP, 8]])
    below, above = cut(policy, depth)
    states = below(input_ids=tokens).last_hidden_state
    wanted = above(inputs_embeds=states).logits
    assert torch.allclose(wanted, policy(tokens).logits, atol=1e-5)
    logits = sprout(above)(inputs_embeds=states).logits
    assert torch.equal(logits[..., 5:], wanted[..., 5:])
    for good, bad in v.PAIRS:
        assert torch.equal(logits[..., good], logits[..., bad])
    told = list[str]()
    source = verdict.rereading(file, 3, 12, "0")
    weights = verdict.train(
        policy, depth, folder / "v.pt", [source], 30, compiled=False, report=told.append
    )
    first, later = (float(line.split()[3].split("+")[1]) for line in told)
    assert later < first
    whole = grown(policy, depth, weights)
    assert whole.config.num_hidden_layers == depth + verdict.LAYERS
    again = sprout(cut(whole, depth)[1])
    assert torch.allclose(whole(tokens).logits, again(inputs_embeds=states).logits, atol=1e-5)
    export(whole, folder / "model")
    assert torch.allclose(imported(folder / "model")(tokens).logits, whole(tokens).logits, atol=0.1)


def test_the_policy_is_kept_whichever_of_a_pair_it_wants() -> None:
    logits = torch.randn(1, 4, v.SIZE)
    decided = logits.clone()
    decided[..., v.STEP_BAD], decided[..., v.STEP] = logits[..., v.STEP], logits[..., v.STEP_BAD]
    assert policy_loss(decided, logits).abs().max() < 1e-6
    decided[..., 9] += 1
    assert policy_loss(decided, logits).min() > 0


def test_a_model_that_never_succeeds_has_a_report() -> None:
    wrong = JudgedSample("1", False, False, (0.4, 0.6), [False, False], 9)
    report = summarise("t", "dev", [[wrong, wrong]])
    assert (report.pass_at, report.gap_closed, report.step_auc) == ({1: 0, 2: 0}, None, None)


def test_a_report_is_of_the_whole_pool() -> None:
    good = JudgedSample("1", True, True, (0.9, 0.8), [True, True], 10)
    lucky = JudgedSample("1", True, False, (0.2, 0.3), [True, False], 10)
    bad = JudgedSample("2", False, False, (0.9, 0.1, 0.4), [True, False], 10)
    report = summarise("t", "dev", [[bad, good, bad, bad], [bad, lucky, lucky, bad]])
    assert report.pass_at == pytest.approx({1: 3 / 8, 2: (1 / 2 + 5 / 6) / 2, 4: 1})
    assert report.exact_at[4] == 0.5
    assert report.majority_at[4] == pytest.approx(1 / 4)
    assert report.best_of_at[4] == 1
    assert report.gap_closed == 1
    assert report.steps == 16 and len(report.step_auc_by_depth) == 2
