"""A test that works too long fails; one that waits does not, nor one that is marked."""

from __future__ import annotations

import pytest

TESTS = """
import subprocess, sys, time
import pytest

WORK = "import time; end = time.process_time() + 0.3\\nwhile time.process_time() < end: pass"

def test_works(): exec(WORK, {})
def test_has_others_work(): subprocess.run([sys.executable, "-c", WORK])
def test_waits(): time.sleep(0.5)
@pytest.mark.slow
def test_is_slow(): exec(WORK, {})
@pytest.mark.parametrize("x", ["@["])
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(x): exec(WORK, {})
def test_fails_by_itself():
    exec(WORK, {})
    assert False, "its own failure"
"""


@pytest.mark.parametrize(("seconds", "failed"), [("0.25", 3), ("0", 1)])
def test_what_works_too_long_fails(seconds: str, failed: int, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    options = ["-p", "tests.cpu_budget", "-p", "no:cacheprovider", "-o", f"cpu_budget={seconds}"]
    ran = pytester.runpytest_inprocess(*options, "-W", "ignore")
    ran.assert_outcomes(failed=failed, passed=6 - failed)
    assert "its own failure" in ran.stdout.str()
    assert ("its budget is 0.25" in ran.stdout.str()) == (failed == 3)
