"""`jsonl`: questions of your own, whatever their fields are called.

{"q": "How many legs have three spiders?", "a": "24"}

jsonl(data='mine.jsonl', question_field='q', answer_field='a', grader='numeric')
"""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.loading import Row, rows, text
from reasoner.benchmarks.tasks.question_answering import Grader, Questions, taken


@dataclass(frozen=True)
class JSONL(Questions):
    """Any data set of questions and answers: JSONL, JSON, CSV, Parquet, or a name on the hub.

    `shots` are from its train split. `id_field` names the problems; else their places in the data do.
    """

    data: str = ""
    grader: Grader = "symbolic"
    question_field: str = "question"
    answer_field: str = "answer"
    id_field: str = ""

    name: ClassVar[str] = "jsonl"

    @cached_property
    def shown(self) -> Sequence[tuple[str, str]]:
        """The first questions of the train split, one to spare, with their answers as they stand there."""
        found = rows(self.data, "train") if self.shots else []
        some = taken(self.name, found, self.shots)
        return [(self.question(row), text(row, self.answer_field)) for row in some]

    def identity(self, split: str, index: int, row: Row) -> str:
        """What the row has under `id_field`."""
        return text(row, self.id_field) if self.id_field else super().identity(split, index, row)

    def question(self, row: Row) -> str:
        """What the row has under `question_field`."""
        return text(row, self.question_field)

    def reference(self, row: Row) -> str:
        """What the row has under `answer_field`, or what that states."""
        return self.stated(text(row, self.answer_field))
