"""Solutions drawn a step at a time, so that every prefix of them is a candidate of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reasoner.base import Verifier
from reasoner.errors import ConfigError
from reasoner.run import Run
from reasoner.trace import Node, Trace
from reasoner.traits import StrategyTraits
from reasoner.types import Candidate, Finish, Problem, Score


@dataclass(frozen=True)
class Stepwise:
    """`n` independent solutions, a request for each step; or in one request, where `whole`.

    They are distributed as best-of-N's are, and their nodes are what a step search would score.
    """

    n: int
    whole: bool = False
    traits = StrategyTraits(verifier="unneeded")

    async def search(self, run: Run) -> Node:
        """Draw; which one is returned means nothing."""
        first = grown = await run.expand([run.trace.root], n=self.n, step=not self.whole)
        while unfinished := [node for node in grown if not node.terminal]:
            grown = await run.expand(unfinished, step=True)
        return (run.trace.finished or first)[0]


def drawn(trace: Trace) -> list[Candidate]:
    """The solutions of a trace, finished or not: one for each node that nothing follows."""
    return [trace.candidate(n) for n in trace if n is not trace.root and not trace.children(n)]


def prefixes(candidate: Candidate) -> list[Candidate]:
    """A solution after each of its steps; the last is the solution itself if it was finished.

    A blank piece belongs to the step before it, and a piece that was cut off to none.
    """
    pieces = candidate.completions
    whole = pieces[:-1] if pieces and pieces[-1].finish is Finish.LENGTH else pieces
    begun = [i for i, piece in enumerate(whole) if piece.text.strip()]
    ends = [*begun[1:], len(whole)] if begun else []
    return [Candidate(pieces[:end], candidate.complete and end == len(pieces)) for end in ends]


async def prefix_scores(
    verifier: Verifier, problem: Problem, solutions: Sequence[Candidate], whole: Sequence[Score]
) -> list[list[float]]:
    """The score of every prefix of every solution; `whole` are those of the finished solutions.

    Unfinished prefixes of as many steps are one batch, as they would be in a search.
    """
    parts, scores = [prefixes(c) for c in solutions], iter(whole)
    last = [next(scores) if c.complete else None for c in solutions]
    values = [list[float]() for _ in solutions]
    for depth in range(max(map(len, parts), default=0)):
        here = [i for i, p in enumerate(parts) if depth < len(p) and not p[depth].complete]
        judgement = await verifier.score(problem, [parts[i][depth] for i in here])
        for i, score in zip(here, judgement.scores, strict=True):
            values[i].append(score.value)
    return [
        [*row, score.value] if score and part else row
        for row, part, score in zip(values, parts, last, strict=True)
    ]


def told_scores(solutions: Sequence[Candidate], whole: Sequence[Score]) -> list[list[float]]:
    """The step scores given with the finished solutions; the others have none.

    Raises:
        ConfigError: there is not one for each step.
    """
    scores = iter(whole)
    values = [list(next(scores).steps) if c.complete else [] for c in solutions]
    for candidate, row in zip(solutions, values, strict=True):
        size = len(prefixes(candidate))
        if candidate.complete and len(row) != size:
            raise ConfigError(
                f"the verifier gives {len(row)} step scores to a solution of {size} steps;"
                " have it score prefixes instead (steps='prefixes')"
            )
    return values
