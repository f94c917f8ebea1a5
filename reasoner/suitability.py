"""Unsuitable combinations of components, refused before the first token is sampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from reasoner.base import Backend, Generative, Verifier, check_model, needs_model
from reasoner.errors import ConfigError
from reasoner.registry import Registry, strategies, verifiers
from reasoner.tool_calls import Tool
from reasoner.traits import (
    BackendTraits,
    StrategyTraits,
    VerifierTraits,
    backend_traits,
    strategy_traits,
    verifier_traits,
)


@dataclass(frozen=True)
class Combination:
    """The components of a run, under the names by which errors call them."""

    strategy: object
    verifier: Verifier | None
    backend: Backend
    second: Backend | None = None
    tool: Tool | None = None

    @cached_property
    def needs(self) -> StrategyTraits:
        """The strategy's traits."""
        return strategy_traits(self.strategy)

    @cached_property
    def judge(self) -> VerifierTraits:
        """The verifier's traits."""
        return VerifierTraits() if self.verifier is None else verifier_traits(self.verifier)

    @cached_property
    def can(self) -> BackendTraits:
        """The backend's traits."""
        return backend_traits(self.backend)

    @property
    def search(self) -> str:
        """The strategy, in messages."""
        return f"strategy {component_name(self.strategy, strategies)!r}"

    @property
    def scorer(self) -> str:
        """The verifier, in messages."""
        return f"verifier {component_name(self.verifier, verifiers)!r}"

    @property
    def policy(self) -> str:
        """The model, in messages."""
        return f"model {self.backend.model.name!r}"

    @property
    def advice(self) -> str:
        """Verifiers that suit strategy and model."""
        if self.can.verdicts:
            return "'verdict'"
        if self.needs.scores_steps:
            return "'critic', 'label-token' or a process reward model"
        return "'confidence'" if self.can.logprobs else "'judge'"


READ_BY_VERIFIERS = {
    "verdicts": "reads verdict tokens, and {policy} has no verdict tokens; use verifier {advice}, or the embedded model",
    "logprobs": "needs log-probabilities, which the backend of {policy} does not return; use verifier {advice}, or"
    " strategy 'majority', which needs none",
    "confidences": "needs the confidence of every token, which the backend of {policy} does not return; use verifier"
    " {advice}, or strategy 'majority', which needs none",
}
"""Messages for what a verifier reads and a backend does not return, by the trait of both."""

USED_BY_STRATEGIES = {
    "confidences": "weighs samples by the confidence of their tokens, which the backend of {policy} does not return;"
    " use 'majority' or 'adaptive-majority', which need none",
    "watches": "watches samples as they grow, which the backend of {policy} does not offer; use backend vllm,"
    " openai, transformers or scripted, or strategy 'adaptive-majority'",
    "logprobs": "weighs samples by their log-probabilities, which the backend of {policy} does not return; use backend"
    " vllm or transformers, or strategy 'majority', which needs none",
    "spells": "cuts solutions between two tokens, whose texts the backend of {policy} does not know; use backend vllm"
    " or transformers, or strategy 'revise', which cuts between steps",
    "thinking_budget": "has the engine limit the tokens of thinking, which the backend of {policy} does not offer; for vllm"
    " set reasoning_parser, or use budget-forcing(native=False), which cuts the text",
}
"""Messages for what a strategy uses and a backend does not offer, by the trait of both."""

Rule = Callable[[Combination], str | None]
"""Return what is wrong with a combination and what would work, if anything is."""


def _no_verifier(c: Combination) -> str | None:
    if c.verifier is not None or c.needs.verifier != "required":
        return None
    return f"{c.search} scores solutions and has no verifier; give it one, such as {c.advice}"


def _no_step_scores(c: Combination) -> str | None:
    if not c.needs.scores_steps or c.judge.scores_steps:
        return None
    return (
        f"{c.search} goes by the scores of unfinished solutions, and {c.scorer} scores finished ones"
        f" only; use {c.scorer.partition(' ')[2]} with 'best-of-n', or give {c.advice}"
    )


def _unread_samples(c: Combination) -> str | None:
    for trait, message in READ_BY_VERIFIERS.items():
        if getattr(c.judge, trait) and not getattr(c.can, trait):
            return f"{c.scorer} {message.format(policy=c.policy, advice=c.advice)}"
    return None


def _unread_second(c: Combination) -> str | None:
    if c.second is None or not c.needs.scores_second:
        return None
    can = backend_traits(c.second)
    lacks = next((t for t in READ_BY_VERIFIERS if getattr(c.judge, t) > getattr(can, t)), None)
    return lacks and (
        f"{c.scorer} reads the {lacks} of samples, which the backend of the second model"
        f" {c.second.model.name!r} does not return; use one that reads text, such as 'judge', 'critic' or"
        " 'equations', or leave the second model out"
    )


def _no_labels(c: Combination) -> str | None:
    if not c.judge.labels or c.verifier is None:
        return None
    own = c.verifier.model if isinstance(c.verifier, Generative) else None
    model = c.backend if needs_model(c.verifier) or own is None else own
    if backend_traits(model).labels:
        return None
    return (
        f"{c.scorer} asks for the probabilities of two tokens, which the backend of model"
        f" {model.model.name!r} does not return; use verifier 'judge' or 'critic', which read text"
    )


def _no_abilities(c: Combination) -> str | None:
    for trait, message in USED_BY_STRATEGIES.items():
        if getattr(c.needs, trait) and not getattr(c.can, trait):
            return f"{c.search} {message.format(policy=c.policy)}"
    return None


def _no_second(c: Combination) -> str | None:
    if not c.needs.second_model or c.second is not None:
        return None
    return f"{c.search} needs a second model; give one (second=...), or use strategy 'rstar'"


def _no_continuing(c: Combination) -> str | None:
    if c.can.continues or not (c.needs.continues or c.needs.scores_steps):
        return None
    return (
        f"{c.search} continues unfinished solutions, which the chat server of {c.policy} cannot; use"
        " 'best-of-n', 'majority' or another strategy that samples whole solutions, or a vLLM server"
    )


def _no_tool(c: Combination) -> str | None:
    if c.tool is None:
        return None
    if c.needs.spells:
        return f"{c.search} cuts solutions between any two tokens, also within a tool's output; use it without tools"
    for model in filter(None, (c.backend, c.second)):
        can = backend_traits(model)
        what = f"the backend of model {model.model.name!r}"
        if not can.continues:
            return f"a tool's output is continued, which {what}, a chat server, cannot; use a vLLM server, or no tools"
        if not can.tells_ends:
            return f"a tool runs where a text is stopped, and {what} does not tell a stop from an end; use a vLLM server"
    return None


RULES: tuple[Rule, ...] = (
    _no_continuing, _no_verifier, _no_step_scores, _unread_samples, _unread_second, _no_labels, _no_abilities, _no_second, _no_tool,
)  # fmt: skip


def check_combination(
    strategy: object,
    verifier: Verifier | None,
    backend: Backend,
    second: Backend | None = None,
    tool: Tool | None = None,
) -> None:
    """Refuse components that do not suit one another.

    Raises:
        ConfigError: something that one of them needs is lacking; the message names a combination
            that works.
    """
    combination = Combination(strategy, verifier, backend, second, tool)
    for rule in RULES:
        if trouble := rule(combination):
            raise ConfigError(trouble)
    check_model(verifier, backend)


def default_verifier(strategy: object, backend: Backend) -> str | None:
    """Return the name of the verifier for a strategy where none is named; None if it needs none.

    That is `verdict` where the model has verdict tokens. Elsewhere finished solutions are scored by
    `confidence`, or by `agreement` where the backend may return no log-probabilities and the strategy
    scores all solutions at once. Other strategies on a server that may return none use `judge`, which
    asks the model itself.

    Raises:
        ConfigError: the strategy needs a verifier, and none of these suits it.
    """
    needs, can = strategy_traits(strategy), backend_traits(backend)
    if not needs.uses_verifier:
        return None
    if can.verdicts:
        return "verdict"
    if not needs.scores_steps:
        if can.logprobs and can.assured:
            return "confidence"
        if needs.scores_once:
            return "agreement"
        if can.logprobs and needs.verifier == "required":
            return "judge"
    if needs.verifier == "preferred" and not needs.scores_steps:
        return None
    c = Combination(strategy, None, backend)
    raise ConfigError(
        f"{c.search} needs a verifier that scores {'steps' if needs.scores_steps else 'solutions'},"
        f" and {c.policy} has no verdict tokens to be one; name a verifier, such as {c.advice}, or use"
        " strategy 'majority', which needs none"
    )


def component_name(component: object, registry: Registry) -> str:
    """Return the name by which a registry knows the class of a component, or else the class's name."""
    return registry.name_of(type(component)) or type(component).__name__
