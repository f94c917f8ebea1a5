"""One problem of a run: who solved it at what cost, and the tree of a search that tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as Branches

from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Record, Sample, Spec
from reasoner.benchmarks.store.results import read
from reasoner.benchmarks.store.search_trees import Piece, Tree, read_tree
from reasoner.errors import ConfigError
from reasoner.naming import parse_spec
from reasoner.printable import one_line, printable

SHORT = 72
"""Characters of a step that fit on a line."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one experiment made of the problem."""

    spec: Spec
    record: Record

    @property
    def size(self) -> str:
        """As a person calls it."""
        return self.spec.label.removeprefix(f"{self.spec.task} {self.spec.strategy} ")


@dataclass(frozen=True, slots=True)
class Inspection:
    """The attempts at a problem, and of one that was asked for its tree, or its samples."""

    task: str
    problem: str
    attempts: list[Attempt]
    tree: Tree | None = None
    samples: Sequence[Sample] = ()

    def as_json(self) -> dict[str, Any]:
        """One document for programs."""
        told = [
            {
                **a.spec.model_dump(include={"strategy", "n", "budget", "verifier"}),
                **_told(a.record),
            }
            for a in self.attempts
        ]
        return {
            "task": self.task,
            "problem": self.problem,
            "attempts": told,
            "tree": self.tree and self.tree.model_dump(),
            "samples": [s.model_dump() for s in self.samples],
        }

    def show(self, console: Console) -> None:
        """Tables, and the tree with its answer in bold."""
        console.print(self._table())
        if self.tree:
            console.print(branches(self.tree))
        for sample in sorted(self.samples, key=lambda s: -(s.score or 0)):
            console.print(_mark(sample.correct), _line(sample.score, sample.text, sample.tokens))

    def _table(self) -> Table:
        title = one_line(f"{self.task}, problem {self.problem}")
        table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
        table.add_column("strategy", no_wrap=True)
        for name in ("n", "", "answer", "score", "tokens", "verifier", "s"):
            table.add_column(name, justify="right")
        for attempt in self.attempts:
            table.add_row(attempt.spec.strategy, attempt.size, *_cells(attempt.record))
        return table


def inspect(
    out: Path, problem: str, *, task: str = "", strategy: str = "", n: int | None = None
) -> Inspection:
    """What the run in `out` has of a problem, which is told by its id or its number.

    With a `strategy`, its tree comes too, or its samples if a pool decided it; `n` is by default the
    largest it was run in.

    Raises:
        ConfigError: there is no such problem, or no such attempt at it.
        StoreError: there is no run, or it is corrupt.
    """
    grid = Grid.load(out)
    found = [
        a for spec in grid.specs() for a in _attempts(out, spec, problem) if task in ("", spec.task)
    ]
    if not found:
        raise ConfigError(f"{out} has no problem {problem!r}; problems are told by id or number")
    tasks = list(dict.fromkeys(a.spec.task for a in found))
    if len(tasks) > 1:
        raise ConfigError(
            f"problem {problem!r} is in {' and '.join(tasks)}; choose one with --task"
        )
    name = found[0].record.problem
    if not strategy:
        return Inspection(tasks[0], name, found)
    chosen = _chosen(found, grid, strategy, n)
    tree = read_tree(out, chosen.spec, name)
    return Inspection(tasks[0], name, [chosen], tree, chosen.record.samples)


def branches(tree: Tree) -> Branches:
    """The tree for a terminal: the score, the step and its tokens, the answer's path in bold."""
    root, *pieces = tree.pieces
    grown = [Branches(Text(printable(root.text.strip())))]
    for piece in pieces:
        grown.append(grown[piece.parent or 0].add(_piece(piece)))
    return grown[0]


def _attempts(out: Path, spec: Spec, problem: str) -> Iterator[Attempt]:
    for record in read(out, spec):
        if problem in (record.problem, str(record.index)):
            yield Attempt(spec, record)


def _chosen(found: Sequence[Attempt], grid: Grid, strategy: str, n: int | None) -> Attempt:
    """The attempt of a strategy; a strategy that the pool decides has the pool's."""
    sought = {strategy}
    if strategy in grid.pooled:
        sought |= {pool.strategy for t in grid.tasks if (pool := grid.pool(t))}
    named = [
        a for a in found if a.spec.strategy in sought or parse_spec(a.spec.strategy)[0] in sought
    ]
    sized = [a for a in named if n in (None, a.spec.n)]
    if not sized:
        had = ", ".join(f"{a.spec.strategy} {a.size}" for a in named or found)
        raise ConfigError(
            f"there is no {strategy}{f' n={n}' if n else ''} of this problem, but {had}"
        )
    return max(sized, key=lambda a: a.spec.n)


def _told(record: Record) -> dict[str, Any]:
    fields = {"correct", "answer", "score", "stopped", "error", "spend"}
    return record.model_dump(include=fields)


def _cells(record: Record) -> tuple[str | Text, ...]:
    spend = record.spend
    return (
        _mark(record.correct),
        str(record.answer if record.error is None else record.error),
        "" if record.score is None else f"{record.score:.3f}",
        f"{spend.generated_tokens:,.0f}",
        f"{spend.verifier_tokens:,.0f}",
        f"{spend.seconds:.2f}",
    )


def _piece(piece: Piece) -> Text:
    line = _line(piece.score, piece.text, piece.tokens)
    line.stylize("bold" if piece.chosen else "")
    return line if piece.right is None else Text.assemble(line, " ", _mark(piece.right))


def _mark(right: bool) -> Text:
    return Text("✓", "green") if right else Text("✗", "red")


def _line(score: float | None, text: str, tokens: int) -> Text:
    shown = printable(" ⏎ ".join(text.strip().split("\n")))
    shown = shown if len(shown) <= SHORT else shown[: SHORT - 1] + "…"
    told = "     " if score is None else f"{score:.3f}"
    return Text.assemble((told, "cyan"), "  ", shown, (f"  {tokens}", "dim"))
