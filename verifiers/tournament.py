"""Tournament: a language model compares candidates in pairs; the score is the share won."""

import re
from collections.abc import Sequence
from dataclasses import dataclass as plain
from dataclasses import field as state
from itertools import combinations, permutations
from random import Random
from statistics import fmean
from typing import Annotated, Literal

from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.budget import worst_case
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Completion, Judgement, Problem, Prompt, Usage
from reasoner.verifiers.common import swiss
from reasoner.verifiers.common.llm_judge import Asking, Unit, filled, holding, said, stated
from reasoner.verifiers.common.standings import Standings
from reasoner.verifiers.common.swiss import Pair

TASK = """Below are a problem and two solutions of it, A and B. Find out which of them is right, or \
nearer to it: check every step of both, and do not take their results on trust. The order in which \
they stand means nothing, nor does their length. If one is unfinished, judge what is there.

Problem:
{problem}

Solution A:
{first}

Solution B:
{second}

"""
WINNER = f"""{TASK}Say briefly what you found. Then end with a line "Better: A", "Better: B" or \
"Better: tie"."""
RATINGS = f"""{TASK}Say briefly what you found. Then end with a line "Ratings: A=N, B=M", where N and M \
are whole numbers from 1 (certainly wrong) to 10 (certainly right)."""

LEFT_OUT = "[the beginning is left out]\n"
"""The mark before the end of a solution that is not shown whole."""
LEAST_WEIGHT = 0.1
"""The weight of a match that is nearly a tie, in a Swiss tournament."""
POINTS = {"a": 1.0, "b": 0.0, "tie": 0.5}


@dataclass(frozen=True)
class Tournament(Asking):
    """The share of matches that a candidate wins against others of the batch.

    In a match each of two solutions comes first once, since models have a position bias (Zheng et al.,
    2023, arXiv 2306.05685). A match has two questions of `votes` replies each, which name the "winner",
    or give two "ratings", whose difference decides the share won (Singh et al., 2026, arXiv 2603.04304).

    A "knockout" (PairJudge, Liu et al., 2025, arXiv 2501.13007) has n - 1 matches: the loser is out, a tie
    goes to the earlier one, and only the champion scores 1. A "round-robin" has n (n - 1) / 2: each pair
    meets, and a match counts by the share won. A "swiss" tournament (V1-Infer, arXiv 2603.04304) starts
    with `degree` random matches of each, which connect all; the rest of `rounds` n / 2 matches are between
    neighbours in the ranking that have not met. Its matches have the weight of their margin.

    With `ends`, only that many last characters of the solutions are shown at first, and the whole ones
    where the margin is below `clear` (after CAPS, Lin et al., 2026, arXiv 2605.15513).

    Candidates of the same text take part once. A candidate without a match scores 0.5. A question
    without a readable vote is a tie, and `default` is not used. Scores of different batches are not
    comparable.
    """

    form: Literal["knockout", "round-robin", "swiss"] = "knockout"
    asks: Literal["winner", "ratings"] = "winner"
    degree: PositiveInt = 2
    rounds: PositiveInt = 6
    ends: NonNegativeInt = 0
    clear: Unit = 0.5
    prompt: Annotated[str, holding("problem", "first", "second")] | None = None
    traits = VerifierTraits(comparative=True, scores_steps=False)

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the usage of replies of maximum length.

        Except in a round-robin, all questions count as the longest. Every match may need the whole solutions.
        """
        texts = distinct(candidates)
        ends = list(map(self.end, texts))
        views = [texts] if ends == texts else [ends, texts]
        return sum((self._worst(problem, view) for view in views), Usage())

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Hold the tournament; the matches of a round run at once.

        Raises:
            BackendError: the model could not answer.
            ConfigError: there is no model, or it refused a question.
        """
        matches = Matches(self, problem)
        await matches.play(distinct(candidates))
        return matches.standings.judgement([matches.standings.share(c.text) for c in candidates])

    def question(self, problem: Problem, pair: Pair) -> str:
        """Return the filled-in prompt."""
        prompt = self.prompt or (WINNER if self.asks == "winner" else RATINGS)
        return filled(prompt, problem=problem.prompt, first=pair[0], second=pair[1])

    def read(self, reply: Completion) -> float | None:
        """Return the share that a reply gives solution A; None if there is no vote in it."""
        return vote(reply) if self.asks == "winner" else rated(reply)

    def end(self, text: str) -> str:
        """Return as much of a solution as is shown at first."""
        end = LEFT_OUT + text[-self.ends :]
        return end if self.ends and len(end) < len(text) else text

    def _worst(self, problem: Problem, texts: Sequence[str]) -> Usage:
        """Return the most that all matches may cost, if solutions are shown as `texts`."""
        if self.form == "round-robin" or len(texts) < 2:
            return self.worst(problem, (self.question(problem, p) for p in permutations(texts, 2)))
        longest = worst_case(self.sampling, self._longest(problem, texts), self.asked.model)
        return sum([longest] * 2 * self._count(len(texts)), Usage())

    def _count(self, players: int) -> int:
        """Return the number of matches of a knockout or a Swiss tournament."""
        if self.form == "swiss":
            return swiss.matches(players, self.degree, self.rounds)
        return players - 1

    def _longest(self, problem: Problem, texts: Sequence[str]) -> int:
        """Return the tokens of the longest question about two of `texts`.

        The length of a question is the sum of its parts, so pairing all texts with one is enough.
        """

        def length(a: str, b: str) -> int:
            question = self.question(problem, (a, b))
            return self.asked.prompt_length(Prompt(Problem(problem.id, question)))

        one = texts[0]
        first, second = (max(length(t, one) for t in texts), max(length(one, t) for t in texts))
        return first + second - length(one, one)


@plain(slots=True)
class Matches:
    """The matches of one tournament."""

    tournament: Tournament
    problem: Problem
    standings: Standings = state(default_factory=Standings)

    async def play(self, texts: Sequence[str]) -> None:
        """Play all matches."""
        match self.tournament.form:
            case "knockout":
                await self.knockout(texts)
            case "round-robin":
                await self.round_robin(texts)
            case "swiss":
                await self.swiss(texts)

    async def round_robin(self, texts: Sequence[str]) -> None:
        """Play all pairs at once."""
        pairs = list(combinations(texts, 2))
        for pair, share in zip(pairs, await self.meet(pairs), strict=True):
            self.enter(pair, share)

    async def knockout(self, texts: Sequence[str]) -> None:
        """Play round by round among the winners; one left over comes first in the next round."""
        while len(texts) > 1:
            pairs = list(zip(texts[::2], texts[1::2], strict=False))
            shares = await self.meet(pairs)
            for pair, share in zip(pairs, shares, strict=True):
                self.enter(pair, float(share >= 0.5))
            winners = [a if s >= 0.5 else b for (a, b), s in zip(pairs, shares, strict=True)]
            texts = [*texts[2 * len(pairs) :], *winners]

    async def swiss(self, texts: Sequence[str]) -> None:
        """Play the start on a random ring, then round by round between neighbours in the ranking."""
        t = self.tournament
        rng = Random(f"{t.seed}:{self.problem.prompt}")
        ring = rng.sample(sorted(texts), len(texts))
        pairs, met = swiss.coverage(ring, t.degree), set[frozenset[str]]()
        while pairs:
            met.update(map(frozenset, pairs))
            for pair, share in zip(pairs, await self.meet(pairs), strict=True):
                won = (1 + (share > 0.5) - (share < 0.5)) / 2
                self.enter(pair, won, max(LEAST_WEIGHT, margin(share)))
            ranking = sorted(ring, key=self.standings.share, reverse=True)
            left = swiss.matches(len(ring), t.degree, t.rounds) - len(met)
            pairs = swiss.neighbours(ranking, met, left)

    def enter(self, pair: Pair, share: float, weight: float = 1.0) -> None:
        """Enter a match of which the first of a pair won `share`."""
        self.standings.enter(pair[0], share, weight)
        self.standings.enter(pair[1], 1 - share, weight)

    async def meet(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the share that the first of each pair won: by their ends, where these decide, or whole."""
        ends = [(self.tournament.end(a), self.tournament.end(b)) for a, b in pairs]
        shares = await self.compare(ends)
        unclear = [
            i
            for i, share in enumerate(shares)
            if ends[i] != pairs[i] and margin(share) < self.tournament.clear
        ]
        again = await self.compare([pairs[i] for i in unclear])
        for i, share in zip(unclear, again, strict=True):
            shares[i] = share
        return shares

    async def compare(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the share of votes for the first of each pair, over both orders."""
        orders = [order for a, b in pairs for order in ((a, b), (b, a))]
        questions = [self.tournament.question(self.problem, order) for order in orders]
        replies, usage = await self.tournament.ask(self.problem, questions)
        self.standings.usage += usage
        shares = list(map(self.points, replies))
        forth, back = shares[::2], shares[1::2]
        return [0.5 + (a - b) / 2 for a, b in zip(forth, back, strict=True)]

    def points(self, replies: Sequence[Completion]) -> float:
        """Return the share of votes for solution A; 0.5 without votes."""
        votes = [v for r in replies if (v := self.tournament.read(r)) is not None]
        self.standings.malformed += self.tournament.votes - len(votes)
        return fmean(votes or [0.5])


def margin(share: float) -> float:
    """Return how far a share is from a tie: from 0 to 1."""
    return abs(2 * share - 1)


def vote(reply: Completion) -> float | None:
    """Return 1 for A, 0 for B, one half for a tie, None if the reply names none of them."""
    name = stated(
        said(reply), "better|winner|verdict", r"(?:solution\s+)?(?:(?-i:A|B)|(?:a\s+)?tie)"
    )
    return None if name is None else POINTS[name.split()[-1].lower()]


def rated(reply: Completion) -> float | None:
    """Return 1 for the lead of A over B that is the largest, 0 for the reverse, one half for a tie.

    None if the reply does not rate both from 1 to 10.
    """
    ratings = stated(
        said(reply), "ratings?|scores?", r"A\W{0,3}\d{1,2}\W{1,4}(?:and\s+)?B\W{0,3}\d{1,2}"
    )
    a, b = map(int, re.findall(r"\d+", ratings or "A=0, B=0"))
    return 0.5 + (a - b) / 18 if min(a, b) >= 1 and max(a, b) <= 10 else None


def distinct(candidates: Sequence[Candidate]) -> list[str]:
    """Return the distinct texts of `candidates`, in order."""
    return list(dict.fromkeys(c.text for c in candidates))
