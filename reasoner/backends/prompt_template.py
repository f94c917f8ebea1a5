"""Prompt templates: from a problem to the text or messages that a model continues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reasoner.types import Problem

Shots = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Template:
    """The context before a problem: a system message and worked examples (few-shot, GPT-3)."""

    system: str = ""
    shots: Shots = ()
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further variables of the chat template, such as `enable_thinking`."""

    def text(self, problem: Problem) -> str:
        """Return the text for a base model: instructions, shots, then the problem."""
        parts = [f"{self.system}\n\n"] if self.system else []
        parts += [f"{question}{_gap(question)}{answer}\n\n" for question, answer in self.shots]
        return "".join(parts) + problem.prompt

    def ids(self, tokenizer: Any, problem: Problem, chat: bool | None = None) -> list[int]:
        """Return the tokens of `problem`, in the chat template if `chat`, by default if there is one."""
        if not (bool(tokenizer.chat_template) if chat is None else chat):
            return list(tokenizer.encode(self.text(problem)))
        text = tokenizer.apply_chat_template(
            self.messages(problem),
            tokenize=False,
            add_generation_prompt=True,
            **self.arguments,
        )
        return list(tokenizer.encode(text, add_special_tokens=False))

    def messages(self, problem: Problem, written: str = "") -> list[dict[str, str]]:
        """Return the messages for a chat model, with shots as turns; `written` is continued."""
        turns = [("system", self.system)] if self.system else []
        for question, answer in self.shots:
            turns += [("user", question), ("assistant", answer)]
        turns.append(("user", problem.prompt))
        if written:
            turns.append(("assistant", written))
        return [{"role": role, "content": content} for role, content in turns]


def _gap(question: str) -> str:
    return "" if question.endswith(("\n", " ")) else "\n"
