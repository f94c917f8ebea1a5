"""A logits processor for vLLM that writes verdicts into the sampled tokens.

Any vLLM server can load it: `--logits-processors reasoner.backends.verdict_logits:Levels`.

vLLM 0.32 and 0.33 have two model runners with an interface each: the first serves CPUs without Triton, the
second is the default on a GPU. Each refuses what is not a subclass of its own, so `Levels` is one of both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor as FirstInterface
from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as SecondInterface

from reasoner.backends.verdict_levels import write_levels
from reasoner.backends.verdict_tokens import endings


class Levels(FirstInterface, SecondInterface):
    """Move the probability of an end to the single level token that encodes its verdict.

    It acts before temperature and top-p, so a verdict does not depend on the sampling settings.
    """

    def __init__(self, vllm_config: Any, *state: Any) -> None:
        """Read the endings of the model; `state` is what a runner stores of its requests, unused."""
        self._endings = endings(Path(vllm_config.model_config.model))

    def is_argmax_invariant(self) -> bool:
        """Return False: an end's probability is summed over its two tokens."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Do nothing: no state is stored per request."""

    def apply(self, logits: torch.Tensor, ctx: Any = None) -> torch.Tensor:
        """Rewrite `logits` (rows, vocabulary) in place; the second runner's `ctx` is not needed."""
        return write_levels(logits, self._endings)
