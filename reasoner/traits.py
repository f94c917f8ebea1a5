"""Traits: what strategies, verifiers and backends declare about themselves.

A component declares them as the class attribute `traits`, or as a property where they depend on its
settings. A component without one has the defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from inspect import isclass, isroutine
from typing import Any, Literal, TypeVar, cast

from reasoner.errors import ConfigError

LIKENESS = 0.8
"""Similarity from which an attribute counts as a misspelt trait, as `difflib` measures it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyTraits:
    """The needs of a strategy.

    Attributes:
        verifier: "required"; "preferred": the default verifier is used if none is named, and none is needed;
            "unneeded": no verifier is used unless one is named.
        stops_early: it may stop on purpose before the budget is spent.
        scores_steps: it scores unfinished solutions and decides by these scores.
        scores_once: it scores all its solutions in one batch.
        confidences: it reads the confidence of each token, against this many likeliest tokens.
        watches: it watches samples as they grow (`Run.expand(halt=...)`).
        second_model: it needs a second model.
        asks_second: it asks a second model where there is one.
        scores_second: it has what a second model sampled scored.
        continues: it continues unfinished solutions, even where it does not score them.
        thinking_budget: it has the engine limit the tokens of thinking (`Run.limit_thinking`).
        logprobs: it reads the log-probabilities of samples (`Run.read_logprobs`).
        spells: it cuts solutions between two tokens (`Run.decode`).
    """

    verifier: Literal["required", "preferred", "unneeded"] = "required"
    stops_early: bool = False
    scores_steps: bool = False
    scores_once: bool = False
    confidences: int = 0
    watches: bool = False
    second_model: bool = False
    asks_second: bool = False
    scores_second: bool = False
    continues: bool = False
    thinking_budget: bool = False
    logprobs: bool = False
    spells: bool = False

    @property
    def uses_verifier(self) -> bool:
        """Return whether it has the default verifier where none is named."""
        return self.verifier != "unneeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierTraits:
    """The needs of a verifier, and the meaning of its scores.

    Attributes:
        verdicts: it reads the verdict tokens that the model samples.
        logprobs: it reads the log-probabilities of samples.
        confidences: it reads the confidence of each token, against this many likeliest tokens.
        labels: it asks its model for the probabilities of given tokens.
        asks_model: where it has `model` and `on`, it asks that model. False for a composite verifier
            none of whose members asks one.
        scores_steps: it can score unfinished solutions.
        comparative: its scores depend on the other candidates of the batch.
        ceiling: the highest score that it gives.
        oracle: it reads the reference answer.
        own_model: it loads a model of its own, so that building it takes files, memory and time.
    """

    verdicts: bool = False
    logprobs: bool = False
    confidences: int = 0
    labels: bool = False
    asks_model: bool = True
    scores_steps: bool = True
    comparative: bool = False
    ceiling: float = 1.0
    oracle: bool = False
    own_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendTraits:
    """The abilities of a backend beyond sampling text.

    Attributes:
        verdicts: its model samples verdict tokens (`Completion.verdicts`).
        logprobs: it returns log-probabilities where `Sampling.logprobs` asks for them.
        confidences: it returns confidences and entropies where `Sampling.confidences` asks for them.
        labels: it returns the probabilities of tokens where `Sampling.labels` asks for them.
        watches: it has a method `watch` (see `base.Watching`).
        spells: it has a method `decode` (see `base.Spelling`).
        continues: it continues the beginning of a solution.
        tells_ends: it tells a text that the model ended from one that a stop string ended.
        assured: it has these abilities for certain; of a server that may lack one, no default relies on any.
        images: its model takes problems with images.
        thinking_budget: it ends thinking at `Sampling.thinking_budget` tokens.
        schemas: it holds whole solutions to `Sampling.schema`.
    """

    verdicts: bool = False
    logprobs: bool = False
    confidences: bool = False
    labels: bool = False
    watches: bool = False
    spells: bool = False
    continues: bool = True
    tells_ends: bool = True
    assured: bool = True
    images: bool = False
    thinking_budget: bool = False
    schemas: bool = False


Traits = StrategyTraits | VerifierTraits | BackendTraits
T = TypeVar("T", StrategyTraits, VerifierTraits, BackendTraits)

FORMER = {
    StrategyTraits: {"verified": "verifier"},
    VerifierTraits: {"asks": "asks_model"},
    BackendTraits: {"watch": "watches", "decode": "spells"},
}
"""Attributes and methods that stand for a trait of another name."""


def strategy_traits(strategy: object) -> StrategyTraits:
    """Return the traits of a strategy; those of a class are the ones that all its settings share.

    Raises:
        ConfigError: they are not declared as they should be.
    """
    return _traits(strategy, StrategyTraits)


def verifier_traits(verifier: object) -> VerifierTraits:
    """Return the traits of a verifier.

    Raises:
        ConfigError: they are not declared as they should be.
    """
    return _traits(verifier, VerifierTraits)


def backend_traits(backend: object) -> BackendTraits:
    """Return the traits of a backend.

    Raises:
        ConfigError: they are not declared as they should be.
    """
    return _traits(backend, BackendTraits)


def check_traits(component: object, kind: type[Traits]) -> None:
    """Refuse a class that declares a trait in another way than by `traits`.

    Raises:
        ConfigError: `traits` is of another type, or a plain attribute is named like a trait.
    """
    if isclass(component):
        _check_class(cast(Any, component), cast(Any, kind))


@cache
def _check_class(component: Any, kind: Any) -> None:
    declared = _static(component, "traits")
    if declared is not None and not isinstance(declared, kind) and not hasattr(declared, "__get__"):
        raise ConfigError(
            f"{component.__name__}.traits is {declared!r}, not {_example(kind)}; declare it so"
        )
    for name in _plain_attributes(component):
        if trait := _meant(name, kind, declared):
            raise ConfigError(
                f"{component.__name__}.{name} is not read; declare it as"
                f" `traits = {_example(kind, trait)}`"
            )


def _traits(component: object, kind: type[T]) -> T:
    check_traits(component if isclass(component) else type(component), kind)
    traits = getattr(component, "traits", None)
    if traits is None or (isclass(component) and isinstance(traits, property)):
        return kind()
    if not isinstance(traits, kind):
        raise ConfigError(
            f"{type(component).__name__}.traits is {traits!r}, not {_example(kind)}; declare it so"
        )
    return traits


def _meant(name: str, kind: type[Traits], declared: object) -> str | None:
    """Return the trait that an attribute of a class stands for, if any."""
    known = {field.name: field.name for field in fields(kind)} | FORMER[kind] | {"traits": "..."}
    close = get_close_matches(name, known, n=1, cutoff=LIKENESS)
    if not close or name == "traits":
        return None
    trait = known[close[0]]
    # A method such as `watch` stands beside its trait.
    return None if name in FORMER[BackendTraits] and declared is not None else trait


def _plain_attributes(component: type) -> Iterator[str]:
    """Yield the attributes that a class and its bases define beside settings and methods."""
    for base in component.__mro__:
        settings = getattr(base, "__dataclass_fields__", {})
        for name, value in vars(base).items():
            method = isroutine(value) and name not in FORMER[BackendTraits]
            if not name.startswith("_") and name not in settings and not method:
                yield name


def _static(component: type, name: str) -> object:
    """Return what a class or a base of it has under a name, descriptors as they are."""
    return next((vars(base)[name] for base in component.__mro__ if name in vars(base)), None)


def _example(kind: type[Traits], trait: str = "...") -> str:
    return f"{kind.__name__}({trait if trait == '...' else f'{trait}=...'})"


def join_requirements(parts: Iterable[StrategyTraits]) -> StrategyTraits:
    """Return what a strategy made of others needs: what any of them does."""
    traits = list(parts)
    required = any(part.verifier == "required" for part in traits)
    return StrategyTraits(
        verifier="required" if required else "preferred",
        stops_early=any(part.stops_early for part in traits),
        scores_steps=any(part.scores_steps for part in traits),
        confidences=max((part.confidences for part in traits), default=0),
        watches=any(part.watches for part in traits),
        second_model=any(part.second_model for part in traits),
        asks_second=any(part.asks_second for part in traits),
        scores_second=any(part.scores_second for part in traits),
        continues=any(part.continues for part in traits),
        thinking_budget=any(part.thinking_budget for part in traits),
        logprobs=any(part.logprobs for part in traits),
        spells=any(part.spells for part in traits),
    )


def join_verifiers(parts: Iterable[VerifierTraits]) -> VerifierTraits:
    """Return the traits of a verifier made of others: what any of them needs, the highest ceiling."""
    traits = list(parts)
    return VerifierTraits(
        verdicts=any(part.verdicts for part in traits),
        logprobs=any(part.logprobs for part in traits),
        confidences=max((part.confidences for part in traits), default=0),
        scores_steps=all(part.scores_steps for part in traits),
        comparative=any(part.comparative for part in traits),
        ceiling=max((part.ceiling for part in traits), default=1.0),
        oracle=any(part.oracle for part in traits),
        own_model=any(part.own_model for part in traits),
    )
