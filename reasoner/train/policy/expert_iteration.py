"""Expert iteration: the policy solves problems, and learns from its own right solutions, again and again.

STaR (Zelikman et al., 2022, arXiv 2203.14465) trains the base model anew in each round, on all that the
latest policy solved; so does ReST-EM (Singh et al., 2023, arXiv 2312.06585), with at most ten solutions of a
problem, so that easy problems do not fill the data. With a search as the expert, this is the scheme of Anthony
et al. (2017, arXiv 1705.08439).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasoner.errors import ConfigError
from reasoner.files import save_json, save_text
from reasoner.models.local import local_model
from reasoner.train.manifest import claim, identity
from reasoner.train.policy import sft
from reasoner.train.policy.rollouts import ProblemRollouts
from reasoner.train.policy.rounds import Rounds, TrainingJob, plan_of, settings_of
from reasoner.train.policy.solutions import Pair, read_pairs


async def train(job: TrainingJob) -> dict[str, Any]:
    """Run every round that `job.out` does not have; return the content of its training.json.

    Raises:
        ConfigError: components do not suit one another, or a round has no right solution.
        BackendError: the model could not answer.
        StoreError: a file cannot be read or written.
    """
    folder = local_model(job.model)
    settings = {"method": "expert-iteration", **settings_of(job), **identity(folder, folder)}
    record = job.out / "training.json"
    if claim(record, settings).get("finished") == job.rollouts.rounds:
        return claim(record, settings)
    policy = job.model
    backend = await job.engine.serve(policy)
    rounds = Rounds(job, plan_of(job, backend))
    await rounds.measure(0, backend)
    for number in range(1, job.rollouts.rounds + 1):
        policy = await _round(rounds, number, policy)
    manifest = {
        "settings": settings,
        **job.environment,
        "finished": job.rollouts.rounds,
        "rounds": rounds.records,
        "flops": {e.role: rounds.ledger.flops(e.role) for e in rounds.ledger.entries},
        "policy": policy,
    }
    save_json(manifest, record)
    return manifest


async def _round(rounds: Rounds, number: int, policy: str) -> str:
    """Sample, train and measure; return the new policy's folder."""
    job, folder = rounds.job, rounds.folder(number)
    trained = folder / "model"
    if not (folder / "data.jsonl").exists():
        backend = await job.engine.serve(policy)
        problems = await rounds.rollouts(number, backend)
        _save(chosen(problems, job.rollouts.threshold, job.rollouts.most), folder / "data.jsonl")
    pairs = read_pairs(folder / "data.jsonl")
    job.report(f"round {number}: {len(pairs)} right and distinct solutions")
    start = job.model if job.rollouts.start == "base" else policy
    spent = rounds.spent(number - 1) + rounds.ledger.flops("rollout", "score", rounds=(number,))
    use = sft.train(
        start, pairs, job.training, trained, job.environment, spent=spent, report=job.report
    )
    sft.charge(rounds.ledger, number, use)
    if number % job.rollouts.measure_every == 0 or number == job.rollouts.rounds:
        await rounds.measure(number, await job.engine.serve(str(trained)), solutions=len(pairs))
    return str(trained)


def chosen(problems: Sequence[ProblemRollouts], threshold: float, most: int) -> list[Pair]:
    """Return the finished solutions with a reward of at least `threshold`, distinct, `most` of a problem.

    Raises:
        ConfigError: there are none.
    """
    pairs = [
        Pair(prompt=problem.prompt, solution=text)
        for problem in problems
        for text in list(_right(problem, threshold))[:most]
    ]
    if not pairs:
        raise ConfigError(
            "the policy solved no problem, so there is nothing to learn from; choose an easier task, more"
            " --problems or --samples, or train it on solutions first (--method sft)"
        )
    return pairs


def _right(problem: ProblemRollouts, threshold: float) -> dict[str, None]:
    """Return the texts of the solutions to learn from, each once, in order of arrival."""
    good = (s for s in problem.solutions if s.finished and s.reward >= threshold)
    return dict.fromkeys(s.text for s in good if s.text.strip())


def _save(pairs: Sequence[Pair], path: Path) -> None:
    rows = [{"prompt": p.prompt, "completion": p.solution} for p in pairs]
    save_text("".join(json.dumps(row) + "\n" for row in rows), path)
