"""Math-Shepherd's process reward model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.verifiers.common.probability import softmax
from reasoner.verifiers.reward.encoding import Encoded, marked
from reasoner.verifiers.reward.prm import PRM

GOOD, BAD, TAG = "+", "-", "ки"


@dataclass(frozen=True)
class MathShepherd(PRM):
    """Math-Shepherd (Wang et al., 2023): '+' against '-' after each 'ки' (vLLM, as a classifier).

    arXiv 2312.08935; the format is that of the model card of peiyi9979/math-shepherd-mistral-7b-prm:
    the question, a space, and the solution with " ки" at the end of each line. The score is the
    softmax of the logits of '▁+' and '▁-' at the position of 'ки'. A 'ки' inside a step, as in
    Russian text, is ignored. White space around a step is dropped, as OpenR does.
    """

    model: str = "peiyi9979/math-shepherd-mistral-7b-prm"
    separator: Annotated[str, Field(min_length=1)] = "\n"

    def labels(self, tokenizer: Any) -> tuple[str, ...]:
        """Return '▁+' and '▁-' in that order, as the card's tokenizer call does."""
        ids = tokenizer.encode(f"{GOOD} {BAD}", add_special_tokens=False)
        return tuple(tokenizer.convert_ids_to_tokens(ids))

    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        """Return the whole text, read at the tag that ends each step.

        Raises:
            ConfigError: the tokenizer has no such tag.
        """
        if len(tokenizer.encode(TAG, add_special_tokens=False)) != 1:
            raise ConfigError(f"{self.model!r} has no token {TAG!r}: it is no Math-Shepherd PRM")
        # A space before the tag's own would be merged with it, and the tag be another token.
        ended = [f"{step.strip()} {TAG}" for step in steps]
        sizes = (len(step) + len(self.separator) for step in ended)
        starts = accumulate(sizes, initial=len(problem) + 1)
        marks = [start + len(step) for start, step in zip(starts, ended, strict=False)]
        text = f"{problem} {self.separator.join(ended)}"
        return marked(tokenizer, text, marks, special_tokens=True)

    def value(self, logits: Sequence[float]) -> float:
        """Return the probability of '+'."""
        return softmax(logits, 0)
