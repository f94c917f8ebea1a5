"""A pytest plugin: a test that takes more than its seconds of CPU fails, and so does the run.

Seconds of work count, not of waiting: those of this process and of its children that ended meanwhile. The budget is
several times what a test should take, because two busy threads of one core take twice their seconds. Tests marked
`slow` or `engine` have no budget, nor has what sets a test up, nor the first test that imports a large library.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from math import inf

import pytest

IMPORTED = 300
"""So many new modules are a large library, whose import is no test's work."""
EXCEPTIONS = {
    "test_votes_approach_enumeration": 80.0,  # every subset
    "test_intervals_cover_about_as_they_say": 80.0,  # 80 experiments
    "test_an_encoding_without_these_characters": 80.0,  # interpreters of their own
    "test_a_miniature_that_is_killed_and_goes_on": 80.0,  # trains six models
    "test_files_and_table_say_the_same": 80.0,  # over-optimised beyond chance
    "test_hostile_page.py::test_nothing_runs_and_no_request_leaves": 80.0,  # clicks on everything
    "test_killed_again_and_again_it_ends_as_if_it_had_not_been": 80.0,  # a process for each kill
}
"""Seconds of the tests that may take more, each by the end of its name; the reason beside it."""


def spent() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def budget(item: pytest.Item) -> float:
    """Return the CPU seconds that a test may take."""
    usual = float(item.config.getini("cpu_budget"))
    if not usual or any(item.get_closest_marker(name) for name in ("slow", "engine")):
        return inf
    name = item.nodeid.partition("@")[0].partition("[")[0]
    return next((most for end, most in EXCEPTIONS.items() if name.endswith(end)), usual)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting."""
    parser.addini("cpu_budget", "CPU seconds that a test may take; 0 for no budget", default="20")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a test that passes but takes more CPU than its budget."""
    before, modules = spent(), len(sys.modules)
    yield
    took, most = spent() - before, budget(item)
    if took > most and len(sys.modules) - modules < IMPORTED:
        pytest.fail(
            f"took {took:.1f} s of CPU, its budget is {most:g}: make it faster, or mark it `slow`",
            pytrace=False,
        )
