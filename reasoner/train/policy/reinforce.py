"""REINFORCE with a group's mean as its baseline: on-policy rounds of sampling and one optimiser step.

The loss is -(1/T) Σ A_i log p(token), over all T sampled tokens of a round, with the advantage A_i =
reward of solution i - mean reward of its problem's solutions. There is no KL penalty, no importance ratio and no
clipping, since each step is on-policy; no division by the group's standard deviation (Liu et al., 2025, arXiv
2503.20783); and every token weighs the same, as in DAPO (Yu et al., 2025, arXiv 2503.14476, section 3.3) and
nanochat's chat_rl. Problems whose solutions have equal rewards teach nothing and are left out (DAPO,
section 3.2).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from reasoner.base import Backend, Example
from reasoner.files import save_json
from reasoner.models.local import local_model
from reasoner.models.train_compute import RECORD
from reasoner.train.manifest import claim, identity
from reasoner.train.policy.ledger import LedgerEntry
from reasoner.train.policy.optimisation import Optimisation
from reasoner.train.policy.packing import TokenisedSolution
from reasoner.train.policy.policy_model import PolicyModel
from reasoner.train.policy.rollouts import ProblemRollouts
from reasoner.train.policy.rounds import Rounds, TrainingJob, plan_of, settings_of
from reasoner.train.policy.sft import checkpoint


class FreshRounds(Rounds):
    """Rounds that walk through the training problems: each takes the next ones."""

    def examples(self, number: int) -> list[Example]:
        """Return the training problems of a round, those of earlier rounds again once all were used."""
        recipe, seed = self.job.rollouts, self.job.training.seed
        stream = self.training_problems(recipe.rounds * recipe.problems, seed)
        first = (number - 1) * recipe.problems
        return [stream[i % len(stream)] for i in range(first, first + recipe.problems)]


async def train(job: TrainingJob) -> dict[str, Any]:
    """Run every round that `job.out` does not have; return the content of its training.json.

    The number of rounds is part of the recipe, since the learning rate falls to zero over them.

    Raises:
        ConfigError: components do not suit one another.
        BackendError: the model could not answer.
        StoreError: a file cannot be read or written.
    """
    last = job.rollouts.rounds
    folder = local_model(job.model)
    origin = {"rounds": last, **identity(folder, folder)}
    settings = {"method": "reinforce", **settings_of(job), **origin}
    record = job.out / "training.json"
    if (manifest := claim(record, settings)).get("finished") == last:
        return manifest
    backend = await job.engine.serve(job.model)
    rounds = FreshRounds(job, plan_of(job, backend, on_policy=True))
    await rounds.measure(0, backend)
    policy = PolicyModel(job.model, job.training)
    optimisation = Optimisation(policy, last, checkpoint(job.out), job.report)
    backend = await _served(rounds, policy, optimisation.use.step)
    for number in range(optimisation.use.step + 1, last + 1):
        await _round(rounds, number, backend, optimisation)
        backend = await _served(rounds, policy, number)
    manifest = {
        "settings": settings,
        **job.environment,
        "finished": last,
        "rounds": rounds.records,
        "flops": {e.role: rounds.ledger.flops(e.role) for e in rounds.ledger.entries},
        "policy": str(rounds.folder(last) / "model"),
    }
    save_json(manifest, record)
    shutil.rmtree(job.out / "serving", ignore_errors=True)
    return manifest


async def _round(rounds: Rounds, number: int, backend: Backend, optimisation: Optimisation) -> None:
    """Sample, and take one step; the checkpoint of the step is written before the next round."""
    problems = await rounds.rollouts(number, backend)
    solutions = advantages(optimisation.policy, problems)
    rewards = [s.reward for p in problems for s in p.solutions]
    spent = replace(optimisation.use)
    optimisation.step(solutions)
    use = optimisation.use
    rounds.ledger.charge(
        LedgerEntry(
            round=number,
            role="train",
            tokens=use.tokens - spent.tokens,
            flops=use.flops - spent.flops,
            seconds=use.seconds - spent.seconds,
        )
    )
    optimisation.save()
    rounds.job.report(
        f"round {number}/{rounds.job.rollouts.rounds}  reward {fmean(rewards):.3f}"
        f"  {len(solutions)}/{len(rewards)} solutions of problems with different rewards"
    )


async def _served(rounds: Rounds, policy: PolicyModel, number: int) -> Backend:
    """Write the weights after a round, serve them, and measure them if it is their turn.

    Those of measured rounds stay on disk; others are replaced by the next.
    """
    if number == 0:
        return await rounds.job.engine.serve(rounds.job.model)
    recipe = rounds.job.rollouts
    measured = number % recipe.measure_every == 0 or number == recipe.rounds
    folder = rounds.folder(number) / "model" if measured else Path(rounds.job.out / "serving")
    policy.save(folder)
    save_json({"train_flops": rounds.spent(number)}, folder / RECORD)
    backend = await rounds.job.engine.serve_anew(folder)
    if measured:
        await rounds.measure(number, backend)
    return backend


def advantages(policy: PolicyModel, problems: Sequence[ProblemRollouts]) -> list[TokenisedSolution]:
    """Return the sampled tokens of each solution, weighted by its advantage over its problem's mean reward.

    Solutions without an advantage, and those that do not fit the context, are left out.
    """
    solutions = list[TokenisedSolution]()
    for problem in problems:
        prompt = policy.prompt_ids(problem.prompt)
        mean = fmean(s.reward for s in problem.solutions)
        for solution in problem.solutions:
            ids = (*prompt, *policy.as_read(solution.ids))
            if solution.ids and solution.reward != mean and policy.fits(ids):
                solutions.append(TokenisedSolution(ids, len(prompt), solution.reward - mean))
    return solutions
