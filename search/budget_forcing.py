"""Budget forcing: one chain of thought, extended or cut to a length."""

from dataclasses import replace
from math import inf

from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.forced_answers import ask_for_answer, full
from reasoner.thinking import before_close
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class BudgetForcing:
    """Extend a model's reasoning past its end, or cut it and force an answer (s1).

    Budget forcing (Muennighoff et al., 2025, arXiv 2501.19393). Up to `n` times, `wait` replaces the
    model's end; with a `minimum`, only while the chain is shorter than that many tokens. At `maximum`
    tokens the reasoning is cut and `final` prompts for the answer, after the mark that ends the thinking
    where there is one. A reasoning model's answer, from the mark `end` on (by default any known mark, such
    as `</think>`), is removed with its end. With `native`, the engine itself ends the thinking at `maximum`
    tokens (vLLM's `thinking_token_budget`). The paper uses temperature zero.
    """

    n: PositiveInt = 2
    minimum: PositiveInt | None = None
    maximum: PositiveInt | None = None
    wait: str = "Wait"
    final: str = "\n\nFinal Answer:"
    end: str = ""
    native: bool = False
    temperature: NonNegativeFloat | None = 0.0
    traits = StrategyTraits(verifier="unneeded", stops_early=True, continues=True)

    def __post_init__(self) -> None:
        """Declare what `native` needs; refuse it without a limit."""
        if self.native:
            if self.maximum is None:
                raise ValueError("native=True has the engine end thinking at `maximum`; set it")
            vars(self)["traits"] = replace(BudgetForcing.traits, thinking_budget=True)

    async def search(self, run: Run) -> Node:
        """Reason, append `wait`, reason on; return the latest answer."""
        if self.native and self.maximum:
            run.limit_thinking(self.maximum)
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
        by_text = self.maximum is not None and not self.native
        left = max(0, (self.maximum or 0) - node.length) if by_text else None
        if left != 0:
            [node] = await run.expand([node], tokens=left, temperature=self.temperature)
        if not node.terminal:
            node = ask_for_answer(run, node, self.final)
            if not full(run, node):
                [node] = await run.expand([node], temperature=self.temperature)
        return run.offer(node) if node.finished or not run.incumbent else node

    def extend(self, run: Run, node: Node) -> Node:
        """Replace the chain's end, and its answer where a mark begins one, by `wait`."""
        text, parent = node.completion.text if node.completion else "", run.trace.parent(node)
        if self.end:
            thinking = text.partition(self.end)[0] if self.end in text else None
        else:
            thinking = before_close(text)
        if parent and thinking is not None:
            return run.write(parent, thinking + self.wait)
        return run.write(node, self.wait)
