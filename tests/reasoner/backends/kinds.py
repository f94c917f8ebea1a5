"""Servers on loopback that behave as those of vLLM, OpenAI, DeepSeek, Ollama and llama.cpp, and a bare one.

The shapes of requests, replies and refusals are those of their public documentation. The model behind
each thinks, adds two numbers in one line, and answers in another.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from re import search
from typing import Any

from tests.reasoner.backends.loopback import DONE, STREAM, Asked, Loopback, http

THOUGHT, STEPS = "Two numbers.", ("1+2=3\n", "#3")
PROMPT, DECODED, CACHED = 12, 9, 4
"""Token counts of a request, as a server reports them."""

COMMON = frozenset(
    ["model", "messages", "temperature", "top_p", "max_tokens", "seed", "stop", "stream", "stream_options",
     "logprobs", "top_logprobs"]
)  # fmt: skip
OF_VLLM = ("include_stop_str_in_output", "return_token_ids", "return_tokens_as_token_ids",
           "continue_final_message", "add_generation_prompt")  # fmt: skip
LOCAL = ("n", "top_k", "min_p", "prompt")

Refusal = Callable[[Asked], tuple[int, object] | None]


def error(message: str, status: int = 400) -> tuple[int, object]:
    """A refusal as OpenAI words it."""
    return status, {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    }


def no_second_choice(asked: Asked) -> tuple[int, object] | None:
    """llama.cpp draws one sample a request."""
    if asked.get("n", 1) > 1:
        return error("Only one completion choice is allowed")
    return None


def no_old_names(asked: Asked) -> tuple[int, object] | None:
    """OpenAI's reasoning models refuse older fields."""
    for name in ("max_tokens", "temperature", "top_p"):
        if name in asked:
            return error(f"Unsupported parameter: '{name}' is not supported with this model.")
    return None


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of one kind of server.

    Attributes:
        thinking: the field of the message in which it sends the thinking, if it does.
        takes: the fields of requests that it knows; it refuses others. None: it ignores them.
        pages: what its other addresses answer.
        refuses: refusals of requests with known fields.
        draws: it draws as many samples as requested.
        completions: it has the endpoint of completions.
        message, reply, usage: further fields of a message, a reply and its usage.
        counts: it reports usage.
        continues: it continues the assistant's last message, if the request or message has this field.
    """

    thinking: str | None
    takes: frozenset[str] | None
    pages: Mapping[str, object] = field(default_factory=dict[str, object])
    refuses: Refusal = lambda _: None
    draws: bool = False
    completions: tuple[int, object] = (404, "404 page not found")
    message: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reply: Mapping[str, Any] = field(default_factory=dict[str, Any])
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    counts: bool = True
    continues: str | None = None


def models(owner: str) -> dict[str, object]:
    """The list of models, with the owner that tells the server."""
    return {
        "/v1/models": {
            "object": "list",
            "data": [{"id": "m", "object": "model", "owned_by": owner}],
        }
    }


CACHE = {"prompt_tokens_details": {"cached_tokens": CACHED}}
KINDS = {
    "vllm": Behaviour(
        "reasoning", COMMON | {*OF_VLLM, *LOCAL, "reasoning_effort"},
        models("vllm") | {"/version": {"version": "0.32.0"},
                          "/tokenize": {"count": 3, "max_model_len": 512, "tokens": [1, 2, 3]}},
        draws=True, message={"tool_calls": [], "annotations": None, "audio": None},
        reply={"prompt_token_ids": [*range(PROMPT)], "kv_transfer_params": None}, usage=CACHE,
        continues="continue_final_message",
    ),
    "openai": Behaviour(
        None, COMMON - {"max_tokens"} | {"n", "max_completion_tokens", "reasoning_effort", "max_tokens"},
        models("system"), no_old_names, draws=True,
        completions=error("This is a chat model and not supported in the v1/completions endpoint.", 404),
        message={"refusal": None, "annotations": []}, reply={"service_tier": "default"},
        usage=CACHE | {"completion_tokens_details": {"reasoning_tokens": 5}},
    ),
    "deepseek": Behaviour(
        "reasoning_content", None, models("deepseek"), message={"tool_calls": None},
        usage={"prompt_cache_hit_tokens": CACHED, "prompt_cache_miss_tokens": PROMPT - CACHED},
    ),
    "ollama": Behaviour(
        "reasoning", None, models("library"), reply={"system_fingerprint": "fp_ollama"},
    ),
    "llama.cpp": Behaviour(
        "reasoning_content", None,
        models("llamacpp") | {"/props": {"chat_template": "{{ messages }}", "total_slots": 1}},
        no_second_choice, reply={"timings": {"predicted_n": DECODED, "prompt_n": PROMPT}},
        usage=CACHE, continues="role",
    ),
    "other": Behaviour(None, COMMON | {"n"}, message={"name": None}, counts=False),
}  # fmt: skip


class Kind(Loopback):
    """A server of one kind; it records the bodies and sessions of what it generated."""

    def __init__(self, name: str) -> None:
        super().__init__({})
        self.name, self.behaviour = name, KINDS[name]
        self.bodies, self.sessions = list[Asked](), list[str]()

    def _sent(self, head: bytes, asked: Asked) -> AsyncIterator[bytes]:
        path = head.split()[1].decode()
        status, content = self._answer(path, head.startswith(b"POST"), asked)
        if status == 200 and path.startswith("/v1/chat"):
            session = search(rb"(?i)x-session-id: (\w+)", head)
            self.bodies.append(asked)
            self.sessions.append(session[1].decode() if session else "")
            if asked.get("stream"):
                return bytes_of(STREAM + self._events(content).encode())
        return bytes_of(http(content, status))

    def _answer(self, path: str, posted: bool, asked: Asked) -> tuple[int, Any]:
        if path in self.behaviour.pages and posted == (path == "/tokenize"):
            return 200, self.behaviour.pages[path]
        if path == "/v1/completions" and posted:
            return self.behaviour.completions
        if path != "/v1/chat/completions" or not posted:
            return 404, "404 page not found"
        takes = self.behaviour.takes
        if takes is not None and (unknown := sorted(asked.keys() - takes)):
            return error(f"Unrecognized request argument supplied: {unknown[0]}")
        return self.behaviour.refuses(asked) or (200, self._reply(asked))

    def _reply(self, asked: Asked) -> dict[str, Any]:
        count = asked.get("n", 1) if self.behaviour.draws else 1
        usage = {
            "prompt_tokens": PROMPT, "completion_tokens": count * DECODED,
            "total_tokens": PROMPT + count * DECODED, **self.behaviour.usage,
        }  # fmt: skip
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [self._choice(i, asked) for i in range(count)],
            **({"usage": usage} if self.behaviour.counts else {}), **self.behaviour.reply,
        }  # fmt: skip

    def _choice(self, index: int, asked: Asked) -> dict[str, Any]:
        last, stop = asked["messages"][-1], asked.get("stop")
        written = self._written(last, asked)
        text = "".join(STEPS).removeprefix(written) if len(written) < len("".join(STEPS)) else ""
        of_vllm = bool(asked.get("return_token_ids"))
        stopped = bool(stop) and "\n" in text
        if stopped:
            text = text.partition("\n")[0] + ("\n" if of_vllm else "")
        message = {"role": "assistant", "content": text, **self.behaviour.message}
        if self.behaviour.thinking and not written:
            message[self.behaviour.thinking] = THOUGHT
        ids = {"token_ids": [*range(DECODED)], "stop_reason": "\n" if stopped else None}
        return {
            "index": index, "message": message, "finish_reason": "stop", "logprobs": None,
            **(ids if of_vllm else {}),
        }  # fmt: skip

    def _written(self, last: Mapping[str, Any], asked: Asked) -> str:
        """Return what is continued: the assistant's last message, without the thinking."""
        sign = self.behaviour.continues
        if last["role"] != "assistant" or not (sign and (sign in last or asked.get(sign))):
            return ""
        return str(last["content"]).rpartition("</think>\n\n")[2]

    def _events(self, reply: dict[str, Any]) -> str:
        """Stream the reply: the role, the thinking, the text in pieces, the end, and the usage."""
        [choice] = reply.pop("choices")
        usage, message = reply.pop("usage", None), choice.pop("message")
        thinking = self.behaviour.thinking
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if thinking and thinking in message:
            deltas += [{thinking: piece, "content": None} for piece in (THOUGHT[:5], THOUGHT[5:])]
        deltas += [{"content": piece} for piece in message["content"]]
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        pieces = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        chunks = [reply | {"choices": [piece]} for piece in (*pieces, last)]
        if usage:
            chunks.append(reply | {"choices": [], "usage": usage})
        return ": keep-alive\n\n" + "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + DONE


async def bytes_of(content: bytes) -> AsyncIterator[bytes]:
    """Send this."""
    yield content
