"""The compute of a whole training in one file: who spent it, in which round, and on what."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Literal

from pydantic import FiniteFloat

from reasoner.benchmarks.store.records import Count
from reasoner.documents import Malformed, parse_model
from reasoner.errors import StoreError
from reasoner.files import read_bytes, save_json, shown
from reasoner.schema import Frozen
from reasoner.types import Usage

Role = Literal["train", "rollout", "score", "measure"]
"""Optimiser steps; samples to learn from; a verifier's scores of these; samples on dev problems."""


class LedgerEntry(Frozen):
    """The compute of one role in one round; `tokens` counts those trained on, or all a model processed."""

    round: Count
    role: Role
    tokens: Count = 0
    requests: Count = 0
    prompt_tokens: Count = 0
    cached_tokens: Count = 0
    completion_tokens: Count = 0
    flops: FiniteFloat = 0.0
    seconds: FiniteFloat = 0.0


class _Book(Frozen, extra="ignore"):
    entries: tuple[LedgerEntry, ...] = ()


class ComputeLedger:
    """The ledger of a training, in `ledger.json`; an entry replaces the earlier one of its round and role.

    So a resumed run counts nothing twice. The work that a kill threw away is not in it.

    Raises:
        StoreError: the file cannot be read, or is no ledger.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            book = parse_model(_Book, read_bytes(path)) if path.exists() else _Book()
        except Malformed as e:
            raise StoreError(f"{shown(path)} is no ledger ({e}); choose another --out") from e
        self._entries = {(e.round, e.role): e for e in book.entries}

    @property
    def entries(self) -> list[LedgerEntry]:
        """All entries, in order of rounds."""
        return sorted(self._entries.values(), key=lambda e: e.round)

    def charge(self, entry: LedgerEntry) -> None:
        """Enter the compute of a role in a round, and write the file."""
        self._entries[entry.round, entry.role] = entry
        document = {
            "flops": {e.role: self.flops(e.role) for e in self.entries},
            "entries": [e.model_dump() for e in self.entries],
        }
        save_json(document, self.path)

    def charge_usage(self, round: int, role: Role, usage: Usage, seconds: float = 0.0) -> None:
        """Enter the calls of a model; nothing for none."""
        if usage.requests:
            self.charge(
                LedgerEntry(
                    round=round,
                    role=role,
                    tokens=usage.prompt_tokens + usage.completion_tokens,
                    requests=usage.requests,
                    prompt_tokens=usage.prompt_tokens,
                    cached_tokens=usage.cached_tokens,
                    completion_tokens=usage.completion_tokens,
                    flops=usage.flops,
                    seconds=seconds,
                )
            )

    def flops(self, *roles: Role, rounds: Container[int] | None = None) -> float:
        """Return the FLOPs of `roles` in `rounds`, by default in all."""
        return sum(
            e.flops
            for e in self.entries
            if e.role in roles and (rounds is None or e.round in rounds)
        )
