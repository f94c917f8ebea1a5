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
    """Half say 99 and go on until they are cut off, a few say 99 and end; the others say 7 and end."""
    luck = rng.random()
    return "#99\n" + "so\n" * LIMIT if luck < 0.5 else f"#99{END}" if luck < 0.6 else f"#7{END}"


def endless(prompt: Prompt, rng: Random) -> str:
    """All say 99 and go on until they are cut off."""
    return "#99\n" + "so\n" * LIMIT


def stated(text: str) -> str | None:
    """Return the text after the first `#`."""
    return text.partition("#")[2].partition("\n")[0] or None


class Taken:
    """A verifier that is taken in by what was cut off."""

    def estimate(self, problem: Problem, candidates: list[Candidate]) -> Usage:
        """Nothing."""
        return Usage()

    async def score(self, problem: Problem, candidates: list[Candidate]) -> Judgement:
        """Nine in ten for what was cut off; of what has an end more for 7."""
        ends = [0.2 if "#7" in c.text else 0.1 for c in candidates]
        pairs = zip(candidates, ends, strict=True)
        return Judgement(tuple(Score(end if c.complete else 0.9) for c, end in pairs))


async def search(named: str, reply: object, seed: int = 0) -> Result:
    verifier: Verifier = Taken()  # type: ignore[assignment]
    backend = Scripted(reply=reply, judge=None)  # type: ignore[arg-type]
    sampling = Sampling(max_tokens=LIMIT, stop=("\n",))
    strategy = strategies.make(named, n=9)
    return await solve(
        Problem("p", "?"), strategy, backend, verifier,
        sampling=sampling, extract=stated, seed=seed,
    )  # fmt: skip


@pytest.mark.parametrize("named", STRATEGIES)
async def test_what_was_cut_off_decides_nothing(named: str) -> None:
    results = [await search(named, rambling, seed) for seed in range(40)]
    misled = [result for result in results if would_mislead(result)]
    assert len(misled) > 2
    assert {result.answer for result in misled} == {"7"}
    assert all(result.candidate and result.candidate.complete for result in misled)


def would_mislead(result: Result) -> bool:
    """Return True if 7 has most finished solutions, and 99 most in all."""
    trace = result.trace
    ends = [stated(trace.candidate(node).text) for node in trace.finished]
    cut_off = [node for node in trace if node.completion and not node.finished]
    sevens, others = ends.count("7"), ends.count("99")
    return sevens > others > 0 and sevens < others + len(cut_off)


@pytest.mark.parametrize("named", STRATEGIES)
async def test_where_all_is_cut_off_there_is_a_text_and_no_answer(named: str) -> None:
    result = await search(named, endless)
    assert result.error is None and result.answer is None
    assert result.candidate and not result.candidate.complete
    assert result.text.startswith("#99")
