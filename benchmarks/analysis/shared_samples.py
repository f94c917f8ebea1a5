"""Recorded samples, drawn as strategy `pool` would draw them: a batch at a time, where it helps most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Protocol, Self

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.pool import Pool
from reasoner.benchmarks.store.pool_costs import PoolCosts
from reasoner.benchmarks.store.records import Record
from reasoner.search.common.standing import Standing, by_scores, by_votes
from reasoner.search.pool import BudgetPool

ROUNDING = 1e-9


class DrawnSamples(Protocol):
    """The samples of one problem that have been drawn so far; `right` is the chance that its answer is."""

    @property
    def standing(self) -> Standing: ...
    @property
    def right(self) -> float: ...
    def add(self, sample: int) -> None: ...


class PooledScores:
    """Samples of which the best-scored one is chosen, the first of equals."""

    def __init__(self, pool: Pool, problem: int, ceiling: float) -> None:
        self._scores = np.nan_to_num(pool.scores[problem], nan=-inf).tolist()
        self._correct, self._ceiling = pool.correct[problem].tolist(), ceiling
        self._size, self._total, self._best, self._right = 0, 0.0, -inf, 0.0

    @property
    def standing(self) -> Standing:
        """The standing of the problem by the scores."""
        return by_scores(self._size, self._total, self._best, self._ceiling)

    @property
    def right(self) -> float:
        """1 if the best-scored sample is right, else 0."""
        return self._right

    def add(self, sample: int) -> None:
        """Draw a sample."""
        score = self._scores[sample]
        if not self._size or score > self._best:
            self._best, self._right = score, float(self._correct[sample])
        self._size += 1
        self._total += max(0.0, score)


class PooledVotes:
    """Samples that vote; tied answers share the vote."""

    def __init__(self, pool: Pool, problem: int, threshold: float) -> None:
        self._answers = pool.answers[problem].tolist()
        self._correct = pool.correct[problem].tolist()
        self._votes, self._rights = Counter[int](), Counter[int]()
        self._size, self._threshold = 0, threshold

    @property
    def standing(self) -> Standing:
        """The standing of the problem by the votes."""
        first, second, *_ = *(votes for _, votes in self._votes.most_common(2)), 0, 0
        return by_votes(self._size, first, second, self._threshold)

    @property
    def right(self) -> float:
        """The share of right samples among those with a leading answer."""
        most = max(self._votes.values(), default=0)
        shares = [self._rights[a] / votes for a, votes in self._votes.items() if votes == most]
        return sum(shares) / len(shares) if shares else 0.0

    def add(self, sample: int) -> None:
        """Draw a sample."""
        self._size += 1
        if (answer := self._answers[sample]) >= 0:
            self._votes[answer] += 1
            self._rights[answer] += self._correct[sample]


@dataclass(frozen=True, slots=True)
class CostPerSample:
    """The cost of each sample, (problems, samples), nan for none, and of each problem's first one besides."""

    each: Floats
    first: Floats

    @classmethod
    def of(cls, records: Sequence[Record], kind: str, verified: bool) -> Self:
        """Return generated tokens or, with `kind` "flops", FLOPs, which add up to `PoolCosts.portion`.

        The first sample computes the prompt, each further one the tail of it that no full cache block holds.
        Decoding is in proportion to a sample's tokens, scoring the same for each.
        """
        tokens = np.full((len(records), max(len(r.samples) for r in records)), np.nan)
        for row, record in zip(tokens, records, strict=True):
            row[: len(record.samples)] = [sample.tokens for sample in record.samples]
        if kind != "flops":
            return cls(tokens, np.zeros(len(records)))
        costs = PoolCosts.of(records)
        n, spend = costs.samples, costs.spend
        tail = np.where(n > 1, costs.tails / np.maximum(1, n - 1), 0.0)
        scoring = spend["verifier_flops"] / n if verified else np.zeros(len(n))
        decoding = spend["generator_flops"] - costs.prompt - costs.tails
        rate = decoding / np.maximum(1, np.nansum(tokens, axis=1))
        each = rate[:, None] * tokens + (tail + scoring)[:, None]
        return cls(each, costs.prompt + np.where(n > 1, -tail, costs.tails))


@dataclass(frozen=True, slots=True)
class Shares:
    """The state once a total is spent: each problem's correctness and samples, and the spending."""

    right: Floats
    drawn: Floats
    spent: float


def share_out(
    start: Callable[[int], DrawnSamples],
    costs: CostPerSample,
    rule: BudgetPool,
    totals: Sequence[float],
    rng: np.random.Generator,
) -> list[Shares]:
    """Share out each of rising `totals` among the problems; a larger one goes on from a smaller one.

    A problem's samples are drawn in random order, up to `rule.n`. The first batch that a total does not hold
    ends it.
    """
    problems = range(len(costs.first))
    orders = [rng.permutation(np.flatnonzero(~np.isnan(row)))[: rule.n] for row in costs.each]
    states, drawn = [start(i) for i in problems], np.zeros(len(orders), np.intp)
    arrivals, spent, ended = count(), 0.0, list[Shares]()
    queue = [(-inf, next(arrivals), i) for i in problems if len(orders[i])]
    heapify(queue)

    def end(until: float) -> None:
        while len(ended) < len(totals) and until > totals[len(ended)] * (1 + ROUNDING):
            right = np.array([state.right for state in states])
            ended.append(Shares(right, drawn.astype(float), spent))

    while queue and len(ended) < len(totals):
        *_, i = heappop(queue)
        batch = orders[i][drawn[i] : drawn[i] + rule.batch]
        price = float(costs.each[i, batch].sum()) + (0.0 if drawn[i] else float(costs.first[i]))
        end(spent + price)
        spent += price
        drawn[i] += len(batch)
        for sample in batch:
            states[i].add(int(sample))
        standing = states[i].standing
        if not standing.resolved and drawn[i] < len(orders[i]):
            heappush(queue, (-standing.bound(rule.batch), next(arrivals), i))
    end(inf)
    return ended
