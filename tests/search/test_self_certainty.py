"""Borda votes, checked by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Ledger
from reasoner.registry import strategies
from reasoner.run import Run
from reasoner.search.self_certainty import SelfCertainty, certainty
from reasoner.solving import solve
from reasoner.trace import Node
from reasoner.types import Completion, Finish, Problem, Sampling
from tests.search.common.test_running_vote import empty
from tests.search.test_adaptive_majority import stated

PROBLEM = Problem("p", "?")
MIXED = [("a", 9.0), ("b", 2.0), ("c", 8.0), ("b", 3.0), ("c", 1.0), ("b", 4.0)]
"""Ranks: a 1, c 2 and 6, b 3, 4 and 5."""
FEW = [("b", 7.0), ("c", 1.0), ("b", 6.0), ("a", 8.0)]
"""Ranks: a 1, b 2 and 3, c 4."""


@pytest.mark.parametrize(
    ("samples", "power", "winner"),
    [
        (MIXED, 0.0, "b"),  # a 1, b 3, c 2: the majority
        (MIXED, 1.0, "b"),  # a 6, b 4 + 3 + 2 = 9, c 5 + 1 = 6
        (MIXED, 2.0, "a"),  # a 36, b 16 + 9 + 4 = 29, c 25 + 1 = 26
        (MIXED, 50.0, "a"),  # the surest
        (FEW, 1.0, "b"),  # a 4, b 3 + 2 = 5, c 1
        (FEW, 1.6, "a"),  # a 9.2, b 5.8 + 3.0 = 8.8, c 1
    ],
)
def test_ranks_vote_as_counted_by_hand(
    samples: list[tuple[str, float]], power: float, winner: str
) -> None:
    run = empty()
    for answer, sure in samples:
        piece = Completion(answer, (1, 2), Finish.EOS, confidences=(sure - 1, sure + 1))
        run.trace.add(run.trace.root, piece)
    chosen = SelfCertainty(power=power).borda(run, run.trace.finished)
    assert run.answer(chosen) == winner
    best = max(x for answer, x in samples if answer == winner)
    assert certainty(run, chosen) == best, "of equal answers the surest solution is chosen"


async def test_a_sure_minority_wins_over_an_unsure_majority_where_the_power_is_large() -> None:
    """The scripted confidences are twenty times the verdict on the line."""
    turn = iter("bbabb" * 2)

    def answers() -> Scripted:
        return Scripted(
            reply=lambda *_: f"#{next(turn)}{END}", judge=lambda _, step: 0.3 + 0.6 * ("a" in step)
        )

    for power, answer in ((0.5, "b"), (20, "a")):
        strategy = SelfCertainty(n=5, power=power)
        result = await solve(PROBLEM, strategy, answers(), extract=stated)
        assert result.answer == answer


async def test_what_was_cut_off_has_no_rank() -> None:
    turn = iter(["#aaaaaaaa", f"#b{END}", "#aaaaaaaa"])
    backend = Scripted(reply=lambda *_: next(turn))
    run = Run(
        PROBLEM, backend, None, Ledger(), sampling=Sampling(max_tokens=5), extract=stated
    )  # fmt: skip
    assert run.answer(await SelfCertainty(n=3).search(run)) == "b"


class Silent(Scripted):
    """Does not tell how sure it is."""

    def _confidences(self, *_: Any) -> tuple[float, ...]:
        return ()


@pytest.mark.parametrize("name", ["self-certainty", "deepconf"])
async def test_a_backend_without_confidences_is_one_clear_error(name: str) -> None:
    result = await solve(PROBLEM, strategies.make(name, n=4), Silent())
    assert re.search(r"top log-probabilities.*'majority'", result.error or "")
    assert result.usage.completion_tokens > 0


def test_no_confidence_is_no_certainty() -> None:
    run = empty()
    node: Node = run.trace.add(run.trace.root, Completion("a", (1,), Finish.EOS))
    assert certainty(run, node) == 0.0
