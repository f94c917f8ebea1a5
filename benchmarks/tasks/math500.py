r"""`math500`: 500 of MATH's test problems (Lightman et al., 2023, arXiv 2305.20050).

problem   Define \[p = \sum_{k = 1}^\infty \frac{1}{k^2} \quad \text{and} \quad q = \sum_{k =
          1}^\infty \frac{1}{k^3}.\] Find a way to write \[\sum_{j = 1}^\infty \sum_{k =
          1}^\infty \frac{1}{(j + k)^3}\] in terms of $p$ and $q.$
answer    p - q
"""

from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.hendrycks_math import HendrycksMath


@dataclass(frozen=True)
class Math500(HendrycksMath):
    """The settings of `math` with other problems."""

    data: str = "HuggingFaceH4/MATH-500"

    name: ClassVar[str] = "math500"
