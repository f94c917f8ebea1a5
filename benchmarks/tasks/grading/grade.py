"""Grades, and the interface of a grading rule."""

from enum import StrEnum
from typing import Protocol


class Grade(StrEnum):
    """The result of grading an answer; all but `RIGHT` count as wrong.

    `TIMED_OUT` is an answer that took too long to compare, `FAILED` one that broke the worker.
    """

    RIGHT = "right"
    WRONG = "wrong"
    TIMED_OUT = "timed out"
    FAILED = "failed"


class GradingRule(Protocol):
    """A function that returns whether an answer is equivalent to the reference."""

    def __call__(self, answer: str, reference: str) -> bool: ...
