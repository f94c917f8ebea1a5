"""`/v1/chat/completions`: a conversation, and a search for its next turn."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any
from uuid import uuid4

from reasoner.events import AnswerOffered, Event, Result, StepSampled, StepScored
from reasoner.printable import one_line
from reasoner.server.answers import ReplyChoice, choices, details, usage
from reasoner.server.api_errors import unsupported
from reasoner.server.request_models import ChatRequest
from reasoner.server.search_plans import SearchPlan
from reasoner.server.searches import Searches
from reasoner.server.server_sent_events import event, while_running

Json = dict[str, Any]


def refuse_unsupported(request: ChatRequest) -> None:
    """Raise an `ApiError` for a field that would change the answer and has no effect here."""
    if request.tools or request.functions:
        raise unsupported("tools", "ask the server of the model itself")
    if request.logprobs:
        raise unsupported("logprobs", "ask the server of the model itself")


class ChatReply:
    """The reply to one chat request, whole or as a stream of chunks."""

    def __init__(self, plan: SearchPlan, request: ChatRequest, fingerprint: str) -> None:
        self._plan, self._request = plan, request
        self._head: Json = {
            "id": f"chatcmpl-{uuid4().hex}",
            "created": int(time.time()),
            "model": request.model,
            "system_fingerprint": fingerprint,
        }

    def whole(self, results: Sequence[Result]) -> Json:
        """Return the reply as one object."""
        given = choices(results, self._plan, self._request.n)
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [
                {
                    "index": i,
                    "message": {"role": "assistant", "refusal": None, **_text(choice)},
                    "finish_reason": choice.finish,
                    "logprobs": None,
                }
                for i, choice in enumerate(given)
            ],
            "usage": usage(results, given),
            "reasoner": details(results, self._plan),
        }

    def stream(self, searches: Searches, key: str, count: int) -> AsyncGenerator[str]:
        """Return the reply in chunks: the role at once, progress as reasoning, then the answers.

        An error after the first chunk is an event of its own, after which the stream ends.
        """

        async def search(send: Callable[[str], None]) -> None:
            send(self._chunk(0, {"role": "assistant", "content": ""}))
            follow = self._steps if self._request.reasoner.events else self._progress
            results = await searches.run_all(self._plan, count, key, follow(send))
            if self._request.reasoner.events:
                chosen = results[0].chosen
                send(self._event({"type": "chosen", "id": chosen.id if chosen else None}))
            given = choices(results, self._plan, self._request.n)
            for i, choice in enumerate(given):
                self._send_choice(send, i, choice)
            if self._request.reports_usage:
                tail = {"usage": usage(results, given), "reasoner": details(results, self._plan)}
                send(event({**self._head, "object": OBJECT, "choices": [], **tail}))

        return while_running(search)

    def _send_choice(self, send: Callable[[str], None], index: int, choice: ReplyChoice) -> None:
        if index:
            send(self._chunk(index, {"role": "assistant", "content": ""}))
        if choice.reasoning:
            text = choice.reasoning
            send(self._chunk(index, {"reasoning": text, "reasoning_content": text}))
        if choice.content:
            send(self._chunk(index, {"content": choice.content}))
        send(self._chunk(index, {}, choice.finish))

    def _progress(self, send: Callable[[str], None]) -> Callable[[Event], None]:
        """Return a listener that tells each new best answer as reasoning."""
        last: str | None = None

        def listen(happened: Event) -> None:
            nonlocal last
            if isinstance(happened, AnswerOffered) and happened.answer not in (None, last):
                last = happened.answer
                line = f"best answer so far: {one_line(str(last))[:200]}\n"
                send(self._chunk(0, {"reasoning": line, "reasoning_content": line}))

        return listen

    def _steps(self, send: Callable[[str], None]) -> Callable[[Event], None]:
        """Return a listener that tells every step and every score."""

        def listen(happened: Event) -> None:
            if isinstance(happened, StepSampled) and (piece := happened.node.completion):
                send(
                    self._event(
                        {
                            "type": "sampled", "id": happened.node.id, "parent": happened.parent,
                            "text": piece.text, "tokens": piece.sampled_tokens,
                        }
                    )
                )  # fmt: skip
            elif isinstance(happened, StepScored):
                node = happened.node
                send(self._event({"type": "scored", "id": node.id, "score": node.score}))

        return listen

    def _event(self, happened: Json) -> str:
        """Return a chunk without choices, which clients pass over."""
        return event({**self._head, "object": OBJECT, "choices": [], "reasoner_event": happened})

    def _chunk(self, index: int, delta: Json, finish: str | None = None) -> str:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
        extra = {"usage": None} if self._request.reports_usage else {}
        return event({**self._head, "object": OBJECT, "choices": [choice], **extra})


OBJECT = "chat.completion.chunk"


def _text(choice: ReplyChoice) -> Json:
    reasoning = choice.reasoning or None
    return {
        "content": choice.content, "reasoning": reasoning, "reasoning_content": reasoning,
    }  # fmt: skip
