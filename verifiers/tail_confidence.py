"""Tail confidence: the model's confidence at the end, or where it is lowest."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from math import ceil
from statistics import fmean
from typing import Literal

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.traits import VerifierTraits
from reasoner.types import Candidate, Problem
from reasoner.verifiers.common.rules import Free
from reasoner.verifiers.self_certainty import LIKELIEST, scaled, token_confidences


@dataclass(frozen=True)
class TailConfidence(Free):
    """The confidence of one group of `window` tokens in a row (Fu et al., 2025, arXiv 2508.15260).

    `group` selects it: `last` is the paper's tail confidence, `lowest` its lowest group confidence,
    and `bottom` the mean of the lowest tenth of all groups. A solution shorter than the window is one
    group. Values are scaled as in `self-certainty`.
    """

    group: Literal["last", "lowest", "bottom"] = "last"
    window: PositiveInt = 32
    traits = VerifierTraits(confidences=LIKELIEST)

    def judge(self, problem: Problem, candidate: Candidate) -> float:
        """Scale the confidence of the group."""
        sure = token_confidences(candidate, "tail-confidence")
        return scaled(GROUPS[self.group](means(sure, self.window))) if sure else 0.0


def means(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of each run of `window` consecutive values."""
    size = min(window, len(values))
    sums = list(accumulate(values, initial=0.0))
    return [(end - start) / size for start, end in zip(sums, sums[size:], strict=False)]


def last(groups: Sequence[float]) -> float:
    """Return the last group."""
    return groups[-1]


def bottom(groups: Sequence[float]) -> float:
    """Return the mean of the lowest tenth of the groups."""
    return fmean(sorted(groups)[: ceil(len(groups) / 10)])


GROUPS: dict[str, Callable[[Sequence[float]], float]] = {
    "last": last, "lowest": min, "bottom": bottom,
}  # fmt: skip
