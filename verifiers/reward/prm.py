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
    """A process reward model, less its format.

    The candidate's text is cut at `separator`, however it was sampled: a solution drawn at once has
    the same steps and scores as one grown step by step. A search should end its steps there too.
    What is left over at the end is a step, finished or not; a candidate without any scores 0.
    `aggregate` makes one score of the steps': the `last` tells what a prefix is worth, `min` and
    `prod` whether a step is wrong (Lightman et al., 2023).
    """

    separator: Annotated[str, Field(min_length=1)] = "\n\n"
    aggregate: Literal["last", "min", "prod", "mean"] = "last"

    @abstractmethod
    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        """The tokens of a solution in steps, at least one, and where each one's score is read."""

    def encode(self, tokenizer: Any, problem: str, solution: str) -> Encoded:
        """The tokens of a solution, and one read per step."""
        steps = cut(solution, self.separator)
        return self.tokens(tokenizer, problem, steps) if steps else Encoded()

    def judge(self, values: tuple[float, ...]) -> Score:
        """The aggregate of the steps' values."""
        return Score(AGGREGATES[self.aggregate](values) if values else 0.0, values)
