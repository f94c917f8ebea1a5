"""What both trees of thoughts share: where thoughts come from, what they are worth, the budget."""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import takewhile
from typing import Literal

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.budget import VERIFIER
from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.search.common.voting import distinct
from reasoner.trace import Node
from reasoner.traits import StrategyTraits

VALUES = {"sure": 20.0, "likely": 1.0, "impossible": 0.001}
"""What a verdict is worth, as in the paper's code for the Game of 24."""

PROPOSE = """Problem:
{problem}

Solution so far:
{solution}

Propose up to {n} different next steps of this solution, each on a line of its own and nothing else.
If no step is missing but the final answer, write DONE.
"""

VALUE = """Problem:
{problem}

Solution so far:
{solution}

Is this solution right so far, and can it lead to the right answer? Think briefly, then end with
a line of one word: sure, likely or impossible.
"""


@dataclass(frozen=True)
class Thoughts(ABC):
    """The settings and parts of a tree of thoughts (Yao et al., 2023, arXiv 2305.10601).

    `branch` thoughts follow a node: with `thoughts="sample"` drawn independently as next steps,
    with "propose" the lines of one reply to `propose_prompt`. A branch ends where the model ends
    it, so when a reply proposes nothing, or after `depth` proposals or half of the longest solution,
    the model writes the rest. `value="score"` takes the verifier's score, "ask" the mean of `votes`
    replies to `value_prompt`. In the prompts {problem}, {solution} and {n} are replaced.
    """

    n: PositiveInt = 5
    branch: PositiveInt = 5
    thoughts: Literal["sample", "propose"] = "sample"
    value: Literal["score", "ask"] = "score"
    votes: PositiveInt = 3
    depth: PositiveInt = 8
    propose_prompt: str = PROPOSE
    value_prompt: str = VALUE

    @property
    def traits(self) -> StrategyTraits:
        """A verifier is needed for `value="score"` only."""
        if self.value == "score":
            return StrategyTraits(scores_steps=True)
        return StrategyTraits(verifier="unneeded")

    @property
    @abstractmethod
    def size(self) -> int:
        """Branches that grow at once."""

    @abstractmethod
    async def grow(self, run: Run, size: int) -> None:
        """One search with at most `size` branches at once, which offers the best it finds."""

    async def search(self, run: Run) -> Node:
        """Search once, or while the budget is too small for that, narrower searches in a row."""
        while True:
            size = max(1, run.affordable(self.size))
            part = run.sub_run(size / (size + 1))  # The rest is for the end of a solution.
            try:
                await self.grow(part, size)
                complete = size == self.size
            except BudgetExhausted:
                complete = False
            ends = await self.end(run, part.incumbent or run.trace.root)
            chosen = run.offer_if_better(ends)
            if complete:
                return chosen

    async def end(self, run: Run, node: Node) -> list[Node]:
        """The solution that ends at `node`, sampled to its end if it had none."""
        if node.terminal:
            return [node]
        ends = await run.expand([node])
        run.offer_if_better(ends)
        await self.judge(run, ends)
        return ends

    async def think(self, run: Run, nodes: Sequence[Node], branch: int) -> list[Node]:
        """The distinct thoughts that follow `nodes`."""
        if self.thoughts == "sample":
            return distinct(run, await run.expand(nodes, n=branch, step=True))
        replies = await gather(self.propose(run, node, branch) for node in nodes)
        return [thought for reply in replies for thought in reply]

    async def propose(self, run: Run, node: Node, branch: int) -> list[Node]:
        """The steps that the model proposes after `node`, or the rest of the solution."""
        if node.depth < self.depth and 2 * node.length < run.sampling.max_tokens:
            [reply] = await run.ask(self.fill(self.propose_prompt, run, node, branch))
            end = run.sampling.stop[0] if run.sampling.stop else "\n"
            if steps := proposals(reply.text)[:branch]:
                return [run.write(node, step + end) for step in steps]
        return await run.expand([node])

    async def judge(self, run: Run, nodes: Sequence[Node]) -> None:
        """Score nodes by the verifier or by asking the model."""
        if self.value == "score":
            await run.score(nodes)
        else:
            await gather(self.appraise(run, node) for node in nodes if node.score is None)

    async def appraise(self, run: Run, node: Node) -> None:
        """Ask for `votes` verdicts and score the node with their mean, 1 if all are sure."""
        prompt = self.fill(self.value_prompt, run, node, self.votes)
        replies = await run.ask(prompt, n=self.votes, role=VERIFIER)
        total = sum(VALUES.get(verdict(reply.text), 0.0) for reply in replies)
        node.score = total / len(replies) / VALUES["sure"]

    def fill(self, prompt: str, run: Run, node: Node, n: int) -> str:
        """`prompt` with its three names replaced; other braces, as in LaTeX, are left alone."""
        words = {
            "problem": run.problem.prompt,
            "solution": run.trace.prompt(node).text,
            "n": str(n),
        }
        return re.sub(r"\{(problem|solution|n)\}", lambda name: words[name[1]], prompt)


def proposals(reply: str) -> list[str]:
    """The different lines of a reply, without bullets and numbers, up to the word DONE."""
    lines = [re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line).strip() for line in reply.splitlines()]
    return [*dict.fromkeys(takewhile(lambda line: line != "DONE", filter(None, lines)))]


def verdict(reply: str) -> str:
    """The last of the three verdicts that a reply mentions."""
    return next(reversed(re.findall(rf"\b({'|'.join(VALUES)})\b", reply.lower())), "")
