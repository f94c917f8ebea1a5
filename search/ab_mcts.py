"""AB-MCTS: choose between a wider and a deeper tree by Thompson sampling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass as plain
from dataclasses import field as state
from functools import partial
from itertools import pairwise
from math import sqrt
from random import Random
from typing import Literal

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.search.common.simulation import backup, simulations
from reasoner.trace import Node
from reasoner.traits import StrategyTraits
from reasoner.types import NodeId

WIDEST = 32
"""The most children a node samples among; beyond that, the child with the lowest mean is dropped."""


@dataclass(frozen=True)
class ABMCTS:
    """Adaptive branching MCTS with node aggregation (AB-MCTS-A; Inoue et al., 2025, 2503.04412).

    At every node, one draw from each of two posteriors chooses between a new child (GEN) and an
    existing one (CONT); a draw from each child's posterior then chooses the child. A child is one
    more step of the solution. With `rollout` the solution is completed and its score is observed
    along the whole path; without, the score of the step is. `prior` is Jeffreys' Beta or the paper's
    normal-inverse-gamma. Up to `parallel` of the `n` simulations run at once; a running one counts
    as a score of 0.
    """

    n: PositiveInt = 64
    prior: Literal["beta", "gaussian"] = "beta"
    parallel: PositiveInt = 8
    rollout: bool = True

    @property
    def traits(self) -> StrategyTraits:
        """With `rollout`, whole solutions are scored, else steps."""
        return StrategyTraits(scores_steps=not self.rollout, continues=True)

    async def search(self, run: Run) -> Node:
        """Run `n` simulations, or as many as the budget allows."""
        forest = Forest(run, DRAWS[self.prior])
        await simulations(self.n, self.parallel, forest.select, partial(self.simulate, forest))
        if not run.incumbent:
            raise BudgetExhausted("no step could be sampled")
        return run.incumbent

    async def simulate(self, forest: "Forest", path: Sequence[Node]) -> None:
        """Sample a child of the last node of `path` and observe its score."""
        run, leaf = forest.run, path[-1]
        [sampled] = await run.expand([leaf], step=True)
        child = reached = forest.known(leaf, sampled)
        run.offer(run.incumbent or child)
        if self.rollout and not child.terminal:
            [reached] = await run.expand([child])
        await run.score([reached])
        run.offer_if_better([reached])
        forest.observe(path, child, reached.score or 0.0)


@plain(slots=True)
class ArmStatistics:
    """Observed scores of one choice. A visit is counted at its start, its score at its end."""

    visits: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / max(1, self.visits)

    def observe(self, score: float) -> None:
        self.total += score
        self.squares += score * score


Draw = Callable[[ArmStatistics, Random], float]


def beta(arm: ArmStatistics, rng: Random) -> float:
    """Sample from the posterior of the mean under Jeffreys' prior, Beta(1/2, 1/2)."""
    return rng.betavariate(0.5 + arm.total, 0.5 + arm.visits - arm.total)


def gaussian(arm: ArmStatistics, rng: Random) -> float:
    """Sample from the posterior of the mean under a normal-inverse-gamma prior.

    The prior is the paper's: mean 0 and variance 0.1, worth one observation each.
    """
    n, mean = arm.visits, arm.mean
    prior_term = n / (1 + n) * mean * mean
    scale = 0.1 + max(0.0, arm.squares - n * mean * mean) + prior_term
    variance = scale / 2 / max(rng.gammavariate((1 + n) / 2, 1.0), 1e-300)
    return rng.gauss(arm.total / (1 + n), sqrt(variance / (1 + n)))


DRAWS: dict[str, Draw] = {"beta": beta, "gaussian": gaussian}


@plain(slots=True)
class Fork:
    """Statistics of one node: new children, existing children together, and each open child."""

    new: ArmStatistics = state(default_factory=ArmStatistics)
    old: ArmStatistics = state(default_factory=ArmStatistics)
    children: dict[str, Node] = state(default_factory=dict[str, Node])
    """All children, by their text."""
    open: dict[NodeId, ArmStatistics] = state(default_factory=dict[NodeId, ArmStatistics])


@plain(slots=True)
class Forest:
    """The forks of one search."""

    run: Run
    draw: Draw
    forks: dict[NodeId, Fork] = state(default_factory=dict[NodeId, Fork])

    def select(self) -> list[Node]:
        """Return the path to the node to expand, and count a visit for every choice on it."""
        path = [self.run.trace.root]
        while child := self.choose(fork := self.fork(path[-1])):
            fork.old.visits += 1
            fork.open[child.id].visits += 1
            path.append(child)
        fork.new.visits += 1
        return path

    def choose(self, fork: Fork) -> Node | None:
        """Return an open child, or None to sample a new one."""
        rng = self.run.rng
        if not fork.open or self.draw(fork.new, rng) >= self.draw(fork.old, rng):
            return None
        chosen = max(fork.open, key=lambda id: self.draw(fork.open[id], rng))
        return self.run.trace[chosen]

    def fork(self, node: Node) -> Fork:
        return self.forks.setdefault(node.id, Fork())

    def known(self, parent: Node, child: Node) -> Node:
        """Return the first child of `parent` with the text of `child`, which may be `child` itself."""
        text = child.completion.text if child.completion else ""
        return self.fork(parent).children.setdefault(text, child)

    def observe(self, path: Sequence[Node], child: Node, score: float) -> None:
        """Record `score` for every choice along `path` and for the new `child`."""
        for node, passed in pairwise(path):
            fork = self.fork(node)
            fork.old.observe(score)
            if arm := fork.open.get(passed.id):
                arm.observe(score)
        for node in (*path, child):
            node.visits += 1
        backup((*path, child), score)
        fork = self.fork(path[-1])
        fork.new.observe(score)
        if not child.terminal:
            self.welcome(fork, child, score)

    def welcome(self, fork: Fork, child: Node, score: float) -> None:
        """Open `child` with its first score, or add one more score to it."""
        arm = fork.open.setdefault(child.id, ArmStatistics())
        arm.visits += 1
        arm.observe(score)
        if len(fork.open) > WIDEST:
            del fork.open[min(fork.open, key=lambda id: fork.open[id].mean)]
