"""`/v1/completions`: a text, and a search for its continuation."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any
from uuid import uuid4

from reasoner.concurrency import gather
from reasoner.events import Result
from reasoner.server.answers import choices, details, usage
from reasoner.server.api_errors import invalid, unsupported
from reasoner.server.request_models import CompletionRequest
from reasoner.server.search_plans import SearchPlan
from reasoner.server.searches import Searches
from reasoner.server.server_sent_events import event, while_running

Json = dict[str, Any]


def prompts(request: CompletionRequest) -> list[str]:
    """Return the texts of a request.

    Raises:
        ApiError: they are tokens, or a field asks for what a search has not.
    """
    if request.echo:
        raise unsupported("echo", "ask the server of the model itself")
    if request.logprobs is not None:
        raise unsupported("logprobs", "ask the server of the model itself")
    if request.suffix:
        raise unsupported("suffix", "put it into the prompt")
    if request.best_of not in (None, 1):
        raise unsupported("best_of", "name a strategy, as in model 'BASE:best-of-n'")
    texts = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    if not all(isinstance(text, str) for text in texts):
        raise invalid("prompt is a text or a list of texts here, not tokens", "prompt")
    return [str(text) for text in texts]


class CompletionReply:
    """The reply to the prompts of one request."""

    def __init__(self, plans: Sequence[SearchPlan], request: CompletionRequest) -> None:
        self._plans, self._request = plans, request
        self._head: Json = {
            "id": f"cmpl-{uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": request.model,
        }

    def whole(self, results: Sequence[Sequence[Result]]) -> Json:
        """Return the reply as one object: the choices of the first prompt, then those of the next."""
        each = [
            choices(own, plan, self._request.n)
            for own, plan in zip(results, self._plans, strict=True)
        ]
        every = [result for own in results for result in own]
        given = [choice for own in each for choice in own]
        return {
            **self._head,
            "choices": [
                {
                    "index": i,
                    "text": choice.content or choice.reasoning,
                    "finish_reason": choice.finish,
                    "logprobs": None,
                }
                for i, choice in enumerate(given)
            ],
            "usage": usage(every, given),
            "reasoner": details(every, self._plans[0]),
        }

    def stream(self, searches: Searches, key: str, count: int) -> AsyncGenerator[str]:
        """Return a chunk for each choice, once all searches have ended."""

        async def search(send: Callable[[str], None]) -> None:
            results = await gather(searches.run_all(plan, count, key) for plan in self._plans)
            reply = self.whole(results)
            tail = {"usage": reply.pop("usage"), "reasoner": reply.pop("reasoner")}
            for choice in reply.pop("choices"):
                send(event({**reply, "choices": [choice]}))
            if self._request.reports_usage:
                send(event({**reply, "choices": [], **tail}))

        return while_running(search)
