"""Accuracy of selection from a pool by noisy scores, and by rules that read a solution's surface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reasoner.benchmarks.analysis.curves import sample_pool
from reasoner.benchmarks.analysis.step_metrics import auc
from reasoner.benchmarks.analysis.surface_rules import surface_rules
from reasoner.benchmarks.stats import (
    Pool,
    best_of_at_ks,
    majority_at_ks,
    pass_at_ks,
    weighted_at_ks,
)
from reasoner.benchmarks.stats.arrays import Bools, Floats, Indices
from reasoner.benchmarks.stats.intervals import Estimate
from reasoner.benchmarks.stats.proportion import shares
from reasoner.benchmarks.store.grid import BEST, COVERAGE, MAJORITY, WEIGHTED
from reasoner.benchmarks.store.records import Record
from reasoner.benchmarks.store.run_folder import RunFolder
from reasoner.errors import ConfigError, StoreError
from reasoner.schema import Frozen

LARGEST = 256.0
"""The most noise in log-odds: beyond it a score carries no information."""
HALVINGS = 24


class SelectionCurve(Frozen):
    """Accuracy of one way to choose, by number of samples; `noise` is a standard deviation of log-odds."""

    name: str
    noise: float | None = None
    auc: float | None = None
    accuracy: dict[str, dict[int, Estimate]]


class NoiseStudy(Frozen):
    """The curves of a task, and the errors of its verifier.

    `false_positives` is the share of wrong solutions with the highest score, `false_negatives` that of
    right ones without it.
    """

    task: str
    split: str
    problems: int
    samples: int
    auc: float
    false_positives: float
    false_negatives: float
    lines: tuple[SelectionCurve, ...]


@dataclass(frozen=True, slots=True)
class ScoredPool:
    """A pool of equal sizes; `twin` is the index of a problem's first sample with the same text."""

    pool: Pool
    twin: Indices
    finished: Bools

    @classmethod
    def of(cls, pool: Sequence[Record]) -> ScoredPool:
        """Return the pool of records, which must have equally many samples."""
        firsts = [_firsts([s.text for s in r.samples]) for r in pool]
        finished = [[s.complete for s in r.samples] for r in pool]
        return cls(sample_pool(pool), np.array(firsts, np.intp), np.array(finished, bool))

    def auc(self, scores: Floats) -> float:
        """Return the probability that a finished right solution outranks a finished wrong one.

        Raises:
            ConfigError: all solutions are right, or all wrong.
        """
        value = auc(scores[self.finished], self.pool.correct[self.finished])
        if value is None:
            raise ConfigError(
                "the pool has no right solutions, or no wrong ones; choose another run"
            )
        return value

    def noisy(self, noise: float, seed: int) -> Floats:
        """Return the scores with Gaussian noise on their log-odds, at most the highest score without."""
        scores = np.clip(self.pool.scores, 1e-9, 1 - 1e-9)
        normal = np.random.default_rng(seed).normal(size=scores.shape)
        odds = np.log(scores / (1 - scores)) + noise * np.take_along_axis(normal, self.twin, 1)
        return np.asarray(np.minimum(1 / (1 + np.exp(-odds)), scores.max()), float)

    def noise_for(self, wanted: float, seed: int) -> float:
        """Return the noise at which the AUC is `wanted`, found by bisection."""
        low, high = 0.0, LARGEST
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if self.auc(self.noisy(middle, seed)) > wanted else (low, middle)
            )
        return (low + high) / 2


def noise_study(
    run: RunFolder, task: str, aucs: Sequence[float], seeds: Sequence[int]
) -> NoiseStudy:
    """Return every curve of one task.

    Raises:
        StoreError: the run has no pool of the task.
    """
    grid, pool = run.grid, [r for r in run.pool(task) if r.error is None]
    if not pool:
        raise StoreError(
            f"{run.path} holds no pool of {task}; run `reasoner bench --strategy best-of-n` first"
        )
    scored = ScoredPool.of(pool)
    scores, right = scored.pool.scores, scored.pool.correct
    top = scores == scores.max()
    return NoiseStudy(
        task=task,
        split=grid.split,
        problems=len(pool),
        samples=scores.shape[1],
        auc=scored.auc(scores),
        false_positives=float(top[~right & scored.finished].mean()),
        false_negatives=float(1 - top[right].mean()),
        lines=(
            *_unverified(scored.pool, grid.ns),
            *_rules(task, scored, pool, grid.ns),
            *_noisy(scored, grid.ns, aucs, seeds),
        ),
    )


def _unverified(pool: Pool, ns: Sequence[int]) -> Iterator[SelectionCurve]:
    """Yield the curves that need no score."""
    yield SelectionCurve(name=COVERAGE, accuracy={COVERAGE: _at(ns, pass_at_ks(pool, ns))})
    yield SelectionCurve(name=MAJORITY, accuracy={MAJORITY: _at(ns, majority_at_ks(pool, ns))})
    alike = replace(pool, scores=np.zeros(pool.scores.shape))
    yield SelectionCurve(name="random", auc=0.5, accuracy={BEST: _at(ns, best_of_at_ks(alike, ns))})


def _rules(
    task: str, scored: ScoredPool, pool: Sequence[Record], ns: Sequence[int]
) -> Iterator[SelectionCurve]:
    for name, rule in surface_rules(task).items():
        scores = np.array([[rule(r.question, s) for s in r.samples] for r in pool], float)
        accuracy = best_of_at_ks(replace(scored.pool, scores=scores), ns)
        yield SelectionCurve(name=name, auc=scored.auc(scores), accuracy={BEST: _at(ns, accuracy)})


def _noisy(
    scored: ScoredPool, ns: Sequence[int], aucs: Sequence[float], seeds: Sequence[int]
) -> Iterator[SelectionCurve]:
    """Yield the curves of the verdict, and of the verdict with the noise that gives each AUC."""
    plain = scored.auc(scored.pool.scores)
    noises = {plain: 0.0} | {a: scored.noise_for(a, seeds[0]) for a in aucs if a < plain}
    for noise in noises.values():
        pools = [
            replace(scored.pool, scores=scored.noisy(noise, seed))
            for seed in (seeds if noise else seeds[:1])
        ]
        yield SelectionCurve(
            name="verdict" if not noise else "noisy verdict",
            noise=noise,
            auc=float(np.mean([scored.auc(p.scores) for p in pools])),
            accuracy={
                BEST: _at(ns, np.mean([best_of_at_ks(p, ns) for p in pools], 0)),
                WEIGHTED: _at(ns, np.mean([weighted_at_ks(p, ns) for p in pools], 0)),
            },
        )


def _at(ns: Sequence[int], values: Floats) -> dict[int, Estimate]:
    """Return the mean over problems with its interval, by the number of samples."""
    return dict(zip(ns, shares(values), strict=True))


def _firsts(texts: Sequence[str]) -> list[int]:
    first = dict[str, int]()
    return [first.setdefault(text, place) for place, text in enumerate(texts)]
