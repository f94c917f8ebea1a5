"""A logits processor for vLLM that writes verdicts into the sampled tokens.

Any vLLM server can load it: `vllm serve MODEL --logits-processors reasoner.backends.verdict_logits:Levels`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor

from reasoner.backends.verdict_tokens import LOG_ODDS, endings


class Levels(LogitsProcessor):
    """Move the probability of an end to the single level token that encodes its verdict.

    It acts before temperature and top-p, so a verdict does not depend on the sampling settings.
    """

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._endings = endings(Path(vllm_config.model_config.model))

    def is_argmax_invariant(self) -> bool:
        """Return False: an end's probability is summed over its two tokens."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Do nothing: no state is stored per request."""

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Rewrite `logits` (requests, vocabulary) in place."""
        for ending in self._endings:
            good, bad = logits[:, ending.good], logits[:, ending.bad]
            place = ((good - bad) / (2 * LOG_ODDS) + 0.5) * (len(ending.levels) - 1)
            level = place.round().clamp(0, len(ending.levels) - 1).long() + ending.levels.start
            either = torch.logaddexp(good, bad)
            logits[:, ending.levels.start : ending.levels.stop] = -torch.inf
            logits[:, [ending.good, ending.bad]] = -torch.inf
            logits.scatter_(1, level[:, None], either[:, None])
        return logits
