"""Particle Gibbs: repeated particle filtering, each time around a retained solution."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.voting import rounds
from reasoner.search.particle import Swarm
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class ParticleGibbs:
    """Filter `iterations` times, around a solution sampled from the last filter (Puri et al., 2025).

    The iterated conditional SMC of Andrieu et al. (2010). `n` counts the particles of all
    iterations; the retained solution is one more and costs nothing. At least two iterations are
    needed to retain one; each further one makes the populations smaller and the search longer. The
    other settings are those of `particle`.
    """

    n: PositiveInt = 16
    iterations: PositiveInt = 2
    temperature: PositiveFloat = 1.0
    ess: Annotated[float, Field(ge=0, le=1)] = 0.5
    choose: Literal["best", "vote"] = "vote"
    traits = StrategyTraits(scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Iterate once over `n` particles, or over fewer until the budget is spent."""
        swarm, retained = Swarm(run, self.temperature, self.ess, self.choose), list[Node]()

        async def iterate(size: int) -> Node:
            nonlocal retained
            chosen = run.trace.root
            for width in parts(size, self.iterations):
                particles, weights = await swarm.sweep(width, retained)
                chosen = swarm.elect(particles, weights)
                [sampled] = run.rng.choices(particles, weights)
                retained = run.trace.path(sampled)[1:]
            return chosen

        return await rounds(run, self.n, iterate)


def parts(n: int, count: int) -> list[int]:
    """Split `n` into at most `count` parts of nearly equal size, none of them zero."""
    count = min(n, count)
    return [n // count + (i < n % count) for i in range(count)]
