"""The order of the suite, and which tests one worker runs.

A file's tests run on one worker, because they share fixtures. All files with tests that need an engine run on the
same worker, because they share engines. The longest start first, so that no worker is left alone with one at the end.
"""

from __future__ import annotations

from functools import cache

import pytest
from xdist.scheduler import LoadFileScheduling

from tests import ROOT

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
    "tests/test_docs_code.py",
    "tests/test_notebooks.py",
    "tests/reasoner/train/test_bulk.py",
    "tests/benchmarks/stats/test_interval_coverage.py",
)
"""Groups by the time they take, the longest first; one that is not named comes after these."""


class EnginesTogether(LoadFileScheduling):  # type: ignore[misc]
    """Gives each worker whole groups of tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def arrange(items: list[pytest.Item]) -> None:
    """Sort tests by their groups, longest first."""
    items.sort(key=lambda item: rank(group(item.nodeid)))


def group(nodeid: str) -> str:
    """Return the group of a test: its file, or that of all files with tests that need an engine."""
    file = nodeid.partition("::")[0]
    return ENGINES if needs_engine(file) else file


@cache
def needs_engine(file: str) -> bool:
    """Return True if a test in a file needs an engine."""
    text = (ROOT / file).read_text()
    return "mark.engine" in text or "engines.ALONE" in text


def rank(name: str) -> int:
    """Return the place of a group; unnamed ones stay in the order of files."""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)
