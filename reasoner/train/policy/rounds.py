"""The parts that expert iteration and reinforcement share: problems, rollouts, measurement, records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reasoner.base import Backend, Example, Task, Verifier, check_problem
from reasoner.benchmarks.runner.components import examples_of, sized
from reasoner.documents import Malformed, read_json
from reasoner.errors import ConfigError, StoreError
from reasoner.files import make_folder, save_json, shown
from reasoner.models.local import local_model
from reasoner.models.train_compute import train_flops
from reasoner.registry import tasks, verifiers
from reasoner.search.majority import Majority
from reasoner.solving import check_suitable
from reasoner.suitability import default_verifier
from reasoner.train.policy.ledger import ComputeLedger, Role
from reasoner.train.policy.measurement import measures
from reasoner.train.policy.recipe import RolloutRecipe, TrainingRecipe
from reasoner.train.policy.rollout_engine import RolloutEngine
from reasoner.train.policy.rollouts import ProblemRollouts, RolloutPlan, sample, usage_of
from reasoner.train.progress import Report
from reasoner.traits import strategy_traits, verifier_traits

LEARNING: tuple[Role, ...] = ("train", "rollout", "score")
"""The roles whose compute is the price of the weights."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A training in rounds: the policy to begin with, both recipes, the engine, and where results go."""

    model: str
    rollouts: RolloutRecipe
    training: TrainingRecipe
    out: Path
    engine: RolloutEngine
    environment: Mapping[str, Any]
    report: Report = print


class Rounds:
    """The rounds of a job: their problems and rollouts, and in `rounds.json` what they led to.

    Raises:
        ConfigError: a component does not exist or needs the answers, or the split has no problems.
        StoreError: rounds.json cannot be read.
    """

    def __init__(self, job: TrainingJob, plan: RolloutPlan) -> None:
        self.job, self.plan = job, plan
        self.ledger = ComputeLedger(job.out / "ledger.json")
        self._path = job.out / "rounds.json"
        self._records = _read(self._path)

    def folder(self, number: int) -> Path:
        """Return the folder of a round; that of round 0 is the policy's before training."""
        return make_folder(self.job.out / f"round-{number}")

    def examples(self, number: int) -> list[Example]:
        """Return the training problems of a round."""
        recipe, seed = self.job.rollouts, self.job.training.seed
        return self.training_problems(recipe.problems, seed + number if recipe.fresh else seed)

    def training_problems(self, count: int, seed: int) -> list[Example]:
        """Return the first `count` problems of split "train".

        Raises:
            ConfigError: there are none.
        """
        if examples := list(self.plan.task.examples("train", count, seed)):
            return examples
        raise ConfigError(f"task {self.plan.task.name!r} has no problems in split 'train'")

    async def rollouts(self, number: int, backend: Backend) -> list[ProblemRollouts]:
        """Sample the solutions of a round, except for those in its journal."""
        examples = self.examples(number)
        for example in examples:
            check_problem(self.plan.verifier, example.problem)
        path, plan = self.folder(number) / "rollouts.jsonl", self.plan.seeded("train", number)
        problems = await sample(backend, plan, examples, path, self.job.report)
        sampling, scoring = usage_of(problems)
        self.ledger.charge_usage(number, "rollout", sampling, sum(p.seconds for p in problems))
        self.ledger.charge_usage(number, "score", scoring)
        return problems

    async def measure(self, number: int, backend: Backend, **facts: Any) -> None:
        """Measure the policy after a round on dev problems, and enter it in rounds.json with `facts`."""
        recipe = self.job.rollouts
        if not recipe.dev_problems or number in self._records:
            return
        plan = replace(self.plan, strategy=Majority(n=recipe.dev_samples), verifier=None)
        examples = examples_of(self.plan.task, "dev", recipe.dev_problems)
        path = self.folder(number) / "dev.jsonl"
        problems = await sample(backend, plan.seeded("dev"), examples, path, self.job.report)
        seconds = sum(p.seconds for p in problems)
        self.ledger.charge_usage(number, "measure", usage_of(problems)[0], seconds)
        record = {
            "round": number,
            **facts,
            **measures(problems, recipe.dev_samples),
            "train_flops": self.spent(number),
        }
        self._records[number] = record
        save_json(self.records, self._path)
        self.job.report(line(record))

    def spent(self, until: int) -> float:
        """Return the training compute behind the weights after round `until`, in FLOPs."""
        before = train_flops(local_model(self.job.model)) or 0.0
        return before + self.ledger.flops(*LEARNING, rounds=range(1, until + 1))

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records of the measured rounds, in their order."""
        return [self._records[number] for number in sorted(self._records)]


def plan_of(job: TrainingJob, backend: Backend, *, on_policy: bool = False) -> RolloutPlan:
    """Return the components that sample a job's rollouts; `on_policy` samples the policy itself.

    Raises:
        ConfigError: a component does not exist, they do not suit one another, or a verifier reads the answers.
    """
    recipe = job.rollouts
    task: Task = tasks.make(recipe.task)
    strategy = Majority(n=recipe.samples) if on_policy else sized(recipe.strategy, recipe.samples)
    sampling = replace(task.sampling, temperature=1.0, top_p=1.0) if on_policy else task.sampling
    if recipe.verifier and recipe.reward == "rule" and not strategy_traits(strategy).uses_verifier:
        raise ConfigError(
            f"strategy {recipe.strategy!r} asks no verifier, and the reward is the task's own check; add"
            " --reward verifier, or leave --verifier out"
        )
    name = recipe.verifier or default_verifier(strategy, backend)
    if name is None and recipe.reward == "verifier":
        raise ConfigError("a verifier's reward needs a verifier; name one with --verifier")
    verifier = _verifier(name) if name else None
    check_suitable(strategy, backend, verifier)
    return RolloutPlan(task, strategy, sampling, verifier, recipe.reward, job.training.seed)


def settings_of(job: TrainingJob) -> dict[str, Any]:
    """Return the recipes as settings of a manifest; more rounds extend an earlier training."""
    rollouts = {k: v for k, v in asdict(job.rollouts).items() if k != "rounds"}
    return {**asdict(job.training), **rollouts}


def line(record: Mapping[str, Any]) -> str:
    """Return the measures of a round as a line."""
    k = record["samples"]
    return (
        f"round {record['round']}: pass@1 {record['pass@1']:.3f}  pass@{k} {record[f'pass@{k}']:.3f}"
        f"  majority@{k} {record[f'majority@{k}']:.3f}  {record['distinct_answers']:.2f} distinct answers"
        f"  {record['train_flops']:.3g} FLOPs"
    )


def _verifier(name: str) -> Verifier:
    if verifier_traits(verifiers.load(name)).oracle:
        raise ConfigError(
            f"verifier {name!r} reads the answers, as the task's own check does; leave --verifier out"
        )
    verifier: Verifier = verifiers.make(name)
    return verifier


def _read(path: Path) -> dict[int, dict[str, Any]]:
    """Return the records of rounds.json by their numbers."""
    if not path.exists():
        return {}
    try:
        return {int(record["round"]): record for record in read_json(path)}
    except (Malformed, KeyError, TypeError, ValueError) as e:
        raise StoreError(f"{shown(path)} has no records of rounds; delete it") from e
