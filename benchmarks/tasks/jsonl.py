"""`jsonl`: questions of your own, with any field names.

{"q": "How many legs have three spiders?", "a": "24"}

jsonl(data='mine.jsonl', question_field='q', answer_field='a', grader='numeric')
"""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.loading import Row, rows, text
from reasoner.benchmarks.tasks.question_answering import Grader, Questions, worked_examples


@dataclass(frozen=True)
class JSONL(Questions):
    """Any data set of questions and answers: JSONL, JSON, CSV, Parquet, or a name on the hub.

    `shots` are taken from its train split. `id_field` names the problems; without it, their indices do.
    """

    data: str = ""
    grader: Grader = "symbolic"
    question_field: str = "question"
    answer_field: str = "answer"
    id_field: str = ""

    name: ClassVar[str] = "jsonl"

    @cached_property
    def shown(self) -> Sequence[tuple[str, str]]:
        """The first questions of the train split with their answers as written, one more than `shots`."""
        train = rows(self.data, "train") if self.shots else []
        chosen = worked_examples(self.name, train, self.shots)
        return [(self.question(row), text(row, self.answer_field)) for row in chosen]

    def identity(self, split: str, index: int, row: Row) -> str:
        """Return the row's `id_field`, or its split and index."""
        return text(row, self.id_field) if self.id_field else super().identity(split, index, row)

    def question(self, row: Row) -> str:
        """Return the row's `question_field`."""
        return text(row, self.question_field)

    def reference(self, row: Row) -> str:
        """Return the answer in the row's `answer_field`, which may be a whole solution."""
        return self.stated(text(row, self.answer_field))
