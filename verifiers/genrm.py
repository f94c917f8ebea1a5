"""GenRM: the probability that a model answers "Yes" when asked whether the answer is correct."""

from collections.abc import Iterable, Sequence
from math import exp
from statistics import fmean
from typing import Annotated

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.types import Candidate, Completion, Problem, Sampling, Score
from reasoner.verifiers.common.llm_judge import Pointwise, filled, holding, said, stated

DIRECT = """Problem:
{problem}

Solution:
{solution}

Answer with Yes or No only. Is the answer correct (Yes/No)?"""
THOUGHT = """Problem:
{problem}

Solution:
{solution}

Let's verify step by step. End with the line "Verification: Is the answer correct (Yes/No)? X", where \
X is Yes or No."""


@dataclass(frozen=True)
class GenRM(Pointwise):
    """The probability that a model answers "Yes" (Zhang et al., 2024, arXiv 2408.15240).

    Without `chain_of_thought`, the probability of the token that follows the question (equation 4).
    With it, the average over `votes` rationales that each end in Yes or No; the sampled word counts,
    and its expectation is the probability.
    """

    votes: PositiveInt = 4
    chain_of_thought: bool = True
    prompt: Annotated[str, holding("problem", "solution")] | None = None

    @property
    def sampling(self) -> Sampling:
        """Sampling of rationales as set, or of one token from the model's own distribution."""
        if self.chain_of_thought:
            return super().sampling
        return Sampling(n=self.votes, max_tokens=1, logprobs=True)

    def question(self, problem: Problem, candidate: Candidate) -> str:
        """Return the filled-in prompt."""
        prompt = self.prompt or (THOUGHT if self.chain_of_thought else DIRECT)
        return filled(prompt, problem=problem.prompt, solution=candidate.text)

    def weigh(self, candidate: Candidate, replies: Sequence[Completion]) -> tuple[Score, int]:
        """Score by the share of Yes verdicts, or by its probability if the backend returns it."""
        read = concluded if self.chain_of_thought else token
        words = [read(r) for r in replies]
        verdicts = [w for w in words if w is not None]
        if not verdicts:
            return Score(self.default), 0
        has_probability = not self.chain_of_thought and all(r.logprob is not None for r in replies)
        return Score(probability(replies) if has_probability else fmean(verdicts)), len(verdicts)


def concluded(reply: Completion) -> bool | None:
    """Return True if a rationale ends in Yes, False if in No, None if in neither."""
    marks = r"(?:answer|solution) correct(?:\s*\(?yes/no\)?)?|verification|verdict|answer(?=:)"
    word = stated(said(reply), marks, "yes|no")
    return None if word is None else word.lower() == "yes"


def token(reply: Completion) -> bool | None:
    """Return True if a token is Yes, or its start in a small vocabulary, False if No, else None."""
    word = reply.text.strip(" \n*\"'").lower()
    if not word:
        return None
    return True if "yes".startswith(word) else False if "no".startswith(word) else None


def probability(replies: Sequence[Completion]) -> float:
    """Return the probability of Yes against No, from the probabilities of the sampled tokens.

    It is exact if both words were sampled. If only one was, the other gets the mass of all unsampled
    tokens: correct for a model that answers little else, and then free of sampling noise.
    """
    distinct = {r.text: r for r in replies}.values()
    yes, no, other = (mass(r for r in distinct if token(r) is word) for word in (True, False, None))
    if yes and no:
        return yes / (yes + no)
    rest = max(1e-9, 1 - other)
    return min(1.0, yes / rest) if yes else max(0.0, 1 - no / rest)


def mass(replies: Iterable[Completion]) -> float:
    """Return the total probability of these tokens."""
    return sum(exp(r.logprob or 0.0) for r in replies)
