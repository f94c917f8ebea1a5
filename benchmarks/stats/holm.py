"""Many comparisons at once: p-values that hold for all of them together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(ps: Sequence[float]) -> list[float]:
    """Each p-value adjusted for all: whichever are at most 5 %, one false one is among them that rarely.

    The smallest of `m` times m, the next times m-1, and so on, none below the one before (Holm, 1979). It
    holds however the comparisons depend on one another.
    """
    order = np.argsort(ps, kind="stable")
    steps = np.arange(len(ps), 0, -1) * np.asarray(ps, float)[order]
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return [float(p) for p in adjusted]
