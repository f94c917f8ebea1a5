"""Methods of labelling the steps of a solution; two of them estimate values of its prefixes.

A method returns the labels that follow from the known estimates, and the prefixes they depend on. It is
complete once all of these have been estimated.
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
class SampledSolution:
    """A sampled solution: its steps, and the prompt that continues it after each but the last."""

    steps: Sequence[str]
    prefixes: Sequence[Prompt]
    correct: bool
    tokens: int

    @classmethod
    def of(
        cls, problem: Problem, pieces: Sequence[Completion], separator: str, correct: bool
    ) -> Self:
        """Return the solution sampled as `pieces`; a prefix has exactly the tokens that were sampled."""
        prompts = [*accumulate(pieces, Prompt.extend, initial=Prompt(problem))]
        steps = cut(prompts[-1].text, separator)
        marks = ends(prompts[-1].text, separator)[:-1]
        prefixes = [next(p for p in prompts if len(p.text) >= mark) for mark in marks]
        return cls(steps, prefixes, correct, len(prompts[-1].token_ids))


@dataclass(frozen=True, slots=True)
class StepEstimate:
    """The share of a prefix's continuations with a right answer, and the tokens of all of them."""

    value: float
    tokens: int


Known = Mapping[str, StepEstimate]
"""Estimates by the text of the prefix: solutions with a common prefix share them."""


@dataclass(frozen=True, slots=True)
class StepLabels:
    """A label and a value (None if unknown) per step, and the prefixes that these depend on."""

    labels: list[bool]
    values: list[float | None]
    probed: Sequence[Prompt] = ()


Way = Callable[[SampledSolution, Known], StepLabels]


def monte_carlo(solution: SampledSolution, known: Known) -> StepLabels:
    """Math-Shepherd (Wang et al., 2023, arXiv 2312.08935): a step is right if a right answer can follow.

    The value of a step is the share of right continuations after it (soft estimation, equation 4); its
    label is true if there is one (hard estimation, equation 3). The value of the last step is the
    outcome, which needs no estimate.
    """
    estimates = [known.get(prefix.text) for prefix in solution.prefixes]
    values = [None if e is None else e.value for e in estimates]
    values += [float(solution.correct)] if solution.steps else []
    return StepLabels([bool(value) for value in values], values, solution.prefixes)


def omega(solution: SampledSolution, known: Known) -> StepLabels:
    """OmegaPRM (Luo et al., 2024, arXiv 2406.06592, section 3.2): binary search for the first error.

    If the middle prefix has a right continuation, the first error comes later, otherwise not. Steps before
    the first error are right, all later ones wrong. A solution with a right outcome is not searched: it
    is itself a right continuation of each of its prefixes.
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
    return StepLabels([step < bad for step in range(1, size + 1)], values, probed)


def outcome(solution: SampledSolution, _: Known) -> StepLabels:
    """Label every step with the solution's outcome, as token-level verifiers learn (Cobbe et al., 2021).

    It needs no continuations (arXiv 2110.14168, section 4.1): the mean of a prefix's labels over many solutions is its value.
    """
    size = len(solution.steps)
    values: list[float | None] = [None] * size
    values[-1:] = [float(solution.correct)] if size else []
    return StepLabels([solution.correct] * size, values)


def exact(task: Labelled, problem: Problem, separator: str) -> Way:
    """Return the task's own labels, which come from the reference answer: for evaluation, never for training."""

    def way(solution: SampledSolution, _: Known) -> StepLabels:
        prefixes = [separator.join(solution.steps[: i + 1]) for i in range(len(solution.steps))]
        labels = [all(task.step_labels(problem, prefix)) for prefix in prefixes]
        return StepLabels(labels, [None] * len(labels))

    return way
