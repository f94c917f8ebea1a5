"""What every search grew, kept beside its records: a line a problem, the latest attempt last."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from reasoner.base import Example, Task
from reasoner.benchmarks.lines import Lines, whole_lines
from reasoner.benchmarks.spec import Frozen, Spec
from reasoner.benchmarks.store import store_path
from reasoner.errors import StoreError
from reasoner.events import Result
from reasoner.trace import Node


class Piece(Frozen):
    """A sampled piece of a solution; the root, which has no parent, is the problem.

    `right` is known where the model `ended` a solution; `chosen` pieces are those of the answer.
    """

    parent: int | None
    text: str
    tokens: int = 0
    score: float | None = None
    ended: bool = False
    right: bool | None = None
    chosen: bool = False


class Tree(Frozen):
    """The pieces of one attempt, every parent before its children."""

    problem: str
    reference: str
    pieces: tuple[Piece, ...]


class Trees:
    """The trees of one spec, opened for appending by one process at a time.

    Raises:
        StoreError: the file cannot be written, or another process has it open.
    """

    def __init__(self, root: Path, spec: Spec) -> None:
        self._lines = Lines(tree_path(root, spec))
        self._lines.found.clear()

    def append(self, tree: Tree) -> None:
        """Write one tree as one line."""
        self._lines.append(tree.model_dump_json(exclude_defaults=True))

    def __enter__(self) -> Trees:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()


def tree_path(root: Path, spec: Spec) -> Path:
    """Where the trees of `spec` live under `root`."""
    return store_path(root, spec).with_suffix(".trees")


def read_tree(root: Path, spec: Spec, problem: str) -> Tree | None:
    """The latest tree of a problem; None where none was kept.

    Raises:
        StoreError: the file is corrupt.
    """
    return latest_trees(root, spec, {problem}).get(problem)


def latest_trees(root: Path, spec: Spec, problems: Collection[str]) -> dict[str, Tree]:
    """The latest tree of each of `problems` that there is one of.

    Raises:
        StoreError: the file is corrupt.
    """
    path = tree_path(root, spec)
    lines = whole_lines(path) if path.exists() and problems else []
    starts = {f'{{"problem":{json.dumps(p, ensure_ascii=False)},'.encode(): p for p in problems}
    latest = {
        starts[start]: line for line in lines if (start := line[: line.find(b',"') + 1]) in starts
    }
    try:
        return {problem: Tree.model_validate_json(line) for problem, line in latest.items()}
    except ValidationError as e:
        raise StoreError(f"{path} is corrupt ({e.errors()[0]['msg']}); run it again") from e


def tree_of(result: Result, task: Task, example: Example) -> Tree:
    """The tree of a finished search, its solutions graded."""
    trace = result.trace
    chosen = next((s for s in trace.finished if _is_answer(result, s)), None)
    path = {node.id for node in trace.path(chosen)} if chosen else set[int]()

    @cache  # Copies of a step end alike, and a grading may take algebra.
    def right(solution: str) -> bool:
        return task.check(example, solution)

    def piece(node: Node) -> Piece:
        above, written = trace.parent(node), node.completion
        return Piece(
            parent=above and above.id,
            text=written.text if written else example.problem.prompt,
            tokens=len(written.token_ids) if written else 0,
            score=node.score,
            ended=node.finished,
            right=right(trace.candidate(node).text) if node.finished else None,
            chosen=node.id in path,
        )

    pieces = tuple(piece(node) for node in trace)
    return Tree(problem=example.problem.id, reference=example.answer, pieces=pieces)


def _is_answer(result: Result, node: Node) -> bool:
    return result.candidate is not None and result.trace.candidate(node) == result.candidate
