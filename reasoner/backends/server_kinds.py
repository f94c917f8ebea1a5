"""Kinds of OpenAI-compatible servers: what each takes and offers, and their recognition.

Facts are from the servers' public documentation, November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel

from reasoner.backends.connection import Connection, Unreached
from reasoner.errors import ConfigError
from reasoner.printable import Text

KindName = Literal["vllm", "sglang", "llama.cpp", "ollama", "openai", "deepseek", "other"]


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ServerKind:
    """The abilities of one kind of server.

    Attributes:
        name: as in the setting `server`.
        takes: the further sampling fields it takes; None if that is unknown.
        chats: its models are used with chat unless the user says otherwise.
        samples: it draws several samples for one request (`n`).
        continues: it can continue the assistant's last message of a chat.
        continuing: the fields of a request that make it do so.
        marked: the fields of the message itself that make it do so.
        renamed: chats want `max_completion_tokens` in place of `max_tokens`.
        neutral: sampling fields at their neutral value are left out, as some models refuse them.
        schemas: its chats take a JSON schema (`response_format`).
    """

    name: KindName
    takes: frozenset[str] | None = None
    chats: bool = False
    samples: bool = True
    continues: bool = False
    continuing: Mapping[str, Any] = field(default_factory=_nothing)
    marked: Mapping[str, Any] = field(default_factory=_nothing)
    renamed: bool = False
    neutral: bool = False
    schemas: bool = True


ALL = frozenset({"top_k", "min_p", "reasoning_effort"})
EFFORT = frozenset({"reasoning_effort"})
CONTINUE: Mapping[str, Any] = MappingProxyType(
    {"continue_final_message": True, "add_generation_prompt": False}
)

KINDS: dict[KindName, ServerKind] = {
    kind.name: kind
    for kind in (
        ServerKind("vllm", ALL, continues=True, continuing=CONTINUE),
        ServerKind("sglang", ALL, continues=True, continuing={"continue_final_message": True}),
        # A last message of the assistant is continued without being asked (--prefill-assistant).
        ServerKind("llama.cpp", frozenset({"top_k", "min_p"}), samples=False, continues=True),
        ServerKind("ollama", EFFORT, chats=True, samples=False),
        ServerKind("openai", EFFORT, chats=True, renamed=True, neutral=True),
        # Chat prefix completion needs the address https://api.deepseek.com/beta.
        ServerKind(
            "deepseek", EFFORT, chats=True, samples=False, marked={"prefix": True}, schemas=False
        ),
        ServerKind("other"),
    )
}
VLLM, LLAMA_CPP, OTHER = KINDS["vllm"], KINDS["llama.cpp"], KINDS["other"]

HOSTS: dict[str, KindName] = {"api.openai.com": "openai", "api.deepseek.com": "deepseek"}
OWNERS: dict[str, KindName] = {
    "vllm": "vllm", "sglang": "sglang", "llamacpp": "llama.cpp", "library": "ollama",
    "openai": "openai", "system": "openai", "openai-internal": "openai", "deepseek": "deepseek",
}  # fmt: skip
"""The owners of models in the list of models (`owned_by`) that tell a server's kind."""


class Version(BaseModel):
    """The reply of a vLLM server to `/version`."""

    version: Text


class Card(BaseModel):
    """A model in a server's list."""

    id: Text = ""
    owned_by: Text | None = None


class Models(BaseModel):
    """A server's list of models, `/v1/models`."""

    data: list[Card]


class Properties(BaseModel):
    """The reply of llama.cpp to `/props`."""

    chat_template: Text = ""


class Tokenized(BaseModel):
    """The reply of a vLLM server to `/tokenize`."""

    count: int


@dataclass(frozen=True, slots=True)
class Served:
    """A server that was recognised: its kind, and the endpoint in use."""

    kind: ServerKind
    chat: bool

    @property
    def continues(self) -> bool:
        """Return True if the beginning of a solution can be continued."""
        return self.kind.continues or not self.chat

    @property
    def schemas(self) -> bool:
        """Return True if a solution can be held to a JSON schema."""
        return self.kind is VLLM or (self.chat and self.kind.schemas)

    def check_continuing(self, model: str) -> None:
        """Refuse to continue the beginning of a solution where the server cannot.

        Raises:
            ConfigError: it cannot.
        """
        if not self.continues:
            raise ConfigError(
                f"the chat server of model {model!r} (kind {self.kind.name!r}) cannot continue the beginning"
                " of a solution; use a strategy that samples whole solutions, such as 'best-of-n' or"
                " 'majority', or a vLLM server"
            )


async def recognise(
    server: Connection, model: str, kind: KindName | None, chat: bool | None
) -> Served | None:
    """Look up the kind of a server, and if its model chats; None while the server does not answer.

    `kind` and `chat` are what the user says. Nothing is sampled.
    """
    try:
        served = KINDS[kind] if kind else await _kind(server, model)
        if served.name == "deepseek" and server.url.endswith("/beta"):
            served = ServerKind(
                "deepseek", EFFORT, chats=True, samples=False, continues=True, marked=served.marked
            )
        chats = await _chats(server, model, served) if chat is None else chat
        return Served(served, chats)
    except Unreached:
        return None


def check_fields(kind: ServerKind, fields: Mapping[str, Any]) -> None:
    """Refuse sampling fields that a kind of server does not take.

    Raises:
        ConfigError: it does not take one of them.
    """
    unknown = sorted(fields.keys() - kind.takes) if kind.takes is not None else []
    if unknown:
        takes = ", ".join(sorted(kind.takes or ())) or "none of these"
        raise ConfigError(
            f"a server of kind {kind.name!r} does not take {', '.join(unknown)} (it takes {takes});"
            " leave it out, or name the right kind (server=...)"
        )


async def _kind(server: Connection, model: str) -> ServerKind:
    if name := HOSTS.get(urlsplit(server.url).hostname or ""):
        return KINDS[name]
    if await server.look_up("/version", Version):
        return VLLM
    models = await server.look_up("/models", Models, beside=False)
    cards = sorted(models.data if models else (), key=lambda card: card.id != model)
    owners = [card.owned_by or "" for card in cards]
    return next((KINDS[OWNERS[owner]] for owner in owners if owner in OWNERS), OTHER)


async def _chats(server: Connection, model: str, kind: ServerKind) -> bool:
    """Return True if a model is to be used with chat."""
    if kind is VLLM:  # It refuses to render a chat without a template.
        body = {"model": model, "messages": [{"role": "user", "content": "?"}]}
        return await server.look_up("/tokenize", Tokenized, body) is not None
    if kind is LLAMA_CPP:
        properties = await server.look_up("/props", Properties)
        return bool(properties and properties.chat_template)
    if kind is OTHER:  # A route that exists refuses another method by 405.
        answers = [await server.status(path) for path in ("/completions", "/chat/completions")]
        return answers == [404, 405]
    return kind.chats
