"""Backend for any OpenAI-compatible server: completions or chat, with retries."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field

from reasoner.backends.address import default_address
from reasoner.backends.connection import DAY, CallLimits, Connection, NoSuchEndpoint
from reasoner.backends.headers import Sessions, chosen_key
from reasoner.backends.openai_reply import UNKNOWN, StandIns, completion_of, joined, usage_of
from reasoner.backends.openai_request import (
    RequestFields,
    TokenLimit,
    chat_prompt,
    further_fields,
    path_of,
    refuses_several,
    singles,
)
from reasoner.backends.openai_stream import Streamed
from reasoner.backends.prompt_template import Shots, Template
from reasoner.backends.replies import Event, Reply, ReportedUsage, ServedSample, reported_usage
from reasoner.backends.server_kinds import OTHER, VLLM, KindName, Served, check_fields, recognise
from reasoner.backends.token_counter import TokenCounter
from reasoner.backends.verdict_tokens import table
from reasoner.base import Halt, ModelInfo
from reasoner.bill import add_to_bill, billed
from reasoner.concurrency import gather
from reasoner.errors import AccessDenied, BackendError, ConfigError
from reasoner.messages import Messages
from reasoner.traits import BackendTraits
from reasoner.types import Generation, Prompt, Sampling, Usage


class OpenAI:
    """A served model. The kind of server is looked up once, and vLLM returns token ids and stop reasons too.

    Args:
        model: the name the server knows the model by.
        base_url: the address up to and including `/v1`; by default the environment variable
            OPENAI_BASE_URL, or else http://127.0.0.1:8000/v1.
        api_key: sent as a bearer token; by default the environment variable OPENAI_API_KEY; no token
            is sent if empty.
        api_key_env: the environment variable that holds the key, in place of `api_key`.
        headers: further headers of every request. Their values are secrets: no file and no message
            has them.
        server: the kind of server, in place of looking it up.
        chat: use the chat endpoint; by default where the model chats: it has a chat template (vLLM,
            llama.cpp), or the server has no other endpoint.
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
            default for vLLM and for servers that draw one sample a request. Others report (and bill)
            the prompt once per request.
        context: the model's context length in tokens, if known.
        parameters: the model's number of (active) parameters, if known, so that FLOPs are counted.
        tokenizer: a folder or Hugging Face name of the model's tokenizer, which counts the tokens that
            a server does not report.
        max_tokens: the most tokens that a request asks for.
        token_limit: the name of the field that limits tokens; by default `max_completion_tokens` for
            chats of OpenAI, else `max_tokens`.
        top_k: sample among so many tokens.
        min_p: sample among tokens of at least this share of the likeliest one's probability.
        reasoning_effort: the effort of a reasoning model, such as "low".
        extra_body: further fields of every request, such as `chat_template_kwargs` or
            `thinking_token_budget`. A field that the backend sets itself is refused: the ledger relies
            on it.
        verdicts: the served model's folder, if a vLLM server writes verdicts into tokens
            (`--logits-processors reasoner.backends.verdict_logits:Levels`).
        transport: an alternative httpx transport, for tests.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        api_key_env: str | None = None,
        headers: Mapping[str, str] = {},
        server: KindName | None = None,
        chat: bool | None = None,
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
        parameters: Annotated[float, Field(ge=0, le=1e15)] = 0,
        tokenizer: str | Path | None = None,
        max_tokens: Annotated[int, Field(ge=1)] | None = None,
        token_limit: TokenLimit | None = None,
        top_k: Annotated[int, Field(ge=-1)] | None = None,
        min_p: Annotated[float, Field(ge=0, le=1)] | None = None,
        reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
        | None = None,
        extra_body: Mapping[str, Any] = {},
        verdicts: str | Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        limits = CallLimits(
            retries=retries, backoff=backoff, longest_pause=longest_pause, timeout=timeout,
            patience=patience, max_body=max_body, connections=connections,
        )  # fmt: skip
        chosen = {"top_k": top_k, "min_p": min_p, "reasoning_effort": reasoning_effort}
        self.model = ModelInfo(model, context, int(parameters))
        key = chosen_key(api_key, api_key_env)
        url = default_address() if base_url is None else base_url
        self._server = Connection(url, key, limits, transport, headers)
        self._kind: KindName | None = server
        self._chat, self._template = chat, Template(system, shots)
        self._verdicts = table(Path(verdicts)) if verdicts else {}
        self._separate = separate
        self._fields = RequestFields(
            model, token_limit, max_tokens,
            {name: value for name, value in chosen.items() if value is not None},
            further_fields(extra_body),
        )  # fmt: skip
        self._counter = TokenCounter(tokenizer)
        self._served: Served | None = None
        self._single, self._sessions = False, Sessions()
        self._problem_ids = dict[tuple[str, Messages], list[int]]()

    @property
    def traits(self) -> BackendTraits:
        """The abilities of servers with this interface; a server without one of them answers without it.

        Only a vLLM server is known to have them all. Whether a chat can be continued is known once the
        server was recognised.
        """
        served = self._served
        return BackendTraits(
            verdicts=bool(self._verdicts), logprobs=True, confidences=True, labels=True, watches=True,
            continues=served is None or served.continues, tells_ends=served is None or served.kind is VLLM,
            assured=self._kind == "vllm", images=served.chat if served else self._chat is not False,
            thinking_budget=True, schemas=served.schemas if served else self._chat is not False,
        )  # fmt: skip

    def prompt_length(self, prompt: Prompt) -> int:
        """Return the prompt's tokens once the server reported them, or as the tokenizer counts them.

        Without both, its characters are a bound.
        """
        written = len(prompt.token_ids or prompt.text)
        if (known := self._problem_ids.get(prompt.problem.key)) is not None:
            return len(known) + written
        chat = self._served.chat if self._served else bool(self._chat)
        return self._counter.prompt(self._template, prompt.problem, chat) + written

    def encode(self, text: str) -> tuple[int, ...]:
        """Return one unknown token per character, an upper bound."""
        return (UNKNOWN,) * len(text)

    async def recognise(self) -> None:
        """Look up the kind of server, and if the model chats. An unreachable server is looked up again later.

        Raises:
            ConfigError: a server of this kind does not take one of the settings.
        """
        if self._served is None:
            name = self.model.name
            served = await recognise(self._server, name, self._kind, self._chat)
            if served:
                check_fields(served.kind, self._fields.sampling)
            self._served = self._served or served

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Sample `sampling.n` continuations; see `separate` for the number of requests.

        A count missing in a reply's usage is the tokenizer's, or its upper bound: the prompt's
        characters, all requested tokens, nothing cached.

        Raises:
            AccessDenied: the server refuses every request: no access, or an unknown model.
            ConfigError: the server refuses this request, for example as too long, or cannot continue it.
            BackendError: no answer after all tries, or an invalid one.
        """
        served, wanted = await self._serving(prompt), self._fields.clipped(sampling)
        alone = self._single or not served.kind.samples or served.kind is VLLM
        if wanted.n == 1 or (alone if self._separate is None else self._separate):
            return await self._each(prompt, singles(wanted), served)
        return await self._together(prompt, wanted, served)

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """Stream one sample; close the connection as soon as `halt` returns True.

        For an aborted sample, no server reports the cached tokens, and only a vLLM server reports the
        usage so far; with others, the prompt counts at its bound and the tokens are those that arrived.
        """
        served, wanted = await self._serving(prompt), self._fields.clipped(sampling)
        streamed = Streamed()
        try:
            aborted = await self._follow(prompt, wanted, served, streamed, halt)
            if streamed.unfinished and not aborted:
                raise self._server.error("ended a stream before the sample's end")
        except BaseException:
            if streamed.pieces:
                add_to_bill(self._usage(prompt, wanted, streamed.usage, [streamed.sample]))
            raise
        usage = self._usage(prompt, wanted, streamed.usage, [streamed.sample])
        self._remember(prompt, streamed.prompt_ids)
        completion = completion_of(streamed.sample, wanted, usage.completion_tokens, self._verdicts)
        return Generation((completion,), usage)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    async def _serving(self, prompt: Prompt) -> Served:
        """Return the recognised server; a completions server of an unknown kind until it answers.

        Raises:
            ConfigError: it cannot continue the beginning of a solution.
        """
        await self.recognise()
        served = self._served or Served(OTHER, bool(self._chat))
        if prompt.text:
            served.check_continuing(self.model.name)
        return served

    async def _each(self, prompt: Prompt, parts: list[Sampling], served: Served) -> Generation:
        """Send a request for each of `parts`, all at once."""
        if len(parts) == 1:
            return await self._ask(prompt, parts[0], served)
        return joined(await gather(billed(self._ask(prompt, one, served)) for one in parts))

    async def _together(self, prompt: Prompt, sampling: Sampling, served: Served) -> Generation:
        """Ask for all samples in one request; where the server ignores or refuses `n`, for the rest alone."""
        parts = singles(sampling)
        try:
            first = await billed(self._ask(prompt, sampling, served))
        except AccessDenied:
            raise
        except ConfigError as e:
            if not refuses_several(str(e)):
                raise
            first = await billed(self._ask(prompt, parts[0], served))
        if not (rest := parts[len(first.completions) :]):
            return first
        self._single = True
        return joined([first, await self._each(prompt, rest, served)])

    async def _ask(self, prompt: Prompt, sampling: Sampling, served: Served) -> Generation:
        """Send one request and return its samples: fewer than requested only where `n` is ignored."""
        body = self._body(prompt, sampling, served)
        try:
            content = await self._server.post(
                path_of(served), body, self._sessions.header(prompt.problem)
            )
        except NoSuchEndpoint as e:
            return await self._ask(prompt, sampling, self._chatting(served, sampling, e))
        try:
            return self._generation(prompt, sampling, self._server.read(Reply, content))
        except BackendError:
            if spent := reported_usage(content):  # It was paid, whatever is wrong with the rest.
                add_to_bill(self._usage(prompt, sampling, spent, []))
            raise

    def _generation(self, prompt: Prompt, sampling: Sampling, reply: Reply) -> Generation:
        choices = sorted(reply.choices, key=lambda choice: choice.index)
        if not 0 < len(choices) <= sampling.n:
            raise self._server.error(f"sent {len(choices)} samples instead of {sampling.n}")
        samples = [ServedSample().add(choice) for choice in choices]
        usage = self._usage(prompt, sampling, reply.usage or ReportedUsage(), samples)
        self._remember(prompt, reply.prompt_token_ids or choices[0].prompt_token_ids)
        decoded = usage.completion_tokens // len(samples)
        found = (completion_of(s, sampling, decoded, self._verdicts) for s in samples)
        return Generation(tuple(found), usage)

    def _chatting(self, served: Served, sampling: Sampling, error: NoSuchEndpoint) -> Served:
        """Return the server as one that only chats, where that is possible; else raise `error`."""
        if served.chat or self._chat is not None or served.kind is VLLM:
            raise error
        chatting = replace(served, chat=True)
        if sampling.stop and not chatting.continues:
            raise ConfigError(
                f"{error}; if it only chats, use chat=True and a strategy of whole solutions, such as 'best-of-n'"
            )
        self._served = chatting
        return chatting

    async def _follow(
        self, prompt: Prompt, sampling: Sampling, served: Served, streamed: Streamed, halt: Halt
    ) -> bool:
        """Add a stream's events to `streamed`; return True if `halt` ended it."""
        more = {"continuous_usage_stats": True} if served.kind is VLLM else {}
        body = self._body(prompt, sampling, served)
        body |= {"stream": True, "stream_options": {"include_usage": True} | more}
        stream = self._server.stream(
            path_of(served), body, Event, self._sessions.header(prompt.problem)
        )
        try:
            async with aclosing(stream) as events:
                async for event in events:
                    new = streamed.add(event)
                    if new is not None and halt(new) and streamed.unfinished:
                        return True
        except NoSuchEndpoint as e:
            chatting = self._chatting(served, sampling, e)
            return await self._follow(prompt, sampling, chatting, streamed, halt)
        except BackendError:
            if streamed.unfinished:  # Only the usage follows the end, and it has a bound.
                raise
        return False

    def _body(self, prompt: Prompt, sampling: Sampling, served: Served) -> dict[str, Any]:
        several = served.kind.samples and not (self._single and sampling.n == 1)
        body = self._fields.body(sampling, served, n=several)
        return body | self._prompt(prompt, served)

    def _prompt(self, prompt: Prompt, served: Served) -> dict[str, Any]:
        if served.chat:
            return chat_prompt(self._template, prompt, served)
        ids = self._problem_ids.get(prompt.problem.key)
        if ids and prompt.token_ids and UNKNOWN not in prompt.token_ids:
            return {"prompt": [*ids, *prompt.token_ids]}
        return {"prompt": self._template.text(prompt.problem) + prompt.text}

    def _usage(
        self, prompt: Prompt, sampling: Sampling, spent: ReportedUsage, samples: list[ServedSample]
    ) -> Usage:
        """Return the usage of a request; what the server does not report is counted or bounded."""
        decoded = self._counter.decoded([s.text for s in samples], sampling)
        unreported = StandIns(sampling.n * self.prompt_length(prompt), decoded)
        return usage_of(spent, unreported, samples, self.model)

    def _remember(self, prompt: Prompt, ids: list[int] | None) -> None:
        if ids and not (prompt.token_ids or prompt.text):
            if len(self._problem_ids) >= 10_000:
                self._problem_ids.clear()
            self._problem_ids[prompt.problem.key] = ids
