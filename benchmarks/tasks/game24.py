"""`game24`: make 24 of four numbers (Yao et al., 2023, Tree of Thoughts, arXiv 2305.10601, §4.1).

    Rank     901
    Puzzles  4 5 6 10        Answer: (10 - 4) * 5 - 6 = 24

Puzzles are ranked by the time that people take: the papers test on ranks 901 to 1000, and the others
are the dev split. An answer is an expression of exactly the four numbers; any that equals 24 is right.
It may also be given in steps, as `10 - 4 = 6 (left: 5 6 6)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import ClassVar

from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from reasoner.base import Example
from reasoner.benchmarks.tasks.grading import extract
from reasoner.benchmarks.tasks.loading import Row, rows, shuffled, text
from reasoner.benchmarks.tasks.question_answering import read_first, worked_examples
from reasoner.errors import ConfigError
from reasoner.types import Problem, Sampling
from reasoner.verifiers.common.derivation import Derivation
from reasoner.verifiers.common.expression import OPERATOR, Term, statements

TARGET = 24
TESTED = range(901, 1001)
RUN = re.compile(r"\d+(?:[ ,]+\d+)*")
INSTRUCTION = (
    "Use numbers and basic arithmetic operations (+ - * /) to obtain 24. Each step, you are only allowed"
    " to choose two of the remaining numbers to obtain a new number."
)
"""The instruction of Tree of Thoughts' chain-of-thought prompt."""
FORM = (
    "Use each number exactly once, and end with one expression of all four, as in"
    " Answer: (6 - 4) * (4 + 8) = 24"
)
WORKED = (
    ("4 4 6 8", "4 + 8 = 12 (left: 4 6 12)\n6 - 4 = 2 (left: 2 12)\n2 * 12 = 24 (left: 24)\n"
     "Answer: (6 - 4) * (4 + 8) = 24"),
    ("2 9 10 12", "12 * 2 = 24 (left: 9 10 24)\n10 - 9 = 1 (left: 1 24)\n24 * 1 = 24 (left: 24)\n"
     "Answer: (12 * 2) * (10 - 9) = 24"),
    ("1 4 8 8", "8 / 4 = 2 (left: 1 2 8)\n1 + 2 = 3 (left: 3 8)\n3 * 8 = 24 (left: 24)\n"
     "Answer: (1 + 8 / 4) * 8 = 24"),
    ("5 5 5 9", "5 + 5 = 10 (left: 5 9 10)\n10 + 5 = 15 (left: 9 15)\n15 + 9 = 24 (left: 24)\n"
     "Answer: ((5 + 5) + 5) + 9 = 24"),
)  # fmt: skip
"""The examples of the same prompt, but for 4 9 10 13, which has rank 1000."""
FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}"), r"((\1)/(\2))"
LATEX = (
    *[FRACTION] * 3,  # From the innermost out.
    (re.compile(r"\\(?:[][(){}!,;: ]|left|right|boxed)|\$"), " "),
    (re.compile(r"[\[{]"), "("),
    (re.compile(r"[\]}]"), ")"),
    (re.compile(r"\)\s*(?=\()|(?<=\d)(?=\()"), r"\g<0>*"),
    (re.compile(r"(?<=[\d)]) ?[x∗] ?(?=[\d(])"), "*"),
)


def _puzzle(row: Row) -> str:
    """Return the numbers of a row, which holds a text or a list."""
    listed = row.get("numbers")
    if isinstance(listed, list) and all(isinstance(number, int) for number in listed):
        return " ".join(map(str, listed))
    return text(row, "Puzzles", "numbers", "question")


@dataclass(frozen=True)
class Game24:
    """Four numbers and the target 24; up to 4 `shots`, temperature .7 (Yao et al., 2023)."""

    data: str = "test-time-compute/game-of-24"
    shots: NonNegativeInt = 0
    step: str = "\n"
    max_tokens: PositiveInt = 1024

    name: ClassVar[str] = "game24"

    @property
    def sampling(self) -> Sampling:
        """The sampling of a solution: one operation per line, until the model poses a puzzle of its own."""
        end = ("Input:",) if self.shots else ()
        return Sampling(temperature=0.7, max_tokens=self.max_tokens, stop=(self.step,), end=end)

    def prompt(self, text: str) -> str:
        """Return a puzzle as the model reads it: with an instruction, and after other worked examples.

        Raises:
            ConfigError: there are not four numbers, or fewer worked examples than `shots`.
        """
        puzzle = numbers(text)
        question = f"Input: {' '.join(map(str, puzzle))}\n"
        worked = worked_examples(self.name, WORKED, self.shots)
        others = [(q, a) for q, a in worked if sorted(numbers(q)) != sorted(puzzle)]
        shown = "".join(f"Input: {q}\nSteps:\n{a}\n" for q, a in others[: self.shots])
        return (
            f"{INSTRUCTION}\n{shown}{question}Steps:\n"
            if shown
            else f"{INSTRUCTION} {FORM}\n{question}"
        )

    def examples(self, split: str, count: int, seed: int = 0) -> Iterator[Example]:
        """Yield the first `count` puzzles of a split, shuffled by any `seed` other than 0.

        Raises:
            ConfigError: the data cannot be read, has no such split, or lacks a field.
        """
        splits = self.splits()
        if split not in splits:
            raise ConfigError(f"{self.data!r} has no split {split!r}; it has {', '.join(splits)}")
        for index, row in shuffled([*enumerate(splits[split])], count, seed):
            text = self.prompt(_puzzle(row))
            yield Example(Problem(f"game24-{row.get('Rank', index)}", text), str(TARGET))

    def splits(self) -> dict[str, list[Row]]:
        """Return the puzzles of each split by rank; without ranks, all are the test split."""
        puzzles = rows(self.data, "test")
        tested = [row for row in puzzles if int(row.get("Rank", 0)) in TESTED]
        others = [row for row in puzzles if int(row.get("Rank", 0)) not in TESTED]
        return {"test": tested, "dev": others} if tested else {"test": puzzles}

    def answer(self, solution: str) -> str | None:
        """Return the expression, with the operands of sums and products in order."""
        term = read_first(derived, solution)
        return term.expression if term else None

    def check(self, example: Example, solution: str) -> bool:
        """Return whether the expression uses each of the puzzle's numbers once and equals 24."""
        term = read_first(derived, solution)
        wanted = tuple(sorted(map(Fraction, numbers(example.problem.prompt))))
        return term is not None and term.value == TARGET and term.numbers == wanted


def numbers(text: str) -> list[int]:
    """Return the last four consecutive numbers, where a prompt has its puzzle.

    Raises:
        ConfigError: there are none.
    """
    for run in reversed(RUN.findall(text)):
        if len(digits := re.findall(r"\d+", run)) == 4:
            return [int(number) for number in digits]
    raise ConfigError(f"no puzzle: {text.strip()!r} is not four numbers; write it like 4 5 6 10")


def derived(solution: str) -> Term | None:
    """Return the expression that a solution states, else its last, of four numbers or of its steps' results."""
    if stated := _expression(_arithmetic(extract(solution) or "")):
        return Derivation().read(stated)
    lines = [_arithmetic(line) for line in solution.splitlines()]
    while lines:
        if last := _expression(lines.pop()):
            term = Derivation().read(last)
            return term if term and len(term.numbers) == 4 else _after(lines, last)
    return None


def _after(steps: list[str], last: str) -> Term | None:
    """Return the last expression with the results of the steps before it substituted."""
    derivation = Derivation()
    for step in steps:
        derivation.note(step)
    return derivation.read(last)


def _expression(line: str) -> str:
    """Return the longest expression with an operator in a line."""
    return max((run for run in statements(line)[0] if OPERATOR.search(run)), key=len, default="")


def _arithmetic(text: str) -> str:
    """Return a line without LaTeX."""
    for pattern, replacement in LATEX:
        text = pattern.sub(replacement, text)
    return text
