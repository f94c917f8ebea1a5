"""Votes, rounds and duplicates, shared by strategies."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Literal

from reasoner.run import Run, best
from reasoner.trace import Node
from reasoner.types import NodeId

Weight = Callable[[Node], float]


def one(_: Node) -> float:
    """Weigh every vote the same."""
    return 1.0


def by_score(node: Node) -> float:
    """Weigh a vote by its verifier score."""
    return node.score or 0.0


def vote(run: Run, nodes: Sequence[Node], weight: Weight = one) -> Node:
    """Return the best-scored node of the answer with the most votes; the earlier answer wins a tie.

    Solutions without an answer have no vote: those that state none, and all that were cut off. If no
    solution has an answer, the best-scored one is chosen.
    """
    ballots = defaultdict[str, list[Node]](list)
    for node in nodes:
        if (answer := run.answer(node)) is not None:
            ballots[answer].append(node)
    if not ballots:
        return best(nodes)
    return best(max(ballots.values(), key=lambda nodes: sum(map(weight, nodes))))


def decide_by(run: Run, choose: Literal["best", "vote"]) -> None:
    """Choose the final answer by best score or by verifier-weighted vote."""
    if choose == "vote":
        run.choose_final_by(partial(vote, run, weight=by_score))


async def rounds(run: Run, n: int, grow: Callable[[int], Awaitable[Node]], each: int = 1) -> Node:
    """Search once with width `n`, or repeatedly with the width the budget allows, until it is spent.

    Each unit of width costs at most `each` whole solutions. So even a small budget gives a finished
    solution, and none of it is left over.
    """
    while True:
        size = max(1, run.affordable(n * each) // each)
        chosen = await grow(size)
        if size == n:
            return chosen


def distinct(run: Run, nodes: Iterable[Node]) -> list[Node]:
    """Return `nodes` without later copies of a sibling, which add no choice."""
    return [first for first, *_ in copies(run, nodes)]


async def score(run: Run, nodes: Sequence[Node]) -> None:
    """Score `nodes`; copies of a sibling reuse its score."""
    groups = copies(run, nodes)
    await run.score([first for first, *_ in groups])
    for first, *others in groups:
        for node in others:
            node.score, node.step_scores = first.score, first.step_scores


def copies(run: Run, nodes: Iterable[Node]) -> list[list[Node]]:
    """Group `nodes` into siblings of the same text."""
    groups = defaultdict[tuple[NodeId, str], list[Node]](list)
    for node in nodes:
        parent = run.trace.parent(node)
        if parent and node.completion:
            groups[parent.id, node.completion.text].append(node)
    return list(groups.values())
