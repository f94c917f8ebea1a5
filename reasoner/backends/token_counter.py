"""Token counts where a server reports none: a tokenizer's, or bounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from reasoner.backends.prompt_template import Template
from reasoner.types import Problem, Sampling


class TokenCounter:
    """Counts tokens with the tokenizer in a folder or of a Hugging Face name, or else bounds them."""

    def __init__(self, source: str | Path | None) -> None:
        self._source = source
        self._lengths = dict[tuple[str, bool], int]()

    def prompt(self, template: Template, problem: Problem, chat: bool) -> int:
        """Return the tokens of a problem in its template; without a tokenizer, its characters as a bound."""
        if self._source is None:
            return len(template.text(problem))
        key = problem.prompt, chat
        if key not in self._lengths:
            self._lengths[key] = len(template.ids(self._tokenizer, problem, chat))
        return self._lengths[key]

    def decoded(self, texts: Sequence[str], sampling: Sampling) -> int:
        """Return the tokens of samples, an end included; without a tokenizer, all that were requested."""
        if self._source is None or not texts:
            return sampling.n * sampling.max_tokens
        encode = self._tokenizer.encode
        counts = (len(encode(text, add_special_tokens=False)) + 1 for text in texts)
        return sum(min(count, sampling.max_tokens) for count in counts)

    @cached_property
    def _tokenizer(self) -> Any:
        from reasoner.models.files import ModelFiles

        return ModelFiles(str(self._source)).tokenizer
