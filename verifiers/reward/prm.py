"""Process reward models: one score per step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.types import Score
from reasoner.verifiers.common.aggregation import AGGREGATES
from reasoner.verifiers.reward.encoding import Encoded, cut
from reasoner.verifiers.reward.reward_model import RewardModel


@dataclass(frozen=True)
class PRM(RewardModel):
    """The base of process reward models; subclasses define the format.

    The candidate's text is split at `separator`, however it was sampled: a solution sampled at once has
    the same steps and scores as one sampled step by step. A search should end its steps there too. The
    remainder at the end is a step, finished or not; a candidate without steps scores 0. `aggregate`
    combines the scores of steps: `last` estimates the value of the prefix, `min` and `prod` detect a
    wrong step (Lightman et al., 2023).
    """

    separator: Annotated[str, Field(min_length=1)] = "\n\n"
    aggregate: Literal["last", "min", "prod", "mean"] = "last"

    @abstractmethod
    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        """Return the tokens of one or more steps, and the position of each one's score."""

    def encode(self, tokenizer: Any, problem: str, solution: str) -> Encoded:
        """Return the tokens of a solution, with one read per step."""
        steps = cut(solution, self.separator)
        return self.tokens(tokenizer, problem, steps) if steps else Encoded()

    def judge(self, values: tuple[float, ...]) -> Score:
        """Return the aggregate of the steps' values; 0 without steps."""
        return Score(AGGREGATES[self.aggregate](values) if values else 0.0, values)
