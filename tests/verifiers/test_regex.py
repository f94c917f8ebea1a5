"""Patterns, on whole texts, parts, and texts under way."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.errors import ConfigError
from reasoner.types import Judgement, Problem
from reasoner.verifiers.regex import Regex
from tests.needs import need
from tests.verifiers.test_confidence import PROBLEM, patient, said, values

need("regex")
EXPLODES = r"(a|aa)+c"


@pytest.mark.parametrize(
    ("match", "text", "value"),
    [
        ("part", "so\n#12", 1.0),
        ("part", "so 12", 0.0),
        ("whole", "#12", 1.0),
        ("whole", "so\n#12", 0.0),
        ("whole", "#12\n", 0.0),
    ],
)
def test_finished(match: str, text: str, value: float) -> None:
    verifier = Regex(r"#\d+", match)  # type: ignore[arg-type]
    assert values(verifier, said(text)) == [value]


@patient
@given(st.from_regex(r"(ab|c)+#[0-9]{1,3}", fullmatch=True), st.data())
def test_every_start_of_a_match_is_undecided(text: str, data: st.DataObject) -> None:
    start = text[: data.draw(st.integers(0, len(text)))]
    verifier = Regex(r"(ab|c)+#[0-9]{1,3}", "whole")
    assert values(verifier, said(start, complete=False), said(text)) == [0.5, 1.0]


def test_what_cannot_become_a_match_is_wrong() -> None:
    verifier = Regex(r"(ab|c)+#[0-9]+", "whole")
    assert values(verifier, said("abba", complete=False)) == [0.0]
    assert values(Regex("b"), said("a", complete=False)) == [0.5]


def test_a_pattern_that_explodes_is_cut_short() -> None:
    verifier, start = Regex(EXPLODES, "whole", seconds=0.02), time.monotonic()
    assert values(verifier, said("a" * 80), said("a" * 80 + "b", complete=False)) == [0.0, 0.5]
    assert time.monotonic() - start < 5


async def test_a_slow_pattern_holds_nothing_else_up() -> None:
    verifier = Regex(EXPLODES, "whole", seconds=0.3)
    slow = asyncio.create_task(verifier.score(PROBLEM, [said("a" * 80)]))
    for _ in range(5):
        await asyncio.sleep(0.001)
    assert not slow.done()
    await slow


async def test_the_problem_may_bring_the_pattern() -> None:
    problem = Problem("p", "?", {"pattern": "yes|no"})
    assert values_of(problem, "yes") == [1.0]
    assert await Regex().score(problem, []) == Judgement(())
    with pytest.raises(ConfigError, match="no pattern"):
        await Regex().score(PROBLEM, [said("yes")])


def values_of(problem: Problem, text: str) -> list[float]:
    return [Regex().judge(problem, said(text))]


def test_a_wrong_pattern_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        Regex("((")
