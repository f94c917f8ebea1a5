"""Any OpenAI-compatible server: completions or chat, with retries."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from reasoner.backends.confidences import confidences, entropies
from reasoner.backends.ends import begin
from reasoner.backends.prompts import Shots, Template
from reasoner.backends.streamed import Streamed, first, likeliest
from reasoner.backends.verdicts import table, told
from reasoner.base import Halt, ModelInfo
from reasoner.errors import BackendError, ConfigError
from reasoner.redaction import server_key, without_login
from reasoner.types import Completion, Finish, Generation, Prompt, Sampling, Usage

UNKNOWN = -1
"""Stands for a token whose id the server does not tell."""

MOST, FEWEST = 20, 5
"""Likeliest tokens that a server tells: chats and vLLM, and completions elsewhere."""

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class OpenAI:
    """A served model. A vLLM server is recognised, and asked for token ids and stop reasons.

    Args:
        model: the name the server knows the model by.
        base_url: up to and including `/v1`.
        api_key: sent as a bearer token; by default that of the environment variable OPENAI_API_KEY,
            and none if empty.
        chat: use the chat endpoint; a step search then continues the assistant's message.
        system: a system message, or instructions before the prompt of a base model.
        shots: worked examples of (problem, solution).
        retries: further tries after 429, 5xx, a timeout or a dropped connection.
        timeout: seconds to wait for one answer.
        context: tokens the model can attend to, if known.
        verdicts: the served model's folder, where a vLLM server was told to write verdicts into
            tokens (`--logits-processors reasoner.backends.levels:Levels`).
        transport: another way to reach the server, for tests.
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
        retries: int = 5,
        backoff: float = 0.5,
        timeout: float = 600.0,
        context: int = 0,
        verdicts: str | Path | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ConfigError(f"base_url {base_url!r} is not an http:// or https:// address")
        self.model = ModelInfo(model, context)
        address, login = without_login(base_url)
        try:
            httpx.URL(address)
        except httpx.InvalidURL as e:
            raise ConfigError(f"base_url {base_url!r} is not an address: {e}") from e
        self._url, key = address.rstrip("/"), server_key(api_key)
        self._chat, self._template = chat, Template(system, shots)
        self._verdicts = table(Path(verdicts)) if verdicts else {}
        self._retries, self._backoff = retries, backoff
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            auth=login,
            timeout=httpx.Timeout(timeout, connect=10.0),
            limits=httpx.Limits(max_connections=None),
            transport=transport,
        )
        self._is_vllm: bool | None = None
        self._problem_ids = dict[str, list[int]]()

    def prompt_length(self, prompt: Prompt) -> int:
        """Exact after the server told the problem's tokens; before, the characters sent bound them."""
        known = self._problem_ids.get(prompt.problem.prompt)
        sent = self._template.text(prompt.problem) if known is None else known
        return len(sent) + len(prompt.token_ids)

    def encode(self, text: str) -> tuple[int, ...]:
        """As many unknown tokens as characters, which bound them."""
        return (UNKNOWN,) * len(text)

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        """Sample `sampling.n` continuations in one request.

        Raises:
            ConfigError: the server refuses the request: unknown model, too long, no access.
            BackendError: no answer after every retry.
        """
        reply = await self._post(self._body(prompt, sampling, await self._recognise()))
        return self._generation(prompt, sampling, _json(reply))

    async def watch(self, prompt: Prompt, sampling: Sampling, halt: Halt) -> Generation:
        """One streamed sample; the connection is closed as soon as `halt` says so.

        A server that is not vLLM tells the usage at the end only: of a sample that is given up, the
        prompt is then counted at its bound and the tokens are those that arrived.
        """
        vllm = await self._recognise()
        options = {"include_usage": True} | ({"continuous_usage_stats": True} if vllm else {})
        asked = {"stream": True, "stream_options": options}
        reply = await self._post(self._body(prompt, sampling, vllm) | asked, stream=True)
        streamed = Streamed(self.prompt_length(prompt))
        try:
            async for line in reply.aiter_lines():
                if (new := streamed.add(line)) is not None and halt(new) and streamed.unfinished:
                    break
        except httpx.TransportError as e:
            raise BackendError(f"{self._url} broke off a stream: {type(e).__name__}: {e}") from e
        finally:
            await reply.aclose()
        return self._generation(prompt, sampling, streamed.answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _body(self, prompt: Prompt, sampling: Sampling, vllm: bool) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model.name,
            "n": sampling.n,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed,
        }
        if stop := (*sampling.stop, *sampling.end):
            body["stop"] = list(stop)
        if sampling.logprobs or sampling.confidences or sampling.labels:
            most = MOST if self._chat or vllm else FEWEST
            top = most if sampling.labels else sampling.confidences
            body |= {"logprobs": True, "top_logprobs": top} if self._chat else {"logprobs": top}
        if vllm:
            body |= {"include_stop_str_in_output": True, "return_token_ids": True}
            # As text, tokens that look alike would fall together; but labels are known by theirs.
            body["return_tokens_as_token_ids"] = not sampling.labels
        return body | (self._messages(prompt, vllm) if self._chat else self._text(prompt))

    def _messages(self, prompt: Prompt, vllm: bool) -> dict[str, Any]:
        messages = self._template.messages(prompt.problem, prompt.text)
        going_on = {"continue_final_message": True, "add_generation_prompt": False}
        return {"messages": messages} | (going_on if vllm and prompt.text else {})

    def _text(self, prompt: Prompt) -> dict[str, Any]:
        ids = self._problem_ids.get(prompt.problem.prompt)
        if ids and prompt.token_ids and UNKNOWN not in prompt.token_ids:
            return {"prompt": [*ids, *prompt.token_ids]}
        return {"prompt": self._template.text(prompt.problem) + prompt.text}

    def _generation(
        self, prompt: Prompt, sampling: Sampling, answer: Mapping[str, Any]
    ) -> Generation:
        try:
            choices = sorted(answer["choices"], key=lambda c: c["index"])
            usage = _usage(answer["usage"])
        except (KeyError, TypeError) as e:
            raise BackendError(f"{self._url} answered without {e}: {str(answer)[:200]}") from e
        self._remember(prompt, answer, choices)
        completions = [self._completion(c, sampling, usage, len(choices)) for c in choices]
        return Generation(tuple(completions), usage)

    def _completion(self, choice: Any, sampling: Sampling, usage: Usage, count: int) -> Completion:
        text = choice["message"]["content"] if "message" in choice else choice["text"]
        text = text or ""
        ids = choice.get("token_ids") or [UNKNOWN] * (usage.completion_tokens // count)
        verdicts, finish = told(ids, self._verdicts), _finish(choice, text, sampling)
        if (at := begin(sampling.end, text)) is not None:
            # Which token ends where is not told: who goes on from here does so from the text.
            text, ids, finish = text[:at], [UNKNOWN] * len(ids), Finish.EOS
        if finish is Finish.STOP and not text.endswith(sampling.stop):
            text += sampling.stop[0]
        logprobs = choice.get("logprobs")
        sampled, labels = _sampled(logprobs), _labels(logprobs, sampling)
        likely = [] if sampling.labels else list(likeliest(logprobs))
        return Completion(
            text,
            tuple(ids),
            finish,
            logprob=sum(sampled) if logprobs else None,
            verdicts=verdicts,
            confidences=confidences(likely),
            entropies=entropies(likely),
            logprobs=sampled,
            labels=labels,
        )

    def _remember(self, prompt: Prompt, answer: Mapping[str, Any], choices: list[Any]) -> None:
        ids = answer.get("prompt_token_ids") or choices[0].get("prompt_token_ids")
        if ids and not prompt.token_ids:
            self._problem_ids[prompt.problem.prompt] = list(ids)

    async def _recognise(self) -> bool:
        if self._is_vllm is None:
            try:
                reply = await self._client.get(self._url.removesuffix("/v1") + "/version")
                self._is_vllm = reply.status_code == 200 and "version" in reply.text
            except httpx.TransportError:
                return False  # The request itself tells better what is wrong.
        return self._is_vllm

    async def _post(self, body: dict[str, Any], *, stream: bool = False) -> httpx.Response:
        path = "/chat/completions" if self._chat else "/completions"
        request, trouble = self._client.build_request("POST", self._url + path, json=body), ""
        for attempt in range(self._retries + 1):
            pause = self._backoff * 2**attempt * (0.5 + random.random())
            try:
                reply = await self._client.send(request, stream=stream)
                if reply.status_code != 200:
                    await reply.aread()
            except httpx.TransportError as e:
                trouble = f"{type(e).__name__}: {e}".rstrip(": ")
            else:
                if reply.status_code == 200:
                    return reply
                trouble = f"{reply.status_code}: {_message(reply)}"
                if reply.status_code not in AGAIN:
                    raise ConfigError(f"{self._url} refused the request with {trouble}")
                pause = _retry_after(reply, pause)
            if attempt < self._retries:
                await asyncio.sleep(pause)
        raise BackendError(
            f"no answer from {self._url} after {self._retries + 1} tries ({trouble});"
            " is the server running there?"
        )


def _sampled(told: Any) -> tuple[float, ...]:
    """The log-probabilities of sampled tokens, in the form of chats or of completions."""
    if not told:
        return ()
    each = [t["logprob"] for t in told["content"]] if "content" in told else told["token_logprobs"]
    return tuple(map(float, each))


def _labels(told: Any, sampling: Sampling) -> tuple[float, ...]:
    """The log-probabilities of labels that are all among the likeliest tokens; else none."""
    known = first(told)
    if any(label not in known for label in sampling.labels):
        return ()
    return tuple(known[label] for label in sampling.labels)


def _finish(choice: Any, text: str, sampling: Sampling) -> Finish:
    """vLLM tells an end from a stop; of other servers, an empty answer means the end."""
    if choice["finish_reason"] is None:
        return Finish.ABORTED
    if choice["finish_reason"] == "length":
        return Finish.LENGTH
    if not sampling.stop:
        return Finish.EOS
    if "stop_reason" in choice:
        return Finish.STOP if choice["stop_reason"] in sampling.stop else Finish.EOS
    return Finish.STOP if text else Finish.EOS


def _usage(told: Mapping[str, Any]) -> Usage:
    cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(1, told["prompt_tokens"], cached, told.get("completion_tokens") or 0)


def _retry_after(reply: httpx.Response, pause: float) -> float:
    try:
        return max(pause, float(reply.headers.get("retry-after", 0)))
    except ValueError:
        return pause


def _message(reply: httpx.Response) -> str:
    try:
        told = reply.json()
        error = told.get("error", told)
        return str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        return reply.text[:200]


def _json(reply: httpx.Response) -> dict[str, Any]:
    try:
        told = reply.json()
    except ValueError as e:
        raise BackendError(f"{reply.url} did not answer in JSON: {reply.text[:200]!r}") from e
    if not isinstance(told, dict):
        raise BackendError(f"{reply.url} did not answer with a JSON object")
    return told
