"""The standing of a problem after some samples: is it resolved, and what may one more batch bring?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

from reasoner.search.adaptive_majority import lead_probability

Z = 1.645
"""The standard score of a one-sided bound at 95 %."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A problem after `size` samples: the estimated `chance` that one more solves it; none if it is `resolved`."""

    size: int
    chance: float
    resolved: bool

    def bound(self, batch: int) -> float:
        """Return an upper bound on the chance that a batch of samples solves the problem.

        Wilson's upper limit (1927) for one sample: high where few samples are known, and where those are
        promising.
        """
        m, p, z = self.size, self.chance, Z
        middle = p + z * z / (2 * m)
        reach = z * sqrt(p * (1 - p) / m + z * z / (4 * m * m))
        limit = min(1.0, (middle + reach) / (1 + z * z / m))
        return float(1 - (1 - limit) ** batch)


def by_scores(size: int, total: float, best: float, ceiling: float) -> Standing:
    """Return the standing by scores, of `total` sum: resolved once the `best` one is at the verifier's ceiling."""
    chance = min(1.0, max(0.0, total / (size * ceiling))) if size else 1.0
    return Standing(size, chance, best >= ceiling)


@lru_cache(2**16)
def by_votes(size: int, first: int, second: int, threshold: float) -> Standing:
    """Return the standing by the votes of the leading answer and the runner-up.

    It is resolved once the leader is the likelier of the two with probability above `threshold`; until
    then, the doubt of that stands for the chance that another sample changes the answer.
    """
    certain = lead_probability(first, second)
    return Standing(size, 1 - certain, certain > threshold)
