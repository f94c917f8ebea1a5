"""`gpqa`: graduate-level questions that a search engine does not answer (Rein et al., 2023, arXiv 2311.12022).

    Question            Methylcyclopentadiene (which exists as a fluxional mixture of isomers) was
                        allowed to react with methyl isoamyl ketone and a catalytic amount of
                        pyrrolidine. […] How many chemically distinct isomers make up the final product
                        (not counting stereoisomers)?
    Correct Answer      16
    Incorrect Answer 1  2
    Incorrect Answer 2  8
    Incorrect Answer 3  4

The authors ask not to publish any question; this one is in their paper. So there are no worked examples.
"""

from random import Random
from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.loading import Row, text
from reasoner.benchmarks.tasks.question_answering import Grader, Questions

LETTERS = "ABCD"


@dataclass(frozen=True)
class GPQA(Questions):
    """Questions with four options each, in an order that depends on `seed` and the question.

    The default is the diamond subset; `Idavidrein/gpqa:gpqa_main` has more. Temperature .6, nucleus .95
    (DeepSeek-AI, 2025, R1).
    """

    data: str = "Idavidrein/gpqa:gpqa_diamond"
    grader: Grader = "choice"
    instruction: str = (
        'Please reason step by step, and end with a line "Answer: X", where X is one of A, B, C, D.'
    )
    seed: int = 0

    name: ClassVar[str] = "gpqa"
    temperature: ClassVar[float] = 0.6
    top_p: ClassVar[float] = 0.95

    def question(self, row: Row) -> str:
        """Return the question, followed by its options with their letters."""
        stem = text(row, "Question").strip()
        options = zip(LETTERS, self._options(row), strict=True)
        return "\n".join([stem, *(f"({letter}) {option}" for letter, option in options)])

    def reference(self, row: Row) -> str:
        """Return the letter of the right option."""
        return LETTERS[self._options(row).index(text(row, "Correct Answer").strip())]

    def _options(self, row: Row) -> list[str]:
        fields = ["Correct Answer", *(f"Incorrect Answer {i}" for i in (1, 2, 3))]
        options = [text(row, name).strip() for name in fields]
        Random(f"{self.seed}/{text(row, 'Question')}").shuffle(options)
        return options
