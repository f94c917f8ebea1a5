"""What strategies share: votes, rounds, and duplicates."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Literal

from reasoner.run import Run, best
from reasoner.trace import Node
from reasoner.types import NodeId

Weight = Callable[[Node], float]


def one(_: Node) -> float:
    """Every vote counts the same."""
    return 1.0


def by_score(node: Node) -> float:
    """A vote counts as much as the verifier trusts it."""
    return node.score or 0.0


def vote(run: Run, nodes: Sequence[Node], weight: Weight = one) -> Node:
    """The best-scored node of the answer with the most votes; the earlier answer wins a tie.

    Solutions without an answer have no vote: those that state none, and those that were cut off,
    whatever they say. Where none has one, the best-scored solution is chosen.
    """
    ballots = defaultdict[str, list[Node]](list)
    for node in nodes:
        if (answer := run.answer(node)) is not None:
            ballots[answer].append(node)
    if not ballots:
        return best(nodes)
    return best(max(ballots.values(), key=lambda nodes: sum(map(weight, nodes))))


def decide_by(run: Run, choose: Literal["best", "vote"]) -> None:
    """Have the answer be the best-scored solution, or that of the verifier-weighted vote."""
    if choose == "vote":
        run.choose_final_by(partial(vote, run, weight=by_score))


async def rounds(run: Run, n: int, grow: Callable[[int], Awaitable[Node]], each: int = 1) -> Node:
    """Search `n` wide, or in a row as wide as the budget holds, until it is spent.

    One wide costs at most `each` whole solutions. So that there is a finished solution however small the budget, and none of it is left over.
    """
    while True:
        size = max(1, run.affordable(n * each) // each)
        chosen = await grow(size)
        if size == n:
            return chosen


def distinct(run: Run, nodes: Iterable[Node]) -> list[Node]:
    """`nodes` without later copies of a sibling: a copy adds no choice."""
    return [first for first, *_ in copies(run, nodes)]


async def score(run: Run, nodes: Sequence[Node]) -> None:
    """Score `nodes`; copies of a sibling take its score, which is known."""
    groups = copies(run, nodes)
    await run.score([first for first, *_ in groups])
    for first, *others in groups:
        for node in others:
            node.score, node.step_scores = first.score, first.step_scores


def copies(run: Run, nodes: Iterable[Node]) -> list[list[Node]]:
    """`nodes`, siblings of the same text together."""
    groups = defaultdict[tuple[NodeId, str], list[Node]](list)
    for node in nodes:
        parent = run.trace.parent(node)
        if parent and node.completion:
            groups[parent.id, node.completion.text].append(node)
    return list(groups.values())
