"""Speculative rejection: best-of-N that stops low-scoring solutions half-way."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, top
from reasoner.search.common.voting import rounds, score
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class SpeculativeRejection:
    """Grow `n` solutions; every `tokens` tokens, reject the share `alpha` with the lowest scores.

    Sun et al. (2024, arXiv 2410.20290), who reject whenever the GPU's memory is full. Finished
    solutions are set aside and the best of them is chosen. Before its first step has ended, a solution
    is not scored and cannot be rejected. Where the budget does not cover `n` whole solutions, narrower
    rounds run one after another.
    """

    n: PositiveInt = 32
    tokens: PositiveInt = 32
    alpha: Annotated[float, Field(ge=0, lt=1)] = 0.5
    traits = StrategyTraits(scores_steps=True)

    async def search(self, run: Run) -> Node:
        """Run one round of full width, or narrower ones until the budget is spent."""
        return await rounds(run, self.n, partial(self.grow, run))

    async def grow(self, run: Run, size: int) -> Node:
        """Grow `size` solutions until each ends or is rejected; return the run's best so far."""
        chosen, growing, wanted = run.trace.root, [run.trace.root], size
        while growing:
            pieces = await run.expand(growing, n=wanted, tokens=self.tokens)
            await score(run, [p for p in pieces if p.finished or stepped(run, p)])
            chosen = run.offer_if_better(pieces)
            growing, wanted = self.keep([p for p in pieces if not p.terminal]), 1
        return chosen

    def keep(self, pieces: Sequence[Node]) -> list[Node]:
        """Return the pieces to continue: all without a score, and the best of the others."""
        judged = [p for p in pieces if p.score is not None]
        best_judged = top(judged, len(judged) - int(self.alpha * len(judged)))
        return [*(p for p in pieces if p.score is None), *best_judged]


def stepped(run: Run, piece: Node) -> bool:
    """Return True if an unfinished solution has a whole step for a verifier to judge."""
    text = run.trace.candidate(piece).text
    ends = run.sampling.stop
    return not piece.terminal and (not ends or any(end in text for end in ends))
