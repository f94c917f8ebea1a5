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
"""The distance of clipped scores from 0 and 1, which keeps their log-odds finite."""


@dataclass(frozen=True)
class Particle:
    """Step `n` particles together and resample them by score (Puri et al., 2025; 2502.01618).

    Each step multiplies a particle's weight by the odds of its score to the power 1 / `temperature`,
    until resampling makes all weights equal again. Resampling is systematic (Carpenter et al., 1999)
    and happens when the effective sample size falls below `ess` times the population; 1 resamples at
    every step. `choose` takes the vote by particle weight or the best-scored solution. Where the
    budget does not cover `n` whole solutions, smaller populations run one after another.
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
    """The populations of one search, with the total weight of each solution."""

    def __init__(
        self, run: Run, temperature: float, ess: float, choose: Literal["best", "vote"]
    ) -> None:
        self.run, self.temperature, self.ess, self.choose = run, temperature, ess, choose
        self.siblings = Siblings(run)
        self.mass = defaultdict[Node, float](float)
        decide_by(run, choose)  # If the first population is cut short, no weight is final.

    async def sweep(self, size: int, reference: Sequence[Node] = ()) -> Weighted:
        """Extend `size` particles from the root to their ends; return them and their weights.

        `reference`, a path from below the root to its end, is one more particle: it is weighed and
        resampled like the others, but stays in the population at any weight.
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
            unfinished = any(not p.terminal for p in [*free, *fixed])
            if unfinished and effective(weights) < self.ess * len(weights):
                free = self.resample(free, fixed, weights)
                logs = [0.0] * len(logs)
        return [*free, *fixed], normalised(logs)

    async def extend(self, particles: list[Node], logs: list[float]) -> Weighted:
        """Extend each unfinished particle by a step; drop those the budget has no step for."""
        wanted = Counter(p for p in particles if not p.terminal)
        if not wanted:
            return particles, logs
        steps = await self.siblings.step(wanted)
        if self.choose == "best":
            self.run.offer_if_better([*chain.from_iterable(steps.values())])
        queues = {p: iter(children) for p, children in steps.items()}
        grown = [next(queues[p], None) if p in queues else p for p in particles]
        alive = [(p, w) for p, w in zip(grown, logs, strict=False) if p]
        return [p for p, _ in alive], [*(w for _, w in alive), *logs[len(particles) :]]

    def weigh(self, particle: Node) -> float:
        """Return the log-weight increment of a particle from its latest score.

        A finished particle repeats its last score, or it would fall behind those that score well on
        further steps. A particle that was cut off counts as score 0: it can never answer.
        """
        score = by_score(particle) if particle.finished or not particle.terminal else 0.0
        score = min(max(score, SURE), 1 - SURE)
        return log(score / (1 - score)) / self.temperature

    def resample(self, free: list[Node], fixed: list[Node], weights: list[float]) -> list[Node]:
        """Sample as many particles as `free`, by weight.

        With a fixed particle, only independent draws leave the target distribution invariant.
        """
        if fixed:
            return self.run.rng.choices([*free, *fixed], weights, k=len(free))
        return [free[i] for i in systematic(weights, len(free), self.run.rng)]

    def elect(self, particles: list[Node], weights: list[float]) -> Node:
        """Offer the answer of all populations so far, including this one."""
        for particle, weight in zip(particles, weights, strict=True):
            if particle.finished:
                self.mass[particle] += weight * len(particles)
        if not self.mass:
            return self.run.offer(self.run.incumbent or best(particles))
        if self.choose == "vote":
            return self.run.offer(vote(self.run, list(self.mass), self.mass.__getitem__))
        return self.run.offer(self.run.incumbent or best(list(self.mass)))


def normalised(logs: Sequence[float]) -> list[float]:
    """Return the weights with these logarithms, scaled to a sum of one."""
    top = max(logs)
    weights = [exp(w - top) for w in logs]
    total = sum(weights)
    return [w / total for w in weights]


def effective(weights: Sequence[float]) -> float:
    """Return the effective sample size of normalised `weights` (Kong et al., 1994)."""
    return 1 / sum(w * w for w in weights)


def systematic(weights: Sequence[float], n: int, rng: Random) -> list[int]:
    """Sample `n` indices in proportion to `weights`, from one uniform number.

    Each index occurs its share of `n` times, rounded down or up, and exactly so on average.
    """
    sums = list(accumulate(weights))
    pace = sums[-1] / n
    start = rng.random() * pace
    return [min(bisect(sums, start + i * pace), len(sums) - 1) for i in range(n)]
