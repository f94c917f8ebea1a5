"""From options to a model, its tasks and the settings of a grid of experiments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.cli.option_types import (
    DataOptions,
    ExperimentOptions,
    ModelOptions,
    SecondModelOptions,
)
from reasoner.errors import ConfigError
from reasoner.naming import format_spec, parse_spec

if TYPE_CHECKING:
    from reasoner.base import Backend


def engine(options: ModelOptions) -> dict[str, Any]:
    """Return the arguments of `Reasoner` that choose a backend."""
    if options.base_url:
        name, settings = parse_spec(options.backend or "openai")
        if name == "openai" and "," in options.base_url:
            name = "fleet"
        return {"backend": format_spec(name, settings), "base_url": options.base_url}
    return {"backend": options.backend or ("scripted" if options.model == "scripted" else "vllm")}


def second_model(options: SecondModelOptions) -> Backend | None:
    """Return the second model that the options name, behind a backend like the first one's; None without one."""
    from reasoner.api import open_backend

    if options.second is None:
        return None
    return open_backend(options.second, **engine(options))


def check_second(second: str | None, names: Sequence[str]) -> None:
    """Refuse a second model that none of the strategies `names` asks.

    Raises:
        ConfigError: so it is; the message names strategies that ask one.
    """
    from reasoner.registry import strategies

    if second is None or any(asks_second(name) for name in names):
        return
    asking = [name for name in strategies.builtin if asks_second(name)]
    raise ConfigError(
        f"--second {second} is asked by {' and '.join(asking)} only, and --strategy is {', '.join(names)};"
        " choose one of them, or leave --second out"
    )


def asks_second(name: str) -> bool:
    """Return True if the strategy `name` asks a second model where there is one."""
    from reasoner.registry import strategies
    from reasoner.traits import strategy_traits

    strategy = strategies.load(name)
    if isinstance(getattr(strategy, "traits", None), property):  # They depend on its settings.
        strategy = strategies.make(name)
    return strategy_traits(strategy).asks_second


def policy(options: ModelOptions) -> dict[str, str]:
    """Return the fields of records that tell the model apart from others."""
    from reasoner.secret_settings import keyless

    return {
        "model": options.model or "embedded",
        "weights": _weights(options, options.model),
        "backend": keyless(engine(options)["backend"]),
    }


def second_policy(options: SecondModelOptions) -> dict[str, Any]:
    """Return the fields of records that tell the second model apart from others; none without one."""
    if options.second is None:
        return {}
    return {"second": options.second, "second_weights": _weights(options, options.second)}


def _weights(options: ModelOptions, model: str | None) -> str:
    """Return the fingerprint of the weights on this machine; empty for a server's."""
    from reasoner.api import EMBEDDED
    from reasoner.backends.checkpoint import fingerprint
    from reasoner.models.local import local_model

    if options.base_url or parse_spec(engine(options)["backend"])[0] in ("openai", "fleet"):
        return ""
    return fingerprint(Path(local_model(model or str(EMBEDDED))).expanduser())


def with_data(tasks: Sequence[str], options: DataOptions) -> list[str]:
    """Return the specs of `tasks`, with the options that say where their data is.

    Raises:
        ConfigError: such an option is given for several tasks.
    """
    fields = ("data", "question_field", "answer_field")
    settings = {field: value for field in fields if (value := getattr(options, field)) is not None}
    if settings and len(tasks) != 1:
        option = next(iter(settings)).replace("_", "-")
        raise ConfigError(
            f"--{option} is for one task, and there are {', '.join(tasks)}; use --task"
        )
    return [format_spec(name, settings) for name in tasks] if settings else list(tasks)


def setting(options: ExperimentOptions) -> dict[str, Any]:
    """Return the fields of a `Grid` that all its experiments have in common."""
    from reasoner import registry

    names = with_data(options.task, options)
    verifier = {} if options.verifier is None else {"verifier": options.verifier}
    return {
        "tasks": tuple(names),
        "sampling": {name: registry.tasks.make(name).sampling for name in names},
        "split": options.split,
        "problems": options.problems,
        **policy(options),
        **verifier,
        "seed": options.seed,
    }
