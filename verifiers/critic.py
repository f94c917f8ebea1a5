"""Critic: a language model that judges a solution step by step."""

import re
from collections.abc import Sequence
from statistics import fmean
from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from reasoner.types import Candidate, Completion, Problem, Score
from reasoner.verifiers.common.aggregation import AGGREGATES
from reasoner.verifiers.common.llm_judge import (
    WORD,
    Pointwise,
    filled,
    holding,
    right,
    said,
    stated,
)

TASK = """Below are a problem and a solution of it, whose steps are numbered. Check one step after \
the other, and take none on trust. If the solution is unfinished, judge the steps that are there.

Problem:
{problem}

Solution:
{solution}

"""
STEPS = f"""{TASK}Write one line for each step: its number, your verdict, and why, as in \
"Step 1: correct, because ..." or "Step 1: incorrect, because ..."."""
FIRST_ERROR = f"""{TASK}Say briefly what you found. Then end with a line "First error: N", where N is \
the number of the earliest step with an error, or "First error: none"."""

ENDS = r"(?=\s*(?:[^\w\s-]|\n|\Z|because\b|since\b|as\b)|\s+[–-])"
"""The text after a real verdict, as opposed to a sentence such as "Right triangles"."""
AT_ONCE = re.compile(rf"\s*(?:[:.–-]|is\b)*\s*({WORD}){ENDS}", re.IGNORECASE)
AT_LAST = re.compile(rf"(?:\bis|\bare|[.:;,\n–-])\s*({WORD})\W*$", re.IGNORECASE)


@dataclass(frozen=True)
class Critic(Pointwise):
    """The share of votes for each step of a solution, combined by minimum or product.

    It `asks` for a verdict on all "steps" (a generative process reward model, as ThinkPRM, Khalifa et
    al., 2025, arXiv 2504.16828), or for the number of the "first-error" (ProcessBench, Zheng et al.,
    2024, arXiv 2412.06559), in which case the steps before it are right and the rest are wrong. A step
    ends at `delimiter`.
    """

    asks: Literal["steps", "first-error"] = "steps"
    aggregate: Literal["min", "prod"] = "min"
    delimiter: Annotated[str, Field(min_length=1)] = "\n"
    prompt: Annotated[str, holding("problem", "solution")] | None = None

    def question(self, problem: Problem, candidate: Candidate) -> str:
        """Return the prompt, filled in with numbered steps."""
        prompt = self.prompt or (STEPS if self.asks == "steps" else FIRST_ERROR)
        steps = enumerate(self.steps(candidate), start=1)
        numbered = "\n".join(f"Step {i}: {step}" for i, step in steps)
        return filled(prompt, problem=problem.prompt, solution=numbered)

    def steps(self, candidate: Candidate) -> list[str]:
        """Return the steps of a solution, without blank ones."""
        parts = map(str.strip, candidate.text.split(self.delimiter))
        return [part for part in parts if part]

    def weigh(self, candidate: Candidate, replies: Sequence[Completion]) -> tuple[Score, int]:
        """Average each step over the votes, then aggregate the steps."""
        count = len(self.steps(candidate))
        read = each if self.asks == "steps" else before_error
        votes = [v for r in replies if (v := read(said(r), count))]
        if not votes:
            return Score(self.default), 0
        steps = tuple(map(fmean, zip(*votes, strict=True)))
        return Score(AGGREGATES[self.aggregate](steps), steps), len(votes)


def each(text: str, count: int) -> list[float] | None:
    """Return 1 or 0 for each of `count` steps; None if one before the first error has no verdict.

    A critic may stop at an error; later steps depend on it and count as wrong.
    """
    verdicts = dict[int, float]()
    for number, comment in re.findall(
        r"^[^\w\n]*step\s*(\d+)(.*?)(?=^[^\w\n]*step\s*\d|\Z)", text, re.I | re.M | re.S
    ):
        if verdict := AT_ONCE.match(comment) or AT_LAST.search(comment):
            verdicts[int(number)] = float(right(verdict[1]))
    first = next((i for i in range(1, count + 1) if not verdicts.get(i)), None)
    if first and first not in verdicts:
        return None
    return [verdicts.get(i, 0.0) for i in range(1, count + 1)]


def before_error(text: str, count: int) -> list[float] | None:
    """Return 1 for each of `count` steps before the error that a reply names, 0 for the rest.

    None if the reply names no step of the solution.
    """
    place = stated(text, "(?:first|earliest) error", r"(?:step\s*)?-?\d+|none|no error")
    if place is None:
        return None
    number = re.search(r"-?\d+", place)
    first = int(number[0]) if number else -1
    if first == -1:
        return [1.0] * count
    return [float(i < first) for i in range(1, count + 1)] if 1 <= first <= count else None
