"""The application: its routes, and the life of the engine behind them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import uuid4

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from reasoner.base import Backend, release
from reasoner.base import start as start_engines
from reasoner.concurrency import gather
from reasoner.documents import Malformed, parse_model
from reasoner.events import Result
from reasoner.recognition import recognise
from reasoner.server import chat, page, responses, text_completions
from reasoner.server.access import Access
from reasoner.server.admission import Admission
from reasoner.server.api_errors import ApiError, as_api_error, invalid
from reasoner.server.description import description
from reasoner.server.metrics import Metrics
from reasoner.server.model_names import ModelNames
from reasoner.server.request_models import (
    ChatRequest,
    CompletionRequest,
    ResponseRequest,
    SearchRequest,
    TokenizeRequest,
)
from reasoner.server.search_plans import SearchPlan, SearchPlanner
from reasoner.server.searches import Disconnected, Searches, unless_gone
from reasoner.server.server_sent_events import HEADERS
from reasoner.server.settings import ServerSettings

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)
CLOSED = 499
"""The status, in metrics, of a request whose client went away."""


class Server:
    """The routes of one model and its searches."""

    def __init__(
        self, backend: Backend, name: str, settings: ServerSettings, second: Backend | None
    ) -> None:
        self.backend, self.settings = backend, settings
        self._models = [backend] if second is None else [backend, second]
        self.names = ModelNames(name)
        self.admission = Admission(settings)
        self.metrics = Metrics(lambda: self.admission.running, lambda: self.admission.waiting)
        self.access = Access(settings)
        self.planner = SearchPlanner(backend, self.names, settings, second)
        self.searches = Searches(backend, self.admission, self.metrics, second)

    async def start(self) -> None:
        """Start the engine, so that the first request need not wait for it."""
        await recognise(*self._models)
        await start_engines(*self._models)

    async def aclose(self) -> None:
        """Release engine and verifiers."""
        await release(*self._models)
        await self.planner.aclose()

    # -- endpoints ------------------------------------------------------------------------------

    async def models(self, request: Request) -> Response:
        """List the base model and every strategy."""
        self.access.key(request)
        data = [self.names.described(name) for name in self.names.all()]
        return JSONResponse({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        """Describe one model."""
        self.access.key(request)
        return JSONResponse(self.names.described(request.path_params["name"]))

    async def chat(self, request: Request) -> Response:
        """Search for the next turn of a conversation."""
        key, asked = self.access.key(request), await self._read(request, ChatRequest)
        chat.refuse_unsupported(asked)
        plan, count = self.planner.plan(asked, asked.messages), self._count(asked)
        reply = chat.ChatReply(plan, asked, self.backend.model.name)
        if asked.stream:
            return _streamed(reply.stream(self.searches, key, count))
        results = await self._run(request, [plan], count, key)
        return JSONResponse(reply.whole(results[0]))

    async def completions(self, request: Request) -> Response:
        """Search for the continuation of a text."""
        key, asked = self.access.key(request), await self._read(request, CompletionRequest)
        texts, count = text_completions.prompts(asked), self._count(asked)
        if len(texts) * count > self.settings.choices:
            raise invalid(f"at most {self.settings.choices} choices a request", "prompt")
        plans = [self.planner.plan(asked, text) for text in texts]
        reply = text_completions.CompletionReply(plans, asked)
        if asked.stream:
            return _streamed(reply.stream(self.searches, key, count))
        return JSONResponse(reply.whole(await self._run(request, plans, count, key)))

    async def responses(self, request: Request) -> Response:
        """Search for the reply to an input of the Responses API."""
        key, asked = self.access.key(request), await self._read(request, ResponseRequest)
        plan = self.planner.plan(asked, responses.conversation(asked))
        reply = responses.ResponseReply(plan, asked)
        if asked.stream:
            return _streamed(reply.stream(self.searches, key))
        results = await self._run(request, [plan], 1, key)
        return JSONResponse(reply.whole(results[0]))

    async def tokenize(self, request: Request) -> Response:
        """Return the tokens of a text."""
        self.access.key(request)
        asked = await self._read(request, TokenizeRequest)
        encode = getattr(self.backend, "encode", None)
        if encode is None:
            raise ApiError(404, "the tokens of this model are not known here")
        ids = list(encode(asked.prompt))
        context = self.backend.model.context
        return JSONResponse({"tokens": ids, "count": len(ids), "max_model_len": context})

    async def tokenizer_info(self, request: Request) -> Response:
        """Return the token that ends a text, as evaluation harnesses ask for it."""
        self.access.key(request)
        checkpoint = getattr(self.backend, "checkpoint", None)
        end = getattr(checkpoint.tokenizer, "eos_token", None) if checkpoint else None
        return JSONResponse({"eos_token": end or ""})

    async def health(self, _: Request) -> Response:
        """Say that the server answers, and how busy it is."""
        busy = {"running": self.admission.running, "waiting": self.admission.waiting}
        return JSONResponse({"status": "ok", **busy})

    async def prometheus(self, _: Request) -> Response:
        """Return counters and histograms."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    # -- parts ----------------------------------------------------------------------------------

    async def _read(self, request: Request, kind: type[M]) -> M:
        """Return the body of a request as a `kind`.

        Raises:
            ApiError: it is none.
        """
        body = await self.access.body(request)
        try:
            return parse_model(kind, body)
        except Malformed as e:
            raise invalid(str(e)) from e

    def _count(self, asked: SearchRequest) -> int:
        """Return the number of independent searches of a request."""
        if asked.n > self.settings.choices:
            raise invalid(f"n is at most {self.settings.choices} here, not {asked.n}", "n")
        return 1 if asked.reasoner.choices == "ranked" else asked.n

    async def _run(
        self, request: Request, plans: Sequence[SearchPlan], count: int, key: str
    ) -> list[list[Result]]:
        """Return the results of each plan's searches; stop them when the client goes away."""

        calls = (self.searches.run_all(plan, count, key) for plan in plans)
        return await unless_gone(gather(calls), _gone(request))


async def _gone(request: Request) -> None:
    """Return when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _streamed(parts: AsyncGenerator[str]) -> Response:
    return StreamingResponse(parts, media_type="text/event-stream", headers=HEADERS)


Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    backend: Backend,
    name: str,
    settings: ServerSettings | None = None,
    second: Backend | None = None,
) -> FastAPI:
    """Return the application that serves searches on `backend` as model `name`.

    `second` is the other model of the strategies that use one.

    Raises:
        ConfigError: the components that `settings` name do not exist, or do not suit the model.
    """
    server = Server(backend, name, settings or ServerSettings(), second)
    server.planner.check()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        await server.start()
        try:
            yield
        finally:
            await server.aclose()

    app = FastAPI(title="reasoner", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.openapi = lambda: description(app.version)  # type: ignore[method-assign]
    app.state.server = server
    for method, path, endpoint in (
        ("GET", "/v1/models", server.models),
        ("GET", "/v1/models/{name:path}", server.model),
        ("POST", "/v1/chat/completions", server.chat),
        ("POST", "/v1/completions", server.completions),
        ("POST", "/v1/responses", server.responses),
        ("POST", "/tokenize", server.tokenize),
        ("GET", "/tokenizer_info", server.tokenizer_info),
        ("GET", "/health", server.health),
        ("GET", "/metrics", server.prometheus),
    ):
        app.add_route(path, _guarded(server, path, endpoint), methods=[method])
    app.add_route("/", page.index)
    app.add_route("/static/{name}", page.static)
    app.add_exception_handler(HTTPException, _http_error)
    return app


def _guarded(server: Server, path: str, endpoint: Endpoint) -> Endpoint:
    """Return an endpoint whose errors are replies, and which is counted."""

    async def guarded(request: Request) -> Response:
        try:
            response = await endpoint(request)
        except Disconnected:
            response = Response(status_code=CLOSED)
        except asyncio.CancelledError:
            raise
        except Exception as e:
            error = as_api_error(e)
            response = JSONResponse(error.as_json(), error.status, headers=error.headers)
        server.metrics.answered(path, response.status_code)
        response.headers["x-request-id"] = uuid4().hex
        return response

    return guarded


async def _http_error(_: Request, error: Exception) -> Response:
    """Answer a wrong path or method as the API does."""
    assert isinstance(error, HTTPException)
    refusal = ApiError(error.status_code, str(error.detail))
    return JSONResponse(refusal.as_json(), error.status_code, headers=error.headers)
