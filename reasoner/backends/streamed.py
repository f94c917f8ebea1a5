"""A streamed answer of an OpenAI-compatible server, put together as it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from reasoner.backends.confidences import confidences
from reasoner.errors import BackendError


class Streamed:
    """Server-sent events, joined into the answer that the server would have given at once.

    `prompt` is counted as the prompt's tokens until the server tells them.
    """

    def __init__(self, prompt: int) -> None:
        self._text = list[str]()
        self._ids = list[int]()
        self._logprobs: dict[str, Any] | None = None
        self._last: dict[str, Any] = {}
        self._prompt_ids: list[int] | None = None
        self._usage: dict[str, Any] | None = None
        self._prompt, self._pieces, self._chat = prompt, 0, False

    def add(self, line: str) -> tuple[float, ...] | None:
        """Take in one line; tells the confidences of the tokens it brought, None if it had none."""
        kind, _, data = line.partition(":")
        if kind != "data" or data.strip() == "[DONE]":
            return None
        event = _event(data)
        self._usage = event.get("usage") or self._usage
        self._prompt_ids = self._prompt_ids or event.get("prompt_token_ids")
        if not event.get("choices"):
            return None
        return self._grow(event["choices"][0])

    @property
    def unfinished(self) -> bool:
        return self._last.get("finish_reason") is None

    @property
    def answer(self) -> dict[str, Any]:
        """Everything so far, in the shape of an answer that was not streamed."""
        text = "".join(self._text)
        choice = {"index": 0, "finish_reason": None} | self._last
        choice |= {"message": {"content": text}} if self._chat else {"text": text}
        choice |= {"token_ids": self._ids or None, "logprobs": self._logprobs}
        told = {"prompt_tokens": self._prompt, "completion_tokens": self._pieces}
        return {
            "choices": [choice],
            "usage": self._usage or told,
            "prompt_token_ids": self._prompt_ids,
        }

    def _grow(self, choice: dict[str, Any]) -> tuple[float, ...] | None:
        self._chat = "delta" in choice
        text = choice["delta"].get("content") if self._chat else choice["text"]
        self._prompt_ids = self._prompt_ids or choice.get("prompt_token_ids")
        self._last = {k: choice.get(k) for k in ("finish_reason", "stop_reason") if k in choice}
        if not text and not choice.get("token_ids"):
            return None
        self._text.append(text or "")
        self._ids += choice.get("token_ids") or []
        self._pieces += 1
        if logprobs := choice.get("logprobs"):
            self._logprobs = _joined(self._logprobs, logprobs)
            return confidences(likeliest(logprobs))
        return ()


def likeliest(logprobs: Any) -> Iterator[Sequence[float]]:
    """The highest log-probabilities at each token, in the form of chats or of completions."""
    if not logprobs:
        return
    if "content" in logprobs:
        yield from ([t["logprob"] for t in p["top_logprobs"]] for p in logprobs["content"])
    else:
        yield from (list(p.values()) for p in logprobs.get("top_logprobs") or [] if p)


def first(logprobs: Any) -> dict[str, float]:
    """The likeliest tokens at the first position by their text, in either form."""
    if not logprobs:
        return {}
    if "content" in logprobs:
        tops = [t for p in logprobs["content"][:1] for t in p["top_logprobs"]]
        return {t["token"]: t["logprob"] for t in tops}
    tops = logprobs.get("top_logprobs") or [None]
    return tops[0] or {}


def _event(data: str) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as e:
        raise BackendError(f"the server streamed what is not JSON: {data[:200]!r}") from e
    if not isinstance(event, dict) or "error" in event:
        raise BackendError(f"the server broke off a stream: {data[:200]}")
    return event


def _joined(before: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """Log-probabilities of more and more tokens: every list in them grows."""
    if before is None:
        return {k: list(v) for k, v in new.items() if isinstance(v, list)}
    for key, values in before.items():
        values.extend(new.get(key) or [])
    return before
