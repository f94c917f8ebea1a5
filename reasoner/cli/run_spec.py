"""A run as a file: what the flags of `bench` say, in YAML."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from reasoner.benchmarks.runner.components import sized
from reasoner.benchmarks.store.grid import Grid
from reasoner.cli.parsing import budget, names, sizes
from reasoner.documents import Malformed, read_yaml
from reasoner.errors import ConfigError, StoreError
from reasoner.files import clipped, save_text, shown
from reasoner.naming import LARGEST, near, parse_spec
from reasoner.redaction import REFERENCE
from reasoner.registry import MOST, backends, tasks, verifiers
from reasoner.schema import Frozen
from reasoner.secret_settings import hidden, keyless

FILE = "spec.yaml"
"""What a folder of results calls it."""
OTHERS = "others"
"""Searches whose sizes are not told by name."""


def _repeatable(backend: str) -> str:
    """Return a backend's name for the file: a key that was written out is in OPENAI_API_KEY next time."""
    name, settings = parse_spec(backend)
    written_out = str(settings.get("api_key")).startswith(REFERENCE + "REASONER_")
    return keyless(backend) if name == "openai" and written_out else backend


def _parsed(read: Callable[[str], Any], told: Any) -> list[Any]:
    """Every part of what a field says, as its flag reads it."""
    parts = told if isinstance(told, list | tuple) else [told]
    try:
        return [read(str(part)) for part in parts]
    except argparse.ArgumentTypeError as e:
        raise ValueError(str(e)) from None


def _joined(read: Callable[[str], list[Any]]) -> BeforeValidator:
    return BeforeValidator(lambda told: [value for part in _parsed(read, told) for value in part])


def _budgets(told: Any) -> list[Any]:
    parts = told if isinstance(told, list | tuple) else [told]
    return _parsed(budget, [_spelled(p) if isinstance(p, Mapping) else p for p in parts])


def _spelled(ceilings: Mapping[Any, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in ceilings.items())


def _search_sizes(told: Any) -> Any:
    return told if isinstance(told, Mapping) else {OTHERS: told}


def _known(build: Callable[[str], object]) -> AfterValidator:
    """Refuses a name, with its settings, of which nothing can be built."""

    def check(name: str) -> str:
        build(name)
        return name

    return AfterValidator(check)


SOME = Field(min_length=1)
Count = Annotated[int, Field(ge=1, le=MOST)]
Sizes = Annotated[tuple[Count, ...], _joined(sizes), SOME]
# A task may need the data that another field names.
TaskName = Annotated[str, _known(tasks.load)]
StrategyName = Annotated[str, _known(lambda name: sized(name, max(Grid().ns)))]


class RunSpec(Frozen):
    """Everything that `reasoner bench` is asked, by the names of its flags.

    `search-n` is sizes, or sizes by the name of a search, with `others` for the rest. `weights`, if
    told, are the only ones that the run is made with. Paths are as from where the command runs.
    """

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    task: Annotated[tuple[TaskName, ...], _joined(names), SOME] = Grid().tasks
    data: str | None = None
    question_field: str | None = None
    answer_field: str | None = None
    strategy: Annotated[tuple[StrategyName, ...], _joined(names), SOME] = Grid().strategies
    n: Sizes | None = None
    search_n: Annotated[dict[str, Sizes], BeforeValidator(_search_sizes)] = Field(
        default_factory=dict[str, tuple[int, ...]]
    )
    budget: Annotated[tuple[dict[str, float], ...], BeforeValidator(_budgets)] = ()
    split: str = Grid().split
    problems: Count = 64
    search_problems: Count | None = None
    verifier: Annotated[str, _known(verifiers.load)] | None = None
    model: str | None = None
    weights: str | None = None
    backend: Annotated[str, _known(backends.load)] | None = None
    base_url: str | None = None
    seed: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    concurrency: Count = 128
    out: Path = Path("runs/bench")

    def settled(self, grid: Grid) -> RunSpec:
        """This run with all that was left to defaults as `grid` has it, and without its place."""
        others = {OTHERS: grid.search_ns} if grid.search_ns else {}
        told: dict[str, Any] = {
            "task": grid.tasks,
            "strategy": grid.strategies,
            "n": grid.ns,
            "search_n": {**others, **grid.own_ns},
            "verifier": grid.verifier,
            "weights": grid.weights or None,
            "backend": _repeatable(self.backend or grid.backend),
            **dict.fromkeys(("data", "question_field", "answer_field")),
        }
        return self.model_copy(update=told)

    @property
    def text(self) -> str:
        """The file: what is asked, its place aside."""
        told = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"out"})
        filled = {name: value for name, value in told.items() if value not in ([], {})}
        return str(
            yaml.safe_dump(
                filled, default_flow_style=None, sort_keys=False, allow_unicode=True, width=100
            )
        )

    @property
    def key(self) -> str:
        """The first 12 digits of the file's SHA-256."""
        return sha256(self.text.encode()).hexdigest()[:12]

    def save(self, out: Path) -> Path:
        """Write the file beside the results, so that they can be made again."""
        return save_text(self.text, out / FILE)

    def refuse_other(self, weights: str) -> None:
        """Raise a `ConfigError` if the run is to be made with other `weights` than these."""
        if self.weights and weights != self.weights:
            raise ConfigError(
                f"the run is to be made with weights {self.weights}, and those of"
                f" {self.model or 'the embedded GPT'} are {weights or 'not at hand'}; give those, or leave"
                " out `weights`"
            )


def asked(args: argparse.Namespace) -> RunSpec:
    """What the file `--spec` says, if one is given, and the flags beside it, which win.

    Raises:
        ConfigError: the file cannot be read, or a field or flag is not what it can be.
    """
    told = hidden(load(args.spec)) if args.spec else {}
    fields = {str(f.alias): name for name, f in RunSpec.model_fields.items()}
    flags = {
        alias: value
        for alias, name in fields.items()
        if (value := getattr(args, name, None)) is not None
    }
    if "search-n" in flags:
        flags["search-n"] = {name or OTHERS: each for name, each in flags["search-n"]}
    if flags.keys() & {"model", "base-url"}:
        told.pop("weights", None)
    try:
        return RunSpec.model_validate({**told, **flags})
    except ValidationError as e:
        raise ConfigError(_explained(e, args.spec, flags, list(fields))) from e


def load(path: Path) -> dict[str, Any]:
    """The fields of a YAML file.

    Raises:
        ConfigError: it cannot be read, or is no YAML, or no fields with values.
    """
    try:
        fields = read_yaml(path)
    except Malformed as e:
        raise ConfigError(f"{shown(path)} is not YAML: {e}") from e
    except StoreError as e:
        raise ConfigError(str(e)) from e
    if not isinstance(fields, dict):
        raise ConfigError(f"{shown(path)} has no fields with values, such as `task: countdown`")
    return {str(field): value for field, value in fields.items()}


def _explained(
    error: ValidationError, path: Path | None, flags: Mapping[str, Any], known: list[str]
) -> str:
    """What is wrong with the first field that is, and where it stands."""
    first = error.errors()[0]
    field, spec = clipped(first["loc"][0], 40), shown(path)
    if first["type"] == "extra_forbidden":
        return f"{spec} has no use for a field {clipped(repr(field), 60)}; {near(field, known)}"
    where = f"--{field}" if field in flags else f"{spec}, {field}"
    wrong = f"{clipped(repr(first['input']), 60)}: {first['msg']}"
    return f"{where}: {first.get('ctx', {}).get('error') or wrong}"
