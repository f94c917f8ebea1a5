"""Label tokens: after each step, the odds of one next token against another."""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from math import inf, isnan, nan
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.base import Spelling
from reasoner.budget import worst_case
from reasoner.concurrency import gather
from reasoner.errors import ConfigError
from reasoner.types import Candidate, Judgement, Problem, Prompt, Sampling, Score, Usage
from reasoner.verifiers.common.aggregation import AGGREGATES
from reasoner.verifiers.common.llm_judge import Borrowing
from reasoner.verifiers.common.probability import sigmoid
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.score_cache import ScoreCache, score_caches
from reasoner.verifiers.reward.step_boundaries import spelling, stepped

Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, kw_only=True)
class LabelToken(Borrowing):
    """P(good) / (P(good) + P(bad)) of the token that follows each step and `suffix`.

    Any causal model as process reward model (Wang et al., 2023, arXiv 2312.08935, read two tokens so;
    Kadavath et al., 2022, arXiv 2207.05221, P(True)), on its own engine: what was sampled goes there
    again token for token, so that the prefix cache has it. Steps are cut as by `PRM`, and `aggregate`
    makes one score of theirs. A step whose labels the model does not tell, or that its context has no
    room for, has no score and is counted (`Judgement.malformed`); a candidate without any scores 0.
    """

    good: Text = " Yes"
    bad: Text = " No"
    suffix: str = "\nIs the solution correct so far (Yes/No)?"
    separator: Text = "\n\n"
    aggregate: Literal["last", "min", "prod", "mean"] = "last"

    def __post_init__(self) -> None:
        """Refuse labels that nothing can tell apart."""
        if self.good == self.bad:
            raise ValueError(f"good and bad are both {self.good!r}; give two labels that differ")

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """A token after each step that is not known yet, and nothing cached."""
        asked = [Prompt(problem, *self._asking(s)) for s in self._unknown(problem, candidates)]
        lengths = [self.asked.prompt_length(prompt) for prompt in asked]
        worst = (worst_case(self._sampling, length, self.asked.model) for length in lengths)
        return sum(worst, Usage())

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Ask about the steps that are not known yet, all at once.

        Raises:
            BackendError: the model could not answer.
            ConfigError: there is no model, a label is not one of its tokens, or it refused a prompt.
        """
        asked, bank = self._unknown(problem, candidates), self._bank(problem.prompt)
        readings = await gather(self._read(problem, step) for step in asked)
        for step, (value, _) in zip(asked, readings, strict=True):
            bank.learn(step, [value])
        scores = tuple(self._judge(bank.recall(self._steps(c))) for c in candidates)
        usage = sum((used for _, used in readings), Usage())
        return Judgement(scores, usage, sum(isnan(value) for value, _ in readings))

    @property
    def _sampling(self) -> Sampling:
        return Sampling(max_tokens=1, labels=(self.good, self.bad))

    def _unknown(self, problem: Problem, candidates: Sequence[Candidate]) -> list[Encoded]:
        """The steps to ask about, one read each."""
        missing = self._bank(problem.prompt).unknown([self._steps(c) for c in candidates])
        return [each.upto([read]) for each in missing for read in each.reads]

    async def _read(self, problem: Problem, step: Encoded) -> tuple[float, Usage]:
        """The value of a step, nan where it cannot be told, and what that cost."""
        prompt = Prompt(problem, *self._asking(step))
        try:
            told = await self.asked.generate(prompt, self._sampling)
        except ConfigError:
            # The length may be a bound only, so that it is the backend that tells what is too long.
            if self._fits(prompt):
                raise
            return nan, Usage()
        return probability(told.completions[0].labels), told.usage

    def _fits(self, prompt: Prompt) -> bool:
        context = self.asked.model.context
        return not context or self.asked.prompt_length(prompt) < context

    def _judge(self, values: Sequence[float]) -> Score:
        told = tuple(value for value in values if not isnan(value))
        return Score(AGGREGATES[self.aggregate](told) if told else 0.0, told)

    @cached_property
    def _steps(self) -> Callable[[Candidate], Encoded]:
        """A candidate's tokens and steps, remembering the latest: a budget may ask many times."""

        def steps(candidate: Candidate) -> Encoded:
            return stepped(spelling(self.asked), candidate, self.separator)

        return lru_cache(4096)(steps)

    @cached_property
    def _asking(self) -> Callable[[Encoded], tuple[str, tuple[int, ...]]]:
        """The text and the tokens that ask about a step, remembering the latest as well."""

        def asking(step: Encoded) -> tuple[str, tuple[int, ...]]:
            text = spelling(self.asked).decode(step.ids) + self.suffix
            if isinstance(self.asked, Spelling):
                return text, (*step.ids, *self.asked.encode(self.suffix))
            return text, self.asked.encode(text)

        return lru_cache(4096)(asking)

    @cached_property
    def _bank(self) -> Callable[[str], ScoreCache]:
        """The bank of a problem."""
        return score_caches()


def probability(labels: Sequence[float]) -> float:
    """That of the first of two log-probabilities; nan where they are not told or both zero chance."""
    if not labels or max(labels) == -inf:
        return nan
    good, bad = labels
    return sigmoid(good - bad)
