"""S*: programs debugged on the tests that a problem shows, and chosen by calls on which they differ."""

import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass as plain
from dataclasses import field as state
from itertools import combinations

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.budget import VERIFIER
from reasoner.concurrency import gather
from reasoner.errors import BudgetExhausted
from reasoner.run import Run
from reasoner.sandbox import Kind
from reasoner.search.common.executions import Executions, Failure, last_function, read_calls
from reasoner.search.common.voting import rounds, vote
from reasoner.thinking import answer_text
from reasoner.trace import Node
from reasoner.traits import StrategyTraits
from reasoner.types import NodeId

DEBUG = """{problem}

This program was written for it:

```python
{program}
```

It fails these tests:

{failures}

Find the mistake. Then write the whole program again, corrected, in one ```python block."""

PROPOSE = """{problem}

Write {n} calls of the function `{name}` that test a program for this problem, in ordinary and in extreme cases: one call
a line, without its result, and nothing else."""

PAIR = """{problem}

Two programs were written for it.

Program A:
```python
{first}
```

Program B:
```python
{second}
```
"""

DISTINGUISH = (
    PAIR
    + """
Write {n} calls of the function `{name}` for which the two give different results: one call a line, without its result,
and nothing else."""
)

JUDGE = (
    PAIR
    + """
Both were run on these calls:

{results}

Find out which results are right. Then end with a line "Better: A" or "Better: B"."""
)

GENERATION = 0.75
"""The share of a budget for programs; the rest is for choosing one."""


@dataclass(frozen=True)
class SStar:
    """Debug `n` programs on the problem's own tests, then compare them on calls, executed (S*).

    Li et al. (2025, arXiv 2502.14382). Each program is revised up to `rounds` times: the model sees the tests
    that it fails, with what it gave instead. Those that pass most tests are run on `calls` that the model
    proposes, and clustered by their results. For each pair of clusters the model proposes calls on which two of
    their programs differ; these run too, and the model judges by their results. The most wins decide.

    A program is called, never fed standard input. Of a chain the version that passes most tests is the
    candidate, not the last one; `clusters` bounds the clusters that meet, the largest ones; between equals the
    larger cluster wins, where the paper draws at random. Only tests in `problem.meta["tests"]` are run, which a
    solver may see; without any, nothing is revised, and without calls of functions the answers vote.
    """

    n: PositiveInt = 16
    rounds: NonNegativeInt = 2
    calls: PositiveInt = 6
    clusters: PositiveInt = 4
    tokens: PositiveInt = 1024
    seconds: PositiveFloat = 3.0
    sandbox: Kind = "bubblewrap"
    traits = StrategyTraits(verifier="unneeded", stops_early=True)

    async def search(self, run: Run) -> Node:
        """Write and debug programs on most of the budget, and choose on the rest.

        Raises:
            ConfigError: no sandbox is available.
        """
        contest = Contest(self, run, Executions(run, self.seconds, self.sandbox))
        await contest.executions.check_sandbox()
        run.choose_final_by(contest.foremost)
        part = run.sub_run(GENERATION) if run.affordable(2) == 2 else run

        async def generate(n: int) -> Node:
            nodes = await part.expand([run.trace.root], n=n)
            contest.candidates += await gather(contest.debug(part, node) for node in nodes)
            return run.offer(contest.foremost(contest.candidates))

        with suppress(BudgetExhausted):
            await rounds(part, self.n, generate, each=1 + self.rounds)
        if part.clipped:
            run.mark_clipped()
        if not contest.candidates:
            raise BudgetExhausted("no program could be sampled")
        return await contest.select()


@plain(slots=True)
class Contest:
    """The programs of one run: the best version of each chain, and the tests that it fails."""

    strategy: SStar
    run: Run
    executions: Executions
    failed: dict[NodeId, int] = state(default_factory=dict[NodeId, int])
    candidates: list[Node] = state(default_factory=list[Node])

    async def debug(self, part: Run, node: Node) -> Node:
        """Revise a program until it passes all tests, or no round or budget is left; return its best version."""
        versions = [node]
        with suppress(BudgetExhausted):
            while failures := await self.test(versions[-1]):
                if len(versions) > self.strategy.rounds:
                    break
                [reply] = await part.ask(self.fill(DEBUG, versions[-1], failures))
                versions.append(part.adopt(self.run.trace.root, reply))
        return min(reversed(versions), key=self._order)

    async def test(self, node: Node) -> list[Failure]:
        """Return the failures of a program, and count them."""
        failures = await self.executions.failures(node)
        self.failed[node.id] = len(failures)
        return failures

    def foremost(self, nodes: Sequence[Node]) -> Node:
        """Return the choice of a vote among those of `nodes` that pass most tests."""
        return vote(self.run, self.leading(nodes))

    def leading(self, nodes: Sequence[Node]) -> list[Node]:
        """Return the finished ones that pass most tests; the first of all where none is finished."""
        least = min(map(self._order, nodes))
        return [node for node in nodes if self._order(node) == least]

    async def select(self) -> Node:
        """Cluster the leading programs by what they give, and choose from the cluster that wins most often."""
        leading = self.leading(self.candidates)
        calls = await self.propose(leading)
        clusters = await self.clustered(leading, calls)
        clusters = sorted(clusters, key=len, reverse=True)[: self.strategy.clusters]
        pairs = list(combinations(range(len(clusters)), 2))
        drawn = [tuple(self.run.rng.choice(clusters[i]) for i in pair) for pair in pairs]
        won = await gather(self.compare(first, second, calls) for first, second in drawn)
        wins = [0] * len(clusters)
        for (i, j), winner in zip(pairs, won, strict=True):
            if winner is not None:
                wins[(i, j)[winner]] += 1
        return self.run.offer(clusters[max(range(len(clusters)), key=wins.__getitem__)][0])

    async def propose(self, nodes: Sequence[Node]) -> list[str]:
        """Ask for calls that test a program, if there are several to tell apart."""
        if len(nodes) < 2 or (name := self.name(nodes)) is None:
            return []
        n = str(self.strategy.calls)
        text = filled(PROPOSE, problem=self.run.problem.prompt, n=n, name=name)
        return read_calls(await self.reply(text), name, self.strategy.calls)

    async def clustered(self, nodes: Sequence[Node], calls: Sequence[str]) -> list[list[Node]]:
        """Group programs by their results; by their answers where nothing can be called."""
        results = await gather(self.executions.results(node, calls) for node in nodes)
        groups = defaultdict[tuple[object, ...], list[Node]](list)
        for node, result in zip(nodes, results, strict=True):
            groups[result or (self.run.answer(node),)].append(node)
        return list(groups.values())

    async def compare(self, first: Node, second: Node, calls: Sequence[str]) -> int | None:
        """Return 0 or 1 for the program that is judged better; None if no call tells them apart."""
        name = self.name([first, second])
        if name is None or not all(map(self.executions.program, (first, second))):
            return None
        new = await self.reply(self.pair(DISTINGUISH, first, second, name=name))
        # New calls come first: they were made for these two.
        proposed = dict.fromkeys([*read_calls(new, name, self.strategy.calls), *calls])
        both = [await self.executions.results(node, [*proposed]) for node in (first, second)]
        shown = [
            f"{call}\nA: {a}\nB: {b}" for call, a, b in zip(proposed, *both, strict=True) if a != b
        ]
        if not shown:
            return None
        results = "\n\n".join(shown[: self.strategy.calls])
        return verdict(await self.reply(self.pair(JUDGE, first, second, results=results)))

    async def reply(self, text: str) -> str:
        """Return the model's reply to a question of the choice; empty without budget."""
        try:
            [reply] = await self.run.ask(text, max_tokens=self.strategy.tokens, role=VERIFIER)
        except BudgetExhausted:
            return ""
        return answer_text(reply.text)

    def name(self, nodes: Sequence[Node]) -> str | None:
        """Return the function to call: the problem's, or the last one of the first program that has any."""
        sources = map(self.executions.program, nodes)
        return self.executions.name or next(filter(None, map(last_function, sources)), None)

    def fill(self, prompt: str, node: Node, failures: Sequence[Failure]) -> str:
        """Return a prompt about a program and its failures."""
        shown = "\n\n".join(f"{failure.test}\n{failure.seen}" for failure in failures)
        program = self.executions.program(node) or self.run.trace.candidate(node).answer_text
        return filled(prompt, problem=self.run.problem.prompt, program=program, failures=shown)

    def pair(self, prompt: str, first: Node, second: Node, **words: str) -> str:
        """Return a prompt about two programs."""
        a, b = (self.executions.program(node) or "" for node in (first, second))
        words = {"n": str(self.strategy.calls), **words}
        return filled(prompt, problem=self.run.problem.prompt, first=a, second=b, **words)

    def _order(self, node: Node) -> tuple[bool, int]:
        failed = self.failed.get(node.id, len(self.executions.tests))
        return not node.finished, failed


def filled(prompt: str, **words: str) -> str:
    """Return a prompt with every word in its place; other braces stay as they are."""
    return re.sub(rf"\{{({'|'.join(words)})\}}", lambda place: words[place[1]], prompt)


def verdict(reply: str) -> int | None:
    """Return 0 for program A, 1 for program B, None if the last verdict names neither."""
    named = re.findall(r"(?i:better)\W{1,5}(?:(?i:program)\s+)?([AB])\b", reply)
    return "AB".index(named[-1]) if named else None
