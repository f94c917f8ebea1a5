"""Judge: a language model grades each candidate."""

import re
from collections.abc import Sequence
from statistics import fmean
from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic.dataclasses import dataclass

from reasoner.types import Candidate, Completion, Problem, Score
from reasoner.verifiers.common.llm_judge import (
    WORD,
    Pointwise,
    filled,
    holding,
    right,
    said,
    stated,
)

TASK = """Below are a problem and a solution of it. Find out whether the solution is right: check \
every step, and do not take its result on trust. If it is unfinished, judge what is there.

Problem:
{problem}

Solution:
{solution}

"""
GRADE = f"""{TASK}Say briefly what you found. Then end with a line "Grade: N", where N is a whole \
number from {{lowest}} (certainly wrong) to {{highest}} (certainly right)."""
VERDICT = f"""{TASK}Say briefly what you found. Then end with a line that is either "Verdict: correct" \
or "Verdict: incorrect"."""

NUMBER = r"-?\d+(?:\.\d+)?(?:\s*(?:/|out of)\s*\d+)?(?!\s*(?:-|–|to\b)\s*\d)"


def ordered(grades: tuple[int, int]) -> tuple[int, int]:
    """Raise unless the lowest grade is below the highest."""
    if grades[0] >= grades[1]:
        raise ValueError("the lowest grade comes first and must be below the highest")
    return grades


@dataclass(frozen=True)
class Judge(Pointwise):
    """The mean of the grades that a model gives a candidate (Zheng et al., 2023).

    It `asks` for a "grade" from the lowest to the highest of `grades`, scaled to [0, 1], or for a
    "verdict", correct or incorrect. Several `votes` estimate the expected grade, which has fewer ties
    than a single grade (G-Eval, Liu et al., 2023, arXiv 2303.16634).
    """

    asks: Literal["grade", "verdict"] = "grade"
    grades: Annotated[tuple[int, int], AfterValidator(ordered)] = (1, 10)
    prompt: Annotated[str, holding("problem", "solution")] | None = None

    def question(self, problem: Problem, candidate: Candidate) -> str:
        """Return the filled-in prompt."""
        lowest, highest = map(str, self.grades)
        return filled(
            self.prompt or (GRADE if self.asks == "grade" else VERDICT),
            problem=problem.prompt, solution=candidate.text, lowest=lowest, highest=highest,
        )  # fmt: skip

    def weigh(self, candidate: Candidate, replies: Sequence[Completion]) -> tuple[Score, int]:
        """Return the mean of the readable grades and their number."""
        read = self.grade if self.asks == "grade" else correct
        grades = [g for r in replies if (g := read(said(r))) is not None]
        return Score(fmean(grades) if grades else self.default), len(grades)

    def grade(self, text: str) -> float | None:
        """Return the final grade of a reply, scaled to [0, 1]; None if missing or off the scale."""
        grade = stated(text, "grade|score|rating", NUMBER)
        if grade is None:
            return None
        lowest, highest = self.grades
        number, *scale = map(float, re.findall(r"-?\d+(?:\.\d+)?", grade))
        in_range = lowest <= number <= highest and scale in ([], [highest])
        return (number - lowest) / (highest - lowest) if in_range else None


def correct(text: str) -> float | None:
    """Return 1 for a final verdict "correct", 0 for "incorrect", None for neither."""
    word = stated(text, "verdict", WORD)
    return None if word is None else float(right(word))
