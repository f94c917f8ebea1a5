"""Holm's correction of p-values for multiple comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(ps: Sequence[float]) -> list[float]:
    """Return the adjusted p-values: rejecting those at most 5 % keeps the family-wise error at 5 %.

    The smallest of `m` is multiplied by m, the next by m-1, and so on, none below the one before (Holm,
    1979). It holds however the comparisons depend on one another. scipy has only procedures for the
    false discovery rate.
    """
    order = np.argsort(ps, kind="stable")
    steps = np.arange(len(ps), 0, -1) * np.asarray(ps, float)[order]
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(p) for p in adjusted]
