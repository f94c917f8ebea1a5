"""`reasoner plot` and `reasoner compare`: curves and comparisons of stored results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field

from reasoner.cli import option_types as o
from reasoner.cli import parsing
from reasoner.cli.flags import flag
from reasoner.cli.output import show
from reasoner.errors import ConfigError
from reasoner.options import FlagReader, Options, OutputFolder, RunPath

if TYPE_CHECKING:
    from reasoner.benchmarks.plots.style import Width
    from reasoner.cli.commands import Invocation


Formats = Annotated[
    tuple[str, ...],
    FlagReader(parsing.formats, "extend"),
    Field(description="png,svg,pdf (default: png,svg)"),
]
FigureWidth = Annotated[
    Literal["screen", "one-column", "two-column"],
    Field(description="of the figure: for a screen, or 85 or 178 mm for print"),
]


class PlotOptions(Options):
    """The options of `plot`."""

    positional = ("dir",)

    dir: o.Checkpoints
    train_flops: o.TrainFlops = ()
    out: Annotated[
        OutputFolder | None,
        Field(description="folder of the figure of several DIRs (default: the first)"),
    ] = None
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
    error_rate: Annotated[
        bool, Field(description="draw the share of wrong answers, on a logarithmic axis")
    ] = False
    format: Formats = ()
    width: FigureWidth = "screen"


class TrainTimeOptions(Protocol):
    """The options of a command that compares checkpoints."""

    @property
    def dir(self) -> tuple[Path, ...]: ...
    @property
    def out(self) -> Path | None: ...
    @property
    def train_flops(self) -> tuple[float, ...]: ...


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
    format: Formats = ()
    width: FigureWidth = "screen"


def plot(options: PlotOptions, call: Invocation) -> int:
    """Draw the curves of an earlier benchmark again, or of several against training compute."""
    first, *others = options.dir
    if others:
        refuse_for_several(options, "against", "price", "error_rate")
        return against_training(options, call, options.format, options.width)
    from reasoner.benchmarks.plots.style import FORMATS
    from reasoner.benchmarks.reports.bench import Drawing, report
    from reasoner.benchmarks.store.price import Price
    from reasoner.benchmarks.store.run_folder import RunFolder

    cost = Price(**options.price) if options.price else None
    drawing = Drawing(
        options.against, cost, options.format or FORMATS, options.width, options.error_rate
    )
    return show(report(RunFolder(first), drawing), call)


def refuse_for_several(options: Options, *names: str) -> None:
    """Raise a `ConfigError` if one of the options `names`, which are for a single DIR, is given."""
    for name in names:
        if getattr(options, name):
            raise ConfigError(
                f"--{flag(name)} is for one DIR; several are compared by training compute"
            )


def against_training(
    options: TrainTimeOptions,
    call: Invocation,
    formats: tuple[str, ...] = (),
    width: Width = "screen",
) -> int:
    """Compare benchmarks of several checkpoints of a model."""
    from reasoner.benchmarks.plots.style import FORMATS
    from reasoner.benchmarks.reports.train_time import train_time_report
    from reasoner.benchmarks.store.run_folder import RunFolder

    runs = [RunFolder(path) for path in options.dir]
    out = options.out or options.dir[0]
    result = train_time_report(runs, out, options.train_flops, formats or FORMATS, width)
    return show(result, call)


def compare(options: CompareOptions, call: Invocation) -> int:
    """Compare strategies with best-of-N at equal cost, problem by problem, and runs with one another."""
    from reasoner.benchmarks.plots.style import FORMATS
    from reasoner.benchmarks.reports.compare import comparison
    from reasoner.benchmarks.store.run_folder import RunFolder

    runs = [RunFolder(path) for path in options.dir]
    out, formats = options.out or options.dir[0], options.format or FORMATS
    return show(comparison(runs, out, options.n, formats, options.width), call)
