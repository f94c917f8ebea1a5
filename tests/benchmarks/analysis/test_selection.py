"""Best-of-N beside the majority: the gap it closes, and who is right where they differ."""

from __future__ import annotations

import pytest

from reasoner.benchmarks.analysis.selection import majority_agreement, selections
from reasoner.benchmarks.store.records import Record, Sample
from tests.benchmarks.synthetic import blind, knows, pool


def record(*samples: tuple[str | None, bool, float | None]) -> Record:
    """A pool of (answer, right, score)."""
    made = tuple(Sample(answer=a, correct=r, score=s, tokens=1) for a, r, s in samples)
    return Record(problem="p", index=0, correct=False, samples=made)


def test_the_oracle_closes_the_gap_and_a_blind_verifier_opens_it() -> None:
    *_, oracle = selections(pool(60, 16, knows, 0.15), (4, 16))
    assert oracle.gap_closed is not None and oracle.gap_closed.value == pytest.approx(1)
    assert oracle.best_of_n == oracle.coverage and oracle.gain.low > 0
    *_, guess = selections(pool(60, 16, blind, 0.3), (4, 16))
    assert guess.gap_closed is not None and guess.gap_closed.high < 0
    assert guess.gain.value == pytest.approx(guess.best_of_n.value - guess.majority.value)


def test_where_the_majority_finds_all_there_is_no_gap() -> None:
    [only] = selections([record(("1", True, 0.2), ("1", True, 0.9))], (2,))
    assert only.gap_closed is None and only.majority.value == 1


def test_agreement_shares_ties_and_tells_who_is_right_where_they_differ() -> None:
    found = majority_agreement(
        [
            record(("1", True, 0.9), ("2", False, 0.5), ("2", False, 0.1)),  # best right
            record(("1", True, 0.3), ("1", True, 0.2), ("2", False, 0.8)),  # majority right
            record(("1", True, 0.8), ("2", False, 0.8), ("2", False, 0.1)),  # half alike
            record((None, False, 0.8), (None, False, 0.1)),  # neither answers
            record(("3", False, None), ("1", True, 0.1)),  # never finished, never chosen
            Record(problem="failed", index=6, correct=False, error="refused"),
        ]
    )
    assert found is not None and found.best_right and found.majority_right
    assert found.alike.value == pytest.approx((0 + 0 + 0.5 + 1 + 0.5) / 5)
    assert found.best_right.value == pytest.approx((1 + 0 + 0.5 + 0.5) / 3)
    assert found.majority_right.value == pytest.approx((0 + 1 + 0 + 0) / 3)


def test_who_always_agrees_differs_nowhere() -> None:
    found = majority_agreement([record(("1", True, 0.9))])
    assert found is not None and (found.alike.value, found.best_right) == (1, None)
    assert (
        majority_agreement([Record(problem="x", index=0, correct=False, error="refused")]) is None
    )
