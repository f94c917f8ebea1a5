"""Value heads that tell the solutions of one problem apart, rather than easy problems from hard ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from reasoner.models.value_head import Head, Numbers

if TYPE_CHECKING:
    from reasoner.train.reward.value_head import SolutionStates

RIDGE = 1e-3
"""The penalty on the direction on which states agree, relative to their number."""


def centred(solutions: Sequence[SolutionStates]) -> list[SolutionStates]:
    """Return solutions with states relative to the mean of their problem, last steps and others apart.

    What a problem's solutions have in common, such as how hard it is, is gone from them.
    """
    groups = defaultdict[tuple[str, bool], list[Numbers]](list)
    for solution in solutions:
        for key, part in _parts(solution):
            groups[key].append(part)
    means = {key: np.concatenate(parts).mean(0) for key, parts in groups.items() if _any(parts)}
    return [
        replace(
            solution,
            states=np.concatenate([part - means[k] for k, part in _parts(solution) if len(part)]),
        )
        for solution in solutions
    ]


def anchored(head: Head, solutions: Sequence[SolutionStates]) -> Head:
    """Return the head with the mean log-odds of the labels, by a direction on which all states agree.

    A head that learned from centred states ranks well at any level, but far from even odds, probabilities are
    rounded to the same number.
    """
    states = np.concatenate([solution.states for solution in solutions]).astype(np.float64)
    right = float(np.mean([t for solution in solutions for t in solution.targets]))
    ridge = Ridge(alpha=RIDGE * len(states), fit_intercept=False)
    common = ridge.fit(states, np.ones(len(states))).coef_
    level = float(np.log(right / (1 - right)) - np.mean(states @ head.weight))
    return Head((head.weight + level * common).astype(np.float32), head.bias)


@dataclass(frozen=True, slots=True)
class WithinProblems:
    """The mean over problems with right and wrong solutions of the AUC of their last steps."""

    problems: int
    auc: float | None

    @classmethod
    def of(cls, head: Head, solutions: Sequence[SolutionStates]) -> WithinProblems:
        """Measure a head on solutions."""
        problems = defaultdict[str, list[tuple[bool, float]]](list)
        for solution in solutions:
            [score] = head.logits(solution.states[-1:])
            problems[solution.row.prompt].append((solution.targets[-1] > 1 / 2, float(score)))
        pairs = [tuple(zip(*scored, strict=True)) for scored in problems.values()]
        values = [
            float(roc_auc_score(right, scores)) for right, scores in pairs if len({*right}) > 1
        ]
        return cls(len(values), fmean(values) if values else None)


def _parts(solution: SolutionStates) -> list[tuple[tuple[str, bool], Numbers]]:
    prompt, states = solution.row.prompt, solution.states
    return [((prompt, False), states[:-1]), ((prompt, True), states[-1:])]


def _any(parts: Sequence[Numbers]) -> bool:
    return any(len(part) for part in parts)
