"""Rules that compare an answer with a reference; tasks use them, verifiers never do.

`exact`, `numeric` and `choice` are functions; `symbolic` asks worker processes. `extract` finds the
answer that a solution states.
"""

from reasoner.verifiers.grading.choice import choice, letter
from reasoner.verifiers.grading.exact import exact, plain
from reasoner.verifiers.grading.extraction import extract
from reasoner.verifiers.grading.grades import Grade, Rule
from reasoner.verifiers.grading.numeric import canonical, number, numeric
from reasoner.verifiers.grading.symbolic import Symbolic, symbolic

__all__ = [
    "Grade", "Rule", "Symbolic", "canonical", "choice", "exact", "extract", "letter", "number", "numeric",
    "plain", "symbolic",
]  # fmt: skip
