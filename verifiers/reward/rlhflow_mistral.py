"""RLHFlow's process reward model for Mistral's solutions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.verifiers.reward.rlhflow_deepseek import RLHFlowDeepseek


@dataclass(frozen=True)
class RLHFlowMistral(RLHFlowDeepseek):
    """RLHFlow, Mistral data (Xiong et al., 2024): '+' as the reply to each line (vLLM, as a classifier).

    The conversation is the same as for DeepSeek data. The training solutions, Math-Shepherd's, have one
    step per line.
    """

    model: str = "RLHFlow/Llama3.1-8B-PRM-Mistral-Data"
    separator: Annotated[str, Field(min_length=1)] = "\n"
