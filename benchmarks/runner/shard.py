"""A part of a run's problems, for one of several machines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from reasoner.errors import ConfigError
from reasoner.naming import quoted

MOST = 10_000
SHARD = re.compile(r"([1-9]\d{0,4})/([1-9]\d{0,4})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`-th of `count` parts, counted from 1: every `count`-th problem, so that all are alike."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a shard such as `2/8`.

        Raises:
            ConfigError: it is none.
        """
        if match := SHARD.fullmatch(text):
            shard = cls(int(match[1]), int(match[2]))
            if shard.number <= shard.count <= MOST:
                return shard
        raise ConfigError(f"{quoted(text)} is no shard; write one as in 2/8, the second of eight")

    def holds(self, index: int) -> bool:
        """Return True if the problem at a place of the split belongs to it."""
        return index % self.count == self.number - 1
