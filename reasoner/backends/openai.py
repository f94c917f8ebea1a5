"""Backend for any OpenAI-compatible server: completions or chat, with retries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field

from reasoner.backends.connection import CallLimits, Connection
from reasoner.backends.openai_stream import Streamed
from reasoner.backends.prompt_template import Shots, Template
from reasoner.backends.replies import (
    Choice,
    Event,
    Reply,
    ReportedUsage,
    ServedSample,
    Version,
    logprobs,
)
from reasoner.backends.stop_strings import begin
from reasoner.backends.thinking_budget import thinking_budget
from reasoner.backends.token_confidence import confidences, entropies
from reasoner.backends.verdict_tokens import table, verdicts_of
from reasoner.base import Halt, ModelInfo
from reasoner.concurrency import gather
from reasoner.errors import BackendError, ConfigError
from reasoner.messages import Messages
from reasoner.traits import BackendTraits
from reasoner.types import Completion, Finish, Generation, Prompt, Sampling, Usage

UNKNOWN = -1
"""A placeholder for a token whose id the server does not report."""

MOST, FEWEST = 20, 5
"""The likeliest tokens that a server returns: for chats and vLLM, and for other completions."""

DAY = 86_400.0
"""Seconds; the upper bound of every time setting."""

OWN_FIELDS = frozenset(
    [
        "model",
        "n",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "seed",
        "stop",
        "logprobs",
        "top_logprobs",
        "messages",
        "prompt",
        "include_stop_str_in_output",
        "return_token_ids",
        "return_tokens_as_token_ids",
        "continue_final_message",
        "add_generation_prompt",
        "stream",
        "stream_options",
    ]
)
"""The fields of a request that the backend sets."""

CUT_OFF = frozenset({None, "abort", "cancelled", "content_filter", "error"})
"""Finish reasons of a sample that did not end by itself."""

PROBLEMS = 10_000
"""The maximum number of problems with cached token ids."""


class OpenAI:
    """A served model. A vLLM server is recognised, and returns token ids and stop reasons too.

    Args:
        model: the name the server knows the model by.
        base_url: the address up to and including `/v1`.
        api_key: sent as a bearer token; by default the environment variable OPENAI_API_KEY; no token
            is sent if empty.
        chat: use the chat endpoint; a step search then continues the assistant's message.
        system: a system message, or instructions before the prompt of a base model.
        shots: worked examples of (problem, solution).
        retries: further tries after 408, 409, 425, 429, 5xx, a timeout or a dropped connection.
        backoff: seconds before the second try, doubled for each further one.
        longest_pause: maximum seconds between two tries, even if the server asks for more.
        timeout: seconds for one whole answer, including its body.
        patience: seconds for all tries of a call.
        max_body: maximum bytes of an answer.
        connections: maximum number of concurrent requests; others wait.
        separate: send each sample of a call as its own request, so that each reports its usage; by
            default only for a vLLM server. Others report (and bill) the prompt once per request.
        context: the model's context length in tokens, if known.
        token_limit: the name of the field that limits tokens; OpenAI's reasoning models want
            `max_completion_tokens`.
        extra_body: further fields of every request, such as `reasoning_effort`, `top_k`, `min_p`,
            `chat_template_kwargs` or `thinking_token_budget`. A field that the backend sets itself is
            refused: the ledger relies on it.
        verdicts: the served model's folder, if a vLLM server writes verdicts into tokens
            (`--logits-processors reasoner.backends.verdict_logits:Levels`).
        transport: an alternative httpx transport, for tests.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str = "http://127.0.0.1:8000/v1",
        api_key: str | None = None,
        chat: bool = False,
        system: str = "",
        shots: Shots = (),
        retries: Annotated[int, Field(ge=0, le=100)] = 5,
        backoff: Annotated[float, Field(ge=0, le=DAY)] = 0.5,
        longest_pause: Annotated[float, Field(ge=0, le=DAY)] = 60.0,
        timeout: Annotated[float, Field(gt=0, le=DAY)] = 600.0,
        patience: Annotated[float, Field(gt=0, le=DAY)] = 1800.0,
        max_body: Annotated[int, Field(ge=1)] = 2**26,
        connections: Annotated[int, Field(ge=1)] = 256,
        separate: bool | None = None,
        context: Annotated[int, Field(ge=0)] = 0,
        token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens",
        extra_body: Mapping[str, Any] = {},
        verdicts: str | Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        limits = CallLimits(
            retries=retries, backoff=backoff, longest_pause=longest_pause, timeout=timeout,
            patience=patience, max_body=max_body, connections=connections,
        )  # fmt: skip
        self.model = ModelInfo(model, context)
        self._server = Connection(base_url, api_key, limits, transport)
        self._chat, self._template = chat, Template(system, shots)
        self._path = "/chat/completions" if chat else "/completions"
        self._verdicts = table(Path(verdicts)) if verdicts else {}
        self._separate = separate
        self._token_limit, self._extra = token_limit, further_fields(extra_body)
        self._is_vllm: bool | None = None
        self._problem_ids = dict[tuple[str, Messages], list[int]]()

    @property
    def traits(self) -> BackendTraits:
        """The abilities of servers with this interface; a server without one of them answers without it."""
        verdicts = bool(self._verdicts)
        return BackendTraits(
            verdicts=verdicts, logprobs=True, confidences=True, labels=True, watches=True,
            images=self._chat, thinking_budget=True,
        )  # fmt: skip

    def prompt_length(self, prompt: Prompt) -> int:
        """Return the prompt's tokens once the server reported them; before, its characters as a bound."""
        known = self._problem_ids.get(prompt.problem.key)
        sent = self._template.text(prompt.problem) if known is None else known
        return len(sent) + len(prompt.token_ids)

    def encode(self, text: str) -> tuple[int, ...]:
        """Return one unknown token per character, an upper bound."""
        return (UNKNOWN,) * len(text)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Sample `sampling.n` continuations; see `separate` for the number of requests.

        A count missing in a reply's usage is replaced by its upper bound: the prompt's characters, all
        requested tokens, nothing cached.

        Raises:
            AccessDenied: the server refuses every request: no access, or an unknown model.
            ConfigError: the server refuses this request, for example as too long.
            BackendError: no answer after all tries, or an invalid one.
        """
        vllm = await self._recognise()
        separate = vllm if self._separate is None else self._separate
        if sampling.n == 1 or not separate:
            return await self._ask(prompt, sampling, vllm)
        each = await gather(self._ask(prompt, one, vllm) for one in singles(sampling))
        usage = replace(sum((g.usage for g in each), Usage()), requests=1)
        return Generation(tuple(c for g in each for c in g.completions), usage)

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Stream one sample; close the connection as soon as `halt` returns True.

        For an aborted sample, no server reports the cached tokens, and only a vLLM server reports the
        usage so far; with others, the prompt counts at its bound and the tokens are those that arrived.
        """
        vllm = await self._recognise()
        options = {"include_usage": True} | ({"continuous_usage_stats": True} if vllm else {})
        body = self._body(prompt, sampling, vllm) | {"stream": True, "stream_options": options}
        streamed, aborted = Streamed(), False
        try:
            async with aclosing(self._server.stream(self._path, body, Event)) as events:
                async for event in events:
                    new = streamed.add(event)
                    if aborted := new is not None and halt(new) and streamed.unfinished:
                        break
        except BackendError:
            if streamed.unfinished:  # Only the usage follows the end, and it has a bound.
                raise
        if streamed.unfinished and not aborted:
            raise self._server.error("ended a stream before the sample's end")
        usage = self._usage(prompt, sampling, streamed.usage, [streamed.sample])
        self._remember(prompt, streamed.prompt_ids)
        return Generation((self._completion(streamed.sample, sampling, usage),), usage)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    async def _ask(self, prompt: Prompt, sampling: Sampling, vllm: bool) -> Generation:
        """Send one request and return its samples."""
        body = self._body(prompt, sampling, vllm)
        reply = await self._server.post(self._path, body, Reply)
        choices = sorted(reply.choices, key=lambda choice: choice.index)
        if len(choices) != sampling.n:
            raise self._server.error(f"sent {len(choices)} samples instead of {sampling.n}")
        samples = [ServedSample().add(choice) for choice in choices]
        usage = self._usage(prompt, sampling, reply.usage or ReportedUsage(), samples)
        self._remember(prompt, reply.prompt_token_ids or choices[0].prompt_token_ids)
        return Generation(tuple(self._completion(s, sampling, usage) for s in samples), usage)

    def _body(self, prompt: Prompt, sampling: Sampling, vllm: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model.name,
            "n": sampling.n,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._token_limit: sampling.max_tokens,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if stop := (*sampling.stop, *sampling.end):
            body["stop"] = list(stop)
        if sampling.logprobs or sampling.confidences or sampling.labels:
            most = MOST if self._chat or vllm else FEWEST
            top = most if sampling.labels else sampling.confidences
            body |= {"logprobs": True, "top_logprobs": top} if self._chat else {"logprobs": top}
        if vllm:
            body |= {"include_stop_str_in_output": True, "return_token_ids": True}
            # As text, equal-looking tokens would merge; labels, however, are looked up by text.
            body["return_tokens_as_token_ids"] = not sampling.labels
        body |= self._messages(prompt, vllm) if self._chat else self._text(prompt)
        return body | self._extra | thinking_budget(sampling, vllm)

    def _messages(self, prompt: Prompt, vllm: bool) -> dict[str, Any]:
        messages = self._template.messages(prompt.problem, prompt.text)
        continuing = {"continue_final_message": True, "add_generation_prompt": False}
        return {"messages": messages} | (continuing if vllm and prompt.text else {})

    def _text(self, prompt: Prompt) -> dict[str, Any]:
        ids = self._problem_ids.get(prompt.problem.key)
        if ids and prompt.token_ids and UNKNOWN not in prompt.token_ids:
            return {"prompt": [*ids, *prompt.token_ids]}
        return {"prompt": self._template.text(prompt.problem) + prompt.text}

    def _usage(
        self, prompt: Prompt, sampling: Sampling, spent: ReportedUsage, samples: list[ServedSample]
    ) -> Usage:
        """Return the usage of a request: the server's counts, but at least the tokens it sent."""
        length, decoded = spent.prompt_tokens, spent.completion_tokens
        if length is None:
            length = sampling.n * self.prompt_length(prompt)
        if decoded is None:
            decoded = sampling.n * sampling.max_tokens
        arrived = sum(len(sample.token_ids) for sample in samples)
        return Usage(1, length, spent.cached_tokens, max(decoded, arrived))

    def _completion(self, sample: ServedSample, sampling: Sampling, usage: Usage) -> Completion:
        text, ids, last = sample.text, sample.token_ids, sample.last
        # Each token but the end has at least one byte; the charged usage may be a much higher bound.
        bound = min(sampling.max_tokens, len(text.encode()) + 1)
        ids = ids or [UNKNOWN] * min(usage.completion_tokens // sampling.n, bound)
        verdicts, finish = verdicts_of(ids, self._verdicts), _finish(last, text, sampling)
        if (at := begin(sampling.end, text)) is not None:
            # Token boundaries are unknown, so a continuation starts from the text.
            text, ids, finish = text[:at], [UNKNOWN] * len(ids), Finish.EOS
        if finish is Finish.STOP and not text.endswith(sampling.stop):
            text += sampling.stop[0]
        likely = [] if sampling.labels else logprobs(sample.likeliest)
        return Completion(
            text,
            tuple(ids),
            finish,
            logprob=None if sample.sampled is None else sum(sample.sampled),
            verdicts=verdicts,
            confidences=confidences(likely),
            entropies=entropies(likely),
            logprobs=tuple(sample.sampled or ()),
            labels=_labels(sample, sampling),
        )

    def _remember(self, prompt: Prompt, ids: list[int] | None) -> None:
        if ids and not prompt.token_ids:
            if len(self._problem_ids) >= PROBLEMS:
                self._problem_ids.clear()
            self._problem_ids[prompt.problem.key] = ids

    async def _recognise(self) -> bool:
        """Return True for a vLLM server; an unreachable server is checked again by the next call."""
        if self._is_vllm is None:
            self._is_vllm = await self._server.has("/version", Version)
        return bool(self._is_vllm)


def further_fields(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `extra_body`.

    Raises:
        ConfigError: one is set by the backend, or is not JSON.
    """
    if taken := OWN_FIELDS & extra.keys():
        raise ConfigError(
            f"extra_body: {', '.join(sorted(taken))} is set by reasoner itself; use its own setting"
        )
    try:
        return dict(json.loads(json.dumps(dict(extra), allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as e:
        raise ConfigError(f"extra_body is not JSON: {e}") from e


def singles(sampling: Sampling) -> list[Sampling]:
    """Split a call into calls of one sample; vLLM seeds all samples of one request alike."""
    seeds = [None if sampling.seed is None else sampling.seed + i for i in range(sampling.n)]
    return [replace(sampling, n=1, seed=seed) for seed in seeds]


def _labels(sample: ServedSample, sampling: Sampling) -> tuple[float, ...]:
    """Return the labels' log-probabilities if all are among the likeliest tokens, else none."""
    known = dict(sample.likeliest[0]) if sample.likeliest else {}
    if any(label not in known for label in sampling.labels):
        return ()
    return tuple(known[label] for label in sampling.labels)


def _finish(last: Choice, text: str, sampling: Sampling) -> Finish:
    """Return the finish; only vLLM tells an end from a stop, elsewhere empty text means the end."""
    if last.finish_reason in CUT_OFF:
        return Finish.ABORTED
    if last.finish_reason == "length":
        return Finish.LENGTH
    if not sampling.stop:
        return Finish.EOS
    if "stop_reason" in last.model_fields_set:
        return Finish.STOP if last.stop_reason in sampling.stop else Finish.EOS
    return Finish.STOP if text else Finish.EOS
