"""Whether scores can be read as probabilities: the reliability diagram and its mean gap."""

from __future__ import annotations

import numpy as np

from reasoner.benchmarks.analysis.step_metrics import Bools, Steps
from reasoner.benchmarks.stats import Floats, Indices
from reasoner.benchmarks.stats.intervals import Estimate, ratio
from reasoner.schema import Frozen

BINS = 15


class Bin(Frozen):
    """Candidates of like score: how many, their mean score, and the share of right ones."""

    size: int
    score: float
    right: Estimate


class Reliability(Frozen):
    """The reliability diagram of `size` candidates, and the expected calibration error.

    `ece` is the mean distance, over candidates, between score and share of right ones in their bin
    (Guo et al., 2017, arXiv 1706.04599, equation 3). It has no interval: resampling adds to it.
    """

    size: int
    right: float
    ece: float
    bins: tuple[Bin, ...]


def reliability(judged: Steps) -> Reliability | None:
    """How scores compare with shares of right candidates; None where there are none."""
    scores, right = judged.score, judged.right
    if not len(scores):
        return None
    place = binned(scores)
    bins = tuple(_bin(judged, place == i) for i in range(int(place.max()) + 1))
    ece = sum(b.size * abs(b.score - b.right.value) for b in bins) / len(scores)
    return Reliability(size=len(scores), right=float(right.mean()), ece=ece, bins=bins)


def binned(scores: Floats, bins: int = BINS) -> Indices:
    """The bin of each score: bins of even size, and one of its own for a score that would fill two.

    Equal scores share a bin, and what would be less than half a bin joins the one below. Bins of even
    width, the older habit, put nearly all candidates of a sharp verifier into two.
    """
    shares = np.arange(1, bins) / bins
    edges, times = np.unique(np.quantile(scores, shares, method="inverted_cdf"), return_counts=True)
    crowded = edges[times > 1]
    place = np.searchsorted(edges, scores, "left") + np.searchsorted(crowded, scores, "right")
    large = np.bincount(place) >= len(scores) / bins / 2
    return np.asarray(np.maximum(np.cumsum(large) - 1, 0)[place], np.intp)


def _bin(judged: Steps, here: Bools) -> Bin:
    problem, size = judged.problem[here], judged.problems
    sizes = np.bincount(problem, minlength=size).astype(float)
    rights = np.bincount(problem, judged.right[here], size).astype(float)
    share = ratio(rights, sizes)
    assert share is not None, "no bin is empty"
    return Bin(size=int(here.sum()), score=float(judged.score[here].mean()), right=share)
