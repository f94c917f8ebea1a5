"""Parts shared by both trees of thoughts: generation and evaluation of thoughts, the budget."""

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
from reasoner.thinking import answer_text
from reasoner.trace import Node
from reasoner.traits import StrategyTraits

VALUES = {"sure": 20.0, "likely": 1.0, "impossible": 0.001}
"""Value of each verdict, as in the paper's code for the Game of 24."""

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

    A node has `branch` thoughts: independently sampled next steps with `thoughts="sample"`, the lines
    of one reply to `propose_prompt` with "propose". Only the model ends a branch, so it writes the
    rest when a reply proposes nothing, after `depth` proposals, or at half of the maximum length.
    `value="score"` takes the verifier's score, "ask" the mean of `votes` replies to `value_prompt`.
    The prompts have the fields {problem}, {solution} and {n}.
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
        return StrategyTraits(verifier="unneeded", continues=True)

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of branches that grow at once."""

    @abstractmethod
    async def grow(self, run: Run, size: int) -> None:
        """Search once with at most `size` branches at once, and offer the best node."""

    async def search(self, run: Run) -> Node:
        """Search once at full size; on a small budget, run narrower searches in a row."""
        while True:
            size = max(1, run.affordable(self.size))
            part = run.sub_run(size / (size + 1))  # The rest completes a solution.
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
        """Return the solution that ends at `node`, completed first if it is unfinished."""
        if node.terminal:
            return [node]
        ends = await run.expand([node])
        run.offer_if_better(ends)
        await self.judge(run, ends)
        return ends

    async def think(self, run: Run, nodes: Sequence[Node], branch: int) -> list[Node]:
        """Return the distinct thoughts that follow `nodes`."""
        if self.thoughts == "sample":
            return distinct(run, await run.expand(nodes, n=branch, step=True))
        replies = await gather(self.propose(run, node, branch) for node in nodes)
        return [thought for reply in replies for thought in reply]

    async def propose(self, run: Run, node: Node, branch: int) -> list[Node]:
        """Return the model's proposed steps after `node`, or the rest of the solution."""
        if node.depth < self.depth and 2 * node.length < run.sampling.max_tokens:
            [reply] = await run.ask(self.fill(self.propose_prompt, run, node, branch))
            end = run.sampling.stop[0] if run.sampling.stop else "\n"
            if steps := proposals(answer_text(reply.text))[:branch]:
                return [run.write(node, step + end) for step in steps]
        return await run.expand([node])

    async def judge(self, run: Run, nodes: Sequence[Node]) -> None:
        """Score nodes by the verifier or by asking the model."""
        if self.value == "score":
            await run.score(nodes)
        else:
            await gather(self.appraise(run, node) for node in nodes if node.score is None)

    async def appraise(self, run: Run, node: Node) -> None:
        """Ask for `votes` verdicts and set their mean as the score; 1 if all are sure."""
        prompt = self.fill(self.value_prompt, run, node, self.votes)
        replies = await run.ask(prompt, n=self.votes, role=VERIFIER)
        total = sum(VALUES.get(verdict(answer_text(reply.text)), 0.0) for reply in replies)
        node.score = total / len(replies) / VALUES["sure"]

    def fill(self, prompt: str, run: Run, node: Node, n: int) -> str:
        """Fill in the three fields of `prompt`; other braces, as in LaTeX, stay."""
        words = {
            "problem": run.problem.prompt,
            "solution": run.trace.prompt(node).text,
            "n": str(n),
        }
        return re.sub(r"\{(problem|solution|n)\}", lambda name: words[name[1]], prompt)


def proposals(reply: str) -> list[str]:
    """Return the distinct lines of a reply, without bullets and numbers, up to the word DONE."""
    lines = [re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line).strip() for line in reply.splitlines()]
    return [*dict.fromkeys(takewhile(lambda line: line != "DONE", filter(None, lines)))]


def verdict(reply: str) -> str:
    """Return the last of the three verdicts in a reply; empty if there is none."""
    return next(reversed(re.findall(rf"\b({'|'.join(VALUES)})\b", reply.lower())), "")
