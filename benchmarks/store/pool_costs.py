"""The cost of the first `k` samples of a pool, as a run that draws `k` would be charged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reasoner.benchmarks.stats.arrays import Floats
from reasoner.benchmarks.store.records import Record, Spend

Costs = Mapping[str, Floats]
"""Each field of `Spend`, and `flops`, problem by problem."""
FIELDS = tuple(Spend.model_fields)


def costs_of(spends: Sequence[Spend]) -> Costs:
    """Return costs as arrays of shape (problems,)."""
    costs = {name: np.array([getattr(s, name) for s in spends], float) for name in FIELDS}
    return with_flops(costs)


def with_flops(costs: Costs) -> Costs:
    """Return `costs` with the sum of the generator's and the verifier's FLOPs."""
    return {**costs, "flops": costs["generator_flops"] + costs["verifier_flops"]}


@dataclass(frozen=True)
class PoolCosts:
    """The costs of whole pools, each array of shape (problems,).

    `samples` counts at least 1. `prompt` and `tails` are FLOPs: of the prompt, once, and of the part of it
    that each further sample computes again.
    """

    samples: Floats
    spend: Costs
    prompt_tokens: Floats
    prompt: Floats
    tails: Floats

    @classmethod
    def of(cls, records: Sequence[Record]) -> PoolCosts:
        """Return the costs of the pools in `records`.

        Where a record has no FLOPs of the tails, a token of them costs what one of the prompt does.
        """
        spend = costs_of([r.spend for r in records])
        total, tokens = spend["generator_flops"], _column(r.prompt_tokens for r in records)
        prompt = np.minimum(_column(r.prompt_flops for r in records), total)
        again = np.maximum(0.0, spend["prompt_tokens_fresh"] - tokens)
        known = _column(np.nan if r.tails_flops is None else r.tails_flops for r in records)
        tails = np.where(np.isnan(known), prompt * again / np.maximum(1, tokens), known)
        return cls(
            samples=_column(max(1, len(r.samples)) for r in records),
            spend=spend,
            prompt_tokens=tokens,
            prompt=prompt,
            tails=np.minimum(tails, total - prompt),
        )

    def portion(self, k: int, verified: bool) -> Costs:
        """Return the cost of `k` samples of each pool.

        The first sample computes the prompt. Each further one computes again the tail that no full cache
        block holds. Decoding and scoring are in proportion, and so are seconds: a share of the pool's time,
        not a measured latency.
        """
        spend, n = self.spend, self.samples
        share, again = np.minimum(1.0, k / n), np.minimum(1.0, (k - 1) / np.maximum(1, n - 1))
        again = np.where(n > 1, again, 1.0)
        first = np.minimum(self.prompt_tokens, spend["prompt_tokens_fresh"])
        decoding = spend["generator_flops"] - self.prompt - self.tails
        scored = share if verified else np.zeros(len(n))
        return with_flops(
            {
                "generated_tokens": share * spend["generated_tokens"],
                "prompt_tokens_fresh": first + again * (spend["prompt_tokens_fresh"] - first),
                "prompt_tokens_cached": again * spend["prompt_tokens_cached"],
                "verifier_tokens": scored * spend["verifier_tokens"],
                "generator_flops": self.prompt + again * self.tails + share * decoding,
                "verifier_flops": scored * spend["verifier_flops"],
                "seconds": share * spend["seconds"],
                "thinking_tokens": share * spend["thinking_tokens"],
                "thinking_estimated": share * spend["thinking_estimated"],
            }
        )


def portion(record: Record, k: int, verified: bool) -> Spend:
    """Return the cost of `k` samples of one pool; see `PoolCosts.portion`."""
    costs = PoolCosts.of([record]).portion(k, verified)
    return Spend(**{name: float(costs[name][0]) for name in FIELDS})


def _column(values: Iterable[float]) -> Floats:
    return np.fromiter(values, float)
