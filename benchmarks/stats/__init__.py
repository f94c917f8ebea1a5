"""Estimators and statistics, one family per module, each for many numbers of samples from one pool.

They need only arrays; docs/statistics.md says which one to use when.
"""

from reasoner.benchmarks.stats.arrays import Floats, Indices
from reasoner.benchmarks.stats.best_of_n import best_of_at_ks, best_score_at_k
from reasoner.benchmarks.stats.bests import majority_of_bests_at_ks
from reasoner.benchmarks.stats.coverage import pass_at_ks
from reasoner.benchmarks.stats.pool import Pool
from reasoner.benchmarks.stats.votes import majority_at_ks, weighted_at_ks

__all__ = [
    "Floats",
    "Indices",
    "Pool",
    "best_of_at_ks",
    "best_score_at_k",
    "majority_at_ks",
    "majority_of_bests_at_ks",
    "pass_at_ks",
    "weighted_at_ks",
]
