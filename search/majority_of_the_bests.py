"""Majority-of-the-bests: the answer that best-of-m would give most often on subsets of the samples."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from math import sqrt

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run, best
from reasoner.search.common.best_of_subsets import best_shares
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class MajorityOfTheBests:
    """Vote with the best of every subset of `m` of the `n` samples (arXiv 2511.18630), in closed form.

    With m = 1 it is `majority`, with m = n `best-of-n`. By default m is the square root of `n`, rounded.
    """

    n: PositiveInt = 16
    m: PositiveInt | None = None
    traits = StrategyTraits(scores_once=True)

    async def search(self, run: Run) -> Node:
        """Sample and score `n` solutions; return the best one of the answer that wins most subsets."""
        choose = partial(most_often_best, run, m=self.m or subset_size(self.n))
        run.choose_final_by(choose)
        nodes = await run.expand([run.trace.root], n=self.n)
        await run.score(nodes)
        return choose(nodes)


def subset_size(n: int) -> int:
    """Return the size of the subsets of `n` samples."""
    return round(sqrt(n))


def most_often_best(run: Run, nodes: Sequence[Node], m: int) -> Node:
    """Return the best-scored node of the answer that is the best of the most subsets of `m` nodes.

    Nodes without an answer are in no subset. If none has one, the best-scored node is chosen.
    """
    answered = [(node, answer) for node in nodes if (answer := run.answer(node)) is not None]
    if not answered:
        return best(nodes)
    scores = [-1.0 if node.score is None else node.score for node, _ in answered]
    wins, groups = defaultdict[str, float](float), defaultdict[str, list[Node]](list)
    for (node, answer), share in zip(answered, best_shares(scores, m), strict=True):
        wins[answer] += share
        groups[answer].append(node)
    return best(groups[max(wins, key=lambda answer: round(wins[answer], 12))])
