"""Questions with an answer each: what the tasks that read them from a data set have in common."""

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
    Rule,
    canonical,
    exact,
    extract,
    letter,
    number,
    numeric,
    plain,
    symbolic,
)
from reasoner.benchmarks.tasks.loading import Row, drawn, rows, text
from reasoner.errors import ConfigError
from reasoner.types import Problem, Sampling

BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
"""The instruction of Qwen2.5-Math's evaluation, which most models of mathematics know."""
T = TypeVar("T")
NEXT = re.compile(r"\n[ \t]*(?:Q|Question|Problem|Input):")
"""Where a base model that has seen worked examples goes on to a question of its own."""
Grader = Literal["exact", "numeric", "symbolic", "choice"]


def first(reading: Callable[[str], T | None], solution: str) -> T | None:
    """What `reading` finds before a question that the solver asked itself, else anywhere."""
    return reading(NEXT.split(solution, maxsplit=1)[0]) or reading(solution)


def count(answer: str) -> str:
    """One spelling for equal numbers, whatever their unit: `18 dollars` and `$18.00` are 18."""
    found = number(answer, unit=True)
    return canonical(answer) if found is None or found.percent else str(found.value)


def taken(task: str, worked: Sequence[T], shots: int) -> Sequence[T]:
    """The first `shots` worked examples, and one to stand in for the question itself, if it is there.

    Raises:
        ConfigError: there are not so many.
    """
    if shots > len(worked):
        raise ConfigError(f"task {task!r} has no more than {len(worked)} shots, not shots={shots}")
    return worked[: shots + 1]


def worded(question: str) -> str:
    """A question with its spaces evened out."""
    return " ".join(question.split())


@plain_dataclass(frozen=True, slots=True)
class Grading:
    """What an answer is: how a text states it, its spelling in votes, and the rule of equality."""

    states: Callable[[str], str | None]
    spell: Callable[[str], str]
    same: Rule


GRADERS: dict[str, Grading] = {
    "exact": Grading(extract, plain, exact),
    "numeric": Grading(extract, count, numeric),
    "symbolic": Grading(extract, canonical, symbolic),
    "choice": Grading(letter, str, exact),
}


@dataclass(frozen=True)
class Questions:
    """A data set of questions, one by one, each after `shots` worked examples.

    `data` is a file, a folder or a name on the Hugging Face hub; `step` is what ends a step of a
    solution, which has at most `max_tokens`; `instruction` follows a question that no worked example
    precedes. A reference is read as a solution is, so it may be one: it may end in `#### 18`, or box
    its answer.
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
    """What stands before a question and behind it where worked examples do so too."""
    worked: ClassVar[Sequence[tuple[str, str]]] = ()

    @cached_property
    def shown(self) -> Sequence[tuple[str, str]]:
        """The worked examples to put before a question, and one to spare: a question and its solution each."""
        return taken(self.name, self.worked, self.shots)

    @property
    def sampling(self) -> Sampling:
        """How a solution is drawn: `step` ends a step, the rest is as in the task's papers.

        After worked examples a model goes on with a question of its own, which ends the solution.
        """
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            stop=(self.step,),
            end=(self.layout[0].strip(),) if self.shots else (),
        )

    def prompt(self, text: str) -> str:
        """A question as the model reads it: with an instruction, or after worked examples of others.

        Raises:
            ConfigError: there are not as many as `shots`.
        """
        if not self.shots:
            return f"{text.strip()}\n{self.instruction}\n"
        before, behind = self.layout
        others = [(q, a) for q, a in self.shown if worded(q) != worded(text)]
        shown = (f"{before}{q}{behind} {a}\n\n" for q, a in others[: self.shots])
        return f"{''.join(shown)}{before}{text.strip()}{behind}"

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """The first `count` questions of a split, in an order of its own for each `seed` but 0.

        Raises:
            ConfigError: the data cannot be read, has no such split, lacks a field, or repeats a name.
        """
        chosen = drawn([*enumerate(rows(self.data, split))], count, seed)
        named = {self.identity(split, index, row): row for index, row in chosen}
        if twins := len(chosen) - len(named):
            raise ConfigError(
                f"{twins} problems of {self.data!r} have the name of another; choose an id field that"
                " tells them apart, or none"
            )
        for name, row in named.items():
            yield Example(Problem(name, self.prompt(self.question(row))), self.reference(row))

    def identity(self, split: str, index: int, row: Row) -> str:
        """A name for a row of its own."""
        return f"{self.name}-{split}-{index}"

    def question(self, row: Row) -> str:
        """What a row asks."""
        return text(row, *self.question_fields)

    def reference(self, row: Row) -> str:
        """The answer to a row's question."""
        return self.stated(text(row, *self.answer_fields))

    def stated(self, reference: str) -> str:
        """The answer in a reference, which may be a whole solution."""
        return self._grading.states(reference) or reference

    def answer(self, solution: str) -> str | None:
        """The answer that a solution states, one spelling for equal numbers."""
        stated = first(self._grading.states, solution)
        return None if stated is None else self._grading.spell(stated)

    def check(self, example: Example, solution: str) -> bool:
        """Whether a solution states the reference's answer; waits for a worker if that takes algebra."""
        stated = first(self._grading.states, solution)
        return stated is not None and self._grading.same(stated, self.stated(example.answer))

    @property
    def _grading(self) -> Grading:
        return GRADERS[self.grader]
