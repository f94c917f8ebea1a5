"""Outcome reward models: one score per solution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic.dataclasses import dataclass

from reasoner.types import Score
from reasoner.verifiers.common.probability import sigmoid, softmax
from reasoner.verifiers.reward.encoding import Encoded
from reasoner.verifiers.reward.reward_model import RewardModel


@dataclass(frozen=True)
class ORM(RewardModel):
    """Any sequence classifier as outcome reward model, read at the last token (vLLM).

    Problem and solution form a conversation in a chat model's template (`chat=None`: if the tokenizer has
    one); else one follows the other. With one label, a reward, the score is its sigmoid; with several, it
    is the probability of `label`, by default the last.
    """

    chat: bool | None = None
    system: str = ""
    label: int = -1

    def encode(self, tokenizer: Any, problem: str, solution: str) -> Encoded:
        """Return the whole text, read at its last token."""
        if not (bool(tokenizer.chat_template) if self.chat is None else self.chat):
            ids = tokenizer.encode(problem + solution)
        else:
            ids = tokenizer.encode(
                tokenizer.apply_chat_template(self._messages(problem, solution), tokenize=False),
                add_special_tokens=False,
            )
        return Encoded(tuple(ids), (len(ids) - 1,))

    def value(self, logits: Sequence[float]) -> float:
        """Return the probability of `label`, or the sigmoid of a lone reward."""
        return sigmoid(logits[0]) if len(logits) == 1 else softmax(logits, self.label)

    def judge(self, values: tuple[float, ...]) -> Score:
        """Return the one value; 0 for a solution that does not fit the context."""
        return Score(values[0] if values else 0.0)

    def _messages(self, problem: str, solution: str) -> list[dict[str, str]]:
        turns = [("system", self.system)] if self.system else []
        turns += [("user", problem), ("assistant", solution)]
        return [{"role": role, "content": content} for role, content in turns]
