"""What a verifier is worth as a selector: best-of-N beside the majority and what there was to find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from reasoner.benchmarks.analysis.curves import decided
from reasoner.benchmarks.analysis.overoptimisation import chosen_score
from reasoner.benchmarks.stats.intervals import Estimate, mean, ratio
from reasoner.benchmarks.store.grid import BEST, COVERAGE, MAJORITY, WEIGHTED
from reasoner.benchmarks.store.records import Record, Sample
from reasoner.schema import Frozen


class Size(Frozen):
    """Accuracies with `n` samples a problem.

    `score` is the mean score of the solution that best-of-N chooses, `gain` its accuracy less the
    majority's, and `gap_closed` that gain as a share of what `coverage` (pass@n, the oracle's choice) has
    on the majority; None where it has nothing.
    """

    n: int
    score: float
    best_of_n: Estimate
    weighted: Estimate
    majority: Estimate
    coverage: Estimate
    gain: Estimate
    gap_closed: Estimate | None


class Agreement(Frozen):
    """How often best-of-N and the majority answer alike, given all samples of a problem.

    Where they differ, how often each of them is right; None where they never do.
    """

    alike: Estimate
    best_right: Estimate | None
    majority_right: Estimate | None


def sizes(pool: Sequence[Record], ns: Sequence[int]) -> Iterator[Size]:
    """Best-of-N, its rivals and its ceiling at each of `ns`, from one pool."""
    kinds = (BEST, WEIGHTED, MAJORITY, COVERAGE)
    found = {kind: decided(pool, kind, ns).T for kind in kinds}
    for n, best, weighted, majority, coverage in zip(ns, *found.values(), strict=True):
        yield Size(
            n=n,
            score=fmean(chosen_score(r, n) for r in pool),
            best_of_n=mean(best),
            weighted=mean(weighted),
            majority=mean(majority),
            coverage=mean(coverage),
            gain=mean(best - majority),
            gap_closed=ratio(best - majority, coverage - majority),
        )


def agreement(pool: Sequence[Record]) -> Agreement | None:
    """How best-of-N and the majority compare, answer by answer; ties share the choice.

    Problems that failed are left out; None where all did.
    """
    rows = [_agreement(r.samples) for r in pool if r.samples]
    if not rows:
        return None
    alike, best_right, majority_right = np.array(rows).T
    differ = 1 - alike
    return Agreement(
        alike=mean(alike),
        best_right=ratio(best_right, differ),
        majority_right=ratio(majority_right, differ),
    )


def _agreement(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """The chances that both answer alike, and that they differ and best-of-N, or the majority, is right."""
    best, majority = _shares(_best(samples)), _shares(_majority(samples))
    right = {a: fmean(s.correct for s in samples if s.answer == a) for a in {*best, *majority}}

    def alone(one: Mapping[str | None, float], other: Mapping[str | None, float]) -> float:
        return sum(p * (1 - other.get(a, 0.0)) * right[a] for a, p in one.items())

    alike = sum(p * majority.get(a, 0.0) for a, p in best.items())
    return alike, alone(best, majority), alone(majority, best)


def _best(samples: Sequence[Sample]) -> list[str | None]:
    """The answers of the best-scored samples; those that never finished have no score."""
    scores = [-1.0 if s.score is None else s.score for s in samples]
    return [s.answer for s, score in zip(samples, scores, strict=True) if score == max(scores)]


def _majority(samples: Sequence[Sample]) -> list[str | None]:
    """The answers that most samples give, each once."""
    votes = Counter(s.answer for s in samples if s.answer is not None)
    return [a for a, count in votes.items() if count == max(votes.values())] or [None]


def _shares(answers: Sequence[str | None]) -> dict[str | None, float]:
    return {a: count / len(answers) for a, count in Counter(answers).items()}
