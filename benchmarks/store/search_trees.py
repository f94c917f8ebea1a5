"""Search trees, stored beside the records of the searches."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from reasoner.base import Example, Task
from reasoner.benchmarks.store.database import Database
from reasoner.benchmarks.store.records import Count, Rating, Spec
from reasoner.benchmarks.store.store import parsed
from reasoner.events import Result
from reasoner.printable import Text
from reasoner.schema import Frozen
from reasoner.trace import Node
from reasoner.types import ToolOutput


class Piece(Frozen):
    """A sampled piece of a solution; the root, which has no parent, is the problem.

    `right` is the grade of a solution that the model `ended`; `chosen` pieces lead to the answer; `outputs` are
    the parts of the text that a tool wrote.
    """

    parent: Count | None
    text: Text
    tokens: Count = 0
    score: Rating = None
    ended: bool = False
    right: bool | None = None
    chosen: bool = False
    outputs: tuple[ToolOutput, ...] = ()


class Tree(Frozen):
    """The pieces of one attempt, every parent before its children."""

    problem: Text
    reference: Text
    pieces: tuple[Piece, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_parents(self) -> Self:
        roots = [place for place, piece in enumerate(self.pieces) if piece.parent is None]
        if roots != [0] or any((p.parent or 0) >= i for i, p in enumerate(self.pieces) if i):
            raise ValueError("a tree has one root, and every parent comes before its children")
        return self


def read_trees(root: Path, spec: Spec, problems: Collection[str]) -> dict[str, Tree]:
    """Read the tree of each of `problems` that has one.

    Raises:
        StoreError: the database cannot be read, or is corrupt.
    """
    with Database.reading(root) as database:
        if database is None:
            return {}
        query = "SELECT tree FROM trees WHERE key = ? AND problem = ?"
        rows = {p: database.execute(query, spec.key, p) for p in problems}
        return {p: parsed(Tree, database, spec, p, row[0][0]) for p, row in rows.items() if row}


def tree_of(result: Result, task: Task, example: Example) -> Tree:
    """Return the tree of a finished search, its solutions graded."""
    trace = result.trace
    chosen = next((s for s in trace.finished if _is_answer(result, s)), None)
    path = {node.id for node in trace.path(chosen)} if chosen else set[int]()

    @cache  # Copies of a step have equal solutions, and grading may need computer algebra.
    def right(solution: str) -> bool:
        return task.check(example, solution)

    def piece(node: Node) -> Piece:
        above, written = trace.parent(node), node.completion
        return Piece(
            parent=above and above.id,
            text=written.text if written else example.problem.prompt,
            tokens=written.sampled_tokens if written else 0,
            score=node.score,
            ended=node.finished,
            right=right(trace.candidate(node).answer_text) if node.finished else None,
            chosen=node.id in path,
            outputs=written.outputs if written else (),
        )

    pieces = tuple(piece(node) for node in trace)
    return Tree(problem=example.problem.id, reference=example.answer, pieces=pieces)


def _is_answer(result: Result, node: Node) -> bool:
    return result.candidate is not None and result.trace.candidate(node) == result.candidate
