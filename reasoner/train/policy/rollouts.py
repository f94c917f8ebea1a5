"""Rollouts: solutions sampled by a strategy and rewarded by a rule or a verifier, in a journal.

A line of the journal is a problem:

    {"prompt": "…", "solutions": [{"text": "…", "ids": [...], "finished": true, "answer": "…",
     "correct": true, "reward": 1.0}], "rollout": {usage}, "score": {usage}}
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from zlib import crc32

from pydantic import FiniteFloat

from reasoner.answering import reading
from reasoner.base import Backend, Example, Task, Verifier, bind, start
from reasoner.budget import VERIFIER
from reasoner.errors import BackendError
from reasoner.events import Result
from reasoner.printable import Text
from reasoner.run import Strategy
from reasoner.schema import Frozen
from reasoner.solving import solve
from reasoner.train.policy.optimisation import REPORT_EVERY, duration
from reasoner.train.policy.recipe import Reward
from reasoner.train.progress import Report
from reasoner.train.resumable import JournalEntry, Row, keep
from reasoner.types import Candidate, Sampling, Usage


class PolicySolution(Frozen):
    """A sampled solution; one that is not `finished` was cut off, and is wrong."""

    text: Text
    ids: tuple[int, ...]
    finished: bool
    answer: Text | None
    correct: bool
    reward: FiniteFloat

    @property
    def score(self) -> float:
        """The reward, where statistics ask for a score."""
        return self.reward


class ProblemRollouts(JournalEntry):
    """A problem with its solutions, the usage of sampling them and that of scoring them.

    `seconds` is the time since the problem before it was finished, so that those of a journal add up.
    """

    solutions: tuple[PolicySolution, ...]
    rollout: Usage
    score: Usage
    seconds: FiniteFloat = 0.0


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """The components that sample solutions of a task's problems.

    A solution's reward is 1 if the task's own check passes and else 0; or the score of `verifier`.
    """

    task: Task
    strategy: Strategy
    sampling: Sampling
    verifier: Verifier | None = None
    reward: Reward = "rule"
    seed: int = 0

    def seeded(self, *place: object) -> RolloutPlan:
        """Return the plan with another seed, which depends on `place`."""
        return replace(self, seed=crc32("/".join(map(str, (self.seed, *place))).encode()) >> 1)


async def sample(
    backend: Backend,
    plan: RolloutPlan,
    examples: Sequence[Example],
    path: Path,
    report: Report,
) -> list[ProblemRollouts]:
    """Sample solutions of every example that the journal at `path` does not have; return those of all.

    Raises:
        BackendError: the model could not answer.
        StoreError: the journal cannot be written, or is corrupt.
    """
    pace = RolloutPace(len(examples), report)

    async def work(example: Example) -> Row:
        await start(backend)
        pace.begin()
        problem = await sampled(backend, plan, example)
        seconds = pace.add(problem)
        return {**problem.model_dump(mode="json", exclude={"prompt"}), "seconds": seconds}

    rows = await keep(path, examples, work, _silent, kind=ProblemRollouts)
    return [ProblemRollouts.model_validate(row) for row in rows]


async def sampled(backend: Backend, plan: RolloutPlan, example: Example) -> ProblemRollouts:
    """Search one problem, and reward every solution that the search took to an end."""
    result = await solve(
        example.problem, plan.strategy, backend, plan.verifier,
        sampling=plan.sampling, extract=plan.task.answer, seed=plan.seed,
    )  # fmt: skip
    if result.error is not None:
        raise BackendError(result.error)
    nodes = [node for node in result.trace if node.terminal]
    candidates = [result.trace.candidate(node) for node in nodes]
    scores, usage = await _scores(backend, plan, result, [n.score for n in nodes], candidates)
    return ProblemRollouts(
        prompt=example.problem.prompt,
        solutions=tuple(
            _solution(plan.task, example, c, s) for c, s in zip(candidates, scores, strict=True)
        ),
        rollout=sum((u for role, u in result.by_role.items() if role != VERIFIER), Usage()),
        score=usage,
    )


def usage_of(problems: Sequence[ProblemRollouts]) -> tuple[Usage, Usage]:
    """Return the usage of sampling, and that of scoring."""
    return (
        sum((p.rollout for p in problems), Usage()),
        sum((p.score for p in problems), Usage()),
    )


async def _scores(
    backend: Backend,
    plan: RolloutPlan,
    result: Result,
    scores: Sequence[float | None],
    candidates: Sequence[Candidate],
) -> tuple[list[float | None], Usage]:
    """Return the verifier's score of each candidate, None if the rule rewards; and the usage of scoring."""
    if plan.verifier is None or plan.reward == "rule":
        return [None] * len(candidates), result.verifier
    missing = [i for i, s in enumerate(scores) if s is None and candidates[i].complete]
    judged, usage = list(scores), result.verifier
    if missing:
        verifier = bind(reading(plan.verifier, plan.task.answer), backend)
        judgement = await verifier.score(result.trace.problem, [candidates[i] for i in missing])
        usage += judgement.usage
        for i, score in zip(missing, judgement.scores, strict=True):
            judged[i] = score.value
    return judged, usage


def _solution(
    task: Task, example: Example, candidate: Candidate, score: float | None
) -> PolicySolution:
    correct = candidate.complete and task.check(example, candidate.answer_text)
    reward = float(correct) if score is None else score
    return PolicySolution(
        text=candidate.text,
        ids=tuple(chain.from_iterable(c.token_ids for c in candidate.completions)),
        finished=candidate.complete,
        answer=task.answer(candidate.answer_text) if candidate.complete else None,
        correct=correct,
        reward=reward if candidate.complete else 0.0,
    )


class RolloutPace:
    """Reports the progress of rollouts now and then: problems, right solutions, speed, time left."""

    def __init__(self, problems: int, report: Report) -> None:
        self._problems, self._report = problems, report
        self._started = self._reported = self._last = 0.0
        self._done = self._right = self._solutions = self._tokens = 0

    def begin(self) -> None:
        """Start the clock, unless it runs: the start of an engine does not count."""
        if not self._started:
            self._started = self._reported = self._last = time.monotonic()

    def add(self, problem: ProblemRollouts) -> float:
        """Count a finished problem; return the seconds since the one before."""
        self._done += 1
        self._right += sum(s.correct for s in problem.solutions)
        self._solutions += len(problem.solutions)
        self._tokens += problem.rollout.completion_tokens
        now = time.monotonic()
        if now - self._reported >= REPORT_EVERY:
            self._reported = now
            self._report(self._line(now - self._started))
        seconds, self._last = now - self._last, now
        return seconds

    def _line(self, seconds: float) -> str:
        left = seconds / self._done * (self._problems - self._done)
        return (
            f"{self._done}/{self._problems} problems  {self._right / max(1, self._solutions):.1%} right"
            f"  {self._tokens / seconds:,.0f} tokens/s  {duration(left)} left"
        )


def _silent(_: str) -> None:
    """Report nothing: the pace does."""
