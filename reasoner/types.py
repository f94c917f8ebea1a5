"""The nouns. Frozen, dependency-free; every other module imports these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType

from reasoner.printable import storable

NodeId = NewType("NodeId", int)


class Finish(StrEnum):
    """Why a completion ended: `ABORTED` by whoever watched it grow, `WRITTEN` by no model at all."""

    EOS = "eos"
    STOP = "stop"
    LENGTH = "length"
    ABORTED = "aborted"
    WRITTEN = "written"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a solver may see. It carries no answer, by construction.

    `prompt` is the text the model continues; `system` and chat templates are the backend's affair.
    """

    id: str
    prompt: str
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Take texts that every file can hold."""
        object.__setattr__(self, "id", storable(self.id))
        object.__setattr__(self, "prompt", storable(self.prompt))


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw completions for one prompt. A `stop` string is kept in the completion.

    An `end` string ends a whole solution, as the model's own end does, and is not kept: what stands
    before the next question, say, where worked examples have the model write one.

    Log-probabilities slow an engine down, so they come only where `logprobs` asks for them, and
    confidences only where `confidences` tells against how many of the likeliest tokens. `labels` asks
    how probable each of these tokens is at the first position, and then no confidences come.
    """

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: bool = False
    confidences: int = 0
    labels: tuple[str, ...] = ()
    end: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls spent.

    `prompt_tokens` counts every prompt token, `cached_tokens` the part of them the engine did not
    recompute, `completion_tokens` every decoded token whether kept or not. `flops` counts fresh
    tokens only (see `ModelInfo.flops`).
    """

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    flops: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.flops + other.flops,
        )

    @property
    def fresh_tokens(self) -> int:
        """Prompt tokens the engine had to compute."""
        return self.prompt_tokens - self.cached_tokens


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled continuation.

    `verdicts` is filled by models that judge their own steps as they end them: one probability in
    [0, 1] per step end in `token_ids`, in order. `logprob` is the sum of the sampled tokens'
    log-probabilities under the distribution they were drawn from, where asked for and known.
    `confidences` has, per token, the mean negative log-probability of the likeliest tokens there
    (Fu et al., 2025, DeepConf, equation 2): high where one token takes it all. `entropies` comes with
    it: the entropy, in nats, of the same tokens' probabilities, scaled to add up to 1. `logprobs` has
    what adds up to `logprob`. `labels` has the log-probabilities of the labels asked for, in order, all
    of them or none: a backend that cannot tell one of them tells none.
    """

    text: str
    token_ids: tuple[int, ...]
    finish: Finish
    logprob: float | None = None
    verdicts: tuple[float, ...] = ()
    confidences: tuple[float, ...] = ()
    entropies: tuple[float, ...] = ()
    logprobs: tuple[float, ...] = ()
    labels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Take text that every file can hold."""
        object.__setattr__(self, "text", storable(self.text))


@dataclass(frozen=True, slots=True)
class Generation:
    """Every completion of one request, with what the request cost."""

    completions: tuple[Completion, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """A problem plus the part of its solution already written.

    `token_ids` holds exactly the ids that were sampled, so a continuation reuses the engine's
    prefix cache instead of re-tokenising the text.
    """

    problem: Problem
    text: str = ""
    token_ids: tuple[int, ...] = ()

    def extend(self, step: Completion) -> Prompt:
        return Prompt(self.problem, self.text + step.text, self.token_ids + step.token_ids)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A partial or finished solution, as verifiers and graders see it.

    `completions` are the sampled pieces in order: one for a solution drawn in one request, one
    per step for a tree search.
    """

    completions: tuple[Completion, ...]
    complete: bool

    @property
    def text(self) -> str:
        return "".join(c.text for c in self.completions)

    @property
    def tokens(self) -> int:
        return sum(len(c.token_ids) for c in self.completions)

    @property
    def verdicts(self) -> tuple[float, ...]:
        return tuple(v for c in self.completions for v in c.verdicts)

    @property
    def confidences(self) -> tuple[float, ...]:
        return tuple(v for c in self.completions for v in c.confidences)

    @property
    def entropies(self) -> tuple[float, ...]:
        return tuple(v for c in self.completions for v in c.entropies)

    @property
    def logprobs(self) -> tuple[float, ...]:
        return tuple(v for c in self.completions for v in c.logprobs)


@dataclass(frozen=True, slots=True)
class Score:
    """A verdict in [0, 1]; `steps` is filled by process verifiers only."""

    value: float
    steps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """One score per candidate, in order, with what scoring cost.

    `malformed` counts the verdicts that a model owed and did not give in a form that can be read;
    no score rests on them.
    """

    scores: tuple[Score, ...]
    usage: Usage = Usage()
    malformed: int = 0
