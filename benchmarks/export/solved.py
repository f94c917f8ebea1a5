"""The graded solutions of a stored run, from its pools and from its search trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from reasoner.benchmarks.store.records import Record, Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.search_trees import Tree
from reasoner.errors import ConfigError, StoreError
from reasoner.files import shown


@dataclass(frozen=True, slots=True)
class GradedSolution:
    """A finished solution, and whether its answer is right."""

    text: str
    right: bool


@dataclass(slots=True)
class SolvedProblem:
    """A problem with all of its graded solutions, in the order of the run; `separator` ends a step."""

    id: str
    task: str
    split: str
    prompt: str
    reference: str
    separator: str
    solutions: list[GradedSolution] = field(default_factory=list[GradedSolution])

    @property
    def right(self) -> list[str]:
        """The right solutions, each text once."""
        return list(dict.fromkeys(s.text for s in self.solutions if s.right))

    @property
    def wrong(self) -> list[str]:
        """The wrong solutions, each text once."""
        return list(dict.fromkeys(s.text for s in self.solutions if not s.right))


def solved_problems(run: RunFolder, task: str = "") -> list[SolvedProblem]:
    """Return the problems of a run with the solutions of all of its experiments; of one task, if named.

    Raises:
        ConfigError: the run has no such task.
        StoreError: it has no solutions, or cannot be read.
    """
    if task and task not in run.grid.tasks:
        raise ConfigError(f"the run has no task {task!r}; it has {', '.join(run.grid.tasks)}")
    problems = dict[tuple[str, str], SolvedProblem]()
    for spec in run.grid.specs():
        if task in ("", spec.task):
            for problem in _solved(run, spec):
                known = problems.setdefault((problem.task, problem.id), problem)
                if known is not problem:
                    known.solutions += problem.solutions
    solved = [problem for problem in problems.values() if problem.solutions]
    if not solved:
        raise StoreError(
            f"{shown(run.path)} has no texts of finished solutions; run best-of-n or a tree search there"
        )
    return solved


def _solved(run: RunFolder, spec: Spec) -> Iterator[SolvedProblem]:
    """Yield the problems of an experiment that have a pool or a tree."""
    records = run.records(spec)
    trees = run.trees(spec, [r.problem for r in records if not r.samples])
    for record in records:
        if record.samples and record.question:
            yield _problem(spec, record.problem, record.question, record.reference, _pool(record))
        elif tree := trees.get(record.problem):
            prompt = tree.pieces[0].text
            yield _problem(spec, record.problem, prompt, tree.reference, _leaves(tree))


def _problem(
    spec: Spec, id: str, prompt: str, reference: str, solutions: list[GradedSolution]
) -> SolvedProblem:
    stops = spec.sampling.stop if spec.sampling else ()
    separator = stops[0] if stops else "\n"
    return SolvedProblem(id, spec.task, spec.split, prompt, reference, separator, solutions)


def _pool(record: Record) -> list[GradedSolution]:
    return [GradedSolution(s.text, s.correct) for s in record.samples if s.complete and s.text]


def _leaves(tree: Tree) -> list[GradedSolution]:
    """Return the solutions that the model ended, each from the root to its end."""
    texts = [""]
    for piece in tree.pieces[1:]:
        texts.append(texts[piece.parent or 0] + piece.text)
    ended = zip(texts, tree.pieces, strict=True)
    return [GradedSolution(t, bool(p.right)) for t, p in ended if p.ended and t]
