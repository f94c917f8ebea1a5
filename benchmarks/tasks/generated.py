"""Generated problems: splits that are disjoint by construction, and demonstrations to train on.

A problem's own text decides which split it belongs to. `train` is for weights, `dev` for choices, `test`
for comparisons, and `final` for headline numbers: no choice has seen its problems.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import TypeVar

from reasoner.errors import ConfigError

T = TypeVar("T")

SPLITS = ("train", "dev", "test", "final")
PUBLISHED = 1000
"""The number of leading test problems in published results. Some settings were once chosen on them, so
they stay test problems even where their text belongs to `final`."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A problem and a solution to pre-train on; `taught` marks the characters to imitate (None: all)."""

    prompt: str
    solution: str
    taught: tuple[bool, ...] | None = None

    @property
    def mask(self) -> tuple[bool, ...]:
        """A flag per character of the solution, and for its end: True if it is to be imitated."""
        return (*(self.taught or (True,) * len(self.solution)), True)


def split_of(identity: str) -> str:
    """Return the split of a canonical text: 80 % train, 10 % dev, 5 % test, 5 % final."""
    first, second = blake2b(identity.encode(), digest_size=4).digest()[:2]
    held_out = "final" if second % 2 else "test"
    return {0: held_out, 1: "dev"}.get(first % 10, "train")


def check_split(split: str) -> None:
    """Raise ConfigError unless `split` is one of `SPLITS`."""
    if split not in SPLITS:
        raise ConfigError(f"no split named {split!r}; known: {', '.join(SPLITS)}")


def distinct_problems(
    draw: Callable[[Random], T],
    identity: Callable[[T], str],
    split: str,
    count: int,
    family: str,
    seed: int,
) -> Iterator[T]:
    """Yield the first `count` different problems of a split; `family` names a task and its tier.

    Raises:
        ConfigError: there is no such split.
    """
    check_split(split)
    rng = Random(f"{family}/{split}/{seed}")
    seen = set[str]()
    if split == "final":
        seen.update(map(identity, distinct_problems(draw, identity, "test", PUBLISHED, family, 0)))
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
    """Return the next drawn problem that is new and belongs to one of `splits`."""
    while True:
        item = draw(rng)
        name = identity(item)
        if name not in seen and split_of(name) in splits:
            return item
