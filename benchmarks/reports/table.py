"""The table on the terminal."""

from __future__ import annotations

from collections.abc import Sequence, Set

from rich import box
from rich.console import Console
from rich.table import Table

from reasoner.benchmarks.analysis.curves import Point, attempted
from reasoner.benchmarks.reports.summary import falls, iso_accuracy
from reasoner.benchmarks.store.grid import COVERAGE

COLUMNS = (
    "n",
    "problems",
    "accuracy",
    "95 % CI",
    "tokens",
    "thinking",
    "prompt",
    "verifier",
    "GFLOPs",
    "s",
)


def show(points: Sequence[Point], console: Console) -> None:
    """Print one table per task, then what the searches save."""
    for task in dict.fromkeys(p.task for p in points):
        console.print(_table([p for p in points if p.task == task]))
    for line in (*iso_accuracy(points), *falls(points)):
        console.print(str(line), highlight=False, soft_wrap=True)


def _table(points: Sequence[Point]) -> Table:
    title = f"{points[0].task}: {attempted(points)}, means per problem"
    differ = len({p.problems for p in points}) > 1
    hidden = {"problems"} if not differ else set[str]()
    hidden |= set() if any(p.thinking_tokens for p in points) else {"thinking"}
    table = Table(
        title=title,
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title_justify="left",
        title_style="bold",
    )
    table.add_column("strategy", no_wrap=True)
    for name in COLUMNS:
        if name not in hidden:
            table.add_column(name, justify="right", no_wrap=True)
    previous = None
    for p in points:
        if previous and p.strategy != previous:
            table.add_section()
        table.add_row("" if p.strategy == previous else _name(p), *_cells(p, hidden))
        previous = p.strategy
    return table


def _name(point: Point) -> str:
    return (
        f"{point.strategy} (oracle)"
        if point.oracle and point.strategy != COVERAGE
        else point.strategy
    )


def _cells(p: Point, hidden: Set[str]) -> list[str]:
    size = " ".join(f"{k}={v:g}" for k, v in (p.budget or {}).items()) or str(p.n)
    estimated = "~" if p.thinking_estimated else ""
    cells = (
        size,
        str(p.problems),
        f"{p.accuracy:.3f}",
        f"{p.ci_low:.2f}-{p.ci_high:.2f}",
        f"{p.generated_tokens:.0f}",
        f"{estimated}{p.thinking_tokens:.0f}",
        f"{p.prompt_tokens_fresh:.0f}",
        f"{p.verifier_tokens:.0f}",
        f"{p.flops / 1e9:.3g}",
        f"{p.seconds:.2f}",
    )
    return [cell for name, cell in zip(COLUMNS, cells, strict=True) if name not in hidden]
