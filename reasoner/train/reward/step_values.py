"""Three ways to tell which steps of a solution are right; two of them look at how its prefixes go on.

A way looks at the estimates there are and tells what follows from them, and which prefixes that
rests on. As long as some of those have not been estimated, it is not done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

from reasoner.benchmarks.store.judgements import Labelled
from reasoner.types import Completion, Problem, Prompt
from reasoner.verifiers.reward.encoding import cut
from reasoner.verifiers.reward.step_boundaries import ends


@dataclass(frozen=True, slots=True)
class Solution:
    """A sampled solution: its steps, and what the policy goes on from after each but the last."""

    steps: Sequence[str]
    prefixes: Sequence[Prompt]
    correct: bool
    tokens: int

    @classmethod
    def of(
        cls, problem: Problem, pieces: Sequence[Completion], separator: str, correct: bool
    ) -> Self:
        """The solution sampled as `pieces`; a prefix has exactly the tokens that were sampled."""
        so_far = [*accumulate(pieces, Prompt.extend, initial=Prompt(problem))]
        steps = cut(so_far[-1].text, separator)
        marks = ends(so_far[-1].text, separator)[:-1]
        prefixes = [next(p for p in so_far if len(p.text) >= mark) for mark in marks]
        return cls(steps, prefixes, correct, len(so_far[-1].token_ids))


@dataclass(frozen=True, slots=True)
class Estimate:
    """The share of a prefix's continuations that ended right, and the tokens of them all."""

    value: float
    tokens: int


Known = Mapping[str, Estimate]
"""Estimates by the text of the prefix: where solutions begin alike, they share them."""


@dataclass(frozen=True, slots=True)
class Told:
    """A label and a value (None: unknown) per step, and the prefixes that these rest on."""

    labels: list[bool]
    values: list[float | None]
    probed: Sequence[Prompt] = ()


Way = Callable[[Solution, Known], Told]


def monte_carlo(solution: Solution, known: Known) -> Told:
    """Math-Shepherd (Wang et al., 2023, arXiv 2312.08935): a step is right if it can end well.

    The value of a step is the share of right continuations from after it (soft estimation,
    equation 4), its label whether there was one (hard estimation, equation 3). After the last step
    there is nothing to estimate: the outcome is its value.
    """
    estimates = [known.get(prefix.text) for prefix in solution.prefixes]
    values = [None if e is None else e.value for e in estimates]
    values += [float(solution.correct)] if solution.steps else []
    return Told([bool(value) for value in values], values, solution.prefixes)


def omega(solution: Solution, known: Known) -> Told:
    """OmegaPRM (Luo et al., 2024, arXiv 2406.06592, section 3.2): binary search for the first error.

    A right continuation of the middle prefix says that the first error comes later, none that it
    does not. Steps before the first error are right, those from it on are wrong. A solution with a
    right outcome is not searched: it is itself a right continuation of each of its prefixes.
    """
    size, probed = len(solution.steps), list[Prompt]()
    values: list[float | None] = [None] * size
    values[-1:] = [float(solution.correct)] if size else []
    good, bad = (size, size + 1) if solution.correct else (0, size)
    while bad - good > 1:
        middle = (good + bad) // 2
        probed.append(solution.prefixes[middle - 1])
        if (estimate := known.get(probed[-1].text)) is None:
            break
        values[middle - 1] = estimate.value
        good, bad = (middle, bad) if estimate.value else (good, middle)
    return Told([step < bad for step in range(1, size + 1)], values, probed)


def exact(task: Labelled, problem: Problem, separator: str) -> Way:
    """The task's own labels, which it has from the reference: to evaluate with, never to learn from."""

    def way(solution: Solution, _: Known) -> Told:
        prefixes = [separator.join(solution.steps[: i + 1]) for i in range(len(solution.steps))]
        labels = [all(task.step_labels(problem, prefix)) for prefix in prefixes]
        return Told(labels, [None] * len(labels))

    return way
