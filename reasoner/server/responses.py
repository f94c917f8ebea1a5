"""`/v1/responses`: the same searches in OpenAI's newer API, with its whole life cycle of events."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from itertools import count
from typing import Any
from uuid import uuid4

from reasoner.events import Result
from reasoner.server.answers import ReplyChoice, choices, details, usage
from reasoner.server.api_errors import ApiError, invalid, unsupported
from reasoner.server.request_models import ResponseRequest
from reasoner.server.search_plans import SearchPlan
from reasoner.server.searches import Searches
from reasoner.server.server_sent_events import event, while_running

Json = dict[str, Any]
TEXTS = ("input_text", "output_text", "text")
DROPPED = ("reasoning", "item_reference")
"""Items of earlier replies that are no turn of the conversation."""


def conversation(request: ResponseRequest) -> list[Json]:
    """Return the input as messages, after the instructions.

    Raises:
        ApiError: an item or a field asks for what is not stored or done here.
    """
    for name in ("background", "previous_response_id", "tools"):
        if getattr(request, name):
            raise unsupported(name, "nothing is stored here, and no tool is called")
    messages = [{"role": "system", "content": request.instructions}] if request.instructions else []
    if isinstance(request.input, str):
        return [*messages, {"role": "user", "content": request.input}]
    return [*messages, *_messages(request.input)]


def _messages(items: Sequence[Json]) -> Iterator[Json]:
    for item in items:
        kind = item.get("type", "message")
        if kind in DROPPED:
            continue
        if kind != "message":
            raise invalid(f"input items of type {str(kind)[:40]!r} are not supported", "input")
        content = item.get("content")
        parts = map(_part, content) if isinstance(content, list) else None
        yield {"role": item.get("role"), "content": list(parts) if parts else content}


def _part(part: Any) -> Any:
    """Return a part of a message as the chat API has it."""
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in TEXTS:
        return {"type": "text", "text": part.get("text")}
    if kind == "input_image":
        return {"type": "image_url", "image_url": {"url": part.get("image_url")}}
    raise invalid(f"parts of type {str(kind)[:40]!r} are not supported", "input")


class ResponseReply:
    """The reply to one request, whole or as a stream of typed events."""

    def __init__(self, plan: SearchPlan, request: ResponseRequest) -> None:
        self._plan, self._request = plan, request
        self._head: Json = {
            "id": f"resp_{uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "model": request.model,
            "error": None,
            "incomplete_details": None,
            "instructions": request.instructions,
            "metadata": {},
            "parallel_tool_calls": False,
            "temperature": plan.sampling.temperature,
            "top_p": plan.sampling.top_p,
            "tool_choice": "none",
            "tools": [],
            "reasoning": {"effort": request.effort, "summary": None},
            "text": {"format": request.text_format},
            "truncation": "disabled",
            "max_output_tokens": request.longest,
        }
        self._items = f"rs_{uuid4().hex}", f"msg_{uuid4().hex}"

    def whole(self, results: Sequence[Result]) -> Json:
        """Return the reply as one object."""
        [choice] = given = choices(results, self._plan, 1)
        spent = usage(results, given)
        output = [self._reasoning(choice)] if choice.reasoning else []
        return {
            **self._head,
            **_status(choice),
            "output": [*output, self._message(choice)],
            "usage": {
                "input_tokens": spent["prompt_tokens"],
                "input_tokens_details": {**spent["prompt_tokens_details"], "cache_write_tokens": 0},
                "output_tokens": spent["completion_tokens"],
                "output_tokens_details": spent["completion_tokens_details"],
                "total_tokens": spent["total_tokens"],
            },
            "reasoner": details(results, self._plan),
        }

    def stream(self, searches: Searches, key: str) -> AsyncGenerator[str]:
        """Return the events of the reply; an error is the event `response.failed`."""
        numbers, begun = count(), {**self._head, "status": "in_progress", "output": []}

        def typed(kind: str, **fields: Any) -> str:
            return event({"type": kind, "sequence_number": next(numbers), **fields}, kind)

        async def search(send: Callable[[str], None]) -> None:
            send(typed("response.created", response=begun))
            send(typed("response.in_progress", response=begun))
            results = await searches.run_all(self._plan, 1, key)
            reply = self.whole(results)
            for i, item in enumerate(reply["output"]):
                for kind, fields in _life(item, i):
                    send(typed(kind, **fields))
            send(typed(f"response.{reply['status']}", response=reply))

        def failed(error: ApiError) -> str:
            message = error.as_json()["error"]["message"]
            failure = {"code": error.code or "server_error", "message": message}
            return typed(
                "response.failed", response={**begun, "status": "failed", "error": failure}
            )

        return while_running(search, failed, end="")

    def _reasoning(self, choice: ReplyChoice) -> Json:
        content = [{"type": "reasoning_text", "text": choice.reasoning}]
        return {
            "type": "reasoning", "id": self._items[0], "summary": [], "content": content,
            "status": "completed",
        }  # fmt: skip

    def _message(self, choice: ReplyChoice) -> Json:
        text = {"type": "output_text", "text": choice.content, "annotations": [], "logprobs": []}
        return {
            "type": "message", "id": self._items[1], "role": "assistant", "content": [text],
            "status": _status(choice)["status"],
        }  # fmt: skip


def _status(choice: ReplyChoice) -> Json:
    if choice.finish == "stop":
        return {"status": "completed"}
    return {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


def _life(item: Json, index: int) -> Iterator[tuple[str, Json]]:
    """Yield the events of an item of the output, from its beginning to its end."""
    [part] = item["content"]
    text, kind = part["text"], part["type"]
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    added = {"output_index": index, "item": {**item, "content": [], "status": "in_progress"}}
    yield "response.output_item.added", added
    yield "response.content_part.added", {**place, "part": {**part, "text": ""}}
    logprobs: Json = {"logprobs": []} if kind == "output_text" else {}
    if text:
        yield f"response.{kind}.delta", {**place, "delta": text, **logprobs}
    yield f"response.{kind}.done", {**place, "text": text, **logprobs}
    yield "response.content_part.done", {**place, "part": part}
    yield "response.output_item.done", {"output_index": index, "item": item}
