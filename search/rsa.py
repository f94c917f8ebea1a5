"""Recursive self-aggregation: rounds of solutions, each written from some of the round before."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.search.common.voting import rounds, vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits

PROMPT = """{problem}

Solutions so far:

{solutions}

Each of them may be wrong, in whole or in part. Compare them, use what is right, and write one better solution of the
problem, from start to end."""


@dataclass(frozen=True)
class RSA:
    """Improve a population of `n` solutions `rounds` times: each new one is written from `k` old ones.

    Recursive self-aggregation (Venkatraman et al., 2025, arXiv 2509.26626; its T counts the first population
    too). Every new solution is shown the problem and `k` solutions drawn from the population without
    replacement, all of them with k=None. The last population votes. `final` has the sizes of the last
    populations where they are not `n`: with k=None and final=(..., 1) it is PaCoRe (arXiv 2601.05593), with
    one round and final=(1,) GenSynthesis. The model must take instructions: those of `prompt`.
    """

    n: PositiveInt = 16
    k: PositiveInt | None = 4
    rounds: PositiveInt = 9
    final: tuple[PositiveInt, ...] = ()
    prompt: str = PROMPT
    traits = StrategyTraits(verifier="unneeded")

    def __post_init__(self) -> None:
        """Refuse more sizes than there are rounds."""
        if len(self.final) > self.rounds:
            raise ValueError(
                f"final={self.final} has {len(self.final)} sizes, for rounds={self.rounds};"
                " raise rounds, or give fewer sizes"
            )

    async def search(self, run: Run) -> Node:
        """Evolve one population of `n`, or smaller ones until the budget is spent; all last ones vote."""
        run.choose_final_by(partial(vote, run))
        settled = list[Node]()

        async def evolve(n: int) -> Node:
            population = await run.expand([run.trace.root], n=n)
            for size in self.sizes(n):
                run.offer(vote(run, [*settled, *population]))
                population = await self.improve(run, population, size)
            settled.extend(population)
            return run.offer(vote(run, settled))

        return await rounds(run, self.n, evolve, each=1 + self.rounds)

    def sizes(self, n: int) -> list[int]:
        """Return the size of each population after a first one of `n`."""
        return [n] * (self.rounds - len(self.final)) + [min(n, size) for size in self.final]

    async def improve(self, run: Run, population: Sequence[Node], size: int) -> list[Node]:
        """Return a population of `size` that was written from `population`; smaller as the budget closes.

        Raises:
            BudgetExhausted: there was budget for none.
        """
        solutions = readable(run, population)
        # Equal prompts are one request; with k=None all are.
        prompts = Counter(self.fill(run, solutions) for _ in range(size))
        written = await gather(write(run, prompt, count) for prompt, count in prompts.items())
        if not any(written):
            raise BudgetExhausted("no budget is left to write a solution from others")
        return [node for nodes in written for node in nodes]

    def fill(self, run: Run, solutions: Sequence[str]) -> str:
        """Return the prompt with `k` of `solutions`, drawn without replacement and numbered in order."""
        k = min(self.k or len(solutions), len(solutions))
        drawn = sorted(run.rng.sample(range(len(solutions)), k))
        shown = "\n\n".join(f"{i}:\n{solutions[place]}" for i, place in enumerate(drawn, 1))
        words = {"problem": run.problem.prompt, "solutions": shown}
        return re.sub(r"\{(problem|solutions)\}", lambda name: words[name[1]], self.prompt)


def readable(run: Run, population: Sequence[Node]) -> list[str]:
    """Return the texts of the finished solutions, without their thinking; of all where none has finished."""
    nodes = [node for node in population if node.finished] or population
    return [run.trace.candidate(node).answer_text for node in nodes]


async def write(run: Run, prompt: str, count: int) -> list[Node]:
    """Sample `count` solutions to a prompt; fewer where the budget closes."""
    try:
        replies = await run.ask(prompt, n=count)
    except BudgetExhausted:
        replies = []
    return [run.adopt(run.trace.root, reply) for reply in replies]
