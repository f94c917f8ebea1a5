"""Standings: the comparisons that solutions won against others of their batch, and the cost of these."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from reasoner.types import Judgement, Score, Usage


@dataclass(slots=True)
class Standings:
    """The results of a contest.

    Attributes:
        results: for each solution, the share of each comparison that it won, and its weight.
        usage: the cost of the comparisons.
        malformed: the votes that could not be read.
    """

    results: defaultdict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    usage: Usage = field(default_factory=Usage)
    malformed: int = 0

    def enter(self, text: str, share: float, weight: float = 1.0) -> None:
        """Add what a solution won of a comparison, from 0 to 1."""
        self.results[text].append((share, weight))

    def share(self, text: str) -> float:
        """Return the weighted mean of what a solution won; one half if it was never compared."""
        results = self.results.get(text) or [(0.5, 1.0)]
        return sum(s * w for s, w in results) / sum(w for _, w in results)

    def judgement(self, scores: Sequence[float]) -> Judgement:
        """Return the judgement that gives the batch `scores`."""
        return Judgement(tuple(map(Score, scores)), self.usage, self.malformed)
