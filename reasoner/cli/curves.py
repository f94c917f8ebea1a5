"""`reasoner plot` and `reasoner compare`: curves and comparisons of stored results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reasoner.cli import option_types as o
from reasoner.cli import parsing
from reasoner.cli.output import show
from reasoner.options import FlagReader, Options, OutputFolder, RunPath

if TYPE_CHECKING:
    from reasoner.cli.commands import Invocation


class PlotOptions(Options):
    """The options of `plot`."""

    positional = ("dir",)

    dir: o.Run
    against: Annotated[
        tuple[str, ...], FlagReader(parsing.names, "extend"),
        Field(
            examples=["tokens,flops,seconds,samples,price"],
            description="costs to draw against (default: tokens and FLOPs, and the price if there is one)",
        ),
    ] = ()  # fmt: skip
    price: Annotated[
        dict[str, float] | None, FlagReader(parsing.price),
        Field(
            examples=["prompt=0.15,generated=0.6"],
            description="of a million tokens; also cached= and verifier=",
        ),
    ] = None  # fmt: skip
    format: Annotated[
        tuple[str, ...], FlagReader(parsing.formats, "extend"),
        Field(description="png,svg,pdf (default: png,svg)"),
    ] = ()  # fmt: skip


class CompareOptions(Options):
    """The options of `compare`."""

    positional = ("dir",)

    dir: Annotated[
        tuple[RunPath, ...],
        Field(
            examples=["DIR"],
            description="folders that `bench --out` wrote; of several, the best-of-N of the first counts",
        ),
    ]
    out: Annotated[OutputFolder | None, Field(description="default: the first DIR")] = None
    n: Annotated[
        o.SomeSizes,
        Field(description="compare strategies in these sizes only (default: in all that were run)"),
    ] = ()


def plot(options: PlotOptions, call: Invocation) -> int:
    """Draw the curves of an earlier benchmark again."""
    from reasoner.benchmarks.analysis.cost_axes import Price
    from reasoner.benchmarks.plots.style import FORMATS
    from reasoner.benchmarks.reports.bench import Drawing, report
    from reasoner.benchmarks.store.run_folder import RunFolder

    cost = Price(**options.price) if options.price else None
    drawing = Drawing(options.against, cost, options.format or FORMATS)
    return show(report(RunFolder(options.dir), drawing), call)


def compare(options: CompareOptions, call: Invocation) -> int:
    """Compare strategies with best-of-N at equal cost, problem by problem, and runs with one another."""
    from reasoner.benchmarks.reports.compare import comparison
    from reasoner.benchmarks.store.run_folder import RunFolder

    runs = [RunFolder(path) for path in options.dir]
    return show(comparison(runs, options.out or options.dir[0], options.n), call)
