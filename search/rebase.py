"""REBASE: split the samples among steps by score."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain
from math import exp
from typing import Literal

from pydantic import PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best
from reasoner.search.common.deduplication import Siblings
from reasoner.search.common.voting import by_score, decide_by, rounds
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class Rebase:
    """Split the samples of each depth by softmax of the scores (Wu et al., 2024; 2408.00724).

    Reward-balanced search: `n` samples at the root; at each further depth, `n` less those that have
    ended, in proportion to exp(score / `temperature`). A low temperature is close to greedy, a high
    one close to sampling. Copies of a step are one node with the sum of their shares. `choose` takes
    the best-scored solution or the verifier-weighted vote. Where the budget does not cover `n` whole
    solutions, narrower trees run one after another.
    """

    n: PositiveInt = 16
    temperature: PositiveFloat = 0.2
    choose: Literal["best", "vote"] = "best"
    traits = StrategyTraits(scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Grow one tree of full width, or narrower ones until the budget is spent."""
        decide_by(run, self.choose)
        return await rounds(run, self.n, partial(self.grow, Siblings(run), list[Node]()))

    async def grow(self, siblings: Siblings, solutions: list[Node], width: int) -> Node:
        """Grow one tree step by step, extend `solutions`, and return the choice so far."""
        run = siblings.run
        chosen, shares = run.trace.root, {run.trace.root: width}
        while shares:
            children = list(chain.from_iterable((await siblings.step(shares)).values()))
            solutions += [c for c in children if c.finished]
            chosen = run.offer(run.choose_final(solutions) if solutions else best(children))
            width -= sum(c.terminal for c in children)
            shares = self.share(Counter(c for c in children if not c.terminal), width)
        return chosen

    def share(self, copies: Mapping[Node, int], width: int) -> dict[Node, int]:
        """Return the number of `width` samples that continue each node."""
        top = max(map(by_score, copies), default=0.0)
        weights = {c: n * exp((by_score(c) - top) / self.temperature) for c, n in copies.items()}
        counts = split(width, list(weights.values()))
        return {c: n for c, n in zip(weights, counts, strict=True) if n}


def split(width: int, weights: Sequence[float]) -> list[int]:
    """Split `width` in proportion to `weights`, rounded by largest remainder.

    The total is exact, and a larger weight never gets less.
    """
    total = sum(weights)
    quotas = [width * w / total for w in weights]
    counts = [int(q + 1e-9) for q in quotas]  # A rounding error is not a remainder.
    lacking = sorted(range(len(quotas)), key=lambda i: counts[i] - quotas[i])
    for i in lacking[: width - sum(counts)]:
        counts[i] += 1
    return counts
