"""Rounds of sampling and training: they raise pass@1, resume, and count everything once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import ConfigError
from reasoner.train.policy import expert_iteration, reinforce
from reasoner.train.policy.expert_iteration import chosen
from reasoner.train.policy.measurement import measures
from reasoner.train.policy.policy_model import PolicyModel
from reasoner.train.policy.recipe import RolloutRecipe, TrainingRecipe
from reasoner.train.policy.reinforce import advantages
from reasoner.train.policy.rollout_engine import RolloutEngine
from reasoner.train.policy.rollouts import PolicySolution, ProblemRollouts
from reasoner.train.policy.rounds import TrainingJob
from reasoner.types import Usage
from tests.reasoner.train.policy.letters import ReloadingBackend, TorchBackend

ROLLOUTS = RolloutRecipe(
    task="letters", rounds=1, problems=16, samples=8, dev_problems=8, dev_samples=8
)
TRAINING = TrainingRecipe(rate=3e-3, epochs=4, batch=4, precision="float32")


def silent(_: str) -> None:
    """Report nothing."""


def job(model: Path, out: Path, **changes: Any) -> TrainingJob:
    engine = RolloutEngine(TorchBackend, silent)
    rollouts = replace(ROLLOUTS, **changes)
    return TrainingJob(str(model), rollouts, TRAINING, out, engine, {}, silent)


def ledger(out: Path) -> dict[str, float]:
    flops: dict[str, float] = json.loads((out / "ledger.json").read_text())["flops"]
    return flops


async def test_expert_iteration_solves_more_and_resumes(
    taught: Path, letters: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = await expert_iteration.train(job(taught, tmp_path))
    before, after = manifest["rounds"]
    assert before["pass@1"] < 0.5 < after["pass@1"]
    assert before["pass@8"] >= before["pass@1"] and after["distinct_answers"] < 4
    start = json.loads((taught / "training.json").read_text())["train_flops"]
    spent = start + sum(ledger(tmp_path)[r] for r in ("train", "rollout"))
    assert before["train_flops"] == start > 0
    assert after["train_flops"] == pytest.approx(spent)
    trained = json.loads((tmp_path / "round-1/model/training.json").read_text())
    assert trained["train_flops"] == pytest.approx(spent)
    assert set(ledger(tmp_path)) == {"train", "rollout", "measure"}
    requests, spent = TorchBackend.requests, ledger(tmp_path)
    assert await expert_iteration.train(job(taught, tmp_path)) == manifest
    for file in ("training.json", "rounds.json", "round-1/dev.jsonl"):
        stored: Any = (
            json.loads((tmp_path / "training.json").read_text()) if "training" in file else 0
        )
        (tmp_path / file).unlink()
        if stored:
            (tmp_path / file).write_text(json.dumps({"settings": stored["settings"]}))
    again = await expert_iteration.train(job(taught, tmp_path))
    assert again["rounds"] == manifest["rounds"]
    assert TorchBackend.requests == requests + ROLLOUTS.dev_problems
    assert ledger(tmp_path) == spent


async def test_reinforce_raises_the_reward(taught: Path, letters: str, tmp_path: Path) -> None:
    work = job(taught, tmp_path, rounds=6, measure_every=6)
    manifest = await reinforce.train(work)
    before, after = manifest["rounds"]
    assert after["pass@1"] > before["pass@1"] + 0.2
    entries = json.loads((tmp_path / "ledger.json").read_text())["entries"]
    assert [e["round"] for e in entries if e["role"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert sorted(p.name for p in tmp_path.glob("round-*/model")) == ["model"]
    assert not (tmp_path / "serving").exists()
    assert await reinforce.train(work) == manifest


async def test_an_engine_takes_new_weights_while_it_runs(taught: Path, untrained: Path) -> None:
    engine = RolloutEngine(ReloadingBackend, silent)
    TorchBackend.served.clear()
    first: Any = await engine.serve(str(taught))
    again: Any = await engine.serve(str(taught))
    other: Any = await engine.serve(str(untrained))
    assert first.backend is again.backend is other.backend
    assert TorchBackend.served == [taught.name, untrained.name]
    plain = RolloutEngine(TorchBackend, silent)
    one: Any = await plain.serve(str(taught))
    two: Any = await plain.serve(str(untrained))
    assert one.backend is not two.backend


def solution(text: str, correct: bool, *, finished: bool = True) -> PolicySolution:
    return PolicySolution(
        text=text, ids=(9, 10, 1), finished=finished, answer=text if finished else None,
        correct=correct, reward=float(correct),
    )  # fmt: skip


def problem(*solutions: PolicySolution) -> ProblemRollouts:
    return ProblemRollouts(prompt="cd:1\n", solutions=solutions, rollout=Usage(), score=Usage())


def test_chosen_solutions_are_right_finished_and_distinct() -> None:
    right, other = solution("a", True), solution("b", True)
    sampled = problem(
        right, solution("c", False), right, other, solution("d", True, finished=False)
    )
    assert [p.solution for p in chosen([sampled], 0.5, 4)] == ["a", "b"]
    assert [p.solution for p in chosen([sampled], 0.5, 1)] == ["a"]
    with pytest.raises(ConfigError, match="solved no problem"):
        chosen([problem(solution("c", False))], 0.5, 4)


def test_advantages_are_over_the_mean_of_the_group(untrained: Path) -> None:
    policy = PolicyModel(str(untrained), TRAINING)
    mixed = problem(solution("a", True), *[solution("b", False)] * 3)
    rows = advantages(policy, [mixed, problem(solution("a", True), solution("a", True))])
    assert [r.weight for r in rows] == [0.75, -0.25, -0.25, -0.25]
    assert [r.trained for r in rows] == [3] * 4


def test_verdicts_are_trained_as_read(untrained: Path) -> None:
    policy = PolicyModel(str(untrained), TRAINING)
    assert policy.as_read([9, 100, 180, 4, 2]) == (9, 3, 1, 3, 1)


def test_measures_of_known_solutions() -> None:
    half = problem(*[solution("a", True)] * 2, *[solution(c, False) for c in "bc"])
    none = problem(*[solution("b", False)] * 3, solution("c", False, finished=False))
    result = measures([half, none], 4)
    assert result["pass@1"] == 0.25 and result["pass@4"] == 0.5 and result["majority@4"] == 0.5
    assert result["distinct_answers"] == 2.0 and result["unfinished"] == 0.125
    assert result["pass@1_standard_error"] == pytest.approx(0.25)


async def test_a_verifier_can_reward(taught: Path, letters: str, tmp_path: Path) -> None:
    """`regex` passes what the rule does not: the letter b."""
    changes = {"verifier": "regex(pattern='b')", "reward": "verifier", "dev_problems": 0}
    await expert_iteration.train(job(taught, tmp_path, **changes))
    rows = [json.loads(x) for x in (tmp_path / "round-1" / "data.jsonl").read_text().splitlines()]
    assert rows and all("b" in row["completion"] for row in rows)


BAD = {
    "oracle": ({"verifier": "oracle", "reward": "verifier"}, "reads the answers"),
    "unused": ({"verifier": "regex(pattern='b')"}, "add --reward verifier"),
    "no verifier": ({"reward": "verifier"}, "needs a verifier"),
    "task": ({"task": "leters"}, "did you mean letters"),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_jobs_are_refused(name: str, taught: Path, letters: str, tmp_path: Path) -> None:
    changes, message = BAD[name]
    with pytest.raises(ConfigError, match=message):
        await expert_iteration.train(job(taught, tmp_path, **changes))
