"""Prompt templates: from a problem to the text or messages that a model continues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reasoner.messages import Message
from reasoner.thinking import open_mark
from reasoner.types import Problem, Prompt

Shots = Sequence[tuple[str, str]]
SYSTEM = ("system", "developer")
"""Roles of a message that instructs the model, before the conversation."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A problem as tokens; `opening` is the mark of thinking in which its text ends, if it ends in one.

    The mark is shown as the beginning of the reply, so that a candidate cut off while thinking is seen to
    be thinking.
    """

    ids: tuple[int, ...]
    opening: str = ""
    opening_ids: tuple[int, ...] = ()

    def continued(self, prompt: Prompt, encode: Callable[[str], Sequence[int]]) -> list[int]:
        """Return the tokens of problem and beginning, in which the opening mark stands once."""
        written = prompt.token_ids or tuple(encode(prompt.text.removeprefix(self.opening)))
        size = len(self.opening_ids)
        shown = written[:size] == self.opening_ids
        return [*self.ids, *(written[size:] if shown else written)]

    def shown(self, prompt: Prompt, text: str) -> str:
        """Return the text of a reply to `prompt`, with the opening mark at its beginning."""
        return text if prompt.text or prompt.token_ids else self.opening + text


@dataclass(frozen=True, slots=True)
class Template:
    """The context before a problem: a system message and worked examples (few-shot, GPT-3)."""

    system: str = ""
    shots: Shots = ()
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further variables of the chat template, such as `enable_thinking`."""

    def text(self, problem: Problem) -> str:
        """Return the text for a base model: instructions, shots, then the problem or its transcript."""
        parts = [f"{self.system}\n\n"] if self.system else []
        parts += [f"{question}{_gap(question)}{answer}\n\n" for question, answer in self.shots]
        return "".join(parts) + problem.prompt

    def ids(self, tokenizer: Any, problem: Problem, chat: bool | None = None) -> list[int]:
        """Return the tokens of `problem`, in the chat template if `chat`, by default if there is one."""
        return list(self.render(tokenizer, problem, chat).ids)

    def render(self, tokenizer: Any, problem: Problem, chat: bool | None = None) -> Rendered:
        """Return `problem` as tokens, in the chat template if `chat`, by default if there is one."""
        if not (bool(tokenizer.chat_template) if chat is None else chat):
            text, ids = self.text(problem), tokenizer.encode(self.text(problem))
        else:
            text = tokenizer.apply_chat_template(
                self.messages(problem),
                tokenize=False,
                add_generation_prompt=True,
                **self.arguments,
            )
            ids = tokenizer.encode(text, add_special_tokens=False)
        mark = open_mark(text)
        return Rendered(tuple(ids), mark, _encoded(tokenizer, mark))

    def messages(self, problem: Problem, written: str = "") -> list[dict[str, Any]]:
        """Return the messages for a chat model; `written` begins the reply, which is continued.

        The order: the system message, with a conversation's own after it in the same turn, for templates
        take a single one; the shots as turns; the other messages.
        """
        turns = list(problem.turns)
        own = turns.pop(0).text if turns[0].role in SYSTEM else ""
        roles = [("system", "\n\n".join(filter(None, (self.system, own))))]
        for question, answer in self.shots:
            roles += [("user", question), ("assistant", answer)]
        begun = [("assistant", written)] if written else []
        return [
            *({"role": role, "content": text} for role, text in roles if text or role != "system"),
            *map(_turn, turns),
            *({"role": role, "content": text} for role, text in begun),
        ]


def _turn(message: Message) -> dict[str, Any]:
    """Return a message as templates and servers take it: parts only where one of them is an image."""
    return (
        message.to_json() if message.has_image else {"role": message.role, "content": message.text}
    )


def _encoded(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text, add_special_tokens=False)) if text else ()


def _gap(question: str) -> str:
    return "" if question.endswith(("\n", " ")) else "\n"
