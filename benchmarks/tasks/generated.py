"""Disjoint splits by construction: a problem's own text decides which split it belongs to.

`train` is for weights, `dev` for choices, `test` for comparisons, and `final` for headline numbers: its
problems are ones that no choice has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from hashlib import blake2b
from random import Random
from typing import TypeVar

from reasoner.errors import ConfigError

T = TypeVar("T")

SPLITS = ("train", "dev", "test", "final")
PUBLISHED = 1000
"""The first so many test problems are in published results, and some settings were once chosen on
them: they stay test problems, also those whose text belongs to `final`."""


def split_of(identity: str) -> str:
    """Return the split of a canonical text: 80 % train, 10 % dev, 5 % test, 5 % final."""
    first, second = blake2b(identity.encode(), digest_size=4).digest()[:2]
    held_out = "final" if second % 2 else "test"
    return {0: held_out, 1: "dev"}.get(first % 10, "train")


def check_split(split: str) -> None:
    """Raise ConfigError unless `split` is one of `SPLITS`."""
    if split not in SPLITS:
        raise ConfigError(f"no split named {split!r}; known: {', '.join(SPLITS)}")


def distinct(
    draw: Callable[[Random], T],
    identity: Callable[[T], str],
    split: str,
    count: int,
    family: str,
    seed: int,
) -> Iterator[T]:
    """Yield the first `count` different problems of a split; `family` names a task and its tier."""
    check_split(split)
    rng = Random(f"{family}/{split}/{seed}")
    seen = set[str]()
    if split == "final":
        seen.update(map(identity, distinct(draw, identity, "test", PUBLISHED, family, 0)))
    for place in range(count):
        published = (split, seed) == ("test", 0) and place < PUBLISHED
        item = _next(draw, identity, ("test", "final") if published else (split,), seen, rng)
        seen.add(identity(item))
        yield item


def _next(
    draw: Callable[[Random], T],
    identity: Callable[[T], str],
    splits: Container[str],
    seen: Container[str],
    rng: Random,
) -> T:
    """Draw until there is a new problem of one of `splits`."""
    while True:
        item = draw(rng)
        name = identity(item)
        if name not in seen and split_of(name) in splits:
            return item
