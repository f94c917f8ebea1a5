"""The order of the suite, and which tests one worker runs.

A file's tests run on one worker, for they share fixtures; all tests that need an engine run on one
too, whatever their file, for they share engines. What takes longest starts first, so that no worker is left with it alone
at the end.
"""

from __future__ import annotations

import pytest

ENGINES = "engines"
LONGEST = (
    ENGINES,
    "tests/verifiers/test_code_cheats.py",
    "tests/reasoner/cli/test_wrong_lines.py",
    "tests/search/test_conformance.py",
    "tests/test_hostile_files.py",
    "tests/verifiers/test_conformance.py",
    "tests/verifiers/reward/test_reward_conformance.py",
    "tests/benchmarks/reports/test_eval_verifier.py",
    "tests/benchmarks/tasks/grading/test_grading_data.py",
    "tests/test_hostile_text.py",
    "tests/reasoner/train/test_train_cli.py",
    "tests/reasoner/train/test_reward.py",
    "tests/reasoner/train/test_value_head.py",
    "tests/benchmarks/reports/test_compare.py",
    "tests/benchmarks/reports/test_hostile_page.py",
    "tests/benchmarks/runner/test_kill.py",
    "tests/test_secrets.py",
    "tests/reasoner/cli/test_cli.py",
    "tests/search/test_its_hub.py",
    "tests/reasoner/train/test_bulk.py",
    "tests/benchmarks/stats/test_interval_coverage.py",
)
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
