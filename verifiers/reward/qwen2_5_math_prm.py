"""Qwen2.5-Math-PRM."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.verifiers.common.probability import softmax
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.prm import PRM

TAG = "<extra_0>"
SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."


@dataclass(frozen=True)
class Qwen25MathPRM(PRM):
    """Qwen2.5-Math-PRM (Zhang et al., 2025): two labels at the <extra_0> after each step (vLLM).

    arXiv 2501.07301; the format is that of the model card of Qwen/Qwen2.5-Math-PRM-7B: a
    conversation with `system`, the problem, and all steps as one reply, <extra_0> after each. The
    score is the probability of the second label there. It is trained on labels that a language
    model agrees with, and so judges whether a step is right: the default aggregate is `min`.
    """

    model: str = "Qwen/Qwen2.5-Math-PRM-7B"
    aggregate: Literal["last", "min", "prod", "mean"] = "min"
    system: str = SYSTEM

    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        """Return the conversation, read at the tag that ends each step, not at tags inside a step.

        Raises:
            ConfigError: the tokenizer has no such tag.
        """
        messages = [
            {"role": "system", "content": self.system},
            {"role": "user", "content": problem},
            {"role": "assistant", "content": "".join(f"{step}{TAG}" for step in steps)},
        ]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        ids = tuple(tokenizer.encode(text))
        tag = tokenizer.encode(TAG)[0]
        tags = [i for i, token in enumerate(ids) if token == tag]
        before = text.count(TAG) - messages[2]["content"].count(TAG)
        ends = accumulate((step.count(TAG) + 1 for step in steps), initial=before - 1)
        if len(tags) != text.count(TAG):
            raise ConfigError(f"{self.model!r} has no token {TAG!r}: it is no Qwen2.5-Math-PRM")
        encoded = Encoded(ids, tuple(tags[n] for n in list(ends)[1:]))
        return encoded.upto(encoded.reads)

    def value(self, logits: Sequence[float]) -> float:
        """Return the probability that the step is right."""
        return softmax(logits, 1)
