"""Token classifiers that are trained as process reward models."""

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
    `step_separator`. With two or more labels the score is the probability of `label`, by default the
    last; with one, a reward, it is its sigmoid.
    """

    separator: Annotated[str, Field(min_length=1)] = "\n"
    tag: Annotated[str, Field(min_length=1)] = "\n"
    label: int = -1

    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        """Return the problem and the steps, each tokenised separately, read at the last token of each tag."""

        def ids(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False))

        tokens = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        tokens += ids(problem)
        reads = list[int]()
        for step in steps:
            tokens += ids(step) + ids(self.tag)
            reads.append(len(tokens) - 1)
        return Encoded(tuple(tokens), tuple(reads))

    def value(self, logits: Sequence[float]) -> float:
        """Return the probability of `label`, or the sigmoid of a lone reward."""
        return sigmoid(logits[0]) if len(logits) == 1 else softmax(logits, self.label)
