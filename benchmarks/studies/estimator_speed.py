"""Measure the CPU time and memory of estimating every k from a large pool, with intervals.

    OMP_NUM_THREADS=1 python -m reasoner.benchmarks.studies.estimator_speed [--problems 10000] [--json]

The pool is random: each problem is solved with a probability from Beta(1/2, 4/5), and some wrong
answers are frequent. The target is 10 seconds and 1 GB on one core at 10,000 problems of 256 samples.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from reasoner.benchmarks.stats import (
    Pool,
    best_of_at_ks,
    majority_at_ks,
    pass_at_ks,
    weighted_at_ks,
)
from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.stats.bootstrap import estimates

ESTIMATORS: dict[str, Callable[[Pool, Sequence[int]], Floats]] = {
    "pass@k": pass_at_ks,
    "best-of-N@k": best_of_at_ks,
    "majority@k": majority_at_ks,
    "weighted@k": weighted_at_ks,
}


def random_pool(problems: int, samples: int, seed: int = 0) -> Pool:
    """Return a random pool with about 40 different answers per problem."""
    rng, shape = np.random.default_rng(seed), (problems, samples)
    correct = rng.random(shape) < rng.beta(0.5, 0.8, (problems, 1))
    answers = np.where(correct, 0, np.minimum(rng.zipf(1.5, shape), 40))
    scores = 1 / (1 + np.exp(-rng.normal(correct, 1.0)))
    return Pool(correct, scores, answers, np.full(problems, samples))


def measure(pool: Pool) -> dict[str, float]:
    """Measure the CPU seconds of each estimator at every k with intervals, and the peak memory in GB."""
    ks = range(1, pool.correct.shape[1] + 1)
    seconds = dict[str, float]()
    for name, estimator in ESTIMATORS.items():
        started = time.process_time()
        estimates(estimator(pool, ks))
        seconds[name] = time.process_time() - started
    return {**seconds, "total": sum(seconds.values()), "GB": peak_memory()}


def peak_memory() -> float:
    """Return the peak memory of this process, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main() -> None:
    """Measure, and print lines or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    measured = measure(random_pool(args.problems, args.samples))
    lines = [
        f"{name:12}{value:8.2f}{'' if name == 'GB' else ' s'}" for name, value in measured.items()
    ]
    print(json.dumps(measured) if args.json else "\n".join(lines))


if __name__ == "__main__":
    main()
