"""Rewriting of logits so that the token that ends a step encodes the verdict on it, without an engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from reasoner.backends.verdict_tokens import LOG_ODDS, Ending


def write_levels(logits: torch.Tensor, endings: Sequence[Ending]) -> torch.Tensor:
    """Move the probability of each end to the one level token that encodes its verdict, in place.

    `logits` are of shape (sequences, vocabulary), before temperature and top-p, as for
    `verdict_logits.Levels`.
    """
    for ending in endings:
        good, bad = logits[:, ending.good], logits[:, ending.bad]
        place = ((good - bad) / (2 * LOG_ODDS) + 0.5) * (len(ending.levels) - 1)
        # Where a grammar forbids both tokens, their odds are undefined, and no level has a probability.
        place = place.nan_to_num().round().clamp(0, len(ending.levels) - 1)
        level = place.long() + ending.levels.start
        either = torch.logaddexp(good, bad)
        logits[:, ending.levels.start : ending.levels.stop] = -torch.inf
        logits[:, [ending.good, ending.bad]] = -torch.inf
        logits.scatter_(1, level[:, None], either[:, None])
    return logits
