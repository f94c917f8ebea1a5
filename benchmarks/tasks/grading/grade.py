"""What a grading can come to, and what a rule is."""

from enum import StrEnum
from typing import Protocol


class Grade(StrEnum):
    """What a grading came to; all but `RIGHT` count as wrong.

    `TIMED_OUT` is an answer that took too long to compare, `FAILED` one that broke the worker.
    """

    RIGHT = "right"
    WRONG = "wrong"
    TIMED_OUT = "timed out"
    FAILED = "failed"


class Rule(Protocol):
    """A rule of grading: whether an answer says the same as the reference."""

    def __call__(self, answer: str, reference: str) -> bool: ...
