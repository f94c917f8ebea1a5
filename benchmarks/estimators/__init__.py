"""Estimators and statistics, one family a module: every number of samples from one pool.

Nothing here needs more than arrays; docs/statistics.md tells what to use when.
"""

from reasoner.benchmarks.arrays import Floats, Indices
from reasoner.benchmarks.estimators.coverage import pass_at_k, pass_at_ks
from reasoner.benchmarks.estimators.pool import Pool
from reasoner.benchmarks.estimators.ranking import best_of_at_k, best_of_at_ks, best_score_at_k
from reasoner.benchmarks.estimators.votes import DRAWS, majority_at_ks, votes_at, weighted_at_ks

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
