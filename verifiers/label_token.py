"""Label tokens: the odds of one next token against another, after each step."""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from math import inf, isnan, nan
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.base import Backend, check_labels
from reasoner.bill import billed
from reasoner.budget import worst_case
from reasoner.concurrency import gather
from reasoner.errors import ConfigError
from reasoner.traits import VerifierTraits, backend_traits
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

    Any causal model becomes a process reward model (Wang et al., 2023, arXiv 2312.08935, read two
    tokens in this way; Kadavath et al., 2022, arXiv 2207.05221, P(True)), on its own engine: the
    sampled tokens are sent unchanged, so that they hit the prefix cache. Steps are split as by `PRM`,
    and `aggregate` combines their scores. A step has no score and counts as `Judgement.malformed` if
    the backend returns no label probabilities or the context is too short; a candidate without any
    step score scores 0.
    """

    good: Text = " Yes"
    bad: Text = " No"
    suffix: str = "\nIs the solution correct so far (Yes/No)?"
    separator: Text = "\n\n"
    aggregate: Literal["last", "min", "prod", "mean"] = "last"
    traits = VerifierTraits(labels=True)

    def __post_init__(self) -> None:
        """Reject two equal labels."""
        if self.good == self.bad:
            raise ValueError(f"good and bad are both {self.good!r}; give two labels that differ")

    def estimate(self, problem: Problem, candidates: Sequence[Candidate]) -> Usage:
        """Return the usage of one token after each unscored step, with nothing cached."""
        prompts = [Prompt(problem, *self._asking(s)) for s in self._unknown(problem, candidates)]
        lengths = [self.asked.prompt_length(prompt) for prompt in prompts]
        worst = (worst_case(self._sampling, length, self.asked.model) for length in lengths)
        return sum(worst, Usage())

    async def score(self, problem: Problem, candidates: Sequence[Candidate]) -> Judgement:
        """Ask about all unscored steps at once.

        Raises:
            BackendError: the model could not answer.
            ConfigError: there is no model, a label is not one of its tokens, or it refused a prompt.
        """
        steps, bank = self._unknown(problem, candidates), self._bank(problem.prompt)
        readings = await gather(self._read(problem, step) for step in steps)
        for step, (value, _) in zip(steps, readings, strict=True):
            bank.learn(step, [value])
        scores = tuple(self._judge(bank.recall(self._steps(c))) for c in candidates)
        usage = sum((used for _, used in readings), Usage())
        return Judgement(scores, usage, sum(isnan(value) for value, _ in readings))

    def check_model(self, model: Backend) -> None:
        """Refuse a model that has no token for a label."""
        check_labels(model, (self.good, self.bad))

    @property
    def _sampling(self) -> Sampling:
        return Sampling(max_tokens=1, labels=(self.good, self.bad))

    def _unknown(self, problem: Problem, candidates: Sequence[Candidate]) -> list[Encoded]:
        """Return the unscored steps, each with a single read position."""
        missing = self._bank(problem.prompt).unknown([self._steps(c) for c in candidates])
        return [each.upto([read]) for each in missing for read in each.reads]

    async def _read(self, problem: Problem, step: Encoded) -> tuple[float, Usage]:
        """Return the value of a step, nan if it cannot be read, and the usage."""
        prompt = Prompt(problem, *self._asking(step))
        try:
            generation = await billed(self.asked.generate(prompt, self._sampling))
        except ConfigError:
            # The length may be only a bound, so the backend decides which prompt is too long.
            if self._fits(prompt):
                raise
            return nan, Usage()
        return probability(generation.completions[0].labels), generation.usage

    def _fits(self, prompt: Prompt) -> bool:
        context = self.asked.model.context
        return not context or self.asked.prompt_length(prompt) < context

    def _judge(self, values: Sequence[float]) -> Score:
        scored = tuple(value for value in values if not isnan(value))
        return Score(AGGREGATES[self.aggregate](scored) if scored else 0.0, scored)

    @cached_property
    def _steps(self) -> Callable[[Candidate], Encoded]:
        """A cached function from a candidate to its tokens and steps, since a budget may ask often."""

        def steps(candidate: Candidate) -> Encoded:
            return stepped(spelling(self.asked), candidate, self.separator)

        return lru_cache(4096)(steps)

    @cached_property
    def _asking(self) -> Callable[[Encoded], tuple[str, tuple[int, ...]]]:
        """A cached function from a step to the text and tokens of its question."""

        def asking(step: Encoded) -> tuple[str, tuple[int, ...]]:
            text = spelling(self.asked).decode(step.ids) + self.suffix
            if backend_traits(self.asked).spells:
                return text, (*step.ids, *self.asked.encode(self.suffix))
            return text, self.asked.encode(text)

        return lru_cache(4096)(asking)

    @cached_property
    def _bank(self) -> Callable[[str], ScoreCache]:
        """A function from a problem to its score cache."""
        return score_caches()


def probability(labels: Sequence[float]) -> float:
    """Return the probability of the first of two labels, from their log-probabilities.

    It is nan if there are none, or if both labels are impossible.
    """
    if not labels or max(labels) == -inf:
        return nan
    good, bad = labels
    return sigmoid(good - bad)
