"""Quality of step scores: AUC by depth, and F1 of locating the first error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats.arrays import Bools, Floats, Indices
from reasoner.benchmarks.stats.distributions import Z95
from reasoner.benchmarks.stats.intervals import (
    Estimate,
    divide,
    percentile_estimate,
    ratio,
    resample_counts,
)
from reasoner.schema import Frozen

ScoredSolution = tuple[Sequence[float], Sequence[bool]]
"""The score of every prefix of a solution, and whether every step of that prefix is right."""


@dataclass(frozen=True, slots=True)
class JudgedSteps:
    """Judged steps as columns of a table; `problem` counts from 0, `depth` from 1."""

    problems: int
    problem: Indices
    depth: Indices
    score: Floats
    right: Bools

    @classmethod
    def of(cls, pools: Sequence[Sequence[ScoredSolution]]) -> JudgedSteps:
        """Return the steps of every problem's solutions."""
        rows = [
            (problem, depth, score, right)
            for problem, pool in enumerate(pools)
            for scores, labels in pool
            for depth, (score, right) in enumerate(zip(scores, labels, strict=True), start=1)
        ]
        table = np.array(rows, float).reshape(-1, 4)
        problem, depth = (table[:, i].astype(np.intp) for i in (0, 1))
        return cls(len(pools), problem, depth, table[:, 2], table[:, 3].astype(bool))

    def at(self, depth: int) -> JudgedSteps:
        """Return the steps at one depth."""
        rows = self.depth == depth
        return JudgedSteps(
            self.problems, self.problem[rows], self.depth[rows], self.score[rows], self.right[rows]
        )


class Ranking(Frozen):
    """The ranking of right steps over wrong ones by score; `right` is the share of right steps."""

    problems: int
    solutions: int
    scores: int
    right: float | None
    auc: Estimate | None

    @classmethod
    def of(cls, pools: Sequence[Sequence[ScoredSolution]]) -> Ranking:
        """Return the ranking of the steps of every problem's solutions."""
        steps = JudgedSteps.of(pools)
        return cls(
            problems=len(pools),
            solutions=sum(map(len, pools)),
            scores=len(steps.score),
            right=float(steps.right.mean()) if len(steps.right) else None,
            auc=auc_estimate(steps),
        )


class Depth(Frozen):
    """The steps at one depth; `right` is the share of right steps."""

    depth: int
    steps: int
    right: float
    auc: Estimate | None


class FirstError(Frozen):
    """The accuracy of locating first errors by the first step with a score below `threshold`.

    `f1` is the harmonic mean of the accuracies on `wrong` solutions, whose first error must be located
    exactly, and on `right` ones, in which no step may score below the threshold (ProcessBench: Zheng et
    al., 2024, arXiv 2412.06559). A solution is right here if all of its steps are.
    """

    threshold: float
    f1: Estimate
    wrong: Estimate
    right: Estimate
    wrong_solutions: int
    right_solutions: int


def auc(scores: Sequence[float] | Floats, labels: Sequence[bool] | Bools) -> float | None:
    """Return the probability that a right step outranks a wrong one, ties counted half (Mann-Whitney).

    None where there are no right steps, or no wrong ones.
    """
    right = np.asarray(labels, bool)
    if right.all() or not right.any():
        return None
    return float(_outranked(np.asarray(scores, float), right)[right].mean())


def auc_estimate(steps: JudgedSteps) -> Estimate | None:
    """Estimate the AUC over all steps, with its interval over problems.

    The standard error is that of clustered data (Obuchowski, 1997, Biometrics 53), and the interval is
    symmetric in log-odds. None where there are no right steps, or no wrong ones.
    """
    value = auc(steps.score, steps.right)
    if value is None:
        return None
    right = steps.right
    excess = (_outranked(steps.score, right) - value) / np.where(right, right.sum(), (~right).sum())
    share = np.bincount(steps.problem, excess, minlength=steps.problems)
    error = float(np.sqrt((share**2).sum() * steps.problems / max(1, steps.problems - 1)))
    low, high = _log_odds_interval(value, error)
    return Estimate(value=value, low=low, high=high)


def depths(steps: JudgedSteps) -> Iterator[Depth]:
    """Yield the quality of the scores at each depth."""
    for depth in map(int, np.unique(steps.depth)):
        part = steps.at(depth)
        right = float(part.right.mean())
        yield Depth(depth=depth, steps=len(part.score), right=right, auc=auc_estimate(part))


@dataclass(frozen=True, slots=True)
class Windows:
    """The thresholds that judge each solution correctly: `low < threshold <= high`.

    A threshold locates the first error if that step scores below it and none before does; in a right
    solution no step may.
    """

    problems: int
    problem: Indices
    low: Floats
    high: Floats
    wrong: Bools

    @classmethod
    def of(cls, pools: Sequence[Sequence[ScoredSolution]]) -> Windows:
        """Return the windows of every problem's solutions; those without a complete step have none."""
        rows = [
            (problem, *_window(scores, labels))
            for problem, pool in enumerate(pools)
            for scores, labels in pool
            if labels
        ]
        table = np.array(rows, float).reshape(-1, 4)
        problem, wrong = table[:, 0].astype(np.intp), table[:, 3].astype(bool)
        return cls(len(pools), problem, table[:, 1], table[:, 2], wrong)

    def count(self, which: Bools) -> Floats:
        """Return the number of solutions of each problem among `which`: (problems,)."""
        return np.bincount(self.problem, which, minlength=self.problems).astype(float)

    def f1(self, thresholds: Floats) -> Floats:
        """Return the first-error F1 at each of `thresholds`."""
        possible = self.wrong & (self.low < self.high)
        located = _below(self.low[possible], thresholds) - _below(self.high[possible], thresholds)
        passed = (~self.wrong).sum() - _below(self.high[~self.wrong], thresholds)
        return harmonic(located / max(1, self.wrong.sum()), passed / max(1, (~self.wrong).sum()))

    def threshold(self) -> float | None:
        """Return the threshold with the highest F1, half-way to the next score below it.

        None where there are no right solutions, or no wrong ones.
        """
        if self.wrong.all() or not self.wrong.any():
            return None
        edges = np.unique(np.concatenate([self.low, self.high]))
        edges = edges[np.isfinite(edges)]
        best = int(np.argmax(self.f1(edges)))
        return float(edges[max(0, best - 1) : best + 1].mean())


def first_error(tuned: Windows, tested: Windows) -> FirstError | None:
    """Estimate the first-error F1 on `tested` at the threshold that is best on `tuned`.

    None where either has no right solutions, or no wrong ones.
    """
    threshold = tuned.threshold()
    if threshold is None or tested.wrong.all() or not tested.wrong.any():
        return None
    hits = (tested.low < threshold) & (threshold <= tested.high)
    tallies = [
        (tested.count(hits & kind), tested.count(kind)) for kind in (tested.wrong, ~tested.wrong)
    ]
    wrong, right = (ratio(*tally) for tally in tallies)
    assert wrong and right, "there are solutions of both kinds"
    counts = resample_counts(tested.problems)
    resampled = harmonic(*(divide(counts @ part, counts @ whole) for part, whole in tallies))
    value = harmonic(np.array([wrong.value]), np.array([right.value]))
    return FirstError(
        threshold=threshold,
        f1=percentile_estimate(float(value[0]), resampled),
        wrong=wrong,
        right=right,
        wrong_solutions=int(tested.wrong.sum()),
        right_solutions=int((~tested.wrong).sum()),
    )


def harmonic(one: Floats, other: Floats) -> Floats:
    """Return the harmonic mean, 0 where both are 0."""
    total = one + other
    return np.divide(2 * one * other, total, out=np.zeros_like(total), where=total != 0)


def _outranked(scores: Floats, right: Bools) -> Floats:
    """Return for each step the share of steps of the other kind that it outranks correctly, ties half."""
    _, place = np.unique(scores, return_inverse=True)
    rights, wrongs = (np.bincount(place, kind) for kind in (right, ~right))
    below = (np.cumsum(wrongs) - wrongs / 2) / wrongs.sum()
    above = 1 - (np.cumsum(rights) - rights / 2) / rights.sum()
    return np.where(right, below[place], above[place])


def _log_odds_interval(value: float, error: float) -> tuple[float, float]:
    """Return a 95 % interval of a share that is symmetric in log-odds, and so within 0 and 1."""
    if not 0 < value < 1:
        return value, value
    half, middle = Z95 * error / (value * (1 - value)), np.log(value / (1 - value))
    low, high = (float(1 / (1 + np.exp(-odds))) for odds in (middle - half, middle + half))
    return low, high


def _window(scores: Sequence[float], labels: Sequence[bool]) -> tuple[float, float, bool]:
    """Return the thresholds that judge a solution correctly, and whether it is wrong."""
    if all(labels):
        return -np.inf, min(scores), False
    first = labels.index(False)
    return scores[first], min(scores[:first], default=np.inf), True


def _below(values: Floats, thresholds: Floats) -> Indices:
    """Return the number of `values` below each of `thresholds`."""
    return np.searchsorted(np.sort(values), thresholds, side="left")
