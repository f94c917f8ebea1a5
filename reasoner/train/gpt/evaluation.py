"""Measure the embedded GPT: coverage, the verdict's ranking of steps, and best-of-N with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol, cast
from zlib import crc32

from reasoner.base import Backend, Example, Task
from reasoner.benchmarks.analysis.step_metrics import auc
from reasoner.benchmarks.stats import best_of_at_k, pass_at_k, votes_at
from reasoner.benchmarks.store.judgements import Labelled
from reasoner.train.progress import Report as Progress
from reasoner.train.resumable import Entry, Row, keep
from reasoner.types import Completion, Prompt, Sampling
from reasoner.verifiers.common.aggregation import doubts


class Exact(Labelled, Protocol):
    """A task that can tell whether a whole solution is exactly right, too."""

    def exact(self, example: Example, solution: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One solution with everything the evaluation asks of it."""

    answer: str | None
    correct: bool
    exact: bool
    verdicts: Sequence[float]
    labels: list[bool]
    tokens: int


class Samples(Entry):
    """A row of the journal: the solutions of a problem."""

    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What the model card states of one task; `steps` counts judged steps."""

    task: str
    split: str
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


async def pool(
    backend: Backend,
    task: Exact,
    path: Path,
    examples: Sequence[Example],
    sampling: Sampling,
    report: Progress = print,
) -> list[list[Sample]]:
    """The solutions drawn of each example, kept in `path`."""

    async def work(example: Example) -> Row:
        generation = await backend.generate(Prompt(example.problem), sampling)
        return {"samples": [asdict(_sample(task, example, c)) for c in generation.completions]}

    rows = await keep(path, examples, work, report, live=16, kind=Samples)
    return [[Sample(**s) for s in row["samples"]] for row in rows]


def _sample(task: Exact, example: Example, c: Completion) -> Sample:
    return Sample(
        task.answer(c.text),
        task.check(example, c.text),
        task.exact(example, c.text),
        c.verdicts,
        task.step_labels(example.problem, c.text),
        len(c.token_ids),
    )


def summarise(task: str, split: str, drawn: list[list[Sample]]) -> Report:
    """Every number of the model card from one pool."""
    each = len(drawn[0])
    ks = [k for k in (1, 2, 4, 8, 16, 32, 64, 128, 256) if k <= each]
    values = [[_values(s.verdicts) for s in row] for row in drawn]
    scores = [[v[-1] if v else 0.0 for v in row] for row in values]
    right = [[s.correct for s in row] for row in drawn]
    passes = {k: fmean(pass_at_k(r, k) for r in right) for k in ks}
    best = {k: fmean(best_of_at_k(r, s, k) for r, s in zip(right, scores, strict=True)) for k in ks}
    gap = passes[ks[-1]] - passes[1]
    votes = [votes_at([s.answer for s in row], [s.correct for s in row], None, ks) for row in drawn]
    steps = [
        (depth, value, label)
        for row, judged in zip(drawn, values, strict=True)
        for s, prefixes in zip(row, judged, strict=True)
        for depth, (value, label) in enumerate(zip(prefixes, s.labels, strict=False))
    ]
    by_depth = [
        auc([v for d, v, _ in steps if d == depth], [y for d, _, y in steps if d == depth])
        for depth in range(1 + max(d for d, _, _ in steps))
    ]
    return Report(
        task=task,
        split=split,
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


def _values(verdicts: Sequence[float]) -> list[float]:
    """What the verdicts make of the solution after each of its steps."""
    return [doubts(verdicts[: i + 1]) for i in range(len(verdicts))]


async def evaluate(
    backend: Backend,
    tasks: Sequence[Task],
    folder: Path,
    split: str,
    problems: int,
    samples: int,
    seed: int = 0,
    report: Progress = print,
) -> list[dict[str, Any]]:
    """Return the report of each task, as plain data; samples stay in `folder`, those of a killed run too."""
    reports = list[dict[str, Any]]()
    for task in tasks:
        sampling = replace(task.sampling, n=samples, seed=seed, stop=())
        path = folder / f"{task.name}-{split}-{crc32(repr(sampling).encode()):08x}.jsonl"
        examples = list(task.examples(split, problems, seed))
        drawn = await pool(backend, cast(Exact, task), path, examples, sampling, report)
        reports.append(asdict(summarise(task.name, split, drawn)))
    return reports
