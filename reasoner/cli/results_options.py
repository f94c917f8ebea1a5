"""The options of the commands on stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from reasoner.cli import option_types as o
from reasoner.cli.parsing import amounts, names, text
from reasoner.options import (
    CONCURRENCY,
    FlagReader,
    InputFile,
    Options,
    OutputFile,
    OutputFolder,
    Positive,
    RunPath,
)


class MergeOptions(Options):
    """The options of `merge`."""

    positional = ("dir",)

    dir: Annotated[
        tuple[RunPath, ...],
        Field(examples=["DIR"], description="folders that `bench --shard` wrote"),
    ]
    out: o.Out = Path("runs/whole")


class ImportOptions(Options):
    """The options of `import-pool`."""

    positional = ("file",)

    file: Annotated[
        InputFile,
        Field(description="JSON lines, one problem per line, or a log of lm-eval or inspect"),
    ]
    task: Annotated[str, Field(description="grades the solutions; `reasoner list tasks`")]
    out: Annotated[
        OutputFolder | None,
        Field(description="folder of the run (default: runs/ and the file's name)"),
    ] = None
    aggregate: Annotated[
        Literal["last", "min", "prod", "mean"],
        Field(description="combines the scores of steps where a solution has no score"),
    ] = "last"
    format: Annotated[
        Literal["auto", "pool", "lm-eval", "inspect"],
        Field(description="of the file; auto recognises it"),
    ] = "auto"
    grades: Annotated[
        Literal["task", "log"],
        Field(description="who decides what is right: the task, or the log's own score"),
    ] = "task"
    score: Annotated[
        str | None,
        Field(examples=["NAME"], description="the log's metric or scorer (default: its first)"),
    ] = None
    id_field: Annotated[
        str | None, Field(examples=["NAME"], description="the field of a line with its id")
    ] = None
    question_field: Annotated[
        str | None, Field(examples=["NAME"], description="the field of a line with its question")
    ] = None
    answer_field: Annotated[
        str | None, Field(examples=["NAME"], description="the field of a line with its answer")
    ] = None
    completions_field: Annotated[
        str | None, Field(examples=["NAME"], description="the field of a line with its solutions")
    ] = None

    @property
    def fields(self) -> dict[str, str]:
        """The names of a line's fields, where they are given, by what they hold."""
        names = {
            "id": self.id_field,
            "question": self.question_field,
            "answer": self.answer_field,
            "completions": self.completions_field,
        }
        return {part: name for part, name in names.items() if name}


class ExportOptions(Options):
    """The options of `export-pool`."""

    positional = ("dir",)

    dir: o.Run
    task: Annotated[str | None, Field(description="whose pool, if the run has several tasks")] = (
        None
    )
    out: Annotated[OutputFile, Field(examples=["FILE.jsonl"], description="file of the pool")]


class TrainingSetOptions(Options):
    """The options of `export`."""

    positional = ("dir",)

    dir: o.Run
    format: Annotated[
        Literal["sft", "preferences", "step-preferences", "prm", "journey", "prompts"],
        Field(description="the kind of training that the rows are for"),
    ]
    out: Annotated[OutputFile, Field(examples=["FILE.jsonl"], description="file of the rows")]
    library: Annotated[
        Literal["trl", "verl"], Field(description="whose field names the rows have")
    ] = "trl"
    task: Annotated[str | None, Field(description="one task of the run (default: all)")] = None
    most: Annotated[
        Positive, Field(description="rows of a problem; for journey, errors of a row")
    ] = 4


class RerankOptions(Options):
    """The options of `rerank`."""

    positional = ("dir",)

    dir: Annotated[o.Run, Field(description="a folder that `bench --out` or `import-pool` wrote")]
    verifier: Annotated[str, Field(description="chooses; `reasoner list verifiers` names them")]
    out: Annotated[
        OutputFolder | None, Field(description="default: DIR and the name of the verifier")
    ] = None
    concurrency: o.Concurrency = CONCURRENCY
    model: o.ModelPath = None
    backend: o.Backend = None
    base_url: o.BaseUrl = None
    seed: o.RandomSeed = 0


class ReplayOptions(Options):
    """The options of `replay`."""

    positional = ("dir",)

    dir: Annotated[o.Run, Field(description="a folder that `bench --out` or `import-pool` wrote")]
    strategy: Annotated[
        tuple[str, ...],
        FlagReader(names, "extend"),
        Field(
            min_length=1,
            examples=["NAME,..."],
            description="such as adaptive-majority(threshold=0.9),esc",
        ),
    ]
    n: Annotated[o.SomeSizes, Field(description="sizes (default: those of the pool)")] = ()
    orders: Annotated[
        Annotated[int, Field(ge=1, le=1000)],
        Field(
            description="average over so many drawn orders of the solutions (1: the recorded order)"
        ),
    ] = 1
    seed: o.RandomSeed = 0
    out: Annotated[OutputFolder | None, Field(description="default: DIR-replay")] = None


class AllocateOptions(Options):
    """The options of `allocate`."""

    positional = ("dir",)

    dir: Annotated[o.Run, Field(description="a folder that `bench --out` or `import-pool` wrote")]
    totals: Annotated[
        tuple[o.Amount, ...], FlagReader(amounts, "extend"),
        Field(
            examples=["1e5,1e6"],
            description="total budgets (default: those of as many samples a problem as the run has sizes)",
        ),
    ] = ()  # fmt: skip
    cost: Annotated[Literal["tokens", "flops"], Field(description="of which the totals are")] = (
        "tokens"
    )
    strategy: Annotated[
        str,
        FlagReader(text),
        Field(description="pool with its settings, as in pool(choose='vote')"),
    ] = "pool"
    ceiling: Annotated[
        o.Share | None,
        Field(
            examples=["SCORE"],
            description="the score that resolves a problem (default: the verifier's highest)",
        ),
    ] = None
    out: Annotated[
        OutputFolder | None, Field(description="folder of allocation.json (default: DIR)")
    ] = None


class InspectOptions(Options):
    """The options of `inspect`."""

    positional = ("dir", "problem")

    dir: o.Run
    problem: Annotated[
        str,
        Field(examples=["PROBLEM"], description="its id, or its number in the split, from 0"),
    ]
    task: Annotated[
        str | None, Field(description="whose problem, if the run has several tasks")
    ] = None
    strategy: Annotated[
        str | None,
        Field(description="whose tree or samples to show (default: list all attempts)"),
    ] = None
    n: Annotated[Positive | None, Field(description="in which size (default: the largest)")] = None


class ReportOptions(Options):
    """The options of `report`."""

    positional = ("dir",)

    dir: o.Run
    out: Annotated[
        OutputFile | None, Field(examples=["FILE.html"], description="default: report.html in DIR")
    ] = None
    problems: Annotated[
        Positive,
        Field(
            description="problems per task with their trees and samples, most of the file's size"
        ),
    ] = 24

    @property
    def page(self) -> Path:
        """The file to write."""
        return self.out or self.dir / "report.html"


class ScalingOptions(Options):
    """The options of `scaling`."""

    positional = ("dir",)

    dir: o.Checkpoints
    train_flops: o.TrainFlops = ()
    n: Annotated[o.SomeSizes, Field(description="these sizes only (default: all)")] = ()
    accuracy: Annotated[
        o.Share | None,
        Field(
            examples=["SHARE"],
            description="where to compare compute (default: the accuracy of the largest best-of-N)",
        ),
    ] = None
    out: Annotated[
        OutputFolder | None,
        Field(description="folder of scaling.json or train.json (default: the first DIR)"),
    ] = None
