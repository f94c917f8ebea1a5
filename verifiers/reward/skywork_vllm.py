"""The architecture of Skywork-o1-Open-PRM for vLLM, which has none of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vllm.model_executor.models.adapters import as_seq_cls_model
from vllm.model_executor.models.qwen2 import Qwen2ForCausalLM

Classifier: Any = as_seq_cls_model(Qwen2ForCausalLM)


class Qwen2ForPrmModel(Classifier):  # type: ignore[misc]
    """Qwen2 with a linear classifier of one label, which the value head is under another name."""

    def load_weights(self, weights: Iterable[tuple[str, Any]]) -> Any:
        """Load the checkpoint's weights, with its head renamed."""
        return super().load_weights(
            (name.replace("v_head.summary.", "score."), tensor) for name, tensor in weights
        )
