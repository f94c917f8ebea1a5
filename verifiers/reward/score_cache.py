"""The scores of one problem's steps, by the exact tokens that lead to them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b

from reasoner.verifiers.reward.encoding import Encoded


class Bank:
    """What has been read of one problem's candidates, so that no step is asked for twice.

    A causal model's output at a position depends on the tokens up to it and on nothing else: these
    are the key. Where a step is tokenised otherwise once another follows it, the key differs and
    the step is asked for again: a score is never that of other tokens.
    """

    def __init__(self) -> None:
        self._values = dict[bytes, float]()

    def unknown(self, candidates: Sequence[Encoded]) -> list[Encoded]:
        """What to ask for all of `candidates` to be known: each missing read in one of them."""
        wanted = set[bytes]()
        asked = list[Encoded]()
        for candidate in candidates:
            keys = zip(candidate.reads, _keys(candidate), strict=True)
            missing = {r: k for r, k in keys if k not in self._values and k not in wanted}
            wanted.update(missing.values())
            if missing:
                asked.append(candidate.upto(list(missing)))
        return asked

    def learn(self, asked: Encoded, values: Sequence[float]) -> None:
        """Remember the values of all reads of `asked`."""
        self._values.update(zip(_keys(asked), values, strict=True))

    def recall(self, candidate: Encoded) -> tuple[float, ...]:
        """The values of all reads of `candidate`, every one of which is known."""
        return tuple(self._values[k] for k in _keys(candidate))


def banks(most: int = 256) -> Callable[[str], Bank]:
    """The bank of each problem; beyond `most`, the one asked for the longest ago is forgotten."""

    def bank(problem: str) -> Bank:
        return Bank()

    return lru_cache(most)(bank)


def _keys(candidate: Encoded) -> list[bytes]:
    """A digest of the tokens up to each read."""
    digest, start, keys = blake2b(digest_size=16), 0, list[bytes]()
    for read in candidate.reads:
        digest.update(array("q", candidate.ids[start : read + 1]).tobytes())
        start = read + 1
        keys.append(digest.digest())
    return keys
