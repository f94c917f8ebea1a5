"""Strategies inside others: fallback and ensemble."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from reasoner.backends.scripted import END, Scripted
from reasoner.budget import Budget
from reasoner.errors import ReasonerError
from reasoner.events import Result, Stopped
from reasoner.registry import strategies
from reasoner.run import Strategy
from reasoner.search.ensemble import Ensemble
from reasoner.search.fallback import Fallback
from reasoner.search.iterative_broadening import IterativeBroadening
from reasoner.solving import solve
from reasoner.types import Candidate, Generation, Judgement, Problem, Prompt, Sampling, Score, Usage
from reasoner.verifiers.verdict import Verdict

PROBLEM = Problem("p", "1+2+3+4+5+6")
SAMPLING = Sampling(stop=("\n",), max_tokens=100)


class Told(Scripted):
    """Remembers how each request was to be drawn."""

    def __init__(self, delay: float = 0.0) -> None:
        super().__init__(delay=delay)
        self.drawn = list[tuple[str, Sampling]]()
        self.most = 0

    async def generate(self, prompt: Prompt, sampling: Sampling) -> Generation:
        self.drawn.append((prompt.text, sampling))
        self.most = max(self.most, self.running + 1)
        return await super().generate(prompt, sampling)

    @property
    def steps(self) -> int:
        return sum(bool(s.stop) for _, s in self.drawn)

    @property
    def wholes(self) -> int:
        """Samples drawn to the end."""
        return sum(s.n for _, s in self.drawn if not s.stop)


async def run(
    strategy: Strategy, backend: Scripted, budget: Budget = Budget(), scored: bool = True
) -> Result:
    verifier = Verdict("last") if scored else None
    return await solve(PROBLEM, strategy, backend, verifier, sampling=SAMPLING, budget=budget)


# -- iterative broadening -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "first", "widths"),
    [(1, 4, [1]), (8, 4, [8]), (12, 4, [4, 8]), (64, 4, [4, 8, 16, 36]), (7, 1, [1, 2, 4])],
)
def test_widths_double_and_come_to_n(n: int, first: int, widths: list[int]) -> None:
    assert list(IterativeBroadening(n=n, first=first).widths()) == widths


@pytest.mark.parametrize(("enough", "drawn"), [(0.01, 4), (1.0, 12)])
async def test_it_broadens_until_it_is_sure(enough: float, drawn: int) -> None:
    backend = Told()
    strategy = IterativeBroadening(n=12, strategy="best-of-n", enough=enough)
    result = await run(strategy, backend)
    assert backend.wholes == drawn
    assert result.text == max(result.candidates, key=lambda s: s.score or 0).candidate.text


async def test_it_broadens_no_further_than_the_budget() -> None:
    strategy = IterativeBroadening(n=64, strategy="beam(branch=4)", enough=1.0)
    result = await run(strategy, Told(), Budget(tokens=200))
    assert result.stopped is Stopped.BUDGET and result.usage.completion_tokens <= 200
    assert result.candidate and result.candidate.complete


# -- fallback -----------------------------------------------------------------------------------


async def test_the_second_strategy_runs_only_when_needed() -> None:
    trusted, doubted = Told(), Told()
    await run(Fallback(n=4, threshold=0.0), trusted)
    await run(Fallback(n=4, threshold=1.0), doubted)
    assert trusted.wholes == 0 and trusted.steps
    assert doubted.wholes == 4 and doubted.steps == trusted.steps


async def test_an_unfinished_first_answer_is_doubted() -> None:
    backend = Told()
    result = await run(Fallback(n=4, share=0.2, threshold=0.0), backend, Budget(tokens=60))
    assert backend.wholes >= 1
    assert result.candidate and result.candidate.complete


async def test_the_first_strategy_has_its_share() -> None:
    backend = Told()
    result = await run(Fallback(n=64, share=0.25, threshold=1.0), backend, Budget(tokens=2000))
    stepped = [n for n in result.trace if n.completion and n.depth > 1]
    first = min(n.id for n in result.trace if n.depth == 1 and n.terminal)
    before = [n for n in result.trace if n.id < first and n.completion]
    spent = sum(len(n.completion.token_ids) for n in before if n.completion)
    assert stepped and 300 < spent <= 500
    assert result.usage.completion_tokens > 1800


class Favours:
    """Likes solutions drawn in one piece, or those drawn in steps."""

    def __init__(self, pieces: bool) -> None:
        self.pieces = pieces

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        return Usage()

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        liked = [(len(c.completions) > 1) == self.pieces for c in candidates]
        return Judgement(tuple(Score(0.4 if x else 0.2) for x in liked))


@pytest.mark.parametrize("pieces", [True, False])
@pytest.mark.parametrize(
    "strategy", [Fallback(n=4, threshold=0.5), Ensemble(n=8)], ids=["fallback", "ensemble"]
)
async def test_the_better_answer_wins_whoever_found_it(strategy: Strategy, pieces: bool) -> None:
    result = await solve(PROBLEM, strategy, Scripted(), Favours(pieces), sampling=SAMPLING)
    assert result.candidate
    assert (len(result.candidate.completions) > 1) == pieces


async def test_time_is_shared_as_well() -> None:
    """The first strategy hangs; the second still gets its time."""

    class Hangs(Told):
        async def _wait(self) -> None:
            self.delay = 30 if self.drawn[-1][1].stop else 0
            await super()._wait()

    backend = Hangs()
    result = await run(Fallback(n=4), backend, Budget(seconds=0.4))
    assert result.candidate and result.candidate.complete
    assert result.seconds < 0.4 and backend.running == 0


async def test_an_unscored_first_answer_is_scored() -> None:
    backend = Told()
    await run(Fallback(n=4, first="majority", threshold=1.0), backend)
    assert backend.wholes == 8
    assert (await run(Fallback(first="majority", second="esc"), Scripted(), scored=False)).candidate


# -- ensemble -----------------------------------------------------------------------------------


def test_members_share_n() -> None:
    assert Ensemble(n=16).sizes() == [("beam", 8), ("best-of-n", 8)]
    three = Ensemble(n=8, members=("beam", "mcts", "best-of-n"))
    assert [n for _, n in three.sizes()] == [3, 3, 2]
    assert Ensemble(n=1).sizes() == [("beam", 1)]


async def test_members_run_at_once() -> None:
    backend = Told(delay=0.001)
    await run(Ensemble(n=8, members=("best-of-n", "majority")), backend)
    assert backend.most == len(backend.drawn) == 2


async def test_members_search_each_in_its_way() -> None:
    backend = Told()
    await run(Ensemble(n=8), backend)
    assert backend.wholes == 4 and backend.steps


async def test_members_share_tokens_but_not_time() -> None:
    backend = Told(delay=0.05)
    names = ("best-of-n", "majority", "weighted")
    result = await run(Ensemble(n=3, members=names), backend, Budget(seconds=0.12))
    assert len(result.candidates) == 3
    backend = Told()
    await run(Ensemble(n=64), backend, Budget(tokens=2000))
    each = [s.max_tokens * s.n for _, s in backend.drawn if not s.stop]
    assert 900 <= max(each) <= 1000


class Trust:
    """Thinks much of what is good, and so much of what is bad."""

    def __init__(self, bad: float) -> None:
        self.bad = bad

    def __call__(self, prompt: Prompt, step: str) -> float:
        return 0.9 if "good" in step else self.bad


def coin(prompt: Prompt, rng: random.Random) -> str:
    return ("good\n" if rng.random() < 0.3 else "bad\n") + END


async def test_the_vote_is_over_every_member() -> None:
    names = ("majority", "best-of-n")
    for bad, text in ((0.6, "bad\n"), (0.1, "good\n")):
        backend = Scripted(reply=coin, judge=Trust(bad))
        best = await run(Ensemble(n=16, members=names), backend)
        vote = await run(Ensemble(n=16, members=names, choose="vote"), backend)
        assert all(s.score for s in best.candidates) and len(best.candidates) == 16
        assert (best.text, vote.text) == ("good\n", text)
    plain = await run(
        Ensemble(n=16, members=("majority", "majority")), Scripted(reply=coin), scored=False
    )
    assert plain.text == "bad\n"


# -- both ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wrong"), [("fallback", {"second": "beem"}), ("ensemble", {"members": ["beem"]})]
)
def test_a_wrong_name_costs_nothing(name: str, wrong: dict[str, object]) -> None:
    with pytest.raises(ReasonerError, match="did you mean beam"):
        strategies.make(name, **wrong)


def test_settings_are_checked() -> None:
    with pytest.raises(ValidationError):
        Fallback(share=1.0)
    with pytest.raises(ValidationError):
        Ensemble(members=())


@pytest.mark.parametrize("name", ["fallback", "ensemble"])
async def test_no_budget_for_a_single_token_is_no_crash(name: str, tmp_path: Path) -> None:
    result = await run(strategies.make(name), Scripted(), Budget(flops=1.0))
    assert result.candidate is None and result.stopped is Stopped.BUDGET
