"""Budget forcing: one chain of thought, extended or cut to a length."""

from math import inf

from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class BudgetForcing:
    """Extend a model's reasoning past its end, or cut it and force an answer (s1).

    Budget forcing (Muennighoff et al., 2025, arXiv 2501.19393). Up to `n` times, `wait` replaces the
    model's end; with a `minimum`, only while the chain is shorter than that many tokens. At `maximum`
    tokens the reasoning is cut and `final` prompts for the answer. A reasoning model's answer, from
    the mark `end` (such as `</think>`) on, is removed with its end. The paper uses temperature zero.
    """

    n: PositiveInt = 2
    minimum: PositiveInt | None = None
    maximum: PositiveInt | None = None
    wait: str = "Wait"
    final: str = "\n\nFinal Answer:"
    end: str = ""
    temperature: NonNegativeFloat | None = 0.0
    traits = StrategyTraits(verifier="unneeded", stops_early=True, continues=True)

    async def search(self, run: Run) -> Node:
        """Reason, append `wait`, reason on; return the latest answer."""
        node = await self.think(run, run.trace.root)
        for _ in range(self.n):
            if not node.finished or node.length >= min(self.minimum or inf, self.maximum or inf):
                break
            node = self.extend(run, node)
            if full(run, node):
                break
            node = await self.think(run, node)
        return run.incumbent or node

    async def think(self, run: Run, node: Node) -> Node:
        """Continue `node` until the model ends, or is cut and made to answer."""
        left = None if self.maximum is None else max(0, self.maximum - node.length)
        if left != 0:
            [node] = await run.expand([node], tokens=left, temperature=self.temperature)
        if not node.terminal:
            node = run.write(node, self.final)
            if not full(run, node):
                [node] = await run.expand([node], temperature=self.temperature)
        return run.offer(node) if node.finished or not run.incumbent else node

    def extend(self, run: Run, node: Node) -> Node:
        """Replace the chain's end, and its answer where `end` marks one, by `wait`."""
        text, parent = node.completion.text if node.completion else "", run.trace.parent(node)
        if parent and self.end and self.end in text:
            return run.write(parent, text.partition(self.end)[0] + self.wait)
        return run.write(node, self.wait)


def full(run: Run, node: Node) -> bool:
    """Return True if the chain has the task's maximum length."""
    return node.length >= run.sampling.max_tokens
