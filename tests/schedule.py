"""The order of the suite, and which tests one worker runs.

A file's tests run on one worker, for they share fixtures; all tests that need an engine run on one
too, whatever their file, for they share engines. What takes longest starts first, so that no worker is left with it alone
at the end.
"""

from __future__ import annotations

import pytest

ENGINES = "engines"
LONGEST: tuple[str, ...] = (ENGINES,)
"""Groups by the time they take, the longest first; one that is not named comes after these."""


def arrange(items: list[pytest.Item]) -> None:
    """Sort tests by their groups, longest first, and tell xdist of these."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    items.sort(key=lambda item: rank(group(item)))


def group(item: pytest.Item) -> str:
    """Return the name of the group of a test: its file, but for tests that need an engine."""
    return ENGINES if item.get_closest_marker("engine") else item.nodeid.partition("::")[0]


def rank(name: str) -> int:
    """Return the place of a group; those that are not named stay in the order of files."""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)
