"""Tournament: a language model compares candidates in pairs; the score is the share won."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass as plain
from dataclasses import field as state
from itertools import combinations, permutations
from statistics import fmean
from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from reasoner.budget import worst_case
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Completion, Judgement, Problem, Prompt, Score, Usage
from reasoner.verifiers.common.llm_judge import Asking, filled, holding, said, stated

PROMPT = """Below are a problem and two solutions of it, A and B. Find out which of them is right, or \
nearer to it: check every step of both, and do not take their results on trust. The order in which \
they stand means nothing, nor does their length. If one is unfinished, judge what is there.

Problem:
{problem}

Solution A:
{first}

Solution B:
{second}

Say briefly what you found. Then end with a line "Better: A", "Better: B" or "Better: tie"."""

POINTS = {"a": 1.0, "b": 0.0, "tie": 0.5}

Pair = tuple[str, str]


@dataclass(frozen=True)
class Tournament(Asking):
    """The share of matches that a candidate wins against others of the batch.

    In a match each of two solutions comes first once, since models have a position bias (Zheng et al.,
    2023, arXiv 2306.05685). A "knockout" (PairJudge, Liu et al., 2025, arXiv 2501.13007) has n - 1
    matches: the loser is out, a tie goes to the earlier one, and only the champion scores 1. A
    "round-robin" has n (n - 1) / 2: each pair meets, and a match counts by the share of votes. A match
    has two questions of `votes` replies each.

    Candidates of the same text take part once. A candidate without a match scores 0.5. A question
    without a readable vote is a tie, and `default` is not used. Scores of different batches are not
    comparable.
    """

    form: Literal["knockout", "round-robin"] = "knockout"
    prompt: Annotated[str, holding("problem", "first", "second")] = PROMPT
    traits = VerifierTraits(comparative=True, scores_steps=False)

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the usage of replies of maximum length; in a knockout, all questions count as the longest."""
        texts = distinct(candidates)
        if self.form == "round-robin" or len(texts) < 2:
            return self.worst(problem, (self.question(problem, p) for p in permutations(texts, 2)))
        longest = worst_case(self.sampling, self._longest(problem, texts), self.asked.model)
        return sum([longest] * 2 * (len(texts) - 1), Usage())

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Hold the tournament; the matches of a round run at once.

        Raises:
            BackendError: the model could not answer.
            ConfigError: there is no model, or it refused a question.
        """
        texts = distinct(candidates)
        matches = Matches(self, problem)
        await (matches.knockout(texts) if self.form == "knockout" else matches.round_robin(texts))
        scores = tuple(Score(matches.share(c.text)) for c in candidates)
        return Judgement(scores, matches.usage, matches.malformed)

    def question(self, problem: Problem, pair: Pair) -> str:
        """Return the filled-in prompt."""
        return filled(self.prompt, problem=problem.prompt, first=pair[0], second=pair[1])

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
    """The matches of one tournament: the share won by each solution, and the usage."""

    tournament: Tournament
    problem: Problem
    won: defaultdict[str, list[float]] = state(default_factory=lambda: defaultdict(list))
    usage: Usage = state(default_factory=Usage)
    malformed: int = 0

    def share(self, text: str) -> float:
        """Return the share of its matches that a solution won."""
        return fmean(self.won[text] or [0.5])

    async def round_robin(self, texts: Sequence[str]) -> None:
        """Play all pairs at once."""
        pairs = list(combinations(texts, 2))
        for (a, b), share in zip(pairs, await self.meet(pairs), strict=True):
            self.won[a].append(share)
            self.won[b].append(1 - share)

    async def knockout(self, texts: Sequence[str]) -> None:
        """Play round by round among the winners; one left over comes first in the next round."""
        while len(texts) > 1:
            pairs = list(zip(texts[::2], texts[1::2], strict=False))
            shares = await self.meet(pairs)
            matches = [
                (a, b) if s >= 0.5 else (b, a) for (a, b), s in zip(pairs, shares, strict=True)
            ]
            for winner, loser in matches:
                self.won[winner].append(1.0)
                self.won[loser].append(0.0)
            texts = [*texts[2 * len(pairs) :], *(winner for winner, _ in matches)]

    async def meet(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the share of votes for the first of each pair, over both orders."""
        orders = [order for a, b in pairs for order in ((a, b), (b, a))]
        questions = [self.tournament.question(self.problem, order) for order in orders]
        replies, usage = await self.tournament.ask(self.problem, questions)
        self.usage += usage
        shares = list(map(self.points, replies))
        forth, back = shares[::2], shares[1::2]
        return [0.5 + (a - b) / 2 for a, b in zip(forth, back, strict=True)]

    def points(self, replies: Sequence[Completion]) -> float:
        """Return the share of votes for solution A; 0.5 without votes."""
        votes = [v for r in replies if (v := vote(r)) is not None]
        self.malformed += self.tournament.votes - len(votes)
        return fmean(votes or [0.5])


def vote(reply: Completion) -> float | None:
    """Return 1 for A, 0 for B, one half for a tie, None if the reply names none of them."""
    name = stated(
        said(reply), "better|winner|verdict", r"(?:solution\s+)?(?:(?-i:A|B)|(?:a\s+)?tie)"
    )
    return None if name is None else POINTS[name.split()[-1].lower()]


def distinct(candidates: Sequence[Candidate]) -> list[str]:
    """Return the distinct texts of `candidates`, in order."""
    return list(dict.fromkeys(c.text for c in candidates))
