"""Disjoint splits by construction: a problem's own text decides which split it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from random import Random
from typing import TypeVar

from reasoner.errors import ConfigError

T = TypeVar("T")

SPLITS = ("train", "dev", "test")


def split_of(identity: str) -> str:
    """The split of the problem whose canonical text is `identity`: 80 % train, 10 % dev, 10 % test."""
    bucket = blake2b(identity.encode(), digest_size=4).digest()[0] % 10
    return {0: "test", 1: "dev"}.get(bucket, "train")


def check_split(split: str) -> None:
    """Raise ConfigError unless `split` is one of `SPLITS`."""
    if split not in SPLITS:
        raise ConfigError(f"no split named {split!r}; known: {', '.join(SPLITS)}")


def distinct(
    draw: Callable[[Random], T], identity: Callable[[T], str], split: str, count: int, rng: Random
) -> Iterator[T]:
    """The first `count` different draws that belong to `split`."""
    check_split(split)
    seen = set[str]()
    while len(seen) < count:
        item = draw(rng)
        name = identity(item)
        if name not in seen and split_of(name) == split:
            seen.add(name)
            yield item
