"""`amc23`: 40 problems of the American Mathematics Competitions 12A and 12B, 2023.

question  Positive real numbers $x$ and $y$ satisfy $y^3=x^2$ and $(y-x)^2=4y^2$. What is $x+y$?
answer    36.0
"""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.hendrycks_math import HendrycksMath
from reasoner.benchmarks.tasks.question_answering import Grader


@dataclass(frozen=True)
class AMC23(HendrycksMath):
    """Problems with whole numbers as answers; the competition itself offers five choices each."""

    data: str = "math-ai/amc23"
    grader: Grader = "numeric"

    name: ClassVar[str] = "amc23"
