"""Value heads that rank the solutions of one problem, where outcomes alone teach which problems are easy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.needs import need

need("torch")

from reasoner.train.reward.labelled_solutions import LabelledSolution
from reasoner.train.reward.value_head import SolutionStates, logistic
from reasoner.train.reward.within_problems import WithinProblems, anchored, centred

STEPS = 3


def solved(problems: int) -> list[SolutionStates]:
    """Return eight solutions of each problem; outcomes follow the problem's ease, and hardly a solution's own sign.

    The first of the state's numbers is the ease, the second the sign, which always tells within a problem; the third
    is 1 everywhere.
    """
    rng = np.random.default_rng(0)
    result = []
    for i in range(problems):
        ease = rng.normal(0, 6)
        signs = rng.normal(0, 1, 8)
        # As many solutions are right as the problem is easy: those with the largest signs.
        count = int(np.clip(round(4 + ease), 0, 8))
        right = set(np.argsort(-signs)[:count].tolist())
        for j, sign in enumerate(signs):
            noise = rng.normal(0, 0.05, 3)
            states = np.array([np.array([ease, sign, 1.0]) + noise] * STEPS, np.float32)
            row = LabelledSolution(
                id=str(i), task="t", prompt=f"p{i}", completions=("a", "b", "c"), separator="\n",
                labels=(j in right,) * STEPS, values=(None, None, float(j in right)), correct=j in right,
                method="outcome", k=1, tokens=3,
            )  # fmt: skip
            result.append(SolutionStates(row, states))
    return result


def test_centred_states_teach_what_differs_within_a_problem() -> None:
    training, test = solved(60), solved(90)[60 * 8 :]
    plain = WithinProblems.of(logistic(training, 1e-2, False), test)
    within = WithinProblems.of(logistic(centred(training), 1e-2, False), test)
    assert plain.problems == within.problems > 5
    assert plain.auc is not None and within.auc is not None
    assert within.auc == pytest.approx(1, abs=0.03)


def test_centred_states_have_no_mean() -> None:
    [*solutions] = centred(solved(2))
    last = np.array([s.states[-1] for s in solutions if s.row.prompt == "p1"])
    assert last.mean(0) == pytest.approx(0, abs=1e-5)


def test_an_anchored_head_has_the_odds_of_the_labels_and_the_same_ranking() -> None:
    solutions = solved(60)
    head = logistic(centred(solutions), 1e-2, False)
    moved = anchored(head, solutions)
    states = np.concatenate([s.states for s in solutions])
    right = float(np.mean([t for s in solutions for t in s.targets]))
    assert moved.logits(states).mean() == pytest.approx(np.log(right / (1 - right)), abs=0.05)
    before, after = (WithinProblems.of(h, solutions).auc for h in (head, moved))
    assert before is not None
    assert after == pytest.approx(before, abs=0.05)


def test_problems_with_one_kind_of_outcome_do_not_count() -> None:
    solutions = solved(40)
    head = logistic(centred(solutions), 1e-2, False)
    assert WithinProblems.of(head, solutions[:1]) == WithinProblems(0, None)
