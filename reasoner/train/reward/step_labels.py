"""Solutions of a policy with labels and values for their steps: `reasoner train labels`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any
from zlib import crc32

from reasoner.base import Backend, Example, Task
from reasoner.benchmarks.runner.components import examples_of
from reasoner.benchmarks.runner.scheduler import Tally
from reasoner.benchmarks.runner.step_sampling import Stepwise
from reasoner.benchmarks.store.judgements import Labelled
from reasoner.benchmarks.store.records import recorded
from reasoner.concurrency import gather
from reasoner.errors import BackendError, ConfigError, ReasonerError
from reasoner.files import require_regular, save_json, save_text
from reasoner.solving import solve
from reasoner.thinking import answer_text
from reasoner.trace import Trace
from reasoner.train.manifest import claim
from reasoner.train.progress import Report
from reasoner.train.resumable import JournalEntry, Row, keep
from reasoner.train.reward.labelled_solutions import LabelledSolution, Method
from reasoner.train.reward.step_values import (
    SampledSolution,
    StepEstimate,
    StepLabels,
    Way,
    exact,
    monte_carlo,
    omega,
    outcome,
)
from reasoner.types import Completion, Finish, Problem, Prompt

LIVE = 16
"""Problems in flight; each has a pending request for every prefix."""


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """A plan of labelling: `k` continuations of a prefix estimate its value.

    `named` is the spec of `task`; its first `skip` problems are left out.

    Raises:
        ConfigError: the task has no separator of steps, or no labels of its own for method "exact".
    """

    named: str
    task: Task
    problems: int
    solutions: int
    method: Method = "monte-carlo"
    k: int = 8
    split: str = "train"
    seed: int = 0
    skip: int = 0

    def __post_init__(self) -> None:
        if not self.task.sampling.stop:
            raise ConfigError(f"task {self.named!r} ends no steps: its sampling has no stop string")
        if self.method == "exact" and not isinstance(self.task, Labelled):
            raise ConfigError(
                f"task {self.named!r} labels no steps itself; use --method monte-carlo, omega or outcome"
            )

    @property
    def separator(self) -> str:
        """Return the string that ends a step."""
        return self.task.sampling.stop[0]

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings that determine the labels of a problem."""
        names = ("method", "k", "solutions", "split", "seed")
        settings = {name: getattr(self, name) for name in names}
        skipped = {"skip": self.skip} if self.skip else {}
        return {"task": self.named, "sampling": recorded(self.task.sampling), **settings, **skipped}

    def way(self, problem: Problem) -> Way:
        """Return the method that labels the steps of solutions of `problem`."""
        if self.method == "exact":
            assert isinstance(self.task, Labelled)
            return exact(self.task, problem, self.separator)
        return {"monte-carlo": monte_carlo, "omega": omega, "outcome": outcome}[self.method]


class Labels(JournalEntry):
    """A row of the journal: the labelled solutions of a problem."""

    rows: tuple[LabelledSolution, ...]


async def make(
    plan: LabelPlan,
    backend: Backend,
    out: Path,
    policy: Mapping[str, Any],
    environment: Mapping[str, Any],
    report: Report = print,
) -> dict[str, Any]:
    """Write the labelled solutions to `out`, and return the manifest beside it.

    A journal beside `out` stores finished problems, so that a killed run resumes. `policy` identifies the
    backend's model.

    Raises:
        ConfigError: the files belong to other settings.
        BackendError: every problem fails.
    """
    if out.suffix != ".jsonl":
        raise ConfigError(f"--out {out} is for JSON lines; call it {out.name}.jsonl")
    require_regular(out, "write")
    examples = examples_of(plan.task, plan.split, plan.skip + plan.problems)[plan.skip :]
    settings = {**plan.settings, **policy}
    claim(out.with_suffix(".json"), settings)
    tally, errors = Tally(), list[str]()

    async def work(example: Example) -> Row | None:
        try:
            rows = await label(plan, backend, example)
        except ReasonerError as e:
            errors.append(str(e))
            report(f"{example.problem.id}: {e}")
            tally.count(str(e))
            return None
        tally.count(None)
        return {"rows": rows}

    finished = await keep(out.with_suffix(".journal"), examples, work, report, LIVE, Labels)
    if errors and not finished:
        raise BackendError(errors[-1])
    rows = [row for line in finished for row in line["rows"]]
    _write(out, rows)
    manifest = {"settings": settings, **environment, **summary(rows), "failed": len(errors)}
    save_json(manifest, out.with_suffix(".json"))
    return manifest


async def label(plan: LabelPlan, backend: Backend, example: Example) -> list[Row]:
    """Return the rows of one problem: sample solutions, estimate their prefixes, count the tokens."""
    solutions, way = await sample(plan, backend, example), plan.way(example.problem)
    known = dict[str, StepEstimate]()
    while missing := _missing([way(s, known) for s in solutions], known):
        estimates = await gather(estimate(plan, backend, example, p) for p in missing.values())
        known |= zip(missing, estimates, strict=True)
    rows, paid = list[Row](), set[str]()
    for i, solution in enumerate(solutions):
        steps = way(solution, known)
        probed = {prefix.text for prefix in steps.probed}
        spent = solution.tokens + sum(known[text].tokens for text in probed - paid)
        rows.append(_row(plan, f"{example.problem.id}/{i}", example, solution, steps, spent))
        paid |= probed
    return rows


async def sample(plan: LabelPlan, backend: Backend, example: Example) -> list[SampledSolution]:
    """Sample solutions one step at a time, so that the tokens of every prefix are known.

    Raises:
        BackendError: a request failed.
    """
    result = await solve(
        example.problem, Stepwise(plan.solutions), backend,
        sampling=replace(plan.task.sampling, stop=(plan.separator,)),
        extract=plan.task.answer, seed=plan.seed,
    )  # fmt: skip
    if result.error:
        raise result.cause or BackendError(result.error)
    return [
        SampledSolution.of(example.problem, pieces, plan.separator, _right(plan, example, pieces))
        for pieces in _solutions(result.trace)
    ]


async def estimate(
    plan: LabelPlan, backend: Backend, example: Example, prefix: Prompt
) -> StepEstimate:
    """Continue `prefix` to the end `k` times; the seed depends on the prefix alone, not on the order."""
    sampling = replace(
        plan.task.sampling,
        n=plan.k,
        stop=(),
        max_tokens=max(1, plan.task.sampling.max_tokens - len(prefix.token_ids)),
        seed=crc32(f"{plan.seed}/{example.problem.id}/{prefix.text}".encode()) >> 1,
    )
    generation = await backend.generate(prefix, sampling)
    written = Completion(prefix.text, prefix.token_ids, Finish.STOP)
    right = [_right(plan, example, (written, c)) for c in generation.completions]
    return StepEstimate(fmean(right), generation.usage.completion_tokens)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Summarise the rows; `tokens` is the number generated for them."""
    labels = [label for row in rows for label in row["labels"]]
    return {
        "problems": len({row["prompt"] for row in rows}),
        "solutions": len(rows),
        "correct": fmean(row["correct"] for row in rows),
        "steps": len(labels),
        "right_steps": fmean(labels) if labels else None,
        "tokens": sum(row["tokens"] for row in rows),
    }


def _missing(labels: Sequence[StepLabels], known: Mapping[str, StepEstimate]) -> dict[str, Prompt]:
    """Return the prefixes to estimate, by text; of equal ones, the first."""
    unknown = [p for each in labels for p in each.probed if p.text not in known]
    return {p.text: p for p in reversed(unknown)}


def _solutions(trace: Trace) -> list[tuple[Completion, ...]]:
    """Return the pieces of each solution, ordered by rank of their first pieces."""
    leaves = [n for n in trace if n is not trace.root and not trace.children(n)]
    leaves.sort(key=lambda leaf: trace.path(leaf)[1].rank)
    return [trace.completions(leaf) for leaf in leaves]


def _right(plan: LabelPlan, example: Example, pieces: Sequence[Completion]) -> bool:
    """Return True if the model ended the solution itself, with a right answer."""
    ended = pieces[-1].finish is Finish.EOS
    return ended and plan.task.check(example, answer_text("".join(p.text for p in pieces)))


def _row(
    plan: LabelPlan,
    name: str,
    example: Example,
    solution: SampledSolution,
    steps: StepLabels,
    tokens: int,
) -> Row:
    return {
        "id": name,
        "task": plan.named,
        "prompt": example.problem.prompt,
        "completions": list(solution.steps),
        "separator": plan.separator,
        "labels": steps.labels,
        "values": steps.values,
        "correct": solution.correct,
        "method": plan.method,
        "k": plan.k,
        "tokens": tokens,
    }


def _write(path: Path, rows: Sequence[Row]) -> None:
    save_text("".join(json.dumps(row) + "\n" for row in rows), path)
