"""The output of one sample, assembled as it arrives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from reasoner.backends.token_confidence import confidences, entropies


@dataclass(slots=True)
class Output:
    """One sample so far: tokens, log-probabilities if requested, and the finish reason."""

    token_ids: list[int] = field(default_factory=list[int])
    cached_tokens: int = 0
    finish_reason: str | None = None
    stop_reason: Any = None
    sampled: list[float] | None = None
    """The sampled tokens' log-probabilities."""
    likeliest: list[list[float]] = field(default_factory=list[list[float]])
    """The highest log-probabilities at each token."""

    def first(self, size: int) -> Output:
        """Return the first `size` tokens of this sample."""
        return replace(
            self,
            token_ids=self.token_ids[:size],
            sampled=None if self.sampled is None else self.sampled[:size],
            likeliest=self.likeliest[:size],
        )

    def add(self, part: Any) -> None:
        """Append a part of the output."""
        [new] = part.outputs
        self.token_ids += new.token_ids
        self.cached_tokens = part.num_cached_tokens or 0
        self.finish_reason, self.stop_reason = new.finish_reason, new.stop_reason
        if new.logprobs is not None:
            self._read(new.logprobs)

    @property
    def logprob(self) -> float | None:
        return None if self.sampled is None else float(sum(self.sampled))

    @property
    def confidences(self) -> tuple[float, ...]:
        return confidences(self.likeliest)

    @property
    def entropies(self) -> tuple[float, ...]:
        return entropies(self.likeliest)

    @property
    def logprobs(self) -> tuple[float, ...]:
        return tuple(map(float, self.sampled or ()))

    def _read(self, flat: Any) -> None:
        """Read vLLM's `FlatLogprobs`, in which each position starts with its sampled token."""
        self.sampled = self.sampled or []
        for start, end in zip(flat.start_indices, flat.end_indices, strict=True):
            self.sampled.append(flat.logprobs[start])
            self.likeliest.append(flat.logprobs[start + 1 : end])
