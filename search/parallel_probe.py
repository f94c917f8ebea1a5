"""Parallel-Probe: samples are asked for their answers as they grow, and stopped once these agree."""

from collections.abc import Sequence
from dataclasses import dataclass as plain
from math import ceil

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.run import Run
from reasoner.search.common.forced_answers import ask_for_answer, full
from reasoner.search.common.voting import vote
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class ParallelProbe:
    """Grow `n` branches; after every `interval` tokens, ask each for its answer, and stop when these agree.

    Parallel-Probe (Zheng et al., 2026, arXiv 2602.03845). A probe is a fork of the branch: `probe` is written
    after it, and at most `tokens` are sampled at temperature zero. All stop once `stable` probes in a row have
    had the same majority, whose answer is chosen. A branch that contradicts the majority of `patience` probes in
    a row is abandoned. Probes are charged like all samples.
    """

    n: PositiveInt = 16
    interval: PositiveInt = 256
    stable: PositiveInt = 3
    patience: PositiveInt = 3
    tokens: PositiveInt = 32
    probe: str = "\n\nFinal Answer:"
    traits = StrategyTraits(verifier="unneeded", stops_early=True, continues=True)

    async def search(self, run: Run) -> Node:
        """Probe, stop or abandon, and grow, in turns; a smaller budget is for fewer branches."""
        each = 1 + ceil(self.tokens / self.interval)
        width = max(1, run.affordable(self.n * each) // each)
        tips = await run.expand([run.trace.root], n=width, tokens=self.interval)
        branches, majority, lasted = [Branch(tip) for tip in tips], None, 0
        while True:
            await self.ask(run, branches)
            former, majority = majority, elect(run, branches)
            lasted = lasted + 1 if majority == former else 1
            growing = [branch for branch in branches if not branch.tip.terminal]
            if not growing or (majority is not None and lasted >= self.stable):
                return run.incumbent or branches[0].tip
            branches = [b for b in branches if not b.strays(run, majority, self.patience)]
            await self.grow(run, branches)

    async def ask(self, run: Run, branches: Sequence["Branch"]) -> None:
        """Fork every branch that is not at its end, and have the fork state an answer."""
        asked = [b for b in branches if not b.tip.terminal]
        forks = {ask_for_answer(run, b.tip, self.probe): b for b in asked}
        if roomy := [fork for fork in forks if not full(run, fork)]:
            replies = await run.expand(roomy, tokens=self.tokens, temperature=0.0)
            for fork, reply in by_parent(run, replies).items():
                forks[fork].reply = reply

    async def grow(self, run: Run, branches: Sequence["Branch"]) -> None:
        """Continue every branch that is not at its end; near the end of the budget, some."""
        growing = {b.tip: b for b in branches if not b.tip.terminal}
        if growing:
            pieces = await run.expand([*growing], tokens=self.interval)
            for tip, piece in by_parent(run, pieces).items():
                growing[tip].tip = piece


@plain(slots=True)
class Branch:
    """A sample that grows: its latest piece, the reply to its latest probe, and how often it strayed in a row."""

    tip: Node
    reply: Node | None = None
    strayed: int = 0

    @property
    def solution(self) -> Node | None:
        """The solution whose answer is the branch's: its own once it has ended."""
        return self.tip if self.tip.terminal else self.reply

    def strays(self, run: Run, majority: str | None, patience: int) -> bool:
        """Count a probe; return True if an unfinished branch has contradicted the majority `patience` times."""
        answer = run.answer(self.solution) if self.solution else None
        if answer is not None:
            self.strayed = 0 if answer == majority else self.strayed + 1
        return self.strayed >= patience and not self.tip.terminal


def elect(run: Run, branches: Sequence[Branch]) -> str | None:
    """Offer the solution of the majority's answer and return the answer, if any branch has one."""
    solutions = [branch.solution for branch in branches if branch.solution]
    if not solutions:
        return None
    chosen = vote(run, solutions)
    if chosen.finished:
        run.offer(chosen)
    return run.answer(chosen)


def by_parent(run: Run, children: Sequence[Node]) -> dict[Node, Node]:
    """Return children by the node that each continues."""
    return {parent: child for child in children if (parent := run.trace.parent(child))}
