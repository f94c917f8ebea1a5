"""`aime25`: the 30 problems of the American Invitational Mathematics Examination, 2025.

problem   Find the sum of all integer bases $b>9$ for which $17_{b}$ is a divisor of $97_{b}$.
answer    70
"""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.aime24 import AIME24


@dataclass(frozen=True)
class AIME25(AIME24):
    """The settings of `aime24` with other problems."""

    data: str = "math-ai/aime25"

    name: ClassVar[str] = "aime25"
