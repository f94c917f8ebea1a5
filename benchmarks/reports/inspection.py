"""One problem of a run: all attempts with their costs, and the tree of one search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree as Branches

from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.store.records import Record, Sample, Spec
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.benchmarks.store.search_trees import Piece, Tree
from reasoner.errors import ConfigError
from reasoner.naming import parse_spec
from reasoner.printable import one_line, printable
from reasoner.types import ToolOutput, segments

SHORT = 72
"""The most characters of a step on a line."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The attempt of one experiment at the problem."""

    spec: Spec
    record: Record

    @property
    def size(self) -> str:
        """The size or budget as a label shows it."""
        return self.spec.label.removeprefix(f"{self.spec.task} {self.spec.strategy} ")


@dataclass(frozen=True, slots=True)
class Inspection:
    """The attempts at a problem; a single one comes with its tree or its samples."""

    task: str
    problem: str
    attempts: list[Attempt]
    tree: Tree | None = None
    samples: Sequence[Sample] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the inspection as plain JSON values."""
        attempts = [
            {
                **a.spec.model_dump(include={"strategy", "n", "budget", "verifier"}),
                **_outcome(a.record),
            }
            for a in self.attempts
        ]
        return {
            "task": self.task,
            "problem": self.problem,
            "attempts": attempts,
            "tree": self.tree and self.tree.model_dump(),
            "samples": [s.model_dump() for s in self.samples],
        }

    def show(self, console: Console) -> None:
        """Print the attempts, and the tree with its answer in bold, or the samples."""
        console.print(self._table())
        if self.tree:
            console.print(branches(self.tree))
        for sample in sorted(self.samples, key=lambda s: -(s.score or 0)):
            console.print(
                _mark(sample.correct),
                _line(sample.score, sample.text, sample.tokens, sample.outputs),
            )

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
    run: RunFolder, problem: str, *, task: str = "", strategy: str = "", n: int | None = None
) -> Inspection:
    """Return a run's attempts at a problem, which is named by its id or its number.

    With a `strategy`, its tree is included, or its samples if a pool decided it; `n` is by default its
    largest size.

    Raises:
        ConfigError: there is no such problem, or no such attempt at it.
        StoreError: there is no run, or it is corrupt.
    """
    specs = [spec for spec in run.grid.specs() if task in ("", spec.task)]
    attempts = [Attempt(spec, record) for spec in specs for record in run.named(spec, problem)]
    if not attempts:
        raise ConfigError(f"{run.path} has no problem {problem!r}; name a problem by id or number")
    tasks = list(dict.fromkeys(a.spec.task for a in attempts))
    if len(tasks) > 1:
        raise ConfigError(
            f"problem {problem!r} is in {' and '.join(tasks)}; choose one with --task"
        )
    name = attempts[0].record.problem
    if not strategy:
        return Inspection(tasks[0], name, attempts)
    chosen = _chosen(attempts, run.grid, strategy, n)
    tree = run.trees(chosen.spec, {name}).get(name)
    return Inspection(tasks[0], name, [chosen], tree, chosen.record.samples)


def branches(tree: Tree) -> Branches:
    """Return the tree for a terminal: score, step and tokens of each piece, the answer's path in bold."""
    root, *pieces = tree.pieces
    grown = [Branches(Text(printable(root.text.strip())))]
    for piece in pieces:
        grown.append(grown[piece.parent or 0].add(_piece(piece)))
    return grown[0]


def _chosen(attempts: Sequence[Attempt], grid: Grid, strategy: str, n: int | None) -> Attempt:
    """Return the attempt of a strategy; a strategy that the pool decides has the pool's."""
    sought = {strategy}
    if strategy in grid.pooled:
        sought |= {pool.strategy for t in grid.tasks if (pool := grid.pool(t))}
    named = [
        a for a in attempts if a.spec.strategy in sought or parse_spec(a.spec.strategy)[0] in sought
    ]
    sized = [a for a in named if n in (None, a.spec.n)]
    if not sized:
        had = ", ".join(f"{a.spec.strategy} {a.size}" for a in named or attempts)
        raise ConfigError(
            f"there is no {strategy}{f' n={n}' if n else ''} of this problem, but {had}"
        )
    return max(sized, key=lambda a: a.spec.n)


def _outcome(record: Record) -> dict[str, Any]:
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
    line = _line(piece.score, piece.text, piece.tokens, piece.outputs)
    line.stylize("bold" if piece.chosen else "")
    return line if piece.right is None else Text.assemble(line, " ", _mark(piece.right))


def _mark(right: bool) -> Text:
    return Text("✓", "green") if right else Text("✗", "red")


def _line(score: float | None, text: str, tokens: int, outputs: Sequence[ToolOutput] = ()) -> Text:
    """Return a piece on one line, what a tool wrote in another colour, and the number of its calls."""
    shown = Text()
    start, stop = len(text) - len(text.lstrip()), len(text.rstrip())
    for part, by_tool in segments(text, outputs, start, stop):
        shown.append(printable(part.replace("\n", " ⏎ ")), "magenta" if by_tool else "")
    shown.truncate(SHORT, overflow="ellipsis")
    score_text = "     " if score is None else f"{score:.3f}"
    calls = (f"  tool calls: {len(outputs)}", "magenta") if outputs else ""
    return Text.assemble((score_text, "cyan"), "  ", shown, (f"  {tokens}", "dim"), calls)
