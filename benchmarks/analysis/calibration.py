"""Calibration of a verifier's scores: the reliability diagram and the expected calibration error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reasoner.benchmarks.analysis.step_metrics import JudgedSteps
from reasoner.benchmarks.stats.arrays import Bools, Floats, Indices
from reasoner.benchmarks.stats.intervals import Estimate, ratio
from reasoner.errors import ConfigError
from reasoner.schema import Frozen

BINS = 15


class Bin(Frozen):
    """A bin of candidates with similar scores: their number, mean score and share of right ones."""

    size: int
    score: float
    right: Estimate


class Reliability(Frozen):
    """The reliability diagram of `size` candidates and their expected calibration error.

    `ece` is `calibration_error`. It has no interval, because resampling adds to it.
    """

    size: int
    right: float
    ece: float
    bins: tuple[Bin, ...]


def reliability(steps: JudgedSteps) -> Reliability | None:
    """Compare scores with the share of right candidates, bin by bin; None without candidates."""
    scores, right = steps.score, steps.right
    if not len(scores):
        return None
    place = equal_mass_bins(scores)
    return Reliability(
        size=len(scores),
        right=float(right.mean()),
        ece=calibration_error(scores, right),
        bins=tuple(_bin(steps, place == i) for i in range(int(place.max()) + 1)),
    )


def calibration_error(scores: Sequence[float] | Floats, right: Sequence[bool] | Bools) -> float:
    """Return the expected calibration error of probabilities `scores`, each of shape (candidates,).

    The mean distance, over candidates, between the mean score and the share of right ones in their bin
    (Naeini et al., 2015; Guo et al., 2017, arXiv 1706.04599, equation 3), with `equal_mass_bins`.

    Raises:
        ConfigError: there are no scores, or not one label for each.
    """
    if not len(scores) or len(scores) != len(right):
        raise ConfigError(
            f"{len(scores)} scores and {len(right)} labels: a calibration error needs one label for"
            " each score, and at least one"
        )
    values, labels = np.asarray(scores, float), np.asarray(right, bool)
    place = equal_mass_bins(values)
    bins = [place == i for i in range(int(place.max()) + 1)]
    gaps = (int(b.sum()) * abs(float(values[b].mean()) - float(labels[b].mean())) for b in bins)
    return sum(gaps) / len(values)


def equal_mass_bins(scores: Floats, bins: int = BINS) -> Indices:
    """Return the bin of each score: bins of equal size, and one alone for a score that would fill two.

    Equal scores share a bin, and a bin of less than half the usual size joins the one below. Bins of
    equal width, the older habit, put nearly all candidates of a sharp verifier into two.
    """
    shares = np.arange(1, bins) / bins
    edges, times = np.unique(np.quantile(scores, shares, method="inverted_cdf"), return_counts=True)
    crowded = edges[times > 1]
    place = np.searchsorted(edges, scores, "left") + np.searchsorted(crowded, scores, "right")
    large = np.bincount(place) >= len(scores) / bins / 2
    return np.asarray(np.maximum(np.cumsum(large) - 1, 0)[place], np.intp)


def _bin(steps: JudgedSteps, members: Bools) -> Bin:
    problem, problems = steps.problem[members], steps.problems
    sizes = np.bincount(problem, minlength=problems).astype(float)
    rights = np.bincount(problem, steps.right[members], problems).astype(float)
    share = ratio(rights, sizes)
    assert share is not None, "no bin is empty"
    score = float(steps.score[members].mean())
    return Bin(size=int(members.sum()), score=score, right=share)
