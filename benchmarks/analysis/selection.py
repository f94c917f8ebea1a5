"""A verifier as a selector: best-of-N compared with the majority and with coverage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from reasoner.benchmarks.analysis.curves import decided
from reasoner.benchmarks.analysis.overoptimisation import chosen_score
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.intervals import Estimate, mean, ratio
from reasoner.benchmarks.store.grid import BEST, COVERAGE, MAJORITY, WEIGHTED
from reasoner.benchmarks.store.records import Record, Sample
from reasoner.schema import Frozen


class Selection(Frozen):
    """Accuracies with `n` samples per problem.

    `score` is the mean score of the solution that best-of-N chooses, `gain` best-of-N's accuracy minus the
    majority's; `gap_closed` is that gain as a share of the gap to `coverage` (pass@n).
    """

    n: int
    score: float
    best_of_n: Estimate
    weighted: Estimate
    majority: Estimate
    coverage: Estimate
    gain: Estimate
    gap_closed: Estimate | None


class MajorityAgreement(Frozen):
    """The share of problems on which best-of-N and the majority give the same answer, with all samples.

    `best_right` and `majority_right` are the shares that each gets right where they differ, None if they
    never differ.
    """

    alike: Estimate
    best_right: Estimate | None
    majority_right: Estimate | None


def selections(pool: Sequence[Record], ns: Sequence[int]) -> Iterator[Selection]:
    """Yield the accuracies of best-of-N, the votes and coverage at each of `ns`, from one pool."""
    kinds = (BEST, WEIGHTED, MAJORITY, COVERAGE)
    accuracies = (decided(pool, kind, ns).T for kind in kinds)
    for n, best, weighted, majority, coverage in zip(ns, *accuracies, strict=True):
        yield Selection(
            n=n,
            score=fmean(chosen_score(r, n) for r in pool),
            best_of_n=mean(best),
            weighted=mean(weighted),
            majority=mean(majority),
            coverage=mean(coverage),
            gain=mean(best - majority),
            gap_closed=gap_closed(best, majority, coverage),
        )


def gap_closed(values: Floats, majority: Floats, coverage: Floats) -> Estimate | None:
    """Estimate (accuracy - majority) / (coverage - majority), of means over problems.

    Takes one of each per problem, all with the same number of samples. 1 chooses a right sample wherever
    there is one, 0 is no better than a vote, and less than 0 worse. A ratio of means, not a mean of
    ratios, so that problems without a gap are no trouble. None where there is no gap at all. The interval
    is the percentile one of `ratio`, as a resample may have no gap; it is wide where the gap is small.
    """
    return ratio(values - majority, coverage - majority)


def majority_agreement(pool: Sequence[Record]) -> MajorityAgreement | None:
    """Compare best-of-N with the majority, answer by answer; ties share the choice.

    Problems that failed are left out; None where all did.
    """
    rows = [_agreement(r.samples) for r in pool if r.samples]
    if not rows:
        return None
    alike, best_right, majority_right = np.array(rows).T
    differ = 1 - alike
    return MajorityAgreement(
        alike=mean(alike),
        best_right=ratio(best_right, differ),
        majority_right=ratio(majority_right, differ),
    )


def _agreement(samples: Sequence[Sample]) -> tuple[float, float, float]:
    """Return the probabilities that both agree, that best-of-N alone is right, and the majority alone."""
    best, majority = _shares(_best(samples)), _shares(_majority(samples))
    right = {a: fmean(s.correct for s in samples if s.answer == a) for a in {*best, *majority}}

    def alone(one: Mapping[str | None, float], other: Mapping[str | None, float]) -> float:
        return sum(p * (1 - other.get(a, 0.0)) * right[a] for a, p in one.items())

    alike = sum(p * majority.get(a, 0.0) for a, p in best.items())
    return alike, alone(best, majority), alone(majority, best)


def _best(samples: Sequence[Sample]) -> list[str | None]:
    """Return the answers of the best-scored samples; unfinished ones have no score."""
    scores = [-1.0 if s.score is None else s.score for s in samples]
    return [s.answer for s, score in zip(samples, scores, strict=True) if score == max(scores)]


def _majority(samples: Sequence[Sample]) -> list[str | None]:
    """Return the answers that most samples give, each once."""
    votes = Counter(s.answer for s in samples if s.answer is not None)
    return [a for a, count in votes.items() if count == max(votes.values())] or [None]


def _shares(answers: Sequence[str | None]) -> dict[str | None, float]:
    return {a: count / len(answers) for a, count in Counter(answers).items()}
