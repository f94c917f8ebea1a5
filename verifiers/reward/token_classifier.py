"""Any token classifier that was trained as process reward model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.verifiers.common.probability import sigmoid, softmax
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.prm import PRM


@dataclass(frozen=True)
class TokenClassifier(PRM):
    """Any *ForTokenClassification PRM, read at the end of each step (vLLM; GPT-2: Transformers).

    The format is that of TRL's `PRMTrainer`: the beginning-of-text token if there is one, the
    problem, then each step tokenised by itself and followed by `tag`, the trainer's
    `step_separator`. Of two or more labels the score is the probability of `label`, by default the
    last; one label is a reward, and its sigmoid the score.
    """

    separator: Annotated[str, Field(min_length=1)] = "\n"
    tag: Annotated[str, Field(min_length=1)] = "\n"
    label: int = -1

    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        """Problem and steps, each tokenised by itself; read at the last token of each tag."""

        def ids(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False))

        told = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        told += ids(problem)
        reads = list[int]()
        for step in steps:
            told += ids(step) + ids(self.tag)
            reads.append(len(told) - 1)
        return Encoded(tuple(told), tuple(reads))

    def value(self, logits: Sequence[float]) -> float:
        """The probability of `label`."""
        return sigmoid(logits[0]) if len(logits) == 1 else softmax(logits, self.label)
