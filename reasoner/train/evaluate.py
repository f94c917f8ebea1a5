"""Measure the embedded GPT: coverage, the verdict's ranking of steps, and best-of-N with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Protocol, cast

import numpy as np

from reasoner.base import Backend, Example, Task
from reasoner.benchmarks.estimators import best_of_at_k, pass_at_k, votes_at
from reasoner.types import Completion, Problem, Prompt, Sampling


class Exact(Task, Protocol):
    """A task that can label every line exactly."""

    def step_labels(self, problem: Problem, solution: str) -> list[bool]: ...

    def exact(self, example: Example, solution: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One solution with everything the evaluation asks of it."""

    answer: str | None
    correct: bool
    exact: bool
    verdicts: tuple[float, ...]
    labels: list[bool]
    tokens: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the model card states of one task; `steps` counts judged steps."""

    task: str
    problems: int
    samples: int
    tokens_per_sample: float
    pass_at: dict[int, float]
    exact_at: dict[int, float]
    majority_at: dict[int, float]
    best_of_at: dict[int, float]
    gap_closed: float | None
    steps: int
    step_auc: float | None
    step_auc_by_depth: list[float | None]


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """The chance that a right step outranks a wrong one, ties counted half (Mann-Whitney).

    None where there are no right steps, or no wrong ones.
    """
    values, truth = np.asarray(scores), np.asarray(labels, bool)
    right, wrong = int(truth.sum()), int((~truth).sum())
    if not right or not wrong:
        return None
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[truth].sum() - right * (right + 1) / 2) / (right * wrong))


async def pool(
    backend: Backend,
    task: Exact,
    problems: int,
    samples: int,
    seed: int,
    report: Callable[[str], None] = print,
    live: int = 8,
) -> list[list[Sample]]:
    """`samples` solutions of each of the first `problems` test problems."""
    gate, done = asyncio.Semaphore(live), 0

    async def one(example: Example) -> list[Sample]:
        nonlocal done
        async with gate:
            sampling = Sampling(n=samples, max_tokens=task.max_tokens, seed=seed)
            generation = await backend.generate(Prompt(example.problem), sampling)
        done += 1
        if done % 20 == 0:
            report(f"{task.name}: {done}/{problems} problems sampled")
        return [_sample(task, example, c) for c in generation.completions]

    return await asyncio.gather(*(one(e) for e in task.examples("test", problems, seed)))


def _sample(task: Exact, example: Example, c: Completion) -> Sample:
    return Sample(
        task.answer(c.text),
        task.check(example, c.text),
        task.exact(example, c.text),
        c.verdicts,
        task.step_labels(example.problem, c.text),
        len(c.token_ids),
    )


def summarise(task: str, drawn: list[list[Sample]]) -> Report:
    """Every number of the model card from one pool."""
    each = len(drawn[0])
    ks = [k for k in (1, 2, 4, 8, 16, 32, 64, 128, 256) if k <= each]
    scores = [[s.verdicts[-1] if s.verdicts else 0.0 for s in row] for row in drawn]
    right = [[s.correct for s in row] for row in drawn]
    passes = {k: fmean(pass_at_k(r, k) for r in right) for k in ks}
    best = {k: fmean(best_of_at_k(r, s, k) for r, s in zip(right, scores, strict=True)) for k in ks}
    gap = passes[ks[-1]] - passes[1]
    votes = [votes_at([s.answer for s in row], [s.correct for s in row], None, ks) for row in drawn]
    steps = [
        (depth, verdict, label)
        for row in drawn
        for s in row
        for depth, (verdict, label) in enumerate(zip(s.verdicts, s.labels, strict=False))
    ]
    by_depth = [
        auc([v for d, v, _ in steps if d == depth], [y for d, _, y in steps if d == depth])
        for depth in range(1 + max(d for d, _, _ in steps))
    ]
    return Report(
        task=task,
        problems=len(drawn),
        samples=each,
        tokens_per_sample=fmean(s.tokens for row in drawn for s in row),
        pass_at=passes,
        exact_at={k: fmean(pass_at_k([s.exact for s in row], k) for row in drawn) for k in ks},
        majority_at={k: fmean(v[i] for v in votes) for i, k in enumerate(ks)},
        best_of_at=best,
        gap_closed=(best[ks[-1]] - passes[1]) / gap if gap else None,
        steps=len(steps),
        step_auc=auc([v for _, v, _ in steps], [y for _, _, y in steps]),
        step_auc_by_depth=by_depth,
    )


async def evaluate(
    backend: Backend,
    tasks: Sequence[Task],
    problems: int,
    samples: int,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """The report of each task, as plain data."""
    return [
        asdict(
            summarise(t.name, await pool(backend, cast(Exact, t), problems, samples, seed, report))
        )
        for t in tasks
    ]
