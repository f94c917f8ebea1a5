"""A cache of the scores of a problem's steps, by the exact tokens up to them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b

from reasoner.verifiers.reward.encoding import Encoded


class ScoreCache:
    """The values read for one problem's candidates, so that no step is read twice.

    A causal model's output at a position depends only on the tokens up to it, which are the key. Where a
    step is tokenised differently once another follows it, the key differs and the step is read again: a
    score never belongs to other tokens.
    """

    def __init__(self) -> None:
        self._values = dict[bytes, float]()

    def unknown(self, candidates: Sequence[Encoded]) -> list[Encoded]:
        """Return the encodings to read until all of `candidates` are known: each missing read in one of them."""
        wanted = set[bytes]()
        inputs = list[Encoded]()
        for candidate in candidates:
            keys = zip(candidate.reads, _keys(candidate), strict=True)
            missing = {r: k for r, k in keys if k not in self._values and k not in wanted}
            wanted.update(missing.values())
            if missing:
                inputs.append(candidate.upto(list(missing)))
        return inputs

    def learn(self, inputs: Encoded, values: Sequence[float]) -> None:
        """Store the values of all reads of `inputs`."""
        self._values.update(zip(_keys(inputs), values, strict=True))

    def recall(self, candidate: Encoded) -> tuple[float, ...]:
        """Return the values of all reads of `candidate`, every one of which must be known."""
        return tuple(self._values[k] for k in _keys(candidate))


def score_caches(most: int = 256) -> Callable[[str], ScoreCache]:
    """Return a function from a problem to its cache; beyond `most`, the least recently used is dropped."""

    def cache(problem: str) -> ScoreCache:
        return ScoreCache()

    return lru_cache(most)(cache)


def _keys(candidate: Encoded) -> list[bytes]:
    """Return a digest of the tokens up to each read."""
    digest, start, keys = blake2b(digest_size=16), 0, list[bytes]()
    for read in candidate.reads:
        digest.update(array("q", candidate.ids[start : read + 1]).tobytes())
        start = read + 1
        keys.append(digest.digest())
    return keys
