"""Questions with one answer each, read from a data set: the base of the tasks that have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass as plain_dataclass
from functools import cached_property
from typing import ClassVar, Literal, TypeVar

from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.base import Example
from reasoner.benchmarks.tasks.grading import (
    GradingRule,
    canonical,
    exact,
    extract,
    letter,
    number,
    numeric,
    plain,
    symbolic,
)
from reasoner.benchmarks.tasks.loading import Row, rows, shuffled, text
from reasoner.errors import ConfigError
from reasoner.types import Problem, Sampling

BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
"""The instruction of Qwen2.5-Math's evaluation, which most mathematical models know."""
T = TypeVar("T")
NEXT = re.compile(r"\n[ \t]*(?:Q|Question|Problem|Input):")
"""The start of a question of its own, to which a base model continues after worked examples."""
Grader = Literal["exact", "numeric", "symbolic", "choice"]


def read_first(reading: Callable[[str], T | None], solution: str) -> T | None:
    """Return the reading of the part before a question that the solver asked itself, else of all."""
    return reading(NEXT.split(solution, maxsplit=1)[0]) or reading(solution)


def canonical_quantity(answer: str) -> str:
    """Return one spelling for equal numbers, ignoring units: `18 dollars` and `$18.00` become 18."""
    quantity = number(answer, unit=True)
    if quantity is None or quantity.percent:
        return canonical(answer)
    return str(quantity.value)


def worked_examples(task: str, worked: Sequence[T], shots: int) -> Sequence[T]:
    """Return the first `shots` worked examples, and one more to replace the question itself among them.

    Raises:
        ConfigError: there are fewer.
    """
    if shots > len(worked):
        raise ConfigError(
            f"task {task!r} has at most {len(worked)} worked examples, not shots={shots}"
        )
    return worked[: shots + 1]


def normalised(question: str) -> str:
    """Return a question with single spaces."""
    return " ".join(question.split())


@plain_dataclass(frozen=True, slots=True)
class Grading:
    """Rules for answers: reading them from a text (`states`), their form in votes (`spell`), and comparison (`same`)."""

    states: Callable[[str], str | None]
    spell: Callable[[str], str]
    same: GradingRule


GRADERS: dict[str, Grading] = {
    "exact": Grading(extract, plain, exact),
    "numeric": Grading(extract, canonical_quantity, numeric),
    "symbolic": Grading(extract, canonical, symbolic),
    "choice": Grading(letter, str, exact),
}


@dataclass(frozen=True)
class Questions:
    """A data set of questions, each preceded by `shots` worked examples.

    `data` is a file, a folder or a name on the Hugging Face hub; `step` ends a step of a solution, which
    has at most `max_tokens`; `instruction` follows a question without worked examples. A reference is
    read like a solution, so it may be one: it may end in `#### 18`, or box its answer.
    """

    data: str
    shots: NonNegativeInt = 0
    grader: Grader = "numeric"
    step: str = "\n\n"
    max_tokens: PositiveInt = 2048
    instruction: str = BOXED

    name: ClassVar[str]
    question_fields: ClassVar[tuple[str, ...]] = ("question", "problem")
    answer_fields: ClassVar[tuple[str, ...]] = ("answer", "solution")
    temperature: ClassVar[float] = 0.7
    top_p: ClassVar[float] = 1.0
    layout: ClassVar[tuple[str, str]] = ("Question: ", "\nAnswer:")
    """The text before and after each question where there are worked examples."""
    worked: ClassVar[Sequence[tuple[str, str]]] = ()

    @cached_property
    def shown(self) -> Sequence[tuple[str, str]]:
        """The worked examples, pairs of a question and its solution, one more than `shots`."""
        return worked_examples(self.name, self.worked, self.shots)

    @property
    def sampling(self) -> Sampling:
        """The sampling of a solution: `step` ends a step, the rest is as in the task's papers.

        After worked examples a model continues with a question of its own, which ends the solution.
        """
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            stop=(self.step,),
            end=(self.layout[0].strip(),) if self.shots else (),
        )

    def prompt(self, text: str) -> str:
        """Return a question as the model reads it: with an instruction, or after other worked examples.

        Raises:
            ConfigError: there are fewer worked examples than `shots`.
        """
        if not self.shots:
            return f"{text.strip()}\n{self.instruction}\n" if self.instruction else text.strip()
        before, after = self.layout
        others = [(q, a) for q, a in self.shown if normalised(q) != normalised(text)]
        shown = (f"{before}{q}{after} {a}\n\n" for q, a in others[: self.shots])
        return f"{''.join(shown)}{before}{text.strip()}{after}"

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """Yield the first `count` questions of a split, shuffled by any `seed` other than 0.

        Raises:
            ConfigError: the data cannot be read, has no such split, lacks a field, or repeats a name.
        """
        chosen = shuffled([*enumerate(rows(self.data, split))], count, seed)
        named = {self.identity(split, index, row): row for index, row in chosen}
        if twins := len(chosen) - len(named):
            raise ConfigError(
                f"{twins} problems of {self.data!r} have the name of another; choose an id field with"
                " unique values, or none"
            )
        for name, row in named.items():
            yield Example(self.problem(name, row), self.reference(row))

    def problem(self, name: str, row: Row) -> Problem:
        """Return the problem of a row."""
        return Problem(name, self.prompt(self.question(row)))

    def identity(self, split: str, index: int, row: Row) -> str:
        """Return a unique name for a row."""
        return f"{self.name}-{split}-{index}"

    def question(self, row: Row) -> str:
        """Return the question of a row."""
        return text(row, *self.question_fields)

    def reference(self, row: Row) -> str:
        """Return the answer to a row's question."""
        return self.stated(text(row, *self.answer_fields))

    def stated(self, reference: str) -> str:
        """Return the answer in a reference, which may be a whole solution."""
        return self._grading.states(reference) or reference

    def answer(self, solution: str) -> str | None:
        """Return the answer that a solution states, in one spelling for equal numbers."""
        stated = read_first(self._grading.states, solution)
        return None if stated is None else self._grading.spell(stated)

    def check(self, example: Example, solution: str) -> bool:
        """Return whether a solution states the reference's answer; block on a worker if that takes algebra."""
        stated = read_first(self._grading.states, solution)
        return stated is not None and self._grading.same(stated, self.stated(example.answer))

    @property
    def _grading(self) -> Grading:
        return GRADERS[self.grader]
