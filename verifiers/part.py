"""A verifier that sees a part of each candidate: the thinking, or the answer after it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits, verifier_traits
from reasoner.types import Candidate, Completion, Judgement, Problem, Score, Usage
from reasoner.verifiers.common.composite import Member, Nested

UNKNOWN = -1
"""A stand-in for the tokens of a text that was cut at a character."""


@dataclass(frozen=True)
class PartOf(Nested):
    """The scores that `verifier` gives to one part of each candidate, its thinking or its answer.

    Without it, a verifier reads candidates whole, the thinking included. A candidate without the part
    scores 0 unread: one that still thinks has no answer, so searches over steps need `of="thinking"`.
    """

    verifier: Member
    of: Literal["thinking", "answer"] = "answer"

    def __post_init__(self) -> None:
        """Refuse an unknown name, and a verifier that reads the probabilities of sampled tokens."""
        traits = verifier_traits(self.inner[0])
        if traits.verdicts or traits.logprobs or traits.confidences:
            raise ConfigError(
                f"part: {self.verifier!r} reads tokens as they were sampled, and a part is a text; use a verifier"
                " that reads texts, such as 'judge' or a reward model"
            )

    def named(self) -> tuple[Member, ...]:
        """Return the verifier that reads the part."""
        return (self.verifier,)

    @property
    def traits(self) -> VerifierTraits:
        """The verifier's; an unfinished candidate has no answer to score."""
        traits = super().traits
        return replace(traits, scores_steps=traits.scores_steps and self.of == "thinking")

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the most that reading the parts may cost."""
        return super().estimate(problem, self._parts(candidates))

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Score the parts as one batch; raise as the verifier does."""
        views = [part_of(candidate, self.of) for candidate in candidates]
        if not any(views):
            return Judgement((Score(0.0),) * len(candidates))
        judgement = await self.inner[0].score(problem, list(filter(None, views)))
        scores = iter(judgement.scores)
        return replace(judgement, scores=tuple(next(scores) if v else Score(0.0) for v in views))

    def _parts(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [view for c in candidates if (view := part_of(c, self.of))]


def part_of(candidate: Candidate, part: Literal["thinking", "answer"]) -> Candidate | None:
    """Return a part of `candidate` as a candidate, in the pieces that it was sampled in; None if empty.

    Thinking that has ended counts as complete, whether or not its answer is.
    """
    parts = candidate.parts
    answer = parts.end, parts.resumed
    spans = [answer] if part == "answer" else [(0, parts.end), (parts.resumed, len(parts.text))]
    pieces = tuple(piece for span in spans for piece in _cut(candidate.completions, *span))
    if not "".join(piece.text for piece in pieces).strip():
        return None
    complete = candidate.complete if part == "answer" else not parts.unfinished
    return Candidate(pieces, complete or candidate.complete)


def _cut(pieces: Sequence[Completion], start: int, stop: int) -> Iterator[Completion]:
    """Yield the pieces, or the parts of pieces, between two characters of the text."""
    end = 0
    for piece in pieces:
        begin, end = end, end + len(piece.text)
        first, last = max(start, begin), min(stop, end)
        if (first, last) == (begin, end):
            yield piece
        elif first < last:
            size = round(len(piece.token_ids) * (last - first) / len(piece.text))
            text = piece.text[first - begin : last - begin]
            yield Completion(text, (UNKNOWN,) * size, piece.finish)
