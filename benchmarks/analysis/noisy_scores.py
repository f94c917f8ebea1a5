"""Accuracy of choices from a pool by noisy scores, and by rules that read the surface of a solution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reasoner.benchmarks.analysis.curves import sample_pool
from reasoner.benchmarks.analysis.step_metrics import auc
from reasoner.benchmarks.analysis.surface_rules import rules
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
"""Noise in log-odds beyond which nothing is left of a score."""
HALVINGS = 24


class Line(Frozen):
    """Accuracy of one way to choose, for each number of samples; `noise` is in log-odds."""

    name: str
    noise: float | None = None
    auc: float | None = None
    accuracy: dict[str, dict[int, Estimate]]


class Study(Frozen):
    """A task's lines, and how near to an oracle its verifier is.

    `false_positives` is the share of wrong solutions that score as high as any can, `false_negatives` that of
    right ones which do not.
    """

    task: str
    split: str
    problems: int
    samples: int
    auc: float
    false_positives: float
    false_negatives: float
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """A pool; `twin` is the place of the first sample of a problem with the same text."""

    pool: Pool
    twin: Indices
    finished: Bools

    @classmethod
    def of(cls, pool: Sequence[Record]) -> Scored:
        """The pools of records, which are of one size."""
        firsts = [_firsts([s.text for s in r.samples]) for r in pool]
        finished = [[s.complete for s in r.samples] for r in pool]
        return cls(sample_pool(pool), np.array(firsts, np.intp), np.array(finished, bool))

    def auc(self, scores: Floats) -> float:
        """The chance that a finished right solution outranks a finished wrong one."""
        value = auc(scores[self.finished], self.pool.correct[self.finished])
        if value is None:
            raise ConfigError(
                "the pool has no right solutions, or no wrong ones; choose another run"
            )
        return value

    def noisy(self, noise: float, seed: int) -> Floats:
        """The scores with Gaussian noise on their log-odds, no higher than the highest without."""
        scores = np.clip(self.pool.scores, 1e-9, 1 - 1e-9)
        normal = np.random.default_rng(seed).normal(size=scores.shape)
        odds = np.log(scores / (1 - scores)) + noise * np.take_along_axis(normal, self.twin, 1)
        return np.asarray(np.minimum(1 / (1 + np.exp(-odds)), scores.max()), float)

    def noise_for(self, wanted: float, seed: int) -> float:
        """Find by halving the noise at which the AUC is `wanted`."""
        low, high = 0.0, LARGEST
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (
                (middle, high) if self.auc(self.noisy(middle, seed)) > wanted else (low, middle)
            )
        return (low + high) / 2


def study(run: RunFolder, task: str, aucs: Sequence[float], seeds: Sequence[int]) -> Study:
    """Every line of one task.

    Raises:
        StoreError: the run has no pool of the task.
    """
    grid, pool = run.grid, [r for r in run.pool(task) if r.error is None]
    if not pool:
        raise StoreError(
            f"{run.path} holds no pool of {task}; run `reasoner bench --strategy best-of-n` first"
        )
    scored = Scored.of(pool)
    scores, right = scored.pool.scores, scored.pool.correct
    top = scores == scores.max()
    return Study(
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


def _unverified(pool: Pool, ns: Sequence[int]) -> Iterator[Line]:
    """Lines that no score decides."""
    yield Line(name=COVERAGE, accuracy={COVERAGE: _at(ns, pass_at_ks(pool, ns))})
    yield Line(name=MAJORITY, accuracy={MAJORITY: _at(ns, majority_at_ks(pool, ns))})
    alike = replace(pool, scores=np.zeros(pool.scores.shape))
    yield Line(name="random", auc=0.5, accuracy={BEST: _at(ns, best_of_at_ks(alike, ns))})


def _rules(task: str, scored: Scored, pool: Sequence[Record], ns: Sequence[int]) -> Iterator[Line]:
    for name, rule in rules(task).items():
        scores = np.array([[rule(r.question, s) for s in r.samples] for r in pool], float)
        accuracy = best_of_at_ks(replace(scored.pool, scores=scores), ns)
        yield Line(name=name, auc=scored.auc(scores), accuracy={BEST: _at(ns, accuracy)})


def _noisy(
    scored: Scored, ns: Sequence[int], aucs: Sequence[float], seeds: Sequence[int]
) -> Iterator[Line]:
    """The verdict as it is, and with the noise that each AUC takes."""
    plain = scored.auc(scored.pool.scores)
    noises = {plain: 0.0} | {a: scored.noise_for(a, seeds[0]) for a in aucs if a < plain}
    for noise in noises.values():
        pools = [
            replace(scored.pool, scores=scored.noisy(noise, seed))
            for seed in (seeds if noise else seeds[:1])
        ]
        yield Line(
            name="verdict" if not noise else "noisy verdict",
            noise=noise,
            auc=float(np.mean([scored.auc(p.scores) for p in pools])),
            accuracy={
                BEST: _at(ns, np.mean([best_of_at_ks(p, ns) for p in pools], 0)),
                WEIGHTED: _at(ns, np.mean([weighted_at_ks(p, ns) for p in pools], 0)),
            },
        )


def _at(ns: Sequence[int], values: Floats) -> dict[int, Estimate]:
    """The mean over problems with its interval, by the number of samples."""
    return dict(zip(ns, shares(values), strict=True))


def _firsts(texts: Sequence[str]) -> list[int]:
    first = dict[str, int]()
    return [first.setdefault(text, place) for place, text in enumerate(texts)]
