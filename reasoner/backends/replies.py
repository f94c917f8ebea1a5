"""Validated replies of OpenAI-compatible servers: completions and chats, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from reasoner.errors import BackendError
from reasoner.printable import Text, storable

MOST_TOKENS = 10**8
"""The maximum token count in one request's usage, ten times the longest contexts."""

THINK, THOUGHT = "<think>\n", "\n</think>\n\n"
"""The tags around thinking that a server sends apart from the answer."""

ROUNDING = 1e-3
"""The most by which a log-probability may exceed 0."""


Count = Annotated[int, Field(strict=True, ge=0, le=MOST_TOKENS)]
TokenId = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Logprob = Annotated[float, Field(strict=True, le=ROUNDING)]
"""A log-probability. The bound excludes NaN; minus infinity, the logarithm of 0, is valid."""


class Cached(BaseModel):
    """Details of a prompt's tokens."""

    cached_tokens: Count | None = None


class Generated(BaseModel):
    """Details of the generated tokens."""

    reasoning_tokens: Count | None = None


class ReportedUsage(BaseModel):
    """The usage of a request; a server may omit each part. DeepSeek calls cached tokens cache hits."""

    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: Cached | None = None
    prompt_cache_hit_tokens: Count | None = None
    completion_tokens_details: Generated | None = None

    @property
    def thinking_tokens(self) -> int:
        """Generated tokens that are thinking; 0 if the server does not report them. Some count them apart."""
        details = self.completion_tokens_details or Generated()
        return min(details.reasoning_tokens or 0, self.completion_tokens or 0)

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens read from the cache; 0 if the server does not report them."""
        details = self.prompt_tokens_details or Cached()
        return details.cached_tokens or self.prompt_cache_hit_tokens or 0

    def joined(self, later: ReportedUsage) -> ReportedUsage:
        """Combine this usage of a stream with a `later` one; no count decreases."""
        return ReportedUsage(
            prompt_tokens=_larger(self.prompt_tokens, later.prompt_tokens),
            completion_tokens=_larger(self.completion_tokens, later.completion_tokens),
            prompt_tokens_details=later.prompt_tokens_details or self.prompt_tokens_details,
            prompt_cache_hit_tokens=later.prompt_cache_hit_tokens or self.prompt_cache_hit_tokens,
            completion_tokens_details=later.completion_tokens_details
            or self.completion_tokens_details,
        )

    @model_validator(mode="after")
    def _cached_within_prompt(self) -> Self:
        if self.cached_tokens > (self.prompt_tokens or 0):
            raise ValueError("more cached tokens than prompt tokens")
        return self


class Likely(BaseModel):
    """One of the likeliest tokens at a position of a chat."""

    token: Text
    logprob: Logprob


class ChatToken(BaseModel):
    """A sampled token of a chat."""

    logprob: Logprob
    top_logprobs: list[Likely] | None = None


class Logprobs(BaseModel):
    """Log-probabilities of the sampled tokens, in the form of chats or of completions."""

    content: list[ChatToken] | None = None
    token_logprobs: list[Logprob] | None = None
    top_logprobs: list[dict[Text, Logprob] | None] | None = None

    @property
    def sampled(self) -> list[float]:
        """Log-probabilities of the sampled tokens."""
        if self.content is not None:
            return [token.logprob for token in self.content]
        return list(self.token_logprobs or ())

    @property
    def likeliest(self) -> list[list[tuple[str, float]]]:
        """The likeliest tokens at each position."""
        if self.content is not None:
            return [[(t.token, t.logprob) for t in c.top_logprobs or ()] for c in self.content]
        return [list((top or {}).items()) for top in self.top_logprobs or ()]

    @model_validator(mode="after")
    def _equal_lengths(self) -> Self:
        _equal(len(self.sampled), len(self.likeliest), "token_logprobs and top_logprobs")
        return self


class Message(BaseModel):
    """A chat's message, or a piece of it.

    Servers with a reasoning parser send the thinking apart: vLLM as `reasoning`, DeepSeek and others as
    `reasoning_content`.
    """

    content: Text | None = None
    reasoning: Text | None = None
    reasoning_content: Text | None = None

    @property
    def thinking(self) -> str:
        """The thinking, by either name."""
        return self.reasoning or self.reasoning_content or ""


class Choice(BaseModel):
    """One sample, or a piece of one; a vLLM server adds token ids and the reason of a stop."""

    index: Count = 0
    text: Text | None = None
    message: Message | None = None
    delta: Message | None = None
    finish_reason: str | None = None
    stop_reason: Text | int | None = None
    token_ids: list[TokenId] | None = None
    prompt_token_ids: list[TokenId] | None = None
    logprobs: Logprobs | None = None

    @property
    def written(self) -> str:
        """The text, from a completion, a message or a delta, without the thinking sent apart."""
        message = self.message or self.delta
        return (message.content if message else self.text) or ""

    @property
    def thinking(self) -> str:
        """The thinking that a chat server sends apart from the text."""
        message = self.message or self.delta
        return message.thinking if message else ""

    @property
    def sampled(self) -> list[float] | None:
        """The log-probabilities of the sampled tokens, if present."""
        return None if self.logprobs is None else self.logprobs.sampled

    @property
    def likeliest(self) -> list[list[tuple[str, float]]]:
        """The likeliest tokens at each position, if present."""
        return [] if self.logprobs is None else self.logprobs.likeliest

    @model_validator(mode="after")
    def _logprobs_match_tokens(self) -> Self:
        _equal(len(self.token_ids or ()), len(self.sampled or ()), "token_ids and logprobs")
        return self


class Event(BaseModel):
    """A piece of a streamed reply: part of one sample, or only the usage."""

    choices: Annotated[list[Choice], Field(max_length=1)] = []
    usage: ReportedUsage | None = None
    prompt_token_ids: list[TokenId] | None = None

    @model_validator(mode="after")
    def _only_one_sample(self) -> Self:
        if any(choice.index for choice in self.choices):
            raise ValueError("it belongs to another sample than the requested one")
        return self


class Billed(BaseModel):
    """Only the usage of a reply."""

    usage: ReportedUsage


class Reply(BaseModel):
    """A whole reply: every sample of one request."""

    choices: list[Choice]
    usage: ReportedUsage | None = None
    prompt_token_ids: list[TokenId] | None = None

    @model_validator(mode="after")
    def _has_each_sample_once(self) -> Self:
        if sorted(c.index for c in self.choices) != [*range(len(self.choices))]:
            raise ValueError("the samples are not numbered from 0")
        if any(c.message is None and c.text is None for c in self.choices):
            raise ValueError("a sample has neither text nor message")
        return self


@dataclass(slots=True)
class ServedSample:
    """One sample, whole or as far as it has been streamed."""

    thoughts: list[str] = field(default_factory=list[str])
    texts: list[str] = field(default_factory=list[str])
    token_ids: list[int] = field(default_factory=list[int])
    sampled: list[float] | None = None
    likeliest: list[list[tuple[str, float]]] = field(default_factory=list[list[tuple[str, float]]])
    last: Choice = field(default_factory=Choice)
    """Its latest piece, which has the finish reason."""

    @property
    def text(self) -> str:
        """Its whole text; thinking that the server sent apart comes first, in tags as models write it."""
        thinking, text = "".join(self.thoughts), "".join(self.texts)
        if not thinking:
            return text
        ended = text or self.last.finish_reason not in (None, "length")
        return f"{THINK}{thinking}{THOUGHT if ended else ''}{text}"

    def add(self, piece: Choice) -> Self:
        """Append a piece."""
        self.thoughts.append(piece.thinking)
        self.texts.append(piece.written)
        self.token_ids += piece.token_ids or ()
        if piece.sampled is not None:
            self.sampled = self.sampled or []
            self.sampled += piece.sampled
        self.likeliest += piece.likeliest
        self.last = piece
        return self


M = TypeVar("M", bound=BaseModel)


def logprobs(likeliest: Iterable[Iterable[tuple[str, float]]]) -> list[list[float]]:
    """Return the log-probabilities of the likeliest tokens at each position."""
    return [[logprob for _, logprob in position] for position in likeliest]


def parse_reply(kind: type[M], body: bytes | str) -> M:
    """Parse and validate a JSON reply.

    Raises:
        BackendError: it is not JSON, an error reported by the server, or not a valid reply.
    """
    content = _json(body)
    if (message := _error_message(content)) is not None:
        raise BackendError(f"the server reports an error: {message}")
    try:
        return kind.model_validate(content)
    except ValidationError as e:
        first = e.errors(include_url=False, include_input=False)[0]
        where, reason = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        raise BackendError(f"malformed reply: {where}: {reason}".replace(" : ", " ")) from None


def reported_usage(body: bytes) -> ReportedUsage | None:
    """Return the usage in a reply that is otherwise invalid; None without one."""
    try:
        return parse_reply(Billed, body).usage
    except BackendError:
        return None


def error_message(body: bytes) -> str:
    """Return the message in the body of a refusal, or the body itself."""
    try:
        content = _json(body)
    except BackendError:
        return _decode(body)
    return _error_message(content) or _text(content)


def _error_message(content: Any) -> str | None:
    """Return the error in a JSON body, in any of the forms servers use; None if there is none."""
    error = content.get("error") if isinstance(content, dict) else None
    if error is None:
        return None
    return _text(error.get("message", error) if isinstance(error, dict) else error)


def _text(content: Any) -> str:
    try:
        return storable(str(content))
    except RecursionError:
        return "nested too deeply"


def _json(body: bytes | str) -> Any:
    text = body if isinstance(body, str) else _decode(body)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as e:
        reason = "nested too deeply" if isinstance(e, RecursionError) else f"not JSON: {text!r}"
        raise BackendError(f"malformed reply: {reason}") from None


def _decode(body: bytes) -> str:
    return body.decode("utf-8-sig", "replace")


def _larger(one: int | None, other: int | None) -> int | None:
    return max((n for n in (one, other) if n is not None), default=None)


def _equal(one: int, other: int, names: str) -> None:
    """Raise if both lists are present and differ in length."""
    if one and other and one != other:
        raise ValueError(f"{names} differ in length: {one} and {other}")
