"""A verifier that is shown the thinking, or the answer after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from reasoner.errors import ConfigError
from reasoner.registry import verifiers
from reasoner.testing import verifier_conformance
from reasoner.traits import verifier_traits
from reasoner.types import Candidate, Completion, Finish, Judgement, Problem, Score, Usage
from reasoner.verifiers.part import PartOf, part_of

PROBLEM = Problem("p", "1+2")


@dataclass
class Reads:
    """Remembers the texts it is shown, and scores them by their length."""

    def __post_init__(self) -> None:
        self.shown = list[list[str]]()
        self.complete = list[bool]()

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        return Usage(requests=len(candidates))

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        self.shown = [[piece.text for piece in c.completions] for c in candidates]
        self.complete = [c.complete for c in candidates]
        return Judgement(tuple(Score(len(c.text) / 100) for c in candidates), Usage(1))


def candidate(*pieces: str, complete: bool = True) -> Candidate:
    completions = tuple(Completion(p, tuple(range(len(p))), Finish.STOP) for p in pieces)
    return Candidate(completions, complete)


STEPS = candidate("<think>\na\n", "b\n</think>\n\nso ", "#3")
OPEN = candidate("<think>\na\n", complete=False)
PLAIN = candidate("1+2=3\n", "#3")


async def test_the_answer_is_scored_without_the_thinking() -> None:
    reads = Reads()
    judgement = await PartOf(reads).score(PROBLEM, [STEPS, OPEN, PLAIN])
    assert reads.shown == [["\n\nso ", "#3"], ["1+2=3\n", "#3"]]
    assert [s.value for s in judgement.scores] == [0.07, 0.0, 0.08]
    assert judgement.usage == Usage(1)
    assert PartOf(reads).estimate(PROBLEM, [STEPS, OPEN, PLAIN]) == Usage(2)


async def test_the_thinking_is_scored_without_the_answer() -> None:
    reads = Reads()
    judgement = await PartOf(reads, of="thinking").score(PROBLEM, [STEPS, OPEN, PLAIN])
    assert reads.shown == [["<think>\na\n", "b\n</think>"], ["<think>\na\n"]]
    assert reads.complete == [True, False]
    assert judgement.scores[2].value == 0.0


async def test_nothing_is_asked_where_no_candidate_has_the_part() -> None:
    reads = Reads()
    judgement = await PartOf(reads).score(PROBLEM, [OPEN, OPEN])
    assert (reads.shown, judgement.usage) == ([], Usage())
    assert [s.value for s in judgement.scores] == [0.0, 0.0]


def test_a_cut_piece_has_stand_ins_for_its_share_of_the_tokens() -> None:
    view = part_of(STEPS, "answer")
    assert view and view.completions[1] == STEPS.completions[2]
    assert view.completions[0].token_ids == (-1,) * 5


def test_an_answer_guides_no_search_over_steps() -> None:
    assert verifier_traits(PartOf("critic", of="thinking")).scores_steps
    assert not verifier_traits(PartOf("critic")).scores_steps


@pytest.mark.parametrize("name", ["verdict", "confidence", "tail-confidence", "self-certainty"])
def test_a_verifier_that_reads_sampled_tokens_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is a text; use a verifier that reads texts"):
        verifiers.make(f"part(verifier={name!r})")


TestConformance = verifier_conformance(lambda: PartOf("judge"), lambda: PartOf("agreement"))
