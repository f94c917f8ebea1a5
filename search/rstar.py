"""rStar: candidates from tree search, chosen by agreement with completions of their beginnings."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass as plain
from dataclasses import field as state

from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted
from reasoner.run import Run, best, top
from reasoner.search.mcts import MCTS
from reasoner.trace import Node
from reasoner.traits import StrategyTraits
from reasoner.types import NodeId


@dataclass(frozen=True)
class RStar:
    """Grow solutions by MCTS, complete their beginnings again, choose by agreement (rStar).

    Mutual consistency of Qi et al. (2024, arXiv 2408.06195): a second model (the same one if the run
    has no second) completes the first 20 % to 80 % of the steps of every solution of `n` simulations,
    `checks` times. The rate at which it reaches the same answer, times the solution's score, decides.
    Without a verifier the score is the answer's share of the votes, as in the paper. Under a budget,
    the search uses half of it and the checks the rest.
    """

    n: PositiveInt = 32
    branch: PositiveInt = 4
    exploration: NonNegativeFloat = 0.5
    parallel: PositiveInt = 8
    checks: PositiveInt = 2
    traits = StrategyTraits(verifier="unneeded", scores_steps=True, asks_second=True)

    async def search(self, run: Run) -> Node:
        """Alternate search and checks until `n` simulations are done or the budget is spent."""
        mcts = MCTS(self.n, self.branch, self.exploration, self.parallel)
        trial, tree, done = ConsistencyTrial(run), mcts.tree(run), False
        run.choose_final_by(trial.decide)
        while not done:
            tree.run = run.sub_run(0.5)
            done = await mcts.explore(tree, trial.judge)
            await self.check(run, trial)
        return run.offer(run.choose_final(run.trace.finished))

    async def check(self, run: Run, trial: "ConsistencyTrial") -> None:
        """Complete the beginnings of all unchecked candidates, the best ones first."""
        candidates = trial.pending()
        if not candidates:
            # The search's share gave no solution: complete a node before the search continues.
            await trial.judge(await run.expand([open_end(run)]))
            return
        beginnings = [[beginning(run, c) for _ in range(self.checks)] for c in candidates]
        if not any(await gather(map(trial.check, candidates, beginnings))):
            raise BudgetExhausted("no budget is left to check a candidate")


@plain(slots=True)
class ConsistencyTrial:
    """The candidates of one run: their answers, votes and consistency."""

    run: Run
    answers: dict[NodeId, str] = state(default_factory=dict[NodeId, str])
    votes: Counter[str] = state(default_factory=Counter[str])
    consistency: dict[NodeId, float] = state(default_factory=dict[NodeId, float])

    async def judge(self, nodes: Sequence[Node]) -> None:
        """Score nodes by the verifier; without one, finished nodes by their answer's share of votes."""
        for node in nodes:
            if node.id not in self.answers and (answer := self.run.answer(node)):
                self.answers[node.id] = answer
                self.votes[answer] += 1
                if not self.run.verified:
                    node.score = self.share(node)
        if self.run.verified:
            await self.run.score(nodes)

    def share(self, node: Node) -> float:
        return self.votes[self.answers[node.id]] / len(self.answers)

    def pending(self) -> list[Node]:
        """Return the unchecked candidates, best first."""
        unchecked = (self.run.trace[i] for i in self.answers if i not in self.consistency)
        return top(unchecked, len(self.answers))

    async def check(self, candidate: Node, beginnings: Sequence[Node]) -> bool:
        """Record the rate at which completions reach the candidate's answer; False without budget."""
        try:
            ends = await self.run.expand(beginnings, second=True)
        except BudgetExhausted:
            return False
        agreeing = [self.run.answer(end) == self.answers[candidate.id] for end in ends]
        self.consistency[candidate.id] = sum(agreeing) / len(agreeing)
        return True

    def decide(self, nodes: Sequence[Node]) -> Node:
        """Return the candidate with the highest consistency times score, ties broken by score."""
        candidates = [n for n in nodes if n.id in self.answers]
        return max(candidates, key=self.merit) if candidates else best(nodes)

    def merit(self, node: Node) -> tuple[float, float]:
        score = (node.score or 0.0) if self.run.verified else self.share(node)
        return self.consistency.get(node.id, 0.0) * score, score


def beginning(run: Run, candidate: Node) -> Node:
    """Return the node after a random 20 to 80 % of the steps of `candidate`, written if missing."""
    steps = split("".join(c.text for c in run.trace.completions(candidate)), run.sampling.stop)
    count = min(round(run.rng.uniform(0.2, 0.8) * len(steps)), len(steps) - 1)
    shown = "".join(steps[:count])
    node = run.trace.root
    for step in run.trace.path(candidate)[1:]:
        text = step.completion.text if step.completion else ""
        if len(text) > len(shown):
            break
        node, shown = step, shown[len(text) :]
    return run.write(node, shown) if shown else node


def split(solution: str, stops: Sequence[str]) -> list[str]:
    """Split a solution into steps, each with the stop string that ends it."""
    ends = "|".join(map(re.escape, stops))
    return re.findall(f".*?(?:{ends})|.+", solution, re.DOTALL) if ends else [solution]


def open_end(run: Run) -> Node:
    """Return the longest unfinished node, or the root."""
    return max((n for n in run.trace if not n.terminal), key=lambda n: n.length)
