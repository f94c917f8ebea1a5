"""A solution that was cut off has no answer, whatever it says: one rule for every strategy."""

from __future__ import annotations

from random import Random

import pytest

from reasoner.backends.scripted import END, Scripted
from reasoner.base import Verifier
from reasoner.events import Result
from reasoner.registry import strategies
from reasoner.solving import solve
from reasoner.types import Candidate, Judgement, Problem, Prompt, Sampling, Score, Usage

LIMIT = 40
STRATEGIES = (
    "majority", "weighted", "best-of-n", "esc(window=9)", "adaptive-majority(threshold=0.999)",
    "adaptive-best-of-n", "ensemble(members=('majority', 'best-of-n'))",
    "ensemble(members=('best-of-n',), choose='vote')",
)  # fmt: skip


def rambling(prompt: Prompt, rng: Random) -> str:
    """Seven in ten say 99 and go on until they are cut off; the others say 7 and end."""
    return "#99\n" + "so\n" * LIMIT if rng.random() < 0.7 else f"#7{END}"


def endless(prompt: Prompt, rng: Random) -> str:
    """All say 99 and go on until they are cut off."""
    return "#99\n" + "so\n" * LIMIT


def stated(text: str) -> str | None:
    """What stands after the first `#`."""
    return text.partition("#")[2].partition("\n")[0] or None


class Taken:
    """A verifier that is taken in by what was cut off."""

    def estimate(self, problem: Problem, candidates: list[Candidate]) -> Usage:
        """Nothing."""
        return Usage()

    async def score(self, problem: Problem, candidates: list[Candidate]) -> Judgement:
        """Nine in ten for what was cut off, one in ten for what has an end."""
        return Judgement(tuple(Score(0.1 if c.complete else 0.9) for c in candidates))


async def search(named: str, reply: object) -> Result:
    verifier: Verifier = Taken()  # type: ignore[assignment]
    backend = Scripted(reply=reply, judge=None)  # type: ignore[arg-type]
    sampling = Sampling(max_tokens=LIMIT, stop=("\n",))
    strategy = strategies.make(named, n=9)
    return await solve(
        Problem("p", "?"), strategy, backend, verifier, sampling=sampling, extract=stated
    )


@pytest.mark.parametrize("named", STRATEGIES)
async def test_what_was_cut_off_decides_nothing(named: str) -> None:
    result = await search(named, rambling)
    cut_off = [n for n in result.trace if n.completion and not n.finished]
    assert len(cut_off) > len(result.trace.finished) > 0
    assert result.answer == "7"
    assert result.candidate and result.candidate.complete


@pytest.mark.parametrize("named", STRATEGIES)
async def test_where_all_is_cut_off_there_is_a_text_and_no_answer(named: str) -> None:
    result = await search(named, endless)
    assert result.error is None and result.answer is None
    assert result.candidate and not result.candidate.complete
    assert result.text.startswith("#99")
