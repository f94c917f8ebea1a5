"""Problems as they are posed: a text or a conversation, read into a `Problem`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from reasoner.base import Prompting, Task
from reasoner.errors import ConfigError
from reasoner.messages import Message, map_first_user, map_last_user, parse_messages
from reasoner.types import Problem

Posed = str | Problem | Sequence[Message | Mapping[str, Any]]
"""A problem as it is posed: a text, a conversation, or a `Problem`."""


def as_problem(posed: str | Sequence[Message | Mapping[str, Any]], task: Task | None) -> Problem:
    """Return a text or a conversation as a problem, named by a digest of its content.

    `task` writes the text, or the user's last turn, the way the model reads it.

    Raises:
        ConfigError: it is empty, or no conversation.
    """
    written = task.prompt if isinstance(task, Prompting) else str
    if isinstance(posed, str):
        _refuse_unreadable(posed)
        return Problem(digest(posed), written(posed))
    messages = parse_messages(posed)
    name = digest(*(message.model_dump_json() for message in messages))
    return Problem.conversation(name, map_last_user(messages, written))


def with_examples(problem: Problem, examples: str) -> Problem:
    """Return `problem` with a text before it: of a conversation, before the user's first turn."""
    if not problem.messages:
        return Problem(problem.id, examples + problem.prompt, problem.meta)
    messages = map_first_user(problem.messages, lambda text: examples + text)
    return Problem.conversation(problem.id, messages, problem.meta)


def digest(*texts: str) -> str:
    """Return a short name that equal texts share."""
    return blake2b("\0".join(texts).encode(), digest_size=6).hexdigest()


def _refuse_unreadable(problem: str) -> None:
    if not problem.strip():
        raise ConfigError("the problem is empty; write it out")
    try:
        problem.encode()
    except UnicodeEncodeError as e:
        raise ConfigError(f"the problem is no text in UTF-8: {e.reason} at {e.start}") from e
