"""Summary of a benchmark: summary.json, and the headline under the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reasoner.benchmarks.analysis.curves import Point
from reasoner.benchmarks.store.grid import BEST, COVERAGE, GREEDY, POOLED
from reasoner.files import save_json


@dataclass(frozen=True, slots=True)
class IsoAccuracy:
    """The compute at which a search matches best-of-N; None if it never does."""

    task: str
    strategy: str
    target: float
    best_of: int
    n: int | None = None
    tokens_ratio: float | None = None
    flops_ratio: float | None = None

    def __str__(self) -> str:
        goal = f"best-of-{self.best_of}'s {self.target:.1%}"
        if self.n is None or self.tokens_ratio is None:
            return f"{self.task}: {self.strategy} does not reach {goal}"
        flops = f" and {self.flops_ratio:.2f} of its FLOPs" if self.flops_ratio else ""
        return (
            f"{self.task}: {self.strategy} (n={self.n}) reaches {goal} with"
            f" {self.tokens_ratio:.2f} of its tokens (1/{1 / self.tokens_ratio:.1f}){flops}"
        )


def iso_accuracy(points: Sequence[Point]) -> Iterator[IsoAccuracy]:
    """For each task and search, the cheapest measured point at least as good as best-of-N.

    Best-of-N stands with the best point of its curve, the cheaper of equals: its last point would
    be an easy mark where its verifier is over-optimised.
    """
    plain = [p for p in points if p.budget is None]
    rising = sorted(plain, key=lambda p: (p.accuracy, -p.n))
    goals = {p.task: p for p in rising if p.strategy == BEST}
    skipped = (GREEDY, *POOLED, COVERAGE)
    for task, goal in goals.items():
        lines = dict.fromkeys(p.strategy for p in plain if p.task == task)
        for strategy in (s for s in lines if s not in skipped):
            yield _match(goal, [p for p in plain if p.task == task and p.strategy == strategy])


def falls(points: Sequence[Point]) -> Iterator[str]:
    """A line for every strategy that loses, from its best size to its largest, beyond its error.

    Of best-of-N its samples tell more: see overoptimisation.py.
    """
    lines = dict.fromkeys((p.task, p.strategy) for p in points if p.budget is None)
    for task, strategy in (line for line in lines if line[1] != BEST):
        line = [p for p in points if (p.task, p.strategy, p.budget) == (task, strategy, None)]
        peak, last = max(line, key=lambda p: p.accuracy), max(line, key=lambda p: p.n)
        if last.accuracy < peak.ci_low:
            yield (
                f"{task}: {strategy} falls from {peak.accuracy:.1%} (n={peak.n}) to"
                f" {last.accuracy:.1%} (n={last.n}): {_reason(last)}"
            )


def _reason(point: Point) -> str:
    if point.verifier is None:
        return "the model's most frequent answer is wrong"
    return f"{point.verifier!r} prefers wrong solutions the more it sees"


def save(points: Sequence[Point], out: Path) -> Path:
    """Write summary.json."""
    return save_json(as_json(points), out / "summary.json")


def as_json(points: Sequence[Point]) -> list[dict[str, Any]]:
    """Points as plain JSON values."""
    return [p.to_json() for p in points]


def headline(points: Sequence[Point]) -> list[dict[str, Any]]:
    """The iso-accuracy comparisons as plain JSON values."""
    return [asdict(i) for i in iso_accuracy(points)]


def _match(goal: Point, line: Sequence[Point]) -> IsoAccuracy:
    missed = IsoAccuracy(goal.task, line[0].strategy, goal.accuracy, goal.n)
    reached = [p for p in line if p.accuracy >= goal.accuracy]
    if not reached or not goal.accuracy or not goal.generated_tokens:
        return missed
    first = min(reached, key=lambda p: p.generated_tokens)
    return IsoAccuracy(
        goal.task,
        first.strategy,
        goal.accuracy,
        goal.n,
        first.n,
        first.generated_tokens / goal.generated_tokens,
        first.flops / goal.flops if goal.flops else None,
    )
