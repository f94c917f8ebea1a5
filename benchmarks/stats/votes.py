"""Votes: whether the answer that most of `k` samples give, or the heaviest one, is right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats, Indices
from reasoner.benchmarks.stats.pool import Pool, every
from reasoner.errors import ConfigError

DRAWS = 200
SUBSETS = 8
"""The least number of subsets that stand for each `k` of a problem."""
LANES = 2**11
CELLS = 2**21


def votes_at(
    answers: Sequence[str | None],
    correct: Sequence[bool],
    weights: Sequence[float] | None,
    ks: Sequence[int],
    seed: int = 0,
    draws: int = DRAWS,
) -> list[float]:
    """The chance that a (weighted) vote among `k` samples is right, for each of `ks`.

    Subsets are drawn without replacement and shared by every `k`; a tied vote counts by the share
    of right answers in the tie, and samples without an answer do not vote.
    """
    chosen = _chosen(answers)
    right = (chosen.T @ np.asarray(correct, float)) / np.maximum(chosen.sum(0), 1)
    ballots = (
        chosen * np.asarray(weights if weights is not None else np.ones(len(answers)))[:, None]
    )
    order = _permutations(len(answers), draws, seed)
    return [_vote(chosen, ballots, right, _subsets(order, k)) for k in ks]


def majority_at_ks(pool: Pool, ks: Sequence[int], seed: int = 0, subsets: int = SUBSETS) -> Floats:
    """majority@k of every problem for each of `ks`, of shape (problems, ks), unbiased.

    Tied answers share the vote, and samples without an answer do not vote. The mean over all subsets of
    `k` samples has no short form, and is estimated by systematic sampling: a problem's samples are
    put on a ring in random order, and the subsets are its runs of `k` neighbours, from every start if
    `k` is small and otherwise from `subsets` or more evenly spaced ones. Every run is a uniform draw
    without replacement, and runs that do not overlap, or miss none in common, err in opposite ways. One
    and all samples are exact. What randomness remains is each problem's own, so that intervals over
    problems contain it.
    """
    return every(pool, ks, lambda p, sizes: _voted(p, np.ones_like(p.scores), sizes, seed, subsets))


def weighted_at_ks(pool: Pool, ks: Sequence[int], seed: int = 0, subsets: int = SUBSETS) -> Floats:
    """As `majority_at_ks`, of the answer with the highest sum of scores; what was not scored weighs 0.

    Scores count to nine decimals of a problem's largest, so that equal sums are equal.

    Raises:
        ConfigError: a score is negative, which a vote cannot be.
    """
    if np.any(pool.scores[pool.valid] < 0):
        raise ConfigError("a weighted vote needs scores of 0 or more; map them to chances first")
    return every(pool, ks, lambda p, sizes: _voted(p, _whole(p.scores), sizes, seed, subsets))


def _whole(scores: Floats) -> Floats:
    """Scores as whole numbers, of which sums are exact."""
    weights = np.nan_to_num(scores)
    largest = weights.max(1, keepdims=True)
    magnitude = np.ceil(np.log10(largest, out=np.zeros_like(largest), where=largest > 0))
    return np.asarray(np.rint(weights * 10.0 ** (9 - magnitude)), float)


@dataclass(frozen=True, slots=True)
class Ring:
    """Ballots in an order without an end, each array of shape (samples, problems).

    `right` is the share of right samples among those with the ballot's answer. A missing answer weighs
    minus infinity, and so never leads.
    """

    answers: Indices
    weights: Floats
    right: Floats

    @classmethod
    def of(cls, pool: Pool, weights: Floats) -> Ring:
        """The samples in the order that they were drawn in."""
        none = pool.answers < 0
        answers = np.where(none, pool.answers.max() + 1, pool.answers)
        return cls(answers.T, np.where(none, -np.inf, weights).T, _right(pool, answers).T)

    def at(self, rows: Indices) -> tuple[Indices, Floats, Floats]:
        """The ballots at some places of the ring."""
        return self.answers[rows], self.weights[rows], self.right[rows]

    def take(self, order: Indices) -> Ring:
        """The same in another order, of shape (samples, problems)."""
        return Ring(
            answers=np.take_along_axis(self.answers, order, 0),
            weights=np.take_along_axis(self.weights, order, 0),
            right=np.take_along_axis(self.right, order, 0),
        )

    def split(self, starts: int) -> Iterator[tuple[slice, Ring]]:
        """Some problems at a time, few enough for the cache."""
        width = max(1, min(LANES, CELLS // (1 + int(self.answers.max()))) // starts)
        for first in range(0, self.answers.shape[1], width):
            part = slice(first, first + width)
            yield part, Ring(self.answers[:, part], self.weights[:, part], self.right[:, part])


def _voted(pool: Pool, weights: Floats, ks: Sequence[int], seed: int, subsets: int) -> Floats:
    """The mean over subsets, of shape (problems, ks)."""
    problems, n = pool.correct.shape
    rng, ring = np.random.default_rng(seed), Ring.of(pool, weights)
    rounds = -(-8 * subsets // n)  # small pools are cheap
    found = np.zeros((max(ks), problems))
    for _ in range(rounds):
        order = rng.permuted(np.tile(np.arange(n), (problems, 1)), axis=1).T
        found += _lengths(ring.take(order), max(ks), subsets) / rounds
    return np.asarray(found[np.asarray(ks) - 1].T, float)


def _lengths(ring: Ring, longest: int, subsets: int) -> Floats:
    """How often runs of each length from 1 are right: (longest, problems).

    The runs always cover the ring: the longer, the fewer of them, down to `subsets`.
    """
    n, problems = ring.answers.shape
    found, done, starts = np.empty((longest, problems)), 0, n
    while done < longest:
        fewer = max(starts // 4, min(n, subsets))
        until = longest if fewer == starts else min(longest, -(-n // fewer))
        spaced = np.arange(starts) * n // starts
        for part, few in ring.split(starts):
            found[done:until, part] = _runs(few, spaced, until)[done:]
        done, starts = until, fewer
    return found


def _runs(ring: Ring, starts: Indices, longest: int) -> Floats:
    """Runs from `starts` that grow by a sample a step, and the leaders of each as they change.

    A total only grows, so that the sample just added alone can change who leads.
    """
    n, problems = ring.answers.shape
    lanes = len(starts) * problems
    totals = np.full((1 + int(ring.answers.max())) * lanes, -1.0)
    lane, best = np.arange(lanes), np.full(lanes, -1.0)
    tied, won = np.ones(lanes), np.zeros(lanes)
    found = np.empty((longest, problems))
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
        found[k] = (won / tied).reshape(-1, problems).sum(0)
    return found / len(starts)


def _right(pool: Pool, answers: Indices) -> Floats:
    """For each sample, the share of right ones among those with its answer; 0 without an answer."""
    cell = answers + np.arange(pool.problems)[:, None] * (1 + answers.max())
    right = np.bincount(cell.ravel(), pool.correct.ravel()) / np.maximum(
        1, np.bincount(cell.ravel())
    )
    return np.where(pool.answers < 0, 0.0, right[cell])


def _chosen(answers: Sequence[str | None]) -> Floats:
    """One row per sample, one column per distinct answer."""
    names = sorted({a for a in answers if a is not None})
    rows = [[a == name for name in names] for a in answers]
    return np.array(rows, float).reshape(len(answers), len(names))


def _permutations(n: int, draws: int, seed: int) -> Indices:
    rows = np.tile(np.arange(n), (draws, 1))
    return np.random.default_rng(seed).permuted(rows, axis=1)


def _subsets(order: Indices, k: int) -> Indices:
    """Subsets of size `k`, one per row: all of them where that is cheap."""
    n = order.shape[1]
    if k == 1:
        return np.arange(n)[:, None]
    return np.arange(n)[None, :] if k == n else order[:, :k]


def _vote(chosen: Floats, ballots: Floats, right: Floats, subsets: Indices) -> float:
    if not right.size:
        return 0.0
    totals = ballots[subsets].sum(1)
    # An answer of weight zero is still an answer; one that nobody gave is not.
    named = chosen[subsets].any(1)
    tied = named & np.isclose(totals, totals.max(1, keepdims=True))
    share = (tied * right).sum(1) / np.maximum(tied.sum(1), 1)
    return float(share.mean())
