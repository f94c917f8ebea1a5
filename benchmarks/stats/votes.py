"""Votes: the probability that the answer with the most votes, or weight, of `k` samples is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats, Indices
from reasoner.benchmarks.stats.pool import Pool, every
from reasoner.errors import ConfigError

SUBSETS = 8
"""The least number of subsets that are averaged for each `k` of a problem."""
LANES = 2**11
CELLS = 2**21


def majority_at_ks(pool: Pool, ks: Sequence[int], seed: int = 0, subsets: int = SUBSETS) -> Floats:
    """Return an unbiased majority@k of every problem for each of `ks`, of shape (problems, ks).

    Tied answers share the vote, and samples without an answer do not vote. The mean over all subsets of
    `k` samples has no closed form. It is estimated by systematic sampling: a problem's samples are
    put on a ring in random order, and the subsets are its runs of `k` neighbours, from every start if
    `k` is small and otherwise from `subsets` or more evenly spaced ones. Every run is a uniform draw
    without replacement, and the errors of runs that do not overlap, or that miss no sample in common, are
    negatively correlated. The estimate is exact for one sample and for all. The remaining randomness is
    independent between problems, so that intervals over problems include it.
    """
    return every(pool, ks, lambda p, sizes: _voted(p, np.ones_like(p.scores), sizes, seed, subsets))


def weighted_at_ks(pool: Pool, ks: Sequence[int], seed: int = 0, subsets: int = SUBSETS) -> Floats:
    """Return weighted@k as `majority_at_ks` does majority@k, of the answer with the highest sum of scores.

    A sample without a score weighs 0. Scores are rounded to nine decimals of a problem's largest, so that
    equal sums are equal.

    Raises:
        ConfigError: a score is negative, which the weight of a vote cannot be.
    """
    if np.any(pool.scores[pool.valid] < 0):
        raise ConfigError(
            "a weighted vote needs scores of 0 or more; map them to probabilities first"
        )
    return every(pool, ks, lambda p, sizes: _voted(p, _whole(p.scores), sizes, seed, subsets))


def _whole(scores: Floats) -> Floats:
    """Return scores as whole numbers, whose sums are exact."""
    weights = np.nan_to_num(scores)
    largest = weights.max(1, keepdims=True)
    magnitude = np.ceil(np.log10(largest, out=np.zeros_like(largest), where=largest > 0))
    return np.asarray(np.rint(weights * 10.0 ** (9 - magnitude)), float)


@dataclass(frozen=True, slots=True)
class Ring:
    """Ballots in cyclic order, each array of shape (samples, problems).

    `right` is the share of right samples among those with the ballot's answer. A missing answer has the
    weight minus infinity, and so never leads.
    """

    answers: Indices
    weights: Floats
    right: Floats

    @classmethod
    def of(cls, pool: Pool, weights: Floats) -> Ring:
        """Return the samples in the order in which they were drawn."""
        none = pool.answers < 0
        answers = coded(pool)
        return cls(answers.T, np.where(none, -np.inf, weights).T, right_shares(pool).T)

    def at(self, rows: Indices) -> tuple[Indices, Floats, Floats]:
        """Return the ballots at some places of the ring."""
        return self.answers[rows], self.weights[rows], self.right[rows]

    def take(self, order: Indices) -> Ring:
        """Return the ring in another order, of shape (samples, problems)."""
        return Ring(
            answers=np.take_along_axis(self.answers, order, 0),
            weights=np.take_along_axis(self.weights, order, 0),
            right=np.take_along_axis(self.right, order, 0),
        )

    def split(self, starts: int) -> Iterator[tuple[slice, Ring]]:
        """Yield parts of the problems, each small enough for the cache."""
        width = max(1, min(LANES, CELLS // (1 + int(self.answers.max()))) // starts)
        for first in range(0, self.answers.shape[1], width):
            part = slice(first, first + width)
            yield part, Ring(self.answers[:, part], self.weights[:, part], self.right[:, part])


def _voted(pool: Pool, weights: Floats, ks: Sequence[int], seed: int, subsets: int) -> Floats:
    """Return the mean over subsets, of shape (problems, ks)."""
    problems, n = pool.correct.shape
    rng, ring = np.random.default_rng(seed), Ring.of(pool, weights)
    rounds = -(-8 * subsets // n)  # small pools are cheap
    total = np.zeros((max(ks), problems))
    for _ in range(rounds):
        order = rng.permuted(np.tile(np.arange(n), (problems, 1)), axis=1).T
        total += _lengths(ring.take(order), max(ks), subsets) / rounds
    return np.asarray(total[np.asarray(ks) - 1].T, float)


def _lengths(ring: Ring, longest: int, subsets: int) -> Floats:
    """Return the share of right runs of each length from 1: (longest, problems).

    The runs always cover the ring; longer ones are fewer, down to `subsets`.
    """
    n, problems = ring.answers.shape
    shares, done, starts = np.empty((longest, problems)), 0, n
    while done < longest:
        fewer = max(starts // 4, min(n, subsets))
        until = longest if fewer == starts else min(longest, -(-n // fewer))
        spaced = np.arange(starts) * n // starts
        for part, few in ring.split(starts):
            shares[done:until, part] = _runs(few, spaced, until)[done:]
        done, starts = until, fewer
    return shares


def _runs(ring: Ring, starts: Indices, longest: int) -> Floats:
    """Return the share of right runs from `starts`, which grow by one sample a step: (longest, problems).

    Totals only grow, so that only the sample just added can change which answer leads.
    """
    n, problems = ring.answers.shape
    lanes = len(starts) * problems
    totals = np.full((1 + int(ring.answers.max())) * lanes, -1.0)
    lane, best = np.arange(lanes), np.full(lanes, -1.0)
    tied, won = np.ones(lanes), np.zeros(lanes)
    shares = np.empty((longest, problems))
    for k in range(longest):
        cell, weights, right = (a.ravel() for a in ring.at((starts + k) % n))
        cell *= lanes
        cell += lane
        old = totals.take(cell)
        new = np.maximum(old, 0)
        new += weights
        totals[cell] = new
        joins = np.flatnonzero((new == best) & (new != old))
        tied[joins] += 1
        won[joins] += right[joins]
        ahead = new > best
        np.copyto(tied, 1, where=ahead)
        np.copyto(won, right, where=ahead)
        np.copyto(best, new, where=ahead)
        shares[k] = (won / tied).reshape(-1, problems).sum(0)
    return shares / len(starts)


def coded(pool: Pool) -> Indices:
    """Return the answers with a code of its own for a missing one, the largest."""
    return np.where(pool.answers < 0, pool.answers.max() + 1, pool.answers)


def right_shares(pool: Pool) -> Floats:
    """Return for each sample the share of right ones among those with its answer; 0 without an answer."""
    answers = coded(pool)
    cell = answers + np.arange(pool.problems)[:, None] * (1 + answers.max())
    right = np.bincount(cell.ravel(), pool.correct.ravel()) / np.maximum(
        1, np.bincount(cell.ravel())
    )
    return np.where(pool.answers < 0, 0.0, right[cell])
