"""Messages: the turns of a conversation, as chat models and servers take them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)  # fmt: skip

from reasoner.errors import ConfigError
from reasoner.printable import Text, one_line
from reasoner.schema import Frozen

LONGEST = 10_000_000
"""Characters of a text, or of an image in a URL."""
MOST = 10_000
"""Messages of a conversation, and parts of a message."""
DROPPED = ("reasoning", "reasoning_content")
"""Fields of earlier replies that templates leave out of a conversation."""
IMAGES = ("https://", "http://", "data:image/")
"""The beginnings of an image's address: no file of this machine is read."""

Role = Literal["system", "developer", "user", "assistant", "tool"]
Bounded = Annotated[Text, Field(max_length=LONGEST)]


class TextPart(Frozen):
    """A text in a message of several parts."""

    type: Literal["text"]
    text: Bounded


class ImageURL(Frozen):
    """The address of an image, and the detail in which the model reads it."""

    url: Bounded
    detail: Literal["auto", "low", "high"] = "auto"

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if not url.startswith(IMAGES):
            raise ValueError(f"an image's URL starts with {', '.join(IMAGES)}")
        return url


class ImagePart(Frozen):
    """An image in a message of several parts."""

    type: Literal["image_url"]
    image_url: ImageURL


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]
Parts = Annotated[tuple[Part, ...], Field(min_length=1, max_length=MOST)]


Content = Annotated[
    Annotated[Bounded, Tag("text")] | Annotated[Parts, Tag("parts")],
    Discriminator(
        lambda content: {str: "text", list: "parts", tuple: "parts"}.get(type(content)),
        custom_error_type="content",
        custom_error_message="it is neither a text nor a list of parts",
    ),
]


class Message(Frozen):
    """One turn of a conversation: its role, and a text or parts, of text or images.

    The thinking of an earlier reply is left out, as chat templates leave it out; so are empty fields.
    """

    role: Role
    content: Content

    @model_validator(mode="before")
    @classmethod
    def _without_thinking(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        left = fields.items()
        return {
            k: v for k, v in left if k not in DROPPED and (v is not None or k in cls.model_fields)
        }

    @property
    def text(self) -> str:
        """The texts of the message, with a placeholder for each image."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(p.text if isinstance(p, TextPart) else "[image]" for p in self.content)

    @property
    def has_image(self) -> bool:
        """True if a part of the message is an image."""
        return not isinstance(self.content, str) and any(
            isinstance(part, ImagePart) for part in self.content
        )

    def to_json(self) -> dict[str, Any]:
        """Return the message as a server takes it."""
        return self.model_dump(mode="json", exclude_unset=True)

    def map_text(self, change: Callable[[str], str]) -> Message:
        """Return the message with its text changed: of several, the last; of none, an empty one."""
        if isinstance(self.content, str):
            return self.model_copy(update={"content": change(self.content)})
        parts = list(self.content)
        texts = [(i, part.text) for i, part in enumerate(parts) if isinstance(part, TextPart)]
        if texts:
            last, text = texts[-1]
            parts[last] = TextPart(type="text", text=change(text))
        else:
            parts.append(TextPart(type="text", text=change("")))
        return self.model_copy(update={"content": tuple(parts)})


Messages = tuple[Message, ...]

_ADAPTER = TypeAdapter(Annotated[Messages, Field(min_length=1, max_length=MOST)])


def parse_messages(value: object) -> Messages:
    """Return a conversation from outside; it ends with a turn that the model can reply to.

    Raises:
        ConfigError: it is no such conversation; the message names the first thing that is wrong.
    """
    if not isinstance(value, list | tuple) or not value:
        raise ConfigError("messages: a conversation is a list of objects with role and content")
    try:
        messages = _ADAPTER.validate_python(value)
    except (ValidationError, RecursionError) as e:
        raise ConfigError(f"messages: {_reason(e)}") from None
    if (last := messages[-1].role) not in ("user", "tool"):
        raise ConfigError(f"messages: the last one is the {last}'s; end with one of the user")
    if not any(message.text.strip() or message.has_image for message in messages):
        raise ConfigError("messages: all of them are empty; write the problem out")
    return messages


def transcript(messages: Sequence[Message]) -> str:
    """Return a conversation as plain text, for verifiers and models without a chat template.

    A single message is its text; otherwise each turn starts with its role.
    """
    if len(messages) == 1:
        return messages[0].text
    return "\n\n".join(f"{message.role}: {message.text}" for message in messages)


def map_last_user(messages: Messages, change: Callable[[str], str]) -> Messages:
    """Return a conversation with the text of the user's last turn changed."""
    return _mapped(messages, change, reversed(range(len(messages))))


def map_first_user(messages: Messages, change: Callable[[str], str]) -> Messages:
    """Return a conversation with the text of the user's first turn changed."""
    return _mapped(messages, change, range(len(messages)))


def _mapped(messages: Messages, change: Callable[[str], str], order: Any) -> Messages:
    for i in order:
        if messages[i].role == "user":
            return (*messages[:i], messages[i].map_text(change), *messages[i + 1 :])
    return messages


def _reason(error: ValidationError | RecursionError) -> str:
    """Return the first error and its place, without the input."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"])[:80]
    reason = first["msg"].removeprefix("Value error, ")
    return one_line(f"{place}: {reason}" if place else reason)
