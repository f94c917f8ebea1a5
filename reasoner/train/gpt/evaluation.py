"""Measure the embedded GPT: coverage, the verdict's ranking of steps, and best-of-N with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol, cast
from zlib import crc32

import numpy as np

from reasoner.base import Backend, Example, Task
from reasoner.benchmarks.analysis.selection import gap_closed
from reasoner.benchmarks.analysis.step_metrics import JudgedSteps, ScoredSolution, auc
from reasoner.benchmarks.stats import Floats, Pool, best_of_at_ks, majority_at_ks, pass_at_ks
from reasoner.benchmarks.store.judgements import Labelled
from reasoner.train.progress import Report as Progress
from reasoner.train.resumable import JournalEntry, Row, keep
from reasoner.types import Completion, Prompt, Sampling
from reasoner.verifiers.common.aggregation import doubts

KS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class ExactlyLabelled(Labelled, Protocol):
    """A task that also labels whole solutions as exactly right."""

    def exact(self, example: Example, solution: str) -> bool:
        """Return whether every line of a solution is right and the last one answers."""
        ...


@dataclass(frozen=True, slots=True)
class JudgedSample:
    """A solution with its grades, the verdicts on its steps, and their labels."""

    answer: str | None
    correct: bool
    exact: bool
    verdicts: Sequence[float]
    labels: list[bool]
    tokens: int

    @property
    def prefix_scores(self) -> list[float]:
        """The score of the solution after each of its steps."""
        return [doubts(self.verdicts[: i + 1]) for i in range(len(self.verdicts))]

    @property
    def score(self) -> float:
        """The score of the solution; 0 without a step."""
        return doubts(self.verdicts) if self.verdicts else 0.0

    @property
    def steps(self) -> ScoredSolution:
        """The score of each step that has a label, and the labels."""
        scores = self.prefix_scores
        judged = min(len(scores), len(self.labels))
        return scores[:judged], self.labels[:judged]


class SampleRow(JournalEntry):
    """A row of the journal: the solutions of a problem."""

    samples: tuple[JudgedSample, ...]


@dataclass(frozen=True, slots=True)
class TaskReport:
    """The numbers of the model card for one task; `steps` counts judged steps.

    The `*_at` fields map a number of samples to a mean over problems. `gap_closed` is that of
    `analysis.selection.gap_closed`, for best-of-N with all samples.
    """

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


async def draw_samples(
    backend: Backend,
    task: ExactlyLabelled,
    path: Path,
    examples: Sequence[Example],
    sampling: Sampling,
    report: Progress = print,
) -> list[list[JudgedSample]]:
    """Sample and grade solutions of each example; those that `path` holds are not sampled again."""

    async def work(example: Example) -> Row:
        generation = await backend.generate(Prompt(example.problem), sampling)
        return {"samples": [asdict(_graded(task, example, c)) for c in generation.completions]}

    rows = await keep(path, examples, work, report, live=16, kind=SampleRow)
    return [[JudgedSample(**s) for s in row["samples"]] for row in rows]


def _graded(task: ExactlyLabelled, example: Example, c: Completion) -> JudgedSample:
    return JudgedSample(
        task.answer(c.text),
        task.check(example, c.text),
        task.exact(example, c.text),
        c.verdicts,
        task.step_labels(example.problem, c.text),
        len(c.token_ids),
    )


def summarise(task: str, split: str, samples: Sequence[Sequence[JudgedSample]]) -> TaskReport:
    """Return every number of the model card from one pool, as many samples of each problem."""
    each, pool = len(samples[0]), Pool.of(samples)
    ks = [k for k in KS if k <= each]
    passes, best = pass_at_ks(pool, ks), best_of_at_ks(pool, ks)
    majority = majority_at_ks(pool, ks)
    exact = replace(pool, correct=np.array([[s.exact for s in row] for row in samples]))
    gap = gap_closed(best[:, -1], majority[:, -1], passes[:, -1])
    steps = JudgedSteps.of([[s.steps for s in row] for row in samples])
    parts = [steps.at(int(depth)) for depth in np.unique(steps.depth)]
    return TaskReport(
        task=task,
        split=split,
        problems=len(samples),
        samples=each,
        tokens_per_sample=fmean(s.tokens for row in samples for s in row),
        pass_at=_means(ks, passes),
        exact_at=_means(ks, pass_at_ks(exact, ks)),
        majority_at=_means(ks, majority),
        best_of_at=_means(ks, best),
        gap_closed=gap.value if gap else None,
        steps=len(steps.score),
        step_auc=auc(steps.score, steps.right),
        step_auc_by_depth=[auc(part.score, part.right) for part in parts],
    )


def _means(ks: Sequence[int], values: Floats) -> dict[int, float]:
    """Return the mean over problems at each of `ks`."""
    return dict(zip(ks, map(float, values.mean(0)), strict=True))


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
    """Return the report of each task as plain data; samples stay in `folder`, also those of a killed run."""
    reports = list[dict[str, Any]]()
    for task in tasks:
        sampling = replace(task.sampling, n=samples, seed=seed, stop=())
        path = folder / f"{task.name}-{split}-{crc32(repr(sampling).encode()):08x}.jsonl"
        examples = list(task.examples(split, problems, seed))
        pools = await draw_samples(
            backend, cast(ExactlyLabelled, task), path, examples, sampling, report
        )
        reports.append(asdict(summarise(task.name, split, pools)))
    return reports
