"""Self-certainty: samples vote by how sure the model was of its tokens."""

from collections.abc import Sequence
from functools import partial
from statistics import fmean

from pydantic import NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.run import Run
from reasoner.search.common.voting import vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits

LIKELIEST = 20
"""Tokens that a confidence is told against: as in DeepConf, and as many as most servers tell."""


@dataclass(frozen=True)
class SelfCertainty:
    """Rank `n` samples by the mean confidence of their tokens and hold a Borda vote.

    Kang et al. (2025, arXiv 2502.18581): the sample of rank r has (n - r + 1) ** `power` votes for
    its answer. Power 0 is the majority vote, a large one takes the surest sample; the more samples,
    the larger a power pays.
    """

    n: PositiveInt = 16
    power: NonNegativeFloat = 0.5
    traits = StrategyTraits(verifier="unneeded", confidences=LIKELIEST)

    async def search(self, run: Run) -> Node:
        """Sample `n` solutions and hold the vote."""
        run.read_confidences(LIKELIEST)
        run.choose_final_by(partial(self.borda, run))
        nodes = await run.expand([run.trace.root], n=self.n)
        require_confidences(run, nodes)
        return run.choose_final([n for n in nodes if n.finished] or nodes)

    def borda(self, run: Run, nodes: Sequence[Node]) -> Node:
        """The answer with the most votes; of its solutions the surest."""
        ranked = sorted(nodes, key=partial(certainty, run), reverse=True)
        votes = {node.id: (len(ranked) - i) ** self.power for i, node in enumerate(ranked)}
        return vote(run, ranked, weight=lambda node: votes[node.id])


def certainty(run: Run, node: Node) -> float:
    """The mean confidence of the tokens of the solution that ends at `node`."""
    return fmean(run.trace.candidate(node).confidences or [0.0])


def require_confidences(run: Run, nodes: Sequence[Node]) -> None:
    """See to it that the model told them.

    Raises:
        ConfigError: it told none.
    """
    if not any(run.trace.candidate(node).confidences for node in nodes):
        raise ConfigError(
            "this strategy weighs samples by the confidence of their tokens, and the backend"
            " returned none; have the server return top log-probabilities, or use 'majority' or"
            " 'adaptive-majority', which need none"
        )
