"""Model files, read before an engine serves them: size, tokenizer, ends, verdict tokens."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

from reasoner.backends.label_tokens import LabelTokens
from reasoner.backends.stop_strings import begin
from reasoner.backends.verdict_tokens import described, endings, table
from reasoner.errors import ConfigError
from reasoner.files import opened
from reasoner.models.files import ModelFiles
from reasoner.models.value_tokens import VALUE
from reasoner.thinking import mark_tokens

NEVER = -100.0
"""The logit bias of a token that must never be sampled, at any temperature in use."""


def fingerprint(model: Path) -> str:
    """Return a hash that identifies the weights in a folder; empty if it has none."""
    entries = model.glob("*") if os.path.isdir(model) else ()
    files = sorted(f for f in entries if f.suffix in (".safetensors", ".bin"))
    if not files:
        return ""
    digest = blake2b(digest_size=6)
    for file in files:
        with opened(file) as weights:
            digest.update(file_digest(weights, "sha256").digest())
    return digest.hexdigest()


class Checkpoint(ModelFiles):
    """The files of a generative model.

    A folder may hold `reasoner.json`, which names the tokens by which the model judges its own steps
    (see `verdict_tokens`).
    """

    @cached_property
    def verdicts(self) -> dict[int, float]:
        """The verdict tokens, and the probability each stands for."""
        return table(Path(self.path))

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end a solution; chat models often have several."""
        if ends := described(Path(self.path)).eos:
            return frozenset(ends)
        configured = (
            self.tokenizer.eos_token_id,
            self.config.eos_token_id,
            self._generation_ends(),
        )
        return frozenset(
            e for t in configured for e in (t if isinstance(t, list) else [t]) if e is not None
        )

    def _generation_ends(self) -> Any:
        from transformers import GenerationConfig

        try:
            return GenerationConfig.from_pretrained(self.path).eos_token_id
        except OSError:  # Base models often have no such file.
            return None

    @cached_property
    def silent(self) -> dict[int, float]:
        """A logit bias for each token that is read but never sampled (see `models.value_tokens.VALUE`)."""
        added = self.tokenizer.get_added_vocab()
        return {added[name]: NEVER for name in VALUE if name in added}

    @cached_property
    def labels(self) -> Callable[[tuple[str, ...]], LabelTokens]:
        """A cached function from label texts to their tokens.

        It raises `ConfigError` for a label that is not a single token.
        """

        def tokens(texts: tuple[str, ...]) -> LabelTokens:
            return LabelTokens([self._label(text) for text in texts], endings(Path(self.path)))

        return lru_cache(64)(tokens)

    def _label(self, text: str) -> int:
        """Return the token of a label: its encoding, or else the token of that name."""
        ids = list[int](self.tokenizer.encode(text, add_special_tokens=False))
        if len(ids) == 1 and ids[0] != self.tokenizer.unk_token_id:
            return ids[0]
        named: int | None = self.tokenizer.get_vocab().get(text)
        if named is None:
            pieces = ", ".join(map(repr, self.tokenizer.convert_ids_to_tokens(ids)))
            train = "it has no value head; train one (reasoner train value-head)"
            raise ConfigError(
                f"label {text!r} is not one token of {self.info.name!r} but {len(ids)} ({pieces});"
                f" {train if text in VALUE else 'choose a label of one token'}"
            )
        return named

    def stops(self, strings: Sequence[str]) -> tuple[list[int], list[str]]:
        """Split stop strings into stop tokens, including the ends, and strings that need text.

        A newline can be a stop token only if no other token contains one: many vocabularies have a
        token for a full stop and a newline.
        """
        tokens, rest = set(self.ends), list[str]()
        for string in strings:
            carriers = [i for i, piece in enumerate(self._pieces) if string in piece]
            if len(string) == 1 and carriers and all(self._pieces[i] == string for i in carriers):
                tokens.update(carriers)
            else:
                rest.append(string)
        return sorted(tokens), rest

    @cached_property
    def _pieces(self) -> list[str]:
        """The text of each token of the vocabulary."""
        return list(self.tokenizer.batch_decode([[i] for i in range(len(self.tokenizer))]))

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text that continues another; none for an empty one.

        Raises:
            ConfigError: the model has no token for a part of it.
        """
        ids = list[int](self.tokenizer.encode(text, add_special_tokens=False)) if text else []
        if self.tokenizer.unk_token_id in ids:
            raise ConfigError(f"{self.info.name!r} has no tokens for all of {text!r}")
        return ids

    def before(self, ends: Sequence[str], ids: Sequence[int]) -> int | None:
        """Return the number of tokens before the first of `ends`; None if there is none."""
        at = begin(ends, self.decode(ids) if ends else "")
        if at is None:
            return None
        return next(i for i in reversed(range(len(ids))) if len(self.decode(ids[:i])) <= at)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of `ids` without special tokens, except for the marks of thinking."""
        if not self._marks:
            return str(self.tokenizer.decode(ids, skip_special_tokens=True))
        shown = [i for i in ids if i in self._marks or i not in self._special]
        return str(self.tokenizer.decode(shown, skip_special_tokens=False))

    @cached_property
    def _special(self) -> dict[int, str]:
        """The special tokens, which a text does not show."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        return {i: token.content for i, token in added.items() if token.special}

    @cached_property
    def _marks(self) -> frozenset[int]:
        """The special tokens that are marks of thinking, or parts of such marks (gpt-oss, Magistral)."""
        names = mark_tokens(self._special.values())
        return frozenset(i for i, name in self._special.items() if name in names)
