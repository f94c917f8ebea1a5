"""Revision: improve on earlier attempts, in several chains at a time."""

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Literal

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted
from reasoner.run import Run, best
from reasoner.search.common.deduplication import Siblings
from reasoner.search.common.voting import by_score, vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits

PROMPT = """{problem}

{attempts}

These attempts may be wrong. Find the mistakes, then solve the problem again, from start to end."""

Chain = tuple[int, Random]
"""The number of solutions of a chain, and its own random generator."""


@dataclass(frozen=True)
class Revise:
    """Revise solutions in chains, and choose among all of them (Snell et al., 2024, section 6).

    The `n` solutions form chains of `length`; the paper's ratio of sequential to parallel compute
    is `length` to the number of chains. With `how="resample"` (any model), the chain's best solution
    is cut before its weakest step and continued from there; without step scores, the step is random.
    With "ask" (a chat model), the model sees the latest `context` attempts and solves the problem
    again. A revision is often worse than the original, so the final choice is among all attempts: by
    the verifier, or by a vote weighted by scores (`choose`); without a verifier, by a plain vote.
    """

    n: PositiveInt = 16
    length: PositiveInt = 4
    how: Literal["resample", "ask"] = "resample"
    context: PositiveInt = 4
    choose: Literal["best", "vote"] = "best"

    @property
    def traits(self) -> StrategyTraits:
        """Solutions are continued from a cut where they are resampled."""
        return StrategyTraits(verifier="preferred", continues=self.how == "resample")

    async def search(self, run: Run) -> Node:
        """Follow every chain to its end, as many at once as the budget allows."""
        if self.choose == "vote" and run.verified:
            run.choose_final_by(partial(vote, run, weight=by_score))
        elif not run.verified:
            run.choose_final_by(partial(vote, run))
        lengths = self.lengths()
        chains = iter([(size, Random(run.rng.random())) for size in lengths])
        at_once = max(1, run.affordable(len(lengths)))
        siblings = Siblings(run)
        await gather(self.follow(siblings, chains) for _ in range(at_once))
        candidates = run.trace.finished or [*filter(None, [run.incumbent])]
        if not candidates:
            raise BudgetExhausted("no solution could be sampled")
        return run.choose_final(candidates)

    def lengths(self) -> list[int]:
        """Return the number of solutions of each chain."""
        count = min(self.n, max(1, round(self.n / self.length)))
        each, more = divmod(self.n, count)
        return [each + (i < more) for i in range(count)]

    async def follow(self, siblings: Siblings, chains: Iterator[Chain]) -> None:
        """Process one chain after another until no chain or no budget is left."""
        try:
            for length, rng in chains:
                await self.revise(siblings, length, rng)
        except BudgetExhausted:
            return

    async def revise(self, siblings: Siblings, length: int, rng: Random) -> None:
        """Solve once, then revise `length - 1` times."""
        run = siblings.run
        attempts = [await self.offered(siblings, await self.first(run))]
        reached = attempts[0]
        while len(attempts) < length:
            if self.how == "ask":
                node = await self.solve_again(run, attempts[-self.context :])
            else:
                node = await finish(run, before_weakest(run, reached, rng))
            attempts.append(await self.offered(siblings, node))
            # Between equals the later one continues, so that a chain does not stand still.
            reached = best([node, reached])

    async def offered(self, siblings: Siblings, node: Node) -> Node:
        """`node`, scored, and offered if it is the best; votes are counted at the end."""
        run = siblings.run
        if run.verified:
            await siblings.merge([node])
        voting = self.choose == "vote" or not run.verified
        if not (voting and run.trace.finished):
            run.offer_if_better([node])
        return node

    async def first(self, run: Run) -> Node:
        """Sample a chain's first solution, step by step if it will be cut between steps."""
        if self.how == "resample":
            return await finish(run, run.trace.root)
        [node] = await run.expand([run.trace.root])
        return node

    async def solve_again(self, run: Run, attempts: list[Node]) -> Node:
        """Ask a chat model to solve the problem again, given earlier attempts."""
        shown = "\n\n".join(
            f"Attempt {i}:\n{run.trace.candidate(node).answer_text}"
            for i, node in enumerate(attempts, 1)
        )
        text = PROMPT.format(problem=run.problem.prompt, attempts=shown)
        [completion] = await run.ask(text)
        return run.adopt(run.trace.root, completion)


async def finish(run: Run, node: Node) -> Node:
    """Complete `node` step by step, so that it can later be cut at any step."""
    while not node.terminal:
        [node] = await run.expand([node], step=True)
    return node


def before_weakest(run: Run, node: Node, rng: Random) -> Node:
    """Return the node just before the step with the lowest score."""
    path = run.trace.path(node)
    scores = node.step_scores[: len(path) - 1]
    weakest = scores.index(min(scores)) if scores else rng.randrange(len(path) - 1)
    return path[weakest]
