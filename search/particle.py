"""Particle filtering: a population of solutions, resampled by score as it grows."""

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate, chain, repeat
from math import exp, log
from random import Random
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best
from reasoner.search.common.deduplication import Siblings
from reasoner.search.common.voting import by_score, decide_by, rounds, vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits

Weighted = tuple[list[Node], list[float]]
SURE = 1e-7
"""How near to 0 and 1 a score may count: its log-odds must be finite."""


@dataclass(frozen=True)
class Particle:
    """Step `n` particles together and resample them by score (Puri et al., 2025; 2502.01618).

    Each step multiplies a particle's weight by the odds of its score to the power 1 / `temperature`,
    until resampling makes all weights equal again. That is systematic (Carpenter et al., 1999), and
    waits until the effective sample size is below `ess` times the population; 1 resamples at every
    step. `choose` takes the vote by the particles' weights or the best-scored solution. Where the
    budget does not hold `n` whole solutions, smaller populations follow one another.
    """

    n: PositiveInt = 16
    temperature: PositiveFloat = 1.0
    ess: Annotated[float, Field(ge=0, le=1)] = 0.5
    choose: Literal["best", "vote"] = "vote"
    traits = StrategyTraits(scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Run one population, or smaller ones until the budget is spent."""
        swarm = Swarm(run, self.temperature, self.ess, self.choose)

        async def grow(size: int) -> Node:
            return swarm.elect(*await swarm.sweep(size))

        return await rounds(run, self.n, grow)


class Swarm:
    """The populations of one search, and what their solutions weigh together."""

    def __init__(
        self, run: Run, temperature: float, ess: float, choose: Literal["best", "vote"]
    ) -> None:
        self.run, self.temperature, self.ess, self.choose = run, temperature, ess, choose
        self.siblings = Siblings(run)
        self.mass = defaultdict[Node, float](float)
        decide_by(run, choose)  # Should the first population be cut short, no weight is final.

    async def sweep(self, size: int, reference: Sequence[Node] = ()) -> Weighted:
        """Lead `size` particles from the root to their ends; the particles and their weights.

        `reference`, a path from below the root to its end, is one particle more: it is weighed and
        resampled like the others, but stays in the population whatever it weighs.
        """
        root = self.run.trace.root
        path = chain(reference, repeat(reference[-1])) if reference else repeat(root)
        free, fixed = [root] * size, [root] * bool(reference)
        logs = [0.0] * (size + len(fixed))
        while any(not p.terminal for p in [*free, *fixed]):
            free, logs = await self.extend(free, logs)
            fixed = [next(path) for _ in fixed]
            logs = [w + self.weigh(p) for w, p in zip(logs, [*free, *fixed], strict=True)]
            weights = normalised(logs)
            going_on = any(not p.terminal for p in [*free, *fixed])
            if going_on and effective(weights) < self.ess * len(weights):
                free = self.resample(free, fixed, weights)
                logs = [0.0] * len(logs)
        return [*free, *fixed], normalised(logs)

    async def extend(self, particles: list[Node], logs: list[float]) -> Weighted:
        """Take each unfinished particle a step on; one that the budget has no step for is lost."""
        wanted = Counter(p for p in particles if not p.terminal)
        if not wanted:
            return particles, logs
        steps = await self.siblings.step(wanted)
        if self.choose == "best":
            self.run.offer_if_better([*chain.from_iterable(steps.values())])
        queues = {p: iter(children) for p, children in steps.items()}
        grown = [next(queues[p], None) if p in queues else p for p in particles]
        kept = [(p, w) for p, w in zip(grown, logs, strict=False) if p]
        return [p for p, _ in kept], [*(w for _, w in kept), *logs[len(particles) :]]

    def weigh(self, particle: Node) -> float:
        """The log of the factor by which its latest score changes the weight of a particle.

        A finished particle goes on counting its last score, or it would fall behind those that
        score well on further steps. One that was cut off can never answer.
        """
        score = by_score(particle) if particle.finished or not particle.terminal else 0.0
        score = min(max(score, SURE), 1 - SURE)
        return log(score / (1 - score)) / self.temperature

    def resample(self, free: list[Node], fixed: list[Node], weights: list[float]) -> list[Node]:
        """As many particles as `free`, drawn by weight.

        Around one that stays, only independent draws leave the target as it is.
        """
        if fixed:
            return self.run.rng.choices([*free, *fixed], weights, k=len(free))
        return [free[i] for i in systematic(weights, len(free), self.run.rng)]

    def elect(self, particles: list[Node], weights: list[float]) -> Node:
        """Offer the answer of all populations, this one among them."""
        for particle, weight in zip(particles, weights, strict=True):
            if particle.finished:
                self.mass[particle] += weight * len(particles)
        if not self.mass:
            return self.run.offer(self.run.incumbent or best(particles))
        if self.choose == "vote":
            return self.run.offer(vote(self.run, list(self.mass), self.mass.__getitem__))
        return self.run.offer(self.run.incumbent or best(list(self.mass)))


def normalised(logs: Sequence[float]) -> list[float]:
    """The weights with these logarithms, scaled to the sum of one."""
    top = max(logs)
    weights = [exp(w - top) for w in logs]
    total = sum(weights)
    return [w / total for w in weights]


def effective(weights: Sequence[float]) -> float:
    """The effective sample size: how many equal weights would vary as little (Kong et al., 1994)."""
    return 1 / sum(w * w for w in weights)


def systematic(weights: Sequence[float], n: int, rng: Random) -> list[int]:
    """`n` indices in proportion to `weights`, from one uniform number.

    Each index comes as often as its share of `n`, rounded down or up, and so on average exactly.
    """
    sums = list(accumulate(weights))
    pace = sums[-1] / n
    start = rng.random() * pace
    return [min(bisect(sums, start + i * pace), len(sums) - 1) for i in range(n)]
