"""Measurement of a policy on dev problems: does it solve more of them, or only more often the same?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from reasoner.benchmarks.stats.coverage import pass_at_ks
from reasoner.benchmarks.stats.pool import Pool
from reasoner.benchmarks.stats.votes import majority_at_ks
from reasoner.train.policy.rollouts import ProblemRollouts


def measures(problems: Sequence[ProblemRollouts], samples: int) -> dict[str, Any]:
    """Return pass@1, pass@k, majority@k and the distinct answers of a problem, means over problems.

    k is `samples`. The unbiased estimates of `reasoner.benchmarks.stats` are used; pass@1 has its standard
    error over problems. Reinforcement can trade coverage (pass@k, distinct answers) for pass@1.
    """
    pool = Pool.of([problem.solutions for problem in problems])
    passed = pass_at_ks(pool, [1, samples])
    single = passed[:, 0]
    error = float(single.std(ddof=1)) / len(single) ** 0.5 if len(single) > 1 else None
    solutions = [s for p in problems for s in p.solutions]
    return {
        "problems": len(problems),
        "samples": samples,
        "pass@1": float(single.mean()),
        "pass@1_standard_error": error,
        f"pass@{samples}": float(passed[:, 1].mean()),
        f"majority@{samples}": float(majority_at_ks(pool, [samples]).mean()),
        "distinct_answers": fmean(distinct_answers(p) for p in problems),
        "tokens_per_solution": fmean(len(s.ids) for s in solutions),
        "unfinished": fmean(not s.finished for s in solutions),
    }


def distinct_answers(problem: ProblemRollouts) -> int:
    """Return the number of different answers among a problem's solutions."""
    return len({s.answer for s in problem.solutions if s.answer is not None})
