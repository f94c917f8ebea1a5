"""A policy and a verifier of which everything is known, and what is true of all their problems."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats import Pool
from reasoner.benchmarks.stats.arrays import Bools, Floats, Indices

WRONG = (0.5, 0.25, 0.15, 0.1)


@dataclass(frozen=True)
class World:
    """Problems are solved with a chance from Beta(`easy`, `hard`), and wrong answers are alike.

    The verifier's log-odds are normal, and right solutions lie `shift` standard deviations above wrong
    ones: its AUC is 0.76 at 1. A hard problem takes more tokens.
    """

    easy: float = 0.7
    hard: float = 1.0
    shift: float = 1.0

    def draw(self, rng: np.random.Generator, problems: int, samples: int) -> tuple[Pool, Floats]:
        """A pool, and the tokens of one sample of each problem."""
        chance = rng.beta(self.easy, self.hard, problems)
        tokens = rng.lognormal(1 - chance, 0.5)
        correct = rng.random((problems, samples)) < chance[:, None]
        wrong = 1 + rng.choice(len(WRONG), (problems, samples), p=WRONG)
        odds = rng.normal(self.shift * correct, 1.0)
        answers = np.where(correct, 0, wrong)
        pool = Pool(correct, 1 / (1 + np.exp(-odds)), answers, np.full(problems, samples))
        return pool, tokens

    def coverage(self, k: int) -> float:
        """True pass@k: 1 less the mean of (1-p)^k."""
        given = np.arange(k)
        return 1 - float(np.prod((self.hard + given) / (self.easy + self.hard + given)))

    def truth(self, ks: list[int], problems: int) -> dict[str, Floats]:
        """True accuracies of choosing among `k` samples, from that many fresh ones of many problems."""
        rows = [self._chosen(np.random.default_rng(k), k, problems) for k in ks]
        names = ("best", "majority", "weighted")
        found = {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}
        return {**found, "coverage": np.array([self.coverage(k) for k in ks])}

    def _chosen(self, rng: np.random.Generator, k: int, problems: int) -> Floats:
        step = 50_000
        parts = [np.array(chosen(self.draw(rng, step, k)[0])) for _ in range(problems // step)]
        return np.asarray(np.mean(parts, 0), float)


def chosen(pool: Pool) -> tuple[float, float, float]:
    """Return how often the best, the most frequent and the heaviest of all samples is right."""
    best = pool.correct[np.arange(pool.problems), pool.scores.argmax(1)].mean()
    return (
        float(best),
        elected(pool.answers, np.ones_like(pool.scores)),
        elected(pool.answers, pool.scores),
    )


def elected(answers: Indices, weights: Floats) -> float:
    """Return how often answer 0 wins, with ties shared."""
    kinds = range(len(WRONG) + 1)
    totals = np.stack([(weights * (answers == kind)).sum(1) for kind in kinds], 1)
    leads: Bools = totals == totals.max(1, keepdims=True)
    return float((leads[:, 0] / leads.sum(1)).mean())
