"""A task with labelled steps, and verifiers and pools of which everything is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from random import Random
from typing import Protocol

from reasoner.benchmarks.store.records import Record, Sample
from reasoner.types import Candidate, Judgement, Problem, Score, Usage
from tests.benchmarks.conftest import Sums


@dataclass(frozen=True)
class LabelledSums(Sums):
    """The sums, each line of which is right or not."""

    name: str = "labelled"

    def step_labels(self, problem: Problem, solution: str) -> list[bool]:
        """Return, for each line, True if it and all lines before it add up."""
        total, *rest = map(int, problem.prompt.split("+"))
        lines = list[str]()
        for number in rest:
            lines.append(f"{total}+{number}={total + number}")
            total += number
        lines.append(f"#{total}")
        written = solution.strip().splitlines()
        return [written[: i + 1] == lines[: i + 1] for i in range(len(written))]


class Rule(Protocol):
    """Scores a prefix, knowing whether it is right."""

    def __call__(self, rng: Random, right: bool) -> float: ...


@dataclass(frozen=True)
class Knowing:
    """Knows whether the lines add up, and says it as `rule` has it; noise depends on the text alone."""

    rule: Rule

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Nothing."""
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score each candidate, and each of its lines."""
        return Judgement(tuple(self._score(problem, c) for c in candidates), Usage(1, 8, 0, 2))

    def _score(self, problem: Problem, candidate: Candidate) -> Score:
        labels = LabelledSums().step_labels(problem, candidate.text)
        lines = re.findall(r".+\n?", candidate.text)
        steps = [
            self.rule(Random(problem.prompt + "".join(lines[: i + 1])), label)
            for i, label in enumerate(labels)
        ]
        return Score(steps[-1] if steps else 0.0, tuple(steps))


def ranked(rng: Random, right: bool) -> float:
    """Right prefixes outrank wrong ones with a chance of exactly 7/8."""
    return (2 * rng.random() + right) / 3


def pool(problems: int, samples: int, rule: Rule, chance: float = 0.4) -> list[Record]:
    """Samples right with `chance`, which all give answer 1; wrong ones give one of 2 to 9."""
    made = list[Record]()
    for index in range(problems):
        rng = Random(f"pool/{index}")
        drawn = list[Sample]()
        for _ in range(samples):
            right = rng.random() < chance
            answer = "1" if right else str(rng.randint(2, 9))
            drawn.append(Sample(answer=answer, correct=right, score=rule(rng, right), tokens=9))
        record = Record(problem=f"p{index}", index=index, correct=False, samples=tuple(drawn))
        made.append(record)
    return made


def exploited(rng: Random, right: bool) -> float:
    """A good verifier, but for one wrong solution in thirty, of which it is surest of all."""
    if not right and rng.random() < 1 / 30:
        return 0.999
    return ranked(rng, right) * 0.99


def knows(rng: Random, right: bool) -> float:
    """The oracle's scores."""
    return float(right)


def blind(rng: Random, right: bool) -> float:
    """Says nothing."""
    return rng.random()


def saturating(rng: Random, right: bool) -> float:
    """Tells right from wrong but levels off, as `doubts` does."""
    return min(0.7, ranked(rng, right) + 0.05 * log(1 + rng.random()))
