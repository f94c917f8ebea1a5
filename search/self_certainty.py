"""Self-certainty: a vote weighted by the model's confidence in its tokens."""

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
"""The number of likeliest tokens in a confidence: as in DeepConf, and the most that servers return."""


@dataclass(frozen=True)
class SelfCertainty:
    """Rank `n` samples by the mean confidence of their tokens and hold a Borda vote.

    Kang et al. (2025, arXiv 2502.18581): the sample of rank r has (n - r + 1) ** `power` votes for
    its answer. Power 0 is the majority vote, a large power takes the most confident sample; the more
    samples, the larger the best power.
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
        """Return the most confident solution of the answer with the most votes."""
        ranked = sorted(nodes, key=partial(certainty, run), reverse=True)
        votes = {node.id: (len(ranked) - i) ** self.power for i, node in enumerate(ranked)}
        return vote(run, ranked, weight=lambda node: votes[node.id])


def certainty(run: Run, node: Node) -> float:
    """Return the mean token confidence of the solution that ends at `node`."""
    return fmean(run.trace.candidate(node).confidences or [0.0])


def require_confidences(run: Run, nodes: Sequence[Node]) -> None:
    """Require that the backend returned token confidences.

    Raises:
        ConfigError: it returned none.
    """
    if not any(run.trace.candidate(node).confidences for node in nodes):
        raise ConfigError(
            "this strategy weighs samples by the confidence of their tokens, and the backend"
            " returned none; have the server return top log-probabilities, or use 'majority' or"
            " 'adaptive-majority', which need none"
        )
