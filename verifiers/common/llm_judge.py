"""Verifiers that ask a language model: questions, their largest cost, and replies."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass as plain
from dataclasses import replace
from hashlib import blake2b
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeFloat, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.base import Backend
from reasoner.bill import billed
from reasoner.budget import worst_case
from reasoner.concurrency import gather
from reasoner.errors import ConfigError
from reasoner.thinking import answer_text
from reasoner.thinking_tokens import count_thinking
from reasoner.types import (
    Candidate,
    Completion,
    Finish,
    Generation,
    Judgement,
    Problem,
    Prompt,
    Sampling,
    Score,
    Usage,
)

Unit = Annotated[float, Field(ge=0, le=1)]
WORD = r"(?:not\s+)?(?:correct|incorrect|right|wrong)"
"""A verdict in words, as a pattern; `right` tells what it says."""


@plain(frozen=True, slots=True)
class Call:
    """One question, as the model is asked it."""

    prompt: Prompt
    length: int
    sampling: Sampling
    fits: bool
    """Return True if the model's context holds it, as far as its length is known."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(arbitrary_types_allowed=True))
class Borrowing:
    """Asks a model: its own, or where it has none (None) the policy's, which the run lends."""

    model: Backend | None = None

    def on(self, backend: Backend) -> Self:
        """A copy that asks `backend`."""
        return replace(self, model=backend)

    @property
    def asked(self) -> Backend:
        """The model, which there must be by now.

        Raises:
            ConfigError: there is none.
        """
        if self.model is None:
            raise ConfigError(
                f"verifier {type(self).__name__} has no model to ask: give it one (model=...), or"
                " solve with it, which lends it the policy's"
            )
        return self.model


@dataclass(frozen=True, kw_only=True)
class Asking(Borrowing):
    """A verifier that asks a language model for replies.

    Every question is asked for `votes` replies of at most `max_tokens`, drawn at `temperature` with a
    seed made of `seed` and the question: the same question has the same replies, wherever it stands.
    A reply without a verdict that can be read has no vote, and is counted (`Judgement.malformed`);
    so is each vote on a question that does not fit the model's context. `default` is the score where
    no vote is left. A model whose context the backend does not know refuses what is too long with a
    `ConfigError`.
    """

    votes: PositiveInt = 1
    max_tokens: PositiveInt = 1024
    temperature: NonNegativeFloat = 1.0
    default: Unit = 0.0
    seed: int = 0

    @property
    def sampling(self) -> Sampling:
        """The sampling of replies."""
        return Sampling(n=self.votes, temperature=self.temperature, max_tokens=self.max_tokens)

    def worst(self, problem: Problem, questions: Iterable[str]) -> Usage:
        """The most that asking `questions` may cost."""
        calls = [self._call(problem, q) for q in dict.fromkeys(questions)]
        each = (worst_case(c.sampling, c.length, self.asked.model) for c in calls)
        return sum(each, Usage())

    async def ask(
        self, problem: Problem, questions: Sequence[str]
    ) -> tuple[list[Sequence[Completion]], Usage]:
        """The replies to each question, all asked at once and equal ones once; and what it cost.

        Raises:
            BackendError: the model could not answer.
            ConfigError: the model refused a question that should have fitted.
        """
        calls = {q: self._call(problem, q) for q in questions}
        generations = await gather(map(self._send, calls.values()))
        replies = {q: g.completions for q, g in zip(calls, generations, strict=True)}
        return [replies[q] for q in questions], sum((g.usage for g in generations), Usage())

    def _call(self, problem: Problem, question: str) -> Call:
        prompt = Prompt(Problem(problem.id, question))
        length, context = self.asked.prompt_length(prompt), self.asked.model.context
        fits = not context or length < context
        room = context - length if context and fits else self.max_tokens
        digest = blake2b(f"{self.seed}:{question}".encode(), digest_size=4).digest()
        sampling = replace(
            self.sampling,
            max_tokens=min(self.sampling.max_tokens, room),
            seed=int.from_bytes(digest) >> 1,
        )
        return Call(prompt, length, sampling, fits)

    async def _send(self, call: Call) -> Generation:
        try:
            generation = await billed(self.asked.generate(call.prompt, call.sampling))
            return count_thinking(generation, call.prompt, self.asked)
        except ConfigError:
            # The length may be a bound only, so that it is the backend that tells what is too long.
            if call.fits:
                raise
            return Generation((), Usage())


@dataclass(frozen=True, kw_only=True)
class Pointwise(Asking, ABC):
    """A verifier that asks one question about each candidate."""

    @abstractmethod
    def question(self, problem: Problem, candidate: Candidate) -> str:
        """Return the questions about `candidate`."""

    @abstractmethod
    def weigh(self, candidate: Candidate, replies: Sequence[Completion]) -> tuple[Score, int]:
        """The score that the replies amount to, and how many of them had a verdict."""

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Every reply as long as it may be, and nothing cached."""
        return self.worst(problem, (self.question(problem, c) for c in candidates))

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Ask about all candidates at once.

        Raises:
            BackendError: the model could not answer.
            ConfigError: there is no model, or it refused a question.
        """
        replies, usage = await self.ask(problem, [self.question(problem, c) for c in candidates])
        weighed = [self.weigh(c, r) for c, r in zip(candidates, replies, strict=True)]
        owed = self.votes * len(candidates)
        return Judgement(tuple(s for s, _ in weighed), usage, owed - sum(n for _, n in weighed))


def holding(*parts: str) -> AfterValidator:
    """Refuses a prompt that has no place for one of `parts`, such as `{problem}`."""

    def check(prompt: str) -> str:
        if missing := [p for p in parts if f"{{{p}}}" not in prompt]:
            raise ValueError(f"the prompt has no {' and no '.join(f'{{{p}}}' for p in missing)}")
        return prompt

    return AfterValidator(check)


def filled(prompt: str, **parts: str) -> str:
    """`prompt` with every part in its place; other braces, such as LaTeX's, stay as they are."""
    return re.sub(rf"\{{({'|'.join(parts)})\}}", lambda place: parts[place[1]], prompt)


def said(reply: Completion) -> str:
    """The text of a reply without thoughts and markup, and without a word it was cut off in."""
    text = answer_text(reply.text)
    if reply.finish is Finish.LENGTH:
        text = re.sub(r"\S+$", "", text)
    return re.sub(r"\\boxed|\\text|[*_`$\"'\[\]{}<>\\]", "", text)


def stated(text: str, mark: str, value: str) -> str | None:
    """The last `value` that follows `mark` and a colon, or else a last line that is nothing else.

    Both are patterns; case does not matter.
    """
    after = rf"\b(?:{mark})\s*(?:[:=?–-]+|\bis\b)[\s(]*({value})(?!\.?\w)"
    if match := re.findall(after, text, re.IGNORECASE):
        return str(match[-1])
    last = text.strip().rpartition("\n")[2].strip(" .!()")
    return last if re.fullmatch(value, last, re.IGNORECASE) else None


def right(word: str) -> bool:
    """Return True if a match of `WORD` is a verdict in favour."""
    *denied, word = word.lower().split()
    return (word in ("correct", "right")) != bool(denied)
