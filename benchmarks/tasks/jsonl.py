"""`jsonl`: questions of your own, with any field names.

{"q": "How many legs have three spiders?", "a": "24"}

jsonl(data='mine.jsonl', question_field='q', answer_field='a', grader='numeric')

A problem may be a conversation, in place of the question:

{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2+2?"}], "answer": "4"}
"""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

from pydantic.dataclasses import dataclass

from reasoner.benchmarks.tasks.loading import Row, conversation, rows, text
from reasoner.benchmarks.tasks.question_answering import Grader, Questions, worked_examples
from reasoner.messages import map_last_user, transcript
from reasoner.types import Problem


@dataclass(frozen=True)
class JSONL(Questions):
    """Any data set of questions and answers: JSONL, JSON, CSV, Parquet, or a name on the hub.

    `shots` are taken from its train split. `id_field` names the problems; without it, their indices do. A row
    with `messages_field` is a conversation; the instruction follows the user's last turn.
    """

    data: str = ""
    grader: Grader = "symbolic"
    question_field: str = "question"
    answer_field: str = "answer"
    id_field: str = ""
    messages_field: str = "messages"

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

    def problem(self, name: str, row: Row) -> Problem:
        """Return the problem of a row: its conversation, if it has one, or else its question.

        Raises:
            ConfigError: the conversation is malformed.
        """
        if self.messages_field not in row or self.question_field in row:
            return super().problem(name, row)
        messages = conversation(row, self.messages_field)
        return Problem.conversation(name, map_last_user(messages, self.prompt))

    def question(self, row: Row) -> str:
        """Return the row's `question_field`, or the transcript of its conversation."""
        if self.messages_field in row and self.question_field not in row:
            return transcript(conversation(row, self.messages_field))
        return text(row, self.question_field)

    def reference(self, row: Row) -> str:
        """Return the answer in the row's `answer_field`, which may be a whole solution."""
        return self.stated(text(row, self.answer_field))
