"""The body of a request to an OpenAI-compatible server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from reasoner.backends.prompt_template import Template
from reasoner.backends.server_kinds import VLLM, Served
from reasoner.backends.thinking_budget import thinking_budget
from reasoner.errors import ConfigError
from reasoner.types import Prompt, Sampling

MOST, FEWEST = 20, 5
"""The likeliest tokens that a server returns: for chats and vLLM, and for other completions."""

SEVERAL = re.compile(
    r"\bn\b|choice|(?:one|single|multiple) (?:completion|sample|sequence)", re.IGNORECASE
)
"""Words in a server's refusal of several samples."""

TokenLimit = Literal["max_tokens", "max_completion_tokens"]

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


@dataclass(frozen=True)
class RequestFields:
    """The fields of every request of a backend.

    Attributes:
        model: the name the server knows the model by.
        token_limit: the name of the field that limits tokens; None: the one of the server's kind.
        max_tokens: the most tokens that a request asks for.
        sampling: `top_k`, `min_p` and `reasoning_effort`, where they are set.
        extra: fields of the user.
    """

    model: str
    token_limit: TokenLimit | None = None
    max_tokens: int | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def body(self, sampling: Sampling, served: Served, *, n: bool) -> dict[str, Any]:
        """Return a request's body without its prompt; without `n` unless the server knows it."""
        return {
            "model": self.model,
            **({"n": sampling.n} if n else {}),
            **self._nucleus(sampling, served),
            self._limit(served): sampling.max_tokens,
            **({} if sampling.seed is None else {"seed": sampling.seed}),
            **({"stop": list(stop)} if (stop := (*sampling.stop, *sampling.end)) else {}),
            **_logprobs(sampling, served),
            **(_of_vllm(sampling) if served.kind is VLLM else {}),
            **self.sampling,
            **self.extra,
            **thinking_budget(sampling, vllm=served.kind is VLLM),
            **_schema(sampling, served),
        }

    def clipped(self, sampling: Sampling) -> Sampling:
        """Return `sampling` with no more tokens than `max_tokens`."""
        if self.max_tokens is None or sampling.max_tokens <= self.max_tokens:
            return sampling
        return replace(sampling, max_tokens=self.max_tokens)

    def _limit(self, served: Served) -> TokenLimit:
        renamed = served.chat and served.kind.renamed
        return self.token_limit or ("max_completion_tokens" if renamed else "max_tokens")

    def _nucleus(self, sampling: Sampling, served: Served) -> dict[str, float]:
        fields = {"temperature": sampling.temperature, "top_p": sampling.top_p}
        neutral = served.kind.neutral
        return {name: value for name, value in fields.items() if value != 1.0 or not neutral}


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


def chat_prompt(template: Template, prompt: Prompt, served: Served) -> dict[str, Any]:
    """Return the fields of a chat's messages; a solution's beginning is continued as the server's kind does."""
    messages: list[dict[str, Any]] = [*template.messages(prompt.problem, prompt.text)]
    if not prompt.text:
        return {"messages": messages}
    *context, written = messages
    return {"messages": [*context, {**written, **served.kind.marked}], **served.kind.continuing}


def path_of(served: Served) -> str:
    """Return the endpoint in use."""
    return "/chat/completions" if served.chat else "/completions"


def refuses_several(message: str) -> bool:
    """Return True if a refusal may be about `n`, the number of samples of a request."""
    return SEVERAL.search(message) is not None


def singles(sampling: Sampling) -> list[Sampling]:
    """Split a call into calls of one sample; vLLM seeds all samples of one request alike."""
    seeds = [None if sampling.seed is None else sampling.seed + i for i in range(sampling.n)]
    return [replace(sampling, n=1, seed=seed) for seed in seeds]


def _logprobs(sampling: Sampling, served: Served) -> dict[str, Any]:
    if not (sampling.logprobs or sampling.confidences or sampling.labels):
        return {}
    most = MOST if served.chat or served.kind is VLLM else FEWEST
    top = most if sampling.labels else sampling.confidences
    return {"logprobs": True, "top_logprobs": top} if served.chat else {"logprobs": top}


def _schema(sampling: Sampling, served: Served) -> dict[str, Any]:
    """Return the fields that hold a solution to a schema; beside chats, vLLM alone has one."""
    if not sampling.schema:
        return {}
    schema = json.loads(sampling.schema)
    if not served.chat:
        return {"structured_outputs": {"json": schema}}
    named = {"name": "answer", "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _of_vllm(sampling: Sampling) -> dict[str, bool]:
    return {
        "include_stop_str_in_output": True,
        "return_token_ids": True,
        # As text, equal-looking tokens would merge; labels, however, are looked up by text.
        "return_tokens_as_token_ids": not sampling.labels,
    }
