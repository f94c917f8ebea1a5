"""majority-of-the-bests: exact shares of subsets, and the answer that wins most of them."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.backends.scripted import END, Scripted
from reasoner.run import Strategy
from reasoner.search import BestOfN, Majority, MajorityOfTheBests
from reasoner.search.common.best_of_subsets import best_shares
from reasoner.solving import solve
from reasoner.types import Problem, Sampling
from reasoner.verifiers.verdict import Verdict

ANSWERS = {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.1}
"""The texts that a model writes, and their scores; `a` is the best and the rarest."""
WRITTEN = "abbbcdddd"


@given(st.lists(st.sampled_from([0.0, 0.2, 0.5, 1.0]), max_size=7), st.integers(1, 8))
def test_shares_are_those_of_enumeration(scores: list[float], m: int) -> None:
    shares, size = [0.0] * len(scores), min(m, len(scores))
    subsets = [*combinations(range(len(scores)), size)] if scores else []
    for subset in subsets:
        top = [i for i in subset if scores[i] == max(scores[j] for j in subset)]
        for i in top:
            shares[i] += 1 / len(top) / len(subsets)
    assert best_shares(scores, m) == pytest.approx(shares)


async def chosen(strategy: Strategy) -> str | None:
    """Return the answer of a strategy on samples that write `WRITTEN`, one letter each, in order."""
    letters = iter(WRITTEN)
    backend = Scripted(
        reply=lambda prompt, rng: next(letters) + END,
        judge=lambda prompt, step: ANSWERS[step[0]],
    )
    sampling = Sampling(stop=("\n",), max_tokens=4)
    result = await solve(Problem("p", "?"), strategy, backend, Verdict("last"), sampling=sampling)
    return result.answer


@pytest.mark.parametrize(
    ("m", "answer"), [(1, "d"), (2, "b"), (3, "b"), (5, "a"), (9, "a"), (50, "a"), (None, "b")]
)
async def test_the_answer_that_is_most_often_the_best(m: int | None, answer: str) -> None:
    assert await chosen(MajorityOfTheBests(n=9, m=m)) == answer


async def test_its_ends_are_majority_and_best_of_n() -> None:
    assert await chosen(MajorityOfTheBests(n=9, m=1)) == await chosen(Majority(n=9)) == "d"
    assert await chosen(MajorityOfTheBests(n=9, m=9)) == await chosen(BestOfN(n=9)) == "a"
