"""Rollouts drawn in bulk are those of the policy, graded by the task, valued as files of them are."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.needs import need

need("torch")

import torch
from transformers import Qwen3ForCausalLM

import reasoner
from reasoner.benchmarks.tasks.countdown import Countdown
from reasoner.errors import ConfigError
from reasoner.train.gpt import batched_sampling as bulk
from reasoner.train.gpt import vocabulary as v
from reasoner.train.gpt.model import imported
from reasoner.train.gpt.online_rollouts import Fresh
from reasoner.train.gpt.rollouts import prefix_values
from tests import models

TASK = Countdown()


@pytest.fixture(scope="module")
def policy() -> Qwen3ForCausalLM:
    return imported(Path(reasoner.__file__).parent / "gpt")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Qwen3ForCausalLM:
    """An untrained one, for what holds of any policy."""
    return imported(models.qwen3(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def workers() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.mark.parametrize("problems", [4, pytest.param(150, marks=pytest.mark.slow)])
def test_solutions_drawn_in_bulk_are_as_good_as_the_policy(
    policy: Qwen3ForCausalLM, workers: Executor, problems: int
) -> None:
    torch.manual_seed(0)
    examples = list(TASK.examples("dev", problems))
    drawn = bulk.draw(policy, [e.problem.prompt for e in examples], 112, rows=64)
    texts = [v.decode(row.tolist()) for row in drawn]
    right = bulk.outcomes(TASK, examples, drawn, workers)
    assert right.tolist() == [TASK.check(e, t) for e, t in zip(examples, texts, strict=True)]
    if problems == 150:
        assert 0.1 < right.float().mean() < 0.5  # pass@1 of the card: 0.29
    assert not (drawn == v.STEP_BAD).any()


def test_an_unfinished_solution_is_wrong(workers: Executor) -> None:
    example = next(TASK.examples("dev", 1))
    drawn = torch.tensor([v.encode("1+2=3:3?+0")], dtype=torch.uint8)
    assert bulk.outcomes(TASK, [example], drawn, workers).tolist() == [False]


def test_values_are_those_of_rollout_files() -> None:
    torch.manual_seed(0)
    drawn = torch.randint(5, 7, (30, 6), dtype=torch.uint8)
    drawn[:, 5], drawn[::4, 4:] = v.END, torch.tensor([v.END, v.PAD], dtype=torch.uint8)
    right = torch.rand(30) < 0.5
    told = bulk.values(drawn, right, 5)
    for i in range(0, 30, 5):
        rows = [[t for t in row.tolist() if t != v.PAD] for row in drawn[i : i + 5]]
        group = [{"ids": r, "correct": c} for r, c in zip(rows, right[i : i + 5], strict=True)]
        for row, wanted in zip(told[i : i + 5], prefix_values(group), strict=True):
            assert row[: len(wanted)].tolist() == pytest.approx(wanted)
            assert (row[len(wanted) :] == -1).all()


@pytest.mark.slow
def test_every_fresh_rollout_is_learned_from_so_many_times_and_then_others_are_drawn(
    tiny: Qwen3ForCausalLM, workers: Executor
) -> None:
    def source() -> Fresh:
        return Fresh(TASK, tiny, 8, 72, problems=8, each=2, times=2, seed=3, workers=workers)

    first = source()
    batches = [first(step) for step in range(6)]
    tokens = [[tuple(i for i in row.tolist() if i != v.PAD) for row in b[0]] for b in batches]
    assert sorted(tokens[0] + tokens[1]) == sorted(tokens[2] + tokens[3])
    assert not set(tokens[0] + tokens[1]) & set(tokens[4] + tokens[5])
    prompts = [row[: row.index(v.STEP)] for row in tokens[0] + tokens[1]]
    assert {prompts.count(p) for p in prompts} == {2}
    ids, values = batches[0]
    for row, value in zip(ids, values, strict=True):
        start = row.tolist().index(v.STEP) + 1
        assert (value[:start] == -1).all() and (value[start:][row[start:] != v.PAD] >= 0).all()
    again = source()
    for step in (5, 0):
        assert torch.equal(again(step)[0], batches[step][0])


def test_less_than_a_batch_is_refused(tiny: Qwen3ForCausalLM, workers: Executor) -> None:
    with pytest.raises(ConfigError, match="fewer than the 64 of a step; give more --problems"):
        Fresh(TASK, tiny, 64, 122, problems=8, each=2, times=2, seed=3, workers=workers)
