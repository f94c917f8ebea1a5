"""RLHFlow's process reward model for DeepSeek's solutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic.dataclasses import dataclass

from reasoner.errors import ConfigError
from reasoner.verifiers.common.probability import softmax
from reasoner.verifiers.reward.encoding import Encoded, marked
from reasoner.verifiers.reward.prm import PRM

GOOD, BAD = "+", "-"


@dataclass(frozen=True)
class RLHFlowDeepseek(PRM):
    """RLHFlow, DeepSeek data (Xiong et al., 2024): '+' as the reply to each step (vLLM, as a classifier).

    The format is that of `math-rm/prm_evaluate.py` in RLHFlow/RLHF-Reward-Modeling: a conversation in
    which the user says a step (the first one after the question and a space) and the assistant
    "+". The score is the softmax of the logits of '+' and '-' where the reply is due.
    """

    model: str = "RLHFlow/Llama3.1-8B-PRM-Deepseek-Data"

    def labels(self, tokenizer: Any) -> tuple[str, ...]:
        """Return '+' and '-'."""
        ids = [tokenizer.encode(sign, add_special_tokens=False)[-1] for sign in (GOOD, BAD)]
        return tuple(tokenizer.convert_ids_to_tokens(ids))

    def tokens(self, tokenizer: Any, problem: str, steps: Sequence[str]) -> Encoded:
        """Return the conversation, read at the token before each '+'.

        Raises:
            ConfigError: the chat template merges the reply with other tokens.
        """
        first, *others = (step.strip() for step in steps)
        conversation = list[dict[str, str]]()
        marks, text = list[int](), ""
        for turn in (f"{problem} {first}", *others):
            conversation.append({"role": "user", "content": turn})
            conversation.append({"role": "assistant", "content": GOOD})
            text = str(tokenizer.apply_chat_template(conversation, tokenize=False))
            marks.append(text.rindex(GOOD))
        encoded = marked(tokenizer, text, marks)
        good = tokenizer.encode(GOOD, add_special_tokens=False)[-1]
        if any(encoded.ids[read + 1] != good for read in encoded.reads):
            raise ConfigError(f"the chat template of {self.model!r} does not keep {GOOD!r} apart")
        return encoded.upto(encoded.reads)

    def value(self, logits: Sequence[float]) -> float:
        """Return the probability of '+'."""
        return softmax(logits, 0)
