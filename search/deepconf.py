"""DeepConf: samples the model is unsure of are given up half-way, and the sure ones vote."""

from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from math import ceil, floor, inf
from statistics import fmean
from typing import Annotated, Any

from pydantic import Field, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.base import Halt
from reasoner.run import Run
from reasoner.search.common.running_vote import Poll, samples
from reasoner.search.common.voting import vote
from reasoner.search.self_certainty import LIKELIEST, require_confidences
from reasoner.trace import Node
from reasoner.traits import StrategyTraits


@dataclass(frozen=True)
class DeepConf:
    """Sample up to `n` solutions, giving up those whose confidence falls below a bar.

    Online DeepConf (Fu et al., 2025, arXiv 2508.15260). The confidence of a group is the mean over
    `window` tokens. The first `warmup` solutions are drawn whole; the bar is set so that the lowest
    group of the top `keep` of them passes (0.1 is the paper's "low", which saves most, 0.9 its
    "high"). Those that pass vote with their lowest group confidence. It ends when the whole ones
    give one answer `consensus` of their votes; up to `parallel` are sampled at once.
    """

    n: PositiveInt = 64
    warmup: PositiveInt = 16
    keep: Annotated[float, Field(gt=0, le=1)] = 0.1
    window: PositiveInt = 32
    consensus: Annotated[float, Field(gt=0, le=1)] = 0.95
    parallel: PositiveInt = 8
    traits = StrategyTraits(
        verifier="unneeded", stops_early=True, confidences=LIKELIEST, watches=True
    )

    async def search(self, run: Run) -> Node:
        """Warm up, set the bar, go on under watch."""
        run.read_confidences(LIKELIEST)
        gate = Gate(run, self.window)
        run.choose_final_by(partial(vote, run, weight=gate.vote))
        whole, sure = Poll(run, gate.lowest), Poll(run, gate.vote)
        warm = await run.expand([run.trace.root], n=min(self.warmup, self.n))
        require_confidences(run, warm)
        gate.bar = quantile(map(gate.lowest, warm), 1 - self.keep)

        def count(node: Node) -> None:
            whole.add(node)
            sure.add(node)
            run.offer(sure.chosen())
            gate.closed = whole.lead[0] >= self.consensus * whole.total > 0

        def draw() -> Coroutine[Any, Any, list[Node]]:
            return run.expand([run.trace.root], halt=gate.watch)

        def more(running: int) -> bool:
            return not gate.closed and whole.size + running < self.n

        for node in warm:
            count(node)
        async with aclosing(samples(draw, more, self.parallel)) as arriving:
            async for node in arriving:
                count(node)
        return sure.chosen()


class Gate:
    """What a sample must keep to, to be sampled to its end and to vote."""

    def __init__(self, run: Run, window: int) -> None:
        self.run, self.window = run, window
        self.bar = -inf
        self.closed = False
        """Nothing more is wanted. What still runs ends at its next token, so that it is counted."""

    def watch(self) -> Halt:
        """A judge for one sample, told its confidences as they come."""
        group = Group(self.window)

        def halt(confidences: Sequence[float]) -> bool:
            return self.closed or any(group.add(c) < self.bar for c in confidences)

        return halt

    def lowest(self, node: Node) -> float:
        """The lowest group confidence of a solution; the mean of one shorter than a group."""
        confidences = self.run.trace.candidate(node).confidences or (0.0,)
        lowest = min(map(Group(self.window).add, confidences))
        return lowest if lowest < inf else fmean(confidences)

    def vote(self, node: Node) -> float:
        """The votes of a solution: none below the bar."""
        lowest = self.lowest(node)
        return lowest if lowest >= self.bar else 0.0


class Group:
    """The latest `size` tokens, their sum kept up."""

    def __init__(self, size: int) -> None:
        self.size, self.sum = size, 0.0
        self.tokens = deque[float]()

    def add(self, confidence: float) -> float:
        """The mean, with one token more; infinite before the group is full."""
        self.tokens.append(confidence)
        self.sum += confidence
        if len(self.tokens) > self.size:
            self.sum -= self.tokens.popleft()
        return self.sum / self.size if len(self.tokens) == self.size else inf


def quantile(values: Iterable[float], share: float) -> float:
    """The value that `share` of `values` lie below, between two of them in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = ordered[floor(place)], ordered[ceil(place)]
    return low + (place - floor(place)) * (high - low)
