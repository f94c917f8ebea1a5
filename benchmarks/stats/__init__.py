"""Estimators and statistics, one family a module: every number of samples from one pool.

Nothing here needs more than arrays; docs/statistics.md tells what to use when.
"""

from reasoner.benchmarks.stats.arrays import Floats, Indices
from reasoner.benchmarks.stats.best_of_n import best_of_at_k, best_of_at_ks, best_score_at_k
from reasoner.benchmarks.stats.coverage import pass_at_k, pass_at_ks
from reasoner.benchmarks.stats.pool import Pool
from reasoner.benchmarks.stats.votes import DRAWS, majority_at_ks, votes_at, weighted_at_ks

__all__ = [
    "DRAWS",
    "Floats",
    "Indices",
    "Pool",
    "best_of_at_k",
    "best_of_at_ks",
    "best_score_at_k",
    "majority_at_ks",
    "pass_at_k",
    "pass_at_ks",
    "votes_at",
    "weighted_at_ks",
]
