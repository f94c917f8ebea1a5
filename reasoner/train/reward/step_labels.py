"""`reasoner train labels`: solutions of a policy, with labels and values for their steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any
from zlib import crc32

from reasoner.base import Backend, Example, Task
from reasoner.benchmarks.runner.scheduler import Tally
from reasoner.benchmarks.runner.step_sampling import Stepwise
from reasoner.benchmarks.store.judgements import Labelled
from reasoner.benchmarks.store.records import recorded
from reasoner.concurrency import gather
from reasoner.errors import BackendError, ConfigError, ReasonerError
from reasoner.files import require_regular, save_json, save_text
from reasoner.solving import solve
from reasoner.trace import Trace
from reasoner.train.manifest import claim
from reasoner.train.progress import Report
from reasoner.train.resumable import Entry, Row, keep
from reasoner.train.reward.labelled_solutions import LabelledSolution, Method
from reasoner.train.reward.step_values import (
    Estimate,
    Solution,
    Told,
    Way,
    exact,
    monte_carlo,
    omega,
)
from reasoner.types import Completion, Finish, Problem, Prompt

LIVE = 16
"""Problems worked on at once; each has a request under way for every prefix."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to label and how: `k` continuations of a prefix tell its value.

    `named` is what the registry makes `task` from.

    Raises:
        ConfigError: the task ends no steps, or has no labels and is to tell them.
    """

    named: str
    task: Task
    problems: int
    solutions: int
    method: Method = "monte-carlo"
    k: int = 8
    split: str = "train"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.task.sampling.stop:
            raise ConfigError(f"task {self.named!r} ends no steps: its sampling has no stop")
        if self.method == "exact" and not isinstance(self.task, Labelled):
            raise ConfigError(
                f"task {self.named!r} labels no steps itself; use --method monte-carlo or omega"
            )

    @property
    def separator(self) -> str:
        """What ends a step."""
        return self.task.sampling.stop[0]

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the labels of a problem."""
        named = ("method", "k", "solutions", "split", "seed")
        settings = {name: getattr(self, name) for name in named}
        return {"task": self.named, "sampling": recorded(self.task.sampling), **settings}

    def way(self, problem: Problem) -> Way:
        """How steps of solutions of `problem` are told right from wrong."""
        if self.method == "exact":
            assert isinstance(self.task, Labelled)
            return exact(self.task, problem, self.separator)
        return monte_carlo if self.method == "monte-carlo" else omega


class Labels(Entry):
    """A row of the journal: the labelled solutions of a problem."""

    rows: tuple[LabelledSolution, ...]


async def make(
    plan: Plan,
    backend: Backend,
    out: Path,
    policy: Mapping[str, Any],
    environment: Mapping[str, Any],
    report: Report = print,
) -> dict[str, Any]:
    """Write the labelled solutions to `out`, and return what is told of them beside it.

    Finished problems are kept in a journal beside `out`, so that a killed run goes on. `policy` is
    what tells the backend's model apart from others.

    Raises:
        ConfigError: the files are of other settings.
        BackendError: every problem fails.
    """
    if out.suffix != ".jsonl":
        raise ConfigError(f"--out {out} is for JSON lines; call it {out.name}.jsonl")
    require_regular(out, "write")
    examples = list(plan.task.examples(plan.split, plan.problems))
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

    kept = await keep(out.with_suffix(".journal"), examples, work, report, LIVE, Labels)
    if errors and not kept:
        raise BackendError(errors[-1])
    rows = [row for line in kept for row in line["rows"]]
    _write(out, rows)
    found = {"settings": settings, **environment, **summary(rows), "failed": len(errors)}
    save_json(found, out.with_suffix(".json"))
    return found


async def label(plan: Plan, backend: Backend, example: Example) -> list[Row]:
    """The rows of one problem: its solutions sampled, their prefixes probed, the cost counted."""
    solutions, way = await sample(plan, backend, example), plan.way(example.problem)
    known = dict[str, Estimate]()
    while missing := _missing([way(s, known) for s in solutions], known):
        drawn = await gather(estimate(plan, backend, example, p) for p in missing.values())
        known |= zip(missing, drawn, strict=True)
    rows, paid = list[Row](), set[str]()
    for i, solution in enumerate(solutions):
        told = way(solution, known)
        probed = {prefix.text for prefix in told.probed}
        spent = solution.tokens + sum(known[text].tokens for text in probed - paid)
        rows.append(_row(plan, f"{example.problem.id}/{i}", example, solution, told, spent))
        paid |= probed
    return rows


async def sample(plan: Plan, backend: Backend, example: Example) -> list[Solution]:
    """Solutions drawn a step at a time, so that the tokens of every prefix are known.

    Raises:
        BackendError: a request failed.
    """
    result = await solve(
        example.problem, Stepwise(plan.solutions), backend,
        sampling=replace(plan.task.sampling, stop=(plan.separator,)),
        extract=plan.task.answer, seed=plan.seed,
    )  # fmt: skip
    if result.error:
        raise BackendError(result.error)
    return [
        Solution.of(example.problem, pieces, plan.separator, _right(plan, example, pieces))
        for pieces in _drawn(result.trace)
    ]


async def estimate(plan: Plan, backend: Backend, example: Example, prefix: Prompt) -> Estimate:
    """Continue `prefix` to the end `k` times; the seed is the prefix's own, whenever it is its turn."""
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
    return Estimate(fmean(right), generation.usage.completion_tokens)


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What the rows come to; `tokens` were generated for them."""
    labels = [label for row in rows for label in row["labels"]]
    return {
        "problems": len({row["prompt"] for row in rows}),
        "solutions": len(rows),
        "correct": fmean(row["correct"] for row in rows),
        "steps": len(labels),
        "right_steps": fmean(labels) if labels else None,
        "tokens": sum(row["tokens"] for row in rows),
    }


def _missing(told: Sequence[Told], known: Mapping[str, Estimate]) -> dict[str, Prompt]:
    """The prefixes still to be estimated by their text; of those with the same, the first."""
    unknown = [p for t in told for p in t.probed if p.text not in known]
    return {p.text: p for p in reversed(unknown)}


def _drawn(trace: Trace) -> list[tuple[Completion, ...]]:
    """The pieces of each solution, in the order of their first ones."""
    leaves = [n for n in trace if n is not trace.root and not trace.children(n)]
    leaves.sort(key=lambda leaf: trace.path(leaf)[1].rank)
    return [trace.completions(leaf) for leaf in leaves]


def _right(plan: Plan, example: Example, pieces: Sequence[Completion]) -> bool:
    """Whether the model ended the solution itself, and rightly."""
    ended = pieces[-1].finish is Finish.EOS
    return ended and plan.task.check(example, "".join(p.text for p in pieces))


def _row(
    plan: Plan, name: str, example: Example, solution: Solution, told: Told, tokens: int
) -> Row:
    return {
        "id": name,
        "task": plan.named,
        "prompt": example.problem.prompt,
        "completions": list(solution.steps),
        "separator": plan.separator,
        "labels": told.labels,
        "values": told.values,
        "correct": solution.correct,
        "method": plan.method,
        "k": plan.k,
        "tokens": tokens,
    }


def _write(path: Path, rows: Sequence[Row]) -> None:
    save_text("".join(json.dumps(row) + "\n" for row in rows), path)
