"""GenSelect: a language model chooses the best of several solutions; the score is the share of choices won."""

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.budget import worst_case
from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Completion, Judgement, Problem, Prompt, Usage
from reasoner.verifiers.common.llm_judge import Asking, filled, holding, said, stated
from reasoner.verifiers.common.standings import Standings

PROMPT = """Below are a problem and several solutions of it, numbered from 0 to {last}. Find out which \
one is right, or nearest to it: check the steps of each, compare them where they differ, and do not \
take their results on trust. The order in which they stand means nothing, nor does their length.

Problem:
{problem}

{solutions}

Say briefly what you found. Then end with a line "Judgment: N", where N is the number of the best \
solution, from 0 to {last}."""


@dataclass(frozen=True)
class GenSelect(Asking):
    """The share of the choices that a candidate wins, each among a `window` of the batch.

    After GenSelect in NeMo-Skills and arXiv 2602.02143 (2026). The model sees finished solutions only,
    without their thinking, in an order that depends on `seed` and not on the batch. The winners of full
    windows go on with the rest, until one window holds all: n solutions take (n - 1) / (`window` - 1)
    questions, rounded up. Of several `votes` the most frequent one counts.

    Where no vote can be read, a pseudo-random solution of the window goes on. Candidates of the same
    text take part once. One that met no other scores 0.5, an unfinished one `default`. Scores of
    different batches are not comparable.
    """

    window: Annotated[int, Field(ge=2)] = 8
    prompt: Annotated[str, holding("problem", "solutions")] = PROMPT
    traits = VerifierTraits(comparative=True, scores_steps=False)

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the usage of replies of maximum length; each window counts as the longest of its size."""
        texts = distinct(candidates)
        if len(texts) < 2:
            return Usage()
        texts.sort(key=lambda text: len(self.asked.encode(text)), reverse=True)
        return sum(
            (self._worst(problem, texts[:k]) for k in sizes(len(texts), self.window)), Usage()
        )

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Choose round by round; the windows of a round are asked at once.

        Raises:
            BackendError: the model could not answer.
            ConfigError: there is no model, or it refused a question.
        """
        texts, standings = sorted(distinct(candidates)), Standings()
        Random(f"{self.seed}:{problem.prompt}").shuffle(texts)
        while len(texts) > 1:
            windows, rest = cut(texts, self.window)
            texts = [*rest, *await self._choose(problem, windows, standings)]
        shares = [
            standings.share(c.answer_text) if readable(c) else self.default for c in candidates
        ]
        return standings.judgement(shares)

    def question(self, problem: Problem, window: Sequence[str]) -> str:
        """Return the filled-in prompt."""
        solutions = "\n\n".join(f"Solution {i}:\n{text}" for i, text in enumerate(window))
        last = str(len(window) - 1)
        return filled(self.prompt, problem=problem.prompt, solutions=solutions, last=last)

    async def _choose(
        self, problem: Problem, windows: Sequence[Sequence[str]], standings: Standings
    ) -> list[str]:
        """Return the winner of each window, after entering the results."""
        questions = [self.question(problem, window) for window in windows]
        replies, usage = await self.ask(problem, questions)
        standings.usage += usage
        winners = list[str]()
        for window, question, answers in zip(windows, questions, replies, strict=True):
            votes = [v for r in answers if (v := vote(r, len(window))) is not None]
            standings.malformed += self.votes - len(votes)
            chance = Random(f"{self.seed}:{question}").randrange(len(window))
            winners.append(window[Counter(votes or [chance]).most_common(1)[0][0]])
            for text in window:
                standings.enter(text, float(text == winners[-1]))
        return winners

    def _worst(self, problem: Problem, window: Sequence[str]) -> Usage:
        """Return the most that a question about a window may cost."""
        prompt = Prompt(Problem(problem.id, self.question(problem, window)))
        return worst_case(self.sampling, self.asked.prompt_length(prompt), self.asked.model)


def vote(reply: Completion, count: int) -> int | None:
    """Return the number of the solution that a reply chooses among `count`; None if it names none of them."""
    choice = stated(said(reply), "judge?ment", r"(?:solution\s+)?\d{1,9}")
    number = -1 if choice is None else int(choice.split()[-1])
    return number if 0 <= number < count else None


def readable(candidate: Candidate) -> bool:
    """Return True if a solution is finished, and its thinking too."""
    return candidate.complete and not candidate.parts.unfinished


def distinct(candidates: Sequence[Candidate]) -> list[str]:
    """Return the distinct texts of finished solutions after the thinking, in order."""
    return list(dict.fromkeys(c.answer_text for c in candidates if readable(c)))


def sizes(count: int, window: int) -> Iterator[int]:
    """Yield the sizes of all windows in which one of `count` solutions is chosen."""
    while count > 1:
        yield (size := min(count, window))
        count -= size - 1


def cut(texts: Sequence[str], window: int) -> tuple[list[Sequence[str]], Sequence[str]]:
    """Return the windows of a round and the rest: full ones, or one that holds all."""
    if len(texts) <= window:
        return [texts], []
    full = len(texts) - len(texts) % window
    return [texts[i : i + window] for i in range(0, full, window)], texts[full:]
