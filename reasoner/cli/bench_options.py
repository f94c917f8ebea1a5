"""The options of `bench`, declared once: flags, the fields of spec.yaml and the stored grid."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import AfterValidator, BeforeValidator, Field

from reasoner.benchmarks.runner.components import sized
from reasoner.benchmarks.runner.shard import Shard
from reasoner.benchmarks.store.grid import Grid
from reasoner.benchmarks.tracking.tracker import known
from reasoner.benchmarks.workers.spec import WorkersSpec
from reasoner.cli import option_types as o
from reasoner.cli.engine import check_second, second_policy, setting
from reasoner.cli.flags import flag
from reasoner.cli.parsing import budget, named_sizes, names, price, sizes, text, total_budget
from reasoner.errors import ConfigError
from reasoner.files import save_text
from reasoner.naming import parse_spec
from reasoner.options import CONCURRENCY, FlagReader, InputFile, Options, Positive
from reasoner.redaction import REFERENCE, redacted
from reasoner.registry import backends, tasks, tools, verifiers
from reasoner.secret_settings import keyless

FILE = "spec.yaml"
"""The name of the spec in a folder of results."""
OTHERS = "others"
"""Stands for the searches whose sizes are not given by name."""
GRID = Grid()


def _parts(read: Callable[[str], Any], value: Any) -> list[Any]:
    """Read a value, or each part of a list, as its flag reads it."""
    parts = value if isinstance(value, list | tuple) else [value]
    try:
        return [read(str(part)) for part in parts]
    except argparse.ArgumentTypeError as e:
        raise ValueError(str(e)) from None


def _joined(read: Callable[[str], list[Any]]) -> BeforeValidator:
    """Accept what the flag accepts, a list of it, or the values themselves."""
    return BeforeValidator(lambda value: [each for part in _parts(read, value) for each in part])


def _budgets(value: Any) -> list[Any]:
    parts = value if isinstance(value, list | tuple) else [value]
    return _parts(budget, [_as_text(p) if isinstance(p, Mapping) else p for p in parts])


def _numbers(read: Callable[[str], dict[str, float]]) -> BeforeValidator:
    """Accept what the flag accepts, or numbers by their names."""

    def numbers(value: Any) -> dict[str, float]:
        [parsed] = _parts(read, _as_text(value) if isinstance(value, Mapping) else value)
        return dict(parsed)

    return BeforeValidator(numbers)


def _as_text(ceilings: Mapping[Any, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in ceilings.items())


def _search_sizes(value: Any) -> Any:
    """Return sizes by the name of a search, from the pairs of flags or the field of a file."""
    if isinstance(value, list) and all(isinstance(each, tuple) for each in value):
        return {name or OTHERS: each for name, each in value}
    return value if isinstance(value, Mapping) else {OTHERS: value}


def _known(build: Callable[[str], object]) -> AfterValidator:
    """Refuse a component spec of which nothing can be built."""

    def check(name: str) -> str:
        build(name)
        return name

    return AfterValidator(check)


SOME = Field(min_length=1)
Sizes = Annotated[tuple[Positive, ...], _joined(sizes), FlagReader(sizes, "extend"), SOME]
# A task may need the data that another field names: it is not built here.
TaskName = Annotated[str, _known(tasks.load)]
StrategyName = Annotated[str, _known(lambda name: sized(name, None))]
Tasks = Annotated[
    tuple[TaskName, ...], _joined(names), FlagReader(names, "extend"), SOME,
    Field(description="tasks to solve, with commas"),
]  # fmt: skip
Strategies = Annotated[
    tuple[StrategyName, ...], _joined(names), FlagReader(names, "extend"), SOME,
    Field(
        examples=["NAME,..."],
        description="such as mcts,beam(branch=4) (default: best-of-n and its kin, beam, particle, mcts)",
    ),
]  # fmt: skip
SearchSizes = Annotated[
    dict[str, Sizes], BeforeValidator(_search_sizes), FlagReader(named_sizes, "append"),
    Field(
        examples=["[STRATEGY=]4,8,16"],
        description="sizes of searches, or of one (default: those of --n; without, 4,8,16); repeatable",
    ),
]  # fmt: skip
Budgets = Annotated[
    tuple[dict[str, float], ...], BeforeValidator(_budgets), FlagReader(budget, "append"),
    Field(
        examples=["tokens=2000"],
        description="adds a point at the largest N within this budget; repeatable",
    ),
]  # fmt: skip
TotalBudget = Annotated[
    dict[str, float], _numbers(total_budget), FlagReader(total_budget),
    Field(
        examples=["tokens=2e6"],
        description="ceiling over all problems of the run, and all its sessions: tokens, flops or cost",
    ),
]  # fmt: skip
Prices = Annotated[
    dict[str, float], _numbers(price), FlagReader(price),
    Field(
        examples=["prompt=0.15,generated=0.6"],
        description="of a million tokens, for a total budget of cost; also cached= and verifier=",
    ),
]  # fmt: skip


SpecFile = Annotated[
    InputFile | None,
    Field(
        examples=["FILE.yaml"],
        description="a run as a file, such as the spec.yaml of a folder of results; flags beside it win",
    ),
]
PoolSizes = Annotated[
    Sizes | None, Field(description="sizes (default: 1,2,4,...,64, and 4,8,16 for searches)")
]
SearchProblems = Annotated[
    Positive | None,
    Field(
        examples=["COUNT"],
        description="problems that searches attempt, the first ones (default: those of --problems)",
    ),
]
Verifier = Annotated[
    Annotated[str, _known(verifiers.load)] | None,
    Field(description="scores solutions; `reasoner list verifiers` (default: verdict, or else confidence)"),
]  # fmt: skip
Weights = Annotated[
    str | None,
    Field(examples=["DIGEST"], description="refuse to run with other weights than these"),
]
ShardName = Annotated[
    Annotated[str, _known(Shard.parse)] | None,
    Field(
        examples=["2/8"],
        description="solve only a part of the problems; `reasoner merge` brings the parts together",
    ),
]
Tools = Annotated[
    Annotated[str, _known(tools.make)] | None,
    FlagReader(text),
    Field(
        examples=["python"],
        description="what the model may use while it writes a solution: python, such as python(calls=8)",
    ),
]
Workers = Annotated[
    Annotated[str, _known(WorkersSpec.parse)] | None,
    Field(
        examples=["ray[:ADDRESS]"],
        description="solve on the engines of a Ray cluster; ray(engines=4) starts four here",
    ),
]
Trackers = Annotated[
    tuple[Annotated[str, _known(known)], ...], _joined(names), FlagReader(names, "extend"),
    Field(
        examples=["mlflow,wandb"],
        description="experiment trackers that get the run's progress and its points",
    ),
]  # fmt: skip
Backend = Annotated[
    Annotated[str, _known(backends.load)] | None, FlagReader(text),
    Field(description="default: vllm, or openai with --base-url"),
]  # fmt: skip


class BenchOptions(Options):
    """Everything that `bench` can be asked; paths start where the command runs."""

    NOT_IN_FILE: ClassVar[frozenset[str]] = frozenset({"spec"})

    spec: SpecFile = None
    task: Tasks = GRID.tasks
    data: o.Data = None
    question_field: o.QuestionField = None
    answer_field: o.AnswerField = None
    strategy: Strategies = GRID.strategies
    n: PoolSizes = None
    search_n: SearchSizes = Field(default_factory=dict[str, tuple[int, ...]])
    budget: Budgets = ()
    total_budget: TotalBudget = Field(default_factory=dict[str, float])
    price: Prices = Field(default_factory=dict[str, float])
    split: o.Split = GRID.split
    problems: o.Problems = GRID.problems
    search_problems: SearchProblems = None
    verifier: Verifier = None
    model: o.ModelPath = None
    second: o.SecondModel = None
    tools: Tools = None
    weights: Weights = None
    backend: Backend = None
    base_url: o.BaseUrl = None
    seed: o.RandomSeed = GRID.seed
    shard: ShardName = None
    workers: Workers = None
    concurrency: o.Concurrency = CONCURRENCY
    track: Trackers = ()
    out: o.Out = Path("runs/bench")

    def grid(self) -> Grid:
        """Return the grid that these options ask for.

        Raises:
            ConfigError: sizes are given for a strategy that does not run, data for several tasks, or a total
                budget that cannot be counted.
        """
        self._check_total_budget()
        check_second(self.second, self.strategy)
        own = dict(self.search_n)
        searched = own.pop(OTHERS, () if self.n else GRID.search_ns)
        grid = Grid(
            strategies=self.strategy,
            ns=tuple(sorted(set(self.n or GRID.ns))),
            search_ns=searched,
            own_ns=own,
            search_problems=self.search_problems,
            budgets=self.budget,
            total_budget=self.total_budget,
            price=self.price,
            **setting(self),
            tools=self.tools,
            **second_policy(self),
        )
        if unknown := sorted(own.keys() - set(grid.searches)):
            raise ConfigError(
                f"--search-n is for {', '.join(unknown)}, and the searches are"
                f" {', '.join(grid.searches) or 'none'}; name it in --strategy too"
            )
        return grid

    def resolved(self, grid: Grid) -> BenchOptions:
        """Return these options with every default filled in from their `grid`."""
        others = {OTHERS: grid.search_ns} if grid.search_ns else {}
        values: dict[str, Any] = {
            "task": grid.tasks,
            "strategy": grid.strategies,
            "n": grid.ns,
            "search_n": {**others, **grid.own_ns},
            "verifier": grid.verifier,
            "weights": grid.weights or None,
            "backend": _repeatable(self.backend or grid.backend),
            **dict.fromkeys(("data", "question_field", "answer_field")),
        }
        return self.model_copy(update=values)

    def _check_total_budget(self) -> None:
        if self.total_budget and self.shard:
            raise ConfigError(
                "a total budget is kept by one run, and a shard is a run of its own; leave out --shard, or"
                " limit each problem with --budget"
            )
        if self.total_budget and self.workers:
            raise ConfigError(
                "a total budget is kept by the process that has the engine; leave out --workers, or limit each"
                " problem with --budget"
            )
        if "cost" in self.total_budget and not any(self.price.values()):
            raise ConfigError(
                "a total budget of cost needs the price of a million tokens; add --price"
                " prompt=0.15,generated=0.6"
            )

    @property
    def text(self) -> str:
        """The options as a spec.yaml, without the folder of results."""
        values = self.model_dump(mode="json", exclude_none=True, exclude={"out", *self.NOT_IN_FILE})
        fields = {flag(k): value for k, value in values.items() if value not in ([], {})}
        return str(
            yaml.safe_dump(
                fields, default_flow_style=None, sort_keys=False, allow_unicode=True, width=100
            )
        )

    @property
    def parameters(self) -> dict[str, str]:
        """The options as text, for a tracker; secrets are masked."""
        options = yaml.safe_load(self.model_copy(update={"track": ()}).text)
        return {name: redacted(str(value)) for name, value in options.items()}

    @property
    def key(self) -> str:
        """The first 12 digits of the SHA-256 of spec.yaml without trackers, on which no result depends."""
        return sha256(self.model_copy(update={"track": ()}).text.encode()).hexdigest()[:12]

    def save(self, out: Path) -> Path:
        """Write spec.yaml beside the results, so that the run can be repeated."""
        return save_text(self.text, out / FILE)

    def require_weights(self, weights: str) -> None:
        """Raise a `ConfigError` if the options name other weights than the model's."""
        if self.weights and weights != self.weights:
            raise ConfigError(
                f"the run is to be made with weights {self.weights}, and those of"
                f" {self.model or 'the embedded GPT'} are {weights or 'not at hand'}; give those, or leave"
                " out `weights`"
            )


def _repeatable(backend: str) -> str:
    """Return a backend's spec for the file, without a key that was typed: OPENAI_API_KEY holds it next time."""
    name, settings = parse_spec(backend)
    written_out = str(settings.get("api_key")).startswith(REFERENCE + "REASONER_")
    return keyless(backend) if name in ("openai", "fleet") and written_out else backend
