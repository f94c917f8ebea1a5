"""Types of options that several commands have, each with its help text and its reader."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field

from reasoner.cli.parsing import (
    computes,
    names,
    nucleus,
    rate,
    share,
    sizes,
    temperature,
    text,
)
from reasoner.cli.places import place
from reasoner.options import FlagReader, InputFile, OutputFolder, Positive, RunPath, Seed

ModelPath = Annotated[
    str | None,
    FlagReader(place),
    Field(
        description="a folder, GGUF file, package:NAME or Hugging Face name (default: the embedded GPT)"
    ),
]
SecondModel = Annotated[
    str | None,
    FlagReader(place),
    Field(
        examples=["MODEL"],
        description="a second model for draft and rstar, behind a backend like the first one's",
    ),
]
Tools = Annotated[
    str | None,
    FlagReader(text),
    Field(
        examples=["python"],
        description="what the model may use while it writes a solution: python, such as python(calls=8)",
    ),
]
Backend = Annotated[
    str | None, FlagReader(text), Field(description="default: vllm, or openai with --base-url")
]
BaseUrl = Annotated[
    str | None,
    FlagReader(text),
    Field(description="address of an OpenAI-compatible server, or of several with commas"),
]
RandomSeed = Annotated[Seed, Field(description="seed of everything that is drawn")]

Temperature = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False)] | None,
    FlagReader(temperature),
    Field(description="0 for the likeliest tokens (default: the task's, or 1)"),
]
TopP = Annotated[
    Annotated[float, Field(gt=0, le=1)] | None,
    FlagReader(nucleus),
    Field(description="sample from the likeliest tokens of this share (default: the task's, or 1)"),
]
MaxTokens = Annotated[
    Positive | None,
    Field(
        examples=["TOKENS"], description="most tokens of a solution (default: the task's, or 1024)"
    ),
]
System = Annotated[
    str | None, FlagReader(text), Field(examples=["TEXT"], description="the system message")
]
ShotsFile = Annotated[
    InputFile | None,
    Field(
        examples=["FILE.jsonl"],
        description='worked examples before the problem, as lines {"problem": ..., "solution": ...}',
    ),
]

Tasks = Annotated[
    tuple[str, ...], FlagReader(names, "extend"), Field(description="tasks to solve, with commas")
]
Data = Annotated[
    str | None,
    FlagReader(place),
    Field(description="the task's problems: a file, a folder or a data set"),
]
QuestionField = Annotated[
    str | None, Field(examples=["NAME"], description="the field of the data with the question")
]
AnswerField = Annotated[
    str | None, Field(examples=["NAME"], description="the field of the data with the answer")
]
Split = Annotated[
    str,
    Field(
        description="train, dev (for choices), test or final (for headlines), if the task has it"
    ),
]
Problems = Annotated[Positive, Field(description="problems per task, the first of the split")]
Verifier = Annotated[
    str | None,
    Field(
        description="scores solutions; `reasoner list verifiers` (default: verdict, or else confidence)"
    ),
]
Concurrency = Annotated[Positive, Field(description="problems in flight")]
Out = Annotated[OutputFolder, Field(description="folder of the results")]

Run = Annotated[RunPath, Field(description="a folder that `bench --out` wrote")]
Checkpoints = Annotated[
    tuple[RunPath, ...],
    Field(
        examples=["DIR"],
        description="a folder that `bench --out` wrote; several, of one model's checkpoints, are compared"
        " by training compute",
    ),
]
TrainFlops = Annotated[
    tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...],
    FlagReader(computes, "extend"),
    Field(
        examples=["0,2e15,4e15"],
        description="training FLOPs of each DIR's model (default: what `train policy` recorded)",
    ),
]
Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1), FlagReader(share)]
Rate = Annotated[float, Field(gt=0, lt=1), FlagReader(rate)]
SomeSizes = Annotated[tuple[Positive, ...], FlagReader(sizes, "extend")]


class ModelOptions(Protocol):
    """The options that name a model and its backend."""

    @property
    def model(self) -> str | None: ...
    @property
    def backend(self) -> str | None: ...
    @property
    def base_url(self) -> str | None: ...


class SecondModelOptions(ModelOptions, Protocol):
    """The options that may name a second model too."""

    @property
    def second(self) -> str | None: ...


class DataOptions(Protocol):
    """The options that say where the problems of a task are."""

    @property
    def data(self) -> str | None: ...
    @property
    def question_field(self) -> str | None: ...
    @property
    def answer_field(self) -> str | None: ...


class ExperimentOptions(ModelOptions, DataOptions, Protocol):
    """The options that every grid of experiments has."""

    @property
    def task(self) -> tuple[str, ...]: ...
    @property
    def split(self) -> str: ...
    @property
    def problems(self) -> int: ...
    @property
    def verifier(self) -> str | None: ...
    @property
    def seed(self) -> int: ...
