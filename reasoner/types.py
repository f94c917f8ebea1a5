"""The data types, frozen; every other module imports these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate
from typing import Any, NewType, Self

from reasoner.messages import Message, Messages, transcript
from reasoner.printable import storable
from reasoner.thinking import Parts, split

NodeId = NewType("NodeId", int)


class Finish(StrEnum):
    """The reason that a completion ended: `ABORTED` by its watcher, `WRITTEN` without a model."""

    EOS = "eos"
    STOP = "stop"
    LENGTH = "length"
    ABORTED = "aborted"
    WRITTEN = "written"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem as a solver sees it. It carries no answer, by construction.

    `prompt` is the text that the model continues; the backend adds system prompt and chat template. A
    problem with `messages` is a conversation, which a chat model reads turn by turn; `prompt` is then its
    transcript, for verifiers and models without a chat template.
    """

    id: str
    prompt: str
    meta: Mapping[str, Any] = field(default_factory=dict[str, Any])
    messages: Messages = ()

    def __post_init__(self) -> None:
        """Replace what files cannot hold."""
        object.__setattr__(self, "id", storable(self.id))
        object.__setattr__(self, "prompt", storable(self.prompt))

    @classmethod
    def conversation(
        cls, id: str, messages: Messages, meta: Mapping[str, Any] | None = None
    ) -> Self:
        """Return the problem that a conversation states."""
        return cls(id, transcript(messages), meta or {}, messages)

    @property
    def key(self) -> tuple[str, Messages]:
        """The content of the problem: two with equal keys look alike to a model."""
        return self.prompt, self.messages

    @property
    def turns(self) -> Messages:
        """The messages; of a problem in plain text, a single one of the user."""
        return self.messages or (Message.model_construct(role="user", content=self.prompt),)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters for one prompt. A `stop` string stays in the completion.

    An `end` string ends a whole solution, as the model's end token does, and is removed. After worked
    examples, for instance, it is the text before the next question. `thinking_budget` is the most tokens of
    thinking before the engine ends it (vLLM's `thinking_token_budget`). `schema` is a JSON schema, as JSON text,
    that the engine holds whole solutions to.

    Log-probabilities slow an engine down, so they are returned only with `logprobs`. Confidences are
    returned only with `confidences`, the number of likeliest tokens they average. `labels` asks for the
    probability of each of these tokens at the first position; no confidences are returned then.
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
    thinking_budget: int | None = None
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost of calls.

    `prompt_tokens` counts every prompt token, `cached_tokens` those of them that the engine did not
    recompute, `completion_tokens` every decoded token, used or not. `flops` counts fresh
    tokens only (see `ModelInfo.flops`). `estimated_tokens` are those of both that no server reported:
    counted by a tokenizer, or bounded from above. `thinking_tokens` are those completion tokens that are thinking,
    `thinking_estimated` those of them that were estimated from the share of the text.
    """

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    flops: float = 0.0
    estimated_tokens: int = 0
    thinking_tokens: int = 0
    thinking_estimated: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.flops + other.flops,
            self.estimated_tokens + other.estimated_tokens,
            self.thinking_tokens + other.thinking_tokens,
            self.thinking_estimated + other.thinking_estimated,
        )

    @property
    def fresh_tokens(self) -> int:
        """Return the number of prompt tokens that the engine computed."""
        return self.prompt_tokens - self.cached_tokens


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """A part of a piece that a tool wrote: its characters from `start` to `end`, and its number of tokens."""

    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled continuation.

    `verdicts` comes from models that judge their own steps as they end them: one probability in [0, 1]
    per step end in `token_ids`, in order. `logprob` is the sum of the sampled tokens' log-probabilities
    under the distribution they were drawn from, if requested and known; `logprobs` has its terms.
    `confidences` has, per token, the mean negative log-probability of the likeliest tokens there
    (Fu et al., 2025, DeepConf, equation 2): high where one token has nearly all the probability.
    `entropies` comes with it: the entropy, in nats, of the same tokens' probabilities, scaled to sum
    to 1. `labels` has the log-probabilities of the requested labels, in order, all of them or none: a
    backend that does not know one returns none. `outputs` are the parts that a tool wrote: they are in
    `text` and `token_ids`, and have no log-probabilities, confidences and entropies.
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
    outputs: tuple[ToolOutput, ...] = ()

    @property
    def sampled_tokens(self) -> int:
        """The number of tokens without those that a tool wrote."""
        return len(self.token_ids) - sum(output.tokens for output in self.outputs)

    def __post_init__(self) -> None:
        """Replace what files cannot hold."""
        object.__setattr__(self, "text", storable(self.text))


@dataclass(frozen=True, slots=True)
class Generation:
    """All completions of one request, and its cost."""

    completions: tuple[Completion, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Prompt:
    """A problem and the beginning of its solution.

    `token_ids` holds exactly the ids that were sampled, so a continuation reuses the engine's
    prefix cache instead of re-tokenising the text.
    """

    problem: Problem
    text: str = ""
    token_ids: tuple[int, ...] = ()

    def extend(self, step: Completion) -> Prompt:
        """Return the prompt with `step` appended."""
        return Prompt(self.problem, self.text + step.text, self.token_ids + step.token_ids)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A partial or finished solution, as verifiers and graders see it.

    `completions` are the sampled pieces in order: one for a solution sampled in one request,
    one per step for a tree search.
    """

    completions: tuple[Completion, ...]
    complete: bool

    @property
    def text(self) -> str:
        return "".join(c.text for c in self.completions)

    @property
    def parts(self) -> Parts:
        """The thinking and the answer of a model that thinks first; elsewhere all is answer."""
        return split(self.text)

    @property
    def answer_text(self) -> str:
        """The text after the thinking, as far as no tool wrote it: the only one that may state the answer."""
        parts = self.parts
        written = segments(parts.text, self.outputs, parts.end, parts.resumed)
        return "".join(text for text, by_tool in written if not by_tool)

    @property
    def outputs(self) -> tuple[ToolOutput, ...]:
        """The parts of the text that a tool wrote."""
        starts = accumulate((len(c.text) for c in self.completions), initial=0)
        return tuple(
            replace(output, start=start + output.start, end=start + output.end)
            for start, c in zip(starts, self.completions, strict=False)
            for output in c.outputs
        )

    @property
    def tokens(self) -> int:
        """The number of tokens, without those that a tool wrote."""
        return sum(c.sampled_tokens for c in self.completions)

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
    """A score in [0, 1]; only process verifiers fill `steps`."""

    value: float
    steps: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """One score per candidate, in order, and the cost of scoring.

    `malformed` counts the verdicts of a model that could not be parsed; no score depends on them.
    """

    scores: tuple[Score, ...]
    usage: Usage = Usage()
    malformed: int = 0


def segments(
    text: str, outputs: Sequence[ToolOutput], start: int = 0, stop: int | None = None
) -> list[tuple[str, bool]]:
    """Return the parts of a text from character `start` to `stop`, each with True if a tool wrote it."""
    stop, parts = len(text) if stop is None else stop, list[tuple[str, bool]]()
    for output in outputs:
        begin, end = (max(start, min(at, stop)) for at in (output.start, output.end))
        parts += [(text[start:begin], False), (text[begin:end], True)]
        start = end
    return [part for part in (*parts, (text[start:stop], False)) if part[0]]
