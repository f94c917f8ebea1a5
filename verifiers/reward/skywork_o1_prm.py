"""Skywork-o1-Open-PRM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.verifiers.common.probability import sigmoid
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.prm import PRM


@dataclass(frozen=True)
class SkyworkO1PRM(PRM):
    """Skywork-o1-Open-PRM (2024): a value head read at each newline (vLLM, with our model class).

    The format is that of `prepare_input` in SkyworkAI/skywork-o1-prm-inference: the beginning-of-text
    token if there is one, the problem and a newline; then each step tokenised by itself and
    followed by the separator's last token, where the value is read. The score is its sigmoid. A
    newline at the end of a solution starts no further step here, unlike there.
    """

    model: str = "Skywork/Skywork-o1-Open-PRM-Qwen-2.5-7B"
    separator: Annotated[str, Field(min_length=1)] = "\n"

    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        """Return the problem and the steps, each tokenised separately, read at each separator."""

        def ids(text: str) -> list[int]:
            return list(tokenizer.encode(text, add_special_tokens=False))

        tokens = ids(f"{tokenizer.bos_token or ''}{problem}\n")
        tag = ids(self.separator)[-1]
        reads = list[int]()
        for step in steps:
            tokens += [*ids(step), tag]
            reads.append(len(tokens) - 1)
        return Encoded(tuple(tokens), tuple(reads))

    def value(self, logits: Sequence[float]) -> float:
        """Return the sigmoid of the value."""
        return sigmoid(logits[0])
