"""Speculative rejection: the samples that are rejected, when, and those that never are."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.events import Result
from reasoner.search.speculative_rejection import SpeculativeRejection
from reasoner.solving import solve
from reasoner.trace import Node
from reasoner.types import Candidate, Judgement, Problem, Prompt, Sampling
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "?")
SAMPLING = Sampling(stop=("\n",), max_tokens=20)


def letters(prompt: Prompt, rng: random.Random) -> str:
    """Three lines of a digit each; a line that is cut off is ended first."""
    *whole, cut = prompt.text.split("\n")
    rest = "".join(f"{rng.randrange(10)}\n" for _ in range(3 - len(whole) - bool(cut)))
    return "\n" * bool(cut) + rest + END


def value(_: Prompt, step: str) -> float:
    return int(step.rsplit(maxsplit=1)[-1]) / 10 if step.split() else 0.5


async def search(
    strategy: SpeculativeRejection, budget: Budget = Budget(), verifier: Verdict | None = None
) -> Result:
    backend = Scripted(reply=letters, judge=lambda p, s: value(p, p.text + s))
    verifier = verifier or Verdict("last")
    result = await solve(PROBLEM, strategy, backend, verifier, budget=budget, sampling=SAMPLING)
    assert result.error is None
    return result


def by_depth(result: Result) -> list[list[Node]]:
    nodes = [n for n in result.trace if n.completion]
    return [[n for n in nodes if n.depth == d] for d in range(1, max(n.depth for n in nodes) + 1)]


@pytest.mark.parametrize(
    ("n", "alpha", "expected"),
    [
        (8, 0.5, [8, 4, 2, 1]),
        (7, 0.5, [7, 4, 2, 1]),
        (10, 0.9, [10, 1, 1, 1]),
        (10, 0.25, [10, 8, 6, 5]),
        (6, 0.0, [6, 6, 6, 6]),
    ],
)
async def test_a_share_is_rejected_after_every_piece(
    n: int, alpha: float, expected: list[int]
) -> None:
    """A piece is a line here; the fourth is the end."""
    result = await search(SpeculativeRejection(n=n, alpha=alpha, tokens=2))
    assert list(map(len, by_depth(result))) == expected


async def test_the_lowest_are_rejected() -> None:
    result = await search(SpeculativeRejection(n=16, tokens=2))
    for depth in by_depth(result)[:-1]:
        kept = [n.score or 0.0 for n in depth if result.trace.children(n)]
        rejected = [n.score or 0.0 for n in depth if not result.trace.children(n)]
        assert min(kept) >= max(rejected)
    assert len(result.candidates) == 2
    assert result.candidate is not None
    best = max(s.score or 0.0 for s in result.candidates)
    assert result.candidate in [s.candidate for s in result.candidates if s.score == best]


class Tally(Verdict):
    """Remembers what it was shown."""

    shown: list[str] = []  # noqa: RUF012

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        self.shown.extend(c.text for c in candidates)
        return await super().score(problem, candidates)


async def test_before_the_end_of_its_first_step_nothing_is_judged_or_rejected() -> None:
    tally = Tally("last")
    tally.shown.clear()
    result = await search(SpeculativeRejection(n=8, tokens=1), verifier=tally)
    assert list(map(len, by_depth(result)))[:3] == [8, 8, 4]
    assert all("\n" in text for text in tally.shown)


async def test_what_the_model_ended_is_kept_aside() -> None:
    """Two of eight end at once with the lowest score; of the other six three go on, to worse."""
    turn = iter([f"1\n{END}", "9\n8\n"] * 2 + ["9\n7\n"] * 4)

    def reply(prompt: Prompt, _: random.Random) -> str:
        return f"0\n{END}" if prompt.text else next(turn)

    backend = Scripted(reply=reply, judge=lambda p, s: value(p, p.text + s))
    strategy = SpeculativeRejection(n=8, tokens=4)
    result = await solve(PROBLEM, strategy, backend, Verdict("last"), sampling=SAMPLING)
    first, second = by_depth(result)
    ended = [n for n in first if n.finished]
    assert len(ended) == 2 and len(second) == 3
    assert all(result.trace.path(n)[1].score in (0.7, 0.8) for n in second)
    assert len(result.candidates) == 5 and result.text == "1\n"


async def test_a_budget_too_small_for_the_width_is_spent_in_narrower_rounds() -> None:
    result = await search(SpeculativeRejection(n=64, tokens=2), Budget(tokens=100))
    starts = Counter(n.depth for n in result.trace)[1]
    assert 8 < starts < 64
    assert result.usage.completion_tokens >= 90
    assert result.candidate is not None and result.candidate.complete
