"""Rules that compare an answer with a reference; tasks use them, verifiers never do.

`exact`, `numeric` and `choice` are functions; `symbolic` uses worker processes. `extract` returns the
answer that a solution states.
"""

from reasoner.benchmarks.tasks.grading.choice import choice, letter
from reasoner.benchmarks.tasks.grading.exact import exact, plain
from reasoner.benchmarks.tasks.grading.extraction import extract
from reasoner.benchmarks.tasks.grading.grade import Grade, GradingRule
from reasoner.benchmarks.tasks.grading.numeric import canonical, number, numeric
from reasoner.benchmarks.tasks.grading.symbolic import Symbolic, symbolic

__all__ = [
    "Grade", "GradingRule", "Symbolic", "canonical", "choice", "exact", "extract", "letter", "number", "numeric",
    "plain", "symbolic",
]  # fmt: skip
