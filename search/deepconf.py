"""DeepConf: abort samples of low confidence half-way; the confident ones vote."""

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
    """Sample up to `n` solutions and abort those whose confidence falls below a threshold.

    Online DeepConf (Fu et al., 2025, arXiv 2508.15260). The confidence of a group is the mean over
    `window` tokens. The first `warmup` solutions are sampled whole; the threshold is set so that the
    lowest group of the top `keep` of them passes (0.1 is the paper's "low", which saves most, 0.9 its
    "high"). Solutions that pass vote with their lowest group confidence. Sampling stops when one
    answer has `consensus` of the votes of all whole solutions; up to `parallel` are sampled at once.
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
        """Warm up, set the threshold, sample the rest under watch."""
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
    """The confidence threshold that a sample must stay above to be completed and to vote."""

    def __init__(self, run: Run, window: int) -> None:
        self.run, self.window = run, window
        self.bar = -inf
        self.closed = False
        """No more samples are wanted. Running ones end at their next token, so that they are counted."""

    def watch(self) -> Halt:
        """Return a halting function for one sample, fed with its confidences as they arrive."""
        group = Group(self.window)

        def halt(confidences: Sequence[float]) -> bool:
            return self.closed or any(group.add(c) < self.bar for c in confidences)

        return halt

    def lowest(self, node: Node) -> float:
        """Return the lowest group confidence of a solution, or its mean if shorter than a group."""
        confidences = self.run.trace.candidate(node).confidences or (0.0,)
        lowest = min(map(Group(self.window).add, confidences))
        return lowest if lowest < inf else fmean(confidences)

    def vote(self, node: Node) -> float:
        """Return the vote weight of a solution: zero below the threshold."""
        lowest = self.lowest(node)
        return lowest if lowest >= self.bar else 0.0


class Group:
    """A moving window over the latest `size` tokens, with their running sum."""

    def __init__(self, size: int) -> None:
        self.size, self.sum = size, 0.0
        self.tokens = deque[float]()

    def add(self, confidence: float) -> float:
        """Add a token and return the mean; infinite before the group is full."""
        self.tokens.append(confidence)
        self.sum += confidence
        if len(self.tokens) > self.size:
            self.sum -= self.tokens.popleft()
        return self.sum / self.size if len(self.tokens) == self.size else inf


def quantile(values: Iterable[float], share: float) -> float:
    """Return the `share` quantile of `values`, by linear interpolation."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = ordered[floor(place)], ordered[ceil(place)]
    return low + (place - floor(place)) * (high - low)
